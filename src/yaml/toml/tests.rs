//! What BurntSushi/toml 1.6 gave.

use super::*;
use crate::golang::time::Location;
use crate::value::{Heap, json};

fn toml_of(value: &str) -> Result<String, TomlError> {
    let mut heap = Heap::new();
    let v = json::decode(&mut heap, value.as_bytes()).unwrap();
    encode(&mut heap, &v, 1 << 20).map(|b| String::from_utf8(b).unwrap())
}

#[test]
fn values_to_texts() {
    for (value, want) in [
        (
            r#"{"a":1,"b":"x\ty","n":null,"f":1.5,"l":[1,"a",[true]]}"#,
            "a = 1.0\nb = \"x\\ty\"\nf = 1.5\nl = [1.0, \"a\", [true]]\n",
        ),
        (r#"{"t":{"u":{"v":1}},"z":1}"#, "z = 1.0\n\n[t]\n  [t.u]\n    v = 1.0\n"),
        (r#"{"x":[{"a":1},{"b":{"c":2}}]}"#, "[[x]]\n  a = 1.0\n\n[[x]]\n  [x.b]\n    c = 2.0\n"),
        (r#"{"a b":1,"":2,"é":3}"#, "\"\" = 2.0\n\"a b\" = 1.0\n\"é\" = 3.0\n"),
        (r#"{"l":[1,{"a":1,"b":[]}]}"#, "l = [1.0, {a = 1.0, b = []}]\n"),
        ("1e6", "1e+06"),
    ] {
        assert_eq!(toml_of(value).as_deref(), Ok(want), "{value}");
    }
    let error = |s: &str| Err(TomlError::Error(s.into()));
    assert_eq!(toml_of(r#"{"l":[null]}"#), error("toml: cannot encode array with nil element"));
    assert_eq!(toml_of(r#"[{"a":1}]"#), error("toml: top-level values must be Go maps or structs"));
}

#[test]
fn texts_that_cannot_be_read() {
    for (text, want) in [
        (
            "a = 1 t",
            "toml: line 1: expected a top-level item to end with a newline, comment, or EOF, but got 't' instead",
        ),
        ("i.b.c == 1", "toml: line 1 (last key \"i.b.c\"): expected value but found '=' instead"),
        ("a = 1\na = 2", "toml: line 2 (last key \"a\"): Key 'a' has already been defined."),
        ("[a]\n[a]", "toml: line 2: Key 'a' has already been defined."),
        ("a = 01", "toml: line 1 (last key \"a\"): Invalid integer \"01\": cannot have leading zeroes"),
        ("a = \"x", "toml: line 1 (last key \"a\"): unexpected EOF; expected '\"'"),
        (
            "a = [1",
            "toml: line 1 (last key \"a\"): expected a comma (',') or array terminator (']'), but got end of file",
        ),
    ] {
        match parse(text.as_bytes(), &Location::utc(), 0) {
            Err(TomlError::Error(e)) => assert_eq!(e, want, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn deep_texts_are_refused() {
    for text in [format!("a = {}", "[".repeat(100_000)), format!("[{}]", vec!["a"; 10_000].join("."))] {
        assert!(matches!(parse(text.as_bytes(), &Location::utc(), 0), Err(TomlError::Error(_))));
    }
}
