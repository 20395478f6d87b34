//! The drafts of JSON Schema: where their subschemas are, their vocabularies, their own schemas.
//!
//! A port of `draft.go` and `position.go` of santhosh-tekuri/jsonschema 6.0.3.

use std::sync::Arc;

use super::json::Json;
use super::location::{escape, q, split};
use super::members::Members;

/// A draft, by its year or number: later ones compare greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Draft {
    D4,
    D6,
    D7,
    D2019,
    D2020,
}

/// Which schemas there are at a keyword.
#[derive(Clone, Copy)]
enum Where {
    Itself,
    EachMember,
    EachItem,
}

use Where::{EachItem, EachMember, Itself};

const D4_KEYWORDS: &[(&str, Where)] = &[
    ("definitions", EachMember),
    ("not", Itself),
    ("allOf", EachItem),
    ("anyOf", EachItem),
    ("oneOf", EachItem),
    ("properties", EachMember),
    ("additionalProperties", Itself),
    ("patternProperties", EachMember),
    ("items", Itself),
    ("items", EachItem),
    ("additionalItems", Itself),
    ("dependencies", EachMember),
];
const D6_KEYWORDS: &[(&str, Where)] = &[("propertyNames", Itself), ("contains", Itself)];
const D7_KEYWORDS: &[(&str, Where)] = &[("if", Itself), ("then", Itself), ("else", Itself)];
const D2019_KEYWORDS: &[(&str, Where)] = &[
    ("$defs", EachMember),
    ("dependentSchemas", EachMember),
    ("unevaluatedProperties", Itself),
    ("unevaluatedItems", Itself),
    ("contentSchema", Itself),
];
const D2020_KEYWORDS: &[(&str, Where)] = &[("prefixItems", EachItem)];

impl Draft {
    /// The URL of its schema.
    pub const fn url(self) -> &'static str {
        match self {
            Self::D4 => "http://json-schema.org/draft-04/schema",
            Self::D6 => "http://json-schema.org/draft-06/schema",
            Self::D7 => "http://json-schema.org/draft-07/schema",
            Self::D2019 => "https://json-schema.org/draft/2019-09/schema",
            Self::D2020 => "https://json-schema.org/draft/2020-12/schema",
        }
    }

    /// The draft that a `$schema` names.
    pub fn from_url(url: &str) -> Option<Self> {
        let (url, fragment) = split(url);
        if !fragment.is_empty() {
            return None;
        }
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).unwrap_or(url);
        Some(match rest {
            "json-schema.org/schema" | "json-schema.org/draft/2020-12/schema" => Self::D2020,
            "json-schema.org/draft/2019-09/schema" => Self::D2019,
            "json-schema.org/draft-07/schema" => Self::D7,
            "json-schema.org/draft-06/schema" => Self::D6,
            "json-schema.org/draft-04/schema" => Self::D4,
            _ => return None,
        })
    }

    /// The keyword that names a schema.
    pub const fn id_keyword(self) -> &'static str {
        if matches!(self, Self::D4) { "id" } else { "$id" }
    }

    /// A schema's id without fragment, if it has one.
    pub fn id(self, obj: &Members<Json>) -> Option<&str> {
        if self < Self::D2019 && obj.contains_key("$ref") {
            // Beside $ref everything is ignored.
            return None;
        }
        let id = obj.get(self.id_keyword())?.as_str()?;
        Some(split(id).0).filter(|id| !id.is_empty())
    }

    const fn vocab_prefix(self) -> &'static str {
        match self {
            Self::D2019 => "https://json-schema.org/draft/2019-09/vocab/",
            _ => "https://json-schema.org/draft/2020-12/vocab/",
        }
    }

    /// The vocabularies that it knows.
    pub const fn vocabs(self) -> &'static [&'static str] {
        match self {
            Self::D2019 => &["core", "applicator", "validation", "meta-data", "format", "content"],
            Self::D2020 => &[
                "core",
                "applicator",
                "unevaluated",
                "validation",
                "meta-data",
                "format-annotation",
                "format-assertion",
                "content",
            ],
            _ => &[],
        }
    }

    const fn default_vocabs(self) -> &'static [&'static str] {
        match self {
            Self::D2019 => &["core", "applicator", "validation"],
            Self::D2020 => &["core", "applicator", "unevaluated", "validation"],
            _ => &[],
        }
    }

    /// The vocabularies that a metaschema requires; `None` if it says nothing.
    pub fn required_vocabs(self, url: &str, doc: &Json) -> Result<Option<Vec<&'static str>>, String> {
        if self < Self::D2019 {
            return Ok(None);
        }
        let Some(wanted) = doc.as_object().and_then(|o| o.get("$vocabulary")).and_then(Json::as_object) else {
            return Ok(None);
        };
        let mut vocabs = Vec::new();
        for (vocab, required) in wanted.iter() {
            if required.as_bool() != Some(true) {
                continue;
            }
            let known = vocab
                .strip_prefix(self.vocab_prefix())
                .and_then(|name| self.vocabs().iter().find(|v| **v == name).copied());
            let Some(name) = known else {
                return Err(format!("unsupported vocabulary {} in {}", q(vocab), q(url)));
            };
            vocabs.push(name);
        }
        if !vocabs.contains(&"core") {
            vocabs.push("core");
        }
        Ok(Some(vocabs))
    }

    /// The subschemas directly in a schema, with their pointers and in the order of these.
    pub fn subschemas<'j>(self, schema: &'j Json, ptr: &str) -> Vec<(Arc<str>, &'j Json)> {
        let sets = [
            (Self::D4, D4_KEYWORDS),
            (Self::D6, D6_KEYWORDS),
            (Self::D7, D7_KEYWORDS),
            (Self::D2019, D2019_KEYWORDS),
            (Self::D2020, D2020_KEYWORDS),
        ];
        let mut found: Vec<(Arc<str>, &Json)> = Vec::new();
        for (name, v) in schema.as_object().into_iter().flat_map(Members::iter) {
            let keywords = sets.iter().filter(|(since, _)| self >= *since).flat_map(|(_, keywords)| *keywords);
            for (keyword, place) in keywords.filter(|(keyword, _)| **keyword == **name) {
                match (place, v) {
                    (Itself, v) => found.push(([ptr, "/", keyword].concat().into(), v)),
                    (EachMember, Json::Object(o)) => {
                        let below = |k: &str| [ptr, "/", keyword, "/", &escape(k)].concat().into();
                        found.extend(o.iter().map(|(k, v)| (below(k), v)));
                    }
                    (EachItem, Json::Array(a)) => {
                        let below = |i: usize| format!("{ptr}/{keyword}/{i}").into();
                        found.extend(a.iter().enumerate().map(|(i, v)| (below(i), v)));
                    }
                    _ => {}
                }
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found
    }
}

/// A draft and, of it, some vocabularies.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    pub draft: Draft,
    /// `None`: the draft's own choice.
    pub vocabs: Option<Vec<&'static str>>,
}

impl Dialect {
    pub fn has_vocab(&self, name: &str) -> bool {
        if name == "core" || self.draft < Draft::D2019 {
            return true;
        }
        self.vocabs.as_deref().unwrap_or_else(|| self.draft.default_vocabs()).contains(&name)
    }
}

/// The text of a metaschema: what `http://json-schema.org/…` stands for without any network.
pub(super) fn metaschema(url: &str) -> Option<&'static str> {
    let path = url.strip_prefix("http://json-schema.org/").or_else(|| url.strip_prefix("https://json-schema.org/"))?;
    Some(match path {
        "draft-04/schema" => include_str!("meta/draft-04.json"),
        "draft-06/schema" => include_str!("meta/draft-06.json"),
        "draft-07/schema" => include_str!("meta/draft-07.json"),
        "draft/2019-09/schema" => include_str!("meta/2019-09/schema.json"),
        "draft/2019-09/meta/core" => include_str!("meta/2019-09/core.json"),
        "draft/2019-09/meta/applicator" => include_str!("meta/2019-09/applicator.json"),
        "draft/2019-09/meta/validation" => include_str!("meta/2019-09/validation.json"),
        "draft/2019-09/meta/meta-data" => include_str!("meta/2019-09/meta-data.json"),
        "draft/2019-09/meta/format" => include_str!("meta/2019-09/format.json"),
        "draft/2019-09/meta/content" => include_str!("meta/2019-09/content.json"),
        "schema" | "draft/2020-12/schema" => include_str!("meta/2020-12/schema.json"),
        "draft/2020-12/meta/core" => include_str!("meta/2020-12/core.json"),
        "draft/2020-12/meta/applicator" => include_str!("meta/2020-12/applicator.json"),
        "draft/2020-12/meta/unevaluated" => include_str!("meta/2020-12/unevaluated.json"),
        "draft/2020-12/meta/validation" => include_str!("meta/2020-12/validation.json"),
        "draft/2020-12/meta/meta-data" => include_str!("meta/2020-12/meta-data.json"),
        "draft/2020-12/meta/format-annotation" => include_str!("meta/2020-12/format-annotation.json"),
        "draft/2020-12/meta/format-assertion" => include_str!("meta/2020-12/format-assertion.json"),
        "draft/2020-12/meta/content" => include_str!("meta/2020-12/content.json"),
        _ => return None,
    })
}
