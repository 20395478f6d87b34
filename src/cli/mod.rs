//! The command line: arguments → library call → output. One file per command.
//!
//! Where a command exists in `helm`, its flags, standard output and exit code are Helm's. The first line of an error on standard error
//! is Helm's own text (`Error: …`); what helps people comes behind it, on a terminal or when asked for.

mod args;
mod arity;
mod build;
mod bump;
mod cache;
mod chart_path;
mod chart_source;
mod check;
mod config;
mod controller;
mod create;
mod dependency;
mod deployment;
mod diff;
mod diff_repository;
mod drift;
mod driving;
mod env;
mod explain;
mod explain_field;
mod flags;
mod get;
mod go_template;
mod helm_env;
mod history;
mod install;
mod keys;
mod kustomize;
mod lint;
mod list;
pub mod log;
mod manual;
mod origin;
mod output;
mod package;
mod post_renderer;
mod printed;
mod progress;
mod pull;
mod push;
mod reading;
mod recover;
mod registry;
mod repo;
mod repo_index;
mod rollback;
pub mod runtime;
mod search;
mod secrets;
mod show;
mod status;
mod table;
mod target;
mod template;
mod test;
#[cfg(feature = "otel")]
mod traces;
mod uninstall;
mod upgrade;
mod values;
mod verify;
mod version;
mod versions;
mod warnings;
mod work_tree;

pub use args::Cli;
pub use output::Streams;

use std::ffi::OsString;
use std::process::ExitCode;

/// Why a command failed: what is printed after `Error: `, what may help, and the exit code.
#[derive(Debug)]
pub struct Failure {
    pub message: String,
    pub explanation: Option<crate::diagnostic::Diagnostic>,
    pub code: u8,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), explanation: None, code: 1 }
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        Self::new(e.to_string())
    }
}

/// Runs a command line, the program's name first. Writes to the given streams and returns the exit code.
pub fn run(args: impl IntoIterator<Item = OsString>, io: &mut Streams<'_>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    let mut cli = match Cli::read(args.clone()) {
        Ok(cli) => cli,
        Err(e) => return args::usage(&e, &args, io),
    };
    cli.global.debug |= flags::set_in_environment("HELM_DEBUG");
    // Not by the parser of the command line: it refuses what Go takes for true, and an empty variable.
    cli.global.target.kube_insecure_skip_tls_verify |= flags::set_in_environment("HELM_KUBEINSECURE_SKIP_TLS_VERIFY");
    let explain = cli.global.explain_errors || io.terminal;
    let result = match cli.command {
        args::Command::Template(a) => template::run(&a, &cli.global, io),
        args::Command::Show(a) => show::run(&a, &cli.global, io),
        args::Command::Dependency(a) => dependency::run(&a, &cli.global, io),
        args::Command::Create(a) => create::run(&a, io),
        args::Command::Lint(a) => lint::run(&a, &cli.global, io),
        args::Command::Verify(a) => verify::run(&a, io),
        args::Command::Package(a) => package::run(&a, &cli.global, io),
        args::Command::Repo(a) => repo::run(&a, &cli.global, io),
        args::Command::Search(a) => search::run(&a, &cli.global, io),
        args::Command::Pull(a) => pull::run(&a, &cli.global, io),
        args::Command::Push(a) => push::run(&a, &cli.global, io),
        args::Command::Registry(a) => registry::run(&a, &cli.global, io),
        args::Command::Versions(a) => versions::run(&a, &cli.global, io),
        args::Command::Cache(a) => cache::run(&a, io),
        args::Command::Build(a) => build::run(&a, &cli.global, io),
        args::Command::Check(a) => check::run(&a, &cli.global, io),
        args::Command::Values(a) => values::run(&a, &cli.global, io),
        args::Command::Explain(a) => explain_field::run(&a, &cli.global, io),
        args::Command::Env(a) => env::run(&a, &cli.global, io),
        args::Command::Kustomize(a) => kustomize::run(&a, io),
        args::Command::Install(a) => install::run(&a, &cli.global, io),
        args::Command::Upgrade(a) => upgrade::run(&a, &cli.global, io),
        args::Command::Rollback(a) => rollback::run(&a, &cli.global, io),
        args::Command::Uninstall(a) => uninstall::run(&a, &cli.global, io),
        args::Command::Test(a) => test::run(&a, &cli.global, io),
        args::Command::Drift(a) => drift::run(&a, &cli.global, io),
        args::Command::Controller(a) => controller::run(&a, &cli.global, io),
        args::Command::Recover(a) => recover::run(&a, &cli.global, io),
        args::Command::List(a) => list::run(&a, &cli.global, io),
        args::Command::History(a) => history::run(&a, &cli.global, io),
        args::Command::Status(a) => status::run(&a, &cli.global, io),
        args::Command::Diff(a) => diff::run(&a, &cli.global, io),
        args::Command::Get(a) => get::run(&a, &cli.global, io),
        args::Command::Bump(a) => bump::run(&a, io),
        args::Command::Secrets(a) => secrets::run(&a, io),
        args::Command::Version(a) => version::run(&a, io),
        args::Command::Completion(a) => manual::completion(&a, io),
        args::Command::Man(a) => manual::man(&a, io),
    };
    match result {
        Ok(()) => 0,
        // An exit code that says something, and nothing to add to it.
        Err(f) if f.message.is_empty() => f.code,
        Err(f) => {
            io.error(&f.message);
            if explain && let Some(d) = &f.explanation {
                io.explain(d);
            }
            f.code
        }
    }
}

/// How a program ends that writes to a reader which went away, as a shell tells it (SIGPIPE).
const NO_READER: u8 = 141;

/// The program's entry: the process's own arguments and streams.
///
/// Rendering recurses as deep as a chart's templates nest, so the work is done on a thread with a large stack.
pub fn main() -> ExitCode {
    // The controller has a way of its own.
    if std::env::args_os().nth(1).is_none_or(|word| word != "controller") {
        log::start();
    }
    let work = || {
        let mut stdout = output::Pipe::new(std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock()));
        // Not locked: the lines of progress are drawn by a thread of their own.
        let mut stderr = std::io::stderr();
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        let mut io = Streams { out: &mut stdout, err: &mut stderr, terminal, last: true };
        let code = run(std::env::args_os(), &mut io);
        let code = if stdout.end() || code != 0 { code } else { NO_READER };
        // Nothing is left to do: nobody needs to be woken for it.
        std::process::exit(i32::from(code))
    };
    match crate::gotmpl::with_large_stack(work) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("Error: no thread to work on: {e}");
            ExitCode::from(1)
        }
    }
}
