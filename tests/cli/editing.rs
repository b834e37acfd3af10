//! `keyfob edit`: a value in the user's editor.

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use crate::support::home::{BINARY, Home, set_mode};
use crate::support::wait::until;
use crate::support::world::{READABLE, World};

/// An editor that runs `script` with the file as `$1`.
fn editor(home: &Home, script: &str) -> String {
    let path = home.write("editor", format!("#!/bin/sh\n{script}\n"));
    set_mode(&path, 0o755);
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_is_saved_is_stored_if_it_changed() {
    for store in READABLE {
        let world = World::new();
        world.put(store, "A", "one\ntwo");
        let home = &world.home;
        let edit = |script: &str, name: &str| {
            let edit = home.keyfob(["--json", "edit", "-s", store, name]);
            edit.env("EDITOR", editor(home, script)).run()
        };
        let action =
            |action: &str| json!({"store": store, "results": [{"name": "A", "action": action}]});
        assert_eq!(edit("true", "A").ok().json(), action("unchanged"));
        let sed = "sed -i s/two/three/ \"$1\"; echo >> \"$1\"";
        assert_eq!(edit(sed, "A").ok().json(), action("updated"));
        assert_eq!(world.values(store)["A"], "one\nthree");
        // A newline that was there stays.
        edit("printf 'x\\n\\n' > \"$1\"", "A").ok();
        assert_eq!(world.values(store)["A"], "x\n");
        edit("printf 'y\\n' > \"$1\"", "A").ok();
        assert_eq!(world.values(store)["A"], "y\n");
        // A missing name is made when something was saved.
        edit("printf 'new\\n' > \"$1\"", "B").ok();
        assert_eq!(world.values(store)["B"], "new");
        let nothing = edit("true", "C");
        nothing.code(1);
        assert_eq!(nothing.error()["kind"], "failed");
        assert!(!world.values(store).contains_key("C"));
    }
}

#[test]
fn an_editor_that_fails_changes_nothing_and_leaves_nothing() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("canary-old").run().ok();
    for (script, words) in [
        ("echo canary-new > \"$1\"; exit 3", "exit code 3"),
        ("echo canary-new > \"$1\"; kill -9 $$", "137"),
        ("rm \"$1\"", "could not read"),
    ] {
        let run = home
            .keyfob(["edit", "A"])
            .env("EDITOR", editor(&home, script));
        run.run().code(1).stderr_has(words).lacks("canary");
    }
    let run = home
        .keyfob(["edit", "A"])
        .env("EDITOR", "no-such-editor")
        .run();
    run.code(1).stderr_has("EDITOR names the editor");
    home.run(["edit", "A"]).code(2).stderr_has("EDITOR");
    home.run(["get", "A"]).ok().stdout_is("canary-old");
    assert_eq!(
        home.files_holding(b"canary"),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn the_file_is_private_in_memory_and_the_editor_has_no_credentials() {
    let home = Home::new().with("NEO_API_KEY", "hunter2");
    home.keyfob(["set", "a/b c"]).stdin("v").run().ok();
    let script = "printf '%s %s ' \"$1\" \"$NEO_API_KEY\" > seen; stat -c %a \"$1\" >> seen; \
        stat -f -c %T \"$1\" >> seen; ls -A \"$(dirname \"$1\")\" >> seen; printf %s \"$2\" >> seen";
    let script = editor(&home, script);
    // VISUAL goes first, and may have arguments.
    let edit = home.keyfob(["edit", "a/b c"]).env("EDITOR", "false");
    edit.env("VISUAL", &script).run().ok();
    let seen = String::from_utf8(home.read("seen")).unwrap();
    let lines: Vec<&str> = seen.lines().collect();
    let (path, mode) = lines[0].split_once("  ").unwrap();
    assert_eq!(mode, "600", "{seen}");
    assert!(["tmpfs", "ramfs"].contains(&lines[1]), "{seen}");
    assert_eq!(lines[2..], ["a_b_c"], "{seen}");
    assert!(!std::path::Path::new(path).exists());
}

#[test]
fn what_cannot_be_stored_is_kept_for_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;

    let world = World::new();
    world.put("nosana", "A", "old");
    let home = &world.home;
    // The server goes down while somebody edits.
    let script = format!(
        "printf typed > \"$1\"; while [ ! -e {} ]; do sleep 0.05; done",
        home.work().join("down").display()
    );
    let memory = tempfile::tempdir().unwrap();
    let command = home
        .keyfob(["--timeout", "500ms", "edit", "-s", "nosana", "A"])
        .env("XDG_CACHE_HOME", memory.path())
        .env("EDITOR", editor(home, &script));
    let run = std::thread::scope(|scope| {
        let running = scope.spawn(|| command.run());
        until("the value is read", || {
            world
                .nosana
                .asked()
                .iter()
                .any(|asked| asked.starts_with("GET /secrets"))
        });
        world.nosana.stop();
        home.write("down", "");
        running.join().unwrap()
    });
    run.code(8).stderr_has("what you saved is kept in ");
    let (_, rest) = run.stderr.split_once("kept in ").unwrap();
    let (kept, rest) = rest.split_once(": keyfob set -s nosana A --file ").unwrap();
    assert!(rest.starts_with(kept), "{rest}");
    assert_eq!(fs::read_to_string(kept).unwrap(), "typed");
    let folder = std::path::Path::new(kept).parent().unwrap();
    assert_eq!(
        folder.metadata().unwrap().permissions().mode() & 0o777,
        0o700
    );
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_change_underneath_is_a_conflict() {
    for store in READABLE {
        let world = World::new();
        world.put(store, "A", "old");
        // The editor is not given what it takes to be somebody else.
        let variables = world.home.variables().iter();
        let variables = variables.fold(String::new(), |all, (name, value)| {
            format!("{all}export {}='{}'\n", name.display(), value.display())
        });
        let set = format!("printf theirs | {BINARY} set -q -s {store} A; printf mine > \"$1\"");
        let script = editor(&world.home, &format!("{variables}{set}"));
        let run = world
            .home
            .keyfob(["edit", "-s", store, "A"])
            .env("EDITOR", script)
            .run();
        run.code(6).stderr_has("keyfob").lacks("mine");
        assert_eq!(world.values(store)["A"], "theirs");
    }
}

#[test]
fn what_is_no_text_or_cannot_be_read_is_refused() {
    let world = World::new();
    let home = &world.home;
    let script = editor(home, "touch edited");
    for (name, value) in [("A", &b"\xff"[..]), ("B", b"a\0b")] {
        home.keyfob(["set", name]).stdin(value).run().ok();
        let run = home.keyfob(["edit", name]).env("EDITOR", &script).run();
        run.code(13)
            .stderr_has("not text")
            .stderr_has("--file FILE");
    }
    for store in ["neo", "bytenite"] {
        let name = format!("keyfob://{store}/s3/a");
        let run = home.keyfob(["edit", &name]).env("EDITOR", &script).run();
        run.code(7).stderr_has("gives no value back");
    }
    assert!(!home.work().join("edited").exists());
}

#[test]
fn a_number_stays_a_number() {
    let world = World::new();
    world.nosana.put(&world.address, "n", json!(17));
    let edit = |value: &str| {
        let script = editor(&world.home, &format!("printf %s '{value}' > \"$1\""));
        let edit = world.home.keyfob(["edit", "-s", "nosana", "n"]);
        edit.env("EDITOR", script).run().ok();
        world.nosana.secrets(&world.address)["n"].clone()
    };
    assert_eq!(edit("18"), json!(18));
    assert_eq!(edit("no number"), json!("no number"));
}

#[test]
fn a_signal_ends_the_editor_and_leaves_nothing() {
    for signal in [Signal::TERM, Signal::HUP, Signal::KILL] {
        let home = Home::new();
        home.keyfob(["set", "A"]).stdin("v").run().ok();
        // Where no other test's keyfob tidies up.
        let shared = ["/dev/shm", "/tmp"].map(std::path::Path::new);
        let shared = shared.into_iter().find(|path| path.is_dir()).unwrap();
        let memory = tempfile::tempdir_in(shared).unwrap();
        let edit = |editor: &str| {
            let edit = home.keyfob(["edit", "A"]).env("EDITOR", editor);
            edit.env("XDG_RUNTIME_DIR", memory.path())
        };
        let script = editor(&home, "echo \"$1\" > part; mv part seen; exec sleep 300");
        let mut running = edit(&script).spawn();
        until("the editor", || home.work().join("seen").exists());
        running.signal(signal);
        until("its end", || !running.is_running());
        let path = String::from_utf8(home.read("seen")).unwrap();
        let left = std::path::Path::new(path.trim()).to_owned();
        if signal != Signal::KILL {
            assert_eq!(running.wait().signal, Some(signal.as_raw()));
            assert!(!left.exists());
            continue;
        }
        // Nothing could be done then; the next one does it.
        assert!(left.exists());
        drop(running);
        until("the sweep", || {
            edit("true").run().ok();
            !left.exists()
        });
        assert!(fs::metadata(left.parent().unwrap()).is_err());
    }
}

#[test]
fn keys_that_interrupt_are_the_editor_s() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("v").run().ok();
    let script = editor(
        &home,
        "trap 'echo caught' INT; echo ready; until read x; do :; done; echo $x > \"$1\"",
    );
    let mut terminal = home
        .keyfob(["edit", "A"])
        .env("EDITOR", script)
        .on_a_terminal();
    terminal.exp_string("ready").unwrap();
    terminal.send_control('c').unwrap();
    terminal.exp_string("caught").unwrap();
    terminal.send_line("typed").unwrap();
    terminal.exp_string("A updated in local").unwrap();
    terminal.exp_eof().unwrap();
    home.run(["get", "A"]).ok().stdout_is("typed");
}
