//! Flags and arguments, in the words of helm and of its libraries: all answers were given by helm 4.3.1.

use crate::support::*;

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
    assert!(shown(&["-g=true"]).contains("upgrade: false"));
    assert!(shown(&["-gn=y"]).contains("ns: y"));
    assert!(shown(&["--kube-version", "1.30.04"]).contains("kube: v1.30.04"));
    for (args, want) in [
        (
            ["--is-upgrade=yes"],
            "invalid argument \"yes\" for \"--is-upgrade\" flag: strconv.ParseBool: parsing \"yes\": invalid syntax",
        ),
        (
            ["-g=maybe"],
            "invalid argument \"maybe\" for \"-g, --generate-name\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax",
        ),
        (["-g="], "unknown shorthand flag: '=' in -="),
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

/// A small chart that can be installed.
fn installable() -> Scratch {
    let s = shower();
    s.write("c/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n");
    s
}

#[test]
fn a_flag_takes_the_next_argument_whatever_it_is() {
    let s = installable();
    let c = s.path("c");
    let dir = format!("dir:{}", s.path("d"));
    let install = |name: &str, more: &[&str]| pintle(&[&["install", name, &c, "--target", &dir], more].concat());
    for (name, description) in [("a", "- item"), ("b", "-x"), ("c", "--wait"), ("d", "--"), ("e", "--description=x")] {
        let out = install(name, &["--description", description]);
        assert!(out.code == 0 && out.out.contains(&format!("DESCRIPTION: {description}\n")), "{} {}", out.out, out.err);
    }
    for more in [&["--timeout", "-5s"][..], &["-l", "-a=b"], &["--description", "-n", "-n", "other"]] {
        let out = install("f", more);
        assert_eq!(out.code, 0, "{more:?} {}", out.err);
        assert_eq!(pintle(&["uninstall", "f", "--target", &dir, "--ignore-not-found"]).code, 0);
    }
    for more in [&["--filter", "-x"][..], &["-f", "-x"], &["--max", "-1"]] {
        let out = pintle(&[&["list", "--target", &dir], more].concat());
        assert_eq!(out.code, 0, "{more:?} {}", out.err);
    }
    for max in [&["--history-max", "-1"][..], &["--history-max=-1"], &["--history-max", "0x10"]] {
        let out = pintle(&[&["upgrade", "a", &c, "--target", &dir], max].concat());
        assert_eq!(out.code, 0, "{max:?} {}", out.err);
    }
    // A value that may be left out stands behind an equals sign, and two hyphens end the flags.
    let out = install("g", &["--wait", "--dry-run=client", "--plan", "--", "one-too-many"]);
    assert_eq!(
        out.err,
        "Error: INSTALLATION FAILED: expected at most two arguments, unexpected arguments: one-too-many\n"
    );
    for (args, want) in [
        (&["rollback", "a", "-1"][..], "unknown shorthand flag: '1' in -1"),
        (&["list", "-a"], "unknown shorthand flag: 'a' in -a"),
        (&["list", "-aq"], "unknown shorthand flag: 'a' in -aq"),
        (&["list", "--all"], "unknown flag: --all"),
        (&["list", "--filter"], "flag needs an argument: --filter"),
        (
            &["upgrade", "a", "b", "--history-max", "x"],
            "invalid argument \"x\" for \"--history-max\" flag: strconv.ParseInt: parsing \"x\": invalid syntax",
        ),
        (
            &["rollback", "a", "99999999999999999999"],
            "could not convert revision to a number: strconv.Atoi: parsing \"99999999999999999999\": value out of range",
        ),
    ] {
        let o = pintle(args);
        assert_eq!((o.code, o.err.lines().next()), (1, Some(&*format!("Error: {want}"))), "{args:?}");
    }
}

#[test]
fn an_upgrade_that_installs_says_so_once_its_flags_are_right() {
    let s = installable();
    let (c, dir) = (s.path("c"), format!("dir:{}", s.path("d")));
    let long = "x".repeat(60);
    for (name, more, want) in [
        (
            "u",
            "--wait=bogus",
            "invalid argument \"bogus\" for \"--wait\" flag: invalid wait input \"bogus\". Valid inputs are watcher, hookOnly, and legacy",
        ),
        ("u", "--timeout=x", "invalid argument \"x\" for \"--timeout\" flag: time: invalid duration \"x\""),
        ("u", "--dry-run=bad", "invalid dry-run value (\"bad\"). Must be \"none\", \"server\", or \"client\""),
        ("R_bad", "--install", "release name is invalid: R_bad"),
        (&long, "--install", &format!("release name is invalid: {long}")),
    ] {
        let o = pintle(&["upgrade", "--install", name, &c, "--target", &dir, more]);
        assert_eq!((o.code, o.out.as_str(), o.err.as_str()), (1, "", &*format!("Error: {want}\n")), "{name} {more}");
    }
    let o = pintle(&["upgrade", "R_bad", &c, "--target", &dir, "--server-side=bad"]);
    assert_eq!(o.err, "Error: UPGRADE FAILED: release name is invalid: R_bad\n");
}

#[test]
fn a_cluster_that_cannot_be_asked_is_told_of() {
    let s = installable();
    let c = s.path("c");
    s.write(
        "k.yaml",
        "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n",
    );
    s.write("gone.yaml", "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\ncurrent-context: gone\n");
    let (none, some, gone) = (s.path("none"), s.path("k.yaml"), s.path("gone.yaml"));
    for (flags, why) in [
        (
            &["--kubeconfig", &gone][..],
            "invalid configuration: context was not found for specified context: gone".to_string(),
        ),
        (&["--kubeconfig", &none], format!("stat {none}: no such file or directory")),
        (&["--kubeconfig", &some, "--kube-context", "nope"], "context \"nope\" does not exist".into()),
    ] {
        for (words, before) in [
            (&["list"][..], ""),
            (&["status", "x"], ""),
            (&["uninstall", "x"], ""),
            (&["rollback", "x"], ""),
            (&["install", "x", &c], "INSTALLATION FAILED: cluster reachability check failed: "),
            (&["upgrade", "x", &c], "UPGRADE FAILED: "),
            (&["upgrade", "--install", "x", &c], ""),
        ] {
            let o = pintle(&[words, flags].concat());
            let error = o.err.lines().find(|l| l.starts_with("Error: ")).map(str::to_owned);
            let want = format!("Error: {before}kubernetes cluster unreachable: {why}");
            assert_eq!((o.code, o.out.as_str(), error), (1, "", Some(want)), "{words:?}");
        }
        // A dry run of the client asks none.
        let dry = pintle(&[&["install", "x", &c, "-n", "q", "--dry-run=client"][..], flags].concat());
        assert!(dry.code == 0 && dry.out.contains("\nNAMESPACE: q\n"), "{}{}", dry.out, dry.err);
    }
}

#[test]
fn the_namespace_is_the_contexts_where_none_is_given() {
    let s = shower();
    s.write("c/templates/a.yaml", "ns: {{ .Release.Namespace }}\n");
    s.write(
        "k.yaml",
        "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: []\ncontexts:\n\
         - {name: a, context: {cluster: a, user: a, namespace: one}}\n\
         - {name: b, context: {cluster: a, user: a, namespace: two}}\n",
    );
    let (c, k, none) = (s.path("c"), s.path("k.yaml"), s.path("none"));
    for (flags, want) in [
        (&["--kubeconfig", &k][..], "one"),
        (&["--kubeconfig", &k, "--kube-context", "b"], "two"),
        (&["--kubeconfig", &k, "--kube-context", "nope"], "default"),
        (&["--kubeconfig", &k, "-n", "three"], "three"),
        (&["--kubeconfig", &none], "default"),
    ] {
        let shown = pintle(&[&["template", &c][..], flags].concat());
        assert!(shown.code == 0 && shown.out.contains(&format!("ns: {want}\n")), "{flags:?} {}", shown.out);
        let told = pintle(&[&["env", "HELM_NAMESPACE"][..], flags].concat());
        assert_eq!(told.out, format!("{want}\n"), "{flags:?}");
    }
}

#[test]
fn truth_values_of_variables_are_gos() {
    for name in ["HELM_DEBUG", "HELM_KUBEINSECURE_SKIP_TLS_VERIFY"] {
        for (value, want) in [("1", true), ("t", true), ("TRUE", true), ("0", false), ("", false), ("yes", false)] {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pintle"));
            let told = command.args(["env", name]).env(name, value).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&told.stdout), format!("{want}\n"), "{name}={value}");
        }
    }
}

#[test]
fn labels_that_helm_keeps_are_refused() {
    let s = shower();
    let out = pintle(&["template", &s.path("c"), "-l", "a=b,owner=x"]);
    let want = "Error: user supplied labels contains system reserved label name. \
                System labels: [name owner status version createdAt modifiedAt]\n";
    assert_eq!((out.code, out.err.as_str()), (1, want));
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
    // A name is taken for a URL first, whether the file is there or not.
    for (name, why) in [
        ("100%.yaml", "invalid URL escape \"%.y\""),
        ("1:x", "first path segment in URL cannot contain colon"),
        ("://x", "missing protocol scheme"),
        ("http://a b/", "invalid character \" \" in host name"),
    ] {
        assert_eq!(error(name), format!("Error: parse \"{name}\": {why}"));
        let set = pintle(&["template", &c, "--set-file", &format!("a={name}")]).err;
        assert!(set.starts_with(&format!("Error: failed parsing --set-file data: parse \"{name}\": {why}")), "{set}");
    }
    let apis = |list: &str| pintle(&["template", &c, "-a", list]).out;
    assert!(apis("").contains("none: false") && apis("\"foo/v1\"").contains("foo: true"));
}

#[test]
fn a_folder_for_a_release_has_a_clean_path() {
    let s = shower();
    let out = pintle(&["template", &s.path("c"), "--output-dir", &s.path("./o/"), "--release-name"]);
    assert_eq!(out.out.trim_end(), format!("wrote {}", s.path("o/release-name/c/templates/a.yaml")));
    // The directory that cannot be made is named, not the file that was to lie in it.
    s.write("file", "");
    for dir in ["file", "file/x"] {
        let dir = s.path(dir);
        let out = pintle(&["template", &s.path("c"), "--output-dir", &dir]);
        let want =
            format!("Error: stat {dir}/c/templates: not a directory\n\nUse --debug flag to render out invalid YAML\n");
        assert_eq!((out.code, out.out.as_str(), out.err), (1, "", want));
    }
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
