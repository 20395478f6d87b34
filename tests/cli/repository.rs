//! The example repository: what is built of it, where its values come from, and what `build` and `check` say of mistakes.

use crate::support::*;

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
