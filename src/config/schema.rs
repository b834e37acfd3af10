//! What may stand in a store's table, told by each provider as data.

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
    /// A list of texts; separated by commas in the environment.
    List,
}

/// One field of a store's table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its key in the file; upper-cased it ends the environment variable's name.
    pub name: &'static str,
    /// How its text is read.
    pub shape: Shape,
    /// Whether it decides where secrets or credentials go to, come from or are run by, so that a
    /// checkout's file must be trusted before it counts.
    pub gated: bool,
    /// Whether it is a credential itself: never in a file, only in the environment.
    pub credential: bool,
    /// What it is for, in one line.
    pub help: &'static str,
}

/// The fields of one provider's stores.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// The provider's name, which is also the name of its built-in store.
    pub provider: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}
