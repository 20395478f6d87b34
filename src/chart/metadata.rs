//! What Chart.yaml says, and what Helm accepts of it.
//!
//! Source: Helm 4.3 `pkg/chart/v2/{metadata,dependency,errors}.go`. Validation also cleans: control characters go, and every kind of
//! white space becomes a plain space, before anything is compared.

use std::collections::{BTreeMap, BTreeSet};

use crate::golang::{path, semver, strconv, unicode};
use crate::value::{Heap, Map, MapId, Value};

use super::data::Data;

/// The API version of Helm 2's charts, whose dependencies stand in requirements.yaml.
pub const API_VERSION_V1: &str = "v1";
/// The API version of Helm 3's and 4's charts.
pub const API_VERSION_V2: &str = "v2";

/// The fields of Chart.yaml, as encoding/json looks for them.
pub const METADATA_FIELDS: &[&str] = &[
    "name",
    "home",
    "sources",
    "version",
    "description",
    "keywords",
    "maintainers",
    "icon",
    "apiVersion",
    "condition",
    "tags",
    "appVersion",
    "deprecated",
    "annotations",
    "kubeVersion",
    "dependencies",
    "type",
];
/// The fields of a dependency.
pub const DEPENDENCY_FIELDS: &[&str] =
    &["name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias"];

/// A person behind a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintainer {
    pub name: String,
    pub email: String,
    pub url: String,
}

/// Another chart that a chart needs, as Chart.yaml (a range of versions) or Chart.lock (one version) names it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dependency {
    pub name: String,
    pub version: String,
    pub repository: String,
    /// Comma-separated paths into the values; the first that holds a bool decides.
    pub condition: String,
    pub tags: Vec<String>,
    pub enabled: bool,
    /// Names under the child's `exports`, or tables with `child` and `parent`.
    pub import_values: Vec<Data>,
    pub alias: String,
}

impl Dependency {
    /// The name its values stand under in the parent.
    pub fn key(&self) -> &str {
        if self.alias.is_empty() { &self.name } else { &self.alias }
    }
}

/// The contents of Chart.yaml.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    pub name: String,
    pub home: String,
    pub sources: Vec<String>,
    pub version: String,
    pub description: String,
    pub keywords: Vec<String>,
    pub maintainers: Vec<Maintainer>,
    pub icon: String,
    pub api_version: String,
    pub condition: String,
    pub tags: String,
    pub app_version: String,
    pub deprecated: bool,
    /// `None`: not given, a nil map to templates.
    pub annotations: Option<BTreeMap<String, String>>,
    pub kube_version: String,
    pub dependencies: Vec<Dependency>,
    /// `dependencies` was not given at all. Helm then leaves the charts of `charts/` as they are; an empty list it processes.
    pub dependencies_nil: bool,
    /// `application`, `library` or empty.
    pub chart_type: String,
}

/// Where a list of Chart.yaml held a null, which the list itself cannot show: how many entries stood before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nulls {
    pub maintainer: Option<usize>,
    pub dependency: Option<usize>,
}

impl Metadata {
    /// Cleans the texts and checks what Helm checks.
    ///
    /// # Errors
    /// Helm's text, from `validation: chart.metadata.apiVersion is required` on.
    pub fn validate(&mut self, nulls: Nulls) -> Result<(), String> {
        for text in [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ] {
            sanitize(text);
        }
        self.sources.iter_mut().chain(&mut self.keywords).for_each(sanitize);
        self.check(nulls).map_err(|e| format!("validation: {e}"))
    }

    fn check(&mut self, nulls: Nulls) -> Result<(), String> {
        if self.api_version.is_empty() {
            return Err("chart.metadata.apiVersion is required".into());
        }
        if self.name.is_empty() {
            return Err("chart.metadata.name is required".into());
        }
        let quoted = strconv::quote(self.name.as_bytes());
        if self.name == "." || self.name == ".." {
            return Err(format!("chart.metadata.name {quoted} is not allowed"));
        }
        if path::base(self.name.as_bytes()) != self.name.as_bytes() {
            return Err(format!("chart.metadata.name {quoted} is invalid"));
        }
        if self.version.is_empty() {
            return Err("chart.metadata.version is required".into());
        }
        if semver::Version::new(&self.version).is_err() {
            return Err(format!("chart.metadata.version {} is invalid", strconv::quote(self.version.as_bytes())));
        }
        if !matches!(self.chart_type.as_str(), "" | "application" | "library") {
            return Err("chart.metadata.type must be application or library".into());
        }
        for m in &mut self.maintainers {
            [&mut m.name, &mut m.email, &mut m.url].into_iter().for_each(sanitize);
        }
        if nulls.maintainer.is_some() {
            return Err("maintainers must not contain empty or null nodes".into());
        }
        let no_null = || "dependencies must not contain empty or null nodes".to_string();
        let mut seen = BTreeSet::new();
        for (i, d) in self.dependencies.iter_mut().enumerate() {
            if nulls.dependency == Some(i) {
                return Err(no_null());
            }
            validate_dependency(d)?;
            if !seen.insert(d.key().to_string()) {
                let key = strconv::quote(d.key().as_bytes());
                return Err(format!("more than one dependency with name or alias {key}"));
            }
        }
        nulls.dependency.map_or(Ok(()), |_| Err(no_null()))
    }
}

fn validate_dependency(d: &mut Dependency) -> Result<(), String> {
    [&mut d.name, &mut d.version, &mut d.repository, &mut d.condition].into_iter().for_each(sanitize);
    d.tags.iter_mut().for_each(sanitize);
    if d.alias.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        Ok(())
    } else {
        Err(format!("dependency {} has disallowed characters in the alias", strconv::quote(d.name.as_bytes())))
    }
}

/// White space becomes a space, what cannot be printed goes.
fn sanitize(text: &mut String) {
    if text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
        return;
    }
    *text = text
        .chars()
        .filter_map(|c| if unicode::is_space(c) { Some(' ') } else { strconv::is_print(c).then_some(c) })
        .collect();
}

impl Metadata {
    /// Chart.yaml again, as `encoding/json` writes the struct: empty fields are left out.
    pub fn to_json(&self, heap: &mut Heap) -> MapId {
        let mut m = Fields::default();
        m.text("name", &self.name);
        m.text("home", &self.home);
        m.texts(heap, "sources", &self.sources);
        m.text("version", &self.version);
        m.text("description", &self.description);
        m.texts(heap, "keywords", &self.keywords);
        let maintainers: Vec<Value> = self.maintainers.iter().map(|p| Value::Map(p.to_json(heap))).collect();
        m.list(heap, "maintainers", maintainers);
        m.text("icon", &self.icon);
        m.text("apiVersion", &self.api_version);
        m.text("condition", &self.condition);
        m.text("tags", &self.tags);
        m.text("appVersion", &self.app_version);
        if self.deprecated {
            m.0.insert("deprecated", Value::Bool(true));
        }
        if let Some(annotations) = self.annotations.as_ref().filter(|a| !a.is_empty()) {
            let annotations = heap.map_of(annotations.iter().map(|(k, v)| (k.as_str(), Value::str(v))));
            m.0.insert("annotations", Value::Map(annotations));
        }
        m.text("kubeVersion", &self.kube_version);
        let dependencies: Vec<Value> = self.dependencies.iter().map(|d| Value::Map(d.to_json(heap))).collect();
        m.list(heap, "dependencies", dependencies);
        m.text("type", &self.chart_type);
        heap.add_map(m.0)
    }
}

impl Maintainer {
    fn to_json(&self, heap: &mut Heap) -> MapId {
        let mut m = Fields::default();
        m.text("name", &self.name);
        m.text("email", &self.email);
        m.text("url", &self.url);
        heap.add_map(m.0)
    }
}

impl Dependency {
    /// The entry again, as `encoding/json` writes the struct: name and repository always, empty fields not.
    pub fn to_json(&self, heap: &mut Heap) -> MapId {
        let mut m = Fields::default();
        m.0.insert("name", Value::str(&self.name));
        m.text("version", &self.version);
        m.0.insert("repository", Value::str(&self.repository));
        m.text("condition", &self.condition);
        m.texts(heap, "tags", &self.tags);
        if self.enabled {
            m.0.insert("enabled", Value::Bool(true));
        }
        let imports: Vec<Value> = self.import_values.iter().map(|v| v.to_value(heap)).collect();
        m.list(heap, "import-values", imports);
        m.text("alias", &self.alias);
        heap.add_map(m.0)
    }
}

/// Fields of a struct that leaves out what is empty.
#[derive(Default)]
struct Fields(Map);

impl Fields {
    fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.0.insert(key, Value::str(text));
        }
    }

    fn texts(&mut self, heap: &mut Heap, key: &str, texts: &[String]) {
        self.list(heap, key, texts.iter().map(Value::str).collect());
    }

    fn list(&mut self, heap: &mut Heap, key: &str, items: Vec<Value>) {
        if !items.is_empty() {
            let list = heap.list_of(items);
            self.0.insert(key, Value::List(list));
        }
    }
}
