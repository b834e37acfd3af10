//! Commands for POSIX shells (sh, dash, bash, zsh, ksh): `export NAME='value'`.
//!
//! Everything within single quotes stands for itself, so the only escape is the quote's own.

use zeroize::Zeroizing;

use super::format::Format::Shell;
use super::format::Pair;
use super::text::{SecretText, cannot_hold, check_variable_name, variable_value};
use crate::words::error::Result;

/// Variables that some shell sets itself or refuses to set, so that they would not keep a value.
const OWN: [&str; 26] = [
    "BASHOPTS",
    "BASHPID",
    "BASH_ARGV0",
    "BASH_COMMAND",
    "BASH_SUBSHELL",
    "BASH_VERSINFO",
    "COMP_WORDBREAKS",
    "DIRSTACK",
    "EGID",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "ERRNO",
    "EUID",
    "FUNCNAME",
    "GID",
    "GROUPS",
    "HISTCMD",
    "LINENO",
    "PIPESTATUS",
    "PPID",
    "RANDOM",
    "SECONDS",
    "SHELLOPTS",
    "SRANDOM",
    "UID",
    "_",
];

pub(super) fn write(pairs: &[Pair]) -> Result<Zeroizing<Vec<u8>>> {
    let mut out = SecretText::with_room_for(pairs);
    for (name, value) in pairs {
        check_variable_name(name, Shell)?;
        if OWN.contains(&name.as_str()) {
            let why = "shells keep that variable to themselves";
            return Err(cannot_hold(name, Shell, why).hint("map it with -e VAR=NAME"));
        }
        let value = variable_value(name, Shell, value.expose())?;
        out.push_str("export ");
        out.push_str(name);
        out.push_str("=");
        push_quoted(&mut out, value);
        out.push_str("\n");
    }
    Ok(out.into_bytes())
}

/// Appends `text` in single quotes.
pub(super) fn push_quoted(out: &mut SecretText, text: &str) {
    for (at, part) in text.split('\'').enumerate() {
        out.push_str(if at == 0 { "'" } else { "'\\''" });
        out.push_str(part);
    }
    out.push_str("'");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::secret::SecretValue;

    #[test]
    fn quotes_are_closed_escaped_and_reopened() {
        let pairs = [
            ("A".to_owned(), SecretValue::from("it's $x `y`\n")),
            ("B".to_owned(), SecretValue::from("")),
        ];
        let text = String::from_utf8(write(&pairs).unwrap().to_vec()).unwrap();
        assert_eq!(text, "export A='it'\\''s $x `y`\n'\nexport B=''\n");
    }

    #[test]
    fn what_a_shell_cannot_hold_is_refused() {
        for (name, value) in [
            ("a b", b"x".as_slice()),
            ("1A", b"x"),
            ("", b"x"),
            ("RANDOM", b"x"),
            ("A", b"hunter2\0"),
            ("A", b"hunter2\xff"),
        ] {
            let error = write(&[(name.to_owned(), SecretValue::new(value.to_vec()))]).unwrap_err();
            assert_eq!(error.kind(), crate::words::error::Kind::InvalidData);
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }
}
