//! `pintle pull`: `helm pull`. Source: Helm 4.3 `pkg/cmd/pull.go`, `pkg/action/pull.go`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use super::args::Global;
use super::chart_path::{ChartPathArgs, fetch};
use super::output::Streams;
use crate::chart::{File, archive, tree};
use crate::golang::errno;
use crate::source::{Context, Fetched, Kind, Reference, write_whole};

#[derive(Args, Debug, Clone)]
pub struct PullArgs {
    /// URLs, references, repo/chart names, or chart names with --repo
    #[arg(value_name = "CHART", required = true)]
    pub charts: Vec<String>,
    #[command(flatten)]
    pub source: ChartPathArgs,
    /// If set to true, will untar the chart after downloading it
    #[arg(long)]
    pub untar: bool,
    /// If untar is specified, this flag specifies the name of the directory into which the chart is expanded
    #[arg(long, default_value = ".", value_name = "DIR", value_parser = super::flags::path())]
    pub untardir: PathBuf,
    /// Location to write the chart. If this and untardir are specified, untardir is appended to this
    #[arg(short, long, default_value = ".", value_name = "DIR")]
    pub destination: PathBuf,
    /// Fetch the provenance file, but don't perform verification
    #[arg(long)]
    pub prov: bool,
}

pub fn run(args: &PullArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let mut options = args.source.options(&global.config)?;
    options.verify.provenance_later = args.prov;
    let context = Context::new(options);
    for name in &args.charts {
        let repo = args.source.repo.as_deref();
        let reference = match Reference::parse(name, repo, args.source.wanted_version())? {
            Reference::Path(_) => Reference::known_repository(name, args.source.wanted_version())?,
            other => other,
        };
        let fetched = fetch(&reference, &context, io)?;
        if let Reference::Oci(_) = reference {
            writeln!(io.out, "Pulled: {}", fetched.provenance.source.trim_start_matches("oci://"))?;
            writeln!(io.out, "Digest: {}", fetched.provenance.revision.rsplit('@').next().unwrap_or_default())?;
        }
        if args.prov && fetched.provenance_file.is_none() && !matches!(reference, Reference::Oci(_)) {
            // As it was given, but for credentials.
            let shown = match repo {
                Some(_) => &fetched.location,
                None if name.contains("://") => &fetched.provenance.source,
                None => name,
            };
            let why = format!("failed to fetch {}.prov : 404 Not Found", fetched.location);
            writeln!(io.out, "WARNING: Verification not found for {shown}: {why}")?;
        }
        for v in &fetched.provenance.verifications {
            writeln!(io.out, "Signed by: {}\nUsing Key With Fingerprint: {}", v.by, v.key)?;
            writeln!(io.out, "Chart Hash Verified: {}", fetched.provenance.digest)?;
        }
        if args.untar { untar(args, name, &fetched)? } else { save(args, &fetched)? }
    }
    Ok(())
}

fn save(args: &PullArgs, fetched: &Fetched) -> Result<(), Failure> {
    let name = &fetched.provenance.file_name;
    if name.is_empty() || name.contains(['/', '\\']) || name == "." || name == ".." {
        return Err(format!("{}: {name:?} is no file name", fetched.provenance.source).into());
    }
    if !args.destination.is_dir() {
        return Err(format!("{}: no such directory", args.destination.display()).into());
    }
    let path = args.destination.join(name);
    write_whole(&path, &fetched.bytes)?;
    if let Some(file) = &fetched.provenance_file {
        write_whole(&PathBuf::from(format!("{}.prov", path.display())), file)?;
    }
    Ok(())
}

fn untar(args: &PullArgs, reference: &str, fetched: &Fetched) -> Result<(), Failure> {
    let files = match fetched.kind {
        Kind::Archive => archive::read(&fetched.bytes).map_err(|e| e.to_string())?,
        Kind::Tree => tree::files(&fetched.bytes)?,
        Kind::File => return Err(format!("{} is no chart", fetched.provenance.source).into()),
    };
    let chart = crate::chart::load::files(files.clone(), &mut Vec::new())?;
    let dir = if args.untardir.is_absolute() { args.untardir.clone() } else { args.destination.join(&args.untardir) };
    let named = reference.rsplit('/').next().unwrap_or(reference);
    let taken = [dir.join(named), dir.join(chart.name())].into_iter().find(|p| p.exists());
    if let Some(path) = taken {
        let shown = path.strip_prefix(".").unwrap_or(&path).display();
        return Err(format!("failed to untar: a file or directory with the name {shown} already exists").into());
    }
    // Beside its place first: what is there is whole.
    let temporary = dir.join(format!(".{}.{}", chart.name(), std::process::id()));
    let written = write_files(&temporary, &files)
        .and_then(|()| std::fs::rename(&temporary, dir.join(chart.name())).map_err(|e| Failure::new(errno::text(&e))));
    if written.is_err() {
        let _ = std::fs::remove_dir_all(&temporary);
    }
    written
}

fn write_files(dir: &Path, files: &[File]) -> Result<(), Failure> {
    for file in files {
        // The archive's reader has refused paths that leave it.
        let path = dir.join(&file.name);
        let parent = path.parent().unwrap_or(dir);
        std::fs::create_dir_all(parent).map_err(|e| {
            format!("failed to untar (mkdir): {}", errno::path_error("mkdir", &parent.display().to_string(), &e))
        })?;
        std::fs::write(&path, &file.data).map_err(|e| errno::path_error("open", &path.display().to_string(), &e))?;
    }
    Ok(())
}
