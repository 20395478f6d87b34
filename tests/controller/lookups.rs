//! What templates ask of the cluster is asked again: a release whose answers have changed is rendered anew, and upgraded only if that makes a
//! difference.

use std::time::Duration;

use pintle::cluster::{Cluster, Gvk, Json, ObjectId, PatchType, Propagation};
use pintle::controller::Options;
use serde_json::json;

use crate::support::cluster::write_options;
use crate::world::{CONFIG, World};

const ANNOTATION: &str = "pintle.dev/answers";

fn often(options: &mut Options) {
    options.lookup_interval = Duration::from_millis(200);
}

/// Time for many looks.
fn looks() {
    std::thread::sleep(Duration::from_secs(2));
}

/// A ConfigMap or Secret of the test's namespace, made or changed.
fn put(w: &World, kind: &str, name: &str, data: Json) {
    let object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": w.name()}, "stringData": data, "data": data});
    let mut object = object;
    object.as_object_mut().unwrap().remove(if kind == "Secret" { "data" } else { "stringData" });
    let id = ObjectId::new(Gvk::new("", "v1", kind), Some(w.name()), name);
    w.run(async |cluster| match cluster.get(&id).await.unwrap() {
        None => cluster.create(&object, &write_options()).await.unwrap(),
        Some(_) => cluster.patch(&id, PatchType::Merge, &object, &write_options()).await.unwrap(),
    });
}

fn label(w: &World, kind: &str, name: &str, value: &str) {
    let id = ObjectId::new(Gvk::new("", "v1", kind), Some(w.name()), name);
    let patch = json!({"metadata": {"labels": {"touched": value}}});
    w.run(async |cluster| cluster.patch(&id, PatchType::Merge, &patch, &write_options()).await.unwrap());
}

fn until(w: &World, release: &str, records: &str) {
    w.until(release, records, |r| w.stored(release) == records && r.observed() && r.is("Ready", "True"));
}

/// What was kept with a revision.
fn kept(w: &World, release: &str, version: i64) -> Json {
    let found = w.live("v1", "Secret", &format!("sh.helm.release.v1.{release}.v{version}")).unwrap();
    let text = found["metadata"]["annotations"][ANNOTATION].as_str().unwrap_or("null").to_owned();
    serde_json::from_str(&text).unwrap()
}

/// Shows a key of a ConfigMap that is none of its own.
const SHOWS: (&str, &str) = (
    "templates/shows.yaml",
    r#"apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  {{- $found := lookup "v1" "ConfigMap" .Release.Namespace "outside" }}
  saw: {{ dig "data" "word" "nothing" $found | quote }}
  rendered: {{ randAlphaNum 12 }}
"#,
);

#[test]
fn a_changed_lookup_makes_a_revision_only_if_it_makes_a_difference() {
    let mut w = World::with("lookups", often);
    w.chart("shows", "0.1.0", &[SHOWS]);
    w.chart("plain", "0.1.0", &[CONFIG]);
    w.release("web", "shows", json!({}));
    w.release("plain", "plain", json!({}));
    until(&w, "web", "1 deployed");
    w.ready("plain");
    assert_eq!(kept(&w, "plain", 1), Json::Null, "who asks nothing keeps nothing");
    assert_eq!(
        kept(&w, "web", 1),
        json!({"lookups": [{"apiVersion": "v1", "kind": "ConfigMap", "namespace": w.name(), "name": "outside", "answer": ""}]})
    );
    put(&w, "ConfigMap", "outside", json!({"word": "one"}));
    until(&w, "web", "1 superseded, 2 deployed");
    assert_eq!(w.data("web", "saw"), "one");
    // Another version of the same, and a random word beside: no difference.
    let rendered = w.data("web", "rendered");
    label(&w, "ConfigMap", "outside", "a");
    looks();
    assert_eq!((w.stored("web").as_str(), w.data("web", "rendered")), ("1 superseded, 2 deployed", rendered));
    // A change while nobody looks is found afterwards.
    w.stop();
    put(&w, "ConfigMap", "outside", json!({"word": "two"}));
    w.start();
    until(&w, "web", "1 superseded, 2 superseded, 3 deployed");
    assert_eq!(w.data("web", "saw"), "two");
    assert_eq!(w.stored("plain"), "1 deployed");
    let r = w.ready("web");
    assert_eq!(r.history(), "3 deployed upgrade, 2 superseded upgrade");
    // A record that says nothing of answers, as Flux leaves it: what it asks is learnt, and nothing is upgraded for that.
    w.stop();
    let id = ObjectId::new(Gvk::new("", "v1", "Secret"), Some(w.name()), "sh.helm.release.v1.web.v3");
    let none = json!({"metadata": {"annotations": null}});
    w.run(async |cluster| cluster.patch(&id, PatchType::Merge, &none, &write_options()).await.unwrap());
    put(&w, "ConfigMap", "outside", json!({"word": "three"}));
    w.start();
    looks();
    assert_eq!((w.data("web", "saw").as_str(), w.records("web").len()), ("two", 3));
    put(&w, "ConfigMap", "outside", json!({"word": "four"}));
    w.until("web", "the fourth revision", |_| w.data("web", "saw") == "four");
}

/// The usual way to make a password once.
const PASSWORD: (&str, &str) = (
    "templates/password.yaml",
    r#"{{- $old := lookup "v1" "Secret" .Release.Namespace .Release.Name }}
{{- $password := dig "data" "password" (randAlphaNum 20 | b64enc) $old }}
apiVersion: v1
kind: Secret
metadata:
  name: {{ .Release.Name }}
  annotations: {at: {{ now | unixEpoch | quote }}}
data:
  password: {{ $password }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  checksum: {{ sha256sum $password }}
"#,
);

/// Made only where it isn't there yet.
const ONCE: (&str, &str) = (
    "templates/once.yaml",
    r#"{{- if not (lookup "v1" "Secret" .Release.Namespace .Release.Name) }}
apiVersion: v1
kind: Secret
metadata:
  name: {{ .Release.Name }}
stringData:
  password: {{ randAlphaNum 20 }}
{{- end }}
"#,
);

/// Never the same again: each render adds one to what the last one has left.
const COUNTS: (&str, &str) = (
    "templates/counts.yaml",
    r#"{{- $old := lookup "v1" "ConfigMap" .Release.Namespace .Release.Name }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  times: {{ add1 (dig "data" "times" "0" $old | int) | quote }}
"#,
);

#[test]
fn charts_that_look_up_what_they_make_come_to_rest() {
    let w = World::with("rest", often);
    for (name, file) in [("password", PASSWORD), ("once", ONCE), ("counts", COUNTS)] {
        w.chart(name, "0.1.0", &[file]);
        w.release(name, name, json!({}));
    }
    for name in ["password", "once", "counts"] {
        w.ready(name);
    }
    // One look more, whose difference is one revision at most.
    until(&w, "counts", "1 superseded, 2 deployed");
    looks();
    assert_eq!(w.stored("counts"), "1 superseded, 2 deployed");
    assert_eq!(w.stored("once"), "1 deployed");
    assert!(w.live("v1", "Secret", "once").is_some(), "it is not taken away because it is there");
    assert_eq!(w.stored("password"), "1 deployed");
    // Another password, by another hand.
    let before = w.data("password", "checksum");
    put(&w, "Secret", "password", json!({"password": "by hand"}));
    until(&w, "password", "1 superseded, 2 deployed");
    assert_ne!(w.data("password", "checksum"), before);
    looks();
    assert_eq!(w.stored("password"), "1 superseded, 2 deployed");
}

#[test]
fn capabilities_that_change_are_seen() {
    let w = World::with("capabilities", often);
    let group = format!("{}.example", w.name());
    let template = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{{{ .Release.Name }}}}\ndata:\n  \
         has: {{{{ .Capabilities.APIVersions.Has \"{group}/v1/Thing\" | quote }}}}\n  version: {{{{ .Capabilities.KubeVersion.Version | quote }}}}\n"
    );
    w.chart("web", "0.1.0", &[("templates/a.yaml", template.as_str())]);
    w.release("web", "web", json!({}));
    until(&w, "web", "1 deployed");
    assert_eq!(w.data("web", "has"), "false");
    let answers = kept(&w, "web", 1);
    assert_eq!(answers["has"], json!({format!("{group}/v1/Thing"): false}));
    assert_eq!(answers["kubeVersion"], w.data("web", "version").as_str());
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("things.{group}")}, "spec": {"group": group, "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things"}, "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}}}]}});
    w.run(async |cluster| cluster.create(&definition, &write_options()).await.unwrap());
    until(&w, "web", "1 superseded, 2 deployed");
    assert_eq!(w.data("web", "has"), "true");
    w.run(async |cluster| {
        let gvk = Gvk::parse("apiextensions.k8s.io/v1", "CustomResourceDefinition");
        let id = ObjectId::new(gvk, None, &format!("things.{group}"));
        cluster.delete(&id, Propagation::Background, None).await.unwrap()
    });
    until(&w, "web", "1 superseded, 2 superseded, 3 deployed");
    assert_eq!(w.data("web", "has"), "false");
}

#[test]
fn a_tenant_looks_as_its_account() {
    let w = World::with("looks-as", |o| {
        often(o);
        o.default_service_account = "deployer".into();
    });
    crate::tenancy::deployer(&w);
    // A list too, in which Helm's own records count for nothing.
    let list = r#"apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-list
data:
  names: "{{ range (lookup "v1" "Secret" .Release.Namespace "").items }}{{ hasPrefix "sh.helm" .metadata.name | ternary "" .metadata.name }} {{ end }}"
"#;
    w.chart("shows", "0.1.0", &[SHOWS, ("templates/list.yaml", list)]);
    w.release("web", "shows", json!({}));
    until(&w, "web", "1 deployed");
    put(&w, "Secret", "more", json!({"a": "b"}));
    until(&w, "web", "1 superseded, 2 deployed");
    assert_eq!(w.data("web-list", "names").trim(), "more");
    put(&w, "ConfigMap", "outside", json!({"word": "one"}));
    w.until("web", "the third revision", |_| w.data("web", "saw") == "one");
}

#[test]
fn what_does_not_render_any_more_is_told_and_stays() {
    let w = World::with("unrendered", often);
    let needs = r#"{{- $found := lookup "v1" "ConfigMap" .Release.Namespace "outside" }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  saw: {{ required "there is no word" ($found.data).word | quote }}
"#;
    put(&w, "ConfigMap", "outside", json!({"word": "one"}));
    w.chart("needs", "0.1.0", &[("templates/a.yaml", needs)]);
    w.release("web", "needs", json!({}));
    until(&w, "web", "1 deployed");
    put(&w, "ConfigMap", "outside", json!({"word": null}));
    w.told("web", "InstallSucceeded RenderFailed");
    assert!(w.ready("web").is("Ready", "True"), "what is deployed is as good as before");
    put(&w, "ConfigMap", "outside", json!({"word": "two"}));
    until(&w, "web", "1 superseded, 2 deployed");
    assert_eq!(w.data("web", "saw"), "two");
}

#[test]
fn flux_renders_nothing_again() {
    let w = World::with("lookups-flux", |o| {
        often(o);
        o.compat_flux = true;
    });
    w.chart("shows", "0.1.0", &[SHOWS]);
    w.release("web", "shows", json!({}));
    until(&w, "web", "1 deployed");
    assert_eq!(kept(&w, "web", 1), Json::Null);
    put(&w, "ConfigMap", "outside", json!({"word": "one"}));
    w.request("web", "again", &[]);
    w.until("web", "another look", |r| r.handled("again"));
    looks();
    assert_eq!((w.stored("web").as_str(), w.data("web", "saw").as_str()), ("1 deployed", "nothing"));
}
