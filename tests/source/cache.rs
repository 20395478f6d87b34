//! The cache under many processes, kills and full disks; and what must never be in it.

use std::fs;
use std::process::{Command, Stdio};

use crate::faults::{Faults, Reply};
use crate::servers::nginx::Site;
use crate::world::{World, fails, ok, output};

/// Every file below a folder, with its bytes.
fn files(dir: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    for e in fs::read_dir(dir).into_iter().flatten().flatten() {
        if e.path().is_dir() {
            out.extend(files(&e.path()));
        } else {
            out.push((e.path().display().to_string(), fs::read(e.path()).unwrap_or_default()));
        }
    }
    out
}

fn assert_whole(world: &World) {
    for (path, bytes) in files(&world.dir.join("cache/v1/blobs")) {
        let name = path.rsplit('/').next().unwrap();
        assert_eq!(pintle::source::Digest::of(&bytes).hex(), name);
    }
}

#[test]
fn sixteen_processes_fetch_the_same_and_different_charts() {
    let world = World::new();
    let names: Vec<String> = (0..8).map(|n| format!("app{n}")).collect();
    let charts: Vec<(&str, &[&str])> = names.iter().map(|n| (n.as_str(), &["1.0.0"][..])).collect();
    let site = Site::new(world.repository(&charts)).start();
    let children: Vec<_> = (0..16)
        .map(|n| {
            let name = if n < 8 { "app0" } else { &names[n - 8] };
            let mut c = world.pintle();
            c.args(["template", name, "--repo", &site.url()]).stdout(Stdio::piped()).stderr(Stdio::piped());
            (name.to_string(), c.spawn().unwrap())
        })
        .collect();
    for (name, child) in children {
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        assert!(String::from_utf8_lossy(&out.stdout).contains(&format!("# Source: {name}/")));
    }
    let asked = site.requests();
    let downloads = |uri: &str| asked.iter().filter(|r| r.uri == uri && r.status == 200).count();
    assert_eq!(downloads("/app0-1.0.0.tgz"), 1, "nine processes, one download");
    assert_eq!(downloads("/index.yaml"), 1);
    assert_whole(&world);
}

#[test]
fn a_kill_in_the_middle_leaves_nothing_wrong() {
    let world = World::new();
    let root = world.repository(&[("app", &["1.0.0"])]);
    let (index, app) = (fs::read(root.join("index.yaml")).unwrap(), fs::read(root.join("app-1.0.0.tgz")).unwrap());
    let server = Faults::files(vec![("/index.yaml".into(), index), ("/app-1.0.0.tgz".into(), app)], |asked, body| {
        (asked.nth == 0).then(|| Reply::Drip(vec![], body.to_vec(), std::time::Duration::from_millis(20)))
    });
    let args = ["template", "app", "--repo", &server.url];
    for path in ["/index.yaml", "/app-1.0.0.tgz"] {
        let mut child = world.pintle().args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !server.asked().iter().any(|a| a.path == path) {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it asked for {path}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        std::thread::sleep(std::time::Duration::from_millis(60));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_whole(&world);
    }
    assert!(ok(world.pintle().args(args)).contains("v: 1.0.0"));
    assert!(ok(world.pintle().args(["template", "app", "--offline", "--repo", &server.url])).contains("v: 1.0.0"));
}

#[test]
fn a_full_disk_costs_the_cache_and_not_the_chart() {
    let world = World::new();
    let big: String = (0..40_000).map(|n| format!("k{n}: {n}\n")).collect();
    let root = world.repository(&[("app", &["1.0.0"])]);
    // The index is larger than a file may be: what can't be kept is used from memory.
    let index =
        fs::read_to_string(root.join("index.yaml")).unwrap() + "annotations:\n  x: |\n" + &big.replace("k", "    k");
    fs::write(root.join("index.yaml"), index).unwrap();
    let site = Site::new(&root).start();
    let pintle = env!("CARGO_BIN_EXE_pintle");
    let script = format!("trap '' XFSZ; ulimit -f 64; exec {pintle} template app --repo {}", site.url());
    let mut limited = world.pintle();
    let envs: Vec<_> = limited.get_envs().map(|(k, v)| (k.to_owned(), v.unwrap_or_default().to_owned())).collect();
    let out = output(Command::new("bash").args(["-c", &script]).env_clear().envs(envs).current_dir(&world.dir));
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(String::from_utf8_lossy(&out.stdout).contains("v: 1.0.0"));
    assert_whole(&world);
    assert!(ok(limited.args(["template", "app", "--repo", &site.url()])).contains("v: 1.0.0"));
}

#[test]
fn damage_is_seen_and_mended() {
    let world = World::new();
    let site = Site::new(world.repository(&[("app", &["1.0.0"])])).start();
    let args = ["template", "app", "--repo", &site.url()];
    ok(world.pintle().args(args));
    for (path, mut bytes) in files(&world.dir.join("cache/v1/blobs")) {
        bytes.truncate(bytes.len() / 2);
        fs::write(path, bytes).unwrap();
    }
    assert!(ok(world.pintle().args(args)).contains("v: 1.0.0"));
    assert_whole(&world);
    let listed = ok(world.pintle().args(["cache", "ls"]));
    assert!(listed.contains("1.0.0") && listed.contains("/app"), "{listed}");
    let pruned = ok(world.pintle().args(["cache", "prune"]));
    assert!(pruned.ends_with("; 0 bytes are kept\n"), "{pruned}");
    assert!(fails(world.pintle().args(args).arg("--offline")).contains("offline"));
}

#[test]
fn secrets_are_nowhere_to_be_found() {
    let world = World::new();
    let root = world.repository(&[("app", &["1.0.0"])]);
    let site = Site::new(&root).basic("user", "canary-password").start();
    let host = site.url().replace("http://", "");
    let commands: Vec<Vec<String>> = vec![
        vec!["template".into(), "app".into(), "--repo".into(), format!("http://user:canary-password@{host}")],
        vec!["template".into(), format!("http://user:canary-password@{host}/app-1.0.0.tgz?token=canary-token")],
        vec!["template".into(), format!("http://user:canary-password@{host}/none.tgz?token=canary-token")],
        vec!["template".into(), "none".into(), "--repo".into(), format!("http://user:canary-password@{host}")],
        vec![
            "template".into(),
            "app".into(),
            "--repo".into(),
            format!("http://user:canary-wrong@{host}/x?token=canary-token"),
        ],
        vec!["template".into(), "app".into(), "--repo".into(), "http://user:canary-password@127.0.0.1:1".into()],
        vec!["template".into(), "x".into(), "oci://user:canary-password@127.0.0.1:1/a".into()],
        vec!["pull".into(), format!("http://user:canary-password@{host}/app-1.0.0.tgz?token=canary-token")],
        vec!["pull".into(), "--prov".into(), format!("http://user:canary-password@{host}/app-1.0.0.tgz")],
        vec!["cache".into(), "ls".into()],
    ];
    let mut traced = false;
    for args in commands {
        let out = output(world.pintle().args(&args).env("PINTLE_LOG", "trace").env_remove("PINTLE_LOG_FILE"));
        traced |= String::from_utf8_lossy(&out.stderr).contains("TRACE");
        let text = [out.stdout, out.stderr].concat();
        assert!(!String::from_utf8_lossy(&text).contains("canary"), "{args:?}: {}", String::from_utf8_lossy(&text));
    }
    assert!(traced, "logs at trace level were looked at");
    assert!(site.requests_once(5).iter().any(|r| r.status == 200), "the password was of use");
    for (path, bytes) in files(&world.dir.join("cache")) {
        assert!(!String::from_utf8_lossy(&bytes).contains("canary"), "{path}");
        assert!(!path.contains("canary"));
    }
}
