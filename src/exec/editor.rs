//! An editor, run on a file as git runs it: `$VISUAL` or `$EDITOR` may be a command with arguments.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::process::{ExitStatus, Stdio};

#[cfg(unix)]
use rustix::process::{Pid, kill_process_group};
use tokio::process::Command;

use crate::words::env::Environment;
use crate::words::error::{Error, Result, io_reason};
use crate::words::memory;
#[cfg(unix)]
use crate::words::shell::has_terminal;

/// Has the user edit `file` with `editor`, which is given the environment without what is `withheld`.
/// Keys that interrupt are the editor's; a signal that asks to end ends it, and is handed back.
///
/// # Errors
/// `failed` where it cannot be started or fails.
pub async fn edit(
    editor: &str,
    file: &Path,
    env: &Environment,
    withheld: &BTreeSet<String>,
) -> Result<Option<Asked>> {
    let cannot = |error: io::Error| {
        if cfg!(windows) && error.kind() == io::ErrorKind::NotFound {
            return Error::failed("the editor cannot be run: there is no sh in the PATH")
                .hint("Git for Windows brings one");
        }
        Error::failed(format!("the editor cannot be run: {}", io_reason(&error))).made_of(error)
    };
    let mut command = Command::new("sh");
    command
        .arg("-c")
        // The shell outlives a key that the editor catches, and waits for it.
        .arg(format!("trap : INT QUIT\n{editor} \"$@\""))
        .arg(editor)
        .arg(file)
        .env_clear()
        .envs(env.vars_without(withheld))
        .current_dir(env.cwd())
        .kill_on_drop(true);
    // Where nobody sits, what the editor has started can be ended with it.
    #[cfg(unix)]
    let alone = !has_terminal();
    #[cfg(unix)]
    if alone {
        command.process_group(0);
    }
    // stdout is for data; an editor that has the terminal there wants it.
    if !io::stdout().is_terminal() {
        command.stdout(stderr().map_err(cannot)?);
    }
    let mut waits = Waits::begin().map_err(cannot)?;
    let mut child = memory::starting(|| command.spawn()).map_err(cannot)?;
    let status = tokio::select! {
        status = child.wait() => status.map_err(cannot)?,
        asked = waits.asked_to_end() => {
            #[cfg(unix)]
            if let Some(group) = child.id().and_then(|id| Pid::from_raw(id.cast_signed()))
                && alone
            {
                let _ = kill_process_group(group, asked);
            }
            let _ = child.start_kill();
            let _ = child.wait().await;
            return Ok(Some(asked));
        }
    };
    judge(status).map(|()| None)
}

fn judge(status: ExitStatus) -> Result<()> {
    let what = match status.code() {
        Some(0) => return Ok(()),
        Some(code) => format!("ended with exit code {code}"),
        None => "was ended by a signal".to_owned(),
    };
    let error = Error::failed(format!("the editor {what}, and nothing was changed"));
    Err(match status.code() {
        Some(126 | 127) => error.hint("VISUAL or EDITOR names the editor: it must be installed"),
        _ => error,
    })
}

#[cfg(unix)]
fn stderr() -> io::Result<Stdio> {
    use std::os::fd::AsFd as _;

    Ok(io::stderr().as_fd().try_clone_to_owned()?.into())
}

#[cfg(windows)]
fn stderr() -> io::Result<Stdio> {
    use std::os::windows::io::AsHandle as _;

    Ok(io::stderr().as_handle().try_clone_to_owned()?.into())
}

/// The signal that asked keyfob to end.
#[cfg(unix)]
pub type Asked = rustix::process::Signal;
/// Never made.
#[cfg(not(unix))]
pub type Asked = std::convert::Infallible;

/// The signals that arrive while the editor is at work.
#[cfg(unix)]
struct Waits {
    keys: [tokio::signal::unix::Signal; 2],
    term: tokio::signal::unix::Signal,
    hup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Waits {
    fn begin() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            keys: [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::quit())?,
            ],
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    async fn asked_to_end(&mut self) -> Asked {
        let [interrupt, quit] = &mut self.keys;
        loop {
            tokio::select! {
                _ = self.term.recv() => return Asked::TERM,
                _ = self.hup.recv() => return Asked::HUP,
                // The terminal sends these to the editor, too, which knows what is meant.
                _ = interrupt.recv() => {}
                _ = quit.recv() => {}
            }
        }
    }
}

#[cfg(not(unix))]
struct Waits;

#[cfg(not(unix))]
impl Waits {
    fn begin() -> io::Result<Self> {
        Ok(Self)
    }

    async fn asked_to_end(&mut self) -> Asked {
        loop {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
