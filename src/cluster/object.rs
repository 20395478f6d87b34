//! What names an object.

use std::fmt;

/// An object as the API has it.
pub type Json = serde_json::Value;

/// Group, version and kind. The group of built-in kinds such as Pod is empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gvk {
    pub group: String,
    pub version: String,
    pub kind: String,
}

impl Gvk {
    pub fn new(group: &str, version: &str, kind: &str) -> Self {
        Self { group: group.into(), version: version.into(), kind: kind.into() }
    }

    /// From an object's `apiVersion` and `kind`.
    pub fn parse(api_version: &str, kind: &str) -> Self {
        match api_version.split_once('/') {
            Some((group, version)) => Self::new(group, version, kind),
            None => Self::new("", api_version, kind),
        }
    }

    /// Of an object; empty parts where it says nothing.
    pub fn of(object: &Json) -> Self {
        let text = |key: &str| object.get(key).and_then(Json::as_str).unwrap_or_default();
        Self::parse(text("apiVersion"), text("kind"))
    }

    /// `apps/v1`, or `v1` for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, Kind={}", self.api_version(), self.kind)
    }
}

/// One object of a cluster. `namespace` is `None` for objects that have none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    pub gvk: Gvk,
    pub namespace: Option<String>,
    pub name: String,
}

impl ObjectId {
    pub fn new(gvk: Gvk, namespace: Option<&str>, name: &str) -> Self {
        Self { gvk, namespace: namespace.map(Into::into), name: name.into() }
    }

    /// Of an object, as it is written.
    pub fn of(object: &Json) -> Self {
        let meta = |key: &str| object.pointer(&format!("/metadata/{key}")).and_then(Json::as_str);
        Self::new(Gvk::of(object), meta("namespace").filter(|n| !n.is_empty()), meta("name").unwrap_or_default())
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(ns) => write!(f, "{} {ns}/{}", self.gvk.kind, self.name),
            None => write!(f, "{} {}", self.gvk.kind, self.name),
        }
    }
}
