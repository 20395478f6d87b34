//! Real servers on loopback for the tests: a registry, nginx, git over http and ssh, S3.
//!
//! Each is a child of the test program on a free port, with its files in one folder of the test program's own. A small janitor process
//! waits for the test program to end, however it ends, then stops what is left by process id and removes the folder. What is not
//! installed is installed by `tests/servers.sh`, which is quick when nothing is missing.

#![allow(dead_code)]

pub mod clouds;
pub mod git;
pub mod nginx;
pub mod registry;
pub mod s3;
pub mod sshd;
pub mod tls;

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// How long a server may take until it listens; far more than any needs, for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder for one server or one test, below the test program's own; the janitor removes it.
pub fn folder(name: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    pintle::cli::log::start();
    let path = root().join(format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    fs::create_dir_all(&path).unwrap();
    path
}

fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        // Short: a Unix socket's path may have 107 bytes.
        let path = std::env::temp_dir().join(format!("pintle-t{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    })
}

/// Where the programs of the S3 server lie; what is missing is installed first.
pub fn installed() -> &'static Path {
    static BIN: OnceLock<PathBuf> = OnceLock::new();
    BIN.get_or_init(|| PathBuf::from(script("tests/servers.sh", &[])))
}

/// The pinned Helm.
pub fn helm() -> &'static Path {
    static HELM: OnceLock<PathBuf> = OnceLock::new();
    HELM.get_or_init(|| Path::new(&script("tests/peers.sh", &["helm"])).join("helm"))
}

/// The folder of a pinned program; it is built when missing.
pub fn peer(name: &str) -> PathBuf {
    PathBuf::from(script("tests/peers.sh", &[name]))
}

/// Runs one of the repository's scripts and returns the last line that it prints.
fn script(path: &str, args: &[&str]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let out = Command::new(&path).args(args).stderr(Stdio::inherit()).output().unwrap();
    assert!(out.status.success(), "{} failed", path.display());
    String::from_utf8(out.stdout).unwrap().lines().last().unwrap().to_string()
}

/// Runs a program to its end and returns what it printed; anything else than success fails the test.
pub fn run(command: &mut Command) -> String {
    let out = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(
        out.status.success(),
        "{command:?}: {}\n{}{}",
        out.status,
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// The path of a program, also where only root's PATH looks.
fn program(name: &str) -> PathBuf {
    installed();
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin"])
        .map(|dir| Path::new(dir).join(name))
        .find(|p| p.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed"))
}

/// A port of 127.0.0.1 that nobody listens on, and that no other server of this program was given.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if GIVEN.lock().unwrap().get_or_insert_default().insert(port) {
            return port;
        }
    }
}

/// A running server. It stops when this is dropped, or when the test program ends.
pub struct Server {
    command: Command,
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Server {
    /// Starts a server, waits until it listens, and tries other ports should another process have taken the first.
    fn start(name: &str, log: PathBuf, mut command: impl FnMut(u16) -> Command) -> Self {
        for attempt in 0.. {
            let port = free_port();
            let mut command = command(port);
            // Out of the terminal's process group, so that an interrupt leaves the order to the janitor.
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            match spawn(&mut command, port, &log) {
                Ok(child) => return Self { command, child, port, log },
                Err(e) if attempt == 4 => panic!("{name} does not start: {e}\n{}", read(&log)),
                Err(_) => {}
            }
        }
        unreachable!()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        read(&self.log)
    }

    /// Ends the server as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        tell("-", &self.child);
    }

    /// Starts the server again, on the same port with the same files.
    pub fn start_again(&mut self) {
        self.child = spawn(&mut self.command, self.port, &self.log).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read(log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
}

fn spawn(command: &mut Command, port: u16, log: &Path) -> Result<Child, String> {
    let mut child = spawn_quietly(command, log)?;
    let begin = Instant::now();
    loop {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(child);
        }
        if let Some(status) = child.try_wait().unwrap() {
            tell("-", &child);
            return Err(format!("it ended with {status}"));
        }
        if begin.elapsed() > PATIENCE {
            let _ = child.kill();
            return Err("nothing listens".to_string());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn spawn_quietly(command: &mut Command, log: &Path) -> Result<Child, String> {
    let out = fs::OpenOptions::new().create(true).append(true).open(log).map_err(|e| e.to_string())?;
    command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
    let child = command.spawn().map_err(|e| format!("{command:?}: {e}"))?;
    tell("+", &child);
    Ok(child)
}

/// Tells the janitor about a process that lives or has been waited for.
fn tell(what: &str, child: &Child) {
    let _ = writeln!(janitor().lock().unwrap(), "{what} {}", child.id());
}

/// Stops the processes and removes the folder when its standard input ends, which is when the test program does.
fn janitor() -> &'static Mutex<ChildStdin> {
    static JANITOR: OnceLock<Mutex<ChildStdin>> = OnceLock::new();
    JANITOR.get_or_init(|| {
        let text = r#"
            declare -A live
            while read -r what pid; do
              case $what in +) live[$pid]=1 ;; -) unset "live[$pid]" ;; esac
            done
            [ ${#live[@]} = 0 ] || kill -9 "${!live[@]}"
            rm -rf "$1"
        "#;
        let mut command = Command::new("bash");
        command.args(["-c", text, "janitor"]).arg(root());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Mutex::new(command.spawn().unwrap().stdin.take().unwrap())
    })
}
