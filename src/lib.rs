#![forbid(unsafe_code)]
//! keyfob, a command-line secrets manager: one binary that stores, reads, injects and rotates
//! secrets in hosted secret managers and in a local age-encrypted vault.
//!
//! # The house
//!
//! Each floor knows only the ones below it.
//!
//! | module | what it is for |
//! |---|---|
//! | [`start`] | parse, run, turn a failure into an exit code |
//! | [`cli`], [`complete`] | the clap types, and what shells complete beside them |
//! | [`app`] | options and environment made into a configuration, services and a voice |
//! | [`commands`] | one file a command: arguments in, calls, something printed |
//! | [`render`], [`prompt`] | tables, JSON, progress, escaping; hidden input |
//! | [`selection`], [`process`] | which secrets under which variables; commands run with them |
//! | [`rotation`] | one new value for several secrets: a plan, an engine, a journal, and the way back |
//! | [`template`], [`sync`] | texts with places for secrets; a store brought to a wanted state |
//! | [`scan`] | values found in folders, stdin and staged changes |
//! | [`fallback`] | snapshots to go on with when a store cannot be reached |
//! | [`doctor`] | what may be wrong with a set-up, and what to do about it |
//! | [`store`] | a name and its configuration become a provider |
//! | [`providers`] | the trait, its registry, one file a provider |
//! | [`auth`] | keypairs, stored credentials, sessions and the keyring they are kept in |
//! | [`http`] | one client: deadline, retries, limits, errors without secrets |
//! | [`journal`], [`sealed`] | what must survive a crash in the middle of a change; what such files are encrypted to |
//! | [`vault`] | the age file: format, locking, identities, history |
//! | [`formats`] | dotenv, json, yaml, toml, shell and others, each a reader and a writer |
//! | [`config`] | schema, lookup, merging, trust |
//! | [`secret`], [`shell`], [`document`], [`digest`], [`error`], [`env`](mod@env), [`duration`], [`generate`], [`fsio`] | the words everybody uses |
//!
//! A sixth provider is one file in `providers/` and one line in its registry.

pub mod app;
pub mod auth;
pub mod cli;
pub mod commands;
pub mod complete;
pub mod config;
pub mod digest;
pub mod doctor;
pub mod document;
pub mod duration;
pub mod env;
pub mod error;
pub mod fallback;
pub mod formats;
pub mod fsio;
pub mod generate;
pub mod http;
pub mod journal;
pub mod process;
pub mod prompt;
pub mod providers;
pub mod render;
pub mod rotation;
pub mod scan;
pub mod sealed;
pub mod secret;
pub mod selection;
pub mod shell;
pub mod store;
pub mod sync;
pub mod template;
pub mod vault;

mod start;

pub use start::start;
