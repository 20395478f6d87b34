//! From tokens to events: a port of go-yaml v2's `parserc.go`, a state machine without recursion.

use std::borrow::Cow;

use super::scanner::{Kind, Mark, Problem, Scan, Scanner, Style, Token};

/// One event of a YAML stream.
#[derive(Debug)]
pub enum Event<'a> {
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    Alias { name: Cow<'a, [u8]>, start: Mark, end: Mark },
    Scalar(ScalarEvent<'a>),
    SequenceStart(Open<'a>),
    SequenceEnd(Mark),
    MappingStart(Open<'a>),
    MappingEnd(Mark),
}

/// The begin of a collection.
#[derive(Debug)]
pub struct Open<'a> {
    pub anchor: Option<Cow<'a, [u8]>>,
    pub start: Mark,
    pub flow: bool,
}

#[derive(Debug)]
pub struct ScalarEvent<'a> {
    pub anchor: Option<Cow<'a, [u8]>>,
    /// The whole tag; empty if there is none.
    pub tag: Cow<'a, [u8]>,
    pub value: Cow<'a, [u8]>,
    /// The type is to be found from the text.
    pub implicit: bool,
    pub style: Style,
    pub start: Mark,
    pub end: Mark,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    StreamStart,
    ImplicitDocumentStart,
    DocumentStart,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceFirst,
    BlockSequence,
    IndentlessSequence,
    BlockMappingFirst,
    BlockMappingKey,
    BlockMappingValue,
    FlowSequenceFirst,
    FlowSequence,
    FlowSequenceMapKey,
    FlowSequenceMapValue,
    FlowSequenceMapEnd,
    FlowMappingFirst,
    FlowMappingKey,
    FlowMappingValue,
    FlowMappingEmptyValue,
    End,
}

/// The parser's state.
pub struct Parser<'a> {
    scanner: Scanner<'a>,
    state: State,
    states: Vec<State>,
    marks: Vec<Mark>,
    /// Tag handle → prefix.
    tags: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Handle and suffix of a tag as they are written.
type RawTag<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

impl<'a> Parser<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Self {
            scanner: Scanner::new(text),
            state: State::StreamStart,
            states: Vec::new(),
            marks: Vec::new(),
            tags: Vec::new(),
        }
    }

    /// A parser that goes about comments as go-yaml v3 does: it looks further ahead for them, and finds other problems first.
    pub fn with_comments(text: &'a [u8]) -> Self {
        Self { scanner: Scanner::with_comments(text), ..Self::new(text) }
    }

    /// Byte offset up to which go-yaml would have read by now.
    pub const fn wanted(&self) -> usize {
        self.scanner.wanted()
    }

    fn fail<T>(&self, text: &'static str, mark: Mark, context: Mark) -> Scan<T> {
        Err(Box::new(Problem { text: Cow::Borrowed(text), mark, context, scanner: false }))
    }

    fn pop(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    fn empty(mark: Mark) -> Event<'a> {
        Event::Scalar(ScalarEvent {
            anchor: None,
            tag: Cow::Borrowed(b""),
            value: Cow::Borrowed(b""),
            implicit: true,
            style: Style::Plain,
            start: mark,
            end: mark,
        })
    }

    /// The next event.
    #[allow(
        clippy::should_implement_trait,
        reason = "an event or a problem; nothing is done with the rest after a problem"
    )]
    pub fn next(&mut self) -> Scan<Event<'a>> {
        match self.state {
            State::StreamStart => {
                self.scanner.take()?;
                self.state = State::ImplicitDocumentStart;
                self.document_start(true)
            }
            State::ImplicitDocumentStart => self.document_start(true),
            State::DocumentStart => self.document_start(false),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(true, false),
            State::BlockSequenceFirst => {
                self.open()?;
                self.block_sequence()
            }
            State::BlockSequence => self.block_sequence(),
            State::IndentlessSequence => self.indentless_sequence(),
            State::BlockMappingFirst => {
                self.open()?;
                self.block_mapping_key()
            }
            State::BlockMappingKey => self.block_mapping_key(),
            State::BlockMappingValue => self.block_mapping_value(),
            State::FlowSequenceFirst => {
                self.open()?;
                self.flow_sequence(true)
            }
            State::FlowSequence => self.flow_sequence(false),
            State::FlowSequenceMapKey => self.flow_sequence_map_key(),
            State::FlowSequenceMapValue => self.flow_sequence_map_value(),
            State::FlowSequenceMapEnd => {
                let mark = self.scanner.peek()?.start;
                self.state = State::FlowSequence;
                Ok(Event::MappingEnd(mark))
            }
            State::FlowMappingFirst => {
                self.open()?;
                self.flow_mapping_key(true)
            }
            State::FlowMappingKey => self.flow_mapping_key(false),
            State::FlowMappingValue => self.flow_mapping_value(false),
            State::FlowMappingEmptyValue => self.flow_mapping_value(true),
            State::End => Ok(Event::StreamEnd),
        }
    }

    fn open(&mut self) -> Scan<()> {
        let token = self.scanner.take()?;
        self.marks.push(token.start);
        Ok(())
    }

    fn document_start(&mut self, implicit: bool) -> Scan<Event<'a>> {
        let mut kind = self.scanner.peek_kind()?;
        if !implicit {
            while kind == Kind::DocumentEnd {
                self.scanner.take()?;
                kind = self.scanner.peek_kind()?;
            }
        }
        match kind {
            Kind::StreamEnd => {
                self.state = State::End;
                self.scanner.take()?;
                return Ok(Event::StreamEnd);
            }
            Kind::Version(..) | Kind::TagDirective | Kind::DocumentStart => {}
            _ if implicit => {
                self.directives()?;
                self.states.push(State::DocumentEnd);
                self.state = State::BlockNode;
                return Ok(Event::DocumentStart);
            }
            _ => {}
        }
        self.directives()?;
        let token = self.scanner.peek()?;
        if token.kind != Kind::DocumentStart {
            let mark = token.start;
            return self.fail("did not find expected <document start>", mark, Mark::default());
        }
        self.states.push(State::DocumentEnd);
        self.state = State::DocumentContent;
        self.scanner.take()?;
        Ok(Event::DocumentStart)
    }

    fn document_content(&mut self) -> Scan<Event<'a>> {
        let token = self.scanner.peek()?;
        match token.kind {
            Kind::Version(..) | Kind::TagDirective | Kind::DocumentStart | Kind::DocumentEnd | Kind::StreamEnd => {
                let mark = token.start;
                self.pop();
                Ok(Self::empty(mark))
            }
            _ => self.node(true, false),
        }
    }

    fn document_end(&mut self) -> Scan<Event<'a>> {
        if self.scanner.peek_kind()? == Kind::DocumentEnd {
            self.scanner.take()?;
        }
        self.tags.clear();
        self.state = State::DocumentStart;
        Ok(Event::DocumentEnd)
    }

    fn directives(&mut self) -> Scan<()> {
        let mut version = false;
        loop {
            let token = self.scanner.peek()?;
            let mark = token.start;
            match token.kind {
                Kind::Version(..) if version => {
                    return self.fail("found duplicate %YAML directive", mark, Mark::default());
                }
                Kind::Version(1, 1) => version = true,
                Kind::Version(..) => return self.fail("found incompatible YAML document", mark, Mark::default()),
                Kind::TagDirective => {
                    let (handle, prefix) = (token.value.to_vec(), token.suffix.to_vec());
                    if self.tags.iter().any(|(h, _)| *h == handle) {
                        return self.fail("found duplicate %TAG directive", mark, Mark::default());
                    }
                    self.tags.push((handle, prefix));
                }
                _ => break,
            }
            self.scanner.take()?;
        }
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            if !self.tags.iter().any(|(h, _)| h == handle.as_bytes()) {
                self.tags.push((handle.into(), prefix.into()));
            }
        }
        Ok(())
    }

    fn node(&mut self, block: bool, indentless: bool) -> Scan<Event<'a>> {
        let first = self.scanner.peek()?;
        let (mut start, mut end) = (first.start, first.start);
        let (mut kind, mut anchor, mut tag) = (first.kind, None, None);
        if kind == Kind::Alias {
            let token = self.scanner.take()?;
            self.pop();
            return Ok(Event::Alias { name: token.value, start: token.start, end: token.end });
        }
        // An anchor and a tag, in either order.
        let mut mark = start;
        while (kind == Kind::Anchor && anchor.is_none()) || (kind == Kind::Tag && tag.is_none()) {
            let Token { start: s, end: e, value, suffix, .. } = self.scanner.take()?;
            if anchor.is_none() && tag.is_none() {
                start = s;
            }
            end = e;
            if kind == Kind::Anchor {
                anchor = Some(value);
            } else {
                mark = s;
                tag = Some((value, suffix));
            }
            let next = self.scanner.peek()?;
            kind = next.kind;
        }
        let tag = self.resolve_tag(tag, start, mark)?;
        let open = |anchor, flow| Open { anchor, start, flow };
        match kind {
            Kind::BlockEntry if indentless => {
                self.state = State::IndentlessSequence;
                Ok(Event::SequenceStart(open(anchor, false)))
            }
            Kind::Scalar => {
                let token = self.scanner.take()?;
                self.pop();
                let implicit = (tag.is_empty() && token.style == Style::Plain) || *tag == *b"!";
                Ok(Event::Scalar(ScalarEvent {
                    anchor,
                    tag,
                    value: token.value,
                    implicit,
                    style: token.style,
                    start: token.start,
                    end: token.end,
                }))
            }
            Kind::FlowSequenceStart => {
                self.state = State::FlowSequenceFirst;
                Ok(Event::SequenceStart(open(anchor, true)))
            }
            Kind::FlowMappingStart => {
                self.state = State::FlowMappingFirst;
                Ok(Event::MappingStart(open(anchor, true)))
            }
            Kind::BlockSequenceStart if block => {
                self.state = State::BlockSequenceFirst;
                Ok(Event::SequenceStart(open(anchor, false)))
            }
            Kind::BlockMappingStart if block => {
                self.state = State::BlockMappingFirst;
                Ok(Event::MappingStart(open(anchor, false)))
            }
            _ if anchor.is_some() || !tag.is_empty() => {
                self.pop();
                let implicit = tag.is_empty();
                let value = Cow::Borrowed(&b""[..]);
                Ok(Event::Scalar(ScalarEvent { anchor, tag, value, implicit, style: Style::Plain, start, end }))
            }
            _ => {
                let mark = self.scanner.peek()?.start;
                self.fail("did not find expected node content", mark, start)
            }
        }
    }

    /// Handle and suffix to the whole tag.
    fn resolve_tag(&self, tag: Option<RawTag<'a>>, start: Mark, mark: Mark) -> Scan<Cow<'a, [u8]>> {
        let Some((handle, suffix)) = tag else { return Ok(Cow::Borrowed(b"")) };
        if handle.is_empty() {
            return Ok(suffix);
        }
        let known = self.tags.iter().find(|(h, _)| h[..] == *handle);
        match known.map(|(_, prefix)| [prefix, &suffix[..]].concat()) {
            Some(whole) if !whole.is_empty() => Ok(Cow::Owned(whole)),
            _ => self.fail("found undefined tag handle", mark, start),
        }
    }

    fn block_sequence(&mut self) -> Scan<Event<'a>> {
        let token = self.scanner.peek()?;
        let (kind, start, end) = (token.kind, token.start, token.end);
        match kind {
            Kind::BlockEntry => {
                self.scanner.take()?;
                if matches!(self.scanner.peek_kind()?, Kind::BlockEntry | Kind::BlockEnd) {
                    self.state = State::BlockSequence;
                    return Ok(Self::empty(end));
                }
                self.states.push(State::BlockSequence);
                self.node(true, false)
            }
            Kind::BlockEnd => {
                self.pop();
                self.marks.pop();
                self.scanner.take()?;
                Ok(Event::SequenceEnd(end))
            }
            _ => {
                let context = self.marks.pop().unwrap_or_default();
                self.fail("did not find expected '-' indicator", start, context)
            }
        }
    }

    fn indentless_sequence(&mut self) -> Scan<Event<'a>> {
        let token = self.scanner.peek()?;
        let (kind, start, end) = (token.kind, token.start, token.end);
        if kind != Kind::BlockEntry {
            self.pop();
            return Ok(Event::SequenceEnd(start));
        }
        self.scanner.take()?;
        if matches!(self.scanner.peek_kind()?, Kind::BlockEntry | Kind::Key | Kind::Value | Kind::BlockEnd) {
            self.state = State::IndentlessSequence;
            return Ok(Self::empty(end));
        }
        self.states.push(State::IndentlessSequence);
        self.node(true, false)
    }

    fn block_mapping_key(&mut self) -> Scan<Event<'a>> {
        let token = self.scanner.peek()?;
        let (kind, start, end) = (token.kind, token.start, token.end);
        match kind {
            Kind::Key => {
                self.scanner.take()?;
                if matches!(self.scanner.peek_kind()?, Kind::Key | Kind::Value | Kind::BlockEnd) {
                    self.state = State::BlockMappingValue;
                    return Ok(Self::empty(end));
                }
                self.states.push(State::BlockMappingValue);
                self.node(true, true)
            }
            Kind::BlockEnd => {
                self.pop();
                self.marks.pop();
                self.scanner.take()?;
                Ok(Event::MappingEnd(end))
            }
            _ => {
                let context = self.marks.pop().unwrap_or_default();
                self.fail("did not find expected key", start, context)
            }
        }
    }

    fn block_mapping_value(&mut self) -> Scan<Event<'a>> {
        let token = self.scanner.peek()?;
        let (kind, start, end) = (token.kind, token.start, token.end);
        self.state = State::BlockMappingKey;
        if kind != Kind::Value {
            return Ok(Self::empty(start));
        }
        self.scanner.take()?;
        if matches!(self.scanner.peek_kind()?, Kind::Key | Kind::Value | Kind::BlockEnd) {
            return Ok(Self::empty(end));
        }
        self.states.push(State::BlockMappingKey);
        self.node(true, true)
    }

    fn flow_sequence(&mut self, first: bool) -> Scan<Event<'a>> {
        let token = self.scanner.peek()?;
        let (mut kind, start) = (token.kind, token.start);
        if kind != Kind::FlowSequenceEnd {
            if !first {
                if kind != Kind::FlowEntry {
                    let context = self.marks.pop().unwrap_or_default();
                    return self.fail("did not find expected ',' or ']'", start, context);
                }
                self.scanner.take()?;
                kind = self.scanner.peek_kind()?;
            }
            if kind == Kind::Key {
                self.state = State::FlowSequenceMapKey;
                let token = self.scanner.take()?;
                return Ok(Event::MappingStart(Open { anchor: None, start: token.start, flow: true }));
            }
            if kind != Kind::FlowSequenceEnd {
                self.states.push(State::FlowSequence);
                return self.node(false, false);
            }
        }
        self.pop();
        self.marks.pop();
        let token = self.scanner.take()?;
        Ok(Event::SequenceEnd(token.end))
    }

    fn flow_sequence_map_key(&mut self) -> Scan<Event<'a>> {
        let token = self.scanner.peek()?;
        let (kind, end) = (token.kind, token.end);
        if !matches!(kind, Kind::Value | Kind::FlowEntry | Kind::FlowSequenceEnd) {
            self.states.push(State::FlowSequenceMapValue);
            return self.node(false, false);
        }
        // go-yaml takes the token here, whatever it is.
        self.scanner.take()?;
        self.state = State::FlowSequenceMapValue;
        Ok(Self::empty(end))
    }

    fn flow_sequence_map_value(&mut self) -> Scan<Event<'a>> {
        let token = self.scanner.peek()?;
        let (kind, start) = (token.kind, token.start);
        if kind == Kind::Value {
            self.scanner.take()?;
            if !matches!(self.scanner.peek_kind()?, Kind::FlowEntry | Kind::FlowSequenceEnd) {
                self.states.push(State::FlowSequenceMapEnd);
                return self.node(false, false);
            }
        }
        self.state = State::FlowSequenceMapEnd;
        Ok(Self::empty(start))
    }

    fn flow_mapping_key(&mut self, first: bool) -> Scan<Event<'a>> {
        let token = self.scanner.peek()?;
        let (mut kind, start) = (token.kind, token.start);
        if kind != Kind::FlowMappingEnd {
            if !first {
                if kind != Kind::FlowEntry {
                    let context = self.marks.pop().unwrap_or_default();
                    return self.fail("did not find expected ',' or '}'", start, context);
                }
                self.scanner.take()?;
                kind = self.scanner.peek_kind()?;
            }
            if kind == Kind::Key {
                self.scanner.take()?;
                let token = self.scanner.peek()?;
                if matches!(token.kind, Kind::Value | Kind::FlowEntry | Kind::FlowMappingEnd) {
                    let mark = token.start;
                    self.state = State::FlowMappingValue;
                    return Ok(Self::empty(mark));
                }
                self.states.push(State::FlowMappingValue);
                return self.node(false, false);
            }
            if kind != Kind::FlowMappingEnd {
                self.states.push(State::FlowMappingEmptyValue);
                return self.node(false, false);
            }
        }
        self.pop();
        self.marks.pop();
        let token = self.scanner.take()?;
        Ok(Event::MappingEnd(token.end))
    }

    fn flow_mapping_value(&mut self, empty: bool) -> Scan<Event<'a>> {
        let token = self.scanner.peek()?;
        let (kind, start) = (token.kind, token.start);
        self.state = State::FlowMappingKey;
        if !empty && kind == Kind::Value {
            self.scanner.take()?;
            if !matches!(self.scanner.peek_kind()?, Kind::FlowEntry | Kind::FlowMappingEnd) {
                self.states.push(State::FlowMappingKey);
                return self.node(false, false);
            }
        }
        Ok(Self::empty(start))
    }
}
