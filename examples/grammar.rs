//! Random templates over random values: questions for any engine that reads the conformance format.
//!
//! `cargo run --release --example grammar -- COUNT SEED > questions.jsonl`. Put through the real engine, the lines become vectors for the
//! `conformance` runner. The grammar is typed, so that most templates execute: an expression of a type is a literal, a value, or a function
//! with arguments of the types that it takes (rarely of another, for errors). What Go answers differently from run to run stays out.

use std::io::Write;

use serde_json::{Map, Value, json};

/// splitmix64: the same questions for the same seed, everywhere.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ty {
    Str,
    Int,
    Float,
    Bool,
    List,
    Dict,
    Any,
}
use Ty::{Any, Bool, Dict, Float, Int, List, Str};

const TEXTS: [&str; 40] = [
    "",
    "a",
    "hello",
    "Hello World",
    "foo-bar_baz",
    "  padded  ",
    "line one\nline two\n",
    "x: y",
    "- item",
    "true",
    "yes",
    "null",
    "~",
    "007",
    "0x1F",
    "1e3",
    "12:30:45",
    "3.14",
    "-5",
    "héllo wörld",
    "日本語",
    "quote\"inside",
    "it's",
    "back\\slash",
    "tab\there",
    "#comment",
    "a,b,c",
    "{{ not }}",
    "%d %s",
    "<b>&amp;</b>",
    "very long text that goes on past the eightieth column so that folding has something to do in it",
    "trailing ",
    "\n",
    "2024-02-29",
    "1.2.3",
    "v1.2.3-rc.1+meta",
    "[x]",
    "{y}",
    "a.b.c",
    "/usr/local/../bin",
];
const KEYS: [&str; 12] = ["a", "b", "c", "name", "on", "x-y", "a.b", "10", "9", "Z", "é", "true"];

/// Function templates: result type, name, argument types. `*` after the last type means one to three of it.
const FUNCTIONS: &[(Ty, &str, &[Ty], bool)] = &[
    (Str, "upper", &[Str], false),
    (Str, "lower", &[Str], false),
    (Str, "title", &[Str], false),
    (Str, "untitle", &[Str], false),
    (Str, "trim", &[Str], false),
    (Str, "trimAll", &[Str, Str], false),
    (Str, "trimSuffix", &[Str, Str], false),
    (Str, "trimPrefix", &[Str, Str], false),
    (Str, "nospace", &[Str], false),
    (Str, "initials", &[Str], false),
    (Str, "swapcase", &[Str], false),
    (Str, "snakecase", &[Str], false),
    (Str, "camelcase", &[Str], false),
    (Str, "kebabcase", &[Str], false),
    (Str, "quote", &[Any], true),
    (Str, "squote", &[Any], true),
    (Str, "trunc", &[Int, Str], false),
    (Str, "substr", &[Int, Int, Str], false),
    (Str, "repeat", &[Int, Str], false),
    (Str, "indent", &[Int, Str], false),
    (Str, "nindent", &[Int, Str], false),
    (Str, "replace", &[Str, Str, Str], false),
    (Str, "plural", &[Str, Str, Int], false),
    (Str, "abbrev", &[Int, Str], false),
    (Str, "abbrevboth", &[Int, Int, Str], false),
    (Str, "wrap", &[Int, Str], false),
    (Str, "wrapWith", &[Int, Str, Str], false),
    (Str, "cat", &[Any], true),
    (Str, "b64enc", &[Str], false),
    (Str, "b64dec", &[Str], false),
    (Str, "b32enc", &[Str], false),
    (Str, "b32dec", &[Str], false),
    (Str, "sha256sum", &[Str], false),
    (Str, "sha1sum", &[Str], false),
    (Str, "adler32sum", &[Str], false),
    (Str, "toString", &[Any], false),
    (Str, "toJson", &[Any], false),
    (Str, "toPrettyJson", &[Any], false),
    (Str, "toRawJson", &[Any], false),
    (Str, "toYaml", &[Any], false),
    (Str, "toYamlPretty", &[Any], false),
    (Str, "toToml", &[Dict], false),
    (Str, "join", &[Str, List], false),
    (Str, "typeOf", &[Any], false),
    (Str, "kindOf", &[Any], false),
    (Str, "print", &[Any], true),
    (Str, "println", &[Any], true),
    (Str, "html", &[Any], true),
    (Str, "js", &[Any], true),
    (Str, "urlquery", &[Any], true),
    (Str, "base", &[Str], false),
    (Str, "dir", &[Str], false),
    (Str, "ext", &[Str], false),
    (Str, "clean", &[Str], false),
    (Str, "osBase", &[Str], false),
    (Str, "regexQuoteMeta", &[Str], false),
    (Str, "squote", &[Str], true),
    (Int, "len", &[Str], false),
    (Int, "len", &[List], false),
    (Int, "len", &[Dict], false),
    (Int, "add", &[Int], true),
    (Int, "sub", &[Int, Int], false),
    (Int, "mul", &[Int, Int], true),
    (Int, "div", &[Int, Int], false),
    (Int, "mod", &[Int, Int], false),
    (Int, "add1", &[Int], false),
    (Int, "max", &[Int, Int], true),
    (Int, "min", &[Int, Int], true),
    (Int, "int", &[Any], false),
    (Int, "int64", &[Any], false),
    (Int, "atoi", &[Str], false),
    (Int, "toDecimal", &[Any], false),
    (Int, "biggest", &[Int, Int], true),
    (Float, "float64", &[Any], false),
    (Float, "addf", &[Float], true),
    (Float, "subf", &[Float, Float], true),
    (Float, "mulf", &[Float, Float], true),
    (Float, "divf", &[Float, Float], true),
    (Float, "maxf", &[Float, Float], true),
    (Float, "minf", &[Float, Float], true),
    (Float, "floor", &[Any], false),
    (Float, "ceil", &[Any], false),
    (Float, "round", &[Any, Int], false),
    (Bool, "contains", &[Str, Str], false),
    (Bool, "hasPrefix", &[Str, Str], false),
    (Bool, "hasSuffix", &[Str, Str], false),
    (Bool, "empty", &[Any], false),
    (Bool, "not", &[Any], false),
    (Bool, "eq", &[Str, Str], false),
    (Bool, "eq", &[Int, Int], false),
    (Bool, "ne", &[Str, Str], false),
    (Bool, "lt", &[Int, Int], false),
    (Bool, "le", &[Str, Str], false),
    (Bool, "gt", &[Float, Float], false),
    (Bool, "ge", &[Int, Int], false),
    (Bool, "has", &[Any, List], false),
    (Bool, "hasKey", &[Dict, Str], false),
    (Bool, "kindIs", &[Str, Any], false),
    (Bool, "typeIs", &[Str, Any], false),
    (Bool, "deepEqual", &[Any, Any], false),
    (Bool, "all", &[Any], true),
    (Bool, "any", &[Any], true),
    (Bool, "isAbs", &[Str], false),
    (Bool, "eq", &[Any, Any], false),
    (List, "list", &[Any], true),
    (List, "first", &[List], false),
    (List, "rest", &[List], false),
    (List, "initial", &[List], false),
    (List, "append", &[List, Any], false),
    (List, "prepend", &[List, Any], false),
    (List, "concat", &[List, List], true),
    (List, "reverse", &[List], false),
    (List, "uniq", &[List], false),
    (List, "without", &[List, Any], true),
    (List, "compact", &[List], false),
    (List, "slice", &[List, Int, Int], false),
    (List, "until", &[Int], false),
    (List, "untilStep", &[Int, Int, Int], false),
    (List, "sortAlpha", &[List], false),
    (List, "splitList", &[Str, Str], false),
    (List, "chunk", &[Int, List], false),
    (List, "toStrings", &[List], false),
    (List, "fromJsonArray", &[Str], false),
    (List, "fromYamlArray", &[Str], false),
    (List, "tuple", &[Any], true),
    (Str, "seq", &[Int, Int], false),
    (Str, "seq", &[Int], false),
    (Str, "seq", &[Int, Int, Int], false),
    (Dict, "merge", &[Dict, Dict], true),
    (Dict, "mergeOverwrite", &[Dict, Dict], true),
    (Dict, "deepCopy", &[Dict], false),
    (Dict, "pick", &[Dict, Str], true),
    (Dict, "omit", &[Dict, Str], true),
    (Dict, "set", &[Dict, Str, Any], false),
    (Dict, "unset", &[Dict, Str], false),
    (Dict, "fromJson", &[Str], false),
    (Dict, "fromYaml", &[Str], false),
    (Dict, "split", &[Str, Str], false),
    (Dict, "splitn", &[Str, Int, Str], false),
    (Dict, "fromToml", &[Str], false),
    (Dict, "dict", &[Str, Any], false),
    (Dict, "urlParse", &[Str], false),
    (Any, "get", &[Dict, Str], false),
    (Any, "default", &[Any, Any], false),
    (Any, "coalesce", &[Any], true),
    (Any, "ternary", &[Any, Any, Bool], false),
    (Any, "first", &[List], false),
    (Any, "last", &[List], false),
    (Any, "index", &[Dict, Str], false),
    (Any, "index", &[List, Int], false),
    (Any, "and", &[Any], true),
    (Any, "or", &[Any], true),
    (Any, "dig", &[Str, Any, Dict], false),
    (Any, "deepCopy", &[Any], false),
    (Any, "pluck", &[Str, Dict], true),
    (Bool, "semverCompare", &[Str, Str], false),
    (Str, "regexFind", &[Str, Str], false),
    (Bool, "regexMatch", &[Str, Str], false),
    (Str, "regexReplaceAll", &[Str, Str, Str], false),
    (List, "regexSplit", &[Str, Str, Int], false),
    (List, "regexFindAll", &[Str, Str, Int], false),
    (Str, "durationRound", &[Any], false),
    (Str, "duration", &[Any], false),
    (Str, "hello", &[], false),
    (Str, "required", &[Str, Any], false),
];
const PATTERNS: [&str; 12] =
    ["a", "[a-z]+", "^h", "o.*$", "(l+)(o)", r"\\d+", "(?i)HELLO", "x*", "[^a-c]", r"\\bfoo\\b", "(a|b)", r"\\s"];
const FORMATS: [&str; 16] =
    ["%v", "%s", "%d", "%q", "%5d|", "%-8s|", "%05.2f", "%x", "%T", "%t", "%+v", "%#v", "%e", "%g", "%c", "%%"];
const CONSTRAINTS: [&str; 8] = [">=1.2.0", "^1.2", "~1.2.3", ">1.0.0-0 <3", "1.x || 2.x", "*", "1.2 - 2.3", "!=1.2.3"];

struct Gen {
    rng: Rng,
    vars: Vec<(String, Ty)>,
}

impl Gen {
    fn scalar(&mut self) -> Value {
        match self.rng.below(9) {
            0 => Value::Null,
            1 => json!(self.rng.chance(50)),
            2 => json!(self.rng.below(200) as i64 - 100),
            3 => json!([0.5, 1.25, -3.75, 1e6, 1e21, 123456789.0, 1e-7, 100000.0, 2.0][self.rng.below(9)]),
            4 => json!(self.rng.next() >> 20),
            _ => json!(self.rng.pick(&TEXTS)),
        }
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.rng.below(if depth == 0 { 4 } else { 8 }) {
            4 | 5 => (0..self.rng.below(4)).map(|_| self.value(depth - 1)).collect(),
            6 | 7 => Value::Object(self.map(depth - 1)),
            _ => self.scalar(),
        }
    }

    fn map(&mut self, depth: usize) -> Map<String, Value> {
        (0..self.rng.below(5)).map(|_| (self.rng.pick(&KEYS).to_string(), self.value(depth))).collect()
    }

    /// Values by known names, one of each type, and some at random.
    fn values(&mut self) -> Map<String, Value> {
        let mut m = Map::new();
        for name in ["s", "t"] {
            m.insert(name.into(), json!(self.rng.pick(&TEXTS)));
        }
        m.insert("i".into(), json!(self.rng.below(30) as i64 - 5));
        m.insert("f".into(), json!((self.rng.below(4000) as f64 - 2000.0) / 16.0));
        m.insert("b".into(), json!(self.rng.chance(50)));
        let list: Vec<Value> = (0..self.rng.below(5)).map(|_| self.value(1)).collect();
        m.insert("l".into(), list.into());
        let texts: Vec<Value> = (0..self.rng.below(5)).map(|_| json!(self.rng.pick(&TEXTS))).collect();
        m.insert("ls".into(), texts.into());
        m.insert("d".into(), Value::Object(self.map(2)));
        m.insert("e".into(), Value::Object(self.map(2)));
        m.insert("any".into(), self.value(3));
        m
    }

    fn text(&mut self) -> String {
        let t = *self.rng.pick(&TEXTS);
        if !t.contains('`') && self.rng.chance(20) {
            format!("`{t}`")
        } else {
            serde_json::to_string(t).unwrap_or_default()
        }
    }

    fn leaf(&mut self, ty: Ty) -> String {
        let fitting: Vec<String> = self.vars.iter().filter(|v| v.1 == ty).map(|v| v.0.clone()).collect();
        if !fitting.is_empty() && self.rng.chance(30) {
            return self.rng.pick(&fitting).clone();
        }
        let key = *self.rng.pick(&KEYS[..5]);
        match ty {
            Str => match self.rng.below(4) {
                0 => ".Values.s".into(),
                1 => ".Values.t".into(),
                2 => self
                    .rng
                    .pick(&[".Chart.Name", ".Release.Name", ".Release.Namespace", ".Template.Name", "$.Values.s"])
                    .to_string(),
                _ => self.text(),
            },
            Int => match self.rng.below(3) {
                0 => "(int .Values.i)".into(),
                1 => self.rng.pick(&["0x10", "'a'", "1_000", "0b101", "0o17", "10000000000"]).to_string(),
                _ => (self.rng.below(25) as i64 - 4).to_string(),
            },
            Float => self.rng.pick(&[".Values.f", ".Values.i", "1.5", "2e3", "-0.25", ".5", "1e21"]).to_string(),
            Bool => self.rng.pick(&[".Values.b", "true", "false"]).to_string(),
            List => {
                self.rng.pick(&[".Values.l", ".Values.ls", "(list 1 \"a\" nil 2.5)", "(list)", "(until 4)"]).to_string()
            }
            Dict => self
                .rng
                .pick(&[".Values.d", ".Values.e", "(dict \"a\" 1 \"b\" \"x\")", "(dict)", ".Values.d", ".Chart"])
                .to_string(),
            Any => match self.rng.below(5) {
                0 => format!(".Values.d.{key}"),
                1 => ".Values.any".into(),
                2 => "nil".into(),
                _ => {
                    let ty = *self.rng.pick(&[Str, Int, Float, Bool, List, Dict]);
                    self.leaf(ty)
                }
            },
        }
    }

    fn expr(&mut self, ty: Ty, depth: usize) -> String {
        // Now and then something of another type: errors are behaviour too.
        let ty = if self.rng.chance(2) { *self.rng.pick(&[Str, Int, Float, Bool, List, Dict, Any]) } else { ty };
        if depth == 0 || self.rng.chance(25) {
            let leaf = self.leaf(ty);
            return if leaf == "nil" { "(.Values.none)".into() } else { leaf };
        }
        if ty == Str && self.rng.chance(8) {
            let format = (0..=self.rng.below(3)).map(|_| *self.rng.pick(&FORMATS)).collect::<Vec<_>>().join(" ");
            let args: Vec<String> = (0..self.rng.below(4)).map(|_| self.expr(Any, depth - 1)).collect();
            return format!("(printf {:?} {})", format, args.join(" "));
        }
        if ty == Str && self.rng.chance(5) {
            let dot = self.leaf(Dict);
            return format!("(include {:?} {dot})", self.rng.pick(&["h1", "h2"]));
        }
        if ty == Str && self.rng.chance(4) {
            return self
                .rng
                .pick(&[
                    "(tpl \"<{{ .Values.s }}>\" $)",
                    "(tpl .Values.t $)",
                    "(tpl \"{{ range .Values.ls }}[{{ . }}]{{ end }}\" $)",
                ])
                .to_string();
        }
        let fitting: Vec<_> = FUNCTIONS.iter().filter(|f| f.0 == ty || (ty == Any && f.0 != Any)).collect();
        let (_, name, params, variadic) = **self.rng.pick(&fitting);
        let mut args: Vec<String> = params.iter().map(|p| self.expr(*p, depth - 1)).collect();
        if let (true, Some(last)) = (variadic, params.last()) {
            for _ in 0..self.rng.below(3) {
                args.push(self.expr(*last, depth - 1));
            }
        }
        self.tame(name, &mut args);
        // The last argument may come through a pipe.
        if args.len() > 1 && self.rng.chance(25) {
            let last = args.pop().unwrap_or_default();
            return format!("({last} | {name} {})", args.join(" "));
        }
        format!("({name} {})", args.join(" "))
    }

    /// Keeps counts small and patterns valid, so that most calls say something.
    fn tame(&mut self, name: &str, args: &mut [String]) {
        let small = |g: &mut Self| g.rng.below(12).to_string();
        match name {
            "repeat" | "indent" | "nindent" | "until" | "wrap" | "wrapWith" | "chunk" | "abbrev" | "splitn" => {
                let i = usize::from(name == "splitn");
                args[i] = small(self);
            }
            "untilStep" | "seq" => {
                for a in args.iter_mut() {
                    *a = (self.rng.below(15) as i64 - 4).to_string();
                }
            }
            "substr" | "abbrevboth" => {
                args[0] = small(self);
                args[1] = small(self);
            }
            "slice" => {
                args[1] = self.rng.below(3).to_string();
                args[2] = self.rng.below(4).to_string();
            }
            "index" | "dig" => {}
            "semverCompare" => {
                args[0] = format!("{:?}", self.rng.pick(&CONSTRAINTS));
                args[1] = format!("{:?}", self.rng.pick(&["1.2.3", "2.0.0", "v1.2.4-rc.1", "0.1", "3"]));
            }
            "regexFind" | "regexMatch" | "regexReplaceAll" | "regexSplit" | "regexFindAll" => {
                args[0] = format!("\"{}\"", self.rng.pick(&PATTERNS));
            }
            "div" | "mod" => args[1] = (self.rng.below(9) as i64 + 1).to_string(),
            "set" => {
                args[1] = format!("{:?}", self.rng.pick(&KEYS));
                args[2] = format!("(deepCopy {})", args[2]);
            }
            "get" | "hasKey" | "unset" | "pick" | "omit" => args[1] = format!("{:?}", self.rng.pick(&KEYS)),
            "pluck" => args[0] = format!("{:?}", self.rng.pick(&KEYS)),
            // What is merged or set is copied: a map that contains itself ends the real engine's process.
            "merge" | "mergeOverwrite" => {
                let keep = usize::from(self.rng.chance(40));
                args.iter_mut().skip(keep).for_each(|a| *a = format!("(deepCopy {a})"));
            }
            _ => {}
        }
    }

    fn action(&mut self, depth: usize) -> String {
        let (l, r) =
            *self.rng.pick(&[("{{ ", " }}"), ("{{ ", " }}"), ("{{- ", " }}"), ("{{ ", " -}}"), ("{{- ", " -}}")]);
        match self.rng.below(if depth == 0 { 3 } else { 10 }) {
            0..=2 => {
                let ty = *self.rng.pick(&[Str, Str, Int, Float, Bool, List, Dict, Any]);
                format!("{l}{}{r}", self.expr(ty, 3))
            }
            3 => {
                let (cond, a, b) = (self.expr(Any, 2), self.body(depth - 1), self.body(depth - 1));
                if self.rng.chance(50) {
                    format!("{l}if {cond}{r}{a}{{{{ else }}}}{b}{{{{ end }}}}")
                } else {
                    let second = self.expr(Bool, 1);
                    format!("{l}if {cond}{r}{a}{{{{ else if {second} }}}}{b}{{{{- end }}}}")
                }
            }
            4 => {
                let (e, a) = (self.expr(Any, 2), self.expr(Any, 1));
                format!("{l}with {e}{r}{{{{ . }}}}|{{{{ $.Values.s }}}}{{{{ else }}}}{{{{ {a} }}}}{{{{ end }}}}")
            }
            5 => {
                let e = self.expr(List, 2);
                format!("{l}range $i, $e := {e}{r}{{{{ $i }}}}={{{{ $e }}}};{{{{ else }}}}none{{{{ end }}}}")
            }
            6 => {
                let e = self.expr(Dict, 2);
                format!("{l}range $k, $v := {e}{r}{{{{ $k }}}}:{{{{ $v | toJson }}}} {{{{ end }}}}")
            }
            7 => {
                let ty = *self.rng.pick(&[Str, Int, Float, Bool, List, Dict]);
                let name = format!("$v{}", self.vars.len());
                let e = self.expr(ty, 2);
                self.vars.push((name.clone(), ty));
                format!("{l}{name} := {e}{r}")
            }
            8 => format!("{l}template \"h1\" {}{r}", self.leaf(Dict)),
            _ => {
                let n = self.rng.below(6);
                format!(
                    "{l}range $n := {n}{r}{{{{ if gt $n 3 }}}}{{{{ break }}}}{{{{ end }}}}<{{{{ $n }}}}>{{{{ end }}}}"
                )
            }
        }
    }

    fn body(&mut self, depth: usize) -> String {
        let outer = self.vars.len();
        let mut out = String::new();
        for _ in 0..=self.rng.below(3) {
            out.push_str(self.rng.pick::<&str>(&["", " ", "\n", "text ", "key: ", "\n  - "]));
            out.push_str(&self.action(depth));
        }
        self.vars.truncate(outer);
        out
    }
}

const HELPERS: &str = "{{ define \"h1\" }}h1({{ . | toJson }}){{ end }}\n{{ define \"h2\" -}}\na: {{ .a | quote }}\nb: {{ .b }}\n{{- end }}";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (Some(count), Some(seed)) =
        (args.first().and_then(|a| a.parse::<usize>().ok()), args.get(1).and_then(|a| a.parse::<u64>().ok()))
    else {
        eprintln!("usage: grammar COUNT SEED");
        std::process::exit(2);
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for n in 0..count {
        let mut g = Gen { rng: Rng(seed.wrapping_mul(1_000_003).wrapping_add(n as u64)), vars: Vec::new() };
        let values = g.values();
        let template = g.body(2);
        let question = json!({
            "id": format!("grammar-{seed}-{n}"), "group": "grammar",
            "files": { "templates/t.yaml": template, "templates/_h.tpl": HELPERS }, "values": values,
        });
        if writeln!(out, "{question}").is_err() {
            return;
        }
    }
}
