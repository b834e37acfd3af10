//! `keyfob man`: the manual pages, made from the command line's own definition.

use std::path::{Path, PathBuf};

use clap::{Args, Command, ValueHint};
use serde_json::json;

use crate::app::App;
use crate::words::error::{Error, Result};
use crate::words::shown::ShownPath as _;

/// Print a manual page
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  keyfob man
  keyfob man vault restore | man -l -
  keyfob man --dir ~/.local/share/man/man1")]
pub struct ManArgs {
    /// The command that the page is of [default: keyfob itself]
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
    /// Write all pages into this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "command")]
    pub dir: Option<PathBuf>,
}

pub fn run(args: ManArgs, keyfob: Command, app: &App) -> Result<()> {
    if let Some(dir) = &args.dir {
        return write_all(dir, keyfob, app);
    }
    let wanted = std::iter::once("keyfob")
        .chain(args.command.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join("-");
    let page = pages(keyfob)?.into_iter().find(|page| page.name == wanted);
    match page {
        Some(page) if app.ui.json => app.ui.document(&json!({
            "name": page.name,
            "page": String::from_utf8_lossy(&page.roff),
        })),
        Some(page) if app.ui.stdout_is_terminal() => read(&page, app),
        Some(page) => app.ui.data(&page.roff),
        None => Err(Error::not_found(format!(
            "there is no command keyfob {}",
            args.command.join(" ")
        ))
        .hint("keyfob --help lists the commands")),
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
        return app.ui.data(&page.roff);
    };
    if let Some(mut stdin) = man.stdin.take() {
        // Whoever has read enough ends it.
        let _ = stdin.write_all(&page.roff);
    }
    match man.wait() {
        Ok(status) if status.success() => Ok(()),
        _ => app.ui.data(&page.roff),
    }
}

/// One manual page.
pub struct Page {
    /// `keyfob-vault-restore`, without a section.
    pub name: String,
    /// Its text for man.
    pub roff: Vec<u8>,
}

/// All pages of `keyfob`, the whole command: one for itself and one for each of its commands.
///
/// # Errors
/// `failed` when one cannot be written.
pub fn pages(mut keyfob: Command) -> Result<Vec<Page>> {
    // Global options reach the subcommands only once the whole command is built.
    keyfob.build();
    let mut pages = Vec::new();
    collect(&keyfob, "keyfob", &mut pages)?;
    Ok(pages)
}

fn collect(command: &Command, name: &str, pages: &mut Vec<Page>) -> Result<()> {
    let failed = |error| Error::io("could not write a manual page", error);
    let titled = command
        .clone()
        .name(name.to_owned())
        .display_name(name.to_owned());
    let mut roff = Vec::new();
    clap_mangen::Man::new(titled)
        .source(concat!("keyfob ", env!("CARGO_PKG_VERSION")))
        .render(&mut roff)
        .map_err(failed)?;
    pages.push(Page {
        name: name.to_owned(),
        roff,
    });
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        collect(sub, &format!("{name}-{}", sub.get_name()), pages)?;
    }
    Ok(())
}

fn write_all(dir: &Path, keyfob: Command, app: &App) -> Result<()> {
    let failed = |error| Error::io(format!("could not write to {}", dir.shown()), error);
    std::fs::create_dir_all(dir).map_err(failed)?;
    let pages = pages(keyfob)?;
    for page in &pages {
        std::fs::write(dir.join(format!("{}.1", page.name)), &page.roff).map_err(failed)?;
    }
    if app.ui.json {
        let names: Vec<&str> = pages.iter().map(|page| page.name.as_str()).collect();
        return app
            .ui
            .document(&json!({ "path": dir.shown().to_string(), "pages": names }));
    }
    app.ui
        .note(&format!("{} pages in {}", pages.len(), dir.shown()));
    Ok(())
}
