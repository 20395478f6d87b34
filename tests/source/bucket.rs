//! Charts in an S3 server.

use std::fs;

use pintle::source::{Kind, Reason};

use crate::servers::s3::{self, S3};
use crate::setup::{basic, context, fetch, package, unpack};

#[tokio::test]
async fn objects_and_folders() {
    let s3 = s3::shared();
    s3.put("charts", "", b"");
    let archive = fs::read(package("app", "1.0.0")).unwrap();
    s3.put("charts", "stable/app-1.0.0.tgz", &archive);
    s3.put("charts", "stable/app-1.0.0.tgz.prov", b"provenance");
    for (key, text) in
        [("tree/app/Chart.yaml", "name: app"), ("tree/app/templates/a.yaml", "a: 1"), ("tree/apple", "no")]
    {
        s3.put("charts", key, text.as_bytes());
    }
    let at = |key: &str| format!("s3://charts/{key}?endpoint={}&region=us-east-1", s3.endpoint());
    let context = context(|o| {
        o.credentials = basic("test", "canary-secret");
        o.verify.provenance_later = true;
    });
    let one = fetch(&at("stable/app-1.0.0.tgz"), &context).await.unwrap();
    assert_eq!(one.kind, Kind::Archive);
    assert!(*one.bytes == archive);
    assert_eq!(one.provenance_file.as_deref(), Some(b"provenance".as_slice()));
    assert_eq!(one.provenance.file_name, "app-1.0.0.tgz");
    assert!(fetch(&at("stable/app-1.0.0.tgz"), &context).await.unwrap().cached);
    s3.put("charts", "stable/app-1.0.0.tgz", b"\x1f\x8bother");
    let changed = fetch(&at("stable/app-1.0.0.tgz"), &context).await.unwrap();
    assert!(!changed.cached && &*changed.bytes == b"\x1f\x8bother");

    let folder = fetch(&at("tree/app/"), &context).await.unwrap();
    assert_eq!(folder.kind, Kind::Tree);
    let names: Vec<_> = unpack(&folder.bytes).into_iter().map(|(n, _)| n).collect();
    assert_eq!(names, ["Chart.yaml", "templates/a.yaml"]);
    assert!(folder.provenance.revision.starts_with("sha256:"));
    assert!(fetch(&at("tree/app/"), &context).await.unwrap().cached);
    s3.put("charts", "tree/app/values.yaml", b"a: 2");
    assert!(!fetch(&at("tree/app/"), &context).await.unwrap().cached);

    for (key, reason) in [("none.tgz", Reason::NotFound), ("none/", Reason::NotFound)] {
        let error = fetch(&at(key), &context).await.unwrap_err();
        assert_eq!(error.reason, reason, "{error}");
    }
    let small = crate::setup::context(|o| {
        o.credentials = basic("test", "canary-secret");
        o.max_artifact = 3;
    });
    for key in ["stable/app-1.0.0.tgz", "tree/app/"] {
        assert_eq!(fetch(&at(key), &small).await.unwrap_err().reason, Reason::TooLarge);
    }
}

#[tokio::test]
async fn strangers_are_refused() {
    // From the third request on signatures are checked, and nobody has a key.
    let s3 = S3::with(&[("INITIAL_NO_AUTH_ACTION_COUNT", "2")]);
    s3.put("charts", "", b"");
    s3.put("charts", "a.yaml", b"a: 1");
    let reference = format!("s3://charts/a.yaml?endpoint={}&region=us-east-1", s3.endpoint());
    let error = fetch(&reference, &context(|o| o.credentials = basic("stranger", "canary-secret"))).await.unwrap_err();
    assert!(matches!(error.reason, Reason::Forbidden | Reason::Unauthorized), "{error}");
    assert!(!error.to_string().contains("canary"));
}
