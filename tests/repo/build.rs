//! `pintle build`: Flux's objects around charts: Kustomizations that are followed, post-renderers, charts that lie elsewhere.

use super::support::{Folder, git, pintle};

const CHART: &str = "apiVersion: v2\nname: app\nversion: 1.2.3\n";
const TEMPLATE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n  namespace: {{ .Release.Namespace }}\ndata:\n  zone: {{ .Values.zone | quote }}\n  image: {{ .Values.image | quote }}\n";

/// Two clusters' worth of Flux: a cluster directory with Kustomizations, an app that they apply.
fn flux() -> Folder {
    let f = Folder::new();
    f.write("charts/app/Chart.yaml", CHART);
    f.write("charts/app/values.yaml", "zone: none\nimage: base\n");
    f.write("charts/app/templates/cm.yaml", TEMPLATE);
    f.write(
        "clusters/prod/apps.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: apps\n  namespace: flux-system\nspec:\n  interval: 1h\n  \
         path: ./apps/app\n  prune: true\n  targetNamespace: shop\n  dependsOn:\n  - name: config\n  sourceRef: {kind: GitRepository, name: flux-system}\n  \
         postBuild:\n    substitute:\n      image: app:2\n    substituteFrom:\n    - kind: ConfigMap\n      name: cluster-vars\n  \
         commonMetadata:\n    labels:\n      team: shop\n",
    );
    f.write(
        "clusters/prod/config.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: config\n  namespace: flux-system\nspec:\n  interval: 1h\n  \
         path: ./config\n  prune: true\n  sourceRef: {kind: GitRepository, name: flux-system}\n",
    );
    f.write(
        "config/vars.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: cluster-vars\n  namespace: flux-system\ndata:\n  zone: eu-1\n",
    );
    f.write("apps/app/kustomization.yaml", "resources: [release.yaml]\n");
    f.write(
        "apps/app/release.yaml",
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: app\nspec:\n  interval: 1h\n  chart:\n    spec:\n      \
         chart: ./charts/app\n      sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}\n  \
         values:\n    zone: ${zone}\n    image: ${image}\n",
    );
    f
}

fn build(f: &Folder, args: &[&str]) -> (bool, String, String) {
    let out = pintle().current_dir(f.path()).args(["build", "--no-keys", "--env"]).args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.success(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn kustomizations_are_followed_in_order() {
    let f = flux();
    let (ok, out, err) = build(&f, &["prod"]);
    assert!(ok, "{err}");
    for want in [
        "# Release: shop/app (apps/app/release.yaml:1)\n",
        "  zone: \"eu-1\"\n  image: \"app:2\"\n",
        "# Environment: prod (clusters/prod)\n",
        "# Kustomization: flux-system/config\n",
        "# Kustomization: flux-system/apps\n",
        "    team: shop\n",
    ] {
        assert!(out.contains(want), "{want}\n{out}");
    }
    // Any directory that a cluster applies is an environment.
    assert_eq!(build(&f, &["clusters/prod"]).1.replace("clusters/prod (", "prod ("), out);
    // What is not there is said, with its place.
    f.write(
        "config/vars.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: other\n  namespace: flux-system\n",
    );
    let (ok, _, err) = build(&f, &["prod"]);
    assert!(
        !ok && err.contains("clusters/prod/apps.yaml:") && err.contains("substituteFrom: ConfigMap cluster-vars"),
        "{err}"
    );
}

#[test]
fn post_renderers_and_common_metadata_come_last() {
    let f = flux();
    let release = f.read("apps/app/release.yaml");
    let more = "  postRenderers:\n  - kustomize:\n      patches:\n      - target: {kind: ConfigMap}\n        patch: |\n          \
                - {op: replace, path: /data/zone, value: patched}\n  commonMetadata:\n    annotations: {owner: me}\n";
    f.write("apps/app/release.yaml", format!("{release}{more}"));
    let (ok, out, err) = build(&f, &["prod", "--origin-labels"]);
    assert!(ok, "{err}");
    let want = "data:\n  image: app:2\n  zone: patched\nkind: ConfigMap\nmetadata:\n  annotations:\n    owner: me\n  labels:\n    \
                helm.toolkit.fluxcd.io/name: app\n    helm.toolkit.fluxcd.io/namespace: shop\n  name: app\n  namespace: shop\n";
    assert!(out.contains(want), "{out}");
}

#[test]
fn output_for_programs_and_as_files() {
    let f = flux();
    let (ok, out, err) = build(&f, &["prod", "-o", "json"]);
    assert!(ok, "{err}");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["releases"][0]["chartVersion"], "1.2.3");
    assert_eq!(json["releases"][0]["objects"][0]["object"]["data"]["zone"], "eu-1");
    assert!(json["objects"].as_array().unwrap().iter().any(|o| o["kustomization"] == "flux-system/apps"));
    let (ok, out, err) = build(&f, &["prod", "--output-dir", "out"]);
    assert!(ok && out.contains("wrote out/shop/app/app/templates/cm.yaml\n"), "{out}{err}");
    assert!(f.read("out/shop/app/app/templates/cm.yaml").contains("zone: \"eu-1\""));
    assert!(f.read("out/objects/shop/helmrelease.helm.toolkit.fluxcd.io-app.yaml").contains("team: shop"));
}

#[test]
fn charts_of_other_repositories_are_fetched_and_offline_says_what_is_missing() {
    let f = flux();
    let other = Folder::new();
    other.write("deploy/app/Chart.yaml", CHART);
    other.write("deploy/app/ci.yaml", "image: from-ci\n");
    other.write("deploy/app/templates/cm.yaml", TEMPLATE);
    git(other.path(), &["init", "--quiet", "--initial-branch=main"]);
    git(other.path(), &["add", "--all"]);
    git(other.path(), &["commit", "--quiet", "--message=chart"]);
    let source = format!(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata:\n  name: other\n  namespace: flux-system\nspec:\n  interval: 1h\n  \
         url: file://{}\n  ref: {{branch: main}}\n",
        other.path().display()
    );
    f.write("config/source.yaml", source);
    let release = f.read("apps/app/release.yaml").replace("name: flux-system,", "name: other,");
    let release = release.replace("./charts/app\n", "./deploy/app\n      valuesFiles: [./deploy/app/ci.yaml]\n");
    f.write("apps/app/release.yaml", release.replace("    image: ${image}\n", ""));
    let cache = f.join("cache");
    let with = |args: &[&str]| {
        let out = pintle()
            .current_dir(f.path())
            .env("XDG_CACHE_HOME", &cache)
            .args(["build", "--no-keys"])
            .args(args)
            .output()
            .unwrap();
        (out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
    };
    let (ok, out) = with(&["--env", "prod", "--offline"]);
    assert!(!ok && out.contains("apps/app/release.yaml:9: chart ") && out.contains("deploy/app"), "{out}");
    let (ok, out) = with(&["--env", "prod"]);
    assert!(ok && out.contains("  zone: \"eu-1\"\n  image: \"from-ci\"\n"), "{out}");
}

/// The path of a chart is here too, but its GitRepository is another one: by what directories are applied from, or by where this was cloned from.
#[test]
fn a_chart_of_another_repository_is_not_taken_from_here() {
    let f = flux();
    f.write("config/own.yaml", source("GitRepository", "flux-system", "https://git.example.com/fleet"));
    f.write(
        "config/other.yaml",
        source("GitRepository", "other", "https://git.example.com/charts").replace("tag: v1", "branch: main"),
    );
    let release = f.read("apps/app/release.yaml");
    f.write("apps/app/release.yaml", release.replace("name: flux-system,", "name: other,"));
    let (ok, _, err) = build(&f, &["prod", "--offline"]);
    assert!(!ok && err.contains("apps/app/release.yaml:9: chart ") && err.contains("git.example.com/charts"), "{err}");
    // A mirror has another address, and the same name.
    f.write("config/other.yaml", source("GitRepository", "other", "ssh://git@mirror.example.com/a/fleet.git"));
    let (ok, out, err) = build(&f, &["prod", "--offline"]);
    assert!(ok && out.contains("image: \"app:2\""), "{err}");
    // Only another namespace has a source of this name.
    f.write("apps/app/release.yaml", release.replace("namespace: flux-system}", "namespace: shop}"));
    let (ok, _, err) = build(&f, &["prod", "--offline"]);
    let want = "apps/app/release.yaml:9: GitRepository flux-system was not found in namespace shop: there is one in flux-system";
    assert!(!ok && err.contains(want), "{err}");
    assert!(check(&f, &[]).1.contains("[reference/source]"), "{}", check(&f, &[]).1);

    let f = Folder::new();
    f.write("k8s/helm-charts/app/Chart.yaml", CHART);
    f.write("k8s/helm-charts/app/templates/cm.yaml", TEMPLATE);
    f.write("k8s/gitops/prod/kustomization.yaml", "resources: [own.yaml, other.yaml, release.yaml]\n");
    f.write("k8s/gitops/prod/own.yaml", source("GitRepository", "flux-system", "https://git.example.com/fleet"));
    let other = source("GitRepository", "other", "https://git.example.com/charts");
    f.write("k8s/gitops/prod/other.yaml", other.replace("tag: v1", "branch: main"));
    let release = release.replace("name: flux-system,", "name: other,").replace("./charts/", "./k8s/helm-charts/");
    f.write("k8s/gitops/prod/release.yaml", release);
    // Nothing tells which of the two this is.
    let (ok, _, err) = build(&f, &["prod", "--offline"]);
    assert!(ok, "{err}");
    git(f.path(), &["init", "--quiet"]);
    git(f.path(), &["remote", "add", "origin", "git@git.example.com:fleet.git"]);
    let (ok, _, err) = build(&f, &["prod", "--offline"]);
    assert!(!ok && err.contains("git.example.com/charts"), "{err}");
    let (_, text) = check(&f, &[]);
    assert!(text.contains("k8s/gitops/prod/other.yaml:9: ") && text.contains("[source/unpinned]"), "{text}");
    // A diff of a part of the environment knows it too.
    git(f.path(), &["add", "--all"]);
    git(f.path(), &["commit", "--quiet", "--message=all"]);
    f.write("k8s/helm-charts/app/templates/cm.yaml", TEMPLATE.replace("data:", "immutable: true\ndata:"));
    let out = pintle().current_dir(f.path()).args(["diff", "HEAD", "--offline", "--env", "prod"]).output().unwrap();
    let text = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
    assert!(!text.contains("immutable"), "{text}");
}

/// A typing error in a pipeline must not look like a good answer.
#[test]
fn a_service_that_is_not_there_is_an_error_of_check() {
    let f = flux();
    let (code, text) = check(&f, &["--service", "app"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = check(&f, &["--service", "apps"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = check(&f, &["--service", "ap"]);
    assert!(code == 2 && text.contains("Error: no service ap: there are app\n"), "{code} {text}");
}

fn kustomization(name: &str, source: &str, path: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: {name}\n  namespace: flux-system\nspec:\n  interval: 1h\n  \
         path: {path}\n  prune: true\n  sourceRef: {source}\n"
    )
}

fn source(kind: &str, name: &str, url: &str) -> String {
    format!(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: flux-system\nspec:\n  interval: 1h\n  url: {url}\n  \
         ref: {{tag: v1}}\n"
    )
}

/// What is made of another repository is named and passed over, the root of another one too; the rest of the environment is built.
#[test]
fn kustomizations_of_other_repositories_are_named_and_the_rest_is_built() {
    let f = flux();
    f.write("config/tenant.yaml", source("GitRepository", "tenant", "https://git.example.com/tenant"));
    f.write("config/policies.yaml", source("OCIRepository", "policies", "oci://ghcr.io/example/policies"));
    f.write("clusters/prod/t1.yaml", kustomization("tenant", "{kind: GitRepository, name: tenant}", "./production"));
    f.write("clusters/prod/t2.yaml", kustomization("policies", "{kind: OCIRepository, name: policies}", "./"));
    // Nothing of this is built: kustomize refuses it.
    f.write("broken.yaml", "name: what the root of this repository holds is no object\n");
    for name in ["t1", "t2"] {
        let text = f.read(&format!("clusters/prod/{name}.yaml"));
        f.write(
            &format!("clusters/prod/{name}.yaml"),
            text.replace("  interval", "  dependsOn: [{name: config}]\n  interval"),
        );
    }
    let (ok, out, err) = build(&f, &["prod"]);
    assert!(ok, "{err}");
    assert!(out.contains("# Release: shop/app (apps/app/release.yaml:1)\n"), "{out}");
    for want in [
        "clusters/prod/t1.yaml:11: Kustomization tenant is not built: path ./production is of GitRepository tenant \
         (https://git.example.com/tenant), which is not this checkout: build it from there\n",
        "clusters/prod/t2.yaml:11: Kustomization policies is not built: it applies the root of OCIRepository policies \
         (oci://ghcr.io/example/policies), which is not this checkout: build it from there\n",
    ] {
        assert!(err.contains(want), "{want}\n{err}");
    }
    let (_, text) = check(&f, &[]);
    assert_eq!(text.matches("[build/unsupported]").count(), 2, "{text}");
    assert!(!text.contains("[build/render]"), "{text}");
    assert!(text.contains("1 release in 1 environment checked"), "{text}");
    // A path of this very repository that is not there stays a mistake, also where its source is among the objects.
    f.write("config/own.yaml", source("GitRepository", "flux-system", "https://git.example.com/own"));
    f.write("clusters/prod/t5.yaml", kustomization("gone", "{kind: GitRepository, name: flux-system}", "./gone"));
    let (ok, _, err) = build(&f, &["prod"]);
    let want = "clusters/prod/t5.yaml:8: path: ./gone is not a directory of this repository";
    assert!(!ok && err.contains(want) && !err.contains("Kustomization gone"), "{err}");
}

fn check(f: &Folder, args: &[&str]) -> (i32, String) {
    let out = pintle().current_dir(f.path()).args(["check", "--no-keys"]).args(args).output().unwrap();
    let text = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
    (out.status.code().unwrap(), text)
}

#[test]
fn a_check_says_where_it_looked_for_environments() {
    let f = Folder::new();
    f.write(
        "flux/releases/web.yaml",
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: web\n",
    );
    let (_, text) = check(&f, &[]);
    let want = ".: warning: no environment was found, so nothing was built: there is no k8s/gitops, clusters, kubernetes/clusters, \
                k8s/clusters or environments [build/empty]\n    name the directories that clusters apply with --env PATH\n";
    assert!(text.contains(want), "{text}");
    // Manifests alone, or a chart, are no deployment repository.
    f.write("base/web/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n");
    let (code, text) = check(&f, &["base/web"]);
    assert!(code == 0 && !text.contains("build/empty"), "{text}");
}

/// Schemas are there for some versions: of others nothing would be found.
#[test]
fn a_check_knows_some_versions_of_kubernetes() {
    let f = Folder::new();
    f.write("cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n");
    for version in ["1.31", "1.33.4", "v1.33", "v1.37.0-gke.1"] {
        let (code, text) = check(&f, &["--kube-version", version]);
        assert_eq!(code, 0, "{version}: {text}");
    }
    for version in ["9.9", "1.30", "1.38", "v2.33"] {
        let (code, text) = check(&f, &["--kube-version", version]);
        assert!(code == 2 && text.contains("there are schemas of Kubernetes 1.31 to 1.37 only"), "{version}: {text}");
    }
    f.write(".pintle-check.yaml", "kubeVersion: \"1.30\"\n");
    let (code, text) = check(&f, &[]);
    assert!(code == 2 && text.contains("kube version 'v1.30'"), "{text}");
}

/// Without a directory of environments, what no Kustomization applies but itself is what clusters apply.
#[test]
fn environments_are_told_from_kustomizations() {
    let f = Folder::new();
    let here = "{kind: GitRepository, name: flux-system}";
    f.write("flux/cluster/apps.yaml", kustomization("apps", here, "./apps"));
    f.write("apps/shop/web/ks.yaml", kustomization("shop", here, "./base/web"));
    f.write("base/web/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: shop\n");
    // As a bootstrap leaves it, beside one that installs Flux from elsewhere.
    f.write("k8s/other/flux-system/sync.yaml", kustomization("flux-system", here, "./k8s/other"));
    f.write("k8s/other/flux-system/flux.yaml", kustomization("flux", "{kind: OCIRepository, name: flux}", "./"));
    f.write(
        "k8s/other/flux-system/manifests.yaml",
        source("OCIRepository", "flux", "oci://ghcr.io/fluxcd/flux-manifests"),
    );
    f.write("k8s/other/config.yaml", kustomization("config", here, "./base/web"));
    // A template's, and a hidden directory's.
    f.write("templates/cluster/apps.yaml", kustomization("apps", here, "./PROVIDER/apps"));
    f.write(".archive/cluster/apps.yaml", kustomization("apps", here, "./apps"));
    let (code, text) = check(&f, &[]);
    assert!(code == 0 && text.contains("0 releases in 2 environments checked"), "{text}");
    let (ok, out, err) = build(&f, &["flux/cluster"]);
    assert!(ok && out.contains("# Kustomization: flux-system/shop\n"), "{out}{err}");
    let (ok, _, err) = build(&f, &["prod"]);
    assert!(!ok && err.contains("there are flux/cluster, k8s/other"), "{err}");
    // The last part of a path is a name, too.
    let (ok, by_name, err) = build(&f, &["cluster"]);
    assert!(ok && by_name.replace("Environment: cluster", "Environment: flux/cluster") == out, "{by_name}{err}");
}

/// The hint fits the reason: a check fetches nothing, so there is nothing to correct in a chart from elsewhere.
#[test]
fn a_chart_from_elsewhere_is_not_checked_and_not_called_wrong() {
    let f = flux();
    let release = f.read("apps/app/release.yaml").replace("./charts/app", "podinfo\n      version: 6.5.0");
    let release = release.replace("GitRepository, name: flux-system,", "HelmRepository, name: podinfo,");
    f.write("apps/app/release.yaml", release);
    let repository = source("HelmRepository", "podinfo", "https://charts.example.com");
    f.write("config/source.yaml", repository.replace("  ref: {tag: v1}\n", ""));
    let (code, text) = check(&f, &[]);
    assert!(code == 0, "{text}");
    let want = "apps/app/release.yaml:9: warning: chart https://charts.example.com/podinfo?version=6.5.0 was not fetched: this release is not checked, \
                since a check fetches nothing [build/unsupported]\n    build it: pintle build --env prod fetches the chart\n";
    assert!(text.contains(want), "{text}");
    for (kind, want) in [
        (
            "ExternalArtifact",
            "ExternalArtifact made: artifacts that no ArtifactGenerator of environment prod makes are not supported",
        ),
        ("Bucket", "charts from a Bucket are not supported: only OCIRepository, HelmChart and ExternalArtifact"),
    ] {
        let f = flux();
        let release = f.read("apps/app/release.yaml");
        let (chart, rest) = (release.find("  chart:").unwrap(), release.find("  values:").unwrap());
        let reference = format!("  chartRef: {{kind: {kind}, name: made}}\n");
        f.write("apps/app/release.yaml", format!("{}{reference}{}", &release[..chart], &release[rest..]));
        let (_, text) = check(&f, &[]);
        let want = format!("apps/app/release.yaml:7: warning: chartRef: {want} [build/unsupported]\n");
        assert!(text.contains(&want), "{text}");
    }
}

/// kustomize gives a Namespace the name that its `namespace` says: what stood there before is a placeholder, what comes of it is judged.
#[test]
fn names_are_judged_as_the_kustomization_makes_them() {
    let f = Folder::new();
    f.write("clusters/prod/kustomization.yaml", "resources: [../../apps/shop]\n");
    f.write(
        "apps/shop/kustomization.yaml",
        "namespace: shop\nresources: [namespace.yaml, cm.yaml]\ncomponents: [../../components/quota]\n",
    );
    f.write("apps/shop/namespace.yaml", "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: _\n");
    f.write("apps/shop/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: fine\n");
    f.write(
        "components/quota/kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [quota.yaml]\n",
    );
    f.write(
        "components/quota/quota.yaml",
        "apiVersion: v1\nkind: ResourceQuota\nmetadata:\n  name: quota\nspec: {hard: {pods: 4}}\n",
    );
    let (code, text) = check(&f, &[]);
    assert!(code == 0 && !text.contains("kubernetes/name"), "{text}");
    // Other objects keep their names.
    f.write("apps/shop/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: _\n");
    let (code, text) = check(&f, &[]);
    let want = "apps/shop/cm.yaml:4: error: \"_\" is no name for a ConfigMap [kubernetes/name]\n";
    assert!(code == 1 && text.matches("[kubernetes/name]").count() == 1 && text.contains(want), "{text}");
    // What is made is judged.
    f.write("apps/shop/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: fine\n");
    let kustomization = f.read("apps/shop/kustomization.yaml").replace("namespace: shop", "namespace: Shop_1");
    f.write("apps/shop/kustomization.yaml", kustomization);
    let (code, text) = check(&f, &[]);
    let want = "apps/shop/namespace.yaml:4: error: \"Shop_1\" is no name for a Namespace [kubernetes/name]\n";
    assert!(code == 1 && text.contains(want), "{text}");
    // Where nothing replaces it, it counts.
    f.write("apps/shop/kustomization.yaml", "resources: [namespace.yaml, cm.yaml]\n");
    let (code, text) = check(&f, &[]);
    assert!(
        code == 1 && text.contains("apps/shop/namespace.yaml:4: error: \"_\" is no name for a Namespace"),
        "{text}"
    );
}

/// An artifact that may be made of this repository: nothing is said of it, and a check says so.
#[test]
fn artifacts_that_others_make_are_not_supported_and_named() {
    for (kind, article) in [("ExternalArtifact", "an"), ("Bucket", "a")] {
        let f = Folder::new();
        f.write("clusters/prod/made.yaml", kustomization("made", &format!("{{kind: {kind}, name: made}}"), "./apps"));
        let want = format!(
            "clusters/prod/made.yaml:10: warning: sourceRef: directories of {article} {kind} are not supported: only those of a GitRepository \
             or OCIRepository that is this repository [build/unsupported]\n"
        );
        let (code, text) = check(&f, &[]);
        assert!(code == 0 && text.contains(&want), "{text}");
        let (ok, _, err) = build(&f, &["prod"]);
        assert!(!ok && err.contains("are not supported") && err.contains("1 problem in environment prod"), "{err}");
    }
}

/// Documents with an apiVersion and a kind that are no Kubernetes objects.
#[test]
fn configuration_of_others_is_not_judged() {
    let f = flux();
    f.write("talos/disk.yaml", "apiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\n");
    f.write("kubeconfig.yaml", "apiVersion: v1\nkind: Config\nclusters: []\n");
    f.write("wrong.yaml", "apiVersion: v1beta1\nkind: Deployment\nmetadata:\n  name: x\n");
    let (_, text) = check(&f, &[]);
    assert!(!text.contains("talos/") && !text.contains("kubeconfig.yaml"), "{text}");
    assert!(text.contains("wrong.yaml:1: error: Kubernetes has no v1beta1 Deployment"), "{text}");
}

/// An OCI artifact is often made of one directory of a repository: paths count from there.
#[test]
fn an_artifact_may_be_a_directory_of_the_repository() {
    let f = Folder::new();
    f.write("k8s/clusters/prod/apps.yaml", kustomization("apps", "{kind: OCIRepository, name: flux-system}", "./apps"));
    f.write("k8s/apps/config.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: here\n  namespace: shop\n");
    let (ok, out, err) = build(&f, &["prod"]);
    assert!(ok && out.contains("name: here"), "{err}");
    // A Git repository comes whole.
    f.write("k8s/clusters/prod/apps.yaml", kustomization("apps", "{kind: GitRepository, name: flux-system}", "./apps"));
    let (ok, _, err) = build(&f, &["prod"]);
    assert!(!ok && err.contains("./apps is not a directory of this repository"), "{err}");
}

/// An environment without releases is one: its objects are what is applied. Variables have no type before Flux expands them.
#[test]
fn an_environment_of_plain_objects_is_built() {
    let f = Folder::new();
    f.write("clusters/prod/apps.yaml", kustomization("apps", "{kind: GitRepository, name: flux-system}", "./apps"));
    f.write(
        "apps/claim.yaml",
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: data\n  namespace: shop\nspec:\n  accessModes: [ReadWriteOnce]\n  resources:\n    \
         requests:\n      storage: ${SIZE:=5Gi}\n",
    );
    let (ok, out, err) = build(&f, &["prod"]);
    assert!(ok && out.contains("# Kustomization: flux-system/apps\n") && out.contains("name: data\n"), "{out}{err}");
    let (code, text) = check(&f, &[]);
    assert!(code == 0 && !text.contains("quantity"), "{text}");
    // In what a chart renders they stay what they are.
    let wrong = Folder::new();
    wrong.write("k8s/gitops/prod/repo.yaml", "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: shop, namespace: shop}\nspec: {interval: 1m, url: 'https://git.example/x', ref: {branch: main}}\n");
    wrong.write("k8s/gitops/prod/web.yaml", "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: shop}\nspec:\n  interval: 1m\n  chart:\n    spec: {chart: ./charts/web, sourceRef: {kind: GitRepository, name: shop}}\n");
    wrong.write("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n");
    wrong.write("charts/web/templates/a.yaml", "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: data\nspec:\n  accessModes: [ReadWriteOnce]\n  resources:\n    requests:\n      storage: ${SIZE:=5Gi}\n");
    let (code, text) = check(&wrong, &[]);
    assert!(code == 1 && text.contains("storage is no quantity"), "{text}");
    let (ok, _, err) = build(&f, &["prod", "--service", "web"]);
    assert!(!ok && err.contains("no service web in environment prod: no HelmRelease is in it"), "{err}");
    f.write("clusters/empty/kustomization.yaml", "resources: []\n");
    assert!(!build(&f, &["empty"]).0);
}

/// `| head`: what was asked for is done, and nothing is said of it.
#[test]
fn a_reader_may_go_away() {
    use std::io::Read as _;
    use std::process::Stdio;
    let f = Folder::new();
    f.write("c/Chart.yaml", CHART);
    f.write(
        "c/templates/cm.yaml",
        "{{ range until 5000 }}\n---\nkind: ConfigMap\nmetadata:\n  name: c{{ . }}\n{{ end }}",
    );
    for args in [vec!["template", "c"], vec!["completion", "bash"]] {
        let mut command = pintle();
        command.current_dir(f.path()).args(&args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut first = [0; 1];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let out = child.wait_with_output().unwrap();
        assert_eq!((out.status.code(), String::from_utf8_lossy(&out.stderr).as_ref()), (Some(141), ""), "{args:?}");
    }
}
