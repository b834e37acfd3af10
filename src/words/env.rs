//! The process's environment and folders, read once and passed on explicitly.
//!
//! Nothing else in the crate reads `std::env`, and nothing at all writes it, so that what a
//! command depends on can be seen in its arguments.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The system's own folder, in which its programs are.
#[cfg(windows)]
pub fn system_root() -> PathBuf {
    std::env::var_os("SystemRoot").map_or_else(|| r"C:\Windows".into(), PathBuf::from)
}

/// A snapshot of the environment variables and the working directory.
#[derive(Clone, Default)]
pub struct Environment {
    /// Shared by all clones, as the values may be secret.
    vars: Arc<BTreeMap<OsString, OsString>>,
    cwd: PathBuf,
}

impl Environment {
    /// The environment of this process.
    pub fn from_process() -> Self {
        Self {
            vars: Arc::new(std::env::vars_os().collect()),
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        }
    }

    /// An environment made of `vars` alone, for tests.
    pub fn from_vars<K, V>(vars: impl IntoIterator<Item = (K, V)>, cwd: impl Into<PathBuf>) -> Self
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        Self {
            vars: Arc::new(
                vars.into_iter()
                    .map(|(key, value)| (key.into(), value.into()))
                    .collect(),
            ),
            cwd: cwd.into(),
        }
    }

    /// The variable's value, where it is set, not empty and UTF-8. An empty variable counts as
    /// unset, as CI systems set variables to nothing when a secret is missing.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.var_os(name)?.to_str()
    }

    /// The variable's value in the platform's own encoding, where it is set and not empty.
    pub fn var_os(&self, name: &str) -> Option<&OsStr> {
        self.raw(name).filter(|value| !value.is_empty())
    }

    /// The variable's value as it is, an empty one too.
    pub fn raw(&self, name: &str) -> Option<&OsStr> {
        let name = OsStr::new(name);
        let found = match cfg!(windows) {
            true => self.vars.iter().find(|(key, _)| same_name(key, name)),
            false => self.vars.get_key_value(name),
        };
        found.map(|(_, value)| value.as_os_str())
    }

    /// The names of all variables that are text, as they are set, and as keyfob knows them: in
    /// capitals where the platform tells no case apart.
    pub fn names(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        let names = self.vars.keys().filter_map(|name| name.to_str());
        names.map(|name| match cfg!(windows) {
            true => (name, Cow::Owned(name.to_ascii_uppercase())),
            false => (name, Cow::Borrowed(name)),
        })
    }

    /// Whether the variable is set to something that means yes: anything but nothing, `0`,
    /// `false` and `no`.
    pub fn flag(&self, name: &str) -> bool {
        self.var_os(name).is_some_and(|value| {
            !["0", "false", "no"]
                .iter()
                .any(|no| value.eq_ignore_ascii_case(no))
        })
    }

    /// All variables, sorted by name.
    pub fn vars(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.vars
            .iter()
            .map(|(key, value)| (key.as_os_str(), value.as_os_str()))
    }

    /// The same but those called as in `withheld`.
    pub fn vars_without(
        &self,
        withheld: &BTreeSet<String>,
    ) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.vars()
            .filter(|(name, _)| !name.to_str().is_some_and(|name| withheld.contains(name)))
    }

    /// The working directory.
    pub fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// The home folder, where one is known.
    pub fn home(&self) -> Option<PathBuf> {
        match self.var_os("HOME") {
            Some(home) => Some(PathBuf::from(home)),
            None => directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_path_buf()),
        }
    }

    /// `text` as a path: `~/` stands for the home folder, and what is relative starts at `base`.
    pub fn resolve(&self, text: &str, base: &Path) -> PathBuf {
        if let Some(home) = self.home() {
            if text == "~" {
                return home;
            }
            if let Some(rest) = text.strip_prefix("~/") {
                return home.join(rest);
            }
        }
        base.join(text)
    }
}

/// Whether two names are those of one variable: on Windows case is no difference.
pub fn same_name(one: &OsStr, other: &OsStr) -> bool {
    match cfg!(windows) {
        true => one.eq_ignore_ascii_case(other),
        false => one == other,
    }
}

/// Where keyfob keeps its own files, by the platform's conventions.
#[derive(Clone, Debug)]
pub struct Folders {
    /// `config.toml` and what has been trusted.
    pub config: PathBuf,
    /// The vault, its identity, journals and records: what must not be lost.
    pub data: PathBuf,
    /// What may be deleted at any time.
    pub cache: PathBuf,
    /// How long to wait for another keyfob that is writing there.
    pub patience: Duration,
}

impl Folders {
    /// The longest wait for another keyfob: small files are written in a moment, and what takes
    /// longer hangs.
    pub const PATIENCE: Duration = Duration::from_secs(10);

    /// All of them below `base`.
    pub fn below(base: &Path) -> Self {
        Self {
            config: base.join("config"),
            data: base.join("data"),
            cache: base.join("cache"),
            patience: Self::PATIENCE,
        }
    }

    /// The platform's folders for keyfob, or `None` where there is no home folder.
    ///
    /// On Linux: `$XDG_CONFIG_HOME/keyfob`, `$XDG_DATA_HOME/keyfob`, `$XDG_CACHE_HOME/keyfob`.
    pub fn new() -> Option<Self> {
        directories::ProjectDirs::from("", "", "keyfob").map(|dirs| Self {
            config: dirs.config_dir().to_path_buf(),
            data: dirs.data_dir().to_path_buf(),
            cache: dirs.cache_dir().to_path_buf(),
            patience: Self::PATIENCE,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_variables_count_as_unset() {
        let env = Environment::from_vars([("A", ""), ("B", "0"), ("C", "1")], "/");
        assert_eq!(env.var("A"), None);
        assert!(!env.flag("A") && !env.flag("B") && env.flag("C"));
    }

    #[test]
    fn case_tells_names_apart_but_on_windows() {
        let env = Environment::from_vars([("Path", "p")], "/");
        assert_eq!(env.var("PATH").is_some(), cfg!(windows));
        assert_eq!(env.var("Path"), Some("p"));
        let known: Vec<_> = env.names().map(|(_, known)| known).collect();
        assert_eq!(known, [if cfg!(windows) { "PATH" } else { "Path" }]);
    }

    #[test]
    fn tilde_is_the_home_folder() {
        let env = Environment::from_vars([("HOME", "/h")], "/w");
        assert_eq!(env.resolve("~/x", Path::new("/b")), Path::new("/h/x"));
        assert_eq!(env.resolve("x", Path::new("/b")), Path::new("/b/x"));
        assert_eq!(env.resolve("/x", Path::new("/b")), Path::new("/x"));
    }
}
