//! Questions on a real terminal.

use rexpect::session::PtySession;

use crate::support::home::{BINARY, Home};
use crate::support::world::World;

pub fn on_a_terminal(home: &Home, args: &[&str]) -> PtySession {
    home.keyfob(args).on_a_terminal()
}

#[test]
fn a_value_is_asked_for_twice_and_never_shown() {
    let home = Home::new();
    let mut terminal = on_a_terminal(&home, &["set", "A"]);
    terminal.exp_string("Value of A").unwrap();
    terminal.send_line("hunter2").unwrap();
    terminal.exp_string("The same again").unwrap();
    terminal.send_line("other").unwrap();
    terminal.exp_string("not the same").unwrap();
    terminal.exp_string("Value of A").unwrap();
    terminal.send_line("hunter2").unwrap();
    terminal.exp_string("The same again").unwrap();
    terminal.send_line("hunter2").unwrap();
    let rest = terminal.exp_eof().unwrap();
    assert!(rest.contains("A created in local"), "{rest}");
    assert!(!rest.contains("hunter2"), "{rest}");
    home.run(["get", "A"]).ok().stdout_is("hunter2");
}

#[test]
fn delete_asks_first_and_no_is_the_default() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    for (answer, remains) in [("\n", true), ("n", true), ("y", false)] {
        let mut terminal = on_a_terminal(&home, &["delete", "A"]);
        terminal.exp_string("Delete A from local?").unwrap();
        terminal.send(answer).unwrap();
        if answer != "\n" {
            terminal.send("\n").unwrap();
        }
        terminal.flush().unwrap();
        terminal.exp_eof().unwrap();
        home.run(["get", "A"]).code(if remains { 0 } else { 3 });
    }
}

#[test]
fn an_identity_is_exported_after_a_yes_alone() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    let asked = |args: &[&str], question: &str, answer: &str| {
        let mut terminal = on_a_terminal(&home, args);
        terminal.exp_string(question).unwrap();
        terminal.send(answer).unwrap();
        if answer != "\n" {
            terminal.send("\n").unwrap();
        }
        terminal.flush().unwrap();
        terminal.exp_eof().unwrap()
    };
    // On a terminal it stays in the scrollback, so that even --yes is asked again.
    for args in [&["identity", "export"][..], &["identity", "export", "-y"]] {
        for (answer, is_shown) in [("\n", false), ("n", false), ("y", true)] {
            let said = asked(args, "Show the private key of age1", answer);
            assert_eq!(said.contains("AGE-SECRET-KEY-1"), is_shown, "{said}");
            assert_eq!(said.contains("nothing was written"), !is_shown, "{said}");
        }
    }
    let into = ["identity", "export", "-o", "copy"];
    for (answer, is_written) in [("\n", false), ("n", false), ("y", true)] {
        let said = asked(&into, "Write the private key of age1", answer);
        assert!(!said.contains("AGE-SECRET-KEY-1"), "{said}");
        assert_eq!(home.work().join("copy").exists(), is_written, "{answer}");
    }
    let kept = std::fs::read(home.data().join("identity.txt")).unwrap();
    assert_eq!(home.read("copy"), kept);
    // What was made meanwhile is not written over, whatever is answered.
    let said = asked(&into, "Write the private key of age1", "y");
    assert!(said.contains("exists already"), "{said}");
    assert_eq!(home.read("copy"), kept);
}

#[test]
fn nothing_is_asked_where_that_was_ruled_out() {
    let home = Home::new();
    for (args, variable) in [
        (&["--no-input", "set", "A"][..], "UNRELATED"),
        (&["set", "A"], "CI"),
        (&["set", "A"], "KEYFOB_NO_INPUT"),
    ] {
        let mut terminal = home.keyfob(args).env(variable, "1").on_a_terminal();
        let said = terminal.exp_eof().unwrap();
        assert!(said.contains("input is needed"), "{said}");
    }
}

#[test]
fn a_terminal_gets_a_newline_after_a_value_and_escapes_in_names() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("v").run().ok();
    home.keyfob(["set", "evil\u{1b}[31m"]).stdin("v").run().ok();
    assert_eq!(
        on_a_terminal(&home, &["get", "A"]).exp_eof().unwrap(),
        "v\r\n"
    );
    assert_eq!(
        on_a_terminal(&home, &["get", "-n", "A"]).exp_eof().unwrap(),
        "v"
    );
    let list = on_a_terminal(&home, &["list"]).exp_eof().unwrap();
    assert!(list.contains("evil\\u{1b}[31m"), "{list}");
    assert!(list.contains("NAME"), "{list}");
}

#[test]
fn nothing_typed_is_no_value_and_the_prompt_says_what_it_replaces() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("old").run().ok();
    let mut terminal = on_a_terminal(&home, &["set", "A"]);
    terminal
        .exp_string("New value of A in local (replaces the one of 2")
        .unwrap();
    terminal.send_line("").unwrap();
    terminal.exp_string("Nothing was typed").unwrap();
    terminal.send_line("new").unwrap();
    terminal.exp_string("The same again").unwrap();
    terminal.send_line("new").unwrap();
    terminal.exp_string("A updated in local").unwrap();
    terminal.exp_eof().unwrap();
    home.run(["get", "A"]).ok().stdout_is("new");
    // It is known before anybody types.
    let mut terminal = on_a_terminal(&home, &["set", "A", "--if-absent"]);
    terminal.exp_string("exists already").unwrap();
    terminal.exp_eof().unwrap();
}

#[test]
fn an_answer_is_a_line_and_only_yes_means_yes() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    for (answer, goes) in [("maybe", false), ("no", false), ("yes", true)] {
        let mut shell = home.program("sh", ["-i"]).on_a_terminal();
        shell
            .send_line(&format!("{BINARY} delete A; echo done"))
            .unwrap();
        shell.exp_string("Delete A from local? [y/N]").unwrap();
        shell.send_line(answer).unwrap();
        shell.exp_string("done").unwrap();
        // Nothing of the answer is left for the shell.
        shell.send_line("exit").unwrap();
        let rest = shell.exp_eof().unwrap();
        assert!(!rest.contains("not found"), "{rest}");
        home.run(["get", "A"]).code(if goes { 3 } else { 0 });
    }
}

#[test]
fn delete_looks_before_it_asks_and_names_all() {
    let home = Home::new();
    for name in ["A", "B", "C"] {
        home.keyfob(["set", name]).stdin("1").run().ok();
    }
    let said = on_a_terminal(&home, &["delete", "NONE"]).exp_eof().unwrap();
    assert!(
        said.contains("there is no secret named NONE in the store local"),
        "{said}"
    );
    assert!(!said.contains("[y/N]"), "{said}");
    let mut terminal = on_a_terminal(&home, &["delete", "A", "NONE", "B"]);
    terminal.exp_string("Delete A and B from local?").unwrap();
    terminal.send_line("y").unwrap();
    terminal.exp_eof().unwrap();
    let names = home.run(["list"]).ok().text();
    assert!(
        names.starts_with("C\t") && names.lines().count() == 1,
        "{names}"
    );
    // The same words without a terminal.
    home.run(["delete", "NONE"])
        .code(3)
        .stderr_has("there is no secret named NONE in the store local")
        .stderr_has("keyfob list -s local");
}

#[test]
fn what_cannot_be_undone_wants_a_yes_where_nobody_can_be_asked() {
    let world = World::new();
    world.put("local", "A", "1");
    world.put("nosana", "B", "2");
    let home = &world.home;
    home.write("in.env", "A=1\n");
    for args in [
        &["import", "--prune", "in.env"][..],
        &["sync", "local", "nosana", "--prune"],
        &["group", "delete", "-s", "northflank", "api-env"],
        &["vault", "rekey"],
        &["vault", "purge", "A"],
    ] {
        let run = home.run(args);
        run.code(2).stderr_has("hint: give -y");
    }
    assert_eq!(world.values("nosana").len(), 1);
    home.run(["sync", "local", "nosana", "--prune", "--dry-run"])
        .ok();
    home.run(["sync", "local", "nosana", "--prune", "-y"]).ok();
    assert_eq!(world.values("nosana").len(), 1);
    home.run(["group", "delete", "-y", "-s", "northflank", "api-env"])
        .ok();
    home.run(["vault", "rekey", "-y"]).ok();
}

#[test]
fn a_dry_run_speaks_of_what_would_be() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    home.write("in.env", "A=2\nB=1\n");
    let run = home.run(["import", "--dry-run", "in.env"]);
    run.ok()
        .stderr_has("A would be updated in local")
        .stderr_has("1 to create, 1 to update in local")
        .stderr_lacks("1 created");
    let run = home.run(["--json", "import", "-n", "in.env"]);
    assert_eq!(run.ok().json()["dry_run"], true);
    let mut terminal = on_a_terminal(&home, &["import", "in.env"]);
    terminal
        .exp_string("1 to create, 1 to update in local")
        .unwrap();
    terminal.exp_string("Import into local? [y/N]").unwrap();
    terminal.send_line("y").unwrap();
    terminal.exp_string("1 created, 1 updated").unwrap();
    terminal.exp_eof().unwrap();
}

#[test]
fn login_asks_for_nothing_that_cannot_be_kept() {
    let home = Home::new();
    let said = on_a_terminal(&home, &["login", "neo"]).exp_eof().unwrap();
    assert!(said.contains("the credential cannot be kept"), "{said}");
    assert!(said.contains("KEYFOB_NEO_API_KEY"), "{said}");
    assert!(!said.contains("API key of neo"), "{said}");
}
