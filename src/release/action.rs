//! What is done with releases: install, upgrade, roll back, uninstall, test, plan, recover.
//!
//! The steps are Helm 4.3's (`pkg/action`): pending record → hooks → apply → wait → hooks → final record, and so are the texts of errors and
//! descriptions. What differs is what happens when the process dies on the way: each action holds a mark ([`lock`]) while it works, and
//! the next one that finds a dead owner's mark settles what was left (`work`) before it begins.
//!
//! Actions see the world through a [`Context`]: a cluster, a storage and marks. What they want to say on the way they tell its listener.

pub mod again;
pub mod drift;
pub mod guard;
mod history;
mod hooks;
pub mod install;
pub mod lock;
pub mod objects;
pub mod plan;
pub mod preview;
pub mod recover;
mod rendering;
pub mod rollback;
pub mod test;
pub mod uninstall;
pub mod unlock;
pub mod upgrade;
mod work;

pub use rendering::{PostRender, RenderFailure, Source};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::apply::{ApplyOptions, Method};
use crate::cluster::wait::{Health, OnProgress, Progress, Unready, WaitError, WaitOptions};
use crate::cluster::{Cluster, Gvk};
use crate::diagnostic::LogLine;
use crate::release::Record;
use crate::release::storage::{self, Storage, StorageError};
use crate::render::Capabilities;
use guard::Faults;
use lock::Locks;

/// What an action says while it works.
pub enum Event<'e> {
    /// A line of Helm's own log.
    Log(LogLine),
    /// Something that Helm does not say: what was left by a dead process and is settled, what is waited for.
    Note(String),
    /// What a hook's container wrote, for `helm.sh/hook-output-log-policy`.
    HookLog(&'e str),
    /// An object's state changed while it is waited for.
    Progress(&'e Progress),
}

/// Is told of every [`Event`].
pub type Listener = Arc<dyn for<'e> Fn(Event<'e>) + Send + Sync>;

/// What an action works on and with.
#[derive(Clone)]
pub struct Context {
    pub cluster: Arc<dyn Cluster>,
    pub storage: Arc<dyn Storage>,
    pub locks: Arc<dyn Locks>,
    /// The release's namespace.
    pub namespace: String,
    pub faults: Arc<Faults>,
    pub listener: Listener,
    /// Answers `lookup` in templates; without one the cluster is asked in a plain way.
    pub lookup: Option<Arc<dyn crate::render::control::Lookup>>,
    /// Sees what a render asks of the target.
    pub witness: Option<Arc<dyn Witness>>,
    /// Keeps what a revision made, if the target has a history of its own: a directory in a Git work tree, one commit a revision.
    pub keeper: Option<Arc<dyn Keeper>>,
    /// Turns true when the user wants the action to end (SIGINT, SIGTERM): what runs becomes a failed revision.
    pub cancel: tokio::sync::watch::Receiver<bool>,
}

/// Sees what a render asks of the target, and says what is kept of it with the revision.
pub trait Witness: Send + Sync {
    /// A render begins. Gives its capabilities, so that what is asked of them is seen; lookups are seen by whoever answers them.
    fn capabilities(&self, capabilities: Arc<Capabilities>) -> Arc<Capabilities>;

    /// Annotations for the stored revision, after its render.
    fn annotations(&self) -> BTreeMap<String, String>;
}

/// See [`Context::keeper`].
#[async_trait::async_trait]
pub trait Keeper: Send + Sync {
    /// # Errors
    /// Why it could not be kept; the revision itself is there.
    async fn keep(&self, subject: &str) -> Result<(), String>;
}

impl Context {
    fn log(&self, line: LogLine) {
        (self.listener)(Event::Log(line));
    }

    /// What is kept with a revision that was just rendered.
    fn witnessed(&self) -> BTreeMap<String, String> {
        self.witness.as_ref().map(|w| w.annotations()).unwrap_or_default()
    }

    fn note(&self, text: impl Into<String>) {
        (self.listener)(Event::Note(text.into()));
    }

    fn logs(&self, lines: Vec<LogLine>) {
        lines.into_iter().for_each(|line| self.log(line));
    }

    /// Runs a step that may be cancelled; Go's word for it then.
    async fn cancellable<T>(&self, step: impl Future<Output = Result<T, ActionError>>) -> Result<T, ActionError> {
        let mut cancel = self.cancel.clone();
        let cancelled = async move {
            if cancel.wait_for(|c| *c).await.is_err() {
                // Nobody is there any more to cancel.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            result = step => result,
            () = cancelled => Err(ActionError::new("context canceled")),
        }
    }

    fn progress(&self) -> OnProgress {
        let listener = self.listener.clone();
        Arc::new(move |p: &Progress| listener(Event::Progress(p)))
    }
}

/// Why an action failed.
#[derive(Debug, Default, thiserror::Error)]
#[error("{message}")]
pub struct ActionError {
    /// Helm's text, without what a command line puts before it.
    pub message: String,
    /// What explains it, a line each: unready objects with their pods' words, who holds the release, what to do next.
    pub details: Vec<String>,
    /// There is no such release.
    pub not_found: bool,
    /// The release that was made all the same: failed, or one whose tests failed.
    pub record: Option<Box<Record>>,
    /// Rendering failed: the failure in parts, for explanations.
    pub render: Option<Box<rendering::RenderFailure>>,
}

impl ActionError {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// The same error with words before it.
    #[must_use]
    pub fn context(mut self, before: &str) -> Self {
        self.message = format!("{before}: {}", self.message);
        self
    }

    #[must_use]
    pub fn with(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }
}

impl From<String> for ActionError {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<StorageError> for ActionError {
    fn from(e: StorageError) -> Self {
        Self { not_found: matches!(e, StorageError::NotFound), ..Self::new(e.to_string()) }
    }
}

impl From<crate::cluster::ClusterError> for ActionError {
    fn from(e: crate::cluster::ClusterError) -> Self {
        Self::new(e.to_string())
    }
}

impl From<WaitError> for ActionError {
    fn from(e: WaitError) -> Self {
        let details = e.unready.iter().flat_map(unready_lines).collect();
        Self { details, ..Self::new(e.message) }
    }
}

fn unready_lines(u: &Unready) -> Vec<String> {
    let head = if u.message.is_empty() {
        format!("{}: {:?}", u.id, u.state)
    } else {
        format!("{}: {:?}: {}", u.id, u.state, u.message)
    };
    std::iter::once(head).chain(u.details.iter().map(|d| format!("  {d}"))).collect()
}

/// What is waited for after objects have been written. Source: Helm 4.3 `pkg/kube/client.go`, `WaitStrategy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaitStrategy {
    /// Hooks only (Helm's default).
    #[default]
    HookOnly,
    /// All objects, by kstatus' rules.
    Watcher,
    /// All objects, by the polls and the rules of Helm 3.
    Legacy,
}

/// See [`Options::foreign_timeout`]: longer than anybody lets `helm` wait. Whoever knows better has `recover`.
pub const FOREIGN: Duration = Duration::from_secs(24 * 3600);

/// What holds for every action that writes.
#[derive(Clone, Debug)]
pub struct Options {
    pub wait: WaitStrategy,
    pub wait_for_jobs: bool,
    /// For each step that waits.
    pub timeout: Duration,
    pub no_hooks: bool,
    pub force_replace: bool,
    pub force_conflicts: bool,
    /// The user's own description; empty: Helm's.
    pub description: String,
    /// A pending record that no mark explains is somebody else's (`helm`), and nothing tells whether that program lives. One older than this is
    /// taken to be dead.
    pub foreign_timeout: Duration,
    /// Whether objects that only failed revisions after the deployed one have made are the release's to take away. Helm leaves them; who has
    /// to answer for a release for good does not.
    pub sweep_failed: bool,
    /// Whose the written fields are: `helm`, or `helm-controller` for a controller that takes Flux's place.
    pub field_manager: String,
    /// Turns true when the wait for readiness is no longer worth its while, for something newer is to be released: the revision fails,
    /// with [`SUPERSEDED`] as its error. What is being written is written to its end.
    pub superseded: Option<tokio::sync::watch::Receiver<bool>>,
    /// Judges objects of custom kinds while they are waited for.
    pub health: Option<Health>,
    /// See [`WaitOptions::flux_texts`].
    pub flux_texts: bool,
}

/// The error of a wait that was given up for something newer.
pub const SUPERSEDED: &str = "superseded while waiting: a newer revision or specification is to be released";

impl Default for Options {
    fn default() -> Self {
        Self {
            wait: WaitStrategy::HookOnly,
            wait_for_jobs: false,
            timeout: Duration::from_secs(300),
            no_hooks: false,
            force_replace: false,
            force_conflicts: false,
            description: String::new(),
            foreign_timeout: FOREIGN,
            sweep_failed: false,
            field_manager: "helm".into(),
            superseded: None,
            health: None,
            flux_texts: false,
        }
    }
}

impl Options {
    fn waiting(&self, ctx: &Context) -> WaitOptions {
        let legacy = self.wait == WaitStrategy::Legacy;
        WaitOptions {
            jobs: self.wait_for_jobs,
            legacy,
            flux_texts: self.flux_texts && !legacy,
            progress: Some(ctx.progress()),
            health: self.health.clone(),
            ..WaitOptions::new(self.timeout)
        }
    }

    fn apply(&self, method: Method) -> ApplyOptions {
        ApplyOptions { field_manager: self.field_manager.clone(), ..ApplyOptions::new(method) }
    }

    /// How objects that are there already are written. Source: `pkg/kube/client.go`, `Update`.
    ///
    /// # Errors
    /// Options that exclude one another, in Helm's words.
    fn update_method(&self, server_side: bool, migrate: bool, three_way_custom: bool) -> Result<Method, ActionError> {
        match (server_side, self.force_replace, self.force_conflicts) {
            (false, _, true) => Err(ActionError::new(
                "invalid client update option(s): forceConflicts enabled when serverSideApply disabled",
            )),
            (true, true, _) => {
                Err(ActionError::new("invalid operation: cannot use server-side apply and force replace together"))
            }
            (false, true, false) => Ok(Method::Replace),
            (true, false, force_conflicts) => Ok(Method::ServerSide { force_conflicts, migrate }),
            (false, false, false) => Ok(Method::ClientSide { three_way_custom }),
        }
    }

    /// Ends when the wait is to be given up; never without [`Options::superseded`].
    async fn given_up(&self) {
        let Some(mut superseded) = self.superseded.clone() else { return std::future::pending().await };
        if superseded.wait_for(|s| *s).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// `--dry-run`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DryRun {
    #[default]
    None,
    /// Nothing is asked of the server.
    Client,
    /// The server is read: capabilities, lookups, ownership.
    Server,
}

/// `--server-side`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerSide {
    /// As the last revision was applied.
    #[default]
    Auto,
    Yes,
    No,
}

impl ServerSide {
    fn resolve(self, last: &str) -> bool {
        match self {
            Self::Auto => last == "ssa",
            Self::Yes => true,
            Self::No => false,
        }
    }
}

/// `ssa` or `csa`, as records have it.
const fn apply_method(server_side: bool) -> &'static str {
    if server_side { "ssa" } else { "csa" }
}

/// Helm's rule for names. Source: `pkg/chart/v2/util/validate_name.go`.
pub fn is_name(name: &str) -> bool {
    let label = |l: &str| {
        let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let b = l.as_bytes();
        b.first().is_some_and(|c| ok(*c)) && b.last().is_some_and(|c| ok(*c)) && b.iter().all(|c| ok(*c) || *c == b'-')
    };
    name.len() <= 53 && name.split('.').all(label)
}

/// Labels that Helm keeps for itself.
const SYSTEM_LABELS: [&str; 6] = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];

/// Refuses these among a user's labels.
///
/// # Errors
/// Helm's text.
pub fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), ActionError> {
    if labels.keys().any(|k| SYSTEM_LABELS.contains(&k.as_str())) {
        return Err(ActionError::new(format!(
            "user supplied labels contains system reserved label name. System labels: [{}]",
            SYSTEM_LABELS.join(" ")
        )));
    }
    Ok(())
}

/// The first thing that is asked of a target; a server that does not answer is said in Helm's words.
fn first_word(e: StorageError) -> ActionError {
    match e {
        StorageError::Cluster(e) if e.is_closed() => ActionError::new(storage::unreachable(&e)),
        e => e.into(),
    }
}

fn namespace_kind() -> Gvk {
    Gvk::new("", "v1", "Namespace")
}
