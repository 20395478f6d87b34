//! The servers themselves: each starts, answers the real clients, refuses strangers, and survives a restart on its port.

use std::fs;
use std::process::Command;

use crate::servers::git::{GitHttp, Repository};
use crate::servers::nginx::Site;
use crate::servers::sshd::Sshd;
use crate::servers::tls::{self, Authority};
use crate::servers::{folder, helm, registry, run, s3};

fn curl(pair: Option<&tls::Pair>) -> reqwest::Client {
    let ca = reqwest::Certificate::from_pem(&fs::read(&tls::authority().ca).unwrap()).unwrap();
    let mut builder = reqwest::Client::builder().tls_certs_only([ca]);
    if let Some(pair) = pair {
        let pem = [fs::read(&pair.cert).unwrap(), fs::read(&pair.key).unwrap()].concat();
        builder = builder.identity(reqwest::Identity::from_pem(&pem).unwrap());
    }
    builder.build().unwrap()
}

#[tokio::test]
async fn nginx_serves_with_etags_and_asks_for_certificates() {
    let root = folder("site");
    fs::write(root.join("index.yaml"), "apiVersion: v1\n").unwrap();
    let clients = Authority::new("clients");
    let mut site = Site::new(&root).tls().client_certificates(&clients.ca).start();
    let url = format!("{}/index.yaml", site.url());
    let stranger = curl(None).get(&url).send().await.unwrap();
    assert_eq!(stranger.status(), 400);
    let known = curl(Some(&clients.sign("someone")));
    let answer = known.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let etag = answer.headers()["etag"].clone();
    assert_eq!(known.get(&url).header("if-none-match", etag).send().await.unwrap().status(), 304);
    assert_eq!(site.requests_once(3).iter().map(|r| r.status).collect::<Vec<_>>(), [400, 200, 304]);
    site.server.kill();
    assert!(known.get(&url).send().await.is_err());
    site.server.start_again();
    assert_eq!(known.get(&url).send().await.unwrap().status(), 200);
}

#[test]
fn helm_logs_in_to_the_registry_and_pushes() {
    for options in [
        registry::Options::default().tls().basic("user", "secret"),
        registry::Options::default().tls().bearer("user", "secret"),
    ] {
        let registry = options.start();
        let dir = folder("helm");
        run(Command::new(helm()).current_dir(&dir).args(["create", "app"]));
        run(Command::new(helm()).current_dir(&dir).args(["package", "app"]));
        let mut push = Command::new(helm());
        push.current_dir(&dir)
            .args(["push", "app-0.1.0.tgz", &registry.oci("charts"), "--ca-file"])
            .arg(&tls::authority().ca);
        assert!(!push.output().unwrap().status.success(), "strangers may push");
        push.args(["--username", "user", "--password", "secret"]);
        run(&mut push);
    }
}

#[test]
fn git_clones_by_https_and_ssh() {
    let root = folder("repositories");
    let repository = Repository::new(root.join("app"));
    repository.write("file", "text");
    let commit = repository.commit("first");
    let http = GitHttp::start(&root, Site::new(&root).tls().basic("user", "secret"));
    let list = |url: &str, env: &[(&str, &str)]| {
        let mut git = repository.command();
        git.args(["ls-remote", url, "HEAD"])
            .env("GIT_SSL_CAINFO", &tls::authority().ca)
            .env("GIT_TERMINAL_PROMPT", "0");
        git.envs(env.iter().copied()).output().unwrap()
    };
    let url = http.url("app/.git");
    assert!(!list(&url, &[]).status.success());
    let known = list(&url.replace("https://", "https://user:secret@"), &[]);
    assert!(String::from_utf8_lossy(&known.stdout).starts_with(&commit), "{known:?}");

    let ssh = Sshd::start();
    let ssh_command = |key: &std::path::Path, hosts: &std::path::Path| {
        format!(
            "ssh -F none -i {} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile={}",
            key.display(),
            hosts.display()
        )
    };
    let url = ssh.url(&repository.dir);
    for (key, hosts, good) in [
        (&ssh.key, &ssh.known_hosts, true),
        (&ssh.stranger, &ssh.known_hosts, false),
        (&ssh.key, &ssh.wrong_hosts, false),
    ] {
        let out = list(&url, &[("GIT_SSH_COMMAND", &ssh_command(key, hosts))]);
        assert_eq!(out.status.success(), good, "{out:?}\n{}", ssh.server.log());
    }
}

#[tokio::test]
async fn s3_keeps_objects() {
    let s3 = s3::shared();
    s3.put("servers", "", b"");
    s3.put("servers", "dir/key", b"data");
    let url = format!("{}/servers/dir/key", s3.endpoint());
    let request = reqwest::Client::new().get(url).header("authorization", s3::SIGNED);
    assert_eq!(request.send().await.unwrap().text().await.unwrap(), "data");
}
