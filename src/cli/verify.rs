//! `pintle verify`: `helm verify`, whether an archive is what its provenance file says.
//!
//! Source: Helm 4.3 `pkg/cmd/verify.go`, `pkg/downloader/chart_downloader.go` (`VerifyChart`).

use std::path::{Path, PathBuf};

use clap::Args;

use crate::chart::directory;
use crate::golang::errno;
use crate::source::Digest;

use super::chart_path::{default_keyring, verify_file};
use super::output::Streams;
use super::{Failure, arity};

#[derive(Args, Debug, Clone)]
pub struct VerifyArgs {
    /// The chart's archive; its provenance lies beside it, as PATH.prov
    #[arg(value_name = "PATH")]
    pub charts: Vec<PathBuf>,
    /// Keyring containing public keys
    #[arg(long, value_name = "FILE", value_parser = super::flags::path())]
    pub keyring: Option<PathBuf>,
}

pub fn run(args: &VerifyArgs, io: &mut Streams<'_>) -> Result<(), Failure> {
    let [path] = args.charts.as_slice() else {
        return Err(arity::failure("verify"));
    };
    std::fs::metadata(path).map_err(|e| errno::path_error("stat", &path.display().to_string(), &e))?;
    let signed = verify_file(path, &args.keyring.clone().unwrap_or_else(default_keyring))?;
    writeln!(io.out, "Signed by: {}\nUsing Key With Fingerprint: {}", signed.by, signed.key)?;
    writeln!(io.out, "Chart Hash Verified: {}", digest(path)?)?;
    Ok(())
}

fn digest(path: &Path) -> Result<Digest, Failure> {
    let bytes = directory::read_file(path).map_err(|e| errno::read_error(&path.display().to_string(), &e))?;
    Ok(Digest::of(&bytes))
}
