//! `keyfob run --mask`: what gets through, and that nothing else is different.

use std::io::Read;
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rexpect::process::WaitStatus;
use rexpect::session::PtySession;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use rustix::termios::{Winsize, tcsetwinsize};
use sha2::{Digest, Sha256};

use crate::shells::have;
use crate::support::home::{BINARY, Home, set_mode};
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

/// A command that counts each TERM which comes, and tells in the file `count` when USR1 asks.
fn counter(home: &Home) -> String {
    let script = "\
import os, signal
asked, told = os.pipe()
os.set_blocking(told, False)
signal.set_wakeup_fd(told)
for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, lambda *_: None)
open('ready', 'w').close()
terms = questions = 0
while True:
    number = os.read(asked, 1)[0]
    if number == signal.SIGTERM:
        terms += 1
    else:
        questions += 1
        with open('new', 'w') as new:
            new.write(f'{questions} {terms}')
        os.rename('new', 'count')
";
    home.write("count.py", script);
    "exec python3 count.py".to_owned()
}

/// What [`counter`] has counted by now. Signals that wait together come in no order, so that it takes a
/// second question, behind the first's answer, to be behind all that was sent before.
fn counted(home: &Home, round: usize, ask: impl Fn()) -> usize {
    let answer = |question: usize| {
        let text = std::fs::read_to_string(home.work().join("count")).ok()?;
        let (asked, terms) = text.split_once(' ')?;
        (asked == question.to_string()).then(|| terms.parse().unwrap())
    };
    for question in [2 * round - 1, 2 * round] {
        ask();
        until("the count", || answer(question).is_some());
    }
    answer(2 * round).unwrap()
}

#[test]
fn a_signal_to_the_group_reaches_the_command_once() {
    if !have("python3", "a_signal_to_the_group_reaches_the_command_once") {
        return;
    }
    let home = home();
    let running = masked(&home, &counter(&home)).spawn();
    let ready = home.work().join("ready");
    until("the handlers", || ready.exists());
    let ask = || running.signal(Signal::USR1);
    for round in 1..=5 {
        running.signal_group(Signal::TERM);
        assert_eq!(counted(&home, round, ask), round);
    }
    running.signal(Signal::TERM);
    assert_eq!(counted(&home, 6, ask), 6, "to keyfob alone");
    running.kill();
}

#[test]
fn a_signal_to_the_group_reaches_a_command_on_a_terminal_once() {
    if !have(
        "python3",
        "a_signal_to_the_group_reaches_a_command_on_a_terminal_once",
    ) {
        return;
    }
    // In a session of its own, and in keyfob's group with only its output on the terminal.
    for input in ["", "</dev/null"] {
        let home = home();
        let command = &counter(&home)["exec ".len()..];
        let line = format!("echo $$ > pid; exec {BINARY} run --mask -- {command} {input}");
        let _terminal = home.program("sh", ["-c", &line]).on_a_terminal();
        let ready = home.work().join("ready");
        until("the handlers", || ready.exists());
        let pid = Pid::from_raw(written_pid(&home).cast_signed()).unwrap();
        let ask = || kill_process(pid, Signal::USR1).unwrap();
        for round in 1..=5 {
            kill_process_group(pid, Signal::TERM).unwrap();
            assert_eq!(counted(&home, round, ask), round, "{input}");
        }
        kill_process(pid, Signal::TERM).unwrap();
        assert_eq!(counted(&home, 6, ask), 6, "to keyfob alone {input}");
        kill_process(pid, Signal::KILL).unwrap();
    }
}

/// Whether a process is stopped; `None` where it is gone.
#[cfg(target_os = "linux")]
fn is_stopped(pid: u32) -> Option<bool> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, state) = stat.rsplit_once(") ")?;
    (!state.starts_with('Z')).then(|| state.starts_with('T'))
}

/// The number that a process wrote to the file `pid`, once it is there.
fn written_pid(home: &Home) -> u32 {
    let read = || {
        let text = std::fs::read_to_string(home.work().join("pid")).ok()?;
        text.strip_suffix('\n')?.parse().ok()
    };
    until("the command", || read().is_some());
    read().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn it_is_stopped_and_continued_with_the_command_without_a_terminal_too() {
    let home = home();
    let script = "echo $$ > pid; trap 'exit 7' USR1; while :; do sleep 0.05; done";
    let running = masked(&home, script).spawn();
    let command = written_pid(&home);
    let both = |stopped| {
        let of_both = || [running.pid(), command].map(is_stopped);
        until("both to follow", || of_both() == [Some(stopped); 2]);
    };
    for _ in 0..3 {
        running.signal(Signal::TSTP);
        both(true);
        running.signal(Signal::CONT);
        both(false);
        running.signal_group(Signal::TSTP);
        both(true);
        running.signal_group(Signal::CONT);
        both(false);
    }
    // As a job that asks for the terminal from the background.
    running.signal_group(Signal::TTIN);
    both(true);
    running.signal_group(Signal::CONT);
    both(false);
    running.signal(Signal::USR1);
    running.wait().code(7);
}

#[cfg(target_os = "linux")]
#[test]
fn the_command_does_not_outlive_a_keyfob_that_is_killed() {
    let home = home();
    let script = "echo $$ > pid; exec sleep 600";
    let running = masked(&home, script).spawn();
    let command = written_pid(&home);
    running.kill();
    until("the command's end", || is_stopped(command).is_none());

    std::fs::remove_file(home.work().join("pid")).unwrap();
    let line = format!(
        "echo $$ > keyfob; exec {BINARY} run --mask -- sh -c \"trap '' HUP; echo \\$\\$ > pid; exec sleep 600\""
    );
    let _terminal = home.program("sh", ["-c", &line]).on_a_terminal();
    let command = written_pid(&home);
    let keyfob = String::from_utf8(home.read("keyfob")).unwrap();
    let keyfob = Pid::from_raw(keyfob.trim().parse().unwrap()).unwrap();
    kill_process(keyfob, Signal::KILL).unwrap();
    until("the command's end", || is_stopped(command).is_none());
}

#[test]
fn whatever_runs_without_it_runs_with_it() {
    let home = home();
    let bin = home.home().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let path = home.variables()[std::ffi::OsStr::new("PATH")].clone();
    let path = std::iter::once(bin.clone()).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(path).unwrap();
    for (name, text) in [("plain", "echo ran $1 $A\n"), ("empty", "")] {
        set_mode(&home.write(name, text), 0o755);
        std::fs::copy(home.work().join(name), bin.join(format!("on-path-{name}"))).unwrap();
    }
    let shown = |value: &str| format!("ran it {value}\n");
    for command in ["./plain", "on-path-plain", "./empty", "on-path-empty"] {
        let run = |mask: &[&str]| {
            let args = [&["run"], mask, &["--", command, "it"]].concat();
            home.keyfob(args).env("PATH", &path).run()
        };
        let (plain, masked) = (run(&[]), run(&["--mask"]));
        let says = command.ends_with("plain");
        plain.ok().quiet();
        plain.stdout_is(if says { shown(SECRET) } else { String::new() });
        masked.ok().quiet();
        masked.stdout_is(if says { shown("***") } else { String::new() });
        let on_terminal = home.keyfob(["run", "--mask", "--", command, "it"]);
        let mut terminal = on_terminal.env("PATH", &path).on_a_terminal();
        let said = terminal.exp_eof().unwrap();
        assert_eq!(said, if says { "ran it ***\r\n" } else { "" });
        exits_with(&terminal, 0);
    }
}

#[test]
fn a_script_whose_interpreter_is_missing_says_which() {
    let home = home();
    for (name, first) in [
        ("missing", "#!/no/such -x\n"),
        ("windows", "#! /bin/sh\r\n"),
        ("arguments", "#!/bin/sh -e\r\n"),
    ] {
        set_mode(&home.write(name, format!("{first}echo ran\n")), 0o755);
    }
    let folder = home.work();
    for mask in [&[][..], &["--mask"]] {
        let run = |command: &str| {
            let args = [&["run"], mask, &["--", command]].concat();
            home.keyfob(args).env("PATH", folder.join(".")).run()
        };
        for command in ["./missing", "missing"] {
            run(command)
                .code(127)
                .stderr_has(&format!("{command}: its interpreter /no/such is not found"));
        }
        run("./windows")
            .code(127)
            .stderr_has("its interpreter /bin/sh is not found, because a carriage return")
            .stderr_has("hint: ./windows has the line ends of Windows");
        run("nothing")
            .code(127)
            .stderr_has("nothing: command not found");
        run("./nothing").code(127).stderr_has("command not found");
    }
}

#[test]
fn on_a_terminal_what_may_begin_a_value_is_shown_after_a_moment() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("Pass-w0rd-123").run().ok();
    let script = "printf 'Pass-w0rd-12'; read line; printf 3; echo; echo \"got $line $A\"";
    let mut terminal = masked(&home, script).on_a_terminal();
    terminal.exp_string("Pass-w0rd-12").unwrap();
    terminal.send_line("Pass").unwrap();
    terminal.exp_string("got Pass ***").unwrap();
    terminal.exp_eof().unwrap();
    exits_with(&terminal, 0);
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
