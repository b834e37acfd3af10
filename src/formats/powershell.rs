//! Commands for PowerShell 5 and later: `$env:NAME = '…'`, one line each, in ASCII alone.
//!
//! A pipe into PowerShell is cut into lines, and Windows PowerShell decodes it by the console's
//! code page; so whatever is not printable ASCII is written by its number, `$([char]0x…)` for
//! each UTF-16 unit, in double quotes. PowerShell takes an empty value for "remove the variable",
//! so there is no writing one.

use zeroize::Zeroizing;

use super::format::Format::Powershell;
use super::format::Pair;
use super::text::{SecretText, cannot_hold, check_variable_name, variable_value};
use crate::words::error::Result;

pub(super) fn write(pairs: &[Pair]) -> Result<Zeroizing<Vec<u8>>> {
    let mut out = SecretText::with_room_for(pairs);
    for (name, value) in pairs {
        check_variable_name(name, Powershell)?;
        let value = variable_value(name, Powershell, value.expose())?;
        if value.is_empty() {
            return Err(cannot_hold(
                name,
                Powershell,
                "its value is empty, which PowerShell takes for a removed variable",
            ));
        }
        out.push_str("$env:");
        out.push_str(name);
        out.push_str(" = ");
        if value.bytes().all(is_printable) {
            out.push_str("'");
            for c in value.chars() {
                out.push_str(if c == '\'' { "'" } else { "" });
                out.push_char(c);
            }
            out.push_str("'\n");
        } else {
            push_double_quoted(&mut out, value);
            out.push_str("\n");
        }
    }
    Ok(out.into_bytes())
}

fn push_double_quoted(out: &mut SecretText, value: &str) {
    out.push_str("\"");
    for c in value.chars() {
        match c {
            '"' | '$' | '`' => {
                out.push_str("`");
                out.push_char(c);
            }
            c if c.is_ascii() && is_printable(c as u8) => out.push_char(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_fmt(format_args!("$([char]0x{unit:x})"));
                }
            }
        }
    }
    out.push_str("\"");
}

fn is_printable(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::secret::SecretValue;

    fn written(value: &str) -> Result<String> {
        let bytes = write(&[("A".to_owned(), SecretValue::from(value))])?;
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn printable_ascii_is_single_quoted() {
        assert_eq!(
            written("it's \"$x\" `y").unwrap(),
            "$env:A = 'it''s \"$x\" `y'\n"
        );
    }

    #[test]
    fn the_rest_is_written_by_number() {
        assert_eq!(
            written("a\r\n\"$`\u{2019}\u{1f600}").unwrap(),
            "$env:A = \"a$([char]0xd)$([char]0xa)`\"`$``$([char]0x2019)$([char]0xd83d)$([char]0xde00)\"\n"
        );
    }

    #[test]
    fn an_empty_value_is_refused() {
        assert!(written("").is_err());
    }
}
