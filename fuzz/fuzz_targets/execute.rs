//! Any template with any values ends: with a text, or with an error, within the limits. Input: the template, a zero byte, values as YAML.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use pintle::gotmpl::{FixedHost, Limits, State, TemplateSet, execute};
use pintle::render::functions;
use pintle::value::Value;

fuzz_target!(|data: &[u8]| {
    let (text, values) = data.iter().position(|&b| b == 0).map_or((data, &b"{}"[..]), |i| (&data[..i], &data[i + 1..]));
    let limits = Limits { output: 1 << 20, steps: 20_000, heap: 20_000, ..Limits::default() };
    let mut st = State::new(Arc::new(FixedHost::new(1_700_000_000_000_000_000, 7)), limits);
    let mut set = TemplateSet::new("gotpl", functions().clone());
    if set.parse("c/templates/t.yaml", text).is_err() {
        return;
    }
    let values = pintle::yaml::to_value(&mut st.heap, values).unwrap_or_default();
    let dot = st.heap.map_of([("Values", values)]);
    let mut out = Vec::new();
    let _ = execute(&Arc::new(set), &mut st, "c/templates/t.yaml", &Value::Map(dot), &mut out);
});
