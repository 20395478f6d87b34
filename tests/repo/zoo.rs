//! Broken repositories: a small sound one, and for each case one defect put into it. Each must be found with the right rule at the right place.
//!
//! A case is a text in `tests/fixtures/zoo/cases`: `expect RULE PATH[:LINE]` (a line for each of its defects), then what is done to the repository
//! (`replace`, `write`, `remove`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use crate::support::files;

fn zoo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/zoo")
}

/// The sound repository, file by file.
fn base() -> BTreeMap<String, String> {
    files(&zoo().join("base"))
}

struct Case {
    name: String,
    expected: Vec<Expected>,
    edits: Vec<String>,
}

struct Expected {
    rule: String,
    path: String,
    line: Option<u64>,
}

fn cases() -> Vec<Case> {
    let mut paths: Vec<PathBuf> = fs::read_dir(zoo().join("cases")).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (mut expected, mut edits) = (Vec::new(), Vec::new());
        for line in text.lines() {
            if let Some((rule, place)) = line.strip_prefix("expect ").and_then(|e| e.split_once(' ')) {
                let (path, line) = match place.rsplit_once(':') {
                    Some((path, line)) => (path, Some(line.parse().unwrap())),
                    None => (place, None),
                };
                expected.push(Expected { rule: rule.into(), path: path.into(), line });
                continue;
            }
            let begins = ["replace ", "write ", "remove "].iter().any(|w| line.starts_with(w));
            if begins {
                edits.push(String::new());
            }
            let last = edits.last_mut().unwrap();
            last.push_str(line);
            last.push('\n');
        }
        assert!(!expected.is_empty(), "{name}");
        Case { name, expected, edits }
    };
    paths.iter().map(read).collect()
}

fn apply(case: &Case, files: &mut BTreeMap<String, String>) {
    assert!(try_apply(case, files), "{} does not fit", case.name);
}

/// Puts a defect in; false if the repository is not as the case wants it.
fn try_apply(case: &Case, files: &mut BTreeMap<String, String>) -> bool {
    case.edits.iter().all(|edit| {
        let (head, body) = edit.split_once('\n').unwrap();
        let (word, path) = head.split_once(' ').unwrap();
        let body = body.strip_prefix("<<<\n").and_then(|b| b.strip_suffix(">>>\n")).unwrap_or_default();
        match word {
            "remove" => files.remove(path).is_some(),
            "write" => {
                let before = files.insert(path.into(), body.into());
                before.is_none_or(|b| b == body)
            }
            _ => {
                let (from, to) = body.split_once("\n===\n").unwrap();
                let to = to.strip_suffix('\n').unwrap_or(to);
                let Some(text) = files.get_mut(path).filter(|t| t.contains(from)) else { return false };
                *text = text.replacen(from, to, 1);
                true
            }
        }
    })
}

fn write(dir: &Path, files: &BTreeMap<String, String>) {
    for (name, text) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// The findings of a check: rule, path, line.
fn check(dir: &Path) -> (i32, Vec<(String, String, u64)>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_pintle"))
        .args(["check", "-o", "json", "--no-keys"])
        .arg(dir)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!errors.contains("panicked"), "{errors}");
    let json: Json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{errors}"));
    let list = json["findings"].as_array().cloned().unwrap_or_default();
    let found = list.iter().map(|f| {
        let text = |k: &str| f[k].as_str().unwrap_or_default().to_owned();
        (text("rule"), text("path"), f["line"].as_u64().unwrap_or_default())
    });
    (out.status.code().unwrap(), found.collect(), text)
}

fn folder(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("pintle-zoo-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// What a case expects and is not found. Where other defects move lines the rule and the file are what counts.
fn missing(case: &Case, found: &[(String, String, u64)], with_lines: bool) -> Vec<String> {
    let is = |e: &Expected| {
        found.iter().any(|(rule, path, line)| {
            *rule == e.rule && *path == e.path && (!with_lines || e.line.is_none_or(|l| l == *line))
        })
    };
    let not = case.expected.iter().filter(|e| !is(e));
    not.map(|e| format!("{}: {} {}:{:?}", case.name, e.rule, e.path, e.line)).collect()
}

#[test]
fn a_sound_repository_has_no_findings() {
    let dir = folder("sound");
    write(&dir, &base());
    let (code, found, text) = check(&dir);
    assert_eq!((code, found.len()), (0, 0), "{text}");
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn every_defect_is_found_where_it_is() {
    let all = cases();
    assert!(all.len() >= 60, "{}", all.len());
    let mut missed = Vec::new();
    for case in &all {
        let dir = folder(&case.name);
        let mut files = base();
        apply(case, &mut files);
        write(&dir, &files);
        let (code, found, text) = check(&dir);
        let note = case.expected.iter().all(|e| e.rule == "check/stale-ignore");
        let failing = found
            .iter()
            .any(|(rule, ..)| ["yaml/", "kustomize/missing", "reference/values"].iter().any(|t| rule.starts_with(t)));
        let not = missing(case, &found, true);
        if !not.is_empty() || (failing && code != 1) || (note && code != 0) {
            missed.push(format!("{}: wanted {not:?}, exit {code}: {found:?}", case.name));
        }
        assert!(!text.contains("canary-plain"), "{}", case.name);
        fs::remove_dir_all(dir).unwrap();
    }
    assert!(missed.is_empty(), "{} of {} missed:\n{}", missed.len(), all.len(), missed.join("\n"));
}

/// What follows from a defect is not told beside it: that nobody reads the values file whose name is misspelt, that a chart without a dependency can't
/// be rendered.
#[test]
fn causes_are_told_alone() {
    let alone = [
        "chart-dependency",
        "flux-unknown-field",
        "kustomize-missing-resource",
        "kustomize-unknown-field",
        "values-file-of-the-story",
        "values-file-typo",
        "yaml-open-quote",
        "yaml-tab",
    ];
    let all = cases();
    let chosen: Vec<&Case> = all.iter().filter(|c| alone.contains(&c.name.as_str())).collect();
    assert_eq!(chosen.len(), alone.len());
    for case in chosen {
        let dir = folder(&format!("alone-{}", case.name));
        let mut files = base();
        apply(case, &mut files);
        write(&dir, &files);
        let (_, found, text) = check(&dir);
        assert_eq!(found.len(), case.expected.len(), "{}: {text}", case.name);
        fs::remove_dir_all(dir).unwrap();
    }
}

/// Defects all at once: none hides another. (A file that YAML or kustomize refuses hides what stands in that very file.)
#[test]
fn defects_do_not_hide_each_other() {
    let together = [
        "kustomize-unlisted",
        "kube-removed-api",
        "kube-wrong-type",
        "flux-wrong-type",
        "flux-missing-field",
        "values-key-missing",
        "yaml-duplicate-key",
        "source-latest",
        "template-unknown-field",
        "selector",
        "check-stale-ignore",
    ];
    let all = cases();
    let chosen: Vec<&Case> = all.iter().filter(|c| together.contains(&c.name.as_str())).collect();
    assert_eq!(chosen.len(), together.len());
    let mut files = base();
    chosen.iter().for_each(|c| apply(c, &mut files));
    let dir = folder("together");
    write(&dir, &files);
    let (code, found, _) = check(&dir);
    assert_eq!(code, 1);
    let hidden: Vec<String> = chosen.iter().flat_map(|c| missing(c, &found, false)).collect();
    assert!(hidden.is_empty(), "{hidden:?} hidden: {found:?}");
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn every_rule_is_found_somewhere() {
    let out = Command::new(env!("CARGO_BIN_EXE_pintle")).args(["check", "--list-rules"]).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let all = cases();
    let shown: Vec<&str> = all.iter().flat_map(|c| &c.expected).map(|e| e.rule.as_str()).collect();
    let rules: Vec<&str> = text.lines().filter_map(|l| l.split(' ').next()).collect();
    assert!(rules.len() > 70, "{text}");
    let without: Vec<&&str> = rules.iter().filter(|r| !shown.contains(r)).collect();
    assert!(without.is_empty(), "no case for {without:?}");
    let unknown: Vec<&&str> = shown.iter().filter(|r| !rules.contains(r)).collect();
    assert!(unknown.is_empty(), "no such rules: {unknown:?}");
}

/// Two defects in one repository, for every case with two others: neither hides the other.
#[test]
fn of_two_defects_both_are_found() {
    let all = cases();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        let (mut hidden, mut tried) = (Vec::new(), 0);
        loop {
            let i = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let Some(a) = all.get(i) else { return (hidden, tried) };
            for step in [1, 11] {
                let b = &all[(i + step) % all.len()];
                let mut files = base();
                // Of two that change one place only one can be there; what can't be read hides what is in it.
                if !try_apply(a, &mut files) || !try_apply(b, &mut files) || hides(a, b) || hides(b, a) {
                    continue;
                }
                let dir = folder(&format!("{}-and-{}", a.name, b.name));
                write(&dir, &files);
                let (_, found, _) = check(&dir);
                fs::remove_dir_all(dir).unwrap();
                tried += 1;
                let not: Vec<String> = [a, b].iter().flat_map(|c| missing(c, &found, false)).collect();
                if !not.is_empty() {
                    hidden.push(format!("{} and {}: {not:?}", a.name, b.name));
                }
            }
        }
    };
    let done: Vec<(Vec<String>, usize)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let tried: usize = done.iter().map(|d| d.1).sum();
    let hidden: Vec<String> = done.into_iter().flat_map(|d| d.0).collect();
    assert!(hidden.is_empty(), "{} of {tried} hidden:\n{}", hidden.len(), hidden.join("\n"));
    assert!(tried > all.len(), "{tried}");
}

/// Whether a defect may hide another: what stands in a file that can't be read, in an object of no known kind, or needs a chart that can't be loaded.
fn hides(a: &Case, b: &Case) -> bool {
    let same_file = a.expected.iter().any(|e| b.expected.iter().any(|o| o.path == e.path));
    let of = |name: &str, rules: &[&str]| {
        a.name == name && b.expected.iter().any(|e| rules.iter().any(|r| e.rule.starts_with(r)))
    };
    same_file
        || of("chart-no-version", &["values/", "build/render"])
        || of("yaml-duplicate-key-in-release", &["values/", "reference/"])
        || of("yaml-tab", &["values/", "reference/"])
        || of("kustomize-unknown-field", &["build/kustomize"])
        // Nothing of the service is in the environment any more.
        || of("kustomize-missing-folder", &["build/kustomize"])
        // An object of another name is no longer there twice.
        || of("kube-bad-name", &["build/kustomize"])
        // What a dependency that is not there would bring may be what is missed.
        || of("chart-dependency", &["reference/"])
}
