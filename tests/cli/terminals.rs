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
    home.run(["store", "add", "dev", "local", "path=dev.age"])
        .ok();
    home.keyfob(["set", "-s", "dev", "B"]).stdin("v").run().ok();
    for (args, told) in [
        (&["identity", "show"][..], "identity: file ~/.local/share/"),
        (&["where", "keyfob://dev/B"], "configured: ~/.config/keyfob"),
    ] {
        let said = plain(&home, args, 120);
        assert!(said.contains(told) && !said.contains(&path), "{said}");
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

#[cfg(unix)]
#[test]
fn messages_shorten_the_home_folder_and_hints_leave_it_to_be_typed() {
    let home = Home::new();
    let key = home.home().join("key.json");
    home.run(["key", "new", "-o", key.to_str().unwrap()]).ok();
    crate::support::home::set_mode(&key, 0o644);
    let said = plain(&home, &["key", "address", key.to_str().unwrap()], 200);
    let (error, hint) = said.split_once("hint:").unwrap();
    assert!(error.contains("~/key.json"), "{said}");
    assert!(!error.contains(key.to_str().unwrap()), "{said}");
    assert!(
        hint.contains(&format!("chmod 600 {}", key.display())),
        "{said}"
    );
}

#[test]
fn attributes_of_a_group_are_said_once() {
    let world = World::new();
    for name in ["A", "B", "C"] {
        world.put("northflank", name, "v");
    }
    let list = plain(&world.home, &["list", "-s", "northflank"], 200);
    assert_eq!(list.matches("group=").count(), 1, "{list}");
    assert_eq!(list.matches("as above").count(), 2, "{list}");
    // A program gets all of it.
    let piped = world.home.run(["list", "-s", "northflank"]).ok().text();
    assert_eq!(piped.matches("group=").count(), 3, "{piped}");
}

#[test]
fn more_words_have_a_time() {
    let world = World::new();
    let time = regex::Regex::new(r"(?m)^keyfob: \d\d:\d\d:\d\d\.\d{3}Z ").unwrap();
    for (option, timed) in [("-v", false), ("-vv", true)] {
        let run = world.home.run(["list", "-s", "neo", option]);
        assert!(run.stderr.contains("keyfob: "), "{}", run.stderr);
        assert_eq!(time.is_match(&run.stderr), timed, "{}", run.stderr);
    }
}

#[test]
fn what_is_to_be_deleted_is_looked_for_in_one_list() {
    let world = World::new();
    for name in ["A", "B", "C"] {
        world.put("neo", name, "v");
    }
    let before = world.neo.requests().len();
    let args = ["delete", "-s", "neo", "A", "B", "C"];
    let mut terminal = world.home.keyfob(args).on_a_terminal();
    terminal.exp_string("Delete A, B and C from neo?").unwrap();
    assert_eq!(world.neo.requests().len() - before, 1);
    terminal.send_line("n").unwrap();
    terminal.exp_eof().unwrap();
}

#[test]
fn a_question_goes_to_a_terminal_alone() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("v").run().ok();
    for json in ["", "--json"] {
        for command in ["set B", "delete A", "vault rekey"] {
            let line = format!("exec \"$0\" {json} {command} 2>err");
            let binary = crate::support::home::BINARY;
            let mut terminal = home.program("sh", ["-c", &line, binary]).on_a_terminal();
            terminal.exp_eof().unwrap();
            let said = String::from_utf8(home.read("err")).unwrap();
            assert!(said.contains("stderr is no terminal to ask on"), "{said}");
            let is_json = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
            assert!(json.is_empty() || said.lines().all(is_json), "{said}");
        }
    }
    home.run(["get", "A"]).ok().stdout_is("v");
}
