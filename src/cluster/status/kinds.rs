//! The rules of the built-in kinds. Source: kstatus `core.go`; [`completed_job`] and [`hook_pod`] are Helm's.

use jiff::{SignedDuration, Timestamp};

use super::fields::{Condition, conditions, int, slice, text};
use super::{ConditionKind, Json, State, Status, generation, observed_generation};

/// How long a pod may be without a node before that counts as failure.
const SCHEDULE_WINDOW: SignedDuration = SignedDuration::from_secs(15);

pub(super) fn service(o: &Json) -> Status {
    let balancer = text(o, &["spec", "type"], "ClusterIP") == "LoadBalancer";
    if balancer && text(o, &["spec", "clusterIP"], "").is_empty() {
        return Status::in_progress("NoIPAssigned", "ClusterIP not set. Service type: LoadBalancer");
    }
    Status::current("Service is ready")
}

pub(super) fn claim(o: &Json) -> Status {
    match text(o, &["status", "phase"], "unknown") {
        "Bound" => Status::current("PVC is Bound"),
        phase => Status::in_progress("NotBound", format!("PVC is not Bound. phase: {phase}")),
    }
}

pub(super) fn stateful_set(o: &Json) -> Status {
    // With OnDelete the user replaces the pods.
    if text(o, &["spec", "updateStrategy", "type"], "") == "OnDelete" {
        return Status::current("StatefulSet is using the ondelete update strategy");
    }
    let wanted = int(o, &["spec", "replicas"], 1);
    let ready = int(o, &["status", "readyReplicas"], 0);
    let current = int(o, &["status", "currentReplicas"], 0);
    let updated = int(o, &["status", "updatedReplicas"], 0);
    let replicas = int(o, &["status", "replicas"], 0);
    let partition = int(o, &["spec", "updateStrategy", "rollingUpdate", "partition"], -1);
    if wanted > replicas {
        return Status::in_progress("LessReplicas", format!("Replicas: {replicas}/{wanted}"));
    }
    if wanted > ready {
        return Status::in_progress("LessReady", format!("Ready: {ready}/{wanted}"));
    }
    if replicas > wanted {
        return Status::in_progress("ExtraPods", format!("Pending termination: {}", replicas.wrapping_sub(wanted)));
    }
    if partition != -1 {
        let share = wanted.wrapping_sub(partition);
        if updated < share {
            return Status::in_progress("PartitionRollout", format!("updated: {updated}/{share}"));
        }
        return Status::current(format!("Partition rollout complete. updated: {updated}"));
    }
    if wanted > current {
        return Status::in_progress("LessCurrent", format!("current: {current}/{wanted}"));
    }
    if text(o, &["status", "currentRevision"], "") != text(o, &["status", "updateRevision"], "") {
        return Status::in_progress("RevisionMismatch", "Waiting for updated revision to match current");
    }
    Status::current(format!("All replicas scheduled as expected. Replicas: {replicas}"))
}

pub(super) fn deployment(o: &Json) -> Result<Status, String> {
    // Without a deadline the controller sets no Progressing condition.
    let no_deadline = i64::from(i32::MAX);
    let mut progressing = int(o, &["spec", "progressDeadlineSeconds"], no_deadline) == no_deadline;
    let mut available = false;
    for c in conditions(o)? {
        match c.kind.as_str() {
            "Progressing" => {
                if c.reason == "ProgressDeadlineExceeded" {
                    // The condition keeps the controller's own message.
                    let mut status = Status::failed(&c.reason, c.message);
                    status.message = "Progress deadline exceeded".into();
                    return Ok(status);
                }
                progressing |= c.status == "True" && c.reason == "NewReplicaSetAvailable";
            }
            "Available" => available |= c.status == "True",
            _ => {}
        }
    }
    let wanted = int(o, &["spec", "replicas"], 1);
    let replicas = int(o, &["status", "replicas"], 0);
    let updated = int(o, &["status", "updatedReplicas"], 0);
    let ready = int(o, &["status", "readyReplicas"], 0);
    let usable = int(o, &["status", "availableReplicas"], 0);
    Ok(if wanted > replicas {
        Status::in_progress("LessReplicas", format!("Replicas: {replicas}/{wanted}"))
    } else if wanted > updated {
        Status::in_progress("LessUpdated", format!("Updated: {updated}/{wanted}"))
    } else if replicas > wanted {
        Status::in_progress("ExtraPods", format!("Pending termination: {}", replicas.wrapping_sub(wanted)))
    } else if updated > usable {
        Status::in_progress("LessAvailable", format!("Available: {usable}/{updated}"))
    } else if wanted > ready {
        Status::in_progress("LessReady", format!("Ready: {ready}/{wanted}"))
    } else if !progressing {
        Status::in_progress("ReplicaSetNotAvailable", "ReplicaSet not Available")
    } else if !available {
        Status::in_progress("DeploymentNotAvailable", "Deployment not Available")
    } else {
        Status::current(format!("Deployment is available. Replicas: {replicas}"))
    })
}

pub(super) fn replica_set(o: &Json) -> Result<Status, String> {
    if has(&conditions(o)?, "ReplicaFailure", "True") {
        return Ok(Status::in_progress("ReplicaFailure", "Replica Failure condition. Check Pods"));
    }
    let wanted = int(o, &["spec", "replicas"], 1);
    let replicas = int(o, &["status", "replicas"], 0);
    let ready = int(o, &["status", "readyReplicas"], 0);
    let usable = int(o, &["status", "availableReplicas"], 0);
    let labelled = int(o, &["status", "fullyLabeledReplicas"], 0);
    Ok(if wanted > labelled {
        Status::in_progress("LessLabelled", format!("Labelled: {labelled}/{wanted}"))
    } else if wanted > usable {
        Status::in_progress("LessAvailable", format!("Available: {usable}/{wanted}"))
    } else if wanted > ready {
        Status::in_progress("LessReady", format!("Ready: {ready}/{wanted}"))
    } else if replicas > wanted {
        Status::in_progress("ExtraPods", format!("Pending termination: {}", replicas.wrapping_sub(wanted)))
    } else {
        Status::current(format!("ReplicaSet is available. Replicas: {replicas}"))
    })
}

pub(super) fn daemon_set(o: &Json) -> Result<Status, String> {
    // The controller always sets both: without them it has not looked yet.
    let kind = text(o, &["kind"], "");
    if generation(o)?.is_none() {
        return Ok(Status::in_progress("NoGeneration", format!("{kind} metadata.generation not found")));
    }
    if observed_generation(o)?.is_none() {
        return Ok(Status::in_progress("NoObservedGeneration", format!("{kind} status.observedGeneration not found")));
    }
    let wanted = int(o, &["status", "desiredNumberScheduled"], -1);
    let current = int(o, &["status", "currentNumberScheduled"], 0);
    let updated = int(o, &["status", "updatedNumberScheduled"], 0);
    let usable = int(o, &["status", "numberAvailable"], 0);
    let ready = int(o, &["status", "numberReady"], 0);
    Ok(if wanted == -1 {
        Status::in_progress("NoDesiredNumber", "Missing .status.desiredNumberScheduled")
    } else if wanted > current {
        Status::in_progress("LessCurrent", format!("Current: {current}/{wanted}"))
    } else if wanted > updated {
        Status::in_progress("LessUpdated", format!("Updated: {updated}/{wanted}"))
    } else if wanted > usable {
        Status::in_progress("LessAvailable", format!("Available: {usable}/{wanted}"))
    } else if wanted > ready {
        Status::in_progress("LessReady", format!("Ready: {ready}/{wanted}"))
    } else {
        Status::current(format!("All replicas scheduled as expected. Replicas: {wanted}"))
    })
}

pub(super) fn pod(o: &Json, now: Timestamp) -> Result<Status, String> {
    let conditions = conditions(o)?;
    Ok(match text(o, &["status", "phase"], "") {
        "Succeeded" => Status::current("Pod has completed successfully"),
        "Failed" => Status::current("Pod has completed, but not successfully"),
        "Running" if has(&conditions, "Ready", "True") => Status::current("Pod is Ready"),
        "Running" => {
            let looping = crash_looping(o)?;
            if looping.is_empty() {
                Status::in_progress("PodRunningNotReady", "Pod is running but is not Ready")
            } else {
                let names = looping.join(",");
                Status::failed("ContainerCrashLooping", format!("Containers in CrashLoop state: {names}"))
            }
        }
        "Pending" => {
            let unscheduled = conditions.iter().find(|c| c.kind == "PodScheduled" && c.status == "False");
            if unscheduled.is_some_and(|c| c.reason == "Unschedulable") {
                let created: Option<Timestamp> = text(o, &["metadata", "creationTimestamp"], "").parse().ok();
                if created.is_some_and(|c| now.saturating_sub(SCHEDULE_WINDOW).is_ok_and(|start| start < c)) {
                    return Ok(Status::in_progress("PodNotScheduled", "Pod has not been scheduled"));
                }
                return Ok(Status::failed("PodUnschedulable", "Pod could not be scheduled"));
            }
            Status::in_progress("PodPending", "Pod is in the Pending phase")
        }
        "" => Status::in_progress("PodNotObserved", "Pod phase not available"),
        phase => return Err(format!("unknown phase {phase}")),
    })
}

/// The containers that wait with CrashLoopBackOff.
fn crash_looping(o: &Json) -> Result<Vec<&str>, String> {
    let statuses = slice(o, &["status", "containerStatuses"])?.unwrap_or_default();
    let waits = |s: &&Json| s.pointer("/state/waiting/reason").and_then(Json::as_str) == Some("CrashLoopBackOff");
    Ok(statuses.iter().filter(waits).filter_map(|s| s.get("name").and_then(Json::as_str)).collect())
}

fn has(conditions: &[Condition], kind: &str, status: &str) -> bool {
    conditions.iter().any(|c| c.kind == kind && c.status == status)
}

/// What a Job's conditions say of its end.
fn job_end(o: &Json) -> Result<Option<Status>, String> {
    let parallelism = int(o, &["spec", "parallelism"], 1);
    let completions = int(o, &["spec", "completions"], parallelism);
    let succeeded = int(o, &["status", "succeeded"], 0);
    let failed = int(o, &["status", "failed"], 0);
    for c in conditions(o)?.iter().filter(|c| c.status == "True") {
        match c.kind.as_str() {
            "Complete" => {
                return Ok(Some(Status::current(format!("Job Completed. succeeded: {succeeded}/{completions}"))));
            }
            "Failed" => {
                return Ok(Some(Status::failed("JobFailed", format!("Job Failed. failed: {failed}/{completions}"))));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// A job that has started is current: kstatus waits for what lasts.
pub(super) fn job(o: &Json) -> Result<Status, String> {
    if let Some(end) = job_end(o)? {
        return Ok(end);
    }
    if text(o, &["status", "startTime"], "").is_empty() {
        return Ok(Status::in_progress("JobNotStarted", "Job not started"));
    }
    let count = |key| int(o, &["status", key], 0);
    let (succeeded, active, failed) = (count("succeeded"), count("active"), count("failed"));
    Ok(Status::current(format!("Job in progress. success:{succeeded}, active: {active}, failed: {failed}")))
}

/// Helm's: until it has ended, a job is in progress.
pub(super) fn completed_job(o: &Json) -> Result<Status, String> {
    Ok(job_end(o)?.unwrap_or_else(|| Status::in_progress("JobInProgress", "Job in progress")))
}

/// Helm's: a hook's pod is done when it has ended.
pub(super) fn hook_pod(o: &Json) -> Status {
    let name = text(o, &["metadata", "name"], "");
    match text(o, &["status", "phase"], "") {
        // Helm marks a pod that succeeded with a Stalled condition too.
        "Succeeded" => Status::with(State::Current, ConditionKind::Stalled, "", format!("pod {name} succeeded")),
        "Failed" => Status::failed("PodFailed", format!("pod {name} failed")),
        _ => Status::in_progress("PodInProgress", "Pod in progress"),
    }
}

pub(super) fn definition(o: &Json) -> Result<Status, String> {
    for c in conditions(o)? {
        match (c.kind.as_str(), c.status.as_str()) {
            ("NamesAccepted", "False") => return Ok(Status::failed(&c.reason, c.message)),
            ("Established", "False") if c.reason != "Installing" => return Ok(Status::failed(&c.reason, c.message)),
            ("Established", "True") => return Ok(Status::current("CRD is established")),
            _ => {}
        }
    }
    Ok(Status::in_progress("Installing", "Install in progress"))
}
