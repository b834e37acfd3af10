//! Tables: aligned and headed on a terminal, tab-separated without a head in a pipe.

use comfy_table::{ContentArrangement, presets};

use super::{Ui, escape};
use crate::words::error::Result;

/// Rows under a head.
pub struct Table {
    head: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(head: &'static [&'static str]) -> Self {
        Self {
            head,
            rows: Vec::new(),
        }
    }

    /// Adds a row; it has a cell for each word of the head.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Prints it to stdout. Columns that are empty in every row are left out on a terminal; in a
    /// pipe every column keeps its place, and empty ones at the end of a row are dropped.
    pub fn print(&self, ui: &Ui) -> Result<()> {
        if !ui.stdout_is_terminal() {
            return self.print_plain(ui);
        }
        if self.rows.is_empty() {
            return Ok(());
        }
        let used: Vec<usize> = (0..self.head.len())
            .filter(|at| {
                self.rows
                    .iter()
                    .any(|row| row.get(*at).is_some_and(|cell| !cell.is_empty()))
            })
            .collect();
        let mut table = comfy_table::Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(used.iter().map(|at| self.head[*at]));
        if let Some(columns) = ui.columns() {
            table.set_width(columns);
        }
        for row in &self.rows {
            table.add_row(
                used.iter()
                    .map(|at| escape(row.get(*at).map_or("", String::as_str))),
            );
        }
        let text: String = table
            .lines()
            .map(|line| format!("{}\n", line.trim_end()))
            .collect();
        ui.data(text.as_bytes())
    }

    fn print_plain(&self, ui: &Ui) -> Result<()> {
        let mut text = String::new();
        for row in &self.rows {
            // A tab or line break inside a cell would shift the columns of whoever reads this.
            let cells: Vec<String> = row
                .iter()
                .map(|cell| escape(&cell.replace('\\', "\\\\")))
                .collect();
            text.push_str(cells.join("\t").trim_end_matches('\t'));
            text.push('\n');
        }
        ui.data(text.as_bytes())
    }
}
