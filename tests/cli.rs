//! Commands as people run them: the example repository, what `build` refuses, explanations, warnings, output files, `show` and the like.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use pintle::cli::{Streams, run};

struct Outcome {
    code: u8,
    out: String,
    err: String,
}

/// Runs a command line from the root of the project's checkout (paths are made absolute by the caller where they must be).
fn pintle(args: &[&str]) -> Outcome {
    let argv: Vec<std::ffi::OsString> = std::iter::once("pintle").chain(args.iter().copied()).map(Into::into).collect();
    pintle::gotmpl::with_large_stack(move || {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run(argv, &mut Streams { out: &mut out, err: &mut err, terminal: false, last: false });
        let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
        Outcome { code, out: text(out), err: text(err) }
    })
    .unwrap()
}

fn project(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).to_str().unwrap().to_string()
}

/// A directory of its own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("pintle-cli-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn write(&self, path: &str, text: &str) {
        let full = self.0.join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, text).unwrap();
    }

    fn path(&self, path: &str) -> String {
        self.0.join(path).to_str().unwrap().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The example repository, to be changed.
fn example() -> Scratch {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for e in std::fs::read_dir(from).unwrap() {
            let e = e.unwrap();
            let to = to.join(e.file_name());
            if e.path().is_dir() {
                copy(&e.path(), &to);
            } else {
                std::fs::copy(e.path(), to).unwrap();
            }
        }
    }
    let s = Scratch::new();
    copy(Path::new(&project("examples/deployment-repo")), &s.0);
    s
}

#[test]
fn every_environment_of_the_example_builds() {
    for (env, tag, host) in
        [("dev", "1.8.0-rc.2", "dev.shop.example"), ("qa", "1.8.0-rc.1", "qa."), ("prod", "1.7.3", "shop.")]
    {
        let o = pintle(&["build", &project("examples/deployment-repo"), "--env", env]);
        assert_eq!((o.code, o.err.as_str()), (0, ""), "{env}");
        for want in [
            format!("# Release: shop-{env}/web (k8s/gitops/{env}/web/release.yaml:1)\n"),
            format!("# Release: shop-{env}/shop-api (k8s/gitops/{env}/api/release.yaml:1)\n"),
            format!("# Release: shop-{env}/worker (k8s/gitops/{env}/worker/release.yaml:1)\n"),
            format!("registry.example/shop/web:{tag}\""),
            format!("- host: {host}"),
        ] {
            assert!(o.out.contains(&want), "{env}: {want}\n{}", o.out);
        }
    }
}

#[test]
fn the_examples_secrets_are_masked_with_the_key_and_without() {
    let repo = project("examples/deployment-repo");
    let build = |key: &[&str]| {
        let o = pintle(&[&["build", &repo, "--env", "prod"][..], key].concat());
        assert_eq!((o.code, o.err.as_str()), (0, ""), "{key:?}");
        o.out
    };
    let closed = build(&["--no-keys"]);
    let opened = build(&["--age-key-file", &project("examples/deployment-repo/age-test-key.txt")]);
    assert!(closed.contains("PARTNER_URL: \"<encrypted str "), "{closed}");
    assert!(opened.contains("PARTNER_URL: \"<masked>\""), "{opened}");
    for out in [&closed, &opened] {
        // A short value that a template carries into a Deployment is one of them.
        assert!(["made-up", "example-prod@", "9001"].iter().all(|secret| !out.contains(secret)), "{out}");
    }
    // Placeholders are the same each time; apart from them the key changes nothing but what is hashed.
    assert_eq!(closed, build(&["--no-keys"]));
    let lines = |text: &str| {
        let shown = |l: &&str| !l.contains("<encrypted") && !l.contains("<masked>") && !l.contains("checksum/");
        text.lines().filter(shown).map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(lines(&closed), lines(&opened));
}

#[test]
fn values_come_in_the_controllers_order() {
    let o = pintle(&["build", &project("examples/deployment-repo"), "--env", "prod", "--service", "api"]);
    // valuesFiles, then valuesFrom, then targetPath, then inline values.
    for want in ["maxReplicas: 20", "LOG_LEVEL: \"warn\"", "DATABASE_POOL_SIZE: \"40\"", "name: api-database"] {
        assert!(o.out.contains(want), "{want}\n{}", o.out);
    }
    assert!(!o.out.contains("shop/web"), "only the service asked for");
    assert!(!o.out.contains("postgres://"), "no secret is printed");
}

#[test]
fn each_value_has_the_line_that_it_comes_from() {
    let repo = project("examples/deployment-repo");
    let of = |words: &[&str]| pintle(&[words, &["--repo", repo.as_str(), "-e", "prod", "--service", "web"]].concat());
    let o = of(&["values"]);
    for want in [
        "  tag: \"1.7.3\"  # k8s/gitops/prod/web/release.yaml:27\n",
        "  host: shop.example  # k8s/gitops/prod/web/configmap.yaml:8\n",
        "replicas: 4  # k8s/helm-values/web/prod-config.yaml:1\n",
        "  siteId: <masked>  # k8s/gitops/prod/web/secrets.yaml:7\n",
    ] {
        assert!(o.out.contains(want), "{want}\n{}{}", o.out, o.err);
    }
    let o = of(&["explain", "image.tag"]);
    let lines: Vec<&str> = o.out.lines().map(str::trim).collect();
    assert_eq!(lines[0], "image.tag: \"1.7.3\"");
    assert!(lines[1].starts_with("k8s/helm-charts/web/values.yaml:4 "), "{}", o.out);
    assert!(lines[2].starts_with("wins  k8s/gitops/prod/web/release.yaml:27  1.7.3 "), "{}", o.out);
    let o = of(&["explain", "nothing.here"]);
    assert_eq!((o.code, o.out.as_str()), (1, ""));
    assert!(o.err.starts_with("Error: no layer sets nothing.here"), "{}", o.err);
}

#[test]
fn checks_end_with_the_code_that_ci_reads() {
    let sound = project("tests/fixtures/zoo/base");
    let o = pintle(&["check", &sound]);
    assert_eq!(o.code, 0, "{}{}", o.out, o.err);
    assert!(o.out.ends_with("2 releases in 2 environments checked\n"), "{}", o.out);
    // The example is sound, with its key and without.
    let sound = project("examples/deployment-repo");
    for key in [&["--no-keys"][..], &["--age-key-file", &project("examples/deployment-repo/age-test-key.txt")]] {
        let o = pintle(&[&["check", &sound][..], key].concat());
        assert_eq!((o.code, o.out.as_str()), (0, "no findings\n9 releases in 3 environments checked\n"), "{}", o.err);
    }
    // A Secret in clear.
    let clear = example();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: web-analytics\nstringData:\n  site-id: abc\n";
    clear.write("k8s/gitops/prod/web/secrets.yaml", secret);
    let clear = clear.path("");
    let o = pintle(&["check", &clear, "--env", "prod", "-o", "github"]);
    assert_eq!(o.code, 1);
    assert!(
        o.out.contains("::error file=k8s/gitops/prod/web/secrets.yaml,line=1,title=secrets/not-encrypted"),
        "{}",
        o.out
    );
    assert!(!o.out.contains("gitops/dev"), "{}", o.out);
    assert_eq!(pintle(&["check", &clear, "--ignore", "secrets/*"]).code, 0);
    for wrong in [
        &["check", "/no/such/folder"][..],
        &["check", &sound, "--env", "stage"],
        &["check", &sound, "--rules", "values/unred"],
    ] {
        let o = pintle(wrong);
        assert_eq!(o.code, 2, "{wrong:?}: {}{}", o.out, o.err);
        assert!(o.err.starts_with("Error: "), "{}", o.err);
    }
}

#[test]
fn what_build_does_not_handle_is_named_with_file_and_line() {
    let release = "k8s/gitops/dev/web/release.yaml";
    let kustomization = "k8s/gitops/dev/web/kustomization.yaml";
    for (file, from, to, want) in [
        (
            release,
            "kind: GitRepository",
            "kind: HelmRepository",
            "was not found in environment dev: add it to what the environment applies",
        ),
        (
            release,
            "  interval: 10m\n",
            "  interval: 10m\n  postRenderers: [{exec: {}}]\n",
            "release.yaml:7: postRenderers: ",
        ),
        (
            release,
            "./k8s/helm-charts/web",
            "./k8s/helm-charts/nope",
            "release.yaml:9: chart k8s/helm-charts/nope is not in this repository",
        ),
        (release, "./k8s/helm-charts/web", "../outside", "release.yaml:9: chart outside is not in this repository"),
        (release, "web/dev-config.yaml", "web/none.yaml", "none.yaml: no such file in the repository"),
        (release, "name: web-values", "name: other", "valuesFrom: ConfigMap other was not found in environment dev"),
        (kustomization, "resources:", "helmCharts: [{name: x}]\nresources:", "kustomization.yaml:"),
        (kustomization, "- secrets.yaml", "- https://x.example/y", "kustomization.yaml:6: "),
        (kustomization, "- secrets.yaml", "- gone.yaml", "gone.yaml"),
        (release, "spec:\n  interval", "spec:\n  - [\n  interval", "release.yaml:"),
    ] {
        let repo = example();
        let text = std::fs::read_to_string(repo.0.join(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}");
        repo.write(file, &text.replacen(from, to, 1));
        let o = pintle(&["build", &repo.path(""), "--env", "dev"]);
        assert_eq!(o.code, 1, "{want}\n{}", o.err);
        assert!(o.err.contains(want), "want {want}\ngot {}", o.err);
    }
}

#[test]
fn encrypted_values_files_need_a_key() {
    let repo = example();
    let secret = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: web-values
data:
  values.yaml: ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]
sops:
  age:
  - recipient: age1lzd99uklcjnc0e7d860axevet2cz99ce9pq6tzuzd05l5nr28ams36nvun
    enc: |
      -----BEGIN AGE ENCRYPTED FILE-----
      AAAA
      -----END AGE ENCRYPTED FILE-----
  lastmodified: '2026-01-01T00:00:00Z'
  mac: ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]
  version: 3.13.3
";
    repo.write("k8s/gitops/dev/web/configmap.yaml", secret);
    let o = pintle(&["build", &repo.path(""), "--env", "dev", "--service", "web", "--no-keys"]);
    assert_eq!(o.code, 1);
    assert!(o.err.contains("is encrypted with SOPS and no key at hand decrypts it"), "{}", o.err);
    let o = pintle(&["build", &repo.path(""), "--env", "dev", "--service", "api", "--no-keys"]);
    assert_eq!(o.code, 0, "{}", o.err);
}

#[test]
fn what_sops_adds_to_a_values_file_is_no_value() {
    let repo = example();
    let path = "k8s/helm-values/web/dev-config.yaml";
    let before = std::fs::read_to_string(repo.path(path)).unwrap();
    let sops = "unknown: ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]\nsops:\n  mac: ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]\n";
    repo.write(path, &format!("{before}{sops}"));
    let o = pintle(&["check", &repo.path(""), "--env", "dev", "--no-keys"]);
    assert!(o.out.contains("no template reads unknown") && !o.out.contains("no template reads sops"), "{}", o.out);
}

#[test]
fn wrong_names_are_answered_with_the_right_ones() {
    let repo = project("examples/deployment-repo");
    let o = pintle(&["build", &repo, "--env", "staging"]);
    assert_eq!(
        (o.code, o.err.as_str()),
        (1, "Error: no environment staging under k8s/gitops: there are dev, prod, qa\n")
    );
    let o = pintle(&["build", &repo]);
    let want = "Error: no environment is named: give one with --env: dev, prod, qa\n";
    assert_eq!((o.code, o.err.as_str()), (1, want));
    let o = pintle(&["build", &repo, "--env", "dev", "--service", "wbe"]);
    assert_eq!((o.code, o.err.as_str()), (1, "Error: no service wbe in environment dev: there are api, web, worker\n"));
}

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

/// A small chart that shows what it was given.
fn shower() -> Scratch {
    let s = Scratch::new();
    s.write("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    s.write(
        "c/templates/a.yaml",
        "v: {{ .Values | toJson }}\nupgrade: {{ .Release.IsUpgrade }}\nns: {{ .Release.Namespace }}\n\
         foo: {{ .Capabilities.APIVersions.Has \"foo/v1\" }}\nnone: {{ .Capabilities.APIVersions.Has \"\" }}\n\
         kube: {{ .Capabilities.KubeVersion.Version }}\n",
    );
    s.write("v.yaml", "a: 1\n");
    s.write("w.yaml", "b: 2\n");
    s.write("a,b.yaml", "c: 3\n");
    s.write(" d.yaml", "d: 4\n");
    s
}

// All answers below were given by helm 4.3.1.

#[test]
fn switches_take_values_and_the_last_of_a_flag_counts() {
    let s = shower();
    let c = s.path("c");
    let shown = |args: &[&str]| {
        let out = pintle(&[&["template", &c], args].concat());
        assert_eq!(out.code, 0, "{args:?} {}", out.err);
        out.out
    };
    assert!(shown(&["--is-upgrade=true"]).contains("upgrade: true"));
    assert!(shown(&["--is-upgrade=1", "--is-upgrade"]).contains("upgrade: true"));
    assert!(shown(&["--is-upgrade", "--is-upgrade=false"]).contains("upgrade: false"));
    assert!(
        shown(&["--is-upgrade=F", "--no-hooks=T", "--skip-tests=false", "--debug=false"]).contains("upgrade: false")
    );
    assert!(shown(&["-n", "x", "-n", "y"]).contains("ns: y"));
    assert!(shown(&["--kube-version", "1.30.04"]).contains("kube: v1.30.04"));
    for (args, want) in [
        (
            ["--is-upgrade=yes"],
            "invalid argument \"yes\" for \"--is-upgrade\" flag: strconv.ParseBool: parsing \"yes\": invalid syntax",
        ),
        (["--timeout=5"], "invalid argument \"5\" for \"--timeout\" flag: time: missing unit in duration \"5\""),
        (
            ["--wait=bogus"],
            "invalid argument \"bogus\" for \"--wait\" flag: invalid wait input \"bogus\". Valid inputs are watcher, hookOnly, and legacy",
        ),
        (["--kube-version=1"], "invalid kube version '1': illegal version string \"1\""),
        (
            ["--kube-version=01.2"],
            "invalid kube version '01.2': illegal zero-prefixed version component \"01\" in \"01.2\"",
        ),
    ] {
        let out = pintle(&[&["template", &c], &args[..]].concat());
        assert_eq!((out.code, out.err.lines().next()), (1, Some(&*format!("Error: {want}"))), "{args:?}");
    }
}

#[test]
fn lists_of_flags_are_csv() {
    let s = shower();
    let c = s.path("c");
    let path = |name: &str| s.path(name);
    let v = path("v.yaml");
    for (file, want) in [
        (String::new(), "v: {}"),
        (v.clone(), r#"v: {"a":1}"#),
        (format!("{v},{}", path("w.yaml")), r#"v: {"a":1,"b":2}"#),
        (format!("\"{}\"", path("a,b.yaml")), r#"v: {"c":3}"#),
        (format!("{v}\n{}", path("w.yaml")), r#"v: {"a":1}"#),
        (path(" d.yaml"), r#"v: {"d":4}"#),
    ] {
        let out = pintle(&["template", &c, "-f", &file]);
        assert!(out.code == 0 && out.out.contains(want), "{file:?} {} {}", out.out, out.err);
    }
    let error = |file: &str| pintle(&["template", &c, "-f", file]).err.lines().next().unwrap().to_owned();
    let flag = "for \"-f, --values\" flag: parse error on line 1,";
    assert_eq!(
        error("\"v"),
        format!("Error: invalid argument \"\\\"v\" {flag} column 3: extraneous or missing \" in quoted-field")
    );
    assert_eq!(
        error("v\"x"),
        format!("Error: invalid argument \"v\\\"x\" {flag} column 2: bare \" in non-quoted-field")
    );
    let padded = format!("{v} ");
    assert_eq!(error(&padded), format!("Error: open {padded}: no such file or directory"));
    let apis = |list: &str| pintle(&["template", &c, "-a", list]).out;
    assert!(apis("").contains("none: false") && apis("\"foo/v1\"").contains("foo: true"));
}

#[test]
fn a_folder_for_a_release_has_a_clean_path() {
    let s = shower();
    let out = pintle(&["template", &s.path("c"), "--output-dir", &s.path("./o/"), "--release-name"]);
    assert_eq!(out.out.trim_end(), format!("wrote {}", s.path("o/release-name/c/templates/a.yaml")));
}

#[test]
fn a_name_may_come_from_the_environment() {
    let s = shower();
    s.write("c/templates/a.yaml", "name: {{ .Release.Name }}\n");
    let named = |template: &str| pintle(&["template", &s.path("c"), "--name-template", template]);
    let home = std::env::var("CARGO_PKG_NAME").unwrap();
    for template in ["{{ env \"CARGO_PKG_NAME\" }}-x", "{{ expandenv \"${CARGO_PKG_NAME}-x\" }}"] {
        assert!(named(template).out.contains(&format!("name: {home}-x")), "{}", named(template).err);
    }
    let want = "Error: template: name-template:1:3: executing \"name-template\" at <fail \"x\">: error calling fail: x";
    assert_eq!(named("{{ fail \"x\" }}").err.lines().next(), Some(want));
}

#[test]
fn arguments_are_counted_in_helms_words() {
    // As helm 4.3.1 prints them.
    let cases: &[(&[&str], &str)] = &[
        (&["show", "chart"], "\"helm show chart\" requires 1 argument\n\nUsage:  helm show chart [CHART] [flags]"),
        (
            &["inspect", "values", "a", "b"],
            "\"helm show values\" requires 1 argument\n\nUsage:  helm show values [CHART] [flags]",
        ),
        (&["repo", "list", "x"], "\"helm repo list\" accepts no arguments\n\nUsage:  helm repo list [flags]"),
        (&["repo", "add", "a"], "\"helm repo add\" requires 2 arguments\n\nUsage:  helm repo add [NAME] [URL] [flags]"),
        (
            &["repo", "remove"],
            "\"helm repo remove\" requires at least 1 argument\n\nUsage:  helm repo remove [REPO1 [REPO2 ...]] [flags]",
        ),
        (
            &["dep", "list", "a", "b"],
            "\"helm dependency list\" accepts at most 1 argument\n\nUsage:  helm dependency list CHART [flags]",
        ),
        (&["ls", "x"], "\"helm list\" accepts no arguments\n\nUsage:  helm list [flags]"),
        (
            &["-n", "get", "history"],
            "\"helm history\" requires 1 argument\n\nUsage:  helm history RELEASE_NAME [flags]",
        ),
        (
            &["get", "values", "--revision", "2"],
            "\"helm get values\" requires 1 argument\n\nUsage:  helm get values RELEASE_NAME [flags]",
        ),
        (&["status", "a", "b"], "\"helm status\" requires 1 argument\n\nUsage:  helm status RELEASE_NAME [flags]"),
        (
            &["pull"],
            "\"helm pull\" requires at least 1 argument\n\nUsage:  helm pull [chart URL | repo/chartname] [...] [flags]",
        ),
        (&["push", "a"], "\"helm push\" requires at least 2 arguments\n\nUsage:  helm push [chart] [remote] [flags]"),
        (
            &["registry", "login"],
            "\"helm registry login\" requires at least 1 argument\n\nUsage:  helm registry login [host] [flags]",
        ),
        (&["create", "a", "b"], "\"helm create\" requires 1 argument\n\nUsage:  helm create NAME [flags]"),
        (
            &["template"],
            "\"helm template\" requires at least 1 argument\n\nUsage:  helm template [NAME] [CHART] [flags]",
        ),
        (&["upgrade", "a"], "\"helm upgrade\" requires 2 arguments\n\nUsage:  helm upgrade [RELEASE] [CHART] [flags]"),
        (
            &["rollback"],
            "\"helm rollback\" requires at least 1 argument\n\nUsage:  helm rollback <RELEASE> [REVISION] [flags]",
        ),
        (&["version", "x"], "\"helm version\" accepts no arguments\n\nUsage:  helm version [flags]"),
        (&["get", "values", "a", "--bogus"], "unknown flag: --bogus"),
        (&["repo", "foo"], "unknown command \"foo\" for \"pintle repo\"\nRun 'pintle repo --help' for usage."),
    ];
    for (args, text) in cases {
        let got = pintle(args);
        assert_eq!(
            (got.code, got.out.as_str(), got.err.as_str()),
            (1, "", format!("Error: {text}\n").as_str()),
            "{args:?}"
        );
    }
    for group in ["show", "repo", "get", "dependency", "registry"] {
        let got = pintle(&[group]);
        assert_eq!((got.code, got.err.as_str()), (0, ""), "{group}");
        assert!(got.out.contains(&format!("Usage: pintle {group} ")), "{}", got.out);
    }
}

#[test]
fn helms_own_files_are_named_by_flags() {
    let s = Scratch::new();
    s.write("r.yaml", "apiVersion: \"\"\nrepositories:\n- name: x\n  url: http://127.0.0.1:1/\n");
    s.write("c.json", r#"{"auths": {"a.example": {"auth": "dTpw"}, "b.example": {"auth": "dTpw"}}}"#);
    let (repositories, registries) = (s.path("r.yaml"), s.path("c.json"));
    // Before the command or behind it, and as given, even if nothing is given.
    for (args, want) in [
        (["--repository-config", "f", "env", "HELM_REPOSITORY_CONFIG"], "f\n"),
        (["env", "HELM_REGISTRY_CONFIG", "--registry-config", "a/../b"], "a/../b\n"),
        (["env", "HELM_REGISTRY_CONFIG", "--registry-config", ""], "\n"),
    ] {
        let o = pintle(&args);
        assert_eq!((o.code, o.out.as_str()), (0, want), "{args:?}");
    }
    let list = pintle(&["repo", "list", "--repository-config", &repositories]);
    assert_eq!((list.code, list.out.as_str()), (0, "NAME\tURL                \nx   \thttp://127.0.0.1:1/\n"));
    for args in [&["show", "chart", "y/z"][..], &["template", "y/z"], &["pull", "y/z"], &["versions", "y/z"]] {
        let o = pintle(&[args, &["--repository-config", &repositories]].concat());
        assert_eq!((o.code, o.err.as_str()), (1, "Error: repo y not found\n"), "{args:?}");
    }
    let logout = pintle(&["--registry-config", &registries, "registry", "logout", "a.example"]);
    assert_eq!((logout.code, logout.err.as_str()), (0, ""));
    let left = std::fs::read_to_string(&registries).unwrap();
    assert!(left.contains("b.example") && !left.contains("a.example"), "{left}");
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

#[test]
fn flags_are_refused_in_pflags_words() {
    // As helm 4.3.1 prints them.
    for (args, want) in [
        (&["template", "-n"][..], "flag needs an argument: 'n' in -n"),
        (&["create", "x", "-p"], "flag needs an argument: 'p' in -p"),
        (&["show", "chart", "x", "-y"], "unknown shorthand flag: 'y' in -y"),
        (&["lint", "-qz"], "unknown shorthand flag: 'q' in -qz"),
        (&["list", "-qz"], "unknown shorthand flag: 'z' in -z"),
        (
            &["lint", "--quiet=@"],
            "invalid argument \"@\" for \"--quiet\" flag: strconv.ParseBool: parsing \"@\": invalid syntax",
        ),
        (
            &["list", "--short=@"],
            "invalid argument \"@\" for \"-q, --short\" flag: strconv.ParseBool: parsing \"@\": invalid syntax",
        ),
        (
            &["template", "x", "--qps", "@"],
            "invalid argument \"@\" for \"--qps\" flag: strconv.ParseFloat: parsing \"@\": invalid syntax",
        ),
        (
            &["env", "--burst-limit="],
            "invalid argument \"\" for \"--burst-limit\" flag: strconv.ParseInt: parsing \"\": invalid syntax",
        ),
        (
            &["dep", "list", "--max-col-width", "-1"],
            "invalid argument \"-1\" for \"--max-col-width\" flag: strconv.ParseUint: parsing \"-1\": invalid syntax",
        ),
        (
            &["history", "x", "--max", "many"],
            "invalid argument \"many\" for \"--max\" flag: strconv.ParseInt: parsing \"many\": invalid syntax",
        ),
        (
            &["repo", "update", "--timeout", "5"],
            "invalid argument \"5\" for \"--timeout\" flag: time: missing unit in duration \"5\"",
        ),
        // An empty path is none.
        (&["show", "chart", "./none", "--ca-file", "", "--cert-file=", "--keyring="], "path \"./none\" not found"),
    ] {
        let o = pintle(args);
        assert_eq!((o.code, o.err.lines().next()), (1, Some(&*format!("Error: {want}"))), "{args:?}");
    }
}
