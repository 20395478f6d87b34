//! Whole charts through the command line's own function, against what the real Helm printed (`tests/fixtures/render`).

use std::path::Path;

use pintle::cli::{Streams, run};
use serde_json::Value;

#[path = "../examples/render.rs"]
#[expect(dead_code, reason = "a program's main has no caller here")]
mod example;

/// Runs on a thread with the stack that rendering needs.
fn on_big_stack(work: impl FnOnce() + Send + 'static) {
    assert!(pintle::gotmpl::with_large_stack(work).is_ok(), "the checks on the large stack failed: see above");
}

#[test]
fn charts_come_out_as_helm_prints_them() {
    on_big_stack(|| {
        std::env::set_current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/render")).unwrap();
        let cases = std::fs::read_to_string("cases.jsonl").unwrap();
        let mut wrong = Vec::new();
        let mut count = 0;
        for line in cases.lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let text = |k: &str| case[k].as_str().unwrap().to_string();
            let mut argv = vec!["pintle".to_string(), "template".into()];
            argv.extend(Some(text("release")).filter(|r| !r.is_empty()));
            argv.push(text("chart"));
            argv.extend(case["args"].as_array().unwrap().iter().map(|a| a.as_str().unwrap().to_string()));
            // Whatever namespace the context of who runs the tests has.
            argv.extend(["--kubeconfig".to_string(), "/dev/null".into()]);
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let code = run(
                argv.iter().map(Into::into),
                &mut Streams { out: &mut out, err: &mut err, terminal: false, last: false },
            );
            let got = if code == 0 { &out } else { &err };
            let want = std::fs::read(text("golden")).unwrap();
            count += 1;
            if u64::from(code) != case["exit"].as_u64().unwrap() || *got != want {
                let (want, got) = (String::from_utf8_lossy(&want), String::from_utf8_lossy(got));
                let diff = similar::TextDiff::from_lines(&*want, &*got).unified_diff().to_string();
                wrong.push(format!("{}\nexit {code}\n{diff}", argv.join(" ")));
            }
        }
        assert!(count > 50, "only {count} cases were found");
        assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
    });
}

#[test]
fn the_example_of_the_library_prints_what_the_program_does() {
    on_big_stack(|| {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/render");
        let cases = std::fs::read_to_string(fixtures.join("cases.jsonl")).unwrap();
        let mut count = 0;
        for line in cases.lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            if case["args"].as_array().is_none_or(|args| !args.is_empty()) {
                continue;
            }
            let text = |k: &str| case[k].as_str().unwrap();
            let chart = fixtures.join(text("chart"));
            let want = std::fs::read_to_string(fixtures.join(text("golden"))).unwrap();
            count += 1;
            match example::release(text("release").into(), &chart, Vec::new()) {
                Ok(release) => {
                    let mut out = Vec::new();
                    example::print(&release, &mut out).unwrap();
                    assert_eq!(case["exit"], 0, "{}", chart.display());
                    // Helm trims the manifests as one text, before the hooks.
                    let plain = |t: &str| t.trim_end().replace("\n\n---\n", "\n---\n");
                    assert_eq!(plain(&String::from_utf8_lossy(&out)), plain(&want), "{}", chart.display());
                }
                Err(e) => {
                    // Beside the error helm prints what it logged on the way, and says a chart's place as it was given.
                    let e = e.replace(&format!("{}/", fixtures.display()), "");
                    assert!(case["exit"] == 1 && want.contains(&e), "{}: {e}\nwant: {want}", chart.display());
                }
            }
        }
        assert!(count > 10, "only {count} cases were found");
    });
}
