//! Keys at hand for SOPS files: from the places where sops itself looks, from files named, and through a program.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use clap::Args;
use zeroize::Zeroizing;

use super::Failure;
use crate::sops::{AgeKeys, DataKey, KeyError, KeyService, MasterKey, PgpKeys, Services};

/// Flags of commands that may decrypt.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Keys")]
pub struct KeyArgs {
    /// File with age identities (besides SOPS_AGE_KEY, SOPS_AGE_KEY_FILE and sops's own places)
    #[arg(long, value_name = "FILE")]
    pub age_key_file: Vec<PathBuf>,
    /// File with a PGP secret key without pass phrase
    #[arg(long, value_name = "FILE")]
    pub pgp_key_file: Vec<PathBuf>,
    /// Program that decrypts data keys of other kinds (KMS, Vault): reads one JSON object, writes one
    #[arg(long, value_name = "PROGRAM", env = "PINTLE_KEY_SERVICE")]
    pub key_service: Option<String>,
    /// Look for no keys; compare ciphertexts only
    #[arg(long)]
    pub no_keys: bool,
}

/// Keys, opened.
#[derive(Default)]
pub struct Keys {
    age: AgeKeys,
    pgp: PgpKeys,
    program: Option<Program>,
    gpg: bool,
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    std::fs::read(path).map(Zeroizing::new).map_err(|e| Failure::new(format!("{}: {e}", path.display())))
}

impl Keys {
    /// Opens what the flags and the environment name.
    ///
    /// # Errors
    /// A file that was named and holds no key. Files in sops's usual places may be missing.
    pub fn open(args: &KeyArgs) -> Result<Self, Failure> {
        let mut keys = Self::default();
        if args.no_keys {
            return Ok(keys);
        }
        keys.age_keys(args)?;
        for path in &args.pgp_key_file {
            keys.pgp.add(&read(path)?).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        keys.program = args.key_service.clone().map(Program);
        keys.gpg = true;
        Ok(keys)
    }

    fn age_keys(&mut self, args: &KeyArgs) -> Result<(), Failure> {
        let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let mut empty = Vec::new();
        let home = var("HOME").map(PathBuf::from);
        match var("SOPS_AGE_SSH_PRIVATE_KEY_FILE") {
            Some(path) => self.age.add_ssh(&read(Path::new(&path))?).map_err(|e| format!("{path}: {e}"))?,
            None => empty.push("SOPS_AGE_SSH_PRIVATE_KEY_FILE".to_owned()),
        }
        for name in ["id_ed25519", "id_rsa"] {
            let Some(path) = home.as_ref().map(|h| h.join(".ssh").join(name)) else { continue };
            // The user's own SSH keys often have pass phrases or other uses.
            if !std::fs::read(&path).is_ok_and(|key| self.age.add_ssh(&key).is_ok()) {
                empty.push(path.display().to_string());
            }
        }
        match var("SOPS_AGE_KEY").map(Zeroizing::new) {
            Some(text) => self.age.add(&text).map_err(|e| format!("SOPS_AGE_KEY: {e}"))?,
            None => empty.push("SOPS_AGE_KEY".into()),
        }
        let mut files = args.age_key_file.clone();
        match var("SOPS_AGE_KEY_FILE") {
            Some(path) => files.push(path.into()),
            None => empty.push("SOPS_AGE_KEY_FILE".into()),
        }
        let config = var("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| home.map(|h| h.join(".config")));
        if let Some(path) = config.map(|c| c.join("sops/age/keys.txt")) {
            if path.exists() { files.push(path) } else { empty.push(path.display().to_string()) }
        }
        for path in files {
            let bytes = read(&path)?;
            let text = std::str::from_utf8(&bytes).map_err(|_| format!("{}: no age identities", path.display()))?;
            self.age.add(text).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        self.age.empty_places = empty;
        Ok(())
    }

    /// True if nothing can be decrypted.
    pub fn is_empty(&self) -> bool {
        self.age.is_empty() && self.pgp.is_empty() && self.program.is_none() && !self.gpg
    }

    /// The services, to be asked in turn.
    pub fn services(&self) -> Services<'_> {
        Services(vec![self])
    }
}

impl KeyService for Keys {
    fn decrypt(&self, key: &MasterKey) -> Result<DataKey, KeyError> {
        match key {
            MasterKey::Age { .. } => self.age.decrypt(key),
            MasterKey::Pgp { .. } => {
                let own = self.pgp.decrypt(key);
                if own.is_err() && self.gpg { gpg(&["--decrypt"], key.enc().as_bytes()).or(own) } else { own }
            }
            MasterKey::Service { .. } => self.program(key)?.decrypt(key),
        }
    }

    fn holds(&self, key: &MasterKey) -> bool {
        self.age.holds(key) || self.pgp.holds(key)
    }

    fn encrypt(&self, key: &MasterKey, plain: &[u8]) -> Result<String, KeyError> {
        match key {
            MasterKey::Age { .. } => self.age.encrypt(key, plain),
            MasterKey::Pgp { .. } => {
                let own = self.pgp.encrypt(key, plain);
                if own.is_ok() || !self.gpg {
                    return own;
                }
                let name = key.name();
                let args = [
                    "--no-default-recipient",
                    "--encrypt",
                    "--armor",
                    "--trust-model",
                    "always",
                    "--no-encrypt-to",
                    "--recipient",
                    &name,
                ];
                let text = gpg(&args, plain).or_else(|_| own.map(|t| Zeroizing::new(t.into_bytes())))?;
                Ok(String::from_utf8_lossy(&text).trim().to_owned())
            }
            MasterKey::Service { .. } => self.program(key)?.encrypt(key, plain),
        }
    }
}

impl Keys {
    fn program(&self, key: &MasterKey) -> Result<&Program, KeyError> {
        self.program.as_ref().ok_or_else(|| {
            format!("a data key of {} needs a key service: name a program with --key-service", key.kind())
        })
    }
}

/// The user's own key ring.
fn gpg(args: &[&str], input: &[u8]) -> Result<DataKey, KeyError> {
    let mut command = Command::new("gpg");
    command.args(["--batch", "--quiet", "--yes", "--no-tty"]).args(args);
    run(command, input).map_err(|e| format!("gpg: {e}"))
}

fn run(mut command: Command, input: &[u8]) -> Result<DataKey, KeyError> {
    let failed = |e: std::io::Error| format!("could not be started: {e}");
    // What the program says on standard error is not shown: it may hold anything.
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() { Ok(Zeroizing::new(output.stdout)) } else { Err(format!("failed ({})", output.status)) }
}

/// A program that speaks with key services.
///
/// It reads `{"operation": "decrypt" | "encrypt", "kind": "kms", "name": "arn:…", "ciphertext": "…" | "plaintext": "BASE64"}` and writes
/// `{"plaintext": "BASE64"}`, `{"ciphertext": "…"}` or `{"error": "…"}`.
struct Program(String);

impl Program {
    fn ask(&self, question: &serde_json::Value) -> Result<serde_json::Value, KeyError> {
        let mut words = self.0.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        let text = run(command, question.to_string().as_bytes()).map_err(|e| format!("the key service {e}"))?;
        let answer: serde_json::Value =
            serde_json::from_slice(&text).map_err(|_| "the key service did not answer with JSON".to_owned())?;
        match answer["error"].as_str() {
            Some(error) => Err(format!("the key service says: {error}")),
            None => Ok(answer),
        }
    }

    fn decrypt(&self, key: &MasterKey) -> Result<DataKey, KeyError> {
        let question = serde_json::json!({"operation": "decrypt", "kind": key.list(), "name": key.name(), "ciphertext": key.enc()});
        let answer = self.ask(&question)?;
        let text = answer["plaintext"].as_str().ok_or("the key service gave no plaintext")?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(text);
        bytes.map(Zeroizing::new).map_err(|_| "the key service's plaintext is no base64".to_owned())
    }

    fn encrypt(&self, key: &MasterKey, plain: &[u8]) -> Result<String, KeyError> {
        let plain = base64::engine::general_purpose::STANDARD.encode(plain);
        let question =
            serde_json::json!({"operation": "encrypt", "kind": key.list(), "name": key.name(), "plaintext": plain});
        let answer = self.ask(&question)?;
        answer["ciphertext"].as_str().map(str::to_owned).ok_or_else(|| "the key service gave no ciphertext".into())
    }
}
