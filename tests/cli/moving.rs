//! `keyfob move`: in a store and between stores, whatever happens on the way.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::home::Home;
use crate::support::servers::faults::Fault;
use crate::support::wait::until;
use crate::support::world::{READABLE, WRITE_ONLY, World};

const VALUE: &str = "canary-moved-value";

fn reference(store: &str, name: &str) -> String {
    format!("keyfob://{store}/{name}")
}

#[test]
fn a_secret_is_moved_within_and_between_all_stores() {
    for from in READABLE {
        for to in READABLE.into_iter().chain(WRITE_ONLY) {
            let what = format!("{from} to {to}");
            let world = World::new();
            world.put(from, "s3/a", VALUE);
            let (old, new) = (reference(from, "s3/a"), reference(to, "s3/b"));
            let dry = world.home.run(["--json", "move", "-n", &old, &new]);
            assert_eq!(dry.ok().json()["dry_run"], true, "{what}");
            assert!(world.values(from).contains_key("s3/a"), "{what}");
            let run = world.home.run(["--json", "-vvv", "move", &old, &new]);
            run.ok().lacks(VALUE);
            let results = json!([{"name": "s3/a", "action": "moved"}]);
            assert_eq!(
                run.json(),
                json!({"store": from, "results": results}),
                "{what}"
            );
            assert!(!world.values(from).contains_key("s3/a"), "{what}");
            assert_eq!(world.values(to)["s3/b"], VALUE, "{what}");
        }
    }
}

#[test]
fn what_cannot_be_moved_is_refused_and_nothing_is_changed() {
    let world = World::new();
    world.put("local", "A", VALUE);
    world.put("local", "B", "other");
    world.put("nosana", "A", "theirs");
    world.put("neo", "N", "1");
    for (args, code, words) in [
        (&["A", "B"][..], 6, "hint: --force"),
        (&["A", "keyfob://nosana/A"], 6, "exists already"),
        (&["A", "A"], 2, "that already"),
        (&["NONE", "C"], 3, "keyfob list -s local"),
        (&["A", "keyfob://bytenite/plain"], 13, "TYPE/ID"),
        (&["A", "keyfob://nowhere/A"], 3, "nowhere"),
        (
            &["keyfob://neo/N", "keyfob://neo/M"],
            7,
            "gives no value back",
        ),
        (&["A", ""], 2, "empty"),
        (&["A"], 2, "NEW"),
    ] {
        let run = world.home.run([&["move"], args].concat());
        run.code(code).stdout_is("").stderr_has(words);
    }
    assert_eq!(world.values("local")["A"], VALUE);
    for store in ["nosana", "neo", "bytenite"] {
        assert_eq!(world.changes(store), Vec::<String>::new(), "{store}");
    }
    world.home.run(["mv", "-f", "A", "B"]).ok();
    assert_eq!(json!(world.values("local")), json!({"B": VALUE}));
    world
        .home
        .run(["mv", "--force", "B", "keyfob://nosana/A"])
        .ok();
    assert_eq!(world.values("nosana")["A"], VALUE);
}

#[test]
fn two_names_of_one_secret_are_not_moved_onto_each_other() {
    let mut world = World::new();
    world.put("northflank", "KEY", VALUE);
    world.home.unset("KEYFOB_NORTHFLANK_GROUP");
    // A group has a name beside its id.
    let move_ = [
        "move",
        "-s",
        "northflank",
        "--force",
        "Api Env/KEY",
        "api-env/KEY",
    ];
    world.home.run(move_).code(6);
    assert_eq!(world.northflank.groups().variables("api-env")["KEY"], VALUE);
}

#[test]
fn description_and_history_go_along() {
    let home = Home::new().with("KEYFOB_DEV_PROVIDER", "local");
    let home = home.with("KEYFOB_DEV_PATH", "dev.age");
    for value in ["one", "two", "three"] {
        let set = ["set", "A", "--description", "what for"];
        home.keyfob(set).stdin(value).run().ok();
    }
    for (old, new) in [("A", "B"), ("B", "keyfob://dev/C")] {
        home.run(["move", old, new]).ok();
        let list = home.run(["--json", "show", new]).ok().json();
        assert_eq!(list["description"], "what for");
        let versions = home.run(["--json", "history", new]).ok().json();
        assert_eq!(versions.as_array().unwrap().len(), 3, "{versions}");
        assert_eq!(versions[0]["current"], true);
    }
    home.run(["restore", "keyfob://dev/C", "1"]).ok();
    home.run(["get", "keyfob://dev/C"]).ok().stdout_is("one");
    // The old name can be restored, as after any deletion.
    home.run(["restore", "A"]).ok();
    home.run(["get", "A"]).ok().stdout_is("three");
    // Where there is no room it is said.
    let world = World::new();
    let set = ["set", "-s", "local", "D", "--description", "d"];
    world.home.keyfob(set).stdin("1").run().ok();
    let run = world.home.run(["move", "D", "keyfob://nosana/D"]);
    run.ok().stderr_has("no room for: description");
}

#[test]
fn a_value_that_is_no_string_stays_none() {
    let world = World::new();
    world.nosana.put(&world.address, "n", json!(17));
    world.home.run(["move", "-s", "nosana", "n", "m"]).ok();
    assert_eq!(world.nosana.secrets(&world.address)["m"], json!(17));
}

/// Kills a move at the `n`-th request to the server of `store`; whether there was one.
fn kill_at_request(world: &World, store: &str, args: &[&str], n: usize, applied: bool) -> bool {
    let server = world.server(store).expect("a server");
    let process: Arc<OnceLock<Pid>> = Arc::default();
    let fault = match applied {
        true => {
            let process = Arc::clone(&process);
            Fault::after(move || {
                kill_process(*process.wait(), Signal::KILL).expect("a running process");
            })
        }
        false => Fault::Hang,
    };
    server.forget_requests();
    server.faults().nth(n, fault);
    let mut running = world.home.keyfob(args).spawn();
    let pid = i32::try_from(running.pid()).ok().and_then(Pid::from_raw);
    process.set(pid.expect("a process id")).expect("set once");
    until("the request or the end", || {
        !running.is_running() || server.requests().len() >= n
    });
    let run = match applied {
        false if server.requests().len() >= n => running.kill(),
        _ => running.wait(),
    };
    server.faults().clear();
    if run.signal == Some(9) {
        return true;
    }
    run.ok();
    false
}

#[test]
fn a_kill_at_any_request_leaves_at_least_one() {
    let mut killed = 0;
    for (from, to) in [
        ("local", "nosana"),
        ("nosana", "nosana"),
        ("nosana", "neo"),
        ("northflank", "northflank"),
        ("northflank", "local"),
        ("local", "bytenite"),
    ] {
        for store in [from, to] {
            if store == "local" {
                continue;
            }
            for applied in [false, true] {
                for n in 1.. {
                    let world = World::new();
                    world.put(from, "s3/a", VALUE);
                    let (old, new) = (reference(from, "s3/a"), reference(to, "s3/b"));
                    let args = ["move", &old, &new];
                    if !kill_at_request(&world, store, &args, n, applied) {
                        assert!(n > 1, "{from} to {to} asks {store}");
                        break;
                    }
                    killed += 1;
                    let what = format!("{from} to {to}, request {n} to {store}, {applied}");
                    let before = world.values(from).get("s3/a").is_some_and(|it| it == VALUE);
                    let after = world.values(to).get("s3/b").is_some_and(|it| it == VALUE);
                    assert!(before || after, "{what}");
                    if before && after {
                        world.home.run(args).code(6);
                        world.home.run(["move", "--force", &old, &new]).ok();
                    }
                }
            }
        }
    }
    println!("{killed} moves killed, 0 secrets lost");
}

#[test]
fn a_vault_s_move_killed_at_any_moment_leaves_at_least_one() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin(VALUE).run().ok();
    let mut whole = home.run(["move", "A", "B"]).ok().elapsed;
    let (mut old, mut new) = ("B", "A");
    let mut killed = 0;
    for round in 0..400 {
        let mut running = home.keyfob(["move", old, new]).spawn();
        // The kills fall all over it, one a little later than the other.
        std::thread::sleep(whole.mul_f64(f64::from(round % 40) / 32.0));
        if running.is_running() {
            killed += 1;
            running.kill();
        } else {
            whole = running.wait().ok().elapsed.max(Duration::from_millis(1));
        }
        let has = |name| home.run(["get", name]).code == Some(0);
        let (before, after) = (has(old), has(new));
        assert!(before || after, "round {round}");
        if before && after {
            home.run(["move", "--force", old, new]).ok();
        }
        if after {
            std::mem::swap(&mut old, &mut new);
        }
        home.run(["get", old]).ok().stdout_is(VALUE);
        if killed == 40 {
            break;
        }
    }
    assert!(killed >= 20, "{killed}");
}

#[test]
fn a_value_is_no_new_name() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("v").run().ok();
    home.run(["move", "A", "B=hunter2-canary"])
        .code(2)
        .stderr_has("a value is not taken as an argument")
        .stderr_lacks("hunter2");
    home.run(["get", "A"]).ok().stdout_is("v");
}
