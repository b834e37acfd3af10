//! Deleting in Nosana: few requests, and nothing is called deleted that is still there.

use serde_json::{Value, json};

use crate::nosana::set_up;
use crate::support::home::Home;
use crate::support::servers::Nosana;
use crate::support::servers::faults::Fault;
use crate::support::servers::nosana::Many;

/// A server with the secrets `A`, `B` and `C`, and a home that knows it.
fn three() -> (Nosana, Home, String) {
    let (server, home, keypair) = set_up();
    for name in ["A", "B", "C"] {
        server.put(&keypair.address(), name, "v");
    }
    (server, home, keypair.address())
}

fn delete(home: &Home, names: &[&str]) -> crate::support::run::Run {
    home.run([&["--json", "delete", "-y", "--"], names].concat())
}

fn action(document: &Value, name: &str) -> String {
    let mut results = document["results"].as_array().unwrap().iter();
    let result = results.find(|result| result["name"] == name).unwrap();
    result["action"].as_str().unwrap().to_owned()
}

const LOOK: [&str; 2] = ["POST /login", "GET /secrets"];

#[test]
fn one_is_deleted_and_looked_for_by_its_name() {
    let (server, home, address) = three();
    delete(&home, &["A"]).ok();
    let requests = [&LOOK[..], &["DELETE /secrets", "GET /secrets/A"]].concat();
    assert_eq!(server.asked(), requests);
    assert!(!server.secrets(&address).contains_key("A"));
    // A server that cannot be asked for a name is asked for the list.
    server.answer_no_names();
    server.forget_requests();
    delete(&home, &["B"]).ok();
    assert_eq!(server.asked().last().unwrap(), "GET /secrets");
}

#[test]
fn many_are_deleted_in_one_request_and_one_look() {
    let (server, home, address) = three();
    delete(&home, &["A", "B", "C"]).ok();
    let requests = [&LOOK[..], &["DELETE /secrets", "GET /secrets"]].concat();
    assert_eq!(server.asked(), requests);
    assert!(server.secrets(&address).is_empty());
}

#[test]
fn a_server_that_does_not_know_many_is_asked_for_one_after_the_other() {
    for many in [Many::Ignored, Many::Failing] {
        let (server, home, address) = three();
        server.set_many(many);
        let document = delete(&home, &["A", "B", "GONE"]).code(10).json();
        assert_eq!(action(&document, "A"), "deleted");
        assert_eq!(action(&document, "B"), "deleted");
        assert_eq!(action(&document, "GONE"), "failed");
        assert_eq!(server.count("DELETE", "/secrets"), 3);
        assert_eq!(server.secrets(&address).len(), 1);
    }
}

#[test]
fn what_is_still_there_is_not_called_deleted() {
    for names in [&["A"][..], &["A", "B"]] {
        let (server, home, address) = three();
        server.ignore_deletes(true);
        let run = delete(&home, names);
        let code = if names.len() == 1 { 1 } else { 10 };
        assert!([code, 1].contains(&run.code.unwrap()), "{}", run.text());
        for result in run.json()["results"].as_array().unwrap() {
            assert_eq!(result["action"], "failed");
            let message = result["error"]["message"].as_str().unwrap();
            assert!(message.contains("still has it"), "{message}");
        }
        assert_eq!(server.secrets(&address).len(), 3);
    }
}

#[test]
fn what_a_failed_request_has_deleted_is_not_called_failed() {
    let (server, home, address) = three();
    server.faults().add(
        |request| request.is("DELETE", "/secrets"),
        1,
        usize::MAX,
        Fault::close_applied(),
    );
    home.run(["--timeout", "8s", "delete", "-y", "A", "B"]).ok();
    home.run(["--timeout", "8s", "delete", "-y", "C"]).ok();
    assert!(server.secrets(&address).is_empty());
}

#[test]
fn what_nobody_can_look_at_afterwards_is_not_called_deleted() {
    let (server, home, _) = three();
    server.faults().add(
        |request| request.method == "GET",
        1,
        usize::MAX,
        Fault::status(400),
    );
    let document = delete(&home, &["A", "B"]).json();
    for name in ["A", "B"] {
        assert_eq!(action(&document, name), "failed");
    }
    assert!(document.to_string().contains("could not be seen whether"));
}

#[test]
fn a_short_list_does_not_show_that_something_is_gone() {
    let (server, home, address) = three();
    server.put(&address, "D", "v");
    server.ignore_deletes(true);
    server.set_many(Many::Ignored);
    let server = std::sync::Arc::new(server);
    let short = std::sync::Arc::downgrade(&server);
    // From the first delete on it lists nothing.
    server.faults().once_on(
        "DELETE",
        "/secrets",
        Fault::after(move || short.upgrade().unwrap().list_at_most(0)),
    );
    let document = delete(&home, &["A", "B"]).json();
    for name in ["A", "B"] {
        assert_eq!(action(&document, name), "failed");
    }
    server.ignore_deletes(false);
    delete(&home, &["A", "B", "C", "D"]).ok();
    assert!(server.secrets(&address).is_empty());
}

#[test]
fn names_that_are_sent_otherwise_are_deleted_too() {
    let (server, home, address) = three();
    let odd = ["__proto__", "undefined", ".", "..", "", "a/b", "-y", "ü"];
    for name in odd {
        server.put(&address, name, "v");
    }
    delete(&home, &odd).ok();
    assert_eq!(server.secrets(&address).len(), 3);
}

#[test]
fn a_prune_of_a_thousand_is_few_requests() {
    let (server, home, keypair) = set_up();
    let address = keypair.address();
    server.put(&address, "KEPT", "v");
    home.keyfob(["set", "-s", "local", "KEPT"])
        .stdin("v")
        .run()
        .ok();
    for many in [Many::Known, Many::Ignored] {
        server.set_many(many);
        for number in 0..1000 {
            server.put(&address, &format!("N{number:04}"), json!(number));
        }
        server.forget_requests();
        let sync = ["--json", "sync", "-y", "--prune", "local", "nosana"];
        let document = home.run(sync).ok().json();
        assert_eq!(action(&document, "N0999"), "deleted");
        assert_eq!(server.secrets(&address).len(), 1);
        let requests = server.requests().len();
        let most = if many == Many::Known { 12 } else { 1013 };
        assert!(requests <= most, "{requests} requests");
    }
}
