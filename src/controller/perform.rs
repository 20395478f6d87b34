//! Runs one action on a release, with the actions of the release room, and records its end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures::FutureExt;

use crate::api::Time;
use crate::chart::Chart;
use crate::cluster::drift::{Correction, DriftOptions, IgnoreRule, Selector};
use crate::cluster::kube::{ClusterLookup, Kube};
use crate::cluster::{Cluster, ObjectId, Propagation};
use crate::gotmpl::State;
use crate::kustomize::flux::{PostRenderer, Strategy, post_render_files};
use crate::release::action::guard::Faults;
use crate::release::action::install::{Install, install};
use crate::release::action::lock::ObjectLocks;
use crate::release::action::rollback::{Rollback, rollback};
use crate::release::action::test::{Test, test};
use crate::release::action::uninstall::{Uninstall, uninstall};
use crate::release::action::unlock::unlock;
use crate::release::action::upgrade::{Upgrade, Values, upgrade};
use crate::release::action::{
    ActionError, Context, Event as Told, Options, PostRender, SUPERSEDED, ServerSide, Source, WaitStrategy, Witness,
    drift,
};
use crate::release::storage::{Driver, Objects};
use crate::release::{Record, Status, Storage};
use crate::render::control::Lookup;
use crate::value::MapId;

use super::action::{Action, Rules};
use super::answers::Seen;
use super::observe::Observed;
use super::record::{self, About, Event, Gone, Recorded, Severity};
use super::secrets::Secrets;
use super::state::Drifted;
use super::subject::Subject;
use super::{changes, crds, health, history, inventory, message, origin};

/// Whose the written fields are: Flux's, so that a switch leaves no field without an owner.
pub const MANAGER: &str = "helm-controller";
/// Lines of Helm's log that an event about a failure ends with.
const LOG_LINES: usize = 10;
/// Lines of details that a message takes along.
const DETAILS: usize = 20;

/// What is called when an action begins to wait: others may work meanwhile.
pub type OnWait = Arc<dyn Fn() + Send + Sync>;

/// A release's cluster, storage and marks.
pub struct Bench {
    pub kube: Kube,
    pub storage: Arc<Observed>,
    pub ctx: Context,
    /// What renders ask; nobody looks with `--compat=flux`.
    pub seen: Option<Arc<Seen>>,
    log: Arc<Mutex<VecDeque<String>>>,
    superseded: Option<tokio::sync::watch::Receiver<bool>>,
    /// Helm 3's waits by default.
    helm3: bool,
    /// `--compat=flux`: objects of failed revisions are left, and waits are told in Flux's words.
    pub as_flux: bool,
    /// `--override-manager`.
    pub override_managers: Vec<String>,
    pub secrets: Secrets,
}

impl Bench {
    /// `storage_namespace` is where the records are, which may be another than the spec says now.
    pub fn new(
        kube: Kube,
        subject: &Subject,
        storage_namespace: &str,
        superseded: Option<tokio::sync::watch::Receiver<bool>>,
        helm3: bool,
        on_wait: OnWait,
        sees: bool,
    ) -> Self {
        let cluster: Arc<dyn Cluster> = Arc::new(kube.clone());
        let storage =
            Observed::new(Arc::new(Objects::new(cluster.clone(), Driver::Secret, Some(storage_namespace), MANAGER)));
        let log: Arc<Mutex<VecDeque<String>>> = Arc::default();
        let lines = log.clone();
        let key = subject.key();
        let listener = move |told: Told<'_>| {
            let line = match told {
                Told::Log(line) => line.message,
                Told::Note(text) => text,
                Told::HookLog(text) => text.to_owned(),
                Told::Progress(progress) => {
                    on_wait();
                    tracing::debug!(release = key, "{}: {} {}", progress.id, progress.state, progress.message);
                    return;
                }
            };
            tracing::debug!(release = key, "{line}");
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push_back(line);
            while lines.len() > LOG_LINES {
                lines.pop_front();
            }
        };
        // Held by the sender: what runs is not cancelled, only waits are.
        let (_, cancel) = tokio::sync::watch::channel(false);
        let lookup: Arc<dyn Lookup> = Arc::new(ClusterLookup::new(kube.clone()));
        let seen = sees.then(|| Seen::new(lookup.clone()));
        let ctx = Context {
            lookup: Some(seen.clone().map_or(lookup, |s| s as Arc<dyn Lookup>)),
            witness: seen.clone().map(|s| s as Arc<dyn Witness>),
            locks: Arc::new(ObjectLocks::new(cluster.clone(), storage_namespace, "Secret")),
            cluster,
            storage: storage.clone(),
            namespace: subject.release_namespace().to_owned(),
            faults: Faults::from_env(),
            listener: Arc::new(listener),
            keeper: None,
            cancel,
        };
        let (as_flux, override_managers, secrets) = (false, Vec::new(), Secrets::default());
        Self { kube, storage, ctx, seen, log, superseded, helm3, as_flux, override_managers, secrets }
    }

    /// The newest stored revision.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn last(&self, name: &str) -> Result<Option<Record>, String> {
        match self.storage.last(name).await {
            Ok(record) => Ok(Some(record)),
            Err(crate::release::StorageError::NotFound) => Ok(None),
            Err(e) => Err(format!("failed to retrieve last release from storage: {e}")),
        }
    }

    fn options(&self, action: Action, subject: &Subject, disable_wait: bool) -> Options {
        let strategy = subject.spec.wait_strategy.as_ref().map_or("", |w| w.name.as_str());
        Options {
            wait: match strategy {
                _ if disable_wait => WaitStrategy::HookOnly,
                "legacy" => WaitStrategy::Legacy,
                "" if self.helm3 => WaitStrategy::Legacy,
                _ => WaitStrategy::Watcher,
            },
            timeout: action.timeout(subject),
            field_manager: MANAGER.into(),
            superseded: self.superseded.clone(),
            health: health::judge(&subject.spec.health_check_exprs),
            sweep_failed: !self.as_flux,
            flux_texts: self.as_flux,
            ..Options::default()
        }
    }

    fn with_log(&self, mut event: Event) -> Event {
        let lines = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if event.severity == Severity::Warning && !lines.is_empty() {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            event.message.push_str("\n\nLast Helm logs:\n\n");
            event.message.push_str(&self.secrets.hide(&lines.join("\n")));
        }
        event
    }
}

/// What a release is made of.
pub struct Ingredients {
    pub chart: Chart,
    /// Taken by the one action that renders.
    pub values: Option<(State, MapId)>,
}

/// What a revision is rendered from. The version is the one with the digest of an OCI artifact.
pub fn source(
    subject: &Subject,
    mut chart: Chart,
    (state, values): (State, MapId),
    version: &str,
    skip_schema_validation: bool,
    use_helm3_defaults: bool,
) -> Source {
    version.clone_into(&mut chart.metadata.version);
    Source {
        state,
        values,
        chart,
        skip_schema_validation,
        subchart_notes: false,
        hide_secret: false,
        post_render: Some(post_render(subject, use_helm3_defaults)),
    }
}

/// How an action came out.
pub enum Done {
    Recorded(Recorded),
    /// Something newer is to be released.
    Superseded,
}

/// A run of one action.
pub struct Run<'r> {
    pub bench: &'r Bench,
    pub about: &'r About,
    pub rules: Rules,
    /// Say no more than Flux does.
    pub compat: bool,
    pub use_helm3_defaults: bool,
    pub last: Option<&'r Record>,
}

impl Run<'_> {
    fn text(&self, e: &ActionError) -> String {
        let mut lines = vec![e.message.as_str()];
        if !self.compat {
            lines.extend(e.details.iter().take(DETAILS).map(String::as_str));
        }
        self.bench.secrets.hide(&lines.join("\n"))
    }

    /// Installs or upgrades.
    pub async fn release(&self, action: Action, subject: &mut Subject, parts: &mut Ingredients, now: &Time) -> Done {
        let before = self.last.map_or(0, |r| r.version);
        let begun = Instant::now();
        record::begin(subject, action);
        self.bench.storage.take();
        let result = self.perform(action, subject, parts).await;
        let written = self.bench.storage.take();
        if let Some(record) = written.values().next_back().filter(|r| r.version > before) {
            subject.status.inventory = Some(inventory::of(&self.bench.kube, record, &parts.chart).await);
        }
        if matches!(&result, Err(e) if e.message.contains(SUPERSEDED)) {
            record::superseded(subject, action, self.about, before, &written);
            return Done::Superseded;
        }
        let error = result.err().map(|e| self.text(&e));
        let recorded = record::released(
            subject,
            action,
            self.about,
            before,
            &written,
            error.as_deref(),
            begun.elapsed(),
            self.rules.retry_by_default,
            now,
        );
        let stored = written.values().next_back().filter(|_| error.is_none() && !self.compat);
        let changes = stored.map(|record| changes::between(self.last, record).to_string());
        Done::Recorded(Recorded { changes, ..self.logged(recorded) })
    }

    fn logged(&self, recorded: Recorded) -> Recorded {
        Recorded { event: recorded.event.map(|e| self.bench.with_log(e)), ..recorded }
    }

    async fn perform(&self, action: Action, subject: &Subject, parts: &mut Ingredients) -> Result<Record, ActionError> {
        let Some((state, values)) = parts.values.take() else {
            return Err(ActionError::new("the values were used already"));
        };
        let (spec, name) = (&subject.spec, subject.release_name());
        let (install_spec, upgrade_spec) = (subject.install(), subject.upgrade());
        let is_install = action == Action::Install;
        let server_side = if is_install {
            install_spec.server_side_apply.unwrap_or(!self.use_helm3_defaults)
        } else {
            match upgrade_spec.server_side_apply.as_str() {
                "enabled" => true,
                "disabled" => false,
                _ => self.last.is_some_and(|r| r.apply_method == "ssa"),
            }
        };
        let chart = &parts.chart;
        let policy = if is_install { &install_spec.crds } else { &upgrade_spec.crds };
        if !chart.crds().is_empty() {
            // Dependencies that are off bring no definitions.
            let mut processed = chart.clone();
            crate::values::process_dependencies(&state.heap, &mut processed, values, &mut Vec::new()).map_err(|e| {
                format!("failed to apply CustomResourceDefinitions: failed to process chart dependencies: {e}")
            })?;
            crds::apply(&self.bench.kube, subject, &processed, policy, server_side, MANAGER)
                .boxed()
                .await
                .map_err(|e| format!("failed to apply CustomResourceDefinitions: {e}"))?;
        }
        if spec.persistent_client == Some(false) {
            self.bench.kube.refresh_discovery().await?;
        }
        let skip_schema_validation =
            if is_install { install_spec.disable_schema_validation } else { upgrade_spec.disable_schema_validation };
        let source = source(
            subject,
            chart.clone(),
            (state, values),
            &self.about.version,
            skip_schema_validation,
            self.use_helm3_defaults,
        );
        let ctx = &self.bench.ctx;
        if is_install {
            let options = Options {
                wait_for_jobs: !install_spec.disable_wait_for_jobs,
                no_hooks: install_spec.disable_hooks,
                force_conflicts: server_side,
                ..self.bench.options(action, subject, install_spec.disable_wait)
            };
            let what = Install {
                name,
                options,
                client_side: !server_side,
                create_namespace: !spec.target_namespace.is_empty() && install_spec.create_namespace,
                // Helm does not use the name of a release that was uninstalled with its history kept, unless told to.
                replace: install_spec.replace
                    || (!self.compat && self.last.is_some_and(|r| r.info.status == Status::Uninstalled)),
                take_ownership: !install_spec.disable_take_ownership,
                skip_crds: true,
                disable_openapi_validation: install_spec.disable_open_api_validation,
                ..Install::default()
            };
            return install(ctx, what, source).boxed().await;
        }
        let options = Options {
            wait_for_jobs: !upgrade_spec.disable_wait_for_jobs,
            no_hooks: upgrade_spec.disable_hooks,
            force_conflicts: server_side,
            force_replace: upgrade_spec.force && !server_side,
            ..self.bench.options(action, subject, upgrade_spec.disable_wait)
        };
        let what = Upgrade {
            name,
            options,
            server_side: if server_side { ServerSide::Yes } else { ServerSide::No },
            values: if upgrade_spec.preserve_values { Values::Reuse } else { Values::Reset },
            take_ownership: !upgrade_spec.disable_take_ownership,
            disable_openapi_validation: upgrade_spec.disable_open_api_validation,
            cleanup_on_fail: upgrade_spec.cleanup_on_fail,
            history_max: subject.max_history(),
            ..Upgrade::default()
        };
        upgrade(ctx, what, source).boxed().await
    }

    pub async fn test(&self, subject: &mut Subject, now: &Time) -> Recorded {
        let filters = subject.test().filters.unwrap_or_default();
        let names = |exclude: bool| filters.iter().filter(|f| f.exclude == exclude).map(|f| f.name.clone()).collect();
        let options = Options { superseded: None, ..self.bench.options(Action::Test, subject, false) };
        let what = Test { name: subject.release_name(), options, include: names(false), exclude: names(true) };
        let (tested, error) = match test(&self.bench.ctx, &what).boxed().await {
            Ok(mut tested) => {
                let record = tested.record.clone();
                let error = tested.error.take();
                let finished = tested.finish().boxed().await;
                (Some(record), error.or(finished.err()))
            }
            Err(e) => (None, Some(e)),
        };
        self.bench.storage.take();
        let error = error.map(|e| self.text(&e));
        record::tested(subject, self.about, tested.as_ref(), error.as_deref(), now)
    }

    pub async fn roll_back(&self, subject: &mut Subject, chart: &Chart, now: &Time) -> Recorded {
        let ignore = subject.upgrade_remediation().ignore_test_failures;
        let Some(to) = history::previous(&subject.status.history, ignore) else {
            let text = "missing target release for rollback: required to rollback";
            return Recorded { event: None, unstored: Some(text.into()), changes: None };
        };
        let spec = subject.rollback();
        let server_side = match spec.server_side_apply.as_str() {
            "enabled" => Ok(true),
            "disabled" => Ok(false),
            _ => self.bench.storage.get(&to.name, to.version).await.map(|r| r.apply_method == "ssa"),
        };
        self.bench.storage.take();
        let result = match server_side {
            Err(e) => Err(ActionError::from(e)),
            Ok(server_side) => {
                let what = Rollback {
                    name: to.name.clone(),
                    revision: to.version,
                    options: Options {
                        wait_for_jobs: !spec.disable_wait_for_jobs,
                        no_hooks: spec.disable_hooks,
                        force_conflicts: server_side,
                        force_replace: spec.force && !server_side,
                        superseded: None,
                        description: self.rollback_description(to.version),
                        ..self.bench.options(Action::Rollback, subject, spec.disable_wait)
                    },
                    server_side: if server_side { ServerSide::Yes } else { ServerSide::No },
                    cleanup_on_fail: spec.cleanup_on_fail,
                    history_max: subject.max_history(),
                    ..Rollback::default()
                };
                rollback(&self.bench.ctx, &what).boxed().await
            }
        };
        let written = self.bench.storage.take();
        if let Some(record) = written.values().next_back() {
            subject.status.inventory = Some(inventory::of(&self.bench.kube, record, chart).await);
        }
        let error = result.err().map(|e| self.text(&e));
        let recorded = self.logged(record::rolled_back(subject, self.about, &to, &written, error.as_deref(), now));
        let changes = match (self.last, written.values().next_back()) {
            (Some(last), Some(record)) if error.is_none() => {
                self.taken_back().map(|taken_back| format!("{taken_back}\n{}", changes::between(Some(last), record)))
            }
            _ => None,
        };
        Recorded { changes, ..recorded }
    }

    /// Helm's words in its history, and what is taken back.
    fn rollback_description(&self, to: i64) -> String {
        match self.last.filter(|_| !self.compat) {
            Some(last) => format!("Rollback to {to} from {} of {}", last.version, origin::told(last)),
            // Helm's own.
            None => String::new(),
        }
    }

    /// What a remedy takes back: the newest revision, with all that is known of where it came from.
    fn taken_back(&self) -> Option<String> {
        let last = self.last.filter(|_| !self.compat)?;
        Some(format!("Taken back: revision {} of {}", last.version, origin::told(last)))
    }

    pub async fn uninstall_remediation(&self, subject: &mut Subject, now: &Time) -> Recorded {
        let Some(name) = history::latest(&subject.status.history).map(|s| s.name.clone()) else {
            return Recorded {
                event: None,
                unstored: Some("no latest release: required to uninstall".into()),
                changes: None,
            };
        };
        self.bench.storage.take();
        let result =
            uninstall(&self.bench.ctx, &self.uninstall(Action::UninstallRemediation, subject, &name)).boxed().await;
        let written = self.bench.storage.take();
        let (record, error) = match result {
            Ok(done) => (done.record, None),
            Err(e) => (e.record.as_deref().cloned(), Some(self.text(&e))),
        };
        let done = record::uninstall_remediated(subject, self.about, &written, record.as_ref(), error.as_deref(), now);
        Recorded { changes: self.taken_back().filter(|_| error.is_none()), ..self.logged(done) }
    }

    fn uninstall(&self, action: Action, subject: &Subject, name: &str) -> Uninstall {
        let spec = subject.uninstall();
        Uninstall {
            name: name.into(),
            options: Options {
                no_hooks: spec.disable_hooks,
                superseded: None,
                ..self.bench.options(action, subject, spec.disable_wait)
            },
            dry_run: false,
            keep_history: spec.keep_history,
            ignore_not_found: false,
            propagation: match spec.deletion_propagation.as_deref() {
                Some("foreground") => Propagation::Foreground,
                Some("orphan") => Propagation::Orphan,
                _ => Propagation::Background,
            },
        }
    }

    /// Uninstalls for good. Without a release of this object there is nothing to do.
    ///
    /// # Errors
    /// To be tried again.
    pub async fn uninstall_for_good(&self, subject: &mut Subject, now: &Time) -> (Result<(), String>, Option<Event>) {
        let Some(name) = history::latest(&subject.status.history).map(|s| s.name.clone()) else {
            return (Ok(()), None);
        };
        self.bench.storage.take();
        let what = self.uninstall(Action::UninstallRemediation, subject, &name);
        let result = uninstall(&self.bench.ctx, &what).boxed().await;
        let written = self.bench.storage.take();
        let (record, result) = match result {
            Ok(done) => (done.record, Ok(Gone::Uninstalled)),
            Err(e) if e.not_found => (None, Ok(Gone::NotFound)),
            Err(e) if what.keep_history && e.message.contains("is already deleted") => (None, Ok(Gone::Already)),
            Err(e) => (e.record.as_deref().cloned(), Err(self.text(&e))),
        };
        let (result, event) = record::uninstalled(subject, self.about, &written, record.as_ref(), result, now);
        (result, event.map(|e| self.bench.with_log(e)))
    }

    pub async fn unlock(&self, subject: &mut Subject, now: &Time) -> Recorded {
        let Some(last) = self.last else { return Recorded { event: None, unstored: None, changes: None } };
        let was: Status = last.info.status;
        let result = unlock(&self.bench.ctx, &last.name).boxed().await;
        self.bench.storage.take();
        match result {
            Ok(Some(record)) => record::unlocked(subject, self.about, &record, was, None, now),
            // It went on by itself.
            Ok(None) => Recorded { event: None, unstored: None, changes: None },
            Err(e) => record::unlocked(subject, self.about, last, was, Some(&self.text(&e)), now),
        }
    }

    /// What drifted; `None` if nothing did.
    ///
    /// # Errors
    /// It could not be told.
    pub async fn drift(&self, subject: &Subject) -> Result<Option<Drifted>, String> {
        use crate::cluster::drift::Finding;
        let found = drift::drift(
            &self.bench.ctx,
            &subject.release_name(),
            &drift_options(subject, &self.bench.override_managers),
        )
        .boxed()
        .await;
        let found = found.map_err(|e| format!("unable to determine cluster state: {e}"))?;
        let mut lines = Vec::new();
        let mut unknown = Vec::new();
        for one in &found {
            let name = resource(&one.id);
            match &one.finding {
                Finding::InSync => {}
                Finding::Ignored => lines.push(format!("{name} excluded")),
                Finding::Missing => lines.push(format!("{name} removed")),
                Finding::Changed(fields) => {
                    let count = |f: fn(bool, bool) -> bool| {
                        fields.iter().filter(|x| f(x.live.is_some(), x.wanted.is_some())).count()
                    };
                    let (added, changed, removed) = (count(|l, _| !l), count(|l, w| l && w), count(|_, w| !w));
                    lines.push(format!("{name} changed ({added} additions, {changed} changes, {removed} removals)"));
                }
                Finding::Unknown(e) => unknown.push(e.to_string()),
            }
        }
        if found.iter().any(crate::cluster::drift::Drift::is_drift) {
            return Ok(Some(Drifted { summary: lines.join("\n") }));
        }
        if unknown.is_empty() {
            Ok(None)
        } else {
            Err(format!("unable to determine cluster state: {}", unknown.join("; ")))
        }
    }

    /// Takes drift back. What failed is told; it is tried again at the next interval.
    pub async fn correct_drift(&self, subject: &mut Subject, now: &Time) -> Recorded {
        use crate::api::condition::{READY, UNKNOWN};
        subject.mark(READY, UNKNOWN, "Progressing", "correcting cluster drift", now);
        let done = drift::correct(
            &self.bench.ctx,
            &subject.release_name(),
            &drift_options(subject, &self.bench.override_managers),
        )
        .boxed()
        .await;
        let (mut changes, mut errors) = (Vec::new(), Vec::new());
        match done {
            Err(e) => errors.push(e.message),
            Ok(done) => {
                for (id, correction) in done {
                    let name = resource(&id);
                    match correction {
                        Correction::Created => changes.push(format!("{name} created")),
                        Correction::Patched => changes.push(format!("{name} configured")),
                        Correction::Failed(e) => errors.push(format!("{name} patch failure: {e}")),
                    }
                }
            }
        }
        let (changes, errors) = (changes.join("\n"), errors.join("\n"));
        let latest = history::latest(&subject.status.history);
        let event = match latest {
            Some(latest) if !errors.is_empty() => {
                let text = message::drift_not_corrected(subject, &errors, &changes);
                Some(self.about.of(latest, Severity::Warning, "DriftCorrectionFailed", text))
            }
            Some(latest) if !changes.is_empty() => {
                let text = message::drift_corrected(subject, &changes);
                Some(self.about.of(latest, Severity::Normal, "DriftCorrected", text))
            }
            _ => None,
        };
        Recorded { event, unstored: None, changes: None }
    }
}

/// `Deployment/ns/web`.
fn resource(id: &ObjectId) -> String {
    match &id.namespace {
        Some(namespace) => format!("{}/{namespace}/{}", id.gvk.kind, id.name),
        None => format!("{}/{}", id.gvk.kind, id.name),
    }
}

fn drift_options(subject: &Subject, override_managers: &[String]) -> DriftOptions {
    let rules = subject.spec.drift_detection.as_ref().map(|d| d.ignore.clone()).unwrap_or_default();
    let rule = |rule: crate::api::helm_release::IgnoreRule| IgnoreRule {
        paths: rule.paths,
        target: rule.target.map(|t| Selector {
            group: t.group,
            version: t.version,
            kind: t.kind,
            name: t.name,
            namespace: t.namespace,
            label_selector: t.label_selector,
            annotation_selector: t.annotation_selector,
        }),
    };
    DriftOptions {
        field_manager: MANAGER.into(),
        ignore: rules.into_iter().map(rule).collect(),
        override_managers: override_managers.to_vec(),
    }
}

/// The spec's post-renderers, then common metadata, then the labels that name the HelmRelease.
fn post_render(subject: &Subject, helm3: bool) -> PostRender {
    let mut steps: Vec<PostRenderer> = Vec::new();
    for step in subject.spec.post_renderers.iter().filter_map(|r| r.kustomize.as_ref()) {
        // Structs of texts have a JSON form.
        steps.push(PostRenderer::Kustomize(serde_json::to_vec(step).unwrap_or_default()));
    }
    if let Some(common) = &subject.spec.common_metadata {
        steps.push(PostRenderer::Metadata { labels: common.labels.clone(), annotations: common.annotations.clone() });
    }
    let origin = [
        (crate::api::annotation::ORIGIN_NAME.to_owned(), subject.name.clone()),
        (crate::api::annotation::ORIGIN_NAMESPACE.to_owned(), subject.namespace.clone()),
    ];
    steps.push(PostRenderer::Metadata { labels: origin.into_iter().collect(), annotations: Default::default() });
    let strategy = match subject.spec.post_render_strategy.as_str() {
        "nohooks" => Strategy::NoHooks,
        "separate" => Strategy::Separate,
        "" if helm3 => Strategy::NoHooks,
        _ => Strategy::Combined,
    };
    Arc::new(move |files| post_render_files(&files, strategy, &steps))
}
