//! Git over ssh, by the `git` program.
//!
//! The user's agent, keys and ssh configuration hold; nothing is ever asked: an unknown host key is refused, and so is a key with a pass
//! phrase that no agent knows. No secret stands in the arguments.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command;

use super::refs::RemoteRef;
use super::{Store, first_line};
use crate::source::secret::redact;
use crate::source::{Options, Reason, SourceError};

/// The most bytes of a list of references.
const MAX_LIST: usize = 64 << 20;

fn git(options: &Options) -> Command {
    let mut command = Command::new("git");
    // Settings by the environment, which no other user can read.
    let settings = [
        ("protocol.version", "2"),
        ("core.hooksPath", "/dev/null"),
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
        ("fetch.recurseSubmodules", "false"),
        ("core.askPass", ""),
        ("credential.helper", ""),
    ];
    command.env("GIT_CONFIG_COUNT", settings.len().to_string());
    for (n, (key, value)) in settings.iter().enumerate() {
        command.env(format!("GIT_CONFIG_KEY_{n}"), key).env(format!("GIT_CONFIG_VALUE_{n}"), value);
    }
    for name in [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ASKPASS",
        "SSH_ASKPASS",
        "GIT_TRACE",
    ] {
        command.env_remove(name);
    }
    command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C").env("GIT_SSH_COMMAND", ssh_command(options));
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// The ssh that is started: the user's own command (`GIT_SSH_COMMAND`, `core.sshCommand`) or `ssh`, with what must hold. Options that come
/// first win in ssh, so a user's own choice about host keys stands.
fn ssh_command(options: &Options) -> String {
    let mut out = std::env::var("GIT_SSH_COMMAND").ok().filter(|c| !c.trim().is_empty());
    if out.is_none() {
        let asked = std::process::Command::new("git").args(["config", "--global", "core.sshCommand"]).output();
        let text = asked.ok().filter(|o| o.status.success()).and_then(|o| String::from_utf8(o.stdout).ok());
        out = text.map(|t| t.trim().to_string()).filter(|t| !t.is_empty());
    }
    let mut out = out.unwrap_or_else(|| "ssh".into());
    if let Some(key) = &options.ssh_key {
        out += &format!(" -i {} -o IdentitiesOnly=yes", quoted(&key.display().to_string()));
    }
    if let Some(hosts) = &options.known_hosts {
        // ssh splits the option's own value at spaces.
        let path = hosts.display().to_string().replace('"', "\\\"");
        out += &format!(" -o {}", quoted(&format!("UserKnownHostsFile=\"{path}\"")));
        out += " -o GlobalKnownHostsFile=/dev/null";
    }
    let seconds = options.idle.as_secs().max(1);
    out += &format!(" -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout={seconds}");
    out + &format!(" -o ServerAliveInterval={seconds} -o ServerAliveCountMax=1")
}

/// For the shell that git starts ssh with.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Lists references.
pub async fn list(url: &str, names: &[String], options: &Options) -> Result<Vec<RemoteRef>, SourceError> {
    let mut command = git(options);
    command.args(["ls-remote", "--symref", "--", url]);
    for name in names {
        command.arg(name);
        if name.starts_with("refs/tags/") && !name.ends_with('*') {
            command.arg(format!("{name}^{{}}"));
        }
    }
    let text = run(command, url, options, None).await?;
    Ok(parse(&text, names))
}

/// `ls-remote --symref`: `ref: TARGET\tNAME`, `ID\tNAME`, `ID\tNAME^{}`.
fn parse(text: &str, names: &[String]) -> Vec<RemoteRef> {
    let fits = |name: &str| {
        names.iter().any(|n| n == name || n.strip_suffix('*').is_some_and(|prefix| name.starts_with(prefix)))
    };
    let mut out: Vec<RemoteRef> = Vec::new();
    let mut targets: Vec<(&str, &str)> = Vec::new();
    for line in text.lines() {
        let Some((left, name)) = line.split_once('\t') else { continue };
        if let Some(target) = left.strip_prefix("ref: ") {
            targets.push((name, target));
            continue;
        }
        if !(matches!(left.len(), 40 | 64) && left.bytes().all(|b| b.is_ascii_hexdigit())) {
            continue;
        }
        if let Some(tag) = name.strip_suffix("^{}") {
            if let Some(known) = out.iter_mut().rfind(|r| r.name == tag) {
                known.tag = Some(std::mem::replace(&mut known.commit, left.to_string()));
            }
        } else if fits(name) {
            let target = targets.iter().find(|(n, _)| *n == name).map(|(_, t)| t.to_string());
            out.push(RemoteRef { name: name.into(), commit: left.into(), tag: None, target });
        }
    }
    out
}

/// Fetches one object with what it needs, without history.
pub async fn fetch(url: &str, want: &str, options: &Options) -> Result<Store, SourceError> {
    let store = Store::temporary()?;
    let mut init = git(options);
    init.args(["init", "--quiet", "--bare", "--template="]).arg(&store.dir);
    run(init, url, options, None).await?;
    let mut command = git(options);
    command.arg("--git-dir").arg(&store.dir).args([
        "fetch",
        "--quiet",
        "--depth=1",
        "--no-tags",
        "--no-write-fetch-head",
        "--",
        url,
    ]);
    command.arg(format!("+{want}:refs/pintle/want"));
    run(command, url, options, Some(&store)).await?;
    Ok(store)
}

/// Runs git to its end, within the deadline and, where it writes, within the bound of bytes.
async fn run(mut command: Command, url: &str, options: &Options, store: Option<&Store>) -> Result<String, SourceError> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = command.spawn().map_err(|e| {
        let error = SourceError::new(Reason::Unsupported, redact(url), format!("git can't be started: {e}"));
        error.hint("Git over ssh needs the git program: install it, or use https")
    })?;
    let output = start.wait_with_output();
    tokio::pin!(output);
    let begin = Instant::now();
    let output = loop {
        match tokio::time::timeout(Duration::from_millis(100), &mut output).await {
            Ok(done) => break done.map_err(|e| SourceError::new(Reason::Unreachable, redact(url), e.to_string()))?,
            Err(_) if begin.elapsed() > options.deadline => {
                return Err(SourceError::new(Reason::Deadline, redact(url), "the deadline passed"));
            }
            Err(_) if store.is_some_and(|s| super::http::size(&s.dir) > options.max_artifact) => {
                let message = format!("the commit has more than {} bytes, even packed", options.max_artifact);
                return Err(SourceError::new(Reason::TooLarge, redact(url), message));
            }
            Err(_) => {}
        }
    };
    if output.status.success() {
        return match String::from_utf8(output.stdout) {
            Ok(text) if text.len() <= MAX_LIST => Ok(text),
            _ => Err(SourceError::new(Reason::Malformed, redact(url), "the list of references can't be read")),
        };
    }
    Err(failed(url, &String::from_utf8_lossy(&output.stderr)))
}

/// What git and ssh print, in words of this room.
fn failed(url: &str, said: &str) -> SourceError {
    let has = |words: &[&str]| words.iter().any(|w| said.contains(w));
    let error = |reason, text: &str, hint: &str| SourceError::new(reason, redact(url), text).hint(hint);
    if has(&["Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED"]) {
        return error(
            Reason::Tls,
            "the server's host key is not known",
            "get its key from its owner and put it into known_hosts (--known-hosts); it is never accepted unseen",
        );
    }
    if has(&["Permission denied", "no such identity", "Load key"]) {
        return error(
            Reason::Unauthorized,
            "the server does not take our key",
            "give a key with --ssh-key, or to the ssh agent",
        );
    }
    if has(&[
        "does not appear to be a git repository",
        "repository not found",
        "Repository not found",
        "not found",
        "does not exist",
    ]) {
        return error(Reason::NotFound, "there is no such repository", "check the repository's URL");
    }
    if has(&["not our ref", "couldn't find remote ref", "unadvertised object"]) {
        return error(
            Reason::NotFound,
            "the repository has no such commit, or does not give it out",
            "name a branch or a tag that leads to it",
        );
    }
    if has(&["Could not resolve", "Connection refused", "Connection timed out", "Connection closed", "No route"]) {
        let line = said.lines().find(|l| l.contains("ssh:") || l.contains("Connection")).unwrap_or_default();
        return SourceError::new(Reason::Unreachable, redact(url), first_line(line));
    }
    let line = said.lines().rfind(|l| l.starts_with("fatal:") || l.starts_with("error:")).unwrap_or("git failed");
    SourceError::new(Reason::Malformed, redact(url), first_line(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        let (a, b, c) = ("a".repeat(40), "b".repeat(40), "c".repeat(40));
        let text = format!(
            "ref: refs/heads/main\tHEAD\n{a}\tHEAD\n{b}\trefs/tags/v1\n{c}\trefs/tags/v1^{{}}\n{a}\trefs/x/refs/tags/v1\njunk\n"
        );
        let refs = parse(&text, &["HEAD".into(), "refs/tags/*".into()]);
        assert_eq!(refs.len(), 2);
        assert_eq!(refs[0].target.as_deref(), Some("refs/heads/main"));
        assert_eq!((refs[1].commit.as_str(), refs[1].tag.as_deref()), (c.as_str(), Some(b.as_str())));
    }

    #[test]
    fn paths_are_quoted_for_the_shell() {
        let options =
            Options { ssh_key: Some("/a b/it's".into()), known_hosts: Some("/k h".into()), ..Options::default() };
        let command = ssh_command(&options);
        assert!(command.contains("-i '/a b/it'\\''s' "), "{command}");
        assert!(command.contains("-o 'UserKnownHostsFile=\"/k h\"'"), "{command}");
    }
}
