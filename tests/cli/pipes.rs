//! keyfob among other programs: closed pipes, no terminal, colours, quiet, and one JSON document
//! from every command.

#[cfg(unix)]
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::home::Home;
use crate::support::run::Run;
use crate::support::servers::{Northflank, Nosana};
use crate::support::solana::Keypair;

fn home_with_a_secret() -> Home {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("value").run().ok();
    home
}

/// Runs `args` with stdout going to `stdout`; the exit code and stderr.
#[cfg(unix)]
fn with_stdout(home: &Home, args: &[&str], stdout: Stdio) -> (Option<i32>, String) {
    let mut command: Command = home.keyfob(args.iter().copied()).into_command();
    let output = command
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), stderr)
}

#[cfg(unix)]
#[test]
fn a_pipe_that_nobody_writes_to_is_not_waited_for_without_end() {
    let home = Home::new();
    home.program("mkfifo", ["pipe"]).run().ok();
    for args in [
        &["set", "A", "--file", "pipe"][..],
        &["import", "pipe"],
        &["inject", "-i", "pipe"],
        &["-C", "pipe", "list"],
    ] {
        home.keyfob(["--timeout", "300ms"])
            .args(args)
            .run()
            .code(8)
            .stderr_has("pipe")
            .stderr_has("not all has come in time");
    }
    let running = home.keyfob(["set", "A", "--file", "pipe"]).spawn();
    std::fs::write(home.work().join("pipe"), "value").unwrap();
    running.wait().ok();
    home.run(["get", "A"]).ok().stdout_is("value");
}

const PRINTING: &[&[&str]] = &[
    &["get", "A"],
    &["list"],
    &["--json", "list"],
    &["status"],
    &["store", "list"],
    &["vault", "info"],
    &["generate"],
    &["man"],
    &["completions", "bash"],
    &["--help"],
    &["set", "--help"],
    &["--version"],
];

#[cfg(unix)]
#[test]
fn a_reader_that_went_away_ends_it_quietly() {
    let home = home_with_a_secret();
    for args in PRINTING {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let (code, stderr) = with_stdout(&home, args, writer.into());
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{args:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let home = home_with_a_secret();
    for args in [
        &["get", "A"][..],
        &["list"],
        &["--json", "list"],
        &["generate"],
    ] {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let (code, stderr) = with_stdout(&home, args, full.into());
        assert_eq!(code, Some(1), "{args:?}");
        assert!(
            stderr.contains("could not write to stdout: no space left"),
            "{stderr}"
        );
        assert!(!stderr.contains("value"), "{stderr}");
    }
}

#[cfg(unix)]
#[test]
fn closed_standard_streams_are_no_trouble() {
    let home = home_with_a_secret();
    let sh = |script: &str| {
        let script = script.replace("keyfob", crate::support::home::BINARY);
        home.program("sh", ["-c", &script]).run()
    };
    sh("keyfob list <&-").ok().stdout_has("A");
    sh("keyfob get A >&-").ok().stdout_is("");
    sh("keyfob get A 2>&-").ok().stdout_is("value");
    sh("keyfob get MISSING 2>&-").code(3).stdout_is("");
    sh("keyfob set B <&-")
        .code(2)
        .stderr_has("no value came on stdin");
    sh("keyfob get A <&- >&- 2>&-").ok();
    // A secret never lands in whatever got the number of a closed stream.
    assert!(home.files_holding(b"value").is_empty());
}

#[cfg(unix)]
#[test]
fn a_command_run_gets_its_streams_and_signals_as_they_were() {
    let home = home_with_a_secret();
    home.keyfob(["run", "--", "cat"])
        .stdin("through")
        .run()
        .ok()
        .stdout_is("through");
    // Rust's own programs ignore SIGPIPE; what they start must not inherit that.
    let run = home.run(["run", "--", "sh", "-c", "kill -PIPE $$"]);
    assert_eq!(run.signal, Some(13));
}

#[test]
fn colours_come_on_request_alone_where_there_is_no_terminal() {
    let home = home_with_a_secret();
    let coloured = |run: &Run| run.stderr.contains('\u{1b}') || run.text().contains('\u{1b}');
    for args in [
        &["get", "MISSING"][..],
        &["-v", "run", "--", "false"],
        &["nonsense"],
        &["--help"],
    ] {
        let run = |color: Option<&str>, variable: &str| {
            let color: Vec<&str> = color.map(|when| vec!["--color", when]).unwrap_or_default();
            let all = [&color, args].concat();
            home.keyfob(all).env(variable, "1").run()
        };
        assert!(!coloured(&run(None, "UNRELATED")), "{args:?}");
        assert!(!coloured(&run(Some("never"), "CLICOLOR_FORCE")), "{args:?}");
        assert!(!coloured(&run(None, "NO_COLOR")), "{args:?}");
    }
    for args in [&["get", "MISSING"][..], &["nonsense"], &["--help"]] {
        let all = [&["--color=always"], args].concat();
        assert!(coloured(&home.run(all)), "{args:?}");
    }
    // Data stays data.
    let plain = home.run(["list"]).ok().text();
    assert_eq!(home.run(["--color", "always", "list"]).ok().text(), plain);
    home.run(["--color", "sometimes", "list"]).code(2);
}

#[test]
fn quiet_says_nothing_but_errors() {
    let home = Home::new();
    home.keyfob(["-q", "set", "A"])
        .stdin("1")
        .run()
        .ok()
        .quiet();
    for args in [
        &["get", "A"][..],
        &["list", "--prefix", "none"],
        &["run", "--prefix", "none", "--", "true"],
        &["delete", "-y", "A"],
        &["vault", "restore", "A"],
        &["vault", "rekey", "-y"],
        &["init"],
        &["store", "add", "x", "local"],
        &["store", "remove", "x"],
        &["trust", "-y"],
        &["trust", "--revoke"],
        &["trust", "-y"],
        &["key", "new", "-o", "id.json"],
        &["man", "--dir", "pages"],
        &["logout", "local"],
        &["login", "local"],
        &["rotate", "--list"],
    ] {
        home.run([&["-q"], args].concat()).ok().quiet();
    }
    home.run(["-q", "get", "MISSING"])
        .code(3)
        .stderr_has("error: ");
    home.run(["-q", "--json", "get", "MISSING"]).code(3).error();
}

/// Whether stdout is one JSON document, ended by a newline, and nothing else.
#[track_caller]
fn one_document(run: &Run) -> Value {
    let text = run.text();
    assert!(
        text.ends_with('\n') && text.matches('\n').count() == 1,
        "{text:?}"
    );
    run.json()
}

/// Each command with arguments that work, and what it gets on stdin, in an order in which they do.
const COMMANDS: &[(&[&str], &str)] = &[
    (&["set", "A"], "1"),
    (&["set", "A"], "2"),
    (&["get", "A"], ""),
    (&["list"], ""),
    (&["list", "--prefix", "none"], ""),
    (&["show", "A"], ""),
    (&["check"], ""),
    (&["where", "A"], ""),
    (&["import", "-n", "-"], "A=2\nB=3\n"),
    (&["import", "-"], "A=2\nB=3\n"),
    (&["export"], ""),
    (&["export", "--format", "dotenv", "-o", "out.env"], ""),
    (&["inject"], "<{{ keyfob://local/A }}>\n"),
    (&["inject", "-o", "out"], "<{{ keyfob://local/A }}>\n"),
    (&["scan", "-"], "nothing"),
    (&["generate"], ""),
    (&["generate", "uuid"], ""),
    (&["init"], ""),
    (&["store", "add", "x", "local", "--project"], ""),
    (&["store", "list"], ""),
    (&["store", "remove", "x", "--project"], ""),
    (&["trust", "--show"], ""),
    (&["trust", "-y"], ""),
    (&["trust", "--list"], ""),
    (&["doctor"], ""),
    (&["trust", "--revoke"], ""),
    (&["trust", "-y"], ""),
    (&["key", "new", "-o", "id.json"], ""),
    (&["key", "address", "id.json"], ""),
    (&["key", "address"], ""),
    (&["vault", "info"], ""),
    (&["vault", "recipients", "list"], ""),
    (&["vault", "recipients", "add", RECIPIENT], ""),
    (&["vault", "recipients", "remove", RECIPIENT], ""),
    (&["vault", "history", "A"], ""),
    (&["vault", "restore", "A"], ""),
    (&["history", "A"], ""),
    (&["restore", "A"], ""),
    (&["edit", "A"], ""),
    (&["move", "A", "A2"], ""),
    (&["move", "A2", "A"], ""),
    (&["list", "--deleted"], ""),
    (&["help"], ""),
    (&["help", "vault", "restore"], ""),
    (&["vault", "rekey", "-y"], ""),
    (&["vault", "recipients", "accept", "-y"], ""),
    (&["vault", "purge", "-y"], ""),
    (&["identity", "show"], ""),
    (&["identity", "export", "-y"], ""),
    (&["login", "local"], ""),
    (&["logout", "local"], ""),
    (&["login", "nosana"], ""),
    (&["logout", "nosana"], ""),
    (&["status"], ""),
    (&["rotate", "A", "--dry-run"], ""),
    (&["rotate", "A", "B"], ""),
    (&["rotate", "--list"], ""),
    (&["rotate", "--resume"], ""),
    (&["rotate", "--undo"], ""),
    (&["rotate", "--due"], ""),
    (&["rotate", "--check"], ""),
    (&["sync", "local", "nosana", "-n"], ""),
    (&["sync", "local", "nosana", "-y"], ""),
    (&["diff", "local", "nosana"], ""),
    (&["copy", "A", "nosana"], ""),
    (&["set", "-s", "nosana", "A"], "1"),
    (&["delete", "-y", "A", "keyfob://nosana/A"], ""),
    (&["delete", "-y", "--ignore-missing", "A"], ""),
    (&["completions", "zsh"], ""),
    (&["man"], ""),
    (&["man", "vault", "restore"], ""),
    (&["man", "--dir", "pages"], ""),
    (&["group", "create", "api-env", "-s", "northflank"], ""),
    (&["group", "list", "-s", "northflank"], ""),
    (&["group", "show", "api-env", "-s", "northflank"], ""),
    (
        &[
            "group",
            "update",
            "api-env",
            "--priority",
            "3",
            "-s",
            "northflank",
        ],
        "",
    ),
    (
        &["group", "delete", "-y", "api-env", "-s", "northflank"],
        "",
    ),
];

const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

#[test]
fn every_command_prints_one_json_document() {
    let (nosana, northflank) = (Nosana::start(), Northflank::start());
    let mut home = Home::new();
    home.knows_nosana(&nosana, &Keypair::new(1));
    home.knows_northflank(&northflank);
    home.set("EDITOR", "true");
    for (args, stdin) in COMMANDS {
        let run = home
            .keyfob(args.iter().chain(&["--json"]))
            .stdin(*stdin)
            .run();
        run.ok();
        match args[0] {
            // Its lines are those of the format.
            "export" => drop(run.json()),
            _ => drop(one_document(&run)),
        }
    }
    // A command that is run has stdout for itself.
    home.run(["--json", "run", "--all", "--", "echo", "its own"])
        .ok()
        .stdout_is("its own\n");

    let pages = keyfob::testing::manual_pages().into_iter();
    for page in pages.filter(|page| page.section == 1) {
        let name = page
            .name
            .replace('-', " ")
            .replace("git setup", "git-setup");
        let words: Vec<&str> = name.split(' ').skip(1).collect();
        let others = [
            "run",             // above
            "key import",      // which needs a keyring: in tests of that
            "vault git-setup", // which needs a repository: in tests of that
            "vault diff",      // whose lines are git's: there, too
            "vault merge",     // there, too
        ];
        let leads_on = home.run([&words[..], &["--help"]].concat());
        let here = COMMANDS.iter().any(|(args, _)| args.starts_with(&words));
        let known = here || others.contains(&words.join(" ").as_str());
        assert!(
            known || leads_on.ok().text().contains("\nCommands:\n"),
            "{words:?} is not run here"
        );
    }
}

#[test]
fn every_command_that_fails_says_so_in_json() {
    let home = Home::new();
    let file = home.write("broken.toml", "default_store = \n");
    let mut failures = 0;
    for (args, stdin) in COMMANDS.iter().chain(&[(&["run", "--", "true"][..], "")]) {
        let run = home
            .keyfob(["--json", "-C"])
            .arg(&file)
            .args(*args)
            .stdin(*stdin)
            .run();
        if run.code == Some(0) {
            one_document(&run);
            continue;
        }
        failures += 1;
        // doctor reports what is wrong, and then fails.
        if args[0] != "doctor" {
            run.stdout_is("");
        }
        let error = run.error();
        assert!(error["kind"].is_string(), "{args:?}: {error}");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        let last = run.stderr.lines().last().unwrap_or_default();
        assert!(last.starts_with("{\"error\":"), "{args:?}: {}", run.stderr);
        let run = home.keyfob(["--json", "--nonsense"]).args(*args).run();
        assert!(
            matches!(run.code, Some(2 | 125)),
            "{args:?}: {:?}",
            run.code
        );
        assert_eq!(run.stdout_is("").error()["kind"], "usage", "{args:?}");
    }
    assert!(failures > 30, "{failures}");
}

#[test]
fn a_tiny_terminal_breaks_nothing() {
    let home = home_with_a_secret();
    for columns in ["0", "1", "7", "nonsense", "99999999999999999999"] {
        for args in PRINTING {
            home.keyfob(args.iter().copied())
                .env("COLUMNS", columns)
                .run()
                .ok();
        }
    }
    // Lines for programs are never folded.
    let wide = home.run(["list"]).text();
    let narrow = home.keyfob(["list"]).env("COLUMNS", "7").run().text();
    assert_eq!(wide, narrow);
}
