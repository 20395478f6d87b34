//! The files of a checkout, each read and parsed once, with what they are by their place and name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::rules;
use crate::golang::path;
pub use crate::repo::document::at;
use crate::repo::document::{self, Document, Node};
use crate::repo::files::Checkout;
use crate::repo::generated::NAMES;
use crate::report::Finding;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Manifest,
    Kustomization,
    /// A part of an object, named by a kustomization's patches.
    Patch,
    Values,
    ChartYaml,
    /// Some other YAML.
    Other,
}

/// One YAML file.
#[derive(Debug)]
pub struct SourceFile {
    /// From the root of the checkout, with `/`.
    pub path: String,
    pub role: Role,
    pub text: Vec<u8>,
    pub documents: Vec<Document>,
}

/// A checkout, read.
#[derive(Debug, Default)]
pub struct Scan {
    pub files: BTreeMap<String, SourceFile>,
    /// Every file, also what is no YAML.
    pub all: BTreeSet<String>,
    /// Directories with a Chart.yaml, without those inside other charts.
    pub charts: BTreeSet<String>,
}

/// What a template has where a value or an entry of YAML should begin.
static TAG: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\s*(?:- +|[\w./-]+: +)*\{[{%]").ok());
static VARIABLE_IN_LIST: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[\[{,][^'\x22]*\$\{\w+").ok());

/// Larger files are not looked into.
const MAX_FILE: usize = 5 << 20;
/// How deep directories nest.
const MAX_DEPTH: usize = 64;

impl Scan {
    /// Reads what lies below the root; what is not YAML though it is called so becomes a finding.
    ///
    /// # Errors
    /// The root can't be listed.
    pub fn read(checkout: &Checkout, out: &mut Vec<Finding>) -> Result<Self, String> {
        let mut scan = Self::default();
        checkout.list("")?;
        let mut broken = Vec::new();
        scan.walk(checkout, "", 0, &mut broken);
        let built = scan.mark_patches();
        out.extend(broken.into_iter().filter(|f| built.contains(&f.path) || !scan.is_template_at(&f.path, f.line)));
        Ok(scan)
    }

    fn walk(&mut self, checkout: &Checkout, dir: &str, depth: usize, out: &mut Vec<Finding>) {
        let names = checkout.list(dir).unwrap_or_default();
        let is_chart = names.iter().any(|n| n == "Chart.yaml");
        if is_chart {
            self.charts.insert(dir.to_owned());
        }
        for name in names {
            let joined = |n: &str| if dir.is_empty() { n.to_owned() } else { format!("{dir}/{n}") };
            if let Some(sub) = name.strip_suffix('/') {
                // Templates are no YAML, and a chart inside a chart is somebody else's.
                let skip = sub.starts_with('.') || sub == "node_modules";
                let of_chart = is_chart && matches!(sub, "templates" | "charts" | "tests" | "ci");
                let full = std::fs::symlink_metadata(checkout.root().join(joined(sub)));
                let link = full.is_ok_and(|m| m.is_symlink());
                if !skip && !of_chart && !link && depth < MAX_DEPTH {
                    self.walk(checkout, &joined(sub), depth + 1, out);
                }
                continue;
            }
            let path = joined(&name);
            self.all.insert(path.clone());
            let kustomization = NAMES.contains(&name.as_str());
            if !(kustomization || name.ends_with(".yaml") || name.ends_with(".yml")) || name.starts_with('.') {
                continue;
            }
            let Ok(text) = checkout.read(&path) else { continue };
            if text.len() > MAX_FILE {
                continue;
            }
            let documents = document::parse(&text).unwrap_or_else(|e| {
                // The line within the document is another one than the file's.
                let message = e.message.strip_prefix("yaml: ").unwrap_or(&e.message);
                let line = message.strip_prefix("line ").and_then(|rest| rest.split_once(": "));
                let message = line.filter(|(n, _)| n.parse::<usize>().is_ok()).map_or(message, |(_, rest)| rest);
                let finding = Finding::new(&rules::YAML_SYNTAX, path.clone(), e.line, message);
                out.push(finding.with_fix("correct the indentation, quotes or brackets at or before this line"));
                Vec::new()
            });
            let role = match name.as_str() {
                _ if kustomization => Role::Kustomization,
                "Chart.yaml" if is_chart => Role::ChartYaml,
                "values.yaml" if is_chart => Role::Values,
                "Chart.lock" => Role::Other,
                _ if dir.split('/').any(|d| d == "helm-values") => Role::Values,
                _ if documents.iter().any(|d| is_object(&d.root)) => Role::Manifest,
                _ => Role::Other,
            };
            self.files.insert(path.clone(), SourceFile { path, role, text, documents });
        }
    }

    /// Whether what is wrong with a file at a line is what another program will have put there: `{{ … }}` or `{% … %}` where YAML has no text, and
    /// `${…}` within `[…]`, which Flux expands in a generator's data.
    fn is_template_at(&self, path: &str, line: usize) -> bool {
        let (Some(file), Some(tag), Some(variable)) = (self.files.get(path), TAG.as_ref(), VARIABLE_IN_LIST.as_ref())
        else {
            return false;
        };
        let text = String::from_utf8_lossy(&file.text);
        let lines: Vec<&str> = text.lines().collect();
        // YAML tells the line that it was on before, now and then.
        let last = lines.len().min(line + 1);
        let near = |before: usize| lines.get(line.saturating_sub(before)..last).unwrap_or_default();
        near(4).iter().any(|l| tag.is_match(l)) || near(1).iter().any(|l| variable.is_match(l))
    }

    /// What kustomizations name as something else than objects: patches, configuration, data of generators. Gives what they build as YAML.
    fn mark_patches(&mut self) -> BTreeSet<String> {
        let mut patches = Vec::new();
        let (mut data, mut resources) = (BTreeSet::new(), BTreeSet::new());
        for file in self.kustomizations() {
            let dir = parent(&file.path);
            for document in &file.documents {
                let list = |key: &str| document.root.get(key).map_or(&[][..], Node::items);
                let named = list("patches").iter().chain(list("patchesJson6902")).filter_map(|p| p.get("path"));
                for name in named.chain(list("patchesStrategicMerge")).filter_map(Node::as_str) {
                    patches.push(join(dir, name));
                }
                let configured = list("configurations").iter().chain(list("transformers")).chain(list("generators"));
                patches.extend(configured.filter_map(Node::as_str).map(|name| join(dir, name)));
                let generators = list("configMapGenerator").iter().chain(list("secretGenerator"));
                for name in generators.filter_map(|g| g.get("files")).flat_map(Node::items).filter_map(Node::as_str) {
                    data.insert(join(dir, name.split_once('=').map_or(name, |(_, file)| file)));
                }
                resources.extend(list("resources").iter().filter_map(Node::as_str).map(|name| join(dir, name)));
            }
        }
        for path in data.difference(&resources) {
            if let Some(file) = self.files.get_mut(path).filter(|f| f.role == Role::Manifest) {
                file.role = Role::Other;
            }
        }
        // Kustomize takes a resource without apiVersion for an object, and so does the cluster, which refuses it.
        for path in &resources {
            if let Some(file) = self.files.get_mut(path).filter(|f| f.role == Role::Other)
                && file.documents.iter().any(|d| !text(&d.root, "kind").is_empty())
            {
                file.role = Role::Manifest;
            }
        }
        for path in &patches {
            if let Some(file) = self.files.get_mut(path) {
                file.role = Role::Patch;
            }
        }
        resources.extend(patches);
        resources
    }

    pub fn kustomizations(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.values().filter(|f| f.role == Role::Kustomization)
    }

    /// Every object that stands in a file as it is.
    pub fn objects(&self) -> impl Iterator<Item = (&SourceFile, &Node)> {
        let manifests = self.files.values().filter(|f| f.role == Role::Manifest);
        manifests.flat_map(|f| f.documents.iter().map(move |d| (f, &d.root))).flat_map(|(f, root)| {
            // A List stands for its items.
            let items = root.get("items").filter(|_| text(root, "kind").ends_with("List"));
            let list: Vec<&Node> = items.map_or_else(|| vec![root], |i| i.items().iter().collect());
            list.into_iter().map(move |n| (f, n))
        })
    }

    /// The document of a file in which a line stands.
    pub fn document(&self, path: &str, line: usize) -> Option<&Node> {
        self.files.get(path)?.documents.iter().map(|d| &d.root).rfind(|root| root.line() <= line.max(1))
    }

    /// The object of a file in which a line stands: the document's, or of a List the item.
    pub fn object(&self, path: &str, line: usize) -> Option<&Node> {
        document::object_at(&self.files.get(path)?.documents, line.max(1))
    }

    /// Files in a directory and below.
    pub fn below<'s>(&'s self, dir: &str) -> impl Iterator<Item = &'s str> + use<'s> {
        let inside = format!("{dir}/");
        let end = inside.clone();
        self.all.range(inside..).map(String::as_str).take_while(move |p| p.starts_with(&end))
    }
}

fn is_object(n: &Node) -> bool {
    n.get("apiVersion").and_then(Node::as_str).is_some() && n.get("kind").and_then(Node::as_str).is_some()
}

/// A field's text; empty if there is none.
pub fn text<'n>(n: &'n Node, key: &str) -> &'n str {
    n.get(key).and_then(Node::as_str).unwrap_or_default()
}

/// The directory of a path; empty for the root.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// A path named in a file of a directory, clean; one that leads out keeps its `..`.
pub fn join(dir: &str, name: &str) -> String {
    String::from_utf8_lossy(&path::join(&[dir, name])).into_owned()
}
