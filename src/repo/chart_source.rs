//! Where a source object of Flux says that its files are, as references of the source room.
//!
//! Source: source-controller 1.9 `api/v1`: the fields, and in which order they count.

use crate::source::{BucketRef, GitRef, GitRevision, Provider, Reference};

use super::document::Node;
use super::helm_release::is_true;
use super::problem::Fault;

/// A path of a GitRepository.
///
/// # Errors
/// The URL is none of a Git repository.
pub fn git(spec: Option<&Node>, url: &str, path: &str) -> Result<Reference, String> {
    let reference = spec.and_then(|s| s.get("ref"));
    let text = |key: &str| reference.and_then(|r| r.get(key)).and_then(Node::as_str).filter(|t| !t.is_empty());
    // The order in which source-controller looks at them.
    let revision = if let Some(commit) = text("commit") {
        GitRevision::Commit(commit.into())
    } else if let Some(name) = text("name") {
        GitRevision::Full(name.into())
    } else if let Some(range) = text("semver") {
        GitRevision::Semver(range.into())
    } else if let Some(tag) = text("tag") {
        GitRevision::Tag(tag.into())
    } else {
        GitRevision::Branch(text("branch").unwrap_or("master").into())
    };
    match Reference::parse(&format!("git+{url}//{path}"), None, None).map_err(|e| e.to_string())? {
        Reference::Git(parsed) => Ok(Reference::Git(GitRef { revision, ..parsed })),
        _ => Err(format!("{url} is no address of a Git repository")),
    }
}

/// The artifact of an OCIRepository.
///
/// # Errors
/// The URL is none of a registry.
pub fn oci(spec: &Node) -> Result<Reference, String> {
    let url = spec.get("url").and_then(Node::as_str).unwrap_or_default();
    if !url.starts_with("oci://") {
        return Err("an OCIRepository needs spec.url with oci://".into());
    }
    let text = |key: &str| spec.get("ref").and_then(|r| r.get(key)).and_then(Node::as_str).filter(|t| !t.is_empty());
    let mut whole = url.trim_end_matches('/').to_owned();
    let mut range = None;
    // A digest counts more than a range, a range more than a tag.
    match (text("digest"), text("semver"), text("tag")) {
        (Some(digest), _, _) => whole = format!("{whole}@{digest}"),
        (_, Some(semver), _) => range = Some(semver),
        (_, _, Some(tag)) => whole = format!("{whole}:{tag}"),
        _ => whole.push_str(":latest"),
    }
    Reference::parse(&whole, None, range).map_err(|e| e.to_string())
}

/// Whether a source is spoken to without TLS.
pub fn is_insecure(spec: Option<&Node>) -> bool {
    spec.and_then(|s| s.get("insecure")).is_some_and(is_true)
}

/// A path of a Bucket: a folder, or an archive by its name.
///
/// # Errors
/// The object says too little.
pub fn bucket(spec: Option<&Node>, path: &str) -> Result<Reference, Fault> {
    let text = |key: &str| spec.and_then(|s| s.get(key)).and_then(Node::as_str).unwrap_or_default();
    let name = text("bucketName");
    if name.is_empty() {
        return Err("a Bucket needs spec.bucketName".into());
    }
    if path.is_empty() {
        return Err(Fault::unsupported(format!(
            "the root of bucket {name} as a chart is not supported: give spec.chart a path"
        )));
    }
    // What the provider's own library knows without being told.
    let (provider, own) = match text("provider") {
        "aws" => (Provider::S3, "s3.amazonaws.com"),
        "gcp" => (Provider::Gcs, "storage.googleapis.com"),
        "azure" => (Provider::Azure, ""),
        _ => (Provider::S3, ""),
    };
    let scheme = if is_insecure(spec) { "http" } else { "https" };
    let endpoint = match text("endpoint") {
        "" => None,
        known if known == own => None,
        url if url.contains("://") => Some(url.to_owned()),
        host => Some(format!("{scheme}://{host}")),
    };
    let is_archive = [".tgz", ".tar.gz"].iter().any(|end| path.ends_with(end));
    let key = if is_archive { path.to_owned() } else { format!("{path}/") };
    let region = Some(text("region")).filter(|r| !r.is_empty()).map(String::from);
    Ok(Reference::Bucket(BucketRef { provider, bucket: name.into(), key, endpoint, region }))
}
