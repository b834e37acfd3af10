//! What a JSON Web Token says of its own life. Nothing is verified: the server that takes the
//! token does that, and a token that cannot be read here is simply one of unknown expiry.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use zeroize::Zeroizing;

/// When a token was issued and when it expires, by its issuer's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// The claim `iat`.
    pub issued_at: Option<Timestamp>,
    /// The claim `exp`.
    pub expires_at: Option<Timestamp>,
}

impl Life {
    /// What `token` says; nothing where it is no JWT or lacks the claims.
    pub fn of(token: &str) -> Self {
        read(token).unwrap_or_default()
    }

    /// When a token that was received at `now` expires by the clock `now` was read from. An
    /// issuer whose clock differs from ours is judged by how long it lets the token live.
    pub fn ends(self, now: Timestamp) -> Option<Timestamp> {
        let expires_at = self.expires_at?;
        match self.issued_at {
            Some(issued_at) if issued_at <= expires_at => {
                now.checked_add(expires_at.duration_since(issued_at)).ok()
            }
            _ => Some(expires_at),
        }
    }
}

#[derive(Deserialize)]
struct Claims {
    iat: Option<f64>,
    exp: Option<f64>,
}

fn read(token: &str) -> Option<Life> {
    let payload = token.split('.').nth(1)?.trim_end_matches('=');
    let claims = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?);
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    Some(Life {
        issued_at: claims.iat.and_then(timestamp),
        expires_at: claims.exp.and_then(timestamp),
    })
}

/// Seconds since 1970, which the standard lets have a fraction.
fn timestamp(seconds: f64) -> Option<Timestamp> {
    let since = SignedDuration::try_from_secs_f64(seconds).ok()?;
    Timestamp::UNIX_EPOCH.checked_add(since).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(claims: &str) -> String {
        let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", part(r#"{"alg":"HS256"}"#), part(claims))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn claims_are_read() {
        let life = Life::of(&token(
            r#"{"address":"a","iat":1700000000,"exp":1700003600.5}"#,
        ));
        assert_eq!(life.issued_at, Some(at(1_700_000_000)));
        assert_eq!(
            life.expires_at.map(Timestamp::as_second),
            Some(1_700_003_600)
        );
    }

    #[test]
    fn an_issuers_wrong_clock_does_not_matter() {
        let life = Life::of(&token(r#"{"iat":1000,"exp":4600}"#));
        assert_eq!(life.ends(at(2_000_000)), Some(at(2_003_600)));
        let life = Life::of(&token(r#"{"exp":4600}"#));
        assert_eq!(life.ends(at(2_000_000)), Some(at(4600)));
        let life = Life::of(&token(r#"{"iat":9000,"exp":4600}"#));
        assert_eq!(life.ends(at(2_000_000)), Some(at(4600)));
    }

    #[test]
    fn what_cannot_be_read_has_no_known_life() {
        for text in [
            String::new(),
            "opaque".into(),
            "a.b".into(),
            "a.!!!.c".into(),
            token("[]"),
            token("{}"),
            token(r#"{"exp":null}"#),
            token(r#"{"exp":1e300}"#),
        ] {
            assert_eq!(Life::of(&text), Life::default(), "{text}");
            assert_eq!(Life::of(&text).ends(at(0)), None);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}", claims in "\\PC{0,80}", exp in any::<f64>(), now in any::<i32>()) {
            Life::of(&text).ends(at(now.into()));
            Life::of(&token(&claims)).ends(at(now.into()));
            Life::of(&token(&format!("{{\"iat\":-1,\"exp\":{exp}}}"))).ends(at(now.into()));
        }
    }
}
