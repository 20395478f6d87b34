//! From bytes of a rendered file back to the actions that printed them.
//!
//! A file's output is a row of pieces, each by one node of a template. Where an action prints what an `include` made (through `nindent`, `quote` and
//! the like), the text is looked for in what was included, line by line without its indentation, and the search goes on there. What is not found
//! again, because a function made something else of it, stays with the action, and so does all that was read inside.

use std::sync::Arc;

use crate::gotmpl::trace::{Frame, Made, Piece, Place, Read, Trace};

/// An action, or a piece of a template's own text, that printed a part of the field.
#[derive(Clone, Debug)]
pub struct Leaf {
    pub place: Place,
    pub is_text: bool,
    pub reads: Vec<Read>,
    pub frame: Option<Arc<Frame>>,
    /// The actions outside that print what was included, the outermost first.
    pub outer: Vec<Place>,
    /// What an included text was made of could not be told apart.
    pub blurred: bool,
}

/// Includes inside includes beyond this are not followed.
const MAX_DEPTH: usize = 100;

/// What printed the bytes of a made text.
pub fn leaves(trace: &Trace, made: usize, start: usize, end: usize) -> Vec<Leaf> {
    let mut out = Vec::new();
    collect(trace, made, start, end, &mut Vec::new(), &mut out);
    out
}

fn collect(trace: &Trace, made: usize, start: usize, end: usize, outer: &mut Vec<Place>, out: &mut Vec<Leaf>) {
    let Some(made) = trace.made.get(made) else { return };
    let inside = |p: &&Piece| p.start < end && p.end > start;
    for piece in made.pieces.iter().filter(inside) {
        let (from, to) = (start.max(piece.start), end.min(piece.end));
        let leaf = |place: Place, reads: Vec<Read>, blurred: bool, outer: &[Place]| Leaf {
            place,
            is_text: piece.is_text,
            reads,
            frame: piece.frame.clone(),
            outer: outer.to_vec(),
            blurred,
        };
        if piece.is_text {
            // Line breaks before an `end` print nothing that anybody asks for.
            if made.text.get(from..to).is_none_or(|t| t.trim_ascii().is_empty()) {
                continue;
            }
            out.push(leaf(piece.place.plus(from - piece.start), Vec::new(), false, outer));
            continue;
        }
        let calls: Vec<usize> =
            piece.reads.iter().filter_map(|r| if let Read::Made(i) = r { Some(*i) } else { None }).collect();
        let keys: Vec<Read> = piece.reads.iter().filter(|r| matches!(r, Read::Key(_))).cloned().collect();
        let before = out.len();
        if outer.len() < MAX_DEPTH {
            outer.push(piece.place.clone());
            for call in &calls {
                if let Some(part) = trace.made.get(*call).and_then(|inner| same_part(made, piece, from, to, inner)) {
                    collect(trace, *call, part.0, part.1, outer, out);
                }
            }
            outer.pop();
        }
        let deeper = out.get(before..).unwrap_or_default();
        if deeper.is_empty() {
            let blurred = !calls.is_empty();
            let mut reads = keys;
            calls.iter().for_each(|call| all_reads(trace, *call, 0, &mut reads));
            out.push(leaf(piece.place.clone(), reads, blurred, outer));
        } else if deeper.iter().all(|l| l.reads.is_empty()) && !keys.is_empty() {
            out.push(leaf(piece.place.clone(), keys, false, outer));
        } else if let Some(leaf) = out.get_mut(before) {
            // What goes into the include is read inside. What stands beside it has its part in the text: `default (include …) .Values.name`.
            let is_given =
                |read: &Read| calls.iter().any(|c| trace.made.get(*c).is_some_and(|m| m.given.contains(read)));
            leaf.reads.extend(keys.into_iter().filter(|read| !is_given(read)));
        }
    }
}

/// Everything that was read to make a text.
fn all_reads(trace: &Trace, made: usize, depth: usize, out: &mut Vec<Read>) {
    let Some(made) = trace.made.get(made).filter(|_| depth < MAX_DEPTH) else { return };
    for read in made.pieces.iter().flat_map(|p| &p.reads) {
        match read {
            Read::Made(inner) => all_reads(trace, *inner, depth + 1, out),
            key if !out.contains(key) => out.push(key.clone()),
            Read::Key(_) => {}
        }
    }
}

/// Where the bytes `from..to` of a piece are in the text that it prints through functions.
fn same_part(made: &Made, piece: &Piece, from: usize, to: usize, inner: &Made) -> Option<(usize, usize)> {
    let text = made.text.get(piece.start..piece.end)?;
    let (from, to) = (from - piece.start, to - piece.start);
    // `nindent` begins with a line break.
    let blank = text.get(from..to)?.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let from = from + blank;
    let wanted = trim(text.get(from..to)?);
    let whole = trim(&inner.text);
    if wanted.is_empty() || whole.is_empty() {
        return None;
    }
    // The line that the bytes begin in, and the how-manieth of its like it is.
    let begin = line_start(text, from);
    let line = trim(line_at(text, begin));
    let nth = lines(text).take_while(|(at, _)| *at < begin).filter(|(_, l)| trim(l) == line).count();
    let likes: Vec<usize> = lines(&inner.text).filter(|(_, l)| trim(l) == line).map(|(at, _)| at).collect();
    if let Some(at) = likes.get(nth).or_else(|| likes.first()) {
        let rest = inner.text.get(*at..)?;
        let first = trim(wanted.split(|b| *b == b'\n').next()?);
        let start = at + memchr::memmem::find(rest, first)?;
        let more = wanted.iter().filter(|b| **b == b'\n').count();
        let end = match more {
            0 => start + first.len(),
            // As many lines further on.
            n => inner
                .text
                .get(start..)?
                .iter()
                .enumerate()
                .filter(|(_, b)| **b == b'\n')
                .nth(n)
                .map_or(inner.text.len(), |(i, _)| start + i),
        };
        return Some((start, end));
    }
    // A part of a line, or a line of which the included text is a part.
    if let Some(at) = memchr::memmem::find(&inner.text, wanted) {
        return Some((at, at + wanted.len()));
    }
    let at = memchr::memmem::find(&inner.text, whole)?;
    memchr::memmem::find(wanted, whole).map(|_| (at, at + whole.len()))
}

fn trim(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii();
    match text {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        other => other,
    }
}

fn line_start(text: &[u8], at: usize) -> usize {
    text.get(..at).and_then(|t| t.iter().rposition(|b| *b == b'\n')).map_or(0, |i| i + 1)
}

fn line_at(text: &[u8], start: usize) -> &[u8] {
    text.get(start..).and_then(|t| t.split(|b| *b == b'\n').next()).unwrap_or_default()
}

fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    text.split(|b| *b == b'\n').map(move |line| {
        let here = at;
        at += line.len() + 1;
        (here, line)
    })
}
