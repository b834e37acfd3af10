//! Whose keys: age identities and recipients and where they are kept, Solana keypairs, and state
//! that is sealed to the user.

pub mod asking;
mod bundle;
#[cfg(test)]
pub mod fake_keyring;
pub mod keeping;
pub mod keypair;
pub mod keys;
mod plugin;
mod private;
mod program;
pub mod recipients;
pub mod sealed;
mod ssh;
mod trouble;
