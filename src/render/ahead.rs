//! Parsing ahead: while the rest of a large chart is still being unpacked and its values merged, another core parses the templates that are
//! there already, and reads large values files. While the templates are executed it validates the values, and reads what was rendered.
//!
//! The chart's own templates are offered when they are unpacked, as they are parsed whatever the values say; those of subcharts when it
//! is settled which are on. Values files are wanted first, so they go before templates. Subcharts often bring the same library each:
//! files of the same text share their trees.
//! Nothing is decided here: a text that does not parse is left alone and parsed again in its turn, for the error; and what validation says
//! is asked for before anything is said of the templates.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::program::functions;
use super::{parallel, rendered};
use crate::chart::load::Early;
use crate::chart::schema::{Check, Sources};
use crate::chart::{Chart, File, Table, own_path, values_file};
use crate::diagnostic::LogLine;
use crate::gotmpl::{Names, Template, parse_shared, start_large};
use crate::value::Str;

/// Of so many bytes of text a thread is worth its start.
const FROM: usize = 64 << 10;

/// A values file of so many bytes is worth passing on.
const LARGE_VALUES: usize = 8 << 10;

/// Schemas of so many bytes are.
const LARGE_SCHEMAS: usize = 8 << 10;

/// The name of a text whose file's full path is not known yet. No template can have it by chance.
const UNNAMED: &str = "\0 parsed ahead \0";

/// What was parsed, by the address of the text: it is kept beside the trees, so no other text can come to lie there.
type Done = Names<usize, (Arc<[u8]>, Vec<Template>)>;

/// What was read of values files, in the same way.
type Read = Names<usize, (Arc<[u8]>, Result<Table, String>)>;

/// What validation says, and what it warns of.
pub(super) type Checked = (Result<(), String>, Vec<LogLine>);

/// Texts offered to be parsed, and what became of them.
#[derive(Debug, Default)]
pub struct Ahead {
    /// Not yet offered to the other thread: there are too few.
    first: Vec<Task>,
    bytes: usize,
    /// Whether there is another core and a thread on it; asked when there is enough to do.
    other: Option<Option<Arc<Shared>>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<Work>,
    changed: Condvar,
}

/// What there is to do with a text.
#[derive(Debug)]
enum Task {
    Template(Arc<[u8]>),
    Values(Arc<[u8]>),
}

#[derive(Debug, Default)]
struct Work {
    waiting: VecDeque<Task>,
    done: Done,
    /// Values files that were read, as `done`.
    values: Read,
    /// The values file that is being read.
    reading: Option<usize>,
    /// How many templates are being parsed.
    parsing: usize,
    /// The first text of each kind that was parsed.
    known: Names<Kind, (Arc<[u8]>, Vec<Template>)>,
    /// Values to be validated when nothing else waits, and what came of it.
    check: Option<Arc<Check>>,
    checked: Option<Checked>,
    /// No more texts come, and those that wait are not wanted.
    closed: bool,
    /// Rendered files whose documents are to be read, whether one is being read, and what was read.
    rendered: VecDeque<Arc<rendered::File>>,
    splitting: bool,
    read: rendered::Read,
    /// Nobody asks for anything any more.
    over: bool,
    /// The thread has gone.
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Work> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut work = self.lock();
        loop {
            match work.waiting.pop_front().filter(|_| !work.closed) {
                None if work.check.is_some() => {
                    let check = work.check.take();
                    drop(work);
                    let mut warnings = Vec::new();
                    let result = check.map_or(Ok(()), |check| check.run(&Sources::default(), &mut warnings));
                    work = self.lock();
                    work.checked = Some((result, warnings));
                    self.changed.notify_all();
                }
                None if work.over => return,
                None if !work.rendered.is_empty() => work = self.read(work),
                None => work = self.changed.wait(work).unwrap_or_else(PoisonError::into_inner),
                Some(Task::Template(text)) => work = self.parse(work, text),
                Some(Task::Values(text)) => {
                    work.reading = Some(address(&text));
                    drop(work);
                    let values = values_file::read(&text);
                    work = self.lock();
                    work.reading = None;
                    work.values.insert(address(&text), (text, values));
                    self.changed.notify_all();
                }
            }
        }
    }

    /// Parses a text, with the lock let go meanwhile.
    fn parse<'w>(&'w self, mut work: MutexGuard<'w, Work>, text: Arc<[u8]>) -> MutexGuard<'w, Work> {
        let kind = kind(&text);
        let same = work.known.get(&kind).filter(|(known, _)| *known == text).map(|(_, templates)| templates.clone());
        work.parsing += 1;
        drop(work);
        let parsed = same.map_or_else(|| parse_shared(UNNAMED, &Str::from(text.clone()), functions()), Ok);
        let mut work = self.lock();
        work.parsing -= 1;
        if let Ok(templates) = parsed {
            work.known.entry(kind).or_insert_with(|| (text.clone(), templates.clone()));
            work.done.insert(address(&text), (text, templates));
        }
        if work.closed {
            self.changed.notify_all();
        }
        work
    }

    /// Reads the documents of a rendered file, with the lock let go meanwhile.
    fn read<'w>(&'w self, mut work: MutexGuard<'w, Work>) -> MutexGuard<'w, Work> {
        let Some(file) = work.rendered.pop_front() else { return work };
        work.splitting = true;
        drop(work);
        let documents = rendered::read(&file);
        let path = file.0.clone();
        // Who collects the files shall find none of them shared.
        drop(file);
        let mut work = self.lock();
        work.splitting = false;
        work.read.insert(path, documents);
        if work.rendered.is_empty() {
            self.changed.notify_all();
        }
        work
    }

    /// What a values file says, if it was read or is being read; what still waits is left to who asks.
    fn values(&self, text: &Arc<[u8]>) -> Option<Result<Table, String>> {
        let address = address(text);
        let mut work = self.lock();
        work.waiting.retain(|task| !matches!(task, Task::Values(other) if Arc::ptr_eq(other, text)));
        while work.reading == Some(address) && !work.ended {
            work = self.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
        }
        work.values.remove(&address).map(|(_, values)| values)
    }
}

/// Says that the thread has gone, however it went.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_all();
    }
}

fn address(text: &Arc<[u8]>) -> usize {
    Arc::as_ptr(text).cast::<u8>().addr()
}

impl Ahead {
    /// Takes a file, its path relative to the chart that is rendered: templates of the chart itself, and all values files that are large.
    pub fn offer(&mut self, file: &File) {
        let task: fn(Arc<[u8]>) -> Task = if file.name.starts_with("templates/") {
            if file.name.ends_with(super::tera::SUFFIX) {
                return;
            }
            Task::Template
        } else if own_path(&file.name) == "values.yaml" && file.data.len() >= LARGE_VALUES {
            Task::Values
        } else {
            return;
        };
        let (bytes, task) = (file.data.len(), task(file.data.shared().clone()));
        match &self.other {
            Some(Some(shared)) => {
                let mut work = shared.lock();
                match task {
                    Task::Values(_) => work.waiting.push_front(task),
                    Task::Template(_) => work.waiting.push_back(task),
                }
                shared.changed.notify_all();
            }
            // Without another thread all is done in its turn.
            Some(None) => {}
            None => {
                self.bytes += bytes;
                self.first.push(task);
                if self.bytes >= FROM {
                    self.other = Some(start(std::mem::take(&mut self.first)));
                }
            }
        }
    }

    /// Takes all templates of a chart whose dependencies are settled: those of its subcharts.
    pub fn offer_subcharts(&mut self, chart: &Chart) {
        for sub in &chart.dependencies {
            for file in &sub.templates {
                if !sub.is_library() || super::scope::is_partial(&file.name) {
                    self.offer(file);
                }
            }
            self.offer_subcharts(sub);
        }
    }

    /// Takes values to be validated, if there is a thread for it; they have to be asked for.
    pub(super) fn check(&self, check: &Arc<Check>) -> bool {
        let Some(Some(shared)) = &self.other else { return false };
        let large = check.bytes() >= LARGE_SCHEMAS;
        if large {
            shared.lock().check = Some(check.clone());
            shared.changed.notify_all();
        }
        large
    }

    /// What came of the validation; nothing if it can't be told.
    pub(super) fn checked(&self) -> Option<Checked> {
        let shared = self.other.as_ref()?.as_ref()?;
        let mut work = shared.lock();
        while work.checked.is_none() && !work.ended {
            work = shared.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
        }
        work.checked.take()
    }

    /// Whether there is another thread.
    pub(super) fn has_help(&self) -> bool {
        matches!(self.other, Some(Some(_)))
    }

    /// Whether all that was offered is done.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        let Some(Some(shared)) = &self.other else { return true };
        let work = shared.lock();
        work.waiting.is_empty() && work.rendered.is_empty() && !work.splitting && work.parsing == 0
    }

    /// Takes rendered files, whose documents will be asked for.
    pub(super) fn hand_over(&self, files: &[Arc<rendered::File>]) {
        let Some(Some(shared)) = &self.other else { return };
        shared.lock().rendered.extend(files.iter().cloned());
        shared.changed.notify_all();
    }

    /// The documents that were read.
    pub(super) fn take_read(&self) -> rendered::Read {
        let Some(Some(shared)) = &self.other else { return rendered::Read::default() };
        let mut work = shared.lock();
        work.rendered.clear();
        while work.splitting && !work.ended {
            work = shared.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut work.read)
    }

    /// What was parsed; what still waits is parsed on this thread, too.
    pub(super) fn finish(&self) -> Parsed {
        let Some(Some(shared)) = &self.other else { return Parsed::default() };
        let mut work = shared.lock();
        while let Some(task) = work.waiting.pop_back() {
            if let Task::Template(text) = task {
                work = shared.parse(work, text);
            }
        }
        work.closed = true;
        shared.changed.notify_all();
        while work.parsing > 0 && !work.ended {
            work = shared.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
        }
        Parsed(std::mem::take(&mut work.done))
    }
}

impl Early for Ahead {
    fn file(&mut self, file: &File) {
        self.offer(file);
    }

    fn values(&mut self, text: &Arc<[u8]>) -> Option<Result<Table, String>> {
        self.other.as_ref()?.as_ref()?.values(text)
    }
}

/// What texts that are the same have in common, at a glance: the length, and some bytes of the end, as files often begin alike.
type Kind = (usize, [u8; 16]);

pub(super) fn kind(text: &[u8]) -> Kind {
    (text.len(), text.last_chunk().copied().unwrap_or_default())
}

/// Begins to parse these on another core, if there is one.
fn start(first: Vec<Task>) -> Option<Arc<Shared>> {
    if crate::gotmpl::cores() < 2 {
        return None;
    }
    let shared = Arc::new(Shared::default());
    shared.lock().waiting.extend(first);
    let ending = Ending(shared.clone());
    start_large(move || ending.0.work()).ok().map(|()| shared)
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let Some(Some(shared)) = &self.other {
            let mut work = shared.lock();
            (work.closed, work.over) = (true, true);
            shared.changed.notify_all();
        }
    }
}

/// Trees that were parsed before it is asked for them under their files' names.
#[derive(Debug, Default)]
pub(super) struct Parsed(Done);

impl Parsed {
    /// Parses texts that were not parsed yet, each once, on all cores. What does not parse is left alone.
    pub(super) fn parse(&mut self, texts: &[&Arc<[u8]>]) {
        let mut seen = HashSet::new();
        let rest: Vec<&Arc<[u8]>> =
            texts.iter().copied().filter(|text| !self.has(text) && seen.insert(address(text))).collect();
        let bytes = rest.iter().map(|text| text.len()).sum();
        let parsed =
            parallel::map(&rest, bytes, |text| parse_shared(UNNAMED, &Str::from((*text).clone()), functions()));
        for (text, parsed) in rest.into_iter().zip(parsed) {
            if let Ok(templates) = parsed {
                self.0.insert(address(text), (text.clone(), templates));
            }
        }
    }

    /// Whether a text was parsed.
    pub(super) fn has(&self, text: &Arc<[u8]>) -> bool {
        self.0.contains_key(&address(text))
    }

    /// The trees of a text, as if it had been parsed under this name; `None` if it was not, or if the name could have made a difference.
    pub(super) fn named(&self, name: &str, text: &Arc<[u8]>) -> Option<Vec<Template>> {
        let (_, templates) = self.0.get(&address(text))?;
        if templates.iter().any(|t| *t.name == *name) {
            return None;
        }
        let mut templates = templates.clone();
        let name: Arc<str> = name.into();
        for template in &mut templates {
            template.parse_name = name.clone();
            if *template.name == *UNNAMED {
                template.name = name.clone();
            }
        }
        Some(templates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::program::Program;

    /// Sources, with what `Program` makes of them with and without help.
    fn both(texts: &[(&str, String)]) -> [Result<Program, String>; 2] {
        let files: Vec<File> = texts
            .iter()
            .map(|(name, text)| File { name: (*name).into(), data: text.as_bytes().into(), modified: None })
            .collect();
        let mut ahead = Ahead::default();
        files.iter().for_each(|f| ahead.offer(f));
        let paths: Vec<String> = files.iter().map(|f| format!("chart/{}", f.name)).collect();
        let parse = |ahead| {
            Program::parse_ahead(paths.iter().map(String::as_str).zip(files.iter().map(|f| f.data.shared())), ahead)
        };
        // Until all is parsed: what is not is parsed in its turn, which would tell nothing.
        if let Some(Some(shared)) = &ahead.other {
            while !shared.lock().waiting.is_empty() {
                std::thread::yield_now();
            }
        }
        [parse(None), parse(Some(&ahead))]
    }

    #[test]
    fn trees_are_the_same_as_in_their_turn() {
        let large = "x".repeat(FROM);
        let texts = [
            ("templates/a.yaml", format!("{large}{{{{ .Values.a }}}}{{{{ define \"d\" }}}}1{{{{ end }}}}")),
            ("templates/b.yaml", "{{ template \"d\" }}".into()),
            // A file may define a template of its own full name.
            ("templates/c.yaml", "{{ define \"chart/templates/c.yaml\" }}own{{ end }} \n".into()),
            ("README.md", "{{".into()),
        ];
        let [alone, helped] = both(&texts[..3]).map(|p| format!("{:?}", p.unwrap()));
        assert_eq!(alone, helped);
        assert!(!helped.contains("parsed ahead"));
    }

    #[test]
    fn files_of_the_same_text_share_trees() {
        let text = "{{ define \"d\" }}{{ .Values.a.b }}{{ end }}".to_string() + &" ".repeat(FROM);
        let file = |name: &str| File { name: name.into(), data: text.as_bytes().into(), modified: None };
        let files = [file("templates/a.yaml"), file("templates/b.yaml")];
        let mut ahead = Ahead::default();
        files.iter().for_each(|f| ahead.offer(f));
        let Some(Some(shared)) = &ahead.other else { return };
        while !shared.lock().waiting.is_empty() {
            std::thread::yield_now();
        }
        let parsed = ahead.finish();
        let [a, b] = files.map(|f| parsed.named(&format!("c/{}", f.name), f.data.shared()).unwrap());
        for (a, b) in a.iter().zip(&b) {
            assert!(Arc::ptr_eq(&a.root, &b.root));
            assert_eq!((&*a.parse_name, &*b.parse_name), ("c/templates/a.yaml", "c/templates/b.yaml"));
        }
        assert_eq!(b.iter().map(|t| &*t.name).collect::<Vec<_>>(), ["d", "c/templates/b.yaml"]);
    }

    #[test]
    fn errors_have_the_files_names() {
        let texts = [("templates/a.yaml", "x".repeat(FROM)), ("templates/b.yaml", "a\n{{ if }}".into())];
        let [alone, helped] = both(&texts).map(Result::unwrap_err);
        assert_eq!(alone, helped);
        assert!(helped.contains("chart/templates/b.yaml:2"), "{helped}");
    }

    #[test]
    fn values_are_the_same_as_in_their_turn() {
        let file = |name: &str, text: &str| File { name: name.into(), data: text.as_bytes().into(), modified: None };
        let large = "# large\n".repeat(LARGE_VALUES);
        for (text, want) in [("a: {b: 1}", true), ("a: [", false), ("a: 1\n---\nb: 2", true)] {
            let values = file("charts/sub/values.yaml", &format!("{large}{text}"));
            let mut ahead = Ahead::default();
            let threads = crate::gotmpl::cores() > 1;
            ahead.file(&file("templates/a.yaml", &"x".repeat(FROM)));
            ahead.file(&values);
            if let Some(Some(shared)) = &ahead.other {
                while !shared.lock().waiting.is_empty() {
                    std::thread::yield_now();
                }
            }
            let read = ahead.values(values.data.shared());
            assert_eq!(read.is_some(), threads);
            let alone = values_file::read(&values.data);
            assert_eq!(alone.is_ok(), want, "{text}");
            assert!(read.is_none_or(|read| read == alone), "{text}");
            assert!(ahead.values(values.data.shared()).is_none(), "given once");
        }
        for (path, want) in [
            ("values.yaml", true),
            ("charts/a/values.yaml", true),
            ("charts/a/charts/b/values.yaml", true),
            ("charts/values.yaml", false),
            ("files/values.yaml", false),
            ("charts/a/values.yml", false),
        ] {
            assert_eq!(own_path(path) == "values.yaml", want, "{path}");
        }
    }

    #[test]
    fn an_abandoned_one_ends() {
        let mut ahead = Ahead::default();
        ahead.offer(&File { name: "templates/a".into(), data: "x".repeat(FROM).into_bytes().into(), modified: None });
        let shared = ahead.other.clone().flatten();
        drop(ahead);
        if let Some(shared) = shared {
            let mut work = shared.lock();
            while !work.ended {
                work = shared.changed.wait(work).unwrap();
            }
        }
    }
}
