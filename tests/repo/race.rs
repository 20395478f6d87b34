//! Fifty processes bump fifty services at once, while somebody edits the lines between theirs and reformats the file.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::git_http;
use crate::support::{Folder, at_main, bare, git, pintle, try_git};

const SERVICES: usize = 50;
const FILE: &str = "k8s/gitops/dev/kustomization.yaml";

fn start() -> String {
    let mut text = String::from("resources:\n- base\nimages:\n");
    for i in 0..SERVICES {
        text.push_str(&format!(
            "- name: reg/service-{i}\n  newTag: v1.0.0 # {{\"$imagepolicy\": \"flux:service-{i}:tag\"}}\n"
        ));
    }
    text
}

/// Adds and moves comments next to every value, and changes the indentation, as long as it is asked to.
fn adversary(folder: &Path, repo: &Path, stop: &AtomicBool) -> usize {
    let work = folder.join("adversary");
    git(folder, &["clone", "--quiet", &repo.to_string_lossy(), "adversary"]);
    let mut pushed = 0;
    for round in 0.. {
        if stop.load(Ordering::Relaxed) && pushed > 0 {
            break;
        }
        git(&work, &["fetch", "--quiet", "origin"]);
        git(&work, &["reset", "--quiet", "--hard", "origin/main"]);
        let file = work.join(FILE);
        let text = std::fs::read_to_string(&file).unwrap();
        let mut new = String::new();
        for line in text.lines().filter(|l| !l.trim_start().starts_with("# round")) {
            let item = line.trim_start_matches(' ');
            match line.find("- name:").or_else(|| line.find("newTag:")) {
                Some(_) if round % 2 == 0 => {
                    new.push_str(&format!("  {}{item}\n", if item.starts_with('-') { "" } else { "  " }))
                }
                Some(_) => new.push_str(&format!("{}{item}\n", if item.starts_with('-') { "" } else { "  " })),
                None => new.push_str(&format!("{line}\n")),
            }
            if item.starts_with("- name") {
                new.push_str(&format!("    # round {round}\n"));
            }
        }
        std::fs::write(&file, new).unwrap();
        git(&work, &["commit", "--quiet", "--all", "--message=reformat"]);
        pushed += usize::from(try_git(&work, &["push", "--quiet", "origin", "HEAD:main"]).status.success());
        std::thread::sleep(std::time::Duration::from_millis(1000));
    }
    pushed
}

fn race(address: impl Fn(&Path) -> String) {
    let folder = Folder::new();
    let repo = bare(&folder, "repo.git", &[(FILE, start())]);
    let stop = Arc::new(AtomicBool::new(false));
    let other = {
        let (stop, root, repo) = (Arc::clone(&stop), folder.path().to_owned(), repo.clone());
        std::thread::spawn(move || adversary(&root, &repo, &stop))
    };
    let address = address(folder.path());
    let children: Vec<_> = (0..SERVICES)
        .map(|i| {
            let mut command = pintle();
            // Ten of them on one machine each: those take turns, the machines race.
            let machine = folder.join(&format!("machine-{}", i / 10));
            std::fs::create_dir_all(&machine).unwrap();
            command.env("TMPDIR", machine);
            command.args(["bump", "--repo", &address, "--branch", "main", "--env", "dev", "--timeout", "600"]);
            command.args(["--service", &format!("service-{i}"), "--tag", &format!("v2.0.{i}"), "--only-forward"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for (i, child) in children.into_iter().enumerate() {
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "service-{i}: {}", String::from_utf8_lossy(&out.stderr));
    }
    stop.store(true, Ordering::Relaxed);
    assert!(other.join().unwrap() > 0, "nobody disturbed");

    let text = at_main(&repo, FILE);
    for i in 0..SERVICES {
        assert!(
            text.contains(&format!("newTag: v2.0.{i} # {{\"$imagepolicy\": \"flux:service-{i}:tag\"}}")),
            "service-{i}:\n{text}"
        );
    }
    assert_eq!(git(&repo, &["rev-list", "--min-parents=2", "--count", "main"]).trim(), "0", "the history is linear");
    let log = git(&repo, &["log", "--author=pintle", "--format=%H", "main"]);
    let commits: Vec<&str> = log.lines().collect();
    assert_eq!(commits.len(), SERVICES, "one commit a bump");
    for commit in commits {
        let stat = git(&repo, &["show", "--numstat", "--format=", commit]);
        assert_eq!(stat.trim(), format!("1\t1\t{FILE}"), "one changed line a commit");
    }
}

#[test]
fn fifty_bumps_land_by_file() {
    race(|root| format!("file://{}", root.join("repo.git").display()));
}

#[test]
fn fifty_bumps_land_by_smart_http() {
    race(|root| format!("{}/repo.git", git_http::serve(root, None)));
}
