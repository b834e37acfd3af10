//! The binary that is measured, and its times beside those of other programs.

use std::process::{Command, Stdio};

mod released;

pub use released::binary;

use crate::support::home::Home;

/// Whether all of these programs are there; what is missing is said, with what is left out for it.
pub fn installed(programs: &[&str], left_out: &str) -> bool {
    let missing: Vec<&str> = programs
        .iter()
        .copied()
        .filter(|program| {
            let asked = Command::new(program)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            asked.is_err()
        })
        .collect();
    if !missing.is_empty() {
        println!(
            "left out: {left_out}: not installed: {}",
            missing.join(", ")
        );
    }
    missing.is_empty()
}

/// In how many rounds commands take turns, so that a neighbour who disturbs one disturbs all.
const ROUNDS: u32 = 5;

/// The times of `commands` in milliseconds: the fastest of `runs` runs each, in which the
/// rest of the machine disturbed least. All write to nowhere, and succeed.
pub fn fastest(home: &Home, runs: u32, commands: &[&str]) -> Vec<f64> {
    let mut fastest = vec![f64::INFINITY; commands.len()];
    let results = home.root().join("results.json");
    let each = runs.div_ceil(ROUNDS);
    for _ in 0..ROUNDS {
        let ran = Command::new("hyperfine")
            .args([
                "-N",
                "--style",
                "none",
                "--warmup",
                &each.min(3).to_string(),
            ])
            .args(["--runs", &each.to_string(), "--export-json"])
            .arg(&results)
            .args(commands)
            .env_clear()
            .envs(home.variables())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(ran.is_ok_and(|status| status.success()), "hyperfine ran");
        let text = std::fs::read_to_string(&results).expect("results");
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        for (at, best) in fastest.iter_mut().enumerate() {
            let time = json["results"][at]["min"].as_f64().expect("a time") * 1000.0;
            *best = best.min(time);
        }
    }
    fastest
}
