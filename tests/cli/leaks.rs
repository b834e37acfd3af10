//! No value, keypair or token comes out anywhere it should not, whatever fails.

use crate::support::home::Home;
use crate::support::servers::faults::Fault;
use crate::support::servers::message::Answer;
use crate::support::servers::{ByteNite, Neo, Nosana, OpenBao, bytenite, neo, openbao};
use crate::support::solana::Keypair;
#[cfg(target_os = "linux")]
use crate::support::wait::until;

const CANARY: &str = "canary-c4n4ry-value-0815";

/// Answers that repeat the value that was sent.
fn echoes() -> Vec<Fault> {
    vec![
        Fault::Answer(Answer::text(400, format!("bad value {CANARY}"))),
        Fault::Answer(Answer::text(
            500,
            format!("{{\"message\":\"cannot store {CANARY}\"}}"),
        )),
    ]
}

fn faults() -> Vec<Fault> {
    vec![
        Fault::status(500),
        Fault::Answer(Answer::text(200, format!("{{\"A\": \"{CANARY}"))),
        Fault::Answer(Answer::text(200, format!("<html>{CANARY}</html>"))),
        Fault::captive_portal(),
        Fault::redirect(307, "http://127.0.0.1:9/elsewhere"),
        Fault::ResetMidBody,
        Fault::Truncated,
        Fault::close_applied(),
        Fault::rate_limited(3600),
        Fault::Hang,
    ]
}

#[test]
fn no_fault_brings_a_secret_into_a_message_or_a_file() {
    for (method, path) in [
        ("POST", "/login"),
        ("GET", "/secrets"),
        ("POST", "/secrets"),
    ] {
        let sent = (method, path) == ("POST", "/secrets");
        let echoes = if sent { echoes() } else { Vec::new() };
        for fault in faults().into_iter().chain(echoes) {
            let server = Nosana::start();
            let keypair = Keypair::new(7);
            let mut home = Home::new();
            home.set("KEYFOB_STORE", "nosana");
            home.knows_nosana(&server, &keypair);
            server.put(&keypair.address(), "OTHER", CANARY);
            let token = server.token(&keypair.address());
            let token_start = token.split('.').next().unwrap().to_owned();
            let what = format!("{method} {path} {fault:?}");
            server.faults().on(method, path, fault);
            for json in [false, true] {
                let mut args = vec!["-vvv", "--timeout", "1s", "set", "A"];
                if json {
                    args.insert(0, "--json");
                }
                let run = home.keyfob(args).stdin(CANARY).run();
                assert_ne!(run.code, Some(101), "{what}: {}", run.stderr);
                for secret in [
                    CANARY,
                    token_start.as_str(),
                    &keypair.base58(),
                    &keypair.json(),
                ] {
                    assert!(!run.text().contains(secret), "{what}: {}", run.text());
                    assert!(!run.stderr.contains(secret), "{what}: {}", run.stderr);
                    let files = home.files_holding(secret.as_bytes());
                    assert!(files.is_empty(), "{what}: {files:?}");
                }
            }
        }
    }
}

#[test]
fn no_fault_of_bytenite_or_neo_brings_a_secret_out() {
    let bytenite = [
        ("POST", "/v1/auth/access_token", "POST", "/v1/auth/secrets"),
        ("GET", "/v1/auth/secrets", "POST", "/v1/auth/secrets"),
        ("POST", "/v1/auth/secrets", "POST", "/v1/auth/secrets"),
    ];
    for (method, path, sent_by, sent_to) in bytenite {
        let echoes = if (method, path) == (sent_by, sent_to) {
            echoes()
        } else {
            Vec::new()
        };
        for fault in faults().into_iter().chain(echoes) {
            let server = ByteNite::start();
            let what = format!("bytenite {method} {path} {fault:?}");
            server.faults().on(method, path, fault);
            let home = home_of("bytenite", server.url(), bytenite::API_KEY);
            nothing_comes_out(
                &home,
                "s3/a",
                &[CANARY, bytenite::API_KEY, "bn.000001"],
                &what,
            );
        }
    }
    let neo = [
        ("GET", "/v1/secrets"),
        ("POST", "/v1/secrets"),
        ("DELETE", "/v1/secrets/*"),
    ];
    for (method, path) in neo {
        let echoes = if method == "POST" {
            echoes()
        } else {
            Vec::new()
        };
        for fault in faults().into_iter().chain(echoes) {
            let server = Neo::start();
            server.put("A", "old");
            let what = format!("neo {method} {path} {fault:?}");
            server.faults().on(method, path, fault);
            let home = home_of("neo", server.url(), neo::API_KEY);
            nothing_comes_out(&home, "A", &[CANARY, neo::API_KEY], &what);
        }
    }
}

#[test]
fn no_fault_of_openbao_brings_a_secret_out() {
    for (method, path) in [
        ("GET", "/v1/sys/internal/ui/mounts/*"),
        ("GET", "/v1/secret/data/*"),
        ("PATCH", "/v1/secret/data/*"),
    ] {
        let echoes = match method {
            "PATCH" => echoes(),
            _ => Vec::new(),
        };
        for fault in faults().into_iter().chain(echoes) {
            let server = OpenBao::start();
            server.put("app", "OTHER", CANARY);
            let what = format!("openbao {method} {path} {fault:?}");
            server.faults().on(method, path, fault);
            let mut home = Home::new();
            home.set("KEYFOB_STORE", "openbao").knows_openbao(&server);
            nothing_comes_out(&home, "app/A", &[CANARY, openbao::TOKEN], &what);
        }
    }
    // Of what proves who signs in nothing comes out, either.
    for fault in faults().into_iter().chain([Fault::Answer(Answer::text(
        400,
        "{\"errors\":[\"no role-id-canary-1 or secret-id-canary-2\"]}",
    ))]) {
        let server = OpenBao::start();
        let what = format!("openbao login {fault:?}");
        server.faults().on("POST", "/v1/auth/approle/login", fault);
        let home = Home::new()
            .with("KEYFOB_STORE", "openbao")
            .with("KEYFOB_OPENBAO_BASE_URL", server.url())
            .with("KEYFOB_OPENBAO_AUTH", "approle")
            .with("KEYFOB_OPENBAO_ROLE_ID", "role-id-canary-1")
            .with("KEYFOB_OPENBAO_SECRET_ID", "secret-id-canary-2");
        nothing_comes_out(&home, "app/A", &[CANARY, "secret-id-canary-2"], &what);
    }
}

fn home_of(provider: &str, url: String, key: &str) -> Home {
    let prefix = format!("KEYFOB_{}_", provider.to_uppercase());
    Home::new()
        .with("KEYFOB_STORE", provider)
        .with(format!("{prefix}BASE_URL"), url)
        .with(format!("{prefix}API_KEY"), key)
}

/// Stores the canary under `name`, whatever comes of it, and looks for `secrets` everywhere.
fn nothing_comes_out(home: &Home, name: &str, secrets: &[&str], what: &str) {
    let run = home
        .keyfob(["-vvv", "--timeout", "1s", "set", name])
        .stdin(CANARY)
        .run();
    assert_ne!(run.code, Some(101), "{what}: {}", run.stderr);
    for secret in secrets {
        assert!(!run.text().contains(secret), "{what}: {}", run.text());
        assert!(!run.stderr.contains(secret), "{what}: {}", run.stderr);
        let files = home.files_holding(secret.as_bytes());
        assert!(files.is_empty(), "{what}: {files:?}");
    }
}

#[test]
fn a_vault_in_trouble_says_nothing_of_what_it_holds() {
    let home = Home::new();
    home.keyfob(["-vvv", "set", "A"])
        .stdin(CANARY)
        .run()
        .ok()
        .lacks(CANARY);
    home.keyfob(["-vvv", "list"]).run().ok().lacks(CANARY);
    home.keyfob(["-vvv", "show", "A"]).run().ok().lacks(CANARY);
    home.keyfob(["-vvv", "vault", "info"])
        .run()
        .ok()
        .lacks(CANARY);
    assert!(home.files_holding(CANARY.as_bytes()).is_empty());
    let identity = std::fs::read_to_string(home.data().join("identity.txt")).unwrap();
    let key = identity
        .lines()
        .find(|line| line.starts_with("AGE-SECRET-KEY-"))
        .unwrap();
    home.run(["-vvv", "vault", "info"]).lacks(key);
    home.run(["-vvv", "status"]).lacks(key);
    home.keyfob(["get", "A"])
        .env("KEYFOB_LOCAL_IDENTITY", key)
        .run()
        .ok();
    let damaged = key.replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1QQ");
    home.keyfob(["get", "A"])
        .env("KEYFOB_LOCAL_IDENTITY", &damaged)
        .run()
        .lacks(&damaged[16..]);
}

#[cfg(target_os = "linux")]
#[test]
fn arguments_of_the_process_hold_no_secret() {
    let server = Nosana::start();
    let keypair = Keypair::new(7);
    let mut home = Home::new();
    home.set("KEYFOB_STORE", "nosana");
    home.knows_nosana(&server, &keypair);
    server.faults().on("GET", "/secrets", Fault::Hang);
    let running = home.keyfob(["set", "A"]).stdin(CANARY).spawn();
    until("the request", || server.count("GET", "/secrets") > 0);
    let arguments = std::fs::read(format!("/proc/{}/cmdline", running.pid())).unwrap();
    assert!(!String::from_utf8_lossy(&arguments).contains(CANARY));
    // Nobody but root can read it.
    if let Ok(environment) = std::fs::read(format!("/proc/{}/environ", running.pid())) {
        assert!(!String::from_utf8_lossy(&environment).contains(CANARY));
    }
    running.kill();
}

#[test]
fn a_damaged_keypair_is_not_repeated() {
    let mut home = Home::new();
    home.set("KEYFOB_STORE", "nosana");
    let keypair = Keypair::new(7);
    for text in [
        keypair.json().replace(',', ";"),
        format!("{}!", keypair.base58()),
        keypair.base58()[..40].to_owned(),
    ] {
        let run = home
            .keyfob(["-vvv", "list"])
            .env("KEYFOB_NOSANA_KEYPAIR", &text)
            .run();
        assert_ne!(run.code, Some(0));
        run.lacks(&text);
    }
}

/// Texts that hold a private key and are no path, each with the part of it that is secret.
struct Slip {
    what: &'static str,
    text: String,
    secret: String,
}

fn slip(what: &'static str, text: String, secret: &str) -> Slip {
    let secret = secret.to_owned();
    Slip { what, text, secret }
}

const AGE_BODY: &str = "GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
/// The first two lines of an OpenSSH private key, and its last.
const SSH_BODY: [&str; 3] = [
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW",
    "QyNTUxOQAAACB7Ci6nqZYaVvrjs2+XbzII89TsXzP111AflR7WeorBjQAAAJCfEwtqnxML",
    "agAAAAtzc2gtZWQyNTUxOQAAACB7Ci6n==",
];

fn slips_of_identities() -> Vec<Slip> {
    let age = format!("AGE-SECRET-KEY-1{AGE_BODY}");
    let lower = age.to_lowercase();
    let body = SSH_BODY.join("\n");
    let pem =
        format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n");
    vec![
        slip(
            "with blanks for line ends",
            pem.replace('\n', " "),
            &body.replace('\n', " "),
        ),
        slip(
            "with \\n for line ends",
            pem.replace('\n', "\\n"),
            &body.replace('\n', "\\n"),
        ),
        slip(
            "without line ends",
            pem.replace('\n', ""),
            &body.replace('\n', ""),
        ),
        slip("without its head", format!("{body}\n"), &body),
        slip(
            "in base64 alone",
            body.replace('\n', ""),
            &body.replace('\n', ""),
        ),
        slip("quoted", format!("\"{age}\""), AGE_BODY),
        slip("quoted twice", format!("'\"./{age}\"'"), AGE_BODY),
        slip("in small letters", lower.clone(), &lower[16..]),
        slip(
            "its body in small letters",
            format!("./{}", &lower[16..]),
            &lower[16..],
        ),
        slip("assigned", format!("key={age}"), AGE_BODY),
        slip(
            "assigned in small letters",
            format!("key={lower}"),
            &lower[16..],
        ),
        slip("behind a comment", format!("# me {age}"), AGE_BODY),
        slip(
            "its file",
            format!("# created: 2030-01-01T00:00:00Z\r\n{age}\r\n"),
            AGE_BODY,
        ),
        slip("with a full stop", format!("{age}."), AGE_BODY),
    ]
}

fn slips_of_keypairs() -> Vec<Slip> {
    let json = Keypair::new(7).json();
    let numbers = json.trim_matches(['[', ']']);
    let bytes: Vec<u8> = serde_json::from_str(&json).unwrap();
    let base58 = Keypair::new(7).base58();
    let seed = Keypair::new(7).seed_base58();
    let base64 = base64_of(&bytes);
    let url = base64.replace('+', "-").replace('/', "_");
    let slashed = format!("{}/{}", &base64[..40], &base64[40..]);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let decimals = numbers.replace(',', ".0, ");
    let python: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    vec![
        slip("base64", base64.clone(), &base64),
        slip("base64 with a slash", slashed.clone(), &slashed),
        slip("base64url", url.clone(), &url),
        slip("base64 behind a folder", format!("keys/{base64}"), &base64),
        slip("an Uint8Array", format!("Uint8Array.from({json})"), numbers),
        slip("decimals", format!("[{decimals}.0]"), &decimals),
        slip("decimals alone", decimals.clone(), &decimals),
        slip(
            "numbers with blanks",
            numbers.replace(',', " "),
            &numbers.replace(',', " "),
        ),
        slip("base58 and a full stop", format!("{base58}."), &base58),
        slip("base58 and a slash", format!("{base58}/"), &base58),
        slip("base58 behind a slash", format!("/{base58}"), &base58),
        slip("a seed and a full stop", format!("{seed}."), &seed),
        slip("a seed behind a folder", format!("./{seed}"), &seed),
        slip("Python's", format!("b'{python}'"), &python),
        slip("hexadecimal", format!("0x{hex}"), &hex),
        slip("hexadecimal and a full stop", format!("{hex}."), &hex),
        slip("quoted", format!("'{base58}'"), &base58),
        slip("assigned", format!("keypair=./{base58}"), &base58),
        slip("cut", format!("./{}", &base58[..40]), &base58[..40]),
    ]
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Runs `args` in `home`, and again with `--json` and `-vvv`, and looks for pieces of the secret.
fn is_not_repeated(home: &Home, args: &[&str], slip: &Slip, route: &str) {
    for json in [false, true] {
        is_not_in_what_it_says(home, args, slip, route, json);
    }
}

/// The same with or without `--json` and `-vvv`.
fn is_not_in_what_it_says(home: &Home, args: &[&str], slip: &Slip, route: &str, json: bool) {
    let more = if json { &["--json", "-vvv"][..] } else { &[] };
    let run = home.keyfob(more).args(args).stdin("").run();
    let what = format!("{}: {route}: {more:?} {args:?}", slip.what);
    assert_ne!(run.code, Some(101), "{what}: {}", run.stderr);
    for said in [run.text(), run.stderr.clone()] {
        let found = slip.secret.as_bytes().windows(8).find(|piece| {
            let piece = String::from_utf8_lossy(piece);
            // In JSON a backslash is two.
            said.contains(&*piece) || said.contains(&piece.replace('\\', "\\\\"))
        });
        assert_eq!(found, None, "{what}: {said}");
    }
}

/// What opens the store, and what tells of it.
const ROUTES: [&[&str]; 11] = [
    &["get", "A"],
    &["store", "list"],
    &["status"],
    &["doctor"],
    &["vault", "info"],
    &["set", "A", "--generate"],
    &["run", "--all", "--", "true"],
    &["export"],
    &["scan", "."],
    &["rotate", "A"],
    &["key", "address"],
];

#[test]
fn a_key_in_the_environment_is_not_taken_for_a_path_and_repeated() {
    let cases = [
        ("local", "KEYFOB_LOCAL_IDENTITY", slips_of_identities()),
        ("nosana", "KEYFOB_NOSANA_KEYPAIR", slips_of_keypairs()),
    ];
    for (store, variable, slips) in cases {
        for slip in &slips {
            let home = Home::new()
                .with("KEYFOB_STORE", store)
                .with("KEYFOB_NOSANA_BASE_URL", "http://127.0.0.1:9")
                .with("KEYFOB_TIMEOUT", "1s")
                .with(variable, &slip.text);
            for args in ROUTES {
                is_not_repeated(&home, args, slip, variable);
            }
        }
    }
}

#[test]
fn a_key_in_a_file_is_not_taken_for_a_path_and_repeated() {
    let cases = [
        ("local", "identity", slips_of_identities()),
        ("nosana", "keypair", slips_of_keypairs()),
    ];
    for (provider, field, slips) in cases {
        for slip in &slips {
            let home = Home::new().with("KEYFOB_TIMEOUT", "1s");
            let text = serde_json::to_string(&slip.text).unwrap();
            let file = format!(
                "default_store = \"x\"\n[stores.x]\nprovider = \"{provider}\"\n{field} = {text}\n"
            );
            home.write_private(home.config().join("config.toml"), file);
            for args in &ROUTES[..5] {
                is_not_repeated(&home, args, slip, field);
            }
            let set = format!("{field}={}", slip.text);
            is_not_repeated(&home, &["store", "add", "y", provider, &set], slip, field);
        }
    }
}

#[test]
fn a_key_in_place_of_a_file_is_not_repeated() {
    for slip in slips_of_keypairs().iter().chain(&slips_of_identities()) {
        let home = Home::new();
        let text = slip.text.as_str();
        for args in [
            &["key", "address", text][..],
            &["key", "import", text],
            &["set", "A", "--file", text],
            &["import", text],
            &["-C", text, "list"],
            &["scan", text],
            &["trust", text],
            &["inject", "-i", text],
            &["run", "--env-file", text, "--", "true"],
        ] {
            is_not_repeated(&home, args, slip, "argument");
        }
    }
}

#[test]
fn a_private_key_in_place_of_a_recipient_is_not_repeated() {
    for slip in slips_of_identities().iter().chain(&slips_of_keypairs()) {
        let home = Home::new();
        let text = slip.text.as_str();
        for command in ["add", "remove"] {
            let args = ["vault", "recipients", command, text];
            is_not_repeated(&home, &args, slip, "argument");
        }
        let named = Home::new().with("KEYFOB_LOCAL_RECIPIENTS", text);
        let file = format!(
            "[stores.local]\nprovider = \"local\"\nrecipients = [{}]\n",
            serde_json::to_string(text).unwrap()
        );
        home.write_private(home.config().join("config.toml"), file);
        for args in &ROUTES[..5] {
            is_not_repeated(&named, args, slip, "KEYFOB_LOCAL_RECIPIENTS");
            is_not_repeated(&home, args, slip, "recipients");
        }
    }
}

#[test]
fn a_path_that_is_there_is_a_path() {
    let home = Home::new();
    let keypair = Keypair::new(7);
    let name = "4Z7cXSyeFR8wNGMVXUE1TwtKn5D5Vu7FzEv69dokLv7K";
    let path = home.write_private(home.work().join(name), keypair.json());
    for named in [name, path.to_str().unwrap()] {
        let run = home
            .keyfob(["-s", "nosana", "key", "address", "--json"])
            .env("KEYFOB_NOSANA_KEYPAIR", named)
            .run();
        assert_eq!(run.json()["address"], keypair.address().as_str());
        assert!(run.json()["source"].as_str().unwrap().ends_with(name));
    }
    home.keyfob(["-s", "nosana", "list"])
        .env("KEYFOB_NOSANA_KEYPAIR", format!("keys/{name}.json"))
        .run()
        .code(4)
        .stderr_has(name);
}

#[test]
fn a_value_behind_a_name_is_not_repeated() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("x").run().ok();
    let text = format!("B={CANARY}");
    let slip = slip("NAME=VALUE", text.clone(), CANARY);
    let reference = format!("keyfob://local/{text}");
    for name in [text.as_str(), reference.as_str()] {
        for args in [
            &["get", name][..],
            &["set", name],
            &["show", name],
            &["delete", "-y", name],
            &["delete", "-y", "A", name],
            &["rotate", name],
            &["vault", "history", name],
            &["vault", "restore", name],
            &["export", "--only", name],
            &["run", "--only", name, "--", "true"],
            &["run", "-e", &format!("C={name}"), "--", "true"],
            &["copy", name, "local"],
            &["-s", &text, "list"],
        ] {
            is_not_repeated(&home, args, &slip, "NAME");
        }
    }
}

/// Tokens in forms that their makers gave them, and keys of other kinds.
fn slips_of_tokens() -> Vec<Slip> {
    let whole = |what, text: &str| slip(what, text.to_owned(), text);
    let pkcs8 = "MC4CAQAwBQYDK2VwBCIEIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";
    let pq = format!("AGE-SECRET-KEY-PQ-1{AGE_BODY}");
    let plugin = format!("AGE-PLUGIN-YUBIKEY-1{}", &AGE_BODY[..30]);
    vec![
        slip(
            "PKCS 8",
            format!("-----BEGIN PRIVATE KEY-----\n{pkcs8}\n-----END PRIVATE KEY-----\n"),
            pkcs8,
        ),
        slip("post-quantum", pq, AGE_BODY),
        slip("of a plugin", plugin, &AGE_BODY[..30]),
        slip(
            "32 bytes",
            base64_of(&[0x5b, 0xa7, 0x1e, 0xf2].repeat(8)),
            &base64_of(&[0x5b, 0xa7, 0x1e, 0xf2].repeat(8)),
        ),
        whole(
            "a JWT",
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        ),
        whole("GitHub's", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
        whole("GitLab's", "glpat-ABCdefGHIjklMNOpqr12"),
        whole(
            "Slack's",
            "xoxb-263594206564-2343594206574-FGqddMF8t08v8N7Oq4i57vs1",
        ),
        whole("Amazon's", "AKIAIOSFODNN7EXAMPLE"),
        whole("npm's", "npm_aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789"),
    ]
}

/// Where a name, a path, a store or a value of another form is expected, with `{}` for the text.
const PLACES: [&[&str]; 38] = [
    &["get", "{}"],
    &["get", "keyfob://local/{}"],
    &["get", "keyfob://{}/A"],
    &["show", "{}"],
    &["delete", "-y", "{}"],
    &["list", "--prefix", "{}"],
    &["-s", "{}", "list"],
    &["-C", "{}", "list"],
    &["--timeout", "{}", "list"],
    &["--color", "{}", "list"],
    &["set", "A", "{}"],
    &["set", "A", "--file", "{}"],
    &["set", "A", "--from-env", "{}"],
    &["set", "A", "--generate={}"],
    &["set", "A", "--attr", "{}", "--generate"],
    &["set", "A", "--expires-at", "{}", "--generate"],
    &["login", "neo", "{}"],
    &["login", "{}"],
    &["logout", "{}"],
    &["status", "{}"],
    &["{}"],
    &["run", "-e", "{}", "--", "true"],
    &["run", "-e", "A={}", "--", "true"],
    &["run", "--only", "{}", "--", "true"],
    &["run", "--all", "--", "{}"],
    &["export", "--format", "{}"],
    &["export", "--all", "-o", "none/{}"],
    &["import", "{}"],
    &["inject", "-i", "{}"],
    &["rotate", "A", "--to", "{}"],
    &["rotate", "A", "--derive", "{}"],
    &["rotate", "A", "--generate", "{}"],
    &["copy", "A", "{}"],
    &["diff", "local", "{}"],
    &["store", "add", "{}", "neo"],
    &["store", "add", "x", "neo", "{}"],
    &["key", "import", "{}"],
    &["vault", "restore", "A", "{}"],
];

#[test]
fn a_key_in_any_place_of_a_command_line_is_not_repeated() {
    let slips: Vec<Slip> = slips_of_identities()
        .into_iter()
        .chain(slips_of_keypairs())
        .chain(slips_of_tokens())
        .collect();
    let mut json = false;
    for slip in &slips {
        // Some of them store a secret of that name.
        let home = Home::new().with("KEYFOB_TIMEOUT", "1s");
        home.keyfob(["set", "A"]).stdin("x").run().ok();
        for place in PLACES {
            let args: Vec<String> = place
                .iter()
                .map(|arg| arg.replace("{}", &slip.text))
                .collect();
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            // Every other case in JSON: both, for each, take minutes.
            json = !json;
            is_not_in_what_it_says(&home, &args, slip, "argument", json);
        }
    }
    eprintln!("{} forms in {} places", slips.len(), PLACES.len());
}

#[test]
fn a_key_in_any_setting_is_not_repeated() {
    let settings = [
        "KEYFOB_STORE",
        "KEYFOB_CONFIG",
        "KEYFOB_TIMEOUT",
        "KEYFOB_TOKEN_CACHE",
        "KEYFOB_CONCURRENCY",
        "KEYFOB_LOCAL_PATH",
        "KEYFOB_LOCAL_IDENTITY",
        "KEYFOB_FALLBACK_KEY",
        "KEYFOB_KEYRING_TIMEOUT",
    ];
    let slips: Vec<Slip> = slips_of_identities()
        .into_iter()
        .chain(slips_of_tokens())
        .collect();
    for slip in &slips {
        for setting in settings {
            let home = Home::new().with(setting, &slip.text);
            is_not_repeated(
                &home,
                &["run", "--all", "--fallback", "--", "true"],
                slip,
                setting,
            );
        }
        // As a name in the configuration.
        let home = Home::new();
        home.keyfob(["set", "A"]).stdin("x").run().ok();
        let text = serde_json::to_string(&slip.text).unwrap();
        let file = format!("[env]\nB = {text}\n[rotation.A]\ntargets = [{text}]\n");
        home.write_private(home.config().join("config.toml"), file);
        for args in [
            &["run", "--", "true"][..],
            &["export"],
            &["rotate", "A", "--dry-run"],
        ] {
            is_not_repeated(&home, args, slip, "[env]");
        }
    }
    eprintln!("{} forms in {} settings", slips.len(), settings.len());
}

#[test]
fn what_is_no_key_is_repeated() {
    let home = Home::new();
    for name in [
        "DB_PASSWORD",
        "AWS_SECRET_ACCESS_KEY_FOR_PRODUCTION_EU_WEST_1",
        "api-env//etc/app.conf",
        "a1b2c3d4-e5f6-4a7b-8c9d-e0f1a2b3c4d5",
        "größe",
    ] {
        home.run(["get", name]).code(3).stderr_has(name);
        home.run(["run", "--only", name, "--", "true"])
            .code(125)
            .stderr_has(name);
    }
    for path in [
        "id.json",
        "My Documents/Solana_Main-2024.json",
        "../secrets/production.eu-west-1.age",
        "/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T/identity.txt",
    ] {
        home.run(["key", "address", path]).code(1).stderr_has(path);
        home.run(["import", path]).code(1).stderr_has(path);
    }
    home.run(["lits"]).code(2).stderr_has("lits");
    home.run(["--timeout", "soon", "list"])
        .code(2)
        .stderr_has("soon");
}

#[test]
fn an_argument_too_much_is_not_repeated() {
    let home = Home::new();
    for args in [["login", "neo", "hunter2"], ["logout", "neo", "hunter2"]] {
        let run = home.run(args);
        run.code(2)
            .lacks("hunter2")
            .stderr_has("unexpected argument");
    }
    home.run(["list", "--hunter"])
        .code(2)
        .stderr_has("--hunter");
}

#[test]
fn names_drive_neither_the_terminal_nor_a_runner() {
    let home = Home::new();
    for name in [
        "X\n::stop-commands::pwn",
        "::add-mask::x",
        "a\u{1b}[31m",
        "b ##[error]x",
    ] {
        home.keyfob(["set", name]).stdin("hunter22").run().ok();
        for args in [
            &["get", "-s", "local", "no\n::stop-commands::pwn"][..],
            &["list"],
            &["show", name],
            &["delete", "-y", name],
            &["scan", "."],
            &["export", "--format", "dotenv"],
        ] {
            home.write("x\n::stop-commands::pwn", "hunter22");
            let run = home.run(args);
            for said in [run.text(), run.stderr.clone()] {
                let bad = said.lines().find(|line| {
                    line.trim_start().starts_with("::")
                        || line.contains("##[")
                        || line.contains('\u{1b}')
                });
                assert_eq!(bad, None, "{args:?}: {said}");
            }
        }
    }
    home.keyfob(["set", "X\n::y"]).stdin("x").run().ok();
    let listed = home.run(["--json", "list"]).ok().json();
    assert_eq!(listed[0]["name"], "X\n::y");
}
