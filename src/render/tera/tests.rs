//! What a chart's author can rely on.

use super::*;
use crate::value::json;

fn dot(heap: &mut Heap) -> Value {
    let text = br#"{
        "Values": {"name": "web", "port": 8080, "ratio": 0.5, "labels": {"b": "2", "a": "1"}, "hosts": ["x.io", "y.io"], "none": null},
        "Release": {"Name": "rel", "Namespace": "ns1"},
        "Chart": {"Name": "c", "Version": "1.2.3"},
        "Files": {"config/a.txt": "A", "config/b.ini": "B", "README.md": "R"}
    }"#;
    json::decode(heap, text).unwrap()
}

fn try_render(files: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
    let mut heap = Heap::new();
    let context = dot(&mut heap);
    let files: Vec<(String, &[u8])> = files.iter().map(|(p, t)| (format!("c/templates/{p}"), t.as_bytes())).collect();
    let out = render(&mut heap, &files, &context)?;
    Ok(out.into_iter().map(|(p, t)| (p, String::from_utf8(t).unwrap())).collect())
}

fn one(text: &str) -> Result<String, String> {
    try_render(&[("t.yaml.tera", text)]).map(|mut out| out.remove(0).1)
}

#[test]
fn values_and_helms_functions() {
    for (text, want) in [
        ("{{ Values.name }}:{{ Values.port }} {{ Values.ratio }}", "web:8080 0.5"),
        ("{{ Release.Name }}-{{ Chart.Name | upper }}", "rel-C"),
        ("{% for k, v in Values.labels %}{{ k }}={{ v }};{% endfor %}", "a=1;b=2;"),
        ("{{ Values.labels | to_yaml }}", "a: \"1\"\nb: \"2\""),
        ("x:{{ Values.labels | to_yaml | nindent(width=2) }}", "x:\n  a: \"1\"\n  b: \"2\""),
        ("{{ Values.hosts | to_json }}", "[\"x.io\",\"y.io\"]"),
        ("{{ Values.name | quote }} {{ Values.name | squote }} {{ Values.port | quote }}", "\"web\" 'web' \"8080\""),
        ("{{ Values.name | b64enc }} {{ 'd2Vi' | b64dec }}", "d2Vi web"),
        ("{{ Values.name | sha256sum | trunc(length=8) }}", "4b5e57f6"),
        ("{{ 'abc-' | trim_suffix(suffix='-') }} {{ Values.port | trunc(length=2) }}", "abc 80"),
        ("{{ Values.nope | default(value='d') }} {{ Values.name | required(message='m') }}", "d web"),
        ("{{ 'a1b2' | regex_replace(pattern='[0-9]', with='<$0>') }}", "a<1>b<2>"),
        ("{{ Chart.Version | semver_compare(constraint='^1.2.0') }}", "true"),
        (
            "{{ Files['config/a.txt'] }} {% for p, t in files(glob='config/*') %}{{ p | base }}:{{ t }} {% endfor %}",
            "A a.txt:A b.ini:B ",
        ),
        ("{{ '<a> & \"b\"' }}", "<a> & \"b\""),
        ("{{ Template.Name }} {{ Template.BasePath }}", "c/templates/t.yaml.tera c/templates"),
        ("{{ 'a: [1, x]' | from_yaml | get(key='a') | to_json }}", "[1,\"x\"]"),
        (
            "{% component c(a) -%} a: {{ a }} {%- endcomponent c %}x:{{- <c a={Values.port}/> | nindent(width=2) }}",
            "x:\n  a: 8080",
        ),
        ("{{ 'a\n\nb' | indent(width=2, first=true, blank=true) }}", "  a\n  \n  b"),
        ("{{ Values.labels | merge(with={\"c\": 3}) | to_json }}", "{\"a\":\"1\",\"b\":\"2\",\"c\":3}"),
        ("{{ Values.a?.b | default(value=1) }}", "1"),
        ("{{ 'http://h:1/p' | url_parse | get(key='host') }} {{ 'abc' | substr(start=0, end=2) }}", "h:1 ab"),
        ("{% if 'x.io' in Values.hosts %}yes{% endif %}", "yes"),
    ] {
        assert_eq!(one(text).as_deref(), Ok(want), "{text}");
    }
}

#[test]
fn every_filter_has_its_function() {
    for (filter, function, args) in filters::FILTERS {
        let undefined = one(&format!("{{{{ 'x' | {filter} }}}}"));
        let needs = args.len() > 1;
        match undefined {
            Ok(_) => assert!(!needs, "{filter} took no arguments"),
            Err(e) => assert!(!e.contains("Unknown filter"), "{filter}: there is no function {function}: {e}"),
        }
    }
}

#[test]
fn templates_share_blocks_and_components() {
    let files = [
        ("_base.tera", "kind: {% block kind %}None{% endblock %}\n{{<labels app={Values.name}/>}}"),
        ("_lib/labels.tera", "{% component labels(app) %}app: {{ app | quote }}{% endcomponent labels %}"),
        ("sub/a.yaml.tera", "{% extends \"_base.tera\" %}{% block kind %}Pod{% endblock %}"),
        ("b.yaml.tera", "{% include \"_base.tera\" %}"),
    ];
    let want = [
        ("c/templates/_lib/labels", ""),
        ("c/templates/sub/a.yaml", "kind: Pod\napp: \"web\""),
        ("c/templates/b.yaml", "kind: None\napp: \"web\""),
    ];
    let want: Vec<(String, String)> = want.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect();
    assert_eq!(try_render(&files).unwrap(), want);
}

#[test]
fn errors_name_file_and_line() {
    for (text, want) in [
        ("a\n{{ Values.nope }}", "c/templates/t.yaml.tera:2:11: "),
        ("a\n\n{% if %}", "c/templates/t.yaml.tera:3:"),
        ("{{ Values.none | required(message=\"give a name\") }}", "give a name"),
        ("{{ Values.name | shout }}", "Unknown filter `shout`"),
        ("{{ Values.hosts | trunc(length=3) }}", "trunc: the value must be a string, not array"),
        ("{{ 'x' | trunc(length='y') }}", "trunc: `length` must be an integer, not string"),
        ("{% component a() %}{{<a/>}}{% endcomponent %}{{<a/>}}", "recursion depth"),
        ("{% include \"none.tera\" %}", "none.tera"),
    ] {
        let e = one(text).unwrap_err();
        assert!(e.contains(want) && e.contains("c/templates/t.yaml.tera"), "{text}: {e}");
    }
    let mut heap = Heap::new();
    let context = dot(&mut heap);
    let files: [(String, &[u8]); 1] = [("c/templates/x.tera".into(), b"ab\xff")];
    assert_eq!(render(&mut heap, &files, &context).unwrap_err(), "c/templates/x.tera: not UTF-8 after byte 2");
}

#[test]
fn values_that_contain_themselves_are_refused() {
    let mut heap = Heap::new();
    let map = heap.new_map();
    heap.map_mut(map).insert("self", Value::Map(map));
    let e = render(&mut heap, &[], &Value::Map(map)).unwrap_err();
    assert_eq!(e, "values for Tera: nested deeper than 100");
}

#[test]
fn each_chart_has_its_own_dot_and_templates() {
    let mut heap = Heap::new();
    let values = |heap: &mut Heap, n: i64| {
        let values = heap.map_of([("n", Value::Int(n))]);
        heap.map_of([("Values", Value::Map(values))])
    };
    let (parent, child) = (values(&mut heap, 1), values(&mut heap, 2));
    let files: [(&str, &[u8], MapId); 4] = [
        ("c/templates/a.tera", b"{% include \"_x.tera\" %}", parent),
        ("c/charts/s/templates/a.tera", b"{% include \"_x.tera\" %}", child),
        ("c/templates/_x.tera", b"parent {{ Values.n }}", parent),
        ("c/charts/s/templates/_x.tera", b"child {{ Values.n }}", child),
    ];
    let out = render_charts(&mut heap, files).unwrap();
    let text = |path: &str| String::from_utf8_lossy(&out[path]).into_owned();
    assert_eq!(out.len(), 2);
    assert_eq!(text("c/templates/a"), "parent 1");
    assert_eq!(text("c/charts/s/templates/a"), "child 2");
}

#[test]
fn paths_of_charts_and_subcharts() {
    for (path, want) in [
        ("c/templates/a/b.tera", Some(("c/templates", "a/b.tera"))),
        ("c/charts/templates/templates/x.tera", Some(("c/charts/templates/templates", "x.tera"))),
        ("templates/templates/templates/x.tera", Some(("templates/templates", "templates/x.tera"))),
        ("c/x.tera", None),
    ] {
        assert_eq!(split_path(path), want);
    }
}

#[test]
fn the_example_chart_renders() {
    let files = [
        ("_lib.tera", include_str!("../../../charts/tera-example/templates/_lib.tera")),
        ("deployment.yaml.tera", include_str!("../../../charts/tera-example/templates/deployment.yaml.tera")),
    ];
    let mut heap = Heap::new();
    let values = include_bytes!("../../../charts/tera-example/values.yaml");
    let values = crate::yaml::to_value(&mut heap, values).unwrap();
    if let Value::Map(m) = values {
        let more = heap.map_of([("team", Value::str("blue"))]);
        heap.map_mut(m).insert("labels", Value::Map(more));
    }
    let chart = heap.map_of([("Name", Value::str("tera-example")), ("AppVersion", Value::str("1.27"))]);
    let release = heap.map_of([("Name", Value::str("rel"))]);
    let context = heap.map_of([("Values", values), ("Chart", Value::Map(chart)), ("Release", Value::Map(release))]);
    let files: Vec<(String, &[u8])> =
        files.iter().map(|(p, t)| (format!("tera-example/templates/{p}"), t.as_bytes())).collect();
    let out = render(&mut heap, &files, &Value::Map(context)).unwrap();
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].0, "tera-example/templates/deployment.yaml");
    let want = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: rel-web
  labels:
    app.kubernetes.io/name: tera-example
    app.kubernetes.io/instance: rel
    team: blue
spec:
  replicas: 2
  selector:
    matchLabels:
      app.kubernetes.io/name: tera-example
      app.kubernetes.io/instance: rel
  template:
    metadata:
      labels:
        app.kubernetes.io/name: tera-example
        app.kubernetes.io/instance: rel
        team: blue
      annotations:
        checksum/env: \"ce705679c69d8e0e\"
    spec:
      containers:
        - name: web
          image: nginx:1.27
          ports:
            - name: http
              containerPort: 8080
          env:
            - name: LOG_LEVEL
              value: \"info\"
";
    assert_eq!(String::from_utf8_lossy(&out[0].1), want);
}
