//! `pintle env`, and `pintle env diff`: how two environments of a deployment repository differ in configuration.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::repo::env_diff::{At, Difference, EnvironmentsDiff, ServiceDiff, ValueDifference, compare};
use crate::repo::mask::Masker;
use crate::repo::{Checkout, Environment, HelmRelease};

use super::args::Global;
use super::deployment::{DeploymentArgs, Opener, Output, no_service};
use super::output::Streams;
use super::{Failure, helm_env};

#[derive(Args, Debug, Clone)]
#[command(args_conflicts_with_subcommands = true)]
pub struct EnvArgs {
    /// Print the value of this variable of Helm's alone
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[command(subcommand)]
    pub command: Option<EnvCommand>,
}

#[derive(Subcommand, Debug, Clone)]
pub enum EnvCommand {
    /// Show how two environments differ: values with their files, charts, images, objects
    Diff(EnvDiffArgs),
}

#[derive(Args, Debug, Clone)]
pub struct EnvDiffArgs {
    /// One environment
    #[arg(value_name = "ENV")]
    pub left: String,
    /// The other
    #[arg(value_name = "OTHER")]
    pub right: String,
    /// The deployment repository
    #[arg(long, default_value = ".", value_name = "PATH")]
    pub repo: PathBuf,
    /// Only this service
    #[arg(long, visible_alias = "release", value_name = "SERVICE")]
    pub service: Option<String>,
    /// How it is printed
    #[arg(short = 'o', long, default_value = "terminal", value_name = "FORMAT")]
    pub output: Output,
    /// End with exit code 2 if there are differences
    #[arg(long)]
    pub exit_code: bool,
    #[command(flatten)]
    pub deployment: DeploymentArgs,
}

pub fn run(args: &EnvArgs, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    let Some(EnvCommand::Diff(args)) = &args.command else { return helm_env::run(&args.names, global, io) };
    let opener = Opener::new(&args.deployment, global)?;
    let checkout = Checkout::new(&args.repo)?;
    let wanted = |hr: &HelmRelease| args.service.as_ref().is_none_or(|s| hr.belongs_to(s));
    let left = opener.open(&checkout, &args.left, wanted, io)?;
    let right = opener.open(&checkout, &args.right, wanted, io)?;
    let has = |env: &Environment| env.releases.iter().any(wanted) || !env.problems.is_empty();
    if let Some(service) = args.service.as_ref().filter(|_| !has(&left) && !has(&right)) {
        return Err(no_service(&left, service).into());
    }
    let diff = compare(&checkout, &left, &right, args.service.as_deref(), &opener.settings);
    let masker = Masker::of_all(&[&left.masker, &right.masker]);
    let hide = |text: &str| masker.apply_text(text);
    let text = match args.output {
        Output::Terminal => hide(&terminal(args, &diff)),
        Output::Json => format!("{}\n", masker.apply_json(as_json(args, &diff))),
    };
    io.out.write_all(text.as_bytes())?;
    if !diff.problems.is_empty() {
        let problems = hide(&diff.problems.join("\n"));
        let what = "what can't be built can't be compared: nothing is said of it above";
        return Err(Failure::new(format!("{problems}\n\n{what}")));
    }
    if args.exit_code && !diff.is_empty() { Err(Failure { code: 2, ..Failure::new("") }) } else { Ok(()) }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn summary(s: &ServiceDiff) -> String {
    let objects = s.only_left.len() + s.only_right.len();
    let parts = [
        (s.chart.len(), "chart difference"),
        (s.values.len(), "value"),
        (s.images.len(), "image"),
        (objects, "object"),
    ];
    let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| count(*n, what)).collect();
    if parts.is_empty() { "no difference".to_owned() } else { parts.join(", ") }
}

fn terminal(args: &EnvDiffArgs, diff: &EnvironmentsDiff) -> String {
    let (left, right) = (args.left.as_str(), args.right.as_str());
    let width = left.chars().count().max(right.chars().count());
    let mut out = String::new();
    let mut add = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    let mut quiet = Vec::new();
    for s in &diff.services {
        match (s.left.as_str(), s.right.as_str()) {
            (place, "") => {
                add(format!("# {}: only in {left} ({place})\n", s.name));
                continue;
            }
            ("", place) => {
                add(format!("# {}: only in {right} ({place})\n", s.name));
                continue;
            }
            _ => {}
        }
        if s.is_empty() && s.unknown.is_empty() {
            quiet.push(s.name.as_str());
            continue;
        }
        add(format!("# {}: {}", s.name, summary(s)));
        for d in &s.chart {
            add(format!("{}: {} -> {}", d.what, or_none(&d.left), or_none(&d.right)));
            add(format!("    {left:width$}  {}", d.left_place));
            add(format!("    {right:width$}  {}", d.right_place));
        }
        for v in &s.values {
            let types = match (&v.left, &v.right) {
                (Some(l), Some(r)) if v.types => format!("  ! types differ: {} and {}", l.kind, r.kind),
                _ => String::new(),
            };
            let shown = |side: &Option<At>| side.as_ref().map_or("not set", |s| s.value.as_str()).to_owned();
            let (l, r) = (shown(&v.left), shown(&v.right));
            let secret = v.left.iter().chain(&v.right).any(|s| s.secret);
            let both = v.left.is_some() && v.right.is_some();
            let verdict = if secret && both { "a secret, and not the same".to_owned() } else { format!("{l} -> {r}") };
            add(format!("{}: {verdict}{types}", v.key));
            for (name, side) in [(left, &v.left), (right, &v.right)] {
                if let Some(side) = side {
                    let place = if side.place.is_empty() { "a subchart, or a template" } else { &side.place };
                    add(format!("    {name:width$}  {place}"));
                }
            }
        }
        for key in &s.unknown {
            add(format!("{key}: encrypted, not compared: no key at hand"));
        }
        for d in &s.images {
            add(format!("image of {}: {} -> {}", d.what, or_none(&d.left), or_none(&d.right)));
        }
        s.only_left.iter().for_each(|o| add(format!("only in {left}: {o}")));
        s.only_right.iter().for_each(|o| add(format!("only in {right}: {o}")));
        add(String::new());
    }
    if !diff.only_left.is_empty() || !diff.only_right.is_empty() {
        add("# Other objects".to_owned());
        diff.only_left.iter().for_each(|o| add(format!("only in {left}: {o}")));
        diff.only_right.iter().for_each(|o| add(format!("only in {right}: {o}")));
        add(String::new());
    }
    if !quiet.is_empty() {
        add(format!("no difference in {} ({left}, {right})", quiet.join(", ")));
    }
    out
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn as_json(args: &EnvDiffArgs, diff: &EnvironmentsDiff) -> serde_json::Value {
    let at = |side: &Option<At>| {
        side.as_ref().map(|s| json!({"value": s.value, "place": s.place, "type": s.kind, "secret": s.secret}))
    };
    let value =
        |v: &ValueDifference| json!({"key": v.key, "left": at(&v.left), "right": at(&v.right), "typesDiffer": v.types});
    let other = |d: &Difference| json!({"what": d.what, "left": d.left, "right": d.right, "leftPlace": d.left_place, "rightPlace": d.right_place});
    let service = |s: &ServiceDiff| {
        json!({
            "service": s.name,
            "left": s.left,
            "right": s.right,
            "chart": s.chart.iter().map(other).collect::<Vec<_>>(),
            "values": s.values.iter().map(value).collect::<Vec<_>>(),
            "notCompared": s.unknown,
            "images": s.images.iter().map(other).collect::<Vec<_>>(),
            "onlyLeft": s.only_left,
            "onlyRight": s.only_right,
        })
    };
    json!({
        "left": args.left,
        "right": args.right,
        "differs": !diff.is_empty(),
        "services": diff.services.iter().map(service).collect::<Vec<_>>(),
        "onlyLeft": diff.only_left,
        "onlyRight": diff.only_right,
        "problems": diff.problems,
    })
}
