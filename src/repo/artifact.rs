//! Artifacts that Flux composes of this repository's files: an `ArtifactGenerator` and what its `ExternalArtifact`s hold.
//!
//! An artifact is a tree of its own: files of the sources at other paths, later copies over earlier ones. It is never written out; a
//! build reads it through, and what the build says of its files is told by the paths that they have here.
//!
//! Source: source-watcher 2.2 `internal/builder/builder.go`: `cp`'s rules for a file or a directory, Go's `fs.Glob` (in which `**` is `*`, and a
//! directory that matches comes with all that is in it), doublestar for `exclude`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::golang::{doublestar, path};
use crate::kustomize::given::{Given, Patch};
use crate::kustomize::{self, Build, Entry, Tree};

use super::document::Node;
use super::files::Checkout;
use super::helm_release::is_true;
use super::objects::Place;

/// The API group of the generators.
pub(super) const GROUP: &str = "source.extensions.fluxcd.io";

/// More files than this in one artifact are refused.
const MOST_FILES: usize = 100_000;
/// Directories within directories.
const DEEPEST: usize = 100;

/// An `ArtifactGenerator`.
#[derive(Clone, Debug)]
pub(super) struct Generator {
    pub namespace: String,
    pub place: Place,
    sources: Vec<Source>,
    artifacts: Vec<Output>,
}

/// One entry of `spec.sources`.
#[derive(Clone, Debug)]
pub(super) struct Source {
    alias: String,
    pub kind: String,
    pub name: String,
    pub namespace: String,
    pub line: usize,
}

/// One entry of `spec.artifacts`.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub name: String,
    copies: Vec<Copy>,
}

/// One entry of `copy`.
#[derive(Clone, Debug)]
struct Copy {
    from: String,
    to: String,
    exclude: Vec<String>,
    strategy: String,
    optional: bool,
    line: usize,
}

fn text(node: &Node, key: &str) -> String {
    node.get(key).and_then(Node::as_str).unwrap_or_default().to_owned()
}

fn items<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    node.get(key).map_or(&[][..], Node::items)
}

impl Generator {
    /// Reads an object; what is missing in it is told when an artifact of it is made.
    pub fn read(doc: &Node, place: Place, namespace: Option<String>) -> Self {
        let namespace = namespace.unwrap_or_else(|| "default".into());
        let none = Node::null();
        let spec = doc.get("spec").unwrap_or(&none);
        let source = |n: &Node| {
            let own = text(n, "namespace");
            let namespace = if own.is_empty() { namespace.clone() } else { own };
            Source { alias: text(n, "alias"), kind: text(n, "kind"), name: text(n, "name"), namespace, line: n.line() }
        };
        let copy = |n: &Node| Copy {
            from: text(n, "from"),
            to: text(n, "to"),
            exclude: items(n, "exclude").iter().filter_map(Node::as_str).map(String::from).collect(),
            strategy: text(n, "strategy"),
            optional: n.get("optional").is_some_and(is_true),
            line: n.line(),
        };
        let output = |n: &Node| Output { name: text(n, "name"), copies: items(n, "copy").iter().map(copy).collect() };
        Self {
            sources: items(spec, "sources").iter().map(source).collect(),
            artifacts: items(spec, "artifacts").iter().map(output).collect(),
            namespace,
            place,
        }
    }

    pub fn output(&self, name: &str) -> Option<&Output> {
        self.artifacts.iter().find(|a| a.name == name)
    }

    /// The sources that an artifact is made of.
    pub fn sources_of(&self, output: &Output) -> Vec<&Source> {
        let used =
            |s: &&Source| output.copies.iter().any(|c| alias_of(&c.from).is_some_and(|(alias, _)| alias == s.alias));
        self.sources.iter().filter(used).collect()
    }
}

fn alias_of(from: &str) -> Option<(&str, &str)> {
    from.strip_prefix('@')?.split_once('/')
}

/// The files of an artifact: where each lies in the checkout.
pub(super) struct Artifact<'c> {
    checkout: &'c Checkout,
    files: BTreeMap<String, String>,
    /// The generator's place, for what no file of the checkout stands for.
    place: Place,
}

impl<'c> Artifact<'c> {
    /// `above`: directories that an OCI artifact may have been made of, besides the root.
    ///
    /// # Errors
    /// The line of the copy, and why it can't be made.
    pub fn new(
        checkout: &'c Checkout,
        generator: &Generator,
        output: &Output,
        above: &[&str],
    ) -> Result<Self, (usize, String)> {
        let mut out = Self { checkout, files: BTreeMap::new(), place: generator.place.clone() };
        for copy in &output.copies {
            out.copy(generator, copy, above).map_err(|why| {
                (copy.line, format!("artifact {}: copy from '{}' to '{}': {why}", output.name, copy.from, copy.to))
            })?;
        }
        Ok(out)
    }

    fn copy(&mut self, generator: &Generator, copy: &Copy, above: &[&str]) -> Result<(), String> {
        if !copy.from.starts_with('@') {
            return Err("source must start with '@'".into());
        }
        let Some((alias, pattern)) = alias_of(&copy.from) else {
            return Err("source format must be '@alias/pattern'".into());
        };
        let Some(source) = generator.sources.iter().find(|s| s.alias == alias) else {
            return Err(format!("source alias '{alias}' not found"));
        };
        let Some(to) = copy.to.strip_prefix("@artifact/") else {
            return Err("destination must start with '@artifact/'".into());
        };
        if to.split('/').any(|part| part == "..") {
            return Err("destination path must stay within the artifact root".into());
        }
        if !matches!(copy.strategy.as_str(), "" | "Overwrite") {
            return Err(format!("strategy {} is not supported: only Overwrite", copy.strategy));
        }
        let exclude: Vec<String> = copy.exclude.iter().flat_map(|p| doublestar::alternatives(p)).collect();
        let is_dir = to.is_empty() || to.ends_with('/');
        let to = to.trim_matches('/');
        let pattern = Checkout::relative(pattern)?;
        let base: Vec<&str> = pattern.split('/').take_while(|p| !p.contains(['*', '?', '[', ']'])).collect();
        let base = base.join("/");
        let others = above.iter().filter(|_| source.kind == "OCIRepository");
        let root = std::iter::once(&"").chain(others).find(|root| self.checkout.kind(&join(root, &base)).is_some());
        let root = root.copied().unwrap_or_default();
        let from = From { checkout: self.checkout, root, base: &base, exclude: &exclude };
        if base == pattern {
            return match from.kind(&pattern) {
                None if copy.optional => Ok(()),
                None => Err(format!("source '{pattern}' does not exist")),
                Some(Entry::Directory) => {
                    let name = pattern.rsplit('/').next().unwrap_or_default();
                    self.tree(&from, &pattern, &join(to, name), 0)
                }
                Some(Entry::File) if excluded(&pattern, "", &exclude) => Ok(()),
                Some(Entry::File) => {
                    let into_it = is_dir || self.is_directory(to);
                    let name = pattern.rsplit('/').next().unwrap_or_default();
                    self.put(if into_it { join(to, name) } else { to.to_owned() }, join(root, &pattern))
                }
            };
        }
        let matches = from.glob(&pattern)?;
        if matches.is_empty() && !copy.optional {
            return Err(format!("no files match pattern '{pattern}' in source '{alias}'"));
        }
        let kept: Vec<String> = matches.into_iter().filter(|m| !excluded(m, &base, &exclude)).collect();
        if kept.is_empty() && !copy.optional {
            return Err(format!("all files matching pattern '{pattern}' in source '{alias}' were excluded"));
        }
        let prefix = pattern.strip_suffix("/**").map(|dir| format!("{dir}/"));
        for found in kept {
            let rest = prefix.as_ref().and_then(|p| found.strip_prefix(p)).unwrap_or(&found);
            self.tree(&from, &found, &join(to, rest), 0)?;
        }
        Ok(())
    }

    /// A file, or a directory with all that is in it.
    fn tree(&mut self, from: &From<'_>, path: &str, to: &str, depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("{path}: more than {DEEPEST} directories in each other"));
        }
        match from.kind(path) {
            Some(Entry::File) => self.put(to.to_owned(), join(from.root, path)),
            Some(Entry::Directory) => {
                for name in from.list(path)? {
                    let name = name.trim_end_matches('/');
                    let path = join(path, name);
                    if name != ".git" && !excluded(&path, from.base, from.exclude) {
                        self.tree(from, &path, &join(to, name), depth + 1)?;
                    }
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn put(&mut self, to: String, from: String) -> Result<(), String> {
        if self.files.len() >= MOST_FILES {
            return Err(format!("more than {MOST_FILES} files"));
        }
        self.files.insert(to, from);
        Ok(())
    }

    fn is_directory(&self, dir: &str) -> bool {
        let inside = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        self.files.range(inside.clone()..).next().is_some_and(|(path, _)| path.starts_with(&inside))
    }

    /// Tells what was built by the paths that the files have in the checkout.
    pub fn told(&self, built: kustomize::Result<Build>) -> kustomize::Result<Build> {
        let mut build = built.map_err(|mut e| {
            e.file = e.file.map(|file| self.home(&file).to_string());
            e
        })?;
        for object in &mut build.objects {
            object.source.file = self.home(&object.source.file);
            for given in &mut object.given {
                match given {
                    Given::File { file, .. } => *file = self.home(file),
                    Given::Patch(patch) => {
                        *patch = Arc::new(Patch { file: self.home(&patch.file), ..Patch::clone(patch) });
                    }
                }
            }
        }
        Ok(build)
    }

    /// Where a file of the artifact lies; a file that a build made up, where its directory's others do.
    fn home(&self, file: &str) -> Arc<str> {
        let file = file.trim_matches('/');
        let (dir, name) = file.rsplit_once('/').unwrap_or(("", file));
        let beside = || {
            let inside = if dir.is_empty() { String::new() } else { format!("{dir}/") };
            let (_, neighbour) = self.files.range(inside.clone()..).next().filter(|(p, _)| p.starts_with(&inside))?;
            Some(neighbour.rsplit_once('/').map_or_else(|| name.to_owned(), |(dir, _)| format!("{dir}/{name}")))
        };
        let home = self.files.get(file).cloned().or_else(beside).unwrap_or_else(|| self.place.path.clone());
        format!("/{home}").into()
    }
}

/// What a copy takes files from: paths count from the source's root.
struct From<'f> {
    checkout: &'f Checkout,
    /// The root of the source in the checkout.
    root: &'f str,
    /// The path that comes before the first pattern.
    base: &'f str,
    exclude: &'f [String],
}

impl From<'_> {
    fn kind(&self, path: &str) -> Option<Entry> {
        self.checkout.kind(&join(self.root, path))
    }

    fn list(&self, path: &str) -> Result<Vec<String>, String> {
        self.checkout.list(&join(self.root, path))
    }

    /// `fs.Glob`
    fn glob(&self, pattern: &str) -> Result<Vec<String>, String> {
        let mut found = vec![String::new()];
        for part in pattern.split('/') {
            let mut next = Vec::new();
            for dir in &found {
                if !part.contains(['*', '?', '[', '\\']) {
                    next.extend(Some(join(dir, part)).filter(|p| self.kind(p).is_some()));
                    continue;
                }
                for name in self.list(dir).unwrap_or_default() {
                    let name = name.trim_end_matches('/');
                    let fits = path::path_match(part.as_bytes(), name.as_bytes());
                    if fits.map_err(|_| format!("invalid glob pattern '{pattern}'"))? && name != ".git" {
                        next.push(join(dir, name));
                    }
                }
            }
            found = next;
        }
        Ok(found)
    }
}

impl Tree for Artifact<'_> {
    fn resolve(&self, path: &str) -> Option<(String, Entry)> {
        let clean = Checkout::relative(path).ok()?;
        let entry = if self.files.contains_key(&clean) {
            Entry::File
        } else {
            (clean.is_empty() || self.is_directory(&clean)).then_some(Entry::Directory)?
        };
        Some((format!("/{clean}"), entry))
    }

    fn read(&self, path: &str) -> Result<Cow<'_, [u8]>, String> {
        match self.files.get(path.trim_matches('/')) {
            Some(file) => self.checkout.read(file).map(Cow::Owned),
            None if self.is_directory(path.trim_matches('/')) => Err("is a directory".into()),
            None => Err("no such file or directory".into()),
        }
    }

    fn list(&self, path: &str) -> Vec<(String, Entry)> {
        let dir = path.trim_matches('/');
        let inside = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        kustomize::names(self.files.range(inside.clone()..).map_while(|(file, _)| file.strip_prefix(&inside)))
    }
}

fn join(dir: &str, name: &str) -> String {
    match (dir, name) {
        ("", name) => name.to_owned(),
        (dir, "") => dir.to_owned(),
        (dir, name) => format!("{dir}/{name}"),
    }
}

/// Whether a path, or its rest below `base`, is excluded; a pattern without a slash fits a name anywhere.
fn excluded(path: &str, base: &str, exclude: &[String]) -> bool {
    let fits = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        exclude.iter().any(|p| doublestar::matches(p, path) || !p.contains('/') && doublestar::matches(p, name))
    };
    let rest = path.strip_prefix(base).and_then(|rest| rest.strip_prefix('/')).filter(|_| !base.is_empty());
    fits(path) || rest.is_some_and(fits)
}
