//! An S3 server: moto's server mode.

use std::process::Command;
use std::sync::OnceLock;

use super::{Server, folder, installed};

/// Names the account; the signature itself is not checked.
pub const SIGNED: &str =
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

pub struct S3 {
    pub server: Server,
}

impl S3 {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With more environment variables, for example `INITIAL_NO_AUTH_ACTION_COUNT`, after which signatures are checked.
    pub fn with(env: &[(&str, &str)]) -> Self {
        let dir = folder("s3");
        let server = Server::start("moto_server", dir.join("log"), |port| {
            let mut command = Command::new(installed().join("moto_server"));
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).current_dir(&dir).envs(env.iter().copied());
            command
        });
        Self { server }
    }

    /// `http://localhost:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://localhost:{}", self.server.port())
    }

    /// Makes a bucket (an empty key) or puts an object; the server asks for no signature until it is told to.
    pub fn put(&self, bucket: &str, key: &str, data: &[u8]) {
        let url = format!("{}/{bucket}/{key}", self.endpoint());
        let data = data.to_vec();
        // Of its own thread and runtime, so that tests of any kind can call it.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let request = reqwest::Client::new().put(url).header("authorization", SIGNED);
                let answer = request.body(data).send().await.unwrap();
                assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
            });
        })
        .join()
        .unwrap();
    }
}

/// One server for all tests of a program: it takes some seconds to start.
pub fn shared() -> &'static S3 {
    static ONE: OnceLock<S3> = OnceLock::new();
    ONE.get_or_init(S3::start)
}
