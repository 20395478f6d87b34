//! Tables whose answers Helm's parser gave.

use super::*;

fn show(heap: &Heap, v: &Value) -> String {
    match v {
        Value::Nil => "null".into(),
        Value::Bool(b) => b.to_string(),
        Value::Int64(n) => format!("{n}"),
        Value::Float(f) => format!("{f:?}"),
        Value::Str(s) => format!("{s:?}"),
        Value::List(l) => {
            let items: Vec<_> = heap.list(*l).items.iter().map(|v| show(heap, v)).collect();
            format!("[{}]", items.join(","))
        }
        Value::Map(m) => {
            let items: Vec<_> = heap.map(*m).iter().map(|(k, v)| format!("{k}:{}", show(heap, v))).collect();
            format!("{{{}}}", items.join(","))
        }
        other => format!("{other:?}"),
    }
}

type Parse = fn(&mut Heap, MapId, &[u8]) -> Result<(), String>;

fn check(parse: Parse, table: &[(&str, &str, &str)]) {
    for &(text, want, err) in table {
        let mut heap = Heap::new();
        let dest = heap.new_map();
        let result = parse(&mut heap, dest, text.as_bytes());
        assert_eq!(show(&heap, &Value::Map(dest)), want, "{text}");
        assert_eq!(result.err().unwrap_or_default(), err, "{text}");
    }
}

#[test]
fn typed_values() {
    check(
        parse_into,
        &[
            ("a=1,b=true,c=NULL,d=01,e=1.5,f=", r#"{a:1,b:true,c:null,d:"01",e:"1.5",f:""}"#, ""),
            ("a.b.c=x,a.b.d=-5", r#"{a:{b:{c:"x",d:-5}}}"#, ""),
            ("a={x,1,}", r#"{a:["x",1,""]}"#, ""),
            ("a[2]=x", r#"{a:[null,null,"x"]}"#, ""),
            ("a[0].b=1,a[0].c=2,a[1][1]=3", "{a:[{b:1,c:2},[null,3]]}", ""),
            (r"a\.b=x\,y", r#"{a.b:"x,y"}"#, ""),
            ("a", "{}", "key \"a\" has no value"),
            ("a=1,b", "{a:1}", "key \"b\" has no value"),
            ("a,", r#"{a:""}"#, "key \"a\" has no value (cannot end with ,)"),
            ("a.=1", "{}", "key map \"a\" has no value"),
            ("a={x", "{}", "list must terminate with '}'"),
            ("a[-1]=x", "{a:[]}", "negative -1 index not allowed"),
            ("a[65537]=x", "{a:[]}", "index of 65537 is greater than maximum supported index of 65536"),
            ("a[0]x=1", "{a:[]}", "unexpected data at end of array index: ['x']"),
            ("a[x]=1", "{}", "error parsing index: strconv.Atoi: parsing \"x\": invalid syntax"),
            ("a[0", "{}", ""),
            (
                "a=1,a.b=2",
                "{a:1}",
                "unable to parse key: interface conversion: interface {} is int64, not map[string]interface {}",
            ),
            (
                "a=null,a[0]=2",
                "{a:null}",
                "unable to parse key: interface conversion: interface {} is nil, not []interface {}",
            ),
            ("a=fal\u{17F}e", "{a:false}", ""),
        ],
    );
    let nested = |n: usize| format!("{}=1", ["a"; 32][..n].join("."));
    let mut heap = Heap::new();
    assert!(parse(&mut heap, nested(31).as_bytes()).is_ok());
    assert_eq!(
        parse(&mut heap, nested(32).as_bytes()).unwrap_err(),
        "value name nested level is greater than maximum supported nested level of 30"
    );
    assert!(parse(&mut heap, format!("a{}=1", "[0]".repeat(100_000)).as_bytes()).is_err());
}

#[test]
fn strings() {
    check(parse_into_string, &[("a=1,b={1,x}", r#"{a:"1",b:["1","x"]}"#, "")]);
}

#[test]
fn json() {
    check(
        parse_json,
        &[
            (r#"a={"b":[1,null]} ,b="x",c="#, r#"{a:{b:[1.0,null]},b:"x",c:null}"#, ""),
            ("a=1x", "{a:1.0}", "key \"x\" has no value"),
            ("a=[1,", "{}", "unexpected EOF"),
            ("a=tru", "{}", "unexpected EOF"),
            ("a=tru ", "{}", "invalid character ' ' in literal true (expecting 'e')"),
            ("a=\"\\u00", "{}", "unexpected EOF"),
            ("a=\"\\u00g", "{}", "invalid character 'g' in \\u hexadecimal character escape"),
            ("a=1e999", "{}", "json: cannot unmarshal number 1e999 into Go value of type float64"),
            ("a=x", "{}", "invalid character 'x' looking for beginning of value"),
            ("a=[1}", "{}", "invalid character '}' after array element"),
            ("a[1]=2", "{a:[null,2.0]}", ""),
        ],
    );
}

#[test]
fn literal() {
    check(
        parse_literal_into,
        &[
            (r"a.b=x,y\,{z}", r#"{a:{b:"x,y\\,{z}"}}"#, ""),
            ("a[1]=x,b=1", r#"{a:[null,"x,b=1"]}"#, ""),
            ("a", "{}", "key \"a\" has no value"),
        ],
    );
}

#[test]
fn files() {
    let mut heap = Heap::new();
    let dest = heap.new_map();
    let mut read = |path: &str| match path {
        "good" => Ok(Value::str("text")),
        _ => Err(format!("open {path}: no such file or directory")),
    };
    parse_into_file(&mut heap, dest, b"a=good,b={good}", &mut read).unwrap();
    assert_eq!(show(&heap, &Value::Map(dest)), r#"{a:"text",b:["text"]}"#);
    let mut read = |path: &str| Err(format!("open {path}: no such file or directory"));
    let err = parse_into_file(&mut heap, dest, b"c=bad", &mut read).unwrap_err();
    assert_eq!(err, "open bad: no such file or directory");
    assert_eq!(show(&heap, &Value::Map(dest)), r#"{a:"text",b:["text"],c:null}"#);
}
