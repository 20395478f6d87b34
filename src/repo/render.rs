//! One HelmRelease → its documents: its chart, values in the controller's order, the same render as everywhere, post-renderers.
//!
//! Values, later over earlier: the chart's `values.yaml`, or the merge of `valuesFiles` in its place (source-controller); then `valuesFrom` and
//! `values` as `crate::values::compose` has it (helm-controller).

use std::sync::Arc;

use base64::Engine as _;

use crate::chart::{Chart, Table, values_file};
use crate::diagnostic::LogLine;
use crate::gotmpl::{Limits, State, SystemHost};
use crate::kustomize::flux;
use crate::render::{self, Capabilities, Release, ReleaseOptions, Request};
use crate::sops::mask::is_placeholder;
use crate::value::{Heap, MapId, Value};
use crate::values::compose::{self, ObjectData, ValuesReference, compose};

use super::charts::Location;
use super::document::Node;
use super::files::Checkout;
use super::helm_release::{ChartRef, HelmRelease, ValuesFrom};
use super::objects::Environment;
use super::post_render;
use super::problem::{Cause, Fault, Name, Problem};

/// What holds for all releases of a build.
#[derive(Clone, Debug)]
pub struct Settings {
    pub capabilities: Arc<Capabilities>,
    pub limits: Limits,
}

/// A rendered HelmRelease.
#[derive(Debug)]
pub struct Rendered {
    /// The name and namespace that Helm is given.
    pub name: String,
    pub namespace: String,
    pub release: Release,
    pub log: Vec<LogLine>,
}

impl Environment {
    /// Renders one release of this environment.
    ///
    /// # Errors
    /// Where and why it can't be rendered.
    pub fn render(&self, checkout: &Checkout, hr: &HelmRelease, settings: &Settings) -> Result<Rendered, Problem> {
        self.render_without(checkout, hr, settings, &[])
    }

    /// As [`Environment::render`], without some of the chart's templates (`web/templates/x.yaml`): what is left to look at where they fail.
    ///
    /// # Errors
    /// Where and why it can't be rendered.
    pub(super) fn render_without(
        &self,
        checkout: &Checkout,
        hr: &HelmRelease,
        settings: &Settings,
        without: &[String],
    ) -> Result<Rendered, Problem> {
        let mut st = State::new(Arc::new(SystemHost { enable_dns: false }), settings.limits);
        let mut steps = hr.post_renderers.clone();
        if self.origin_labels {
            steps.push(post_render::origin(hr.namespace.as_deref().unwrap_or("default"), &hr.name));
        }
        let run = |files| flux::post_render_files(&files, hr.post_render_strategy, &steps);
        let run = (!steps.is_empty()).then_some(&run as render::PostRender<'_>);
        self.render_some(&mut st, checkout, hr, settings, run, without)
    }

    /// As [`Environment::render`], in a state of one's own and with what is to come after the render.
    pub(super) fn render_in(
        &self,
        st: &mut State,
        checkout: &Checkout,
        hr: &HelmRelease,
        settings: &Settings,
        post_render: Option<render::PostRender<'_>>,
    ) -> Result<Rendered, Problem> {
        self.render_some(st, checkout, hr, settings, post_render, &[])
    }

    fn render_some(
        &self,
        st: &mut State,
        checkout: &Checkout,
        hr: &HelmRelease,
        settings: &Settings,
        post_render: Option<render::PostRender<'_>>,
        without: &[String],
    ) -> Result<Rendered, Problem> {
        let at = |line: usize, message: String| Fault::from(message).on_line(&hr.place, line);
        let mut log = Vec::new();
        let mut chart = self.load_chart(checkout, hr, &mut log)?;
        chart.templates.retain(|t| !without.iter().any(|w| w.split_once('/').is_some_and(|(_, name)| name == t.name)));
        let values = self.values(&mut st.heap, hr, &mut log)?;
        if !self.masker.is_empty() {
            let text = crate::value::json::encode(&mut st.heap, &Value::Map(values), false, None);
            st.watch = text.ok().and_then(|text| self.masker.watch(&text)).map(Arc::new);
        }
        render::check_installable(&chart, &mut log).map_err(|e| at(hr.chart.place.line, e))?;
        let request = Request {
            release: ReleaseOptions {
                name: hr.helm_name(),
                namespace: hr.helm_namespace(),
                revision: 1,
                is_install: true,
                is_upgrade: false,
            },
            capabilities: settings.capabilities.clone(),
            skip_schema_validation: hr.skip_schema_validation,
        };
        let released = render::release_with(st, chart, values, &request, post_render, &mut log);
        if let Some(watch) = st.watch.take() {
            self.masker.learn_derived(watch.derived());
        }
        let mut release = released.map_err(|f| at(hr.place.line, format!("HelmRelease {}: {}", hr.name, f.message)))?;
        if !hr.include_crds {
            release.crds.clear();
        }
        let ReleaseOptions { name, namespace, .. } = request.release;
        Ok(Rendered { name, namespace, release, log })
    }

    /// The chart of a release, with its `valuesFiles` merged in place of its own values.
    ///
    /// # Errors
    /// The chart or a values file is missing or can't be read.
    pub(super) fn load_chart(
        &self,
        checkout: &Checkout,
        hr: &HelmRelease,
        log: &mut Vec<LogLine>,
    ) -> Result<Chart, Problem> {
        let (mut chart, location, spec) = self.chart(checkout, hr, log)?;
        if spec.values_files.is_empty() {
            return Ok(chart);
        }
        let mut merged = Table::new();
        for (file, line) in &spec.values_files {
            let at = |fault: Fault| fault.on_line(&spec.place, *line);
            let Some(text) = values_text(checkout, &chart, &location, file, &spec).map_err(at)? else { continue };
            let table = values_file::read_one(&text).map_err(|e| at(format!("valuesFiles: {file}: {e}").into()))?;
            merged.merge(table);
        }
        chart.values = Some(Arc::new(merged));
        Ok(chart)
    }

    /// All values of a release as its templates see them, as JSON.
    ///
    /// # Errors
    /// Where and why they can't be had.
    pub fn merged(&self, checkout: &Checkout, hr: &HelmRelease, settings: &Settings) -> Result<Vec<u8>, Problem> {
        let fail = |message: String| Fault::from(message).at(&hr.place);
        let mut log = Vec::new();
        let mut chart = self.load_chart(checkout, hr, &mut log)?;
        let mut st = State::new(Arc::new(SystemHost { enable_dns: false }), settings.limits);
        let values = self.values(&mut st.heap, hr, &mut log)?;
        // What a subchart that is off sets reaches nobody; others go by their alias, or give values to their parents.
        crate::values::process_dependencies(&st.heap, &mut chart, values, &mut log).map_err(fail)?;
        let all = crate::values::coalesce_values(&mut st.heap, &chart, values, &mut log).map_err(fail)?;
        crate::value::json::encode(&mut st.heap, &Value::Map(all), false, None).map_err(fail)
    }

    /// The values that a release gives its chart.
    pub(super) fn values(&self, heap: &mut Heap, hr: &HelmRelease, log: &mut Vec<LogLine>) -> Result<MapId, Problem> {
        let at = |line: usize, fault: Fault| fault.on_line(&hr.place, line);
        // An object that is there but can't be read is not a missing one.
        for r in &hr.values_from {
            let Some(object) = self.find(&r.kind, &r.name, hr.namespace.as_deref()) else {
                if r.optional {
                    continue;
                }
                if let Some(maker) = self.maker(&r.kind, &r.name, hr.namespace.as_deref()) {
                    // One value may flow on as a placeholder; without a whole values file there is nothing to render.
                    if !r.target_path.is_empty() {
                        continue;
                    }
                    let message = format!(
                        "valuesFrom: {} {} was not found in environment {}: {maker} makes it in the cluster, and values that are not in the repository can't be rendered",
                        r.kind, r.name, self.name
                    );
                    return Err(at(r.line, Fault::new(Cause::NoValues(Some(Name::new(&r.kind, &r.name))), message)));
                }
                let message = format!(
                    "valuesFrom: {} {} was not found in environment {}: add it beside the release, or set optional: true",
                    r.kind, r.name, self.name
                );
                return Err(at(r.line, Fault::new(Cause::NoValues(Some(Name::new(&r.kind, &r.name))), message)));
            };
            // One value may flow on as a placeholder; a whole values file that can't be read would change what is rendered.
            let key = if r.values_key.is_empty() { compose::DEFAULT_KEY } else { &r.values_key };
            let is_hidden = |part| {
                object.node.get(part).and_then(|data| data.get(key)).and_then(Node::as_str).is_some_and(is_placeholder)
            };
            if object.encrypted && r.target_path.is_empty() && ["data", "stringData"].into_iter().any(is_hidden) {
                let message = format!(
                    "valuesFrom: {key} of {} {} ({}) is encrypted with SOPS and no key at hand decrypts it: set SOPS_AGE_KEY_FILE or give --age-key-file",
                    r.kind, r.name, object.place
                );
                return Err(at(r.line, Fault::new(Cause::Encrypted, message)));
            }
        }
        let inline = inline_values(heap, hr).map_err(|e| at(hr.place.line, e.into()))?;
        let references: Vec<ValuesReference> = hr
            .values_from
            .iter()
            .map(|r| ValuesReference {
                kind: r.kind.clone(),
                name: r.name.clone(),
                values_key: r.values_key.clone(),
                target_path: r.target_path.clone(),
                optional: r.optional,
                literal: r.literal,
            })
            .collect();
        let namespace = hr.namespace.as_deref().unwrap_or("default");
        let mut fetch = |kind: &str, name: &str| match self.find(kind, name, hr.namespace.as_deref()) {
            Some(object) => object_data(kind, &object.node).map_err(|e| format!("{}: {e}", object.place)).map(Some),
            None => Ok(self.placeholders(hr, kind, name)),
        };
        let line = hr.values_from.first().map_or(hr.place.line, |r| r.line);
        compose(heap, namespace, inline, &references, &mut fetch, log).map_err(|e| at(line, e.into()))
    }

    /// What stands for the values that a release takes, one by one, from an object that is made in the cluster.
    fn placeholders(&self, hr: &HelmRelease, kind: &str, name: &str) -> Option<ObjectData> {
        let single = |r: &&ValuesFrom| r.kind == kind && r.name == name && !r.optional && !r.target_path.is_empty();
        let mut all = hr.values_from.iter().filter(single).peekable();
        all.peek()?;
        self.maker(kind, name, hr.namespace.as_deref())?;
        let stands = |r: &ValuesFrom| {
            let key = if r.values_key.is_empty() { compose::DEFAULT_KEY } else { &r.values_key };
            (key.to_owned(), format!("<{kind}/{name}/{key}>").into_bytes())
        };
        Some(all.map(stands).collect())
    }
}

/// A values file of a release: from the root of the chart's repository, or from the chart where it comes as an archive. `None` for one that
/// may be missing and is.
fn values_text(
    checkout: &Checkout,
    chart: &Chart,
    location: &Location,
    file: &str,
    spec: &ChartRef,
) -> Result<Option<Vec<u8>>, Fault> {
    let missing = spec.ignore_missing_values_files;
    let within = match location {
        Location::Here(_) if missing && !checkout.is_file(file) => return Ok(None),
        Location::Here(_) => {
            return checkout.read(file).map(Some).map_err(|e| {
                let cause = if checkout.kind(file).is_none() { Cause::NoValues(None) } else { Cause::Wrong };
                Fault::new(cause, format!("valuesFiles: {e}"))
            });
        }
        Location::Elsewhere(elsewhere) => elsewhere.within.as_deref(),
        Location::Composed(_) => None,
    };
    let path = Checkout::relative(file).map_err(|e| format!("valuesFiles: {e}"))?;
    let inner = match within {
        None => path.as_str(),
        Some(dir) => match path.strip_prefix(dir).and_then(|rest| rest.strip_prefix('/')) {
            Some(rest) => rest,
            None => {
                return Err(format!(
                    "valuesFiles: {file} lies outside the chart {dir} of another repository: only the chart is fetched"
                )
                .into());
            }
        },
    };
    match chart.raw.iter().find(|f| f.name == inner) {
        Some(found) => Ok(Some(found.data.to_vec())),
        None if missing => Ok(None),
        None => {
            let message = format!("valuesFiles: {file}: no such file in chart {}", chart.name());
            Err(Fault::new(Cause::NoValues(None), message))
        }
    }
}

/// `spec.values`, read as Helm reads a values file.
fn inline_values(heap: &mut Heap, hr: &HelmRelease) -> Result<Option<MapId>, String> {
    let document = crate::yaml::to_map(heap, &hr.text)?;
    let Some(Value::Map(spec)) = heap.map(document).get("spec").cloned() else { return Ok(None) };
    Ok(match heap.map(spec).get("values") {
        Some(Value::Map(values)) => Some(*values),
        _ => None,
    })
}

/// The data of a ConfigMap, or of a Secret decoded, with `stringData` over `data` as the API server merges them.
pub(super) fn object_data(kind: &str, object: &Node) -> Result<ObjectData, String> {
    let mut out = ObjectData::new();
    for (key, value) in object.get("data").map_or(&[][..], Node::entries) {
        let (Some(key), Some(text)) = (key.as_str(), value.as_str()) else {
            return Err(format!("line {}: data must map names to texts", value.line()));
        };
        // Without a key a placeholder stands for the value, and not for its base64.
        let bytes = if kind == "Secret" && !is_placeholder(text) {
            let compact: String = text.split_whitespace().collect();
            let decoded = base64::engine::general_purpose::STANDARD.decode(compact);
            decoded.map_err(|_| format!("line {}: data.{key} is not base64", value.line()))?
        } else {
            text.as_bytes().to_vec()
        };
        out.insert(key.to_string(), bytes);
    }
    if kind == "Secret" {
        for (key, value) in object.get("stringData").map_or(&[][..], Node::entries) {
            if let (Some(key), Some(text)) = (key.as_str(), value.as_str()) {
                out.insert(key.to_string(), text.as_bytes().to_vec());
            }
        }
    }
    Ok(out)
}
