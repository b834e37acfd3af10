//! Names: which path of the mount a secret lies on, and under which key of its map.
//!
//! `PATH/KEY`, parted at the last slash. A key that holds a slash stands behind two, `PATH//a/b`, as
//! no path can hold those. With a configured path names are relative to it, and `KEY` alone is a key
//! of that path itself. With a configured key there is one secret a path, and the name is the path.

use crate::config::StoreConfig;
use crate::words::error::{Error, Result};
use crate::words::secret::Name;
use crate::words::shown;
use crate::words::word::shell_word;

/// A path in a mount: the names between its slashes, none of them empty. The mount's own root is the
/// empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<String>);

impl Path {
    /// The path that `text` writes.
    ///
    /// # Errors
    /// `invalid_data` for what the server would take for another path, or refuse.
    pub fn new(text: &str) -> Result<Self> {
        let segments: Vec<String> = text.split('/').map(str::to_owned).collect();
        match segments.iter().find_map(|segment| fault(segment)) {
            None => Ok(Self(segments)),
            Some(why) => Err(Error::invalid_data(format!(
                "{} is no path: {why}",
                shown::quoted(text)
            ))
            .hint("names are PATH/KEY; a key that holds a slash stands behind two: PATH//a/b")),
        }
    }

    /// The names between its slashes.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether it is the mount's own root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The one called `name` below it; `None` where that is no name.
    pub fn below(&self, name: &str) -> Option<Self> {
        if fault(name).is_some() {
            return None;
        }
        let segments = self.0.iter().cloned();
        Some(Self(segments.chain([name.to_owned()]).collect()))
    }

    /// `rest` below it.
    fn then(&self, rest: &Self) -> Self {
        Self(self.0.iter().chain(&rest.0).cloned().collect())
    }

    /// What of it is below `base`; `None` where it is not.
    fn relative_to(&self, base: &Self) -> Option<Self> {
        let rest = self.0.strip_prefix(base.0.as_slice())?;
        Some(Self(rest.to_vec()))
    }

    /// It as people write it.
    pub fn text(&self) -> String {
        self.0.join("/")
    }
}

/// Why `segment` cannot stand between two slashes.
fn fault(segment: &str) -> Option<&'static str> {
    match segment {
        "" => Some("it begins or ends with a slash, or has two in a row"),
        "." | ".." => Some("\".\" and \"..\" lead elsewhere"),
        _ if segment.chars().any(is_unprintable) => {
            Some("it holds a character that cannot be printed")
        }
        _ => None,
    }
}

/// Whether the server refuses the character: it takes what can be printed, and of spaces the plain
/// one alone.
pub fn is_unprintable(c: char) -> bool {
    // As the standard library sees it, which escapes quotes besides, and marks that have no other
    // character before them.
    let shown = ['x', c];
    let escaped = shown.iter().collect::<String>();
    !matches!(c, '\'' | '"' | '\\') && !escaped.escape_debug().eq(shown)
}

/// Where a secret lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The path.
    pub path: Path,
    /// The key in its map.
    pub key: String,
}

/// How a store's names are read.
pub struct Layout {
    /// What they are relative to.
    pub base: Path,
    /// The key that every name stands for, where there is one secret a path.
    key: Option<String>,
}

impl Layout {
    /// The one that `config` asks for.
    ///
    /// # Errors
    /// `config` for a path that is none.
    pub fn of(config: &StoreConfig) -> Result<Self> {
        let base = match config.text("path") {
            Some(text) => Path::new(text.trim_matches('/')).map_err(|error| {
                Error::config(error.message())
                    .context(format!("path of {}", config.name()))
                    .store(config.name().as_str())
            })?,
            None => Path::default(),
        };
        Ok(Self {
            base,
            key: config.text("key").map(str::to_owned),
        })
    }

    /// Where the secret called `name` lies.
    ///
    /// # Errors
    /// `invalid_data` for a name of another form, or one with a path that is none.
    pub fn place(&self, name: &Name) -> Result<Place> {
        let text = name.as_str();
        if let Some(key) = &self.key {
            return Ok(Place {
                path: self.base.then(&Path::new(text)?),
                key: key.clone(),
            });
        }
        let doubled = text.split_once("//");
        let (path, key) = match (doubled, text.rsplit_once('/')) {
            (Some(parted), _) => parted,
            (None, Some(parted)) => parted,
            (None, None) => ("", text),
        };
        if doubled.is_some() && !key.contains('/') {
            return Err(Error::invalid_data(format!(
                "{} has two slashes before a key that holds none",
                name.shown()
            ))
            .hint(format!(
                "write it with one: {}",
                shell_word(&format!("{path}/{key}"))
            )));
        }
        let path = match path {
            "" if self.base.is_root() || (doubled.is_none() && text.starts_with('/')) => {
                return Err(Error::invalid_data(format!(
                    "{} names a key without its path",
                    name.shown()
                ))
                .hint("names are PATH/KEY; with a configured path they are relative to it"));
            }
            "" => Path::default(),
            path => Path::new(path)?,
        };
        Ok(Place {
            path: self.base.then(&path),
            key: key.to_owned(),
        })
    }

    /// What the secret at `path` under `key` is called; `None` where this store has no name for it.
    pub fn name(&self, path: &Path, key: &str) -> Option<Name> {
        let path = path.relative_to(&self.base)?.text();
        if let Some(own) = &self.key {
            return (own == key && !path.is_empty()).then(|| Name::any(path));
        }
        let name = match (path.as_str(), key.contains('/')) {
            ("", false) => key.to_owned(),
            (path, true) => format!("{path}//{key}"),
            (path, false) => format!("{path}/{key}"),
        };
        Some(Name::any(name))
    }

    /// The key of each path's one secret, where there is one a path.
    pub fn one_key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Whether something at or below the folder `path` may have a name that begins with `prefix`.
    pub fn may_begin(&self, path: &Path, prefix: &str) -> bool {
        let Some(rest) = path.relative_to(&self.base) else {
            return true;
        };
        if rest.is_root() {
            return true;
        }
        let text = format!("{}/", rest.text());
        text.starts_with(prefix) || prefix.starts_with(&text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn layout(base: &str, key: Option<&str>) -> Layout {
        Layout {
            base: match base {
                "" => Path::default(),
                base => Path::new(base).unwrap(),
            },
            key: key.map(str::to_owned),
        }
    }

    fn place(layout: &Layout, name: &str) -> Option<(String, String)> {
        let place = layout.place(&Name::any(name)).ok()?;
        assert_eq!(layout.name(&place.path, &place.key), Some(Name::any(name)));
        Some((place.path.text(), place.key))
    }

    #[test]
    fn the_last_slash_parts_path_and_key() {
        let whole = layout("", None);
        let below = layout("team/ci", None);
        let single = layout("team", Some("value"));
        for (layout, name, path, key) in [
            (&whole, "a/K", "a", "K"),
            (&whole, "a/b/K", "a/b", "K"),
            (&whole, "a//b/c", "a", "b/c"),
            (&whole, "a///b", "a", "/b"),
            (&whole, "a//b//c", "a", "b//c"),
            (&whole, "a/", "a", ""),
            (&below, "K", "team/ci", "K"),
            (&below, "b/K", "team/ci/b", "K"),
            (&below, "//b/K", "team/ci", "b/K"),
            (&single, "a/K", "team/a/K", "value"),
            (&single, "a", "team/a", "value"),
        ] {
            let expected = Some((path.to_owned(), key.to_owned()));
            assert_eq!(place(layout, name), expected, "{name}");
        }
        for (layout, name) in [
            (&whole, "K"),
            (&whole, "/K"),
            (&whole, "//a/K"),
            (&whole, "a//K"),
            (&whole, "a/../K"),
            (&whole, "./K"),
            (&whole, "a\u{a0}b/K"),
            (&whole, "a\u{200b}/K"),
            (&whole, "a\n/K"),
            (&below, "/K"),
            (&below, "//K"),
            (&single, "a/"),
            (&single, "/a"),
            (&single, "a//b"),
            (&single, ""),
        ] {
            assert_eq!(place(layout, name), None, "{name:?}");
        }
    }

    #[test]
    fn what_cannot_be_printed_is_what_the_server_refuses() {
        for c in [
            '\n',
            '\u{7f}',
            '\u{85}',
            '\u{a0}',
            '\u{ad}',
            '\u{378}',
            '\u{61c}',
            '\u{2003}',
            '\u{200b}',
            '\u{2028}',
            '\u{202e}',
            '\u{2065}',
            '\u{3000}',
            '\u{d7a4}',
            '\u{e000}',
            '\u{feff}',
            '\u{fffe}',
            '\u{e0001}',
            '\u{f0000}',
            '\u{10ffff}',
        ] {
            assert!(is_unprintable(c), "{c:?}");
        }
        for c in "a \"'\\~é\u{301}ßж日\u{20dd}\u{2ebf0}\u{fffd}€🎉🇩".chars() {
            assert!(!is_unprintable(c), "{c:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_stored_has_a_name_that_leads_back(base in "([a-c]{1,2}(/[a-c])?)?", path in "[a-c .%]{1,3}(/[a-cé]{1,2}){0,2}", key in "[a-c/ ]{1,6}") {
            let layout = layout(&base, None);
            let Ok(path) = Path::new(&path) else { return Ok(()) };
            let path = layout.base.then(&path);
            let name = layout.name(&path, &key).unwrap();
            let place = layout.place(&name).unwrap();
            prop_assert_eq!((place.path, place.key), (path, key));
        }
    }
}
