//! Where the kernel keeps no keys, there is no cache in it.

use std::time::Duration;

use zeroize::Zeroizing;

/// There is none.
pub struct Unavailable;

pub fn available() -> bool {
    false
}

pub fn get(_description: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Unavailable> {
    Err(Unavailable)
}

pub fn set(_description: &str, _payload: &[u8], _lifetime: Duration) -> Result<(), Unavailable> {
    Err(Unavailable)
}

pub fn delete(_description: &str) -> Result<bool, Unavailable> {
    Err(Unavailable)
}
