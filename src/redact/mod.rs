//! Values found in bytes: the forms in which they may stand there, the search for them, and a
//! stream in which they are hidden. Who reads or writes the bytes is not its concern.

mod escapes;
mod filter;
pub mod find;
pub mod forms;
mod lookup;
pub mod mask;
mod search;
