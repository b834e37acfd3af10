//! The OS keyring against a real Secret Service, on a private session bus.
//!
//! The address of the bus is read from a process's environment, so what uses the keyring runs in
//! a process of its own: this test binary once more, told by `SCRIPT` what to do.

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::process::Command;
use std::rc::Rc;
use std::time::Instant;

use jiff::SignedDuration;
use keyfob::testing::Environment;
use keyfob::testing::Keypair;
use keyfob::testing::TokenCache;
use keyfob::testing::credential::{Credential, Means, NoReferences};
use keyfob::testing::registry::SCHEMAS;
use keyfob::testing::{Config, Folders, LoadOptions, StoreName};
use keyfob::testing::{Deadline, Http};
use keyfob::testing::{Keyring, Ring};
use keyfob::testing::{Session, SessionKey, Sessions};

use crate::support::bus::PrivateBus as Bus;

const SCRIPT: &str = "KEYFOB_TEST_SCRIPT";

/// What the child does: a line of the script each, answered by a line each.
#[test]
#[ignore = "the other tests run it in a process of its own"]
fn child() {
    let env = Environment::from_process();
    let keyring = Keyring::new(&env, false).unwrap();
    let tasks = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // The bus is this test's own, so no other test has this session.
    let bus = env.var("DBUS_SESSION_BUS_ADDRESS").unwrap_or_default();
    let key = SessionKey::new("test", bus, "", "");
    let cache = TokenCache::from_env(&env, &keyring).unwrap();
    let sessions = Sessions::new(cache, env.home().map(|home| home.join("locks")));
    let mut lap = Instant::now();
    for line in env.var(SCRIPT).unwrap_or_default().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words.as_slice() {
            ["get", account] => match keyring.get(account) {
                Ok(None) => "none".to_owned(),
                Ok(Some(secret)) => String::from_utf8_lossy(&secret).into_owned(),
                Err(why) => format!("{why:?}"),
            },
            ["set", account, secret] => {
                format!("{:?}", keyring.set(account, secret.as_bytes(), None))
            }
            ["delete", account] => format!("{:?}", keyring.delete(account)),
            ["probe"] => match keyring.probe().why {
                None => "reachable".to_owned(),
                Some(why) => format!("{why:?}"),
            },
            ["damage"] => {
                format!("{:?}", keyring.set(key.id(), b"{\"version\":1,\"tok", None))
            }
            ["token", fresh] => {
                let login = async || {
                    let end = sessions.now() + SignedDuration::from_secs(600);
                    Ok(Session::new(fresh.to_string().into(), Some(end)))
                };
                let got = tasks.block_on(sessions.get_or_login(&key, None, login));
                let place = sessions.shared_place().unwrap_or("memory alone");
                format!("{} in {place}", *got.unwrap().token)
            }
            ["logout"] => told(sessions.forget(&key).map_err(|why| why.to_string())),
            ["keep", url, secret] => told(credential(&env, url, None).keep(&keyring, secret)),
            ["forget", url] => told(credential(&env, url, None).forget(&keyring)),
            ["credential", url, set @ ..] => {
                let credential = credential(&env, url, set.first().copied());
                let means = Means {
                    env: &env,
                    withheld: &BTreeSet::new(),
                    keyring: &keyring,
                    http: &Http::new(Rc::new(Deadline::after(None)), Rc::new(|_| ())),
                    notice: &|_| (),
                    references: &NoReferences,
                };
                match tasks.block_on(credential.get(&means)) {
                    Ok(found) => {
                        let source = credential.source(&keyring).unwrap();
                        format!("{found} from {source}")
                    }
                    Err(error) => error.to_string(),
                }
            }
            ["keypair"] => {
                let made = Keypair::generate().unwrap();
                made.keep(&keyring).unwrap();
                let kept = Keypair::from_keyring(&keyring).unwrap().unwrap().unwrap();
                format!("{}", kept.address() == made.address())
            }
            ["lap"] => std::mem::replace(&mut lap, Instant::now())
                .elapsed()
                .as_millis()
                .to_string(),
            ["touched"] => format!("{}", keyring.touched()),
            _ => panic!("what is {line:?}?"),
        };
        println!("=> {answer}");
    }
}

/// The API key of a Neo store at `url`, with `set` in its vendor's variable.
fn credential(env: &Environment, url: &str, set: Option<&str>) -> Credential {
    let vars = set.map(|key| ("NEO_API_KEY", key));
    let home = env.home().unwrap();
    let config = Config::load(&LoadOptions {
        env: &Environment::from_vars(vars, &home),
        folders: &Folders::below(&home),
        files: Default::default(),
        schemas: SCHEMAS,
    });
    let name = StoreName::new("neo").unwrap();
    Credential::new(config.unwrap().store(&name).unwrap(), url, "api_key", &[])
}

fn told<T: Debug>(result: Result<T, impl Display>) -> String {
    result.map_or_else(|error| error.to_string(), |value| format!("{value:?}"))
}

/// Runs `script` in a process on `bus`; its answers.
fn on(bus: &Bus, script: &[&str]) -> Vec<String> {
    with_policy(bus, "", script)
}

/// The same, with tokens cached by `policy`.
fn with_policy(bus: &Bus, policy: &str, script: &[&str]) -> Vec<String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "keyring::library::child",
            "--ignored",
            "--nocapture",
        ])
        .env_remove("XDG_RUNTIME_DIR")
        .env("HOME", bus.home())
        .env("DBUS_SESSION_BUS_ADDRESS", bus.address())
        .env("KEYFOB_KEYRING_TIMEOUT", bus.patience())
        .env("KEYFOB_TOKEN_CACHE", policy)
        .env(SCRIPT, script.join("\n"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let answers: Vec<String> = said
        .lines()
        .filter_map(|line| line.split_once("=> "))
        .map(|(_, answer)| answer.to_owned())
        .collect();
    assert_eq!(answers.len(), script.len(), "{said}");
    answers
}

#[test]
fn entries_are_kept_between_processes() {
    if !Bus::available_for("entries_are_kept_between_processes") {
        return;
    }
    let bus = Bus::unlocked();
    assert_eq!(
        on(
            &bus,
            &[
                "probe",
                "get a",
                "set a one",
                "get a",
                "set a two",
                "set b three"
            ]
        ),
        ["reachable", "none", "Ok(())", "one", "Ok(())", "Ok(())"]
    );
    assert_eq!(
        on(
            &bus,
            &["get a", "get b", "delete a", "get a", "delete a", "get b"]
        ),
        ["two", "three", "Ok(true)", "none", "Ok(false)", "three"]
    );
}

#[test]
fn a_locked_keyring_is_told_at_once_and_not_prompted_for() {
    if !Bus::available_for("a_locked_keyring_is_told_at_once_and_not_prompted_for") {
        return;
    }
    let bus = Bus::unlocked();
    on(&bus, &["set a one"]);
    bus.lock();
    // "Slow" would tell that it was waited for.
    for script in [
        "get a",
        "get missing",
        "set a two",
        "set new x",
        "delete a",
        "probe",
    ] {
        let answer = on(&bus, &[script]).remove(0);
        assert!(
            answer == "Locked" || answer == "Err(Locked)",
            "{script}: {answer}"
        );
    }
}

#[test]
fn a_frozen_keyring_costs_two_seconds_once() {
    if !Bus::available_for("a_frozen_keyring_costs_two_seconds_once") {
        return;
    }
    let bus = Bus::unlocked();
    bus.freeze();
    let script = ["get a", "lap", "set a one", "delete a", "probe", "lap"];
    let answers = on(&bus, &script);
    let [get, waited, set, delete, probe, after] = answers.try_into().unwrap();
    assert_eq!(
        [get, set, delete, probe],
        ["Slow", "Err(Slow)", "Err(Slow)", "Slow"]
    );
    let [waited, after] = [waited, after].map(|lap| lap.parse::<u32>().unwrap());
    assert!(waited >= 2000, "{waited} ms");
    // Any other try would have taken as long.
    assert!(after < 2000, "{after} ms");
}

#[test]
fn a_bus_without_a_keyring_has_none() {
    if !Bus::available_for("a_bus_without_a_keyring_has_none") {
        return;
    }
    let bus = Bus::empty();
    assert_eq!(
        on(&bus, &["get a", "set a one", "probe"]),
        ["Absent", "Err(Absent)", "Absent"]
    );
}

#[test]
fn tokens_are_kept_in_the_keyring_and_damaged_ones_replaced() {
    if !Bus::available_for("tokens_are_kept_in_the_keyring_and_damaged_ones_replaced") {
        return;
    }
    let bus = Bus::unlocked();
    for policy in ["auto", "keyring"] {
        assert_eq!(
            with_policy(&bus, policy, &["token t1"]),
            ["t1 in the OS keyring"]
        );
        assert_eq!(
            with_policy(&bus, policy, &["token t2", "damage"]),
            ["t1 in the OS keyring", "Ok(())"]
        );
        assert_eq!(
            with_policy(&bus, policy, &["token t3"]),
            ["t3 in the OS keyring"]
        );
        assert_eq!(
            with_policy(&bus, policy, &["logout", "logout"]),
            ["true", "false"]
        );
    }
}

#[test]
fn a_keyring_that_fails_costs_a_login_and_not_the_command() {
    if !Bus::available_for("a_keyring_that_fails_costs_a_login_and_not_the_command") {
        return;
    }
    let locked = Bus::unlocked();
    on(&locked, &["token t1"]);
    locked.lock();
    let frozen = Bus::unlocked();
    frozen.freeze();
    for (bus, forgotten) in [
        (locked, "the OS keyring is locked"),
        (frozen, "the OS keyring did not answer in time"),
        (Bus::empty(), "true"),
    ] {
        // The second is the first one's again, in memory.
        assert_eq!(
            with_policy(&bus, "keyring", &["token t2", "token t3"]),
            ["t2 in memory alone", "t2 in memory alone"]
        );
        // Where the kernel keeps no keys, memory has it too.
        let answers = with_policy(&bus, "auto", &["token t4", "token t5", "logout"]);
        assert!(answers[0] == "t4 in the kernel's keyring" || answers[0] == "t4 in memory alone");
        assert_eq!(answers[1..], [answers[0].as_str(), forgotten]);
    }
}

#[test]
fn without_need_the_keyring_is_not_touched() {
    if !Bus::available_for("without_need_the_keyring_is_not_touched") {
        return;
    }
    let bus = Bus::unlocked();
    let script = [
        "token t",
        "logout",
        "credential https://a.example key",
        "touched",
    ];
    for policy in ["keyutils", "none"] {
        assert_eq!(with_policy(&bus, policy, &script)[3], "false");
    }
    assert_eq!(with_policy(&bus, "auto", &script)[3], "true");
}

#[test]
fn a_credential_belongs_to_one_base_url() {
    if !Bus::available_for("a_credential_belongs_to_one_base_url") {
        return;
    }
    let bus = Bus::unlocked();
    assert_eq!(
        on(&bus, &["keep https://a.example one", "keypair"]),
        ["()", "true"]
    );
    assert_eq!(
        on(
            &bus,
            &[
                "credential https://a.example/",
                "credential https://a.example other",
                "credential https://b.example",
                "forget https://b.example",
                "forget https://a.example",
                "credential https://a.example",
                // As 0.1 has kept it, for all stores at the address.
                "set credential:neo:https://a.example shared",
                "credential https://a.example",
                "keep https://a.example own",
                "credential https://a.example",
                "forget https://a.example",
                "credential https://a.example",
            ]
        ),
        [
            "one from OS keyring",
            "other from environment NEO_API_KEY",
            "there is no credential for https://b.example",
            "[]",
            r#"["the credential in the OS keyring"]"#,
            "there is no credential for https://a.example",
            "Ok(())",
            "shared from OS keyring",
            "()",
            "own from OS keyring",
            r#"["the credential in the OS keyring", "the credential in the OS keyring that all stores at https://a.example shared"]"#,
            "there is no credential for https://a.example",
        ]
    );
    bus.lock();
    assert_eq!(
        on(&bus, &["credential https://a.example"]),
        ["there is no credential for https://a.example, and the OS keyring is locked"]
    );
}
