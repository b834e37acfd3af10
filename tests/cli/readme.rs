//! The README's commands, run in order and as they are typed, in an empty home; and that it stays one
//! of two minutes.

use std::path::Path;

use crate::docs::project;
use crate::support::bus::installed;
use crate::support::home::{BINARY, Home};

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
    let text = std::fs::read_to_string(project("docs/shells.md")).unwrap();
    let mut envrc = blocks(&text).into_iter().map(|(_, block)| block);
    let envrc = envrc.find(|block| block.starts_with("# .envrc")).unwrap();
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
