//! A web server that misbehaves as it is told: truncation, corruption, wrong lengths, refusals, redirects, slow drips, dead connections.
//!
//! One thread a connection; each request is answered by a script that knows the request and how many came for that path before it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub headers: HashMap<String, String>,
    /// How many requests for this path came before.
    pub nth: usize,
}

/// What the server does.
pub enum Reply {
    /// Status, headers, body; the length is right unless a header says another.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// As `Answer`, but the connection is closed after so many bytes of the body.
    Cut(u16, Vec<(&'static str, String)>, Vec<u8>, usize),
    /// A byte every so often.
    Drip(Vec<u8>, Duration),
    /// Says nothing for long.
    Hang,
    /// Closes at once.
    Close,
}

type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

pub struct Faults {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Faults {
    pub fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Script> = Arc::new(script);
        let log = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, log) = (script.clone(), log.clone());
                std::thread::spawn(move || drop(serve(stream, &*script, &log)));
            }
        });
        Self { url, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Serves files with ETags and ranges; `broken` decides first.
    pub fn files(
        files: Vec<(String, Vec<u8>)>,
        broken: impl Fn(&Asked, &[u8]) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |asked| {
            let Some((_, body)) = files.iter().find(|(path, _)| *path == asked.path) else {
                return Reply::Answer(404, vec![], b"no".to_vec());
            };
            broken(asked, body).unwrap_or_else(|| whole(asked, body))
        })
    }
}

/// A right answer.
pub fn whole(asked: &Asked, body: &[u8]) -> Reply {
    let etag = etag(body);
    let headers = vec![("etag", etag.clone()), ("accept-ranges", "bytes".into())];
    if asked.headers.get("if-none-match") == Some(&etag) {
        return Reply::Answer(304, headers, vec![]);
    }
    let range = asked.headers.get("range").filter(|_| asked.headers.get("if-range").is_none_or(|e| *e == etag));
    if let Some(start) = range.and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok()) {
        let mut headers = headers;
        headers.push(("content-range", format!("bytes {start}-{}/{}", body.len() - 1, body.len())));
        return Reply::Answer(206, headers, body[start..].to_vec());
    }
    Reply::Answer(200, headers, body.to_vec())
}

/// The strong ETag that [`whole`] gives.
pub fn etag(body: &[u8]) -> String {
    let sum = body.iter().fold(7u64, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(*b)));
    format!("\"{sum:x}-{}\"", body.len())
}

fn serve(stream: TcpStream, script: &Script, log: &Mutex<Vec<Asked>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut out = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace();
        let (method, path) =
            (words.next().unwrap_or_default().to_string(), words.next().unwrap_or_default().to_string());
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_string());
        }
        if let Some(length) = headers.get("content-length").and_then(|l| l.parse().ok()) {
            (&mut reader).take(length).read_to_end(&mut Vec::new())?;
        }
        let asked = {
            let mut log = log.lock().unwrap();
            let nth = log.iter().filter(|a| a.path == path).count();
            log.push(Asked { method, path, headers, nth });
            log.last().unwrap().clone()
        };
        let head = |status: u16, headers: &[(&str, String)], length: usize| {
            let mut text = format!("HTTP/1.1 {status} X\r\n");
            headers.iter().for_each(|(n, v)| text += &format!("{n}: {v}\r\n"));
            if !headers.iter().any(|(n, _)| *n == "content-length") && status != 304 {
                text += &format!("content-length: {length}\r\n");
            }
            text + "\r\n"
        };
        let bodyless = asked.method == "HEAD";
        match script(&asked) {
            Reply::Answer(status, headers, body) => {
                out.write_all(head(status, &headers, body.len()).as_bytes())?;
                if !bodyless && status != 304 {
                    out.write_all(&body)?;
                }
            }
            Reply::Cut(status, headers, body, at) => {
                out.write_all(head(status, &headers, body.len()).as_bytes())?;
                out.write_all(&body[..at])?;
                out.flush()?;
                return out.shutdown(std::net::Shutdown::Both);
            }
            Reply::Drip(body, every) => {
                out.write_all(head(200, &[], body.len()).as_bytes())?;
                for b in body {
                    out.write_all(&[b])?;
                    std::thread::sleep(every);
                }
            }
            Reply::Hang => std::thread::sleep(Duration::from_secs(600)),
            Reply::Close => return out.shutdown(std::net::Shutdown::Both),
        }
    }
}
