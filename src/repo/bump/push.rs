//! Until it lands: fetch the tip, apply the intents, commit, push by compare and swap; when another push was faster, once more on the new tip.

use std::cmp::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::find::{Edit, FindError, apply};
use super::forward;
use super::git::{Git, GitError};
use super::intent::Intent;
use super::names;

/// A bump with its circumstances.
#[derive(Clone, Debug)]
pub struct Plan {
    /// URL or path.
    pub repo: String,
    /// The branch the change is for; the remote's default branch if not given.
    pub branch: Option<String>,
    /// Push to this branch instead, made anew on the tip of the other: for a pull request.
    pub pull_request: Option<String>,
    pub intents: Vec<Intent>,
    /// Never replace a newer version by an older one.
    pub only_forward: bool,
    /// `Name <address>`
    pub author: String,
    /// The commit's first line; made from the intents if not given.
    pub message: Option<String>,
    /// How long to try.
    pub deadline: Duration,
    /// Show what would be done, push nothing.
    pub dry_run: bool,
    /// Sent to web addresses.
    pub token: Option<String>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A commit was pushed.
    Pushed,
    /// All values were there already.
    Already,
    /// A newer version stands there (with `only_forward`).
    Superseded,
    /// Nothing was pushed because of `dry_run`.
    Planned,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Done {
    pub state: State,
    pub branch: String,
    /// Edits on the tip that counted; those without a new text were there already.
    pub edits: Vec<Edit>,
    /// Pushes that others won.
    pub lost: u32,
}

/// Result of a bump.
pub type Outcome = Result<Done, BumpError>;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BumpError {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Find(#[from] FindError),
    #[error(
        "{place}: cannot tell whether {new} is newer than {old}: one of them is no semantic version; leave out --only-forward"
    )]
    NoOrder { place: String, old: String, new: String },
    #[error("{0:?} is no author: write NAME <ADDRESS>")]
    Author(String),
    #[error("{0:?} is no name of a branch")]
    Branch(String),
    #[error("others pushed to {branch} first {lost} times; time is up after {seconds} s, nothing was changed")]
    Deadline { branch: String, lost: u32, seconds: u64 },
}

/// True for a message of a push that a later try can succeed with.
fn is_race(message: &str) -> bool {
    [
        "stale info",
        "fetch first",
        "non-fast-forward",
        "cannot lock ref",
        "failed to lock",
        "unable to lock",
        "failed to update ref",
        "reference already exists",
        "incorrect old value",
        "is at ",
        "remote rejected] (failed",
        "shallow file has changed",
    ]
    .iter()
    .any(|part| message.contains(part))
}

/// A pause between half of and the whole of `base`·2ⁿ, at most five seconds.
fn pause(n: u32, left: Duration) -> Duration {
    let most = Duration::from_millis(100).saturating_mul(1 << n.min(6)).min(Duration::from_secs(5));
    let mut bytes = [0; 4];
    let _ = getrandom::fill(&mut bytes);
    let part = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
    most.mul_f64(0.1 + 0.9 * part).min(left)
}

fn message(plan: &Plan) -> String {
    let subject = plan.message.clone().unwrap_or_else(|| match plan.intents.as_slice() {
        [one] => format!("Bump {one}"),
        many => format!("Bump {} values", many.len()),
    });
    let mut out = format!("{subject}\n\n");
    for intent in &plan.intents {
        out.push_str(&format!("Bump: {intent}\n"));
    }
    out
}

/// Bumps of one machine take turns: without it fifty of them would mostly lose races against each other. It is a courtesy only: whoever waits
/// too long goes on, and against other machines the compare and swap decides.
mod queue {
    use std::fs::{File, TryLockError};
    use std::path::{Path, PathBuf};
    use std::time::{Duration, Instant};

    use sha2::{Digest, Sha256};

    /// One's turn; it ends with the value, and its file goes with it.
    pub struct Turn {
        path: PathBuf,
        _file: File,
    }

    impl Drop for Turn {
        fn drop(&mut self) {
            // Still locked: whoever gets the lock of a file that is gone sees it, and takes the new one.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    pub fn wait(repo: &str, deadline: Duration) -> Option<Turn> {
        // The name is for all to read: no password has a part in it.
        let (repo, _) = super::super::git::without_credentials(repo, None);
        let name: String = Sha256::digest(repo.as_bytes()).iter().take(8).map(|b| format!("{b:02x}")).collect();
        let path = std::env::temp_dir().join(format!("pintle-bump-{name}.lock"));
        let started = Instant::now();
        // Half of the time is left for the work.
        while started.elapsed() < deadline / 2 {
            let file = File::options().create(true).append(true).open(&path).ok()?;
            match file.try_lock() {
                Ok(()) if is_at(&file, &path) => return Some(Turn { path, _file: file }),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
                Err(TryLockError::Error(_)) => return None,
            }
        }
        None
    }

    /// False if the file's name was removed, or is another file's now.
    #[cfg(unix)]
    fn is_at(file: &File, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        match (file.metadata(), std::fs::metadata(path)) {
            (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
            _ => false,
        }
    }

    #[cfg(not(unix))]
    fn is_at(_: &File, _: &Path) -> bool {
        true
    }
}

/// Whether a newer version stands where an edit would write.
fn is_behind(edit: &Edit) -> bool {
    edit.versions.iter().any(|(old, new)| forward::compare(old, new).is_some_and(Ordering::is_gt))
}

/// Applies and pushes.
pub fn bump(plan: &Plan) -> Outcome {
    let started = Instant::now();
    if !names::is_author(&plan.author) {
        return Err(BumpError::Author(plan.author.clone()));
    }
    if let Some(name) = plan.branch.iter().chain(&plan.pull_request).find(|name| !names::is_branch(name)) {
        return Err(BumpError::Branch(name.clone()));
    }
    let _turn = queue::wait(&plan.repo, plan.deadline);
    let git = Git::new(&plan.repo, plan.token.as_deref())?;
    let branch = match &plan.branch {
        Some(branch) => branch.clone(),
        None => git.default_branch()?,
    };
    let target = plan.pull_request.clone().unwrap_or_else(|| branch.clone());
    let mut lost = 0;
    loop {
        let tip = git.fetch(&branch)?;
        let files = git.files(&tip)?;
        let mut edits = Vec::new();
        let mut wanted = Vec::new();
        for intent in &plan.intents {
            let found = match apply(&files, std::slice::from_ref(intent)) {
                Ok((found, _)) => found,
                // Whatever pins it, it is older than what is there.
                Err(FindError::Pinned { edit, .. }) if plan.only_forward && is_behind(&edit) => {
                    edits.push(*edit);
                    continue;
                }
                Err(e) => return Err(e.into()),
            };
            let mut behind = false;
            for edit in found.iter().filter(|e| plan.only_forward && e.text.is_some()) {
                behind |= is_behind(edit);
                for (old, new) in &edit.versions {
                    if forward::compare(old, new).is_none() {
                        let place = format!("{}:{}", edit.path, edit.line);
                        return Err(BumpError::NoOrder { place, old: old.clone(), new: new.clone() });
                    }
                }
            }
            if behind {
                edits.extend(found.into_iter().map(|e| Edit { text: None, ..e }));
            } else {
                wanted.push(intent.clone());
            }
        }
        let superseded = !edits.is_empty();
        let (found, changed) = apply(&files, &wanted)?;
        edits.extend(found);
        let done = |state, edits| Ok(Done { state, branch: target.clone(), edits, lost });
        if changed.is_empty() {
            return done(if superseded { State::Superseded } else { State::Already }, edits);
        }
        if plan.dry_run {
            return done(State::Planned, edits);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        git.commit(&tip, &files, &changed, &message(plan), &plan.author, i64::try_from(now).unwrap_or(0))?;
        let expected = if target == branch { Some(tip.clone()) } else { git.remote_tip(&target)? };
        match git.push(&target, expected.as_deref()) {
            Ok(()) => return done(State::Pushed, edits),
            Err(GitError::Rejected(text)) => {
                // Whatever the words: a tip that moved is a lost race.
                if !is_race(&text) && git.remote_tip(&target)? == expected {
                    return Err(GitError::Rejected(text).into());
                }
            }
            Err(e) => return Err(e.into()),
        }
        lost += 1;
        let left = plan.deadline.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(BumpError::Deadline { branch: target, lost, seconds: plan.deadline.as_secs() });
        }
        tracing::debug!(lost, branch = target, "another push came first; the change is applied to the new tip");
        std::thread::sleep(pause(lost, left));
    }
}
