//! What packages are made of: the same bytes each time, a wrapper that is not in the way, an installer
//! that takes nothing of the wrong digest, and a version that is the same wherever it stands.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::docs::project;
use crate::support::home::{BINARY, Home, set_mode};
use crate::support::run::Run;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn have(program: &str, what: &str) -> bool {
    let found = crate::support::programs::installed(program);
    if !found {
        eprintln!("skipped: {what} needs {program}");
    }
    found
}

#[test]
fn the_version_says_which_build_it_is_where_it_is_asked_for_more() {
    let home = Home::new();
    let plain = format!("keyfob {VERSION}\n");
    home.run(["--version"]).ok().quiet().stdout_is(&plain);
    home.run(["-q", "-V"]).ok().stdout_is(&plain);
    for args in [
        &["--version", "-v"][..],
        &["-v", "--version"],
        &["-Vv"],
        &["--verbose", "-V"],
    ] {
        let run = home.run(args);
        let text = run.ok().quiet().text();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some(plain.trim_end()), "{text}");
        let names: Vec<&str> = lines
            .filter_map(|line| Some(line.split_once(": ")?.0))
            .collect();
        assert_eq!(names, ["commit", "target", "profile", "features"]);
        assert!(text.contains(std::env::consts::ARCH), "{text}");
    }
}

#[test]
fn the_version_is_the_same_wherever_it_stands() {
    let read = |name: &str| fs::read_to_string(project(name)).unwrap();
    assert!(read("action.yml").contains(&format!("default: \"{VERSION}\"\n")));
    assert!(read("CHANGELOG.md").contains(&format!("\n## [{VERSION}] - ")));
    for (name, before) in [
        ("docs/ci.md", "keyfob/keyfob@v"),
        ("docs/ci.md", "keyfob=="),
        ("README.md", "/releases/download/v"),
    ] {
        let text = read(name);
        let mut found = text.split(before).skip(1).peekable();
        assert!(found.peek().is_some(), "{before} is not in {name}");
        for rest in found {
            assert!(rest.starts_with(VERSION), "{name}: {before}{rest:.10}");
        }
    }
}

/// A folder of its own with what `packaging/build` makes of `binary`.
#[cfg(target_os = "linux")]
fn packed(binary: &Path) -> tempfile::TempDir {
    let out = tempfile::tempdir().unwrap();
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let made = std::process::Command::new(project("packaging/build"))
        .arg("--binary")
        .arg(binary)
        .args(["--target", &target, "--collect", "--out"])
        .arg(out.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    out
}

#[test]
#[cfg(target_os = "linux")]
fn packages_are_the_same_bytes_each_time() {
    if !have("python3", "packages_are_the_same_bytes_each_time") {
        return;
    }
    // Any binary of this machine will do, and a small one is packed sooner.
    let binary = fs::canonicalize("/bin/true").unwrap();
    let (one, two) = (packed(&binary), packed(&binary));
    let sums =
        |folder: &tempfile::TempDir| fs::read_to_string(folder.path().join("SHA256SUMS")).unwrap();
    assert_eq!(sums(&one), sums(&two));
    let sums = sums(&one);
    for kind in [
        ".tar.gz\n",
        ".whl\n",
        ".deb\n",
        ".cdx.json\n",
        "keyfob-linux-",
    ] {
        assert!(sums.contains(kind), "{kind}: {sums}");
    }
    for path in fs::read_dir(one.path()).unwrap() {
        let bytes = fs::read(path.unwrap().path()).unwrap();
        let place = project("").into_os_string().into_string().unwrap();
        let place = place.trim_end_matches('/').as_bytes();
        assert!(!bytes.windows(place.len()).any(|part| part == place));
    }
}

/// The wrapper as npm lays it, beside the package with the binary; without that one if not `whole`.
fn wrapper(home: &Home, whole: bool) -> PathBuf {
    let modules = home.work().join("node_modules");
    let place = modules.join("keyfob/bin");
    fs::create_dir_all(&place).unwrap();
    let script = place.join("keyfob.js");
    fs::copy(project("packaging/npm/keyfob.js"), &script).unwrap();
    if whole {
        let arch = match std::env::consts::ARCH {
            "x86_64" => "x64",
            _ => "arm64",
        };
        let os = if cfg!(target_os = "macos") {
            "darwin"
        } else {
            "linux"
        };
        let native = modules.join(format!("@keyfob/{os}-{arch}/bin"));
        fs::create_dir_all(&native).unwrap();
        std::os::unix::fs::symlink(BINARY, native.join("keyfob")).unwrap();
    }
    script
}

#[test]
fn npm_s_wrapper_says_what_is_missing() {
    if !have("node", "npm_s_wrapper_says_what_is_missing") {
        return;
    }
    let home = Home::new();
    let script = wrapper(&home, false);
    let run = home.program("node", [&script]).args(["get", "A"]).run();
    run.code(125)
        .stderr_has("error: keyfob's binary for this machine is not installed")
        .stderr_has("hint: npm install keyfob --include=optional");
    let run = home
        .program("node", [&script])
        .args(["--json", "get", "A"])
        .run();
    let line = run.code(125).stderr.clone();
    let error: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(error["error"]["kind"], "failed");
    // What follows -- is the command's.
    let words = ["run", "--", "x", "--json"];
    let run = home.program("node", [&script]).args(words).run();
    run.code(125).stderr_has("error: ");
}

/// A command under `keyfob run` under the wrapper, which has said its process's number.
struct Started {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    command: Pid,
}

fn started(home: &Home, script: &Path, shell: &str) -> Started {
    let words = [
        "run",
        "--",
        "sh",
        "-c",
        &format!("{shell}; echo $$; {WAIT}"),
    ];
    let mut command = home.program("node", [script]).args(words).into_command();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    Started {
        child,
        command: Pid::from_raw(line.trim().parse().unwrap()).unwrap(),
        _stdout: stdout,
    }
}

/// A shell that waits, and can be asked something meanwhile.
const WAIT: &str = "while :; do sleep 0.1; done";

#[test]
fn npm_s_wrapper_passes_signals_on_and_leaves_no_command_behind() {
    use std::os::unix::process::ExitStatusExt as _;

    if !have(
        "node",
        "npm_s_wrapper_passes_signals_on_and_leaves_no_command_behind",
    ) {
        return;
    }
    let home = Home::new();
    let script = wrapper(&home, true);
    home.keyfob(["set", "A"]).stdin("x").run().ok();
    let run = home
        .program("node", [&script])
        .args(["run", "--", "sh", "-c", "exit 7"]);
    run.run().code(7);
    let run = home.program("node", [&script]).args(["get", "A"]);
    run.run().ok().stdout_is("x");
    for (signal, shell, code, by) in [
        (Signal::TERM, ":", None, Some(15)),
        (Signal::INT, ":", None, Some(2)),
        (Signal::HUP, ":", None, Some(1)),
        (Signal::TERM, "trap 'exit 7' TERM", Some(7), None),
        (Signal::USR1, "trap 'exit 9' USR1", Some(9), None),
    ] {
        let mut it = started(&home, &script, shell);
        let wrapper = Pid::from_child(&it.child);
        kill_process(wrapper, signal).unwrap();
        let status = it.child.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (code, by), "{signal:?}");
        assert!(
            test_kill_process(it.command).is_err(),
            "{signal:?} left it running"
        );
    }
}

/// A release in a folder: the archive for this machine with a program that says so, and its digests.
fn release(home: &Home) -> String {
    let target = match std::env::consts::OS {
        "macos" => format!("{}-apple-darwin", std::env::consts::ARCH),
        _ => format!("{}-unknown-linux-musl", std::env::consts::ARCH),
    };
    let program = format!("release/keyfob-{target}/keyfob");
    let path = home.write(program, "#!/bin/sh\necho installed \"$@\"\n");
    set_mode(&path, 0o755);
    let archive = format!("keyfob-{target}.tar.gz");
    let pack = format!(
        "cd release && tar -czf {archive} keyfob-{target} && (sha256sum {archive} || shasum -a 256 {archive}) >SHA256SUMS"
    );
    home.program("sh", ["-c", &pack]).run().ok();
    archive
}

#[test]
fn the_installer_takes_nothing_of_another_digest() {
    if !have("curl", "the_installer_takes_nothing_of_another_digest") {
        return;
    }
    let home = Home::new();
    let archive = release(&home);
    let install = |version: &str, digest: &str| {
        home.program("bash", [project("packaging/install")])
            .env("KEYFOB_VERSION", version)
            .env("KEYFOB_SHA256", digest)
            .env("KEYFOB_INTO", "bin")
            .env(
                "KEYFOB_DOWNLOADS",
                format!("file://{}/release", home.work().display()),
            )
            .run()
    };
    let installed = home.work().join("bin/keyfob");
    let refused = |run: &Run, why: &str| {
        run.code(1).stderr_has(why);
        assert!(!installed.exists());
    };
    refused(&install(VERSION, &"0".repeat(64)), "was expected");
    refused(&install("../../evil", ""), "no version");
    let sums = String::from_utf8(home.read("release/SHA256SUMS")).unwrap();
    home.write("release/SHA256SUMS", sums.replace(&archive, "other.tar.gz"));
    refused(&install(VERSION, ""), "does not name");
    home.write(
        "release/SHA256SUMS",
        format!("{}  {archive}\n", "0".repeat(64)),
    );
    refused(&install(VERSION, ""), "was expected");

    home.write("release/SHA256SUMS", &sums);
    install(VERSION, "").ok().stdout_has("installed --version");
    fs::remove_file(&installed).unwrap();
    let digest = sums.split_whitespace().next().unwrap();
    install(&format!("v{VERSION}"), digest).ok();
    assert!(installed.exists());
    fs::remove_file(home.work().join("release").join(&archive)).unwrap();
    fs::remove_file(&installed).unwrap();
    refused(&install(VERSION, ""), "cannot get");
}
