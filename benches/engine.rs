//! The engine in process, beside minijinja: one template that loops over 2,000 rows, the same text from both, in turn in one run.
//!
//! `cargo bench --bench engine`

use std::sync::Arc;
use std::time::{Duration, Instant};

use pintle::gotmpl::{Limits, State, SystemHost};
use pintle::render::Program;
use pintle::value::{Heap, Value};

/// The program's own allocator, for both engines.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROWS: usize = 2000;
const RUNS: usize = 101;

const OURS: &str = "{{- range $i, $row := .rows }}\n- name: {{ $row.name }}\n  index: {{ $i }}\n  image: {{ $row.image | quote }}\n\
  {{- if $row.enabled }}\n  enabled: {{ $row.enabled }}\n{{- end }}\n{{- range $row.ports }}\n  port: {{ . }}\n{{- end }}\n{{- end }}";
const THEIRS: &str = "{%- for row in rows %}\n- name: {{ row.name }}\n  index: {{ loop.index0 }}\n  image: \"{{ row.image }}\"\n\
  {%- if row.enabled %}\n  enabled: {{ row.enabled }}\n{%- endif %}\n{%- for p in row.ports %}\n  port: {{ p }}\n{%- endfor %}\n{%- endfor %}";

fn rows(heap: &mut Heap) -> Value {
    let mut rows = Vec::new();
    for i in 0..ROWS {
        let ports = vec![Value::Int(8000 + i as i64), Value::Int(9000 + i as i64)];
        let ports = Value::List(heap.list_of(ports));
        rows.push(Value::Map(heap.map_of([
            ("name", Value::str(format!("row-{i}"))),
            ("image", Value::str(format!("registry.example/app:{i}"))),
            ("enabled", Value::Bool(i % 3 == 0)),
            ("ports", ports),
        ])));
    }
    let rows = Value::List(heap.list_of(rows));
    Value::Map(heap.map_of([("rows", rows)]))
}

fn main() {
    assert!(pintle::gotmpl::with_large_stack(bench).is_ok(), "the benchmark failed");
}

fn bench() {
    let text: Arc<[u8]> = OURS.as_bytes().into();
    let program = Program::parse([("t", &text)]).unwrap();
    let mut st = State::new(Arc::new(SystemHost::default()), Limits::default());
    let dot = rows(&mut st.heap);

    let mut env = minijinja::Environment::new();
    env.add_template("t", THEIRS).unwrap();
    let template = env.get_template("t").unwrap();
    type V = minijinja::Value;
    let rows: Vec<V> = (0..ROWS)
        .map(|i| {
            V::from_pairs([
                ("name", V::from(format!("row-{i}"))),
                ("image", V::from(format!("registry.example/app:{i}"))),
                ("enabled", V::from(i % 3 == 0)),
                ("ports", V::from(vec![V::from(8000 + i), V::from(9000 + i)])),
            ])
        })
        .collect();
    let context = V::from_pairs([("rows", V::from(rows))]);

    let ours = |st: &mut State| program.render_text(st, "t", dot.clone()).unwrap();
    let theirs = || template.render(&context).unwrap();
    let (a, b) = (String::from_utf8(ours(&mut st)).unwrap(), theirs());
    assert_eq!(a, b.replace("enabled: True", "enabled: true"), "the two engines must print the same text");

    let (mut t_ours, mut t_theirs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let start = Instant::now();
        std::hint::black_box(ours(&mut st));
        t_ours.push(start.elapsed());
        let start = Instant::now();
        std::hint::black_box(theirs());
        t_theirs.push(start.elapsed());
    }
    let median = |v: &mut Vec<Duration>| {
        v.sort();
        v[v.len() / 2]
    };
    let (ours, theirs) = (median(&mut t_ours), median(&mut t_theirs));
    println!(
        "loop over {ROWS} rows, {} bytes, median of {RUNS}: pintle {ours:?}, minijinja {theirs:?}, ratio {:.2}",
        a.len(),
        theirs.as_secs_f64() / ours.as_secs_f64()
    );
}
