//! The schemas of a CustomResourceDefinition, as far as they say which fields there are, of which types and within which bounds, and what must be given.
//!
//! CEL rules, formats and what stands in `allOf`, `anyOf`, `oneOf` and `not` are left to the API server: to be right about them means to be it.

use super::{Bounds, Field, KindEntry, Range, Schemas, Struct, Type};
use crate::repo::document::{Kind, Node};

/// Schemas nest; a definition deeper than this is taken as "anything" there.
const MAX_DEPTH: usize = 64;

impl Schemas {
    /// Adds the kinds of a CustomResourceDefinition (`apiextensions.k8s.io/v1`, or v1beta1 with one schema for all versions).
    pub fn add_definition(&mut self, definition: &Node) {
        let Some(spec) = definition.get("spec") else { return };
        let text = |n: Option<&Node>| n.and_then(Node::as_str).unwrap_or_default().to_owned();
        let group = text(spec.get("group"));
        let kind = text(spec.get("names").and_then(|n| n.get("kind")));
        if group.is_empty() || kind.is_empty() {
            return;
        }
        let common = spec.get("validation").and_then(|v| v.get("openAPIV3Schema"));
        for version in spec.get("versions").map_or(&[][..], Node::items) {
            let schema = version.get("schema").and_then(|s| s.get("openAPIV3Schema")).or(common);
            let ty = schema.map_or(Type::Any, |s| self.ty(s, 0));
            match &ty {
                Type::Object(i) => self.open_head(*i),
                Type::Bounded(inner, _) => {
                    if let Type::Object(i) = **inner {
                        self.open_head(i);
                    }
                }
                _ => {}
            }
            let api = format!("{group}/{}", text(version.get("name")));
            self.add_kind(&api, &kind, KindEntry { ty, range: Range::ALWAYS });
        }
    }

    /// Every object has these, whether its schema names them or not.
    fn open_head(&mut self, i: usize) {
        let Some(s) = self.structs.get_mut(i) else { return };
        for name in ["apiVersion", "kind", "metadata", "status"] {
            let field = Field { ty: Type::Any, required: false, range: Range::ALWAYS };
            s.fields.insert(name.into(), vec![field]);
        }
    }

    fn ty(&mut self, schema: &Node, depth: usize) -> Type {
        let ty = self.unbounded(schema, depth);
        match Bounds::read(schema) {
            Some(bounds) => Type::Bounded(Box::new(ty), Box::new(bounds)),
            None => ty,
        }
    }

    fn unbounded(&mut self, schema: &Node, depth: usize) -> Type {
        let is = |key: &str| schema.get(key).and_then(Node::as_str) == Some("true");
        if depth > MAX_DEPTH {
            return Type::Any;
        }
        if is("x-kubernetes-int-or-string") {
            return Type::IntOrString;
        }
        match schema.get("type").and_then(Node::as_str) {
            Some("string") => match schema.get("enum") {
                Some(list) => Type::Choice(list.items().iter().filter_map(|n| Some(n.as_str()?.to_owned())).collect()),
                None => Type::Text,
            },
            Some("integer") => Type::Integer,
            Some("number") => Type::Number,
            Some("boolean") => Type::Boolean,
            Some("array") => {
                let items = schema.get("items").map_or(Type::Any, |i| self.ty(i, depth + 1));
                Type::List(Box::new(items))
            }
            Some("object") | None => self.object(schema, is("x-kubernetes-preserve-unknown-fields"), depth),
            Some(_) => Type::Any,
        }
    }

    fn object(&mut self, schema: &Node, open: bool, depth: usize) -> Type {
        if let Some(properties) = schema.get("properties") {
            let required: Vec<&str> =
                schema.get("required").map_or(&[][..], Node::items).iter().filter_map(Node::as_str).collect();
            let mut s = Struct { open: open || schema.get("additionalProperties").is_some(), ..Struct::default() };
            for (key, value) in properties.entries() {
                let Some(name) = key.as_str() else { continue };
                let ty = self.ty(value, depth + 1);
                // What has a default need not be given.
                let required = required.contains(&name) && value.get("default").is_none();
                s.fields.insert(name.into(), vec![Field { ty, required, range: Range::ALWAYS }]);
            }
            return Type::Object(self.add_struct(s));
        }
        match schema.get("additionalProperties") {
            Some(n) if n.kind() == Kind::Map => Type::Map(Box::new(self.ty(n, depth + 1))),
            Some(_) => Type::Map(Box::new(Type::Any)),
            None if open || schema.get("type").is_none() => Type::Any,
            None => Type::Map(Box::new(Type::Any)),
        }
    }
}
