//! Comments, as go-yaml v3 finds them and binds them to tokens: above (head), behind (line) and below (foot).
//!
//! The rules are go-yaml v3's own (`yaml_parser_scan_comments`, `yaml_parser_scan_line_comment`, `yaml_parser_unfold_comments`); YAML itself
//! knows none. Columns of whole-line comments are counted from 1, as there; those of comments behind a token from 0.

use super::scanner::{Kind, Mark, Scanner};

/// A place, signed because go-yaml steps one before the text's start.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    index: i64,
    line: i64,
    column: i64,
}

impl From<Mark> for Place {
    fn from(m: Mark) -> Self {
        Self { index: m.index.into(), line: m.line.into(), column: m.col.into() }
    }
}

/// A comment that waits for the token it belongs to.
#[derive(Debug, Default)]
struct Comment {
    /// Where the scan began that found it.
    scan: Place,
    /// The comment belongs to the first token at or behind this index.
    token: i64,
    start: Place,
    end: Place,
    head: Vec<u8>,
    line: Vec<u8>,
    foot: Vec<u8>,
}

/// How far go-yaml looks for the next comment line.
const LOOK_AHEAD: usize = 512;

/// Comments of a text: those that wait, and those that the next node takes.
#[derive(Debug, Default)]
pub struct Comments {
    /// The two tokens that were scanned last, the last one first.
    last: [Option<(Kind, Mark)>; 2],
    waiting: Vec<Comment>,
    /// Number of those that were handed out.
    taken: usize,
    pub head: Vec<u8>,
    pub line: Vec<u8>,
    pub foot: Vec<u8>,
}

fn join(all: &mut Vec<u8>, more: &[u8]) {
    if more.is_empty() {
        return;
    }
    if !all.is_empty() {
        all.push(b'\n');
    }
    all.extend_from_slice(more);
}

impl Comments {
    /// A token was appended.
    pub(super) const fn pushed(&mut self, kind: Kind, start: Mark) {
        self.last = [Some((kind, start)), self.last[0]];
    }

    /// Gives the comments up to a token to whoever takes it.
    pub(super) fn unfold(&mut self, kind: Kind, start: Mark) {
        while let Some(comment) = self.waiting.get_mut(self.taken) {
            // No heads on ends: they wait for the token behind.
            if i64::from(start.index) < comment.token || (!comment.head.is_empty() && kind == Kind::BlockEnd) {
                return;
            }
            let comment = std::mem::take(comment);
            join(&mut self.head, &comment.head);
            join(&mut self.foot, &comment.foot);
            join(&mut self.line, &comment.line);
            self.taken += 1;
        }
    }

    /// Where a block ends, so that comments at its own depth lie inside: before the first of them.
    pub(super) fn block_end(&self, before: Option<Mark>, scanned: Mark, indent: i32) -> Mark {
        let mut at = before.unwrap_or(Mark { index: scanned.index.saturating_sub(1), ..scanned });
        let mut stop = i64::from(at.index);
        for comment in self.waiting.iter().rev() {
            if comment.end.index < stop {
                break;
            }
            if comment.start.column == i64::from(indent) + 1 {
                let small = |n: i64| u32::try_from(n).unwrap_or_default();
                at = Mark {
                    index: small(comment.start.index),
                    line: small(comment.start.line),
                    col: small(comment.start.column),
                    ..scanned
                };
            }
            stop = comment.scan.index;
        }
        at
    }
}

impl Scanner<'_> {
    /// Line breaks since the last character that is no blank.
    fn newlines(&self) -> i64 {
        let before = self.text.get(..self.pos).unwrap_or_default();
        let (mut n, mut i) = (0, before.len());
        while let Some(b) = i.checked_sub(1).and_then(|i| before.get(i)) {
            match b {
                b' ' | b'\t' => i -= 1,
                b'\n' => {
                    n += 1;
                    i -= if i >= 2 && before.get(i - 2) == Some(&b'\r') { 2 } else { 1 };
                }
                b'\r' => {
                    n += 1;
                    i -= 1;
                }
                _ => break,
            }
        }
        n
    }

    /// The token that a comment behind the one now to be scanned belongs to; `c` is the first byte of that one.
    pub(super) fn line_comment_place(&self, c: u8) -> Mark {
        let last = self.comments.as_ref().and_then(|comments| comments.last[0]);
        match last {
            // What follows a `:` or a `,` belongs to the token before it.
            Some((_, start)) if (self.flow_level == 0 && c == b':') || (self.flow_level > 0 && c == b',') => start,
            _ => self.mark(),
        }
    }

    /// True if the last token was a `-`, which has no comment of its own: it is a head of what follows.
    pub(super) fn after_entry(&self) -> bool {
        matches!(self.comments.as_ref().and_then(|c| c.last[0]), Some((Kind::BlockEntry, _)))
    }

    /// Takes the comment behind a token, if there is one.
    pub(super) fn line_comment(&mut self, token: Mark) {
        if self.newlines() > 0 {
            return;
        }
        let blanks = (0..LOOK_AHEAD).take_while(|i| self.is_blank(*i)).count();
        if blanks >= LOOK_AHEAD || self.at(blanks) != b'#' {
            return;
        }
        self.advance(blanks);
        let start = self.mark();
        let text = self.rest_of_line();
        if let Some(comments) = &mut self.comments {
            comments.waiting.push(Comment {
                token: token.index.into(),
                start: start.into(),
                line: text,
                ..Comment::default()
            });
        }
    }

    fn rest_of_line(&mut self) -> Vec<u8> {
        let from = self.pos;
        while !self.is_breakz(0) {
            self.skip();
        }
        self.text.get(from..self.pos).unwrap_or_default().to_vec()
    }

    /// Takes whole-line comments in front of a token. `scanned` is where the scan for that token began.
    pub(super) fn comments_before_token(&mut self, scanned: Mark) {
        let here = self.mark();
        let at_break = self.break_at(0) > 0;
        if let Some(comments) = &mut self.comments
            && let [Some((Kind::BlockEntry, _)), Some((Kind::BlockSequenceStart, _))] = comments.last
            && !at_break
            && let Some(comment) = comments.waiting.last_mut()
            && !comment.line.is_empty()
        {
            // `- # comment` with the item on the next line: the comment is the item's head.
            comment.head = std::mem::take(&mut comment.line);
            if comment.start.line == i64::from(here.line) - 1 {
                comment.token = here.index.into();
            }
        }
        if self.at(0) == b'#' {
            self.scan_comments(scanned);
        }
    }

    fn scan_comments(&mut self, scanned: Mark) {
        let last = self.comments.as_ref().map_or([None; 2], |c| c.last);
        let token = match last {
            [Some((Kind::FlowEntry, _)), Some(before)] => Some(before),
            [last, _] => last,
        };
        let (kind, mut token_mark) = token.map_or((None, 0), |(k, m)| (Some(k), i64::from(m.index)));
        let newlines = self.newlines();
        let mut scan = Place::from(scanned);
        let mut start = Place::default();
        let mut next_indent = i64::from(self.indent.max(0));
        let (mut recent_empty, mut first_empty) = (false, newlines <= 1);
        let (mut line, mut column) = (i64::from(self.line), i64::from(self.col));
        let mut text: Vec<u8> = Vec::new();
        // The line where a comment must start to be still a foot of what is before it.
        let mut foot_line = -1;
        if scanned.line > 0 {
            foot_line = i64::from(self.line) - newlines + 1;
            if newlines == 0 && self.col > 1 {
                foot_line += 1;
            }
        }
        let mut peek = 0;
        let here = |this: &Self, peek: usize, line, column| Place {
            index: i64::from(this.index) + i64::try_from(peek).unwrap_or_default(),
            line,
            column,
        };
        while peek < LOOK_AHEAD {
            column += 1;
            if self.is_blank(peek) {
                peek += 1;
                continue;
            }
            let c = self.at(peek);
            let close = self.flow_level > 0 && matches!(c, b']' | b'}');
            if close || self.is_breakz(peek) {
                if close || !recent_empty {
                    let foot = (start.line == foot_line && kind != Some(Kind::Value)) || start.column - 1 < next_indent;
                    if close || (first_empty && foot) {
                        // The first empty line: what came before it is a foot of what is above, not a head of what follows.
                        if !text.is_empty() {
                            if start.column - 1 < next_indent {
                                token_mark = start.index;
                            }
                            let end = here(self, peek, line, column);
                            self.found_foot(scan, token_mark, start, end, std::mem::take(&mut text));
                            scan = end;
                            token_mark = end.index;
                        }
                    } else if !text.is_empty() && c != 0 {
                        text.push(b'\n');
                    }
                }
                if self.break_at(peek) == 0 {
                    break;
                }
                first_empty = false;
                recent_empty = true;
                column = 0;
                line += 1;
                peek += 1;
                continue;
            }
            if !text.is_empty() && (close || (column - 1 < next_indent && column != start.column)) {
                // At another depth: a foot of what is above.
                let end = here(self, peek, line, column);
                self.found_foot(scan, token_mark, start, end, std::mem::take(&mut text));
                scan = end;
                token_mark = end.index;
            }
            if c != b'#' {
                break;
            }
            if text.is_empty() {
                start = here(self, peek, line, column);
            } else {
                text.push(b'\n');
            }
            recent_empty = false;
            let target = self.pos + peek;
            while self.pos < target {
                if self.break_at(0) > 0 {
                    self.skip_line();
                } else {
                    self.skip();
                }
            }
            text.extend(self.rest_of_line());
            // The line's own end is not looked at again.
            peek = 1;
            column = 0;
            line = self.line.into();
            next_indent = i64::from(self.indent.max(0));
        }
        if !text.is_empty() {
            let end = here(self, peek.saturating_sub(1), line, column);
            let comment = Comment { scan, token: start.index, start, end, head: text, ..Comment::default() };
            if let Some(comments) = &mut self.comments {
                comments.waiting.push(comment);
            }
        }
    }

    fn found_foot(&mut self, scan: Place, token: i64, start: Place, end: Place, text: Vec<u8>) {
        if let Some(comments) = &mut self.comments {
            comments.waiting.push(Comment { scan, token, start, end, foot: text, ..Comment::default() });
        }
    }
}
