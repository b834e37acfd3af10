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
//! | `transfer` | a store brought to a wanted state: a pure plan, then one engine |
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
//! | `ui` | tables, JSON, progress, escaping; prompts |
//! | `state` | files written whole, and locks |
//! | `words` | secrets, batches, errors, the environment, durations, random values, texts |

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
