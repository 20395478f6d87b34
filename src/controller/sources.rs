//! The source of a release's chart: which object it is, whether it may be used and is ready, and the HelmChart that is made for a release.
//!
//! Source: helm-controller 1.6 `internal/controller/helmrelease_controller.go`, `internal/reconcile/helmchart_template.go`, `internal/acl`.

use serde_json::json;

use crate::api::condition::{self, FALSE, READY, STALLED, TRUE};
use crate::api::{Artifact, Condition, SOURCE_API, annotation};
use crate::cluster::{Gvk, Json, ObjectId};

use super::index::Key;
use super::options::Options;
use super::subject::Subject;

/// Why a source may not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Denied(pub String);

/// The object whose artifact is the release's chart; `None` before its HelmChart was made.
pub fn chart_source(subject: &Subject) -> Option<Key> {
    match (&subject.spec.chart_ref, &subject.spec.chart) {
        (Some(reference), _) => {
            let namespace = or_own(subject, &reference.namespace);
            Some(Key::new(&reference.kind, namespace, &reference.name))
        }
        (None, Some(_)) => Some(helm_chart(subject)),
        (None, None) => None,
    }
}

/// The HelmChart that a chart template makes.
pub fn helm_chart(subject: &Subject) -> Key {
    let namespace = subject.spec.chart.as_ref().map_or("", |c| c.spec.source_ref.namespace.as_str());
    Key::new("HelmChart", or_own(subject, namespace), &format!("{}-{}", subject.namespace, subject.name))
}

fn or_own<'a>(subject: &'a Subject, namespace: &'a str) -> &'a str {
    if namespace.is_empty() { &subject.namespace } else { namespace }
}

/// # Errors
/// Another namespace where that is not allowed; an ExternalArtifact behind its gate.
pub fn check_access(subject: &Subject, source: &Key, options: &Options) -> Result<(), Denied> {
    cross_namespace(subject, source, options)?;
    // The gate is Flux's; here such artifacts are used like any other.
    if source.kind == "ExternalArtifact" && options.compat_flux && !options.gates.external_artifact {
        return Err(Denied(format!(
            "can't access 'ExternalArtifact/{}/{}', ExternalArtifact feature gate is disabled",
            source.namespace, source.name
        )));
    }
    Ok(())
}

/// # Errors
/// Another namespace where that is not allowed.
pub fn cross_namespace(subject: &Subject, to: &Key, options: &Options) -> Result<(), Denied> {
    if options.no_cross_namespace_refs && to.namespace != subject.namespace {
        return Err(Denied(format!(
            "cross-namespace references are not allowed: cannot access {} {}/{}",
            to.kind, to.namespace, to.name
        )));
    }
    Ok(())
}

/// A source that can be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Ready {
    pub artifact: Artifact,
    /// The commit or the like that the artifact was made of, where it is told.
    pub origin_revision: String,
}

impl Ready {
    /// What the artifact was made of; of a source that is the origin itself, its revision.
    pub fn origin(&self, source: &Key) -> String {
        match source.kind.as_str() {
            _ if !self.origin_revision.is_empty() => self.origin_revision.clone(),
            "HelmChart" => String::new(),
            _ => self.artifact.revision.clone(),
        }
    }
}

/// The artifact of a source.
///
/// # Errors
/// Why it is not ready, in Flux's words.
pub fn ready(key: &Key, source: &Json) -> Result<Ready, String> {
    let Key { kind, namespace, name } = key;
    let artifact: Option<Artifact> = source
        .pointer("/status/artifact")
        .filter(|a| !a.is_null())
        .and_then(|a| serde_json::from_value(a.clone()).ok());
    let not_ready = |why: &str| Err(format!("{kind} '{namespace}/{name}' is not ready: {why}"));
    if kind != "ExternalArtifact" {
        let number = |at: &str| source.pointer(at).and_then(Json::as_i64).unwrap_or_default();
        let conditions = conditions(source);
        if number("/metadata/generation") != number("/status/observedGeneration") {
            let own = condition::get(&conditions, READY).filter(|c| c.status == FALSE).map(|c| c.message.as_str());
            return not_ready(own.unwrap_or("latest generation of object has not been reconciled"));
        }
        if let Some(stalled) = condition::get(&conditions, STALLED).filter(|c| c.status == TRUE) {
            return not_ready(&stalled.message);
        }
    }
    let Some(artifact) = artifact else { return not_ready("does not have an artifact") };
    let origin = artifact.metadata.get("org.opencontainers.image.revision").cloned();
    let observed = source.pointer("/status/observedSourceArtifactRevision").and_then(Json::as_str).map(str::to_owned);
    let origin_revision = origin.or(observed).unwrap_or_default();
    Ok(Ready { artifact, origin_revision })
}

/// Of a source's artifact; empty without one.
pub fn artifact_digest(source: &Json) -> &str {
    source.pointer("/status/artifact/digest").and_then(Json::as_str).unwrap_or_default()
}

/// The conditions of any object.
pub fn conditions(object: &Json) -> Vec<Condition> {
    let list = object.pointer("/status/conditions").cloned().unwrap_or_default();
    serde_json::from_value(list).unwrap_or_default()
}

/// Whether what changed of a source matters to who uses it. Source: `internal/predicates/source_predicate.go`.
pub fn is_news(old: Option<&Json>, new: &Json) -> bool {
    let revision = |o: &Json| o.pointer("/status/artifact/revision").and_then(Json::as_str).map(str::to_owned);
    let is_ready = |o: &Json| condition::is(&conditions(o), READY, TRUE);
    let Some(old) = old else { return true };
    let digest = |o: &Json| o.pointer("/status/artifact/digest").and_then(Json::as_str).map(str::to_owned);
    (revision(new).is_some() && (revision(old) != revision(new) || digest(old) != digest(new)))
        || (!is_ready(old) && is_ready(new))
}

/// The HelmChart of a chart template.
pub fn chart_object(subject: &Subject) -> Option<Json> {
    let template = subject.spec.chart.as_ref()?;
    let spec = &template.spec;
    let key = helm_chart(subject);
    let mut chart = json!({
        "chart": spec.chart,
        "sourceRef": {"kind": spec.source_ref.kind, "name": spec.source_ref.name},
        "interval": spec.interval.as_ref().unwrap_or(&subject.spec.interval).canonical(),
    });
    let fields = chart.as_object_mut()?;
    let text = |value: &str| (!value.is_empty()).then(|| json!(value));
    let optional = [
        ("version", text(&spec.version)),
        ("reconcileStrategy", text(&spec.reconcile_strategy)),
        ("valuesFiles", (!spec.values_files.is_empty()).then(|| json!(spec.values_files))),
        ("ignoreMissingValuesFiles", spec.ignore_missing_values_files.then_some(json!(true))),
        ("verify", spec.verify.as_ref().and_then(|v| serde_json::to_value(v).ok())),
    ];
    fields.extend(optional.into_iter().filter_map(|(k, v)| Some((k.to_owned(), v?))));
    let metadata = template.metadata.clone().unwrap_or_default();
    let mut labels = metadata.labels;
    labels.insert(annotation::ORIGIN_NAME.into(), subject.name.clone());
    labels.insert(annotation::ORIGIN_NAMESPACE.into(), subject.namespace.clone());
    let mut object = json!({
        "apiVersion": SOURCE_API,
        "kind": "HelmChart",
        "metadata": {"name": key.name, "namespace": key.namespace, "labels": labels},
        "spec": chart,
    });
    if !metadata.annotations.is_empty() {
        object["metadata"]["annotations"] = json!(metadata.annotations);
    }
    Some(object)
}

/// Whether a live HelmChart is as it is wanted: then nothing needs to be written.
pub fn is_applied(live: &Json, wanted: &Json) -> bool {
    let fields = |o: &Json, at: &str| o.pointer(at).and_then(Json::as_object).cloned().unwrap_or_default();
    let covered = ["/metadata/labels", "/metadata/annotations"].into_iter().all(|at| {
        let live = fields(live, at);
        fields(wanted, at).iter().all(|(k, v)| live.get(k) == Some(v))
    });
    let defaults = json!({"version": "*", "reconcileStrategy": "ChartVersion"});
    let with_defaults = |o: &Json| {
        let mut spec = fields(&defaults, "");
        spec.extend(fields(o, "/spec"));
        spec
    };
    covered && with_defaults(live) == with_defaults(wanted)
}

/// What names a source for the API server.
pub fn id(key: &Key) -> ObjectId {
    let gvk = Gvk::parse(SOURCE_API, &key.kind);
    ObjectId::new(gvk, Some(&key.namespace), &key.name)
}
