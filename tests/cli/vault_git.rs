//! The vault in a git repository, with real clones, merges, rebases and conflicts.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::home::Home;
use crate::support::programs::installed;
use crate::support::run::Run;

/// Somebody with a clone of the team's repository, in which the vault is `secrets.age`.
struct Member {
    home: Home,
    key: String,
}

impl Member {
    fn new(name: &str) -> Self {
        let mut home = Home::new();
        for (variable, value) in [
            ("KEYFOB_LOCAL_PATH", "repo/secrets.age"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_AUTHOR_NAME", name),
            ("GIT_COMMITTER_NAME", name),
            ("GIT_AUTHOR_EMAIL", "member@example.org"),
            ("GIT_COMMITTER_EMAIL", "member@example.org"),
            ("GIT_EDITOR", "true"),
        ] {
            home.set(variable, value);
        }
        // What git starts runs at the top of the clone.
        let vault = home.work().join("repo/secrets.age");
        home.set("KEYFOB_LOCAL_PATH", vault);
        let set = home.keyfob(["set", "own"]).env("KEYFOB_LOCAL_PATH", "");
        set.stdin("x").run().ok();
        let info = home
            .keyfob(["--json", "vault", "info"])
            .env("KEYFOB_LOCAL_PATH", "");
        let info = info.run().ok().json();
        let key = info["identity"]["public_key"].as_str().unwrap().to_owned();
        Self { home, key }
    }

    fn repo(&self) -> PathBuf {
        self.home.work().join("repo")
    }

    fn vault(&self) -> PathBuf {
        self.repo().join("secrets.age")
    }

    fn git(&self, args: &[&str]) -> Run {
        let run = self.home.program("git", ["-c", "init.defaultBranch=main"]);
        let mut run = run.arg("-C").arg(self.repo());
        for arg in args {
            run = run.arg(arg);
        }
        run.run()
    }

    fn keyfob(&self, args: &[&str]) -> Run {
        self.home.run(args.iter().copied())
    }

    fn set(&self, name: &str, value: &str) {
        self.home.keyfob(["set", name]).stdin(value).run().ok();
    }

    fn get(&self, name: &str) -> String {
        self.keyfob(&["get", name]).ok().text()
    }

    fn commit(&self, what: &str) {
        self.git(&["add", "-A"]).ok();
        self.git(&["commit", "-q", "-m", what]).ok();
    }

    fn pull(&self) -> Run {
        self.git(&["pull", "-q", "--no-rebase"])
    }

    fn push(&self) {
        self.git(&["push", "-q", "origin", "HEAD"]).ok();
    }

    fn clone_of(&self, origin: &Path) {
        let run = self.home.program("git", ["clone", "-q"]);
        run.arg(origin).arg(self.repo()).run().ok();
    }
}

/// Alice and Bob, who share a vault with `A` in it; `None`, with a word about it, without git.
fn team(test: &str, setup: &[&str]) -> Option<(Member, Member)> {
    if !installed("git") {
        eprintln!("skipped: {test}: git is not installed");
        return None;
    }
    let (alice, bob) = (Member::new("alice"), Member::new("bob"));
    let origin = alice.home.work().join("origin.git");
    let init = alice
        .home
        .program("git", ["init", "-q", "--bare", "-b", "main"]);
    init.arg(&origin).run().ok();
    alice.clone_of(&origin);
    alice.git(&["checkout", "-q", "-b", "main"]);
    alice.set("A", "one");
    alice.keyfob(&["vault", "recipients", "add", &bob.key]).ok();
    let mut args = vec!["vault", "git-setup"];
    args.extend(setup);
    alice.keyfob(&args).ok();
    alice.commit("a vault");
    alice.push();
    bob.clone_of(&origin);
    bob.keyfob(&["vault", "git-setup"]).ok();
    bob.git(&["diff", "--exit-code"]).ok();
    Some((alice, bob))
}

#[test]
fn changes_of_two_members_merge_by_name() {
    for setup in [&[][..], &["--armor"]] {
        let Some((alice, bob)) = team("changes_of_two_members_merge_by_name", setup) else {
            return;
        };
        alice.set("B", "alice");
        alice.keyfob(&["delete", "-y", "A"]).ok();
        alice.commit("B");
        alice.push();
        bob.set("C", "bob");
        bob.commit("C");
        bob.pull().ok();
        bob.git(&["diff", "--exit-code", "HEAD"]).ok();
        assert_eq!((bob.get("B"), bob.get("C")), ("alice".into(), "bob".into()));
        bob.keyfob(&["get", "A"]).code(3);
        bob.set("D", "bob");
        bob.commit("D");
        bob.push();
        alice.pull().ok();
        assert_eq!(alice.get("D"), "bob");
        alice.set("E", "alice");
        let text = fs::read(alice.vault()).unwrap();
        assert_eq!(text.starts_with(b"-----BEGIN AGE"), !setup.is_empty());
    }
}

#[test]
fn where_both_changed_a_secret_the_newer_counts_and_the_other_is_kept() {
    let Some((alice, bob)) = team(
        "where_both_changed_a_secret_the_newer_counts_and_the_other_is_kept",
        &[],
    ) else {
        return;
    };
    alice.set("A", "alice's");
    alice.commit("A");
    alice.push();
    bob.set("A", "bob's");
    bob.commit("A");
    // Times are told to the second: the sides may be equal, and then one of them counts.
    let pulled = bob.pull();
    pulled
        .ok()
        .stderr_has("both sides changed A")
        .lacks("bob's");
    let (now, other) = match bob.get("A").as_str() {
        "bob's" => ("bob's", "alice's"),
        _ => ("alice's", "bob's"),
    };
    bob.keyfob(&["vault", "restore", "A"]).ok();
    assert_eq!(bob.get("A"), other);
    bob.keyfob(&["vault", "restore", "A"]).ok();
    assert_eq!(bob.get("A"), now);
}

#[test]
fn rebases_and_both_sides_adding_a_vault_merge() {
    let Some((alice, bob)) = team("rebases_and_both_sides_adding_a_vault_merge", &[]) else {
        return;
    };
    alice.set("B", "alice");
    alice.commit("B");
    alice.push();
    for name in ["C", "D"] {
        bob.set(name, "bob");
        bob.commit(name);
    }
    bob.git(&["pull", "-q", "--rebase"]).ok();
    for name in ["B", "C", "D"] {
        bob.keyfob(&["get", name]).ok();
    }
    bob.set("E", "bob");
    bob.commit("E");
    bob.push();
    alice.pull().ok();
    // The same file, begun on two branches.
    for (branch, name) in [("one", "F"), ("two", "G")] {
        alice.git(&["checkout", "-q", "main"]).ok();
        alice.git(&["checkout", "-q", "-b", branch]).ok();
        let path = alice.repo().join("new.age");
        let set = alice.home.keyfob(["set", name]);
        set.env("KEYFOB_LOCAL_PATH", &path).stdin("x").run().ok();
        let setup = alice.home.keyfob(["vault", "git-setup"]);
        setup.env("KEYFOB_LOCAL_PATH", &path).run().ok();
        alice.commit(name);
        fs::remove_file(alice.home.data().join("vaults.json")).unwrap();
    }
    alice.git(&["merge", "-q", "one"]).ok();
    for name in ["F", "G"] {
        let get = alice.home.keyfob(["get", name]);
        let path = alice.repo().join("new.age");
        get.env("KEYFOB_LOCAL_PATH", path).run().ok();
    }
}

#[test]
fn readers_are_merged_as_far_as_they_are_accepted() {
    let Some((alice, bob)) = team("readers_are_merged_as_far_as_they_are_accepted", &[]) else {
        return;
    };
    let (carol, dave) = (Member::new("carol"), Member::new("dave"));
    // Added on one side, and a value changed on the other.
    alice
        .keyfob(&["vault", "recipients", "add", &carol.key])
        .ok();
    alice.commit("carol");
    alice.push();
    bob.set("B", "bob");
    bob.commit("B");
    bob.pull().ok();
    bob.push();
    bob.keyfob(&["vault", "recipients", "list"])
        .ok()
        .stdout_has(&carol.key);
    // Removed on one side: the change of the other does not bring her back, and nobody is asked.
    alice.pull().ok();
    alice
        .keyfob(&["vault", "recipients", "remove", &carol.key])
        .ok();
    alice.commit("no carol");
    alice.push();
    bob.set("C", "bob");
    bob.commit("C");
    bob.pull().ok();
    bob.keyfob(&["vault", "recipients", "list"])
        .ok()
        .stdout_lacks(&carol.key);
    bob.set("D", "bob");
    bob.commit("D");
    bob.push();
    alice.pull().ok();
    alice.set("E", "alice");
    alice.commit("E");
    alice.push();
    bob.pull().ok();
    // Who was shut out knows the old id, and lets somebody in: the value is taken, the reader not.
    bob.keyfob(&["vault", "recipients", "add", &carol.key]).ok();
    bob.commit("carol again");
    bob.push();
    alice.pull().ok();
    alice.git(&["branch", "old"]).ok();
    alice
        .keyfob(&["vault", "recipients", "remove", &carol.key])
        .ok();
    alice.commit("no carol again");
    alice.push();
    carol.clone_of(&alice.home.work().join("origin.git"));
    carol.git(&["reset", "-q", "--hard", "HEAD~1"]).ok();
    carol
        .keyfob(&["vault", "recipients", "add", &dave.key])
        .ok();
    carol.set("CAROL", "x");
    carol.commit("dave");
    carol.git(&["push", "-q", "origin", "HEAD:evil"]).ok();
    alice.git(&["fetch", "-q"]).ok();
    alice
        .git(&["merge", "-q", "--no-edit", "origin/evil"])
        .ok()
        .stderr_has(&dave.key)
        .stderr_has("was not taken");
    alice
        .keyfob(&["vault", "recipients", "list"])
        .ok()
        .stdout_lacks(&dave.key)
        .stdout_lacks(&carol.key);
    assert_eq!(alice.get("CAROL"), "x");
    alice.set("F", "alice");
}

#[test]
fn an_unfinished_merge_is_seen_and_not_written_to() {
    let Some((alice, bob)) = team("an_unfinished_merge_is_seen_and_not_written_to", &[]) else {
        return;
    };
    // As on a machine where nobody has told git how to merge.
    bob.git(&["config", "--remove-section", "merge.keyfob"])
        .ok();
    alice.set("B", "alice");
    alice.commit("B");
    alice.push();
    bob.set("C", "bob");
    bob.commit("C");
    assert_ne!(bob.pull().code, Some(0));
    bob.keyfob(&["list"])
        .ok()
        .stdout_has("C")
        .stderr_has("in the middle of a merge");
    for args in [
        &["set", "D", "--generate"][..],
        &["delete", "-y", "A"],
        &["vault", "recipients", "accept", "-y"],
    ] {
        let run = bob.keyfob(args);
        if args[1] != "recipients" {
            run.code(6)
                .stderr_has("git checkout -m --")
                .stderr_has("keyfob -s local vault git-setup");
        }
    }
    bob.keyfob(&["doctor", "-s", "local"])
        .code(1)
        .stdout_has("in the middle of a merge");
    // The hint, as it stands.
    bob.keyfob(&["vault", "git-setup"]).ok();
    let vault = bob.vault();
    let vault = vault.to_str().unwrap();
    bob.git(&["checkout", "-m", "--", vault]).ok();
    bob.git(&["add", vault]).ok();
    bob.git(&["commit", "-q", "--no-edit"]).ok();
    bob.set("D", "bob");
    for name in ["A", "B", "C", "D"] {
        bob.keyfob(&["get", name]).ok();
    }
}

#[test]
fn conflict_markers_in_a_text_vault_are_told() {
    let Some((alice, bob)) = team("conflict_markers_in_a_text_vault_are_told", &["--armor"]) else {
        return;
    };
    bob.git(&["config", "--remove-section", "merge.keyfob"])
        .ok();
    alice.set("B", "alice");
    alice.commit("B");
    alice.push();
    bob.set("C", "bob");
    bob.commit("C");
    assert_ne!(bob.pull().code, Some(0));
    let conflicted = fs::read(bob.vault()).unwrap();
    assert!(String::from_utf8_lossy(&conflicted).contains("\n<<<<<<< "));
    for args in [&["list"][..], &["set", "D", "--generate"]] {
        bob.keyfob(args)
            .code(13)
            .stderr_has("both sides of a merge")
            .stderr_has("git checkout -m --");
    }
    assert_eq!(fs::read(bob.vault()).unwrap(), conflicted);
}

#[test]
fn a_forged_vault_is_not_merged() {
    let Some((alice, bob)) = team("a_forged_vault_is_not_merged", &[]) else {
        return;
    };
    if !installed("age") {
        eprintln!("skipped: a_forged_vault_is_not_merged: age is not installed");
        return;
    }
    let mallory = Member::new("mallory");
    alice.set("B", "alice");
    alice.commit("B");
    // On another branch somebody puts a file of their own, which only public keys were needed for.
    bob.git(&["checkout", "-q", "-b", "evil"]).ok();
    let text = format!(
        r#"{{"keyfob":2,"id":"0123456789abcdef0123456789abcdef","recipients":["{}","{}"],"secrets":{{}}}}"#,
        alice.key, mallory.key
    );
    let plain = bob.home.write("forged.json", text);
    fs::remove_file(bob.vault()).unwrap();
    let age = bob.home.program("age", ["-r", &alice.key, "-o"]);
    age.arg(bob.vault()).arg(plain).run().ok();
    bob.commit("evil");
    bob.git(&["push", "-q", "origin", "HEAD"]).ok();
    alice.git(&["fetch", "-q"]).ok();
    alice
        .git(&["merge", "-q", "--no-edit", "origin/evil"])
        .ok()
        .stderr_has(&mallory.key);
    alice
        .keyfob(&["vault", "recipients", "list"])
        .ok()
        .stdout_lacks(&mallory.key);
    alice.set("STRIPE", "new");
    mallory.clone_of(&alice.repo());
    mallory.keyfob(&["get", "STRIPE"]).code(4);
}

#[test]
fn of_two_forged_vaults_neither_is_taken() {
    if !installed("age") {
        eprintln!("skipped: of_two_forged_vaults_neither_is_taken: age is not installed");
        return;
    }
    let (alice, mallory) = (Member::new("alice"), Member::new("mallory"));
    let at = |name: &str| alice.home.work().join(name);
    let set = alice.home.keyfob(["set", "A"]);
    set.env("KEYFOB_LOCAL_PATH", at("ours"))
        .stdin("1")
        .run()
        .ok();
    fs::copy(at("ours"), at("base")).unwrap();
    for (file, id) in [("ours", "0"), ("theirs", "1")] {
        let text = format!(
            r#"{{"keyfob":2,"id":"{}","recipients":["{}","{}"],"secrets":{{}}}}"#,
            id.repeat(32),
            alice.key,
            mallory.key
        );
        let plain = alice.home.write("forged.json", text);
        let _ = fs::remove_file(at(file));
        let age = alice.home.program("age", ["-r", &alice.key, "-o"]);
        age.arg(at(file)).arg(plain).run().ok();
    }
    let before = fs::read(at("ours")).unwrap();
    alice
        .keyfob(&["vault", "merge", "base", "ours", "theirs"])
        .code(12)
        .stderr_has("neither side of the merge of ")
        .stderr_has(" vault recipients accept");
    assert_eq!(fs::read(at("ours")).unwrap(), before);
}

#[test]
fn git_shows_names_and_never_values() {
    let Some((alice, _bob)) = team("git_shows_names_and_never_values", &[]) else {
        return;
    };
    alice.set("B", "hunter2");
    alice
        .home
        .keyfob(["set", "A\nsecret X", "--description", "for\nall"])
        .stdin("hunter2")
        .run()
        .ok();
    alice.keyfob(&["delete", "-y", "A"]).ok();
    alice
        .git(&["diff"])
        .ok()
        .stdout_has("+secret B version 1 updated 20")
        .stdout_has("+secret A\\nsecret X version 1 updated")
        .stdout_has("+secret A version 2 deleted")
        .lacks("hunter2");
    let seen = alice
        .keyfob(&["--json", "vault", "diff", "repo/secrets.age"])
        .ok()
        .json();
    assert_eq!(seen["recipients"].as_array().unwrap().len(), 2);
    assert_eq!(seen["secrets"][2]["name"], "B");
    assert_eq!(seen["secrets"][2]["version"], 1);
    assert!(!seen.to_string().contains("hunter2"));
    alice.keyfob(&["vault", "diff", "absent"]).code(1);
    // Somebody who cannot read it still sees that there is something.
    let stranger = Member::new("stranger");
    stranger.clone_of(&alice.home.work().join("origin.git"));
    stranger
        .keyfob(&["vault", "diff", "repo/secrets.age"])
        .ok()
        .stdout_has("does not open");
}

#[test]
fn the_set_up_is_made_once_wherever_the_vault_lies() {
    let Some((alice, _bob)) = team("the_set_up_is_made_once_wherever_the_vault_lies", &[]) else {
        return;
    };
    let again = alice.keyfob(&["--json", "vault", "git-setup"]).ok().json();
    assert_eq!(again["attributes"]["action"], "unchanged");
    let settings = again["settings"].as_array().unwrap();
    assert!(
        settings
            .iter()
            .all(|setting| setting["action"] == "unchanged")
    );
    assert_eq!(
        fs::read_to_string(alice.repo().join(".gitattributes")).unwrap(),
        "/secrets.age diff=keyfob merge=keyfob -text\n"
    );
    // In a folder and with a name that must be quoted, in a worktree, and in a submodule.
    let tree = alice.home.work().join("a tree");
    alice
        .git(&[
            "worktree",
            "add",
            "-q",
            "-b",
            "tree",
            tree.to_str().unwrap(),
        ])
        .ok();
    let module = alice.home.work().join("module");
    let init = alice.home.program("git", ["init", "-q"]);
    init.arg(&module).run().ok();
    let commit = alice
        .home
        .program("git", ["-C", module.to_str().unwrap(), "commit", "-q"]);
    commit.args(["--allow-empty", "-m", "empty"]).run().ok();
    alice
        .git(&[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "add",
            module.to_str().unwrap(),
            "sub",
        ])
        .ok();
    for top in [tree, alice.repo().join("sub")] {
        let vault = top.join("my team/it's [a] vault.age");
        let here = |args: &[&str]| {
            let run = alice.home.keyfob(args.iter().copied());
            run.env("KEYFOB_LOCAL_PATH", &vault).stdin("1").run()
        };
        here(&["set", "A"]).ok();
        here(&["vault", "git-setup"])
            .ok()
            .stderr_has("commit that file");
        let check = alice
            .home
            .program("git", ["check-attr", "merge", "diff", "--"]);
        let check = check.arg(&vault).cwd(&top).run();
        check
            .ok()
            .stdout_has("merge: keyfob")
            .stdout_has("diff: keyfob");
        let config = alice.home.program("git", ["config", "merge.keyfob.driver"]);
        config
            .cwd(&top)
            .run()
            .ok()
            .stdout_has("vault merge %O %A %B --path %P");
    }
    // Where there is no repository that is said.
    let run = alice.home.keyfob(["vault", "git-setup"]);
    run.env("KEYFOB_LOCAL_PATH", "")
        .run()
        .code(1)
        .stderr_has("working tree");
}

#[test]
fn merge_takes_any_files_and_says_what_it_did() {
    let alice = Member::new("alice");
    let at = |name: &str| alice.home.work().join(name);
    let on = |file: &str, args: &[&str], value: &str| {
        let run = alice.home.keyfob(args.iter().copied());
        run.env("KEYFOB_LOCAL_PATH", at(file)).stdin(value).run()
    };
    on("base", &["set", "A"], "0").ok();
    for (file, name) in [("ours", "B"), ("theirs", "C")] {
        fs::copy(at("base"), at(file)).unwrap();
        on(file, &["set", name], "1").ok();
    }
    fs::write(at("empty"), "").unwrap();
    for base in ["base", "empty", "absent"] {
        fs::copy(at("ours"), at("result")).unwrap();
        let merged = alice.keyfob(&["--json", "vault", "merge", base, "result", "theirs"]);
        let merged = merged.ok().json();
        assert_eq!(merged["secrets"], 3, "{base}");
        assert_eq!(merged["conflicts"], json!([]), "{base}");
        let listed = on("result", &["--json", "list"], "").ok().json();
        assert_eq!(listed.as_array().unwrap().len(), 3);
    }
    // What cannot be merged is left as it is.
    fs::write(at("foreign"), "no vault").unwrap();
    let before = fs::read(at("ours")).unwrap();
    for (ours, theirs, code) in [
        ("ours", "foreign", 13),
        ("ours", "absent", 1),
        ("absent", "theirs", 1),
    ] {
        alice
            .keyfob(&["vault", "merge", "base", ours, theirs])
            .code(code);
    }
    assert_eq!(fs::read(at("ours")).unwrap(), before);
}
