//! Templates parsed ahead: while a chart is still being unpacked, idle cores parse what has arrived.
//!
//! What a template is called is only known once the chart's metadata and dependencies are (a dependency may have an alias, or be switched
//! off), so texts are parsed without a name here and get it afterwards. A text that does not parse is parsed again under its name: its
//! error carries that.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::chart::File;
use crate::gotmpl::ast::Template;
use crate::gotmpl::{ParseError, Unnamed, parse_shared, spawn_large_detached};
use crate::value::Str;

use super::{functions, tera};

/// Below so many bytes of text a second thread costs more than it brings.
const FROM: usize = 48 << 10;

/// What a text parses to.
type Trees = Result<Vec<Template>, ParseError>;

/// The texts of one chart, parsed or to be parsed.
#[derive(Default)]
pub struct Ahead {
    shared: Arc<Shared>,
    bytes: usize,
    threads: usize,
}

#[derive(Default)]
struct Shared {
    work: Mutex<Work>,
    /// There is a text to parse, or none will come any more, or one is done.
    changed: Condvar,
}

#[derive(Default)]
struct Work {
    queue: VecDeque<Arc<[u8]>>,
    /// By where they lie in memory, where they therefore stay. `None`: under way.
    texts: HashMap<usize, Option<Done>>,
    under_way: usize,
    closed: bool,
}

struct Done {
    /// Keeps its place.
    _text: Arc<[u8]>,
    trees: Option<Unnamed>,
}

fn key(text: &Arc<[u8]>) -> usize {
    text.as_ptr().addr()
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Parses one text of the queue. False: there is none.
    fn parse_one(&self) -> bool {
        let mut work = self.lock();
        let Some(text) = work.queue.pop_front() else { return false };
        work.texts.insert(key(&text), None);
        work.under_way += 1;
        drop(work);
        let guard = UnderWay { shared: self };
        let trees = Unnamed::parse(&Str::from(text.clone()), functions()).ok();
        self.lock().texts.insert(key(&text), Some(Done { _text: text, trees }));
        drop(guard);
        true
    }

    /// A thread's life: parse what there is, wait for more.
    fn serve(&self) {
        loop {
            while self.parse_one() {}
            let work = self.lock();
            if work.queue.is_empty() {
                if work.closed {
                    return;
                }
                drop(self.changed.wait(work));
            }
        }
    }
}

/// Says that a text is done, even if parsing it should panic.
struct UnderWay<'s> {
    shared: &'s Shared,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.shared.lock().under_way -= 1;
        self.shared.changed.notify_all();
    }
}

impl Ahead {
    /// A file of the chart has arrived.
    pub fn watch(&mut self, file: &File) {
        let is_template = file.name.starts_with("templates/") || file.name.contains("/templates/");
        if !is_template || file.name.ends_with(tera::SUFFIX) {
            return;
        }
        self.bytes += file.data.len();
        self.shared.lock().queue.push_back(file.data.clone());
        if self.bytes >= FROM {
            self.start();
            self.shared.changed.notify_one();
        }
    }

    /// Starts threads for all other cores, once.
    fn start(&mut self) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from).min(8);
        while self.threads + 1 < cores {
            let shared = self.shared.clone();
            self.threads += 1;
            if spawn_large_detached(move || shared.serve()).is_err() {
                self.threads = cores;
            }
        }
    }

    /// The trees of these texts, in their order; what is not parsed yet is parsed now, by all threads.
    pub fn finish(mut self, texts: &[(&str, &Arc<[u8]>)]) -> Vec<Trees> {
        let mut work = self.shared.lock();
        // What nobody asks for is left out.
        work.queue.clear();
        let mut bytes = 0;
        for (_, text) in texts {
            if !work.texts.contains_key(&key(text)) {
                bytes += text.len();
                work.queue.push_back((*text).clone());
            }
        }
        drop(work);
        if bytes >= FROM {
            self.start();
        }
        self.shared.changed.notify_all();
        while self.shared.parse_one() {}
        let mut work = self.shared.lock();
        while work.under_way > 0 {
            work = self.shared.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
        }
        work.closed = true;
        self.shared.changed.notify_all();
        texts.iter().map(|(name, text)| named(name, text, work.texts.remove(&key(text)).flatten())).collect()
    }
}

/// Gives the trees of a text their name.
fn named(name: &str, text: &Arc<[u8]>, parsed: Option<Done>) -> Trees {
    match parsed.and_then(|done| done.trees?.named(name)) {
        Some(trees) => Ok(trees),
        None => parse_shared(name, &Str::from(text.clone()), functions()),
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        let mut work = self.shared.lock();
        work.queue.clear();
        work.closed = true;
        drop(work);
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> File {
        File { name: name.into(), data: text.as_bytes().into(), modified: None }
    }

    #[test]
    fn what_is_parsed_ahead_is_what_is_parsed_by_name() {
        let long = "{{ .a }}\n".repeat(20_000);
        let texts = [
            ("c/templates/a.yaml", "a: {{ .b }}{{ define \"x\" }}y{{ end }}"),
            ("c/templates/b.yaml", "{{ define \"c/templates/b.yaml\" }}z{{ end }}"),
            ("c/templates/c.yaml", "{{ if }}"),
            ("c/templates/d.yaml", "{{ nothing }}"),
            ("c/templates/e.yaml", ""),
            ("c/templates/f.yaml", &long),
        ];
        let shown = |trees: &Trees| match trees {
            Ok(trees) => trees.iter().map(|t| format!("{} {} {:?}\n", t.name, t.parse_name, t.root)).collect(),
            Err(e) => e.to_string(),
        };
        let files: Vec<File> = texts.iter().map(|(name, text)| file(&name[2..], text)).collect();
        for watched in [0, 3, files.len()] {
            let mut ahead = Ahead::default();
            files[..watched].iter().for_each(|f| ahead.watch(f));
            let asked: Vec<(&str, &Arc<[u8]>)> = texts.iter().zip(&files).map(|((n, _), f)| (*n, &f.data)).collect();
            for ((name, text), trees) in texts.iter().zip(ahead.finish(&asked)) {
                let want = parse_shared(name, &Str::from(*text), functions());
                assert_eq!(shown(&trees), shown(&want), "{name}");
            }
        }
    }
}
