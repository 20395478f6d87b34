//! What a test renders: its values, its part of the chart, and the documents that come of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::Subject;
use super::data::{Doc, Yaml};
use super::set_path;
use super::suite::{Cluster, Test, split};
use crate::chart::Chart;
use crate::golang::regexp::Regexp;
use crate::gotmpl::State;
use crate::render::control::{Lookup, set_lookup};
use crate::render::errors::{WARN_END, WARN_START};
use crate::render::{self, Capabilities, Failure, KubeVersion, ReleaseOptions, Request};
use crate::repo::check::scan::{join, parent};
use crate::value::{Heap, Value};
use crate::yaml;

/// Where a suite stands.
pub struct Place<'p> {
    pub subject: &'p Subject<'p>,
    /// The suite's file in the checkout.
    pub file: &'p str,
    /// The chart that is tested, seen from the one that is rendered: `parent/charts/child`.
    pub route: &'p str,
}

/// What came of a render.
#[derive(Debug, Default)]
pub struct Rendered {
    /// The documents of each file, `chart/templates/x.yaml`.
    pub documents: BTreeMap<String, Vec<Yaml>>,
    /// The files that assertions without a template are about, where the suite leaves that open.
    pub files: BTreeSet<String>,
    pub succeeded: bool,
    /// The error of a render that failed before any template ran, or in a way that names none.
    pub error: Option<String>,
}

/// Why a test can't be run, or what its render failed with where it must not.
pub type Unrunnable = String;

impl Place<'_> {
    /// Renders what a test is about. `may_fail`: some assertion wants the render to fail, so that a failure is a result.
    ///
    /// # Errors
    /// The values can't be read, a rendered text is not YAML, or a render fails that must not.
    pub fn render(&self, test: &Test, may_fail: bool) -> Result<Rendered, Unrunnable> {
        let mut st = self.subject.state();
        let values = self.values(test)?;
        let values = on_heap(&mut st.heap, &values)?;
        let (name, namespace) = (&test.release_name, &test.namespace);
        if !name.is_empty() && !render::is_release_name(name) {
            return Err(format!("invalid release name {name:?}"));
        }
        if !test.cluster.objects.is_empty() {
            set_lookup(&mut st, Arc::new(Objects(test.cluster.clone())));
        }
        let or = |text: &str, default: &str| if text.is_empty() { default.to_owned() } else { text.to_owned() };
        let request = Request {
            release: ReleaseOptions {
                name: or(name, "RELEASE-NAME"),
                namespace: or(namespace, "NAMESPACE"),
                revision: test.revision,
                is_install: !test.upgrade,
                is_upgrade: test.upgrade,
            },
            capabilities: Arc::new(self.capabilities(test)),
            skip_schema_validation: false,
        };
        // Without a choice everything of the tested chart is rendered, and nothing of those around it.
        let everything = ["**".to_owned()];
        let chosen = self.patterns(if test.rendered.is_empty() { &everything } else { &test.rendered });
        let excluded = self.patterns(&test.excluded);
        let mut executed = false;
        let mut change = |chart: &mut Chart| {
            executed = true;
            let root = chart.name().to_owned();
            choose(chart, &root, &chosen, &excluded);
            set_versions(chart, test);
        };
        let chart = self.subject.chart.clone();
        let result = render::files_of(&mut st, chart, values, &request, &mut change, &mut Vec::new());
        let mut out = match result {
            Ok(files) => self.of_files(files)?,
            Err(failure) => {
                let message = helm3_text(&failure);
                if !may_fail {
                    return Err(format!("the chart can't be rendered: {message}"));
                }
                if executed {
                    self.of_error(test, &message)
                } else {
                    Rendered { error: Some(message), ..Rendered::default() }
                }
            }
        };
        if test.include_crds {
            for crd in self.subject.chart.crds() {
                let text = String::from_utf8_lossy(&crd.file.data).into_owned();
                out.documents.insert(crd.path.clone(), documents(&crd.path, &text)?);
                out.files.insert(crd.path);
            }
        }
        Ok(out)
    }

    /// The values of a test: files, then what is set, later over earlier.
    fn values(&self, test: &Test) -> Result<Yaml, Unrunnable> {
        let routes: Vec<&str> = self.route.split('/').step_by(2).collect();
        let mut base = Yaml::Map(BTreeMap::new());
        for name in &test.values {
            let bytes = self.subject.read_near(parent(self.file), name)?;
            let text = String::from_utf8_lossy(&bytes);
            let wrong = |w: super::data::Wrong| format!("values file {name}, line {}: {}", w.line, w.message);
            let doc = Doc::parse(text.as_bytes(), 0).map_err(wrong)?;
            let value = doc.root().map_or(Ok(Yaml::Null), |root| doc.yaml(root)).map_err(wrong)?;
            match value {
                Yaml::Null => {}
                Yaml::Map(_) => base = merge(scoped(&routes, value), base),
                _ => return Err(format!("values file {name} holds no map")),
            }
        }
        for (path, value) in &test.set {
            base = merge(scoped(&routes, set_path::build(path, value.clone())?), base);
        }
        Ok(base)
    }

    fn capabilities(&self, test: &Test) -> Capabilities {
        let default = &self.subject.settings.capabilities;
        let or = |text: &str, default: &str| if text.is_empty() { default.to_owned() } else { text.to_owned() };
        let major = or(&test.major, &default.kube_version.major);
        let minor = or(&test.minor, &default.kube_version.minor);
        let version = format!("v{major}.{minor}.0");
        Capabilities {
            kube_version: KubeVersion { normalized: version.clone(), version, major, minor },
            api_versions: Arc::new(test.api_versions.clone()),
            compat: default.compat,
            asked: None,
        }
    }

    /// The regular expressions that a suite's list of templates stands for.
    fn patterns(&self, templates: &[String]) -> Vec<String> {
        templates.iter().map(|t| pattern(&self.template(t))).collect()
    }

    /// A template's path in the render, as suites name it: `deployment.yaml` is `chart/templates/deployment.yaml`.
    pub fn template(&self, name: &str) -> String {
        let rooted = ["templates", "charts", "crds", "**"].iter().any(|p| name.starts_with(p));
        if rooted { join(self.route, name) } else { join(self.route, &join("templates", name)) }
    }

    fn of_files(&self, files: BTreeMap<String, Vec<u8>>) -> Result<Rendered, Unrunnable> {
        let mut out = Rendered { succeeded: true, ..Rendered::default() };
        for (path, text) in files {
            let text = String::from_utf8_lossy(&text);
            let docs = match path.rsplit_once('.').map(|(_, ext)| ext) {
                Some("yaml" | "yml" | "tpl") => documents(&path, &text)?,
                Some("txt") => vec![raw(&text)],
                _ => {
                    out.files.insert(path);
                    continue;
                }
            };
            out.documents.insert(path.clone(), docs);
            out.files.insert(path);
        }
        Ok(out)
    }

    /// A failed render as documents: the file that failed holds what is left of the error.
    fn of_error(&self, test: &Test, message: &str) -> Rendered {
        let failed = Rendered { error: Some(message.to_owned()), ..Rendered::default() };
        let parts = Regexp::cached(br"(?msU)^(?:.+: |.+ \()(?:(.+):\d+:\d+).+(?:.+>)*: (.+)$").ok();
        let Some(groups) = parts.and_then(|p| p.find_submatch(message.as_bytes())) else { return failed };
        let group = |i: usize| groups.get(i).cloned().flatten().and_then(|r| message.get(r)).unwrap_or_default();
        let file = group(1);
        let text = message.split_once('\n').map_or_else(|| group(2), |(_, rest)| rest);
        if file.is_empty() && text.is_empty() {
            return failed;
        }
        let mut out = Rendered::default();
        let mut add = |path: String| {
            out.documents.insert(path.clone(), vec![raw(text)]);
            out.files.insert(path);
        };
        if file.rsplit('/').next().is_some_and(|base| base.starts_with('_')) {
            // A helper failed: whoever called it did.
            let all = ["**".to_owned()];
            let list = if test.rendered.is_empty() { &all[..] } else { &test.rendered };
            list.iter().for_each(|t| add(self.template(t)));
        } else {
            add(file.to_owned());
        }
        out
    }
}

/// Helm 3's text of an error, which suites are written against.
fn helm3_text(failure: &Failure) -> String {
    let Some(exec) = &failure.exec else { return failure.message.clone() };
    let text = exec.to_string();
    let mut tokens = text.splitn(3, ": ").skip(1);
    let (Some(location), Some(rest)) = (tokens.next(), tokens.next()) else { return text };
    let inner = rest.split_once(WARN_START).and_then(|(_, after)| after.rfind(WARN_END).map(|end| &after[..end]));
    inner.map_or_else(|| text.clone(), |message| format!("execution error at ({location}): {message}"))
}

fn raw(text: &str) -> Yaml {
    Yaml::Map(BTreeMap::from([("raw".to_owned(), Yaml::Text(text.to_owned()))]))
}

/// The documents of a rendered text.
fn documents(path: &str, text: &str) -> Result<Vec<Yaml>, Unrunnable> {
    let mut out = Vec::new();
    let parts = split(text);
    let last = parts.len().saturating_sub(1);
    for (number, (part, before)) in parts.into_iter().enumerate() {
        // What the separator swallowed ends a block of text, too.
        let part = if number < last { Cow::Owned(format!("{part}\n")) } else { Cow::Borrowed(part) };
        let wrong = |w: super::data::Wrong| format!("{path} renders no YAML: line {}: {}", w.line, w.message);
        let doc = Doc::parse(part.as_bytes(), before).map_err(wrong)?;
        let Some(root) = doc.root() else { continue };
        match doc.yaml(root).map_err(wrong)? {
            Yaml::Map(map) if map.is_empty() => {}
            Yaml::Null => {}
            value @ Yaml::Map(_) => out.push(value),
            other => return Err(format!("{path} renders no map, but {}", other.shown())),
        }
    }
    Ok(out)
}

/// Values for a subchart, as the chart that is rendered gives them; what is global is so for all.
fn scoped(routes: &[&str], values: Yaml) -> Yaml {
    let mut out = values;
    for name in routes.iter().skip(1).rev() {
        let mut map = BTreeMap::new();
        if let Some(global) = out.get("global") {
            map.insert("global".to_owned(), global.clone());
        }
        map.insert((*name).to_owned(), out);
        out = Yaml::Map(map);
    }
    out
}

/// One map over another.
fn merge(over: Yaml, base: Yaml) -> Yaml {
    match (over, base) {
        (Yaml::Map(mut over), Yaml::Map(base)) => {
            for (key, below) in base {
                let value = match over.remove(&key) {
                    Some(above @ Yaml::Map(_)) if matches!(below, Yaml::Map(_)) => merge(above, below),
                    Some(above) => above,
                    None => below,
                };
                over.insert(key, value);
            }
            Yaml::Map(over)
        }
        (over, _) => over,
    }
}

/// The values as a values file would give them.
fn on_heap(heap: &mut Heap, values: &Yaml) -> Result<crate::value::MapId, String> {
    let value = values.to_value(heap);
    let text = yaml::marshal(heap, &value)?;
    yaml::to_map(heap, &text)
}

/// A template's name with wildcards as a regular expression, which need not match from end to end.
fn pattern(name: &str) -> String {
    let mut out = String::new();
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => out.push_str(r"[0-9a-zA-Z_\-/\.]+"),
            '*' => out.push_str(r"[0-9a-zA-Z_\-_/\.]*"),
            '.' | '+' | '[' | ']' | '?' | '(' | ')' | '|' | '{' | '}' | '^' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// Leaves the chosen templates and every partial.
fn choose(chart: &mut Chart, route: &str, chosen: &[String], excluded: &[String]) {
    let fits = |list: &[String], path: &str| {
        list.iter().any(|p| Regexp::cached(p.as_bytes()).is_ok_and(|p| p.is_match(path.as_bytes())))
    };
    chart.templates.retain(|t| {
        let path = join(route, &t.name);
        let partial = t.name.rsplit('/').next().is_some_and(|base| base.starts_with('_'));
        partial || (fits(chosen, &path) && !fits(excluded, &path))
    });
    for dependency in &mut chart.dependencies {
        let route = format!("{route}/charts/{}", dependency.name());
        choose(dependency, &route, chosen, excluded);
    }
}

fn set_versions(chart: &mut Chart, test: &Test) {
    let set = |chart: &mut Chart| {
        for (slot, text) in
            [(&mut chart.metadata.version, &test.chart_version), (&mut chart.metadata.app_version, &test.app_version)]
        {
            if !text.is_empty() {
                slot.clone_from(text);
            }
        }
    };
    set(chart);
    chart.dependencies.iter_mut().for_each(set);
}

/// A cluster that holds what a suite says it holds.
struct Objects(Cluster);

impl Lookup for Objects {
    fn lookup(
        &self,
        st: &mut State,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Value, String> {
        let text = |o: &Yaml, path: &[&str]| -> String {
            let found = path.iter().try_fold(o, |o, key| o.get(key));
            found.and_then(Yaml::as_text).unwrap_or_default().to_owned()
        };
        let known = self.0.kinds.get(&format!("{api_version}/{kind}"));
        // Of a kind without namespaces the namespace is not looked at.
        let namespace = if known == Some(&true) { namespace } else { "" };
        let fits = |o: &&Yaml| {
            let all = namespace.is_empty() && name.is_empty();
            known.is_some()
                && text(o, &["apiVersion"]) == api_version
                && text(o, &["kind"]) == kind
                && (all || text(o, &["metadata", "namespace"]) == namespace)
                && (name.is_empty() || text(o, &["metadata", "name"]) == name)
        };
        let mut found = self.0.objects.iter().filter(fits);
        if !name.is_empty() {
            return Ok(match found.next() {
                Some(object) => object.to_value(&mut st.heap),
                None => Value::Map(st.heap.new_map()),
            });
        }
        let found: Vec<Yaml> = found.cloned().collect();
        // What client-go's fake cluster, which helm-unittest asks, says of a list.
        let version = (found.len() + 1).to_string();
        let metadata = BTreeMap::from([
            ("continue".to_owned(), Yaml::Text(String::new())),
            ("resourceVersion".to_owned(), Yaml::Text(version)),
        ]);
        let list = Yaml::Map(BTreeMap::from([
            ("metadata".to_owned(), Yaml::Map(metadata)),
            ("apiVersion".to_owned(), Yaml::Text(api_version.to_owned())),
            ("kind".to_owned(), Yaml::Text(format!("{kind}List"))),
            ("items".to_owned(), Yaml::List(found)),
        ]));
        Ok(list.to_value(&mut st.heap))
    }
}
