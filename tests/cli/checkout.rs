//! What a checkout's keyfob.toml may decide, before and after it was trusted.

use crate::support::home::Home;
use crate::support::servers::Nosana;
use crate::support::solana::Keypair;

/// A checkout whose file sends the store `gpu` to a server and names a keypair.
fn set_up() -> (Nosana, Home, Keypair) {
    let server = Nosana::start();
    let home = Home::new();
    let keypair = Keypair::new(3);
    keypair.write(&home);
    let file = std::fs::read_dir(home.work())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .file_name()
        .into_string()
        .unwrap();
    home.write(
        "keyfob.toml",
        format!(
            "default_store = \"gpu\"\n\n[stores.gpu]\nprovider = \"nosana\"\nbase_url = \"{}\"\nkeypair = \"{file}\"\n",
            server.url()
        ),
    );
    server.put(&keypair.address(), "A", "1");
    (server, home, keypair)
}

#[test]
fn until_it_is_trusted_nothing_is_sent() {
    let (server, home, _) = set_up();
    let run = home.run(["--json", "get", "A"]);
    let error = run.code(12).error();
    assert_eq!(error["kind"], "untrusted");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("base_url") && message.contains("keypair"),
        "{message}"
    );
    assert!(error["hint"].as_str().unwrap().contains("keyfob trust"));
    home.keyfob(["set", "A"]).stdin("x").run().code(12);
    home.run(["delete", "-y", "A"]).code(12);
    home.run(["login"]).code(12);
    home.run(["run", "--", "true"])
        .code(125)
        .stderr_has("base_url");
    home.run(["status"]).ok().stdout_has("untrusted");
    assert!(server.requests().is_empty());
    // The other stores are as they were.
    home.keyfob(["-s", "local", "set", "A"])
        .stdin("x")
        .run()
        .ok();
}

#[test]
fn trust_shows_what_it_allows_and_holds_for_that_content() {
    let (server, home, _) = set_up();
    home.run(["trust", "--show"])
        .ok()
        .stderr_has("stores.gpu.base_url")
        .stderr_has(&server.url())
        .stderr_has("stores.gpu.keypair");
    home.run(["get", "A"]).code(12);
    home.run(["trust"]).ok().stderr_has("is trusted");
    home.run(["get", "A"]).ok().stdout_is("1");
    home.run(["trust", "--list"]).ok().stdout_has("keyfob.toml");
    // Another content is not what was trusted.
    let text = String::from_utf8(home.read("keyfob.toml")).unwrap();
    home.write("keyfob.toml", format!("{text}# changed\n"));
    home.run(["get", "A"]).code(12);
    home.run(["trust"]).ok();
    // keyfob's own change stays trusted.
    home.run([
        "store",
        "add",
        "--project",
        "more",
        "local",
        "path=more.age",
    ])
    .ok();
    home.run(["get", "A"]).ok();
    home.run(["trust", "--revoke"]).ok();
    home.run(["get", "A"]).code(12);
}

#[test]
fn ci_trusts_by_a_variable() {
    let (_server, home, _) = set_up();
    home.keyfob(["get", "A"])
        .env("KEYFOB_TRUST", "1")
        .run()
        .ok()
        .stdout_is("1");
    home.run(["get", "A"]).code(12);
}

#[test]
fn what_the_environment_decides_needs_no_trust() {
    let (server, home, keypair) = set_up();
    home.keyfob(["get", "A"])
        .env("KEYFOB_GPU_BASE_URL", server.url())
        .env("KEYFOB_GPU_KEYPAIR", keypair.json())
        .run()
        .ok()
        .stdout_is("1");
}

#[test]
fn a_file_that_the_user_names_is_the_user_s_word() {
    let (_server, home, _) = set_up();
    home.run(["-C", "keyfob.toml", "get", "A"])
        .ok()
        .stdout_is("1");
    home.keyfob(["get", "A"])
        .env("KEYFOB_CONFIG", "keyfob.toml")
        .run()
        .ok();
    home.run(["-C", "absent.toml", "get", "A"])
        .code(11)
        .stderr_has("absent.toml");
}

#[test]
fn a_checkout_s_vault_is_not_written_for_strangers() {
    let home = Home::new();
    let stranger = Home::new();
    stranger.keyfob(["set", "own"]).stdin("x").run().ok();
    home.keyfob(["set", "own"]).stdin("x").run().ok();
    let key = |home: &Home| {
        home.run(["--json", "vault", "info"]).ok().json()["identity"]["public_key"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    // The stranger makes a vault that the user can open, and leaves it in the checkout.
    stranger
        .run(["vault", "recipients", "add", &key(&home)])
        .ok();
    home.write(
        "secrets.age",
        std::fs::read(stranger.data().join("vault.age")).unwrap(),
    );
    home.write(
        "keyfob.toml",
        "default_store = \"dev\"\n[stores.dev]\nprovider = \"local\"\npath = \"secrets.age\"\n",
    );
    home.run(["get", "own"]).ok().stdout_is("x");
    home.keyfob(["set", "A"])
        .stdin("secret")
        .run()
        .code(12)
        .stderr_has(&key(&stranger));
    home.run(["trust"]).ok();
    home.keyfob(["set", "A"]).stdin("secret").run().ok();
}

#[test]
fn recipients_and_identity_of_a_checkout_need_trust() {
    let home = Home::new();
    for field in [
        "recipients = [\"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\"]",
        "identity = \"theirs.txt\"",
    ] {
        home.write("keyfob.toml", format!("[stores.local]\n{field}\n"));
        home.keyfob(["set", "A"]).stdin("1").run().code(12);
    }
    // Where the vault is does not decide who can read it.
    home.write("keyfob.toml", "[stores.local]\npath = \"here.age\"\n");
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    assert!(home.work().join("here.age").exists());
}

#[test]
fn a_file_that_is_wrong_is_told_with_line_and_column() {
    let home = Home::new();
    for (text, place, hint) in [
        ("default_store = \n", "keyfob.toml:1:", ""),
        (
            "[stores.nosana]\nnetwrok = \"devnet\"\n",
            "keyfob.toml:2:1",
            "network",
        ),
        (
            "[stores.gpu]\nprovider = \"nosanna\"\n",
            "keyfob.toml:2:12",
            "nosana",
        ),
        (
            "[stores.nosana]\nbase_url = \"http://example.com\"\n",
            "keyfob.toml:2:12",
            "https",
        ),
        (
            "[stores.bytenite]\napi_key = \"canary-key\"\n",
            "keyfob.toml:2:",
            "BYTENITE_API_KEY",
        ),
    ] {
        home.write("keyfob.toml", text);
        let run = home.run(["list"]);
        run.code(11)
            .stderr_has(place)
            .stderr_has(hint)
            .lacks("canary-key");
    }
}

#[test]
fn a_misspelt_store_is_not_found_and_a_near_one_suggested() {
    let home = Home::new();
    let run = home.run(["--json", "-s", "nosanna", "list"]);
    assert!(
        run.code(3).error()["hint"]
            .as_str()
            .unwrap()
            .contains("nosana")
    );
}

#[test]
fn stores_are_added_and_removed_and_the_default_is_chosen_in_order() {
    let home = Home::new();
    home.run(["init"]).ok();
    home.run(["init"]).code(6);
    home.run([
        "store",
        "add",
        "dev",
        "local",
        "path=dev.age",
        "--project",
        "--default",
    ])
    .ok();
    home.keyfob(["set", "A"]).stdin("dev").run().ok();
    assert!(home.work().join("dev.age").exists());
    home.run(["store", "add", "mine", "local", "path=mine.age"])
        .ok();
    home.keyfob(["set", "A"])
        .stdin("mine")
        .env("KEYFOB_STORE", "mine")
        .run()
        .ok();
    home.keyfob(["get", "-s", "dev", "A"])
        .env("KEYFOB_STORE", "mine")
        .run()
        .ok()
        .stdout_is("dev");
    home.keyfob(["get", "A"])
        .env("KEYFOB_STORE", "mine")
        .run()
        .ok()
        .stdout_is("mine");
    let listed = home.run(["--json", "store", "list"]).ok().json();
    let names: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"dev") && names.contains(&"mine") && names.contains(&"neo"),
        "{names:?}"
    );
    home.run(["store", "add", "bad", "nowhere"]).code(2);
    home.run(["store", "add", "bad", "bytenite", "api_key=canary"])
        .code(2)
        .lacks("canary");
    home.run(["store", "remove", "mine"]).ok();
    home.run(["store", "remove", "mine"]).code(3);
    home.run(["-s", "mine", "list"]).code(3);
}
