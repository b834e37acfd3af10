//! `keyfob sync`: over every pair of stores, with every option.

mod failing;
mod options;
#[cfg(unix)]
mod remembered;
mod thousand;

use serde_json::Value;

use crate::support::home::Home;
use crate::support::run::Run;
use crate::support::world::{READABLE, WRITE_ONLY, World};

pub const CANARY: &str = "canary-c4n4ry-value-0815";

impl World {
    /// Runs `keyfob --json sync -y` with these arguments.
    #[track_caller]
    pub fn sync(&self, args: &[&str]) -> Run {
        let run = self
            .home
            .run([&["--json", "-vvv", "sync", "-y"], args].concat());
        run.lacks(CANARY);
        run
    }

    /// Runs `keyfob --json diff` with these arguments.
    #[track_caller]
    pub fn diff(&self, args: &[&str]) -> Run {
        let run = self.home.run([&["--json", "-vvv", "diff"], args].concat());
        run.lacks(CANARY);
        run
    }
}

/// What a run says that it did, by name, in the order of the results.
#[track_caller]
pub fn actions(run: &Run) -> Vec<(String, String)> {
    pairs(&run.json()["results"], "action")
}

/// What a run says that differs, by name.
#[track_caller]
pub fn differences(run: &Run) -> Vec<(String, String)> {
    pairs(&run.json()["differences"], "difference")
}

#[track_caller]
fn pairs(list: &Value, what: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let items = list.as_array().expect("a list").iter();
    items
        .map(|item| (text(&item["name"]), text(&item[what])))
        .collect()
}

/// How many of `actions` are `wanted`.
pub fn count(actions: &[(String, String)], wanted: &str) -> usize {
    let actions = actions.iter();
    actions.filter(|(_, action)| action == wanted).count()
}

pub fn owned<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec()
}

/// Puts these secrets into the local vault in one go.
pub fn import(world: &World, secrets: &serde_json::Map<String, Value>) {
    let import = ["import", "-q", "-s", "local", "-"];
    let import = world.home.keyfob(import);
    import
        .stdin(serde_json::to_vec(secrets).expect("JSON"))
        .run()
        .ok();
}

#[test]
fn every_pair_of_stores_is_compared_and_brought_to_one_state() {
    for from in READABLE {
        for to in READABLE.into_iter().chain(WRITE_ONLY) {
            if from != to {
                a_pair(from, to);
            }
        }
    }
}

fn a_pair(from: &str, to: &str) {
    let what = format!("{from} to {to}");
    let world = World::new();
    let readable = READABLE.contains(&to);
    for name in ["s3/new", "s3/other", "s3/same"] {
        world.put(from, name, &format!("{CANARY}-{name}"));
    }
    world.put(to, "s3/other", "old");
    world.put(to, "s3/same", &format!("{CANARY}-s3/same"));
    world.put(to, "s3/theirs", "theirs");

    let differs = if readable { "differs" } else { "unknown" };
    let mut expected = owned([("s3/new", "only_in_a"), ("s3/other", differs)]);
    if !readable {
        expected.extend(owned([("s3/same", "unknown")]));
    }
    expected.extend(owned([("s3/theirs", "only_in_b")]));
    let run = world.diff(&[from, to]);
    assert_eq!(differences(run.code(1)), expected, "{what}");
    assert_eq!(run.json()["a"], from);
    assert_eq!(run.json()["b"], to);

    world.forget_requests();
    let same = if readable { "unchanged" } else { "updated" };
    let expected = owned([
        ("s3/new", "created"),
        ("s3/other", "updated"),
        ("s3/same", same),
    ]);
    let dry = world.sync(&[from, to, "--dry-run"]);
    assert_eq!(actions(dry.ok()), expected, "{what}");
    assert_eq!(world.changes(to), Vec::<String>::new(), "{what}");
    let run = world.sync(&[from, to]);
    assert_eq!(actions(run.ok()), expected, "{what}");
    assert_eq!(run.json()["store"], to);
    assert_eq!(world.changes(from), Vec::<String>::new(), "{what}");
    let mut values = world.values(from);
    values.insert("s3/theirs".to_owned(), "theirs".to_owned());
    assert_eq!(world.values(to), values, "{what}");

    // A second time nothing is left to be written.
    world.forget_requests();
    let again = world.sync(&[from, to]);
    assert_eq!(count(&actions(again.ok()), "unchanged"), 3, "{what}");
    assert_eq!(world.changes(to), Vec::<String>::new(), "{what}");
    let run = world.diff(&[from, to]);
    let left = owned([("s3/theirs", "only_in_b")]);
    assert_eq!(differences(run.code(1)), left, "{what}");

    let pruned = world.sync(&[from, to, "--prune"]);
    assert_eq!(count(&actions(pruned.ok()), "deleted"), 1, "{what}");
    let run = world.diff(&[from, to]);
    assert_eq!(differences(run.ok()), [], "{what}");
    assert_eq!(world.values(to), world.values(from), "{what}");
    nothing_on_disk(&world.home);
}

/// No file holds the values, in whatever form; nor a digest of them that needs no key.
#[track_caller]
fn nothing_on_disk(home: &Home) {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest as _, Sha256};

    let value = format!("{CANARY}-s3/new");
    let hex = |bytes: &[u8]| {
        let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
        digits.collect::<String>()
    };
    let mut forms = vec![CANARY.to_owned(), hex(CANARY.as_bytes())];
    for shift in 0..3 {
        // In base64 the beginning decides how the rest looks.
        let encoded = STANDARD.encode(format!("{}{CANARY}", &"xxx"[..shift]));
        forms.push(encoded[4..encoded.len() - 4].to_owned());
    }
    let digest = Sha256::digest(value.as_bytes());
    forms.push(hex(&digest)[..16].to_owned());
    forms.push("s3/other".to_owned());
    for form in forms {
        let mut files = home.files_holding(form.as_bytes());
        // The servers' names stand in no record; the vault is encrypted.
        files.retain(|path| !path.ends_with("keyfob.toml"));
        assert_eq!(files, Vec::<std::path::PathBuf>::new(), "{form}");
    }
}
