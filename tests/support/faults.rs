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
    pub body: Vec<u8>,
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
    Drip(Vec<(&'static str, String)>, Vec<u8>, Duration),
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

    /// Stands before a real server (`http://host:port`), whose answer to a request the script can take, spoil or replace.
    pub fn before(upstream: &str, script: impl Fn(&Asked, Answer<'_>) -> Reply + Send + Sync + 'static) -> Self {
        let upstream = upstream.trim_start_matches("http://").to_owned();
        Self::start(move |asked| script(asked, &|path| forward(&upstream, asked, path).unwrap_or(Reply::Close)))
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

/// Asks the real server for a path; gives a [`Reply::Answer`].
pub type Answer<'a> = &'a dyn Fn(&str) -> Reply;

/// The headers of a real answer that clients look at.
const PASSED: [&str; 10] = [
    "accept-ranges",
    "content-range",
    "content-type",
    "docker-content-digest",
    "docker-distribution-api-version",
    "etag",
    "last-modified",
    "link",
    "location",
    "www-authenticate",
];

fn forward(upstream: &str, asked: &Asked, path: &str) -> std::io::Result<Reply> {
    let mut stream = TcpStream::connect(upstream)?;
    let mut head = format!("{} {} HTTP/1.1\r\nhost: {upstream}\r\nconnection: close\r\n", asked.method, path);
    for (name, value) in asked.headers.iter().filter(|(n, _)| !matches!(n.as_str(), "connection" | "host")) {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all((head + "\r\n").as_bytes())?;
    stream.write_all(&asked.body)?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(502);
    let (mut headers, mut chunked, mut length) = (Vec::new(), false, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        let name = name.to_ascii_lowercase();
        chunked |= name == "transfer-encoding";
        if name == "content-length" {
            length = value.to_owned();
        }
        if let Some(known) = PASSED.into_iter().find(|p| *p == name) {
            headers.push((known, value.to_owned()));
        }
    }
    let mut body = Vec::new();
    if asked.method == "HEAD" {
        headers.push(("content-length", length));
    } else if chunked {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let size = u64::from_str_radix(line.trim(), 16).unwrap_or_default();
            (&mut reader).take(size).read_to_end(&mut body)?;
            reader.read_line(&mut String::new())?;
            if size == 0 {
                break;
            }
        }
    } else {
        reader.read_to_end(&mut body)?;
    }
    Ok(Reply::Answer(status, headers, body))
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
        let mut body = Vec::new();
        if let Some(length) = headers.get("content-length").and_then(|l| l.parse().ok()) {
            (&mut reader).take(length).read_to_end(&mut body)?;
        }
        let asked = {
            let mut log = log.lock().unwrap();
            let nth = log.iter().filter(|a| a.path == path).count();
            log.push(Asked { method, path, headers, body, nth });
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
            Reply::Drip(headers, body, every) => {
                out.write_all(head(200, &headers, body.len()).as_bytes())?;
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
