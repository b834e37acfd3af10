//! Completions in the shells they are for, and manual pages in the programs that show them.

use std::path::{Path, PathBuf};

use rexpect::session::PtySession;
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::home::{BINARY, Home, set_mode};
use crate::support::programs::installed;
use crate::support::run::Keyfob;
use crate::support::wait::until;

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
        [
            "bytenite",
            "dev",
            "local",
            "neo",
            "northflank",
            "nosana",
            "openbao"
        ]
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

/// What each line becomes by a TAB, as a person types it.
const TYPED: &[(&str, &str)] = &[
    ("keyfob get DA", "keyfob get DATABASE_URL"),
    ("keyfob get a:", "keyfob get a:b:c"),
    ("keyfob get a:b", "keyfob get a:b:c"),
    ("keyfob run -e X=DA", "keyfob run -e X=DATABASE_URL"),
    (
        "keyfob run --only DATABASE_URL,DB",
        "keyfob run --only DATABASE_URL,DB_PASSWORD",
    ),
    (
        "keyfob get keyfob://dev/",
        "keyfob get keyfob://dev/DEV_TOKEN",
    ),
    ("keyfob get --store=de", "keyfob get --store=dev"),
    ("keyfob set X --generate=uu", "keyfob set X --generate=uuid"),
    (
        "keyfob rm DATABASE_URL D",
        "keyfob rm DATABASE_URL DB_PASSWORD",
    ),
    ("keyfob copy DB_PASSWORD de", "keyfob copy DB_PASSWORD dev"),
    ("keyfob restore GO", "keyfob restore GONE"),
    ("keyfob rotate RO", "keyfob rotate ROTATED"),
    ("keyfob man vault rek", "keyfob man vault rekey"),
    ("keyfob man keyfob.t", "keyfob man keyfob.toml"),
    (
        "keyfob store add x neo base",
        "keyfob store add x neo base_url=",
    ),
    (
        "keyfob group show -s web api",
        "keyfob group show -s web api-env",
    ),
    (
        "keyfob export --format gith",
        "keyfob export --format github",
    ),
    ("keyfob run -- frobn", "keyfob run -- frobnicate"),
    (
        "keyfob run -s dev -- frobnicate my-f",
        "keyfob run -s dev -- frobnicate my-file",
    ),
    ("keyfob run -- ./scr", "keyfob run -- ./script"),
    ("keyfob run frobn", "keyfob run frobnicate"),
];

/// What the lines of [`TYPED`] speak of; returns a `PATH` with it and keyfob.
fn what_is_typed_about(home: &Home) -> std::ffi::OsString {
    let bin = home.home().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::write(bin.join("frobnicate"), "#!/bin/sh\n").unwrap();
    set_mode(&bin.join("frobnicate"), 0o755);
    set_mode(&home.write("script", "#!/bin/sh\n"), 0o755);
    home.write("my-file", "");
    for name in ["a:b:c", "GONE"] {
        home.keyfob(["set", name]).stdin("v").run().ok();
    }
    home.keyfob(["delete", "-y", "GONE"]).run().ok();
    let text = String::from_utf8(home.read("keyfob.toml")).unwrap();
    home.write(
        "keyfob.toml",
        format!(
            "{text}[stores.web]\nprovider = \"northflank\"\nproject = \"p\"\n\
             [env]\nURL = \"keyfob://web/api-env/URL\"\n[rotation.ROTATED]\nevery = \"30d\"\n"
        ),
    );
    let mut path = bin.into_os_string();
    path.push(":");
    path.push(Path::new(BINARY).parent().unwrap());
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    path
}

/// An interactive shell, with a prompt that counts the lines.
struct Typing {
    terminal: PtySession,
    shell: &'static str,
    lines: usize,
}

impl Typing {
    fn into(shell: &'static str, run: Keyfob) -> Self {
        let terminal = run.on_a_terminal();
        let size = Winsize {
            ws_row: 40,
            ws_col: 200,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(terminal.process().get_file_handle().unwrap(), size).unwrap();
        Self {
            terminal,
            shell,
            lines: 0,
        }
    }

    /// Waits until the shell has shown `text`, so that what is sent next is read by its editor.
    #[track_caller]
    fn sees(&mut self, text: &str) {
        if let Err(error) = self.terminal.exp_string(text) {
            panic!("{} never shows {text:?}: {error}", self.shell);
        }
    }

    /// Waits for the next prompt: before it the terminal is not the editor's, to which a Ctrl-D, say, is
    /// a key like any other.
    fn is_ready(&mut self) {
        self.lines += 1;
        self.sees(&format!("READY{}> ", self.lines));
    }

    fn send(&mut self, keys: &str) {
        self.terminal.send(keys).unwrap();
        self.terminal.flush().unwrap();
    }

    /// Types each line of [`TYPED`] and a TAB, and sees what it became.
    ///
    /// A shell that runs something for a TAB may drop what is typed meanwhile, so that nothing is typed
    /// before the end of the line has been seen.
    fn completes(mut self, home: &Home) {
        let done = home.work().join("done");
        for (typed, expected) in TYPED {
            self.is_ready();
            self.send(typed);
            self.sees(typed);
            self.send("\t");
            self.sees(expected.strip_prefix(typed).unwrap());
            // The line is shown by echo: Ctrl-A goes to its beginning, Ctrl-E to its end.
            self.send("\u{1}echo \u{5} >written; mv written done\r");
            until("the line", || done.exists());
            let line = std::fs::read_to_string(&done).unwrap();
            std::fs::remove_file(&done).unwrap();
            assert_eq!(line.trim_end(), *expected, "{}: {typed}", self.shell);
        }
        self.is_ready();
        self.send("\u{4}");
        self.terminal.exp_eof().unwrap();
    }
}

#[test]
fn what_is_typed_is_completed_in_bash() {
    if have("bash", "what_is_typed_is_completed_in_bash") {
        let home = home_with_names();
        let path = what_is_typed_about(&home);
        let inputrc = home.write("inputrc", "set enable-bracketed-paste off\n");
        let script = committed("completions/keyfob.bash");
        // The terminal comes without echo, and readline shows nothing then.
        let rc = home.write(
            "bashrc",
            format!(
                "stty echo\nPS1='READY\\#> '\nsource '{}'\n",
                script.display()
            ),
        );
        let bash = home.program("bash", ["--noprofile", "--rcfile"]).arg(rc);
        let bash = bash.arg("-i").env("INPUTRC", inputrc).env("PATH", &path);
        Typing::into("bash", bash).completes(&home);
    }
}

#[test]
fn what_is_typed_is_completed_in_zsh_from_the_first_tab_on() {
    if have(
        "zsh",
        "what_is_typed_is_completed_in_zsh_from_the_first_tab_on",
    ) {
        let home = home_with_names();
        let path = what_is_typed_about(&home);
        let folder = home.home().join("zfunc");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::copy(committed("completions/_keyfob"), folder.join("_keyfob")).unwrap();
        let rc = "fpath=(~/zfunc $fpath)\nautoload -Uz compinit\ncompinit -u\n\
                  PROMPT='READY%i> '\nunset zle_bracketed_paste\n";
        std::fs::write(home.home().join(".zshrc"), rc).unwrap();
        let zsh = home.program("zsh", ["-i"]).env("PATH", &path);
        Typing::into("zsh", zsh).completes(&home);
    }
}

#[test]
fn what_is_typed_is_completed_in_fish() {
    if have("fish", "what_is_typed_is_completed_in_fish") {
        let home = home_with_names();
        let path = what_is_typed_about(&home);
        // Colours and suggestions would stand between the letters.
        let settings = format!(
            "for colour in (set --names | string match 'fish_color_*')
                 set -g $colour normal
             end
             set -g fish_autosuggestion_enabled 0
             set -g fish_greeting
             set -g lines 0
             function count_lines --on-event fish_prompt
                 set -g lines (math $lines + 1)
             end
             function fish_prompt
                 echo -n \"READY$lines> \"
             end
             source '{}'",
            committed("completions/keyfob.fish").display()
        );
        let fish = home.program("fish", ["--no-config", "--interactive", "-C"]);
        let fish = fish.arg(settings).env("PATH", &path);
        Typing::into("fish", fish).completes(&home);
    }
}

#[test]
fn what_is_typed_is_offered_by_fish() {
    if have("fish", "what_is_typed_is_offered_by_fish") {
        let home = home_with_names();
        let path = what_is_typed_about(&home);
        for (typed, expected) in TYPED {
            let script = format!(
                "source '{}'; complete -C '{typed}'",
                committed("completions/keyfob.fish").display()
            );
            let run = home.program("fish", ["--no-config", "-c", &script]);
            let found = run.env("PATH", &path).run().ok().text();
            let found: Vec<&str> = found
                .lines()
                .filter_map(|line| line.split('\t').next())
                .collect();
            let word = expected.rsplit(' ').next().unwrap();
            assert_eq!(found, [word], "{typed}");
        }
    }
}

#[test]
fn options_are_offered_behind_a_dash_alone() {
    let home = home_with_names();
    let offered = |words: &[&str]| {
        let words = [&["--", "keyfob"], words].concat();
        let run = home.keyfob(words).env("KEYFOB_COMPLETE", "bash").run();
        run.ok().quiet();
        run.text()
    };
    assert_eq!(offered(&["get", ""]), "DATABASE_URL\nDB_PASSWORD\n");
    assert_eq!(offered(&["status", ""]), "");
    assert!(offered(&["get", "-"]).contains("--timeout\n"));
    assert_eq!(offered(&["sync", "dev", "de"]), "");
    // As scripts of 0.1 ask.
    let run = home.keyfob(["--", "keyfob", "get", "DA"]);
    let run = run.env("KEYFOB_COMPLETE", "bash").env("_CLAP_IFS", "\u{b}");
    let run = run.env("_CLAP_COMPLETE_INDEX", "2").run();
    run.ok().stdout_is("DATABASE_URL\u{b}");
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
        home.program("mandoc", ["-Tlint", "-W", "style"])
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
        shown.stdout_has("keyfob run").stdout_has("EXAMPLES");
        // As one writes it, and with room for what stands in columns.
        shown.stdout_has("keyfob run [OPTIONS] -- CMD [ARG]…");
        shown.stdout_has("    keyfob run -e PGPASSWORD=keyfob://web/DB_PASSWORD -- psql\n");
    }
    // What is printed is the page itself.
    let page = home.run(["man", "run"]).ok().stdout.clone();
    assert_eq!(page, std::fs::read(committed("man/keyfob-run.1")).unwrap());
}
