//! HTTP for sources: one client per TLS configuration, and one way to fetch.
//!
//! Credentials go to the scheme, host and port that they were given for, and nowhere else: redirects are followed here, by hand, so that none
//! can carry them away. A transfer that breaks off goes on where it stopped if the server can; tries are spaced with jitter and as
//! `Retry-After` says; a deadline holds for all tries together, and a transfer that stands still is given up. Logs name URLs without user,
//! password and query.

mod alert;
mod client;
mod redirect;
mod retry;
mod sink;
mod transfer;

pub use alert::failed;
pub use redirect::Trail;
pub use retry::{after as retry_after, pause};
pub use sink::{Sink, Stored};
pub use transfer::{Answer, Request};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Credentials, Options, SourceError, Tls};

/// Clients by TLS configuration, shared by everything that fetches.
#[derive(Clone, Default)]
pub struct Clients(Arc<Mutex<HashMap<Tls, reqwest::Client>>>, Arc<Mutex<Option<reqwest::Client>>>);

impl Clients {
    /// The client for a TLS configuration. It follows no redirects, keeps connections, and has no timeouts but for connecting.
    ///
    /// # Errors
    /// [`Reason::Tls`](super::Reason::Tls): a certificate or key is no PEM, or does not fit.
    pub fn get(&self, tls: &Tls) -> Result<reqwest::Client, SourceError> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(tls) {
            return Ok(client.clone());
        }
        let client = client::build(tls)?;
        clients.insert(tls.clone(), client.clone());
        Ok(client)
    }

    /// The client for one URL: plain HTTP needs no TLS, whose trust roots take a while to read.
    fn for_url(&self, url: &reqwest::Url, tls: &Tls) -> Result<reqwest::Client, SourceError> {
        if url.scheme() == "https" {
            return self.get(tls);
        }
        let mut plain = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        match &*plain {
            Some(client) => Ok(client.clone()),
            None => Ok(plain.insert(client::plain()?).clone()),
        }
    }
}

/// Fetches with the options of one source.
#[derive(Clone)]
pub struct Http {
    clients: Clients,
    tls: Tls,
    credentials: Option<Credentials>,
    pass_credentials: bool,
    downgrade: bool,
    deadline: Duration,
    idle: Duration,
    retries: u32,
    progress: bool,
}

impl Http {
    /// # Errors
    /// As [`Clients::get`].
    pub fn new(clients: &Clients, options: &Options) -> Result<Self, SourceError> {
        Ok(Self {
            clients: clients.clone(),
            tls: options.tls.clone(),
            credentials: options.credentials.clone(),
            pass_credentials: options.pass_credentials,
            downgrade: options.tls.insecure_skip_verify,
            deadline: options.deadline,
            idle: options.idle,
            retries: options.retries,
            progress: options.progress,
        })
    }
}

/// Scheme, host and port: the reach of credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    pub fn of(url: &reqwest::Url) -> Self {
        Self {
            scheme: url.scheme().into(),
            host: url.host_str().unwrap_or_default().to_ascii_lowercase(),
            port: url.port_or_known_default(),
        }
    }
}
