//! The check's own configuration in a repository, `.pintle-check.yaml`: which findings are ignored, where, and why.
//!
//! ```yaml
//! kubeVersion: "1.34"
//! ignore:
//! - rule: source/unpinned          # an id, or a theme: source/*
//!   path: k8s/gitops/dev/**        # optional; a glob
//!   reason: dev follows the main branch
//! ```

use super::rules;
use super::suggest::nearest;
use crate::golang::glob::Glob;
use crate::repo::document::{self, Node};
use crate::repo::files::Checkout;
use crate::report::Finding;

pub const FILE: &str = ".pintle-check.yaml";

/// What the file says.
#[derive(Default)]
pub struct Config {
    pub kube_version: Option<String>,
    entries: Vec<Entry>,
}

struct Entry {
    rule: String,
    path: Option<Glob>,
    line: usize,
    used: bool,
}

impl Config {
    /// Reads the file, if there is one. What is wrong in it is found too; an entry that is wrong ignores nothing.
    pub fn read(checkout: &Checkout, out: &mut Vec<Finding>) -> Self {
        let mut config = Self::default();
        if !checkout.is_file(FILE) {
            return config;
        }
        let mut say = |line: usize, message: String, fix: &str| {
            out.push(Finding::new(&rules::CHECK_CONFIG, FILE, line, message).with_fix(fix));
        };
        let documents = checkout.read(FILE).and_then(|text| document::parse(&text).map_err(|e| e.message));
        let documents = match documents {
            Ok(documents) => documents,
            Err(e) => {
                say(1, e, "correct the file");
                return config;
            }
        };
        let Some(root) = documents.first().map(|d| &d.root) else { return config };
        for (key, value) in root.entries() {
            match key.as_str().unwrap_or_default() {
                "kubeVersion" => config.kube_version = value.as_str().map(String::from),
                "ignore" => config.entries.extend(value.items().iter().filter_map(|n| entry(n, &mut say))),
                other => say(key.line(), format!("unknown field {other}"), "the fields are kubeVersion and ignore"),
            }
        }
        config
    }

    /// True if an entry names this finding.
    pub fn ignores(&mut self, finding: &Finding) -> bool {
        let mut found = false;
        for e in &mut self.entries {
            let fits =
                rules::matches(&e.rule, finding.rule) && e.path.as_ref().is_none_or(|g| g.matches(&finding.path));
            e.used |= fits;
            found |= fits;
        }
        found
    }

    /// Entries that named no finding.
    pub fn stale(&self) -> impl Iterator<Item = Finding> + '_ {
        self.entries.iter().filter(|e| !e.used).map(|e| {
            let message = format!("nothing is ignored by this entry for {}", e.rule);
            Finding::new(&rules::CHECK_STALE_IGNORE, FILE, e.line, message).with_fix("remove it")
        })
    }
}

fn entry(n: &Node, say: &mut impl FnMut(usize, String, &str)) -> Option<Entry> {
    let text = |key: &str| n.get(key).and_then(Node::as_str).unwrap_or_default();
    let rule = text("rule");
    if !rules::ALL.iter().any(|r| rules::matches(rule, r)) {
        let near = nearest(rule, rules::ALL.iter().map(|r| r.id)).map(|n| format!("write {n}"));
        say(
            n.line(),
            format!("no rule {rule:?}"),
            near.as_deref().unwrap_or("pintle check --list-rules shows them all"),
        );
        return None;
    }
    if text("reason").trim().is_empty() {
        say(n.line(), format!("{rule} is ignored without a reason"), "add reason: it tells the next reader why");
        return None;
    }
    let path = match n.get("path") {
        None => None,
        Some(p) => match Glob::new(p.as_str().unwrap_or_default(), &['/']) {
            Ok(glob) => Some(glob),
            Err(e) => {
                say(p.line(), format!("path is no glob: {e}"), "write a path with *, ** and ?");
                return None;
            }
        },
    };
    Some(Entry { rule: rule.into(), path, line: n.line(), used: false })
}
