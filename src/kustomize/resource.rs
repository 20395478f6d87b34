//! An object on its way through a build: its node, and what it was before.
//!
//! kustomize keeps notes on an object in its annotations (`internal.config.kubernetes.io/…`): names that it had, prefixes that it
//! got, whether a hash is wanted. They are kept there here too, because patches and selectors of a build can see them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::{Error, Result};
use super::given::Given;
use super::ids::{Gvk, Id};
use super::lookup;
use super::node::{Kind, Node, Style, Tag};

pub const PREVIOUS_KINDS: &str = "internal.config.kubernetes.io/previousKinds";
pub const PREVIOUS_NAMES: &str = "internal.config.kubernetes.io/previousNames";
pub const PREFIXES: &str = "internal.config.kubernetes.io/prefixes";
pub const SUFFIXES: &str = "internal.config.kubernetes.io/suffixes";
pub const PREVIOUS_NAMESPACES: &str = "internal.config.kubernetes.io/previousNamespaces";
pub const ALLOW_NAME_CHANGE: &str = "internal.config.kubernetes.io/allowNameChange";
pub const ALLOW_KIND_CHANGE: &str = "internal.config.kubernetes.io/allowKindChange";
pub const BEHAVIOR: &str = "internal.config.kubernetes.io/generatorBehavior";
pub const NEEDS_HASH: &str = "internal.config.kubernetes.io/needsHashSuffix";
pub const ORIGIN: &str = "config.kubernetes.io/origin";
pub const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";
pub const LOCAL_CONFIG: &str = "config.kubernetes.io/local-config";

/// The notes, which never reach the output.
const BUILD_ANNOTATIONS: [&str; 19] = [
    PREVIOUS_KINDS,
    PREVIOUS_NAMES,
    PREFIXES,
    SUFFIXES,
    PREVIOUS_NAMESPACES,
    ALLOW_NAME_CHANGE,
    ALLOW_KIND_CHANGE,
    "internal.config.kubernetes.io/refBy",
    BEHAVIOR,
    NEEDS_HASH,
    "internal.config.kubernetes.io/path",
    "internal.config.kubernetes.io/index",
    "internal.config.kubernetes.io/seqindent",
    "internal.config.kubernetes.io/id",
    "internal.config.kubernetes.io/annotations-migration-resource-id",
    "config.kubernetes.io/path",
    "config.kubernetes.io/index",
    "config.k8s.io/id",
    "internal.config.kubernetes.io/helm-generated",
];

/// Labels or annotations.
pub type Pairs = BTreeMap<String, String>;

/// Where an object was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// A path in the tree; of generated objects that of the kustomization file.
    pub file: Arc<str>,
    /// 1-based; 0 if there is no line to name.
    pub line: u32,
}

#[derive(Clone, Debug, Default)]
pub struct Resource {
    pub node: Node,
    /// Names of the vars that read from this object.
    pub vars: Vec<String>,
    pub source: Source,
    /// Who else gave it something, in order.
    pub given: Vec<Given>,
}

fn metadata(node: &Node) -> Option<&Node> {
    let at = node.field_index("metadata")?;
    node.content.get(at).filter(|m| !m.is_empty())
}

fn metadata_text<'n>(node: &'n Node, field: &str) -> &'n str {
    let Some(metadata) = metadata(node) else { return "" };
    match metadata.field_index(field).and_then(|at| metadata.content.get(at)) {
        Some(value) if !value.is_empty() => &value.value,
        _ => "",
    }
}

pub fn name(node: &Node) -> &str {
    metadata_text(node, "name")
}

pub fn namespace(node: &Node) -> &str {
    metadata_text(node, "namespace")
}

fn top_text<'n>(node: &'n Node, field: &str) -> &'n str {
    node.field_index(field).and_then(|at| node.content.get(at)).map_or("", |n| &n.value)
}

pub fn kind(node: &Node) -> &str {
    top_text(node, "kind")
}

pub fn gvk(node: &Node) -> Gvk {
    Gvk::new(top_text(node, "apiVersion"), kind(node))
}

/// One annotation's text.
pub fn annotation<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    let metadata = metadata(node)?;
    let annotations = metadata.content.get(metadata.field_index("annotations")?)?;
    annotations.content.get(annotations.field_index(key)?).map(|n| n.value.as_str())
}

/// `metadata.labels` or `metadata.annotations` as texts.
pub fn pairs(node: &Node, field: &str) -> Pairs {
    let Some(map) = metadata(node).and_then(|m| m.content.get(m.field_index(field)?)) else { return Pairs::new() };
    map.fields().map(|(k, v)| (k.value.clone(), v.value.clone())).collect()
}

/// Sets `metadata.labels` or `metadata.annotations` as a whole: sorted, all values strings; none at all removes the field.
pub fn set_pairs(node: &mut Node, field: &str, pairs: &Pairs) -> Result<()> {
    let Some(metadata) = lookup::get_or_create(node, &["metadata"], Kind::Mapping)? else { return Ok(()) };
    super::node::expect(metadata, Kind::Mapping)?;
    metadata.clear(field);
    if pairs.is_empty() {
        return Ok(());
    }
    let Some(map) = lookup::get_or_create(metadata, &[field], Kind::Mapping)? else { return Ok(()) };
    for (key, value) in pairs {
        map.set_field(key, Node::string(value.as_str()))?;
    }
    Ok(())
}

/// Sets one annotation (`SetAnnotation`): single quotes, an empty map before is dropped.
pub fn set_annotation(node: &mut Node, key: &str, value: &str) -> Result<()> {
    let mut text = Node::string(value);
    text.style = Style::Single;
    if let Some(metadata) = node.field_mut("metadata") {
        clear_if_empty(metadata, "annotations")?;
    }
    clear_if_empty(node, "metadata")?;
    add_metadata(node, "annotations", key, text)
}

/// Sets one label (`SetLabel`).
pub fn set_label(node: &mut Node, key: &str, value: &str) -> Result<()> {
    let mut text = Node::string(value);
    text.style = Style::Single;
    add_metadata(node, "labels", key, text)
}

fn add_metadata(node: &mut Node, field: &str, key: &str, value: Node) -> Result<()> {
    match lookup::get_or_create(node, &["metadata", field], Kind::Mapping)? {
        Some(map) => Ok(map.set_field(key, value)?),
        None => Ok(()),
    }
}

fn clear_if_empty(node: &mut Node, field: &str) -> Result<()> {
    super::node::expect(node, Kind::Mapping)?;
    if node.field_index(field).and_then(|at| node.content.get(at)).is_some_and(|n| n.content.is_empty()) {
        node.clear(field);
    }
    Ok(())
}

/// The ids that an object had, oldest first (`utils.PrevIds`).
pub fn previous_ids(node: &Node) -> Result<Vec<Id>> {
    let Some(names) = annotation(node, PREVIOUS_NAMES) else { return Ok(Vec::new()) };
    let names: Vec<&str> = names.split(',').collect();
    let namespaces: Vec<&str> = annotation(node, PREVIOUS_NAMESPACES).unwrap_or_default().split(',').collect();
    let kinds: Vec<&str> = annotation(node, PREVIOUS_KINDS).unwrap_or_default().split(',').collect();
    if names.len() != namespaces.len() || names.len() != kinds.len() {
        return Err(
            "number of previous names, number of previous namespaces, number of previous kinds not equal".into()
        );
    }
    let gvk = gvk(node);
    let id = |((name, namespace), kind): ((&&str, &&str), &&str)| Id {
        gvk: Gvk { kind: (*kind).to_owned(), ..gvk.clone() },
        name: (*name).to_owned(),
        namespace: (*namespace).to_owned(),
        cluster: false,
    };
    Ok(names.iter().zip(&namespaces).zip(&kinds).map(id).collect())
}

/// The id that a node has now.
pub fn current_id(node: &Node) -> Id {
    Id::new(gvk(node), name(node), namespace(node))
}

impl Resource {
    pub fn new(node: Node, source: Source) -> Self {
        Self { node, vars: Vec::new(), source, given: Vec::new() }
    }

    pub fn id(&self) -> Id {
        current_id(&self.node)
    }

    pub fn previous_ids(&self) -> Result<Vec<Id>> {
        previous_ids(&self.node)
    }

    /// The first id that the object had (`OrgId`).
    pub fn original_id(&self) -> Result<Id> {
        Ok(self.previous_ids()?.into_iter().next().unwrap_or_else(|| self.id()))
    }

    /// True if the object was patched away.
    pub fn is_empty(&self) -> bool {
        self.node.is_empty()
    }

    pub fn is_enabled(&self, annotation_key: &str) -> bool {
        annotation(&self.node, annotation_key) == Some("enabled")
    }

    pub fn enable(&mut self, key: &str) -> Result<()> {
        self.set_note(key, "enabled")
    }

    /// Sets an annotation through the whole map.
    pub fn set_note(&mut self, key: &str, value: &str) -> Result<()> {
        let mut annotations = pairs(&self.node, "annotations");
        annotations.insert(key.to_owned(), value.to_owned());
        set_pairs(&mut self.node, "annotations", &annotations)
    }

    /// The texts of a note that is a list.
    pub fn list(&self, key: &str) -> Vec<&str> {
        annotation(&self.node, key).map(|v| v.split(',').collect()).unwrap_or_default()
    }

    /// Adds to a note that is a list.
    pub fn append(&mut self, key: &str, value: &str) -> Result<()> {
        if value.is_empty() {
            return Ok(());
        }
        let text = match annotation(&self.node, key) {
            Some(old) => format!("{old},{value}"),
            None => value.to_owned(),
        };
        set_annotation(&mut self.node, key, &text)
    }

    /// Notes the current id among the previous ones.
    pub fn store_previous_id(&mut self) -> Result<()> {
        let id = self.id();
        self.append(PREVIOUS_NAMES, &id.name)?;
        self.append(PREVIOUS_NAMESPACES, id.effective_namespace())?;
        self.append(PREVIOUS_KINDS, &id.gvk.kind)
    }

    pub fn set_name(&mut self, name: &str) -> Result<()> {
        Ok(self.node.set_path(&["metadata", "name"], Node::scalar(name))?)
    }

    pub fn set_namespace(&mut self, namespace: &str) -> Result<()> {
        if namespace.is_empty() {
            if let Some(metadata) = lookup::get_mut(&mut self.node, &["metadata"])? {
                super::node::expect(metadata, Kind::Mapping)?;
                metadata.clear("namespace");
            }
            return Ok(());
        }
        Ok(self.node.set_path(&["metadata", "namespace"], Node::scalar(namespace))?)
    }

    pub fn set_kind(&mut self, kind: &str) -> Result<()> {
        Ok(self.node.set_path(&["kind"], Node::scalar(kind))?)
    }

    pub fn set_gvk(&mut self, gvk: &Gvk) -> Result<()> {
        self.set_kind(&gvk.kind)?;
        Ok(self.node.set_path(&["apiVersion"], Node::scalar(gvk.api_version()))?)
    }

    /// Takes labels, annotations, name and namespace of another object; own labels and annotations win, but not own notes
    /// (`CopyMergeMetaDataFieldsFrom`).
    pub fn copy_metadata_from(&mut self, other: &Self) -> Result<()> {
        let mut labels = pairs(&other.node, "labels");
        labels.extend(pairs(&self.node, "labels"));
        set_pairs(&mut self.node, "labels", &labels)?;
        let own = pairs(&self.node, "annotations");
        let theirs = pairs(&other.node, "annotations");
        let wants_hash = own.contains_key(NEEDS_HASH);
        let mut merged = theirs.clone();
        merged.extend(own);
        for note in BUILD_ANNOTATIONS {
            match theirs.get(note) {
                Some(value) => merged.insert(note.to_owned(), value.clone()),
                None => merged.remove(note),
            };
        }
        if !wants_hash {
            merged.remove(NEEDS_HASH);
        }
        set_pairs(&mut self.node, "annotations", &merged)?;
        self.set_name(name(&other.node))?;
        self.set_namespace(namespace(&other.node))?;
        self.vars = other.vars.clone();
        Ok(())
    }

    /// `data` or `binaryData` as texts.
    fn data(&self, field: &str) -> Pairs {
        let map = self.node.field(field);
        map.into_iter().flat_map(Node::fields).map(|(k, v)| (k.text().to_owned(), v.text().to_owned())).collect()
    }

    /// Own data over another object's (`MergeDataMapFrom`, `MergeBinaryDataMapFrom`).
    pub fn merge_data_from(&mut self, other: &Self) -> Result<()> {
        let own: Vec<Pairs> = ["data", "binaryData"].map(|field| self.data(field)).into();
        let is_mine = |key: &str| own.iter().any(|data| data.contains_key(key));
        let theirs = other.given.iter().filter(|given| !matches!(given, Given::File { key, .. } if is_mine(key)));
        self.given.splice(0..0, theirs.cloned());
        for field in ["data", "binaryData"] {
            let mut merged = other.data(field);
            merged.extend(self.data(field));
            super::node::expect(&self.node, Kind::Mapping)?;
            self.node.clear(field);
            for (key, value) in &merged {
                load_data(&mut self.node, field, key, value.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Removes kustomize's notes. Annotations are written anew on the way, so that all are strings.
    pub fn remove_notes(&mut self) -> Result<()> {
        let mut annotations = pairs(&self.node, "annotations");
        if annotations.is_empty() {
            return Ok(());
        }
        for note in BUILD_ANNOTATIONS {
            annotations.remove(note);
        }
        set_pairs(&mut self.node, "annotations", &annotations)
    }

    pub fn remove_annotation(&mut self, key: &str) -> Result<()> {
        let mut annotations = pairs(&self.node, "annotations");
        annotations.remove(key);
        set_pairs(&mut self.node, "annotations", &annotations)
    }

    /// `String`: JSON on one line.
    pub fn json(&self) -> String {
        match super::emit::to_json(&self.node, true) {
            Ok(json) => json.encode(),
            Err(e) => format!("<{e}>"),
        }
    }

    /// The object as YAML text.
    pub fn yaml(&self) -> Result<String> {
        super::emit::object(&self.node).map_err(|e| Error::new(e).at(&self.source.file, self.source.line))
    }
}

/// Adds a pair to a ConfigMap's data; what is not UTF-8 goes to `binaryData` in base64.
pub fn load_data(node: &mut Node, field: &str, key: &str, value: &[u8]) -> Result<()> {
    let (field, text) = match std::str::from_utf8(value) {
        Ok(text) => (field, text.to_owned()),
        Err(_) => ("binaryData", base64_lines(value)),
    };
    let style = if text.contains('\n') { Style::Literal } else { Style::Plain };
    let value = Node { style, ..Node::tagged_scalar(text, Tag::Str) };
    match lookup::get_or_create(node, &[field], Kind::Mapping)? {
        Some(map) => Ok(map.set_field(key, value)?),
        None => Ok(()),
    }
}

/// Adds a pair to a Secret's data, always in base64.
pub fn load_secret(map: &mut Node, key: &str, value: &[u8]) -> Result<()> {
    let text = base64_lines(value);
    let style = if text.contains('\n') { Style::Literal } else { Style::Plain };
    Ok(map.set_field(key, Node { style, ..Node::tagged_scalar(text, Tag::Str) })?)
}

/// Base64 in lines of 70 characters if there is more than one (kyaml's `encodeBase64`).
fn base64_lines(bytes: &[u8]) -> String {
    use base64::Engine as _;
    const LINE: usize = 70;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    if text.len() < LINE {
        return text;
    }
    let mut out = String::with_capacity(text.len() + text.len() / LINE + 1);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, left) = rest.split_at(rest.len().min(LINE));
        out.push_str(line);
        out.push('\n');
        rest = left;
    }
    out
}
