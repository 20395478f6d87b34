//! What can only be told of an object where it is built, and what follows from a build that fails.

use super::{CONFIG_MAP, applies, findings, finds, found, silent, with};

const RELEASE: &str = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: r}\n\
                       spec:\n  url: https://example.com/r\n  ref: {tag: v1}\n";
const MISSING: &str = "flux/missing-field apps/base/source.yaml:4: spec.interval is missing";

/// The base lacks `spec.interval`: whoever builds it must give it.
#[test]
fn a_field_that_a_base_lacks_may_come_from_a_patch() {
    let base = [("apps/base/kustomization.yaml", "resources: [source.yaml]\n"), ("apps/base/source.yaml", RELEASE)];
    let patch =
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: r}\nspec: {interval: 5m}\n";
    let json = "- {op: add, path: /spec/interval, value: 5m}\n";
    let component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches: [{path: patch.yaml}]\n";
    for kustomization in [
        "resources: [../base]\npatches: [{path: patch.yaml}]\n",
        "resources: [../base]\npatches: [{path: patch.yaml, target: {kind: GitRepository}}]\n",
        "resources: [../base]\npatches: [{path: json.yaml, target: {kind: GitRepository, name: r}}]\n",
        "resources: [../base]\npatches:\n- target: {kind: GitRepository}\n  patch: |\n    - {op: add, path: /spec/interval, value: 5m}\n",
        "resources: [../base]\ncomponents: [../component]\n",
    ] {
        let (own, shared) = (("apps/x/patch.yaml", patch), ("apps/component/patch.yaml", patch));
        let mut files = vec![("apps/x/json.yaml", json), ("apps/x/kustomization.yaml", kustomization)];
        if kustomization.contains("components") {
            files.extend([("apps/component/kustomization.yaml", component), shared]);
        } else if kustomization.contains("patch.yaml") {
            files.push(own);
        }
        silent(&with(&base, &files));
    }
    let plain = ("apps/x/kustomization.yaml", "resources: [../base]\n");
    finds(&with(&base, &[plain]), &[MISSING]);
    // A patch of something else.
    let other = patch.replace("interval: 5m", "timeout: 5m");
    let patched = ("apps/x/kustomization.yaml", "resources: [../base]\npatches: [{path: patch.yaml}]\n");
    finds(&with(&base, &[patched, ("apps/x/patch.yaml", &other)]), &[MISSING]);
    // Deprecated, but they count.
    for kustomization in [
        "resources: [../base]\npatchesStrategicMerge: [patch.yaml]\n",
        "resources: [../base]\npatchesJson6902: [{path: json.yaml, target: {version: v1, group: source.toolkit.fluxcd.io, kind: GitRepository, name: r}}]\n",
    ] {
        let mut files = vec![("apps/x/json.yaml", json), ("apps/x/kustomization.yaml", kustomization)];
        files.extend(kustomization.contains("[patch.yaml]").then_some(("apps/x/patch.yaml", patch)));
        finds(&with(&base, &files), &["kustomize/deprecated-field apps/x/kustomization.yaml:2"]);
    }
    // Flux patches it in one cluster, and not in the other.
    let patches = "  patches:\n  - target: {kind: GitRepository}\n    patch: |\n      - {op: add, path: /spec/interval, value: 5m}\n";
    let (a, b) = (applies("apps", "./apps/base", patches), applies("apps", "./apps/base", ""));
    silent(&with(&base, &[("clusters/a/apps.yaml", &a)]));
    finds(&with(&base, &[("clusters/a/apps.yaml", &a), ("clusters/b/apps.yaml", &b)]), &[MISSING]);
    // A Kustomization that can't be built for another reason patches all the same.
    let variables = "  postBuild: {substituteFrom: [{kind: Secret, name: by-hand}]}\n";
    let unbuilt = applies("apps", "./apps/base", &format!("{patches}{variables}"));
    finds(&with(&base, &[("clusters/a/apps.yaml", &unbuilt)]), &[]);
    let unbuilt = applies("apps", "./apps/base", variables);
    finds(&with(&base, &[("clusters/a/apps.yaml", &unbuilt)]), &[MISSING]);
}

/// Annotations become texts in every build of kustomize, and values may be replaced; labels stay numbers.
#[test]
fn a_value_counts_as_it_is_built() {
    let config_map =
        |metadata: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  {metadata}: {{c: 2}}\n");
    let (annotated, labelled) = (config_map("annotations"), config_map("labels"));
    let annotations = "kubernetes/wrong-type apps/x/cm.yaml:5: metadata.annotations.c must be a string";
    let labels = "kubernetes/wrong-type apps/x/cm.yaml:5: metadata.labels.c must be a string";
    let listed = ("apps/x/kustomization.yaml", "resources: [cm.yaml]\n");
    silent(&[listed, ("apps/x/cm.yaml", &annotated)]);
    finds(&[listed, ("apps/x/cm.yaml", &labelled)], &[labels]);
    // A kustomization that no cluster applies, and a file that nothing builds.
    let apps = [("clusters/a/apps.yaml", applies("apps", "./apps/y", "")), ("apps/y/cm.yaml", CONFIG_MAP.to_owned())];
    let apps = apps.each_ref().map(|(path, text)| (*path, text.as_str()));
    silent(&with(&apps, &[listed, ("apps/x/cm.yaml", &annotated)]));
    finds(&with(&apps, &[listed, ("apps/x/cm.yaml", &labelled)]), &[labels]);
    finds(&with(&apps, &[("apps/x/cm.yaml", &annotated)]), &[annotations]);
    // A patch that replaces the value, and one that puts another item before it.
    let base = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec:\n  ports:\n  - port: http\n";
    let patched =
        |json: &str| format!("resources: [cm.yaml]\npatches:\n- target: {{kind: Service}}\n  patch: |\n    - {json}\n");
    let replaced = patched("{op: replace, path: /spec/ports/0/port, value: 80}");
    silent(&[("apps/x/kustomization.yaml", &replaced), ("apps/x/cm.yaml", base)]);
    let before = patched("{op: add, path: /spec/ports/0, value: {port: 80, name: web}}");
    let found = findings(&[("apps/x/kustomization.yaml", &before), ("apps/x/cm.yaml", base)]);
    assert!(found.iter().any(|f| f.contains("port must be an integer")), "{found:#?}");
}

/// What is switched off counts on what the others are given.
#[test]
fn a_field_that_others_of_the_kind_are_given_is_not_missed_in_what_nothing_builds() {
    let patches = "  patches:\n  - target: {kind: GitRepository}\n    patch: |\n      - {op: add, path: /spec/interval, value: 5m}\n";
    let (given, bare) = (applies("apps", "./apps/x", patches), applies("apps", "./apps/x", ""));
    let off = RELEASE.replace("name: r", "name: off");
    let files = [
        ("apps/x/kustomization.yaml", "resources: [source.yaml]\n"),
        ("apps/x/source.yaml", RELEASE),
        ("off/source.yaml", &off),
    ];
    silent(&with(&files, &[("clusters/a/apps.yaml", &given)]));
    let missing = "flux/missing-field off/source.yaml:4: spec.interval is missing";
    finds(&with(&files, &[("clusters/a/apps.yaml", &bare)]), &["flux/missing-field apps/x/source.yaml:4", missing]);
    // What nobody is given is missed, and the whole object elsewhere makes it a patch.
    let whole = RELEASE.replace("spec:\n", "spec:\n  interval: 5m\n");
    finds(&with(&files, &[("apps/x/source.yaml", &whole)]), &[missing]);
    let patch = RELEASE.replace("  url: https://example.com/r\n", "");
    silent(&with(&files, &[("apps/x/source.yaml", &whole), ("off/source.yaml", &patch)]));
}

#[test]
fn what_no_cluster_builds_is_judged_as_its_kustomization_builds_it() {
    let files = [
        ("apps/x/kustomization.yaml", "resources: [cm.yaml]\n"),
        ("apps/x/cm.yaml", CONFIG_MAP),
        ("apps/base/kustomization.yaml", "resources: [source.yaml]\n"),
        ("apps/base/source.yaml", RELEASE),
    ];
    finds(&files, &[MISSING]);
    let patches =
        "patches:\n- target: {kind: GitRepository}\n  patch: |\n    - {op: add, path: /spec/interval, value: 5m}\n";
    let overlay = format!("resources: [../base]\n{patches}");
    silent(&with(&files, &[("apps/y/kustomization.yaml", &overlay)]));
    finds(&with(&files, &[("apps/y/kustomization.yaml", "resources: [../base]\n")]), &[MISSING]);
    // An overlay that needs a network may patch it.
    let remote = format!("resources: [../base, 'https://example.com/r.git//x?ref=v1']\n{patches}");
    silent(&with(&files, &[("apps/y/kustomization.yaml", &remote)]));
    // Without any kustomization it counts as it lies there.
    let alone: Vec<_> = files.into_iter().filter(|(path, _)| *path != "apps/base/kustomization.yaml").collect();
    finds(&alone, &[MISSING]);
}

/// A cluster gives its Kustomizations the patches for what they apply, and their paths hold variables. Here no environment can be built.
#[test]
fn kustomizations_count_as_their_cluster_leaves_them() {
    let apps = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps, namespace: flux-system}\n\
                spec: {path: \"./apps/${ENV}/${CLUSTER}\"}\n";
    let defaults = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: any}\nspec:\n  interval: 1h\n  \
                    prune: true\n  sourceRef: {kind: GitRepository, name: flux-system}\n  \
                    postBuild: {substituteFrom: [{kind: Secret, name: by-hand}]}\n  patches:\n  - target: {kind: GitRepository}\n    \
                    patch: |\n      - {op: add, path: /spec/interval, value: 5m}\n";
    let patched =
        "resources: [../../apps.yaml]\npatches: [{path: ../../defaults.yaml, target: {kind: Kustomization}}]\n";
    let files = [
        ("apps/source.yaml", RELEASE),
        ("apps/dev/base/kustomization.yaml", "resources: [../../source.yaml]\n"),
        ("apps/dev/a/kustomization.yaml", "resources: [../base]\n"),
        ("apps.yaml", apps),
        ("defaults.yaml", defaults),
        ("clusters/a/kustomization.yaml", patched),
    ];
    let of = |files: &[(&str, &str)]| {
        let found = findings(files);
        found.into_iter().filter(|f| f.starts_with("flux/missing-field apps/source.yaml")).collect::<Vec<_>>()
    };
    assert_eq!(of(&files), [""; 0]);
    let other = defaults.replace("path: /spec/interval, value: 5m", "path: /spec/timeout, value: 5m");
    assert_eq!(of(&with(&files, &[("defaults.yaml", &other)])).len(), 1);
    // Whether a cluster that can't be built patches it is not known.
    let broken = patched.replace("resources: [", "resources: [gone.yaml, ");
    assert_eq!(of(&with(&files, &[("clusters/a/kustomization.yaml", &broken)])), [""; 0]);
    // A Kustomization that applies its own directory with patches.
    let patches = "  patches:\n  - target: {kind: GitRepository}\n    patch: |\n      - {op: add, path: /spec/interval, value: 5m}\n";
    let own = applies("own", "./clusters/a", patches);
    let files = [("clusters/a/own.yaml", own.as_str()), ("clusters/a/source.yaml", RELEASE)];
    assert_eq!(findings(&files).iter().filter(|f| f.starts_with("flux/missing-field")).count(), 0);
    let other = own.replace("/spec/interval", "/spec/timeout");
    let found = findings(&with(&files, &[("clusters/a/own.yaml", &other)]));
    assert_eq!(
        found.iter().filter(|f| f.starts_with("flux/missing-field clusters/a/source.yaml:4")).count(),
        1,
        "{found:#?}"
    );
}

#[test]
fn labels_may_be_the_selector() {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  template:\n    spec:\n      \
                      containers: [{name: c, image: \"i:1.0\"}]\n";
    let of = |kustomization| [("apps/x/d.yaml", deployment), ("apps/x/kustomization.yaml", kustomization)];
    silent(&of("resources: [d.yaml]\nlabels: [{pairs: {app: d}, includeSelectors: true}]\n"));
    let deprecated = "kustomize/deprecated-field apps/x/kustomization.yaml:2";
    finds(&of("resources: [d.yaml]\ncommonLabels: {app: d}\n"), &[deprecated]);
    let missing = "kubernetes/missing-field apps/x/d.yaml:4: spec.selector is missing";
    finds(&of("resources: [d.yaml]\nlabels: [{pairs: {app: d}}]\n"), &[missing]);
}

/// A `$(NAME)` of kustomize's vars is judged as what it becomes.
#[test]
fn vars_have_the_type_of_their_value() {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  selector: {matchLabels: {a: b}}\n  \
                      template:\n    metadata: {labels: {a: b}}\n    spec:\n      containers:\n      - name: c\n        \
                      image: i:1\n        resources: {requests: {cpu: $(cpu)}}\n---\napiVersion: v1\nkind: ServiceAccount\n\
                      metadata: {name: x-$(v)}\n";
    let kustomization = "resources: [d.yaml, cm.yaml]\nconfigurations: [p.yaml]\nvars:\n\
                         - {name: cpu, objref: {kind: ConfigMap, name: c, apiVersion: v1}, fieldref: {fieldpath: data.cpu}}\n\
                         - {name: v, objref: {kind: ConfigMap, name: c, apiVersion: v1}, fieldref: {fieldpath: data.v}}\n";
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {v: a, cpu: \"1\"}\n";
    let files = [
        ("apps/x/d.yaml", deployment),
        ("apps/x/kustomization.yaml", kustomization),
        ("apps/x/cm.yaml", map),
        (
            "apps/x/p.yaml",
            "varReference:\n- {path: spec/template/spec/containers/resources/requests/cpu, kind: Deployment}\n\
             - {path: metadata/name, kind: ServiceAccount}\n",
        ),
    ];
    let deprecated = "kustomize/deprecated-field apps/x/kustomization.yaml:3";
    finds(&files, &[deprecated]);
    let bad = map.replace("v: a, cpu: \"1\"", "v: a_b, cpu: lots");
    let quantity = "kubernetes/wrong-type apps/x/d.yaml:12: spec.template.spec.containers[0].resources.requests.cpu is no quantity";
    let name = "kubernetes/name apps/x/d.yaml:16: \"x-a_b\" is no name for a ServiceAccount";
    finds(&with(&files, &[("apps/x/cm.yaml", &bad)]), &[quantity, name, deprecated]);
    // Nobody replaces this one.
    let other = deployment.replace("$(cpu)", "$(memory)");
    finds(&with(&files, &[("apps/x/d.yaml", &other)]), &[quantity, deprecated]);
}

const FROM_REPOSITORY: &str = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: NAME, namespace: flux-system}\n\
                               spec:\n  interval: 5m\n  MORE\n  chart:\n    spec:\n      chart: a\n      version: 1.2.3\n      \
                               sourceRef: {kind: HelmRepository, name: r}\n";

/// What a Kustomization that can't be built would bring is not missed, too.
#[test]
fn a_cause_is_told_once() {
    let repository = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {name: r, namespace: flux-system}\n\
                      spec: {interval: 1h, url: \"https://example.com/charts\"}\n---\n";
    let infra = format!("{repository}{}", FROM_REPOSITORY.replace("NAME", "base").replace("  MORE\n", ""));
    let depends = "dependsOn: [{name: base}]\n  valuesFrom: [{kind: ConfigMap, name: values}]";
    let release = FROM_REPOSITORY.replace("NAME", "a").replace("MORE", depends);
    let values = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: values, namespace: flux-system}\ndata: {values.yaml: \"a: b\", zone: eu}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: zones, namespace: flux-system}\ndata: {zone: eu}\n";
    let by = |from: &str| format!("  postBuild: {{substituteFrom: [{{kind: {from}}}]}}\n");
    let clusters =
        |infra: &str, apps: &str| applies("infra", "./apps/infra", infra) + &applies("apps", "./apps/x", apps);
    let files = [
        ("apps/infra/kustomization.yaml", "resources: [hr.yaml, cm.yaml]\n"),
        ("apps/infra/hr.yaml", infra.as_str()),
        ("apps/infra/cm.yaml", values),
        ("apps/x/kustomization.yaml", "resources: [hr.yaml]\n"),
        ("apps/x/hr.yaml", release.as_str()),
    ];
    let check = |infra: &str, apps: &str, more: &[(&str, &str)]| {
        let text = clusters(infra, apps);
        let files = with(&files, more);
        let found = found(&with(&files, &[("clusters/a/apps.yaml", &text)]));
        found.into_iter().filter(|f| !f.starts_with("build/unsupported")).collect::<Vec<_>>()
    };
    let cause = "build/render clusters/a/apps.yaml:9: substituteFrom: ConfigMap value is not in what was built";
    let after = "  dependsOn: [{name: infra}]\n";
    assert_eq!(check("", "", &[]), [""; 0]);
    for apps in [String::new(), format!("{after}{}", by("ConfigMap, name: values"))] {
        let found = check(&by("ConfigMap, name: value"), &apps, &[]);
        assert!(found.len() == 1 && found[0].starts_with(cause), "{found:#?}");
    }
    // What is nowhere is missed all the same.
    let other = release
        .replace("name: base", "name: bse")
        .replace("name: r}", "name: rr}")
        .replace("name: values", "name: vals");
    let found = check(&by("ConfigMap, name: value"), "", &[("apps/x/hr.yaml", &other)]);
    let rules: Vec<&str> = found.iter().filter_map(|f| f.split(' ').next()).collect();
    let mut wanted = vec!["reference/depends-on", "reference/values-from", "reference/source", "build/render"];
    wanted.retain(|rule| !rules.contains(rule));
    assert!(wanted.is_empty() && found.iter().any(|f| f.starts_with(cause)), "{wanted:?} not in {found:#?}");
    // Where all is built, what is missing is missing.
    let less = FROM_REPOSITORY.replace("NAME", "elsewhere").replace("  MORE\n", "");
    let found = check("", "", &[("apps/infra/hr.yaml", &format!("{repository}{less}")), ("old/hr.yaml", &infra)]);
    let wanted = "reference/depends-on apps/x/hr.yaml:6: HelmRelease a depends on base";
    assert!(found.len() == 1 && found[0].starts_with(wanted), "{found:#?}");
    // Flux tries again until variables are there, which is never where those that bring them wait.
    assert_eq!(check("", &by("ConfigMap, name: zones"), &[]), [""; 0]);
    let found = check("  dependsOn: [{name: apps}]\n", &by("ConfigMap, name: zones"), &[]);
    let wanted = "substituteFrom: ConfigMap zones is not in what was built before";
    assert!(found.len() == 1 && found[0].contains(wanted), "{found:#?}");
}

/// Who sets up a cluster makes Secrets and ConfigMaps that lie in no repository.
#[test]
fn variables_that_nothing_here_makes_may_be_made_by_hand() {
    let clusters = |kind: &str, name: &str| {
        let from = format!("  postBuild: {{substituteFrom: [{{kind: {kind}, name: {name}}}]}}\n");
        applies("vars", "./apps/vars", "") + &applies("apps", "./apps/x", &from)
    };
    let files = [
        ("apps/vars/kustomization.yaml", "resources: [cm.yaml]\nsecretGenerator: [{name: tokens, literals: [a=b]}]\n"),
        (
            "apps/vars/cm.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cluster-settings, namespace: flux-system}\n",
        ),
        ("apps/x/kustomization.yaml", "resources: [cm.yaml]\n"),
        ("apps/x/cm.yaml", CONFIG_MAP),
    ];
    for (kind, name, wanted) in [
        ("ConfigMap", "cluster-settings", ""),
        (
            "ConfigMap",
            "cluster-facts",
            "build/unsupported clusters/a/apps.yaml:18: substituteFrom: nothing in this repository makes",
        ),
        (
            "Secret",
            "cluster-secrets",
            "build/unsupported clusters/a/apps.yaml:18: substituteFrom: nothing in this repository makes",
        ),
        // A slip, and what gets another name where it is generated.
        (
            "ConfigMap",
            "cluster-setings",
            "build/render clusters/a/apps.yaml:18: substituteFrom: ConfigMap cluster-setings is not in",
        ),
        ("Secret", "tokens", "build/render clusters/a/apps.yaml:18: substituteFrom: Secret tokens is not in"),
    ] {
        let found = found(&with(&files, &[("clusters/a/apps.yaml", &clusters(kind, name))]));
        let fits =
            found.iter().filter(|f| !f.starts_with("secrets/")).all(|f| !wanted.is_empty() && f.starts_with(wanted));
        assert!(fits && found.is_empty() == wanted.is_empty(), "{kind} {name}: {found:#?}");
    }
}

/// Flux joins a path to the root of its source, which nothing leads out of.
#[test]
fn a_path_stays_in_its_source() {
    let files = [("apps/x/kustomization.yaml", "resources: [cm.yaml]\n"), ("apps/x/cm.yaml", CONFIG_MAP)];
    for (path, wanted) in [("../apps/x", 0), ("./../../apps/y/../x", 0), ("../apps/z", 1)] {
        let found = found(&with(&files, &[("clusters/a/apps.yaml", &applies("apps", path, ""))]));
        assert_eq!(found.len(), wanted, "{path}: {found:#?}");
    }
}

/// A cluster that is laid out alike in a public repository and in a private one.
#[test]
fn another_repository_may_have_the_same_directories() {
    let source = |name: &str, url: &str| {
        format!(
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {{name: {name}, namespace: flux-system}}\n\
             spec: {{interval: 1h, url: \"{url}\", ref: {{tag: v1}}}}\n---\n"
        )
    };
    let private = applies("private", "./clusters/a/apps", "").replace("name: flux-system}\n", "name: private}\n");
    let check = |url: &str| {
        let own =
            source("flux-system", "ssh://git@example.com/team/cluster") + &applies("flux-system", "./clusters/a", "");
        let all = own + &source("private", url) + &private;
        let files = [
            ("clusters/a/flux-system/sync.yaml", all.as_str()),
            ("clusters/a/apps/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ns}\n"),
        ];
        found(&files)
    };
    let elsewhere = check("https://example.com/team/cluster-private");
    assert!(
        elsewhere.len() == 1
            && elsewhere[0].contains("private is not built: path ./clusters/a/apps is of GitRepository private"),
        "{elsewhere:#?}"
    );
    let same = check("https://mirror.example.com/team/cluster.git");
    assert!(same.len() == 1 && same[0].starts_with("duplicate/object clusters/a/apps/cm.yaml:1"), "{same:#?}");
}

#[test]
fn the_source_that_flux_was_installed_with_is_not_missed() {
    let release = FROM_REPOSITORY.replace("NAME", "a").replace("  MORE\n", "").replace("chart: a", "chart: ./charts/a");
    let release = release.replace("kind: HelmRepository", "kind: GitRepository").replace("name: r}", "name: infra}");
    let other = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: other, namespace: flux-system}\n\
                 spec: {interval: 1h, url: \"https://example.com/r\", ref: {tag: v1}}\n---\n";
    let clusters =
        applies("apps", "./apps/x", "").replace("GitRepository, name: flux-system", "GitRepository, name: infra");
    let release = format!("{other}{release}");
    let files = [
        ("apps/x/kustomization.yaml", "resources: [hr.yaml]\n"),
        ("apps/x/hr.yaml", release.as_str()),
        ("charts/a/Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
        ("charts/a/templates/cm.yaml", CONFIG_MAP),
        ("clusters/a/apps.yaml", clusters.as_str()),
    ];
    silent(&files);
    let wrong = release.replace("name: infra}", "name: infrb}");
    finds(&with(&files, &[("apps/x/hr.yaml", &wrong)]), &["reference/source apps/x/hr.yaml"]);
}

#[test]
fn an_object_that_two_kustomizations_apply_names_both() {
    let clusters = applies("one", "./apps/x", "") + &applies("two", "./apps/x", "");
    let files = [
        ("apps/x/kustomization.yaml", "resources: [cm.yaml]\n"),
        ("apps/x/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ns}\n"),
        ("clusters/a/apps.yaml", clusters.as_str()),
    ];
    let wanted = "duplicate/object apps/x/cm.yaml:1: ConfigMap a is applied by Kustomization flux-system/one and by Kustomization flux-system/two";
    finds(&files, &[wanted]);
    let elsewhere = applies("one", "./apps/x", "") + &applies("two", "./apps/x", "  targetNamespace: other\n");
    silent(&with(&files, &[("clusters/a/apps.yaml", &elsewhere)]));
}
