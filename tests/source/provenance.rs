//! Helm's provenance: what helm signs, we verify, and the reverse.

use std::fs;
use std::path::Path;
use std::process::Command;

use pintle::source::verify::{helm_provenance, pgp, sign};

use crate::servers::{folder, helm, run};
use crate::setup::{Keyring, keyring, write_chart};

/// A chart that helm packed and signed.
fn signed(ring: &Keyring, key: &str) -> std::path::PathBuf {
    let dir = folder("signed");
    write_chart(&dir.join("app"), "app", "1.0.0");
    run(Command::new(helm())
        .current_dir(&dir)
        .args(["package", "app", "--sign", "--key", key, "--keyring"])
        .arg(&ring.secret));
    dir.join("app-1.0.0.tgz")
}

#[test]
fn helm_signs_and_we_verify() {
    let (alice, mallory) = (keyring("alice"), keyring("mallory"));
    let archive = signed(&alice, "alice");
    let prov = archive.with_file_name("app-1.0.0.tgz.prov");
    let (bytes, text) = (fs::read(&archive).unwrap(), fs::read(&prov).unwrap());
    // Every form of a keyring.
    let armored = alice.home.join("alice.asc");
    let both = alice.home.join("both.asc");
    run(Command::new("gpg")
        .env("GNUPGHOME", &alice.home)
        .args(["--batch", "--armor", "--export", "--output"])
        .arg(&armored));
    run(Command::new("gpg")
        .env("GNUPGHOME", &mallory.home)
        .args(["--batch", "--armor", "--export", "--output"])
        .arg(&both));
    fs::write(&both, [fs::read(&both).unwrap(), fs::read(&armored).unwrap()].concat()).unwrap();
    for ring in [&alice.public, &alice.secret, &armored, &both, &alice.home.join("pubring.kbx")] {
        let found =
            helm_provenance(&bytes, &text, "app-1.0.0.tgz", ring).unwrap_or_else(|e| panic!("{}: {e}", ring.display()));
        assert_eq!(found.by, "alice <alice@example.com>");
        let fingerprints =
            run(Command::new("gpg").env("GNUPGHOME", &alice.home).args(["--batch", "--with-colons", "--list-keys"]));
        assert!(fingerprints.contains(&found.key), "{}", found.key);
    }
    let mut changed = bytes.clone();
    changed.push(0);
    let tampered = String::from_utf8(text.clone()).unwrap().replace("version: 1.0.0", "version: 9.9.9").into_bytes();
    for (archive, prov, name, ring, want) in [
        (&bytes, &text, "app-1.0.0.tgz", &mallory.public, "openpgp: signature made by unknown entity"),
        (&changed, &text, "app-1.0.0.tgz", &alice.public, "sha256 sum does not match for app-1.0.0.tgz"),
        (&bytes, &text, "other.tgz", &alice.public, "provenance does not contain a SHA for a file named \"other.tgz\""),
        (&bytes, &tampered, "app-1.0.0.tgz", &alice.public, "openpgp: invalid signature"),
        (&bytes, &b"nothing".to_vec(), "app-1.0.0.tgz", &alice.public, "signature block not found"),
    ] {
        let error = helm_provenance(archive, prov, name, ring).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn verify_says_what_helm_says() {
    let (alice, mallory) = (keyring("alice"), keyring("mallory"));
    let archive = signed(&alice, "alice");
    let text = archive.to_str().unwrap();
    let folder = archive.parent().unwrap().to_str().unwrap();
    let alone = archive.with_file_name("alone-1.0.0.tgz");
    fs::copy(&archive, &alone).unwrap();
    for (path, ring, good) in [
        (text, &alice.public, true),
        (text, &mallory.public, false),
        (text, &alice.home.join("nothing"), false),
        (alone.to_str().unwrap(), &alice.public, false),
        (folder, &alice.public, false),
        ("nothing.tgz", &alice.public, false),
        ("Cargo.toml", &alice.public, false),
    ] {
        let said = |program: &Path| {
            let out = Command::new(program).args(["verify", path, "--keyring"]).arg(ring).output().unwrap();
            (
                out.status.success(),
                String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr),
            )
        };
        let ours = said(Path::new(env!("CARGO_BIN_EXE_pintle")));
        assert_eq!(ours, said(helm()), "{path}");
        assert_eq!(ours.0, good, "{path}: {}", ours.1);
    }
}

#[test]
fn we_sign_and_helm_verifies() {
    let alice = keyring("alice");
    let archive = signed(&alice, "alice");
    let theirs = fs::read_to_string(archive.with_file_name("app-1.0.0.tgz.prov")).unwrap();
    let metadata = theirs.split("\n\n").nth(1).unwrap().split("\n...\n").next().unwrap();
    // The clear text has lines with a dash escaped.
    let metadata: String = metadata.lines().map(|l| format!("{}\n", l.strip_prefix("- ").unwrap_or(l))).collect();
    let bytes = fs::read(&archive).unwrap();
    let ring = fs::read(&alice.secret).unwrap();
    let ours = sign(&bytes, "app-1.0.0.tgz", metadata.as_bytes(), &ring, "alice", "").unwrap();
    let text = |prov: &str| prov.split("-----BEGIN PGP SIGNATURE-----").next().unwrap().to_string();
    assert_eq!(text(&ours), text(&theirs));
    fs::write(archive.with_file_name("app-1.0.0.tgz.prov"), ours).unwrap();
    run(Command::new(helm()).arg("verify").arg(&archive).arg("--keyring").arg(&alice.public));
    for (key, ring, want) in
        [("bob", &alice.secret, "private key not found"), ("alice", &alice.public, "provided key is not a private key")]
    {
        let error = sign(&bytes, "a", b"", &fs::read(ring).unwrap(), key, "").unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn package_signs_and_helm_verifies() {
    let alice = keyring("alice");
    let dir = folder("signed");
    write_chart(&dir.join("app"), "app", "1.0.0");
    let pintle = |key: &str, ring: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pintle"));
        command
            .current_dir(&dir)
            .args(["package", "app", "--sign", "--key", key, "--keyring"])
            .arg(ring)
            .output()
            .unwrap()
    };
    for (key, ring, want) in [
        ("", &alice.secret, "Error: --key is required for signing a package"),
        ("bob", &alice.secret, "private key not found"),
        ("alice", &alice.public, "provided key is not a private key"),
    ] {
        let out = pintle(key, ring);
        let error = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!out.status.success() && error.contains(want), "{error}");
        assert!(!dir.join("app-1.0.0.tgz").exists(), "what could not be signed was written");
    }
    let out = pintle("alice", &alice.secret);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    run(Command::new(helm()).current_dir(&dir).args(["verify", "app-1.0.0.tgz", "--keyring"]).arg(&alice.public));
}

#[test]
fn expired_and_revoked_keys_prove_nothing() {
    let alice = keyring("alice");
    let archive = signed(&alice, "alice");
    let (bytes, text) = (fs::read(&archive).unwrap(), fs::read(archive.with_file_name("app-1.0.0.tgz.prov")).unwrap());
    let gpg = || {
        let mut gpg = Command::new("gpg");
        gpg.env("GNUPGHOME", &alice.home).args([
            "--batch",
            "--yes",
            "--quiet",
            "--no-tty",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ]);
        gpg
    };
    let list = run(gpg().args(["--with-colons", "--list-keys"]));
    let fingerprint = list.lines().find_map(|l| l.strip_prefix("fpr:")).unwrap().trim_matches(':').to_string();
    let revocation = alice.home.join(format!("openpgp-revocs.d/{fingerprint}.rev"));
    let armored = fs::read_to_string(&revocation).unwrap().replace(":-----BEGIN", "-----BEGIN");
    let file = alice.home.join("rev.asc");
    fs::write(&file, &armored[armored.find("-----BEGIN").unwrap()..]).unwrap();
    run(gpg().arg("--import").arg(&file));
    let revoked = alice.home.join("revoked.gpg");
    run(gpg().arg("--export").arg("--output").arg(&revoked));
    run(Command::new("gpgconf").env("GNUPGHOME", &alice.home).args(["--kill", "all"]));
    let error = helm_provenance(&bytes, &text, "app-1.0.0.tgz", &revoked).unwrap_err().to_string();
    assert!(error.contains("revoked"), "{error}");
    assert!(pgp::keyring(&fs::read(&revoked).unwrap()).unwrap().len() == 1);
}
