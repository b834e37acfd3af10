//! One test a rule of trust.

use super::{World, named};
use crate::config::review::{Allowed, review};
use crate::config::trust::{State, TrustRecord};
use crate::words::error::{Error, Kind};

const GATED: &str = "[stores.web]\nprovider = 'northflank'\nproject = 'shop'\nbase_url = 'https://nf.example.com'\nca_file = 'ca.pem'\n";

fn refused(world: &World, store: &str) -> Error {
    let error = world.store(store).check_trust().unwrap_err();
    assert_eq!(error.kind(), Kind::Untrusted);
    error
}

#[test]
fn gated_fields_of_a_project_need_trust() {
    let world = World::new();
    world.project(GATED);
    let error = refused(&world, "web");
    assert_eq!(
        world.message(&error),
        "/home/project/keyfob.toml has not been trusted, and sets `stores.web.base_url`, `stores.web.ca_file`"
    );
    assert_eq!(
        error.hint_text(),
        Some("read the file, then run `keyfob trust`; in CI set KEYFOB_TRUST=1")
    );
    assert_eq!(error.store_name(), Some("web"));
    assert_eq!(
        world.store("web").untrusted_fields(),
        ["base_url", "ca_file"]
    );
}

#[test]
fn other_fields_and_other_stores_do_not() {
    let world = World::new();
    world.project(&format!("{GATED}[stores.shop]\nprovider = 'northflank'\nproject = 'x'\n[stores.dev]\nprovider = 'local'\npath = 'v.age'"));
    for store in ["shop", "dev", "neo"] {
        assert!(world.store(store).check_trust().is_ok(), "{store}");
    }
    assert!(world.store("dev").is_from_untrusted("path"));
    assert!(!world.store("dev").is_from_untrusted("identity"));
}

#[test]
fn a_trusted_file_counts() {
    let world = World::new();
    let project = world.project(GATED);
    world.trust(&project);
    assert!(world.store("web").check_trust().is_ok());
    assert!(!world.store("web").is_from_untrusted("project"));
    let list = TrustRecord::new(&world.folders).list().unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!((&list[0].path, list[0].state), (&project, State::Trusted));
}

#[test]
fn a_change_by_others_ends_trust() {
    let world = World::new();
    let project = world.project(GATED);
    world.trust(&project);
    world.project(&GATED.replace("nf.", "evil."));
    refused(&world, "web");
    let record = TrustRecord::new(&world.folders);
    assert_eq!(record.list().unwrap()[0].state, State::Changed);
    std::fs::remove_file(&project).unwrap();
    assert_eq!(record.list().unwrap()[0].state, State::Missing);
}

#[test]
fn the_same_content_elsewhere_is_not_trusted() {
    let mut world = World::new();
    let project = world.project(GATED);
    world.trust(&project);
    world.write(world.home("clone/keyfob.toml"), GATED);
    world.cwd = world.home("clone");
    refused(&world, "web");
}

#[cfg(unix)]
#[test]
fn a_link_to_a_trusted_file_means_what_was_trusted() {
    let mut world = World::new();
    let project = world.project(GATED);
    world.trust(&project);
    let clone = world.home("clone");
    std::fs::create_dir(&clone).unwrap();
    std::os::unix::fs::symlink(&project, clone.join("keyfob.toml")).unwrap();
    world.cwd = clone;
    let store = world.store("web");
    assert!(store.check_trust().is_ok());
    assert_eq!(
        store.path("ca_file"),
        Some(world.home("project/ca.pem").as_path())
    );
}

#[test]
fn trust_can_be_revoked() {
    let world = World::new();
    let project = world.project(GATED);
    let record = TrustRecord::new(&world.folders);
    assert!(!record.revoke(&project).unwrap());
    world.trust(&project);
    assert!(record.revoke(&project).unwrap());
    refused(&world, "web");
    assert!(record.list().unwrap().is_empty());
}

#[test]
fn the_variable_trusts_for_this_process_alone() {
    let mut world = World::new();
    world.project(GATED);
    world.var("KEYFOB_TRUST", "1");
    assert!(world.store("web").check_trust().is_ok());
    world.vars.pop();
    world.var("KEYFOB_TRUST", "0");
    refused(&world, "web");
}

#[test]
fn a_named_file_is_trusted() {
    let mut world = World::new();
    world.project(GATED);
    world.explicit = Some("keyfob.toml".into());
    assert!(world.store("web").check_trust().is_ok());
}

#[test]
fn the_users_own_folder_is_trusted() {
    let mut world = World::new();
    world.user(GATED);
    assert!(world.store("web").check_trust().is_ok());
    std::fs::remove_file(world.folders.config.join("config.toml")).unwrap();
    world.cwd = world.folders.config.clone();
    world.project(GATED);
    assert!(world.store("web").check_trust().is_ok());
}

#[test]
fn what_the_environment_overrides_needs_no_trust() {
    let mut world = World::new();
    world.project(GATED);
    world.var("KEYFOB_WEB_BASE_URL", "https://mine.example.com");
    assert_eq!(world.store("web").untrusted_fields(), ["ca_file"]);
    world.var("KEYFOB_WEB_CA_FILE", "mine.pem");
    assert!(world.store("web").check_trust().is_ok());
}

#[test]
fn a_credential_command_is_not_needed_beside_the_credential() {
    let mut world = World::new();
    world.project("[stores.bytenite]\napi_key_command = 'curl evil'");
    assert_eq!(
        world.store("bytenite").untrusted_fields(),
        ["api_key_command"]
    );
    world.var("BYTENITE_API_KEY", "k");
    assert!(world.store("bytenite").check_trust().is_ok());
}

#[test]
fn an_untrusted_field_does_not_fall_back_to_the_users() {
    let world = World::new();
    world.user("[stores.neo]\nbase_url = 'https://mine.example.com'");
    world.project("[stores.neo]\nbase_url = 'https://evil.example.com'");
    refused(&world, "neo");
}

#[test]
fn turning_a_store_into_another_providers_needs_trust() {
    let world = World::new();
    world.user("[stores.data]\nprovider = 'bytenite'");
    let project = world.project(
        "[stores.data]\nprovider = 'neo'\n[stores.local]\nprovider = 'northflank'\n[stores.neo]\nprovider = 'neo'",
    );
    assert_eq!(world.store("data").untrusted_fields(), ["provider"]);
    let error = refused(&world, "local");
    assert!(error.message().ends_with("sets `stores.local.provider`"));
    assert!(world.store("neo").check_trust().is_ok());
    world.trust(&project);
    assert!(world.store("data").check_trust().is_ok());
}

#[test]
fn repeating_the_users_provider_needs_no_trust() {
    let world = World::new();
    world.user("[stores.local]\nprovider = 'neo'");
    world.project("[stores.local]\nprovider = 'neo'");
    assert!(world.store("local").check_trust().is_ok());
}

#[test]
fn the_env_table_needs_trust() {
    let world = World::new();
    world.user("[env]\nMINE = 'a'");
    assert_eq!(world.load().unwrap().env_table().unwrap().len(), 1);
    let project = world.project("[env]\nB = 'x'\nA = 'y'");
    let error = world.load().unwrap().env_table().unwrap_err();
    assert_eq!(error.kind(), Kind::Untrusted);
    assert_eq!(
        world.message(&error),
        "/home/project/keyfob.toml has not been trusted, and sets `env.A`, `env.B`"
    );
    world.trust(&project);
    assert_eq!(world.load().unwrap().env_table().unwrap().len(), 3);
}

#[test]
fn rotations_need_trust() {
    let world = World::new();
    let project = world.project("[rotation.a]\nverify = 'true'");
    let config = world.load().unwrap();
    assert_eq!(config.rotations().unwrap_err().kind(), Kind::Untrusted);
    // A store is not held up by it.
    assert!(config.store(&named("local")).unwrap().check_trust().is_ok());
    world.trust(&project);
    assert_eq!(world.load().unwrap().rotations().unwrap().len(), 1);
}

#[test]
fn a_review_shows_all_that_would_be_allowed() {
    let world = World::new();
    let project = world.project(&format!(
        "[env]\nDB = 'keyfob://web/a%20b'\n{GATED}[stores.local]\nprovider = 'neo'\napi_key_command = 'pass x'\n[stores.dev]\nprovider = 'local'\nrecipients = ['age1a', 'age1b']\n[rotation.a]\ntargets = ['keyfob://web/x']\ncommand = 'mint'\nevery = '1d'\n"
    ));
    let found = world.with(|options| review(options, &project)).unwrap();
    assert_eq!(found.path, project);
    assert!(!found.trusted);
    let allowed = |line, key: &str, value: &str| Allowed {
        key: key.into(),
        value: value.into(),
        line,
    };
    assert_eq!(
        found.allowed,
        [
            allowed(2, "env.DB", "keyfob://web/a%20b"),
            allowed(6, "stores.web.base_url", "https://nf.example.com"),
            allowed(7, "stores.web.ca_file", "ca.pem"),
            allowed(9, "stores.local.provider", "neo"),
            allowed(10, "stores.local.api_key_command", "pass x"),
            allowed(13, "stores.dev.recipients", "age1a, age1b"),
            allowed(14, "rotation.a.targets", "keyfob://web/x"),
            allowed(14, "rotation.a.command", "mint"),
            allowed(14, "rotation.a.every", "1d"),
        ]
    );
}

#[test]
fn what_was_reviewed_is_trusted_and_not_what_came_after() {
    let world = World::new();
    let project = world.project(GATED);
    let reviewed = world.with(|options| review(options, &project)).unwrap();
    world.project(&GATED.replace("nf.", "evil."));
    reviewed.allow(&TrustRecord::new(&world.folders)).unwrap();
    refused(&world, "web");
}

#[test]
fn a_file_that_is_wrong_cannot_be_reviewed() {
    let world = World::new();
    let project = world.project("x = 1");
    let error = world.with(|options| review(options, &project)).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
}

#[test]
fn a_damaged_record_is_told_of() {
    let world = World::new();
    let project = world.project(GATED);
    world.trust(&project);
    for text in ["{", "{\"version\":2,\"files\":{}}", "[]"] {
        world.write(world.folders.config.join("trusted.json"), text);
        let error = world.load().unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert!(
            world
                .message(&error)
                .starts_with("/home/config/trusted.json "),
            "{error}"
        );
        assert!(error.hint_text().unwrap().starts_with("delete it"));
    }
}

#[test]
fn a_record_that_cannot_be_read_trusts_nothing() {
    let world = World::new();
    world.project(GATED);
    std::fs::create_dir_all(world.folders.config.join("trusted.json")).unwrap();
    refused(&world, "web");
}

#[cfg(unix)]
#[test]
fn the_record_is_the_users_alone() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    world.trust(&world.project(GATED));
    let record = std::fs::metadata(world.folders.config.join("trusted.json")).unwrap();
    assert_eq!(record.permissions().mode() & 0o777, 0o600);
}
