//! What a write sends: the body, and how many secrets go into one of them.

use serde::Serialize;
use serde::ser::{Error as _, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::words::batch::Write;
use crate::words::error::{Error, Result};
use crate::words::secret::{Form, Name, SecretValue};

/// The server takes about 15 ms to store a name: so many names keep a request under two seconds,
/// and a thousand of them in a dozen requests, login and reading included.
pub const NAMES_PER_REQUEST: usize = 125;

/// The server refuses bodies over 1,048,576 bytes.
pub const MAX_BODY: usize = 1_048_576;

/// `{"secrets": {name: value}}`, written straight from the values without a copy in between.
#[derive(Serialize)]
pub struct Body<'a> {
    pub secrets: Secrets<'a>,
}

/// The secrets of one request.
pub struct Secrets<'a>(pub &'a [&'a Write]);

impl Serialize for Secrets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for write in self.0 {
            map.serialize_entry(write.name.as_str(), &Value(&write.value))?;
        }
        map.end()
    }
}

/// A value as it is sent: a string, unless it stands for other JSON.
struct Value<'a>(&'a SecretValue);

impl Value<'_> {
    fn text(&self) -> &str {
        self.0.expose_str().unwrap_or_default()
    }

    /// How many bytes it takes.
    fn length(&self) -> usize {
        match self.0.form() {
            Form::Plain | Form::String => json_length(self.text()),
            Form::Json => self.0.len(),
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.form() {
            Form::Plain | Form::String => serializer.serialize_str(self.text()),
            // The very JSON, which serde_json would write in its own way.
            Form::Json => {
                let raw: &RawValue = serde_json::from_str(self.text())
                    .map_err(|_| S::Error::custom("a value is no JSON"))?;
                raw.serialize(serializer)
            }
        }
    }
}

/// Splits the writes at `wanted` so that each request stays short and its body under the limit.
///
/// # Errors
/// `invalid_data` for a secret that alone is too large for a request.
pub fn chunks(writes: &[Write], wanted: &[usize]) -> Result<Vec<Vec<usize>>> {
    const FRAME: usize = r#"{"secrets":{}}"#.len();
    let mut chunks: Vec<Vec<usize>> = Vec::new();
    let mut size = usize::MAX;
    for at in wanted {
        let write = &writes[*at];
        let own = json_length(write.name.as_str()) + ":".len() + Value(&write.value).length();
        if FRAME + own > MAX_BODY {
            return Err(Error::invalid_data(format!(
                "{} is too large: Nosana takes at most {MAX_BODY} bytes in a request",
                write.name
            )));
        }
        let longer = size.saturating_add(",".len() + own);
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < NAMES_PER_REQUEST && longer <= MAX_BODY => {
                chunk.push(*at);
                size = longer;
            }
            _ => {
                chunks.push(vec![*at]);
                size = FRAME + own;
            }
        }
    }
    Ok(chunks)
}

/// How many of `names`, of which there is one at least, a request to delete them takes.
pub fn names_in_a_request(names: &[Name]) -> usize {
    const FRAME: usize = r#"{"key":[]}"#.len();
    let mut size = FRAME;
    let fits = names.iter().take(NAMES_PER_REQUEST).take_while(|name| {
        size += json_length(name.as_str()) + ",".len();
        size <= MAX_BODY
    });
    fits.count().max(1)
}

/// How many bytes `text` takes as a JSON string, as `serde_json` writes it.
pub fn json_length(text: &str) -> usize {
    let escaped: usize = text
        .bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
            0x00..=0x1f => 6,
            _ => 1,
        })
        .sum();
    escaped + 2
}
