//! Text that is never printed.

use std::fmt;

/// A password, a token, a private key. `Debug` and `Display` show dots, so that no log and no error can hold it.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A URL as it may be shown: without user and password, and with its query cut, where signatures and tokens stand. Text that is no URL has
/// what stands before an `@` in its first part taken out all the same.
pub fn redact(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(s, r)| (s, r));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let host = match authority.rsplit_once('@') {
        Some((_, host)) if !scheme.is_empty() => host,
        _ => authority,
    };
    let path = tail.split(['?', '#']).next().unwrap_or_default();
    let query = match tail.split_once('?').map(|(_, q)| q) {
        Some(q) if harmless(q) => format!("?{q}"),
        Some(_) => "?…".into(),
        None => String::new(),
    };
    let mark = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{mark}{host}{path}{query}")
}

/// Our own references have queries that say which revision, never a secret.
fn harmless(query: &str) -> bool {
    const KNOWN: [&str; 10] =
        ["ref", "branch", "tag", "commit", "semver", "name", "submodules", "region", "endpoint", "version"];
    !query.is_empty()
        && query.split('&').all(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            KNOWN.contains(&name) && !value.contains('@') && !value.contains("%40")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_cut() {
        for (url, want) in [
            ("https://u:p@h:1/a?X-Amz-Signature=1", "https://h:1/a?…"),
            ("https://h/a", "https://h/a"),
            ("git+https://token@h/a.git//sub?ref=main", "git+https://h/a.git//sub?ref=main"),
            ("git+ssh://git@h/a.git?ref=v1&token=x", "git+ssh://h/a.git?…"),
            ("https://h/a?ref=a@b", "https://h/a?…"),
            ("oci://h/a@sha256:00", "oci://h/a@sha256:00"),
            ("./a@b", "./a@b"),
        ] {
            assert_eq!(redact(url), want);
        }
        assert_eq!(format!("{0} {0:?}", Secret::new("canary")), "… …");
    }
}
