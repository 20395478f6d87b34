//! Correct files that a check must not accuse, each beside the defect that looks like it and must still be found.

mod built;
mod cluster;
mod environments;
mod files;

use std::process::Output;

use serde_json::Value as Json;

use crate::support::{Folder, pintle};

/// The Flux Kustomization of a cluster that applies a directory, and more of its spec.
fn applies(name: &str, path: &str, more: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}, namespace: flux-system}}\nspec:\n  \
         interval: 1h\n  path: {path}\n  prune: true\n  sourceRef: {{kind: GitRepository, name: flux-system}}\n{more}---\n"
    )
}

/// The findings in a repository of these files, as `RULE PATH:LINE: MESSAGE`.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let folder = Folder::new();
    for (path, text) in files {
        folder.write(path, text);
    }
    let Output { stdout, stderr, .. } =
        pintle().args(["check", "-o", "json", "--no-keys"]).arg(folder.path()).output().unwrap();
    let (text, errors) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(!errors.contains("panicked"), "{errors}");
    let json: Json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{errors}"));
    let of = |f: &Json| {
        let text = |key: &str| f[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}:{}: {}", text("rule"), text("path"), f["line"], text("message"))
    };
    json["findings"].as_array().unwrap().iter().map(of).collect()
}

/// The findings in a repository that one Flux Kustomization applies from `apps/x`, unless it has clusters of its own.
fn findings(files: &[(&str, &str)]) -> Vec<String> {
    let apps = applies("apps", "./apps/x", "");
    let mut all = files.to_vec();
    if !files.iter().any(|(path, _)| path.starts_with("clusters/")) {
        all.push(("clusters/a/apps.yaml", &apps));
    }
    found(&all)
}

/// Nothing may be said of these files.
#[track_caller]
fn silent(files: &[(&str, &str)]) {
    let found = findings(files);
    assert!(found.is_empty(), "found {found:#?}");
}

/// What is said of these files begins with what is wanted, in this order. (What a broken build adds to it is not counted.)
#[track_caller]
fn finds(files: &[(&str, &str)], wanted: &[&str]) {
    let found: Vec<String> = findings(files).into_iter().filter(|f| !f.starts_with("build/")).collect();
    let fits = found.len() == wanted.len() && found.iter().zip(wanted).all(|(f, w)| f.starts_with(w));
    assert!(fits, "wanted {wanted:#?}, found {found:#?}");
}

/// The same files with others added, or in their place.
fn with<'f>(files: &[(&'f str, &'f str)], others: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    let kept = files.iter().filter(|(path, _)| !others.iter().any(|(other, _)| other == path));
    kept.chain(others).copied().collect()
}

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
