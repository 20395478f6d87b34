//! Short lives of releases, step by step in the hands of helm and of pintle, each in a namespace of its own: exit code, output, error, history
//! and live objects are the same after every step.

use std::path::PathBuf;

use pintle::cluster::Json;

use crate::interop::live;
use crate::support::chart;
use crate::support::cluster::{self, Namespace};

/// A chart of these templates.
fn small(templates: &[(&str, &str)]) -> PathBuf {
    let files: Vec<(String, &str)> = templates.iter().map(|(n, t)| (format!("templates/{n}.yaml"), *t)).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (n.as_str(), *t)).collect();
    chart::write("beside", "", &files)
}

fn config_map(name: &str, more: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{more}")
}

/// What a step left to be seen.
fn seen(ns: &Namespace, program: &str, words: &[&str]) -> Vec<String> {
    let run = |words: &[&str]| if program == "helm" { ns.helm(words) } else { ns.pintle(words) };
    let out = run(words);
    let steady = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).replace(ns.name(), "NAMESPACE");
        let lines = text.lines().filter(|l| !l.starts_with("LAST DEPLOYED:"));
        lines.map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let mut stdout = steady(&out.stdout);
    if words.first() == Some(&"status") {
        // Helm shows kinds in any order, and objects have an age.
        stdout.iter_mut().for_each(|l| *l = l.trim_end_matches(|c: char| c.is_ascii_digit() || c == 's').into());
        stdout.sort();
    }
    let error = steady(&out.stderr).into_iter().find(|l| l.starts_with("Error: "));
    let history = run(&["history", "x", "-o", "json"]);
    let history: Json = serde_json::from_slice(&history.stdout).unwrap_or_default();
    let rows = history.as_array().into_iter().flatten();
    let rows =
        rows.map(|r| format!("{} {} {}", r["revision"], r["status"], r["description"]).replace(ns.name(), "NAMESPACE"));
    let mut all = Vec::from([format!("exit {:?}", out.status.code()), error.unwrap_or_default()]);
    all.extend(stdout);
    all.extend(rows);
    all.extend(live(ns).into_iter().map(|(name, object)| format!("{name} {object}")));
    all
}

/// Runs the steps beside helm. Each is a command, with something that it must say or leave, so that it tests what it is meant to.
fn beside(name: &str, steps: &[(&[&str], &str)]) {
    let [helm, pintle] = ["helm", "pintle"].map(|program| {
        let ns = cluster::namespace(&format!("{name}-{program}"));
        steps.iter().map(|(words, _)| seen(&ns, program, words)).collect::<Vec<_>>()
    });
    for ((words, says), (theirs, ours)) in steps.iter().zip(helm.iter().zip(&pintle)) {
        assert_eq!(ours, theirs, "{name}: {words:?}");
        assert!(theirs.iter().any(|l| l.contains(says)), "{name}: {words:?} says nothing of {says:?}: {theirs:#?}");
    }
}

#[test]
fn what_is_no_metadata_is_refused_before_anything_is_written() {
    for (i, (metadata, says)) in [
        (
            "{name: a, labels: {version: 1.25}}",
            "cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            "{name: a, annotations: {on: true}}",
            "cannot unmarshal bool into Go struct field ObjectMeta.metadata.annotations of type string",
        ),
        ("{name: 12}", "cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string"),
        ("{namespace: NS}", "resource name may not be empty"),
        (
            "{name: a, labels: {version: 1}, finalizers: x, creationTimestamp: 5}",
            "metadata.creationTimestamp of type string",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let object = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n",
            metadata.replace("NS", "{{ .Release.Namespace }}")
        );
        let bad = small(&[("a", &object)]);
        let two = small(&[("a", &format!("{object}---\n{}", config_map("c", "  labels: {c: 1}\n")))]);
        let good = small(&[("b", &config_map("b", ""))]);
        let [bad, two, good] = [&bad, &two, &good].map(|c| c.to_str().unwrap());
        let name = format!("metadata-{i}");
        beside(
            &name,
            &[
                (&["install", "x", bad, "--dry-run=server"], says),
                (&["install", "x", bad], says),
                (&["install", "x", bad, "--server-side=false"], says),
                (&["install", "x", good], "\"deployed\""),
                (&["upgrade", "x", bad], says),
                (&["upgrade", "x", two], "metadata.labels of type string"),
            ],
        );
    }
}

#[test]
fn options_that_exclude_one_another_are_refused_as_helm_refuses_them() {
    let chart = small(&[(
        "a",
        &config_map("a", "  annotations: {helm.sh/resource-policy: keep}\ndata: {v: \"{{ .Values.v }}\"}\n"),
    )]);
    let chart = chart.to_str().unwrap();
    let replace = "cannot use server-side apply and force replace together";
    let conflicts = "forceConflicts enabled when serverSideApply disabled";
    beside(
        "exclusive",
        &[
            // Nothing is there that could be replaced.
            (&["install", "x", chart, "--force-replace", "--set", "v=1"], "\"deployed\""),
            (&["rollback", "x", "1", "--force-replace"], replace),
            (&["uninstall", "x"], "[ConfigMap] a"),
            (&["install", "x", chart, "--force-replace", "--set", "v=2"], replace),
            (&["uninstall", "x"], "[ConfigMap] a"),
            (&["install", "x", chart, "--force-conflicts", "--server-side=false", "--set", "v=3"], conflicts),
            (&["install", "x", chart, "--replace", "--server-side=false", "--set", "v=4"], "\"deployed\""),
            (&["upgrade", "x", chart, "--force-conflicts", "--set", "v=5"], conflicts),
            // The failed revision is superseded by the way back, also by one that fails.
            (&["rollback", "x", "2", "--force-conflicts"], "3 \"superseded\""),
            (&["rollback", "x", "2", "--force-replace"], "5 \"deployed\""),
            (&["upgrade", "x", chart, "--force-replace", "--set", "v=6"], "6 \"deployed\""),
        ],
    );
}

#[test]
fn definitions_are_not_forced_without_server_side_apply() {
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: forced.beside.example.com}\nspec:\n  \
               group: beside.example.com\n  names: {kind: Forced, plural: forced}\n  scope: Namespaced\n  versions:\n  - name: v1\n    \
               served: true\n    storage: true\n    schema: {openAPIV3Schema: {type: object}}\n";
    let chart = chart::write("beside", "", &[("crds/c.yaml", crd), ("templates/a.yaml", &config_map("a", ""))]);
    let chart = chart.to_str().unwrap();
    let says = "failed to install CRD crds/c.yaml: invalid client create option(s)";
    let forced = ["install", "x", chart, "--force-conflicts", "--server-side=false"];
    beside("forced", &[(&forced, says), (&[&forced[..], &["--skip-crds"]].concat(), "\"deployed\"")]);
}

/// The way back goes without the options for which the way forth failed; Helm's fails for them too.
#[test]
fn a_rollback_on_failure_does_without_options_that_exclude_one_another() {
    let ns = cluster::namespace("exclusive-back");
    let chart = small(&[("a", &config_map("a", "data: {v: \"{{ .Values.v }}\"}\n"))]);
    let chart = chart.to_str().unwrap();
    for (side, option) in [("--server-side=false", "--force-conflicts"), ("--server-side=true", "--force-replace")] {
        assert!(ns.pintle(&["upgrade", "-i", "x", chart, side, "--set", "v=1"]).status.success());
        let out = ns.pintle(&["upgrade", "x", chart, option, "--rollback-on-failure", "--set", "v=2"]);
        let error = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(
            error.contains("release x failed, and has been rolled back due to rollback-on-failure being set: invalid"),
            "{error}"
        );
        assert_eq!(live(&ns)["ConfigMap/a"]["data"]["v"], "1");
        assert!(ns.pintle(&["uninstall", "x"]).status.success());
    }
}

#[test]
fn what_is_kept_is_told_in_helms_order() {
    let keep = "  annotations: {helm.sh/resource-policy: keep}\n";
    let object = |kind: &str, more: &str| format!("{more}\nkind: {kind}\nmetadata:\n  name: k\n{keep}");
    let chart = small(&[
        ("a", &object("ConfigMap", "apiVersion: v1")),
        ("b", &object("ServiceAccount", "apiVersion: v1")),
        ("c", &(object("Service", "apiVersion: v1") + "spec: {clusterIP: None}\n")),
        ("d", &object("Secret", "apiVersion: v1")),
        (
            "e",
            "apiVersion: v1\nkind: ConfigMapList\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: item}}\n",
        ),
    ]);
    let chart = chart.to_str().unwrap();
    beside(
        "kept",
        &[
            (&["install", "x", chart], ""),
            (&["status", "x"], "item 0"),
            (&["uninstall", "x", "--dry-run"], "[Secret] k"),
            (&["uninstall", "x"], "[Service] k"),
        ],
    );
}

/// Helm looks only at the newest revision; pintle deletes what the deployed one has too, but nothing that the newest says to keep.
#[test]
fn what_a_failed_revision_would_keep_is_kept() {
    let first = small(&[("a", &config_map("a", "")), ("b", &config_map("b", ""))]);
    let keep = config_map("a", "  annotations: {helm.sh/resource-policy: keep}\n");
    let second = small(&[("a", &keep), ("b", &config_map("b", "immutable: 7\n"))]);
    let [first, second] = [&first, &second].map(|c| c.to_str().unwrap());
    beside(
        "spared",
        &[
            (&["install", "x", first], ""),
            (&["upgrade", "x", second], "2 \"failed\""),
            (&["uninstall", "x"], "ConfigMap/a"),
        ],
    );
}

#[test]
fn a_null_label_or_annotation_is_an_empty_one_however_it_is_written() {
    let object = config_map("a", "  labels: {tier: {{ .Values.tier }}}\n  annotations: {note: {{ .Values.note }}}\n");
    let chart = small(&[("a", &object)]);
    let chart = chart.to_str().unwrap();
    for side in ["true", "false"] {
        let side = format!("--server-side={side}");
        beside(
            &format!("nulls-{}", side.len()),
            &[
                (&["install", "x", chart, &side, "--set", "tier=a,note=b"], "\"note\":\"b\""),
                (&["upgrade", "x", chart, &side, "--reset-values"], "\"note\":\"\""),
                (&["upgrade", "x", chart, &side, "--set", "note=c"], "\"tier\":\"\""),
                (&["uninstall", "x"], ""),
                (&["install", "x", chart, &side], "\"tier\":\"\""),
            ],
        );
    }
}

#[test]
fn labels_of_the_newest_record_are_shown_with_helms_own() {
    let chart = small(&[("a", &config_map("a", ""))]);
    let chart = chart.to_str().unwrap();
    let template =
        "{{ index .Release.Labels \"team\" }} {{ index .Release.Labels \"status\" }} {{ len .Release.Labels }}\n";
    let shown = ["get", "all", "x", "--template", template];
    beside(
        "labels",
        &[
            (&["upgrade", "x", chart, "-l", "name=y"], "no deployed releases"),
            (&["install", "x", chart, "-l", "team=a"], "\"deployed\""),
            (&["upgrade", "x", chart, "-l", "owner=y"], "system reserved label name"),
            (&["install", "x", chart, "-l", "owner=y"], "still in use"),
            (&["install", "z", chart, "-l", "owner=y"], "system reserved label name"),
            (&["install", "z", chart, "-l", "owner=y", "--dry-run=client"], "system reserved label name"),
            (&shown, "a deployed 6"),
            (&["get", "all", "x", "--revision", "1", "--template", "{{ .Release.Labels }}\n"], "map[team:a]"),
        ],
    );
}
