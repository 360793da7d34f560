//! The proof sample: what a collection looked like when a snapshot of it was taken.
//!
//! A count proves nothing: a snapshot with 200 kB of vectors overwritten was accepted by a real server
//! with `result: true` and the right count (1.18.3). So the digests of some points are kept. The sample
//! is read before the snapshot and again after it; only points that did not change in between count,
//! so that writes during the snapshot cannot make a good restore look bad.

use crate::domain::collection::CollectionInfo;
use crate::domain::ids::CollectionName;
use crate::domain::point::{Point, PointId};
use crate::domain::problem::{Problem, ProblemKind};
use crate::qdrant::api::QdrantApi;
use crate::qdrant::error::ApiError;
use crate::transfer::hashing::hex;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Points in a sample.
pub const SAMPLE_SIZE: usize = 100;

/// What is remembered of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// Of which collection, as `instance/collection`.
    pub source: String,
    /// When.
    pub taken_at: Timestamp,
    /// Fewest points it can have: writes may have gone on.
    pub points_min: u64,
    /// Most points it can have.
    pub points_max: u64,
    /// Indexed payload fields and their types.
    pub payload_schema: Vec<(String, String)>,
    /// Version of the server that took it: a snapshot does not hold it.
    #[serde(default)]
    pub qdrant_version: Option<String>,
    /// Digests by point.
    pub samples: Vec<(PointId, String)>,
    /// When a restore of it was last proven.
    #[serde(default)]
    pub proven_at: Option<Timestamp>,
    /// Name of the snapshot: a file of that name with other bytes is damaged.
    #[serde(default)]
    pub snapshot: Option<String>,
}

/// The first half, read before the snapshot.
pub struct Before {
    points: u64,
    samples: BTreeMap<PointId, String>,
    payload_schema: Vec<(String, String)>,
}

/// sha256 over the canonical JSON of payload and vectors.
pub fn digest(point: &Point) -> String {
    let mut hasher = Sha256::new();
    feed(&mut hasher, &point.payload);
    hasher.update(b"\n");
    feed(&mut hasher, &point.vector);
    hex(&hasher.finalize())
}

/// Canonical JSON: object keys sorted, no white space. An absent payload equals an empty one.
fn feed(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hasher.update(b"{}"),
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            hasher.update(b"{");
            for key in keys {
                hasher.update(Value::String(key.clone()).to_string());
                hasher.update(b":");
                match &map[key] {
                    Value::Null => hasher.update(b"null"),
                    other => feed(hasher, other),
                }
                hasher.update(b",");
            }
            hasher.update(b"}");
        }
        Value::Array(list) => {
            hasher.update(b"[");
            for item in list {
                match item {
                    Value::Null => hasher.update(b"null"),
                    other => feed(hasher, other),
                }
                hasher.update(b",");
            }
            hasher.update(b"]");
        }
        other => hasher.update(other.to_string()),
    }
}

/// Digests of the points of these ids that exist, in chunks that any server can answer.
pub async fn digests(
    node: &dyn QdrantApi,
    name: &CollectionName,
    ids: &[PointId],
) -> Result<BTreeMap<PointId, String>, ApiError> {
    let mut found = BTreeMap::new();
    for chunk in ids.chunks(50) {
        let points = node.points(name, chunk).await?;
        found.extend(points.iter().map(|point| (point.id.clone(), digest(point))));
    }
    Ok(found)
}

/// Reads the first half.
pub async fn before(node: &dyn QdrantApi, name: &CollectionName) -> Result<Before, ApiError> {
    let CollectionInfo { payload_schema, .. } = node.collection(name).await?;
    let points = node.count(name).await?;
    let sample = match node.sample(name, SAMPLE_SIZE).await {
        Ok(sample) => sample,
        // Before 1.11 there is no query API: the first points serve.
        Err(_) => node.scroll(name, None, SAMPLE_SIZE).await?.points,
    };
    let samples = sample.iter().map(|point| (point.id.clone(), digest(point))).collect();
    Ok(Before { points, samples, payload_schema })
}

/// Reads the second half, and keeps what did not change.
pub async fn after(
    node: &dyn QdrantApi,
    name: &CollectionName,
    source: String,
    taken_at: Timestamp,
    before: Before,
) -> Result<Proof, ApiError> {
    let points = node.count(name).await?;
    let ids: Vec<PointId> = before.samples.keys().cloned().collect();
    let now = digests(node, name, &ids).await?;
    let same = before.samples.into_iter().filter(|(id, digest)| now.get(id) == Some(digest));
    Ok(Proof {
        source,
        taken_at,
        points_min: points.min(before.points),
        points_max: points.max(before.points),
        payload_schema: before.payload_schema,
        qdrant_version: node.version().await.ok().flatten().map(|version| version.to_string()),
        samples: same.collect(),
        proven_at: None,
        snapshot: None,
    })
}

/// Proofs on disk, by the sha256 of the snapshot's bytes: a downloaded file finds its proof again.
#[derive(Debug)]
pub struct ProofStore {
    folder: PathBuf,
}

impl ProofStore {
    /// Proofs go to `<state>/proofs`.
    pub fn new(state_dir: &Path) -> Self {
        Self { folder: state_dir.join("proofs") }
    }

    /// Keeps one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, sha256: &str, proof: &Proof) -> Result<(), Problem> {
        let Some(path) = self.path(sha256) else { return Ok(()) };
        let text = serde_json::to_vec(proof).unwrap_or_default();
        let named = proof.snapshot.as_deref().map(|name| (self.name_path(name), sha256.as_bytes()));
        let write = || -> std::io::Result<()> {
            put(&path, &text)?;
            named.map_or(Ok(()), |(path, sha256)| put(&path, sha256))
        };
        write().map_err(|error| {
            Problem::new(ProblemKind::Failed, format!("the proof cannot be kept: {error}"), path.display().to_string())
                .advise("free some space or set XDG_STATE_HOME; without it a restore of this snapshot can only be counted")
        })
    }

    /// The sha256 and the proof of the last snapshot of this name.
    pub fn by_name(&self, name: &str) -> Option<(String, Proof)> {
        let sha256 = std::fs::read_to_string(self.name_path(name)).ok()?;
        let proof = self.load(Some(&sha256))?;
        Some((sha256, proof))
    }

    /// All records of a collection, given as `instance/collection`.
    pub fn of_source(&self, source: &str) -> Vec<Proof> {
        self.all().into_iter().filter(|proof| proof.source == source).collect()
    }

    /// All records that can be read.
    pub fn all(&self) -> Vec<Proof> {
        let Ok(folder) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let texts = folder.flatten().filter_map(|entry| std::fs::read(entry.path()).ok());
        texts.filter_map(|text| serde_json::from_slice::<Proof>(&text).ok()).collect()
    }

    /// Names come from servers: only their hash becomes a file name.
    fn name_path(&self, name: &str) -> PathBuf {
        self.folder.join("names").join(&hex(&Sha256::digest(name.as_bytes()))[..32])
    }

    /// Finds one.
    pub fn load(&self, sha256: Option<&str>) -> Option<Proof> {
        let text = std::fs::read(self.path(sha256?)?).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// A file name only out of what is a hash: the text comes from a server.
    fn path(&self, sha256: &str) -> Option<PathBuf> {
        let valid = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        valid.then(|| self.folder.join(format!("{sha256}.json")))
    }
}

/// Writes a file whole, or not at all.
fn put(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn point(payload: Value, vector: Value) -> Point {
        Point { id: PointId::Number(1), payload, vector }
    }

    #[test]
    fn digests_ignore_the_order_of_keys_and_nothing_else() {
        let base = digest(&point(json!({"a": 1, "b": {"c": 2, "d": null}}), json!([1.0, 2.0])));
        assert_eq!(base, digest(&point(json!({"b": {"d": null, "c": 2}, "a": 1}), json!([1.0, 2.0]))));
        for (payload, vector) in [
            (json!({"a": 2, "b": {"c": 2, "d": null}}), json!([1.0, 2.0])),
            (json!({"a": 1, "b": {"c": 2}}), json!([1.0, 2.0])),
            (json!({"a": 1, "b": {"c": 2, "d": {}}}), json!([1.0, 2.0])),
            (json!({"a": 1, "b": {"c": 2, "d": null}}), json!([2.0, 1.0])),
            (json!({"a": 1, "b": {"c": 2, "d": null}}), Value::Null),
        ] {
            assert_ne!(base, digest(&point(payload, vector)));
        }
        assert_eq!(digest(&point(Value::Null, json!([1]))), digest(&point(json!({}), json!([1]))));
    }

    #[test]
    fn proofs_are_found_by_the_bytes_they_belong_to() {
        let dir = tempfile::tempdir().unwrap();
        let store = ProofStore::new(dir.path());
        let sha256 = "a".repeat(64);
        let proof = Proof {
            source: "prod/x".into(),
            taken_at: Timestamp::UNIX_EPOCH,
            points_min: 1,
            points_max: 2,
            payload_schema: vec![("city".into(), "keyword".into())],
            qdrant_version: Some("1.18.3".into()),
            samples: vec![(PointId::Number(1), "d".into()), (PointId::Uuid("u".into()), "e".into())],
            proven_at: None,
            snapshot: Some("x-1-2026-11-22-03-00-00.snapshot".into()),
        };
        store.save(&sha256, &proof).unwrap();
        assert_eq!(store.by_name("x-1-2026-11-22-03-00-00.snapshot"), Some((sha256.clone(), proof.clone())));
        assert_eq!(store.by_name("../x"), None);
        assert_eq!(store.load(Some(&sha256)), Some(proof));
        assert_eq!(store.load(Some("../../etc/passwd")), None);
        assert_eq!(store.load(None), None);
    }
}
