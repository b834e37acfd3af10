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
use crate::words::text::{Place, is_variable_name};

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
    parts: Vec<Part<'t>>,
}

enum Part<'t> {
    /// Bytes that stay as they are.
    Text(&'t [u8]),
    /// A secret's place.
    Secret {
        at: usize,
        reference: Reference,
        filters: Vec<Filter>,
    },
    /// What is a variable's place if there is such a variable, and otherwise a text.
    Variable {
        at: usize,
        variable: &'t str,
        filters: Vec<Filter>,
        text: &'t [u8],
    },
}

impl<'t> Template<'t> {
    /// Takes `bytes` apart; `name` is what errors call the template.
    ///
    /// # Errors
    /// `usage`, with line and column, for a placeholder of keyfob's that is malformed.
    pub fn parse(name: &'t str, bytes: &'t [u8]) -> Result<Self> {
        let mut template = Self {
            name,
            bytes,
            parts: Vec::new(),
        };
        let (mut done, mut from) = (0, 0);
        while let Some(found) = find(&bytes[from..], OPEN) {
            let open = from + found;
            match template.placeholder(open) {
                Ok(Some((part, length))) => {
                    template.parts.push(Part::Text(&bytes[done..open]));
                    template.parts.push(part);
                    done = open + length;
                    from = done;
                }
                // A placeholder may begin at the second of three braces.
                Ok(None) => from = open + 1,
                Err(error) => return Err(template.placed(open, error)),
            }
        }
        template.parts.push(Part::Text(&bytes[done..]));
        Ok(template)
    }

    /// The placeholder whose braces open at `open` and how many bytes it takes; `None` where there
    /// is none.
    fn placeholder(&self, open: usize) -> Result<Option<(Part<'t>, usize)>> {
        let inside = &self.bytes[open + OPEN.len()..];
        let own = inside.trim_ascii_start().starts_with(OWN);
        let line = inside.split(|byte| *byte == b'\n').next();
        let Some(end) = find(line.unwrap_or_default(), CLOSE) else {
            return match own {
                true => Err(Error::usage(
                    "the placeholder is not closed by }} on its line",
                )),
                false => Ok(None),
            };
        };
        let length = OPEN.len() + end + CLOSE.len();
        let Ok(inside) = std::str::from_utf8(&inside[..end]) else {
            return match own {
                true => Err(Error::usage("the placeholder is not UTF-8 text")),
                false => Ok(None),
            };
        };
        if inside.trim() == LITERAL {
            return Ok(Some((Part::Text(OPEN), length)));
        }
        let mut words = inside.split('|').map(str::trim);
        let subject = words.next().unwrap_or_default();
        let filters: Result<Vec<Filter>> = words.map(str::parse).collect();
        let at = open;
        if own {
            let part = Part::Secret {
                at,
                reference: subject.parse()?,
                filters: filters?,
            };
            return Ok(Some((part, length)));
        }
        match filters {
            Ok(filters) if is_variable_name(subject) => {
                let part = Part::Variable {
                    at,
                    variable: subject,
                    filters,
                    text: &self.bytes[open..open + length],
                };
                Ok(Some((part, length)))
            }
            _ => Ok(None),
        }
    }

    /// The secrets it refers to.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.parts.iter().filter_map(|part| match part {
            Part::Secret { reference, .. } => Some(reference),
            _ => None,
        })
    }

    /// The names in it that variables could have.
    pub fn variables(&self) -> BTreeSet<&str> {
        let variables = self.parts.iter().filter_map(|part| match part {
            Part::Variable { variable, .. } => Some(*variable),
            _ => None,
        });
        variables.collect()
    }

    /// `error`, with the place of the first reference that is `concerned`.
    pub fn at_reference(&self, error: Error, concerned: impl Fn(&Reference) -> bool) -> Error {
        let place = self.parts.iter().find_map(|part| match part {
            Part::Secret { at, reference, .. } if concerned(reference) => Some(*at),
            _ => None,
        });
        match place {
            Some(at) => self.placed(at, error),
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
        let mut pieces: Vec<Piece<'_>> = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let (at, name, value, filters) = match part {
                Part::Text(text) => {
                    pieces.push(Piece::Borrowed(text));
                    continue;
                }
                Part::Secret {
                    at,
                    reference,
                    filters,
                } => {
                    let value = secret(reference).map_err(|error| self.placed(*at, error))?;
                    (*at, reference.name.as_str(), value, filters)
                }
                Part::Variable {
                    at,
                    variable: name,
                    filters,
                    text,
                } => match variable(name) {
                    Some(value) => (*at, *name, value, filters),
                    None => {
                        pieces.push(Piece::Borrowed(text));
                        continue;
                    }
                },
            };
            let piece = filtered(name, value, filters);
            pieces.push(piece.map_err(|error| self.placed(at, error))?);
        }
        // As long as it will be: a vector that grows leaves its old memory behind unwiped.
        let length = pieces.iter().map(|piece| piece.bytes().len()).sum();
        let mut text = Zeroizing::new(Vec::with_capacity(length));
        for piece in &pieces {
            text.extend_from_slice(piece.bytes());
        }
        Ok(text)
    }

    fn placed(&self, at: usize, error: Error) -> Error {
        error.context(format!("{}:{}", self.name, Place::of(self.bytes, at)))
    }
}

/// A part of the result.
enum Piece<'v> {
    Borrowed(&'v [u8]),
    Filtered(SecretValue),
}

impl Piece<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Filtered(value) => value.expose(),
        }
    }
}

/// `value`, which belongs to `name`, sent through `filters` one after the other.
fn filtered<'v>(name: &str, value: &'v SecretValue, filters: &[Filter]) -> Result<Piece<'v>> {
    let Some((first, others)) = filters.split_first() else {
        return Ok(Piece::Borrowed(value.expose()));
    };
    let apply = |filter: &Filter, value: &SecretValue| -> Result<SecretValue> {
        let bytes = filter.apply(name, value).map_err(|error| {
            error.hint("the filters url and base64 take any bytes, and so does no filter")
        })?;
        Ok(SecretValue::from(bytes))
    };
    let value = others
        .iter()
        .try_fold(apply(first, value)?, |value, filter| apply(filter, &value))?;
    Ok(Piece::Filtered(value))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
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
