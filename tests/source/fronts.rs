//! The same faults before every kind of server: a front passes requests on to a real registry, Git server or S3 server, and breaks what comes
//! back. What is obtained is the whole, or an error that names the fault; nothing of a broken transfer stays, and the next try succeeds.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pintle::source::oci::push;
use pintle::source::{Context, Reason, SourceError};

use crate::faults::{Answer, Asked, Faults, Reply};
use crate::servers::folder;
use crate::servers::git::{GitHttp, Repository};
use crate::servers::nginx::Site;
use crate::servers::registry::Options as Server;
use crate::servers::s3::S3;
use crate::setup::{basic, context, fetch, package, write_chart};

/// What befalls the content on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// The first answer breaks off in its middle.
    CutOnce,
    /// All do.
    CutAlways,
    /// The connection ends without an answer, once.
    CloseOnce,
    /// Nobody answers any more.
    Dead,
    /// The first is refused with this status, and with how long to wait.
    BusyOnce(u16),
    /// This status, always.
    Refused(u16),
    /// One bit is another.
    Corrupt,
    /// Half of it, and its length says so.
    Short,
    /// A byte at a time.
    Drip,
    Hang,
    /// To itself.
    Loop,
}

/// Between the client and a real server.
struct Front {
    server: Faults,
    fault: Arc<Mutex<(Fault, usize)>>,
}

impl Front {
    /// `content` tells the requests for the content from those that find it.
    fn before(upstream: &str, content: impl Fn(&Asked) -> bool + Send + Sync + 'static) -> Self {
        let fault = Arc::new(Mutex::new((Fault::None, 0)));
        let script = {
            let fault = fault.clone();
            move |asked: &Asked, answer: Answer<'_>| {
                let (now, before) = {
                    let mut fault = fault.lock().unwrap();
                    if fault.0 != Fault::Dead && !content(asked) {
                        drop(fault);
                        return answer(&asked.path);
                    }
                    fault.1 += 1;
                    (fault.0, fault.1 - 1)
                };
                broken(now, before, asked, answer)
            }
        };
        Self { server: Faults::before(upstream, script), fault }
    }

    fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = (fault, 0);
    }

    /// How often the content was asked for since the fault was set.
    fn asked(&self) -> usize {
        self.fault.lock().unwrap().1
    }
}

fn broken(fault: Fault, before: usize, asked: &Asked, answer: Answer<'_>) -> Reply {
    let first = before == 0;
    let Reply::Answer(status, headers, mut body) = answer(&asked.path) else { return Reply::Close };
    let cut = |body: Vec<u8>| {
        let half = body.len() / 2;
        Reply::Cut(status, headers.clone(), body, half)
    };
    match fault {
        Fault::CutOnce if first => cut(body),
        Fault::CutAlways => cut(body),
        Fault::CloseOnce if first => Reply::Close,
        Fault::Dead => Reply::Close,
        Fault::BusyOnce(status) if first => Reply::Answer(status, vec![("retry-after", "1".into())], vec![]),
        Fault::Refused(status) => Reply::Answer(status, vec![], vec![]),
        Fault::Corrupt => {
            let half = body.len() / 2;
            body[half] ^= 1;
            Reply::Answer(status, headers, body)
        }
        Fault::Short => {
            body.truncate(body.len() / 2);
            Reply::Answer(status, headers, body)
        }
        Fault::Drip => Reply::Drip(headers, body, Duration::from_millis(100)),
        Fault::Hang => Reply::Hang,
        Fault::Loop => Reply::Answer(307, vec![("location", asked.path.clone())], vec![]),
        _ => Reply::Answer(status, headers, body),
    }
}

/// Longer than a busy machine needs for an answer, and than the deadline of those that never come.
const IDLE: Duration = Duration::from_secs(10);

/// What is to come of a fault: the content, or one of these.
type Want = (Fault, Result<(), &'static [Reason]>);

/// Tries the faults one after the other, each with an empty cache.
async fn try_all(reference: &str, front: &Front, faults: &[Want], new: impl Fn(Duration) -> Context) {
    front.set(Fault::None);
    let whole = fetch(reference, &new(Duration::from_secs(20))).await.unwrap().bytes.to_vec();
    let mut wrong = Vec::new();
    for (fault, want) in faults {
        let slow = matches!(fault, Fault::Drip | Fault::Hang);
        let context = new(Duration::from_secs(if slow { 2 } else { 20 }));
        front.set(*fault);
        let came: Result<Vec<u8>, SourceError> = fetch(reference, &context).await.map(|f| f.bytes.to_vec());
        let asked = front.asked();
        let records = context.cache.records();
        let parts = fs::read_dir(context.cache.dir().join("tmp")).map_or(0, Iterator::count);
        let mut check = |holds: bool, what: String| {
            if !holds {
                wrong.push(format!("{fault:?}: {what}"));
            }
        };
        match (&came, want) {
            (Ok(bytes), Ok(())) => check(*bytes == whole, format!("{} for {} bytes", bytes.len(), whole.len())),
            (Err(e), Err(reasons)) => {
                check(reasons.contains(&e.reason), format!("{:?}, wanted {reasons:?}: {e}", e.reason));
                check(!e.to_string().contains("canary"), e.to_string());
                check(records.is_empty(), format!("left {records:?}"));
            }
            (came, want) => check(false, format!("{:?}, wanted {want:?}", came.as_ref().map(Vec::len))),
        }
        check(asked > 0, "the fault was never met".into());
        if let Fault::Refused(_) = fault {
            // A token may have run out, which a second request tells.
            check(
                asked <= 1 + usize::from(*fault == Fault::Refused(401)),
                format!("what is refused was asked for {asked} times"),
            );
        }
        check(parts == 0, "parts of a transfer stayed".into());
        front.set(Fault::None);
        let again = fetch(reference, &new(Duration::from_secs(20))).await.map(|f| f.bytes.to_vec());
        check(again.as_ref() == Ok(&whole), format!("another content afterwards: {:?}", again.map(|b| b.len())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What every kind of server has in common.
const COMMON: [Want; 12] = [
    (Fault::CutOnce, Ok(())),
    (Fault::CutAlways, Err(&[Reason::Truncated])),
    (Fault::CloseOnce, Ok(())),
    (Fault::Dead, Err(&[Reason::Unreachable])),
    (Fault::BusyOnce(429), Ok(())),
    (Fault::BusyOnce(503), Ok(())),
    (Fault::Refused(401), Err(&[Reason::Unauthorized])),
    (Fault::Refused(403), Err(&[Reason::Forbidden])),
    (Fault::Refused(404), Err(&[Reason::NotFound])),
    // Git's own library follows no redirect of a POST.
    (Fault::Loop, Err(&[Reason::Redirect, Reason::Malformed])),
    (Fault::Drip, Err(&[Reason::Deadline])),
    (Fault::Hang, Err(&[Reason::Deadline, Reason::Unreachable])),
];

fn with(extra: &[Want]) -> Vec<Want> {
    COMMON.iter().chain(extra).copied().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_a_registry() {
    let registry = Server::default().start();
    let plain = |deadline: Duration| {
        context(|o| {
            (o.deadline, o.idle, o.retries) = (deadline, IDLE, 2);
            o.plain_http = true;
        })
    };
    let archive = fs::read(package("app", "1.0.0")).unwrap();
    push(&archive, None, &registry.oci("charts"), "2026-01-01T00:00:00Z", &plain(Duration::from_secs(20)))
        .await
        .unwrap();
    let blob = format!("/blobs/{}", pintle::source::Digest::of(&archive));
    let front = Front::before(&format!("http://{}", registry.host()), move |asked| asked.path.contains(&blob));
    let reference = format!("{}/charts/app:1.0.0", front.server.url.replace("http://", "oci://"));
    let faults =
        with(&[(Fault::Corrupt, Err(&[Reason::Digest])), (Fault::Short, Err(&[Reason::Digest, Reason::Truncated]))]);
    try_all(&reference, &front, &faults, plain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_a_git_server() {
    let root = folder("repositories");
    let repository = Repository::new(root.join("app"));
    write_chart(&repository.dir.join("charts/app"), "app", "1.0.0");
    repository.commit("first");
    let git = GitHttp::start(&root, Site::new(folder("site")));
    let upstream = git.nginx.url();
    // The pack is the answer that ends a negotiation.
    let front = Front::before(&upstream, |asked| {
        asked.path.ends_with("git-upload-pack") && String::from_utf8_lossy(&asked.body).contains("command=fetch")
    });
    let reference = format!("git+{}/git/app//charts/app", front.server.url);
    let faults = with(&[
        (Fault::Corrupt, Err(&[Reason::Malformed, Reason::Digest, Reason::Truncated])),
        (Fault::Short, Err(&[Reason::Malformed, Reason::Digest, Reason::Truncated])),
    ]);
    let plain = |deadline: Duration| {
        context(|o| {
            (o.deadline, o.idle, o.retries) = (deadline, IDLE, 2);
            o.plain_http = true;
        })
    };
    try_all(&reference, &front, &faults, plain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_a_bucket() {
    let s3 = S3::start();
    s3.put("charts", "", b"");
    s3.put("charts", "app-1.0.0.tgz", &fs::read(package("app", "1.0.0")).unwrap());
    let front = Front::before(&s3.endpoint().replace("localhost", "127.0.0.1"), |asked| {
        asked.method == "GET" && asked.path.contains("app-1.0.0.tgz")
    });
    let reference = format!("s3://charts/app-1.0.0.tgz?endpoint={}&region=us-east-1", front.server.url);
    let keyed = |deadline: Duration| {
        context(|o| {
            (o.deadline, o.idle, o.retries) = (deadline, IDLE, 2);
            o.credentials = basic("test", "canary-secret");
        })
    };
    try_all(&reference, &front, &with(&[(Fault::Short, Err(&[Reason::Truncated]))]), keyed).await;
}

/// Between the look at a tag and the fetching of what it names, somebody pushes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_moves_in_between_gives_one_or_the_other_and_says_which() {
    let registry = Server::default().start();
    let plain = context(|o| o.plain_http = true);
    let mut pushed = Vec::new();
    for text in ["greeting: first\n", "greeting: second\n"] {
        let dir = folder("moving");
        write_chart(&dir.join("app"), "app", "1.0.0");
        fs::write(dir.join("app/values.yaml"), text).unwrap();
        crate::servers::run(
            std::process::Command::new(crate::servers::helm()).current_dir(&dir).args(["package", "app"]),
        );
        let archive = fs::read(dir.join("app-1.0.0.tgz")).unwrap();
        let result = push(&archive, None, &registry.oci("charts"), "2026-01-01T00:00:00Z", &plain).await.unwrap();
        pushed.push((result.digest.to_string(), archive));
    }
    let link: PathBuf =
        registry.storage.join("docker/registry/v2/repositories/charts/app/_manifests/tags/1.0.0/current/link");
    let moved = AtomicBool::new(false);
    let (first, second) = (pushed[0].0.clone(), pushed[1].0.clone());
    fs::write(&link, &first).unwrap();
    let script = {
        let link = link.clone();
        move |asked: &Asked, answer: Answer<'_>| {
            let reply = answer(&asked.path);
            if asked.path.contains("/manifests/") && !moved.swap(true, Ordering::SeqCst) {
                fs::write(&link, &second).unwrap();
            }
            reply
        }
    };
    let front = Faults::before(&format!("http://{}", registry.host()), script);
    let reference = format!("{}/charts/app:1.0.0", front.url.replace("http://", "oci://"));
    let fetched = fetch(&reference, &plain).await.unwrap();
    let (digest, archive) =
        pushed.iter().find(|(d, _)| fetched.provenance.revision.contains(d)).expect("a digest of one of the two");
    assert!(*fetched.bytes == *archive, "the content is that of the digest that is told: {digest}");
    assert_eq!(fs::read_to_string(&link).unwrap(), pushed[1].0, "the tag did move");
    let again = fetch(&reference, &plain).await.unwrap();
    assert!(*again.bytes == pushed[1].1, "and the next look sees it");
}
