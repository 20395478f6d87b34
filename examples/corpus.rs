//! Runs whole charts against goldens that the real `helm template` printed.
//!
//! `cargo run --release --example corpus -- DIR [--show N]`: `DIR/cases.jsonl` has one case a line with `chart`, `case`, `release`, `args`,
//! `golden`, `exit`, `deterministic` and `diff_lines`. Each case goes through the same function as the command line.

mod runner;

use std::collections::HashSet;
use std::process::ExitCode;

use pintle::cli::{Streams, run};
use runner::{Args, Report, diff, jsonl};
use serde_json::Value;

fn main() -> ExitCode {
    runner::with_stack(all)
}

fn all() -> ExitCode {
    let args = match Args::parse("corpus DIR [--show N]") {
        Ok(a) => a,
        Err(code) => return code,
    };
    let mut report = Report::new(args.show);
    for dir in &args.paths {
        // Paths in the cases are relative to their directory.
        if let Err(e) = std::env::set_current_dir(dir) {
            eprintln!("{}: {e}", dir.display());
            return ExitCode::from(2);
        }
        let cases = match jsonl("cases.jsonl".as_ref()) {
            Ok(c) => c,
            Err(e) => {
                eprintln!("{e}");
                return ExitCode::from(2);
            }
        };
        let mut group = String::new();
        for case in &cases {
            let chart = text(case, "chart");
            if chart != group {
                group = chart.to_string();
                report.begin(group.trim_start_matches("charts/").trim_end_matches(".tgz"));
            }
            one(case, &mut report);
        }
    }
    report.finish()
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn one(case: &Value, report: &mut Report) {
    let id = format!("{} {}", text(case, "chart"), text(case, "case"));
    let golden = match std::fs::read(text(case, "golden")) {
        Ok(g) => g,
        Err(e) => return report.fail(&id, || format!("{}: {e}", text(case, "golden"))),
    };
    let mut argv: Vec<String> = vec!["pintle".into(), "template".into()];
    argv.extend(Some(text(case, "release")).filter(|r| !r.is_empty()).map(String::from));
    argv.push(text(case, "chart").into());
    argv.extend(case["args"].as_array().into_iter().flatten().filter_map(|a| a.as_str().map(String::from)));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(
        argv.into_iter().map(Into::into),
        &mut Streams { out: &mut out, err: &mut err, terminal: false, last: false },
    );
    let want_code = case["exit"].as_u64().unwrap_or(0);
    if u64::from(code) != want_code {
        return report.fail(&id, || format!("exit {code}, want {want_code}\n{}", String::from_utf8_lossy(&err)));
    }
    let got = if want_code == 0 { out } else { err };
    let (want, got) = (String::from_utf8_lossy(&golden), String::from_utf8_lossy(&got));
    if case["deterministic"].as_bool().unwrap_or(true) {
        return report.compare(&id, &want, &got);
    }
    match &case["diff_lines"] {
        Value::Array(lines) => {
            let skip: HashSet<u64> = lines.iter().filter_map(Value::as_u64).collect();
            let (want, got) = (blank(&want, &skip), blank(&got, &skip));
            report.compare(&id, &want, &got);
        }
        _ if want_code != 0 => {
            // Helm lists these in no fixed order.
            let set = |t: &str| {
                let mut l: Vec<String> = t.lines().map(String::from).collect();
                l.sort();
                l.join("\n")
            };
            report.compare(&id, &set(&want), &set(&got));
        }
        _ => {
            let (want, got) = (structure(&want), structure(&got));
            if want == got { report.pass() } else { report.fail(&id, || diff(&want, &got)) }
        }
    }
}

/// The text with the given 1-based lines emptied.
fn blank(text: &str, skip: &HashSet<u64>) -> String {
    text.split('\n').zip(1u64..).map(|(l, n)| if skip.contains(&n) { "" } else { l }).collect::<Vec<_>>().join("\n")
}

/// What can't vary even where the number of lines does: which documents come from which files, and their kinds.
fn structure(text: &str) -> String {
    let keep = |l: &&str| {
        l.starts_with("---") || l.starts_with("# Source: ") || l.starts_with("kind: ") || l.starts_with("apiVersion: ")
    };
    text.lines().filter(keep).collect::<Vec<_>>().join("\n")
}
