//! What a backup says of itself. Everything that a snapshot does not carry is here, and everything that proves it.
//!
//! A manifest comes from a store that others may write to: what it names is checked before anything is done with it.

use crate::domain::address::CollectionAddress;
use crate::domain::backup::BackupId;
use crate::domain::ids::{CollectionName, InstanceName, PeerId, ShardId};
use crate::domain::lineage::Lineage;
use crate::domain::proof::Proof;
use crate::repository::layout;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The format that is written, and the newest that is read.
pub const FORMAT: u32 = 1;

/// A manifest larger than this is none.
pub const LARGEST: u64 = 64 << 20;

/// More shards than any collection has.
const MOST_SHARDS: u64 = 100_000;

/// The mark at the root of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Format of the layout.
    pub format: u32,
    /// Tells it from other repositories.
    pub id: String,
    /// When the first backup came.
    pub created_at: Timestamp,
}

/// What lies in the folder of a backup while it is written, or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Format of the layout.
    pub format: u32,
    /// Who.
    pub who: String,
    /// When it was last written: a living backup writes it again and again.
    pub at: Timestamp,
    /// It is being removed.
    #[serde(default)]
    pub removing: bool,
    /// Names of the objects in the folder, as far as they are known.
    #[serde(default)]
    pub objects: Vec<String>,
    /// Folders of older backups on which it builds.
    #[serde(default)]
    pub builds_on: Vec<String>,
}

impl Started {
    /// Reads it. Where a disk was too full to write one, the manifest took its place: then the backup is being removed.
    pub fn read(text: &[u8], id: &BackupId) -> Option<Self> {
        serde_json::from_slice::<Self>(text).ok().or_else(|| {
            let manifest = Manifest::read(text, id).ok()?;
            let objects = manifest.names().map(str::to_owned).collect();
            Some(Self {
                format: manifest.format,
                who: manifest.who,
                at: manifest.finished_at,
                removing: true,
                objects,
                builds_on: Vec::new(),
            })
        })
    }
}

/// How the data was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The snapshot files of the nodes.
    Snapshot,
    /// A stream of each shard.
    Shards,
}

/// One object of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its name in the folder of the backup.
    pub name: String,
    /// What the node called it.
    pub original: String,
    /// Bytes.
    pub size: u64,
    /// sha256 of the bytes, lower-case hex, computed while they passed.
    pub sha256: String,
    /// Whether the server listed the same hash.
    #[serde(default)]
    pub listed: bool,
    /// Address of the node.
    #[serde(default)]
    pub node: String,
    /// Its peer id.
    #[serde(default)]
    pub peer: Option<PeerId>,
    /// Shards in it, where that is known.
    #[serde(default)]
    pub shards: Vec<ShardId>,
}

/// An object, also of another backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The backup in whose folder it lies.
    pub backup: BackupId,
    /// Its name there.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// sha256 of the bytes, lower-case hex.
    pub sha256: String,
}

impl Held {
    /// Its key, for what lies in `folder`: the folder of any backup of the same collection.
    pub fn key(&self, folder: &str) -> String {
        format!("{}/{}", layout::beside(folder, &self.backup), self.name)
    }
}

/// A shard whose files are listed, so that increments can build on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indexed {
    /// Which shard.
    pub shard: ShardId,
    /// The object with the list, see [`super::shard_index`].
    pub name: String,
    /// Bytes of the list.
    pub size: u64,
    /// sha256 of the list.
    pub sha256: String,
    /// Bytes of the shard's snapshot when it is put together.
    pub bytes: u64,
    /// The objects that its files lie in, of this backup and of older ones.
    pub parts: Vec<Held>,
    /// The backup that has a whole stream of it; all after that have increments.
    pub base: BackupId,
    /// Bytes of that stream.
    pub base_bytes: u64,
    /// Bytes of all increments since then.
    pub added: u64,
    /// The replica that was streamed: others have other segments.
    pub peer: PeerId,
    /// Its node at that moment: only while that goes on do versions tell what changed.
    pub lineage: Lineage,
}

/// The manifest, without its proof: lists do not need that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format of the layout.
    pub format: u32,
    /// The id, as the folder is called.
    pub id: BackupId,
    /// How it was copied.
    pub kind: Kind,
    /// The instance.
    pub instance: String,
    /// The collection, its whole name.
    pub collection: String,
    /// When the first snapshot was asked for.
    pub taken_at: Timestamp,
    /// When the manifest was written.
    pub finished_at: Timestamp,
    /// Every shard is in it.
    pub complete: bool,
    /// What is not, in words.
    #[serde(default)]
    pub missing: Vec<String>,
    /// The objects.
    pub objects: Vec<Object>,
    /// Shards whose files are listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Indexed>,
    /// Fewest points it can have.
    #[serde(default)]
    pub points_min: Option<u64>,
    /// Most points it can have.
    #[serde(default)]
    pub points_max: Option<u64>,
    /// Status of the collection.
    #[serde(default)]
    pub status: Option<String>,
    /// Version of the server.
    #[serde(default)]
    pub qdrant_version: Option<String>,
    /// Version of qsnap.
    pub qsnap_version: String,
    /// Who.
    pub who: String,
    /// The run that it is a part of, where several collections were backed up at once.
    #[serde(default)]
    pub run: Option<String>,
    /// How many collections of the instance that run was to back up: fewer backups of it are no whole set.
    #[serde(default)]
    pub run_collections: Option<usize>,
    /// Number of shards of the collection.
    #[serde(default)]
    pub shards: Option<u64>,
    /// Shard keys.
    #[serde(default)]
    pub shard_keys: Vec<Value>,
    /// Aliases of the collection.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The configuration as the server told it.
    #[serde(default)]
    pub config: Value,
    /// The payload indexes as the server told them.
    #[serde(default)]
    pub payload_schema: Value,
}

/// A manifest as it is written: with the proof.
#[derive(Serialize)]
pub struct Whole<'a> {
    /// All but the proof.
    #[serde(flatten)]
    pub manifest: &'a Manifest,
    /// What the collection looked like.
    pub proof: Option<&'a Proof>,
}

#[derive(Deserialize)]
struct OnlyFormat {
    format: u32,
}

#[derive(Deserialize)]
struct OnlyProof {
    #[serde(default)]
    proof: Option<Proof>,
}

impl Manifest {
    /// Reads the manifest in the folder of `id`.
    ///
    /// # Errors
    /// Says what is wrong with it, in one sentence.
    pub fn read(text: &[u8], id: &BackupId) -> Result<Self, String> {
        let OnlyFormat { format } = serde_json::from_slice(text).map_err(|_| "the manifest is damaged: it is no JSON object")?;
        if format > FORMAT {
            return Err(format!("the manifest has format {format}; this qsnap reads up to {FORMAT}: use a newer qsnap"));
        }
        let manifest: Self = serde_json::from_slice(text).map_err(|error| format!("the manifest is damaged: {error}"))?;
        if manifest.id != *id {
            return Err("the manifest is that of another backup: the folder was renamed or copied".into());
        }
        if InstanceName::new(&manifest.instance).is_err() || manifest.collection.is_empty() {
            return Err("the manifest is damaged: it names no collection".into());
        }
        manifest.objects.iter().try_for_each(|object| check(&object.name, &object.sha256))?;
        manifest.parts().try_for_each(|part| check(&part.name, &part.sha256))?;
        manifest.indexes.iter().try_for_each(|index| check(&index.name, &index.sha256))?;
        let apart = manifest.taken_at.as_second().abs_diff(id.taken_at().as_second());
        if apart > 86_400 {
            return Err("the manifest is damaged: it says another time than its id".into());
        }
        if manifest.shards.is_some_and(|shards| shards > MOST_SHARDS) {
            return Err("the manifest is damaged: no collection has so many shards".into());
        }
        let points = manifest.points_min.zip(manifest.points_max).is_none_or(|(least, most)| least <= most);
        if !points || (manifest.complete && !manifest.missing.is_empty()) {
            return Err("the manifest is damaged: it contradicts itself".into());
        }
        match manifest.flaw() {
            Some(flaw) => Err(format!("the manifest is damaged: it calls itself complete, and {flaw}")),
            None => Ok(manifest),
        }
    }

    /// Why it cannot be complete, whatever it says.
    pub fn flaw(&self) -> Option<String> {
        let names: std::collections::BTreeSet<&str> = self.names().collect();
        if names.len() != self.names().count() {
            return Some("names an object twice".into());
        }
        let own = |part: &Held| self.objects.iter().any(|object| object.name == part.name && object.size == part.size);
        if self.parts().any(|part| part.backup == self.id && !own(part)) {
            return Some("a shard of it is made of an object that it does not have".into());
        }
        if self.complete && self.objects.is_empty() && self.indexes.is_empty() {
            return Some("names no data".into());
        }
        if !self.has_its_shards() {
            return Some("names fewer shards than the collection has".into());
        }
        let custom = self.config.pointer("/params/sharding_method").and_then(Value::as_str) == Some("custom");
        (self.kind == Kind::Shards && custom && self.shard_keys.is_empty()).then(|| "does not name the keys of its shards".into())
    }

    /// Whether the objects of a complete one hold as many shards as the collection has, as far as they say which they hold.
    fn has_its_shards(&self) -> bool {
        let Some(count) = self.shards.filter(|_| self.complete) else { return true };
        if self.objects.iter().any(|object| object.shards.is_empty()) {
            return true;
        }
        let own = self.objects.iter().flat_map(|object| object.shards.clone());
        let held: std::collections::BTreeSet<ShardId> = own.chain(self.indexes.iter().map(|index| index.shard)).collect();
        // `shards` is for each key, where there are keys.
        let keyed =
            self.shard_keys.iter().filter_map(|key| serde_json::from_value::<Vec<ShardId>>(key.get("shards")?.clone()).ok());
        held.len() as u64 >= count && keyed.flatten().all(|shard| held.contains(&shard))
    }

    /// The proof in the text of a manifest.
    pub fn proof(text: &[u8]) -> Option<Proof> {
        serde_json::from_slice::<OnlyProof>(text).ok()?.proof
    }

    /// Of what.
    pub fn address(&self) -> Option<CollectionAddress> {
        Some(CollectionAddress::new(InstanceName::new(&self.instance).ok()?, CollectionName::new(self.collection.clone())))
    }

    /// Whether an object may have this name: one that leaves the folder of the backup, or is one of its own files, would make a
    /// restore or a deletion reach something else.
    pub fn may_name(name: &str) -> bool {
        let own = [layout::MANIFEST, layout::STARTED].contains(&name);
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-%~".contains(&byte));
        let dots = name.bytes().all(|byte| byte == b'.');
        !name.is_empty() && !own && plain && !dots
    }

    /// Bytes of all objects in its folder.
    pub fn size(&self) -> u64 {
        let lists = self.indexes.iter().map(|index| index.size);
        self.objects.iter().map(|object| object.size).chain(lists).fold(0, u64::saturating_add)
    }

    /// Bytes that a restore of it moves.
    pub fn restored_size(&self) -> u64 {
        let whole = self.whole_objects().map(|object| object.size);
        whole.chain(self.increments().map(|index| index.bytes)).fold(0, u64::saturating_add)
    }

    /// Names of all objects in its folder, but for itself.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().map(|object| object.name.as_str()).chain(self.indexes.iter().map(|index| index.name.as_str()))
    }

    /// The objects that its shards are put together of.
    pub fn parts(&self) -> impl Iterator<Item = &Held> {
        self.indexes.iter().flat_map(|index| index.parts.iter())
    }

    /// The shards that are put together, because they were not streamed as a whole.
    pub fn increments(&self) -> impl Iterator<Item = &Indexed> {
        self.indexes.iter().filter(|index| index.base != self.id)
    }

    /// The objects that are what they are called: no stream of changes.
    pub fn whole_objects(&self) -> impl Iterator<Item = &Object> {
        let of_increment = |object: &Object| self.increments().any(|index| object.shards.contains(&index.shard));
        self.objects.iter().filter(move |object| !of_increment(object))
    }
}

fn check(name: &str, sha256: &str) -> Result<(), String> {
    if !Manifest::may_name(name) {
        return Err("the manifest is damaged: it names a file outside its backup".into());
    }
    if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()) {
        return Err("the manifest is damaged: an object has no sha256".into());
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn manifest(id: &str) -> Manifest {
        let id = BackupId::new(id).unwrap();
        Manifest {
            format: FORMAT,
            kind: Kind::Snapshot,
            instance: "prod".into(),
            collection: "products".into(),
            taken_at: id.taken_at(),
            finished_at: id.taken_at(),
            id,
            complete: true,
            missing: vec![],
            objects: vec![Object {
                name: "7-products.snapshot".into(),
                original: "products-7-2026-11-22-03-15-00.snapshot".into(),
                size: 10,
                sha256: "a".repeat(64),
                listed: true,
                node: "http://localhost:6333".into(),
                peer: Some(7),
                shards: vec![0],
            }],
            indexes: vec![],
            points_min: Some(5),
            points_max: Some(5),
            status: Some("green".into()),
            qdrant_version: Some("1.18.3".into()),
            qsnap_version: "0.1.0".into(),
            who: "ada@bastion".into(),
            run: None,
            run_collections: None,
            shards: Some(1),
            shard_keys: vec![],
            aliases: vec!["shop".into()],
            config: Value::Null,
            payload_schema: Value::Null,
        }
    }

    #[test]
    fn a_manifest_is_read_back_and_a_hostile_one_is_not() {
        let good = manifest("20261122T031500Z-9f3c");
        let text = |manifest: &Manifest| serde_json::to_vec(&Whole { manifest, proof: None }).unwrap();
        assert_eq!(Manifest::read(&text(&good), &good.id).unwrap(), good);
        let other = BackupId::new("20261122T031500Z-0000").unwrap();
        assert!(Manifest::read(&text(&good), &other).unwrap_err().contains("another backup"));
        let newer = Manifest { format: 2, ..good.clone() };
        assert!(Manifest::read(&text(&newer), &good.id).unwrap_err().contains("newer qsnap"));
        for name in ["../x", "a/b", "", "..", "backup.json", "started.json", "x y"] {
            let mut bad = good.clone();
            bad.objects[0].name = name.into();
            assert!(Manifest::read(&text(&bad), &good.id).is_err(), "{name:?}");
        }
        // What calls itself complete holds every shard, those of all keys too, and names no object twice.
        let mut shards = Manifest { shards: Some(2), ..good.clone() };
        assert!(shards.flaw().unwrap().contains("fewer shards"));
        shards.objects[0].shards = vec![0, 1];
        assert_eq!(shards.flaw(), None);
        shards.shard_keys = vec![serde_json::json!({"key": "a", "shards": [0, 1, 2]})];
        assert!(shards.flaw().unwrap().contains("fewer shards"));
        let twice = Manifest { objects: vec![good.objects[0].clone(), good.objects[0].clone()], ..good.clone() };
        assert!(Manifest::read(&text(&twice), &good.id).unwrap_err().contains("twice"));
        let custom = serde_json::json!({"params": {"sharding_method": "custom"}});
        let keyless = Manifest { kind: Kind::Shards, config: custom, ..good.clone() };
        assert!(keyless.flaw().unwrap().contains("keys"));
        let many = Manifest { shards: Some(u64::MAX), complete: false, missing: vec!["x".into()], ..good.clone() };
        assert!(Manifest::read(&text(&many), &good.id).is_err(), "no list of so many is made");
        for damaged in [&b""[..], b"[]", b"{}", b"{\"format\":1}", b"\xff\xfe"] {
            assert!(Manifest::read(damaged, &good.id).unwrap_err().contains("damaged"));
        }
    }
}
