use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::words::batch::Action;

const URL: &str = "https://api.example.com";

fn record_of(folder: &Path, place: &str) -> Record {
    let folders = Folders::below(folder);
    Record::new(&folders, Scope::of(&[place]))
}

fn record(folder: &Path) -> Record {
    record_of(folder, URL)
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn mark(text: &str) -> Mark {
    Mark::of(&[text])
}

fn write(text: &str, value: &str) -> Write {
    Write::new(name(text), value.into())
}

fn begin(record: &Record, writes: &[Write]) -> Writing {
    let intents: Vec<Intent<'_>> = writes.iter().map(Intent::from).collect();
    record.begin(&intents).unwrap().unwrap()
}

fn stored(text: &str, marked: &str) -> Outcome {
    Outcome {
        mark: Some(mark(marked)),
        ..Outcome::new(name(text), Ok(Action::Created))
    }
}

fn put(record: &Record, text: &str, value: &str, marked: &str) {
    let writing = begin(record, &[write(text, value)]);
    writing.end(&[stored(text, marked)]).unwrap();
}

fn likeness(record: &Record, text: &str, value: &str, marked: &str) -> Likeness {
    let known = record.read().unwrap();
    known.compare(&name(text), Some(&mark(marked)), &value.into())
}

#[test]
fn what_was_stored_is_known_as_long_as_its_mark_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    put(&record(folder.path()), "A", "hunter2", "id 1");
    let record = record(folder.path());
    assert_eq!(likeness(&record, "A", "hunter2", "id 1"), Likeness::Same);
    assert_eq!(likeness(&record, "A", "hunter3", "id 1"), Likeness::Other);
    assert_eq!(likeness(&record, "A", "hunter2", "id 2"), Likeness::Unknown);
    assert_eq!(likeness(&record, "B", "hunter2", "id 1"), Likeness::Unknown);
    let known = record.read().unwrap();
    let unmarked = known.compare(&name("A"), None, &"hunter2".into());
    assert_eq!(unmarked, Likeness::Unknown);
    let elsewhere = record_of(folder.path(), "https://other.example.com");
    assert_eq!(
        likeness(&elsewhere, "A", "hunter2", "id 1"),
        Likeness::Unknown
    );
}

#[test]
fn only_what_was_stored_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(folder.path());
    for text in ["FAILED", "UNMARKED", "DELETED", "GOOD"] {
        put(&record, text, "old", "id 1");
    }
    let writing = begin(
        &record,
        &[
            write("FAILED", "v"),
            write("UNMARKED", "v"),
            write("GOOD", "v"),
        ],
    );
    let failure = Outcome {
        result: Err(Error::unavailable("no answer")),
        ..stored("FAILED", "id 2")
    };
    let unmarked = Outcome::new(name("UNMARKED"), Ok(Action::Updated));
    writing
        .end(&[failure, unmarked, stored("GOOD", "id 2")])
        .unwrap();
    drop(record.begin(&[Intent::from(&name("DELETED"))]).unwrap());
    for text in ["FAILED", "UNMARKED", "DELETED"] {
        for (value, marked) in [("old", "id 1"), ("v", "id 2")] {
            let found = likeness(&record, text, value, marked);
            assert_eq!(found, Likeness::Unknown, "{text}");
        }
    }
    assert_eq!(likeness(&record, "GOOD", "v", "id 2"), Likeness::Same);
}

#[test]
fn nothing_is_made_for_a_deletion_that_nothing_is_known_of() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(folder.path());
    assert!(record.begin(&[Intent::from(&name("A"))]).unwrap().is_none());
    record.forget().unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn on_disk_is_neither_name_nor_value_nor_mark() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(folder.path());
    put(&record, "DB_PASSWORD", "hunter2", "sec_1");
    let text = fs::read_to_string(record.file.path()).unwrap();
    let unkeyed = crate::words::digest::of_parts(&["sec_1"]);
    for part in ["DB_PASSWORD", "hunter2", "sec_1", &unkeyed[..32]] {
        assert!(!text.contains(part), "{text}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let bits = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(bits(state::folder_of(record.file.path())), 0o700);
        assert_eq!(
            (bits(record.file.path()), bits(&record.key)),
            (0o600, 0o600)
        );
    }
}

#[test]
fn what_is_damaged_says_nothing_and_is_mended_by_the_next_writing() {
    let whole = |path: &Path| fs::read(path).unwrap();
    let damages: [fn(&Record); 5] = [
        |record| fs::write(record.file.path(), "{\"keyfob\":1,").unwrap(),
        |record| {
            let text = fs::read_to_string(record.file.path()).unwrap();
            fs::write(record.file.path(), text.replacen(":1,", ":2,", 1)).unwrap();
        },
        |record| fs::write(&record.key, [7; 32]).unwrap(),
        |record| fs::write(&record.key, "short").unwrap(),
        |record| fs::remove_file(&record.key).unwrap(),
    ];
    for damage in damages {
        let folder = tempfile::tempdir().unwrap();
        let record = record(folder.path());
        put(&record, "A", "v", "id 1");
        let before = (whole(record.file.path()), whole(&record.key));
        damage(&record);
        match record.read() {
            Err(error) => assert_eq!(error.kind(), Kind::InvalidData),
            Ok(known) => {
                let found = known.compare(&name("A"), Some(&mark("id 1")), &"v".into());
                assert_eq!(found, Likeness::Unknown);
            }
        }
        put(&record, "B", "v", "id 1");
        assert_eq!(likeness(&record, "A", "v", "id 1"), Likeness::Unknown);
        assert_eq!(likeness(&record, "B", "v", "id 1"), Likeness::Same);
        assert_ne!((whole(record.file.path()), whole(&record.key)), before);
    }
}

#[test]
fn no_digest_takes_the_place_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(folder.path());
    put(&record, "A", "a", "id 1");
    put(&record, "B", "b", "id 1");
    let mut file: serde_json::Value =
        serde_json::from_slice(&fs::read(record.file.path()).unwrap()).unwrap();
    let secrets = file["secrets"].as_object_mut().unwrap();
    let mut digests: Vec<serde_json::Value> = secrets.values().cloned().collect();
    digests.reverse();
    for (place, digests) in secrets.values_mut().zip(digests) {
        *place = digests;
    }
    fs::write(record.file.path(), file.to_string()).unwrap();
    for (text, value) in [("A", "a"), ("A", "b"), ("B", "a"), ("B", "b")] {
        assert_eq!(likeness(&record, text, value, "id 1"), Likeness::Unknown);
    }
}

#[test]
fn of_what_two_write_at_the_same_time_nothing_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(folder.path());
    let known = |value| likeness(&record, "A", value, "id 1");
    for first_ends_first in [true, false] {
        put(&record, "A", "old", "id 1");
        let first = begin(&record, &[write("A", "1")]);
        let second = begin(&record, &[write("A", "2")]);
        let order = match first_ends_first {
            true => [first, second],
            false => [second, first],
        };
        for (left, writing) in order.into_iter().rev().enumerate().rev() {
            writing.end(&[stored("A", "id 1")]).unwrap();
            for value in ["old", "1", "2"] {
                assert_eq!(known(value), Likeness::Unknown, "{left} left");
            }
        }
    }
    // Whoever begins while another one still writes, even if not the same secret.
    let first = begin(&record, &[write("A", "1")]);
    put(&record, "B", "2", "id 1");
    assert_eq!(likeness(&record, "B", "2", "id 1"), Likeness::Unknown);
    first.end(&[stored("A", "id 1")]).unwrap();
    assert_eq!(known("1"), Likeness::Unknown);
    put(&record, "A", "3", "id 1");
    assert_eq!(known("3"), Likeness::Same);
}

/// One step of one of three processes that write into the same store.
#[derive(Clone, Debug)]
enum Step {
    /// It begins to write these values.
    Begin(usize, Vec<(usize, u8)>),
    /// The server carries out its first request that was not carried out yet.
    Land(usize),
    /// It notes what it stored, where all of it was.
    End(usize),
    /// It is killed. What it sent may be carried out all the same, or not.
    Kill(usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let process = 0..3_usize;
    prop_oneof![
        (
            process.clone(),
            prop::collection::vec((0..2_usize, 0..2_u8), 1..3)
        )
            .prop_map(|(process, writes)| Step::Begin(process, writes)),
        process.clone().prop_map(Step::Land),
        process.clone().prop_map(Step::End),
        (process, any::<bool>()).prop_map(|(process, landed)| Step::Kill(process, landed)),
    ]
}

const NAMES: [&str; 2] = ["A", "B"];

/// What a process is writing: by number of the name, and how many of it the server has carried out.
type Process = (Writing, Vec<(usize, u8)>, usize);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// On a server that gives every secret the same mark, so that the record alone decides.
    #[test]
    fn nothing_is_ever_said_to_be_there_that_is_not(steps in prop::collection::vec(step(), 10..60)) {
        let folder = tempfile::tempdir().unwrap();
        let record = record(folder.path());
        let mut server: [Option<u8>; 2] = [None; 2];
        let mut running: [Option<Process>; 3] = [None, None, None];
        for step in steps {
            match step {
                Step::Begin(process, mut writes) if running[process].is_none() => {
                    writes.dedup_by_key(|(at, _)| *at);
                    let batch: Vec<Write> = writes
                        .iter()
                        .map(|(at, value)| write(NAMES[*at], &value.to_string()))
                        .collect();
                    running[process] = Some((begin(&record, &batch), writes, 0));
                }
                Step::Land(process) => {
                    if let Some((_, writes, landed)) = &mut running[process]
                        && let Some((at, value)) = writes.get(*landed)
                    {
                        server[*at] = Some(*value);
                        *landed += 1;
                    }
                }
                Step::End(process) => {
                    let all_landed = running[process]
                        .as_ref()
                        .is_some_and(|(_, writes, landed)| *landed == writes.len());
                    if all_landed && let Some((writing, writes, _)) = running[process].take() {
                        let outcomes: Vec<Outcome> =
                            writes.iter().map(|(at, _)| stored(NAMES[*at], "same")).collect();
                        writing.end(&outcomes).unwrap();
                    }
                }
                Step::Kill(process, lands) => {
                    if let Some((writing, writes, landed)) = running[process].take() {
                        if lands {
                            for (at, value) in &writes[landed..] {
                                server[*at] = Some(*value);
                            }
                        }
                        drop(writing);
                    }
                }
                Step::Begin(..) => {}
            }
            for (at, text) in NAMES.into_iter().enumerate() {
                for value in 0..2 {
                    if likeness(&record, text, &value.to_string(), "same") == Likeness::Same {
                        prop_assert_eq!(server[at], Some(value));
                    }
                }
            }
        }
    }
}
