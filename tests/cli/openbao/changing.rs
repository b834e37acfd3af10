//! Writes while somebody else writes, while the active node changes, and when no answer comes.

use std::sync::Arc;

use serde_json::json;

use super::home;
use crate::support::servers::openbao::Node;
use crate::support::servers::{Fault, OpenBao};

/// Has somebody else store a key right before the first request with this method.
fn meanwhile(server: &Arc<OpenBao>, method: &str, key: &'static str, value: &'static str) {
    let theirs = Arc::clone(server);
    let hook = Fault::before(move || theirs.put("app", key, value));
    let method = method.to_owned();
    server.faults().add(
        move |request| request.method == method && request.path.contains("/secret/"),
        0,
        1,
        hook,
    );
}

#[test]
fn nobody_s_write_is_lost() {
    let server = Arc::new(OpenBao::start());
    server.put("app", "A", "1");
    meanwhile(&server, "PATCH", "B", "theirs");
    home(&server).keyfob(["set", "app/A"]).stdin("2").run().ok();
    assert_eq!(
        server.map("app"),
        *json!({"A": "2", "B": "theirs"}).as_object().unwrap()
    );
    // A path that is made twice.
    let server = Arc::new(OpenBao::start());
    meanwhile(&server, "POST", "B", "theirs");
    home(&server).keyfob(["set", "app/A"]).stdin("2").run().ok();
    assert_eq!(
        server.map("app"),
        *json!({"A": "2", "B": "theirs"}).as_object().unwrap()
    );
    // The same key.
    let server = Arc::new(OpenBao::start());
    meanwhile(&server, "POST", "A", "theirs");
    home(&server)
        .keyfob(["set", "--if-absent", "app/A"])
        .stdin("2")
        .run()
        .code(6);
    assert_eq!(server.map("app")["A"], "theirs");
}

#[test]
fn a_delete_takes_nothing_of_others() {
    let server = Arc::new(OpenBao::start());
    server.put("app", "A", "1");
    meanwhile(&server, "POST", "B", "theirs");
    home(&server).run(["delete", "-y", "app/A"]).ok();
    assert_eq!(
        server.map("app"),
        *json!({"B": "theirs"}).as_object().unwrap()
    );
    // A deleted path keeps its number, and is created on top of it.
    home(&server).run(["delete", "-y", "app/B"]).ok();
    let version = server.version("app");
    home(&server)
        .keyfob(["set", "--if-absent", "app/C"])
        .stdin("3")
        .run()
        .ok()
        .stderr_has("created");
    assert_eq!(server.version("app"), version + 1);
}

#[test]
fn a_write_without_an_answer_is_looked_for() {
    for applied in [true, false] {
        let server = OpenBao::start();
        server.put("app", "A", "1");
        server
            .faults()
            .once_on("PATCH", "/v1/secret/data/app", Fault::Close { applied });
        home(&server).keyfob(["set", "app/A"]).stdin("2").run().ok();
        assert_eq!(server.map("app")["A"], "2");
        assert_eq!(server.version("app"), 2, "applied: {applied}");
    }
}

#[test]
fn another_s_version_in_place_of_one_without_an_answer_is_built_upon() {
    let server = Arc::new(OpenBao::start());
    server.put("app", "A", "1");
    let theirs = Arc::clone(&server);
    server
        .faults()
        .once_on("PATCH", "/v1/secret/data/app", Fault::close_unapplied());
    let hook = Fault::before(move || theirs.put("app", "B", "theirs"));
    server
        .faults()
        .nth_on(2, "GET", "/v1/secret/data/app", hook);
    home(&server).keyfob(["set", "app/A"]).stdin("2").run().ok();
    assert_eq!(
        server.map("app"),
        *json!({"A": "2", "B": "theirs"}).as_object().unwrap()
    );
}

#[test]
fn a_cluster_that_chooses_its_leader_is_waited_for() {
    let server = OpenBao::start();
    server.put("app", "A", "1");
    server.lose_leader_for(3);
    home(&server).keyfob(["set", "app/A"]).stdin("2").run().ok();
    assert_eq!(server.map("app")["A"], "2");
    assert_eq!(server.count("PATCH", "/v1/secret/data/app"), 4);
}

#[test]
fn what_lasts_is_an_outage() {
    for node in [Node::Leaderless, Node::Sealed, Node::Lost] {
        let server = OpenBao::start();
        server.put("app", "A", "1");
        let home = home(&server);
        let run = [
            "run",
            "--fallback",
            "-e",
            "A=app/A",
            "--",
            "sh",
            "-c",
            "printf %s \"$A\"",
        ];
        home.run(run).ok().stdout_is("1");
        server.set_node(node);
        let set = home
            .keyfob(["--timeout", "1s", "set", "app/A"])
            .stdin("2")
            .run();
        set.code(8);
        assert_eq!(server.map("app")["A"], "1");
        // Without a leader reads go on.
        let run = home.run([&["--timeout", "1s"][..], &run[..]].concat());
        run.ok().stdout_is("1");
        if node != Node::Leaderless {
            run.stderr_has("snapshot");
        }
    }
}

#[test]
fn earlier_versions_are_those_in_which_the_key_changed() {
    let server = OpenBao::start();
    let home = home(&server);
    for value in ["one", "two"] {
        home.keyfob(["set", "app/A"]).stdin(value).run().ok();
        server.put("app", "B", value);
    }
    let history = home.run(["--json", "history", "app/A"]).ok().json();
    let numbers: Vec<u64> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["version"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [3, 1]);
    home.run(["restore", "app/A"]).ok();
    assert_eq!(
        server.map("app"),
        *json!({"A": "one", "B": "two"}).as_object().unwrap()
    );
    // One that is gone, from a path that is not, and with its path.
    home.run(["delete", "-y", "app/A"]).ok();
    home.run(["restore", "app/A"]).ok();
    home.run(["get", "app/A"]).ok().stdout_is("one");
    home.run(["delete", "-y", "app/A", "app/B"]).ok();
    home.run(["get", "app/A"]).code(3);
    home.run(["restore", "app/A"])
        .ok()
        .stderr_has("other keys: B");
    home.run(["get", "app/B"]).ok().stdout_is("two");
    home.run(["history", "app/NOPE"]).code(3);
}

#[test]
fn a_secret_moves_along_its_own_path() {
    let server = OpenBao::start();
    let home = home(&server);
    home.keyfob(["set", "app/A"]).stdin("1").run().ok();
    home.run(["move", "app/A", "app/B"]).ok();
    assert_eq!(server.map("app"), *json!({"B": "1"}).as_object().unwrap());
    home.run(["move", "app/B", "other/C"]).ok();
    assert_eq!(server.map("other"), *json!({"C": "1"}).as_object().unwrap());
    home.run(["get", "app/B"]).code(3);
}

#[test]
fn two_keys_of_one_path_are_rotated_together() {
    let server = OpenBao::start();
    let home = home(&server);
    for name in ["app/A", "app/B"] {
        home.keyfob(["set", name]).stdin("old").run().ok();
    }
    server.put("app", "C", "theirs");
    home.run([
        "rotate",
        "app/A",
        "--to",
        "keyfob://openbao/app/B",
        "--generate",
        "hex:16",
    ])
    .ok();
    let map = server.map("app");
    assert_eq!(map["A"], map["B"]);
    assert_ne!(map["A"], "old");
    assert_eq!(map["C"], "theirs");
}
