//! Emulators of Azure Blob Storage (Azurite) and of Google Cloud Storage (fake-gcs-server).

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Server, folder, installed, peer};

/// Azurite's well-known account.
pub const ACCOUNT: &str = "devstoreaccount1";
pub const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

pub struct Azure {
    pub server: Server,
}

impl Azure {
    pub fn start() -> Self {
        let dir = folder("azure");
        let server = Server::start("azurite", dir.join("log"), |port| {
            let mut command = Command::new(installed().join("azurite-blob"));
            command.args([
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
                &port.to_string(),
                "--inMemoryPersistence",
                "--skipApiVersionCheck",
            ]);
            command.current_dir(&dir);
            command
        });
        Self { server }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/{ACCOUNT}", self.server.port())
    }

    /// Makes a container (an empty key) or puts a blob.
    pub async fn put(&self, container: &str, key: &str, data: &[u8]) {
        let (path, query, more) = if key.is_empty() {
            (format!("/{container}"), "?restype=container", "\nrestype:container")
        } else {
            (format!("/{container}/{key}"), "", "")
        };
        let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let kind = if key.is_empty() { "" } else { "x-ms-blob-type:BlockBlob\n" };
        let length = if data.is_empty() { String::new() } else { data.len().to_string() };
        let text = format!(
            "PUT\n\n\n{length}\n\n\n\n\n\n\n\n\n{kind}x-ms-date:{date}\nx-ms-version:2021-08-06\n/{ACCOUNT}/{ACCOUNT}{path}{more}"
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(KEY).unwrap()).unwrap();
        mac.update(text.as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let mut request = reqwest::Client::new()
            .put(format!("{}{path}{query}", self.endpoint()))
            .header("x-ms-date", date)
            .header("x-ms-version", "2021-08-06")
            .header("authorization", format!("SharedKey {ACCOUNT}:{signature}"))
            .header("content-length", data.len().to_string());
        if !key.is_empty() {
            request = request.header("x-ms-blob-type", "BlockBlob");
        }
        let answer = request.body(data.to_vec()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }
}

pub struct Gcs {
    pub server: Server,
}

impl Gcs {
    /// With a bucket of that name.
    pub fn start(bucket: &str) -> Self {
        let dir = folder("gcs");
        let server = Server::start("gcs", dir.join("log"), |port| {
            std::fs::create_dir_all(dir.join("data").join(bucket)).unwrap();
            let mut command = Command::new(peer("fake-gcs-server").join("fake-gcs-server"));
            let address = format!("127.0.0.1:{port}");
            command.args(["-scheme", "http", "-backend", "memory", "-host", "127.0.0.1", "-port", &port.to_string()]);
            command.args(["-public-host", &address, "-data"]).arg(dir.join("data")).current_dir(&dir);
            command
        });
        Self { server }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    pub async fn put(&self, bucket: &str, key: &str, data: &[u8]) {
        let url = format!("{}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={key}", self.endpoint());
        let answer = reqwest::Client::new().post(url).body(data.to_vec()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }
}
