//! Random numbers from the operating system.

use rand::TryRng;
use rand::rngs::SysRng;

use crate::words::error::{Error, Result};

/// Fills `bytes` with random numbers.
///
/// # Errors
/// `failed` where the operating system has none.
pub fn fill(bytes: &mut [u8]) -> Result<()> {
    SysRng.try_fill_bytes(bytes).map_err(|error| {
        let why = format!("the operating system gave no random numbers: {error}");
        Error::failed(why).made_of(error)
    })
}
