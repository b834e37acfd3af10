#![no_main]
//! Command lines: one argument a line.

use keyfob::testing::foreign;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let arguments: Vec<&str> = text.split('\n').take(12).collect();
    let _ = foreign::command_line(&arguments);
});
