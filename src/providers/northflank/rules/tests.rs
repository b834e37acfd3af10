use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::words::error::Kind;

fn check(group: Value) -> Result<()> {
    super::check(&group, Purpose::Update)
}

#[track_caller]
fn refused(group: Value, message: &str) {
    let error = check(group).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidData);
    assert_eq!(error.message(), message);
}

#[test]
fn the_example_of_the_page_passes() {
    check(json!({
        "name": "Example Secret", "description": "A description", "tags": ["my-tag"],
        "secretType": "environment", "priority": 10,
        "restrictions": {
            "restricted": true, "tags": ["my-tag"],
            "nfObjects": [{"id": "example-service", "type": "service"}],
        },
        "addonDependencies": [{
            "addonId": "example-addon",
            "keys": [{"keyName": "USERNAME", "aliases": ["MONGO_USERNAME"]}],
        }],
        "secrets": {
            "variables": {"NODE_ENV": "production"},
            "files": {"/dir/fileName": {"data": "VGhpcw==", "encoding": "utf-8"}},
        },
    }))
    .unwrap();
}

#[test]
fn what_the_page_requires_must_be_there_in_a_new_group() {
    let error = super::check(&json!({"name": "abc", "priority": 1}), Purpose::Create).unwrap_err();
    assert_eq!(error.message(), "secretType is missing");
}

#[test]
fn null_takes_a_secret_away_in_an_update_alone() {
    let group = json!({"name": "abc", "priority": 1, "secretType": "arguments",
        "secrets": {"variables": {"A": null}, "files": {"/a": null}}});
    super::check(&group, Purpose::Update).unwrap();
    assert!(super::check(&group, Purpose::Create).is_err());
}

#[test]
fn what_the_page_does_not_know_passes() {
    check(json!({"future": 7, "restrictions": {"future": "or"}, "secrets": {"future": []}}))
        .unwrap();
}

#[test]
fn the_newer_fields_are_checked_as_the_vendors_types_have_them() {
    check(
        json!({"type": "config", "stageId": null, "restrictions": {"tagMatchCondition": "or"},
        "secrets": {"dockerSecretMounts": {"a-secret_1": {"data": "eA=="}, "gone": null}}}),
    )
    .unwrap();
    let new = json!({"name": "abc", "priority": 1, "secretType": "arguments", "stageId": null});
    assert!(super::check(&new, Purpose::Create).is_err());
    for bad in [
        json!({"type": 7}),
        json!({"stageId": ""}),
        json!({"restrictions": {"tagMatchCondition": "xor"}}),
        json!({"externalAddonDependencies": [{"addonId": "a"}]}),
        json!({"secrets": {"dockerSecretMounts": {"a/b": {"data": "eA=="}}}}),
        json!({"secrets": {"dockerSecretMounts": {"a": {"data": "!"}}}}),
        json!({"secrets": {"dockerSecretMounts": []}}),
    ] {
        assert!(check(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn a_broken_rule_is_told_with_field_rule_and_value() {
    refused(
        json!({"priority": 101}),
        "priority must be an integer from 0 to 100: 101",
    );
    refused(
        json!({"priority": -1}),
        "priority must be an integer from 0 to 100: -1",
    );
    refused(
        json!({"priority": 1.5}),
        "priority must be an integer from 0 to 100: 1.5",
    );
    refused(
        json!({"name": "ab"}),
        r#"name must have 3 to 100 characters: "ab""#,
    );
    refused(
        json!({"tags": ["good", "ab"]}),
        r#"tags[1] must have 3 to 39 characters: "ab""#,
    );
    refused(
        json!({"tags": ["a--b"]}),
        r#"tags[0] must match the pattern ^[a-zA-Z](-?[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*)?$: "a--b""#,
    );
    refused(
        json!({"secretType": "env"}),
        r#"secretType must be one of environment-arguments, environment, arguments: "env""#,
    );
    refused(
        json!({"restrictions": {"nfObjects": [{"id": "a_b", "type": "job"}]}}),
        r#"restrictions.nfObjects[0].id must match the pattern ^[A-Za-z0-9-]+$: "a_b""#,
    );
    refused(
        json!({"restrictions": {"nfObjects": [{"id": "ab", "type": "addon"}]}}),
        r#"restrictions.nfObjects[0].type must be one of service, job: "addon""#,
    );
    refused(
        json!({"addonDependencies": [{"addonId": "a", "keys": [{"keyName": "1_2"}]}]}),
        r#"addonDependencies[0].keys[0].keyName must match the pattern [a-zA-Z]+: "1_2""#,
    );
    refused(
        json!({"addonDependencies": [{"addonId": "a", "keys": [{"keyName": "A", "aliases": ["a b"]}]}]}),
        r#"addonDependencies[0].keys[0].aliases[0] must match the pattern ^[a-zA-Z0-9_./-]*$: "a b""#,
    );
    refused(
        json!({"addonDependencies": [{"addonId": "a"}]}),
        "addonDependencies[0].keys is missing",
    );
}

#[test]
fn a_broken_secret_is_told_without_its_value() {
    refused(
        json!({"secrets": {"variables": {"PORT": 8080}}}),
        "secrets.variables.PORT must be text",
    );
    refused(
        json!({"secrets": {"files": {"/a": {"data": "hunter2!"}}}}),
        "secrets.files./a.data must be base64",
    );
    refused(
        json!({"secrets": {"files": {"/a": "hunter2"}}}),
        "secrets.files./a must be an object",
    );
    assert!(check(json!({"secrets": {"files": {"a": {"data": ""}}}})).is_err());
    assert!(check(json!({"secrets": {"variables": {"a b": ""}}})).is_err());
}

#[test]
fn descriptions_have_200_characters_of_some_kinds() {
    check(json!({"description": "x".repeat(200)})).unwrap();
    for bad in ["", "a@b", "größe", &"x".repeat(201)] {
        assert!(check(json!({"description": bad})).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn what_matches_the_pages_patterns_passes(
        name in "[a-zA-Z0-9]([-\\s]?[a-zA-Z0-9]{1,9}([-\\s][a-zA-Z0-9]{1,5}){0,9})",
        tag in "[a-zA-Z](-?[a-zA-Z0-9]{2,5}(-[a-zA-Z0-9]{1,5}){0,4})",
        description in "[a-zA-Z0-9.,?\\s\\\\/'\"()\\[\\];`%^&*\\-_:!]{1,200}",
        alias in "[a-zA-Z0-9_./-]{0,40}",
    ) {
        prop_assume!(name.encode_utf16().count() >= 3);
        check(json!({
            "name": name, "tags": [tag], "description": description,
            "addonDependencies": [{"addonId": "a", "keys": [{"keyName": "A", "aliases": [alias]}]}],
        })).unwrap();
    }

    #[test]
    fn separators_at_the_ends_or_doubled_break_names(word in "[a-z]{2,9}", separator in "[- ]") {
        for name in [
            format!("{separator}{word}"), format!("{word}{separator}"),
            format!("{word}{separator}{separator}{word}"),
        ] {
            let refused = check(json!({"name": name})).is_err();
            prop_assert!(refused, "{}", name);
        }
    }
}
