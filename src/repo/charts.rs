//! Which chart a HelmRelease means: one in this checkout, or one that its source object points to, fetched through the source room.
//!
//! A path of a GitRepository that lies in this checkout is taken from it: a deployment repository refers to itself. Everything else is told by
//! the source objects of the environment. What was fetched is kept by reference, so that releases of one chart share it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;

use crate::chart::{Chart, load, tree};
use crate::diagnostic::LogLine;
use crate::source::{Context, GitRef, GitRevision, Kind, Reference, obtain};

use super::document::Node;
use super::files::Checkout;
use super::helm_release::{ChartRef, HelmRelease, SourceRef, chart_spec};
use super::objects::{Environment, Place, Problem, SourceObject};

/// How the problem of a chart ends that lies elsewhere and that nobody asked to be fetched.
pub const NOT_FETCHED: &str = "was not fetched";

/// Charts that were fetched, by the text of their reference.
#[derive(Clone, Debug, Default)]
pub struct Charts {
    fetched: BTreeMap<String, Result<Arc<Chart>, String>>,
}

/// Where a release's chart is.
#[derive(Clone, Debug)]
pub enum Location {
    /// A path in the checkout.
    Here(String),
    Elsewhere(Box<Elsewhere>),
}

/// A chart that must be fetched.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    pub reference: Reference,
    /// In a Git repository elsewhere, what `valuesFiles` must begin with to lie in the chart; elsewhere they are relative to the chart.
    pub within: Option<String>,
}

impl Environment {
    /// The chart that a release means, with `valuesFiles` as its HelmChart has them.
    ///
    /// # Errors
    /// The source object is missing or says too little.
    pub fn locate(&self, checkout: &Checkout, hr: &HelmRelease) -> Result<(Location, ChartRef), Problem> {
        let at = |line: usize, message: String| Problem { place: Place { path: hr.place.path.clone(), line }, message };
        let own = hr.namespace.as_deref();
        let chart = &hr.chart;
        if !chart.path.is_empty() {
            return Ok((self.of_spec(checkout, chart, own)?, chart.clone()));
        }
        let namespace = chart.source.namespace.as_deref().or(own);
        let Some(object) = self.source(&chart.source.kind, &chart.source.name, namespace) else {
            return Err(at(chart.place.line, self.missing(&chart.source)));
        };
        let Some(spec) = object.node.get("spec") else {
            return Err(Problem { place: object.place.clone(), message: format!("{} without spec", object.kind) });
        };
        if object.kind == "HelmChart" {
            let mut found = Vec::new();
            let place = object.place.clone();
            let read = chart_spec(spec, &place, &mut |line, message| {
                found.push(Problem { place: Place { path: place.path.clone(), line }, message });
            });
            return match (read, found.pop()) {
                (Some(chart), None) => {
                    Ok((self.of_spec(checkout, &chart, object.namespace.as_deref().or(own))?, chart))
                }
                (_, Some(problem)) => Err(problem),
                (None, None) => Err(at(chart.place.line, "the HelmChart names no chart".into())),
            };
        }
        let reference = oci(spec, None, "").map_err(|e| Problem { place: object.place.clone(), message: e })?;
        Ok((Location::Elsewhere(Box::new(Elsewhere { reference, within: None })), chart.clone()))
    }

    fn missing(&self, source: &SourceRef) -> String {
        format!(
            "{} {} was not found in environment {}: add it to what the environment applies",
            source.kind, source.name, self.name
        )
    }

    fn of_spec(&self, checkout: &Checkout, chart: &ChartRef, own: Option<&str>) -> Result<Location, Problem> {
        let fail = |message: String| Problem { place: chart.place.clone(), message };
        let namespace = chart.source.namespace.as_deref().or(own);
        let object = self.source(&chart.source.kind, &chart.source.name, namespace);
        if chart.source.kind == "GitRepository" {
            let path = Checkout::relative(&chart.path).map_err(fail)?;
            if checkout.kind(&path).is_some() {
                return Ok(Location::Here(path));
            }
            let url = object.and_then(|o| o.node.get("spec")?.get("url")?.as_str().map(|u| (o, u)));
            // The environment's own repository is among its sources: what it lacks is not fetched from its remote.
            let Some((object, url)) = url.filter(|(o, _)| !self.is_own(o, &chart.source, checkout)) else {
                let message = format!(
                    "chart {path} is not in this repository, and no GitRepository {} of another one is in the environment",
                    chart.source.name
                );
                return Err(fail(message));
            };
            let reference = git(object.node.get("spec"), url, &path).map_err(fail)?;
            return Ok(Location::Elsewhere(Box::new(Elsewhere { reference, within: Some(path) })));
        }
        let Some(object) = object else { return Err(fail(self.missing(&chart.source))) };
        let spec = object.node.get("spec");
        let text = |key: &str| spec.and_then(|s| s.get(key)).and_then(Node::as_str).unwrap_or_default();
        let Some(url) = Some(text("url")).filter(|u| !u.is_empty()) else {
            return Err(Problem { place: object.place.clone(), message: format!("{} without spec.url", object.kind) });
        };
        let version = Some(chart.version.as_str()).filter(|v| !v.is_empty());
        let parsed = if url.starts_with("oci://") {
            let whole = format!("{}/{}", url.trim_end_matches('/'), chart.path);
            Reference::parse(&whole, None, Some(version.unwrap_or("*")))
        } else {
            Reference::parse(&chart.path, Some(url), version)
        };
        let reference = parsed.map_err(|e| fail(e.to_string()))?;
        Ok(Location::Elsewhere(Box::new(Elsewhere { reference, within: None })))
    }

    /// Whether a GitRepository is the one that we are in: by its address, or since other charts of it are here.
    fn is_own(&self, object: &SourceObject, source: &SourceRef, checkout: &Checkout) -> bool {
        let here = |hr: &HelmRelease| {
            let s = &hr.chart.source;
            (s.kind == source.kind && s.name == source.name)
                && Checkout::relative(&hr.chart.path)
                    .is_ok_and(|path| !path.is_empty() && checkout.kind(&path).is_some())
        };
        if self.releases.iter().any(here) {
            return true;
        }
        is_remote_of(object, checkout)
    }

    /// Whether some of the releases have charts that must be fetched.
    pub fn needs_charts(&self, checkout: &Checkout, wanted: impl Fn(&HelmRelease) -> bool) -> bool {
        let elsewhere = |hr: &&HelmRelease| matches!(self.locate(checkout, hr), Ok((Location::Elsewhere(_), _)));
        self.releases.iter().filter(|hr| wanted(hr)).any(|hr| elsewhere(&hr))
    }

    /// Fetches the charts that the releases need and the checkout does not hold. What fails is told when the release is rendered.
    pub async fn fetch_charts(
        &mut self,
        checkout: &Checkout,
        context: &Context,
        wanted: impl Fn(&HelmRelease) -> bool,
    ) {
        let mut references = BTreeMap::new();
        for hr in self.releases.iter().filter(|hr| wanted(hr)) {
            if let Ok((Location::Elsewhere(at), _)) = self.locate(checkout, hr) {
                references.insert(at.reference.key(), at.reference.clone());
            }
        }
        references.retain(|key, _| !self.charts.fetched.contains_key(key));
        let fetch = |(key, reference): (String, Reference)| async move {
            let chart = match obtain(&reference, context).await {
                Ok(fetched) => {
                    let mut log = Vec::new();
                    let loaded = if fetched.kind == Kind::Tree {
                        tree::load(&fetched.bytes, &mut log)
                    } else {
                        load::archive_file(&fetched.provenance.file_name, &fetched.bytes, &mut log)
                    };
                    loaded.map(Arc::new).map_err(|e| format!("chart {reference}: {e}"))
                }
                Err(mut e) => {
                    let hint = e.hint.take().map(|h| format!("; {h}")).unwrap_or_default();
                    Err(format!("chart {reference}: {e}{hint}"))
                }
            };
            (key, chart)
        };
        let fetched: Vec<_> =
            futures::stream::iter(references.into_iter().map(fetch)).buffer_unordered(8).collect().await;
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
        let fail = |message: String| Problem { place: spec.place.clone(), message };
        let chart = match &location {
            Location::Here(path) => checkout.chart(path, log).map_err(|e| fail(format!("chart {path}: {e}")))?,
            Location::Elsewhere(at) => match self.charts.fetched.get(&at.reference.key()) {
                Some(Ok(chart)) => Chart::clone(chart),
                Some(Err(e)) => return Err(fail(e.clone())),
                None => return Err(fail(format!("chart {} {NOT_FETCHED}", at.reference))),
            },
        };
        Ok((chart, location, spec))
    }
}

/// Whether a GitRepository has the address that the checkout was cloned from.
pub(super) fn is_remote_of(object: &SourceObject, checkout: &Checkout) -> bool {
    let plain = |url: &str| {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        rest.trim_end_matches('/').trim_end_matches(".git").replace(':', "/")
    };
    let url = object.node.get("spec").and_then(|s| s.get("url")).and_then(Node::as_str).unwrap_or_default();
    checkout.remote().is_some_and(|own| plain(&own) == plain(url))
}

fn git(spec: Option<&Node>, url: &str, path: &str) -> Result<Reference, String> {
    let reference = spec.and_then(|s| s.get("ref"));
    let text = |key: &str| reference.and_then(|r| r.get(key)).and_then(Node::as_str).filter(|t| !t.is_empty());
    // The order in which source-controller looks at them.
    let revision = if let Some(commit) = text("commit") {
        GitRevision::Commit(commit.into())
    } else if let Some(name) = text("name") {
        GitRevision::Full(name.into())
    } else if let Some(range) = text("semver") {
        GitRevision::Semver(range.into())
    } else if let Some(tag) = text("tag") {
        GitRevision::Tag(tag.into())
    } else {
        GitRevision::Branch(text("branch").unwrap_or("master").into())
    };
    match Reference::parse(&format!("git+{url}//{path}"), None, None).map_err(|e| e.to_string())? {
        Reference::Git(parsed) => Ok(Reference::Git(GitRef { revision, ..parsed })),
        _ => Err(format!("{url} is no address of a Git repository")),
    }
}

fn oci(spec: &Node, chart: Option<&str>, version: &str) -> Result<Reference, String> {
    let url = spec.get("url").and_then(Node::as_str).unwrap_or_default();
    if !url.starts_with("oci://") {
        return Err("an OCIRepository needs spec.url with oci://".into());
    }
    let text = |key: &str| spec.get("ref").and_then(|r| r.get(key)).and_then(Node::as_str).filter(|t| !t.is_empty());
    let mut whole = url.trim_end_matches('/').to_owned();
    if let Some(chart) = chart {
        whole = format!("{whole}/{chart}");
    }
    let mut range = Some(version).filter(|v| !v.is_empty());
    // A digest counts more than a range, a range more than a tag.
    match (text("digest"), text("semver"), text("tag")) {
        (Some(digest), _, _) => whole = format!("{whole}@{digest}"),
        (_, Some(semver), _) => range = Some(semver),
        (_, _, Some(tag)) => whole = format!("{whole}:{tag}"),
        _ if range.is_none() => whole.push_str(":latest"),
        _ => {}
    }
    Reference::parse(&whole, None, range).map_err(|e| e.to_string())
}
