#![forbid(unsafe_code)]
//! keyfob: a command-line secrets manager.

pub mod auth;
pub mod config;
pub mod env;
pub mod error;
pub mod formats;
pub mod process;
pub mod providers;
pub mod secret;
