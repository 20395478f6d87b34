//! Only forward: a newer version is never replaced by an older one.

use std::cmp::Ordering;

use crate::golang::semver::Version;

/// How two versions stand: by semantic versioning, a leading `v` aside. `None` if one of them is none.
pub fn compare(old: &str, new: &str) -> Option<Ordering> {
    if old == new {
        return Some(Ordering::Equal);
    }
    Some(Version::new(old).ok()?.compare(&Version::new(new).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_an_order_and_names_have_none() {
        assert_eq!(compare("v1.9.0", "1.10.0"), Some(Ordering::Less));
        assert_eq!(compare("1.2.0", "1.2.0-rc.1"), Some(Ordering::Greater));
        assert_eq!(compare("main-abc", "main-abc"), Some(Ordering::Equal));
        assert_eq!(compare("main-abc", "1.0.0"), None);
    }
}
