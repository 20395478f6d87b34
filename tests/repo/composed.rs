//! Charts that an `ArtifactGenerator` composes, and artifacts of every directory that fits a pattern.

use super::support::{Folder, build, git, run};

const RELEASE: &str = "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: web
  namespace: shop
spec:
  interval: 5m
  chartRef:
    kind: ExternalArtifact
    name: web
  values:
    level: warn
";

const GENERATOR: &str = "\
apiVersion: source.extensions.fluxcd.io/v1beta1
kind: ArtifactGenerator
metadata:
  name: charts
  namespace: shop
spec:
  sources:
  - alias: repo
    kind: GitRepository
    name: flux-system
  artifacts:
  - name: web
    copy:
    - from: '@repo/charts/web'
      to: '@artifact/'
      exclude: [ci/**]
    - from: '@repo/values/prod.yaml'
      to: '@artifact/web/values.yaml'
      strategy: Merge
";

/// A chart of the repository whose values are merged with those of an environment.
fn composed() -> Folder {
    let f = Folder::new();
    f.write("clusters/prod/web.yaml", RELEASE);
    f.write("clusters/prod/charts.yaml", GENERATOR);
    f.write("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.2.3\n");
    f.write(
        "charts/web/values.yaml",
        "# Defaults.\nlevel: info\nlimits: {cpu: 1, memory: 1234567}\nhosts: [a, b]\n---\nlevel: debug\n",
    );
    f.write(
        "charts/web/templates/cm.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n  labels: {chart: \"{{ .Chart.Name }}-{{ .Chart.Version }}\"}\ndata:\n  \
         values: |\n{{ toYaml .Values | indent 4 }}\n  files: {{ range $p, $_ := .Files.Glob \"**\" }}{{ $p }} {{ end }}\n",
    );
    f.write("charts/web/ci/values.yaml", "level: test\n");
    f.write("charts/web/extra.txt", "x\n");
    f.write("values/prod.yaml", "limits: {cpu: 2}\nhosts: [c]\n");
    f
}

#[test]
fn a_chart_is_put_together_of_directories_and_values() {
    let f = composed();
    let (code, out, err) = build(&f);
    assert_eq!(code, Some(0), "{err}");
    // The same, laid down by hand and rendered.
    let by_hand = Folder::new();
    for file in ["Chart.yaml", "templates/cm.yaml", "extra.txt"] {
        by_hand.write(&format!("web/{file}"), f.read(&format!("charts/web/{file}")));
    }
    by_hand.write("web/values.yaml", "hosts: [c]\nlevel: debug\nlimits: {cpu: 2, memory: 1234567}\n");
    by_hand.write("values.yaml", "level: warn\n");
    let (code, plain, err) = run(&by_hand, &["template", "web", "web", "-n", "shop", "-f", "values.yaml"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains(plain.trim_start_matches("---\n")), "{plain}\n{out}");
    for part in ["chart: \"web-1.2.3\"", "cpu: 2", "- c\n", "memory: 1234567", "level: warn", "files: extra.txt"] {
        assert!(plain.contains(part), "{part}\n{plain}");
    }
}

#[test]
fn values_and_templates_are_told_by_their_own_files() {
    let f = composed();
    let release = ["--env", "prod", "--service", "web"];
    let (code, out, err) = run(&f, &[&["explain", "limits.cpu"], &release[..]].concat());
    let want = "limits.cpu: 2\n        charts/web/values.yaml:3  1  (values file charts/web/values.yaml)\n  \
                wins  values/prod.yaml:1  2  (values file values/prod.yaml)\n";
    assert_eq!((code, out.as_str()), (Some(0), want), "{err}");
    let (code, out, err) = run(&f, &["explain", "configmap/web", "metadata.name", "--env", "prod", "--release", "web"]);
    assert!(code == Some(0) && out.contains("printed by charts/web/templates/cm.yaml:4\n"), "{out}{err}");
}

#[test]
fn archives_are_unpacked_where_the_generator_says() {
    let f = composed();
    let (code, _, err) = run(&f, &["package", "charts/web", "-d", "packed/old"]);
    assert_eq!(code, Some(0), "{err}");
    f.write("packed/old/notes.txt", "not an archive\n");
    let released = |out: &str| out.split("# Environment:").next().unwrap_or_default().to_owned();
    let want = released(&build(&f).1);
    let direct = "'@repo/charts/web'\n      to: '@artifact/'\n      exclude: [ci/**]";
    for from in ["'@repo/packed/old/web-1.2.3.tgz'", "'@repo/packed/**/*.tgz'", "'@repo/packed/old/*'"] {
        let unpacked = format!("{from}\n      to: '@artifact/'\n      strategy: Extract");
        f.write("clusters/prod/charts.yaml", GENERATOR.replace(direct, &unpacked));
        let (code, out, err) = build(&f);
        // What was packed had the excluded directory.
        let out = released(&out).replace("files: ci/values.yaml extra.txt", "files: extra.txt");
        assert_eq!((code, out), (Some(0), want.clone()), "{from} {err}");
    }
    for (from, why) in [
        ("'@repo/packed/old'", "extract strategy is not supported for directories, got 'packed/old'"),
        (
            "'@repo/packed/old/notes.txt'",
            "extract strategy requires tarball file (.tar.gz or .tgz), got 'packed/old/notes.txt'",
        ),
        ("'@repo/packed/broken.tgz'", "failed to extract tarball 'packed/broken.tgz' to '': invalid gzip header"),
    ] {
        f.write("packed/broken.tgz", "not gzip at all");
        let unpacked = format!("{from}\n      to: '@artifact/'\n      strategy: Extract");
        f.write("clusters/prod/charts.yaml", GENERATOR.replace(direct, &unpacked));
        let (code, _, err) = build(&f);
        assert!(code == Some(1) && err.contains("clusters/prod/charts.yaml:14: artifact web: copy from "), "{err}");
        assert!(err.contains(why), "{why}\n{err}");
    }
}

#[test]
fn what_can_not_be_a_chart_is_named() {
    let at = "clusters/prod/charts.yaml";
    for (from, to, want) in [
        (
            "to: '@artifact/'\n",
            "to: '@artifact/x/'\n",
            "clusters/prod/charts.yaml:1: artifact web: unable to detect chart version, no Chart.yaml found",
        ),
        (
            "'@repo/charts/web'",
            "'@repo/charts/web/**'",
            "clusters/prod/charts.yaml:1: artifact web: unable to load chart archive: chart illegally contains content outside the base directory",
        ),
        (
            "name: web\n",
            "name: other\n",
            "clusters/prod/web.yaml:8: chartRef: ExternalArtifact web: artifacts that no ArtifactGenerator of environment prod makes are not supported",
        ),
        (
            "strategy: Merge",
            "strategy: Mix",
            "clusters/prod/charts.yaml:17: artifact web: copy from '@repo/values/prod.yaml' to '@artifact/web/values.yaml': \
             strategy Mix is not known: there are Overwrite, Merge and Extract",
        ),
        (
            "values/prod.yaml",
            "charts/web/templates/cm.yaml",
            "clusters/prod/charts.yaml:17: artifact web: copy from '@repo/charts/web/templates/cm.yaml' to '@artifact/web/values.yaml': cannot unmarshal",
        ),
    ] {
        let f = composed();
        f.write(at, GENERATOR.replacen(from, to, 1));
        let (code, _, err) = build(&f);
        assert!(code == Some(1) && err.contains(want), "{want}\n{err}");
    }
    // A source that is not this repository, and is no chart.
    let f = composed();
    f.write(
        "clusters/prod/source.yaml",
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata:\n  name: flux-system\n  namespace: shop\nspec:\n  interval: 1m\n  \
         url: https://git.example/other.git\n",
    );
    let (code, _, err) = build(&f);
    let want = "clusters/prod/charts.yaml:8: artifact web: GitRepository flux-system is not this checkout: charts made of it are not supported";
    assert!(code == Some(1) && err.contains(want), "{err}");
}

#[test]
fn a_diff_sees_what_goes_into_a_composed_chart() {
    let f = composed();
    git(f.path(), &["init", "-q", "-b", "main"]);
    git(f.path(), &["add", "-A"]);
    git(f.path(), &["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "one"]);
    for (file, from, to, want) in [
        ("values/prod.yaml", "cpu: 2", "cpu: 3", "+      cpu: 3"),
        ("charts/web/extra.txt", "x", "y", ""),
        ("charts/web/Chart.yaml", "1.2.3", "1.2.4", "web-1.2.4"),
        ("clusters/prod/charts.yaml", "ci/**", "extra.txt", "+  files: ci/values.yaml"),
    ] {
        let before = f.read(file);
        f.write(file, before.replace(from, to));
        let (code, out, err) = run(&f, &["diff", "HEAD", "--env", "prod"]);
        assert_eq!(code, Some(0), "{err}");
        assert!(out.contains(want) && out.contains("web") != want.is_empty(), "{file}\n{out}");
        f.write(file, before);
    }
}

#[test]
fn every_directory_that_fits_a_pattern_has_its_artifact() {
    let f = Folder::new();
    let generator = GENERATOR.split("  artifacts:").next().unwrap();
    let generator = format!(
        "{generator}  pathPattern: '@repo/apps/{{app}}/{{env}}'\n  artifacts:\n  - name: '{{app}}-{{env}}'\n    copy:\n    - from: '@repo/apps/{{app}}/{{env}}/**'\n      \
         to: '@artifact/{{app}}/'\n"
    );
    f.write("clusters/prod/charts.yaml", &generator);
    let kustomization = |name: &str, artifact: &str, path: &str| {
        f.write(
            &format!("clusters/prod/{name}.yaml"),
            format!(
                "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: {name}\n  namespace: shop\nspec:\n  interval: 1h\n  \
                 path: {path}\n  prune: true\n  sourceRef:\n    kind: ExternalArtifact\n    name: {artifact}\n"
            ),
        );
    };
    kustomization("web", "web-prod", "./Web");
    kustomization("db", "db-prod", "./db");
    for (app, env) in [("Web", "prod"), ("Web", "dev"), ("db", "prod")] {
        let text = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}-{env}\n  namespace: shop\n",
            app.to_lowercase()
        );
        f.write(&format!("apps/{app}/{env}/cm.yaml"), text);
    }
    let (code, out, err) = build(&f);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("name: web-prod") && out.contains("name: db-prod") && !out.contains("web-dev"), "{out}");
    for (from, to, want) in [
        (
            "{app}/{env}'\n  artifacts",
            "{app}'\n  artifacts",
            "invalid template \"{app}-{env}\": capture variable \"env\" is not defined by pathPattern",
        ),
        (
            "@repo/apps/{app}/{env}'\n  a",
            "@other/{app}/{env}'\n  a",
            "pathPattern \"@other/{app}/{env}\": source alias other not found in local sources",
        ),
        (
            "name: '{app}-{env}'",
            "name: '{env}'",
            "directories \"apps/Web/prod\" and \"apps/db/prod\" both resolve to artifact name \"prod\"",
        ),
    ] {
        f.write("clusters/prod/charts.yaml", generator.replacen(from, to, 1));
        let (code, _, err) = build(&f);
        assert!(
            code == Some(1) && err.contains("clusters/prod/charts.yaml:11: ") && err.contains(want),
            "{want}\n{err}"
        );
    }
}
