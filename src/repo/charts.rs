//! Which chart a HelmRelease means: one in this checkout, or one that its source object points to, fetched through the source room.
//!
//! A path of a GitRepository that lies in this checkout is taken from it: a deployment repository refers to itself, by whatever address. Only where
//! the environment has another GitRepository of the checkout's own address, or its directories are taken from one, a GitRepository of a repository
//! with another name is another one. Everything else is told by the source objects of the environment. What was fetched is kept by reference, so
//! that releases of one chart share it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;

use crate::chart::{Chart, load, tree};
use crate::diagnostic::LogLine;
use crate::golang::path::confined;
use crate::source::{Context, Kind, Options, Reference, chart_version, obtain};

use super::chart_source;
use super::composed::Composed;
use super::document::Node;
use super::files::Checkout;
use super::helm_release::{ChartRef, HelmRelease, SourceRef, chart_spec};
use super::objects::{Environment, SourceObject};
use super::problem::{Cause, Fault, Name, Problem};

/// Charts that were fetched, by the text of their reference.
#[derive(Clone, Debug, Default)]
pub struct Charts {
    fetched: BTreeMap<String, Result<Fetched, String>>,
}

#[derive(Clone, Debug)]
struct Fetched {
    chart: Arc<Chart>,
    /// `1.2.3@sha256:…`
    revision: String,
}

/// Where a release's chart is.
#[derive(Clone, Debug)]
pub enum Location {
    /// A path in the checkout.
    Here(String),
    Elsewhere(Box<Elsewhere>),
    /// Put together by an ArtifactGenerator.
    Composed(Box<Composed>),
}

/// A chart that must be fetched.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    pub reference: Reference,
    /// In a Git repository or bucket elsewhere, what `valuesFiles` must begin with to lie in the chart; elsewhere they are relative to the chart.
    pub within: Option<String>,
    /// It is the artifact of an OCIRepository, whose digest becomes a part of the chart's version.
    pub digested: bool,
    /// Spoken to without TLS.
    pub insecure: bool,
}

impl Environment {
    /// The chart that a release means, with `valuesFiles` as its HelmChart has them.
    ///
    /// # Errors
    /// The source object is missing or says too little.
    pub fn locate(&self, checkout: &Checkout, hr: &HelmRelease) -> Result<(Location, ChartRef), Problem> {
        let own = hr.namespace.as_deref();
        let chart = &hr.chart;
        if !chart.path.is_empty() {
            return Ok((self.of_spec(checkout, chart, own)?, chart.clone()));
        }
        if chart.source.kind == "ExternalArtifact" {
            let composed = self.composed(checkout, &chart.source, own, &chart.place)?;
            return Ok((Location::Composed(Box::new(composed)), chart.clone()));
        }
        let namespace = chart.source.namespace.as_deref().or(own);
        let Some(object) = self.source(&chart.source.kind, &chart.source.name, namespace) else {
            return Err(self.missing(&chart.source).on_line(&hr.place, chart.place.line));
        };
        let Some(spec) = object.node.get("spec") else {
            return Err(Fault::from(format!("{} without spec", object.kind)).at(&object.place));
        };
        if object.kind == "HelmChart" {
            let found = self.of_helm_chart(checkout, object, own)?;
            return found
                .ok_or_else(|| Fault::from("the HelmChart names no chart").on_line(&hr.place, chart.place.line));
        }
        let reference = chart_source::oci(spec).map_err(|e| Fault::from(e).at(&object.place))?;
        let elsewhere =
            Elsewhere { digested: true, insecure: chart_source::is_insecure(Some(spec)), ..reference.into() };
        Ok((Location::Elsewhere(Box::new(elsewhere)), chart.clone()))
    }

    /// The chart of a HelmChart.
    pub(super) fn of_helm_chart(
        &self,
        checkout: &Checkout,
        object: &SourceObject,
        own: Option<&str>,
    ) -> Result<Option<(Location, ChartRef)>, Problem> {
        let mut found = Vec::new();
        let place = object.place.clone();
        let none = Node::null();
        let read = chart_spec(object.node.get("spec").unwrap_or(&none), &place, &mut |line, fault| {
            found.push(fault.on_line(&place, line));
        });
        match (read, found.pop()) {
            (Some(chart), None) => {
                Ok(Some((self.of_spec(checkout, &chart, object.namespace.as_deref().or(own))?, chart)))
            }
            (_, Some(problem)) => Err(problem),
            (None, None) => Ok(None),
        }
    }

    fn missing(&self, source: &SourceRef) -> Fault {
        Fault::new(
            Cause::NoSource(Name::new(&source.kind, &source.name)),
            format!(
                "{} {} was not found in environment {}: add it to what the environment applies",
                source.kind, source.name, self.name
            ),
        )
    }

    fn of_spec(&self, checkout: &Checkout, chart: &ChartRef, own: Option<&str>) -> Result<Location, Problem> {
        let fail = |message: String| Fault::from(message).at(&chart.place);
        let namespace = chart.source.namespace.as_deref().or(own);
        let object = self.source(&chart.source.kind, &chart.source.name, namespace);
        if chart.source.kind == "GitRepository" {
            let path = confined(&chart.path);
            let is_another = object.is_some_and(|o| self.is_another(o, checkout));
            if checkout.kind(&path).is_some() && !is_another {
                return match self.sources.iter().find(|o| o.kind == chart.source.kind && o.name == chart.source.name) {
                    // It would not be found in the cluster either.
                    Some(of_others) if object.is_none() => Err(misplaced(of_others, namespace).at(&chart.place)),
                    _ => Ok(Location::Here(path)),
                };
            }
            let url = object.and_then(|o| o.node.get("spec")?.get("url")?.as_str().map(|u| (o, u)));
            // The environment's own repository is among its sources: what it lacks is not fetched from its remote.
            let Some((object, url)) = url.filter(|(o, _)| is_another || !self.is_own(o, &chart.source, checkout))
            else {
                let message = format!(
                    "chart {path} is not in this repository, and no GitRepository {} of another one is in the environment",
                    chart.source.name
                );
                return Err(Fault::new(Cause::Chart, message).at(&chart.place));
            };
            let reference = chart_source::git(object.node.get("spec"), url, &path).map_err(fail)?;
            return Ok(Location::Elsewhere(Box::new(Elsewhere { within: Some(path), ..reference.into() })));
        }
        let Some(object) = object else { return Err(self.missing(&chart.source).at(&chart.place)) };
        let spec = object.node.get("spec");
        if chart.source.kind == "Bucket" {
            let path = confined(&chart.path);
            let reference = chart_source::bucket(spec, &path);
            let reference = reference.map_err(|fault| fault.at(&object.place))?;
            return Ok(Location::Elsewhere(Box::new(Elsewhere { within: Some(path), ..reference.into() })));
        }
        let text = |key: &str| spec.and_then(|s| s.get(key)).and_then(Node::as_str).unwrap_or_default();
        let Some(url) = Some(text("url")).filter(|u| !u.is_empty()) else {
            return Err(Fault::from(format!("{} without spec.url", object.kind)).at(&object.place));
        };
        let version = Some(chart.version.as_str()).filter(|v| !v.is_empty());
        let parsed = if url.starts_with("oci://") {
            let whole = format!("{}/{}", url.trim_end_matches('/'), chart.path);
            Reference::parse(&whole, None, Some(version.unwrap_or("*")))
        } else {
            Reference::parse(&chart.path, Some(url), version)
        };
        let reference = parsed.map_err(|e| fail(e.to_string()))?;
        let insecure = chart_source::is_insecure(spec);
        Ok(Location::Elsewhere(Box::new(Elsewhere { insecure, ..reference.into() })))
    }

    /// Whether a GitRepository is the one that we are in: by its address, or since other charts of it are here.
    fn is_own(&self, object: &SourceObject, source: &SourceRef, checkout: &Checkout) -> bool {
        let here = |hr: &HelmRelease| {
            let s = &hr.chart.source;
            let path = confined(&hr.chart.path);
            s.kind == source.kind && s.name == source.name && !path.is_empty() && checkout.kind(&path).is_some()
        };
        if self.releases.iter().any(here) {
            return true;
        }
        is_remote_of(object, checkout)
    }

    /// Whether a GitRepository is another one than this, though it may have the same paths.
    fn is_another(&self, object: &SourceObject, checkout: &Checkout) -> bool {
        let others = || self.sources.iter().filter(|o| o.kind == "GitRepository" && !std::ptr::eq(*o, object));
        if others().next().is_none() || is_remote_of(object, checkout) {
            return false;
        }
        let is_applied = |o: &SourceObject| {
            let namespace = o.namespace.clone().unwrap_or_default();
            self.here.contains(&(o.kind.clone(), namespace, o.name.clone()))
        };
        let mut own = others().filter(|o| is_applied(o) || is_remote_of(o, checkout)).peekable();
        own.peek().is_some() && !is_applied(object) && own.all(|own| have_other_names(own, object))
    }

    /// Whether a release's chart is taken from here though its GitRepository may be another one: other objects of the environment would tell.
    pub(super) fn is_unsure(&self, checkout: &Checkout, hr: &HelmRelease) -> bool {
        let source = &hr.chart.source;
        let namespace = source.namespace.as_deref().or(hr.namespace.as_deref());
        let object = self.source(&source.kind, &source.name, namespace).filter(|o| o.kind == "GitRepository");
        object.is_some_and(|o| checkout.remote().is_some_and(|own| !may_be_one_repository(&own, url_of(o))))
    }

    /// Whether some of the releases have charts that must be fetched.
    pub fn needs_charts(&self, checkout: &Checkout, wanted: impl Fn(&HelmRelease) -> bool) -> bool {
        self.releases.iter().filter(|hr| wanted(hr)).any(|hr| match self.locate(checkout, hr) {
            Ok((location, _)) => !location.elsewhere().is_empty(),
            Err(_) => false,
        })
    }

    /// Fetches the charts that the releases need and the checkout does not hold. What fails is told when the release is rendered.
    pub async fn fetch_charts(
        &mut self,
        checkout: &Checkout,
        context: &Context,
        wanted: impl Fn(&HelmRelease) -> bool,
    ) {
        let mut wanted_charts = BTreeMap::new();
        for hr in self.releases.iter().filter(|hr| wanted(hr)) {
            let located = self.locate(checkout, hr);
            for at in located.iter().flat_map(|(location, _)| location.elsewhere()) {
                wanted_charts.insert(at.reference.key(), at.clone());
            }
        }
        wanted_charts.retain(|key, _| !self.charts.fetched.contains_key(key));
        let plain = context.with(Options { plain_http: true, ..Options::clone(&context.options) });
        let plain = &plain;
        let fetch = |(key, Elsewhere { reference, insecure, .. }): (String, Elsewhere)| async move {
            let chart = match obtain(&reference, if insecure { plain } else { context }).await {
                Ok(fetched) => {
                    let mut log = Vec::new();
                    let loaded = if fetched.kind == Kind::Tree {
                        tree::load(&fetched.bytes, &mut log)
                    } else {
                        load::archive_file(&fetched.provenance.file_name, &fetched.bytes, &mut log)
                    };
                    let revision = fetched.provenance.revision;
                    let loaded = loaded.map(|chart| Fetched { chart: Arc::new(chart), revision });
                    loaded.map_err(|e| format!("chart {reference}: {e}"))
                }
                Err(mut e) => {
                    let hint = e.hint.take().map(|h| format!("; {h}")).unwrap_or_default();
                    // Some errors begin with what was asked for.
                    let (named, text) = (format!("{reference}: "), e.to_string());
                    Err(format!("chart {named}{}{hint}", text.strip_prefix(&named).unwrap_or(&text)))
                }
            };
            (key, chart)
        };
        let fetched: Vec<_> =
            futures::stream::iter(wanted_charts.into_iter().map(fetch)).buffer_unordered(8).collect().await;
        self.charts.fetched.extend(fetched);
    }

    /// Loads the chart of a release, before its values files.
    pub(super) fn chart(
        &self,
        checkout: &Checkout,
        hr: &HelmRelease,
        log: &mut Vec<LogLine>,
    ) -> Result<(Chart, Location, ChartRef), Problem> {
        let (location, spec) = self.locate(checkout, hr)?;
        let fail = |fault: Fault| fault.at(&spec.place);
        let chart = match &location {
            Location::Here(path) => {
                let chart = checkout.chart(path, log);
                chart.map_err(|e| fail(Fault::new(Cause::Chart, format!("chart {path}: {e}"))))?
            }
            Location::Elsewhere(at) => self.charts.fetched(at).map_err(fail)?,
            Location::Composed(composed) => composed.load(checkout, log, &|at| self.charts.fetched(at))?,
        };
        Ok((chart, location, spec))
    }
}

impl Environment {
    /// The directory of the checkout that a chart's templates lie in, with a slash at its end.
    pub(super) fn chart_directory(&self, checkout: &Checkout, location: &Location) -> Option<String> {
        match location {
            Location::Here(path) => checkout.is_dir(path).then(|| format!("{path}/")),
            Location::Elsewhere(_) => None,
            Location::Composed(composed) => composed.directory(checkout, &|at| self.charts.fetched(at)),
        }
    }
}

impl Charts {
    /// A chart that was fetched.
    pub(super) fn fetched(&self, at: &Elsewhere) -> Result<Chart, Fault> {
        let fetched = match self.fetched.get(&at.reference.key()) {
            Some(Ok(fetched)) => fetched,
            Some(Err(e)) => return Err(Fault::new(Cause::Chart, e.as_str())),
            None => {
                return Err(Fault::new(Cause::NotFetched, format!("chart {} was not fetched", at.reference)));
            }
        };
        let mut chart = Chart::clone(&fetched.chart);
        if at.digested {
            let digested = chart_version::with_digest(&chart.metadata.version, &fetched.revision);
            let digested = digested.map_err(|e| Fault::new(Cause::Chart, format!("chart {}: {e}", at.reference)))?;
            chart.metadata.version = digested.version;
        }
        Ok(chart)
    }
}

impl From<Reference> for Elsewhere {
    fn from(reference: Reference) -> Self {
        Self { reference, within: None, digested: false, insecure: false }
    }
}

impl Location {
    /// What has to be fetched.
    fn elsewhere(&self) -> Vec<&Elsewhere> {
        match self {
            Self::Here(_) => Vec::new(),
            Self::Elsewhere(at) => vec![at],
            Self::Composed(composed) => composed.elsewhere().collect(),
        }
    }
}

/// Whether a GitRepository has the address that the checkout was cloned from.
pub(super) fn is_remote_of(object: &SourceObject, checkout: &Checkout) -> bool {
    checkout.remote().is_some_and(|own| are_one_address(&own, url_of(object)))
}

/// Whether two addresses are of one repository, by whatever protocol and user.
pub(super) fn are_one_address(one: &str, other: &str) -> bool {
    plain(one) == plain(other)
}

/// Whether two addresses may be of one repository and a mirror of it: they have the same name.
pub(super) fn may_be_one_repository(one: &str, other: &str) -> bool {
    // A variable or a placeholder may be anything.
    let is_known = |name: &String| !name.is_empty() && !name.contains(['$', '<', '{']);
    let (one, other) = (name_of(one), name_of(other));
    one == other || !is_known(&one) || !is_known(&other)
}

/// Whether two GitRepositories are of repositories that don't even have the same name: a mirror has another address, too.
pub(super) fn have_other_names(one: &SourceObject, other: &SourceObject) -> bool {
    !may_be_one_repository(url_of(one), url_of(other))
}

/// The last part of a repository's address.
fn name_of(url: &str) -> String {
    plain(url).rsplit('/').next().unwrap_or_default().to_lowercase()
}

/// What is wrong with a reference to a source that only another namespace has.
fn misplaced(source: &SourceObject, namespace: Option<&str>) -> Fault {
    Fault::new(
        Cause::NoSource(Name::new(&source.kind, &source.name)),
        format!(
            "{} {} was not found in namespace {}: there is one in {}, so say namespace: {} in the sourceRef",
            source.kind,
            source.name,
            namespace.unwrap_or_default(),
            source.namespace.as_deref().unwrap_or_default(),
            source.namespace.as_deref().unwrap_or_default(),
        ),
    )
}

fn url_of(object: &SourceObject) -> &str {
    object.node.get("spec").and_then(|s| s.get("url")).and_then(Node::as_str).unwrap_or_default()
}

/// An address without what may be written in one way or another.
fn plain(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    rest.trim_end_matches('/').trim_end_matches(".git").replace(':', "/")
}
