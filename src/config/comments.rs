//! Inserting and removing keys and tables of a TOML document so that the comments of all others
//! stay where they are.
//!
//! `toml_edit` keeps what stands before a key or table with it, so that what opens a file would go
//! with the first table in it, and what closes a file would end up behind what is added. A comment
//! belongs to what follows it unless a blank line stands in between.

use toml_edit::{DocumentMut, Item, RawString, Table, TableLike};

/// Inserts `table` as `[PARENT.NAME]` after its siblings, or at the end of the document.
pub(super) fn insert_table(document: &mut DocumentMut, parent: &str, name: &str, mut table: Table) {
    let siblings = document.get(parent).and_then(Item::as_table);
    let last_sibling = siblings.and_then(last_position);
    let last = last_position(document.as_table());
    if last_sibling.is_none() || last_sibling == last {
        let mut prefix = text_of(Some(document.trailing()));
        let is_first = last.is_none() && document.iter().all(|(_, item)| !item.is_value());
        if !prefix.is_empty() && !prefix.ends_with('\n') {
            prefix.push('\n');
        }
        if !(prefix.is_empty() && is_first) {
            prefix.push('\n');
        }
        document.set_trailing("");
        table.decor_mut().set_prefix(prefix);
        table.set_position(Some(last.unwrap_or(0) + 1));
    }
    if let Some(parent) = document.get_mut(parent).and_then(Item::as_table_like_mut) {
        parent.insert(name, Item::Table(table));
    }
}

/// Removes `[PARENT.NAME]`, in whatever form it is written, with the comment right before it.
pub(super) fn remove_table(document: &mut DocumentMut, parent: &str, name: &str) {
    let Some(parent) = document.get_mut(parent).and_then(Item::as_table_like_mut) else {
        return;
    };
    if let Some(Item::Table(table)) = parent.remove(name) {
        let prefix = text_of(table.decor().prefix());
        put_before_next(document, table.position(), detached(&prefix));
    }
}

/// Inserts `key` among the document's own keys, after what opens the file.
pub(super) fn insert_key(document: &mut DocumentMut, key: &str, item: Item) {
    let has_keys = document.iter().any(|(_, item)| item.is_value());
    let mut opening = String::new();
    if !has_keys {
        let first = first_position(document.as_table(), None);
        match first {
            Some(first) => visit(document.as_table_mut(), &mut |table| {
                if table.position() == Some(first) && opening.is_empty() {
                    let prefix = text_of(table.decor().prefix());
                    opening = detached(&prefix).to_owned();
                    let rest = prefix[opening.len()..].to_owned();
                    table.decor_mut().set_prefix(format!("\n{rest}"));
                }
            }),
            None => {
                opening = text_of(Some(document.trailing()));
                if !opening.is_empty() && !opening.ends_with('\n') {
                    opening.push('\n');
                }
                document.set_trailing("");
            }
        }
    }
    document.insert(key, item);
    if let Some(mut key) = document.as_table_mut().key_mut(key)
        && !opening.is_empty()
    {
        key.leaf_decor_mut().set_prefix(opening);
    }
}

/// Removes the document's own `key` with the comment right before it.
pub(super) fn remove_key(document: &mut DocumentMut, key: &str) {
    let Some((removed, _)) = document.as_table_mut().remove_entry(key) else {
        return;
    };
    let prefix = text_of(removed.leaf_decor().prefix());
    let kept = detached(&prefix);
    let next = document
        .iter()
        .find(|(_, item)| item.is_value())
        .map(|(key, _)| key.to_owned());
    match next {
        Some(next) => {
            if let Some(mut key) = document.as_table_mut().key_mut(&next) {
                let rest = text_of(key.leaf_decor().prefix());
                key.leaf_decor_mut().set_prefix(format!("{kept}{rest}"));
            }
        }
        None => put_before_next(document, None, kept),
    }
}

/// The part of what stands before something that a blank line parts from it.
fn detached(prefix: &str) -> &str {
    let mut end = 0;
    let mut at = 0;
    for line in prefix.split_inclusive('\n') {
        at += line.len();
        if line.trim().is_empty() && line.ends_with('\n') {
            end = at;
        }
    }
    // A blank line alone says nothing.
    if prefix[..end].trim().is_empty() {
        ""
    } else {
        &prefix[..end]
    }
}

/// Puts `text` before the table that follows the position `after`, or at the document's end.
fn put_before_next(document: &mut DocumentMut, after: Option<isize>, text: &str) {
    if text.is_empty() {
        return;
    }
    match first_position(document.as_table(), after) {
        Some(next) => visit(document.as_table_mut(), &mut |table| {
            if table.position() == Some(next) {
                let rest = text_of(table.decor().prefix());
                let rest = rest.trim_start_matches(['\r', '\n']);
                table.decor_mut().set_prefix(format!("{text}{rest}"));
            }
        }),
        None => {
            let rest = text_of(Some(document.trailing()));
            document.set_trailing(format!("{text}{rest}"));
        }
    }
}

fn text_of(raw: Option<&RawString>) -> String {
    raw.and_then(RawString::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// The positions of the headers in `table` and below it.
fn positions(table: &dyn TableLike) -> Vec<isize> {
    let mut found = Vec::new();
    for (_, item) in table.iter() {
        match item {
            Item::Table(table) => {
                if !table.is_implicit() && !table.is_dotted() {
                    found.extend(table.position());
                }
                found.extend(positions(table));
            }
            Item::ArrayOfTables(tables) => {
                for table in tables {
                    found.extend(table.position());
                    found.extend(positions(table));
                }
            }
            Item::None | Item::Value(_) => {}
        }
    }
    found
}

fn last_position(table: &Table) -> Option<isize> {
    positions(table).into_iter().max()
}

/// The first position after `after`, or the first of all.
fn first_position(table: &Table, after: Option<isize>) -> Option<isize> {
    let positions = positions(table).into_iter();
    positions
        .filter(|position| after.is_none_or(|after| *position > after))
        .min()
}

/// Calls `act` for each table below `table` that has a header.
fn visit(table: &mut Table, act: &mut dyn FnMut(&mut Table)) {
    for (_, item) in table.iter_mut() {
        match item {
            Item::Table(table) => {
                if !table.is_implicit() && !table.is_dotted() {
                    act(table);
                }
                visit(table, act);
            }
            Item::ArrayOfTables(tables) => {
                for table in tables.iter_mut() {
                    act(table);
                    visit(table, act);
                }
            }
            Item::None | Item::Value(_) => {}
        }
    }
}
