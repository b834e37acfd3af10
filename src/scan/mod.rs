//! Finding values in files: what is read, in which pieces, and at which line and column a value
//! stands. Which values, and what to say of them, is left to the command.

mod report;
mod scanner;
mod staged;
mod text;
mod walk;

pub use report::{Hit, Report, stream};
pub use scanner::Scanner;
pub use staged::staged;
pub use walk::{Tree, walk};
