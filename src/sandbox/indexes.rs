//! Payload indexes: made, shown with their parameters, removed (1.16.3).

use crate::sandbox::answer::{Answer, Refusal, ok};
use crate::sandbox::body::body_of;
use crate::sandbox::limiter::Side;
use crate::sandbox::path;
use crate::sandbox::strict::Strict;
use crate::sandbox::world::{Collection, Node, Points, Shard};
use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct IndexRequest {
    field_name: String,
    #[serde(default)]
    field_schema: Value,
}

/// Kinds of indexes, with the parameters that each has; those in the second list are shown as null when not given.
const KINDS: &[(&str, &[&str], &[&str])] = &[
    ("keyword", &["is_tenant", "on_disk"], &[]),
    ("integer", &["on_disk"], &["lookup", "range", "is_principal"]),
    ("float", &["on_disk"], &["is_principal"]),
    ("geo", &["on_disk"], &[]),
    ("text", TEXT, &[]),
    ("bool", &["on_disk"], &[]),
    ("datetime", &["on_disk"], &["is_principal"]),
    ("uuid", &["is_tenant", "on_disk"], &[]),
];

const TEXT: &[&str] = &[
    "tokenizer",
    "min_token_len",
    "max_token_len",
    "lowercase",
    "ascii_folding",
    "phrase_matching",
    "stopwords",
    "on_disk",
    "stemmer",
];

/// Languages of the stemmer, which are languages of stop words too.
const STEMMED: &[&str] = &[
    "arabic",
    "armenian",
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "greek",
    "hungarian",
    "italian",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
];

fn no_variant() -> Refusal {
    Refusal::new(400, "Format error in JSON body: data did not match any variant of untagged enum PayloadFieldSchema")
}

/// The schema as it is kept: the name of a kind, or its parameters without what is not known.
fn normalised(given: &Value) -> Result<Value, Refusal> {
    let known = |kind: &Value| KINDS.iter().find(|(name, ..)| kind == name);
    let Value::Object(parameters) = given else {
        return match given {
            Value::Null => {
                Err(Refusal::new(400, "Bad request: Can't auto-detect field type, please specify `field_schema` in the request"))
            }
            kind if known(kind).is_some() => Ok(kind.clone()),
            _ => Err(no_variant()),
        };
    };
    let (name, optional, always) = known(&given["type"]).ok_or_else(no_variant)?;
    let mut kept = Map::from_iter([("type".to_owned(), json!(name))]);
    for key in optional.iter().filter(|key| parameters.get(**key).is_some_and(|value| !value.is_null())) {
        if !fits(key, &parameters[*key]) {
            return Err(no_variant());
        }
        kept.insert((*key).to_owned(), parameters[*key].clone());
    }
    for key in *always {
        kept.insert((*key).to_owned(), parameters.get(*key).cloned().unwrap_or_default());
    }
    if *name == "text" {
        kept.entry("tokenizer").or_insert(json!("word"));
    }
    if kept.get("lookup") == Some(&json!(false)) && kept.get("range") == Some(&json!(false)) {
        let why = "field_schema.lookup: Validation error: the 'lookup' and 'range' capabilities can't be both disabled [{}]";
        return Err(Refusal::new(422, format!("Validation error in JSON body: [{why}]")));
    }
    Ok(Value::Object(kept))
}

fn fits(key: &str, value: &Value) -> bool {
    match key {
        "tokenizer" => ["word", "whitespace", "prefix", "multilingual"].iter().any(|known| value == known),
        "min_token_len" | "max_token_len" => value.is_u64(),
        "stopwords" => value.is_string() || value.is_object(),
        "stemmer" => value["type"] == "snowball" && STEMMED.iter().any(|language| value["language"] == *language),
        _ => value.is_boolean(),
    }
}

/// `payload_schema` of info: the kind, the parameters where some were given, the points that have a value.
pub(super) fn shown(collection: &Collection, shards: &[(&Shard, &Points)]) -> Map<String, Value> {
    let each = collection.payload_schema.iter().map(|(field, schema)| {
        let kind = schema.as_str().or_else(|| schema["type"].as_str()).unwrap_or_default();
        let payloads = shards.iter().flat_map(|(_, points)| points.values()).map(|point| &point.payload);
        let points = payloads.filter(|payload| path::values(payload, field).into_iter().any(|value| is_of(kind, value))).count();
        let mut shown = json!({"data_type": kind, "points": points});
        if schema.is_object() {
            shown["params"] = schema.clone();
        }
        (field.clone(), shown)
    });
    each.collect()
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "integer" => value.is_i64(),
        "float" => value.is_number(),
        "bool" => value.is_boolean(),
        "geo" => value["lat"].is_number() && value["lon"].is_number(),
        _ => value.is_string(),
    }
}

/// Tokens for writing that a new index costs; its removal is free.
const COST: u64 = 2;

/// `PUT /collections/{c}/index`
pub(super) async fn create(State(node): State<Node>, Path(name): Path<String>, body: Bytes) -> Result<Answer, Refusal> {
    let request: IndexRequest = body_of(&body)?;
    if !path::is_valid(&request.field_name) {
        return Err(Refusal::new(400, format!("Format error in JSON body: Invalid json path: '{}'", request.field_name)));
    }
    let mut cluster = node.world.cluster();
    let collection = cluster.collection_mut(&name)?;
    let schema = normalised(&request.field_schema)?;
    Strict::of(collection).index()?;
    let numbers: Vec<u32> = collection.shards.keys().copied().collect();
    numbers.into_iter().try_for_each(|number| collection.pay(number, Side::Write, COST))?;
    collection.payload_schema.insert(request.field_name, schema);
    cluster.counter += 1;
    Ok(ok(json!({"operation_id": cluster.counter, "status": "completed"})))
}

/// `DELETE /collections/{c}/index/{field}`; a field without an index is no error.
pub(super) async fn delete(State(node): State<Node>, Path((name, field)): Path<(String, String)>) -> Result<Answer, Refusal> {
    if !path::is_valid(&field) {
        return Err(Refusal::new(400, format!("Deserialize error in path parameters: Invalid json path: '{field}'")));
    }
    let mut cluster = node.world.cluster();
    cluster.collection_mut(&name)?.payload_schema.remove(&field);
    cluster.counter += 1;
    Ok(ok(json!({"operation_id": cluster.counter, "status": "completed"})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_kept_as_the_real_server_shows_them() {
        for (given, kept) in [
            (json!("keyword"), json!("keyword")),
            (json!({"type": "keyword", "is_tenant": null, "bogus": 1}), json!({"type": "keyword"})),
            (json!({"type": "integer"}), json!({"type": "integer", "lookup": null, "range": null, "is_principal": null})),
            (json!({"type": "text"}), json!({"type": "text", "tokenizer": "word"})),
        ] {
            assert_eq!(normalised(&given).unwrap(), kept);
        }
        for (given, status) in [
            (json!("nope"), 400),
            (json!(null), 400),
            (json!({}), 400),
            (json!({"type": "text", "stemmer": {"type": "none"}}), 400),
            (json!({"type": "integer", "lookup": false, "range": false}), 422),
        ] {
            assert_eq!(normalised(&given).unwrap_err().status, status, "{given}");
        }
    }
}
