//! Why a server hung up.
//!
//! In TLS 1.3 a server judges the client's certificate after the client thinks that the handshake is over: its alert then meets the request on
//! the way, and a client that fails in writing never reads it; all that is known is «broken pipe». So the server is asked once more, by a
//! handshake that only listens: what it says then is the reason.

use std::io::Read;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, Stream};

use super::transfer::unreachable;
use crate::source::{Reason, SourceError, Tls};

const PATIENCE: Duration = Duration::from_secs(3);

/// The error of a request that got no answer, with the server's TLS alert where there was one.
pub async fn failed(url: &Url, tls: &Tls, e: &reqwest::Error) -> SourceError {
    let error = unreachable(url, e);
    // Who could not connect met nobody who could tell.
    if error.reason != Reason::Unreachable || e.is_connect() || url.scheme() != "https" {
        return error;
    }
    let (at, identity) = (url.clone(), tls.identity.clone());
    let tls = Tls { ca: None, identity, insecure_skip_verify: true };
    match tokio::task::spawn_blocking(move || listen(&at, &tls)).await {
        Ok(Some(alert)) => SourceError::new(Reason::Tls, url.as_str(), alert)
            .hint("give a client certificate that the server accepts with --cert-file and --key-file"),
        _ => error,
    }
}

/// The alert with which the server answers a handshake, if it does. Nothing is sent after it.
fn listen(url: &Url, tls: &Tls) -> Option<String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)));
    let config = match &tls.identity {
        Some((chain, key)) => {
            let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().ok()?;
            config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).ok()?).ok()?
        }
        None => config.with_no_client_auth(),
    };
    let host = url.host_str()?;
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_string()).ok()?;
    let addresses = (host.trim_matches(['[', ']']), url.port_or_known_default()?).to_socket_addrs().ok()?;
    let mut socket = addresses.into_iter().find_map(|a| TcpStream::connect_timeout(&a, PATIENCE).ok())?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.set_write_timeout(Some(PATIENCE)).ok()?;
    let mut connection = ClientConnection::new(Arc::new(config), name).ok()?;
    let error = Stream::new(&mut connection, &mut socket).read(&mut [0]).err()?;
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        e @ rustls::Error::AlertReceived(_) => Some(e.to_string()),
        _ => None,
    }
}

/// Listens to anyone: whether the server is who it should be was judged before, and nothing is told to it here.
#[derive(Debug)]
struct Anyone(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
