//! Changing single scalars of a YAML text and nothing else: comments, quotes, line ends and all other bytes stay.
//!
//! [`Text`] reads a text with the places of its scalars; [`Text::splice`] puts new values in and makes sure, by reading the result again, that
//! nothing else changed its meaning.

use std::ops::Range;

use super::node::{self, Document, Node, NodeKind};
use super::resolve::{self, Tag};
use super::scanner::Style;

/// A text with its documents.
pub struct Text<'a> {
    bytes: &'a [u8],
    /// Bytes before the first document: a byte order mark.
    start: usize,
    pub documents: Vec<Document>,
}

/// Where a scalar stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub document: usize,
    pub node: usize,
    /// 1-based.
    pub line: u32,
    /// The token's bytes, quotes included.
    span: Range<usize>,
    style: Style,
    /// Inside brackets, where `,` and brackets end a plain text.
    flow: bool,
    /// The scalar's value.
    pub value: String,
    /// Read by Kubernetes' YAML, the value is a string.
    is_string: bool,
}

impl Place {
    /// True where no value stands yet.
    pub fn is_gap(&self) -> bool {
        self.span.is_empty()
    }

    /// True if the value stands there already; `1.10` without quotes is no such text, but the number 1.1.
    pub fn holds(&self, new: &str, kind: Kind) -> bool {
        self.value == new && (kind == Kind::AsBefore || self.is_string)
    }
}

/// What a new value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string whatever it looks like.
    String,
    /// As the old one: a string stays a string, a number may become another number.
    AsBefore,
}

/// Why a scalar cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("{0}")]
    Syntax(String),
    #[error("line {0}: the value is a block of text, which is not edited: write it in one line behind its key first")]
    Block(u32),
    #[error("line {0}: the value would not stay one line of text")]
    Lines(u32),
    #[error("line {0}: the change would alter more than this value; edit the file by hand")]
    NotAlone(u32),
}

/// True if YAML 1.1 and 1.2 alike take a plain text for a string.
fn is_plain_string(text: &str) -> bool {
    let bytes = text.as_bytes();
    resolve::plain(bytes, true).0 == Tag::Str
        && matches!(node::resolve("", bytes), Ok(node::Resolved::Str(_)))
        && !super::emit::is_base60(bytes)
        && !is_decimal(text)
}

/// True for the form of a decimal number, also one too large for a float: go-yaml reads `123e456` as text, others as infinity.
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(fraction) && digits(exponent) && !exponent.is_empty() && whole.len() + fraction.len() > 0
}

impl<'a> Text<'a> {
    /// Reads a text: UTF-8, with or without byte order mark.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, EditError> {
        let start = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let body = bytes.get(start..).unwrap_or_default();
        let documents = node::documents(body).collect::<Result<_, _>>().map_err(EditError::Syntax)?;
        Ok(Self { bytes, start, documents })
    }

    /// The value behind a key of a mapping; the last one counts.
    pub fn get(&self, document: usize, node: usize, key: &str) -> Option<usize> {
        let doc = self.documents.get(document)?;
        let mapping = doc.target(node).filter(|n| n.kind == NodeKind::Mapping)?;
        let pairs = mapping.children.chunks(2).rev();
        pairs
            .filter_map(|pair| if let [k, v] = pair { Some((doc.nodes.get(*k)?, *v)) } else { None })
            .find(|(k, _)| k.kind == NodeKind::Scalar && k.value == key.as_bytes())
            .map(|(_, v)| v)
    }

    /// The node at a path from a node: keys of mappings, numbers in lists.
    pub fn at<'p>(&self, document: usize, node: usize, path: impl IntoIterator<Item = &'p str>) -> Option<usize> {
        let doc = self.documents.get(document)?;
        path.into_iter().try_fold(node, |node, step| match doc.target(node)? {
            n if n.kind == NodeKind::Sequence => n.children.get(step.parse::<usize>().ok()?).copied(),
            _ => self.get(document, node, step),
        })
    }

    /// The root of a document, if it has one.
    pub fn root(&self, document: usize) -> Option<usize> {
        self.documents.get(document).filter(|d| !d.nodes.is_empty()).map(|d| d.root)
    }

    /// A scalar's text.
    pub fn text(&self, document: usize, node: usize) -> Option<String> {
        let node = self.documents.get(document)?.target(node).filter(|n| n.kind == NodeKind::Scalar)?;
        Some(String::from_utf8_lossy(&node.value).into_owned())
    }

    /// The items of a list.
    pub fn items(&self, document: usize, node: usize) -> Vec<usize> {
        let list = self.documents.get(document).and_then(|d| d.target(node));
        list.filter(|n| n.kind == NodeKind::Sequence).map(|n| n.children.clone()).unwrap_or_default()
    }

    /// Where a scalar stands; `None` for what is no scalar of its own: a collection, an alias, an empty value.
    pub fn place(&self, document: usize, id: usize) -> Option<Place> {
        let doc = self.documents.get(document)?;
        let node = doc.nodes.get(id).filter(|n| n.kind == NodeKind::Scalar && !n.span.is_empty())?;
        let flow = doc.nodes.iter().enumerate().any(|(i, n)| n.flow && contains(doc, i, id));
        let value = String::from_utf8(node.value.clone()).ok()?;
        let is_string = node.style != Style::Plain || node.tag == "!!str" && (node.tagged || is_plain_string(&value));
        Some(Place {
            document,
            node: id,
            line: node.line,
            span: node.span.start + self.start..node.span.end + self.start,
            style: node.style,
            flow,
            value,
            is_string,
        })
    }

    /// As [`Text::place`]; of a key without a value (`tag:`) the gap behind its colon, if nothing but a comment follows in its line.
    pub fn place_or_gap(&self, document: usize, id: usize) -> Option<Place> {
        self.place(document, id).or_else(|| self.gap(document, id))
    }

    fn gap(&self, document: usize, id: usize) -> Option<Place> {
        let doc = self.documents.get(document)?;
        doc.nodes.get(id).filter(|n| n.kind == NodeKind::Scalar && n.span.is_empty() && n.value.is_empty())?;
        let mut maps = doc.nodes.iter().filter(|n| n.kind == NodeKind::Mapping && !n.flow);
        let key = maps.find_map(|n| n.children.chunks(2).find_map(|p| p.first().filter(|_| p.get(1) == Some(&id))))?;
        let key = doc.nodes.get(*key).filter(|k| !k.span.is_empty())?;
        let end = key.span.end + self.start;
        let line = self.bytes.get(end..)?.split(|b| matches!(b, b'\n' | b'\r')).next()?;
        let colon = line.iter().position(|b| *b != b' ').filter(|at| line.get(*at) == Some(&b':'))?;
        let behind = line.get(colon + 1..)?;
        let blank = behind.trim_ascii_start();
        if !(blank.is_empty() || blank.starts_with(b"#") && blank.len() < behind.len()) {
            return None;
        }
        let at = end + colon + 1;
        Some(Place {
            document,
            node: id,
            line: key.line,
            span: at..at,
            style: Style::Plain,
            flow: false,
            value: String::new(),
            is_string: false,
        })
    }

    /// Puts new values in place of old ones.
    ///
    /// # Errors
    /// A value that cannot stand there, or a result that means something else beside it.
    pub fn splice(&self, edits: &[(Place, &str, Kind)]) -> Result<Vec<u8>, EditError> {
        let mut edits: Vec<&(Place, &str, Kind)> = edits.iter().collect();
        edits.sort_by_key(|(place, ..)| place.span.start);
        let mut out = Vec::with_capacity(self.bytes.len() + 64);
        let mut at = 0;
        for (place, new, kind) in &edits {
            let token = token(place, new, *kind)?;
            out.extend_from_slice(self.bytes.get(at..place.span.start).ok_or(EditError::NotAlone(place.line))?);
            if place.is_gap() {
                out.push(b' ');
            }
            out.extend_from_slice(token.as_bytes());
            at = place.span.end;
        }
        out.extend_from_slice(self.bytes.get(at..).unwrap_or_default());
        self.verify(&out, &edits)?;
        Ok(out)
    }

    /// Reads the result again: the same nodes, but for the values that were changed.
    fn verify(&self, text: &[u8], edits: &[&(Place, &str, Kind)]) -> Result<(), EditError> {
        let line = edits.first().map_or(0, |(place, ..)| place.line);
        let alone = || EditError::NotAlone(line);
        let after = Text::parse(text).map_err(|_| alone())?;
        if after.documents.len() != self.documents.len() {
            return Err(alone());
        }
        let has_gap = edits.iter().any(|(place, ..)| place.is_gap());
        for (d, (old, new)) in self.documents.iter().zip(&after.documents).enumerate() {
            if old.nodes.len() != new.nodes.len() || old.root != new.root {
                return Err(alone());
            }
            for (i, (a, b)) in old.nodes.iter().zip(&new.nodes).enumerate() {
                let edit = edits.iter().find(|(place, ..)| place.document == d && place.node == i);
                let same = match edit {
                    Some((_, value, _)) => a.kind == b.kind && b.value == value.as_bytes(),
                    // What a comment belongs to is another question once its line has a value.
                    None => same_node(a, b) && (has_gap || same_comments(a, b)),
                };
                if !same {
                    return Err(alone());
                }
            }
        }
        Ok(())
    }
}

fn same_node(a: &Node, b: &Node) -> bool {
    a.kind == b.kind && a.tag == b.tag && a.value == b.value && a.children == b.children
}

fn same_comments(a: &Node, b: &Node) -> bool {
    a.head == b.head && a.behind == b.behind && a.foot == b.foot
}

fn contains(doc: &Document, parent: usize, id: usize) -> bool {
    let children = doc.nodes.get(parent).map(|n| n.children.as_slice()).unwrap_or_default();
    // Children come behind their parent.
    children.iter().any(|c| *c == id || (*c <= id && contains(doc, *c, id)))
}

/// How a value is written at a place.
fn token(place: &Place, new: &str, kind: Kind) -> Result<String, EditError> {
    if new.chars().any(char::is_control) {
        return Err(EditError::Lines(place.line));
    }
    let double = || format!("\"{}\"", new.replace('\\', "\\\\").replace('"', "\\\""));
    Ok(match place.style {
        Style::Literal | Style::Folded => return Err(EditError::Block(place.line)),
        Style::Double => double(),
        Style::Single => format!("'{}'", new.replace('\'', "''")),
        Style::Plain => {
            let string = kind == Kind::String || place.is_string;
            let analysis = super::emit::analyze(new.as_bytes(), super::emit::Dialect::V3);
            let brackets = place.flow && new.contains([',', '[', ']', '{', '}', '?', ':']);
            if new.is_empty() || !analysis.plain || brackets || (string && !is_plain_string(new)) {
                double()
            } else {
                new.to_owned()
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(text: &str, path: &str, new: &str, kind: Kind) -> Result<String, EditError> {
        let parsed = Text::parse(text.as_bytes())?;
        let node = parsed.at(0, parsed.root(0).unwrap(), path.split('.')).unwrap();
        let place = parsed.place(0, node).unwrap();
        Ok(String::from_utf8(parsed.splice(&[(place, new, kind)])?).unwrap())
    }

    #[test]
    fn one_scalar_changes_and_nothing_else() {
        for (text, path, new, want) in [
            ("image:\n  tag: 1.2.3 # keep\n", "image.tag", "1.2.4", "image:\n  tag: 1.2.4 # keep\n"),
            ("a:   'x'\r\nb: 1\r\n", "a", "it's", "a:   'it''s'\r\nb: 1\r\n"),
            ("a: \"x\" \n", "a", "q\"\\", "a: \"q\\\"\\\\\" \n"),
            ("\u{feff}a: v1\n", "a", "v2", "\u{feff}a: v2\n"),
            ("a: v1", "a", "1.10", "a: \"1.10\""),
            ("a: v1\n", "a", "0123", "a: \"0123\"\n"),
            ("a: v1\n", "a", "123e456", "a: \"123e456\"\n"),
            ("a: v1\n", "a", "null", "a: \"null\"\n"),
            ("a: v1\n", "a", "yes", "a: \"yes\"\n"),
            ("a: v1\n", "a", "12:30", "a: \"12:30\"\n"),
            ("{a: v1, b: 2}\n", "a", "x:y", "{a: \"x:y\", b: 2}\n"),
            ("a: !!str v1\n", "a", "v2", "a: !!str v2\n"),
            ("a: &x v1\nb: *x\n", "a", "v2", "a: &x v2\nb: *x\n"),
            ("l:\n- {n: a, t: '1'}\n", "l.0.t", "2", "l:\n- {n: a, t: '2'}\n"),
        ] {
            assert_eq!(edit(text, path, new, Kind::String).as_deref(), Ok(want), "{text:?}");
        }
        assert_eq!(edit("n: 3\n", "n", "5", Kind::AsBefore).as_deref(), Ok("n: 5\n"));
        assert_eq!(edit("n: v3\n", "n", "5", Kind::AsBefore).as_deref(), Ok("n: \"5\"\n"));
        assert_eq!(edit("a: |\n  x\n", "a", "y", Kind::String), Err(EditError::Block(1)));
        assert_eq!(edit("a: x\n", "a", "y\nz", Kind::String), Err(EditError::Lines(1)));
    }

    #[test]
    fn aliases_and_empty_values_are_no_places() {
        let text = Text::parse(b"a: &x 1\nb: *x\nc:\n").unwrap();
        let at = |key| text.get(0, text.root(0).unwrap(), key).unwrap();
        assert!(text.place(0, at("a")).is_some());
        assert!(text.place(0, at("b")).is_none());
        assert!(text.place(0, at("c")).is_none());
    }

    #[test]
    fn a_key_without_a_value_gets_one() {
        for (text, path, new, want) in [
            ("a:\n", "a", "v1", "a: v1\n"),
            ("a:", "a", "1.10", "a: \"1.10\""),
            ("x:\n  a:   # why\n  b: 1\n", "x.a", "v1", "x:\n  a: v1   # why\n  b: 1\n"),
            (
                "x:\n  # above\n  a: \r\n\n  # below\nb: 1\r\n",
                "x.a",
                "v1",
                "x:\n  # above\n  a: v1 \r\n\n  # below\nb: 1\r\n",
            ),
            ("\"a\" :\nb: 1\n", "a", "v", "\"a\" : v\nb: 1\n"),
            ("l:\n- a:\n  b: 1\n- c\n", "l.0.a", "v", "l:\n- a: v\n  b: 1\n- c\n"),
        ] {
            let parsed = Text::parse(text.as_bytes()).unwrap();
            let node = parsed.at(0, parsed.root(0).unwrap(), path.split('.')).unwrap();
            let place = parsed.place_or_gap(0, node).unwrap();
            let edited = parsed.splice(&[(place, new, Kind::String)]).map(|text| String::from_utf8(text).unwrap());
            assert_eq!(edited.as_deref(), Ok(want), "{text:?}");
        }
        for text in ["a: !!str\n", "a: &x\nb: *x\n", "{a: , b: 1}\n", "? a\n: \n"] {
            let parsed = Text::parse(text.as_bytes()).unwrap();
            let node = parsed.get(0, parsed.root(0).unwrap(), "a").unwrap();
            assert!(parsed.place_or_gap(0, node).is_none(), "{text:?}");
        }
    }
}
