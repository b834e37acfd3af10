//! A vault in a git repository: whether a merge of it is unfinished, and how git is told to merge
//! vaults and to show what changed in them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::meeting::canonical;
use super::{Vault, file};
use crate::state;
use crate::words::error::{Error, Result};
use crate::words::memory;
use crate::words::shown::ShownPath as _;

/// The name of the driver in git's configuration and attributes.
const DRIVER: &str = "keyfob";

/// What points git to another repository than the one that a folder is in.
const ELSEWHERE: [&str; 5] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_PREFIX",
];

/// So long is git waited for at most: it looks at a file or two.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether git has ended.
const LOOK: Duration = Duration::from_micros(500);

/// What a set-up did.
#[derive(Clone, Debug)]
pub struct SetUp {
    /// The attributes file.
    pub attributes: PathBuf,
    /// Whether a line was added to it.
    pub line_added: bool,
    /// Each setting of git's, its value, and whether it was changed.
    pub settings: Vec<(String, String, bool)>,
    /// Whether git ignores the vault, so that none of it takes effect.
    pub ignored: bool,
}

/// git in one folder, without keyfob's credentials in its environment.
struct Git<'a> {
    folder: &'a Path,
    withheld: &'a BTreeSet<String>,
    patience: Duration,
}

impl Git<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new("git");
        // Neither a monitor that the repository names nor the network has a part in this.
        command
            .args(["-c", "core.fsmonitor=false", "--literal-pathspecs", "-C"])
            .arg(self.folder)
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .stdin(Stdio::null());
        for name in ELSEWHERE
            .into_iter()
            .chain(self.withheld.iter().map(String::as_str))
        {
            command.env_remove(name);
        }
        command
    }

    /// Whether git ends well, and what it prints then, else what it complains of: never more than
    /// a pipe holds.
    ///
    /// # Errors
    /// `unavailable` where it does not end in time.
    fn answer(&self, args: &[&OsStr]) -> Result<(bool, Vec<u8>)> {
        let failed = |error| Error::io("git could not be started", error);
        let mut command = self.command();
        command
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut git = memory::starting(|| command.spawn()).map_err(failed)?;
        let begun = Instant::now();
        while git.try_wait().map_err(failed)?.is_none() {
            if begun.elapsed() > self.patience {
                // It may have ended just now.
                let _ = git.kill();
                let _ = git.wait();
                return Err(Error::unavailable("git did not end in time"));
            }
            sleep(LOOK);
        }
        let output = git.wait_with_output().map_err(failed)?;
        match output.status.success() {
            true => Ok((true, output.stdout)),
            false => Ok((false, output.stderr)),
        }
    }

    /// What git prints.
    fn output(&self, args: &[&OsStr]) -> Result<Vec<u8>> {
        match self.answer(args)? {
            (true, printed) => Ok(printed),
            (false, complaint) => {
                let complaint = String::from_utf8_lossy(&complaint);
                let why = complaint.lines().next().unwrap_or("it said nothing");
                Err(Error::failed(format!("git failed: {why}")))
            }
        }
    }

    fn setting(&self, key: &str) -> Result<Option<String>> {
        let (found, value) = self.answer(&words(&["config", "--local", "--get", key]))?;
        Ok(found.then(|| String::from_utf8_lossy(&value).trim_end().to_owned()))
    }
}

fn words<'a>(args: &[&'a str]) -> Vec<&'a OsStr> {
    args.iter().copied().map(OsStr::new).collect()
}

/// Whether a repository may be around `folder`: git is not asked where there is none.
fn is_in_repository(folder: &Path) -> bool {
    folder.ancestors().any(|above| above.join(".git").exists())
}

impl Vault {
    fn git_patience(&self) -> Duration {
        self.lock_timeout
            .map_or(PATIENCE, |left| left.min(PATIENCE))
    }

    /// Whether git has the file at `path` as one whose merge is unfinished. Where git cannot tell,
    /// it is not.
    pub(super) fn is_unmerged(&self, path: &Path) -> bool {
        let path = canonical(path);
        let folder = state::folder_of(&path);
        let Some(name) = path.file_name().filter(|_| is_in_repository(folder)) else {
            return false;
        };
        let git = Git {
            folder,
            withheld: &self.withheld,
            patience: self.git_patience(),
        };
        let mut args = words(&["ls-files", "--unmerged", "-z", "--"]);
        args.push(name);
        git.output(&args).is_ok_and(|listed| !listed.is_empty())
    }

    /// Refuses to write in the middle of a merge.
    pub(super) fn refuse_unmerged(&self, target: &Path) -> Result<()> {
        match self.is_unmerged(target) {
            false => Ok(()),
            true => Err(Error::conflict(format!(
                "the vault {} is in the middle of a merge",
                self.path.shown()
            ))
            .hint(self.way_out_of_merge())),
        }
    }

    /// How a merge that git has left is finished.
    pub(super) fn way_out_of_merge(&self) -> String {
        file::way_out(&self.command("vault git-setup"), &self.path)
    }

    /// Has git merge this vault with `keyfob vault merge` and show its changes with `keyfob vault
    /// diff`: a line in the repository's attributes, which belongs to all who share it, and
    /// settings of this clone. `program` is keyfob, as a shell calls it.
    ///
    /// # Errors
    /// `failed` outside of a repository, without git, or where something cannot be written.
    pub fn set_up_git(&self, program: &str) -> Result<SetUp> {
        let vault = canonical(&self.path);
        let git = Git {
            folder: state::folder_of(&vault),
            withheld: &self.withheld,
            patience: self.git_patience(),
        };
        let top = git.output(&words(&["rev-parse", "--show-toplevel"]));
        let top = top.map_err(|error| {
            let path = self.path.shown();
            error
                .context(format!("the vault {path} is in no working tree of git"))
                .hint("keep it in one: name its place in the store's path setting, then git init")
        })?;
        let top = canonical(&path_of(top.strip_suffix(b"\n").unwrap_or(&top)));
        let inside = vault.strip_prefix(&top).map_err(|_| {
            Error::failed(format!("{} is not below {}", vault.shown(), top.shown()))
        })?;
        let attributes = top.join(".gitattributes");
        let line = format!("{} diff={DRIVER} merge={DRIVER} -text", pattern(inside)?);
        let line_added = add_line(&attributes, &line)?;
        let mut settings = Vec::new();
        for (key, value) in [
            (format!("merge.{DRIVER}.name"), "keyfob's vaults".to_owned()),
            (
                format!("merge.{DRIVER}.driver"),
                format!("{program} vault merge %O %A %B --path %P"),
            ),
            (
                format!("diff.{DRIVER}.textconv"),
                format!("{program} vault diff"),
            ),
        ] {
            let changed = git.setting(&key)?.as_deref() != Some(&value);
            if changed {
                git.output(&words(&[
                    "config",
                    "--local",
                    "--replace-all",
                    &key,
                    &value,
                ]))?;
            }
            settings.push((key, value, changed));
        }
        let mut ignored = words(&["check-ignore", "-q", "--"]);
        ignored.extend(vault.file_name());
        Ok(SetUp {
            attributes,
            line_added,
            settings,
            ignored: git.answer(&ignored)?.0,
        })
    }
}

/// The pattern that stands for the file at `inside`, which starts at the repository's top, in
/// `.gitattributes`.
fn pattern(inside: &Path) -> Result<String> {
    let odd = || {
        Error::failed(format!(
            "{} cannot stand in .gitattributes: it is not UTF-8",
            inside.shown()
        ))
    };
    let mut pattern = String::new();
    for part in inside {
        pattern.push('/');
        for c in part.to_str().ok_or_else(odd)?.chars() {
            if "*?[\\".contains(c) {
                pattern.push('\\');
            }
            pattern.push(c);
        }
    }
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '"' && c != '\\';
    if pattern.chars().all(plain) {
        return Ok(pattern);
    }
    let mut quoted = String::from("\"");
    for c in pattern.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\{:03o}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    Ok(quoted)
}

/// Adds `line` to the file at `path`, unless it stands there.
fn add_line(path: &Path, line: &str) -> Result<bool> {
    let mut text = state::read(path)?.unwrap_or_default();
    let mut lines = text.split(|byte| *byte == b'\n');
    if lines.any(|present| present.trim_ascii() == line.as_bytes()) {
        return Ok(false);
    }
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text.extend_from_slice(line.as_bytes());
    text.push(b'\n');
    state::write_atomically(path, &text, state::Mode::KeepOr(0o666))?;
    Ok(true)
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;

    OsStr::from_bytes(bytes).into()
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_one_file() {
        for (path, expected) in [
            ("secrets.age", "/secrets.age"),
            ("ops/prod.age", "/ops/prod.age"),
            ("my team/a b.age", "\"/my team/a b.age\""),
            ("a*[1]?.age", "\"/a\\\\*\\\\[1]\\\\?.age\""),
            ("!a.age", "/!a.age"),
            ("#a\"b.age", "\"/#a\\\"b.age\""),
        ] {
            assert_eq!(pattern(Path::new(path)).unwrap(), expected);
        }
    }

    #[test]
    fn a_line_is_added_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".gitattributes");
        assert!(add_line(&path, "/a diff=keyfob").unwrap());
        assert!(!add_line(&path, "/a diff=keyfob").unwrap());
        std::fs::write(&path, "*.png binary").unwrap();
        assert!(add_line(&path, "/a diff=keyfob").unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "*.png binary\n/a diff=keyfob\n");
    }
}
