//! `keyfob doctor`: a healthy set-up is called so, and each fault is found, named and given its
//! remedy, without hiding the others and without a word of anything secret.

use std::fs;

use serde_json::Value;

use crate::support::home::Home;
#[cfg(unix)]
use crate::support::home::set_mode;
use crate::support::run::Run;
use crate::support::servers::{ByteNite, Fault, Neo, Nosana, bytenite, neo};
use crate::support::solana::Keypair;
use crate::support::wait::until;

/// A report, and how it is searched.
struct Report(Value);

impl Report {
    #[track_caller]
    fn of(run: &Run) -> Self {
        Self(run.json())
    }

    fn all(&self) -> &[Value] {
        self.0["checks"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The one finding of this check about this subject ("" where there is but one).
    #[track_caller]
    fn one(&self, check: &str, subject: &str) -> &Value {
        let found: Vec<&Value> = self
            .all()
            .iter()
            .filter(|found| found["check"] == check)
            .filter(|found| found["subject"].as_str().unwrap_or_default() == subject)
            .collect();
        assert_eq!(found.len(), 1, "{check} {subject}: {:#}", self.0);
        found[0]
    }

    #[track_caller]
    fn is(&self, check: &str, subject: &str, status: &str, detail: &str) -> &Self {
        let found = self.one(check, subject);
        assert_eq!(found["status"], status, "{found:#}");
        let said = found["detail"].as_str().unwrap();
        assert!(said.contains(detail), "{detail:?} in {found:#}");
        self
    }

    /// Each fault and warning tells its remedy, and the numbers are right.
    #[track_caller]
    fn is_sound(&self) -> &Self {
        let count = |status: &str| {
            let found = self.all().iter().filter(|found| found["status"] == status);
            found.count()
        };
        assert_eq!(self.0["faults"], count("fault"));
        assert_eq!(self.0["warnings"], count("warning"));
        for found in self.all() {
            let bad = ["fault", "warning"].contains(&found["status"].as_str().unwrap());
            assert!(!bad || found["hint"].is_string(), "no remedy: {found:#}");
        }
        self
    }
}

fn examine(home: &Home, code: i32) -> Report {
    let run = home.run(["doctor", "--json", "-vvv"]);
    run.code(code);
    if code == 1 {
        assert_eq!(run.error()["kind"], "failed");
    }
    let report = Report::of(&run);
    report.is_sound();
    report
}

#[test]
fn a_set_up_that_works_is_told_as_such() {
    let (nosana, bytenite, neo) = (Nosana::start(), ByteNite::start(), Neo::start());
    let mut home = Home::new();
    let keypair = Keypair::new(1);
    let file = keypair.write(&home);
    home.set("KEYFOB_NOSANA_BASE_URL", nosana.url());
    home.set("KEYFOB_NOSANA_KEYPAIR", &file);
    home.set("KEYFOB_BYTENITE_BASE_URL", bytenite.url());
    home.set("KEYFOB_BYTENITE_API_KEY", bytenite::API_KEY);
    home.knows_neo(&neo);
    home.keyfob(["set", "A"]).stdin("the-value").run().ok();
    home.run(["init"]).ok();
    nosana.put(&keypair.address(), "A", "the-value");
    let report = examine(&home, 0);
    let project = home.work().join("keyfob.toml").canonicalize().unwrap();
    report
        .is(
            "configuration",
            &project.display().to_string(),
            "ok",
            "trusted",
        )
        .is("permissions", "", "ok", "yours alone")
        .is("keypair", "nosana", "ok", &keypair.address())
        .is("store", "local", "ok", "identity.txt")
        .is("store", "nosana", "ok", &nosana.url())
        .is(
            "store",
            "bytenite",
            "ok",
            "environment KEYFOB_BYTENITE_API_KEY",
        )
        .is("store", "neo", "ok", "environment NEO_API_KEY")
        .is("clock", &nosana.address().to_string(), "ok", "within")
        .is("clock", &neo.address().to_string(), "ok", "within");
    // Looking costs no more than it must, and changes nothing.
    assert_eq!(nosana.asked(), ["POST /login", "GET /secrets"]);
    assert_eq!(neo.requests().len(), 1);
    let asked = bytenite.requests().len();
    assert!(asked <= 2, "{asked}");
    // Whatever is said, nothing of it is secret.
    let run = home.run(["doctor", "-vvv"]);
    for secret in [
        "the-value",
        &keypair.json(),
        &keypair.base58(),
        &keypair.seed_base58(),
        bytenite::API_KEY,
        neo::API_KEY,
        "AGE-SECRET-KEY-",
        "eyJ",
    ] {
        run.ok().lacks(secret);
    }
}

#[test]
fn one_dead_server_hides_nothing_and_stores_are_asked_at_once() {
    let (good, stopped) = (Nosana::start(), Nosana::start());
    let hanging = [Nosana::start(), Nosana::start()];
    for server in &hanging {
        server.faults().always(Fault::Hang);
    }
    stopped.stop();
    let mut home = Home::new();
    let keypair = Keypair::new(1);
    for (store, server) in [
        ("GOOD", &good),
        ("HANGING", &hanging[0]),
        ("HANGINGTOO", &hanging[1]),
        ("STOPPED", &stopped),
    ] {
        home.set(format!("KEYFOB_{store}_PROVIDER"), "nosana");
        home.set(format!("KEYFOB_{store}_BASE_URL"), server.url());
        home.set(format!("KEYFOB_{store}_KEYPAIR"), keypair.json());
    }
    home.set("KEYFOB_TIMEOUT", "3s");
    let running = home.keyfob(["doctor", "--json"]).spawn();
    // One is not given up before the other is asked.
    until("both are waited for", || {
        hanging
            .iter()
            .all(|server| server.peak_requests() == 1 && server.open_connections() == 1)
    });
    let run = running.wait();
    let report = Report::of(run.code(1));
    report
        .is("store", "good", "ok", &keypair.address())
        .is("store", "hanging", "fault", "unavailable")
        .is("store", "hangingtoo", "fault", "unavailable")
        .is("store", "stopped", "fault", "unavailable")
        .is("store", "local", "ok", "vault.age");
    assert_eq!(report.0["faults"], 3);
}

#[test]
fn a_refused_credential_is_a_fault() {
    let (bytenite, nosana) = (ByteNite::start(), Nosana::start());
    let mut home = Home::new();
    home.set("KEYFOB_BYTENITE_BASE_URL", bytenite.url());
    home.set("KEYFOB_BYTENITE_API_KEY", "wrong-key-4711");
    home.set("KEYFOB_NOSANA_BASE_URL", nosana.url());
    let run = home.run(["doctor", "--json", "-vvv"]);
    run.code(1).lacks("wrong-key-4711");
    let report = Report::of(&run);
    report
        .is("store", "bytenite", "fault", "unauthenticated")
        // It was configured, so what it lacks is a fault.
        .is("keypair", "nosana", "fault", "no Solana keypair")
        .is("store", "nosana", "fault", "unauthenticated")
        .is_sound();
    assert_eq!(nosana.connections(), 0);
}

#[test]
fn a_wrong_configuration_is_told_and_the_rest_examined() {
    let home = Home::new().with("KEYFOB_TRUST", "1");
    let file = home.write("keyfob.toml", "[stores.a]\nprovider = \"nosanna\"\n");
    let report = examine(&home, 1);
    report
        .is(
            "configuration",
            "",
            "fault",
            &format!("{}:2:12", file.display()),
        )
        .is("store", "", "skipped", "without a configuration")
        .is("tokens", "", "ok", "")
        .is("proxy", "", "ok", "");
    assert_eq!(report.0["faults"], 1);
    fs::remove_file(&file).unwrap();
    let run = home
        .keyfob(["doctor", "--json"])
        .env("KEYFOB_STORE", "locl")
        .run();
    Report::of(run.code(1)).is("configuration", "default store", "fault", "locl");
    home.keyfob(["doctor"])
        .env("KEYFOB_TIMEOUT", "x")
        .run()
        .code(2);
}

#[test]
fn a_variable_that_means_nothing_is_told() {
    let mut home = Home::new();
    home.set("KEYFOB_NOSANA_KEYPIAR", "hunter2");
    home.set("KEYFOB_NORTHFLANK_PROJECT_ID", "shop");
    home.set("KEYFOB_NO_INPUT", "1");
    let report = examine(&home, 0);
    report
        .is("environment", "KEYFOB_NOSANA_KEYPIAR", "warning", "keypiar")
        .is(
            "environment",
            "KEYFOB_NORTHFLANK_PROJECT_ID",
            "warning",
            "northflank",
        );
    assert_eq!(report.0["warnings"], 2);
    home.run(["doctor"])
        .ok()
        .stderr_has("did you mean KEYFOB_NOSANA_KEYPAIR?")
        .lacks("hunter2");
}

#[test]
fn what_is_not_trusted_is_a_fault_and_nothing_of_it_is_used() {
    let server = Nosana::start();
    let mut home = Home::new();
    home.write_private("../home/.config/solana/id.json", Keypair::new(1).json());
    home.set("KEYFOB_STORE", "gpu");
    let file = home.write(
        "keyfob.toml",
        format!(
            "[stores.gpu]\nprovider = \"nosana\"\nbase_url = \"{}\"\n[stores.fn]\nprovider = \"neo\"\napi_key_command = \"touch ran\"\n[env]\nA = \"x\"\n",
            server.url()
        ),
    );
    let path = file.canonicalize().unwrap().display().to_string();
    let run = home.run(["doctor", "--json", "-s", "gpu"]);
    let report = Report::of(run.code(1));
    report
        .is("trust", &path, "fault", "nothing in it counts")
        .is("store", "gpu", "fault", "there is no store gpu")
        .is_sound();
    assert_eq!(server.connections(), 0);
    home.run(["doctor", "-s", "neo"])
        .code(1)
        .stderr_has("keyfob trust");
    assert!(!home.work().join("ran").exists());
    home.run(["trust", "-y"]).ok();
    let run = home.run(["doctor", "--json", "-s", "gpu"]);
    Report::of(run.ok()).is("store", "gpu", "ok", &server.url());
}

#[cfg(unix)]
#[test]
fn files_that_others_can_read_or_change_are_faults_with_the_command_to_run() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    home.run(["store", "add", "x", "local", "path=~/x.age"])
        .ok();
    let keypair = home.home().join(".config/solana/id.json");
    home.write_private(&keypair, Keypair::new(1).json());
    let identity = home.data().join("identity.txt");
    let own = home.config().join("config.toml");
    for (path, mode, what) in [
        (&identity, 0o640, "can read"),
        (&keypair, 0o644, "can read"),
        (&own, 0o666, "can change"),
        (&home.config(), 0o777, "can change"),
        (&home.data(), 0o770, "can change"),
    ] {
        let before = fs::metadata(path).unwrap().permissions();
        set_mode(path, mode);
        let run = home.run(["doctor", "--json", "-s", "x"]);
        let shown = path.display().to_string();
        let report = Report::of(run.code(1));
        report.is("permissions", &shown, "fault", what).is_sound();
        // The hint is a command: running it must help.
        let remedy = report.one("permissions", &shown)["hint"].as_str().unwrap();
        home.program("sh", ["-c", remedy]).run().ok();
        let healed = Report::of(&home.run(["doctor", "--json", "-s", "x"]));
        healed.is("permissions", "", "ok", "yours alone");
        fs::set_permissions(path, before).unwrap();
    }
}

#[test]
fn a_clock_that_is_off_is_told_for_each_server() {
    let (right, wrong) = (Nosana::start(), Nosana::start());
    let mut home = Home::new();
    for (store, server) in [("RIGHT", &right), ("WRONG", &wrong)] {
        home.set(format!("KEYFOB_{store}_PROVIDER"), "nosana");
        home.set(format!("KEYFOB_{store}_BASE_URL"), server.url());
        home.set(format!("KEYFOB_{store}_KEYPAIR"), Keypair::new(1).json());
    }
    for (offset, said) in [
        (100, "s behind the server's"),
        (-100, "s ahead of the server's"),
    ] {
        wrong.clock().set_offset(offset);
        let report = examine(&home, 0);
        report
            .is("clock", &wrong.address().to_string(), "warning", said)
            .is("clock", &right.address().to_string(), "ok", "within");
        assert_eq!(report.0["warnings"], 1);
    }
}

#[test]
fn proxies_are_told_without_their_passwords() {
    let mut home = Home::new();
    home.set("HTTPS_PROXY", "http://me:hunter2@proxy.example.com:3128");
    home.set("NO_PROXY", "localhost");
    let report = examine(&home, 0);
    report.is(
        "proxy",
        "HTTPS_PROXY",
        "ok",
        "http://proxy.example.com:3128 with a password, but directly to localhost",
    );
    home.run(["doctor", "-vvv"]).ok().lacks("hunter2");
    home.set("SSL_CERT_FILE", "absent.pem");
    home.set("HTTPS_PROXY", "socks5://localhost:1");
    examine(&home, 1)
        .is("proxy", "HTTPS_PROXY", "fault", "socks5")
        .is("certificates", "SSL_CERT_FILE", "fault", "absent.pem");
}

#[test]
fn a_named_store_is_examined_alone() {
    let (one, other) = (Nosana::start(), Nosana::start());
    let mut home = Home::new();
    for (store, server) in [("ONE", &one), ("OTHER", &other)] {
        home.set(format!("KEYFOB_{store}_PROVIDER"), "nosana");
        home.set(format!("KEYFOB_{store}_BASE_URL"), server.url());
        home.set(format!("KEYFOB_{store}_KEYPAIR"), Keypair::new(1).json());
    }
    let report = Report::of(home.run(["doctor", "--json", "-s", "one"]).ok());
    report.is("store", "one", "ok", &one.url());
    let stores = report
        .all()
        .iter()
        .filter(|found| found["check"] == "store");
    assert_eq!(stores.count(), 1);
    assert_eq!(other.connections(), 0);
    let run = home.run(["doctor", "--json", "-s", "on"]);
    Report::of(run.code(1)).is("store", "on", "fault", "there is no store");
}

#[cfg(unix)]
#[test]
fn the_keyring_is_told_as_it_is() {
    use crate::support::bus::PrivateBus;

    if !PrivateBus::available_for("the_keyring_is_told_as_it_is") {
        return;
    }
    let cases = [
        (PrivateBus::unlocked(), "ok", "open", "the OS keyring"),
        (PrivateBus::locked(), "warning", "locked", "nowhere"),
        (
            PrivateBus::hanging(),
            "warning",
            "did not answer",
            "nowhere",
        ),
        (
            PrivateBus::empty(),
            "skipped",
            "none in this session",
            "nowhere",
        ),
    ];
    for (bus, status, said, tokens) in cases {
        let mut home = Home::new();
        home.attach(&bus);
        home.set("KEYFOB_TOKEN_CACHE", "keyring");
        let run = home.run(["doctor", "--json"]);
        Report::of(run.ok())
            .is("keyring", "Secret Service", status, said)
            .is("tokens", "", "ok", tokens)
            .is_sound();
        // It is remembered for the login session that it does not answer, and nothing else.
        let mut files = home.files();
        files.retain(|file| !file.ends_with("run/keyfob-keyring-silent"));
        assert!(files.is_empty(), "{files:?}");
    }
    // An identity that is in a locked keyring is a fault of the vault.
    let bus = PrivateBus::unlocked();
    let mut home = Home::new();
    home.attach(&bus);
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    examine(&home, 0).is("store", "local", "ok", "OS keyring");
    bus.lock();
    examine(&home, 1)
        .is("keyring", "Secret Service", "warning", "locked")
        .is("store", "local", "fault", "unauthenticated");
}
