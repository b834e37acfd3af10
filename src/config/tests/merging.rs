//! How files and the environment are laid over each other.

use super::World;
use crate::config::Origin;
use crate::config::environment::is_credential_variable;
use crate::words::secret::{Name, Target};

#[test]
fn fields_merge_one_by_one_and_the_project_wins() {
    let world = World::new();
    world.user("default_store = 'web'\n[stores.web]\nprovider = 'northflank'\nproject = 'mine'\nteam = 'acme'");
    world.project("default_store = 'neo'\n[stores.web]\nproject = 'shop'");
    let store = world.store("web");
    assert_eq!(store.provider(), "northflank");
    assert_eq!(store.text("project"), Some("shop"));
    assert_eq!(store.text("team"), Some("acme"));
    let config = world.load().unwrap();
    assert_eq!(config.default_store().unwrap().unwrap().as_str(), "neo");
}

#[test]
fn another_provider_makes_another_store() {
    let world = World::new();
    world.user("[stores.web]\nprovider = 'neo'\nbase_url = 'https://mine.example.com'\napi_key_command = 'pass'");
    world.project("[stores.web]\nprovider = 'bytenite'");
    let store = world.store("web");
    assert_eq!(store.provider(), "bytenite");
    assert_eq!(store.fields().count(), 0);
}

#[test]
fn a_built_in_store_can_be_given_another_provider() {
    let world = World::new();
    world.user("[stores.local]\nprovider = 'neo'");
    assert_eq!(world.store("local").provider(), "neo");
}

#[test]
fn the_environment_wins() {
    let mut world = World::new();
    world.project("[stores.my-web]\nprovider = 'northflank'\nproject = 'file'\ngroup = 'file'");
    world.var("KEYFOB_MY_WEB_PROJECT", "env");
    world.var("KEYFOB_MY_WEB_GROUP", "");
    let store = world.store("my-web");
    assert_eq!(store.text("project"), Some("env"));
    assert_eq!(store.text("group"), Some("file"));
    let origin = |field| store.origin(field).unwrap().to_string();
    assert_eq!(origin("project"), "environment KEYFOB_MY_WEB_PROJECT");
    let file = world.home("project").join("keyfob.toml");
    assert_eq!(origin("group"), format!("{}:4:9", file.display()));
    assert_eq!(
        store.origin("group"),
        Some(&Origin::File {
            path: file.into(),
            line: 4,
            column: 9,
            folder: world.home("project").into(),
        })
    );
}

#[test]
fn credentials_come_from_keyfobs_variable_before_the_vendors() {
    let mut world = World::new();
    world.project("[stores.data]\nprovider = 'bytenite'");
    world.var("BYTENITE_API_KEY", "vendor");
    let secret = |world: &World, store: &str| {
        let store = world.store(store);
        let secret = store.secret("api_key")?;
        let origin = store.origin("api_key").unwrap().to_string();
        Some((secret.expose_str().unwrap().to_owned(), origin))
    };
    let found =
        |value: &str, variable: &str| Some((value.into(), format!("environment {variable}")));
    assert_eq!(secret(&world, "data"), found("vendor", "BYTENITE_API_KEY"));
    world.var("KEYFOB_DATA_API_KEY", "own");
    assert_eq!(secret(&world, "data"), found("own", "KEYFOB_DATA_API_KEY"));
    assert_eq!(
        secret(&world, "bytenite"),
        found("vendor", "BYTENITE_API_KEY")
    );
    assert_eq!(secret(&world, "neo"), None);
    let shown = format!("{:?}", world.load().unwrap());
    assert!(
        !shown.contains("vendor") && !shown.contains("own\""),
        "{shown}"
    );
}

#[test]
fn the_environment_holds_a_path_or_the_key_itself() {
    let mut world = World::new();
    world.var("KEYFOB_NOSANA_KEYPAIR", "[1,2]");
    world.var("KEYFOB_LOCAL_IDENTITY", "id.txt");
    let nosana = world.store("nosana");
    assert_eq!(nosana.path("keypair"), None);
    assert_eq!(nosana.secret("keypair").unwrap().expose(), b"[1,2]");
    assert_eq!(nosana.display("keypair").as_deref(), Some("(set)"));
    let local = world.store("local");
    assert_eq!(
        local.path("identity"),
        Some(world.cwd.join("id.txt").as_path())
    );
    assert_eq!(local.secret("identity"), None);
    assert_eq!(local.display("identity").as_deref(), Some("id.txt"));
}

#[test]
fn only_what_may_be_secret_is_returned_as_one() {
    let mut world = World::new();
    world.var("KEYFOB_NORTHFLANK_GROUP", "g");
    assert_eq!(world.store("northflank").secret("group"), None);
}

#[test]
fn lists_come_from_arrays_or_from_commas() {
    let mut world = World::new();
    world.user("[stores.local]\nrecipients = ['age1a', 'ssh-ed25519 AAAA a,b']");
    assert_eq!(
        world.store("local").list("recipients"),
        ["age1a", "ssh-ed25519 AAAA a,b"]
    );
    world.var("KEYFOB_LOCAL_RECIPIENTS", "age1b, age1c");
    assert_eq!(world.store("local").list("recipients"), ["age1b", "age1c"]);
}

#[test]
fn base_urls_are_normal() {
    let world = World::new();
    world.user("[stores.neo]\nbase_url = 'https://neo.example.com/v2/'");
    let store = world.store("neo");
    assert_eq!(store.text("base_url"), Some("https://neo.example.com/v2"));
}

#[test]
fn the_environment_alone_can_make_a_store() {
    let mut world = World::new();
    world.var("KEYFOB_CI_WEB_PROVIDER", "northflank");
    world.var("KEYFOB_CI_WEB_PROJECT", "shop");
    let store = world.store("ci_web");
    assert_eq!(store.provider(), "northflank");
    assert_eq!(store.text("project"), Some("shop"));
}

#[test]
fn the_environment_can_give_a_store_another_provider() {
    let mut world = World::new();
    world.project("[stores.my-web]\nprovider = 'northflank'\nca_file = 'ca.pem'");
    world.var("KEYFOB_MY_WEB_PROVIDER", "neo");
    let store = world.store("my-web");
    assert_eq!(store.provider(), "neo");
    assert_eq!(store.fields().count(), 0);
}

#[test]
fn env_tables_merge_key_by_key() {
    let world = World::new();
    world.user("[env]\nA = 'user'\nB = 'user'");
    let project = world.project("[env]\nB = 'project'\nC = 'keyfob://neo/c'");
    world.trust(&project);
    let config = world.load().unwrap();
    let table = config.env_table();
    let name = |text: &str| Target::Name(Name::new(text).unwrap());
    let targets: Vec<_> = table
        .iter()
        .map(|(key, mapping)| (key.as_str(), mapping.variable.from.clone().unwrap()))
        .collect();
    assert_eq!(
        targets,
        [
            ("A", name("user")),
            ("B", name("project")),
            ("C", "keyfob://neo/c".parse().unwrap())
        ]
    );
}

#[test]
fn credential_variables_are_known_for_any_store() {
    let is = |name| is_credential_variable(super::SCHEMAS, name);
    for name in [
        "KEYFOB_WEB_API_TOKEN",
        "KEYFOB_A_B_API_KEY",
        "KEYFOB_NOSANA_KEYPAIR",
        "KEYFOB_LOCAL_IDENTITY",
        "BYTENITE_API_KEY",
        "NORTHFLANK_API_TOKEN",
        "NEO_API_KEY",
    ] {
        assert!(is(name), "{name}");
    }
    for name in [
        "KEYFOB_API_KEY",
        "KEYFOB__API_KEY",
        "KEYFOB_WEB_API_KEY_COMMAND",
        "KEYFOB_WEB_GROUP",
        "OTHER_API_KEY",
    ] {
        assert!(!is(name), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_an_error() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let world = World::new();
    let value = OsString::from_vec(vec![0xff]);
    let env =
        crate::words::env::Environment::from_vars([("KEYFOB_NEO_CA_FILE", value)], &world.cwd);
    let error = crate::config::Config::load(&crate::config::LoadOptions {
        env: &env,
        folders: &world.folders,
        files: Default::default(),
        schemas: super::SCHEMAS,
    });
    let error = error.unwrap_err();
    assert_eq!(error.kind(), crate::words::error::Kind::Config);
    assert_eq!(
        error.message(),
        "the environment variable KEYFOB_NEO_CA_FILE is not UTF-8"
    );
}
