//! Charts and files in Git repositories.
//!
//! What a branch, a tag or a range means now is asked with a list of references; then one commit is fetched without its history, and the
//! named folder is read from its objects. Over http(s) `gix` talks to the server; for ssh the `git` program is started, which brings the
//! user's agent, keys and configuration with it. Repositories on the local disk are read where they lie.
//! Revisions are written as Flux writes them: `main@sha1:…`.

mod checkout;
mod http;
mod objects;
mod refs;
mod signature;
mod ssh;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::http::pause;
use super::secret::redact;
use super::{
    Content, Context, Credentials, Fetch, GitRef, Kind, Options, Reason, Resolved, SourceError, Verification, tree,
};
pub use checkout::{Checkout, Entry, EntryKind, Signed};
use objects::Found;
use refs::{Picked, RemoteRef};

/// The least pause before a server that is busy is asked again.
const BUSY: Duration = Duration::from_secs(1);

/// A folder or file of a repository.
pub struct GitSource {
    reference: GitRef,
    options: Options,
    /// The objects that were fetched, for the checks that follow.
    store: Mutex<Option<Arc<Store>>>,
}

/// A bare repository that is removed in the end, or one of the user's.
struct Store {
    dir: PathBuf,
    temporary: bool,
}

impl Store {
    fn temporary() -> Result<Self, SourceError> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("pintle-git-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&dir).map_err(|e| SourceError::disk("no place for a Git repository's objects", &dir, &e))?;
        Ok(Self { dir, temporary: true })
    }

    fn open(&self, place: &str) -> Result<gix::Repository, SourceError> {
        open(&self.dir, place)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.temporary {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// Opens a repository without anybody's configuration.
fn open(dir: &Path, place: &str) -> Result<gix::Repository, SourceError> {
    gix::open_opts(dir, gix::open::Options::isolated()).map_err(|e| {
        SourceError::new(Reason::NotFound, place, format!("not a Git repository: {}", first_line(&e.to_string())))
    })
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(300).collect()
}

/// How a repository is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Http,
    Ssh,
    File,
}

fn way(url: &str) -> Result<Way, SourceError> {
    match url.split_once("://").map(|(scheme, _)| scheme) {
        Some("https" | "http") => Ok(Way::Http),
        Some("ssh") => Ok(Way::Ssh),
        Some("file") => Ok(Way::File),
        _ => Err(SourceError::new(Reason::Unsupported, url, "Git over this scheme is not supported")
            .hint("use https, ssh or file")),
    }
}

fn local(url: &str) -> PathBuf {
    PathBuf::from(url.strip_prefix("file://").unwrap_or(url))
}

/// Lists a remote's references by full names, or by a prefix with `*` at its end.
async fn list(url: &str, names: Vec<String>, options: &Options) -> Result<Vec<RemoteRef>, SourceError> {
    let way = way(url)?;
    let mut tries = Tries::of(options);
    loop {
        let options = tries.options();
        let result = match way {
            Way::Http => http::list(url, names.clone(), &options).await,
            Way::Ssh => ssh::list(url, &names, &options).await,
            Way::File => list_local(&open(&local(url), url)?, &names, url),
        };
        match result {
            Err(e) => tries.wait(e).await?,
            listed => return listed,
        }
    }
}

/// Fetches one object with what it needs, without history.
async fn fetch(url: &str, want: &str, options: &Options) -> Result<Store, SourceError> {
    let way = way(url)?;
    let mut tries = Tries::of(options);
    loop {
        let options = tries.options();
        let result = match way {
            Way::Http => http::fetch(url, want, &options).await,
            Way::Ssh => ssh::fetch(url, want, &options).await,
            Way::File => Ok(Store { dir: local(url), temporary: false }),
        };
        match result {
            Err(e) => tries.wait(e).await?,
            fetched => return fetched,
        }
    }
}

/// Trying again what may help to try again, all within one deadline.
struct Tries {
    options: Options,
    end: Instant,
    done: u32,
}

impl Tries {
    fn of(options: &Options) -> Self {
        Self { options: options.clone(), end: Instant::now() + options.deadline, done: 0 }
    }

    /// With the time that is left.
    fn options(&self) -> Options {
        Options { deadline: self.end.saturating_duration_since(Instant::now()), ..self.options.clone() }
    }

    /// Waits for the next try; gives the error back if there is none.
    async fn wait(&mut self, error: SourceError) -> Result<(), SourceError> {
        // A busy server says for how long, but what speaks with it does not tell.
        let busy = error.retry_after.is_some() || error.reason == Reason::TooManyRequests;
        let wait = if busy { pause(self.done).max(BUSY) } else { pause(self.done) };
        if !error.transient() || self.done >= self.options.retries || Instant::now() + wait >= self.end {
            return Err(error);
        }
        tracing::debug!(%error, "Git is asked again");
        self.done += 1;
        sleep(wait).await;
        Ok(())
    }
}

fn list_local(repository: &gix::Repository, names: &[String], url: &str) -> Result<Vec<RemoteRef>, SourceError> {
    let failed = |e: gix::Error| SourceError::new(Reason::Malformed, url, format!("references can't be read: {e}"));
    let fits = |name: &str| {
        names.iter().any(|n| n == name || n.strip_suffix('*').is_some_and(|prefix| name.starts_with(prefix)))
    };
    let mut out = Vec::new();
    if names.iter().any(|n| n == "HEAD") {
        let name = repository.head_name().map_err(failed)?.map(|n| n.as_bstr().to_string());
        if let Ok(id) = repository.head_id() {
            out.push(RemoteRef { name: "HEAD".into(), commit: id.to_string(), tag: None, target: name });
        }
    }
    let platform = repository.references().map_err(failed)?;
    for reference in platform.all().map_err(failed)?.flatten() {
        let mut reference = reference;
        let name = reference.name().as_bstr().to_string();
        if !fits(&name) {
            continue;
        }
        let own = reference.target().try_id().map(|id| id.to_string());
        let Ok(id) = reference.peel_to_id() else { continue };
        let commit = id.to_string();
        out.push(RemoteRef { name, tag: own.filter(|o| *o != commit), commit, target: None });
    }
    Ok(out)
}

impl GitSource {
    /// # Errors
    /// The URL's scheme is not one of https, http, ssh and file.
    pub fn new(reference: &GitRef, context: &Context) -> Result<Self, SourceError> {
        way(&reference.url)?;
        let mut options = (*context.options).clone();
        if reference.credentials.is_some() {
            options.credentials.clone_from(&reference.credentials);
        }
        if let Some(Credentials::Basic { username, password }) = &options.credentials
            && password.is_empty()
        {
            // `https://TOKEN@host`: the hosts take a token as a password of any name.
            let password = super::Secret::new(username.clone());
            options.credentials = Some(Credentials::Basic { username: "git".into(), password });
        }
        Ok(Self { reference: reference.clone(), options, store: Mutex::default() })
    }

    fn place(&self) -> String {
        redact(&self.reference.url)
    }

    async fn store(&self, want: &str) -> Result<Arc<Store>, SourceError> {
        let known = self.store.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(store) = known {
            return Ok(store);
        }
        let store = Arc::new(fetch(&self.reference.url, want, &self.options).await?);
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = Some(store.clone());
        Ok(store)
    }

    fn submodules(&self) -> bool {
        self.reference.submodules || self.options.submodules
    }
}

/// The commit of a resolution.
fn commit_of(resolved: &Resolved) -> Result<String, SourceError> {
    let id = resolved.key.strip_prefix("git:").and_then(|k| k.split(':').next());
    id.filter(|id| matches!(id.len(), 40 | 64))
        .map(String::from)
        .ok_or_else(|| SourceError::new(Reason::Malformed, &resolved.location, "the resolution names no commit"))
}

/// The trees of submodules: fetched before the tree is read again, since reading does not wait for a network.
type Modules = BTreeMap<String, (String, BTreeMap<String, Vec<u8>>)>;

fn read(
    store: &Store,
    commit: &str,
    path: &str,
    limit: u64,
    place: &str,
    modules: &Modules,
) -> Result<Result<Found, (String, String)>, SourceError> {
    let repository = store.open(place)?;
    let mut missing = None;
    let mut submodule = |at: &str, id: &str| match modules.get(at) {
        Some((known, files)) if known == id => Ok(files.clone()),
        _ => {
            missing = Some((at.to_string(), id.to_string()));
            Err(SourceError::new(Reason::Unsupported, place, format!("{at:?} is a submodule"))
                .hint("add submodules=true to the reference to fetch it too, or name a folder without it"))
        }
    };
    match objects::read(&repository, commit, path, limit, place, &mut submodule) {
        Ok(found) => Ok(Ok(found)),
        Err(e) => missing.map(Err).ok_or(e),
    }
}

impl GitSource {
    /// Reads the folder, and fetches submodules where they are asked for.
    async fn found(&self, store: &Arc<Store>, commit: &str) -> Result<Found, SourceError> {
        let mut modules = Modules::new();
        loop {
            let (at, id, path) = (store.clone(), commit.to_string(), self.reference.path.clone());
            let (limit, place) = (self.options.max_artifact, self.place());
            let known = std::mem::take(&mut modules);
            let work = move || (read(&at, &id, &path, limit, &place, &known), known);
            let (result, known) = tokio::task::spawn_blocking(work)
                .await
                .map_err(|e| SourceError::new(Reason::Malformed, self.place(), format!("reading failed: {e}")))?;
            modules = known;
            let (at, id) = match result? {
                Ok(found) => return Ok(found),
                Err(missing) => missing,
            };
            if !self.submodules() {
                return Err(SourceError::new(Reason::Unsupported, self.place(), format!("{at:?} is a submodule"))
                    .hint("add submodules=true to the reference to fetch it too, or name a folder without it"));
            }
            if modules.len() >= 64 || modules.contains_key(&at) {
                return Err(SourceError::new(Reason::Unsupported, self.place(), "too many submodules"));
            }
            let files = self.module(&at, &id, store, commit).await?;
            modules.insert(at, (id, files));
        }
    }

    /// One submodule's whole tree.
    async fn module(
        &self,
        at: &str,
        id: &str,
        main: &Store,
        commit: &str,
    ) -> Result<BTreeMap<String, Vec<u8>>, SourceError> {
        let unreadable =
            |why: &str| SourceError::new(Reason::Malformed, self.place(), format!("submodule {at:?}: {why}"));
        let found = read(main, commit, ".gitmodules", 1 << 20, &self.place(), &Modules::new())?;
        let Ok(Found::File(text)) = found else { return Err(unreadable("the commit has no .gitmodules")) };
        let url = module_url(&text, at).ok_or_else(|| unreadable(".gitmodules does not name it"))?;
        let url = join(&self.reference.url, &url).ok_or_else(|| unreadable("its URL can't be used"))?;
        // A repository's text can't make us read the local disk, nor leave TLS.
        if way(&url)? == Way::File && way(&self.reference.url)? != Way::File {
            return Err(unreadable("its URL is a local path"));
        }
        let mut options = self.options.clone();
        if origin(&url) != origin(&self.reference.url) && !options.pass_credentials {
            options.credentials = None;
        }
        let store = fetch(&url, id, &options).await?;
        let place = redact(&url);
        match read(&store, id, "", options.max_artifact, &place, &Modules::new())? {
            Ok(Found::Tree(files)) => Ok(files),
            Ok(Found::File(_)) => Err(unreadable("not a tree")),
            Err((inner, _)) => Err(unreadable(&format!("it has a submodule of its own, {inner:?}"))),
        }
    }
}

fn origin(url: &str) -> &str {
    let end = url.split_once("://").map_or(0, |(s, rest)| s.len() + 3 + rest.find('/').unwrap_or(rest.len()));
    url.get(..end).unwrap_or(url)
}

/// The URL that `.gitmodules` gives a path.
fn module_url(text: &[u8], at: &str) -> Option<String> {
    let file = gix::config::File::try_from(std::str::from_utf8(text).ok()?).ok()?;
    let mut found = None;
    for section in file.sections_by_name("submodule")? {
        if section.value("path").is_some_and(|p| *p == *at.as_bytes()) {
            found = section.value("url").map(|u| u.to_string());
        }
    }
    found.filter(|u| !u.is_empty() && !u.starts_with('-'))
}

/// A submodule's URL, which may be relative to its parent's.
fn join(base: &str, url: &str) -> Option<String> {
    if url.contains("://") {
        return Some(url.to_string());
    }
    if !(url.starts_with("./") || url.starts_with("../")) {
        // `git@host:path` is ssh in another spelling.
        let (host, path) = url.split_once(':').filter(|(h, _)| !h.contains('/'))?;
        return Some(format!("ssh://{host}/{path}"));
    }
    let mut base = base.trim_end_matches('/').to_string();
    for part in url.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                let cut = base.rfind('/').filter(|at| *at > origin(&base).len().saturating_sub(1))?;
                base.truncate(cut);
            }
            part => base = format!("{base}/{part}"),
        }
    }
    Some(base)
}

#[async_trait]
impl Fetch for GitSource {
    async fn resolve(&self, known: Option<&Resolved>) -> Result<Resolved, SourceError> {
        let refs = match refs::wanted(&self.reference.revision) {
            Some(names) => list(&self.reference.url, names, &self.options).await?,
            None => Vec::new(),
        };
        let Picked { label, commit, tag } = refs::choose(&refs, &self.reference.revision, &self.place())?;
        let picked = Picked { label, commit, tag };
        let path = &self.reference.path;
        let modules = if self.submodules() { ":submodules" } else { "" };
        let resolved = Resolved {
            revision: picked.revision(),
            key: format!("git:{}:{path}{modules}", picked.commit),
            file_name: path.rsplit('/').next().unwrap_or_default().to_string(),
            location: format!("{}//{path}", self.place()),
            // The object to ask the server for.
            etag: Some(picked.want().to_string()),
            immutable: matches!(self.reference.revision, super::GitRevision::Commit(_)),
            ..Resolved::default()
        };
        match known {
            Some(k) if k.key == resolved.key && k.revision == resolved.revision && k.etag == resolved.etag => {
                Ok(Resolved { unchanged: true, ..k.clone() })
            }
            _ => Ok(resolved),
        }
    }

    async fn content(&self, resolved: &Resolved) -> Result<Content, SourceError> {
        let commit = commit_of(resolved)?;
        let store = self.store(resolved.etag.as_deref().unwrap_or(&commit)).await?;
        let (kind, bytes) = match self.found(&store, &commit).await? {
            Found::Tree(files) => (Kind::Tree, tree::pack(&files)),
            Found::File(bytes) if bytes.starts_with(b"\x1f\x8b") => (Kind::Archive, bytes),
            Found::File(bytes) => (Kind::File, bytes),
        };
        Ok(Content { kind, bytes: bytes.into(), resolved: None })
    }

    async fn verify(&self, resolved: &Resolved, content: &Content) -> Result<Vec<Verification>, SourceError> {
        let commit = commit_of(resolved)?;
        let want = resolved.etag.clone().unwrap_or_else(|| commit.clone());
        let store = self.store(&want).await?;
        // What is signed is the commit: the content must be what lies in it.
        let same = match self.found(&store, &commit).await? {
            Found::Tree(files) => tree::pack(&files) == *content.bytes,
            Found::File(bytes) => bytes == *content.bytes,
        };
        if !same {
            return Err(SourceError::new(Reason::Digest, &resolved.location, "the content is not the commit's"));
        }
        let repository = store.open(&self.place())?;
        signature::verify(&repository, &commit, &want, &self.options.verify.git_keys, &self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_urls_of_submodules() {
        for (url, want) in [
            ("../lib.git", Some("https://h:1/team/lib.git")),
            ("../../x/lib", Some("https://h:1/x/lib")),
            ("./sub", Some("https://h:1/team/app/sub")),
            ("../../../x", None),
            ("git@h:team/lib.git", Some("ssh://git@h/team/lib.git")),
            ("https://o/x", Some("https://o/x")),
            ("/etc", None),
            ("lib", None),
        ] {
            assert_eq!(join("https://h:1/team/app/", url).as_deref(), want, "{url}");
        }
        let text = b"[submodule \"a\"]\n\tpath = libs/a\n\turl = ../a.git\n";
        assert_eq!(module_url(text, "libs/a").as_deref(), Some("../a.git"));
        assert_eq!(module_url(text, "libs/b"), None);
        assert_eq!(module_url(b"[submodule \"a\"]\npath = a\nurl = --upload-pack=x\n", "a"), None);
    }
}
