//! What keyfob prints, whole, as a person reads it: `tests/transcripts` holds commands and all that
//! came of them. `SNAPSHOTS=overwrite cargo test --test cli transcripts` writes the outcomes anew.
//!
//! In a `console` block, `$ ` begins a command for the shell and `> ` goes on with it. What it wrote
//! to stdout follows as it is, then what it wrote to stderr behind `2> `, then `? ` and the exit
//! code, unless that is 0. `%` ends output that ends in no newline. All commands of a file share a
//! home. What differs from run to run has a name in brackets. `Needs NAME.` on a line of its own leaves
//! the file out where there is no such program; `With NAME=VALUE.` sets a variable for all of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;

use crate::docs::{check, project};
use crate::support::home::{BINARY, Home};
use crate::support::programs::installed;
use crate::support::run::Run;
use crate::support::servers::northflank::PROJECT;
use crate::support::servers::{Answer, Listen, Server};
use crate::support::solana::Keypair;
use crate::support::world::{GROUP, World};

const FOLDER: &str = "tests/transcripts";

/// A test for each file, which runs in what its folder's function makes.
macro_rules! transcripts {
    ($($folder:ident: $($name:ident)*;)*) => {
        $(mod $folder {
            $(#[test]
            fn $name() {
                super::$folder(concat!(stringify!($folder), "/", stringify!($name), ".md"));
            })*
        })*

        #[test]
        fn every_file_is_run() {
            let run = [$($(concat!(stringify!($folder), "/", stringify!($name), ".md"),)*)*];
            assert_eq!(files(), run.map(str::to_owned).into());
        }
    };
}

transcripts! {
    local: configuration doctor errors files first_minutes first_minutes_in_ci first_minutes_narrow first_use habits help keys mistakes rotation run scan scan_staged selection templates vault;
    hosted: between_stores doctor errors rotation stores;
}

fn files() -> BTreeSet<String> {
    let folders = fs::read_dir(project(FOLDER)).unwrap();
    let files = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
    let relative = |path: &Path| {
        let path = path.strip_prefix(project(FOLDER)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    files.map(|file| relative(&file.unwrap().path())).collect()
}

/// A command that reaches over several lines is one.
fn commands(text: &str, begin: &str, go_on: &str) -> BTreeSet<String> {
    let mut commands = BTreeSet::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(line) = line.strip_prefix(begin) else {
            continue;
        };
        // What a comment behind it says is the manual's.
        let mut command = line.split(" # ").next().unwrap().trim_end().to_owned();
        while command.ends_with('\\') {
            let next = lines.next().unwrap();
            command.push_str(&format!("\n{}", next.strip_prefix(go_on).unwrap_or(next)));
        }
        commands.insert(command);
    }
    commands
}

/// The README's are run by another test, and so are scripts of CI systems; `…` stands for what is the reader's own.
#[test]
fn the_manual_s_commands_are_shown() {
    let docs = [
        "ci",
        "local-vault",
        "rotation",
        "security",
        "shells",
        "stores",
    ];
    let docs =
        docs.map(|name| fs::read_to_string(project("docs").join(format!("{name}.md"))).unwrap());
    let mut shown = BTreeSet::new();
    for file in files() {
        let text = fs::read_to_string(project(FOLDER).join(file)).unwrap();
        shown.extend(commands(&text, "$ ", "> "));
    }
    let blocks = docs
        .iter()
        .flat_map(|text| text.split("```").skip(1).step_by(2));
    let mut missing = BTreeSet::new();
    for block in blocks {
        let (kind, text) = block.split_once('\n').unwrap();
        missing.extend(match kind {
            "console" => commands(text, "$ ", ""),
            "sh" if !text.contains(".sh,") && !text.starts_with("# .envrc") => {
                commands(text, "", "")
            }
            _ => BTreeSet::new(),
        });
    }
    missing.retain(|command| {
        let own = ["#", "cargo ", "export ", "tests/run"];
        !own.iter().any(|own| command.starts_with(own)) && !command.contains('…')
    });
    assert!(missing.len() > 30);
    missing.retain(|command| !shown.contains(command));
    assert!(missing.is_empty(), "{missing:#?}");
}

/// A machine with nothing but keyfob on it.
fn local(file: &str) {
    replay(file, Home::new(), &[]);
}

/// One that knows a store of each provider, and stores that fail in the way they are named after.
fn hosted(file: &str) {
    let mut world = World::new();
    let answer = |answer: Answer| Server::start(Listen::Http, move |_: &_| answer.clone());
    let error = |status, code: &str| {
        let error = serde_json::json!({"error": {"code": code, "message": "so says the server"}});
        answer(Answer::json(status, &error))
    };
    let failing = [
        ("forbidding", error(403, "FORBIDDEN")),
        (
            "busy",
            answer(Answer::status(429).header("retry-after", 3600)),
        ),
        ("broken", error(503, "UNAVAILABLE")),
        ("portal", answer(Answer::text(200, "Welcome to the hotel"))),
    ];
    let mut servers = Vec::new();
    for (store, server) in &failing {
        let variable = |field: &str| format!("KEYFOB_{}_{field}", store.to_uppercase());
        world.home.set(variable("PROVIDER"), "neo");
        world.home.set(variable("BASE_URL"), server.url());
        world.home.set(variable("API_KEY"), "a-key");
        servers.push((*store, server.url()));
    }
    for store in ["nosana", "northflank", "bytenite", "neo", "openbao"] {
        servers.push((store, world.server(store).unwrap().url()));
    }
    // The README's.
    let home = &mut world.home;
    for (store, provider, field, value) in [
        ("DEV", "local", "PATH", "dev.age".to_owned()),
        ("WEB", "northflank", "BASE_URL", world.northflank.url()),
        ("GPU", "nosana", "BASE_URL", world.nosana.url()),
        ("FN", "neo", "BASE_URL", world.neo.url()),
    ] {
        home.set(format!("KEYFOB_{store}_PROVIDER"), provider);
        home.set(format!("KEYFOB_{store}_{field}"), value);
    }
    let groups = world.northflank.groups();
    groups.remove(None, PROJECT, GROUP);
    let web = groups.put_variables("Web Env", serde_json::json!({}));
    home.unset("KEYFOB_NORTHFLANK_GROUP")
        .set("KEYFOB_WEB_PROJECT", PROJECT)
        .set("KEYFOB_WEB_GROUP", web)
        .set("KEYFOB_GPU_KEYPAIR", Keypair::new(1).json());
    for variable in ["TOKEN", "SECRET_KEY", "URL"] {
        home.set(variable, format!("the {variable}"));
    }
    let home = std::mem::replace(home, Home::new());
    replay(file, home, &servers);
}

/// Runs what a file shows and holds it to what came of it then.
fn replay(file: &str, mut home: Home, servers: &[(&str, String)]) {
    for variable in ["CONFIG_HOME", "DATA_HOME", "CACHE_HOME", "STATE_HOME"] {
        home.unset(format!("XDG_{variable}"));
    }
    let mut path = home.home().join("bin").into_os_string();
    path.push(":");
    path.push(Path::new(BINARY).parent().unwrap());
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    home.set("PATH", path);
    let work = home.home().join("work");
    fs::create_dir(&work).unwrap();

    let path = project(FOLDER).join(file);
    let text = fs::read_to_string(&path).unwrap();
    let mut needed = text
        .lines()
        .filter_map(|line| line.strip_prefix("Needs ")?.strip_suffix('.'));
    if let Some(missing) = needed.find(|program| !installed(program)) {
        eprintln!("skipped: {file} needs {missing}");
        return;
    }
    for line in text.lines() {
        let set = line
            .strip_prefix("With ")
            .and_then(|line| line.strip_suffix('.'));
        if let Some((variable, value)) = set.and_then(|set| set.split_once('=')) {
            home.set(variable, value);
        }
    }
    let mut actual = String::new();
    let mut lines = text.lines().peekable();
    let mut inside = false;
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            inside = !inside && line == "```console";
        }
        let Some(command) = line.strip_prefix("$ ").filter(|_| inside) else {
            if !inside || line.starts_with("```") {
                actual.push_str(&format!("{line}\n"));
            }
            continue;
        };
        actual.push_str(&format!("{line}\n"));
        let mut script = command.to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with('>')) {
            actual.push_str(&format!("{more}\n"));
            script.push('\n');
            script.push_str(more.strip_prefix("> ").unwrap_or_default());
        }
        let run = home.program("sh", ["-c", &script]).cwd(&work).run();
        actual.push_str(&readable(&shown(&run), &home, servers));
    }
    check(&actual, path);
}

/// What came of a command.
fn shown(run: &Run) -> String {
    let mut shown = run.text();
    if !shown.is_empty() && !shown.ends_with('\n') {
        shown.push_str("%\n");
    }
    for line in run.stderr.lines() {
        shown.push_str(format!("2> {line}").trim_end());
        shown.push('\n');
    }
    match run.code {
        Some(0) => {}
        Some(code) => shown.push_str(&format!("? {code}\n")),
        None => panic!("a signal ended it: {run:?}"),
    }
    shown
}

/// The same with names for what differs from run to run.
fn readable(shown: &str, home: &Home, servers: &[(&str, String)]) -> String {
    let mut shown = shown
        .replace(home.home().to_str().unwrap(), "~")
        .replace(home.root().to_str().unwrap(), "[ROOT]")
        .replace(env!("CARGO_PKG_VERSION"), "[VERSION]");
    for (name, url) in servers {
        let address = url.strip_prefix("http://").unwrap();
        shown = shown.replace(address, &format!("[{}]", name.to_uppercase()));
    }
    for (pattern, name) in [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]"),
        (r"\d{4}-\d\d-\d\d", "[DATE]"),
        (r"age1[02-9ac-hj-np-z]{58}", "[PUBLIC KEY]"),
        (r"\b(in|took) \d+ ms", "$1 [N] ms"),
        (r"not a git repository.*", "[GIT]"),
        (r"size: \d+ bytes", "size: [N] bytes"),
        (r#""size":\d+"#, r#""size":[N]"#),
        (r"\b[1-9A-HJ-NP-Za-km-z]{43,44}\b", "[ADDRESS]"),
        (r"(?m)^\w+\tcertificates\t.*$", "[CERTIFICATES]"),
        (r"\b(\d+[dhms])+ ago", "[AGE] ago"),
    ] {
        let pattern = Regex::new(pattern).unwrap();
        shown = pattern.replace_all(&shown, name).into_owned();
    }
    shown
}
