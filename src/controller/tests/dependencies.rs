//! Dependencies, sources and the HelmChart of a template. Source of the rows: helm-controller
//! `internal/controller/helmrelease_controller_test.go`, `internal/reconcile/helmchart_template_test.go`.

use serde_json::{Value as Json, json};

use super::{apply, release};
use crate::api::reference::DependencyReference;
use crate::controller::dependencies::{NotReady, check, compile, evaluate, ring};
use crate::controller::index::{Index, Key};
use crate::controller::options::Options;
use crate::controller::sources;

fn dependency(generation: i64, observed: i64, ready: &str) -> Json {
    json!({"kind": "HelmRelease", "metadata": {"name": "db", "namespace": "ns", "generation": generation, "labels": {"v": "2"}},
        "spec": {"suspend": false},
        "status": {"observedGeneration": observed, "conditions": [{"type": "Ready", "status": ready, "reason": "R", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}]}})
}

type Row = (&'static str, Json, Option<Json>, bool, Result<(), NotReady>);

#[test]
fn dependencies_are_ready() {
    let own = json!({"metadata": {"name": "web", "labels": {"v": "2"}}, "spec": {}});
    let wait = |text: &str| Err(NotReady::Wait(text.to_owned()));
    let rows: Vec<Row> = vec![
        ("ready", json!({}), Some(dependency(1, 1, "True")), false, Ok(())),
        (
            "not there",
            json!({}),
            None,
            false,
            wait("unable to get 'ns/db' dependency: helmreleases.helm.toolkit.fluxcd.io \"db\" not found"),
        ),
        (
            "elsewhere",
            json!({"namespace": "other"}),
            None,
            false,
            wait("unable to get 'other/db' dependency: helmreleases.helm.toolkit.fluxcd.io \"db\" not found"),
        ),
        ("not ready", json!({}), Some(dependency(1, 1, "False")), false, wait("dependency 'ns/db' is not ready")),
        ("unknown", json!({}), Some(dependency(1, 1, "Unknown")), false, wait("dependency 'ns/db' is not ready")),
        (
            "of an older generation",
            json!({}),
            Some(dependency(2, 1, "True")),
            false,
            wait("dependency 'ns/db' is not ready"),
        ),
        (
            "never reconciled",
            json!({}),
            Some(json!({"metadata": {"generation": 1}})),
            false,
            wait("dependency 'ns/db' is not ready"),
        ),
        (
            "by an expression",
            json!({"readyExpr": "dep.metadata.labels.v == self.metadata.labels.v"}),
            Some(dependency(2, 1, "False")),
            false,
            Ok(()),
        ),
        (
            "by an expression and itself",
            json!({"readyExpr": "true"}),
            Some(dependency(2, 1, "False")),
            true,
            wait("dependency 'ns/db' is not ready"),
        ),
        (
            "an expression says no",
            json!({"readyExpr": "dep.metadata.labels.v == '3'"}),
            Some(dependency(1, 1, "True")),
            false,
            wait("dependency 'ns/db' is not ready according to readyExpr eval"),
        ),
        (
            "an expression over conditions",
            json!({"readyExpr": "dep.status.conditions.filter(e, e.type == 'Ready').all(e, e.status == 'True') && dep.status.observedGeneration == dep.metadata.generation"}),
            Some(dependency(1, 1, "True")),
            false,
            Ok(()),
        ),
        (
            "another kind",
            json!({"kind": "Thing", "apiVersion": "x/v1"}),
            Some(
                json!({"metadata": {"generation": 3}, "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}),
            ),
            false,
            Ok(()),
        ),
    ];
    for (what, reference, found, additive, want) in rows {
        let mut whole = json!({"name": "db"});
        apply(&mut whole, &reference);
        let reference: DependencyReference = serde_json::from_value(whole).unwrap();
        assert_eq!(check(&release(json!({}), json!({})), &own, &reference, found.as_ref(), additive), want, "{what}");
    }
    // What does not compile never will; what has no answer now may have one later.
    for (expression, never) in
        [("dep.", true), ("other.x == 1", true), ("dep.metadata.nothing == 1", false), ("dep.metadata.name", false)]
    {
        let reference = DependencyReference { name: "db".into(), ready_expr: expression.into(), ..Default::default() };
        let got = check(&release(json!({}), json!({})), &own, &reference, Some(&dependency(1, 1, "True")), false);
        assert_eq!(matches!(got, Err(NotReady::Never(_))), never, "{expression}: {got:?}");
        assert!(got.is_err(), "{expression}");
    }
}

#[test]
fn expressions() {
    let object = json!({"spec": {"n": 3, "list": ["a", "b"], "text": "abc"}});
    for (expression, want) in [
        ("self.spec.n > 2", true),
        ("'a' in self.spec.list", true),
        ("self.spec.text.startsWith('x')", false),
        ("has(self.spec.missing)", false),
        ("self.spec.list.exists(e, e == 'b') && size(self.spec.list) == 2", true),
    ] {
        assert_eq!(evaluate(expression, &[("self", &object)]), Ok(want), "{expression}");
    }
    assert!(compile("status.x == (").is_err());
    assert!(compile("status.phase == 'Ready'").is_ok());
}

#[test]
fn rings_are_found() {
    let index = Index::default();
    let put = |name: &str, on: &[&str]| {
        let on: Vec<Json> = on.iter().map(|n| json!({"name": n})).collect();
        index.put(json!({"kind": "HelmRelease", "metadata": {"name": name, "namespace": "ns", "resourceVersion": "1"}, "spec": {"dependsOn": on}}));
    };
    put("a", &["b"]);
    put("b", &["x", "c"]);
    put("c", &["a"]);
    put("x", &[]);
    put("d", &["a"]);
    put("own", &["own"]);
    let names = |name: &str| {
        ring(&Key::new("HelmRelease", "ns", name), &index).iter().map(|k| k.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names("a"), ["a", "b", "c"]);
    assert_eq!(names("own"), ["own"]);
    assert!(names("d").is_empty() && names("x").is_empty() && names("none").is_empty());
}

#[test]
fn sources_are_ready() {
    let artifact = json!({"digest": "sha256:0", "path": "p", "url": "http://x/p", "revision": "1.0.0", "lastUpdateTime": "2026-01-01T00:00:00Z"});
    let source = |generation: i64, observed: i64, conditions: Json, artifact: Option<&Json>| json!({"metadata": {"generation": generation}, "status": {"observedGeneration": observed, "conditions": conditions, "artifact": artifact}});
    let condition = |kind: &str, status: &str, message: &str| json!([{"type": kind, "status": status, "reason": "R", "message": message, "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
    for kind in ["HelmChart", "OCIRepository"] {
        let key = Key::new(kind, "ns", "c");
        let not = |why: &str| Some(format!("{kind} 'ns/c' is not ready: {why}"));
        for (what, object, want) in [
            ("ready", source(1, 1, condition("Ready", "True", ""), Some(&artifact)), None),
            // A source that fails to look for something newer still has what it had.
            ("not ready, with an artifact", source(1, 1, condition("Ready", "False", "x"), Some(&artifact)), None),
            (
                "of an older generation",
                source(2, 1, condition("Ready", "True", ""), Some(&artifact)),
                not("latest generation of object has not been reconciled"),
            ),
            (
                "failing",
                source(2, 1, condition("Ready", "False", "no such chart"), Some(&artifact)),
                not("no such chart"),
            ),
            ("stalled", source(1, 1, condition("Stalled", "True", "bad url"), Some(&artifact)), not("bad url")),
            ("no artifact", source(1, 1, json!([]), None), not("does not have an artifact")),
        ] {
            assert_eq!(sources::ready(&key, &object).err(), want, "{kind} {what}");
        }
    }
    // Of those of third parties nothing but the artifact counts.
    let key = Key::new("ExternalArtifact", "ns", "c");
    assert!(sources::ready(&key, &source(2, 1, condition("Ready", "False", "x"), Some(&artifact))).is_ok());
    assert_eq!(
        sources::ready(&key, &source(1, 1, json!([]), None)).unwrap_err(),
        "ExternalArtifact 'ns/c' is not ready: does not have an artifact"
    );
}

#[test]
fn news_of_a_source() {
    let of = |revision: Option<&str>, ready: &str| {
        let artifact = revision.map(|r| json!({"revision": r, "digest": r}));
        json!({"status": {"artifact": artifact, "conditions": [{"type": "Ready", "status": ready, "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}})
    };
    for (old, new, want) in [
        (of(None, "False"), of(Some("1"), "False"), true),
        (of(Some("1"), "True"), of(Some("2"), "True"), true),
        (of(Some("1"), "True"), of(Some("1"), "True"), false),
        (of(Some("1"), "False"), of(Some("1"), "True"), true),
        (of(Some("1"), "True"), of(Some("1"), "False"), false),
        (of(Some("1"), "True"), of(None, "False"), false),
    ] {
        assert_eq!(sources::is_news(Some(&old), &new), want, "{old} {new}");
    }
}

#[test]
fn access_to_other_namespaces() {
    let subject = release(json!({}), json!({}));
    let (own, other) = (Key::new("HelmChart", "ns", "c"), Key::new("HelmChart", "other", "c"));
    let closed = Options { no_cross_namespace_refs: true, ..Options::default() };
    assert!(sources::check_access(&subject, &own, &closed).is_ok());
    assert!(sources::check_access(&subject, &other, &Options::default()).is_ok());
    assert_eq!(
        sources::check_access(&subject, &other, &closed).unwrap_err().to_string(),
        "cross-namespace references are not allowed: cannot access HelmChart other/c"
    );
    let external = Key::new("ExternalArtifact", "ns", "c");
    assert!(sources::check_access(&subject, &external, &Options::default()).is_ok());
    let flux = Options { compat_flux: true, ..Options::default() };
    assert!(sources::check_access(&subject, &external, &flux).is_err());
}

#[test]
fn the_chart_of_a_template() {
    let base = json!({"chart": {"spec": {"chart": "podinfo", "version": "1.x", "sourceRef": {"kind": "HelmRepository", "name": "repo"}}}, "chartRef": null});
    let with = |more: Json| {
        let mut spec = base.clone();
        apply(&mut spec, &json!({"chart": more}));
        sources::chart_object(&release(spec, json!({}))).unwrap()
    };
    let plain = with(json!({}));
    assert_eq!(
        plain["metadata"],
        json!({"name": "ns-web", "namespace": "ns", "labels": {"helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": "ns"}})
    );
    assert_eq!(
        plain["spec"],
        json!({"chart": "podinfo", "version": "1.x", "interval": "1m0s", "sourceRef": {"kind": "HelmRepository", "name": "repo"}})
    );
    assert_eq!(with(json!({"spec": {"interval": "2h"}}))["spec"]["interval"], "2h0m0s");
    assert_eq!(with(json!({"spec": {"sourceRef": {"namespace": "other"}}}))["metadata"]["namespace"], "other");
    let full = with(json!({"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}, "spec": {
        "reconcileStrategy": "Revision", "valuesFiles": ["a.yaml"], "ignoreMissingValuesFiles": true,
        "verify": {"provider": "cosign", "secretRef": {"name": "key"}}}}));
    assert_eq!((&full["metadata"]["labels"]["a"], &full["metadata"]["annotations"]), (&json!("b"), &json!({"c": "d"})));
    assert_eq!(full["spec"]["verify"], json!({"provider": "cosign", "secretRef": {"name": "key"}}));
    assert_eq!(
        (&full["spec"]["valuesFiles"], &full["spec"]["ignoreMissingValuesFiles"], &full["spec"]["reconcileStrategy"]),
        (&json!(["a.yaml"]), &json!(true), &json!("Revision"))
    );
    // What the server adds by default is no difference; what is no longer wanted is.
    let mut live = plain.clone();
    live["spec"]["reconcileStrategy"] = "ChartVersion".into();
    live["metadata"]["labels"]["theirs"] = "x".into();
    assert!(sources::is_applied(&live, &plain));
    live["spec"]["valuesFiles"] = json!(["old.yaml"]);
    assert!(!sources::is_applied(&live, &plain));
    assert_eq!(sources::chart_object(&release(json!({}), json!({}))), None);
}
