//! How writes are split.

use proptest::prelude::*;

use super::body::{Body, MAX_BODY, Secrets, chunks, json_length};
use crate::words::batch::Write;
use crate::words::error::Kind;
use crate::words::secret::{Form, Name, SecretValue};

fn write(name: &str, value: &str) -> Write {
    Write::new(Name::new(name).unwrap(), SecretValue::from(value))
}

fn body(writes: &[Write], chunk: &[usize]) -> Vec<u8> {
    let writes: Vec<&Write> = chunk.iter().map(|at| &writes[*at]).collect();
    serde_json::to_vec(&Body {
        secrets: Secrets(&writes),
    })
    .unwrap()
}

#[test]
fn a_thousand_names_are_eight_requests() {
    let writes: Vec<Write> = (0..1000).map(|n| write(&format!("N{n}"), "v")).collect();
    let wanted: Vec<usize> = (0..1000).collect();
    let chunks = chunks(&writes, &wanted).unwrap();
    assert_eq!(chunks.len(), 8);
    assert_eq!(chunks.concat(), wanted);
}

#[test]
fn a_body_may_be_as_large_as_the_limit_and_no_larger() {
    let frame = r#"{"secrets":{"A":""}}"#.len();
    let largest = [write("A", &"x".repeat(MAX_BODY - frame))];
    assert_eq!(body(&largest, &[0]).len(), MAX_BODY);
    assert!(chunks(&largest, &[0]).is_ok());
    let error = chunks(&[write("A", &"x".repeat(MAX_BODY - frame + 1))], &[0]).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidData);
    let pair = r#"{"secrets":{"A":"","B":""}}"#.len();
    let [a, b] = [600_000, MAX_BODY - pair - 600_000].map(|length| "x".repeat(length));
    let largest = [write("A", &a), write("B", &b)];
    assert_eq!(body(&largest, &[0, 1]).len(), MAX_BODY);
    assert_eq!(chunks(&largest, &[0, 1]).unwrap(), [[0, 1]]);
    let two = [
        write("A", &"x".repeat(600_000)),
        write("B", &"x".repeat(600_000)),
    ];
    assert_eq!(chunks(&two, &[0, 1]).unwrap(), [[0], [1]]);
}

#[test]
fn a_value_is_sent_in_its_form() {
    let json = r#"{"b": [1.0, 12345678901234567890123]}"#;
    let mut writes = [write("A", json), write("B", json), write("C", json)];
    for (write, form) in writes
        .iter_mut()
        .zip([Form::Plain, Form::String, Form::Json])
    {
        write.value = write.value.clone().in_form(form);
    }
    let text = serde_json::to_string(json).unwrap();
    let sent = body(&writes, &[0, 1, 2]);
    let expected = format!(r#"{{"secrets":{{"A":{text},"B":{text},"C":{json}}}}}"#);
    assert_eq!(String::from_utf8(sent).unwrap(), expected);
}

proptest! {
    #[test]
    fn a_length_is_what_serde_json_writes(text in any::<String>()) {
        prop_assert_eq!(json_length(&text), serde_json::to_string(&text).unwrap().len());
    }

}

proptest! {
    // Each case writes megabytes.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn no_body_is_over_the_limit(sizes in prop::collection::vec(0_usize..500_000, 1..12)) {
        let writes: Vec<Write> = sizes
            .iter()
            .enumerate()
            .map(|(n, size)| write(&format!("N{n}"), &"\u{1}".repeat(size / 6)))
            .collect();
        let wanted: Vec<usize> = (0..writes.len()).collect();
        let chunks = chunks(&writes, &wanted).unwrap();
        prop_assert_eq!(chunks.concat(), wanted);
        for chunk in &chunks {
            prop_assert!(body(&writes, chunk).len() <= MAX_BODY);
        }
    }
}
