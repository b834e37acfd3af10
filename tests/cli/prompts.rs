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
