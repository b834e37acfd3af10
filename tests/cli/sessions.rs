//! A whole session with each hosted backend: login, set, list, show, get, run, delete, and what the
//! server was asked for each. `cargo test --test cli sessions -- --nocapture` prints it.

use std::time::Duration;

use crate::support::home::Home;
use crate::support::servers::northflank::PROJECT;
use crate::support::servers::{ByteNite, Fault, Neo, Northflank, Nosana, Server};
use crate::support::solana::Keypair;

/// What is typed, what is piped in, and how it ends.
type Step<'a> = (&'a [&'a str], &'a str, i32);

/// Runs the steps, and returns what the server was asked for each.
fn session(home: &Home, server: &Server, steps: &[Step<'_>]) -> Vec<Vec<String>> {
    steps
        .iter()
        .map(|(args, stdin, code)| {
            server.forget_requests();
            let mut command = home.keyfob(args.iter().copied());
            if !stdin.is_empty() {
                command = command.stdin(*stdin);
            }
            let run = command.run();
            run.code(*code);
            println!("$ keyfob {}", args.join(" "));
            for line in run.text().lines().chain(run.stderr.lines()) {
                println!("  {line}");
            }
            let asked = server.asked();
            for request in &asked {
                println!("    > {request}");
            }
            asked
        })
        .collect()
}

#[test]
fn with_nosana() {
    let server = Nosana::start();
    let mut home = Home::new();
    home.set("KEYFOB_STORE", "nosana");
    home.knows_nosana(&server, &Keypair::new(1));
    let asked = session(
        &home,
        &server,
        &[
            (&["login"], "", 0),
            (&["set", "GREETING"], "hello", 0),
            (&["list"], "", 0),
            (&["show", "GREETING"], "", 0),
            (&["get", "GREETING"], "", 0),
            (&["run", "--", "printenv", "GREETING"], "", 0),
            (&["delete", "-y", "GREETING"], "", 0),
        ],
    );
    assert_eq!(asked[0], ["POST /login"]);
    assert_eq!(asked[4], ["POST /login", "GET /secrets"]);
    let look = "GET /secrets/GREETING";
    assert_eq!(
        asked[6],
        ["POST /login", "GET /secrets", "DELETE /secrets", look]
    );
}

#[test]
fn with_bytenite() {
    let server = ByteNite::start();
    let mut home = Home::new();
    home.set("KEYFOB_STORE", "bytenite");
    home.knows_bytenite(&server);
    let attributes = ["--attr", "accessKey=AKIA", "--attr", "params.region=eu"];
    let set = [&["set", "s3/backup"][..], &attributes].concat();
    let asked = session(
        &home,
        &server,
        &[
            (&["login"], "", 0),
            (&set, "the-secret-key", 0),
            (&["list", "--type", "s3"], "", 0),
            (&["show", "s3/backup"], "", 0),
            (&["get", "s3/backup"], "", 7),
            (&["run", "--", "true"], "", 125),
            (&["delete", "-y", "s3/backup"], "", 0),
        ],
    );
    assert!(
        asked[2].contains(&"GET /v1/auth/secrets?secretType=s3".to_owned()),
        "{:?}",
        asked[2]
    );
    assert!(
        asked[4].is_empty() && asked[5].is_empty(),
        "refused before anything is sent"
    );
    assert!(
        asked[6].contains(&"DELETE /v1/auth/secrets/s3/backup".to_owned()),
        "{:?}",
        asked[6]
    );
}

#[test]
fn with_northflank() {
    let server = Northflank::start();
    let mut home = Home::new();
    home.set("KEYFOB_STORE", "northflank");
    home.knows_northflank(&server);
    let asked = session(
        &home,
        &server,
        &[
            (&["login"], "", 0),
            (&["group", "create", "Api Env", "--priority", "10"], "", 0),
            (&["set", "api-env/GREETING"], "hello", 0),
            (
                &["set", "api-env//etc/app.conf", "--file", "-"],
                "bytes\n",
                0,
            ),
            (&["list"], "", 0),
            (&["show", "api-env/GREETING"], "", 0),
            (&["get", "api-env/GREETING"], "", 0),
            (
                &["run", "-e", "G=api-env/GREETING", "--", "printenv", "G"],
                "",
                0,
            ),
            (&["delete", "-y", "api-env/GREETING"], "", 0),
            (&["group", "delete", "-y", "api-env"], "", 0),
        ],
    );
    assert_eq!(asked[6].len(), 1, "{:?}", asked[6]);
    assert!(server.groups().ids(None, PROJECT).is_empty());
}

#[test]
fn with_neo() {
    let server = Neo::start();
    let mut home = Home::new();
    home.set("KEYFOB_STORE", "neo");
    home.knows_neo(&server);
    let asked = session(
        &home,
        &server,
        &[
            (&["login"], "", 0),
            (
                &["set", "api-key", "--description", "for the API"],
                "one",
                0,
            ),
            (&["set", "api-key"], "two", 0),
            (&["list"], "", 0),
            (&["show", "api-key"], "", 0),
            (&["get", "api-key"], "", 7),
            (&["run", "--", "true"], "", 125),
            (&["delete", "-y", "api-key"], "", 0),
        ],
    );
    assert!(
        asked[2].iter().any(|request| request.starts_with("DELETE")),
        "{:?}",
        asked[2]
    );
    assert_eq!(
        asked[2][asked[2].len() - 2..],
        ["POST /v1/secrets", "GET /v1/secrets?limit=100&offset=0"],
        "created, then looked at"
    );
    assert!(
        asked[5].is_empty() && asked[6].is_empty(),
        "refused before anything is sent"
    );
}

/// A server that lets its tokens live for less than a minute is not logged in to for each request.
#[test]
fn a_token_of_a_few_seconds_is_obtained_once_a_command() {
    let nosana = Nosana::start();
    nosana.set_token_lifetime(29);
    let keypair = Keypair::new(1);
    nosana.put(&keypair.address(), "A", "1");
    let bytenite = ByteNite::start();
    bytenite.set_token_lifetime(29);
    bytenite.put("s3", "A", "1", serde_json::json!({}));
    let mut home = Home::new();
    home.knows_nosana(&nosana, &keypair);
    home.knows_bytenite(&bytenite);
    home.run(["delete", "-s", "nosana", "-y", "A"]).ok();
    assert!(nosana.requests().len() > 2);
    assert_eq!(nosana.count("POST", "/login"), 1);
    home.run(["delete", "-s", "bytenite", "-y", "s3/A"]).ok();
    assert!(bytenite.requests().len() > 2);
    assert_eq!(bytenite.exchanges(), 1);
}

/// `--nocapture` shows the time; what is asserted is what does not depend on the machine.
#[test]
fn a_thousand_secrets_go_into_neo_side_by_side() {
    let server = Neo::start();
    server
        .faults()
        .always(Fault::Delay(Duration::from_millis(50)));
    let mut home = Home::new();
    home.set("KEYFOB_STORE", "neo");
    home.knows_neo(&server);
    let file: String = (0..1000).map(|n| format!("NAME_{n}=value-{n}\n")).collect();
    home.write("many.env", file);
    let run = home.run(["import", "-y", "many.env"]);
    run.ok();
    assert_eq!(server.secrets().len(), 1000);
    assert!(
        server.connections() <= 16,
        "{} connections",
        server.connections()
    );
    assert!(server.peak_requests() > 8, "requests run side by side");
    println!(
        "1,000 secrets into neo at 50 ms an answer: {:.2} s on {} connections; ideal of 16 at once: {:.2} s",
        run.elapsed.as_secs_f64(),
        server.connections(),
        1000.0 / 16.0 * 0.05,
    );
}
