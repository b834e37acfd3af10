//! Running the command that prints a credential (`api_key_command` and its like).

use zeroize::Zeroizing;

use crate::words::error::{Error, Result};
use crate::words::shell::{Script, Trouble};

/// No credential is longer; what is, is the wrong command's output.
const MAX_OUTPUT: usize = 64 * 1024;

/// What `script` prints, without one newline at the end. Whoever makes it gives it nothing to read,
/// as standard input may be the value of a secret.
///
/// # Errors
/// `unauthenticated` where it cannot be run, fails, or prints nothing or no text; `unavailable`
/// where the deadline passes first, upon which it is ended. Neither the command nor its output is
/// repeated, only the name of its `field`.
pub(super) async fn output(field: &str, script: &Script<'_>) -> Result<Zeroizing<Vec<u8>>> {
    let failed = |what: &str| {
        Error::unauthenticated(format!("{field} {what}"))
            .hint(format!("run the command that {field} holds by hand to see what it says; it must print the credential alone"))
    };
    let bytes = script
        .output(MAX_OUTPUT)
        .await
        .map_err(|trouble| match trouble {
            Trouble::TimedOut => Error::unavailable(format!("{field} {}", trouble.words()))
                .hint("--timeout sets how long the whole command may take"),
            Trouble::TooLong => failed("printed more than a credential"),
            trouble => failed(&trouble.words()),
        })?;
    let text = std::str::from_utf8(&bytes).map_err(|_| failed("printed no text"))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(failed("printed nothing"));
    }
    Ok(Zeroizing::new(text.as_bytes().to_vec()))
}

#[cfg(all(test, unix))]
mod tests {
    use std::collections::BTreeSet;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::words::env::Environment;
    use crate::words::error::Kind;

    fn env() -> Environment {
        Environment::from_vars(
            [
                ("PATH", std::env::var("PATH").unwrap()),
                ("KEPT", "kept".to_owned()),
                ("NEO_API_KEY", "hunter2".to_owned()),
            ],
            std::env::temp_dir(),
        )
    }

    async fn run(text: &str) -> Result<String> {
        within(None, text).await
    }

    async fn within(limit: Option<Duration>, text: &str) -> Result<String> {
        let script = Script {
            text,
            folder: None,
            env: &env(),
            withheld: &BTreeSet::from(["NEO_API_KEY".to_owned()]),
            vars: Vec::new(),
            stdin: None,
            deadline: limit.map(|limit| Instant::now() + limit),
        };
        let printed = output("api_key_command", &script).await?;
        Ok(String::from_utf8(printed.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn one_newline_is_dropped() {
        assert_eq!(run("printf 'abc\\n'").await.unwrap(), "abc");
        assert_eq!(run("printf 'abc\\r\\n'").await.unwrap(), "abc");
        assert_eq!(run("printf 'abc\\n\\n'").await.unwrap(), "abc\n");
        assert_eq!(run("printf abc").await.unwrap(), "abc");
    }

    #[tokio::test]
    async fn it_sees_the_environment_but_no_credentials_and_no_input() {
        let seen = run("echo \"$KEPT,$NEO_API_KEY,$(cat)\"").await.unwrap();
        assert_eq!(seen, "kept,,");
    }

    #[tokio::test]
    async fn failures_name_the_field_and_nothing_else() {
        for text in [
            "echo hunter2; exit 3",
            "true",
            "echo",
            "printf '\\377'",
            "kill -9 $$",
            "head -c 70000 /dev/zero | tr '\\0' x",
            "no-such-program-hunter2 2>/dev/null",
        ] {
            let error = run(text).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Unauthenticated, "{text}");
            assert!(error.message().starts_with("api_key_command "), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn the_deadline_ends_it() {
        let begun = Instant::now();
        let limit = Some(Duration::from_millis(100));
        let error = within(limit, "exec sleep 60").await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
