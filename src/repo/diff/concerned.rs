//! Which parts of an environment a change can concern: only those are built.
//!
//! A part is built if a changed file lies in it, if it mentions one, if more may be hidden in it than its words tell, and then those parts on
//! which a built one depends: they define a name that it mentions. What comes out of the two builds may concern others: an object that has
//! another name or other values now concerns whoever mentions it ([`Selection::extend`]). Where none of this can be told (a kustomization
//! that changes what it names, Flux Kustomizations, links in the environment), there is no selection and everything is built.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;

use super::mentions::{self, Changed, Mentions, Seen, Signs, is_below, resolve, words};
use super::parts::{self, File, Files};
use super::range::Range;
use crate::repo::git_survey::{Content, LONGEST, Link, Look};
use crate::repo::{Checkout, GitTree, generated};

/// More files than this below one path are not looked through.
const MOST_FILES: usize = 20_000;

/// Links that lead through links are followed so far.
const MOST_STEPS: usize = 6;

static CONFIGURATIONS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("configurations"));
static RELEASE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("HelmRelease"));

/// What a part's files say.
#[derive(Clone, Default)]
struct Part {
    /// The older state's, and the newer one's where they differ.
    files: Vec<File>,
    /// See [`Mentions`].
    unclear: bool,
    everywhere: bool,
    changed: bool,
    /// Files that declare fields which hold names, and those of them that are used.
    configurations: Vec<Arc<[u8]>>,
    declared: Vec<Arc<[u8]>>,
    /// What is declared, or which declarations are used, is not the same in both states.
    unsteady: bool,
    /// One of its files is changed, or may have come or gone.
    touched: bool,
}

impl Part {
    fn texts(&self) -> impl Iterator<Item = &Arc<[u8]>> {
        self.files.iter().map(|f| &f.text)
    }

    /// Names that objects of the part may have.
    fn defines(&self) -> impl Iterator<Item = &String> {
        self.files.iter().flat_map(|f| &f.seen.defines)
    }
}

/// Different texts. Most parts have one of them in common: what is one in memory is looked at once.
fn distinct<'t>(texts: impl Iterator<Item = &'t Arc<[u8]>>) -> BTreeSet<&'t Arc<[u8]>> {
    let mut last: Option<&Arc<[u8]>> = None;
    let mut is_new = |text: &&'t Arc<[u8]>| {
        let before = last.replace(text);
        before.is_none_or(|before| !Arc::ptr_eq(before, text))
    };
    texts.filter(|text| is_new(text)).collect()
}

/// The parts that are built.
pub struct Selection {
    dir: String,
    /// The parts of both states, in their order.
    base: Vec<String>,
    head: Vec<String>,
    parts: BTreeMap<String, Part>,
    chosen: BTreeSet<String>,
}

/// A state's files as far as they were asked for.
struct Survey<'s> {
    tree: &'s GitTree,
    head: &'s Checkout,
    changed: &'s BTreeSet<String>,
    /// The same, by all paths that lead to them.
    reached: &'s Changed<'s>,
    loaded: BTreeSet<String>,
    before: Files,
    after: Files,
    /// Too long to look through.
    long: BTreeSet<String>,
    /// Data of generators.
    unread: BTreeSet<String>,
}

impl<'s> Survey<'s> {
    fn new(range: &'s Range, reached: &'s Changed<'s>) -> Option<Self> {
        Some(Self {
            tree: range.base.commit()?,
            head: &range.head,
            changed: &range.changed,
            reached,
            loaded: BTreeSet::new(),
            before: Files::default(),
            after: Files::default(),
            long: BTreeSet::new(),
            unread: BTreeSet::new(),
        })
    }

    /// Loads what lies at or below a path in both states.
    fn load(&mut self, path: &str) -> Option<()> {
        if self.loaded.iter().any(|l| is_below(path, l)) {
            return Some(());
        }
        let reached = self.reached;
        let see = |text: &[u8], is_list| Arc::new(Seen::of(text, is_list, reached));
        let look = Look { first: &generated::NAMES, unneeded: mentions::only_data, keep: false, see };
        let files = self.tree.below(path, look).ok()?;
        if files.len() > MOST_FILES {
            return None;
        }
        let (mut before, mut after) = (Vec::with_capacity(files.len()), Vec::with_capacity(files.len()));
        for file in files {
            let path: Arc<str> = file.path.as_str().into();
            let found = match file.content {
                Content::Text(text, seen) => File { text, seen },
                Content::TooLong => {
                    self.long.insert(file.path.clone());
                    File::default()
                }
                Content::Unread => {
                    self.unread.insert(file.path.clone());
                    File::default()
                }
            };
            if !self.changed.contains(&file.path) {
                after.push((path.clone(), found.clone()));
            }
            before.push((path, found));
        }
        self.before.0.append(&mut before.into_iter().collect());
        self.after.0.append(&mut after.into_iter().collect());
        for path in self.changed.iter().filter(|p| is_below(p, path)) {
            if !self.head.is_file(path) {
                continue;
            }
            let mut text = self.head.read(path).ok()?;
            if text.len() > LONGEST {
                self.long.insert(path.clone());
                text.clear();
            }
            let seen = Arc::new(Seen::of(&text, is_list(path), reached));
            self.after.0.insert(path.as_str().into(), File { text: text.into(), seen });
        }
        self.loaded.insert(path.to_owned());
        Some(())
    }

    /// The parts of both states.
    fn lists(&self, dir: &str) -> (Option<Vec<String>>, Option<Vec<String>>) {
        let before = parts::of(&self.before, dir);
        // The same files, and the same lists of them.
        let mut changed = self.changed.iter().filter(|p| self.loaded.iter().any(|l| is_below(p, l)));
        let same = changed
            .all(|p| self.before.0.contains_key(p.as_str()) && self.after.0.contains_key(p.as_str()) && !is_list(p));
        let after = if same { before.clone() } else { parts::of(&self.after, dir) };
        (before, after)
    }

    /// What the files of a part say, and those outside that they lead to.
    fn part(&mut self, part: &str) -> Option<Part> {
        let changed = self.reached;
        let mut out = Part::default();
        let mut waiting = vec![part.to_owned()];
        let mut names = Vec::new();
        let mut seen = BTreeSet::new();
        while let Some(path) = waiting.pop() {
            if !seen.insert(path.clone()) {
                continue;
            }
            self.load(&path)?;
            out.touched |= changed.reaches(&path);
            let both = [&self.before, &self.after];
            let sides = if changed.reaches(&path) { &both[..] } else { &both[..1] };
            for (path, File { text, seen }) in sides.iter().flat_map(|files| files.below(&path)) {
                let found = Mentions::of(path, seen, part, changed);
                out.unsteady |= out.touched && self.changed.contains(&**path) && (found.configures || is_list(path));
                if found.configures {
                    out.configurations.push(text.clone());
                    names.push(path.rsplit('/').next().unwrap_or(path).to_owned());
                }
                out.unclear |= found.unclear || !self.long.is_empty() && self.long.contains(&**path);
                out.everywhere |= found.everywhere;
                out.changed |= found.changed;
                if found.paths.iter().any(|p| self.unread.contains(p)) {
                    // Data to one kustomization and more to another.
                    return None;
                }
                waiting.extend(found.outside);
                out.files.push(File { text: text.clone(), seen: seen.clone() });
            }
        }
        let is_used = |name: &str| out.texts().any(|t| CONFIGURATIONS.find(t).is_some() && says(t, name));
        let used = out.configurations.iter().zip(&names).filter(|(_, name)| is_used(name));
        out.declared = used.map(|(text, _)| text.clone()).collect();
        Some(out)
    }
}

/// Whether a file lists others.
fn is_list(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| generated::NAMES.contains(&name))
}

impl Selection {
    /// Looks through an environment, a directory of both states. `None` if everything has to be built.
    pub fn new(range: &Range, dir: &str) -> Option<Self> {
        let changed = Changed::new(&range.changed)?;
        let mut survey = Survey::new(range, &changed)?;
        survey.load(dir)?;
        // They are looked for at the same time. Few repositories have any that lead to a change: only there the files are looked through again.
        let links = range.links()?;
        let reached = aliases(&range.changed, links)?;
        let reached = Changed::new(&reached)?;
        if reached.count() > changed.count() {
            survey = Survey::new(range, &reached)?;
            survey.load(dir)?;
        }
        if survey.before.0.is_empty() || survey.after.0.is_empty() {
            return None;
        }
        // Parts may lie elsewhere; what is not loaded yet is not found, and loaded then.
        let mut lists = survey.lists(dir);
        if lists.0.is_none() || lists.1.is_none() {
            for name in generated::NAMES {
                let text =
                    survey.before.0.get(&*format!("{dir}/{name}")).or(survey.after.0.get(&*format!("{dir}/{name}")));
                let file = text.cloned().unwrap_or_default();
                let up = words(&file.text).filter_map(|w| std::str::from_utf8(w).ok()).filter(|w| w.contains(".."));
                for path in up.filter_map(|w| resolve(dir, w)).filter(|p| !is_below(dir, p)) {
                    survey.load(&path)?;
                }
            }
            lists = survey.lists(dir);
        }
        let (old, new) = (lists.0?, lists.1?);
        let mut out = Self { dir: dir.into(), base: old, head: new, parts: BTreeMap::new(), chosen: BTreeSet::new() };
        let (in_base, in_head): (BTreeSet<&String>, BTreeSet<&String>) =
            (out.base.iter().collect(), out.head.iter().collect());
        for path in in_base.union(&in_head) {
            let mut part = survey.part(path)?;
            if part.everywhere {
                return None;
            }
            let on_one_side = in_base.contains(path) != in_head.contains(path);
            part.unsteady |= on_one_side;
            if on_one_side || part.changed || part.unclear || reached.reaches(path) {
                out.chosen.insert((*path).clone());
            }
            out.parts.insert((*path).clone(), part);
        }
        let crosses = |link: &Link| survey.loaded.iter().any(|l| is_below(&link.path, l) || is_below(l, &link.path));
        if links.iter().any(crosses) {
            return None;
        }
        // References hold for the whole environment, wherever they are declared: those that may come or go must stand elsewhere too.
        let steady = distinct(out.parts.values().filter(|p| !p.unsteady).flat_map(|p| &p.declared));
        let mut unsteady = out.parts.values().filter(|p| p.unsteady).flat_map(|p| &p.configurations);
        if !unsteady.all(|text| steady.contains(text)) {
            return None;
        }
        out.close();
        Some(out)
    }

    /// Adds the parts that mention one of these names of objects. False if they are all built already.
    pub fn extend(&mut self, names: &BTreeSet<String>) -> bool {
        let before = self.chosen.len();
        let renames: BTreeSet<String> =
            names.iter().flat_map(|n| [Some(n.as_str()), without_hash(n)]).flatten().map(String::from).collect();
        for (path, part) in &self.parts {
            if !self.chosen.contains(path) && part.texts().any(|text| renames.iter().any(|n| says(text, n))) {
                self.chosen.insert(path.clone());
            }
        }
        self.close();
        self.chosen.len() > before
    }

    /// The names that objects have where they are written, in the built parts that may name them otherwise.
    pub fn unclear_names(&self) -> impl Iterator<Item = &String> {
        let unclear = self.built().filter(|(_, part)| part.unclear);
        unclear.flat_map(|(_, part)| part.defines())
    }

    /// Whether one of the parts, built or not, has a release of this service: told by its path, or by a name as most people write it. False says
    /// nothing.
    pub fn has_service(&self, service: &str) -> bool {
        let (dir, name) = (format!("/{service}/"), format!("  name: {service}"));
        let named = |text: &[u8]| text.split(|b| *b == b'\n').any(|line| line.trim_ascii_end() == name.as_bytes());
        self.parts.iter().any(|(path, part)| {
            let is_own = format!("{path}/").contains(&dir);
            part.texts().any(|text| (is_own || named(text)) && RELEASE.find(text).is_some())
        })
    }

    /// Whether the built parts are the same in both states: what differs are charts and values files.
    pub fn is_untouched(&self) -> bool {
        self.base == self.head && !self.built().any(|(_, part)| part.touched)
    }

    /// The resources of the older and the newer state's kustomization, as paths from its directory.
    pub fn resources(&self) -> (Vec<String>, Vec<String>) {
        let list = |all: &[String]| -> Vec<String> {
            all.iter().filter(|p| self.chosen.contains(*p)).map(|p| relative(&self.dir, p)).collect()
        };
        (list(&self.base), list(&self.head))
    }

    fn built(&self) -> impl Iterator<Item = (&String, &Part)> {
        self.parts.iter().filter(|(path, _)| self.chosen.contains(*path))
    }

    /// Adds what the chosen parts depend on.
    fn close(&mut self) {
        let mut known = Known::default();
        let mut read: BTreeSet<String> = BTreeSet::new();
        loop {
            let new: Vec<&Part> =
                self.built().filter(|(path, _)| !read.contains(*path)).map(|(_, part)| part).collect();
            if new.is_empty() {
                return;
            }
            for text in new.iter().flat_map(|part| part.texts()) {
                for word in words(text).flat_map(|w| w.split(|b| *b == b'/')) {
                    known.add(word);
                    if let Some(plain) = std::str::from_utf8(word).ok().and_then(without_hash) {
                        known.add(plain.as_bytes());
                    }
                }
            }
            read = self.chosen.clone();
            let mut more: BTreeSet<String> = BTreeSet::new();
            let steady = self.built().filter(|(_, part)| !part.unsteady);
            let mut declared = distinct(steady.flat_map(|(_, part)| &part.declared));
            for (path, part) in self.parts.iter().filter(|(path, _)| !self.chosen.contains(*path)) {
                let declares = part.declared.iter().filter(|text| declared.insert(text)).count() > 0;
                let last = |name: &String| words(name.as_bytes()).last().is_some_and(|w| known.has(w));
                if declares || part.defines().any(last) {
                    more.insert(path.clone());
                }
            }
            self.chosen.extend(more);
        }
    }
}

/// Words that were read.
#[derive(Default)]
struct Known {
    words: BTreeSet<Vec<u8>>,
    signs: Signs,
}

impl Known {
    fn add(&mut self, word: &[u8]) {
        if !self.has(word) {
            self.signs.add(word);
            self.words.insert(word.to_vec());
        }
    }

    fn has(&self, word: &[u8]) -> bool {
        self.signs.may_have(word) && self.words.contains(word)
    }
}

/// A generated name without the hash at its end.
fn without_hash(name: &str) -> Option<&str> {
    let (plain, hash) = name.rsplit_once('-')?;
    (hash.len() == 10 && hash.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(plain)
}

/// Whether a name stands in a text, and not as a part of another.
fn says(text: &[u8], name: &str) -> bool {
    let inner = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    memchr::memmem::find_iter(text, name.as_bytes()).any(|at| {
        let before = at.checked_sub(1).and_then(|i| text.get(i));
        !inner(before) && !inner(text.get(at + name.len()))
    })
}

fn relative(dir: &str, path: &str) -> String {
    if let Some(rest) = path.strip_prefix(dir).and_then(|rest| rest.strip_prefix('/')) {
        return format!("./{rest}");
    }
    let up = dir.split('/').filter(|p| !p.is_empty()).count();
    format!("{}{path}", "../".repeat(up))
}

/// The changed files by the paths that links give them; the links themselves are not changed. `None` if there are too many.
pub fn aliases(changed: &BTreeSet<String>, links: &[Link]) -> Option<BTreeSet<String>> {
    let mut all = changed.clone();
    for _ in 0..MOST_STEPS {
        let before = all.len();
        for link in links {
            let dir = link.path.rsplit_once('/').map_or("", |(dir, _)| dir);
            let Some(target) = resolve(dir, &link.target).filter(|_| !link.target.starts_with('/')) else { continue };
            let through = |p: &String| is_below(p, &target).then(|| p.get(target.len()..)).flatten().map(String::from);
            let new: Vec<String> = all.iter().filter_map(through).collect();
            for rest in new {
                let rest = rest.trim_start_matches('/');
                all.insert(if rest.is_empty() { link.path.clone() } else { format!("{}/{rest}", link.path) });
            }
        }
        if all.len() == before {
            return Some(all);
        }
        if all.len() > MOST_FILES {
            return None;
        }
    }
    None
}
