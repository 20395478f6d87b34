//! Tests of chart authors: golden snapshots and suites of helm-unittest, as `pintle check CHART` runs them.
//!
//! A case in `tests/fixtures/suites/cases` is laid over the chart beside it; `expected.txt` is what the check prints and its exit code. The suites there
//! pass and fail, assertion by assertion, as with helm-unittest 1.1.2, which also wrote their `.snap` files. `PINTLE_GOLDEN=write` writes the
//! expectations anew, to be reviewed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Folder, pintle};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/suites")
}

fn lay(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            lay(&path, &target);
        } else if target.file_name().unwrap() != "expected.txt" {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// The chart with a case laid over it.
fn chart(case: &str) -> Folder {
    let folder = Folder::new();
    lay(&fixtures().join("chart"), &folder.join("chart"));
    lay(&fixtures().join("cases").join(case), &folder.join("chart"));
    folder
}

/// What a check prints, and its exit code.
fn check(folder: &Folder, args: &[&str]) -> (i32, String) {
    let out = pintle().current_dir(folder.path()).args(["check", "--no-keys"]).args(args).output().unwrap();
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!errors.contains("panicked"), "{errors}");
    (out.status.code().unwrap(), String::from_utf8(out.stdout).unwrap() + &errors)
}

#[test]
fn cases_find_what_they_should() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(fixtures().join("cases")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let folder = chart(&name);
        let (code, text) = check(&folder, &["chart"]);
        let text = format!("{text}exit {code}\n");
        assert!(!text.contains("canary-plain"), "{name}: {text}");
        let expected = path.join("expected.txt");
        if std::env::var_os("PINTLE_GOLDEN").is_some_and(|v| v == "write") {
            fs::write(&expected, &text).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != text {
            wrong.push(format!("{name}:\n{text}"));
        }
        count += 1;
    }
    assert!(count >= 6, "{count}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_form_tells_of_them() {
    let folder = chart("fail");
    for form in ["json", "junit", "sarif", "github", "gitlab", "markdown"] {
        let (code, text) = check(&folder, &["chart", "-o", form]);
        assert_eq!(code, 1, "{form}");
        for part in ["chart/unittest", "tests/deployment_test.yaml"] {
            assert!(text.contains(part), "{form}: {part}: {text}");
        }
        assert!(!text.contains("canary-plain"), "{form}: {text}");
    }
}

#[test]
fn snapshots_of_suites_are_written_in_their_own_form() {
    let folder = chart("pass");
    let path = "chart/tests/__snapshot__/deployment_test.yaml.snap";
    // As the real helm-unittest wrote it.
    let before = folder.read(path);
    fs::remove_file(folder.join(path)).unwrap();
    let (code, text) = check(&folder, &["chart", "--rules", "chart/*", "--ignore", "chart/unittest"]);
    assert!(code == 1 && text.contains("of its snapshots are not stored yet [chart/snapshot]"), "{text}");
    let (_, text) = check(&folder, &["chart", "--update"]);
    assert!(text.contains("1 snapshot written, 0 removed"), "{text}");
    assert_eq!(folder.read(path), before);
}

#[test]
fn golden_snapshots_follow_the_chart() {
    let folder = chart("golden");
    let path = "chart/tests/__snapshots__/prod.yaml";
    fs::remove_file(folder.join(path)).unwrap();
    folder.write("chart/tests/__snapshots__/old.yaml", "# of a case that is gone\n");
    let (code, text) = check(&folder, &["chart", "--update"]);
    assert!(code == 0 && text.contains("1 snapshot written, 1 removed"), "{code} {text}");
    let written = folder.read(path);
    // What a chart makes up is the same in every run.
    let stored = fs::read_to_string(fixtures().join("cases/golden/tests/__snapshots__/prod.yaml")).unwrap();
    assert_eq!(written, stored);
    assert!(written.contains("kind: PersistentVolumeClaim") && written.contains("password: <masked>"), "{written}");
    let (code, text) = check(&folder, &["chart"]);
    assert_eq!(code, 0, "{text}");
    let (_, text) = check(&folder, &["chart", "--update"]);
    assert!(text.contains("0 snapshots written, 0 removed"), "{text}");
    // A change of the chart: one finding for each object that it changes, where the snapshot has it.
    let template = folder.read("chart/templates/service.yaml").replace("port: {{ .port }}", "port: {{ add .port 1 }}");
    folder.write("chart/templates/service.yaml", template);
    let (code, text) = check(&folder, &["chart", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let list = json["findings"].as_array().unwrap();
    assert_eq!((code, list.len()), (1, 2), "{text}");
    let lines: Vec<&str> = written.lines().collect();
    for (finding, port) in list.iter().zip([80, 9090]) {
        assert_eq!(finding["rule"], "chart/snapshot");
        let line = usize::try_from(finding["line"].as_u64().unwrap()).unwrap();
        assert_eq!(lines[line - 1].trim(), format!("- port: {port}"));
        let message = finding["message"].as_str().unwrap();
        assert!(message.ends_with(&format!("-     - port: {port}\n+     - port: {}", port + 1)), "{message}");
    }
}

#[test]
fn an_archive_is_checked_too() {
    let folder = chart("subchart");
    let out = pintle().current_dir(folder.path()).args(["package", "chart"]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let (code, text) = check(&folder, &["shop-1.2.3.tgz"]);
    assert!(
        code == 1 && text.contains("charts/cache/tests/claim_test.yaml:13: error: claim › has its own size"),
        "{text}"
    );
    let (code, text) = check(&folder, &["shop-1.2.3.tgz", "--update"]);
    assert!(code == 2 && text.contains("not into an archive"), "{code} {text}");
    folder.write("no-chart.tgz", "nothing");
    let (code, text) = check(&folder, &["no-chart.tgz"]);
    assert!(code == 2 && text.contains("no-chart.tgz is no chart"), "{code} {text}");
}
