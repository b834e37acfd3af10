//! Drives the real binary, in one test program so that it is linked once.

mod support;
#[cfg(unix)]
mod support_harness;
mod support_nosana;
mod support_servers;
