//! Which commit a name means, from the list of a remote's references.

use crate::golang::semver::Version;
use crate::golang::semver_constraint::Constraint;
use crate::source::{GitRevision, Reason, SourceError};

/// One reference of a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteRef {
    /// `refs/heads/main`, `HEAD`.
    pub name: String,
    /// What it leads to in the end; for an annotated tag what is tagged. Hexadecimal.
    pub commit: String,
    /// The tag's own object, of annotated tags.
    pub tag: Option<String>,
    /// Of symbolic references: where they point to.
    pub target: Option<String>,
}

/// What a revision means now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked {
    /// `main`, `v1.2.3`, `refs/pull/1/head`; empty for a bare commit.
    pub label: String,
    pub commit: String,
    /// The annotated tag's object.
    pub tag: Option<String>,
}

impl Picked {
    /// `main@sha1:…`, as Flux writes it.
    pub fn revision(&self) -> String {
        let algorithm = if self.commit.len() == 64 { "sha256" } else { "sha1" };
        let at = if self.label.is_empty() { "" } else { "@" };
        format!("{}{at}{algorithm}:{}", self.label, self.commit)
    }

    /// The object to fetch.
    pub fn want(&self) -> &str {
        self.tag.as_deref().unwrap_or(&self.commit)
    }
}

/// The references that must be listed to choose; `None`: no list is needed.
pub fn wanted(revision: &GitRevision) -> Option<Vec<String>> {
    Some(match revision {
        GitRevision::Commit(_) => return None,
        GitRevision::Head => vec!["HEAD".into()],
        GitRevision::Branch(name) => vec![format!("refs/heads/{name}")],
        GitRevision::Tag(name) => vec![format!("refs/tags/{name}")],
        GitRevision::Any(name) => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
        GitRevision::Full(name) => vec![name.clone()],
        GitRevision::Semver(_) => vec!["refs/tags/*".into()],
    })
}

/// Chooses.
///
/// # Errors
/// [`Reason::NotFound`], with the nearest names.
pub fn choose(refs: &[RemoteRef], revision: &GitRevision, place: &str) -> Result<Picked, SourceError> {
    let find = |name: &str| refs.iter().find(|r| r.name == name);
    let short = |r: &RemoteRef| {
        let name = r.target.as_deref().unwrap_or(&r.name);
        let cut = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/"));
        cut.unwrap_or(name).to_string()
    };
    let none = |what: String| SourceError::new(Reason::NotFound, place, what);
    let found = match revision {
        GitRevision::Commit(id) => return Ok(Picked { label: String::new(), commit: id.clone(), tag: None }),
        GitRevision::Head => find("HEAD")
            .ok_or_else(|| none("the repository has no commit".into()).hint("push one, or name a branch"))?,
        GitRevision::Branch(name) => {
            find(&format!("refs/heads/{name}")).ok_or_else(|| none(format!("no branch {name:?}")))?
        }
        GitRevision::Tag(name) => find(&format!("refs/tags/{name}")).ok_or_else(|| none(format!("no tag {name:?}")))?,
        GitRevision::Any(name) => find(&format!("refs/heads/{name}"))
            .or_else(|| find(&format!("refs/tags/{name}")))
            .ok_or_else(|| none(format!("no branch or tag {name:?}")))?,
        GitRevision::Full(name) => {
            let found = find(name).ok_or_else(|| none(format!("no reference {name:?}")))?;
            let label = name.clone();
            return Ok(Picked { label, commit: found.commit.clone(), tag: found.tag.clone() });
        }
        GitRevision::Semver(range) => highest(refs, range, place)?,
    };
    Ok(Picked { label: short(found), commit: found.commit.clone(), tag: found.tag.clone() })
}

/// The highest tag in a range. Tags are versions of three parts with a `v` before them or not, as Flux takes them; of equal versions the
/// first by name is taken.
fn highest<'r>(refs: &'r [RemoteRef], range: &str, place: &str) -> Result<&'r RemoteRef, SourceError> {
    let constraint = Constraint::new(range)
        .map_err(|e| SourceError::new(Reason::Reference, place, format!("{range:?} is no range of versions: {e}")))?;
    let version = |r: &'r RemoteRef| {
        let name = r.name.strip_prefix("refs/tags/")?;
        Some((Version::strict(name.strip_prefix('v').unwrap_or(name)).ok()?, r))
    };
    let mut all: Vec<_> = refs.iter().filter_map(version).filter(|(v, _)| constraint.check(v)).collect();
    all.sort_by(|a, b| b.0.compare(&a.0).then_with(|| a.1.name.cmp(&b.1.name)));
    all.first().map(|(_, r)| *r).ok_or_else(|| {
        SourceError::new(Reason::NotFound, place, format!("no tag in the range {range:?}"))
            .hint("prereleases count only in a range that names one, such as >=1.0.0-0")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_mean_commits() {
        let r = |name: &str, commit: &str, tag: Option<&str>, target: Option<&str>| RemoteRef {
            name: name.into(),
            commit: commit.repeat(40),
            tag: tag.map(|t| t.repeat(40)),
            target: target.map(String::from),
        };
        let refs = [
            r("HEAD", "1", None, Some("refs/heads/main")),
            r("refs/heads/main", "1", None, None),
            r("refs/heads/v1.0.0", "2", None, None),
            r("refs/tags/v1.0.0", "3", Some("a"), None),
            r("refs/tags/1.1.0", "4", None, None),
            r("refs/tags/v1.2", "5", None, None),
            r("refs/tags/v2.0.0-rc.1", "6", None, None),
            r("refs/pull/1/head", "7", None, None),
        ];
        for (revision, want) in [
            (GitRevision::Head, "main@sha1:1"),
            (GitRevision::Branch("main".into()), "main@sha1:1"),
            (GitRevision::Any("v1.0.0".into()), "v1.0.0@sha1:2"),
            (GitRevision::Tag("v1.0.0".into()), "v1.0.0@sha1:3"),
            (GitRevision::Full("refs/pull/1/head".into()), "refs/pull/1/head@sha1:7"),
            (GitRevision::Semver("*".into()), "1.1.0@sha1:4"),
            (GitRevision::Semver("~1.0".into()), "v1.0.0@sha1:3"),
            (GitRevision::Semver(">=1.0.0-0".into()), "v2.0.0-rc.1@sha1:6"),
            (GitRevision::Commit("9".repeat(40)), "sha1:9"),
        ] {
            let picked = choose(&refs, &revision, "x").unwrap();
            let text = picked.revision();
            assert_eq!(&text[..text.len() - 39], want);
        }
        for revision in
            [GitRevision::Semver("^7".into()), GitRevision::Branch("x".into()), GitRevision::Tag("main".into())]
        {
            assert_eq!(choose(&refs, &revision, "x").unwrap_err().reason, Reason::NotFound);
        }
    }
}
