//! What a configuration says of vectors: dense ones, sparse ones, quantization.

use crate::sandbox::answer::Refusal;
use crate::sandbox::config::section::{DATATYPES, HNSW, Reader, SPARSE_INDEX, no_variant, wrong_type};
use serde_json::{Map, Value, json};

/// `vectors` of a new collection: nulls left out.
pub(super) fn dense(reader: &mut Reader, given: &Value) -> Result<Value, Refusal> {
    match given {
        one if one.get("size").is_some_and(|size| !size.is_object()) => dense_vector(reader, one, "vectors"),
        Value::Object(named) => {
            let each = named.iter().map(|(name, vector)| Ok((name.clone(), dense_vector(reader, vector, name)?)));
            Ok(Value::Object(each.collect::<Result<_, Refusal>>()?))
        }
        _ => Err(no_variant("VectorsConfig")),
    }
}

fn dense_vector(reader: &mut Reader, given: &Value, path: &str) -> Result<Value, Refusal> {
    let refused = || no_variant("VectorsConfig");
    let size = given["size"].as_u64().filter(|size| (1..=65_536).contains(size)).ok_or_else(refused)?;
    let distance = given["distance"].as_str().filter(|name| ["Cosine", "Euclid", "Dot", "Manhattan"].contains(name));
    let mut vector = json!({"size": size, "distance": distance.ok_or_else(refused)?});
    if let Some(hnsw) = reader.section_at(&given["hnsw_config"], &format!("{path}.hnsw_config"), HNSW)? {
        vector["hnsw_config"] = Value::Object(hnsw);
    }
    if !given["quantization_config"].is_null() {
        vector["quantization_config"] = quantization(&given["quantization_config"]).ok_or_else(refused)?;
    }
    for (key, fits) in
        [("on_disk", given["on_disk"].is_boolean()), ("multivector_config", given["multivector_config"].is_object())]
    {
        match &given[key] {
            Value::Null => {}
            value if fits => vector[key] = value.clone(),
            _ => return Err(refused()),
        }
    }
    match &given["datatype"] {
        Value::Null => {}
        Value::String(word) if DATATYPES.contains(&word.as_str()) => vector["datatype"] = json!(word),
        _ => return Err(refused()),
    }
    Ok(vector)
}

/// `sparse_vectors`, of a new collection or of changes.
pub(super) fn sparse(reader: &mut Reader, given: &Value) -> Result<Option<Map<String, Value>>, Refusal> {
    if given.is_null() {
        return Ok(None);
    }
    let named = given.as_object().ok_or_else(|| wrong_type(given, "a map"))?;
    let each = named.iter().map(|(name, vector)| {
        let mut kept = Map::new();
        if let Some(index) = reader.section_at(&vector["index"], &format!("sparse_vectors.{name}.index"), SPARSE_INDEX)? {
            kept.insert("index".into(), Value::Object(index));
        }
        match &vector["modifier"] {
            Value::Null => {}
            word if word == "none" || word == "idf" => drop(kept.insert("modifier".into(), word.clone())),
            other => return Err(wrong_type(other, "one of none, idf")),
        }
        Ok((name.clone(), Value::Object(kept)))
    });
    each.collect::<Result<_, _>>().map(Some)
}

/// A quantization, without its nulls; `None` for what is none.
pub(super) fn quantization(given: &Value) -> Option<Value> {
    let (method, options) = given.as_object().filter(|map| map.len() == 1)?.iter().next()?;
    let options = options.as_object()?;
    let one_of = |key: &str, words: &[&str]| match options.get(key) {
        None | Some(Value::Null) => true,
        Some(value) => value.as_str().is_some_and(|word| words.contains(&word)),
    };
    let keys: &[&str] = match method.as_str() {
        "scalar" if options.get("type").is_some_and(|kind| kind == "int8") => &["type", "quantile", "always_ram"],
        "product" if options.contains_key("compression") && one_of("compression", &["x4", "x8", "x16", "x32", "x64"]) => {
            &["compression", "always_ram"]
        }
        "binary"
            if one_of("encoding", &["one_bit", "two_bits", "one_and_half_bits"])
                && one_of("query_encoding", &["default", "binary", "scalar4bits", "scalar8bits"]) =>
        {
            &["always_ram", "encoding", "query_encoding"]
        }
        _ => return None,
    };
    let kept = options.iter().filter(|(key, value)| keys.contains(&key.as_str()) && !value.is_null());
    let kept: Map<String, Value> = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    Some(json!({method: kept}))
}
