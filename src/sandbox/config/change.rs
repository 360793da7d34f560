//! Changes to a configuration by PATCH (1.16.3). Given keys replace the old values; null and absent keys change nothing.
//! Only quantization (with `"Disabled"`) and keys of the metadata (with null) can be removed.

use crate::sandbox::answer::Refusal;
use crate::sandbox::config::section::{HNSW, Key, OPTIMIZERS, PARAMS, Reader, STRICT, metadata, no_variant, overlay, wrong_type};
use crate::sandbox::config::vectors;
use serde_json::{Map, Value};

/// What becomes of a quantization.
#[derive(Debug)]
enum Quantization {
    Disabled,
    Replaced(Value),
}

#[derive(Debug)]
struct VectorChange {
    name: String,
    hnsw: Option<Map<String, Value>>,
    quantization: Option<Quantization>,
    on_disk: Option<bool>,
}

/// The changes of one request, validated.
#[derive(Debug)]
pub(crate) struct Change {
    optimizers: Option<Map<String, Value>>,
    params: Option<Map<String, Value>>,
    hnsw: Option<Map<String, Value>>,
    vectors: Vec<VectorChange>,
    quantization: Option<Quantization>,
    sparse: Option<Map<String, Value>>,
    strict: Option<Map<String, Value>>,
    metadata: Option<Map<String, Value>>,
}

impl Change {
    /// Reads the body of a request; refuses it as a whole when a value is wrong or out of range.
    pub(crate) fn of_request(body: &Value) -> Result<Self, Refusal> {
        let mut reader = Reader::default();
        let mut section = |name: &str, keys: &[Key]| reader.section(body, name, keys);
        let optimizers = if body["optimizers_config"].is_null() { "optimizer_config" } else { "optimizers_config" };
        let change = Self {
            optimizers: section(optimizers, OPTIMIZERS)?,
            params: section("params", PARAMS)?,
            hnsw: section("hnsw_config", HNSW)?,
            strict: section("strict_mode_config", STRICT)?,
            vectors: vector_changes(&mut reader, &body["vectors"])?,
            quantization: quantization(&body["quantization_config"])?,
            sparse: vectors::sparse(&mut reader, &body["sparse_vectors"])?,
            metadata: metadata(body)?,
        };
        reader.finish()?;
        Ok(change)
    }

    /// Whether strict mode changes; rate limits then restart.
    pub(crate) fn has_strict_mode(&self) -> bool {
        self.strict.is_some()
    }

    /// Changes a configuration, in the order of the real server: what came before a refusal stays changed.
    pub(crate) fn apply(self, config: &mut Value) -> Result<(), Refusal> {
        for (key, changes) in [("optimizer_config", self.optimizers), ("params", self.params), ("hnsw_config", self.hnsw)] {
            overlay(&mut config[key], changes.unwrap_or_default());
        }
        change_vectors(&mut config["params"]["vectors"], self.vectors)?;
        match self.quantization {
            Some(Quantization::Disabled) => config["quantization_config"] = Value::Null,
            Some(Quantization::Replaced(value)) => config["quantization_config"] = value,
            None => {}
        }
        if let Some(sparse) = self.sparse {
            change_sparse(config["params"].get_mut("sparse_vectors").and_then(Value::as_object_mut), sparse)?;
        }
        if let Some(strict) = self.strict {
            overlay(&mut config["strict_mode_config"], strict);
        }
        match (self.metadata, config.get_mut("metadata")) {
            (Some(changes), Some(Value::Object(known))) => {
                for (key, value) in changes {
                    if value.is_null() {
                        known.remove(&key)
                    } else {
                        known.insert(key, value)
                    };
                }
            }
            // A collection without metadata takes them as they are, nulls included.
            (Some(changes), _) => config["metadata"] = Value::Object(changes),
            (None, _) => {}
        }
        Ok(())
    }
}

fn vector_changes(reader: &mut Reader, given: &Value) -> Result<Vec<VectorChange>, Refusal> {
    if given.is_null() {
        return Ok(Vec::new());
    }
    let named = given.as_object().ok_or_else(|| wrong_type(given, "a map"))?;
    let each = named.iter().map(|(name, vector)| {
        if !vector.is_object() {
            return Err(wrong_type(vector, "struct VectorParamsDiff"));
        }
        Ok(VectorChange {
            name: name.clone(),
            hnsw: reader.section_at(&vector["hnsw_config"], &format!("vectors.{name}.hnsw_config"), HNSW)?,
            quantization: quantization(&vector["quantization_config"])?,
            on_disk: vector["on_disk"].as_bool(),
        })
    });
    each.collect()
}

fn quantization(given: &Value) -> Result<Option<Quantization>, Refusal> {
    match given {
        Value::Null => Ok(None),
        Value::String(word) if word == "Disabled" => Ok(Some(Quantization::Disabled)),
        other => {
            let found = vectors::quantization(other).ok_or_else(|| no_variant("QuantizationConfigDiff"))?;
            Ok(Some(Quantization::Replaced(found)))
        }
    }
}

fn unknown(name: &str) -> Refusal {
    Refusal::new(400, format!("Wrong input: Not existing vector name error: {name}"))
}

/// The parameters of a dense vector; the unnamed one is "".
fn vector_mut<'a>(vectors: &'a mut Value, name: &str) -> Option<&'a mut Map<String, Value>> {
    let is_one = vectors["size"].is_u64();
    match name {
        "" if is_one => vectors.as_object_mut(),
        _ if is_one => None,
        name => vectors.get_mut(name).and_then(Value::as_object_mut),
    }
}

fn change_vectors(vectors: &mut Value, changes: Vec<VectorChange>) -> Result<(), Refusal> {
    if let Some(change) = changes.iter().find(|change| vector_mut(vectors, &change.name).is_none()) {
        return Err(unknown(&change.name));
    }
    for change in changes {
        let Some(vector) = vector_mut(vectors, &change.name) else { continue };
        if let Some(hnsw) = change.hnsw {
            overlay(vector.entry("hnsw_config").or_insert(Value::Null), hnsw);
        }
        match change.quantization {
            Some(Quantization::Disabled) => drop(vector.remove("quantization_config")),
            Some(Quantization::Replaced(value)) => drop(vector.insert("quantization_config".into(), value)),
            None => {}
        }
        if let Some(on_disk) = change.on_disk {
            vector.insert("on_disk".into(), Value::Bool(on_disk));
        }
    }
    Ok(())
}

fn change_sparse(vectors: Option<&mut Map<String, Value>>, changes: Map<String, Value>) -> Result<(), Refusal> {
    let mut none = Map::new();
    let known = vectors.unwrap_or(&mut none);
    if let Some(name) = changes.keys().find(|name| !known.contains_key(name.as_str())) {
        return Err(unknown(name));
    }
    for (name, mut change) in changes {
        let Some(vector) = known.get_mut(&name) else { continue };
        if let Some(index) = change.get_mut("index").and_then(Value::as_object_mut) {
            overlay(&mut vector["index"], std::mem::take(index));
        }
        if let Some(modifier) = change.get("modifier") {
            vector["modifier"] = modifier.clone();
        }
    }
    Ok(())
}
