//! The backends: a folder each, and a line each in the [`registry`].

pub mod bulk;
mod bytenite;
mod endpoint;
pub mod groups;
pub mod local;
mod neo;
mod northflank;
mod nosana;
mod openbao;
mod provider;
pub mod registry;
mod services;
mod support;

pub use provider::{
    Account, Capabilities, Capability, Composite, Given, Lack, Method, Provider, ProviderSpec,
    Replacements, Versions,
};
pub use services::{Services, Steps};
pub use support::{CA_FILE, exists_already, keypair, missing, unsupported};
