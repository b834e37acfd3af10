//! The budgets, as a table: `benches/run budgets`. Each row is keyfob beside what a user would do
//! otherwise, in one run: times, instructions, page faults. `KEYFOB_BEFORE` names a second binary
//! of keyfob, from before a change, to stand beside both.

mod costs;
mod hosted;
mod imports;
mod local;
mod table;

#[path = "../measure/mod.rs"]
mod measure;
#[allow(unused_imports)]
#[path = "../../tests/cli/support/mod.rs"]
mod support;

use std::path::Path;

use measure::{binary, installed};
use support::home::Home;
use table::Table;

fn main() {
    let binary = binary();
    println!("binary: {:.2} MiB (budget 14)", mib(Path::new(&binary)));
    if !installed(&["hyperfine", "valgrind"], "everything that is timed") {
        return;
    }
    let mut table = Table::new();
    version(&mut table);
    local::vault_of_100(&mut table);
    local::vault_of_10_000(&mut table);
    local::vault_of_100_000(&mut table);
    hosted::cached_get(&mut table);
    hosted::openbao(&mut table);
    print!("{table}");
    hosted::peaks();
    hosted::bulk();
    imports::growth();
}

/// The size of a file.
fn mib(path: &Path) -> f64 {
    let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    bytes as f64 / 1024.0 / 1024.0
}

fn version(table: &mut Table) {
    let home = Home::new();
    let ours = format!("{} --version", binary());
    for (peer, budget) in [("rage", Some(0.9)), ("age", None), ("true", None)] {
        if installed(&[peer], &format!("--version beside {peer}")) {
            let theirs = format!("{peer} --version");
            table.row(&home, 200, "`--version`", &ours, &[&theirs], budget);
        }
    }
}
