//! The types of JSON values.

use super::json::Json;

/// Types of JSON values as a set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub const NONE: Self = Self(0);
    pub const NULL: Self = Self(1);
    pub const BOOLEAN: Self = Self(2);
    pub const NUMBER: Self = Self(4);
    pub const INTEGER: Self = Self(8);
    pub const STRING: Self = Self(16);
    pub const ARRAY: Self = Self(32);
    pub const OBJECT: Self = Self(64);

    const NAMES: [(&'static str, Self); 7] = [
        ("null", Self::NULL),
        ("boolean", Self::BOOLEAN),
        ("number", Self::NUMBER),
        ("integer", Self::INTEGER),
        ("string", Self::STRING),
        ("array", Self::ARRAY),
        ("object", Self::OBJECT),
    ];

    /// The type of a value; an integer is a number. Empty for values without a JSON type.
    pub const fn of(v: &Json) -> Self {
        match v {
            Json::Null => Self::NULL,
            Json::Bool(_) => Self::BOOLEAN,
            Json::Number(_) => Self::NUMBER,
            Json::String(_) => Self::STRING,
            Json::Array(_) => Self::ARRAY,
            Json::Object(_) => Self::OBJECT,
            Json::Invalid(_) => Self::NONE,
        }
    }

    /// What `type` says; unknown names are ignored.
    pub fn parse(v: &Json) -> Self {
        let one = |s: &str| Self::NAMES.iter().find(|(n, _)| *n == s).map_or(Self::NONE, |(_, t)| *t);
        match v {
            Json::String(s) => one(s),
            Json::Array(a) => a.iter().filter_map(Json::as_str).fold(Self::NONE, |t, s| t.or(one(s))),
            _ => Self::NONE,
        }
    }

    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn names(self) -> Vec<&'static str> {
        Self::NAMES.iter().filter(|(_, t)| self.contains(*t)).map(|(n, _)| *n).collect()
    }
}
