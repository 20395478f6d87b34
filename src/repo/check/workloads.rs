//! Workloads: their selectors beside their own pods, and Services beside the pods that they are for.

use super::environments::Built;
use super::objects::Object;
use super::rules;
use super::scan::at;
use crate::repo::document::Node;
use crate::report::Finding;

/// The pod template of a workload, or the pod itself, with the path to it.
pub fn pod(object: &Object) -> Option<(&'static [&'static str], &Node)> {
    let path: &'static [&'static str] = match object.kind.as_str() {
        "Pod" => &[],
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" | "ReplicationController" => {
            &["spec", "template"]
        }
        "CronJob" => &["spec", "jobTemplate", "spec", "template"],
        _ => return None,
    };
    at(&object.node, path).map(|n| (path, n))
}

/// All containers of a workload, with their paths.
pub fn containers(object: &Object) -> Vec<(Vec<String>, &Node)> {
    let Some((path, template)) = pod(object) else { return Vec::new() };
    let mut out = Vec::new();
    for list in ["initContainers", "containers"] {
        for (i, container) in at(template, &["spec", list]).map_or(&[][..], Node::items).iter().enumerate() {
            let mut steps: Vec<String> = path.iter().map(ToString::to_string).collect();
            steps.extend(["spec".into(), list.into(), format!("[{i}]")]);
            out.push((steps, container));
        }
    }
    out
}

/// Whether every label of a selector is on something.
fn fits(selector: &Node, labels: Option<&Node>) -> bool {
    selector.entries().iter().all(|(k, v)| {
        let want = (k.as_str(), v.as_str());
        labels.is_some_and(|l| l.entries().iter().any(|(k, v)| (k.as_str(), v.as_str()) == want))
    })
}

pub fn check(built: &Built, out: &mut Vec<Finding>) {
    for object in &built.objects {
        let steps = |path: &[&str]| path.iter().map(ToString::to_string).collect::<Vec<_>>();
        if let Some((_, template)) = pod(object)
            && let Some(selector) = at(&object.node, &["spec", "selector", "matchLabels"])
            && !fits(selector, at(template, &["metadata", "labels"]))
        {
            let (path, line) = object.place(&steps(&["spec", "selector"]), selector.line());
            let message =
                format!("{} {}: its selector does not fit the labels of its own pods", object.kind, object.name);
            let finding = Finding::new(&rules::KUBE_SELECTOR, path, line, message);
            out.push(
                finding
                    .with_fix("make spec.selector.matchLabels and spec.template.metadata.labels agree")
                    .in_environment(&built.name),
            );
        }
        if object.kind == "Service"
            && built.complete
            && let Some(selector) = at(&object.node, &["spec", "selector"]).filter(|s| !s.entries().is_empty())
        {
            let pods = built.objects.iter().filter(|o| o.namespace == object.namespace).filter_map(pod);
            if !pods.into_iter().any(|(_, t)| fits(selector, at(t, &["metadata", "labels"]))) {
                let (path, line) = object.place(&steps(&["spec", "selector"]), selector.line());
                let message = format!("Service {}: its selector fits no pod of the environment", object.name);
                let finding = Finding::new(&rules::KUBE_SERVICE_SELECTOR, path, line, message);
                out.push(finding.with_fix("make it agree with the labels of the pods").in_environment(&built.name));
            }
        }
    }
}
