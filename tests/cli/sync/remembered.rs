//! What keyfob remembers of stores that give nothing back: never more than is true, whatever
//! happens to it, to the server or to the process.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::sync::{Mutex, mpsc};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{WRITE_ONLY, World, actions, differences, owned};
use crate::support::run::Keyfob;
use crate::support::servers::{ByteNite, Fault, bytenite};
use crate::support::wait::until;

const NAME: &str = "s3/a";

/// A vault and a store in which the secret is the same, as keyfob knows.
fn in_sync(to: &str) -> World {
    let world = World::new();
    world.put("local", NAME, "1");
    world.sync(&["local", to]).ok();
    assert_unchanged(&world, to);
    world
}

#[track_caller]
fn assert_unchanged(world: &World, to: &str) {
    world.diff(&["local", to]).ok();
    let run = world.sync(&["local", to]);
    assert_eq!(actions(run.ok()), owned([(NAME, "unchanged")]), "{to}");
}

/// It is unknown, and the next sync puts that right.
#[track_caller]
fn assert_unknown_then_mended(world: &World, to: &str) {
    let run = world.diff(&["local", to]);
    let unknown = owned([(NAME, "unknown")]);
    assert_eq!(differences(run.code(1)), unknown, "{to}");
    let run = world.sync(&["local", to]);
    assert_eq!(actions(run.ok()), owned([(NAME, "updated")]), "{to}");
    assert_eq!(world.values(to), world.values("local"), "{to}");
    assert_unchanged(world, to);
}

fn records(world: &World) -> Vec<PathBuf> {
    let folder = world.home.data().join("written");
    let mut files = world.home.files();
    files.retain(|path| path.starts_with(&folder) && path.extension().is_some_and(|e| e == "json"));
    files
}

#[test]
fn every_command_that_writes_is_remembered() {
    for to in WRITE_ONLY {
        let world = World::new();
        world.put("local", NAME, "1");
        let set = |value: &str| {
            let set = world.home.keyfob(["set", "-q", "-s", to, NAME]);
            set.stdin(value.to_owned()).run().ok();
        };
        set("1");
        assert_unchanged(&world, to);
        set("2");
        let run = world.diff(&["local", to]);
        assert_eq!(differences(run.code(1)), owned([(NAME, "differs")]), "{to}");
        world.home.write("a.json", json!({NAME: "1"}).to_string());
        world.home.run(["import", "-s", to, "a.json"]).ok();
        assert_unchanged(&world, to);
        // What is unchanged is not written by import either.
        world.forget_requests();
        world.home.run(["import", "-s", to, "a.json"]).ok();
        assert_eq!(world.changes(to), Vec::<String>::new(), "{to}");

        // Neither does a rotation go past the record.
        let target = format!("keyfob://{to}/{NAME}");
        let rotate = ["rotate", NAME, "--accept-no-undo", "--to", &target];
        world.home.run(rotate).ok();
        assert_eq!(world.values(to), world.values("local"), "{to}");
        assert_unchanged(&world, to);

        // What was deleted and made by somebody else is not what was remembered.
        world.home.run(["delete", "-y", "-s", to, NAME]).ok();
        world.put(to, NAME, "theirs");
        assert_unknown_then_mended(&world, to);
    }
}

#[test]
fn what_somebody_else_replaced_is_unknown() {
    let world = in_sync("neo");
    world.put("neo", NAME, "theirs");
    assert_unknown_then_mended(&world, "neo");

    // A new secret key comes with a new access key.
    let world = in_sync("bytenite");
    let (kind, id) = NAME.split_once('/').unwrap();
    let fields = json!({"accessKey": "AKIA2"});
    world.bytenite.put(kind, id, "theirs", fields);
    assert_unknown_then_mended(&world, "bytenite");
    let shown = world.bytenite.shown(kind, id).unwrap();
    assert_eq!(shown["accessKey"], "AKIA2", "attributes are kept");
}

#[test]
fn an_attribute_that_keyfob_changes_leaves_the_value_known() {
    let world = in_sync("bytenite");
    let set = [
        "set",
        "-q",
        "-s",
        "bytenite",
        NAME,
        "--attr",
        "accessKey=AKIA",
    ];
    world.home.keyfob(set).stdin("1").run().ok();
    let (kind, id) = NAME.split_once('/').unwrap();
    let shown = world.bytenite.shown(kind, id).unwrap();
    assert_eq!(shown["accessKey"], "AKIA");
    assert_unchanged(&world, "bytenite");
}

/// What befalls a record, and whether the user is told.
type Damage = (fn(&World), bool);

#[test]
fn a_record_that_is_damaged_lost_or_anothers_is_unknown_and_said_to_be() {
    for to in WRITE_ONLY {
        let damages: [Damage; 6] = [
            (|world| fs::write(&records(world)[0], "{").unwrap(), true),
            (|world| fs::write(&records(world)[0], "").unwrap(), true),
            (|world| fs::remove_file(&records(world)[0]).unwrap(), false),
            (
                |world| fs::remove_dir_all(world.home.data().join("written")).unwrap(),
                false,
            ),
            (
                |world| fs::write(world.home.data().join("written/key"), [1; 32]).unwrap(),
                true,
            ),
            (
                |world| fs::write(world.home.data().join("written/key"), "").unwrap(),
                true,
            ),
        ];
        for (damage, is_told) in damages {
            let world = in_sync(to);
            damage(&world);
            let run = world.diff(&["local", to]);
            run.code(1);
            assert_eq!(run.stderr.contains("not known any more"), is_told, "{to}");
            assert_unknown_then_mended(&world, to);
        }
    }
}

#[test]
fn digests_that_were_tampered_with_are_never_the_same() {
    for to in WRITE_ONLY {
        let world = in_sync(to);
        world.put("local", NAME, "2");
        let old = fs::read(&records(&world)[0]).unwrap();
        world.sync(&["local", to]).ok();
        // The record of before, put back: it speaks of another value.
        fs::write(&records(&world)[0], &old).unwrap();
        let run = world.diff(&["local", to]);
        let found = differences(run.code(1))[0].1.clone();
        assert!(["differs", "unknown"].contains(&found.as_str()), "{found}");
        world.sync(&["local", to]).ok();
        let mut file: serde_json::Value =
            serde_json::from_slice(&fs::read(&records(&world)[0]).unwrap()).unwrap();
        for digests in file["secrets"].as_object_mut().unwrap().values_mut() {
            digests["value"] = digests["mark"].clone();
        }
        fs::write(&records(&world)[0], file.to_string()).unwrap();
        let run = world.sync(&["local", to]);
        assert_eq!(actions(run.ok()), owned([(NAME, "updated")]), "{to}");
    }
}

#[test]
fn another_place_is_another_record() {
    let mut world = in_sync("bytenite");
    let other = ByteNite::start();
    let (kind, id) = NAME.split_once('/').unwrap();
    other.put(kind, id, "theirs", json!({}));
    world.home.set("KEYFOB_BYTENITE_BASE_URL", other.url());
    let run = world.diff(&["local", "bytenite"]);
    assert_eq!(differences(run.code(1)), owned([(NAME, "unknown")]));
    world.sync(&["local", "bytenite"]).ok();
    assert_eq!(other.secret_key(kind, id).unwrap(), "1");
    assert_eq!(records(&world).len(), 2);
    // Back again, what was stored there is still known.
    world
        .home
        .set("KEYFOB_BYTENITE_BASE_URL", world.bytenite.url());
    assert_unchanged(&world, "bytenite");
}

#[test]
fn another_account_at_the_same_place_is_another() {
    let mut world = in_sync("bytenite");
    // Where keys are sent as they are, the server takes one alone: it must be made another.
    let other = format!("{}-2", bytenite::API_KEY);
    world.bytenite.set_api_key(&other);
    world.home.set("BYTENITE_API_KEY", &other);
    assert_unknown_then_mended(&world, "bytenite");
}

/// Kills the process when the server has carried out its next request of this method, before it
/// is answered.
fn kill_after(world: &World, store: &str, method: &'static str, command: Keyfob) {
    let process: Arc<OnceLock<Pid>> = Arc::default();
    let pid = Arc::clone(&process);
    let killed = Fault::after(move || {
        kill_process(*pid.wait(), Signal::KILL).expect("a running process");
    });
    let server = world.server(store).unwrap();
    let stores = move |request: &crate::support::servers::Request| {
        request.method == method && !request.path.ends_with("/access_token")
    };
    server.faults().add(stores, 0, 1, killed);
    let running = command.spawn();
    let pid = i32::try_from(running.pid()).ok().and_then(Pid::from_raw);
    process.set(pid.expect("a process id")).expect("set once");
    let run = running.wait();
    assert_eq!(run.signal, Some(9), "{}", run.stderr);
    server.faults().clear();
}

#[test]
fn a_kill_after_the_server_took_it_is_never_taken_for_what_was_there_before() {
    for to in WRITE_ONLY {
        let world = in_sync(to);
        world.put("local", NAME, "2");
        let sync = world.home.keyfob(["sync", "local", to]);
        kill_after(&world, to, "POST", sync);
        assert_eq!(world.values(to)[NAME], "2");
        // Back to what was remembered before: the server has something else.
        world.put("local", NAME, "1");
        assert_unknown_then_mended(&world, to);
        assert_eq!(world.values(to)[NAME], "1");
    }
}

#[test]
fn a_kill_of_any_command_that_writes_leaves_nothing_wrong_behind() {
    for to in WRITE_ONLY {
        let world = in_sync(to);
        let set = world.home.keyfob(["set", "-s", to, NAME]).stdin("2");
        kill_after(&world, to, "POST", set);
        assert_unknown_then_mended(&world, to);
        let delete = world.home.keyfob(["delete", "-y", "-s", to, NAME]);
        kill_after(&world, to, "DELETE", delete);
        world.put(to, NAME, "theirs");
        assert_unknown_then_mended(&world, to);
    }
}

#[test]
fn an_interrupted_replacement_that_is_resumed_is_known_like_any_other() {
    let world = in_sync("neo");
    let set = world.home.keyfob(["set", "-s", "neo", NAME]).stdin("2");
    kill_after(&world, "neo", "DELETE", set);
    world.home.run(["rotate", "--resume"]).ok();
    assert_eq!(world.neo.value(NAME).unwrap(), "2");
    let run = world.diff(&["local", "neo"]);
    assert_eq!(differences(run.code(1)), owned([(NAME, "differs")]));
    world.put("local", NAME, "2");
    assert_unchanged(&world, "neo");
}

#[test]
fn one_whose_answer_was_lost_is_not_known() {
    let world = in_sync("neo");
    let set = world.home.keyfob(["set", "-s", "neo", NAME]).stdin("2");
    kill_after(&world, "neo", "POST", set);
    world.home.run(["rotate", "--resume"]).ok();
    assert_eq!(world.neo.value(NAME).unwrap(), "2");
    assert_unknown_then_mended(&world, "neo");
}

#[test]
fn a_create_whose_answer_was_lost_may_be_anybodys() {
    let world = World::new();
    world.put("local", NAME, "1");
    world
        .neo
        .faults()
        .once_on("POST", "/v1/secrets", Fault::close_applied());
    let run = world.sync(&["local", "neo"]);
    assert_eq!(actions(run.ok()), owned([(NAME, "created")]));
    assert_unknown_then_mended(&world, "neo");
}

#[test]
fn of_two_commands_at_the_same_time_nothing_is_known() {
    let world = in_sync("bytenite");
    let (go_on, told) = mpsc::channel();
    let told = Mutex::new(told);
    let slow = Fault::before(move || told.lock().unwrap().recv().unwrap());
    let faults = world.bytenite.faults();
    faults.once_on("POST", "/v1/auth/secrets", slow);
    let set = |value: &str| {
        let set = world.home.keyfob(["set", "-s", "bytenite", NAME]);
        set.stdin(value.to_owned()).spawn()
    };
    let slow = set("slow");
    until("the slow one's request", || {
        world.bytenite.count("POST", "/v1/auth/secrets") == 2
    });
    set("1").wait().ok();
    go_on.send(()).unwrap();
    slow.wait().ok();
    // The slow one came last, whatever was begun last.
    assert_eq!(world.values("bytenite")[NAME], "slow");
    assert_unknown_then_mended(&world, "bytenite");
}

#[test]
fn a_data_folder_that_cannot_be_used_costs_the_memory_and_not_the_command() {
    for to in WRITE_ONLY {
        let world = World::new();
        world.put("local", NAME, "1");
        // A file where the folder is to be, which binds root as well.
        fs::write(world.home.data().join("written"), "").unwrap();
        let set = world.home.keyfob(["set", "-s", to, NAME]).stdin("1");
        set.run().ok().stderr_has("cannot be remembered");
        assert_eq!(world.values(to)[NAME], "1");
        let run = world.diff(&["local", to]);
        assert_eq!(differences(run.code(1)), owned([(NAME, "unknown")]), "{to}");
        fs::remove_file(world.home.data().join("written")).unwrap();
        assert_unknown_then_mended(&world, to);
    }
}

#[test]
fn what_is_remembered_and_cannot_be_taken_back_stops_the_command() {
    let world = in_sync("bytenite");
    let record = records(&world)[0].clone();
    // Neither replaced nor removed, by anybody.
    fs::remove_file(&record).unwrap();
    fs::create_dir(&record).unwrap();
    fs::write(record.join("file"), "").unwrap();
    world.forget_requests();
    let set = world
        .home
        .keyfob(["set", "-s", "bytenite", NAME])
        .stdin("2");
    set.run()
        .code(1)
        .stderr_has("nothing was changed in bytenite");
    assert_eq!(world.changes("bytenite"), Vec::<String>::new());
    assert_eq!(world.values("bytenite")[NAME], "1");
}
