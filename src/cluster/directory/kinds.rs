//! What the kinds are called in file names, and which of Kubernetes' own have no namespace.

use crate::cluster::Gvk;

/// The groups of Kubernetes itself whose kinds need no group to be told apart.
const BUILT_IN: [&str; 20] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// Kinds of those groups that belong to no namespace (Kubernetes 1.37).
const CLUSTER_SCOPED: [&str; 31] = [
    "APIService",
    "CSIDriver",
    "CSINode",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterTrustBundle",
    "ComponentStatus",
    "CustomResourceDefinition",
    "DeviceClass",
    "DeviceTaintRule",
    "FlowSchema",
    "IPAddress",
    "IngressClass",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PodSecurityPolicy",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "ResourceSlice",
    "RuntimeClass",
    "ServiceCIDR",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
];

pub fn is_built_in(group: &str) -> bool {
    BUILT_IN.contains(&group)
}

/// Whether a kind has a namespace; custom kinds, of which nothing is known here, are taken to have one.
pub fn is_namespaced(gvk: &Gvk) -> bool {
    !((is_built_in(&gvk.group) || gvk.group == "extensions") && CLUSTER_SCOPED.contains(&gvk.kind.as_str()))
}

/// How the file names of a kind begin: `deployment_`, `certificate.cert-manager.io_`.
pub fn prefix(gvk: &Gvk) -> String {
    let kind = escaped(&gvk.kind.to_lowercase());
    if is_built_in(&gvk.group) { format!("{kind}_") } else { format!("{kind}.{}_", escaped(&gvk.group)) }
}

/// A name as a part of a path: what is no letter, digit, `-` or inner `.` is written `%XX`.
pub fn escaped(name: &str) -> String {
    let mut out = String::new();
    for (i, b) in name.bytes().enumerate() {
        if b.is_ascii_alphanumeric() || b == b'-' || (b == b'.' && i > 0) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}
