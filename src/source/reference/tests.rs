//! References, good and bad.

use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn references_print_as_they_were_written() {
    for text in [
        "./chart",
        "chart-1.2.3.tgz",
        "https://h:8443/x.tgz",
        "oci://h:5000/a/b:1.2.3",
        "oci://h/a/b",
        "oci://h/a//values/prod.yaml",
        "git+https://h/r.git//charts/app?branch=main",
        "git+ssh://git@h:2222/r.git?semver=^1.2",
        "git+file:///srv/r.git?ref=main",
        "s3://b/k/x.tgz?endpoint=http://127.0.0.1:9000&region=eu",
        "gs://b/k",
        "az://b/k/",
    ] {
        assert_eq!(Reference::parse(text, None, None).unwrap().to_string(), text);
    }
    let pinned = format!("oci://h/a:1@{DIGEST}//f");
    assert_eq!(Reference::parse(&pinned, None, None).unwrap().to_string(), pinned);
    let r = Reference::parse("app", Some("https://h/charts/"), Some("^1")).unwrap();
    assert_eq!(r.to_string(), "https://h/charts/app?version=^1");
}

#[test]
fn credentials_leave_the_url() {
    for (text, repo) in [
        ("https://u%40x:canary@h/x.tgz", None),
        ("git+https://u%40x:canary@h/r.git//a?ref=b", None),
        ("app", Some("https://u%40x:canary@h/charts")),
    ] {
        let r = Reference::parse(text, repo, None).unwrap();
        let (Reference::Http(HttpRef { credentials, .. })
        | Reference::Git(GitRef { credentials, .. })
        | Reference::Repository(RepositoryRef { credentials, .. })) = &r
        else {
            panic!("{r:?}")
        };
        let want = Credentials::Basic { username: "u@x".into(), password: Secret::new("canary") };
        assert_eq!(credentials.as_ref(), Some(&want));
        assert!(!format!("{r} {r:?}").contains("canary"), "{r:?}");
    }
}

#[test]
fn a_git_revision_is_told_by_its_form() {
    let commit = "0123456789abcdef0123456789ABCDEF01234567";
    for (value, want) in [
        ("main", GitRevision::Any("main".into())),
        ("release/1.x", GitRevision::Any("release/1.x".into())),
        ("v1.2.3", GitRevision::Any("v1.2.3".into())),
        ("refs/pull/1/head", GitRevision::Full("refs/pull/1/head".into())),
        (commit, GitRevision::Commit(commit.to_lowercase())),
        ("%3E=1+%3C2", GitRevision::Semver(">=1 <2".into())),
        ("~1.2", GitRevision::Semver("~1.2".into())),
    ] {
        let Reference::Git(g) = Reference::parse(&format!("git+https://h/r?ref={value}"), None, None).unwrap() else {
            panic!()
        };
        assert_eq!(g.revision, want);
    }
}

#[test]
fn bad_references_are_refused_with_a_reason() {
    for (text, why) in [
        ("ftp://h/x", "scheme \"ftp\" not supported"),
        ("oci://h", "needs a repository"),
        ("oci:///a", "needs a host and a repository"),
        ("oci://u:canary@h/a", "do not stand in the reference"),
        ("oci://h/a:", "tag after `:` is empty"),
        ("oci://h/../a", "needs a host and a repository"),
        ("oci://h/a@sha256:12", "64 hexadecimal digits"),
        ("oci://h/a//../x", "must stay inside"),
        ("git+https://h/r//a/../../b", "must stay inside"),
        ("git+https://h/r?ref=--upload-pack", "not the name of a Git branch"),
        ("git+https://h/r?commit=abc", "40 or 64"),
        ("git+https://h/r?x=1", "not known"),
        ("git+https://h/r?ref=a&tag=b", "more than one revision"),
        ("git+ssh://u:canary@h/r", "takes no password"),
        ("s3://bucket", "needs a bucket and a key"),
        ("s3://b/../x", "`.` or `..`"),
        ("s3://b/k?endpoint=https://u:canary@h", "is not taken"),
    ] {
        let e = Reference::parse(text, None, None).unwrap_err().to_string();
        assert!(e.contains(why), "{text}: {e}");
        assert!(!e.contains("canary"), "{e}");
    }
    let form = "non-absolute URLs should be in form of repo_name/path_to_chart, got:";
    for (text, want) in [
        ("app", format!("{form} app")),
        ("a b?c", format!("{form} a%20b?c")),
        ("FILE:f", format!("{form} file:f")),
        ("100%.yaml", "invalid chart URL format: 100%.yaml".to_string()),
        ("1:x", "invalid chart URL format: 1:x".to_string()),
    ] {
        assert_eq!(Reference::known_repository(text, None).unwrap_err().to_string(), want);
    }
}
