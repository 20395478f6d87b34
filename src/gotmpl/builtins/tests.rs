//! Rows taken from Go 1.26 through templates: function, arguments, result or error.

use std::sync::Arc;

use super::*;
use crate::gotmpl::{FixedHost, Limits};
use crate::value::{List, Map, MapType};

fn state() -> State {
    State::new(Arc::new(FixedHost::new(0, 0)), Limits::default())
}

fn call(st: &mut State, name: &str, args: &[Value]) -> Result<Value, String> {
    let mut table = FuncTable::new();
    register(&mut table);
    let id = table.id(name).unwrap();
    (table.get(id).call)(st, &mut args.to_vec()).map_err(|e| match e {
        CallError::Msg(m) | CallError::Limit(m) => m,
        CallError::Exec(_) => unreachable!(),
    })
}

fn shown(st: &mut State, name: &str, args: &[Value]) -> String {
    match call(st, name, args) {
        Ok(v) => {
            let mut out = Vec::new();
            print::value(&mut st.heap, &v, &mut out).unwrap();
            String::from_utf8_lossy(&out).into_owned()
        }
        Err(e) => format!("error: {e}"),
    }
}

#[test]
fn compares() {
    let mut st = state();
    let m = Value::Map(st.heap.map_of([("a", 1.0.into())]));
    let l = Value::List(st.heap.list_of(vec!["x".into()]));
    let strings = Value::List(st.heap.strings(["x"]));
    let nil_list = Value::List(st.heap.add_list(List { nil: true, ..List::default() }));
    let uint = |n: u64| Value::OtherInt(Kind::Uint64, n.into());
    for (name, args, want) in [
        ("eq", vec![Value::Int(1), Value::Int64(1)], "true"),
        ("eq", vec![Value::Int(1), Value::Int(2), Value::Int(1)], "true"),
        ("eq", vec![Value::Int(-1), uint(u64::MAX)], "false"),
        ("eq", vec![Value::Int(1), 1.0.into()], "error: incompatible types for comparison: int and float64"),
        ("eq", vec!["1".into(), Value::Int(1)], "error: incompatible types for comparison: string and int"),
        ("eq", vec![Value::Nil, Value::Nil], "true"),
        ("eq", vec![Value::Nil, Value::Int(1)], "false"),
        ("eq", vec![nil_list, Value::Nil], "true"),
        ("eq", vec![l.clone(), Value::Nil], "false"),
        (
            "eq",
            vec![m.clone(), Value::Int(1)],
            "error: incompatible types for comparison: map[string]interface {} and int",
        ),
        ("eq", vec![m.clone(), m.clone()], "error: non-comparable type map[a:%!s(float64=1)]: map[string]interface {}"),
        ("eq", vec![l.clone(), strings], "error: non-comparable type [x]: []string"),
        (
            "eq",
            vec![m.clone(), l.clone()],
            "error: non-comparable types map[a:%!s(float64=1)]: map[string]interface {}, []interface {}: [x]",
        ),
        ("eq", vec![Value::Int(1)], "error: missing argument for comparison"),
        ("ne", vec!["a".into(), "b".into()], "true"),
        ("lt", vec![Value::Int(-1), uint(0)], "true"),
        ("lt", vec![uint(0), Value::Int(-1)], "false"),
        ("lt", vec!["a".into(), "b".into()], "true"),
        ("lt", vec![true.into(), true.into()], "error: invalid type for comparison"),
        ("lt", vec![Value::Nil, Value::Int(1)], "error: invalid type for comparison"),
        ("lt", vec![1.0.into(), Value::Int(1)], "error: incompatible types for comparison: float64 and int"),
        ("le", vec![f64::NAN.into(), f64::NAN.into()], "false"),
        ("gt", vec![f64::NAN.into(), 1.0.into()], "true"),
        ("ge", vec![2.0.into(), 2.0.into()], "true"),
    ] {
        assert_eq!(shown(&mut st, name, &args), want, "{name} {args:?}");
    }
}

#[test]
fn indexes() {
    let mut st = state();
    let m = Value::Map(st.heap.map_of([("a", 1.0.into()), ("n", Value::Nil)]));
    let l = Value::List(st.heap.list_of(vec!["x".into(), m.clone()]));
    let mut strings = Map::default();
    strings.ty = MapType::Strings;
    let strings = Value::Map(st.heap.add_map(strings));
    for (args, want) in [
        (vec![m.clone(), "a".into()], "1"),
        (vec![m.clone(), "z".into()], "<nil>"),
        (vec![strings, "z".into()], ""),
        (vec![m.clone(), "z".into(), "y".into()], "error: index of nil pointer"),
        (vec![m.clone(), Value::Int(1)], "error: value has type int; should be string"),
        (vec![m.clone(), Value::Nil], "error: value is nil; should be of type string"),
        (vec![l.clone(), Value::Int(1), "a".into()], "1"),
        (vec![l.clone(), Value::Int(2)], "error: reflect: slice index out of range"),
        (vec![l.clone(), Value::Int(3)], "error: index out of range: 3"),
        (vec![l.clone(), Value::Int64(-1)], "error: index out of range: -1"),
        (vec![l.clone(), 1.0.into()], "error: cannot index slice/array with type float64"),
        (vec![l, Value::Nil], "error: cannot index slice/array with nil"),
        (vec!["ab".into(), Value::Int(1)], "98"),
        (vec!["ab".into(), Value::Int(2)], "error: reflect: string index out of range"),
        (vec![Value::Int(1), Value::Int(2)], "error: can't index item of type int"),
        (vec![Value::Nil, Value::Int(2)], "error: index of untyped nil"),
        (vec![Value::Nil], "error: index of untyped nil"),
        (vec![Value::Int(3)], "3"),
    ] {
        assert_eq!(shown(&mut st, "index", &args), want, "{args:?}");
    }
    for (args, want) in [
        (vec!["abcd".into(), Value::Int(1), Value::Int(3)], "bc"),
        (vec!["abcd".into(), Value::Int(3), Value::Int(1)], "error: invalid slice index: 3 > 1"),
        (vec!["abcd".into(), Value::Int(5)], "error: index out of range: 5"),
        (vec!["abcd".into(), Value::Int(0), Value::Int(1), Value::Int(2)], "error: cannot 3-index slice a string"),
        (vec![Value::Int(1)], "error: can't slice item of type int"),
    ] {
        assert_eq!(shown(&mut st, "slice", &args), want, "{args:?}");
    }
    for (arg, want) in [("aé".into(), "3"), (m, "2"), (Value::Int(1), "error: len of type int")] {
        assert_eq!(shown(&mut st, "len", &[arg]), want);
    }
}

#[test]
fn escapes() {
    let mut st = state();
    for (name, args, want) in [
        ("html", vec!["<a href=\"x\">'&\0".into()], "&lt;a href=&#34;x&#34;&gt;&#39;&amp;\u{fffd}"),
        (
            "js",
            vec!["a'b\"c\\<>&=\n\u{1}é\u{2028}\u{7f}".into()],
            "a\\'b\\\"c\\\\\\u003C\\u003E\\u0026\\u003D\\u000A\\u0001é\\u2028\u{7f}",
        ),
        ("urlquery", vec!["a b&c=d/é~".into()], "a+b%26c%3Dd%2F%C3%A9~"),
        ("html", vec![Value::Nil, Value::Int(1), Value::Int(2)], "&lt;no value&gt;1 2"),
        ("print", vec!["a".into(), Value::Int(1), Value::Int(2), "b".into(), Value::Nil], "a1 2b<nil>"),
        ("println", vec!["a".into(), Value::Int(1)], "a 1\n"),
        ("printf", vec!["%05d|%q".into(), Value::Int(42), "x".into()], "00042|\"x\""),
    ] {
        assert_eq!(shown(&mut st, name, &args), want, "{name}");
    }
    st.limits.output = 1000;
    let wide = [Value::str("%999999d"), Value::Int(1)];
    assert!(shown(&mut st, "printf", &wide).contains("limit: output"));
}
