//! Stores and keys put into the text of a TOML file and taken out of it: all else stays as it is,
//! byte for byte.
//!
//! A comment belongs to what follows it unless a blank line stands in between.

use std::ops::Range;

use toml_edit::{Document, InlineTable, Item, Key, Table, Value};

/// The text with `[stores.NAME]`, which holds `fields`, after the other stores, or at the end.
pub(super) fn add_store(document: &Document<&str>, name: &str, fields: Table) -> String {
    let text = document.raw();
    let stores = document.get("stores");
    if let Some(Item::Value(Value::InlineTable(stores))) = stores {
        let fields = Value::InlineTable(fields.into_inline_table());
        let put = changed(document, stores, |stores| {
            if let Some((_, last)) = stores.iter_mut().last() {
                // The space before the closing brace; a comma follows now.
                let suffix = last.decor().suffix().and_then(|suffix| suffix.as_str());
                if suffix.is_some_and(|suffix| suffix.trim().is_empty()) {
                    last.decor_mut().set_suffix("");
                }
            }
            stores.insert(name, fields);
        });
        return apply(text, vec![put]);
    }
    let stores = stores.and_then(Item::as_table).into_iter();
    let headed = stores
        .flat_map(Table::iter)
        .filter_map(|(_, item)| item.as_table().filter(|table| !table.is_dotted()));
    let last = headed.flat_map(ranges_of).map(|range| range.end).max();
    let at = last.map_or(text.len(), |end| after_comments(text, line_end(text, end)));
    let (before, after) = text.split_at(at);
    let apart = match before {
        "" => "",
        _ if !before.ends_with('\n') => "\n\n",
        _ if is_blank(&before[line_start(before, at - 1)..]) => "",
        _ => "\n",
    };
    format!("{before}{apart}[stores.{name}]\n{fields}{after}")
}

/// The text without the store `name`, in whatever form it is written, and without `default_store`
/// where that goes too; each with the comment right before it.
pub(super) fn remove_store(document: &Document<&str>, name: &str, and_default: bool) -> String {
    let mut edits = Vec::new();
    match document.get("stores") {
        Some(Item::Value(Value::InlineTable(stores))) => {
            edits.push(changed(document, stores, |stores| {
                stores.remove(name);
            }));
        }
        Some(Item::Table(stores)) => {
            let store = stores.get_key_value(name);
            let ranges = store.into_iter().flat_map(|(key, item)| match item {
                Item::Table(table) => ranges_of(table),
                _ => Vec::from_iter(range_of(key, item)),
            });
            edits.extend(ranges.map(|range| (range, None)));
        }
        _ => {}
    }
    let default = document.get_key_value("default_store");
    let default = default.and_then(|(key, item)| range_of(key, item));
    edits.extend(default.filter(|_| and_default).map(|range| (range, None)));
    apply(document.raw(), edits)
}

/// The text with `name` as its `default_store`: in place, or after what opens the file.
pub(super) fn set_default(document: &Document<&str>, name: &str) -> String {
    let text = document.raw();
    if let Some(range) = document.get("default_store").and_then(Item::span) {
        return apply(text, vec![(range, Some(format!("\"{name}\"")))]);
    }
    let keys = document.iter().filter_map(|(key, _)| document.key(key));
    let first = keys.filter_map(Key::span).map(|span| span.start).min();
    let (at, apart) = match first {
        Some(first) => (before_comment(text, line_start(text, first)), "\n"),
        None => (text.len(), ""),
    };
    // A byte order mark stays the first.
    let mark = text.len() - text.trim_start_matches('\u{feff}').len();
    let (before, after) = text.split_at(at.max(mark));
    let end = if before.len() == mark || before.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    format!("{before}{end}default_store = \"{name}\"\n{apart}{after}")
}

/// A range of the text, and what is put there; `None` cuts the lines that it is in.
type Edit = (Range<usize>, Option<String>);

/// The inline table `stores` of `document`, changed by `act`.
fn changed(
    document: &Document<&str>,
    stores: &InlineTable,
    act: impl FnOnce(&mut InlineTable),
) -> Edit {
    let mut document = document.clone().into_mut();
    let mut text = String::new();
    if let Some(stores) = document
        .get_mut("stores")
        .and_then(Item::as_inline_table_mut)
    {
        act(stores);
        stores.decor_mut().clear();
        text = stores.to_string();
    }
    (stores.span().unwrap_or_default(), Some(text))
}

/// Where `key` and what it is set to stand.
fn range_of(key: &Key, item: &Item) -> Option<Range<usize>> {
    Some(key.span()?.start..item.span()?.end)
}

/// Where `table` stands: from its header to its last value, or each of its keys where it has none.
fn ranges_of(table: &Table) -> Vec<Range<usize>> {
    let keys = table
        .iter()
        .filter_map(|(key, item)| range_of(table.key(key)?, item));
    if table.is_dotted() {
        return keys.collect();
    }
    let Some(header) = table.span() else {
        return Vec::new();
    };
    let end = keys.map(|range| range.end).fold(header.end, usize::max);
    Vec::from_iter(Some(header.start..end))
}

/// `text` with `edits`, which do not overlap.
fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let mut text = text.to_owned();
    for (range, put) in edits {
        match put {
            Some(put) => text.replace_range(range, &put),
            None => text = cut(&text, range),
        }
    }
    text
}

/// `text` without the lines that `range` is in, the comment right before them, and one of two
/// blank lines that would meet.
fn cut(text: &str, range: Range<usize>) -> String {
    let before = &text[..before_comment(text, line_start(text, range.start))];
    let after = &text[line_end(text, range.end)..];
    let last = before.strip_suffix('\n').unwrap_or(before);
    if is_blank(after) {
        return match before.trim_end_matches(['\r', '\n']) {
            "" => String::new(),
            before => format!("{before}\n"),
        };
    }
    let blank = line_end(after, 0);
    let meet = is_blank(&last[line_start(last, last.len())..]) && is_blank(&after[..blank]);
    format!("{before}{}", if meet { &after[blank..] } else { after })
}

/// Where the comment begins that stands right before the line that starts at `start`, or `start`.
fn before_comment(text: &str, mut start: usize) -> usize {
    while let Some(before) = text[..start].strip_suffix('\n') {
        let line = line_start(before, before.len());
        if !is_comment(&before[line..]) {
            break;
        }
        start = line;
    }
    start
}

/// Where the comment ends that starts at `start` and belongs to nothing behind it, or `start`.
fn after_comments(text: &str, start: usize) -> usize {
    let mut end = start;
    while is_comment(&text[end..]) {
        end = line_end(text, end);
    }
    let next = &text[end..];
    if is_blank(&next[..line_end(next, 0)]) {
        end
    } else {
        start
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start_matches(['\u{feff}', ' ', '\t'])
        .starts_with('#')
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// Where the line begins that holds the byte at `at`.
fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Where the line ends, its newline included, that holds the byte at `at`.
fn line_end(text: &str, at: usize) -> usize {
    text[at..]
        .find('\n')
        .map_or(text.len(), |newline| at + newline + 1)
}
