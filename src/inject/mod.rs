//! Templates for `inject`: texts of any kind with placeholders for secrets in them.
//!
//! `{{ keyfob://STORE/NAME }}` stands for a secret, `{{ VAR }}` for a variable that a selection
//! brings, `{{ keyfob:{{ }}` for `{{`; filters follow behind `|`. Everything else, other tools'
//! placeholders too, is passed on byte for byte. Where values come from is the command's affair.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use crate::formats::Filter;
use crate::words::error::{Error, Result};
use crate::words::secret::{Reference, SecretValue};
use crate::words::text::{self, is_variable_name};

pub mod places;

use places::{Place, Places, find};

const OPEN: &[u8] = b"{{";
const CLOSE: &[u8] = b"}}";

/// How a placeholder begins that is keyfob's, well-formed or not.
const OWN: &[u8] = b"keyfob:";

/// What stands inside the braces for the braces themselves.
const LITERAL: &str = "keyfob:{{";

/// A template, taken apart.
pub struct Template<'t> {
    name: &'t str,
    bytes: &'t [u8],
    places: Places<'t, Subject<'t>>,
}

/// What a placeholder stands for.
enum Subject<'t> {
    /// A secret.
    Secret(Reference),
    /// A variable, if there is one of this name; otherwise the placeholder is text.
    Variable(&'t str),
}

impl<'t> Template<'t> {
    /// Takes `bytes` apart; `name` is what errors call the template.
    ///
    /// # Errors
    /// `usage`, with line and column, for a placeholder of keyfob's that is malformed.
    pub fn parse(name: &'t str, bytes: &'t [u8]) -> Result<Self> {
        let places = Places::parse(bytes, OPEN, |at| {
            placeholder(bytes, at).map_err(|error| placed(name, bytes, at, error))
        });
        Ok(Self {
            name,
            bytes,
            places: places?,
        })
    }

    /// The secrets it refers to.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.placed_references().map(|(reference, _)| reference)
    }

    /// The same, each with where it stands.
    fn placed_references(&self) -> impl Iterator<Item = (&Reference, usize)> {
        self.places
            .iter()
            .filter_map(|(subject, place)| match subject {
                Subject::Secret(reference) => Some((reference, place.at)),
                Subject::Variable(_) => None,
            })
    }

    /// The names in it that variables could have.
    pub fn variables(&self) -> BTreeSet<&str> {
        let variables = self.places.iter().filter_map(|(subject, _)| match subject {
            Subject::Variable(name) => Some(*name),
            Subject::Secret(_) => None,
        });
        variables.collect()
    }

    /// `error`, with the place of the first reference that is `concerned`.
    pub fn at_reference(&self, error: Error, concerned: impl Fn(&Reference) -> bool) -> Error {
        let mut references = self.placed_references();
        match references.find(|(reference, _)| concerned(reference)) {
            Some((_, at)) => placed(self.name, self.bytes, at, error),
            None => error,
        }
    }

    /// The template with values in the places of its placeholders. A name that `variable` knows
    /// nothing of is no placeholder and stays as it is.
    ///
    /// # Errors
    /// With line and column, what `secret` fails with, and `invalid_data` where a filter cannot
    /// write a value.
    pub fn fill<'v>(
        &self,
        secret: impl Fn(&Reference) -> Result<&'v SecretValue>,
        variable: impl Fn(&str) -> Option<&'v SecretValue>,
    ) -> Result<Zeroizing<Vec<u8>>> {
        self.places.fill(|subject, place| {
            let value = match subject {
                Subject::Secret(reference) => secret(reference)
                    .and_then(|value| place.filtered(reference.name.as_str(), value))
                    .map(Some),
                Subject::Variable(name) => variable(name)
                    .map(|value| place.filtered(name, value))
                    .transpose(),
            };
            value.map_err(|error| placed(self.name, self.bytes, place.at, error))
        })
    }
}

fn placed(name: &str, bytes: &[u8], at: usize, error: Error) -> Error {
    error.context(format!("{name}:{}", text::Place::of(bytes, at)))
}

/// The placeholder whose braces open at `at` and how many bytes it takes; `None` where there is
/// none.
fn placeholder(bytes: &[u8], at: usize) -> Result<Option<(Place<'_, Subject<'_>>, usize)>> {
    let inside = &bytes[at + OPEN.len()..];
    let own = inside.trim_ascii_start().starts_with(OWN);
    let malformed = |what: &str| match own {
        true => Err(Error::usage(format!("the placeholder is {what}"))),
        false => Ok(None),
    };
    let line = inside.split(|byte| *byte == b'\n').next();
    let Some(end) = find(line.unwrap_or_default(), CLOSE) else {
        return malformed("not closed by }} on its line");
    };
    let length = OPEN.len() + end + CLOSE.len();
    let Ok(inside) = std::str::from_utf8(&inside[..end]) else {
        return malformed("not UTF-8 text");
    };
    if inside.trim() == LITERAL {
        return Ok(Some((Place::text(at, OPEN), length)));
    }
    let mut words = inside.split('|').map(str::trim);
    let subject = words.next().unwrap_or_default();
    let filters: Result<Vec<Filter>> = words.map(str::parse).collect();
    let subject = match own {
        true => Subject::Secret(subject.parse()?),
        false if filters.is_ok() && is_variable_name(subject) => Subject::Variable(subject),
        false => return Ok(None),
    };
    let place = Place {
        at,
        text: &bytes[at..at + length],
        subject: Some(subject),
        filters: filters?,
    };
    Ok(Some((place, length)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::words::error::Kind;

    /// The template filled with the name of each secret, doubled, and with one variable `V`.
    fn filled(template: &[u8]) -> Result<Vec<u8>> {
        let parsed = Template::parse("t", template)?;
        let values: BTreeMap<String, SecretValue> = parsed
            .references()
            .map(|reference| reference.name.as_str())
            .map(|name| (name.to_owned(), SecretValue::from(name.repeat(2))))
            .collect();
        let variable = SecretValue::from("the variable");
        let text = parsed.fill(
            |reference| match values.get(reference.name.as_str()) {
                Some(_) if reference.store.as_str() == "empty" => Err(Error::not_found("none")),
                Some(value) => Ok(value),
                None => Err(Error::not_found("none")),
            },
            |name| (name == "V").then_some(&variable),
        )?;
        Ok(text.to_vec())
    }

    fn text(template: &str) -> String {
        String::from_utf8(filled(template.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn placeholders_are_filled() {
        assert_eq!(text("a {{ keyfob://s/x }} b"), "a xx b");
        assert_eq!(text("{{keyfob://s/x}}{{\tkeyfob://s/y  }}"), "xxyy");
        assert_eq!(text("{{ keyfob://s/a%20b%7D%7C }}"), "a b}|a b}|");
        assert_eq!(text("{{ keyfob://s/x\" | json }}"), r#""x\"x\"""#);
        assert_eq!(text("{{ keyfob://s/x|json|base64 }}"), "Inh4Ig==");
        assert_eq!(text("{\"a\":{{ keyfob://s/x | json }}}"), "{\"a\":\"xx\"}");
        assert_eq!(text("{{{ keyfob://s/x }}}"), "{xx}");
        assert_eq!(
            text("{{ V }}, {{V|base64}}"),
            "the variable, dGhlIHZhcmlhYmxl"
        );
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        for template in [
            "",
            "{{",
            "{{ }}",
            "{{ other }}",
            "{{ .Values.x }} {{- if V }}",
            "{{ V | upper }}",
            "{{ \"keyfob://s/x\" }}",
            "{{{{raw}}}} {{{{/raw}}}}",
            "keyfob://s/x",
            "{ {keyfob://s/x} }",
            "{{\nkeyfob }}",
        ] {
            assert_eq!(text(template), template);
        }
        let bytes = b"\xff{{ \xfe }}\0\r\n{{ keyfob://s/x }}\xff";
        assert_eq!(filled(bytes).unwrap(), b"\xff{{ \xfe }}\0\r\nxx\xff");
    }

    #[test]
    fn braces_can_be_written() {
        assert_eq!(
            text("{{ keyfob:{{ }} keyfob://s/x }}"),
            "{{ keyfob://s/x }}"
        );
        assert_eq!(text("{{keyfob:{{}}"), "{{");
    }

    #[test]
    fn errors_give_the_place() {
        for (template, place, kind, part) in [
            ("a\nbé {{ keyfob://s/x", "t:2:4", Kind::Usage, "not closed"),
            ("{{ keyfob://s/x\n}}", "t:1:1", Kind::Usage, "not closed"),
            ("{{ keyfob://s }}", "t:1:1", Kind::Usage, "no reference"),
            ("{{ keyfob:s/x }}", "t:1:1", Kind::Usage, "no reference"),
            ("{{ keyfob://s/%zz }}", "t:1:1", Kind::Usage, "no reference"),
            (
                "\n\n {{ keyfob://s/x | jason }}",
                "t:3:2",
                Kind::Usage,
                "no filter",
            ),
            ("{{ keyfob://s/x | }}", "t:1:1", Kind::Usage, "no filter"),
            ("x\n{{ keyfob://empty/x }}", "t:2:1", Kind::NotFound, "none"),
        ] {
            let error = filled(template.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), kind, "{template:?}: {error}");
            let message = error.message();
            assert!(
                message.starts_with(&format!("{place}: ")),
                "{template:?}: {message}"
            );
            assert!(message.contains(part), "{template:?}: {message}");
        }
        let error = filled(b"a {{ keyfob://s/\x00 | shell }}").unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidData);
        assert!(error.message().starts_with("t:1:3: "), "{error}");
        let error = filled(b"{{ keyfob://s/\xff }}").unwrap_err();
        assert!(error.message().contains("UTF-8"), "{error}");
    }

    proptest! {
        #[test]
        fn what_holds_no_placeholder_is_not_touched(template in "[{}W keyfob:/|\\n\"]{0,60}") {
            prop_assume!(!template.contains("keyfob:"));
            prop_assert_eq!(text(&template), template);
        }

        #[test]
        fn any_bytes_are_filled_or_refused(template in prop::collection::vec(
            prop_oneof![Just("{{".to_owned()), Just("}}".to_owned()), Just("keyfob://s/x".to_owned()), "[ |\\n]", "\\PC"], 0..30)
        ) {
            let _ = filled(template.concat().as_bytes());
        }
    }
}
