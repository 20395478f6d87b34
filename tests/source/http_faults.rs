//! Servers that fail in every way: what comes out is the whole content or an error that names the fault, and the cache holds nothing else.

use std::time::{Duration, Instant};

use pintle::source::{Context, Credentials, Options, Reason, Reference, Secret, SourceError, obtain};

use crate::faults::{Faults, Reply, whole};
use crate::servers::folder;

fn context() -> Context {
    Context::new(options())
}

fn options() -> Options {
    let (deadline, idle) = (Duration::from_secs(20), Duration::from_millis(700));
    Options { cache_dir: Some(folder("cache")), deadline, idle, ..Options::default() }
}

async fn fetch(context: &Context, url: &str) -> Result<Vec<u8>, SourceError> {
    let reference = Reference::parse(url, None, None).unwrap();
    obtain(&reference, context).await.map(|f| f.bytes.to_vec())
}

fn body() -> Vec<u8> {
    (0..200_000u32).flat_map(|n| (n.wrapping_mul(2_654_435_761) as u16).to_le_bytes()).collect()
}

/// Nothing half-written lies in the cache, and what lies there is what it says.
fn assert_clean(context: &Context) {
    let tmp = context.cache.dir().join("tmp");
    assert_eq!(std::fs::read_dir(tmp).map_or(0, Iterator::count), 0);
    for r in context.cache.records() {
        assert!(context.cache.blob(&r.digest).is_some(), "{r:?}");
    }
}

#[tokio::test]
async fn a_broken_transfer_goes_on_where_it_stopped() {
    let server = Faults::files(vec![("/v.yaml".into(), body())], |asked, body| {
        let headers = vec![("etag", crate::faults::etag(body)), ("accept-ranges", "bytes".to_string())];
        (asked.nth == 0).then(|| Reply::Cut(200, headers, body.to_vec(), 150_000))
    });
    let context = context();
    assert_eq!(fetch(&context, &format!("{}/v.yaml", server.url)).await.unwrap(), body());
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    let range = asked[1].headers["range"].strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().to_string();
    assert!(range.parse::<usize>().unwrap() > 0, "{range}");
    assert_clean(&context);
}

#[tokio::test]
async fn without_resuming_it_begins_again() {
    let server = Faults::files(vec![("/v.yaml".into(), body())], |asked, body| match asked.nth {
        0 => Some(Reply::Cut(200, vec![], body.to_vec(), 150_000)),
        1 => Some(Reply::Close),
        _ => Some(Reply::Answer(200, vec![], body.to_vec())),
    });
    let context = context();
    assert_eq!(fetch(&context, &format!("{}/v.yaml", server.url)).await.unwrap(), body());
    assert!(server.asked().iter().all(|a| !a.headers.contains_key("range")));
}

#[tokio::test]
async fn a_file_that_changed_in_the_middle_is_not_glued_together() {
    let new: Vec<u8> = body().into_iter().rev().collect();
    let server = Faults::files(vec![("/v.yaml".into(), body())], {
        let new = new.clone();
        move |asked, old| {
            let headers = vec![("etag", crate::faults::etag(old)), ("accept-ranges", "bytes".to_string())];
            Some(if asked.nth == 0 { Reply::Cut(200, headers, old.to_vec(), 150_000) } else { ranged(asked, &new) })
        }
    });
    assert_eq!(fetch(&context(), &format!("{}/v.yaml", server.url)).await.unwrap(), new);
}

/// As servers do: a range of another version is answered with the whole.
fn ranged(asked: &crate::faults::Asked, body: &[u8]) -> Reply {
    match asked.headers.get("if-range") {
        Some(e) if *e != crate::faults::etag(body) => {
            Reply::Answer(200, vec![("etag", crate::faults::etag(body))], body.to_vec())
        }
        _ => whole(asked, body),
    }
}

#[tokio::test]
async fn refusals_are_named_and_not_repeated() {
    for (status, reason, text) in [
        (401, Reason::Unauthorized, "401 Unauthorized"),
        (403, Reason::Forbidden, "403 Forbidden"),
        (404, Reason::NotFound, "404 Not Found"),
        (418, Reason::Status, "418 I'm a teapot"),
    ] {
        let server = Faults::start(move |_| Reply::Answer(status, vec![], b"no".to_vec()));
        let context = context();
        let url = format!("{}/v.yaml", server.url);
        let e = fetch(&context, &url).await.unwrap_err();
        assert_eq!(e.reason, reason);
        assert!(e.to_string().starts_with(&format!("failed to fetch {url} : {text}")), "{e}");
        assert_eq!(server.asked().len(), 1, "{status}");
        assert!(context.cache.records().is_empty());
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_says() {
    for (status, header) in [(429, Some("1")), (503, Some("1")), (503, None), (500, None)] {
        let server = Faults::files(vec![("/v.yaml".into(), b"a: 1".to_vec())], move |asked, _| {
            let headers = header.map(|h| ("retry-after", h.to_string())).into_iter().collect();
            (asked.nth == 0).then(|| Reply::Answer(status, headers, vec![]))
        });
        let begin = Instant::now();
        assert_eq!(fetch(&context(), &format!("{}/v.yaml", server.url)).await.unwrap(), b"a: 1");
        assert!(begin.elapsed() >= Duration::from_millis(900), "{:?}", begin.elapsed());
    }
    let server = Faults::start(|_| Reply::Answer(429, vec![("retry-after", "3600".into())], vec![]));
    let e = fetch(&context(), &format!("{}/v.yaml", server.url)).await.unwrap_err();
    assert_eq!(e.reason, Reason::TooManyRequests);
    assert!(e.to_string().contains("asks to wait 3600 seconds"), "{e}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_drip_ends_at_the_deadline_and_silence_before_it() {
    let server = Faults::start(|asked| match asked.path.as_str() {
        "/drip" => Reply::Drip(vec![], vec![b'a'; 10_000], Duration::from_millis(50)),
        _ => Reply::Hang,
    });
    let mut short = options();
    short.deadline = Duration::from_secs(2);
    let context = Context::new(short);
    let begin = Instant::now();
    let e = fetch(&context, &format!("{}/drip", server.url)).await.unwrap_err();
    assert_eq!(e.reason, Reason::Deadline);
    assert!(e.to_string().contains("the deadline of 2 s passed after"), "{e}");
    let e = fetch(&context, &format!("{}/silence", server.url)).await.unwrap_err();
    assert!(matches!(e.reason, Reason::Deadline | Reason::Unreachable), "{e}");
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    assert_clean(&context);
}

#[tokio::test]
async fn redirects_are_followed_but_not_in_circles() {
    let server = Faults::start(|asked| match asked.path.as_str() {
        "/loop" => Reply::Answer(302, vec![("location", "/loop2".into())], vec![]),
        "/loop2" => Reply::Answer(307, vec![("location", "/loop".into())], vec![]),
        "/file" => Reply::Answer(302, vec![("location", "file:///etc/passwd".into())], vec![]),
        "/a" => Reply::Answer(301, vec![("location", "/b?signature=canary".into())], vec![]),
        "/b?signature=canary" => Reply::Answer(200, vec![], b"b: 1".to_vec()),
        path => {
            let n: u32 = path.trim_start_matches("/far").parse().unwrap_or(0);
            Reply::Answer(302, vec![("location", format!("/far{}", n + 1))], vec![])
        }
    });
    let context = context();
    assert_eq!(fetch(&context, &format!("{}/a", server.url)).await.unwrap(), b"b: 1");
    for (path, text) in
        [("loop", "redirected in a loop back to"), ("far", "redirected more than 10 times"), ("file", "no http")]
    {
        let e = fetch(&context, &format!("{}/{path}", server.url)).await.unwrap_err();
        assert_eq!(e.reason, Reason::Redirect);
        assert!(e.to_string().contains(text), "{e}");
    }
}

#[tokio::test]
async fn credentials_do_not_follow_to_another_host() {
    let other = Faults::start(|_| Reply::Answer(200, vec![], b"a: 1".to_vec()));
    let there = other.url.clone();
    let home = Faults::start(move |asked| match asked.path.as_str() {
        "/away" => Reply::Answer(302, vec![("location", format!("{there}/v.yaml"))], vec![]),
        "/here" => Reply::Answer(302, vec![("location", "/v.yaml".into())], vec![]),
        _ => Reply::Answer(200, vec![], b"a: 1".to_vec()),
    });
    let mut with = options();
    with.credentials = Some(Credentials::Basic { username: "u".into(), password: Secret::new("canary") });
    with.pass_credentials = true;
    let context = Context::new(with);
    fetch(&context, &format!("{}/away", home.url)).await.unwrap();
    fetch(&context, &format!("{}/here", home.url)).await.unwrap();
    assert!(home.asked().iter().all(|a| a.headers.contains_key("authorization")));
    assert!(other.asked().iter().all(|a| !a.headers.contains_key("authorization")));
}

#[tokio::test]
async fn wrong_lengths_and_large_bodies_are_refused() {
    let server = Faults::start(|asked| match asked.path.as_str() {
        "/short" => Reply::Cut(200, vec![("content-length", "1000".into())], vec![b'a'; 10], 10),
        "/claims" => Reply::Answer(200, vec![("content-length", "9999999999999".into())], vec![b'a'; 10]),
        _ => Reply::Answer(200, vec![], vec![b'a'; 3000]),
    });
    let mut small = options();
    small.max_artifact = 2000;
    small.retries = 1;
    let context = Context::new(small);
    for (path, reason) in [("short", Reason::Truncated), ("claims", Reason::TooLarge), ("large", Reason::TooLarge)] {
        let e = fetch(&context, &format!("{}/{path}", server.url)).await.unwrap_err();
        assert_eq!(e.reason, reason, "{e}");
        assert!(e.to_string().contains(&format!("{}/{path}", server.url)), "{e}");
    }
    assert!(context.cache.records().is_empty());
    assert_clean(&context);
}

#[tokio::test]
async fn a_file_that_moves_between_head_and_get_is_what_get_brought() {
    let server = Faults::start(|asked| match (asked.method.as_str(), asked.nth) {
        ("GET", 0) => Reply::Answer(200, vec![("etag", "\"1\"".into())], b"a: 1".to_vec()),
        ("HEAD", _) => Reply::Answer(200, vec![("etag", "\"2\"".into())], vec![]),
        ("GET", 2) => Reply::Answer(200, vec![("etag", "\"3\"".into())], b"a: 3".to_vec()),
        _ => Reply::Answer(304, vec![("etag", "\"3\"".into())], vec![]),
    });
    let (context, url) = (context(), format!("{}/v.yaml", server.url));
    assert_eq!(fetch(&context, &url).await.unwrap(), b"a: 1");
    assert_eq!(fetch(&context, &url).await.unwrap(), b"a: 3");
    let known = context.cache.record(&format!("http {url}")).unwrap();
    assert_eq!(known.resolved.etag.as_deref(), Some("\"3\""), "the validator belongs to the content");
    let mut offline = (*context.options).clone();
    offline.offline = true;
    assert_eq!(fetch(&context.with(offline.clone()), &url).await.unwrap(), b"a: 3");
    let e = fetch(&context.with(offline), &format!("{url}?other")).await.unwrap_err();
    assert_eq!(e.reason, Reason::Offline);
}

#[tokio::test]
async fn queries_name_different_files_though_they_are_not_shown() {
    let server = Faults::start(|asked| {
        let modified = vec![("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT".to_string())];
        match asked.headers.contains_key("if-modified-since") {
            true => Reply::Answer(304, modified, vec![]),
            false => Reply::Answer(200, modified, asked.path.clone().into_bytes()),
        }
    });
    let context = context();
    for file in ["a", "b", "a"] {
        let url = format!("{}/get?file={file}", server.url);
        assert_eq!(fetch(&context, &url).await.unwrap(), format!("/get?file={file}").into_bytes());
    }
    assert_eq!(server.asked().len(), 3);
    assert!(context.cache.records().iter().all(|r| r.reference.ends_with("/get?…")));
}

#[tokio::test]
async fn an_archive_other_than_the_index_says_is_not_used() {
    let index = |digest: &str| {
        format!(
            "apiVersion: v1\nentries:\n  app:\n  - name: app\n    version: 1.0.0\n    urls: [app-1.0.0.tgz]\n    digest: {digest}\n"
        )
    };
    let right = pintle::source::Digest::of(b"right");
    let files = vec![
        ("/index.yaml".to_string(), index(right.hex()).into_bytes()),
        ("/app-1.0.0.tgz".to_string(), b"right".to_vec()),
    ];
    let server = Faults::files(files, |asked, _| {
        (asked.path.ends_with("tgz") && asked.nth == 0).then(|| Reply::Answer(200, vec![], b"wrong".to_vec()))
    });
    let context = context();
    let reference = Reference::parse("app", Some(&server.url), None).unwrap();
    let e = obtain(&reference, &context).await.unwrap_err();
    assert_eq!(e.reason, Reason::Digest);
    assert!(e.to_string().contains(&right.to_string()), "{e}");
    assert_clean(&context);
    let fetched = obtain(&reference, &context).await.unwrap();
    assert_eq!(&fetched.bytes[..], b"right");
    assert_eq!(fetched.provenance.revision, format!("1.0.0@{right}"));
    assert!(obtain(&reference, &context).await.unwrap().cached);
}

#[tokio::test]
async fn hostile_indexes_are_bounded() {
    let mut many = "apiVersion: v1\nentries:\n".to_string();
    for n in 0..200_000 {
        many += &format!("  c{n}:\n  - name: c{n}\n    version: 1.0.{n}\n    urls: [c{n}.tgz]\n");
    }
    let huge = format!(
        "apiVersion: v1\nentries:\n  app:\n  - name: app\n    version: 1.0.0\n    annotations:\n      a: {}\n",
        "x".repeat(20 << 20)
    );
    let files = vec![
        ("/many/index.yaml".to_string(), many.into_bytes()),
        ("/huge/index.yaml".to_string(), huge.into_bytes()),
        ("/html/index.yaml".to_string(), b"<html><body>Log in</body></html>".to_vec()),
        (
            "/file/index.yaml".to_string(),
            b"apiVersion: v1\nentries:\n  app:\n  - {name: app, version: 1.0.0, urls: ['file:///etc/passwd']}\n"
                .to_vec(),
        ),
    ];
    let server = Faults::files(files, |_, _| None);
    let context = context();
    let of = |dir: &str, name: &str| Reference::parse(name, Some(&format!("{}/{dir}", server.url)), None).unwrap();
    let e = obtain(&of("many", "c199999"), &context).await.unwrap_err();
    assert_eq!(e.reason, Reason::NotFound, "found in the index, but not on the server: {e}");
    let e = obtain(&of("file", "app"), &context).await.unwrap_err();
    assert!(e.to_string().contains("neither http"), "{e}");
    let e = obtain(&of("html", "app"), &context).await.unwrap_err();
    assert!(e.to_string().starts_with("looks like \"http"), "{e}");
    assert!(obtain(&of("huge", "app"), &context).await.is_err());
    let e = obtain(&of("many", "nothing"), &context).await.unwrap_err();
    assert_eq!(e.to_string(), format!("chart \"nothing\" not found in {}/many repository", server.url));
}
