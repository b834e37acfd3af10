//! Whatever comes in from outside is read or refused, and never ends in a panic.

use std::str::FromStr;

use keyfob::testing::Document;
use keyfob::testing::HumanDuration;
use keyfob::testing::Keypair;
use keyfob::testing::Life;
use keyfob::testing::Recipient;
use keyfob::testing::Spec;
use keyfob::testing::escape;
use keyfob::testing::formats::{self, Format};
use keyfob::testing::{Identity, Location};
use keyfob::testing::{Reference, StoreName, Target};
use proptest::prelude::*;

/// Bytes, and texts in the alphabets that parsers care about.
fn input() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "\\PC{0,80}".prop_map(String::into_bytes),
        "[\\[\\]{}\"':,=#%$`\\\\ \n\r\t0-9a-zA-Z_./-]{0,120}".prop_map(String::into_bytes),
        "(keyfob://|age1|AGE-SECRET-KEY-1|ssh-ed25519 |eyJ|export )[\\x20-\\x7e]{0,80}"
            .prop_map(String::into_bytes),
        "\\{\"keyfob\":1,\"(secrets|recipients|deleted)\":[\\[\\]{}\":,0-9a-z]{0,80}"
            .prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_that_comes_in_makes_a_parser_panic(bytes in input()) {
        for format in [Format::Dotenv, Format::Json, Format::Yaml, Format::Toml, Format::K8s] {
            let _ = formats::read(format, &bytes, formats::ReadOptions::default());
        }
        let _ = Document::parse(&bytes);
        let _ = Identity::parse(&bytes, Location::Given("a test".to_owned()));
        let text = String::from_utf8_lossy(&bytes);
        let _ = Reference::from_str(&text);
        let _ = Target::from_str(&text);
        let _ = StoreName::from_str(&text);
        let _ = Keypair::parse(&text);
        let _ = Recipient::from_str(&text);
        let _ = HumanDuration::from_str(&text);
        let _ = Spec::from_str(&text);
        let _ = Life::of(&text);
        let shown = escape(&text);
        prop_assert!(shown.chars().all(|c| c == '\n' || !c.is_control()));
    }
}
