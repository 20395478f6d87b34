//! What is written for charts: `repo index` beside Helm's, the same files from the same directories; and new charts.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::{World, fails, ok, output};

/// Without the times at which things were written.
fn timeless(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let now = |line: &&str| {
        let line = line.trim_start().trim_start_matches("- ");
        let time = line.strip_prefix("created: ").or_else(|| line.strip_prefix("generated: "));
        let time = time.or_else(|| line.strip_prefix("\"created\": ")).or_else(|| line.strip_prefix("\"generated\": "));
        // Those of an old index are in a year of their own.
        time.is_none_or(|time| time.starts_with("\"2001-") || time.starts_with("\"0001-"))
    };
    text.lines().filter(now).map(|line| format!("{line}\n")).collect()
}

struct Site {
    world: World,
    root: PathBuf,
}

impl Site {
    /// Packaged charts of many shapes, some in a directory, and what is no chart.
    fn new() -> Self {
        let world = World::new();
        let root = world.dir.join("site");
        let plain = world.chart("sources/plain", "plain", "0.0.1", "");
        let rich = world.chart(
            "sources/rich",
            "rich",
            "0.0.1",
            "appVersion: \"1.0\"\ndescription: a <b> & \"c\"\nhome: https://example.com\nicon: https://example.com/i.svg\n\
             kubeVersion: '>=1.20.0-0'\ntype: application\nkeywords: [x, 'yes', '1']\nsources: [https://example.com/s]\n\
             maintainers:\n- {name: A, email: a@example.com}\n- {name: B, url: https://example.com/b}\n\
             annotations: {artifacthub.io/changes: \"- one\\n- two\\n\", empty: ''}\n",
        );
        let old = world.dir.join("sources/old");
        world.write("sources/old/Chart.yaml", "name: old\nversion: 0.1.0\n");
        world.write("sources/old/templates/a.yaml", "a: 1\n");
        let parent = world.chart(
            "sources/parent",
            "parent",
            "0.0.1",
            "deprecated: true\ndependencies:\n- {name: plain, version: ^1, repository: 'file://../plain', condition: plain.enabled, \
             tags: [t], alias: p, import-values: [x, {child: a, parent: b}]}\n",
        );
        std::fs::create_dir_all(parent.join("charts")).unwrap();
        ok(world.helm().arg("package").arg(&plain).args(["--version", "1.0.0", "-d"]).arg(parent.join("charts")));
        for version in ["1.0.0", "1.0.0-rc.1", "v1.1.0", "0.9", "1.0.0+build.2", "10.0.0", "2.0.0"] {
            ok(world.helm().arg("package").arg(&plain).args(["--version", version, "-d"]).arg(&root));
        }
        ok(world.helm().arg("package").arg(&rich).args(["--version", "3.2.1", "-d"]).arg(root.join("more charts")));
        ok(world.helm().arg("package").arg(&parent).args(["--version", "1.2.3", "-d"]).arg(&root));
        ok(Command::new("tar").args(["czf"]).arg(root.join("old.tgz")).arg("-C").arg(old.parent().unwrap()).arg("old"));
        world.write("site/broken.tgz", "no archive");
        world.write("site/deep/deeper/plain-9.9.9.tgz", "too deep");
        std::fs::create_dir_all(root.join("directory.tgz")).unwrap();
        Self { world, root }
    }

    /// Both write; what differs is told.
    fn same(&self, arguments: &[&str]) {
        let index = self.root.join("index.yaml");
        let run = |mut command: Command| {
            let _ = std::fs::remove_file(&index);
            let done = output(command.args(["repo", "index"]).arg(&self.root).args(arguments));
            assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
            (timeless(&index), String::from_utf8_lossy(&done.stderr).into_owned())
        };
        let (theirs, _) = run(self.world.helm());
        let (ours, said) = run(self.world.pintle());
        assert_eq!(theirs, ours, "{arguments:?}");
        assert!(said.contains("broken.tgz is left out: "), "{said}");
    }
}

#[test]
fn an_index_is_written_as_helm_writes_it() {
    let site = Site::new();
    site.same(&[]);
    for url in
        ["https://charts.example.com", "https://charts.example.com/a b/?x=1", "oci://h/charts/", "charts", "http://h:x"]
    {
        site.same(&["--url", url]);
        site.same(&["--url", url, "--json"]);
    }
}

#[test]
fn entries_that_are_there_are_kept() {
    let site = Site::new();
    let there = "apiVersion: v1\nentries:\n  plain:\n  - {apiVersion: v2, name: plain, version: 1.0.0, urls: [old.tgz], created: '2001-01-01T00:00:00Z'}\n  \
        - {apiVersion: v2, name: plain, version: 0.8.0, urls: [a.tgz, b.tgz], created: '2001-02-03T04:05:06.700+01:00', digest: abc, removed: true}\n  \
        - {name: plain, version: 0.10.0, urls: null, engine: gotpl, tillerVersion: '>=2', checksum: x, url: http://h/p}\n  \
        - {apiVersion: v2, name: plain, version: not a version}\n  -\n  \
        - {apiVersion: v2, name: plain, version: '2.0', urls: []}\n  gone:\n  - apiVersion: v2\n    name: gone\n    version: 1.0.0\n    \
        description: \"x\\n\\ny\"\n    created: 2001-01-01T00:00:00.123456789Z\n    urls:\n    - gone-1.0.0.tgz\n  empty: []\n\
        generated: '2001-01-01T00:00:00Z'\n";
    site.world.write("there.yaml", there);
    site.same(&["--merge", "there.yaml"]);
    site.same(&["--merge", "there.yaml", "--json", "--url", "https://example.com/charts"]);
    let json = r#"{"apiVersion":"v1","unknown":1,"entries":{"plain":[{"name":"plain","version":"0.7.0","more":2,"urls":["x"]}]}}"#;
    site.world.write("there.json", json);
    site.same(&["--merge", "there.json"]);
    // What is not there is made.
    site.same(&["--merge", "none.yaml"]);
    let made = std::fs::read(site.world.dir.join("none.yaml")).unwrap();
    std::fs::remove_file(site.world.dir.join("none.yaml")).unwrap();
    ok(site.world.pintle().args(["repo", "index"]).arg(&site.root).args(["--merge", "none.yaml"]));
    let made_by_us = std::fs::read(site.world.dir.join("none.yaml")).unwrap();
    assert_eq!(made.split(|b| *b == b'\n').count(), made_by_us.split(|b| *b == b'\n').count());
    for (text, want) in [
        ("", "Error: merge failed: error loading bad.yaml: empty index.yaml file"),
        ("entries: {}\n", "Error: merge failed: error loading bad.yaml: no API version specified"),
        (
            "apiVersion: v1\nmore: 1\n",
            "Error: merge failed: error loading bad.yaml: error unmarshaling JSON: while decoding JSON: json: unknown field \"more\"",
        ),
        (
            "apiVersion: v1\nentries: {a: [{name: a, version: 1.0.0, more: 1}]}\n",
            "Error: merge failed: error loading bad.yaml: error unmarshaling JSON: while decoding JSON: json: unknown field \"more\"",
        ),
    ] {
        site.world.write("bad.yaml", text);
        let run =
            |mut command: Command| fails(command.args(["repo", "index"]).arg(&site.root).args(["--merge", "bad.yaml"]));
        assert_eq!((run(site.world.helm()), run(site.world.pintle())), (want.into(), want.into()));
    }
}

#[test]
fn an_index_can_come_out_the_same_again() {
    let site = Site::new();
    let index = || {
        ok(site.world.pintle().args(["repo", "index"]).arg(&site.root).env("SOURCE_DATE_EPOCH", "981173106"));
        std::fs::read_to_string(site.root.join("index.yaml")).unwrap()
    };
    let first = index();
    assert_eq!(first, index());
    assert_eq!(first.matches("2001-02-03T04:05:06Z").count(), 11, "{first}");
    let empty = site.world.dir.join("empty");
    std::fs::create_dir_all(&empty).unwrap();
    ok(site.world.pintle().args(["repo", "index"]).arg(&empty).env("SOURCE_DATE_EPOCH", "0"));
    let text = std::fs::read_to_string(empty.join("index.yaml")).unwrap();
    assert_eq!(text, "apiVersion: v1\nentries: {}\ngenerated: \"1970-01-01T00:00:00Z\"\n");
}

#[test]
fn a_new_chart_is_a_good_one() {
    let world = World::new();
    assert_eq!(ok(world.pintle().args(["create", "my-app"])), "Creating my-app\n");
    ok(world.helm().args(["lint", "--strict", "my-app"]));
    ok(world.pintle().args(["lint", "--strict", "my-app"]));
    assert!(ok(world.pintle().args(["check", "my-app"])).contains("no findings"));
    for set in [
        "replicaCount=2",
        "ingress.enabled=true,ingress.className=x,ingress.tls[0].secretName=t,serviceAccount.create=false",
        "autoscaling.enabled=true,fullnameOverride=other,image.tag=2,env[0].name=A,env[0].value=b",
        "podAnnotations.a=b,podLabels.c=d,resources.limits.cpu=1,volumes[0].name=v,nodeSelector.n=m,podSecurityContext=null",
    ] {
        let text = |mut c: Command| ok(c.args(["template", "r", "my-app", "--set", set]));
        let (theirs, ours) = (text(world.helm()), text(world.pintle()));
        assert_eq!(theirs, ours, "{set}");
        assert!(!ours.contains("CHARTNAME") && ours.contains("kind: Deployment"), "{ours}");
    }
    ok(world.helm().args(["package", "my-app"]));
    // Nothing is written over.
    let values = world.write("my-app/values.yaml", "mine: 1\n");
    let said = fails(world.pintle().args(["create", "my-app"]));
    assert!(
        said.ends_with("has a Chart.yaml already: nothing was written; remove it, or choose another name"),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(values).unwrap(), "mine: 1\n");
    world.write("file", "");
    for name in ["my app", "a+b", "file", "none/app", "ü"] {
        let of = |mut c: Command| fails(c.args(["create", name]));
        assert_eq!(of(world.helm()), of(world.pintle()), "{name}");
    }
    for name in [".", "..", "a/.."] {
        let said = fails(world.pintle().args(["create", name]));
        assert!(said.ends_with("is not allowed"), "{said}");
    }
    let inside: Vec<_> = std::fs::read_dir(&world.dir).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!inside.iter().any(|name| name == "templates"), "{inside:?}");
    ok(world.pintle().args(["create", "my-app/charts/inner/"]));
    assert!(world.dir.join("my-app/charts/inner/templates/tests/connection.yaml").is_file());
}
