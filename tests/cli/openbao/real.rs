//! What is spoken with the real server.

use std::fs;

use serde_json::Value;

use crate::support::bao::{Bao, bao};
use crate::support::keyutils;

#[test]
fn the_real_server_is_spoken_to() {
    let Some(program) = bao("the_real_server_is_spoken_to") else {
        return;
    };
    let bao = Bao::dev(program);
    let home = bao.home(0);
    bao.say(&["kv", "put", "secret/app/db", "HOST=theirs"]);
    for name in ["app/db/PASSWORD", "a b/c d", "é/e\u{301}+?#%", "app//a/b"] {
        home.keyfob(["set", name]).stdin("<v&>\n ü").run().ok();
        home.run(["get", name]).ok().stdout_is("<v&>\n ü");
    }
    assert_eq!(
        bao.say(&["kv", "get", "-field=HOST", "secret/app/db"]),
        "theirs"
    );
    assert_eq!(
        bao.say(&["kv", "get", "-field=PASSWORD", "secret/app/db"]),
        "<v&>\n ü"
    );
    home.run(["list"])
        .ok()
        .stdout_has("app/db/HOST")
        .stdout_has("a b/c d")
        .stdout_has("app//a/b");
    home.keyfob(["set", "--if-absent", "app/db/PASSWORD"])
        .stdin("x")
        .run()
        .code(6);
    let describe = ["set", "app/db/PASSWORD", "--description", "what it is"];
    home.keyfob(describe).stdin("two").run().ok();
    home.run(["show", "app/db/PASSWORD"])
        .ok()
        .stdout_has("what it is");
    home.run(["delete", "-y", "app/db/PASSWORD"]).ok();
    assert_eq!(
        bao.say(&["kv", "get", "-field=HOST", "secret/app/db"]),
        "theirs"
    );
    home.run(["delete", "-y", "app/db/HOST"]).ok();
    home.run(["get", "app/db/HOST"]).code(3);
    home.keyfob(["set", "--if-absent", "app/db/HOST"])
        .stdin("again")
        .run()
        .ok();
    home.run(["get", "app/db/HOST"]).ok().stdout_is("again");
    // More keys than one request holds.
    let many: serde_json::Map<_, _> = (0..900)
        .map(|n| (format!("big/K{n}"), format!("v{n}").into()))
        .collect();
    let import = ["import", "-q", "-y", "--format=json", "-"];
    home.keyfob(import)
        .stdin(Value::Object(many).to_string())
        .run()
        .ok();
    home.run(["get", "big/K899"]).ok().stdout_is("v899");
    // Without versions.
    bao.say(&["secrets", "enable", "-path=old", "-version=1", "kv"]);
    let old = bao.home(0).with("KEYFOB_OPENBAO_MOUNT", "old");
    old.keyfob(["set", "a/K"]).stdin("1").run().ok();
    old.keyfob(["set", "a/L"]).stdin("2").run().ok();
    old.run(["delete", "-y", "a/K"]).ok();
    old.run(["list"]).ok().stdout_has("a/L").stdout_lacks("a/K");
    // Whoever may not.
    bao.home(0)
        .with("BAO_TOKEN", "s.nonsense-and-nothing-else")
        .run(["get", "a/K"])
        .code(4);
    bao.home(0)
        .with("KEYFOB_OPENBAO_MOUNT", "nope")
        .run(["get", "a/K"])
        .code(5);
}

#[test]
fn the_real_server_lets_an_approle_and_a_person_in() {
    let Some(program) = bao("the_real_server_lets_an_approle_and_a_person_in") else {
        return;
    };
    let bao = Bao::dev(program);
    bao.say(&["kv", "put", "secret/ci/x", "K=v"]);
    fs::write(
        bao.folder.path().join("ci.hcl"),
        "path \"secret/data/ci/*\" { capabilities = [\"read\"] }",
    )
    .unwrap();
    let file = bao.folder.path().join("ci.hcl");
    bao.say(&["policy", "write", "ci", file.to_str().unwrap()]);
    for method in ["approle", "userpass"] {
        bao.say(&["auth", "enable", method]);
    }
    bao.say(&["write", "auth/approle/role/ci", "token_policies=ci"]);
    bao.say(&[
        "write",
        "auth/userpass/users/me",
        "password=correct horse",
        "token_policies=ci",
    ]);
    let role = bao.say(&["read", "-field=role_id", "auth/approle/role/ci/role-id"]);
    let field = "-field=wrapping_token";
    let wrapped = bao.say(&[
        "write",
        "-wrap-ttl=60s",
        "-f",
        field,
        "auth/approle/role/ci/secret-id",
    ]);
    let sign_in = |auth: &str| {
        let mut home = bao.home(0).with("KEYFOB_OPENBAO_AUTH", auth);
        home.unset("BAO_TOKEN");
        home
    };
    let home = sign_in("approle")
        .with("KEYFOB_OPENBAO_ROLE_ID", role.trim())
        .with("KEYFOB_OPENBAO_SECRET_ID", wrapped.trim());
    home.run(["get", "ci/x/K"]).ok().stdout_is("v");
    home.run(["get", "ci/x/K"]).code(4);
    let home = sign_in("userpass").with("KEYFOB_OPENBAO_USERNAME", "me");
    let good = home.with("KEYFOB_OPENBAO_PASSWORD", "correct horse");
    good.run(["get", "ci/x/K"]).ok().stdout_is("v");
    good.run(["get", "other/K"]).code(5);
    good.with("KEYFOB_OPENBAO_PASSWORD", "wrong")
        .run(["get", "ci/x/K"])
        .code(4);
}

#[test]
fn the_real_server_s_tokens_are_counted_and_revoked() {
    let test = "the_real_server_s_tokens_are_counted_and_revoked";
    let Some(program) = bao(test) else {
        return;
    };
    if !keyutils::available_for(test) {
        return;
    }
    let bao = Bao::dev(program);
    for n in 0..12 {
        bao.say(&["kv", "put", &format!("secret/p{n}"), "K=v"]);
    }
    let file = bao.folder.path().join("all.hcl");
    let rights = "path \"secret/*\" { capabilities = [\"read\", \"list\"] }";
    fs::write(&file, rights).unwrap();
    bao.say(&["policy", "write", "all", file.to_str().unwrap()]);
    bao.say(&["auth", "enable", "approle"]);
    let signed_in = |role: &str, setting: &str| {
        let name = format!("auth/approle/role/{role}");
        bao.say(&["write", &name, "token_policies=all", setting]);
        let id = bao.say(&["read", "-field=role_id", &format!("{name}/role-id")]);
        let secret = [
            "write",
            "-f",
            "-field=secret_id",
            &format!("{name}/secret-id"),
        ];
        let secret = bao.say(&secret);
        let mut home = bao
            .home(0)
            .with("KEYFOB_OPENBAO_AUTH", "approle")
            .with("KEYFOB_OPENBAO_ROLE_ID", id.trim())
            .with("KEYFOB_OPENBAO_SECRET_ID", secret.trim())
            .with("KEYFOB_TOKEN_CACHE", "keyutils");
        home.unset("BAO_TOKEN");
        home
    };
    // How many tokens are alive.
    let alive = || {
        let said = bao.say(&["list", "-format=json", "auth/token/accessors"]);
        let said: Value = serde_json::from_str(&said).unwrap();
        said.as_array().unwrap().len()
    };
    for uses in [1, 2, 5] {
        let home = signed_in("few", &format!("token_num_uses={uses}"));
        home.run(["list"])
            .ok()
            .stdout_has("p0/K")
            .stdout_has("p11/K");
        home.run(["get", "p3/K"]).ok().stdout_is("v");
        home.run(["logout"]).ok();
    }
    let before = alive();
    let home = signed_in("short", "token_ttl=29s");
    home.run(["list"]).ok().stdout_has("p11/K");
    assert_eq!(alive(), before + 1);
    home.run(["logout"]).ok().stderr_lacks("good until");
    assert_eq!(alive(), before);
    let home = signed_in("batch", "token_type=batch");
    home.run(["get", "p3/K"]).ok().stdout_is("v");
    home.run(["logout"])
        .ok()
        .stderr_has("batch tokens cannot be revoked");
}
