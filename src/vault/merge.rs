//! Two changed copies of a vault and what they were made of become one: secret by secret, with
//! nobody's value lost. Whose readers are taken is decided by what keyfob remembers of the vault.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jiff::Timestamp;

use super::Vault;
use super::access::Opened;
use super::format::{Document, Secrets, Slot};
use super::lineage::Lineage;
use super::meeting::canonical;
use super::readers::{Seen, Standing};
use super::record::{Record, Version};
use crate::identity::keeping::now;
use crate::identity::recipients::Recipient;
use crate::state;
use crate::state::lock::Lock;
use crate::words::error::{Error, Kind, Result};
use crate::words::shown::ShownPath as _;

/// What a merge did that somebody should know of.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    /// Secrets that both sides changed.
    pub conflicts: Vec<Conflict>,
    /// Readers that a side added which nobody may have written who could read the vault: they were
    /// not taken.
    pub refused: Vec<Recipient>,
    /// Readers that a side removed.
    pub removed: Vec<Recipient>,
    /// How many secrets there are.
    pub secrets: usize,
}

/// A secret that both sides changed: the newer change counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Its name.
    pub name: String,
    /// When the value that counts was stored, or the secret deleted.
    pub newer: Timestamp,
    /// Whether it was deleted.
    pub deleted: bool,
    /// When the other side was changed.
    pub older: Timestamp,
    /// The version under which the history has what the other side stored; `None` where that was
    /// a deletion.
    pub kept_as: Option<u32>,
}

impl Vault {
    /// Merges the vaults `ours` and `theirs`, which were both made of `base`, and writes what
    /// comes of it to `ours`. A `base` that is empty, not there or not for this identity is none.
    /// `place` is where the vault has its place, where `ours` is a temporary file.
    ///
    /// # Errors
    /// `untrusted` where neither side was written by somebody who could read the vault that is
    /// remembered; what reading and writing fail with. `ours` was not changed then.
    pub fn merge(
        &self,
        base: &Path,
        ours: &Path,
        theirs: &Path,
        place: Option<&Path>,
    ) -> Result<Merged> {
        let _lock = Lock::acquire(&[state::folder_of(ours)], self.lock_timeout)?;
        let needed = |path: &Path| {
            self.open(path)?
                .ok_or_else(|| Error::failed(format!("there is no file {} to merge", path.shown())))
        };
        let (ours_opened, theirs_opened) = (needed(ours)?, needed(theirs)?);
        let base = self.base(base)?;
        let base = base.as_ref().map(|opened| self.parse(opened)).transpose()?;
        let (mine, other) = (self.parse(&ours_opened)?, self.parse(&theirs_opened)?);
        let identity = self.needed_identity()?;
        let readers = self.readers(base.as_ref(), &mine, &other, place.unwrap_or(ours))?;

        let mut merged = Document {
            lineage: readers.lineage,
            recipients: readers.taken,
            ..Document::default()
        };
        let mut conflicts = Vec::new();
        let mut sides = [table(base.unwrap_or_default()), table(mine), table(other)];
        let names: BTreeSet<Cow<'_, str>> =
            sides.iter().flat_map(|side| side.keys().cloned()).collect();
        for name in names {
            let [base, mine, other] = &mut sides;
            let [base, mine, other] = [base, mine, other].map(|side| side.remove(&name));
            let (slot, conflict) =
                merge_secret(&name, base, mine, other).map_err(|error| self.in_file(error))?;
            conflicts.extend(conflict);
            let Some((slot, deleted)) = slot else {
                continue;
            };
            let table = match deleted {
                true => &mut merged.deleted,
                false => &mut merged.secrets,
            };
            table.insert(name, slot);
        }
        merged.forget_long_deleted(now())?;
        self.settle_recipients(&mut merged, &identity);
        let secrets = merged.secrets.len();
        self.write_to(ours, &merged, ours_opened.armored)?;
        Ok(Merged {
            conflicts,
            refused: readers.refused,
            removed: readers.removed,
            secrets,
        })
    }

    /// What both sides were made of; `None` where there is nothing, or nothing that this identity
    /// opens.
    fn base(&self, path: &Path) -> Result<Option<Opened>> {
        if fs::metadata(path).is_ok_and(|found| !found.is_file() || found.len() == 0) {
            return Ok(None);
        }
        match self.open(path) {
            Err(error) if error.kind() == Kind::Unauthenticated => Ok(None),
            opened => opened,
        }
    }

    /// Who reads what is merged, and which id it has.
    fn readers(
        &self,
        base: Option<&Document<'_>>,
        ours: &Document<'_>,
        theirs: &Document<'_>,
        place: &Path,
    ) -> Result<Readers> {
        let identity = self.needed_identity()?;
        let vouched =
            |reader: &Recipient| identity.owns(reader) || self.recipients.contains(reader);
        let place = canonical(place);
        let remembered = match self.memory.of(&place)? {
            Some(seen) => Some(seen),
            None => self.memory.elsewhere(&ours.lineage)?,
        };
        // Met for the first time: what is here counts, and the other side by it.
        let seen = remembered.unwrap_or_else(|| Seen {
            lineage: ours.lineage.clone(),
            readers: ours.recipients.clone(),
        });
        let accepted = |side: &Document<'_>| {
            seen.standing(&side.lineage, &side.recipients, vouched) == Standing::Known
        };
        let (ours_known, theirs_known) = (accepted(ours), accepted(theirs));
        if !ours_known && !theirs_known {
            return Err(Error::untrusted(format!(
                "neither side of the merge of {} is the vault that was here: anybody may have written them",
                place.shown()
            ))
            .hint(format!(
                "check one of them out, {}, then merge again",
                self.command("vault recipients accept")
            )));
        }
        let sides = [(ours, ours_known), (theirs, theirs_known)];
        let was = base.map_or(&[][..], |base| &base.recipients);
        let mut readers = Readers::default();
        for (side, known) in sides {
            for reader in &side.recipients {
                let kept = sides
                    .iter()
                    .all(|(side, _)| side.recipients.contains(reader));
                let list = match (kept || !was.contains(reader), known) {
                    (false, _) => &mut readers.removed,
                    (true, true) => &mut readers.taken,
                    (true, false) => &mut readers.refused,
                };
                if !list.contains(reader) {
                    list.push(reader.clone());
                }
            }
        }
        let Readers { taken, refused, .. } = &mut readers;
        refused.retain(|reader| !taken.contains(reader) && !vouched(reader));
        readers.lineage = lineage(&readers.taken, sides)?;
        Ok(readers)
    }
}

/// Who reads what is merged.
#[derive(Default)]
struct Readers {
    taken: Vec<Recipient>,
    refused: Vec<Recipient>,
    removed: Vec<Recipient>,
    lineage: Lineage,
}

/// The id of what is merged, known to whoever knows one of the `sides`: that of the newer side,
/// where it is good and nobody knows it who may not, else a fresh one.
fn lineage(taken: &[Recipient], sides: [(&Document<'_>, bool); 2]) -> Result<Lineage> {
    let [(ours, _), (theirs, _)] = sides;
    let newer = sides.into_iter().find(|(side, known)| {
        let above = |other: &Document<'_>| match &other.lineage.id {
            Some(id) => side.lineage.is(id) || side.lineage.had(id),
            None => true,
        };
        *known
            && side.lineage.id.is_some()
            && above(ours)
            && above(theirs)
            && side.recipients.iter().all(|reader| taken.contains(reader))
    });
    let mut lineage = match newer {
        Some((side, _)) => side.lineage.clone(),
        None => {
            let mut fresh = Lineage::default();
            fresh.renew()?;
            fresh
        }
    };
    lineage.follow(&ours.lineage);
    lineage.follow(&theirs.lineage);
    Ok(lineage)
}

/// All secrets of a document, the deleted ones among them.
fn table(document: Document<'_>) -> Secrets<'_> {
    let mut all = document.secrets;
    all.extend(document.deleted);
    all
}

/// What a secret becomes, and whether it is deleted; `None` where it is gone for good.
type Became<'a> = Option<(Slot<'a>, bool)>;

/// One secret of both sides. `None` is a side that has it no more, or not yet.
fn merge_secret<'a>(
    name: &str,
    base: Option<Slot<'a>>,
    ours: Option<Slot<'a>>,
    theirs: Option<Slot<'a>>,
) -> Result<(Became<'a>, Option<Conflict>)> {
    let one = |slot: Option<Slot<'a>>| -> Result<Became<'a>> {
        let Some(slot) = slot else {
            return Ok(None);
        };
        let deleted = slot.record(name)?.value().is_none();
        Ok(Some((slot, deleted)))
    };
    let same = |a: &Option<Slot<'a>>, b: &Option<Slot<'a>>| match (a, b) {
        (None, None) => true,
        (Some(Slot::Kept(a)), Some(Slot::Kept(b))) => a.get() == b.get(),
        _ => false,
    };
    if same(&ours, &theirs) || same(&theirs, &base) {
        return Ok((one(ours)?, None));
    }
    if same(&ours, &base) {
        return Ok((one(theirs)?, None));
    }
    let (mine, other) = match (ours, theirs) {
        (Some(mine), Some(other)) => (mine, other),
        // Taken out for good on one side, and changed on the other: the change counts.
        (mine, other) => return Ok((one(mine.or(other))?, None)),
    };
    let was = match &base {
        Some(base) => Some(base.record(name)?.into_owned()),
        None => None,
    };
    let (record, conflict) = merge_records(
        name,
        was.as_ref(),
        mine.record(name)?.as_ref(),
        other.record(name)?.as_ref(),
    );
    let deleted = record.value().is_none();
    Ok((Some((Slot::changed(record), deleted)), conflict))
}

/// Two changed records of the secret `name`: the one that was changed later counts, and the
/// history has both.
fn merge_records(
    name: &str,
    base: Option<&Record>,
    ours: &Record,
    theirs: &Record,
) -> (Record, Option<Conflict>) {
    let has = |record: &Record, version: &Version| record.versions().any(|own| own == version);
    let own = |side: &Record, other: &Record| -> Vec<Version> {
        let versions = side.versions();
        versions
            .filter(|version| !has(other, version))
            .cloned()
            .collect()
    };
    let taken_out = |version: &Version| {
        base.is_some_and(|base| has(base, version)) && !(has(ours, version) && has(theirs, version))
    };
    let (mut mine, mut other) = (own(ours, theirs), own(theirs, ours));
    mine.retain(|version| !taken_out(version));
    other.retain(|version| !taken_out(version));
    // What only one side has written counts, whatever the clocks say.
    let ours_count = match (mine.is_empty(), other.is_empty()) {
        (false, true) => true,
        (true, false) => false,
        _ => (ours.updated_at(), ours.version()) >= (theirs.updated_at(), theirs.version()),
    };
    let (newer, older) = match ours_count {
        true => (ours, theirs),
        false => (theirs, ours),
    };
    let differ = ours.value() != theirs.value();
    let both = !mine.is_empty() && !other.is_empty();

    let mut versions: Vec<Version> = ours
        .versions()
        .filter(|version| has(theirs, version) && *version != newer.current())
        .cloned()
        .collect();
    let mut number = versions
        .iter()
        .map(|version| version.number)
        .max()
        .unwrap_or(0);
    let mut branched: Vec<Version> = mine.into_iter().chain(other).collect();
    branched.retain(|version| version != newer.current());
    branched.sort_by_key(|version| (version.updated_at, version.number));
    branched.push(newer.current().clone());
    let mut kept_as = None;
    for mut version in branched {
        let is_older = version == *older.current();
        number = number.saturating_add(1).max(match both {
            true => 0,
            false => version.number,
        });
        version.number = number;
        if both && is_older && version.value.is_some() {
            kept_as = Some(number);
        }
        versions.push(version);
    }
    versions.sort_by_key(|version| std::cmp::Reverse(version.number));

    let description = match base {
        Some(base) if newer.description == base.description => older.description.clone(),
        _ => newer.description.clone(),
    };
    let record = Record::of(newer, description, versions);
    let conflict = (both && differ).then(|| Conflict {
        name: name.to_owned(),
        newer: newer.updated_at(),
        deleted: newer.value().is_none(),
        older: older.updated_at(),
        kept_as,
    });
    (record, conflict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::secret::SecretValue;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn with(record: &Record, value: Option<&str>, second: i64) -> Record {
        let mut record = record.clone();
        record.push(value.map(SecretValue::from), at(second));
        record
    }

    fn history(record: &Record) -> Vec<(u32, Option<String>)> {
        let text = |value: &SecretValue| value.expose_str().unwrap().to_owned();
        let versions = record.versions();
        versions
            .map(|version| (version.number, version.value.as_ref().map(text)))
            .collect()
    }

    fn listed(versions: &[(u32, &str)]) -> Vec<(u32, Option<String>)> {
        let versions = versions.iter();
        versions
            .map(|(number, value)| (*number, (!value.is_empty()).then(|| (*value).to_owned())))
            .collect()
    }

    #[test]
    fn the_newer_counts_whichever_side_it_is_on_and_the_other_is_kept() {
        let base = Record::new("0".into(), None, at(0));
        let older = with(&with(&base, Some("x"), 1), Some("a"), 2);
        let newer = with(&base, Some("b"), 3);
        for (ours, theirs) in [(&older, &newer), (&newer, &older)] {
            let (merged, conflict) = merge_records("A", Some(&base), ours, theirs);
            assert_eq!(
                history(&merged),
                listed(&[(4, "b"), (3, "a"), (2, "x"), (1, "0")])
            );
            let conflict = conflict.unwrap();
            assert_eq!((conflict.newer, conflict.older), (at(3), at(2)));
            assert_eq!(conflict.kept_as, Some(3));
        }
    }

    #[test]
    fn a_deletion_is_a_change_like_another() {
        let base = Record::new("0".into(), None, at(0));
        let deleted = with(&base, None, 2);
        let (merged, conflict) =
            merge_records("A", Some(&base), &with(&base, Some("a"), 1), &deleted);
        assert_eq!(history(&merged), listed(&[(3, ""), (2, "a"), (1, "0")]));
        assert!(conflict.unwrap().deleted);
        let (merged, conflict) =
            merge_records("A", Some(&base), &with(&base, Some("a"), 3), &deleted);
        assert_eq!(history(&merged), listed(&[(3, "a"), (2, ""), (1, "0")]));
        assert_eq!(conflict.unwrap().kept_as, None);
    }

    #[test]
    fn the_same_on_both_sides_is_no_conflict() {
        let base = Record::new("0".into(), None, at(0));
        let (merged, conflict) = merge_records(
            "A",
            Some(&base),
            &with(&base, Some("a"), 1),
            &with(&base, Some("a"), 2),
        );
        assert_eq!(merged.value().unwrap().expose(), b"a");
        assert_eq!(conflict, None);
        // Added by both, of nothing.
        let (ours, theirs) = (
            Record::new("a".into(), None, at(1)),
            Record::new("b".into(), None, at(2)),
        );
        let (merged, conflict) = merge_records("A", None, &ours, &theirs);
        assert_eq!(history(&merged), listed(&[(2, "b"), (1, "a")]));
        assert_eq!(conflict.unwrap().kept_as, Some(1));
    }

    #[test]
    fn a_description_and_a_value_changed_apart_are_both_taken() {
        let base = Record::new("0".into(), None, at(0));
        let mut described = base.clone();
        described.description = Some("what it is".into());
        let changed = with(&base, Some("a"), 1);
        for (ours, theirs) in [(&described, &changed), (&changed, &described)] {
            let (merged, conflict) = merge_records("A", Some(&base), ours, theirs);
            assert_eq!(merged.description.as_deref(), Some("what it is"));
            assert_eq!(history(&merged), listed(&[(2, "a"), (1, "0")]));
            assert_eq!(conflict, None);
        }
    }

    #[test]
    fn what_one_side_took_out_of_the_history_stays_out() {
        let base = with(&Record::new("0".into(), None, at(0)), Some("1"), 1);
        let mut purged = base.clone();
        purged.forget_earlier();
        let changed = with(&base, Some("2"), 2);
        for (ours, theirs) in [(&purged, &changed), (&changed, &purged)] {
            let (merged, conflict) = merge_records("A", Some(&base), ours, theirs);
            assert_eq!(history(&merged), listed(&[(3, "2"), (2, "1")]));
            assert_eq!(conflict, None);
        }
    }
}
