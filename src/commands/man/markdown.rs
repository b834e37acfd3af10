//! Pages that are written as Markdown, in `docs/`, and read there as well: headings, paragraphs, points,
//! tables and code.

use super::roff::Roff;

/// The page `name` of `section` that `text` makes. Its first line is `# NAME: what it is about`.
pub fn page(name: &str, section: u8, text: &str) -> String {
    let mut page = Roff::new(name, section);
    let mut lines = text.lines().peekable();
    let title = lines.next().unwrap_or_default();
    let about = title.split_once(": ").map_or(title, |(_, about)| about);
    page.section("NAME");
    page.raw_paragraph(&format!(
        "{} \\- {}",
        super::roff::escaped(name),
        super::roff::escaped(about)
    ));
    page.section("DESCRIPTION");
    while let Some(line) = lines.next() {
        if line.trim().is_empty() || line.starts_with("<!--") {
            continue;
        }
        if let Some(title) = line.strip_prefix("## ") {
            page.section(title);
        } else if let Some(title) = line.strip_prefix("### ") {
            page.subsection(title);
        } else if line.starts_with("```") {
            let mut code = Vec::new();
            for line in lines.by_ref().take_while(|line| !line.starts_with("```")) {
                code.push(line);
            }
            page.literal(code);
        } else if line.starts_with('|') {
            let mut rows = vec![line];
            while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
                rows.push(row);
            }
            page.literal(table(&rows).iter().map(String::as_str));
        } else if let Some(point) = line.strip_prefix("- ") {
            let mut text = point.to_owned();
            while let Some(more) = lines.next_if(|line| line.starts_with("  ")) {
                text.push(' ');
                text.push_str(more.trim());
            }
            page.point(&text);
        } else {
            let mut text = line.to_owned();
            while let Some(more) = lines.next_if(|line| is_text(line)) {
                text.push(' ');
                text.push_str(more);
            }
            page.paragraph(&text);
        }
    }
    page.finish()
}

fn is_text(line: &str) -> bool {
    let others = ["#", "|", "- ", "```", "<!--"];
    !line.trim().is_empty() && !others.iter().any(|other| line.starts_with(other))
}

/// The rows of a table with their columns below each other.
fn table(rows: &[&str]) -> Vec<String> {
    let is_rule = |row: &&&str| row.chars().all(|c| "|-: ".contains(c));
    let cells: Vec<Vec<String>> = rows
        .iter()
        .filter(|row| !is_rule(row))
        .map(|row| {
            let cells = row.trim().trim_matches('|').split('|');
            cells.map(|cell| cell.trim().replace('`', "")).collect()
        })
        .collect();
    let columns = cells.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let column = cells.iter().filter_map(|row| row.get(column));
        column
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let padded = row.iter().zip(&widths);
        let padded = padded.map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    cells.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_a_page() {
        let text = "# keyfob-x: what it is\n\nOne `a`\ntwo.\n\n- first\n  more\n- second\n\n```sh\na  b\n```\n\n\
                    | a | bc |\n|---|---|\n| `def` | g |\n\n## Next\n\nlast\n";
        let page = page("keyfob-x", 7, text);
        let (_, body) = page.split_once(".SH DESCRIPTION\n").unwrap();
        assert_eq!(
            body,
            "One \\fBa\\fR two.\n.IP \\(bu 2\nfirst more\n.IP \\(bu 2\nsecond\n\
             .sp\n.RS 4\n.nf\na  b\n.fi\n.RE\n.sp\n.RS 4\n.nf\na    bc\ndef  g\n.fi\n.RE\n\
             .SH NEXT\nlast\n"
        );
        assert!(page.contains("\nkeyfob\\-x \\- what it is\n"), "{page}");
    }
}
