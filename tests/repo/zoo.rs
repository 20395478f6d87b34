//! Broken repositories: a small sound one, and for each case one defect put into it. Each must be found with the right rule at the right place.
//!
//! A case is a text in `tests/fixtures/zoo/cases`: `expect RULE PATH[:LINE]`, then what is done to the repository (`replace`, `write`, `remove`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

fn zoo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/zoo")
}

/// The sound repository, file by file.
fn base() -> BTreeMap<String, String> {
    fn walk(dir: &Path, root: &Path, out: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, out);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                out.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut out = BTreeMap::new();
    let root = zoo().join("base");
    walk(&root, &root, &mut out);
    out
}

struct Case {
    name: String,
    rule: String,
    path: String,
    line: Option<u64>,
    edits: Vec<String>,
}

fn cases() -> Vec<Case> {
    let mut paths: Vec<PathBuf> = fs::read_dir(zoo().join("cases")).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let (head, rest) = text.split_once('\n').unwrap();
        let mut words = head.strip_prefix("expect ").unwrap().split(' ');
        let rule = words.next().unwrap().to_owned();
        let place = words.next().unwrap();
        let (path_of, line) = match place.rsplit_once(':') {
            Some((path, line)) => (path.to_owned(), Some(line.parse().unwrap())),
            None => (place.to_owned(), None),
        };
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut edits = Vec::new();
        for line in rest.lines() {
            let begins = ["replace ", "write ", "remove "].iter().any(|w| line.starts_with(w));
            if begins {
                edits.push(String::new());
            }
            let last = edits.last_mut().unwrap();
            last.push_str(line);
            last.push('\n');
        }
        Case { name, rule, path: path_of, line, edits }
    };
    paths.iter().map(read).collect()
}

fn apply(case: &Case, files: &mut BTreeMap<String, String>) {
    for edit in &case.edits {
        let (head, body) = edit.split_once('\n').unwrap();
        let (word, path) = head.split_once(' ').unwrap();
        let body = body.strip_prefix("<<<\n").and_then(|b| b.strip_suffix(">>>\n")).unwrap_or_default();
        match word {
            "remove" => assert!(files.remove(path).is_some(), "{}: no {path}", case.name),
            "write" => drop(files.insert(path.into(), body.into())),
            _ => {
                let (from, to) = body.split_once("\n===\n").unwrap();
                let to = to.strip_suffix('\n').unwrap_or(to);
                let text = files.get_mut(path).unwrap_or_else(|| panic!("{}: no {path}", case.name));
                assert!(text.contains(from), "{}: {path} has no {from:?}", case.name);
                *text = text.replacen(from, to, 1);
            }
        }
    }
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

fn holds(case: &Case, found: &[(String, String, u64)]) -> bool {
    found
        .iter()
        .any(|(rule, path, line)| *rule == case.rule && *path == case.path && case.line.is_none_or(|l| l == *line))
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
        let note = case.rule == "check/stale-ignore";
        let failing = found
            .iter()
            .any(|(rule, ..)| ["yaml/", "kustomize/missing", "reference/values"].iter().any(|t| rule.starts_with(t)));
        if !holds(case, &found) || (failing && code != 1) || (note && code != 0) {
            missed.push(format!(
                "{}: wanted {} {}:{:?}, exit {code}: {found:?}",
                case.name, case.rule, case.path, case.line
            ));
        }
        assert!(!text.contains("canary-plain"), "{}", case.name);
        fs::remove_dir_all(dir).unwrap();
    }
    assert!(missed.is_empty(), "{} of {} missed:\n{}", missed.len(), all.len(), missed.join("\n"));
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
    for case in chosen {
        // Other defects move lines: the rule and the file are what counts here.
        assert!(
            holds(
                &Case {
                    line: None,
                    edits: Vec::new(),
                    name: String::new(),
                    rule: case.rule.clone(),
                    path: case.path.clone()
                },
                &found
            ),
            "{} is hidden: {found:?}",
            case.name
        );
    }
    fs::remove_dir_all(dir).unwrap();
}
