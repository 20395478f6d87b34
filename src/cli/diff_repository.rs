//! `pintle diff [BASE..HEAD]`: what a change of a deployment repository does to its environments, before it is merged.

use std::collections::BTreeSet;
use std::mem::ManuallyDrop;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::diagnostic::Diagnostic;
use crate::release::diff::Change;
use crate::repo::diff::{self, EnvironmentDiff, ObjectChange, Range};
use crate::repo::{Checkout, Environment, HelmRelease, secrets};
use crate::report::markdown;
use crate::sops::mask::{self, Comparison};
use crate::{gotmpl, kustomize, render};

use super::Failure;
use super::args::Global;
use super::deployment::{DeploymentArgs, Opener};
use super::output::Streams;

#[derive(Args, Debug, Clone)]
pub struct RepositoryDiff {
    /// Two states: BASE..HEAD, BASE...HEAD (from where they parted), or BASE alone for the working tree as HEAD; without it, from where HEAD
    /// parted from the default branch to the working tree
    #[arg(value_name = "BASE..HEAD")]
    pub range: Option<String>,
    /// The deployment repository
    #[arg(long, default_value = ".", value_name = "PATH")]
    pub repo: PathBuf,
    /// Only these environments
    #[arg(short = 'e', long, value_name = "ENV", value_delimiter = ',')]
    pub env: Vec<String>,
    /// Only this service
    #[arg(long, value_name = "SERVICE")]
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

/// `--output`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    #[default]
    Terminal,
    Json,
    /// One comment for a pull request
    Markdown,
}

/// A file of secrets that differs.
struct SecretFile {
    path: String,
    compared: Comparison,
    /// It was, or is now, a file in clear.
    was_plain: bool,
    is_plain: bool,
}

pub fn run(args: &RepositoryDiff, global: &Global, io: &mut Streams<'_>) -> Result<(), Failure> {
    get_ready();
    let opener = Opener::new(&args.deployment, global)?;
    // It is not taken apart at the end: the process ends then, and the system is quicker.
    let range = ManuallyDrop::new(Range::open(&args.repo, args.range.as_deref())?);
    let secrets = secret_files(&range, &opener, args.service.as_deref())?;
    let mut found = Vec::new();
    for name in names(args, &range)? {
        found.push(environment(args, &range, &opener, &name, io)?);
    }
    if let Some(service) = args.service.as_deref().filter(|_| secrets.is_empty()) {
        look_for(service, &range, &opener, &found)?;
    }
    match args.output {
        Output::Terminal => terminal(&range, &found, &secrets, io)?,
        Output::Json => json(&range, &found, &secrets, io)?,
        Output::Markdown => write!(io.out, "{}", comment(&range, &found, &secrets))?,
    }
    let problems: Vec<String> =
        found.iter().flat_map(|d| d.problems.iter().map(|p| format!("{}: {p}", d.name))).collect();
    if !problems.is_empty() {
        let what = "what can't be built can't be compared: nothing is said of it above";
        return Err(Failure::new(format!("{}\n\n{what}", problems.join("\n"))));
    }
    let differs = secrets.iter().any(SecretFile::differs) || found.iter().any(|d| !d.is_empty());
    if args.exit_code && differs { Err(Failure { code: 2, ..Failure::new("") }) } else { Ok(()) }
}

/// What builds and renders need first is made on another core, if there is one, while Git is read.
fn get_ready() {
    let work = || {
        kustomize::get_ready();
        render::functions();
    };
    if gotmpl::cores() > 1 {
        // Without a thread it is made when it is needed.
        let _ = std::thread::Builder::new().name("tables".into()).spawn(gotmpl::apart(work));
        gotmpl::let_go();
    }
}

/// The environments of both states, or those asked for.
fn names(args: &RepositoryDiff, range: &Range) -> Result<Vec<String>, Failure> {
    if !args.env.is_empty() {
        for name in &args.env {
            // Wrong on both sides is a mistake.
            if Environment::directory(&range.base, name).is_err() {
                Environment::directory(&range.head, name)?;
            }
        }
        return Ok(args.env.clone());
    }
    let (old, new) = (Environment::names(&range.base), Environment::names(&range.head));
    match (old, new) {
        (Err(_), Err(e)) => Err(e.into()),
        (old, new) => {
            let all: BTreeSet<String> = old.unwrap_or_default().into_iter().chain(new.unwrap_or_default()).collect();
            Ok(all.into_iter().collect())
        }
    }
}

/// A service that is in neither state of any of the environments is a mistake.
fn look_for(service: &str, range: &Range, opener: &Opener<'_>, found: &[EnvironmentDiff]) -> Result<(), Failure> {
    if found.iter().any(|d| d.has_service || !d.problems.is_empty()) {
        return Ok(());
    }
    // What is not concerned was not opened.
    let mut names = BTreeSet::new();
    for diff in found {
        for checkout in [&range.head, &range.base] {
            if Environment::directory(checkout, &diff.name).is_err() {
                continue;
            }
            let environment = opener.open_parts(checkout, &diff.name, None, |_| false)?;
            if !environment.problems.is_empty() || diff::has_service(&environment, service) {
                return Ok(());
            }
            names.extend(environment.releases.into_iter().map(|hr| hr.name));
        }
    }
    let environments: Vec<&str> = found.iter().map(|d| d.name.as_str()).collect();
    let many = if found.len() == 1 { "" } else { "s" };
    let names: Vec<String> = names.into_iter().collect();
    let there = match names.is_empty() {
        true => "no HelmRelease is there".to_owned(),
        false => format!("there are {}", names.join(", ")),
    };
    Err(Failure::new(format!("no service {service} in environment{many} {}: {there}", environments.join(", "))))
}

fn environment(
    args: &RepositoryDiff,
    range: &Range,
    opener: &Opener<'_>,
    name: &str,
    io: &mut Streams<'_>,
) -> Result<EnvironmentDiff, Failure> {
    let service = args.service.as_deref();
    let wanted = |hr: &HelmRelease| service.is_none_or(|s| hr.belongs_to(s));
    let open = |checkout: &Checkout, parts: Option<&[String]>| opener.open_parts(checkout, name, parts, wanted);
    let diff = diff::environment(range, name, service, &opener.settings, true, &open)?;
    diff.warnings.iter().for_each(|warning| io.warn(&Diagnostic::warning(warning.clone())));
    Ok(diff)
}

/// Changed SOPS files, told by what is at hand: keys compare values, without them ciphertexts are compared.
fn secret_files(range: &Range, opener: &Opener<'_>, service: Option<&str>) -> Result<Vec<SecretFile>, Failure> {
    let mut files = Vec::new();
    for path in &range.changed {
        if service.is_some_and(|s| !path.contains(&format!("/{s}/"))) {
            continue;
        }
        let read = |c: &Checkout| c.is_file(path).then(|| c.read(path)).transpose();
        let (base, head) = (read(&range.base)?, read(&range.head)?);
        let encrypted = |t: &Option<Vec<u8>>| t.as_ref().is_some_and(|t| secrets::is_encrypted(path, t));
        if encrypted(&base) || encrypted(&head) {
            files.push(secrets::Versions { path: path.clone(), renamed_from: None, base, head });
        }
    }
    let services = opener.services();
    let mut out = Vec::new();
    for secrets::Versions { path, renamed_from, base, head } in secrets::join(files) {
        let encrypted = |t: &Option<Vec<u8>>| t.as_ref().is_some_and(|t| secrets::is_encrypted(&path, t));
        let (was_plain, is_plain) = (base.is_some() && !encrypted(&base), head.is_some() && !encrypted(&head));
        let side = |text: Option<Vec<u8>>, plain: bool| if plain { None } else { text };
        let (base, head) = (side(base, was_plain), side(head, is_plain));
        let store = secrets::store(&path);
        let compared = mask::compare(&store, base.as_deref(), head.as_deref(), services.as_ref(), None);
        let compared = Comparison { renamed_from, ..compared.map_err(|e| format!("{path}: {e}"))? };
        out.push(SecretFile { path, compared, was_plain, is_plain });
    }
    Ok(out)
}

impl SecretFile {
    /// Verdicts, most important first.
    fn lines(&self) -> Vec<String> {
        let c = &self.compared;
        let mut out = Vec::new();
        if self.is_plain {
            out.push("! THE FILE IS NOT ENCRYPTED ANY MORE".to_owned());
        }
        if self.was_plain {
            out.push("! it was in clear before: its values are in the history, change them".to_owned());
        }
        out.extend(
            c.problems.iter().map(|p| format!("! {}: {}", p.version, p.text.lines().next().unwrap_or_default())),
        );
        if !self.is_plain && !self.was_plain {
            out.extend(c.recipients.iter().map(|r| format!("recipient {r}")));
        }
        out.extend(c.recipients_added.iter().map(|r| format!("+ recipient {r}")));
        out.extend(c.recipients_removed.iter().map(|r| format!("- recipient {r}")));
        out.extend(c.settings.iter().map(|s| format!("~ {s}")));
        out.extend(c.changes.iter().map(|change| format!("~ {}: {}", change.path, change.verdict.text())));
        out
    }

    fn summary(&self) -> String {
        let how = if self.compared.with_key { "" } else { " (no key at hand: ciphertexts compared)" };
        format!("{}{how}", self.verdict())
    }

    fn verdict(&self) -> String {
        // There is nothing to compare with.
        match (self.is_plain, self.was_plain) {
            (true, _) => "in clear".to_owned(),
            (_, true) => "encrypted now".to_owned(),
            _ => self.compared.summary(),
        }
    }

    /// False if only its name is another.
    fn differs(&self) -> bool {
        self.compared.renamed_from.is_none() || !self.compared.is_empty()
    }
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Changed => "changed",
    }
}

/// What to know of a change, a line each.
fn facts(change: &ObjectChange) -> Vec<String> {
    let mut out = Vec::new();
    for risk in &change.facts.risks {
        out.push(format!("{} {}", if risk.danger { "DANGER:" } else { "note:" }, risk.text));
    }
    for (old, new) in &change.facts.images {
        out.push(match (old.as_str(), new.as_str()) {
            ("", new) => format!("image {new} added"),
            (old, "") => format!("image {old} removed"),
            (old, new) => format!("image {old} -> {new}"),
        });
    }
    if change.facts.restarts {
        out.push("pods restart".to_owned());
    }
    out
}

/// Counts, in one line.
fn summary(diff: &EnvironmentDiff) -> String {
    let count = |c: Change| diff.changes().filter(|o| o.change == c && !o.is_noise()).count();
    let mut out = format!(
        "{} added, {} changed, {} removed",
        count(Change::Added),
        count(Change::Changed),
        count(Change::Removed)
    );
    let mut more = |n: usize, what: &str| {
        if n > 0 {
            out.push_str(&format!(", {n} {what}"));
        }
    };
    more(diff.changes().filter(|o| o.is_noise()).count(), "with chart labels or checksums only");
    more(diff.changes().filter(|o| o.facts.restarts).count(), "restarting");
    more(diff.changes().flat_map(|o| &o.facts.risks).filter(|r| r.danger).count(), "DANGEROUS");
    out
}

fn terminal(
    range: &Range,
    found: &[EnvironmentDiff],
    secrets: &[SecretFile],
    io: &mut Streams<'_>,
) -> Result<(), Failure> {
    for file in secrets {
        writeln!(io.out, "{}: {}", file.path, file.summary())?;
        for line in file.lines() {
            writeln!(io.out, "  {line}")?;
        }
    }
    if !secrets.is_empty() {
        writeln!(io.out)?;
    }
    let object = |o: &ObjectChange, io: &mut Streams<'_>| -> Result<(), Failure> {
        if o.is_noise() {
            let restart = if o.facts.restarts { ", pods restart" } else { "" };
            writeln!(io.out, "{} chart labels or checksums only{restart}", o.object)?;
            return Ok(());
        }
        writeln!(io.out, "{} {}", o.object, word(o.change))?;
        for line in facts(o) {
            writeln!(io.out, "  {line}")?;
        }
        write!(io.out, "{}", o.text)?;
        Ok(())
    };
    for diff in found.iter().filter(|d| !d.is_empty()) {
        writeln!(io.out, "# Environment: {}: {}", diff.name, summary(diff))?;
        for r in &diff.releases {
            writeln!(io.out, "\n## Release: {} {} ({})", r.release, r.change, r.place)?;
            for o in &r.objects {
                object(o, io)?;
            }
        }
        if !diff.objects.is_empty() {
            writeln!(io.out, "\n## Other objects")?;
            for o in &diff.objects {
                object(o, io)?;
            }
        }
        writeln!(io.out)?;
    }
    let quiet: Vec<&str> =
        found.iter().filter(|d| d.is_empty() && d.problems.is_empty()).map(|d| d.name.as_str()).collect();
    if !quiet.is_empty() {
        let files = range.changed.len();
        writeln!(
            io.out,
            "no difference in {} ({}..{}, {files} file{} changed)",
            quiet.join(", "),
            range.base_name,
            range.head_name,
            if files == 1 { "" } else { "s" }
        )?;
    }
    Ok(())
}

fn json(range: &Range, found: &[EnvironmentDiff], secrets: &[SecretFile], io: &mut Streams<'_>) -> Result<(), Failure> {
    use serde_json::{Value, json};
    let object = |o: &ObjectChange| -> Value {
        json!({
            "object": o.object,
            "change": word(o.change),
            "noise": o.is_noise(),
            "restarts": o.facts.restarts,
            "images": o.facts.images.iter().map(|(a, b)| json!({"from": a, "to": b})).collect::<Vec<_>>(),
            "risks": o.facts.risks.iter().map(|r| json!({"danger": r.danger, "text": r.text})).collect::<Vec<_>>(),
            "diff": o.text,
        })
    };
    let objects = |list: &[ObjectChange]| list.iter().map(object).collect::<Vec<_>>();
    let environments: Vec<Value> = found
        .iter()
        .map(|d| {
            let releases: Vec<Value> = d
                .releases
                .iter()
                .map(|r| json!({"release": r.release, "place": r.place, "change": r.change, "objects": objects(&r.objects)}))
                .collect();
            json!({
                "environment": d.name,
                "releases": releases,
                "objects": objects(&d.objects),
                "problems": d.problems,
                "rendered": d.rendered,
            })
        })
        .collect();
    let secrets: Vec<Value> = secrets
        .iter()
        .map(|s| {
            let changes: Vec<Value> =
                s.compared.changes.iter().map(|c| json!({"path": c.path, "verdict": c.verdict.text()})).collect();
            json!({
                "path": s.path,
                "renamedFrom": s.compared.renamed_from,
                "summary": s.verdict(),
                "withKey": s.compared.with_key,
                "changes": changes,
                "recipients": s.compared.recipients,
                "recipientsAdded": s.compared.recipients_added,
                "recipientsRemoved": s.compared.recipients_removed,
                "settings": s.compared.settings,
                "wasPlain": s.was_plain,
                "isPlain": s.is_plain,
            })
        })
        .collect();
    let all = json!({
        "base": range.base_name,
        "head": range.head_name,
        "files": range.changed.len(),
        "environments": environments,
        "secrets": secrets,
    });
    writeln!(io.out, "{all}")?;
    Ok(())
}

/// One comment within the forge's limit; a change that is too long for it is named without its text.
fn comment(range: &Range, found: &[EnvironmentDiff], secrets: &[SecretFile]) -> String {
    let mut sections = Vec::new();
    if !secrets.is_empty() {
        let lines = secrets.iter().map(|s| {
            let below: String = s.lines().iter().map(|l| format!("  - {}\n", markdown::cell(l))).collect();
            format!("- `{}`: {}\n{below}", s.path, markdown::cell(&s.summary()))
        });
        sections.push(format!("\n#### Secrets\n\n{}", lines.collect::<String>()));
    }
    let object = |o: &ObjectChange| -> String {
        let facts = facts(o);
        let known = if facts.is_empty() { String::new() } else { format!(": {}", markdown::cell(&facts.join("; "))) };
        if o.is_noise() {
            return format!("- {} chart labels or checksums only{known}\n", markdown::cell(&o.object));
        }
        let text = if o.text.len() > markdown::LIMIT / 4 {
            "_too long to show here: see the job's output_\n".to_owned()
        } else {
            markdown::fenced("diff", &o.text)
        };
        format!(
            "\n<details><summary>{} {}{known}</summary>\n\n{text}\n</details>\n",
            markdown::cell(&o.object),
            word(o.change)
        )
    };
    for diff in found.iter().filter(|d| !d.is_empty() || !d.problems.is_empty()) {
        sections.push(format!("\n#### Environment {}: {}\n", markdown::cell(&diff.name), summary(diff)));
        sections.extend(diff.problems.iter().map(|p| format!("- **can't be compared:** {}\n", markdown::cell(p))));
        for r in &diff.releases {
            sections.push(format!("\n**{}** {} (`{}`)\n", markdown::cell(&r.release), r.change, r.place));
            sections.extend(r.objects.iter().map(object));
        }
        if !diff.objects.is_empty() {
            sections.push("\n**Other objects**\n".to_owned());
            sections.extend(diff.objects.iter().map(object));
        }
    }
    if sections.is_empty() {
        sections.push("\nNo difference in what is applied.\n".to_owned());
    }
    markdown::comment("diff", &format!("### pintle diff {}..{}\n", range.base_name, range.head_name), &sections)
}
