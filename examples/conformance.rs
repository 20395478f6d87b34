//! Runs template vectors: small charts with values, and what the real engine made of them.
//!
//! `cargo run --release --example conformance -- FILE.jsonl… [--show N]`: a line has `id`, `group`, `files` (path → text), `values` (JSON) or
//! `valuesYaml`, and `out` (path → text) or `err`.

mod runner;

use std::process::ExitCode;
use std::sync::Arc;

use pintle::chart::{File, load};
use pintle::gotmpl::{Limits, State, SystemHost};
use pintle::render::{self, Capabilities, Compat, ReleaseOptions};
use pintle::value::{Heap, Value as Val};
use runner::{Args, Report, diff, jsonl};
use serde_json::Value;

const CHART_YAML: &str = "apiVersion: v2\nname: c\nversion: 1.2.3\nappVersion: \"4.5\"\n";

fn main() -> ExitCode {
    runner::with_stack(all)
}

fn all() -> ExitCode {
    let args = match Args::parse("conformance FILE.jsonl… [--show N]") {
        Ok(a) => a,
        Err(code) => return code,
    };
    let mut report = Report::new(args.show);
    let mut errors = Errors::default();
    for path in &args.paths {
        let cases = match jsonl(path) {
            Ok(c) => c,
            Err(e) => {
                eprintln!("{e}");
                return ExitCode::from(2);
            }
        };
        report.begin(path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default());
        for case in &cases {
            one(case, &mut report, &mut errors);
        }
    }
    let Errors { wanted, same_text, any } = errors;
    report.note(format!("of {wanted} vectors that must fail, {any} fail and {same_text} say the same text"));
    report.finish()
}

#[derive(Default)]
struct Errors {
    wanted: usize,
    same_text: usize,
    any: usize,
}

fn one(case: &Value, report: &mut Report, errors: &mut Errors) {
    let id = case["id"].as_str().unwrap_or_default();
    let got = render(case);
    if let Some(want) = case["err"].as_str() {
        errors.wanted += 1;
        match got {
            Ok(out) => report.fail(id, || format!("no error, want: {want}\ngot: {out:#?}")),
            Err(e) => {
                errors.any += 1;
                errors.same_text += usize::from(e == want);
                report.compare(id, want, &e);
            }
        }
        return;
    }
    let want = case["out"].as_object().cloned().unwrap_or_default();
    match got {
        Err(e) => report.fail(id, || format!("error: {e}\nwant: {want:#?}\nfiles: {:#?}", case["files"])),
        Ok(got) if got == want => report.pass(),
        Ok(got) => report.fail(id, || {
            let text = |m: &serde_json::Map<String, Value>| -> String {
                m.iter().map(|(k, v)| format!("# {k}\n{}\n", v.as_str().unwrap_or_default())).collect()
            };
            format!("{}files: {:#?}", diff(&text(&want), &text(&got)), case["files"])
        }),
    }
}

/// Loads the vector's chart and renders it as Helm's engine does, without a command line around it.
fn render(case: &Value) -> Result<serde_json::Map<String, Value>, String> {
    let mut files: Vec<File> = Vec::new();
    let mut add =
        |name: &str, text: &str| files.push(File { name: name.into(), data: text.as_bytes().into(), modified: None });
    for (path, text) in case["files"].as_object().into_iter().flatten() {
        add(path, text.as_str().unwrap_or_default());
    }
    if case["files"].get("Chart.yaml").is_none() {
        add("Chart.yaml", CHART_YAML);
    }
    // Map order of the JSON object is not the order of a walk.
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let mut st = State::new(Arc::new(SystemHost { enable_dns: false }), Limits::default());
    let mut log = Vec::new();
    let chart = load::files(files, &mut log)?;
    let values = match (case.get("values"), case["valuesYaml"].as_str()) {
        (_, Some(text)) => pintle::yaml::to_map(&mut st.heap, text.as_bytes())?,
        (Some(v), None) => match from_json(&mut st.heap, v) {
            Val::Map(m) => m,
            _ => st.heap.new_map(),
        },
        (None, None) => st.heap.new_map(),
    };
    let request = render::Request {
        release: ReleaseOptions {
            name: "rel".into(),
            namespace: "ns1".into(),
            revision: 1,
            is_install: true,
            is_upgrade: false,
        },
        capabilities: Arc::new(Capabilities::offline(Compat::default(), None, &[])),
        skip_schema_validation: false,
    };
    let name = chart.name().to_string();
    let files = render::files(&mut st, chart, values, &request, &mut log).map_err(|e| e.message)?;
    Ok(files
        .into_iter()
        .map(|(path, text)| {
            let path = path.strip_prefix(&format!("{name}/")).map_or(path.clone(), String::from);
            (path, Value::String(as_json_has_it(&text)))
        })
        .collect())
}

/// Text that is not UTF-8 lies in the vectors as Go's JSON writes it: every bad byte is one U+FFFD.
fn as_json_has_it(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
    }
    out
}

/// JSON as Helm has it in values: every number a float64, every list with the room that appending leaves.
fn from_json(heap: &mut Heap, v: &Value) -> Val {
    match v {
        Value::Null => Val::Nil,
        Value::Bool(b) => Val::Bool(*b),
        Value::Number(n) => Val::Float(n.as_f64().unwrap_or(f64::NAN)),
        Value::String(s) => Val::str(s),
        Value::Array(a) => {
            let items = a.iter().map(|v| from_json(heap, v)).collect();
            Val::List(heap.grown_list_of(items))
        }
        Value::Object(o) => {
            let entries: Vec<(&str, Val)> = o.iter().map(|(k, v)| (k.as_str(), from_json(heap, v))).collect();
            Val::Map(heap.map_of(entries))
        }
    }
}
