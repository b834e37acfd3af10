//! The words that everybody uses: secrets and what is asked of them, errors, the environment,
//! durations, random values, texts, the process's memory. None of them knows what keyfob does with it.

pub mod batch;
pub mod digest;
pub mod document;
pub mod duration;
pub mod encoded;
pub mod env;
pub mod error;
pub mod generate;
pub mod glob;
pub mod key_material;
pub mod memory;
pub mod object;
pub mod progress;
pub mod random;
pub mod scope;
pub mod secret;
pub mod shell;
pub mod shown;
pub mod text;
pub mod wiped;
pub mod withheld;
pub mod word;
