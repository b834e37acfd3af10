//! The ways to sign in, and what a token can ask of itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Known, Policy, State, answered, data, denied, refuse};
use crate::support::servers::{Answer, Request};

/// What a login gives.
#[derive(Clone, Debug)]
pub struct Granted {
    /// What its tokens may.
    pub policy: Policy,
    /// For how many seconds they are good; 0 is for ever.
    pub lease: i64,
    /// For how many seconds at most, however often they are renewed.
    pub longest: i64,
    /// For how many requests; 0 is any number.
    pub uses: u64,
    /// Whether they are batch tokens, which are neither renewed nor revoked.
    pub is_batch: bool,
}

impl Granted {
    /// Tokens of an hour for whatever the policy says.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            lease: 3600,
            longest: 24 * 3600,
            uses: 0,
            is_batch: false,
        }
    }
}

/// What the ways to sign in know. Each is mounted under its key, as `approle`.
#[derive(Clone, Debug, Default)]
pub struct Methods {
    /// Role ids and secret ids by mount; a role that needs none has none.
    pub approle: BTreeMap<String, Vec<(String, Option<String>, Granted)>>,
    /// Roles and the tokens that they take, by mount: of a CI, or of a pod.
    pub jwt: BTreeMap<String, Vec<(Option<String>, String, Granted)>>,
    /// Users and passwords, by mount.
    pub userpass: BTreeMap<String, Vec<(String, String, Granted)>>,
    /// Secret ids by the token that opens them once.
    pub wrapped: BTreeMap<String, String>,
}

impl State {
    /// The answer to a login; `None` where it is none.
    pub(super) fn log_in(&mut self, request: &Request, path: &str) -> Option<Answer> {
        let rest = path.strip_prefix("auth/")?;
        let (mount, user) = match rest.split_once("/login") {
            Some((mount, "")) => (mount, None),
            Some((mount, user)) => (mount, user.strip_prefix('/')),
            None => return None,
        };
        if request.method != "POST" {
            return Some(refuse(405, "unsupported operation"));
        }
        let body = request.json().unwrap_or_default();
        let text = |field: &str| body[field].as_str().map(str::to_owned);
        let methods = self.methods.clone();
        let granted = if let Some(roles) = methods.approle.get(mount) {
            let Some(role_id) = text("role_id") else {
                return Some(refuse(500, "missing role_id"));
            };
            let found = roles.iter().find(|(role, secret, _)| {
                *role == role_id && (secret.is_none() || *secret == text("secret_id"))
            });
            match found {
                Some((_, _, granted)) => granted.clone(),
                None => return Some(refuse(400, "invalid role or secret ID")),
            }
        } else if let Some(roles) = methods.jwt.get(mount) {
            let role = text("role");
            let Some((_, jwt, granted)) = roles.iter().find(|(name, ..)| *name == role) else {
                let role = role.unwrap_or_default();
                return Some(refuse(400, &format!("role {role:?} could not be found")));
            };
            match text("jwt").as_deref() == Some(jwt) {
                true => granted.clone(),
                false => {
                    let why = "error validating token: error verifying token signature: no known key successfully validated the token signature";
                    return Some(refuse(400, why));
                }
            }
        } else if let Some(users) = methods.userpass.get(mount) {
            let found = users.iter().find(|(name, password, _)| {
                Some(name.as_str()) == user && text("password").as_ref() == Some(password)
            });
            match found {
                Some((_, _, granted)) => granted.clone(),
                None => return Some(refuse(400, "invalid username or password")),
            }
        } else {
            return Some(refuse(403, "permission denied"));
        };
        let now = request.time;
        let known = Known {
            ends: (granted.lease > 0).then_some(now + granted.lease),
            last: Some(now + granted.longest),
            renewable: granted.lease > 0 && !granted.is_batch,
            uses: (granted.uses > 0).then_some(granted.uses),
            granted_uses: granted.uses,
            is_batch: granted.is_batch,
            ..Known::of(granted.policy.clone())
        };
        let token = self.make(known.clone());
        let answer = auth(&token, granted.lease, &known);
        Some(self.wrote(answer))
    }

    pub(super) fn unwrap(&mut self, token: &str) -> Answer {
        match self.methods.wrapped.remove(token) {
            Some(secret_id) => data(json!({
                "secret_id": secret_id,
                "secret_id_accessor": "a",
                "secret_id_num_uses": 1,
                "secret_id_ttl": 600,
            })),
            None => refuse(400, "wrapping token is not valid or does not exist"),
        }
    }

    /// What is asked of the token itself; `None` where it is something else.
    pub(super) fn of_the_token(
        &mut self,
        request: &Request,
        path: &str,
        token: &str,
        known: &Known,
    ) -> Option<Answer> {
        let may =
            |path: &str, what: &str| known.policy.as_ref().is_none_or(|it| it.allows(path, what));
        match (request.method.as_str(), path) {
            ("GET", "auth/token/lookup-self") => Some(match may(path, "read") {
                false => denied(),
                true => data(json!({
                    "ttl": known.ends.map_or(0, |end| end - request.time),
                    "renewable": known.renewable,
                    "num_uses": known.uses.unwrap_or(0),
                    "policies": ["default"],
                })),
            }),
            ("POST", "auth/token/renew-self") => {
                if known.is_batch {
                    return Some(refuse(400, "batch tokens cannot be renewed"));
                }
                let kept = self.tokens.get_mut(token)?;
                if !kept.renewable {
                    return Some(refuse(400, "lease is not renewable"));
                }
                let now = request.time;
                let lease = known.ends? - now;
                let wanted = now + lease.max(3600);
                let end = kept.last.map_or(wanted, |last| wanted.min(last));
                kept.ends = Some(end);
                Some(auth(token, end - now, known))
            }
            ("POST", "auth/token/revoke-self") if known.is_batch => {
                Some(refuse(400, "batch tokens cannot be revoked"))
            }
            ("POST", "auth/token/revoke-self") => {
                self.tokens.remove(token);
                Some(Answer::status(204))
            }
            _ => None,
        }
    }
}

/// The token as a login or a renewal tells of it: of its uses those that it was given, not those that
/// are left.
fn auth(token: &str, lease: i64, known: &Known) -> Answer {
    let mut answer = answered(200, Value::Null);
    let mut body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    body["auth"] = json!({
        "client_token": token,
        "accessor": "fQpQnw79ElfdbTC4uDUtc2LS",
        "policies": ["default"],
        "lease_duration": lease,
        "renewable": known.renewable,
        "token_type": if known.is_batch { "batch" } else { "service" },
        "mfa_requirement": null,
        "num_uses": known.granted_uses,
    });
    answer.body = body.to_string().into_bytes();
    answer
}
