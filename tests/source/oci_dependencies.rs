//! Dependencies that lie in a registry, and signed ones of a repository, beside the real helm.

use std::fs;

use crate::servers::nginx::Site;
use crate::servers::registry::Options as Registry;
use crate::setup::keyring;
use crate::world::{World, fails, ok, state};

#[test]
fn of_a_registry() {
    let registry = Registry::default().start();
    let source = World::new();
    for name in ["one", "two"] {
        let dir = source.chart(name, name, "0.0.1", "");
        for version in ["1.0.0", "1.2.0", "1.3.0-rc.1", "2.0.0+build.1"] {
            ok(source.helm().arg("package").arg(&dir).args(["--version", version]));
            ok(source.helm().args(["push", &format!("{name}-{version}.tgz"), &registry.oci("charts"), "--plain-http"]));
        }
    }
    let charts = registry.oci("charts");
    for (one, two) in [("1.0.0", "2.0.0+build.1"), ("^1", "*"), ("~1.2", ">=1.3.0-0 <2"), ("1.x", "1.2.0")] {
        let more = format!(
            "dependencies:\n- {{name: one, version: \"{one}\", repository: \"{charts}\"}}\n- {{name: two, version: \"{two}\", repository: \"{charts}\", alias: second}}\n"
        );
        let [ours, theirs] = [true, false].map(|is_ours| {
            let world = World::new();
            let dir = world.chart("parent", "parent", "1.0.0", &more);
            let run = |command: &str| {
                let mut program = if is_ours { world.pintle() } else { world.helm() };
                program.args(["dependency", command, "parent", "--plain-http"]);
                ok(&mut program);
            };
            run("update");
            let updated = state(&dir);
            fs::remove_dir_all(dir.join("charts")).unwrap();
            run("build");
            let built = state(&dir);
            assert_eq!(updated, built);
            (built, ok(world.helm().args(["template", "x", "parent"])))
        });
        assert_eq!(ours, theirs, "{one} {two}");
    }
    // What is not there, in helm's words.
    let missing = format!("dependencies:\n- {{name: none, version: 1.0.0, repository: \"{charts}\"}}\n");
    let world = World::new();
    world.chart("parent", "parent", "1.0.0", &missing);
    let words = ["dependency", "update", "parent", "--plain-http"];
    let (ours, theirs) = (fails(world.pintle().args(words)), fails(world.helm().args(words)));
    assert!(ours.contains("none") && theirs.contains("none"), "{ours}\n{theirs}");
}

#[test]
fn signed_ones_are_verified() {
    let (alice, mallory) = (keyring("alice"), keyring("mallory"));
    let world = World::new();
    let dep = world.chart("dep", "dep", "1.0.0", "");
    let root = world.dir.join("repository");
    fs::create_dir_all(&root).unwrap();
    ok(world
        .helm()
        .arg("package")
        .arg(&dep)
        .args(["--sign", "--key", "alice", "--keyring"])
        .arg(&alice.secret)
        .arg("-d")
        .arg(&root));
    ok(world.helm().args(["repo", "index"]).arg(&root));
    let site = Site::new(&root).start();
    ok(world.helm().args(["repo", "add", "signed", &site.url()]));
    let more = format!("dependencies:\n- {{name: dep, version: 1.0.0, repository: {}}}\n", site.url());
    let dir = world.chart("parent", "parent", "1.0.0", &more);
    for command in ["update", "build"] {
        let run = |is_ours: bool, ring: &std::path::Path| {
            let _ = fs::remove_dir_all(dir.join("charts"));
            let mut program = if is_ours { world.pintle() } else { world.helm() };
            program.args(["dependency", command, "parent", "--verify", "--keyring"]).arg(ring);
            program
        };
        ok(&mut run(false, &alice.public));
        ok(&mut run(true, &alice.public));
        assert!(dir.join("charts/dep-1.0.0.tgz").exists());
        let error = fails(&mut run(true, &mallory.public));
        assert!(error.contains("openpgp: signature made by unknown entity"), "{error}");
        assert!(!dir.join("charts/dep-1.0.0.tgz").exists(), "what was not verified is there");
    }
    // Without a signature nothing is taken, also by build: helm takes it then ("if possible").
    fs::remove_file(root.join("dep-1.0.0.tgz.prov")).unwrap();
    for command in ["update", "build"] {
        let mut program = world.pintle();
        program.args(["dependency", command, "parent", "--verify", "--keyring"]).arg(&alice.public);
        let fresh = world.dir.join(format!("cache-{command}"));
        let error = fails(program.env("PINTLE_CACHE_DIR", fresh));
        assert!(error.contains("provenance") || error.contains(".prov"), "{error}");
    }
}
