//! What happens to a sync when servers fail, and what a second one does then.

use std::time::Duration;

use serde_json::{Value, json};

use super::{CANARY, World, actions, count, import, owned};
use crate::support::servers::{Answer, Fault, Request};
use crate::support::wait::until;

fn secrets(count: usize) -> serde_json::Map<String, Value> {
    let names = (0..count).map(|number| format!("s3/N{number:03}"));
    names.map(|name| (name, json!(CANARY))).collect()
}

#[test]
fn what_fails_is_told_item_by_item_and_a_second_run_does_the_rest() {
    for to in ["neo", "bytenite"] {
        let world = World::new();
        import(&world, &secrets(40));
        let refusal =
            json!({"error": {"code": "INVALID_REQUEST", "message": format!("no {CANARY}")}});
        let refused =
            |request: &Request| request.method == "POST" && request.text().contains("N007");
        let server = world.server(to).unwrap();
        server.faults().add(
            refused,
            0,
            usize::MAX,
            Fault::Answer(Answer::json(400, &refusal)),
        );
        let run = world.sync(&["local", to]);
        let done = actions(run.code(10));
        assert_eq!(done[7], ("s3/N007".to_owned(), "failed".to_owned()), "{to}");
        assert_eq!(count(&done, "created"), 39);
        assert_eq!(run.json()["results"][7]["error"]["kind"], "invalid_data");
        assert_eq!(run.error()["kind"], "partial");
        assert_eq!(world.values(to).len(), 39);

        // As long as it is refused nothing else is written, and all of what is tried fails.
        world.forget_requests();
        let again = world.sync(&["local", to]);
        assert_eq!(count(&actions(again.code(10)), "unchanged"), 39);
        assert_eq!(world.changes(to).len(), 1, "{:?}", world.changes(to));
        server.faults().clear();
        world.forget_requests();
        let rest = world.sync(&["local", to]);
        assert_eq!(count(&actions(rest.ok()), "created"), 1);
        assert_eq!(world.changes(to).len(), 1);
        assert_eq!(world.values(to).len(), 40);
    }
}

#[test]
fn a_network_that_dies_in_the_middle_leaves_the_rest_to_a_second_run() {
    for to in ["nosana", "neo", "bytenite"] {
        let world = World::new();
        import(&world, &secrets(300));
        world.put(to, "s3/theirs", "theirs");
        let server = world.server(to).unwrap();
        let stores =
            |request: &Request| request.method == "POST" && request.path.ends_with("/secrets");
        let first = if to == "nosana" { 1 } else { 100 };
        server
            .faults()
            .add(stores, first, usize::MAX, Fault::close_unapplied());
        let run = world.sync(&["local", to, "--prune", "--timeout", "5s"]);
        let done = actions(run.code(10));
        let (created, failed) = (count(&done, "created"), count(&done, "failed"));
        assert!(created >= 100 && failed > 100, "{to}: {created} {failed}");
        assert_eq!(created + failed, 301, "{to}");
        // Nothing is deleted before all is stored.
        assert_eq!(done[300], ("s3/theirs".to_owned(), "failed".to_owned()));
        assert!(world.values(to).contains_key("s3/theirs"));
        server.faults().clear();
        let before = world.values(to).len() - 1;
        let rest = world.sync(&["local", to, "--prune"]);
        let rest = actions(rest.ok());
        assert_eq!(count(&rest, "unchanged"), created, "{to}");
        assert_eq!(count(&rest, "created"), 300 - before, "{to}");
        assert_eq!(count(&rest, "deleted"), 1, "{to}");
        assert_eq!(world.values(to), world.values_of(&secrets(300)));
    }
}

impl World {
    fn values_of(
        &self,
        secrets: &serde_json::Map<String, Value>,
    ) -> std::collections::BTreeMap<String, String> {
        let secrets = secrets.iter();
        secrets
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect()
    }
}

#[test]
fn a_store_that_cannot_be_asked_changes_nothing() {
    let world = World::new();
    import(&world, &secrets(3));
    world.put("nosana", "s3/A", "1");
    for (from, to) in [("nosana", "neo"), ("local", "nosana")] {
        world.nosana.faults().always(Fault::close_unapplied());
        let run = world.sync(&[from, to, "--timeout", "1s"]);
        run.code(8).stdout_is("");
        assert_eq!(run.error()["store"], "nosana");
        assert_eq!(world.changes("neo"), Vec::<String>::new());
        let run = world.diff(&[from, to, "--timeout", "1s"]);
        run.code(8).stdout_is("");
        world.nosana.faults().clear();
    }
}

#[test]
fn both_stores_are_asked_at_the_same_time() {
    let world = World::new();
    world.put("nosana", "s3/A", "1");
    for args in [
        &["diff"][..],
        &["sync", "-y"],
        &["sync", "-y", "--only", "s3/A"],
    ] {
        world.nosana.faults().on("GET", "/secrets", Fault::Hang);
        world
            .northflank
            .faults()
            .add(|_| true, 0, usize::MAX, Fault::Hang);
        world.forget_requests();
        let args = [args, &["nosana", "northflank"]].concat();
        let running = world.home.keyfob(args).spawn();
        until("both are asked", || {
            world.nosana.count("GET", "/secrets") > 0 && !world.northflank.requests().is_empty()
        });
        running.kill();
        world.nosana.faults().clear();
        world.northflank.faults().clear();
    }
}

#[test]
fn the_deadline_moves_on_while_there_is_progress() {
    let world = World::new();
    import(&world, &secrets(40));
    // Ten rounds of four take longer than the deadline, and each far less.
    let slow = Fault::Delay(Duration::from_millis(600));
    world.neo.faults().on("POST", "/v1/secrets", slow);
    let sync = ["sync", "local", "neo", "--timeout", "5s"];
    let run = world.home.keyfob(sync).env("KEYFOB_CONCURRENCY", "4").run();
    run.ok().stderr_has("neo: 40 created");
    assert!(run.elapsed > Duration::from_secs(5), "{:?}", run.elapsed);
}

#[test]
fn a_rate_limit_is_waited_for_and_the_waiting_is_shown() {
    let world = World::new();
    import(&world, &secrets(30));
    let limited = |times, seconds| {
        world.neo.faults().clear();
        world.neo.faults().add(
            |request| request.method == "POST",
            0,
            times,
            Fault::rate_limited(seconds),
        );
    };
    limited(16, 2);
    let run = world.home.run(["--json", "sync", "local", "neo"]);
    assert_eq!(count(&actions(run.ok()), "created"), 30);
    // Sixteen requests wait for the same end: that is one wait.
    let told = run.stderr.matches("asks to wait 2 s (rate limit)").count();
    assert_eq!(told, 1, "{}", run.stderr);
    run.stderr_has(&world.neo.address().to_string());

    let wait = |args: &[&str]| {
        world.put("local", "s3/N000", args.join(" ").as_str());
        limited(1, 2);
        world.home.run([args, &["sync", "local", "neo"]].concat())
    };
    wait(&["-q"]).ok().quiet();
    wait(&["-v"]).ok().stderr_has("asks to wait 2 s");

    // On a terminal it stands beside the bar, on a line of its own.
    #[cfg(unix)]
    {
        for number in 0..2 {
            world.put("local", &format!("s3/N{number:03}"), "on a terminal");
        }
        limited(1, 2);
        let sync = ["sync", "-y", "local", "neo"];
        let said = crate::prompts::on_a_terminal(&world.home, &sync).exp_eof();
        let said = said.unwrap();
        assert!(
            said.contains("asks to wait 2 s (rate limit)\r\n"),
            "{said:?}"
        );
        assert!(said.contains("neo: 2 updated"), "{said:?}");
    }

    // What does not fit the deadline is not waited for.
    limited(1, 3600);
    world.put("local", "s3/N000", "other");
    let run = world.home.run(["--json", "sync", "local", "neo"]);
    run.code(10).stderr_lacks("asks to wait");
    let failed = run.json()["results"][0]["error"]["kind"].clone();
    assert_eq!(failed, "rate_limited");
}

#[test]
fn bytes_and_names_that_the_target_cannot_hold_fail_alone() {
    let world = World::new();
    world.put("local", "s3/good", "1");
    let set = world.home.keyfob(["set", "-q", "s3/bytes"]);
    set.stdin(vec![0xff, 0]).run().ok();
    for to in ["nosana", "bytenite", "neo"] {
        let expected = owned([("s3/bytes", "failed"), ("s3/good", "created")]);
        let dry = world.sync(&["local", to, "--dry-run"]);
        assert_eq!(actions(dry.code(10)), expected, "{to}");
        assert_eq!(dry.json()["dry_run"], true);
        assert_eq!(world.changes(to), Vec::<String>::new(), "{to}");
        let run = world.sync(&["local", to]);
        assert_eq!(actions(run.code(10)), expected, "{to}");
        let error = &run.json()["results"][0]["error"];
        assert_eq!(error["kind"], "invalid_data", "{to}");
        let copy = world.home.run(["copy", "s3/bytes", "s3/good", to]);
        copy.code(10).stderr_has("s3/bytes");
    }
    world.home.run(["delete", "-y", "s3/bytes"]).ok();
    world.put("local", "no-type", "1");
    world.put("local", "a b", "1");
    for (to, no_type) in [("bytenite", "failed"), ("northflank", "created")] {
        let run = world.sync(&["local", to]);
        let results = actions(run.code(10));
        assert_eq!(
            results[..2],
            owned([("a b", "failed"), ("no-type", no_type)])
        );
        let run = world.home.run(["--json", "copy", "a b", to]);
        run.code(13);
        assert_eq!(run.json()["results"][0]["error"]["kind"], "invalid_data");
        let run = world.home.run(["copy", "a b", "s3/good", to]);
        run.code(10).stderr_has("a b");
    }
    let run = world.sync(&["local", "nosana"]);
    let done = owned([
        ("a b", "created"),
        ("no-type", "created"),
        ("s3/good", "unchanged"),
    ]);
    assert_eq!(actions(run.ok()), done);
}
