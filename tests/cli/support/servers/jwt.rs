//! JSON web tokens as the Nosana Secret Manager issues them: HS256, really signed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// A token over these claims, signed with this key.
pub fn sign(claims: &Value, key: &[u8]) -> String {
    let header = BASE64URL.encode(json!({"alg": "HS256", "typ": "JWT"}).to_string());
    let claims = BASE64URL.encode(claims.to_string());
    let signed = format!("{header}.{claims}");
    let signature = BASE64URL.encode(mac(&signed, key).finalize().into_bytes());
    format!("{signed}.{signature}")
}

/// The claims of a token, whoever signed it; `None` for what is no token.
pub fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    serde_json::from_slice(&BASE64URL.decode(claims).ok()?).ok()
}

/// Whether this key signed the token.
pub fn verify(token: &str, key: &[u8]) -> bool {
    let Some((signed, signature)) = token.rsplit_once('.') else {
        return false;
    };
    let Ok(signature) = BASE64URL.decode(signature) else {
        return false;
    };
    mac(signed, key).verify_slice(&signature).is_ok()
}

fn mac(message: &str, key: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(message.as_bytes());
    mac
}
