//! What may stand in a store's table, told by each provider as data.

use std::collections::BTreeMap;

use crate::words::secret::StoreName;

/// How a field's text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Any text.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A base URL: https, or http on loopback.
    Url,
    /// A path; relative to the file it stands in, or to the working directory from the environment.
    Path,
    /// A list of texts; in the environment one a line, or separated by commas.
    List,
}

/// One field of a store's table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its key in the file; upper-cased it ends the environment variable's name.
    pub name: &'static str,
    /// How its text is read.
    pub shape: Shape,
    /// Whether it is a credential itself: never in a file, only in the environment.
    pub credential: bool,
    /// Whether the environment may hold the key itself where a file holds a path to it.
    pub inline_env: bool,
    /// Whether it decides which secrets the store's names stand for, beside the address and the
    /// account.
    pub locates: bool,
    /// Whether keyfob itself writes the file that it names, so that its content is data.
    pub written: bool,
    /// The vendors' own variables for it, of which the first that is set counts where keyfob's is
    /// not set.
    pub vendor_env: &'static [&'static str],
    /// Other variables that hold the like, which no other program may inherit.
    pub withheld_env: &'static [&'static str],
    /// What it is for, in one line.
    pub help: &'static str,
}

impl Field {
    /// A field that is nothing special.
    pub const fn new(name: &'static str, shape: Shape, help: &'static str) -> Self {
        Self {
            name,
            shape,
            credential: false,
            inline_env: false,
            locates: false,
            written: false,
            vendor_env: &[],
            withheld_env: &[],
            help,
        }
    }

    /// The same field as a credential.
    pub const fn credential(mut self) -> Self {
        self.credential = true;
        self
    }

    /// The same field, which the vendors' own variables `names` may hold too.
    pub const fn vendor_env(mut self, names: &'static [&'static str]) -> Self {
        self.vendor_env = names;
        self
    }

    /// The same field; the variables `names` hold the like and are read by its provider itself.
    pub const fn withheld_env(mut self, names: &'static [&'static str]) -> Self {
        self.withheld_env = names;
        self
    }

    /// The same field, whose variable may hold the key itself instead of a path.
    pub const fn inline_env(mut self) -> Self {
        self.inline_env = true;
        self
    }

    /// The same field, which decides which secrets the store's names stand for, beside the address
    /// and the account.
    pub const fn locates(mut self) -> Self {
        self.locates = true;
        self
    }

    /// The same field, which names a file that keyfob itself writes.
    pub const fn written(mut self) -> Self {
        self.written = true;
        self
    }

    /// Whether it is a command, for `sh -c`: it runs in the folder of the file it stands in.
    pub fn is_command(&self) -> bool {
        self.name.ends_with("_command")
    }

    /// Whether its variable in the environment may hold something secret.
    pub fn may_hold_secret(&self) -> bool {
        self.credential || self.inline_env
    }
}

/// The fields of one provider's stores.
///
/// A schema lasts as long as the process. One whose fields come at run time is leaked, once.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// The provider's name, which is also the name of its built-in store.
    pub provider: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

impl Schema {
    /// The field called `name`.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// Every provider's schema.
pub type Schemas = &'static [&'static Schema];

/// The schema of the provider called `name`.
pub fn provider(schemas: Schemas, name: &str) -> Option<&'static Schema> {
    schemas
        .iter()
        .copied()
        .find(|schema| schema.provider == name)
}

/// What the names of all variables of stores begin with.
pub(super) const PREFIX: &str = "KEYFOB_";

/// The variable that sets `field` of `store`.
pub fn variable(store: &StoreName, field: &str) -> String {
    let mut name = format!("{PREFIX}{store}_{field}").replace('-', "_");
    name.make_ascii_uppercase();
    name
}

/// The variables that may set `field` of `store`; the first that is set counts.
pub fn variables(store: &StoreName, field: &Field) -> impl Iterator<Item = String> {
    let vendors = field.vendor_env.iter().map(|name| (*name).to_owned());
    [variable(store, field.name)].into_iter().chain(vendors)
}

/// Which provider each store has below a layer.
pub(super) type Providers = BTreeMap<StoreName, &'static Schema>;
