//! What of two renders is different, and no work of chance: `now` and `randAlphaNum` give another text at each render, whatever the cluster says.
//!
//! It takes two renders of the same state, one by a clock that is far ahead: where these differ from each other, chance or time is at work, and what
//! is stored may differ as well.

use std::collections::BTreeMap;

use crate::cluster::Json;

type Id = (String, String, String, String);

fn id(object: &Json) -> Id {
    let text = |at: &str| object.pointer(at).and_then(Json::as_str).unwrap_or_default().to_owned();
    (text("/apiVersion"), text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
}

fn by_id(objects: &[Json]) -> BTreeMap<Id, &Json> {
    objects.iter().map(|o| (id(o), o)).collect()
}

/// The objects that a render would change, as `Kind name`. Objects that would go count unless `made` says that the chart makes them only where they are
/// not there.
pub fn beyond_chance(stored: &[Json], once: &[Json], twice: &[Json], made: impl Fn(&Json) -> bool) -> Vec<String> {
    let (stored, once, twice) = (by_id(stored), by_id(once), by_id(twice));
    // Names that are chance's: others of their kind have gone for them.
    let random = |kind: &str| once.keys().any(|id| id.1 == kind && !twice.contains_key(id));
    let mut out = Vec::new();
    let mut different = |id: &Id| out.push(format!("{} {}", id.1, id.3));
    for (id, old) in &stored {
        match (once.get(id), twice.get(id)) {
            (Some(a), Some(b)) if differs(old, a, b) => different(id),
            (None, _) if !made(old) && !random(&id.1) => different(id),
            _ => {}
        }
    }
    once.keys().filter(|id| !stored.contains_key(*id) && twice.contains_key(*id)).for_each(different);
    out
}

/// Whether what was is different from what both renders agree on.
fn differs(old: &Json, a: &Json, b: &Json) -> bool {
    if old == a || old == b {
        return false;
    }
    match (old, a, b) {
        (Json::Object(old), Json::Object(a), Json::Object(b)) => {
            old.iter().any(|(key, value)| match (a.get(key), b.get(key)) {
                (Some(a), Some(b)) => differs(value, a, b),
                (None, None) => true,
                // There by chance.
                _ => false,
            }) || a.keys().any(|key| !old.contains_key(key) && b.contains_key(key))
        }
        (Json::Array(old), Json::Array(a), Json::Array(b)) if old.len() == a.len() && a.len() == b.len() => {
            old.iter().zip(a).zip(b).any(|((old, a), b)| differs(old, a, b))
        }
        (Json::Array(_), Json::Array(a), Json::Array(b)) => a.len() == b.len(),
        (Json::String(old), Json::String(a), Json::String(b)) if a != b => {
            let lines = |text: &str| text.lines().count();
            match (lines(old), lines(a), lines(b)) {
                (o, x, y) if o == x && x == y => {
                    old.lines().zip(a.lines()).zip(b.lines()).any(|((old, a), b)| a == b && a != old)
                }
                (_, x, y) => x == y,
            }
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str, data: Json) -> Json {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
    }

    #[test]
    fn what_two_renders_agree_on_counts() {
        let none = |_: &Json| false;
        for (what, old, a, b, wanted) in [
            ("the same", json!({"k": "1"}), json!({"k": "1"}), json!({"k": "1"}), false),
            ("changed", json!({"k": "1"}), json!({"k": "2"}), json!({"k": "2"}), true),
            ("random", json!({"k": "x"}), json!({"k": "y"}), json!({"k": "z"}), false),
            (
                "random beside a change",
                json!({"k": "x", "l": 1}),
                json!({"k": "y", "l": 2}),
                json!({"k": "z", "l": 2}),
                true,
            ),
            ("a new key", json!({}), json!({"k": "y"}), json!({"k": "z"}), true),
            ("a key that goes", json!({"k": "x"}), json!({}), json!({}), true),
            (
                "a random line",
                json!({"k": "at 1\nrest"}),
                json!({"k": "at 2\nrest"}),
                json!({"k": "at 3\nrest"}),
                false,
            ),
            (
                "a line beside a random one",
                json!({"k": "at 1\na"}),
                json!({"k": "at 2\nb"}),
                json!({"k": "at 3\nb"}),
                true,
            ),
            ("a longer list", json!({"k": [1]}), json!({"k": [1, 2]}), json!({"k": [1, 2]}), true),
            ("a random item", json!({"k": ["x", 1]}), json!({"k": ["y", 1]}), json!({"k": ["z", 1]}), false),
        ] {
            let found = beyond_chance(&[object("a", old)], &[object("a", a)], &[object("a", b)], none);
            assert_eq!(!found.is_empty(), wanted, "{what}: {found:?}");
        }
    }

    #[test]
    fn objects_that_come_and_go() {
        let o = |name: &str| object(name, json!({}));
        let none = |_: &Json| false;
        assert_eq!(beyond_chance(&[o("a")], &[o("a"), o("b")], &[o("a"), o("b")], none), ["ConfigMap b"]);
        assert_eq!(beyond_chance(&[o("a"), o("b")], &[o("a")], &[o("a")], none), ["ConfigMap b"]);
        let made = |found: &Json| found["metadata"]["name"] == "b";
        assert!(beyond_chance(&[o("a"), o("b")], &[o("a")], &[o("a")], made).is_empty(), "made as it was not there");
        assert!(beyond_chance(&[o("x1")], &[o("x2")], &[o("x3")], none).is_empty(), "a random name");
    }
}
