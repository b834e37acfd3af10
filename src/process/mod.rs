//! Running other programs: with secrets in their environment, hiding what they print of them, and
//! finding the same in files.

pub mod exec;
pub mod forms;
pub mod mask;
pub mod search;
