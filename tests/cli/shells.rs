//! Completions in the shells they are for, and manual pages in the programs that show them.

use std::path::{Path, PathBuf};

use crate::support::bus::installed;
use crate::support::home::{BINARY, Home};
use crate::support::run::Keyfob;

fn committed(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Whether the program is there; says on stderr that the test is left out where it is not.
pub fn have(program: &str, test: &str) -> bool {
    let found = installed(program);
    if !found {
        eprintln!("skipped: {test} needs {program}");
    }
    found
}

/// `run` with the binary on the path as `keyfob`.
pub fn with_keyfob_on_the_path(run: Keyfob) -> Keyfob {
    let folder = Path::new(BINARY).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    run.env("PATH", std::env::join_paths(path).unwrap())
}

#[test]
fn every_shell_accepts_its_script() {
    let home = Home::new();
    for (shell, option, script) in [
        ("bash", "-n", "completions/keyfob.bash"),
        ("zsh", "-n", "completions/_keyfob"),
        ("fish", "-n", "completions/keyfob.fish"),
    ] {
        if have(shell, "a part of every_shell_accepts_its_script") {
            home.program(shell, [option])
                .arg(committed(script))
                .run()
                .ok()
                .quiet();
        }
    }
}

/// A home with two vaults.
fn home_with_names() -> Home {
    let home = Home::new().with("KEYFOB_TRUST", "1");
    home.write(
        "keyfob.toml",
        "[stores.dev]\nprovider = \"local\"\npath = \"dev.age\"\n",
    );
    home.write(
        "other.toml",
        "[stores.elsewhere]\nprovider = \"local\"\npath = \"dev.age\"\n",
    );
    for (store, name) in [
        ("local", "DATABASE_URL"),
        ("local", "DB_PASSWORD"),
        ("dev", "DEV_TOKEN"),
    ] {
        home.keyfob(["set", "-s", store, name])
            .stdin("v")
            .run()
            .ok();
    }
    home
}

/// What bash offers after `line`, whose last word is being typed.
fn in_bash(home: &Home, line: &str) -> Vec<String> {
    let script = r#"
        source "$1"
        COMP_LINE=$2 COMP_POINT=${#2} COMP_TYPE=9
        read -ra COMP_WORDS <<< "$2"
        [[ $2 == *" " ]] && COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        spec=$(complete -p keyfob); spec=${spec##*-F }
        ${spec%% *} keyfob "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let run = home
        .program("bash", ["--norc", "-c", script, "bash"])
        .arg(committed("completions/keyfob.bash"))
        .arg(line);
    let run = with_keyfob_on_the_path(run).run();
    run.ok().quiet();
    run.text().split_whitespace().map(str::to_owned).collect()
}

#[test]
fn bash_completes_stores_and_the_names_in_them() {
    if !have("bash", "bash_completes_stores_and_the_names_in_them") {
        return;
    }
    let home = home_with_names();
    assert_eq!(in_bash(&home, "keyfob get DA"), ["DATABASE_URL"]);
    assert_eq!(
        in_bash(&home, "keyfob get D"),
        ["DATABASE_URL", "DB_PASSWORD"]
    );
    for store in ["-s dev", "-sdev", "--store dev"] {
        assert_eq!(
            in_bash(&home, &format!("keyfob get {store} D")),
            ["DEV_TOKEN"],
            "{store}"
        );
        assert_eq!(
            in_bash(&home, &format!("keyfob {store} get D")),
            ["DEV_TOKEN"],
            "{store}"
        );
    }
    assert_eq!(in_bash(&home, "keyfob -s d"), ["dev"]);
    assert_eq!(
        in_bash(&home, "keyfob list -s "),
        ["bytenite", "dev", "local", "neo", "northflank", "nosana"]
    );
    assert_eq!(
        in_bash(&home, "keyfob -C other.toml get -s el"),
        ["elsewhere"]
    );
    assert_eq!(in_bash(&home, "keyfob login no"), ["northflank", "nosana"]);
    assert_eq!(in_bash(&home, "keyfob vault history DB"), ["DB_PASSWORD"]);
    assert_eq!(
        in_bash(&home, "keyfob store add x noss"),
        Vec::<String>::new()
    );
    assert_eq!(in_bash(&home, "keyfob store add x nos"), ["nosana"]);
    assert!(in_bash(&home, "keyfob ge").contains(&"get".to_owned()));
    // A hosted store is not asked, and a wrong configuration says nothing.
    assert_eq!(
        in_bash(&home, "keyfob get -s nosana D"),
        Vec::<String>::new()
    );
    home.write("keyfob.toml", "wrong");
    assert_eq!(in_bash(&home, "keyfob get DA"), Vec::<String>::new());
}

#[test]
fn names_that_a_shell_would_act_on_are_not_offered() {
    if !have("bash", "names_that_a_shell_would_act_on_are_not_offered") {
        return;
    }
    let home = Home::new();
    for name in [
        "D$(touch evil)",
        "D`id`",
        "D;id",
        "D e",
        "-D",
        "D\u{b}E",
        "Dok",
    ] {
        home.keyfob(["set", "--", name]).stdin("v").run().ok();
    }
    assert_eq!(in_bash(&home, "keyfob get D"), ["Dok"]);
    assert!(!in_bash(&home, "keyfob get -").contains(&"-D".to_owned()));
}

#[test]
fn fish_completes_stores_and_the_names_in_them() {
    if !have("fish", "fish_completes_stores_and_the_names_in_them") {
        return;
    }
    let home = home_with_names();
    let complete = |line: &str| {
        let script = format!(
            "source '{}'; complete -C '{line}'",
            committed("completions/keyfob.fish").display()
        );
        let run = home.program("fish", ["--no-config", "-c", &script]);
        let run = with_keyfob_on_the_path(run).run();
        run.ok();
        let lines: Vec<String> = run
            .text()
            .lines()
            .filter_map(|line| line.split('\t').next())
            .map(str::to_owned)
            .collect();
        lines
    };
    assert_eq!(complete("keyfob get DA"), ["DATABASE_URL"]);
    for store in ["-s dev", "-sdev", "--store dev", "--store=dev"] {
        assert_eq!(complete(&format!("keyfob get {store} D")), ["DEV_TOKEN"]);
    }
    assert_eq!(complete("keyfob list -s de"), ["dev"]);
}

#[test]
fn manual_pages_are_sound() {
    let home = Home::new();
    let pages: Vec<PathBuf> = std::fs::read_dir(committed("man"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(pages.len() > 20);
    if have("mandoc", "a part of manual_pages_are_sound") {
        home.program("mandoc", ["-Tlint", "-W", "error"])
            .args(&pages)
            .run()
            .ok()
            .stdout_is("");
    }
    if have("man", "a part of manual_pages_are_sound") {
        let shown = home
            .program("man", ["--warnings", "-l"])
            .args(&pages)
            .env("MANPAGER", "cat")
            .env("LC_ALL", "C.UTF-8")
            .run();
        shown.ok().quiet();
        shown.stdout_has("keyfob run").stdout_has("Examples:");
    }
    // What is printed is the page itself.
    let page = home.run(["man", "run"]).ok().stdout.clone();
    assert_eq!(page, std::fs::read(committed("man/keyfob-run.1")).unwrap());
}
