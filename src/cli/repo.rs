//! `pintle repo`: `helm repo add`, `list`, `remove` and `update`, in Helm's own file; and `index`.
//!
//! An index is kept in pintle's cache, not in Helm's: after `pintle repo add`, `helm` wants a `helm repo update`.
//! Source: Helm 4.3 `pkg/cmd/repo*.go`.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::args::Global;
use super::chart_path::AccessArgs;
use super::config::ConfigArgs;
use super::output::Streams;
use super::printed::{Format, as_yaml};
use super::table::Table;
use super::{Failure, runtime};
use crate::source::repositories::{self, Access, Entry};
use crate::source::{Context, dependencies, index};

#[derive(Args, Debug, Clone)]
pub struct RepoArgs {
    #[command(subcommand)]
    pub command: RepoCommand,
}

#[allow(
    clippy::large_enum_variant,
    reason = "clap's derive wants the arguments unboxed, and there is one command a run"
)]
#[derive(Debug, Clone, Subcommand)]
pub enum RepoCommand {
    /// Add a chart repository
    Add(AddArgs),
    /// List chart repositories
    #[command(alias = "ls")]
    List(ListArgs),
    /// Remove one or more chart repositories
    #[command(alias = "rm")]
    Remove {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Generate an index file given a directory containing packaged charts
    Index(super::repo_index::IndexArgs),
    /// Look whether the indexes of chart repositories have changed
    #[command(alias = "up")]
    Update {
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Time to wait for the index file download to complete
        #[arg(long, value_name = "DURATION", value_parser = super::flags::duration)]
        timeout: Option<String>,
    },
}

#[derive(Args, Debug, Clone)]
pub struct ListArgs {
    /// Suppress headers in the output
    #[arg(long)]
    pub no_headers: bool,
    /// Print the output in the specified format: table, json, yaml
    #[arg(short, long, default_value = "table", value_name = "FORMAT")]
    pub output: String,
}

/// Repositories that are gone for good, and where their charts went.
const DEPRECATED: [(&str, &str); 2] = [
    ("//kubernetes-charts.storage.googleapis.com", "https://charts.helm.sh/stable"),
    ("//kubernetes-charts-incubator.storage.googleapis.com", "https://charts.helm.sh/incubator"),
];

#[derive(Args, Debug, Clone)]
pub struct AddArgs {
    pub name: String,
    pub url: String,
    /// Replace (overwrite) the repo if it already exists
    #[arg(long)]
    pub force_update: bool,
    /// By default, official repos that have been permanently deleted cannot be added. This allows it
    #[arg(long)]
    pub allow_deprecated_repos: bool,
    /// Read chart repository password from stdin
    #[arg(long)]
    pub password_stdin: bool,
    /// Time to wait for the index file download to complete
    #[arg(long, value_name = "DURATION", value_parser = super::flags::duration)]
    pub timeout: Option<String>,
    /// Pass credentials to all domains
    #[arg(long)]
    pub pass_credentials: bool,
    #[command(flatten)]
    pub access: AccessArgs,
}

pub fn run(args: &RepoArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let config = &global.config;
    let path = config.repositories();
    match &args.command {
        RepoCommand::Add(a) => add(a, config, &path, io),
        RepoCommand::List(a) => list(a, &path, io),
        RepoCommand::Index(a) => super::repo_index::run(a, io),
        RepoCommand::Remove { names } => remove(names, &path, io),
        RepoCommand::Update { names, timeout } => update(names, timeout.as_ref(), config, &path, io),
    }
}

/// Held while the file is changed, as Helm does it.
fn lock(path: &Path) -> Result<File, Failure> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let file = File::options().create(true).truncate(false).write(true).open(path.with_extension("lock"))?;
    file.lock()?;
    Ok(file)
}

fn add(args: &AddArgs, config: &ConfigArgs, path: &Path, io: &mut Streams<'_>) -> Result<(), Failure> {
    let (name, url) = (&args.name, &args.url);
    if let Some((_, now)) = DEPRECATED.iter().find(|(gone, _)| !args.allow_deprecated_repos && url.contains(gone)) {
        return Err(format!("repo {url:?} is no longer available; try {now:?} instead").into());
    }
    let access = AccessArgs {
        password: match &args.access.password {
            None if args.password_stdin && args.access.username.is_some() => Some(super::registry::from_stdin()?),
            given => given.clone(),
        },
        ..within(&args.access, args.timeout.as_ref())?
    };
    let _lock = lock(path)?;
    let mut entries = repositories::read(path)?;
    if name.contains('/') {
        return Err(
            format!("repository name ({name}) contains '/', please specify a different name without '/'").into()
        );
    }
    let text = |p: &Option<PathBuf>| p.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
    let entry = Entry::new(
        name,
        url,
        Access {
            username: access.username.clone().unwrap_or_default(),
            password: access.password.clone().unwrap_or_default(),
            cert_file: text(&access.cert_file),
            key_file: text(&access.key_file),
            ca_file: text(&access.ca_file),
            insecure: access.insecure_skip_tls_verify,
            pass_credentials: args.pass_credentials,
        },
    );
    let known = entries.iter().position(|e| e.name == *name);
    if let Some(known) = known.and_then(|at| entries.get(at)).filter(|_| !args.force_update) {
        if *known == entry {
            writeln!(io.out, "{name:?} already exists with the same configuration, skipping")?;
            return Ok(());
        }
        return Err(format!("repository name ({name}) already exists, please specify a different name").into());
    }
    let context = Context::new(access.options(config)?);
    let repository = entry.repository()?;
    runtime::block_on(async { Ok(index::versions(&context, &repository, &[""]).await?) })?;
    match known.and_then(|at| entries.get_mut(at)) {
        Some(known) => *known = entry,
        None => entries.push(entry),
    }
    repositories::write(path, &entries)?;
    writeln!(io.out, "{name:?} has been added to your repositories")?;
    Ok(())
}

/// The access with `--timeout` as the bound of a download.
fn within(access: &AccessArgs, timeout: Option<&String>) -> Result<AccessArgs, Failure> {
    if let Some(timeout) = timeout {
        super::driving::duration("timeout", timeout)?;
    }
    Ok(AccessArgs { fetch_timeout: timeout.cloned().or_else(|| access.fetch_timeout.clone()), ..access.clone() })
}

fn list(args: &ListArgs, path: &Path, io: &mut Streams<'_>) -> Result<(), Failure> {
    let format = super::chart_source::format(&args.output)?;
    let entries = repositories::read(path)?;
    let shown = |e: &Entry| crate::source::redacted(&e.url);
    if format == Format::Table {
        if entries.is_empty() {
            let _ = writeln!(io.err, "no repositories to show");
            return Ok(());
        }
        let mut table = Table::default();
        if !args.no_headers {
            table.row(["NAME", "URL"]);
        }
        entries.iter().for_each(|e| table.row([e.name.clone(), shown(e)]));
        return Ok(table.print(io.out)?);
    }
    let list: Vec<_> = entries.iter().map(|e| serde_json::json!({"name": e.name, "url": shown(e)})).collect();
    let json = serde_json::to_vec(&list).map_err(|e| Failure::new(e.to_string()))?;
    if format == Format::Json {
        io.out.write_all(&json)?;
        return Ok(writeln!(io.out)?);
    }
    Ok(io.out.write_all(&as_yaml(&json)?)?)
}

fn remove(names: &[String], path: &Path, io: &mut Streams<'_>) -> Result<(), Failure> {
    let _lock = lock(path)?;
    let mut entries = repositories::read(path)?;
    if entries.is_empty() {
        return Err("no repositories configured".to_string().into());
    }
    for name in names {
        let Some(at) = entries.iter().position(|e| e.name == *name) else {
            return Err(format!("no repo named {name:?} found").into());
        };
        entries.remove(at);
        repositories::write(path, &entries)?;
        writeln!(io.out, "{name:?} has been removed from your repositories")?;
    }
    Ok(())
}

fn update(
    names: &[String],
    timeout: Option<&String>,
    config: &ConfigArgs,
    path: &Path,
    io: &mut Streams<'_>,
) -> Result<(), Failure> {
    let entries = repositories::read(path)?;
    if entries.is_empty() {
        return Err("no repositories found. You must add one before updating".to_string().into());
    }
    if let Some(unknown) = names.iter().find(|n| !entries.iter().any(|e| e.name == **n)) {
        return Err(format!("no repositories found matching '{unknown}'.  Nothing will be updated").into());
    }
    let context = Context::new(within(&AccessArgs::default(), timeout)?.options(config)?);
    writeln!(io.out, "{}", dependencies::KNOWN)?;
    let wanted: Vec<&Entry> = entries.iter().filter(|e| names.is_empty() || names.contains(&e.name)).collect();
    let answers = runtime::block_on(async {
        let asked = wanted.iter().map(|e| async { index::versions(&context, &e.repository()?, &[""]).await });
        Ok(futures::future::join_all(asked).await)
    })?;
    let mut failed = Vec::new();
    for (entry, answer) in wanted.iter().zip(answers) {
        let (name, url) = (&entry.name, crate::source::redacted(&entry.url));
        match answer {
            Ok(_) => writeln!(io.out, "...Successfully got an update from the {name:?} chart repository")?,
            Err(e) => {
                writeln!(io.out, "...Unable to get an update from the {name:?} chart repository ({url}):\n\t{e}")?;
                failed.push(url);
            }
        }
    }
    if !failed.is_empty() {
        return Err(format!("failed to update the following repositories: [{}]", failed.join(" ")).into());
    }
    writeln!(io.out, "{}", dependencies::DONE)?;
    Ok(())
}
