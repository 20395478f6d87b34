//! Every flag, defined once: parsing, `--help`, completions and man pages come from here.
//! Names, short forms and defaults are Helm's wherever Helm has the flag.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, FromArgMatches, Parser, Subcommand};

use super::output::Streams;
use super::post_renderer::PostRendererArgs;
use super::{arity, flags};

/// Renders Helm charts byte for byte as Helm does, and shows what a deployment repository would apply.
#[derive(Debug, Parser)]
#[command(name = "pintle", version, about, max_term_width = 110, args_override_self = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// What clap says of it, help and version included.
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut args: Vec<OsString> = args.into_iter().collect();
        loop {
            let read = Self::read_once(args.clone());
            match read.as_ref().err().and_then(|e| flags::switched(&args, e)) {
                Some(Ok(again)) => args = again,
                Some(Err(text)) => return Err(clap::Error::raw(clap::error::ErrorKind::TooManyValues, text)),
                None => return read,
            }
        }
    }

    fn read_once(args: Vec<OsString>) -> Result<Self, clap::Error> {
        match args.get(1).and_then(|a| a.to_str()).and_then(Command::alone) {
            // The derived definition, with one command instead of all.
            Some(command) => {
                let root = Global::augment_args(clap::Command::new("pintle")).args_override_self(true);
                let root = root.version(env!("CARGO_PKG_VERSION")).max_term_width(110).subcommand_required(true);
                let mut matches = flags::greedy(root.subcommand(command)).try_get_matches_from(args)?;
                Self::from_arg_matches_mut(&mut matches)
            }
            None => {
                let mut matches = Self::tree().try_get_matches_from(args)?;
                Self::from_arg_matches_mut(&mut matches)
            }
        }
    }

    /// The definition of all commands, as command lines are read by it.
    pub fn tree() -> clap::Command {
        flags::greedy(<Self as clap::CommandFactory>::command())
    }
}

/// Flags of every command.
#[derive(Args, Debug, Clone)]
pub struct Global {
    /// Namespace scope for this request
    #[arg(short = 'n', long, global = true, env = "HELM_NAMESPACE", value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Enable verbose output; prints manifests that are not valid YAML
    #[arg(long, global = true)]
    pub debug: bool,
    /// Explain errors (excerpt, chain of includes, hints) even where standard error is not a terminal
    #[arg(long, global = true)]
    pub explain_errors: bool,
    #[command(flatten)]
    pub config: super::config::ConfigArgs,
    #[command(flatten)]
    pub target: super::target::TargetArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub unused: UnusedGlobalFlags,
}

/// Flags of every command of Helm's that change nothing here: nothing is coloured, requests are not throttled by the client, and charts and
/// indexes are kept in a cache of our own.
#[derive(Args, Debug, Clone)]
pub struct UnusedGlobalFlags {
    #[arg(long, global = true, hide = true, visible_alias = "colour", value_parser = ["never", "auto", "always"])]
    pub color: Option<String>,
    #[arg(long, global = true, hide = true, value_parser = flags::integer)]
    pub burst_limit: Option<i64>,
    #[arg(long, global = true, hide = true, value_parser = flags::number)]
    pub qps: Option<f64>,
    #[arg(long, global = true, hide = true)]
    pub content_cache: Option<String>,
    #[arg(long, global = true, hide = true)]
    pub repository_cache: Option<String>,
}

/// Bounds of a render; the defaults are far beyond honest charts.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Bytes of text that one render may produce [default: 1073741824; controller: 67108864]
    #[arg(long, global = true, value_name = "BYTES", hide_short_help = true)]
    pub limit_output: Option<u64>,
    /// Template nodes that one render may execute [default: 1000000000; controller: 50000000]
    #[arg(long, global = true, value_name = "N", hide_short_help = true)]
    pub limit_steps: Option<u64>,
    /// Maps and lists that one render may make [default: 5000000; controller: 1000000]
    #[arg(long, global = true, value_name = "N", hide_short_help = true)]
    pub limit_heap: Option<usize>,
    /// How deep `include` and `tpl` may nest [default: 100000; controller: 10000]
    #[arg(long, global = true, value_name = "N", hide_short_help = true)]
    pub limit_depth: Option<u32>,
}

impl LimitArgs {
    pub fn limits(&self) -> crate::gotmpl::Limits {
        self.over(crate::gotmpl::Limits::default())
    }

    /// These bounds, but for those that were given.
    pub fn over(&self, general: crate::gotmpl::Limits) -> crate::gotmpl::Limits {
        crate::gotmpl::Limits {
            output: self.limit_output.unwrap_or(general.output),
            steps: self.limit_steps.unwrap_or(general.steps),
            heap: self.limit_heap.unwrap_or(general.heap),
            depth: self.limit_depth.unwrap_or(general.depth),
        }
    }
}

/// The commands: what each does, its arguments, its word and its other names.
///
/// One that is named outright is parsed by [`Command::alone`], without the definitions of all the others: making those takes longer than
/// rendering a small chart.
macro_rules! commands {
    ($( #[doc = $about:literal] $name:ident($args:ty) = $word:literal $(| $alias:literal)*, )+) => {
        #[allow(
            clippy::large_enum_variant,
            reason = "clap's derive wants the arguments unboxed, and there is one command a run"
        )]
        #[derive(Debug, Subcommand)]
        pub enum Command {
            $(
                #[doc = $about]
                #[command(name = $word, aliases = Vec::<&'static str>::from([$($alias),*]))]
                $name($args),
            )+
        }

        impl Command {
            /// The definition of the one command of this name.
            fn alone(word: &str) -> Option<clap::Command> {
                Some(match word {
                    $( $word $(| $alias)* => {
                        let command = clap::Command::new($word).aliases(Vec::<&'static str>::from([$($alias),*]));
                        <$args as Args>::augment_args(command).about($about.trim())
                    } )+
                    _ => return None,
                })
            }
        }
    };
}

commands! {
    /// Locally render templates
    Template(Template) = "template",
    /// Show information of a chart
    Show(Show) = "show" | "inspect",
    /// Manage a chart's dependencies
    Dependency(super::dependency::DependencyArgs) = "dependency" | "dep" | "dependencies",
    /// Create a new chart with the given name
    Create(super::create::CreateArgs) = "create",
    /// Examine a chart for possible issues
    Lint(super::lint::LintArgs) = "lint",
    /// Verify that a chart at the given path has been signed and is valid
    Verify(super::verify::VerifyArgs) = "verify",
    /// Package a chart directory into a chart archive
    Package(super::package::PackageArgs) = "package",
    /// Download a chart and (optionally) unpack it in local directory
    Pull(super::pull::PullArgs) = "pull" | "fetch",
    /// Add, list, remove, update chart repositories
    Repo(super::repo::RepoArgs) = "repo",
    /// Search for a keyword in charts
    Search(super::search::SearchArgs) = "search",
    /// Push a chart to a registry
    Push(super::push::PushArgs) = "push",
    /// Log in to or out from a registry
    Registry(super::registry::RegistryArgs) = "registry",
    /// List the versions of a chart
    Versions(super::versions::VersionsArgs) = "versions",
    /// Look into the cache of fetched charts, or prune it
    Cache(super::cache::CacheArgs) = "cache",
    /// Render an environment of a deployment repository, release by release
    Build(super::build::BuildArgs) = "build",
    /// Check a deployment repository or a chart before it is merged
    Check(super::check::CheckArgs) = "check",
    /// The merged values of a release in an environment, with the file that each comes from
    Values(super::values::ValuesArgs) = "values",
    /// Which files set a value of a release, in order, and which one wins; or why a field of an object is what it is
    Explain(super::explain_field::ExplainArgs) = "explain",
    /// Print the environment that commands work in; or compare two environments of a deployment repository (env diff)
    Env(super::env::EnvArgs) = "env",
    /// Build overlays as kustomize does
    Kustomize(super::kustomize::KustomizeArgs) = "kustomize",
    /// Install a chart
    Install(super::install::InstallArgs) = "install",
    /// Upgrade a release
    Upgrade(super::upgrade::UpgradeArgs) = "upgrade",
    /// Roll back a release to a previous revision
    Rollback(super::rollback::RollbackArgs) = "rollback",
    /// Uninstall a release
    Uninstall(super::uninstall::UninstallArgs) = "uninstall" | "del" | "delete" | "un",
    /// Run tests for a release
    Test(super::test::TestArgs) = "test",
    /// Compare a release's objects with the live ones
    Drift(super::drift::DriftArgs) = "drift",
    /// Finish or undo what an interrupted operation left
    Recover(super::recover::RecoverArgs) = "recover",
    /// Reconcile HelmReleases, in the place of Flux's helm-controller
    Controller(super::controller::ControllerArgs) = "controller",
    /// List releases
    List(super::list::ListArgs) = "list" | "ls",
    /// Fetch release history
    History(super::history::HistoryArgs) = "history" | "hist",
    /// Display the status of the named release
    Status(super::status::StatusArgs) = "status",
    /// Show what differs
    Diff(super::diff::DiffArgs) = "diff",
    /// Download extended information of a named release
    Get(super::get::GetArgs) = "get",
    /// Change an image tag, chart version or value in a deployment repository, commit and push it
    Bump(super::bump::Bump) = "bump",
    /// Compare, check and merge SOPS files without showing a value
    Secrets(super::secrets::Secrets) = "secrets",
    /// Print the version
    Version(Version) = "version",
    /// Generate a completion script for a shell
    Completion(Completion) = "completion",
    /// Write man pages into a directory
    Man(Man) = "man",
}

/// Where values come from, in Helm's order: files, then JSON, plain, string, file and literal settings.
#[derive(Args, Debug, Clone, Default)]
pub struct ValueArgs {
    /// Specify values in a YAML file (can specify multiple)
    #[arg(short = 'f', long = "values", value_name = "FILE", value_parser = flags::list)]
    pub values: Vec<flags::List>,
    /// Set values on the command line (can specify multiple or separate values with commas: key1=val1,key2=val2)
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Set STRING values on the command line
    #[arg(long, value_name = "KEY=VALUE")]
    pub set_string: Vec<String>,
    /// Set values from respective files
    #[arg(long, value_name = "KEY=PATH")]
    pub set_file: Vec<String>,
    /// Set JSON values on the command line (key1=json,key2=json or one JSON object)
    #[arg(long, value_name = "KEY=JSON")]
    pub set_json: Vec<String>,
    /// Set a literal STRING value on the command line
    #[arg(long, value_name = "KEY=TEXT")]
    pub set_literal: Vec<String>,
}

#[derive(Args, Debug, Clone)]
pub struct Template {
    /// The release's name (may be left out) and the chart: a directory or an archive
    #[arg(value_name = "[NAME] CHART")]
    pub args: Vec<String>,
    #[command(flatten)]
    pub values: ValueArgs,
    /// Include CRDs in the templated output
    #[arg(long)]
    pub include_crds: bool,
    /// If set, no CRDs will be installed
    #[arg(long)]
    pub skip_crds: bool,
    /// Skip tests from templated output
    #[arg(long)]
    pub skip_tests: bool,
    /// Set .Release.IsUpgrade instead of .Release.IsInstall
    #[arg(long)]
    pub is_upgrade: bool,
    /// Prevent hooks from running during install; leaves them out of the output
    #[arg(long)]
    pub no_hooks: bool,
    /// Only show manifests rendered from the given templates
    #[arg(short = 's', long, value_name = "TEMPLATE")]
    pub show_only: Vec<String>,
    #[command(flatten)]
    pub post_renderer: PostRendererArgs,
    /// Update dependencies if they are missing before installing the chart
    #[arg(long)]
    pub dependency_update: bool,
    /// Write the executed templates to files in this directory instead of standard output
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<String>,
    /// Use the release name in the output-dir path
    #[arg(long)]
    pub release_name: bool,
    /// Kubernetes version used for Capabilities.KubeVersion
    #[arg(long, value_name = "VERSION")]
    pub kube_version: Option<String>,
    /// Kubernetes API versions used for Capabilities.APIVersions (multiple can be specified)
    #[arg(short = 'a', long, value_name = "VERSION", value_parser = flags::list)]
    pub api_versions: Vec<flags::List>,
    /// Generate the name (and omit the NAME parameter)
    #[arg(short = 'g', long)]
    pub generate_name: bool,
    /// Specify template used to name the release
    #[arg(long, value_name = "TEMPLATE")]
    pub name_template: Option<String>,
    /// If set, disables JSON schema validation
    #[arg(long)]
    pub skip_schema_validation: bool,
    /// Enable DNS lookups when rendering templates
    #[arg(long)]
    pub enable_dns: bool,
    /// Render offline ("client"), or with the cluster's capabilities and objects, checking what it would refuse ("server")
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "unset", value_name = "STRATEGY")]
    pub dry_run: Option<String>,
    /// Deprecated: use --dry-run=server
    #[arg(long, hide = true)]
    pub validate: bool,
    /// With --dry-run=server: objects that exist and belong to nobody, or to another release, are no error
    #[arg(long)]
    pub take_ownership: bool,
    #[command(flatten)]
    pub unused: UnusedInstallFlags,
    /// Accepted for compatibility; no effect on rendering
    #[arg(long, hide = true)]
    pub disable_openapi_validation: bool,
    /// Accepted for compatibility; no effect on rendering
    #[arg(long, hide = true)]
    pub create_namespace: bool,
    /// Accepted for compatibility; no effect on rendering
    #[arg(long, hide = true)]
    pub render_subchart_notes: bool,
    #[command(flatten)]
    pub source: super::chart_path::ChartPathArgs,
}

/// Flags of `helm install` that `helm template` takes, too, and that change nothing of what is rendered.
#[derive(Args, Debug, Clone)]
pub struct UnusedInstallFlags {
    #[arg(long, hide = true)]
    pub force_replace: bool,
    #[arg(long, hide = true)]
    pub force: bool,
    #[arg(long, hide = true)]
    pub force_conflicts: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, value_parser = flags::truth)]
    pub server_side: Option<Option<String>>,
    #[arg(long, hide = true)]
    pub replace: bool,
    #[arg(long, hide = true, value_parser = flags::duration)]
    pub timeout: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, value_parser = flags::wait)]
    pub wait: Option<Option<String>>,
    #[arg(long, hide = true)]
    pub wait_for_jobs: bool,
    #[arg(long, hide = true)]
    pub description: Option<String>,
    #[arg(long, hide = true)]
    pub rollback_on_failure: bool,
    #[arg(long, hide = true)]
    pub atomic: bool,
    #[arg(short = 'l', long, hide = true, value_parser = flags::pairs)]
    pub labels: Vec<flags::Pairs>,
    #[arg(long, hide = true)]
    pub hide_notes: bool,
}

#[derive(Args, Debug, Clone)]
pub struct Show {
    #[command(subcommand)]
    pub what: ShowWhat,
}

#[derive(Clone, Debug, Subcommand)]
pub enum ShowWhat {
    /// Show all information of the chart
    All(ShowArgs),
    /// Show the chart's definition
    Chart(ShowArgs),
    /// Show the chart's values
    Values(ShowValuesArgs),
    /// Show the chart's README
    Readme(ShowArgs),
    /// Show the chart's CRDs
    #[command(alias = "crd")]
    Crds(ShowArgs),
}

#[derive(Args, Debug, Clone)]
pub struct ShowArgs {
    /// The chart: a path, a URL, or its name with --repo
    pub chart: String,
    #[command(flatten)]
    pub source: super::chart_path::ChartPathArgs,
}

#[derive(Args, Debug, Clone)]
pub struct ShowValuesArgs {
    #[command(flatten)]
    pub show: ShowArgs,
    /// Supply a JSONPath expression to filter the output
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEMPLATE")]
    pub jsonpath: String,
}

#[derive(Args, Debug, Clone)]
pub struct Version {
    /// Print the version number only
    #[arg(long)]
    pub short: bool,
    /// Go template for the version's text, for example '{{.Version}}'
    #[arg(long, value_name = "TEMPLATE")]
    pub template: Option<String>,
}

#[derive(Args, Debug, Clone)]
pub struct Completion {
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
    /// Of the scripts, those that have descriptions keep them
    #[arg(long, hide = true)]
    pub no_descriptions: bool,
}

#[derive(Args, Debug, Clone)]
pub struct Man {
    /// Where the pages are written
    pub dir: PathBuf,
}

/// What clap says of a command line it can't take: help and version go to standard output with exit code 0, all else is an error.
///
/// A command that only has commands below it, and is given none, shows its help, as Cobra's do.
pub fn usage(e: &clap::Error, args: &[OsString], io: &mut Streams<'_>) -> u8 {
    use clap::error::{ContextKind, ErrorKind};
    let command = arity::named(args);
    if let Some(text) = arity::said(e, &command) {
        io.error(&text);
        return 1;
    }
    match e.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = write!(io.out, "{e}");
            0
        }
        ErrorKind::UnknownArgument => {
            let flag = e.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
            if flag.starts_with("---") {
                io.error(&format!("bad flag syntax: {flag}"));
            } else if flag.starts_with("--") {
                // Cobra's words, so that scripts that look for them find them.
                io.error(&format!("unknown flag: {}", flag.split('=').next().unwrap_or(&flag)));
            } else {
                match flag.strip_prefix('-').and_then(|rest| rest.chars().next()) {
                    Some(letter) => io.error(&flags::letter("unknown shorthand flag", letter, args)),
                    None => io.error(e.to_string().trim_start_matches("error: ").trim_end()),
                }
            }
            1
        }
        ErrorKind::InvalidSubcommand => {
            let name = e.get(ContextKind::InvalidSubcommand).map(ToString::to_string).unwrap_or_default();
            let of = ["pintle".to_string()].into_iter().chain(command).collect::<Vec<_>>().join(" ");
            io.error(&format!("unknown command \"{name}\" for \"{of}\"\nRun '{of} --help' for usage."));
            1
        }
        ErrorKind::InvalidValue if e.get(ContextKind::InvalidValue).is_none_or(|v| v.to_string().is_empty()) => {
            let flag = e.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
            let long = flag.split(' ').next().unwrap_or_default();
            let last = args.last().and_then(|arg| arg.to_str()).filter(|arg| !arg.starts_with("--"));
            let text = match last.and_then(|arg| arg.strip_prefix('-')?.chars().next_back()) {
                Some(letter) => flags::letter("flag needs an argument", letter, args),
                None => format!("flag needs an argument: {long}"),
            };
            io.error(&text);
            1
        }
        _ => {
            let text = flags::invalid(e, &command);
            io.error(&text.unwrap_or_else(|| e.to_string().trim_start_matches("error: ").trim_end().to_owned()));
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_alone_is_the_command_of_the_tree() {
        let tree = Cli::tree();
        let words: Vec<String> = tree
            .get_subcommands()
            .flat_map(|c| {
                c.get_name_and_visible_aliases()
                    .into_iter()
                    .chain(c.get_all_aliases())
                    .map(String::from)
                    .collect::<Vec<_>>()
            })
            .collect();
        assert!(words.len() > 30 && words.contains(&"template".into()) && words.contains(&"ls".into()));
        for word in words {
            for rest in [vec!["--help"], vec!["-h"], vec!["--no-such-flag"], vec!["--namespace"], vec![]] {
                let line: Vec<OsString> =
                    ["pintle", &word].into_iter().chain(rest.clone()).map(OsString::from).collect();
                let (alone, all) = (
                    Cli::read(line.clone()),
                    Cli::tree().try_get_matches_from(line).and_then(|m| Cli::from_arg_matches(&m)),
                );
                match (alone, all) {
                    (Err(a), Err(b)) => assert_eq!(a.to_string(), b.to_string(), "{word} {rest:?}"),
                    (Ok(a), Ok(b)) => assert_eq!(format!("{a:?}"), format!("{b:?}"), "{word} {rest:?}"),
                    (a, b) => panic!("{word} {rest:?}: {a:?}, {b:?}"),
                }
            }
        }
    }
}
