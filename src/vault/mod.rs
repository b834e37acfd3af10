//! The local vault.
