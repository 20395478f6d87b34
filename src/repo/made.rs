//! Secrets and ConfigMaps that controllers make in the cluster of other objects: they lie in no repository, and are not missing there.
//!
//! Sources: the CustomResourceDefinitions and the documentation of each controller.

use super::document::{self, Node, at};
use super::objects::{Built, Environment};

/// What may make a Secret or ConfigMap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Maker<'m> {
    pub api_version: &'m str,
    pub kind: &'m str,
    pub name: &'m str,
    pub namespace: &'m str,
    pub node: &'m Node,
}

/// Where in an object the names of what is made stand: a path from the root (`[]` goes through a list), or, with the object's own name for
/// `@` and anything for `*`, the name itself.
type Names = &'static [&'static str];

/// API group, kind (nothing: all of the group), what is made (nothing: either), and its names.
const MAKERS: &[(&str, &str, &str, Names)] = &[
    ("bitnami.com", "SealedSecret", "Secret", &["@", "spec.template.metadata.name"]),
    ("cert-manager.io", "Certificate", "Secret", &["spec.secretName"]),
    ("external-secrets.io", "ExternalSecret", "", &["spec.target.name", "?@"]),
    (
        "external-secrets.io",
        "ClusterExternalSecret",
        "",
        &["spec.externalSecretSpec.target.name", "spec.externalSecretName", "?@"],
    ),
    ("isindir.github.com", "SopsSecret", "Secret", &["spec.secretTemplates[].name"]),
    ("k8s.bitwarden.com", "BitwardenSecret", "Secret", &["spec.secretName"]),
    ("onepassword.com", "OnePasswordItem", "Secret", &["@"]),
    ("ricoberger.de", "VaultSecret", "Secret", &["@"]),
    ("secretgenerator.mittwald.de", "", "Secret", &["@"]),
    ("secrets.doppler.com", "DopplerSecret", "Secret", &["spec.managedSecret.name"]),
    ("secrets.hashicorp.com", "", "Secret", &["spec.destination.name"]),
    (
        "secrets.infisical.com",
        "",
        "Secret",
        &["spec.managedSecretReference.secretName", "spec.managedKubeSecretReferences[].secretName"],
    ),
    ("secrets.infisical.com", "", "ConfigMap", &["spec.managedKubeConfigMapReferences[].configMapName"]),
    ("secrets-store.csi.x-k8s.io", "SecretProviderClass", "Secret", &["spec.secretObjects[].secretName"]),
    ("spv.no", "AzureKeyVaultSecret", "Secret", &["spec.output.secret.name"]),
    ("spv.no", "AzureKeyVaultSecret", "ConfigMap", &["spec.output.configMap.name"]),
    ("trust.cert-manager.io", "Bundle", "", &["@"]),
    // Operators that leave the credentials of what they run.
    ("acid.zalan.do", "postgresql", "Secret", &["*.@.credentials.postgresql.acid.zalan.do"]),
    ("k8s.elastic.co", "", "Secret", &["@-*"]),
    ("kafka.strimzi.io", "Kafka", "", &["@-*"]),
    ("kafka.strimzi.io", "KafkaUser", "Secret", &["@"]),
    ("objectbucket.io", "ObjectBucketClaim", "", &["@"]),
    ("postgres-operator.crunchydata.com", "PostgresCluster", "Secret", &["@-*"]),
    ("postgresql.cnpg.io", "Cluster", "Secret", &["@-app", "@-superuser", "@-ca", "@-server", "@-replication"]),
    ("rabbitmq.com", "RabbitmqCluster", "Secret", &["@-default-user"]),
    // Crossplane, the Terraform controllers.
    ("", "", "Secret", &["spec.writeConnectionSecretToRef.name", "spec.writeOutputsToSecret.name"]),
];

/// Those whose objects come in namespaces that they only choose.
const EVERYWHERE: [&str; 2] = ["ClusterExternalSecret", "Bundle"];

/// Annotations by which a Secret or ConfigMap is copied into other namespaces.
const COPIES: [&str; 4] = [
    "reflector.v1.k8s.emberstack.com/reflection-auto-enabled",
    "replicator.v1.mittwald.de/replicate-to",
    "replicator.v1.mittwald.de/replicate-to-matching",
    "kubed.appscode.com/sync",
];

impl Maker<'_> {
    /// True if a Secret or ConfigMap comes of it in the cluster. Without a namespace it may be in any.
    pub(super) fn makes(&self, kind: &str, name: &str, namespace: Option<&str>) -> bool {
        let group = self.api_version.split_once('/').map_or("", |(group, _)| group);
        let here = self.namespace.is_empty() || namespace.is_none_or(|n| n == self.namespace);
        if self.api_version == "v1" && self.kind == kind {
            let set = |key: &str| at(self.node, &["metadata", "annotations", key]).is_some();
            return !here && self.name == name && COPIES.iter().any(|key| set(key));
        }
        if group == "external-secrets.io" && !self.is_of(kind) {
            return false;
        }
        let rows = MAKERS.iter().filter(|(of, its, made, _)| {
            (of.is_empty() || *of == group)
                && (its.is_empty() || *its == self.kind)
                && (made.is_empty() || *made == kind)
        });
        let named = rows.into_iter().any(|(_, _, _, names)| self.names(names, name));
        named && (here || EVERYWHERE.contains(&self.kind)) || self.generates(kind, name)
    }

    fn names(&self, names: Names, wanted: &str) -> bool {
        let mut found = false;
        for entry in names {
            if let Some(path) = entry.strip_prefix("spec.") {
                let mut all = Vec::new();
                collect(self.node.get("spec"), path, &mut all);
                found |= !all.is_empty();
                if all.contains(&wanted) {
                    return true;
                }
                continue;
            }
            // Its own name, unless another one is given.
            let (only_without, pattern) = entry.strip_prefix('?').map_or((false, *entry), |pattern| (true, pattern));
            if !(only_without && found) && fits(&pattern.replace('@', self.name), wanted) {
                return true;
            }
        }
        false
    }

    /// Whether an ExternalSecret's target is of a kind: a Secret, if nothing else is said.
    fn is_of(&self, kind: &str) -> bool {
        let manifest = |steps: &[&str]| at(self.node, steps).and_then(Node::as_str);
        let said = manifest(&["spec", "target", "manifest", "kind"])
            .or_else(|| manifest(&["spec", "externalSecretSpec", "target", "manifest", "kind"]));
        said.unwrap_or("Secret") == kind
    }

    /// Kyverno's rules that generate objects; a name may be put together.
    fn generates(&self, kind: &str, name: &str) -> bool {
        if !self.api_version.starts_with("kyverno.io/") {
            return false;
        }
        let rules = at(self.node, &["spec", "rules"]).map_or(&[][..], Node::items);
        rules.iter().filter_map(|rule| rule.get("generate")).any(|g| {
            let says = |key: &str| g.get(key).and_then(Node::as_str).unwrap_or_default();
            let cloned = at(g, &["cloneList", "kinds"]).map_or(&[][..], Node::items);
            let of_list = cloned.iter().any(|k| k.as_str().is_some_and(|k| k.rsplit('/').next() == Some(kind)));
            of_list || says("kind") == kind && (says("name") == name || says("name").contains("{{"))
        })
    }
}

/// The texts at a path below a node.
fn collect<'n>(node: Option<&'n Node>, path: &str, out: &mut Vec<&'n str>) {
    let Some(node) = node else { return };
    let (step, rest) = path.split_once('.').map_or((path, None), |(step, rest)| (step, Some(rest)));
    let (key, is_list) = step.strip_suffix("[]").map_or((step, false), |key| (key, true));
    let Some(next) = node.get(key) else { return };
    let all = if is_list { next.items() } else { std::slice::from_ref(next) };
    for next in all {
        match rest {
            Some(rest) => collect(Some(next), rest, out),
            None => out.extend(next.as_str().filter(|text| !text.is_empty())),
        }
    }
}

/// Whether a name fits a pattern with at most one `*`.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => name.len() > start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
    }
}

impl Environment {
    /// The object that makes a Secret or ConfigMap in the cluster, as `KIND NAME`.
    pub(super) fn maker(&self, kind: &str, name: &str, namespace: Option<&str>) -> Option<String> {
        let made_by = |o: &&Built| {
            if !may_make(&o.api_version, &o.kind) {
                return false;
            }
            let document = document::parse(o.text.as_bytes()).ok().and_then(|mut d| d.pop());
            document.is_some_and(|d| {
                let (api_version, node) = (o.api_version.as_str(), &d.root);
                let maker = Maker { api_version, kind: &o.kind, name: &o.name, namespace: &o.namespace, node };
                maker.makes(kind, name, namespace)
            })
        };
        self.built.iter().find(made_by).map(|o| format!("{} {}", o.kind, o.name))
    }
}

/// Whether it is worth looking: Flux's own objects and those of workloads make none.
pub(super) fn may_make(api_version: &str, kind: &str) -> bool {
    match api_version.split_once('/') {
        None => matches!(kind, "Secret" | "ConfigMap"),
        Some((group, _)) => group.contains('.') && !group.ends_with(".fluxcd.io"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `KIND/NAME` in the namespace `ns` of an object of that namespace.
    fn makes(text: &str, wanted: &str) -> bool {
        let node = document::parse(text.as_bytes()).unwrap().pop().unwrap().root;
        let says = |steps: &[&str]| at(&node, steps).and_then(Node::as_str).unwrap_or_default();
        let maker = Maker {
            api_version: says(&["apiVersion"]),
            kind: says(&["kind"]),
            name: says(&["metadata", "name"]),
            namespace: says(&["metadata", "namespace"]),
            node: &node,
        };
        let (kind, name) = wanted.split_once('/').unwrap();
        maker.makes(kind, name, Some("ns"))
    }

    #[test]
    fn what_controllers_make() {
        let es = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: a, namespace: ns}\n";
        let pg = "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: a, namespace: ns}\nspec: {}\n";
        let reflected = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n  namespace: other\n  annotations: {reflector.v1.k8s.emberstack.com/reflection-auto-enabled: 'true'}\n";
        let named = format!("{es}spec: {{target: {{name: b}}}}\n");
        let config = format!("{es}spec: {{target: {{manifest: {{apiVersion: v1, kind: ConfigMap}}}}}}\n");
        let elsewhere = es.replace("ns", "other");
        let provider = "apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata: {name: a, namespace: ns}\nspec: {secretObjects: [{secretName: b}, {secretName: c}]}\n";
        let policy = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: a}\nspec: {rules: [{generate: {kind: Secret, name: b}}]}\n";
        let bucket = "apiVersion: s3.aws.upbound.io/v1\nkind: Bucket\nmetadata: {name: a, namespace: ns}\nspec: {writeConnectionSecretToRef: {name: b}}\n";
        for (text, wanted, want) in [
            (es, "Secret/a", true),
            (es, "ConfigMap/a", false),
            (es, "Secret/b", false),
            (&named, "Secret/b", true),
            (&named, "Secret/a", false),
            (&config, "ConfigMap/a", true),
            (&config, "Secret/a", false),
            (&elsewhere, "Secret/a", false),
            (pg, "Secret/a-app", true),
            (pg, "Secret/a-apps", false),
            (pg, "Secret/a", false),
            (reflected, "Secret/a", true),
            (&reflected.replace("other", "ns"), "Secret/a", false),
            (&reflected.replace("annotations", "labels"), "Secret/a", false),
            (provider, "Secret/c", true),
            (provider, "Secret/a", false),
            (policy, "Secret/b", true),
            (policy, "ConfigMap/b", false),
            (bucket, "Secret/b", true),
            ("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: ns}\n", "Secret/a", false),
        ] {
            assert_eq!(makes(text, wanted), want, "{wanted} of {text}");
        }
        assert!(fits("*.a.x", "u.a.x") && !fits("*.a.x", ".a.x") && !fits("a-*", "a-"));
    }
}
