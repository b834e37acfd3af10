//! Signing in: the keypair signs the time, and the server gives a token for the keypair's own secrets
//! or for those of a job.

use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Nosana;
use super::refusal::{NotYet, is_internal_error, is_worth_another_try, refused};
use super::replay;
use crate::http::{Request, Response};
use crate::session::Session;
use crate::session::jwt::Life;
use crate::words::error::{Cause, Error, Kind, Result};
use crate::words::object::Object;

/// By so much the server's clock corrects this machine's. A signature for a time further ahead would
/// be a login for whoever keeps it until then.
const CORRECTED: SignedDuration = SignedDuration::from_hours(24);

impl Nosana {
    /// `POST /login` with the signed challenge; once more by the server's clock where ours is off.
    pub(super) async fn sign_in(&self) -> Result<Session> {
        replay::warn(&self.endpoint, &self.services);
        let ours = Timestamp::now();
        let response = self.send_login(ours).await?;
        if response.status == StatusCode::BAD_REQUEST
            && response.words() == "timestamp expired"
            && let Some(theirs) = response.date()
        {
            let off = theirs.duration_since(ours);
            if off.abs() > CORRECTED {
                return Err(clocks(ours, theirs, response.error(Kind::Unauthenticated)));
            }
            let retried = self.send_login(theirs).await?;
            if retried.is_success() {
                return self.session(&retried);
            }
            return Err(clocks(ours, theirs, retried.error(Kind::Unauthenticated)));
        }
        if response.is_success() {
            return self.session(&response);
        }
        Err(self.login_error(&response))
    }

    async fn send_login(&self, at: Timestamp) -> Result<Response> {
        let keypair = self.keypair()?;
        let timestamp = at.as_second();
        let challenge = format!("nosana_secret_{timestamp}");
        // A login for whoever keeps it.
        let signature = keypair.sign(challenge.as_bytes());
        let mut body = serde_json::json!({
            "address": keypair.address(),
            "signature": signature,
            "timestamp": timestamp,
        });
        if let Some(job) = &self.job {
            body["job"] = job.as_str().into();
        }
        let url = self.endpoint.url(&["login"])?;
        // No Authorization here: the server checks that header on this route too, and a stale
        // token would spoil the login.
        let request = Request::new("log in", Method::POST, url)
            .repeatable()
            .transient(is_worth_another_try)
            .sensitive(&signature)
            .json(&body)?;
        self.endpoint.send(&request).await
    }

    fn session(&self, response: &Response) -> Result<Session> {
        #[derive(Deserialize)]
        struct Login {
            token: String,
        }
        let Object(Login { token }) = response.json()?;
        if token.is_empty() {
            return Err(response.nonsense("an empty token"));
        }
        let token = Zeroizing::new(token);
        let now = self.services.sessions.now();
        let ends = Life::of(&token).ends(now);
        Ok(Session::new(token, ends))
    }

    fn login_error(&self, response: &Response) -> Error {
        let words = response.words();
        let internal = is_internal_error(response.status, &response.body);
        match (&self.job, response.status) {
            // So it answers for a job that is not there, not claimed, or not seen by it yet.
            (Some(job), status)
                if internal
                    || (status == StatusCode::BAD_REQUEST
                        && words.starts_with("Could not find job")) =>
            {
                let error = response.error(Kind::NotFound).caused_by(Cause::Other);
                let error = error.context(format!("the server does not know the job {job}"));
                self.not_yet(error, "check the job's address, and that a node has claimed it")
            }
            (None, _) if internal => response.error(Kind::Unauthenticated).hint(
                "the server could not make sense of the login; is base_url a Nosana Secret Manager?",
            ),
            (Some(_), StatusCode::BAD_REQUEST) if words.starts_with("You did not claim") => {
                let error = response.error(Kind::Forbidden);
                self.not_yet(error, "the keypair must be that of the node that runs the job")
            }
            (Some(_), StatusCode::BAD_REQUEST) if words.starts_with("You do not own") => {
                response.error(Kind::Forbidden).hint(
                    "the job is finished: only the keypair that posted it can read what its result lists",
                )
            }
            (_, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                response.error(Kind::Unauthenticated)
            }
            _ => refused(response),
        }
    }

    /// `error`, which may end by itself, with what to do about it otherwise.
    pub(super) fn not_yet(&self, error: Error, otherwise: &str) -> Error {
        let error = error.made_of(NotYet);
        error.hint(match self.services.wait {
            None => format!(
                "{otherwise}; where it was claimed a moment ago, get, list, run and export wait for it with --wait"
            ),
            Some(_) => otherwise.to_owned(),
        })
    }
}

/// The error for two clocks that are too far apart: they are what is wrong, not the keypair.
fn clocks(ours: Timestamp, theirs: Timestamp, error: Error) -> Error {
    let error = match error.cause() {
        Cause::Refused => error.caused_by(Cause::Other),
        _ => error,
    };
    let off = theirs.duration_since(ours).as_secs();
    let whole = |time: Timestamp| Timestamp::from_second(time.as_second()).unwrap_or(time);
    let (ours, theirs) = (whole(ours), whole(theirs));
    let error = error.context(format!(
        "this machine's clock says {ours}, and the server's {theirs}"
    ));
    error.hint(format!(
        "this machine's clock is {} s {} the server's: set right the one that is wrong",
        off.unsigned_abs(),
        if off > 0 { "behind" } else { "ahead of" }
    ))
}
