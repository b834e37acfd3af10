//! What a rotation does when nothing kills it: where values come from, where they go, what checks
//! them, and what is put back.

use serde_json::{Value, json};

use super::{NEW, OLD, World, outcome};
use crate::support::home::{BINARY, Home};
use crate::support::servers::bytenite::API_KEY;
use crate::support::servers::faults::Fault;
use crate::support::servers::{Answer, ByteNite, Server};
use crate::support::wait::until;

/// A home with secrets in the local vault.
fn local(secrets: &[(&str, &str)]) -> Home {
    let home = Home::new();
    for (name, value) in secrets {
        home.keyfob(["set", name]).stdin(*value).run().ok();
    }
    home
}

fn value(home: &Home, name: &str) -> String {
    home.run(["get", name]).ok().text()
}

#[test]
fn all_five_providers_get_one_new_value_and_nothing_stays_open() {
    let world = World::with_a_secret();
    let run = world.rotation().arg("--json").run();
    assert_eq!(outcome(run.ok()), "rotated");
    assert!(world.held().all_new(), "{:?}", world.held());
    assert!(world.open().is_empty());
    run.lacks(NEW).lacks(OLD);
    // What stands beside a value stays.
    let shown = world.bytenite.shown("s3", "k").expect("a secret");
    assert_eq!(
        (&shown["name"], &shown["accessKey"]),
        (&json!("kept"), &json!("AK"))
    );
    let other = world.northflank.groups().variable("api-env", "OTHER");
    assert_eq!(other.as_deref(), Some("kept"));
    let quiet = world.rotation().arg("-vvv").run();
    quiet.ok().lacks(NEW).lacks(OLD);
}

#[test]
fn the_plan_is_shown_and_nobody_is_asked() {
    let world = World::with_a_secret();
    for server in world.servers() {
        server.forget_requests();
    }
    let run = world.rotation().arg("--dry-run").run();
    run.ok()
        .stdout_has("write keyfob://neo/K\n")
        .stdout_has("if anything fails, those that can be read")
        .lacks(NEW);
    let plan = world.rotation().args(["--dry-run", "--json"]).run();
    let plan = plan.ok().json();
    assert_eq!(plan[0]["dry_run"], true);
    assert_eq!(plan[0]["secret"], "keyfob://local/K");
    assert_eq!(
        plan[0]["steps"][0],
        json!({"step": "read", "target": "keyfob://local/K"})
    );
    assert_eq!(plan[0]["no_undo"].as_array().unwrap().len(), 3);
    for server in world.servers() {
        assert_eq!(server.asked(), Vec::<String>::new());
    }
    assert!(world.held().all_old());
}

#[test]
fn what_cannot_be_undone_is_refused_before_anything_is_asked() {
    let world = World::with_a_secret();
    for server in world.servers() {
        server.forget_requests();
    }
    let args = [
        "rotate",
        "K",
        "--to=keyfob://neo/K",
        "--to=keyfob://nosana/K",
    ];
    let run = world.home.run(args);
    run.code(7)
        .stderr_has("keyfob://neo/K")
        .stderr_has("--accept-no-undo");
    for server in world.servers() {
        assert_eq!(server.asked(), Vec::<String>::new());
    }
    assert!(world.held().all_old());
}

#[test]
fn a_failing_verify_leaves_every_readable_target_as_it_was() {
    let world = World::with_a_secret();
    let log = world.home.work().join("log");
    // The last of those that can be read; what cannot be is not written at all then.
    let verify = format!(
        "echo \"$KEYFOB_TARGET\" >> '{}'; test \"$(cat)\" = {NEW} && test \"$KEYFOB_TARGET\" != keyfob://local/URL",
        log.display()
    );
    let rollback = format!(
        "echo \"rolled back $KEYFOB_TARGET to $(cat)\" >> '{}'",
        log.display()
    );
    let run = world
        .rotation_with(&["--json", "--verify", &verify, "--on-rollback", &rollback])
        .run();
    assert_eq!(outcome(run.code(1)), "rolled_back");
    run.stderr_has("the verify command for keyfob://local/URL failed with exit code 1");
    assert!(world.held().all_old(), "{:?}", world.held());
    assert!(world.open().is_empty());
    let log = String::from_utf8(world.home.read(&log)).unwrap();
    assert!(
        log.ends_with(&format!("rolled back keyfob://local/K to {OLD}\n")),
        "{log}"
    );
    assert!(!log.contains("bytenite") && !log.contains("neo"), "{log}");
}

#[test]
fn a_verify_that_fails_for_what_cannot_be_put_back_stays_open() {
    let world = World::with_a_secret();
    let verify = "cat > /dev/null; test \"$KEYFOB_TARGET\" != keyfob://neo/K";
    let run = world.rotation_with(&["--json", "--verify", verify]).run();
    assert_eq!(outcome(run.code(10)), "open");
    let held = world.held();
    assert!(held.undone() && !held.all_old(), "{held:?}");
    let open = world.open();
    assert_eq!(open[0]["direction"], "back");
    let targets = open[0]["targets"].as_array().unwrap();
    let new: Vec<&Value> = targets
        .iter()
        .filter(|target| target["holds"] == "new")
        .collect();
    assert_eq!(new.len(), 2, "{targets:?}");
    world
        .home
        .run(["rotate", "--list"])
        .ok()
        .stdout_has("not all undone");
    // Undoing it again changes nothing and says the same; saying that it may stay so closes it.
    world
        .home
        .run(["rotate", "--undo"])
        .code(10)
        .stderr_has("--accept-no-undo");
    world
        .home
        .run(["rotate", "--undo", "--accept-no-undo"])
        .ok();
    assert!(world.open().is_empty());
    assert!(world.held().undone());
}

#[test]
fn a_write_that_is_refused_rolls_the_others_back() {
    let world = World::with_a_secret();
    world.northflank.set_read_only(true);
    let run = world.rotation().arg("--json").run();
    assert_eq!(outcome(run.code(5)), "rolled_back");
    assert!(world.held().all_old(), "{:?}", world.held());
    assert!(world.open().is_empty());

    // Here the others are written already, and only this one cannot be put back.
    let world = World::with_a_secret();
    world.bytenite.set_read_only(true);
    let run = world.rotation().arg("--json").run();
    assert_eq!(outcome(run.code(10)), "open");
    assert!(world.held().undone());
    world.bytenite.set_read_only(false);
    world.home.run(["rotate", "--resume"]).ok();
    assert!(world.held().all_new(), "{:?}", world.held());
}

#[test]
fn a_read_back_that_differs_is_a_failure() {
    let world = World::with_a_secret();
    let faults = world.nosana.faults();
    // Says that it stored what it did not.
    let lie = crate::support::servers::Answer::text(200, "OK");
    faults.on("POST", "/secrets", Fault::Answer(lie));
    let run = world.rotation().arg("--json").run();
    assert_eq!(outcome(run.code(6)), "rolled_back");
    run.stderr_has("holds another value than was sent");
    assert!(world.held().all_old(), "{:?}", world.held());
}

#[test]
fn values_come_from_generators_commands_and_files() {
    let home = local(&[("A", "old"), ("B", "old")]);
    home.run(["rotate", "A"]).ok();
    assert_eq!(value(&home, "A").len(), 32);
    home.run(["rotate", "A", "--generate", "hex:12"]).ok();
    assert_eq!(value(&home, "A").len(), 12);
    home.run(["rotate", "A", "--from-command", "printf 'x y\\n\\n'"])
        .ok();
    assert_eq!(value(&home, "A"), "x y\n");
    home.write("new", "every byte\n");
    home.run(["rotate", "A", "--file", "new"]).ok();
    assert_eq!(value(&home, "A"), "every byte\n");
    home.keyfob(["rotate", "A", "--file=-"])
        .stdin("piped")
        .run()
        .ok();
    assert_eq!(value(&home, "A"), "piped");
    // Several names get a value each.
    home.run(["rotate", "A", "B"]).ok();
    assert_ne!(value(&home, "A"), value(&home, "B"));
    assert!(!value(&home, "B").contains("old"));
}

#[test]
fn a_command_that_made_a_value_is_told_when_it_is_not_used() {
    let home = local(&[("A", "old")]);
    // Bytes that are not text, which the derived URL cannot be made of.
    let run = home.run([
        "rotate",
        "A",
        "--from-command=printf '\\377'",
        "--derive=B={value|json}",
        "--on-rollback=cat > told",
    ]);
    run.code(13);
    assert_eq!(home.read("told"), b"old");
    assert_eq!(value(&home, "A"), "old");
}

#[test]
fn commands_see_no_credentials_of_keyfobs() {
    let world = World::with_a_secret();
    let home = &world.home;
    let run = home.run([
        "rotate",
        "K",
        "--from-command=env > made; echo new",
        "--verify=env > verified; echo what it prints; exit 1",
        "--on-rollback=env > rolled-back",
    ]);
    // What a verify command prints is no data.
    run.code(1).stdout_is("").stderr_has("what it prints");
    for file in ["made", "verified", "rolled-back"] {
        let seen = String::from_utf8(home.read(file)).unwrap();
        assert!(seen.contains("KEYFOB_TARGET=keyfob://local/K\n"), "{seen}");
        assert!(seen.contains("KEYFOB_NEO_BASE_URL="), "{seen}");
        for credential in ["_API_KEY=", "_API_TOKEN=", "_KEYPAIR="] {
            assert!(!seen.contains(credential), "{credential} in {file}");
        }
    }
}

#[test]
fn a_command_gives_bytenite_both_keys() {
    let server = ByteNite::start();
    let mut home = Home::new();
    home.set("KEYFOB_STORE", "bytenite")
        .set("KEYFOB_BYTENITE_BASE_URL", server.url())
        .set("BYTENITE_API_KEY", API_KEY);
    server.put(
        "s3",
        "k",
        OLD,
        json!({"name": "kept", "accessKey": "AK-old"}),
    );
    let command = r#"echo '{"accessKey": "AK-new", "secretKey": "SK-new"}'"#;
    let run = home.run([
        "rotate",
        "s3/k",
        "--accept-no-undo",
        "--from-command",
        command,
        "--to=keyfob://local/SECRET_KEY",
    ]);
    run.ok();
    assert_eq!(server.secret_key("s3", "k").as_deref(), Some("SK-new"));
    let shown = server.shown("s3", "k").unwrap();
    assert_eq!(
        (&shown["name"], &shown["accessKey"]),
        (&json!("kept"), &json!("AK-new"))
    );
    home.run(["get", "keyfob://local/SECRET_KEY"])
        .ok()
        .stdout_is("SK-new");
    // In another store JSON is a value like any other.
    home.run([
        "rotate",
        "keyfob://local/SECRET_KEY",
        "--from-command",
        command,
    ])
    .ok();
    home.run(["get", "keyfob://local/SECRET_KEY"])
        .ok()
        .stdout_is(r#"{"accessKey": "AK-new", "secretKey": "SK-new"}"#);
}

#[test]
fn a_second_rotation_of_a_target_is_refused_while_one_is_open() {
    let world = World::with_a_secret();
    // The rollback fails as well, so that it stays open.
    world
        .nosana
        .faults()
        .after_first(3, Fault::rate_limited(3600));
    let run = world.rotation().arg("--json").run();
    assert_eq!(outcome(run.code(10)), "open");
    world.nosana.faults().clear();
    for args in [
        &["rotate", "keyfob://nosana/K"][..],
        &["rotate", "OTHER", "--to=keyfob://northflank/K"],
    ] {
        world.home.keyfob(["set", "OTHER"]).stdin("x").run().ok();
        let run = world.home.run(args);
        run.code(6)
            .stderr_has("keyfob://local/K")
            .stderr_has("--resume");
    }
    world.home.run(["rotate", "OTHER"]).ok();
    let examined = world.home.run(["doctor", "--json"]);
    let checks = examined.json()["checks"].as_array().unwrap().clone();
    let mut open = checks.iter().filter(|found| found["check"] == "rotations");
    let found = open.next().unwrap();
    assert_eq!(
        (&found["subject"], &found["status"]),
        (&json!("keyfob://local/K"), &json!("warning"))
    );
    assert!(found["hint"].as_str().unwrap().contains("--resume"));
    world
        .home
        .run(["rotate", "--undo", "keyfob://local/OTHER"])
        .code(3);
    world
        .home
        .run(["rotate", "--undo", "K"])
        .ok()
        .stderr_has("is undone");
    assert!(world.held().undone());
    world.home.run(["rotate", "keyfob://nosana/K"]).ok();
}

#[test]
fn somebody_elses_value_is_not_overwritten() {
    let open = || {
        let world = World::with_a_secret();
        world
            .nosana
            .faults()
            .after_first(3, Fault::rate_limited(3600));
        let run = world.rotation().arg("--json").run();
        assert_eq!(outcome(run.code(10)), "open");
        world.nosana.faults().clear();
        world.nosana.put(&world.address, "K", "theirs");
        world
    };
    let held = |world: &World| world.nosana.secrets(&world.address)["K"].clone();
    let world = open();
    world
        .home
        .run(["rotate", "--resume"])
        .code(6)
        .stderr_has("was changed by somebody else");
    assert_eq!(held(&world), "theirs");
    world.home.run(["rotate", "--undo"]).code(10);
    world
        .home
        .run(["rotate", "--undo", "--accept-no-undo"])
        .ok();
    assert_eq!(held(&world), "theirs");
    assert!(world.open().is_empty());
}

#[test]
fn an_undo_with_a_dead_backend_is_not_given_up() {
    let world = World::with_a_secret();
    world
        .nosana
        .faults()
        .after_first(3, Fault::rate_limited(3600));
    world.rotation().run().code(10);
    // Nobody may close what could still be put back.
    let args = ["rotate", "--undo", "--accept-no-undo"];
    world.home.run(args).code(10);
    assert_eq!(world.open_rotations(), 1);
    world.nosana.faults().clear();
    world.home.run(["rotate", "--undo"]).ok();
    assert!(world.held().all_old());
}

#[test]
fn a_store_that_leads_elsewhere_by_now_is_not_written() {
    let world = World::with_a_secret();
    world
        .nosana
        .faults()
        .after_first(3, Fault::rate_limited(3600));
    world.rotation().run().code(10);
    world.nosana.faults().clear();
    let elsewhere = World::with_a_secret();
    for mode in ["--resume", "--undo"] {
        let run = world
            .home
            .keyfob(["rotate", mode])
            .env("KEYFOB_NOSANA_BASE_URL", elsewhere.nosana.url())
            .run();
        run.code(6).stderr_has("does not lead where it led");
    }
    assert!(elsewhere.held().all_old());
    world.home.run(["rotate", "--undo"]).ok();
}

#[test]
fn two_names_of_one_place_are_one_secret() {
    let mut home = local(&[("A", "old")]);
    home.set("KEYFOB_ALIAS_PROVIDER", "local");
    home.set("KEYFOB_ALIAS_PATH", home.data().join("vault.age"));
    home.run(["rotate", "A", "--to=keyfob://alias/A"])
        .code(2)
        .stderr_has("are the same secret");
    assert_eq!(value(&home, "A"), "old");
}

#[test]
fn one_failure_among_several_leaves_the_others_rotated() {
    let home = local(&[("A", "old"), ("B", "old"), ("C", "old")]);
    let verify = "cat > /dev/null; test \"$KEYFOB_TARGET\" != keyfob://local/B";
    let run = home.run(["--json", "rotate", "A", "B", "C", "--verify", verify]);
    let outcomes: Vec<Value> = run
        .code(10)
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|report| report["outcome"].clone())
        .collect();
    assert_eq!(outcomes, ["rotated", "rolled_back", "rotated"]);
    assert_eq!(value(&home, "B"), "old");
    assert_ne!(value(&home, "C"), "old");
}

#[test]
fn a_damaged_journal_hides_nothing_and_closes_nothing() {
    let world = World::with_a_secret();
    world
        .nosana
        .faults()
        .after_first(3, Fault::rate_limited(3600));
    world.rotation().run().code(10);
    world.nosana.faults().clear();
    let files = crate::neo::journal(&world.home);
    assert_eq!(files.len(), 1);
    let whole = world.home.read(&files[0]);
    world
        .home
        .write_private(&files[0], &whole[..whole.len() - 1]);
    for args in [
        &["rotate", "--list"][..],
        &["rotate", "--resume"],
        &["rotate", "--undo"],
    ] {
        world.home.run(args).code(13).stderr_has("damaged");
    }
    // It may be of the same secret, so nothing else is begun.
    world.home.run(["rotate", "URL"]).code(13);
    world.home.write_private(&files[0], &whole);
    world.home.run(["rotate", "--undo"]).ok();
    assert!(world.held().all_old());
}

#[test]
fn all_stores_are_written_at_once() {
    let world = World::with_a_secret();
    // Neither answers its write: were one store written after the other, one would never be asked.
    let writes: [(&Server, &str, &str); 2] = [
        (&world.nosana, "POST", "/secrets"),
        (&world.northflank, "PATCH", "/v1/*"),
    ];
    for (server, method, path) in writes {
        server.faults().on(method, path, Fault::Hang);
    }
    let running = world.rotation().spawn();
    let asked = |(server, method, _): &(&Server, &str, &str)| {
        let requests = server.requests();
        requests
            .iter()
            .any(|request| request.method == *method && request.path != "/login")
    };
    until("both are asked", || writes.iter().all(asked));
    running.kill();
    for (server, ..) in writes {
        server.faults().clear();
    }
    world.home.run(["rotate", "--undo"]).ok();
    assert!(world.held().all_old());
}

/// Runs a rotation of `K` to nosana during whose verify command somebody sets `K`.
fn overtaken(world: &World, verify: &str) -> crate::support::run::Run {
    let home = &world.home;
    let script = format!("printf theirs | {BINARY:?} -q set K; {verify}");
    home.keyfob([
        "--json",
        "rotate",
        "K",
        "--to=keyfob://nosana/K",
        "--verify",
    ])
    .args([
        format!("test \"$KEYFOB_TARGET\" != keyfob://local/K || {{ {script}; }}"),
        "--generate=hex:8".to_owned(),
    ])
    .run()
}

#[test]
fn a_set_during_a_rotation_is_noticed_and_told() {
    for verify in ["true", "false"] {
        let world = World::with_a_secret();
        let nosana = || world.values("nosana")["K"].clone();
        let run = overtaken(&world, verify);
        let report = run.code(10).json();
        assert_eq!(outcome(&run), "open", "{verify}");
        let said = &report[0]["error"]["message"];
        assert!(said.to_string().contains("somebody else"), "{said}");
        let (local, there) = (value(&world.home, "K"), nosana());
        let held = [("keyfob://local/K", local), ("keyfob://nosana/K", there)];
        for (told, (target, held)) in report[0]["targets"].as_array().unwrap().iter().zip(held) {
            assert_eq!(told["secret"], target);
            let theirs = target == "keyfob://local/K";
            assert_eq!(told["holds"], if theirs { "other" } else { "old" });
            assert_eq!(held, if theirs { "theirs" } else { OLD });
        }
        world
            .home
            .run(["rotate", "--list"])
            .ok()
            .stdout_has("somebody else's value")
            .stdout_lacks("the new value");
        world
            .home
            .run(["rotate", "--undo", "--accept-no-undo"])
            .ok();
        assert!(world.open().is_empty());
    }
}

#[test]
fn what_was_changed_before_the_first_write_is_left_alone_and_nothing_stays_open() {
    let world = World::with_a_secret();
    let script = format!("printf theirs | {BINARY:?} -q set K; echo new");
    let run = world
        .home
        .keyfob(["--json", "rotate", "K", "--to=keyfob://nosana/K"])
        .args(["--from-command", &script])
        .run();
    run.code(6);
    assert_eq!(outcome(&run), "rolled_back");
    let report = run.json();
    let said = report[0]["error"]["message"].to_string();
    assert!(said.contains("everything else is as it was"), "{said}");
    assert_eq!(value(&world.home, "K"), "theirs");
    assert_eq!(world.nosana.secrets(&world.address)["K"], OLD);
    assert!(world.open().is_empty());
    world
        .home
        .run(["rotate", "K", "--to=keyfob://nosana/K"])
        .ok();
}

#[test]
fn a_target_that_cannot_hold_the_value_is_named_before_anything_is_written() {
    let world = World::with_a_secret();
    world.home.write("value", b"\xff\x00");
    let run = world
        .home
        .run(["rotate", "K", "--to=keyfob://nosana/K", "--file=value"]);
    run.code(13)
        .stderr_has("keyfob://nosana/K cannot hold the new value");
    assert_eq!(value(&world.home, "K"), OLD);
    assert!(world.open().is_empty());
}

#[test]
fn an_undo_that_was_answered_and_not_done_is_not_said_to_be() {
    let world = World::with_a_secret();
    let script = "test \"$KEYFOB_TARGET\" != keyfob://nosana/FRESH";
    let args = [
        "rotate",
        "K",
        "--to=keyfob://nosana/FRESH",
        "--verify",
        script,
    ];
    // The delete that takes the new secret back is answered OK, and does nothing.
    world
        .nosana
        .faults()
        .on("DELETE", "/secrets", Fault::Answer(Answer::text(200, "OK")));
    let run = world.home.run(args);
    run.code(10).stderr_lacks("everything is as it was");
    assert_eq!(world.open_rotations(), 1);
    world.nosana.faults().clear();
    world.home.run(["rotate", "--undo"]).ok();
    assert!(!world.nosana.secrets(&world.address).contains_key("FRESH"));
}
