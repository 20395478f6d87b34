//! One reconciliation of one HelmRelease: prerequisites, then action after action until nothing is left to do.
//!
//! Source: helm-controller 1.6 `internal/controller/helmrelease_controller.go` (`Reconcile`, `reconcileRelease`) and
//! `internal/reconcile/atomic_release.go`. Where Flux writes progress before it knows whether there is anything to do, we do so only with
//! `--compat=flux`: a release in sync costs no write.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tracing::Instrument;

use crate::api::condition::{FALSE, READY, RECONCILING, TRUE, UNKNOWN};
use crate::api::{FINALIZER, HELM_API, HelmRelease};
use crate::cluster::patch::json_merge;
use crate::cluster::{Cluster, FieldValidation, Gvk, Json, ObjectId, PatchType, WriteOptions};

use super::action::{self, Action, End, Exhausted, Kind, Next, Rules, Target};
use super::claim::{self, Attempt};
use super::dependencies;
use super::history;
use super::index::Key;
use super::manager::World;
use super::origin::Origin;
use super::perform::{Bench, Done, Ingredients, MANAGER, OnWait, Run};
use super::reads::Reads;
use super::record::{self, About, Event, Severity};
use super::secrets::Secrets;
use super::slot::Slot;
use super::sources;
use super::state::{self, Found, State};
use super::subject::{Subject, now};
use super::summary::summarize;
use super::verify::{self, Wanted};
use crate::release::{Record, Status};
use crate::source::chart_version;

mod deletion;
mod look;
mod prerequisites;

/// What follows a reconciliation.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All is done until the interval is over.
    Done,
    /// Again after this time.
    After(Duration),
    /// At once, or nearly so.
    Requeue,
    /// Something else must become ready first: again after this time at the latest.
    Wait(Duration),
    /// It failed without a trace; again after a growing time.
    Failed(String),
    /// Nothing helps but a change.
    Terminal,
    /// Out of retries: Flux waits for a change, we make one more attempt after a long time.
    Exhausted,
    /// The object is gone.
    Gone,
}

impl Outcome {
    /// A word for it, for traces.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::After(_) => "after",
            Self::Requeue => "requeue",
            Self::Wait(_) => "wait",
            Self::Failed(_) => "failed",
            Self::Terminal => "terminal",
            Self::Exhausted => "exhausted",
            Self::Gone => "gone",
        }
    }
}

/// Why a step ends a reconciliation.
type Stop = Outcome;

/// What a reconciliation is told.
pub struct Told {
    pub object: Arc<Json>,
    /// Turns true when something newer is to be released.
    pub superseded: tokio::sync::watch::Receiver<bool>,
    pub reads: Reads,
    /// One more attempt is due.
    pub extra_attempt: bool,
    pub slot: Slot,
}

/// A reconciliation under way.
struct Turn<'w> {
    world: &'w World,
    subject: Subject,
    /// As the API server has it.
    object: Json,
    superseded: tokio::sync::watch::Receiver<bool>,
    reads: Reads,
    extra_attempt: bool,
    slot: Slot,
    /// Where the chart comes from, once that is known.
    origin: Option<String>,
    /// What the values came from that must not be told.
    secrets: Secrets,
}

/// Reconciles; gives what follows and the object as it was left.
pub async fn reconcile(world: &World, told: Told) -> (Outcome, Json) {
    let object = (*told.object).clone();
    let subject = match subject(&object) {
        Ok(subject) => subject,
        Err(e) => {
            tracing::error!(release = %Key::of(&object), error = e, "the object cannot be read");
            return (Outcome::Terminal, object);
        }
    };
    let mut turn = Turn {
        world,
        subject,
        object,
        superseded: told.superseded,
        reads: told.reads,
        extra_attempt: told.extra_attempt,
        slot: told.slot,
        origin: None,
        secrets: Secrets::default(),
    };
    let outcome = match turn.run().await {
        Ok(outcome) | Err(outcome) => outcome,
    };
    let outcome = turn.finish(outcome).await;
    (outcome, turn.object)
}

/// The object as the state machine sees it.
///
/// # Errors
/// It is no HelmRelease.
pub fn subject(object: &Json) -> Result<Subject, String> {
    let release: HelmRelease = serde_json::from_value(object.clone()).map_err(|e| e.to_string())?;
    let metadata = release.metadata;
    Ok(Subject {
        name: metadata.name.unwrap_or_default(),
        namespace: metadata.namespace.unwrap_or_default(),
        uid: metadata.uid.unwrap_or_default(),
        generation: metadata.generation.unwrap_or_default(),
        labels: metadata.labels.unwrap_or_default(),
        annotations: metadata.annotations.unwrap_or_default(),
        deleting: metadata.deletion_timestamp.is_some(),
        spec: Arc::new(release.spec),
        status: release.status,
    })
}

fn id(subject: &Subject) -> ObjectId {
    ObjectId::new(Gvk::parse(HELM_API, "HelmRelease"), Some(&subject.namespace), &subject.name)
}

fn write_options() -> WriteOptions {
    WriteOptions { field_manager: MANAGER.into(), dry_run: false, validation: FieldValidation::Ignore }
}

impl Turn<'_> {
    fn compat(&self) -> bool {
        self.world.options.compat_flux
    }

    /// Of the chart's source as it is known without asking.
    fn known_origin(&self) -> Option<String> {
        let key = sources::chart_source(&self.subject)?;
        let source = self.world.index.get(&key)?;
        sources::ready(&key, &source).ok().map(|ready| ready.origin(&key)).filter(|origin| !origin.is_empty())
    }

    /// Whether it is looked again at what templates asked of the cluster.
    fn sees(&self) -> bool {
        !self.compat()
    }

    fn rules(&self) -> Rules {
        Rules {
            retry_by_default: self.world.options.gates.default_to_retry_on_failure,
            extra_attempt: self.extra_attempt,
        }
    }

    async fn tell(&self, mut event: Event) {
        // Every event can be told to the commit that it is about.
        if !self.compat()
            && let Some(origin) = self.origin.clone().or_else(|| self.known_origin())
        {
            event.metadata.entry(record::ORIGIN_REVISION.into()).or_insert(origin);
        }
        self.world.announcer.tell(&self.subject, event);
    }

    async fn run(&mut self) -> Result<Outcome, Stop> {
        let spec = self.subject.spec.clone();
        if spec.chart.is_some() == spec.chart_ref.is_some() {
            tracing::error!(release = self.subject.key(), "invalid Chart reference");
            return Ok(Outcome::Terminal);
        }
        if self.subject.deleting {
            return self.delete().await;
        }
        self.add_finalizer().await?;
        if spec.suspend {
            return Ok(Outcome::Terminal);
        }
        for check in &spec.health_check_exprs {
            for expression in [&check.current, &check.in_progress, &check.failed].into_iter().filter(|e| !e.is_empty())
            {
                if let Err(dependencies::Expression::Compile(e)) = dependencies::compile(expression) {
                    return Err(self.invalid_cel(&e).await);
                }
            }
        }
        self.chart_template().await?;
        self.release().await
    }

    async fn invalid_cel(&mut self, error: &str) -> Stop {
        let text = format!("Reconciliation failed terminally due to configuration error: {error}");
        let now = now();
        self.subject.mark(READY, FALSE, "InvalidCELExpression", text.as_str(), &now);
        self.subject.mark_stalled("InvalidCELExpression", text, &now);
        self.tell(Event::new(Severity::Warning, "InvalidCELExpression", error)).await;
        Outcome::Terminal
    }

    /// `Ready=False` for a reason that may pass.
    fn not_ready(&mut self, reason: &str, message: impl Into<String>) {
        self.subject.mark(READY, FALSE, reason, message, &now());
    }

    /// What stood in the way is gone: `Ready` does not speak of it any more.
    fn passed(&mut self, reasons: &[&str]) {
        if reasons.contains(&self.subject.reason(READY)) {
            self.subject.mark(READY, UNKNOWN, "Progressing", "reconciliation in progress", &now());
        }
    }

    async fn add_finalizer(&mut self) -> Result<(), Stop> {
        let list = self.object.pointer("/metadata/finalizers").and_then(Json::as_array).cloned().unwrap_or_default();
        if list.iter().any(|f| f == FINALIZER) {
            return Ok(());
        }
        let mut list = list;
        list.push(FINALIZER.into());
        self.patch_metadata(list).await
    }

    async fn patch_metadata(&mut self, finalizers: Vec<Json>) -> Result<(), Stop> {
        let version = self.object.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
        let body = json!({"metadata": {"finalizers": finalizers, "resourceVersion": version}});
        let patched = self.world.kube.patch(&id(&self.subject), PatchType::Merge, &body, &write_options()).await;
        match patched {
            Ok(object) => {
                self.object = object;
                Ok(())
            }
            Err(e) if e.is_not_found() => Err(Outcome::Gone),
            // Somebody else wrote meanwhile: the watch brings it.
            Err(e) if e.is_conflict() => Err(Outcome::Requeue),
            Err(e) => Err(Outcome::Failed(e.to_string())),
        }
    }

    /// Writes the status, as far as it differs from what is there.
    async fn patch_status(&mut self) -> Result<(), String> {
        let new = serde_json::to_value(&self.subject.status).map_err(|e| e.to_string())?;
        let old = self.object.get("status").cloned().unwrap_or_else(|| json!({}));
        let Some(body) = json_merge::between(&old, &new) else { return Ok(()) };
        let body = json!({"status": body});
        match self.world.kube.patch_status(&id(&self.subject), PatchType::Merge, &body, &write_options()).await {
            Ok(object) => {
                self.world.index.put(object.clone());
                self.object = object;
                Ok(())
            }
            Err(e) if e.is_not_found() && self.subject.deleting => Ok(()),
            Err(e) => Err(e.to_string()),
        }
    }

    async fn finish(&mut self, outcome: Outcome) -> Outcome {
        if outcome == Outcome::Gone {
            return outcome;
        }
        if let Some(token) = crate::api::annotation::requested_at(&self.subject.annotations) {
            self.subject.status.last_handled_reconcile_at = token.to_owned();
        }
        if matches!(outcome, Outcome::Done | Outcome::After(_) | Outcome::Terminal | Outcome::Exhausted) {
            self.subject.status.observed_generation = self.subject.generation;
        }
        match self.patch_status().await {
            Ok(()) => outcome,
            Err(e) => {
                tracing::warn!(release = self.subject.key(), error = e, "the status could not be written");
                match outcome {
                    Outcome::Failed(_) => outcome,
                    _ => Outcome::Failed(e),
                }
            }
        }
    }

    async fn denied(&mut self, text: String) -> Stop {
        let now = now();
        self.subject.mark_stalled("AccessDenied", text.as_str(), &now);
        self.subject.mark(READY, FALSE, "AccessDenied", text.as_str(), &now);
        self.tell(Event::new(Severity::Warning, "AccessDenied", text)).await;
        Outcome::Terminal
    }

    async fn release(&mut self) -> Result<Outcome, Stop> {
        if self.compat() {
            self.subject.mark_reconciling("Progressing", "Fulfilling prerequisites", &now());
            self.patch_status().await.map_err(Outcome::Failed)?;
        }
        self.dependencies().await?;
        let (source, ready) = self.source().await?;
        let (state, values_map, encoded) = self.values().await?;
        let chart = self.chart(&ready).await?;
        let mut about = About {
            chart: chart.metadata.name.clone(),
            version: chart.metadata.version.clone(),
            app_version: chart.metadata.app_version.clone(),
            origin_revision: if self.compat() { ready.origin_revision.clone() } else { ready.origin(&source) },
            algorithm: self.world.options.snapshot_digest,
            ..About::default()
        };
        self.origin = Some(about.origin_revision.clone()).filter(|o| !o.is_empty());
        let digested = source.kind == "OCIRepository"
            || (source.kind == "ExternalArtifact" && ready.artifact.revision.contains(':'));
        if digested {
            match chart_version::with_digest(&about.version, &ready.artifact.revision) {
                Ok(with) => {
                    about.oci_digest = with.digest;
                    if !self.world.options.gates.disable_chart_digest_tracking {
                        about.version = with.version;
                    }
                }
                Err(e) => {
                    self.not_ready("ChartMutateError", e.as_str());
                    return Err(Outcome::Failed(e));
                }
            }
        }
        let kube = match self.world.access.cluster(&self.subject, &self.reads).await {
            Ok(kube) => kube,
            Err(e) => {
                self.not_ready("RESTClientError", e.to_string());
                return Err(Outcome::Failed(e.to_string()));
            }
        };
        self.passed(&["ChartMutateError", "RESTClientError", "ValuesError"]);
        let mut wanted = Wanted {
            chart_name: about.chart.clone(),
            chart_version: about.version.clone(),
            values: encoded,
            merged: false,
        };
        about.config_digest = wanted.config_digest(about.algorithm);
        let status = &self.subject.status;
        wanted.merged = self.subject.upgrade().preserve_values
            && status.last_attempted_generation == self.subject.generation
            && status.last_attempted_revision == about.version
            && wanted.has_values(&status.last_attempted_config_digest);
        if let Some(reason) = verify::target_changed(&self.subject, &about.chart)
            && (reason != verify::CHART_NAME || self.subject.upgrade().chart_name_change_strategy != "InPlaceUpdate")
        {
            return self.leave_target(reason, &kube, &about).await;
        }
        self.subject.status.storage_namespace = self.subject.storage_namespace().to_owned();
        if let Some(reason) = verify::must_reset_failures(&mut self.subject, &wanted) {
            tracing::debug!(release = self.subject.key(), reason, "failures are counted anew");
            self.subject.clear_failures();
        }
        let attempt = Attempt::of(&self.subject.status);
        let status = &mut self.subject.status;
        status.last_attempted_generation = self.subject.generation;
        status.last_attempted_revision.clone_from(&about.version);
        status.last_attempted_revision_digest.clone_from(&about.oci_digest);
        status.last_attempted_config_digest.clone_from(&about.config_digest);
        status.last_attempted_values_checksum.clear();
        status.last_release_revision = 0;
        let bench = self.bench(kube, self.subject.storage_namespace());
        if let Some(seen) = &bench.seen {
            let (index, reads) = (&self.world.index, &self.reads);
            let origin =
                Origin::of(&self.subject, &about.origin_revision, &about.oci_digest, &ready.artifact, index, reads);
            origin.annotation().into_iter().for_each(|a| seen.note(a));
        }
        let mut parts = Ingredients { chart: (*chart).clone(), values: Some((state, values_map)) };
        self.atomic(&bench, &about, wanted, &attempt, &mut parts).await
    }

    fn bench(&self, kube: crate::cluster::kube::Kube, storage_namespace: &str) -> Bench {
        let options = &self.world.options;
        let gives_up = !options.compat_flux || options.gates.cancel_health_check_on_new_revision;
        let slot = self.slot.clone();
        let on_wait: OnWait = Arc::new(move || slot.wait());
        let superseded = gives_up.then(|| self.superseded.clone());
        let helm3 = options.gates.use_helm3_defaults;
        let mut bench = Bench::new(kube, &self.subject, storage_namespace, superseded, helm3, on_wait, self.sees());
        bench.as_flux = options.compat_flux;
        bench.override_managers.clone_from(&options.override_managers);
        bench.secrets.clone_from(&self.secrets);
        bench
    }

    /// The release is to live elsewhere, or to be of another chart: it is uninstalled where it is, and installed anew then.
    async fn leave_target(
        &mut self,
        reason: &str,
        kube: &crate::cluster::kube::Kube,
        about: &About,
    ) -> Result<Outcome, Stop> {
        tracing::info!(release = self.subject.key(), reason, "the release's target has changed: uninstalling it");
        let (result, event) = self.uninstall(kube, about).await;
        if let Some(event) = event {
            self.tell(event).await;
        }
        result.map_err(Outcome::Failed)?;
        self.subject.status.history.clear();
        self.subject.clear_failures();
        self.subject.status.storage_namespace.clear();
        Ok(Outcome::Requeue)
    }

    /// Uninstalls what the status knows of, from where it is.
    async fn uninstall(
        &mut self,
        kube: &crate::cluster::kube::Kube,
        about: &About,
    ) -> (Result<(), String>, Option<Event>) {
        let storage = self.subject.status.storage_namespace.clone();
        let mut bench = self.bench(kube.clone(), &storage);
        // Objects without a namespace of their own are where the release was.
        if let Some(latest) = history::latest(&self.subject.status.history) {
            bench.ctx.namespace.clone_from(&latest.namespace);
        }
        if !self.compat() {
            let latest = history::latest(&self.subject.status.history);
            let name = latest.map_or_else(|| self.subject.release_name(), |s| s.name.clone());
            let last = match bench.last(&name).await {
                Ok(last) => last,
                Err(e) => return (Err(e), None),
            };
            if let Some(last) = &last {
                let attempt = Attempt::of(&self.subject.status);
                let _ = claim::claim(&mut self.subject, &attempt, last, about, &now());
            }
            claim::inherit(&mut self.subject, last.as_ref(), about.algorithm);
            if let Some(latest) = history::latest(&self.subject.status.history) {
                bench.ctx.namespace.clone_from(&latest.namespace);
            }
        }
        let run = Run {
            bench: &bench,
            about,
            rules: self.rules(),
            compat: self.compat(),
            use_helm3_defaults: false,
            last: None,
        };
        let span = tracing::info_span!("action", release = self.subject.key(), step = "uninstall for good");
        run.uninstall_for_good(&mut self.subject, &now()).instrument(span).await
    }

    /// Action after action.
    async fn atomic(
        &mut self,
        bench: &Bench,
        about: &About,
        mut wanted: Wanted,
        attempt: &Attempt,
        parts: &mut Ingredients,
    ) -> Result<Outcome, Stop> {
        let mut rules = self.rules();
        let mut ran: Vec<Kind> = Vec::new();
        // What the final event tells beside the outcome.
        let (mut changes, mut cause) = (None, None);
        let name = self.subject.release_name();
        loop {
            let last = bench.last(&name).await.map_err(|e| self.state_error(&e))?;
            if let Some(last) = last.as_ref().filter(|_| ran.is_empty() && !self.world.options.compat_flux) {
                self.claim(attempt, last, about).await;
                let known = history::latest(&self.subject.status.history).is_some_and(|s| s.name == last.name);
                if last.info.status == Status::Uninstalling && known {
                    return self.leave_target("its uninstall was interrupted", &bench.kube, about).await;
                }
            }
            let found = state::determine(&self.subject, last.as_ref(), &wanted).map_err(|e| self.state_error(&e))?;
            let run = Run {
                bench,
                about,
                rules,
                compat: self.world.options.compat_flux,
                use_helm3_defaults: self.world.options.gates.use_helm3_defaults,
                last: last.as_ref(),
            };
            let found = match found.state {
                // Uninstalled by another hand, its history kept: to be installed, and nothing to upgrade.
                State::Unmanaged
                    if !self.world.options.compat_flux
                        && last.as_ref().is_some_and(|r| r.info.status == Status::Uninstalled) =>
                {
                    Found { state: State::Absent, ..found }
                }
                State::InSync if self.subject.drift().0 => match run.drift(&self.subject).await {
                    Ok(Some(drifted)) => Found { state: State::Drifted(drifted), reason: String::new() },
                    Ok(None) => found,
                    Err(e) => return Err(self.state_error(&e)),
                },
                _ => found,
            };
            let found = match &last {
                Some(last) if found.state == State::InSync => {
                    match self.look(bench, about, last, &parts.chart).await? {
                        Some(reason) => {
                            cause = Some(reason.clone());
                            // As with another chart or other values, attempts are counted anew.
                            self.subject.clear_failures();
                            Found { state: State::OutOfSync, reason }
                        }
                        None => found,
                    }
                }
                _ => found,
            };
            tracing::debug!(release = self.subject.key(), state = ?found.state, reason = found.reason, "state");
            let known = self.subject.message(crate::api::condition::DRIFTED).to_owned();
            let next = match action::for_state(&mut self.subject, &found.state, rules, &now()) {
                Ok(next) => next,
                Err(why) => return Ok(self.exhausted(&why)),
            };
            if let State::Drifted(_) = &found.state {
                let text = self.subject.message(crate::api::condition::DRIFTED).to_owned();
                if self.compat() || text != known {
                    self.tell(about.wanted(Severity::Warning, "DriftDetected", text)).await;
                }
            }
            let next = match next {
                Next::Act(action) => action,
                Next::RollBackIfVerified => {
                    let target = self.rollback_target(bench).await?;
                    match action::rollback_or(target) {
                        Ok(action) => action,
                        Err(why) => return Ok(self.exhausted(&why)),
                    }
                }
                Next::Nothing => {
                    self.subject.unmark(RECONCILING);
                    summarize(&mut self.subject, &now());
                    return Ok(Outcome::Done);
                }
            };
            if let Some(end) = action::stop_before(&mut self.subject, next, &ran, rules, &now()) {
                return Ok(self.end(end));
            }
            let said = self.subject.message(crate::api::condition::RELEASED).to_owned();
            self.announce_progress(next, about, last.as_ref().map_or(0, |r| r.version)).await?;
            let span = tracing::info_span!(
                "action",
                release = self.subject.key(),
                step = next.name(),
                chart = about.chart,
                revision = about.version
            );
            let done = self.act(&run, next, parts).instrument(span).await;
            // An extra attempt is one.
            rules.extra_attempt = false;
            let recorded = match done {
                Done::Superseded => {
                    let text = "New reconciliation triggered: the wait for the last revision was given up";
                    self.not_ready("HealthCheckCanceled", text);
                    let event = "Health checks canceled due to new reconciliation triggered";
                    self.tell(about.wanted(Severity::Normal, "HealthCheckCanceled", event)).await;
                    return Ok(Outcome::Requeue);
                }
                Done::Recorded(recorded) => recorded,
            };
            let untested = self.subject.test().enable && next.kind() == Kind::Release && recorded.unstored.is_none();
            if recorded.changes.is_some() {
                changes = recorded.changes;
            }
            if let Some(mut event) = recorded.event {
                if !self.compat() && event.severity == Severity::Normal {
                    for line in cause.iter().map(|c| format!("Cause: {c}")).chain(changes.clone()) {
                        event.message.push('\n');
                        event.message.push_str(&line);
                    }
                }
                // One final event: what tests say of a release is a part of its outcome.
                let waits = !self.compat() && untested && event.severity == Severity::Normal;
                // What fails again in the same way, without a trace, was told before.
                let told = !self.compat()
                    && recorded.unstored.is_some()
                    && said == self.subject.message(crate::api::condition::RELEASED);
                if !waits && !told {
                    self.tell(event).await;
                }
            }
            if let Some(error) = recorded.unstored {
                tracing::warn!(release = self.subject.key(), action = next.name(), error, "the action failed");
                if let Some(end) = action::retry(&mut self.subject, rules, &now()) {
                    return Ok(self.end(end));
                }
                if self.subject.is(READY, TRUE) {
                    self.not_ready("ReconcileError", error.as_str());
                }
                return Ok(Outcome::Failed(error));
            }
            if let Some(end) = action::stop_after(&mut self.subject, next, rules, &now()) {
                return Ok(self.end(end));
            }
            ran.push(next.kind());
            wanted.merged |= next == Action::Upgrade && self.subject.upgrade().preserve_values;
            if self.compat() {
                self.patch_status().await.map_err(Outcome::Failed)?;
            }
        }
    }

    /// A record that another controller, dead by now, has made for this object is its own.
    async fn claim(&mut self, attempt: &Attempt, last: &Record, about: &About) {
        let (claimed, event) = claim::claim(&mut self.subject, attempt, last, about, &now());
        if claimed {
            tracing::info!(release = self.subject.key(), revision = last.version, "claimed what was under way");
        }
        if let Some(event) = event {
            self.tell(event).await;
        }
    }

    async fn act(&mut self, run: &Run<'_>, action: Action, parts: &mut Ingredients) -> Done {
        let now = now();
        let subject = &mut self.subject;
        Done::Recorded(match action {
            Action::Install | Action::Upgrade => return run.release(action, subject, parts, &now).await,
            Action::Test => run.test(subject, &now).await,
            Action::Rollback => run.roll_back(subject, &parts.chart, &now).await,
            Action::UninstallRemediation => run.uninstall_remediation(subject, &now).await,
            Action::Unlock => run.unlock(subject, &now).await,
            Action::CorrectDrift => run.correct_drift(subject, &now).await,
        })
    }

    /// Says what is about to be done.
    async fn announce_progress(&mut self, action: Action, about: &About, last: i64) -> Result<(), Stop> {
        let (text, now) = (action.running(&self.subject), now());
        if !self.compat() {
            claim::announce(&mut self.subject, action, about, last, &now);
        }
        self.subject.mark_reconciling("Progressing", text.as_str(), &now);
        if action.kind() == Kind::Release {
            self.subject.mark(READY, UNKNOWN, "Progressing", text.as_str(), &now);
        }
        tracing::info!(release = self.subject.key(), "{text}");
        self.patch_status().await.map_err(Outcome::Failed)
    }

    async fn rollback_target(&self, bench: &Bench) -> Result<Target, Stop> {
        let ignore = self.subject.active_remediation().is_some_and(|r| r.ignore_test_failures);
        let Some(previous) = history::previous(&self.subject.status.history, ignore) else {
            return Ok(Target::Missing);
        };
        use crate::release::Storage;
        match bench.storage.get(&previous.name, previous.version).await {
            Ok(record) if verify::object(&previous, &record).is_ok() => Ok(Target::Verified),
            Ok(_) | Err(crate::release::StorageError::NotFound) => Ok(Target::Corrupt),
            Err(e) => Err(Outcome::Failed(format!("cannot verify previous release to roll back to: {e}"))),
        }
    }

    fn state_error(&mut self, e: &str) -> Stop {
        self.not_ready("StateError", format!("Could not determine release state: {e}"));
        Outcome::Failed(format!("cannot determine release state: {e}"))
    }

    fn end(&mut self, end: End) -> Outcome {
        match end {
            End::Done => Outcome::Done,
            End::RetryAfter(after) => Outcome::After(after),
            End::Requeue => Outcome::Requeue,
            End::Stalled(why) => self.exhausted(&why),
        }
    }

    fn exhausted(&mut self, why: &Exhausted) -> Outcome {
        let (reason, mut text) = action::stalled(&self.subject, why);
        let now = now();
        if !self.compat() {
            let after = action::text(self.world.options.exhausted_retry);
            text =
                format!("{text}; the next attempt is in {after}, or when the release, its chart or its values change");
            // `Ready` tells all that people look for.
            let ready =
                self.subject.message(READY).lines().filter(|l| !l.starts_with(NOTE)).collect::<Vec<_>>().join("\n");
            let status = if self.subject.is(READY, TRUE) { FALSE.to_owned() } else { self.ready_status() };
            let cause = if ready.is_empty() { why.to_string() } else { ready };
            let reason = self.subject.reason(READY).to_owned();
            let reason = if reason.is_empty() { "ReconcileError".to_owned() } else { reason };
            self.subject.mark(READY, &status, &reason, format!("{cause}\n{NOTE}{text}"), &now);
        }
        self.subject.mark_stalled(reason, text, &now);
        Outcome::Exhausted
    }

    fn ready_status(&self) -> String {
        crate::api::condition::get(&self.subject.status.conditions, READY)
            .map_or_else(|| FALSE.into(), |c| c.status.clone())
    }
}

/// How the line begins that tells of attempts in `Ready`.
const NOTE: &str = "Attempts: ";
