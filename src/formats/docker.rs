//! A file for `docker run --env-file`: NAME=value lines without any quoting, so that a value runs
//! to the end of its line and cannot hold one.

use zeroize::Zeroizing;

use super::format::Format::Docker;
use super::format::Pair;
use super::text::{SecretText, cannot_hold, check_variable_name, variable_value};
use crate::words::error::Result;

/// The longest line that Docker's reader takes, its newline included, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

pub(super) fn write(pairs: &[Pair]) -> Result<Zeroizing<Vec<u8>>> {
    let mut out = SecretText::with_room_for(pairs);
    for (name, value) in pairs {
        check_variable_name(name, Docker)?;
        let value = variable_value(name, Docker, value.expose())?;
        let why = if value.contains('\n') {
            Some("its value has several lines")
        } else if value.ends_with('\r') {
            Some("its value ends in a carriage return, which docker drops")
        } else if name.len() + value.len() + 2 > LONGEST_LINE {
            Some("its line is longer than the 64 KiB that docker reads")
        } else {
            None
        };
        if let Some(why) = why {
            return Err(cannot_hold(name, Docker, why)
                .hint("mount it as a file, or let keyfob run start the container with -e NAME"));
        }
        out.push_str(name);
        out.push_str("=");
        out.push_str(value);
        out.push_str("\n");
    }
    Ok(out.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::secret::SecretValue;

    #[test]
    fn values_stand_as_they_are() {
        let pairs = [
            (
                "A".to_owned(),
                SecretValue::from("  'x' \"$y\" \\z # = \r w "),
            ),
            ("B".to_owned(), SecretValue::from("")),
        ];
        let text = String::from_utf8(write(&pairs).unwrap().to_vec()).unwrap();
        assert_eq!(text, "A=  'x' \"$y\" \\z # = \r w \nB=\n");
    }

    #[test]
    fn what_a_line_cannot_hold_is_refused() {
        for value in ["hunter2\n", "hunter2\r", "a\nb", "\0"] {
            let error = write(&[("A".to_owned(), SecretValue::from(value))]).unwrap_err();
            assert_eq!(error.kind(), crate::words::error::Kind::InvalidData);
            assert!(!format!("{error:?}").contains("hunter2"));
        }
        let longest = "x".repeat(LONGEST_LINE - 3);
        assert!(write(&[("A".to_owned(), SecretValue::from(longest.clone()))]).is_ok());
        assert!(write(&[("AB".to_owned(), SecretValue::from(longest))]).is_err());
    }
}
