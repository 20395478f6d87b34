//! `.helmignore`: which files of a directory are not part of the chart.
//!
//! The rules look like git's but are Helm's own: the first that matches decides, `!` ignores everything that does *not* match, and
//! `**` is refused. Source: Helm 4.3 `pkg/ignore/rules.go`.

use crate::diagnostic::LogLine;
use crate::golang::path;

/// The longest line that is read, in bytes (Go's `bufio.MaxScanTokenSize`).
const MAX_LINE: usize = 64 * 1024;

/// The rules of one chart.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: Vec<u8>,
    negate: bool,
    only_dirs: bool,
    /// Without a slash only the file's base name is compared.
    base_only: bool,
}

impl Rules {
    /// Reads a `.helmignore`.
    ///
    /// # Errors
    /// Helm's text: `double-star (**) syntax is not supported`, `syntax error in pattern`.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let mut rules = Self::default();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        for line in text.split(|b| *b == b'\n') {
            if line.len() >= MAX_LINE {
                return Err("bufio.Scanner: token too long".into());
            }
            rules.add(&String::from_utf8_lossy(line))?;
        }
        Ok(rules)
    }

    /// Dotfiles in `templates/` are never part of a chart.
    pub fn add_defaults(&mut self) {
        // The pattern is well-formed: adding it cannot fail.
        let _ = self.add("templates/.?*");
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if line.contains("**") {
            return Err("double-star (**) syntax is not supported".into());
        }
        path::path_match(line.as_bytes(), b"abc").map_err(|_| "syntax error in pattern".to_string())?;
        let (negate, rule) = line.strip_prefix('!').map_or((false, line), |r| (true, r));
        let (only_dirs, rule) = rule.strip_suffix('/').map_or((false, rule), |r| (true, r));
        let rooted = rule.strip_prefix('/');
        let base_only = rooted.is_none() && !rule.contains('/');
        self.rules.push(Rule { pattern: rooted.unwrap_or(rule).into(), negate, only_dirs, base_only });
        Ok(())
    }

    /// True if the file or directory at this path, relative to the chart, is not part of it.
    pub fn ignores(&self, name: &str, is_dir: bool, log: &mut Vec<LogLine>) -> bool {
        if matches!(name, "" | "." | "./") {
            return false;
        }
        for rule in &self.rules {
            let wrong_kind = rule.only_dirs && !is_dir;
            if rule.negate {
                if wrong_kind || !rule.matches(name, log) {
                    return true;
                }
            } else if !wrong_kind && rule.matches(name, log) {
                return true;
            }
        }
        false
    }
}

impl Rule {
    fn matches(&self, name: &str, log: &mut Vec<LogLine>) -> bool {
        let name = if self.base_only { path::base(name.as_bytes()) } else { name.as_bytes() };
        path::path_match(&self.pattern, name).unwrap_or_else(|_| {
            let rule = String::from_utf8_lossy(&self.pattern).into_owned();
            log.push(LogLine::error("failed to compile").with("rule", rule).with("error", "syntax error in pattern"));
            false
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_decide_as_helm_does() {
        for (pattern, name, is_dir, want) in [
            ("helm.txt", "helm.txt", false, true),
            ("helm.*", "rudder.txt", false, false),
            ("*.txt", "cargo/a.txt", false, true),
            ("cargo/*.txt", "cargo/a.txt", false, true),
            ("cargo/*.txt", "mast/a.txt", false, false),
            ("ru[c-e]?er.txt", "rudder.txt", false, true),
            ("templates/.?*", "templates/.dotfile", false, true),
            (".*", ".", true, false),
            (".*", "./", true, false),
            (".*", ".joonix", false, true),
            (".*", "", true, false),
            ("cargo/", "cargo", true, true),
            ("cargo/", "cargo/", true, true),
            ("cargo/", "mast/", true, false),
            ("helm.txt/", "helm.txt", false, false),
            ("!helm.txt", "helm.txt", false, false),
            ("!helm.txt", "tiller.txt", false, true),
            ("!*.txt", "cargo", true, true),
            ("!cargo/", "mast/", true, true),
            ("/a.txt", "a.txt", false, true),
            ("/a.txt", "cargo/a.txt", false, false),
            ("/cargo/a.txt", "cargo/a.txt", false, true),
            ("# a.txt\n\n  a.txt  \r\n", "a.txt", false, true),
        ] {
            let rules = Rules::parse(pattern.as_bytes()).unwrap();
            assert_eq!(rules.ignores(name, is_dir, &mut Vec::new()), want, "{pattern} {name}");
        }
        for bad in ["foo/**/bar", "[z-"] {
            assert!(Rules::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
