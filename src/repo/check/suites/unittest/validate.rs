//! Whether an assertion holds for the documents that it is about. Source: helm-unittest 1.1 `pkg/unittest/validators`.
//!
//! A document that does not hold is enough for the whole to fail, and without any document only an opposite holds. Values of Secrets are not told.

use base64::Engine as _;

use super::assertion::{Assertion, Check};
use super::data::Yaml;
use super::path::Path;
use super::snapshots::Snapshots;
use crate::golang::regexp::{Regexp, quote_meta};
use crate::repo::mask::MASK;

/// What a check is held against.
pub struct Context<'c> {
    /// All documents of the template.
    pub all: &'c [Yaml],
    /// Those that are looked at.
    pub chosen: &'c [Yaml],
    /// Why the chart could not be rendered at all.
    pub error: Option<&'c str>,
    pub snapshots: &'c mut Snapshots,
}

/// What was wanted and what was there instead.
type Held = Result<(), String>;

/// Judges one assertion.
///
/// # Errors
/// What was wanted and what was there.
pub fn validate(a: &Assertion, cx: &mut Context<'_>) -> Held {
    let not = if a.negative { "not " } else { "" };
    let negative = a.negative;
    match &a.check {
        Check::Snapshot { path, matches, not_matches } => {
            if cx.chosen.is_empty() {
                return if negative { Err("there is no document".into()) } else { Ok(()) };
            }
            let snapshots = &mut *cx.snapshots;
            every(cx.chosen, negative, |doc| {
                values(path, doc, negative, |value| {
                    same_if(negative, snapshots.compare(value, matches, not_matches), doc)
                })
            })
        }
        Check::SnapshotRaw => {
            if cx.chosen.is_empty() {
                return if negative { Err("there is no document".into()) } else { Ok(()) };
            }
            let snapshots = &mut *cx.snapshots;
            every(cx.chosen, negative, |doc| same_if(negative, snapshots.compare(&Yaml::Text(raw(doc)), "", ""), doc))
        }
        Check::Equal { path, value: want, base64 } => every(cx.chosen, negative, |doc| {
            values(path, doc, negative, |value| {
                let actual = match value {
                    Yaml::Text(text) if *base64 => Yaml::Text(uniform(&decoded(text)?)),
                    other => normal(other),
                };
                holds(negative, *want == actual, || {
                    let (want, got) = (told(doc, want), told(doc, &actual));
                    if negative {
                        format!("expected {} not to equal {want}", place(path))
                    } else {
                        format!("expected {} to equal {want}, got {got}", place(path))
                    }
                })
            })
        }),
        Check::EqualRaw { value: want } => every(cx.chosen, negative, |doc| {
            let got = raw(doc);
            holds(negative, *want == got, || format!("expected the text {not}to equal {want:?}, got {got:?}"))
        }),
        Check::Exists { path } => every(cx.chosen, negative, |doc| {
            let found = find(path, doc)?;
            holds(negative, !found.is_empty(), || {
                let got = found.first().map_or_else(String::new, |v| format!(", got {}", told(doc, v)));
                format!("expected {} {not}to exist{got}", place(path))
            })
        }),
        Check::Regex { path, pattern, base64 } => {
            let compiled = compiled(pattern)?;
            every(cx.chosen, negative, |doc| {
                values(path, doc, negative, |value| {
                    let Yaml::Text(text) = value else {
                        return Err(format!("expected {} to be a text, got {}", place(path), told(doc, value)));
                    };
                    let text = if *base64 { decoded(text)? } else { text.clone() };
                    holds(negative, compiled.is_match(text.as_bytes()), || {
                        let got = told(doc, &Yaml::Text(text.clone()));
                        format!("expected {} {not}to match {pattern:?}, got {got}", place(path))
                    })
                })
            })
        }
        Check::RegexRaw { pattern } => {
            let compiled = compiled(pattern)?;
            every(cx.chosen, negative, |doc| {
                let got = raw(doc);
                holds(negative, compiled.is_match(got.as_bytes()), || {
                    format!("expected the text {not}to match {pattern:?}, got {}", Yaml::Text(got.clone()).shown())
                })
            })
        }
        Check::Contains { path, content, count, any } => every(cx.chosen, negative, |doc| {
            values(path, doc, negative, |value| {
                let Yaml::List(items) = value else {
                    return Err(format!("expected {} to be a list, got {}", place(path), told(doc, value)));
                };
                let found = items.iter().filter(|i| is_item(i, content, *any)).count();
                let right = found > 0 && count.is_none_or(|c| i64::try_from(found) == Ok(c));
                holds(negative, right, || {
                    let (want, got) = (told(doc, content), told(doc, value));
                    let times = count.map_or_else(String::new, |c| format!(" {c} times (found {found})"));
                    format!("expected {} {not}to contain {want}{times}, got {got}", place(path))
                })
            })
        }),
        Check::Kind { of } => every(cx.chosen, negative, |doc| is_word(doc, "kind", of, negative)),
        Check::ApiVersion { of } => every(cx.chosen, negative, |doc| is_word(doc, "apiVersion", of, negative)),
        Check::Documents { count, chosen } => {
            let found = if *chosen { cx.chosen.len() } else { cx.all.len() };
            holds(negative, i64::try_from(found) == Ok(*count), || {
                format!("expected {not}{count} documents, got {found}")
            })
        }
        Check::Subset { path, content } => every(cx.chosen, negative, |doc| {
            values(path, doc, negative, |value| match (value, content) {
                (Yaml::Map(_), Yaml::Map(_)) => holds(negative, is_subset(value, content), || {
                    let (want, got) = (told(doc, content), told(doc, value));
                    format!("expected {} {not}to contain {want}, got {got}", place(path))
                }),
                _ => Err(format!("expected {} to be a map, got {}", place(path), told(doc, value))),
            })
        }),
        Check::Empty { path } => every(cx.chosen, negative, |doc| {
            values(path, doc, negative, |value| {
                holds(negative, is_empty(value), || {
                    format!("expected {} {not}to be null or empty, got {}", place(path), told(doc, value))
                })
            })
        }),
        Check::Failed { message, pattern } => failed(message, pattern, negative, cx),
        Check::Document { .. } => document(&a.check, negative, cx.chosen),
        Check::Length { path, paths, count } => length(path, paths, *count, negative, cx.chosen),
        Check::Type { path, of } => every(cx.chosen, negative, |doc| {
            values(path, doc, negative, |value| {
                let got = value.go_type();
                holds(negative, got == of, || {
                    format!(
                        "expected {} {not}to be of type {of}, got {}",
                        place(path),
                        if got.is_empty() { "null" } else { got }
                    )
                })
            })
        }),
        Check::AtLeast { path, value: want } => order(path, want, negative, true, cx.chosen),
        Check::AtMost { path, value: want } => order(path, want, negative, false, cx.chosen),
    }
}

/// True if what is negated differs: a positive check must hold, a negative one must not.
fn holds(negative: bool, found: bool, message: impl FnOnce() -> String) -> Held {
    if found == negative { Err(message()) } else { Ok(()) }
}

/// All documents are judged, also behind one that fails: snapshots are counted.
fn every(chosen: &[Yaml], negative: bool, mut judge: impl FnMut(&Yaml) -> Held) -> Held {
    if chosen.is_empty() {
        return if negative { Ok(()) } else { Err("there is no document to look at".into()) };
    }
    let mut failed: Vec<String> = Vec::new();
    for (i, doc) in chosen.iter().enumerate() {
        if let Err(e) = judge(doc) {
            failed.push(if chosen.len() > 1 { format!("{e} (document {i})") } else { e });
        }
    }
    joined(failed)
}

/// Judges each value that a path leads to.
fn values(path: &str, doc: &Yaml, negative: bool, mut judge: impl FnMut(&Yaml) -> Held) -> Held {
    let found = find(path, doc)?;
    if found.is_empty() {
        return if negative { Ok(()) } else { Err(format!("unknown path {path}")) };
    }
    joined(found.iter().filter_map(|v| judge(v).err()).collect())
}

/// The first failures, and how many there are beside.
fn joined(mut failed: Vec<String>) -> Held {
    const MOST: usize = 3;
    if failed.is_empty() {
        return Ok(());
    }
    let more = failed.len().saturating_sub(MOST);
    failed.truncate(MOST);
    let mut text = failed.join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    Err(text)
}

fn find(path: &str, doc: &Yaml) -> Result<Vec<Yaml>, String> {
    if path.is_empty() {
        return Ok(vec![doc.clone()]);
    }
    Ok(Path::parse(path)?.find(doc, doc))
}

fn place(path: &str) -> &str {
    if path.is_empty() { "the document" } else { path }
}

fn is_secret(doc: &Yaml) -> bool {
    doc.get("kind").and_then(Yaml::as_text) == Some("Secret")
}

/// A value for a message.
fn told(doc: &Yaml, value: &Yaml) -> String {
    if is_secret(doc) { MASK.to_owned() } else { value.shown() }
}

fn same_if(negative: bool, compared: Held, doc: &Yaml) -> Held {
    match compared {
        Ok(()) if negative => Err("expected not to match the snapshot".into()),
        Err(_) if negative => Ok(()),
        // The first line says which, the others how.
        Err(e) if is_secret(doc) => Err(e.lines().next().unwrap_or_default().to_owned()),
        other => other,
    }
}

/// The text of a file that is no YAML, or of an error.
fn raw(doc: &Yaml) -> String {
    match doc.get("raw") {
        None | Some(Yaml::Null) => "<nil>".into(),
        Some(Yaml::Text(text)) => uniform(text),
        Some(other) => other.shown(),
    }
}

/// Blanks at the ends of lines and empty lines in front do not count.
fn uniform(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let body = line.strip_suffix('\n').unwrap_or(line);
        let bare = body.strip_suffix('\r').unwrap_or(body);
        if body.len() < line.len() && bare.ends_with(' ') {
            out.push_str(bare.trim_end_matches(' '));
            out.push('\n');
        } else {
            out.push_str(line);
        }
    }
    out.trim_start_matches('\n').to_owned()
}

fn normal(value: &Yaml) -> Yaml {
    match value {
        Yaml::Text(text) => Yaml::Text(uniform(text)),
        Yaml::List(items) => Yaml::List(items.iter().map(normal).collect()),
        Yaml::Map(map) => Yaml::Map(map.iter().map(|(k, v)| (k.clone(), normal(v))).collect()),
        other => other.clone(),
    }
}

fn decoded(text: &str) -> Result<String, String> {
    let compact: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(compact).map_err(|_| "it is not base64".to_owned())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn compiled(pattern: &str) -> Result<std::sync::Arc<Regexp>, String> {
    if pattern.is_empty() {
        return Err("expected field 'pattern' to be filled".into());
    }
    Regexp::cached(pattern.as_bytes())
}

fn is_item(item: &Yaml, content: &Yaml, any: bool) -> bool {
    match (item, content) {
        (Yaml::Map(_), Yaml::Map(_)) if any => is_subset(item, content),
        _ => item == content,
    }
}

/// A key that is not there is as good as one that is null.
fn is_subset(all: &Yaml, part: &Yaml) -> bool {
    let Yaml::Map(part) = part else { return false };
    part.iter().all(|(key, value)| all.get(key).unwrap_or(&Yaml::Null) == value)
}

fn is_word(doc: &Yaml, field: &str, want: &str, negative: bool) -> Held {
    let got = doc.get(field);
    holds(negative, got.and_then(Yaml::as_text) == Some(want), || {
        if negative {
            format!("expected {field} not to be {want}")
        } else {
            format!("expected {field} to be {want}, got {}", got.unwrap_or(&Yaml::Null).shown())
        }
    })
}

fn is_empty(value: &Yaml) -> bool {
    match value {
        Yaml::Null | Yaml::Bool(false) | Yaml::Int(0) => true,
        Yaml::Float(f) => *f == 0.0,
        Yaml::Text(text) => text.is_empty(),
        Yaml::List(items) => items.is_empty(),
        Yaml::Map(map) => map.is_empty(),
        Yaml::Bool(true) | Yaml::Int(_) | Yaml::Uint(_) | Yaml::Time(_) => false,
    }
}

fn order(path: &str, want: &Yaml, negative: bool, least: bool, chosen: &[Yaml]) -> Held {
    every(chosen, negative, |doc| {
        values(path, doc, negative, |value| {
            let found = match (value, want) {
                (Yaml::Int(a), Yaml::Int(b)) => a.partial_cmp(b),
                (Yaml::Float(a), Yaml::Float(b)) => a.partial_cmp(b),
                (Yaml::Text(a), Yaml::Text(b)) => a.partial_cmp(b),
                _ => {
                    let (a, b) = (value.go_type(), want.go_type());
                    return Err(format!("{} is {a:?} and the expected value {b:?}: types do not match", place(path)));
                }
            };
            // Of `greaterOrEqual` helm-unittest lets every opposite hold; its own suites count on that.
            let opposite_holds = negative && least;
            let right = !opposite_holds && found.is_some_and(|o| if least { o.is_ge() } else { o.is_le() });
            holds(negative, right, || {
                let not = if negative { "not " } else { "" };
                let word = if least { "greater than" } else { "less than" };
                let (got, want) = (told(doc, value), told(doc, want));
                format!("expected {} {not}to be {word} or equal to {want}, got {got}", place(path))
            })
        })
    })
}

fn failed(message: &str, pattern: &str, negative: bool, cx: &Context<'_>) -> Held {
    let judge = |actual: &str| -> Held {
        let not = if negative { "not " } else { "" };
        if !pattern.is_empty() {
            let literal = quote_meta(pattern.as_bytes());
            let first = Regexp::cached(pattern.as_bytes()).or_else(|_| Regexp::cached(&literal))?;
            let right = first.is_match(actual.as_bytes()) != negative
                // A text may hold what means something in a pattern.
                || Regexp::cached(&literal)?.is_match(actual.as_bytes()) != negative;
            return holds(!right, true, || format!("expected the error {not}to match {pattern:?}, got {actual:?}"));
        }
        holds(negative, actual == message, || format!("expected the error {not}to be {message:?}, got {actual:?}"))
    };
    if let Some(error) = cx.error {
        return if pattern.is_empty() && message.is_empty() { Ok(()) } else { judge(error) };
    }
    if cx.chosen.is_empty() && !negative {
        return Err("expected the render to fail, and there is no failed document".into());
    }
    let mut wrong = Vec::new();
    for doc in cx.chosen {
        let actual = doc.get("raw").and_then(Yaml::as_text);
        let found = match actual {
            _ if pattern.is_empty() && message.is_empty() => Ok(()),
            Some(actual) => judge(actual),
            None if pattern.is_empty() => holds(negative, false, || "the render did not fail".into()),
            None => Ok(()),
        };
        wrong.extend(found.err());
    }
    joined(wrong)
}

/// `containsDocument`: what a document does not say is not compared.
fn document(check: &Check, negative: bool, chosen: &[Yaml]) -> Held {
    let Check::Document { kind, api_version, name, namespace, any } = check else { return Ok(()) };
    let not = if negative { "not " } else { "" };
    let mut text = format!("expected {not}to contain the document {api_version} {kind}");
    for (word, value) in [("name", name), ("namespace", namespace)] {
        if !value.is_empty() {
            text.push_str(&format!(", {word} {value}"));
        }
    }
    let says = |doc: &Yaml, field: &str, want: &str| doc.get(field).and_then(Yaml::as_text).is_none_or(|v| v == want);
    let meta = |doc: &Yaml, field: &str, want: &str| {
        let got = doc.get("metadata").and_then(|m| m.get(field)).and_then(Yaml::as_text);
        want.is_empty() || got == Some(want)
    };
    let mut held = negative && chosen.is_empty();
    for (i, doc) in chosen.iter().enumerate() {
        let fits = says(doc, "kind", kind)
            && says(doc, "apiVersion", api_version)
            && meta(doc, "name", name)
            && meta(doc, "namespace", namespace);
        let good = fits != negative;
        if good && *any != negative {
            return Ok(());
        }
        held = if i == 0 { good } else { held && good };
    }
    if held { Ok(()) } else { Err(text) }
}

fn length(path: &str, paths: &[String], count: Option<i64>, negative: bool, chosen: &[Yaml]) -> Held {
    if !path.is_empty() && count.is_none_or(|c| c < 0) {
        return Err("'count' field must be set if 'path' is used".into());
    }
    if !path.is_empty() && !paths.is_empty() {
        return Err("'paths' couldn't be used with 'path'".into());
    }
    let not = if negative { "not " } else { "" };
    // The length of the last list that a path leads to.
    let one = |doc: &Yaml, path: &str| -> Result<usize, String> {
        let found = find(path, doc)?;
        if found.is_empty() && !negative {
            return Err(format!("unknown path {path}"));
        }
        let mut last = 0;
        for value in &found {
            last = match value {
                Yaml::List(items) => items.len(),
                _ if count.is_none() => return Err(format!("{path} is not a list")),
                _ => 0,
            };
            if let Some(want) = count {
                holds(negative, i64::try_from(last) == Ok(want), || {
                    format!("expected {path} {not}to have {want} items, got {last}")
                })?;
            }
        }
        Ok(last)
    };
    every(chosen, negative, |doc| {
        if !path.is_empty() {
            return one(doc, path).map(|_| ());
        }
        let lengths: Vec<(usize, &String)> =
            paths.iter().map(|p| Ok((one(doc, p)?, p))).collect::<Result<_, String>>()?;
        let Some((first, first_path)) = lengths.first() else { return Err("neither path nor paths is set".into()) };
        let other = lengths.iter().skip(1).find(|(n, _)| (n == first) == negative);
        other.map_or(Ok(()), |(n, p)| {
            Err(format!("expected {p} {not}to have as many items as {first_path}, got {n} and {first}"))
        })
    })
}
