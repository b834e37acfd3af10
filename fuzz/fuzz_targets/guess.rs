#![no_main]
//! A file whose format nobody names, and files with trees in them.

use keyfob::testing::foreign;
use keyfob::testing::formats::{Format, ReadOptions, read};
use libfuzzer_sys::fuzz_target;

const READABLE: [Format; 4] = [Format::Dotenv, Format::Json, Format::Yaml, Format::Toml];

fuzz_target!(|bytes: &[u8]| {
    if let Ok(pairs) = foreign::guess(bytes) {
        // It is what one of the readers makes of it.
        let mut readings = READABLE
            .iter()
            .filter_map(|format| read(*format, bytes, ReadOptions::default()).ok());
        assert!(readings.any(|reading| reading == pairs));
    }
    for format in READABLE {
        let _ = foreign::read_tree(format, bytes);
    }
});
