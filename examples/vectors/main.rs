//! Runs files of test vectors: what the real libraries answered, one JSON object a line.
//!
//! ```text
//! cargo run --release --example vectors -- [--show N] FILE.jsonl…
//! ```
//!
//! A file is recognised by its name (`strvals.jsonl`, `semver.jsonl`, `manifests.jsonl`, `values.jsonl`, `record.jsonl`, `digests.jsonl`). Each group gets one line; the last line
//! is `N passed, N failed`, and the status is 1 if any failed. `--show N` prints the first N differences.

mod digests;
mod kstatus;
mod kustomize;
mod manifests;
mod patch;
mod record;
#[path = "../runner/mod.rs"]
mod runner;
mod semver;
mod sops;
mod strvals;
mod substitute;
mod values;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use runner::{Args, Report, diff, jsonl};
use serde_json::Value as Json;

/// Answers a vector's question: the vector's own answer fields, as this crate gives them.
type Answer = fn(&Json) -> Result<Json, String>;

/// A kind of vectors, by its file's name without `.jsonl`.
fn answers(name: &str) -> Option<Answer> {
    Some(match name {
        "strvals" => strvals::answer,
        "semver" => semver::answer,
        "kstatus" => kstatus::answer,
        "kustomize" => kustomize::answer,
        "manifests" => manifests::answer,
        "patch" => patch::answer,
        "substitute" => substitute::answer,
        "values" => values::answer,
        "decrypt" => sops::decrypt,
        "edit" => sops::edit,
        "tamper" => sops::tamper,
        "record" => record::answer,
        "digests" => digests::answer,
        _ => return None,
    })
}

fn main() -> ExitCode {
    runner::with_stack(run)
}

fn run() -> ExitCode {
    let args = match Args::parse("vectors [--show N] FILE.jsonl…") {
        Ok(args) => args,
        Err(code) => return code,
    };
    let mut report = Report::new(args.show);
    for path in &args.paths {
        if let Err(e) = file(path, &mut report) {
            eprintln!("vectors: {}: {e}", path.display());
            return ExitCode::FAILURE;
        }
    }
    report.finish()
}

fn file(path: &Path, report: &mut Report) -> Result<(), String> {
    let name = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
    let answer = answers(name).ok_or_else(|| format!("there is no runner for vectors named {name:?}"))?;
    sops::find_keys(path);
    let mut groups: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for vector in jsonl(path)? {
        let group = match vector["group"].as_str() {
            Some(group) => format!("{name}-{group}"),
            None => group(name, vector["id"].as_str().unwrap_or_default()),
        };
        groups.entry(group).or_default().push(vector);
    }
    for (group, vectors) in groups {
        report.begin(group);
        for vector in vectors {
            let id = vector["id"].as_str().unwrap_or_default();
            let got = answer(&vector).map_err(|e| format!("{id}: {e}"))?;
            let want = expected(&vector, &got);
            if got == want {
                report.pass();
            } else {
                let text = |json: &Json| serde_json::to_string_pretty(json).unwrap_or_default() + "\n";
                report.fail(&format!("{id}: {}", question(&vector, &got)), || diff(&text(&want), &text(&got)));
            }
        }
    }
    Ok(())
}

/// `semver-match-0001` is of group `semver-match`.
fn group(name: &str, id: &str) -> String {
    let group = id.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-');
    if group.is_empty() { name.to_owned() } else { group.to_owned() }
}

/// The vector's answer: its fields that the answer has (null where the vector lacks them).
fn expected(vector: &Json, got: &Json) -> Json {
    let fields = got.as_object().into_iter().flatten();
    let mut want: serde_json::Map<String, Json> =
        fields.map(|(k, _)| (k.clone(), vector.get(k).cloned().unwrap_or(Json::Null))).collect();
    // Numbers of values are floats, unless the vector says that they are int64.
    if let Some(out) = want.get_mut("out") {
        let ints: Vec<&str> = vector["ints"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        floats(out, &ints, &mut String::new());
    }
    Json::Object(want)
}

/// The vector without its answer.
fn question(vector: &Json, got: &Json) -> Json {
    let fields = vector.as_object().into_iter().flatten();
    Json::Object(fields.filter(|(k, _)| got.get(k).is_none()).map(|(k, v)| (k.clone(), v.clone())).collect())
}

/// Makes every number a float but for those at the pointers.
fn floats(json: &mut Json, ints: &[&str], at: &mut String) {
    let length = at.len();
    let mut inside = |key: &str, value: &mut Json| {
        at.push('/');
        at.push_str(&key.replace('~', "~0").replace('/', "~1"));
        floats(value, ints, at);
        at.truncate(length);
    };
    match json {
        Json::Array(items) => items.iter_mut().enumerate().for_each(|(i, v)| inside(&i.to_string(), v)),
        Json::Object(fields) => fields.iter_mut().for_each(|(k, v)| inside(k, v)),
        Json::Number(n) if !ints.contains(&at.as_str()) => *json = n.as_f64().into(),
        _ => {}
    }
}
