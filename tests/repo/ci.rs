//! The steps in `deploy/ci`: each one's script is taken out of its file and run on a repository with a change.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::Folder;

/// Scripts of a pipeline: blocks behind `run: |`, `script: |`, `- |`, or between `sh '''` and `'''`.
fn scripts(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut lines = text.lines().peekable();
    let depth = |l: &str| l.len() - l.trim_start().len();
    while let Some(line) = lines.next() {
        let head = line.trim_end();
        let jenkins = head.trim() == "sh '''";
        if !jenkins && !["run: |", "script: |", "- |"].iter().any(|s| head.ends_with(s)) {
            continue;
        }
        let mut script = String::new();
        while let Some(next) = lines.peek() {
            let ends =
                if jenkins { next.trim() == "'''" } else { !next.trim().is_empty() && depth(next) <= depth(line) };
            if ends {
                break;
            }
            script.push_str(next.trim_start());
            script.push('\n');
            lines.next();
        }
        out.push(script);
    }
    out
}

fn git(dir: &Path, args: &[&str]) {
    let out = Command::new("git")
        .current_dir(dir)
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn every_step_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Folder::new();
    let dir = folder.path().to_owned();
    let repo = dir.join("repo");
    copy(&root.join("tests/fixtures/zoo/base"), &repo);
    git(&repo, &["init", "--quiet", "--initial-branch=main", "."]);
    git(&repo, &["add", "--all"]);
    git(&repo, &["commit", "--quiet", "-m", "base"]);
    git(&dir, &["clone", "--quiet", "--bare", "repo", "bare.git"]);
    git(&repo, &["checkout", "--quiet", "-b", "change"]);
    let values = repo.join("k8s/helm-values/web/prod-config.yaml");
    fs::write(&values, fs::read_to_string(&values).unwrap().replace("replicas: 2", "replicas: 5")).unwrap();
    git(&repo, &["commit", "--quiet", "--all", "-m", "change"]);
    let bin = Path::new(env!("CARGO_BIN_EXE_pintle")).parent().unwrap();
    let path = std::env::join_paths(
        std::iter::once(PathBuf::from(bin)).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let path = path.unwrap();
    let summary = dir.join("summary.md");
    let mut count = 0;
    for file in ["github-actions.yaml", "gitlab-ci.yaml", "tekton-task.yaml", "Jenkinsfile"] {
        let text = fs::read_to_string(root.join("deploy/ci").join(file)).unwrap();
        for script in scripts(&text) {
            count += 1;
            let out = Command::new("sh")
                .args(["-euc", &script])
                .current_dir(&repo)
                .env("PATH", &path)
                .env("ENVIRONMENTS", "dev prod")
                .env("BASE", "main")
                .env("GITHUB_STEP_SUMMARY", &summary)
                .env("REPO", dir.join("bare.git"))
                .envs([("BRANCH", "main"), ("ENVIRONMENT", "prod"), ("SERVICE", "web"), ("TAG", "1.4.3")])
                .envs([("GIT_AUTHOR_NAME", "CI"), ("GIT_AUTHOR_EMAIL", "ci@example.com")])
                .envs([("GIT_COMMITTER_NAME", "CI"), ("GIT_COMMITTER_EMAIL", "ci@example.com")])
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
            assert!(out.status.success(), "{file}: {script}\n{text}");
        }
    }
    assert_eq!(count, 10);
    let said = fs::read_to_string(&summary).unwrap();
    assert!(said.contains("web") && said.contains("replicas"), "{said}");
    assert_eq!(fs::read_to_string(repo.join("pintle-diff.md")).unwrap(), said);
    git(&dir, &["clone", "--quiet", "bare.git", "after"]);
    let release = fs::read_to_string(dir.join("after/k8s/gitops/prod/web/release.yaml")).unwrap();
    assert!(release.contains("tag: \"1.4.3\""), "{release}");
    fs::remove_dir_all(dir).unwrap();
}
