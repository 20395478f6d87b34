//! Chart repositories behind nginx: what Helm indexes, pintle finds, and the other way round.

use crate::ranges::{RANGES, VERSIONS};
use crate::servers::nginx::Site;
use crate::servers::tls::{self, Authority};
use crate::world::{World, fails, fails_with, ok, output};

/// Ranges that no version is in, or that are none.
const NONE: &[&str] = &["", "1.2.9", "99", "^99", "not a version", "1.2.3.4", ">=", "^", "1..2", "1.2.3 || ", "<0.1.0"];

#[test]
fn versions_are_chosen_as_helm_chooses_them() {
    let world = World::new();
    let site = Site::new(world.repository(&[("app", VERSIONS)])).start();
    let ranges: Vec<&str> = RANGES.iter().chain(NONE).copied().collect();
    let wrong: std::sync::Mutex<Vec<String>> = std::sync::Mutex::default();
    std::thread::scope(|scope| {
        for part in ranges.chunks(ranges.len() / 4 + 1) {
            let (world, site, wrong) = (&world, &site, &wrong);
            scope.spawn(move || {
                for range in part {
                    let of = |mut c: std::process::Command| {
                        let out = output(c.args(["template", "app", "--repo", &site.url(), "--version", range]));
                        let error = String::from_utf8_lossy(&out.stderr)
                            .lines()
                            .find(|l| l.starts_with("Error: "))
                            .map(String::from);
                        (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned(), error)
                    };
                    let (theirs, ours) = (of(world.helm()), of(world.pintle()));
                    if theirs != ours {
                        wrong.lock().unwrap().push(format!("{range:?}: helm {theirs:?}\n  pintle {ours:?}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let devel = |mut c: std::process::Command| ok(c.args(["template", "app", "--repo", &site.url(), "--devel"]));
    assert_eq!(devel(world.helm()), devel(world.pintle()));
    let listed = ok(world.pintle().args(["versions", "app", "--devel", "--repo", &site.url()]));
    assert_eq!(listed.lines().count(), VERSIONS.len() + 1, "{listed}");
    assert!(listed.lines().nth(1).unwrap().starts_with("11.2.0\t"), "{listed}");
}

#[test]
fn the_index_is_fetched_once_and_then_only_asked_about() {
    let world = World::new();
    let root = world.repository(&[("app", &["1.0.0", "1.1.0"]), ("other", &["2.0.0"])]);
    let site = Site::new(&root).start();
    let template = |name: &str| ok(world.pintle().args(["template", name, "--repo", &site.url()]));
    assert!(template("app").contains("v: 1.1.0"));
    assert!(template("app").contains("v: 1.1.0"));
    assert!(template("other").contains("v: 2.0.0"));
    let seen: Vec<_> =
        site.requests_once(5).into_iter().map(|r| format!("{} {} {}", r.method, r.uri, r.status)).collect();
    let want = [
        "GET /index.yaml 200",
        "GET /app-1.1.0.tgz 200",
        "GET /index.yaml 304",
        "GET /index.yaml 304",
        "GET /other-2.0.0.tgz 200",
    ];
    assert_eq!(seen, want);
    // A new version is seen at once.
    ok(world.helm().arg("package").arg(world.dir.join("sources/app")).args(["--version", "1.2.0", "-d"]).arg(&root));
    ok(world.helm().args(["repo", "index"]).arg(&root));
    assert!(template("app").contains("v: 1.2.0"));
    let url = site.url();
    drop(site);
    assert!(ok(world.pintle().args(["template", "app", "--offline", "--repo", &url])).contains("v: 1.2.0"));
    assert!(
        fails(world.pintle().args(["template", "app", "--version", "1.0.0", "--offline", "--repo", &url]))
            .contains("offline")
    );
}

#[test]
fn one_chart_renders_the_same_from_everywhere() {
    let world = World::new();
    let root = world.repository(&[("app", &["1.0.0"])]);
    let clients = Authority::new("clients");
    let pair = clients.sign("someone");
    let site = Site::new(&root).tls().client_certificates(&clients.ca).basic("user", "canary").start();
    std::fs::copy(root.join("app-1.0.0.tgz"), world.dir.join("app.tgz")).unwrap();
    let tls = |c: &mut std::process::Command| {
        c.arg("--ca-file")
            .arg(&tls::authority().ca)
            .arg("--cert-file")
            .arg(&pair.cert)
            .arg("--key-file")
            .arg(&pair.key);
        c.args(["--username", "user", "--password", "canary"]);
    };
    let want = ok(world.helm().args(["template", "x", "app.tgz"]));
    assert_eq!(ok(world.pintle().args(["template", "x", "app.tgz"])), want);
    let url = format!("{}/app-1.0.0.tgz", site.url());
    for args in [&["template", "x", &url][..], &["template", "x", "app", "--repo", &site.url()]] {
        for mut program in [world.helm(), world.pintle()] {
            program.args(args);
            tls(&mut program);
            assert_eq!(ok(&mut program), want, "{args:?}");
        }
    }
    // Strangers get in nowhere.
    let mut stranger = world.pintle();
    stranger.args(["template", "x", &url, "--ca-file"]).arg(&tls::authority().ca);
    assert!(fails(&mut stranger).contains("400 Bad Request"));
    let mut unknown_ca = world.pintle();
    unknown_ca.args(["template", "x", &url]);
    assert!(fails_with(&mut unknown_ca).contains("hint: trust its CA with --ca-file"), "the hint says what to do");
    // A repository that Helm was told about, with its certificates and password.
    let mut add = world.helm();
    add.args(["repo", "add", "mine", &site.url()]);
    tls(&mut add);
    ok(&mut add);
    assert_eq!(ok(world.pintle().args(["template", "x", "mine/app"])), want);
    assert_eq!(fails(world.pintle().args(["template", "x", "nobody/app"])), "Error: repo nobody not found");
    assert_eq!(
        ok(world.pintle().args(["show", "chart", "mine/app"])),
        ok(world.helm().args(["show", "chart", "mine/app"]))
    );
}

#[test]
fn credentials_go_to_the_repository_and_nowhere_else() {
    let world = World::new();
    let root = world.repository(&[("app", &["1.0.0"])]);
    let elsewhere = Site::new(&root).start();
    let index = std::fs::read_to_string(root.join("index.yaml")).unwrap();
    let index = index.replace("- app-1.0.0.tgz", &format!("- {}/app-1.0.0.tgz", elsewhere.url()));
    let front = world.write("front/index.yaml", index);
    let home = Site::new(front.parent().unwrap()).basic("user", "canary").start();
    let args = ["template", "app", "--username", "user", "--password", "canary", "--repo"];
    ok(world.pintle().args(args).arg(home.url()));
    assert!(elsewhere.requests_once(1).iter().all(|r| r.authorization.is_empty()));
    ok(world
        .pintle()
        .args(args)
        .arg(home.url())
        .arg("--pass-credentials")
        .env("PINTLE_CACHE_DIR", world.dir.join("other")));
    assert!(elsewhere.requests_once(2).iter().any(|r| !r.authorization.is_empty()));
}

#[test]
fn pull_writes_what_helm_writes() {
    let world = World::new();
    let root = world.repository(&[("app", &["1.0.0", "1.1.0"])]);
    let site = Site::new(&root).start();
    std::fs::create_dir(world.dir.join("out")).unwrap();
    ok(world.pintle().args(["pull", "app", "-d", "out", "--repo", &site.url()]));
    let bytes = |p: &str| std::fs::read(world.dir.join(p)).unwrap();
    assert_eq!(bytes("out/app-1.1.0.tgz"), bytes("repository/app-1.1.0.tgz"));
    ok(world.pintle().args([
        "pull",
        "app",
        "--version",
        "1.0.0",
        "--untar",
        "--untardir",
        "open",
        "--repo",
        &site.url(),
    ]));
    assert!(String::from_utf8(bytes("open/app/Chart.yaml")).unwrap().contains("version: 1.0.0"));
    let again = ["pull", "app", "--version", "1.0.0", "--untar", "--untardir", "open", "--repo", &site.url()];
    let (theirs, ours) = (fails(world.helm().args(again)), fails(world.pintle().args(again)));
    assert_eq!(ours, theirs);
    let unproven = ["pull", "app", "-d", "out", "--prov", "--repo", &site.url()];
    let (theirs, ours) = (ok(world.helm().args(unproven)), ok(world.pintle().args(unproven)));
    assert_eq!(ours, theirs);
    assert!(ours.starts_with("WARNING: Verification not found for http"), "{ours}");
    let none = ["pull", "nothing", "--repo", &site.url()];
    assert_eq!(fails(world.pintle().args(none)), fails(world.helm().args(none)));
    let gone = ["pull", "app", "--repo", &format!("{}/nowhere", site.url())];
    assert_eq!(fails(world.pintle().args(gone)), fails(world.helm().args(gone)));
}

#[test]
fn packages_are_the_same_bytes_and_helm_reads_them() {
    let world = World::new();
    let dir = world.chart("app", "app", "1.0.0", "appVersion: \"1\"\n");
    world.write("app/.helmignore", "*.bak\n");
    world.write("app/x.bak", "x");
    world.write("app/crds/c.yaml", "kind: CustomResourceDefinition\n");
    let pack = |to: &str| {
        let said =
            ok(world.pintle().arg("package").arg(&dir).args(["--version", "2.0.0", "--app-version", "7", "-d", to]));
        assert_eq!(said, format!("Successfully packaged chart and saved it to: {to}/app-2.0.0.tgz\n"));
        std::fs::read(world.dir.join(to).join("app-2.0.0.tgz")).unwrap()
    };
    let first = pack("a");
    world.write("app/values.yaml", "a: 1\n");
    assert_eq!(pack("b"), first, "times of files make no difference");
    let shown = |tgz: &str| ok(world.helm().args(["show", "all", tgz]));
    ok(world.helm().arg("package").arg(&dir).args(["--version", "2.0.0", "--app-version", "7", "-d", "h"]));
    assert_eq!(shown("a/app-2.0.0.tgz"), shown("h/app-2.0.0.tgz"));
    let list = |tgz: &str| ok(std::process::Command::new("tar").current_dir(&world.dir).args(["tzf", tgz]));
    assert_eq!(list("a/app-2.0.0.tgz"), list("h/app-2.0.0.tgz"));
    let bad = ["package", "app", "--version", "x"];
    assert_eq!(fails(world.pintle().args(bad)), fails(world.helm().args(bad)));
}

#[test]
fn values_come_from_urls_too() {
    let world = World::new();
    world.chart("app", "app", "1.0.0", "");
    world.write("site/v.yaml", "a: from-the-network\n");
    let site = Site::new(world.dir.join("site")).start();
    let url = format!("{}/v.yaml", site.url());
    let args = ["template", "x", "app", "-f", &url];
    assert_eq!(ok(world.pintle().args(args)), ok(world.helm().args(args)));
    let missing = ["template", "x", "app", "-f", &format!("{}/w.yaml", site.url())];
    assert_eq!(fails(world.pintle().args(missing)), fails(world.helm().args(missing)));
}

#[test]
fn repositories_are_kept_in_helms_file() {
    let world = World::new();
    let site = Site::new(world.repository(&[("app", &["1.0.0"])])).basic("user", "canary").start();
    let add = ["repo", "add", "mine", &site.url(), "--username", "user", "--password", "canary"];
    let file = |name: &str| std::fs::read_to_string(world.dir.join(name)).unwrap();
    let theirs = [ok(world.helm().args(add)), ok(world.helm().args(add))];
    let ours = || {
        let mut c = world.pintle();
        c.env("HELM_CONFIG_HOME", world.dir.join("ours"));
        c
    };
    assert_eq!([ok(ours().args(add)), ok(ours().args(add))], theirs);
    assert_eq!(file("ours/repositories.yaml"), file("helm-config/repositories.yaml"));
    for args in [
        &["repo", "list"][..],
        &["repo", "list", "--no-headers"],
        &["repo", "ls", "-o", "json"],
        &["repo", "list", "--output", "yaml"],
        &["repo", "update"],
        &["repo", "update", "mine", "--timeout", "30s"],
        &["env", "HELM_PLUGINS"],
        &["env", "NOTHING"],
    ] {
        assert_eq!(ok(ours().args(args)), ok(world.helm().args(args)), "{args:?}");
    }
    assert!(ok(ours().args(["template", "mine/app"])).contains("v: 1.0.0"));
    for args in [
        &["repo", "add", "mine", "http://elsewhere"][..],
        &["repo", "add", "a/b", &site.url()],
        &["repo", "add", "old", "https://kubernetes-charts.storage.googleapis.com"],
        &["repo", "list", "-o", "xml"],
        &["repo", "remove", "nobody"],
        &["repo", "update", "nobody"],
        &["env", "A", "B"],
    ] {
        assert_eq!(fails(ours().args(args)), fails(world.helm().args(args)), "{args:?}");
    }
    let remove = ["repo", "remove", "mine"];
    assert_eq!(ok(ours().args(remove)), ok(world.helm().args(remove)));
    assert_eq!(fails(ours().args(remove)), fails(world.helm().args(remove)));
    for args in [&["repo", "list", "-o", "json"][..], &["repo", "list", "-o", "yaml"]] {
        assert_eq!(ok(ours().args(args)), ok(world.helm().args(args)), "{args:?}");
    }
    // What the environment is, but for the names of the programs.
    let env = |mut c: std::process::Command| {
        let text =
            ok(c.env("XDG_CACHE_HOME", "/x").env("HELM_QPS", "1.5").args(["env", "-n", "here", "--kube-as-user", "a"]));
        text.lines().filter(|l| !l.starts_with("HELM_BIN=")).map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(env(world.pintle()), env(world.helm()));
    // A password that comes by standard input is kept as one that is given.
    let piped = {
        use std::io::Write as _;
        let mut c = ours();
        c.args(["repo", "add", "piped", &site.url(), "--username", "user", "--password-stdin", "--timeout", "20s"]);
        let mut child = c.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"canary\n").unwrap();
        child.wait_with_output().unwrap()
    };
    assert_eq!(String::from_utf8_lossy(&piped.stdout), "\"piped\" has been added to your repositories\n");
    assert!(file("ours/repositories.yaml").contains("password: canary"));
}
