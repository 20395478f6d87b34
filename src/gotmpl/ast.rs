//! The tree that the parser makes and the executor walks: Go's `text/template/parse` nodes.
//!
//! Positions are byte offsets into the template's text; line and column are computed from them when an error is printed
//! (Go's `Tree.ErrorContext`), so they cost nothing while a template runs. Every node prints as Go's `Node.String()` does,
//! because error texts show the node.
//!
//! A large chart has a hundred thousand nodes, so they are small: names are places in the template's text, lists are of just their
//! size, and what is rare lies behind a pointer.

use std::sync::Arc;

use crate::value::{Str, Value};

/// Byte offset into [`Template::source`].
pub type Pos = u32;

/// A parsed template: a file's main body or one `define`. Files of one text can share the trees.
#[derive(Clone, Debug)]
pub struct Template {
    /// Its name: the file's path or the name in `define`.
    pub name: Arc<str>,
    /// The name of the text it was parsed from (Go's `ParseName`): what errors print before `:line:col`.
    pub parse_name: Arc<str>,
    /// The whole text that it was parsed from.
    pub source: Str,
    pub root: Arc<List>,
}

/// A part of a template's text.
pub(super) fn slice(source: &[u8], pos: Pos, end: Pos) -> &[u8] {
    source.get(pos as usize..end as usize).unwrap_or_default()
}

/// A name in the template's text: of a field without its dot, of a variable with its `$`, of a function.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    pub pos: Pos,
    pub end: Pos,
}

impl Name {
    /// The name itself; `source` is the text that it was parsed from.
    #[inline]
    pub fn of(self, source: &[u8]) -> &[u8] {
        slice(source, self.pos, self.end)
    }
}

/// Names behind dots, `.a.b`, as they stand in the template's text: no name has a dot in it, and nothing stands between them.
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    pub pos: Pos,
    pub end: Pos,
}

impl Fields {
    pub const fn is_empty(self) -> bool {
        self.pos >= self.end
    }

    /// The first name, and the fields behind it. `source` is the text that they were parsed from.
    #[inline]
    pub fn split_first(self, source: &[u8]) -> Option<(Name, Self)> {
        if self.is_empty() {
            return None;
        }
        let pos = self.pos + 1;
        let len = slice(source, pos, self.end).iter().position(|b| *b == b'.');
        // A text has less than 4 GiB.
        let end = len.map_or(self.end, |len| pos + len as Pos);
        Some((Name { pos, end }, Self { pos: end, end: self.end }))
    }

    pub fn names(self, source: &[u8]) -> impl Iterator<Item = Name> {
        std::iter::successors(self.split_first(source), |(_, behind)| behind.split_first(source)).map(|(name, _)| name)
    }
}

impl From<Name> for Fields {
    /// The name with its dot.
    fn from(name: Name) -> Self {
        Self { pos: name.pos.saturating_sub(1), end: name.end }
    }
}

/// One, as mostly, which needs no memory of its own; or none or several.
#[derive(Debug)]
pub enum Few<T> {
    One(T),
    Many(Box<[T]>),
}

impl<T> Few<T> {
    /// What was put to `all` from `mark` on.
    pub fn moved(all: &mut Vec<T>, mark: usize) -> Self {
        if all.len() == mark + 1
            && let Some(one) = all.pop()
        {
            return Self::One(one);
        }
        Self::Many(all.split_off(mark).into_boxed_slice())
    }
}

impl<T> std::ops::Deref for Few<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl<T> std::ops::DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::One(one) => std::slice::from_mut(one),
            Self::Many(many) => many,
        }
    }
}

#[derive(Debug, Default)]
pub struct List {
    pub pos: Pos,
    pub nodes: Box<[Node]>,
}

#[derive(Debug)]
pub enum Node {
    /// The template's text from `pos` to `end`.
    Text {
        pos: Pos,
        end: Pos,
    },
    // Boxed: half of all nodes are texts, and a list's memory goes by its largest.
    Action(Box<Pipe>),
    If(Box<Branch>),
    With(Box<Branch>),
    Range(Box<Branch>),
    Template(Box<Call>),
    Break {
        pos: Pos,
    },
    Continue {
        pos: Pos,
    },
}

/// `{{template "name" pipe}}`.
#[derive(Debug)]
pub struct Call {
    pub pos: Pos,
    pub name: Arc<str>,
    pub pipe: Option<Box<Pipe>>,
}

#[derive(Debug)]
pub struct Branch {
    pub pos: Pos,
    pub pipe: Pipe,
    pub list: List,
    pub else_list: Option<List>,
}

#[derive(Debug)]
pub struct Pipe {
    pub pos: Pos,
    pub decl: Option<Box<Decl>>,
    pub cmds: Few<Command>,
}

/// `$x :=`, `$x =`, `$k, $v :=`.
#[derive(Debug)]
pub struct Decl {
    /// `=` and not `:=`.
    pub is_assign: bool,
    pub first: Name,
    pub second: Option<Name>,
}

impl Decl {
    pub fn names(&self) -> impl Iterator<Item = Name> {
        std::iter::once(self.first).chain(self.second)
    }
}

#[derive(Debug)]
pub struct Command {
    pub pos: Pos,
    /// Never empty.
    pub args: Few<Expr>,
}

/// `$x.a.b`: its name with the `$`, and where its fields end.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    pub name: Name,
    pub end: Pos,
}

impl Variable {
    pub const fn fields(self) -> Fields {
        Fields { pos: self.name.end, end: self.end }
    }
}

#[derive(Debug)]
pub enum Expr {
    Dot {
        pos: Pos,
    },
    Nil {
        pos: Pos,
    },
    Bool {
        pos: Pos,
        value: bool,
    },
    Number(Box<Number>),
    /// A literal that means what lies between its quotes; the template's text from `pos` to `end` is it with them.
    String {
        pos: Pos,
        end: Pos,
    },
    /// Another, or a long one.
    Text(Box<Text>),
    Field(Fields),
    Variable(Variable),
    /// A function: `id` is its place in the [`super::FuncTable`] that the parser was given.
    Function {
        name: Name,
        id: u32,
    },
    /// `(expr).a.b` and the like.
    Chain(Box<Chain>),
    /// A parenthesised pipeline.
    Pipe(Box<Pipe>),
}

/// A string literal with what it means.
#[derive(Debug)]
pub struct Text {
    pub pos: Pos,
    pub end: Pos,
    pub text: Str,
}

#[derive(Debug)]
pub struct Chain {
    pub pos: Pos,
    pub node: Expr,
    pub fields: Fields,
}

/// A number literal: Go keeps every type that it could be.
#[derive(Debug)]
pub struct Number {
    pub pos: Pos,
    pub text: Str,
    /// Set if it is integral and fits into an int64.
    pub int: Option<i64>,
    pub uint: Option<u64>,
    pub float: Option<f64>,
    /// (real, imaginary), only for imaginary constants.
    pub complex: Option<(f64, f64)>,
    /// What it is where any type will do (`interface {}`): Go's `idealConstant`, or the text of its error
    /// (`"9223372036854775808" overflows int`), decided once at parse time. Strings and chars: a char constant is an `int`.
    pub ideal: Result<Value, String>,
}

const _: () = assert!(
    size_of::<Node>() == 16 && size_of::<Expr>() == 16 && size_of::<Pipe>() <= 48,
    "a chart has a hundred thousand of them"
);

impl Expr {
    /// Where Go says that it is: a chain of fields is at the dot of what follows its first name, if anything does.
    pub fn pos(&self, source: &[u8]) -> Pos {
        match self {
            Self::Dot { pos } | Self::Nil { pos } | Self::Bool { pos, .. } | Self::String { pos, .. } => *pos,
            Self::Field(fields) => match fields.split_first(source) {
                Some((_, behind)) if !behind.is_empty() => behind.pos,
                _ => fields.pos,
            },
            Self::Function { name, .. } => name.pos,
            Self::Chain(c) => c.pos,
            Self::Number(n) => n.pos,
            Self::Text(t) => t.pos,
            Self::Variable(v) => {
                if v.fields().is_empty() {
                    v.name.pos
                } else {
                    v.name.end
                }
            }
            Self::Pipe(p) => p.pos,
        }
    }
}

// Trees can be as deep as the parser's limits allow; dropping them level by level would need as much stack.

impl Pipe {
    /// Moves the pipelines directly inside to `into`.
    fn unnest(&mut self, into: &mut Vec<Self>) {
        for arg in self.cmds.iter_mut().flat_map(|c| &mut *c.args) {
            let inner = match arg {
                Expr::Chain(chain) => &mut chain.node,
                other => other,
            };
            if matches!(inner, Expr::Pipe(_))
                && let Expr::Pipe(p) = std::mem::replace(inner, Expr::Nil { pos: 0 })
            {
                into.push(*p);
            }
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let mut todo = Vec::new();
        self.unnest(&mut todo);
        while let Some(mut p) = todo.pop() {
            p.unnest(&mut todo);
        }
    }
}

impl List {
    /// Moves the lists directly inside to `into`.
    fn unnest(&mut self, into: &mut Vec<Self>) {
        for node in &mut self.nodes {
            if let Node::If(b) | Node::With(b) | Node::Range(b) = node {
                into.push(std::mem::take(&mut b.list));
                into.extend(b.else_list.take());
            }
        }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        let mut todo = Vec::new();
        self.unnest(&mut todo);
        while let Some(mut l) = todo.pop() {
            l.unnest(&mut todo);
        }
    }
}
