//! The objects of one environment, those of its files and those of its releases, in one list.

use super::locate;
use super::scan::{Scan, text};
use crate::repo::document::{self, Node};
use crate::repo::files::Checkout;
use crate::repo::{Built, HelmRelease, Rendered};

/// Where an object comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A file; the lines of the node are those of the file.
    File(String),
    /// A template; the lines of the node are those of the rendered text.
    Template {
        path: String,
        text: String,
        /// Where the template's part for this object begins.
        start: usize,
    },
}

/// One object.
#[derive(Clone, Debug)]
pub struct Object {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    /// The release's, where the object says none.
    pub namespace: String,
    pub node: Node,
    pub origin: Origin,
    /// A chart's test or another hook: it lives apart from the rest.
    pub hook: bool,
    /// The Flux Kustomization that applies an object of a file; empty for the environment itself.
    pub owner: String,
}

impl Object {
    /// The place of what stands at a path in the object: its line where lines are the file's, else the template's most likely one.
    pub fn place(&self, steps: &[String], line: usize) -> (String, usize) {
        match &self.origin {
            Origin::File(path) => (path.clone(), line),
            Origin::Template { path, text, start } => (path.clone(), locate::line(text, *start, steps)),
        }
    }

    /// The place of the object itself.
    pub fn here(&self) -> (String, usize) {
        self.place(&["kind".into()], self.node.line())
    }

    pub fn is(&self, kind: &str, name: &str, namespace: &str) -> bool {
        self.kind == kind && self.name == name && self.namespace == namespace
    }
}

/// A built object with the lines that it has in its file, since a build writes objects anew.
pub fn node_of(scan: &Scan, text: &str, path: &str, line: usize) -> Option<Node> {
    let mut node = document::parse(text.as_bytes()).ok()?.pop()?.root;
    node.take_lines(scan.object(path, line), line);
    Some(node)
}

/// Objects of files.
pub fn of_files(scan: &Scan, built: &[Built]) -> Vec<Object> {
    let read = |b: &Built| {
        let node = node_of(scan, &b.text, &b.place.path, b.place.line)?;
        Some(Object {
            api_version: b.api_version.clone(),
            kind: b.kind.clone(),
            name: b.name.clone(),
            namespace: b.namespace.clone(),
            node,
            origin: Origin::File(b.place.path.clone()),
            hook: false,
            owner: b.owner.clone(),
        })
    };
    built.iter().filter_map(read).collect()
}

/// Objects of a rendered release.
pub fn of_release(checkout: &Checkout, hr: &HelmRelease, chart: &str, rendered: &Rendered) -> Vec<Object> {
    let mut out = Vec::new();
    let mut seen: Vec<(String, String)> = Vec::new();
    let manifests = rendered.release.manifests.iter().map(|m| (&m.name, &m.content, false));
    let hooks = rendered.release.hooks.iter().map(|h| (&h.path, &h.manifest, true));
    for (template, content, hook) in manifests.chain(hooks) {
        for document in document::parse(content).unwrap_or_default() {
            let node = document.root;
            if !node.is_map() {
                continue;
            }
            let kind = text(&node, "kind").to_owned();
            let metadata = |key: &str| node.get("metadata").map(|m| text(m, key).to_owned()).unwrap_or_default();
            let nth = seen.iter().filter(|s| s.0 == *template && s.1 == kind).count();
            seen.push((template.clone(), kind.clone()));
            let origin = origin(checkout, hr, chart, template, &kind, nth);
            let namespace = Some(metadata("namespace")).filter(|n| !n.is_empty());
            out.push(Object {
                api_version: text(&node, "apiVersion").to_owned(),
                name: metadata("name"),
                namespace: namespace.unwrap_or_else(|| rendered.namespace.clone()),
                kind,
                node,
                origin,
                hook,
                owner: String::new(),
            });
        }
    }
    out
}

/// The file of a template (`web/charts/sub/templates/x.yaml`) in the checkout, and where in it the object begins.
fn origin(checkout: &Checkout, hr: &HelmRelease, chart: &str, template: &str, kind: &str, nth: usize) -> Origin {
    let path = template_path(chart, template);
    match checkout.read(&path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let start = locate::document(&text, kind, nth);
            Origin::Template { path, text, start }
        }
        // The chart lies in an archive or elsewhere.
        Err(_) => Origin::Template { path: hr.place.path.clone(), text: String::new(), start: hr.place.line },
    }
}

/// The path of a template in the checkout.
pub fn template_path(chart: &str, template: &str) -> String {
    let inside = template.split_once('/').map_or(template, |(_, rest)| rest);
    super::scan::join(chart, inside)
}
