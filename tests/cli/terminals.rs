//! What a person sees on a terminal: as wide as it is, with times, colours and who is waited for.

use crate::support::home::Home;
use crate::support::servers::faults::Fault;
use crate::support::world::World;

/// What `args` print on a terminal of so many columns.
fn shown(home: &Home, args: &[&str], columns: u16) -> String {
    let stty = format!("stty cols {columns}; exec \"$0\" \"$@\"");
    let binary = crate::support::home::BINARY;
    let all = [&["-c", stty.as_str(), binary], args].concat();
    let mut terminal = home.program("sh", all).on_a_terminal();
    terminal.exp_eof().unwrap().replace('\r', "")
}

/// The same without colours.
fn plain(home: &Home, args: &[&str], columns: u16) -> String {
    shown(home, &[&["--color", "never"], args].concat(), columns)
}

#[test]
fn tables_fit_or_become_blocks_and_no_word_is_broken() {
    let home = Home::new();
    let description = "what it is for, told in rather many words so that it takes room";
    for name in ["DATABASE_URL", "an-unusually-long-name-of-a-secret"] {
        let set = ["set", name, "--description", description];
        home.keyfob(set).stdin("v").run().ok();
    }
    for columns in [40, 60, 80, 200] {
        let list = plain(&home, &["list"], columns);
        for word in description.split(' ').chain(["DATABASE_URL"]) {
            assert!(list.contains(word), "{columns}: {word}: {list}");
        }
        assert!(
            list.contains("just now") || list.contains("minute"),
            "{list}"
        );
        let wide = list.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(wide <= usize::from(columns).max(45), "{columns}: {list}");
    }
    assert!(plain(&home, &["list"], 200).starts_with("NAME "));
    assert!(plain(&home, &["list"], 40).contains("name: DATABASE_URL\n"));
    // A program is told times to the second, and all of it.
    home.run(["list"]).ok().stdout_has("Z\t");
}

#[test]
fn status_and_doctor_leave_out_what_was_never_set_up() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("v").run().ok();
    for columns in [40, 80] {
        let status = plain(&home, &["status"], columns);
        assert!(status.contains("not set up: "), "{status}");
        assert!(status.contains("northflank"), "{status}");
        assert!(!status.contains("api.northflank.com"), "{status}");
        let doctor = plain(&home, &["doctor", "-s", "local"], columns);
        assert!(doctor.contains("store local\n"), "{doctor}");
    }
    let doctor = shown(&home, &["doctor", "-s", "local"], 80);
    assert!(doctor.contains("\u{1b}[32mok\u{1b}[0m"), "{doctor}");
    home.run(["status"]).ok().stdout_has("northflank");
}

#[test]
fn the_home_folder_is_told_as_a_tilde() {
    let mut home = Home::new();
    for variable in ["CONFIG_HOME", "DATA_HOME", "CACHE_HOME", "STATE_HOME"] {
        home.unset(format!("XDG_{variable}"));
    }
    home.keyfob(["set", "A"]).stdin("v").run().ok();
    let path = home.home().to_str().unwrap().to_owned();
    for args in [&["status"][..], &["vault", "info"]] {
        let said = plain(&home, args, 120);
        assert!(said.contains("~/.local/share/keyfob/vault.age"), "{said}");
        assert!(!said.contains(&path), "{said}");
        home.run(args).ok().stdout_has(&path);
    }
}

#[test]
fn who_is_waited_for_is_said_on_a_terminal_only() {
    let world = World::new();
    world.neo.faults().nth(1, Fault::Hang);
    let args = ["list", "-s", "neo", "--timeout", "3s"];
    let mut terminal = world.home.keyfob(args).on_a_terminal();
    terminal.exp_string("waiting for 127.0.0.1").unwrap();
    terminal.exp_eof().unwrap();
    let args = ["list", "-s", "neo", "--timeout", "1s"];
    let run = world.home.run(args);
    run.stderr_lacks("waiting for");
    world.neo.faults().clear();
    world.neo.faults().nth(1, Fault::Hang);
    let mut terminal = world.home.keyfob(args).args(["-q"]).on_a_terminal();
    let said = terminal.exp_eof().unwrap();
    assert!(!said.contains("waiting for"), "{said}");
}

#[test]
fn help_is_in_groups_and_has_examples_when_short() {
    let home = Home::new();
    let help = home.run(["--help"]).ok().text();
    let at = |word: &str| help.find(word).unwrap_or_else(|| panic!("{word}: {help}"));
    assert!(at("  run ") < at("  get ") && at("  get ") < at("  set "));
    assert!(!help.contains("More:"), "{help}");
    for command in [&["run"][..], &["get"], &["move"], &["vault", "restore"]] {
        home.run([command, &["-h"]].concat())
            .ok()
            .stdout_has("Examples:\n");
    }
}
