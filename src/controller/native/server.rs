//! The server of artifacts: plain files below the storage path, to be read and nothing else.
//!
//! A request names `<kind>/<namespace>/<name>/<file>` and gets that file, or 404: folders are not listed, names that begin with a dot are not
//! served, and links lead no further than the artifact's own folder. There is no password, as in Flux: a NetworkPolicy says who may come.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use futures::stream;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::store::Store;
use crate::golang::url::{Mode, unescape};

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// Serves a store's artifacts until `stop` is done. Requests under way are then answered to their end.
///
/// # Errors
/// The listener's.
pub async fn serve(
    listener: TcpListener,
    store: Arc<Store>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = Router::new().fallback(answer).with_state(store);
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

/// Listens where `--storage-addr` says; `:9090` is every address.
///
/// # Errors
/// The system's.
pub async fn listen(address: &str) -> io::Result<(TcpListener, SocketAddr)> {
    let address = if address.starts_with(':') { format!("0.0.0.0{address}") } else { address.to_string() };
    let listener = TcpListener::bind(&address).await?;
    let local = listener.local_addr()?;
    Ok((listener, local))
}

fn refused(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{status}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

async fn answer(State(store): State<Arc<Store>>, request: Request) -> Response<Body> {
    let head = match *request.method() {
        Method::GET => false,
        Method::HEAD => true,
        _ => return refused(StatusCode::METHOD_NOT_ALLOWED),
    };
    match file(&store, request.uri().path()).await {
        Some((file, size, modified, kind)) => {
            let body = if head { Body::empty() } else { body(file, size) };
            let mut response = Response::new(body);
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
            if let Some(modified) = modified.and_then(|m| HeaderValue::from_str(&m).ok()) {
                headers.insert(header::LAST_MODIFIED, modified);
            }
            response
        }
        None => refused(StatusCode::NOT_FOUND),
    }
}

/// The file that a URL's path names, with its size, time and type.
async fn file(store: &Store, path: &str) -> Option<(File, u64, Option<String>, &'static str)> {
    let path = String::from_utf8(unescape(path.as_bytes(), Mode::PathSegment).ok()?).ok()?;
    let local = store.local(path.strip_prefix('/')?)?;
    let real = tokio::fs::canonicalize(&local).await.ok()?;
    if real.parent() != local.parent() {
        return None;
    }
    let file = File::open(&real).await.ok()?;
    let meta = file.metadata().await.ok().filter(std::fs::Metadata::is_file)?;
    let modified = meta.modified().ok().and_then(|t| jiff::Timestamp::try_from(t).ok());
    let modified = modified.map(|t| t.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    let kind = match local.extension().and_then(|e| e.to_str()) {
        Some("gz" | "tgz") => "application/gzip",
        Some("yaml") => "text/yaml; charset=utf-8",
        _ => "application/octet-stream",
    };
    Some((file, meta.len(), modified, kind))
}

/// A file as a body, piece by piece.
fn body(file: File, size: u64) -> Body {
    Body::from_stream(stream::try_unfold((file, size), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let mut chunk = vec![0; CHUNK.min(usize::try_from(left).unwrap_or(CHUNK))];
        let n = file.read(&mut chunk).await?;
        if n == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        chunk.truncate(n);
        io::Result::Ok(Some((Bytes::from(chunk), (file, left - n as u64))))
    }))
}
