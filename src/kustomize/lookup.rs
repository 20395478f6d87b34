//! Finding a node by a path: `a.b`, `[name=x]`, `0`, `-` (kyaml's `Lookup`, `LookupCreate` and `PathMatcher`).

use super::error::{Error, Result};
use super::node::{Kind, Node, expect};
use super::print;
use crate::golang::regexp::Regexp;

/// Splits at a delimiter that a backslash can escape; a delimiter in front is dropped.
pub fn split_path(path: &str, delimiter: char) -> Vec<String> {
    let mut parts: Vec<&str> = path.split(delimiter).collect();
    if parts.len() > 1 && parts[0].is_empty() {
        parts.remove(0);
    }
    let mut out: Vec<String> = Vec::with_capacity(parts.len());
    for part in parts {
        match out.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push(delimiter);
                last.push_str(part);
            }
            _ => out.push(part.to_owned()),
        }
    }
    out
}

/// As [`split_path`], but what stands in brackets stays together (`SmarterPathSplitter`).
pub fn split_path_smart(path: &str, delimiter: char) -> Vec<String> {
    let mut out = Vec::new();
    let mut parts = split_path(path, delimiter).into_iter();
    while let Some(part) = parts.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            out.push(part);
            continue;
        }
        let mut whole = part;
        for part in parts.by_ref() {
            whole.push(delimiter);
            whole.push_str(&part);
            if part.ends_with(']') {
                break;
            }
        }
        out.push(if whole.contains('=') { whole } else { whole.trim_matches(['[', ']']).to_owned() });
    }
    out
}

fn index_of(part: &str) -> Option<i64> {
    crate::golang::strconv::atoi(part).ok()
}

fn is_list_index(part: &str) -> bool {
    part.starts_with('[') && part.ends_with(']')
}

fn name_value(part: &str) -> Result<(&str, &str)> {
    let inner = part.strip_suffix(']').unwrap_or(part);
    let inner = inner.strip_prefix('[').unwrap_or(inner);
    inner
        .split_once('=')
        .ok_or_else(|| Error::new("list path element must contain fieldName=fieldValue for element to match"))
}

/// What kind a node must be so that the next part of the path fits into it.
fn kind_before(next: Option<&str>, last: Kind) -> Kind {
    match next {
        None | Some("") => last,
        Some(p) if is_list_index(p) || index_of(p).is_some_and(|i| i >= 0) => Kind::Sequence,
        Some(_) => Kind::Mapping,
    }
}

/// Empty parts and the spaces around parts do not count.
fn clean<S: AsRef<str>>(path: &[S]) -> impl Iterator<Item = &str> {
    path.iter().map(|p| p.as_ref().trim()).filter(|p| !p.is_empty())
}

/// One step down.
enum Step<'p> {
    At(usize),
    Last,
    Element(&'p str, &'p str),
    Field(&'p str),
}

impl<'p> Step<'p> {
    fn of(part: &'p str) -> Result<Self> {
        if let Some(i) = index_of(part) {
            let at = usize::try_from(i).map_err(|_| Error::new(format!("array index {i} cannot be negative")))?;
            return Ok(Self::At(at));
        }
        match part {
            "-" => Ok(Self::Last),
            "*" => Err("wildcard is not supported in PathGetter".into()),
            p if is_list_index(p) => name_value(p).map(|(name, value)| Self::Element(name, value)),
            p => Ok(Self::Field(p)),
        }
    }

    /// Where in the content the child is.
    fn find(&self, node: &Node) -> Result<Option<usize>> {
        match self {
            Self::Field(name) => {
                if node.is_null() {
                    return Ok(None);
                }
                expect(node, Kind::Mapping)?;
                Ok(node.field_index(name))
            }
            Self::At(i) => {
                expect(node, Kind::Sequence)?;
                Ok((*i < node.content.len()).then_some(*i))
            }
            Self::Last => {
                expect(node, Kind::Sequence)?;
                Ok(node.content.len().checked_sub(1))
            }
            Self::Element(name, value) => {
                expect(node, Kind::Sequence)?;
                Ok(node.content.iter().position(|item| {
                    if name.is_empty() {
                        item.value == *value
                    } else {
                        item.field(name).is_some_and(|f| f.value == *value)
                    }
                }))
            }
        }
    }
}

/// `Lookup`. `None` if a part is missing.
pub fn get<'n, S: AsRef<str>>(node: &'n Node, path: &[S]) -> Result<Option<&'n Node>> {
    let mut at = node;
    for part in clean(path) {
        match Step::of(part)?.find(at)?.and_then(|i| at.content.get(i)) {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// As [`get`], for changing.
pub fn get_mut<'n, S: AsRef<str>>(node: &'n mut Node, path: &[S]) -> Result<Option<&'n mut Node>> {
    let mut at = node;
    for part in clean(path) {
        let Some(i) = Step::of(part)?.find(at)? else { return Ok(None) };
        match at.content.get_mut(i) {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// `LookupCreate`: makes what is missing; the last node gets the kind. Elements by index are never made.
pub fn get_or_create<'n, S: AsRef<str>>(node: &'n mut Node, path: &[S], kind: Kind) -> Result<Option<&'n mut Node>> {
    let parts: Vec<&str> = clean(path).collect();
    let mut at = node;
    for (n, part) in parts.iter().enumerate() {
        let step = Step::of(part)?;
        let i = match (step.find(at)?, &step) {
            (Some(i), _) => i,
            (None, Step::Field(name)) if !at.is_null() => {
                let kind = kind_before(parts.get(n + 1).copied(), kind);
                at.push_field(*name, Node { kind, ..Node::default() });
                at.content.len() - 1
            }
            (None, Step::Element(name, value)) => {
                let value = Node::scalar(*value);
                at.content.push(if name.is_empty() {
                    value
                } else {
                    Node { content: vec![Node::scalar(*name), value], ..Node::mapping() }
                });
                at.content.len() - 1
            }
            (None, _) => return Ok(None),
        };
        match at.content.get_mut(i) {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// A way from a node down to another: positions in contents.
pub type Way = Vec<usize>;

/// Follows a way.
pub fn follow_mut<'n>(node: &'n mut Node, way: &[usize]) -> Option<&'n mut Node> {
    way.iter().try_fold(node, |at, i| at.content.get_mut(*i))
}

/// `PathMatcher`: the ways to all nodes that match. With `create` the missing parts are made, the last with that kind.
///
/// `None`: nothing matches, which is not the same as an empty list only in what follows from it.
pub fn matches(node: &mut Node, path: &[String], create: Option<Kind>) -> Result<Option<Vec<Way>>> {
    let Some((first, rest)) = path.split_first() else { return Ok(Some(vec![Vec::new()])) };
    if let Some(i) = index_of(first).filter(|i| *i >= 0) {
        return at_index(node, i as usize, rest, create);
    }
    if is_list_index(first) {
        return elements(node, first, rest, create);
    }
    if first == "*" {
        expect(node, Kind::Sequence)?;
        let mut found = None;
        for i in 0..node.content.len() {
            collect(&mut found, i, matches(&mut node.content[i], rest, create)?);
        }
        return Ok(found);
    }
    if first.is_empty() && !node.is_null() {
        // A field without a name is the scalar itself, as long as nothing stands in it; a map is no scalar.
        expect(node, Kind::Scalar)?;
        return if node.value.is_empty() { matches(node, rest, create) } else { Ok(None) };
    }
    let at = if node.is_null() {
        None
    } else {
        expect(node, Kind::Mapping)?;
        node.field_index(first)
    };
    let at = match (at, create) {
        (Some(at), _) => at,
        (None, None) => return Ok(None),
        (None, Some(kind)) => {
            expect(node, Kind::Mapping)?;
            let kind = kind_before(rest.first().map(String::as_str), kind);
            node.push_field(first.as_str(), Node { kind, ..Node::default() });
            node.content.len() - 1
        }
    };
    let Some(field) = node.content.get_mut(at) else { return Ok(None) };
    if field.kind == Kind::Scalar && !rest.is_empty() {
        // Structured text inside a scalar: what is found in it is no part of this tree, so nothing can be set through it.
        let mut inner = super::read::parse(field.value.as_bytes())?.unwrap_or_default();
        let found = matches(&mut inner, rest, create)?;
        return Ok(found.map(|ways| ways.into_iter().map(|_| vec![usize::MAX]).collect()));
    }
    let mut found = None;
    collect(&mut found, at, matches(field, rest, create)?);
    Ok(found)
}

fn collect(found: &mut Option<Vec<Way>>, at: usize, ways: Option<Vec<Way>>) {
    if let Some(ways) = ways {
        let found = found.get_or_insert_default();
        found.extend(ways.into_iter().map(|mut way| {
            way.insert(0, at);
            way
        }));
    }
}

fn at_index(node: &mut Node, i: usize, rest: &[String], create: Option<Kind>) -> Result<Option<Vec<Way>>> {
    expect(node, Kind::Sequence)?;
    let n = node.content.len();
    if n == i
        && let Some(kind) = create
    {
        let kind = kind_before(rest.first().map(String::as_str), kind);
        node.content.push(Node { kind, ..Node::default() });
    }
    let Some(item) = node.content.get_mut(i) else {
        return Err(Error::new(format!("index {i} specified but only {n} elements found")));
    };
    let mut found = None;
    collect(&mut found, i, matches(item, rest, create)?);
    Ok(found)
}

fn elements(node: &mut Node, part: &str, rest: &[String], create: Option<Kind>) -> Result<Option<Vec<Way>>> {
    let (name, pattern) = name_value(part)?;
    for again in [false, true] {
        expect(node, Kind::Sequence)?;
        let mut found = None;
        for i in 0..node.content.len() {
            let item = &mut node.content[i];
            let regex = Regexp::cached(pattern.as_bytes())?;
            if name.is_empty() {
                if regex.is_match(print::trimmed(item).as_bytes()) {
                    collect(&mut found, i, Some(vec![Vec::new()]));
                }
            } else if let Some(field) = item.field(name)
                && regex.is_match(print::trimmed(field).as_bytes())
            {
                collect(&mut found, i, matches(item, rest, create)?);
            }
        }
        let found = found.filter(|ways| !ways.is_empty());
        if found.is_some() || create.is_none() || again {
            return Ok(found);
        }
        let value = Node::scalar(pattern);
        node.content.push(if name.is_empty() {
            value
        } else {
            Node { content: vec![Node::scalar(name), value], ..Node::mapping() }
        });
    }
    Ok(None)
}
