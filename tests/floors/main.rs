//! Holds the house to its floors: each module knows only the ones below it, no file of a folder
//! knows one that knows it, and the table in the crate's documentation is what is checked here.

mod house;
mod messages;
mod vendors;

use std::collections::BTreeSet;
use std::path::Path;

use house::House;

/// The modules from the top down. `main` and `testing` stand outside.
const FLOORS: &[&str] = &[
    "start",
    "commands",
    "complete",
    "doctor",
    "app",
    "rotate",
    "transfer",
    "inject",
    "scan",
    "exec",
    "fallback",
    "select",
    "store",
    "written",
    "providers",
    "session",
    "credential",
    "vault",
    "journal",
    "identity",
    "keyring",
    "http",
    "redact",
    "formats",
    "config",
    "ui",
    "state",
    "words",
];

/// Modules that still know one above them. The list only shrinks.
const UPWARD: &[(&str, &str)] = &[];

/// Folders that still have files which know each other in a circle. The list only shrinks.
const CIRCLES: &[&str] = &[];

fn house() -> House {
    House::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

#[test]
fn each_floor_knows_only_those_below_it() {
    let known: BTreeSet<(String, String)> = UPWARD
        .iter()
        .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
        .collect();
    let mut found = BTreeSet::new();
    let mut told = String::new();
    for (from, to) in house().edges() {
        let (above, below) = (from.room(), to.room());
        if above == "testing" || above == below {
            continue;
        }
        let place = |room: &str| {
            FLOORS
                .iter()
                .position(|floor| *floor == room)
                .unwrap_or_else(|| panic!("{room} has no floor"))
        };
        let pair = (above.to_owned(), below.to_owned());
        if place(above) > place(below) && found.insert(pair.clone()) && !known.contains(&pair) {
            told.push_str(&format!(
                "{above} knows {below}, which is above it: {from}\n"
            ));
        }
    }
    assert!(told.is_empty(), "{told}");
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(gone.is_empty(), "no exceptions any more: {gone:?}");
}

#[test]
fn no_folder_has_circles() {
    let circles = house().circles();
    let mut known = BTreeSet::from_iter(CIRCLES.iter().map(|folder| (*folder).to_owned()));
    let mut told = String::new();
    for circle in circles {
        let folder = common_folder(&circle);
        if !CIRCLES.contains(&folder.as_str()) {
            told.push_str(&format!("{} know each other\n", circle.join(", ")));
        }
        known.remove(&folder);
    }
    assert!(told.is_empty(), "{told}");
    assert!(known.is_empty(), "no exceptions any more: {known:?}");
}

/// The innermost folder that all modules of a circle are in, or are.
fn common_folder(circle: &[String]) -> String {
    let mut common: Vec<&str> = circle[0].split("::").collect();
    for module in circle {
        let words: Vec<&str> = module.split("::").collect();
        let same = common.iter().zip(&words).take_while(|(a, b)| a == b);
        common.truncate(same.count());
    }
    common.join("::")
}

#[test]
fn the_documented_floors_are_these() {
    let text = include_str!("../../src/lib.rs");
    let mut documented = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("//! | `")) {
        let modules = line.split('|').nth(1).unwrap_or_default();
        documented.extend(
            modules
                .split(',')
                .map(|module| module.trim().trim_matches('`')),
        );
    }
    assert_eq!(documented, FLOORS);
}
