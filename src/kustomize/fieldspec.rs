//! Field specs: where in which kinds a value stands, and the walk that sets it there.
//!
//! A path is written with `/`; lists on the way are gone through without being named. With `create` the maps on the way and the
//! field itself are made if they are missing.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::error::{Error, Result};
use super::ids::{Gvk, Id};
use super::lookup;
use super::node::{Kind, Node, Tag};

/// Shared: each kustomization with configurations of its own has all the defaults besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldSpec(Arc<Spec>);

#[derive(Debug, PartialEq, Eq)]
pub struct Spec {
    pub gvk: Gvk,
    pub path: String,
    pub create: bool,
    /// The path in parts.
    parts: Vec<String>,
}

impl FieldSpec {
    pub fn new(gvk: Gvk, path: &str, create: bool) -> Self {
        let parts = lookup::split_path(path, '/');
        Self(Arc::new(Spec { gvk, path: path.to_owned(), create, parts }))
    }
}

impl Deref for FieldSpec {
    type Target = Spec;

    fn deref(&self) -> &Spec {
        &self.0
    }
}

impl fmt::Display for FieldSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.gvk, self.create, self.path)
    }
}

/// Adds specs that are not there yet (`FsSlice.MergeAll`).
pub fn merge_all(into: &mut Vec<FieldSpec>, from: &[FieldSpec]) -> Result<()> {
    from.iter().try_for_each(|spec| merge_one(into, spec))
}

pub fn merge_one(into: &mut Vec<FieldSpec>, spec: &FieldSpec) -> Result<()> {
    if find(into, spec)?.is_none() {
        into.push(spec.clone());
    }
    Ok(())
}

/// The spec that stands for another one already.
pub fn find<'s>(own: &'s [FieldSpec], spec: &FieldSpec) -> Result<Option<&'s FieldSpec>> {
    match own.iter().find(|x| x.path == spec.path && x.gvk.is_selected(&spec.gvk)) {
        Some(x) if x.create != spec.create => Err("conflicting fieldspecs".into()),
        found => Ok(found),
    }
}

/// What the walk does at the field, and what it makes if the field is missing.
pub struct Setter<'f> {
    pub set: &'f mut dyn FnMut(&mut Node) -> Result<()>,
    /// `None`: nothing is made, whatever the spec says.
    pub kind: Option<Kind>,
    pub tag: Tag,
}

/// Applies a spec to an object, if it is of the spec's kind.
pub fn apply(object: &mut Node, spec: &FieldSpec, setter: &mut Setter<'_>) -> Result<()> {
    let get = |name| object.field(name).map_or("", |n| n.value.as_str());
    let gvk = Gvk::new(get("apiVersion"), get("kind"));
    if !gvk.is_selected(&spec.gvk) {
        return Ok(());
    }
    apply_unchecked(object, spec, setter)
}

/// Applies a spec to an object of whatever kind.
pub fn apply_unchecked(object: &mut Node, spec: &FieldSpec, setter: &mut Setter<'_>) -> Result<()> {
    walk(object, &spec.parts, spec.create, setter).map_err(|e| {
        let get = |name| object.field(name).map_or("", |n| n.value.as_str());
        let gvk = Gvk::new(get("apiVersion"), get("kind"));
        let id = Id::new(gvk, super::resource::name(object), super::resource::namespace(object));
        e.wrap(format!("considering field '{}' of object {id}", spec.path))
    })
}

fn walk(node: &mut Node, path: &[String], create: bool, setter: &mut Setter<'_>) -> Result<()> {
    let Some((first, rest)) = path.split_first() else { return (setter.set)(node) };
    if node.is_null() {
        return Ok(());
    }
    match node.kind {
        Kind::Sequence => node
            .content
            .iter_mut()
            .try_for_each(|item| walk(item, path, create, setter))
            .map_err(|e| e.wrap(format!("visit traversal on path: [{}]", path.join(" ")))),
        Kind::Mapping => {
            let name = first.strip_suffix("[]").unwrap_or(first);
            let listed = name.len() != first.len();
            if name.is_empty() {
                return Err("cannot set or create an empty field name".into());
            }
            let (make, tag) = match (create, setter.kind) {
                (false, _) | (_, None) => (None, Tag::Empty),
                _ if listed => (None, Tag::Empty),
                (true, Some(kind)) if rest.is_empty() => (Some(kind), setter.tag.clone()),
                _ => (Some(Kind::Mapping), Tag::Map),
            };
            let found = match make {
                None => lookup::get_mut(node, &[name]),
                Some(kind) => lookup::get_or_create(node, &[name], kind),
            };
            let Some(field) = found.map_err(|e| e.wrap(format!("fieldName: {name}")))? else { return Ok(()) };
            let want = if listed { Some(Kind::Sequence) } else { make };
            if field.is_null()
                && let Some(kind) = want
            {
                field.kind = kind;
                field.tag = if listed { Tag::Empty } else { tag };
            }
            walk(field, rest, create, setter)
        }
        _ => Err(Error::new("expected sequence or mapping node")),
    }
}
