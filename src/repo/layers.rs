//! Where a release's values come from: the layers in their order, each with file and line.
//!
//! Later layers win: the chart's `values.yaml` (or `valuesFiles` in its place), `valuesFrom` in order, the inline `values`. A `targetPath` is a
//! layer of one key.

use super::charts::Location;
use super::document::{self, Node};
use super::files::Checkout;
use super::helm_release::HelmRelease;
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
        let mut out = Vec::new();
        let dir = match &location {
            Location::Here(path) if checkout.is_dir(path) => format!("{path}/"),
            _ => String::new(),
        };
        let mut add = |what: String, path: String, text: &[u8]| {
            let Some(root) = first(text) else { return };
            let layer = Layer { what, path, offset: 0, line: None, root, prefix: Vec::new(), secret: false };
            out.push(layer);
        };
        let own = chart.raw.iter().find(|f| f.name == "values.yaml").filter(|_| spec.values_files.is_empty());
        if let Some(file) = own {
            let path = if dir.is_empty() { String::new() } else { format!("{dir}values.yaml") };
            add(format!("chart {} values.yaml", chart.name()), path, &file.data);
        }
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
