//! A checkout's keyfob.toml counts whole, or not at all: until its user has said that it does, no
//! command that works with stores sends, reads, writes or runs anything.

mod exploits;
mod names;

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;

use crate::support::home::Home;
use crate::support::servers::{ByteNite, Neo, Northflank, Nosana, bytenite, neo, northflank};
use crate::support::solana::Keypair;

/// Every command that works with stores, and how it is called.
const COMMANDS: &[(&str, &[&[&str]])] = &[
    ("get", &[&["A"], &["keyfob://gpu/A"], &["-s", "fn", "A"]]),
    (
        "set",
        &[&["A", "--generate"], &["-s", "fn", "A", "--generate"]],
    ),
    ("delete", &[&["-y", "A"], &["-y", "-s", "web", "A"]]),
    (
        "list",
        &[&[], &["-s", "gpu"], &["-s", "data"], &["-s", "web"]],
    ),
    ("show", &[&["A"]]),
    ("check", &[&[], &["-s", "fn"]]),
    ("where", &[&["A"], &["-s", "fn", "A"]]),
    ("edit", &[&["A"], &["-s", "web", "A"]]),
    ("move", &[&["A", "B"], &["A", "keyfob://fn/A"]]),
    ("history", &[&["A"]]),
    ("restore", &[&["A"]]),
    (
        "run",
        &[
            &["--", "touch", "ran"],
            &["-e", "X=A", "--", "touch", "ran"],
            &["--mask", "--", "touch", "ran"],
        ],
    ),
    (
        "rotate",
        &[
            &["A"],
            &["--due"],
            &["--check"],
            &["--list"],
            &["--resume"],
            &["--undo"],
        ],
    ),
    ("export", &[&[], &["-o", "out.env"]]),
    ("import", &[&["-y", "in.env"]]),
    ("inject", &[&["-i", "in.txt", "-o", "out.txt"]]),
    ("diff", &[&["local", "fn"]]),
    ("sync", &[&["-y", "local", "fn"]]),
    ("copy", &[&["A", "fn"]]),
    ("login", &[&[], &["gpu"], &["fn"]]),
    ("logout", &[&[], &["fn"]]),
    ("group", &[&["list", "-s", "web"]]),
    (
        "vault",
        &[
            &["info"],
            &["recipients", "list"],
            &["history", "A"],
            &["restore", "A"],
            &["rekey", "-y"],
            &["purge", "-y"],
            &["git-setup"],
            &["diff", "theirs.age"],
            &["merge", "theirs.age", "theirs.age", "theirs.age"],
            &["recipients", "accept", "-y"],
        ],
    ),
    ("identity", &[&["show"], &["export", "-y"]]),
    ("scan", &[&["."], &["--all-stores"]]),
    ("store add", &[&["x", "neo"], &["x", "neo", "--project"]]),
    ("store remove", &[&["mine"], &["fn", "--project"]]),
];

/// What a file that counts ends with, whose vault is not made yet.
const NOT_MADE: i32 = 3;

/// Those that need no configuration, or only tell of it.
const OTHERS: &[(&str, &[&[&str]])] = &[
    ("generate", &[&[]]),
    ("completions", &[&["bash"]]),
    ("man", &[&[]]),
    ("help", &[]),
    ("init", &[]),
    ("trust", &[&["--show"], &["--list"]]),
    ("key", &[&["address"], &["new", "-o", "new.json"]]),
    ("status", &[&[], &["--json"]]),
    ("store list", &[&[], &["--json"]]),
    ("doctor", &[]),
];

/// Servers that record who asks them.
struct Servers {
    nosana: Nosana,
    bytenite: ByteNite,
    northflank: Northflank,
    neo: Neo,
}

impl Servers {
    fn start() -> Self {
        Self {
            nosana: Nosana::start(),
            bytenite: ByteNite::start(),
            northflank: Northflank::start(),
            neo: Neo::start(),
        }
    }

    fn connections(&self) -> usize {
        self.nosana.connections()
            + self.bytenite.connections()
            + self.northflank.connections()
            + self.neo.connections()
    }

    /// A file that names all of them, commands, vaults, variables and policies.
    fn hostile(&self) -> String {
        let table = |name: &str, provider: &str, lines: &str| {
            format!("[stores.{name}]\nprovider = \"{provider}\"\n{lines}\n")
        };
        [
            "default_store = \"local\"\n".to_owned(),
            table("local", "local", "path = \"theirs.age\"\nidentity = \"theirs.txt\""),
            table("gpu", "nosana", &format!("base_url = {:?}\nkeypair = \"theirs.json\"", self.nosana.url())),
            table("data", "bytenite", &format!("base_url = {:?}\napi_key_command = \"touch ran; echo k\"", self.bytenite.url())),
            table("web", "northflank", &format!("base_url = {:?}\nproject = \"p\"\napi_token_command = \"touch ran; echo k\"", self.northflank.url())),
            table("fn", "neo", &format!("base_url = {:?}\napi_key_command = \"touch ran; echo k\"", self.neo.url())),
            "[env]\nPATH = \"A\"\nX = \"keyfob://fn/A\"\n[rotation.A]\ncommand = \"touch ran\"\nverify = \"touch ran\"\nevery = \"1d\"\n".to_owned(),
        ]
        .concat()
    }
}

/// A user with secrets and credentials, in a checkout with `text` as its keyfob.toml.
fn checkout(text: &str) -> Home {
    let mut home = Home::new();
    home.keyfob(["set", "A"]).stdin("mine").run().ok();
    home.run(["store", "add", "mine", "neo"]).ok();
    home.write_private("../home/.config/solana/id.json", Keypair::new(1).json());
    home.set("BYTENITE_API_KEY", bytenite::API_KEY);
    home.set("NORTHFLANK_API_TOKEN", northflank::API_TOKEN);
    home.set("NEO_API_KEY", neo::API_KEY);
    home.write("in.env", "A=1\n");
    home.write("in.txt", "{{ keyfob://local/A }}");
    home.write("keyfob.toml", text);
    home
}

#[test]
fn every_command_on_an_untrusted_file_sends_reads_writes_and_runs_nothing() {
    let servers = Servers::start();
    let home = checkout(&servers.hostile());
    let contents = || {
        let read = |path: &std::path::PathBuf| fs::read(path).unwrap_or_default();
        home.files()
            .iter()
            .map(|path| (path.clone(), read(path)))
            .collect::<Vec<_>>()
    };
    let before = contents();
    for (command, calls) in COMMANDS {
        for call in *calls {
            let run = home.keyfob(command.split(' ')).args(*call).run();
            run.code(if *command == "run" { 125 } else { 12 })
                .stdout_is("")
                .stderr_has("keyfob.toml has not been trusted")
                .stderr_has("hint: keyfob trust ");
            let run = home
                .keyfob(["--json"])
                .args(command.split(' '))
                .args(*call)
                .run();
            assert_eq!(run.error()["kind"], "untrusted", "{command} {call:?}");
        }
    }
    assert_eq!(contents(), before, "nothing is written");
    assert_eq!(servers.connections(), 0, "nothing is sent");
    // The hints can be typed as they stand.
    home.run(["list", "-C", "none"]).ok().stdout_has("A");
    home.keyfob(["list"])
        .env("KEYFOB_CONFIG", "none")
        .run()
        .ok()
        .stdout_has("A");
    home.keyfob(["list"])
        .env("KEYFOB_TRUST", "1")
        .run()
        .code(NOT_MADE);
    home.run(["-C", "none", "store", "list"])
        .ok()
        .quiet()
        .stdout_has("mine")
        .stdout_lacks("base_url");
    home.run(["-C", "none", "store", "remove", "mine"]).ok();
    home.run(["-C", "none", "store", "add", "mine", "neo"]).ok();
    home.run(["-C", "none", "store", "add", "x", "neo", "--project"])
        .code(2);
    home.run(["-C", "none", "trust"]).code(2);
    assert_eq!(servers.connections(), 0);
    assert!(!home.work().join("ran").exists());
}

#[test]
fn what_needs_no_configuration_works_and_the_rest_says_that_the_file_does_not_count() {
    let servers = Servers::start();
    let home = checkout(&servers.hostile());
    let mut known: BTreeSet<&str> = COMMANDS
        .iter()
        .chain(OTHERS)
        .map(|(command, _)| *command)
        .collect();
    known.insert("store");
    let pages = keyfob::testing::manual_pages().into_iter();
    let pages: Vec<_> = pages.filter(|page| page.section == 1).collect();
    for page in &pages {
        // Those of subcommands stand for what they are under.
        let words: Vec<&str> = page.name.split('-').skip(1).collect();
        let all = [
            words.iter().take(1).copied().collect::<String>(),
            words[..words.len().min(2)].join(" "),
        ];
        let is_known = words.is_empty() || all.iter().any(|it| known.contains(it.as_str()));
        assert!(is_known, "{} is in neither table", page.name);
    }
    for (command, calls) in OTHERS {
        for call in *calls {
            home.keyfob(command.split(' ')).args(*call).run().ok();
        }
    }
    home.run(["--version"]).ok();
    home.run(["--help"]).ok();
    fs::create_dir(home.work().join("below")).unwrap();
    home.keyfob(["init"])
        .cwd(home.work().join("below"))
        .run()
        .ok();
    for told in [&["status"][..], &["store", "list"], &["key", "address"]] {
        home.run(told)
            .ok()
            .stderr_has("keyfob.toml has not been trusted, and nothing in it counts")
            .stderr_has("hint: keyfob trust ")
            .stdout_lacks("http://127.0.0.1");
    }
    let report = home.run(["doctor", "--json"]).code(1).json();
    let checks = report["checks"].as_array().unwrap();
    let trust = checks
        .iter()
        .find(|check| check["check"] == "trust")
        .unwrap();
    assert_eq!(trust["status"], "fault");
    assert!(checks.iter().all(|check| check["subject"] != "gpu"));
    for word in [
        "get",
        "delete",
        "show",
        "login",
        "sync",
        "diff",
        "vault restore",
    ] {
        let words = word.split(' ').chain([""]);
        let run = home
            .keyfob(["--", "keyfob"].into_iter().chain(words))
            .env("KEYFOB_COMPLETE", "bash")
            .env(
                "_CLAP_COMPLETE_INDEX",
                (word.split(' ').count() + 1).to_string(),
            )
            .run();
        run.ok().quiet().stdout_lacks("gpu").stdout_lacks("web");
    }
    assert_eq!(servers.connections(), 0);
    assert!(!home.work().join("ran").exists());
    assert!(!home.work().join("theirs.age").exists());
}

#[test]
fn a_shell_completes_names_of_what_is_trusted() {
    let home = checkout("[stores.dev]\nprovider = \"neo\"\n");
    let complete = |word: &str| {
        home.keyfob(["--", "keyfob", word, ""])
            .env("KEYFOB_COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", "2")
            .run()
    };
    complete("get").ok().quiet().stdout_has("A");
    complete("login")
        .ok()
        .stdout_has("mine")
        .stdout_lacks("dev");
    home.run(["trust", "-y"]).ok();
    complete("login").ok().stdout_has("dev");
}

#[test]
fn the_question_is_asked_once_on_a_terminal_and_no_is_the_default() {
    let home = checkout("[env]\nWHO = \"keyfob://local/A\"\n");
    for (answer, trusted) in [("\n", false), ("n\n", false), ("y\n", true)] {
        let mut terminal = home
            .keyfob(["run", "--", "printenv", "WHO"])
            .on_a_terminal();
        terminal.exp_string("has not been trusted").unwrap();
        terminal
            .exp_string("line 2: env.WHO = \"keyfob://local/A\"")
            .unwrap();
        terminal.exp_string("[y/N]").unwrap();
        terminal.send(answer).unwrap();
        terminal.flush().unwrap();
        let rest = terminal.exp_eof().unwrap();
        assert_eq!(rest.contains("mine"), trusted, "{rest}");
        assert_eq!(rest.contains("error:"), !trusted, "{rest}");
        let code = if trusted { 0 } else { 12 };
        home.run(["list"]).code(code);
    }
    // It is not asked again, nor where nothing may be asked.
    let terminal = &mut home.keyfob(["list"]).on_a_terminal();
    assert!(!terminal.exp_eof().unwrap().contains("Trust"));
    home.run(["trust", "--revoke"]).ok();
    for (args, variable) in [
        (&["--no-input", "list"][..], "UNRELATED"),
        (&["list"], "CI"),
        (&["--json", "list"], "UNRELATED"),
    ] {
        let mut terminal = home.keyfob(args).env(variable, "1").on_a_terminal();
        let said = terminal.exp_eof().unwrap();
        assert!(
            said.contains("has not been trusted") && !said.contains("Trust "),
            "{said}"
        );
    }
    // `trust` asks as well, and `-q` shows what is asked about all the same.
    let mut terminal = home.keyfob(["-q", "get", "A"]).on_a_terminal();
    terminal.exp_string("env.WHO").unwrap();
    terminal.exp_string("[y/N]").unwrap();
    terminal.send("n\n").unwrap();
    terminal.flush().unwrap();
    terminal.exp_eof().unwrap();
    for (answer, code) in [("\n", 12), ("y\n", 0)] {
        let mut terminal = home.keyfob(["trust"]).on_a_terminal();
        terminal.exp_string("env.WHO").unwrap();
        terminal.exp_string("[y/N]").unwrap();
        terminal.send(answer).unwrap();
        terminal.flush().unwrap();
        terminal.exp_eof().unwrap();
        home.run(["list"]).code(code);
    }
}

#[test]
fn without_a_terminal_trust_wants_to_be_told_so() {
    let home = checkout("[env]\nX = \"A\"\n");
    let file = home.work().join("keyfob.toml");
    home.run(["trust"])
        .code(2)
        .stderr_has("line 2: env.X = \"A\"")
        .stderr_has("hint: once you have read it: keyfob trust -y");
    home.run(["list"]).code(12);
    home.run(["trust", "keyfob.toml"])
        .code(2)
        .stderr_has("keyfob trust -y keyfob.toml");
    home.run(["--json", "trust"]).code(2).stdout_is("");
    home.run(["trust", "-y"])
        .ok()
        .stderr_has("is trusted as it is now");
    home.run(["list"]).ok();
    // Once it is, nothing is left to ask.
    home.run(["trust"]).ok();
    let path = file.canonicalize().unwrap().display().to_string();
    let decides = json!([{"field": "env.X", "value": "A", "line": 2}]);
    let document = json!({"path": path, "trusted": true, "allowed": decides, "files": []});
    assert_eq!(
        home.run(["--json", "trust", "--show"]).ok().json(),
        document
    );
    assert_eq!(home.run(["--json", "trust", "-y"]).ok().json(), document);
}

#[test]
fn trust_holds_for_the_content_that_was_shown_and_no_other() {
    let text = "[stores.dev]\nprovider = \"local\"\npath = \"dev.age\"\n";
    let home = checkout(text);
    let file = home.work().join("keyfob.toml");
    let path = file.canonicalize().unwrap().display().to_string();
    home.run(["trust", "--show"])
        .ok()
        .stderr_has("line 3: stores.dev.path = \"dev.age\"")
        .stderr_has("has not been trusted")
        .stderr_lacks("is trusted");
    home.run(["list", "-s", "dev"]).code(12);
    home.run(["trust", "-y"]).ok();
    home.run(["list", "-s", "dev"]).code(NOT_MADE);
    assert_eq!(
        home.run(["--json", "trust", "--list"]).ok().json(),
        json!([{"path": path, "state": "trusted"}])
    );
    home.write("keyfob.toml", format!("{text}# a comment\n"));
    home.run(["list", "-s", "dev"])
        .code(12)
        .stderr_has("keyfob.toml has changed since it was trusted");
    home.run(["trust", "--list"]).ok().stdout_is(format!(
        "{path}\tchanged\t{path} has changed since it was trusted\n"
    ));
    home.write("keyfob.toml", text);
    home.run(["list", "-s", "dev"]).code(NOT_MADE);
    // The same content somewhere else is another file.
    home.write("elsewhere/keyfob.toml", text);
    fs::create_dir(home.work().join("elsewhere/.git")).unwrap();
    let elsewhere = home
        .keyfob(["list"])
        .cwd(home.work().join("elsewhere"))
        .run();
    elsewhere.code(12);
    let revoked = home.run(["--json", "trust", "--revoke"]).ok().json();
    assert_eq!(revoked, json!({"path": path, "trusted": false}));
    home.run(["list", "-s", "dev"]).code(12);
    home.run(["trust", "--revoke"]).code(3);
    assert_eq!(
        home.run(["--json", "trust", "--list"]).ok().json(),
        json!([])
    );
}

#[test]
fn a_change_by_keyfob_itself_stays_trusted_and_trusts_nothing_else() {
    let home = checkout("[env]\nX = \"A\"\n");
    let add = ["store", "add", "dev", "local", "path=dev.age", "--project"];
    home.run(add).code(12);
    home.run(["trust", "-y"]).ok();
    home.run(add).ok();
    home.run(["list", "-s", "dev"]).code(NOT_MADE);
    home.run(["store", "remove", "dev", "--project"]).ok();
    home.run(["list"]).ok();
    // A file of keyfob's own making is the user's word from the start.
    fs::remove_file(home.work().join("keyfob.toml")).unwrap();
    home.run(["init"]).ok();
    home.run(add).ok();
    home.run(["list", "-s", "dev"]).code(NOT_MADE);
    // What a variable lets count is not remembered, whatever is changed then.
    home.write("keyfob.toml", "[env]\nX = \"A\"\n");
    home.keyfob(add).env("KEYFOB_TRUST", "1").run().ok();
    home.run(["list"]).code(12);
}

#[test]
fn the_variable_trusts_for_one_process_alone_and_a_named_file_is_the_user_s_word() {
    let home = checkout("[stores.dev]\nprovider = \"local\"\npath = \"dev.age\"\n");
    let list = |value: &str| {
        home.keyfob(["list", "-s", "dev"])
            .env("KEYFOB_TRUST", value)
            .run()
    };
    list("1").code(NOT_MADE);
    for no in ["", "0", "false"] {
        list(no).code(12);
    }
    home.run(["list", "-s", "dev", "-C", "keyfob.toml"])
        .code(NOT_MADE);
    home.keyfob(["list", "-s", "dev"])
        .env("KEYFOB_CONFIG", "keyfob.toml")
        .run()
        .code(NOT_MADE);
    assert!(!home.config().join("trusted.json").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_whose_path_is_not_unicode_can_be_trusted() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let home = Home::new();
    let folder = home.work().join(OsStr::from_bytes(b"na\xefve"));
    // Another one, which is shown in the same way.
    let twin = home.work().join(OsStr::from_bytes(b"na\xeeve"));
    for folder in [&folder, &twin] {
        fs::create_dir(folder).unwrap();
        fs::write(
            folder.join("keyfob.toml"),
            "[stores.here]\nprovider = \"local\"\npath = \"v.age\"\n",
        )
        .unwrap();
    }
    let at = |folder, args: &[&str]| home.keyfob(args.iter().copied()).cwd(folder).run();
    at(&folder, &["list"]).code(12);
    at(&folder, &["trust", "-y"]).ok();
    at(&folder, &["set", "-s", "here", "A", "--generate"]).ok();
    at(&twin, &["list"]).code(12);
    let listed = at(&twin, &["trust", "--list"]);
    listed.ok().stdout_has("keyfob.toml");
    at(&twin, &["trust", "--revoke"]);
    at(&folder, &["list", "-s", "here"]).ok();
    at(&folder, &["trust", "--revoke"]).ok();
    at(&folder, &["list", "-s", "here"]).code(12);
}
