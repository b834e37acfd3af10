//! `keyfob rotate` over all five providers at once: what it does, what is left when it is killed at
//! any moment or a backend fails, and how that is finished or undone.

mod due;
#[cfg(unix)]
mod kills;
mod outages;
mod rotations;

use serde_json::{Value, json};

use crate::support::run::{Keyfob, Run};
use crate::support::world::{GROUP, World};

pub const OLD: &str = "the-old-value";
pub const NEW: &str = "the-new-value";

impl World {
    /// One with a secret in all five stores, and two places that hold nothing yet.
    pub fn with_a_secret() -> Self {
        let world = Self::new();
        let first = json!({"K": OLD, "URL": format!("x:{OLD}")}).to_string();
        let import = world.home.keyfob(["import", "-y", "--format=json", "-"]);
        import.stdin(first).run().ok();
        for store in ["nosana", "northflank", "neo"] {
            world.put(store, "K", OLD);
        }
        world.put("northflank", "OTHER", "kept");
        let fields = json!({"name": "kept", "accessKey": "AK"});
        world.bytenite.put("s3", "k", OLD, fields);
        world
    }

    /// The rotation of the secret in all places to [`NEW`].
    pub fn rotation(&self) -> Keyfob {
        let command = self.home.keyfob(ROTATION);
        command.stdin(NEW)
    }

    /// The same with other commands, or none.
    pub fn rotation_with<'a>(&self, commands: &[&'a str]) -> Keyfob {
        let rotation: &[&'a str] = &ROTATION[..ROTATION.len() - COMMANDS];
        self.home.keyfob(rotation).args(commands).stdin(NEW)
    }

    /// What each place holds.
    pub fn held(&self) -> Held {
        let (local, nosana) = (self.values("local"), self.values("nosana"));
        let url = local.get("URL").and_then(|url| url.strip_prefix("x:"));
        Held {
            readable: vec![
                local.get("K").cloned(),
                url.map(str::to_owned),
                nosana.get("K").cloned(),
                self.northflank.groups().variable(GROUP, "K"),
            ],
            readable_before_absent: vec![nosana.get("FRESH").cloned()],
            hidden: vec![self.bytenite.secret_key("s3", "k"), self.neo.value("K")],
            hidden_before_absent: vec![self.bytenite.secret_key("s3", "fresh")],
        }
    }

    /// What `rotate --list` shows.
    pub fn open(&self) -> Vec<Value> {
        let list = self.home.run(["--json", "rotate", "--list"]).ok().json();
        list.as_array().expect("a list").clone()
    }

    /// The rotations among it.
    pub fn open_rotations(&self) -> usize {
        let open = self.open();
        let rotations = open.iter().filter(|open| open["kind"] == "rotation");
        rotations.count()
    }
}

/// How many arguments at its end are commands.
const COMMANDS: usize = 4;

pub const ROTATION: [&str; 17] = [
    "rotate",
    "K",
    "--to=keyfob://nosana/K",
    "--to=keyfob://nosana/FRESH",
    "--to=keyfob://northflank/K",
    "--to=keyfob://bytenite/s3/k",
    "--to=keyfob://bytenite/s3/fresh",
    "--to=keyfob://neo/K",
    "--derive",
    "URL=x:{value}",
    "--file",
    "-",
    "--accept-no-undo",
    "--verify",
    "test \"$(cat)\" != \"\"",
    "--on-rollback",
    "true",
];

/// What the places hold, by whether it can be read back and whether there was anything before.
#[derive(Debug, PartialEq, Eq)]
pub struct Held {
    readable: Vec<Option<String>>,
    readable_before_absent: Vec<Option<String>>,
    hidden: Vec<Option<String>>,
    hidden_before_absent: Vec<Option<String>>,
}

impl Held {
    fn is(values: &[Option<String>], expected: Option<&str>) -> bool {
        values.iter().all(|value| value.as_deref() == expected)
    }

    pub fn all_new(&self) -> bool {
        let all = [
            &self.readable,
            &self.readable_before_absent,
            &self.hidden,
            &self.hidden_before_absent,
        ];
        all.into_iter().all(|values| Self::is(values, Some(NEW)))
    }

    /// Whether what can be put back is as it was.
    pub fn undone(&self) -> bool {
        Self::is(&self.readable, Some(OLD))
            && Self::is(&self.readable_before_absent, None)
            && Self::is(&self.hidden_before_absent, None)
    }

    pub fn all_old(&self) -> bool {
        self.undone() && Self::is(&self.hidden, Some(OLD))
    }

    /// Whether every place that held something still does.
    pub fn nothing_lost(&self) -> bool {
        self.readable
            .iter()
            .chain(&self.hidden)
            .all(Option::is_some)
    }
}

/// Checks what must hold at any moment that nothing runs: a mixture is shown, and no value lies
/// about.
#[track_caller]
pub fn assert_mixture_is_shown(world: &World, what: &str) {
    let held = world.held();
    if !held.all_old() && !held.all_new() {
        assert!(!world.open().is_empty(), "{what}: {held:?}");
    }
    for value in [OLD, NEW] {
        let files = world.home.files_holding(value.as_bytes());
        assert!(files.is_empty(), "{what}: {files:?}");
    }
}

/// Finishes what is open and checks that all is new then.
#[track_caller]
pub fn assert_resumed(world: &World, what: &str) {
    let open = world.open_rotations() > 0;
    let run = world.home.run(["rotate", "--resume"]);
    let held = world.held();
    match open {
        true => assert!(held.all_new(), "{what}: {held:?}\n{}", run.stderr),
        false => assert!(held.all_old() || held.all_new(), "{what}: {held:?}"),
    }
    run.ok();
    assert!(world.open().is_empty(), "{what}");
}

/// Undoes what is open and checks that what can be put back is, and that the rest is shown.
#[track_caller]
pub fn assert_undone(world: &World, what: &str) {
    let open = world.open_rotations() > 0;
    let run = world.home.run(["rotate", "--undo"]);
    let held = world.held();
    assert!(held.nothing_lost(), "{what}: {held:?}\n{}", run.stderr);
    if !open {
        assert!(held.all_old() || held.all_new(), "{what}: {held:?}");
        run.ok();
        return;
    }
    assert!(held.undone(), "{what}: {held:?}\n{}", run.stderr);
    if held.all_old() && world.open().is_empty() {
        run.ok();
        return;
    }
    // What may hold the new value and cannot be read stays in the list until the user says so.
    run.code(10);
    assert!(!world.open().is_empty(), "{what}: {held:?}");
    let accepted = world.home.run(["rotate", "--undo", "--accept-no-undo"]);
    accepted.ok();
    assert!(world.open().is_empty(), "{what}: {}", accepted.stderr);
    assert!(world.held().undone(), "{what}");
}

#[track_caller]
pub fn outcome(run: &Run) -> String {
    run.json()[0]["outcome"]
        .as_str()
        .expect("a text")
        .to_owned()
}
