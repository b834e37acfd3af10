//! How fast `keyfob scan` goes through a large tree of sources, beside reading it:
//! `benches/run scan`. The tree is that of the crates which cargo has unpacked, or another:
//! `KEYFOB_BENCH_TREE=FOLDER benches/run scan`. Needs hyperfine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread::available_parallelism;

mod measure;
#[allow(unused_imports)]
#[path = "../tests/cli/support/mod.rs"]
mod support;

use measure::{binary, fastest, installed};
use support::home::Home;

/// How many secrets are looked for.
const SECRETS: usize = 100;

fn main() {
    let Some(tree) = tree().filter(|tree| tree.is_dir()) else {
        println!("left out: scan against cat: there is no tree of sources");
        return;
    };
    if !installed(&["hyperfine"], "scan beside cat") {
        return;
    }
    let home = Home::new();
    // Every form of value: short and long tokens, URLs, and keys of many lines.
    let generated = |spec: &str| {
        home.program(binary(), ["generate", spec])
            .run()
            .ok()
            .text()
            .trim()
            .to_owned()
    };
    let secrets: BTreeMap<String, String> = (0..SECRETS)
        .map(|number| {
            let value = match number % 10 {
                0 => format!(
                    "postgres://app:{}@db.internal/app",
                    generated("password:24")
                ),
                1 => (0..24).map(|_| generated("base64:48") + "\n").collect(),
                2 => generated("uuid"),
                3..6 => generated("hex:32"),
                _ => generated("password:32"),
            };
            (format!("SECRET_{number}"), value)
        })
        .collect();
    let secrets = serde_json::to_vec(&secrets).unwrap();
    home.program(binary(), ["import", "-q", "-"])
        .stdin(secrets)
        .run()
        .ok();

    let tree = tree.display();
    let list = home.root().join("list");
    let list = list.display();
    let find = format!("find {tree} -type f -print0 > {list}");
    home.program("sh", ["-c", &find]).run().ok();
    let threads = available_parallelism().map_or(1, usize::from);
    let size = format!("xargs -0 cat < {list} | wc -c");
    let size = home.program("sh", ["-c", &size]).run().ok().text();
    let size: f64 = size.trim().parse().unwrap();
    let ours = format!("{} scan -q --no-ignore --binary {tree}", binary());
    let theirs = format!("sh -c 'xargs -0 -n 500 -P {threads} cat < {list}'");
    let times = fastest(&home, 10, &[&ours, &theirs]);
    let (ours, theirs) = (times[0], times[1]);
    println!(
        "scan for {SECRETS} secrets in {:.0} MB with {threads} threads: {:.0} MB/s against {:.0} of cat, ratio {:.2} (budget 3)",
        size / 1e6,
        size / 1e3 / ours,
        size / 1e3 / theirs,
        ours / theirs
    );
}

/// The folder that is named, or where cargo unpacks crates.
fn tree() -> Option<PathBuf> {
    let named = std::env::var_os("KEYFOB_BENCH_TREE");
    named.map(PathBuf::from).or_else(|| {
        let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let cargo = cargo.or_else(|| Some(std::env::home_dir()?.join(".cargo")))?;
        Some(cargo.join("registry/src"))
    })
}
