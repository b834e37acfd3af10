//! The rows of the table, measured as they are added.

use std::fmt;

use crate::costs::{instructions, pages};
use crate::measure::{binary, fastest};
use crate::support::home::Home;

/// A table in Markdown.
pub struct Table {
    rows: Vec<String>,
}

impl Table {
    /// A table without rows.
    pub fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// Measures `ours` beside `theirs`, `runs` times each: commands that a user would type
    /// one after another, whose times are added. `budget` is how much of their time ours may take.
    pub fn row(
        &mut self,
        home: &Home,
        runs: u32,
        what: &str,
        ours: &str,
        theirs: &[&str],
        budget: Option<f64>,
    ) {
        let before = std::env::var("KEYFOB_BEFORE").ok();
        let before = before.map(|before| ours.replacen(&binary(), &before, 1));
        let mut commands = vec![ours];
        commands.extend(theirs);
        commands.extend(before.as_deref());
        let times = fastest(home, runs, &commands);
        let (ours_ms, theirs_ms) = (times[0], times[1..=theirs.len()].iter().sum::<f64>());
        let before_ms = before.as_ref().and(times.last());
        let pages = pages(home, ours);
        let cells = [
            what.to_owned(),
            milliseconds(ours_ms),
            before_ms.map_or_else(String::new, |before| milliseconds(*before)),
            theirs
                .iter()
                .map(|it| plain(it))
                .collect::<Vec<_>>()
                .join(", then "),
            milliseconds(theirs_ms),
            format!("{:.2}", ours_ms / theirs_ms),
            budget.map_or_else(String::new, |budget| format!("{budget}")),
            instructions(home, ours).map_or_else(String::new, |count| format!("{count:.2}")),
            pages.map_or_else(String::new, |(faults, _)| faults.to_string()),
            pages.map_or_else(String::new, |(_, peak)| {
                format!("{:.1}", peak as f64 / 1024.0)
            }),
        ];
        let row = format!("| {} |", cells.join(" | "));
        eprintln!("{row}");
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| what | keyfob, ms | before, ms | beside | ms | ratio | budget | M instructions | page faults | peak, MiB |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|---|")?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

fn milliseconds(time: f64) -> String {
    match time < 10.0 {
        true => format!("{time:.2}"),
        false => format!("{time:.1}"),
    }
}

/// A command without its paths: its program and what begins its arguments.
fn plain(command: &str) -> String {
    let program = command.split(' ').next().unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default();
    match command.split(' ').nth(1) {
        Some(word) if !word.contains('/') => format!("`{program} {word}`"),
        _ => format!("`{program}`"),
    }
}
