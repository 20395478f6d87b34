//! `pintle package`: `helm package`, with the same bytes for the same chart.
//!
//! Source: Helm 4.3 `pkg/cmd/package.go`, `pkg/action/package.go`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::args::Global;
use super::chart_path::AccessArgs;
use super::output::Streams;
use super::{Failure, dependency};
use crate::chart::{Chart, Nulls, directory, package};
use crate::golang::{errno, semver};
use crate::source::{Context, Secret, verify, write_whole};
use crate::value::{Heap, Value};
use crate::values::dependencies::check_dependencies;
use crate::yaml;

#[derive(Args, Debug, Clone)]
pub struct PackageArgs {
    /// The charts' directories
    #[arg(value_name = "CHART_PATH")]
    pub charts: Vec<PathBuf>,
    /// Set the version on the chart to this semver version
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
    /// Set the appVersion on the chart to this version
    #[arg(long, value_name = "VERSION")]
    pub app_version: Option<String>,
    /// Location to write the chart
    #[arg(short, long, default_value = ".", value_name = "DIR")]
    pub destination: PathBuf,
    /// Update dependencies from "Chart.yaml" to dir "charts/" before packaging
    #[arg(short = 'u', long)]
    pub dependency_update: bool,
    /// Use a PGP private key to sign this package
    #[arg(long)]
    pub sign: bool,
    /// Name of the key to use when signing. Used if --sign is true
    #[arg(long, default_value = "", value_name = "NAME")]
    pub key: String,
    /// Location of the keyring that holds the private key
    #[arg(long, value_name = "FILE", value_parser = super::flags::path())]
    pub keyring: Option<PathBuf>,
    /// Location of a file which contains the passphrase for the signing key. Use "-" in order to read from stdin
    #[arg(long, value_name = "FILE", value_parser = super::flags::path())]
    pub passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub access: AccessArgs,
}

/// The time of packed files: `SOURCE_DATE_EPOCH`, or one that is always the same.
///
/// # Errors
/// Helm's words for a time that is none.
pub(super) fn epoch() -> Result<u64, Failure> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) if !text.is_empty() => text
            .parse()
            .map_err(|_| Failure::new(format!("invalid SOURCE_DATE_EPOCH {text:?}: it must be seconds since 1970"))),
        _ => Ok(package::EPOCH),
    }
}

pub fn run(args: &PackageArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    if args.charts.is_empty() {
        return Err("need at least one argument, the path to the chart".to_string().into());
    }
    if args.sign && args.key.is_empty() {
        return Err("--key is required for signing a package".to_string().into());
    }
    let signer = if args.sign { Some(Signer::read(args)?) } else { None };
    let time = epoch()?;
    let context = Context::new(args.access.options(&global.config)?);
    for chart in &args.charts {
        let path = std::path::absolute(chart)?;
        std::fs::metadata(chart).map_err(|e| errno::path_error("stat", &chart.display().to_string(), &e))?;
        if args.dependency_update {
            dependency::dependencies(&context, &path, false, true, &mut |_| {})?;
        }
        let saved = one(args, &path, time, signer.as_ref(), io)?;
        writeln!(io.out, "Successfully packaged chart and saved it to: {}", saved.display())?;
    }
    Ok(())
}

/// A keyring, and what opens its key.
struct Signer {
    ring: Vec<u8>,
    passphrase: Secret,
}

impl Signer {
    fn read(args: &PackageArgs) -> Result<Self, Failure> {
        let read = |path: &Path| {
            directory::read_file(path)
                .map_err(|e| Failure::new(errno::path_error("open", &path.display().to_string(), &e)))
        };
        let ring = read(&args.keyring.clone().unwrap_or_else(super::chart_path::default_keyring))?;
        let text = match args.passphrase_file.as_ref().filter(|path| !path.as_os_str().is_empty()) {
            None => Vec::new(),
            Some(path) if path == Path::new("-") => {
                let mut text = Vec::new();
                std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut text)?;
                text
            }
            Some(path) => read(path)?,
        };
        // The first line alone, as Helm reads it.
        let line = text.split(|b| *b == b'\n').next().unwrap_or_default();
        Ok(Self { ring, passphrase: Secret::new(String::from_utf8_lossy(line)) })
    }

    /// The text of the `.prov` file beside an archive.
    fn sign(&self, key: &str, chart: &Chart, file: &str, archive: &[u8]) -> Result<String, Failure> {
        let mut heap = Heap::new();
        let metadata = chart.metadata.to_json(&mut heap);
        let metadata = yaml::marshal(&mut heap, &Value::Map(metadata))
            .map_err(|e| format!("failed to marshal chart metadata: {e:?}"))?;
        Ok(verify::sign(archive, file, &metadata, &self.ring, key, self.passphrase.expose())?)
    }
}

fn one(
    args: &PackageArgs,
    path: &Path,
    time: u64,
    signer: Option<&Signer>,
    io: &mut Streams<'_>,
) -> Result<PathBuf, Failure> {
    let mut log = Vec::new();
    let chart = directory::load_directory(path, &mut log);
    log.iter().for_each(|line| io.log(line));
    let mut chart = chart.map_err(|e| e.message)?;
    if let Some(version) = args.version.as_ref().filter(|v| !v.is_empty()) {
        chart.metadata.version.clone_from(version);
    }
    semver::Version::new(&chart.metadata.version)?;
    if let Some(version) = args.app_version.as_ref().filter(|v| !v.is_empty()) {
        chart.metadata.app_version.clone_from(version);
    }
    check_dependencies(&chart)?;
    chart.metadata.validate(Nulls::default()).map_err(|e| format!("failed to save: chart validation: {e}"))?;
    let bytes = package::archive(&chart, time).map_err(|e| format!("failed to save: {e}"))?;
    let name = format!("{}-{}.tgz", chart.name(), chart.metadata.version);
    let dir = if args.destination == Path::new(".") { std::env::current_dir()? } else { args.destination.clone() };
    if dir.exists() && !dir.is_dir() {
        return Err(format!("failed to save: is not a directory: {}", dir.display()).into());
    }
    std::fs::create_dir_all(&dir).map_err(|e| errno::path_error("mkdir", &dir.display().to_string(), &e))?;
    let file = dir.join(&name);
    // Signed before anything is written: a refusal leaves no archive behind.
    let provenance = signer.map(|s| s.sign(&args.key, &chart, &name, &bytes)).transpose()?;
    write_whole(&file, &bytes)?;
    if let Some(text) = provenance {
        write_whole(&dir.join(format!("{name}.prov")), text.as_bytes())?;
    }
    Ok(file)
}
