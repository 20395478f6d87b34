//! nginx: static chart repositories with ETags, TLS, client certificates and passwords, and whatever a test adds to its configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tls::{self, Pair};
use super::{Server, folder, program};

/// What a site is to be; [`Site::start`] starts it.
#[derive(Clone, Debug)]
pub struct Site {
    root: PathBuf,
    tls: Option<Pair>,
    client_ca: Option<PathBuf>,
    basic: Option<(String, String)>,
    extra: String,
}

/// A site that runs.
pub struct Nginx {
    pub server: Server,
    pub root: PathBuf,
    scheme: &'static str,
    requests: PathBuf,
}

/// One request, as the access log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub uri: String,
    pub status: u16,
    /// The `Authorization` header, empty without one.
    pub authorization: String,
}

impl Site {
    /// Serves the files of a folder, by plain HTTP.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), tls: None, client_ca: None, basic: None, extra: String::new() }
    }

    /// By TLS, with a certificate of [`tls::authority`].
    pub fn tls(mut self) -> Self {
        self.tls = Some(tls::server_pair().clone());
        self
    }

    /// Only to clients that show a certificate of this authority. Needs [`Self::tls`].
    pub fn client_certificates(mut self, ca: &Path) -> Self {
        self.client_ca = Some(ca.to_path_buf());
        self
    }

    pub fn basic(mut self, user: &str, password: &str) -> Self {
        self.basic = Some((user.to_string(), password.to_string()));
        self
    }

    /// Text for the `server` block, for example a `location` of its own.
    pub fn extra(mut self, text: &str) -> Self {
        self.extra.push_str(text);
        self.extra.push('\n');
        self
    }

    pub fn start(self) -> Nginx {
        let dir = folder("nginx");
        let requests = dir.join("requests.log");
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let server = Server::start("nginx", dir.join("error.log"), |port| {
            let conf = dir.join("nginx.conf");
            fs::write(&conf, self.configuration(&dir, &requests, port)).unwrap();
            let mut command = Command::new(program("nginx"));
            command.arg("-p").arg(&dir).arg("-c").arg(&conf).arg("-e").arg(dir.join("error.log"));
            command
        });
        Nginx { server, root: self.root, scheme, requests }
    }

    fn configuration(&self, dir: &Path, requests: &Path, port: u16) -> String {
        let dir = dir.display();
        let mut server = String::new();
        if let Some(pair) = &self.tls {
            server +=
                &format!("ssl_certificate {}; ssl_certificate_key {};\n", pair.cert.display(), pair.key.display());
        }
        if let Some(ca) = &self.client_ca {
            server += &format!("ssl_client_certificate {}; ssl_verify_client on;\n", ca.display());
        }
        if let Some((user, password)) = &self.basic {
            fs::write(format!("{dir}/users"), format!("{user}:{{PLAIN}}{password}\n")).unwrap();
            server += &format!("auth_basic test; auth_basic_user_file {dir}/users;\n");
        }
        let ssl = if self.tls.is_some() { " ssl" } else { "" };
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {dir}/{kind};\n"))
            .concat();
        // One process, so that a kill leaves nothing behind; the workers' user is who runs the test, who owns the files.
        format!(
            "daemon off; master_process off; pid {dir}/pid;\n\
             events {{ worker_connections 512; }}\n\
             http {{\n{temporary}\
             types {{ application/gzip tgz gz; text/yaml yaml; application/json json; }} default_type application/octet-stream;\n\
             log_format requests '$request_method $request_uri $status $http_authorization';\n\
             access_log {requests} requests;\n\
             client_max_body_size 0; etag on; keepalive_timeout 5;\n\
             server {{ listen 127.0.0.1:{port}{ssl};\nroot {root};\n{server}{extra}}}\n}}\n",
            requests = requests.display(),
            root = self.root.display(),
            extra = self.extra.replace("$PORT", &port.to_string()),
        )
    }
}

impl Nginx {
    /// `https://localhost:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.server.port())
    }

    /// The requests, once there are so many: the log is written after the answer.
    pub fn requests_once(&self, count: usize) -> Vec<Request> {
        for _ in 0..500 {
            let requests = self.requests();
            if requests.len() >= count {
                return requests;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{count} requests did not come: {:?}", self.requests());
    }

    /// The requests so far, in the order in which they ended.
    pub fn requests(&self) -> Vec<Request> {
        let text = fs::read_to_string(&self.requests).unwrap_or_default();
        text.lines()
            .map(|line| {
                let mut words = line.splitn(4, ' ');
                let mut word = || words.next().unwrap_or_default().to_string();
                let (method, uri, status, authorization) = (word(), word(), word(), word());
                let authorization = if authorization == "-" { String::new() } else { authorization };
                Request { method, uri, status: status.parse().unwrap_or(0), authorization }
            })
            .collect()
    }
}
