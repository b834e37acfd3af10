//! What is wrong in a file is told with its place and a way out.

use proptest::prelude::*;

use super::World;
use crate::words::error::Kind;

/// Each file as a project's, and what loading it says: the place and message, then the hint.
const GOLDEN: &[(&str, &str, Option<&str>)] = &[
    (
        "default_store = \"dev\n",
        "1:21: invalid basic string, expected \"\\\"\"",
        None,
    ),
    (
        "[stores.a]\nprovider = \"local\"\n[stores.a]\n",
        "3:9: duplicate key",
        None,
    ),
    (
        "stores = 3\n",
        "1:10: stores must be a table, not an integer",
        None,
    ),
    (
        "[store.web]\nprovider = \"neo\"\n",
        "1:2: store is no key that keyfob knows",
        Some("did you mean stores?"),
    ),
    (
        "zebra = 1\n",
        "1:1: zebra is no key that keyfob knows",
        Some("the keys are default_store, stores, env, profiles, rotation"),
    ),
    (
        "[env]\nA = {}\n",
        "2:1: env.A needs from, default, or both",
        None,
    ),
    (
        "[env]\nA = 3\n",
        "2:5: env.A must be a string or a table, not an integer",
        None,
    ),
    (
        "[env]\nA = { form = \"x\" }\n",
        "2:7: env.A has no key form",
        Some("did you mean from?"),
    ),
    (
        "[env]\nA = { from = \"x\", required = \"no\" }\n",
        "2:30: env.A.required must be true or false, not a string",
        None,
    ),
    (
        "[env]\nA = { default = \"x\", required = false }\n",
        "2:22: env.A.required speaks of a secret, and there is no from",
        None,
    ),
    (
        "[env]\nA = { from = \"x\", default = \"y\", required = true }\n",
        "2:19: env.A has a default, and says that it is required",
        Some("leave one of them out"),
    ),
    (
        "[env]\nA = { default = 8080 }\n",
        "2:17: env.A.default must be a string, not an integer",
        None,
    ),
    (
        "[env]\nA = { default = \"keyfob://web/x\" }\n",
        "2:17: env.A.default is a plain value, and this is a reference",
        Some("a secret stands in from"),
    ),
    (
        "[profiles.prod]\nstore = \"web\"\n",
        "2:1: profiles.prod has no key store",
        Some("the keys are default_store, env"),
    ),
    (
        "[profiles.prod.env]\n\"a b\" = \"x\"\n",
        "2:1: \"a b\" is no name for an environment variable",
        Some("letters, digits and \"_\", not beginning with a digit"),
    ),
    (
        "default_store = \"Dev\"\n",
        "1:17: default_store: \"Dev\" is no store name: at most 64 lower-case letters, digits, \"-\" and \"_\", beginning with a letter or digit",
        None,
    ),
    (
        "[stores.\"ä\"]\nprovider = \"neo\"\n",
        "1:9: \"ä\" is no store name: at most 64 lower-case letters, digits, \"-\" and \"_\", beginning with a letter or digit",
        None,
    ),
    (
        "[stores]\nweb = \"neo\"\n",
        "2:7: stores.web must be a table, not a string",
        None,
    ),
    (
        "[stores.web]\nproject = \"shop\"\n",
        "1:9: stores.web names no provider",
        Some("add provider = \"NAME\" with one of local, nosana, bytenite, northflank, neo"),
    ),
    (
        "[stores.web]\nprovider = \"northflnk\"\n",
        "2:12: there is no provider northflnk",
        Some("did you mean northflank?"),
    ),
    (
        "[stores.web]\nprovider = \"vault\"\n",
        "2:12: there is no provider vault",
        Some("the providers are local, nosana, bytenite, northflank, neo"),
    ),
    (
        "[stores.web]\nprovider = \"northflank\"\nprojct = \"shop\"\n",
        "3:1: stores.web has no field projct: its provider is northflank",
        Some("did you mean project?"),
    ),
    (
        "[stores.web]\nprovider = \"northflank\"\nkeypair = \"id.json\"\n",
        "3:1: stores.web has no field keypair: its provider is northflank",
        Some("the fields are base_url, api_token_command, project, team, group, ca_file"),
    ),
    (
        "[stores.web]\nprovider = \"northflank\"\nproject = 7\n",
        "3:11: stores.web.project must be a string, not an integer",
        None,
    ),
    (
        "[stores.web]\nprovider = \"northflank\"\nteam = \"\"\n",
        "3:8: stores.web.team is empty",
        Some("leave the line out instead"),
    ),
    (
        "stores.\"web\" = { provider = \"northflank\", base_url = \"http://example.com\" }\n",
        "1:54: stores.web.base_url must begin with https://; plain http:// is for loopback only",
        None,
    ),
    (
        "[stores.nosana]\nbase_url = \"https://hunter2@example.com\"\n",
        "2:12: stores.nosana.base_url must not hold a user name or a password",
        None,
    ),
    (
        "[stores.nosana]\nnetwork = \"main\"\n",
        "2:11: stores.nosana.network must be mainnet or devnet",
        None,
    ),
    (
        "[stores.nosana]\nnetwork = \"mainet\"\n",
        "2:11: stores.nosana.network must be mainnet or devnet",
        Some("did you mean mainnet?"),
    ),
    (
        "[stores.nosana]\nkeypair = \"[1,2,3]\"\n",
        "2:11: stores.nosana.keypair must be a path, not the key itself",
        Some("keep the key in a file of your own, or in KEYFOB_NOSANA_KEYPAIR"),
    ),
    (
        "[stores.local]\nrecipients = \"age1x\"\n",
        "2:14: stores.local.recipients must be an array of strings, not a string",
        None,
    ),
    (
        "[stores.local]\nrecipients = [\n  \"age1x\",\n  2,\n]\n",
        "4:3: stores.local.recipients[] must be a string, not an integer",
        None,
    ),
    (
        "[stores.my-data]\nprovider = \"bytenite\"\napi_key = \"hunter2\"\n",
        "3:1: stores.my-data.api_key is a credential, which no file holds in the clear",
        Some(
            "set KEYFOB_MY_DATA_API_KEY or BYTENITE_API_KEY, name a command that prints it in api_key_command, or run keyfob login my-data",
        ),
    ),
    (
        "# ünicode\n[stores.web]\nprovider = \"northflank\" \napi_token = 12345\n",
        "4:1: stores.web.api_token is a credential, which no file holds in the clear",
        Some(
            "set KEYFOB_WEB_API_TOKEN or NORTHFLANK_API_TOKEN, name a command that prints it in api_token_command, or run keyfob login web",
        ),
    ),
    (
        "[env]\n\"DB-URL\" = \"x\"\n",
        "2:1: DB-URL is no name for an environment variable",
        Some("letters, digits and \"_\", not beginning with a digit"),
    ),
    (
        "[env]\nDB = \"keyfob://web\"\n",
        "2:6: env.DB: \"keyfob://web\" is no reference: there is no \"/\" after the store",
        Some("references are written keyfob://STORE/NAME, with %XX for odd characters in NAME"),
    ),
    (
        "[env]\nDB = true\n",
        "2:6: env.DB must be a string or a table, not a boolean",
        None,
    ),
    (
        "[stores.a-b]\nprovider = \"neo\"\n[stores.a_b]\nprovider = \"neo\"\n",
        "3:9: the stores a-b and a_b would share the environment variables KEYFOB_A_B_…",
        Some("rename one of them"),
    ),
    // Of several mistakes the first in the file is told.
    (
        "zebra = 1\nantelope = 2\n",
        "1:1: zebra is no key that keyfob knows",
        Some("the keys are default_store, stores, env, profiles, rotation"),
    ),
];

#[test]
fn mistakes_are_told_with_their_place() {
    let world = World::new();
    for (text, message, hint) in GOLDEN {
        world.project(text);
        let error = world.load().expect_err(text);
        assert_eq!(error.kind(), Kind::Config, "{text}");
        assert_eq!(
            world.message(&error),
            format!("/home/project/keyfob.toml:{message}")
        );
        assert_eq!(error.hint_text(), *hint, "{text}");
    }
}

#[test]
fn no_message_repeats_a_credential() {
    let world = World::new();
    for text in [
        "[stores.neo]\napi_key = \"hunter2\"",
        "[stores.neo]\napi_key = \"hunter2",
        "[stores.neo]\napi_key = hunter2",
        "[stores.neo]\napi_key = { hunter2 = 1 }",
        "[stores.neo]\ntoken = \"hunter2\"",
        "[stores.neo]\nbase_url = \"https://u:hunter2@x\"",
        "[stores.neo]\nbase_url = \"hunter2\"",
        "[stores.nosana]\nkeypair = \"[104,117,110] hunter2\"",
        "[stores.local]\nidentity = \"AGE-SECRET-KEY-1HUNTER2hunter2\"",
    ] {
        world.project(text);
        let error = world.load().expect_err(text);
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn variables_are_checked_as_files_are() {
    for (name, value, message) in [
        (
            "KEYFOB_NEO_BASE_URL",
            "http://hunter2.example.com",
            "the environment variable KEYFOB_NEO_BASE_URL must begin with https://; plain http:// is for loopback only",
        ),
        (
            "KEYFOB_NOSANA_NETWORK",
            "testnet",
            "the environment variable KEYFOB_NOSANA_NETWORK must be mainnet or devnet",
        ),
        (
            "KEYFOB_X_PROVIDER",
            "vault",
            "the environment variable KEYFOB_X_PROVIDER must be local, nosana, bytenite, northflank or neo",
        ),
    ] {
        let mut world = World::new();
        world.var(name, value);
        let error = world.load().unwrap_err();
        assert_eq!((error.kind(), error.message()), (Kind::Config, message));
    }
}

#[test]
fn a_default_store_that_does_not_exist_is_placed_when_it_is_needed() {
    let world = World::new();
    world.project("# x\ndefault_store = \"locl\"\n");
    let config = world.load().unwrap();
    let error = config.default_store().unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert_eq!(
        world.message(&error),
        "/home/project/keyfob.toml:2:17: default_store names the store locl, which does not exist"
    );
    assert!(
        error
            .hint_text()
            .unwrap()
            .starts_with("did you mean local?")
    );
}

#[test]
fn an_unknown_store_is_not_found_with_the_stores_there_are() {
    let world = World::new();
    let config = world.load().unwrap();
    let error = config.store(&super::named("nosanna")).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert_eq!(
        error.hint_text(),
        Some("did you mean nosana? the stores are bytenite, local, neo, northflank, nosana")
    );
}

#[test]
fn a_needed_field_that_is_not_set_says_where_to_set_it() {
    let world = World::new();
    let error = world.store("northflank").require("project").unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert_eq!(error.message(), "the store northflank has no project");
    assert_eq!(
        error.hint_text(),
        Some(
            "set project in [stores.northflank] of the configuration, or KEYFOB_NORTHFLANK_PROJECT"
        )
    );
}

/// Text made of what configurations are made of, so that more than the TOML parser is reached.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("[stores.a]\n"),
        Just("[stores.local]\n"),
        Just("[env]\n"),
        Just("[rotation.x]\n"),
        Just("provider = "),
        Just("targets = "),
        Just("derive = "),
        Just("every = "),
        Just("recipients = "),
        Just("base_url = "),
        Just("api_key = "),
        Just("A = "),
        Just("\"neo\"\n"),
        Just("\"keyfob://a/b\"\n"),
        Just("\"30d\"\n"),
        Just("[\"keyfob://a/b\", \"\"]\n"),
        Just("{ to = \"keyfob://a/b\", template = \"x\" }\n"),
        Just("{ \"keyfob://a/b\" = \"x\" }\n"),
        Just("[[[[\n"),
        Just("\u{feff}"),
        Just("é"),
        Just("3\n"),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_panics(text in prop_oneof![pieces(), "\\PC{0,40}", "[\\x00-\\x7f]{0,40}"]) {
        let world = World::new();
        world.project(&text);
        if let Err(error) = world.load() {
            prop_assert_eq!(error.kind(), Kind::Config);
            let message = world.message(&error);
            let place = message.strip_prefix("/home/project/keyfob.toml:").unwrap();
            let mut numbers = place.splitn(3, ':');
            prop_assert!(numbers.next().unwrap().parse::<usize>().unwrap() >= 1);
            prop_assert!(numbers.next().unwrap().parse::<usize>().unwrap() >= 1);
        }
    }
}
