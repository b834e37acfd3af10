#![no_main]
//! What is said of an answer: no control characters, and nothing of what the request held.

use keyfob::testing::foreign;
use libfuzzer_sys::fuzz_target;

const HEADERS: [&[u8]; 3] = [b"retry-after", b"x-ratelimit-reset", b"date"];
const SECRET: &str = "zq7-hunter2-Xy";

fuzz_target!(|input: (u16, u8, [&[u8]; 3], &[u8])| {
    let (status, echo, values, body) = input;
    let headers: Vec<(&[u8], &[u8])> = HEADERS
        .into_iter()
        .zip(values)
        .filter(|(_, value)| !value.is_empty())
        .collect();
    // A server that repeats what it was sent, at any place.
    let mut body = body.to_vec();
    if echo % 2 == 1 {
        let at = usize::from(echo) % (body.len() + 1);
        body.splice(at..at, SECRET.bytes());
    }
    let status = 200 + status % 400;
    for text in foreign::answer(status, &headers, &body, SECRET) {
        assert!(!text.contains(SECRET), "{text}");
        assert!(!text.contains(char::is_control), "{text:?}");
    }
});
