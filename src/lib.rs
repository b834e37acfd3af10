#![forbid(unsafe_code)]
//! keyfob, a command-line secrets manager: one binary that stores, reads, injects and rotates
//! secrets in hosted secret managers and in a local age-encrypted vault.
//!
//! # The house
//!
//! Each floor knows only the ones below it, and no two files of a folder know each other; a test
//! (`tests/floors`) holds the code to this table.
//!
//! | module | what it is for |
//! |---|---|
//! | `start` | parse, run, turn a failure into an exit code |
//! | `commands` | one file a command: its arguments, calls, something printed |
//! | `complete` | what shells complete, hung onto the command line |
//! | `doctor` | what may be wrong with a set-up, and what to do about it |
//! | `app` | options and environment made into a configuration, services and a voice |
//! | `rotate` | one new value for several secrets: a plan, an engine, and the way back |
//! | `transfer` | a store brought to a wanted state, and secrets moved: a plan, then one engine |
//! | `inject` | texts with places for secrets |
//! | `scan` | values found in folders, stdin and staged changes |
//! | `exec` | other programs, run with secrets in their environment |
//! | `fallback` | snapshots to go on with when a store cannot be reached |
//! | `select` | which secrets under which variables |
//! | `store` | the door to a provider |
//! | `written` | what was last stored where it cannot be read back, as keyed digests |
//! | `providers` | the trait, its registry, a folder for each provider |
//! | `session` | tokens, obtained once, and where processes share them |
//! | `credential` | credentials: environment, command, keyring |
//! | `vault` | the age file: format, writing, history |
//! | `journal` | the steps of a change that must survive a crash |
//! | `identity` | age identities and recipients, Solana keypairs, what is sealed to the user |
//! | `keyring` | the OS keyring and the kernel's |
//! | `http` | one client: deadline, retries, limits, errors without secrets |
//! | `redact` | values found in bytes, and hidden |
//! | `formats` | dotenv, json, yaml, toml, shell and others |
//! | `config` | schema, lookup, merging, trust |
//! | `ui` | tables, JSON, progress and waits, escaping; prompts |
//! | `state` | files written whole, and locks |
//! | `words` | secrets, batches, errors, the environment, durations, random values, texts, the process's memory |
//!
//! # The way of a value
//!
//! **From `set` to the wire.** `commands::set` reads it (pipe, prompt, file, variable, or fresh) into
//! a `SecretValue`, which is wiped when dropped and shows itself to nobody. `Store::write` is the only
//! door: it refuses what the provider's line in the registry says it cannot hold, has `written` take
//! back what it remembers of a secret that cannot be read back, and hands a `Batch` to the provider.
//! The provider makes `http::Request`s of it; its `endpoint` adds the headers that prove who asks
//! (a token that `session` keeps, obtained with what `credential` or `identity` find), and `http`
//! sees to deadline, retries and limits, and cuts everything secret out of what it says. What came of
//! each secret goes back as an `Outcome`, and `ui` shows it.
//!
//! **From a store to the environment.** `commands::run` has `select` make a plan of the options and
//! the configuration alone: which names of which stores, under which variables. Each store is read
//! once (`Store::read`), side by side; `select` names what was found, `fallback` keeps a snapshot where
//! it was asked for. `exec` lays the variables over the inherited ones, less those that
//! `credential::withheld` lists, and replaces keyfob by the command; with `--mask` it stays, and
//! `redact` hides the values in what the command writes.
//!
//! **Through a crash.** What takes several writes is a `journal::Change`, sealed and on the disk before
//! the first of them: a rotation with a step for each target, or a step that a provider announces
//! because it cannot replace in place. `rotate --list`, `--resume`, `--undo`, `doctor` and a store's
//! next use read the same list.
//!
//! # Where to add
//!
//! - **A provider**: a folder in `providers` with a [`SPEC`](testing::ProviderSpec) and an
//!   implementation of [`Provider`](testing::Provider), its line in `providers::registry`, a strict
//!   server in `tests/cli/support/servers`, a subject in `tests/cli/conformance.rs`, its section of
//!   `docs/stores.md`. `tests/cli/conformance/memory.rs` is the smallest one.
//! - **A format**: a file in `formats` and a line of its table.
//! - **A command**: a file in `commands` with its arguments and `run`, and a variant of `Command`; its
//!   completers are lines of the table in `complete`.
//! - **A token cache**: an implementation of [`Ring`](testing::Ring), and its place in the list of
//!   `session::cache`.
//! - **A file of keyfob's own**: a `state::file::File`, under a `state::lock::Lock`.

mod app;
mod commands;
mod complete;
mod config;
mod credential;
mod doctor;
mod exec;
mod fallback;
mod formats;
mod http;
mod identity;
mod inject;
mod journal;
mod keyring;
mod providers;
mod redact;
mod rotate;
mod scan;
mod select;
mod session;
mod state;
mod store;
mod transfer;
mod ui;
mod vault;
mod words;
mod written;

mod start;
#[doc(hidden)]
pub mod testing;

pub use start::start;
