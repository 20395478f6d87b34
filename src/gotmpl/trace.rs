//! Where output comes from: which action printed which bytes, inside which blocks and includes, and which values were read for it.
//!
//! A render records this only if its [`State`](super::State) holds a [`Trace`]; every other render pays a look at an empty option here and there.
//!
//! Values are followed by identity: Go's maps are shared, so whatever name a map goes by (a variable, the dot of a `with`, an entry of a `dict`, the
//! argument of an `include`), its id tells which path of the values it is. Scalars have no identity: variables, dots and the entries of new maps
//! carry what was read to make them. A function that makes a new map of others (`deepCopy`, `pick`) leaves its arguments' paths, and a key of it is
//! looked for below them. `merge` and its like are followed key by key, also into maps of the values themselves.

mod merged;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::ast::{Pos, Template};
use super::print::line_col;
use crate::value::{Heap, MapId, Str, Value};

/// A path through what a template sees: `Values`, `image`, `tag`; `Chart`, `AppVersion`. Places in lists are decimal numbers.
pub type Path = Arc<[Str]>;

/// Beyond this, blocks and includes are not told apart.
const MAX_FRAMES: u32 = 200;

/// What an action read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    Key(Path),
    /// The text that an `include` or a `tpl` made: its place in [`Trace::made`].
    Made(usize),
}

/// A template with its text.
#[derive(Debug)]
pub struct Source {
    pub template: Arc<str>,
    /// The file that it stands in; the set's own name for what `tpl` evaluates.
    pub file: Arc<str>,
    text: Str,
}

/// A place in a template.
#[derive(Clone, Debug)]
pub struct Place {
    pub source: Arc<Source>,
    pub pos: Pos,
}

impl Place {
    /// 1-based.
    pub fn line(&self) -> usize {
        line_col(&self.source.text, self.pos).0
    }

    /// The line's text without the blanks around it.
    pub fn excerpt(&self) -> String {
        let line = self.source.text.split(|b| *b == b'\n').nth(self.line() - 1).unwrap_or_default();
        String::from_utf8_lossy(line.trim_ascii()).into_owned()
    }

    /// So many bytes further on.
    #[must_use]
    pub fn plus(&self, bytes: usize) -> Self {
        Self { source: self.source.clone(), pos: self.pos.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX)) }
    }
}

/// What stands around an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Around {
    /// `if`, `with`, `range` with its pipeline as Go prints it, and whether the `else` part runs.
    Block { head: String, is_else: bool },
    /// `template`, `include`, `block`: the name.
    Template(Arc<str>),
    /// `tpl`
    Tpl,
}

/// One level around an action, and what is around that.
#[derive(Debug)]
pub struct Frame {
    pub around: Around,
    /// Where it stands: the block, or who includes.
    pub place: Place,
    /// What its pipeline read.
    pub reads: Vec<Read>,
    pub outer: Option<Arc<Self>>,
    depth: u32,
}

/// Bytes of a text, printed by one node.
#[derive(Debug)]
pub struct Piece {
    pub start: usize,
    pub end: usize,
    pub place: Place,
    /// The template's own text, and not what an action printed.
    pub is_text: bool,
    pub reads: Vec<Read>,
    pub frame: Option<Arc<Frame>>,
}

/// What one execution of a template printed: a file's, an `include`'s, a `tpl`'s.
#[derive(Debug, Default)]
pub struct Made {
    pub text: Vec<u8>,
    pub pieces: Vec<Piece>,
    /// What was read for the arguments.
    pub given: Vec<Read>,
}

/// What is known of a map or list.
#[derive(Debug, Default)]
struct Origin {
    /// It is this part of what templates see.
    path: Option<Path>,
    /// Entries that were made by functions.
    keys: HashMap<Str, Vec<Read>>,
    /// What it was made of.
    all: Vec<Read>,
}

/// The record of one render.
#[derive(Debug, Default)]
pub struct Trace {
    pub made: Vec<Made>,
    /// Executions from outside, by the template's name: files.
    pub files: HashMap<String, usize>,
    values: Option<MapId>,
    origins: HashMap<u64, Origin>,
    /// Maps and lists by the paths that they had before any template ran: one may be taken out of the values and still be read.
    indexed: HashMap<Path, Value>,
    sources: HashMap<(usize, usize), Arc<Source>>,
    /// What was read and is not yet anybody's.
    reads: Vec<Read>,
    open: Vec<usize>,
    frame: Option<Arc<Frame>>,
    site: Option<Place>,
    /// Per nested dot that is no map or list with a path of its own: what was read to make it.
    dots: Vec<Vec<Read>>,
    root_dots: Vec<usize>,
    vars: HashMap<(usize, usize), Vec<Read>>,
    /// Where in `reads` the open pipelines, the open calls and their arguments begin or end.
    pipes: Vec<usize>,
    calls: Vec<usize>,
    arg_ends: Vec<usize>,
    /// Where in `reads` the innermost function began that is being executed now.
    call_mark: usize,
    in_tpl: bool,
    /// What belongs to the element of the `range` that runs now.
    element: Vec<Read>,
}

/// What a node finds and restores.
pub(super) struct Saved {
    mark: usize,
    start: usize,
    frame: Option<Arc<Frame>>,
    dots: usize,
}

/// What an execution finds and restores.
pub(super) struct Outer {
    site: Option<Place>,
    frame: Option<Arc<Frame>>,
    dots: usize,
    arg_ends: Vec<usize>,
    call_mark: usize,
    element: Vec<Read>,
}

fn id(value: &Value) -> Option<u64> {
    match value {
        Value::Map(m) => Some(m.number() * 2),
        Value::List(l) => Some(l.number() * 2 + 1),
        _ => None,
    }
}

fn join(path: &[Str], key: &Str) -> Path {
    path.iter().chain([key]).cloned().collect()
}

fn number(i: usize) -> Str {
    Str::from(i.to_string().as_str())
}

/// A part of a map or a list.
fn part(heap: &Heap, of: &Value, key: &Str) -> Option<Value> {
    match of {
        Value::Map(m) => heap.map(*m).get(key).cloned(),
        Value::List(l) => heap.list(*l).items.get(key.to_text().parse::<usize>().ok()?).cloned(),
        _ => None,
    }
}

impl Trace {
    /// Tells whose maps are whose: the values of the whole release, and for each chart its dot (whose `Chart`, `Release` and so on are then known).
    pub fn index(&mut self, heap: &Heap, values: MapId, dots: impl IntoIterator<Item = (Vec<String>, MapId)>) {
        self.values = Some(values);
        self.index_value(heap, Value::Map(values), Arc::from([Str::from("Values")]));
        for (chart, dot) in dots {
            self.origins.entry(dot.number() * 2).or_default().path = Some(Arc::from([]));
            for name in ["Chart", "Release"] {
                let Some(value) = heap.map(dot).get(name) else { continue };
                let subchart = chart.iter().filter(|_| name == "Chart").flat_map(|c| ["Subcharts", c]);
                let path: Path = subchart.chain([name]).map(Str::from).collect();
                self.index_value(heap, value.clone(), path);
            }
        }
    }

    fn index_value(&mut self, heap: &Heap, value: Value, path: Path) {
        // The shortest path names a map that is seen in several places.
        let mut todo = VecDeque::from([(value, path)]);
        while let Some((value, path)) = todo.pop_front() {
            let Some(id) = id(&value) else { continue };
            if self.origins.contains_key(&id) {
                continue;
            }
            match &value {
                Value::Map(m) => todo.extend(heap.map(*m).iter().map(|(k, v)| (v.clone(), join(&path, k)))),
                Value::List(l) => {
                    let items = heap.list(*l).items.iter().enumerate();
                    todo.extend(items.map(|(i, v)| (v.clone(), join(&path, &number(i)))));
                }
                _ => {}
            }
            self.indexed.insert(path.clone(), value.clone());
            self.origins.insert(id, Origin { path: Some(path), ..Origin::default() });
        }
    }

    /// The value at a path of the values, as it is now.
    pub fn value(&self, heap: &Heap, path: &[Str]) -> Option<Value> {
        let ([root], rest) = path.split_at_checked(1)? else { return None };
        if root.as_bytes() != b"Values" {
            return None;
        }
        let walk = |from: Value, way: &[Str]| way.iter().try_fold(from, |at, key| part(heap, &at, key));
        walk(Value::Map(self.values?), rest).or_else(|| {
            let above = |n: usize| path.split_at_checked(n);
            let mut known = (1..=path.len()).rev().filter_map(above);
            known.find_map(|(above, rest)| walk(self.indexed.get(above)?.clone(), rest))
        })
    }

    /// What is left of reads when a key is taken out of what they made.
    fn refine(&self, heap: &Heap, reads: &[Read], key: &Str) -> Vec<Read> {
        let below = |read: &Read| match read {
            Read::Key(path) => part(heap, &self.value(heap, path)?, key).map(|_| Read::Key(join(path, key))),
            Read::Made(_) => None,
        };
        let found: Vec<Read> = reads.iter().filter_map(below).collect();
        if !found.is_empty() {
            return found;
        }
        match reads {
            [Read::Key(path)] if matches!(self.value(heap, path), Some(Value::Map(_))) => {
                vec![Read::Key(join(path, key))]
            }
            _ => reads.to_vec(),
        }
    }

    /// What reading a key of a map or list reads.
    fn child(&self, heap: &Heap, of: &Value, key: &Str, made_of: &[Read]) -> Vec<Read> {
        let Some(origin) = id(of).and_then(|id| self.origins.get(&id)) else { return self.refine(heap, made_of, key) };
        if let Some(reads) = origin.keys.get(key) {
            return reads.clone();
        }
        match &origin.path {
            Some(path) => vec![Read::Key(join(path, key))],
            None => self.refine(heap, &origin.all, key),
        }
    }

    fn read_chain(&mut self, heap: &Heap, receiver: &Value, keys: &[Str], made_of: &[Read]) {
        let mut at = receiver.clone();
        let mut found = made_of.to_vec();
        for key in keys {
            if id(&at).is_some() {
                found = self.child(heap, &at, key, &found);
                at = part(heap, &at, key).unwrap_or_default();
            } else {
                // A field or method of an object: `.Capabilities.KubeVersion.Version`.
                for read in &mut found {
                    if let Read::Key(path) = read {
                        *path = join(path, key);
                    }
                }
                at = Value::Nil;
            }
        }
        self.reads.extend(found);
    }

    fn read_whole(&mut self, value: &Value, made_of: &[Read]) {
        match id(value).and_then(|id| self.origins.get(&id)) {
            // The dot of a chart is everything there is, and names nothing.
            Some(Origin { path: Some(path), .. }) if path.is_empty() => {}
            Some(origin) => {
                self.reads.extend(origin.path.iter().cloned().map(Read::Key));
                // A part of what is named as a whole says no more than that.
                let is_named = |read: &&Read| match read {
                    Read::Key(path) => origin.all.iter().any(|r| matches!(r, Read::Key(p) if path.starts_with(p))),
                    Read::Made(_) => false,
                };
                self.reads.extend(origin.keys.values().flatten().filter(|r| !is_named(r)).chain(&origin.all).cloned());
            }
            None => self.reads.extend_from_slice(made_of),
        }
    }

    fn source(&mut self, template: &Template) -> Arc<Source> {
        // The names are kept, so their addresses are not used again.
        let key = (template.name.as_ptr() as usize, template.parse_name.as_ptr() as usize);
        let known = self.sources.entry(key).or_insert_with(|| {
            Arc::new(Source {
                template: template.name.clone(),
                file: template.parse_name.clone(),
                text: template.source.clone(),
            })
        });
        let same = known.text.as_ptr() == template.source.as_ptr();
        if same || (template.source.len() < 64 && known.text == template.source) {
            return known.clone();
        }
        let (template, file, text) = (template.name.clone(), template.parse_name.clone(), template.source.clone());
        Arc::new(Source { template, file, text })
    }

    fn since(&self, mark: usize) -> &[Read] {
        self.reads.get(mark..).unwrap_or_default()
    }

    fn push_frame(&mut self, around: Around, place: Place, reads: Vec<Read>) {
        let outer = self.frame.take();
        let depth = outer.as_ref().map_or(0, |f| f.depth) + 1;
        self.frame =
            if depth > MAX_FRAMES { outer } else { Some(Arc::new(Frame { around, place, reads, outer, depth })) };
    }

    // What the executor calls. Marks never lie beyond `reads`, but a wrong one must not end a render.

    #[cold]
    #[inline(never)]
    pub(super) fn enter(&mut self, template: &Template, pos: Pos, start: usize) -> Saved {
        self.site = Some(Place { source: self.source(template), pos });
        let saved = Saved { mark: self.reads.len(), start, frame: self.frame.clone(), dots: self.dots.len() };
        self.pipes.push(saved.mark);
        saved
    }

    #[cold]
    #[inline(never)]
    pub(super) fn leave(&mut self, saved: Saved, template: &Template, pos: Pos, printed: Option<bool>, end: usize) {
        self.pipes.pop();
        let reads = self.reads.split_off(saved.mark.min(self.reads.len()));
        if let Some(is_text) = printed
            && end > saved.start
        {
            let place = Place { source: self.source(template), pos };
            let piece = Piece { start: saved.start, end, place, is_text, reads, frame: self.frame.clone() };
            if let Some(made) = self.open.last().and_then(|i| self.made.get_mut(*i)) {
                made.pieces.push(piece);
            }
        }
        self.frame = saved.frame;
        self.dots.truncate(saved.dots);
    }

    /// A block's pipeline is evaluated: what it read belongs to the block.
    #[cold]
    #[inline(never)]
    pub(super) fn block(&mut self, template: &Template, pos: Pos, head: String, is_else: bool, sets_dot: bool) {
        let mark = self.pipes.last().copied().unwrap_or_default();
        let reads = self.since(mark).to_vec();
        if sets_dot {
            self.dots.push(reads.clone());
        }
        let place = Place { source: self.source(template), pos };
        self.push_frame(Around::Block { head, is_else }, place, reads);
    }

    /// `template NAME PIPELINE`
    #[cold]
    #[inline(never)]
    pub(super) fn template(&mut self, name: &Arc<str>) {
        let mark = self.pipes.last().copied().unwrap_or_default();
        let reads = self.since(mark).to_vec();
        self.dots.push(reads.clone());
        if let Some(site) = self.site.clone() {
            self.push_frame(Around::Template(name.clone()), site, reads);
        }
    }

    /// The next element of a range: its dot, and its variables.
    #[cold]
    #[inline(never)]
    pub(super) fn element(&mut self, heap: &Heap, of: &Value, key: &Value) {
        let key = match key {
            Value::Str(s) => s.clone(),
            Value::Int(n) => Str::from(n.to_string().as_str()),
            _ => Str::default(),
        };
        let made_of = self.frame.as_ref().map(|f| f.reads.clone()).unwrap_or_default();
        self.element = self.child(heap, of, &key, &made_of);
        if let Some(dot) = self.dots.last_mut() {
            dot.clone_from(&self.element);
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn element_vars(&mut self, first: usize, count: usize) {
        let Some(open) = self.open.last() else { return };
        for i in first..first + count {
            self.vars.insert((*open, i), self.element.clone());
        }
    }

    /// A variable gets what its pipeline read; one that is set inside a block depends on the block too.
    #[cold]
    #[inline(never)]
    pub(super) fn set_variable(&mut self, at: usize, is_assign: bool) {
        let mark = self.pipes.last().copied().unwrap_or_default();
        let mut reads = self.since(mark).to_vec();
        if is_assign && let Some(Frame { around: Around::Block { .. }, reads: more, .. }) = self.frame.as_deref() {
            reads.extend_from_slice(more);
        }
        if let Some(open) = self.open.last() {
            self.vars.insert((*open, at), reads);
        }
    }

    fn variable_reads(&self, at: Option<usize>) -> Vec<Read> {
        let open = self.open.last().copied().unwrap_or_default();
        match at {
            Some(at) => self.vars.get(&(open, at)).cloned().unwrap_or_default(),
            None => self.root_dots.last().and_then(|i| self.dots.get(*i)).cloned().unwrap_or_default(),
        }
    }

    /// `$x.a.b`, or `$x`; `at` is the variable's place, nothing for `$`.
    #[cold]
    #[inline(never)]
    pub(super) fn variable(&mut self, heap: &Heap, at: Option<usize>, value: &Value, keys: &[Str]) {
        let made_of = self.variable_reads(at);
        if keys.is_empty() {
            self.read_whole(value, &made_of);
        } else {
            self.read_chain(heap, value, keys, &made_of);
        }
    }

    /// `.a.b`, or `.`
    #[cold]
    #[inline(never)]
    pub(super) fn dot(&mut self, heap: &Heap, value: &Value, keys: &[Str]) {
        let made_of = self.dots.last().cloned().unwrap_or_default();
        if keys.is_empty() {
            self.read_whole(value, &made_of);
        } else {
            self.read_chain(heap, value, keys, &made_of);
        }
    }

    /// `(…).a.b`: `mark` is where the reads of the parenthesis begin.
    #[cold]
    #[inline(never)]
    pub(super) fn chain(&mut self, heap: &Heap, value: &Value, keys: &[Str], mark: usize) {
        let made_of = self.reads.split_off(mark.min(self.reads.len()));
        self.read_chain(heap, value, keys, &made_of);
    }

    #[cold]
    #[inline(never)]
    pub(super) fn mark(&self) -> usize {
        self.reads.len()
    }

    #[cold]
    #[inline(never)]
    pub(super) fn pipe(&mut self) {
        self.pipes.push(self.reads.len());
    }

    #[cold]
    #[inline(never)]
    pub(super) fn pipe_end(&mut self) {
        self.pipes.pop();
    }

    #[cold]
    #[inline(never)]
    pub(super) fn call(&mut self) {
        self.calls.push(self.reads.len());
    }

    #[cold]
    #[inline(never)]
    pub(super) fn arg(&mut self, args: usize) {
        self.arg_ends.resize(args, self.reads.len());
    }

    /// The function is about to run.
    #[cold]
    #[inline(never)]
    pub(super) fn call_runs(&mut self, template: &Template, pos: Pos, func: &str) {
        self.call_mark = self.calls.last().copied().unwrap_or_default();
        if matches!(func, "include" | "tpl") {
            self.in_tpl = func == "tpl";
            self.site = Some(Place { source: self.source(template), pos });
        }
    }

    /// What was read for the i-th of a call's arguments.
    fn arg_reads(&self, base: usize, i: usize, args: usize) -> Vec<Read> {
        let begin = self.calls.last().copied().unwrap_or_default();
        let start = if i == 0 { begin } else { self.arg_ends.get(base + i - 1).copied().unwrap_or(begin) };
        let end = self.arg_ends.get(base + i).copied().unwrap_or(start);
        let mut reads = self.reads.get(start..end).unwrap_or_default().to_vec();
        if reads.is_empty() && i + 1 == args {
            // What came down the pipeline was read before the call began.
            let pipe = self.pipes.last().copied().unwrap_or_default();
            reads = self.reads.get(pipe..begin).unwrap_or_default().to_vec();
        }
        reads
    }

    /// The function gave a result.
    #[cold]
    #[inline(never)]
    pub(super) fn call_end(&mut self, heap: &Heap, func: &str, base: usize, args: &[Value], result: &Value) {
        let n = args.len();
        let of = |i: usize| self.arg_reads(base, i, n);
        match func {
            "dict" => {
                let pairs = args.chunks(2).enumerate();
                let keys = pairs.filter_map(|(i, pair)| Some((key_of(pair.first()?)?, of(2 * i + 1)))).collect();
                self.learn(result, Origin { keys, ..Origin::default() });
            }
            "list" | "tuple" => {
                let keys = (0..n).map(|i| (number(i), of(i))).collect();
                self.learn(result, Origin { keys, ..Origin::default() });
            }
            "set" => {
                if let (Some(id), Some(key)) = (args.first().and_then(id), args.get(1).and_then(key_of)) {
                    let reads = of(2);
                    self.origins.entry(id).or_default().keys.insert(key, reads);
                }
            }
            "index" | "get" => self.taken(heap, base, n, args.first(), args.get(1..).unwrap_or_default()),
            "dig" => {
                let path = args.get(..n.saturating_sub(2)).unwrap_or_default();
                self.taken_from_last(heap, base, n, args.last(), path);
            }
            _ => {
                let pipe = self.pipes.last().copied().unwrap_or_default();
                let all = self.since(pipe).to_vec();
                let is_merge = matches!(func, "merge" | "mergeOverwrite" | "mustMerge" | "mustMergeOverwrite");
                if is_merge {
                    self.merged(heap, base, args, func.ends_with("Overwrite"));
                }
                match id(result).and_then(|id| self.origins.get_mut(&id)) {
                    // `merge` fills its first argument.
                    Some(origin) if origin.path.is_none() && is_merge => {
                        origin.all.extend(all);
                    }
                    Some(_) => {}
                    None => self.learn(result, Origin { all, ..Origin::default() }),
                }
            }
        }
        self.calls.pop();
        self.arg_ends.truncate(base);
    }

    fn learn(&mut self, of: &Value, origin: Origin) {
        if let Some(id) = id(of) {
            self.origins.entry(id).or_insert(origin);
        }
    }

    /// `index MAP KEY…`: one key was read, and not the map.
    fn taken(&mut self, heap: &Heap, base: usize, n: usize, from: Option<&Value>, keys: &[Value]) {
        let made_of = self.arg_reads(base, 0, n);
        self.take(heap, from, keys, &made_of);
    }

    fn taken_from_last(&mut self, heap: &Heap, base: usize, n: usize, from: Option<&Value>, keys: &[Value]) {
        let made_of = self.arg_reads(base, n.saturating_sub(1), n);
        self.take(heap, from, keys, &made_of);
    }

    fn take(&mut self, heap: &Heap, from: Option<&Value>, keys: &[Value], made_of: &[Read]) {
        let (Some(from), Some(keys)) = (from, keys.iter().map(key_of).collect::<Option<Vec<Str>>>()) else { return };
        if keys.is_empty() {
            return;
        }
        // The whole was noted as read; the part takes its place.
        let last = |marks: &[usize]| marks.last().copied().unwrap_or(usize::MAX);
        let mark = last(&self.pipes).min(last(&self.calls)).min(self.reads.len());
        let mut here = self.reads.split_off(mark);
        here.retain(|r| !made_of.contains(r) || matches!(r, Read::Made(_)));
        self.reads.append(&mut here);
        self.read_chain(heap, from, &keys, made_of);
    }

    #[cold]
    #[inline(never)]
    pub(super) fn begin(&mut self, name: &str) -> Outer {
        let reads = self.since(self.call_mark).to_vec();
        let outer = Outer {
            site: self.site.clone(),
            frame: self.frame.clone(),
            dots: self.dots.len(),
            arg_ends: std::mem::take(&mut self.arg_ends),
            call_mark: self.call_mark,
            element: std::mem::take(&mut self.element),
        };
        let here = self.made.len();
        self.made.push(Made { given: reads.clone(), ..Made::default() });
        if self.open.is_empty() {
            self.files.insert(name.to_owned(), here);
            self.frame = None;
            self.dots.push(Vec::new());
        } else {
            let around = if self.in_tpl { Around::Tpl } else { Around::Template(name.into()) };
            if let Some(site) = self.site.clone() {
                self.push_frame(around, site, reads.clone());
            }
            self.dots.push(reads);
        }
        self.root_dots.push(self.dots.len().saturating_sub(1));
        self.open.push(here);
        outer
    }

    #[cold]
    #[inline(never)]
    pub(super) fn end(&mut self, outer: Outer, text: &[u8]) {
        let Some(here) = self.open.pop() else { return };
        if let Some(made) = self.made.get_mut(here) {
            made.text = text.to_vec();
        }
        self.root_dots.pop();
        self.dots.truncate(outer.dots);
        self.site = outer.site;
        self.frame = outer.frame;
        self.arg_ends = outer.arg_ends;
        self.call_mark = outer.call_mark;
        self.element = outer.element;
        if !self.open.is_empty() {
            self.reads.push(Read::Made(here));
        }
    }
}

fn key_of(value: &Value) -> Option<Str> {
    match value {
        Value::Str(s) => Some(s.clone()),
        Value::Int(n) | Value::Int64(n) => Some(Str::from(n.to_string().as_str())),
        _ => None,
    }
}
