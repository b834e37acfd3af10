//! Commands that users give as text: run by `sh -c`, bounded in time and output, without keyfob's
//! own credentials in their environment.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use zeroize::Zeroizing;

use crate::words::env::Environment;
use crate::words::error::io_reason;
use crate::words::memory;

/// A command as it was given: its text, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Kept")]
pub struct ShellCommand {
    text: String,
    /// As bytes, which a path need not be text for.
    folder: Option<OsString>,
}

/// A command in the forms that versions of keyfob kept.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    /// Without its folder.
    Text(String),
    Whole {
        text: String,
        folder: Option<OsString>,
    },
}

impl From<Kept> for ShellCommand {
    fn from(kept: Kept) -> Self {
        let (text, folder) = match kept {
            Kept::Text(text) => (text, None),
            Kept::Whole { text, folder } => (text, folder),
        };
        Self { text, folder }
    }
}

impl ShellCommand {
    /// The command `text`, which runs in `folder`.
    pub fn new(text: impl Into<String>, folder: &Path) -> Self {
        Self {
            text: text.into(),
            folder: Some(folder.as_os_str().to_owned()),
        }
    }

    /// The text, for `sh -c`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The folder that it runs in; `None` is the working directory.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref().map(Path::new)
    }
}

/// A command, and what it is given.
pub struct Script<'a> {
    /// The text, for `sh -c`.
    pub text: &'a str,
    /// The folder that it runs in; `None` is the working directory.
    pub folder: Option<&'a Path>,
    /// The environment it inherits.
    pub env: &'a Environment,
    /// The variables of that which it must not see.
    pub withheld: &'a BTreeSet<String>,
    /// Variables of its own.
    pub vars: Vec<(&'static str, String)>,
    /// What it reads from stdin; `None` is nothing.
    pub stdin: Option<&'a [u8]>,
    /// When it is ended; `None` is never.
    pub deadline: Option<Instant>,
}

/// Why a command brought nothing.
#[derive(Debug)]
pub enum Trouble {
    /// It could not be started, or talked to.
    Io(io::Error),
    /// It printed more than it may.
    TooLong,
    /// It was ended, as it took too long.
    TimedOut,
    /// It failed.
    Exit(ExitStatus),
}

impl Trouble {
    /// What happened, to follow a name of the command. Nothing that it printed is repeated.
    pub fn words(&self) -> String {
        match self {
            Self::Io(error) if cfg!(windows) && error.kind() == io::ErrorKind::NotFound => {
                "cannot be run: there is no sh in the PATH, as Git for Windows brings one"
                    .to_owned()
            }
            Self::Io(error) => format!("cannot be run: {}", io_reason(error)),
            Self::TooLong => "printed too much".to_owned(),
            Self::TimedOut => "did not finish in time".to_owned(),
            Self::Exit(status) => match status.code() {
                Some(code) => format!("failed with exit code {code}"),
                None => "was ended by a signal".to_owned(),
            },
        }
    }
}

impl Script<'_> {
    /// Runs it and returns what it prints, of which there may be `most` bytes.
    ///
    /// Its messages pass through. Where there is a terminal it stays in its foreground, so that it
    /// can ask for a passphrase there.
    ///
    /// # Errors
    /// What kept it from ending well, upon which it does not run any more.
    pub async fn output(&self, most: usize) -> Result<Zeroizing<Vec<u8>>, Trouble> {
        self.bounded(self.spawn(Stdio::piped(), most)).await
    }

    /// Runs it for its exit code alone. What it prints goes to stderr, as stdout is for data.
    ///
    /// # Errors
    /// As [`output`](Self::output).
    pub async fn succeeds(&self) -> Result<(), Trouble> {
        let stderr = stderr().map_err(Trouble::Io)?;
        self.bounded(self.spawn(stderr, 0)).await.map(drop)
    }

    async fn bounded<T>(
        &self,
        running: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        match self.deadline {
            Some(end) => tokio::time::timeout_at(end.into(), running)
                .await
                .unwrap_or(Err(Trouble::TimedOut)),
            None => running.await,
        }
    }

    async fn spawn(&self, stdout: Stdio, most: usize) -> Result<Zeroizing<Vec<u8>>, Trouble> {
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(self.text)
            .env_clear()
            .envs(self.env.vars_without(self.withheld))
            .envs(self.vars.iter().map(|(name, value)| (*name, value)))
            .current_dir(self.folder.unwrap_or(self.env.cwd()))
            .stdin(match self.stdin {
                Some(_) => Stdio::piped(),
                None => Stdio::null(),
            })
            .stdout(stdout)
            .stderr(Stdio::inherit())
            .kill_on_drop(true);
        #[cfg(unix)]
        if !has_terminal() {
            command.process_group(0);
        }
        let mut child = memory::starting(|| command.spawn()).map_err(Trouble::Io)?;
        #[cfg(unix)]
        let mut group = Group::of(&child);
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let feed = async {
            if let (Some(mut stdin), Some(bytes)) = (stdin, self.stdin) {
                // A command that does not read to the end may have its reasons; its exit code
                // says what it thinks.
                let _ = stdin.write_all(bytes).await;
                let _ = stdin.shutdown().await;
            }
        };
        let read = async {
            // Full size from the start, so that growing leaves no copies behind.
            let mut bytes = Zeroizing::new(Vec::with_capacity(most + 1));
            if let Some(stdout) = stdout {
                let limit = bytes.capacity() as u64;
                stdout.take(limit).read_to_end(&mut bytes).await?;
            }
            io::Result::Ok(bytes)
        };
        let ((), bytes) = tokio::join!(feed, read);
        let bytes = bytes.map_err(Trouble::Io)?;
        if bytes.len() > most {
            return Err(Trouble::TooLong);
        }
        let status = child.wait().await;
        #[cfg(unix)]
        group.leave_alone();
        match status {
            Ok(status) if status.success() => Ok(bytes),
            Ok(status) => Err(Trouble::Exit(status)),
            Err(error) => Err(Trouble::Io(error)),
        }
    }
}

/// Whether there is a terminal to ask for a passphrase on. A command keeps to its foreground then,
/// and is ended alone; without one it is ended with all that it has started.
#[cfg(unix)]
pub fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// What a command has started, ended when this is dropped before the command has ended.
#[cfg(unix)]
struct Group(Option<rustix::process::Pid>);

#[cfg(unix)]
impl Group {
    fn of(child: &tokio::process::Child) -> Self {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        Self(
            pid.filter(|_| !has_terminal())
                .and_then(rustix::process::Pid::from_raw),
        )
    }

    fn leave_alone(&mut self) {
        self.0 = None;
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // There may be nothing left to end.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(unix)]
fn stderr() -> io::Result<Stdio> {
    use std::os::fd::AsFd;

    Ok(io::stderr().as_fd().try_clone_to_owned()?.into())
}

#[cfg(windows)]
fn stderr() -> io::Result<Stdio> {
    use std::os::windows::io::AsHandle;

    Ok(io::stderr().as_handle().try_clone_to_owned()?.into())
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn output(
        text: &str,
        stdin: Option<&[u8]>,
        deadline: Option<Instant>,
    ) -> Result<String, Trouble> {
        let env = Environment::from_vars(
            [
                ("PATH", std::env::var("PATH").unwrap()),
                ("KEPT", "kept".to_owned()),
                ("NEO_API_KEY", "hunter2".to_owned()),
            ],
            std::env::temp_dir(),
        );
        let script = Script {
            text,
            folder: None,
            env: &env,
            withheld: &BTreeSet::from(["NEO_API_KEY".to_owned()]),
            vars: vec![("OWN", "own".to_owned())],
            stdin,
            deadline,
        };
        let output = script.output(100_000).await?;
        Ok(String::from_utf8(output.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn it_is_given_its_own_variables_and_stdin_and_no_credentials() {
        let seen = output("echo \"$KEPT,$OWN,$NEO_API_KEY,$(cat)\"", Some(b"in"), None).await;
        assert_eq!(seen.unwrap(), "kept,own,,in\n");
        assert_eq!(output("cat", None, None).await.unwrap(), "");
    }

    #[tokio::test]
    async fn what_it_does_not_read_is_no_failure() {
        let large = vec![b'x'; 1 << 20];
        assert_eq!(output("exit 0", Some(&large), None).await.unwrap(), "");
    }

    #[tokio::test]
    async fn failures_say_what_happened() {
        for (text, words) in [
            ("exit 3", "failed with exit code 3"),
            ("kill -9 $$", "was ended by a signal"),
            ("head -c 100001 /dev/zero", "printed too much"),
        ] {
            assert_eq!(output(text, None, None).await.unwrap_err().words(), words);
        }
    }

    #[tokio::test]
    async fn the_deadline_ends_it() {
        let deadline = Instant::now() + Duration::from_millis(100);
        let trouble = output("exec sleep 60", None, Some(deadline)).await;
        assert!(matches!(trouble, Err(Trouble::TimedOut)));
        assert!(deadline.elapsed() < Duration::from_secs(30));
    }
}
