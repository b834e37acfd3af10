//! Values in Nosana that are no strings: what writes one back, or elsewhere in Nosana, keeps its type,
//! and what compares says the same everywhere.

use serde_json::{Map, Value, json};

use crate::nosana::set_up;
use crate::support::home::Home;
use crate::support::servers::Nosana;
use crate::support::solana::Keypair;

/// A value of every type.
fn typed() -> Map<String, Value> {
    let values = json!({
        "array": [1, "two", null],
        "boolean": true,
        "null": null,
        "number": 12.5,
        "object": {"b": {"a": "ü\n\"\\"}},
        "text": "{\"b\":1}",
    });
    values.as_object().unwrap().clone()
}

/// A server with a value of every type, and a second store on it, that of another keypair.
fn two_stores() -> (Nosana, Home, [String; 2]) {
    let (server, mut home, keypair) = set_up();
    let two = Keypair::new(2);
    home.write(
        home.config().join("config.toml"),
        "[stores.two]\nprovider = \"nosana\"\n",
    );
    home.set("KEYFOB_TWO_BASE_URL", server.url());
    home.set("KEYFOB_TWO_KEYPAIR", two.json());
    for (name, value) in typed() {
        server.put(&keypair.address(), &name, value);
    }
    home.unset("KEYFOB_STORE");
    (server, home, [keypair.address(), two.address()])
}

#[test]
fn sync_and_copy_from_nosana_to_nosana_keep_the_types() {
    let (server, home, [one, two]) = two_stores();
    home.run(["sync", "-y", "nosana", "two"]).ok();
    assert_eq!(server.secrets(&two), typed());
    home.run(["diff", "nosana", "two"]).ok();
    server.forget_requests();
    home.run(["sync", "-y", "nosana", "two"]).ok();
    assert_eq!(server.count("POST", "/secrets"), 0);
    for name in typed().keys() {
        server.remove(&two, name);
    }
    let copy = ["copy", "-s", "nosana", "number", "object", "null", "two"];
    home.run(copy).ok();
    for name in ["number", "object", "null"] {
        assert_eq!(server.secrets(&two)[name], typed()[name]);
    }
    assert_eq!(server.secrets(&one), typed());
}

#[test]
fn between_two_stores_that_keep_types_the_type_counts() {
    let (server, home, [one, two]) = two_stores();
    home.run(["sync", "-y", "nosana", "two"]).ok();
    server.put(&two, "number", "12.5");
    server.put(&two, "text", json!({"b": 1}));
    let run = home.run(["--json", "diff", "nosana", "two"]);
    let differs = |name: &str| json!({"name": name, "difference": "differs", "in": "type"});
    assert_eq!(
        run.code(1).json()["differences"],
        json!([differs("number"), differs("text")])
    );
    home.run(["diff", "nosana", "two"])
        .code(1)
        .stdout_is("number\tdiffers in type\ntext\tdiffers in type\n")
        .stderr_has("2 of another type");
    let run = home
        .run(["--json", "sync", "-y", "nosana", "two"])
        .ok()
        .json();
    for result in run["results"].as_array().unwrap() {
        let is_other = ["number", "text"].contains(&result["name"].as_str().unwrap());
        let action = if is_other { "updated" } else { "unchanged" };
        assert_eq!(result["action"], action, "{result}");
    }
    assert_eq!(server.secrets(&two), server.secrets(&one));
}

#[test]
fn against_what_holds_text_alone_the_text_counts() {
    let (server, home, [one, _]) = two_stores();
    home.run(["sync", "-y", "nosana", "local"]).ok();
    home.run(["get", "-s", "local", "number"])
        .ok()
        .stdout_is("12.5");
    home.run(["diff", "nosana", "local"]).ok();
    server.forget_requests();
    home.run(["sync", "-y", "local", "nosana"]).ok();
    home.run(["copy", "-s", "local", "number", "nosana"]).ok();
    let set = home.keyfob(["--json", "set", "-s", "nosana", "number"]);
    let set = set.stdin("12.5").run().ok().json();
    assert_eq!(set["results"][0]["action"], "unchanged");
    home.write("a.json", r#"{"number":"12.5"}"#);
    let import = home.run(["--json", "import", "-y", "-s", "nosana", "a.json"]);
    assert_eq!(import.ok().json()["results"][0]["action"], "unchanged");
    assert_eq!(server.count("POST", "/secrets"), 0);
    assert_eq!(server.secrets(&one), typed());
    let set = home.keyfob(["set", "-s", "nosana", "number"]);
    set.stdin("13").run().ok();
    assert_eq!(server.secrets(&one)["number"], "13");
}

#[test]
fn a_rotation_that_fails_puts_back_the_very_json() {
    let (server, home, [one, two]) = two_stores();
    home.run(["sync", "-y", "nosana", "two"]).ok();
    for name in typed().keys() {
        let secret = format!("keyfob://nosana/{name}");
        let copy = format!("keyfob://two/{name}");
        let rotate = ["rotate", &secret, "--to", &copy, "--generate", "hex:8"];
        home.keyfob(rotate)
            .args(["--verify", "false"])
            .run()
            .code(1)
            .stderr_has("everything is as it was");
    }
    assert_eq!(server.secrets(&one), typed());
    assert_eq!(server.secrets(&two), typed());
}

#[cfg(unix)]
#[test]
fn a_rotation_that_was_killed_is_undone_to_the_very_json() {
    let (server, home, [one, _]) = two_stores();
    for name in typed().keys() {
        let secret = format!("keyfob://nosana/{name}");
        let rotate = ["rotate", &secret, "--generate", "hex:8"];
        let rotate = home.keyfob(rotate).args(["--verify", "kill -9 $PPID"]);
        assert_eq!(rotate.run().signal, Some(9));
        assert_ne!(server.secrets(&one)[name], typed()[name]);
        home.run(["rotate", "--undo"]).ok();
    }
    assert_eq!(server.secrets(&one), typed());
}
