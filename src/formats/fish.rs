//! Commands for fish: `set -gx NAME 'value'`, where `\\` and `\'` are the only escapes.

use zeroize::Zeroizing;

use super::format::Format::Fish;
use super::format::Pair;
use super::text::{SecretText, cannot_hold, check_variable_name, variable_value};
use crate::words::error::Result;

/// Variables that fish sets itself and does not let anybody change, or keep.
const OWN: [&str; 14] = [
    "FISH_VERSION",
    "PWD",
    "SHLVL",
    "_",
    "argv",
    "fish_kill_signal",
    "fish_killring",
    "fish_pid",
    "history",
    "hostname",
    "pipestatus",
    "status",
    "umask",
    "version",
];

pub(super) fn write(pairs: &[Pair]) -> Result<Zeroizing<Vec<u8>>> {
    let mut out = SecretText::with_room_for(pairs);
    for (name, value) in pairs {
        check_variable_name(name, Fish)?;
        if OWN.contains(&name.as_str()) {
            let why = "fish keeps that variable to itself";
            return Err(cannot_hold(name, Fish, why).hint("map it with -e VAR=NAME"));
        }
        let value = variable_value(name, Fish, value.expose())?;
        out.push_str("set -gx ");
        out.push_str(name);
        out.push_str(" '");
        for c in value.chars() {
            if c == '\'' || c == '\\' {
                out.push_str("\\");
            }
            out.push_char(c);
        }
        out.push_str("'\n");
    }
    Ok(out.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::secret::SecretValue;

    #[test]
    fn quotes_and_backslashes_are_escaped() {
        let pairs = [("A".to_owned(), SecretValue::from("it's \\n $x\n"))];
        let text = String::from_utf8(write(&pairs).unwrap().to_vec()).unwrap();
        assert_eq!(text, "set -gx A 'it\\'s \\\\n $x\n'\n");
        let own = [("status".to_owned(), SecretValue::from("1"))];
        assert!(write(&own).is_err());
    }
}
