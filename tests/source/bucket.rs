//! Charts in an S3 server.

use std::fs;

use pintle::source::{Kind, Reason};

use crate::faults::{Faults, Reply};
use crate::servers::clouds::{self, Azure, Gcs};
use crate::servers::folder;
use crate::servers::s3::{self, S3};
use crate::setup::{basic, context, fetch, package, pintle_in, unpack, write_chart};

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

#[tokio::test]
async fn of_azure() {
    let azure = Azure::start();
    let archive = fs::read(package("app", "1.0.0")).unwrap();
    azure.put("charts", "", b"").await;
    azure.put("charts", "stable/app-1.0.0.tgz", &archive).await;
    azure.put("charts", "tree/app/Chart.yaml", b"name: app").await;
    let at = |key: &str| format!("az://charts/{key}?endpoint={}", azure.endpoint());
    let context = context(|o| o.credentials = basic(clouds::ACCOUNT, clouds::KEY));
    let one = fetch(&at("stable/app-1.0.0.tgz"), &context).await.unwrap();
    assert!(one.kind == Kind::Archive && *one.bytes == archive && !one.cached);
    assert!(fetch(&at("stable/app-1.0.0.tgz"), &context).await.unwrap().cached);
    let folder = fetch(&at("tree/app/"), &context).await.unwrap();
    assert_eq!(unpack(&folder.bytes), [("Chart.yaml".to_string(), b"name: app".to_vec())]);
    azure.put("charts", "stable/app-1.0.0.tgz", b"\x1f\x8bother").await;
    assert!(!fetch(&at("stable/app-1.0.0.tgz"), &context).await.unwrap().cached);
    assert_eq!(fetch(&at("none.tgz"), &context).await.unwrap_err().reason, Reason::NotFound);
    let stranger = crate::setup::context(|o| o.credentials = basic(clouds::ACCOUNT, "Y2FuYXJ5LXNlY3JldA=="));
    let error = fetch(&at("stable/app-1.0.0.tgz"), &stranger).await.unwrap_err();
    assert!(matches!(error.reason, Reason::Forbidden | Reason::Unauthorized), "{error}");
    assert!(!error.to_string().contains("Y2FuYXJ5"), "{error}");
}

#[tokio::test]
async fn of_google() {
    let gcs = Gcs::start("charts");
    let archive = fs::read(package("app", "1.0.0")).unwrap();
    gcs.put("charts", "app-1.0.0.tgz", &archive).await;
    let at = |key: &str| format!("gs://charts/{key}?endpoint={}", gcs.endpoint());
    let context = context(|_| {});
    let one = fetch(&at("app-1.0.0.tgz"), &context).await.unwrap();
    assert!(one.kind == Kind::Archive && *one.bytes == archive && !one.cached);
    assert_eq!(fetch(&at("none.tgz"), &context).await.unwrap_err().reason, Reason::NotFound);
}

/// The emulator lists as JSON alone; Google lists as XML too, which is what is asked for. A front says so of what the emulator holds.
#[tokio::test]
async fn folders_of_google() {
    const FILES: [(&str, &str); 3] =
        [("tree/app/Chart.yaml", "name: app"), ("tree/app/templates/a.yaml", "a: 1"), ("tree/apple", "no")];
    let gcs = Gcs::start("charts");
    for (key, text) in FILES {
        gcs.put("charts", key, text.as_bytes()).await;
    }
    let front = Faults::before(&gcs.endpoint(), |asked, answer| {
        let Some((_, query)) = asked.path.split_once("?").filter(|(_, query)| query.contains("list-type=2")) else {
            return answer(&asked.path);
        };
        let prefix = query.split('&').find_map(|p| p.strip_prefix("prefix=")).unwrap_or_default().replace("%2F", "/");
        let entry = |(key, text): &(&str, &str)| {
            format!(
                "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
                 <ETag>\"{key}\"</ETag><Size>{}</Size></Contents>",
                text.len()
            )
        };
        let found: String = FILES.iter().filter(|(key, _)| key.starts_with(&prefix)).map(entry).collect();
        let xml = format!(
            "<?xml version='1.0' encoding='UTF-8'?><ListBucketResult><Name>charts</Name>{found}</ListBucketResult>"
        );
        Reply::Answer(200, vec![("content-type", "application/xml".into())], xml.into_bytes())
    });
    let at = |key: &str| format!("gs://charts/{key}?endpoint={}", front.url);
    let context = context(|_| {});
    let folder = fetch(&at("tree/app/"), &context).await.unwrap();
    assert_eq!(folder.kind, Kind::Tree);
    let files = unpack(&folder.bytes);
    let names: Vec<_> = files.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names, ["Chart.yaml", "templates/a.yaml"]);
    assert_eq!(files[1].1, b"a: 1");
    assert!(fetch(&at("tree/app/"), &context).await.unwrap().cached);
    assert_eq!(fetch(&at("none/"), &context).await.unwrap_err().reason, Reason::NotFound);
}

/// The keys of S3 as Amazon's own tools find them, in a process of its own for its environment; what is sent is signed with them.
/// The key's id and the session that are to be seen, and the variables that are set.
type Case<'c> = (&'c str, &'c str, &'c [(&'c str, &'c str)]);

#[test]
fn the_ambient_chain_of_s3() {
    let server = Faults::start(|_| {
        let headers =
            vec![("etag", "\"1\"".to_string()), ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT".to_string())];
        Reply::Answer(200, headers, b"greeting: from the bucket\n".to_vec())
    });
    let home = folder("home");
    write_chart(&home.join("app"), "app", "1.0.0");
    fs::create_dir_all(home.join(".aws")).unwrap();
    let profiles = "[default]\naws_access_key_id = AKIDDEFAULT\naws_secret_access_key = canary-secret\n\
                    [work]\naws_access_key_id = AKIDWORK\naws_secret_access_key = canary-secret\naws_session_token = the-session\n";
    fs::write(home.join(".aws/credentials"), profiles).unwrap();
    let values = format!("s3://charts/values.yaml?endpoint={}&region=us-east-1", server.url);
    let environment = [("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", "canary-secret")];
    let cases: [Case<'_>; 3] = [
        ("AKIDENV", "", &environment),
        ("AKIDDEFAULT", "", &[]),
        ("AKIDWORK", "the-session", &[("AWS_PROFILE", "work")]),
    ];
    for (id, session, environment) in cases {
        let before = server.asked().len();
        let mut command = pintle_in(&home, &["template", "x", "app", "-f", &values]);
        let out = command.envs(environment.iter().copied()).env("PINTLE_CACHE_DIR", folder("cache")).output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        assert!(text.contains("greeting: from the bucket") && !text.contains("canary"), "{id}: {text}");
        let asked = server.asked();
        assert!(asked.len() > before);
        for request in &asked[before..] {
            let header = |name: &str| request.headers.get(name).map(String::as_str).unwrap_or_default();
            assert!(header("authorization").contains(&format!("Credential={id}/")), "{request:?}");
            assert_eq!(header("x-amz-security-token"), session);
        }
    }
}
