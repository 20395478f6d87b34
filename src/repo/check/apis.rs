//! API versions that went, and what came in their place, before the table of schemas begins.
//!
//! Source: Kubernetes' deprecated API migration guide.

use super::schema::{Minor, Schemas};

/// API version, kind, the minor version that no longer serves it, what to write.
const REMOVED: &[(&str, &str, Minor, &str)] = &[
    ("extensions/v1beta1", "Deployment", 16, "apps/v1"),
    ("extensions/v1beta1", "DaemonSet", 16, "apps/v1"),
    ("extensions/v1beta1", "ReplicaSet", 16, "apps/v1"),
    ("extensions/v1beta1", "NetworkPolicy", 16, "networking.k8s.io/v1"),
    ("extensions/v1beta1", "PodSecurityPolicy", 16, "Pod Security admission"),
    ("extensions/v1beta1", "Ingress", 22, "networking.k8s.io/v1"),
    ("apps/v1beta1", "Deployment", 16, "apps/v1"),
    ("apps/v1beta1", "StatefulSet", 16, "apps/v1"),
    ("apps/v1beta1", "ControllerRevision", 16, "apps/v1"),
    ("apps/v1beta2", "Deployment", 16, "apps/v1"),
    ("apps/v1beta2", "DaemonSet", 16, "apps/v1"),
    ("apps/v1beta2", "ReplicaSet", 16, "apps/v1"),
    ("apps/v1beta2", "StatefulSet", 16, "apps/v1"),
    ("apps/v1beta2", "ControllerRevision", 16, "apps/v1"),
    ("admissionregistration.k8s.io/v1beta1", "MutatingWebhookConfiguration", 22, "admissionregistration.k8s.io/v1"),
    ("admissionregistration.k8s.io/v1beta1", "ValidatingWebhookConfiguration", 22, "admissionregistration.k8s.io/v1"),
    ("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition", 22, "apiextensions.k8s.io/v1"),
    ("apiregistration.k8s.io/v1beta1", "APIService", 22, "apiregistration.k8s.io/v1"),
    ("authentication.k8s.io/v1beta1", "TokenReview", 22, "authentication.k8s.io/v1"),
    ("authorization.k8s.io/v1beta1", "SubjectAccessReview", 22, "authorization.k8s.io/v1"),
    ("certificates.k8s.io/v1beta1", "CertificateSigningRequest", 22, "certificates.k8s.io/v1"),
    ("coordination.k8s.io/v1beta1", "Lease", 22, "coordination.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "Ingress", 22, "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "IngressClass", 22, "networking.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", "ClusterRole", 22, "rbac.authorization.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", "ClusterRoleBinding", 22, "rbac.authorization.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", "Role", 22, "rbac.authorization.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", "RoleBinding", 22, "rbac.authorization.k8s.io/v1"),
    ("scheduling.k8s.io/v1beta1", "PriorityClass", 22, "scheduling.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSIDriver", 22, "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSINode", 22, "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "StorageClass", 22, "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "VolumeAttachment", 22, "storage.k8s.io/v1"),
    ("batch/v1beta1", "CronJob", 25, "batch/v1"),
    ("discovery.k8s.io/v1beta1", "EndpointSlice", 25, "discovery.k8s.io/v1"),
    ("events.k8s.io/v1beta1", "Event", 25, "events.k8s.io/v1"),
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler", 25, "autoscaling/v2"),
    ("policy/v1beta1", "PodDisruptionBudget", 25, "policy/v1"),
    ("policy/v1beta1", "PodSecurityPolicy", 25, "Pod Security admission"),
    ("node.k8s.io/v1beta1", "RuntimeClass", 25, "node.k8s.io/v1"),
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler", 26, "autoscaling/v2"),
    ("flowcontrol.apiserver.k8s.io/v1beta1", "FlowSchema", 26, "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta1", "PriorityLevelConfiguration", 26, "flowcontrol.apiserver.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSIStorageCapacity", 27, "storage.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta2", "FlowSchema", 29, "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta2", "PriorityLevelConfiguration", 29, "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema", 32, "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta3", "PriorityLevelConfiguration", 32, "flowcontrol.apiserver.k8s.io/v1"),
];

/// What a version of Kubernetes makes of an API version and kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    Yes,
    /// Since which minor version not any more, and what is served instead.
    Removed(Minor, String),
    /// Until which minor version it is served, and what to use instead.
    Leaving(Minor, String),
    /// From which minor version on.
    NotYet(Minor),
    /// Not one of Kubernetes' own.
    Unknown,
}

/// Looks an API up.
pub fn served(api: &str, kind: &str, minor: Minor) -> Served {
    if let Some((_, _, gone, instead)) = REMOVED.iter().find(|(a, k, ..)| *a == api && *k == kind) {
        let instead = (*instead).to_owned();
        return if minor >= *gone { Served::Removed(*gone, instead) } else { Served::Leaving(gone - 1, instead) };
    }
    let schemas = Schemas::kubernetes();
    let Some(entry) = schemas.kind(api, kind) else { return Served::Unknown };
    // The table ends where it ends: nothing is said about versions after it.
    let range = entry.range;
    let better = || {
        let others = schemas.api_versions(kind).filter(|a| *a != api && group(a) == group(api));
        others.filter(|a| schemas.kind(a, kind).is_some_and(|k| k.range.until == Minor::MAX)).last().map(String::from)
    };
    if minor > range.until {
        Served::Removed(range.until + 1, better().unwrap_or_default())
    } else if minor < range.since {
        Served::NotYet(range.since)
    } else if range.until != Minor::MAX
        && let Some(instead) = better()
    {
        Served::Leaving(range.until, instead)
    } else {
        Served::Yes
    }
}

fn group(api: &str) -> &str {
    api.split_once('/').map_or("", |(group, _)| group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apis_come_and_go() {
        for (api, kind, minor, want) in [
            ("apps/v1", "Deployment", 36, Served::Yes),
            ("extensions/v1beta1", "Ingress", 36, Served::Removed(22, "networking.k8s.io/v1".into())),
            ("batch/v1beta1", "CronJob", 24, Served::Leaving(24, "batch/v1".into())),
            ("admissionregistration.k8s.io/v1", "MutatingAdmissionPolicy", 33, Served::NotYet(36)),
            (
                "admissionregistration.k8s.io/v1beta1",
                "ValidatingAdmissionPolicy",
                34,
                Served::Removed(34, "admissionregistration.k8s.io/v1".into()),
            ),
            ("example.com/v1", "Thing", 36, Served::Unknown),
        ] {
            assert_eq!(served(api, kind, minor), want, "{api} {kind} {minor}");
        }
    }
}
