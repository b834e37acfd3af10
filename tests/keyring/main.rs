//! The OS keyring against a real Secret Service, on a private session bus.
//!
//! The address of the bus is read from a process's environment, so what uses the keyring runs in
//! a process of its own: this test binary once more, told by `SCRIPT` what to do.

#![cfg(target_os = "linux")]

use std::process::Command;
use std::time::{Duration, Instant};

use keyfob::auth::keyring::Keyring;
use keyfob::env::Environment;

mod bus;

use bus::Bus;

const SCRIPT: &str = "KEYFOB_TEST_SCRIPT";

/// What the child does: a line of the script each, answered by a line each.
#[test]
#[ignore = "the other tests run it in a process of its own"]
fn child() {
    let env = Environment::from_process();
    let keyring = Keyring::new(&env);
    for line in env.var(SCRIPT).unwrap_or_default().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words.as_slice() {
            ["get", account] => match keyring.get(account) {
                Ok(None) => "none".to_owned(),
                Ok(Some(secret)) => String::from_utf8_lossy(&secret).into_owned(),
                Err(why) => format!("{why:?}"),
            },
            ["set", account, secret] => format!("{:?}", keyring.set(account, secret.as_bytes())),
            ["delete", account] => format!("{:?}", keyring.delete(account)),
            ["probe"] => match keyring.probe().why {
                None => "reachable".to_owned(),
                Some(why) => format!("{why:?}"),
            },
            _ => panic!("what is {line:?}?"),
        };
        println!("=> {answer}");
    }
}

/// Runs `script` in a process on `bus`; its answers.
fn on(bus: &Bus, script: &[&str]) -> Vec<String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env_remove("XDG_RUNTIME_DIR")
        .env("HOME", bus.folder())
        .env("DBUS_SESSION_BUS_ADDRESS", bus.address())
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
    if !bus::available("entries_are_kept_between_processes") {
        return;
    }
    let bus = Bus::with_keyring();
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
    if !bus::available("a_locked_keyring_is_told_at_once_and_not_prompted_for") {
        return;
    }
    let bus = Bus::with_keyring();
    on(&bus, &["set a one"]);
    bus.lock();
    let begun = Instant::now();
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
    assert!(begun.elapsed() < Duration::from_secs(6), "something waited");
}

#[test]
fn a_frozen_keyring_costs_two_seconds_once() {
    if !bus::available("a_frozen_keyring_costs_two_seconds_once") {
        return;
    }
    let bus = Bus::with_keyring();
    bus.freeze();
    let begun = Instant::now();
    assert_eq!(
        on(&bus, &["get a", "set a one", "delete a", "probe"]),
        ["Slow", "Err(Slow)", "Err(Slow)", "Slow"]
    );
    // Two tries would take four seconds.
    assert!(begun.elapsed() < Duration::from_millis(3900));
}

#[test]
fn a_bus_without_a_keyring_has_none() {
    if !bus::available("a_bus_without_a_keyring_has_none") {
        return;
    }
    let bus = Bus::empty();
    assert_eq!(
        on(&bus, &["get a", "set a one", "probe"]),
        ["Absent", "Err(Absent)", "Absent"]
    );
}
