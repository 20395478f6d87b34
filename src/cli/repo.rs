//! `pintle repo`: `helm repo add`, `list`, `remove` and `update`, in Helm's own file.
//!
//! An index is kept in pintle's cache, not in Helm's: after `pintle repo add`, `helm` wants a `helm repo update`.
//! Source: Helm 4.3 `pkg/cmd/repo*.go`.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::chart_path::AccessArgs;
use super::output::Streams;
use super::{Failure, runtime};
use crate::source::repositories::{self, Access, Entry};
use crate::source::{Context, index};

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
    List,
    /// Remove one or more chart repositories
    #[command(alias = "rm")]
    Remove {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Look whether the indexes of chart repositories have changed
    #[command(alias = "up")]
    Update {
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
}

#[derive(Args, Debug, Clone)]
pub struct AddArgs {
    pub name: String,
    pub url: String,
    /// Replace (overwrite) the repo if it already exists
    #[arg(long)]
    pub force_update: bool,
    /// Pass credentials to all domains
    #[arg(long)]
    pub pass_credentials: bool,
    #[command(flatten)]
    pub access: AccessArgs,
}

pub fn run(args: &RepoArgs, io: &mut Streams<'_>) -> Result<(), Failure> {
    let path = repositories::default_file();
    match &args.command {
        RepoCommand::Add(a) => add(a, &path, io),
        RepoCommand::List => list(&path, io),
        RepoCommand::Remove { names } => remove(names, &path, io),
        RepoCommand::Update { names } => update(names, &path, io),
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

fn add(args: &AddArgs, path: &Path, io: &mut Streams<'_>) -> Result<(), Failure> {
    let (name, url) = (&args.name, &args.url);
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
            username: args.access.username.clone().unwrap_or_default(),
            password: args.access.password.clone().unwrap_or_default(),
            cert_file: text(&args.access.cert_file),
            key_file: text(&args.access.key_file),
            ca_file: text(&args.access.ca_file),
            insecure: args.access.insecure_skip_tls_verify,
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
    let context = Context::new(args.access.options()?);
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

fn list(path: &Path, io: &mut Streams<'_>) -> Result<(), Failure> {
    let entries = repositories::read(path)?;
    if entries.is_empty() {
        let _ = writeln!(io.err, "no repositories to show");
        return Ok(());
    }
    let widest = |cells: &mut dyn Iterator<Item = usize>| cells.max().unwrap_or(0);
    let name = widest(&mut entries.iter().map(|e| e.name.chars().count())).max(4);
    let shown: Vec<String> = entries.iter().map(|e| crate::source::redacted(&e.url)).collect();
    let url = widest(&mut shown.iter().map(|u| u.chars().count())).max(3);
    writeln!(io.out, "{:name$}\t{:url$}", "NAME", "URL")?;
    for (e, u) in entries.iter().zip(&shown) {
        writeln!(io.out, "{:name$}\t{u:url$}", e.name)?;
    }
    Ok(())
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

fn update(names: &[String], path: &Path, io: &mut Streams<'_>) -> Result<(), Failure> {
    let entries = repositories::read(path)?;
    if entries.is_empty() {
        return Err("no repositories found. You must add one before updating".to_string().into());
    }
    if let Some(unknown) = names.iter().find(|n| !entries.iter().any(|e| e.name == **n)) {
        return Err(format!("no repositories found matching '{unknown}'.  Nothing will be updated").into());
    }
    let context = Context::new(AccessArgs::default().options()?);
    writeln!(io.out, "Hang tight while we grab the latest from your chart repositories...")?;
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
    writeln!(io.out, "Update Complete. ⎈Happy Helming!⎈")?;
    Ok(())
}
