//! What the real programs gave: sigs.k8s.io/yaml 1.6 over go-yaml 2.4.4, and go-yaml 3.0.5.

use super::*;
use crate::value::{Heap, json};

fn json_of(text: &[u8]) -> Result<String, String> {
    let mut heap = Heap::new();
    let value = to_value(&mut heap, text)?;
    json::encode(&mut heap, &value, false, None).map(|b| String::from_utf8(b).unwrap())
}

#[test]
fn texts_to_values() {
    for (text, want) in [
        (
            "a: yes\nb: 0644\nc: 1e3\nd: 2001-12-14\n1: x\ntrue: y\n",
            r#"{"1":"x","a":true,"b":420,"c":1000,"d":"2001-12-14","true":true}"#,
        ),
        ("a: &x {b: 1}\nc:\n  <<: *x\n  d: [*x, ~]\n", r#"{"a":{"b":1},"c":{"b":1,"d":[{"b":1},null]}}"#),
        ("k: |2-\n    a\n   b\nf: >\n  x\n  y\n\n  z\n", r#"{"f":"x y\nz\n","k":"  a\n b"}"#),
        ("s: \"\\u00e9\\\n  t\"\nq: 'it''s'\n", r#"{"q":"it's","s":"ét"}"#),
        (
            "a: 9007199254740993\nb: 18446744073709551616\nc: .5_1\nd: 0b-1\n",
            r#"{"a":9007199254740992,"b":18446744073709552000,"c":0.51,"d":-1}"#,
        ),
        ("a: 1\na: 2\n", r#"{"a":2}"#),
        ("", "null"),
        ("!!binary aGk=", r#""hi""#),
        ("a: 1\n---\nb: [", r#"{"a":1}"#),
    ] {
        assert_eq!(json_of(text.as_bytes()).as_deref(), Ok(want), "{text:?}");
    }
}

#[test]
fn texts_that_cannot_be_read() {
    for (text, want) in [
        (&b"a: b: c"[..], "yaml: mapping values are not allowed in this context"),
        (b"a: [1\nb: 2", "yaml: line 1: did not find expected ',' or ']'"),
        (b"a:\n\t- b", "yaml: line 2: found character that cannot start any token"),
        (b"a: *x", "yaml: unknown anchor 'x' referenced"),
        (b"&a [*a]", "yaml: anchor 'a' value contains itself"),
        (b"? [x]\n: y", "yaml: invalid map key: []interface {}{\"x\"}"),
        (b"~: 1", "unsupported map key of type: %!s(<nil>), key: <nil>, value: 1"),
        (b"a: .inf", "json: unsupported value: +Inf"),
        (b"a: \"x", "yaml: found unexpected end of stream"),
        (b"\xff", "yaml: invalid leading UTF-8 octet"),
        (b"a: \x01", "yaml: control characters are not allowed"),
        (b"- a\nb: c", "yaml: line 1: did not find expected '-' indicator"),
        (b"a: !!int x", "yaml: cannot decode !!str `x` as a !!int"),
        (b"<<: 1", "yaml: map merge requires map or sequence of maps as the value"),
        (b"%YAML 1.2\n---\na", "yaml: found incompatible YAML document"),
    ] {
        assert_eq!(json_of(text), Err(format!("error converting YAML to JSON: {want}")), "{text:?}");
    }
    let mut heap = Heap::new();
    assert_eq!(
        to_map(&mut heap, b"[]").unwrap_err(),
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}"
    );
}

#[test]
fn values_to_texts() {
    for (value, plain, pretty) in [
        (
            r#"{"b":[1,{"a":"yes"},[]],"a":{},"a10":null,"a2":1.5,"A":1e21}"#,
            "A: 1e+21\na: {}\na2: 1.5\na10: null\nb:\n- 1\n- a: \"yes\"\n- []\n",
            "A: 1e+21\na: {}\na2: 1.5\na10: null\nb:\n  - 1\n  - a: \"yes\"\n  - []\n",
        ),
        (
            r#"["12:30","a: b"," x","a\tb","\ud83d\ude00","it's",":a","-","2001-01-01","=","a #b"]"#,
            "- \"12:30\"\n- 'a: b'\n- ' x'\n- \"a\\tb\"\n- \"\\U0001F600\"\n- it's\n- :a\n- '-'\n- \"2001-01-01\"\n- =\n- 'a #b'\n",
            "- \"12:30\"\n- 'a: b'\n- ' x'\n- \"a\\tb\"\n- \"\\U0001F600\"\n- it's\n- :a\n- '-'\n- \"2001-01-01\"\n- =\n- 'a #b'\n",
        ),
        (
            r#"{"t":"a\nb\n","u":"a\n b","v":"\n","w":"x \ny","k\nl":1}"#,
            "? |-\n  k\n  l\n: 1\nt: |\n  a\n  b\nu: |-\n  a\n   b\nv: |2+\n\nw: \"x \\ny\"\n",
            "? |-\n  k\n  l\n: 1\nt: |\n  a\n  b\nu: |-\n  a\n   b\nv: |2+\n\nw: \"x \\ny\"\n",
        ),
        (
            r#"{"l":"the quick brown fox jumps over the lazy dog and then it goes on for a while or to be folded"}"#,
            "l: the quick brown fox jumps over the lazy dog and then it goes on for a while or\n  to be folded\n",
            "l: the quick brown fox jumps over the lazy dog and then it goes on for a while or to be folded\n",
        ),
        (
            "[1000000,0.1,1e-7,18446744073709551615,9223372036854775807,-0.0]",
            "- 1000000\n- 0.1\n- 1e-07\n- 1.8446744073709552e+19\n- 9223372036854776000\n- 0\n",
            "- 1e+06\n- 0.1\n- 1e-07\n- 1.8446744073709552e+19\n- 9.223372036854776e+18\n- -0\n",
        ),
    ] {
        let mut heap = Heap::new();
        let v = json::decode(&mut heap, value.as_bytes()).unwrap();
        let text = |r: Result<Vec<u8>, String>| String::from_utf8(r.unwrap()).unwrap();
        assert_eq!(text(marshal(&mut heap, &v)), plain, "{value}");
        assert_eq!(text(marshal_pretty(&mut heap, &v)), pretty, "{value}");
    }
}

#[test]
fn odd_characters_on_their_way_through_json() {
    for (text, want) in [
        ("a\u{85}b", Ok("a b\n")),
        ("a\u{7f}", Err("yaml: control characters are not allowed")),
        ("\u{feff}a", Ok("\"\\uFEFF\\x61\"\n")),
    ] {
        let mut heap = Heap::new();
        let got = marshal(&mut heap, &text.into()).map(|b| String::from_utf8(b).unwrap());
        assert_eq!(got.as_deref().map_err(String::as_str), want, "{text:?}");
    }
}

#[test]
fn hostile_texts_end_soon() {
    // Ten levels of ten aliases.
    let mut laughs = String::from("a0: &a0 x\n");
    for i in 1..10 {
        let refs = vec![format!("*a{}", i - 1); 10].join(",");
        laughs.push_str(&format!("a{i}: &a{i} [{refs}]\n"));
    }
    let error = json_of(laughs.as_bytes()).unwrap_err();
    assert_eq!(error, "error converting YAML to JSON: yaml: document contains excessive aliasing");

    let deep = "[".repeat(10_001);
    let error = json_of(deep.as_bytes()).unwrap_err();
    assert_eq!(error, "error converting YAML to JSON: yaml: exceeded max depth of 10000");
    let deep = "[".repeat(9_999) + &"]".repeat(9_999);
    assert_eq!(json_of(deep.as_bytes()), Ok(deep.clone()));
    let mut heap = Heap::new();
    let value = to_value(&mut heap, deep.as_bytes()).unwrap();
    assert!(marshal(&mut heap, &value).is_ok());

    // A map that holds itself.
    let map = heap.new_map();
    heap.map_mut(map).insert("a", crate::value::Value::Map(map));
    let error = marshal(&mut heap, &crate::value::Value::Map(map)).unwrap_err();
    assert_eq!(
        error,
        "error marshaling into JSON: json: unsupported value: encountered a cycle via map[string]interface {}"
    );
}

#[test]
fn doubled_keys_are_told() {
    let text = b"a: 1\nb:\n- c: 1\n  d: {e: 1, e: 2}\n  c: 2\na: 3\n";
    let want = [("b[0].d.e", 4), ("b[0].c", 5), ("a", 6)].map(|(p, l)| (p.to_string(), l));
    assert_eq!(duplicates(text), want);
}
