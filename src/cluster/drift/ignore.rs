//! Rules that take objects, or parts of them, out of the comparison.
//!
//! Source: Flux `HelmRelease.spec.driftDetection.ignore`: JSON pointers, for the objects that a selector fits; its group, version, kind, name and
//! namespace are regular expressions of the whole text, labels and annotations are selected as `kubectl -l` does.

use regex::Regex;

use crate::cluster::Json;
use crate::cluster::targets::Target;

/// Paths to leave out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IgnoreRule {
    /// RFC 6901; the empty one is the whole object.
    pub paths: Vec<String>,
    /// All objects without it.
    pub target: Option<Selector>,
}

/// Which objects; what is empty fits all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selector {
    pub group: String,
    pub version: String,
    pub kind: String,
    pub name: String,
    pub namespace: String,
    pub label_selector: String,
    pub annotation_selector: String,
}

/// A rule that can't be read.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("ignore rule {number}: {message}")]
pub struct IgnoreError {
    /// From 1.
    pub number: usize,
    pub message: String,
}

pub(super) struct Compiled {
    paths: Vec<String>,
    expressions: Vec<(Part, Regex)>,
    labels: Vec<Requirement>,
    annotations: Vec<Requirement>,
}

#[derive(Clone, Copy)]
enum Part {
    Group,
    Version,
    Kind,
    Name,
    Namespace,
}

pub(super) fn compile(rules: &[IgnoreRule]) -> Result<Vec<Compiled>, IgnoreError> {
    let one = |rule: &IgnoreRule| -> Result<Compiled, String> {
        if let Some(path) = rule.paths.iter().find(|p| !p.is_empty() && !p.starts_with('/')) {
            return Err(format!("path {path:?} is no JSON pointer: it does not begin with /"));
        }
        let target = rule.target.clone().unwrap_or_default();
        let mut expressions = Vec::new();
        for (part, text) in [
            (Part::Group, &target.group),
            (Part::Version, &target.version),
            (Part::Kind, &target.kind),
            (Part::Name, &target.name),
            (Part::Namespace, &target.namespace),
        ] {
            if !text.is_empty() {
                let regex = Regex::new(&format!("^(?:{text})$")).map_err(|e| e.to_string())?;
                expressions.push((part, regex));
            }
        }
        Ok(Compiled {
            paths: rule.paths.clone(),
            expressions,
            labels: requirements(&target.label_selector)?,
            annotations: requirements(&target.annotation_selector)?,
        })
    };
    let numbered = rules.iter().enumerate();
    numbered.map(|(i, rule)| one(rule).map_err(|message| IgnoreError { number: i + 1, message })).collect()
}

/// The paths that the rules take from an object.
pub(super) fn paths<'a>(rules: &'a [Compiled], target: &Target) -> Vec<&'a str> {
    let fits = |rule: &&Compiled| {
        let id = &target.id;
        let part = |p: Part| match p {
            Part::Group => id.gvk.group.as_str(),
            Part::Version => &id.gvk.version,
            Part::Kind => &id.gvk.kind,
            Part::Name => &id.name,
            Part::Namespace => id.namespace.as_deref().unwrap_or_default(),
        };
        let map = |field: &str| target.object.get("metadata").and_then(|m| m.get(field)).cloned().unwrap_or_default();
        rule.expressions.iter().all(|(p, regex)| regex.is_match(part(*p)))
            && rule.labels.iter().all(|r| r.fits(&map("labels")))
            && rule.annotations.iter().all(|r| r.fits(&map("annotations")))
    };
    rules.iter().filter(fits).flat_map(|r| r.paths.iter().map(String::as_str)).collect()
}

/// Takes a field out; what is not there is no matter.
pub(super) fn remove(object: &mut Json, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else { return };
    let key = last.replace("~1", "/").replace("~0", "~");
    match object.pointer_mut(parent) {
        Some(Json::Object(fields)) => {
            fields.remove(&key);
        }
        Some(Json::Array(items)) => {
            if let Some(i) = key.parse::<usize>().ok().filter(|i| *i < items.len()) {
                items.remove(i);
            }
        }
        _ => {}
    }
}

/// One part of a label selector.
#[derive(Clone, Debug, PartialEq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl Requirement {
    fn fits(&self, labels: &Json) -> bool {
        let value = |key: &String| labels.get(key).and_then(Json::as_str);
        match self {
            Self::In(key, values) => value(key).is_some_and(|v| values.iter().any(|w| w == v)),
            Self::NotIn(key, values) => value(key).is_none_or(|v| values.iter().all(|w| w != v)),
            Self::Exists(key) => value(key).is_some(),
            Self::Absent(key) => value(key).is_none(),
        }
    }
}

/// `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
fn requirements(text: &str) -> Result<Vec<Requirement>, String> {
    let mut out = Vec::new();
    let mut depth = 0;
    let parts = text.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    for part in parts.map(str::trim).filter(|p| !p.is_empty()) {
        let set = |rest: &str| -> Result<Vec<String>, String> {
            let inner = rest.trim().strip_prefix('(').and_then(|r| r.strip_suffix(')'));
            let inner = inner.ok_or_else(|| format!("selector {part:?}: values stand in parentheses"))?;
            Ok(inner.split(',').map(|v| v.trim().to_owned()).collect())
        };
        let one = |v: &str| vec![v.trim().to_owned()];
        let key = |k: &str| k.trim().to_owned();
        out.push(if let Some((k, v)) = part.split_once("!=") {
            Requirement::NotIn(key(k), one(v))
        } else if let Some((k, v)) = part.split_once("==").or_else(|| part.split_once('=')) {
            Requirement::In(key(k), one(v))
        } else if let Some((k, v)) = part.split_once(" notin ") {
            Requirement::NotIn(key(k), set(v)?)
        } else if let Some((k, v)) = part.split_once(" in ") {
            Requirement::In(key(k), set(v)?)
        } else if let Some(k) = part.strip_prefix('!') {
            Requirement::Absent(key(k))
        } else {
            Requirement::Exists(key(part))
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Gvk, ObjectId};
    use serde_json::json;

    fn target() -> Target {
        let object = json!({"metadata": {"labels": {"app": "web", "tier": "a"}}});
        Target { id: ObjectId::new(Gvk::new("apps", "v1", "Deployment"), Some("ns"), "web-1"), object }
    }

    #[test]
    fn rules_fit_by_expression_and_selector() {
        for (selector, want) in [
            (Selector::default(), true),
            (Selector { kind: "Deployment|StatefulSet".into(), ..Selector::default() }, true),
            (Selector { kind: "Deploy".into(), ..Selector::default() }, false),
            (Selector { name: "web-.*".into(), namespace: "ns".into(), ..Selector::default() }, true),
            (Selector { label_selector: "app=web,tier in (a, b),!x,app".into(), ..Selector::default() }, true),
            (Selector { label_selector: "app!=web".into(), ..Selector::default() }, false),
            (Selector { label_selector: "tier notin (a)".into(), ..Selector::default() }, false),
            (Selector { annotation_selector: "a".into(), ..Selector::default() }, false),
        ] {
            let rule = IgnoreRule { paths: vec!["/spec/replicas".into()], target: Some(selector.clone()) };
            let rules = compile(&[rule]).unwrap();
            assert_eq!(!paths(&rules, &target()).is_empty(), want, "{selector:?}");
        }
    }

    #[test]
    fn wrong_rules_are_named() {
        for (rule, words) in [
            (IgnoreRule { paths: vec!["spec".into()], target: None }, "no JSON pointer"),
            (
                IgnoreRule { paths: vec![], target: Some(Selector { kind: "(".into(), ..Selector::default() }) },
                "regex parse error",
            ),
            (
                IgnoreRule {
                    paths: vec![],
                    target: Some(Selector { label_selector: "a in b".into(), ..Selector::default() }),
                },
                "parentheses",
            ),
        ] {
            let error = compile(&[IgnoreRule::default(), rule]).err().unwrap();
            assert!(error.number == 2 && error.message.contains(words), "{error}");
        }
    }

    #[test]
    fn paths_are_taken_out() {
        let mut object = json!({"spec": {"a/b": 1, "list": [1, 2, 3]}});
        for path in ["/spec/a~1b", "/spec/list/1", "/spec/list/9", "/nothing/here", "/spec/list/x"] {
            remove(&mut object, path);
        }
        assert_eq!(object, json!({"spec": {"list": [1, 3]}}));
    }
}
