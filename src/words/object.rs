//! JSON objects and nothing that only can be read as one: serde makes a struct of an array, too.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::document::wipe;

/// A struct that was read of an object. An array in its place is refused, and so is everything
/// else.
pub struct Object<T>(pub T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Map::<String, Value>::deserialize(deserializer)?;
        let mut whole = Value::Object(members);
        let read = T::deserialize(&whole);
        wipe(&mut whole);
        // Without serde's own words, which may repeat a value.
        read.map(Self)
            .map_err(|_| D::Error::custom("not the object that was expected"))
    }
}

/// A list of structs, each read of an object.
pub fn objects<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let all = Vec::<Object<T>>::deserialize(deserializer)?;
    Ok(all.into_iter().map(|Object(one)| one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct One {
        name: String,
    }

    #[test]
    fn an_array_is_no_struct() {
        let read = |text| serde_json::from_str::<Object<One>>(text);
        assert_eq!(read(r#"{"name": "a", "more": 1}"#).unwrap().0.name, "a");
        assert!(serde_json::from_str::<One>(r#"["a"]"#).is_ok());
        for text in [r#"["a"]"#, r#""a""#, "null", "{}", r#"{"name": 1}"#] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
