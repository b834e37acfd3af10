//! `keyfob key`: Solana keypairs made, shown and kept, and never lost or shown by accident.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::home::Home;
#[cfg(unix)]
use crate::support::home::set_mode;
use crate::support::solana::Keypair;

#[cfg(unix)]
#[track_caller]
fn assert_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", path.display());
}

#[cfg(not(unix))]
fn assert_private(_path: &Path) {}

/// The 64 numbers of a keypair file, checked to belong together.
#[track_caller]
fn halves(path: &Path) -> (Vec<u8>, String) {
    let numbers: Vec<u8> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(numbers.len(), 64);
    let seed: [u8; 32] = numbers[..32].try_into().unwrap();
    let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
    assert_eq!(public.as_bytes(), &numbers[32..]);
    (numbers, bs58::encode(public.as_bytes()).into_string())
}

#[test]
fn a_new_keypair_is_private_and_never_written_over_another() {
    let home = Home::new();
    let made = home.run(["key", "new", "-o", "keys/deploy.json"]);
    let path = home.work().join("keys/deploy.json");
    let (numbers, address) = halves(&path);
    made.ok().stdout_is(format!("{address}\n"));
    made.stderr_has("keep a copy");
    assert_private(&path);
    made.lacks(&bs58::encode(&numbers).into_string());
    home.run(["key", "address", "keys/deploy.json"])
        .ok()
        .stdout_is(format!("{address}\n"))
        .quiet();
    let before = fs::read(&path).unwrap();
    let again = home.run(["--json", "key", "new", "-o", "keys/deploy.json"]);
    assert_eq!(again.code(6).stdout_is("").error()["kind"], "conflict");
    assert_eq!(fs::read(&path).unwrap(), before);
    #[cfg(unix)]
    {
        let link = home.work().join("link.json");
        std::os::unix::fs::symlink(home.work().join("nowhere"), &link).unwrap();
        home.run(["key", "new", "-o", "link.json"]).code(6);
        assert!(!home.work().join("nowhere").exists());
    }
    let json = home
        .run(["--json", "key", "new", "-o", "b.json"])
        .ok()
        .json();
    let (_, address) = halves(&home.work().join("b.json"));
    assert_eq!(json["address"], address);
    assert!(json["path"].as_str().unwrap().ends_with("b.json"));
}

#[test]
fn without_a_name_it_goes_where_the_solana_tools_look() {
    let home = Home::new();
    home.run(["key", "address"])
        .code(4)
        .stderr_has("keyfob key new");
    let address = home.run(["key", "new"]).ok().text();
    let path = home.home().join(".config/solana/id.json");
    assert_private(&path);
    assert_eq!(halves(&path).1, address.trim());
    home.run(["key", "address"]).ok().stdout_is(&address);
    let json = home.run(["--json", "key", "address"]).ok().json();
    assert_eq!(json, json!({"address": address.trim(), "source": path}));
    home.run(["key", "new"]).code(6);
    // The store that was selected decides, where it has a keypair at all.
    let other = Keypair::new(2);
    home.write_private("other.json", other.json());
    home.write(
        home.config().join("config.toml"),
        format!(
            "[stores.gpu]\nprovider = \"nosana\"\nkeypair = {:?}\n",
            home.work().join("other.json")
        ),
    );
    home.run(["key", "address", "-s", "gpu"])
        .ok()
        .stdout_is(format!("{}\n", other.address()));
    home.run(["key", "address", "-s", "local"])
        .ok()
        .stdout_is(&address);
}

#[test]
fn every_form_of_a_keypair_has_the_same_address() {
    let home = Home::new();
    let keypair = Keypair::new(5);
    for text in [
        keypair.json(),
        format!("{}\n", keypair.base58()),
        keypair.seed_json(),
        keypair.seed_base58(),
    ] {
        home.write_private("id.json", &text);
        home.run(["key", "address", "id.json"])
            .ok()
            .stdout_is(format!("{}\n", keypair.address()));
    }
}

#[test]
fn what_is_no_keypair_is_refused_and_not_repeated() {
    let home = Home::new();
    let good = Keypair::new(5);
    let numbers: Vec<u8> = serde_json::from_str(&good.json()).unwrap();
    let mut swapped = numbers.clone();
    swapped[40] ^= 1;
    for text in [
        String::new(),
        "[]".to_owned(),
        good.json().replace(']', ""),
        serde_json::to_string(&numbers[..63]).unwrap(),
        serde_json::to_string(&swapped).unwrap(),
        good.base58()[..60].to_owned(),
        format!("{}0OIl", good.base58()),
        "{\"key\": \"hunter2hunter2\"}".to_owned(),
        "x".repeat(10_000),
    ] {
        home.write_private("id.json", &text);
        let run = home.run(["-vvv", "key", "address", "id.json"]);
        run.code(13).stdout_is("").stderr_has("id.json");
        if !text.is_empty() {
            run.lacks(&text)
                .lacks(&good.base58()[..40])
                .lacks("hunter2");
        }
        // The same through a pipe, where nothing is kept of it either.
        let piped = home
            .keyfob(["-vvv", "key", "import"])
            .stdin(text.clone())
            .run();
        assert!(matches!(piped.code, Some(2 | 13)), "{text:?}: {piped:?}");
        if !text.is_empty() {
            piped.lacks(&text);
        }
    }
    home.run(["key", "address", "absent.json"])
        .code(1)
        .stderr_has("absent.json");
    home.run(["key", "address", "."]).code(1);
}

#[cfg(unix)]
#[test]
fn a_pipe_that_nobody_writes_into_is_not_waited_for() {
    let home = Home::new();
    let made = std::process::Command::new("mkfifo")
        .arg(home.work().join("id.json"))
        .status();
    assert!(made.unwrap().success());
    home.run(["key", "address", "id.json"])
        .code(1)
        .stderr_has("not a regular file");
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_read_is_refused_with_the_remedy() {
    let home = Home::new();
    let keypair = Keypair::new(5);
    let path = home.write("id.json", keypair.json());
    for mode in [0o640, 0o604, 0o660] {
        set_mode(&path, mode);
        for args in [
            &["key", "address", "id.json"],
            &["key", "import", "id.json"],
        ] {
            home.run(args.iter().copied())
                .code(4)
                .stdout_is("")
                .stderr_has("chmod 600 id.json");
        }
    }
    set_mode(&path, 0o400);
    home.run(["key", "address", "id.json"]).ok();
}

#[cfg(unix)]
mod in_a_keyring {
    use super::*;
    use crate::support::bus::PrivateBus;
    use crate::support::servers::Nosana;

    #[test]
    fn an_imported_keypair_signs_in_and_is_replaced_only_when_told_to() {
        if !PrivateBus::available_for("an_imported_keypair_signs_in") {
            return;
        }
        let bus = PrivateBus::unlocked();
        let server = Nosana::start();
        let mut home = Home::new();
        home.attach(&bus);
        home.set("KEYFOB_STORE", "nosana");
        home.set("KEYFOB_NOSANA_BASE_URL", server.url());
        let (first, second) = (Keypair::new(1), Keypair::new(2));
        server.put(&first.address(), "A", "of the first");
        server.put(&second.address(), "A", "of the second");

        home.run(["get", "A"]).code(4);
        let file = home.write_private("first.json", first.json());
        home.run(["--json", "key", "import", "first.json"]).ok();
        fs::remove_file(file).unwrap();
        assert_eq!(bus.items(), 1);
        assert!(
            home.files_holding(first.json().as_bytes()).is_empty(),
            "it is in the keyring alone"
        );
        home.run(["get", "A"]).ok().stdout_is("of the first");
        assert_eq!(
            home.run(["--json", "key", "address"]).ok().json(),
            json!({"address": first.address(), "source": "OS keyring"})
        );
        let status = home.run(["--json", "status", "-s", "nosana"]).ok().json();
        assert_eq!(status[0]["credential"], "keypair from OS keyring");

        // The same once more is no conflict, in whatever form; another one is.
        home.keyfob(["key", "import"])
            .stdin(first.base58())
            .run()
            .ok();
        home.keyfob(["key", "import"])
            .stdin(second.base58())
            .run()
            .code(6)
            .stderr_has(&first.address())
            .stderr_has("--replace")
            .lacks(&second.base58());
        home.run(["get", "A"]).ok().stdout_is("of the first");
        let replaced = home
            .keyfob(["--json", "key", "import", "--replace"])
            .stdin(second.base58())
            .run();
        assert_eq!(replaced.ok().json()["address"], second.address());
        home.run(["get", "A"]).ok().stdout_is("of the second");
        assert_eq!(bus.items(), 1);

        // A file goes before it, and the environment before that.
        home.write_private("../home/.config/solana/id.json", first.json());
        home.run(["get", "A"]).ok().stdout_is("of the first");
        home.keyfob(["get", "A"])
            .env("KEYFOB_NOSANA_KEYPAIR", second.json())
            .run()
            .ok()
            .stdout_is("of the second");
    }

    #[test]
    fn a_locked_keyring_is_said_and_nothing_is_kept() {
        if !PrivateBus::available_for("a_locked_keyring_is_said_and_nothing_is_kept") {
            return;
        }
        let bus = PrivateBus::locked();
        let mut home = Home::new();
        home.attach(&bus);
        home.keyfob(["key", "import"])
            .stdin(Keypair::new(1).json())
            .run()
            .code(1)
            .stderr_has("locked");
        home.set("KEYFOB_STORE", "nosana");
        home.run(["list"]).code(4).stderr_has("locked");
    }
}
