//! Secret values in the JSON of files that are encrypted, for `#[serde(with)]`: as base64, since
//! they are any bytes. Only fields that say so can be written at all.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize as _, Deserializer, Serializer};
use zeroize::Zeroizing;

use crate::words::secret::SecretValue;

/// Writes `value`.
pub fn serialize<S: Serializer>(value: &SecretValue, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&Zeroizing::new(STANDARD.encode(value.expose())))
}

/// Reads a value, quoting nothing of what is none.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretValue, D::Error> {
    let text = Zeroizing::new(String::deserialize(deserializer)?);
    let bytes = STANDARD.decode(text.as_bytes());
    bytes
        .map(SecretValue::new)
        .map_err(|_| serde::de::Error::custom("a value is no base64"))
}
