//! Where the wanted value stands in a tree of files.
//!
//! The files of a service in an environment are those of the layout (`k8s/helm-values/SERVICE/ENV-config.yaml`, everything under
//! `…/ENV/…/SERVICE/`, files in `…/SERVICE/…/ENV/`) and manifests under a directory named ENV that speak of the service. In them places are
//! looked for kind by kind, the most explicit first: image policy markers, values of the HelmRelease, values files, images of a Flux Kustomization and of
//! a kustomization, containers of workloads.
//! The first kind that has any place wins; more than one place of that kind is an error that lists them, never a guess.

use std::collections::BTreeMap;

use super::candidate::{Candidate, File, Part, Refusal, Splice};
use super::image::ImageRef;
use super::intent::{Change, Intent};
use super::scope::scope;
use super::{images, manifests, marker, path, releases, shared};
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
    /// Old and new of those values that have an order: versions, not names and digests.
    pub versions: Vec<(String, String)>,
    /// The whole new text; `None` if the value is there already.
    pub text: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    #[error("{intent}: no place for it in {} file(s) of the service; name one with --file and --set PATH=VALUE", files.len())]
    Nowhere { intent: String, files: Vec<String> },
    #[error("{intent}: {why}")]
    NoPath { intent: String, why: String },
    #[error("{intent}: the repository has no file of this service and environment")]
    NoFiles { intent: String },
    #[error("{intent}: more than one place fits, name one with {with}:\n  {}", places.join("\n  "))]
    Ambiguous { intent: String, with: &'static str, places: Vec<String> },
    #[error(
        "{place}: the image is pinned by digest ({digest}), a tag alone would not count; give --image REPOSITORY:TAG@DIGEST"
    )]
    Pinned {
        place: String,
        digest: String,
        /// What was to change.
        edit: Box<Edit>,
    },
    #[error(
        "{place}: there is no `{field}` beside it to hold a part of the new image; write one, or give the image without it"
    )]
    Missing { place: String, field: &'static str },
    #[error("{0}: the path leads through an alias, the value is that of other places too; edit the file by hand")]
    Alias(String),
    #[error(
        "{place}: the value is that of other places too, by the alias in line {line}; edit the file by hand, or give that place a value of its own"
    )]
    Shared { place: String, line: u32 },
    #[error("{0}: the repository has no such file")]
    NoFile(String),
    #[error(
        "{0}: SOPS' MAC covers this value, a change by hand would break it; use `sops set`, or encrypt the file with mac_only_encrypted"
    )]
    Sealed(String),
    #[error("{path}: {error}")]
    Edit { path: String, error: EditError },
    #[error("{0}")]
    Read(String),
}

/// Looks for places of one kind in a file; `true` if the file is the service's own.
type Finder = fn(&File<'_>, bool, &Intent) -> Vec<Candidate>;

/// New texts by path.
pub type Texts = BTreeMap<String, Vec<u8>>;

/// Files in which places are looked for; `true` for the service's own.
type Files<'a> = [(bool, File<'a>)];

/// Candidates of the first kind that has any: of them the most exact, in objects called as the service, with a value, nearest to the root.
fn first(files: &Files<'_>, intent: &Intent, finders: &[Finder]) -> Vec<Candidate> {
    for finder in finders {
        let mut found = all(files, intent, *finder);
        let has_value = |c: &Candidate| c.edits.iter().all(|e| !e.place.is_gap());
        for is_closer in [|c: &Candidate| c.exact, |c: &Candidate| c.named, has_value] {
            if found.iter().any(is_closer) {
                found.retain(is_closer);
            }
        }
        let nearest = found.iter().map(|c| c.depth).min().unwrap_or(0);
        found.retain(|c| c.depth == nearest);
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

fn all(files: &Files<'_>, intent: &Intent, finder: Finder) -> Vec<Candidate> {
    let mut found = Vec::new();
    for (i, (own, file)) in files.iter().enumerate() {
        found.extend(finder(file, *own, intent).into_iter().map(|c| Candidate { file: i, ..c }));
    }
    found
}

/// The place that is meant; markers of one policy may be several.
fn chosen(files: &Files<'_>, intent: &Intent) -> Result<Vec<Candidate>, Vec<Candidate>> {
    const IMAGES: &[Finder] = &[
        images::in_release,
        images::in_values,
        images::flux_kustomization,
        images::kustomization,
        manifests::containers,
    ];
    let found = match &intent.change {
        Change::Set { .. } if intent.file.is_some() => first(files, intent, &[releases::set_in_document]),
        Change::Set { .. } => first(files, intent, &[releases::set_in_release, releases::set_in_values]),
        Change::ChartVersion(_) => first(files, intent, &[releases::chart_version, releases::chart_ref]),
        Change::Tag(_) | Change::Image(_) => {
            let rest = || first(files, intent, IMAGES);
            let marked = marker::choose(all(files, intent, marker::markers), rest)?;
            if !marked.is_empty() {
                return Ok(marked);
            }
            rest()
        }
    };
    if found.len() > 1 { Err(found) } else { Ok(found) }
}

/// Edits that fulfil an intent.
pub fn find(tree: &dyn Tree, intent: &Intent) -> Result<Vec<Edit>, FindError> {
    let (own, others) = scope(tree, intent);
    let all: Vec<String> = own.iter().chain(&others).cloned().collect();
    if all.is_empty() {
        return Err(FindError::NoFiles { intent: intent.to_string() });
    }
    if let Some(file) = intent.file.as_ref().filter(|f| !tree.paths().contains(f)) {
        return Err(FindError::NoFile(file.clone()));
    }
    let texts = tree.read(&all).map_err(FindError::Read)?;
    let mut files = Vec::new();
    let mut broken = None;
    for (i, (path, text)) in all.iter().zip(&texts).enumerate() {
        // A quick look first: other files of the environment count only if they name the service.
        let own = i < own.len();
        if text.is_empty() || !(own || contains(text, intent.service.as_bytes())) {
            continue;
        }
        match Text::parse(text) {
            Ok(text) => files.push((own, File { path, text })),
            // A template or a broken file is no reason to fail, unless nothing else is found.
            Err(error) if own => broken = broken.or_else(|| Some(FindError::Edit { path: path.clone(), error })),
            Err(_) => {}
        }
    }
    let place = |c: &Candidate| {
        let path = files.get(c.file).map_or("", |f| f.1.path);
        format!("{path}:{}: {}", c.line, c.shown)
    };
    let found = chosen(&files, intent).map_err(|found| {
        let mut places: Vec<String> = found.iter().map(place).collect();
        places.dedup();
        let with = match (&intent.change, &intent.file) {
            (Change::Tag(_), _) => "--image REPOSITORY:TAG or --set PATH=VALUE",
            (Change::Set { .. } | Change::ChartVersion(_), None) => "--file PATH",
            _ => "--set PATH=VALUE",
        };
        FindError::Ambiguous { intent: intent.to_string(), with, places }
    })?;
    if let Some((c, refusal)) = found.iter().find_map(|c| Some((c, c.refusal.clone()?))) {
        let place = place(c);
        return Err(match refusal {
            Refusal::Pinned(digest) => FindError::Pinned { place, digest, edit: planned(&files, c) },
            Refusal::Missing(field) => FindError::Missing { place, field },
            Refusal::Alias => FindError::Alias(place),
        });
    }
    if let Some((c, digest)) = found.iter().find_map(|c| Some((c, c.edits.iter().find_map(Splice::lost_digest)?))) {
        return Err(FindError::Pinned { place: place(c), digest: digest.to_owned(), edit: planned(&files, c) });
    }
    // A marker says itself that this scalar is to be set, as Flux does.
    let edits = found.iter().filter(|c| c.policy.is_none()).flat_map(|c| c.edits.iter().map(move |e| (c, e)));
    for (c, edit) in edits.filter(|(_, e)| !e.place.holds(&e.new, e.kind())) {
        if let Some(line) = files.get(c.file).and_then(|(_, file)| shared::alias_of(&file.text, &edit.place)) {
            return Err(FindError::Shared { place: place(c), line });
        }
    }
    if found.is_empty() {
        if let (Change::Set { path, .. }, Some(_), [(_, file)]) = (&intent.change, &intent.file, &files[..]) {
            return Err(FindError::NoPath { intent: intent.to_string(), why: path::missing(file, path) });
        }
        let files = files.iter().map(|f| f.1.path.to_owned()).collect();
        return Err(broken.unwrap_or(FindError::Nowhere { intent: intent.to_string(), files }));
    }
    let mut by_file: BTreeMap<usize, Vec<Splice>> = BTreeMap::new();
    for candidate in found {
        let edits = by_file.entry(candidate.file).or_default();
        for edit in candidate.edits {
            // Two markers may stand beside one digest.
            if edits.iter().all(|e| e.place != edit.place) {
                edits.push(edit);
            }
        }
    }
    by_file.into_iter().filter_map(|(i, edits)| Some(edit(&files.get(i)?.1, &edits))).collect()
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    !what.is_empty() && text.windows(what.len()).any(|w| w == what)
}

/// True if a change in the file would break its MAC: SOPS sealed all of its values, or this one.
fn is_sealed(text: &Text<'_>, edits: &[(Place, &str, Kind)]) -> bool {
    (0..text.documents.len()).any(|d| {
        let field = |name: &str| text.root(d).and_then(|root| text.at(d, root, ["sops", name]));
        let encrypted_only = field("mac_only_encrypted").and_then(|n| text.text(d, n)).as_deref() == Some("true");
        field("mac").is_some() && (!encrypted_only || edits.iter().any(|(p, ..)| p.value.starts_with("ENC[")))
    })
}

/// Old and new version of a value, where it has one.
fn version(edit: &Splice) -> Option<(String, String)> {
    let tag = |text: &str| match edit.part {
        Part::Reference => ImageRef::split(text).and_then(|image| image.tag).unwrap_or_else(|| text.to_owned()),
        // A tag may hold its digest: `1.2.3@sha256:…`.
        Part::Version => text.split('@').next().unwrap_or_default().to_owned(),
        _ => text.to_owned(),
    };
    let ordered = !matches!(edit.part, Part::Name | Part::Digest) && !edit.place.is_gap();
    ordered.then(|| (tag(&edit.place.value), tag(&edit.new)))
}

/// What a candidate would change.
fn planned(files: &Files<'_>, candidate: &Candidate) -> Box<Edit> {
    Box::new(outline(files.get(candidate.file).map_or("", |(_, file)| file.path), &candidate.edits))
}

/// Edits, without the new text.
fn outline(path: &str, edits: &[Splice]) -> Edit {
    let (old, new): (Vec<&str>, Vec<String>) = edits
        .iter()
        .map(|e| {
            // The same letters, but another value: the quotes are what is new.
            let quoted = e.place.value == e.new && !e.place.holds(&e.new, e.kind());
            (e.place.value.as_str(), if quoted { format!("\"{}\"", e.new) } else { e.new.clone() })
        })
        .unzip();
    let line = edits.first().map_or(0, |e| e.place.line);
    let versions = edits.iter().filter_map(version).collect();
    Edit { path: path.to_owned(), line, old: old.join(" "), new: new.join(" "), versions, text: None }
}

fn edit(file: &File<'_>, edits: &[Splice]) -> Result<Edit, FindError> {
    let path = file.path.to_owned();
    let changed: Vec<(Place, &str, Kind)> = edits
        .iter()
        .filter(|e| !e.place.holds(&e.new, e.kind()))
        .map(|e| (e.place.clone(), e.new.as_str(), e.kind()))
        .collect();
    let text = if changed.is_empty() {
        None
    } else if is_sealed(&file.text, &changed) {
        return Err(FindError::Sealed(path));
    } else {
        Some(file.text.splice(&changed).map_err(|error| FindError::Edit { path: path.clone(), error })?)
    };
    Ok(Edit { text, ..outline(file.path, edits) })
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
