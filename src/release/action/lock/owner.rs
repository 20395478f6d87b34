//! The owner of a mark: which process on which machine, since when, doing what.

use serde::{Deserialize, Serialize};

/// A process that works on a release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Owner {
    /// Random: tells this owner from any other.
    pub id: String,
    /// The host's name, for people.
    pub host: String,
    /// What tells machines and process tables apart: the boot's id and the namespace of process ids. Empty where the system has no such.
    pub machine: String,
    pub pid: u32,
    /// When the process began, in the system's ticks: a process id is used again.
    pub started: String,
    /// `install`, `upgrade`, `rollback`, `uninstall`, `test`, `recover`.
    pub operation: String,
    /// The revision that the operation makes or works on.
    pub revision: i64,
    /// RFC 3339.
    pub since: String,
    /// Counts renewals.
    pub renewals: u64,
    /// Further revisions that may be left pending: those of dead owners before this one, and the one that a rollback on failure makes.
    pub inherited: Vec<i64>,
}

impl Owner {
    /// This process.
    pub fn me(operation: &str, revision: i64) -> Self {
        let mut id = [0; 8];
        // Without randomness the time and the process still tell owners apart.
        let _ = getrandom::fill(&mut id);
        let pid = std::process::id();
        Self {
            id: data_encoding::HEXLOWER.encode(&id),
            host: host(),
            machine: machine(),
            pid,
            started: started(pid).unwrap_or_default(),
            operation: operation.into(),
            revision,
            since: crate::release::record::time::now(),
            renewals: 0,
            inherited: Vec::new(),
        }
    }

    /// Whether the owner's process runs; `None` where this machine cannot know.
    pub fn lives(&self) -> Option<bool> {
        let here = machine();
        if here.is_empty() || here != self.machine {
            return None;
        }
        Some(started(self.pid).is_some_and(|s| s == self.started))
    }

    /// `upgrade to revision 3 by process 4711 on ci-7, since 2026-11-25T10:00:00Z`.
    pub fn words(&self) -> String {
        let what = match (self.operation.as_str(), self.revision) {
            (op @ ("install" | "upgrade" | "rollback"), n) if n > 0 => format!("{op} to revision {n}"),
            (op, n) if n > 0 => format!("{op} of revision {n}"),
            (op, _) => op.to_string(),
        };
        format!("{what} by process {} on {}, since {}", self.pid, self.host, self.since)
    }

    /// The revisions that this owner may have left unfinished.
    pub fn revisions(&self) -> impl Iterator<Item = i64> + '_ {
        self.inherited.iter().copied().chain([self.revision])
    }

    /// Takes on what a dead owner left: whoever finds this owner dead has to know of both.
    pub fn inherit(&mut self, dead: Option<&Self>) {
        for revision in dead.into_iter().flat_map(Self::revisions) {
            if !self.inherited.contains(&revision) {
                self.inherited.push(revision);
            }
        }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The owner in a mark; one that cannot be read is nobody on no machine, and so is dead once it has been watched.
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

fn host() -> String {
    let read = |path: &str| std::fs::read_to_string(path).ok().map(|s| s.trim().to_string()).filter(|s| !s.is_empty());
    read("/proc/sys/kernel/hostname")
        .or_else(|| std::env::var("HOSTNAME").ok().filter(|h| !h.is_empty()))
        .unwrap_or_else(|| "unknown host".into())
}

fn machine() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    match std::fs::read_link("/proc/self/ns/pid") {
        Ok(ns) if !boot.is_empty() => format!("{} {}", boot.trim(), ns.display()),
        _ => String::new(),
    }
}

/// When a process began; `None` if there is no such process (or it is a zombie).
fn started(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; the fields behind it are plain: state is the 3rd, the start time the 22nd.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_knows_whether_it_lives() {
        let me = Owner::me("upgrade", 3);
        assert_eq!(Owner::parse(&me.to_json()), me);
        if !me.machine.is_empty() {
            assert_eq!(me.lives(), Some(true));
            let other = Owner { started: "1".into(), ..me.clone() };
            assert_eq!(other.lives(), Some(false), "the process id is used again");
        }
        assert_eq!(Owner { machine: "elsewhere".into(), ..me.clone() }.lives(), None);
        assert!(me.words().starts_with("upgrade to revision 3 by process "), "{}", me.words());
        assert_eq!(Owner::parse("{]"), Owner::default());
    }
}
