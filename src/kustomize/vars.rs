//! Vars: `$(NAME)` replaced by the value of a field of some object, at the fields that may hold such references.

use std::collections::BTreeMap;

use super::error::{Error, Result};
use super::fieldspec::{FieldSpec, Setter, apply};
use super::ids::{Gvk, Id};
use super::kustomization::Var;
use super::lookup::{self, split_path_smart};
use super::node::{Kind, Node, Style, Tag};
use super::resmap::ResMap;
use super::resource::Resource;
use crate::golang::strconv::{format_float, parse_bool, parse_float};

/// The vars of a build by name.
pub type VarSet = BTreeMap<String, Var>;

impl Var {
    /// Kind and version of the object, from `apiVersion` if that is given.
    fn object_gvk(&self) -> Gvk {
        let mut gvk = self.gvk.clone();
        match self.api_version.split('/').collect::<Vec<_>>()[..] {
            [""] => {}
            [version] => gvk.version = version.to_owned(),
            [group, version] => (gvk.group, gvk.version) = (group.to_owned(), version.to_owned()),
            _ => {}
        }
        gvk
    }

    fn with_defaults(&self) -> Self {
        let mut out = self.clone();
        if out.field_path.is_empty() {
            out.field_path = "metadata.name".into();
        }
        out.gvk = self.object_gvk();
        out
    }

    /// `%v`
    fn show(&self) -> String {
        format!("{{{} {} {{{}}}}}", self.name, self.gvk, self.field_path)
    }
}

/// Adds a kustomization's vars, and notes on the objects which var reads from them (`MergeVars`).
pub fn merge(vars: &[Var], set: &mut VarSet, map: &mut ResMap) -> Result<()> {
    let wrap = |e: Error| {
        let all: Vec<String> = vars.iter().map(Var::show).collect();
        e.wrap(format!("merging vars [{}]", all.join(" ")))
    };
    for var in vars {
        let want = Id {
            gvk: var.object_gvk(),
            name: var.object_name.clone(),
            namespace: var.namespace.clone(),
            cluster: false,
        };
        let found = map.find_any(|id| {
            if want.namespace.is_empty() { id.name == want.name && id.gvk == want.gvk } else { want.matches(id) }
        })?;
        match found[..] {
            [] => {}
            [at] => map.contents_mut().get_mut(at).into_iter().for_each(|r| r.vars.push(var.name.clone())),
            _ => {
                // Here the kind is shown as it was looked for, with the parts of `apiVersion`.
                let var = Var { gvk: want.gvk, ..var.clone() };
                return Err(wrap(Error::new(format!(
                    "found {} resId matches for var {} (unable to disambiguate)",
                    found.len(),
                    var.show()
                ))));
            }
        }
    }
    vars.iter().try_for_each(|var| insert(set, var)).map_err(wrap)
}

/// Adds one var.
pub fn insert(set: &mut VarSet, var: &Var) -> Result<()> {
    if set.contains_key(&var.name) {
        return Err(Error::new(format!("var '{}' already encountered", var.name)));
    }
    set.insert(var.name.clone(), var.with_defaults());
    Ok(())
}

/// What a var stands for.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// A map or list, which is never put in.
    Structure,
}

impl Value {
    fn show(&self) -> String {
        match self {
            Self::Text(s) => s.clone(),
            Self::Int(n) => n.to_string(),
            Self::Float(f) => format_float(*f, b'g', -1, 64),
            Self::Bool(b) => b.to_string(),
            Self::Structure => String::new(),
        }
    }
}

/// Replaces all references. The names of vars that were never referred to come back.
pub fn resolve(set: &VarSet, specs: &[FieldSpec], map: &mut ResMap) -> Result<Vec<String>> {
    let mut values = BTreeMap::new();
    for (name, var) in set {
        let Some(r) = map.items().iter().find(|r| r.vars.contains(name)) else {
            return Err(Error::new(format!(
                "var '{}' cannot be mapped to a field in the set of known resources",
                var.show()
            )));
        };
        let value = field_value(r, &var.field_path).map_err(|_| {
            Error::new(format!("field specified in var '{}' not found in corresponding resource", var.show()))
        })?;
        values.insert(name.clone(), value);
    }
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let mut used = std::collections::BTreeSet::new();
    for r in map.items_mut() {
        for spec in specs {
            let mut set = |field: &mut Node| set_field(field, &values, &mut used);
            let mut setter = Setter { set: &mut set, kind: None, tag: Tag::Empty };
            super::shared::step(&mut r.node, |node| apply(node, spec, &mut setter))
                .map_err(|e| e.at(&r.source.file, r.source.line))?;
        }
    }
    Ok(values.into_keys().filter(|name| !used.contains(name)).collect())
}

/// `GetFieldValue`
fn field_value(r: &Resource, path: &str) -> Result<Value> {
    let mut parts = Vec::new();
    for part in split_path_smart(path, '.') {
        // `ports[0]` is `ports` and `0`.
        match part.strip_suffix(']').and_then(|p| p.rsplit_once('[')) {
            Some((name, index)) if !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit()) => {
                if !name.is_empty() {
                    parts.push(name.to_owned());
                }
                parts.push(index.to_owned());
            }
            _ => parts.push(part),
        }
    }
    let Some(node) = lookup::get(&r.node, &parts)? else {
        return Err(Error::new(format!("no field named '{path}'")));
    };
    if node.kind != Kind::Scalar {
        return Ok(Value::Structure);
    }
    let bad = || Error::new(format!("the value of '{path}' is not what its tag says"));
    Ok(match node.tag {
        Tag::Int => Value::Int(node.value.parse().map_err(|_| bad())?),
        Tag::Float => Value::Float(parse_float(&node.value).map_err(|_| bad())?),
        Tag::Bool => Value::Bool(parse_bool(&node.value).map_err(|_| bad())?),
        _ => Value::Text(node.value.clone()),
    })
}

type Used = std::collections::BTreeSet<String>;

fn set_field(field: &mut Node, values: &BTreeMap<String, Value>, used: &mut Used) -> Result<()> {
    if field.is_null() {
        return Ok(());
    }
    match field.kind {
        Kind::Scalar if field.is_string() => set_text(field, values, used),
        Kind::Mapping => {
            for pair in field.content.chunks_exact_mut(2) {
                let [key, value] = pair else { continue };
                if !key.is_string() {
                    let (value, tag) = (&key.value, key.tag.short());
                    return Err(Error::new(format!("invalid map key: value='{value}', tag='{tag}'")));
                }
                if value.is_string() {
                    set_text(value, values, used);
                }
            }
        }
        Kind::Sequence => {
            for item in &mut field.content {
                if !item.is_string() {
                    return Err("invalid value type expect a string".into());
                }
                set_text(item, values, used);
            }
        }
        _ => {}
    }
    Ok(())
}

fn set_text(node: &mut Node, values: &BTreeMap<String, Value>, used: &mut Used) {
    let value = expand(&node.value, values, used);
    let tag = match value {
        Value::Int(_) => Tag::Int,
        Value::Float(_) => Tag::Float,
        Value::Bool(_) => Tag::Bool,
        _ => Tag::Str,
    };
    let text = match value {
        Value::Float(f) => format_float(f, b'f', -1, 64),
        value => value.show(),
    };
    node.assign(Node { line: node.line, style: Style::Plain, ..Node::tagged_scalar(text, tag) });
}

/// `$(NAME)` becomes the value, `$$` a dollar sign; a text that is one reference takes the value's type.
fn expand(input: &str, values: &BTreeMap<String, Value>, used: &mut Used) -> Value {
    let mut out = String::new();
    let mut rest = input;
    while let Some(at) = rest.find('$') {
        let after = &rest[at + 1..];
        let Some(next) = after.chars().next() else { break };
        out.push_str(&rest[..at]);
        match next {
            '$' => {
                out.push('$');
                rest = &after[1..];
            }
            '(' => match after.find(')') {
                Some(end) => {
                    let name = &after[1..end];
                    let whole = rest.len() == input.len() && at == 0 && end + 1 == after.len();
                    match values.get(name) {
                        Some(Value::Structure) | None => out.push_str(&format!("$({name})")),
                        Some(value) => {
                            used.insert(name.to_owned());
                            if whole {
                                return value.clone();
                            }
                            out.push_str(&value.show());
                        }
                    }
                    rest = &after[end + 1..];
                }
                None => {
                    out.push_str("$(");
                    rest = &after[1..];
                }
            },
            other => {
                out.push('$');
                out.push(other);
                rest = &after[other.len_utf8()..];
            }
        }
    }
    out.push_str(rest);
    Value::Text(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_expanded() {
        let values = BTreeMap::from([("A".to_owned(), Value::Text("x".into())), ("N".to_owned(), Value::Int(3))]);
        for (text, want) in [
            ("$(A)", Value::Text("x".into())),
            ("$(N)", Value::Int(3)),
            ("a$(N)b", Value::Text("a3b".into())),
            ("$$(A)", Value::Text("$(A)".into())),
            ("$(B) $x $", Value::Text("$(B) $x $".into())),
            ("$(A", Value::Text("$(A".into())),
        ] {
            assert_eq!(expand(text, &values, &mut Used::new()), want, "{text}");
        }
    }
}
