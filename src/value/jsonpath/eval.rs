//! Finding what a template asks for.
//!
//! A range is run node by node: it executes the nodes behind it for each of its values until an `end` is met, and goes on behind that
//! `end`. A range without one executes all that follows, and then all that follows is executed again.

use crate::value::{Heap, Value};

use super::{Bound, Item, Node, byte, compare};

/// What a step found, or had when it failed: a filter that asks whether something exists looks at that.
type Step = Result<Vec<Item>, Vec<Item>>;

/// The template does not fit the value.
#[derive(Debug)]
pub struct Unfit;

pub struct Finder<'t> {
    heap: &'t Heap,
    nodes: &'t [Node],
    /// Ranges that were read and are to begin.
    begin: usize,
    /// Ranges around the node.
    inside: usize,
    /// Ends that were read and are to be acted on.
    end: usize,
    /// The node of the last `end`.
    last_end: Option<usize>,
}

impl<'t> Finder<'t> {
    pub const fn new(heap: &'t Heap, nodes: &'t [Node]) -> Self {
        Self { heap, nodes, begin: 0, inside: 0, end: 0, last_end: None }
    }

    /// Executes the nodes from one on, up to the end of the range that they stand in.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn find(&mut self, from: usize, data: Item) -> Result<Vec<Vec<Item>>, Unfit> {
        let input = [data];
        let mut found = Vec::new();
        let mut at = from;
        while let Some(node) = self.nodes.get(at) {
            let items = self.step(&input, node).map_err(|_| Unfit)?;
            if self.end > 0 && self.end <= self.inside {
                self.end -= 1;
                self.last_end = Some(at);
                break;
            }
            if self.begin > 0 {
                self.begin -= 1;
                self.inside += 1;
                if items.is_empty() {
                    // Only to find the end. A field of nothing is not found, and then nothing is printed at all.
                    self.find(at + 1, None)?;
                }
                for item in items {
                    let data = match item.ok_or(Unfit)? {
                        Value::Nil => None,
                        value => Some(value),
                    };
                    found.extend(self.find(at + 1, data)?);
                }
                self.inside -= 1;
                // An end that stands before is of another range.
                at = self.last_end.filter(|end| *end > at).unwrap_or(at) + 1;
                continue;
            }
            found.push(items);
            at += 1;
        }
        Ok(found)
    }

    fn steps(&mut self, input: &[Item], nodes: &[Node]) -> Step {
        let mut items = input.to_vec();
        for node in nodes {
            items = self.step(&items, node)?;
        }
        Ok(items)
    }

    fn step(&mut self, input: &[Item], node: &Node) -> Step {
        let each = |value: Value| -> Step { Ok(vec![Some(value); input.len()]) };
        match node {
            Node::Action(nodes) => self.steps(input, nodes),
            Node::Text(text) => Ok(vec![Some(Value::str(text))]),
            Node::Field(name) => self.field(input, name.as_bytes()),
            Node::Slice(bounds) => self.slice(input, bounds),
            Node::Filter { left, operator, right } => self.filter(input, left, operator, right),
            Node::Int(n) => each(Value::Int(*n)),
            Node::Float(f) => each(Value::Float(*f)),
            Node::Bool(b) => each(Value::Bool(*b)),
            Node::Wildcard => Ok(input.iter().flatten().flat_map(|v| self.children(v)).collect()),
            Node::Recursive => {
                let mut out = Vec::new();
                input.iter().flatten().for_each(|v| self.descend(v, &mut out));
                Ok(out)
            }
            Node::Union(parts) => {
                let mut out = Vec::new();
                for part in parts {
                    out.extend(self.steps(input, part).map_err(|_| input.to_vec())?);
                }
                Ok(out)
            }
            Node::Word(word) => self.word(input, word),
        }
    }

    fn word(&mut self, input: &[Item], word: &str) -> Step {
        match word {
            "range" => {
                self.begin += 1;
                Ok(input.to_vec())
            }
            "end" if self.inside > 0 => {
                self.end += 1;
                Ok(Vec::new())
            }
            "end" => Err(Vec::new()),
            _ => Err(input.to_vec()),
        }
    }

    fn field(&self, input: &[Item], name: &[u8]) -> Step {
        let get = |item: &Item| match item {
            Some(Value::Map(map)) => self.heap.map(*map).get(name).cloned(),
            _ => None,
        };
        let found: Vec<Item> = input.iter().filter_map(get).map(Some).collect();
        if found.is_empty() && !input.is_empty() { Err(found) } else { Ok(found) }
    }

    fn slice(&self, input: &[Item], [from, to, step]: &[Bound; 3]) -> Step {
        let failed = || Err(input.to_vec());
        let mut out = Vec::new();
        for item in input {
            let list = match item {
                Some(Value::Nil) => continue,
                Some(Value::List(list)) => &self.heap.list(*list).items,
                // Go panics where there is nothing at all; here that is an error like the other.
                _ => return failed(),
            };
            let len = i64::try_from(list.len()).unwrap_or(i64::MAX);
            let mut start = if from.known { from.value } else { 0 };
            if start < 0 {
                start = start.wrapping_add(len);
            }
            let mut end = if to.known { to.value } else { len };
            if end < 0 || (end == 0 && to.derived) {
                end = end.wrapping_add(len);
            }
            if start == end {
                // What the other inputs have is left out, too.
                return Ok(out);
            }
            if !(0..len).contains(&start) || !(start..=len).contains(&end) || (step.known && step.value <= 0) {
                return failed();
            }
            let bound = |n: i64| usize::try_from(n).unwrap_or(usize::MAX);
            let part = list.get(bound(start)..bound(end)).unwrap_or_default();
            let every = if step.known { bound(step.value) } else { 1 };
            out.extend(part.iter().step_by(every).cloned().map(Some));
        }
        Ok(out)
    }

    fn filter(&mut self, input: &[Item], left: &[Node], operator: &str, right: &[Node]) -> Step {
        let heap = self.heap;
        let mut out = Vec::new();
        for item in input {
            let Some(Value::List(list)) = item else { return Err(input.to_vec()) };
            for value in &heap.list(*list).items {
                let this = [Some(value.clone())];
                let lefts = self.steps(&this, left);
                if operator == super::parse::EXISTS {
                    let (Ok(there) | Err(there)) = lefts;
                    out.extend((!there.is_empty()).then(|| Some(value.clone())));
                    continue;
                }
                let Ok(lefts) = lefts else { return Err(input.to_vec()) };
                let one = match &lefts[..] {
                    [] => continue,
                    [Some(one)] => one,
                    _ => return Err(input.to_vec()),
                };
                let Ok(rights) = self.steps(&this, right) else { return Err(input.to_vec()) };
                let other = match &rights[..] {
                    [] => continue,
                    [Some(other)] => other,
                    _ => return Err(input.to_vec()),
                };
                match compare::holds(one, operator, other) {
                    None => return Err(out),
                    Some(true) => out.push(Some(value.clone())),
                    Some(false) => {}
                }
            }
        }
        Ok(out)
    }

    fn children(&self, value: &Value) -> Vec<Item> {
        match value {
            Value::Map(map) => self.heap.map(*map).iter().map(|(_, v)| Some(v.clone())).collect(),
            Value::List(list) => self.heap.list(*list).items.iter().cloned().map(Some).collect(),
            Value::Str(text) => text.as_bytes().iter().map(|b| Some(byte(*b))).collect(),
            _ => Vec::new(),
        }
    }

    /// A value that has something in it, and then what is in it.
    fn descend(&self, value: &Value, out: &mut Vec<Item>) {
        let children = self.children(value);
        if children.is_empty() {
            return;
        }
        out.push(Some(value.clone()));
        // The bytes of a text have nothing in them.
        if !matches!(value, Value::Str(_)) {
            children.iter().flatten().for_each(|v| self.descend(v, out));
        }
    }
}
