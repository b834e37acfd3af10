//! Self-tests of the harness: what it isolates, and that its services are the real ones.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::bus::PrivateBus;
use crate::support::home::Home;
use crate::support::programs::installed;

/// The test's name, for saying which one is left out.
macro_rules! need_bus {
    ($test:literal) => {
        if !PrivateBus::available_for($test) {
            return;
        }
    };
}

/// `secret-tool`, killed after so many seconds.
fn secret_tool(bus: &PrivateBus, seconds: &str, args: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command
        .arg(seconds)
        .arg("secret-tool")
        .args(args)
        .env("DBUS_SESSION_BUS_ADDRESS", bus.address());
    command
}

#[test]
fn a_home_shares_nothing_with_the_test_process() {
    let home = Home::new();
    for (name, value) in home.variables() {
        let name = name.to_str().unwrap();
        let own = ["PATH", "SystemRoot", "KEYFOB_TOKEN_CACHE"].contains(&name)
            || name == "DBUS_SESSION_BUS_ADDRESS"
            || Path::new(value).starts_with(home.root());
        assert!(own, "{name} leads out of the test's folder: {value:?}");
    }
    assert_eq!(home.files(), Vec::<std::path::PathBuf>::new());
    home.write("a/b.txt", "needle in a file");
    assert_eq!(home.read("a/b.txt"), b"needle in a file");
    assert_eq!(home.files_holding(b"needle"), [home.work().join("a/b.txt")]);
    assert!(home.files_holding(b"hay").is_empty());
}

#[test]
fn a_run_has_exactly_its_own_environment_and_input() {
    let home = Home::new().with("SEEN", "yes");
    let run = home.program(
        "sh",
        ["-c", "cat; pwd; echo $SEEN $CARGO_MANIFEST_DIR; exit 7"],
    );
    let run = run.stdin("in|").run();
    let work = home.work().canonicalize().unwrap();
    run.code(7)
        .stdout_is(format!("in|{}\nyes\n", work.display()))
        .quiet();
}

#[test]
#[should_panic(expected = "did not end within")]
fn a_run_that_hangs_fails_its_test() {
    let home = Home::new();
    let hanging = home.program("sh", ["-c", "sleep 600 & wait"]);
    hanging.timeout(Duration::from_millis(100)).run();
}

#[test]
#[should_panic(expected = "kept its output open")]
fn a_run_that_leaves_a_process_behind_fails_its_test() {
    let home = Home::new();
    let leaving = home.program("sh", ["-c", "sleep 600 &"]);
    leaving.timeout(Duration::from_secs(3)).run();
}

#[test]
fn a_killed_run_tells_its_signal() {
    let home = Home::new();
    let mut running = home.program("sleep", ["600"]).spawn();
    assert!(running.is_running());
    assert_eq!(running.kill().signal, Some(9));
}

#[test]
fn an_unlocked_bus_keeps_secrets() {
    need_bus!("an_unlocked_bus_keeps_secrets");
    let bus = PrivateBus::unlocked();
    assert_eq!(bus.items(), 0);
    if !installed("secret-tool") {
        eprintln!("skipped: the rest of an_unlocked_bus_keeps_secrets needs secret-tool");
        return;
    }
    let stored = secret_tool(&bus, "60", &["store", "--label=t", "key", "k"])
        .stdin(std::process::Stdio::null())
        .status();
    assert!(stored.unwrap().success());
    assert_eq!(bus.items(), 1);
}

#[test]
fn a_locked_bus_answers_and_gives_nothing() {
    need_bus!("a_locked_bus_answers_and_gives_nothing");
    let bus = PrivateBus::locked();
    if !installed("secret-tool") {
        eprintln!("skipped: the rest of a_locked_bus_answers_and_gives_nothing needs secret-tool");
        return;
    }
    let stored = secret_tool(&bus, "60", &["store", "--label=t", "key", "k"])
        .stdin(std::process::Stdio::null())
        .status();
    let code = stored.unwrap().code();
    assert!(code != Some(0) && code != Some(124), "{code:?}");
}

#[test]
fn a_hanging_bus_never_answers() {
    need_bus!("a_hanging_bus_never_answers");
    let bus = PrivateBus::hanging();
    if !installed("secret-tool") {
        eprintln!("skipped: the rest of a_hanging_bus_never_answers needs secret-tool");
        return;
    }
    let looked = secret_tool(&bus, "3", &["lookup", "key", "k"]).status();
    assert_eq!(looked.unwrap().code(), Some(124), "killed by timeout");
    bus.thaw();
    assert_eq!(bus.items(), 0);
}
