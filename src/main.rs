//! Parse, run, turn an error into an exit code.

use std::process::ExitCode;

/// musl's allocator gives what is freed back to the system and asks for it again, which takes longer
/// than all else where much is read.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    keyfob::start()
}
