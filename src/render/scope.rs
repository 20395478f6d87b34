//! The dot of each chart: `Chart`, `Files`, `Release`, `Capabilities`, `Values`, `Subcharts` and `Template`.
//!
//! Helm's `recAllTpls`: every chart has one dot, shared by its templates and reachable from its parent's `.Subcharts`; a child's
//! `.Values` is the parent's sub-table itself, so that what one chart sets the other sees.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::chart::{Chart, Contents, Dependency, Maintainer, Metadata};
use crate::value::{Heap, Map, MapId, MapType, Value};

use super::capabilities::{Capabilities, CapabilitiesObject, any_list};
use super::files::Files;

/// What a release tells its templates.
#[derive(Clone, Debug)]
pub struct ReleaseOptions {
    pub name: String,
    pub namespace: String,
    pub revision: i64,
    pub is_install: bool,
    pub is_upgrade: bool,
}

/// One template file with the dot it is executed with.
pub struct Renderable<'c> {
    /// `chart/templates/x.yaml`, with `charts/sub/` for subcharts.
    pub path: String,
    pub text: &'c Arc<[u8]>,
    pub dot: MapId,
    /// `chart/templates`.
    pub base_path: Arc<str>,
}

/// Makes the dots of a chart and its subcharts and lists their templates.
pub fn collect<'c>(
    heap: &mut Heap,
    chart: &'c Chart,
    values: MapId,
    release: &ReleaseOptions,
    capabilities: &Arc<Capabilities>,
) -> Vec<Renderable<'c>> {
    let release = Value::Map(heap.map_of([
        ("Name", Value::str(&release.name)),
        ("Namespace", Value::str(&release.namespace)),
        ("IsUpgrade", Value::Bool(release.is_upgrade)),
        ("IsInstall", Value::Bool(release.is_install)),
        ("Revision", Value::Int(release.revision)),
        ("Service", Value::str("Helm")),
    ]));
    let capabilities = Value::object(CapabilitiesObject(capabilities.clone()));
    let mut out = Vec::new();
    let mut shared = Shared { release, capabilities, kept_parents: false };
    chart_dot(heap, chart, "", true, Some(values), &mut shared, &mut out);
    if shared.kept_parents {
        keep_last(&mut out);
    }
    out
}

struct Shared {
    release: Value,
    capabilities: Value,
    /// Whether a chart goes by another path than it lies at.
    kept_parents: bool,
}

/// Of templates with the same path Helm executes the last: the charts below two aliases of one chart can have the same paths.
fn keep_last(all: &mut Vec<Renderable<'_>>) {
    let last: HashMap<String, usize> = all.iter().enumerate().map(|(i, r)| (r.path.clone(), i)).collect();
    let mut at = 0..;
    all.retain(|r| at.next() == last.get(&r.path).copied());
}

fn chart_dot<'c>(
    heap: &mut Heap,
    chart: &'c Chart,
    parent: &str,
    is_root: bool,
    values: Option<MapId>,
    shared: &mut Shared,
    out: &mut Vec<Renderable<'c>>,
) -> MapId {
    let full_path = if is_root { chart.name().to_string() } else { chart.path_below(parent) };
    shared.kept_parents |= chart.kept_parent.is_some();
    let metadata = metadata_map(heap, &chart.metadata, is_root);
    let files: BTreeMap<String, Contents> = chart.files.iter().map(|f| (f.name.clone(), f.data.clone())).collect();
    let subcharts = heap.new_map();
    let values = values.unwrap_or_else(|| heap.new_map());
    let mut dot = Map::default();
    dot.insert("Capabilities", shared.capabilities.clone());
    dot.insert("Chart", Value::Map(metadata));
    dot.insert("Files", Value::object(Files(Arc::new(files))));
    dot.insert("Release", shared.release.clone());
    dot.insert("Subcharts", Value::Map(subcharts));
    dot.insert("Values", Value::Map(values.as_values()));
    let dot = heap.add_map(dot);
    for child in &chart.dependencies {
        let table = child_values(heap, values, child.name());
        let sub = chart_dot(heap, child, &full_path, false, table, shared, out);
        heap.map_mut(subcharts).insert(child.name(), Value::Map(sub));
    }
    let base_path: Arc<str> = format!("{full_path}/templates").into();
    for t in &chart.templates {
        if chart.is_library() && !is_partial(&t.name) {
            continue;
        }
        out.push(Renderable {
            path: clean_join(&full_path, &t.name),
            text: t.data.shared(),
            dot,
            base_path: base_path.clone(),
        });
    }
    dot
}

/// What only defines templates for others. Of a library chart nothing else counts.
pub fn is_partial(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|base| base.starts_with('_'))
}

/// Go's `path.Join` of a chart's path and a file's name; names that are clean already, as all honest ones, are only put together.
fn clean_join(base: &str, name: &str) -> String {
    let joined = crate::golang::path::join(&[base.as_bytes(), name.as_bytes()]);
    String::from_utf8(joined).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// `values.Table("Values." + name)`: the path is split at dots, each part must be a table.
fn child_values(heap: &Heap, values: MapId, name: &str) -> Option<MapId> {
    let mut at = values;
    for part in name.split('.') {
        match heap.map(at).get(part) {
            Some(Value::Map(m)) => at = *m,
            _ => return None,
        }
    }
    Some(at)
}

/// Helm 4's struct-to-map conversion of Chart.yaml: Go field names, all of them, slices never nil.
fn metadata_map(heap: &mut Heap, m: &Metadata, is_root: bool) -> MapId {
    let maintainers: Vec<Value> = m.maintainers.iter().map(|p| maintainer(heap, p)).collect();
    let maintainers = Value::List(heap.list_of(maintainers));
    let dependencies: Vec<Value> = m.dependencies.iter().map(|d| dependency(heap, d)).collect();
    let dependencies = Value::List(heap.list_of(dependencies));
    let annotations = string_map(heap, m.annotations.as_ref());
    let keywords = any_list(heap, m.keywords.iter().cloned());
    let sources = any_list(heap, m.sources.iter().cloned());
    heap.map_of([
        ("Name", Value::str(&m.name)),
        ("Home", Value::str(&m.home)),
        ("Sources", sources),
        ("Version", Value::str(&m.version)),
        ("Description", Value::str(&m.description)),
        ("Keywords", keywords),
        ("Maintainers", maintainers),
        ("Icon", Value::str(&m.icon)),
        ("APIVersion", Value::str(&m.api_version)),
        ("Condition", Value::str(&m.condition)),
        ("Tags", Value::str(&m.tags)),
        ("AppVersion", Value::str(&m.app_version)),
        ("Deprecated", Value::Bool(m.deprecated)),
        ("Annotations", annotations),
        ("KubeVersion", Value::str(&m.kube_version)),
        ("Dependencies", dependencies),
        ("Type", Value::str(&m.chart_type)),
        ("IsRoot", Value::Bool(is_root)),
    ])
}

fn string_map(heap: &mut Heap, entries: Option<&BTreeMap<String, String>>) -> Value {
    let mut map = Map::default();
    map.ty = MapType::Strings;
    map.nil = entries.is_none();
    for (k, v) in entries.into_iter().flatten() {
        map.insert(k.as_str(), Value::str(v));
    }
    Value::Map(heap.add_map(map))
}

fn maintainer(heap: &mut Heap, p: &Maintainer) -> Value {
    Value::Map(heap.map_of([
        ("Name", Value::str(&p.name)),
        ("Email", Value::str(&p.email)),
        ("URL", Value::str(&p.url)),
    ]))
}

fn dependency(heap: &mut Heap, d: &Dependency) -> Value {
    let tags = any_list(heap, d.tags.iter().cloned());
    let imports: Vec<Value> = d.import_values.iter().map(|t| t.to_value(heap)).collect();
    let imports = Value::List(heap.list_of(imports));
    Value::Map(heap.map_of([
        ("Name", Value::str(&d.name)),
        ("Version", Value::str(&d.version)),
        ("Repository", Value::str(&d.repository)),
        ("Condition", Value::str(&d.condition)),
        ("Tags", tags),
        ("Enabled", Value::Bool(d.enabled)),
        ("ImportValues", imports),
        ("Alias", Value::str(&d.alias)),
    ]))
}
