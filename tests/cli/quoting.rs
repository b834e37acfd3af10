//! How names, files and values that are odd stand in what keyfob says: in double quotes, as one word
//! of the shell in a command to type, or as a reference; and never so that they could be taken for a
//! part of the sentence, or overlooked.

use crate::support::run::Run;
use crate::support::world::World;

/// What is in every odd name, and in no message of keyfob's own.
const MARK: &str = "Qx";

const ODD: [&str; 9] = [
    " Qx",
    "Qx ",
    "Qx y",
    "Qx\"y",
    "it's Qx",
    "Qx,",
    "Qx\ny",
    "Qx`id`",
    "\u{200b}Qx",
];

/// `line` without what stands in it in double quotes, as a shell's word, as a reference, or described.
fn unquoted(line: &str) -> String {
    let mut left = String::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let end = if rest.starts_with("keyfob://") {
            rest.find(' ')
        } else if let Some(inside) = rest.strip_prefix("$'") {
            closed(inside, '\'', true).map(|end| end + 2)
        } else if c == '"' {
            closed(&rest[1..], '"', true).map(|end| end + 1)
        } else if c == '\\' {
            Some(2)
        } else if c == '\'' && !left.ends_with(char::is_alphanumeric) {
            closed(&rest[1..], '\'', false).map(|end| end + 1)
        } else {
            left.push(c);
            Some(c.len_utf8())
        };
        rest = &rest[end.unwrap_or(rest.len())..];
    }
    left
}

/// Where `text` goes on behind the next `quote`; with `escapes` a backslash takes the meaning of what
/// follows.
fn closed(text: &str, quote: char, escapes: bool) -> Option<usize> {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if escapes => drop(chars.next()),
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The lines in which something odd stands as it is, each with what was run.
#[derive(Default)]
struct Unseen(Vec<String>);

impl Unseen {
    fn look_at(&mut self, run: &Run, what: &str) {
        let lines = run.stderr.lines();
        let wrong = lines.filter(|line| [MARK, "`"].iter().any(|it| unquoted(line).contains(it)));
        self.0.extend(wrong.map(|line| format!("{what}: {line}")));
    }

    fn none(&self) {
        assert!(self.0.is_empty(), "{}", self.0.join("\n"));
    }
}

/// Commands about `N`, a secret, on every provider.
const OF_SECRETS: &[&[&str]] = &[
    &["get", "--", "N"],
    &["show", "--", "N"],
    &["delete", "--", "N"],
    &["history", "--", "N"],
    &["restore", "--", "N"],
    &["set", "--generate", "--", "N"],
    &["set", "--if-absent", "--generate", "--", "N"],
    &["set", "--keep-value", "--description", "d", "--", "N"],
    &["get", "--", "N"],
    &["restore", "--", "N", "99"],
    &["move", "--", "N", "A"],
    &["move", "--", "N", "N"],
    &["move", "--", "N", "N2"],
    &["move", "--", "A", "N"],
    &["edit", "--", "N"],
    &["run", "--only", "N", "--", "true"],
    &["run", "-e", "V=N", "--", "true"],
    &["run", "--", "true"],
    &["run", "--strict", "--", "true"],
    &["run", "--mask", "--", "true"],
    &["export", "--except", "N"],
    &["export", "--only", "N"],
    &["export", "--format", "docker"],
    &["export", "--format", "k8s"],
    &["export", "--strip-prefix", "qN"],
    &["export", "-e", "VN=A"],
    &["rotate", "--dry-run", "--", "N"],
    &["rotate", "--undo", "--", "N"],
    &["rotate", "--", "N"],
    &["where", "--", "N"],
    &["list", "--prefix", "qN"],
    &["list", "qN*"],
    &["sync", "STORE", "local", "--only", "N"],
    &["sync", "STORE", "local", "--only", "N", "--dry-run"],
    &["copy", "N", "local"],
    &["diff", "STORE", "local", "--only", "N"],
    &["delete", "-y", "--", "N", "N2"],
];

#[test]
fn odd_names_of_secrets_are_seen_on_every_provider() {
    let world = World::new();
    let mut unseen = Unseen::default();
    let home = &world.home;
    home.keyfob(["set", "A"]).stdin("value-a").run().ok();
    for store in [
        "local",
        "nosana",
        "northflank",
        "bytenite",
        "neo",
        "openbao",
    ] {
        for odd in ODD {
            for args in OF_SECRETS {
                let args = args.iter().map(|word| match *word {
                    "STORE" => store.to_owned(),
                    word if word.starts_with("--") => word.to_owned(),
                    word => word.replace('N', odd),
                });
                let args: Vec<String> = args.collect();
                let run = match args[0].as_str() {
                    "sync" | "diff" => home.keyfob(&args),
                    _ => home.keyfob(["-s", store]).args(&args),
                };
                unseen.look_at(&run.run(), &format!("{store}: {args:?}"));
            }
        }
    }
    unseen.none();
}

/// Commands about `N`, whatever it should be.
const OF_OTHERS: &[&[&str]] = &[
    &["-s", "N", "list"],
    &["-P", "N", "list"],
    &["-C", "N", "list"],
    &["--timeout", "N", "list"],
    &["--color", "N", "list"],
    &["N"],
    &["--N"],
    &["get", "A", "N"],
    &["get", "N", "N"],
    &["get", "--", "keyfob://N/x"],
    &["get", "--", "keyfob://local/N"],
    &["list", "N["],
    &["list", "--type", "N"],
    &["export", "--format", "N"],
    &["export", "--format", "k8s", "--name", "N"],
    &["export", "-o", "N/x"],
    &["import", "N"],
    &["inject", "-i", "N"],
    &["inject", "-o", "N/x"],
    &["inject", "--mode", "N"],
    &["run", "--", "N"],
    &["run", "--mask", "--", "N"],
    &["run", "--pristine", "--", "N"],
    &["run", "--env-file", "N", "--", "true"],
    &["run", "--fallback=N", "--", "true"],
    &["set", "A", "--file", "N"],
    &["set", "A", "--from-env", "N"],
    &["set", "A", "--attr", "N"],
    &["set", "A", "--attr", "N=1"],
    &["set", "A", "--expires-at", "N"],
    &["scan", "N"],
    &["generate", "N"],
    &["store", "add", "N", "neo"],
    &["store", "add", "x", "N"],
    &["store", "add", "x", "neo", "N=a"],
    &["store", "remove", "N"],
    &["login", "N"],
    &["logout", "N"],
    &["help", "N"],
    &["man", "N"],
    &["man", "--dir", "N/x"],
    &["completions", "N"],
    &["copy", "A", "N"],
    &["sync", "local", "N"],
    &["diff", "N", "local"],
    &["group", "N"],
    &["group", "show", "-s", "northflank", "N"],
    &[
        "group",
        "create",
        "-s",
        "northflank",
        "--restrict",
        "N",
        "x",
    ],
    &["group", "create", "-s", "northflank", "--addon", "N", "x"],
    &["group", "create", "-s", "northflank", "N"],
    &[
        "group",
        "update",
        "-s",
        "northflank",
        "N",
        "--description",
        "d",
    ],
    &["group", "delete", "-s", "northflank", "-y", "N"],
    &["vault", "N"],
    &["vault", "purge", "-y", "N"],
    &["vault", "recipients", "add", "N"],
    &["vault", "recipients", "remove", "N"],
    &["vault", "diff", "N"],
    &["vault", "merge", "N", "N", "N"],
    &["key", "address", "N"],
    &["key", "import", "N"],
    &["key", "new", "-o", "N/x"],
    &["identity", "export", "-y", "-o", "N/x"],
    &["trust", "N"],
    &["rotate", "A", "--to", "N"],
    &["rotate", "A", "--derive", "N"],
    &["rotate", "A", "--generate", "N"],
    &["rotate", "A", "--file", "N"],
    &["restore", "A", "N"],
];

#[test]
fn whatever_is_odd_is_seen_wherever_it_is_given() {
    let world = World::new();
    let mut unseen = Unseen::default();
    let home = &world.home;
    home.keyfob(["set", "A"]).stdin("value-a").run().ok();
    for odd in ODD {
        for args in OF_OTHERS {
            let args: Vec<String> = args.iter().map(|word| word.replace('N', odd)).collect();
            unseen.look_at(&home.run(&args), &format!("{args:?}"));
        }
        let file = format!("A=1\n{odd}=2\nA=3\n");
        for format in ["dotenv", "json", "yaml", "toml"] {
            let import = home.keyfob(["import", "--format", format, "-"]);
            unseen.look_at(
                &import.stdin(file.clone()).run(),
                &format!("{format}: {odd:?}"),
            );
        }
        let json = serde_json::json!({ odd: [1] }).to_string();
        let import = home.keyfob(["import", "--format", "json", "-"]);
        unseen.look_at(&import.stdin(json).run(), &format!("json: {odd:?}"));
    }
    unseen.none();
}

#[test]
fn odd_words_of_a_configuration_are_seen() {
    let world = World::new();
    let mut unseen = Unseen::default();
    for odd in ODD {
        let key = serde_json::to_string(odd).unwrap();
        for text in [
            format!("{key} = 1\n"),
            format!("default_store = {key}\n"),
            format!("[stores.{key}]\nprovider = \"neo\"\n"),
            format!("[stores.web]\nprovider = {key}\n"),
            format!("[stores.web]\nprovider = \"neo\"\n{key} = \"x\"\n"),
            format!("[stores.web]\nprovider = \"nosana\"\nnetwork = {key}\n"),
            format!("[stores.web]\nprovider = \"neo\"\nbase_url = {key}\n"),
            format!("[env]\n{key} = \"A\"\n"),
            format!("[env]\nA = {{ {key} = 1 }}\n"),
            format!("[env]\nA = {key}\n"),
            format!("[profiles.{key}]\ndefault_store = 1\n"),
            format!("[rotation.{key}]\nevery = {key}\n"),
        ] {
            world.home.write("keyfob.toml", &text);
            for args in [
                &["list"][..],
                &["check"],
                &["doctor", "-s", "local"],
                &["run", "--", "true"],
            ] {
                let run = world.home.keyfob(args).env("KEYFOB_TRUST", "1").run();
                unseen.look_at(&run, &format!("{text}: {args:?}"));
            }
        }
    }
    unseen.none();
}
