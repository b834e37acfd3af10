//! An `age-plugin-NAME`, started and spoken to. It is the user's own program and still no place for
//! the credentials of stores: the `age` crate would start it with all of keyfob's environment.
//!
//! The protocol is <https://c2sp.org/age-plugin>: stanzas to it, then stanzas and replies in turn.

use std::collections::HashSet;
use std::env::split_paths;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use age::Callbacks;
use age::secrecy::ExposeSecret as _;
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::asking;
use crate::words::memory;

/// How many digits a line of a body has; the last one has fewer.
const WIDTH: usize = 64;

/// How long a line may be, and how large a body: all that age knows is much smaller.
const MAX_LINE: usize = 64 * 1024;
const MAX_BODY: usize = 1024 * 1024;

/// Why a plugin did not do what it was asked to, in words.
type Result<T> = std::result::Result<T, String>;

/// Has the plugin `name` unwrap the file key of a file with these `stanzas`, with its `identity`, as
/// that is written; `None` where none of them is for it.
///
/// # Errors
/// What it says, or why it could not be asked.
pub fn unwrap(
    name: &str,
    identity: &str,
    stanzas: &[Stanza],
    person: &impl Callbacks,
) -> Result<Option<FileKey>> {
    let mut program = Program::start(name, "identity-v1")?;
    program.send("add-identity", &[identity], &[])?;
    for stanza in stanzas {
        let stanza_args = stanza.args.iter().map(String::as_str);
        let args: Vec<&str> = ["0", stanza.tag.as_str()]
            .into_iter()
            .chain(stanza_args)
            .collect();
        program.send("recipient-stanza", &args, &stanza.body)?;
    }
    program.send("done", &[], &[])?;
    let mut file_key = None;
    let errors = program.converse(person, |said| {
        let is_ours = said.tag == "file-key" && said.args == ["0"] && file_key.is_none();
        if is_ours && said.body.len() == FILE_KEY_BYTES {
            let key = FileKey::init_with_mut(|key| key.copy_from_slice(&said.body));
            file_key = Some(key);
            return true;
        }
        false
    })?;
    match (file_key, errors) {
        (None, Some(errors)) => Err(errors),
        (file_key, _) => Ok(file_key),
    }
}

/// Has the plugin `name` wrap `file_key` for its `recipient`, as that is written. The answer is the
/// stanzas, and the labels that all recipients of the file must have.
///
/// # Errors
/// What it says, or why it could not be asked.
pub fn wrap(
    name: &str,
    recipient: &str,
    file_key: &FileKey,
    person: &impl Callbacks,
) -> Result<(Vec<Stanza>, HashSet<String>)> {
    let mut program = Program::start(name, "recipient-v1")?;
    program.send("add-recipient", &[recipient], &[])?;
    program.send("extension-labels", &[], &[])?;
    program.send("wrap-file-key", &[], file_key.expose_secret())?;
    program.send("done", &[], &[])?;
    let mut stanzas = Vec::new();
    let mut labels: Option<HashSet<String>> = None;
    let errors = program.converse(person, |said| match (said.tag.as_str(), &said.args[..]) {
        ("recipient-stanza", [file, tag, args @ ..]) if file == "0" => {
            stanzas.push(Stanza {
                tag: tag.clone(),
                args: args.to_vec(),
                body: said.body.to_vec(),
            });
            true
        }
        ("labels", list) if labels.is_none() => {
            labels = Some(list.iter().cloned().collect());
            true
        }
        _ => false,
    })?;
    match (stanzas.is_empty(), errors) {
        (_, Some(errors)) => Err(errors),
        (true, None) => Err(program.fault("it has wrapped nothing")),
        (false, None) => Ok((stanzas, labels.unwrap_or_default())),
    }
}

/// What the plugin says.
struct Said {
    tag: String,
    args: Vec<String>,
    body: Zeroizing<Vec<u8>>,
}

/// A running plugin. It ends by itself, at the latest when it is not spoken to any more.
struct Program {
    name: String,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Where it runs, so that it takes nothing for its own that lies where keyfob was started.
    _folder: TempDir,
}

impl Program {
    fn start(name: &str, machine: &str) -> Result<Self> {
        let file = format!("age-plugin-{name}");
        let cannot = |why: &dyn std::fmt::Display| format!("{file} cannot be started: {why}");
        let environment = asking::environment().ok_or_else(|| cannot(&"not here"))?;
        let path =
            found(&file, environment).ok_or_else(|| format!("there is no {file} in the PATH"))?;
        let folder = tempfile::tempdir().map_err(|error| cannot(&error))?;
        let mut command = Command::new(path);
        command
            .arg(format!("--age-plugin={machine}"))
            .current_dir(folder.path())
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = memory::starting(|| command.spawn()).map_err(|error| cannot(&error))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(cannot(&"it has no pipes"));
        };
        Ok(Self {
            name: file,
            input,
            output: BufReader::new(output),
            _folder: folder,
        })
    }

    fn fault(&self, why: &str) -> String {
        format!("{}: {why}", self.name)
    }

    fn broken(&self, error: &io::Error) -> String {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
                format!("{} ended before it had answered", self.name)
            }
            _ => self.fault(&format!("it does not speak as a plugin does: {error}")),
        }
    }

    fn send(&mut self, tag: &str, args: &[&str], body: &[u8]) -> Result<()> {
        let words: Vec<&str> = [tag].into_iter().chain(args.iter().copied()).collect();
        let digits = Zeroizing::new(STANDARD_NO_PAD.encode(body));
        // It never grows, so no copy is left behind.
        let length = digits.len() + digits.len() / WIDTH + words.join(" ").len() + 8;
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str("-> ");
        text.push_str(&words.join(" "));
        text.push('\n');
        let mut rest = digits.as_str();
        while let Some((line, after)) = rest.split_at_checked(WIDTH) {
            text.push_str(line);
            text.push('\n');
            rest = after;
        }
        text.push_str(rest);
        text.push('\n');
        let sent = self.input.write_all(text.as_bytes());
        sent.and_then(|()| self.input.flush())
            .map_err(|error| self.broken(&error))
    }

    /// Answers what the plugin asks until it is done; `take` takes what else it says, and tells
    /// whether that made sense. The answer is what it calls errors.
    fn converse(
        &mut self,
        person: &impl Callbacks,
        mut take: impl FnMut(&Said) -> bool,
    ) -> Result<Option<String>> {
        const OK: (&str, &[&str]) = ("ok", &[]);
        const FAIL: (&str, &[&str]) = ("fail", &[]);
        let mut errors: Vec<String> = Vec::new();
        loop {
            let said = self.receive().map_err(|error| self.broken(&error))?;
            let words = String::from_utf8_lossy(&said.body);
            let mut answer = Zeroizing::new(Vec::new());
            let (tag, args) = match said.tag.as_str() {
                "done" => break,
                "msg" => {
                    person.display_message(&words);
                    OK
                }
                "confirm" => match choices(&said.args) {
                    None => FAIL,
                    Some((yes, no)) => match person.confirm(&words, &yes, no.as_deref()) {
                        Some(true) => ("ok", &["yes"][..]),
                        Some(false) => ("ok", &["no"][..]),
                        None => FAIL,
                    },
                },
                "request-public" => match person.request_public_string(&words) {
                    None => FAIL,
                    Some(text) => {
                        *answer = text.into_bytes();
                        OK
                    }
                },
                "request-secret" => match person.request_passphrase(&words) {
                    None => FAIL,
                    Some(text) => {
                        *answer = text.expose_secret().as_bytes().to_vec();
                        OK
                    }
                },
                "error" => {
                    errors.push(self.fault(&words));
                    OK
                }
                "recipient-stanza" | "labels" | "file-key" => match take(&said) {
                    true => OK,
                    false => FAIL,
                },
                _ => ("unsupported", &[][..]),
            };
            self.send(tag, args, &answer)?;
        }
        Ok((!errors.is_empty()).then(|| errors.join("; ")))
    }

    fn receive(&mut self) -> io::Result<Said> {
        let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
        let head = self.line()?;
        let head = std::str::from_utf8(&head).ok();
        let head = head.and_then(|head| head.strip_prefix("-> "));
        let mut words = head
            .ok_or_else(|| bad("a stanza begins with ->"))?
            .split(' ')
            .map(str::to_owned);
        let tag = words.next().unwrap_or_default();
        let mut digits = Zeroizing::new(Vec::with_capacity(4 * WIDTH));
        loop {
            let line = self.line()?;
            digits.extend_from_slice(&line);
            if line.len() < WIDTH {
                break;
            }
            if line.len() > WIDTH || digits.len() > MAX_BODY {
                return Err(bad("a body is too long"));
            }
        }
        let body = STANDARD_NO_PAD.decode(&*digits);
        Ok(Said {
            tag,
            args: words.collect(),
            body: Zeroizing::new(body.map_err(|_| bad("a body is no base64"))?),
        })
    }

    /// The next line, without its end.
    fn line(&mut self) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut line = Zeroizing::new(Vec::with_capacity(4 * WIDTH));
        let mut output = self.output.by_ref().take(MAX_LINE as u64);
        output.read_until(b'\n', &mut line)?;
        match line.pop() {
            Some(b'\n') => Ok(line),
            Some(_) if line.len() + 1 == MAX_LINE => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a line is too long",
            )),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// What a question may be answered with: yes, and perhaps no.
fn choices(args: &[String]) -> Option<(String, Option<String>)> {
    let text = |arg: &String| {
        let bytes = STANDARD_NO_PAD.decode(arg).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let (yes, no) = (args.first()?, args.get(1));
    Some((
        text(yes)?,
        no.map(text).map_or(Some(None), |no| no.map(Some))?,
    ))
}

/// The program `file` in the `PATH`, by its real name: it runs in another folder.
fn found(file: &str, environment: &asking::Variables) -> Option<PathBuf> {
    let (_, path) = environment.iter().find(|(name, _)| name == "PATH")?;
    let mut folders = split_paths(path);
    folders.find_map(|folder| {
        let path = folder.join(format!("{file}{}", std::env::consts::EXE_SUFFIX));
        let path = dunce::canonicalize(&path).ok()?;
        is_program(&path).then_some(path)
    })
}

#[cfg(unix)]
fn is_program(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    path.metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &std::path::Path) -> bool {
    path.is_file()
}
