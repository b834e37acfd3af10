//! Who keyfob acts as: keypairs, stored credentials, sessions and the keyring they are kept in.

pub mod cache;
pub mod keypair;
pub mod keyring;
pub mod locate;
pub mod session;
