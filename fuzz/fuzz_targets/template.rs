#![no_main]
//! Templates: without a place they come out as they went in, and a value is put in whole.

use keyfob::testing::{SecretValue, foreign};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], &[u8])| {
    let (template, value) = input;
    let value = SecretValue::new(value.to_vec());
    let filled = foreign::template(template, &value);
    if !template.windows(2).any(|window| window == b"{{") {
        let filled = filled.map(|filled| filled.to_vec());
        assert_eq!(filled.map_err(|error| error.to_string()), Ok(template.to_vec()));
    }
});
