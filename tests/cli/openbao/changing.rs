//! Writes while somebody else writes, while the active node changes, and when no answer comes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{home, home_with};
use crate::support::servers::openbao::{Node, Policy};
use crate::support::servers::{Answer, Fault, OpenBao};

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
    meanwhile(&server, "PATCH", "B", "theirs");
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
    home.run(["restore", "app/A"]).ok();
    home.run(["get", "app/A"]).ok().stdout_is("one");
    home.run(["get", "app/B"]).code(3);
    // Whoever else deletes deletes the whole, and it comes back as such.
    home.run(["restore", "app/B"]).ok();
    server.delete("app");
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

#[test]
fn a_path_without_keys_is_deleted_and_nothing_newer_with_it() {
    let server = Arc::new(OpenBao::start());
    server.put("app", "A", "1");
    let theirs = Arc::clone(&server);
    let hook = Fault::before(move || theirs.put("app", "B", "theirs"));
    server
        .faults()
        .once_on("POST", "/v1/secret/delete/app", hook);
    home(&server).run(["delete", "-y", "app/A"]).ok();
    assert_eq!(
        server.map("app"),
        *json!({"B": "theirs"}).as_object().unwrap()
    );
    // Who may not delete leaves an empty map, and the key is gone all the same.
    let server = OpenBao::start();
    server.put("app", "A", "1");
    let may = Policy::none().allowing("secret/data/*", &["read", "patch"]);
    let home = home_with(&server, may);
    home.run(["delete", "-y", "app/A"])
        .ok()
        .stderr_has("could not be deleted");
    home.run(["get", "app/A"]).code(3);
}

#[test]
fn what_was_deleted_is_listed_and_comes_back() {
    let server = OpenBao::start();
    let home = home(&server);
    for name in ["app/A", "app/B", "one/K", "kept/K"] {
        home.keyfob(["set", name]).stdin(name).run().ok();
    }
    home.run(["delete", "-y", "app/A", "one/K"]).ok();
    server.put("theirs", "X", "1");
    server.delete("theirs");
    let run = home.run(["--json", "list", "--deleted"]);
    let listed = run.ok().stderr_has("deleted whole").json();
    let names: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["app/A", "one/K"]);
    run.stderr_has("theirs");
    home.run(["restore", "one/K"]).ok();
    home.run(["get", "one/K"]).ok().stdout_is("one/K");
    // One secret a path has a name whatever it held.
    let single = home.with("KEYFOB_OPENBAO_KEY", "X");
    let listed = single.run(["--json", "list", "--deleted"]).ok().json();
    assert_eq!(listed[0]["name"], "theirs");
    single.run(["restore", "theirs"]).ok();
    assert_eq!(server.map("theirs")["X"], "1");
}

#[test]
fn what_is_said_of_a_secret_changes_without_its_value() {
    let server = OpenBao::start();
    server.put("app", "A", "1");
    let home = home(&server);
    let say = |text: &str| home.run(["set", "app/A", "--keep-value", "--description", text]);
    say("the first").ok().stderr_has("updated");
    assert_eq!(server.custom("app")["description:A"], "the first");
    assert_eq!(server.version("app"), 1);
    say("the first").ok().stderr_has("same already");
    say("two\nlines").code(13);
    say("").ok();
    assert!(!server.custom("app").contains_key("description:A"));
    home.run(["set", "app/B", "--keep-value", "--description", "x"])
        .code(3);
    // A key that the server cannot keep a description of is not stored before that is found.
    home.keyfob(["set", "app/new\nline", "--description", "d"])
        .stdin("x")
        .run()
        .code(13);
    assert!(!server.map("app").contains_key("new\nline"));
    server.mount("old", 1);
    home.with("KEYFOB_OPENBAO_MOUNT", "old")
        .run(["set", "app/B", "--keep-value", "--description", "x"])
        .code(7);
}

#[test]
fn earlier_versions_go_along_to_where_they_are_taken() {
    let server = OpenBao::start();
    let home = home(&server);
    for value in ["one", "two", "three"] {
        home.keyfob(["set", "app/A"]).stdin(value).run().ok();
    }
    home.run(["move", "app/A", "keyfob://local/A"])
        .ok()
        .stderr_lacks("earlier versions");
    home.run(["restore", "keyfob://local/A", "1"]).ok();
    home.run(["get", "keyfob://local/A"]).ok().stdout_is("one");
    // A server that dates each write itself takes none.
    home.run(["move", "keyfob://local/A", "keyfob://openbao/app/A"])
        .ok()
        .stderr_has("earlier versions");
}

#[test]
fn what_cannot_be_settled_is_said_to_be_unknown() {
    let server = OpenBao::start();
    server.put("app", "A", "1");
    let faults = server.faults();
    faults.once_on("PATCH", "/v1/secret/data/app", Fault::close_applied());
    faults.add(
        |request| request.method == "GET" && request.path == "/v1/secret/data/app",
        1,
        1000,
        Fault::status(503),
    );
    let set = home(&server)
        .keyfob(["--timeout", "2s", "set", "app/A"])
        .stdin("2")
        .run();
    set.code(8)
        .stderr_has("it is not known whether app was changed");
    assert_eq!(server.map("app")["A"], "2");
}

#[test]
fn a_node_that_is_behind_does_not_make_a_write_another_s() {
    for has_index in [true, false] {
        let server = OpenBao::start();
        server.set_index(has_index);
        server.set_node(Node::Standby);
        server.catch_up_after(4);
        let close = Fault::close_applied();
        server
            .faults()
            .once_on("POST", "/v1/secret/data/app", close);
        home(&server)
            .keyfob(["set", "--if-absent", "app/A"])
            .stdin("2")
            .run()
            .ok()
            .stderr_has("created");
        assert_eq!(server.version("app"), 1);
    }
}

#[test]
fn a_server_without_an_index_is_asked_until_it_has_the_version_written() {
    let server = OpenBao::start();
    server.put("app", "A", "1");
    server.set_index(false);
    server.set_node(Node::Standby);
    server.catch_up_after(3);
    home(&server).keyfob(["set", "app/A"]).stdin("2").run().ok();
    let read = "GET /v1/secret/data/app?version=2";
    assert!(server.asked().iter().filter(|it| *it == read).count() > 1);
}

#[test]
fn an_editor_s_value_does_not_replace_another_s() {
    let server = Arc::new(OpenBao::start());
    server.put("app", "A", "1");
    server.put("app", "B", "x");
    let home = home(&server).with("EDITOR", "sed -i s/1/2/");
    meanwhile(&server, "PATCH", "A", "3");
    home.run(["edit", "app/A"]).code(6);
    assert_eq!(server.map("app")["A"], "3");
    // What becomes of other keys of the path is no conflict.
    meanwhile(&server, "PATCH", "B", "y");
    home.with("EDITOR", "sed -i s/3/4/")
        .run(["edit", "app/A"])
        .ok();
    assert_eq!(
        server.map("app"),
        *json!({"A": "4", "B": "y"}).as_object().unwrap()
    );
}

#[test]
fn a_referral_says_nothing_of_what_became_of_a_write() {
    // A node passes a write on, the active one carries it out and is gone: the node refers to it.
    let refer = || {
        let gone = "http://127.0.0.1:9/v1/secret/data/app";
        Fault::changed(move |_, _| Answer::status(307).header("location", gone))
    };
    let server = OpenBao::start();
    server
        .faults()
        .once_on("POST", "/v1/secret/data/app", refer());
    home(&server)
        .keyfob(["set", "--if-absent", "app/A"])
        .stdin("1")
        .run()
        .ok()
        .stderr_has("created");
    server
        .faults()
        .once_on("PATCH", "/v1/secret/data/app", refer());
    home(&server)
        .with("EDITOR", "sed -i s/1/2/")
        .run(["edit", "app/A"])
        .ok()
        .stderr_has("updated");
    assert_eq!(server.map("app")["A"], "2");
    assert_eq!(server.version("app"), 2);
    server
        .faults()
        .once_on("PATCH", "/v1/secret/data/app", refer());
    home(&server)
        .run(["rotate", "app/A", "--generate", "hex:16"])
        .ok();
    assert_eq!(server.version("app"), 3);
    // On a mount without versions it is what is there that tells.
    server.mount("old", 1);
    let old = home(&server).with("KEYFOB_OPENBAO_MOUNT", "old");
    server.faults().once_on("POST", "/v1/old/app", refer());
    old.keyfob(["set", "app/A"]).stdin("1").run().ok();
    assert_eq!(server.count("POST", "/v1/old/app"), 1);
    assert_eq!(server.bare("old", "app"), Some(json!({"A": "1"})));
}

#[test]
fn a_node_that_does_not_have_the_path_yet_is_asked_again() {
    let server = OpenBao::start();
    server.set_node(Node::Standby);
    server.catch_up_after(3);
    let home = home(&server).with("KEYFOB_OPENBAO_PATH", "new");
    // More than one request holds: the path is made, and then patched.
    let many: serde_json::Map<_, _> = (0..500).map(|n| (format!("K{n}"), json!("v"))).collect();
    let import = ["import", "-q", "-y", "--format=json", "-"];
    home.keyfob(import)
        .stdin(json!(many).to_string())
        .run()
        .ok();
    assert_eq!(server.map("new"), many);
    assert!(server.count("PATCH", "/v1/secret/data/new") > 1);
    // So it is with what is said of it.
    let server = OpenBao::start();
    server.set_node(Node::Standby);
    server.catch_up_after(3);
    super::home(&server)
        .keyfob(["set", "other/K", "--description", "what it is"])
        .stdin("v")
        .run()
        .ok();
    assert_eq!(server.custom("other")["description:K"], "what it is");
}

#[test]
fn a_value_that_a_patch_would_change_goes_back_as_it_was() {
    for value in [
        json!([{"x": null}]),
        json!([[{"x": null, "y": 1}], null, "null"]),
        json!([{"b": 1}, null, 2]),
        json!({"a": null, "b": {"c": null}}),
        json!([1, "two", [3]]),
        json!(null),
    ] {
        let server = OpenBao::start();
        server.put("app", "B", "theirs");
        server.put_json("app", "A", value.clone());
        let home = home(&server);
        home.keyfob(["set", "app/A"]).stdin("other").run().ok();
        home.run(["restore", "app/A"]).ok();
        assert_eq!(server.map("app")["A"], value);
        // A rotation that finds another value than its own brings back what was there.
        home.run([
            "rotate",
            "app/A",
            "--generate",
            "hex:4",
            "--verify",
            "false",
        ])
        .code(1);
        assert_eq!(server.map("app")["A"], value);
        home.run(["move", "app/A", "other/A"]).ok();
        assert_eq!(server.map("other")["A"], value);
        assert_eq!(server.map("app")["B"], "theirs");
    }
}

#[test]
fn who_may_not_patch_is_told_why_the_whole_was_refused() {
    let may = || Policy::none().allowing("secret/data/*", &["create", "read", "update"]);
    let server = OpenBao::start();
    server.put("app", "A", &"x".repeat(700_000));
    home_with(&server, may())
        .keyfob(["set", "app/B"])
        .stdin("y".repeat(400_000))
        .run()
        .code(13)
        .stderr_has("too large");
    // Who may do neither is told so.
    let may = Policy::none().allowing("secret/data/*", &["read"]);
    home_with(&server, may)
        .keyfob(["set", "app/B"])
        .stdin("y")
        .run()
        .code(5)
        .stderr_lacks("not known");
}

#[test]
fn what_is_refused_after_a_write_in_doubt_is_not_known() {
    let server = OpenBao::start();
    server.put("app", "A", "1");
    let faults = server.faults();
    faults.once_on("PATCH", "/v1/secret/data/app", Fault::close_unapplied());
    let refused = || {
        let body = json!({"errors": ["1 error occurred:\n\t* permission denied\n\n"]});
        Fault::answered(Answer::json(403, &body))
    };
    faults.nth_on(2, "PATCH", "/v1/secret/data/app", refused());
    faults.on("POST", "/v1/secret/data/app", refused());
    home(&server)
        .keyfob(["set", "app/A"])
        .stdin("2")
        .run()
        .stderr_has("it is not known whether app was changed");
}

#[test]
fn a_path_of_the_last_version_there_is_is_told() {
    let server = OpenBao::start();
    server.put("app", "A", "1");
    let last = Fault::changed(|_, answer| {
        let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
        body["data"]["metadata"]["version"] = json!(u32::MAX);
        Answer::json(200, &body)
    });
    server.faults().on("GET", "/v1/secret/data/app", last);
    home(&server)
        .keyfob(["set", "app/A"])
        .stdin("2")
        .run()
        .code(13)
        .stderr_has("app has version 4294967295");
}

#[test]
fn without_versions_a_new_name_is_made_where_nothing_was_found() {
    let server = Arc::new(OpenBao::start());
    server.mount("old", 1);
    let home = home(&server).with("KEYFOB_OPENBAO_MOUNT", "old");
    home.keyfob(["set", "app/A"]).stdin("1").run().ok();
    home.run(["move", "app/A", "app/B"]).ok();
    assert_eq!(server.bare("old", "app"), Some(json!({"B": "1"})));
    home.keyfob(["set", "local-one", "-s", "local"])
        .stdin("2")
        .run()
        .ok();
    home.run(["move", "keyfob://local/local-one", "keyfob://openbao/app/C"])
        .ok();
    assert_eq!(server.bare("old", "app"), Some(json!({"B": "1", "C": "2"})));
    let editor = home.work().join("editor");
    home.write("editor", "#!/bin/sh\nprintf edited > \"$1\"\n");
    crate::support::home::set_mode(&editor, 0o755);
    let home = home.with("EDITOR", editor.to_str().unwrap());
    home.run(["edit", "app/D"]).ok();
    assert_eq!(server.bare("old", "app").unwrap()["D"], "edited");
    // What came meanwhile is kept.
    let theirs = Arc::clone(&server);
    let hook = Fault::before(move || {
        theirs.put_bare("old", "other", json!({"E": "theirs"}).as_object().unwrap())
    });
    // The plan has looked; before it writes, the provider looks once more.
    server.faults().nth_on(2, "GET", "/v1/old/other", hook);
    home.run(["move", "app/D", "other/E"])
        .code(6)
        .stderr_has("openbao: other/E exists already");
    assert_eq!(server.bare("old", "other"), Some(json!({"E": "theirs"})));
    // Who asks for it by name is told that the mount cannot.
    home.keyfob(["set", "--if-absent", "app/F"])
        .stdin("1")
        .run()
        .code(7);
}
