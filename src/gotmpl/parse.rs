//! The parser: tokens → trees, one per file and one per `define` or `block`.
//!
//! A faithful port of Go 1.26 `text/template/parse/parse.go`: the same grammar, the same scopes of variables, and the same error
//! texts with the same lines (a line is that of the last token read, wherever the fault is).
//!
//! Nesting is bounded as Go bounds parentheses; control structures, which Go does not bound, have a limit of their own so that
//! a hostile text cannot exhaust the stack. Deeply nested texts are parsed on a thread with a large stack.

use std::fmt;
use std::sync::Arc;

use super::ast::{
    self, Branch, Call, Chain, Command, Decl, Expr, Few, Fields, List, Name, Node, Pipe, Pos, Template, Text, Variable,
};
use super::lex::{Item, Kind, Lexer};
use super::number::number;
use super::print::Printed;
use super::unquote::unquote;
use super::{FuncTable, Names};
use crate::golang::strconv;
use crate::value::Str;

/// Go's `maxStackDepth`: nested parentheses.
const MAX_PARENS: usize = 10_000;
/// Nested control structures (an `else if` nests too). Go has no such limit.
const MAX_CONTROLS: usize = 10_000;
/// So many openings in a text, and it gets a thread with a large stack.
const SHALLOW: usize = 400;
/// Enough for [`MAX_PARENS`] inside [`MAX_CONTROLS`], also without optimisation; only what is used becomes real memory.
const LARGE_STACK: usize = 1 << 28;
/// How many bytes of a literal are not its text.
const QUOTES: usize = 2;
/// Positions are `u32`.
const MAX_TEXT: usize = u32::MAX as usize;

/// Why a text does not parse. Prints as Go's error does: `template: NAME:LINE: MESSAGE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The name of the text.
    pub name: String,
    /// 1-based.
    pub line: usize,
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "template: {}:{}: {}", self.name, self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

/// Parses a text. The result has every `define` and `block` in it, in the order they end, and last the text's own tree under
/// `name`; each name is there once (of two definitions of a name at most one may be more than space and comments).
pub fn parse(name: &str, text: &[u8], funcs: &FuncTable) -> Result<Vec<Template>, ParseError> {
    parse_shared(name, &Str::new(text), funcs)
}

/// As [`parse`]; the trees share the text.
pub fn parse_shared(name: &str, text: &Str, funcs: &FuncTable) -> Result<Vec<Template>, ParseError> {
    if super::exec::on_large_stack() {
        return parse_here(name, text, funcs);
    }
    let openings = memchr::memchr_iter(b'(', text).count() + memchr::memmem::find_iter(text, "{{").count();
    if openings <= SHALLOW {
        return parse_here(name, text, funcs);
    }
    let fail = |message: &str| ParseError { name: name.into(), line: 1, message: message.into() };
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(LARGE_STACK)
            .spawn_scoped(scope, || parse_here(name, text, funcs))
            .map_err(|e| fail(&format!("no thread to parse a large text: {e}")))?
            .join()
            .unwrap_or_else(|_| Err(fail("internal error of the parser")))
    })
}

fn parse_here(name: &str, text: &Str, funcs: &FuncTable) -> Result<Vec<Template>, ParseError> {
    if text.len() > MAX_TEXT {
        return Err(ParseError { name: name.into(), line: 1, message: "the text is larger than 4 GiB".into() });
    }
    let mut lex = Lexer::new(text);
    lex.break_ok = funcs.id("break").is_none();
    lex.continue_ok = funcs.id("continue").is_none();
    let mut shared = Shared {
        name,
        lex,
        funcs,
        trees: Vec::new(),
        by_name: Names::default(),
        controls: 0,
        nodes: Vec::new(),
        commands: Vec::new(),
        operands: Vec::new(),
    };
    let mut parser = Parser::new(&mut shared);
    let root = parser.file().map_err(|e| *e)?;
    parser.add(name.into(), root).map_err(|e| *e)?;
    let parse_name: Arc<str> = name.into();
    let source = text.clone();
    Ok(shared
        .trees
        .into_iter()
        .map(|(name, root)| Template {
            name,
            parse_name: parse_name.clone(),
            source: source.clone(),
            root: Arc::new(root),
        })
        .collect())
}

/// Whether a tree has nothing but space in it (Go's `IsEmptyTree`): such a tree does not replace another of its name.
pub fn is_empty_tree(root: &List, source: &[u8]) -> bool {
    let is_space = |text: &[u8]| match text.trim_ascii_start().first() {
        Some(b) if b.is_ascii_graphic() => false,
        _ => String::from_utf8_lossy(text).trim().is_empty(),
    };
    root.nodes.iter().all(|n| match n {
        Node::Text { pos, end } => is_space(ast::slice(source, *pos, *end)),
        _ => false,
    })
}

/// What the trees of one text share.
struct Shared<'t> {
    name: &'t str,
    lex: Lexer<'t>,
    funcs: &'t FuncTable,
    trees: Vec<(Arc<str>, List)>,
    by_name: Names<Arc<str>, usize>,
    /// How many control structures are open.
    controls: usize,
    // What is being put together, innermost last, until its number is known: then it moves to where it stays, once.
    nodes: Vec<Node>,
    commands: Vec<Command>,
    operands: Vec<Expr>,
}

/// What ends a list.
enum End {
    End,
    Else(Pos),
}

impl End {
    const fn text(&self) -> &'static str {
        match self {
            Self::End => "{{end}}",
            Self::Else(_) => "{{else}}",
        }
    }
}

/// The parser of one tree (Go's `Tree`): tokens read ahead, scopes and depths are its own.
struct Parser<'s, 't> {
    sh: &'s mut Shared<'t>,
    token: [Item; 3],
    peeked: usize,
    vars: Vec<&'t [u8]>,
    /// The left delimiter of the action that is read.
    action: Option<Item>,
    ranges: usize,
    parens: usize,
}

/// Boxed: what is passed up all the time are the trees.
type Parse<T> = Result<T, Box<ParseError>>;

impl<'s, 't> Parser<'s, 't> {
    fn new(sh: &'s mut Shared<'t>) -> Self {
        Self { sh, token: [Item::NONE; 3], peeked: 0, vars: vec![b"$"], action: None, ranges: 0, parens: 0 }
    }

    fn next(&mut self) -> Item {
        if self.peeked > 0 {
            self.peeked -= 1;
        } else {
            self.token[0] = self.sh.lex.next_item();
        }
        self.token[self.peeked]
    }

    const fn backup(&mut self) {
        self.peeked += 1;
    }

    fn backup2(&mut self, t1: Item) {
        self.token[1] = t1;
        self.peeked = 2;
    }

    fn backup3(&mut self, t2: Item, t1: Item) {
        self.token[1] = t1;
        self.token[2] = t2;
        self.peeked = 3;
    }

    fn peek(&mut self) -> Item {
        if self.peeked == 0 {
            self.peeked = 1;
            self.token[0] = self.sh.lex.next_item();
        }
        self.token[self.peeked - 1]
    }

    fn next_non_space(&mut self) -> Item {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> Item {
        loop {
            let token = self.peek();
            if token.kind != Kind::Space {
                return token;
            }
            self.peeked -= 1;
        }
    }

    #[cold]
    fn error<T>(&self, message: impl Into<String>) -> Parse<T> {
        Err(Box::new(ParseError {
            name: self.sh.name.into(),
            line: self.sh.lex.line(self.token[0]),
            message: message.into(),
        }))
    }

    #[cold]
    fn unexpected<T>(&self, token: Item, context: &str) -> Parse<T> {
        let message = self.sh.lex.describe(token);
        if token.kind != Kind::Error {
            return self.error(format!("unexpected {message} in {context}"));
        }
        let line = match self.action {
            Some(delim) if self.sh.lex.line(delim) != self.sh.lex.line(token) => self.sh.lex.line(delim),
            _ => return self.error(message),
        };
        // Avoids "action in action".
        let link = if message.ends_with(" action") { "" } else { " in action" };
        self.error(format!("{message}{link} started at {}:{line}", self.sh.name))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parse<Item> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { self.unexpected(token, context) }
    }

    /// Puts a finished tree to the others.
    fn add(&mut self, name: Arc<str>, root: List) -> Parse<()> {
        match self.sh.by_name.get(&name) {
            None => {
                self.sh.by_name.insert(name.clone(), self.sh.trees.len());
                self.sh.trees.push((name, root));
            }
            Some(&i) if is_empty_tree(&self.sh.trees[i].1, self.sh.lex.text()) => self.sh.trees[i].1 = root,
            Some(_) if is_empty_tree(&root, self.sh.lex.text()) => {}
            Some(_) => {
                let quoted = strconv::quote(name.as_bytes());
                return self.error(format!("template: multiple definition of template {quoted}"));
            }
        }
        Ok(())
    }

    /// The whole text: a list that may also define templates.
    fn file(&mut self) -> Parse<List> {
        let pos = self.peek().pos();
        let mark = self.sh.nodes.len();
        while self.peek().kind != Kind::Eof {
            if self.peek().kind == Kind::LeftDelim {
                let delim = self.next();
                if self.next_non_space().kind == Kind::Define {
                    Parser::new(self.sh).definition()?;
                    continue;
                }
                self.backup2(delim);
            }
            if let Some(end) = self.text_or_action()? {
                return self.error(format!("unexpected {}", end.text()));
            }
        }
        Ok(List { pos, nodes: moved(&mut self.sh.nodes, mark) })
    }

    /// `{{define` is past.
    fn definition(&mut self) -> Parse<()> {
        const CONTEXT: &str = "define clause";
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        self.expect(Kind::RightDelim, CONTEXT)?;
        let (root, end) = self.list()?;
        if !matches!(end, End::End) {
            return self.error(format!("unexpected {} in {CONTEXT}", end.text()));
        }
        self.add(name, root)
    }

    fn list(&mut self) -> Parse<(List, End)> {
        let pos = self.peek_non_space().pos();
        let mark = self.sh.nodes.len();
        while self.peek_non_space().kind != Kind::Eof {
            if let Some(end) = self.text_or_action()? {
                return Ok((List { pos, nodes: moved(&mut self.sh.nodes, mark) }, end));
            }
        }
        self.error("unexpected EOF")
    }

    /// A node, which goes to the others; or what ends the list.
    fn text_or_action(&mut self) -> Parse<Option<End>> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => {
                self.sh.nodes.push(Node::Text { pos: token.pos(), end: token.end() });
                Ok(None)
            }
            Kind::LeftDelim => {
                self.action = Some(token);
                let end = self.action()?;
                self.action = None;
                Ok(end)
            }
            _ => self.unexpected(token, "input"),
        }
    }

    /// The left delimiter is past.
    fn action(&mut self) -> Parse<Option<End>> {
        let token = self.next_non_space();
        let node = match token.kind {
            Kind::Block => self.block()?,
            Kind::Break => {
                self.loop_word("{{break}}")?;
                Node::Break { pos: token.pos() }
            }
            Kind::Continue => {
                self.loop_word("{{continue}}")?;
                Node::Continue { pos: token.pos() }
            }
            Kind::Else => return self.else_control().map(Some),
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Some(End::End));
            }
            Kind::If => self.control(Control::If)?,
            Kind::Range => self.control(Control::Range)?,
            Kind::With => self.control(Control::With)?,
            Kind::Template => self.template()?,
            _ => {
                self.backup();
                // Variables declared here last until the enclosing end.
                Node::Action(Box::new(self.pipeline("command", Kind::RightDelim)?))
            }
        };
        self.sh.nodes.push(node);
        Ok(None)
    }

    fn loop_word(&mut self, word: &str) -> Parse<()> {
        let token = self.next_non_space();
        if token.kind != Kind::RightDelim {
            return self.unexpected(token, word);
        }
        if self.ranges == 0 {
            return self.error(format!("{word} outside {{{{range}}}}"));
        }
        Ok(())
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Parse<Pipe> {
        let pos = self.peek_non_space().pos();
        let decl = self.declarations(context)?.map(Box::new);
        let mark = self.sh.commands.len();
        loop {
            let token = self.next_non_space();
            match token.kind {
                k if k == end => {
                    let cmds = Few::moved(&mut self.sh.commands, mark);
                    self.check_pipeline(&cmds, context)?;
                    return Ok(Pipe { pos, decl, cmds });
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.backup();
                    self.command()?;
                }
                _ => return self.unexpected(token, context),
            }
        }
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`.
    fn declarations(&mut self, context: &str) -> Parse<Option<Decl>> {
        let mut first = None;
        while self.peek_non_space().kind == Kind::Variable {
            let v = self.next();
            // Space is a token, so three tokens are needed: in "$x foo", "foo" (and not ":=") tells that $x is an argument.
            let after = self.peek();
            let next = self.peek_non_space();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    self.next_non_space();
                    let name = self.declare(v);
                    let is_assign = next.kind == Kind::Assign;
                    return Ok(Some(match first {
                        None => Decl { is_assign, first: name, second: None },
                        Some(first) => Decl { is_assign, first, second: Some(name) },
                    }));
                }
                Kind::Char if self.sh.lex.source(next) == b"," => {
                    self.next_non_space();
                    let name = self.declare(v);
                    if context != "range" || first.replace(name).is_some() {
                        return self.error(format!("too many declarations in {context}"));
                    }
                    if !matches!(self.peek_non_space().kind, Kind::Variable | Kind::RightDelim | Kind::RightParen) {
                        return self.error("range can only initialize variables");
                    }
                }
                _ if after.kind == Kind::Space => {
                    self.backup3(v, after);
                    break;
                }
                _ => {
                    self.backup2(v);
                    break;
                }
            }
        }
        Ok(first.map(|first| Decl { is_assign: false, first, second: None }))
    }

    fn declare(&mut self, v: Item) -> Name {
        self.vars.push(self.sh.lex.source(v));
        Name { pos: v.pos(), end: v.end() }
    }

    fn check_pipeline(&self, commands: &[Command], context: &str) -> Parse<()> {
        if commands.is_empty() {
            return self.error(format!("missing value for {context}"));
        }
        // Only the first command may start with something that cannot be executed.
        for (i, c) in commands.iter().enumerate().skip(1) {
            if c.args.first().is_some_and(is_literal) {
                return self.error(format!("non executable command in pipeline stage {}", i + 1));
            }
        }
        Ok(())
    }

    /// `if`, `range`, `with`: the keyword is past.
    fn control(&mut self, control: Control) -> Parse<Node> {
        if self.sh.controls >= MAX_CONTROLS {
            return self.error("max nesting of control structures exceeded");
        }
        self.sh.controls += 1;
        let vars = self.vars.len();
        let pipe = self.pipeline(control.word(), Kind::RightDelim)?;
        let is_range = usize::from(matches!(control, Control::Range));
        self.ranges += is_range;
        let (list, end) = self.list()?;
        self.ranges -= is_range;
        let else_list = match end {
            End::End => None,
            End::Else(pos) => Some(self.else_list(control, pos)?),
        };
        self.vars.truncate(vars);
        self.sh.controls -= 1;
        let branch = Box::new(Branch { pos: pipe.pos, pipe, list, else_list });
        Ok(match control {
            Control::If => Node::If(branch),
            Control::Range => Node::Range(branch),
            Control::With => Node::With(branch),
        })
    }

    /// After `{{else`. `{{else if b}}…{{end}}` means `{{else}}{{if b}}…{{end}}{{end}}`, and likewise `with`: the one `end` closes
    /// both.
    fn else_list(&mut self, control: Control, pos: Pos) -> Parse<List> {
        let chained = match control {
            Control::If => Some(Kind::If),
            Control::With => Some(Kind::With),
            Control::Range => None,
        };
        if chained == Some(self.peek().kind) {
            self.next();
            let node = self.control(control)?;
            return Ok(List { pos, nodes: [node].into() });
        }
        let (list, end) = self.list()?;
        if !matches!(end, End::End) {
            return self.error(format!("expected end; found {}", end.text()));
        }
        Ok(list)
    }

    fn else_control(&mut self) -> Parse<End> {
        let peek = self.peek_non_space();
        if matches!(peek.kind, Kind::If | Kind::With) {
            return Ok(End::Else(peek.pos()));
        }
        let token = self.expect(Kind::RightDelim, "else")?;
        Ok(End::Else(token.pos()))
    }

    fn block(&mut self) -> Parse<Node> {
        const CONTEXT: &str = "block clause";
        if self.sh.controls >= MAX_CONTROLS {
            return self.error("max nesting of control structures exceeded");
        }
        self.sh.controls += 1;
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelim)?;
        let mut inner = Parser::new(self.sh);
        let (root, end) = inner.list()?;
        if !matches!(end, End::End) {
            // The outer parser says so, which has come no further than to the end of the block's own action.
            return self.error(format!("unexpected {} in {CONTEXT}", end.text()));
        }
        inner.add(name.clone(), root)?;
        self.sh.controls -= 1;
        Ok(Node::Template(Box::new(Call { pos: token.pos(), name, pipe: Some(Box::new(pipe)) })))
    }

    fn template(&mut self) -> Parse<Node> {
        const CONTEXT: &str = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        let mut pipe = None;
        if self.next_non_space().kind != Kind::RightDelim {
            self.backup();
            pipe = Some(Box::new(self.pipeline(CONTEXT, Kind::RightDelim)?));
        }
        Ok(Node::Template(Box::new(Call { pos: token.pos(), name, pipe })))
    }

    fn template_name(&self, token: Item, context: &str) -> Parse<Arc<str>> {
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return self.unexpected(token, context);
        }
        Ok(self.unquoted(token)?.to_text().into())
    }

    fn unquoted(&self, token: Item) -> Parse<Str> {
        unquote(self.sh.lex.source(token)).map_or_else(|| self.error("invalid syntax"), |text| Ok(Str::new(text)))
    }

    /// A command, which goes to the others.
    fn command(&mut self) -> Parse<()> {
        let pos = self.peek_non_space().pos();
        let mark = self.sh.operands.len();
        loop {
            self.peek_non_space();
            self.operand()?;
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.backup(),
                Kind::Pipe => {}
                _ => return self.unexpected(token, "operand"),
            }
            break;
        }
        if self.sh.operands.len() == mark {
            return self.error("empty command");
        }
        let args = Few::moved(&mut self.sh.operands, mark);
        self.sh.commands.push(Command { pos, args });
        Ok(())
    }

    /// A term with its fields, which goes to the other operands; nothing if what comes is none.
    fn operand(&mut self) -> Parse<()> {
        let token = self.next_non_space();
        match token.kind {
            // More fields go to a field or variable itself.
            Kind::Field => {}
            Kind::Variable => self.declared(token)?,
            _ => {
                if !self.term(token)? || self.peek().kind != Kind::Field {
                    return Ok(());
                }
            }
        }
        let pos = self.peek().pos();
        let mut end = token.end();
        while self.peek().kind == Kind::Field {
            end = self.next().end();
        }
        let operand = match token.kind {
            Kind::Field => Expr::Field(Fields { pos: token.pos(), end }),
            Kind::Variable => Expr::Variable(Variable { name: Name { pos: token.pos(), end: token.end() }, end }),
            _ => match self.sh.operands.pop() {
                Some(node) if !is_literal(&node) => {
                    Expr::Chain(Box::new(Chain { pos, node, fields: Fields { pos, end } }))
                }
                literal => {
                    let text = literal.map_or_else(String::new, |node| node.text(self.sh.lex.text()));
                    let quoted = strconv::quote(text.as_bytes());
                    return self.error(format!("unexpected . after term {quoted}"));
                }
            },
        };
        self.sh.operands.push(operand);
        Ok(())
    }

    /// A term that is neither a field nor a variable; false if it is none.
    fn term(&mut self, token: Item) -> Parse<bool> {
        let pos = token.pos();
        let val = self.sh.lex.source(token);
        let term = match token.kind {
            Kind::Identifier => {
                let id = std::str::from_utf8(val).ok().and_then(|name| self.sh.funcs.id(name));
                let Some(id) = id else {
                    return self.error(format!("function {} not defined", strconv::quote(val)));
                };
                // There are some hundreds of them.
                Expr::Function { name: Name { pos, end: token.end() }, id: id as u32 }
            }
            Kind::Dot => Expr::Dot { pos },
            Kind::Nil => Expr::Nil { pos },
            Kind::Bool => Expr::Bool { pos, value: val == b"true" },
            Kind::CharConstant | Kind::Complex | Kind::Number => match number(pos, val, token.kind) {
                Ok(n) => Expr::Number(Box::new(n)),
                Err(e) => return self.error(e),
            },
            Kind::LeftParen => {
                if self.parens >= MAX_PARENS {
                    return self.error("max expression depth exceeded");
                }
                self.parens += 1;
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                self.parens -= 1;
                Expr::Pipe(Box::new(pipe))
            }
            Kind::String | Kind::RawString => self.string(token)?,
            _ => {
                self.backup();
                return Ok(false);
            }
        };
        self.sh.operands.push(term);
        Ok(true)
    }

    fn declared(&self, token: Item) -> Parse<()> {
        let name = self.sh.lex.source(token);
        if !self.vars.contains(&name) {
            return self.error(format!("undefined variable {}", strconv::quote(name)));
        }
        Ok(())
    }

    /// A string literal. What it means is kept if that is not just what lies between its quotes, or is too long to be copied each time.
    fn string(&self, token: Item) -> Parse<Expr> {
        let (pos, end) = (token.pos(), token.end());
        let source = self.sh.lex.source(token);
        let is_short = source.len() <= Str::INLINE + QUOTES;
        if is_short && source.iter().all(|b| b.is_ascii() && !matches!(b, b'\\' | b'\r')) {
            return Ok(Expr::String { pos, end });
        }
        Ok(Expr::Text(Box::new(Text { pos, end, text: self.unquoted(token)? })))
    }
}

#[derive(Clone, Copy)]
enum Control {
    If,
    Range,
    With,
}

impl Control {
    const fn word(self) -> &'static str {
        match self {
            Self::If => "if",
            Self::Range => "range",
            Self::With => "with",
        }
    }
}

/// What cannot be executed and has no fields.
const fn is_literal(e: &Expr) -> bool {
    matches!(
        e,
        Expr::Bool { .. } | Expr::Dot { .. } | Expr::Nil { .. } | Expr::Number(_) | Expr::String { .. } | Expr::Text(_)
    )
}

/// What was put together from `mark` on, in a list of just its size.
fn moved<T>(all: &mut Vec<T>, mark: usize) -> Box<[T]> {
    all.split_off(mark).into_boxed_slice()
}

#[cfg(test)]
mod tests;
