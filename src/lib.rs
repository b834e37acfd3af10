#![forbid(unsafe_code)]
//! keyfob, a command-line secrets manager: one binary that stores, reads and injects secrets in
//! hosted secret managers and in a local age-encrypted vault.

pub mod auth;
pub mod config;
pub mod duration;
pub mod env;
pub mod error;
pub mod fsio;
pub mod generate;
pub mod http;
pub mod providers;
pub mod secret;


