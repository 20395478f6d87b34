//! Files that are not what they look like.

use super::{CONFIG_MAP, applies, findings, finds, silent, with};

#[test]
fn what_lies_in_hidden_directories_is_there() {
    let sound = "resources: [cm.yaml, ../.base]\nconfigurations: [../.config/c.yaml]\n\
                 configMapGenerator:\n- {name: g, envs: [.env], files: [.hidden/values]}\n";
    let files = [
        ("apps/x/cm.yaml", CONFIG_MAP),
        ("apps/x/.env", "a=b\n"),
        ("apps/x/.hidden/values", "a\n"),
        ("apps/.base/kustomization.yaml", "resources: [cm.yaml]\n"),
        ("apps/.base/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"),
        ("apps/.config/c.yaml", "commonLabels: []\n"),
        ("apps/x/kustomization.yaml", sound),
    ];
    silent(&files);
    let missing = sound.replace("../.config/c.yaml", "../.config/d.yaml");
    let wanted = "kustomize/missing-resource apps/x/kustomization.yaml:2: ../.config/d.yaml is not there";
    finds(&with(&files, &[("apps/x/kustomization.yaml", &missing)]), &[wanted]);
}

#[test]
fn a_creation_rule_accuses_what_it_would_encrypt() {
    let files = [
        ("apps/x/kustomization.yaml", "resources: [sa.yaml]\n"),
        ("apps/x/sa.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n"),
        (".yamllint.yaml", "rules: {}\n"),
        (".sops.yaml", "creation_rules:\n- path_regex: .*.yaml\n  encrypted_regex: ^(data|stringData)$\n"),
    ];
    silent(&files);
    silent(&with(&files, &[(".sops.yaml", "creation_rules:\n- path_regex: .*.yaml\n")]));
    let secret = ("apps/x/sa.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: Yg==}\n");
    finds(&with(&files, &[secret]), &["secrets/plain-secret apps/x/sa.yaml:4"]);
    let narrow =
        (".sops.yaml", "creation_rules:\n- path_regex: apps/.*.yaml\n  encrypted_regex: ^(data|stringData)$\n");
    silent(&with(&files, &[narrow]));
    finds(&with(&files, &[narrow, secret]), &["secrets/not-encrypted apps/x/sa.yaml:0"]);
}

/// What is found where a Secret lies in clear, with these entries.
fn findings_of_secret(entries: &str) -> Vec<String> {
    let secret = format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData:\n  {entries}\n");
    findings(&[("apps/x/kustomization.yaml", "resources: [s.yaml]\n"), ("apps/x/s.yaml", &secret)])
}

#[test]
fn references_in_a_secret_are_no_secrets() {
    let of = |token: &str| findings_of_secret(&format!("user: ${{user}}\n  token: {token}"));
    for token in [
        "${token}",
        "${token:=}",
        "op://vault/item/field",
        "<path:secret/data/app#token>",
        "<secret:app#token | base64>",
        "ref+vault://secret/app#/token",
        "vault:secret/data/app#token",
        "\"{{ .token }}\"",
    ] {
        assert_eq!(of(token), [""; 0], "{token}");
    }
    for token in ["hunter2", "${token:=hunter2}"] {
        let found = of(token);
        assert!(found.len() == 1 && found[0].starts_with("secrets/plain-secret apps/x/s.yaml:4"), "{token}: {found:?}");
    }
}

#[test]
fn names_are_judged_where_kubernetes_judges_them() {
    let images = "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: label_sync}\n---\n\
                  apiVersion: user.openshift.io/v1\nkind: Group\nmetadata: {name: demolab_team}\nusers: []\n";
    let files = [
        (
            "apps/x/kustomization.yaml",
            "resources: [i.yaml]\nconfigMapGenerator: [{name: g, files: [data.yaml, k=key.yaml]}]\n",
        ),
        ("apps/x/i.yaml", images),
        // What a ConfigMap holds, and what programs read.
        ("apps/x/data.yaml", "apiVersion: example.com/v1\nkind: Settings\nsize: 1\n"),
        ("apps/x/key.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: A_B}\nspec: {prots: []}\n"),
        (
            "capi/metadata.yaml",
            "apiVersion: clusterctl.cluster.x-k8s.io/v1alpha3\nkind: Metadata\nreleaseSeries: [{major: 1, minor: 2, contract: v1beta1}]\n",
        ),
    ];
    silent(&files);
    // A transformer gives the name.
    let transformer = "apiVersion: builtin\nkind: NamespaceTransformer\nmetadata: {name: t, namespace: shop}\n\
                       fieldSpecs: [{path: metadata/name, kind: Namespace, create: true}]\n";
    let namespace = [
        ("apps/x/kustomization.yaml", "resources: [n.yaml]\ntransformers: [t.yaml]\n"),
        ("apps/x/n.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: .invalid}\n"),
        ("apps/x/t.yaml", transformer),
    ];
    silent(&namespace);
    let plain = ("apps/x/kustomization.yaml", "resources: [n.yaml]\n");
    finds(&with(&namespace[..2], &[plain]), &["kubernetes/name apps/x/n.yaml:3: \".invalid\" is no name"]);
    let nameless = ("apps/x/i.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a_b}\n");
    finds(&with(&files, &[nameless]), &["kubernetes/name apps/x/i.yaml:3: \"a_b\" is no name for a ServiceAccount"]);
    // Data that is an object, too.
    let both = "resources: [key.yaml]\nconfigMapGenerator: [{name: g, files: [data.yaml, k=key.yaml]}]\n";
    let wanted = ["kubernetes/name apps/x/key.yaml:3", "kubernetes/unknown-field apps/x/key.yaml:4"];
    finds(&[("apps/x/kustomization.yaml", both), files[2], files[3]], &wanted);
}

#[test]
fn parts_of_other_programs_are_no_manifests() {
    let talos = "machine: {install: {disk: /dev/sda}}\n---\napiVersion: v1alpha1\nkind: HostnameConfig\nhostname: a\n";
    let delete = "$patch: delete\napiVersion: policy/v1beta1\nkind: PodSecurityPolicy\nmetadata: {name: p}\n";
    let files = [
        ("apps/x/kustomization.yaml", "resources: [cm.yaml]\n"),
        ("apps/x/cm.yaml", CONFIG_MAP),
        ("talos/node.yaml", talos),
        ("extras/patch.yaml", delete),
    ];
    silent(&files);
    let bare = talos.replace("apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: a\n", CONFIG_MAP);
    finds(&with(&files, &[("talos/node.yaml", &bare)]), &["kubernetes/manifest talos/node.yaml:1"]);
    let other = talos.replace("machine:", "machines:");
    finds(&with(&files, &[("talos/node.yaml", &other)]), &["kubernetes/manifest talos/node.yaml:1"]);
    let policy = delete.replace("$patch: delete\n", "");
    finds(&with(&files, &[("extras/patch.yaml", &policy)]), &["kubernetes/removed-api extras/patch.yaml:1"]);
}

/// One line that two clusters fill differently is no slip, and a variable has the type of its default.
#[test]
fn a_value_is_not_compared_with_itself() {
    let chart = [
        ("chart/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        ("chart/values.yaml", "replicas: 1\nx: 1\n"),
        (
            "chart/templates/c.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {r: \"{{ .Values.replicas }}{{ .Values.x }}\"}\n",
        ),
        ("apps/base/kustomization.yaml", "resources: [hr.yaml]\n"),
    ];
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: a}\nspec:\n  interval: 5m\n  chart:\n    \
                   spec:\n      chart: ./chart\n      sourceRef: {kind: GitRepository, name: flux-system}\n  \
                   values:\n    replicas: ${REPLICAS:=1}\n";
    let variable = |value: &str| format!("  postBuild: {{substitute: {{REPLICAS: \"{value}\"}}}}\n");
    let patch = |value: &str| {
        format!("{}  patches:\n  - target: {{kind: HelmRelease}}\n    patch: |\n      {value}\n", variable("2"))
    };
    let of = |a: &str, b: &str| {
        let (a, b) = (applies("apps", "./apps/base", a), applies("apps", "./apps/base", b));
        let more = [
            ("apps/base/hr.yaml", release),
            ("clusters/a/apps.yaml", a.as_str()),
            ("clusters/b/apps.yaml", b.as_str()),
        ];
        findings(&with(&chart, &more))
    };
    let x = "- {op: add, path: /spec/values/x, value: 1}";
    assert_eq!(of(&variable("2"), &patch(x)), [""; 0]);
    // What a variable comes to in one cluster only.
    assert_eq!(of(&variable("2"), &variable("two")), [""; 0]);
    let found = of(&variable("2"), &patch("- {op: replace, path: /spec/values/replicas, value: two}"));
    let wanted = "values/key-type clusters/b/apps.yaml:";
    assert!(found.len() == 1 && found[0].starts_with(wanted), "{found:?}");
    assert!(found[0].ends_with("replicas is a string here and a number in apps/base/hr.yaml:11"), "{found:?}");
}

#[test]
fn templates_of_other_programs_are_no_broken_yaml() {
    let jinja = "a:\n  b:\n{{ servers }}\nc:\n  d: 1\n";
    let values = "scrape:\n- targets: [vault.${DOMAIN}:8200]\n";
    let kustomization = "resources: [cm.yaml]\nconfigMapGenerator: [{name: v, files: [values.yaml]}]\n";
    let files = [
        ("apps/x/kustomization.yaml", kustomization),
        ("apps/x/cm.yaml", CONFIG_MAP),
        ("apps/x/values.yaml", values),
        ("talos/controlplane.yaml", jinja),
        ("skeleton/app.yaml", "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {{ .app }}-app\n"),
        ("skeleton/ns.yaml", "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {{ .app }}\n"),
        ("skeleton/db.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: \"{prefix}-db\"}\n"),
        ("skeleton/_.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: _}\n"),
    ];
    silent(&files);
    // What a kustomization builds must be YAML before anybody fills it in, and what has nothing to do with a template is broken.
    let list = ("apps/x/kustomization.yaml", "resources: [cm.yaml, values.yaml]\n");
    finds(&with(&files, &[list]), &["yaml/syntax apps/x/values.yaml"]);
    let broken = jinja.replace("{{ servers }}", "servers\n- x");
    finds(&with(&files, &[("talos/controlplane.yaml", &broken)]), &["yaml/syntax talos/controlplane.yaml"]);
    let name = ("skeleton/db.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: A_db}\n");
    finds(&with(&files, &[name]), &["kubernetes/name skeleton/db.yaml:3"]);
    let built = [("apps/x/kustomization.yaml", "resources: [db.yaml]\n"), ("apps/x/db.yaml", files[6].1)];
    finds(&built, &["kubernetes/name apps/x/db.yaml:3"]);
}

#[test]
fn what_sops_hides_is_not_judged() {
    let enc = "ENC[AES256_GCM,data:YQ==,iv:YQ==,tag:YQ==,type:str]";
    let hidden = format!(
        "apiVersion: {enc}\nkind: {enc}\nmetadata:\n  name: {enc}\nsops:\n  age: []\n  mac: {enc}\n  version: 3.9.0\n"
    );
    let files = [
        ("apps/x/kustomization.yaml", "resources: [cm.yaml]\n"),
        ("apps/x/cm.yaml", CONFIG_MAP),
        ("apps/y/all.sops.yaml", hidden.as_str()),
    ];
    let named = findings(&files);
    assert!(!named.iter().any(|f| f.starts_with("kubernetes/")), "{named:#?}");
}

/// `stringData` of which the secret parts are variables, with an address or a name beside them.
#[test]
fn settings_beside_variables_are_no_secrets() {
    let of = |entry: &str| findings_of_secret(&format!("PASSWORD: ${{PASSWORD}}\n  {entry}"));
    for entry in
        ["REPOSITORY: s3:http://minio:9000/a", "app.yaml: \"id: a\\nas: ${TOKEN}\"", "db: postgres://a:${B}@c/d"]
    {
        assert_eq!(of(entry), [""; 0], "{entry}");
    }
    for entry in
        ["API_TOKEN: hunter2", "db: postgres://a:hunter2@c/d", "id: a81Kd02mzLq93hTw77bX", "mode: ${MODE:=hunter2}"]
    {
        let found = of(entry);
        assert!(found.len() == 1 && found[0].starts_with("secrets/plain-secret"), "{entry}: {found:?}");
    }
    let alone =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  REPOSITORY: s3:http://minio:9000/a\n";
    finds(
        &[("apps/x/kustomization.yaml", "resources: [s.yaml]\n"), ("apps/x/s.yaml", alone)],
        &["secrets/plain-secret apps/x/s.yaml:4"],
    );
}
