//! Points as digests, computed while the answer is parsed: nothing of a point but its id and its digest is kept.

use crate::domain::hex::hex;
use crate::domain::point::{Point, PointId};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use sha2::{Digest, Sha256};
use std::fmt;

/// A point on the wire.
#[derive(Deserialize)]
pub struct WirePoint {
    id: PointId,
    #[serde(default = "Canonical::of_nothing")]
    payload: Canonical,
    #[serde(default = "Canonical::of_nothing")]
    vector: Canonical,
}

impl From<WirePoint> for Point {
    fn from(wire: WirePoint) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(&wire.payload.text);
        hasher.update(b"\n");
        hasher.update(&wire.vector.text);
        Self { id: wire.id, digest: hex(&hasher.finalize()), vague: wire.vector.has_null }
    }
}

/// Canonical JSON: object keys sorted, no white space, a comma behind every element. An absent value equals an empty object.
struct Canonical {
    text: Vec<u8>,
    has_null: bool,
}

impl Canonical {
    fn of_nothing() -> Self {
        Self { text: b"{}".to_vec(), has_null: false }
    }
}

impl<'de> Deserialize<'de> for Canonical {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut canonical = Self { text: Vec::new(), has_null: false };
        let is_null = Feed(&mut canonical).deserialize(deserializer)?;
        Ok(if is_null { Self::of_nothing() } else { canonical })
    }
}

/// Appends a value; tells whether it was `null`.
struct Feed<'a>(&'a mut Canonical);

impl Feed<'_> {
    fn scalar(self, value: &impl serde::Serialize) -> bool {
        // Writing to memory cannot fail.
        let _ = serde_json::to_writer(&mut self.0.text, value);
        false
    }
}

impl<'de> DeserializeSeed<'de> for Feed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Feed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        self.0.text.extend_from_slice(b"null");
        self.0.has_null = true;
        Ok(true)
    }

    fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
        Ok(self.scalar(&value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<bool, E> {
        Ok(self.scalar(&value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<bool, E> {
        Ok(self.scalar(&value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<bool, E> {
        Ok(self.scalar(&value))
    }

    fn visit_str<E>(self, value: &str) -> Result<bool, E> {
        Ok(self.scalar(&value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        self.0.text.push(b'[');
        while list.next_element_seed(Feed(&mut *self.0))?.is_some() {
            self.0.text.push(b',');
        }
        self.0.text.push(b']');
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut entries: Vec<(String, Canonical)> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let mut value = Canonical { text: Vec::new(), has_null: false };
            map.next_value_seed(Feed(&mut value))?;
            entries.push((key, value));
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        let out = self.0;
        out.text.push(b'{');
        for (key, value) in entries {
            let _ = serde_json::to_writer(&mut out.text, &key);
            out.text.push(b':');
            out.text.extend_from_slice(&value.text);
            out.text.push(b',');
            out.has_null |= value.has_null;
        }
        out.text.push(b'}');
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn point(text: &str) -> Point {
        serde_json::from_str::<WirePoint>(text).unwrap().into()
    }

    fn of(payload: Value, vector: Value) -> String {
        point(&json!({"id": 1, "payload": payload, "vector": vector}).to_string()).digest
    }

    #[test]
    fn digests_ignore_the_order_of_keys_and_nothing_else() {
        let base = point(r#"{"id":1,"payload":{"a":1,"b":{"c":2,"d":null}},"vector":[1.0,2.0]}"#).digest;
        assert_eq!(base, point(r#"{"id":1,"payload":{"b":{"d":null,"c":2},"a":1},"vector":[1.0,2.0]}"#).digest);
        for (payload, vector) in [
            (json!({"a": 2, "b": {"c": 2, "d": null}}), json!([1.0, 2.0])),
            (json!({"a": 1, "b": {"c": 2}}), json!([1.0, 2.0])),
            (json!({"a": 1, "b": {"c": 2, "d": {}}}), json!([1.0, 2.0])),
            (json!({"a": 1, "b": {"c": 2, "d": null}}), json!([2.0, 1.0])),
            (json!({"a": 1, "b": {"c": 2, "d": null}}), Value::Null),
        ] {
            assert_ne!(base, of(payload, vector));
        }
        let absent = point(r#"{"id":1,"vector":[1]}"#).digest;
        assert_eq!((absent.clone(), absent), (of(Value::Null, json!([1])), of(json!({}), json!([1]))));
    }

    #[test]
    fn numbers_keep_their_last_digit() {
        // One bit apart: a parser that rounds takes them for the same.
        let number = |text: &str| point(&format!(r#"{{"id":1,"payload":{{"n":{text}}}}}"#)).digest;
        assert_ne!(number("8.5640056639675535e-134"), number("8.564005663967554e-134"));
        assert_ne!(number("18446744073709551615"), number("18446744073709551614"));
        assert_ne!(number("1"), number("1.0"));
    }

    #[test]
    fn what_json_cannot_say_in_a_vector_is_noted() {
        assert!(point(r#"{"id":1,"vector":{"v":[1.0,null]}}"#).vague);
        assert!(!point(r#"{"id":1,"payload":{"a":null},"vector":[1.0]}"#).vague);
        assert!(!point(r#"{"id":1,"vector":null}"#).vague, "a point without a vector");
    }
}
