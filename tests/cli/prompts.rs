//! Questions on a real terminal.

use rexpect::session::PtySession;

use crate::support::home::Home;

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
