//! A YAML node as kustomize keeps it from reading to writing: kind, tag, style and text, as go-yaml v3's `Node`.
//!
//! Objects stay trees of nodes through the whole build, because their scalars keep the way they were written: a value that was
//! quoted stays a string when its text changes, a plain one takes the type of its new text. Comments never reach the output and
//! are not kept. Aliases are replaced by copies while reading (see [`super::read`]).

use std::borrow::Cow;
use std::fmt;

use crate::yaml::resolve::{self, Scalar};

/// What a node is. `Zero` is Go's empty `Node{}`, which kustomize uses for "nothing here".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Zero,
    Scalar,
    Mapping,
    Sequence,
}

impl Kind {
    /// The name in kustomize's messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zero => "",
            Self::Scalar => "ScalarNode",
            Self::Mapping => "MappingNode",
            Self::Sequence => "SequenceNode",
        }
    }
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    #[default]
    Plain,
    Double,
    Single,
    Literal,
    Folded,
}

/// The short tag of a node. Empty: to be found from the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tag {
    #[default]
    Empty,
    Null,
    Bool,
    Str,
    Int,
    Float,
    Timestamp,
    Binary,
    Merge,
    Map,
    Seq,
    Other(Box<str>),
}

impl Tag {
    /// From the whole tag as the parser gives it.
    pub fn from_long(tag: &str) -> Self {
        match tag.strip_prefix("tag:yaml.org,2002:") {
            Some("null") => Self::Null,
            Some("bool") => Self::Bool,
            Some("str") => Self::Str,
            Some("int") => Self::Int,
            Some("float") => Self::Float,
            Some("timestamp") => Self::Timestamp,
            Some("binary") => Self::Binary,
            Some("merge") => Self::Merge,
            Some("map") => Self::Map,
            Some("seq") => Self::Seq,
            Some(rest) => Self::Other(format!("!!{rest}").into()),
            None => Self::Other(tag.into()),
        }
    }

    pub fn short(&self) -> &str {
        match self {
            Self::Empty => "",
            Self::Null => "!!null",
            Self::Bool => "!!bool",
            Self::Str => "!!str",
            Self::Int => "!!int",
            Self::Float => "!!float",
            Self::Timestamp => "!!timestamp",
            Self::Binary => "!!binary",
            Self::Merge => "!!merge",
            Self::Map => "!!map",
            Self::Seq => "!!seq",
            Self::Other(s) => s,
        }
    }
}

/// A node with everything below it. The content of a mapping is keys and values in turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    pub kind: Kind,
    pub style: Style,
    /// A collection written with brackets.
    pub flow: bool,
    /// The tag stood in the text.
    pub tagged: bool,
    pub tag: Tag,
    pub value: String,
    pub content: Vec<Self>,
    /// 1-based line in the file it was read from; 0 if it was made.
    pub line: u32,
    /// Not 0: one node in several places, see [`super::shared`].
    pub share: u32,
    /// When it was last set, if it is shared.
    pub stamp: u32,
}

impl Node {
    /// A scalar whose type comes from its text (`NewScalarRNode`).
    pub fn scalar(value: impl Into<String>) -> Self {
        Self { kind: Kind::Scalar, value: value.into(), ..Self::default() }
    }

    /// A scalar with a tag.
    pub fn tagged_scalar(value: impl Into<String>, tag: Tag) -> Self {
        Self { kind: Kind::Scalar, value: value.into(), tag, ..Self::default() }
    }

    /// A string (`NewStringRNode`): literal style if it has several lines.
    pub fn string(value: impl Into<String>) -> Self {
        let value = value.into();
        let style = if value.contains('\n') { Style::Literal } else { Style::Plain };
        Self { kind: Kind::Scalar, value, tag: Tag::Str, style, ..Self::default() }
    }

    pub fn mapping() -> Self {
        Self { kind: Kind::Mapping, ..Self::default() }
    }

    pub fn sequence() -> Self {
        Self { kind: Kind::Sequence, ..Self::default() }
    }

    pub fn is_scalar(&self) -> bool {
        self.kind == Kind::Scalar
    }

    pub fn is_mapping(&self) -> bool {
        self.kind == Kind::Mapping
    }

    pub fn is_sequence(&self) -> bool {
        self.kind == Kind::Sequence
    }

    /// `IsTaggedNull`; with an absent node also `IsMissingOrNull`.
    pub fn is_null(&self) -> bool {
        self.tag == Tag::Null
    }

    /// `IsYNodeNilOrEmpty`: null, `{}`, `[]`, or nothing.
    pub fn is_empty(&self) -> bool {
        self.is_null()
            || match self.kind {
                Kind::Zero => self.tag == Tag::Empty && self.value.is_empty(),
                Kind::Scalar => false,
                Kind::Mapping | Kind::Sequence => self.content.is_empty(),
            }
    }

    /// `IsYNodeString`
    pub fn is_string(&self) -> bool {
        self.kind == Kind::Scalar && matches!(self.tag, Tag::Str | Tag::Empty)
    }

    /// `GetValue`: the text, empty for null.
    pub fn text(&self) -> &str {
        if self.is_null() { "" } else { &self.value }
    }

    /// Keys and values of a mapping.
    pub fn fields(&self) -> impl Iterator<Item = (&Self, &Self)> {
        self.content.chunks_exact(2).filter_map(|pair| match pair {
            [k, v] => Some((k, v)),
            _ => None,
        })
    }

    /// Where in the content the value of the first field of this name is.
    pub fn field_index(&self, name: &str) -> Option<usize> {
        (0..self.content.len() / 2).map(|i| 2 * i).find(|i| self.content[*i].value == name).map(|i| i + 1)
    }

    /// The value of a field, of a mapping only (`Field`).
    pub fn field(&self, name: &str) -> Option<&Self> {
        if self.kind != Kind::Mapping {
            return None;
        }
        self.content.get(self.field_index(name)?)
    }

    pub fn field_mut(&mut self, name: &str) -> Option<&mut Self> {
        if self.kind != Kind::Mapping {
            return None;
        }
        let i = self.field_index(name)?;
        self.content.get_mut(i)
    }

    /// Removes the first field of this name (`FieldClearer`).
    pub fn clear(&mut self, name: &str) -> Option<Self> {
        let at = self.field_index(name)?;
        let mut gone = self.content.drain(at - 1..=at);
        gone.nth(1)
    }

    /// Appends a field without looking for it.
    pub fn push_field(&mut self, name: impl Into<String>, value: Self) {
        self.content.push(Self::scalar(name));
        self.content.push(value);
    }

    /// `SetMapField` at the top level and below: maps on the way are made. Kinds that do not fit are an error.
    pub fn set_path(&mut self, path: &[&str], value: Self) -> Result<(), WrongKind> {
        let Some((last, way)) = path.split_last() else { return Ok(()) };
        let mut at = self;
        for name in way {
            at = at.child_or_create(name, Kind::Mapping)?;
        }
        at.set_field(last, value)
    }

    /// The field, made if it is missing (`FieldMatcher` with `Create`).
    pub fn child_or_create(&mut self, name: &str, kind: Kind) -> Result<&mut Self, WrongKind> {
        expect(self, Kind::Mapping)?;
        let at = match self.field_index(name) {
            Some(at) => at,
            None => {
                self.push_field(name, Self { kind, ..Self::default() });
                self.content.len() - 1
            }
        };
        self.content.get_mut(at).ok_or_else(|| WrongKind::new(Kind::Mapping, &Self::default()))
    }

    /// `FieldSetter` with a name: an existing field keeps its style, null removes the field.
    pub fn set_field(&mut self, name: &str, mut value: Self) -> Result<(), WrongKind> {
        quote_if_ambiguous(&mut value);
        if value.is_null() {
            expect(self, Kind::Mapping)?;
            self.clear(name);
            return Ok(());
        }
        self.put_field(name, value)
    }

    /// As [`Self::set_field`], but null stays.
    pub fn put_field(&mut self, name: &str, mut value: Self) -> Result<(), WrongKind> {
        expect(self, Kind::Mapping)?;
        match self.field_index(name).and_then(|at| self.content.get_mut(at)) {
            Some(old) => {
                value.style = old.style;
                value.flow = old.flow;
                value.tagged = old.tagged;
                old.assign(value);
            }
            None => self.push_field(name, value),
        }
        Ok(())
    }

    /// `FieldSetter` without a name: the scalar takes another value but keeps its style.
    pub fn set_scalar(&mut self, mut value: Self) -> Result<(), WrongKind> {
        quote_if_ambiguous(&mut value);
        expect(self, Kind::Scalar)?;
        if value.is_null() {
            return Ok(());
        }
        value.style = self.style;
        value.tagged = self.tagged;
        self.assign(value);
        Ok(())
    }

    /// Puts other content into this very node (`SetYNode`).
    pub fn assign(&mut self, mut value: Self) {
        value.share = self.share;
        value.stamp = super::shared::stamp_if(self.share);
        *self = value;
    }
}

/// Strings that YAML 1.1 would read as something else are quoted when they are set.
fn quote_if_ambiguous(value: &mut Node) {
    if value.is_string() && value.style == Style::Plain && !value.tagged && is_ambiguous(&value.value) {
        value.style = Style::Double;
    }
}

/// `IsValueNonString`: a YAML 1.1 parser would not read a string.
pub fn is_ambiguous(text: &str) -> bool {
    if text.is_empty() || text.contains('\n') {
        return false;
    }
    let simple = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
    if text.bytes().all(simple) && !text.starts_with("---") && !text.starts_with('-') && text != "..." {
        return resolve::plain(text.as_bytes(), true).1.is_some();
    }
    let (text, bad) = crate::yaml::reader::decode(text.as_bytes());
    let Ok(tree) = crate::yaml::tree::parse(&text, bad) else { return false };
    let Some(root) = tree.root else { return true };
    let node = tree.node(tree.target(root));
    if node.kind != crate::yaml::tree::NodeKind::Scalar {
        return true;
    }
    match resolve::scalar(&node.tag, node.implicit, &node.value) {
        Ok(Scalar::Str(_)) => false,
        Ok(_) => true,
        Err(_) => false,
    }
}

/// A node of another kind than the place wants (`InvalidNodeKindError`).
#[derive(Clone, Debug)]
pub struct WrongKind {
    pub want: Kind,
    pub got: Kind,
    contents: String,
}

impl WrongKind {
    pub fn new(want: Kind, node: &Node) -> Self {
        Self { want, got: node.kind, contents: super::print::node(node) }
    }
}

impl fmt::Display for WrongKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (want, got, contents) = (self.want.name(), self.got.name(), &self.contents);
        write!(f, "wrong node kind: expected {want} but got {got}: node contents:\n{contents}")
    }
}

/// `ErrorIfInvalid`: null fits everywhere.
pub fn expect(node: &Node, kind: Kind) -> Result<(), WrongKind> {
    if node.is_null() || node.kind == kind { Ok(()) } else { Err(WrongKind::new(kind, node)) }
}

/// What go-yaml v3 makes of a plain text: YAML 1.2's words, YAML 1.1's numbers.
pub fn resolve3(text: &str) -> (Tag, Value<'_>) {
    let string = (Tag::Str, Value::Str(Cow::Borrowed(text)));
    match text.as_bytes().first() {
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => match text {
            "true" | "True" | "TRUE" => (Tag::Bool, Value::Bool(true)),
            "false" | "False" | "FALSE" => (Tag::Bool, Value::Bool(false)),
            "~" | "null" | "Null" | "NULL" => (Tag::Null, Value::Null),
            _ => string,
        },
        Some(b'<') if text == "<<" => (Tag::Merge, Value::Str(Cow::Borrowed(text))),
        Some(b'.' | b'0'..=b'9' | b'+' | b'-') | None => match resolve::plain(text.as_bytes(), true) {
            (resolve::Tag::Timestamp, _) => match super::time::rfc3339(text) {
                Some(time) => (Tag::Timestamp, Value::Str(Cow::Owned(time))),
                None => string,
            },
            (_, Some(Scalar::Null)) => (Tag::Null, Value::Null),
            (_, Some(Scalar::Int(n))) => (Tag::Int, Value::Int(n)),
            (_, Some(Scalar::Uint(n))) => (Tag::Int, Value::Uint(n)),
            (_, Some(Scalar::Float(f))) => (Tag::Float, Value::Float(f)),
            _ => string,
        },
        Some(_) => string,
    }
}

/// The value of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Str(Cow<'a, str>),
}

impl Node {
    /// What the scalar is once it was written as YAML and read again, which kustomize does before it prints. The error is
    /// go-yaml's text.
    ///
    /// `in_flow`: it stands within brackets, where nothing at all is written as an empty text.
    pub fn scalar_value(&self, in_flow: bool) -> Result<Value<'_>, String> {
        let text = || Value::Str(Cow::Borrowed(self.value.as_str()));
        if self.style == Style::Folded && !in_flow && matches!(self.tag, Tag::Str | Tag::Empty) {
            return Ok(Value::Str(Cow::Owned(super::print::folded_again(&self.value))));
        }
        if in_flow && self.value.is_empty() && !self.tagged && matches!(self.tag, Tag::Null | Tag::Empty) {
            return Ok(text());
        }
        if self.tag == Tag::Str || (self.tag == Tag::Empty && self.style != Style::Plain) {
            return Ok(text());
        }
        if self.tag == Tag::Empty {
            return Ok(if needs_quotes(&self.value) { text() } else { resolve3(&self.value).1 });
        }
        let (got, value) = resolve3(&self.value);
        if !self.tagged && got == self.tag {
            // The tag is not written, so quotes win over it.
            // Within brackets some plain texts are written with quotes, and are texts from then on.
            let stays = self.style == Style::Plain && !(in_flow && super::print::has_flow_indicator(&self.value));
            return Ok(if stays { value } else { text() });
        }
        match self.tag {
            Tag::Null | Tag::Bool | Tag::Int | Tag::Float | Tag::Timestamp => {}
            Tag::Binary => return binary(&self.value),
            _ => return Ok(text()),
        }
        // Only an untagged text, or one tagged so, is taken for a time.
        let (got, value) = match got {
            Tag::Timestamp if self.tag != Tag::Timestamp => (Tag::Str, text()),
            got => (got, value),
        };
        if got == self.tag {
            return Ok(value);
        }
        match (&self.tag, value) {
            (Tag::Float, Value::Int(n)) => Ok(Value::Float(n as f64)),
            _ => {
                let (got, tag) = (got.short(), self.tag.short());
                Err(format!("yaml: cannot decode {got} `{}` as a {tag}", self.value))
            }
        }
    }
}

/// A plain text that the emitter cannot leave plain: it becomes a string by being quoted.
fn needs_quotes(text: &str) -> bool {
    !text.is_empty() && !crate::yaml::emit::can_be_plain(text.as_bytes())
}

fn binary(text: &str) -> Result<Value<'static>, String> {
    match resolve::scalar(b"tag:yaml.org,2002:binary", false, text.as_bytes()) {
        Ok(Scalar::Str(bytes)) => Ok(Value::Str(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))),
        Ok(_) => Ok(Value::Null),
        Err(e) => Err(e),
    }
}
