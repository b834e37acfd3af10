//! What the tests stand on: isolated environments for the real binary, and real services for it
//! to talk to. Nothing here knows what keyfob ought to do.

// A toolbox: which tools are in use depends on the platform.
#![allow(dead_code)]

pub mod bao;
#[cfg(unix)]
pub mod bus;
pub mod client;
pub mod home;
pub mod keyutils;
pub mod programs;
pub mod run;
pub mod servers;
pub mod solana;
pub mod trace;
pub mod wait;
pub mod world;
