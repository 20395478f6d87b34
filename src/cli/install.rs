//! `pintle install`: `helm install`. Source: Helm 4.3 `pkg/cmd/install.go`.

use std::sync::Arc;

use clap::Args;

use crate::release::action::install::{Install, install};
use crate::release::action::{DryRun, plan};
use crate::render::{self, Capabilities, Compat};

use super::args::Global;
use super::chart_source::{ChartArgs, deprecated};
use super::driving::{ApplyArgs, drive, labels};
use super::output::Streams;
use super::printed::{self, Format, Show};
use super::{Failure, arity, target};

#[derive(Args, Debug, Clone)]
pub struct InstallArgs {
    /// The release's name (not with --generate-name) and the chart: a directory or an archive
    #[arg(value_name = "[NAME] CHART")]
    pub args: Vec<String>,
    #[command(flatten)]
    pub chart: ChartArgs,
    #[command(flatten)]
    pub apply: ApplyArgs,
    /// Generate the name (and omit the NAME parameter)
    #[arg(short = 'g', long)]
    pub generate_name: bool,
    /// Specify template used to name the release
    #[arg(long, default_value = "", value_name = "TEMPLATE")]
    pub name_template: String,
    /// Reuse the given name, only if that name is a deleted release which remains in the history. This is unsafe in production
    #[arg(long)]
    pub replace: bool,
    /// Object updates run in the server instead of the client
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", value_name = "BOOL")]
    pub server_side: String,
}

pub fn run(args: &InstallArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    exclusive(&args.apply, io)?;
    let client_side = match args.server_side.as_str() {
        "true" | "1" | "t" | "T" | "TRUE" | "True" => false,
        "false" | "0" | "f" | "F" | "FALSE" | "False" => true,
        other => {
            return Err(Failure::new(format!(
                "invalid argument {other:?} for \"--server-side\" flag: strconv.ParseBool: parsing {other:?}: invalid syntax"
            )));
        }
    };
    if args.args.is_empty() {
        return Err(arity::failure("install"));
    }
    let format = args.chart.format()?;
    let wanted = Wanted {
        client_side,
        replace: args.replace,
        format,
        prefix: "INSTALLATION FAILED: ",
        name_template: &args.name_template,
        generate_name: args.generate_name,
        announced: "",
    };
    perform(&args.args, &args.chart, &args.apply, &wanted, global, io)
}

/// What cobra says of flags that exclude one another, and of old ones.
pub(super) fn exclusive(apply: &ApplyArgs, io: &mut Streams<'_>) -> Result<(), Failure> {
    if apply.force {
        deprecated("force", "use --force-replace instead", io);
    }
    let flag = match (apply.force_replace, apply.force) {
        (true, _) => "force-replace",
        (_, true) => "force",
        _ => return Ok(()),
    };
    if !apply.force_conflicts {
        return Ok(());
    }
    Err(Failure::new(format!(
        "if any flags in the group [{flag} force-conflicts] are set none of the others can be; [force-conflicts {flag}] were all set"
    )))
}

/// How an install is asked for: by `install` itself, or by `upgrade --install`.
pub(super) struct Wanted<'a> {
    pub client_side: bool,
    pub replace: bool,
    pub format: Format,
    pub prefix: &'a str,
    pub name_template: &'a str,
    pub generate_name: bool,
    /// What is said once the flags are known to be right.
    pub announced: &'a str,
}

pub(super) fn perform(
    words: &[String],
    chart: &ChartArgs,
    apply: &ApplyArgs,
    wanted: &Wanted<'_>,
    global: &Global,
    io: &mut Streams<'_>,
) -> Result<(), Failure> {
    let dry_run = apply.dry_run(io)?;
    let options = apply.options(io)?;
    io.out.write_all(wanted.announced.as_bytes())?;
    let prefixed = |f: Failure| Failure { message: format!("{}{}", wanted.prefix, f.message), ..f };
    let mut state = chart.state(global);
    let (name, chart_ref) = name_and_chart(words, wanted, &mut state).map_err(prefixed)?;
    let loaded = chart.load(chart_ref, global, Some(state), io).map_err(prefixed)?;
    let kube_version = chart.kube_version()?;
    let explainer = loaded.explainer();
    let offline =
        Capabilities::offline(Compat::default(), kube_version.clone(), &super::flags::all(&chart.api_versions));
    let what = Install {
        name: name.clone(),
        options,
        dry_run,
        client_side: wanted.client_side,
        create_namespace: chart.create_namespace,
        replace: wanted.replace,
        take_ownership: chart.take_ownership,
        skip_crds: chart.skip_crds,
        disable_openapi_validation: chart.disable_openapi_validation,
        rollback_on_failure: chart.rolls_back(io),
        labels: labels(&chart.labels),
        provenance: loaded.provenance(),
        offline: Some(Arc::new(offline)),
    };
    let quiet = apply.waiting.quiet;
    let apis = super::flags::all(&chart.api_versions);
    let words = format!("{}cluster reachability check failed: ", wanted.prefix);
    let is_client = dry_run == DryRun::Client && !apply.plan;
    let open = async {
        let opened = target::prefixed(target::open_with(global, kube_version, &apis), &words).await;
        match opened {
            Err(f) if is_client && f.message.starts_with(&words) => Ok(target::nowhere(global)),
            opened => opened,
        }
    };
    if apply.plan {
        let plan = drive(&name, quiet, io, open, |ctx| async move {
            let planned = plan::install(&ctx, &what, loaded.source, what.options.no_hooks).await;
            planned.map_err(|e| explainer.failure(e, wanted.prefix))
        })?;
        return print_plan(&plan, wanted.format, io);
    }
    let show = Show { debug: global.debug, hide_notes: chart.hide_notes, ..Show::default() };
    let is_dry = dry_run != DryRun::None;
    let record = drive(&name, quiet || is_dry, io, open, |ctx| async move {
        install(&ctx, what, loaded.source).await.map_err(|e| explainer.failure(e, wanted.prefix))
    })?;
    printed::release(&record, wanted.format, show, io)
}

/// A plan in the format that was asked for.
pub(super) fn print_plan(plan: &plan::Plan, format: Format, io: &mut Streams<'_>) -> Result<(), Failure> {
    let json = || serde_json::to_vec(plan).map_err(|e| Failure::new(e.to_string()));
    match format {
        Format::Table => write!(io.out, "{}", plan::text(plan))?,
        Format::Json => {
            io.out.write_all(&json()?)?;
            writeln!(io.out)?;
        }
        Format::Yaml => io.out.write_all(&printed::as_yaml(&json()?)?)?,
    }
    Ok(())
}

/// Source: `pkg/action/install.go`, `NameAndChart`.
fn name_and_chart<'a>(
    words: &'a [String],
    wanted: &Wanted<'_>,
    state: &mut crate::gotmpl::State,
) -> Result<(String, &'a str), Failure> {
    match words {
        [_, _, rest @ ..] if !rest.is_empty() => {
            Err(Failure::new(format!("expected at most two arguments, unexpected arguments: {}", rest.join(", "))))
        }
        [_, _] if wanted.generate_name => Err(Failure::new("cannot set --generate-name and also specify a name")),
        [_, _] if !wanted.name_template.is_empty() => {
            Err(Failure::new("cannot set --name-template and also specify a name"))
        }
        [name, chart, ..] => Ok((name.clone(), chart)),
        [chart] if !wanted.name_template.is_empty() => {
            Ok((render::name(state, wanted.name_template, super::template::variable)?, chart))
        }
        [chart] if wanted.generate_name => Ok((generated_name(chart), chart)),
        _ => Err(Failure::new("must either provide a name or specify --generate-name")),
    }
}

fn generated_name(chart: &str) -> String {
    let base = chart.trim_end_matches('/').rsplit('/').next().unwrap_or(chart);
    let base = if base.is_empty() || base == "." { "chart" } else { base };
    let base = base.split('.').next().unwrap_or(base);
    format!("{base}-{}", jiff::Timestamp::now().as_second())
}
