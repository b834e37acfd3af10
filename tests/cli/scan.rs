//! `keyfob scan`: where values are found, where they are not, and what is said of it.

use crate::support::home::Home;
use crate::support::run::Run;

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
fn staged_needs_a_repository() {
    let home = home();
    home.run(["scan", "--staged"])
        .code(2)
        .stderr_has("git repository");
    home.keyfob(["scan", "--staged"])
        .env("PATH", "/nonexistent")
        .run()
        .code(1)
        .stderr_has("could not run git");
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
    home.run(["scan", "missing"]).code(2).stderr_has("missing");
}

#[test]
fn stdin_is_searched_and_json_tells_the_store() {
    let home = home();
    let text = format!("x\n{VALUE}\n");
    home.keyfob(["scan", "-"])
        .stdin(&*text)
        .run()
        .code(1)
        .stdout_is("-:2:1: DB_PASSWORD\n");
    home.keyfob(["scan", "--json", "-"]).stdin(&*text).run().code(1).stdout_is(
        "[{\"column\":1,\"line\":2,\"name\":\"DB_PASSWORD\",\"path\":\"-\",\"store\":\"local\"}]\n",
    );
    home.keyfob(["scan", "--all-stores", "-"])
        .stdin(&*text)
        .run()
        .code(1)
        .stdout_has("keyfob://local/DB_PASSWORD\n");
    home.keyfob(["scan", "-"])
        .stdin("nothing")
        .run()
        .ok()
        .stdout_is("");
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
