//! What the built-in kinds look like: their fields' types, merge keys and patch strategies.
//!
//! `table.txt` is printed by `tests/cluster/patchmeta` from the struct tags of k8s.io/api 0.37, which are what Kubernetes' own OpenAPI says as
//! `x-kubernetes-patch-merge-key` and `-strategy`. The look-ups and their errors are those of apimachinery 0.37
//! (`strategicpatch/meta.go`, `third_party/forked/golang/json/fields.go`).

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::cluster::Gvk;

/// A type of a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    /// By Go's name of its kind: `string`, `int32`, `interface` …
    Scalar(&'static str),
    Pointer(Box<Self>),
    Slice(Box<Self>),
    Map(Box<Self>),
    /// `reads` names a struct that reads its JSON itself: `Time`, `Quantity`, `IntOrString` …
    Struct {
        number: usize,
        reads: Option<&'static str>,
    },
}

impl Type {
    /// Go's name of the kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Scalar(name) => name,
            Self::Pointer(_) => "ptr",
            Self::Slice(_) => "slice",
            Self::Map(_) => "map",
            Self::Struct { .. } => "struct",
        }
    }

    /// The field that JSON of this name goes to, and how it is patched: the exact name, or else one that differs in case alone.
    pub fn field(&'static self, name: &str) -> Result<(&'static Self, Strategy), String> {
        let target = if let Self::Pointer(inner) = self { inner } else { self };
        let Self::Struct { number, .. } = target else {
            return Err(format!(
                "merging an object in json but data type is not struct, instead is: {}",
                target.kind()
            ));
        };
        let Some(of) = table().structs.get(*number) else { return Err("no such type".into()) };
        let found = of
            .fields
            .iter()
            .find(|f| f.name == name)
            .or_else(|| of.fields.iter().find(|f| f.name.to_lowercase() == name.to_lowercase()));
        match found {
            Some(field) => Ok((&field.ty, field.strategy)),
            None => Err(format!("unable to find api field in struct {} for the json field {name:?}", of.name)),
        }
    }

    /// As [`Type::field`], for a list: the type of its elements.
    pub fn elements(&'static self, name: &str) -> Result<(&'static Self, Strategy), String> {
        let (ty, strategy) = self.field(name)?;
        let element = match ty {
            Self::Slice(element) if matches!(**element, Self::Slice(_)) => {
                return Err("unexpected slice of slice".into());
            }
            Self::Slice(element) => element,
            Self::Pointer(inner) => match &**inner {
                Self::Slice(element) => element,
                _ => inner,
            },
            _ => return Err(format!("expected slice or array type, but got: {}", self.kind())),
        };
        Ok((element, strategy))
    }
}

/// How a field is patched.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Strategy {
    /// `merge`, `replace` or nothing.
    pub name: &'static str,
    pub retain_keys: bool,
    pub key: &'static str,
}

pub(super) struct Struct {
    pub name: &'static str,
    pub fields: Vec<Field>,
}

pub(super) struct Field {
    pub name: &'static str,
    pub ty: Type,
    pub strategy: Strategy,
}

pub(super) struct Table {
    pub structs: Vec<Struct>,
    /// By `apps/v1 Deployment`.
    kinds: HashMap<String, Type>,
}

/// The type of a built-in kind.
pub(super) fn kind(gvk: &Gvk) -> Option<&'static Type> {
    table().kinds.get(&format!("{} {}", gvk.api_version(), gvk.kind))
}

pub(super) fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| parse(include_str!("table.txt")))
}

fn parse(text: &'static str) -> Table {
    let mut table = Table { structs: Vec::new(), kinds: HashMap::new() };
    for line in text.lines() {
        let mut words = line.split(' ');
        match (words.next(), words.next()) {
            (Some("="), Some(name)) => table.structs.push(Struct { name, fields: words.map(field).collect() }),
            (Some("@"), Some(version)) => {
                if let (Some(kind), Some(ty)) = (words.next(), words.next()) {
                    table.kinds.insert(format!("{version} {kind}"), ty_of(ty));
                }
            }
            _ => {}
        }
    }
    table
}

fn field(text: &'static str) -> Field {
    let mut parts = text.split(':');
    let name = parts.next().unwrap_or_default();
    let ty = ty_of(parts.next().unwrap_or_default());
    let mut strategy = Strategy::default();
    for part in parts.next().unwrap_or_default().split(',') {
        if part == "retainKeys" {
            strategy.retain_keys = true;
        } else {
            strategy.name = part;
        }
    }
    strategy.key = parts.next().unwrap_or_default();
    Field { name, ty, strategy }
}

fn ty_of(text: &'static str) -> Type {
    let struct_of = |number: &str, reads| Type::Struct { number: number.parse().unwrap_or(usize::MAX), reads };
    if let Some(rest) = text.strip_prefix('*') {
        Type::Pointer(Box::new(ty_of(rest)))
    } else if let Some(rest) = text.strip_prefix('[') {
        Type::Slice(Box::new(ty_of(rest)))
    } else if let Some(rest) = text.strip_prefix('{') {
        Type::Map(Box::new(ty_of(rest)))
    } else if let Some(number) = text.strip_prefix('#') {
        struct_of(number, None)
    } else if let Some((name, number)) = text.strip_prefix('!').and_then(|t| t.split_once('#')) {
        struct_of(number, Some(name))
    } else {
        Type::Scalar(match text {
            "s" => "string",
            "b" => "bool",
            "n" => "int",
            "4" => "int32",
            "8" => "int64",
            "f" => "float64",
            "u" => "uint8",
            "w" => "uint16",
            "U" => "uint32",
            _ => "interface",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_knows_kinds_keys_and_strategies() {
        assert!(table().structs.len() > 500);
        let deployment = kind(&Gvk::new("apps", "v1", "Deployment")).unwrap();
        let spec = deployment.field("spec").unwrap().0;
        let (strategy, how) = spec.field("strategy").unwrap();
        assert_eq!((strategy.kind(), how.retain_keys, how.name), ("struct", true, ""));
        let pod = spec.field("template").unwrap().0.field("spec").unwrap().0;
        let (container, how) = pod.elements("containers").unwrap();
        assert_eq!((how.name, how.key), ("merge", "name"));
        assert_eq!(container.elements("ports").unwrap().1.key, "containerPort");
        let how = pod.elements("volumes").unwrap().1;
        assert_eq!((how.name, how.key, how.retain_keys), ("merge", "name", true));
        assert_eq!(
            spec.field("nope").unwrap_err(),
            "unable to find api field in struct DeploymentSpec for the json field \"nope\""
        );
        assert!(kind(&Gvk::new("example.com", "v1", "Widget")).is_none());
        // No type points into nothing.
        let mut types: Vec<&Type> = table().structs.iter().flat_map(|s| &s.fields).map(|f| &f.ty).collect();
        while let Some(ty) = types.pop() {
            match ty {
                Type::Pointer(t) | Type::Slice(t) | Type::Map(t) => types.push(t),
                Type::Struct { number, .. } => assert!(*number < table().structs.len()),
                Type::Scalar(_) => {}
            }
        }
    }
}
