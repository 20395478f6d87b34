//! Runs files of test vectors: what the real libraries answered, one JSON object a line.
//!
//! ```text
//! cargo run --release --example vectors -- [--show N] FILE.jsonl…
//! ```
//!
//! A file is recognised by its name (`strvals.jsonl`, `semver.jsonl`, `values.jsonl`). Each group gets one line; the last line
//! is `N passed, N failed`, and the status is 1 if any failed. `--show N` prints the first N differences.

mod semver;
mod strvals;
mod values;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use serde_json::Value as Json;
use similar::TextDiff;

/// Answers a vector's question: the vector's own answer fields, as this crate gives them.
type Answer = fn(&Json) -> Result<Json, String>;

/// A kind of vectors, by its file's name without `.jsonl`.
fn runner(name: &str) -> Option<Answer> {
    Some(match name {
        "strvals" => strvals::answer,
        "semver" => semver::answer,
        "values" => values::answer,
        _ => return None,
    })
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("vectors: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, String> {
    let mut show = 0_usize;
    let mut files = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if arg == "--show" {
            let n = args.next().ok_or("--show needs a number")?;
            show = n.parse().map_err(|_| format!("--show {n}: not a number"))?;
        } else {
            files.push(arg);
        }
    }
    if files.is_empty() {
        return Err("no files given".into());
    }
    let (mut passed, mut failed) = (0, 0);
    for file in &files {
        let name = Path::new(file).file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        let answer = runner(name).ok_or_else(|| format!("{file}: no runner for vectors named {name:?}"))?;
        let text = std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
        let mut groups: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
            let vector: Json = serde_json::from_str(line).map_err(|e| format!("{file}:{}: {e}", i + 1))?;
            let id = vector["id"].as_str().unwrap_or_default().to_owned();
            let got = answer(&vector).map_err(|e| format!("{file}:{}: {id}: {e}", i + 1))?;
            let want = expected(&vector, &got);
            let counts = groups.entry(group(name, &id)).or_default();
            if got == want {
                counts.0 += 1;
                continue;
            }
            counts.1 += 1;
            if show > 0 {
                show -= 1;
                println!("--- {id}: {}", question(&vector, &got));
                print_difference(&want, &got);
            }
        }
        for (group, (good, bad)) in &groups {
            println!("{group}: {good} passed, {bad} failed");
            passed += good;
            failed += bad;
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
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

fn print_difference(want: &Json, got: &Json) {
    let text = |json: &Json| serde_json::to_string_pretty(json).unwrap_or_default() + "\n";
    let (want, got) = (text(want), text(got));
    print!("{}", TextDiff::from_lines(&want, &got).unified_diff().context_radius(2).header("want", "got"));
}
