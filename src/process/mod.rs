//! Running other programs: with secrets in their environment, hiding what they print of them, and
//! finding the same in files.

#[cfg(unix)]
mod copy;
pub mod exec;
mod filter;
pub mod find;
pub mod forms;
pub mod mask;
#[cfg(unix)]
mod pty;
mod search;
#[cfg(unix)]
pub mod session;
#[cfg(unix)]
pub mod signals;
#[cfg(unix)]
pub mod supervise;
