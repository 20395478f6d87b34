//! Commands beside `template`: completions, `version`, `search`, `show` and `create`, as helm 4.3.1 has them.

use std::path::Path;

use crate::support::*;

#[test]
fn completions_man_pages_and_versions_come_from_the_flags() {
    let o = pintle(&["completion", "bash"]);
    assert!(o.code == 0 && o.out.contains("--skip-schema-validation"));
    let s = Scratch::new();
    let o = pintle(&["man", &s.path("man")]);
    assert_eq!(o.code, 0, "{}", o.err);
    assert!(Path::new(&s.path("man/pintle-template.1")).exists());
    assert_eq!(pintle(&["completion", "zsh", "--no-descriptions"]).code, 0);
    let o = pintle(&["version", "--short"]);
    assert_eq!(o.out, format!("v{}\n", env!("CARGO_PKG_VERSION")));
    let o = pintle(&["template", "x", "--bogus"]);
    assert_eq!((o.code, o.err.as_str()), (1, "Error: unknown flag: --bogus\n"));
    let o = pintle(&["template", "x", "--set"]);
    assert_eq!((o.code, o.err.as_str()), (1, "Error: flag needs an argument: --set\n"));
    let o = pintle(&["tempalte"]);
    assert!(o.code == 1 && o.err.starts_with("Error: unknown command \"tempalte\" for \"pintle\"\n"), "{}", o.err);
}

#[test]
fn a_search_needs_repositories() {
    let s = Scratch::new();
    s.write("broken.yaml", "repositories: {");
    for file in ["none.yaml", "broken.yaml"] {
        let o = pintle(&["search", "repo", "x", "--repository-config", &s.path(file)]);
        assert_eq!((o.code, o.out.as_str(), o.err.as_str()), (1, "", "Error: no repositories configured\n"), "{file}");
    }
    let hub = pintle(&["search", "hub", "nginx", "--max-col-width", "80"]);
    assert!(hub.code == 1 && hub.err.starts_with("Error: search hub is not supported: "), "{}", hub.err);
}

#[test]
fn values_are_shown_by_jsonpath() {
    let chart = project("tests/fixtures/jsonpath/chart");
    let loaded = pintle::chart::directory::load_unchecked(Path::new(&chart), &mut Vec::new()).unwrap();
    let cases = std::fs::read_to_string(project("tests/fixtures/jsonpath/cases.jsonl")).unwrap();
    let mut wrong = Vec::new();
    for line in cases.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| case[name].as_str().unwrap();
        let want = match case.get("error") {
            Some(_) => Err(text("error").to_owned()),
            // Bytes, one a character.
            None => Ok(text("bytes").chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect::<Vec<u8>>()),
        };
        let got = pintle::chart::show::values_by(&loaded, text("template"));
        if got != want {
            wrong.push(format!("{line}: {:?}", got.map(|b| String::from_utf8_lossy(&b).into_owned())));
        }
    }
    assert!(wrong.is_empty() && cases.lines().count() > 300, "{}", wrong.join("\n"));
    let shown = |template: &str| pintle(&["show", "values", &chart, "--jsonpath", template]);
    assert_eq!(shown("{range .items[*]}{.name} {end}").out, "one two three fo)ur ");
    let wrong = shown("{.n");
    assert_eq!((wrong.code, wrong.err.as_str()), (1, "Error: error parsing jsonpath {.n: unclosed action\n"));
    assert!(shown("").out.ends_with("\"\": emptykey\n\n"));
    // What is not there is no error; Go prints nothing then, and panics for the second.
    for template in ["a{.nosuch}b", "x{range .el[*]}{[0]}{end}"] {
        let o = shown(template);
        assert_eq!((o.code, o.out.as_str(), o.err.as_str()), (0, "", ""), "{template}");
    }
}

#[test]
fn the_version_goes_through_a_template() {
    let version = format!("v{}", env!("CARGO_PKG_VERSION"));
    let v = version.as_str();
    // As helm 4.3.1 prints them, but for what is in the fields.
    for (template, out, error) in [
        ("{{.Version}}", v.to_owned(), ""),
        ("{{.}}", format!("{{{v}    v1.37}}"), ""),
        (
            "{{printf \"%#v\" .}}",
            format!(
                "version.BuildInfo{{Version:\"{v}\", GitCommit:\"\", GitTreeState:\"\", GoVersion:\"\", KubeClientVersion:\"v1.37\"}}"
            ),
            "",
        ),
        ("{{with .GitCommit}}x{{else}}none{{end}}", "none".to_owned(), ""),
        (
            "a{{.Foo}}",
            "a".to_owned(),
            "Error: template: _:1:3: executing \"_\" at <.Foo>: can't evaluate field Foo in type version.BuildInfo\n",
        ),
        ("{{.Version | upper}}", String::new(), "Error: template: _:1: function \"upper\" not defined\n"),
        ("{{.Version", String::new(), "Error: template: _:1: unclosed action\n"),
    ] {
        let o = pintle(&["version", "--short", "--template", template]);
        assert_eq!((o.out, o.err.as_str()), (out, error), "{template}");
        assert_eq!(o.code, u8::from(!error.is_empty()), "{template}");
    }
}

#[test]
fn a_chart_may_begin_as_another_one() {
    let s = Scratch::new();
    for (file, text) in [
        ("Chart.yaml", "apiVersion: v2\nname: starter\nversion: 9.9.9\n"),
        ("values.yaml", "# of <CHARTNAME>\n<CHARTNAME>:\n  a: 1 # kept\n"),
        ("values.schema.json", "{\"title\": \"<CHARTNAME>\"}"),
        ("templates/a.yaml", "name: {{ include \"<CHARTNAME>.x\" . }}<CHARTNAME>\n"),
        ("README.md", "<CHARTNAME>"),
        (".helmignore", "*.bak\n"),
        ("old.bak", ""),
        ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
    ] {
        s.write(&format!("starter/{file}"), text);
    }
    s.write("broken/values.yaml", "a: 1\n");
    s.write("twice/Chart.yaml", "apiVersion: v2\nname: twice\nversion: 1.0.0\n");
    s.write("twice/values.yaml", "<CHARTNAME>: 1\nnew: 2\n");
    let starter = s.path("starter");
    // Folders on the way are made.
    let new = s.path("some/where/new");
    let made = pintle(&["create", &new, "-p", &starter]);
    assert_eq!((made.code, made.out.as_str(), made.err.as_str()), (0, format!("Creating {new}\n").as_str(), ""));
    let read = |file: &str| std::fs::read_to_string(Path::new(&new).join(file)).unwrap();
    // All of it as helm 4.3.1 writes it.
    assert_eq!(
        read("Chart.yaml"),
        "apiVersion: v2\nappVersion: 0.1.0\ndescription: A Helm chart for Kubernetes\nname: new\ntype: application\nversion: 0.1.0\n"
    );
    assert_eq!(read("values.yaml"), "# of new\nnew:\n  a: 1 # kept\n");
    assert_eq!(read("templates/a.yaml"), "name: {{ include \"new.x\" . }}new\n");
    assert_eq!(read("values.schema.json"), "{\"title\": \"<CHARTNAME>\"}");
    assert_eq!(read("README.md"), "<CHARTNAME>");
    let there = |file: &str| Path::new(&new).join(file).exists();
    assert!(there(".helmignore") && there("charts/sub-1.0.0.tgz") && !there("old.bak") && !there("charts/sub"));
    let error = |name: &str, starter: &str| {
        let o = pintle(&["create", &s.path(name), "--starter", &s.path(starter)]);
        assert_eq!(o.code, 1);
        o.err
    };
    assert_eq!(
        error("x", "broken"),
        format!("Error: could not load {}: Chart.yaml file is missing\n", s.path("broken"))
    );
    assert_eq!(
        error("x", "none"),
        format!("Error: could not load {0}: stat {0}: no such file or directory\n", s.path("none"))
    );
    assert_eq!(
        error("{", "twice"),
        "Error: transforming values file: error converting YAML to JSON: yaml: did not find expected node content\n"
    );
    s.write("file", "");
    assert_eq!(error("file/x", "starter"), format!("Error: mkdir {}: not a directory\n", s.path("file")));
    // Nothing is written over, other than by Helm.
    assert!(error("some/where/new", "starter").contains("has a Chart.yaml already: nothing was written"));
}
