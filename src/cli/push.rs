//! `pintle push`: `helm push`. Source: Helm 4.3 `pkg/cmd/push.go`, `pkg/pusher/ocipusher.go`.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Zoned;
use jiff::tz::TimeZone;

use super::args::Global;
use super::chart_path::AccessArgs;
use super::output::Streams;
use super::{Failure, runtime};
use crate::chart::directory;
use crate::golang::errno;
use crate::source::{Context, oci};

#[derive(Args, Debug, Clone)]
pub struct PushArgs {
    /// The packaged chart; a provenance file beside it goes with it
    #[arg(value_name = "CHART")]
    pub chart: PathBuf,
    /// The folder in a registry: oci://host/path
    #[arg(value_name = "REMOTE")]
    pub remote: String,
    #[command(flatten)]
    pub access: AccessArgs,
}

pub fn run(args: &PushArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    if !args.remote.starts_with("oci://") {
        let scheme = args.remote.split_once("://").map_or("", |(s, _)| s);
        return Err(format!("scheme {scheme:?} not supported").into());
    }
    let shown = args.chart.display().to_string();
    let meta = std::fs::metadata(&args.chart).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => format!("{shown}: no such file"),
        _ => errno::path_error("stat", &shown, &e),
    })?;
    if meta.is_dir() {
        return Err("cannot push directory, must provide chart archive (.tgz)".to_string().into());
    }
    let read = |path: &Path| {
        directory::read_file(path).map_err(|e| errno::path_error("open", &path.display().to_string(), &e))
    };
    let archive = read(&args.chart)?;
    crate::chart::archive::ensure(&shown, &archive).map_err(|e| e.to_string())?;
    let beside = PathBuf::from(format!("{shown}.prov"));
    let provenance = if beside.exists() { Some(read(&beside)?) } else { None };
    let written = meta.modified().ok().and_then(|t| jiff::Timestamp::try_from(t).ok()).unwrap_or_default();
    let created = rfc3339(&written.to_zoned(TimeZone::system()));
    let context = Context::new(args.access.options(&global.config)?);
    let pushed = runtime::block_on(async {
        Ok(oci::push(&archive, provenance.as_deref(), &args.remote, &created, &context).await?)
    })?;
    writeln!(io.out, "Pushed: {}\nDigest: {}", pushed.reference, pushed.digest)?;
    if pushed.reference.rsplit(':').next().is_some_and(|tag| tag.contains('_')) {
        writeln!(io.out, "{} contains an underscore.\n\n{UNDERSCORE}", pushed.reference)?;
    }
    Ok(())
}

/// Helm's word on versions with `+`.
const UNDERSCORE: &str = "OCI artifact references (e.g. tags) do not support the plus sign (+). To support
storing semantic versions, Helm adopts the convention of changing plus (+) to
an underscore (_) in chart version tags when pushing to a registry and back to
a plus (+) when pulling from a registry.";

/// A time as Go's `time.RFC3339` writes it.
fn rfc3339(time: &Zoned) -> String {
    let text = time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    match text.strip_suffix("+00:00") {
        Some(utc) => format!("{utc}Z"),
        None => text,
    }
}
