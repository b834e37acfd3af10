//! Running other programs with secrets in their environment, and hiding what they print of them.

#[cfg(unix)]
pub mod again;
#[cfg(any(not(unix), test))]
mod beside;
#[cfg(unix)]
mod copy;
pub mod editor;
#[cfg(unix)]
pub mod leader;
#[cfg(unix)]
mod pty;
#[cfg(target_os = "linux")]
pub mod room;
#[cfg(unix)]
pub mod signals;
pub mod start;
#[cfg(unix)]
pub mod supervise;
#[cfg(unix)]
pub mod witness;
