//! Completions, manual pages and help texts are made from the command line's definition; what is
//! committed must be what would be made now. `SNAPSHOTS=overwrite cargo test --test cli docs`
//! makes them anew.

use std::path::{Path, PathBuf};

use snapbox::{Assert, Data, assert::DEFAULT_ACTION_ENV};

use crate::support::home::Home;

/// Holds a file to what it would be if it were made now.
#[track_caller]
pub fn check(actual: &str, path: PathBuf) {
    let expected = Data::read_from(&path, None).raw();
    Assert::new()
        .action_env(DEFAULT_ACTION_ENV)
        .normalize_paths(false)
        .eq(actual, expected);
}

/// A path in the project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn completions_are_current() {
    let home = Home::new();
    for (shell, file) in [
        ("bash", "keyfob.bash"),
        ("zsh", "_keyfob"),
        ("fish", "keyfob.fish"),
        ("elvish", "keyfob.elv"),
        ("powershell", "_keyfob.ps1"),
    ] {
        let script = home.run(["completions", shell]).ok().text();
        check(&script, project("completions").join(file));
    }
}

#[test]
fn manual_pages_are_current_and_complete() {
    let home = Home::new();
    home.run(["man", "--dir", "pages"]).ok();
    let made = names(&home.work().join("pages"));
    assert!(made.contains(&"keyfob-run.1".to_owned()), "{made:?}");
    for name in &made {
        let page = String::from_utf8(home.read(format!("pages/{name}"))).unwrap();
        check(&page, project("man").join(name));
    }
    assert_eq!(
        names(&project("man")),
        made,
        "man/ holds a page that is made no more"
    );
}

#[test]
fn help_texts_are_current_and_every_command_has_examples() {
    let home = Home::new();
    let mut text = String::new();
    for name in names_of_commands() {
        // The one word that has a hyphen itself.
        let spaced = name.replace('-', " ").replace("git setup", "git-setup");
        let words: Vec<&str> = spaced.split(' ').skip(1).collect();
        let run = home
            .keyfob(words.iter().copied().chain(["--help"]))
            .env("COLUMNS", "100")
            .run();
        let help = run.ok().text();
        let leads_on = help.contains("\nCommands:\n") && name != "keyfob";
        assert!(
            leads_on || help.contains("Examples:\n"),
            "{name} has no example"
        );
        text.push_str(&format!("$ {spaced} --help\n{help}\n"));
    }
    check(&text, project("tests/snapshots/help.txt"));
}

#[test]
fn pages_are_printed_one_by_one() {
    let home = Home::new();
    for (words, title) in [
        (&[][..], "KEYFOB"),
        (&["key", "new"], "KEYFOB\\-KEY\\-NEW"),
        (&["keyfob-key-new"], "KEYFOB\\-KEY\\-NEW"),
        (&["keyfob.toml"], "KEYFOB.TOML"),
        (&["ci"], "KEYFOB\\-CI"),
        (&["keyfob-ci"], "KEYFOB\\-CI"),
    ] {
        let page = home.run([&["man"], words].concat());
        page.ok().stdout_has(&format!(".TH \"{title}\" "));
    }
    home.run(["man", "nothing"]).code(3);
    let listed = home.run(["man", "--list"]).ok().text();
    assert_eq!(
        listed.lines().count(),
        keyfob::testing::manual_pages().len()
    );
    assert!(listed.contains("keyfob.toml(5)\n"), "{listed}");
    // As man looks for them.
    home.run(["man", "--dir", "share/man1"]).ok();
    for file in ["man1/keyfob.1", "man5/keyfob.toml.5", "man7/keyfob-ci.7"] {
        assert!(home.work().join("share").join(file).exists(), "{file}");
    }
}

/// What each provider can do, as the table of `docs/stores.md` says it.
fn table_of_providers() -> String {
    use keyfob::testing::{Capability, registry};

    let mut table = String::from("| |");
    for spec in registry::PROVIDERS {
        table.push_str(&format!(" {} |", spec.name()));
    }
    table.push_str("\n|---|");
    table.push_str(&"---|".repeat(registry::PROVIDERS.len()));
    table.push('\n');
    for capability in Capability::ALL {
        table.push_str(&format!("| {} |", capability.title()));
        for spec in registry::PROVIDERS {
            let mark = if spec.capabilities.has(capability) {
                "yes"
            } else {
                "–"
            };
            table.push_str(&format!(" {mark} |"));
        }
        table.push('\n');
    }
    table
}

#[test]
fn the_table_of_stores_says_what_the_providers_can_do() {
    const BEGIN: &str = "<!-- providers: checked against the registry by a test -->\n";
    const END: &str = "<!-- /providers -->";
    let path = project("docs/stores.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    let current = table_of_providers();
    if std::env::var_os("SNAPSHOTS").is_some_and(|action| action == "overwrite") {
        std::fs::write(&path, format!("{before}{BEGIN}{current}{END}{after}")).unwrap();
    } else {
        assert_eq!(table, current);
    }
}

/// The names of all pages, which are those of all commands.
fn names_of_commands() -> Vec<String> {
    let pages = keyfob::testing::manual_pages().into_iter();
    let pages = pages.filter(|page| page.section == 1);
    pages.map(|page| page.name).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The text of every Rust file below `folder`.
fn sources(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            all.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn the_tests_that_the_promises_name_are_there() {
    let promises = std::fs::read_to_string(project("SECURITY.md")).unwrap();
    let mut code = String::new();
    for folder in ["src", "tests"] {
        sources(&project(folder), &mut code);
    }
    // The names of tests are sentences.
    let is_test = |word: &&str| {
        word.matches('_').count() > 2
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || b"_0123456789".contains(&byte))
    };
    let named: Vec<&str> = promises.split('`').filter(is_test).collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        let is_there = code.contains(&format!("    #[test]\n    fn {name}("))
            || code.contains(&format!("#[test]\nfn {name}("));
        assert!(is_there, "there is no test {name}");
    }
}
