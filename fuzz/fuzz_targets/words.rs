#![no_main]
//! Short texts: references, names, durations, times, specifications, tokens.

use keyfob::testing::{HumanDuration, Life, Reference, Spec, StoreName, Target, escape, foreign};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(reference) = text.parse::<Reference>() {
        let again = reference.to_string().parse::<Reference>();
        assert_eq!(again.map_err(|error| error.to_string()), Ok(reference));
    }
    let _ = text.parse::<Target>();
    if let Ok(name) = text.parse::<StoreName>() {
        assert_eq!(name.as_str(), text);
    }
    if let Ok(duration) = text.parse::<HumanDuration>() {
        let again = duration.to_string().parse::<HumanDuration>();
        assert_eq!(again.map_err(|error| error.to_string()), Ok(duration));
    }
    let _ = foreign::point_in_time(text);
    let _ = text.parse::<Spec>();
    let life = Life::of(text);
    if let Some(now) = life.issued_at {
        let _ = life.ends(now);
    }
    assert!(escape(text).chars().all(|c| c == '\n' || !c.is_control()));
});
