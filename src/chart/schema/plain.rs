//! Schemas that satisfy their metaschema at a glance.
//!
//! Nearly every schema does, and to learn that from the metaschema costs more than all else that is done with a schema. What is
//! said here is stricter than each draft's metaschema: a schema that passes is right, of any other the metaschema has the word.

use super::distinct::duplicates;
use super::draft::Draft;
use super::format;
use super::json::Json;
use super::members::Members;
use super::types::Types;

/// How deep schemas may nest, and how many members and items they may have in all: below what the validator itself bears.
const MAX_DEPTH: u32 = 500;
const MAX_PARTS: u32 = 1 << 15;

/// Whether a schema satisfies the metaschema of a draft, as far as that is plain.
pub(super) fn is_plain(schema: &Json, draft: Draft) -> bool {
    Glance { draft, parts: 0, depth: 0 }.schema(schema)
}

struct Glance {
    draft: Draft,
    parts: u32,
    depth: u32,
}

impl Glance {
    fn schema(&mut self, v: &Json) -> bool {
        let Json::Object(members) = v else {
            return self.draft > Draft::D4 && is_bool(v);
        };
        self.depth += 1;
        let plain = self.depth <= MAX_DEPTH && self.room(members.len()) && self.keywords(members);
        self.depth -= 1;
        plain
    }

    fn keywords(&mut self, members: &Members<Json>) -> bool {
        members.iter().all(|(keyword, v)| match &**keyword {
            "title" | "description" | "$comment" | "format" | "contentMediaType" | "contentEncoding" | "id" => {
                v.as_str().is_some()
            }
            "$id" => v.as_str().is_some_and(|s| !s.contains('#') && format::check("uri-reference", s).is_ok()),
            "$schema" => v.as_str().is_some_and(|s| format::check("uri", s).is_ok()),
            "$ref" => v.as_str().is_some_and(|s| format::check("uri-reference", s).is_ok()),
            "pattern" => v.as_str().is_some_and(|s| format::check("regex", s).is_ok()),
            "type" => match v {
                Json::Array(names) => self.set(names) && !names.is_empty() && names.iter().all(is_type),
                name => is_type(name),
            },
            "enum" => v.as_array().is_some_and(|a| self.set(a) && !a.is_empty()),
            "readOnly" | "writeOnly" | "deprecated" | "uniqueItems" => is_bool(v),
            "examples" => v.as_array().is_some(),
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" | "minContains"
            | "maxContains" => matches!(v, Json::Number(n) if n.bytes().all(|b| b.is_ascii_digit())),
            "minimum" | "maximum" => matches!(v, Json::Number(_)),
            "exclusiveMinimum" | "exclusiveMaximum" => self.draft > Draft::D4 && matches!(v, Json::Number(_)),
            "multipleOf" => matches!(v, Json::Number(n) if n.parse::<f64>().is_ok_and(|n| n > 0.0)),
            "required" => self.names(v),
            "dependentRequired" => self.each(v, Self::names),
            "dependencies" => self.each(v, |g, v| if v.as_array().is_some() { g.names(v) } else { g.schema(v) }),
            "properties" | "definitions" | "$defs" | "dependentSchemas" => self.each(v, Self::schema),
            "patternProperties" => {
                let regexps = |o: &Members<Json>| o.keys().all(|name| format::check("regex", name).is_ok());
                v.as_object().is_some_and(regexps) && self.each(v, Self::schema)
            }
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => self.schemas(v),
            "items" if v.as_array().is_some() => self.draft < Draft::D2020 && self.schemas(v),
            "additionalProperties" | "additionalItems" if is_bool(v) => true,
            "items"
            | "additionalProperties"
            | "additionalItems"
            | "not"
            | "if"
            | "then"
            | "else"
            | "contains"
            | "propertyNames"
            | "unevaluatedItems"
            | "unevaluatedProperties"
            | "contentSchema" => self.schema(v),
            "$anchor" | "$recursiveRef" | "$recursiveAnchor" | "$dynamicRef" | "$dynamicAnchor" | "$vocabulary" => {
                false
            }
            _ => true,
        })
    }

    fn room(&mut self, more: usize) -> bool {
        self.parts = self.parts.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        self.parts <= MAX_PARTS
    }

    /// Whether no item is there twice.
    fn set(&mut self, items: &[Json]) -> bool {
        self.room(items.len()) && matches!(duplicates(items), Ok(None))
    }

    /// Names of properties: draft 4 wants one at least.
    fn names(&mut self, v: &Json) -> bool {
        v.as_array().is_some_and(|a| {
            self.set(a) && a.iter().all(|v| v.as_str().is_some()) && (self.draft > Draft::D4 || !a.is_empty())
        })
    }

    fn schemas(&mut self, v: &Json) -> bool {
        v.as_array().is_some_and(|a| !a.is_empty() && self.room(a.len()) && a.iter().all(|v| self.schema(v)))
    }

    fn each(&mut self, v: &Json, check: fn(&mut Self, &Json) -> bool) -> bool {
        v.as_object().is_some_and(|o| self.room(o.len()) && o.iter().all(|(_, v)| check(self, v)))
    }
}

const fn is_bool(v: &Json) -> bool {
    matches!(v, Json::Bool(_))
}

fn is_type(name: &Json) -> bool {
    name.as_str().is_some() && !Types::parse(name).is_empty()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, HashMap};
    use std::sync::Arc;

    use super::super::Sources;
    use super::super::compile::Compiler;
    use super::super::draft::{Dialect, metaschema};
    use super::super::roots::Resource;
    use super::super::validate::validate_meta;
    use super::*;

    const DRAFTS: [Draft; 5] = [Draft::D4, Draft::D6, Draft::D7, Draft::D2019, Draft::D2020];

    /// Values that some keywords take and others do not.
    const VALUES: [&str; 32] = [
        "null",
        "true",
        "false",
        "0",
        "2",
        "-1",
        "1.5",
        "1e-400",
        r#""""#,
        r#""string""#,
        r##""#a""##,
        r##""http://e.example/a#b""##,
        r#""http://[""#,
        r#""(""#,
        "[]",
        "[1]",
        "[1, 1.0]",
        r#"["string"]"#,
        r#"["string", "string"]"#,
        r#"["string", "number"]"#,
        r#"["string", 1]"#,
        "[{}]",
        "[true, {}]",
        r#"[{"type": 1}]"#,
        "{}",
        r#"{"a": true}"#,
        r#"{"a": {}}"#,
        r#"{"a": 1}"#,
        r#"{"a": ["b"]}"#,
        r#"{"a": ["b", "b"]}"#,
        r#"{"(": {}}"#,
        r#"{"type": "nonsense"}"#,
    ];

    fn keywords() -> BTreeSet<Arc<str>> {
        let vocabulary = |d: Draft, name: &str| format!("{}meta/{name}", d.url().trim_end_matches("schema"));
        let urls = DRAFTS.iter().flat_map(|d| {
            let vocabularies = d.vocabs().iter().map(|name| vocabulary(*d, name));
            vocabularies.chain([d.url().to_owned()])
        });
        let docs = urls.map(|url| Json::parse(metaschema(&url).unwrap().as_bytes()).unwrap());
        docs.flat_map(|doc| {
            let properties = doc.as_object().and_then(|o| o.get("properties")).and_then(Json::as_object);
            properties.map(|p| p.keys().cloned().collect::<Vec<_>>()).unwrap_or_default()
        })
        .collect()
    }

    #[test]
    fn what_is_plain_satisfies_the_metaschema() {
        let sources = Sources::default();
        let mut compiler = Compiler::new(&sources);
        let mut plain = BTreeMap::new();
        for draft in DRAFTS {
            let dialect = Dialect { draft, vocabs: None };
            let (ptr, id) = ("".into(), "".into());
            let resource =
                Resource { ptr, id, dialect, anchors: BTreeMap::default(), dynamic_anchors: BTreeSet::default() };
            let meta = compiler.metaschema(&resource);
            for keyword in keywords() {
                for value in VALUES {
                    let schema = Json::parse(format!("{{\"{keyword}\": {value}}}").as_bytes()).unwrap();
                    if is_plain(&schema, draft) {
                        let valid = validate_meta(&compiler.arena, meta, &schema, &HashMap::new());
                        assert!(valid.is_ok(), "{draft:?} {keyword} {value}");
                        *plain.entry(keyword.clone()).or_insert(0) += 1;
                    }
                }
            }
        }
        assert!(plain.len() > 40 && plain["properties"] > 10, "{plain:?}");
    }
}
