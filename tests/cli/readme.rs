//! The README's commands, run in order and as they are typed, in an empty home; and that it stays one
//! of two minutes.

use std::path::Path;

use crate::docs::project;
use crate::support::home::{BINARY, Home, set_mode};
use crate::support::programs::installed;

/// The blocks of a text that stand between fences: their kind and their lines.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let blocks = text.split("```").skip(1).step_by(2);
    blocks
        .map(|block| block.split_once('\n').unwrap())
        .collect()
}

/// An empty home where `keyfob` is on the path.
fn home() -> Home {
    let mut home = Home::new();
    let mut path = Path::new(BINARY).parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    home.set("PATH", path);
    home
}

#[test]
fn every_command_of_the_readme_works_in_order_as_typed() {
    let readme = std::fs::read_to_string(project("README.md")).unwrap();
    let home = home();
    let mut run = 0;
    for (kind, block) in blocks(&readme) {
        let console = match kind {
            "console" => true,
            "sh" => false,
            // Installing takes a compiler and minutes.
            _ => continue,
        };
        let mut lines = block.lines().peekable();
        while let Some(line) = lines.next() {
            let command = if console {
                line.strip_prefix("$ ").unwrap()
            } else {
                line
            };
            let mut shown = Vec::new();
            while let Some(line) = lines.next_if(|line| console && !line.starts_with("$ ")) {
                shown.push(line);
            }
            let ended = home.program("sh", ["-c", command]).run();
            ended.ok();
            run += 1;
            if console {
                let text = ended.text();
                let told: Vec<&str> = text.lines().collect();
                assert_eq!(told.len(), shown.len(), "{command}: {text}");
                for (told, shown) in told.iter().zip(shown) {
                    // What differs from day to day is left out.
                    let begin = shown.split('…').next().unwrap().trim_end();
                    assert!(told.starts_with(begin), "{command}: {told}");
                }
            }
        }
    }
    assert!(run > 20, "{run}");
}

#[test]
fn the_readme_is_one_of_two_minutes_and_its_links_lead_somewhere() {
    let readme = std::fs::read_to_string(project("README.md")).unwrap();
    assert!(readme.lines().count() <= 200);
    for link in readme.split("](").skip(1) {
        let target = link.split(')').next().unwrap();
        assert!(
            target.contains("://") || project(target).exists(),
            "{target}"
        );
    }
    let pages = keyfob::testing::manual_pages();
    for page in readme
        .split('[')
        .skip(1)
        .filter_map(|link| link.split_once("]("))
    {
        let Some((name, section)) = page
            .0
            .strip_suffix(')')
            .and_then(|page| page.split_once('('))
        else {
            continue;
        };
        let is_there =
            |it: &keyfob::testing::ManualPage| it.name == name && it.section.to_string() == section;
        assert!(pages.iter().any(is_there), "{name}({section})");
    }
}

#[test]
fn every_command_is_in_the_readme_s_table() {
    use clap::CommandFactory as _;

    let readme = std::fs::read_to_string(project("README.md")).unwrap();
    let (_, table) = readme.split_once("\n## What for what\n").unwrap();
    let table = table.split("\n## ").next().unwrap();
    let named: Vec<&str> = table
        .split('`')
        .skip(1)
        .step_by(2)
        .flat_map(str::split_whitespace)
        .collect();
    for command in keyfob::testing::Cli::command().get_subcommands() {
        let name = command.get_name();
        let elsewhere = ["completions", "man", "help"];
        assert!(
            named.contains(&name) || elsewhere.contains(&name),
            "{name} is not in the table"
        );
    }
}

#[test]
fn direnv_loads_what_the_envrc_of_the_manual_brings() {
    if !installed("direnv") || !installed("bash") {
        eprintln!(
            "skipped: direnv_loads_what_the_envrc_of_the_manual_brings needs direnv and bash"
        );
        return;
    }
    let envrc = of_the_page_on_shells("# .envrc");
    let home = home();
    for name in ["TOKEN", "OTHER"] {
        home.keyfob(["set", name])
            .stdin("c4n4ry $x\nsecond")
            .run()
            .ok();
    }
    home.write(
        "keyfob.toml",
        "[env]\nMY_TOKEN = \"keyfob://local/TOKEN\"\n",
    );
    home.keyfob(["trust", "-y"]).run().ok();
    home.write(".envrc", envrc);
    home.program("direnv", ["allow", "."]).run().ok();
    let show = || {
        home.program(
            "direnv",
            ["exec", ".", "sh", "-c", "printf %s \"$MY_TOKEN${OTHER-}\""],
        )
        .run()
    };
    show()
        .ok()
        .stdout_is("c4n4ry $x\nsecond")
        .stderr_lacks("c4n4ry");
    // Another file is another question.
    home.write(
        "keyfob.toml",
        "[env]\nMY_TOKEN = \"keyfob://local/OTHER\"\n",
    );
    let changed = show();
    changed.stdout_lacks("c4n4ry").stderr_has("keyfob trust");
}

/// The block of the page on shells that begins so.
fn of_the_page_on_shells(begin: &str) -> String {
    let text = std::fs::read_to_string(project("docs/shells.md")).unwrap();
    let mut found = blocks(&text).into_iter().map(|(_, block)| block);
    let found = found.find(|block| block.starts_with(begin));
    found.unwrap().to_owned()
}

/// A home with a trusted configuration that brings `TOKEN`, and an `npm` that shows it.
fn home_with_npm() -> (Home, std::ffi::OsString) {
    let home = home();
    home.keyfob(["set", "TOKEN"]).stdin("c4n4ry $x").run().ok();
    home.write("keyfob.toml", "[env]\nTOKEN = \"keyfob://local/TOKEN\"\n");
    home.keyfob(["trust", "-y"]).run().ok();
    let bin = home.home().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::write(bin.join("npm"), "#!/bin/sh\necho \"$* [${TOKEN-}]\"\n").unwrap();
    set_mode(&bin.join("npm"), 0o755);
    let mut path = bin.into_os_string();
    for folder in [
        project("target/consumers/venv/bin"),
        project("target/consumers/node_modules/.bin"),
        Path::new(BINARY).parent().unwrap().to_owned(),
    ] {
        path.push(":");
        path.push(folder);
    }
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    (home, path)
}

/// Whether `program` is on `path`; says that `test` is left out where it is not.
fn is_on(path: &std::ffi::OsStr, program: &str, test: &str) -> bool {
    let found = std::env::split_paths(path).any(|folder| folder.join(program).is_file());
    if !found {
        eprintln!("skipped: {test} needs {program}");
    }
    found
}

#[test]
fn just_runs_what_the_justfile_of_the_manual_says() {
    let (home, path) = home_with_npm();
    if !is_on(
        &path,
        "just",
        "just_runs_what_the_justfile_of_the_manual_says",
    ) {
        return;
    }
    home.write("justfile", of_the_page_on_shells("# justfile"));
    for (recipe, shown) in [
        ("start", "start [c4n4ry $x]\n"),
        ("migrate", "run migrate [c4n4ry $x]\n"),
    ] {
        let just = home.program("just", [recipe]).env("PATH", &path).run();
        just.ok().stdout_is(shown).stderr_lacks("c4n4ry");
    }
    home.write("keyfob.toml", "[env]\nTOKEN = \"keyfob://local/OTHER\"\n");
    let just = home.program("just", ["start"]).env("PATH", &path).run();
    just.stdout_is("").stderr_has("keyfob trust");
}

#[test]
fn mise_brings_what_the_page_on_shells_says() {
    let (home, path) = home_with_npm();
    if !is_on(&path, "mise", "mise_brings_what_the_page_on_shells_says") {
        return;
    }
    home.write("mise.toml", of_the_page_on_shells("# mise.toml"));
    let envrc = of_the_page_on_shells("# .envrc");
    let line = envrc.lines().nth(1).unwrap();
    home.write("secrets.sh", format!("{line}\n"));
    let mise = |arguments: &[&str]| {
        let run = home.program("mise", arguments).env("PATH", &path);
        run.env("MISE_TRUSTED_CONFIG_PATHS", home.work()).run()
    };
    let exec = mise(&["exec", "--", "npm", "x"]);
    exec.ok()
        .stdout_is("x [c4n4ry $x]\n")
        .stderr_lacks("c4n4ry");
    let task = mise(&["run", "start"]);
    task.ok().stdout_has("start [").stdout_lacks("c4n4ry");
}
