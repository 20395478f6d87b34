//! `registry login` and `registry logout`: who we are is asked of the registry first, then kept in Helm's registry configuration.
//!
//! The file is the one that Helm reads. Where it names a credential store, the password goes there and not into the file; the store's
//! helper gets it on standard input. Source: Helm 4.3 `pkg/registry/client.go`, oras-go `registry/remote/credentials`.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{Repository, auth};
use crate::source::{Context, Credentials, Reason, Secret, SourceError};

/// Asks the registry with the context's credentials, and keeps them in the file.
///
/// # Errors
/// The registry does not know them (`authenticating to …`), or the file can't be written.
pub async fn login(host: &str, config: &Path, context: &Context) -> Result<(), SourceError> {
    let host = host.split_once("://").map_or(host, |(_, h)| h).split('/').next().unwrap_or_default();
    Repository::at(host, "", context)?.ping().await.map_err(|mut e| {
        e.message = format!("authenticating to {host:?}: {}", e.message);
        if e.reason == Reason::Unauthorized {
            e.hint = Some("check the name and the password".into());
        }
        e
    })?;
    let (user, password) = match &context.options.credentials {
        Some(Credentials::Basic { username, password }) => (username.clone(), password.clone()),
        Some(Credentials::Bearer(token)) => (String::new(), token.clone()),
        None => (String::new(), Secret::default()),
    };
    let mut file = read(config)?;
    if let Some(helper) = helper(&file, host) {
        let text = serde_json::json!({
            "ServerURL": auth::key(host),
            "Username": if user.is_empty() { "<token>" } else { &user },
            "Secret": password.expose(),
        });
        return ask_helper(&helper, "store", &text.to_string());
    }
    let mut entry = Map::new();
    if user.is_empty() {
        entry.insert("identitytoken".into(), password.expose().into());
    } else {
        entry.insert("auth".into(), STANDARD.encode(format!("{user}:{}", password.expose())).into());
    }
    table(&mut file, "auths").insert(auth::key(host).to_string(), Value::Object(entry));
    write(config, &file)
}

/// Forgets what the file (or its credential store) keeps for a registry.
///
/// # Errors
/// The file can't be read or written.
pub fn logout(host: &str, config: &Path) -> Result<(), SourceError> {
    let mut file = read(config)?;
    if let Some(helper) = helper(&file, host) {
        ask_helper(&helper, "erase", auth::key(host))?;
    }
    if table(&mut file, "auths").remove(auth::key(host)).is_some() {
        write(config, &file)?;
    }
    Ok(())
}

fn helper(file: &Map<String, Value>, host: &str) -> Option<String> {
    let own = file.get("credHelpers").and_then(|h| h.get(auth::key(host)));
    own.or_else(|| file.get("credsStore")).and_then(Value::as_str).filter(|h| !h.is_empty()).map(String::from)
}

fn ask_helper(helper: &str, verb: &str, input: &str) -> Result<(), SourceError> {
    let program = format!("docker-credential-{helper}");
    let failed = |why: String| SourceError::new(Reason::Disk, &program, why);
    if helper.contains(['/', '\0']) {
        return Err(failed("not the name of a credential helper".into()));
    }
    let mut child = Command::new(&program)
        .arg(verb)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| failed(format!("the credential helper can't be started: {e}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that reads nothing says so with its status.
        let _ = stdin.write_all(input.as_bytes());
    }
    let status = child.wait().map_err(|e| failed(e.to_string()))?;
    if status.success() { Ok(()) } else { Err(failed(format!("the credential helper ended with {status}"))) }
}

fn read(path: &Path) -> Result<Map<String, Value>, SourceError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Map::new()),
        Err(e) => return Err(SourceError::disk("the registry configuration can't be read", path, &e)),
    };
    if text.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    // A parser's error may quote the text, and secrets with it.
    serde_json::from_slice(&text).map_err(|e| {
        let message = format!("the registry configuration is no JSON table (line {})", e.line());
        SourceError::new(Reason::Malformed, path.display().to_string(), message)
    })
}

fn table<'m>(file: &'m mut Map<String, Value>, name: &str) -> &'m mut Map<String, Value> {
    let slot = file.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    match slot {
        Value::Object(map) => map,
        _ => unreachable!("it was just made a table"),
    }
}

/// Writes beside and renames, readable by the user alone.
fn write(path: &Path, file: &Map<String, Value>) -> Result<(), SourceError> {
    let failed = |e: &std::io::Error| SourceError::disk("the registry configuration can't be written", path, e);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|e| failed(&e))?;
    let mut text = Vec::new();
    let indent = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, indent);
    serde::Serialize::serialize(file, &mut serializer).map_err(|e| failed(&std::io::Error::other(e)))?;
    let beside = folder.join(format!(".config-{}.tmp", std::process::id()));
    let done = (|| {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut out = options.open(&beside)?;
        out.write_all(&text)?;
        out.sync_all()?;
        fs::rename(&beside, path)
    })();
    if done.is_err() {
        let _ = fs::remove_file(&beside);
    }
    done.map_err(|e| failed(&e))
}
