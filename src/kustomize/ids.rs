//! Identities: group, version and kind; with name and namespace the id of an object (`resid.ResId`).

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::OnceLock;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Gvk {
    pub group: String,
    pub version: String,
    pub kind: String,
}

/// Kinds that sort first and last in lists of field specs and in the legacy output order.
pub const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];
pub const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

fn or<'a>(text: &'a str, empty: &'a str) -> &'a str {
    if text.is_empty() { empty } else { text }
}

impl Gvk {
    pub fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self { group: group.into(), version: version.into(), kind: kind.into() }
    }

    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// True if each part is the selector's, or free in the selector.
    pub fn is_selected(&self, selector: &Self) -> bool {
        let fits = |own: &str, want: &str| want.is_empty() || own == want;
        fits(&self.kind, &selector.kind) && fits(&self.group, &selector.group) && fits(&self.version, &selector.version)
    }

    /// `Gvk.IsLessThan`
    pub fn compare(&self, other: &Self) -> Ordering {
        let rank = |kind: &str| {
            let first = FIRST.iter().position(|k| *k == kind).map(|i| i as i64 - FIRST.len() as i64);
            first.or_else(|| LAST.iter().position(|k| *k == kind).map(|i| i as i64 + 1)).unwrap_or(0)
        };
        // The texts are compared as they stand one behind the other; nothing is put together for it.
        let ranks = if self.kind == other.kind { Ordering::Equal } else { rank(&self.kind).cmp(&rank(&other.kind)) };
        ranks.then_with(|| self.sort_parts().into_iter().flatten().cmp(other.sort_parts().into_iter().flatten()))
    }

    /// The parts of [`Self::sort_text`].
    fn sort_parts(&self) -> [&[u8]; 5] {
        [or(&self.group, "~G"), "_", or(&self.version, "~V"), "_", or(&self.kind, "~K")].map(str::as_bytes)
    }

    pub fn sort_text(&self) -> String {
        format!("{}_{}_{}", or(&self.group, "~G"), or(&self.version, "~V"), or(&self.kind, "~K"))
    }

    /// True if the built-in kinds say that objects of this kind have no namespace.
    pub fn is_cluster_scoped(&self) -> bool {
        static TABLE: OnceLock<HashSet<(&'static str, &'static str)>> = OnceLock::new();
        let table = TABLE.get_or_init(|| {
            include_str!("cluster_scoped.txt").lines().filter_map(|line| line.split_once(' ')).collect()
        });
        if self.group.is_empty() {
            return table.contains(&(self.version.as_str(), self.kind.as_str()));
        }
        let api_version = self.api_version();
        table.contains(&(api_version.as_str(), self.kind.as_str()))
    }
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", or(&self.kind, "[noKind]"), or(&self.version, "[noVer]"), or(&self.group, "[noGrp]"))
    }
}

pub const DEFAULT_NAMESPACE: &str = "default";
pub const NOT_A_NAMESPACE: &str = "_non_namespaceable_";

/// Which object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Id {
    pub gvk: Gvk,
    pub name: String,
    pub namespace: String,
    /// The kind is known to have no namespace. Never set on ids that an object had before.
    pub cluster: bool,
}

impl Id {
    pub fn new(gvk: Gvk, name: &str, namespace: &str) -> Self {
        let cluster = gvk.is_cluster_scoped();
        Self { gvk, name: name.into(), namespace: namespace.into(), cluster }
    }

    pub fn effective_namespace(&self) -> &str {
        if self.cluster { NOT_A_NAMESPACE } else { or(&self.namespace, DEFAULT_NAMESPACE) }
    }

    /// `ResId.Equals`: same kind, name and effective namespace.
    pub fn matches(&self, other: &Self) -> bool {
        self.name == other.name && self.gvk == other.gvk && self.effective_namespace() == other.effective_namespace()
    }

    /// What is equal where [`Self::matches`] holds.
    pub fn key(&self) -> Key {
        Key { gvk: self.gvk.clone(), name: self.name.clone(), namespace: self.effective_namespace().to_owned() }
    }

    /// `ResId.IsSelectedBy`
    pub fn is_selected_by(&self, selector: &Self) -> bool {
        (selector.name.is_empty() || selector.name == self.name)
            && (selector.namespace.is_empty() || selector.effective_namespace() == self.effective_namespace())
            && self.gvk.is_selected(&selector.gvk)
    }

    /// `%#v`
    pub fn go_syntax(&self) -> String {
        let Self { gvk, name, namespace, cluster } = self;
        format!(
            "resid.ResId{{Gvk:resid.Gvk{{Group:{:?}, Version:{:?}, Kind:{:?}, isClusterScoped:{cluster}}}, Name:{name:?}, \
             Namespace:{namespace:?}}}",
            gvk.group, gvk.version, gvk.kind
        )
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.{}", self.gvk, or(&self.name, "[noName]"), or(&self.namespace, "[noNs]"))
    }
}

/// An id for maps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    gvk: Gvk,
    name: String,
    namespace: String,
}
