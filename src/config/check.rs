//! Rules for single values, wherever they come from: base URLs, choices, lists.

use zeroize::Zeroizing;

use super::schema::{Field, Shape};
use crate::words::word::{Word, listed};

/// A field's value after its shape was checked.
#[derive(Clone)]
pub(super) enum Value {
    /// Of every shape but a list. Wiped on drop, as it may be a credential.
    Text(Zeroizing<String>),
    /// Of the shape [`Shape::List`].
    List(Vec<String>),
}

/// Checks `text`, which stands in the environment or is to be written to a file, against the
/// shape of `field`, and brings it into its normal form.
///
/// # Errors
/// What is wrong with it, fit for "`NAME` …"; never the text itself.
pub(super) fn value(field: &Field, text: &str) -> Result<Value, String> {
    match field.shape {
        Shape::List => Ok(Value::List(split_list(text))),
        Shape::Url => Ok(Value::Text(base_url(text)?.into())),
        Shape::Choice(words) => match words.contains(&text) {
            true => Ok(Value::Text(text.to_owned().into())),
            false => Err(format!("must be {}", alternatives(words))),
        },
        Shape::Text | Shape::Path => Ok(Value::Text(text.to_owned().into())),
    }
}

/// The elements of a list written as one text: its lines, or what stands between the commas where
/// there is but one line. Written in lines, an element may hold commas, as the comments of SSH
/// keys do.
pub(super) fn split_list(text: &str) -> Vec<String> {
    let separator = if text.trim().contains('\n') {
        '\n'
    } else {
        ','
    };
    text.split(separator)
        .map(str::trim)
        .filter(|element| !element.is_empty())
        .map(str::to_owned)
        .collect()
}

/// `text` as a base URL without a slash at its end.
///
/// # Errors
/// What is wrong with it, fit for "`NAME` …"; never the URL itself, which may hold a password.
pub fn base_url(text: &str) -> Result<String, String> {
    // What a file or a paste leaves around it.
    let text = text.trim();
    // The parser forgives these; a configuration that needs forgiving is a mistake.
    let has_scheme = |scheme: &str| {
        let head = text.get(..scheme.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    };
    let scheme_ok = has_scheme("https://") || has_scheme("http://");
    if !scheme_ok || text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err("must be a URL that begins with https://".to_owned());
    }
    let url = reqwest::Url::parse(text).map_err(|error| format!("is no URL: {error}"))?;
    let authority = &text[text.find("://").map_or(0, |at| at + 3)..];
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("must not hold a user name or a password".to_owned());
    }
    if text.contains(['?', '#']) {
        return Err("must not hold a query or a fragment".to_owned());
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err("must begin with https://; plain http:// is for loopback only".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Whether `url` leads to this machine and nowhere else, by its text alone.
fn is_loopback(url: &reqwest::Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// "a, b or c".
pub(super) fn alternatives(words: &[&str]) -> String {
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((last, _)) => (*last).to_owned(),
        None => "nothing".to_owned(),
    }
}

/// The one of `known` that `word` is most likely a slip of, if any is near enough.
pub fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}

/// "did you mean x?" where something of `known` is near `word`, else "the WHAT are a, b, c".
pub fn did_you_mean(word: &str, what: &str, known: &[&str]) -> String {
    match suggest(word, known.iter().copied()) {
        Some(near) => format!("did you mean {}?", Word(near)),
        None if known.is_empty() => format!("there are no {what}"),
        None => format!("the {what} are {}", listed(known.iter().copied())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn base_urls_lose_the_slash_at_their_end() {
        for (text, normal) in [
            ("https://api.example.com", "https://api.example.com"),
            ("https://api.example.com/", "https://api.example.com"),
            (
                "https://API.example.com:443/x//",
                "https://api.example.com/x",
            ),
            ("http://localhost:8080/", "http://localhost:8080"),
            ("http://127.9.8.7:1/v1", "http://127.9.8.7:1/v1"),
            ("http://[::1]:9", "http://[::1]:9"),
            ("HTTPS://api.example.com", "https://api.example.com"),
            ("Http://localhost:1", "http://localhost:1"),
            (" https://api.example.com/\r\n", "https://api.example.com"),
        ] {
            assert_eq!(base_url(text).as_deref(), Ok(normal), "{text}");
        }
    }

    #[test]
    fn base_urls_that_leak_or_mislead_are_refused() {
        let begin = "must be a URL that begins with https://";
        let plain = "must begin with https://; plain http:// is for loopback only";
        let user = "must not hold a user name or a password";
        let query = "must not hold a query or a fragment";
        for (text, why) in [
            ("api.example.com", begin),
            ("ftp://example.com", begin),
            ("https:example.com", begin),
            ("https:\\\\example.com", begin),
            ("https://exa mple.com", begin),
            ("https://exam\tple.com", begin),
            ("http://example.com", plain),
            ("http://localhost.example.com", plain),
            ("http://127.0.0.1.example.com", plain),
            ("http://10.0.0.1", plain),
            ("http://0.0.0.0", plain),
            ("http://[::2]", plain),
            ("https://u:hunter2@example.com", user),
            ("https://token@example.com", user),
            ("https://@example.com", user),
            ("http://localhost@example.com", user),
            ("https://example.com?x=1", query),
            ("https://example.com/#x", query),
            ("https://example.com/?", query),
            ("https://", "is no URL: empty host"),
            (
                "https://example.com:99999",
                "is no URL: invalid port number",
            ),
        ] {
            assert_eq!(base_url(text), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn lists_are_split_at_lines_or_else_at_commas() {
        assert_eq!(split_list("a, b,,c "), ["a", "b", "c"]);
        assert_eq!(
            split_list("ssh-ed25519 AAAA a,b\nage1x\n"),
            ["ssh-ed25519 AAAA a,b", "age1x"]
        );
        assert_eq!(split_list("a,b\n"), ["a", "b"]);
    }

    #[test]
    fn slips_are_recognised() {
        assert_eq!(suggest("projct", ["team", "project"]), Some("project"));
        assert_eq!(suggest("Project", ["team", "project"]), Some("project"));
        assert_eq!(
            suggest("generator", ["generate", "every"]),
            Some("generate")
        );
        assert_eq!(suggest("zebra", ["team", "project"]), None);
    }

    proptest! {
        #[test]
        fn normal_base_urls_stay_as_they_are(text in "https?://[a-z0-9.:@\\[\\]]{0,12}(/[a-z/%?#]{0,8})?|\\PC{0,16}") {
            if let Ok(normal) = base_url(&text) {
                prop_assert!(!normal.ends_with('/'));
                prop_assert_eq!(base_url(&normal), Ok(normal.clone()));
            }
        }
    }
}
