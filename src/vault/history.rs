//! Earlier versions: what is known of them, and bringing one back.

use jiff::Timestamp;

use super::format::{Document, Slot};
use super::record::{Record, Version as Kept};
use crate::words::batch::{Action, Past, Restored, Version};
use crate::words::error::{Error, Result};
use crate::words::secret::Name;

/// The versions of `name`, newest first.
///
/// # Errors
/// `not_found` where there never was such a secret, or not for long.
pub fn versions(document: &Document<'_>, name: &Name) -> Result<Vec<Version>> {
    let record = find(document, name)?;
    let versions = record.versions().enumerate().map(|(at, version)| Version {
        number: version.number,
        updated_at: version.updated_at,
        current: at == 0,
        deleted: version.value.is_none(),
    });
    Ok(versions.collect())
}

/// The versions of `name` before the current one, oldest first, with their values.
///
/// # Errors
/// As [`versions`].
pub fn past(document: &Document<'_>, name: &Name) -> Result<Vec<Past>> {
    let record = find(document, name)?;
    let mut past: Vec<Past> = record
        .versions()
        .skip(1)
        .map(|version| Past {
            updated_at: version.updated_at,
            value: version.value.clone(),
        })
        .collect();
    past.reverse();
    Ok(past)
}

/// Makes the value of an earlier version the current one again, as a new version. Without
/// `number` it is the newest earlier one that has a value. Deleted secrets come back so.
///
/// # Errors
/// `not_found` where there is no such secret or version; `usage` for a version in which the
/// secret was deleted.
pub fn restore(
    document: &mut Document<'_>,
    name: &Name,
    number: Option<u32>,
    now: Timestamp,
) -> Result<Restored> {
    let mut record = find(document, name)?;
    let chosen = choose(&record, name, number)?;
    let (from, value) = (chosen.number, chosen.value.clone());
    if record.value() == value.as_ref() {
        return Ok(Restored {
            from,
            number: record.version(),
            action: Action::Unchanged,
        });
    }
    record.push(value, now);
    let number = record.version();
    let action = match document.deleted.remove(name.as_str()) {
        Some(_) => Action::Created,
        None => Action::Updated,
    };
    let key = name.as_str().to_owned().into();
    document.secrets.insert(key, Slot::changed(record));
    Ok(Restored {
        from,
        number,
        action,
    })
}

fn find(document: &Document<'_>, name: &Name) -> Result<Record> {
    let slot = document
        .secrets
        .get(name.as_str())
        .or_else(|| document.deleted.get(name.as_str()))
        .ok_or_else(|| super::edit::missing(name))?;
    Ok(slot.record(name.as_str())?.into_owned())
}

fn choose<'r>(record: &'r Record, name: &Name, number: Option<u32>) -> Result<&'r Kept> {
    let shown = name.shown().typed();
    let hint = format!("keyfob history -s {{store}} {shown} shows what there is");
    let Some(number) = number else {
        return record
            .versions()
            .skip(1)
            .find(|version| version.value.is_some())
            .ok_or_else(|| {
                Error::not_found(format!("there is no earlier version of {name}")).hint(&hint)
            });
    };
    let version = record
        .versions()
        .find(|version| version.number == number)
        .ok_or_else(|| {
            Error::not_found(format!("there is no version {number} of {name}")).hint(&hint)
        })?;
    if version.value.is_none() {
        return Err(Error::usage(format!("in version {number} {name} was deleted")).hint(hint));
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::error::Kind;
    use crate::words::secret::SecretValue;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn name() -> Name {
        Name::new("a").unwrap()
    }

    fn with(values: &[Option<&str>]) -> Document<'static> {
        let first = SecretValue::from(values[0].unwrap());
        let mut record = Record::new(first, None, at(0));
        for value in &values[1..] {
            record.push(value.map(SecretValue::from), at(0));
        }
        let mut document = Document::default();
        let table = match record.value() {
            Some(_) => &mut document.secrets,
            None => &mut document.deleted,
        };
        table.insert("a".into(), Slot::changed(record));
        document
    }

    fn current(document: &Document<'_>) -> Vec<u8> {
        let record = document.secrets["a"].record("a").unwrap();
        record.value().unwrap().expose().to_vec()
    }

    #[test]
    fn the_default_is_the_version_before_with_a_value() {
        for (values, from, number, action) in [
            (&[Some("x"), Some("y")][..], 1, 3, Action::Updated),
            (&[Some("x"), None], 1, 3, Action::Created),
            (&[Some("x"), None, Some("y")], 1, 4, Action::Updated),
            (&[Some("x"), Some("z"), Some("x")], 2, 4, Action::Updated),
            (&[Some("x"), Some("x")], 1, 2, Action::Unchanged),
        ] {
            let mut document = with(values);
            let restored = restore(&mut document, &name(), None, at(1)).unwrap();
            let expected = Restored {
                from,
                number,
                action,
            };
            assert_eq!(restored, expected, "{values:?}");
            assert!(document.deleted.is_empty());
            let value = values[from as usize - 1].unwrap();
            assert_eq!(current(&document), value.as_bytes());
        }
    }

    #[test]
    fn a_version_can_be_named() {
        let mut document = with(&[Some("x"), Some("y"), Some("z")]);
        restore(&mut document, &name(), Some(1), at(1)).unwrap();
        assert_eq!(current(&document), b"x");
        let versions = versions(&document, &name()).unwrap();
        let numbers: Vec<_> = versions.iter().map(|version| version.number).collect();
        assert_eq!(numbers, [4, 3, 2, 1]);
        assert!(versions[0].current && !versions[1].current);
    }

    #[test]
    fn what_is_not_there_cannot_be_restored() {
        let kind = |values, number| {
            let mut document = with(values);
            restore(&mut document, &name(), number, at(1))
                .unwrap_err()
                .kind()
        };
        assert_eq!(kind(&[Some("x")], None), Kind::NotFound);
        assert_eq!(kind(&[Some("x")], Some(7)), Kind::NotFound);
        assert_eq!(kind(&[Some("x"), None, Some("y")], Some(2)), Kind::Usage);
        let other = Name::new("b").unwrap();
        let error = versions(&with(&[Some("x")]), &other).unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
    }
}
