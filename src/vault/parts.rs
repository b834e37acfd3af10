//! Reading parts of a vault's secrets, such as one value of ten thousand, without making anything
//! of the rest.
//!
//! Both ways here take a vault for one that keyfob wrote. They give up where it is not, and leave it
//! to [`Document::parse_some`] to say what is wrong, if anything is.

use std::borrow::Cow;
use std::collections::BTreeSet;

use memchr::memmem::Finder;
use serde::Deserialize as _;

use super::format::{Document, Sink, Slot, Table};
use super::record::{self, Part, Times};
use crate::words::error::Result;
use crate::words::secret::Name;

/// Which secrets are wanted.
pub(super) enum Wanted<'w> {
    /// Those of these names.
    Names(BTreeSet<&'w str>),
    /// Those whose names are admitted.
    Admitted(&'w dyn Fn(&str) -> bool),
}

impl Wanted<'_> {
    /// Whether the secret called `name` is.
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::Names(names) => names.contains(name),
            Self::Admitted(admits) => admits(name),
        }
    }
}

/// So long is the shortest secret in a vault, in bytes: a letter and an empty value.
const SHORTEST: usize = r#""A":{"value":"","created_at":"1970-01-01T00:00:00Z","updated_at":"1970-01-01T00:00:00Z","version":1}"#.len();

/// So many names are looked for one by one; it takes as long as a pass through all.
const FEW: usize = 8;

/// Reads a part of each secret that is wanted of `plaintext`, sorted by name, and the document
/// without its secrets. `None` where it is no vault as keyfob writes it.
pub(super) fn read<'a, P: Part>(
    plaintext: &'a [u8],
    wanted: &Wanted<'_>,
) -> Option<(Document<'a>, Vec<P::Is>)> {
    if let Wanted::Names(names) = wanted
        && names.len() <= FEW
        && let Some(found) = look_up::<P>(plaintext, names)
    {
        return Some(found);
    }
    pass::<P>(plaintext, wanted)
}

/// The same of a document that has been read.
///
/// # Errors
/// `invalid_data` naming a secret that cannot be read.
pub(super) fn of_document<P: Part>(document: &Document<'_>) -> Result<Vec<P::Is>> {
    let mut parts = Vec::with_capacity(document.secrets.len());
    for (name, slot) in &document.secrets {
        if let Slot::Kept(raw) = slot {
            parts.push(record::parse::<P>(Name::new(name.as_ref())?, raw)?);
        }
    }
    Ok(parts)
}

/// Reads them in one pass.
fn pass<'a, P: Part>(
    plaintext: &'a [u8],
    wanted: &Wanted<'_>,
) -> Option<(Document<'a>, Vec<P::Is>)> {
    // Growing would copy all that was found so far, again and again. Room that is not used costs nothing.
    let at_most = match wanted {
        Wanted::Names(names) => names.len(),
        Wanted::Admitted(_) => plaintext.len() / SHORTEST,
    };
    let mut parts = Parts::<P> {
        wanted,
        last: None,
        times: Times::default(),
        found: Vec::with_capacity(at_most),
        is_odd: false,
    };
    let text = std::str::from_utf8(plaintext).ok()?;
    let document = Document::parse_into(text, &mut parts).ok()?;
    (!parts.is_odd).then_some((document, parts.found))
}

/// Takes parts of secrets for as long as their names are sorted.
struct Parts<'a, 'w, P: Part> {
    wanted: &'w Wanted<'w>,
    last: Option<Cow<'a, str>>,
    times: Times,
    found: Vec<P::Is>,
    is_odd: bool,
}

impl<'a, P: Part> Sink<'a> for Parts<'a, '_, P> {
    type Item = P::Json<'a>;

    fn wants(&self, table: Table, name: &str) -> bool {
        table == Table::Secrets && self.wanted.has(name)
    }

    fn take(&mut self, _table: Table, name: Cow<'a, str>, json: P::Json<'a>) {
        let part = Name::new(name.as_ref()).ok();
        let part = part.and_then(|name| P::of(name, json, &mut self.times));
        self.is_odd |= part.is_none() || self.last.as_ref().is_some_and(|last| *last >= name);
        self.found.extend(part);
        self.last = Some(name);
    }
}

/// What opens the tables of a vault.
const SECRETS: &[u8] = b"\"secrets\":{";
const DELETED: &[u8] = b"\"deleted\":{";

/// What else is a name in the JSON of a vault.
const MEMBERS: &[&str] = &[
    "keyfob",
    "id",
    "earlier_ids",
    "recipients",
    "secrets",
    "deleted",
    "value",
    "value_base64",
    "description",
    "created_at",
    "updated_at",
    "version",
    "versions",
];

/// Finds `names` by their bytes, wherever they stand; `None` where one is not found, so that a pass
/// has to tell whether it is there, or not so that it is certain which secret it is.
fn look_up<'a, P: Part>(
    plaintext: &'a [u8],
    names: &BTreeSet<&str>,
) -> Option<(Document<'a>, Vec<P::Is>)> {
    let table = Finder::new(SECRETS).find(plaintext)? + SECRETS.len();
    let head = [&plaintext[..table], b"}}"].concat();
    let head = Document::parse(&head).ok()?;
    // They stand before the secrets in every vault that keyfob wrote.
    if head.recipients.is_empty() {
        return None;
    }
    let document = Document {
        lineage: head.lineage,
        recipients: head.recipients,
        ..Document::default()
    };
    let secrets = &plaintext[table..];
    let mut found = Vec::with_capacity(names.len());
    let mut times = Times::default();
    for name in names {
        let at = place_of(secrets, name)?;
        // Behind it could be either: the other table, or a secret called "deleted".
        if Finder::new(DELETED).find(&secrets[..at]).is_some() {
            return None;
        }
        let mut json = serde_json::Deserializer::from_slice(&secrets[at..]);
        let json = P::Json::deserialize(&mut json).ok()?;
        found.push(P::of(Name::new(*name).ok()?, json, &mut times)?);
    }
    Some((document, found))
}

/// Where in `json`, behind the beginning of the table, the value begins of the one member called
/// `name`. `None` where there is none, or more than one.
fn place_of(json: &[u8], name: &str) -> Option<usize> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let begins_plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    // Neither is spelt in two ways, nor can stand between two strings.
    if !name.bytes().all(is_plain)
        || !name.as_bytes().first().is_some_and(begins_plain)
        || MEMBERS.contains(&name)
    {
        return None;
    }
    let quoted = format!("\"{name}\"");
    let finder = Finder::new(&quoted);
    let mut places = finder.find_iter(json).filter_map(|at| {
        // A quote with a backslash before it is a part of a text, which is no name then.
        let is_text = at
            .checked_sub(1)
            .is_some_and(|before| json[before] == b'\\');
        let rest = json[at + quoted.len()..].trim_ascii_start();
        let value = rest.strip_prefix(b":")?;
        (!is_text).then(|| json.len() - value.len())
    });
    let place = places.next()?;
    places.next().is_none().then_some(place)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::vault::record::{Current, Known, Record};
    use crate::words::secret::SecretValue;

    const READER: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    /// A vault of `secrets`, and of `deleted` ones, as keyfob writes it.
    fn vault(secrets: &[(String, String)], deleted: &[String]) -> Vec<u8> {
        let mut document = Document {
            recipients: vec![READER.parse().unwrap()],
            ..Document::default()
        };
        let at = |second| Timestamp::from_second(second).unwrap();
        for name in deleted {
            let mut record = Record::new("gone".into(), None, at(1));
            record.push(None, at(2));
            let slot = Slot::changed(record);
            document.deleted.insert(name.clone().into(), slot);
        }
        for (name, value) in secrets {
            let description = Some(format!("\"{name}\":{{"));
            let mut record = Record::new("before".into(), description, at(1));
            record.push(Some(value.as_str().into()), at(2));
            document.deleted.remove(name.as_str());
            let slot = Slot::changed(record);
            document.secrets.insert(name.clone().into(), slot);
        }
        serde_json::to_vec(&document).unwrap()
    }

    fn slowly<P: Part>(json: &[u8], wanted: &Wanted<'_>) -> Vec<P::Is> {
        let keep = |table, name: &str| table == Table::Secrets && wanted.has(name);
        of_document::<P>(&Document::parse_some(json, keep).unwrap()).unwrap()
    }

    fn names<'n>(names: &[&'n str]) -> Wanted<'n> {
        Wanted::Names(names.iter().copied().collect())
    }

    fn value_of(json: &[u8], name: &str) -> Option<SecretValue> {
        let found = look_up::<Current>(json, &BTreeSet::from([name]));
        found.map(|(_, mut found)| found.remove(0).1)
    }

    #[test]
    fn a_name_is_found_where_it_is_one_and_nowhere_else() {
        let text = |text: &str| (text.to_owned(), format!("{text}\"B\":{{\"value\":\"no\"}}"));
        let secrets = ["A", "B", "C", "id", "a:b"].map(text);
        let json = vault(&secrets, &["D".to_owned()]);
        for name in ["A", "B", "C"] {
            let value = value_of(&json, name).unwrap();
            assert_eq!(value, text(name).1.as_str().into(), "{name}");
        }
        for name in ["D", "E", "id", "a:b", "value", "deleted", "secrets", ""] {
            assert!(value_of(&json, name).is_none(), "{name}: left to the pass");
        }
    }

    #[test]
    fn a_secret_called_as_a_table_is_leaves_what_stands_behind_it_to_the_pass() {
        let one = |name: &str| (name.to_owned(), "x".to_owned());
        let json = vault(&[one("a"), one("deleted"), one("z")], &[]);
        assert!(value_of(&json, "a").is_some());
        assert!(value_of(&json, "z").is_none());
        let found = read::<Current>(&json, &names(&["z"])).unwrap().1;
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn what_was_read_is_one_of_ten_thousand_and_no_more() {
        static READ: AtomicUsize = AtomicUsize::new(0);

        /// Counts what is read.
        enum Counted {}
        impl Part for Counted {
            type Json<'a> = record::CurrentJson<'a>;
            type Is = ();

            fn of(_: Name, _: Self::Json<'_>, _: &mut Times) -> Option<()> {
                READ.fetch_add(1, Ordering::SeqCst);
                Some(())
            }
        }
        let secrets = (0..10_000).map(|at| (format!("N{at:05}"), "x".to_owned()));
        let json = vault(&secrets.collect::<Vec<_>>(), &[]);
        look_up::<Counted>(&json, &BTreeSet::from(["N07000"])).unwrap();
        assert_eq!(READ.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn what_is_unsorted_twice_or_broken_is_left_to_the_whole() {
        let all = Wanted::Admitted(&|_| true);
        let one = r#"{"value":"x","version":1,"created_at":"1970-01-01T00:00:00Z","updated_at":"1970-01-01T00:00:00Z"}"#;
        for (secrets, is_read) in [
            (format!(r#""a":{one},"b":{one}"#), true),
            (format!(r#""b":{one},"a":{one}"#), false),
            (format!(r#""a":{one},"a":{one}"#), false),
            (format!(r#""a":{one},"b":{{}}"#), false),
        ] {
            let json = format!(r#"{{"keyfob":1,"recipients":[],"secrets":{{{secrets}}}}}"#);
            let read = |wanted: &Wanted<'_>| pass::<Known>(json.as_bytes(), wanted).is_some();
            assert_eq!(read(&all), is_read, "{json}");
        }
    }

    proptest! {
        #[test]
        fn all_ways_read_the_same(
            secrets in prop::collection::btree_map(NAMES, "\\PC{0,6}|[\"\\\\:{}a-c]{0,12}", 0..6),
            deleted in prop::collection::vec(NAMES, 0..3),
            asked in prop::collection::btree_set(NAMES, 0..4),
        ) {
            let secrets: Vec<_> = secrets.into_iter().collect();
            let json = vault(&secrets, &deleted);
            let asked = Wanted::Names(asked.iter().map(String::as_str).collect());
            let all = Wanted::Admitted(&|_| true);
            for wanted in [&asked, &all] {
                let (_, found) = read::<Current>(&json, wanted).unwrap();
                prop_assert_eq!(found, slowly::<Current>(&json, wanted));
                let (_, found) = read::<Known>(&json, wanted).unwrap();
                prop_assert_eq!(found, slowly::<Known>(&json, wanted));
            }
        }

        #[test]
        fn no_text_makes_it_panic(json in "\\{\"keyfob\":1,\"secrets\":\\{[ -~]{0,40}", name in "[a-c]{1,2}") {
            let _ = read::<Current>(json.as_bytes(), &names(&[&name]));
        }
    }

    /// Names that stand in each other's way.
    const NAMES: &str = "[ab]{1,2}|\\PC{1,3}|value|deleted|secrets|id|version|\"[ab]\":|[a-b]\\\\";
}
