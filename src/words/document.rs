//! JSON that may hold secrets: wiped when dropped, silent in `Debug`.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroize;

/// A tree of JSON of which any text may be secret.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Document(Value);

impl Document {
    /// Takes `value` over.
    pub fn new(value: Value) -> Self {
        Self(value)
    }

    /// The tree itself.
    pub fn expose(&self) -> &Value {
        &self.0
    }

    /// The tree itself, to be changed. What is replaced is for the caller to [`wipe`].
    pub fn expose_mut(&mut self) -> &mut Value {
        &mut self.0
    }

    /// The members of the object that the tree is; none where it is something else.
    pub fn members(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.as_object().into_iter().flat_map(Map::iter)
    }

    /// Lays `patch` over the tree as RFC 7396 has it: objects are merged, `null` removes, and
    /// everything else replaces what was there.
    pub fn merge(&mut self, patch: &Value) {
        merge(&mut self.0, patch);
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Document(…)")
    }
}

/// Overwrites every text inside `value` but the names of members, and leaves `null`.
pub fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    *value = Value::Null;
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        wipe(target);
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        wipe(target);
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else {
        return;
    };
    for (name, patch) in patch {
        if patch.is_null() {
            if let Some(mut removed) = members.remove(name) {
                wipe(&mut removed);
            }
        } else {
            merge(members.entry(name).or_insert(Value::Null), patch);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn merging_is_that_of_rfc_7396() {
        // From the appendix of the RFC.
        for (target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": "b"}),
                json!({"b": "c"}),
                json!({"a": "b", "b": "c"}),
            ),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (
                json!({"a": [{"b": "c"}]}),
                json!({"a": [1]}),
                json!({"a": [1]}),
            ),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (
                json!({"e": null}),
                json!({"a": 1}),
                json!({"e": null, "a": 1}),
            ),
            (
                json!([1, 2]),
                json!({"a": "b", "c": null}),
                json!({"a": "b"}),
            ),
            (
                json!({}),
                json!({"a": {"bb": {"ccc": null}}}),
                json!({"a": {"bb": {}}}),
            ),
        ] {
            let mut document = Document::new(target);
            document.merge(&patch);
            assert_eq!(document.expose(), &result, "{patch}");
        }
    }

    #[test]
    fn wiping_leaves_no_text() {
        let mut value = json!({"a": ["secret", {"b": "secret"}]});
        wipe(&mut value);
        assert_eq!(value, Value::Null);
    }

    #[test]
    fn a_document_says_nothing_of_itself() {
        assert_eq!(
            format!("{:?}", Document::new(json!("hunter2"))),
            "Document(…)"
        );
    }

    proptest! {
        #[test]
        fn what_was_laid_over_is_there(keys in proptest::collection::btree_map("[a-d]", "[a-z]{1,3}", 0..4), more in proptest::collection::btree_map("[a-d]", "[a-z]{1,3}", 0..4)) {
            let mut document = Document::new(json!(keys));
            document.merge(&json!(more));
            let mut expected = keys;
            expected.extend(more);
            prop_assert_eq!(document.expose(), &json!(expected));
        }
    }
}
