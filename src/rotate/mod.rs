//! Rotation: one new value for several secrets, in several stores, and back again when anything
//! fails.
//!
//! First a [`Plan`](plan::Plan), made without asking anybody; then the [`Engine`](engine::Engine)
//! carries it out. Before the first write both values of every target are in the
//! [journal](crate::journal), with how far each is for sure: from there an interrupted rotation is
//! finished or undone ([`open`]). What was asked for, and how it is told, is for the command.

pub mod due;
pub mod engine;
pub mod history;
pub mod hooks;
pub mod open;
pub mod plan;
pub mod tools;

mod derive;
mod look;
mod made;
mod next;
mod prepare;
mod undo;

use std::path::PathBuf;

pub use derive::Derivation;

use crate::words::env::Folders;

/// Where locks and the record of past rotations are.
fn folder(folders: &Folders) -> PathBuf {
    folders.data.join("rotations")
}
