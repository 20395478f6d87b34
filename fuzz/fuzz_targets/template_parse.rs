//! Any text parses or is refused with its line; what it parses to prints as a text that parses to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pintle::gotmpl::{Printed, parse};
use pintle::render::functions;

fuzz_target!(|text: &[u8]| {
    let Ok(trees) = parse("t.yaml", text, functions()) else {
        return;
    };
    for tree in &trees {
        let mut printed = Vec::new();
        tree.root.write_to(text, &mut printed);
        // Text that ran into a delimiter, or a trim marker that is gone now, may read differently; it must not crash.
        let _ = parse("t.yaml", &printed, functions());
    }
});
