//! Nodes as Go prints them (`Node.String()` of Go 1.26 `text/template/parse/node.go`), and where they are: error texts show both.

use super::ast::{Branch, Command, Expr, Fields, List, Node, Pipe, Pos, slice};
use crate::golang::strconv;

/// A node that errors can show.
pub trait Printed {
    /// Appends the node as Go's `String()` gives it. `source` is the text that it was parsed from.
    fn write_to(&self, source: &[u8], out: &mut Vec<u8>);

    /// Its byte offset in the text that it was parsed from.
    fn position(&self, source: &[u8]) -> Pos;

    /// The node as text, with U+FFFD where its bytes are not UTF-8.
    fn text(&self, source: &[u8]) -> String {
        let mut out = Vec::new();
        self.write_to(source, &mut out);
        String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
    }
}

/// Where a node is, as `NAME:LINE:COL` (1-based line, 0-based byte column), and the node's text (Go's `Tree.ErrorContext`).
pub fn error_context(parse_name: &str, source: &[u8], node: &impl Printed) -> (String, String) {
    let (line, col) = line_col(source, node.position(source));
    (format!("{parse_name}:{line}:{col}"), node.text(source))
}

/// 1-based line and 0-based byte column of an offset.
pub fn line_col(source: &[u8], pos: Pos) -> (usize, usize) {
    let before = &source[..source.len().min(pos as usize)];
    let line = 1 + before.iter().filter(|&&b| b == b'\n').count();
    let col = before.iter().rev().take_while(|&&b| b != b'\n').count();
    (line, col)
}

fn write_fields(fields: Fields, source: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(slice(source, fields.pos, fields.end));
}

impl Printed for Expr {
    fn write_to(&self, source: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Dot { .. } => out.push(b'.'),
            Self::Nil { .. } => out.extend_from_slice(b"nil"),
            Self::Bool { value, .. } => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Self::Number(n) => out.extend_from_slice(&n.text),
            Self::String { pos, end, .. } => out.extend_from_slice(slice(source, *pos, *end)),
            Self::Text(t) => out.extend_from_slice(slice(source, t.pos, t.end)),
            Self::Field(fields) => write_fields(*fields, source, out),
            Self::Variable(v) => out.extend_from_slice(slice(source, v.name.pos, v.end)),
            Self::Function { name, .. } => out.extend_from_slice(name.of(source)),
            Self::Chain(chain) => {
                chain.node.write_operand(source, out);
                write_fields(chain.fields, source, out);
            }
            Self::Pipe(p) => p.write_to(source, out),
        }
    }

    fn position(&self, source: &[u8]) -> Pos {
        self.pos(source)
    }
}

impl Expr {
    /// As an argument: a pipeline gets its parentheses.
    fn write_operand(&self, source: &[u8], out: &mut Vec<u8>) {
        if let Self::Pipe(p) = self {
            out.push(b'(');
            p.write_to(source, out);
            out.push(b')');
        } else {
            self.write_to(source, out);
        }
    }
}

impl Printed for Command {
    fn write_to(&self, source: &[u8], out: &mut Vec<u8>) {
        for (i, arg) in self.args.iter().enumerate() {
            if i > 0 {
                out.push(b' ');
            }
            arg.write_operand(source, out);
        }
    }

    fn position(&self, _: &[u8]) -> Pos {
        self.pos
    }
}

impl Printed for Pipe {
    fn write_to(&self, source: &[u8], out: &mut Vec<u8>) {
        if let Some(decl) = &self.decl {
            for (i, v) in decl.names().enumerate() {
                if i > 0 {
                    out.extend_from_slice(b", ");
                }
                out.extend_from_slice(v.of(source));
            }
            out.extend_from_slice(if decl.is_assign { b" = " } else { b" := " });
        }
        for (i, c) in self.cmds.iter().enumerate() {
            if i > 0 {
                out.extend_from_slice(b" | ");
            }
            c.write_to(source, out);
        }
    }

    fn position(&self, _: &[u8]) -> Pos {
        self.pos
    }
}

impl Branch {
    fn write_as(&self, name: &str, source: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"{{");
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
        self.pipe.write_to(source, out);
        out.extend_from_slice(b"}}");
        self.list.write_to(source, out);
        if let Some(l) = &self.else_list {
            out.extend_from_slice(b"{{else}}");
            l.write_to(source, out);
        }
        out.extend_from_slice(b"{{end}}");
    }
}

impl Printed for List {
    fn write_to(&self, source: &[u8], out: &mut Vec<u8>) {
        for n in &*self.nodes {
            n.write_to(source, out);
        }
    }

    fn position(&self, _: &[u8]) -> Pos {
        self.pos
    }
}

impl Printed for Node {
    fn write_to(&self, source: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Text { pos, end } => out.extend_from_slice(slice(source, *pos, *end)),
            Self::Action(pipe) => {
                out.extend_from_slice(b"{{");
                pipe.write_to(source, out);
                out.extend_from_slice(b"}}");
            }
            Self::If(b) => b.write_as("if", source, out),
            Self::With(b) => b.write_as("with", source, out),
            Self::Range(b) => b.write_as("range", source, out),
            Self::Template(call) => {
                out.extend_from_slice(b"{{template ");
                out.extend_from_slice(strconv::quote(call.name.as_bytes()).as_bytes());
                if let Some(p) = &call.pipe {
                    out.push(b' ');
                    p.write_to(source, out);
                }
                out.extend_from_slice(b"}}");
            }
            Self::Break { .. } => out.extend_from_slice(b"{{break}}"),
            Self::Continue { .. } => out.extend_from_slice(b"{{continue}}"),
        }
    }

    fn position(&self, _: &[u8]) -> Pos {
        match self {
            Self::Text { pos, .. } | Self::Break { pos } | Self::Continue { pos } => *pos,
            Self::Template(call) => call.pos,
            Self::Action(pipe) => pipe.pos,
            Self::If(b) | Self::With(b) | Self::Range(b) => b.pos,
        }
    }
}
