#![no_main]
//! Masking: in whatever chunks a text comes, it is masked as it is in one, and no value is left.

use keyfob::testing::Masker;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<&[u8]>, &[u8], Vec<u8>)| {
    let (values, text, cuts) = input;
    let values = || values.iter().copied().take(6);
    let masker = Masker::new(values()).expect("not gigabytes");
    let mut whole = Vec::new();
    let mut stream = masker.stream();
    stream.push(text, &mut whole).expect("memory");
    stream.finish(&mut whole).expect("memory");

    let mut chunked = Vec::new();
    let mut stream = masker.stream();
    let mut rest = text;
    for cut in cuts {
        let (chunk, behind) = rest.split_at(usize::from(cut).min(rest.len()));
        stream.push(chunk, &mut chunked).expect("memory");
        rest = behind;
    }
    stream.push(rest, &mut chunked).expect("memory");
    stream.finish(&mut chunked).expect("memory");
    assert_eq!(
        String::from_utf8_lossy(&chunked),
        String::from_utf8_lossy(&whole)
    );

    // What is left between the marks holds no value that is to be hidden.
    for (at, value) in values().enumerate() {
        if masker.left_alone().contains(&at) || value.contains(&b'*') {
            continue;
        }
        let pieces = whole.split(|byte| *byte == b'*');
        for piece in pieces {
            let found = piece.windows(value.len().max(1)).any(|window| window == value);
            assert!(value.is_empty() || !found);
        }
    }
});
