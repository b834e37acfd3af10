//! Nosana's Secret Manager over databases that take names for one, list short, or fail within a
//! request; and with values that only JavaScript can make.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::nosana::set_up;
use crate::support::home::Home;
use crate::support::run::Run;
use crate::support::servers::faults::Fault;
use crate::support::servers::nosana::HALF_CHARACTER;

fn set(home: &Home, name: &str, value: &str) -> Run {
    home.keyfob(["--json", "set", "--", name])
        .stdin(value)
        .run()
}

#[test]
fn a_set_reads_once_before_and_once_after_and_asks_for_what_is_not_listed() {
    let (server, home, _) = set_up();
    let set = |value: &str, requests: &[&str]| {
        set(&home, "A", value).ok();
        assert_eq!(server.asked(), requests);
        server.forget_requests();
    };
    let (login, list, store) = ("POST /login", "GET /secrets", "POST /secrets");
    set("1", &[login, list, "GET /secrets/A", store, list]);
    set("2", &[login, list, store, list]);
    set("2", &[login, list]);
}

#[test]
fn a_name_that_the_server_takes_for_another_is_not_stored_over_it() {
    let (server, home, keypair) = set_up();
    server.fold_names();
    for (name, other) in [("FOO", "foo"), ("t ", "t"), ("cafe", "café")] {
        set(&home, other, "old").ok();
        let run = set(&home, name, "new");
        let result = &run.code(6).json()["results"][0];
        assert_eq!(result["error"]["kind"], "conflict");
        let message = result["error"]["message"].as_str().unwrap();
        assert!(message.contains(&format!("overwrite {other}")), "{message}");
        assert_eq!(server.secrets(&keypair.address())[other], "old");
        home.run(["get", "--", name]).code(3);
        home.run(["delete", "-y", "--", name]).code(3);
        home.run(["get", "--", other]).ok().stdout_is("old");
        home.keyfob(["set", "--if-absent", "--", name])
            .stdin("new")
            .run()
            .code(6);
        assert_eq!(server.secrets(&keypair.address())[other], "old");
    }
}

#[test]
fn names_of_one_command_that_the_server_takes_for_one_are_conflicts() {
    let (server, home, _) = set_up();
    server.fold_names();
    home.write(
        "a.json",
        r#"{"OTHER":"0","PATH":"1","Path":"2","path":"3"}"#,
    );
    let results = home.run(["--json", "import", "a.json"]).code(10).json();
    let results = results["results"].as_array().unwrap();
    let of = |name: &str| {
        results
            .iter()
            .find(|result| result["name"] == name)
            .unwrap()
    };
    assert_eq!(of("OTHER")["action"], "created");
    for name in ["PATH", "Path", "path"] {
        assert_eq!(of(name)["error"]["kind"], "conflict", "{name}");
    }
    let message = of("path")["error"]["message"].as_str().unwrap();
    assert!(message.contains("has overwritten PATH"), "{message}");
}

#[test]
fn what_another_client_makes_of_a_write_is_told() {
    let (server, home, keypair) = set_up();
    let server = Arc::new(server);
    let (address, meddler) = (keypair.address(), Arc::downgrade(&server));
    let meddle = move || meddler.upgrade().unwrap().put(&address, "A", "theirs");
    server
        .faults()
        .once_on("POST", "/secrets", Fault::after(meddle));
    let run = set(&home, "A", "1");
    assert_eq!(
        run.code(6).json()["results"][0]["error"]["kind"],
        "conflict"
    );
    let (address, meddler) = (keypair.address(), Arc::downgrade(&server));
    let meddle = move || meddler.upgrade().unwrap().remove(&address, "B");
    server
        .faults()
        .once_on("POST", "/secrets", Fault::after(meddle));
    set(&home, "B", "1").code(1);
    server.faults().add(
        |request| request.is("GET", "/secrets"),
        1,
        usize::MAX,
        Fault::status(400),
    );
    let run = set(&home, "C", "1");
    let error = &run.code(13).json()["results"][0]["error"];
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("could not be read back"), "{message}");
}

#[test]
fn a_list_that_is_short_is_not_trusted_with_named_secrets() {
    let (server, home, keypair) = set_up();
    let address = keypair.address();
    server.list_at_most(0);
    set(&home, "NEW", "1").ok();
    for (name, value) in [
        ("K", json!("v")),
        ("OK", json!("OK")),
        ("empty", json!("")),
        ("number", json!(5)),
        ("a/b c%2F?#\n\t", json!("odd")),
        ("__proto__", json!("p")),
    ] {
        server.put(&address, name, value.clone());
        let text = value.as_str().map_or(value.to_string(), str::to_owned);
        home.run(["get", "--", name]).ok().stdout_is(&text);
        home.run(["show", "--", name]).ok();
        home.keyfob(["set", "--if-absent", "--", name])
            .stdin("lost")
            .run();
        assert_eq!(server.secrets(&address)[name], value, "{name:?}");
    }
    home.run(["show", "number"]).ok().stdout_has("type: number");
    home.run(["run", "--only", "K", "--", "printenv", "K"])
        .ok()
        .stdout_is("v\n");
    home.run(["get", "GONE"]).code(3);
    home.keyfob(["set", "--if-absent", "FRESH"])
        .stdin("1")
        .run()
        .ok();
    home.run(["delete", "-y", "GONE"]).code(3);
    let secrets = server.secrets(&address);
    for name in secrets.keys() {
        home.run(["delete", "-y", "--", name]).ok();
    }
    assert!(server.secrets(&address).is_empty());
}

#[test]
fn what_a_short_list_lacks_is_not_told_as_new() {
    let (server, home, keypair) = set_up();
    server.put(&keypair.address(), "K", "old");
    server.list_at_most(0);
    let action = |run: &Run| run.ok().json()["results"][0]["action"].clone();
    assert_eq!(action(&set(&home, "K", "new")), "updated");
    assert_eq!(action(&set(&home, "K", "new")), "unchanged");
    assert_eq!(action(&set(&home, "NEW", "1")), "created");
    // A plan of few as well.
    home.write(".env", "K=newer\nNEWER=1\n");
    let plan = home.run(["--json", "import", "--dry-run", ".env"]);
    let plan = plan.ok().json()["results"].clone();
    assert_eq!(
        plan,
        json!([{"name": "K", "action": "updated"}, {"name": "NEWER", "action": "created"}])
    );
}

#[test]
fn only_what_the_list_lacks_is_asked_for_by_name() {
    let (server, home, keypair) = set_up();
    server.put(&keypair.address(), "A", "1");
    server.put(&keypair.address(), "B", "2");
    server.list_at_most(1);
    home.run(["get", "A"]).ok();
    assert_eq!(server.asked(), ["POST /login", "GET /secrets"]);
    server.forget_requests();
    home.run(["get", "B"]).ok().stdout_is("2");
    assert_eq!(
        server.asked(),
        ["POST /login", "GET /secrets", "GET /secrets/B"]
    );
}

#[test]
fn half_a_character_is_the_trouble_of_its_secret_alone() {
    let (server, home, keypair) = set_up();
    let address = keypair.address();
    let half = format!("a{HALF_CHARACTER}b");
    let put = || {
        server.put(&address, "LONE", half.as_str());
        server.put(&address, "OKAY", "fine");
        server.put(&address, &half, "a name");
    };
    put();
    assert_eq!(
        home.run(["--json", "list"]).ok().json(),
        json!([
            {"name": "LONE", "attributes": {"type": "malformed string"}},
            {"name": "OKAY"},
        ])
    );
    let run = home.run(["get", "OKAY"]);
    run.ok()
        .stdout_is("fine")
        .stderr_has("1 secret of the store nosana left out: half a character stands in the name");
    let run = set(&home, "OKAY", "fine");
    assert_eq!(run.ok().stderr.matches("half a character").count(), 1);
    home.run(["show", "LONE"])
        .ok()
        .stdout_has("malformed string");
    home.run(["get", "LONE"]).code(13).stderr_has("LONE");
    home.run(["run", "--only", "OKAY", "--", "printenv", "OKAY"])
        .ok();
    home.run(["run", "--", "printenv", "OKAY"])
        .ok()
        .stderr_has("LONE is left out");
    // A copy elsewhere is not deleted for it.
    home.keyfob(["set", "-s", "local", "LONE"])
        .stdin("whole")
        .run()
        .ok();
    home.run(["sync", "nosana", "local", "--prune", "-y"])
        .code(13)
        .stderr_has("LONE");
    home.run(["sync", "nosana", "local", "-y"]).ok();
    home.run(["get", "-s", "local", "LONE"])
        .ok()
        .stdout_is("whole");
    set(&home, "NEW", "1").ok();
    server.list_at_most(0);
    home.run(["get", "LONE"]).code(13).stderr_has("LONE");
    server.list_at_most(usize::MAX);
    home.run(["delete", "-y", "LONE"]).ok();
    assert!(!server.secrets(&address).contains_key("LONE"));
    put();
    set(&home, "LONE", "whole").ok();
    home.run(["get", "LONE"]).ok().stdout_is("whole");
    put();
    home.write("a.json", r#"{"LONE":"imported"}"#);
    home.run(["import", "a.json"]).ok();
    assert_eq!(server.secrets(&address)["LONE"], "imported");
}

/// `count` secrets to import.
fn many(count: usize) -> serde_json::Map<String, Value> {
    let names = (0..count).map(|number| (format!("N{number:04}"), json!(number.to_string())));
    names.collect()
}

#[test]
fn one_name_that_the_server_cannot_store_stands_alone() {
    let (server, home, keypair) = set_up();
    server.set_longest_name(210);
    let mut file = many(300);
    let long = format!("N0150{}", "x".repeat(250));
    file.insert(long.clone(), json!("v"));
    home.write("many.json", serde_json::to_vec(&file).unwrap());
    let run = home.run(["--json", "import", "many.json"]);
    let results = run.code(10).json();
    let results = results["results"].as_array().unwrap();
    let failed: Vec<_> = results
        .iter()
        .filter(|result| result["action"] == "failed")
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["name"], long);
    assert_eq!(failed[0]["error"]["kind"], "invalid_data");
    assert_eq!(server.secrets(&keypair.address()).len(), 300);
}

#[test]
fn what_a_failed_request_has_stored_is_not_called_failed() {
    let (server, home, keypair) = set_up();
    home.write("many.json", serde_json::to_vec(&many(200)).unwrap());
    // It is applied, and the answer is lost.
    server.faults().add(
        |request| request.is("POST", "/secrets"),
        1,
        usize::MAX,
        Fault::close_applied(),
    );
    home.run(["--timeout", "8s", "import", "many.json"]).ok();
    assert_eq!(server.secrets(&keypair.address()).len(), 200);
}
