//! What keyfob 0.1 left on a disk: its vaults, configuration, trust, snapshots and records are read, and
//! its journal is shown, finished and undone.

use age::x25519::Identity;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::neo::{assert_nothing_open, set_up};
use crate::support::home::Home;

/// A file that 0.1.0 itself has written.
macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("from_0_1/", $name))
    };
}

const KEY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
const BEGUN: &str = "2026-11-25T18:20:58.021491505Z";

/// The same as it is told.
const BEGUN_TOLD: &str = "2026-11-25T18:20:58Z";

/// Gives `home` the identity [`KEY`], as if 0.1 had made it.
fn keeps_key(home: &Home) {
    let data = home.data();
    std::fs::create_dir_all(&data).expect("a folder");
    home.write_private(data.join("identity.txt"), format!("{KEY}\n"));
}

/// The hexadecimal digest of parts as 0.1 made it.
fn digest(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let digest = hasher.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts `entry` into the journal as 0.1 did: sealed to [`KEY`], under the name of its kind and, as
/// digests, of its store and `subject`.
fn plant(home: &Home, kind: &str, store: &str, subject: &[&str], entry: &str) {
    let of_store = digest(&[kind, store]);
    let of_subject = digest(&[&[kind, store], subject].concat());
    let tag = format!("{kind}-{}-{}", &of_store[..16], &of_subject[..32]);
    let text = format!(r#"{{"keyfob":1,"tag":"{tag}","entry":{entry}}}"#);
    let recipient = KEY.parse::<Identity>().expect("an identity").to_public();
    let sealed = age::encrypt(&recipient, text.as_bytes()).expect("a sealed file");
    let folder = home.data().join("journal");
    std::fs::create_dir_all(&folder).expect("a folder");
    home.write_private(folder.join(format!("{tag}.age")), sealed);
}

fn open(home: &Home) -> Value {
    home.run(["--json", "rotate", "--list"]).ok().json()
}

/// A replacement of `A` that 0.1 began at `url`, and how far it was.
fn plant_replacement(home: &Home, url: &str, old: &str, stage: &str) {
    let entry = format!(
        r#"{{"store":"neo","provider":"neo","url":"{url}","name":"A","begun_at":"{BEGUN}","value":"hunter2 \"\\é","description":"what for","old":{old},"stage":"{stage}"}}"#
    );
    plant(home, "replacement", "neo", &["neo", url, "A"], &entry);
}

#[test]
fn a_replacement_is_shown_and_finished_at_every_stage() {
    for stage in ["begun", "deleted", "creating"] {
        let (server, home) = set_up();
        keeps_key(&home);
        let id = server.put("A", "old");
        let listed = home.run(["--json", "show", "A"]).ok().json();
        let created = listed["created_at"].as_str().unwrap().to_owned();
        if stage != "begun" {
            home.run(["delete", "-y", "A"]).ok();
        }
        let old = json!({"id": id, "created_at": created}).to_string();
        plant_replacement(&home, &server.url(), &old, stage);
        home.run(["list"]).ok().stderr_has("the replacement of A");
        let open = open(&home);
        assert_eq!(
            open,
            json!([{
                "kind": "replacement",
                "store": "neo",
                "provider": "neo",
                "url": server.url(),
                "name": "A",
                "begun_at": BEGUN_TOLD,
            }])
        );
        let run = home.run(["--json", "rotate", "--resume"]);
        assert_eq!(run.ok().json()[0]["outcome"], "replaced", "{stage}");
        let secret = server.secret("A").unwrap();
        assert_eq!(secret.value, "hunter2 \"\\é");
        assert_eq!(secret.description.as_deref(), Some("what for"));
        assert_eq!(server.secrets().len(), 1);
        assert_nothing_open(&home);
    }
}

#[test]
fn a_replacement_is_superseded_and_dropped() {
    let (server, home) = set_up();
    keeps_key(&home);
    plant_replacement(&home, &server.url(), "null", "deleted");
    home.keyfob(["set", "A"]).stdin("newer").run().ok();
    let secret = server.secret("A").unwrap();
    assert_eq!(secret.value, "newer");
    assert_eq!(secret.description.as_deref(), Some("what for"));
    assert_nothing_open(&home);

    home.run(["delete", "-y", "A"]).ok();
    plant_replacement(&home, &server.url(), "null", "deleted");
    home.run(["delete", "-y", "A"]).ok();
    assert!(server.secrets().is_empty());
    assert_nothing_open(&home);
}

/// A home with `K` and `L` in the local vault, of which 0.1 has given one a new value.
fn half_rotated() -> Home {
    let home = Home::new();
    keeps_key(&home);
    for (name, value) in [("K", "new"), ("L", "old")] {
        home.keyfob(["set", name]).stdin(value).run().ok();
    }
    let vault = home.data().join("vault.age");
    let status = home.run(["--json", "status", "-s", "local"]).ok().json();
    let account = status[0]["account"].as_str().expect("an account");
    let (provider, url) = (["provider", "local"], ["url", vault.to_str().unwrap()]);
    let scope = digest(&[provider, url, ["account", account]].concat());
    let target = |name: &str, old: &str, state: &str| {
        format!(
            r#"{{"reference":"keyfob://local/{name}","scope":"{scope}","readable":true,"new":"bmV3","attributes":{{}},"old":{old},"state":"{state}"}}"#
        )
    };
    let old = r#"{"value":"b2xk"}"#;
    let targets = [
        target("K", old, "written"),
        target("L", old, "unclear"),
        target("M", r#""absent""#, "unclear"),
    ];
    let entry = format!(
        r#"{{"secret":"keyfob://local/K","begun_at":"{BEGUN}","targets":[{}],"verify":"test \"$(cat)\" = new","on_rollback":"cat > told","told_rollback":false,"direction":"forward"}}"#,
        targets.join(",")
    );
    plant(&home, "rotation", "local", &["K", &scope], &entry);
    let open = open(&home);
    assert_eq!(open[0]["begun_at"], BEGUN_TOLD);
    let holds: Vec<&Value> = open[0]["targets"]
        .as_array()
        .expect("targets")
        .iter()
        .map(|target| &target["holds"])
        .collect();
    assert_eq!(holds, ["new", "unclear", "unclear"]);
    home
}

#[track_caller]
fn assert_held(home: &Home, expected: Value) {
    let held = home.run(["export", "--all", "--format=json"]).ok().json();
    assert_eq!(held, expected);
    assert_eq!(open(home), json!([]));
}

#[test]
fn a_rotation_is_finished() {
    let home = half_rotated();
    home.run(["rotate", "K"]).code(6).stderr_has("--resume");
    let run = home.run(["--json", "rotate", "--resume"]);
    assert_eq!(run.ok().json()[0]["outcome"], "rotated");
    assert_held(&home, json!({"K": "new", "L": "new", "M": "new"}));
}

#[test]
fn a_rotation_is_undone() {
    let home = half_rotated();
    let run = home.run(["--json", "rotate", "--undo"]);
    assert_eq!(run.ok().json()[0]["outcome"], "rolled_back");
    assert_eq!(home.read("told"), b"old");
    assert_held(&home, json!({"K": "old", "L": "old"}));
}

#[test]
fn without_a_stamp_an_identity_of_the_environment_takes_none() {
    // Whoever has the public key and may write in the folder can make such a file.
    let (server, home) = set_up();
    plant_replacement(&home, &server.url(), "null", "deleted");
    let given = |args: &[&str]| home.keyfob(args).env("KEYFOB_FALLBACK_KEY", KEY).run();
    for args in [
        &["rotate", "--resume"][..],
        &["rotate", "--undo"],
        &["rotate", "--list"],
    ] {
        given(args).code(13).stderr_has("bears no stamp");
    }
    assert!(server.secrets().is_empty());
}

/// A home as 0.1.0 left it: three vaults, a configuration of the user's, and a project's that was trusted.
fn left() -> Home {
    let home = Home::new();
    for folder in [home.data(), home.config()] {
        std::fs::create_dir_all(folder).expect("a folder");
    }
    home.write_private(home.data().join("identity.txt"), file!("identity.txt"));
    home.write_private(home.data().join("vault.age"), file!("vault.age"));
    home.write_private(home.home().join("mine.age"), file!("mine.age"));
    home.write_private("team.age", file!("team.age"));
    home.write(home.config().join("config.toml"), file!("config.toml"));
    let project = home.write("keyfob.toml", file!("keyfob.toml"));
    let project = std::fs::canonicalize(project).expect("a file");
    let record = String::from_utf8_lossy(file!("trusted.json"));
    let record = record.replace("@FILE@", project.to_str().expect("text"));
    home.write_private(home.config().join("trusted.json"), record);
    home
}

#[test]
fn vaults_configuration_and_trust_are_read() {
    let home = left();
    home.run(["get", "A"]).ok().quiet().stdout_is("two");
    home.run(["get", "MULTI"]).ok().stdout_is("line 1\nline 2");
    home.run(["get", "-s", "mine", "M"]).ok().stdout_is("m");
    let shown = home.run(["--json", "show", "A"]).ok().json();
    assert_eq!(shown["description"], "what it is for");
    assert_eq!(shown["created_at"], "2026-11-26T04:31:22Z");
    // The project's file counts, as it was trusted, and it leads to a vault beside it.
    let run = home.run(["run", "--", "sh", "-c", "echo $TOKEN $A"]);
    run.ok().stdout_is("t0 two\n");
    let history = home.run(["--json", "history", "A"]).ok().json();
    assert_eq!(history.as_array().expect("a list").len(), 2);
    let info = home.run(["--json", "vault", "info"]).ok().json();
    assert_eq!(info["format"], 1);
    home.run(["doctor"]).lacks("damaged").lacks("untrusted");
}

#[test]
fn what_is_written_on_top_loses_nothing_of_it() {
    let home = left();
    home.keyfob(["set", "NEW"]).stdin("n").run().ok();
    home.run(["restore", "A"]).ok();
    home.run(["get", "A"]).ok().stdout_is("one");
    home.run(["get", "MULTI"]).ok().stdout_is("line 1\nline 2");
    home.run(["get", "NEW"]).ok().stdout_is("n");
    let shown = home.run(["--json", "show", "A"]).ok().json();
    assert_eq!(shown["description"], "what it is for");
    assert_eq!(shown["created_at"], "2026-11-26T04:31:22Z");
    let info = home.run(["--json", "vault", "info"]).ok().json();
    assert_eq!(info["format"], 2);
    // What was trusted was that content, and no other.
    home.write("keyfob.toml", "[env]\nA = \"keyfob://local/MULTI\"\n");
    home.run(["run", "--", "true"])
        .code(125)
        .stderr_has("keyfob trust");
}

#[test]
fn a_snapshot_is_used() {
    let mut home = Home::new();
    // Where 0.1 took it. Nobody but root can listen there, and nobody does.
    home.set("KEYFOB_STORE", "northflank")
        .set("KEYFOB_NORTHFLANK_BASE_URL", "http://127.0.0.1:9")
        .set("KEYFOB_NORTHFLANK_PROJECT", "p")
        .set("KEYFOB_NORTHFLANK_GROUP", "web")
        .set("NORTHFLANK_API_TOKEN", "t")
        .set("KEYFOB_FALLBACK_KEY", KEY);
    let folder = home.data().join("fallback");
    std::fs::create_dir_all(&folder).expect("a folder");
    let named = "562766b0fcf28160dbf850f1ef841cb5197da6a584311ea40ff8a589d3bbffb8";
    home.write_private(folder.join(format!("{named}.age")), file!("fallback.age"));
    home.write_private(folder.join(format!("{named}.json")), file!("fallback.json"));
    let print = |max_stale| {
        home.keyfob(["run", "--fallback", "--max-stale", max_stale, "--timeout"])
            .args(["500ms", "--", "sh", "-c", "echo \"$A\""])
            .run()
    };
    print("3650d")
        .ok()
        .stdout_is("kept by 0.1\n")
        .stderr_has("2026-11-26T08:09:02Z");
    print("1s").code(125);
    home.run(["logout", "northflank"])
        .ok()
        .stderr_has("the fallback snapshot ");
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 0);
}

#[test]
fn a_record_of_what_was_written_is_known() {
    let (server, home) = set_up();
    server.put("A", "v");
    let url = server.url();
    let secret = server.secret("A").expect("a secret");
    let shown = home.run(["--json", "show", "A"]).ok().json();
    let created_at = shown["created_at"].as_str().expect("a time");
    let scope = digest(&["provider", "neo", "url", &url, "account", ""]);
    let mark = digest(&[&secret.id, created_at, created_at]);
    let key = [7; 32];
    let tag = |parts: &[&str]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        let digits = mac.finalize().into_bytes();
        let digits: String = digits.iter().map(|byte| format!("{byte:02x}")).collect();
        digits[..32].to_owned()
    };
    let digests = json!({
        "mark": tag(&["mark", &scope, "A", &mark]),
        "value": tag(&["value", &scope, "A", "v"]),
    });
    let record = json!({
        "keyfob": 1,
        "key": tag(&["key"]),
        "begun": "dff86c2903f411ca15b6f526c7f118de",
        "secrets": {tag(&["name", &scope, "A", ""]): digests},
    });
    let folder = home.data().join("written");
    std::fs::create_dir_all(&folder).expect("a folder");
    home.write_private(folder.join("key"), key);
    home.write_private(folder.join(format!("{scope}.json")), record.to_string());
    for (value, plan) in [("v", "1 unchanged"), ("w", "1 to update")] {
        home.write("new.env", format!("A={value}\n"));
        home.run(["import", "--dry-run", "new.env"])
            .ok()
            .stderr_has(plan);
    }
}
