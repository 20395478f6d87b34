//! Parsing ahead: while the rest of a large chart is still being unpacked, its values merged and its schemas compiled, another core
//! parses the templates that are there already.
//!
//! The chart's own templates are offered when they are unpacked, as they are parsed whatever the values say; those of subcharts when it
//! is settled which are on.
//! Nothing is decided here: a text that does not parse is left alone and parsed again in its turn, for the error.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::program::functions;
use crate::chart::{Chart, File};
use crate::gotmpl::{Template, parse_shared, start_large};
use crate::value::Str;

/// Of so many bytes of text a thread is worth its start.
const FROM: usize = 64 << 10;

/// The name of a text whose file's full path is not known yet. No template can have it by chance.
const UNNAMED: &str = "\0 parsed ahead \0";

/// What was parsed, by the address of the text: it is kept beside the trees, so no other text can come to lie there.
type Done = HashMap<usize, (Arc<[u8]>, Vec<Template>)>;

/// Texts offered to be parsed, and what became of them.
#[derive(Debug, Default)]
pub struct Ahead {
    /// Not yet offered to the other thread: there are too few.
    first: Vec<Arc<[u8]>>,
    bytes: usize,
    /// Whether there is another core and a thread on it; asked when there is enough to do.
    other: Option<Option<Arc<Shared>>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<Work>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Work {
    waiting: VecDeque<Arc<[u8]>>,
    done: Done,
    /// No more texts come, and those that wait are not wanted.
    closed: bool,
    /// The thread has gone.
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Work> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut work = self.lock();
        while !work.closed {
            let Some(text) = work.waiting.pop_front() else {
                work = self.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(work);
            let parsed = parse_shared(UNNAMED, &Str::from(text.clone()), functions());
            work = self.lock();
            if let Ok(templates) = parsed {
                work.done.insert(address(&text), (text, templates));
            }
        }
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
    /// Takes a file of the chart itself, its path relative to the chart.
    pub fn offer(&mut self, file: &File) {
        if !file.name.starts_with("templates/") || file.name.ends_with(super::tera::SUFFIX) {
            return;
        }
        match &self.other {
            Some(Some(shared)) => {
                shared.lock().waiting.push_back(file.data.shared().clone());
                shared.changed.notify_all();
            }
            // Without another thread all is parsed in its turn.
            Some(None) => {}
            None => {
                self.bytes += file.data.len();
                self.first.push(file.data.shared().clone());
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

    /// What was parsed until now; the thread ends.
    pub(super) fn finish(&self) -> Parsed {
        let Some(Some(shared)) = &self.other else { return Parsed::default() };
        let mut work = shared.lock();
        work.closed = true;
        shared.changed.notify_all();
        while !work.ended {
            work = shared.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
        }
        Parsed(std::mem::take(&mut work.done))
    }
}

/// Begins to parse these on another core, if there is one.
fn start(first: Vec<Arc<[u8]>>) -> Option<Arc<Shared>> {
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
            shared.lock().closed = true;
            shared.changed.notify_all();
        }
    }
}

/// Trees that were parsed before their time.
#[derive(Debug, Default)]
pub(super) struct Parsed(Done);

impl Parsed {
    /// The trees of a text, as if it had been parsed under this name; `None` if it was not, or if the name could have made a difference.
    pub(super) fn take(&mut self, name: &str, text: &Arc<[u8]>) -> Option<Vec<Template>> {
        let (_, mut templates) = self.0.remove(&address(text))?;
        if templates.iter().any(|t| *t.name == *name) {
            return None;
        }
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
    fn errors_have_the_files_names() {
        let texts = [("templates/a.yaml", "x".repeat(FROM)), ("templates/b.yaml", "a\n{{ if }}".into())];
        let [alone, helped] = both(&texts).map(Result::unwrap_err);
        assert_eq!(alone, helped);
        assert!(helped.contains("chart/templates/b.yaml:2"), "{helped}");
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
