//! Makes `src/repo/check/schema/kubernetes.txt` from the OpenAPI documents of Kubernetes releases:
//!
//!     go mod download k8s.io/kubernetes@v1.37.2     # one for each minor version, api/openapi-spec/swagger.json in each
//!     cargo run --example kubernetes_schemas -- 1.31=swagger-1.31.json … 1.37=swagger-1.37.json > src/repo/check/schema/kubernetes.txt
//!
//! What only a cluster writes (`status`, lists, options of calls) is left out. The format is told in `src/repo/check/schema/table.rs`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

/// A field's type as the table writes it, with what holds of it in the versions.
#[derive(Default)]
struct Field {
    /// type → minor versions with it.
    types: BTreeMap<String, BTreeSet<u32>>,
}

fn main() {
    let mut versions = BTreeSet::new();
    let mut types: BTreeMap<String, BTreeMap<String, Field>> = BTreeMap::new();
    let mut present: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    let mut kinds: BTreeMap<(String, String, String), BTreeSet<u32>> = BTreeMap::new();
    for argument in std::env::args().skip(1) {
        let (version, path) = argument.split_once('=').expect("VERSION=FILE");
        let minor: u32 = version.split('.').nth(1).and_then(|m| m.parse().ok()).expect("1.MINOR=FILE");
        versions.insert(minor);
        let text = std::fs::read(path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let document: Json = serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
        let definitions = document["definitions"].as_object().expect("definitions");
        let mut open = Vec::new();
        for (name, definition) in definitions {
            for gvk in definition["x-kubernetes-group-version-kind"].as_array().into_iter().flatten() {
                let part = |key: &str| gvk[key].as_str().unwrap_or_default().to_owned();
                let kind = part("kind");
                let call = [
                    "DeleteOptions",
                    "WatchEvent",
                    "Status",
                    "APIGroup",
                    "APIGroupList",
                    "APIResourceList",
                    "APIVersions",
                ];
                if kind.ends_with("List") || call.contains(&kind.as_str()) {
                    continue;
                }
                let group = part("group");
                let api = if group.is_empty() { part("version") } else { format!("{group}/{}", part("version")) };
                kinds.entry((api, kind, short(name))).or_default().insert(minor);
                open.push(name.clone());
            }
        }
        let mut seen = BTreeSet::new();
        while let Some(name) = open.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            let Some(definition) = definitions.get(&name) else { continue };
            let required: BTreeSet<&str> =
                definition["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
            let is_kind = definition.get("x-kubernetes-group-version-kind").is_some();
            present.entry(short(&name)).or_default().insert(minor);
            let fields = types.entry(short(&name)).or_default();
            for (field, schema) in definition["properties"].as_object().into_iter().flatten() {
                let mut code = if is_kind && field == "status" { "*".into() } else { code(schema, &mut open) };
                if required.contains(field.as_str()) {
                    code.push('!');
                }
                fields.entry(field.clone()).or_default().types.entry(code).or_default().insert(minor);
            }
        }
    }
    let (first, last) = (*versions.first().expect("a version"), *versions.last().expect("a version"));
    let range = |set: &BTreeSet<u32>, within: &BTreeSet<u32>| {
        let (from, to) = (*set.first().expect("a version"), *set.last().expect("a version"));
        let since = if within.iter().all(|v| *v >= from) { String::new() } else { from.to_string() };
        let until = if within.iter().all(|v| *v <= to) { String::new() } else { to.to_string() };
        if since.is_empty() && until.is_empty() { String::new() } else { format!("@{since}-{until}") }
    };
    println!("# Made by examples/kubernetes_schemas.rs from Kubernetes' own OpenAPI documents. Do not edit.");
    println!("versions {first} {last}");
    for ((api, kind, name), set) in &kinds {
        println!("kind {api} {kind} {name}{}", range(set, &versions));
    }
    for (name, fields) in &types {
        let mut line = format!("type {name}");
        for (field, f) in fields {
            for (code, set) in &f.types {
                line.push_str(&format!(" {field}:{code}{}", range(set, &present[name])));
            }
        }
        println!("{line}");
    }
}

/// `io.k8s.api.apps.v1.Deployment` → `apps.v1.Deployment`.
fn short(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    parts[parts.len().saturating_sub(3)..].join(".")
}

fn code(schema: &Json, open: &mut Vec<String>) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.trim_start_matches("#/definitions/");
        let last = name.rsplit('.').next().unwrap_or_default();
        return match last {
            "Quantity" => "q".into(),
            "IntOrString" => "p".into(),
            "Time" | "MicroTime" => "s".into(),
            "RawExtension"
            | "FieldsV1"
            | "JSON"
            | "JSONSchemaPropsOrArray"
            | "JSONSchemaPropsOrBool"
            | "JSONSchemaPropsOrStringArray" => "*".into(),
            _ => {
                open.push(name.to_owned());
                format!("#{}", short(name))
            }
        };
    }
    match schema["type"].as_str() {
        Some("string") if schema["format"] == "byte" => "y".into(),
        Some("string") => "s".into(),
        Some("integer") => "i".into(),
        Some("boolean") => "b".into(),
        Some("number") => "n".into(),
        Some("array") => format!("[{}", code(&schema["items"], open)),
        Some("object") if schema.get("additionalProperties").is_some() => {
            format!("{{{}", code(&schema["additionalProperties"], open))
        }
        _ => "*".into(),
    }
}
