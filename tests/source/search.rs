//! `search repo` over repositories that Helm added: what Helm prints, pintle prints.

use std::process::Command;

use crate::servers::nginx::Site;
use crate::world::{World, ok, output};

const YAML: &str = r#"apiVersion: v1
entries:
  nginx:
  - {apiVersion: v2, name: nginx, version: 1.2.3, appVersion: "1.25", description: "NGINX <web> server & proxy", urls: [x], keywords: [web, http]}
  - {apiVersion: v2, name: nginx, version: 1.3.0-rc.1, appVersion: "1.26", description: NGINX candidate, urls: [x]}
  - {apiVersion: v2, name: nginx, version: 0.9.0, appVersion: "1.20", description: an old web server, urls: [x], keywords: [ancient]}
  - {apiVersion: v2, name: nginx, version: not-semver, urls: [x]}
  nginx-ingress:
  - apiVersion: v2
    name: nginx-ingress
    version: 4.0.0
    appVersion: v4
    description: Ingress controller that uses NGINX as a reverse proxy and load balancer, a long description that is cut
    urls: [x]
    keywords: [ingress, nginx]
  - apiVersion: v2
    name: nginx-ingress
    version: 3.5.1
    description: "several\nlines and\ta tab"
    urls: [x]
  empty: []
  other-key:
  - {apiVersion: v2, name: real-name, version: 2.0.0, description: "ÄÖÜ 日本語のチャートの説明はここにあります、とても長いので切られるはずです", urls: [x]}
  dev-only:
  - {apiVersion: v2, name: dev-only, version: 0.0.1-alpha, description: only for developers, urls: [x]}
  dup:
  - {apiVersion: v2, name: dup, version: 1.0.0, description: first, urls: [x]}
  - {apiVersion: v2, name: dup, version: 1.0.0, description: second, urls: [x]}
  zero:
  - {apiVersion: v2, name: zero, version: 0.0.0, urls: [x]}
"#;

const JSON: &str = r#"{"apiVersion":"v1","entries":{"redis":[{"apiVersion":"v2","name":"redis","version":"17.0.0",
"appVersion":"7","description":"Redis database; nginx is not in it","keywords":["redis","cache"],"urls":["x"]},
{"apiVersion":"v2","name":"redis","version":"18.0.1","description":"Redis database","urls":["x"]}]}}"#;

#[test]
fn words_are_found_where_helm_finds_them() {
    let world = World::new();
    let sites: Vec<_> = [("one", YAML), ("two", JSON)]
        .map(|(name, text)| {
            let index = world.write(&format!("{name}/index.yaml"), text);
            let site = Site::new(index.parent().unwrap()).start();
            ok(world.helm().args(["repo", "add", name, &site.url()]));
            site
        })
        .into();
    let answer = |mut command: Command, args: &[&str]| {
        let out = output(command.args(["search", "repo"]).args(args));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let error = text(&out.stderr).lines().find(|l| l.starts_with("Error: ")).map(String::from);
        (out.status.code(), text(&out.stdout), error)
    };
    let same = |args: &[&str]| assert_eq!(answer(world.pintle(), args), answer(world.helm(), args), "{args:?}");
    for word in ["nginx", "web", "ancient", "CACHE", "two/", "äöü", "real", "second", "", "no such thing"] {
        for flags in [&[][..], &["-l"], &["--devel", "-o", "json"], &["--version", "^1", "-l"], &["-o", "yaml"]] {
            same(&[&[word], flags].concat());
        }
    }
    for args in [
        &[][..],
        &["web", "server"],
        &["-r", "^redis|n.*x-"],
        &["-r", "("],
        &["--version", "bogus"],
        &["--fail-on-no-result", "no-such-thing"],
        &["--fail-on-no-result", "no-such-thing", "-o", "json"],
        &["no-such-thing", "-o", "json"],
        &["--max-col-width", "0"],
        &["--max-col-width", "0x2", "--versions"],
        &["--max-col-width", "-1"],
        &["-o", "xml"],
        &["--versions=maybe"],
    ] {
        same(args);
    }
    // Without the servers the cache answers, if it is asked to.
    let here = answer(world.pintle(), &["nginx"]);
    drop(sites);
    assert_eq!(answer(world.pintle(), &["nginx", "--offline"]), here);
    let gone = output(world.pintle().args(["search", "repo", "nginx"]));
    let said = String::from_utf8_lossy(&gone.stderr);
    assert!(said.contains("level=WARN msg=\"repo is corrupt or missing\" repo=one"), "{said}");
    assert_eq!(String::from_utf8_lossy(&gone.stdout), "No results found\n");
}
