//! Whether the system starts a command with as much as it is to be given: what is too much is told by
//! the secrets that make it so, before anything is started.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use rustix::param::page_size;
use rustix::process::{Resource, getrlimit};

use crate::words::error::{Error, Result};
use crate::words::secret::SecretValue;
use crate::words::word::listed;

/// Linux takes 32 pages for one argument or variable, whatever else is set (execve(2)).
const PAGES_OF_ONE: usize = 32;
/// It takes no more than this for all of them together, and no less, whatever the stack's limit is.
const ALL: std::ops::RangeInclusive<usize> = 128 * 1024..=6 * 1024 * 1024;
/// How many of the largest secrets are named.
const NAMED: usize = 3;

/// Checks that `command` can be started with the variables `vars`, of which `secrets` are keyfob's
/// doing.
///
/// # Errors
/// `invalid_data` that names the secrets that are too large and the system's limit.
pub fn check(
    command: &[OsString],
    vars: &BTreeMap<OsString, OsString>,
    secrets: &BTreeMap<String, SecretValue>,
) -> Result<()> {
    let given = |name: &&String| vars.contains_key(OsStr::new(name));
    let mut sizes: Vec<(&String, usize)> = secrets
        .iter()
        .filter(|(name, _)| given(name))
        .map(|(name, value)| (name, name.len() + value.expose().len() + "=\0".len()))
        .collect();
    sizes.sort_by_key(|(_, size)| std::cmp::Reverse(*size));

    let one = PAGES_OF_ONE * page_size();
    let large = sizes.iter().take_while(|(_, size)| *size > one);
    let large: Vec<&str> = large.map(|(name, _)| name.as_str()).collect();
    if !large.is_empty() {
        return Err(Error::invalid_data(format!(
            "too large for an environment variable, which holds {} at most here: {}",
            kib(one),
            listed(large)
        ))
        .hint("leave it out with --except, and give it to the command as a file or on stdin"));
    }

    // A quarter of the stack, for the strings and the pointers to them.
    let stack = getrlimit(Resource::Stack).current;
    let stack = stack.map_or(usize::MAX, |bytes| {
        usize::try_from(bytes).unwrap_or(usize::MAX)
    });
    let most = (stack / 4).clamp(*ALL.start(), *ALL.end());
    let pointer = size_of::<usize>();
    let strings = command.iter().map(|argument| argument.len() + 1 + pointer);
    let pairs = vars.iter();
    let pairs = pairs.map(|(name, value)| name.len() + value.len() + "=\0".len() + pointer);
    let all: usize = strings.chain(pairs).sum();
    if all > most && !sizes.is_empty() {
        let largest: Vec<&str> = sizes
            .iter()
            .take(NAMED)
            .map(|(name, _)| name.as_str())
            .collect();
        return Err(Error::invalid_data(format!(
            "the command's arguments and environment are {} together, and this system starts a command \
             with {} at most; the largest secrets are {}",
            kib(all),
            kib(most),
            listed(largest)
        ))
        .hint("choose with --only or --except"));
    }
    Ok(())
}

fn kib(bytes: usize) -> String {
    format!("{} KiB", bytes.div_ceil(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(secrets: &[(&str, usize)]) -> Option<String> {
        let secrets: BTreeMap<String, SecretValue> = secrets
            .iter()
            .map(|(name, size)| ((*name).to_owned(), SecretValue::new(vec![b'x'; *size])))
            .collect();
        let vars = secrets.iter();
        let vars = vars.map(|(name, value)| (name.into(), "x".repeat(value.expose().len()).into()));
        let error = check(&["true".into()], &vars.collect(), &secrets).err()?;
        Some(error.message().to_owned())
    }

    #[test]
    fn what_is_too_large_is_named() {
        let one = PAGES_OF_ONE * page_size();
        assert_eq!(told(&[("A", one - 3)]), None);
        let message = told(&[("A", one - 2), ("B", 1)]).unwrap();
        assert!(message.ends_with("at most here: A"), "{message}");
    }

    #[test]
    fn many_that_are_too_much_together_are_told_by_the_largest() {
        let names: Vec<String> = (0..80).map(|at| format!("N{at:02}")).collect();
        let mut many: Vec<(&str, usize)> =
            names.iter().map(|name| (name.as_str(), 100_000)).collect();
        many[7].1 += 1;
        let message = told(&many).unwrap();
        assert!(
            message.contains("the largest secrets are N07, N00, "),
            "{message}"
        );
    }
}
