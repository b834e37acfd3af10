//! `keyfob scan`: where values are found, where they are not, and what is said of it.

use crate::support::home::Home;
#[cfg(unix)]
use crate::support::home::set_mode;
use crate::support::run::Run;
use crate::support::servers::Nosana;
use crate::support::solana::Keypair;

const VALUE: &str = "hunter2-Canary/4711";
const BASE64: &str = "aHVudGVyMi1DYW5hcnkvNDcxMQ==";
const HEX: &str = "68756e746572322d43616e6172792f34373131";

fn home() -> Home {
    let home = Home::new().with("GIT_CONFIG_GLOBAL", "/dev/null");
    home.keyfob(["set", "DB_PASSWORD"]).stdin(VALUE).run().ok();
    home
}

fn lacks_values(run: &Run) {
    for value in [VALUE, BASE64, HEX] {
        assert!(!run.text().contains(value), "{}", run.text());
        assert!(!run.stderr.contains(value), "{}", run.stderr);
    }
}

/// Has git do something in the working folder.
fn git(home: &Home, args: &[&str]) {
    home.program("git", args).run().ok();
}

#[test]
fn three_encodings_that_are_staged_are_found() {
    let home = home();
    git(&home, &["init", "-q"]);
    home.write("plain.env", format!("A=1\nPASSWORD={VALUE}\n"));
    home.write("k8s.yaml", format!("data:\r\n  password: {BASE64}\r\n"));
    home.write("dump.txt", format!("\n\n{HEX}"));
    home.write("clean.txt", "nothing");
    git(&home, &["add", "."]);
    // The index counts, not the working tree.
    home.write("plain.env", "A=1\n");
    home.write("clean.txt", VALUE);
    let run = home.run(["scan", "--staged"]);
    run.code(1)
        .stdout_is(
            "dump.txt:3:1: DB_PASSWORD\nk8s.yaml:2:13: DB_PASSWORD\nplain.env:2:10: DB_PASSWORD\n",
        )
        .stderr_has("found 1 secret at 3 places in 4 files");
    lacks_values(&run);
    home.run(["scan", "--staged", "k8s.yaml"])
        .code(1)
        .stdout_is("k8s.yaml:2:13: DB_PASSWORD\n");
    let who = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
    git(&home, &[&who[..], &["commit", "-qm", "x"]].concat());
    home.run(["scan", "--staged"]).ok().stdout_is("");
}

#[test]
fn folders_are_walked_as_git_sees_them() {
    let home = home();
    git(&home, &["init", "-q"]);
    home.write(".gitignore", "ignored/\n");
    home.write("ignored/a", VALUE);
    home.write(".hidden/b", format!("ä {VALUE} {VALUE}"));
    home.write(".git/c", VALUE);
    home.write("binary", format!("\0{VALUE}"));
    let run = home.run(["scan"]);
    run.code(1)
        .stdout_is(".hidden/b:1:4: DB_PASSWORD\n.hidden/b:1:24: DB_PASSWORD\n")
        .stderr_has("1 binary file passed over");
    lacks_values(&run);
    home.run(["scan", "--no-ignore", "--binary"])
        .code(1)
        .stdout_has("ignored/a:1:1: DB_PASSWORD\n")
        .stdout_has("binary:1:2: DB_PASSWORD\n")
        .stdout_lacks(".git/c");
    home.run(["scan", "ignored/a"]).code(1);
    home.run(["scan", "missing"]).code(1).stderr_has("missing");
}

#[test]
fn every_name_of_a_value_is_told_and_short_ones_are_left_alone() {
    let home = home();
    home.keyfob(["set", "SAME"]).stdin(VALUE).run().ok();
    home.keyfob(["set", "PIN"]).stdin("1234").run().ok();
    home.write("a", format!("1234 {VALUE}"));
    home.run(["scan", "a"])
        .code(1)
        .stdout_is("a:1:6: DB_PASSWORD\na:1:6: SAME\n")
        .stderr_has("PIN");
}

#[test]
fn large_files_are_searched_across_their_pieces() {
    let home = home();
    let mut text = "x".repeat((1 << 20) - 5);
    for _ in 0..40 {
        text.push_str(VALUE);
        text.push_str(&"\ny".repeat(50_003));
    }
    home.write("large", &text);
    let run = home.run(["scan", "large"]);
    assert_eq!(run.code(1).text().lines().count(), 40);
}

#[test]
fn a_file_s_name_gives_no_value_away() {
    let home = home();
    home.keyfob(["set", "B"]).stdin("swordfish").run().ok();
    home.write("swordfish.txt", "swordfish");
    home.run(["scan"]).code(1).stdout_is("***.txt:1:1: B\n");
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_and_the_vault_is_no_hit() {
    let home = home();
    std::os::unix::fs::symlink(".", home.work().join("loop")).unwrap();
    home.run(["scan"]).ok();
    home.keyfob(["scan", "--no-ignore"])
        .arg(home.data())
        .run()
        .ok();
}

#[cfg(unix)]
#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_searched() {
    let home = home();
    // Nobody can read these, whoever the tests run as.
    std::os::unix::fs::symlink("b", home.work().join("a")).unwrap();
    std::os::unix::fs::symlink("a", home.work().join("b")).unwrap();
    home.write("clean", "nothing");
    let mut unreadable = vec!["a"];
    if cfg!(target_os = "linux") {
        unreadable.push("/proc/self/mem");
    }
    home.write("folder/secret", VALUE);
    crate::support::home::set_mode(&home.work().join("folder/secret"), 0);
    if rustix::process::geteuid().is_root() {
        eprintln!("left out: a file without permissions, which root can read");
    } else {
        unreadable.push("folder");
    }
    for path in unreadable {
        let run = home.run(["scan", path, "clean"]);
        run.code(10)
            .stdout_is("")
            .stderr_has(&format!("warning: could not read {path}"))
            .stderr_has(
                "the one secret value is nowhere in 1 file, but not everything could be read",
            );
        home.write("dirty", VALUE);
        let run = home.run(["scan", "dirty", path, "clean"]);
        run.code(1)
            .stdout_is("dirty:1:1: DB_PASSWORD\n")
            .stderr_has(&format!("warning: could not read {path}"))
            .stderr_has("in 2 files");
        lacks_values(&run);
        let run = home.run(["scan", "--json", path, "clean"]);
        assert_eq!(run.code(10).json(), serde_json::json!([]));
        assert!(run.stderr.ends_with("}\n"), "{}", run.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_where_it_is_named_and_passed_over_in_a_folder() {
    let home = home();
    home.program("mkfifo", ["pipe"]).run().ok();
    home.run(["scan"]).ok().stderr_has("in 0 files");
    let script = "printf %s \"$VALUE\" > pipe & \"$KEYFOB\" scan pipe";
    home.program("sh", ["-c", script])
        .env("VALUE", format!("\n{VALUE}"))
        .env("KEYFOB", crate::support::home::BINARY)
        .run()
        .code(1)
        .stdout_is("pipe:2:1: DB_PASSWORD\n");
}

#[test]
fn what_the_index_holds_is_searched_wherever_one_stands() {
    let home = home();
    git(&home, &["init", "-q"]);
    home.write("deep/down/gone.txt", format!("{VALUE}\n"));
    home.write("old.txt", VALUE);
    git(&home, &["add", "."]);
    let who = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
    let commit = ["commit", "-qm", "x", "--", "old.txt"];
    git(&home, &[&who[..], &commit].concat());
    // The working tree has neither any more, and a deletion brings nothing.
    std::fs::remove_file(home.work().join("deep/down/gone.txt")).unwrap();
    git(&home, &["rm", "-q", "old.txt"]);
    let found = "deep/down/gone.txt:1:1: DB_PASSWORD\n";
    home.run(["scan", "--staged"]).code(1).stdout_is(found);
    home.keyfob(["scan", "--staged"])
        .cwd(home.work().join("deep"))
        .run()
        .code(1)
        .stdout_is(found);
}

#[test]
fn a_key_is_found_by_itself_and_not_by_what_all_keys_have() {
    let home = home();
    let pem =
        |body: &str| format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    let body = "MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF";
    home.keyfob(["set", "KEY"]).stdin(pem(body)).run().ok();
    home.write("another.pem", pem("MC4CAQAwBQYDK2VwBCIEICanother"));
    home.run(["scan"]).ok();
    home.write("same.pem", pem(body));
    home.write(
        "values.yaml",
        format!("key: |\n  {}", pem(body).replace('\n', "\n  ")),
    );
    home.run(["scan"])
        .code(1)
        .stdout_is("same.pem:1:1: KEY\nvalues.yaml:3:3: KEY\n");
}

/// A home that knows a server of Nosana's with one secret, beside its own vault with another.
fn home_with_a_server() -> (Nosana, Home) {
    let server = Nosana::start();
    let mut home = home();
    let keypair = Keypair::new(1);
    server.put(&keypair.address(), "REMOTE", "swordfish-42");
    home.set("KEYFOB_GPU_PROVIDER", "nosana");
    home.set("KEYFOB_GPU_BASE_URL", server.url());
    home.set("KEYFOB_GPU_KEYPAIR", keypair.json());
    home.write("local", VALUE);
    home.write("remote", "swordfish-42");
    (server, home)
}

#[test]
fn all_stores_that_can_be_read_are_asked_at_once() {
    let (server, mut home) = home_with_a_server();
    home.set("KEYFOB_NEO_API_KEY", "neo-key-4711");
    let run = home.run(["-vvv", "scan", "--all-stores"]);
    run.code(1)
        .stdout_is("local:1:1: keyfob://local/DB_PASSWORD\nremote:1:1: keyfob://gpu/REMOTE\n")
        .stderr_has("neo is left out: its values cannot be read back")
        .stderr_lacks("warning")
        .lacks("swordfish")
        .lacks("neo-key");
    lacks_values(&run);
    assert_eq!(server.asked(), ["POST /login", "GET /secrets"]);
    home.run(["scan", "-s", "gpu"])
        .code(1)
        .stdout_is("remote:1:1: REMOTE\n");
    let run = home.run(["scan", "-s", "neo"]);
    run.code(7).stdout_is("").stderr_has("--all-stores");
    home.run(["scan", "-s", "gpu", "--all-stores"]).code(2);
}

#[test]
fn a_store_that_cannot_be_asked_is_told_and_the_others_are_looked_for() {
    let (server, home) = home_with_a_server();
    server.stop();
    let scan = |args: &[&str]| {
        let args = [&["--timeout", "2s", "-vvv", "scan", "--all-stores"], args].concat();
        let run = home.run(args);
        lacks_values(&run);
        run.stderr_has("warning: the store gpu could not be read");
        run
    };
    scan(&[])
        .code(1)
        .stdout_is("local:1:1: keyfob://local/DB_PASSWORD\n");
    scan(&["remote"])
        .code(10)
        .stdout_is("")
        .stderr_has("not everything could be read");
    // Where it is the only one, what it fails with is what there is to say.
    home.run(["--timeout", "2s", "scan", "-s", "gpu", "remote"])
        .code(8)
        .stdout_is("");
    home.run(["delete", "-y", "DB_PASSWORD"]).ok();
    scan(&[]).code(8).stdout_is("");
}

#[cfg(unix)]
#[test]
fn a_repository_s_own_configuration_runs_nothing() {
    let home = Home::new();
    home.keyfob(["set", "A"])
        .stdin("hunter22hunter22")
        .run()
        .ok();
    let git = |args: &[&str]| {
        let run = home.program("git", args);
        run.env("GIT_CONFIG_GLOBAL", "/dev/null").run().ok();
    };
    git(&["init", "-q"]);
    home.write("a", "hunter22hunter22\n");
    git(&["add", "a"]);
    let program = home.write(
        "evil",
        "#!/bin/sh\ntouch \"$(dirname \"$0\")/ran\"\nexit 1\n",
    );
    set_mode(&program, 0o755);
    let program = program.to_str().unwrap();
    for (name, value) in [
        ("core.fsmonitor", program),
        ("core.sshCommand", program),
        ("core.pager", program),
        ("diff.external", program),
        ("core.hooksPath", home.work().to_str().unwrap()),
        ("remote.origin.url", "ssh://example.invalid/x"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.partialclonefilter", "blob:none"),
        ("extensions.partialClone", "origin"),
    ] {
        git(&["config", name, value]);
    }
    home.run(["scan", "--staged"])
        .code(1)
        .stdout_is("a:1:1: A\n");
    // An object that is missing is not fetched.
    let objects = home.work().join(".git/objects");
    for entry in std::fs::read_dir(&objects).unwrap() {
        let folder = entry.unwrap();
        if folder.file_name().len() == 2 {
            std::fs::remove_dir_all(folder.path()).unwrap();
        }
    }
    home.run(["scan", "--staged"]).code(1);
    assert!(!home.work().join("ran").exists());
}
