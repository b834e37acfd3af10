//! What the next git commit would bring: the staged content of the files that it changes, as the
//! index holds it, whatever the working tree says meanwhile.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::report::Report;
use super::scanner::Scanner;
use super::text::Text;
use crate::exec::start::{self, Policy};
use crate::words::env::Environment;
use crate::words::error::{Error, Result};
use crate::words::memory;

/// How long git may take to list what is staged, or to hand over the next piece of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The mode of a submodule, which has no content here.
const SUBMODULE: &str = "160000";

/// Searches the staged content of the files that differ from the last commit; of those under
/// `paths`, where any are given.
///
/// # Errors
/// `usage` outside of a git repository, `failed` where git is missing, fails or hangs.
pub async fn staged(scanner: &Scanner, env: &Environment, paths: &[PathBuf]) -> Result<Report> {
    let git = Git {
        vars: start::child_environment(env, &BTreeMap::new(), Policy::default())?,
        folder: env.cwd(),
    };
    let inside = git.output(["rev-parse", "--git-dir"], &[]).await;
    inside.map_err(|error| match error {
        Trouble::Refused(why) => Error::usage(format!("--staged needs a git repository: {why}")),
        Trouble::Other(error) => error,
    })?;
    let list = ["diff", "--cached", "--raw", "-z", "--no-abbrev"];
    let list = list
        .into_iter()
        .chain(["--no-renames", "--no-relative", "--diff-filter=AMT", "--"]);
    let listed = git.output(list, paths).await.map_err(Error::from)?;
    let blobs = blobs(&listed)?;
    let mut report = Report::default();
    if blobs.is_empty() {
        return Ok(report);
    }
    let mut contents = Contents::open(&git)?;
    let mut text = Text::new(scanner);
    for (path, id) in blobs {
        contents.read(&id, &mut text).await?;
        report.add_text(&path, &mut text);
    }
    Ok(report)
}

/// The paths and ids in what `git diff --raw -z` says, entry by entry:
/// `:MODE MODE ID ID STATUS NUL PATH NUL`, the old before the new.
fn blobs(listed: &[u8]) -> Result<Vec<(PathBuf, String)>> {
    let strange = || Error::failed("git diff said something that makes no sense");
    let mut blobs = Vec::new();
    let mut parts = listed.split(|byte| *byte == 0);
    while let Some(entry) = parts.next().filter(|entry| !entry.is_empty()) {
        let path = parts.next().ok_or_else(strange)?;
        let entry = std::str::from_utf8(entry).map_err(|_| strange())?;
        let mut fields = entry.split(' ');
        let mode = fields.nth(1).ok_or_else(strange)?;
        let id = fields.nth(1).ok_or_else(strange)?;
        if mode != SUBMODULE {
            blobs.push((native(path), id.to_owned()));
        }
    }
    Ok(blobs)
}

#[cfg(unix)]
fn native(path: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;

    std::ffi::OsStr::from_bytes(path).into()
}

#[cfg(not(unix))]
fn native(path: &[u8]) -> PathBuf {
    String::from_utf8_lossy(path).into_owned().into()
}

/// Why git did not do as told.
enum Trouble {
    /// It refused, and said why.
    Refused(String),
    /// It is not there, or does not answer.
    Other(Error),
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(why) => Error::failed(format!("git failed: {why}")),
            Trouble::Other(error) => error,
        }
    }
}

/// With these, and without its monitor of files, git runs nothing that the repository's own
/// configuration names: it fetches nothing that is missing, and writes no index, upon which a hook
/// would run.
const READ_ONLY: [(&str, &str); 3] = [
    ("GIT_NO_LAZY_FETCH", "1"),
    // For the versions that do not know the first.
    ("GIT_ALLOW_PROTOCOL", "none"),
    ("GIT_OPTIONAL_LOCKS", "0"),
];

/// git, without keyfob's credentials in its environment.
struct Git<'e> {
    vars: BTreeMap<OsString, OsString>,
    folder: &'e Path,
}

impl Git<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new("git");
        command
            .arg("--literal-pathspecs")
            .args(["-c", "core.fsmonitor=false"])
            .current_dir(self.folder)
            .env_clear()
            .envs(&self.vars)
            .envs(READ_ONLY)
            .kill_on_drop(true);
        command
    }

    /// What git prints.
    async fn output<'a>(
        &self,
        args: impl IntoIterator<Item = &'a str>,
        paths: &[PathBuf],
    ) -> Result<Vec<u8>, Trouble> {
        let mut command = self.command();
        command.args(args).args(paths).stdin(Stdio::null());
        let output = timeout(PATIENCE, memory::starting(|| command.output()))
            .await
            .map_err(|_| Trouble::Other(hangs()))?
            .map_err(|error| Trouble::Other(not_started(error)))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let why = said.lines().next().unwrap_or("it does not say why");
        let why = why.strip_prefix("fatal: ").unwrap_or(why);
        Err(Trouble::Refused(why.to_owned()))
    }
}

fn not_started(error: std::io::Error) -> Error {
    Error::io("could not run git, which --staged needs", error)
}

fn hangs() -> Error {
    Error::failed(format!(
        "git did not answer within {} s",
        PATIENCE.as_secs()
    ))
}

/// A `git cat-file --batch` that is asked for one content after the other.
struct Contents {
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Ends with this.
    _git: tokio::process::Child,
}

impl Contents {
    fn open(git: &Git<'_>) -> Result<Self> {
        let mut command = git.command();
        command
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = memory::starting(|| command.spawn()).map_err(not_started)?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(asks), Some(answers)) => Ok(Self {
                asks,
                answers: BufReader::with_capacity(64 * 1024, answers),
                _git: child,
            }),
            _ => Err(Error::failed("git has no input and output")),
        }
    }

    /// Has `text` take in the content called `id`.
    async fn read(&mut self, id: &str, text: &mut Text<'_>) -> Result<()> {
        let failed = |error| Error::io("could not read staged content from git", error);
        let mut head = String::new();
        let asked = async {
            self.asks.write_all(format!("{id}\n").as_bytes()).await?;
            self.asks.flush().await?;
            self.answers.read_line(&mut head).await
        };
        timeout(PATIENCE, asked)
            .await
            .map_err(|_| hangs())?
            .map_err(failed)?;
        // `ID blob SIZE`, or `ID missing`.
        let size = head.trim_end().split(' ').nth(2);
        let Some(mut left) = size.and_then(|size| size.parse::<u64>().ok()) else {
            return Err(Error::failed(format!("git does not have the content {id}")));
        };
        while left > 0 {
            let piece = timeout(PATIENCE, self.answers.fill_buf()).await;
            let piece = piece.map_err(|_| hangs())?.map_err(failed)?;
            if piece.is_empty() {
                return Err(Error::failed("git ended early"));
            }
            let length = usize::try_from(left).unwrap_or(usize::MAX);
            let length = length.min(piece.len());
            text.push(&piece[..length]);
            self.answers.consume(length);
            left -= length as u64;
        }
        // A line feed stands behind the content.
        self.answers.read_u8().await.map_err(failed)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_and_submodules_left_out() {
        let (old, new) = ("0".repeat(40), "a".repeat(40));
        let entry = |mode: &str, path: &str| format!(":000000 {mode} {old} {new} A\0{path}\0");
        let listed = entry("100644", "a b\nc") + &entry("160000", "module");
        let expected = [(PathBuf::from("a b\nc"), new.clone())];
        assert_eq!(blobs(listed.as_bytes()).unwrap(), expected);
        assert_eq!(blobs(b"").unwrap(), []);
        for strange in ["x", ":1 2\0p\0", ":1 2 3 4 A"] {
            assert!(blobs(strange.as_bytes()).is_err(), "{strange}");
        }
    }
}
