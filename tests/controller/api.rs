//! The CustomResourceDefinitions: the files of `crds/`, beside Flux's own, and on a real API server.

use std::path::{Path, PathBuf};

use pintle::cluster::kube::Kube;
use pintle::cluster::{Cluster, ClusterError, Json, ObjectId, PatchType};
use serde_json::json;

use crate::support::cluster::{Namespace, namespace, peer, write_options};
use crate::support::crds;

fn yaml(text: &[u8]) -> Json {
    pintle::cluster::manifest::objects(text).expect("YAML").remove(0)
}

#[test]
fn the_files_are_what_the_types_say() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let list = std::fs::read_to_string(dir.join("kustomization.yaml")).unwrap();
    for (name, text) in pintle::api::definition_files().unwrap() {
        let file = std::fs::read(dir.join(&name)).unwrap_or_default();
        assert!(file == text, "crds/{name} is out of date: cargo run --example crds");
        assert!(
            list.contains(&format!("- {name}\n")),
            "crds/kustomization.yaml lacks {name}: cargo run --example crds"
        );
    }
}

/// Flux's definitions, from its modules.
fn flux() -> Vec<(PathBuf, Json)> {
    let mut all = Vec::new();
    for module in ["helm-controller", "source-controller"] {
        for entry in std::fs::read_dir(peer(module).join("config/crd/bases")).unwrap() {
            let path = entry.unwrap().path();
            let definition = yaml(&std::fs::read(&path).unwrap());
            all.push((path, definition));
        }
    }
    all
}

/// What differs, as paths. Descriptions are ours; lists of words and of required fields have no order.
fn differences(flux: &Json, ours: &Json, path: &str, out: &mut Vec<String>) {
    match (flux, ours) {
        (Json::Object(a), Json::Object(b)) => {
            for (key, value) in a {
                match b.get(key) {
                    _ if key == "description" && value.is_string() => {}
                    Some(other) => differences(value, other, &format!("{path}.{key}"), out),
                    None => out.push(format!("-{path}.{key}")),
                }
            }
            out.extend(b.keys().filter(|k| !a.contains_key(*k)).map(|k| format!("+{path}.{k}")));
        }
        (Json::Array(a), Json::Array(b))
            if path.ends_with("required") || path.ends_with("enum") || path.ends_with("Names") =>
        {
            let word = |v: &Json| v.as_str().unwrap_or_default().to_string();
            out.extend(a.iter().filter(|v| !b.contains(v)).map(|v| format!("-{path}[{}]", word(v))));
            out.extend(b.iter().filter(|v| !a.contains(v)).map(|v| format!("+{path}[{}]", word(v))));
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                differences(a, b, &format!("{path}[{i}]"), out);
            }
        }
        _ if flux == ours => {}
        _ => out.push(format!("{path}: {flux} became {ours}")),
    }
}

#[test]
fn every_rule_of_flux_is_kept_and_additions_are_few() {
    let ours = pintle::api::definition_files().unwrap();
    let mut found = Vec::new();
    let theirs = flux();
    assert_eq!(theirs.len(), ours.len());
    for (path, definition) in theirs {
        let name = path.file_name().unwrap().to_str().unwrap();
        let (_, own) = ours.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("no {name}"));
        let own = yaml(own);
        differences(&definition["spec"], &own["spec"], "", &mut found);
        let note = "kustomize.toolkit.fluxcd.io/substitute";
        assert_eq!(definition["metadata"]["annotations"].get(note), own["metadata"]["annotations"].get(note), "{name}");
    }
    let spec = ".versions[0].schema.openAPIV3Schema.properties.spec.properties";
    let want = [
        format!("+{spec}.chart.properties.spec.properties.verify.properties.matchOIDCIdentity"),
        format!("+{spec}.dependsOn.items.properties.apiVersion"),
        format!("+{spec}.dependsOn.items.properties.kind"),
        format!("+{spec}.valuesFrom.items.properties.kind.enum[GitRepository]"),
        format!("+{spec}.valuesFrom.items.properties.kind.enum[OCIRepository]"),
        format!("+{spec}.valuesFrom.items.properties.kind.enum[ExternalArtifact]"),
        format!("+{spec}.valuesFrom.items.properties.namespace"),
        format!("+{spec}.valuesFrom.items.properties.path"),
        format!("+{spec}.valuesFrom.items.x-kubernetes-validations"),
    ];
    found.sort();
    let mut want = want.to_vec();
    want.sort();
    assert_eq!(found, want, "differences: {found:#?}");
}

/// A HelmRelease with a spec that is changed by the test.
fn release(name: &str, ns: &Namespace, spec: Json) -> Json {
    let mut object = json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
        "metadata": {"name": name, "namespace": ns.name()},
        "spec": {"interval": "5m", "chartRef": {"kind": "OCIRepository", "name": "web"}},
    });
    let Json::Object(spec) = spec else { panic!("a map") };
    for (key, value) in spec {
        match value {
            Json::Null => object["spec"].as_object_mut().unwrap().remove(&key),
            value => object["spec"].as_object_mut().unwrap().insert(key, value),
        };
    }
    object
}

async fn create(cluster: &Kube, object: &Json) -> Result<Json, ClusterError> {
    cluster.create(object, &write_options()).await
}

#[test]
fn objects_get_flux_defaults_and_wrong_ones_its_words() {
    let ns = namespace("api-objects");
    crds::served(&ns);
    ns.run(async |cluster: Kube| {
        let chart = json!({"spec": {"chart": "web", "sourceRef": {"kind": "HelmRepository", "name": "charts"}, "verify": {}}});
        let made = create(&cluster, &release("defaults", &ns, json!({"chartRef": null, "chart": chart, "uninstall": {}}))).await;
        let made = made.expect("created");
        let spec = &made["spec"]["chart"]["spec"];
        assert_eq!((&spec["version"], &spec["reconcileStrategy"]), (&json!("*"), &json!("ChartVersion")));
        assert_eq!(spec["verify"], json!({"provider": "cosign"}));
        assert_eq!(made["spec"]["uninstall"], json!({"deletionPropagation": "background"}));
        assert_eq!(made["status"], json!({"observedGeneration": -1}));
        assert_eq!(made["spec"].as_object().unwrap().len(), 3, "nothing else is filled in: {made}");

        let either = "either chart or chartRef must be set";
        let path = "path must be set for kinds GitRepository, OCIRepository and ExternalArtifact, and for these alone";
        for (name, spec, message) in [
            ("both", json!({"chart": chart}), either),
            ("neither", json!({"chartRef": null}), either),
            ("interval", json!({"interval": "5"}), "should match"),
            ("name", json!({"releaseName": "x".repeat(54)}), "Too long"),
            ("install", json!({"install": {"strategy": {"name": "RemediateOnFailure", "retryInterval": "1m"}}}), ".retryInterval cannot be set"),
            ("upgrade", json!({"upgrade": {"strategy": {"name": "RemediateOnFailure", "retryInterval": "1m"}}}), ".retryInterval can only be set"),
            ("kubeconfig", json!({"kubeConfig": {}}), "exactly one of spec.kubeConfig"),
            ("key", json!({"valuesFrom": [{"kind": "Secret", "name": "v", "valuesKey": "a b"}]}), "valuesKey"),
            ("target", json!({"valuesFrom": [{"kind": "Secret", "name": "v", "targetPath": "a[]"}]}), "targetPath"),
            ("kind", json!({"valuesFrom": [{"kind": "Bucket", "name": "v"}]}), "Unsupported value"),
            ("path", json!({"valuesFrom": [{"kind": "GitRepository", "name": "v"}]}), path),
            ("no-path", json!({"valuesFrom": [{"kind": "ConfigMap", "name": "v", "path": "a.yaml"}]}), path),
            ("ns", json!({"valuesFrom": [{"kind": "Secret", "name": "v", "namespace": "kube-system"}]}), "namespace can only be set"),
            ("mode", json!({"driftDetection": {"mode": "on"}}), "Unsupported value"),
            ("null", json!({"timeout": 5}), "must be of type string"),
        ] {
            let error = create(&cluster, &release(name, &ns, spec)).await.expect_err(name).to_string();
            assert!(error.contains(message), "{name}: {error}");
        }

        let source = |kind: &str, name: &str, spec: Json| {
            json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": kind, "metadata": {"name": name, "namespace": ns.name()}, "spec": spec})
        };
        for (kind, spec, defaults) in [
            ("GitRepository", json!({"url": "https://git.example/r", "interval": "1m"}), json!({"timeout": "60s"})),
            ("OCIRepository", json!({"url": "oci://reg.example/r", "interval": "1m"}), json!({"timeout": "60s", "provider": "generic"})),
            ("HelmRepository", json!({"url": "https://charts.example"}), json!({"provider": "generic"})),
            ("Bucket", json!({"bucketName": "b", "endpoint": "s3.example", "interval": "1m"}), json!({"timeout": "60s", "provider": "generic"})),
            (
                "HelmChart",
                json!({"chart": "web", "interval": "1m", "sourceRef": {"kind": "HelmRepository", "name": "r"}}),
                json!({"version": "*", "reconcileStrategy": "ChartVersion"}),
            ),
            ("ExternalArtifact", json!({"sourceRef": {"kind": "Any", "name": "x"}}), json!({})),
        ] {
            let made = create(&cluster, &source(kind, "defaults", spec.clone())).await.unwrap_or_else(|e| panic!("{kind}: {e}"));
            let mut want = spec;
            want.as_object_mut().unwrap().extend(defaults.as_object().unwrap().clone());
            assert_eq!(made["spec"], want, "{kind}");
            let observed = if kind == "ExternalArtifact" { Json::Null } else { json!(-1) };
            assert_eq!(made["status"]["observedGeneration"], observed, "{kind}");
        }
        for (kind, spec, message) in [
            ("GitRepository", json!({"url": "git@github.com:r", "interval": "1m"}), "should match"),
            ("GitRepository", json!({"url": "https://g", "interval": "1m", "timeout": "1h"}), "timeout"),
            ("GitRepository", json!({"url": "https://g", "interval": "1m", "serviceAccountName": "x"}), "serviceAccountName can only be set"),
            ("OCIRepository", json!({"url": "https://reg", "interval": "1m"}), "should match"),
            ("HelmRepository", json!({"url": "s3://charts"}), "should match"),
            (
                "HelmChart",
                json!({"chart": "w", "interval": "1m", "sourceRef": {"kind": "Bucket", "name": "r"}, "verify": {}}),
                "spec.verify is only supported",
            ),
            (
                "Bucket",
                json!({"bucketName": "b", "endpoint": "e", "interval": "1m", "provider": "gcp", "sts": {"provider": "aws", "endpoint": "https://s"}}),
                "STS configuration is only supported",
            ),
        ] {
            let error = create(&cluster, &source(kind, "wrong", spec)).await.expect_err(kind).to_string();
            assert!(error.contains(message), "{kind}: {error}");
        }
    });
}

#[test]
fn an_object_goes_through_the_rust_types_unchanged() {
    let ns = namespace("api-types");
    crds::served(&ns);
    ns.run(async |cluster: Kube| {
        let values = json!({"a": 1, "b": null, "c": [1.5, "<x>"], "big": 9_007_199_254_740_993_i64, "empty": {}});
        let spec = json!({
            "values": values, "timeout": "1h30m", "suspend": true, "maxHistory": 0, "persistentClient": false,
            "install": {"crds": "CreateReplace", "serverSideApply": false, "remediation": {"retries": -1}},
            "test": {"enable": true, "filters": []},
            "postRenderers": [{"kustomize": {"patches": [{"patch": "- op: remove", "target": {"kind": "Job"}}], "images": [{"name": "a", "newTag": "1"}]}}],
            "valuesFrom": [{"kind": "GitRepository", "name": "g", "path": "helm-values/web/prod-config.yaml", "namespace": "flux-system"}],
            "dependsOn": [{"kind": "Kustomization", "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "name": "infra", "readyExpr": "true"}],
            "healthCheckExprs": [{"apiVersion": "x.example/v1", "current": "true", "inProgress": "false"}],
        });
        let made = create(&cluster, &release("round", &ns, spec)).await.expect("created");
        let typed: pintle::api::HelmRelease = serde_json::from_value(made.clone()).expect("typed");
        let back = serde_json::to_value(&typed).unwrap();
        assert_eq!(back["spec"], made["spec"]);
        assert_eq!(back["metadata"]["uid"], made["metadata"]["uid"]);
        assert_eq!(typed.release_name(), "round");
        assert_eq!(typed.timeout().as_secs(), 5400);
        // An object without a spec passes Flux's schema, and must be readable.
        let bare = json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "bare", "namespace": ns.name()}});
        let bare: pintle::api::HelmRelease = serde_json::from_value(create(&cluster, &bare).await.expect("created")).expect("typed");
        assert_eq!((bare.spec.interval.0.as_str(), bare.status.observed_generation), ("", -1));
    });
}

/// Definitions under a group of their own, so that switching them disturbs no other test.
fn elsewhere(definition: &Json) -> Json {
    serde_json::from_str(&definition.to_string().replace("toolkit.fluxcd.io", "toolkit.switch.example")).expect("JSON")
}

#[test]
fn objects_survive_switching_the_definitions_to_flux_and_back() {
    let ns = namespace("api-switch");
    let ours: Vec<Json> = pintle::api::definitions()
        .iter()
        .map(|(_, d)| elsewhere(d))
        .filter(|d| d["spec"]["names"]["kind"] == "HelmRelease")
        .collect();
    let theirs: Vec<Json> =
        flux().iter().map(|(_, d)| elsewhere(d)).filter(|d| d["spec"]["names"]["kind"] == "HelmRelease").collect();
    ns.run(async |_: Kube| {
        crds::establish(&ns.connection(), theirs.clone()).await;
        let cluster = Kube::connect(&ns.connection()).await.expect("a connection");
        let mut object = release("app", &ns, json!({
            "valuesFrom": [{"kind": "ConfigMap", "name": "v", "optional": true}], "values": {"x": null, "n": 1},
            "dependsOn": [{"name": "db"}], "install": {"remediation": {"retries": 3}}, "driftDetection": {"mode": "warn"},
        }));
        object["apiVersion"] = json!("helm.toolkit.switch.example/v2");
        let made = create(&cluster, &object).await.expect("created");
        let id = ObjectId::of(&made);
        let status = json!({"status": {
            "observedGeneration": 1, "storageNamespace": "default", "lastAttemptedRevision": "1.0.0", "installFailures": 2,
            "history": [{
                "apiVersion": "v2", "digest": "sha256:aa", "name": "app", "namespace": "default", "version": 1, "status": "deployed", "action": "install",
                "chartName": "web", "chartVersion": "1.0.0", "configDigest": "sha256:bb", "testHooks": {},
                "firstDeployed": "2026-01-01T00:00:00Z", "lastDeployed": "2026-01-01T00:00:00Z",
            }],
            "inventory": {"entries": [{"id": "default_web_apps_Deployment", "v": "v1"}]},
        }});
        let before = cluster.patch_status(&id, PatchType::Merge, &status, &write_options()).await.expect("a status");
        let plain = |o: &Json| {
            let mut o = o.clone();
            o["metadata"].as_object_mut().unwrap().retain(|k, _| k == "name" || k == "uid" || k == "generation");
            o
        };
        for definitions in [&ours, &theirs, &ours] {
            crds::establish(&ns.connection(), definitions.clone()).await;
            // A write of something else validates and prunes the whole object anew.
            let note = json!({"metadata": {"labels": {"written": "again"}}});
            let now = cluster.patch(&id, PatchType::Merge, &note, &write_options()).await.expect("still valid");
            assert_eq!(plain(&now), plain(&before));
            let typed: pintle::api::HelmRelease = serde_json::from_value(now.clone()).expect("typed");
            let back = serde_json::to_value(&typed).unwrap();
            assert_eq!((&back["spec"], &back["status"]), (&now["spec"], &now["status"]));
        }
    });
}
