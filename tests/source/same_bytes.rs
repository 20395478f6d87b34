//! One chart from everywhere renders to the same bytes, and its values come from elsewhere.

use std::fs;
use std::process::Command;

use crate::servers::git::{GitHttp, Repository};
use crate::servers::nginx::Site;
use crate::servers::sshd::Sshd;
use crate::servers::{folder, helm, registry, run, s3, tls};
use crate::setup::{helm_in, pintle_in, success, write_chart};

#[test]
fn one_chart_from_everywhere() {
    let root = folder("everywhere");
    let repository = Repository::new(root.join("git"));
    write_chart(&repository.dir.join("charts/app"), "app", "1.0.0");
    repository.write("envs/prod.yaml", "greeting: from git\n");
    repository.commit("chart");
    let home = folder("home");
    run(Command::new(helm()).current_dir(&home).arg("package").arg(repository.dir.join("charts/app")));
    let archive = home.join("app-1.0.0.tgz");
    let ca = tls::authority().ca.display().to_string();

    let registry = registry::Options::default().tls().basic("user", "canary-secret").start();
    success(&helm_in(
        &home,
        &[
            "push",
            "app-1.0.0.tgz",
            &registry.oci("charts"),
            "--ca-file",
            &ca,
            "--username",
            "user",
            "--password",
            "canary-secret",
        ],
    ));
    let site = Site::new(folder("site")).tls().basic("user", "canary-secret").start();
    fs::copy(&archive, site.root.join("app-1.0.0.tgz")).unwrap();
    run(Command::new(helm()).args(["repo", "index"]).arg(&site.root));
    let open = GitHttp::start(&root, Site::new(&root).tls());
    let closed = GitHttp::start(&root, Site::new(&root).tls().basic("user", "canary-secret"));
    let ssh = Sshd::start();
    let s3 = s3::shared();
    s3.put("everywhere", "", b"");
    s3.put("everywhere", "app.tgz", &fs::read(&archive).unwrap());

    let login = ["--username", "user", "--password", "canary-secret", "--ca-file", &ca];
    let (key, hosts) = (ssh.key.display().to_string(), ssh.known_hosts.display().to_string());
    let directory = repository.dir.join("charts/app").display().to_string();
    let values = format!("git+{}//envs/prod.yaml?branch=main", open.url("git"));
    let with = |reference: &str, more: &[&str]| {
        let mut args = vec!["template", "r", reference];
        args.extend(more);
        success(&pintle_in(&home, &args).output().unwrap())
    };
    let git_https = format!("git+{}//charts/app", closed.url("git"));
    let git_ssh = format!("git+{}//charts/app?ref=main", ssh.url(&repository.dir));
    let bucket = format!("s3://everywhere/app.tgz?endpoint={}&region=us-east-1", s3.endpoint());
    let site_url = site.url();
    let mut repo = vec!["--repo", site_url.as_str(), "--version", "^1"];
    repo.extend(login);
    for values in [None, Some(values.as_str())] {
        let more = |own: &[&str]| {
            let mut all: Vec<String> = own.iter().map(|s| s.to_string()).collect();
            if let Some(values) = values {
                all.extend(["-f".to_string(), values.to_string()]);
                if !own.contains(&"--ca-file") {
                    all.extend(["--ca-file".to_string(), ca.clone()]);
                }
            }
            all
        };
        let want = with(&directory, &more(&[]).iter().map(String::as_str).collect::<Vec<_>>());
        assert!(want.contains(if values.is_some() { "greeting: from git" } else { "greeting: hello" }), "{want}");
        assert!(want.contains("values-prod.yaml") && !want.contains("not.secret"), "{want}");
        for (reference, own) in [
            (archive.to_str().unwrap(), vec![]),
            (&registry.oci("charts/app:1.0.0"), login.to_vec()),
            (&git_https, login.to_vec()),
            (&git_ssh, vec!["--ssh-key", &key, "--known-hosts", &hosts]),
            ("app", repo.clone()),
            (&format!("{}/app-1.0.0.tgz", site.url()), login.to_vec()),
            (&bucket, vec!["--username", "test", "--password", "canary-secret"]),
        ] {
            let own = more(&own);
            let got = with(reference, &own.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(got, want, "{reference}");
        }
    }
    // No secret was left in the cache.
    let hits = Command::new("grep").args(["-rl", "canary-secret"]).arg(&home).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&hits.stdout), "");
}
