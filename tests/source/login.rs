//! `registry login`, `registry logout` and `push`, with one configuration file for helm and for us.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use crate::servers::{folder, registry, tls};
use crate::setup::{helm_in, package, pintle_in, success};

fn login(home: &std::path::Path, host: &str, password: &str) -> std::process::Output {
    let ca = tls::authority().ca.display().to_string();
    let mut command = pintle_in(home, &["registry", "login", host, "-u", "user", "--password-stdin", "--ca-file", &ca]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn who_logs_in_with_one_is_known_to_the_other() {
    for options in [
        registry::Options::default().tls().basic("user", "canary-secret"),
        registry::Options::default().tls().bearer("user", "canary-secret"),
    ] {
        let registry = options.start();
        let ca = tls::authority().ca.display().to_string();
        let (home, host) = (folder("home"), registry.host());
        let archive = package("app", "1.0.0+b");
        let push = ["push", archive.to_str().unwrap(), &registry.oci("charts"), "--ca-file", &ca];
        let refused = pintle_in(&home, &push).output().unwrap();
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && text.contains("log in: pintle registry login"), "{text}");

        let wrong = login(&home, &host, "canary-wrong");
        let text = String::from_utf8_lossy(&wrong.stderr).into_owned();
        assert!(
            !wrong.status.success() && text.starts_with(&format!("Error: https://{host}/v2/: authenticating to"))
                || text.contains("authenticating to"),
            "{text}"
        );
        assert!(!text.contains("canary") && !home.join("registry/config.json").exists());

        // We log in, and helm pulls what we push; the printed lines are helm's.
        assert_eq!(success(&login(&home, &host, "canary-secret")), "Login Succeeded\n");
        let config = home.join("registry/config.json");
        assert_eq!(fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o600);
        let ours = success(&pintle_in(&home, &push).output().unwrap());
        let theirs = success(&helm_in(&home, &push));
        assert_eq!(ours, theirs);
        success(&helm_in(&home, &["pull", &registry.oci("charts/app"), "--version", "1.0.0+b", "--ca-file", &ca]));
        assert!(fs::read(home.join("app-1.0.0+b.tgz")).unwrap() == fs::read(&archive).unwrap());

        // Helm logs out, we are strangers again; helm logs in, we are known.
        success(&helm_in(&home, &["registry", "logout", &host]));
        let pull = ["pull", &registry.oci("charts/app"), "--version", "1.0.0+b", "--ca-file", &ca];
        assert!(!pintle_in(&home, &pull).output().unwrap().status.success());
        success(&helm_in(&home, &["registry", "login", &host, "-u", "user", "-p", "canary-secret", "--ca-file", &ca]));
        success(&pintle_in(&home, &pull).output().unwrap());
        let out = success(&pintle_in(&home, &["registry", "logout", &host]).output().unwrap());
        assert_eq!(out, format!("Removing login credentials for {host}\n"));
        assert!(!fs::read_to_string(&config).unwrap().contains(&host));
        assert!(!helm_in(&home, &pull).status.success());
    }
}

#[test]
fn credential_helpers_are_asked() {
    let registry = registry::Options::default().tls().basic("user", "canary-secret").start();
    let (home, host) = (folder("home"), registry.host());
    let bin = home.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let helper = bin.join("docker-credential-test");
    let script = format!(
        "#!/bin/sh\nread -r input\necho \"$1 $input\" | sed s/canary-secret/SECRET/ >> {0}/asked\n\
         case $1 in get) echo '{{\"ServerURL\":\"{host}\",\"Username\":\"user\",\"Secret\":\"canary-secret\"}}' ;; esac\n",
        home.display()
    );
    fs::write(&helper, script).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    // Docker's own file, with nothing in Helm's.
    fs::write(home.join("config.json"), format!("{{\"credHelpers\":{{\"{host}\":\"test\"}}}}")).unwrap();
    let ca = tls::authority().ca.display().to_string();
    let archive = package("app", "1.0.0");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let push = ["push", archive.to_str().unwrap(), &registry.oci("charts"), "--ca-file", &ca];
    success(&pintle_in(&home, &push).env("PATH", &path).output().unwrap());
    assert!(fs::read_to_string(home.join("asked")).unwrap().starts_with(&format!("get {host}")));
    // A login goes to the store that Helm's file names, not into the file.
    fs::create_dir_all(home.join("registry")).unwrap();
    fs::write(home.join("registry/config.json"), "{\"credsStore\":\"test\",\"other\":\"a  b\"}").unwrap();
    let mut command =
        pintle_in(&home, &["registry", "login", &host, "-u", "user", "-p", "canary-secret", "--ca-file", &ca]);
    success(&command.env("PATH", &path).output().unwrap());
    let asked = fs::read_to_string(home.join("asked")).unwrap();
    assert!(asked.contains("store {") && asked.contains("SECRET"), "{asked}");
    assert!(!fs::read_to_string(home.join("registry/config.json")).unwrap().contains("canary"));
    success(&pintle_in(&home, &["registry", "logout", &host]).env("PATH", &path).output().unwrap());
    assert!(fs::read_to_string(home.join("asked")).unwrap().contains(&format!("erase {host}")));
}
