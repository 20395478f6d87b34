//! The language alone, with a handful of functions. Expected texts are those of Go 1.26 `text/template` as Helm 4.3 sets it up.

use std::sync::Arc;

use super::super::{FixedHost, FuncTable, Int, Limits, Rest, State, TemplateSet, func, pure};
use super::{execute, register, with_large_stack};
use crate::value::{ListId, Map, MapId, MapType, Str, Value};

fn table() -> FuncTable {
    let mut table = FuncTable::new();
    register(&mut table);
    table.add(pure("upper", |s: Str| s.to_text().to_uppercase()));
    table.add(pure("twice", |n: Int| Int(n.0.wrapping_mul(2))));
    table.add(pure("half", |f: f64| f / 2.0));
    table.add(pure("same", |v: Value| v));
    table.add(func("len", |st: &mut State, l: ListId| Int(st.heap.list(l).items.len() as i64)));
    table.add(func("keys", |st: &mut State, m: MapId| Int(st.heap.map(m).len() as i64)));
    table.add(func("list", |st: &mut State, items: Rest<Value>| st.heap.list_of(items.0)));
    table.add(pure("join", |sep: Str, rest: Rest<Str>| {
        rest.0.iter().map(|s| s.to_text().into_owned()).collect::<Vec<_>>().join(&sep.to_text())
    }));
    table.add(func("set", |st: &mut State, m: MapId, k: Str, v: Value| {
        st.heap.map_mut(m).insert(k, v);
        m
    }));
    crate::render::control::register(&mut table);
    table
}

fn state() -> State {
    State::new(Arc::new(FixedHost::new(0, 0)), Limits::default())
}

/// Renders `c/templates/t.yaml` with this dot: n 3, f 1.5, s "x", b true, l [1 "two"], m {a: {b: deep}, z: nil}, st {k: v}.
fn render(st: &mut State, text: &str) -> Result<String, String> {
    let mut set = TemplateSet::new("gotpl", Arc::new(table()));
    set.parse("c/templates/t.yaml", text.as_bytes()).map_err(|e| e.to_string())?;
    let set = Arc::new(set);
    let heap = &mut st.heap;
    let a = heap.map_of([("b", Value::str("deep"))]);
    let m = heap.map_of([("a", Value::Map(a)), ("z", Value::Nil)]);
    let l = heap.list_of(vec![Value::Int(1), Value::str("two")]);
    let mut strings = Map::default();
    strings.ty = MapType::Strings;
    strings.insert("k", Value::str("v"));
    let strings = heap.add_map(strings);
    let dot = heap.map_of([
        ("n", Value::Int(3)),
        ("f", Value::Float(1.5)),
        ("s", Value::str("x")),
        ("b", Value::Bool(true)),
        ("l", Value::List(l)),
        ("m", Value::Map(m)),
        ("st", Value::Map(strings)),
        ("Values", Value::Map(m.as_values())),
    ]);
    let mut out = Vec::new();
    execute(&set, st, "c/templates/t.yaml", &Value::Map(dot), &mut out).map_err(|e| e.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

fn check(cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (text, want) in cases {
        let got = match render(&mut state(), text) {
            Ok(out) => out,
            Err(e) => e.strip_prefix("template: c/templates/t.yaml:").unwrap_or(&e).to_string(),
        };
        if got != *want {
            wrong.push(format!("{text}\n   got {got}\n  want {want}"));
        }
        // Who takes note of a render changes nothing in it.
        let mut st = state();
        st.trace = Some(Box::default());
        match render(&mut st, text) {
            Ok(out) => {
                assert_eq!(out, got, "{text}");
                let trace = st.trace.unwrap();
                for made in &trace.made {
                    // Every byte has its piece.
                    let end = made.pieces.iter().try_fold(0, |at, p| (p.start == at).then_some(p.end));
                    assert_eq!(end, Some(made.text.len()), "{text}");
                }
            }
            Err(e) => assert_eq!(e.strip_prefix("template: c/templates/t.yaml:").unwrap_or(&e), got, "{text}"),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nodes() {
    check(&[
        ("a{{ .n }}b{{ .s }}{{ .b }}", "a3bxtrue"),
        ("{{ .missing }}|{{ .m.z }}|{{ .m.a.b }}|{{ .st.k }}|{{ .st.none }}|", "<no value>|<no value>|deep|v||"),
        ("{{ if .m.z }}1{{ else if .n }}2{{ else }}3{{ end }}", "2"),
        ("{{ with .m.a }}{{ .b }}{{ $.n }}{{ end }}{{ with .m.z }}y{{ else with .s }}{{ . }}{{ end }}", "deep3x"),
        ("{{ range $i, $e := .l }}{{ $i }}={{ $e }},{{ end }}", "0=1,1=two,"),
        ("{{ range $k, $v := .st }}{{ $k }}={{ $v }}{{ else }}none{{ end }}", "k=v"),
        (
            "{{ range 3 }}{{ . }}{{ end }}{{ range $i := 2 }}{{ $i }}{{ end }}{{ range 0 }}{{ else }}e{{ end }}",
            "01201e",
        ),
        ("{{ range 5 }}{{ if same . }}{{ continue }}{{ end }}{{ . }}{{ end }}", "0"),
        ("{{ range .l }}{{ . }}{{ break }}{{ end }}", "1"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ $x := 4 }}{{ end }}{{ $x }}", "2"),
        (
            "{{ define \"t\" }}[{{ . }}{{ $ }}]{{ end }}{{ template \"t\" .n }}{{ template \"t\" }}",
            "[33][<no value><no value>]",
        ),
        ("{{ block \"b\" .m }}{{ .a.b }}{{ end }}", "deep"),
        (
            "{{ .s | upper }}{{ upper .s | upper }}{{ (upper .s) }}{{ join \",\" \"a\" .s }}{{ .s | join \"+\" \"z\" }}",
            "XXXa,xz+x",
        ),
        ("{{ (.m.a).b }}{{ (same .m).a.b }}{{ (.none).x.y }}.", "deepdeep<no value>."),
        (
            "{{ and .n .s }}{{ and .m.z .s }}{{ or .m.z .s }}{{ or .m.z nil }}{{ .s | and 1 }}",
            "x<no value>x<no value>x",
        ),
        ("{{ keys nil }}{{ len nil }}{{ $ = 5 }}{{ $ }}", "005"),
        ("{{ keys (set .m \"q\" 7 | same) }}{{ .m.q }}", "37"),
        ("{{ .Values.AsMap.a.b }}{{ (.Values.Table \"a\").b }}{{ .Values.PathValue \"a.b\" }}", "deepdeepdeep"),
    ]);
}

#[test]
fn errors() {
    check(&[
        (
            "{{ .m.none.x }}",
            "1:5: executing \"c/templates/t.yaml\" at <.m.none.x>: nil pointer evaluating interface {}.x",
        ),
        (
            "\n {{ .s.x }}",
            "2:6: executing \"c/templates/t.yaml\" at <.s.x>: can't evaluate field x in type interface {}",
        ),
        (
            "{{ $x := .s }}{{ $x.y }}",
            "1:19: executing \"c/templates/t.yaml\" at <$x.y>: can't evaluate field y in type string",
        ),
        (
            "{{ upper .n }}",
            "1:9: executing \"c/templates/t.yaml\" at <.n>: wrong type for value; expected string; got int",
        ),
        (
            "{{ upper .none }}",
            "1:9: executing \"c/templates/t.yaml\" at <.none>: wrong type for value; expected string; got interface {}",
        ),
        ("{{ .none | upper }}", "1:11: executing \"c/templates/t.yaml\" at <upper>: invalid value; expected string"),
        ("{{ upper 3 }}", "1:9: executing \"c/templates/t.yaml\" at <3>: expected string; found 3"),
        ("{{ upper nil }}", "1:9: executing \"c/templates/t.yaml\" at <nil>: cannot assign nil to string"),
        (
            "{{ keys 3 }}",
            "1:8: executing \"c/templates/t.yaml\" at <3>: can't handle 3 for arg of type map[string]interface {}",
        ),
        (
            "{{ upper }}",
            "1:3: executing \"c/templates/t.yaml\" at <upper>: wrong number of args for upper: want 1 got 0",
        ),
        (
            "{{ join }}",
            "1:3: executing \"c/templates/t.yaml\" at <join>: wrong number of args for join: want at least 1 got 0",
        ),
        ("{{ nil }}", "1:3: executing \"c/templates/t.yaml\" at <nil>: nil is not a command"),
        ("{{ .n 1 }}", "1:3: executing \"c/templates/t.yaml\" at <.n>: n is not a method but has arguments"),
        ("{{ 1 2 }}", "1:3: executing \"c/templates/t.yaml\" at <1>: can't give argument to non-function 1"),
        ("{{ range .s }}{{ end }}", "1:9: executing \"c/templates/t.yaml\" at <.s>: range can't iterate over x"),
        (
            "{{ range $a, $b := 3 }}{{ end }}",
            "1:19: executing \"c/templates/t.yaml\" at <3>: can't use 3 to iterate over more than one variable",
        ),
        (
            "{{ template \"none\" }}",
            "1:12: executing \"c/templates/t.yaml\" at <{{template \"none\"}}>: template \"none\" not defined",
        ),
        ("{{ or true ($z := 1) }}{{ $z }}", "1:26: executing \"c/templates/t.yaml\" at <$z>: undefined variable: $z"),
        (
            "{{ fail \"no\" }}",
            "1:3: executing \"c/templates/t.yaml\" at <fail \"no\">: error calling fail: HELM_ERR_STARTnoHELM_ERR_END",
        ),
        (
            "{{ define \"x\" }}\n{{ upper 3 }}{{ end }}{{ include \"x\" . }}",
            "2:25: executing \"c/templates/t.yaml\" at <include \"x\" .>: error calling include: \
             template: c/templates/t.yaml:2:9: executing \"x\" at <3>: expected string; found 3",
        ),
        (
            "{{ include \"none\" . }}",
            "1:3: executing \"c/templates/t.yaml\" at <include \"none\" .>: error calling include: \
             template: no template \"none\" associated with template \"gotpl\"",
        ),
        (
            "{{ tpl \"{{ nil }}\" . }}",
            "1:3: executing \"c/templates/t.yaml\" at <tpl \"{{ nil }}\" .>: error calling tpl: error during tpl function execution \
             for \"{{ nil }}\": template: gotpl:1:3: executing \"gotpl\" at <nil>: nil is not a command",
        ),
        (
            "{{ tpl \"{{ \" . }}",
            "1:3: executing \"c/templates/t.yaml\" at <tpl \"{{ \" .>: error calling tpl: cannot parse template \"{{ \": \
             template: gotpl:1: unclosed action",
        ),
    ]);
}

#[test]
fn tpl_sees_its_own_definitions_for_its_own_time() {
    check(&[
        (
            "{{ define \"a\" }}A{{ end }}{{ tpl `{{ define \"a\" }}B{{ end }}{{ include \"a\" . }}` . }}{{ include \"a\" . }}",
            "BA",
        ),
        ("{{ define \"a\" }}A{{ end }}{{ tpl `{{ define \"a\" }} {{ end }}{{ include \"a\" . }}` . }}", "A"),
        ("{{ tpl `{{ define \"q\" }}Q{{ end }}{{ tpl \"{{ include \\\"q\\\" . }}\" . }}` . }}", "Q"),
        ("{{ tpl `{{ $x := 1 }}{{ .missing }}{{ $.n }}{{ $x }}` . }}", "31"),
        ("{{ tpl `` . }}{{ tpl ` ` . }}.", " ."),
    ]);
}

#[test]
fn recursion_ends_with_an_error() {
    let small = |text: &str| render(&mut state(), text).unwrap_err();
    let run = |text: &str| with_large_stack(|| small(text)).unwrap();
    let include = "{{ define \"x\" }}{{ include \"x\" . }}{{ end }}{{ include \"x\" . }}";
    assert!(small(include).contains("(limit: depth)"));
    let error = run(include);
    assert!(error.ends_with("rendering template has a nested reference name: x: unable to execute template"));
    assert_eq!(error.matches("error calling include").count(), 1002);
    let template = "{{ define \"x\" }}{{ template \"x\" . }}{{ end }}{{ template \"x\" . }}";
    assert!(run(template).ends_with("exceeded maximum template depth (100000)"));
    let tpl = "{{ $t := `{{ tpl .s . }}` }}{{ $d := set .m \"s\" $t }}{{ tpl $t $d }}";
    let error = run(tpl);
    assert!(error.contains("limit"), "{}", &error[..error.len().min(400)]);
}

#[test]
fn limits() {
    let mut st = state();
    st.limits.steps = 1000;
    assert_eq!(
        render(&mut st, "\n{{ range 100000 }}x{{ end }}").unwrap_err(),
        "the render would take more than 1000 steps (limit: steps), at c/templates/t.yaml:2:18"
    );
    let mut st = state();
    st.limits.output = 10;
    let error = render(&mut st, "{{ define \"x\" }}12345678901{{ end }}{{ include \"x\" . }}").unwrap_err();
    assert_eq!(error, "the render's text would exceed 10 bytes (limit: output), at c/templates/t.yaml:1:16");
}

#[test]
fn reads_are_followed_by_identity() {
    use crate::gotmpl::trace::Read;
    for (text, want) in [
        ("{{ .Values.a.b }}", "Values.a.b"),
        ("{{ $x := .Values.a }}{{ with $x }}{{ .b }}{{ end }}", "Values.a.b"),
        ("{{ $x := .Values.a.b }}{{ $x | upper }}", "Values.a.b"),
        ("{{ with .Values.a.b }}{{ . }}{{ end }}", "Values.a.b"),
        ("{{ define \"t\" }}{{ .b }}{{ end }}{{ template \"t\" .Values.a }}", "Values.a.b"),
        ("{{ define \"t\" }}{{ upper . }}{{ end }}{{ template \"t\" .Values.a.b }}", "Values.a.b"),
        ("{{ range $k, $v := .Values.a }}{{ $v }}{{ end }}", "Values.a.b"),
        ("{{ range .Values.a }}{{ . }}{{ end }}", "Values.a.b"),
        ("{{ $x := \"\" }}{{ if true }}{{ $x = .Values.a.b }}{{ end }}{{ $x }}", "Values.a.b"),
        ("{{ (same .Values.a).b }}", "Values.a.b"),
        ("{{ (list .Values.a.b 1) }}", "Values.a.b"),
        ("{{ join .Values.a.b \"x\" }}", "Values.a.b"),
        ("{{ .n }}", "n"),
        ("{{ 3 }}", ""),
    ] {
        let mut st = state();
        let heap = &mut st.heap;
        let a = heap.map_of([("b", Value::str("deep"))]);
        let values = heap.map_of([("a", Value::Map(a))]);
        let dot = heap.map_of([("Values", Value::Map(values.as_values())), ("n", Value::Int(3))]);
        let mut trace = crate::gotmpl::trace::Trace::default();
        trace.index(&st.heap, values, [(Vec::new(), dot)]);
        st.trace = Some(Box::new(trace));
        let mut set = TemplateSet::new("gotpl", Arc::new(table()));
        set.parse("f", text.as_bytes()).unwrap();
        execute(&Arc::new(set), &mut st, "f", &Value::Map(dot), &mut Vec::new()).unwrap();
        let trace = st.trace.unwrap();
        let reads = trace.made[0].pieces.iter().flat_map(|p| &p.reads);
        let keys = reads.map(|r| match r {
            Read::Key(path) => path.iter().map(|k| k.to_text().into_owned()).collect::<Vec<_>>().join("."),
            Read::Made(i) => i.to_string(),
        });
        assert_eq!(keys.collect::<Vec<_>>().join(" "), want, "{text}");
    }
}
