//! A certificate authority of the tests' own: made anew in each test program, worth nothing outside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{folder, program, run};

/// A certificate with its key, as PEM files.
#[derive(Clone, Debug)]
pub struct Pair {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// A certificate authority.
pub struct Authority {
    dir: PathBuf,
    /// The authority's own certificate, a PEM file.
    pub ca: PathBuf,
}

/// The authority that signs the servers' certificates (for `localhost` and `127.0.0.1`).
pub fn authority() -> &'static Authority {
    static ONE: OnceLock<Authority> = OnceLock::new();
    ONE.get_or_init(|| Authority::new("pintle test CA"))
}

/// What all servers of one test program show.
pub fn server_pair() -> &'static Pair {
    static ONE: OnceLock<Pair> = OnceLock::new();
    ONE.get_or_init(|| authority().sign("localhost"))
}

fn openssl() -> Command {
    Command::new(program("openssl"))
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let dir = folder("ca");
        let ca = dir.join("ca.pem");
        run(openssl()
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", &format!("/CN={name}"), "-addext", "keyUsage=critical,keyCertSign,cRLSign"])
            .arg("-keyout")
            .arg(dir.join("ca.key"))
            .arg("-out")
            .arg(&ca));
        Self { dir, ca }
    }

    /// A certificate that serves for both ends of a connection. Its names are `localhost` and `127.0.0.1`.
    pub fn sign(&self, name: &str) -> Pair {
        let pair = Pair { cert: self.dir.join(format!("{name}.pem")), key: self.dir.join(format!("{name}.key")) };
        let (request, more) = (self.dir.join(format!("{name}.csr")), self.dir.join(format!("{name}.ext")));
        run(openssl()
            .args(["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
            .args(["-subj", &format!("/CN={name}")])
            .arg("-keyout")
            .arg(&pair.key)
            .arg("-out")
            .arg(&request));
        let text = "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n";
        fs::write(&more, text).unwrap();
        run(openssl()
            .args(["x509", "-req", "-days", "2", "-CAcreateserial"])
            .arg("-in")
            .arg(&request)
            .arg("-CA")
            .arg(&self.ca)
            .arg("-CAkey")
            .arg(self.dir.join("ca.key"))
            .arg("-extfile")
            .arg(&more)
            .arg("-out")
            .arg(&pair.cert));
        pair
    }
}

/// The text of a PEM file.
pub fn pem(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
