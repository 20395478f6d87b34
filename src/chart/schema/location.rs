//! Where schemas are: URLs, JSON pointers, anchors, and how errors write them.
//!
//! A port of `util.go` of santhosh-tekuri/jsonschema 6.0.3.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::json::Json;
use crate::golang::strconv::quote;
use crate::golang::url::{Mode, Url, escape as url_escape, unescape as url_unescape};

/// A schema's place: a document and a JSON pointer into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub url: Arc<str>,
    pub ptr: Arc<str>,
}

/// By the pointer alone: most places of a compilation are in one document.
impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.ptr.hash(state);
    }
}

impl Place {
    pub fn new(url: impl Into<Arc<str>>, ptr: impl Into<Arc<str>>) -> Self {
        Self { url: url.into(), ptr: ptr.into() }
    }

    /// As URL with fragment.
    pub fn text(&self) -> String {
        format!("{}#{}", self.url, encode(&self.ptr))
    }

    /// As URL of a keyword there.
    pub fn keyword(&self, token: &str) -> String {
        format!("{}#{}/{}", self.url, encode(&self.ptr), encode(&escape(token)))
    }

    /// The value at the pointer.
    pub fn lookup<'j>(&self, doc: &'j Json) -> Result<&'j Json, String> {
        let mut v = doc;
        for token in self.ptr.split('/').skip(1) {
            let token = unescape(token).ok_or_else(|| format!("invalid json-pointer {}", q(&self.text())))?;
            let next = match v {
                Json::Object(o) => o.get(&token),
                Json::Array(a) => crate::golang::strconv::atoi(&token)
                    .ok()
                    .and_then(|i| usize::try_from(i).ok())
                    .and_then(|i| a.get(i)),
                _ => None,
            };
            v = next.ok_or_else(|| format!("json-pointer in {} not found", q(&self.text())))?;
        }
        Ok(v)
    }
}

/// `%q`.
pub(super) fn q(s: &str) -> String {
    quote(s.as_bytes())
}

/// Single quotes around, for texts inside messages.
pub(super) fn single_quote(s: &str) -> String {
    let s = q(s).replace("\\\"", "\"").replace('\'', "\\'");
    format!("'{}'", &s[1..s.len() - 1])
}

pub(super) fn escape(token: &str) -> Cow<'_, str> {
    if token.contains(['~', '/']) { token.replace('~', "~0").replace('/', "~1").into() } else { token.into() }
}

fn unescape(token: &str) -> Option<Cow<'_, str>> {
    if !token.contains('~') {
        return Some(token.into());
    }
    let mut out = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        match c {
            '~' => match chars.next()? {
                '0' => out.push('~'),
                '1' => out.push('/'),
                _ => return None,
            },
            c => out.push(c),
        }
    }
    Some(out.into())
}

/// A JSON pointer of tokens.
pub(super) fn pointer<S: AsRef<str>>(tokens: &[S]) -> String {
    pointer_below("", tokens)
}

/// The pointer that goes on from another by tokens.
pub(super) fn pointer_below<S: AsRef<str>>(ptr: &str, tokens: &[S]) -> String {
    let mut out = String::with_capacity(ptr.len() + tokens.iter().map(|t| t.as_ref().len() + 1).sum::<usize>());
    out.push_str(ptr);
    for token in tokens {
        out.push('/');
        out.push_str(&escape(token.as_ref()));
    }
    out
}

/// Escapes for a URL, but not `/`.
pub(super) fn encode(fragment: &str) -> String {
    let tokens: Vec<String> = fragment.split('/').map(|t| text(url_escape(t.as_bytes(), Mode::PathSegment))).collect();
    tokens.join("/")
}

pub(super) fn decode(fragment: &str) -> Result<String, String> {
    url_unescape(fragment.as_bytes(), Mode::PathSegment).map(text)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// At the first `#`.
pub(super) fn split(s: &str) -> (&str, &str) {
    s.split_once('#').unwrap_or((s, ""))
}

/// At the first `#`, the fragment decoded.
pub(super) fn split_fragment(s: &str) -> Result<(&str, String), String> {
    let (url, fragment) = split(s);
    let fragment = decode(fragment).map_err(|e| parse_url_error(s, &e))?;
    Ok((url, fragment))
}

pub(super) fn parse_url_error(url: &str, error: &str) -> String {
    format!("error in parsing {}: {error}", q(url))
}

/// What a fragment names: a pointer if it is empty or starts with `/`.
pub(super) fn is_anchor(fragment: &str) -> bool {
    !fragment.is_empty() && !fragment.starts_with('/')
}

/// A reference seen from `base`: the URL and the decoded fragment.
pub(super) fn join(base: &str, reference: &str) -> Result<(String, String), String> {
    let base_url = Url::parse(base.as_bytes()).map_err(|e| parse_url_error(base, &e))?;
    let (reference, fragment) = split_fragment(reference)?;
    let reference_url = Url::parse(reference.as_bytes()).map_err(|e| parse_url_error(reference, &e))?;
    let mut resolved = base_url.resolve(&reference_url);
    // Go's ResolveReference ignores an opaque base.
    if !reference_url.is_abs() && !base_url.opaque.is_empty() {
        resolved.opaque = base_url.opaque;
    }
    Ok((text(resolved.encoded()), fragment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_pointers() {
        assert_eq!(single_quote("a'b\"c\\d\n"), r#"'a\'b"c\\d\n'"#);
        assert_eq!(pointer(&["a/b", "c~d", ""]), "/a~1b/c~0d/");
        assert_eq!(unescape("a~1b~0c").as_deref(), Some("a/b~c"));
        assert_eq!(unescape("a~"), None);
        assert_eq!(Place::new("u", "/a b/é").text(), "u#/a%20b/%C3%A9");
        assert_eq!(
            join("file:///values.schema.json", "#/a%25b"),
            Ok(("file:///values.schema.json".into(), "/a%b".into()))
        );
        assert_eq!(join("urn:x:y", "#z"), Ok(("urn:x:y".into(), "z".into())));
    }
}
