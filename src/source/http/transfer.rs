//! One fetch with all its tries.

use std::time::Duration;

use reqwest::header::{
    ACCEPT, ACCEPT_RANGES, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_RANGE, LAST_MODIFIED, LOCATION, RANGE,
};
use reqwest::{Method, Response, StatusCode, Url};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::source::secret::redact;
use crate::source::{Credentials, Reason, SourceError};

use super::redirect::Trail;
use super::{Http, Origin, Sink, Stored, retry};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    pub url: &'a str,
    /// The URL that the credentials were given for, such as the repository's; `None` is `url` itself.
    pub scope: Option<&'a str>,
    pub accept: Option<&'a str>,
    /// Validators of what is known: the answer may be that nothing changed.
    pub etag: Option<&'a str>,
    pub last_modified: Option<&'a str>,
    /// The most bytes that are taken.
    pub limit: u64,
    /// Ask for the headers only.
    pub head: bool,
}

/// What came, beside the body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// 304: what is known still holds.
    pub not_modified: bool,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    /// Where the body came from after redirects, without credentials.
    pub url: String,
    pub length: Option<u64>,
}

/// What the tries so far have brought.
#[derive(Default)]
struct Progress {
    received: u64,
    /// A strong ETag of a server that can resume.
    resume: Option<String>,
    answered: bool,
}

impl Http {
    /// Fetches a body into a sink.
    ///
    /// # Errors
    /// A [`SourceError`] with the URL as its place, after the last try.
    pub async fn get(&self, request: &Request<'_>, sink: &mut dyn Sink) -> Result<Answer, SourceError> {
        let url = parse(request.url)?;
        let end = Instant::now() + self.deadline;
        let mut progress = Progress::default();
        let mut tries = 0;
        loop {
            let result = timeout_at(end, self.attempt(request, &url, sink, &mut progress)).await;
            let mut error = match result {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(e)) => e,
                Err(_) => return Err(self.late(&url, progress.received)),
            };
            if error.place.is_empty() && !error.message.starts_with("failed to fetch") {
                error.place = redact(url.as_str());
            }
            // An address that never answered is most often a wrong one.
            let most = if progress.answered { self.retries } else { self.retries.min(2) };
            if !error.transient() || tries >= most {
                return Err(error);
            }
            let wait = error.retry_after.map_or_else(|| retry::pause(tries), |s| Duration::from_secs(s.max(1)));
            if Instant::now() + wait >= end {
                return Err(match error.retry_after {
                    Some(s) => error.hint(format!("the server asks to wait {s} seconds, which is past the deadline")),
                    None => error,
                });
            }
            tracing::debug!(url = %redact(url.as_str()), try_ = tries + 1, wait_ms = wait.as_millis() as u64, reason = %error.message, "trying again");
            sleep(wait).await;
            tries += 1;
        }
    }

    /// Fetches a body into memory.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn bytes(&self, request: &Request<'_>) -> Result<(Vec<u8>, Answer), SourceError> {
        let mut sink = Stored::new(request.limit);
        let answer = self.get(request, &mut sink).await?;
        Ok((sink.into_bytes(), answer))
    }

    fn late(&self, url: &Url, received: u64) -> SourceError {
        let message = format!("the deadline of {} s passed after {received} bytes", self.deadline.as_secs_f32());
        SourceError::new(Reason::Deadline, url.as_str(), message)
            .hint("the server is too slow; give more time with --fetch-timeout")
    }

    async fn attempt(
        &self,
        request: &Request<'_>,
        url: &Url,
        sink: &mut dyn Sink,
        progress: &mut Progress,
    ) -> Result<Answer, SourceError> {
        let mut trail = Trail::new(url.clone(), self.downgrade);
        let mut response = loop {
            let response = self.send(request, &trail, progress).await?;
            progress.answered = true;
            if !response.status().is_redirection() || response.status() == StatusCode::NOT_MODIFIED {
                break response;
            }
            let location = response.headers().get(LOCATION).and_then(|l| l.to_str().ok()).map(String::from);
            trail.follow(location.as_deref())?;
            tracing::debug!(to = %redact(trail.at().as_str()), "redirected");
        };
        let status = response.status();
        tracing::debug!(url = %redact(trail.at().as_str()), status = status.as_u16(), "answered");
        let mut answer = Answer {
            not_modified: status == StatusCode::NOT_MODIFIED,
            etag: text(response.headers(), &ETAG),
            last_modified: text(response.headers(), &LAST_MODIFIED),
            url: redact(trail.at().as_str()),
            length: response.content_length(),
        };
        if answer.not_modified || (request.head && status.is_success()) {
            return Ok(answer);
        }
        let resumed = match status {
            StatusCode::PARTIAL_CONTENT if progress.received > 0 => {
                let start = format!("bytes {}-", progress.received);
                let range = text(response.headers(), &CONTENT_RANGE).unwrap_or_default();
                if !range.starts_with(&start) {
                    progress.resume = None;
                    return Err(broken(progress.received, "the server resumed at another place"));
                }
                tracing::debug!(at = progress.received, "resumed");
                true
            }
            StatusCode::OK => false,
            StatusCode::RANGE_NOT_SATISFIABLE => {
                progress.resume = None;
                return Err(broken(progress.received, "the server can't resume"));
            }
            _ => return Err(refused(url, &response)),
        };
        if !resumed {
            if progress.received > 0 {
                sink.restart()?;
                progress.received = 0;
            }
            let ranges = text(response.headers(), &ACCEPT_RANGES).is_some_and(|r| r == "bytes");
            progress.resume = answer.etag.clone().filter(|e| ranges && !e.starts_with("W/"));
        } else {
            answer.etag = progress.resume.clone();
        }
        if let Some(length) = answer.length.filter(|_| request.limit > 0)
            && length.saturating_add(progress.received) > request.limit
        {
            return Err(super::sink::too_large(request.limit));
        }
        let bar = bar(self.progress, progress.received, answer.length);
        loop {
            let chunk = match timeout(self.idle, response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => break,
                Ok(Err(e)) => return Err(broken(progress.received, &cause(&e))),
                Err(_) => {
                    return Err(broken(progress.received, &format!("nothing came for {} s", self.idle.as_secs_f32())));
                }
            };
            progress.received += chunk.len() as u64;
            if request.limit > 0 && progress.received > request.limit {
                return Err(super::sink::too_large(request.limit));
            }
            sink.chunk(&chunk)?;
            if let Some(bar) = &bar {
                bar.set_position(progress.received);
            }
        }
        Ok(answer)
    }

    async fn send(&self, request: &Request<'_>, trail: &Trail, progress: &Progress) -> Result<Response, SourceError> {
        let url = trail.at();
        let method = if request.head { Method::HEAD } else { Method::GET };
        let mut out = self.clients.for_url(url, &self.tls)?.request(method, url.clone());
        for (name, value) in [(ACCEPT, request.accept), (IF_NONE_MATCH, request.etag)] {
            if let Some(value) = value {
                out = out.header(name, value);
            }
        }
        if request.etag.is_none()
            && let Some(value) = request.last_modified
        {
            out = out.header(IF_MODIFIED_SINCE, value);
        }
        if progress.received > 0
            && let Some(etag) = &progress.resume
        {
            out = out.header(RANGE, format!("bytes={}-", progress.received)).header(IF_RANGE, etag);
        }
        if let Some(credentials) = self.credentials.as_ref().filter(|_| self.may_send(request, trail)) {
            out = match credentials {
                Credentials::Basic { username, password } if !username.is_empty() => {
                    out.basic_auth(username, Some(password.expose()))
                }
                Credentials::Basic { .. } => out,
                Credentials::Bearer(token) => out.bearer_auth(token.expose()),
            };
        }
        tracing::debug!(url = %redact(url.as_str()), "fetching");
        match timeout(self.idle, out.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(e)) => Err(super::failed(url, &self.tls, &e).await),
            Err(_) => {
                let message = format!("no answer within {} s", self.idle.as_secs_f32());
                Err(SourceError::new(Reason::Unreachable, url.as_str(), message))
            }
        }
    }

    /// Credentials go to the origin that they were given for; a redirect never takes them elsewhere.
    fn may_send(&self, request: &Request<'_>, trail: &Trail) -> bool {
        if !trail.at_home() {
            return false;
        }
        let scope = request.scope.map_or(Ok(trail.at().clone()), Url::parse);
        self.pass_credentials || scope.is_ok_and(|s| Origin::of(&s) == Origin::of(trail.at()))
    }
}

fn parse(text: &str) -> Result<Url, SourceError> {
    let url = Url::parse(text).map_err(|e| SourceError::new(Reason::Reference, text, format!("not a URL: {e}")))?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        return Ok(url);
    }
    Err(SourceError::new(Reason::Unsupported, text, format!("scheme \"{}\" not supported", url.scheme())))
}

fn text(headers: &HeaderMap<HeaderValue>, name: &HeaderName) -> Option<String> {
    // A header of that size is no validator but an attack on the cache.
    headers.get(name).and_then(|v| v.to_str().ok()).filter(|v| v.len() <= 1024).map(String::from)
}

fn broken(received: u64, why: &str) -> SourceError {
    SourceError::new(Reason::Truncated, "", format!("the transfer broke off after {received} bytes: {why}"))
}

/// A status that is no success, in Helm's words. The URL is the one that was asked for, as in Helm.
fn refused(asked: &Url, response: &Response) -> SourceError {
    let status = response.status();
    let reason = match status.as_u16() {
        401 => Reason::Unauthorized,
        403 => Reason::Forbidden,
        404 | 410 => Reason::NotFound,
        429 => Reason::TooManyRequests,
        _ => Reason::Status,
    };
    let text = match status.canonical_reason() {
        Some(name) => format!("{} {name}", status.as_u16()),
        None => status.as_u16().to_string(),
    };
    let mut error = SourceError::new(reason, "", format!("failed to fetch {} : {text}", redact(asked.as_str())));
    error.retry_after = match status.as_u16() {
        429 | 503 => Some(retry::after(response.headers()).unwrap_or(1)),
        408 | 425 | 500 | 502 | 504 => Some(1),
        _ => None,
    };
    match reason {
        Reason::Unauthorized => error.hint("give --username and --password"),
        Reason::Forbidden => error.hint("these credentials may not read it"),
        _ => error,
    }
}

/// A request that got no answer: TLS or the network.
pub fn unreachable(url: &Url, e: &reqwest::Error) -> SourceError {
    let why = cause(e);
    let tls = ["certificate", "tls", "handshake", "unknownissuer"].iter().any(|w| why.to_ascii_lowercase().contains(w));
    if tls {
        return SourceError::new(Reason::Tls, url.as_str(), why)
            .hint("trust its CA with --ca-file, or give a client certificate with --cert-file and --key-file");
    }
    SourceError::new(Reason::Unreachable, url.as_str(), why)
}

/// The innermost cause: what stands before it repeats the URL.
fn cause(e: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = e;
    while let Some(next) = last.source() {
        last = next;
    }
    let text = last.to_string();
    if std::ptr::eq(last, e as &dyn std::error::Error) { "the connection failed".into() } else { text }
}

/// A progress bar for a body that is long enough to wait for.
fn bar(wanted: bool, at: u64, rest: Option<u64>) -> Option<indicatif::ProgressBar> {
    const LONG: u64 = 4 << 20;
    let total = rest.filter(|n| wanted && *n > LONG)?.saturating_add(at);
    let style =
        indicatif::ProgressStyle::with_template("{bytes}/{total_bytes} {wide_bar} {bytes_per_sec} {eta}").ok()?;
    let bar = indicatif::ProgressBar::new(total).with_style(style).with_finish(indicatif::ProgressFinish::AndClear);
    bar.set_position(at);
    Some(bar)
}
