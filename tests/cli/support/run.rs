//! One run of the real binary: how it is started, bounded and judged.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
use rexpect::session::{Options, PtySession, spawn_with_options};
use serde_json::Value;

use super::home::Home;
use super::wait::PATIENCE;

/// A program, as a rule the binary, with its arguments, environment and input, not started yet.
pub struct Keyfob {
    command: Command,
    stdin: Option<Vec<u8>>,
    timeout: Duration,
}

impl Keyfob {
    pub(super) fn new<A: AsRef<OsStr>>(
        home: &Home,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .envs(home.variables())
            .current_dir(home.work());
        Self {
            command,
            stdin: None,
            timeout: PATIENCE,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    /// Pipes these bytes in; without it stdin is empty.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Sets a variable for this run.
    pub fn env(mut self, variable: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(variable, value);
        self
    }

    /// Leaves a variable out of this run.
    pub fn env_remove(mut self, variable: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(variable);
        self
    }

    /// Runs it in another folder.
    pub fn cwd(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Fails the test when the run takes longer than this (60 s without it).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The bare command, for what drives it in its own way, such as a terminal.
    pub fn into_command(self) -> Command {
        self.command
    }

    /// Starts it on a terminal of its own.
    #[cfg(unix)]
    #[track_caller]
    pub fn on_a_terminal(self) -> PtySession {
        let command = self.env("TERM", "xterm").command;
        let options = Options::new().timeout_ms(Some(PATIENCE.as_millis() as u64));
        spawn_with_options(command, options).expect("a terminal")
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(self) -> Run {
        self.spawn().wait()
    }

    /// Starts it and comes back at once.
    #[track_caller]
    pub fn spawn(mut self) -> Running {
        let line = format!("{:?}", self.command);
        self.command
            .stdin(match self.stdin {
                Some(_) => Stdio::piped(),
                None => Stdio::null(),
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        #[cfg(unix)]
        {
            // A group of its own, so that what it started can be ended with it.
            use std::os::unix::process::CommandExt;
            self.command.process_group(0);
        }
        let started = Instant::now();
        let mut child = self.command.spawn().expect("the program starts");
        if let (Some(bytes), Some(mut pipe)) = (self.stdin, child.stdin.take()) {
            // A process that does not read its input is no failure of the test.
            thread::spawn(move || {
                let _ = pipe.write_all(&bytes);
            });
        }
        Running {
            stdout: collect(child.stdout.take().expect("a pipe")),
            stderr: collect(child.stderr.take().expect("a pipe")),
            child,
            line,
            started,
            deadline: started + self.timeout,
        }
    }
}

/// Reads a pipe to its end beside the test.
fn collect(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        let _ = send.send(bytes);
    });
    receive
}

/// A run that has been started. Dropped without [`Running::wait`], it is killed.
pub struct Running {
    child: Child,
    stdout: mpsc::Receiver<Vec<u8>>,
    stderr: mpsc::Receiver<Vec<u8>>,
    line: String,
    started: Instant,
    deadline: Instant,
}

impl Running {
    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child process").is_none()
    }

    /// Sends a signal to the process alone.
    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("a running process");
    }

    /// Sends a signal to the process and to all that is in its group.
    #[cfg(unix)]
    pub fn signal_group(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process_group(pid, signal).expect("a running group");
    }

    /// Kills it, as a power cut would: no destructor runs.
    pub fn kill(mut self) -> Run {
        self.child.kill().expect("a running process");
        self.wait()
    }

    /// Waits for its end; kills it and fails the test when that takes too long.
    #[track_caller]
    pub fn wait(mut self) -> Run {
        let mut pause = Duration::from_micros(500);
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child process") {
                break status;
            }
            if Instant::now() > self.deadline {
                self.end_group();
                panic!(
                    "{} did not end within {:?}",
                    self.line,
                    self.started.elapsed()
                );
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        };
        let elapsed = self.started.elapsed();
        let left = self.deadline.saturating_duration_since(Instant::now());
        let (stdout, stderr) = (
            self.stdout.recv_timeout(left),
            self.stderr.recv_timeout(left),
        );
        let (Ok(stdout), Ok(stderr)) = (stdout, stderr) else {
            self.end_group();
            panic!("{} ended, but something kept its output open", self.line);
        };
        Run {
            line: self.line.clone(),
            code: status.code(),
            #[cfg(unix)]
            signal: std::os::unix::process::ExitStatusExt::signal(&status),
            stdout,
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            elapsed,
        }
    }

    /// Kills the process and everything in its group.
    fn end_group(&mut self) {
        #[cfg(unix)]
        {
            let group = rustix::process::Pid::from_child(&self.child);
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Once it has been waited for, its number may be somebody else's.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.end_group();
        }
    }
}

/// A finished run, with assertions that show all of it when they fail.
#[derive(Clone, Debug)]
pub struct Run {
    line: String,
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    #[cfg(unix)]
    pub signal: Option<i32>,
    /// What it wrote to stdout, to the byte.
    pub stdout: Vec<u8>,
    /// What it wrote to stderr.
    pub stderr: String,
    /// How long it ran.
    pub elapsed: Duration,
}

impl Run {
    #[track_caller]
    fn check(&self, good: bool, what: impl FnOnce() -> String) -> &Self {
        assert!(
            good,
            "{}\n  ran: {}\n  code: {:?}\n  stdout: {:?}\n  stderr: {}",
            what(),
            self.line,
            self.code,
            String::from_utf8_lossy(&self.stdout),
            self.stderr,
        );
        self
    }

    /// It ended with 0.
    #[track_caller]
    pub fn ok(&self) -> &Self {
        self.code(0)
    }

    /// It ended with this exit code.
    #[track_caller]
    pub fn code(&self, code: i32) -> &Self {
        self.check(self.code == Some(code), || {
            format!("expected exit code {code}")
        })
    }

    /// It wrote exactly this to stdout.
    #[track_caller]
    pub fn stdout_is(&self, expected: impl AsRef<[u8]>) -> &Self {
        let expected = expected.as_ref();
        self.check(self.stdout == expected, || {
            format!("expected stdout {:?}", String::from_utf8_lossy(expected))
        })
    }

    /// Stdout contains this.
    #[track_caller]
    pub fn stdout_has(&self, part: &str) -> &Self {
        self.check(self.text().contains(part), || {
            format!("expected {part:?} on stdout")
        })
    }

    /// Stdout does not contain this.
    #[track_caller]
    pub fn stdout_lacks(&self, part: &str) -> &Self {
        self.check(!self.text().contains(part), || {
            format!("expected no {part:?} on stdout")
        })
    }

    /// Fails unless stderr is exactly `text`.
    #[track_caller]
    pub fn stderr_is(&self, text: &str) -> &Self {
        self.check(self.stderr == text, || {
            format!("expected {text:?} as stderr")
        })
    }

    /// Stderr contains this.
    #[track_caller]
    pub fn stderr_has(&self, part: &str) -> &Self {
        self.check(self.stderr.contains(part), || {
            format!("expected {part:?} on stderr")
        })
    }

    /// Stderr does not contain this.
    #[track_caller]
    pub fn stderr_lacks(&self, part: &str) -> &Self {
        self.check(!self.stderr.contains(part), || {
            format!("expected no {part:?} on stderr")
        })
    }

    /// It wrote nothing to stderr.
    #[track_caller]
    pub fn quiet(&self) -> &Self {
        self.check(self.stderr.is_empty(), || {
            "expected nothing on stderr".into()
        })
    }

    /// Neither stdout nor stderr contains this.
    #[track_caller]
    pub fn lacks(&self, part: &str) -> &Self {
        self.stdout_lacks(part).stderr_lacks(part)
    }

    /// Stdout as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Stdout as the one JSON document that it must be.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.stdout) {
            Ok(value) => value,
            Err(error) => {
                self.check(false, || format!("expected JSON on stdout: {error}"));
                Value::Null
            }
        }
    }

    /// The `error` object of the JSON line on stderr, which must be there.
    #[track_caller]
    pub fn error(&self) -> Value {
        let error = self
            .stderr
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find_map(|line| line.get("error").cloned());
        self.check(error.is_some(), || {
            "expected a JSON error line on stderr".into()
        });
        error.unwrap_or_default()
    }
}
