//! One object beside everything that is known of its kind: Kubernetes' own schemas, the CRDs of the repository, Flux' API.
//!
//! Objects of files and rendered ones are judged alike; where a finding points to is the caller's to say.

use super::apis::{Served, served};
use super::as_built;
use super::rules;
use super::scan::{at, text};
use super::schema::{Fault, Minor, Schemas, Violation};
use super::suggest::nearest;
use crate::lint::is_1123_label;
use crate::repo::document::Node;
use crate::report::Rule;

/// What is known beside Kubernetes' own kinds.
pub struct Known<'a> {
    pub minor: Minor,
    /// From CRDs in the repository.
    pub custom: &'a Schemas,
}

/// Something that is wrong with an object.
#[derive(Clone, Debug)]
pub struct Judgement {
    pub rule: &'static Rule,
    /// In the document that was judged.
    pub line: usize,
    /// The path to the place, for documents whose lines are nobody's.
    pub steps: Vec<String>,
    pub message: String,
    pub fix: String,
}

/// Kinds whose names are paths or have colons.
const FREE_NAMES: [&str; 6] =
    ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "APIService", "CustomResourceDefinition"];

/// Flux' API versions that are no longer served, and what to write.
const FLUX_GONE: [(&str, &str); 9] = [
    ("helm.toolkit.fluxcd.io/v2beta1", "helm.toolkit.fluxcd.io/v2"),
    ("helm.toolkit.fluxcd.io/v2beta2", "helm.toolkit.fluxcd.io/v2"),
    ("source.toolkit.fluxcd.io/v1alpha1", "source.toolkit.fluxcd.io/v1"),
    ("source.toolkit.fluxcd.io/v1beta1", "source.toolkit.fluxcd.io/v1"),
    ("source.toolkit.fluxcd.io/v1beta2", "source.toolkit.fluxcd.io/v1"),
    ("kustomize.toolkit.fluxcd.io/v1alpha1", "kustomize.toolkit.fluxcd.io/v1"),
    ("kustomize.toolkit.fluxcd.io/v1beta1", "kustomize.toolkit.fluxcd.io/v1"),
    ("kustomize.toolkit.fluxcd.io/v1beta2", "kustomize.toolkit.fluxcd.io/v1"),
    ("notification.toolkit.fluxcd.io/v1beta1", "notification.toolkit.fluxcd.io/v1beta3"),
];

/// Says what is wrong with an object.
pub fn judge(node: &Node, known: &Known<'_>) -> Vec<Judgement> {
    let mut out = Vec::new();
    let (api, kind) = (text(node, "apiVersion"), text(node, "kind"));
    let line_of = |key: &str| node.entry(key).map_or(node.line(), |(k, _)| k.line());
    let mut say = |rule, key: &str, message: String, fix: String| {
        out.push(Judgement { rule, line: line_of(key), steps: vec![key.into()], message, fix });
    };
    if api.is_empty() || kind.is_empty() {
        let missing = if api.is_empty() { "apiVersion" } else { "kind" };
        say(&rules::KUBE_MANIFEST, "", format!("an object without {missing}"), format!("add {missing}"));
        return out;
    }
    if is_foreign(api, kind) || is_configuration(node, api) {
        return out;
    }
    if let Some((_, instead)) = FLUX_GONE.iter().find(|(gone, _)| *gone == api) {
        let message = format!("{api} is not served any more");
        say(&rules::FLUX_API, "apiVersion", message, format!("write {instead}"));
        return out;
    }
    let violations = match served(api, kind, known.minor) {
        Served::Removed(since, instead) => {
            let message = format!("{api} {kind} is not served since Kubernetes 1.{since}");
            let fix =
                if instead.is_empty() { "there is nothing in its place".into() } else { format!("use {instead}") };
            say(&rules::KUBE_REMOVED_API, "apiVersion", message, fix);
            return out;
        }
        Served::NotYet(since) => {
            let message = format!("{api} {kind} is served from Kubernetes 1.{since} on, not in 1.{}", known.minor);
            say(&rules::KUBE_FUTURE_API, "apiVersion", message, "use an earlier API version".into());
            return out;
        }
        Served::Leaving(last, instead) => {
            let message = format!("{api} {kind} is served until Kubernetes 1.{last} only");
            say(&rules::KUBE_DEPRECATED_API, "apiVersion", message, format!("use {instead}"));
            let schemas = Schemas::kubernetes();
            schemas.kind(api, kind).map(|k| schemas.validate(&k.ty, node, known.minor)).unwrap_or_default()
        }
        Served::Yes => {
            let schemas = Schemas::kubernetes();
            schemas.kind(api, kind).map(|k| schemas.validate(&k.ty, node, known.minor)).unwrap_or_default()
        }
        Served::Unknown => match known.custom.kind(api, kind) {
            Some(entry) => known.custom.validate(&entry.ty, node, known.minor),
            None => {
                unknown(api, kind, known, &mut say);
                Vec::new()
            }
        },
    };
    // What SOPS hides has neither its type nor its fields.
    if node.get("sops").is_none() {
        let theme = theme(api, kind, known);
        let known = |v: &Violation| v.fault != Fault::InvalidValue || !is_stand_in(node, &v.steps);
        out.extend(violations.into_iter().filter(known).filter_map(|v| {
            let Violation { fault, line, mut steps, message, fix, .. } = v;
            if fault == Fault::MissingField {
                // What is missing stands nowhere: the place is that of what it is missing from.
                steps.pop();
            }
            Some(Judgement { rule: theme.rule(fault)?, line, steps, message, fix })
        }));
    }
    name(node, &mut out);
    out
}

/// Whether what stands at a place, or a part of it, stands for a value that is not at hand: one that SOPS hides, or one that is made in the cluster.
fn is_stand_in(node: &Node, steps: &[String]) -> bool {
    let text = as_built::value(node, steps).and_then(Node::as_str).unwrap_or_default();
    ["<encrypted ", "<Secret/", "<ConfigMap/", "ENC["].iter().any(|mark| text.contains(mark))
}

/// Says what is wrong with an object's name alone.
pub fn judge_name(node: &Node) -> Vec<Judgement> {
    let mut out = Vec::new();
    name(node, &mut out);
    out
}

/// Others write `apiVersion` and `kind`, too, without a group: a kubeconfig, documents of Talos' machine configuration. Kubernetes' own
/// objects without a group are all v1.
fn is_foreign(api: &str, kind: &str) -> bool {
    let bare = !api.contains('/') && (api != "v1" || kind == "Config");
    bare && Schemas::kubernetes().api_versions(kind).next().is_none()
}

/// Groups of files that programs read and that no API server has (kubeadm, kubelet, kind, clusterctl): documents of theirs need no metadata.
fn is_configuration(node: &Node, api: &str) -> bool {
    let group = api.split_once('/').map_or("", |(group, _)| group);
    let known = ["kubeadm.k8s.io", "audit.k8s.io", "kind.x-k8s.io", "clusterctl.cluster.x-k8s.io"].contains(&group);
    node.get("metadata").is_none() && (known || group.ends_with(".config.k8s.io"))
}

fn unknown(api: &str, kind: &str, known: &Known<'_>, say: &mut impl FnMut(&'static Rule, &str, String, String)) {
    let group = api.split_once('/').map_or("", |(g, _)| g);
    if known.custom.has_group(group) {
        let versions: Vec<&str> = known.custom.api_versions(kind).collect();
        let message = format!("no definition in the repository has {api} {kind}");
        if let Some(first) = versions.last() {
            say(&rules::CRD_VERSION, "apiVersion", message, format!("write {first}"));
        }
        return;
    }
    let schemas = Schemas::kubernetes();
    if !schemas.has_group(group) || kind.ends_with("List") {
        return;
    }
    let message = format!("Kubernetes has no {api} {kind}");
    let elsewhere = schemas.api_versions(kind).last();
    let near = nearest(kind, schemas.kinds_of(api));
    let (key, fix) = match (elsewhere, near) {
        (Some(api), _) => ("apiVersion", format!("write apiVersion: {api}")),
        (None, Some(kind)) => ("kind", format!("write kind: {kind}")),
        (None, None) => ("kind", "correct apiVersion or kind".into()),
    };
    say(&rules::KUBE_UNKNOWN_KIND, key, message, fix);
}

#[derive(Clone, Copy)]
enum Theme {
    Kubernetes,
    Flux,
    Custom,
}

fn theme(api: &str, kind: &str, known: &Known<'_>) -> Theme {
    if known.custom.kind(api, kind).is_none() {
        Theme::Kubernetes
    } else if api.contains(".toolkit.fluxcd.io/") {
        Theme::Flux
    } else {
        Theme::Custom
    }
}

impl Theme {
    const fn rule(self, fault: Fault) -> Option<&'static Rule> {
        Some(match (self, fault) {
            (Self::Kubernetes, Fault::UnknownField) => &rules::KUBE_UNKNOWN_FIELD,
            (Self::Kubernetes, Fault::WrongType) => &rules::KUBE_WRONG_TYPE,
            (Self::Kubernetes, Fault::MissingField) => &rules::KUBE_MISSING_FIELD,
            (Self::Kubernetes, Fault::InvalidValue) => return None,
            (Self::Flux, Fault::UnknownField) => &rules::FLUX_UNKNOWN_FIELD,
            (Self::Flux, Fault::WrongType) => &rules::FLUX_WRONG_TYPE,
            (Self::Flux, Fault::MissingField) => &rules::FLUX_MISSING_FIELD,
            (Self::Flux, Fault::InvalidValue) => &rules::FLUX_INVALID_VALUE,
            (Self::Custom, Fault::UnknownField) => &rules::CRD_UNKNOWN_FIELD,
            (Self::Custom, Fault::WrongType) => &rules::CRD_WRONG_TYPE,
            (Self::Custom, Fault::MissingField) => &rules::CRD_MISSING_FIELD,
            (Self::Custom, Fault::InvalidValue) => &rules::CRD_INVALID_VALUE,
        })
    }
}

/// `metadata.name`: a DNS subdomain, a label for Services and Namespaces.
fn name(node: &Node, out: &mut Vec<Judgement>) {
    let (api, kind) = (text(node, "apiVersion"), text(node, "kind"));
    let metadata = node.entry("metadata");
    let mut say = |line: usize, message: String, fix: &str| {
        let steps = vec!["metadata".into(), "name".into()];
        out.push(Judgement { rule: &rules::KUBE_NAME, line, steps, message, fix: fix.into() });
    };
    let Some(name) = at(node, &["metadata", "name"]).and_then(Node::as_str).filter(|n| !n.is_empty()) else {
        if at(node, &["metadata", "generateName"]).is_none() {
            say(
                metadata.map_or(node.line(), |(k, _)| k.line()),
                format!("a {kind} without metadata.name"),
                "add a name",
            );
        }
        return;
    };
    // OpenShift's own API server has rules of its own: `ImageStream label_sync`.
    let openshift = api.split_once('/').is_some_and(|(group, _)| group.ends_with(".openshift.io"));
    if openshift || FREE_NAMES.contains(&kind) || name.contains("${") || kind.ends_with("List") {
        return;
    }
    let line = at(node, &["metadata"]).and_then(|m| m.entry("name")).map_or(node.line(), |(k, _)| k.line());
    let limit = if matches!(kind, "Service" | "Namespace") { 63 } else { 253 };
    if matches!(kind, "Service" | "Namespace") && !is_1123_label(name) || !name.split('.').all(is_1123_label) {
        let fix = "use lower case letters, digits, - and, where it is allowed, dots";
        say(line, format!("{name:?} is no name for a {kind}"), fix);
    } else if name.len() > limit {
        say(line, format!("the name of this {kind} has {} characters, {limit} are allowed", name.len()), "shorten it");
    }
}
