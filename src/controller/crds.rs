//! The definitions in a chart's `crds/`, by policy: Helm writes them at installation alone, Flux at upgrades too.
//!
//! Source: helm-controller 1.6 `internal/action/crds.go`, with `Create` as of its fix of September 2026: what exists is left alone.

use std::time::Duration;

use crate::api::annotation;
use crate::chart::Chart;
use crate::cluster::apply::{self, ApplyOptions, Method};
use crate::cluster::targets::{Target, build};
use crate::cluster::wait::{self, WaitOptions};
use crate::cluster::{Cluster, Json, manifest};

use super::subject::Subject;

/// How long new definitions are waited for.
const ESTABLISHED: Duration = Duration::from_secs(60);

/// Writes them. `chart` has its dependencies processed: those that are off bring nothing.
///
/// # Errors
/// Flux's text, without what stands before it in a message.
pub async fn apply(
    cluster: &dyn Cluster,
    subject: &Subject,
    chart: &Chart,
    policy: &str,
    server_side: bool,
    field_manager: &str,
) -> Result<(), String> {
    let crds = chart.crds();
    if crds.is_empty() {
        return Ok(());
    }
    match policy {
        "Skip" => return Ok(()),
        "" | "Create" | "CreateReplace" => {}
        other => {
            return Err(format!(
                "invalid CRD upgrade policy '{other}', valid values are 'Skip', 'Create' or 'CreateReplace'"
            ));
        }
    }
    let mut objects = Vec::new();
    for crd in &crds {
        let found = manifest::objects(&crd.file.data)
            .map_err(|e| format!("failed to parse CustomResourceDefinitions from {}: {e}", crd.path))?;
        objects.extend(found.into_iter().filter(is_definition));
    }
    objects.iter_mut().for_each(|o| label(o, subject));
    let targets = build(cluster, objects, "").await.map_err(|e| e.to_string())?;
    let method = match server_side {
        true => Method::ServerSide { force_conflicts: true, migrate: false },
        false if policy == "CreateReplace" => Method::Replace,
        false => Method::ClientSide { three_way_custom: false },
    };
    let options = ApplyOptions { field_manager: field_manager.into(), ..ApplyOptions::new(method) };
    let mut live = Vec::new();
    for target in &targets {
        live.push(
            cluster
                .get(&target.id)
                .await
                .map_err(|e| format!("failed to get CustomResourceDefinition {}: {e}", target.id.name))?,
        );
    }
    let mut written: Vec<Target> = Vec::new();
    if policy == "CreateReplace" {
        let there = |(t, l): (&Target, &Option<Json>)| l.is_some().then(|| t.clone());
        let originals: Vec<Target> = targets.iter().zip(&live).filter_map(there).collect();
        apply::update(cluster, &originals, &targets, &options)
            .await
            .map_err(|e| format!("failed to update CustomResourceDefinition(s): {}", e.message))?;
        written = targets;
    } else {
        for (target, live) in targets.into_iter().zip(live) {
            if live.is_some() {
                continue;
            }
            let name = target.id.name.clone();
            match apply::create(cluster, std::slice::from_ref(&target), &options).await {
                Ok(_) => written.push(target),
                Err(e) if e.causes.iter().all(crate::cluster::ClusterError::is_already_exists) => {}
                Err(e) => {
                    return Err(format!("failed to create CustomResourceDefinition {name}: {}", e.message));
                }
            }
        }
    }
    if !written.is_empty() {
        wait::ready(cluster, &written, &WaitOptions::new(ESTABLISHED))
            .await
            .map_err(|e| format!("failed to wait for CustomResourceDefinition(s): {e}"))?;
        cluster.refresh_discovery().await.map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// Anything else has no business in `crds/`, and is left out.
fn is_definition(object: &Json) -> bool {
    let text = |key: &str| object.get(key).and_then(Json::as_str).unwrap_or_default();
    text("kind") == "CustomResourceDefinition" && text("apiVersion").starts_with("apiextensions.k8s.io/")
}

fn label(object: &mut Json, subject: &Subject) {
    let Some(metadata) = object.get_mut("metadata").and_then(Json::as_object_mut) else { return };
    let labels = metadata.entry("labels").or_insert_with(|| Json::Object(Default::default()));
    if labels.is_null() {
        *labels = Json::Object(Default::default());
    }
    if let Some(labels) = labels.as_object_mut() {
        labels.insert(annotation::ORIGIN_NAME.into(), subject.name.clone().into());
        labels.insert(annotation::ORIGIN_NAMESPACE.into(), subject.namespace.clone().into());
    }
}
