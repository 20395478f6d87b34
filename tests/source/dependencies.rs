//! `dependency build` and `update` beside Helm's: the same versions, lock, digest and archives.

use std::fs;

use crate::ranges::{RANGES, VERSIONS};
use crate::servers::nginx::Site;
use crate::world::{World, fails, ok, state};

#[test]
fn sixty_ranges_are_locked_as_helm_locks_them() {
    assert!(RANGES.len() >= 60);
    let world = World::new();
    let site = Site::new(world.repository(&[("app", VERSIONS)])).start();
    let list: String = RANGES
        .iter()
        .enumerate()
        .map(|(i, r)| {
            format!("- {{name: app, version: {r:?}, repository: {:?}, alias: a{i}, tags: [t<&>]}}\n", site.url())
        })
        .collect();
    for dir in ["ours", "theirs"] {
        world.chart(dir, "parent", "1.0.0", &format!("dependencies:\n{list}"));
    }
    ok(world.helm().args(["dependency", "update", "theirs"]));
    let before = site.requests().len();
    ok(world.pintle().args(["dependency", "update", "ours"]));
    let (ours, theirs) = (state(&world.dir.join("ours")), state(&world.dir.join("theirs")));
    for (a, b) in ours.1.lines().zip(theirs.1.lines()) {
        assert_eq!(a, b);
    }
    assert_eq!(ours, theirs);
    let asked = site.requests_once(before + 2);
    assert_eq!(asked[before..].iter().filter(|r| r.uri == "/index.yaml").count(), 1, "one repository is asked once");
    // What is locked needs no new lock, and can be built again; each program builds by the other's lock.
    let lock = fs::read(world.dir.join("ours/Chart.lock")).unwrap();
    ok(world.pintle().args(["dependency", "update", "ours"]));
    assert_eq!(fs::read(world.dir.join("ours/Chart.lock")).unwrap(), lock);
    for name in ["ours", "theirs"] {
        fs::remove_dir_all(world.dir.join(name).join("charts")).unwrap();
        ok(world.pintle().args(["dependency", "build", name]));
        assert_eq!(state(&world.dir.join(name)).0, theirs.0);
    }
    ok(world.helm().args(["repo", "add", "r", &site.url()]));
    ok(world.helm().args(["dependency", "build", "ours"]));
}

#[test]
fn aliases_files_and_outdated_archives() {
    let world = World::new();
    let root = world.repository(&[("app", &["1.0.0", "1.1.0"])]);
    let site = Site::new(&root).start();
    ok(world.helm().args(["repo", "add", "mine", &site.url()]));
    // A repository that nobody asked about is down; Helm would go there.
    world.chart("beside", "beside", "0.3.0", "");
    for dir in ["ours", "theirs"] {
        let dependencies = "dependencies:\n- {name: app, version: ^1, repository: '@mine'}\n\
                            - {name: app, version: 1.0.0, repository: 'alias:mine', alias: old}\n\
                            - {name: beside, version: '>=0.2', repository: 'file://../beside'}\n\
                            - {name: inner, version: 0.x}\n";
        world.chart(dir, "parent", "1.0.0", dependencies);
        world.chart(&format!("{dir}/charts/inner"), "inner", "0.5.0", "");
        fs::copy(root.join("app-1.0.0.tgz"), world.dir.join(dir).join("charts/outdated-1.0.0.tgz")).unwrap();
    }
    let printed = |text: String| -> Vec<String> { text.lines().map(|l| l.replace("theirs", "ours")).collect() };
    let theirs = printed(ok(world.helm().args(["dependency", "update", "theirs"])));
    let ours = printed(ok(world.pintle().args(["dependency", "update", "ours"])));
    assert_eq!(ours, theirs);
    let (ours, theirs) = (state(&world.dir.join("ours")), state(&world.dir.join("theirs")));
    assert_eq!(ours, theirs);
    assert!(!ours.0.iter().any(|n| n.starts_with("outdated")), "{ours:?}");
    assert_eq!(
        ok(world.pintle().args(["dependency", "list", "ours"])),
        ok(world.helm().args(["dependency", "list", "theirs"]))
    );
    // Which of two archives of one chart is rendered is chance in Helm: only that it renders.
    assert!(ok(world.pintle().args(["template", "x", "ours"])).contains("charts/old/"));
    world.chart("ours", "parent", "1.0.0", "dependencies:\n- {name: app, version: ^1.1, repository: '@mine'}\n");
    let build = ["dependency", "build", "ours"];
    assert_eq!(fails(world.pintle().args(build)), fails(world.helm().args(build)));
}

#[test]
fn what_cannot_be_had_is_said_in_helms_words() {
    let world = World::new();
    let site = Site::new(world.repository(&[("app", &["1.0.0"])])).start();
    let url = site.url();
    for (i, dependency) in [
        format!("{{name: app, version: ^9, repository: {url:?}}}"),
        format!("{{name: nothing, version: 1.0.0, repository: {url:?}}}"),
        "{name: app, version: 1.0.0, repository: '@unknown'}".to_string(),
        "{name: app, version: 1.0.0, repository: stable}".to_string(),
        "{name: app, version: 1.0.0, repository: 'file://../nowhere'}".to_string(),
        format!("{{name: app, version: 'not one', repository: {url:?}}}"),
        "{name: gone, version: 1.0.0}".to_string(),
    ]
    .iter()
    .enumerate()
    {
        let dir = format!("p{i}");
        world.chart(&dir, "parent", "1.0.0", &format!("dependencies:\n- {dependency}\n"));
        ok(world.helm().args(["repo", "add", "r", &url, "--force-update"]));
        let update = ["dependency", "update", &dir];
        let (ours, theirs) = (fails(world.pintle().args(update)), fails(world.helm().args(update)));
        assert_eq!(ours, theirs, "{dependency}");
        assert!(!world.dir.join(&dir).join("Chart.lock").exists());
    }
}

#[test]
fn a_chart_that_needs_itself_is_told_how() {
    let world = World::new();
    for (a, b) in [("a", "b"), ("b", "c"), ("c", "a")] {
        world.chart(
            a,
            a,
            "1.0.0",
            &format!("dependencies:\n- {{name: {b}, version: 1.x, repository: 'file://../{b}'}}\n"),
        );
    }
    let said = fails(world.pintle().args(["dependency", "update", "a"]));
    assert!(said.starts_with("Error: dependency cycle: a → b → c → a"), "{said}");
}
