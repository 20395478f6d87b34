//! The layers that a chart brings along: its subcharts' defaults under the names that the chart calls them by, what it imports of them, its own.

use crate::chart::{Chart, Data, Dependency};

use super::document::Kind;
use super::layer::Layer;

impl Layer {
    /// The defaults of a chart's subcharts, the deepest first, and then its own if `with_own`. `dir` is the chart's directory with a slash behind it;
    /// nothing for a chart that comes as an archive.
    pub fn of_chart(chart: &Chart, dir: Option<&str>, with_own: bool, is_file: &dyn Fn(&str) -> bool) -> Vec<Self> {
        let mut out = Vec::new();
        // The parent's own values go over what it imports.
        let mut imported = Vec::new();
        for child in &chart.dependencies {
            let below = dir.map(|d| format!("{d}charts/{}/", child.name()));
            let layers = Self::of_chart(child, below.as_deref(), true, is_file);
            for (name, dependency) in names(chart, child) {
                for (from, to) in dependency.into_iter().flat_map(imports) {
                    imported.extend(layers.iter().filter_map(|l| l.moved(&from, &to)));
                }
                out.extend(layers.iter().cloned().map(|mut layer| {
                    layer.prefix.insert(0, name.to_owned());
                    layer
                }));
            }
        }
        out.append(&mut imported);
        let own = chart.raw.iter().find(|f| f.name == "values.yaml").filter(|_| with_own);
        let path = dir.map(|d| format!("{d}values.yaml")).filter(|p| is_file(p)).unwrap_or_default();
        out.extend(own.and_then(|f| Self::file(format!("chart {} values.yaml", chart.name()), path, &f.data)));
        out
    }

    /// What the layer says below one path, said below another.
    fn moved(&self, from: &[String], to: &[String]) -> Option<Self> {
        let (root, rest) = match self.prefix.strip_prefix(from) {
            Some(rest) => (&self.root, rest),
            None if from.starts_with(&self.prefix) => (self.find(from)?.0, &[][..]),
            None => return None,
        };
        let is_table = root.kind() == Kind::Map || !rest.is_empty();
        is_table.then(|| Self { root: root.clone(), prefix: [to, rest].concat(), ..self.clone() })
    }
}

/// A subchart under one of its names.
#[derive(Clone, Debug)]
pub(super) struct Subchart {
    /// The way to its values.
    pub way: Vec<String>,
    /// Where it lies in the chart around all, with a slash behind: `charts/db/`.
    home: String,
}

impl Subchart {
    /// The file of the chart for one of the subchart that Helm names by the alias.
    pub fn file(&self, path: &str) -> Option<String> {
        let named: String = self.way.iter().map(|name| format!("charts/{name}/")).collect();
        Some(format!("{}{}", self.home, path.strip_prefix(&named)?))
    }
}

/// All subcharts, those within others after them.
pub(super) fn subcharts(chart: &Chart) -> Vec<Subchart> {
    let mut out = Vec::new();
    for child in &chart.dependencies {
        let within = subcharts(child);
        let home = format!("charts/{}/", child.name());
        for (name, _) in names(chart, child) {
            out.push(Subchart { way: vec![name.to_owned()], home: home.clone() });
            out.extend(within.iter().map(|s| Subchart {
                way: [&[name.to_owned()], &s.way[..]].concat(),
                home: format!("{home}{}", s.home),
            }));
        }
    }
    out
}

/// What a chart calls a subchart: its name, or one alias or several.
fn names<'c>(chart: &'c Chart, child: &'c Chart) -> Vec<(&'c str, Option<&'c Dependency>)> {
    let listed = chart.metadata.dependencies.iter().filter(|d| d.name == child.name());
    let listed: Vec<_> =
        listed.map(|d| (if d.alias.is_empty() { child.name() } else { d.alias.as_str() }, Some(d))).collect();
    if listed.is_empty() { vec![(child.name(), None)] } else { listed }
}

/// `import-values`: paths in the subchart's values, and where they come to be in the parent's.
fn imports(dependency: &Dependency) -> Vec<(Vec<String>, Vec<String>)> {
    let parts = |path: &str| -> Vec<String> {
        if path == "." { Vec::new() } else { path.split('.').map(String::from).collect() }
    };
    let import = |item: &Data| match item {
        Data::Str(name) => Some((parts(&format!("exports.{}", name.to_text())), Vec::new())),
        Data::Table(table) => {
            let path = |key: &str| match table.get(key.as_bytes()) {
                Some(Data::Str(text)) => Some(parts(&text.to_text())),
                _ => None,
            };
            Some((path("child")?, path("parent")?))
        }
        _ => None,
    };
    dependency.import_values.iter().filter_map(import).collect()
}
