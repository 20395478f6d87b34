//! Replays the one-line changes of a repository's history through `bump`: the value is found again by its path and set, and the file must come out
//! byte for byte as the commit left it.
//!
//! ```text
//! cargo run --release --example replay -- REPOSITORY [COUNT]
//! ```
//!
//! A commit counts if it changes one line of one YAML file and nothing else, and that line's change is that of one scalar. The last line is
//! `N equal, N different, N refused`; the status is 1 if any came out different.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};

use pintle::repo::bump::{Change, Intent, Tree, apply};
use pintle::yaml::edit::Text;
use pintle::yaml::node::{Document, NodeKind};

struct One {
    paths: Vec<String>,
    text: Vec<u8>,
}

impl Tree for One {
    fn paths(&self) -> &[String] {
        &self.paths
    }

    fn read(&self, paths: &[String]) -> Result<Vec<Vec<u8>>, String> {
        Ok(paths.iter().map(|_| self.text.clone()).collect())
    }
}

fn git(repo: &Path, args: &[&str]) -> Vec<u8> {
    Command::new("git").arg("-C").arg(repo).args(args).output().map(|o| o.stdout).unwrap_or_default()
}

/// The path of a node from the root.
fn path_of(document: &Document, target: usize) -> Option<Vec<String>> {
    let mut path = Vec::new();
    let mut at = target;
    while at != document.root {
        let (parent, node) = document.nodes.iter().enumerate().find(|(_, n)| n.children.contains(&at))?;
        let place = node.children.iter().position(|c| *c == at)?;
        path.push(match node.kind {
            NodeKind::Mapping if place % 2 == 1 => {
                String::from_utf8_lossy(&document.nodes.get(*node.children.get(place - 1)?)?.value).into_owned()
            }
            NodeKind::Sequence => place.to_string(),
            _ => return None,
        });
        at = parent;
    }
    path.reverse();
    Some(path)
}

/// Path and new value of the only scalar that differs.
fn change(old: &[u8], new: &[u8]) -> Option<(Vec<String>, String)> {
    let (a, b) = (Text::parse(old).ok()?, Text::parse(new).ok()?);
    if a.documents.len() != b.documents.len() {
        return None;
    }
    let mut found = Vec::new();
    for (x, y) in a.documents.iter().zip(&b.documents) {
        if x.nodes.len() != y.nodes.len() {
            return None;
        }
        for (i, (m, n)) in x.nodes.iter().zip(&y.nodes).enumerate() {
            if m.kind != n.kind || m.children != n.children || m.head != n.head || m.behind != n.behind {
                return None;
            }
            if m.value != n.value {
                found.push((path_of(x, i)?, String::from_utf8(n.value.clone()).ok()?));
            }
        }
    }
    if found.len() == 1 { found.pop() } else { None }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let (Some(repo), count) = (args.get(1), args.get(2).and_then(|n| n.parse().ok()).unwrap_or(500)) else {
        eprintln!("usage: replay REPOSITORY [COUNT]");
        return ExitCode::from(2);
    };
    let repo = Path::new(repo);
    let log = git(repo, &["log", "--no-merges", "--numstat", "--format=commit %H", "-n", "20000"]);
    let log = String::from_utf8_lossy(&log).into_owned();
    let mut commits: Vec<(String, Vec<String>)> = Vec::new();
    for line in log.lines().filter(|l| !l.is_empty()) {
        match (line.strip_prefix("commit "), commits.last_mut()) {
            (Some(hash), _) => commits.push((hash.to_owned(), Vec::new())),
            (None, Some((_, lines))) => lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    let (mut equal, mut different, mut refused) = (0, 0, BTreeMap::<String, usize>::new());
    for (hash, lines) in &commits {
        let [line] = lines.as_slice() else { continue };
        let Some(path) = line.strip_prefix("1\t1\t").filter(|p| p.ends_with(".yaml") || p.ends_with(".yml")) else {
            continue;
        };
        let old = git(repo, &["show", &format!("{hash}^:{path}")]);
        let new = git(repo, &["show", &format!("{hash}:{path}")]);
        let Some((place, value)) = change(&old, &new) else { continue };
        let intent = Intent {
            env: String::new(),
            service: String::new(),
            change: Change::Set { path: place.clone(), value },
            file: Some(path.to_owned()),
        };
        match apply(&One { paths: vec![path.to_owned()], text: old }, &[intent]) {
            Ok((_, texts)) if texts.get(path) == Some(&new) => equal += 1,
            Ok(_) => {
                different += 1;
                println!("{hash} {path} {}", place.join("."));
            }
            Err(e) => {
                *refused
                    .entry(e.to_string().lines().next().unwrap_or_default().chars().take(60).collect())
                    .or_default() += 1
            }
        }
        if equal + different >= count {
            break;
        }
    }
    for (why, n) in &refused {
        println!("refused {n}: {why}");
    }
    println!("{equal} equal, {different} different, {} refused", refused.values().sum::<usize>());
    if different > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
