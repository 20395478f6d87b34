//! `pintle rollback`: `helm rollback`. Source: Helm 4.3 `pkg/cmd/rollback.go`.

use std::num::{IntErrorKind, ParseIntError};

use clap::Args;

use crate::release::action::plan;
use crate::release::action::rollback::{MAX_DESCRIPTION, Rollback, rollback};

use super::args::Global;
use super::driving::{ApplyArgs, drive, failure, history_max, server_side_of};
use super::install::{exclusive, print_plan};
use super::output::Streams;
use super::{Failure, arity, chart_source, target};

#[derive(Args, Debug, Clone)]
pub struct RollbackArgs {
    /// The release's name, and the revision (without, or with 0: the one before the last)
    #[arg(value_name = "RELEASE [REVISION]")]
    pub args: Vec<String>,
    #[command(flatten)]
    pub apply: ApplyArgs,
    /// Must be "true", "false" or "auto": whether object updates run in the server ("auto": as in that revision)
    #[arg(long, default_value = "auto", value_name = "MODE")]
    pub server_side: String,
    /// Allow deletion of new resources created in this rollback when rollback fails
    #[arg(long)]
    pub cleanup_on_fail: bool,
    /// Limit the maximum number of revisions saved per release. Use 0 for no limit [default: $HELM_MAX_HISTORY, or 10]
    #[arg(long, value_name = "N", value_parser = super::flags::integer)]
    pub history_max: Option<i64>,
    /// The format of --plan: table, json, yaml
    #[arg(short, long, default_value = "table", value_name = "FORMAT")]
    pub output: String,
}

pub fn run(args: &RollbackArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    exclusive(&args.apply, io)?;
    let Some(name) = args.args.first() else {
        return Err(arity::failure("rollback"));
    };
    let revision = match args.args.get(1) {
        None => 0,
        Some(text) => text.parse().map_err(|e: ParseIntError| {
            let quoted = crate::golang::strconv::quote(text.as_bytes());
            let why = match e.kind() {
                IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
                _ => "invalid syntax",
            };
            Failure::new(format!("could not convert revision to a number: strconv.Atoi: parsing {quoted}: {why}"))
        })?,
    };
    let length = args.apply.description.chars().count();
    if length > MAX_DESCRIPTION {
        return Err(Failure::new(format!("description must be {MAX_DESCRIPTION} characters or less, got {length}")));
    }
    let invalid = format!("prepareRollback: Release name is invalid: {name}");
    let what = Rollback {
        name: name.clone(),
        revision,
        dry_run: args.apply.dry_run(io)?,
        options: args.apply.options(io)?,
        server_side: server_side_of(&args.server_side, name, (&invalid, "release: not found"), global)?,
        cleanup_on_fail: args.cleanup_on_fail,
        history_max: history_max(args.history_max),
        ..Rollback::default()
    };
    let quiet = args.apply.waiting.quiet;
    let open = target::open(global);
    if args.apply.plan {
        let format = chart_source::format(&args.output)?;
        let plan = drive(name, quiet, io, open, |ctx| async move {
            plan::rollback(&ctx, &what).await.map_err(|e| failure(e, ""))
        })?;
        return print_plan(&plan, format, io);
    }
    drive(name, quiet, io, open, |ctx| async move { rollback(&ctx, &what).await.map_err(|e| failure(e, "")) })?;
    Ok(writeln!(io.out, "Rollback was a success! Happy Helming!")?)
}
