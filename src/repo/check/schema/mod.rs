//! What objects may say: the fields of Kubernetes' own kinds and of CustomResourceDefinitions, in one form.
//!
//! A [`Schemas`] holds types as data; [`Schemas::validate`] walks an object beside its type and says what does not fit, with lines. Kubernetes' own
//! kinds come from a table made from its OpenAPI documents (`table`), others from CRDs found in the repository (`crd`).

mod bounds;
mod crd;
mod table;
mod validate;

use std::collections::BTreeMap;

pub use bounds::Bounds;
pub use validate::{Fault, Violation};

/// A minor version of Kubernetes 1.
pub type Minor = u32;

/// From which minor version to which something exists, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub since: Minor,
    pub until: Minor,
}

impl Range {
    pub const ALWAYS: Self = Self { since: 0, until: Minor::MAX };

    pub const fn has(self, minor: Minor) -> bool {
        self.since <= minor && minor <= self.until
    }
}

/// The type of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    Any,
    Text,
    Integer,
    Number,
    Boolean,
    /// `500m`, `1Gi`, or a number.
    Quantity,
    IntOrString,
    /// One of these texts.
    Choice(Vec<String>),
    List(Box<Self>),
    Map(Box<Self>),
    /// Index of a [`Struct`].
    Object(usize),
    /// A type of which not every value is allowed.
    Bounded(Box<Self>, Box<Bounds>),
}

/// One field of an object, in the versions in which it has this type.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub ty: Type,
    pub required: bool,
    pub range: Range,
}

/// An object with named fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Struct {
    /// Name → its forms over the versions; mostly one.
    pub fields: BTreeMap<String, Vec<Field>>,
    /// Other fields are kept by the API server, not dropped.
    pub open: bool,
}

/// A kind that is known.
#[derive(Clone, Debug, PartialEq)]
pub struct KindEntry {
    pub ty: Type,
    pub range: Range,
}

/// Types and the kinds that have them.
#[derive(Clone, Debug, Default)]
pub struct Schemas {
    structs: Vec<Struct>,
    /// API version → kind.
    kinds: BTreeMap<String, BTreeMap<String, KindEntry>>,
}

impl Schemas {
    /// Kubernetes' own kinds.
    pub fn kubernetes() -> &'static Self {
        table::kubernetes()
    }

    /// The minor versions of Kubernetes that [`Schemas::kubernetes`] knows.
    pub fn known_versions() -> Range {
        table::versions()
    }

    pub fn kind(&self, api_version: &str, kind: &str) -> Option<&KindEntry> {
        self.kinds.get(api_version)?.get(kind)
    }

    /// All API versions that have a kind of this name.
    pub fn api_versions<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = &'s str> {
        self.kinds.iter().filter(move |(_, kinds)| kinds.contains_key(kind)).map(|(api, _)| api.as_str())
    }

    /// All kinds of an API version.
    pub fn kinds_of(&self, api_version: &str) -> impl Iterator<Item = &str> {
        self.kinds.get(api_version).into_iter().flatten().map(|(kind, _)| kind.as_str())
    }

    /// True if some version of this API group is known.
    pub fn has_group(&self, group: &str) -> bool {
        self.kinds.keys().any(|api| api.split_once('/').map_or("", |(g, _)| g) == group)
    }

    fn add_struct(&mut self, s: Struct) -> usize {
        self.structs.push(s);
        self.structs.len() - 1
    }

    fn add_kind(&mut self, api_version: &str, kind: &str, entry: KindEntry) {
        self.kinds.entry(api_version.into()).or_default().insert(kind.into(), entry);
    }
}

#[cfg(test)]
mod tests;
