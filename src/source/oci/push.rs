//! Pushing charts: the same manifest as Helm writes.
//!
//! Source: Helm 4.3 `pkg/registry/client.go` (Push), `pkg/pusher/ocipusher.go`.

use super::manifest::{self, Descriptor};
use super::{Repository, tag_of};
use crate::chart::load;
use crate::source::{Context, Digest, Reason, SourceError};

/// What was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// `host/path/name:tag`, as Helm prints it.
    pub reference: String,
    /// Of the manifest.
    pub digest: Digest,
}

/// Pushes a packaged chart to a registry's folder (`oci://host/path`), under its own name and version, with its provenance if there is one.
/// `created` is the RFC 3339 time that the archive was written.
///
/// # Errors
/// The archive is no chart, the registry refuses, or the network.
pub async fn push(
    archive: &[u8],
    provenance: Option<&[u8]>,
    remote: &str,
    created: &str,
    context: &Context,
) -> Result<Pushed, SourceError> {
    let Some(rest) = remote.strip_prefix("oci://") else {
        let scheme = remote.split_once("://").map_or("", |(s, _)| s);
        return Err(SourceError::refused(format!("scheme {scheme:?} not supported")));
    };
    let chart = load::archive_bytes(archive, &mut Vec::new()).map_err(|e| SourceError::refused(e.to_string()))?;
    let m = &chart.metadata;
    let (host, folder) = rest.split_once('/').unwrap_or((rest, ""));
    let parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).chain([m.name.as_str()]).collect();
    let name = parts.join("/");
    if parts.iter().any(|p| !valid(p)) {
        let message = format!("invalid reference: invalid repository {name:?}");
        return Err(SourceError::new(Reason::Reference, "", message)
            .hint("a registry takes lower-case letters, digits, and . _ - between them"));
    }
    let tag = tag_of(&m.version);
    if tag.len() > 128 {
        return Err(SourceError::new(Reason::Reference, "", format!("invalid reference: invalid tag {tag:?}")));
    }
    let repository = Repository::at(host, &name, context)?;
    let blob = async |media_type: &str, bytes: &[u8]| {
        let digest = repository.push_blob(bytes).await?;
        let (annotations, artifact_type) = (Default::default(), String::new());
        let size = bytes.len() as u64;
        Ok::<_, SourceError>(Descriptor { media_type: media_type.into(), digest, size, annotations, artifact_type })
    };
    let mut layers = vec![blob(manifest::HELM_CHART, archive).await?];
    let config = blob(manifest::HELM_CONFIG, &manifest::config(m)).await?;
    if let Some(provenance) = provenance {
        layers.push(blob(manifest::HELM_PROVENANCE, provenance).await?);
    }
    let bytes = manifest::helm(config, layers, manifest::annotations(m, created));
    let digest = repository.push_manifest(&tag, manifest::IMAGE_MANIFEST, &bytes).await?;
    Ok(Pushed { reference: format!("{host}/{name}:{tag}"), digest })
}

/// A part of a repository's name, by the distribution specification.
fn valid(part: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    part.starts_with(alphanumeric)
        && part.ends_with(alphanumeric)
        && part.chars().all(|c| alphanumeric(c) || "._-".contains(c))
}
