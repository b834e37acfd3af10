//! Who keyfob acts as: keypairs, stored credentials, sessions and the keyring they are kept in.

pub mod cache;
mod command;
pub mod credential;
pub mod jwt;
pub mod keypair;
pub mod keyring;
pub mod locate;
mod lock;
pub mod session;
