//! Helm's older rules of readiness, those of `--wait=legacy`. Source: Helm 4.3 `pkg/kube/ready.go` and the deployment helpers that it brings along.
//!
//! They look at the live object alone; for a Deployment, a ReplicaSet or a ReplicationController the caller fetches what stands below it. `Ok`
//! is ready; the other side says what is missing.

use super::fields::{int, text};
use super::{Json, State, Status};
use crate::cluster::Gvk;

/// What stands below an object and counts too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Below {
    Nothing,
    /// The ReplicaSets of a Deployment.
    ReplicaSets,
    /// The pods that its selector names.
    Pods,
}

/// What [`judge`] wants to see below an object of this kind.
pub fn below(gvk: &Gvk) -> Below {
    match (gvk.group.as_str(), gvk.version.as_str(), gvk.kind.as_str()) {
        ("apps", "v1", "Deployment") => Below::ReplicaSets,
        ("apps", "v1", "ReplicaSet") | ("", "v1", "ReplicationController") => Below::Pods,
        _ => Below::Nothing,
    }
}

/// Whether anything is asked about this kind at all: of others even the existence is not checked.
pub fn is_checked(gvk: &Gvk, jobs: bool) -> bool {
    let kind = gvk.kind.as_str();
    match (gvk.group.as_str(), gvk.version.as_str()) {
        ("", "v1") => matches!(kind, "Pod" | "PersistentVolumeClaim" | "Service" | "ReplicationController"),
        ("apps", "v1") => matches!(kind, "Deployment" | "DaemonSet" | "StatefulSet" | "ReplicaSet"),
        ("batch", "v1") => jobs && kind == "Job",
        ("apiextensions.k8s.io", "v1" | "v1beta1") => kind == "CustomResourceDefinition",
        _ => false,
    }
}

/// Judges a live object with what stands below it (empty where [`below`] says nothing). `Failed` only for a Job beyond its back-off limit.
pub fn judge(o: &Json, below: &[Json]) -> Status {
    let gvk = Gvk::of(o);
    let verdict = match gvk.kind.as_str() {
        "Pod" => pod(o),
        "Job" => return job(o),
        "Deployment" => deployment(o, below),
        "PersistentVolumeClaim" => match text(o, &["status", "phase"], "") {
            "Bound" => Ok(()),
            _ => Err("PersistentVolumeClaim is not bound".into()),
        },
        "Service" => service(o),
        "DaemonSet" => daemon_set(o),
        "CustomResourceDefinition" => definition(o),
        "StatefulSet" => stateful_set(o),
        "ReplicaSet" | "ReplicationController" => observed(o).and_then(|()| below.iter().try_for_each(pod)),
        _ => Ok(()),
    };
    match verdict {
        Ok(()) => Status::current("ready"),
        Err(missing) => Status::new(State::InProgress, missing),
    }
}

type Verdict = Result<(), String>;

fn conditions(o: &Json) -> impl Iterator<Item = (&str, &str)> {
    let list = o.pointer("/status/conditions").and_then(Json::as_array);
    list.into_iter().flatten().map(|c| (text(c, &["type"], ""), text(c, &["status"], "")))
}

fn pod(o: &Json) -> Verdict {
    if conditions(o).any(|c| c == ("Ready", "True")) {
        return Ok(());
    }
    Err(format!("Pod {} is not ready", text(o, &["metadata", "name"], "")))
}

fn job(o: &Json) -> Status {
    let failed = int(o, &["status", "failed"], 0);
    if failed > int(o, &["spec", "backoffLimit"], 6) {
        return Status::failed("JobFailed", format!("{failed} pods failed"));
    }
    let succeeded = int(o, &["status", "succeeded"], 0);
    match o.pointer("/spec/completions").and_then(Json::as_i64) {
        Some(wanted) if succeeded < wanted => {
            Status::new(State::InProgress, format!("Job is not completed: {succeeded}/{wanted}"))
        }
        _ => Status::current("ready"),
    }
}

/// The controller has seen the spec as it is.
fn observed(o: &Json) -> Verdict {
    let (generation, seen) = (int(o, &["metadata", "generation"], 0), int(o, &["status", "observedGeneration"], 0));
    if generation == seen {
        return Ok(());
    }
    let kind = text(o, &["kind"], "object");
    Err(format!("{kind} is not ready, observed generation {seen} of {generation}"))
}

fn deployment(o: &Json, sets: &[Json]) -> Verdict {
    // Nobody acts on it while it is paused.
    if o.pointer("/spec/paused").and_then(Json::as_bool) == Some(true) {
        return Ok(());
    }
    let Some(set) = new_replica_set(o, sets) else {
        return Err("Deployment has no ReplicaSet of its present template".into());
    };
    observed(set)?;
    observed(o)?;
    let replicas = int(o, &["spec", "replicas"], 1);
    let expected = replicas - max_unavailable(o, replicas);
    let ready = int(set, &["status", "readyReplicas"], 0);
    if ready < expected {
        return Err(format!("Deployment does not have enough pods ready: {ready}/{expected}"));
    }
    Ok(())
}

/// The oldest of its ReplicaSets with the Deployment's present template.
fn new_replica_set<'s>(o: &Json, sets: &'s [Json]) -> Option<&'s Json> {
    let uid = text(o, &["metadata", "uid"], "");
    let owned = |set: &&Json| {
        let owners = set.pointer("/metadata/ownerReferences").and_then(Json::as_array);
        let is_controller = |r: &Json| r.get("controller").and_then(Json::as_bool) == Some(true);
        owners.into_iter().flatten().any(|r| is_controller(r) && text(r, &["uid"], "") == uid)
    };
    let template = template_without_hash(o);
    let key = |set: &&Json| {
        (text(set, &["metadata", "creationTimestamp"], "").to_owned(), text(set, &["metadata", "name"], "").to_owned())
    };
    sets.iter().filter(owned).filter(|set| template_without_hash(set) == template).min_by_key(key)
}

fn template_without_hash(o: &Json) -> Option<Json> {
    let mut template = o.pointer("/spec/template")?.clone();
    if let Some(metadata) = template.get_mut("metadata").and_then(Json::as_object_mut) {
        let labels = metadata.get_mut("labels").and_then(Json::as_object_mut);
        if labels.is_some_and(|l| {
            l.remove("pod-template-hash");
            l.is_empty()
        }) {
            metadata.remove("labels");
        }
    }
    Some(template)
}

/// How many pods a rolling update may miss. Both bounds come down to zero by rounding: then one, as the controller has it.
fn max_unavailable(o: &Json, replicas: i64) -> i64 {
    if text(o, &["spec", "strategy", "type"], "") != "RollingUpdate" || replicas == 0 {
        return 0;
    }
    let bound = |name: &str, up| match o.pointer(&format!("/spec/strategy/rollingUpdate/{name}")) {
        Some(value) => scaled(value, replicas, up),
        None => Some(0),
    };
    let (Some(surge), Some(unavailable)) = (bound("maxSurge", true), bound("maxUnavailable", false)) else { return 0 };
    if surge == 0 && unavailable == 0 { 1 } else { unavailable.min(replicas) }
}

/// A number, or a percentage of `total`. Source: apimachinery `intstr.GetScaledValueFromIntOrPercent`.
fn scaled(value: &Json, total: i64, up: bool) -> Option<i64> {
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    let percent: i64 = value.as_str()?.strip_suffix('%')?.parse().ok()?;
    let product = percent.checked_mul(total)?;
    Some(if up { product.saturating_add(99).div_euclid(100) } else { product.div_euclid(100) })
}

fn service(o: &Json) -> Verdict {
    let kind = text(o, &["spec", "type"], "");
    if kind == "ExternalName" {
        return Ok(());
    }
    if text(o, &["spec", "clusterIP"], "").is_empty() {
        return Err("Service does not have cluster IP address".into());
    }
    let some = |path: &str| o.pointer(path).and_then(Json::as_array).is_some_and(|a| !a.is_empty());
    if kind == "LoadBalancer" && !some("/spec/externalIPs") && !some("/status/loadBalancer/ingress") {
        return Err("Service does not have load balancer ingress IP address".into());
    }
    Ok(())
}

fn daemon_set(o: &Json) -> Verdict {
    observed(o)?;
    if text(o, &["spec", "updateStrategy", "type"], "") != "RollingUpdate" {
        return Ok(());
    }
    let desired = int(o, &["status", "desiredNumberScheduled"], 0);
    let updated = int(o, &["status", "updatedNumberScheduled"], 0);
    if updated != desired {
        return Err(format!("DaemonSet does not have enough Pods scheduled: {updated}/{desired}"));
    }
    let bound = o.pointer("/spec/updateStrategy/rollingUpdate/maxUnavailable");
    let expected = desired - bound.and_then(|b| scaled(b, desired, true)).unwrap_or(desired);
    let ready = int(o, &["status", "numberReady"], 0);
    if ready < expected {
        return Err(format!("DaemonSet does not have enough Pods ready: {ready}/{expected}"));
    }
    Ok(())
}

/// Established; or its names are taken by another, which is not for a wait to judge.
fn definition(o: &Json) -> Verdict {
    let done = |c: (&str, &str)| matches!(c, ("Established", "True") | ("NamesAccepted", "False"));
    if conditions(o).any(done) { Ok(()) } else { Err("CustomResourceDefinition is not established".into()) }
}

fn stateful_set(o: &Json) -> Verdict {
    observed(o)?;
    if text(o, &["spec", "updateStrategy", "type"], "") != "RollingUpdate" {
        return Ok(());
    }
    let partition = int(o, &["spec", "updateStrategy", "rollingUpdate", "partition"], 0);
    let replicas = int(o, &["spec", "replicas"], 1);
    let updated = int(o, &["status", "updatedReplicas"], 0);
    // Only the pods from the partition on are updated.
    let expected = replicas.saturating_sub(partition);
    if updated < expected {
        return Err(format!("StatefulSet does not have enough Pods scheduled: {updated}/{expected}"));
    }
    let ready = int(o, &["status", "readyReplicas"], 0);
    if ready != replicas {
        return Err(format!("StatefulSet does not have enough Pods ready: {ready}/{replicas}"));
    }
    let revision = |which: &str| text(o, &["status", which], "");
    if partition == 0 && revision("currentRevision") != revision("updateRevision") {
        return Err("StatefulSet is not ready, its current revision is not the updated one".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn state(o: &Json, below: &[Json]) -> State {
        judge(o, below).state
    }

    fn deployment(replicas: i64, bounds: &Json) -> Json {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "uid": "u", "generation": 2},
            "spec": {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": bounds},
                "template": {"metadata": {"labels": {"app": "d"}}, "spec": {"x": 1}}},
            "status": {"observedGeneration": 2}})
    }

    fn set(name: &str, template: i64, ready: i64) -> Json {
        json!({"kind": "ReplicaSet", "metadata": {"name": name, "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z",
                "ownerReferences": [{"uid": "u", "controller": true}]},
            "spec": {"template": {"metadata": {"labels": {"app": "d", "pod-template-hash": "h"}}, "spec": {"x": template}}},
            "status": {"observedGeneration": 1, "readyReplicas": ready}})
    }

    #[test]
    fn a_deployment_may_miss_what_its_strategy_allows() {
        for (replicas, bounds, enough) in [
            (3, json!({"maxSurge": "25%", "maxUnavailable": "25%"}), 3),
            (4, json!({"maxSurge": "25%", "maxUnavailable": "25%"}), 3),
            (1, json!({"maxSurge": 0, "maxUnavailable": "1%"}), 0),
            (2, json!({"maxSurge": 0, "maxUnavailable": 5}), 0),
            (2, json!({"maxSurge": "x", "maxUnavailable": 1}), 2),
            (2, json!({"maxUnavailable": 1}), 1),
        ] {
            let d = deployment(replicas, &bounds);
            assert_eq!(state(&d, &[set("a", 1, enough)]), State::Current, "{bounds} {replicas}");
            if enough > 0 {
                assert_eq!(state(&d, &[set("a", 1, enough - 1)]), State::InProgress, "{bounds} {replicas}");
            }
        }
    }

    #[test]
    fn only_the_replica_set_of_the_present_template_counts() {
        let d = deployment(1, &json!({"maxSurge": 1, "maxUnavailable": 0}));
        assert_eq!(state(&d, &[set("old", 0, 1)]), State::InProgress);
        assert_eq!(state(&d, &[set("old", 0, 1), set("new", 1, 0)]), State::InProgress);
        assert_eq!(state(&d, &[set("old", 0, 1), set("new", 1, 1)]), State::Current);
        let mut foreign = set("foreign", 1, 1);
        foreign["metadata"]["ownerReferences"][0]["uid"] = "other".into();
        assert_eq!(state(&d, &[foreign]), State::InProgress);
        let mut paused = d;
        paused["spec"]["paused"] = true.into();
        assert_eq!(state(&paused, &[]), State::Current);
    }

    #[test]
    fn the_other_kinds() {
        let stateful = |partition: i64, updated: i64, ready: i64, revision: &str| {
            json!({"kind": "StatefulSet", "metadata": {"generation": 1},
                "spec": {"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}},
                "status": {"observedGeneration": 1, "updatedReplicas": updated, "readyReplicas": ready, "currentRevision": "a", "updateRevision": revision}})
        };
        let daemon = |updated: i64, ready: i64, bound: Json| {
            json!({"kind": "DaemonSet", "metadata": {"generation": 1}, "spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": bound}}},
                "status": {"observedGeneration": 1, "desiredNumberScheduled": 3, "updatedNumberScheduled": updated, "numberReady": ready}})
        };
        let service = |spec: Json| json!({"kind": "Service", "spec": spec});
        let job = |failed: i64, succeeded: i64| json!({"kind": "Job", "spec": {"backoffLimit": 1, "completions": 2}, "status": {"failed": failed, "succeeded": succeeded}});
        use State::{Current, Failed, InProgress};
        for (object, want) in [
            (stateful(0, 3, 3, "a"), Current),
            (stateful(0, 3, 3, "b"), InProgress),
            (stateful(2, 1, 3, "b"), Current),
            (stateful(2, 0, 3, "b"), InProgress),
            (stateful(0, 3, 2, "a"), InProgress),
            (daemon(3, 2, json!(1)), Current),
            (daemon(3, 1, json!(1)), InProgress),
            (daemon(2, 3, json!(1)), InProgress),
            (daemon(3, 1, json!("34%")), Current),
            (daemon(3, 0, json!("no number")), Current),
            (service(json!({"type": "ExternalName"})), Current),
            (service(json!({"type": "ClusterIP"})), InProgress),
            (service(json!({"type": "ClusterIP", "clusterIP": "None"})), Current),
            (service(json!({"type": "LoadBalancer", "clusterIP": "10.0.0.1"})), InProgress),
            (service(json!({"type": "LoadBalancer", "clusterIP": "10.0.0.1", "externalIPs": ["1.2.3.4"]})), Current),
            (job(0, 1), InProgress),
            (job(1, 2), Current),
            (job(2, 0), Failed),
            (json!({"kind": "PersistentVolumeClaim", "status": {"phase": "Pending"}}), InProgress),
            (json!({"kind": "PersistentVolumeClaim", "status": {"phase": "Bound"}}), Current),
            (
                json!({"kind": "CustomResourceDefinition", "status": {"conditions": [{"type": "NamesAccepted", "status": "False"}]}}),
                Current,
            ),
            (json!({"kind": "CustomResourceDefinition"}), InProgress),
            (json!({"kind": "Pod", "status": {"conditions": [{"type": "Ready", "status": "True"}]}}), Current),
            (json!({"kind": "Pod", "status": {"phase": "Succeeded"}}), InProgress),
        ] {
            assert_eq!(state(&object, &[]), want, "{object}");
        }
    }
}
