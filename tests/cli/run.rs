//! `keyfob run`: what the command sees, and how it ends.

use crate::support::home::Home;

fn home_with(secrets: &[(&str, &str)]) -> Home {
    let home = Home::new();
    for (name, value) in secrets {
        home.keyfob(["set", "--", name]).stdin(*value).run().ok();
    }
    home
}

#[test]
fn the_command_gets_the_secrets_and_none_of_keyfob_s_credentials() {
    let home = home_with(&[("A", "1"), ("B", "two words")]);
    let run = home
        .keyfob(["run", "--", "env"])
        .env("KEYFOB_NOSANA_KEYPAIR", "canary")
        .env("KEYFOB_MY_STORE_KEYPAIR", "canary")
        .env("KEYFOB_FALLBACK_KEY", "canary")
        .env("KEYFOB_LOCAL_IDENTITY", home.data().join("identity.txt"))
        .env("INHERITED", "yes")
        .run();
    run.ok()
        .stdout_has("A=1\n")
        .stdout_has("B=two words\n")
        .stdout_has("INHERITED=yes\n")
        .stdout_lacks("canary")
        .stdout_lacks("IDENTITY");
}

#[test]
fn the_exit_code_is_the_command_s_own() {
    let home = home_with(&[("A", "1")]);
    home.run(["run", "--", "sh", "-c", "exit 42"]).code(42);
    home.run(["run", "--", "nonexistent"])
        .code(127)
        .stderr_has("not found");
    home.write("no-program", "text");
    home.run(["run", "--", "./no-program"]).code(126);
    home.run(["run", "--only", "MISSING", "--", "true"])
        .code(125)
        .stderr_has("MISSING");
    home.run(["-s", "nowhere", "run", "--", "true"])
        .code(125)
        .stderr_has("nowhere");
    home.run(["run"]).code(125);
    home.run(["run", "--nonsense", "--", "true"]).code(125);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_like_the_command_itself() {
    let home = home_with(&[("A", "1")]);
    let run = home.run(["run", "--", "sh", "-c", "kill -TERM $$"]);
    assert_eq!((run.code, run.signal), (None, Some(15)));
}

#[test]
fn selection_names_what_is_brought() {
    let home = home_with(&[
        ("DB_URL", "u"),
        ("DB_PASSWORD", "p"),
        ("OTHER", "o"),
        ("x-y", "z"),
    ]);
    let env = |args: &[&str]| {
        let args: Vec<&str> = [&["run"], args, &["--", "env"]].concat();
        let run = home.run(args);
        run.ok();
        let mut names: Vec<String> = run
            .text()
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, _)| name.to_owned())
            .filter(|name| ["DB_URL", "DB_PASSWORD", "OTHER", "X_Y", "P"].contains(&name.as_str()))
            .collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(env(&[]), "DB_PASSWORD DB_URL OTHER");
    assert_eq!(env(&["--only", "DB_URL,OTHER"]), "DB_URL OTHER");
    assert_eq!(env(&["--prefix", "DB_"]), "DB_PASSWORD DB_URL");
    assert_eq!(env(&["--except", "OTHER"]), "DB_PASSWORD DB_URL");
    assert_eq!(env(&["-e", "P=DB_PASSWORD"]), "P");
    assert_eq!(
        env(&["-e", "P=keyfob://local/DB_PASSWORD", "--only", "OTHER"]),
        "OTHER P"
    );
    assert_eq!(
        env(&["-e", "P=DB_PASSWORD", "--all"]),
        "DB_PASSWORD DB_URL OTHER P"
    );
    assert_eq!(env(&["--upper"]), "DB_PASSWORD DB_URL OTHER X_Y");
    home.run(["run", "--", "true"])
        .ok()
        .stderr_has("x-y")
        .stderr_has("left out");
    home.run(["run", "--strict", "--", "true"])
        .code(125)
        .stderr_has("x-y");
}

#[test]
fn names_that_become_one_variable_are_an_error() {
    let home = home_with(&[("a-b", "1"), ("a.b", "2")]);
    home.run(["run", "--upper", "--", "true"])
        .code(125)
        .stderr_has("A_B");
}

#[test]
fn names_that_change_how_programs_run_are_refused_unless_mapped() {
    let home = home_with(&[("LD_PRELOAD", "/evil.so"), ("A", "1")]);
    home.run(["run", "--", "true"])
        .code(125)
        .stderr_has("LD_PRELOAD")
        .stderr_has("--except");
    home.run(["run", "--except", "LD_PRELOAD", "--", "true"])
        .ok();
    let home = home_with(&[("NODE_OPTIONS", "--x")]);
    home.run([
        "run",
        "-e",
        "NODE_OPTIONS=NODE_OPTIONS",
        "--",
        "printenv",
        "NODE_OPTIONS",
    ])
    .ok()
    .stdout_is("--x\n");
}

#[test]
fn existing_variables_and_an_empty_environment() {
    let home = home_with(&[("A", "secret")]);
    let run = |args: &[&str]| {
        home.keyfob(args.iter().copied())
            .env("A", "inherited")
            .run()
    };
    run(&["run", "--", "printenv", "A"])
        .ok()
        .stdout_is("secret\n");
    run(&["run", "--keep-existing", "--", "printenv", "A"])
        .ok()
        .stdout_is("inherited\n");
    run(&["run", "--pristine", "--", "/usr/bin/env"])
        .ok()
        .stdout_is("A=secret\n");
}

#[test]
fn the_env_table_is_used_when_nothing_is_named() {
    let home = home_with(&[("db", "d"), ("OTHER", "o")]);
    home.write(
        "keyfob.toml",
        "[env]\nURL = \"db\"\nTOO = \"keyfob://local/OTHER\"\n",
    );
    home.run(["run", "--", "true"])
        .code(125)
        .stderr_has("keyfob trust");
    home.run(["trust"]).ok();
    home.run(["run", "--", "sh", "-c", "echo $URL $TOO $OTHER"])
        .ok()
        .stdout_is("d o\n");
    home.run([
        "run",
        "--only",
        "OTHER",
        "--",
        "sh",
        "-c",
        "echo $URL $OTHER",
    ])
    .ok()
    .stdout_is("o\n");
}

#[test]
fn a_value_that_no_variable_can_hold_is_named() {
    let home = home_with(&[]);
    home.write("nul", b"a\0b");
    home.run(["set", "A", "--file", "nul"]).ok();
    home.run(["run", "--", "true"])
        .code(125)
        .stderr_has("value of A");
}

#[test]
fn a_dotenv_file_brings_what_it_names_and_nothing_else() {
    let home = home_with(&[("db", "d"), ("OTHER", "o")]);
    home.write("app.env", "URL=keyfob://local/db\nMODE='as it is'\n");
    home.run([
        "run",
        "--env-file",
        "app.env",
        "--",
        "sh",
        "-c",
        "echo $URL,$MODE,$OTHER",
    ])
    .ok()
    .stdout_is("d,as it is,\n");
    home.write("bad.env", "URL=keyfob://local/MISSING\n");
    home.run(["run", "--env-file", "bad.env", "--", "true"])
        .code(125)
        .stderr_has("MISSING");
    home.run(["run", "--env-file", "absent.env", "--", "true"])
        .code(125)
        .stderr_has("absent.env");
}
