//! `keyfob copy`: secrets into another store, under their own names.

use serde_json::json;

use crate::support::world::{READABLE, WRITE_ONLY, World};
use crate::sync::{CANARY, actions, owned};

#[test]
fn secrets_are_copied_between_all_stores_under_their_names() {
    for from in READABLE {
        for to in READABLE.into_iter().chain(WRITE_ONLY) {
            if from == to {
                continue;
            }
            let what = format!("{from} to {to}");
            let world = World::new();
            for name in ["s3/a", "s3/b/c", "s3/left"] {
                world.put(from, name, &format!("{CANARY}-{name}"));
            }
            let copy = ["--json", "-vvv", "copy", "-s", from, "s3/b/c", "s3/a", to];
            let run = world.home.run(copy);
            run.ok().lacks(CANARY);
            let expected = owned([("s3/b/c", "created"), ("s3/a", "created")]);
            assert_eq!(actions(&run), expected, "{what}");
            assert_eq!(run.json()["store"], to);
            let values = world.values(to);
            assert_eq!(values.len(), 2, "{what}");
            assert_eq!(values["s3/b/c"], format!("{CANARY}-s3/b/c"));
            world.forget_requests();
            let again = world.home.run(copy);
            let expected = owned([("s3/b/c", "unchanged"), ("s3/a", "unchanged")]);
            assert_eq!(actions(again.ok()), expected, "{what}");
            assert_eq!(world.changes(to), Vec::<String>::new(), "{what}");
        }
    }
}

#[test]
fn references_bring_secrets_of_several_stores() {
    let world = World::new();
    world.put("nosana", "hf token", "1");
    world.put("northflank", "KEY", "2");
    world.put("local", "own", "3");
    let copy = [
        "copy",
        "keyfob://nosana/hf%20token",
        "own",
        "keyfob://northflank/KEY",
        "neo",
    ];
    let run = world.home.run([&copy[..], &["--dry-run"]].concat());
    run.ok()
        .stdout_is("")
        .stderr_has("\"hf token\" would be created in neo");
    assert_eq!(world.changes("neo"), Vec::<String>::new());
    let run = world.home.run(copy);
    run.ok().stdout_is("").stderr_has("neo: 3 created");
    let values = json!({"hf token": "1", "own": "3", "KEY": "2"});
    assert_eq!(json!(world.values("neo")), values);
}

#[test]
fn what_cannot_be_copied_is_refused_before_anything_is_written() {
    let world = World::new();
    world.put("local", "A", "1");
    world.put("local", "s3/a", "1");
    world.put("nosana", "A", "2");
    for (args, code, word) in [
        // Names that the target cannot hold, and pairs that are none: nobody is asked.
        (&["A", "bytenite"][..], 13, "TYPE/ID"),
        (&["A", "keyfob://nosana/A", "neo"], 2, "both"),
        (&["A", "A", "neo"], 2, "both"),
        (&["A", "local"], 2, "local"),
        (&["keyfob://neo/A", "nosana"], 7, "neo"),
        (&["A", "nowhere"], 3, "nowhere"),
        (&["neo"], 2, "REF"),
        (&["A"], 2, "STORE"),
        // What is missing.
        (&["A", "gone", "neo"], 3, "gone"),
        (&["keyfob://nosana/gone", "A", "neo"], 3, "gone"),
    ] {
        let run = world.home.run([&["copy"], args].concat());
        run.code(code).stdout_is("").stderr_has(word);
    }
    for store in ["nosana", "bytenite", "neo"] {
        assert_eq!(world.changes(store), Vec::<String>::new(), "{store}");
    }
    assert!(world.northflank.requests().is_empty());
}

#[test]
fn a_description_goes_along_where_both_stores_keep_one() {
    let world = World::new();
    let set = ["set", "-q", "A", "--description", "what for"];
    world.home.keyfob(set).stdin("1").run().ok();
    world.home.run(["copy", "A", "neo"]).ok();
    let secret = world.neo.secret("A").unwrap();
    assert_eq!(secret.description.as_deref(), Some("what for"));
    world.home.run(["copy", "A", "nosana"]).ok();
    assert_eq!(world.values("nosana")["A"], "1");
}
