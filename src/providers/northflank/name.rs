//! How keyfob names what is in a group: `GROUP/KEY` is a variable and `GROUP//abs/path` a file;
//! with a configured group `KEY` and `/abs/path`.

use std::fmt;

use super::rules;
use crate::words::error::{Error, Result};
use crate::words::secret::{Name, SecretValue};

/// One secret of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// A variable, by its name.
    Variable(String),
    /// A file, by its absolute path.
    File(String),
    /// What is mounted into builds, by its name. No name of keyfob's leads to it.
    Mount(String),
}

impl Item {
    /// What `text` names: a file where it begins with a slash, else a variable.
    pub fn parse(text: &str) -> Self {
        if text.starts_with('/') {
            Item::File(text.to_owned())
        } else {
            Item::Variable(text.to_owned())
        }
    }

    /// Its name inside the group.
    pub fn key(&self) -> &str {
        match self {
            Item::Variable(key) | Item::File(key) | Item::Mount(key) => key,
        }
    }

    /// Where under `secrets` it stands.
    pub fn part(&self) -> &'static str {
        match self {
            Item::Variable(_) => "variables",
            Item::File(_) => "files",
            Item::Mount(_) => "dockerSecretMounts",
        }
    }

    /// The word for its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Item::Variable(_) => "variable",
            Item::File(_) => "file",
            Item::Mount(_) => "docker secret",
        }
    }

    /// Checks that Northflank can hold it.
    ///
    /// # Errors
    /// `invalid_data` that says which rule it breaks.
    pub fn check(&self) -> Result<()> {
        match self {
            Item::Variable(key) => rules::variable(key),
            Item::File(path) => rules::path(path),
            Item::Mount(name) => rules::mount(name),
        }
    }

    /// Checks that it can hold `value`: a variable text, all else any bytes.
    ///
    /// # Errors
    /// `invalid_data`.
    pub fn check_value(&self, value: &SecretValue) -> Result<()> {
        if !matches!(self, Item::Variable(_)) || value.expose_str().is_some() {
            return Ok(());
        }
        Err(
            Error::invalid_data(format!("the value of the variable {self} is not text"))
                .hint("a file holds any bytes: name an absolute path instead, as in GROUP//path"),
        )
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// Where a secret is: in which group, under which name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The group's id or name, as the user wrote it.
    pub group: String,
    /// What it is there.
    pub item: Item,
}

impl Place {
    /// The place of `name`, which says the group itself unless one is `configured`.
    ///
    /// # Errors
    /// `invalid_data` that says how names are written, or which rule one breaks.
    pub fn parse(name: &Name, configured: Option<&str>) -> Result<Self> {
        let (group, key) = match configured {
            Some(group) => (group, name.as_str()),
            None => split(name.as_str())
                .filter(|(_, key)| !key.is_empty())
                .ok_or_else(|| {
                    Error::invalid_data(format!("{name} names no secret group")).hint(
                        "write GROUP/KEY, or GROUP//path for a file; or give the store a group",
                    )
                })?,
        };
        if !rules::is_id(group) {
            rules::name("the group", group)?;
        }
        let item = Item::parse(key);
        item.check()?;
        Ok(Self {
            group: group.to_owned(),
            item,
        })
    }
}

/// The group and the rest of a name or of its beginning, where it holds the whole group.
pub fn split(name: &str) -> Option<(&str, &str)> {
    name.split_once('/').filter(|(group, _)| !group.is_empty())
}

/// The id that Northflank derives from a group's name: `Example Secret` → `example-secret`.
pub fn derived_id(name: &str) -> String {
    name.to_lowercase().replace(char::is_whitespace, "-")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(name: &str, configured: Option<&str>) -> Result<Place> {
        Place::parse(&Name::new(name).unwrap(), configured)
    }

    #[test]
    fn names_say_group_and_key() {
        let found = place("api-env/db/URL", None).unwrap();
        assert_eq!(
            found,
            Place {
                group: "api-env".into(),
                item: Item::Variable("db/URL".into())
            }
        );
        let found = place("Api Env//etc/app.conf", None).unwrap();
        assert_eq!(
            found,
            Place {
                group: "Api Env".into(),
                item: Item::File("/etc/app.conf".into())
            }
        );
    }

    #[test]
    fn with_a_configured_group_names_say_the_key_alone() {
        let found = place("db/URL", Some("api-env")).unwrap();
        assert_eq!(
            found,
            Place {
                group: "api-env".into(),
                item: Item::Variable("db/URL".into())
            }
        );
        let found = place("/etc/app.conf", Some("api-env")).unwrap();
        assert_eq!(found.item, Item::File("/etc/app.conf".into()));
    }

    #[test]
    fn names_without_group_or_with_odd_keys_are_refused() {
        for name in [
            "KEY",
            "/KEY",
            "//etc/x",
            "api-env/",
            "api-env//",
            "api-env/a b",
            "api-env//etc/",
            "a_b/KEY",
        ] {
            assert!(place(name, None).is_err(), "{name}");
        }
    }

    #[test]
    fn ids_are_derived_from_names() {
        assert_eq!(derived_id("Example Secret"), "example-secret");
        assert_eq!(derived_id(&derived_id("Example Secret")), "example-secret");
    }

    proptest! {
        #[test]
        fn names_are_put_together_from_what_they_say(group in "[A-Za-z0-9-]{1,20}", key in "[A-Za-z0-9_.-][A-Za-z0-9_./-]{0,20}", path in "(/[a-z.]{1,8}){1,3}") {
            for key in [key, path] {
                let found = place(&format!("{group}/{key}"), None).unwrap();
                prop_assert_eq!(&found.group, &group);
                prop_assert_eq!(found.item.key(), key.as_str());
            }
        }
    }
}
