//! Which version is meant.

use crate::golang::semver::Version;
use crate::golang::semver_constraint::Constraint;

use super::ChartVersion;

/// A version that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice<'v> {
    pub version: &'v ChartVersion,
    /// One version was asked for, and another one that satisfies it was taken.
    pub fell_back: bool,
}

/// The version that Helm's `IndexFile.Get` returns: an exact text first, then the highest that satisfies the range. Without a range, the highest
/// that is no prerelease.
///
/// # Errors
/// Helm's text.
pub fn choose<'v>(versions: &'v [ChartVersion], name: &str, wanted: Option<&str>) -> Result<Choice<'v>, String> {
    if versions.is_empty() {
        return Err("no chart version found".into());
    }
    let wanted = wanted.unwrap_or_default();
    let range = if wanted.is_empty() { "*" } else { wanted };
    let constraint = Constraint::new(range)?;
    if !wanted.is_empty()
        && let Some(version) = versions.iter().find(|v| v.version == wanted)
    {
        return Ok(Choice { version, fell_back: false });
    }
    let fits = |v: &&ChartVersion| Version::new(&v.version).is_ok_and(|v| constraint.check(&v));
    match versions.iter().find(fits) {
        Some(version) => Ok(Choice { version, fell_back: !wanted.is_empty() && !is_range(wanted) }),
        None => Err(format!("no chart version found for {name}-{wanted}")),
    }
}

fn is_range(version: &str) -> bool {
    if version.contains(['^', '~', '<', '>', '=', '!', '*']) || version.contains("||") || version.contains(" - ") {
        return true;
    }
    let core = version.find(['-', '+']).and_then(|i| version.get(..i)).unwrap_or(version);
    core.contains(['x', 'X'])
}

/// The version that `dependency update` locks: the highest in the range that can be downloaded; an exact text is nothing special.
///
/// # Errors
/// The constraint's text.
pub fn newest_in<'v>(versions: &'v [ChartVersion], range: &str) -> Result<Option<&'v ChartVersion>, String> {
    let constraint = Constraint::new(range)?;
    Ok(versions.iter().find(|v| !v.urls.is_empty() && Version::new(&v.version).is_ok_and(|v| constraint.check(&v))))
}

/// The entry for a locked version: equal by precedence, so that metadata does not count.
pub fn locked<'v>(versions: &'v [ChartVersion], version: &str) -> Option<&'v ChartVersion> {
    let wanted = Version::new(version);
    versions.iter().filter(|v| !v.urls.is_empty()).find(|v| match (&wanted, Version::new(&v.version)) {
        _ if version.is_empty() => true,
        (Ok(w), Ok(v)) => w.compare(&v).is_eq(),
        (Ok(_), Err(_)) => false,
        (Err(_), _) => v.version == version,
    })
}
