use std::collections::BTreeMap;

use super::*;
use crate::words::batch::Reading;
use crate::words::env::Folders;
use crate::words::scope::Scope;
use crate::words::secret::{Mark, SecretValue};
use crate::written::{Intent, Known, Record};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn wanted(pairs: &[(&str, &str)]) -> Vec<Write> {
    let write = |(text, value): &(&str, &str)| Write::new(name(text), SecretValue::from(*value));
    pairs.iter().map(write).collect()
}

fn values(pairs: &[(&str, &str)]) -> Held {
    let pairs = wanted(pairs).into_iter();
    Held::Values(Reading {
        values: pairs.map(|write| (write.name, write.value)).collect(),
        versions: None,
    })
}

/// A store that lists `names`, into which keyfob has written `stored`.
fn names(names: &[&str], stored: &[(&str, &str)]) -> Held {
    let mark = Mark::of(&["1"]);
    let folder = tempfile::tempdir().unwrap();
    let folders = Folders::below(folder.path());
    let record = Record::new(&folders, Scope::of(&["here"]));
    let writes = wanted(stored);
    let intents: Vec<Intent<'_>> = writes.iter().map(Intent::from).collect();
    let outcomes: Vec<Outcome> = writes
        .iter()
        .map(|write| Outcome {
            mark: Some(mark.clone()),
            ..Outcome::new(write.name.clone(), Ok(Action::Created))
        })
        .collect();
    let known = match record.begin(&intents).unwrap() {
        Some(writing) => {
            writing.end(&outcomes).unwrap();
            record.read().unwrap()
        }
        None => Known::default(),
    };
    let marks: BTreeMap<Name, Option<Mark>> = names
        .iter()
        .map(|text| (name(text), Some(mark.clone())))
        .collect();
    Held::Names { marks, known }
}

fn steps(plan: &Plan) -> Vec<(&str, &str)> {
    let word = |step: &Step| match step.unknown {
        true => "unknown",
        false => step.action.as_str(),
    };
    let steps = plan.steps.iter();
    steps.map(|step| (step.name.as_str(), word(step))).collect()
}

/// What is held, what goes, and what becomes of each.
type Case = (
    Held,
    fn(&Name) -> bool,
    &'static [(&'static str, &'static str)],
);

/// What two stores hold, what differs, and how many are the same.
type Compared = (Held, Held, &'static [(&'static str, Difference)], usize);

#[test]
fn a_plan_says_what_becomes_of_each() {
    let readable = || values(&[("A", "1"), ("B", "2"), ("Y", "8"), ("Z", "9")]);
    let unreadable = || names(&["A", "B", "D", "Y", "Z"], &[("A", "1"), ("B", "2")]);
    let cases: [Case; 5] = [
        (
            readable(),
            |_| false,
            &[
                ("C", "created"),
                ("B", "updated"),
                ("A", "unchanged"),
                ("D", "created"),
            ],
        ),
        (
            readable(),
            |_| true,
            &[
                ("C", "created"),
                ("B", "updated"),
                ("A", "unchanged"),
                ("D", "created"),
                ("Y", "deleted"),
                ("Z", "deleted"),
            ],
        ),
        (
            readable(),
            |name| name.as_str() == "Z" || name.as_str() == "A",
            &[
                ("C", "created"),
                ("B", "updated"),
                ("A", "unchanged"),
                ("D", "created"),
                ("Z", "deleted"),
            ],
        ),
        (
            unreadable(),
            |_| false,
            &[
                ("C", "created"),
                ("B", "updated"),
                ("A", "unchanged"),
                ("D", "unknown"),
            ],
        ),
        (
            unreadable(),
            |name| name.as_str() > "Y",
            &[
                ("C", "created"),
                ("B", "updated"),
                ("A", "unchanged"),
                ("D", "unknown"),
                ("Z", "deleted"),
            ],
        ),
    ];
    let wanted = wanted(&[("C", "3"), ("B", "new"), ("A", "1"), ("D", "4")]);
    for (held, goes, expected) in cases {
        let plan = Plan::new(&wanted, &held, |_| Ok(()), goes);
        assert_eq!(steps(&plan), expected);
        assert!(!plan.is_nothing());
        let stored: Vec<&str> = plan.stored().map(Name::as_str).collect();
        assert_eq!(stored, ["C", "B", "D"]);
    }
}

#[test]
fn a_plan_that_leaves_everything_as_it_is_does_nothing() {
    for held in [values(&[("A", "1")]), names(&["A"], &[("A", "1")])] {
        let plan = Plan::new(&wanted(&[("A", "1")]), &held, |_| Ok(()), |_| true);
        assert!(plan.is_nothing());
        assert_eq!(plan.count(Action::Unchanged), 1);
    }
    assert!(Plan::new(&[], &values(&[]), |_| Ok(()), |_| true).is_nothing());
    let unknown = Plan::new(
        &wanted(&[("A", "1")]),
        &names(&["A"], &[]),
        |_| Ok(()),
        |_| true,
    );
    assert!(!unknown.is_nothing());
}

#[test]
fn what_cannot_be_stored_is_refused_alone_and_keeps_back_what_would_go() {
    let wanted = wanted(&[("A", "1"), ("ODD", "2"), ("SAME", "3")]);
    let check = |write: &Write| match write.name.as_str() {
        // What is there already can be held.
        "ODD" | "SAME" => Err(Error::invalid_data("odd")),
        _ => Ok(()),
    };
    let held = values(&[("SAME", "3"), ("OLD", "4")]);
    let plan = Plan::new(&wanted, &held, check, |_| true);
    let refused = |plan: &Plan| -> Vec<String> {
        let steps = plan.steps.iter().filter(|step| step.refusal.is_some());
        steps.map(|step| step.name.to_string()).collect()
    };
    assert_eq!(refused(&plan), ["ODD", "OLD"]);
    assert_eq!(plan.refused(), 2);
    let stored: Vec<&str> = plan.stored().map(Name::as_str).collect();
    assert_eq!(stored, ["A"]);
    assert_eq!(plan.count(Action::Deleted), 0);
    let kinds: Vec<Option<Kind>> = plan
        .outcomes()
        .iter()
        .map(|outcome| outcome.result.as_ref().err().map(Error::kind))
        .collect();
    let [ok, odd, kept] = [None, Some(Kind::InvalidData), Some(Kind::Failed)];
    assert_eq!(kinds, [ok, odd, ok, kept]);
    let alone = Plan::new(&wanted[1..2], &values(&[]), check, |_| true);
    assert!(alone.is_nothing());
}

#[test]
fn a_write_expects_what_was_read_where_versions_are_counted() {
    let mut held = values(&[("A", "1")]);
    assert_eq!(held.expected(&name("A")), None);
    if let Held::Values(reading) = &mut held {
        reading.versions = Some(BTreeMap::from([(name("A"), 3)]));
    }
    assert_eq!(held.expected(&name("A")), Some(3));
    assert_eq!(held.expected(&name("B")), Some(0));
}

#[test]
fn a_comparison_says_what_differs_and_how() {
    use Difference::{Differs, OnlyInA, OnlyInB, Unknown};

    let left = || values(&[("A", "1"), ("B", "2"), ("C", "3"), ("D", "4")]);
    let cases: [Compared; 5] = [
        (left(), left(), &[], 4),
        (
            left(),
            values(&[("A", "1"), ("B", "x"), ("E", "5")]),
            &[
                ("B", Differs),
                ("C", OnlyInA),
                ("D", OnlyInA),
                ("E", OnlyInB),
            ],
            1,
        ),
        (
            left(),
            names(&["A", "B", "C", "E"], &[("A", "1"), ("B", "x")]),
            &[
                ("B", Differs),
                ("C", Unknown),
                ("D", OnlyInA),
                ("E", OnlyInB),
            ],
            1,
        ),
        (
            names(&["A", "B", "C", "E"], &[("A", "1"), ("B", "x")]),
            left(),
            &[
                ("B", Differs),
                ("C", Unknown),
                ("D", OnlyInB),
                ("E", OnlyInA),
            ],
            1,
        ),
        (
            names(&["A", "B"], &[("A", "1")]),
            names(&["A", "C"], &[("A", "1")]),
            &[("A", Unknown), ("B", OnlyInA), ("C", OnlyInB)],
            0,
        ),
    ];
    for (a, b, expected, same) in cases {
        let comparison = Comparison::of(&a, &b, |_| true);
        let found: Vec<(&str, Difference)> = comparison
            .differences
            .iter()
            .map(|(name, difference)| (name.as_str(), *difference))
            .collect();
        assert_eq!((found.as_slice(), comparison.same), (expected, same));
        let some = Comparison::of(&a, &b, |name| name.as_str() == "B");
        assert!(some.differences.len() + some.same <= 1);
        assert!(
            some.differences
                .iter()
                .all(|(name, _)| name.as_str() == "B")
        );
    }
}
