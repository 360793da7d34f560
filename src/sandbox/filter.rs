//! Point filters: matching, their size, and the indexes they need.

use crate::sandbox::answer::Refusal;
use crate::sandbox::path;
use crate::sandbox::world::{PointKey, StoredPoint};
use serde::Deserialize;
use serde_json::Value;

/// A filter; every clause may be one condition or a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    #[serde(default)]
    must: Clause,
    #[serde(default)]
    should: Clause,
    #[serde(default)]
    must_not: Clause,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(untagged)]
enum Clause {
    // First, since serde would read a list as a struct too.
    Several(Vec<Condition>),
    One(Box<Condition>),
    #[default]
    None,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Condition {
    Match { key: String, r#match: Value },
    Range { key: String, range: Value },
    Ids { has_id: Vec<PointKey> },
    Empty { is_empty: Field },
    Null { is_null: Field },
    Nested(Box<Filter>),
}

#[derive(Debug, Clone, Deserialize)]
struct Field {
    key: String,
}

/// Kinds of indexes, as a refusal lists them, for conditions that any of them serves.
const ALL_KINDS: &[&str] =
    &["bool", "datetime", "float", "geo", "integer", "keyword", "text", "text (with phrase_matching: true)", "uuid"];

impl Clause {
    fn conditions(&self) -> &[Condition] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
            Self::None => &[],
        }
    }
}

impl Filter {
    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        [&self.must, &self.should, &self.must_not].into_iter().flat_map(Clause::conditions)
    }

    /// Whether a point matches.
    pub(super) fn matches(&self, id: &PointKey, point: &StoredPoint) -> bool {
        let holds = |condition: &Condition| condition.matches(id, point);
        let should = self.should.conditions();
        self.must.conditions().iter().all(holds)
            && (should.is_empty() || should.iter().any(holds))
            && !self.must_not.conditions().iter().any(holds)
    }

    /// All conditions in it; each costs a read token.
    pub(super) fn total(&self) -> u64 {
        self.conditions().map(|condition| if let Condition::Nested(inner) = condition { inner.total() } else { 1 }).sum()
    }

    /// Values of its largest condition.
    pub(super) fn largest(&self) -> u64 {
        self.conditions().map(Condition::size).max().unwrap_or(0)
    }

    /// The first key without an index that serves it, and the kinds that would.
    pub(super) fn unindexed(&self, has: &dyn Fn(&str, &[&str]) -> bool) -> Option<(&str, Vec<&'static str>)> {
        self.conditions().find_map(|condition| {
            let (key, kinds) = match condition {
                Condition::Nested(inner) => return inner.unindexed(has),
                Condition::Ids { .. } => return None,
                Condition::Match { key, r#match } => (key, kinds_of_match(r#match)),
                Condition::Range { key, range } => (key, kinds_of_range(range)),
                Condition::Empty { is_empty: field } | Condition::Null { is_null: field } => (&field.key, ALL_KINDS.to_vec()),
            };
            (!has(key, &kinds)).then_some((key.as_str(), kinds))
        })
    }
}

fn kinds_of_match(condition: &Value) -> Vec<&'static str> {
    if condition.get("text").is_some() {
        return vec!["text"];
    }
    let listed = ["any", "except"].iter().find_map(|key| condition[*key].as_array());
    let values: Vec<&Value> = listed.map_or_else(|| vec![&condition["value"]], |list| list.iter().collect());
    let is_uuid = |value: &&Value| value.as_str().is_some_and(|text| text.len() == 36 && text.matches('-').count() == 4);
    match values.first() {
        Some(Value::Bool(_)) => vec!["bool"],
        Some(Value::Number(_)) => vec!["integer"],
        _ if values.iter().all(is_uuid) => vec!["keyword", "uuid"],
        _ => vec!["keyword"],
    }
}

fn kinds_of_range(range: &Value) -> Vec<&'static str> {
    let is_date = range.as_object().is_some_and(|map| map.values().any(Value::is_string));
    if is_date { vec!["datetime"] } else { vec!["float", "integer"] }
}

impl Condition {
    fn size(&self) -> u64 {
        match self {
            Self::Nested(inner) => inner.largest(),
            Self::Ids { has_id } => has_id.len() as u64,
            Self::Match { r#match, .. } => {
                ["any", "except"].iter().find_map(|key| r#match[*key].as_array()).map_or(0, |list| list.len() as u64)
            }
            _ => 0,
        }
    }

    fn matches(&self, id: &PointKey, point: &StoredPoint) -> bool {
        let values = |key: &str| path::values(&point.payload, key);
        match self {
            Self::Nested(inner) => inner.matches(id, point),
            Self::Ids { has_id } => has_id.contains(id),
            Self::Empty { is_empty } => values(&is_empty.key).is_empty(),
            Self::Null { is_null } => point.payload.get(&is_null.key).is_some_and(Value::is_null),
            Self::Match { key, r#match } => values(key).into_iter().any(|value| matches_value(r#match, value)),
            Self::Range { key, range } => values(key).into_iter().filter_map(Value::as_f64).any(|value| in_range(range, value)),
        }
    }
}

fn matches_value(condition: &Value, value: &Value) -> bool {
    if let Some(list) = condition["any"].as_array() {
        return list.contains(value);
    }
    if let Some(list) = condition["except"].as_array() {
        return !list.contains(value);
    }
    match condition["text"].as_str() {
        Some(text) => value.as_str().is_some_and(|value| value.contains(text)),
        None => condition["value"] == *value,
    }
}

fn in_range(range: &Value, value: f64) -> bool {
    let holds = |key: &str, test: fn(f64, f64) -> bool| range[key].as_f64().is_none_or(|bound| test(value, bound));
    holds("gt", |a, b| a > b) && holds("gte", |a, b| a >= b) && holds("lt", |a, b| a < b) && holds("lte", |a, b| a <= b)
}

/// The error for a filter on a key without a suitable index.
pub(super) fn wants_index(key: &str, kinds: &[&str]) -> Refusal {
    let kinds = kinds.join(", ");
    let what = format!("Index required but not found for \"{key}\" of one of the following types: [{kinds}]");
    Refusal::new(400, format!("Bad request: {what}. Help: Create an index for this key or use a different filter."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filter(value: Value) -> Filter {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn points_are_filtered() {
        let point = StoredPoint { vector: json!([1]), payload: json!({"city": "Oslo", "n": 7, "tags": ["a", "b"]}) };
        let id = PointKey::Number(3);
        for (given, expected) in [
            (json!({"must": [{"key": "city", "match": {"value": "Oslo"}}, {"key": "n", "range": {"gte": 7, "lt": 8}}]}), true),
            (json!({"must": {"key": "tags", "match": {"any": ["b", "c"]}}}), true),
            (json!({"must_not": [{"has_id": [3]}]}), false),
            (json!({"should": [{"key": "n", "match": {"value": 8}}, {"is_empty": {"key": "x"}}]}), true),
            (json!({"must": [{"must_not": [{"key": "n", "match": {"value": 7}}]}]}), false),
        ] {
            assert_eq!(filter(given.clone()).matches(&id, &point), expected, "{given}");
        }
    }

    #[test]
    fn what_a_filter_asks_is_counted() {
        let given = filter(json!({"must": [{"has_id": [1, 2, 3]}, {"should": [{"key": "n", "match": {"value": 1}}]}]}));
        assert_eq!((given.total(), given.largest()), (2, 3));
        let only_city = |key: &str, kinds: &[&str]| key == "city" && kinds.contains(&"keyword");
        assert_eq!(given.unindexed(&only_city), Some(("n", vec!["integer"])));
        let number = filter(json!({"must": [{"key": "city", "match": {"value": 3}}]}));
        assert_eq!(number.unindexed(&only_city), Some(("city", vec!["integer"])));
    }
}
