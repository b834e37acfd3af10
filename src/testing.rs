//! What the tests and benches of this repository reach of the inside. Nobody else may rely on it:
//! it changes with every version.

pub mod conformance;
pub mod foreign;

use clap::CommandFactory;

pub use crate::commands::{Cli, ManualPage};
pub use crate::config::edit::{add_store, remove_store, set_default_store};
pub use crate::config::schema::{Field, Schema, Shape};
pub use crate::config::{Config, Files, LoadOptions, StoreConfig};
pub use crate::http::{Deadline, Http};
pub use crate::identity::keypair::Keypair;
pub use crate::identity::keys::{Identity, Location, generate};
pub use crate::identity::recipients::Recipient;
pub use crate::identity::sealed::{Keys, Purpose};
pub use crate::keyring::{Keyring, Ring};
pub use crate::providers::{
    Account, Capabilities, Capability, Given, Provider, ProviderSpec, Services, Versions,
};
pub use crate::redact::mask::Masker;
pub use crate::session::cache::TokenCache;
pub use crate::session::jwt::Life;
pub use crate::session::{Session, SessionKey, Sessions};
pub use crate::store::Store;
pub use crate::ui::escape;
pub use crate::vault::format::Document;
pub use crate::vault::{Vault, VaultOptions};
pub use crate::words::batch::{
    Action, Batch, Filter, Metadata, Outcome, Reading, Restored, Selection, Version, Write,
};
pub use crate::words::duration::HumanDuration;
pub use crate::words::env::{Environment, Folders};
pub use crate::words::error::{Error, Kind, Result};
pub use crate::words::generate::Spec;
pub use crate::words::progress::NoProgress;
pub use crate::words::secret::{Entry, Name, Reference, SecretValue, StoreName, Target};

/// Where credentials come from.
pub mod credential {
    pub use crate::credential::{Credential, Means, NoReferences};
}

/// Reading and writing files of secrets.
pub mod formats {
    pub use crate::formats::{Format, Options, Pair, ReadOptions, read, write};
}

/// The providers there are.
pub mod registry {
    pub use crate::providers::registry::{PROVIDERS, SCHEMAS, find};
}

/// Every manual page.
pub fn manual_pages() -> Vec<ManualPage> {
    crate::commands::manual_pages(Cli::command())
}
