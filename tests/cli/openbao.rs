//! OpenBao and Vault: keys of a path's map, in what requests, and what a cluster, a policy or
//! somebody else does meanwhile.

mod changing;
#[cfg(unix)]
mod cluster;
#[cfg(unix)]
mod real;
mod remembering;
mod signing_in;

use serde_json::json;

use crate::support::home::Home;
use crate::support::servers::openbao::{Node, Policy};
use crate::support::servers::{Fault, OpenBao, openbao};

/// A home that knows the server, with its store selected.
pub fn home(server: &OpenBao) -> Home {
    let mut home = Home::new();
    home.set("KEYFOB_STORE", "openbao").knows_openbao(server);
    home
}

/// The same with a token of this policy.
pub fn home_with(server: &OpenBao, policy: Policy) -> Home {
    home(server).with("BAO_TOKEN", server.token(policy))
}

#[test]
fn a_secret_is_a_key_of_a_path() {
    let server = OpenBao::start();
    let home = home(&server);
    server.put("app/db", "HOST", "theirs");
    home.keyfob(["set", "app/db/PASSWORD"])
        .stdin("one")
        .run()
        .ok();
    assert_eq!(
        server.asked(),
        [
            "GET /v1/sys/internal/ui/mounts/secret",
            "GET /v1/secret/data/app/db",
            "PATCH /v1/secret/data/app/db",
            "GET /v1/secret/data/app/db?version=2",
        ]
    );
    server.forget_requests();
    home.run(["get", "app/db/PASSWORD"]).ok().stdout_is("one");
    assert_eq!(server.requests().len(), 2);
    assert_eq!(
        server.map("app/db"),
        *json!({"HOST": "theirs", "PASSWORD": "one"})
            .as_object()
            .unwrap()
    );
    // The same value is no new version.
    home.keyfob(["set", "app/db/PASSWORD"])
        .stdin("one")
        .run()
        .ok()
        .stderr_has("the same already");
    assert_eq!(server.version("app/db"), 2);
    home.run(["list", "--prefix", "app/"])
        .ok()
        .stdout_has("app/db/PASSWORD")
        .stdout_has("app/db/HOST")
        .stdout_lacks("theirs");
    home.run(["delete", "-y", "app/db/PASSWORD"]).ok();
    assert_eq!(
        server.map("app/db"),
        *json!({"HOST": "theirs"}).as_object().unwrap()
    );
    home.run(["get", "app/db/PASSWORD"]).code(3);
    home.run(["delete", "-y", "app/db/PASSWORD"]).code(3);
}

#[test]
fn names_have_three_forms() {
    let server = OpenBao::start();
    let whole = home(&server);
    whole.keyfob(["set", "app//a/b"]).stdin("slash").run().ok();
    assert_eq!(server.map("app")["a/b"], "slash");
    whole
        .run(["get", "keyfob://openbao/app//a/b"])
        .ok()
        .stdout_is("slash");
    whole.run(["list"]).ok().stdout_has("app//a/b");
    let below = home(&server).with("KEYFOB_OPENBAO_PATH", "/app/");
    below.keyfob(["set", "KEY"]).stdin("own").run().ok();
    below.keyfob(["set", "sub/KEY"]).stdin("sub").run().ok();
    assert_eq!(server.map("app")["KEY"], "own");
    assert_eq!(server.map("app/sub")["KEY"], "sub");
    let listed = below.run(["--json", "list"]).ok().json();
    let names: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["//a/b", "KEY", "sub/KEY"]);
    let single = home(&server).with("KEYFOB_OPENBAO_KEY", "value");
    single.keyfob(["set", "one/token"]).stdin("1").run().ok();
    server.put("one/token", "owner", "me");
    single.run(["get", "one/token"]).ok().stdout_is("1");
    single
        .run(["list"])
        .ok()
        .stdout_has("one/token")
        .stdout_lacks("owner")
        .stdout_lacks("app");
    single.run(["delete", "-y", "one/token"]).ok();
    assert_eq!(server.map("one/token")["owner"], "me");
    // What the server would take for another path, or refuse, is not asked.
    server.forget_requests();
    for name in [
        "KEY",
        "a/../b/KEY",
        "./KEY",
        "/KEY",
        "a\u{a0}b/KEY",
        "a\u{200b}/KEY",
        "a//KEY",
    ] {
        whole.keyfob(["set", name]).stdin("x").run().code(13);
        whole.run(["get", name]).code(13);
    }
    whole.keyfob(["set", "app/"]).stdin("x").run().code(13);
    whole
        .keyfob(["set", "app/K"])
        .stdin(b"\xff".to_vec())
        .run()
        .code(13);
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn odd_names_and_values_come_back_byte_for_byte() {
    let server = OpenBao::start();
    let home = home(&server);
    for name in ["a b/c d", "a%2Fb/%", "é/e\u{301}", "a+b?c#d/*:x", "x/<&>"] {
        home.keyfob(["set", name]).stdin("<v&>").run().ok();
        home.run(["get", name]).ok().stdout_is("<v&>");
    }
    // Other types are shown as their JSON.
    server.put_json("typed", "N", json!(12));
    server.put_json("typed", "O", json!({"a": ["<"]}));
    home.run(["get", "typed/N"]).ok().stdout_is("12");
    home.run(["get", "typed/O"])
        .ok()
        .stdout_is(r#"{"a":["<"]}"#);
    home.keyfob(["set", "typed/S"]).stdin("x").run().ok();
    assert_eq!(server.map("typed")["N"], 12);
}

#[test]
fn what_is_said_of_a_secret_stands_beside_it() {
    let server = OpenBao::start();
    let home = home(&server);
    home.keyfob(["set", "app/A", "--description", "the first"])
        .stdin("1")
        .run()
        .ok();
    assert_eq!(server.custom("app")["description:A"], "the first");
    home.run(["show", "app/A"]).ok().stdout_has("the first");
    home.keyfob(["set", "app/A", "--description", "two\nlines"])
        .stdin("1")
        .run()
        .code(13);
    home.run(["delete", "-y", "app/A"]).ok();
    assert!(!server.custom("app").contains_key("description:A"));
}

#[test]
fn a_mount_is_found_once_and_its_version_with_it() {
    let server = OpenBao::start();
    server.mount("team/kv", 2);
    server.mount("old", 1);
    let deep = home(&server).with("KEYFOB_OPENBAO_MOUNT", "team/kv");
    deep.keyfob(["set", "a/K"]).stdin("deep").run().ok();
    deep.run(["get", "a/K"]).ok().stdout_is("deep");
    let path = home(&server).with("KEYFOB_OPENBAO_MOUNT", "team/kv/a");
    path.run(["get", "K"]).code(13);
    path.run(["get", "b/K"])
        .code(11)
        .stderr_has("set mount to team/kv and path to a");
    let missing = home(&server).with("KEYFOB_OPENBAO_MOUNT", "nope");
    missing
        .run(["get", "a/K"])
        .code(5)
        .stderr_has("the mount or the namespace");
    // Configured, it is not looked for.
    server.forget_requests();
    let told = home(&server).with("KEYFOB_OPENBAO_KV_VERSION", "2");
    told.run(["get", "a/K"]).code(3);
    assert_eq!(server.asked(), ["GET /v1/secret/data/a"]);
    let wrong = home(&server).with("KEYFOB_OPENBAO_KV_VERSION", "1");
    wrong
        .run(["get", "a/K"])
        .code(11)
        .stderr_has("leave kv_version out");
    server.mount("old", 1);
    home(&server)
        .with("KEYFOB_OPENBAO_KV_VERSION", "2")
        .with("KEYFOB_OPENBAO_MOUNT", "old")
        .keyfob(["--timeout", "2s", "set", "a/K"])
        .stdin("x")
        .run()
        .stderr_has("it is not known whether")
        .stderr_has("leave kv_version out");
}

#[test]
fn a_mount_of_version_1_keeps_the_other_keys() {
    let server = OpenBao::start();
    server.mount("old", 1);
    let home = home(&server).with("KEYFOB_OPENBAO_MOUNT", "old");
    home.keyfob(["set", "a/b/K"])
        .stdin("1")
        .run()
        .ok()
        .stderr_lacks("version 1");
    home.keyfob(["set", "a/b/L"])
        .stdin("2")
        .run()
        .ok()
        .stderr_has("may be lost");
    assert_eq!(server.bare("old", "a/b"), Some(json!({"K": "1", "L": "2"})));
    home.run(["list"])
        .ok()
        .stdout_has("a/b/K")
        .stdout_has("a/b/L");
    home.keyfob(["set", "--if-absent", "a/b/M"])
        .stdin("x")
        .run()
        .code(7);
    home.keyfob(["set", "a/b/M", "--description", "x"])
        .stdin("x")
        .run()
        .code(7);
    home.run(["delete", "-y", "a/b/K"]).ok();
    assert_eq!(server.bare("old", "a/b"), Some(json!({"L": "2"})));
    home.run(["delete", "-y", "a/b/L"]).ok();
    assert_eq!(server.bare("old", "a/b"), None);
    home.run(["list"]).ok().stdout_is("");
}

#[test]
fn namespaces_are_named_in_a_header() {
    let server = OpenBao::start();
    server.namespace("team/a");
    server.mount("team/a|secret", 2);
    let inside = home(&server).with("BAO_NAMESPACE", "/team/a/");
    inside.keyfob(["set", "app/K"]).stdin("inside").run().ok();
    inside.run(["get", "app/K"]).ok().stdout_is("inside");
    home(&server).run(["get", "app/K"]).code(3);
    let unknown = home(&server).with("VAULT_NAMESPACE", "nope");
    unknown
        .run(["get", "app/K"])
        .code(5)
        .stderr_has("namespace not found");
}

#[test]
fn the_two_refusals_are_told_apart() {
    let server = OpenBao::start();
    server.put("app", "K", "v");
    let bad = home(&server).with("BAO_TOKEN", "s.not-a-token-at-all-00");
    bad.run(["get", "app/K"])
        .code(4)
        .stderr_has("environment BAO_TOKEN");
    let reads = Policy::none().allowing("secret/data/app", &["read"]);
    let home = home_with(&server, reads);
    home.run(["get", "app/K"]).ok().stdout_is("v");
    home.run(["get", "other/K"]).code(5);
    home.run(["list"]).code(5).stderr_has("name the secrets");
    home.keyfob(["set", "app/K"]).stdin("w").run().code(5);
    assert_eq!(server.map("app")["K"], "v");
    // A token without any right here may well be good.
    let none = home_with(&server, Policy::none());
    none.run(["get", "app/K"]).code(5);
}

#[test]
fn a_token_that_may_only_create_creates() {
    let server = OpenBao::start();
    let creates = Policy::none().allowing("secret/data/*", &["create"]);
    let home = home_with(&server, creates);
    home.keyfob(["set", "drop/K"])
        .stdin("v")
        .run()
        .ok()
        .stderr_has("could not be looked at");
    assert_eq!(server.map("drop")["K"], "v");
    home.keyfob(["set", "drop/K"]).stdin("w").run().code(5);
    assert_eq!(server.map("drop")["K"], "v");
}

#[test]
fn a_token_that_may_not_patch_writes_the_whole_on_the_same_version() {
    let server = OpenBao::start();
    server.put("app", "A", "theirs");
    let policy = Policy::none().allowing("secret/data/*", &["create", "read", "update"]);
    let home = home_with(&server, policy);
    home.keyfob(["set", "app/B"]).stdin("ours").run().ok();
    assert_eq!(
        server.map("app"),
        *json!({"A": "theirs", "B": "ours"}).as_object().unwrap()
    );
}

#[test]
fn what_the_server_says_beside_is_told() {
    let server = OpenBao::start();
    server.put("app", "K", "v");
    server.set_warning("Endpoint ignored these unrecognized parameters: [x]");
    home(&server)
        .run(["get", "app/K"])
        .ok()
        .stdout_is("v")
        .stderr_has("the server says: Endpoint ignored these");
    // What repeats a value is not.
    server.put("app", "K", "correct horse");
    server.set_warning("correct horse is no good value");
    home(&server)
        .with("KEYFOB_OPENBAO_KV_VERSION", "2")
        .run(["get", "app/K"])
        .ok()
        .stderr_lacks("correct horse");
}

#[test]
fn a_pattern_asks_for_what_can_be_like_it() {
    let server = OpenBao::start();
    server.put("fresh/a", "K", "1");
    server.put("fresh/b/c", "K", "2");
    server.put("stale/a", "K", "3");
    let home = home(&server);
    home.run(["list", "fresh/*"])
        .ok()
        .stdout_has("fresh/a/K")
        .stdout_has("fresh/b/c/K")
        .stdout_lacks("stale");
    let asked = server.asked();
    assert!(!asked.iter().any(|it| it.contains("stale")), "{asked:?}");
    for (pattern, prefix, found) in [
        ("fresh/?/K", "fresh/a", "fresh/a/K"),
        ("f*", "fresh/b", "fresh/b/c/K"),
        ("fresh/a/K", "", "fresh/a/K"),
        ("*/K", "stale", "stale/a/K"),
    ] {
        let listed = home
            .run(["--json", "list", pattern, "--prefix", prefix])
            .ok()
            .json();
        let names: Vec<&str> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, [found], "{pattern} {prefix}");
    }
    home.run(["list", "fresh/*", "--prefix", "stale"])
        .ok()
        .stdout_is("");
}

#[test]
fn thousands_of_keys_go_in_few_requests() {
    let server = OpenBao::start();
    let home = home(&server).with("KEYFOB_OPENBAO_PATH", "big");
    let many: serde_json::Map<_, _> = (0..1_300)
        .map(|n| (format!("K{n}"), json!(format!("v{n}"))))
        .collect();
    let import = ["import", "-q", "-y", "--format=json", "-"];
    home.keyfob(import)
        .stdin(json!(many).to_string())
        .run()
        .ok();
    assert_eq!(server.map("big"), many);
    let changes = server
        .requests()
        .into_iter()
        .filter(|request| request.method != "GET");
    assert_eq!(changes.count(), 4);
    server.forget_requests();
    let exported = home
        .run(["export", "--all", "--format", "json"])
        .ok()
        .json();
    assert_eq!(exported.as_object(), Some(&many));
    assert!(server.requests().len() <= 4, "{:?}", server.asked());
    home.keyfob(["set", "LARGE"])
        .stdin("x".repeat(1_048_400))
        .run()
        .code(13);
}

#[test]
fn trees_are_walked_on_few_connections() {
    let server = OpenBao::start();
    for folder in 0..40 {
        server.put(&format!("t/{folder}/x"), "K", "v");
        server.put(&format!("t/{folder}"), "K", "v");
    }
    let home = home(&server);
    let listed = home.run(["--json", "list"]).ok().json();
    assert_eq!(listed.as_array().unwrap().len(), 80);
    assert!(server.peak_connections() <= 16);
    server.forget_requests();
    home.run(["list", "--prefix", "t/3/"])
        .ok()
        .stdout_has("t/3/x/K")
        .stdout_lacks("t/30");
    assert!(server.requests().len() <= 8, "{:?}", server.asked());
}

#[test]
fn keys_are_listed_without_their_values_where_that_may_be() {
    let server = OpenBao::start();
    server.put("app", "K", "v");
    home(&server).run(["list"]).ok().stdout_has("app/K");
    assert_eq!(server.count("GET", "/v1/secret/data/app"), 0);
    let policy = Policy::none()
        .allowing("secret/data/*", &["read"])
        .allowing("secret/metadata/*", &["list"]);
    home_with(&server, policy)
        .run(["list"])
        .ok()
        .stdout_has("app/K");
    assert_eq!(server.count("GET", "/v1/secret/data/app"), 1);
}

#[test]
fn own_writes_are_read_on_any_node() {
    let server = OpenBao::start();
    server.put("app", "K", "old");
    server.set_node(Node::Standby);
    let home = home(&server);
    home.keyfob(["set", "app/K"]).stdin("new").run().ok();
    let read = server.requests().pop().unwrap();
    assert_eq!(
        read.header("x-vault-inconsistent"),
        Some("forward-active-node")
    );
    assert!(read.header("x-vault-index").unwrap().starts_with("index-"));
    // Another process without what the first has learnt reads what the node has.
    home.run(["get", "app/K"]).ok().stdout_is("old");
}

#[test]
fn credentials_of_the_server_are_withheld_from_commands() {
    let server = OpenBao::start();
    server.put("app", "K", "v");
    let home = home(&server)
        .with("VAULT_TOKEN", "s.another")
        .with("VAULT_ID_TOKEN", "eyJ")
        .with("KEYFOB_OPENBAO_SECRET_ID", "id")
        .with("BAO_ADDR", server.url());
    let run = home.run(["run", "-e", "K=app/K", "--", "env"]);
    run.ok().stdout_has("K=v").stdout_has("BAO_ADDR=");
    for name in [
        "BAO_TOKEN",
        "VAULT_TOKEN",
        "VAULT_ID_TOKEN",
        "KEYFOB_OPENBAO_SECRET_ID",
    ] {
        run.stdout_lacks(name);
    }
}

#[test]
fn the_server_may_take_its_time_with_a_quota() {
    let server = OpenBao::start();
    server.put("app", "K", "v");
    server.set_quota(1, 1);
    home(&server)
        .run(["--timeout", "20s", "get", "app/K"])
        .ok()
        .stdout_is("v");
    server.set_quota(0, 60);
    home(&server)
        .run(["--timeout", "1s", "get", "app/K"])
        .code(9);
}

#[test]
fn a_redirect_is_not_followed_and_no_token_goes_elsewhere() {
    let server = OpenBao::start();
    server.put("app", "K", "v");
    let other = OpenBao::start();
    let there = format!("{}/v1/secret/data/app", other.url());
    server
        .faults()
        .on("GET", "/v1/secret/data/app", Fault::redirect(307, there));
    home(&server)
        .run(["--timeout", "1s", "get", "app/K"])
        .code(8);
    assert_eq!(other.asked(), Vec::<String>::new());
    assert!(
        server
            .requests()
            .iter()
            .all(|it| it.header("x-vault-token") == Some(openbao::TOKEN))
    );
}

#[test]
fn an_address_for_other_tools_is_no_trouble_of_other_stores() {
    let home = Home::new()
        .with("VAULT_ADDR", "http://10.0.0.1:8200")
        .with("VAULT_TOKEN", "s.token-for-nobody-0123");
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    home.run(["get", "A"]).ok().stdout_is("1");
    home.run(["status"])
        .ok()
        .stdout_has("VAULT_ADDR must begin with https://");
    home.run(["get", "-s", "openbao", "a/K"])
        .code(11)
        .stderr_has("VAULT_ADDR must begin with https://");
    home.keyfob(["get", "A"])
        .env("KEYFOB_OPENBAO_BASE_URL", "http://10.0.0.1")
        .run()
        .code(11);
}

#[test]
fn commands_cost_so_many_requests() {
    let server = OpenBao::start();
    for path in ["app", "app/sub", "other"] {
        server.put(path, "K", "v");
    }
    let home = home(&server);
    let many: serde_json::Map<_, _> = (0..100)
        .map(|n| (format!("many/K{n}"), json!(format!("v{n}"))))
        .collect();
    let many = json!(many).to_string();
    let steps: [(&[&str], &str, usize); 9] = [
        (&["get", "app/K"], "", 2),
        (&["set", "app/K"], "w", 4),
        (&["set", "app/K"], "w", 2),
        (&["set", "new/K"], "v", 4),
        (&["import", "-y", "--format=json", "-"], &many, 5),
        (&["list", "--prefix", "app/"], "", 5),
        (&["run", "-e", "A=app/K", "--", "true"], "", 2),
        (
            &["run", "-e", "A=app/K", "-e", "B=other/K", "--", "true"],
            "",
            3,
        ),
        (&["delete", "-y", "new/K"], "", 5),
    ];
    for (args, stdin, requests) in steps {
        server.forget_requests();
        let mut command = home.keyfob(args.iter().copied());
        if !stdin.is_empty() {
            command = command.stdin(stdin);
        }
        command.run().ok();
        let asked = server.asked();
        println!("{}: {}", args.join(" "), asked.join(", "));
        assert_eq!(asked.len(), requests, "{}: {asked:?}", args.join(" "));
    }
}
