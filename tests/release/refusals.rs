//! Bad input on a real server: a clear error, and nothing changed.

use std::path::PathBuf;
use std::process::Output;

use pintle::cluster::{Cluster, FieldValidation, Gvk, Json, ObjectId, WriteOptions};
use serde_json::json;

use crate::support::chart;
use crate::support::cluster::{self, Namespace};

/// Everything that a release could have changed: objects with their versions.
fn snapshot(ns: &Namespace) -> Vec<String> {
    ns.run(async |cluster| {
        let mut out = Vec::new();
        for (group, version, kind) in
            [("", "v1", "ConfigMap"), ("", "v1", "Secret"), ("", "v1", "Service"), ("apps", "v1", "Deployment")]
        {
            for o in cluster.list_metadata(&Gvk::new(group, version, kind), Some(ns.name()), "").await.unwrap() {
                let version = o.pointer("/metadata/resourceVersion").and_then(Json::as_str).unwrap_or_default();
                out.push(format!("{kind} {} {version}", ObjectId::of(&o).name));
            }
        }
        out
    })
}

fn crd_exists(ns: &Namespace, name: &str) -> bool {
    let gvk = Gvk::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    ns.run(async |cluster| cluster.get(&ObjectId::new(gvk, None, name)).await.unwrap().is_some())
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
}

fn crd(plural: &str, group: &str, kind: &str) -> String {
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: {plural}.{group}}}\nspec:\n  group: {group}\n  \
         names: {{kind: {kind}, plural: {plural}}}\n  scope: Namespaced\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    \
         schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}\n"
    )
}

/// A chart of these files beside a Chart.yaml.
fn small(files: &[(&str, &str)]) -> PathBuf {
    chart::write("bad", "", files)
}

#[test]
fn installs_that_cannot_be() {
    let ns = cluster::namespace("refused");
    let first = small(&[("templates/a.yaml", &config_map("shared"))]);
    let done = ns.pintle(&["install", "first", first.to_str().unwrap()]);
    assert!(done.status.success(), "{}", text(&done));
    let elsewhere = format!("{}  namespace: nowhere\n", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n");
    let bad_crd = crd("gears", "refused.example.com", "Gear");
    let broken = "{{ fail \"not today\" }}";
    for (name, chart, words) in [
        (
            "Bad_Name",
            small(&[]),
            vec![
                "Error: INSTALLATION FAILED: release name check failed: release name \"Bad_Name\": invalid release name",
            ],
        ),
        ("first", first.clone(), vec!["cannot reuse a name that is still in use"]),
        (
            "future",
            chart::write("future", "kubeVersion: '>=9.0.0'\n", &[("templates/a.yaml", &config_map("a"))]),
            vec!["chart requires kubeVersion: >=9.0.0 which is incompatible with Kubernetes v1.37.2"],
        ),
        (
            "second",
            first.clone(),
            vec![
                "unable to continue with install: ConfigMap \"shared\" in namespace",
                "exists and cannot be imported into the current release: invalid ownership metadata; annotation validation error: key \
                 \"meta.helm.sh/release-name\" must equal \"second\": current value is \"first\"",
                "--take-ownership",
            ],
        ),
        (
            "unknown",
            small(&[("templates/a.yaml", "apiVersion: nobody.example.com/v1\nkind: Gadget\nmetadata: {name: a}\n")]),
            vec![
                "unable to build kubernetes objects from release manifest: resource mapping not found for name: \"a\" namespace: \"\" from \
                 \"\": no matches for kind \"Gadget\" in version \"nobody.example.com/v1\"",
                "ensure CRDs are installed first",
            ],
        ),
        (
            "elsewhere",
            small(&[("templates/a.yaml", &elsewhere)]),
            vec!["ConfigMap \"a\" in namespace \"nowhere\": namespaces \"nowhere\" not found"],
        ),
        (
            "twice",
            small(&[("templates/a.yaml", &config_map("a")), ("templates/b.yaml", &config_map("a"))]),
            vec!["ConfigMap \"a\" in namespace", "is in the chart's manifests twice"],
        ),
        (
            "broken",
            small(&[("crds/gears.yaml", &bad_crd), ("templates/a.yaml", broken)]),
            vec!["execution error at (bad/templates/a.yaml:1:3): not today"],
        ),
        (
            "crd-and-unknown",
            small(&[
                ("crds/gears.yaml", &bad_crd),
                ("templates/a.yaml", "apiVersion: v7\nkind: Nothing\nmetadata: {name: a}\n"),
            ]),
            vec!["no matches for kind \"Nothing\" in version \"v7\""],
        ),
        ("labels", small(&[]), vec!["user supplied labels contains system reserved label name"]),
    ] {
        let before = snapshot(&ns);
        let mut words_of = vec!["install", name, chart.to_str().unwrap()];
        if name == "labels" {
            words_of.push("--labels=owner=me");
        }
        let done = ns.pintle(&words_of);
        let said = text(&done);
        assert_eq!(done.status.code(), Some(1), "{name}: {said}");
        for word in words {
            assert!(said.contains(word), "{name}: no word of {word:?} in\n{said}");
        }
        assert_eq!(snapshot(&ns), before, "{name}: something has changed");
    }
    assert!(!crd_exists(&ns, "gears.refused.example.com"), "the definition of a chart that failed was installed");
    let done = ns.pintle(&["install", "nowhere", first.to_str().unwrap(), "-n", "no-such-namespace"]);
    assert_eq!(
        text(&done),
        "Error: INSTALLATION FAILED: create: failed to create: namespaces \"no-such-namespace\" not found\n"
    );
}

#[test]
fn a_definition_with_instances_is_not_pruned() {
    let ns = cluster::namespace("crd-removal");
    let (group, kind) = ("removal.example.com", "Wheel");
    let with = small(&[("templates/crd.yaml", &crd("wheels", group, kind)), ("templates/a.yaml", &config_map("a"))]);
    let without = small(&[("templates/a.yaml", &config_map("a"))]);
    let done = ns.pintle(&["install", "wheels", with.to_str().unwrap(), "--wait"]);
    assert!(done.status.success(), "{}", text(&done));
    let instance = json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": {"name": "mine", "namespace": ns.name()}});
    ns.run(async |cluster| {
        let options =
            WriteOptions { field_manager: "somebody".into(), dry_run: false, validation: FieldValidation::Strict };
        // The kind takes a moment to be served.
        for _ in 0..100 {
            match cluster.create(&instance, &options).await {
                Ok(_) => return,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            }
        }
        panic!("the kind is not served");
    });
    let before = snapshot(&ns);
    for words in [&["upgrade", "wheels", "CHART"][..], &["upgrade", "wheels", "CHART", "--plan"]] {
        let words: Vec<&str> =
            words.iter().map(|w| if *w == "CHART" { without.to_str().unwrap() } else { w }).collect();
        let done = ns.pintle(&words);
        let said = text(&done);
        assert!(!done.status.success(), "{said}");
        assert!(said.contains("is no longer in the chart, but Wheel"), "{said}");
        assert!(said.contains("helm.sh/resource-policy=keep"), "{said}");
    }
    assert_eq!(snapshot(&ns), before);
    ns.run(async |cluster| {
        let gvk = Gvk::new(group, "v1", kind);
        let id = ObjectId::new(gvk, Some(ns.name()), "mine");
        cluster.delete(&id, pintle::cluster::Propagation::Background, None).await.unwrap();
    });
    let done = ns.pintle(&["upgrade", "wheels", without.to_str().unwrap()]);
    assert!(done.status.success(), "{}", text(&done));
}

#[test]
fn corrupt_records_are_passed_over_and_told() {
    let ns = cluster::namespace("corrupt");
    let chart = small(&[("templates/a.yaml", &config_map("a"))]);
    let done = ns.pintle(&["install", "web", chart.to_str().unwrap()]);
    assert!(done.status.success(), "{}", text(&done));
    let name = "sh.helm.release.v1.web.v2";
    let record = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {"name": name, "namespace": ns.name(), "labels": {"name": "web", "owner": "helm", "status": "failed", "version": "2"}},
        "data": {"release": "bm8gcmVjb3Jk"},
    });
    ns.run(async |cluster| drop(cluster.create(&record, &cluster::write_options()).await.unwrap()));
    let done = ns.pintle(&["upgrade", "web", chart.to_str().unwrap()]);
    let said = text(&done);
    assert!(done.status.success(), "{said}");
    assert!(said.contains("REVISION: 3") && said.contains("revision 2 cannot be read"), "{said}");
    let done = ns.pintle(&["rollback", "web", "2"]);
    assert!(!done.status.success(), "{}", text(&done));
    let done = ns.pintle(&["rollback", "web", "1"]);
    assert!(done.status.success(), "{}", text(&done));
    let done = ns.pintle(&["uninstall", "web"]);
    assert!(done.status.success(), "{}", text(&done));
    assert!(!snapshot(&ns).iter().any(|o| o.contains("web") || o.contains(" a ")), "{:?}", snapshot(&ns));
}

#[test]
fn server_side_apply_fails_in_helms_words() {
    let ns = cluster::namespace("ssa-words");
    let chart = |name: &str, text: &str| chart::write(name, "", &[("templates/o.yaml", text)]).display().to_string();
    let good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME-a}\n";
    let bad =
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: NAME-s}\nspec: {ports: [{port: 80, name: UPPER_case}]}\n";
    let named = |text: &str, name: &str| text.replace("NAME", name);
    let both = |what: &str, words: &dyn Fn(&str) -> Vec<String>| {
        let said = ["helm", "pintle"].map(|program| {
            let words = words(program);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let out = if program == "helm" { ns.helm(&words) } else { ns.pintle(&words) };
            let text = String::from_utf8_lossy(&out.stderr).into_owned();
            assert!(!out.status.success(), "{program} {words:?}");
            text.lines().find(|l| l.starts_with("Error: ")).unwrap_or(&text).replace(program, "PROGRAM")
        });
        assert_eq!(said[1], said[0], "{what}");
    };
    for program in ["helm", "pintle"] {
        let out = ns.pintle(&["install", program, &chart("c", &named(good, program))]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
    let worse = |program: &str| chart("c", &(named(good, program) + &named(bad, program)));
    both("a new object", &|p| vec!["upgrade".into(), p.into(), worse(p)]);
    let immutable =
        "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME-i}\nimmutable: true\ndata: {a: \"N\"}\n";
    let with =
        |program: &str, n: &str| chart("c", &(named(good, program) + &named(immutable, program).replace('N', n)));
    for program in ["helm", "pintle"] {
        assert!(ns.helm(&["upgrade", program, &with(program, "1")]).status.success());
    }
    both("an object that is there", &|p| vec!["upgrade".into(), p.into(), with(p, "2")]);
    both("a mode that is none", &|p| vec!["upgrade".into(), p.into(), worse(p), "--server-side=maybe".into()]);
    both("no release", &|p| vec!["upgrade".into(), "none".into(), worse(p), "--server-side=maybe".into()]);
    both("a mode that is none, back", &|p| vec!["rollback".into(), p.into(), "1".into(), "--server-side=maybe".into()]);
    both("no release, back", &|_| vec!["rollback".into(), "none".into(), "1".into(), "--server-side=maybe".into()]);
}

/// Many objects of a kind are looked up by one list: what is there of others is found all the same, and few requests are made.
#[test]
fn many_objects_are_looked_up_at_once() {
    let ns = cluster::namespace("many-objects");
    let objects: String = (0..12).map(|i| format!("---\n{}", config_map(&format!("c{i}")))).collect();
    let chart = small(&[("templates/all.yaml", &objects)]);
    let foreign: Json =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c7", "namespace": ns.name()}});
    let id = ObjectId::of(&foreign);
    ns.run(async |cluster| cluster.create(&foreign, &cluster::write_options()).await.unwrap());
    let proxy = crate::support::proxy::Proxy::start(ns.plane());
    let url = proxy.connection(&ns.connection()).api_server.unwrap();
    let install = ["install", "web", chart.to_str().unwrap(), "--kube-apiserver", &url];
    let refused = ns.pintle(&install);
    assert!(
        text(&refused).contains("ConfigMap \"c7\" in namespace") && text(&refused).contains("cannot be imported"),
        "{}",
        text(&refused)
    );
    assert_eq!(
        (proxy.seen("GET", "/configmaps?"), proxy.seen("GET", "/configmaps/"), proxy.seen("PATCH", "")),
        (1, 0, 0)
    );
    ns.run(async |cluster| cluster.delete(&id, pintle::cluster::Propagation::Background, None).await.unwrap());
    let done = ns.pintle(&install);
    assert!(done.status.success(), "{}", text(&done));
    assert_eq!((proxy.seen("GET", "/configmaps?"), proxy.seen("GET", "/configmaps/")), (2, 0));
    let done = ns.pintle(&["history", "web", "--kube-apiserver", &url]);
    assert!(done.status.success(), "{}", text(&done));
}

/// Objects that no name is given: helm can neither apply them nor find them again.
#[test]
fn generated_names_are_refused_as_by_helm() {
    let ns = cluster::namespace("generated");
    let other = small(&[("templates/a.yaml", &config_map("other"))]);
    assert!(ns.pintle(&["install", "other", other.to_str().unwrap()]).status.success());
    let text_of = "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: gen-}\n";
    let chart = small(&[("templates/a.yaml", text_of)]);
    let hook = text_of.replace("generateName", "annotations: {helm.sh/hook: pre-install}, generateName");
    let hook = small(&[("templates/a.yaml", &hook)]);
    let named = small(&[("templates/a.yaml", &config_map("named"))]);
    let [chart, hook, named] = [&chart, &hook, &named].map(|c| c.to_str().unwrap());
    for (words, wants) in [
        (
            &["install", "x", chart][..],
            Some(
                "INSTALLATION FAILED: server-side apply failed for object NAMESPACE/ /v1, Kind=ConfigMap: resource name may not be empty",
            ),
        ),
        (&["install", "h", hook], Some("INSTALLATION FAILED: failed pre-install: resource name may not be empty")),
        (&["install", "y", chart, "--server-side=false"], None),
        (
            &["upgrade", "y", chart],
            Some("UPGRADE FAILED: could not get information about the resource: resource name may not be empty"),
        ),
        (&["upgrade", "y", named], None),
        (&["install", "z", chart, "--server-side=false"], None),
    ] {
        let done = ns.pintle(words);
        let said = text(&done);
        assert_eq!(done.status.success(), wants.is_none(), "{words:?} {said}");
        let wants = wants.unwrap_or_default().replace("NAMESPACE", ns.name());
        assert!(said.contains(&wants), "{words:?} {said}");
    }
    let gone = text(&ns.pintle(&["uninstall", "z"]));
    let stays = "1 resource(s) were not deleted because their ownership could not be verified:\n[ConfigMap] : resource name may not be empty\n";
    assert!(gone.contains(stays), "{gone}");
    // Nobody's objects went with those that have no name.
    assert!(snapshot(&ns).iter().any(|o| o.contains(" other ")), "{:?}", snapshot(&ns));
}

#[test]
fn objects_that_do_not_say_what_they_are() {
    let ns = cluster::namespace("kindless");
    for (text_of, want) in [
        ("foo: bar\n", "[apiVersion not set, kind not set]"),
        ("kind: ConfigMap\nmetadata: {name: a}\n", "apiVersion not set"),
        ("apiVersion: v1\nmetadata: {name: a}\n", "kind not set"),
        ("apiVersion: v1\nkind: 5\nmetadata: {name: a}\n", "kind isn't string type"),
        ("apiVersion: 1\nkind: 5\n", "[apiVersion isn't string type, kind isn't string type]"),
        ("apiVersion: a/b/c\nkind: X\nmetadata: {name: a}\n", "unexpected GroupVersion string: a/b/c"),
    ] {
        let chart = small(&[("templates/a.yaml", text_of)]);
        let said = text(&ns.pintle(&["install", "x", chart.to_str().unwrap()]));
        let want = format!(
            "Error: INSTALLATION FAILED: unable to build kubernetes objects from release manifest: error validating \"\": error validating data: {want}"
        );
        assert!(said.contains(&want), "{text_of} {said}");
        let said = text(&ns.pintle(&["install", "x", chart.to_str().unwrap(), "--disable-openapi-validation"]));
        assert!(!said.contains("error validating"), "{said}");
    }
}

/// What helm refuses to say more of than that the name is taken.
#[test]
fn an_install_leaves_what_others_began() {
    let ns = cluster::namespace("begun");
    let stuck = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME, annotations: {helm.sh/hook: pre-delete}}\ndata: {a: [1]}\n";
    let chart = |name: &str| {
        small(&[("templates/a.yaml", &config_map(name)), ("templates/h.yaml", &stuck.replace("NAME", "hook"))])
    };
    let a = chart("a");
    let a = a.to_str().unwrap();
    assert!(ns.helm(&["install", "x", a]).status.success());
    assert!(!ns.helm(&["uninstall", "x"]).status.success());
    let before = snapshot(&ns);
    for more in [&[][..], &["--replace"], &["--plan"]] {
        let [ours, theirs] = ["pintle", "helm"].map(|program| {
            let words = [&["install", "x", a], more].concat();
            let out = if program == "helm" { ns.helm(&words) } else { ns.pintle(&words) };
            let text = String::from_utf8_lossy(&out.stderr).into_owned();
            (out.status.code(), text.lines().find(|l| l.starts_with("Error: ")).unwrap_or_default().to_owned())
        });
        if more != ["--plan"] {
            assert_eq!(ours, theirs);
        }
        assert!(ours.0 == Some(1) && ours.1.ends_with("cannot reuse a name that is still in use"), "{ours:?}");
        assert_eq!(snapshot(&ns), before);
    }
    // Who says that it is to go gets it done.
    assert!(ns.pintle(&["uninstall", "x", "--no-hooks"]).status.success());
}
