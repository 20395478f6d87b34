//! What a tenant cannot do: touch what its service account cannot, and reach the controller itself by a hostile chart. Poison harms nobody else.

use std::time::{Duration, Instant};

use pintle::cluster::{Cluster, Gvk, Json, ObjectId, PatchType};
use serde_json::json;

use crate::support::cluster::{namespace, write_options};
use crate::world::{CONFIG, World};

const SECRET: &str = "a-word-that-no-tenant-may-read";

fn create(w: &World, ns: &str, mut object: Json) {
    object["metadata"]["namespace"] = ns.into();
    w.run(async |cluster| cluster.create(&object, &write_options()).await.unwrap());
}

/// An account that may do anything with the objects of its namespace, and nothing else.
pub fn deployer(w: &World) {
    let (ns, rbac) = (w.name(), "rbac.authorization.k8s.io");
    create(w, ns, json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer"}}));
    create(
        w,
        ns,
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "Role", "metadata": {"name": "deployer"},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}),
    );
    create(
        w,
        ns,
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding", "metadata": {"name": "deployer"},
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "deployer"},
        "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": ns}]}),
    );
}

#[test]
fn a_tenant_touches_nothing_that_its_account_cannot() {
    let w = World::new("tenancy");
    let other = namespace("victim");
    let to = other.name().to_owned();
    deployer(&w);
    create(
        &w,
        &to,
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"values.yaml": format!("text: {SECRET}"), "word": SECRET}}),
    );
    let there = format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: planted\n  namespace: {to}\n");
    let hook = format!("{there}  annotations: {{helm.sh/hook: pre-install}}\n");
    let role = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: {}-role\nrules: []\n",
        w.name()
    );
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: planted.tenant.example}\nspec:\n  group: tenant.example\n  \
               scope: Namespaced\n  names: {kind: Planted, plural: planted}\n  versions:\n  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}\n";
    let lookup = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{{{ .Release.Name }}}}\ndata:\n  found: {{{{ (lookup \"v1\" \"Secret\" \"{to}\" \"key\") | toJson | quote }}}}\n"
    );
    let all = lookup.replace(&format!("\"{to}\" \"key\""), "\"\" \"\"");
    let file = "templates/a.yaml";
    for (chart, files) in [
        ("plain", vec![CONFIG]),
        ("elsewhere", vec![CONFIG, (file, there.as_str())]),
        ("hook", vec![CONFIG, (file, hook.as_str())]),
        ("cluster", vec![CONFIG, (file, role.as_str())]),
        ("definition", vec![CONFIG, ("crds/a.yaml", crd)]),
        ("lookup", vec![(file, lookup.as_str())]),
        ("lookup-all", vec![(file, all.as_str())]),
    ] {
        w.chart(chart, "0.1.0", &files);
    }
    let moves = json!({"postRenderers": [{"kustomize": {"patches": [{"target": {"kind": "ConfigMap"},
        "patch": format!("[{{\"op\": \"add\", \"path\": \"/metadata/namespace\", \"value\": \"{to}\"}}]")}]}}]});
    let new = format!("{}-new", w.name());
    for (name, chart, spec) in [
        ("elsewhere", "elsewhere", json!({})),
        ("hook", "hook", json!({})),
        ("cluster", "cluster", json!({})),
        ("definition", "definition", json!({})),
        ("lookup", "lookup", json!({})),
        ("lookup-all", "lookup-all", json!({})),
        ("moved", "plain", moves),
        ("storage", "plain", json!({"storageNamespace": to})),
        ("target", "plain", json!({"targetNamespace": to})),
        ("makes", "plain", json!({"targetNamespace": new, "install": {"createNamespace": true}})),
    ] {
        let mut spec = spec;
        spec["serviceAccountName"] = "deployer".into();
        w.release(name, chart, spec);
        let r = w.until(name, "the refusal", |r| r.is("Ready", "False"));
        let text = r.message("Ready");
        assert!(text.contains("forbidden") || text.contains("cannot"), "{name}: {text}");
        assert!(!r.0.to_string().contains(SECRET), "{name}");
    }
    // Values of Secrets are those of the own namespace, whatever the reference says.
    let values = json!({"apiVersion": pintle::api::HELM_API, "kind": "HelmRelease", "metadata": {"name": "values", "namespace": w.name()},
        "spec": {"interval": "1h", "chartRef": {"kind": "HelmChart", "name": "plain"}, "serviceAccountName": "deployer",
            "valuesFrom": [{"kind": "Secret", "name": "key", "namespace": to}]}});
    let made = w.run(async |cluster| cluster.create(&values, &write_options()).await);
    if made.is_ok() {
        let r = w.until("values", "the refusal", |r| r.is("Ready", "False"));
        assert_eq!(r.reason("Ready"), "ValuesError", "{}", r.message("Ready"));
    }
    // Nothing came of it.
    w.run(async |cluster| {
        for (api, kind, ns, name) in [
            ("v1", "ConfigMap", Some(to.as_str()), "planted"),
            ("v1", "Namespace", None, new.as_str()),
            ("rbac.authorization.k8s.io/v1", "ClusterRole", None, &format!("{}-role", w.name())),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, "planted.tenant.example"),
        ] {
            assert_eq!(cluster.get(&ObjectId::new(Gvk::parse(api, kind), ns, name)).await.unwrap(), None, "{kind}");
        }
        for kind in ["ConfigMap", "Secret"] {
            let gvk = Gvk::new("", "v1", kind);
            let found = cluster.list(&gvk, Some(&to), "", "").await.unwrap();
            let mut names = found.iter().map(|o| o["metadata"]["name"].as_str().unwrap_or_default());
            assert!(names.all(|n| n == "key" || n == "kube-root-ca.crt"), "{found:?}");
            let own = cluster.list(&gvk, Some(w.name()), "", "").await.unwrap();
            assert!(!own.iter().any(|o| o.to_string().contains(SECRET)), "{kind}");
        }
    });
    // And with an account that is not there, nothing at all.
    w.release("nobody", "plain", json!({"serviceAccountName": "nobody"}));
    let r = w.until("nobody", "the refusal", |r| r.is("Ready", "False"));
    assert!(r.message("Ready").contains("forbidden"), "{}", r.message("Ready"));
    // The account's own is its own.
    w.release("own", "plain", json!({"serviceAccountName": "deployer"}));
    w.ready("own");
}

#[test]
fn releases_without_an_account_use_the_default_one() {
    let w = World::with("lockdown", |o| o.default_service_account = "deployer".into());
    w.chart("plain", "0.1.0", &[CONFIG]);
    w.release("web", "plain", json!({}));
    let r = w.until("web", "the refusal", |r| r.is("Ready", "False"));
    assert!(r.message("Ready").contains("system:serviceaccount"), "{}", r.message("Ready"));
    assert_eq!(w.live("v1", "ConfigMap", "web"), None);
    deployer(&w);
    w.request("web", "t", &[]);
    w.ready("web");
}

#[test]
fn a_hostile_chart_does_not_reach_the_controller() {
    let w = World::new("hostile");
    let shows = |what: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{{{ .Release.Name }}}}\ndata:\n  is: {{{{ {what} | quote }}}}\n"
        )
    };
    let file = "templates/a.yaml";
    for (name, what) in [
        ("up", ".Files.Get \"../../../../../../../../etc/passwd\""),
        ("root", ".Files.Get \"/etc/passwd\""),
        ("account", ".Files.Get \"/var/run/secrets/kubernetes.io/serviceaccount/token\""),
        ("glob", "(.Files.Glob \"/etc/*\").AsConfig"),
        ("lines", ".Files.Lines \"../../etc/hostname\" | toJson | replace \"[]\" \"\" | replace \"null\" \"\""),
        ("host", "getHostByName \"localhost\""),
    ] {
        w.chart(name, "0.1.0", &[(file, &shows(what))]);
        w.release(name, name, json!({}));
        w.ready(name);
        let is = w.data(name, "is");
        assert!(is.is_empty() || is == "{}", "{name}: {is}");
    }
    for (name, what) in [("env", "env \"PATH\""), ("expand", "expandenv \"$PATH\"")] {
        w.chart(name, "0.1.0", &[(file, &shows(what))]);
        w.release(name, name, json!({}));
        let r = w.until(name, "the refusal", |r| r.reason("Ready") == "InstallFailed");
        assert!(r.message("Ready").contains("not defined"), "{name}: {}", r.message("Ready"));
    }
}

#[test]
fn poison_harms_nobody_else() {
    let w = World::with("poison", |o| {
        o.concurrent = 2;
        o.max_retry_delay = Duration::from_secs(2);
    });
    w.chart("web", "0.1.0", &[CONFIG]);
    w.release("web", "web", json!({"values": {"text": "0"}}));
    w.ready("web");
    let file = "templates/a.yaml";
    w.chart("broken", "0.1.0", &[(file, "{{ .Values.a.b.c }}")]);
    w.chart("syntax", "0.1.0", &[(file, "{{ if }}")]);
    w.chart("endless", "0.1.0", &[(file, "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}")]);
    w.chart("ring", "0.1.0", &[(file, "{{ define \"x\" }}{{ include \"x\" . }}{{ end }}{{ include \"x\" . }}")]);
    w.chart("huge", "0.1.0", &[(file, "a: {{ repeat 2000000000 \"x\" }}")]);
    w.chart("yaml", "0.1.0", &[(file, "a: [b\n")]);
    let mut text = String::new();
    let mut n = 7_u64;
    // No packing makes it smaller than a Secret may be.
    while text.len() < 1_500_000 {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("{:016x}", n ^ (n >> 29)));
    }
    text.truncate(1_040_000);
    create(
        &w,
        w.name(),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bad"}, "data": {"values.yaml": "a: [b"}}),
    );
    create(
        &w,
        w.name(),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "large"}, "data": {"values.yaml": format!("big: {text}")}}),
    );
    create(
        &w,
        w.name(),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "large"}, "stringData": {"values.yaml": format!("other: {}", text.chars().rev().collect::<String>())}}),
    );
    let poison = [
        ("cel", "web", json!({"healthCheckExprs": [{"apiVersion": "v1", "current": "x.("}]}), "InvalidCELExpression"),
        ("source", "none", json!({}), "ArtifactFailed"),
        ("values", "web", json!({"valuesFrom": [{"kind": "ConfigMap", "name": "bad"}]}), "ValuesError"),
        (
            "large",
            "web",
            json!({"valuesFrom": [{"kind": "ConfigMap", "name": "large"}, {"kind": "Secret", "name": "large"}]}),
            "InstallFailed",
        ),
        ("broken", "broken", json!({}), "InstallFailed"),
        ("syntax", "syntax", json!({}), "InstallFailed"),
        ("endless", "endless", json!({}), "InstallFailed"),
        ("ring", "ring", json!({}), "InstallFailed"),
        ("huge", "huge", json!({}), "InstallFailed"),
        ("yaml", "yaml", json!({}), "InstallFailed"),
    ];
    for (name, chart, spec, _) in &poison {
        w.release(name, chart, spec.clone());
    }
    for i in 1..=5 {
        let begin = Instant::now();
        w.change("web", json!({"spec": {"values": {"text": i.to_string()}}}));
        w.until("web", "an upgrade beside poison", |r| {
            r.observed() && r.is("Ready", "True") && w.data("web", "text") == i.to_string()
        });
        assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    }
    for (name, _, _, reason) in &poison {
        let r = w.until(name, reason, |r| r.reason("Ready") == *reason);
        let text = r.message("Ready");
        assert!(!text.is_empty() && text.len() < 40_000, "{name}: {} bytes", text.len());
    }
    // What can be healed is healed.
    let id = ObjectId::new(Gvk::new("", "v1", "ConfigMap"), Some(w.name()), "bad");
    let body = json!({"data": {"values.yaml": "text: healed"}});
    w.run(async |cluster| cluster.patch(&id, PatchType::Merge, &body, &write_options()).await.unwrap());
    w.ready("values");
    assert_eq!(w.data("values", "text"), "healed");
}
