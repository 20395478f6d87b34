//! Charts from a few lines of YAML, and what Helm 4.3 makes of their values.

use std::sync::Arc;

use super::coalesce::coalesce_over;
use super::compose::{ObjectData, ValuesReference, compose, inline_values};
use super::{ValueOptions, coalesce_values, process_dependencies};
use crate::chart::{Chart, File, data, load, values_file};
use crate::diagnostic::LogLine;
use crate::value::{Heap, MapId, Value, json};

/// A chart of files, given as `path: text` pairs; the path of a Chart.yaml says the chart's name by its directory.
fn chart(files: &[(&str, &str)]) -> Chart {
    let file = |(name, text): &(&str, &str)| {
        let owner = name.rsplit('/').nth(1).unwrap_or("top");
        let text = if name.ends_with("Chart.yaml") {
            format!("apiVersion: v2\nname: {owner}\nversion: 1.0.0\n{text}")
        } else {
            (*text).to_string()
        };
        File { name: (*name).into(), data: text.as_bytes().into(), modified: None }
    };
    load::files(files.iter().map(file).collect(), &mut Vec::new()).unwrap()
}

fn map(heap: &mut Heap, yaml: &str) -> MapId {
    let table = values_file::read(yaml.as_bytes()).unwrap();
    data::table_to_map(heap, &table)
}

fn text(heap: &mut Heap, map: MapId) -> String {
    String::from_utf8(json::encode(heap, &Value::Map(map), false, None).unwrap()).unwrap()
}

fn lines(log: &[LogLine]) -> Vec<&str> {
    log.iter().map(|l| l.message.as_str()).collect()
}

/// YAML of a table of chance, in the flow style: nulls, scalars, tables of the same few names, globals among them.
fn table(seed: &mut u64, depth: u32) -> String {
    let mut chance = |n: u64| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % n
    };
    let mut entries = Vec::new();
    for key in ["a", "b", "global", "one", "two"] {
        entries.push(match chance(6) {
            0 => format!("{key}: null"),
            1 => format!("{key}: {}", chance(9)),
            2 => format!("{key}: [{}]", chance(9)),
            3 | 4 if depth < 4 => {
                let mut below = chance(u64::MAX);
                format!("{key}: {}", table(&mut below, depth + 1))
            }
            _ => continue,
        });
    }
    format!("{{{}}}", entries.join(", "))
}

#[test]
fn what_is_only_read_is_shared_and_comes_to_the_same() {
    let mut said = 0;
    for seed in 0..3000 {
        let mut seed = seed;
        let texts: [String; 6] = std::array::from_fn(|_| table(&mut seed, 0));
        let c = chart(&[
            ("Chart.yaml", ""),
            ("values.yaml", &texts[0]),
            ("charts/one/Chart.yaml", ""),
            ("charts/one/values.yaml", &texts[1]),
            ("charts/one/charts/two/Chart.yaml", ""),
            ("charts/one/charts/two/values.yaml", &texts[2]),
            ("charts/two/Chart.yaml", ""),
            ("charts/two/values.yaml", &texts[3]),
        ]);
        // As for a subchart, a result is coalesced over once more.
        let results = [coalesce_values, coalesce_over].map(|coalesce| {
            let (mut heap, mut log) = (Heap::new(), Vec::new());
            let user = map(&mut heap, &texts[4]);
            let before = text(&mut heap, user);
            let first = coalesce(&mut heap, &c, user, &mut log)?;
            let shown = text(&mut heap, first);
            let second = coalesce(&mut heap, &c.dependencies[0], first, &mut log)?;
            assert_eq!(text(&mut heap, user), before);
            assert_eq!(text(&mut heap, first), shown);
            let second = text(&mut heap, second);
            Ok::<_, String>((shown, second, lines(&log).join("\n")))
        });
        said += usize::from(results[0].as_ref().is_ok_and(|(.., log)| !log.is_empty()));
        assert_eq!(results[0], results[1], "{texts:#?}");
    }
    assert!(said > 100);
}

#[test]
fn user_values_lie_over_defaults() {
    for (defaults, user, want) in [
        ("a: 1\nb: 2", "a: 3", r#"{"a":3,"b":2}"#),
        ("a: {b: 1, c: 2}", "a: {b: 3}", r#"{"a":{"b":3,"c":2}}"#),
        ("a: [1, 2]", "a: [3]", r#"{"a":[3]}"#),
        // A null removes a default, and stays where there was none.
        ("a: 1", "a: null", "{}"),
        ("a: {b: 1}", "a: {b: null, c: null}", r#"{"a":{"c":null}}"#),
        ("b: 1", "a: null", r#"{"a":null,"b":1}"#),
        // Nulls of the defaults are none.
        ("a: null\nb: {c: null, d: [null]}", "{}", r#"{"b":{"d":[null]}}"#),
        ("a: {b: null}", "a: {b: null, c: 1}", r#"{"a":{"b":null,"c":1}}"#),
        ("a: {b: 1}", "a: x", r#"{"a":"x"}"#),
    ] {
        let mut heap = Heap::new();
        let user = map(&mut heap, user);
        let c = chart(&[("Chart.yaml", ""), ("values.yaml", defaults)]);
        let got = coalesce_values(&mut heap, &c, user, &mut Vec::new()).unwrap();
        assert_eq!(text(&mut heap, got), want, "{defaults} / {user:?}");
    }
}

#[test]
fn globals_go_down_and_tables_in_them_are_shared() {
    let c = chart(&[
        ("Chart.yaml", ""),
        ("values.yaml", "global: {a: {t: {x: 1}}, s: top}\nsub: {v: 1}"),
        ("charts/sub/Chart.yaml", ""),
        ("charts/sub/values.yaml", "global: {a: {t: {z: 2}}, s: sub, own: 1}\nv: 2\nw: 3"),
    ]);
    let mut heap = Heap::new();
    let user = map(&mut heap, "global: {u: 1}");
    let got = coalesce_values(&mut heap, &c, user, &mut Vec::new()).unwrap();
    assert_eq!(
        text(&mut heap, got),
        r#"{"global":{"a":{"t":{"x":1,"z":2}},"s":"top","u":1},"#.to_string()
            + r#""sub":{"global":{"a":{"t":{"x":1,"z":2}},"own":1,"s":"top","u":1},"v":1,"w":3}}"#
    );
}

#[test]
fn tables_and_scalars_in_each_others_place_are_told() {
    let files = [("Chart.yaml", ""), ("values.yaml", "a: {b: 1}\nc: 1\nd: {e: {f: 1}, g: 2}\nsub: {}")];
    let c = chart(&files);
    let mut heap = Heap::new();
    let mut log = Vec::new();
    let user = map(&mut heap, "a: x\nc: {y: 1}\nd: {e: s, g: {h: 1}}");
    coalesce_values(&mut heap, &c, user, &mut log).unwrap();
    assert_eq!(
        lines(&log),
        [
            "warning: skipped value for top.c: Not a table.",
            "warning: cannot overwrite table with non table for top.d.e (map[f:1])",
            "warning: destination for top.d.g is a table. Ignoring non-table value (2)",
        ]
    );
    let c = chart(&[("Chart.yaml", ""), ("charts/sub/Chart.yaml", "")]);
    for (user, want) in [
        ("sub: oops", "type mismatch on sub: %!t(string=oops)"),
        ("sub: true", "type mismatch on sub: true"),
        ("sub: null", "type mismatch on sub: %!t(<nil>)"),
        ("sub: [a, 1]", "type mismatch on sub: [%!t(string=a) %!t(float64=1)]"),
    ] {
        let user = map(&mut heap, user);
        assert_eq!(coalesce_values(&mut heap, &c, user, &mut Vec::new()).unwrap_err(), want);
    }
}

fn processed(files: &[(&str, &str)], user: &str) -> (Chart, Vec<LogLine>) {
    let mut c = chart(files);
    let mut heap = Heap::new();
    let mut log = Vec::new();
    let user = map(&mut heap, user);
    process_dependencies(&heap, &mut c, user, &mut log).unwrap();
    (c, log)
}

#[test]
fn conditions_tags_and_aliases_choose_subcharts() {
    let files = |dependencies: &'static str| {
        [
            ("Chart.yaml", dependencies),
            ("charts/a/Chart.yaml", ""),
            ("charts/b/Chart.yaml", ""),
            ("charts/c/Chart.yaml", ""),
        ]
    };
    for (dependencies, user, want) in [
        ("", "a: {enabled: false}", vec!["a", "b", "c"]),
        ("dependencies: [{name: a, version: '*', condition: a.enabled}]", "a: {enabled: false}", vec!["b", "c"]),
        ("dependencies: [{name: a, version: '*', condition: 'x.y,a.enabled'}]", "{}", vec!["b", "c", "a"]),
        ("dependencies: [{name: a, version: '*', tags: [t, u]}]", "tags: {t: false}", vec!["b", "c"]),
        ("dependencies: [{name: a, version: '*', tags: [t, u]}]", "tags: {t: false, u: true}", vec!["b", "c", "a"]),
        (
            "dependencies: [{name: a, version: '*', tags: [t], condition: a.up}]",
            "tags: {t: false}\na: {up: true}",
            vec!["b", "c", "a"],
        ),
        (
            "dependencies: [{name: b, version: '*', alias: z}, {name: b, version: '*', alias: w}]",
            "{}",
            vec!["a", "c", "z", "w"],
        ),
        // A version that does not fit is as if it were not named.
        ("dependencies: [{name: a, version: '>2'}]", "{}", vec!["a", "b", "c"]),
    ] {
        let (c, _) = processed(&files(dependencies), user);
        let names: Vec<&str> = c.dependencies.iter().map(Chart::name).collect();
        assert_eq!(names, want, "{dependencies} / {user}");
    }
    let (_, log) =
        processed(&files("dependencies: [{name: a, version: '*', condition: x, tags: [t]}]"), "x: 1\ntags: {t: 1}");
    let attrs: Vec<_> = log.iter().map(|l| (l.message.as_str(), l.attrs[0].clone())).collect();
    assert_eq!(
        attrs,
        [("returned non-bool value", ("tag", "t".to_string())), ("returned non-bool value", ("path", "x".to_string())),]
    );
}

#[test]
fn children_export_values() {
    let (c, log) = processed(
        &[
            (
                "Chart.yaml",
                "dependencies:\n- name: sub\n  version: '*'\n  import-values: [data, {child: t, parent: a.b}, {child: gone, parent: .}, 7]\n",
            ),
            ("values.yaml", "own: 1\na: {b: {x: top}}\nnil: null"),
            ("charts/sub/Chart.yaml", ""),
            ("charts/sub/values.yaml", "exports: {data: {own: 2, more: 3}}\nt: {x: sub, z: 4}"),
        ],
        "{}",
    );
    let mut heap = Heap::new();
    let values = data::table_to_map(&mut heap, c.values.as_ref().unwrap());
    assert_eq!(
        text(&mut heap, values),
        r#"{"a":{"b":{"x":"top","z":4}},"more":3,"nil":null,"own":1,"#.to_string()
            + r#""sub":{"exports":{"data":{"more":3,"own":2}},"global":{},"t":{"x":"sub","z":4}}}"#
    );
    assert_eq!(lines(&log), ["ImportValues missing table from chart"]);
    assert_eq!(log[0].attrs, [("chart", "sub".to_string()), ("error", "\"gone\" is not a table".to_string())]);
    let imports: Vec<Value> = c.metadata.dependencies[0].import_values.iter().map(|v| v.to_value(&mut heap)).collect();
    let imports = Value::List(heap.list_of(imports));
    assert_eq!(
        json::encode(&mut heap, &imports, false, None).unwrap(),
        br#"[{"child":"exports.data","parent":"."},{"child":"t","parent":"a.b"},{"child":"gone","parent":"."}]"#
    );
}

#[test]
fn values_that_would_contain_themselves_are_refused() {
    // The parent imports a table of the child into that very table; Helm's stack overflows here.
    let mut heap = Heap::new();
    let inner = heap.new_map();
    heap.map_mut(inner).insert("self", Value::Map(inner));
    let c = chart(&[("Chart.yaml", "")]);
    let error = coalesce_values(&mut heap, &c, inner, &mut Vec::new()).unwrap_err();
    assert_eq!(error, "values are nested more than 1000 deep, or contain themselves");
}

#[test]
fn flags_are_merged_in_helms_order() {
    let files = |path: &str| match path {
        "a.yaml" => Ok(b"x: {a: 1, b: 1, c: 1, d: 1, e: 1, f: 1}\n---\nx: {g: 1}".to_vec()),
        "b.yaml" => Ok(b"x: {b: 2, c: 2, d: 2, e: 2, f: 2}".to_vec()),
        "text" => Ok(b"file\n".to_vec()),
        _ => Err(format!("open {path}: no such file or directory")),
    };
    let v = |items: &[&str]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
    let all = ValueOptions {
        files: v(&["a.yaml", "b.yaml"]),
        json: v(&[r#"{"x": {"c": 3}}"#, "x.d=[3]"]),
        set: v(&["x.d=4,x.e=4"]),
        set_string: v(&["x.e=5"]),
        set_file: v(&["x.f=text"]),
        set_literal: v(&["x.h=1,2"]),
    };
    let mut heap = Heap::new();
    let got = all.merge(&mut heap, &mut |p| files(p)).unwrap();
    assert_eq!(text(&mut heap, got), r#"{"x":{"a":1,"b":2,"c":3,"d":4,"e":"5","f":"file\n","g":1,"h":"1,2"}}"#);
    for (options, want) in [
        (ValueOptions { files: v(&["no"]), ..Default::default() }, "open no: no such file or directory"),
        (
            ValueOptions { files: v(&["text", "a.yaml"]), ..Default::default() },
            "failed to parse text: cannot unmarshal yaml document: error unmarshaling JSON: while decoding JSON: \
             json: cannot unmarshal string into Go value of type map[string]interface {}",
        ),
        (ValueOptions { json: v(&["{"]), ..Default::default() }, "failed parsing --set-json data JSON: {"),
        (ValueOptions { set: v(&["a"]), ..Default::default() }, "failed parsing --set data: key \"a\" has no value"),
        (
            ValueOptions { set_file: v(&["a=no"]), ..Default::default() },
            "failed parsing --set-file data: open no: no such file or directory",
        ),
    ] {
        assert_eq!(options.merge(&mut heap, &mut |p| files(p)).unwrap_err(), want);
    }
}

/// Flux's precedence follows from what shares a map with what.
#[test]
fn target_paths_win_only_where_they_write_into_the_inline_values() {
    for (inline, earlier, path, want) in [
        ("pw: inline", "", "pw", r#"{"pw":"inline"}"#),
        ("a: {pw: inline}", "", "a.pw", r#"{"a":{"pw":"SECRET"}}"#),
        ("a: {pw: inline}", "a: {c: 1}", "a.pw", r#"{"a":{"c":1,"pw":"inline"}}"#),
        ("a: {x: inline}", "a: {c: 1}", "a.pw", r#"{"a":{"c":1,"pw":"SECRET","x":"inline"}}"#),
        ("l: [i0, i1]", "", "l[0]", r#"{"l":["SECRET","i1"]}"#),
        ("l: [i0]", "", "l[1]", r#"{"l":["i0"]}"#),
    ] {
        let mut heap = Heap::new();
        let inline_id = inline_values(&mut heap, inline.as_bytes());
        let secret = |key: &str| ValuesReference {
            kind: "Secret".into(),
            name: "s".into(),
            values_key: key.into(),
            ..Default::default()
        };
        let mut refs = vec![ValuesReference { target_path: path.into(), ..secret("v") }];
        if !earlier.is_empty() {
            refs.insert(0, secret("earlier"));
        }
        let object = ObjectData::from([("v".to_string(), b"SECRET".to_vec()), ("earlier".to_string(), earlier.into())]);
        let mut fetch = |_: &str, _: &str| Ok(Some(object.clone()));
        let got = compose(&mut heap, "ns", Some(inline_id), &refs, &mut fetch, &mut Vec::new()).unwrap();
        assert_eq!(text(&mut heap, got), want, "{inline} / {earlier} / {path}");
    }
}

#[test]
fn references_that_cannot_be_resolved_are_told_in_flux_words() {
    let reference =
        |kind: &str, optional| ValuesReference { kind: kind.into(), name: "o".into(), optional, ..Default::default() };
    let run = |refs: &[ValuesReference]| {
        let (mut heap, mut log) = (Heap::new(), Vec::new());
        let data = ObjectData::from([("other".to_string(), Vec::new())]);
        let mut fetch = |kind: &str, _: &str| Ok((kind == "ConfigMap").then(|| data.clone()));
        let got = compose(&mut heap, "ns1", None, refs, &mut fetch, &mut log);
        (got.map(|m| text(&mut heap, m)), log.len())
    };
    let wrong = |why: &str| Err(format!("could not resolve {why}"));
    for (refs, want, logged) in [
        (
            vec![reference("Secret", false)],
            wrong("Secret chart values reference 'ns1/o' with key 'values.yaml': secrets \"o\" not found"),
            0,
        ),
        (vec![reference("Secret", true)], Ok("{}".to_string()), 1),
        (
            vec![reference("Secret", true), reference("Secret", false)],
            wrong("Secret chart values reference 'ns1/o' with key 'values.yaml': resource not found"),
            1,
        ),
        (
            vec![reference("ConfigMap", false)],
            wrong("ConfigMap chart values reference 'ns1/o' with key 'values.yaml': key not found"),
            0,
        ),
        (vec![reference("ConfigMap", true)], Ok("{}".to_string()), 1),
        (
            vec![reference("Pod", true)],
            wrong(
                "optional Pod chart values reference 'ns1/o' with key 'values.yaml': unsupported values reference kind",
            ),
            0,
        ),
    ] {
        assert_eq!(run(&refs), (want, logged), "{refs:?}");
    }
}

#[test]
fn charts_are_shared_between_renders() {
    fn shareable<T: Send + Sync>(_: &T) {}
    let c = Arc::new(chart(&[("Chart.yaml", ""), ("values.yaml", "a: 1")]));
    shareable(&c);
}
