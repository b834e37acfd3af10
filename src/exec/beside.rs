//! A command beside keyfob, where nothing replaces a process: the console asks both alike, keyfob waits
//! for the command's end, and what it prints goes through the masker on its way.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::redact::mask::{Masker, Stream};
use crate::words::env::same_name;
use crate::words::memory;

/// The most that is read at once.
const CHUNK: usize = 64 << 10;

/// After how long without output a finished line that is held back is shown.
const QUIET: Duration = Duration::from_millis(80);

/// How long output is waited for once the command is over: something that it left behind may keep
/// the pipe open for ever.
const GRACE: Duration = Duration::from_secs(1);

/// What Windows starts by itself, where `PATHEXT` says nothing; of what it lists, the rest are
/// documents of other programs.
const STARTED: [&str; 4] = [".COM", ".EXE", ".BAT", ".CMD"];

/// Runs `program` to its end with the environment `vars`, its output masked where there is a
/// `masker`; hands back its exit code.
///
/// # Errors
/// Those of starting it, and of the pipes.
pub fn run(
    program: &OsStr,
    args: &[OsString],
    vars: BTreeMap<OsString, OsString>,
    masker: Option<&Masker>,
) -> io::Result<i32> {
    let named = match cfg!(windows) {
        true => located(program, &vars),
        false => None,
    };
    let mut command = Command::new(named.as_deref().map_or(program, Path::as_os_str));
    command.args(args).env_clear().envs(vars);
    if masker.is_some() {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    // Keys and a console that closes are the command's affair: keyfob lives until it has ended.
    #[cfg(windows)]
    let _kept = (
        tokio::signal::windows::ctrl_c()?,
        tokio::signal::windows::ctrl_break()?,
        tokio::signal::windows::ctrl_close()?,
    );
    let mut child = memory::starting(|| command.spawn())?;
    let over = Arc::new(AtomicBool::new(false));
    let copies: Vec<_> = masker
        .into_iter()
        .flat_map(|masker| {
            let out = child
                .stdout
                .take()
                .map(|from| copied(from, io::stdout(), masker.stream(), over.clone()));
            let err = child
                .stderr
                .take()
                .map(|from| copied(from, io::stderr(), masker.stream(), over.clone()));
            [out, err]
        })
        .flatten()
        .collect();
    let status = child.wait()?;
    over.store(true, Ordering::Release);
    for copy in copies {
        // Nobody may be left who reads: the command has been told so by its pipe.
        let _ = copy.join();
    }
    Ok(status.code().unwrap_or(1))
}

/// Copies `from` through `stream` to `to` in threads of its own, until its end or until nothing has
/// come for a second after the command is `over`.
fn copied(
    mut from: impl Read + Send + 'static,
    to: impl Write + Send + 'static,
    stream: Stream,
    over: Arc<AtomicBool>,
) -> thread::JoinHandle<io::Result<()>> {
    let (sender, chunks) = mpsc::sync_channel(1);
    // A pipe cannot be read for a while only: whoever waits is another thread.
    thread::spawn(move || {
        loop {
            let mut chunk = Zeroizing::new(vec![0; CHUNK]);
            let count = match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            chunk.truncate(count);
            if sender.send(chunk).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || write(&chunks, to, stream, &over))
}

fn write(
    chunks: &Receiver<Zeroizing<Vec<u8>>>,
    to: impl Write,
    mut stream: Stream,
    over: &AtomicBool,
) -> io::Result<()> {
    let mut to = BufWriter::new(to);
    let mut quiet = Duration::ZERO;
    loop {
        match chunks.recv_timeout(QUIET) {
            Ok(chunk) => {
                quiet = Duration::ZERO;
                stream.push(&chunk, &mut to)?;
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                quiet += QUIET;
                stream.idle(&mut to)?;
                if over.load(Ordering::Acquire) && quiet >= GRACE {
                    break;
                }
            }
        }
        to.flush()?;
    }
    stream.finish(&mut to)?;
    to.flush()
}

/// The value of a variable of the command's.
pub fn variable<'v>(vars: &'v BTreeMap<OsString, OsString>, name: &str) -> Option<&'v OsStr> {
    let named = vars
        .iter()
        .find(|(there, _)| same_name(there, OsStr::new(name)));
    named.map(|(_, value)| value.as_os_str())
}

/// The file that `program` names as a console would find it: with an ending of `PATHEXT` where it has
/// none, in the folders of `PATH` where it is a bare name, and not in the working directory then.
fn located(program: &OsStr, vars: &BTreeMap<OsString, OsString>) -> Option<PathBuf> {
    let endings: Vec<String> = match variable(vars, "PATHEXT").and_then(OsStr::to_str) {
        Some(endings) => endings
            .split(';')
            .filter(|ending| STARTED.iter().any(|it| it.eq_ignore_ascii_case(ending)))
            .map(str::to_ascii_lowercase)
            .collect(),
        None => STARTED.map(str::to_ascii_lowercase).into(),
    };
    let with_ending = |file: PathBuf| {
        let ended = endings.iter().map(|ending| {
            let mut name = file.clone().into_os_string();
            name.push(ending);
            PathBuf::from(name)
        });
        let itself = file.extension().map(|_| file.clone());
        itself.into_iter().chain(ended).find(|file| file.is_file())
    };
    if Path::new(program).components().count() > 1 {
        return with_ending(PathBuf::from(program));
    }
    let path = variable(vars, "PATH")?;
    std::env::split_paths(path).find_map(|folder| with_ending(folder.join(program)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn a_program_is_found_by_the_endings_of_pathext() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in [
            "npm.cmd", "npm", "tool.exe", "tool.bat", "page.js", "dotted.x",
        ] {
            std::fs::write(folder.path().join(name), b"").expect("a file");
        }
        let vars = |endings: Option<&str>| {
            let path = [("PATH", folder.path().to_str().expect("text"))];
            let endings = endings.map(|endings| ("PATHEXT", endings));
            let all = path.into_iter().chain(endings);
            all.map(|(name, value)| (name.into(), value.into()))
                .collect::<BTreeMap<OsString, OsString>>()
        };
        let found = |name: &str, endings: Option<&str>| {
            let found = located(OsStr::new(name), &vars(endings))?;
            Some(found.file_name()?.to_str()?.to_owned())
        };
        assert_eq!(found("npm", None).as_deref(), Some("npm.cmd"));
        assert_eq!(found("tool", None).as_deref(), Some("tool.exe"));
        assert_eq!(
            found("tool", Some(".BAT;.EXE")).as_deref(),
            Some("tool.bat")
        );
        assert_eq!(found("tool.exe", None).as_deref(), Some("tool.exe"));
        assert_eq!(found("dotted.x", None).as_deref(), Some("dotted.x"));
        assert_eq!(found("page", Some(".JS")), None);
        assert_eq!(found("none", None), None);
        let whole = folder.path().join("npm");
        assert_eq!(
            located(whole.as_os_str(), &vars(None)),
            Some(folder.path().join("npm.cmd"))
        );
    }

    #[test]
    fn what_a_command_prints_is_masked_to_its_end() {
        let masker = Masker::new([b"hunter2".as_slice()]).expect("a masker");
        let (input, output) = io::pipe().expect("a pipe");
        let (mut shown, to) = io::pipe().expect("a pipe");
        let over = Arc::new(AtomicBool::new(false));
        let copy = copied(input, to, masker.stream(), over);
        for part in ["it is hun", "ter2\nand hunter2"] {
            (&output).write_all(part.as_bytes()).expect("written");
        }
        drop(output);
        copy.join().expect("no panic").expect("no error");
        let mut text = String::new();
        shown.read_to_string(&mut text).expect("text");
        assert_eq!(text, "it is ***\nand ***");
    }

    #[test]
    fn a_pipe_that_stays_open_is_left_once_the_command_is_over() {
        let masker = Masker::new([b"hunter2".as_slice()]).expect("a masker");
        let (input, _open) = io::pipe().expect("a pipe");
        let copy = copied(
            input,
            io::sink(),
            masker.stream(),
            Arc::new(AtomicBool::new(true)),
        );
        copy.join().expect("no panic").expect("no error");
    }

    #[cfg(unix)]
    #[test]
    fn the_exit_code_is_the_command_s() {
        let path = std::env::var_os("PATH").expect("a path");
        let vars = BTreeMap::from([("PATH".into(), path)]);
        let masker = Masker::new([b"hunter2".as_slice()]).expect("a masker");
        for masker in [None, Some(&masker)] {
            let code = run(
                OsStr::new("sh"),
                &words(&["-c", "exit 7"]),
                vars.clone(),
                masker,
            );
            assert_eq!(code.expect("started"), 7);
        }
        let missing = run(OsStr::new("no-such-program"), &[], vars, None);
        assert_eq!(
            missing.expect_err("missing").kind(),
            io::ErrorKind::NotFound
        );
    }
}
