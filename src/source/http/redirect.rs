//! Redirects, followed by hand.

use reqwest::Url;

use crate::source::{Reason, SourceError};

use super::Origin;

const MAX: usize = 10;

/// The way that one request has taken.
pub struct Trail {
    seen: Vec<Url>,
    /// HTTP after HTTPS is taken.
    downgrade: bool,
}

impl Trail {
    pub fn new(start: Url, downgrade: bool) -> Self {
        Self { seen: vec![start], downgrade }
    }

    pub fn at(&self) -> &Url {
        // `new` puts one in and nothing takes one out.
        self.seen.last().unwrap_or_else(|| unreachable!("a trail has a start"))
    }

    /// Whether credentials for the start may still be sent: only where every step stayed at its origin.
    pub fn at_home(&self) -> bool {
        let Some(start) = self.seen.first().map(Origin::of) else { return false };
        self.seen.iter().all(|u| Origin::of(u) == start)
    }

    /// Goes where `Location` points.
    pub fn follow(&mut self, location: Option<&str>) -> Result<(), SourceError> {
        let here = self.at().clone();
        let wrong = |message: String| SourceError::new(Reason::Redirect, here.as_str(), message);
        let Some(location) = location else { return Err(wrong("redirected without saying where".into())) };
        let next = here.join(location).ok().filter(|u| matches!(u.scheme(), "http" | "https") && u.has_host());
        let Some(mut next) = next else {
            return Err(wrong("redirected to something that is no http or https URL".into()));
        };
        // User and password in a Location are not ours to send.
        let _ = next.set_username("");
        let _ = next.set_password(None);
        next.set_fragment(None);
        if here.scheme() == "https" && next.scheme() == "http" && !self.downgrade {
            let to = crate::source::secret::redact(next.as_str());
            return Err(wrong(format!("redirected from https to {to}"))
                .hint("ask the server's owner to redirect to https, or use --insecure-skip-tls-verify"));
        }
        if self.seen.contains(&next) {
            let to = crate::source::secret::redact(next.as_str());
            return Err(wrong(format!("redirected in a loop back to {to}")).hint("the server's configuration is wrong"));
        }
        if self.seen.len() > MAX {
            return Err(wrong(format!("redirected more than {MAX} times")));
        }
        self.seen.push(next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_knows_loops_and_strangers() {
        let start: Url = "https://h/a".parse().unwrap();
        let mut t = Trail::new(start.clone(), false);
        t.follow(Some("b?x=1")).unwrap();
        assert!(t.at_home());
        assert!(t.follow(Some("/a")).unwrap_err().to_string().contains("loop"));
        assert!(t.follow(Some("http://h/b")).unwrap_err().to_string().contains("from https"));
        assert!(t.follow(Some("file:///etc/passwd")).is_err());
        assert!(t.follow(None).is_err());
        t.follow(Some("https://u:canary@h:444/b")).unwrap();
        assert_eq!(t.at().as_str(), "https://h:444/b");
        assert!(!t.at_home());
        t.follow(Some("https://h/c")).unwrap();
        assert!(!t.at_home(), "who was away once does not get them again");
    }
}
