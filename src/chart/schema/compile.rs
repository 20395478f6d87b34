//! Schemas, compiled: keywords as fields, references as places in an arena.
//!
//! A port of `schema.go`, `compiler.go` and `objcompiler.go` of santhosh-tekuri/jsonschema 6.0.3. The drafts' own schemas are
//! compiled once for all and have the first ids of every arena.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use super::Sources;
use super::draft::Draft;
use super::format;
use super::json::{Decimal, Json};
use super::location::{Place, decode, is_anchor, join, q, split, split_fragment};
use super::members::Members;
use super::roots::{Resource, Root, Roots};
use super::rules::{Additional, Dependency, Id, Items, MADE, Schema};
use super::types::Types;
use crate::golang::regexp::Regexp;

/// How many schemas a metaschema may be made of: the ids of each draft's lie in a range of their own, below those of what is compiled.
const SPAN: usize = 1 << 16;

/// All schemas that can refer to each other, and the metaschemas below them.
#[derive(Debug)]
pub(super) struct Arena {
    /// The index of the first.
    base: usize,
    own: Vec<Schema>,
}

impl Arena {
    pub fn get(&self, id: Id) -> &Schema {
        let index = id.index();
        match (index.checked_sub(self.base), META.get(index / SPAN)) {
            (None, Some(meta)) => &meta.arena.own[index % SPAN],
            (at, _) => &self.own[at.unwrap_or_default()],
        }
    }

    fn get_mut(&mut self, id: Id) -> &mut Schema {
        let base = self.base;
        &mut self.own[id.index() - base]
    }

    fn push(&mut self, schema: Schema) -> Id {
        self.own.push(schema);
        Id::new(self.base + self.own.len() - 1)
    }
}

/// The metaschema of one draft and those of its vocabularies.
#[derive(Debug)]
struct Meta {
    arena: Arena,
    schema: Id,
    vocabs: HashMap<&'static str, Id>,
}

/// Each is compiled when a schema of its draft is met that is not plainly right: in most processes none is.
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
        let mut compile = |url: &str| c.compile(url).unwrap_or(Id::new(base));
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
                self.compile_at(Id::new(self.arena.base + next))?;
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
        let value = place.lookup(&root.doc)?;
        let resource = root.resource(&place.ptr);

        let mut s = Schema::new(place.clone());
        s.draft = resource.dialect.draft;
        s.compiled = true;
        s.resource = self.enqueue(Place::new(place.url.clone(), resource.ptr.clone()));
        if s.draft >= Draft::D2020 && s.resource == id {
            for (anchor, ptr) in &resource.anchors {
                if resource.dynamic_anchors.contains(anchor) {
                    let target = self.enqueue(Place::new(place.url.clone(), ptr.clone()));
                    s.dynamic.get_or_insert_default().anchors.insert(anchor.clone(), target);
                }
            }
        }
        match value {
            Json::Bool(b) => s.boolean = Some(*b),
            Json::Object(o) if o.is_empty() => s.boolean = Some(true),
            Json::Object(o) => Object { c: self, obj: o, place, root: &root, resource }.compile(&mut s)?,
            _ => {}
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
        s.logic.get_or_insert_default().all_of =
            vocabs.iter().filter_map(|v| Meta::of(draft).vocabs.get(v).copied()).collect();
        let id = self.arena.push(s);
        let s = self.arena.get_mut(id);
        s.resource = id;
        if draft >= Draft::D2020 {
            let dynamic = s.dynamic.get_or_insert_default();
            dynamic.anchor = "meta".into();
            dynamic.anchors.insert("meta".into(), id);
        }
        id
    }
}

/// Compiles one schema object.
struct Object<'c, 's, 'j> {
    c: &'c mut Compiler<'s>,
    obj: &'j Members<Json>,
    place: Place,
    root: &'j Root,
    resource: &'j Resource,
}

impl Object<'_, '_, '_> {
    fn compile(mut self, s: &mut Schema) -> Result<(), String> {
        if s.draft < Draft::D2019 {
            let (_, fragment) = split(self.string(s.draft.id_keyword()));
            if decode(fragment).is_err() {
                return Err(format!("error in parsing anchor at {}", q(&self.place.text())));
            }
        }
        s.make_room(self.obj.keys());
        self.draft4(s)?;
        if s.draft >= Draft::D6 {
            if self.has_vocab("applicator") {
                if let Some(array) = &mut s.array {
                    array.contains = self.prop("contains");
                }
                if let Some(object) = &mut s.object {
                    object.property_names = self.prop("propertyNames");
                }
            }
            if let Some(choice) = &mut s.choice
                && self.has_vocab("validation")
            {
                choice.constant = self.obj.get("const").cloned();
            }
        }
        if s.draft >= Draft::D7
            && let Some(logic) = &mut s.logic
            && self.has_vocab("applicator")
        {
            logic.if_ = self.prop("if");
            if logic.if_.is_some() {
                let constant = self.obj.get("if").and_then(Json::as_bool);
                logic.then = if constant == Some(false) { None } else { self.prop("then") };
                logic.else_ = if constant == Some(true) { None } else { self.prop("else") };
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
        if let Some(logic) = &mut s.logic {
            logic.all_of = self.array("allOf");
            logic.any_of = self.array("anyOf");
            logic.one_of = self.array("oneOf");
            logic.not = self.prop("not");
        }
        if s.draft < Draft::D2020
            && let Some(array) = &mut s.array
        {
            match self.obj.get("items") {
                Some(Json::Array(_)) => {
                    array.items = Some(Items::Each(self.array("items")));
                    array.additional_items = self.additional("additionalItems");
                }
                Some(_) => array.items = self.prop("items").map(Items::One),
                None => {}
            }
        }
        let Some(object) = &mut s.object else {
            return Ok(());
        };
        object.properties = self.map("properties");
        for (pattern, id) in self.map("patternProperties").iter() {
            let regexp = self.regexp(pattern, "patternProperties")?;
            object.pattern_properties.push((regexp, *id));
        }
        object.additional_properties = self.additional("additionalProperties");
        if let Some(all) = self.obj.get("dependencies").and_then(Json::as_object) {
            object.dependencies = all.map(|name, v| match v {
                Json::Array(a) => Dependency::Required(strings(a)),
                _ => Dependency::Schema(self.below(&["dependencies", name])),
            });
        }
        Ok(())
    }

    fn validation(&mut self, s: &mut Schema) -> Result<(), String> {
        s.types = self.obj.get("type").map_or(Types::NONE, Types::parse);
        if let Some(choice) = &mut s.choice
            && let Some(values) = self.obj.get("enum").and_then(Json::as_array)
        {
            let types = values.iter().fold(Types::NONE, |t, v| t.or(Types::of(v)));
            choice.enumeration = Some((values.to_vec(), types));
        }
        if let Some(number) = &mut s.number {
            number.multiple_of = self.number("multipleOf");
            (number.maximum, number.exclusive_maximum) = self.bound("maximum", "exclusiveMaximum");
            (number.minimum, number.exclusive_minimum) = self.bound("minimum", "exclusiveMinimum");
        }
        if let Some(string) = &mut s.string {
            string.min_length = self.int("minLength");
            string.max_length = self.int("maxLength");
            if let Some(p) = self.obj.get("pattern").and_then(Json::as_str) {
                string.pattern = Some((self.regexp(p, "pattern")?, p.to_owned()));
            }
        }
        if let Some(array) = &mut s.array {
            array.min_items = self.int("minItems");
            array.max_items = self.int("maxItems");
            array.unique_items = self.boolean("uniqueItems");
        }
        if let Some(object) = &mut s.object {
            object.max_properties = self.int("maxProperties");
            object.min_properties = self.int("minProperties");
            object.required = self.obj.get("required").and_then(Json::as_array).map(strings).unwrap_or_default();
        }
        Ok(())
    }

    fn draft2019(&mut self, s: &mut Schema) -> Result<(), String> {
        if let Some(dynamic) = &mut s.dynamic {
            dynamic.recursive_ref = self.reference("$recursiveRef")?;
            dynamic.recursive_anchor = self.boolean("$recursiveAnchor");
        }
        if self.has_vocab("validation") {
            if let Some(array) = &mut s.array
                && array.contains.is_some()
            {
                array.min_contains = self.int("minContains");
                array.max_contains = self.int("maxContains");
            }
            if let Some(object) = &mut s.object
                && let Some(all) = self.obj.get("dependentRequired").and_then(Json::as_object)
            {
                let lists = all.iter().filter_map(|(k, v)| Some((k.clone(), strings(v.as_array()?))));
                object.dependent_required = lists.collect();
            }
        }
        if let Some(object) = &mut s.object
            && self.has_vocab("applicator")
        {
            object.dependent_schemas = self.map("dependentSchemas");
        }
        if self.has_vocab(if s.draft == Draft::D2019 { "applicator" } else { "unevaluated" }) {
            if let Some(array) = &mut s.array {
                array.unevaluated_items = self.prop("unevaluatedItems");
            }
            if let Some(object) = &mut s.object {
                object.unevaluated_properties = self.prop("unevaluatedProperties");
            }
        }
        Ok(())
    }

    fn draft2020(&mut self, s: &mut Schema) -> Result<(), String> {
        if let Some(dynamic) = &mut s.dynamic {
            if let Some(target) = self.reference("$dynamicRef")? {
                let (_, fragment) = split_fragment(self.string("$dynamicRef"))?;
                let anchor = if is_anchor(&fragment) { fragment } else { String::new() };
                dynamic.reference = Some((target, anchor));
            }
            dynamic.anchor = self.string("$dynamicAnchor").into();
        }
        if let Some(array) = &mut s.array
            && self.has_vocab("applicator")
        {
            array.prefix_items = self.array("prefixItems");
            array.items_2020 = self.prop("items");
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

    fn array(&mut self, keyword: &str) -> Box<[Id]> {
        let n = self.obj.get(keyword).and_then(Json::as_array).map_or(0, <[_]>::len);
        (0..n).map(|i| self.below(&[keyword, &i.to_string()])).collect()
    }

    fn map(&mut self, keyword: &str) -> Members<Id> {
        let all = self.obj.get(keyword).and_then(Json::as_object);
        all.map(|all| all.map(|name, _| self.below(&[keyword, name]))).unwrap_or_default()
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

fn strings(a: &[Json]) -> Box<[Arc<str>]> {
    a.iter().filter_map(|v| if let Json::String(s) = v { Some(s.clone()) } else { None }).collect()
}
