//! What must be there before a release is touched: its HelmChart, what it depends on, its source, its values, its chart.

use std::sync::Arc;

use tracing::Instrument;

use crate::api::condition::READY;
use crate::chart::Chart;
use crate::cluster::{Cluster, Json};
use crate::gotmpl::{Host, State as RenderState, SystemHost};
use crate::values::digest;

use super::{Outcome, Stop, Turn, write_options};
use crate::controller::artifact::ArtifactError;
use crate::controller::dependencies::{self, NotReady};
use crate::controller::index::Key;
use crate::controller::record::{Event, Severity};
use crate::controller::secrets::Secrets;
use crate::controller::{action, sources, values};

impl Turn<'_> {
    /// The HelmChart of a chart template: applied, or deleted where it is another's or none any more.
    pub(super) async fn chart_template(&mut self) -> Result<(), Stop> {
        let wanted = sources::chart_object(&self.subject);
        let key = sources::helm_chart(&self.subject);
        let name = format!("{}/{}", key.namespace, key.name);
        let current = self.subject.status.helm_chart.clone();
        if !current.is_empty() && (wanted.is_none() || current != name) {
            self.delete_helm_chart().await?;
        }
        let Some(wanted) = wanted else { return Ok(()) };
        if let Err(e) = sources::cross_namespace(&self.subject, &key, &self.world.options) {
            return Err(self.denied(e.to_string()).await);
        }
        let live = self.world.index.get(&key);
        if live.is_some_and(|live| sources::is_applied(&live, &wanted)) {
            self.subject.status.helm_chart = name;
            return Ok(());
        }
        let source = wanted.pointer("/spec/sourceRef").cloned().unwrap_or_default();
        let text = |field: &str| source.get(field).and_then(Json::as_str).unwrap_or_default().to_owned();
        let of = format!("HelmChart/{name} with SourceRef '{}/{}/{}'", text("kind"), key.namespace, text("name"));
        match self.world.kube.apply(&sources::id(&key), &wanted, true, &write_options()).await {
            Ok(written) => {
                let (reason, verb) = match written.created {
                    true => ("HelmChartCreated", "Created"),
                    false => ("HelmChartConfigured", "Configured"),
                };
                self.world.index.put(written.object);
                self.tell(Event::new(Severity::Trace, reason, format!("{verb} {of}"))).await;
                self.subject.status.helm_chart = name;
                Ok(())
            }
            Err(e) => {
                let text = format!("failed to run server-side apply: {e}");
                self.tell(Event::new(Severity::Trace, "HelmChartSyncErr", text.as_str())).await;
                self.not_ready("ArtifactFailed", text.as_str());
                Err(Outcome::Failed(text))
            }
        }
    }

    pub(super) async fn delete_helm_chart(&mut self) -> Result<(), Stop> {
        let current = self.subject.status.helm_chart.clone();
        let Some((namespace, name)) = current.split_once('/') else { return Ok(()) };
        let key = Key::new("HelmChart", namespace, name);
        if sources::cross_namespace(&self.subject, &key, &self.world.options).is_ok() {
            let deleted =
                self.world.kube.delete(&sources::id(&key), crate::cluster::Propagation::Background, None).await;
            match deleted {
                Ok(true) => {
                    let text = format!("deleted HelmChart '{current}'");
                    self.tell(Event::new(Severity::Trace, "HelmChartDeleted", text)).await;
                }
                Ok(false) => {}
                Err(e) => return Err(Outcome::Failed(format!("failed to delete HelmChart '{current}': {e}"))),
            }
        }
        self.subject.status.helm_chart.clear();
        Ok(())
    }

    pub(super) async fn dependencies(&mut self) -> Result<(), Stop> {
        let spec = self.subject.spec.clone();
        for reference in &spec.depends_on {
            let key = dependencies::key(&self.subject, reference);
            if !self.compat()
                && let Err(e) = sources::cross_namespace(&self.subject, &key, &self.world.options)
            {
                return Err(self.denied(e.to_string()).await);
            }
            let known = if reference.is_helm_release() { self.world.index.get(&key) } else { None };
            let found = match known {
                Some(found) => Some((*found).clone()),
                None => match self.world.kube.get(&dependencies::id(&self.subject, reference)).await {
                    Ok(found) => found,
                    Err(e) => {
                        self.not_ready("DependencyNotReady", e.to_string());
                        return Err(Outcome::Wait(self.world.options.requeue_dependency));
                    }
                },
            };
            let additive = self.world.options.gates.additive_cel_dependency_check;
            match dependencies::check(&self.subject, &self.object, reference, found.as_ref(), additive) {
                Ok(()) => {}
                Err(NotReady::Never(e)) => return Err(self.invalid_cel(&e).await),
                Err(NotReady::Wait(mut text)) => {
                    let own = Key::new("HelmRelease", &self.subject.namespace, &self.subject.name);
                    let ring = if self.compat() { Vec::new() } else { dependencies::ring(&own, &self.world.index) };
                    if !ring.is_empty() {
                        let names: Vec<String> =
                            ring.iter().chain([&own]).map(|k| format!("{}/{}", k.namespace, k.name)).collect();
                        text = format!("{text}: the dependencies are a circle: {}", names.join(" → "));
                    }
                    if self.subject.message(READY) != text {
                        self.tell(Event::new(Severity::Normal, "DependencyNotReady", text.as_str())).await;
                    }
                    self.not_ready("DependencyNotReady", text);
                    return Err(Outcome::Wait(self.world.options.requeue_dependency));
                }
            }
        }
        self.passed(&["DependencyNotReady"]);
        Ok(())
    }

    /// The source of the chart, with its artifact.
    pub(super) async fn source(&mut self) -> Result<(Key, sources::Ready), Stop> {
        let Some(key) = sources::chart_source(&self.subject) else { return Err(Outcome::Terminal) };
        if let Err(e) = sources::check_access(&self.subject, &key, &self.world.options) {
            return Err(self.denied(e.to_string()).await);
        }
        let known = self.world.index.get(&key);
        let found = match known {
            Some(found) => Some((*found).clone()),
            None => match self.world.kube.get(&sources::id(&key)).await {
                Ok(found) => found,
                Err(e) => {
                    self.not_ready("ArtifactFailed", format!("could not get Source object: {e}"));
                    return Err(Outcome::Failed(e.to_string()));
                }
            },
        };
        let Some(found) = found else {
            let plural = format!("{}s.source.toolkit.fluxcd.io", key.kind.to_lowercase().trim_end_matches('y'));
            let plural = plural.replace("repositors.", "repositories.");
            let text = format!("could not get Source object: {plural} {:?} not found", key.name);
            self.not_ready("ArtifactFailed", text.as_str());
            return Err(Outcome::Failed(text));
        };
        self.passed(&["AccessDenied"]);
        self.reads.note_artifact(sources::artifact_digest(&found));
        match sources::ready(&key, &found) {
            Ok(ready) => {
                self.passed(&["SourceNotReady"]);
                Ok((key, ready))
            }
            Err(text) => {
                self.not_ready("SourceNotReady", text);
                Err(Outcome::Wait(self.world.options.requeue_dependency))
            }
        }
    }

    pub(super) async fn chart(&mut self, ready: &sources::Ready) -> Result<Arc<Chart>, Stop> {
        let span = tracing::info_span!(
            "fetch",
            release = self.subject.key(),
            step = "fetch",
            revision = ready.artifact.revision,
            digest = ready.artifact.digest
        );
        match self.world.artifacts.chart(&ready.artifact).instrument(span).await {
            Ok(chart) => {
                self.passed(&["ArtifactFailed"]);
                Ok(chart)
            }
            Err(ArtifactError::NotFound) => {
                let after = self.world.options.requeue_dependency;
                let text = format!("Source not ready: artifact not found. Retrying in {}", action::text(after));
                self.not_ready("ArtifactFailed", text);
                Err(Outcome::Wait(after))
            }
            Err(e) => {
                let text = e.to_string();
                let message = format!("Could not load chart: {text}");
                if self.subject.message(READY) != message {
                    self.tell(Event::new(Severity::Warning, "ArtifactFailed", text.as_str())).await;
                }
                self.not_ready("ArtifactFailed", message);
                Err(Outcome::Failed(text))
            }
        }
    }

    pub(super) async fn values(&mut self) -> Result<(RenderState, crate::value::MapId, Vec<u8>), Stop> {
        self.values_for(Arc::new(SystemHost { enable_dns: self.world.options.gates.allow_dns_lookups })).await
    }

    /// The values, for a render that sees this world.
    pub(super) async fn values_for(
        &mut self,
        host: Arc<dyn Host>,
    ) -> Result<(RenderState, crate::value::MapId, Vec<u8>), Stop> {
        let world = self.world;
        let mut state = RenderState::new(host, world.options.limits);
        let mut secrets = Secrets::of(&self.subject);
        let composed = values::compose(&self.subject, world, &self.reads, &mut secrets, &mut state).await;
        self.secrets = secrets;
        let encoded = composed.and_then(|map| Ok((map, digest::encoded(&mut state.heap, Some(map))?)));
        match encoded {
            Ok((map, encoded)) => Ok((state, map, encoded)),
            Err(e) => {
                let e = self.secrets.hide(&e);
                if self.subject.message(READY) != e {
                    self.tell(Event::new(Severity::Warning, "ValuesError", e.as_str())).await;
                }
                self.not_ready("ValuesError", e.as_str());
                Err(Outcome::Failed(e))
            }
        }
    }
}
