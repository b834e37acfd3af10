//! The way to servers: proxies and certificates in effect, and clocks that differ.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use reqwest::Url;

use super::finding::Finding;
use crate::http::proxy;
use crate::words::env::Environment;
use crate::words::shown::ShownPath as _;

/// Servers compare times to the minute at the strictest; half of that is no reason to worry.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(30);

/// What the environment says of the way to servers.
pub(super) fn settings(env: &Environment) -> Vec<Finding> {
    let mut found = vec![proxy_in_use(env)];
    found.extend(certificates(env));
    found
}

fn proxy_in_use(env: &Environment) -> Finding {
    const CHECK: &str = "proxy";
    let first = |names: &'static [&'static str]| {
        names.iter().find_map(|name| Some((*name, env.var(name)?)))
    };
    let Some((variable, text)) = first(&proxy::VARIABLES) else {
        return Finding::ok(CHECK, "", "no variable sets one");
    };
    let url = proxy::address(text);
    let host = url.as_ref().and_then(Url::host_str);
    let (Some(url), Some(host)) = (&url, host) else {
        return Finding::warning(
            CHECK,
            variable,
            "it is no address, and servers are reached directly",
        )
        .hint(format!("write it as {variable}=http://HOST:PORT"));
    };
    if !["http", "https"].contains(&url.scheme()) {
        let scheme = url.scheme();
        return Finding::fault(
            CHECK,
            variable,
            format!("keyfob cannot use a {scheme} proxy"),
        )
        .hint("name an http or https proxy, or leave the variable out for keyfob");
    }
    let mut shown = format!("{}://{host}", url.scheme());
    if let Some(port) = url.port() {
        shown.push_str(&format!(":{port}"));
    }
    // Neither name nor password is shown: either may be the secret.
    if !url.username().is_empty() || url.password().is_some() {
        shown.push_str(" with a password");
    }
    if let Some((_, hosts)) = first(&proxy::DIRECT) {
        shown.push_str(&format!(", but directly to {hosts}"));
    }
    Finding::ok(CHECK, variable, shown)
}

/// The file that replaces the system's certificate authorities, where one is named.
fn certificates(env: &Environment) -> Option<Finding> {
    const CHECK: &str = "certificates";
    const VARIABLE: &str = "SSL_CERT_FILE";
    let path = env.resolve(env.var(VARIABLE)?, env.cwd());
    Some(match std::fs::File::open(&path) {
        Ok(_) => Finding::ok(CHECK, VARIABLE, path.shown().exact()),
        Err(error) => Finding::fault(
            CHECK,
            VARIABLE,
            format!(
                "{}: {}",
                path.shown(),
                crate::words::error::io_reason(&error)
            ),
        )
        .hint(format!("correct {VARIABLE}, or leave it out")),
    })
}

/// How far the servers' clocks are from this machine's.
pub(super) fn clocks(ahead: &BTreeMap<String, SignedDuration>) -> Vec<Finding> {
    const CHECK: &str = "clock";
    ahead
        .iter()
        .map(|(host, ahead)| {
            let seconds = ahead.as_secs().unsigned_abs();
            if ahead.abs() <= TOLERANCE {
                return Finding::ok(
                    CHECK,
                    host,
                    format!("within {} s of the server's", seconds.max(1)),
                );
            }
            let direction = if ahead.is_positive() {
                "behind"
            } else {
                "ahead of"
            };
            Finding::warning(
                CHECK,
                host,
                format!("this machine's clock is {seconds} s {direction} the server's"),
            )
            .hint("set this machine's clock right: tokens and signatures depend on it")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    fn proxied(vars: &[(&str, &str)]) -> Finding {
        proxy_in_use(&Environment::from_vars(vars.iter().copied(), "/"))
    }

    #[test]
    fn the_proxy_that_counts_is_told_without_its_password() {
        let finding = proxied(&[
            ("ALL_PROXY", "http://other:1"),
            ("https_proxy", "http://me:hunter2@proxy.example.com:3128/x"),
            ("NO_PROXY", "localhost,.internal"),
        ]);
        assert_eq!(
            finding,
            Finding::ok(
                "proxy",
                "https_proxy",
                "http://proxy.example.com:3128 with a password, but directly to localhost,.internal"
            )
        );
        assert_eq!(
            proxied(&[("ALL_PROXY", "proxy:3128")]).detail,
            "http://proxy:3128"
        );
        assert_eq!(
            proxied(&[("HTTP_PROXY", "http://x")]).detail,
            "no variable sets one"
        );
    }

    #[test]
    fn proxies_that_cannot_be_used_are_told() {
        for (text, status) in [
            ("http://", Status::Warning),
            ("hunter2:hunter2@", Status::Warning),
            ("socks5://localhost:9", Status::Fault),
        ] {
            let finding = proxied(&[("HTTPS_PROXY", text)]);
            assert_eq!(finding.status, status, "{text}");
            assert!(!format!("{finding:?}").contains("hunter2"), "{finding:?}");
        }
    }

    #[test]
    fn clocks_are_told_with_their_direction() {
        let clock = |seconds| {
            let ahead = BTreeMap::from([("h".to_owned(), SignedDuration::from_secs(seconds))]);
            clocks(&ahead).remove(0)
        };
        assert_eq!(clock(0).status, Status::Ok);
        assert_eq!(clock(-30).status, Status::Ok);
        assert!(clock(31).detail.contains("31 s behind"));
        assert!(clock(-7200).detail.contains("7200 s ahead of"));
        assert_eq!(clock(-7200).status, Status::Warning);
    }
}
