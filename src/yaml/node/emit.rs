//! Writing nodes with comments and any indentation: go-yaml v3's `encode.go` and `emitterc.go`, for nodes without styles in block style; for nodes that
//! keep the style they were written in see [`super::styled`].
//!
//! go-yaml hands its emitter one event after the other; a comment that an event brings waits in one of four places (above, behind, below, and the
//! "tail" below a whole entry) until the state machine comes to write it, or until another of its kind replaces it. [`Writer::load`] and the order
//! of the calls below keep exactly that.

use std::borrow::Cow;

use super::super::emit::{Analysis, Dialect, Emitter, Style, analyze, base64_lines, is_base60, is_break};
use super::super::scanner::Style as Written;
use super::resolve::plain_tag;
use super::{NodeKind, documents};

/// What is written.
#[derive(Clone)]
pub enum Tree {
    Scalar(Scalar),
    Mapping(Vec<Entry>),
    Sequence(Vec<Item>),
    /// `*name`
    Alias(Vec<u8>),
    /// A collection in brackets; comments inside are left out.
    Flow(Box<Self>),
    /// A node with an anchor (`&name`), a tag, or both before it.
    Marked(Vec<u8>, Box<Self>),
}

impl Tree {
    /// The node itself, and the marks before it.
    pub fn core(&self) -> (&[u8], &Self) {
        match self {
            Self::Marked(marks, tree) => (marks, tree.core().1),
            tree => (b"", tree),
        }
    }

    /// The node itself: inside its brackets and behind its marks.
    pub fn core_mut(&mut self) -> &mut Self {
        match self {
            Self::Marked(_, tree) | Self::Flow(tree) => tree.core_mut(),
            tree => tree,
        }
    }
}

/// A value with its comments, lines beginning with `#`.
#[derive(Clone)]
pub struct Item {
    pub tree: Tree,
    pub head: Vec<u8>,
    pub behind: Vec<u8>,
    pub foot: Vec<u8>,
}

impl Item {
    pub const fn new(tree: Tree) -> Self {
        Self { tree, head: Vec::new(), behind: Vec::new(), foot: Vec::new() }
    }
}

/// A key with its comments, and its value.
#[derive(Clone)]
pub struct Entry {
    pub key: Scalar,
    pub head: Vec<u8>,
    /// Behind the key, where its value begins on a line below.
    pub behind: Vec<u8>,
    pub foot: Vec<u8>,
    pub value: Item,
}

/// A scalar as go-yaml's encoder has it: text, style, and a tag where one must be written.
#[derive(Clone)]
pub struct Scalar {
    pub(super) text: Vec<u8>,
    pub(super) style: Style,
    /// A literal text that is written with `>`.
    pub(super) folded: bool,
    pub(super) tag: Cow<'static, str>,
}

impl Scalar {
    /// A number, truth value, time or null: a text that means the same when it is read again.
    pub fn bare(text: impl Into<Vec<u8>>) -> Self {
        Self { text: text.into(), style: Style::Plain, folded: false, tag: "".into() }
    }

    /// Its text, unquoted.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// A string, quoted so that it is read as a string again. Bytes that are no UTF-8 become base64 behind `!!binary`.
    pub fn string(text: &[u8]) -> Self {
        let (tag, text) = match std::str::from_utf8(text) {
            Ok(_) => ("", text.to_vec()),
            Err(_) => ("!!binary", base64_lines(text)),
        };
        let style = if text.contains(&b'\n') {
            Style::Literal
        } else if !tag.is_empty() || (plain_tag(&text) == "!!str" && !is_base60(&text) && !is_old_bool(&text)) {
            Style::Plain
        } else {
            Style::Double
        };
        let style = allowed(style, analyze(&text, Dialect::V3), &text, false);
        let scalar = Self { text, style, folded: false, tag: tag.into() };
        match style {
            // go-yaml makes a node by writing the value and reading it again; what is lost there is lost.
            Style::Literal | Style::Single => scalar.read_again(),
            Style::Plain if scalar.text == b"<<" => Self { tag: "!!merge".into(), ..scalar },
            _ => scalar,
        }
    }

    fn read_again(self) -> Self {
        let mut writer = Writer::new(4);
        writer.e.indent = -1;
        let tag = self.tag.clone();
        writer.scalar(&self, false, false);
        writer.e.indent = -1;
        writer.e.write_indent();
        let read = documents(&writer.e.out).next().and_then(Result::ok);
        let node = read.and_then(|mut d| (d.root < d.nodes.len()).then(|| d.nodes.swap_remove(d.root)));
        match node {
            Some(node) if node.kind == NodeKind::Scalar => {
                let style = match node.style {
                    Written::Plain => Style::Plain,
                    Written::Single => Style::Single,
                    Written::Double => Style::Double,
                    Written::Literal | Written::Folded => Style::Literal,
                };
                Self { text: node.value, style, folded: false, tag }
            }
            _ => self,
        }
    }
}

/// Words that YAML 1.1 takes for truth values: go-yaml v3 quotes them, though it reads them as strings.
fn is_old_bool(s: &[u8]) -> bool {
    matches!(
        s,
        b"y" | b"Y"
            | b"yes"
            | b"Yes"
            | b"YES"
            | b"on"
            | b"On"
            | b"ON"
            | b"n"
            | b"N"
            | b"no"
            | b"No"
            | b"NO"
            | b"off"
            | b"Off"
            | b"OFF"
    )
}

/// `yaml_emitter_select_scalar_style`
pub(super) fn allowed(mut style: Style, analysis: Analysis, text: &[u8], simple_key: bool) -> Style {
    if simple_key && analysis.multiline {
        style = Style::Double;
    }
    if style == Style::Plain && (!analysis.plain || (text.is_empty() && simple_key)) {
        style = Style::Single;
    }
    if style == Style::Single && !analysis.single {
        style = Style::Double;
    }
    if style == Style::Literal && (!analysis.block || simple_key) {
        style = Style::Double;
    }
    style
}

/// Writes documents.
pub struct Writer {
    e: Emitter,
    /// Sequences in mappings stand below their key without an indentation of their own.
    compact: bool,
    first: bool,
    head: Vec<u8>,
    foot: Vec<u8>,
    tail: Vec<u8>,
    key_line: Vec<u8>,
}

impl Writer {
    /// `indent` as given to go-yaml's `SetIndent`: 2 to 9; anything else counts as 2.
    pub fn new(indent: usize) -> Self {
        let mut e = Emitter::new(Dialect::V3);
        e.step = if (2..=9).contains(&indent) { i64::try_from(indent).unwrap_or(2) } else { 2 };
        Self {
            e,
            compact: false,
            first: true,
            head: Vec::new(),
            foot: Vec::new(),
            tail: Vec::new(),
            key_line: Vec::new(),
        }
    }

    /// As kyaml writes: two spaces, sequences not indented below their keys.
    pub fn compact() -> Self {
        Self { compact: true, ..Self::new(2) }
    }

    /// The text.
    pub fn finish(self) -> Vec<u8> {
        self.e.out
    }

    /// Writes a document; every one but the first begins with `---`.
    pub fn document(&mut self, root: &Item) {
        if !std::mem::take(&mut self.first) {
            self.e.write_indent();
            self.e.indicator(b"---", true, false, false);
            self.e.write_indent();
        }
        self.load(&root.head, b"", b"", b"");
        self.head_comment();
        self.item_node(root, false);
        self.e.foot_indent = Some(0);
        self.foot_comment();
        self.e.foot_indent = None;
        self.e.write_indent();
    }

    /// Comments of an event. Only what it brings replaces what waits.
    fn load(&mut self, head: &[u8], behind: &[u8], foot: &[u8], tail: &[u8]) {
        for (place, new) in
            [(&mut self.head, head), (&mut self.e.line_comment, behind), (&mut self.foot, foot), (&mut self.tail, tail)]
        {
            if !new.is_empty() {
                *place = new.to_vec();
            }
        }
    }

    fn head_comment(&mut self) {
        let tail = std::mem::take(&mut self.tail);
        if !tail.is_empty() {
            self.e.write_indent();
            self.e.write_comment(&tail);
            self.e.foot_indent = Some(self.e.indent.max(0));
        }
        let head = std::mem::take(&mut self.head);
        if !head.is_empty() {
            self.e.write_indent();
            self.e.write_comment(&head);
        }
    }

    fn line_comment(&mut self) {
        if !self.e.line_comment.is_empty() {
            self.e.write_line_comment();
        }
    }

    fn foot_comment(&mut self) {
        let foot = std::mem::take(&mut self.foot);
        if !foot.is_empty() {
            self.e.write_indent();
            self.e.write_comment(&foot);
            self.e.foot_indent = Some(self.e.indent.max(0));
        }
    }

    /// The indentation inside something at `self.e.indent`.
    fn inner(&self, flow: bool, in_sequence: bool) -> i64 {
        let (indent, step) = (self.e.indent, self.e.step);
        if indent < 0 {
            return if flow { step } else { 0 };
        }
        // The first indentation inside a sequence only skips the `- `.
        if in_sequence { indent + 2 } else { step * ((indent + step) / step) }
    }

    /// Writes a node whose begin was loaded and whose head was written; then what waits to stand behind and below its begin.
    fn item_node(&mut self, item: &Item, in_sequence: bool) {
        let (marks, tree) = item.tree.core();
        if !marks.is_empty() {
            self.e.indicator(marks, true, false, false);
        }
        match tree {
            Tree::Scalar(scalar) => self.scalar(scalar, false, in_sequence),
            Tree::Alias(name) => self.e.indicator(&[b"*", name.as_slice()].concat(), true, false, false),
            _ => {}
        }
        self.line_comment();
        self.foot_comment();
        let outer = self.e.indent;
        match tree {
            Tree::Scalar(_) | Tree::Alias(_) | Tree::Marked(..) => {}
            Tree::Flow(inner) => {
                self.load(b"", &item.behind, &item.foot, b"");
                self.e.indicator(&super::styled::flow(inner), true, false, false);
                self.line_comment();
                self.foot_comment();
            }
            Tree::Mapping(entries) if entries.is_empty() => {
                self.load(b"", &item.behind, &item.foot, b"");
                self.e.indicator(b"{", true, true, false);
                self.e.indent = self.inner(true, in_sequence);
                self.head_comment();
                self.e.indent = outer;
                self.e.indicator(b"}", false, false, false);
                self.line_comment();
                self.foot_comment();
            }
            Tree::Sequence(items) if items.is_empty() => {
                self.load(b"", &item.behind, &item.foot, b"");
                self.e.indicator(b"[", true, true, false);
                if self.e.column == 0 {
                    self.e.write_indent();
                }
                self.e.indicator(b"]", false, false, false);
                self.line_comment();
                self.foot_comment();
            }
            Tree::Mapping(entries) => {
                self.e.indent = self.inner(false, in_sequence);
                let mut tail: &[u8] = b"";
                for entry in entries {
                    self.entry(entry, tail);
                    tail = &entry.foot;
                }
                self.load(b"", &item.behind, &item.foot, tail);
                self.head_comment();
                self.e.indent = outer;
            }
            Tree::Sequence(items) => {
                self.e.indent = self.inner(false, in_sequence);
                if self.compact && !in_sequence && outer >= 0 {
                    self.e.indent -= 2;
                }
                for item in items {
                    self.begin(item);
                    self.head_comment();
                    self.e.write_indent();
                    self.e.indicator(b"-", true, false, true);
                    self.item_node(item, true);
                }
                self.load(b"", &item.behind, &item.foot, b"");
                self.e.indent = outer;
            }
        }
    }

    /// Loads what a node's first event brings: of a collection only what is above it.
    fn begin(&mut self, item: &Item) {
        match item.tree.core().1 {
            Tree::Scalar(_) | Tree::Alias(_) => self.load(&item.head, &item.behind, &item.foot, b""),
            _ => self.load(&item.head, b"", b"", b""),
        }
    }

    fn entry(&mut self, entry: &Entry, tail: &[u8]) {
        self.load(&entry.head, &entry.behind, b"", tail);
        self.head_comment();
        self.e.write_indent();
        if !self.e.line_comment.is_empty() {
            // Left over from what is above: it goes behind the value.
            self.key_line = std::mem::take(&mut self.e.line_comment);
        }
        let key = &entry.key;
        let length = key.text.len() + key.tag.len();
        if !analyze(&key.text, Dialect::V3).multiline && length <= 128 {
            self.scalar(key, true, false);
            self.begin(&entry.value);
            self.e.indicator(b":", false, false, false);
        } else {
            self.e.indicator(b"?", true, false, true);
            self.scalar(key, false, false);
            self.begin(&entry.value);
            self.e.write_indent();
            self.e.indicator(b":", true, false, true);
        }
        if !self.key_line.is_empty() {
            if let Tree::Scalar(_) | Tree::Alias(_) = entry.value.tree.core().1 {
                if self.e.line_comment.is_empty() {
                    self.e.line_comment = std::mem::take(&mut self.key_line);
                }
            } else {
                std::mem::swap(&mut self.e.line_comment, &mut self.key_line);
                self.line_comment();
                std::mem::swap(&mut self.e.line_comment, &mut self.key_line);
            }
        }
        self.item_node(&entry.value, false);
    }

    fn scalar(&mut self, scalar: &Scalar, simple_key: bool, in_sequence: bool) {
        let Scalar { text, style, folded, tag } = scalar;
        let style = allowed(*style, analyze(text, Dialect::V3), text, simple_key);
        if !tag.is_empty() {
            if !self.e.whitespace {
                self.e.put(b' ');
            }
            self.e.indicator(tag.as_bytes(), false, false, false);
        }
        let outer = self.e.indent;
        self.e.indent = self.inner(true, in_sequence);
        match style {
            Style::Plain => self.e.plain(text, !simple_key),
            Style::Single => self.e.single_quoted(text, !simple_key),
            Style::Double => self.e.double_quoted(text, !simple_key),
            Style::Literal if *folded => self.e.folded(text),
            Style::Literal => self.e.literal(text),
        }
        self.e.indent = outer;
    }
}

impl Emitter {
    /// Writes the waiting comment behind a value.
    pub(in crate::yaml) fn write_line_comment(&mut self) {
        let comment = std::mem::take(&mut self.line_comment);
        if !self.whitespace {
            self.put(b' ');
        }
        self.write_comment(&comment);
    }

    /// Writes comment lines, and ends the last.
    pub(in crate::yaml) fn write_comment(&mut self, comment: &[u8]) {
        let (mut breaks, mut pound) = (false, false);
        let mut i = 0;
        while let Some(b) = comment.get(i) {
            if is_break(comment, i) {
                self.write_break(comment, &mut i);
                breaks = true;
                pound = false;
            } else {
                if breaks {
                    self.write_indent();
                }
                if !pound {
                    if *b != b'#' {
                        self.put(b'#');
                        self.put(b' ');
                    }
                    pound = true;
                }
                self.write(comment, &mut i);
                self.indention = false;
                breaks = false;
            }
        }
        if !breaks {
            self.put_break();
        }
        self.whitespace = true;
    }
}
