//! What comes about in the cluster only, what a Kustomization does to its own directory, and which directories are environments.

use super::{CONFIG_MAP, applies, findings, finds, found, silent, with};

const CHART: [(&str, &str); 2] = [
    ("charts/a/Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.2.3\n"),
    (
        "charts/a/templates/cm.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made}\ndata: {host: {{ .Values.host | default \"none\" | quote }}}\n",
    ),
];

/// A release of the chart with `valuesFrom: [FROM]`.
fn release(from: &str) -> String {
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: a, namespace: ns}}\nspec:\n  interval: 5m\n  \
         valuesFrom: [{from}]\n  chart:\n    spec:\n      chart: charts/a\n      sourceRef: {{kind: GitRepository, name: flux-system, namespace: flux-system}}\n"
    )
}

#[test]
fn what_controllers_make_in_the_cluster_is_not_missing() {
    let external = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: es, namespace: ns}\nspec: {target: {name: db}}\n";
    let cluster =
        "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: db, namespace: ns}\nspec: {instances: 1}\n";
    let check = |from: &str, maker: &str| {
        let release = release(from);
        let list = ("apps/x/kustomization.yaml", "resources: [release.yaml, maker.yaml]\n");
        let files = [list, ("apps/x/release.yaml", &release), ("apps/x/maker.yaml", maker)];
        findings(&with(&CHART, &files))
    };
    let one = "{kind: Secret, name: db, valuesKey: host, targetPath: host}";
    assert!(check(one, external).is_empty());
    assert!(check(&one.replace("name: db", "name: db-app"), cluster).is_empty());
    // All values of a release can't be guessed.
    let whole = check("{kind: Secret, name: db}", external);
    let wanted =
        "build/unsupported apps/x/release.yaml:6: valuesFrom: Secret db is made in the cluster by ExternalSecret es";
    assert!(whole.len() == 1 && whole[0].starts_with(wanted), "{whole:#?}");
    // Nobody makes these.
    for (from, maker) in [
        (one.replace("name: db", "name: dc"), external),
        (one.replace("name: db", "name: es"), external),
        (one.to_owned(), cluster),
        (one.replace("kind: Secret", "kind: ConfigMap"), external),
        (one.to_owned(), &external.replace("ns", "other")),
    ] {
        let found = check(&from, maker);
        assert!(found.len() == 1 && found[0].starts_with("reference/values-from "), "{from} {maker}: {found:#?}");
    }
}

#[test]
fn variables_and_pods_may_take_what_controllers_make() {
    let external = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: db, namespace: flux-system}\nspec: {}\n";
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: flux-system}\nspec:\n  containers:\n  - name: a\n    image: a:1\n    \
               envFrom: [{secretRef: {name: NAME}}]\n";
    let list = ("apps/x/kustomization.yaml", "resources: [pod.yaml, es.yaml]\n");
    let (good, bad) = (pod.replace("NAME", "db"), pod.replace("NAME", "dc"));
    let files = [list, ("apps/x/pod.yaml", &good), ("apps/x/es.yaml", external)];
    silent(&files);
    finds(&with(&files, &[("apps/x/pod.yaml", &bad)]), &["reference/secret apps/x/pod.yaml:8"]);
    // What is built of variables that nobody here knows is not checked.
    let variables = |name: &str| {
        applies("apps", "./apps/x", "")
            + &applies(
                "more",
                "./apps/y",
                &format!(
                    "  dependsOn: [{{name: apps}}]\n  postBuild: {{substituteFrom: [{{kind: Secret, name: {name}}}]}}\n"
                ),
            )
    };
    let files =
        with(&files, &[("apps/y/kustomization.yaml", "resources: [cm.yaml]\n"), ("apps/y/cm.yaml", CONFIG_MAP)]);
    for (name, wanted) in [("db", "build/unsupported "), ("dc", "build/render ")] {
        let clusters = variables(name);
        let found = found(&with(&files, &[("clusters/a/apps.yaml", &clusters)]));
        assert!(found.len() == 1 && found[0].starts_with(wanted), "{name}: {found:#?}");
    }
}

#[test]
fn what_lies_elsewhere_is_not_checked_and_not_called_wrong() {
    for kustomization in [
        "resources: [cm.yaml, 'https://example.com/a.yaml']\n",
        "resources: [cm.yaml]\nconfigMapGenerator: [{name: a, files: ['a=https://example.com/a.json']}]\n",
    ] {
        let files = [("apps/x/kustomization.yaml", kustomization), ("apps/x/cm.yaml", CONFIG_MAP)];
        let found = findings(&files);
        assert!(found.len() == 1 && found[0].starts_with("build/unsupported "), "{found:#?}");
        // The environment's own.
        let own = [("clusters/a/kustomization.yaml", kustomization), ("clusters/a/cm.yaml", CONFIG_MAP)];
        let found = findings(&own);
        assert!(found.len() == 1 && found[0].starts_with("build/unsupported "), "{found:#?}");
    }
}

/// A source that a part which can't be built would bring is not missed by those that lie in it.
#[test]
fn a_source_in_a_part_that_fails_is_not_missed() {
    let source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: other, namespace: flux-system}\n\
                  spec: {interval: 1h, url: \"https://example.com/r\", ref: {tag: v1}}\n";
    let crds =
        applies("crds", "./config/crd", "").replace("GitRepository, name: flux-system", "GitRepository, name: other");
    let by_hand = "  postBuild: {substituteFrom: [{kind: ConfigMap, name: by-hand}]}\n";
    let (sound, failing) =
        (applies("sources", "./apps/x", "") + &crds, applies("sources", "./apps/x", by_hand) + &crds);
    let files = [("apps/x/kustomization.yaml", "resources: [source.yaml]\n"), ("apps/x/source.yaml", source)];
    let found_by = |clusters: &str| found(&with(&files, &[("clusters/a/apps.yaml", clusters)]));
    let found = found_by(&failing);
    assert!(found.len() == 1 && found[0].contains("by-hand"), "{found:#?}");
    let found = found_by(&sound);
    assert!(found.len() == 1 && found[0].starts_with("build/unsupported"), "{found:#?}");
    let found = found_by(&crds);
    assert!(found.len() == 1 && found[0].contains("no GitRepository other of another one"), "{found:#?}");
}

/// The base of `clusters/a/flux.yaml` lacks what the Kustomization of the cluster's own directory gives it.
#[test]
fn the_kustomization_of_its_own_directory_changes_it() {
    let apps = applies("apps", "./apps/x", "")
        + "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: r, namespace: flux-system}\nspec:\n  url: https://example.com/r\n  ref: {tag: v1}\n";
    let patches = "  patches:\n  - target: {kind: GitRepository}\n    patch: |\n      - {op: add, path: /spec/interval, value: 5m}\n";
    let variables =
        "  postBuild:\n    substitute: {name: a}\n    substituteFrom: [{kind: ConfigMap, name: settings}]\n";
    let own = |more: &str| applies("flux-system", "./clusters/a", more) + &apps;
    let settings =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: flux-system}\ndata: {zone: eu}\n";
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"${name}\", namespace: \"${zone}\"}\n";
    let files = [
        ("apps/x/kustomization.yaml", "resources: [cm.yaml]\n"),
        ("apps/x/cm.yaml", CONFIG_MAP),
        ("clusters/a/settings.yaml", settings),
    ];
    let patched = own(patches);
    silent(&with(&files, &[("clusters/a/flux.yaml", &patched)]));
    let plain = own("");
    finds(
        &with(&files, &[("clusters/a/flux.yaml", &plain)]),
        &["flux/missing-field clusters/a/flux.yaml:22: spec.interval"],
    );
    // Variables of an object beside it, in a name that would be none without them.
    let both = own(&format!("{patches}{variables}"));
    let files = with(&files, &[("clusters/a/map.yaml", map)]);
    silent(&with(&files, &[("clusters/a/flux.yaml", &both)]));
    // Nobody makes them.
    let by_hand = both.replace("name: settings", "name: by-hand");
    let found = findings(&with(&files, &[("clusters/a/flux.yaml", &by_hand)]));
    let wanted = "build/render clusters/a/flux.yaml:18: substituteFrom: ConfigMap by-hand";
    assert!(found.len() == 1 && found[0].starts_with(wanted), "{found:#?}");
}

/// `flux bootstrap --path=./`: the cluster's directory is the repository. A remote resource in it hides nothing else.
#[test]
fn a_repository_may_be_one_environment() {
    let source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: flux-system, namespace: flux-system}\n\
                  spec: {interval: 1h, url: \"ssh://git@example.com/a/b\", ref: {tag: v1}}\n---\n";
    let sync = format!("{source}{}", applies("flux-system", "./", ""));
    let files = [
        ("flux-system/gotk-sync.yaml", sync.as_str()),
        ("flux-system/kustomization.yaml", "resources: [gotk-sync.yaml]\n"),
        ("web/cm.yaml", CONFIG_MAP),
        ("db/kustomization.yaml", "resources: [cm.yaml]\nnamespace: db\n"),
        ("db/cm.yaml", CONFIG_MAP),
    ];
    assert_eq!(found(&files), [""; 0]);
    let remote = ("far/kustomization.yaml", "resources: ['https://example.com/a.yaml']\n");
    let twice = ("web/copy.yaml", CONFIG_MAP);
    let told = found(&with(&files, &[remote]));
    assert!(told.len() == 1 && told[0].starts_with("build/unsupported far/kustomization.yaml"), "{told:#?}");
    let pod =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: db}\nspec: {containers: [{name: a, image: a}]}\n";
    let told = found(&with(&files, &[remote, ("web/pod.yaml", pod)]));
    assert!(told.iter().any(|f| f.starts_with("image/unpinned web/pod.yaml")), "{told:#?}");
    let told = found(&with(&files, &[twice]));
    assert!(told.iter().any(|f| f.starts_with("build/") && f.contains("already registered id")), "{told:#?}");
}

/// Flux was told of `clusters/a/flux`, whose Kustomizations apply the directories beside it.
#[test]
fn a_cluster_begins_in_a_directory_beside_what_it_applies() {
    let flux =
        applies("apps", "./clusters/a/apps", "") + &applies("db", "./clusters/a/db", "  dependsOn: [{name: apps}]\n");
    let map = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: ns}}\n");
    let (one, two) = (map("one"), map("two"));
    let files = [
        ("clusters/a/flux/ks.yaml", flux.as_str()),
        ("clusters/a/apps/cm.yaml", one.as_str()),
        ("clusters/a/db/cm.yaml", two.as_str()),
        ("clusters/a/bootstrap/atlantis.yaml", "version: 3\n"),
    ];
    assert_eq!(found(&files), [""; 0]);
    let folder = crate::support::Folder::new();
    for (path, text) in &files {
        folder.write(path, text);
    }
    for name in ["a", "clusters/a/flux"] {
        let out = crate::support::pintle().args(["build", "--env", name]).arg(folder.path()).output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success() && text.matches("kind: ConfigMap").count() == 2, "{name}: {text}");
    }
}

#[test]
fn directories_of_environments_hold_environments() {
    let list = |names: &str| format!("resources: [{names}]\n");
    let (blue, base, cm) = (list("../base"), list("../../../apps/x"), list("cm.yaml"));
    let apps = [("apps/x/kustomization.yaml", cm.as_str()), ("apps/x/cm.yaml", CONFIG_MAP)];
    let environments = |files: &[(&str, &str)]| -> Vec<String> {
        let folder = crate::support::Folder::new();
        files.iter().for_each(|(path, text)| drop(folder.write(path, text)));
        let (_, _, err) = crate::support::run(&folder, &["build", "."]);
        let known = err.split_once("give one with --env: ").unwrap_or_else(|| panic!("{err}")).1;
        known.trim().split(", ").map(str::to_owned).collect()
    };
    let instance = "apiVersion: fluxcd.controlplane.io/v1\nkind: FluxInstance\nmetadata: {name: flux, namespace: flux-system}\nspec: {sync: {path: ./clusters/prod/config}}\n";
    let other = CONFIG_MAP.replace("name: a", "name: b");
    let sync = applies("flux-system", "./clusters/prod", "");
    for (files, wanted) in [
        // Two take the same base.
        (
            vec![
                ("clusters/prod/blue/kustomization.yaml", blue.as_str()),
                ("clusters/prod/green/kustomization.yaml", &blue),
                ("clusters/prod/base/kustomization.yaml", &base),
            ],
            vec!["clusters/prod/blue", "clusters/prod/green"],
        ),
        (
            vec![
                ("clusters/prod/blue/kustomization.yaml", blue.as_str()),
                ("clusters/prod/base/kustomization.yaml", &base),
            ],
            vec!["clusters/prod/blue"],
        ),
        // Flux says so.
        (
            vec![("clusters/prod/config/flux.yaml", instance), ("clusters/prod/vars/cm.yaml", CONFIG_MAP)],
            vec!["clusters/prod/config"],
        ),
        // Parts of one environment, which Flux takes with all that lies below it.
        (vec![("clusters/prod/apps/kustomization.yaml", &base), ("clusters/prod/vars/cm.yaml", &other)], vec!["prod"]),
        (
            vec![
                ("clusters/prod/flux-system/sync.yaml", &sync),
                ("clusters/prod/blue/kustomization.yaml", &base),
                ("clusters/prod/green/kustomization.yaml", "nameSuffix: -b\nresources: [../../../apps/x]\n"),
            ],
            vec!["prod"],
        ),
        // A base beside those that take it.
        (
            vec![
                ("clusters/dev/kustomization.yaml", &blue),
                ("clusters/prod/kustomization.yaml", &blue),
                ("clusters/base/kustomization.yaml", "resources: [../../apps/x]\n"),
            ],
            vec!["dev", "prod"],
        ),
        // One environment may be the other's base.
        (
            vec![
                ("clusters/dev/kustomization.yaml", "resources: [../prod]\n"),
                ("clusters/prod/kustomization.yaml", "resources: [../../apps/x]\n"),
            ],
            vec!["dev", "prod"],
        ),
    ] {
        let files = with(&apps, &files);
        assert_eq!(environments(&files), wanted, "{files:?}");
        silent(&files);
    }
}

#[test]
fn rules_of_sops_say_what_they_are_used_for() {
    let rule = "creation_rules:\n- path_regex: apps/.*.yaml\n  encrypted_regex: (?i)(token|^data$)\n";
    let with_key = format!("{rule}  age: age1cklx6kqwet4re2d9ck3pzkwk7794zd7tad5ch582kpymvfe9harsrdut8t\n");
    let encrypted = "token: ENC[AES256_GCM,data:aaaa,iv:AAAAAAAAAAAAAAAAAAAAAA==,tag:AAAAAAAAAAAAAAAAAAAAAA==,type:str]\n\
                     sops:\n  azure_kv:\n  - {vault_url: \"https://a.vault.azure.net\", name: k, version: v, created_at: \"2024-01-01T00:00:00Z\", enc: aaaa}\n  \
                     lastmodified: \"2024-01-01T00:00:00Z\"\n  mac: ENC[AES256_GCM,data:aaaa,iv:AAAAAAAAAAAAAAAAAAAAAA==,tag:AAAAAAAAAAAAAAAAAAAAAA==,type:str]\n  version: 3.9.0\n";
    let object = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\nspec: {tokenRef: b}\n";
    let list = ("apps/x/kustomization.yaml", "resources: [thing.yaml]\n");
    let files = [list, ("apps/x/thing.yaml", object), (".sops.yaml", rule)];
    let accused = "secrets/not-encrypted apps/x/thing.yaml:0";
    silent(&files);
    finds(&with(&files, &[("apps/x/values.yaml", "token: a\n")]), &["secrets/not-encrypted apps/x/values.yaml:0"]);
    // Recipients that are given by hand stand in no rule; one that stands there is wanted.
    let by_name = with(&files, &[("apps/x/keys.sops.yaml", encrypted)]);
    silent(&by_name);
    finds(&with(&by_name, &[(".sops.yaml", &with_key)]), &["secrets/recipients apps/x/keys.sops.yaml:2"]);
    // It is used on files of any name.
    finds(&with(&by_name, &[("apps/x/keys.yaml", encrypted)]), &[accused]);
    // A Secret is meant, whatever its file is called.
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: aGk=}\n";
    finds(&with(&by_name, &[("apps/x/thing.yaml", secret)]), &["secrets/not-encrypted apps/x/thing.yaml:0"]);
}

#[test]
fn fields_of_flux_kustomizations_are_known() {
    let files = [("apps/x/kustomization.yaml", "resources: [cm.yaml]\n"), ("apps/x/cm.yaml", CONFIG_MAP)];
    let with_spec = |more: &str| applies("apps", "./apps/x", more);
    let all = with_spec(
        "  timeout: 1m30s\n  retryInterval: ${RETRY}\n  dependsOn: []\n  decryption: {provider: sops}\n  postBuild: {substituteStrategy: Always}\n",
    );
    silent(&with(&files, &[("clusters/a/apps.yaml", &all)]));
    for (spec, wanted) in [
        (with_spec("  dependOn: [{name: b}]\n"), "flux/unknown-field clusters/a/apps.yaml:9: "),
        (with_spec("  wait: 'true'\n"), "flux/wrong-type clusters/a/apps.yaml:9: "),
        (with_spec("  deletionPolicy: Keep\n"), "flux/invalid-value clusters/a/apps.yaml:9: "),
        (with_spec("").replace("  interval: 1h\n", ""), "flux/missing-field clusters/a/apps.yaml:4: "),
    ] {
        finds(&with(&files, &[("clusters/a/apps.yaml", &spec)]), &[wanted]);
    }
}
