//! Any bytes as a chart's archive: a chart or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pintle::chart::load::archive_bytes;

fuzz_target!(|bytes: &[u8]| {
    let _ = archive_bytes(bytes, &mut Vec::new());
});
