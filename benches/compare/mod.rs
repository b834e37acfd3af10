//! Two commands side by side, by hyperfine.

use std::process::{Command, Stdio};

use crate::support::home::Home;

/// Whether the program is there.
pub fn installed(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

/// The times of two commands in milliseconds: the fastest of at least `runs` runs each, in which the
/// rest of the machine disturbed least. Both write to nowhere.
pub fn compare(home: &Home, runs: u32, ours: &str, theirs: &str) -> (f64, f64) {
    let results = home.root().join("results.json");
    let ran = Command::new("hyperfine")
        .args([
            "-N",
            "--warmup",
            &runs.min(5).to_string(),
            "--min-runs",
            &runs.to_string(),
            "--style",
            "none",
            "--export-json",
        ])
        .arg(&results)
        .args([ours, theirs])
        .env_clear()
        .envs(home.variables())
        .stdout(Stdio::null())
        .status();
    assert!(ran.is_ok_and(|status| status.success()), "hyperfine ran");
    let text = std::fs::read_to_string(results).expect("results");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let time = |at: usize| json["results"][at]["min"].as_f64().expect("a time") * 1000.0;
    (time(0), time(1))
}
