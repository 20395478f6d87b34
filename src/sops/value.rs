//! A document as SOPS sees it: ordered branches of items, lists and scalars, with comments as items among them.
//!
//! Texts may be secrets. They lie in [`Text`], which is wiped when it is dropped and never printed, also not by `Debug`.

use std::fmt;

use zeroize::Zeroizing;

use crate::golang::strconv::format_float;
use crate::golang::time::Time;

/// A text that may be a secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Text(Zeroizing<Vec<u8>>);

impl Text {
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::hash::Hash for Text {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.as_slice().hash(state);
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.as_bytes().to_vec().into()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text(…)")
    }
}

/// A comment without its `#`.
#[derive(Clone, Debug, Default)]
pub struct Comment {
    pub text: Text,
    /// It stands behind the next value.
    pub inline: bool,
}

/// The key of an item.
#[derive(Clone, Debug)]
pub enum Key {
    Text(Vec<u8>),
    Comment(Comment),
    /// A key that is no string: its Go type, and how `%s` prints it.
    Other {
        kind: &'static str,
        shown: String,
    },
}

impl Key {
    pub fn text(text: &str) -> Self {
        Self::Text(text.as_bytes().to_vec())
    }

    pub fn is(&self, text: &[u8]) -> bool {
        matches!(self, Self::Text(t) if t == text)
    }
}

#[derive(Clone, Debug)]
pub struct Item {
    pub key: Key,
    pub value: Value,
}

impl Item {
    pub fn new(key: &str, value: Value) -> Self {
        Self { key: Key::text(key), value }
    }

    pub const fn comment(comment: Comment) -> Self {
        Self { key: Key::Comment(comment), value: Value::Null }
    }
}

pub type Branch = Vec<Item>;

#[derive(Clone)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    /// Beyond `int64`; SOPS cannot walk over it.
    Uint(u64),
    Float(f64),
    Time(Time),
    Text(Text),
    Comment(Comment),
    Branch(Branch),
    List(Vec<Self>),
}

/// Shapes only: a value may be a secret.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Branch(b) => f.debug_list().entries(b.iter().map(|i| (&i.key, &i.value))).finish(),
            Self::List(l) => f.debug_list().entries(l).finish(),
            other => f.write_str(other.go_type()),
        }
    }
}

impl Value {
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// The Go type, as `%T` prints it.
    pub const fn go_type(&self) -> &'static str {
        match self {
            Self::Null => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint64",
            Self::Float(_) => "float64",
            Self::Time(_) => "time.Time",
            Self::Text(_) => "string",
            Self::Comment(_) => "sops.Comment",
            Self::Branch(_) => "sops.TreeBranch",
            Self::List(_) => "[]interface {}",
        }
    }

    /// The bytes that are encrypted and that go into the MAC: `sops.ToBytes`. `None` for what is no scalar.
    pub fn to_bytes(&self) -> Option<Text> {
        Some(match self {
            Self::Text(t) => t.clone(),
            Self::Int(n) => n.to_string().into(),
            Self::Float(f) => format_float(*f, b'f', -1, 64).into(),
            Self::Bool(b) => if *b { "True" } else { "False" }.into(),
            Self::Time(t) => t.rfc3339().ok()?.into(),
            Self::Comment(c) => c.text.clone(),
            Self::Null | Self::Uint(_) | Self::Branch(_) | Self::List(_) => return None,
        })
    }

    /// `sops.equals`: the same value with the same type, comments by their text.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Branch(a), Self::Branch(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_key(&a.key, &b.key) && a.value.same(&b.value))
            }
            (Self::List(a), Self::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            (Self::Null, Self::Null) => true,
            (Self::Uint(a), Self::Uint(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b || a.is_nan() && b.is_nan(),
            (a, b) => {
                std::mem::discriminant(a) == std::mem::discriminant(b)
                    && a.to_bytes().is_some_and(|t| b.to_bytes().is_some_and(|u| t == u))
            }
        }
    }
}

fn same_key(a: &Key, b: &Key) -> bool {
    match (a, b) {
        (Key::Text(a), Key::Text(b)) => a == b,
        (Key::Comment(a), Key::Comment(b)) => a.text == b.text,
        (Key::Other { shown: a, kind: k }, Key::Other { shown: b, kind: l }) => a == b && k == l,
        _ => false,
    }
}
