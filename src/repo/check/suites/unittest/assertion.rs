//! Assertions as suites write them: `equal: {path: spec.replicas, value: 2}` with `template`, `documentIndex`, `documentSelector` and `not` beside it.

use super::data::{Doc, Entry, Wrong, Yaml};
use super::suite::unknown;
use crate::repo::check::suggest::nearest;
use crate::yaml::tree::NodeId;

/// What must hold of the chosen documents.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    Snapshot { path: String, matches: String, not_matches: String },
    SnapshotRaw,
    Equal { path: String, value: Yaml, base64: bool },
    EqualRaw { value: String },
    Exists { path: String },
    Regex { path: String, pattern: String, base64: bool },
    RegexRaw { pattern: String },
    Contains { path: String, content: Yaml, count: Option<i64>, any: bool },
    Kind { of: String },
    ApiVersion { of: String },
    Documents { count: i64, chosen: bool },
    Subset { path: String, content: Yaml },
    Empty { path: String },
    Failed { message: String, pattern: String },
    Document { kind: String, api_version: String, name: String, namespace: String, any: bool },
    Length { path: String, paths: Vec<String>, count: Option<i64> },
    Type { path: String, of: String },
    AtLeast { path: String, value: Yaml },
    AtMost { path: String, value: Yaml },
}

/// Which documents are looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Selector {
    pub path: String,
    pub value: Yaml,
    pub many: bool,
    pub skip_empty: bool,
}

/// One assertion.
#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    pub line: usize,
    /// Its name in the suite.
    pub name: &'static str,
    pub check: Check,
    /// The check must not hold.
    pub negative: bool,
    /// A render that fails is what is wanted.
    pub wants_failure: bool,
    pub template: String,
    /// -1: all documents.
    pub index: i64,
    pub selector: Option<Selector>,
}

/// Every assertion: its name, and whether it is another one's opposite.
const NAMES: [(&str, bool); 36] = [
    ("matchSnapshot", false),
    ("matchSnapshotRaw", false),
    ("equal", false),
    ("notEqual", true),
    ("greaterOrEqual", false),
    ("notGreaterOrEqual", true),
    ("lessOrEqual", false),
    ("notLessOrEqual", true),
    ("equalRaw", false),
    ("notEqualRaw", true),
    ("exists", false),
    ("notExists", true),
    ("isNotNull", false),
    ("isNull", true),
    ("matchRegex", false),
    ("notMatchRegex", true),
    ("matchRegexRaw", false),
    ("notMatchRegexRaw", true),
    ("contains", false),
    ("notContains", true),
    ("isKind", false),
    ("isAPIVersion", false),
    ("hasDocuments", false),
    ("isSubset", false),
    ("isNotSubset", true),
    ("isNullOrEmpty", false),
    ("isNotNullOrEmpty", true),
    ("isEmpty", false),
    ("isNotEmpty", true),
    ("failedTemplate", false),
    ("notFailedTemplate", true),
    ("containsDocument", false),
    ("lengthEqual", false),
    ("notLengthEqual", true),
    ("isType", false),
    ("isNotType", true),
];

/// Reads an assertion. Nothing for one that is empty and was said to be wrong.
///
/// # Errors
/// It can't be understood.
pub fn read(doc: &Doc<'_>, node: NodeId, wrong: &mut Vec<Wrong>) -> Result<Option<Assertion>, Wrong> {
    let mut out = Assertion {
        line: doc.line(node),
        name: "",
        check: Check::SnapshotRaw,
        negative: false,
        wants_failure: false,
        template: String::new(),
        index: -1,
        selector: None,
    };
    let mut not = false;
    let mut found: Option<(&'static str, bool, NodeId)> = None;
    let entries = doc.entries(node)?;
    if entries.is_empty() {
        return Err(doc.wrong(node, "no assertion type defined"));
    }
    for (key, line, value) in entries {
        match key.as_str() {
            "template" => out.template = doc.text(value)?,
            "documentIndex" if doc.is_null(value) => {}
            "documentIndex" => out.index = doc.int(value)?,
            "documentSelector" => out.selector = selector(doc, value, wrong)?,
            "not" => not = doc.bool(value)?,
            name => {
                let Some((name, opposite)) = NAMES.iter().copied().find(|(n, _)| *n == name) else {
                    let known = NAMES.iter().map(|(n, _)| *n);
                    let near = nearest(name, known).map_or_else(String::new, |n| format!(": did you mean {n}?"));
                    return Err(Wrong { line, message: format!("unknown assertion {name}{near}") });
                };
                if let Some((other, ..)) = found {
                    let message = format!("assertion type {other} and {name} are declared in one assertion");
                    return Err(Wrong { line, message });
                }
                out.line = line;
                found = Some((name, opposite, value));
            }
        }
    }
    let Some((name, opposite, value)) = found else { return Err(doc.wrong(node, "no assertion type defined")) };
    out.name = name;
    out.negative = not != opposite;
    out.wants_failure = name == "failedTemplate";
    let mut p = Parameters::read(doc, name, value, out.line)?;
    out.check = p.check()?;
    p.rest(wrong);
    Ok(Some(out))
}

/// Reads a selector; one without a path selects nothing in particular.
pub fn selector(doc: &Doc<'_>, node: NodeId, wrong: &mut Vec<Wrong>) -> Result<Option<Selector>, Wrong> {
    let mut out = Selector { path: String::new(), value: Yaml::Null, many: false, skip_empty: false };
    for (key, line, value) in doc.entries(node)? {
        match key.as_str() {
            "path" => out.path = doc.text(value)?,
            "value" => out.value = doc.yaml(value)?,
            "matchMany" => out.many = doc.bool(value)?,
            "skipEmptyTemplates" => out.skip_empty = doc.bool(value)?,
            _ => wrong.push(unknown(line, "documentSelector", &key)),
        }
    }
    if out.path.is_empty() && !doc.is_null(node) {
        return Err(doc.wrong(node, "documentSelector has no path"));
    }
    Ok((!out.path.is_empty()).then_some(out))
}

/// What stands below an assertion's name. Names are taken in any case, as helm-unittest takes them.
struct Parameters<'d> {
    doc: &'d Doc<'d>,
    name: &'static str,
    line: usize,
    entries: Vec<Entry>,
}

impl<'d> Parameters<'d> {
    fn read(doc: &'d Doc<'d>, name: &'static str, node: NodeId, line: usize) -> Result<Self, Wrong> {
        Ok(Self { doc, name, line, entries: doc.entries(node)? })
    }

    fn take(&mut self, name: &str) -> Option<NodeId> {
        let at = self.entries.iter().position(|e| e.0.eq_ignore_ascii_case(name))?;
        Some(self.entries.remove(at).2)
    }

    /// A text and nothing else: a number here would never fit.
    fn text(&mut self, name: &str) -> Result<String, Wrong> {
        let Some(node) = self.take(name) else { return Ok(String::new()) };
        match self.doc.yaml(node)? {
            Yaml::Null => Ok(String::new()),
            Yaml::Text(text) => Ok(text),
            other => {
                let message = format!("{}: {name} must be a text, not {}: quote it", self.name, other.shown());
                Err(self.doc.wrong(node, message))
            }
        }
    }

    fn value(&mut self, name: &str) -> Result<Yaml, Wrong> {
        self.take(name).map_or(Ok(Yaml::Null), |node| self.doc.yaml(node))
    }

    fn flag(&mut self, name: &str) -> Result<bool, Wrong> {
        self.take(name).map_or(Ok(false), |node| self.doc.bool(node))
    }

    fn count(&mut self) -> Result<Option<i64>, Wrong> {
        match self.take("count") {
            Some(node) if !self.doc.is_null(node) => self.doc.int(node).map(Some),
            _ => Ok(None),
        }
    }

    fn pattern(&mut self, name: &str) -> Result<String, Wrong> {
        let Some(node) = self.take(name) else { return Ok(String::new()) };
        let mut inner = Self::read(self.doc, self.name, node, self.doc.line(node))?;
        let pattern = inner.text("pattern")?.trim().to_owned();
        inner.entries.into_iter().for_each(|(k, l, n)| self.entries.push((format!("{name}.{k}"), l, n)));
        Ok(pattern)
    }

    fn check(&mut self) -> Result<Check, Wrong> {
        Ok(match self.name {
            "matchSnapshot" => Check::Snapshot {
                path: self.text("path")?,
                matches: self.pattern("matchRegex")?,
                not_matches: self.pattern("notMatchRegex")?,
            },
            "equal" | "notEqual" => Check::Equal {
                path: self.text("path")?,
                value: self.value("value")?,
                base64: self.flag("decodeBase64")?,
            },
            "greaterOrEqual" | "notGreaterOrEqual" => {
                Check::AtLeast { path: self.text("path")?, value: self.value("value")? }
            }
            "lessOrEqual" | "notLessOrEqual" => Check::AtMost { path: self.text("path")?, value: self.value("value")? },
            "equalRaw" | "notEqualRaw" => Check::EqualRaw { value: self.text("value")? },
            "exists" | "notExists" | "isNull" | "isNotNull" => Check::Exists { path: self.text("path")? },
            "matchRegex" | "notMatchRegex" => Check::Regex {
                path: self.text("path")?,
                pattern: self.text("pattern")?,
                base64: self.flag("decodeBase64")?,
            },
            "matchRegexRaw" | "notMatchRegexRaw" => Check::RegexRaw { pattern: self.text("pattern")? },
            "contains" | "notContains" => Check::Contains {
                path: self.text("path")?,
                content: self.value("content")?,
                count: self.count()?,
                any: self.flag("any")?,
            },
            "isKind" => Check::Kind { of: self.text("of")? },
            "isAPIVersion" => Check::ApiVersion { of: self.text("of")? },
            "hasDocuments" => Check::Documents { count: self.count()?.unwrap_or(0), chosen: self.flag("filterAware")? },
            "isSubset" | "isNotSubset" => Check::Subset { path: self.text("path")?, content: self.value("content")? },
            "isNullOrEmpty" | "isNotNullOrEmpty" | "isEmpty" | "isNotEmpty" => {
                Check::Empty { path: self.text("path")? }
            }
            "failedTemplate" | "notFailedTemplate" => {
                let check = Check::Failed { message: self.text("errorMessage")?, pattern: self.text("errorPattern")? };
                if matches!(&check, Check::Failed { message, pattern } if !message.is_empty() && !pattern.is_empty()) {
                    let message = format!("{} takes either errorMessage or errorPattern", self.name);
                    return Err(Wrong { line: self.line, message });
                }
                check
            }
            "containsDocument" => Check::Document {
                kind: self.text("kind")?,
                api_version: self.text("apiVersion")?,
                name: self.text("name")?,
                namespace: self.text("namespace")?,
                any: self.flag("any")?,
            },
            "lengthEqual" | "notLengthEqual" => {
                let (path, count) = (self.text("path")?, self.count()?);
                let paths = match self.take("paths") {
                    Some(node) => {
                        self.doc.items(node)?.into_iter().map(|i| self.doc.text(i)).collect::<Result<_, _>>()?
                    }
                    None => Vec::new(),
                };
                Check::Length { path, paths, count }
            }
            "isType" | "isNotType" => Check::Type { path: self.text("path")?, of: self.text("type")? },
            _ => Check::SnapshotRaw,
        })
    }

    /// What is left is not known.
    fn rest(self, wrong: &mut Vec<Wrong>) {
        wrong.extend(self.entries.iter().map(|(key, line, _)| unknown(*line, self.name, key)));
    }
}
