//! What the commands that work on releases share: their flags, what they say while they work, signals, and the words of their errors.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::sync::{mpsc, watch};

use crate::cluster::wait::Progress;
use crate::diagnostic::LogLine;
use crate::release::action::{ActionError, Context, DryRun, Event, Options, ServerSide, WaitStrategy, is_name};

use super::args::Global;
use super::flags::Pairs;
use super::output::Streams;
use super::progress::View;
use super::target::Target;
use super::{Failure, runtime};

/// Flags of every action that waits.
#[derive(Args, Debug, Clone)]
pub struct WaitArgs {
    /// Wait until resources are ready (up to --timeout). Use '--wait' alone for 'watcher', or one of: 'watcher', 'hookOnly', 'legacy'.
    /// Default when the flag is omitted: 'hookOnly'
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "watcher", value_name = "STRATEGY")]
    pub wait: Option<String>,
    /// Time to wait for any individual Kubernetes operation (like Jobs for hooks)
    #[arg(long, default_value = "5m0s", value_name = "DURATION")]
    pub timeout: String,
    /// Say nothing of what is waited for
    #[arg(short, long)]
    pub quiet: bool,
    /// After this time a pending revision of helm, which leaves no mark of its life, is taken to be abandoned
    #[arg(
        long,
        default_value = "24h",
        env = "PINTLE_TAKE_OVER_AFTER",
        value_name = "DURATION",
        hide_short_help = true
    )]
    pub take_over_after: String,
}

/// Flags of install, upgrade and rollback.
#[derive(Args, Debug, Clone)]
pub struct ApplyArgs {
    #[command(flatten)]
    pub waiting: WaitArgs,
    /// If set and --wait enabled, will wait until all Jobs have been completed before marking the release as successful
    #[arg(long)]
    pub wait_for_jobs: bool,
    /// Force resource updates by replacement
    #[arg(long)]
    pub force_replace: bool,
    /// Deprecated: use --force-replace
    #[arg(long, hide = true)]
    pub force: bool,
    /// If set server-side apply will force changes against conflicts
    #[arg(long)]
    pub force_conflicts: bool,
    /// Prevent hooks from running
    #[arg(long)]
    pub no_hooks: bool,
    /// Add a custom description
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub description: String,
    /// Simulate an operation: "none", "client" or "server"
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "unset", value_name = "STRATEGY")]
    pub dry_run: Option<String>,
    /// Show what would be created, changed, replaced and pruned, what the server would refuse, and which hooks would run; write nothing
    #[arg(long)]
    pub plan: bool,
}

/// `--wait`'s strategy. Source: `pkg/cmd/flags.go`, `waitValue`.
fn strategy(text: Option<&str>, io: &mut Streams<'_>) -> Result<WaitStrategy, Failure> {
    match text {
        None | Some("hookOnly") => Ok(WaitStrategy::HookOnly),
        Some("watcher") => Ok(WaitStrategy::Watcher),
        Some("legacy") => Ok(WaitStrategy::Legacy),
        Some("true") => {
            io.log(&LogLine::warn("--wait=true is deprecated (boolean value) and can be replaced with --wait=watcher"));
            Ok(WaitStrategy::Watcher)
        }
        Some("false") => {
            io.log(&LogLine::warn(
                "--wait=false is deprecated (boolean value) and can be replaced with --wait=hookOnly",
            ));
            Ok(WaitStrategy::HookOnly)
        }
        Some(other) => {
            let why = super::flags::wait(other).err().unwrap_or_default();
            Err(Failure::new(format!("invalid argument {other:?} for \"--wait\" flag: {why}")))
        }
    }
}

/// A Go duration.
pub(super) fn duration(flag: &str, text: &str) -> Result<Duration, Failure> {
    let nanos = crate::golang::duration::parse(text.as_bytes())
        .map_err(|e| Failure::new(format!("invalid argument {text:?} for \"--{flag}\" flag: {e}")))?;
    Ok(Duration::from_nanos(u64::try_from(nanos).unwrap_or_default()))
}

impl WaitArgs {
    /// # Errors
    /// A duration or a strategy of no sense.
    pub fn options(&self, io: &mut Streams<'_>) -> Result<Options, Failure> {
        Ok(Options {
            wait: strategy(self.wait.as_deref(), io)?,
            timeout: duration("timeout", &self.timeout)?,
            foreign_timeout: duration("take-over-after", &self.take_over_after)?,
            ..Options::default()
        })
    }
}

impl ApplyArgs {
    /// # Errors
    /// As [`WaitArgs::options`].
    pub fn options(&self, io: &mut Streams<'_>) -> Result<Options, Failure> {
        Ok(Options {
            wait_for_jobs: self.wait_for_jobs,
            no_hooks: self.no_hooks,
            force_replace: self.force_replace || self.force,
            force_conflicts: self.force_conflicts,
            description: self.description.clone(),
            ..self.waiting.options(io)?
        })
    }

    /// # Errors
    /// A strategy that is none.
    pub fn dry_run(&self, io: &mut Streams<'_>) -> Result<DryRun, Failure> {
        dry_run_of(self.dry_run.as_deref(), DryRun::None, io)
    }
}

/// `--dry-run`'s strategy. Source: `pkg/cmd/helpers.go`, `cmdGetDryRunFlagStrategy`.
///
/// # Errors
/// A strategy that is none.
pub(super) fn dry_run_of(text: Option<&str>, default: DryRun, io: &mut Streams<'_>) -> Result<DryRun, Failure> {
    let Some(text) = text else { return Ok(default) };
    let result = match text {
        "unset" => {
            io.log(&LogLine::warn("--dry-run is deprecated and should be replaced with '--dry-run=client'"));
            return Ok(DryRun::Client);
        }
        "client" => return Ok(DryRun::Client),
        "server" => return Ok(DryRun::Server),
        "none" => return Ok(DryRun::None),
        "1" | "t" | "T" | "true" | "TRUE" | "True" => DryRun::Client,
        "0" | "f" | "F" | "false" | "FALSE" | "False" => DryRun::None,
        other => {
            return Err(Failure::new(format!(
                "invalid dry-run value ({other:?}). Must be \"none\", \"server\", or \"client\""
            )));
        }
    };
    let (old, new) = if result == DryRun::Client { ("true", "client") } else { ("false", "none") };
    io.log(&LogLine::warn(format!(
        "boolean '--dry-run={old}' flag is deprecated and must be replaced with '--dry-run={new}'"
    )));
    Ok(result)
}

/// How many revisions are kept; 0 for all. Helm's variable counts where the flag is not given, if it is a number; fewer than none is all.
pub(super) fn history_max(flag: Option<i64>) -> usize {
    let set = || std::env::var("HELM_MAX_HISTORY").ok().and_then(|text| text.parse().ok());
    usize::try_from(flag.or_else(set).unwrap_or(10)).unwrap_or_default()
}

/// `--server-side`'s value.
///
/// # Errors
/// A value that is none, in Helm's words.
fn server_side(text: &str) -> Result<ServerSide, Failure> {
    match text {
        "auto" => Ok(ServerSide::Auto),
        "true" => Ok(ServerSide::Yes),
        "false" => Ok(ServerSide::No),
        other => Err(Failure::new(format!("invalid/unknown release server-side apply method: {other}"))),
    }
}

/// `--server-side`'s value, complained of where Helm does: only once the release has been found.
///
/// # Errors
/// Of the texts the first if there can be no release of that name, the second if there is none; the cluster cannot be reached; a value that is
/// none.
pub(super) fn server_side_of(
    text: &str,
    name: &str,
    (invalid, absent): (&str, &str),
    global: &Global,
) -> Result<ServerSide, Failure> {
    let wrong = match server_side(text) {
        Ok(mode) => return Ok(mode),
        Err(wrong) => wrong,
    };
    if !is_name(name) {
        return Err(Failure::new(invalid));
    }
    let entries = super::reading::ask(global, async |t| Ok(t.storage.entries(Some(name)).await?))?;
    Err(if entries.is_empty() { Failure::new(absent) } else { wrong })
}

/// What all occurrences of `--labels` say; the last one counts.
pub(super) fn labels(given: &[Pairs]) -> BTreeMap<String, String> {
    given.iter().flat_map(|pairs| pairs.0.iter().cloned()).collect()
}

/// What an action said, to be printed by the thread that has the streams.
pub enum Said {
    Log(LogLine),
    Note(String),
    HookLog(String),
    Progress(Progress),
}

/// Runs an action against the target that `open` gives, prints what it says, and tells it of SIGINT and SIGTERM.
pub(super) fn drive<T, O, F, W>(name: &str, quiet: bool, io: &mut Streams<'_>, open: O, work: W) -> Result<T, Failure>
where
    O: Future<Output = Result<Target, Failure>>,
    W: FnOnce(Context) -> F,
    F: Future<Output = Result<T, Failure>>,
{
    runtime::block_on(async {
        let target = open.await?;
        let (say, mut said) = mpsc::unbounded_channel();
        let (cancel, cancelled) = watch::channel(false);
        let mut action = std::pin::pin!(work(context(target, say, cancelled)));
        let mut view = View::new(quiet, io.terminal);
        let mut signals = Signals::new();
        loop {
            tokio::select! {
                biased;
                Some(next) = said.recv() => view.show(next, io),
                () = signals.next() => {
                    let _ = writeln!(io.out, "Release {name} has been cancelled.");
                    let _ = io.out.flush();
                    let _ = cancel.send(true);
                }
                result = &mut action => {
                    while let Ok(next) = said.try_recv() {
                        view.show(next, io);
                    }
                    view.end(io);
                    return result;
                }
            }
        }
    })
}

fn context(target: Target, say: mpsc::UnboundedSender<Said>, cancel: watch::Receiver<bool>) -> Context {
    let listener = move |event: Event<'_>| {
        // Nobody listens any more only when the command has ended.
        let _ = say.send(match event {
            Event::Log(line) => Said::Log(line),
            Event::Note(text) => Said::Note(text),
            Event::HookLog(text) => Said::HookLog(text.to_string()),
            Event::Progress(p) => Said::Progress(p.clone()),
        });
    };
    Context {
        cluster: target.cluster,
        storage: target.storage,
        locks: target.locks,
        namespace: target.namespace,
        faults: target.faults,
        listener: Arc::new(listener),
        lookup: target.lookup,
        witness: None,
        keeper: target.keeper,
        cancel,
    }
}

/// SIGINT and SIGTERM; the second one ends the process, as without us.
pub(super) struct Signals {
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
    seen: bool,
}

impl Signals {
    pub(super) fn new() -> Self {
        Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok(),
            seen: false,
        }
    }

    pub(super) async fn next(&mut self) {
        let interrupt = async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        #[cfg(unix)]
        let terminate = async {
            match &mut self.terminate {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        };
        #[cfg(not(unix))]
        let terminate = std::future::pending::<()>();
        tokio::select! {
            () = interrupt => {}
            () = terminate => {}
        }
        if self.seen {
            std::process::exit(130);
        }
        self.seen = true;
    }
}

/// An action's error as the command line's, its details behind Helm's words.
pub(super) fn failure(e: ActionError, before: &str) -> Failure {
    let mut message = format!("{before}{}", e.message);
    for detail in &e.details {
        message.push_str("\n  ");
        message.push_str(detail);
    }
    Failure::new(message)
}
