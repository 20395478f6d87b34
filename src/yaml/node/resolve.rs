//! What a scalar means to go-yaml v3: `resolve.go`. Of yes, no, on and off it knows nothing any more.

use super::super::resolve::{self as v2, Tag};
use crate::golang::time::{Location, Time, parse_in_location};

const PREFIX: &str = "tag:yaml.org,2002:";

/// The Go value of a scalar.
#[derive(Clone, Debug)]
pub enum Resolved {
    Null,
    Bool(bool),
    Int(i64),
    /// Beyond `int64`.
    Uint(u64),
    Float(f64),
    Time(Time),
    Str(Vec<u8>),
}

/// The short form of a tag: `!!str`.
pub(super) fn short(tag: &[u8]) -> String {
    let tag = String::from_utf8_lossy(tag);
    tag.strip_prefix(PREFIX).map_or_else(|| tag.clone().into_owned(), |name| format!("!!{name}"))
}

fn find(text: &[u8], timestamps: bool) -> (&'static str, Resolved) {
    let text_of = || ("!!str", Resolved::Str(text.to_vec()));
    let (tag, value) = v2::plain(text, timestamps);
    match (tag, value) {
        (Tag::Bool, Some(v2::Scalar::Bool(b)))
            if matches!(text, b"true" | b"True" | b"TRUE" | b"false" | b"False" | b"FALSE") =>
        {
            ("!!bool", Resolved::Bool(b))
        }
        (Tag::Null, _) => ("!!null", Resolved::Null),
        (Tag::Int, Some(v2::Scalar::Int(n))) => ("!!int", Resolved::Int(n)),
        (Tag::Int, Some(v2::Scalar::Uint(n))) => ("!!int", Resolved::Uint(n)),
        (Tag::Float, Some(v2::Scalar::Float(f))) => ("!!float", Resolved::Float(f)),
        (Tag::Timestamp, _) => time(text).map_or_else(text_of, |t| ("!!timestamp", Resolved::Time(t))),
        _ => text_of(),
    }
}

fn time(text: &[u8]) -> Option<Time> {
    const LAYOUTS: [&[u8]; 4] = [
        b"2006-1-2T15:4:5.999999999Z07:00",
        b"2006-1-2t15:4:5.999999999Z07:00",
        b"2006-1-2 15:4:5.999999999",
        b"2006-1-2",
    ];
    LAYOUTS.iter().find_map(|layout| parse_in_location(layout, text, &Location::utc()).ok())
}

/// The tag of a plain scalar without one.
pub(super) fn plain_tag(text: &[u8]) -> &'static str {
    find(text, true).0
}

/// The value of a scalar with its (short) tag. A tag that go-yaml does not know makes it a string.
///
/// # Errors
/// go-yaml's text without `yaml: `; it quotes the scalar.
pub fn resolve(tag: &str, text: &[u8]) -> Result<Resolved, String> {
    match tag {
        "!!str" => return Ok(Resolved::Str(text.to_vec())),
        "!!binary" => {
            return match v2::scalar(b"tag:yaml.org,2002:binary", false, text) {
                Ok(v2::Scalar::Str(bytes)) => Ok(Resolved::Str(bytes.into_owned())),
                _ => Err("!!binary value contains invalid base64 data".into()),
            };
        }
        "" | "!!bool" | "!!int" | "!!float" | "!!null" | "!!timestamp" => {}
        _ => return Ok(Resolved::Str(text.to_vec())),
    }
    let (found, value) = find(text, matches!(tag, "" | "!!timestamp"));
    match (tag, found, value) {
        (tag, found, value) if tag.is_empty() || tag == found => Ok(value),
        ("!!float", "!!int", Resolved::Int(n)) => Ok(Resolved::Float(n as f64)),
        _ => Err(format!("cannot decode {found} `{}` as a {tag}", String::from_utf8_lossy(text))),
    }
}
