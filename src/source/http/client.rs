//! Building clients.

use std::time::Duration;

use reqwest::{Certificate, Client, Identity};

use crate::source::{Reason, SourceError, Tls};

/// `pintle/0.1.0`.
pub const USER_AGENT: &str = concat!("pintle/", env!("CARGO_PKG_VERSION"));

const CONNECT: Duration = Duration::from_secs(15);

/// Without redirects: [`super::redirect`] follows them.
fn builder() -> reqwest::ClientBuilder {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT)
        .pool_idle_timeout(Duration::from_secs(30))
}

/// A client for plain HTTP: it trusts nobody.
pub fn plain() -> Result<Client, SourceError> {
    builder().tls_certs_only([]).build().map_err(|e| wrong(format!("can't create a client: {e}")))
}

/// A client for a TLS configuration.
pub fn build(tls: &Tls) -> Result<Client, SourceError> {
    let mut builder = builder();
    if let Some(ca) = &tls.ca {
        let certs = Certificate::from_pem_bundle(ca).ok().filter(|c| !c.is_empty());
        let Some(certs) = certs else {
            return Err(wrong("the CA bundle has no certificate in PEM").hint("check --ca-file"));
        };
        builder = builder.tls_certs_only(certs);
    }
    if let Some((cert, key)) = &tls.identity {
        let mut pem = cert.clone();
        pem.push(b'\n');
        pem.extend_from_slice(key.expose().as_bytes());
        let identity = Identity::from_pem(&pem).map_err(|_| {
            wrong("the client certificate or its key is not PEM").hint("check --cert-file and --key-file")
        })?;
        builder = builder.identity(identity);
    }
    if tls.insecure_skip_verify {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    builder.build().map_err(|e| {
        let why = std::error::Error::source(&e).map(ToString::to_string).unwrap_or_default();
        wrong(format!("can't create TLS config for client: {why}")).hint("check --ca-file, --cert-file and --key-file")
    })
}

fn wrong(message: impl Into<String>) -> SourceError {
    SourceError::new(Reason::Tls, "", message)
}
