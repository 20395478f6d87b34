//! Which lists of the built-in kinds are merged by a key: the part of Kubernetes' OpenAPI document (1.21.2, as kustomize 5.8.1
//! has it built in) that strategic merge patches need.
//!
//! [`schema.txt`](schema.txt) has a definition a line: name, the kinds that it describes, and its fields with their types: `.` a
//! leaf, `@x` the definition x, `[t]` a list, `{t}` a map of t; behind `!` patch strategy and, each behind a `+`, merge keys.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use super::json::Json;

/// The type of a value.
#[derive(Clone, Debug)]
pub enum Schema {
    Leaf,
    Ref(String),
    List(Option<Box<Self>>, Strategy),
    Map(Box<Self>),
    Object(HashMap<String, Self>),
}

/// How a list is patched.
#[derive(Clone, Debug, Default)]
pub struct Strategy {
    pub strategy: String,
    pub keys: Vec<String>,
}

impl Strategy {
    pub fn merges(&self) -> bool {
        self.strategy.split(',').any(|s| s == "merge")
    }
}

/// All definitions.
#[derive(Clone, Debug, Default)]
pub struct Schemas {
    definitions: HashMap<Cow<'static, str>, Definition>,
    /// `apiVersion:kind` → name of the definition.
    by_kind: HashMap<Cow<'static, str>, Cow<'static, str>>,
}

/// A definition. Of the built-in ones a build needs few: they are read when they are asked for.
#[derive(Clone, Debug, Default)]
struct Definition {
    fields: &'static str,
    schema: OnceLock<Box<Schema>>,
}

impl Definition {
    fn schema(&self) -> &Schema {
        self.schema.get_or_init(|| {
            let fields = self.fields.split('\t').filter_map(|f| f.split_once(' '));
            Box::new(Schema::Object(fields.map(|(name, text)| (name.to_owned(), parse(text))).collect()))
        })
    }
}

impl From<Schema> for Definition {
    fn from(schema: Schema) -> Self {
        Self { fields: "", schema: OnceLock::from(Box::new(schema)) }
    }
}

impl Schemas {
    /// The built-in definitions.
    pub fn builtin() -> &'static Self {
        static BUILTIN: OnceLock<Schemas> = OnceLock::new();
        BUILTIN.get_or_init(|| {
            // As many as there are: room for more would be touched, too.
            const LINES: usize = 640;
            const KINDS: usize = 320;
            let mut out = Self { definitions: HashMap::with_capacity(LINES), by_kind: HashMap::with_capacity(KINDS) };
            for line in include_str!("schema.txt").lines() {
                let mut parts = line.splitn(4, '\t');
                let (Some(name), Some(kinds), Some(_)) = (parts.next(), parts.next(), parts.next()) else { continue };
                let fields = parts.next().unwrap_or_default();
                out.definitions.insert(name.into(), Definition { fields, schema: OnceLock::new() });
                for kind in kinds.split(',').filter(|k| !k.is_empty()) {
                    out.by_kind.insert(kind.into(), name.into());
                }
            }
            out
        })
    }

    /// From an OpenAPI document of one's own (`openapi.path`).
    pub fn from_document(document: &Json) -> Self {
        let mut out = Self::default();
        let Some(Json::Map(definitions)) = document.get("definitions") else { return out };
        for (name, definition) in definitions {
            out.definitions.insert(name.clone().into(), from_json(definition, 0).into());
            let Some(Json::List(kinds)) = definition.get("x-kubernetes-group-version-kind") else { continue };
            for kind in kinds {
                let text = |key: &str| kind.get(key).and_then(Json::as_str).unwrap_or_default();
                let (group, version) = (text("group"), text("version"));
                let slash = if group.is_empty() { "" } else { "/" };
                out.by_kind.insert(format!("{group}{slash}{version}:{}", text("kind")).into(), name.clone().into());
            }
        }
        out
    }

    /// These definitions with others laid over them.
    pub fn under(&self, above: &Self) -> Self {
        let mut out = self.clone();
        out.definitions.extend(above.definitions.iter().map(|(name, definition)| (name.clone(), definition.clone())));
        out.by_kind.extend(above.by_kind.iter().map(|(kind, name)| (kind.clone(), name.clone())));
        out
    }

    pub fn of_kind(&self, api_version: &str, kind: &str) -> Option<&Schema> {
        let name = self.by_kind.get(format!("{api_version}:{kind}").as_str())?;
        self.definitions.get(name).map(Definition::schema)
    }

    /// Follows references.
    fn resolved<'s>(&'s self, mut schema: &'s Schema) -> Option<&'s Schema> {
        for _ in 0..100 {
            match schema {
                Schema::Ref(name) => schema = self.definitions.get(name.as_str())?.schema(),
                other => return Some(other),
            }
        }
        None
    }

    pub fn field<'s>(&'s self, schema: &'s Schema, name: &str) -> Option<&'s Schema> {
        match schema {
            Schema::Object(fields) => self.resolved(fields.get(name)?),
            Schema::Map(value) => self.resolved(value),
            _ => None,
        }
    }

    pub fn elements<'s>(&'s self, schema: &'s Schema) -> Option<&'s Schema> {
        match schema {
            Schema::List(Some(item), _) => self.resolved(item),
            _ => None,
        }
    }
}

fn parse(text: &str) -> Schema {
    let (shape, strategy) = match text.split_once('!') {
        Some((shape, rest)) => {
            let mut parts = rest.split('+').map(str::to_owned);
            let strategy = parts.next().unwrap_or_default();
            (shape, Strategy { strategy, keys: parts.collect() })
        }
        None => (text, Strategy::default()),
    };
    if let Some(name) = shape.strip_prefix('@') {
        return Schema::Ref(name.to_owned());
    }
    if let Some(inner) = shape.strip_prefix('[').and_then(|s| s.strip_suffix(']')) {
        return Schema::List((!inner.is_empty()).then(|| Box::new(parse(inner))), strategy);
    }
    match shape.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
        Some(inner) => Schema::Map(Box::new(parse(inner))),
        None => Schema::Leaf,
    }
}

fn from_json(schema: &Json, depth: u32) -> Schema {
    let text = |key: &str| schema.get(key).and_then(Json::as_str);
    if depth > 60 {
        return Schema::Leaf;
    }
    if let Some(name) = text("$ref") {
        return Schema::Ref(name.trim_start_matches("#/definitions/").to_owned());
    }
    if text("type") == Some("array") {
        let item = schema.get("items").map(|item| Box::new(from_json(item, depth + 1)));
        let keys = match schema.get("x-kubernetes-list-map-keys") {
            Some(Json::List(keys)) => keys.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            _ => text("x-kubernetes-patch-merge-key").map(str::to_owned).into_iter().collect(),
        };
        let strategy = text("x-kubernetes-patch-strategy").unwrap_or_default().to_owned();
        // Without a strategy the keys do not count.
        let keys = if strategy.is_empty() { Vec::new() } else { keys };
        return Schema::List(item, Strategy { strategy, keys });
    }
    match (schema.get("properties"), schema.get("additionalProperties")) {
        (Some(Json::Map(fields)), _) => {
            Schema::Object(fields.iter().map(|(k, v)| (k.clone(), from_json(v, depth + 1))).collect())
        }
        (_, Some(value @ Json::Map(_))) => Schema::Map(Box::new(from_json(value, depth + 1))),
        _ => Schema::Leaf,
    }
}
