//! Where a release's values come from: the layers in their order, each with file and line.
//!
//! Later layers win: the chart's `values.yaml` (or `valuesFiles` in its place), `valuesFrom` in order, the inline `values`. A `targetPath` is a
//! layer of one key.

use crate::chart::Chart;

use super::charts::Location;
use super::document::{self, Node};
use super::files::Checkout;
use super::given;
use super::helm_release::HelmRelease;
use super::layer::{Layer, Origin, keys};
use super::layer_chart::{Subchart, subcharts};
use super::mask::Masker;
use super::objects::{Environment, ValuesObject};
use super::problem::Problem;
use super::render::object_data;

/// All layers of a release's values.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The lowest first.
    list: Vec<Layer>,
    /// What is global reaches their values.
    subcharts: Vec<Subchart>,
    /// What the HelmRelease says as it is written, and patches of it, where there are any.
    written: Vec<Layer>,
    /// What the build made of the HelmRelease's values: it has the last word.
    built: Option<Layer>,
}

impl Layers {
    /// Those of a chart alone: its own and what is given on the command line.
    pub fn of_chart(chart: &Chart, list: Vec<Layer>) -> Self {
        Self { list, subcharts: subcharts(chart), ..Self::default() }
    }

    /// The layers that set a key, the winner last. Of `global` those of the charts around a subchart go over its own.
    pub fn origins(&self, path: &[String]) -> Vec<Origin> {
        let mut out = self.origins_at(path);
        out.extend(self.origins_around(path));
        out
    }

    /// Whether a subchart has the key, which is below its `global`, from a chart around it.
    pub(super) fn is_handed_down(&self, path: &[String]) -> bool {
        !self.origins_around(path).is_empty()
    }

    /// A chart's file, for one that Helm names by the alias of a subchart.
    pub(super) fn file(&self, path: &str) -> String {
        self.subcharts.iter().filter_map(|s| s.file(path)).next_back().unwrap_or_else(|| path.to_owned())
    }

    fn origins_around(&self, path: &[String]) -> Vec<Origin> {
        let global = path.iter().position(|key| key == "global").map(|at| path.split_at(at));
        let Some((way, rest)) = global.filter(|(way, _)| self.subcharts.iter().any(|s| s.way == *way)) else {
            return Vec::new();
        };
        let outer = (0..way.len()).rev().filter_map(|n| way.get(..n));
        outer.flat_map(|outer| self.origins_at(&[outer, rest].concat())).collect()
    }

    fn origins_at(&self, path: &[String]) -> Vec<Origin> {
        let of = |layers: &[Layer]| layers.iter().filter_map(|l| l.get(path)).collect::<Vec<_>>();
        let mut out = of(&self.list);
        if let Some(built) = self.built.as_ref().and_then(|b| b.get(path)) {
            let mut written = of(&self.written);
            match written.last_mut() {
                Some(last) => last.value = built.value,
                // The build put it there otherwise (a replacement, a variable).
                None => written.push(built),
            }
            out.append(&mut written);
        }
        out
    }

    pub fn hide_in(&self, masker: &mut Masker) {
        self.list.iter().for_each(|l| l.hide_in(masker));
    }
}

/// Where a values object's key has its text: the file, the lines before it, and the line where its own lines are not the file's.
struct Written {
    path: String,
    offset: usize,
    line: Option<usize>,
}

impl Environment {
    /// The layers of a release's values.
    ///
    /// # Errors
    /// The chart can't be loaded.
    pub fn layers(&self, checkout: &Checkout, hr: &HelmRelease) -> Result<Layers, Problem> {
        let (chart, location, spec) = self.chart(checkout, hr, &mut Vec::new())?;
        let dir = self.chart_directory(checkout, &location);
        let is_file = |path: &str| checkout.is_file(path);
        let parts = match &location {
            Location::Composed(composed) => composed.values(checkout, &|at| self.charts.fetched(at))?,
            Location::Here(_) | Location::Elsewhere(_) => Vec::new(),
        };
        let whole = spec.values_files.is_empty() && parts.is_empty();
        let mut out = Layer::of_chart(&chart, dir.as_deref(), whole, &is_file);
        for (home, text) in parts {
            let what = home
                .as_ref()
                .map_or_else(|| format!("chart {} values.yaml", chart.name()), |p| format!("values file {p}"));
            out.extend(Layer::file(what, home.unwrap_or_default(), &text));
        }
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
        out.extend(self.of_objects(checkout, hr));
        let (written, built) = self.inline(checkout, hr);
        Ok(Layers { list: out, subcharts: subcharts(&chart), written, built })
    }

    /// The layers that are written in the repository for a release, its chart's own defaults aside: values files, `valuesFrom`, inline values
    /// and patches of them.
    pub(super) fn written_layers(&self, checkout: &Checkout, hr: &HelmRelease) -> Vec<Layer> {
        let file = |(file, _): &(String, usize)| {
            let path = Checkout::relative(file).ok()?;
            let text = checkout.read(&path).ok()?;
            Layer::file(format!("values file {path}"), path, &text)
        };
        let mut out: Vec<Layer> = hr.chart.values_files.iter().filter_map(file).collect();
        out.extend(self.of_objects(checkout, hr));
        let (written, built) = self.inline(checkout, hr);
        let plain = if written.is_empty() { built } else { None };
        out.extend(written.into_iter().chain(plain));
        out
    }

    /// `valuesFrom`: ConfigMaps and Secrets beside the release.
    fn of_objects(&self, checkout: &Checkout, hr: &HelmRelease) -> Vec<Layer> {
        let first = |text: &[u8]| document::parse(text).ok().and_then(|d| d.into_iter().next()).map(|d| d.root);
        let mut out = Vec::new();
        for r in &hr.values_from {
            let Some(object) = self.find(&r.kind, &r.name, hr.namespace.as_deref()) else { continue };
            let Ok(data) = object_data(&r.kind, &object.node) else { continue };
            let key = if r.values_key.is_empty() { crate::values::compose::DEFAULT_KEY } else { &r.values_key };
            let Some(text) = data.get(key) else { continue };
            let whole = r.target_path.is_empty();
            let Written { path, offset, line } = self.written(checkout, object, key, whole && text.contains(&b'\n'));
            let one = || {
                let text = String::from_utf8_lossy(text);
                if r.literal { Node::scalar(text, 1) } else { Node::setting(text, 1) }
            };
            let Some(root) = (if whole { first(text) } else { Some(one()) }) else {
                continue;
            };
            out.push(Layer {
                what: format!("{} {}", r.kind, r.name),
                path,
                offset,
                line,
                root,
                prefix: keys(&r.target_path),
                secret: r.kind == "Secret" || object.encrypted,
                encrypted: false,
            });
        }
        out
    }

    /// The inline values as they are written, the patches of them, and what the build made of all. Without patches they are written as
    /// they are.
    fn inline(&self, checkout: &Checkout, hr: &HelmRelease) -> (Vec<Layer>, Option<Layer>) {
        let layer = |what: String, path: String, offset, prefix, root| Layer {
            what,
            path,
            offset,
            line: None,
            root,
            prefix,
            secret: false,
            encrypted: false,
        };
        let name = format!("HelmRelease {}", hr.name);
        let own = |root: Node| layer(name.clone(), hr.place.path.clone(), 0, Vec::new(), root);
        let built = hr.values.clone().map(own);
        let mut written = Vec::new();
        let patches = given::said(checkout, &hr.given, &self.patched_from());
        let patches: Vec<_> = patches.into_iter().filter_map(|said| said.below(&["spec", "values"])).collect();
        if !patches.is_empty() {
            let text = checkout.read(&hr.place.path).unwrap_or_default();
            let documents = document::parse(&text).unwrap_or_default();
            let document = document::object_at(&documents, hr.place.line);
            written.extend(document.and_then(|d| d.get("spec")?.get("values").cloned()).map(own));
            written
                .extend(patches.into_iter().map(|p| layer(format!("patch of {name}"), p.path, p.offset, p.at, p.node)));
        }
        (written, built)
    }

    /// The line of the overlay that gives a release's chart its version, if one does.
    pub(super) fn version_given(&self, checkout: &Checkout, hr: &HelmRelease) -> Option<(String, usize)> {
        let said = given::said(checkout, &hr.given, &self.patched_from());
        let versions = said.into_iter().filter_map(|said| said.below(&["spec", "chart", "spec"]));
        let mut lines = versions.filter_map(|said| {
            let line = match &said.at[..] {
                [] => said.node.entry("version")?.0.line(),
                [key] if key == "version" => said.node.line(),
                _ => return None,
            };
            Some((said.path, said.offset + line))
        });
        lines.next_back()
    }

    /// Files in which patches may stand that no kustomization holds: those of Flux's Kustomizations.
    fn patched_from(&self) -> Vec<String> {
        self.built.iter().filter(|o| o.is_kustomization()).map(|o| o.place.path.clone()).collect()
    }

    /// Where the text of a key of a ConfigMap or Secret is written; `has_lines`: it is a document of its own.
    fn written(&self, checkout: &Checkout, object: &ValuesObject, key: &str, has_lines: bool) -> Written {
        if let Some(path) = given::file_of(&object.given, key) {
            return Written { path, offset: 0, line: (!has_lines).then_some(1) };
        }
        // The file, the lines before those of the node, and the node that holds the text.
        let mut found: Option<(String, usize, Node)> = None;
        let own = |node: &Node| ["stringData", "data"].iter().find_map(|field| node.get(field)?.get(key).cloned());
        if let Some(node) = own(&object.node) {
            found = Some((object.place.path.clone(), 0, node));
        }
        let text = checkout.read(&object.place.path).unwrap_or_default();
        let documents = document::parse(&text).unwrap_or_default();
        if let Some(node) = documents.iter().find_map(|d| given::literal(&d.root, &object.name, key)) {
            found = Some((object.place.path.clone(), 0, node.clone()));
        }
        for said in given::said(checkout, &object.given, &self.patched_from()) {
            match said.at.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                [] => {
                    if let Some(node) = own(&said.node) {
                        found = Some((said.path.clone(), said.offset, node));
                    }
                }
                ["stringData" | "data", k] if k == key => found = Some((said.path.clone(), said.offset, said.node)),
                _ => {}
            }
        }
        let Some((path, before, node)) = found else {
            return Written { path: object.place.path.clone(), offset: 0, line: Some(object.place.line) };
        };
        // Other texts than blocks have no lines of their own, nor has one in base64.
        match node.lines_before().filter(|_| object.kind == "ConfigMap") {
            Some(sign) if has_lines => Written { path, offset: before + sign, line: None },
            Some(sign) => Written { path, offset: 0, line: Some(before + sign + 1) },
            None => Written { path, offset: 0, line: Some(before + node.line()) },
        }
    }
}
