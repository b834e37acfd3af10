//! Changes made by keyfob itself: what the text becomes, and what is refused.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::{World, named};
use crate::config::edit;
use crate::words::error::{Error, Kind, Result};

pub(super) fn add(
    world: &World,
    file: &Path,
    name: &str,
    provider: &str,
    fields: &[(&str, &str)],
) -> Result<()> {
    let fields: Vec<_> = fields
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect();
    world.with(|options| edit::add_store(options, file, &named(name), provider, &fields))
}

pub(super) fn remove(world: &World, file: &Path, name: &str) -> Result<()> {
    world.with(|options| edit::remove_store(options, file, &named(name)))
}

pub(super) fn set_default(world: &World, file: &Path, name: &str) -> Result<()> {
    world.with(|options| edit::set_default_store(options, file, &named(name)))
}

pub(super) fn text(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap()
}

pub(super) fn project_file(world: &World) -> PathBuf {
    world.cwd.join("keyfob.toml")
}

#[test]
fn a_store_is_added_to_a_new_file() {
    let world = World::distrusting();
    let file = project_file(&world);
    let fields = [("project", "shop"), ("base_url", "https://nf.example.com/")];
    add(&world, &file, "web", "northflank", &fields).unwrap();
    assert_eq!(
        text(&file),
        "[stores.web]\nprovider = \"northflank\"\nproject = \"shop\"\nbase_url = \"https://nf.example.com\"\n"
    );
    // The user has said it all through keyfob.
    assert_eq!(world.left_out(), None);
}

#[test]
fn line_ends_of_the_file_are_none_of_a_value_s() {
    let world = World::new();
    for before in [
        "# x\r\n",
        "",
        "[stores.x]\r\nprovider = \"northflank\"\r\nproject = \"\"\"\na\n\"\"\"\r\n",
    ] {
        let file = world.project(before);
        let shop = "a \"b\" \n ü";
        add(&world, &file, "web", "northflank", &[("project", shop)]).unwrap();
        assert_eq!(world.store("web").text("project"), Some(shop), "{before:?}");
        assert!(text(&file).starts_with(before), "{before:?}");
        remove(&world, &file, "web").unwrap();
    }
}

#[test]
fn lists_are_written_as_arrays() {
    let world = World::new();
    let file = project_file(&world);
    let fields = [("recipients", "age1a, age1b")];
    add(&world, &file, "dev", "local", &fields).unwrap();
    assert!(text(&file).ends_with("recipients = [\"age1a\", \"age1b\"]\n"));
}

const COMMENTED: &str = "\
# Our secrets.

# What we mostly use.
default_store = \"a\" # mostly

# The first.
[stores.a] # one
provider   =  \"neo\"
# no field

# The second.
[stores.b]
provider = \"neo\"

# Variables.
[env]
A = \"a\" # named a
# the end
";

#[test]
fn adding_keeps_comments_and_stands_beside_the_other_stores() {
    let world = World::new();
    let file = world.project(COMMENTED);
    add(&world, &file, "c", "neo", &[]).unwrap();
    let wanted = COMMENTED.replace(
        "\n# Variables.",
        "\n[stores.c]\nprovider = \"neo\"\n\n# Variables.",
    );
    assert_eq!(text(&file), wanted);
}

#[test]
fn adding_at_the_end_comes_after_the_last_comment() {
    let world = World::new();
    let file = world.project("[env]\nA = \"a\"\n# the end");
    add(&world, &file, "c", "neo", &[]).unwrap();
    assert_eq!(
        text(&file),
        "[env]\nA = \"a\"\n# the end\n\n[stores.c]\nprovider = \"neo\"\n"
    );
    add(&world, &file, "d", "neo", &[]).unwrap();
    assert!(text(&file).ends_with("\n\n[stores.d]\nprovider = \"neo\"\n"));
}

#[test]
fn inline_tables_stay_inline() {
    let world = World::new();
    let file = world.project("stores = { a = { provider = \"neo\" } }\n");
    add(&world, &file, "b", "local", &[("path", "v.age")]).unwrap();
    assert_eq!(
        text(&file),
        "stores = { a = { provider = \"neo\" }, b = { provider = \"local\", path = \"v.age\" } }\n"
    );
    remove(&world, &file, "a").unwrap();
    assert_eq!(world.store("b").provider(), "local");
}

#[test]
fn dotted_keys_can_be_added_to_and_removed_from() {
    let world = World::new();
    let file = world.project("stores.a.provider = \"neo\"\nstores.b.provider = \"neo\"\n");
    add(&world, &file, "c", "local", &[]).unwrap();
    remove(&world, &file, "a").unwrap();
    let layers = world.load().unwrap();
    let names: Vec<_> = layers.stores().map(|store| store.name().as_str()).collect();
    assert_eq!(
        names,
        ["b", "bytenite", "c", "local", "neo", "northflank", "nosana"]
    );
}

#[test]
fn removing_takes_the_stores_own_comment_and_no_other() {
    let world = World::new();
    let file = world.project(COMMENTED);
    remove(&world, &file, "b").unwrap();
    assert_eq!(
        text(&file),
        COMMENTED.replace("# The second.\n[stores.b]\nprovider = \"neo\"\n\n", "")
    );
}

#[test]
fn removing_the_default_store_removes_that_line_too() {
    let world = World::new();
    let file = world.project(COMMENTED);
    remove(&world, &file, "a").unwrap();
    let wanted = COMMENTED
        .replace(
            "# What we mostly use.\ndefault_store = \"a\" # mostly\n\n",
            "",
        )
        .replace(
            "# The first.\n[stores.a] # one\nprovider   =  \"neo\"\n",
            "",
        );
    assert_eq!(text(&file), wanted);
    assert_eq!(world.load().unwrap().default_store().unwrap(), None);
}

#[test]
fn removing_what_a_built_in_store_is_configured_by_leaves_it_the_default() {
    let world = World::new();
    let file = world.project("default_store = \"local\"\n[stores.local]\npath = \"v.age\"\n");
    remove(&world, &file, "local").unwrap();
    assert_eq!(text(&file), "default_store = \"local\"\n");
}

#[test]
fn removing_the_only_store_keeps_what_opens_the_file() {
    let world = World::new();
    let file = world.project("# Our secrets.\n\n# Mine.\n[stores.a]\nprovider = \"neo\"\n# end\n");
    remove(&world, &file, "a").unwrap();
    assert_eq!(text(&file), "# Our secrets.\n\n# end\n");
}

#[test]
fn the_default_store_is_set_in_place_or_after_what_opens_the_file() {
    let world = World::new();
    let file = world.project(COMMENTED);
    set_default(&world, &file, "b").unwrap();
    let wanted = COMMENTED.replace("default_store = \"a\"", "default_store = \"b\"");
    assert_eq!(text(&file), wanted);
    world.project("# Our secrets.\n\n# Mine.\n[stores.a]\nprovider = \"neo\"\n");
    set_default(&world, &file, "a").unwrap();
    assert_eq!(
        text(&file),
        "# Our secrets.\n\ndefault_store = \"a\"\n\n# Mine.\n[stores.a]\nprovider = \"neo\"\n"
    );
    world.project("# Our secrets.");
    set_default(&world, &file, "neo").unwrap();
    assert_eq!(text(&file), "# Our secrets.\ndefault_store = \"neo\"\n");
}

#[test]
fn line_ends_stay_as_they_are() {
    let world = World::new();
    let file = world.project("# x\r\n[stores.a]\r\nprovider = \"neo\"\r\n");
    add(&world, &file, "b", "neo", &[]).unwrap();
    assert_eq!(
        text(&file),
        "# x\r\n[stores.a]\r\nprovider = \"neo\"\r\n\r\n[stores.b]\r\nprovider = \"neo\"\r\n"
    );
}

#[test]
fn what_cannot_be_added_says_why() {
    let world = World::new();
    let file = world.project("[stores.web]\nprovider = \"northflank\"\n");
    let refused = |name, provider, fields: &[(&str, &str)]| -> Error {
        add(&world, &file, name, provider, fields).unwrap_err()
    };
    let said = |error: Error| {
        (
            error.kind(),
            world.message(&error),
            error.hint_text().unwrap_or_default().to_owned(),
        )
    };
    let usage = |message: &str, hint: &str| (Kind::Usage, message.to_owned(), hint.to_owned());
    assert_eq!(
        said(refused("x", "northflnk", &[])),
        usage("there is no provider northflnk", "did you mean northflank?")
    );
    assert_eq!(
        said(refused("x", "neo", &[("base_ulr", "x")])),
        usage(
            "the provider neo has no field base_ulr",
            "did you mean base_url?"
        )
    );
    assert_eq!(
        said(refused("x", "neo", &[("base_url", "http://x.example.com")])),
        usage(
            "base_url must begin with https://; plain http:// is for loopback only",
            ""
        )
    );
    assert_eq!(
        said(refused("x", "neo", &[("api_key", "hunter2")])),
        usage(
            "api_key is a credential, which no file holds in the clear",
            "set KEYFOB_X_API_KEY or NEO_API_KEY, name a command that prints it in api_key_command, or run keyfob login x"
        )
    );
    assert_eq!(
        said(refused("x", "nosana", &[("keypair", "[1,2]")])),
        usage("keypair must be a path, not the key itself", "")
    );
    assert_eq!(
        said(refused("x", "nosana", &[("job", "")])),
        usage("job is empty", "")
    );
    assert_eq!(
        said(refused("x", "nosana", &[("job", "a"), ("job", "b")])),
        usage("job is given twice", "")
    );
    assert_eq!(
        said(refused("web", "neo", &[])),
        (
            Kind::Conflict,
            "/home/project/keyfob.toml has the store web already".into(),
            "edit the file, or remove the store first".into()
        )
    );
    assert_eq!(text(&file), "[stores.web]\nprovider = \"northflank\"\n");
}

#[test]
fn names_that_share_variables_are_refused() {
    let world = World::new();
    world.user("[stores.a-b]\nprovider = \"neo\"\n");
    let file = project_file(&world);
    let error = add(&world, &file, "a_b", "neo", &[]).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(!file.exists());
}

#[test]
fn what_is_not_there_cannot_be_removed_or_made_the_default() {
    let world = World::new();
    let file = world.project("[stores.web]\nprovider = \"neo\"\n");
    for error in [
        remove(&world, &file, "wbe").unwrap_err(),
        set_default(&world, &file, "wbe").unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::NotFound);
        assert_eq!(
            world.message(&error),
            "/home/project/keyfob.toml has no store wbe"
        );
        assert_eq!(error.hint_text(), Some("did you mean web?"));
    }
}

#[test]
fn files_are_named_from_the_working_directory() {
    let world = World::new();
    world.user("[stores.mine]\nprovider = \"neo\"\n");
    let file = Path::new("keyfob.toml");
    add(&world, file, "web", "neo", &[]).unwrap();
    set_default(&world, file, "mine").unwrap();
    assert_eq!(
        text(&project_file(&world)),
        "default_store = \"mine\"\n\n[stores.web]\nprovider = \"neo\"\n"
    );
    world.with(|options| {
        let user = Path::new("../config/config.toml");
        edit::remove_store(options, user, &named("mine")).unwrap();
    });
    assert_eq!(world.load().unwrap().stores().count(), 6);
}

#[test]
fn a_file_that_is_wrong_is_not_touched() {
    let world = World::new();
    let file = world.project("x = 1\n");
    let error = add(&world, &file, "web", "neo", &[]).unwrap_err();
    assert_eq!(
        world.message(&error),
        "/home/project/keyfob.toml:1:1: x is no key that keyfob knows"
    );
    assert_eq!(text(&file), "x = 1\n");
}

/// A line of a file that holds a comment, nothing, a store, or another table.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("# comment\n".to_owned()),
        Just("\n".to_owned()),
        "[a-f]".prop_map(|name| format!("[stores.{name}]\nprovider = \"neo\" # {name}\n")),
        Just("[env]\nA = \"a\"\n".to_owned()),
        Just("[[rotation.a.derive]]\nto = \"keyfob://a/b\"\ntemplate = \"x\"\n".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn adding_and_removing_keep_every_line(lines in proptest::collection::vec(line(), 0..8)) {
        let world = World::new();
        let before = lines.concat();
        let file = world.project(&before);
        prop_assume!(world.load().is_ok());
        add(&world, &file, "new", "neo", &[]).unwrap();
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let added = text(&file);
        let mut wanted = sorted(&before);
        wanted.extend(["[stores.new]".to_owned(), "provider = \"neo\"".to_owned()]);
        wanted.sort();
        prop_assert_eq!(sorted(&added), wanted);
        let own_comment = added.contains("# comment\n[stores.new]");
        remove(&world, &file, "new").unwrap();
        prop_assert!(!own_comment);
        prop_assert_eq!(sorted(&text(&file)), sorted(&before));
    }
}
