//! One repository of a registry, by the OCI distribution API.
//!
//! Requests go through the clients that everything else of this room uses, so that certificates, deadlines, redirects without credentials
//! and bounds are the same here. (`oci-client` takes no client certificates, reads bodies without a bound and follows redirects by itself.)
//! A registry that wants to know us answers 401 with a challenge; the request is then repeated with a
//! password or with a token for exactly this repository.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LINK, LOCATION, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode, Url};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::auth::{self, Challenge, Login};
use crate::source::http::{Http, Request, Stored, Trail, pause, retry_after};
use crate::source::secret::redact;
use crate::source::{Context, Credentials, Digest, OciRef, Options, Reason, Secret, SourceError};

/// The most bytes of a manifest: what registries themselves take.
pub const MAX_MANIFEST: u64 = 4 << 20;
/// The most bytes of one page of tags, and of a token.
const MAX_PAGE: u64 = 16 << 20;
/// The most pages of tags; a registry that has no end is wrong.
const MAX_PAGES: usize = 10_000;

pub struct Repository {
    base: Url,
    host: String,
    pub name: String,
    client: reqwest::Client,
    context: Context,
    options: Options,
    /// The `Authorization` that the registry accepted, with what it is good for.
    authorization: Mutex<Option<Credentials>>,
    plain: bool,
}

/// A request without its credentials.
struct Ask<'a> {
    method: Method,
    url: Url,
    accept: Option<&'a str>,
    content_type: Option<&'a str>,
    body: Option<&'a [u8]>,
    push: bool,
}

impl Repository {
    /// # Errors
    /// The options name certificates that can't be used, or the reference's host is none.
    pub fn new(reference: &OciRef, context: &Context) -> Result<Self, SourceError> {
        Self::at(&reference.registry, &reference.repository, context)
    }

    /// # Errors
    /// As [`Self::new`].
    pub fn at(host: &str, name: &str, context: &Context) -> Result<Self, SourceError> {
        let options = (*context.options).clone();
        let scheme = if options.plain_http { "http" } else { "https" };
        let real = if host == "docker.io" { "registry-1.docker.io" } else { host };
        let base = Url::parse(&format!("{scheme}://{real}/"))
            .map_err(|e| SourceError::new(Reason::Reference, host, format!("not a registry's host: {e}")))?;
        if !base.username().is_empty() || base.path() != "/" {
            return Err(SourceError::new(Reason::Reference, host, "not a registry's host"));
        }
        let client = context.clients.get(&options.tls)?;
        let plain = options.plain_http;
        let context = context.clone();
        Ok(Self {
            base,
            host: host.into(),
            name: name.into(),
            client,
            context,
            options,
            authorization: Mutex::default(),
            plain,
        })
    }

    /// `oci://host/path`.
    pub fn place(&self) -> String {
        format!("oci://{}/{}", self.host, self.name)
    }

    fn url(&self, tail: &str) -> Result<Url, SourceError> {
        let path = format!("v2/{}/{tail}", self.name);
        self.base.join(&path).map_err(|e| SourceError::new(Reason::Reference, self.place(), format!("not a URL: {e}")))
    }

    /// Asks whether we may talk to the registry at all (`registry login`).
    ///
    /// # Errors
    /// [`Reason::Unauthorized`] above all.
    pub async fn ping(&self) -> Result<(), SourceError> {
        let url = self.base.join("v2/").map_err(|e| SourceError::new(Reason::Reference, &self.host, e.to_string()))?;
        let ask = Ask { method: Method::GET, url, accept: None, content_type: None, body: None, push: false };
        let response = self.send(&ask).await?;
        if response.status().is_success() { Ok(()) } else { Err(self.refused(&ask.url, response).await) }
    }

    /// The digest that a tag points to now, by HEAD; a registry that can't say it is asked for the manifest.
    ///
    /// # Errors
    /// [`Reason::NotFound`] and those of the network.
    pub async fn head(&self, reference: &str) -> Result<Digest, SourceError> {
        let url = self.url(&format!("manifests/{reference}"))?;
        let accept = Some(super::manifest::ACCEPT);
        let ask = Ask { method: Method::HEAD, url, accept, content_type: None, body: None, push: false };
        let response = self.send(&ask).await?;
        let status = response.status();
        if status.is_success()
            && let Some(digest) = digest_header(response.headers())
        {
            return Ok(digest);
        }
        if status.is_success() || status == StatusCode::METHOD_NOT_ALLOWED {
            return Ok(Digest::of(&self.manifest(reference).await?));
        }
        Err(self.refused(&ask.url, response).await)
    }

    /// The bytes of a manifest. Named by a digest they are checked.
    ///
    /// # Errors
    /// [`Reason::NotFound`], [`Reason::TooLarge`], [`Reason::Digest`] and those of the network.
    pub async fn manifest(&self, reference: &str) -> Result<Vec<u8>, SourceError> {
        let url = self.url(&format!("manifests/{reference}"))?;
        let accept = Some(super::manifest::ACCEPT);
        let ask = Ask { method: Method::GET, url, accept, content_type: None, body: None, push: false };
        let (bytes, _) = self.bytes(&ask, MAX_MANIFEST).await?;
        if let Ok(digest) = reference.parse::<Digest>() {
            digest.check(&bytes, &format!("{}@{reference}", self.place()))?;
        }
        Ok(bytes)
    }

    /// A blob, whole and checked.
    ///
    /// # Errors
    /// [`Reason::Digest`], [`Reason::Truncated`], [`Reason::TooLarge`] and those of the network.
    pub async fn blob(&self, digest: &Digest, size: u64, limit: u64) -> Result<Vec<u8>, SourceError> {
        let place = format!("{}@{digest}", self.place());
        if size > limit {
            return Err(SourceError::new(Reason::TooLarge, place, format!("it has {size} bytes, more than {limit}")));
        }
        let url = self.url(&format!("blobs/{digest}"))?;
        let mut options = self.options.clone();
        options.credentials = self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A header alone keeps credentials with the registry; redirects to storage go without.
        options.pass_credentials = false;
        let http = Http::new(&self.context.clients, &options)?;
        let mut sink = Stored::new(size);
        let request = Request { url: url.as_str(), limit: size, ..Request::default() };
        let result = match http.get(&request, &mut sink).await {
            Err(e) if e.reason == Reason::Unauthorized => {
                // The first request to this registry, or a token that ran out.
                let ask = Ask {
                    method: Method::HEAD,
                    url: url.clone(),
                    accept: None,
                    content_type: None,
                    body: None,
                    push: false,
                };
                if self.send(&ask).await?.status() == StatusCode::UNAUTHORIZED {
                    return Err(e);
                }
                options.credentials = self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone();
                sink = Stored::new(size);
                Http::new(&self.context.clients, &options)?.get(&request, &mut sink).await
            }
            other => other,
        };
        result?;
        let bytes = sink.into_bytes();
        if bytes.len() as u64 != size {
            let message = format!("the blob has {} bytes, its manifest says {size}", bytes.len());
            return Err(SourceError::new(Reason::Digest, place, message));
        }
        digest.check(&bytes, &place)?;
        Ok(bytes)
    }

    /// The list of artifacts that refer to a manifest; `None` if the registry keeps no such list.
    ///
    /// # Errors
    /// Those of the network.
    pub async fn referrers(&self, digest: &Digest) -> Result<Option<Vec<u8>>, SourceError> {
        let url = self.url(&format!("referrers/{digest}"))?;
        let accept = Some(super::manifest::IMAGE_INDEX);
        let ask = Ask { method: Method::GET, url, accept, content_type: None, body: None, push: false };
        match self.bytes(&ask, MAX_MANIFEST).await {
            Ok((bytes, headers)) => {
                // Some registries answer what they don't know with a page for people.
                let kind = headers.get(CONTENT_TYPE).and_then(|c| c.to_str().ok()).unwrap_or_default();
                Ok(kind.starts_with(super::manifest::IMAGE_INDEX).then_some(bytes))
            }
            Err(e) if matches!(e.reason, Reason::NotFound | Reason::Status) && e.retry_after.is_none() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// All tags, page by page, as the registry orders them.
    ///
    /// # Errors
    /// [`Reason::NotFound`], [`Reason::Malformed`] and those of the network.
    pub async fn tags(&self) -> Result<Vec<String>, SourceError> {
        #[derive(serde::Deserialize)]
        struct Page {
            tags: Option<Vec<String>>,
        }
        let mut url = self.url("tags/list?n=1000")?;
        let mut out = Vec::new();
        let malformed = |why: String| SourceError::new(Reason::Malformed, self.place(), why);
        for _ in 0..MAX_PAGES {
            let ask = Ask {
                method: Method::GET,
                url: url.clone(),
                accept: None,
                content_type: None,
                body: None,
                push: false,
            };
            let (bytes, headers) = self.bytes(&ask, MAX_PAGE).await?;
            let page: Page =
                serde_json::from_slice(&bytes).map_err(|e| malformed(format!("the list of tags is no JSON: {e}")))?;
            out.extend(page.tags.unwrap_or_default());
            let Some(next) = headers.get(LINK).and_then(|l| l.to_str().ok()).and_then(next_page) else {
                return Ok(out);
            };
            let next = url.join(next).map_err(|e| malformed(format!("the next page of tags is no URL: {e}")))?;
            if next == url || next.host() != url.host() || next.port_or_known_default() != url.port_or_known_default() {
                return Err(malformed("the next page of tags lies elsewhere".into()));
            }
            url = next;
        }
        Err(malformed("the list of tags has no end".into()))
    }

    /// Uploads a blob unless it is there.
    ///
    /// # Errors
    /// [`Reason::Unauthorized`], [`Reason::Forbidden`] and those of the network.
    pub async fn push_blob(&self, bytes: &[u8]) -> Result<Digest, SourceError> {
        let digest = Digest::of(bytes);
        let ask = |method, url| Ask { method, url, accept: None, content_type: None, body: None, push: true };
        let there = self.send(&ask(Method::HEAD, self.url(&format!("blobs/{digest}"))?)).await?;
        if there.status().is_success() {
            return Ok(digest);
        }
        let start = Ask { body: Some(b""), ..ask(Method::POST, self.url("blobs/uploads/")?) };
        let response = self.send(&start).await?;
        if response.status() != StatusCode::ACCEPTED {
            return Err(self.refused(&start.url, response).await);
        }
        let location = response.headers().get(LOCATION).and_then(|l| l.to_str().ok());
        let place = location.and_then(|l| start.url.join(l).ok()).ok_or_else(|| {
            SourceError::new(Reason::Malformed, self.place(), "the registry does not say where to upload to")
        })?;
        let mut url = place;
        url.query_pairs_mut().append_pair("digest", &digest.to_string());
        let put = Ask { content_type: Some("application/octet-stream"), body: Some(bytes), ..ask(Method::PUT, url) };
        let response = self.send(&put).await?;
        if response.status() != StatusCode::CREATED {
            return Err(self.refused(&put.url, response).await);
        }
        Ok(digest)
    }

    /// Uploads a manifest under a tag or digest.
    ///
    /// # Errors
    /// As [`Self::push_blob`].
    pub async fn push_manifest(&self, reference: &str, media_type: &str, bytes: &[u8]) -> Result<Digest, SourceError> {
        let url = self.url(&format!("manifests/{reference}"))?;
        let ask = Ask {
            method: Method::PUT,
            url,
            accept: None,
            content_type: Some(media_type),
            body: Some(bytes),
            push: true,
        };
        let response = self.send(&ask).await?;
        if response.status() != StatusCode::CREATED {
            return Err(self.refused(&ask.url, response).await);
        }
        let digest = Digest::of(bytes);
        match digest_header(response.headers()) {
            Some(other) if other != digest => {
                let message = format!("the registry kept the manifest as {other}, it was sent as {digest}");
                Err(SourceError::new(Reason::Digest, self.place(), message))
            }
            _ => Ok(digest),
        }
    }

    async fn bytes(&self, ask: &Ask<'_>, limit: u64) -> Result<(Vec<u8>, HeaderMap), SourceError> {
        let end = Instant::now() + self.options.deadline;
        let late = || SourceError::new(Reason::Deadline, ask.url.as_str(), "the deadline passed");
        let response = self.send(ask).await?;
        if !response.status().is_success() {
            return Err(self.refused(&ask.url, response).await);
        }
        let headers = response.headers().clone();
        let bytes = timeout_at(end, body(response, limit, self.options.idle, &ask.url)).await.map_err(|_| late())??;
        Ok((bytes, headers))
    }

    /// Sends a request; answers a challenge, and tries again what may help to try again.
    async fn send(&self, ask: &Ask<'_>) -> Result<Response, SourceError> {
        let end = Instant::now() + self.options.deadline;
        let mut tries = 0;
        let mut challenged = false;
        loop {
            let late = || SourceError::new(Reason::Deadline, ask.url.as_str(), "the deadline passed");
            let wait = match timeout_at(end, self.attempt(ask)).await.map_err(|_| late())? {
                Ok(r) if r.status() == StatusCode::UNAUTHORIZED && !challenged => {
                    challenged = true;
                    match self.answer(&r, ask.push).await? {
                        true => continue,
                        false => return Ok(r),
                    }
                }
                Ok(r) if tries < self.options.retries && matches!(r.status().as_u16(), 429 | 502 | 503 | 504) => {
                    retry_after(r.headers()).map(|s| Duration::from_secs(s.max(1)))
                }
                Ok(r) => return Ok(r),
                // An address that never answered is most often a wrong one.
                Err(e) if e.transient() && tries < self.options.retries.min(2) => None,
                Err(e) => return Err(e),
            };
            let wait = wait.unwrap_or_else(|| pause(tries));
            tries += 1;
            if Instant::now() + wait >= end {
                return Err(late().hint("the server asks to wait longer than that"));
            }
            sleep(wait).await;
        }
    }

    /// One try, redirects included. Credentials stay with the registry.
    async fn attempt(&self, ask: &Ask<'_>) -> Result<Response, SourceError> {
        let mut trail = Trail::new(ask.url.clone(), false);
        loop {
            let at = trail.at().clone();
            let mut request = self.client.request(ask.method.clone(), at.clone());
            if let Some(accept) = ask.accept {
                request = request.header(ACCEPT, accept);
            }
            if let Some(content_type) = ask.content_type {
                request = request.header(CONTENT_TYPE, content_type);
            }
            if let Some(body) = ask.body {
                request = request.body(body.to_vec());
            }
            if trail.at_home() && self.is_home(&at) {
                let known = self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone();
                request = match known {
                    Some(Credentials::Basic { username, password }) => {
                        request.basic_auth(username, Some(password.expose()))
                    }
                    Some(Credentials::Bearer(token)) => {
                        let text = format!("Bearer {}", token.expose());
                        let mut value = HeaderValue::from_str(&text).map_err(|_| {
                            SourceError::new(
                                Reason::Malformed,
                                self.place(),
                                "the registry's token is no header's value",
                            )
                        })?;
                        value.set_sensitive(true);
                        request.header(AUTHORIZATION, value)
                    }
                    None => request,
                };
            }
            tracing::debug!(url = %redact(at.as_str()), method = %ask.method, "asking a registry");
            let idle = self.options.idle.max(Duration::from_secs(u64::from(ask.body.is_some()) * 60));
            let response = match timeout(idle, request.send()).await {
                Ok(Ok(response)) => response,
                Ok(Err(e)) => return Err(crate::source::http::failed(&at, &self.options.tls, &e).await),
                Err(_) => {
                    let message = format!("no answer within {} s", idle.as_secs_f32());
                    return Err(SourceError::new(Reason::Unreachable, at.as_str(), message));
                }
            };
            if !response.status().is_redirection() || ask.body.is_some() {
                return Ok(response);
            }
            trail.follow(response.headers().get(LOCATION).and_then(|l| l.to_str().ok()))?;
        }
    }

    fn is_home(&self, url: &Url) -> bool {
        url.scheme() == self.base.scheme()
            && url.host() == self.base.host()
            && url.port_or_known_default() == self.base.port_or_known_default()
    }

    /// Gets what the challenge asks for. False if we have nothing to answer it with.
    async fn answer(&self, response: &Response, push: bool) -> Result<bool, SourceError> {
        let headers = response.headers().get_all(WWW_AUTHENTICATE);
        let challenges: Vec<_> = headers.iter().filter_map(|h| Challenge::parse(h.to_str().ok()?)).collect();
        let bearer = challenges.iter().find(|c| matches!(c, Challenge::Bearer { .. }));
        let login = match &self.options.credentials {
            Some(c) => Some(Login::from(c)),
            None => {
                let (host, helm) = (self.host.clone(), self.options.registry_config.clone());
                // Credential helpers are programs: they may take their time.
                tokio::task::spawn_blocking(move || auth::configured(helm.as_deref(), &host)).await.unwrap_or(None)
            }
        };
        let credentials = match (bearer.or(challenges.first()), login) {
            (_, Some(Login::Bearer(token))) => Credentials::Bearer(token),
            (Some(Challenge::Basic), Some(Login::Basic(username, password))) => {
                Credentials::Basic { username, password }
            }
            (Some(Challenge::Bearer { realm, service, scope }), login) => {
                let scope = match (push, scope) {
                    (false, Some(scope)) => scope.clone(),
                    (false, None) => format!("repository:{}:pull", self.name),
                    (true, _) => format!("repository:{}:pull,push", self.name),
                };
                let scope = if self.name.is_empty() { String::new() } else { scope };
                Credentials::Bearer(self.token(realm, service.as_deref(), &scope, login).await?)
            }
            _ => return Ok(false),
        };
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(credentials);
        Ok(true)
    }

    /// Asks the token server.
    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: &str,
        login: Option<Login>,
    ) -> Result<Secret, SourceError> {
        #[derive(serde::Deserialize)]
        struct Answer {
            token: Option<String>,
            access_token: Option<String>,
        }
        let wrong = |why: String| SourceError::new(Reason::Malformed, realm, why);
        let mut url = Url::parse(realm).map_err(|e| wrong(format!("the registry's token server is no URL: {e}")))?;
        if !(url.scheme() == "https" || (self.plain && url.scheme() == "http")) {
            return Err(wrong("the registry names a token server without TLS: no password is sent there".into()));
        }
        let request = match login {
            Some(Login::Identity(token)) => {
                let mut form = Url::parse("form:?").map_err(|e| wrong(e.to_string()))?;
                form.query_pairs_mut()
                    .append_pair("grant_type", "refresh_token")
                    .append_pair("refresh_token", token.expose())
                    .append_pair("client_id", "pintle")
                    .append_pair("service", service.unwrap_or_default())
                    .append_pair("scope", scope);
                let body = form.query().unwrap_or_default().to_string();
                self.client.post(url.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
            }
            login => {
                {
                    let mut query = url.query_pairs_mut();
                    if let Some(service) = service {
                        query.append_pair("service", service);
                    }
                    if !scope.is_empty() {
                        query.append_pair("scope", scope);
                    }
                }
                let request = self.client.get(url.clone());
                match login {
                    Some(Login::Basic(user, password)) => request.basic_auth(user, Some(password.expose())),
                    _ => request,
                }
            }
        };
        let response = match request.send().await {
            Ok(response) => response,
            Err(e) => return Err(crate::source::http::failed(&url, &self.options.tls, &e).await),
        };
        if !response.status().is_success() {
            return Err(self.refused(&url, response).await);
        }
        let bytes = body(response, 1 << 20, self.options.idle, &url).await?;
        let answer: Answer = serde_json::from_slice(&bytes)
            .map_err(|_| wrong("the token server's answer is no JSON with a token".into()))?;
        let token = answer.token.or(answer.access_token).filter(|t| !t.is_empty());
        token.map(Secret::new).ok_or_else(|| wrong("the token server gave no token".into()))
    }

    /// What a status that is no success means, with the registry's own word.
    async fn refused(&self, url: &Url, response: Response) -> SourceError {
        let status = response.status();
        let head = response.headers().clone();
        let text = body(response, 64 << 10, Duration::from_secs(5), url).await.unwrap_or_default();
        let reason = match status.as_u16() {
            401 => Reason::Unauthorized,
            403 => Reason::Forbidden,
            404 => Reason::NotFound,
            429 => Reason::TooManyRequests,
            _ => Reason::Status,
        };
        let name = status.canonical_reason().unwrap_or_default();
        let said = registry_says(&text).map(|s| format!(": {s}")).unwrap_or_default();
        let mut error = SourceError::new(reason, url.as_str(), format!("{} {name}{said}", status.as_u16()));
        error.retry_after = (status.as_u16() == 429 || status.as_u16() == 503).then(|| retry_after(&head).unwrap_or(1));
        match reason {
            Reason::Unauthorized => error.hint(format!("log in: pintle registry login {}", self.host)),
            Reason::Forbidden => error.hint("these credentials may not do this"),
            _ => error,
        }
    }
}

async fn body(mut response: Response, limit: u64, idle: Duration, url: &Url) -> Result<Vec<u8>, SourceError> {
    let mut out = Vec::new();
    loop {
        match timeout(idle, response.chunk()).await {
            Ok(Ok(Some(chunk))) if (out.len() + chunk.len()) as u64 > limit => {
                return Err(SourceError::new(
                    Reason::TooLarge,
                    url.as_str(),
                    format!("it has more than {limit} bytes"),
                ));
            }
            Ok(Ok(Some(chunk))) => out.extend_from_slice(&chunk),
            Ok(Ok(None)) => return Ok(out),
            Ok(Err(_)) => return Err(SourceError::new(Reason::Truncated, url.as_str(), "the transfer broke off")),
            Err(_) => {
                let message = format!("nothing came for {} s", idle.as_secs_f32());
                return Err(SourceError::new(Reason::Truncated, url.as_str(), message));
            }
        }
    }
}

fn digest_header(headers: &HeaderMap) -> Option<Digest> {
    headers.get("docker-content-digest")?.to_str().ok()?.parse().ok()
}

/// `<URL>; rel="next"`.
fn next_page(link: &str) -> Option<&str> {
    let next = link.split(',').find(|part| part.contains("rel=\"next\"") || part.contains("rel=next"))?;
    next.trim().strip_prefix('<')?.split('>').next()
}

/// The first error of the distribution API's envelope, on one line.
fn registry_says(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Envelope {
        errors: Vec<Item>,
    }
    #[derive(serde::Deserialize)]
    struct Item {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let envelope: Envelope = serde_json::from_slice(body).ok()?;
    let item = envelope.errors.into_iter().next()?;
    let text = format!("{}: {}", item.code.to_ascii_lowercase(), item.message);
    Some(text.chars().filter(|c| !c.is_control()).take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found() {
        assert_eq!(next_page("</v2/a/tags/list?last=x&n=2>; rel=\"next\""), Some("/v2/a/tags/list?last=x&n=2"));
        assert_eq!(next_page("</a>; rel=\"prev\", </b>; rel=\"next\""), Some("/b"));
        assert_eq!(next_page("</a>; rel=\"prev\""), None);
        assert_eq!(next_page("rel=\"next\""), None);
    }

    #[test]
    fn the_registry_is_quoted_on_one_line() {
        let body = br#"{"errors":[{"code":"UNAUTHORIZED","message":"no\naccess","detail":[]}]}"#;
        assert_eq!(registry_says(body).unwrap(), "unauthorized: noaccess");
        assert_eq!(registry_says(b"<html>"), None);
        assert_eq!(registry_says(b"{\"errors\":[]}"), None);
    }
}
