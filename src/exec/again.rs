//! keyfob once more, as what it needs beside itself to stay with a command: the words by which it
//! starts such a process of itself, and reads what that one is to be.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

#[cfg(target_os = "linux")]
use rustix::process::{Signal, set_parent_process_death_signal};

/// The first argument of such a process. What it is to be, how it tells of its failures, and the
/// command follow.
const ARGUMENT: &str = "__beside";

/// What the process is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The command itself: it becomes that as plain `run` does, so that whatever runs there runs here.
    Command,
    /// The leader of a terminal session, which starts the command.
    Leader,
    /// A witness of signals.
    Witness,
}

impl Role {
    const ALL: [Self; 3] = [Self::Command, Self::Leader, Self::Witness];

    fn word(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Leader => "leader",
            Self::Witness => "witness",
        }
    }
}

/// A command, and how to tell why it could not be started.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Whether failures are told in JSON.
    pub json: bool,
    /// When failures are coloured: as `--color` has it.
    pub color: &'a str,
    /// The command and its arguments.
    pub command: &'a [OsString],
}

impl<'a> Request<'a> {
    /// The role and the request that a whole command line names, if it does.
    pub fn read(args: &'a [OsString]) -> Option<(Role, Self)> {
        match args {
            [_, argument, role, format, color, command @ ..] if argument == ARGUMENT => Some((
                Role::ALL.into_iter().find(|it| role == it.word())?,
                Self {
                    json: format == "json",
                    color: color.to_str()?,
                    command,
                },
            )),
            _ => None,
        }
    }

    /// The process that carries it out in this role.
    ///
    /// # Errors
    /// Those of finding keyfob's own binary.
    pub(super) fn process(&self, role: Role) -> io::Result<Command> {
        // The very binary that runs, even if another was installed over it meanwhile.
        let binary = if cfg!(target_os = "linux") {
            "/proc/self/exe".into()
        } else {
            std::env::current_exe()?
        };
        let mut process = Command::new(binary);
        process
            .arg0("keyfob")
            .arg(ARGUMENT)
            .arg(role.word())
            .arg(if self.json { "json" } else { "text" })
            .arg(self.color)
            .args(self.command);
        Ok(process)
    }
}

/// Has this process, and what it becomes, end with the keyfob that started it, if that one is killed:
/// plain `run` would have been the command. Other systems than Linux cannot do this.
pub(super) fn end_with_parent() {
    // Where it is refused, the command is left running, as anywhere else.
    #[cfg(target_os = "linux")]
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let command: Vec<OsString> = ["sh", "-c", "__beside"].map(OsString::from).into();
        let request = Request {
            json: true,
            color: "never",
            command: &command,
        };
        for role in Role::ALL {
            let process = request.process(role).unwrap();
            let mut args = vec![OsString::from("keyfob")];
            args.extend(process.get_args().map(OsStr::to_owned));
            let (read_role, read) = Request::read(&args).unwrap();
            assert_eq!(read_role, role);
            assert!(read.json);
            assert_eq!(read.color, "never");
            assert_eq!(read.command, command);
        }
        assert!(Request::read(&command).is_none());
    }
}
