//! Charts in Git repositories, over real servers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use pintle::source::{Context, Kind, Options, Reason, Secret};

use crate::servers::git::{GitHttp, Repository};
use crate::servers::nginx::Site;
use crate::servers::sshd::Sshd;
use crate::servers::{folder, run};
use crate::setup::{basic, context, fetch, keyring, unpack, write_chart};

struct Fixture {
    root: PathBuf,
    repository: Repository,
    commits: Vec<String>,
}

fn fixture() -> Fixture {
    let root = folder("repositories");
    let repository = Repository::new(root.join("app"));
    write_chart(&repository.dir.join("charts/app"), "app", "1.0.0");
    repository.write("other/large", "x".repeat(100_000));
    repository.write("envs/prod.yaml", "greeting: from git\n");
    let first = repository.commit("first");
    repository.git(&["tag", "v1.0.0"]);
    repository.write("charts/app/values.yaml", "greeting: second\n");
    let second = repository.commit("second");
    repository.git(&["tag", "-a", "-m", "annotated", "v1.1.0"]);
    repository.git(&["branch", "release"]);
    repository.write("charts/app/values.yaml", "greeting: third\n");
    let third = repository.commit("third");
    repository.git(&["tag", "v2.0.0-rc.1"]);
    Fixture { root, repository, commits: vec![first, second, third] }
}

fn greeting(bytes: &[u8]) -> String {
    let files = unpack(bytes);
    let text = &files.iter().find(|(n, _)| n == "values.yaml").unwrap().1;
    String::from_utf8_lossy(text).trim().trim_start_matches("greeting: ").to_string()
}

fn user(change: impl FnOnce(&mut Options)) -> Context {
    context(|o| {
        o.credentials = basic("user", "canary-secret");
        change(o);
    })
}

async fn every_revision(base: &str, query: &str, f: &Fixture, context: &Context) {
    let [first, second, third] = [&f.commits[0], &f.commits[1], &f.commits[2]];
    for (revision, want, said) in [
        (String::new(), "third", format!("main@sha1:{third}")),
        ("branch=release".into(), "second", format!("release@sha1:{second}")),
        ("tag=v1.0.0".into(), "hello", format!("v1.0.0@sha1:{first}")),
        ("ref=v1.1.0".into(), "second", format!("v1.1.0@sha1:{second}")),
        ("ref=main".into(), "third", format!("main@sha1:{third}")),
        ("name=refs/heads/release".into(), "second", format!("refs/heads/release@sha1:{second}")),
        (format!("commit={first}"), "hello", format!("sha1:{first}")),
        ("semver=^1".into(), "second", format!("v1.1.0@sha1:{second}")),
        ("semver=%3E%3D1.0.0-0".into(), "third", format!("v2.0.0-rc.1@sha1:{third}")),
    ] {
        let mark = if revision.is_empty() && query.is_empty() { "" } else { "?" };
        let reference = format!("{base}//charts/app{mark}{revision}{query}");
        let fetched = fetch(&reference, context).await.unwrap_or_else(|e| panic!("{reference}: {e}"));
        assert_eq!(fetched.kind, Kind::Tree);
        assert_eq!(greeting(&fetched.bytes), want, "{reference}");
        assert_eq!(fetched.provenance.revision, said, "{reference}");
        assert!(!fetched.bytes.windows(100).any(|w| w == [b'x'; 100]), "only the named folder is kept");
    }
    let file = fetch(&format!("{base}//envs/prod.yaml"), context).await.unwrap();
    assert_eq!((file.kind, &*file.bytes), (Kind::File, b"greeting: from git\n".as_slice()));
    for (reference, reason) in [
        (format!("{base}//charts/none"), Reason::NotFound),
        (format!("{base}//charts/app?branch=none"), Reason::NotFound),
        (format!("{base}//charts/app?semver=^9"), Reason::NotFound),
        (format!("{base}//charts/app?commit={}", "0".repeat(40)), Reason::NotFound),
        (format!("{base}none//charts/app"), Reason::NotFound),
    ] {
        let error = fetch(&reference, context).await.unwrap_err();
        assert_eq!(error.reason, reason, "{reference}: {error}");
    }
}

#[tokio::test]
async fn by_https_with_passwords() {
    let f = fixture();
    let http = GitHttp::start(&f.root, Site::new(&f.root).tls().basic("user", "canary-secret"));
    let base = format!("git+{}", http.url("app"));
    every_revision(&base, "", &f, &user(|_| {})).await;
    // Nothing moved: the references are listed, and no pack is asked for.
    let known = user(|_| {});
    assert!(!fetch(&format!("{base}//charts/app"), &known).await.unwrap().cached);
    let before = http.nginx.requests().iter().filter(|r| r.method == "POST").count();
    assert!(fetch(&format!("{base}//charts/app"), &known).await.unwrap().cached);
    let after = http.nginx.requests().iter().filter(|r| r.method == "POST").count();
    assert!(after - before <= 1, "{:?}", http.nginx.requests());
    for credentials in [None, basic("user", "canary-wrong")] {
        let error = fetch(&base, &context(|o| o.credentials = credentials)).await.unwrap_err();
        assert_eq!(error.reason, Reason::Unauthorized, "{error}");
        assert!(!error.to_string().contains("canary"));
    }
    let error = fetch(&base, &user(|o| o.tls.ca = None)).await.unwrap_err();
    assert_eq!(error.reason, Reason::Tls, "{error}");
}

#[tokio::test]
async fn by_https_with_tokens_and_client_certificates() {
    let f = fixture();
    let clients = crate::servers::tls::Authority::new("clients");
    let site = Site::new(&f.root)
        .tls()
        .client_certificates(&clients.ca)
        .extra("if ($http_authorization != \"Bearer canary-token\") { return 401; }");
    let http = GitHttp::start(&f.root, site);
    let pair = clients.sign("pintle");
    let known = |o: &mut Options| {
        let key = Secret::new(fs::read_to_string(&pair.key).unwrap());
        o.tls.identity = Some((fs::read(&pair.cert).unwrap(), key));
        o.credentials = Some(pintle::source::Credentials::Bearer(Secret::new("canary-token")));
    };
    let base = format!("git+{}//charts/app", http.url("app"));
    assert_eq!(greeting(&fetch(&base, &context(known)).await.unwrap().bytes), "third");
    let error = fetch(
        &base,
        &context(|o| {
            known(o);
            o.credentials = None;
        }),
    )
    .await
    .unwrap_err();
    assert_eq!(error.reason, Reason::Unauthorized, "{error}");
    assert!(
        fetch(
            &base,
            &context(|o| {
                known(o);
                o.tls.identity = None;
            })
        )
        .await
        .is_err()
    );
    // Without TLS no secret is sent.
    let plain = GitHttp::start(&f.root, Site::new(&f.root).basic("user", "canary-secret"));
    let error = fetch(&format!("git+{}", plain.url("app")), &user(|_| {})).await.unwrap_err();
    assert_eq!(error.reason, Reason::Unauthorized, "{error}");
    assert!(plain.nginx.requests().iter().all(|r| r.authorization.is_empty()));
}

#[tokio::test]
async fn by_ssh_and_from_the_disk() {
    let f = fixture();
    let ssh = Sshd::start();
    let known = |o: &mut Options| {
        o.ssh_key = Some(ssh.key.clone());
        o.known_hosts = Some(ssh.known_hosts.clone());
    };
    let base = format!("git+{}", ssh.url(&f.repository.dir));
    every_revision(&base, "", &f, &context(known)).await;
    for (change, reason, want) in [
        (
            Box::new(|o: &mut Options| o.ssh_key = Some(ssh.stranger.clone())) as Box<dyn Fn(&mut Options)>,
            Reason::Unauthorized,
            "does not take our key",
        ),
        (
            Box::new(|o: &mut Options| o.known_hosts = Some(ssh.wrong_hosts.clone())),
            Reason::Tls,
            "host key is not known",
        ),
        (Box::new(|o: &mut Options| o.known_hosts = Some("/dev/null".into())), Reason::Tls, "host key is not known"),
    ] {
        let error = fetch(
            &base,
            &context(|o| {
                known(o);
                change(o);
            }),
        )
        .await
        .unwrap_err();
        assert_eq!(error.reason, reason, "{error}");
        assert!(error.to_string().contains(want), "{error}");
    }
    every_revision(&format!("git+file://{}", f.repository.dir.display()), "", &f, &context(|_| {})).await;
}

#[tokio::test]
async fn links_are_followed_inside_and_nowhere_else() {
    let repository = Repository::new(folder("links"));
    write_chart(&repository.dir.join("app"), "app", "1.0.0");
    repository.write("shared/_helpers.tpl", "{{/* shared */}}");
    let link = |target: &str, name: &str| {
        let path = repository.dir.join(name);
        let _ = fs::remove_file(&path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    };
    link("../../shared/_helpers.tpl", "app/templates/_helpers.tpl");
    link("../shared", "app/common");
    link("app", "alias");
    repository.commit("links");
    let base = format!("git+file://{}", repository.dir.display());
    for path in ["app", "alias"] {
        let fetched = fetch(&format!("{base}//{path}"), &context(|_| {})).await.unwrap();
        let files = unpack(&fetched.bytes);
        for name in ["templates/_helpers.tpl", "common/_helpers.tpl"] {
            assert_eq!(files.iter().find(|(n, _)| n == name).unwrap().1, b"{{/* shared */}}", "{name}");
        }
    }
    for (target, want) in [
        ("../../../etc/passwd", "leads out of the repository"),
        ("/etc/passwd", "leads out of the repository"),
        ("loop", "leads in a circle"),
        ("none", "leads to nothing"),
        (".", "more than"),
    ] {
        link(target, "app/loop");
        repository.commit("bad link");
        let error = fetch(&format!("{base}//app"), &context(|_| {})).await.unwrap_err();
        assert!(error.to_string().contains(want), "{target}: {error}");
        fs::remove_file(repository.dir.join("app/loop")).unwrap();
    }
}

#[tokio::test]
async fn odd_names_and_large_files_are_refused() {
    let repository = Repository::new(folder("odd"));
    repository.write("file", "x");
    repository.commit("first");
    let blob = repository.git(&["rev-parse", "HEAD:file"]);
    for name in ["..", ".git", ".GIT", ".", "a\\b", "a\tb"] {
        // git itself makes no such trees: the object is written by hand.
        let mut raw = format!("100644 {name}\0").into_bytes();
        raw.extend((0..20).map(|i| u8::from_str_radix(&blob[2 * i..2 * i + 2], 16).unwrap()));
        repository.write("../tree", raw);
        let tree = repository.git(&["hash-object", "--literally", "-w", "-t", "tree", "../tree"]);
        let commit = repository.git(&["commit-tree", "-m", "odd", &tree]);
        let reference = format!("git+file://{}?commit={commit}", repository.dir.display());
        let error = fetch(&reference, &context(|_| {})).await.unwrap_err();
        assert!(error.to_string().contains("which no checkout may have"), "{name}: {error}");
    }
    repository.write("large", vec![0; 3 << 20]);
    let commit = repository.commit("large");
    let reference = format!("git+file://{}?commit={commit}", repository.dir.display());
    let error = fetch(&reference, &context(|o| o.max_artifact = 1 << 20)).await.unwrap_err();
    assert_eq!(error.reason, Reason::TooLarge, "{error}");
}

#[tokio::test]
async fn submodules_are_refused_unless_asked_for() {
    let root = folder("modules");
    let library = Repository::new(root.join("library"));
    library.write("templates/_lib.tpl", "lib");
    library.commit("library");
    let repository = Repository::new(root.join("app"));
    write_chart(&repository.dir.join("chart"), "app", "1.0.0");
    run(repository.command().args([
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        "../library",
        "chart/charts/library",
    ]));
    repository.commit("module");
    let http = GitHttp::start(&root, Site::new(&root).tls());
    for base in [format!("git+file://{}", repository.dir.display()), format!("git+{}", http.url("app"))] {
        let error = fetch(&format!("{base}//chart"), &context(|_| {})).await.unwrap_err();
        assert_eq!(error.reason, Reason::Unsupported);
        assert!(error.to_string().contains("\"chart/charts/library\" is a submodule"), "{error}");
        let fetched = fetch(&format!("{base}//chart?submodules=true"), &context(|_| {})).await.unwrap();
        let files = unpack(&fetched.bytes);
        assert_eq!(files.iter().find(|(n, _)| n == "charts/library/templates/_lib.tpl").unwrap().1, b"lib");
    }
}

#[tokio::test]
async fn signed_commits_and_tags() {
    let repository = Repository::new(folder("signed"));
    write_chart(&repository.dir.join("app"), "app", "1.0.0");
    let base = format!("git+file://{}//app", repository.dir.display());
    let unsigned = repository.commit("unsigned");

    let dir = folder("keys");
    let key = |name: &str, kind: &[&str]| {
        run(Command::new("ssh-keygen")
            .args(["-q", "-N", "", "-C", &format!("{name}@example.com"), "-f"])
            .arg(dir.join(name))
            .args(kind));
        (dir.join(name), fs::read(dir.join(format!("{name}.pub"))).unwrap())
    };
    let commit = |settings: &[&str]| {
        let mut git = repository.command();
        for s in settings {
            git.args(["-c", s]);
        }
        run(git.args(["commit", "--quiet", "--allow-empty", "-S", "-m", "signed"]));
        repository.git(&["rev-parse", "HEAD"])
    };
    let (_, stranger) = key("stranger", &["-t", "ed25519"]);
    let mut at = Vec::new();
    for (name, kind) in [
        ("ed", vec!["-t", "ed25519"]),
        ("ec", vec!["-t", "ecdsa", "-b", "256"]),
        ("ec384", vec!["-t", "ecdsa", "-b", "384"]),
        ("ec521", vec!["-t", "ecdsa", "-b", "521"]),
        ("rsa", vec!["-t", "rsa", "-b", "2048"]),
    ] {
        let (private, public) = key(name, &kind);
        let signing = format!("user.signingKey={}", private.display());
        at.push((commit(&["gpg.format=ssh", &signing]), public, "git-ssh", format!("{name}@example.com")));
    }
    let gpg = keyring("alice");
    let program = dir.join("gpg");
    fs::write(
        &program,
        format!(
            "#!/bin/sh\nexec gpg --homedir {} --batch --pinentry-mode loopback --passphrase '' \"$@\"\n",
            gpg.home.display()
        ),
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let pgp = format!("gpg.program={}", program.display());
    at.push((
        commit(&[&pgp, "user.signingKey=alice"]),
        fs::read(&gpg.public).unwrap(),
        "git-pgp",
        "alice <alice@example.com>".into(),
    ));

    for (commit, public, method, by) in &at {
        let reference = format!("{base}?commit={commit}");
        let context = context(|o| o.verify.git_keys = vec![stranger.clone(), public.clone()]);
        for _ in 0..2 {
            // The second time the content comes from the cache, and is checked all the same.
            let fetched = fetch(&reference, &context).await.unwrap_or_else(|e| panic!("{by}: {e}"));
            assert_eq!(fetched.provenance.verifications[0].method, *method);
            assert_eq!(fetched.provenance.verifications[0].by, *by);
        }
        let other = crate::setup::context(|o| o.verify.git_keys = vec![stranger.clone()]);
        assert_eq!(fetch(&reference, &other).await.unwrap_err().reason, Reason::Unverified);
    }
    let asked = |key: &[u8]| context(|o| o.verify.git_keys = vec![key.to_vec()]);
    let error = fetch(&format!("{base}?commit={unsigned}"), &asked(&stranger)).await.unwrap_err();
    assert!(error.to_string().contains("not signed"), "{error}");
    // A signed tag on a commit that nobody signed.
    repository.git(&["checkout", "--quiet", &unsigned]);
    let signing = format!("user.signingKey={}", dir.join("ed").display());
    run(repository.command().args(["-c", "gpg.format=ssh", "-c", &signing, "tag", "-s", "-m", "v1", "v1.0.0"]));
    let public = fs::read(dir.join("ed.pub")).unwrap();
    let fetched = fetch(&format!("{base}?tag=v1.0.0"), &asked(&public)).await.unwrap();
    assert_eq!(fetched.provenance.verifications[0].method, "git-ssh");
    // A commit whose content was changed under its signature.
    let raw = run(repository.command().args(["cat-file", "commit", &at[0].0])).replace("signed\n", "forged\n");
    repository.write("../forged", raw);
    let forged = repository.git(&["hash-object", "-w", "-t", "commit", "../forged"]);
    let error = fetch(&format!("{base}?commit={forged}"), &asked(&public)).await.unwrap_err();
    assert!(error.to_string().contains("does not fit"), "{error}");
}
