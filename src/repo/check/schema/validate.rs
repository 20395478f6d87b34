//! An object beside its type: what does not fit, and where.

use super::{Field, Minor, Schemas, Type};
use crate::repo::check::suggest::nearest;
use crate::repo::document::{Kind, Node};

/// In which way something does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    UnknownField,
    WrongType,
    MissingField,
    /// Not one of the texts that are allowed, or out of its bounds.
    InvalidValue,
}

/// One thing that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub fault: Fault,
    /// Line of the key, or of the value if it stands in no map.
    pub line: usize,
    /// `spec.template.spec.containers[0].image`.
    pub path: String,
    /// The steps of the path, list positions as `[0]`.
    pub steps: Vec<String>,
    pub message: String,
    pub fix: String,
}

struct Walk<'s> {
    schemas: &'s Schemas,
    minor: Minor,
    steps: Vec<String>,
    out: Vec<Violation>,
}

impl Schemas {
    /// Says what of a node does not fit a type in a version of Kubernetes.
    pub fn validate(&self, ty: &Type, node: &Node, minor: Minor) -> Vec<Violation> {
        let mut walk = Walk { schemas: self, minor, steps: Vec::new(), out: Vec::new() };
        walk.value(ty, node, node.line());
        walk.out
    }
}

/// `a.b[0].c`
fn path(steps: &[String]) -> String {
    let mut out = String::new();
    for step in steps {
        if !out.is_empty() && !step.starts_with('[') {
            out.push('.');
        }
        out.push_str(step);
    }
    out
}

/// A type in words.
fn words(ty: &Type) -> String {
    match ty {
        Type::Any => "anything".into(),
        Type::Text | Type::Choice(_) => "a string".into(),
        Type::Integer => "an integer".into(),
        Type::Number => "a number".into(),
        Type::Boolean => "true or false".into(),
        Type::Quantity => "a quantity".into(),
        Type::IntOrString => "an integer or a string".into(),
        Type::List(_) => "a list".into(),
        Type::Map(_) | Type::Object(_) => "a map".into(),
        Type::Bounded(inner, _) => words(inner),
    }
}

/// A number with a suffix, as `resource.ParseQuantity` reads it.
fn is_quantity(text: &str) -> bool {
    let rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = rest.bytes().position(|b| !b.is_ascii_digit() && b != b'.').unwrap_or(rest.len());
    let (number, suffix) = rest.split_at(end);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let exponent = |s: &str| {
        s.strip_prefix(['e', 'E']).is_some_and(|e| {
            let e = e.strip_prefix(['+', '-']).unwrap_or(e);
            !e.is_empty() && e.bytes().all(|b| b.is_ascii_digit())
        })
    };
    let suffixes = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    digits > 0 && number.matches('.').count() <= 1 && (suffixes.contains(&suffix) || exponent(suffix))
}

impl Walk<'_> {
    fn say(&mut self, fault: Fault, line: usize, message: String, fix: String) {
        self.out.push(Violation { fault, line, path: path(&self.steps), steps: self.steps.clone(), message, fix });
    }

    fn value(&mut self, ty: &Type, node: &Node, line: usize) {
        // The API server drops nulls.
        let kind = node.kind();
        if kind == Kind::Null {
            return;
        }
        if let Type::Bounded(inner, bounds) = ty {
            self.value(inner, node, line);
            let place = path(&self.steps);
            for (message, fix) in bounds.faults(node, &place) {
                self.say(Fault::InvalidValue, line, format!("{place}: {message}"), fix);
            }
            return;
        }
        let fits = match ty {
            Type::Any => true,
            Type::Text | Type::Choice(_) => kind == Kind::Text,
            Type::Integer => kind == Kind::Int || (kind == Kind::Float && is_whole(node)),
            Type::Number => matches!(kind, Kind::Int | Kind::Float),
            Type::Boolean => kind == Kind::Bool,
            Type::Quantity => matches!(kind, Kind::Int | Kind::Float | Kind::Text),
            Type::IntOrString => matches!(kind, Kind::Int | Kind::Text),
            Type::List(_) => kind == Kind::List,
            Type::Map(_) | Type::Object(_) => kind == Kind::Map,
            Type::Bounded(..) => true,
        };
        if !fits {
            let message = format!("{} must be {}, not a {}", path(&self.steps), words(ty), kind.as_str());
            let fix = match (ty, kind) {
                (Type::Text | Type::Choice(_), Kind::Bool | Kind::Int | Kind::Float) => {
                    format!("put it in quotes: {:?}", node.as_str().unwrap_or_default())
                }
                (Type::Integer | Type::Number | Type::Boolean, Kind::Text) => "write it without quotes".into(),
                (Type::List(_), _) => "write it as a list: put \"- \" before each item".into(),
                _ => String::new(),
            };
            self.say(Fault::WrongType, line, message, fix);
            return;
        }
        match ty {
            Type::Quantity if node.as_str().is_some_and(|t| !is_quantity(t)) => {
                let message = format!("{} is no quantity", path(&self.steps));
                self.say(Fault::WrongType, line, message, "write a number with a unit: 500m, 2, 128Mi, 1Gi".into());
            }
            Type::Choice(choices) => {
                let text = node.as_str().unwrap_or_default();
                if !choices.iter().any(|c| c == text) {
                    let message = format!("{} must be one of {}, not {text:?}", path(&self.steps), choices.join(", "));
                    let near = nearest(text, choices.iter().map(String::as_str));
                    self.say(
                        Fault::InvalidValue,
                        line,
                        message,
                        near.map(|n| format!("write {n}")).unwrap_or_default(),
                    );
                }
            }
            Type::List(inner) => {
                for (i, item) in node.items().iter().enumerate() {
                    self.steps.push(format!("[{i}]"));
                    self.value(inner, item, item.line());
                    self.steps.pop();
                }
            }
            Type::Map(inner) => {
                for (key, value) in node.entries() {
                    self.steps.push(key.as_str().unwrap_or_default().into());
                    self.value(inner, value, key.line());
                    self.steps.pop();
                }
            }
            Type::Object(i) => self.object(*i, node, line),
            _ => {}
        }
    }

    fn field(&self, forms: &[Field]) -> Option<Field> {
        forms.iter().find(|f| f.range.has(self.minor)).cloned()
    }

    fn object(&mut self, index: usize, node: &Node, line: usize) {
        let Some(s) = self.schemas.structs.get(index) else { return };
        for (key, value) in node.entries() {
            let name = key.as_str().unwrap_or_default();
            match s.fields.get(name) {
                Some(forms) => match self.field(forms) {
                    Some(field) => {
                        self.steps.push(name.into());
                        self.value(&field.ty, value, key.line());
                        self.steps.pop();
                    }
                    None => self.unknown(key, s.fields.keys(), forms.first()),
                },
                None if s.open || name == "<<" => {}
                None => self.unknown(key, s.fields.keys(), None),
            }
        }
        for (name, forms) in &s.fields {
            let missing = node.get(name).is_none_or(Node::is_null) && node.get("<<").is_none();
            if missing && self.field(forms).is_some_and(|f| f.required) {
                self.steps.push(name.clone());
                let message = format!("{} is missing", path(&self.steps));
                self.say(Fault::MissingField, line, message, format!("add {name}"));
                self.steps.pop();
            }
        }
    }

    fn unknown<'n>(&mut self, key: &Node, names: impl Iterator<Item = &'n String>, other: Option<&Field>) {
        let name = key.as_str().unwrap_or_default();
        self.steps.push(name.into());
        let place = path(&self.steps);
        let (message, fix) = match other {
            Some(f) if f.range.since > self.minor => {
                (format!("{place} does not exist before Kubernetes 1.{}", f.range.since), "remove it".into())
            }
            Some(f) => (format!("{place} does not exist after Kubernetes 1.{}", f.range.until), "remove it".into()),
            None => {
                let near = nearest(name, names.map(String::as_str));
                let fix = near.map_or_else(
                    || "remove it, or correct its name or its indentation".into(),
                    |n| format!("write {n}"),
                );
                (format!("unknown field {place}"), fix)
            }
        };
        self.say(Fault::UnknownField, key.line(), message, fix);
        self.steps.pop();
    }
}

fn is_whole(node: &Node) -> bool {
    node.as_str().and_then(|t| t.parse::<f64>().ok()).is_some_and(|f| f.fract() == 0.0)
}
