#![no_main]
//! A file of secrets as yaml: what was read, written and read again is the same.

use keyfob::testing::formats::{Format, Options, ReadOptions, read, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(pairs) = read(Format::Yaml, bytes, ReadOptions::default()) else {
        return;
    };
    // Not every name or value can be written.
    let Ok(text) = write(Format::Yaml, &pairs, &Options::default()) else {
        return;
    };
    let again =
        read(Format::Yaml, &text, ReadOptions::default()).map_err(|error| error.to_string());
    assert_eq!(
        again.as_ref(),
        Ok(&pairs),
        "{}",
        String::from_utf8_lossy(&text)
    );
});
