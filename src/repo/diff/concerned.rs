//! Which parts of an environment a change can concern: only those are built.
//!
//! A part is built if a changed file lies in it, if it mentions one, if more may be hidden in it than its words tell, and then those parts on
//! which a built one depends: they define a name that it mentions. What comes out of the two builds may concern others: an object that has
//! another name or other values now concerns whoever mentions it ([`Selection::extend`]). Where none of this can be told (a kustomization
//! that changes what it names, Flux Kustomizations, links in the environment), there is no selection and everything is built.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::mentions::{self, Changed, Mentions, is_below, resolve, words};
use super::parts::{self, Files};
use super::range::Range;
use crate::repo::git_survey::{Content, LONGEST, Link};
use crate::repo::{Checkout, GitTree, generated};

/// More files than this below one path are not looked through.
const MOST_FILES: usize = 20_000;

/// Links that lead through links are followed so far.
const MOST_STEPS: usize = 6;

/// What a part's files say.
#[derive(Clone, Default)]
struct Part {
    mentions: Mentions,
    texts: Vec<Arc<[u8]>>,
    /// Files that declare fields which hold names, and those of them that are used.
    configurations: Vec<Arc<[u8]>>,
    declared: Vec<Arc<[u8]>>,
    /// What is declared, or which declarations are used, is not the same in both states.
    unsteady: bool,
    /// One of its files is changed, or may have come or gone.
    touched: bool,
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
    loaded: BTreeSet<String>,
    before: Files,
    after: Files,
    /// Too long to look through.
    long: BTreeSet<String>,
    /// Data of generators.
    unread: BTreeSet<String>,
}

impl Survey<'_> {
    /// Loads what lies at or below a path in both states.
    fn load(&mut self, path: &str) -> Option<()> {
        if self.loaded.iter().any(|l| is_below(path, l)) {
            return Some(());
        }
        let files = self.tree.below(path, &generated::NAMES, mentions::only_data).ok()?;
        if files.len() > MOST_FILES {
            return None;
        }
        for file in files {
            let text: Arc<[u8]> = match file.content {
                Content::Text(text) => text,
                Content::TooLong => {
                    self.long.insert(file.path.clone());
                    Arc::default()
                }
                Content::Unread => {
                    self.unread.insert(file.path.clone());
                    Arc::default()
                }
            };
            if !self.changed.contains(&file.path) {
                self.after.0.insert(file.path.clone(), text.clone());
            }
            self.before.0.insert(file.path, text);
        }
        for path in self.changed.iter().filter(|p| is_below(p, path)) {
            if !self.head.is_file(path) {
                continue;
            }
            let mut text = self.head.read(path).ok()?;
            if text.len() > LONGEST {
                self.long.insert(path.clone());
                text.clear();
            }
            self.after.0.insert(path.clone(), text.into());
        }
        self.loaded.insert(path.to_owned());
        Some(())
    }

    /// The parts of both states.
    fn lists(&self, dir: &str) -> (Option<Vec<String>>, Option<Vec<String>>) {
        let before = parts::of(&self.before, dir);
        // The same files, and the same lists of them.
        let is_list = |path: &String| path.rsplit('/').next().is_some_and(|name| generated::NAMES.contains(&name));
        let mut changed = self.changed.iter().filter(|p| self.loaded.iter().any(|l| is_below(p, l)));
        let same = changed.all(|p| self.before.0.contains_key(p) && self.after.0.contains_key(p) && !is_list(p));
        let after = if same { before.clone() } else { parts::of(&self.after, dir) };
        (before, after)
    }

    /// What the files of a part say, and those outside that they lead to.
    fn part(&mut self, part: &str, changed: &Changed<'_>) -> Option<Part> {
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
            for (path, text) in sides.iter().flat_map(|files| files.below(&path)) {
                let found = Mentions::of(path, text, part, changed);
                let name = path.rsplit('/').next().unwrap_or(path);
                out.unsteady |= self.changed.contains(path) && (found.configures || generated::NAMES.contains(&name));
                if found.configures {
                    out.configurations.push(text.clone());
                    names.push(name.to_owned());
                }
                let all = &mut out.mentions;
                all.unclear |= found.unclear || self.long.contains(path);
                all.everywhere |= found.everywhere;
                all.changed |= found.changed;
                all.defines.extend(found.defines);
                if found.paths.iter().any(|p| self.unread.contains(p)) {
                    // Data to one kustomization and more to another.
                    return None;
                }
                waiting.extend(found.outside);
                out.texts.push(text.clone());
            }
        }
        let is_used = |name: &str| out.texts.iter().any(|t| says(t, "configurations") && says(t, name));
        let used = out.configurations.iter().zip(&names).filter(|(_, name)| is_used(name));
        out.declared = used.map(|(text, _)| text.clone()).collect();
        Some(out)
    }
}

impl Selection {
    /// Looks through an environment, a directory of both states. `None` if everything has to be built.
    pub fn new(range: &Range, dir: &str) -> Option<Self> {
        let mut survey = Survey {
            tree: range.base.commit()?,
            head: &range.head,
            changed: &range.changed,
            loaded: BTreeSet::new(),
            before: Files::default(),
            after: Files::default(),
            long: BTreeSet::new(),
            unread: BTreeSet::new(),
        };
        survey.load(dir)?;
        // They are looked for at the same time.
        let links = range.links()?;
        let changed = aliases(&range.changed, links)?;
        let changes = Changed::new(&changed)?;
        if survey.before.0.is_empty() || survey.after.0.is_empty() {
            return None;
        }
        // Parts may lie elsewhere; what is not loaded yet is not found, and loaded then.
        let mut lists = survey.lists(dir);
        if lists.0.is_none() || lists.1.is_none() {
            for name in generated::NAMES {
                let text =
                    survey.before.0.get(&format!("{dir}/{name}")).or(survey.after.0.get(&format!("{dir}/{name}")));
                let text = text.cloned().unwrap_or_default();
                let up = words(&text).filter_map(|w| std::str::from_utf8(w).ok()).filter(|w| w.contains(".."));
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
            let mut part = survey.part(path, &changes)?;
            let says = &part.mentions;
            if says.everywhere {
                return None;
            }
            let on_one_side = in_base.contains(path) != in_head.contains(path);
            part.unsteady |= on_one_side;
            if on_one_side || says.changed || says.unclear || changes.reaches(path) {
                out.chosen.insert((*path).clone());
            }
            out.parts.insert((*path).clone(), part);
        }
        let crosses = |link: &Link| survey.loaded.iter().any(|l| is_below(&link.path, l) || is_below(l, &link.path));
        if links.iter().any(crosses) {
            return None;
        }
        // References hold for the whole environment, wherever they are declared: those that may come or go must stand elsewhere too.
        let steady: BTreeSet<&Arc<[u8]>> =
            out.parts.values().filter(|p| !p.unsteady).flat_map(|p| &p.declared).collect();
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
            if !self.chosen.contains(path) && part.texts.iter().any(|text| renames.iter().any(|n| says(text, n))) {
                self.chosen.insert(path.clone());
            }
        }
        self.close();
        self.chosen.len() > before
    }

    /// The names that objects have where they are written, in the built parts that may name them otherwise.
    pub fn unclear_names(&self) -> impl Iterator<Item = &String> {
        let unclear = self.built().filter(|(_, part)| part.mentions.unclear);
        unclear.flat_map(|(_, part)| &part.mentions.defines)
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
        let mut known: BTreeSet<Vec<u8>> = BTreeSet::new();
        let mut read: BTreeSet<String> = BTreeSet::new();
        loop {
            let new: Vec<&Part> =
                self.built().filter(|(path, _)| !read.contains(*path)).map(|(_, part)| part).collect();
            if new.is_empty() {
                return;
            }
            for text in new.iter().flat_map(|part| &part.texts) {
                for word in words(text).flat_map(|w| w.split(|b| *b == b'/')) {
                    known.insert(word.to_vec());
                    if let Some(plain) = std::str::from_utf8(word).ok().and_then(without_hash) {
                        known.insert(plain.into());
                    }
                }
            }
            read = self.chosen.clone();
            let mut more: BTreeSet<String> = BTreeSet::new();
            let steady = self.built().filter(|(_, part)| !part.unsteady);
            let mut declared: BTreeSet<&Arc<[u8]>> = steady.flat_map(|(_, part)| &part.declared).collect();
            for (path, part) in self.parts.iter().filter(|(path, _)| !self.chosen.contains(*path)) {
                let declares = part.declared.iter().filter(|text| declared.insert(text)).count() > 0;
                let last = |name: &String| words(name.as_bytes()).last().is_some_and(|w| known.contains(w));
                if declares || part.mentions.defines.iter().any(last) {
                    more.insert(path.clone());
                }
            }
            self.chosen.extend(more);
        }
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
