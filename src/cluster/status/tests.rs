//! kstatus' answers for chosen objects; the file holds a line for each rule and each trap.

use super::*;

#[test]
fn judges_as_kstatus_does() {
    let mut count = 0;
    for line in include_str!("../../../tests/fixtures/cluster/kstatus.jsonl").lines() {
        let vector: Json = serde_json::from_str(line).unwrap();
        let id = &vector["id"];
        match compute(&vector["object"]) {
            Ok(status) => {
                assert_eq!(status.state.as_str(), vector["status"], "{id}");
                assert_eq!(status.message, vector["message"].as_str().unwrap(), "{id}");
                let conditions: Vec<Json> = status
                    .conditions
                    .iter()
                    .map(|c| serde_json::json!({"type": c.kind.as_str(), "status": "True", "reason": c.reason, "message": c.message}))
                    .collect();
                let want = vector["conditions"].as_array().cloned().unwrap_or_default();
                assert_eq!(conditions.len(), want.len(), "{id}");
                for (got, want) in conditions.iter().zip(&want) {
                    for key in ["type", "status", "reason", "message"] {
                        assert_eq!(got[key], *want.get(key).unwrap_or(&"".into()), "{id} {key}");
                    }
                }
            }
            Err(e) => assert_eq!(e, vector["err"].as_str().unwrap(), "{id}"),
        }
        count += 1;
    }
    assert!(count > 50, "{count} vectors");
}

#[test]
fn a_young_pod_without_a_node_is_given_time() {
    let pod = |created: &str| {
        serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "creationTimestamp": created},
            "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}})
    };
    let now: Timestamp = "2026-01-01T00:00:20Z".parse().unwrap();
    let state = |created: &str| compute_at(&pod(created), now).unwrap().state;
    assert_eq!(state("2026-01-01T00:00:04Z"), State::Failed);
    assert_eq!(state("2026-01-01T00:00:06Z"), State::InProgress);
    assert_eq!(state("not a time"), State::Failed);
}

#[test]
fn hooks_end_when_their_jobs_and_pods_have() {
    let judge = |object: Json| compute_hook(&object).unwrap().state;
    let job = |conditions: Json| serde_json::json!({"apiVersion": "batch/v1", "kind": "Job", "status": {"startTime": "x", "conditions": conditions}});
    assert_eq!(judge(job(serde_json::json!([]))), State::InProgress);
    assert_eq!(judge(job(serde_json::json!([{"type": "Complete", "status": "True"}]))), State::Current);
    assert_eq!(judge(job(serde_json::json!([{"type": "Failed", "status": "True"}]))), State::Failed);
    for (phase, state) in [
        ("Pending", State::InProgress),
        ("Running", State::InProgress),
        ("Succeeded", State::Current),
        ("Failed", State::Failed),
    ] {
        assert_eq!(
            judge(serde_json::json!({"apiVersion": "v1", "kind": "Pod", "status": {"phase": phase}})),
            state,
            "{phase}"
        );
    }
    assert_eq!(judge(serde_json::json!({"apiVersion": "apps/v1", "kind": "Deployment"})), State::Current);
}
