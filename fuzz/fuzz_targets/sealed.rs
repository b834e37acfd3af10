#![no_main]
//! What stands inside sealed files and caches: snapshots, journals, tokens.

use keyfob::testing::foreign;
use libfuzzer_sys::fuzz_target;

const TAGS: [&str; 2] = ["rotation-1", "replacement-1"];

fuzz_target!(|bytes: &[u8]| {
    let _ = foreign::snapshot(bytes);
    for tag in TAGS {
        if let Ok(change) = foreign::change(bytes, tag) {
            let _ = change.first().is_ok();
            let _ = change.value();
        }
    }
    let _ = foreign::session(bytes);
});
