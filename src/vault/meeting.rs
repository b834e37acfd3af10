//! Whose word a vault's list of readers is: each file that is opened is compared with what keyfob
//! remembers of the vault, and one that nobody may have written who could read it is not written
//! to until the user has accepted it.

#[cfg(unix)]
use std::fs;
use std::path::{Path, PathBuf};

use super::Vault;
use super::admin::{RecipientInfo, no_vault};
use super::file::VaultFile;
use super::format::Document;
use super::readers::{Seen, Standing};
use crate::identity::keys::Identity;
use crate::identity::recipients::Recipient;
use crate::state;
use crate::state::lock::Lock;
use crate::words::error::{Error, Result};
use crate::words::shown::ShownPath as _;

/// A vault's file, compared with what is remembered.
pub(super) struct Met {
    path: PathBuf,
    standing: Standing,
    /// What is remembered of its path.
    before: Option<Seen>,
    /// What it is compared with: also what is remembered of the path it was copied from.
    compared: Option<Seen>,
    /// What it is now.
    now: Seen,
    /// Whether its id proves nothing, as anybody may have thought it up.
    unproven: bool,
}

impl Met {
    /// Whether it may be written to.
    fn is_good(&self) -> bool {
        matches!(self.standing, Standing::Known | Standing::FirstMeeting)
    }

    /// Gives `document`, which is about to be written, the id that it is to have: a fresh one
    /// where it has none, where its own proves nothing, and where somebody cannot read it any
    /// more, so that the file of before does not come back unnoticed.
    pub(super) fn settle(&mut self, document: &mut Document<'_>) -> Result<()> {
        let mut before = self.now.readers.iter();
        let removed = before.any(|reader| !document.recipients.contains(reader));
        if document.lineage.id.is_none() || removed || self.unproven {
            document.lineage.renew()?;
        }
        if let Some(before) = &self.before {
            document.lineage.follow(&before.lineage);
        }
        self.now = seen(document);
        self.unproven = false;
        self.standing = Standing::Known;
        Ok(())
    }
}

fn seen(document: &Document<'_>) -> Seen {
    Seen {
        lineage: document.lineage.clone(),
        readers: document.recipients.clone(),
    }
}

/// `path` without symbolic links, as far as it exists.
pub(super) fn canonical(path: &Path) -> PathBuf {
    let whole = dunce::canonicalize(path).ok();
    let folder = || {
        let folder = dunce::canonicalize(state::folder_of(path)).ok()?;
        Some(folder.join(path.file_name()?))
    };
    whole.or_else(folder).unwrap_or_else(|| path.to_owned())
}

/// A vault that was not written to, and who reads it.
#[derive(Clone, Debug)]
pub struct Unaccepted {
    /// Why, in words.
    pub why: String,
    /// Who would read what is written.
    pub readers: Vec<RecipientInfo>,
    /// Those of them that were not seen before.
    pub strangers: Vec<Recipient>,
    now: Seen,
}

impl Vault {
    /// Compares the file at `target` with what is remembered.
    ///
    /// # Errors
    /// `invalid_data` where the memory is damaged.
    pub(super) fn meet(
        &self,
        target: &Path,
        document: &Document<'_>,
        identity: &Identity,
    ) -> Result<Met> {
        let path = canonical(target);
        let before = self.memory.of(&path)?;
        let compared = match &before {
            Some(seen) => Some(seen.clone()),
            None => self.memory.elsewhere(&document.lineage)?,
        };
        let vouched =
            |reader: &Recipient| identity.owns(reader) || self.recipients.contains(reader);
        let standing = match &compared {
            Some(seen) => seen.standing(&document.lineage, &document.recipients, vouched),
            None => Standing::FirstMeeting,
        };
        let without_id = compared
            .as_ref()
            .is_some_and(|seen| seen.lineage.id.is_none());
        Ok(Met {
            path,
            standing,
            unproven: without_id && document.lineage.id.is_some(),
            before,
            compared,
            now: seen(document),
        })
    }

    /// As [`meet`](Self::meet) for somebody who only reads, which always works.
    pub(super) fn meet_reading(&self, document: &Document<'_>) -> Result<()> {
        if self.notice.is_none() {
            return Ok(());
        }
        let identity = self.needed_identity()?;
        let Ok(met) = self.meet(&self.path, document, &identity) else {
            return Ok(());
        };
        self.tell_of_readers(&met, document, &identity);
        if met.is_good() && !met.unproven {
            // Nobody waits for that: it is told once more then.
            let _ = self
                .memory
                .remember(&met.path, met.before.as_ref(), &met.now, true);
        }
        Ok(())
    }

    /// Remembers what was met, after the vault's own lock was dropped.
    pub(super) fn remember_met(&self, met: &Met) {
        if !met.is_good() || met.unproven || self.notice.is_none() {
            return;
        }
        let remembered = self
            .memory
            .remember(&met.path, met.before.as_ref(), &met.now, false);
        // A machine that can remember nothing, as in CI, meets every vault for the first time.
        if let (Err(error), Some(_)) = (remembered, &met.before) {
            self.tell(format!(
                "who reads the vault {} could not be remembered: {}",
                self.path.shown(),
                error.message()
            ));
        }
    }

    /// Refuses to write to a file that nobody may have written who could read the vault.
    pub(super) fn refuse_unknown(&self, met: &Met, document: &Document<'_>) -> Result<()> {
        if met.is_good() {
            return Ok(());
        }
        let strangers = met.strangers(&document.recipients, |_| false);
        let mut message = self.why_unknown(met);
        if !strangers.is_empty() {
            message.push_str("; it says that these read it too: ");
            message.push_str(&listed(&strangers));
        }
        Err(Error::untrusted(message).hint(format!(
            "{} shows who would read what you write, and asks",
            self.command("vault recipients accept")
        )))
    }

    fn why_unknown(&self, met: &Met) -> String {
        let path = self.path.shown();
        match met.standing {
            Standing::LeftBehind => format!(
                "the vault {path} is older than what was here, or by somebody who may not read it any more"
            ),
            _ => format!(
                "the vault {path} is not the one that was here: anybody may have written it"
            ),
        }
    }

    /// Tells who reads the vault, where that is news.
    pub(super) fn tell_of_readers(&self, met: &Met, document: &Document<'_>, identity: &Identity) {
        let path = self.path.shown();
        let readers = &document.recipients;
        match met.standing {
            Standing::FirstMeeting if readers.iter().all(|reader| identity.owns(reader)) => {}
            Standing::FirstMeeting => self.tell(format!(
                "the vault {path} is used here for the first time; it is read by {}",
                listed(readers)
            )),
            Standing::Known => {
                let new = met.strangers(readers, |reader| identity.owns(reader));
                if !new.is_empty() {
                    self.tell(format!(
                        "somebody who reads the vault {path} let others read it: {}",
                        listed(&new)
                    ));
                }
            }
            Standing::LeftBehind | Standing::Unknown => self.tell(format!(
                "{}; it is not written to before you accept it ({})",
                self.why_unknown(met),
                self.command("vault recipients accept")
            )),
        }
    }

    /// Tells how the configuration changes who reads.
    pub(super) fn tell_of_differences(
        &self,
        asked: &[Recipient],
        settled: &[Recipient],
        identity: &Identity,
    ) {
        if self.recipients.is_empty() {
            return;
        }
        let path = self.path.shown();
        let missing = |from: &[Recipient], of: &[Recipient]| -> Vec<Recipient> {
            let all = of.iter();
            all.filter(|reader| !from.contains(reader) && !identity.owns(reader))
                .cloned()
                .collect()
        };
        let (dropped, added) = (missing(settled, asked), missing(asked, settled));
        if !dropped.is_empty() {
            self.tell(format!(
                "not in the store's recipients setting, and shut out of the vault {path} from now on: {}",
                listed(&dropped)
            ));
        }
        if !added.is_empty() {
            self.tell(format!(
                "in the store's recipients setting, and let into the vault {path} from now on: {}",
                listed(&added)
            ));
        }
    }

    /// Why the vault is not written to, and who reads it; `None` where it is.
    ///
    /// # Errors
    /// As all reading; `not_found` without a vault.
    pub fn unaccepted(&self) -> Result<Option<Unaccepted>> {
        let opened = self.open(&self.path)?;
        let Some(opened) = opened else {
            return Err(self.absence().unwrap_or_else(|| no_vault(self)));
        };
        let document = self.parse(&opened)?;
        let identity = self.needed_identity()?;
        let met = self.meet(&self.path, &document, &identity)?;
        if met.is_good() {
            self.meet_reading(&document)?;
            return Ok(None);
        }
        let mut readers = self.recipient_infos(&document.recipients, Some(&identity));
        readers.retain(|reader| !reader.dropped);
        Ok(Some(Unaccepted {
            why: self.why_unknown(&met),
            strangers: met.strangers(&document.recipients, |reader| identity.owns(reader)),
            readers,
            now: met.now,
        }))
    }

    /// Takes the vault as it is, with a fresh id, so that whoever knew it before knows it.
    ///
    /// # Errors
    /// `conflict` where it is another one than `shown` by now; otherwise as
    /// [`write`](Self::write).
    pub fn accept(&self, shown: &Unaccepted) -> Result<()> {
        let target = state::follow_links(&self.path)?;
        if VaultFile::open(&target)?.is_none() {
            return Err(self.absence().unwrap_or_else(|| no_vault(self)));
        }
        let identity = self.needed_identity()?;
        let lock = Lock::acquire(&[state::folder_of(&target)], self.lock_timeout)?;
        self.refuse_unmerged(&target)?;
        let opened = self.open(&target)?.ok_or_else(|| no_vault(self))?;
        let mut document = self.parse(&opened)?;
        let mut met = self.meet(&target, &document, &identity)?;
        if met.now != shown.now {
            return Err(Error::conflict(format!(
                "the vault {} changed in the meantime",
                self.path.shown()
            )));
        }
        met.unproven = true;
        self.settle_recipients(&mut document, &identity);
        met.settle(&mut document)?;
        self.write_to(&target, &document, opened.armored)?;
        drop(lock);
        self.memory
            .remember(&met.path, met.before.as_ref(), &met.now, false)
    }

    /// Tells that everybody on the machine can write to the vault.
    pub(super) fn tell_if_open_to_all(&self, target: &Path) {
        if let Some(mode) = mode_open_to_all(target) {
            let path = target.shown().typed();
            self.tell(format!(
                "everybody on this machine can write to the vault (mode {mode:04o}): chmod o-w {path}"
            ));
        }
    }
}

/// The mode of the file at `path` where everybody on the machine can write to it.
#[cfg(unix)]
pub(super) fn mode_open_to_all(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o002 != 0).then_some(mode)
}

#[cfg(not(unix))]
pub(super) fn mode_open_to_all(_path: &Path) -> Option<u32> {
    None
}

impl Met {
    /// Those of `readers` that were not seen before and are not `known` otherwise.
    fn strangers(
        &self,
        readers: &[Recipient],
        known: impl Fn(&Recipient) -> bool,
    ) -> Vec<Recipient> {
        let seen = self.compared.as_ref().map_or(&[][..], |seen| &seen.readers);
        let readers = readers.iter();
        readers
            .filter(|reader| !seen.contains(reader) && !known(reader))
            .cloned()
            .collect()
    }
}

fn listed(readers: &[Recipient]) -> String {
    let readers: Vec<String> = readers.iter().map(Recipient::to_string).collect();
    readers.join(", ")
}
