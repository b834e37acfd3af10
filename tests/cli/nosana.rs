//! Nosana's Secret Manager, through the commands a user types.

use serde_json::{Value, json};

use crate::support::home::Home;
use crate::support::keyutils;
use crate::support::servers::faults::Fault;
use crate::support::servers::{Listen, Nosana};
use crate::support::solana::Keypair;

/// A server, and a home that knows it and has a keypair.
pub fn set_up() -> (Nosana, Home, Keypair) {
    let server = Nosana::start();
    let mut home = Home::new();
    let keypair = Keypair::new(1);
    home.set("KEYFOB_STORE", "nosana");
    home.knows_nosana(&server, &keypair);
    (server, home, keypair)
}

#[test]
fn the_readme_s_two_commands_work() {
    let (server, home, keypair) = set_up();
    home.keyfob(["set", "GREETING"]).stdin("hello").run().ok();
    assert_eq!(server.secrets(&keypair.address())["GREETING"], "hello");
    home.run(["run", "--", "printenv", "GREETING"])
        .ok()
        .stdout_is("hello\n");
    home.run(["get", "GREETING"]).ok().stdout_is("hello");
}

#[test]
fn set_tells_created_updated_and_unchanged() {
    let (server, home, _) = set_up();
    let set = |value: &str| {
        home.keyfob(["--json", "set", "A"])
            .stdin(value)
            .run()
            .ok()
            .json()
    };
    let result =
        |action: &str| json!({"store": "nosana", "results": [{"name": "A", "action": action}]});
    assert_eq!(set("1"), result("created"));
    assert_eq!(set("2"), result("updated"));
    server.forget_requests();
    assert_eq!(set("2"), result("unchanged"));
    assert_eq!(server.count("POST", "/secrets"), 0);
    home.keyfob(["set", "--if-absent", "A"])
        .stdin("3")
        .run()
        .code(6);
    home.run(["get", "A"]).ok().stdout_is("2");
}

#[test]
fn delete_asks_what_there_is_and_says_what_is_missing() {
    let (server, home, keypair) = set_up();
    let address = keypair.address();
    server.put(&address, "A", "1");
    server.put(&address, "B", "2");
    let run = home.run(["--json", "delete", "-y", "A", "GONE"]);
    run.code(10);
    let document = run.json();
    assert_eq!(
        document["results"][0],
        json!({"name": "A", "action": "deleted"})
    );
    assert_eq!(document["results"][1]["action"], "failed");
    assert_eq!(document["results"][1]["error"]["kind"], "not_found");
    assert!(!server.secrets(&address).contains_key("A"));
    home.run(["delete", "-y", "GONE"]).code(3);
    home.run(["delete", "-y", "--ignore-missing", "GONE"]).ok();
    home.run(["rm", "-y", "B"]).ok();
    assert!(server.secrets(&address).is_empty());
}

#[test]
fn values_that_are_not_strings_are_listed_typed_and_read_as_their_json() {
    let (server, home, keypair) = set_up();
    let address = keypair.address();
    server.put(&address, "number", 12.5);
    server.put(&address, "object", json!({"a": [1, null]}));
    server.put(&address, "nothing", Value::Null);
    server.put(&address, "text", "plain");
    assert_eq!(
        home.run(["--json", "list"]).ok().json(),
        json!([
            {"name": "nothing", "attributes": {"type": "null"}},
            {"name": "number", "attributes": {"type": "number"}},
            {"name": "object", "attributes": {"type": "object"}},
            {"name": "text"},
        ])
    );
    home.run(["get", "number"]).ok().stdout_is("12.5");
    home.run(["get", "object"])
        .ok()
        .stdout_is(r#"{"a":[1,null]}"#);
    home.run(["get", "nothing"]).ok().stdout_is("null");
    home.run(["show", "number"])
        .ok()
        .stdout_has("type: number")
        .stdout_lacks("12.5");
}

#[test]
fn names_of_every_kind_survive() {
    let (server, home, keypair) = set_up();
    for name in [
        "with space",
        "a/b.c:d",
        "größe-☃",
        "keyfob",
        "-dash",
        "constructor",
        "\u{1}",
    ] {
        home.keyfob(["set", "--", name]).stdin("v").run().ok();
        assert_eq!(server.secrets(&keypair.address())[name], "v", "{name:?}");
        home.run(["get", "--", name]).ok().stdout_is("v");
    }
    home.run(["get", "keyfob://nosana/a/b.c:d"])
        .ok()
        .stdout_is("v");
    home.run(["get", "keyfob://nosana/with%20space"])
        .ok()
        .stdout_is("v");
}

#[test]
fn names_that_would_be_lost_are_refused_with_the_reason() {
    let (server, home, _) = set_up();
    home.keyfob(["set", "__proto__"])
        .stdin("v")
        .run()
        .code(13)
        .stderr_has("__proto__")
        .stderr_has("lose it");
    home.keyfob(["set", ""])
        .stdin("v")
        .run()
        .code(2)
        .stderr_has("cannot be empty");
    assert!(
        server.requests().is_empty(),
        "nothing is sent for such a name"
    );
}

#[test]
fn the_empty_name_and_those_that_no_address_leads_to_are_read_and_deleted() {
    let (server, home, keypair) = set_up();
    let address = keypair.address();
    home.run(["get", ""]).code(3).stderr_has("named \"\"");
    home.run(["get", "-s", "local", ""]).code(3);
    for name in ["", ".", ".."] {
        server.put(&address, name, "odd");
        home.run(["get", name]).ok().stdout_is("odd");
        home.run(["show", name]).ok();
        assert_eq!(
            home.run(["--json", "list"]).ok().json(),
            json!([{ "name": name }])
        );
        if name.is_empty() {
            // It is no variable, and no store of ours takes it.
            home.run(["run", "--", "true"]).ok().stderr_has("left out");
            home.run(["sync", "-y", "nosana", "local"])
                .ok()
                .stderr_has("left out");
        }
        home.run(["delete", "-y", name]).ok();
        assert!(server.secrets(&address).is_empty(), "{name:?}");
        home.run(["delete", "-y", name]).code(3);
    }
    // One that others have stored goes with the rest.
    server.put(&address, "", "odd");
    home.keyfob(["set", "-s", "local", "A"])
        .stdin("1")
        .run()
        .ok();
    home.run(["sync", "-y", "--prune", "local", "nosana"]).ok();
    assert_eq!(server.secrets(&address).len(), 1);
}

#[test]
fn values_that_are_not_text_are_refused() {
    let (server, home, _) = set_up();
    home.keyfob(["set", "A"])
        .stdin(vec![0xff, 0xfe])
        .run()
        .code(13)
        .stderr_has("the value of A is not text");
    assert!(server.requests().is_empty());
}

#[test]
fn a_missing_secret_is_not_found() {
    let (_server, home, _) = set_up();
    let run = home.run(["--json", "get", "MISSING"]);
    run.code(3).stdout_is("");
    assert_eq!(run.error()["kind"], "not_found");
    assert_eq!(run.error()["store"], "nosana");
    home.run(["show", "MISSING"]).code(3);
    home.run(["run", "--only", "MISSING", "--", "true"])
        .code(125)
        .stderr_has("MISSING");
}

#[test]
fn a_first_get_costs_two_requests_and_a_cached_one_costs_one() {
    if !keyutils::available_for("a_first_get_costs_two_requests") {
        return;
    }
    let (server, mut home, keypair) = set_up();
    home.set("KEYFOB_TOKEN_CACHE", "keyutils");
    server.put(&keypair.address(), "A", "1");
    home.run(["get", "A"]).ok().stdout_is("1");
    assert_eq!(server.asked(), ["POST /login", "GET /secrets"]);
    assert_eq!(server.connections(), 1);
    server.forget_requests();
    home.run(["get", "A"]).ok().stdout_is("1");
    assert_eq!(server.asked(), ["GET /secrets"]);
    assert_eq!(server.connections(), 2);
    home.run(["logout"]).ok().stderr_has("is forgotten");
    server.forget_requests();
    home.run(["get", "A"]).ok();
    assert_eq!(server.count("POST", "/login"), 1);
    home.run(["logout"]).ok();
}

#[test]
fn twenty_cold_processes_log_in_once() {
    if !keyutils::available_for("twenty_cold_processes_log_in_once") {
        return;
    }
    let (server, mut home, keypair) = set_up();
    home.set("KEYFOB_TOKEN_CACHE", "keyutils");
    server.put(&keypair.address(), "A", "1");
    let running: Vec<_> = (0..20).map(|_| home.keyfob(["get", "A"]).spawn()).collect();
    for run in running {
        run.wait().ok().stdout_is("1");
    }
    assert_eq!(server.logins(), 1);
    home.run(["logout"]).ok();
}

#[test]
fn a_rejected_token_is_renewed_once() {
    if !keyutils::available_for("a_rejected_token_is_renewed_once") {
        return;
    }
    let (server, mut home, keypair) = set_up();
    home.set("KEYFOB_TOKEN_CACHE", "keyutils");
    server.put(&keypair.address(), "A", "1");
    home.run(["get", "A"]).ok();
    for reject in [Nosana::revoke_tokens, Nosana::rotate_key] {
        reject(&server);
        server.forget_requests();
        home.run(["get", "A"]).ok().stdout_is("1");
        assert_eq!(
            server.asked(),
            ["GET /secrets", "POST /login", "GET /secrets"]
        );
    }
    // A login never carries the stale token: the server would refuse it.
    assert!(
        server
            .requests()
            .iter()
            .filter(|request| request.is("POST", "/login"))
            .all(|request| request.header("authorization").is_none())
    );
    home.run(["logout"]).ok();
}

#[test]
fn a_wrong_clock_is_corrected_once_from_the_date_header() {
    let (server, home, keypair) = set_up();
    server.put(&keypair.address(), "A", "1");
    server.set_tolerance(60);
    server.clock().set_offset(-7200);
    home.run(["get", "A"]).ok().stdout_is("1");
    assert_eq!(
        server.asked(),
        ["POST /login", "POST /login", "GET /secrets"]
    );
    server.clock().set_offset(500);
    home.run(["get", "A"]).ok();
}

#[test]
fn a_clock_that_is_off_by_more_than_a_day_is_no_reason_to_sign_another_time() {
    let (server, home, _) = set_up();
    for years in [1, -1, 5000] {
        server.clock().set_offset(years * 365 * 86400);
        server.forget_requests();
        let run = home.run(["--json", "get", "A"]);
        assert_eq!(run.code(4).error()["kind"], "unauthenticated");
        assert_eq!(server.asked(), ["POST /login"]);
        let message = run.error()["message"].as_str().unwrap().to_owned();
        let hint = run.error()["hint"].as_str().unwrap().to_owned();
        assert!(
            message.contains("this machine's clock says 20"),
            "{message}"
        );
        assert!(message.contains("the server's"), "{message}");
        assert!(
            hint.contains(" s behind") || hint.contains(" s ahead of"),
            "{hint}"
        );
        assert!(message.contains("Z"), "{message}");
    }
    server.clock().set_offset(23 * 3600);
    home.run(["list"]).ok();
    server.clock().set_offset(-23 * 3600);
    home.run(["list"]).ok();
}

#[test]
fn what_a_login_gives_away_is_said_once_for_each_foreign_server() {
    let (_server, mut home, _) = set_up();
    // A proxy that is not there stands in the way of every name.
    home.set("HTTPS_PROXY", "http://127.0.0.1:1");
    let get = |home: &Home, url: &str| {
        let get = home.keyfob(["--timeout", "1s", "get", "A"]);
        let run = get.env("KEYFOB_NOSANA_BASE_URL", url).run();
        run.code(8);
        run
    };
    let foreign = "https://secrets.example.org";
    let said = "with what keyfob signs for it";
    get(&home, foreign).stderr_has(foreign).stderr_has(said);
    get(&home, foreign).stderr_lacks(said);
    get(&home, "https://other.example.org").stderr_has(said);
    for own in [
        "https://secrets.nosana.ci",
        "https://secrets.k8s.prd.nos.ci",
        "https://secrets.k8s.dev.nos.ci",
    ] {
        get(&home, own).stderr_lacks(said);
    }
    // Where it cannot be remembered it is not said, and nothing fails for it.
    let file = home.data().join("nosana/servers.json");
    home.write(&file, "damaged");
    get(&home, "https://third.example.org").stderr_lacks(said);
    home.run(["list"]).ok().stderr_lacks(said);
}

#[test]
fn every_keypair_format_works_from_a_file_and_from_the_environment() {
    let (server, home, keypair) = set_up();
    server.put(&keypair.address(), "A", "1");
    for text in [
        keypair.json(),
        keypair.base58(),
        keypair.seed_json(),
        keypair.seed_base58(),
        hex(&keypair.json()),
        hex(&keypair.seed_json()),
        format!("\"{}\"", keypair.base58()),
        format!("\u{feff}{}", keypair.json()),
        object(&keypair.json()),
    ] {
        home.keyfob(["get", "A"])
            .env("KEYFOB_NOSANA_KEYPAIR", &text)
            .run()
            .ok()
            .stdout_is("1");
        let file = home.write_private("key.json", &text);
        home.keyfob(["get", "A"])
            .env("KEYFOB_NOSANA_KEYPAIR", file)
            .run()
            .ok()
            .stdout_is("1");
    }
}

fn numbers(json: &str) -> Vec<u8> {
    serde_json::from_str(json).unwrap()
}

fn hex(json: &str) -> String {
    let digits = numbers(json).into_iter();
    digits.map(|byte| format!("{byte:02x}")).collect()
}

/// What JavaScript makes of an array of bytes.
fn object(json: &str) -> String {
    let numbers = numbers(json).into_iter().enumerate();
    let entries: Vec<String> = numbers.map(|(at, n)| format!("\"{at}\":{n}")).collect();
    format!("{{{}}}", entries.join(","))
}

#[test]
fn the_vendor_s_variable_holds_a_keypair_and_no_address() {
    let (server, mut home, keypair) = set_up();
    server.put(&keypair.address(), "A", "1");
    let own = home.variables()[std::ffi::OsStr::new("KEYFOB_NOSANA_KEYPAIR")].clone();
    home.unset("KEYFOB_NOSANA_KEYPAIR");
    home.set("SOLANA_WALLET", keypair.json());
    home.run(["get", "A"]).ok().stdout_is("1");
    home.run(["run", "--", "sh", "-c", "echo \"[$SOLANA_WALLET]\""])
        .ok()
        .stdout_is("[]\n");
    home.run(["--json", "status", "-s", "nosana"])
        .ok()
        .stdout_has("environment SOLANA_WALLET");
    // Thirty-two bytes in base58 are an address as well as a seed, and everybody knows the address.
    let address = keypair.address();
    home.set("SOLANA_WALLET", &address);
    home.run(["get", "A"])
        .code(13)
        .stderr_has("SOLANA_WALLET")
        .stderr_has("KEYFOB_NOSANA_KEYPAIR")
        .lacks(&address);
    home.set("KEYFOB_NOSANA_KEYPAIR", own);
    home.run(["get", "A"]).ok();
}

#[test]
fn the_usual_places_are_looked_at() {
    let (server, mut home, keypair) = set_up();
    server.put(&keypair.address(), "A", "1");
    home.unset("KEYFOB_NOSANA_KEYPAIR");
    home.run(["get", "A"]).code(4).stderr_has("keypair");
    home.write_private("../home/.config/solana/id.json", keypair.json());
    home.run(["get", "A"]).ok();
    // The Solana CLI's own choice goes before its usual place.
    let other = Keypair::new(2);
    let chosen = home.write_private("chosen.json", other.json());
    home.write_private(
        "../home/.config/solana/cli/config.yml",
        format!(
            "---\njson_rpc_url: \"http://x\"\nkeypair_path: {}\n",
            chosen.display()
        ),
    );
    home.run(["get", "A"]).code(3);
    server.put(&other.address(), "A", "2");
    home.run(["get", "A"]).ok().stdout_is("2");
}

#[cfg(unix)]
#[test]
fn a_keypair_file_that_others_can_read_is_refused_with_the_chmod_to_run() {
    let (server, mut home, keypair) = set_up();
    let file = keypair.write(&home);
    home.set("KEYFOB_NOSANA_KEYPAIR", &file);
    crate::support::home::set_mode(&file, 0o640);
    home.run(["get", "A"])
        .code(4)
        .stderr_has("chmod 600")
        .stderr_has(&file.display().to_string());
    assert!(server.requests().is_empty());
}

#[test]
fn a_keypair_whose_halves_do_not_match_is_refused() {
    let (server, home, keypair) = set_up();
    let mut numbers: Vec<u8> = serde_json::from_str(&keypair.json()).unwrap();
    numbers[40] ^= 1;
    let text = serde_json::to_string(&numbers).unwrap();
    let run = home
        .keyfob(["get", "A"])
        .env("KEYFOB_NOSANA_KEYPAIR", &text)
        .run();
    run.code(13).stderr_lacks(&text);
    assert!(server.requests().is_empty());
}

#[test]
fn what_the_server_does_to_us_has_its_own_exit_code() {
    let cases: Vec<(Fault, i32)> = vec![
        (Fault::status(500), 8),
        (Fault::status(503), 8),
        (Fault::rate_limited(3600), 9),
        (Fault::captive_portal(), 13),
        (Fault::redirect(302, "https://example.com/login"), 13),
        (Fault::redirect(307, "http://127.0.0.1:1/secrets"), 13),
        (Fault::Hang, 8),
        (Fault::ResetMidBody, 8),
        (Fault::Truncated, 13),
        (Fault::EndlessBody, 13),
        (Fault::close_unapplied(), 8),
    ];
    for (fault, code) in cases {
        let (server, home, _) = set_up();
        let what = format!("{fault:?}");
        server.faults().on("GET", "/secrets", fault);
        let run = home.keyfob(["--timeout", "5s", "list"]).run();
        assert_eq!(run.code, Some(code), "{what}: {}", run.stderr);
        run.stderr_has("127.0.0.1").stderr_has("read the secrets");
    }
}

#[test]
fn a_server_that_recovers_is_asked_again() {
    let (server, home, keypair) = set_up();
    server.put(&keypair.address(), "A", "1");
    server
        .faults()
        .once_on("GET", "/secrets", Fault::status(502));
    server
        .faults()
        .once_on("POST", "/login", Fault::close_unapplied());
    home.run(["get", "A"]).ok().stdout_is("1");
    server
        .faults()
        .once_on("GET", "/secrets", Fault::rate_limited(1));
    home.run(["get", "A"]).ok();
}

#[test]
fn a_server_that_is_down_is_unavailable() {
    let (server, home, _) = set_up();
    server.stop();
    let run = home.run(["--timeout", "2s", "--json", "list"]);
    run.code(8);
    assert_eq!(run.error()["kind"], "unavailable");
}

#[test]
fn tls_trusts_the_ca_file_and_nothing_else() {
    let server = Nosana::listen(Listen::Tls(crate::support::servers::tls::Certificate::Good));
    let mut home = Home::new();
    let keypair = Keypair::new(1);
    home.set("KEYFOB_STORE", "nosana");
    home.knows_nosana(&server, &keypair);
    server.put(&keypair.address(), "A", "1");
    home.run(["--timeout", "5s", "get", "A"])
        .code(8)
        .stderr_has("certificate")
        .stderr_has("ca_file");
    home.keyfob(["get", "A"])
        .env("KEYFOB_NOSANA_CA_FILE", server.ca_file())
        .run()
        .ok()
        .stdout_is("1");
    home.keyfob(["get", "A"])
        .env("SSL_CERT_FILE", server.ca_file())
        .run()
        .ok()
        .stdout_is("1");
}

#[test]
fn many_names_go_in_short_requests_below_the_limit() {
    let (server, home, keypair) = set_up();
    // Large values: the body's limit splits before the number of names does.
    let large = "x".repeat(400_000);
    for name in ["A", "B", "C"] {
        home.keyfob(["set", name]).stdin(large.clone()).run().ok();
    }
    assert_eq!(server.secrets(&keypair.address()).len(), 3);
    let run = home.keyfob(["set", "D"]).stdin("x".repeat(1_100_000)).run();
    run.code(13).stderr_has("too large");
}

#[test]
fn status_tells_who_and_where_without_asking() {
    let (server, home, keypair) = set_up();
    let run = home.run(["--json", "status", "-s", "nosana"]);
    let status = run.ok().json();
    assert_eq!(status[0]["account"], keypair.address());
    assert_eq!(status[0]["url"], server.url());
    assert!(server.requests().is_empty());
}

#[test]
fn login_proves_the_keypair() {
    let (server, home, keypair) = set_up();
    home.run(["login"]).ok().stderr_has(&keypair.address());
    assert_eq!(server.asked(), ["POST /login"]);
}
