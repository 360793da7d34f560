//! What `config.json` of a collection and `segment.json` of a segment say, as far as people ask for it. Read with
//! tolerance: fields come and go between versions.

use crate::domain::text::one_line;
use serde::Serialize;
use serde_json::Value;

/// A dense or multi vector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VectorShape {
    /// Name; empty for the unnamed one.
    pub name: String,
    /// Dimensions.
    pub size: u64,
    /// Distance, in the server's word.
    pub distance: String,
    /// `float32` unless said otherwise.
    pub datatype: String,
    /// Kept on disk.
    pub on_disk: bool,
    /// Several vectors a point.
    pub multivector: bool,
    /// Kind of quantization of its own or of the collection.
    pub quantization: Option<String>,
}

/// A sparse vector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SparseShape {
    /// Name.
    pub name: String,
    /// Modifier such as `idf`.
    pub modifier: Option<String>,
    /// Its index is kept on disk.
    pub on_disk: bool,
}

/// A collection's shape.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Shape {
    /// Dense vectors, by name.
    pub vectors: Vec<VectorShape>,
    /// Sparse vectors, by name.
    pub sparse_vectors: Vec<SparseShape>,
    /// Shards.
    pub shard_number: u32,
    /// Shards are named by keys.
    pub custom_sharding: bool,
    /// Replicas of each shard.
    pub replication_factor: u64,
    /// Payload is kept on disk.
    pub on_disk_payload: bool,
    /// Kind of quantization of all vectors.
    pub quantization: Option<String>,
    /// Somebody attached metadata (1.16 and newer).
    pub metadata: bool,
}

/// How a vector is stored in a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredVector {
    /// Name; empty for the unnamed one.
    pub name: String,
    /// Name as it stands there, as the folders of its storage have it.
    #[serde(skip)]
    pub raw: String,
    /// Dimensions; none for sparse ones.
    pub size: Option<u64>,
    /// Distance, in the server's word.
    pub distance: Option<String>,
    /// Type of its elements, in the server's word, where it is said.
    pub datatype: Option<String>,
    /// Storage type, in the server's word.
    pub storage: String,
    /// Index type, in the server's word.
    pub index: String,
    /// Kind of quantization.
    pub quantization: Option<String>,
}

/// A segment's shape.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SegmentShape {
    /// Vectors, dense first.
    pub vectors: Vec<StoredVector>,
    /// Payload storage type, in the server's word.
    pub payload: String,
    /// Version of the newest change in it.
    pub version: Option<u64>,
}

fn word(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(|word| one_line(word, 40))
}

fn flag(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn present<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get(name).filter(|inner| !inner.is_null())
}

/// `{"scalar": {"type": "int8"}}` and its like, as `scalar int8`.
fn quantization(value: &Value) -> Option<String> {
    let (kind, options) = present(value, "quantization_config")?.as_object()?.iter().next()?;
    let detail = word(options.get("type")).or_else(|| word(options.get("compression")));
    Some(detail.map_or_else(|| one_line(kind, 20), |detail| format!("{} {detail}", one_line(kind, 20))))
}

fn name(raw: &str) -> String {
    one_line(raw, 80)
}

fn vector(raw: &str, value: &Value, all: Option<&String>) -> Option<VectorShape> {
    Some(VectorShape {
        name: name(raw),
        size: value.get("size")?.as_u64()?,
        distance: word(value.get("distance"))?,
        datatype: word(value.get("datatype")).unwrap_or_else(|| "float32".into()),
        on_disk: flag(value, "on_disk"),
        multivector: present(value, "multivector_config").is_some(),
        quantization: quantization(value).or_else(|| all.cloned()),
    })
}

impl Shape {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// In words, when it lacks what every collection has.
    pub fn read(config: &Value) -> Result<Self, String> {
        let params = config.get("params").filter(|params| params.is_object()).ok_or("it has no `params`")?;
        let quantization = quantization(config);
        let wrong = |raw: &str| format!("vector `{}` has no size and distance", name(raw));
        let vectors = match params.get("vectors") {
            None | Some(Value::Null) => Vec::new(),
            Some(one) if one.get("size").is_some_and(Value::is_u64) => {
                vec![vector("", one, quantization.as_ref()).ok_or_else(|| wrong(""))?]
            }
            Some(Value::Object(named)) => {
                let read = |(raw, value): (&String, &Value)| vector(raw, value, quantization.as_ref()).ok_or_else(|| wrong(raw));
                named.iter().map(read).collect::<Result<_, _>>()?
            }
            Some(_) => return Err("its `vectors` are no object".into()),
        };
        let sparse = params.get("sparse_vectors").and_then(Value::as_object).into_iter().flatten();
        let sparse = sparse.map(|(raw, value)| SparseShape {
            name: name(raw),
            modifier: word(value.get("modifier")),
            on_disk: value.get("index").is_some_and(|index| flag(index, "on_disk")),
        });
        let number = params.get("shard_number").and_then(Value::as_u64).unwrap_or(1);
        Ok(Self {
            vectors,
            sparse_vectors: sparse.collect(),
            shard_number: u32::try_from(number).ok().filter(|n| *n > 0).ok_or("its shard number cannot be right")?,
            custom_sharding: params.get("sharding_method").and_then(Value::as_str) == Some("custom"),
            replication_factor: params.get("replication_factor").and_then(Value::as_u64).unwrap_or(1),
            on_disk_payload: flag(params, "on_disk_payload"),
            quantization,
            metadata: present(config, "metadata").is_some(),
        })
    }

    /// Vectors in words, one each.
    pub fn vectors_in_words(&self) -> Vec<String> {
        let dense = self.vectors.iter().map(|vector| {
            let mut words = format!("{}-d {}", vector.size, vector.distance);
            if !vector.name.is_empty() {
                words = format!("{} {words}", vector.name);
            }
            let extra = [
                (vector.datatype != "float32").then(|| vector.datatype.clone()),
                vector.multivector.then(|| "multi".to_owned()),
                vector.on_disk.then(|| "on disk".to_owned()),
                vector.quantization.clone(),
            ];
            for extra in extra.into_iter().flatten() {
                words.push_str(", ");
                words.push_str(&extra);
            }
            words
        });
        let sparse = self.sparse_vectors.iter().map(|vector| {
            let modifier = vector.modifier.as_ref().map(|modifier| format!(", {modifier}")).unwrap_or_default();
            format!("{} sparse{modifier}{}", vector.name, if vector.on_disk { ", on disk" } else { "" })
        });
        dense.chain(sparse).collect()
    }
}

impl SegmentShape {
    /// Whether everything but the version is the same.
    pub fn is_like(&self, other: &Self) -> bool {
        self.vectors == other.vectors && self.payload == other.payload
    }

    /// Reads `segment.json`.
    ///
    /// # Errors
    /// In words, when it lacks what every segment has.
    pub fn read(state: &Value) -> Result<Self, String> {
        let config = state.get("config").filter(|config| config.is_object()).ok_or("it has no `config`")?;
        let kind = |value: Option<&Value>| match value {
            Some(Value::String(word)) => one_line(word, 40),
            Some(Value::Object(tagged)) => word(tagged.get("type")).unwrap_or_default(),
            _ => String::new(),
        };
        let dense = match config.get("vector_data") {
            None => None,
            Some(Value::Object(dense)) => Some(dense),
            Some(_) => return Err("its `vector_data` is no object".into()),
        };
        let dense = dense.into_iter().flatten().map(|(raw, value)| StoredVector {
            name: name(raw),
            raw: raw.clone(),
            size: value.get("size").and_then(Value::as_u64),
            distance: word(value.get("distance")),
            datatype: word(value.get("datatype")),
            storage: kind(value.get("storage_type")),
            index: kind(value.get("index")),
            quantization: quantization(value),
        });
        let sparse = config.get("sparse_vector_data").and_then(Value::as_object).into_iter().flatten();
        let sparse = sparse.map(|(raw, value)| StoredVector {
            name: name(raw),
            raw: raw.clone(),
            size: None,
            distance: None,
            datatype: None,
            storage: kind(value.get("storage_type")),
            index: value.get("index").and_then(|index| word(index.get("index_type"))).unwrap_or_default(),
            quantization: None,
        });
        Ok(Self {
            vectors: dense.chain(sparse).collect(),
            payload: kind(config.get("payload_storage_type")),
            version: state.get("version").and_then(Value::as_u64),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shapes_in_words() {
        let config = json!({"params": {"vectors": {
            "text": {"size": 8, "distance": "Cosine", "on_disk": true, "datatype": "float16"},
            "tokens": {"size": 4, "distance": "Dot", "multivector_config": {"comparator": "max_sim"}}},
            "sparse_vectors": {"words": {"modifier": "idf"}}, "shard_number": 2},
            "quantization_config": {"scalar": {"type": "int8"}}});
        let words = Shape::read(&config).unwrap().vectors_in_words();
        assert_eq!(
            words,
            ["text 8-d Cosine, float16, on disk, scalar int8", "tokens 4-d Dot, multi, scalar int8", "words sparse, idf"]
        );
        let plain = json!({"params": {"vectors": {"size": 4, "distance": "Dot"}}});
        assert_eq!(Shape::read(&plain).unwrap().vectors_in_words(), ["4-d Dot"]);
        // A vector may be called `size`.
        let odd = json!({"params": {"vectors": {"size": {"size": 4, "distance": "Dot"}}}});
        assert_eq!(Shape::read(&odd).unwrap().vectors_in_words(), ["size 4-d Dot"]);
    }

    #[test]
    fn what_cannot_be_a_shape_is_said() {
        for bad in [
            json!(null),
            json!([]),
            json!({"params": 5}),
            json!({"params": {"vectors": 5}}),
            json!({"params": {"vectors": {"a": 1}}}),
            json!({"params": {"shard_number": 0}}),
            json!({"params": {"shard_number": 1_u64 << 40}}),
        ] {
            assert!(Shape::read(&bad).is_err(), "{bad}");
        }
        for bad in [json!({}), json!({"config": 1}), json!({"config": {"vector_data": []}})] {
            assert!(SegmentShape::read(&bad).is_err(), "{bad}");
        }
    }
}
