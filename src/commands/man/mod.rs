//! `keyfob man`: the manual pages: those of commands, made from the command line's own definition, that of the
//! configuration, made from the providers', and those of `docs/`.

mod configuration;
mod markdown;
mod page;
mod roff;

use std::path::{Path, PathBuf};

use clap::{Args, Command, ValueHint};
use serde_json::json;

use crate::app::App;
use crate::words::error::{Error, Result};
use crate::words::shown::{self, ShownPath as _};

/// Print a manual page
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob man
  keyfob man vault restore
  keyfob man keyfob.toml
  keyfob man ci | man -l -
  keyfob man --list
  keyfob man --dir ~/.local/share/man/man1

Where DIR is called man1, the pages of other sections go into man5 and man7 beside it.")]
pub struct ManArgs {
    /// The command that the page is of, or keyfob.toml, ci, rotation, … [default: keyfob itself]
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
    /// List the pages
    #[arg(long, conflicts_with_all = ["command", "dir"])]
    pub list: bool,
    /// Write all pages into this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "command")]
    pub dir: Option<PathBuf>,
}

/// The pages of `docs/`.
const TOPICS: &[(&str, &str)] = &[
    ("keyfob-ci", include_str!("../../../docs/ci.md")),
    (
        "keyfob-local-vault",
        include_str!("../../../docs/local-vault.md"),
    ),
    ("keyfob-rotation", include_str!("../../../docs/rotation.md")),
    ("keyfob-security", include_str!("../../../docs/security.md")),
    ("keyfob-shells", include_str!("../../../docs/shells.md")),
    ("keyfob-stores", include_str!("../../../docs/stores.md")),
];

pub fn run(args: ManArgs, keyfob: Command, app: &App) -> Result<()> {
    let pages = pages(keyfob);
    if let Some(dir) = &args.dir {
        return write_all(dir, &pages, app);
    }
    if args.list {
        return list(&pages, app);
    }
    let words = args.command.join("-");
    let wanted = match words.strip_prefix("keyfob") {
        Some("") => "keyfob".to_owned(),
        Some(rest) if rest.starts_with(['-', '.']) => words.clone(),
        _ if words.is_empty() => "keyfob".to_owned(),
        _ => format!("keyfob-{words}"),
    };
    match pages.into_iter().find(|page| page.name == wanted) {
        Some(page) if app.ui.json => app.ui.document(&json!({
            "name": page.name,
            "section": page.section,
            "page": page.roff,
        })),
        Some(page) if app.ui.stdout_is_terminal() => read(&page, app),
        Some(page) => app.ui.data(page.roff.as_bytes()),
        None => Err(Error::not_found(format!(
            "there is no page {}",
            shown::quoted(&args.command.join(" "))
        ))
        .hint("keyfob man --list lists the pages")),
    }
}

/// Has man show `page` to who sits at the terminal; without a man, the text that it would read.
fn read(page: &Page, app: &App) -> Result<()> {
    use std::io::Write as _;
    use std::process::Stdio;

    let started = std::process::Command::new("man")
        .args(["-l", "-"])
        .env_clear()
        .envs(app.env.vars_without(&app.services()?.withheld))
        .stdin(Stdio::piped())
        .spawn();
    let Ok(mut man) = started else {
        return app.ui.data(page.roff.as_bytes());
    };
    if let Some(mut stdin) = man.stdin.take() {
        // Whoever has read enough ends it.
        let _ = stdin.write_all(page.roff.as_bytes());
    }
    match man.wait() {
        Ok(status) if status.success() => Ok(()),
        _ => app.ui.data(page.roff.as_bytes()),
    }
}

/// One manual page.
pub struct Page {
    /// `keyfob-vault-restore`, without a section.
    pub name: String,
    /// The part of the manual it belongs to.
    pub section: u8,
    /// Its text for man.
    pub roff: String,
}

impl Page {
    /// The name of its file.
    pub fn file(&self) -> String {
        format!("{}.{}", self.name, self.section)
    }
}

/// All pages: of `keyfob`, the whole command, and each of its commands, then those of other things.
pub fn pages(mut keyfob: Command) -> Vec<Page> {
    // Global options reach the subcommands only once the whole command is built.
    keyfob.build();
    let topics = TOPICS.iter().map(|(name, _)| format!("{name}(7)"));
    let topics: Vec<String> = std::iter::once("keyfob.toml(5)".to_owned())
        .chain(topics)
        .collect();
    let mut pages = Vec::new();
    collect(&keyfob, &["keyfob"], &topics, &mut pages);
    pages.push(Page {
        name: "keyfob.toml".to_owned(),
        section: 5,
        roff: configuration::page(),
    });
    pages.extend(TOPICS.iter().map(|(name, text)| Page {
        name: (*name).to_owned(),
        section: 7,
        roff: markdown::page(name, 7, text),
    }));
    pages
}

fn collect(command: &Command, words: &[&str], topics: &[String], pages: &mut Vec<Page>) {
    pages.push(Page {
        name: words.join("-"),
        section: 1,
        roff: page::of_command(command, words, topics),
    });
    for sub in page::below(command) {
        let words = [words, &[sub.get_name()]].concat();
        collect(sub, &words, topics, pages);
    }
}

fn list(pages: &[Page], app: &App) -> Result<()> {
    if app.ui.json {
        let pages: Vec<_> = pages
            .iter()
            .map(|page| json!({ "name": page.name, "section": page.section }))
            .collect();
        return app.ui.document(&json!(pages));
    }
    let lines: String = pages
        .iter()
        .map(|page| format!("{}({})\n", page.name, page.section))
        .collect();
    app.ui.data(lines.as_bytes())
}

fn write_all(dir: &Path, pages: &[Page], app: &App) -> Result<()> {
    let failed = |error| Error::io(format!("could not write to {}", dir.shown()), error);
    for page in pages {
        let folder = match dir.file_name() {
            Some(name) if name == "man1" => dir.with_file_name(format!("man{}", page.section)),
            _ => dir.to_owned(),
        };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        std::fs::write(folder.join(page.file()), &page.roff).map_err(failed)?;
    }
    if app.ui.json {
        let names: Vec<String> = pages.iter().map(Page::file).collect();
        return app
            .ui
            .document(&json!({ "path": dir.shown().exact(), "pages": names }));
    }
    app.ui
        .note(&format!("{} pages in {}", pages.len(), dir.shown()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::commands::Cli;

    #[test]
    fn the_pages_that_are_no_command_s_are_completed() {
        let pages = pages(Cli::command()).into_iter();
        let others = pages.filter(|page| page.section != 1).map(|page| page.name);
        let mut others: Vec<String> = others
            .map(|name| name.strip_prefix("keyfob-").unwrap_or(&name).to_owned())
            .collect();
        others.sort();
        assert_eq!(others, crate::complete::TOPICS);
    }
}
