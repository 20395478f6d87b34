//! Schemas, compiled: keywords as fields, references as places in an arena.
//!
//! A port of `schema.go`, `compiler.go` and `objcompiler.go` of santhosh-tekuri/jsonschema 6.0.3. The drafts' own schemas are
//! compiled once for all and have the first ids of every arena.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use super::Sources;
use super::draft::Draft;
use super::format;
use super::json::{Decimal, Json};
use super::location::{Place, decode, is_anchor, join, q, split, split_fragment};
use super::roots::{Resource, Root, Roots};
use crate::golang::regexp::Regexp;

/// A schema in an [`Arena`].
pub(super) type Id = usize;

/// Types of JSON values as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub const NULL: Self = Self(1);
    pub const BOOLEAN: Self = Self(2);
    pub const NUMBER: Self = Self(4);
    pub const INTEGER: Self = Self(8);
    pub const STRING: Self = Self(16);
    pub const ARRAY: Self = Self(32);
    pub const OBJECT: Self = Self(64);

    const NAMES: [(&'static str, Self); 7] = [
        ("null", Self::NULL),
        ("boolean", Self::BOOLEAN),
        ("number", Self::NUMBER),
        ("integer", Self::INTEGER),
        ("string", Self::STRING),
        ("array", Self::ARRAY),
        ("object", Self::OBJECT),
    ];

    /// The type of a value; an integer is a number. Empty for values without a JSON type.
    pub const fn of(v: &Json) -> Self {
        match v {
            Json::Null => Self::NULL,
            Json::Bool(_) => Self::BOOLEAN,
            Json::Number(_) => Self::NUMBER,
            Json::String(_) => Self::STRING,
            Json::Array(_) => Self::ARRAY,
            Json::Object(_) => Self::OBJECT,
            Json::Invalid(_) => Self(0),
        }
    }

    /// What `type` says; unknown names are ignored.
    fn parse(v: &Json) -> Self {
        let one = |s: &str| Self::NAMES.iter().find(|(n, _)| *n == s).map_or(Self(0), |(_, t)| *t);
        match v {
            Json::String(s) => one(s),
            Json::Array(a) => a.iter().filter_map(Json::as_str).fold(Self(0), |t, s| t.or(one(s))),
            _ => Self(0),
        }
    }

    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn names(self) -> Vec<&'static str> {
        Self::NAMES.iter().filter(|(_, t)| self.contains(*t)).map(|(n, _)| *n).collect()
    }
}

/// `additionalProperties` and `additionalItems`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Additional {
    Bool(bool),
    Schema(Id),
}

#[derive(Debug)]
pub(super) enum Dependency {
    Required(Vec<String>),
    Schema(Id),
}

/// `items` before 2020-12.
#[derive(Debug)]
pub(super) enum Items {
    One(Id),
    Each(Vec<Id>),
}

/// A compiled schema.
#[derive(Debug)]
pub(super) struct Schema {
    pub place: Place,
    pub draft: Draft,
    /// The schema of its resource: the nearest with an id.
    pub resource: Id,
    pub dynamic_anchors: BTreeMap<String, Id>,
    pub all_props_evaluated: bool,
    pub all_items_evaluated: bool,
    pub num_items_evaluated: usize,
    compiled: bool,

    pub boolean: Option<bool>,
    pub reference: Option<Id>,
    pub recursive_ref: Option<Id>,
    pub recursive_anchor: bool,
    /// The target and the anchor, which may be empty.
    pub dynamic_ref: Option<(Id, String)>,
    pub dynamic_anchor: String,
    pub types: Types,
    pub enumeration: Option<(Vec<Json>, Types)>,
    pub constant: Option<Json>,
    pub not: Option<Id>,
    pub all_of: Vec<Id>,
    pub any_of: Vec<Id>,
    pub one_of: Vec<Id>,
    pub if_: Option<Id>,
    pub then: Option<Id>,
    pub else_: Option<Id>,
    pub format: Option<&'static str>,

    pub max_properties: Option<i64>,
    pub min_properties: Option<i64>,
    pub required: Vec<String>,
    pub property_names: Option<Id>,
    pub properties: BTreeMap<String, Id>,
    pub pattern_properties: Vec<(Arc<Regexp>, Id)>,
    pub additional_properties: Option<Additional>,
    pub dependencies: BTreeMap<String, Dependency>,
    pub dependent_required: BTreeMap<String, Vec<String>>,
    pub dependent_schemas: BTreeMap<String, Id>,
    pub unevaluated_properties: Option<Id>,

    pub min_items: Option<i64>,
    pub max_items: Option<i64>,
    pub unique_items: bool,
    pub contains: Option<Id>,
    pub min_contains: Option<i64>,
    pub max_contains: Option<i64>,
    pub items: Option<Items>,
    pub additional_items: Option<Additional>,
    pub prefix_items: Vec<Id>,
    pub items_2020: Option<Id>,
    pub unevaluated_items: Option<Id>,

    pub min_length: Option<i64>,
    pub max_length: Option<i64>,
    /// With its text.
    pub pattern: Option<(Arc<Regexp>, String)>,

    pub maximum: Option<Decimal>,
    pub minimum: Option<Decimal>,
    pub exclusive_maximum: Option<Decimal>,
    pub exclusive_minimum: Option<Decimal>,
    pub multiple_of: Option<Decimal>,
}

/// The URL of metaschemas that are made of vocabularies.
const MADE: &str = "urn:mem:metaschema";

impl Schema {
    /// Where it is, as errors write it.
    pub fn location(&self) -> String {
        if self.place.url == MADE { MADE.into() } else { self.place.text() }
    }

    fn new(place: Place) -> Self {
        Self {
            place,
            draft: Draft::D2020,
            resource: 0,
            dynamic_anchors: BTreeMap::new(),
            all_props_evaluated: false,
            all_items_evaluated: false,
            num_items_evaluated: 0,
            compiled: false,
            boolean: None,
            reference: None,
            recursive_ref: None,
            recursive_anchor: false,
            dynamic_ref: None,
            dynamic_anchor: String::new(),
            types: Types::default(),
            enumeration: None,
            constant: None,
            not: None,
            all_of: Vec::new(),
            any_of: Vec::new(),
            one_of: Vec::new(),
            if_: None,
            then: None,
            else_: None,
            format: None,
            max_properties: None,
            min_properties: None,
            required: Vec::new(),
            property_names: None,
            properties: BTreeMap::new(),
            pattern_properties: Vec::new(),
            additional_properties: None,
            dependencies: BTreeMap::new(),
            dependent_required: BTreeMap::new(),
            dependent_schemas: BTreeMap::new(),
            unevaluated_properties: None,
            min_items: None,
            max_items: None,
            unique_items: false,
            contains: None,
            min_contains: None,
            max_contains: None,
            items: None,
            additional_items: None,
            prefix_items: Vec::new(),
            items_2020: None,
            unevaluated_items: None,
            min_length: None,
            max_length: None,
            pattern: None,
            maximum: None,
            minimum: None,
            exclusive_maximum: None,
            exclusive_minimum: None,
            multiple_of: None,
        }
    }
}

/// How many schemas a metaschema may be made of: the ids of each draft's lie in a range of their own, below those of what is compiled.
const SPAN: usize = 1 << 16;

/// All schemas that can refer to each other, and the metaschemas below them.
#[derive(Debug)]
pub(super) struct Arena {
    /// The id of the first.
    base: Id,
    own: Vec<Schema>,
}

impl Arena {
    pub fn get(&self, id: Id) -> &Schema {
        match (id.checked_sub(self.base), META.get(id / SPAN)) {
            (None, Some(meta)) => &meta.arena.own[id % SPAN],
            (at, _) => &self.own[at.unwrap_or_default()],
        }
    }

    fn get_mut(&mut self, id: Id) -> &mut Schema {
        let base = self.base;
        &mut self.own[id - base]
    }

    fn push(&mut self, schema: Schema) -> Id {
        self.own.push(schema);
        self.base + self.own.len() - 1
    }
}

/// The metaschema of one draft and those of its vocabularies.
#[derive(Debug)]
struct Meta {
    arena: Arena,
    schema: Id,
    vocabs: HashMap<&'static str, Id>,
}

/// Each is compiled when a schema of its draft is met: most processes meet one draft.
static META: [LazyLock<Meta>; 5] = [
    LazyLock::new(|| Meta::compile(Draft::D4)),
    LazyLock::new(|| Meta::compile(Draft::D6)),
    LazyLock::new(|| Meta::compile(Draft::D7)),
    LazyLock::new(|| Meta::compile(Draft::D2019)),
    LazyLock::new(|| Meta::compile(Draft::D2020)),
];

impl Meta {
    fn of(draft: Draft) -> &'static Self {
        &META[draft as usize]
    }

    fn compile(draft: Draft) -> Self {
        let sources = Sources { files: false, fetch: None };
        let base = draft as usize * SPAN;
        let mut c = Compiler {
            arena: Arena { base, own: Vec::new() },
            by_place: HashMap::new(),
            roots: Roots::new(&sources),
            assert_format: true,
        };
        // They are part of the program and the tests compile them: there is no error to report. Were there one, the place would
        // be an empty schema.
        let mut compile = |url: &str| c.compile(url).unwrap_or(base);
        let schema = compile(draft.url());
        let url = |name: &str| format!("{}meta/{name}", draft.url().trim_end_matches("schema"));
        let vocabs = draft.vocabs().iter().map(|&name| (name, compile(&url(name)))).collect();
        Self { arena: c.arena, schema, vocabs }
    }
}

pub(super) struct Compiler<'s> {
    pub arena: Arena,
    by_place: HashMap<Place, Id>,
    pub roots: Roots<'s>,
    /// Formats are asserted whatever the draft says.
    assert_format: bool,
}

impl<'s> Compiler<'s> {
    pub fn new(sources: &'s Sources<'s>) -> Self {
        let arena = Arena { base: META.len() * SPAN, own: Vec::new() };
        Self { arena, by_place: HashMap::new(), roots: Roots::new(sources), assert_format: false }
    }

    /// Compiles the schema at an absolute URL, and all that it refers to.
    pub fn compile(&mut self, url: &str) -> Result<Id, String> {
        let (url, fragment) = split_fragment(url)?;
        let place = self.resolve_fragment(url, &fragment)?;
        let id = self.enqueue(place);
        // What is not compiled yet is a queue: the arena itself.
        let mut next = self.arena.own.iter().position(|s| !s.compiled).unwrap_or(self.arena.own.len());
        while next < self.arena.own.len() {
            if !self.arena.own[next].compiled {
                self.compile_at(self.arena.base + next)?;
            }
            next += 1;
        }
        Ok(id)
    }

    pub fn resolve_fragment(&mut self, url: &str, fragment: &str) -> Result<Place, String> {
        let root = self.or_load(url)?;
        root.resolve_fragment_in(fragment, root.resource(""))
    }

    fn enqueue(&mut self, place: Place) -> Id {
        if let Some(&id) = self.by_place.get(&place) {
            return id;
        }
        let id = self.arena.push(Schema::new(place.clone()));
        self.by_place.insert(place, id);
        id
    }

    fn compile_at(&mut self, id: Id) -> Result<(), String> {
        let place = self.arena.get(id).place.clone();
        self.ensure_subschema(&place)?;
        let root = self.or_load(&place.url)?;
        let doc = root.doc.clone();
        let value = place.lookup(&doc)?;
        let resource = root.resource(&place.ptr).clone();

        let mut s = Schema::new(place.clone());
        s.draft = resource.dialect.draft;
        s.compiled = true;
        s.resource = self.enqueue(Place::new(place.url.clone(), resource.ptr.clone()));
        if s.draft >= Draft::D2020 && s.resource == id {
            for (anchor, ptr) in &resource.anchors {
                if resource.dynamic_anchors.contains(anchor) {
                    let target = self.enqueue(Place::new(place.url.clone(), ptr.clone()));
                    s.dynamic_anchors.insert(anchor.clone(), target);
                }
            }
        }
        match value {
            Json::Bool(b) => s.boolean = Some(*b),
            Json::Object(o) if o.is_empty() => s.boolean = Some(true),
            Json::Object(o) => Object { c: self, obj: o, place, root, resource }.compile(&mut s)?,
            _ => {}
        }
        s.all_props_evaluated = s.additional_properties.is_some();
        if s.draft < Draft::D2020 {
            s.all_items_evaluated = s.additional_items.is_some();
            match &s.items {
                Some(Items::One(_)) => s.all_items_evaluated = true,
                Some(Items::Each(each)) => s.num_items_evaluated = each.len(),
                None => {}
            }
        } else {
            s.all_items_evaluated = s.items_2020.is_some();
            s.num_items_evaluated = s.prefix_items.len();
        }
        *self.arena.get_mut(id) = s;
        Ok(())
    }

    /// The metaschema of a dialect: the draft's own, or one made of the vocabularies that are required.
    pub fn metaschema(&mut self, resource: &Resource) -> Id {
        let draft = resource.dialect.draft;
        let Some(vocabs) = &resource.dialect.vocabs else {
            return Meta::of(draft).schema;
        };
        let mut s = Schema::new(Place::new(MADE, ""));
        s.draft = draft;
        s.compiled = true;
        s.all_of = vocabs.iter().filter_map(|v| Meta::of(draft).vocabs.get(v).copied()).collect();
        let id = self.arena.push(s);
        let s = self.arena.get_mut(id);
        s.resource = id;
        if draft >= Draft::D2020 {
            s.dynamic_anchor = "meta".into();
            s.dynamic_anchors.insert("meta".into(), id);
        }
        id
    }
}

/// Compiles one schema object.
struct Object<'c, 's, 'j> {
    c: &'c mut Compiler<'s>,
    obj: &'j BTreeMap<String, Json>,
    place: Place,
    root: Arc<Root>,
    resource: Resource,
}

impl Object<'_, '_, '_> {
    fn compile(mut self, s: &mut Schema) -> Result<(), String> {
        if s.draft < Draft::D2019 {
            let (_, fragment) = split(self.string(s.draft.id_keyword()));
            if decode(fragment).is_err() {
                return Err(format!("error in parsing anchor at {}", q(&self.place.text())));
            }
        }
        self.draft4(s)?;
        if s.draft >= Draft::D6 {
            if self.has_vocab("applicator") {
                s.contains = self.prop("contains");
                s.property_names = self.prop("propertyNames");
            }
            if self.has_vocab("validation") {
                s.constant = self.obj.get("const").cloned();
            }
        }
        if s.draft >= Draft::D7 && self.has_vocab("applicator") {
            s.if_ = self.prop("if");
            if s.if_.is_some() {
                let constant = self.obj.get("if").and_then(Json::as_bool);
                s.then = if constant == Some(false) { None } else { self.prop("then") };
                s.else_ = if constant == Some(true) { None } else { self.prop("else") };
            }
        }
        if s.draft >= Draft::D2019 {
            self.draft2019(s)?;
        }
        if s.draft >= Draft::D2020 {
            self.draft2020(s)?;
        }
        Ok(())
    }

    fn draft4(&mut self, s: &mut Schema) -> Result<(), String> {
        s.reference = self.reference("$ref")?;
        if s.draft < Draft::D2019 && s.reference.is_some() {
            // Beside $ref everything is ignored.
            return Ok(());
        }
        if self.has_vocab("applicator") {
            self.applicator(s)?;
        }
        if self.has_vocab("validation") {
            self.validation(s)?;
        }
        let asserted = self.c.assert_format
            || match s.draft {
                Draft::D2019 => self.has_vocab("format"),
                Draft::D2020 => self.has_vocab("format-assertion"),
                _ => true,
            };
        if asserted {
            s.format = self.obj.get("format").and_then(Json::as_str).and_then(format::known);
        }
        Ok(())
    }

    fn applicator(&mut self, s: &mut Schema) -> Result<(), String> {
        s.all_of = self.array("allOf");
        s.any_of = self.array("anyOf");
        s.one_of = self.array("oneOf");
        s.not = self.prop("not");
        if s.draft < Draft::D2020 {
            match self.obj.get("items") {
                Some(Json::Array(_)) => {
                    s.items = Some(Items::Each(self.array("items")));
                    s.additional_items = self.additional("additionalItems");
                }
                Some(_) => s.items = self.prop("items").map(Items::One),
                None => {}
            }
        }
        s.properties = self.map("properties");
        for (pattern, id) in self.map("patternProperties") {
            let regexp = self.regexp(&pattern, "patternProperties")?;
            s.pattern_properties.push((regexp, id));
        }
        s.additional_properties = self.additional("additionalProperties");
        if let Some(all) = self.obj.get("dependencies").and_then(Json::as_object) {
            for (name, v) in all {
                let dependency = match v {
                    Json::Array(a) => Dependency::Required(strings(a)),
                    _ => Dependency::Schema(self.below(&["dependencies", name])),
                };
                s.dependencies.insert(name.clone(), dependency);
            }
        }
        Ok(())
    }

    fn validation(&mut self, s: &mut Schema) -> Result<(), String> {
        s.types = self.obj.get("type").map(Types::parse).unwrap_or_default();
        if let Some(values) = self.obj.get("enum").and_then(Json::as_array) {
            let types = values.iter().fold(Types::default(), |t, v| t.or(Types::of(v)));
            s.enumeration = Some((values.to_vec(), types));
        }
        s.multiple_of = self.number("multipleOf");
        (s.maximum, s.exclusive_maximum) = self.bound("maximum", "exclusiveMaximum");
        (s.minimum, s.exclusive_minimum) = self.bound("minimum", "exclusiveMinimum");
        s.min_length = self.int("minLength");
        s.max_length = self.int("maxLength");
        if let Some(p) = self.obj.get("pattern").and_then(Json::as_str) {
            s.pattern = Some((self.regexp(p, "pattern")?, p.to_owned()));
        }
        s.min_items = self.int("minItems");
        s.max_items = self.int("maxItems");
        s.unique_items = self.boolean("uniqueItems");
        s.max_properties = self.int("maxProperties");
        s.min_properties = self.int("minProperties");
        s.required = self.obj.get("required").and_then(Json::as_array).map(strings).unwrap_or_default();
        Ok(())
    }

    fn draft2019(&mut self, s: &mut Schema) -> Result<(), String> {
        s.recursive_ref = self.reference("$recursiveRef")?;
        s.recursive_anchor = self.boolean("$recursiveAnchor");
        if self.has_vocab("validation") {
            if s.contains.is_some() {
                s.min_contains = self.int("minContains");
                s.max_contains = self.int("maxContains");
            }
            if let Some(all) = self.obj.get("dependentRequired").and_then(Json::as_object) {
                let lists = all.iter().filter_map(|(k, v)| Some((k.clone(), strings(v.as_array()?))));
                s.dependent_required = lists.collect();
            }
        }
        if self.has_vocab("applicator") {
            s.dependent_schemas = self.map("dependentSchemas");
        }
        if self.has_vocab(if s.draft == Draft::D2019 { "applicator" } else { "unevaluated" }) {
            s.unevaluated_items = self.prop("unevaluatedItems");
            s.unevaluated_properties = self.prop("unevaluatedProperties");
        }
        Ok(())
    }

    fn draft2020(&mut self, s: &mut Schema) -> Result<(), String> {
        if let Some(target) = self.reference("$dynamicRef")? {
            let (_, fragment) = split_fragment(self.string("$dynamicRef"))?;
            let anchor = if is_anchor(&fragment) { fragment } else { String::new() };
            s.dynamic_ref = Some((target, anchor));
        }
        s.dynamic_anchor = self.string("$dynamicAnchor").into();
        if self.has_vocab("applicator") {
            s.prefix_items = self.array("prefixItems");
            s.items_2020 = self.prop("items");
        }
        Ok(())
    }

    fn has_vocab(&self, name: &str) -> bool {
        self.resource.dialect.has_vocab(name)
    }

    fn below(&mut self, tokens: &[&str]) -> Id {
        let ptr = super::location::pointer_below(&self.place.ptr, tokens);
        self.c.enqueue(Place::new(self.place.url.clone(), ptr))
    }

    fn reference(&mut self, keyword: &str) -> Result<Option<Id>, String> {
        let Some(reference) = self.obj.get(keyword).and_then(Json::as_str) else {
            return Ok(None);
        };
        let (url, fragment) = join(&self.resource.id, reference)?;
        let place = match self.root.resolve(&url, &fragment)? {
            Some(place) => place,
            None => self.c.resolve_fragment(&url, &fragment)?,
        };
        Ok(Some(self.c.enqueue(place)))
    }

    fn prop(&mut self, keyword: &str) -> Option<Id> {
        self.obj.contains_key(keyword).then(|| self.below(&[keyword]))
    }

    fn array(&mut self, keyword: &str) -> Vec<Id> {
        let n = self.obj.get(keyword).and_then(Json::as_array).map_or(0, <[_]>::len);
        (0..n).map(|i| self.below(&[keyword, &i.to_string()])).collect()
    }

    fn map(&mut self, keyword: &str) -> BTreeMap<String, Id> {
        let Some(all) = self.obj.get(keyword).and_then(Json::as_object) else {
            return BTreeMap::new();
        };
        all.keys().map(|k| (k.clone(), self.below(&[keyword, k]))).collect()
    }

    fn additional(&mut self, keyword: &str) -> Option<Additional> {
        match self.obj.get(keyword)? {
            Json::Bool(b) => Some(Additional::Bool(*b)),
            _ => self.prop(keyword).map(Additional::Schema),
        }
    }

    fn regexp(&self, pattern: &str, keyword: &str) -> Result<Arc<Regexp>, String> {
        Regexp::cached(pattern.as_bytes())
            .map_err(|e| format!("invalid regex {} at {}: {e}", q(pattern), q(&self.place.keyword(keyword))))
    }

    fn boolean(&self, keyword: &str) -> bool {
        self.obj.get(keyword).and_then(Json::as_bool) == Some(true)
    }

    fn string(&self, keyword: &str) -> &str {
        self.obj.get(keyword).and_then(Json::as_str).unwrap_or_default()
    }

    fn number(&self, keyword: &str) -> Option<Decimal> {
        self.obj.get(keyword).and_then(Json::decimal)
    }

    fn int(&self, keyword: &str) -> Option<i64> {
        self.number(keyword).and_then(|n| n.to_i64())
    }

    /// A bound and its exclusive form, which in draft 4 is a flag.
    fn bound(&self, keyword: &str, exclusive: &str) -> (Option<Decimal>, Option<Decimal>) {
        let bound = self.number(keyword);
        if self.boolean(exclusive) { (None, bound) } else { (bound, self.number(exclusive)) }
    }
}

fn strings(a: &[Json]) -> Vec<String> {
    a.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}
