//! `pintle versions`: the versions of a chart in its repository or registry, the highest first.

use clap::Args;

use super::args::Global;
use super::chart_path::ChartPathArgs;
use super::output::Streams;
use super::{Failure, runtime};
use crate::golang::semver::Version;
use crate::golang::semver_constraint::Constraint;
use crate::source::{Context, Reference, oci, repository};

#[derive(Args, Debug, Clone)]
pub struct VersionsArgs {
    /// The chart: repo/chart, its name with --repo, or oci://host/path
    pub chart: String,
    #[command(flatten)]
    pub source: ChartPathArgs,
    /// How many are shown; 0 is all
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub max: usize,
}

pub fn run(args: &VersionsArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let name = args.chart.trim();
    let reference = match Reference::parse(name, args.source.repo.as_deref(), None)? {
        Reference::Path(_) => Reference::known_repository(name, None)?,
        other => other,
    };
    let context = Context::new(args.source.options(&global.config)?);
    let versions: Vec<(String, String, String)> = runtime::block_on(async {
        match &reference {
            Reference::Repository(r) => {
                let found = repository::versions(r, &context).await?;
                Ok(found.into_iter().map(|v| (v.version, v.app_version, v.description)).collect())
            }
            // A registry tells tags; what is in a chart it does not know.
            Reference::Oci(r) => {
                let found = oci::versions(&oci::Repository::new(r, &context)?).await?;
                Ok(found.into_iter().map(|v| (v, String::new(), String::new())).collect())
            }
            _ => Err(format!("{reference}: only chart repositories and registries list versions").into()),
        }
    })?;
    let range = args.source.version.as_deref().filter(|v| !v.is_empty());
    // Without a range all are shown, also with --devel, but prereleases only if asked for.
    let constraint = Constraint::new(range.unwrap_or(if args.source.devel { ">0.0.0-0" } else { "*" }))?;
    writeln!(io.out, "VERSION\tAPP VERSION\tDESCRIPTION")?;
    let fits = versions.iter().filter(|v| Version::new(&v.0).is_ok_and(|v| constraint.check(&v)));
    for (version, app, description) in fits.take(if args.max == 0 { usize::MAX } else { args.max }) {
        writeln!(io.out, "{version}\t{app}\t{description}")?;
    }
    Ok(())
}
