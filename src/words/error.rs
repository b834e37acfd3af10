//! Kinds of failure, with the exit code and the JSON envelope each of them has.
//!
//! Every fallible function of the crate returns [`Result`]. An [`Error`] says what happened in a
//! sentence a user can act on, carries a hint where there is one, and never holds a secret value,
//! a credential or a token. Printing it is the work of `ui`.

use std::fmt;
use std::sync::Arc;

use serde_json::json;

use crate::words::withheld;

/// The kinds: each with its name, its exit code, its word in JSON, and a constructor of that name,
/// so that call sites read as what happened.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $code:literal, $word:ident;)*) => {
        /// What went wrong, in the terms scripts may depend on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[$doc])* $kind = $code,)*
        }

        impl Kind {
            /// The process's exit code for this kind.
            pub fn exit_code(self) -> u8 {
                self as u8
            }

            /// The word used for this kind in JSON.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Kind::$kind => stringify!($word),)*
                }
            }
        }

        impl Error {
            $(
                #[doc = concat!("An error of kind [`Kind::", stringify!($kind), "`].")]
                pub fn $word(message: impl Into<String>) -> Self {
                    Self::new(Kind::$kind, message)
                }
            )*
        }
    };
}

kinds! {
    /// Anything without a kind of its own; also "found something" for commands that look for faults.
    Failed = 1, failed;
    /// Wrong arguments, or input needed where none may be asked for.
    Usage = 2, usage;
    /// No such secret, group or store.
    NotFound = 3, not_found;
    /// No credential, a refused one, or an expired one that could not be renewed.
    Unauthenticated = 4, unauthenticated;
    /// The credential is good, the act is not allowed.
    Forbidden = 5, forbidden;
    /// It exists already, or changed underneath.
    Conflict = 6, conflict;
    /// This provider cannot do that.
    Unsupported = 7, unsupported;
    /// Network, TLS, timeout or 5xx, after the retries.
    Unavailable = 8, unavailable;
    /// 429 beyond the deadline.
    RateLimited = 9, rate_limited;
    /// Some items done, some not.
    Partial = 10, partial;
    /// A configuration is wrong.
    Config = 11, config;
    /// A checkout's configuration has not been trusted.
    Untrusted = 12, untrusted;
    /// A name or value that the backend cannot hold, an answer that makes no sense, a damaged vault.
    InvalidData = 13, invalid_data;
}

/// What a failure tells of the backend, for whoever decides how to go on without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    /// Nothing: it lies on this machine, or in what was asked for.
    #[default]
    Other,
    /// It could not be reached, or is itself at fault: network, TLS, 5xx, no answer in time.
    Unreachable,
    /// It has refused the credential, or what the credential is good for.
    Refused,
    /// It was never made: the first write makes it.
    NotMade,
    /// It was there and is not any more: a write begins it anew.
    Gone,
    /// It has no secret of the name that was given.
    NoSecret,
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure: its kind, what happened, what to do about it, and the store it concerns.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: Kind,
    cause: Cause,
    message: String,
    hint: Option<String>,
    store: Option<String>,
    /// What it was made of. Never printed: nobody has looked through what it says for secrets.
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that says `message`. The message is one sentence without a final stop. What
    /// the user gave and may be a key is left out of it ([`withheld::withhold`]), and out of hints.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            cause: Cause::Other,
            message: withheld::without_keys(message.into()),
            hint: None,
            store: None,
            source: None,
        }))
    }

    /// A file could not be read, written or changed: `what` names the act and the file.
    pub fn io(what: impl fmt::Display, error: std::io::Error) -> Self {
        Self::failed(format!("{what}: {}", io_reason(&error))).made_of(error)
    }

    /// The same error with what it was made of as its [source](std::error::Error::source).
    pub fn made_of(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// The same error with a hint at what to do. `{store}` in it stands for the store that the error
    /// will [concern](Self::store).
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(withheld::without_keys(hint.into()));
        self
    }

    /// The same error with a hint besides the one that it may have.
    pub fn also_hint(self, hint: impl fmt::Display) -> Self {
        let hint = match self.hint_text() {
            Some(first) => format!("{first}; {hint}"),
            None => hint.to_string(),
        };
        self.hint(hint)
    }

    /// The same error, said to have this cause.
    pub fn caused_by(mut self, cause: Cause) -> Self {
        self.0.cause = cause;
        self
    }

    /// The same error, said to concern the store `name`, unless it names one already.
    pub fn store(mut self, name: impl Into<String>) -> Self {
        let store = self.0.store.get_or_insert_with(|| name.into());
        if let Some(hint) = &mut self.0.hint {
            *hint = hint.replace("{store}", store);
        }
        self
    }

    /// The same error with `prefix: ` before its message.
    pub fn context(mut self, prefix: impl fmt::Display) -> Self {
        let message = format!("{prefix}: {}", self.0.message);
        self.0.message = withheld::without_keys(message);
        self
    }

    /// The kind of failure.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What it tells of the backend.
    pub fn cause(&self) -> Cause {
        self.0.cause
    }

    /// Whether what it concerns is not there, and a write makes it.
    pub fn is_absence(&self) -> bool {
        matches!(self.cause(), Cause::NotMade | Cause::Gone)
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The store it concerns.
    pub fn store_name(&self) -> Option<&str> {
        self.0.store.as_deref()
    }

    /// The document `--json` prints on stderr.
    pub fn to_json(&self) -> serde_json::Value {
        let mut error = serde_json::Map::new();
        error.insert("kind".into(), json!(self.kind().as_str()));
        error.insert("message".into(), json!(self.message()));
        if let Some(hint) = self.hint_text() {
            error.insert("hint".into(), json!(hint));
        }
        if let Some(store) = self.store_name() {
            error.insert("store".into(), json!(store));
        }
        json!({ "error": error })
    }
}

/// The reason of an I/O error without the operating system's number.
pub fn io_reason(error: &std::io::Error) -> String {
    // What it says on Unix; Windows has other sentences.
    if cfg!(windows) && error.raw_os_error().is_some() {
        match error.kind() {
            std::io::ErrorKind::NotFound => return "no such file or directory".to_owned(),
            std::io::ErrorKind::PermissionDenied => return "permission denied".to_owned(),
            _ => {}
        }
    }
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].trim_end_matches('.').to_lowercase(),
        None => text,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("cause", &self.0.cause)
            .field("message", &self.0.message)
            .field("hint", &self.0.hint)
            .field("store", &self.0.store)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn an_error_keeps_its_source_and_does_not_print_it() {
        let source = io::Error::new(io::ErrorKind::PermissionDenied, "hunter2");
        let error = Error::failed("cannot read it").made_of(source).context("x");
        let kept = std::error::Error::source(&error).and_then(|it| it.downcast_ref::<io::Error>());
        assert_eq!(
            kept.map(io::Error::kind),
            Some(io::ErrorKind::PermissionDenied)
        );
        assert!(!format!("{error} {error:?} {}", error.to_json()).contains("hunter2"));
        let error = Error::io("cannot read it", io::Error::from_raw_os_error(2));
        assert_eq!(error.message(), "cannot read it: no such file or directory");
        assert!(std::error::Error::source(&error.clone()).is_some());
    }

    #[test]
    fn json_leaves_absent_fields_out() {
        let bare = Error::failed("it broke").to_json();
        assert_eq!(
            bare,
            json!({"error": {"kind": "failed", "message": "it broke"}})
        );
        let full = Error::not_found("no X")
            .hint("try Y")
            .store("web")
            .to_json();
        assert_eq!(
            full,
            json!({"error": {"kind": "not_found", "message": "no X", "hint": "try Y", "store": "web"}})
        );
    }

    #[test]
    fn the_first_store_named_stays() {
        let error = Error::failed("x").store("inner").store("outer");
        assert_eq!(error.store_name(), Some("inner"));
    }
}
