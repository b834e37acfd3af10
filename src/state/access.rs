//! Who may open a file or a folder where the system has no permission bits, but lists of whom it lets
//! in: what was just made is given one that names its maker, the system and the administrators, and
//! nobody else. The system's own programs set it, as there is no other safe way to it. A place that
//! the system keeps to the user needs none: what is made there takes over its list.

use std::ffi::{OsStr, OsString};
#[cfg(windows)]
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
#[cfg(windows)]
use std::sync::OnceLock;

#[cfg(windows)]
use crate::words::env::system_root;
use crate::words::memory;

/// The system itself and its administrators, who can take what they are not given.
const ABOVE_ALL: [&str; 2] = ["S-1-5-18", "S-1-5-32-544"];

/// What a list is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    /// What is made in it later takes over its list.
    Folder,
}

/// The programs that come with the system.
struct Programs {
    /// The system's own folder; a program of the same name elsewhere is not meant.
    folder: PathBuf,
}

impl Programs {
    /// Those of the system whose folder is `root`, as the variable `SystemRoot` says.
    fn of(root: &Path) -> Self {
        Self {
            folder: root.join("System32"),
        }
    }

    /// Who runs this process, by the number that stands in lists: names are translated.
    fn user(&self) -> io::Result<String> {
        let told = self.run("whoami.exe", ["/user", "/fo", "csv", "/nh"].map(OsStr::new))?;
        number(&told).ok_or_else(|| refused("whoami says no number of the user"))
    }

    /// Lets nobody but `user`, and who is above all, in at `path`.
    fn close(&self, path: &Path, kind: Kind, user: &str) -> io::Result<()> {
        let words = words(path, kind, user);
        let words = words.iter().map(OsString::as_os_str);
        self.run("icacls.exe", words).map(drop)
    }

    /// Runs the program `name` and returns what it prints.
    fn run<'w>(
        &self,
        name: &str,
        words: impl IntoIterator<Item = &'w OsStr>,
    ) -> io::Result<Vec<u8>> {
        let mut command = Command::new(self.folder.join(name));
        command.args(words).stdin(Stdio::null()).env_clear();
        // Windows' own libraries ask for it.
        if let Some(root) = self.folder.parent() {
            command.env("SystemRoot", root);
        }
        let output = memory::starting(|| command.output())
            .map_err(|error| refused(&format!("{name} cannot be run: {error}")))?;
        match output.status.code() {
            Some(0) => Ok(output.stdout),
            Some(code) => Err(refused(&format!("{name} ended with code {code}"))),
            None => Err(refused(&format!("{name} was ended"))),
        }
    }
}

/// The words by which `icacls` leaves `path` to `user` and to who is above all: what it would take
/// over from its folder is left out.
fn words(path: &Path, kind: Kind, user: &str) -> Vec<OsString> {
    let rights = match kind {
        Kind::File => "F",
        Kind::Folder => "(OI)(CI)F",
    };
    let mut words: Vec<OsString> = vec![path.into(), "/inheritance:r".into(), "/grant:r".into()];
    let all = [user].into_iter().chain(ABOVE_ALL);
    words.extend(all.map(|who| format!("*{who}:{rights}").into()));
    words
}

/// The number at the end of what `whoami` prints: `"machine\user","S-1-5-…"`. The name before it may
/// be in any encoding.
fn number(told: &[u8]) -> Option<String> {
    let line = told.trim_ascii_end().strip_suffix(b"\"")?;
    let at = line.iter().rposition(|byte| *byte == b'"')?;
    let number = std::str::from_utf8(&line[at + 1..]).ok()?;
    let parts = number.strip_prefix("S-1-")?.split('-');
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.into_iter().all(is_number).then(|| number.to_owned())
}

fn refused(why: &str) -> io::Error {
    let text = format!("it cannot be kept to you alone, as {why}");
    io::Error::new(io::ErrorKind::Unsupported, text)
}

/// Lets nobody but this user in at `path`, which this process has just made and which is empty.
///
/// # Errors
/// `Unsupported`, saying why: its file system may have no lists.
#[cfg(windows)]
pub(super) fn close(path: &Path, kind: Kind) -> io::Result<()> {
    static USER: OnceLock<String> = OnceLock::new();

    let programs = Programs::of(&system_root());
    let user = match USER.get() {
        Some(user) => user,
        None => {
            let user = programs.user()?;
            USER.get_or_init(|| user)
        }
    };
    programs.close(&std::path::absolute(path)?, kind, user)
}

/// Makes the file `path`, which nobody else can open as long as it is open here: until its list is
/// set, that of its folder counts, and who had opened it by then could go on reading.
///
/// # Errors
/// Those of the system.
#[cfg(windows)]
pub(super) fn create(path: &Path) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt as _;

    /// Others may rename it, as this process does in the end.
    const FILE_SHARE_DELETE: u32 = 4;

    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    options.share_mode(FILE_SHARE_DELETE).open(path)
}

/// Whether the system keeps what is in `folder` to the user: it is in the profile, or where this is
/// kept for the user.
#[cfg(windows)]
pub(super) fn is_own(folder: &Path) -> bool {
    static OWN: OnceLock<Vec<PathBuf>> = OnceLock::new();

    let own = OWN.get_or_init(|| {
        let Some(dirs) = directories::BaseDirs::new() else {
            return Vec::new();
        };
        let own = [dirs.home_dir(), dirs.data_dir(), dirs.data_local_dir()];
        own.into_iter()
            .filter_map(|folder| fs::canonicalize(folder).ok())
            .collect()
    });
    fs::canonicalize(folder).is_ok_and(|folder| own.iter().any(|own| folder.starts_with(own)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "S-1-5-21-1-2-3-1001";

    #[test]
    fn the_list_names_its_maker_and_who_is_above_all_by_numbers() {
        let path = Path::new("a b");
        assert_eq!(
            words(path, Kind::File, USER),
            [
                "a b",
                "/inheritance:r",
                "/grant:r",
                "*S-1-5-21-1-2-3-1001:F",
                "*S-1-5-18:F",
                "*S-1-5-32-544:F",
            ]
        );
        assert_eq!(
            words(path, Kind::Folder, USER)[3..],
            [
                "*S-1-5-21-1-2-3-1001:(OI)(CI)F",
                "*S-1-5-18:(OI)(CI)F",
                "*S-1-5-32-544:(OI)(CI)F",
            ]
        );
    }

    #[test]
    fn the_user_s_number_is_read_whatever_the_name_is() {
        let told = |name: &[u8], number: &str| {
            let line = format!("\",\"{number}\"\r\n");
            super::number(&[b"\"", name, line.as_bytes()].concat())
        };
        assert_eq!(told(b"pc\\ann", USER).as_deref(), Some(USER));
        assert_eq!(told(b"pc\\J\x94rg, \"x", USER).as_deref(), Some(USER));
        for wrong in ["", "S-1-", "S-1-5-", "S-1-5-x", "everyone", "S-1-1-0:F"] {
            assert_eq!(told(b"pc\\ann", wrong), None, "{wrong}");
        }
        assert_eq!(number(b""), None);
    }

    #[test]
    fn a_program_that_is_missing_says_so() {
        let root = tempfile::tempdir().unwrap();
        let programs = Programs::of(root.path());
        let closed = programs.close(Path::new("x"), Kind::File, USER);
        for error in [programs.user().map(drop), closed].map(Result::unwrap_err) {
            assert_eq!(error.kind(), io::ErrorKind::Unsupported);
            let text = error.to_string();
            assert!(
                text.starts_with("it cannot be kept to you alone, as "),
                "{text}"
            );
            assert!(text.contains(".exe cannot be run: "), "{text}");
        }
    }

    /// Scripts stand for the programs.
    #[cfg(unix)]
    mod standing_in {
        use std::os::unix::fs::PermissionsExt as _;

        use super::*;

        fn programs(root: &Path, name: &str, script: &str) -> Programs {
            let programs = Programs::of(root);
            std::fs::create_dir_all(&programs.folder).unwrap();
            let path = programs.folder.join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
            programs
        }

        #[test]
        fn they_are_given_nothing_of_keyfob_s_environment() {
            let root = tempfile::tempdir().unwrap();
            let script = "[ \"$SystemRoot\" ] && [ -z \"$HOME\" ] && echo '\"a\",\"S-1-5-21-7\"'";
            let programs = programs(root.path(), "whoami.exe", script);
            assert_eq!(programs.user().unwrap(), "S-1-5-21-7");
        }

        #[test]
        fn a_failure_is_told_and_nothing_that_was_printed() {
            let root = tempfile::tempdir().unwrap();
            let programs = programs(root.path(), "icacls.exe", "echo secret; exit 5");
            let error = programs.close(Path::new("x"), Kind::File, USER);
            let text = error.unwrap_err().to_string();
            assert!(
                text.ends_with(", as icacls.exe ended with code 5"),
                "{text}"
            );
        }
    }

    #[cfg(windows)]
    mod windows {
        use super::*;

        /// The list of `path`, as the system writes it down.
        fn list(path: &Path) -> String {
            let to = path.with_extension("list");
            let programs = Programs::of(&system_root());
            let words = [path.as_os_str(), "/save".as_ref(), to.as_os_str()];
            programs.run("icacls.exe", words).unwrap();
            let units = fs::read(&to).unwrap();
            let units = units
                .chunks(2)
                .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
            let text: Vec<u16> = units.collect();
            String::from_utf16(&text).unwrap()
        }

        /// Whether everybody, all users or all who are signed in may do something.
        fn is_for_many(list: &str) -> bool {
            [";WD)", ";BU)", ";AU)"]
                .iter()
                .any(|many| list.contains(many))
        }

        #[test]
        fn the_system_s_own_list_is_for_the_user_alone() {
            let folder = tempfile::tempdir().unwrap();
            let open = [
                "*S-1-1-0:(OI)(CI)R",
                "*S-1-5-32-545:(OI)(CI)R",
                "*S-1-5-11:(OI)(CI)M",
            ];
            let words = [folder.path().as_os_str(), "/grant".as_ref()].into_iter();
            let words = words.chain(open.iter().map(OsStr::new));
            Programs::of(&system_root())
                .run("icacls.exe", words)
                .unwrap();

            let inner = folder.path().join("inner");
            fs::create_dir(&inner).unwrap();
            let file = folder.path().join("file");
            let open = create(&file).unwrap();
            for (path, kind) in [(&file, Kind::File), (&inner, Kind::Folder)] {
                let before = list(path);
                assert!(is_for_many(&before), "{before}");
                close(path, kind).unwrap();
                let after = list(path);
                assert!(after.contains("D:P") && !is_for_many(&after), "{after}");
            }
            drop(open);
            fs::write(&file, "still mine").unwrap();
            assert_eq!(fs::read(&file).unwrap(), b"still mine");
            let made = inner.join("made later");
            fs::write(&made, "").unwrap();
            let later = list(&made);
            assert!(!is_for_many(&later), "{later}");
        }

        #[test]
        fn what_is_being_written_can_be_opened_by_nobody_else() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a");
            let file = create(&path).unwrap();
            File::open(&path).unwrap_err();
            fs::rename(&path, folder.path().join("b")).unwrap();
            drop(file);
            File::open(folder.path().join("b")).unwrap();
        }

        #[test]
        fn the_profile_is_the_user_s_own_and_the_disk_is_not() {
            let profile = directories::BaseDirs::new().unwrap();
            assert!(is_own(profile.home_dir()) && is_own(profile.data_dir()));
            assert!(!is_own(Path::new(r"C:\")));
            let public = profile.home_dir().with_file_name("Public");
            assert!(!is_own(&public));
        }
    }
}
