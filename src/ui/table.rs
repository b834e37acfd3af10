//! Tables: aligned and headed on a terminal, blocks of `key: value` where that is too narrow, and
//! tab-separated without a head in a pipe.

use unicode_width::UnicodeWidthStr as _;

use super::escape::escaped;
use super::text::{BOLD, PLAIN, colored, shortened, wrapped};
use super::{Ui, escape};
use crate::words::error::Result;

/// What stands between two columns.
const GAP: &str = "  ";

/// The last column is wrapped where it has so many columns of the terminal left, in a table.
const LEAST: usize = 24;

/// Rows under a head.
pub struct Table {
    head: &'static [&'static str],
    rows: Rows,
}

/// The rows so far.
enum Rows {
    /// For a terminal, where the widths of all decide how each looks.
    Cells(Vec<Vec<String>>),
    /// For a pipe: the lines that are printed.
    Lines(String),
}

impl Table {
    /// A table without rows, to be printed by `ui`.
    pub fn new(head: &'static [&'static str], ui: &Ui) -> Self {
        let rows = match ui.stdout_is_terminal() {
            true => Rows::Cells(Vec::new()),
            false => Rows::Lines(String::new()),
        };
        Self { head, rows }
    }

    /// Adds a row; it has a cell for each word of the head.
    pub fn row<C: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = C>) {
        match &mut self.rows {
            Rows::Cells(rows) => {
                let cells = cells.into_iter().map(|cell| cell.as_ref().to_owned());
                rows.push(cells.collect());
            }
            Rows::Lines(text) => push_line(text, cells),
        }
    }

    /// Prints it to stdout. Columns that are empty in every row are left out on a terminal; in a
    /// pipe every column keeps its place, and empty ones at the end of a row are dropped.
    pub fn print(&self, ui: &Ui) -> Result<()> {
        match &self.rows {
            Rows::Cells(rows) => {
                let columns = super::columns().map(usize::from);
                ui.styled(&on_terminal(self.head, rows, columns))
            }
            Rows::Lines(text) => ui.data(text.as_bytes()),
        }
    }
}

/// The text of `rows` under `head` for a terminal of so many columns; `None` is any number.
fn on_terminal(head: &[&str], rows: &[Vec<String>], columns: Option<usize>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let used: Vec<usize> = (0..head.len())
        .filter(|at| {
            rows.iter()
                .any(|row| row.get(*at).is_some_and(|cell| !cell.is_empty()))
        })
        .collect();
    let head: Vec<&str> = used.iter().map(|at| head[*at]).collect();
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            used.iter()
                .map(|at| shortened(&escape(row.get(*at).map_or("", String::as_str))))
                .collect()
        })
        .collect();
    let widths: Vec<usize> = (0..head.len())
        .map(|at| {
            let cells = rows.iter().map(|row| row[at].width());
            cells.chain([head[at].width()]).max().unwrap_or_default()
        })
        .collect();
    let Some((last, before)) = widths.split_last() else {
        return String::new();
    };
    let taken: usize = before.iter().map(|width| width + GAP.len()).sum();
    let columns = columns.unwrap_or(usize::MAX);
    let left = columns.saturating_sub(taken);
    let longest = rows
        .iter()
        .filter_map(|row| row.last())
        .flat_map(|cell| cell.split(' '))
        .map(|word| word.width())
        .max();
    match left >= *last || left >= LEAST && left >= longest.unwrap_or_default() {
        true => aligned(&head, &rows, before, left),
        false => blocks(&head, &rows, columns),
    }
}

/// Appends a row of `cells` as a pipe gets it.
fn push_line<C: AsRef<str>>(text: &mut String, cells: impl IntoIterator<Item = C>) {
    let begin = text.len();
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            text.push('\t');
        }
        // A tab or line break inside a cell would shift the columns of whoever reads this.
        let cell = cell.as_ref();
        match cell.contains('\\') {
            true => text.push_str(&escaped(&cell.replace('\\', "\\\\"))),
            false => text.push_str(&escaped(cell)),
        }
    }
    let end = text[begin..].trim_end_matches('\t').len();
    text.truncate(begin + end);
    text.push('\n');
}

/// A line for each row, whose last cell goes on in further ones where it must.
fn aligned(head: &[&str], rows: &[Vec<String>], widths: &[usize], left: usize) -> String {
    let mut text = String::new();
    let head: Vec<String> = head.iter().map(|word| (*word).to_owned()).collect();
    line(&mut text, &head, widths, left, |word| {
        format!("{BOLD}{word}{PLAIN}")
    });
    for row in rows {
        line(&mut text, row, widths, left, colored);
    }
    text
}

fn line(
    text: &mut String,
    cells: &[String],
    widths: &[usize],
    left: usize,
    style: impl Fn(&str) -> String,
) {
    let Some((last, before)) = cells.split_last() else {
        return;
    };
    let mut line = String::new();
    for (cell, width) in before.iter().zip(widths) {
        line.push_str(&style(cell));
        line.push_str(&" ".repeat(width - cell.width() + GAP.len()));
    }
    let indent = widths.iter().map(|width| width + GAP.len()).sum();
    for (at, part) in wrapped(last, left).into_iter().enumerate() {
        match at {
            0 => line.push_str(&style(&part)),
            _ => line.push_str(&format!("\n{}{part}", " ".repeat(indent))),
        }
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

/// A block for each row, a line for each of its cells that is not empty.
fn blocks(head: &[&str], rows: &[Vec<String>], columns: usize) -> String {
    let blocks = rows.iter().map(|row| {
        let mut block = String::new();
        let cells = head.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
        // A mark without a name stands beside what it marks.
        let (marks, cells): (Vec<_>, Vec<_>) = cells.partition(|(label, _)| label.is_empty());
        let mut marks: String = marks.iter().map(|(_, mark)| format!(" {mark}")).collect();
        for (label, cell) in cells {
            let label = format!("{}: ", label.to_lowercase());
            let cell = &format!("{cell}{}", std::mem::take(&mut marks));
            let room = columns.saturating_sub(label.len());
            for (at, part) in wrapped(cell, room).into_iter().enumerate() {
                match at {
                    0 => block.push_str(&format!("{label}{}\n", colored(&part))),
                    _ => block.push_str(&format!("{}{part}\n", " ".repeat(label.len()))),
                }
            }
        }
        block
    });
    blocks.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[&str] = &["STATE", "NAME", "NOTHING", "DESCRIPTION"];
    const ROWS: [[&str; 4]; 2] = [
        ["ok", "a", "", "what it is for, in some words"],
        ["fault", "größer", "", "https://api.example.com/a/long/path"],
    ];

    fn colored(columns: usize) -> String {
        let rows = ROWS.map(|row| row.map(str::to_owned).to_vec());
        on_terminal(HEAD, &rows, Some(columns))
    }

    fn plain(columns: usize) -> String {
        anstream::adapter::strip_str(&colored(columns)).to_string()
    }

    #[test]
    fn a_pipe_gets_a_line_for_each_row() {
        let mut text = String::new();
        ROWS.iter().for_each(|row| push_line(&mut text, row));
        push_line(&mut text, ["a\tb\\", "\n", "", ""]);
        assert_eq!(
            text,
            "ok\ta\t\twhat it is for, in some words\n\
             fault\tgrößer\t\thttps://api.example.com/a/long/path\n\
             a\\tb\\\\\t\\n\n"
        );
    }

    #[test]
    fn what_fits_is_a_table_and_the_last_column_is_wrapped_at_words() {
        let text = plain(80);
        assert_eq!(text.lines().count(), 3);
        assert!(text.starts_with("STATE  NAME    DESCRIPTION\nok     a       what it is for"));
        let lines: Vec<String> = plain(50).lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(colored(80).contains("\u{1b}[31mfault\u{1b}[0m"));
    }

    #[test]
    fn what_does_not_fit_is_told_in_blocks_and_no_word_is_broken() {
        for columns in [10, 20, 40] {
            let text = plain(columns);
            assert!(
                text.starts_with("state: ok\nname: a\ndescription: what"),
                "{text}"
            );
            assert!(text.contains("\n\nstate: fault\nname: größer\n"), "{text}");
            assert!(
                text.contains("https://api.example.com/a/long/path"),
                "{text}"
            );
        }
    }
}
