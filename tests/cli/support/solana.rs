//! Solana keypairs for tests, in the formats that people have them in.

use std::path::PathBuf;

use ed25519_dalek::{Signer, SigningKey};

use super::home::Home;

/// A keypair that is the same in every run.
pub struct Keypair(SigningKey);

impl Keypair {
    /// The keypair of this number.
    pub fn new(number: u8) -> Self {
        Self(SigningKey::from_bytes(&[number; 32]))
    }

    /// The base58 address.
    pub fn address(&self) -> String {
        bs58::encode(self.0.verifying_key().as_bytes()).into_string()
    }

    /// A file of the Solana CLI: a JSON array of 64 numbers.
    pub fn json(&self) -> String {
        serde_json::to_string(&self.0.to_keypair_bytes()[..]).expect("an array of numbers")
    }

    /// The same 64 bytes in base58.
    pub fn base58(&self) -> String {
        bs58::encode(self.0.to_keypair_bytes()).into_string()
    }

    /// The secret half alone, as a JSON array of 32 numbers.
    pub fn seed_json(&self) -> String {
        serde_json::to_string(&self.0.to_bytes()[..]).expect("an array of numbers")
    }

    /// The secret half alone, in base58.
    pub fn seed_base58(&self) -> String {
        bs58::encode(self.0.to_bytes()).into_string()
    }

    /// A signature in base58.
    pub fn sign(&self, message: &str) -> String {
        bs58::encode(self.0.sign(message.as_bytes()).to_bytes()).into_string()
    }

    /// Writes the CLI's file into the home's working directory, readable by its owner alone.
    pub fn write(&self, home: &Home) -> PathBuf {
        home.write_private(format!("{}.json", self.address()), self.json())
    }
}
