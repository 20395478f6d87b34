//! The version of a chart whose source tells a digest: the digest's first 12 digits become the version's build metadata, so that a tag that was
//! moved is a new version.
//!
//! Source: helm-controller 1.6 `internal/controller/helmrelease_controller.go`, `mutateChartWithSourceRevision`.

use crate::golang::semver::Version;

/// What becomes of a chart of an OCIRepository, or of an ExternalArtifact whose revision has a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digested {
    /// `1.2.3+9933f58f8bf4`.
    pub version: String,
    /// `sha256:9933…`, for the status and the snapshot.
    pub digest: String,
}

/// `revision` is the artifact's: `1.2.3@sha256:…`, `latest@sha256:…` or `sha256:…`.
///
/// # Errors
/// Flux's text: the tag is another version than the chart's, or the revision has no digest.
pub fn with_digest(version: &str, revision: &str) -> Result<Digested, String> {
    let chart = Version::new(version).map_err(|_| format!("invalid chart version {version}"))?;
    // Tags can't have a plus sign: Helm writes an underscore for it.
    let tag = match revision.split_once('@') {
        Some((tag, _)) => tag.replace('_', "+"),
        None => revision.to_owned(),
    };
    let digest = match Version::new(&tag) {
        Ok(tag_version) => match revision.split('@').collect::<Vec<_>>().as_slice() {
            [_, digest] if tag_version.compare(&chart).is_eq() => (*digest).to_owned(),
            parts => {
                let tag = parts.first().copied().unwrap_or_default();
                return Err(format!("artifact revision {tag} does not match chart version {version}"));
            }
        },
        Err(_) => revision.to_owned(),
    };
    let short = match digest.split(':').collect::<Vec<_>>().as_slice() {
        [_, hex] => hex.get(..12),
        _ => None,
    };
    let short = short.ok_or_else(|| format!("invalid artifact revision {digest}"))?;
    let version = chart.set_metadata(short)?.to_string();
    Ok(Digested { version, digest })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:9933f58f8bf459eb199d59ebc8a05683f3944e1242d9f5467d99aa2cf08a5370";

    #[test]
    fn versions_take_their_digest_along() {
        let table: &[(&str, &str, Result<&str, &str>)] = &[
            ("1.2.3", "1.2.3@D", Ok("1.2.3+9933f58f8bf4")),
            // What was there as metadata is replaced.
            ("1.2.3+build", "1.2.3@D", Ok("1.2.3+9933f58f8bf4")),
            ("1.2.3", "D", Ok("1.2.3+9933f58f8bf4")),
            ("1.2.3", "latest@D", Ok("1.2.3+9933f58f8bf4")),
            // A tag of no version is not compared.
            ("0.1.0", "main@D", Ok("0.1.0+9933f58f8bf4")),
            ("1.2.3", "1.2.4@D", Err("artifact revision 1.2.4 does not match chart version 1.2.3")),
            ("1.2.3", "1.2.3", Err("artifact revision 1.2.3 does not match chart version 1.2.3")),
            // A leading v counts on neither side, nor does metadata.
            ("1.2.3", "v1.2.3@D", Ok("1.2.3+9933f58f8bf4")),
            ("v1.2.3", "1.2.3@D", Ok("1.2.3+9933f58f8bf4")),
            ("1.2.3+x", "1.2.3_y@D", Ok("1.2.3+9933f58f8bf4")),
            ("1.2.3-rc.1", "1.2.3-rc.1@D", Ok("1.2.3-rc.1+9933f58f8bf4")),
            ("not a version", "D", Err("invalid chart version not a version")),
            ("1.2.3", "sha256:123", Err("invalid artifact revision sha256:123")),
            ("1.2.3", "nonsense", Err("invalid artifact revision nonsense")),
        ];
        for (version, revision, want) in table {
            let revision = revision.replace('D', DIGEST);
            let got = with_digest(version, &revision);
            let text = got.as_ref().map(|d| d.version.as_str()).map_err(|e| e.replace(DIGEST, "D"));
            assert_eq!(text, want.map_err(str::to_owned), "{version} {revision}");
        }
        assert_eq!(with_digest("1.2.3", &format!("1.2.3@{DIGEST}")).unwrap().digest, DIGEST);
        assert_eq!(with_digest("1.2.3", DIGEST).unwrap().digest, DIGEST);
        // Flux keeps the whole revision of a tag that is no version.
        assert_eq!(with_digest("1.2.3", &format!("latest@{DIGEST}")).unwrap().digest, format!("latest@{DIGEST}"));
    }
}
