//! `keyfob run --mask`: what gets through, and that nothing else is different.

use std::io::Read;
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rexpect::process::WaitStatus;
use rexpect::session::PtySession;
use rustix::process::Signal;
use rustix::termios::{Winsize, tcsetwinsize};
use sha2::{Digest, Sha256};

use crate::support::home::{BINARY, Home};
use crate::support::run::{Keyfob, Run};
use crate::support::wait::until;

const SECRET: &str = "p@ss w\"rd/1+2";

fn home() -> Home {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin(SECRET).run().ok();
    home
}

/// A shell script under `run --mask`.
fn masked(home: &Home, script: &str) -> Keyfob {
    home.keyfob(["run", "--mask", "--", "sh", "-c", script])
}

fn run(home: &Home, script: &str) -> Run {
    masked(home, script).run()
}

#[track_caller]
fn exits_with(terminal: &PtySession, code: i32) {
    match terminal.process().wait().unwrap() {
        WaitStatus::Exited(_, ended) => assert_eq!(ended, code),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_value_is_hidden_in_every_form_on_both_outputs() {
    let home = home();
    let digits = STANDARD.encode(format!("user:{SECRET}@host"));
    home.write(
        "forms",
        format!(
            "{SECRET}|p%40ss%20w%22rd%2F1%2B2|p@ss w\\\"rd/1+2|\n{digits}\n{}\n{}\n",
            &digits[..10],
            &digits[10..],
        ),
    );
    for output in ["1", "2"] {
        let run = run(
            &home,
            &format!("cat forms >&{output}; echo \"<$A>\" >&{output}"),
        );
        run.ok();
        let text = if output == "1" {
            run.text()
        } else {
            run.stderr.clone()
        };
        assert!(text.starts_with("***|***|***|\n"), "{text}");
        assert!(text.ends_with("<***>\n"), "{text}");
        for part in ["p@ss", "p%40ss", &digits[8..16]] {
            run.lacks(part);
        }
    }
}

#[test]
fn a_value_written_byte_by_byte_is_hidden() {
    let home = home();
    let script = r#"
        rest=$A
        while [ -n "$rest" ]; do
            next=${rest#?}
            printf %s "${rest%"$next"}"
            printf %s "${rest%"$next"}" >&2
            rest=$next
        done"#;
    let run = run(&home, script);
    run.ok().stdout_is("***");
    assert_eq!(run.stderr, "***");
}

#[test]
fn encoded_split_over_lines_and_written_byte_by_byte_it_is_hidden() {
    let home = home();
    let script = r#"
        slowly() {
            rest=$1
            while [ -n "$rest" ]; do
                next=${rest#?}
                printf %s "${rest%"$next"}"
                rest=$next
            done
            echo
        }
        lines() { while IFS= read -r line; do slowly "$line"; done; }
        printf %s "$A" | base64 | lines
        printf %s "$A" | base64 -w 5 | lines
        printf '%s\n' "$A" | base64 -w 1 | lines
        printf '%s\n' "$A" | fold -w 4 | lines
        printf %s "$A" | od -An -v -tx1 | tr -d ' ' | fold -w 3 | lines"#;
    for output in ["", "exec >&2;"] {
        let run = run(&home, &format!("{output}{script}"));
        run.ok();
        let shown = run.text() + &run.stderr;
        assert_eq!(shown, "***\n".repeat(5), "{output}");
    }
}

#[test]
fn every_line_of_a_value_is_hidden() {
    let home = Home::new();
    home.keyfob(["set", "KEY"])
        .stdin("first line\nsecond line\n")
        .run()
        .ok();
    run(&home, "echo \"$KEY\" | sed 's/^/> /'")
        .ok()
        .stdout_is("> ***\n> ***\n");
}

#[test]
fn values_too_short_to_hide_are_named_once() {
    let home = Home::new();
    for (name, value) in [("PIN", "1234"), ("TWO", "22"), ("LONG", "long enough")] {
        home.keyfob(["set", name]).stdin(value).run().ok();
    }
    let run = run(&home, "echo $PIN $LONG");
    run.ok().stdout_is("1234 ***\n").stderr_has("PIN, TWO");
    run.stderr_lacks("LONG").stderr_lacks("1234");
    assert_eq!(run.stderr.matches("warning").count(), 1);
}

#[test]
fn it_ends_as_the_command_ends() {
    let home = home();
    run(&home, "exit 42").code(42);
    run(&home, "kill -TERM $$").code(143);
    run(&home, "kill -KILL $$").code(137);
    home.run(["run", "--mask", "--", "nonexistent"])
        .code(127)
        .stderr_has("not found");
    home.write("no-program", "text");
    home.run(["run", "--mask", "--", "./no-program"]).code(126);
    home.run(["run", "--mask", "--only", "MISSING", "--", "true"])
        .code(125);
}

#[test]
fn stdin_and_the_environment_reach_the_command() {
    let home = home();
    masked(&home, "cat; echo ${KEYFOB_NOSANA_KEYPAIR-none}")
        .env("KEYFOB_NOSANA_KEYPAIR", "canary")
        .stdin("typed\n")
        .run()
        .ok()
        .stdout_is("typed\nnone\n");
}

#[test]
fn megabytes_of_anything_pass_unchanged() {
    let home = home();
    let mut state = 0x2545_f491_u32;
    let block: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    })
    .take(1 << 20)
    .collect();
    home.write("block", &block);
    let expected = (0..50).fold(Sha256::new(), |sum, _| sum.chain_update(&block));
    let run = run(
        &home,
        "for tens in 0 1 2 3 4; do cat block block block block block block block block block block; done",
    );
    run.ok().quiet();
    assert_eq!(run.stdout.len(), 50 << 20);
    assert_eq!(Sha256::digest(&run.stdout), expected.finalize());
}

#[test]
fn an_output_that_is_closed_early_is_no_trouble() {
    let home = home();
    run(&home, "exec 1>&-; echo \"$A\" >&2; exit 3")
        .code(3)
        .stdout_is("")
        .stderr_has("***");
}

#[test]
fn a_reader_that_goes_away_ends_the_command() {
    let home = home();
    let mut child = masked(&home, "while echo line; do :; done")
        .into_command()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = [0; 5];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut line).unwrap();
    drop(stdout);
    assert_eq!(&line, b"line\n");
    assert_eq!(child.wait().unwrap().code(), Some(141));
}

#[test]
fn what_is_left_behind_does_not_hold_it_up() {
    let home = home();
    let mut running = masked(&home, "sleep 600 & echo $!; exit 4").spawn();
    // Only what the command left behind has the pipe open now, and keyfob does not wait for it.
    until("its end", || !running.is_running());
    let run = running.wait();
    run.code(4);
    let left = run.text().trim().parse().unwrap();
    let left = rustix::process::Pid::from_raw(left).unwrap();
    rustix::process::kill_process(left, Signal::KILL).unwrap();
}

#[test]
fn signals_are_passed_on() {
    let home = home();
    for (name, signal) in [
        ("TERM", Signal::TERM),
        ("INT", Signal::INT),
        ("HUP", Signal::HUP),
        ("USR1", Signal::USR1),
    ] {
        // The file says that the trap is set.
        let script = format!(
            "trap 'echo got {name}; exit 9' {name}; : > ready; while :; do sleep 0.05; done"
        );
        let running = masked(&home, &script).spawn();
        let ready = home.work().join("ready");
        until("the trap", || ready.exists());
        running.signal(signal);
        running.wait().code(9).stdout_is(format!("got {name}\n"));
        std::fs::remove_file(ready).unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_is_ignored_stays_so() {
    let home = home();
    let line = format!(
        "trap '' HUP; {BINARY} run --mask -- sh -c 'kill -HUP $$; kill -HUP $PPID; echo alive'"
    );
    home.program("sh", ["-c", &line])
        .run()
        .ok()
        .stdout_is("alive\n");
}

#[test]
fn a_terminal_stays_one() {
    let home = home();
    let script = "test -t 0 && test -t 1 && test -t 2 && printf '\\033[32mgreen\\033[0m '; echo \"$A\"; exit 5";
    let mut terminal = masked(&home, script).on_a_terminal();
    let said = terminal.exp_eof().unwrap();
    assert_eq!(said, "\u{1b}[32mgreen\u{1b}[0m ***\r\n");
    exits_with(&terminal, 5);

    let mut terminal = home
        .keyfob(["run", "--mask", "--", "nonexistent"])
        .on_a_terminal();
    let said = terminal.exp_eof().unwrap();
    assert!(said.contains("not found"), "{said}");
    exits_with(&terminal, 127);
}

#[test]
fn outputs_are_terminals_one_by_one() {
    let home = home();
    let script =
        "test -t 0; i=$?; test -t 1; o=$?; test -t 2; e=$?; echo \"$i $o $e $A\"; echo \"$A\" >&2";
    let line = format!("{BINARY} run --mask -- sh -c '{script}'");
    let on = |end: &str| {
        let shell = home.program("sh", ["-c", &format!("{line} {end}")]);
        shell.on_a_terminal().exp_eof().unwrap()
    };
    assert_eq!(on("2>err"), "0 0 1 ***\r\n");
    assert_eq!(home.read("err"), b"***\n");
    assert_eq!(on(">out"), "***\r\n");
    assert_eq!(home.read("out"), b"0 1 0 ***\n");
    assert_eq!(on("</dev/null"), "1 0 0 ***\r\n***\r\n");
}

#[test]
fn the_size_of_the_terminal_is_passed_on_and_kept_up() {
    let home = home();
    let script = "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done";
    // In a session of its own, and with only its output on a terminal.
    for line in [
        format!("exec {BINARY} run --mask -- sh -c \"{script}\""),
        format!("exec {BINARY} run --mask -- sh -c \"exec <&1; {script}\" </dev/null"),
    ] {
        let mut terminal = home.program("sh", ["-c", &line]).on_a_terminal();
        terminal.exp_string("ready").unwrap();
        let size = Winsize {
            ws_row: 33,
            ws_col: 77,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(terminal.process().get_file_handle().unwrap(), size).unwrap();
        terminal.exp_string("33 77").unwrap();
        terminal.exp_eof().unwrap();
    }
}

#[test]
fn keys_mean_what_they_mean_on_the_command_s_terminal() {
    let home = home();
    let mut terminal = masked(&home, "echo begun; exec sleep 600").on_a_terminal();
    terminal.exp_string("begun").unwrap();
    terminal.send_control('c').unwrap();
    terminal.exp_eof().unwrap();
    exits_with(&terminal, 130);

    let mut terminal =
        masked(&home, "printf 'Name: '; read name; echo \"hello $name $A\"").on_a_terminal();
    terminal.exp_string("Name: ").unwrap();
    terminal.send_line("you").unwrap();
    terminal.exp_string("hello you ***").unwrap();
    terminal.exp_eof().unwrap();
    exits_with(&terminal, 0);
}

#[test]
fn it_is_stopped_and_continued_as_a_job_of_the_shell() {
    let home = home();
    let shell = home.program("sh", ["-i"]).env("PS1", "READY> ");
    let mut terminal = shell.on_a_terminal();
    terminal.exp_string("READY> ").unwrap();
    let script = "echo begun; read line; echo \"got $line $A\"; exit 6";
    let line = format!("{BINARY} run --mask -- sh -c '{script}'");
    terminal.send_line(&line).unwrap();
    terminal.exp_string("begun").unwrap();
    terminal.send_control('z').unwrap();
    terminal.exp_string("READY> ").unwrap();
    terminal.send_line("stty -a").unwrap();
    terminal.exp_string(" icanon").unwrap();
    terminal.exp_string("READY> ").unwrap();
    terminal.send_line("fg").unwrap();
    terminal.send_line("more").unwrap();
    terminal.exp_string("got more ***").unwrap();
    terminal.exp_string("READY> ").unwrap();
    terminal.send_line("echo code $?; stty -a").unwrap();
    terminal.exp_string("code 6").unwrap();
    terminal.exp_string(" icanon").unwrap();
    terminal.exp_string("READY> ").unwrap();
    terminal.send_line("exit").unwrap();
    terminal.exp_eof().unwrap();
}

#[test]
fn however_it_ends_the_terminal_is_as_it_was() {
    let home = home();
    // The command's parent leads its session, and that one's is the keyfob that was started.
    let keyfob = "$(ps -o ppid= -p $PPID)";
    for (script, code) in [
        ("kill -KILL $$", 137),
        (&format!("kill -TERM {keyfob}; sleep 600"), 143),
        (
            &format!("trap \"exit 8\" USR2; kill -USR2 {keyfob}; while :; do sleep 0.05; done"),
            8,
        ),
    ] {
        let line = format!("{BINARY} run --mask -- sh -c '{script}'; echo code $?; stty -a");
        let mut terminal = home.program("sh", ["-c", &line]).on_a_terminal();
        let said = terminal.exp_eof().unwrap();
        assert!(said.contains(&format!("code {code}\r\n")), "{said}");
        for setting in ["icanon", "opost", "isig"] {
            assert!(!said.contains(&format!("-{setting}")), "{said}");
            assert!(said.contains(setting), "{said}");
        }
    }
}
