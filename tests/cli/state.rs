//! What processes that write at the same time, or are killed while they write, leave behind:
//! everybody's change, no wait without an end, and no temporary file.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use keyfob::testing::{Folders, Keyring, Name, Vault, VaultOptions, generate};

use crate::support::home::{Home, copy_binary};
use crate::support::programs::installed;
use crate::support::wait::until;

const AT_ONCE: usize = 20;

/// What keyfob locks in a folder.
const LOCK: &str = ".keyfob-lock";

/// Holds the lock of `folder` as another keyfob does.
fn hold(folder: &Path) -> File {
    fs::create_dir_all(folder).unwrap();
    let mut file = File::create(folder.join(LOCK)).unwrap();
    file.lock().unwrap();
    writeln!(file, "{}", std::process::id()).unwrap();
    file
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A temporary file of a writer of `path` that was killed.
fn leftover(path: &Path) -> PathBuf {
    let folder = path.parent().unwrap();
    fs::create_dir_all(folder).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    let left = folder.join(format!(".{name}.Ab0Cd1Ef2Gh3.keyfob-tmp"));
    fs::write(&left, "AGE-SECRET-KEY-1").unwrap();
    left
}

#[test]
fn stores_and_trust_are_kept_whatever_cache_folder_each_keyfob_has() {
    let home = Home::new();
    let at_once = |command: &dyn Fn(usize) -> Vec<String>| {
        let running: Vec<_> = (0..AT_ONCE)
            .map(|number| {
                let cache = home.root().join(format!("cache-{number}"));
                let keyfob = home.keyfob(command(number));
                keyfob.env("XDG_CACHE_HOME", cache).spawn()
            })
            .collect();
        for running in running {
            running.wait().ok();
        }
    };
    at_once(&|number| {
        let name = format!("s{number}");
        ["store", "add", &name, "nosana"].map(str::to_owned).into()
    });
    let list = home.run(["--json", "store", "list"]).ok().json();
    let listed = list.to_string();
    for number in 0..AT_ONCE {
        assert!(listed.contains(&format!("\"s{number}\"")), "s{number}");
        home.write(format!("p{number}/keyfob.toml"), "[env]\nA = \"A\"\n");
    }
    at_once(&|number| {
        vec![
            "trust".to_owned(),
            "-y".to_owned(),
            format!("p{number}/keyfob.toml"),
        ]
    });
    let list = home.run(["--json", "trust", "--list"]).ok().json();
    assert_eq!(list.as_array().unwrap().len(), AT_ONCE);
    assert_eq!(names(&home.config()), ["config.toml", "trusted.json"]);
}

#[test]
fn an_unusable_cache_folder_does_not_make_the_configuration_unwritable() {
    let home = Home::new().with("XDG_CACHE_HOME", "/dev/null/none");
    home.run(["store", "add", "web", "nosana"]).ok();
    home.write("p/keyfob.toml", "[env]\nA = \"A\"\n");
    home.run(["trust", "-y", "p/keyfob.toml"]).ok();
}

#[test]
fn whatever_changes_the_configuration_gives_up_at_the_timeout_and_names_the_holder() {
    let home = Home::new();
    home.run(["store", "add", "web", "nosana"]).ok();
    home.write("keyfob.toml", "[env]\nA = \"A\"\n");
    home.run(["trust", "-y"]).ok();
    home.write("other.toml", "");
    let before = home.files();
    let held = hold(&home.config());
    let holder = format!("is locked by process {}", std::process::id());
    for command in [
        &["store", "add", "gpu", "nosana"][..],
        &["store", "remove", "web"],
        &["trust", "-y", "other.toml"],
        &["trust", "--revoke"],
        &["init"],
    ] {
        let run = home.keyfob(["--timeout", "200ms"]).args(command).run();
        run.code(8)
            .stderr_has(&holder)
            .stderr_has(&home.config().display().to_string());
    }
    drop(held);
    fs::remove_file(home.config().join(LOCK)).unwrap();
    assert_eq!(home.files(), before);
}

#[test]
fn the_vault_s_writers_name_the_holder_too() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    let _held = hold(&home.data());
    let keyfob = home.keyfob(["--timeout", "200ms", "set", "A"]);
    keyfob
        .stdin("2")
        .run()
        .code(8)
        .stderr_has(&format!("is locked by process {}", std::process::id()));
    home.run(["get", "A"]).ok().stdout_is("1");
}

#[test]
fn who_can_only_read_a_folder_cannot_keep_others_from_writing() {
    let home = Home::new();
    home.write("team/.gitignore", "");
    let vault = home.work().join("team/secrets.age");
    let home = home.with("KEYFOB_LOCAL_PATH", vault);
    let set = |value: &str| home.keyfob(["set", "A"]).stdin(value).run().ok().text();
    set("1");
    // Whoever can open the folder can lock what he has opened.
    let folders = [home.work().join("team"), home.data(), home.config()];
    let _held = folders.map(|folder| {
        fs::create_dir_all(&folder).unwrap();
        let folder = File::open(folder).unwrap();
        folder.lock().unwrap();
        folder
    });
    set("2");
    home.run(["store", "add", "web", "nosana"]).ok();
    // And nothing is left for a team's repository.
    assert_eq!(
        names(&home.work().join("team")),
        [".gitignore", "secrets.age"]
    );
}

#[test]
fn what_killed_writers_left_goes_with_the_next_write() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    let vault = home.work().join("team/secrets.age");
    fs::create_dir_all(vault.parent().unwrap()).unwrap();
    let elsewhere = ("KEYFOB_LOCAL_PATH", vault);
    home.write("p/keyfob.toml", "[env]\nA = \"A\"\n");
    let (data, config, work) = (home.data(), home.config(), home.work());
    for (left, command) in [
        (leftover(&data.join("identity.txt")), &["set", "B"][..]),
        (
            leftover(&data.join("identity.json")),
            &["vault", "rekey", "-y"],
        ),
        (leftover(&data.join("vault.age")), &["set", "C"]),
        (
            leftover(&config.join("config.toml")),
            &["store", "add", "web", "nosana"],
        ),
        (
            leftover(&config.join("trusted.json")),
            &["trust", "-y", "p/keyfob.toml"],
        ),
        (
            leftover(&work.join("out.env")),
            &["export", "-o", "out.env"],
        ),
        (
            leftover(&work.join("id.json")),
            &["key", "new", "-o", "id.json"],
        ),
        (
            leftover(&work.join("snapshot.age")),
            &["run", "--fallback=snapshot.age", "--", "true"],
        ),
    ] {
        home.keyfob(command).stdin("2").run().ok();
        assert!(!left.exists(), "{command:?}");
    }
    // A vault somewhere else does not keep the identity's from going.
    let left = leftover(&data.join("identity.txt"));
    let set = home.keyfob(["set", "A"]).env(elsewhere.0, elsewhere.1);
    set.stdin("1").run().ok();
    assert!(!left.exists());
}

#[test]
fn what_is_being_written_is_nobody_s_leftover() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    let running: Vec<_> = (0..AT_ONCE)
        .map(|_| home.keyfob(["export", "-o", "out.env"]).spawn())
        .collect();
    for running in running {
        running.wait().ok();
    }
    assert_eq!(home.read("out.env"), b"A=1\n");
    assert_eq!(names(&home.work()), ["out.env"]);
}

#[test]
fn a_hundred_writers_of_one_vault_all_get_their_turn() {
    let home = Home::new();
    let running: Vec<_> = (0..100)
        .map(|number| {
            let set = home.keyfob(["--timeout", "0", "set", &format!("N{number}")]);
            set.stdin("1").spawn()
        })
        .collect();
    for running in running {
        running.wait().ok();
    }
    let list = home.run(["--json", "list"]).ok().json();
    assert_eq!(list.as_array().unwrap().len(), 100);
    assert_eq!(
        names(&home.data()),
        ["identity.txt", "vault.age", "vaults.json"]
    );
}

/// Each writer comes only once the one before stands in line, so that their order is known; one that
/// is killed there, and an older keyfob that knows of no line, are in nobody's way.
#[test]
fn writers_of_one_vault_get_their_turn_in_the_order_of_their_coming() {
    const WRITERS: usize = 8;
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("before").run().ok();
    let held = hold(&home.data());
    let queue = home.data().join(format!("{LOCK}-queue"));
    let mut running = Vec::new();
    for number in 0..WRITERS {
        let set = home.keyfob(["--timeout", "0", "set", "A"]);
        running.push(set.stdin(number.to_string()).spawn());
        let stands = || {
            let tickets = fs::read_dir(&queue).into_iter().flatten().flatten();
            tickets.filter(is_held).count() > number
        };
        until("the writer stands in line", stands);
    }
    running.remove(WRITERS / 2).kill();
    drop(held);
    for running in running {
        running.wait().ok();
    }
    let past = vault(&home).past(&Name::new("A").unwrap()).unwrap();
    let mut values: Vec<String> = past
        .iter()
        .filter_map(|past| past.value.as_ref()?.expose_str().map(str::to_owned))
        .collect();
    values.push(home.run(["get", "A"]).ok().text());
    assert_eq!(values, ["before", "0", "1", "2", "3", "5", "6", "7"]);
    assert_eq!(
        names(&home.data()),
        ["identity.txt", "vault.age", "vaults.json"]
    );
}

/// Whether somebody stands in line with the ticket: until it is locked, whoever comes next takes it for
/// a dead one's.
fn is_held(ticket: &fs::DirEntry) -> bool {
    fs::File::open(ticket.path()).is_ok_and(|ticket| ticket.try_lock_shared().is_err())
}

/// The vault that `home` has.
fn vault(home: &Home) -> Vault {
    Vault::new(VaultOptions {
        store: "local".parse().unwrap(),
        path: None,
        identity: None,
        recipients: Vec::new(),
        folders: Folders {
            config: home.config(),
            data: home.data(),
            cache: home.root().join("cache"),
            patience: Folders::PATIENCE,
        },
        keyring: Arc::new(Keyring::default()),
        lock_timeout: None,
        on_created: Rc::new(|_| ()),
        notice: None,
        withheld: BTreeSet::new(),
    })
}

/// A library whose first `flock` fails, as one may when the kernel is short of memory.
#[cfg(target_os = "linux")]
const FAILS_ONCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
int flock(int file, int operation) {
    static int calls;
    if (calls++ == 0) { errno = ENOLCK; return -1; }
    int (*real)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "flock");
    return real(file, operation);
}
"#;

#[cfg(target_os = "linux")]
#[test]
fn a_lock_that_fails_is_an_error_and_not_gone_without() {
    let home = Home::new();
    home.keyfob(["set", "A"]).stdin("1").run().ok();
    let source = home.write("flock.c", FAILS_ONCE);
    let library = home.work().join("flock.so");
    let cc = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status();
    if !cc.is_ok_and(|status| status.success()) {
        eprintln!("left out: there is no C compiler");
        return;
    }
    let set = home.keyfob(["set", "A"]).env("LD_PRELOAD", &library);
    set.stdin("2").run().code(1).stderr_has("cannot lock");
    home.run(["get", "A"]).ok().stdout_is("1");
}

/// Runs as two members of a team, which only root can.
#[cfg(target_os = "linux")]
#[test]
fn a_team_s_vault_stays_its_group_s_whoever_writes_it() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

    const TEAM: u32 = 30_000;
    if !rustix::process::geteuid().is_root() || !installed("setpriv") {
        eprintln!(
            "left out: a_team_s_vault_stays_its_group_s_whoever_writes_it needs root and setpriv"
        );
        return;
    }
    let home = Home::new();
    let open = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    // Others cannot enter where this binary was built, perhaps.
    let binary = home.root().join("keyfob");
    copy_binary(&binary);
    open(&binary, 0o755);
    open(home.root(), 0o755);
    let folder = home.root().join("team");
    fs::create_dir(&folder).unwrap();
    chown(&folder, None, Some(TEAM)).unwrap();
    open(&folder, 0o770);
    let vault = folder.join("vault.age");
    let (identity, _) = generate(jiff::Timestamp::UNIX_EPOCH);
    for (member, name) in [(20_999, "A"), (20_123, "B"), (20_999, "C")] {
        let own = home.root().join(member.to_string());
        fs::create_dir_all(&own).unwrap();
        chown(&own, Some(member), Some(member)).unwrap();
        let id = member.to_string();
        let command = [
            "--reuid",
            &id,
            "--regid",
            &id,
            "--groups",
            &TEAM.to_string(),
            "--",
            binary.to_str().unwrap(),
            "set",
            name,
            "--generate",
        ]
        .map(str::to_owned);
        let mut run = home.program("setpriv", command).cwd(&folder);
        for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            run = run.env(variable, &own);
        }
        run.env("KEYFOB_LOCAL_PATH", &vault)
            .env("KEYFOB_LOCAL_IDENTITY", identity.as_str())
            .run()
            .ok();
        if name == "A" {
            chown(&vault, None, Some(TEAM)).unwrap();
            open(&vault, 0o660);
        }
        let file = fs::metadata(&vault).unwrap();
        assert_eq!((file.gid(), file.mode() & 0o777), (TEAM, 0o660), "{name}");
    }
    assert_eq!(names(&folder), ["vault.age"]);
}
