//! `keyfob diff`: what it says, how it ends, and that it changes nothing.

use crate::support::world::World;
use crate::sync::{differences, owned};

#[test]
fn only_except_and_prefix_choose() {
    let world = World::new();
    for name in ["a/1", "a/2", "b/1"] {
        world.put("local", name, "1");
    }
    world.put("nosana", "b/1", "2");
    world.put("nosana", "a/3", "1");
    for (args, expected) in [
        (&["--only", "a/1,b/1"][..], &["a/1", "b/1"][..]),
        (&["--prefix", "a/"], &["a/1", "a/2", "a/3"]),
        (&["--prefix", "a/", "--except", "a/2"], &["a/1", "a/3"]),
        (&["--except", "a/1,a/2,a/3"], &["b/1"]),
        (&["--only", "a/*"], &["a/1", "a/2", "a/3"]),
        (&["--only", "?/1", "--except", "[!b]/*"], &["b/1"]),
        (&["--except", "none*,a/*"], &["b/1"]),
    ] {
        let run = world.diff(&[&["local", "nosana"], args].concat());
        let found = differences(run.code(1));
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, expected, "{args:?}");
    }
    let run = world.diff(&["local", "nosana", "--only", "gone"]);
    run.code(3).stdout_is("").stderr_has("gone");
    for typo in [
        &["--except", "b/2"][..],
        &["--only", "a/1", "--except", "a/9"],
    ] {
        let run = world.diff(&[&["local", "nosana"], typo].concat());
        run.code(3).stdout_is("").stderr_has(typo.last().unwrap());
    }
    world.diff(&["local", "nosana", "--prefix", "none"]).ok();
}

#[test]
fn stores_that_give_nothing_back_are_compared_by_name_and_memory() {
    let world = World::new();
    world.put("local", "s3/a", "1");
    world.put("local", "s3/b", "1");
    world.sync(&["local", "neo"]).ok();
    world.put("local", "s3/b", "2");
    world.put("neo", "s3/c", "1");
    // Whichever stands first.
    for (pair, only) in [
        (["local", "neo"], "only_in_b"),
        (["neo", "local"], "only_in_a"),
    ] {
        let run = world.diff(&pair);
        let expected = owned([("s3/b", "differs"), ("s3/c", only)]);
        assert_eq!(differences(run.code(1)), expected);
    }
    world.put("bytenite", "s3/a", "1");
    let run = world.diff(&["bytenite", "neo"]);
    let expected = owned([
        ("s3/a", "unknown"),
        ("s3/b", "only_in_b"),
        ("s3/c", "only_in_b"),
    ]);
    assert_eq!(differences(run.code(1)), expected);
    run.stderr_has("unknown is what");
    let run = world
        .home
        .run(["diff", "bytenite", "neo", "--only", "s3/a"]);
    run.code(1).stdout_is("s3/a\tunknown\n");
}

#[test]
fn two_empty_stores_do_not_differ() {
    let world = World::new();
    let run = world.diff(&["local", "northflank"]);
    assert_eq!(differences(run.ok()), []);
}
