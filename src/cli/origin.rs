//! Where a value was set: the user's files, last first, then the charts' own values.yaml.

use crate::chart::Chart;
use crate::yaml::tree;

/// The values files of a render, for looking up places.
#[derive(Debug, Default)]
pub struct Origins<'c> {
    /// Name and text of the user's files, in the order given.
    pub files: Vec<(String, Vec<u8>)>,
    pub chart: Option<&'c Chart>,
}

impl Origins<'_> {
    /// `FILE:LINE` of the last file that sets this path of keys.
    pub fn find(&self, keys: &[&str]) -> Option<String> {
        if keys.is_empty() {
            return None;
        }
        for (name, text) in self.files.iter().rev() {
            if let Some(line) = line_of(text, keys) {
                return Some(format!("{name}:{line}"));
            }
        }
        self.of_chart(self.chart?, keys, self.chart?.name())
    }

    /// A parent's values.yaml is laid over its subcharts'.
    fn of_chart(&self, chart: &Chart, keys: &[&str], path: &str) -> Option<String> {
        let own = chart.raw.iter().find(|f| f.name == "values.yaml");
        if let Some(line) = own.and_then(|f| line_of(&f.data, keys)) {
            return Some(format!("{path}/values.yaml:{line}"));
        }
        let child = chart.dependencies.iter().find(|d| Some(&d.name()) == keys.first())?;
        let path = child.path_below(path);
        if keys.len() == 1 { None } else { self.of_chart(child, &keys[1..], &path) }
    }
}

/// The 1-based line of a path of keys in a YAML text.
fn line_of(text: &[u8], keys: &[&str]) -> Option<usize> {
    let tree = tree::parse(text, None).ok()?;
    let mut at = tree.root?;
    let mut line = 0;
    for key in keys {
        let (k, v) = tree.entries(at).find(|(k, _)| *tree.node(*k).value == *key.as_bytes())?;
        line = tree.node(k).start.line as usize + 1;
        at = tree.target(v);
    }
    Some(line)
}
