//! How the work grows with the number of secrets, and how long the last of many writers waits:
//! `benches/run scale`. `KEYFOB_BENCH_SIZES=1000,10000 benches/run scale` names other sizes.
//!
//! Of each operation the fastest of some runs is told for each size, and the exponent with which the
//! time grows between the two largest: 1 is linear, and what it takes to start counts against it.

use std::fmt::Write as _;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

#[path = "measure/released.rs"]
mod released;
#[allow(unused_imports)]
#[path = "../tests/cli/support/mod.rs"]
mod support;

use released::binary;
use support::home::Home;

/// How many secrets there are.
const SIZES: [usize; 4] = [1_000, 10_000, 30_000, 100_000];

/// How often each is run.
const RUNS: usize = 5;

/// How many write at once.
const WRITERS: usize = 100;

fn main() {
    let named = std::env::var("KEYFOB_BENCH_SIZES").unwrap_or_default();
    let mut sizes: Vec<usize> = named.split(',').flat_map(str::parse).collect();
    if sizes.is_empty() {
        sizes.extend(SIZES);
    }
    let mut columns: Vec<(String, Vec<Duration>)> = Vec::new();
    for size in &sizes {
        for (at, (operation, time)) in at_size(*size).into_iter().enumerate() {
            match columns.get_mut(at) {
                Some((_, times)) => times.push(time),
                None => columns.push((operation, vec![time])),
            }
        }
    }
    for (operation, times) in columns {
        let mut line = format!("{operation:<22}");
        for time in &times {
            let _ = write!(line, "{:>10.1}", time.as_secs_f64() * 1e3);
        }
        if let [.., before, last] = times.as_slice()
            && let [.., fewer, more] = sizes.as_slice()
        {
            let grown = last.as_secs_f64() / before.as_secs_f64();
            let exponent = grown.ln() / (*more as f64 / *fewer as f64).ln();
            let _ = write!(line, " ms, exponent {exponent:.2}");
        }
        println!("{line}");
    }
    writers();
}

/// The time of each operation with so many secrets.
fn at_size(size: usize) -> Vec<(String, Duration)> {
    let home = Home::new();
    // No two alike, and none that a search could tell from another by its beginning alone.
    let value = |number: usize| {
        format!("{number:0>6}")
            .chars()
            .rev()
            .collect::<String>()
            .repeat(17)
    };
    let secrets: Vec<(String, String)> = (0..size)
        .map(|number| (format!("NAME_{number:06}"), value(number)))
        .collect();
    let file = |ending: &str, line: &dyn Fn(&str, &str) -> String| {
        let lines = secrets.iter().map(|(name, value)| line(name, value));
        home.write(format!("many.{ending}"), lines.collect::<String>())
    };
    file("env", &|name, value| format!("{name}={value}\n"));
    file("yaml", &|name, value| format!("{name}: \"{value}\"\n"));
    file("toml", &|name, value| format!("{name} = \"{value}\"\n"));
    file("hay", &|_, value| format!("x {value} y\n"));
    let json: serde_json::Map<String, serde_json::Value> = secrets
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    home.write("many.json", serde_json::to_vec_pretty(&json).unwrap());

    let mut times = Vec::new();
    for ending in ["env", "yaml", "toml", "json"] {
        let time = fastest(|| {
            // An empty vault each time.
            let _ = fs::remove_dir_all(home.data());
            timed(&home, &["import", "-q", &format!("many.{ending}")])
        });
        times.push((format!("import {ending}"), time));
    }
    let middle = format!("NAME_{:06}", size / 2);
    home.program(
        binary(),
        ["store", "add", "other", "local", "path=other.age"],
    )
    .run()
    .ok();
    home.program(binary(), ["-s", "other", "set", "-q", "X"])
        .stdin("1")
        .run()
        .ok();
    for command in [
        &["get", &middle][..],
        &["list"],
        &["export", "--format", "json"],
        &["set", "-q", "--generate", &middle],
        &["run", "--only", &middle, "--", "true"],
        &["sync", "-q", "local", "other", "--dry-run"],
        &["diff", "-q", "local", "other"],
        &["scan", "-q", "many.hay"],
    ] {
        let time = fastest(|| timed(&home, command));
        times.push((command[..command.len().min(2)].join(" "), time));
    }
    times
}

fn fastest(mut run: impl FnMut() -> Duration) -> Duration {
    let times = (0..RUNS).map(|_| run());
    times.min().unwrap_or_default()
}

fn timed(home: &Home, command: &[&str]) -> Duration {
    let started = Instant::now();
    let run = home.program(binary(), command.iter().copied()).run();
    let took = started.elapsed();
    // Differences, and what was found, are told by the code as well.
    assert!(
        matches!(run.code, Some(0 | 1)),
        "{command:?}: {}",
        run.stderr
    );
    took
}

/// How long each of many writers takes that begin at once.
fn writers() {
    let home = Home::new();
    home.program(binary(), ["set", "-q", "FIRST"])
        .stdin("1")
        .run()
        .ok();
    let started = Instant::now();
    let mut times: Vec<Duration> = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let home = &home;
                scope.spawn(move || {
                    let name = format!("N{number}");
                    timed(
                        home,
                        &["--timeout", "60s", "set", "-q", "--generate", &name],
                    )
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().expect("a writer"))
            .collect()
    });
    let all = started.elapsed();
    times.sort();
    let at = |hundredth: usize| times[(times.len() * hundredth / 100).min(times.len() - 1)];
    println!(
        "{WRITERS} writers at once: half within {:.0} ms, 99 of 100 within {:.0} ms (budget 3000), all within {:.0} ms",
        at(50).as_secs_f64() * 1e3,
        at(99).as_secs_f64() * 1e3,
        all.as_secs_f64() * 1e3
    );
}
