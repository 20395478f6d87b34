//! Templates: they render in lint mode, and what they print are Kubernetes objects with proper names and current APIs.
//!
//! Source: Helm 4.3 `pkg/chart/v2/lint/rules/template.go`.

use std::sync::Arc;

use crate::golang::{path, strconv};
use crate::gotmpl::State;
use crate::render::{self, Capabilities, Compat, KubeVersion, ReleaseOptions, Request};
use crate::value::MapId;

use super::document::{Documents, Object};
use super::{Linter, Options, deprecations, directory_rule, names};

/// The longest line that Go's scanner takes, in bytes, its end included.
const MAX_LINE: usize = 64 * 1024;

pub(super) fn lint(linter: &mut Linter<'_>, st: &mut State, values: MapId, options: &Options) {
    const DIR: &str = "templates/";
    let Some(found) = directory_rule(&linter.path("templates")) else {
        linter.warning(DIR, Err("directory does not exist".into()));
        return;
    };
    if !linter.error(DIR, found) {
        return;
    }
    let chart = match linter.load() {
        Ok(chart) => chart,
        Err(e) => {
            linter.error(DIR, Err(e));
            return;
        }
    };
    let capabilities = Capabilities::offline(Compat::default(), options.kube_version.clone(), &[]);
    let kubernetes = capabilities.kube_version.clone();
    let request = Request {
        release: ReleaseOptions {
            name: "test-release".into(),
            namespace: options.namespace.clone(),
            revision: 0,
            is_install: false,
            is_upgrade: false,
        },
        capabilities: Arc::new(capabilities),
        skip_schema_validation: options.skip_schema_validation,
    };
    let name = chart.name().to_string();
    let templates: Vec<String> = chart.templates.iter().map(|t| t.name.clone()).collect();
    let rendered = match render::lint_files(st, chart, values, &request, linter.log) {
        Ok(Some(rendered)) => rendered,
        Ok(None) => return,
        Err(e) => {
            linter.error(DIR, Err(e.message));
            return;
        }
    };
    for file in &templates {
        // A template for the second engine is named for what it prints.
        let file_name = file.strip_suffix(render::tera::SUFFIX).unwrap_or(file);
        linter.error(file, extension(file_name));
        let ext = path::ext(file_name.as_bytes()).to_ascii_lowercase();
        if ext != b".yaml" && ext != b".yml" {
            continue;
        }
        let full = String::from_utf8_lossy(&path::join(&[name.as_str(), file_name])).into_owned();
        let text = rendered.get(&full).map(Vec::as_slice).unwrap_or_default();
        if !objects(linter, file, text, &kubernetes) {
            return;
        }
    }
}

/// The rules for what one template printed. False if it cannot be read: Helm then looks at no further template.
fn objects(linter: &mut Linter<'_>, file: &str, text: &[u8], kubernetes: &KubeVersion) -> bool {
    if render::manifest::trim_space(text).is_empty() {
        return true;
    }
    linter.warning(file, top_indent(text));
    for object in Documents::new(text) {
        let object = match object {
            Ok(object) => object,
            Err(e) => return linter.error(file, Err(format!("unable to parse YAML: {e}"))),
        };
        let Some(object) = object else { continue };
        linter.warning(file, names::check(&object.kind, &object.name));
        linter.warning(file, deprecations::check(&object.api_version, &object.kind, kubernetes));
        linter.error(file, selector(&object, text));
        linter.error(file, list_annotations(&object, text));
    }
    true
}

fn extension(file: &str) -> Result<(), String> {
    let ext = path::ext(file.as_bytes());
    if [&b".yaml"[..], b".yml", b".tpl", b".txt"].contains(&ext) {
        return Ok(());
    }
    let ext = String::from_utf8_lossy(ext);
    Err(format!("file extension '{ext}' not valid. Valid extensions are .yaml, .yml, .tpl, or .txt"))
}

/// The first line that is not blank must not be indented.
fn top_indent(text: &[u8]) -> Result<(), String> {
    let mut rest = text;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest);
        if end.unwrap_or(rest.len()) >= MAX_LINE {
            return Err("bufio.Scanner: token too long".into());
        }
        let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !render::manifest::trim_space(line).is_empty() {
            if line.starts_with(b" ") || line.starts_with(b"\t") {
                let line = strconv::quote(line);
                return Err(format!(
                    "document starts with an illegal indent: {line}, which may cause parsing problems"
                ));
            }
            return Ok(());
        }
        rest = end.and_then(|n| rest.get(n + 1..)).unwrap_or_default();
    }
    Ok(())
}

/// Looked for in the whole text of the file, as Helm does.
fn selector(object: &Object, text: &[u8]) -> Result<(), String> {
    if !matches!(object.kind.as_str(), "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet") {
        return Ok(());
    }
    let has = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
    if has("matchLabels") || has("matchExpressions") {
        return Ok(());
    }
    let name = strconv::quote(object.name.as_bytes());
    Err(format!("a {} must contain matchLabels or matchExpressions, and {name} does not", object.kind))
}

/// `helm.sh/resource-policy` on an item of a List. Only the first document of the file is looked at, whichever holds the List.
fn list_annotations(object: &Object, text: &[u8]) -> Result<(), String> {
    const POLICY: &str = "helm.sh/resource-policy";
    if object.kind != "List" {
        return Ok(());
    }
    let annotations = super::document::list_annotations(text).map_err(|e| format!("unable to parse YAML: {e}"))?;
    if annotations.iter().any(|a| a == POLICY) {
        return Err(format!("annotation '{POLICY}' within List objects are ignored"));
    }
    Ok(())
}
