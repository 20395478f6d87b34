//! JSON patches as `gopkg.in/evanphx/json-patch.v4` applies them: replacing what is not there adds it, indices may be negative,
//! and a value may be missing.

use super::error::{Error, Result};
use super::json::Json;
use crate::golang::strconv::atoi;

/// The operations of a patch.
#[derive(Clone, Debug, Default)]
pub struct JsonPatch {
    operations: Vec<Json>,
}

impl JsonPatch {
    /// From JSON, or from YAML if it does not begin with a bracket.
    pub fn parse(text: &[u8]) -> Result<Self> {
        if text.is_empty() {
            return Err("empty json patch operations".into());
        }
        let json = if text[0] == b'[' { Json::decode(text)? } else { super::read::to_json(text)? };
        let wrong = |value: &Json, ty: &str| {
            Error::new(format!("json: cannot unmarshal {} into Go value of type jsonpatch.{ty}", value.kind()))
        };
        match json {
            Json::Null => Ok(Self::default()),
            Json::List(operations) => match operations.iter().find(|op| !matches!(op, Json::Map(_) | Json::Null)) {
                Some(op) => Err(wrong(op, "Operation")),
                None => Ok(Self { operations }),
            },
            other => Err(wrong(&other, "Patch")),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Applies all operations to a document.
    pub fn apply(&self, mut doc: Json) -> Result<Json> {
        for op in &self.operations {
            let kind = op.get("op").and_then(Json::as_str).unwrap_or("unknown");
            match kind {
                "add" => add(&mut doc, op)?,
                "remove" => remove(&mut doc, op)?,
                "replace" => replace(&mut doc, op)?,
                "move" => relocate(&mut doc, op)?,
                "test" => test(&doc, op)?,
                "copy" => copy(&mut doc, op)?,
                other => return Err(Error::new(format!("Unexpected kind: {other}"))),
            }
        }
        Ok(doc)
    }
}

fn fail<T>(text: impl std::fmt::Display, reason: &str) -> Result<T> {
    Err(Error::new(format!("{text}: {reason}")))
}

const MISSING: &str = "missing value";
const INVALID_INDEX: &str = "invalid index referenced";

fn pointer<'o>(op: &'o Json, field: &str) -> std::result::Result<&'o str, String> {
    match op.get(field) {
        Some(Json::Str(s)) => Ok(s),
        None | Some(Json::Null) if field == "from" => Err(format!("operation, missing from field: {MISSING}")),
        None | Some(Json::Null) => Err(format!("operation missing {field} field: {MISSING}")),
        Some(other) => Err(format!("json: cannot unmarshal {} into Go value of type string", other.kind())),
    }
}

fn value(op: &Json) -> Json {
    op.get("value").cloned().unwrap_or_default()
}

fn decode(part: &str) -> String {
    // One pass: `~01` is `~1`.
    let mut out = String::with_capacity(part.len());
    let mut rest = part;
    while let Some(at) = rest.find('~') {
        out.push_str(&rest[..at]);
        let (replaced, width) = match rest.as_bytes().get(at + 1) {
            Some(b'1') => ("/", 2),
            Some(b'0') => ("~", 2),
            _ => ("~", 1),
        };
        out.push_str(replaced);
        rest = &rest[at + width..];
    }
    out.push_str(rest);
    out
}

/// The container that holds the last part of a path, and that part.
fn find<'d>(doc: &'d mut Json, path: &str) -> Option<(&'d mut Json, String)> {
    let mut parts: Vec<&str> = path.split('/').collect();
    if parts.len() < 2 {
        return None;
    }
    let key = parts.pop().unwrap_or_default();
    let mut at = doc;
    for part in &parts[1..] {
        let part = decode(part);
        at = match at {
            Json::Map(_) => {
                let Json::Map(entries) = at else { return None };
                entries.iter_mut().find(|(k, _)| *k == part).map(|(_, v)| v)?
            }
            Json::List(items) => {
                let i = index(&part, items.len()).ok()?;
                items.get_mut(i)?
            }
            _ => return None,
        };
    }
    matches!(at, Json::Map(_) | Json::List(_)).then(|| (at, decode(key)))
}

/// An existing index; negative ones count from the end.
fn index(key: &str, length: usize) -> std::result::Result<usize, String> {
    let i = atoi(key).map_err(|e| e.to_string())?;
    let bad = || format!("Unable to access invalid index: {i}: {INVALID_INDEX}");
    let length = length as i64;
    let at = if i < 0 { i + length } else { i };
    if (0..length).contains(&at) { Ok(at as usize) } else { Err(bad()) }
}

fn get(container: &Json, key: &str) -> std::result::Result<Option<Json>, String> {
    match container {
        Json::Map(_) => Ok(container.get(key).cloned()),
        Json::List(items) => Ok(items.get(index(key, items.len())?).cloned()),
        _ => Ok(None),
    }
}

fn insert(container: &mut Json, key: &str, value: Json) -> std::result::Result<(), String> {
    match container {
        Json::List(items) if key == "-" => items.push(value),
        Json::List(items) => {
            let i = atoi(key).map_err(|e| format!("value was not a proper array index: '{key}': {e}"))?;
            let length = items.len() as i64 + 1;
            let at = if i < 0 { i + length } else { i };
            if !(0..length).contains(&at) {
                return Err(format!("Unable to access invalid index: {i}: {INVALID_INDEX}"));
            }
            items.insert(at as usize, value);
        }
        map => map.insert(key.to_owned(), value),
    }
    Ok(())
}

fn take(container: &mut Json, key: &str) -> std::result::Result<Json, String> {
    match container {
        Json::List(items) => {
            let i = index(key, items.len())?;
            Ok(items.remove(i))
        }
        map => map.remove(key).ok_or_else(|| format!("Unable to remove nonexistent key: {key}: {MISSING}")),
    }
}

fn add(doc: &mut Json, op: &Json) -> Result<()> {
    let Ok(path) = pointer(op, "path") else { return fail("add operation failed to decode path", MISSING) };
    let Some((container, key)) = find(doc, path) else {
        return fail(format!("add operation does not apply: doc is missing path: \"{path}\""), MISSING);
    };
    insert(container, &key, value(op)).or_else(|e| fail(format!("error in add for path: '{path}'"), &e))
}

fn remove(doc: &mut Json, op: &Json) -> Result<()> {
    let Ok(path) = pointer(op, "path") else { return fail("remove operation failed to decode path", MISSING) };
    let Some((container, key)) = find(doc, path) else {
        return fail(format!("remove operation does not apply: doc is missing path: \"{path}\""), MISSING);
    };
    take(container, &key).map(|_| ()).or_else(|e| fail(format!("error in remove for path: '{path}'"), &e))
}

fn replace(doc: &mut Json, op: &Json) -> Result<()> {
    let path = pointer(op, "path").or_else(|e| fail("replace operation failed to decode path", &e))?;
    if path.is_empty() {
        return match value(op) {
            new @ (Json::Map(_) | Json::List(_)) => {
                *doc = new;
                Ok(())
            }
            _ => fail("replace operation value must be object or array", "%!w(<nil>)"),
        };
    }
    let Some((container, key)) = find(doc, path) else {
        return fail(format!("replace operation does not apply: doc is missing path: {path}"), MISSING);
    };
    if get(container, &key).is_err() {
        return fail(format!("replace operation does not apply: doc is missing key: {path}"), MISSING);
    }
    match container {
        Json::List(items) => {
            let length = items.len();
            if let Some(item) = index(&key, length).ok().and_then(|i| items.get_mut(i)) {
                *item = value(op);
            }
        }
        map => map.insert(key, value(op)),
    }
    Ok(())
}

fn relocate(doc: &mut Json, op: &Json) -> Result<()> {
    let from = pointer(op, "from").or_else(|e| fail("move operation failed to decode from", &e))?;
    let Some((container, key)) = find(doc, from) else {
        return fail(format!("move operation does not apply: doc is missing from path: {from}"), MISSING);
    };
    let in_move = |place: &str, e: String| Error::new(format!("error in move for path: '{place}': {e}"));
    let moved = get(container, &key).and_then(|_| take(container, &key)).map_err(|e| in_move(&key, e))?;
    let path = pointer(op, "path").or_else(|e| fail("move operation failed to decode path", &e))?;
    let Some((container, key)) = find(doc, path) else {
        return fail(format!("move operation does not apply: doc is missing destination path: {path}"), MISSING);
    };
    insert(container, &key, moved).map_err(|e| in_move(path, e))
}

fn copy(doc: &mut Json, op: &Json) -> Result<()> {
    let from = pointer(op, "from").or_else(|e| fail("copy operation failed to decode from", &e))?;
    let Some((container, key)) = find(doc, from) else {
        return fail(format!("copy operation does not apply: doc is missing from path: {from}"), MISSING);
    };
    let copied = get(container, &key).or_else(|e| fail(format!("error in copy for from: '{from}'"), &e))?;
    let Ok(path) = pointer(op, "path") else { return fail("copy operation failed to decode path", MISSING) };
    let Some((container, key)) = find(doc, path) else {
        return fail(format!("copy operation does not apply: doc is missing destination path: {path}"), MISSING);
    };
    let copied = copied.unwrap_or_default();
    insert(container, &key, copied).or_else(|e| fail("error while adding value during copy", &e))
}

fn test(doc: &Json, op: &Json) -> Result<()> {
    let path = pointer(op, "path").or_else(|e| fail("test operation failed to decode path", &e))?;
    let failed = || fail(format!("testing value {path} failed"), "test failed");
    let wanted = value(op);
    if path.is_empty() {
        return if equal(doc, &wanted) { Ok(()) } else { failed() };
    }
    let mut copy = doc.clone();
    let Some((container, key)) = find(&mut copy, path) else {
        return fail(format!("test operation does not apply: is missing path: {path}"), MISSING);
    };
    let found = get(container, &key).or_else(|e| fail(format!("error in test for path: '{path}'"), &e))?;
    if equal(&found.unwrap_or_default(), &wanted) { Ok(()) } else { failed() }
}

/// Numbers are compared by how they are written.
fn equal(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::List(a), Json::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(x, y)| equal(x, y)),
        (Json::Map(a), Json::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, x), (l, y))| k == l && equal(x, y))
        }
        (Json::List(_) | Json::Map(_), _) | (_, Json::List(_) | Json::Map(_)) => false,
        (a, b) => a.encode() == b.encode(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_applied() {
        let doc = "{a: {b: [1, 2]}, c: x}";
        for (patch, want) in [
            ("[{\"op\":\"add\",\"path\":\"/a/b/-\",\"value\":3}]", Ok("{\"a\":{\"b\":[1,2,3]},\"c\":\"x\"}")),
            ("[{\"op\":\"add\",\"path\":\"/a/b/0\",\"value\":0}]", Ok("{\"a\":{\"b\":[0,1,2]},\"c\":\"x\"}")),
            ("[{\"op\":\"replace\",\"path\":\"/new\",\"value\":1}]", Ok("{\"a\":{\"b\":[1,2]},\"c\":\"x\",\"new\":1}")),
            ("[{\"op\":\"remove\",\"path\":\"/a/b/-1\"}]", Ok("{\"a\":{\"b\":[1]},\"c\":\"x\"}")),
            ("[{\"op\":\"move\",\"from\":\"/c\",\"path\":\"/a/c\"}]", Ok("{\"a\":{\"b\":[1,2],\"c\":\"x\"}}")),
            (
                "[{\"op\":\"copy\",\"from\":\"/c\",\"path\":\"/d\"}]",
                Ok("{\"a\":{\"b\":[1,2]},\"c\":\"x\",\"d\":\"x\"}"),
            ),
            ("[{\"op\":\"test\",\"path\":\"/c\",\"value\":\"y\"}]", Err("testing value /c failed: test failed")),
            (
                "[{\"op\":\"add\",\"path\":\"/q/r\",\"value\":1}]",
                Err("add operation does not apply: doc is missing path: \"/q/r\": missing value"),
            ),
            ("- {op: bogus}", Err("Unexpected kind: bogus")),
        ] {
            let doc = crate::kustomize::read::to_json(doc.as_bytes()).unwrap();
            let got = JsonPatch::parse(patch.as_bytes()).unwrap().apply(doc);
            match (got, want) {
                (Ok(got), Ok(want)) => assert_eq!(got.encode(), want, "{patch}"),
                (Err(got), Err(want)) => assert_eq!(got.message, want, "{patch}"),
                (got, want) => panic!("{patch}: {got:?}, wanted {want:?}"),
            }
        }
    }
}
