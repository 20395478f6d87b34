//! Any `--set` text is taken or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pintle::value::Heap;
use pintle::values::strvals;

fuzz_target!(|text: &[u8]| {
    let mut heap = Heap::new();
    let dest = heap.new_map();
    let _ = strvals::parse_into(&mut heap, dest, text);
    let _ = strvals::parse_into_string(&mut heap, dest, text);
    let _ = strvals::parse_literal_into(&mut heap, dest, text);
    let _ = strvals::parse_json(&mut heap, dest, text);
});
