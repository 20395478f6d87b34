//! GitRepository: the files of one commit, packed.
//!
//! Nothing but the references is asked for when the commit is the one that was packed before.
//! Source: source-controller 1.9 `internal/controller/gitrepository_controller.go`.

use std::collections::BTreeMap;

use serde_json::json;

use crate::api::git_repository::GitReference;
use crate::api::{GitRepositorySpec, condition};
use crate::source::git::{Checkout, Entry, EntryKind, GitSource, Signed};
use crate::source::{self, Fetch, GitRef, GitRevision};

use super::super::origin::AUTHOR;
use super::archive::{Kind, Packer};
use super::ignore::{self, Rules};
use super::manager::World;
use super::object::{Fault, Found, Subject, timeout};
use super::secret::SecretFile;
use super::store::{Store, Stored};

const FAILED: &str = "GitOperationFailed";

fn revision(reference: Option<&GitReference>) -> GitRevision {
    match reference {
        Some(r) if !r.commit.is_empty() => GitRevision::Commit(r.commit.clone()),
        Some(r) if !r.name.is_empty() => GitRevision::Full(r.name.clone()),
        Some(r) if !r.semver.is_empty() => GitRevision::Semver(r.semver.clone()),
        Some(r) if !r.tag.is_empty() => GitRevision::Tag(r.tag.clone()),
        Some(r) if !r.branch.is_empty() => GitRevision::Branch(r.branch.clone()),
        _ => GitRevision::Branch("master".into()),
    }
}

/// What can't be done is said before anything is fetched.
fn supported(spec: &GitRepositorySpec) -> Result<(), Fault> {
    let what = if spec.recurse_submodules {
        "spec.recurseSubmodules: submodules are not fetched"
    } else if !spec.include.is_empty() {
        "spec.include: other GitRepositories are not included"
    } else if spec.proxy_secret_ref.is_some() {
        "spec.proxySecretRef: use the controller's proxy variables"
    } else if !matches!(spec.provider.as_str(), "" | "generic") {
        "spec.provider: only 'generic' is supported"
    } else {
        return Ok(());
    };
    Err(Fault::fetch(FAILED, format!("not supported: {what}")).for_good())
}

pub async fn fetch(world: &World, subject: &Subject) -> Result<Found, Fault> {
    let spec: GitRepositorySpec = subject.spec()?;
    supported(&spec)?;
    let mut options = (*world.context.options).clone();
    options.deadline = timeout(spec.timeout.as_ref());
    // They are read by ssh until the end of the fetch.
    let mut files = Vec::new();
    if let Some(secret) = world.secret(subject.namespace(), spec.secret_ref.as_ref()).await? {
        options.credentials = secret.credentials()?;
        secret.tls(&mut options.tls)?;
        if let Some(identity) = secret.text("identity") {
            let hosts = secret.text("known_hosts").ok_or_else(|| {
                Fault::fetch("AuthenticationFailed", "invalid secret data: required key 'known_hosts' is missing")
            })?;
            options.credentials = None;
            for (text, place) in [(identity, &mut options.ssh_key), (hosts, &mut options.known_hosts)] {
                let file = SecretFile::new(&text).map_err(|e| Fault::fetch(FAILED, e.to_string()))?;
                *place = Some(file.0.clone());
                files.push(file);
            }
        }
    }
    let context = world.context.with(options);
    let failed = |e: source::SourceError| Fault::of(FAILED, "failed to checkout and determine revision", &e);
    let reference = GitRef {
        url: spec.url.clone(),
        credentials: None,
        path: String::new(),
        revision: revision(spec.reference.as_ref()),
        submodules: false,
    };
    let git = GitSource::new(&reference, &context).map_err(failed)?;
    let resolved = git.resolve(None).await.map_err(failed)?;
    let branch = spec.reference.as_ref().filter(|r| !r.commit.is_empty() && !r.branch.is_empty());
    let revision = match branch {
        Some(r) => format!("{}@{}", r.branch, resolved.revision),
        None => resolved.revision.clone(),
    };
    let keys = match &spec.verification {
        Some(verification) => {
            let secret = world.secret(subject.namespace(), Some(&verification.secret_ref)).await?.unwrap_or_default();
            secret.ending(".asc").chain(secret.ending(".sshpub")).cloned().collect::<Vec<_>>()
        }
        None => Vec::new(),
    };
    let mut found = Found {
        reason: "Succeeded",
        message: format!("stored artifact for revision '{revision}'"),
        fields: vec![
            ("observedIgnore", json!(spec.ignore)),
            ("observedSparseCheckout", list(&spec.sparse_checkout)),
            ("sourceVerificationMode", json!(spec.verification.as_ref().map(|v| v.mode.clone()))),
        ],
        ..Found::default()
    };
    let verified = condition::is(&conditions(subject), condition::SOURCE_VERIFIED, condition::TRUE);
    if let Some(artifact) = subject.current(&revision).filter(|_| spec.verification.is_none() || verified) {
        found.artifact = Some(artifact);
        found.verified = conditions(subject)
            .iter()
            .find(|c| c.type_ == condition::SOURCE_VERIFIED && spec.verification.is_some())
            .map(|c| c.message.clone());
        return Ok(found);
    }
    let checkout = git.checkout(&resolved).await.map_err(failed)?;
    let store = world.store.clone();
    let key = subject.key.clone();
    let packed = tokio::task::spawn_blocking(move || {
        let by = verify(&checkout, &spec, &keys)?;
        let path = Store::path(&key.kind, &key.namespace, &key.name, &format!("{}.tar.gz", checkout.commit()));
        let stored = pack(&store, &path, &checkout, &spec)?;
        let _ = store.link(&path, "latest.tar.gz");
        Ok((path, stored, by, checkout.author()))
    });
    let (path, stored, by, author) = packed.await.map_err(|e| Fault::fetch(FAILED, e.to_string()))??;
    drop(files);
    let known = !author.is_empty() && !world.options.compat_flux;
    let metadata: BTreeMap<String, String> = known.then(|| (AUTHOR.to_owned(), author)).into_iter().collect();
    found.artifact = Some(subject.artifact_of(world, &path, &revision, &stored, metadata));
    found.verified = by;
    Ok(found)
}

fn list(items: &[String]) -> crate::cluster::Json {
    if items.is_empty() { crate::cluster::Json::Null } else { json!(items) }
}

fn conditions(subject: &Subject) -> Vec<crate::api::Condition> {
    subject.status("conditions").and_then(|c| serde_json::from_value(c.clone()).ok()).unwrap_or_default()
}

/// Checks the signatures that the spec asks for, and says who made them.
fn verify(checkout: &Checkout, spec: &GitRepositorySpec, keys: &[Vec<u8>]) -> Result<Option<String>, Fault> {
    let Some(verification) = &spec.verification else { return Ok(None) };
    let wanted: &[(Signed, &str)] = match verification.mode.as_str() {
        "Tag" => &[(Signed::Tag, "tag")],
        "TagAndHEAD" => &[(Signed::Tag, "tag"), (Signed::Commit, "commit")],
        _ => &[(Signed::Commit, "commit")],
    };
    let mut by = Vec::new();
    for (which, name) in wanted {
        let refuse = |why: String| Fault::fetch("InvalidCommitSignature", why);
        match checkout.verify(*which, keys).map_err(|e| refuse(e.to_string()))? {
            Some(v) => by.push(format!("{name} with key '{}'", v.key)),
            None => return Err(refuse(format!("cannot verify signature of {name}: it is not signed"))),
        }
    }
    Ok(Some(format!("verified signature of {}", by.join(" and "))))
}

/// Whether a path is in one of the directories of a sparse checkout, or on the way to one.
fn wanted(path: &str, directories: &[String]) -> bool {
    directories.is_empty()
        || directories.iter().map(|d| d.trim_start_matches("./").trim_end_matches('/')).any(|d| {
            d.is_empty()
                || d == "."
                || path == d
                || path.starts_with(&format!("{d}/"))
                || d.starts_with(&format!("{path}/"))
        })
}

fn pack(store: &Store, path: &str, checkout: &Checkout, spec: &GitRepositorySpec) -> Result<Stored, Fault> {
    let failed = |e: source::SourceError| Fault::of(FAILED, "failed to checkout and determine revision", &e);
    let entries = checkout.entries().map_err(failed)?;
    let entries: Vec<Entry> = entries.into_iter().filter(|e| wanted(&e.path, &spec.sparse_checkout)).collect();
    let is_ignore = |e: &&Entry| e.path == ignore::FILE || e.path.ends_with("/.sourceignore");
    let mut patterns = Vec::new();
    let read = checkout.read(entries.iter().filter(is_ignore), |entry, bytes| {
        let folder = entry.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        patterns.push((folder.to_owned(), String::from_utf8_lossy(bytes).into_owned()));
        Ok(())
    });
    read.map_err(failed)?;
    let patterns = patterns.iter().map(|(folder, text)| (folder.as_str(), text.as_str()));
    let rules = Rules::of_tree(patterns, spec.ignore.as_deref());
    let kept = entries.iter().filter(|e| !rules.ignores(&e.path, e.kind == EntryKind::Directory));
    let mut packer = Packer::new(store.begin(path).map_err(|e| Fault::disk(&e))?).map_err(|e| Fault::disk(&e))?;
    let packed = checkout.read(kept, |entry, bytes| {
        let kind = match entry.kind {
            EntryKind::File => Kind::File,
            EntryKind::Executable => Kind::Executable,
            EntryKind::Directory => Kind::Directory,
        };
        let io = |e: std::io::Error| source::SourceError::new(source::Reason::Disk, path, e.to_string());
        packer.entry(&entry.path, kind, bytes).map_err(io)
    });
    packed.map_err(failed)?;
    packer.finish().and_then(super::store::Pending::commit).map_err(|e| Fault::disk(&e))
}
