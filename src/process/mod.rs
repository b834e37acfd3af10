//! Running other programs: what is hidden in their output, and finding the same in files.

pub mod forms;
pub mod mask;
pub mod search;
