//! What is read from any text is written as a text that reads as the same value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pintle::value::Heap;
use pintle::value::equal::deep_equal;
use pintle::value::json::encode;
use pintle::yaml::{marshal, to_value};

fuzz_target!(|text: &[u8]| {
    let mut heap = Heap::new();
    let Ok(value) = to_value(&mut heap, text) else {
        return;
    };
    let Ok(written) = marshal(&mut heap, &value) else {
        return;
    };
    // go-yaml, whose bytes these are, does not escape the line breaks that only YAML 1.1 knows, and reads them as spaces.
    let json = encode(&mut heap, &value, false, None).unwrap_or_default();
    if ["\u{85}", "\\u2028", "\\u2029"].iter().any(|b| json.windows(b.len()).any(|w| w == b.as_bytes())) {
        return;
    }
    let again = to_value(&mut heap, &written).expect("what was written can be read");
    assert!(deep_equal(&mut heap, &value, &again), "{:?}", String::from_utf8_lossy(&written));
});
