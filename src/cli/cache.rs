//! `pintle cache`: what was fetched and is kept.

use clap::{Args, Subcommand};

use super::Failure;
use super::output::Streams;
use crate::source::cache::{Cache, size};

#[derive(Args, Debug, Clone)]
pub struct CacheArgs {
    #[command(subcommand)]
    pub command: CacheCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub enum CacheCommand {
    /// List what is kept: when it was looked at, its size, its revision and its source
    #[command(alias = "list")]
    Ls,
    /// Remove what was not used for longest
    Prune {
        /// Keep no more than this (for example 500M, or 0 for nothing)
        #[arg(long, default_value = "0", value_name = "SIZE")]
        keep: String,
    },
    /// Print where the cache lies
    Dir,
}

pub fn run(args: &CacheArgs, io: &mut Streams<'_>) -> Result<(), Failure> {
    let cache = Cache::new(None);
    match &args.command {
        CacheCommand::Ls => {
            writeln!(io.out, "CHECKED\tSIZE\tREVISION\tSOURCE")?;
            // Names with a space are the cache's own: parts of indexes, provenance files, content by its key.
            for r in cache.records().iter().filter(|r| !r.reference.contains(' ')) {
                let when = r.checked.strftime("%Y-%m-%dT%H:%M:%SZ");
                let revision = match r.resolved.revision.as_str() {
                    "" => r.digest.to_string(),
                    revision => revision.to_string(),
                };
                writeln!(io.out, "{when}\t{}\t{revision}\t{}", r.size, r.reference)?;
            }
        }
        CacheCommand::Prune { keep } => {
            let max = size(keep).ok_or_else(|| format!("{keep:?} is no size: write 500M or 4G"))?;
            let pruned = cache.prune(max);
            writeln!(io.out, "Removed {} files, {} bytes; {} bytes are kept", pruned.files, pruned.bytes, pruned.kept)?;
        }
        CacheCommand::Dir => writeln!(io.out, "{}", cache.dir().display())?,
    }
    Ok(())
}
