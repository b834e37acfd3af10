//! One isolated environment for one test: its own home, folders, working directory and variables.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::run::{Keyfob, Run};

/// The binary under test, for scripts that call it themselves.
pub const BINARY: &str = env!("CARGO_BIN_EXE_keyfob");

/// A temporary folder with everything that keyfob may look at or write to inside it.
///
/// The binary started from it sees `PATH`, the variables of the folders below, and what the test
/// sets: nothing else of the environment that the tests run in. No session bus can be found and
/// no token outlives a process, unless a test asks for them.
pub struct Home {
    root: TempDir,
    variables: BTreeMap<OsString, OsString>,
}

impl Home {
    /// An empty environment.
    pub fn new() -> Self {
        let root = tempfile::Builder::new()
            .prefix("kf")
            .tempdir()
            .expect("a temporary folder");
        let mut home = Self {
            root,
            variables: BTreeMap::new(),
        };
        for (variable, folder) in [
            ("HOME", "home"),
            ("USERPROFILE", "home"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_RUNTIME_DIR", "run"),
            ("APPDATA", "config"),
            ("LOCALAPPDATA", "data"),
            ("TMPDIR", "tmp"),
            ("TMP", "tmp"),
            ("TEMP", "tmp"),
        ] {
            let path = home.root().join(folder);
            private_folder(&path);
            home.set(variable, path);
        }
        private_folder(&home.work());
        // What a program cannot start without.
        for inherited in ["PATH", "SystemRoot"] {
            if let Some(value) = std::env::var_os(inherited) {
                home.set(inherited, value);
            }
        }
        // Any address keeps libraries from looking for a bus elsewhere; this one leads nowhere.
        home.set("DBUS_SESSION_BUS_ADDRESS", "disabled:");
        home.set("KEYFOB_TOKEN_CACHE", "none");
        home
    }

    /// Sets a variable for every process started from here on.
    pub fn set(&mut self, variable: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.variables
            .insert(variable.as_ref().into(), value.as_ref().into());
        self
    }

    /// Lets every process started from here on find this bus.
    #[cfg(unix)]
    pub fn attach(&mut self, bus: &super::bus::PrivateBus) {
        self.set("DBUS_SESSION_BUS_ADDRESS", bus.address());
        self.set("KEYFOB_KEYRING_TIMEOUT", bus.patience());
    }

    /// Leaves a variable out for every process started from here on.
    pub fn unset(&mut self, variable: impl AsRef<OsStr>) -> &mut Self {
        self.variables.remove(variable.as_ref());
        self
    }

    /// The same with a variable set.
    pub fn with(mut self, variable: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.set(variable, value);
        self
    }

    /// The variables that a process started now would see, and no others.
    pub fn variables(&self) -> &BTreeMap<OsString, OsString> {
        &self.variables
    }

    /// The binary with these arguments, ready for more settings before it runs.
    pub fn keyfob<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Keyfob {
        Keyfob::new(self, BINARY, args)
    }

    /// The same as somebody who is not root, to whom everything in this environment then belongs;
    /// `None` where it takes a `setpriv` that is missing.
    #[cfg(unix)]
    pub fn unprivileged<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
    ) -> Option<Keyfob> {
        const NOBODY: u32 = 65_534;
        if !rustix::process::geteuid().is_root() {
            return Some(self.keyfob(args));
        }
        if !super::programs::installed("setpriv") {
            return None;
        }
        // Others cannot enter where this binary was built, perhaps.
        let binary = self.root().join("keyfob");
        if !binary.exists() {
            copy_binary(&binary);
        }
        set_mode(&binary, 0o755);
        let mut open = vec![self.root().to_path_buf()];
        while let Some(path) = open.pop() {
            std::os::unix::fs::lchown(&path, Some(NOBODY), Some(NOBODY)).expect("root");
            if path.is_dir() && !path.is_symlink() {
                let entries = fs::read_dir(&path).expect("a folder of the test");
                open.extend(entries.map(|entry| entry.expect("an entry").path()));
            }
        }
        let id = NOBODY.to_string();
        let drop = ["--reuid", &id, "--regid", &id, "--clear-groups", "--"];
        let program = self.program("setpriv", drop);
        Some(program.arg(binary).args(args))
    }

    /// Another program in the same environment, such as a shell that calls the binary.
    pub fn program<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
    ) -> Keyfob {
        Keyfob::new(self, program, args)
    }

    /// Runs the binary with these arguments and nothing on stdin.
    #[track_caller]
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        self.keyfob(args).run()
    }

    /// The folder that holds all the others.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The user's home folder.
    pub fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// The working directory of the binary.
    pub fn work(&self) -> PathBuf {
        self.root().join("work")
    }

    /// keyfob's own folder for configuration (Linux).
    pub fn config(&self) -> PathBuf {
        self.root().join("config/keyfob")
    }

    /// keyfob's own folder for data (Linux).
    pub fn data(&self) -> PathBuf {
        self.root().join("data/keyfob")
    }

    /// Writes a file, relative to the working directory, making its folders.
    pub fn write(&self, path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).expect("the file's folder");
        }
        fs::write(&path, contents).expect("a file in the test's folder");
        path
    }

    /// The same, readable by its owner alone.
    pub fn write_private(&self, path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.write(path, contents);
        set_mode(&path, 0o600);
        path
    }

    /// A file's contents, relative to the working directory.
    #[track_caller]
    pub fn read(&self, path: impl AsRef<Path>) -> Vec<u8> {
        let path = self.work().join(path);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Every file below the root, for asserting on what was left behind.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.root().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a folder of the test") {
                let path = entry.expect("an entry of the folder").path();
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                } else {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }

    /// The files below the root that hold `bytes` somewhere.
    pub fn files_holding(&self, bytes: &[u8]) -> Vec<PathBuf> {
        let mut files = self.files();
        files.retain(|path| {
            path.is_file()
                && fs::read(path)
                    .expect("a readable file")
                    .windows(bytes.len())
                    .any(|window| window == bytes)
        });
        files
    }
}

/// Copies the binary to `to`, by another program: what this process has open for writing is open, too,
/// in whatever another test starts at that moment, and cannot be executed then.
#[cfg(unix)]
pub fn copy_binary(to: &Path) {
    let copied = std::process::Command::new("cp")
        .arg(BINARY)
        .arg(to)
        .status();
    assert!(copied.expect("cp").success(), "a copy of the binary");
}

/// Sets a path's permissions, where the platform has them.
pub fn set_mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
    }
    #[cfg(not(unix))]
    let _ = (path, mode);
}

fn private_folder(path: &Path) {
    fs::create_dir_all(path).expect("a folder in the test's folder");
    set_mode(path, 0o700);
}
