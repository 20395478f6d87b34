//! A proxy in front of the real API server that breaks things on purpose, and counts what passes.
//!
//! ```ignore
//! let proxy = Proxy::start(ns.plane());
//! proxy.inject(Fault::on("PATCH", "/configmaps/a").times(1).answer(429, Some(1)));
//! ns.run_with(&proxy.connection(&ns.connection()), async |cluster| …);
//! assert_eq!(proxy.seen("PATCH", "/configmaps/a"), 2);
//! ```

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use pintle::cluster::kube::Connection;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::cluster::{ControlPlane, runtime};

/// What becomes of a request.
#[derive(Clone, Debug)]
enum Act {
    /// This status and body instead of the server's answer; it never sees the request.
    Answer { status: u16, retry_after: Option<u64>, body: String },
    /// The connection breaks before the server sees anything.
    DropBefore,
    /// The server does it, but its answer is lost.
    DropAfter,
    /// A watch that begins well and then says 410.
    Expire,
}

/// A fault that waits for its request.
#[derive(Clone, Debug)]
pub struct Fault {
    method: String,
    path: String,
    times: usize,
    act: Act,
}

impl Fault {
    /// For the next request of a method whose address (with its query) contains a text.
    pub fn on(method: &str, path: &str) -> Self {
        Self { method: method.into(), path: path.into(), times: 1, act: Act::DropBefore }
    }

    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// A `Status` of this code.
    pub fn answer(self, status: u16, retry_after: Option<u64>, reason: &str, message: &str) -> Self {
        let body = serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status,
            "reason": reason, "message": message});
        Self { act: Act::Answer { status, retry_after, body: body.to_string() }, ..self }
    }

    pub fn drop_before(self) -> Self {
        Self { act: Act::DropBefore, ..self }
    }

    pub fn drop_after(self) -> Self {
        Self { act: Act::DropAfter, ..self }
    }

    pub fn expire(self) -> Self {
        Self { act: Act::Expire, ..self }
    }
}

pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    /// Whether the proxy is up.
    up: watch::Sender<bool>,
    _runtime: Option<tokio::runtime::Runtime>,
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    faults: Mutex<Vec<Fault>>,
    seen: Mutex<Vec<(String, String)>>,
}

impl Proxy {
    pub fn start(plane: &ControlPlane) -> Self {
        let certificate = std::fs::read(plane.certificate().0).expect("the certificate");
        let mut client = reqwest::Client::builder();
        for certificate in reqwest::Certificate::from_pem_bundle(&certificate).expect("certificates") {
            client = client.add_root_certificate(certificate);
        }
        let shared = Arc::new(Shared {
            upstream: plane.url(),
            client: client.build().expect("a client"),
            faults: Mutex::default(),
            seen: Mutex::default(),
        });
        let (up, state) = watch::channel(true);
        let runtime = runtime();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        runtime.spawn(serve(listener, port, shared.clone(), state));
        Self { port, shared, up, _runtime: Some(runtime) }
    }

    pub fn connection(&self, of: &Connection) -> Connection {
        Connection { api_server: Some(format!("http://127.0.0.1:{}", self.port)), ..of.clone() }
    }

    pub fn inject(&self, fault: Fault) {
        self.shared.faults.lock().unwrap().push(fault);
    }

    /// How often such a request came, refused ones included.
    pub fn seen(&self, method: &str, path: &str) -> usize {
        self.shared.seen.lock().unwrap().iter().filter(|(m, p)| m == method && p.contains(path)).count()
    }

    /// All requests that came.
    pub fn requests(&self) -> usize {
        self.shared.seen.lock().unwrap().len()
    }

    /// Nobody listens for this time, and what was open breaks.
    pub async fn outage(&self, time: Duration) {
        self.up.send_replace(false);
        tokio::time::sleep(time).await;
        self.up.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self._runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(first: TcpListener, port: u16, shared: Arc<Shared>, mut state: watch::Receiver<bool>) {
    let mut listener = Some(first);
    loop {
        if !*state.borrow_and_update() {
            listener = None;
            let _ = state.changed().await;
            continue;
        }
        let open = match listener.take() {
            Some(open) => open,
            None => match TcpListener::bind(("127.0.0.1", port)).await {
                Ok(open) => open,
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        tokio::select! {
            accepted = open.accept() => {
                if let Ok((stream, _)) = accepted {
                    let (shared, mut state) = (shared.clone(), state.clone());
                    tokio::spawn(async move {
                        tokio::select! {
                            _ = connection(stream, &shared) => {}
                            _ = state.wait_for(|up| !up) => {}
                        }
                    });
                }
                listener = Some(open);
            }
            _ = state.changed() => listener = Some(open),
        }
    }
}

/// One connection, request after request; an error ends it.
async fn connection(stream: TcpStream, shared: &Shared) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let mut words = line.split_whitespace();
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut request = shared.client.request(method.parse().ok()?, format!("{}{path}", shared.upstream));
        let mut length = 0;
        loop {
            let mut header = String::new();
            stream.read_line(&mut header).await.ok()?;
            let Some((name, value)) = header.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().ok()?,
                "host" | "connection" | "accept-encoding" => {}
                _ => request = request.header(name, value),
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        shared.seen.lock().unwrap().push((method.clone(), path.clone()));
        let fault = {
            let mut faults = shared.faults.lock().unwrap();
            let found = faults.iter().position(|f| f.times > 0 && f.method == method && path.contains(&f.path));
            found.map(|i| {
                faults[i].times -= 1;
                faults[i].act.clone()
            })
        };
        match fault {
            Some(Act::DropBefore) => return None,
            Some(Act::Answer { status, retry_after, body }) => {
                let after = retry_after.map_or_else(String::new, |s| format!("retry-after: {s}\r\n"));
                let head = format!(
                    "HTTP/1.1 {status} Injected\r\ncontent-type: application/json\r\n{after}content-length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all(format!("{head}{body}").as_bytes()).await.ok()?;
                continue;
            }
            Some(Act::Expire) => {
                let gone = serde_json::json!({"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1",
                    "status": "Failure", "code": 410, "reason": "Expired", "message": "too old resource version"}});
                let body = format!("{gone}\n");
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all(format!("{head}{body}").as_bytes()).await.ok()?;
                continue;
            }
            _ => {}
        }
        let answer = request.body(body).send().await.ok()?;
        if matches!(fault, Some(Act::DropAfter)) {
            let _ = answer.bytes().await;
            return None;
        }
        let mut head = format!("HTTP/1.1 {} Passed\r\ntransfer-encoding: chunked\r\n", answer.status().as_u16());
        for name in ["content-type", "retry-after"] {
            if let Some(value) = answer.headers().get(name) {
                head.push_str(&format!("{name}: {}\r\n", value.to_str().ok()?));
            }
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).await.ok()?;
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.ok()?;
            if !chunk.is_empty() {
                stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await.ok()?;
                stream.write_all(&chunk).await.ok()?;
                stream.write_all(b"\r\n").await.ok()?;
            }
        }
        stream.write_all(b"0\r\n\r\n").await.ok()?;
    }
}
