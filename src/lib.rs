#![forbid(unsafe_code)]
//! keyfob: a command-line secrets manager.

pub mod auth;
pub mod config;
pub mod env;
pub mod error;
pub mod fsio;
pub mod providers;
pub mod secret;
pub mod vault;
