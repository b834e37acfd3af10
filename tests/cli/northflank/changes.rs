//! Changes that lose nothing: whether updates merge or replace, whoever else writes, whatever
//! becomes of an answer.

use serde_json::{Value, json};

use super::{GROUP, SECRETS, UPDATES, group, is_rich_apart_from_values, rich, set_up, set_up_rich};
use crate::support::home::Home;
use crate::support::servers::northflank::{PROJECT, Post, Shows, Update};
use crate::support::servers::{Answer, Fault, Northflank};

/// A server that takes nothing away but by PUT, of which reads show everything.
fn set_up_only_put() -> (Northflank, Home) {
    let (server, home) = set_up_rich();
    server.set_shows(Shows::Everything);
    server.set_post(Post::Missing(405));
    (server, home)
}

#[test]
fn a_set_leaves_everything_else_as_it_is_however_updates_are_read() {
    for update in UPDATES {
        let (server, home) = set_up_rich();
        server.set_update(update);
        home.keyfob(["set", "api-env/A"]).stdin("new").run().ok();
        home.keyfob(["set", "api-env/C"]).stdin("3").run().ok();
        home.keyfob(["set", "api-env//etc/more"])
            .stdin("4")
            .run()
            .ok();
        let found = group(&server, "api-env");
        assert_eq!(
            json!(found.variables()),
            json!({"A": "new", "B": "value-of-b", "C": "3"}),
            "{update:?}"
        );
        assert_eq!(
            found.files().keys().collect::<Vec<_>>(),
            ["/etc/app.conf", "/etc/more"]
        );
        is_rich_apart_from_values(&server);
        assert_eq!(server.count("PUT", SECRETS), 0);
        assert_eq!(
            server.requests().len(),
            9,
            "a read, a write and a look each: {:?}",
            server.asked()
        );
    }
}

#[test]
fn a_deletion_is_one_however_updates_are_read() {
    for update in UPDATES {
        let (server, home) = set_up_rich();
        server.set_update(update);
        home.run(["delete", "-y", "api-env/A", "api-env//etc/app.conf"])
            .ok();
        let found = group(&server, "api-env");
        assert_eq!(
            json!(found.variables()),
            json!({"B": "value-of-b"}),
            "{update:?}"
        );
        assert!(found.files().is_empty(), "{update:?}");
        is_rich_apart_from_values(&server);
        // Where a PATCH takes nothing away, the vendor's other update does.
        let posted = usize::from(update == Update::Merge);
        assert_eq!(server.count("POST", GROUP), posted, "{update:?}");
        assert_eq!(server.count("PUT", SECRETS), 0, "{update:?}");
        assert!(server.asked().iter().all(|line| !line.contains("details")));
    }
}

#[test]
fn what_a_replacement_could_lose_keeps_it_from_being_made() {
    let plain = json!({"name": "Api Env", "secretType": "environment", "priority": 7,
        "secrets": {"variables": {"A": "value-of-a", "B": "value-of-b"}, "files": {}}});
    let mut staged = plain.clone();
    staged["stageId"] = json!("production");
    for (fields, why) in [
        (rich(), "links to addons"),
        (plain, "stageId"),
        (staged, "stageId"),
    ] {
        for post in [
            Post::Updates(Update::Merge),
            Post::Missing(404),
            Post::Missing(405),
        ] {
            for strict in [true, false] {
                let (server, home) = set_up();
                server.groups().put(None, PROJECT, fields.clone());
                server.set_post(post);
                server.set_strict_put(strict);
                let run = home.run(["delete", "-y", "api-env/A"]);
                run.code(1)
                    .stderr_has("keeps what was removed from api-env")
                    .stderr_has(why);
                run.stderr_has("hint:")
                    .lacks("credential-of")
                    .lacks("value-of");
                assert_eq!(server.count("PUT", SECRETS), 0);
                let found = group(&server, "api-env");
                assert_eq!(Value::Object(found.fields), fields, "{post:?}");
                let sent = server.requests();
                assert!(
                    sent.iter()
                        .all(|request| !request.text().contains("credential-of"))
                );
            }
        }
    }
}

#[test]
fn a_group_of_which_everything_is_shown_is_replaced_where_nothing_else_helps() {
    for post in [Post::Updates(Update::Merge), Post::Missing(405)] {
        let (server, home) = set_up_rich();
        server.set_shows(Shows::Everything);
        server.set_post(post);
        home.run(["delete", "-y", "api-env/A", "api-env//etc/app.conf"])
            .ok();
        let found = group(&server, "api-env");
        assert_eq!(json!(found.variables()), json!({"B": "value-of-b"}));
        assert!(found.files().is_empty());
        is_rich_apart_from_values(&server);
        assert_eq!(server.count("PUT", SECRETS), 1);
    }
}

#[test]
fn a_lost_answer_of_the_other_update_is_looked_up() {
    for (fault, posts) in [
        (Fault::close_applied(), 1),
        (Fault::Truncated, 1),
        (Fault::status(502), 2),
    ] {
        let (server, home) = set_up_rich();
        server.faults().once_on("POST", GROUP, fault);
        home.run(["delete", "-y", "api-env/A"]).ok();
        assert_eq!(server.count("POST", GROUP), posts);
        assert_eq!(
            json!(group(&server, "api-env").variables()),
            json!({"B": "value-of-b"})
        );
        is_rich_apart_from_values(&server);
    }
    let (server, home) = set_up_rich();
    server.faults().on("POST", GROUP, Fault::captive_portal());
    home.run(["delete", "-y", "api-env/A"])
        .code(13)
        .stderr_has("keeps what was removed");
    assert_eq!(
        (server.count("POST", GROUP), server.count("PUT", SECRETS)),
        (1, 0)
    );
}

#[test]
fn what_is_still_there_after_a_deletion_is_an_error() {
    let (server, home) = set_up_only_put();
    let done = json!({"data": {"id": "api-env", "name": "Api Env"}});
    server
        .faults()
        .on("PUT", SECRETS, Fault::Answer(Answer::json(200, &done)));
    home.run(["delete", "-y", "api-env/A"])
        .code(1)
        .stderr_has("still in the group api-env")
        .stderr_has("A");
    assert_eq!(
        server.groups().variable("api-env", "A").unwrap(),
        "value-of-a"
    );
}

#[test]
fn a_deletion_on_a_server_that_can_neither_update_nor_replace_is_an_error() {
    let (server, home) = set_up_only_put();
    let refusal = json!({"error": {"status": 405, "message": "Method not allowed", "id": "x"}});
    server
        .faults()
        .on("PUT", SECRETS, Fault::Answer(Answer::json(405, &refusal)));
    home.run(["delete", "-y", "api-env/A"])
        .code(1)
        .stderr_has("the server keeps what was removed from api-env")
        .stderr_has("405");
    assert_eq!(
        server.groups().variable("api-env", "A").unwrap(),
        "value-of-a"
    );
}

#[test]
fn a_group_that_somebody_else_writes_to_is_not_replaced() {
    let (server, home) = set_up_rich();
    server.change_after("PATCH", GROUP, "api-env", |_| ());
    home.run(["delete", "-y", "api-env/A"]).code(6);
    assert_eq!(
        server.count("POST", GROUP) + server.count("PUT", SECRETS),
        0
    );
}

#[test]
fn a_group_whose_id_does_not_follow_from_its_name_is_not_replaced() {
    let (server, home) = set_up_only_put();
    server.groups().change(None, PROJECT, "api-env", |group| {
        group.fields.insert("name".into(), json!("Renamed"));
    });
    home.run(["delete", "-y", "api-env/A"])
        .code(1)
        .stderr_has("cannot be replaced");
    assert_eq!(server.groups().ids(None, PROJECT), ["api-env"]);
    assert_eq!(server.count("PUT", SECRETS), 0);
}

#[test]
fn somebody_elses_new_variable_is_kept_and_told() {
    for args in [
        &["set", "api-env/A", "--generate"][..],
        &["delete", "-y", "api-env/A"],
    ] {
        let (server, home) = set_up_rich();
        server.change_before("PATCH", GROUP, "api-env", |group| {
            group.set_variable("THEIRS", "other")
        });
        home.run(args)
            .code(6)
            .stderr_has("somebody else")
            .stderr_has("THEIRS");
        assert_eq!(
            server.groups().variable("api-env", "THEIRS").unwrap(),
            "other"
        );
        assert_eq!(
            server.count("PUT", SECRETS),
            0,
            "nothing is replaced that somebody else writes to"
        );
        is_rich_apart_from_values(&server);
    }
}

#[test]
fn somebody_elses_later_write_is_kept_and_told_however_updates_are_read() {
    for update in UPDATES {
        let (server, home) = set_up_rich();
        server.set_update(update);
        server.change_after("PATCH", GROUP, "api-env", |group| {
            group.set_variable("A", "theirs");
            group.set_variable("THEIRS", "other");
        });
        let run = home
            .keyfob(["--json", "set", "api-env/A"])
            .stdin("ours")
            .run();
        assert_eq!(run.code(6).error()["kind"], "conflict");
        run.lacks("theirs").lacks("ours");
        let found = group(&server, "api-env").variables();
        assert_eq!(
            (&found["A"], &found["THEIRS"]),
            (&json!("theirs"), &json!("other")),
            "{update:?}"
        );
    }
}

#[test]
fn a_change_that_only_the_time_tells_of_is_told() {
    let (server, home) = set_up_rich();
    server.change_after("PATCH", GROUP, "api-env", |_| ());
    home.keyfob(["set", "api-env/A"])
        .stdin("ours")
        .run()
        .code(6)
        .stderr_has("somebody else");
}

#[test]
fn a_group_that_somebody_else_deletes_is_told() {
    let (server, home) = set_up_rich();
    let groups = server.groups().clone();
    let delete = Fault::after(move || groups.remove(None, PROJECT, "api-env"));
    server.faults().once_on("PATCH", GROUP, delete);
    home.keyfob(["set", "api-env/A"])
        .stdin("1")
        .run()
        .code(6)
        .stderr_has("deleted the group");
}

#[test]
fn a_lost_answer_is_looked_up_and_not_repeated() {
    for fault in [
        Fault::close_applied(),
        Fault::ResetMidBody,
        Fault::Truncated,
    ] {
        let (server, home) = set_up_rich();
        server.faults().once_on("PATCH", GROUP, fault);
        home.keyfob(["set", "api-env/A"]).stdin("new").run().ok();
        assert_eq!(server.count("PATCH", GROUP), 1);
        assert_eq!(server.groups().variable("api-env", "A").unwrap(), "new");
    }
}

#[test]
fn a_write_that_was_not_carried_out_is_sent_again() {
    for fault in [Fault::close_unapplied(), Fault::status(503)] {
        let (server, home) = set_up_rich();
        server.faults().once_on("PATCH", GROUP, fault);
        home.keyfob(["set", "api-env/A"]).stdin("new").run().ok();
        assert_eq!(server.count("PATCH", GROUP), 2);
        assert_eq!(server.groups().variable("api-env", "A").unwrap(), "new");
    }
    // An answer that makes no sense would come again: it is looked into, and told.
    for fault in [
        Fault::captive_portal(),
        Fault::status(404),
        Fault::EndlessBody,
        Fault::redirect(302, "/elsewhere"),
        Fault::Answer(Answer::json(200, &json!([]))),
        Fault::Answer(Answer::json(200, &json!([{}]))),
        Fault::Answer(Answer::json(200, &json!({"data": []}))),
    ] {
        let (server, home) = set_up_rich();
        server.faults().once_on("PATCH", GROUP, fault.clone());
        home.keyfob(["set", "api-env/A"])
            .stdin("new")
            .run()
            .code(13);
        let methods: Vec<String> = server.requests().into_iter().map(|it| it.method).collect();
        assert_eq!(methods, ["GET", "PATCH", "GET"], "{fault:?}");
    }
    let (server, home) = set_up_rich();
    server.faults().on("PATCH", GROUP, Fault::status(500));
    home.keyfob(["--timeout", "2s", "set", "api-env/A"])
        .stdin("new")
        .run()
        .code(8);
    assert_eq!(
        server.groups().variable("api-env", "A").unwrap(),
        "value-of-a"
    );
}

#[test]
fn a_server_that_says_yes_and_does_nothing_is_found_out() {
    let (server, home) = set_up_rich();
    let yes = Answer::json(200, &json!({"data": {}}));
    server.faults().on("PATCH", GROUP, Fault::Answer(yes));
    home.keyfob(["set", "api-env/A"])
        .stdin("new")
        .run()
        .code(13)
        .stderr_has("and did not");
}

#[test]
fn a_create_whose_answer_is_lost_is_looked_up() {
    for (fault, posts) in [
        (Fault::close_applied(), 1),
        (Fault::close_unapplied(), 2),
        (Fault::status(502), 2),
    ] {
        let (server, home) = set_up_rich();
        server.faults().once_on("POST", SECRETS, fault);
        home.run(["group", "create", "other env", "--tag", "new"])
            .ok();
        assert_eq!(server.count("POST", SECRETS), posts);
        assert_eq!(server.groups().ids(None, PROJECT), ["api-env", "other-env"]);
    }
}
