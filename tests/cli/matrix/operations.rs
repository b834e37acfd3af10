//! Everything that keyfob does with a store, each with what is true when it says that it did it.

use super::stage::{Held, Stage, filled};
use crate::support::run::{Keyfob, Run};

/// One command.
pub struct Operation {
    /// What it is called in reports.
    pub name: &'static str,
    /// The stores that it makes sense for.
    pub stores: &'static [&'static str],
    /// The command line, words between blanks, with the placeholders of [`filled`].
    pub args: &'static str,
    /// What is piped in.
    pub stdin: &'static str,
    /// What the store, or where `local` says so the vault, holds once it is done: name and value,
    /// no value where it is gone.
    pub goal: &'static [(&'static str, Option<&'static str>)],
    /// Whether what it changes is the vault.
    pub local: bool,
    /// How it ends when all goes well.
    pub code: i32,
    /// What of its output must be the same whatever becomes of what keyfob does not need.
    pub says: Says,
}

/// What of an output counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// All of it.
    All,
    /// The names in it: the rest is what stands beside a secret.
    Names,
}

const ALL: &[&str] = &["nosana", "bytenite", "northflank", "neo", "openbao"];
const READABLE: &[&str] = &["nosana", "northflank", "openbao"];
const WRITE_ONLY: &[&str] = &["bytenite", "neo"];
const NORTHFLANK: &[&str] = &["northflank"];

/// A command that changes nothing.
const fn reads(
    name: &'static str,
    stores: &'static [&'static str],
    args: &'static str,
) -> Operation {
    Operation {
        name,
        stores,
        args,
        stdin: "",
        goal: &[],
        local: false,
        code: 0,
        says: Says::All,
    }
}

/// A command that changes the store.
const fn writes(
    name: &'static str,
    stores: &'static [&'static str],
    args: &'static str,
    stdin: &'static str,
    goal: &'static [(&'static str, Option<&'static str>)],
) -> Operation {
    Operation {
        stdin,
        goal,
        says: Says::Names,
        ..reads(name, stores, args)
    }
}

/// All of them.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        says: Says::Names,
        ..reads("list", ALL, "list -s {s}")
    },
    Operation {
        says: Says::Names,
        ..reads("show", ALL, "show -s {s} {a}")
    },
    reads("get", READABLE, "get -s {s} {a}"),
    reads(
        "export",
        READABLE,
        "export -s {s} --all --upper --format json",
    ),
    reads(
        "run",
        READABLE,
        "run -s {s} -e X={a} -e Y={b} -- sh ./show-x",
    ),
    reads(
        "run all",
        &["nosana"],
        "run -s {s} --all -e X={a} -- sh ./show-x",
    ),
    reads(
        "fallback",
        READABLE,
        "run -s {s} --fallback=snapshot.age -e X={a} -e Y={b} -- sh ./show-x",
    ),
    Operation {
        code: 1,
        ..reads("diff", READABLE, "diff local {s}")
    },
    Operation {
        says: Says::Names,
        ..reads("login", ALL, "login {s}")
    },
    Operation {
        says: Says::Names,
        ..reads("status", ALL, "status")
    },
    writes("set", ALL, "set -s {s} {n}", "{N}", &[("{n}", Some("{N}"))]),
    writes(
        "replace",
        ALL,
        "set -s {s} {a}",
        "{A2}",
        &[("{a}", Some("{A2}"))],
    ),
    writes(
        "set --if-absent",
        ALL,
        "set -s {s} --if-absent {n}",
        "{N}",
        &[("{n}", Some("{N}"))],
    ),
    Operation {
        code: 6,
        ..writes(
            "set --if-absent, there",
            ALL,
            "set -s {s} --if-absent {a}",
            "{N}",
            &[],
        )
    },
    writes("delete", ALL, "delete -s {s} -y {a}", "", &[("{a}", None)]),
    writes(
        "delete two",
        ALL,
        "delete -s {s} -y {a} {b}",
        "",
        &[("{a}", None), ("{b}", None)],
    ),
    writes(
        "import",
        ALL,
        "import -s {s} -y --format json -",
        r#"{"{a}": "{A2}", "{n}": "{N}"}"#,
        &[("{a}", Some("{A2}")), ("{n}", Some("{N}"))],
    ),
    writes(
        "import --prune",
        ALL,
        "import -s {s} -y --prune --format json -",
        r#"{"{a}": "{A2}", "{n}": "{N}"}"#,
        &[("{a}", Some("{A2}")), ("{b}", None), ("{n}", Some("{N}"))],
    ),
    writes(
        "sync to",
        ALL,
        "sync -y local {s}",
        "",
        &[("{a}", Some("{A2}")), ("{n}", Some("{N}"))],
    ),
    writes(
        "sync --prune to",
        ALL,
        "sync -y --prune local {s}",
        "",
        &[("{a}", Some("{A2}")), ("{b}", None), ("{n}", Some("{N}"))],
    ),
    Operation {
        local: true,
        ..writes(
            "sync from",
            READABLE,
            "sync -y {s} local",
            "",
            &[("{a}", Some("{A}")), ("{b}", Some("{B}"))],
        )
    },
    Operation {
        local: true,
        ..writes(
            "sync --prune from",
            READABLE,
            "sync -y --prune {s} local",
            "",
            &[("{a}", Some("{A}")), ("{b}", Some("{B}")), ("{n}", None)],
        )
    },
    writes(
        "copy to",
        ALL,
        "copy keyfob://local/{n} {s}",
        "",
        &[("{n}", Some("{N}"))],
    ),
    Operation {
        local: true,
        ..writes(
            "copy from",
            READABLE,
            "copy keyfob://{s}/{b} local",
            "",
            &[("{b}", Some("{B}"))],
        )
    },
    writes(
        "rotate",
        READABLE,
        "rotate -s {s} {a} --file -",
        "{A2}",
        &[("{a}", Some("{A2}"))],
    ),
    writes(
        "rotate, not to be undone",
        WRITE_ONLY,
        "rotate -s {s} {a} --file - --accept-no-undo",
        "{A2}",
        &[("{a}", Some("{A2}"))],
    ),
    Operation {
        says: Says::Names,
        ..reads("group list", NORTHFLANK, "group list -s {s}")
    },
    Operation {
        says: Says::Names,
        ..reads("group show", NORTHFLANK, "group show -s {s} api-env")
    },
    writes(
        "group create",
        NORTHFLANK,
        "group create -s {s} fresh --description new",
        "",
        &[("group fresh", Some("new"))],
    ),
    writes(
        "group update",
        NORTHFLANK,
        "group update -s {s} api-env --description new",
        "",
        &[("group api-env", Some("new"))],
    ),
    writes(
        "group delete",
        NORTHFLANK,
        "group delete -s {s} -y api-env",
        "",
        &[("group api-env", None), ("{a}", None), ("{b}", None)],
    ),
];

impl Operation {
    /// Whether it runs a command of the user's.
    pub fn runs(&self) -> bool {
        self.args.ends_with("show-x")
    }

    /// Whether it changes nothing.
    pub fn reads(&self) -> bool {
        self.goal.is_empty()
    }

    /// What is there once it is done, of what was there `before`.
    pub fn done(&self, before: &Held, store: &str) -> Held {
        let mut held = before.clone();
        for (name, value) in self.goal {
            let name = filled(name, store);
            match value {
                Some(value) => held.insert(name, filled(value, store)),
                None => held.remove(&name),
            };
        }
        held
    }

    /// What it needs before: a good snapshot, where it may go on with one.
    pub fn prepare(&self, stage: &Stage) {
        if self.args.contains("--fallback") {
            self.command(stage, &[]).run().ok();
            std::fs::remove_file(stage.world.home.work().join("ran")).expect("it ran");
        }
        stage.world.forget_requests();
    }

    /// The command, with these global options before it.
    pub fn command(&self, stage: &Stage, options: &[&str]) -> Keyfob {
        let args = filled(self.args, stage.store);
        let command = stage.world.home.keyfob(options);
        let command = command.args(args.split(' ').collect::<Vec<_>>());
        command.stdin(filled(self.stdin, stage.store))
    }

    /// What counts of what `run` wrote to stdout.
    pub fn said(&self, run: &Run) -> String {
        let text = run.text();
        match (self.says, serde_json::from_str(&text)) {
            (Says::Names, Ok(document)) => {
                let mut names = Vec::new();
                collect_names(&document, &mut names);
                names.join(" ")
            }
            _ => text,
        }
    }
}

fn collect_names(document: &serde_json::Value, names: &mut Vec<String>) {
    match document {
        serde_json::Value::Array(items) => {
            items.iter().for_each(|item| collect_names(item, names));
        }
        serde_json::Value::Object(members) => {
            for (key, value) in members {
                match value.as_str() {
                    Some(name) if matches!(key.as_str(), "name" | "store" | "action" | "id") => {
                        names.push(name.to_owned());
                    }
                    _ => collect_names(value, names),
                }
            }
        }
        _ => {}
    }
}
