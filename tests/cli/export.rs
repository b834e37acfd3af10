//! `keyfob export`: what comes out, where it goes, and that its readers get every byte back.

use std::collections::BTreeMap;
#[cfg(unix)]
use std::path::Path;

use keyfob::testing::SecretValue;
use keyfob::testing::formats::{self, Format, Options};
use serde_json::json;

use crate::nasty;
use crate::nosana::set_up;
#[cfg(unix)]
use crate::support::home::BINARY;
use crate::support::home::Home;
#[cfg(unix)]
use crate::support::programs::installed;
use crate::support::servers::nosana::{Job, Visible};
use crate::support::servers::{Fault, Nosana};
use crate::support::solana::Keypair;
use crate::support::wait::until;

type Values = BTreeMap<String, String>;

/// A home whose vault holds these secrets.
pub fn home_with(values: &Values) -> Home {
    let home = Home::new();
    home.keyfob(["import", "-q", "-"])
        .stdin(serde_json::to_vec(values).unwrap())
        .run()
        .ok();
    home
}

/// These secrets.
pub fn values<const N: usize>(pairs: [(&str, &str); N]) -> Values {
    let pairs = pairs.into_iter();
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The nasty values that `format` can hold, as V0, V1 and so on.
pub fn nasty_values(format: Format) -> Values {
    let numbered = nasty::values().into_iter().enumerate();
    let values: Values = numbered
        .map(|(number, value)| (format!("V{number}"), value))
        .filter(|(name, value)| {
            let pair = (name.clone(), SecretValue::from(value.as_str()));
            formats::write(format, &[pair], &Options::default()).is_ok()
        })
        .collect();
    assert!(values.len() > 100, "{format} holds {}", values.len());
    values
}

#[track_caller]
fn assert_same(who: &str, read: &Values, written: &Values) {
    for (name, value) in written {
        assert_eq!(read.get(name), Some(value), "{who} on {value:?}");
    }
    assert_eq!(read.len(), written.len(), "{who} found more");
}

#[cfg(unix)]
#[test]
fn shells_eval_every_byte_of_a_hundred_nasty_values() {
    let written = nasty_values(Format::Shell);
    let home = home_with(&written);
    for shell in ["sh", "bash", "dash"] {
        if !installed(shell) {
            eprintln!("left out: {shell} is not installed");
            continue;
        }
        let script = r#"eval "$("$KEYFOB" export --format shell)" && exec env -0"#;
        let run = home
            .program(shell, ["-c", script])
            .env("KEYFOB", BINARY)
            .env("LC_ALL", "C.UTF-8")
            .run();
        let read: Values = run
            .ok()
            .stdout
            .split(|byte| *byte == 0)
            .filter_map(|entry| std::str::from_utf8(entry).unwrap().split_once('='))
            .filter(|(name, _)| written.contains_key(*name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert_same(shell, &read, &written);
        run.quiet();
    }
}

#[test]
fn what_is_imported_is_exported_in_every_readable_format() {
    for (format, file) in [
        (Format::Dotenv, "secrets.env"),
        (Format::Json, "secrets.json"),
        (Format::Yaml, "secrets.yaml"),
        (Format::Toml, "secrets.toml"),
    ] {
        let written = nasty_values(format);
        let home = home_with(&written);
        home.run(["export", "--format", &format.to_string(), "-o", file])
            .ok()
            .stdout_is("")
            .quiet();
        let other = Home::new();
        other.write(file, home.read(file));
        other.run(["import", "-q", file]).ok().quiet();
        let read = other.run(["export", "--format", "json"]).ok().json();
        let read: Values = serde_json::from_value(read).unwrap();
        assert_same(&format.to_string(), &read, &written);
        // And nothing is left to be done.
        let again = home
            .run(["--json", "import", "--dry-run", file])
            .ok()
            .json();
        let results = again["results"].as_array().unwrap();
        assert!(results.iter().all(|result| result["action"] == "unchanged"));
    }
}

#[test]
fn bytes_that_are_no_text_go_where_they_can() {
    let home = Home::new();
    home.write("bytes", [0xff, 0x00]);
    home.run(["set", "A", "--file", "bytes"]).ok();
    for format in ["yaml", "toml"] {
        home.run(["export", "--format", format])
            .code(13)
            .stdout_is("")
            .stderr_has("A cannot be written")
            .stderr_has("hint: ");
    }
    let file = home.write("github-env", "");
    for format in ["dotenv", "shell", "fish", "powershell", "docker", "github"] {
        let export = |args: &[&str]| {
            home.keyfob([&["export", "--format", format], args].concat())
                .env("GITHUB_ENV", &file)
                .run()
        };
        export(&["--only", "A"])
            .code(13)
            .stdout_is("")
            .stderr_has("A cannot be an environment variable")
            .stderr_has("hint: ");
        export(&[]).ok().stdout_is("").stderr_has("left out: A (");
    }
    assert_eq!(home.read("github-env"), b"");
    home.run(["export", "--format", "json", "-o", "all.json"])
        .ok();
    let other = Home::new();
    other.write("all.json", home.read("all.json"));
    other.run(["import", "all.json"]).ok();
    other.run(["get", "A"]).ok().stdout_is([0xff, 0x00]);
    home.run(["export", "--format", "k8s"])
        .ok()
        .stdout_has("\"/wA=\"");
}

#[cfg(unix)]
#[test]
fn a_file_is_private_and_whole_or_not_touched() {
    use std::os::unix::fs::PermissionsExt;

    let home = home_with(&values([("A", "1")]));
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let path = home.write("out.env", "old");
    crate::support::home::set_mode(&path, 0o644);
    home.run(["export", "--only", "MISSING", "-o", "out.env"])
        .code(3);
    assert_eq!(home.read("out.env"), b"old");
    assert_eq!(mode(&path), 0o644);
    let before = home.files();
    home.run(["export", "-o", "out.env"])
        .ok()
        .stdout_is("")
        .quiet();
    assert_eq!(home.read("out.env"), b"A=1\n");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(home.files(), before, "nothing is left beside it");
    home.run(["export", "-o", "new.env"]).ok();
    assert_eq!(mode(&home.work().join("new.env")), 0o600);
    home.run(["export", "-o", "no/such/folder.env"])
        .code(1)
        .stderr_has("make the folder");
}

/// The masks that a runner takes from a step's stdout.
fn masks(stdout: &str) -> Vec<String> {
    let lines = stdout.lines();
    lines
        .map(|line| {
            let text = line.strip_prefix("::add-mask::").expect("a mask");
            text.replace("%0D", "\r")
                .replace("%0A", "\n")
                .replace("%25", "%")
        })
        .collect()
}

/// The variables that a runner takes from its file: names, a delimiter, and what stands between.
#[cfg(unix)]
pub fn runner_reads(file: &str) -> Values {
    let mut read = Values::new();
    let mut lines = file.split('\n');
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let heredoc = line.find("<<");
        let equals = line.find('=');
        match (heredoc, equals) {
            (Some(at), equals) if equals.is_none_or(|equals| at < equals) => {
                let delimiter = &line[at + 2..];
                let mut value = Vec::new();
                loop {
                    match lines.next().expect("the delimiter comes again") {
                        end if end == delimiter => break,
                        part => value.push(part),
                    }
                }
                read.insert(line[..at].to_owned(), value.join("\n"));
            }
            (_, Some(at)) => {
                read.insert(line[..at].to_owned(), line[at + 1..].to_owned());
            }
            _ => panic!("the runner does not take {line:?}"),
        }
    }
    read
}

#[cfg(unix)]
#[test]
fn github_gets_masks_and_then_variables() {
    let written = nasty_values(Format::Github);
    let mut home = home_with(&written);
    home.run(["export", "--format", "github"])
        .code(2)
        .stdout_is("")
        .stderr_has("GITHUB_ENV");
    // A step before left its last line open.
    let file = home.write("github-env", "BEFORE=kept");
    home.set("GITHUB_ENV", &file);
    let run = home.run(["export", "--format", "github"]);
    run.ok().stderr_has("warning: too short to be hidden, ");
    let masked = masks(std::str::from_utf8(&run.stdout).unwrap());
    let hidden = |text: &str| text.len() >= 5 && !text.trim().is_empty();
    assert!(masked.iter().all(|mask| hidden(mask)));
    for value in written.values().filter(|value| hidden(value)) {
        assert!(masked.contains(value), "{value:?} is not masked");
        let lines = value.split(['\r', '\n']);
        for line in lines.filter(|line| hidden(line)) {
            assert!(
                masked.iter().any(|mask| mask == line),
                "{line:?} is not masked"
            );
        }
    }
    let mut read = runner_reads(&String::from_utf8(home.read("github-env")).unwrap());
    assert_eq!(read.remove("BEFORE").as_deref(), Some("kept"));
    assert_same("the runner", &read, &written);

    let length = home.read("github-env").len();
    home.run(["export", "--format", "github", "--only", "V8"])
        .ok();
    assert!(home.read("github-env").len() > length, "it is appended to");
    for args in [&["-o", "x"][..], &["--json"]] {
        let args = [&["export", "--format", "github"], args].concat();
        home.run(args).code(2).stdout_is("");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn github_gets_no_variable_that_could_not_be_masked() {
    let mut home = home_with(&values([("A", "hunter2")]));
    let file = home.write("github-env", "");
    home.set("GITHUB_ENV", &file);
    let script = r#"exec "$KEYFOB" export --format github >/dev/full"#;
    home.program("sh", ["-c", script])
        .env("KEYFOB", BINARY)
        .run()
        .code(1)
        .stderr_has("stdout");
    assert_eq!(home.read("github-env"), b"");
}

#[test]
fn nosana_lists_what_a_job_declares() {
    let (server, mut home, keypair) = set_up();
    let owner = Keypair::new(9).address();
    server.put(&owner, "A", "1");
    server.put(&owner, "B", "2");
    let job = Keypair::new(42).address();
    server.put_job(
        &job,
        Job {
            project: owner,
            node: Some(keypair.address()),
            secrets: Some(vec!["A".to_owned()]),
            visible: Visible::Now,
        },
    );
    home.set("KEYFOB_NOSANA_JOB", &job);
    home.run(["export", "--format", "nosana"])
        .ok()
        .stdout_has("{\"state\":{\"nosana/secrets\":[\"A\"]}}");
}

#[test]
fn nosana_speaks_of_one_secret_manager() {
    let (_server, home, _other, _) = two_managers();
    home.run([
        "export",
        "--format",
        "nosana",
        "-e",
        "A=keyfob://one/A",
        "-e",
        "B=keyfob://two/B",
    ])
    .code(2)
    .stdout_is("")
    .stderr_has("two Secret Managers");
    let home = home_with(&values([("A", "1")]));
    home.run(["export", "--format", "nosana"])
        .ok()
        .stdout_has("https://secrets.nosana.ci")
        .stderr_has("local is no Nosana store");
}

/// Two Secret Managers, with `A` in the store `one` and `B` in the store `two`.
pub fn two_managers() -> (Nosana, Home, Nosana, Keypair) {
    let (one, two) = (Nosana::start(), Nosana::start());
    let keypair = Keypair::new(1);
    one.put(&keypair.address(), "A", "1");
    one.put(&keypair.address(), "A2", "1b");
    two.put(&keypair.address(), "B", "2");
    let mut home = Home::new();
    for (store, server) in [("ONE", &one), ("TWO", &two)] {
        home.set(format!("KEYFOB_{store}_PROVIDER"), "nosana");
        home.set(format!("KEYFOB_{store}_BASE_URL"), server.url());
        home.set(format!("KEYFOB_{store}_KEYPAIR"), keypair.json());
    }
    (one, home, two, keypair)
}

/// Waits until both servers are working on a GET that neither of them answers.
#[track_caller]
pub fn both_are_asked_before_either_answers(
    one: &Nosana,
    two: &Nosana,
    start: impl FnOnce() -> crate::support::run::Running,
) {
    for server in [one, two] {
        server.faults().on("GET", "/secrets", Fault::Hang);
    }
    let running = start();
    until("both are asked", || {
        one.count("GET", "/secrets") > 0 && two.count("GET", "/secrets") > 0
    });
    running.kill();
    for server in [one, two] {
        server.faults().clear();
        server.forget_requests();
    }
}

#[test]
fn stores_are_asked_at_the_same_time_and_once_each() {
    let (one, home, two, _) = two_managers();
    let args = [
        "export",
        "-e",
        "A=keyfob://one/A",
        "-e",
        "B=keyfob://two/B",
        "-e",
        "C=keyfob://one/A2",
    ];
    both_are_asked_before_either_answers(&one, &two, || home.keyfob(args).spawn());
    home.run(args).ok().stdout_is("A=1\nB=2\nC=1b\n");
    for server in [&one, &two] {
        assert_eq!(server.asked(), ["POST /login", "GET /secrets"]);
    }
    let run_args = ["run", "-e", "A=keyfob://one/A", "-e", "B=keyfob://two/B"];
    both_are_asked_before_either_answers(&one, &two, || {
        home.keyfob(run_args).arg("--").arg("true").spawn()
    });
    // What one of them refuses is told with its name, and nothing comes out.
    two.faults().on("GET", "/secrets", Fault::captive_portal());
    let run = home.run([&["--json"], &args[..]].concat());
    assert_eq!(run.code(13).stdout_is("").error()["store"], "two");
}

#[test]
fn a_store_that_gives_no_value_back_says_so_before_another_is_asked() {
    let (server, mut home) = crate::neo::set_up();
    server.put("A", "1");
    let (nosana, keypair) = (Nosana::start(), Keypair::new(1));
    home.knows_nosana(&nosana, &keypair);
    for args in [
        &["export"][..],
        &["export", "-e", "B=keyfob://nosana/B", "-e", "A=A"],
        &["inject", "-e", "B=keyfob://nosana/B", "-e", "A=A"],
    ] {
        let run = home.run([&["--json"], args].concat());
        run.code(7).stdout_is("");
        let error = run.error();
        assert_eq!(
            (&error["kind"], &error["store"]),
            (&json!("unsupported"), &json!("neo"))
        );
        assert!(error["hint"].is_string(), "{error}");
    }
    assert!(server.requests().is_empty() && nosana.requests().is_empty());
    // Names alone can be had.
    home.run(["export", "--format", "nosana"])
        .ok()
        .stdout_has("\"A\":")
        .stderr_has("neo is no Nosana store");
}

#[cfg(unix)]
mod outputs {
    use std::fs::{self, Permissions};
    use std::io::Read as _;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
    use std::os::unix::net::UnixListener;
    use std::process::Command;
    use std::thread;

    use crate::support::home::{BINARY, Home};

    /// Somebody who is neither root nor a user of the machine.
    const OTHER: u32 = 20_999;

    fn one() -> Home {
        let home = Home::new();
        home.keyfob(["set", "G"]).stdin("hello").run().ok();
        home
    }

    const TEXT: &str = "G=hello\n";

    #[test]
    fn what_is_no_file_is_written_through() {
        let home = one();
        for path in ["-", "/dev/stdout", "/dev/fd/1"] {
            let run = home.run(["export", "--all", "-o", path]);
            assert!(run.ok().text().contains("hello"), "{path}");
        }
        let run = home.run(["export", "--all", "-o", "/dev/stderr"]);
        run.ok().stdout_is("").stderr_has("hello");
        home.run(["export", "--all", "-o", "/dev/null"])
            .ok()
            .quiet();
        // Appended to, where the shell appends: the file is not replaced.
        let script = format!("echo first > f; {BINARY} export --all -o /dev/stdout >> f; cat f");
        let run = home.program("sh", ["-c", &script]).run();
        assert!(run.ok().text().starts_with("first\n") && run.text().contains("hello"));
        let script = format!("exec 3> f; {BINARY} export --all -o /dev/fd/3; cat f");
        let run = home.program("sh", ["-c", &script]).run();
        assert!(run.ok().text().contains("hello"));
    }

    #[test]
    fn pipes_and_sockets_are_written_to_and_stay() {
        let home = one();
        let pipe = home.work().join("pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        let reader = thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).unwrap()
        });
        home.run(["export", "--all", "-o", "pipe"]).ok();
        assert!(reader.join().unwrap().contains("hello"));
        let run = home.run(["--timeout", "200ms", "export", "--all", "-o", "pipe"]);
        run.code(8).stderr_has("nobody reads");
        let listener = UnixListener::bind(home.work().join("socket")).unwrap();
        let reader = thread::spawn(move || {
            let mut text = String::new();
            listener
                .accept()
                .unwrap()
                .0
                .read_to_string(&mut text)
                .unwrap();
            text
        });
        home.run(["export", "--all", "-o", "socket"]).ok();
        assert!(reader.join().unwrap().contains("hello"));
    }

    /// A folder that everybody can write, of which root is the owner; `None` without root.
    fn open_folder(home: &Home, test: &str) -> Option<std::path::PathBuf> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("left out: {test} needs root");
            return None;
        }
        let open = home.work().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o1777)).unwrap();
        Some(open)
    }

    #[test]
    fn whoever_made_a_file_first_does_not_get_what_is_written() {
        let home = one();
        let Some(open) = open_folder(
            &home,
            "whoever_made_a_file_first_does_not_get_what_is_written",
        ) else {
            return;
        };
        home.write("t", "{{ keyfob://local/G }}");
        for args in [
            &["export", "--all", "-o", "open/out"][..],
            &["inject", "-i", "t", "-o", "open/out"],
        ] {
            for folder_of in [0, OTHER] {
                chown(&open, Some(folder_of), None).unwrap();
                fs::write(open.join("out"), "").unwrap();
                chown(open.join("out"), Some(OTHER), Some(OTHER)).unwrap();
                home.run(args).ok();
                let file = fs::metadata(open.join("out")).unwrap();
                assert_eq!((file.uid(), file.mode() & 0o777), (0, 0o600), "{args:?}");
            }
        }
    }

    #[test]
    fn links_and_pipes_of_others_are_not_followed_where_everybody_can_write() {
        let home = one();
        let test = "links_and_pipes_of_others_are_not_followed_where_everybody_can_write";
        let Some(open) = open_folder(&home, test) else {
            return;
        };
        let target = home.write("precious", "mine");
        symlink(&target, open.join("link")).unwrap();
        symlink(home.work(), open.join("folder")).unwrap();
        let pipe = open.join("pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        for name in ["link", "folder", "pipe"] {
            let link = open.join(name);
            std::os::unix::fs::lchown(link, Some(OTHER), Some(OTHER)).unwrap();
        }
        for path in ["open/link", "open/folder/precious", "open/pipe"] {
            let run = home.run(["export", "--all", "-o", path]);
            run.code(1).stderr_has("somebody else has put it there");
        }
        assert_eq!(home.read("precious"), b"mine");
        // One's own link is followed.
        symlink(&target, open.join("own")).unwrap();
        home.run(["export", "--all", "-o", "open/own"]).ok();
        assert_eq!(home.read("precious"), TEXT.as_bytes());
    }

    #[test]
    fn a_first_use_under_sudo_belongs_to_the_home_s_owner() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("left out: a_first_use_under_sudo_belongs_to_the_home_s_owner needs root");
            return;
        }
        let home = Home::new();
        for folder in ["home", "config", "data", "cache", "state"] {
            chown(home.root().join(folder), Some(OTHER), Some(OTHER)).unwrap();
        }
        home.keyfob(["set", "G"]).stdin("hello").run().ok();
        home.run(["store", "add", "web", "neo"]).ok();
        home.run(["key", "new"]).ok();
        for path in home.files() {
            let path = path.as_path();
            for path in path.ancestors().take_while(|it| *it != home.root()) {
                let file = fs::metadata(path).unwrap();
                assert_eq!(
                    (file.uid(), file.gid()),
                    (OTHER, OTHER),
                    "{}",
                    path.display()
                );
            }
        }
        assert!(home.files().len() >= 4, "{:?}", home.files());
        // A vault in a folder of root's stays root's.
        home.keyfob(["set", "G"])
            .env("KEYFOB_LOCAL_PATH", "v.age")
            .stdin("x")
            .run()
            .ok();
        assert_eq!(fs::metadata(home.work().join("v.age")).unwrap().uid(), 0);
    }
}

#[test]
fn the_file_s_ending_tells_the_format() {
    let home = home_with(&values([("A", "1"), ("b-c", "2")]));
    for (file, text) in [
        ("all.json", "{\n  \"A\": \"1\",\n  \"b-c\": \"2\"\n}\n"),
        ("all.YML", "\"A\": \"1\"\n\"b-c\": \"2\"\n"),
        ("all.sh", "export A='1'\n"),
        ("all.fish", "set -gx A '1'\n"),
        ("all.ps1", "$env:A = '1'\n"),
        (".env.local", "A=1\n"),
        ("all.txt", "A=1\n"),
    ] {
        home.run(["export", "-q", "-o", file]).ok().stdout_is("");
        assert_eq!(String::from_utf8(home.read(file)).unwrap(), text, "{file}");
    }
    // What is said counts.
    home.run(["export", "-q", "-o", "all.json", "--format", "dotenv"])
        .ok();
    assert_eq!(home.read("all.json"), b"A=1\n");
    let told = home.run(["export", "--json", "-o", "all.toml"]).ok().json();
    assert_eq!(told["format"], "toml");
}

#[test]
fn all_that_a_format_cannot_hold_is_told_at_once() {
    let home = home_with(&values([
        ("OK", "1"),
        ("EMPTY", ""),
        ("NONE", ""),
        ("LINES", "a\nb"),
        ("MORE", "c\nd"),
        ("QUOTES", "pa'ss$word"),
        ("REF", "a${HOME}"),
    ]));
    for (format, what, except) in [
        (
            "powershell",
            "2 secrets cannot be written as powershell: EMPTY, NONE (its value is empty",
            "--except EMPTY,NONE",
        ),
        (
            "docker",
            "2 secrets cannot be written as docker: LINES, MORE (its value has several lines)",
            "--except LINES,MORE",
        ),
        (
            "dotenv",
            "2 secrets cannot be written as dotenv: QUOTES (no quoting",
            "--except QUOTES,REF",
        ),
    ] {
        let run = home.run(["export", "--format", format]);
        run.code(13)
            .stdout_is("")
            .stderr_has(what)
            .stderr_has(except);
        // What the hint says can be typed.
        home.run([
            "export",
            "--format",
            format,
            "--except",
            except.split(' ').next_back().unwrap(),
        ])
        .ok();
    }
    home.run(["export", "--only", "QUOTES"])
        .code(13)
        .stderr_has("QUOTES cannot be written as dotenv: ")
        .stderr_has("--except QUOTES leaves it out");
}

#[test]
fn github_leaves_short_values_alone_with_one_warning() {
    let home = home_with(&values([
        ("A", "1"),
        ("B", "true"),
        ("C", "hunter2"),
        ("D", ""),
        ("E", "{\n \"k\": \"hunter3\"\n}\n"),
    ]));
    let file = home.write("github-env", "");
    let run = home
        .keyfob(["export", "--format", "github"])
        .env("GITHUB_ENV", &file)
        .run();
    run.ok()
        .stderr_is("warning: too short to be hidden, and shown where a step prints it: A, B\n");
    assert_eq!(
        masks(&run.text()),
        [
            "hunter2",
            "{\n \"k\": \"hunter3\"\n}\n",
            " \"k\": \"hunter3\""
        ]
    );
}
