//! Artifacts that Flux composes of this repository's files: an `ArtifactGenerator` and what its `ExternalArtifact`s hold.
//!
//! An artifact is a tree of its own: files of the sources at other paths, later copies over earlier ones ([`compose`]). It is never written out;
//! a build reads it through, and what the build says of its files is told by the paths that they have here. A chart may be composed as well: of
//! a chart that is fetched, with values files of this repository put in its place.
//!
//! Source: source-watcher 2.2 `api/v1beta1/artifactgenerator_types.go`.

mod compose;
mod origin;
mod pattern;

use std::borrow::Cow;

pub use compose::{Artifact, Part};
pub use origin::{Fetched, Files};

use super::document::Node;
use super::files::Checkout;
use super::helm_release::is_true;
use super::problem::Place;

/// The API group of the generators.
pub const GROUP: &str = "source.extensions.fluxcd.io";

/// An `ArtifactGenerator`.
#[derive(Clone, Debug)]
pub struct Generator {
    pub namespace: String,
    pub place: Place,
    pub sources: Vec<Source>,
    /// Templates of artifacts, one of each for every directory that it fits.
    pattern: Option<(String, usize)>,
    artifacts: Vec<Output>,
}

/// One entry of `spec.sources`.
#[derive(Clone, Debug)]
pub struct Source {
    pub alias: String,
    pub kind: String,
    pub name: String,
    pub namespace: String,
    pub line: usize,
    /// It is this repository.
    pub here: bool,
}

/// One entry of `spec.artifacts`.
#[derive(Clone, Debug)]
pub struct Output {
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
            Source {
                alias: text(n, "alias"),
                kind: text(n, "kind"),
                name: text(n, "name"),
                namespace,
                line: n.line(),
                here: false,
            }
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
            pattern: spec.get("pathPattern").and_then(|n| Some((n.as_str()?.to_owned(), n.line()))),
            sources: items(spec, "sources").iter().map(source).collect(),
            artifacts: items(spec, "artifacts").iter().map(output).collect(),
            namespace,
            place,
        }
    }

    /// The artifact of a name; nothing if this generator makes none of that name.
    ///
    /// # Errors
    /// The line, and why the directories of its pattern make no artifacts.
    pub fn output(&self, checkout: &Checkout, name: &str) -> Result<Option<Cow<'_, Output>>, (usize, String)> {
        let Some((pattern, line)) = &self.pattern else {
            return Ok(self.artifacts.iter().find(|a| a.name == name).map(Cow::Borrowed));
        };
        let outputs = self.expand(checkout, pattern).map_err(|why| (*line, why))?;
        Ok(outputs.into_iter().find(|a| a.name == name).map(Cow::Owned))
    }

    /// The sources that an artifact is made of.
    pub fn sources_of(&self, output: &Output) -> Vec<&Source> {
        let used =
            |s: &&Source| output.copies.iter().any(|c| alias_of(&c.from).is_some_and(|(alias, _)| alias == s.alias));
        self.sources.iter().filter(used).collect()
    }
}

impl Output {
    /// The paths, from a source's root, that hold all that the artifact takes from it.
    pub fn taken_from<'o>(&'o self, alias: &'o str) -> impl Iterator<Item = String> + 'o {
        let of_alias = move |c: &'o Copy| alias_of(&c.from).filter(|(a, _)| *a == alias);
        self.copies
            .iter()
            .filter_map(of_alias)
            .filter_map(|(_, pattern)| Some(base(&Checkout::relative(pattern).ok()?)))
    }
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', ']'])
}

/// What of a path comes before the first pattern.
fn base(pattern: &str) -> String {
    let parts: Vec<&str> = pattern.split('/').take_while(|p| !is_pattern(p)).collect();
    parts.join("/")
}

fn alias_of(from: &str) -> Option<(&str, &str)> {
    from.strip_prefix('@')?.split_once('/')
}

pub fn join(dir: &str, name: &str) -> String {
    match (dir, name) {
        ("", name) => name.to_owned(),
        (dir, "") => dir.to_owned(),
        (dir, name) => format!("{dir}/{name}"),
    }
}
