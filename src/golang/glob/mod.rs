//! Glob patterns as github.com/gobwas/glob v0.2.3 matches them: `*`, `**`, `?`, `[a-z]`, `[!ab]`, `{a,b}` and separators.
//!
//! Helm's `.Files.Glob` stands on that library, and the library on optimisations with corners of their own: `a**a` matches `a`,
//! lengths count now bytes, now characters. Charts see what it answers, so this is its compiler and its matchers, one for one.

mod compile;
mod matcher;
mod syntax;

use matcher::Matcher;

/// The longest pattern, in bytes. The library's compiler takes the cube of its parts, and has no limit.
const MAX_PATTERN: usize = 1024;
/// The most steps of one match; a pattern of many stars would take exponential time. Reaching it is no match.
const MAX_STEPS: u64 = 20_000_000;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Glob(Matcher);

impl Glob {
    /// Compiles a pattern; `*` and `?` do not match the separators, `**` does.
    ///
    /// # Errors
    /// The text of the library's error.
    pub fn new(pattern: &str, separators: &[char]) -> Result<Self, String> {
        if pattern.len() > MAX_PATTERN {
            return Err(format!("a pattern of more than {MAX_PATTERN} bytes is not supported"));
        }
        compile::compile(&syntax::parse(pattern)?, separators).map(Self)
    }

    /// Does the whole text match?
    pub fn matches(&self, text: &str) -> bool {
        self.0.matches(text.as_bytes(), &mut { MAX_STEPS })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches() {
        for (pattern, text, want) in [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "d/a.yaml", false),
            ("**.yaml", "d/a.yaml", true),
            ("d/*", "d/a", true),
            ("d/*", "d/e/a", false),
            ("d/**", "d/e/a", true),
            ("**/a", "a", false),
            ("?at", "cat", true),
            ("?at", "/at", false),
            ("[abc]x", "bx", true),
            ("[!abc]x", "bx", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "dx", true),
            ("{a,b}.{x,y}", "b.y", true),
            ("{a,b*}c", "bzzc", true),
            (r"\*a", "*a", true),
            (r"\*a", "xa", false),
            ("a**a", "a", true),
            ("", "", true),
            // The library looks at the first byte of a wide character only.
            ("日?", "日本", false),
            ("{a,b", "b", true),
        ] {
            assert_eq!(Glob::new(pattern, &['/']).unwrap().matches(text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn errors() {
        for (pattern, want) in [
            ("[a", "unexpected end of input"),
            ("[]", "could not parse range"),
            ("[b-a]", "hi character 'a' should be greater than lo 'b'"),
            ("[a-bc]", "expected close range character"),
            ("\u{FFFD}", "could not read rune"),
        ] {
            assert_eq!(Glob::new(pattern, &['/']).unwrap_err(), want, "{pattern}");
        }
        assert!(Glob::new(&"{".repeat(64), &[]).is_ok());
        assert!(Glob::new(&"{".repeat(1024), &[]).is_err());
    }

    #[test]
    fn many_stars_end() {
        let glob = Glob::new(&format!("{}b", "*a".repeat(40)), &['/']).unwrap();
        assert!(!glob.matches(&"a".repeat(200)));
    }
}
