//! Patches: strategic merge patches and JSON patches, with and without a target.

use std::collections::HashSet;
use std::sync::Arc;

use super::emit;
use super::error::{Error, Result};
use super::given::{self, Given};
use super::ids::Id;
use super::json::Json;
use super::json6902::JsonPatch;
use super::kustomization::{Patch, PatchOptions};
use super::merge;
use super::objects;
use super::openapi::Shared;
use super::resmap::ResMap;
use super::resource::{self, Pairs, Resource};
use super::selector::Selector;
use super::tree::Loader;
use crate::golang::strconv::quote;

/// One entry of `patches`, read.
#[derive(Clone, Debug)]
pub struct PatchTransformer {
    merges: Vec<Merge>,
    json: Option<JsonPatch>,
    target: Option<Selector>,
    /// How messages name the patch.
    source: String,
    file: Arc<str>,
    /// The text, if it stands in the kustomization.
    inline: Option<Arc<str>>,
}

/// A strategic merge patch, and where it is written.
#[derive(Clone, Debug)]
struct Merge {
    patch: Resource,
    place: Arc<given::Patch>,
}

impl Merge {
    fn new(patch: Resource, inline: Option<&str>) -> Self {
        let place = given::Patch::new(&patch.source.file, patch.source.line, inline);
        Self { patch, place }
    }

    fn apply(&self, r: &mut Resource, shared: &Shared) -> Result<()> {
        let known = shared.known()?;
        merge::apply(r, &self.patch, &known)?;
        r.given.push(Given::Patch(self.place.clone()));
        Ok(())
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{85}')
}

impl PatchTransformer {
    /// Reads the patch. Errors lack the words about what was being configured.
    pub fn new(patch: &Patch, loader: &Loader<'_>, file: &Arc<str>) -> Result<Self> {
        let inline = trim(&patch.patch);
        let config = || config_text(patch);
        let (text, source, file) = match (inline, patch.path.as_str()) {
            ("", "") => return Err(Error::new(format!("must specify one of patch and path in\n{}", config()))),
            ("", path) => {
                let text =
                    loader.load(path).map_err(|e| e.wrap(format!("failed to get the patch file from path({path})")))?;
                (text.into_owned(), format!("[path: {}]", quote(path.as_bytes())), Arc::from(loader.path(path)))
            }
            (_, "") => (inline.as_bytes().to_vec(), format!("[patch: {}]", quote(inline.as_bytes())), file.clone()),
            _ => return Err(Error::new(format!("patch and path can't be set at the same time\n{}", config()))),
        };
        let merges = objects::from_text(&text, &file);
        let json = JsonPatch::parse(&text);
        let (merges, json) = match (merges, json) {
            (Ok(merges), Ok(json)) if !merges.is_empty() && !json.is_empty() => {
                return Err(
                    Error::new(format!("illegally qualifies as both an SM and JSON patch: {source}")).at(&file, 0)
                );
            }
            (Err(_), Err(_)) => {
                return Err(Error::new(format!("unable to parse SM or JSON patch from {source}")).at(&file, 0));
            }
            (Ok(merges), _) => (merges, None),
            (Err(_), Ok(json)) => (Vec::new(), Some(json)),
        };
        let inline = Some(inline).filter(|text| !text.is_empty());
        let merges = merges.into_iter().map(|patch| Merge::new(patch, inline)).collect();
        let inline = inline.map(Arc::from);
        let mut out = Self { merges, json, target: patch.target.clone(), source, file, inline };
        if let Some(PatchOptions { allow_name_change, allow_kind_change }) = patch.options {
            for Merge { patch, .. } in &mut out.merges {
                if allow_name_change {
                    patch.enable(resource::ALLOW_NAME_CHANGE)?;
                }
                if allow_kind_change {
                    patch.enable(resource::ALLOW_KIND_CHANGE)?;
                }
            }
        }
        Ok(out)
    }

    pub fn apply(&self, map: &mut ResMap, shared: &Shared) -> Result<()> {
        self.apply_inner(map, shared).map_err(|e| e.at(&self.file, 0))
    }

    fn apply_inner(&self, map: &mut ResMap, shared: &Shared) -> Result<()> {
        let source = &self.source;
        if let Some(first) = self.merges.first() {
            let Some(target) = &self.target else {
                for merge in &self.merges {
                    let id = merge.patch.original_id()?;
                    let at = map
                        .get_by_id(&id)
                        .map_err(|e| e.wrap(format!("no resource matches strategic merge patch \"{id}\"")))?;
                    if let Some(r) = map.items_mut().get_mut(at) {
                        merge.apply(r, shared)?;
                    }
                }
                return Ok(());
            };
            if self.merges.len() > 1 {
                return Err(Error::new(format!(
                    "Multiple Strategic-Merge Patches in one `patches` entry is not allowed to set `patches.target` field: \
                     {source}"
                )));
            }
            let selected = map.select(target).map_err(|e| {
                let target = quote(target.to_string().as_bytes());
                e.wrap(format!("unable to find patch target {target} in `resources`"))
            })?;
            return apply_to_selected(map, &selected, first, shared);
        }
        let Some(json) = &self.json else { return Ok(()) };
        let Some(target) = &self.target else {
            return Err(Error::new(format!("must specify a target for JSON patch {source}")));
        };
        let place = given::Patch::new(&self.file, 0, self.inline.as_deref());
        for at in map.select(target)? {
            if let Some(r) = map.items_mut().get_mut(at) {
                r.store_previous_id()?;
                apply_json(r, json)?;
                r.given.push(Given::Patch(place.clone()));
            }
        }
        Ok(())
    }
}

/// Applies a strategic merge patch to the objects that are now called as one of those at the places
/// (`ResMap.ApplySmPatch`); two objects must not end with one id.
fn apply_to_selected(map: &mut ResMap, places: &[usize], merge: &Merge, shared: &Shared) -> Result<()> {
    let Merge { patch, place } = merge;
    let ids: HashSet<Id> = places.iter().filter_map(|i| map.items().get(*i)).map(Resource::id).collect();
    let mut items = std::mem::take(map).into_items();
    for r in &mut items {
        if !ids.contains(&r.id()) {
            continue;
        }
        let mut copy = Merge { patch: patch.clone(), place: place.clone() };
        copy.patch.copy_metadata_from(patch)?;
        copy.patch.set_gvk(&resource::gvk(&r.node))?;
        copy.patch.set_kind(resource::kind(&patch.node))?;
        copy.apply(r, shared)?;
    }
    map.append_all(items.into_iter().filter(|r| !r.is_empty()))
}

/// Applies a JSON patch; kustomize's notes survive whatever it does to annotations.
pub fn apply_json(r: &mut Resource, patch: &JsonPatch) -> Result<()> {
    let notes: Pairs = resource::pairs(&r.node, "annotations")
        .into_iter()
        .filter(|(key, _)| {
            key.starts_with("internal.config.kubernetes.io/")
                || matches!(
                    key.as_str(),
                    "config.kubernetes.io/path" | "config.kubernetes.io/index" | "config.k8s.io/id"
                )
        })
        .collect();
    let line = r.node.line;
    let patched = patch.apply(emit::to_json(&r.node, true)?)?;
    if !matches!(patched, Json::Map(_)) {
        let kind = patched.kind();
        return Err(Error::new(format!(
            "json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
        )));
    }
    r.node = emit::from_json(&through_go(patched));
    r.node.line = line;
    let mut annotations = resource::pairs(&r.node, "annotations");
    annotations.extend(notes);
    resource::set_pairs(&mut r.node, "annotations", &annotations)
}

/// Numbers become floats, as in any Go `interface{}`.
fn through_go(value: Json) -> Json {
    match value {
        Json::Int(n) => Json::Float(n as f64),
        Json::Uint(n) => Json::Float(n as f64),
        Json::List(items) => Json::List(items.into_iter().map(through_go).collect()),
        Json::Map(entries) => Json::Map(entries.into_iter().map(|(k, v)| (k, through_go(v))).collect()),
        other => other,
    }
}

/// `patchesStrategicMerge`: all patches of the list.
#[derive(Clone, Debug)]
pub struct StrategicMerge {
    patches: Vec<Merge>,
}

impl StrategicMerge {
    /// `paths` are files, or patches themselves; `inline` is one text of patches.
    pub fn new(paths: &[String], inline: &str, loader: &Loader<'_>, file: &Arc<str>) -> Result<Self> {
        if paths.is_empty() && inline.is_empty() {
            return Err("empty file path and empty patch content".into());
        }
        let mut patches = Vec::new();
        let mut add = |found: Vec<Resource>, inline: Option<&str>| {
            patches.extend(found.into_iter().map(|patch| Merge::new(patch, inline)));
        };
        for path in paths {
            match objects::from_text(path.as_bytes(), file) {
                Ok(found) => add(found, Some(path)),
                Err(_) => {
                    let text = loader.load(path)?;
                    let found = objects::from_text(&text, &Arc::from(loader.path(path)));
                    add(found.map_err(|e| name_file(e, path))?, None);
                }
            }
        }
        if !inline.is_empty() {
            add(objects::from_text(inline.as_bytes(), file)?, Some(inline));
        }
        if patches.is_empty() {
            return Err(Error::new(format!("patch appears to be empty; files=[{}], Patch={inline}", paths.join(" "))));
        }
        Ok(Self { patches })
    }

    pub fn apply(&self, map: &mut ResMap, shared: &Shared) -> Result<()> {
        for merge in &self.patches {
            let patch = &merge.patch;
            let at = |e: Error| e.at(&patch.source.file, patch.source.line);
            let place = map.get_by_id(&patch.original_id()?).map_err(at)?;
            apply_to_selected(map, &[place], merge, shared).map_err(at)?;
        }
        Ok(())
    }
}

/// Names the file in an error about its YAML (`kusterr.Handler`).
pub fn name_file(mut e: Error, path: &str) -> Error {
    if e.is_malformed_yaml() {
        e.message = format!("{} in File: {path}", e.message);
    }
    e
}

/// One entry of `patchesJson6902`.
#[derive(Clone, Debug)]
pub struct Json6902 {
    patch: JsonPatch,
    target: Selector,
    place: Arc<given::Patch>,
}

impl Json6902 {
    pub fn new(
        target: Option<&Selector>,
        path: &str,
        inline: &str,
        loader: &Loader<'_>,
        file: &Arc<str>,
    ) -> Result<Self> {
        // Without any target kustomize crashes.
        let Some(target) = target.filter(|t| !t.id.name.is_empty()) else {
            return Err("must specify the target name".into());
        };
        let (text, file) = match (path, inline) {
            ("", "") => return Err("empty file path and empty jsonOp".into()),
            ("", inline) => (inline.as_bytes().to_vec(), file.clone()),
            (path, "") => {
                let text = loader.load(path)?.into_owned();
                if text.is_empty() {
                    return Err(Error::new(format!("patch file '{path}' empty seems to be empty")));
                }
                (text, Arc::from(loader.path(path)))
            }
            _ => return Err("must specify a file path or jsonOp, not both".into()),
        };
        let shown = || {
            if text.first() == Some(&b'[') {
                return String::from_utf8_lossy(&text).into_owned();
            }
            super::read::to_json(&text).map(|json| json.encode()).unwrap_or_default()
        };
        let patch = match JsonPatch::parse(&text) {
            Ok(patch) => patch,
            Err(e) if text.first() != Some(&b'[') && super::read::to_json(&text).is_err() => return Err(e.at(&file, 0)),
            Err(e) => return Err(e.wrap(format!("decoding {}", shown())).at(&file, 0)),
        };
        if patch.is_empty() {
            return Err(Error::new(format!("patch appears to be empty; file={path}, JsonOp={}", shown())).at(&file, 0));
        }
        let inline = Some(inline).filter(|text| !text.is_empty());
        Ok(Self { patch, target: target.clone(), place: given::Patch::new(&file, 0, inline) })
    }

    pub fn apply(&self, map: &mut ResMap) -> Result<()> {
        for at in map.select(&self.target)? {
            if let Some(r) = map.items_mut().get_mut(at) {
                apply_json(r, &self.patch).map_err(|e| e.at(&self.place.file, 0))?;
                r.given.push(Given::Patch(self.place.clone()));
            }
        }
        Ok(())
    }
}

/// A selector as it is shown in messages about configuration.
pub fn selector_json(selector: &Selector) -> Json {
    let Selector { id, annotations, labels } = selector;
    let fields = [
        ("group", &id.gvk.group),
        ("version", &id.gvk.version),
        ("kind", &id.gvk.kind),
        ("name", &id.name),
        ("namespace", &id.namespace),
        ("annotationSelector", annotations),
        ("labelSelector", labels),
    ];
    let set = fields.into_iter().filter(|(_, v)| !v.is_empty());
    Json::map(set.map(|(k, v)| (k.to_owned(), Json::str(v.as_str()))).collect())
}

/// A patch as it is shown in messages about configuration.
pub fn config_text(patch: &Patch) -> String {
    let mut out = Vec::new();
    for (key, value) in [("path", &patch.path), ("patch", &patch.patch)] {
        if !value.is_empty() {
            out.push((key.to_owned(), Json::str(value.as_str())));
        }
    }
    if let Some(target) = &patch.target {
        out.push(("target".to_owned(), selector_json(target)));
    }
    if let Some(options) = &patch.options {
        let flags = [("allowKindChange", options.allow_kind_change), ("allowNameChange", options.allow_name_change)];
        let set = flags.into_iter().filter(|(_, on)| *on).map(|(k, _)| (k.to_owned(), Json::Bool(true)));
        out.push(("options".to_owned(), Json::map(set.collect())));
    }
    emit::json(&Json::map(out)).unwrap_or_default()
}
