//! Secrets for registries and for Git are in no output at trace level, in no error, no cache and no argument of a child process.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::servers::git::GitHttp;
use crate::servers::nginx::Site;
use crate::servers::registry::Options as Registry;
use crate::servers::{folder, run, tls};
use crate::setup::{helm_in, package, pintle_in, success, write_chart};

/// The password, and the header that is made of it.
const CANARIES: [&str; 2] = ["canary-secret", "dXNlcjpjYW5hcnktc2VjcmV0"];

fn assert_clean(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for canary in CANARIES {
        assert!(!text.contains(canary), "{canary} in {what}: {text}");
    }
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    entries.flat_map(|p| if p.is_dir() { files(&p) } else { vec![p] }).collect()
}

/// Runs each at trace level; those that end well must be `good`.
fn check(commands: &[(bool, Vec<String>)]) {
    let home = folder("home");
    for (good, words) in commands {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let out = pintle_in(&home, &words).env("PINTLE_LOG", "trace").env_remove("PINTLE_LOG_FILE").output().unwrap();
        let error = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.success(), *good, "{words:?}: {error}");
        assert!(!good || error.contains("TRACE"), "no log at trace level: {words:?}");
        assert_clean(&format!("{words:?}"), &[out.stdout, out.stderr].concat());
    }
    for file in files(&home).iter().filter(|f| !f.ends_with("registry/config.json")) {
        assert_clean(&file.display().to_string(), &fs::read(file).unwrap());
    }
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|w| (*w).to_string()).collect()
}

#[test]
fn of_registries() {
    for options in [
        Registry::default().tls().basic("user", "canary-secret"),
        Registry::default().tls().bearer("user", "canary-secret"),
    ] {
        let registry = options.start();
        let ca = tls::authority().ca.display().to_string();
        let archive = package("app", "1.0.0");
        let home = folder("helm");
        let login = ["--username", "user", "--password", "canary-secret", "--ca-file", &ca];
        let charts = registry.oci("charts");
        let push = [&["push", archive.to_str().unwrap(), &charts][..], &login].concat();
        success(&helm_in(&home, &push));
        let chart = registry.oci("charts/app:1.0.0");
        let inside = chart.replace("oci://", "oci://user:canary-secret@");
        let with = |command: &[&str]| words(&[command, &login].concat());
        let listed =
            pintle_in(&home, &[&["versions", &registry.oci("charts/app")][..], &login].concat()).output().unwrap();
        assert_eq!(success(&listed), "VERSION\tAPP VERSION\tDESCRIPTION\n1.0.0\t\t\n");
        check(&[
            (true, with(&["template", "x", &chart])),
            // A registry takes none from the reference.
            (false, words(&["template", "x", &inside, "--ca-file", &ca])),
            (true, with(&["pull", &chart])),
            (true, with(&["versions", &registry.oci("charts/app")])),
            (true, words(&[&["push", archive.to_str().unwrap(), &registry.oci("charts")][..], &login].concat())),
            (false, with(&["template", "x", &registry.oci("charts/none:1")])),
            (
                false,
                words(&["template", "x", &inside.replace("canary-secret", "canary-secret-wrong"), "--ca-file", &ca]),
            ),
            (false, words(&["template", "x", &inside])),
        ]);
    }
}

#[test]
fn of_git() {
    let root = folder("git");
    let work = root.join("work");
    write_chart(&work.join("charts/app"), "app", "1.0.0");
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(&work).args([
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.com",
            "-c",
            "init.defaultBranch=main",
        ]);
        run(command.args(words));
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "one"]);
    git(&["clone", "-q", "--bare", ".", root.join("app.git").to_str().unwrap()]);
    let http = GitHttp::start(&root, Site::new(&root).tls().basic("user", "canary-secret"));
    let ca = tls::authority().ca.display().to_string();
    let base = format!("git+{}//charts/app", http.url("app"));
    let inside = base.replace("https://", "https://user:canary-secret@");
    let login = ["--username", "user", "--password", "canary-secret", "--ca-file", &ca];
    let with = |command: &[&str]| words(&[command, &login].concat());
    check(&[
        (true, with(&["template", "x", &base])),
        (true, words(&["template", "x", &inside, "--ca-file", &ca])),
        (
            true,
            with(&[
                "template",
                "x",
                &format!("{base}?ref=main"),
                "-f",
                &inside.replace("charts/app", "charts/app/values-prod.yaml"),
            ]),
        ),
        (false, with(&["template", "x", &format!("{base}?ref=none")])),
        (false, words(&["template", "x", &inside.replace("canary-secret", "canary-secret-wrong"), "--ca-file", &ca])),
        (false, words(&["template", "x", &inside])),
    ]);
}
