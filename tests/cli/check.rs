//! `keyfob check` and `keyfob where`: what is there of what the configuration names, and what says so.

use serde_json::{Value, json};

use crate::support::home::Home;
use crate::support::world::World;

/// Each of the document's members as `VARIABLE STORE NAME STATE`, what is absent as `-`.
fn states(document: &Value) -> Vec<String> {
    let items = document.as_array().unwrap().iter();
    items
        .map(|item| {
            let text = |key: &str| item[key].as_str().unwrap_or("-").to_owned();
            let words = ["variable", "store", "name", "state"].map(text);
            words.join(" ")
        })
        .collect()
}

fn world(config: &str) -> World {
    let mut world = World::new();
    world.home.set("KEYFOB_TRUST", "1");
    world.home.write("keyfob.toml", config);
    world
}

#[test]
fn every_store_is_asked_by_its_list() {
    let world = world(
        "[env]
A = \"A\"
B = \"keyfob://nosana/b\"
C = \"keyfob://northflank/C\"
D = \"keyfob://bytenite/s3/d\"
E = \"keyfob://neo/e\"
F = { from = \"keyfob://neo/f\", required = false }
G = { from = \"keyfob://nosana/g\", default = \"x\" }
H = { default = \"y\" }
[rotation.\"keyfob://nosana/b\"]
every = \"30d\"
",
    );
    for (store, name) in [
        ("local", "A"),
        ("nosana", "b"),
        ("northflank", "C"),
        ("bytenite", "s3/d"),
        ("neo", "e"),
    ] {
        world.put(store, name, "hunter2");
    }
    let run = world.home.run(["check", "--json"]);
    run.ok().quiet().stdout_lacks("hunter2");
    assert_eq!(
        states(&run.json()),
        [
            "A local A present",
            "B nosana b present",
            "C northflank C present",
            "D bytenite s3/d present",
            "E neo e present",
            "F neo f missing",
            "G nosana g default",
            "H - - default",
            "- nosana b present",
        ]
    );
    let document = run.json();
    assert_eq!(
        document[5],
        json!({"variable": "F", "store": "neo", "name": "f", "state": "missing", "required": false})
    );
    assert_eq!(
        document[7],
        json!({"variable": "H", "state": "default", "required": false})
    );
    assert_eq!(
        document[8],
        json!({"store": "nosana", "name": "b", "state": "present", "required": true})
    );
    let table = world.home.run(["check"]);
    table
        .ok()
        .quiet()
        .stdout_has("A\tlocal\tA\tpresent\n")
        .stdout_has("F\tneo\tf\tmissing\tnot required\n");
}

#[test]
fn what_is_missing_and_required_ends_it_with_3() {
    let world = world(
        "[env]
A = \"A\"
D = \"keyfob://bytenite/s3/d\"
E = \"keyfob://neo/e\"
[rotation.X]
every = \"30d\"
",
    );
    world.put("local", "A", "1");
    let run = world.home.run(["check", "--json"]);
    run.code(3)
        .stderr_has("3 secrets are missing")
        .stderr_has("keyfob://bytenite/s3/d, keyfob://local/X, keyfob://neo/e");
    assert_eq!(
        states(&run.json()),
        [
            "A local A present",
            "D bytenite s3/d missing",
            "E neo e missing",
            "- local X missing"
        ]
    );
    // What is missing counts before what is not known.
    let mut home = world.home;
    home.set("KEYFOB_NEO_BASE_URL", "http://127.0.0.1:1")
        .set("KEYFOB_TIMEOUT", "500ms");
    let run = home.run(["check", "--json"]);
    run.code(3).stderr_has("2 secrets are missing");
    assert_eq!(states(&run.json())[2], "E neo e unknown");
}

#[test]
fn a_store_that_cannot_be_asked_is_said_to_be_unknown() {
    let world = world(
        "[env]\nA = \"A\"\nE = { from = \"keyfob://neo/e\", required = false }\nB = \"keyfob://nosana/b\"\n",
    );
    world.put("local", "A", "1");
    world.put("nosana", "b", "1");
    let mut home = world.home;
    home.set("NEO_API_KEY", "wrong");
    let run = home.run(["check", "--json"]);
    run.code(4).stderr_has("neo");
    assert_eq!(
        states(&run.json()),
        ["A local A present", "B nosana b present", "E neo e unknown"]
    );
    home.write("keyfob.toml", "[env]\nA = \"keyfob://nowhere/A\"\n");
    let run = home.run(["check", "--json"]);
    run.code(3).stderr_has("there is no store nowhere");
    assert_eq!(states(&run.json()), ["A nowhere A unknown"]);
}

#[test]
fn a_profile_and_a_store_change_what_is_looked_for() {
    let mut home = Home::new();
    home.set("KEYFOB_TRUST", "1");
    home.run(["check"])
        .ok()
        .stdout_is("")
        .stderr_has("names no variable and no policy");
    home.run(["check", "--json"]).ok().stdout_is("[]\n");
    home.write(
        "keyfob.toml",
        "[stores.web]\nprovider = \"local\"\npath = \"web.age\"\n[env]\nA = \"A\"\n[profiles.prod]\ndefault_store = \"web\"\n",
    );
    home.keyfob(["set", "-q", "A"]).stdin("1").run().ok();
    home.run(["check"]).ok().stdout_is("A\tlocal\tA\tpresent\n");
    home.run(["check", "-P", "prod"])
        .code(3)
        .stdout_is("A\tweb\tA\tmissing\n")
        .stderr_has("keyfob set -s web A");
    home.run(["check", "-s", "web"]).code(3);
    home.unset("KEYFOB_TRUST");
    home.run(["check"]).code(12);
    home.run(["where", "A"]).code(12);
}

#[test]
fn where_tells_the_line_that_names_a_variable_or_a_store() {
    let world = world(
        "default_store = \"gpu\"\n[env]\nA = \"a-1\"\nL = { default = \"info\" }\n[stores.gpu]\nprovider = \"neo\"\n[profiles.prod.env]\nA = { from = \"keyfob://nosana/b\", default = \"d\" }\n",
    );
    let mut home = world.home;
    home.set("KEYFOB_GPU_BASE_URL", world.neo.url());
    home.set("KEYFOB_GPU_API_KEY", crate::support::servers::neo::API_KEY);
    let path = home.work().join("keyfob.toml");
    let path = std::fs::canonicalize(path).unwrap();
    let file = path.to_str().unwrap();
    let told = |args: &[&str]| home.run([&["where", "--json"], args].concat()).ok().json();
    assert_eq!(
        told(&["A"]),
        json!({"variable": "A", "store": "gpu", "provider": "neo", "name": "a-1", "path": file, "line": 3})
    );
    assert_eq!(
        told(&["-P", "prod", "A"]),
        json!({"variable": "A", "store": "nosana", "provider": "nosana", "name": "b", "default": "d", "path": file, "line": 8})
    );
    assert_eq!(
        told(&["L"]),
        json!({"variable": "L", "default": "info", "path": file, "line": 4})
    );
    // A secret is looked for.
    home.run(["where", "a-1"])
        .code(3)
        .stdout_is("")
        .stderr_has("there is no secret named a-1 in the store gpu");
    world.neo.put("a-1", "hunter2");
    assert_eq!(
        told(&["a-1"]),
        json!({"store": "gpu", "provider": "neo", "name": "a-1", "path": file, "line": 6})
    );
    home.keyfob(["set", "-q", "-s", "local", "A"])
        .stdin("1")
        .run()
        .ok();
    assert_eq!(
        told(&["keyfob://local/A"]),
        json!({"store": "local", "provider": "local", "name": "A"})
    );
    assert_eq!(
        told(&["-s", "local", "A"]),
        json!({"store": "local", "provider": "local", "name": "A"})
    );
    home.run(["where", "-s", "local", "A"])
        .ok()
        .stdout_is("store: local (local)\nname: A\nconfigured: built in\n");
    home.run(["where", "L"]).ok().stdout_is(format!(
        "variable: L\ndefault: info\nconfigured: {file}:4\n"
    ));
}

#[test]
fn each_store_that_cannot_be_asked_is_told() {
    let home = Home::new().with("KEYFOB_TRUST", "1");
    home.write(
        "keyfob.toml",
        "[env]\nX = \"keyfob://neo/X\"\nY = \"keyfob://nosana/Y\"\nZ = \"keyfob://northflank/Z\"\n",
    );
    let run = home.run(["check"]);
    run.code(4)
        .stdout_has("X\tneo\tX\tunknown")
        .stderr_has("error: neo: there is no credential for https://")
        .stderr_has("warning: nosana: no Solana keypair was found")
        .stderr_has("warning: northflank: the store northflank has no project");
    // What is missing is what it ends with, and they are told all the same.
    home.keyfob(["set", "OTHER"]).stdin("1").run().ok();
    home.write(
        "keyfob.toml",
        "[env]\nA = \"keyfob://local/NONE\"\nX = \"keyfob://neo/X\"\n",
    );
    home.run(["check"])
        .code(3)
        .stderr_has("warning: neo: there is no credential for https://")
        .stderr_has("keyfob://local/NONE");
}
