//! The house rules that a compiler does not check: arrows between rooms point one way, the core does no I/O, files stay readable.

use std::path::{Path, PathBuf};

/// From the ground up. A room uses only rooms before it.
const ROOMS: [&str; 22] = [
    "diagnostic",
    "golang",
    "value",
    "yaml",
    "gotmpl",
    "sprig",
    "chart",
    "values",
    "render",
    "kustomize",
    "sops",
    "lint",
    "source",
    "cluster",
    "release",
    "report",
    "repo",
    "api",
    "controller",
    "cli",
    "main",
    "lib",
];

/// The rooms that must stay free of I/O and clocks, with the files that are doors by design.
const PURE: [&str; 11] =
    ["diagnostic", "golang", "value", "yaml", "gotmpl", "sprig", "chart", "values", "render", "kustomize", "sops"];
const DOORS: [&str; 3] = ["src/gotmpl/host.rs", "src/chart/directory.rs", "src/chart/schema/roots.rs"];

/// The program's own files; unit tests in files of their own may reach further.
fn sources() -> Vec<PathBuf> {
    fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
        let mut entries: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        for p in entries {
            if p.is_dir() {
                walk(&p, out);
            } else if p.extension().is_some_and(|e| e == "rs") && p.file_name().is_some_and(|n| n != "tests.rs") {
                out.push(p);
            }
        }
    }
    let mut out = Vec::new();
    std::env::set_current_dir(env!("CARGO_MANIFEST_DIR")).unwrap();
    walk(Path::new("src"), &mut out);
    assert!(out.len() > 50, "the sources were not found");
    out
}

fn room(path: &Path) -> String {
    let part = path.components().nth(1).unwrap().as_os_str().to_string_lossy().into_owned();
    part.trim_end_matches(".rs").to_string()
}

#[test]
fn arrows_point_one_way() {
    let mut wrong = Vec::new();
    for path in sources() {
        let own = room(&path);
        let place = ROOMS.iter().position(|r| *r == own).unwrap_or_else(|| panic!("{} is in no room", path.display()));
        let text = std::fs::read_to_string(&path).unwrap();
        for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim_start().starts_with("//")) {
            for used in line.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if let Some(at) = ROOMS.iter().position(|r| *r == used)
                    && at > place
                {
                    wrong.push(format!("{}:{}: {own} uses {used}", path.display(), n + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_core_does_no_io() {
    let mut wrong = Vec::new();
    for path in sources() {
        if !PURE.contains(&room(&path).as_str()) || DOORS.iter().any(|d| path == Path::new(d)) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (n, line) in code.lines().enumerate().filter(|(_, l)| !l.trim_start().starts_with("//")) {
            for word in [
                "std::fs",
                "std::env",
                "std::net::Tcp",
                "std::net::Udp",
                "ToSocketAddrs",
                "SystemTime::now",
                "Instant::now",
                "tokio::",
                "println!",
                "eprintln!",
            ] {
                if line.contains(word) {
                    wrong.push(format!("{}:{}: {word}", path.display(), n + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_readable() {
    let long: Vec<String> = sources()
        .iter()
        .map(|p| (p, std::fs::read_to_string(p).unwrap().lines().count()))
        .filter(|(_, n)| *n > 1000)
        .map(|(p, n)| format!("{}: {n} lines", p.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn modules_open_with_their_idea() {
    let silent: Vec<String> = sources()
        .iter()
        .filter(|p| !std::fs::read_to_string(p).unwrap().starts_with("//!"))
        .map(|p| p.display().to_string())
        .collect();
    assert!(silent.is_empty(), "without a first line of //!:\n{}", silent.join("\n"));
}
