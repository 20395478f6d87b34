//! Sending: retries that do no harm, and answers turned into errors that say what was asked.
//!
//! Source for the texts of answers that are no Status: apimachinery `errors.NewGenericServerResponse`; for retries: client-go
//! `rest/with_retry.go` (429 and 5xx with Retry-After, any verb). Lost connections are ours: before the first answer they are final (a
//! cluster that can't be reached is said at once), afterwards a server that restarts is waited for.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ::http::Request;
use ::kube::Client;
use ::kube::client::Body;
use futures::AsyncBufRead;
use serde::de::DeserializeOwned;

use super::call::Call;
use super::config::{ConfigError, with_sources};
use super::{ClusterError, Json, ObjectId, Reason, Verb};

/// How long one request is tried, all in all.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long an answer may take. A webhook may take 30 s.
const ANSWER: Duration = Duration::from_secs(65);
/// How often a server that says "later" is asked again.
const LATER: u32 = 10;
/// How often an error of the server itself (500 without Retry-After) is tried again.
const BROKEN: u32 = 3;

/// The connection to one server. Clones share it.
#[derive(Clone)]
pub(super) struct Http {
    client: Client,
    url: Arc<str>,
    state: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The server has answered before.
    met: AtomicBool,
    sent: AtomicU64,
    told: OnceLock<Listener>,
    limit: OnceLock<Limit>,
}

/// Told of each answer: the method and the status.
pub type Listener = Arc<dyn Fn(&'static str, u16) + Send + Sync>;

/// client-go's token bucket.
struct Limit {
    per_second: f64,
    burst: f64,
    /// What may be sent now, below zero if somebody waits; and when that was so.
    left: Mutex<(f64, Instant)>,
}

impl Limit {
    /// How long the next request is to wait.
    fn wait(&self) -> Duration {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let filled = left.0 + now.saturating_duration_since(left.1).as_secs_f64() * self.per_second;
        *left = (filled.min(self.burst) - 1.0, now);
        Duration::from_secs_f64((-left.0).max(0.0) / self.per_second)
    }
}

/// A good answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    body: Vec<u8>,
    object: Option<ObjectId>,
}

impl Answer {
    pub fn json(&self, verb: Verb) -> Result<Json, ClusterError> {
        self.typed(verb)
    }

    pub fn typed<T: DeserializeOwned>(&self, verb: Verb) -> Result<T, ClusterError> {
        serde_json::from_slice(&self.body).map_err(|e| ClusterError {
            verb,
            object: self.object.clone(),
            reason: Reason::Other("Unreadable".into()),
            code: self.status,
            message: format!("the server's answer can't be read ({}): {e}", told(verb, self.object.as_ref())),
        })
    }

    pub fn text(self) -> String {
        String::from_utf8(self.body).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
    }
}

/// `patch Deployment ns/web`.
fn told(verb: Verb, object: Option<&ObjectId>) -> String {
    match object {
        Some(object) if object.name.is_empty() => format!("{verb} {}", object.gvk.kind),
        Some(object) => format!("{verb} {object}"),
        None => verb.to_string(),
    }
}

/// What came of one sending.
enum Outcome {
    Answered(u16, Option<u64>, Vec<u8>),
    /// It never reached the server.
    Unsent(String),
    /// It was sent, and what became of it is not known.
    Lost(String),
    /// Not a matter of the network: credentials could not be had.
    Unable(String),
}

impl Http {
    pub fn new(config: ::kube::Config) -> Result<Self, ConfigError> {
        let url = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|e| ConfigError::Invalid(with_sources(&e)))?;
        Ok(Self { client, url: url.trim_end_matches('/').into(), state: Arc::default() })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn requests(&self) -> u64 {
        self.state.sent.load(Ordering::Relaxed)
    }

    pub fn tell(&self, listener: Listener) {
        // The first one stays.
        let _ = self.state.told.set(listener);
    }

    /// No more requests a second than this, and so many at once; without a positive number as many as there are.
    pub fn limit(&self, per_second: f64, burst: u32) {
        if per_second > 0.0 && per_second.is_finite() {
            let burst = f64::from(burst.max(1));
            let _ = self.state.limit.set(Limit { per_second, burst, left: Mutex::new((burst, Instant::now())) });
        }
    }

    /// Sends until there is a final answer.
    pub async fn send(&self, call: &Call) -> Result<Answer, ClusterError> {
        self.retried(call, call.idempotent).await
    }

    /// For a create: tried again as long as the server has not seen it.
    pub async fn send_once_or_unsent(&self, call: &Call) -> Result<Answer, ClusterError> {
        self.retried(call, false).await
    }

    async fn retried(&self, call: &Call, repeatable: bool) -> Result<Answer, ClusterError> {
        let start = Instant::now();
        let mut attempt = 0;
        loop {
            let met = self.state.met.load(Ordering::Relaxed);
            if let Some(limit) = self.state.limit.get() {
                tokio::time::sleep(limit.wait()).await;
            }
            let outcome = match tokio::time::timeout(ANSWER, self.once(call)).await {
                Ok(outcome) => outcome,
                Err(_) => Outcome::Lost(format!("no answer within {} s", ANSWER.as_secs())),
            };
            let (error, wait) = match outcome {
                Outcome::Answered(status @ 200..=299, _, body) => {
                    return Ok(Answer { status, body, object: call.object.clone() });
                }
                Outcome::Answered(status, after, body) => {
                    let error = refused(call, status, &body);
                    let wait = match after {
                        Some(seconds) if (status == 429 || status >= 500) && attempt < LATER => {
                            Some(Duration::from_secs(seconds).max(backoff(0)))
                        }
                        None if status == 429 && attempt < LATER => Some(backoff(attempt)),
                        // A gateway, or a server that just comes up.
                        None if matches!(status, 500 | 502..=504) && repeatable && attempt < BROKEN => {
                            Some(backoff(attempt))
                        }
                        _ => None,
                    };
                    (error, wait.filter(|_| error_may_pass(call, status, &body)))
                }
                Outcome::Unsent(text) => (self.unreachable(call, &text), met.then(|| backoff(attempt))),
                Outcome::Lost(text) => (self.unreachable(call, &text), (met && repeatable).then(|| backoff(attempt))),
                Outcome::Unable(text) => (self.unreachable(call, &text), None),
            };
            match wait {
                Some(wait) if start.elapsed() + wait < DEADLINE => {
                    tracing::debug!(path = call.path, method = call.method, %error, ?wait, "trying again");
                    tokio::time::sleep(wait).await;
                }
                _ => return Err(error),
            }
            attempt += 1;
        }
    }

    async fn once(&self, call: &Call) -> Outcome {
        let outcome = self.unheard(call).await;
        if let (Some(told), Outcome::Answered(status, ..)) = (self.state.told.get(), &outcome) {
            told(call.method, *status);
        }
        outcome
    }

    async fn unheard(&self, call: &Call) -> Outcome {
        let response = match self.start(call).await {
            Ok(response) => response,
            Err(outcome) => return outcome,
        };
        let status = response.status().as_u16();
        let after = response.headers().get("retry-after").and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
        match response.into_body().collect_bytes().await {
            Ok(body) => {
                self.state.met.store(true, Ordering::Relaxed);
                Outcome::Answered(status, after, body.into())
            }
            Err(e) => Outcome::Lost(with_sources(&e)),
        }
    }

    /// Sends, and gives the answer's head.
    async fn start(&self, call: &Call) -> Result<::http::Response<Body>, Outcome> {
        let request = Request::builder().method(call.method).uri(&call.path).header("accept", call.accept);
        let request = match &call.body {
            Some((content, body)) => request.header("content-type", *content).body(Body::from(body.clone())),
            None => request.body(Body::empty()),
        };
        let request = request.map_err(|e| Outcome::Unable(e.to_string()))?;
        self.state.sent.fetch_add(1, Ordering::Relaxed);
        self.client.send(request).await.map_err(|e| {
            let text = innermost(&e);
            match &e {
                ::kube::Error::Auth(_) => Outcome::Unable(with_sources(&e)),
                _ if never_sent(&e) => Outcome::Unsent(text),
                _ => Outcome::Lost(text),
            }
        })
    }

    /// Opens a stream of lines. It is not compressed: the server compresses each event of a watch by itself, which no decoder here takes.
    pub async fn stream(&self, call: &Call) -> Result<Pin<Box<dyn AsyncBufRead + Send>>, ClusterError> {
        let request = Request::builder()
            .method(call.method)
            .uri(&call.path)
            .header("accept", call.accept)
            .header("accept-encoding", "identity")
            .body(Vec::new())
            .map_err(|e| self.unreachable(call, &e.to_string()))?;
        self.state.sent.fetch_add(1, Ordering::Relaxed);
        match tokio::time::timeout(ANSWER, self.client.request_stream(request)).await {
            Ok(Ok(stream)) => {
                self.state.met.store(true, Ordering::Relaxed);
                Ok(Box::pin(stream))
            }
            Ok(Err(::kube::Error::Api(status))) => {
                let code = status.code;
                let status = serde_json::json!({"reason": status.reason, "message": status.message, "code": code});
                Err(of_status(call, code, &status))
            }
            Ok(Err(e)) => Err(self.unreachable(call, &innermost(&e))),
            Err(_) => Err(self.unreachable(call, "no answer")),
        }
    }

    /// As Go's http client says it: `Get "https://…": dial tcp …`.
    fn unreachable(&self, call: &Call, text: &str) -> ClusterError {
        let (first, rest) = call.method.split_at(1);
        let method = format!("{first}{}", rest.to_lowercase());
        ClusterError {
            verb: call.verb,
            object: call.object.clone(),
            reason: Reason::Unreachable,
            code: 0,
            message: format!("{method} \"{}{}\": {text}", self.url, call.path),
        }
    }
}

/// A server error that trying again can't help.
fn error_may_pass(call: &Call, status: u16, body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let final_word = text.contains("request is too large") || text.contains("denied the request");
    // A refused webhook call of a write is worth one more try only while it may be starting; the caller's attempts are few anyway.
    !(final_word || (status == 500 && call.verb == Verb::Logs))
}

/// The answer's error. Source: the API's Status, or what apimachinery makes of an answer that is none.
pub(super) fn refused(call: &Call, status: u16, body: &[u8]) -> ClusterError {
    let json: Json = serde_json::from_slice(body).unwrap_or_default();
    if json.get("kind").and_then(Json::as_str) == Some("Status") {
        return of_status(call, status, &json);
    }
    let text = String::from_utf8_lossy(body);
    let message = match status {
        400 => "the server rejected our request for an unknown reason".to_owned(),
        401 => "the server has asked for the client to provide credentials".to_owned(),
        403 => format!("forbidden: {}", first_line(&text)),
        404 => "the server could not find the requested resource".to_owned(),
        405 => "the server does not allow this method on the requested resource".to_owned(),
        409 => "the server reported a conflict".to_owned(),
        410 => "the resource requested is no longer available".to_owned(),
        413 => format!("the request is too large: {}", first_line(&text)),
        415 => "the body of the request was in an unknown format".to_owned(),
        429 => "the server has received too many requests and has asked us to try again later".to_owned(),
        503 => "the server is currently unable to handle the request".to_owned(),
        504 => {
            "the server was unable to return a response in the time allotted, but may still be processing the request"
                .to_owned()
        }
        500.. => format!("an error on the server ({:?}) has prevented the request from succeeding", first_line(&text)),
        _ => format!("the server responded with the status code {status} but did not return more information"),
    };
    let message = format!("{message} ({})", told(call.verb, call.object.as_ref()));
    ClusterError {
        verb: call.verb,
        object: call.object.clone(),
        reason: reason(status, "", &message),
        code: status,
        message,
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

pub(super) fn of_status(call: &Call, http: u16, status: &Json) -> ClusterError {
    let text = |key: &str| status.get(key).and_then(Json::as_str).unwrap_or_default();
    let code = status.get("code").and_then(Json::as_u64).and_then(|c| u16::try_from(c).ok()).unwrap_or(http);
    let mut message = text("message").to_owned();
    if message.is_empty() {
        message = format!("the server answered {code} {} ({})", text("reason"), told(call.verb, call.object.as_ref()));
    }
    let reason = reason(code, text("reason"), &message);
    ClusterError { verb: call.verb, object: call.object.clone(), reason, code, message }
}

fn reason(code: u16, word: &str, message: &str) -> Reason {
    // etcd's own limit comes as a plain server error.
    if message.contains("request is too large") {
        return Reason::TooLarge;
    }
    match (word, code) {
        ("NotFound", _) | ("", 404) => Reason::NotFound,
        ("AlreadyExists", _) => Reason::AlreadyExists,
        ("Conflict", _) | ("", 409) => Reason::Conflict,
        ("Forbidden", _) | ("", 403) => Reason::Forbidden,
        ("Unauthorized", _) | ("", 401) => Reason::Unauthorized,
        ("Invalid", _) | ("", 422) => Reason::Invalid,
        ("BadRequest", _) | ("", 400) => Reason::BadRequest,
        ("RequestEntityTooLarge", _) | ("", 413) => Reason::TooLarge,
        ("TooManyRequests", _) | ("", 429) => Reason::TooManyRequests,
        ("Timeout" | "ServerTimeout", _) | ("", 504) => Reason::Timeout,
        ("", 503) => Reason::Other("ServiceUnavailable".into()),
        ("", code) => Reason::Other(code.to_string()),
        (word, _) => Reason::Other(word.to_owned()),
    }
}

/// 0.1 s, doubled each time up to 3 s, give or take a quarter: many clients shall not come back together.
pub(super) fn backoff(attempt: u32) -> Duration {
    let base = 100_u64.checked_shl(attempt.min(5)).unwrap_or(3000).min(3000);
    let mut random = [0_u8; 1];
    // Without randomness there is just no jitter.
    let _ = getrandom::fill(&mut random);
    Duration::from_millis(base * 3 / 4 + base * u64::from(random[0]) / 512)
}

/// Whether an error says that the connection was never made.
fn never_sent(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind as K;
    let mut at = Some(error);
    while let Some(e) = at {
        if let Some(io) = e.downcast_ref::<std::io::Error>()
            && matches!(
                io.kind(),
                K::ConnectionRefused
                    | K::HostUnreachable
                    | K::NetworkUnreachable
                    | K::NetworkDown
                    | K::AddrNotAvailable
            )
        {
            return true;
        }
        let text = e.to_string();
        if text.contains("dns error") || text.contains("client error (Connect)") || text.contains("tcp connect error") {
            return true;
        }
        at = e.source();
    }
    false
}

/// The cause at the bottom says most; what stands above is the plumbing.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut at = error;
    let mut refused = None;
    while let Some(e) = at.source() {
        at = e;
        if let Some(io) = e.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::ConnectionRefused
        {
            refused = Some("dial tcp: connect: connection refused");
        }
    }
    refused.map_or_else(|| at.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_one_at_a_time() {
        let limit = Limit { per_second: 0.1, burst: 2.0, left: Mutex::new((2.0, Instant::now())) };
        assert_eq!([limit.wait(), limit.wait()], [Duration::ZERO; 2]);
        let waits = [limit.wait(), limit.wait()].map(|w| w.as_secs());
        assert!((5..=10).contains(&waits[0]) && (15..=20).contains(&waits[1]), "{waits:?}");
        // After a while it is full again, and not fuller.
        limit.left.lock().unwrap().1 -= Duration::from_secs(60);
        assert_eq!([limit.wait(), limit.wait()], [Duration::ZERO; 2]);
        assert!(limit.wait() > Duration::ZERO);
    }

    use crate::cluster::Gvk;

    fn call() -> Call {
        Call::get(Verb::Patch, "/x").about(&ObjectId::new(Gvk::new("apps", "v1", "Deployment"), Some("ns"), "web"))
    }

    #[test]
    fn an_answer_becomes_an_error_that_says_what_was_asked() {
        let status = |reason: &str, code: u16, message: &str| {
            serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code, "message": message})
                .to_string()
        };
        for (code, body, reason, message) in [
            (
                404,
                status("NotFound", 404, "deployments.apps \"web\" not found"),
                Reason::NotFound,
                "deployments.apps \"web\" not found",
            ),
            (
                404,
                "404 page not found".into(),
                Reason::NotFound,
                "the server could not find the requested resource (patch Deployment ns/web)",
            ),
            (
                500,
                status("InternalError", 500, "etcdserver: request is too large"),
                Reason::TooLarge,
                "etcdserver: request is too large",
            ),
            (
                502,
                "<html>\nbad gateway".into(),
                Reason::Other("502".into()),
                "an error on the server (\"<html>\") has prevented the request from succeeding (patch Deployment ns/web)",
            ),
            (403, status("Forbidden", 403, "exceeded quota: q"), Reason::Forbidden, "exceeded quota: q"),
            (
                429,
                String::new(),
                Reason::TooManyRequests,
                "the server has received too many requests and has asked us to try again later (patch Deployment ns/web)",
            ),
            (
                418,
                status("Teapot", 418, ""),
                Reason::Other("Teapot".into()),
                "the server answered 418 Teapot (patch Deployment ns/web)",
            ),
        ] {
            let error = refused(&call(), code, body.as_bytes());
            assert_eq!((error.reason, error.code, error.message.as_str()), (reason, code, message));
            assert_eq!(error.verb, Verb::Patch);
        }
    }

    #[test]
    fn waits_grow_and_stay_bounded() {
        for attempt in 0..100 {
            let wait = backoff(attempt);
            assert!(wait >= Duration::from_millis(75) && wait <= Duration::from_millis(3750), "{attempt}: {wait:?}");
        }
        assert!(backoff(4) > backoff(0));
    }
}
