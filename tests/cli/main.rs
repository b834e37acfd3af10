//! Drives the real binary, in one test program so that it is linked once.

mod conformance;
mod crash;
mod docs;
mod leaks;
mod local;
mod northflank;
mod nosana;
#[cfg(unix)]
mod prompts;
mod run;
mod scan;
mod support;
mod support_bytenite;
#[cfg(unix)]
mod support_harness;
mod support_neo;
mod support_northflank;
mod support_nosana;
mod support_servers;
