//! Running other programs: with secrets in their environment, and with what they print kept clean.

pub mod exec;
