//! Which secrets a sync brings, under which names, what it deletes, and what it refuses.

use super::{World, actions, owned};

/// A vault `local` with these names, and a second one `b`.
fn two_vaults(names: &[&str]) -> World {
    let mut world = World::new();
    let path = world.home.work().join("b.age");
    world.home.set("KEYFOB_B_PATH", &path);
    let config = format!("[stores.b]\nprovider = \"local\"\npath = {:?}\n", path);
    let folder = world.home.config();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), config).unwrap();
    for name in names {
        world.put("local", name, &format!("value of {name}"));
    }
    world
}

fn put_b(world: &World, name: &str) {
    let set = world.home.keyfob(["set", "-q", "-s", "b", name]);
    set.stdin("old").run().ok();
}

#[track_caller]
fn names_of_b(world: &World) -> Vec<String> {
    let list = world.home.run(["--json", "list", "-s", "b"]).ok().json();
    let list = list.as_array().unwrap().iter();
    list.map(|entry| entry["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn with_nothing_named_all_goes_as_it_is_called() {
    let world = two_vaults(&["A", "PATH", "a b/ü", "db-password"]);
    // What commands see has no part in it.
    world
        .home
        .write("keyfob.toml", "[env]\nONLY = \"keyfob://local/A\"\n");
    world.home.run(["trust", "-y"]).ok();
    world.sync(&["local", "b"]).ok();
    assert_eq!(names_of_b(&world), ["A", "PATH", "a b/ü", "db-password"]);
    world
        .home
        .run(["get", "-s", "b", "a b/ü"])
        .ok()
        .stdout_is("value of a b/ü");
}

#[test]
fn the_selection_options_choose_and_name() {
    for (args, expected) in [
        (&["--only", "a-1,B"][..], &["B", "a-1"][..]),
        (&["--prefix", "a-"], &["a-1", "a-2"]),
        (&["--except", "B,c"], &["a-1", "a-2"]),
        (&["--prefix", "a-", "--except", "a-2", "--upper"], &["A_1"]),
        (&["-e", "new name=B"], &["new name"]),
        (
            &["-e", "x/y=keyfob://nosana/N", "--only", "c"],
            &["c", "x/y"],
        ),
        (&["--upper"], &["A_1", "A_2", "B", "C"]),
        (&["--only", "B", "--strict"], &["B"]),
        (&["--env-file", "names.env"], &["FROM_FILE", "LITERAL"]),
        (
            &["--all", "-e", "more=B"],
            &["B", "a-1", "a-2", "c", "more"],
        ),
    ] {
        let world = two_vaults(&["a-1", "a-2", "B", "c"]);
        world.put("nosana", "N", "of nosana");
        world
            .home
            .write("names.env", "FROM_FILE=keyfob://local/c\nLITERAL=text\n");
        world.sync(&[&["local", "b"], args].concat()).ok();
        assert_eq!(names_of_b(&world), expected, "{args:?}");
    }
    let world = two_vaults(&["a-1"]);
    let run = world.sync(&["local", "b", "-e", "new=a-1"]);
    assert_eq!(actions(run.ok()), owned([("new", "created")]));
    let value = world.home.run(["get", "-s", "b", "new"]);
    value.ok().stdout_is("value of a-1");
}

#[test]
fn what_cannot_be_named_is_refused_before_anything_is_written() {
    let world = two_vaults(&["a-b", "a.b"]);
    for (args, code, word) in [
        (&["--upper"][..], 6, "A_B"),
        (&["--strict"], 2, "a-b"),
        (&["--strict", "-e", "x y=a-b"], 2, "x y"),
        (&["--only", "gone"], 3, "gone"),
        (&["-e", "x=gone"], 3, "gone"),
        (&["-e", "x"], 2, "VAR=NAME"),
    ] {
        let run = world.sync(&[&["local", "b"], args].concat());
        run.code(code).stdout_is("").stderr_has(word);
    }
    // The vault is not even made.
    world.home.run(["list", "-s", "b"]).code(3);
}

#[test]
fn pruning_deletes_what_the_selection_speaks_for_and_no_more() {
    let in_b = ["kept", "p-gone", "p-1", "Q_GONE", "q-low"];
    for (args, left) in [
        (&["--prune"][..], &["p-1", "q-1"][..]),
        (
            &["--prune", "--prefix", "p-"],
            &["Q_GONE", "kept", "p-1", "q-low"],
        ),
        (&["--prune", "--except", "kept"], &["kept", "p-1", "q-1"]),
        (
            &["--prune", "--except", "q-gone", "--upper"],
            &["P_1", "Q_1", "Q_GONE"],
        ),
        (
            &["--prune", "--prefix", "q-", "--upper"],
            &["Q_1", "kept", "p-1", "p-gone", "q-low"],
        ),
        (
            &["--prune", "--prefix", "p-", "-e", "kept=q-1"],
            &["Q_GONE", "kept", "p-1", "q-low"],
        ),
        (&["--prune", "--all", "--only", "p-1"], &["p-1", "q-1"]),
    ] {
        let world = two_vaults(&["p-1", "q-1"]);
        for name in in_b {
            put_b(&world, name);
        }
        world.sync(&[&["local", "b"], args].concat()).ok();
        assert_eq!(names_of_b(&world), left, "{args:?}");
    }
}

#[test]
fn pruning_is_refused_where_it_would_surprise() {
    let world = two_vaults(&["A"]);
    put_b(&world, "B");
    for args in [
        &["--only", "A"][..],
        &["-e", "X=A"],
        &["--prefix", "none-"],
        &["--except", "A"],
    ] {
        let run = world.sync(&[&["local", "b", "--prune"], args].concat());
        run.code(2).stderr_has("--prune");
    }
    world.home.run(["delete", "-y", "A"]).ok();
    world.sync(&["local", "b", "--prune"]).code(2);
    assert_eq!(names_of_b(&world), ["B"]);
    let run = world.home.run(["sync", "local", "b"]);
    run.ok().stderr_has("nothing is selected of local");
}

#[test]
fn a_secret_is_not_pruned_by_another_name_of_its_own() {
    let mut world = World::new();
    world.home.unset("KEYFOB_NORTHFLANK_GROUP");
    world.put("northflank", "A", "1");
    // The group is listed by its id.
    world.put("local", "Api Env/A", "2");
    world.home.write("a.json", r#"{"Api Env/A": "2"}"#);
    for args in [
        &["sync", "-y", "local", "northflank", "--prune"][..],
        &["import", "-y", "-s", "northflank", "--prune", "a.json"],
    ] {
        let run = world.home.run(args);
        run.code(2).stderr_has("Api Env/A");
        assert_eq!(world.values("northflank")["A"], "1");
    }
    let run = world.sync(&["local", "northflank"]);
    assert_eq!(actions(run.ok()), owned([("Api Env/A", "updated")]));
    let run = world.sync(&["local", "northflank"]);
    assert_eq!(actions(run.ok()), owned([("Api Env/A", "unchanged")]));
    assert_eq!(world.values("northflank")["A"], "2");
}

#[test]
fn stores_that_make_no_pair_are_refused_before_anybody_is_asked() {
    let world = two_vaults(&["A"]);
    let same = format!(
        "[stores.c]\nprovider = \"local\"\npath = {:?}\n",
        world.home.work().join("b.age")
    );
    world.home.write("keyfob.toml", same);
    world.home.run(["trust", "-y"]).ok();
    for (from, to, code, word) in [
        ("neo", "local", 7, "neo"),
        ("bytenite", "nosana", 7, "bytenite"),
        ("local", "local", 2, "local"),
        ("b", "c", 2, "same place"),
        ("local", "nowhere", 3, "nowhere"),
    ] {
        let run = world.sync(&[from, to]);
        run.code(code).stdout_is("").stderr_has(word);
    }
    world.diff(&["b", "c"]).code(2);
    world.diff(&["neo", "neo"]).code(2);
    let run = world.home.run(["copy", "keyfob://b/A", "c"]);
    run.code(2).stderr_has("same place");
    for command in ["diff", "sync"] {
        let run = world.home.run(["-s", "b", command, "local", "b"]);
        run.code(2).stderr_has("--store");
    }
    for store in ["nosana", "northflank", "bytenite", "neo"] {
        assert!(world.server(store).unwrap().requests().is_empty());
    }
}

#[test]
fn descriptions_go_along_with_what_is_written() {
    let world = two_vaults(&[]);
    let describe = |name: &str, value: &str| {
        let set = ["set", "-q", name, "--description", "what for"];
        world.home.keyfob(set).stdin(value).run().ok();
    };
    describe("A", "1");
    for to in ["b", "neo"] {
        world.sync(&["local", to]).ok();
    }
    assert_eq!(
        world.neo.secret("A").unwrap().description.unwrap(),
        "what for"
    );
    let shown = world
        .home
        .run(["--json", "show", "-s", "b", "A"])
        .ok()
        .json();
    assert_eq!(shown["description"], "what for");
    // One that keeps none is given none.
    world.sync(&["local", "nosana"]).ok();
}

#[test]
fn the_plan_says_what_becomes_of_each_and_why() {
    let world = two_vaults(&["NEW", "OLD"]);
    world.put("neo", "OLD", "v");
    let run = world.home.run(["sync", "local", "neo", "-n"]);
    run.ok()
        .stdout_is("")
        .stderr_has("NEW would be created in neo")
        .stderr_has("OLD would be updated in neo, as its value there is unknown")
        .stderr_has("1 to create, 1 to update in neo");
    let run = world.home.run(["sync", "local", "neo"]);
    run.ok()
        .stdout_is("")
        .stderr_has("OLD to be updated in neo")
        .stderr_has("neo: 1 created, 1 updated");
    let run = world.home.run(["sync", "local", "neo"]);
    run.ok().stderr_has("2 unchanged in neo");
    world.home.run(["-q", "sync", "local", "neo"]).ok().quiet();
}

#[cfg(unix)]
#[test]
fn on_a_terminal_it_asks() {
    use crate::prompts::on_a_terminal;

    let world = two_vaults(&["A"]);
    put_b(&world, "GONE");
    for (answer, changed) in [("\n", false), ("n\n", false), ("y\n", true)] {
        let mut terminal = on_a_terminal(&world.home, &["sync", "local", "b", "--prune"]);
        terminal.exp_string("A to be created in b").unwrap();
        terminal.exp_string("GONE to be deleted in b").unwrap();
        terminal.exp_string("Change b?").unwrap();
        terminal.send(answer).unwrap();
        terminal.flush().unwrap();
        let rest = terminal.exp_eof().unwrap();
        assert!(!rest.contains("value of A"), "{rest}");
        let names = if changed { "A" } else { "GONE" };
        assert_eq!(names_of_b(&world), [names], "{answer:?}");
    }
    for args in [
        &["sync", "local", "b"][..],
        &["sync", "-n", "nosana", "b"],
        &["diff", "local", "b"],
        &["copy", "A", "nosana"],
    ] {
        let said = on_a_terminal(&world.home, args).exp_eof().unwrap();
        assert!(!said.contains('?'), "{said}");
    }
}
