//! How a group that was found differs from the one that was wanted.

use serde_json::Value;

use super::name::Item;
use super::wire::{HIDDEN, RawGroup};

/// The fields that an update is checked by, apart from the secrets and from those that may be
/// [`HIDDEN`]. Others may move by themselves.
const CHECKED: &[&str] = &[
    "name",
    "description",
    "tags",
    "secretType",
    "type",
    "priority",
    "restrictions",
];

/// One way in which a group is not as it was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// This field is another.
    Field(&'static str),
    /// This secret is missing.
    Gone(Item),
    /// This secret has another value.
    Other(Item),
    /// This secret is there besides.
    More(Item),
}

impl RawGroup {
    /// How `found` differs from this, which is what was wanted.
    pub fn deviations(&self, found: &RawGroup) -> Vec<Deviation> {
        let mut deviations = Vec::new();
        for field in CHECKED.iter().chain(HIDDEN) {
            let Some(wanted) = self.fields().get(*field) else {
                continue;
            };
            let is_so = match found.fields().get(*field) {
                Some(found) => covers(found, wanted),
                // What is not there is not set, and what is not shown says nothing.
                None => wanted.is_null() || may_be_hidden(field),
            };
            if !is_so {
                deviations.push(Deviation::Field(field));
            }
        }
        for item in self.held() {
            if matches!(item, Item::Mount(_)) && !found.tells_of(&item) {
                continue;
            }
            if !found.has(&item) {
                deviations.push(Deviation::Gone(item));
            } else if !self.has_same(found, &item) {
                deviations.push(Deviation::Other(item));
            }
        }
        let more = found.held().filter(|item| !self.has(item));
        deviations.extend(more.map(Deviation::More));
        deviations
    }

    /// What this, which is what was wanted, has otherwise than it was `before`, and `found` does
    /// not show.
    pub fn unshown(&self, before: &RawGroup, found: &RawGroup) -> Vec<String> {
        let fields = CHECKED.iter().chain(HIDDEN).copied();
        let fields = fields.filter(|field| may_be_hidden(field)).filter(|field| {
            let wanted = self.fields().get(*field);
            wanted.is_some_and(|wanted| !wanted.is_null())
                && wanted != before.fields().get(*field)
                && !found.tells(field)
        });
        let mounts = self.held().filter(|item| {
            matches!(item, Item::Mount(_)) && !self.has_same(before, item) && !found.tells_of(item)
        });
        let mounts = mounts.map(|item| format!("{} {item}", item.kind()));
        fields.map(str::to_owned).chain(mounts).collect()
    }

    /// Whether it and `other` hold `item` with the same value.
    pub fn has_same(&self, other: &RawGroup, item: &Item) -> bool {
        match (self.value(item), other.value(item)) {
            (Ok(Some(one)), Ok(Some(other))) => one == other,
            _ => self.has(item) && self.raw(item) == other.raw(item),
        }
    }
}

/// Whether a server may keep `field` to itself: the page in hand does not know the last.
fn may_be_hidden(field: &str) -> bool {
    HIDDEN.contains(&field) || field == "type"
}

/// Whether `found` says all that `wanted` says. It may say more inside objects, where servers add
/// their defaults, and have the items of a list in another order.
fn covers(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| found.get(name).is_some_and(|found| covers(found, wanted))),
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len()
                && wanted
                    .iter()
                    .all(|wanted| found.iter().any(|found| covers(found, wanted)))
        }
        _ => found == wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::words::document::Document;
    use crate::words::secret::SecretValue;

    fn group(fields: Value) -> RawGroup {
        RawGroup::of_payload(Document::new(fields))
    }

    fn variable(name: &str) -> Item {
        Item::Variable(name.to_owned())
    }

    fn sample() -> RawGroup {
        group(json!({
            "id": "g", "priority": 1, "future": {"x": [1]},
            "secrets": {"variables": {"A": "1", "N": 5}, "files": {"/f": {"data": "eA=="}}},
        }))
    }

    #[test]
    fn deviations_tell_apart_what_is_gone_other_and_more() {
        let mut found = sample();
        found.remove(&variable("A"));
        found.set(&variable("N"), &SecretValue::from("6"));
        found.set(&variable("Z"), &SecretValue::from("7"));
        found.lay_over(&Document::new(
            json!({"priority": 2, "future": "moved by itself"}),
        ));
        assert_eq!(
            sample().deviations(&found),
            [
                Deviation::Field("priority"),
                Deviation::Gone(variable("A")),
                Deviation::Other(variable("N")),
                Deviation::More(variable("Z")),
            ]
        );
        assert!(sample().deviations(&sample()).is_empty());
    }

    #[test]
    fn a_server_may_add_defaults_and_order_lists_its_own_way() {
        let wanted = group(json!({"tags": ["a", "b"], "restrictions": {"restricted": true}}));
        let fields = json!({"tags": ["b", "a"], "restrictions": {"restricted": true, "tagMatchCondition": "or"}});
        assert!(wanted.deviations(&group(fields)).is_empty());
        let fields = json!({"tags": ["a"], "restrictions": {"restricted": true}});
        assert_eq!(
            wanted.deviations(&group(fields)),
            [Deviation::Field("tags")]
        );
    }

    #[test]
    fn files_are_compared_by_their_bytes() {
        let one =
            group(json!({"secrets": {"files": {"/f": {"data": "eA==", "encoding": "utf-8"}}}}));
        let other = group(json!({"secrets": {"files": {"/f": {"data": "eA", "size": 1}}}}));
        assert!(one.deviations(&other).is_empty());
    }
}
