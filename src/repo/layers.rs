//! Where a release's values come from: the layers in their order, each with file and line.
//!
//! Later layers win: the chart's `values.yaml` (or `valuesFiles` in its place), `valuesFrom` in order, the inline `values`. A `targetPath` is a
//! layer of one key.

use crate::chart::Chart;
use crate::sops::mask::is_placeholder;

use super::charts::Location;
use super::document::{self, Node};
use super::files::Checkout;
use super::helm_release::HelmRelease;
use super::mask::Masker;
use super::objects::{Environment, Problem};
use super::render::object_data;

/// One source of values.
#[derive(Clone, Debug)]
pub struct Layer {
    /// `values file`, `ConfigMap web-values`, `HelmRelease`
    pub what: String,
    /// The file; empty if it is not in this repository.
    pub path: String,
    /// The line that the layer's first line has in its file, less one.
    offset: usize,
    /// Where the lines of the text are not those of the file.
    line: Option<usize>,
    root: Node,
    /// What all keys of the layer begin with.
    prefix: Vec<String>,
    pub secret: bool,
}

/// A layer that sets a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub what: String,
    /// `FILE:LINE`, or the layer's name.
    pub place: String,
    /// The value as written; nothing for maps, lists and secrets.
    pub value: Option<String>,
    pub secret: bool,
}

impl Layer {
    /// A values file. `None` for a text that is no document.
    pub fn file(what: impl Into<String>, path: impl Into<String>, text: &[u8]) -> Option<Self> {
        let root = document::parse(text).ok()?.into_iter().next()?.root;
        let (what, path) = (what.into(), path.into());
        Some(Self { what, path, offset: 0, line: None, root, prefix: Vec::new(), secret: false })
    }

    /// The defaults of a chart's subcharts, the deepest first, and then its own if `with_own`. `dir` is the chart's directory with a slash behind it;
    /// nothing for a chart that comes as an archive.
    pub fn of_chart(chart: &Chart, dir: Option<&str>, with_own: bool, is_file: &dyn Fn(&str) -> bool) -> Vec<Self> {
        let mut out = Vec::new();
        for child in &chart.dependencies {
            let below = dir.map(|d| format!("{d}charts/{}/", child.name()));
            let mut layers = Self::of_chart(child, below.as_deref(), true, is_file);
            layers.iter_mut().for_each(|l| l.prefix.insert(0, child.name().to_owned()));
            out.append(&mut layers);
        }
        let own = chart.raw.iter().find(|f| f.name == "values.yaml").filter(|_| with_own);
        let path = dir.map(|d| format!("{d}values.yaml")).filter(|p| is_file(p)).unwrap_or_default();
        out.extend(own.and_then(|f| Self::file(format!("chart {} values.yaml", chart.name()), path, &f.data)));
        out
    }

    /// Tells a masker what must not be shown, if the layer is a secret: also one that lies in clear in the repository.
    pub fn hide_in(&self, masker: &mut Masker) {
        fn leaves(node: &Node, masker: &mut Masker) {
            if let Some(text) = node.as_str().filter(|t| !is_placeholder(t)) {
                masker.learn_text(text);
            }
            node.items().iter().for_each(|n| leaves(n, masker));
            node.entries().iter().for_each(|(_, n)| leaves(n, masker));
        }
        if self.secret {
            leaves(&self.root, masker);
        }
    }

    /// What this layer says of a key.
    pub fn get(&self, path: &[String]) -> Option<Origin> {
        let rest = match path.strip_prefix(&self.prefix[..]) {
            Some(rest) => rest,
            None if self.prefix.starts_with(path) => &[],
            None => return None,
        };
        let mut at = &self.root;
        let mut line = self.root.line();
        for key in rest {
            match at.entry(key) {
                Some((k, v)) => (line, at) = (k.line(), v),
                None => {
                    at = key.parse::<usize>().ok().and_then(|i| at.items().get(i))?;
                    line = at.line();
                }
            }
        }
        let line = self.line.unwrap_or(line + self.offset);
        let place = if self.path.is_empty() { self.what.clone() } else { format!("{}:{line}", self.path) };
        let value = at.as_str().map(String::from).filter(|_| !self.secret);
        Some(Origin { what: self.what.clone(), place, value, secret: self.secret })
    }
}

impl Environment {
    /// The layers of a release's values, the lowest first.
    ///
    /// # Errors
    /// The chart can't be loaded.
    pub fn layers(&self, checkout: &Checkout, hr: &HelmRelease) -> Result<Vec<Layer>, Problem> {
        let (chart, location, spec) = self.chart(checkout, hr, &mut Vec::new())?;
        let first = |text: &[u8]| document::parse(text).ok().and_then(|d| d.into_iter().next()).map(|d| d.root);
        let dir = match &location {
            Location::Here(path) if checkout.is_dir(path) => Some(format!("{path}/")),
            _ => None,
        };
        let is_file = |path: &str| checkout.is_file(path);
        let mut out = Layer::of_chart(&chart, dir.as_deref(), spec.values_files.is_empty(), &is_file);
        let mut add = |what: String, path: String, text: &[u8]| out.extend(Layer::file(what, path, text));
        for (file, _) in &spec.values_files {
            let path = Checkout::relative(file).unwrap_or_default();
            if let (Location::Here(_), Ok(text)) = (&location, checkout.read(&path)) {
                add(format!("values file {path}"), path, &text);
            } else if let Some(found) =
                chart.raw.iter().find(|f| path == f.name || path.ends_with(&format!("/{}", f.name)))
            {
                add(format!("chart {} {}", chart.name(), found.name), String::new(), &found.data);
            }
        }
        for r in &hr.values_from {
            let Some(object) = self.find(&r.kind, &r.name, hr.namespace.as_deref()) else { continue };
            let Ok(data) = object_data(&r.kind, &object.node) else { continue };
            let key = if r.values_key.is_empty() { crate::values::compose::DEFAULT_KEY } else { &r.values_key };
            let Some(text) = data.get(key) else { continue };
            let of = |field: &str| object.node.get(field).and_then(|d| d.entry(key)).map(|(k, _)| k.line());
            let at = of("stringData").or_else(|| of("data")).unwrap_or(object.place.line);
            let Some(root) = (if r.target_path.is_empty() {
                first(text)
            } else {
                Some(Node::scalar(String::from_utf8_lossy(text), at))
            }) else {
                continue;
            };
            // A block text begins on the line after its key; other texts have no lines of their own.
            let block = r.kind == "ConfigMap" && text.contains(&b'\n') && r.target_path.is_empty();
            out.push(Layer {
                what: format!("{} {}", r.kind, r.name),
                path: object.place.path.clone(),
                offset: at,
                line: (!block).then_some(at),
                root,
                prefix: r.target_path.split('.').filter(|k| !k.is_empty()).map(String::from).collect(),
                secret: r.kind == "Secret" || object.encrypted,
            });
        }
        if let Some(values) = &hr.values {
            out.push(Layer {
                what: format!("HelmRelease {}", hr.name),
                path: hr.place.path.clone(),
                offset: 0,
                line: None,
                root: values.clone(),
                prefix: Vec::new(),
                secret: false,
            });
        }
        Ok(out)
    }
}
