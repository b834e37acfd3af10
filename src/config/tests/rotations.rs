//! What `[rotation.NAME]` tables say.

use std::time::Duration;

use super::World;
use crate::config::{Derived, ValueSource};
use crate::words::error::Kind;
use crate::words::secret::Reference;

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

#[test]
fn rotations_are_typed() {
    let world = World::new();
    world.user(
        r#"
[rotation.db-password]
targets = ["keyfob://web/api/DB", "keyfob://neo/db"]
generate = "alnum:40"
verify = "psql -c 'select 1'"
on_rollback = "say sorry"
every = "30d"
derive = { "keyfob://web/api/URL" = "postgres://{{ value }}", "keyfob://neo/a" = "a" }

[rotation."keyfob://gpu/token"]
command = "mint"
derive = [{ to = "keyfob://neo/x", template = "x-{{ value }}" }]
"#,
    );
    let config = world.load().unwrap();
    let rotations = config.rotations();
    let rotation = &rotations["db-password"].rotation;
    assert_eq!(rotation.secret, "db-password".parse().unwrap());
    assert_eq!(
        rotation.targets,
        [
            reference("keyfob://web/api/DB"),
            reference("keyfob://neo/db")
        ]
    );
    assert_eq!(
        rotation.value,
        Some(ValueSource::Generate("alnum:40".into()))
    );
    assert_eq!(rotation.verify.as_deref(), Some("psql -c 'select 1'"));
    assert_eq!(rotation.on_rollback.as_deref(), Some("say sorry"));
    let month = Duration::from_secs(30 * 86_400);
    assert_eq!(rotation.every.map(|every| every.get()), Some(month));
    let derived = |to: &str, template: &str| Derived {
        target: reference(to),
        template: template.into(),
    };
    assert_eq!(
        rotation.derive,
        [
            derived("keyfob://web/api/URL", "postgres://{{ value }}"),
            derived("keyfob://neo/a", "a")
        ]
    );
    let other = &rotations["keyfob://gpu/token"].rotation;
    assert_eq!(other.secret, "keyfob://gpu/token".parse().unwrap());
    assert_eq!(other.value, Some(ValueSource::Command("mint".into())));
    assert_eq!(other.derive, [derived("keyfob://neo/x", "x-{{ value }}")]);
}

#[test]
fn the_projects_rotation_replaces_the_users_as_a_whole() {
    let world = World::new();
    world.user("[rotation.a]\nverify = 'x'\n[rotation.b]\nverify = 'y'");
    let project = world.project("[rotation.a]\nevery = '1d'");
    world.trust(&project);
    let config = world.load().unwrap();
    let rotations = config.rotations();
    assert_eq!(rotations["a"].rotation.verify, None);
    assert_eq!(rotations["b"].rotation.verify.as_deref(), Some("y"));
}

#[test]
fn mistakes_in_rotations_are_placed() {
    let world = World::new();
    for (text, message) in [
        (
            "rotation = 1",
            "1:12: rotation must be a table, not an integer",
        ),
        (
            "[rotation]\na = 1",
            "2:5: rotation.a must be a table, not an integer",
        ),
        (
            "[rotation.a]\ngenerator = 'x'",
            "2:1: rotation.a has no key generator",
        ),
        (
            "[rotation.a]\ntargets = 'keyfob://a/b'",
            "2:11: rotation.a.targets must be an array of references, not a string",
        ),
        (
            "[rotation.a]\ntargets = ['keyfob://a/b', 'web/DB']",
            "2:28: rotation.a.targets: \"web/DB\" is no reference: it does not begin with keyfob://",
        ),
        (
            "[rotation.a]\nevery = 'often'",
            "2:9: rotation.a.every: \"often\" is no duration: write numbers with the units d, h, m, s and ms, longer ones first",
        ),
        (
            "[rotation.a]\nevery = '0'",
            "2:9: rotation.a.every: it must be longer than nothing",
        ),
        (
            "[rotation.a]\ngenerate = 'hex:8'\ncommand = 'mint'",
            "3:1: rotation.a has both generate and command",
        ),
        (
            "[rotation.a]\nderive = 'x'",
            "2:10: rotation.a.derive must be a table or an array of tables, not a string",
        ),
        (
            "[rotation.a]\nderive = [{ to = 'keyfob://a/b' }]",
            "2:11: rotation.a.derive[] needs both to and template",
        ),
        (
            "[rotation.a.derive]\nx = 'y'",
            "2:1: rotation.a.derive: \"x\" is no reference: it does not begin with keyfob://",
        ),
        (
            "[rotation.\"keyfob://a\"]",
            "1:11: rotation.keyfob://a: \"keyfob://a\" is no reference: there is no \"/\" after the store",
        ),
        (
            "[rotation.\"\"]",
            "1:11: \"rotation.\": a secret's name cannot be empty",
        ),
    ] {
        world.user(text);
        let error = world.load().expect_err(text);
        assert_eq!(error.kind(), Kind::Config, "{text}");
        assert_eq!(
            world.message(&error),
            format!("/home/config/config.toml:{message}")
        );
    }
}
