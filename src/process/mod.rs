//! Running other programs with secrets in their environment.

pub mod exec;
