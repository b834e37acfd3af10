//! Every way to spoil a JSON document at one of its levels.

use std::fmt;

use serde_json::{Map, Value, json};

/// What stands in place of what was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Odd {
    Missing,
    Null,
    Number,
    Text,
    Empty,
    Bool,
    Array,
    Object,
    /// The members of an object without their names, as a list: readers that go by place take it.
    Members,
}

const ODDS: [Odd; 9] = [
    Odd::Missing,
    Odd::Null,
    Odd::Number,
    Odd::Text,
    Odd::Empty,
    Odd::Bool,
    Odd::Array,
    Odd::Object,
    Odd::Members,
];

/// A spoiled level of a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mutation {
    /// Where, as a JSON pointer.
    pub path: String,
    pub odd: Odd,
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() {
            "/"
        } else {
            &self.path
        };
        write!(f, "{path} {:?}", self.odd)
    }
}

impl Odd {
    /// What it makes of `value`; `None` where that is `value` itself, or the same to any reader.
    fn of(self, value: &Value) -> Option<Value> {
        let odd = match self {
            Odd::Missing | Odd::Null => Value::Null,
            Odd::Number => json!(5),
            Odd::Text => json!("odd"),
            Odd::Empty => json!(""),
            Odd::Bool => json!(true),
            Odd::Array => json!([]),
            Odd::Object => json!({}),
            Odd::Members => match value {
                Value::Object(members) if !members.is_empty() => {
                    members.values().cloned().collect()
                }
                _ => return None,
            },
        };
        (odd != *value).then_some(odd)
    }
}

/// All mutations of `document`; of a list its first item stands for all.
pub fn mutations(document: &Value) -> Vec<Mutation> {
    let mut found = Vec::new();
    collect(document, "", &mut found);
    found
}

fn collect(value: &Value, path: &str, found: &mut Vec<Mutation>) {
    let odds = ODDS.into_iter().filter(|odd| odd.of(value).is_some());
    // A document that is missing is an empty body, which is none of these.
    let odds = odds.filter(|odd| !path.is_empty() || *odd != Odd::Missing);
    found.extend(odds.map(|odd| Mutation {
        path: path.to_owned(),
        odd,
    }));
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let key = key.replace('~', "~0").replace('/', "~1");
                collect(value, &format!("{path}/{key}"), found);
            }
        }
        Value::Array(items) => {
            if let Some(first) = items.first() {
                collect(first, &format!("{path}/0"), found);
            }
        }
        _ => {}
    }
}

impl Mutation {
    /// `document` with this level spoiled; as it is where it has no such level.
    pub fn apply(&self, document: &Value) -> Value {
        let mut spoiled = document.clone();
        let Some(value) = spoiled.pointer(&self.path) else {
            return spoiled;
        };
        let Some(odd) = self.odd.of(value) else {
            return spoiled;
        };
        let parent = self
            .path
            .rsplit_once('/')
            .filter(|_| self.odd == Odd::Missing);
        match parent.and_then(|(parent, key)| Some((spoiled.pointer_mut(parent)?, key))) {
            Some((Value::Object(members), key)) => {
                let key = key.replace("~1", "/").replace("~0", "~");
                members.remove(&key);
            }
            Some((Value::Array(items), _)) => {
                items.remove(0);
            }
            _ => {
                if let Some(place) = spoiled.pointer_mut(&self.path) {
                    *place = odd;
                }
            }
        }
        spoiled
    }
}

#[test]
fn every_level_is_spoiled_in_every_way() {
    let document = json!({"a": [{"b": "c"}], "d": Map::new()});
    let all = mutations(&document);
    let told: Vec<String> = all.iter().map(ToString::to_string).collect();
    for expected in [
        "/ Null",
        "/a Missing",
        "/a/0 Members",
        "/a/0/b Number",
        "/d Array",
        "/ Members",
    ] {
        assert!(
            told.contains(&expected.to_owned()),
            "{expected} in {told:?}"
        );
    }
    assert!(!told.contains(&"/d Object".to_owned()), "{told:?}");
    for mutation in all {
        assert_ne!(mutation.apply(&document), document, "{mutation}");
    }
    let missing = Mutation {
        path: "/a/0/b".into(),
        odd: Odd::Missing,
    };
    assert_eq!(missing.apply(&document), json!({"a": [{}], "d": {}}));
}
