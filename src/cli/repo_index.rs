//! `pintle repo index`: the index of a directory of packaged charts.
//!
//! Source: Helm 4.3 `pkg/cmd/repo_index.go`. Archives that are no charts are left out, as there, but told.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use super::output::Streams;
use super::printed::as_yaml;
use crate::chart::directory;
use crate::diagnostic::Diagnostic;
use crate::golang::{errno, json};
use crate::release::record::time;
use crate::source::index::{Index, Left};
use crate::source::write_whole;

#[derive(Args, Debug, Clone)]
pub struct IndexArgs {
    /// Where the packaged charts lie; index.yaml is written there
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Url of chart repository
    #[arg(long, default_value = "", hide_default_value = true, value_name = "URL")]
    pub url: String,
    /// Merge the generated index into the given index
    #[arg(long, value_name = "FILE", value_parser = super::flags::path())]
    pub merge: Option<PathBuf>,
    /// Output in JSON format
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &IndexArgs, io: &mut Streams<'_>) -> Result<(), Failure> {
    let dir = std::path::absolute(&args.dir)?;
    let now = now()?;
    let mut left = Vec::new();
    let mut index = Index::of_directory(&dir, &args.url, &now, &mut left)?;
    if let Some(file) = args.merge.as_ref().filter(|file| !file.as_os_str().is_empty()) {
        if file.exists() {
            let shown = file.display();
            let text = directory::read_file(file)
                .map_err(|e| format!("merge failed: {}", errno::path_error("open", &shown.to_string(), &e)))?;
            index.merge(&text, &mut left).map_err(|e| format!("merge failed: error loading {shown}: {e}"))?;
        } else {
            write(&Index::default(), file, &now, args.json)?;
        }
    }
    for Left { what, reason } in left {
        io.warn(&Diagnostic::warning(format!("{what} is left out: {reason}")));
    }
    write(&index, &dir.join("index.yaml"), &now, args.json)
}

fn write(index: &Index, file: &Path, now: &str, as_json: bool) -> Result<(), Failure> {
    let json = index.to_json(now);
    let text = if as_json { json::indent(&json) } else { as_yaml(&json)? };
    Ok(write_whole(file, &text)?)
}

/// The time that entries are made at: `SOURCE_DATE_EPOCH`, so that an index can come out the same again, or now.
fn now() -> Result<String, Failure> {
    if std::env::var_os("SOURCE_DATE_EPOCH").is_none_or(|text| text.is_empty()) {
        return Ok(time::now());
    }
    let seconds = super::package::epoch()?;
    let at = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let at = at.ok_or_else(|| Failure::new(format!("invalid SOURCE_DATE_EPOCH {seconds}: it is out of range")))?;
    Ok(time::text(at, &jiff::tz::TimeZone::UTC))
}
