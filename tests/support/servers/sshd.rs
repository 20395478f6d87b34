//! OpenSSH's server on a high port, with a host key and an authorised key of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use super::{Server, folder, program, run};

pub struct Sshd {
    pub server: Server,
    /// The private key that is let in.
    pub key: PathBuf,
    /// A private key that is not.
    pub stranger: PathBuf,
    /// A file with the server's own key.
    pub known_hosts: PathBuf,
    /// A file that gives the server another key than it has.
    pub wrong_hosts: PathBuf,
    /// Who may log in: the user who runs the test.
    pub user: String,
}

impl Sshd {
    pub fn start() -> Self {
        let dir = folder("sshd");
        for name in ["host", "other", "user", "stranger"] {
            run(Command::new(program("ssh-keygen"))
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
                .arg(dir.join(name)));
        }
        let allowed = dir.join("authorized_keys");
        fs::copy(dir.join("user.pub"), &allowed).unwrap();
        fs::set_permissions(&allowed, fs::Permissions::from_mode(0o600)).unwrap();
        let d = dir.display();
        let server = Server::start("sshd", dir.join("log"), |port| {
            let conf = dir.join("sshd_config");
            let text = format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {d}/host\nAuthorizedKeysFile {d}/authorized_keys\nPidFile none\n\
                 StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nLogLevel VERBOSE\nAcceptEnv GIT_PROTOCOL\n"
            );
            fs::write(&conf, text).unwrap();
            let mut command = Command::new(program("sshd"));
            command.args(["-D", "-e", "-f"]).arg(&conf);
            command
        });
        let hosts = |file: &str, key: &str| {
            let public = fs::read_to_string(dir.join(format!("{key}.pub"))).unwrap();
            let path = dir.join(file);
            fs::write(&path, format!("[127.0.0.1]:{0},[localhost]:{0} {public}", server.port())).unwrap();
            path
        };
        let (known_hosts, wrong_hosts) = (hosts("known_hosts", "host"), hosts("wrong_hosts", "other"));
        let user = run(Command::new("id").arg("-un")).trim().to_string();
        Self { server, key: dir.join("user"), stranger: dir.join("stranger"), known_hosts, wrong_hosts, user }
    }

    /// `ssh://USER@localhost:PORT/PATH` of an absolute path.
    pub fn url(&self, path: &std::path::Path) -> String {
        format!("ssh://{}@localhost:{}{}", self.user, self.server.port(), path.display())
    }
}
