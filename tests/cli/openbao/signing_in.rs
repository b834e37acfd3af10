//! Every way to sign in, and what becomes of the token.

use crate::support::home::Home;
use crate::support::servers::openbao::{Granted, Policy};
use crate::support::servers::tls::{Certificate, Tls};
use crate::support::servers::{
    Answer, Fault, Listen, Neo, Northflank, OpenBao, Request, Server, neo, northflank,
};

pub fn policy() -> Policy {
    Policy::none().allowing("secret/*", &["create", "read", "update", "patch", "list"])
}

/// A home that signs in so.
pub fn home(server: &OpenBao, auth: &str, fields: &[(&str, &str)]) -> Home {
    let mut home = Home::new()
        .with("KEYFOB_STORE", "openbao")
        .with("KEYFOB_OPENBAO_BASE_URL", server.url())
        .with("KEYFOB_OPENBAO_AUTH", auth);
    for (field, value) in fields {
        home.set(format!("KEYFOB_OPENBAO_{field}"), value);
    }
    home
}

pub fn with_approle(server: &OpenBao, secret: Option<&str>, granted: Granted) {
    server.methods(|methods| {
        let role = ("the-role".to_owned(), secret.map(str::to_owned), granted);
        methods.approle.insert("approle".to_owned(), vec![role]);
    });
}

#[test]
fn an_approle_signs_in_once_a_command() {
    let server = OpenBao::start();
    server.put("app", "K", "v");
    with_approle(&server, Some("the-secret"), Granted::new(policy()));
    let good = home(
        &server,
        "approle",
        &[("ROLE_ID", "the-role"), ("SECRET_ID", "the-secret")],
    );
    good.run(["get", "app/K"]).ok().stdout_is("v");
    assert_eq!(
        server.asked(),
        [
            "POST /v1/auth/approle/login",
            "GET /v1/sys/internal/ui/mounts/secret",
            "GET /v1/secret/data/app",
        ]
    );
    let bad = home(
        &server,
        "approle",
        &[("ROLE_ID", "the-role"), ("SECRET_ID", "wrong")],
    );
    bad.run(["get", "app/K"])
        .code(4)
        .stderr_has("invalid role or secret ID")
        .lacks("wrong");
    home(&server, "approle", &[])
        .run(["get", "app/K"])
        .code(4)
        .stderr_has("KEYFOB_OPENBAO_ROLE_ID");
    // A token that was given goes first.
    let given = good.with("VAULT_TOKEN", server.token(policy()));
    let logins = server.logins();
    given.run(["get", "app/K"]).ok();
    assert_eq!(server.logins(), logins);
}

#[test]
fn a_role_may_need_no_secret_id() {
    let server = OpenBao::start();
    server.put("app", "K", "v");
    with_approle(&server, None, Granted::new(policy()));
    home(&server, "approle", &[("ROLE_ID", "the-role")])
        .run(["get", "app/K"])
        .ok();
}

#[test]
fn a_wrapped_secret_id_is_opened_once() {
    let server = OpenBao::start();
    server.put("app", "K", "v");
    with_approle(&server, Some("inner"), Granted::new(policy()));
    let token = server.wrap("inner");
    let home = home(
        &server,
        "approle",
        &[("ROLE_ID", "the-role"), ("SECRET_ID", &token)],
    );
    home.run(["get", "app/K"]).ok().stdout_is("v");
    home.run(["get", "app/K"])
        .code(4)
        .stderr_has("somebody else has opened it")
        .lacks(&token);
}

#[test]
fn a_token_that_is_used_up_is_replaced() {
    let server = OpenBao::start();
    for path in ["a", "b", "c", "d"] {
        server.put(path, "K", "v");
    }
    let granted = Granted {
        uses: 3,
        ..Granted::new(policy())
    };
    with_approle(&server, None, granted);
    let home = home(&server, "approle", &[("ROLE_ID", "the-role")]);
    home.keyfob(["export", "--only", "a/K,b/K,c/K,d/K", "--format", "json"])
        .env("KEYFOB_CONCURRENCY", "1")
        .run()
        .ok();
    assert_eq!(server.logins(), 2);
    // What the policy refuses is no reason to sign in again.
    let logins = server.logins();
    home.keyfob(["get", "a/K"])
        .env("KEYFOB_OPENBAO_MOUNT", "nope")
        .run()
        .code(5);
    assert_eq!(server.logins(), logins + 1);
}

/// A server with a secret at each of 22 paths, and a home that signs in for tokens as granted.
fn with_many_paths(granted: Granted) -> (OpenBao, Home) {
    let server = OpenBao::start();
    for n in 0..22 {
        server.put(&format!("p{n}"), "K", "v");
    }
    with_approle(&server, None, granted);
    let home = home(&server, "approle", &[("ROLE_ID", "the-role")]);
    (server, home)
}

#[test]
fn tokens_of_a_few_requests_are_as_many_as_it_takes() {
    for uses in [1, 2, 5, 10, 12, 100] {
        let (server, home) = with_many_paths(Granted {
            uses,
            ..Granted::new(policy())
        });
        let listed = home.run(["list"]);
        listed.ok().stdout_has("p0/K").stdout_has("p21/K");
        let logins = server.logins();
        let others = server.requests().len() - logins;
        assert_eq!(logins, others.div_ceil(uses as usize), "{uses} uses");
        home.run(["export", "--format", "json"]).ok();
    }
}

#[test]
fn a_token_of_a_few_seconds_is_obtained_once_a_command() {
    let (server, home) = with_many_paths(Granted {
        lease: 29,
        ..Granted::new(policy())
    });
    home.run(["get", "p0/K"]).ok().stdout_is("v");
    assert_eq!(server.logins(), 1);
    home.run(["list"]).ok().stdout_has("p21/K");
    assert_eq!(server.logins(), 2);
}

#[test]
fn a_server_that_refuses_its_own_tokens_is_not_asked_for_ever() {
    for uses in [0, 5] {
        let (server, home) = with_many_paths(Granted {
            uses,
            ..Granted::new(policy())
        });
        let refusal = Answer::json(403, &serde_json::json!({"errors": ["permission denied"]}));
        server.faults().on("GET", "/v1/*", Fault::Answer(refusal));
        home.run(["list"])
            .code(4)
            .stderr_has("refuses even a new token");
        assert!(server.logins() <= 4, "{} logins", server.logins());
    }
}

#[test]
fn a_ci_signs_in_with_its_id_token() {
    let server = OpenBao::start();
    server.put("app", "K", "v");
    server.methods(|methods| {
        let role = (
            Some("ci".to_owned()),
            "eyJ.the.token".to_owned(),
            Granted::new(policy()),
        );
        methods.jwt.insert("jwt".to_owned(), vec![role.clone()]);
        methods
            .jwt
            .insert("gitlab/prod".to_owned(), vec![role.clone()]);
        methods.jwt.insert("kubernetes".to_owned(), vec![role]);
    });
    let get = |home: &Home| home.run(["get", "app/K"]);
    get(&home(
        &server,
        "jwt",
        &[("ROLE", "ci"), ("JWT", "eyJ.the.token")],
    ))
    .ok();
    let file = home(&server, "jwt", &[("ROLE", "ci"), ("JWT_FILE", "token")]);
    file.write("token", "eyJ.the.token\n");
    get(&file).ok();
    get(&home(
        &server,
        "jwt",
        &[("ROLE", "ci"), ("JWT_COMMAND", "echo eyJ.the.token")],
    ))
    .ok();
    let gitlab = home(
        &server,
        "jwt",
        &[("ROLE", "ci"), ("AUTH_MOUNT", "gitlab/prod")],
    );
    get(&gitlab.with("VAULT_ID_TOKEN", "eyJ.the.token")).ok();
    let pod = home(
        &server,
        "kubernetes",
        &[("ROLE", "ci"), ("JWT_FILE", "pod")],
    );
    pod.write("pod", "eyJ.the.token");
    get(&pod).ok();
    get(&home(&server, "jwt", &[("ROLE", "ci")]))
        .code(4)
        .stderr_has("id-token: write");
    get(&home(
        &server,
        "jwt",
        &[("ROLE", "no"), ("JWT", "eyJ.the.token")],
    ))
    .code(4)
    .stderr_has("could not be found");
    let run = get(&home(
        &server,
        "jwt",
        &[("ROLE", "ci"), ("JWT", "eyJ.another.token")],
    ));
    run.code(4).lacks("eyJ.another.token");
    get(&home(
        &server,
        "jwt",
        &[
            ("ROLE", "ci"),
            ("JWT", "eyJ.the.token"),
            ("AUTH_MOUNT", "nope"),
        ],
    ))
    .code(4);
}

#[cfg(unix)]
#[test]
fn a_pipe_that_nobody_writes_to_is_not_waited_for_without_end() {
    let server = OpenBao::start();
    server.put("app", "K", "v");
    server.methods(|methods| {
        let role = (None, "eyJ.the.token".to_owned(), Granted::new(policy()));
        methods.jwt.insert("jwt".to_owned(), vec![role.clone()]);
        methods.jwt.insert("kubernetes".to_owned(), vec![role]);
    });
    let jwt = home(&server, "jwt", &[("JWT_FILE", "pipe")]);
    let token = home(&server, "token", &[]).with("BAO_TOKEN_PATH", "pipe");
    let https = |field| {
        let fields = [("BASE_URL", "https://127.0.0.1:1"), (field, "pipe")];
        home(&server, "token", &fields).with("BAO_TOKEN", "s.token-for-nobody-0123")
    };
    let mut certificate = https("CLIENT_CERT");
    certificate.set("KEYFOB_OPENBAO_CLIENT_KEY", "pipe");
    let pod = home(&server, "kubernetes", &[("JWT_FILE", "pipe")]);
    for home in [&jwt, &pod, &token, &https("CA_FILE"), &certificate] {
        home.program("mkfifo", ["pipe"]).run().ok();
        home.run(["--timeout", "300ms", "get", "app/K"])
            .code(8)
            .stderr_has("not all has come in time")
            .stderr_has("--timeout");
    }
    token.run(["status"]).ok().stdout_has("pipe");
    // Nor is what has no end read to it.
    jwt.keyfob(["get", "app/K"])
        .env("KEYFOB_OPENBAO_JWT_FILE", "/dev/zero")
        .run()
        .code(4)
        .stderr_has("/dev/zero")
        .stderr_has("larger than");
    // What comes in time is taken.
    let running = jwt.keyfob(["get", "app/K"]).spawn();
    std::fs::write(jwt.work().join("pipe"), "eyJ.the.token\n").unwrap();
    running.wait().ok().stdout_is("v");
}

#[test]
fn github_is_asked_for_the_id_token() {
    let runner = Server::start(Listen::Http, |request: &Request| {
        let asked = request.parameter("audience").as_deref() == Some("https://bao.example")
            && request.parameter("api-version").as_deref() == Some("2.0")
            && request.header("authorization") == Some("Bearer request-token");
        match asked {
            true => Answer::json(
                200,
                &serde_json::json!({"value": "eyJ.the.token", "count": 1}),
            ),
            false => Answer::status(401),
        }
    });
    let server = OpenBao::start();
    server.put("app", "K", "v");
    server.methods(|methods| {
        let role = (
            Some("ci".to_owned()),
            "eyJ.the.token".to_owned(),
            Granted::new(policy()),
        );
        methods.jwt.insert("jwt".to_owned(), vec![role]);
    });
    let fields = [("ROLE", "ci"), ("AUDIENCE", "https://bao.example")];
    let home = home(&server, "jwt", &fields)
        .with(
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            format!("{}/token?api-version=2.0", runner.url()),
        )
        .with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token");
    home.run(["-vvv", "get", "app/K"])
        .ok()
        .stdout_is("v")
        .lacks("request-token")
        .lacks("eyJ.the.token");
    let refused = home.with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "other-token");
    refused.run(["get", "app/K"]).code(4).lacks("other-token");
}

#[test]
fn a_person_signs_in_with_a_password() {
    let server = OpenBao::start();
    server.put("app", "K", "v");
    server.methods(|methods| {
        let user = (
            "me".to_owned(),
            "correct horse ü".to_owned(),
            Granted::new(policy()),
        );
        methods.userpass.insert("userpass".to_owned(), vec![user]);
    });
    let good = home(
        &server,
        "userpass",
        &[("USERNAME", "me"), ("PASSWORD", "correct horse ü")],
    );
    good.run(["get", "app/K"]).ok().stdout_is("v");
    good.run(["status"]).ok().stdout_has("userpass at userpass");
    let bad = home(
        &server,
        "userpass",
        &[("USERNAME", "me"), ("PASSWORD", "wrong horse")],
    );
    bad.run(["get", "app/K"]).code(4).lacks("wrong horse");
    home(&server, "userpass", &[("PASSWORD", "x")])
        .run(["get", "app/K"])
        .code(11)
        .stderr_has("username");
}

#[test]
fn the_token_of_the_tool_is_for_the_user_s_own_address() {
    let server = OpenBao::start();
    server.put("app", "K", "v");
    let token = server.token(policy());
    let home = Home::new()
        .with("KEYFOB_STORE", "openbao")
        .with("BAO_ADDR", server.url());
    home.write(home.home().join(".vault-token"), &token);
    home.run(["get", "app/K"]).ok().stdout_is("v");
    let moved = home.with("BAO_TOKEN_PATH", "elsewhere");
    moved.run(["get", "app/K"]).code(4);
    moved.write("elsewhere", &token);
    moved.run(["get", "app/K"]).ok();
    // A project's file is not the user's word on where it goes.
    let project = Home::new().with("KEYFOB_TRUST", "1");
    project.write(project.home().join(".vault-token"), &token);
    project.write(
        "keyfob.toml",
        format!(
            "default_store = \"b\"\n[stores.b]\nprovider = \"openbao\"\nbase_url = \"{}\"\n",
            server.url()
        ),
    );
    project
        .run(["get", "app/K"])
        .code(4)
        .lacks(&token)
        .stderr_has(".vault-token is not sent to an address from");
}

#[test]
fn what_cannot_stand_in_a_request_is_a_fault_of_the_configuration() {
    let server = OpenBao::start();
    let user = [("USERNAME", "me"), ("PASSWORD", "correct horse")];
    for (field, value, named) in [
        ("NAMESPACE", "tëam", "namespace of openbao"),
        ("NAMESPACE", "team\nb", "namespace of openbao"),
        ("USERNAME", "a/b", "username of openbao"),
        ("USERNAME", "..", "username of openbao"),
        ("AUTH_MOUNT", "../sys", "auth_mount of openbao"),
        ("AUTH_MOUNT", "a//b", "auth_mount of openbao"),
    ] {
        let home = home(&server, "userpass", &user).with(format!("KEYFOB_OPENBAO_{field}"), value);
        home.run(["get", "app/K"]).code(11).stderr_has(named);
    }
    assert_eq!(server.asked(), Vec::<String>::new());
    // A key belongs to its certificate.
    let (one, other) = (Tls::new(Certificate::Good), Tls::new(Certificate::Good));
    let home = home(&server, "cert", &[("BASE_URL", "https://127.0.0.1:1")])
        .with("BAO_CLIENT_CERT", one.certificate_file())
        .with("BAO_CLIENT_KEY", other.key_file());
    home.run(["get", "app/K"])
        .code(11)
        .stderr_has("do not belong together");
}

#[test]
fn stores_of_one_mount_look_for_it_once() {
    let server = OpenBao::start();
    server.put("app", "A", "one");
    server.put("tokens", "A", &server.token(policy()));
    let home = Home::new()
        .with("KEYFOB_TRUST", "1")
        .with("KEYFOB_B_TOKEN", server.token(policy()));
    let store = |name: &str, more: &str| {
        format!(
            "[stores.{name}]\nprovider = \"openbao\"\nbase_url = \"{}\"\n{more}",
            server.url()
        )
    };
    let token = "token = \"keyfob://b/tokens/A\"\n";
    home.write("keyfob.toml", store("a", token) + &store("b", ""));
    home.run(["get", "-s", "a", "app/A"]).ok().stdout_is("one");
    assert_eq!(server.count("GET", "/v1/sys/internal/ui/mounts/secret"), 1);
}

#[test]
fn one_login_opens_every_store() {
    let bao = OpenBao::start();
    let northflank = Northflank::start();
    northflank
        .groups()
        .put_variables("Api Env", serde_json::json!({"K": "of northflank"}));
    let neo = Neo::start();
    bao.put("ci/web", "TOKEN", northflank::API_TOKEN);
    bao.put("ci/fn", "KEY", neo::API_KEY);
    with_approle(&bao, None, Granted::new(policy()));
    let home = Home::new().with("KEYFOB_TRUST", "1");
    let config = |token: &str| {
        format!(
            "[stores.bao]\nprovider = \"openbao\"\nbase_url = \"{}\"\nauth = \"approle\"\n\
             [stores.web]\nprovider = \"northflank\"\nbase_url = \"{}\"\nproject = \"shop\"\ngroup = \"api-env\"\napi_token = \"{token}\"\n\
             [stores.fn]\nprovider = \"neo\"\nbase_url = \"{}\"\napi_key = \"keyfob://bao/ci/fn/KEY\"\n",
            bao.url(),
            northflank.url(),
            neo.url(),
        )
    };
    home.write("keyfob.toml", config("keyfob://bao/ci/web/TOKEN"));
    let home = home.with("KEYFOB_BAO_ROLE_ID", "the-role");
    home.run(["get", "-s", "web", "K"])
        .ok()
        .stdout_is("of northflank");
    assert_eq!(bao.logins(), 1);
    bao.forget_requests();
    home.run(["-v", "copy", "-s", "web", "K", "fn"])
        .ok()
        .lacks(northflank::API_TOKEN)
        .lacks(neo::API_KEY);
    assert_eq!(neo.value("K").as_deref(), Some("of northflank"));
    assert_eq!(bao.logins(), 1);
    // It is shown where a credential comes from, and nobody is asked for that.
    bao.forget_requests();
    home.run(["status"])
        .ok()
        .stdout_has("keyfob://bao/ci/web/TOKEN")
        .lacks(northflank::API_TOKEN);
    assert_eq!(bao.asked(), Vec::<String>::new());
    home.run(["trust", "--show"])
        .stderr_has("keyfob://bao/ci/web/TOKEN");
    // The environment goes first.
    home.keyfob(["get", "-s", "web", "K"])
        .env("NORTHFLANK_API_TOKEN", northflank::API_TOKEN)
        .run()
        .ok();
    assert_eq!(bao.asked(), Vec::<String>::new());
    // What is not there is no credential; what cannot be reached is an outage.
    home.write("keyfob.toml", config("keyfob://bao/ci/web/NOPE"));
    home.run(["get", "-s", "web", "K"])
        .code(4)
        .stderr_has("api_token of web");
    home.write("keyfob.toml", config("keyfob://web/TOKEN"));
    home.run(["get", "-s", "web", "K"])
        .code(11)
        .stderr_has("wait for each other");
    home.write("keyfob.toml", config("keyfob://bao"));
    home.run(["get", "-s", "web", "K"])
        .code(11)
        .stderr_has("api_token");
    home.write("keyfob.toml", config("keyfob://bao/ci/web/TOKEN"));
    bao.stop();
    home.run(["--timeout", "1s", "get", "-s", "web", "K"])
        .code(8);
}

#[test]
fn a_vault_keeps_the_credentials_of_the_others() {
    let neo = Neo::start();
    neo.put("K", "v");
    let home = Home::new();
    home.keyfob(["set", "NEO"]).stdin(neo::API_KEY).run().ok();
    home.run([
        "store",
        "add",
        "fn",
        "neo",
        "api_key=keyfob://local/NEO",
        &format!("base_url={}", neo.url()),
    ])
    .ok();
    home.run(["list", "-s", "fn"]).ok().stdout_has("K");
    home.run(["store", "add", "gn", "neo", "api_key=hunter2hunter2"])
        .code(2)
        .lacks("hunter2");
}

#[test]
fn each_credential_has_its_turn() {
    let server = OpenBao::start();
    server.put("app", "K", "v");
    with_approle(&server, None, Granted::new(policy()));
    let tokens: Vec<String> = (0..5).map(|_| server.token(policy())).collect();
    let mut home = Home::new()
        .with("KEYFOB_STORE", "openbao")
        .with("BAO_ADDR", server.url())
        .with("VAULT_ADDR", "https://127.0.0.1:1")
        .with("KEYFOB_OPENBAO_TOKEN", &tokens[0])
        .with("BAO_TOKEN", &tokens[1])
        .with("VAULT_TOKEN", &tokens[2])
        .with(
            "KEYFOB_OPENBAO_TOKEN_COMMAND",
            format!("echo {}", tokens[3]),
        )
        .with("KEYFOB_OPENBAO_AUTH", "approle")
        .with("KEYFOB_OPENBAO_ROLE_ID", "the-role");
    home.write(home.home().join(".vault-token"), &tokens[4]);
    let sent = |home: &Home| {
        server.forget_requests();
        home.run(["get", "app/K"]).ok().stdout_is("v");
        let last = server.requests().pop().unwrap();
        last.header("x-vault-token").unwrap().to_owned()
    };
    let variables = [
        "KEYFOB_OPENBAO_TOKEN",
        "BAO_TOKEN",
        "VAULT_TOKEN",
        "KEYFOB_OPENBAO_TOKEN_COMMAND",
    ];
    for (variable, token) in variables.into_iter().zip(&tokens) {
        assert_eq!(sent(&home), *token, "{variable}");
        home.unset(variable);
    }
    let own = sent(&home);
    assert!(!tokens.contains(&own));
    assert_eq!(server.logins(), 1);
    home.unset("KEYFOB_OPENBAO_AUTH");
    assert_eq!(sent(&home), tokens[4]);
    // An address of one's own goes before those of the tools.
    home.set("BAO_ADDR", "https://127.0.0.1:1");
    home.set("BAO_TOKEN", &tokens[1]);
    home.set("KEYFOB_OPENBAO_BASE_URL", server.url());
    sent(&home);
}

#[test]
fn without_an_address_nobody_is_asked() {
    let home = Home::new().with("BAO_TOKEN", "s.token-for-nobody-0123");
    home.run(["get", "-s", "openbao", "app/K"])
        .code(11)
        .stderr_has("KEYFOB_OPENBAO_BASE_URL or BAO_ADDR or VAULT_ADDR");
    home.run(["status"]).ok().stdout_has("has no base_url");
    // What no cache costs is told.
    let server = OpenBao::start();
    super::home(&server)
        .run(["doctor", "-s", "openbao"])
        .stdout_has("KEYFOB_TOKEN_CACHE");
    // Nobody has set it up, which is no fault.
    Home::new().run(["doctor"]).stdout_lacks("base_url");
}

#[test]
fn a_file_says_how_a_server_is_asked() {
    let server = OpenBao::start();
    server.namespace("team/a");
    server.mount("team/a|kv/app", 2);
    let home = Home::new()
        .with("KEYFOB_TRUST", "1")
        .with("KEYFOB_BAO_TOKEN", crate::support::servers::openbao::TOKEN);
    let file = |version: &str| {
        format!(
            "default_store = \"bao\"\n[stores.bao]\nprovider = \"openbao\"\nbase_url = \"{}\"\nnamespace = \"team/a\"\nmount = \"kv/app\"\nkv_version = {version}\npath = \"ci\"\n",
            server.url()
        )
    };
    for version in ["2", "\"2\"", "\"auto\""] {
        home.write("keyfob.toml", file(version));
        home.keyfob(["set", "K"]).stdin(version).run().ok();
        home.run(["get", "K"]).ok().stdout_is(version);
    }
    for version in ["3", "\"v2\"", "2.0"] {
        home.write("keyfob.toml", file(version));
        home.run(["get", "K"]).code(11).stderr_has("kv_version");
    }
}
