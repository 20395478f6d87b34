//! Charts: how errors and warnings of a render are told, where its output goes, and its limits.

use crate::support::*;

#[test]
fn errors_are_explained_where_asked_for() {
    let s = Scratch::new();
    s.write("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    s.write("c/values.yaml", "image:\n  repository: nginx\n");
    s.write("c/templates/_h.tpl", "{{ define \"name\" }}{{ .Values.image.repositry.x }}{{ end }}");
    s.write("c/templates/a.yaml", "a: 1\nb: {{ include \"name\" . }}\n");
    let plain = pintle(&["template", &s.path("c")]);
    let explained = pintle(&["template", &s.path("c"), "--explain-errors"]);
    assert_eq!((plain.code, explained.code), (1, 1));
    assert!(explained.err.starts_with(&plain.err), "Helm's text comes first\n{}", explained.err);
    for want in [
        "c/templates/_h.tpl:1:",
        "^^^",
        "included from here",
        ".Values.image.repositry is not set",
        ".Values.image is set in c/values.yaml:1",
        "did you mean .Values.image.repository?",
    ] {
        assert!(explained.err.contains(want), "{want}\n{}", explained.err);
        assert!(!plain.err.contains("did you mean"));
    }
}

#[test]
fn what_was_rendered_before_an_error_is_chosen_from_too() {
    let s = Scratch::new();
    s.write("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    s.write("c/templates/a.yaml", "a: 1\n");
    s.write("c/templates/b.yaml", "a: b: c\n");
    let shown = |template: &str| pintle(&["template", &s.path("c"), "--debug", "--show-only", template]);
    let o = shown("templates/b.yaml");
    assert_eq!((o.code, o.out.as_str()), (1, "---\n# Source: c/templates/b.yaml\na: b: c\n\n"));
    let error = "Error: YAML parse error on c/templates/b.yaml: error converting YAML to JSON: yaml: mapping values are not allowed in this context\n";
    assert!(o.err.ends_with(error), "{}", o.err);
    // Templates that are not there are not what Helm complains of.
    let o = shown("templates/x.yaml");
    assert_eq!((o.code, o.out.as_str()), (1, ""));
    assert!(o.err.ends_with(error), "{}", o.err);
}

#[test]
fn hooks_before_an_error_are_shown_once_more() {
    let s = Scratch::new();
    let hook =
        |name: &str, event: &str| format!("metadata: {{name: {name}, annotations: {{helm.sh/hook: {event}}}}}\n");
    let (first, test, late) = (hook("first", "pre-install"), hook("test", "test"), hook("late", "pre-install"));
    s.write("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    s.write("c/templates/a.yaml", &format!("kind: Job\n{first}---\nkind: Pod\n{test}"));
    s.write("c/templates/b.yaml", "a: b: c\n");
    s.write("c/templates/c.yaml", &late);
    let files = format!(
        "---\n# Source: c/templates/a.yaml\nkind: Job\n{first}---\nkind: Pod\n{test}\n---\n# Source: c/templates/b.yaml\na: b: c\n\n\
         ---\n# Source: c/templates/c.yaml\n{late}"
    );
    let first = format!("---\n# Source: c/templates/a.yaml\nkind: Job\n{first}\n");
    let test = format!("---\n# Source: c/templates/a.yaml\nkind: Pod\n{test}\n");
    let shown = |more: &[&str]| {
        let chart = s.path("c");
        let mut args = vec!["template", &chart, "--debug"];
        args.extend(more);
        let o = pintle(&args);
        assert_eq!(o.code, 1, "{}", o.err);
        o.out
    };
    assert_eq!(shown(&[]), format!("{files}{first}{test}"));
    assert_eq!(shown(&["--skip-tests"]), format!("{files}{first}"));
    assert_eq!(shown(&["--no-hooks"]), files);
    // Only they go into files.
    let dir = s.path("out");
    let path = format!("{dir}/c/templates/a.yaml");
    assert_eq!(shown(&["--output-dir", &dir]), format!("wrote {path}\nwrote {path}\n{files}"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{first}{test}"));
}

#[cfg(unix)]
#[test]
fn broken_links_are_told_where_they_break() {
    let s = Scratch::new();
    s.write("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    s.write("real/file", "");
    let link = |target: &str, at: &str| {
        let _ = std::fs::remove_file(s.path(at));
        std::os::unix::fs::symlink(target, s.path(at)).unwrap();
    };
    link("real", "way");
    link("../gone/x", "real/hop");
    let missing = |path: &str| format!("lstat {}: no such file or directory", s.path(path));
    for (target, want) in [
        ("missing/deep/file", missing("c/missing")),
        ("../c/Chart.yaml/x", "not a directory".into()),
        ("../way/on", missing("real/on")),
        ("../real/hop", missing("gone")),
        ("/nowhere/at/all", "lstat /nowhere: no such file or directory".into()),
        ("link", "EvalSymlinks: too many links".into()),
    ] {
        link(target, "c/link");
        let o = pintle(&["template", &s.path("c")]);
        let want = format!("Error: error evaluating symlink {}: {want}\n", s.path("c/link"));
        assert_eq!((o.code, o.err), (1, want), "{target}");
    }
}

#[test]
fn paths_in_errors_are_clean() {
    let s = Scratch::new();
    s.write("x.tgz", "no archive\n");
    s.write("a/b", "");
    let o = pintle(&["template", "rel", &s.path("a/../x.tgz")]);
    let want = format!(
        "Error: file '{}' does not appear to be a gzipped archive; got 'application/octet-stream'\n",
        s.path("x.tgz")
    );
    assert_eq!((o.code, o.err.as_str()), (1, want.as_str()));
}

#[test]
fn what_helm_passes_over_is_said() {
    let s = Scratch::new();
    s.write("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    s.write("c/values.yaml", "size: 1000000\n");
    s.write(
        "c/templates/a.yaml",
        "kind: X\nsize: {{ .Values.size }}\n---\nkind: Y\nmetadata:\n  annotations: {helm.sh/hook: pre-nothing}\n",
    );
    s.write("v.yaml", "a: 1\nb:\n  c: 1\n  c: 2\n");
    let o = pintle(&["template", &s.path("c"), "-f", &s.path("v.yaml")]);
    assert_eq!(o.code, 0, "{}", o.err);
    for want in [
        "v.yaml:4: b.c is set again",
        "hook \"pre-nothing\" is not known",
        "prints a whole number as 1e+06",
        "pipe the value through int64",
    ] {
        assert!(o.err.contains(want), "{want}\n{}", o.err);
    }
}

#[test]
fn output_goes_to_files_where_asked_for() {
    let s = Scratch::new();
    let chart = project("tests/fixtures/render/charts/hooks");
    let o = pintle(&["template", "rel", &chart, "--output-dir", &s.path("out"), "--release-name", "--include-crds"]);
    assert_eq!(o.code, 0, "{}", o.err);
    assert!(o.out.contains(&format!("wrote {}\n", s.path("out/rel/hooks/templates/1.yaml"))), "{}", o.out);
    let crd = std::fs::read_to_string(s.path("out/hooks/crds/a.yaml")).unwrap();
    assert!(crd.starts_with("---\n# Source: hooks/crds/a.yaml\nkind: CustomResourceDefinition\n"), "{crd}");
    let multi = std::fs::read_to_string(s.path("out/rel/hooks/templates/multi.yaml")).unwrap();
    assert_eq!(multi.matches("# Source: hooks/templates/multi.yaml").count(), 5, "{multi}");
}

#[test]
fn limits_are_named_options() {
    let s = Scratch::new();
    s.write("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    s.write(
        "c/templates/a.yaml",
        "{{ define \"a\" }}{{ include \"b\" . }}{{ end }}{{ define \"b\" }}x{{ end }}a: {{ include \"a\" . }}\n",
    );
    for (flag, small, large) in
        [("depth", "1", "10"), ("steps", "2", "1000"), ("output", "1", "1000"), ("heap", "1", "1000")]
    {
        let flag = format!("--limit-{flag}");
        assert_eq!(pintle(&["template", &s.path("c"), &flag, large]).code, 0, "{flag} {large}");
        let o = pintle(&["template", &s.path("c"), &flag, small]);
        assert!(o.code == 1 && o.err.contains("limit"), "{flag} {small}: {}{}", o.out, o.err);
    }
}

#[test]
fn both_engines_live_in_one_chart() {
    let o = pintle(&["template", "rel", &project("charts/tera-example")]);
    assert_eq!(o.code, 0, "{}", o.err);
    assert!(o.out.contains("# Source: tera-example/templates/deployment.yaml\n"), "{}", o.out);
    assert!(o.out.contains("# Source: tera-example/templates/service.yaml\n"), "{}", o.out);
}

#[test]
fn wrong_values_are_told_before_a_template_fails() {
    // Large enough that the values are validated on another core while templates are executed.
    let s = Scratch::new();
    s.write("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    s.write("c/values.yaml", "a: 1\n");
    let schema = r#"{"type": "object", "properties": {"a": {"type": "integer"}}, "$comment": "X"}"#;
    s.write("c/values.schema.json", &schema.replace('X', &"x".repeat(9000)));
    s.write("c/templates/large.yaml", &format!("# {}\n", "x".repeat(70_000)));
    s.write("c/templates/a.yaml", "{{ fail \"the template\" }}");
    let c = s.path("c");
    let o = pintle(&["template", &c, "--set-string", "a=x"]);
    assert_eq!(o.code, 1);
    assert_eq!(
        o.err,
        "Error: values don't meet the specifications of the schema(s) in the following chart(s):\nc:\n- at '/a': got string, want integer\n\n"
    );
    let o = pintle(&["template", &c]);
    assert!(o.err.contains("the template") && !o.err.contains("schema"), "{}", o.err);
    let o = pintle(&["template", &c, "--set-string", "a=x", "--skip-schema-validation"]);
    assert!(o.err.contains("the template") && !o.err.contains("schema"), "{}", o.err);
}
