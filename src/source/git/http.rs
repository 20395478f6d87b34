//! Git over http(s), spoken by `gix`.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gix::credentials::helper::Action;
use gix::protocol::handshake::Ref;
use gix::protocol::transport::client::blocking_io::http::{self as git_http, reqwest as git_reqwest};
use gix::remote::{Direction, fetch::Shallow, fetch::Tags};

use super::refs::RemoteRef;
use super::{Store, first_line};
use crate::source::secret::redact;
use crate::source::{Credentials, Options, Reason, SourceError, Tls};

/// Lists references.
pub async fn list(url: &str, names: Vec<String>, options: &Options) -> Result<Vec<RemoteRef>, SourceError> {
    let (url, options) = (url.to_string(), options.clone());
    let limits = Limits::of(&options, None);
    limits
        .watch(&url.clone(), move |_| {
            let store = Store::temporary()?;
            let repository = init(&store.dir, &url)?;
            // A specification for each name makes the server list only what we ask for.
            let specs: Vec<String> = names
                .iter()
                .map(|n| match n.strip_suffix('*') {
                    Some(prefix) => format!("+{n}:refs/pintle/{prefix}*"),
                    None => format!("+{n}:refs/pintle/{n}"),
                })
                .collect();
            let remote = repository.remote_at(url.as_str()).map_err(|e| failed(&url, &e))?;
            let remote = remote
                .with_fetch_tags(Tags::None)
                .with_refspecs(specs.iter().map(String::as_str), Direction::Fetch)
                .map_err(|e| failed(&url, &e))?;
            let connection = connect(&remote, &url, &options)?;
            let (map, _) = connection
                .ref_map(gix::progress::Discard, gix::remote::ref_map::Options::default())
                .map_err(|e| failed(&url, &e))?;
            Ok(map.remote_refs.into_iter().filter_map(remote_ref).collect())
        })
        .await
}

fn remote_ref(r: Ref) -> Option<RemoteRef> {
    let text = |s: gix::bstr::BString| s.to_string();
    Some(match r {
        Ref::Peeled { full_ref_name, tag, object } => RemoteRef {
            name: text(full_ref_name),
            commit: object.to_string(),
            tag: Some(tag.to_string()),
            target: None,
        },
        Ref::Direct { full_ref_name, object } => {
            RemoteRef { name: text(full_ref_name), commit: object.to_string(), tag: None, target: None }
        }
        Ref::Symbolic { full_ref_name, target, tag, object } => RemoteRef {
            name: text(full_ref_name),
            commit: object.to_string(),
            tag: tag.map(|t| t.to_string()),
            target: Some(text(target)),
        },
        Ref::Unborn { .. } => return None,
    })
}

/// Fetches one object with what it needs, without history.
pub async fn fetch(url: &str, want: &str, options: &Options) -> Result<Store, SourceError> {
    let (url, want, options) = (url.to_string(), want.to_string(), options.clone());
    let store = Store::temporary()?;
    let limits = Limits::of(&options, Some(&store.dir));
    limits
        .watch(&url.clone(), move |interrupt| {
            let repository = init(&store.dir, &url)?;
            let remote = repository.remote_at(url.as_str()).map_err(|e| failed(&url, &e))?;
            let spec = format!("+{want}:refs/pintle/want");
            let remote = remote
                .with_fetch_tags(Tags::None)
                .with_refspecs([spec.as_str()], Direction::Fetch)
                .map_err(|e| failed(&url, &e))?;
            let connection = connect(&remote, &url, &options)?;
            connection
                .prepare_fetch(gix::progress::Discard, gix::remote::ref_map::Options::default())
                .map_err(|e| failed(&url, &e))?
                .with_shallow(Shallow::DepthAtRemote(NonZeroU32::MIN))
                .receive(gix::progress::Discard, interrupt)
                .map_err(|e| failed(&url, &e))?;
            drop(remote);
            Ok(store)
        })
        .await
}

fn init(dir: &Path, url: &str) -> Result<gix::Repository, SourceError> {
    let create = gix::create::Options { destination_must_be_empty: Some(true), ..gix::create::Options::default() };
    let made =
        gix::ThreadSafeRepository::init_opts(dir, gix::create::Kind::Bare, create, gix::open::Options::isolated());
    made.map(Into::into).map_err(|e| SourceError::new(Reason::Disk, redact(url), format!("no place for objects: {e}")))
}

type Connection<'r, 'p> =
    gix::remote::Connection<'r, 'p, 'p, Box<dyn gix::protocol::transport::client::blocking_io::Transport + Send>>;

fn connect<'r, 'p>(
    remote: &'r gix::Remote<'p>,
    url: &str,
    options: &Options,
) -> Result<Connection<'r, 'p>, SourceError> {
    let connection = remote.connect(Direction::Fetch).map_err(|e| failed(url, &e))?;
    let mut http = git_http::Options::default();
    let login = match options.credentials.clone() {
        Some(Credentials::Bearer(token)) => {
            if token.expose().contains(|c: char| c.is_control()) {
                return Err(SourceError::new(
                    Reason::Unauthorized,
                    redact(url),
                    "the token has a line break or control character",
                ));
            }
            // Only TLS may carry it; gix holds passwords to the same rule.
            if !url.starts_with("https://") {
                return Err(SourceError::new(Reason::Unauthorized, redact(url), "a token is not sent without TLS"));
            }
            http.extra_headers.push(format!("Authorization: Bearer {}", token.expose()));
            None
        }
        Some(Credentials::Basic { username, password }) => Some((username, password)),
        None => None,
    };
    let (tls, idle) = (options.tls.clone(), options.idle);
    let client = git_reqwest::Options {
        configure_client: Some(Box::new(move |builder| configure(builder, &tls, idle))),
        configure_request: None,
    };
    http.backend = Some(Arc::new(Mutex::new(client)));
    let connection =
        connection.with_transport_options(Box::new(http)).with_credentials(move |action| match (action, &login) {
            (Action::Get(context), Some((username, password))) => Ok(Some(gix::credentials::protocol::Outcome {
                identity: gix::sec::identity::Account {
                    username: username.clone(),
                    password: password.expose().to_string(),
                    oauth_refresh_token: None,
                },
                next: context.into(),
            })),
            _ => Ok(None),
        });
    Ok(connection)
}

fn configure(
    builder: reqwest::blocking::ClientBuilder,
    tls: &Tls,
    idle: Duration,
) -> Result<reqwest::blocking::ClientBuilder, gix::Error> {
    let mut builder = builder.timeout(idle).referer(false);
    if let Some(ca) = &tls.ca {
        builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(ca).map_err(gix::Error::from_error)?);
    }
    if let Some((cert, key)) = &tls.identity {
        let pem = [cert.as_slice(), b"\n", key.expose().as_bytes()].concat();
        builder = builder.identity(reqwest::Identity::from_pem(&pem).map_err(gix::Error::from_error)?);
    }
    Ok(builder.tls_danger_accept_invalid_certs(tls.insecure_skip_verify))
}

/// What ends a transfer from outside: gix itself knows no bounds.
struct Limits {
    deadline: Duration,
    bytes: u64,
    dir: Option<std::path::PathBuf>,
}

impl Limits {
    fn of(options: &Options, dir: Option<&Path>) -> Self {
        Self { deadline: options.deadline, bytes: options.max_artifact, dir: dir.map(Path::to_path_buf) }
    }

    /// Runs blocking work on a thread of its own, and interrupts it when it takes too long or too much.
    async fn watch<T: Send + 'static>(
        self,
        url: &str,
        work: impl FnOnce(&AtomicBool) -> Result<T, SourceError> + Send + 'static,
    ) -> Result<T, SourceError> {
        let interrupt = Arc::new(AtomicBool::new(false));
        let flag = interrupt.clone();
        let mut task = tokio::task::spawn_blocking(move || work(&flag));
        let begin = std::time::Instant::now();
        loop {
            match tokio::time::timeout(Duration::from_millis(100), &mut task).await {
                Ok(Ok(result)) => return result,
                Ok(Err(e)) => {
                    return Err(SourceError::new(Reason::Malformed, redact(url), format!("the transfer failed: {e}")));
                }
                Err(_) => {}
            }
            let late = begin.elapsed() > self.deadline;
            let large = self.dir.as_deref().map_or(0, size) > self.bytes;
            if late || large {
                interrupt.store(true, Ordering::Relaxed);
                return Err(if late {
                    SourceError::new(Reason::Deadline, redact(url), "the deadline passed")
                } else {
                    let message = format!("the commit has more than {} bytes, even packed", self.bytes);
                    SourceError::new(Reason::TooLarge, redact(url), message)
                });
            }
        }
    }
}

/// The bytes of the packs below a bare repository.
pub fn size(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir.join("objects/pack")) else { return 0 };
    entries.flatten().filter_map(|e| e.metadata().ok()).map(|m| m.len()).sum()
}

/// What gix says, in words of this room. The innermost cause tells most.
fn failed(url: &str, e: &gix::Error) -> SourceError {
    // The address may have any word in it.
    let whole = format!("{e:?}").replace(url, "");
    let has = |words: &[&str]| words.iter().any(|w| whole.contains(w));
    let error = |reason, text: &str| SourceError::new(reason, redact(url), text);
    let status = whole.split_once("Received HTTP status ").and_then(|(_, rest)| rest.get(..3)?.parse::<u16>().ok());
    let credentials = "give --username and --password, or a token as the password";
    match status {
        Some(401) => {
            return error(Reason::Unauthorized, "the server asks for credentials that it accepts").hint(credentials);
        }
        Some(403) => return error(Reason::Forbidden, "403 Forbidden").hint("these credentials may not read it"),
        Some(404) => return error(Reason::NotFound, "404 Not Found").hint("check the repository's URL"),
        Some(429) => return error(Reason::TooManyRequests, "429 Too Many Requests"),
        Some(status @ (500 | 502 | 503 | 504)) => {
            let error = error(Reason::Status, &format!("the server answers with status {status}"));
            return SourceError { retry_after: Some(1), ..error };
        }
        Some(status) => return error(Reason::Status, &format!("the server answers with status {status}")),
        None => {}
    }
    if has(&["clear text"]) {
        error(Reason::Unauthorized, "a password is not sent without TLS").hint("use https")
    } else if has(&["AuthenticationRequired", "authentication", "credentials"]) {
        error(Reason::Unauthorized, "the server asks for credentials that it accepts").hint(credentials)
    } else if has(&["not our ref", "upload-pack: not our"]) {
        error(Reason::NotFound, "the repository has no such commit, or does not give it out")
    } else if has(&["certificate", "UnknownIssuer", "Certificate", "HandshakeFailure"]) {
        let hint = "trust its CA with --ca-file, or give a client certificate with --cert-file and --key-file";
        error(Reason::Tls, &first_line(&innermost(e))).hint(hint)
    } else if has(&["(Connect)", "dns", "refused"]) {
        error(Reason::Unreachable, &first_line(&innermost(e)))
    } else if has(&["timed out", "TimedOut"]) {
        error(Reason::Deadline, "nothing came for too long")
    } else if has(&["before message length", "UnexpectedEof", "failed to fill whole buffer"]) {
        error(Reason::Truncated, "the transfer broke off")
    } else if has(&["SendRequest", "connection closed", "ConnectionReset", "ConnectionAborted", "BrokenPipe"]) {
        error(Reason::Unreachable, "the connection ended without an answer")
    } else if has(&["to indicate 'smart' protocol"]) {
        let hint = "check the repository's URL: it may have moved, or it leads to a page for people";
        error(Reason::Malformed, "the server does not answer as a Git server").hint(hint)
    } else {
        error(Reason::Malformed, &first_line(&innermost(e)))
    }
}

fn innermost(e: &gix::Error) -> String {
    let mut last: &dyn std::error::Error = e;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}
