//! Documents: how they are found, which schemas in them have ids and anchors, and that they satisfy their metaschema.
//!
//! A port of `root.go`, `roots.go` and `loader.go` of santhosh-tekuri/jsonschema 6.0.3.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::Sources;
use super::compile::Compiler;
use super::draft::{Dialect, Draft, metaschema};
use super::json::Json;
use super::location::{Place, encode, is_anchor, join, parse_url_error, q, split, split_fragment};
use super::plain::is_plain;
use super::rules::Id;
use super::validate::validate_meta;
use crate::diagnostic::LogLine;
use crate::golang::url::Url;

/// A schema with an id of its own, and the anchors below it.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub ptr: Arc<str>,
    pub id: Arc<str>,
    pub dialect: Dialect,
    pub anchors: BTreeMap<String, Arc<str>>,
    pub dynamic_anchors: BTreeSet<String>,
}

/// A document.
#[derive(Clone, Debug)]
pub(super) struct Root {
    url: Arc<str>,
    pub doc: Arc<Json>,
    /// By pointer.
    resources: BTreeMap<Arc<str>, Resource>,
    processed: HashSet<Arc<str>>,
}

impl Root {
    /// The resource that the schema at a pointer belongs to. Every document has one at its root.
    pub fn resource(&self, ptr: &str) -> &Resource {
        let mut ptr = ptr;
        loop {
            if let Some(r) = self.resources.get(ptr) {
                return r;
            }
            match ptr.rfind('/') {
                Some(slash) => ptr = &ptr[..slash],
                // `collect_resources` puts it there first of all.
                None => return &self.resources[""],
            }
        }
    }

    pub fn resolve_fragment_in(&self, fragment: &str, resource: &Resource) -> Result<Place, String> {
        if !is_anchor(fragment) {
            return Ok(Place::new(self.url.clone(), format!("{}{fragment}", resource.ptr)));
        }
        match resource.anchors.get(fragment) {
            Some(ptr) => Ok(Place::new(self.url.clone(), ptr.clone())),
            None => {
                let reference = format!("{}#{}", resource.id, encode(fragment));
                Err(format!("anchor in {} not found in schema {}", q(&reference), q(&self.url)))
            }
        }
    }

    /// The place in this document; `None` if the URL is another's.
    pub fn resolve(&self, url: &str, fragment: &str) -> Result<Option<Place>, String> {
        let resource =
            if *url == *self.url { Some(self.resource("")) } else { self.resources.values().find(|r| *r.id == *url) };
        resource.map(|r| self.resolve_fragment_in(fragment, r)).transpose()
    }

    fn collect_anchors(&mut self, schema: &Json, ptr: &Arc<str>, resource: &str) -> Result<(), String> {
        let (Some(obj), Some(r)) = (schema.as_object(), self.resources.get_mut(resource)) else {
            return Ok(());
        };
        let url = &self.url;
        let add = |r: &mut Resource, anchor: &str| match r.anchors.get(anchor) {
            Some(other) if **other != **ptr => {
                Err(format!("duplicate anchor {} in {} at {} and {}", q(anchor), q(url), q(other), q(ptr)))
            }
            _ => {
                r.anchors.insert(anchor.into(), ptr.clone());
                Ok(())
            }
        };
        let string = |k: &str| obj.get(k).and_then(Json::as_str);
        let draft = r.dialect.draft;
        if draft < Draft::D2019 {
            if obj.contains_key("$ref") {
                return Ok(());
            }
            if let Some(id) = string(draft.id_keyword()) {
                let (_, fragment) = split_fragment(id).map_err(|_| {
                    format!("error in parsing anchor at {}", q(&Place::new(url.clone(), ptr.clone()).text()))
                })?;
                if is_anchor(&fragment) {
                    add(r, &fragment)?;
                }
            }
        } else if let Some(anchor) = string("$anchor") {
            add(r, anchor)?;
        }
        if draft >= Draft::D2020
            && let Some(anchor) = string("$dynamicAnchor")
        {
            add(r, anchor)?;
            r.dynamic_anchors.insert(anchor.into());
        }
        Ok(())
    }
}

/// The documents of a compilation.
pub(super) struct Roots<'s> {
    sources: &'s Sources<'s>,
    docs: HashMap<String, Arc<Json>>,
    roots: HashMap<String, Arc<Root>>,
    pub warnings: Vec<LogLine>,
}

impl<'s> Roots<'s> {
    pub fn new(sources: &'s Sources<'s>) -> Self {
        Self { sources, docs: HashMap::new(), roots: HashMap::new(), warnings: Vec::new() }
    }

    pub fn add(&mut self, url: &str, doc: Json) {
        self.docs.insert(url.into(), Arc::new(doc));
    }

    fn load(&mut self, url: &str) -> Result<Arc<Json>, String> {
        if let Some(doc) = self.docs.get(url) {
            return Ok(doc.clone());
        }
        let doc = match metaschema(url) {
            Some(text) => Json::parse(text.as_bytes())?,
            None => self.fetch(url).map_err(|e| format!("failing loading {}: {e}", q(url)))?,
        };
        let doc = Arc::new(doc);
        self.docs.insert(url.into(), doc.clone());
        Ok(doc)
    }

    fn fetch(&mut self, url: &str) -> Result<Json, String> {
        let parsed = Url::parse(url.as_bytes())?;
        match parsed.scheme.as_slice() {
            b"file" if self.sources.files => {
                let path = String::from_utf8_lossy(&parsed.path).into_owned();
                let text =
                    crate::chart::directory::read_file(&path).map_err(|e| format!("open {path}: {}", os_error(&e)))?;
                Json::parse(&text)
            }
            b"file" => Err("reading files is off here".into()),
            b"http" | b"https" => match self.sources.fetch {
                Some(fetch) => Json::parse(&fetch(url)?),
                None => {
                    Err("the network is off here; put the schema beside the chart or skip schema validation".into())
                }
            },
            b"urn" => {
                let message = "unresolved URN reference ignored; using permissive schema";
                self.warnings.push(LogLine::warn(message).with("urn", url));
                Ok(Json::Bool(true))
            }
            _ => {
                let url = String::from_utf8_lossy(&parsed.encoded()).into_owned();
                Err(format!("no URLLoader registered for {}", q(&url)))
            }
        }
    }

    /// The draft of a schema: what its `$schema` names, also through other metaschemas.
    fn draft_of(&mut self, place: &Place, schema: &Json, default: Draft) -> Result<Draft, String> {
        let mut seen = HashSet::new();
        let (mut place, mut doc) = (place.clone(), None::<Arc<Json>>);
        loop {
            let current = doc.as_deref().unwrap_or(schema);
            let Some(url) = current.as_object().and_then(|o| o.get("$schema")).and_then(Json::as_str) else {
                return Ok(default);
            };
            if let Some(draft) = Draft::from_url(url) {
                return Ok(draft);
            }
            let url = split(url).0.to_owned();
            if let Err(e) = Url::parse(url.as_bytes()) {
                return Err(format!("invalid $schema in {}: {e}", q(&place.text())));
            }
            if place.ptr.is_empty() && *url == *place.url {
                return Err(format!("draft {} is not supported", q(&url)));
            }
            if !seen.insert(url.clone()) {
                return Err(format!("cycle in resolving $schema in {}", q(&url)));
            }
            doc = Some(self.load(&url)?);
            place = Place::new(url, "");
        }
    }

    /// The vocabularies that the metaschema of a schema requires.
    fn vocabs_of(&mut self, schema: &Json, draft: Draft) -> Result<Option<Vec<&'static str>>, String> {
        let Some(url) = schema.as_object().and_then(|o| o.get("$schema")).and_then(Json::as_str) else {
            return Ok(None);
        };
        if Draft::from_url(url).is_some() {
            return Ok(None);
        }
        let url = split(url).0;
        Url::parse(url.as_bytes()).map_err(|e| parse_url_error(url, &e))?;
        let doc = self.load(url)?;
        draft.required_vocabs(url, &doc)
    }

    fn collect_resources(
        &mut self,
        r: &mut Root,
        schema: &Json,
        base: &Arc<str>,
        ptr: &Arc<str>,
        fallback: &Dialect,
    ) -> Result<(), String> {
        if !r.processed.insert(ptr.clone()) {
            return Ok(());
        }
        let resource = |id: &Arc<str>, dialect: Dialect| Resource {
            ptr: ptr.clone(),
            id: id.clone(),
            dialect,
            anchors: BTreeMap::new(),
            dynamic_anchors: BTreeSet::new(),
        };
        let Some(obj) = schema.as_object() else {
            if ptr.is_empty() {
                r.resources.insert(ptr.clone(), resource(base, fallback.clone()));
            }
            return Ok(());
        };
        let place = Place::new(r.url.clone(), ptr.clone());
        let mut has_schema = obj.get("$schema").is_some_and(|s| s.as_str().is_some());
        let mut draft = self.draft_of(&place, schema, fallback.draft)?;
        let mut id = draft.id(obj);
        if id.is_none() && !ptr.is_empty() {
            // Then its $schema is ignored.
            draft = fallback.draft;
            has_schema = false;
            id = draft.id(obj);
        }
        let mut base = base.clone();
        if let Some(id) = id {
            base = join(&base, id).map_err(|_| format!("error in parsing id at {}", q(&place.text())))?.0.into();
        }
        if id.is_some() || ptr.is_empty() {
            match r.resources.values().find(|other| other.id == base) {
                Some(other) if other.ptr != *ptr => {
                    return Err(format!(
                        "duplicate id {} in {} at {} and {}",
                        q(&base),
                        q(&r.url),
                        q(ptr),
                        q(&other.ptr)
                    ));
                }
                Some(_) => {}
                None => {
                    let dialect = if has_schema {
                        Dialect { draft, vocabs: self.vocabs_of(schema, draft)? }
                    } else {
                        fallback.clone()
                    };
                    r.resources.insert(ptr.clone(), resource(&base, dialect));
                }
            }
        }
        let Some(of_base) = r.resources.values().find(|other| other.id == base) else {
            return Err("baseres is nil".into());
        };
        let (above, dialect) = (of_base.ptr.clone(), of_base.dialect.clone());
        r.collect_anchors(schema, ptr, &above)?;
        for (ptr, v) in draft.subschemas(schema, ptr) {
            self.collect_resources(r, v, &base, &ptr, &dialect)?;
        }
        Ok(())
    }
}

/// The system's words without Rust's number behind them, as Go prints them.
fn os_error(e: &std::io::Error) -> String {
    let text = e.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}

impl Compiler<'_> {
    pub fn or_load(&mut self, url: &str) -> Result<Arc<Root>, String> {
        if let Some(r) = self.roots.roots.get(url) {
            return Ok(r.clone());
        }
        let doc = self.roots.load(url)?;
        let mut root =
            Root { url: url.into(), doc: doc.clone(), resources: BTreeMap::new(), processed: HashSet::new() };
        let base = root.url.clone();
        let latest = Dialect { draft: Draft::D2020, vocabs: None };
        self.roots.collect_resources(&mut root, &doc, &base, &"".into(), &latest)?;
        if !url.starts_with("http://json-schema.org/") && !url.starts_with("https://json-schema.org/") {
            self.validate_schema(&root, &doc, "")?;
        }
        let root = Arc::new(root);
        self.roots.roots.insert(url.into(), root.clone());
        Ok(root)
    }

    /// What a reference names may lie where no keyword expects a schema: then it becomes one now.
    pub fn ensure_subschema(&mut self, place: &Place) -> Result<(), String> {
        let root = self.or_load(&place.url)?;
        if root.processed.contains(&place.ptr) {
            return Ok(());
        }
        let doc = root.doc.clone();
        let v = place.lookup(&doc)?;
        let mut root = (*root).clone();
        let base = root.resource(&place.ptr).clone();
        self.roots.collect_resources(&mut root, v, &base.id, &place.ptr, &base.dialect)?;
        if !root.resources.contains_key(&place.ptr) {
            let resource = root.resource(&place.ptr).ptr.clone();
            root.collect_anchors(v, &place.ptr, &resource)?;
        }
        self.validate_schema(&root, v, &place.ptr)?;
        self.roots.roots.insert((*place.url).into(), Arc::new(root));
        Ok(())
    }

    fn validate_schema(&mut self, root: &Root, v: &Json, ptr: &str) -> Result<(), String> {
        let draft = root.resource("").dialect.draft;
        let one_draft = root.resources.values().all(|r| r.dialect.draft == draft && r.dialect.vocabs.is_none());
        if one_draft && is_plain(v, draft) {
            return Ok(());
        }
        let metaschemas: HashMap<Arc<str>, Id> =
            root.resources.iter().map(|(ptr, r)| (ptr.clone(), self.metaschema(r))).collect();
        let meta = metaschemas.get(&root.resource(ptr).ptr).copied().unwrap_or(Id::FIRST);
        validate_meta(&self.arena, meta, v, &metaschemas).map_err(|violation| {
            let place = Place::new(root.url.clone(), ptr);
            format!("{} is not valid against metaschema: {}", q(&place.text()), violation.print())
        })
    }
}
