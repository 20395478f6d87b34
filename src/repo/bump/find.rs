//! Where the wanted value stands in a tree of files.
//!
//! The files of a service in an environment are those of the layout (`k8s/helm-values/SERVICE/ENV-config.yaml`, everything under
//! `…/ENV/…/SERVICE/`) and manifests under a directory named ENV that speak of the service. In them places are looked for kind by kind, the
//! most explicit first: image policy markers, values of the HelmRelease, values files, images of a kustomization. The first kind that has
//! any place wins; more than one place of that kind is an error that lists them, never a guess.

use std::collections::BTreeMap;

use super::image::ImageRef;
use super::intent::{Change, Intent};
use crate::yaml::edit::{EditError, Kind, Place, Text};

/// The files of a commit.
pub trait Tree {
    /// All paths, sorted.
    fn paths(&self) -> &[String];

    /// Contents of files, in the order asked for; a file that is gone is empty.
    fn read(&self, paths: &[String]) -> Result<Vec<Vec<u8>>, String>;
}

/// One changed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub path: String,
    /// 1-based, of the first value changed.
    pub line: u32,
    pub old: String,
    pub new: String,
    /// The whole new text; `None` if the value is there already.
    pub text: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    #[error("{intent}: no place for it in {} file(s) of the service; name one with --file and --set PATH=VALUE", files.len())]
    Nowhere { intent: String, files: Vec<String> },
    #[error("{intent}: the repository has no file of this service and environment")]
    NoFiles { intent: String },
    #[error("{intent}: more than one place fits, name one with --set PATH=VALUE:\n  {}", places.join("\n  "))]
    Ambiguous { intent: String, places: Vec<String> },
    #[error(
        "{place}: the image is pinned by digest ({digest}), a tag alone would not count; give --image REPOSITORY:TAG@DIGEST"
    )]
    Pinned { place: String, digest: String },
    #[error("{path}: {error}")]
    Edit { path: String, error: EditError },
    #[error("{0}")]
    Read(String),
}

/// A place with what is to stand there.
struct Candidate {
    file: usize,
    /// Depth in the document: of an `image` map near the root and one deep inside, the first is meant.
    depth: usize,
    edits: Vec<(Place, String, Kind)>,
    pinned: Option<String>,
}

struct File<'a> {
    path: &'a str,
    text: Text<'a>,
}

fn is_yaml(path: &str) -> bool {
    path.ends_with(".yaml") || path.ends_with(".yml")
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
}

fn values_file(path: &str, intent: &Intent) -> bool {
    let mut rev = path.rsplit('/');
    let (name, dir) = (rev.next().unwrap_or_default(), rev.next().unwrap_or_default());
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).unwrap_or_default();
    dir == intent.service
        && parts(path).any(|p| p.contains("values"))
        && [
            format!("{}-config", intent.env),
            format!("{}-values", intent.env),
            format!("values-{}", intent.env),
            intent.env.clone(),
        ]
        .iter()
        .any(|s| s == stem)
}

/// The files that may hold the value: of the service itself, and others of its environment.
fn scope(tree: &dyn Tree, intent: &Intent) -> (Vec<String>, Vec<String>) {
    if let Some(file) = &intent.file {
        return (vec![file.clone()], Vec::new());
    }
    let yaml = tree.paths().iter().filter(|p| is_yaml(p));
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for path in yaml {
        let dirs: Vec<&str> = path.rsplit_once('/').map(|(d, _)| parts(d).collect()).unwrap_or_default();
        let env = dirs.iter().position(|d| *d == intent.env);
        let stem = path.rsplit('/').next().and_then(|n| n.rsplit_once('.')).map_or("", |(s, _)| s);
        if values_file(path, intent) {
            own.push(path.clone());
        } else if let Some(env) = env {
            let service = dirs.iter().skip(env + 1).any(|d| *d == intent.service) || stem == intent.service;
            if service { own.push(path.clone()) } else { others.push(path.clone()) }
        }
    }
    (own, others)
}

/// Looks for places of one kind in a file; `true` if the file is the service's own.
type Finder = fn(&File<'_>, bool, &Intent) -> Vec<Candidate>;

/// New texts by path.
pub type Texts = BTreeMap<String, Vec<u8>>;

/// Edits that fulfil an intent.
pub fn find(tree: &dyn Tree, intent: &Intent) -> Result<Vec<Edit>, FindError> {
    let (own, others) = scope(tree, intent);
    let all: Vec<String> = own.iter().chain(&others).cloned().collect();
    if all.is_empty() {
        return Err(FindError::NoFiles { intent: intent.to_string() });
    }
    let texts = tree.read(&all).map_err(FindError::Read)?;
    let mut files = Vec::new();
    for (i, (path, text)) in all.iter().zip(&texts).enumerate() {
        // A quick look first: other files of the environment count only if they name the service.
        let names = i < own.len() || contains(text, intent.service.as_bytes());
        if text.is_empty() || !names {
            continue;
        }
        match Text::parse(text) {
            Ok(text) => files.push((i < own.len(), File { path, text })),
            // A template or a broken file of somebody else is no reason to fail; one of the service itself is, if named.
            Err(error) if intent.file.is_some() => return Err(FindError::Edit { path: path.clone(), error }),
            Err(_) => {}
        }
    }
    let finders: &[Finder] = match intent.change {
        _ if intent.file.is_some() && matches!(intent.change, Change::Set { .. }) => &[in_document],
        Change::ChartVersion(_) => &[chart_version, chart_ref],
        Change::Set { .. } => &[in_release, in_values],
        Change::Tag(_) | Change::Image(_) => &[markers, image_in_release, image_in_values, kustomization],
    };
    for finder in finders {
        let mut found: Vec<Candidate> = Vec::new();
        for (i, (own, file)) in files.iter().enumerate() {
            found.extend(finder(file, *own, intent).into_iter().map(|c| Candidate { file: i, ..c }));
        }
        if found.is_empty() {
            continue;
        }
        // Nearest to the root; several there are ambiguous, unless markers say so.
        let nearest = found.iter().map(|c| c.depth).min().unwrap_or(0);
        found.retain(|c| c.depth == nearest);
        let by_marker = found.iter().all(|c| c.depth == usize::MAX);
        let place = |c: &Candidate| {
            let (path, line) = (files.get(c.file).map_or("", |f| f.1.path), c.edits.first().map_or(0, |e| e.0.line));
            format!("{path}:{line}: {}", c.edits.first().map_or("", |e| e.0.value.as_str()))
        };
        if found.len() > 1 && !by_marker {
            return Err(FindError::Ambiguous { intent: intent.to_string(), places: found.iter().map(place).collect() });
        }
        if let Some((c, digest)) = found.iter().find_map(|c| c.pinned.clone().map(|d| (c, d))) {
            return Err(FindError::Pinned { place: place(c), digest });
        }
        let mut by_file: BTreeMap<usize, Vec<(Place, String, Kind)>> = BTreeMap::new();
        for candidate in found {
            by_file.entry(candidate.file).or_default().extend(candidate.edits);
        }
        return by_file.into_iter().filter_map(|(i, edits)| Some(edit(&files.get(i)?.1, edits))).collect();
    }
    Err(FindError::Nowhere { intent: intent.to_string(), files: files.iter().map(|f| f.1.path.to_owned()).collect() })
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    !what.is_empty() && text.windows(what.len()).any(|w| w == what)
}

fn edit(file: &File<'_>, edits: Vec<(Place, String, Kind)>) -> Result<Edit, FindError> {
    let old: Vec<&str> = edits.iter().map(|e| e.0.value.as_str()).collect();
    let new: Vec<&str> = edits.iter().map(|e| e.1.as_str()).collect();
    let (line, old, new) = (edits.first().map_or(0, |e| e.0.line), old.join(" "), new.join(" "));
    let changed: Vec<(Place, &str, Kind)> =
        edits.iter().filter(|e| e.0.value != e.1).map(|(p, n, k)| (p.clone(), n.as_str(), *k)).collect();
    let text = if changed.is_empty() {
        None
    } else {
        let spliced = file.text.splice(&changed);
        Some(spliced.map_err(|error| FindError::Edit { path: file.path.to_owned(), error })?)
    };
    Ok(Edit { path: file.path.to_owned(), line, old, new, text })
}

/// Applies several intents to a tree, one after the other on the same files; the edits, and the new texts by path.
pub fn apply(tree: &dyn Tree, intents: &[Intent]) -> Result<(Vec<Edit>, Texts), FindError> {
    struct Overlay<'a> {
        tree: &'a dyn Tree,
        changed: BTreeMap<String, Vec<u8>>,
    }
    impl Tree for Overlay<'_> {
        fn paths(&self) -> &[String] {
            self.tree.paths()
        }

        fn read(&self, paths: &[String]) -> Result<Vec<Vec<u8>>, String> {
            let mut texts = self.tree.read(paths)?;
            for (path, text) in paths.iter().zip(&mut texts) {
                if let Some(new) = self.changed.get(path) {
                    text.clone_from(new);
                }
            }
            Ok(texts)
        }
    }
    let mut overlay = Overlay { tree, changed: BTreeMap::new() };
    let mut edits = Vec::new();
    for intent in intents {
        for mut edit in find(&overlay, intent)? {
            if let Some(text) = edit.text.take() {
                overlay.changed.insert(edit.path.clone(), text.clone());
                edit.text = Some(text);
            }
            edits.push(edit);
        }
    }
    Ok((edits, overlay.changed))
}

fn candidate(depth: usize, edits: Vec<(Place, String, Kind)>) -> Candidate {
    Candidate { file: 0, depth, edits, pinned: None }
}

/// A whole reference in one scalar.
fn reference(place: Place, intent: &Intent, depth: usize) -> Option<Candidate> {
    let old = ImageRef::split(&place.value)?;
    let mut pinned = None;
    let new = match &intent.change {
        Change::Tag(_) if old.tag.is_none() && old.digest.is_none() => return None,
        Change::Tag(tag) => {
            pinned = old.digest.clone();
            ImageRef { tag: Some(tag.clone()), digest: None, ..old }
        }
        Change::Image(image) => image.clone(),
        _ => return None,
    };
    Some(Candidate { pinned, ..candidate(depth, vec![(place, new.to_string(), Kind::String)]) })
}

/// `# {"$imagepolicy": "namespace:policy[:tag|:name|:digest]"}` behind a value.
fn markers(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    let (mut out, mut named) = (Vec::new(), Vec::new());
    for (place, behind) in file.text.values() {
        let Ok(behind) = std::str::from_utf8(behind) else { continue };
        let Some((_, marker)) = behind.split_once('#') else { continue };
        let Ok(marker) = serde_json::from_str::<serde_json::Value>(marker.trim()) else { continue };
        let Some(policy) = marker.get("$imagepolicy").and_then(|v| v.as_str()) else { continue };
        let mut fields = policy.split(':').skip(1);
        let name = fields.next().unwrap_or_default();
        // A marker that names the service is meant; in a file of the service others are too, if none does.
        let list = if name == intent.service { &mut named } else { &mut out };
        let new = match (fields.next(), &intent.change) {
            (None, _) => {
                list.extend(reference(place, intent, usize::MAX));
                continue;
            }
            (Some("tag"), Change::Tag(tag)) => Some(tag.clone()),
            (Some("tag"), Change::Image(image)) => image.tag.clone(),
            (Some("name"), Change::Image(image)) => Some(image.repository.clone()),
            (Some("digest"), Change::Image(image)) => image.digest.clone(),
            _ => None,
        };
        if let Some(new) = new {
            list.push(candidate(usize::MAX, vec![(place, new, Kind::String)]));
        }
    }
    if named.is_empty() && own { out } else { named }
}

/// The documents that are HelmReleases of the service.
fn releases<'f>(file: &'f File<'_>, own: bool, intent: &'f Intent) -> impl Iterator<Item = (usize, usize)> + 'f {
    (0..file.text.documents.len()).filter_map(move |d| {
        let text = &file.text;
        let root = text.root(d)?;
        let kind = text.get(d, root, "kind").and_then(|n| text.text(d, n))?;
        let named = [&["metadata", "name"][..], &["spec", "releaseName"]].iter().any(|path| {
            let node = text.at(d, root, path.iter().copied());
            node.and_then(|n| text.text(d, n)).as_deref() == Some(intent.service.as_str())
        });
        (kind == "HelmRelease" && (own || named)).then_some((d, root))
    })
}

/// Images inside values: `image: {repository, tag, digest}` or `image: repository:tag`.
fn images(file: &File<'_>, document: usize, node: usize, depth: usize, intent: &Intent, out: &mut Vec<Candidate>) {
    let text = &file.text;
    let Some(doc) = text.documents.get(document) else { return };
    let Some(here) = doc.nodes.get(node) else { return };
    if depth > 30 {
        return;
    }
    let mapping = here.kind == crate::yaml::node::NodeKind::Mapping;
    for pair in here.children.chunks(if mapping { 2 } else { 1 }) {
        let (key, value) = match pair {
            [key, value] if mapping => (text.text(document, *key), *value),
            [value] if !mapping => (None, *value),
            _ => continue,
        };
        if key.as_deref() == Some("image") {
            out.extend(image(file, document, value, depth, intent));
        }
        images(file, document, value, depth + 1, intent, out);
    }
}

fn image(file: &File<'_>, document: usize, node: usize, depth: usize, intent: &Intent) -> Option<Candidate> {
    let text = &file.text;
    if let Some(place) = text.place(document, node) {
        let old = ImageRef::split(&place.value)?;
        let same = match &intent.change {
            Change::Image(new) => new.repository == old.repository || new.base() == old.base(),
            _ => old.tag.is_some() || old.digest.is_some(),
        };
        return if same { reference(place, intent, depth) } else { None };
    }
    let field = |name: &str| text.get(document, node, name).and_then(|n| text.place(document, n));
    let (repository, tag, digest) = (field("repository"), field("tag"), field("digest"));
    let pinned = digest.as_ref().map(|d| d.value.clone()).filter(|d| !d.is_empty());
    match &intent.change {
        Change::Tag(new) => {
            // A tag may hold its digest: `1.2.3@sha256:…`.
            let tag = tag?;
            let pinned = pinned.or_else(|| tag.value.split_once('@').map(|(_, d)| d.to_owned()));
            Some(Candidate { pinned, ..candidate(depth, vec![(tag, new.clone(), Kind::String)]) })
        }
        Change::Image(new) => {
            if let Some(old) = &repository
                && ImageRef::split(&old.value).is_some_and(|old| old.base() != new.base())
            {
                return None;
            }
            let mut edits = Vec::new();
            let mut tag_text = new.tag.clone();
            match (digest, &new.digest) {
                (Some(place), Some(digest)) => edits.push((place, digest.clone(), Kind::String)),
                (None, Some(digest)) => tag_text = Some(format!("{}@{digest}", tag_text.unwrap_or_default())),
                _ => {}
            }
            if let (Some(place), Some(tag)) = (tag, tag_text) {
                edits.push((place, tag, Kind::String));
            }
            if let Some(place) = repository.filter(|p| p.value != new.repository && new.repository.contains('/')) {
                edits.push((place, new.repository.clone(), Kind::String));
            }
            let left = pinned.filter(|_| new.digest.is_none());
            (!edits.is_empty()).then(|| Candidate { pinned: left, ..candidate(depth, edits) })
        }
        _ => None,
    }
}

fn image_in_release(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    let mut out = Vec::new();
    for (d, root) in releases(file, own, intent) {
        if let Some(values) = file.text.at(d, root, ["spec", "values"]) {
            images(file, d, values, 0, intent, &mut out);
        }
    }
    out
}

fn image_in_values(file: &File<'_>, _: bool, intent: &Intent) -> Vec<Candidate> {
    let mut out = Vec::new();
    if values_file(file.path, intent) || intent.file.is_some() {
        for d in 0..file.text.documents.len() {
            if let Some(root) = file.text.root(d) {
                images(file, d, root, 0, intent, &mut out);
            }
        }
    }
    out
}

fn is_kustomization(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("kustomization.yaml" | "kustomization.yml"))
}

/// `images:` of a kustomization: `newTag`, `digest`.
fn kustomization(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    let text = &file.text;
    if !is_kustomization(file.path) {
        return Vec::new();
    }
    let Some(list) = text.root(0).and_then(|root| text.get(0, root, "images")) else { return Vec::new() };
    let items = text.items(0, list);
    let mut out = Vec::new();
    for item in &items {
        let field = |name: &str| text.get(0, *item, name).and_then(|n| text.place(0, n));
        let name = field("name").map(|p| p.value).unwrap_or_default();
        let base = name.rsplit('/').next().unwrap_or_default();
        let fits = match &intent.change {
            Change::Image(new) => {
                new.repository == name
                    || new.base() == base
                    || field("newName").is_some_and(|p| p.value == new.repository)
            }
            _ => base == intent.service || (own && items.len() == 1),
        };
        if !fits {
            continue;
        }
        let (tag, digest) = (field("newTag"), field("digest"));
        let mut edits = Vec::new();
        let mut pinned = None;
        match &intent.change {
            Change::Tag(new) => {
                pinned = digest.map(|d| d.value);
                edits.extend(tag.map(|p| (p, new.clone(), Kind::String)));
            }
            Change::Image(new) => {
                pinned = digest.as_ref().map(|d| d.value.clone()).filter(|_| new.digest.is_none());
                edits.extend(tag.zip(new.tag.clone()).map(|(p, t)| (p, t, Kind::String)));
                edits.extend(digest.zip(new.digest.clone()).map(|(p, d)| (p, d, Kind::String)));
            }
            _ => {}
        }
        if !edits.is_empty() || pinned.is_some() {
            out.push(Candidate { pinned, ..candidate(0, edits) });
        }
    }
    out
}

fn chart_version(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    let Change::ChartVersion(new) = &intent.change else { return Vec::new() };
    let text = &file.text;
    releases(file, own, intent)
        .filter_map(|(d, root)| {
            let node = text.at(d, root, ["spec", "chart", "spec", "version"])?;
            Some(candidate(0, vec![(text.place(d, node)?, new.clone(), Kind::String)]))
        })
        .collect()
}

/// The reference of an OCIRepository that a release's `chartRef` names.
fn chart_ref(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    let Change::ChartVersion(new) = &intent.change else { return Vec::new() };
    let text = &file.text;
    let mut out = Vec::new();
    for d in 0..text.documents.len() {
        let Some(root) = text.root(d) else { continue };
        let field = |path: &[&str]| text.at(d, root, path.iter().copied());
        let shown = |path: &[&str]| field(path).and_then(|n| text.text(d, n)).unwrap_or_default();
        if shown(&["kind"]) != "OCIRepository" || !(own || shown(&["metadata", "name"]) == intent.service) {
            continue;
        }
        let place =
            ["tag", "semver"].iter().find_map(|key| field(&["spec", "ref", key]).and_then(|n| text.place(d, n)));
        out.extend(place.map(|p| candidate(0, vec![(p, new.clone(), Kind::String)])));
    }
    out
}

fn set_at(file: &File<'_>, document: usize, node: usize, intent: &Intent) -> Option<Candidate> {
    let Change::Set { path, value } = &intent.change else { return None };
    let node = file.text.at(document, node, path.iter().map(String::as_str))?;
    Some(candidate(0, vec![(file.text.place(document, node)?, value.clone(), Kind::AsBefore)]))
}

fn in_release(file: &File<'_>, own: bool, intent: &Intent) -> Vec<Candidate> {
    let values = |(d, root)| file.text.at(d, root, ["spec", "values"]).map(|n| (d, n));
    releases(file, own, intent).filter_map(values).filter_map(|(d, n)| set_at(file, d, n, intent)).collect()
}

fn in_values(file: &File<'_>, _: bool, intent: &Intent) -> Vec<Candidate> {
    if values_file(file.path, intent) { in_document(file, true, intent) } else { Vec::new() }
}

fn in_document(file: &File<'_>, _: bool, intent: &Intent) -> Vec<Candidate> {
    let roots = (0..file.text.documents.len()).filter_map(|d| Some((d, file.text.root(d)?)));
    roots.filter_map(|(d, root)| set_at(file, d, root, intent)).collect()
}
