//! keyfob's own JSON files: for their owner alone, replaced whole, each with the version of what
//! stands in it.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::lock::Lock;
use super::{Mode, create_folder, folder_of, read, write_atomically};
use crate::words::error::{Error, Result};
use crate::words::shown::ShownPath as _;

/// The version that this code writes, and the only one it reads.
const FORMAT: u32 = 1;

/// A file that holds a `T`, or is not there.
#[derive(Clone, Debug)]
pub struct File<T> {
    path: PathBuf,
    remedy: &'static str,
    content: PhantomData<fn() -> T>,
}

/// What stands in the file.
#[derive(Deserialize, Serialize)]
struct Envelope<T> {
    /// Some files of the first release have another word for it, or none.
    #[serde(default = "first", alias = "version")]
    keyfob: u32,
    #[serde(flatten)]
    content: T,
}

fn first() -> u32 {
    FORMAT
}

impl<T> File<T> {
    /// The file at `path`; `remedy` tells the user what to do when it is damaged. Touches nothing.
    pub fn new(path: PathBuf, remedy: &'static str) -> Self {
        Self {
            path,
            remedy,
            content: PhantomData,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl<T: DeserializeOwned + Serialize> File<T> {
    /// What it says; `None` where there is no such file.
    ///
    /// # Errors
    /// `failed` where it cannot be read; `invalid_data` where it is damaged, or of a newer keyfob.
    pub fn read(&self) -> Result<Option<T>> {
        let Some(bytes) = read(&self.path)? else {
            return Ok(None);
        };
        let path = self.path.shown();
        // serde_json's own text may quote the content.
        let envelope: Envelope<T> = serde_json::from_slice(&bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Error::invalid_data(format!("{path} is damaged (line {line}, column {column})"))
                .hint(self.remedy)
        })?;
        match envelope.keyfob {
            FORMAT => Ok(Some(envelope.content)),
            version => Err(Error::invalid_data(format!(
                "{path} has the version {version}, and this keyfob knows {FORMAT}"
            ))
            .hint(self.remedy)),
        }
    }

    /// Replaces it, so that it survives a power cut. Its folder must exist.
    ///
    /// # Errors
    /// `failed`; what was there before is then intact.
    pub fn write(&self, content: &T) -> Result<()> {
        let envelope = Envelope {
            keyfob: FORMAT,
            content,
        };
        let mut text = serde_json::to_vec(&envelope).map_err(|error| {
            Error::failed(format!("cannot write {}: {error}", self.path.shown()))
        })?;
        text.push(b'\n');
        write_atomically(&self.path, &text, Mode::PRIVATE)
    }

    /// Has `change` change what it says under the lock of its folder, which is made where it is
    /// missing; a missing file says the default. `limit` is how long to wait for the lock.
    ///
    /// # Errors
    /// `unavailable` where somebody else holds the lock for longer; otherwise as [`read`](Self::read)
    /// and [`write`](Self::write).
    pub fn update<R>(&self, limit: Duration, change: impl FnOnce(&mut T) -> R) -> Result<R>
    where
        T: Default,
    {
        let folder = folder_of(&self.path);
        create_folder(folder)?;
        let _lock = Lock::acquire(&[folder], Some(limit))?;
        let mut content = self.read()?.unwrap_or_default();
        let answer = change(&mut content);
        self.write(&content)?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::words::error::Kind;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Content {
        names: Vec<String>,
    }

    #[test]
    fn it_is_there_with_its_version_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::<Content>::new(folder.path().join("made/a.json"), "remove it");
        assert_eq!(file.read().unwrap(), None);
        let limit = Duration::from_secs(60);
        file.update(limit, |content| content.names.push("A".into()))
            .unwrap();
        file.update(limit, |content| content.names.push("B".into()))
            .unwrap();
        assert_eq!(file.read().unwrap().unwrap().names, ["A", "B"]);
        let text = fs::read_to_string(file.path()).unwrap();
        assert_eq!(text, "{\"keyfob\":1,\"names\":[\"A\",\"B\"]}\n");
        for (text, known) in [
            ("{\"names\": []}", true),
            ("{\"version\": 1, \"names\": []}", true),
            ("{\"version\": 2, \"names\": []}", false),
            ("{\"keyfob\": 2, \"names\": []}", false),
            ("{\"keyfob\": 1}", false),
            ("{\"keyfob\": 1, \"names\": [", false),
            ("", false),
        ] {
            fs::write(file.path(), text).unwrap();
            match file.read() {
                Ok(_) => assert!(known, "{text}"),
                Err(error) => {
                    assert!(!known, "{error:?}");
                    assert_eq!(error.kind(), Kind::InvalidData);
                    assert_eq!(error.hint_text(), Some("remove it"));
                }
            }
        }
    }
}
