//! `pintle secrets`: SOPS files compared, checked, shown to Git and merged, without a value on the screen.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, Subcommand};
use serde_json::json;

use super::Failure;
use super::keys::{KeyArgs, Keys};
use super::output::Streams;
use crate::golang::time::{Location, Time};
use crate::repo::secrets::{self, Level, Versions};
use crate::sops::mask::{self, Comparison, FingerprintKey};
use crate::sops::{self, Fresh, MergeError, emit_plain};

#[derive(Args, Debug, Clone)]
pub struct Secrets {
    #[command(subcommand)]
    pub command: SecretsCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub enum SecretsCommand {
    /// What changed in SOPS files between two commits, or between two files: verdicts, never values
    Diff(Diff),
    /// Secrets in clear, files that should be encrypted, wrong recipients, broken MACs
    Check(Check),
    /// A SOPS file as masked text, for Git's textconv
    Textconv(Textconv),
    /// Merge a SOPS file value by value, as Git's merge driver
    Merge(Merge),
}

#[derive(Args, Debug, Clone)]
pub struct Diff {
    /// BASE..HEAD, one commit (against the work tree), or two files
    #[arg(value_name = "RANGE | FILE FILE", num_args = 1..=2, default_value = "HEAD")]
    pub what: Vec<String>,
    /// Only files below these paths
    #[arg(long, value_name = "PATH")]
    pub path: Vec<String>,
    /// Show keyed fingerprints, so that equal values can be spotted; the key is new for every run
    #[arg(long)]
    pub fingerprints: bool,
    /// Show the values; only to a person at a terminal
    #[arg(long)]
    pub reveal: bool,
    /// Exit with 1 if something changed
    #[arg(long)]
    pub exit_code: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub keys: KeyArgs,
}

#[derive(Args, Debug, Clone)]
pub struct Check {
    /// The checkout
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub keys: KeyArgs,
}

#[derive(Args, Debug, Clone)]
pub struct Textconv {
    pub file: PathBuf,
    /// The kind of document; Git's temporary files do not always have the name
    #[arg(long, value_name = "yaml|json|dotenv|ini|binary")]
    pub input_type: Option<String>,
    #[command(flatten)]
    pub keys: KeyArgs,
}

#[derive(Args, Debug, Clone)]
pub struct Merge {
    /// %O: the common ancestor
    pub base: PathBuf,
    /// %A: our version; the result is written here
    pub ours: PathBuf,
    /// %B: their version
    pub theirs: PathBuf,
    /// %P: the file's name in the repository
    pub path: Option<String>,
    #[command(flatten)]
    pub keys: KeyArgs,
}

pub fn run(args: &Secrets, io: &mut Streams<'_>) -> Result<(), Failure> {
    match &args.command {
        SecretsCommand::Diff(a) => diff(a, io),
        SecretsCommand::Check(a) => check(a, io),
        SecretsCommand::Textconv(a) => textconv(a, io),
        SecretsCommand::Merge(a) => merge(a, io),
    }
}

fn git(args: &[&str]) -> Result<Vec<u8>, Failure> {
    let out = Command::new("git").args(args).output().map_err(|e| format!("git could not be started: {e}"))?;
    if out.status.success() {
        return Ok(out.stdout);
    }
    Err(Failure::new(format!("git {}: {}", args.first().unwrap_or(&""), String::from_utf8_lossy(&out.stderr).trim())))
}

/// The files that differ.
fn pairs(args: &Diff) -> Result<Vec<Versions>, Failure> {
    let read = |path: &str| std::fs::read(path).map_err(|e| Failure::new(format!("{path}: {e}")));
    if let [base, head] = args.what.as_slice() {
        return Ok(vec![Versions {
            path: head.clone(),
            renamed_from: None,
            base: Some(read(base)?),
            head: Some(read(head)?),
        }]);
    }
    let range = args.what.first().map_or("HEAD", String::as_str);
    let (base, head) = match range.split_once("...").or_else(|| range.split_once("..")) {
        Some((base, head)) => (base.to_owned(), Some(if head.is_empty() { "HEAD" } else { head }.to_owned())),
        None => (range.to_owned(), None),
    };
    let base = match (&head, range.contains("...")) {
        (Some(head), true) => String::from_utf8_lossy(&git(&["merge-base", &base, head])?).trim().to_owned(),
        _ => base,
    };
    let top = String::from_utf8_lossy(&git(&["rev-parse", "--show-toplevel"])?).trim().to_owned();
    let mut command = vec!["diff", "--name-only", "-z", "--no-renames", base.as_str()];
    command.extend(head.as_deref());
    command.push("--");
    command.extend(args.path.iter().map(String::as_str));
    let list = git(&command)?;
    let mut out = Vec::new();
    for path in list.split(|b| *b == 0).filter(|p| !p.is_empty()) {
        let path = String::from_utf8_lossy(path).into_owned();
        let at = |commit: &str| git(&["show", &format!("{commit}:{path}")]).ok();
        let (old, new) = (
            at(&base),
            match &head {
                Some(head) => at(head),
                None => std::fs::read(Path::new(&top).join(&path)).ok(),
            },
        );
        let is_sops = |text: &Option<Vec<u8>>| text.as_ref().is_some_and(|t| secrets::is_encrypted(&path, t));
        if is_sops(&old) || is_sops(&new) {
            out.push(Versions { path, renamed_from: None, base: old, head: new });
        }
    }
    Ok(secrets::join(out))
}

fn diff(args: &Diff, io: &mut Streams<'_>) -> Result<(), Failure> {
    let keys = Keys::open(&args.keys)?;
    let services = keys.services();
    if args.reveal {
        let person = std::io::stdout().is_terminal() && std::env::var_os("CI").is_none();
        if !person {
            return Err(Failure::new(
                "--reveal shows secrets and works only on a terminal, not in CI and not into a file or pipe",
            ));
        }
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|e| format!("no random bytes: {e}"))?;
    let fingerprints = args.fingerprints.then(|| FingerprintKey::new(&secret));
    let mut report = Vec::new();
    let mut differs = false;
    for pair in pairs(args)? {
        let store = secrets::store(&pair.path);
        let plain = |text: &Option<Vec<u8>>| text.as_ref().is_some_and(|t| !secrets::is_encrypted(&pair.path, t));
        let (was_plain, is_plain) = (plain(&pair.base), plain(&pair.head));
        // A side in clear is no SOPS document: that itself is the news.
        let side = |text: &Option<Vec<u8>>, plain: bool| if plain { None } else { text.clone() };
        let (base, head) = (side(&pair.base, was_plain), side(&pair.head, is_plain));
        let keys = (!keys.is_empty()).then_some(&services);
        let compared = mask::compare(&store, base.as_deref(), head.as_deref(), keys, fingerprints.as_ref())
            .map_err(|e| format!("{}: {e}", pair.path))?;
        let compared = Comparison { renamed_from: pair.renamed_from, ..compared };
        differs |= !compared.is_empty() || was_plain != is_plain;
        if args.json {
            report.push(as_json(&pair.path, &compared, was_plain, is_plain));
        } else if was_plain || is_plain {
            // There is nothing to compare with: all values are new, or gone, and so are the recipients.
            let what = match is_plain {
                true => "! THE FILE IS NOT ENCRYPTED ANY MORE",
                false => "! the file was in clear before: its values are in the history, change them",
            };
            writeln!(io.out, "{}: {}\n  {what}", pair.path, verdict(&compared, was_plain, is_plain))?;
            problems(&compared, io)?;
        } else {
            print(&pair.path, &compared, io)?;
        }
        if args.reveal {
            reveal(&store, base.as_deref(), head.as_deref(), &services, io)?;
        }
    }
    if args.json {
        writeln!(io.out, "{}", serde_json::Value::from(report))?;
    }
    if args.exit_code && differs { Err(Failure { code: 1, ..Failure::new("secrets differ") }) } else { Ok(()) }
}

fn problems(c: &Comparison, io: &mut Streams<'_>) -> std::io::Result<()> {
    for problem in &c.problems {
        let text = problem.text.lines().next().unwrap_or_default();
        writeln!(io.out, "  ! {}: {text}", problem.version)?;
    }
    Ok(())
}

fn print(path: &str, c: &Comparison, io: &mut Streams<'_>) -> std::io::Result<()> {
    let how = if c.with_key { "" } else { " (no key at hand: ciphertexts compared)" };
    writeln!(io.out, "{path}: {}{how}", c.summary())?;
    problems(c, io)?;
    for name in &c.recipients {
        writeln!(io.out, "  recipient {name}")?;
    }
    for name in &c.recipients_added {
        writeln!(io.out, "  + recipient {name}")?;
    }
    for name in &c.recipients_removed {
        writeln!(io.out, "  - recipient {name} (rotate the data key and change the values: it could read them)")?;
    }
    for line in &c.settings {
        writeln!(io.out, "  {line}")?;
    }
    for change in &c.changes {
        write!(io.out, "  {}: {}", change.path, change.verdict.text())?;
        if let Some((old, new)) = &change.types {
            write!(io.out, ", type {old} -> {new}")?;
        }
        match &change.fingerprints {
            [Some(old), Some(new)] => write!(io.out, " [{old} -> {new}]")?,
            [Some(one), None] | [None, Some(one)] => write!(io.out, " [{one}]")?,
            [None, None] => {}
        }
        writeln!(io.out)?;
    }
    Ok(())
}

/// One line for all; a side in clear is no document to compare with.
fn verdict(c: &Comparison, was_plain: bool, is_plain: bool) -> String {
    match (was_plain, is_plain) {
        (_, true) => "in clear".to_owned(),
        (true, _) => "encrypted now".to_owned(),
        _ => c.summary(),
    }
}

fn as_json(path: &str, c: &Comparison, was_plain: bool, is_plain: bool) -> serde_json::Value {
    let changes: Vec<serde_json::Value> = c
        .changes
        .iter()
        .map(|x| json!({"path": x.path, "verdict": x.verdict.text(), "types": x.types, "fingerprints": x.fingerprints}))
        .collect();
    let problems: Vec<serde_json::Value> =
        c.problems.iter().map(|p| json!({"version": p.version, "text": p.text.lines().next()})).collect();
    json!({
        "path": path, "renamedFrom": c.renamed_from, "summary": verdict(c, was_plain, is_plain), "withKey": c.with_key,
        "sameValues": c.same_values(), "changes": changes,
        "recipients": c.recipients, "recipientsAdded": c.recipients_added, "recipientsRemoved": c.recipients_removed,
        "settings": c.settings,
        "problems": problems, "wasPlain": was_plain, "isPlain": is_plain,
    })
}

/// Both versions decrypted, line by line. The caller made sure that a person looks.
fn reveal(
    store: &sops::Store,
    base: Option<&[u8]>,
    head: Option<&[u8]>,
    keys: &sops::Services<'_>,
    io: &mut Streams<'_>,
) -> Result<(), Failure> {
    for (mark, text) in [("-", base), ("+", head)] {
        let Some(text) = text else { continue };
        let opened = sops::open(store, text, keys, true).map_err(|e| Failure::new(e.to_string()))?;
        let plain = emit_plain(store, &opened.tree.branches).map_err(|e| Failure::new(e.to_string()))?;
        for line in String::from_utf8_lossy(&plain).lines() {
            writeln!(io.out, "{mark} {line}")?;
        }
    }
    Ok(())
}

fn check(args: &Check, io: &mut Streams<'_>) -> Result<(), Failure> {
    let keys = Keys::open(&args.keys)?;
    let services = keys.services();
    let keys = (!keys.is_empty()).then_some(&services);
    let findings = secrets::check(&args.path, keys).map_err(|e| format!("{}: {e}", args.path.display()))?;
    let errors = findings.iter().filter(|f| f.level == Level::Error).count();
    if args.json {
        let all: Vec<serde_json::Value> = findings
            .iter()
            .map(|f| {
                let level = if f.level == Level::Error { "error" } else { "warning" };
                json!({"rule": f.rule, "level": level, "path": f.path, "line": f.line, "message": f.message, "fix": f.fix})
            })
            .collect();
        writeln!(io.out, "{}", serde_json::Value::from(all))?;
    } else {
        for f in &findings {
            let level = if f.level == Level::Error { "error" } else { "warning" };
            let place = if f.line > 0 { format!("{}:{}", f.path, f.line) } else { f.path.clone() };
            writeln!(io.out, "{place}: {level}: {} ({})\n  {}", f.message, f.rule, f.fix)?;
        }
    }
    match errors {
        0 => Ok(()),
        n => Err(Failure::new(format!("{n} problem(s) with secrets"))),
    }
}

fn textconv(args: &Textconv, io: &mut Streams<'_>) -> Result<(), Failure> {
    let path = args.file.to_string_lossy().into_owned();
    let text = std::fs::read(&args.file).map_err(|e| format!("{path}: {e}"))?;
    let mut store = secrets::store(&path);
    if let Some(name) = &args.input_type {
        store = sops::Format::named(name).ok_or_else(|| format!("unknown input type {name}"))?.into();
    }
    let keys = Keys::open(&args.keys)?;
    let services = keys.services();
    let keys = (!keys.is_empty()).then_some(&services);
    let masked = match mask::textconv(&store, &text, keys) {
        Ok(masked) => masked,
        // A file that is not encrypted is shown as it is: Git would show it too.
        Err(e) if e.sops_text() == "sops metadata not found" => text,
        Err(e) => return Err(Failure::new(format!("{path}: {e}"))),
    };
    Ok(io.out.write_all(&masked)?)
}

fn merge(args: &Merge, io: &mut Streams<'_>) -> Result<(), Failure> {
    let read = |path: &Path| std::fs::read(path).map_err(|e| Failure::new(format!("{}: {e}", path.display())));
    let name = args.path.clone().unwrap_or_else(|| args.ours.to_string_lossy().into_owned());
    let store = secrets::store(&name);
    let keys = Keys::open(&args.keys)?;
    let services = keys.services();
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let now = Time::unix(i64::try_from(clock).unwrap_or(0), 0, Location::utc());
    let random = |bytes: &mut [u8]| getrandom::fill(bytes).is_ok();
    let fresh = Fresh { now: &now, random: &random };
    let (base, ours, theirs) = (read(&args.base)?, read(&args.ours)?, read(&args.theirs)?);
    let store = store.like(&ours);
    let merged = sops::merge(&store, &base, &ours, &theirs, &services, fresh).map_err(|e| {
        let hint = match &e {
            MergeError::Version { error, .. } if error.code == sops::codes::NO_DATA_KEY => {
                "; merging needs a key that opens the file, because the MAC must be made anew. The file was left as ours"
            }
            MergeError::Conflict(_) => "; the file was left as ours: make these changes with sops, then git add it",
            _ => "; the file was left as ours",
        };
        let text = e.to_string();
        Failure::new(format!("{name}: {}{hint}", text.lines().next().unwrap_or_default()))
    })?;
    std::fs::write(&args.ours, merged).map_err(|e| format!("{}: {e}", args.ours.display()))?;
    writeln!(io.err, "{name}: merged value by value")?;
    Ok(())
}
