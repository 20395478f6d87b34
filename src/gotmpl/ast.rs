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

/// A parsed template: a file's main body or one `define`.
#[derive(Debug)]
pub struct Template {
    /// Its name: the file's path or the name in `define`.
    pub name: Arc<str>,
    /// The name of the text it was parsed from (Go's `ParseName`): what errors print before `:line:col`.
    pub parse_name: Arc<str>,
    /// The whole text that it was parsed from.
    pub source: Str,
    pub root: List,
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
    pub pipe: Box<Pipe>,
    pub list: List,
    pub else_list: Option<List>,
}

#[derive(Debug)]
pub struct Pipe {
    pub pos: Pos,
    /// `=` and not `:=`.
    pub is_assign: bool,
    /// At most two, in order: `$k, $v`.
    pub decl: Box<[Name]>,
    pub cmds: Box<[Command]>,
}

#[derive(Debug)]
pub struct Command {
    pub pos: Pos,
    /// Never empty.
    pub args: Box<[Expr]>,
}

/// `$x.a.b` is idents `["$x", "a", "b"]`; `$` alone is `["$"]`.
#[derive(Debug)]
pub struct Variable {
    pub idents: Box<[Name]>,
}

impl Variable {
    pub fn pos(&self) -> Pos {
        place(&self.idents, 0)
    }
}

/// Where Go says that a chain of fields is: at the dot of what follows its first name, if anything does. `dot` is how much longer than
/// its name the first one is.
fn place(idents: &[Name], dot: Pos) -> Pos {
    match idents {
        [_, second, ..] => second.pos.saturating_sub(1),
        [only] => only.pos.saturating_sub(dot),
        [] => 0,
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
    /// The template's text from `pos` to `end` is the literal with its quotes. `text` is what it means, unless it is short and
    /// stands for itself: then that is what lies between the quotes.
    String {
        pos: Pos,
        end: Pos,
        text: Option<Box<Str>>,
    },
    /// `.a.b`: idents without dots.
    Field {
        idents: Box<[Name]>,
    },
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

#[derive(Debug)]
pub struct Chain {
    pub pos: Pos,
    pub node: Expr,
    pub fields: Box<[Name]>,
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

const _: () = assert!(size_of::<Node>() == 16 && size_of::<Expr>() == 24, "a chart has a hundred thousand of them");

impl Expr {
    pub fn pos(&self) -> Pos {
        match self {
            Self::Dot { pos } | Self::Nil { pos } | Self::Bool { pos, .. } | Self::String { pos, .. } => *pos,
            Self::Field { idents } => place(idents, 1),
            Self::Function { name, .. } => name.pos,
            Self::Chain(c) => c.pos,
            Self::Number(n) => n.pos,
            Self::Variable(v) => v.pos(),
            Self::Pipe(p) => p.pos,
        }
    }
}

// Trees can be as deep as the parser's limits allow; dropping them level by level would need as much stack.

impl Pipe {
    /// Moves the pipelines directly inside to `into`.
    fn unnest(&mut self, into: &mut Vec<Self>) {
        for arg in self.cmds.iter_mut().flat_map(|c| &mut c.args) {
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
