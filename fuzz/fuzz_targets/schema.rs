//! Any schema and any values. Input: the schema, a zero byte, values as YAML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pintle::chart::schema::{Sources, validate_map};
use pintle::value::Heap;

fuzz_target!(|data: &[u8]| {
    let (schema, values) =
        data.iter().position(|&b| b == 0).map_or((data, &b"{}"[..]), |i| (&data[..i], &data[i + 1..]));
    let mut heap = Heap::new();
    let Ok(values) = pintle::yaml::to_map(&mut heap, values) else {
        return;
    };
    let nothing_outside = Sources { files: false, fetch: None };
    let _ = validate_map(&heap, schema, values, &nothing_outside, &mut Vec::new());
});
