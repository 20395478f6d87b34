//! `pintle bump`: change one scalar in a deployment repository, commit and push it, whoever else pushes at the same time.

use std::time::Duration;

use clap::Args;

use super::Failure;
use super::output::Streams;
use crate::repo::bump::{BumpError, Change, Done, Intent, ParseImageError, Plan, State, bump, split_path};

#[derive(Args, Debug, Clone)]
pub struct Bump {
    /// The deployment repository: a URL or the path of a (bare) repository
    #[arg(long, value_name = "URL|PATH")]
    pub repo: String,
    /// The branch to change [default: the repository's default branch]
    #[arg(long, value_name = "BRANCH")]
    pub branch: Option<String>,
    /// The environment; several with commas are changed in one commit
    #[arg(short = 'e', long, value_name = "ENV", value_delimiter = ',', required_unless_present = "file")]
    pub env: Vec<String>,
    /// The service
    #[arg(long, value_name = "SERVICE", required_unless_present = "file")]
    pub service: Option<String>,
    #[command(flatten)]
    pub change: ChangeArgs,
    /// Look into this file of the repository only; paths of --set then count from the document's root
    #[arg(long, value_name = "PATH")]
    pub file: Option<String>,
    /// One more bump in the same commit: service=NAME,tag=TAG (or image=, chart-version=; env= if another)
    #[arg(long = "and", value_name = "BUMP")]
    pub more: Vec<String>,
    /// Push to a branch of its own instead, for a pull request
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    pub pr: Option<String>,
    /// Never replace a newer version by an older one
    #[arg(long)]
    pub only_forward: bool,
    /// How long to try when others push at the same time, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub timeout: u64,
    /// The commit's author
    #[arg(long, value_name = "NAME <ADDRESS>", default_value = "pintle <pintle@localhost>")]
    pub author: String,
    /// The commit's first line
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub message: Option<String>,
    /// Show what would be changed; push nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Token for web addresses; better given by the environment, arguments can be read by others
    #[arg(long, env = "PINTLE_GIT_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug, Clone)]
#[group(required = true, multiple = true)]
pub struct ChangeArgs {
    /// The new image tag
    #[arg(long, value_name = "TAG", conflicts_with_all = ["image", "chart_version"])]
    pub tag: Option<String>,
    /// The new image: REPOSITORY:TAG, REPOSITORY@DIGEST or REPOSITORY:TAG@DIGEST
    #[arg(long, value_name = "IMAGE", conflicts_with = "chart_version")]
    pub image: Option<String>,
    /// The new version of the chart
    #[arg(long, value_name = "VERSION")]
    pub chart_version: Option<String>,
    /// A new value: PATH=VALUE, the path with dots (can be given several times)
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub set: Vec<String>,
}

impl ChangeArgs {
    fn changes(&self) -> Result<Vec<Change>, Failure> {
        let mut out = Vec::new();
        if let Some(tag) = &self.tag {
            out.push(tag_of(tag)?);
        }
        if let Some(image) = &self.image {
            out.push(image_of(image)?);
        }
        if let Some(version) = &self.chart_version {
            out.push(chart_version_of(version)?);
        }
        for set in &self.set {
            let (path, value) = set.split_once('=').ok_or_else(|| format!("--set {set}: write PATH=VALUE"))?;
            let path = split_path(path).ok_or_else(|| format!("--set {set}: a part of the path is empty"))?;
            if out.iter().any(|other| matches!(other, Change::Set { path: given, .. } if *given == path)) {
                return Err(Failure::new(format!("--set {set}: another --set gives this path a value too")));
            }
            out.push(Change::Set { path, value: value.to_owned() });
        }
        Ok(out)
    }
}

fn tag_of(text: &str) -> Result<Change, Failure> {
    Change::tag(text).map_err(|e| Failure::new(e.to_string()))
}

fn image_of(text: &str) -> Result<Change, Failure> {
    text.parse().map(Change::Image).map_err(|e: ParseImageError| Failure::new(e.to_string()))
}

fn chart_version_of(text: &str) -> Result<Change, Failure> {
    if text.trim().is_empty() {
        Err(Failure::new("the chart's version is empty"))
    } else {
        Ok(Change::ChartVersion(text.to_owned()))
    }
}

fn intents(args: &Bump) -> Result<Vec<Intent>, Failure> {
    let mut out = Vec::new();
    let envs = if args.env.is_empty() { vec![String::new()] } else { args.env.clone() };
    for env in &envs {
        for change in args.change.changes()? {
            let service = args.service.clone().unwrap_or_default();
            out.push(Intent { env: env.clone(), service, change, file: args.file.clone() });
        }
    }
    for more in &args.more {
        let wrong = |what: &str| Failure::new(format!("--and {more}: {what}; write service=NAME,tag=TAG"));
        let (mut service, mut env, mut change) = (None, None, None);
        for field in more.split(',') {
            let (key, value) = field.split_once('=').ok_or_else(|| wrong("a field without ="))?;
            match key {
                "service" => service = Some(value.to_owned()),
                "env" => env = Some(value.to_owned()),
                "tag" => change = Some(tag_of(value)?),
                "image" => change = Some(image_of(value)?),
                "chart-version" => change = Some(chart_version_of(value)?),
                _ => return Err(wrong("an unknown field")),
            }
        }
        let (service, change) =
            (service.ok_or_else(|| wrong("no service"))?, change.ok_or_else(|| wrong("no change"))?);
        for env in env.map_or_else(|| envs.clone(), |e| vec![e]) {
            out.push(Intent { env, service: service.clone(), change: change.clone(), file: None });
        }
    }
    Ok(out)
}

pub fn run(args: &Bump, io: &mut Streams<'_>) -> Result<(), Failure> {
    let intents = intents(args)?;
    let pull_request = args.pr.as_ref().map(|name| match intents.first() {
        Some(first) if name.is_empty() => format!("bump/{}/{}", first.env, first.service),
        _ => name.clone(),
    });
    let plan = Plan {
        repo: args.repo.clone(),
        branch: args.branch.clone(),
        pull_request,
        intents,
        only_forward: args.only_forward,
        author: args.author.clone(),
        message: args.message.clone(),
        deadline: Duration::from_secs(args.timeout),
        dry_run: args.dry_run,
        token: args.token.clone(),
    };
    let done = bump(&plan).map_err(|e: BumpError| Failure::new(e.to_string()))?;
    if args.json {
        json(&done, io)?
    } else {
        text(&done, io)?
    }
    Ok(())
}

const fn state(state: State) -> &'static str {
    match state {
        State::Pushed => "pushed",
        State::Already => "already",
        State::Superseded => "superseded",
        State::Planned => "planned",
    }
}

fn text(done: &Done, io: &mut Streams<'_>) -> std::io::Result<()> {
    for edit in &done.edits {
        let (place, old, new) = (format!("{}:{}", edit.path, edit.line), &edit.old, &edit.new);
        match (done.state, &edit.text) {
            (State::Superseded, None) if old != new => {
                writeln!(io.out, "{place}: superseded: {old} is newer than {new}")?;
            }
            (_, None) => writeln!(io.out, "{place}: {new} (already there)")?,
            (_, Some(_)) => writeln!(io.out, "{place}: {old} -> {new}")?,
        }
    }
    match done.state {
        State::Pushed if done.lost > 0 => {
            writeln!(io.out, "pushed to {} (others were first {} times)", done.branch, done.lost)
        }
        State::Pushed => writeln!(io.out, "pushed to {}", done.branch),
        State::Already => writeln!(io.out, "nothing to do"),
        State::Superseded => writeln!(io.out, "superseded, nothing changed"),
        State::Planned => writeln!(io.out, "nothing pushed (--dry-run)"),
    }
}

fn json(done: &Done, io: &mut Streams<'_>) -> std::io::Result<()> {
    let edits: Vec<serde_json::Value> = done
        .edits
        .iter()
        .map(|e| {
            serde_json::json!({
                "path": e.path, "line": e.line, "old": e.old, "new": e.new, "changed": e.text.is_some(),
            })
        })
        .collect();
    let all = serde_json::json!({"state": state(done.state), "branch": done.branch, "lost": done.lost, "edits": edits});
    writeln!(io.out, "{all}")
}
