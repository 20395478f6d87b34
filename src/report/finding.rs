//! What a check found.

use sha2::{Digest, Sha256};

/// How bad it is: an error fails a build, a warning is shown, a note informs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Error,
    Warning,
    Note,
}

impl Level {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What is checked. The id is stable: people silence and link it.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// `values/missing-file`.
    pub id: &'static str,
    pub level: Level,
    /// What must hold, in one sentence.
    pub summary: &'static str,
}

/// One broken rule, at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub rule: &'static Rule,
    pub message: String,
    /// Relative to the repository's root, with `/`.
    pub path: String,
    /// 1-based; 0: the file as a whole.
    pub line: usize,
    /// What to do; may be empty.
    pub fix: String,
    /// The environments in which it was found; empty where none plays a part.
    pub environments: Vec<String>,
}

impl Finding {
    pub fn new(rule: &'static Rule, path: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { rule, message: message.into(), path: path.into(), line, fix: String::new(), environments: Vec::new() }
    }

    #[must_use]
    pub fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    #[must_use]
    pub fn in_environment(mut self, environment: &str) -> Self {
        if !environment.is_empty() {
            self.environments.push(environment.into());
        }
        self
    }

    /// The message and the fix as one text.
    pub fn with_what_to_do(&self) -> String {
        match self.fix.as_str() {
            "" => self.message.clone(),
            // Behind several lines, the last one a difference, a new one.
            fix if self.message.contains('\n') => format!("{}\n{fix}", self.message),
            fix => format!("{}. {fix}", self.message),
        }
    }

    /// `path:line`, or the path alone.
    pub fn place(&self) -> String {
        if self.line == 0 { self.path.clone() } else { format!("{}:{}", self.path, self.line) }
    }

    /// Stays the same while lines move: rule, path and message, hashed.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for part in [self.rule.id, &self.path, &self.message] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        data_encoding::HEXLOWER.encode(&hash.finalize()[..16])
    }
}

/// In the order of a reader: by file, line and rule. What was found in several environments becomes one finding that names them all.
pub fn sort(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| {
        (&a.path, a.line, a.rule.id, &a.message, &a.environments).cmp(&(
            &b.path,
            b.line,
            b.rule.id,
            &b.message,
            &b.environments,
        ))
    });
    findings.dedup_by(|b, a| {
        let same = a.rule.id == b.rule.id && a.path == b.path && a.line == b.line && a.message == b.message;
        if same {
            for e in b.environments.drain(..) {
                if !a.environments.contains(&e) {
                    a.environments.push(e);
                }
            }
        }
        same
    });
}
