use super::*;
use crate::chart::Metadata;
use crate::value::json;

fn validate(heap: &Heap, chart: &Chart, values: MapId, warnings: &mut Vec<LogLine>) -> Result<(), String> {
    Check::of(heap, chart, values).run(&Sources::default(), warnings)
}

/// A chart with this schema, and values.
fn single(schema: &str, values: &str) -> Result<(), String> {
    let doc = Json::parse(schema.as_bytes())?;
    let sources = Sources::default();
    let mut compiler = Compiler::new(&sources);
    compiler.roots.add(URL, doc);
    let id = compiler.compile(URL)?;
    let v = Json::parse(values.as_bytes())?;
    validate::validate(&compiler.arena, id, &v).map_err(|violation| {
        let text = violation.print();
        let prefix = format!("jsonschema validation failed with '{URL}#'\n");
        format!("{}\n", text.strip_prefix(&prefix).unwrap_or(&text))
    })
}

#[test]
fn messages_are_the_library_s() {
    // Each line: a schema, a value, and what the library says.
    for line in include_str!("messages.jsonl").lines() {
        let [schema, value, want]: [String; 3] = serde_json::from_str(line).unwrap();
        assert_eq!(single(&schema, &value).unwrap_err(), want, "{schema} {value}");
    }
}

fn values(heap: &mut Heap, text: &str) -> MapId {
    match json::decode(heap, text.as_bytes()) {
        Ok(Value::Map(m)) => m,
        other => panic!("{other:?}"),
    }
}

fn chart(name: &str, schema: Option<&str>, dependencies: Vec<Chart>) -> Chart {
    let metadata = Metadata { name: name.into(), ..Metadata::default() };
    let schema = schema.map(|s| s.as_bytes().into());
    Chart { metadata, schema, dependencies, ..Chart::default() }
}

#[test]
fn charts_and_their_subcharts() {
    let string = r#"{"properties": {"a": {"type": "string"}}}"#;
    let c = chart("p", Some(string), vec![chart("s", Some(string), vec![]), chart("t", Some(string), vec![])]);
    let mut heap = Heap::new();
    let mut check = |text: &str| {
        let v = values(&mut heap, text);
        validate(&heap, &c, v, &mut Vec::new()).err().unwrap_or_default()
    };
    assert_eq!(check(r#"{"a": "x", "s": {"a": "y"}, "t": null}"#), "");
    assert_eq!(
        check(r#"{"a": 1, "s": {"a": 2}, "t": 5}"#),
        "p:\n- at '/a': got number, want string\ns:\n- at '/a': got number, want string\n\
         t:\ninvalid type for values: expected object (map), got float64\n"
    );
}

#[test]
fn references_outside() {
    let mut heap = Heap::new();
    let v = values(&mut heap, r#"{"a": 1}"#);
    let mut warnings = Vec::new();
    let c =
        chart("c", Some(r#"{"properties": {"a": {"$ref": "urn:example:x"}, "b": {"$ref": "urn:example:x"}}}"#), vec![]);
    assert_eq!(validate(&heap, &c, v, &mut warnings), Ok(()));
    let warning =
        LogLine::warn("unresolved URN reference ignored; using permissive schema").with("urn", "urn:example:x");
    assert_eq!(warnings, [warning]);

    let c = chart("c", Some(r#"{"properties": {"a": {"$ref": "https://example.com/a.json"}}}"#), vec![]);
    let refused = validate(&heap, &c, v, &mut warnings).unwrap_err();
    assert!(refused.starts_with("c:\nfailing loading \"https://example.com/a.json\": the network is off"), "{refused}");
    let fetch =
        |url: &str| if url.ends_with("a.json") { Ok(br#"{"type": "string"}"#.to_vec()) } else { Err("no".into()) };
    let sources = Sources { files: false, fetch: Some(&fetch) };
    assert_eq!(
        Check::of(&heap, &c, v).run(&sources, &mut warnings).unwrap_err(),
        "c:\n- at '/a': got number, want string\n"
    );
}

#[test]
fn numbers_of_values_are_exact() {
    let mut heap = Heap::new();
    let m = heap.map_of([("a", Value::Float(0.3)), ("b", Value::Int64(1_000_000)), ("c", Value::Float(1e21))]);
    let check =
        |schema: &str| validate(&heap, &chart("c", Some(schema), vec![]), m, &mut Vec::new()).err().unwrap_or_default();
    assert_eq!(check(r#"{"properties": {"a": {"multipleOf": 0.1}, "c": {"type": "integer"}}}"#), "");
    assert_eq!(check(r#"{"properties": {"b": {"maximum": 10}}}"#), "c:\n- at '/b': maximum: got 1×10⁰⁶, want 10\n");
}

#[test]
fn hostile_schemas_end() {
    let deep = format!("{}{}", r#"{"items":"#.repeat(1_000), "{}".to_owned() + &"}".repeat(1_000));
    let array = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let result = on_large_stack(|| single(&deep, &array));
    assert_eq!(result, Ok(()));
}
