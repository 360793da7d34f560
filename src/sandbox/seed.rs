//! Collections out of a seed: real points, payloads a person can read, snapshots of several ages.

use crate::sandbox::archive::{self, Picture};
use crate::sandbox::world::{Node, PointKey, StoredPoint, World, mix};
use crate::sandbox::{config, snapshots};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One collection to make.
#[derive(Debug, Clone)]
pub struct SeedCollection {
    /// Its name.
    pub name: String,
    /// Points, with ids from 1.
    pub points: u64,
    /// Vector size.
    pub dimensions: usize,
    /// Shards.
    pub shards: u64,
    /// Bytes that its snapshots carry besides.
    pub filler: u64,
    /// Different seeds give different points.
    pub seed: u64,
    /// An alias for it.
    pub alias: Option<String>,
    /// Snapshots to keep, by age in seconds.
    pub snapshot_ages: Vec<i64>,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a collection after its snapshots were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fate {
    /// It is well.
    #[default]
    Well,
    /// Its data cannot be read.
    Damaged,
    /// It was deleted; its snapshots are still on the node's disk.
    Deleted,
}

impl SeedCollection {
    /// A small collection without snapshots.
    pub fn new(name: &str, points: u64) -> Self {
        Self {
            name: name.to_owned(),
            points,
            dimensions: 8,
            shards: 1,
            filler: 0,
            seed: 1,
            alias: None,
            snapshot_ages: Vec::new(),
            fate: Fate::Well,
        }
    }
}

const CITIES: [&str; 6] = ["Oslo", "Rome", "Lima", "Kyoto", "Accra", "Perth"];

fn point(seed: &SeedCollection, id: u64) -> StoredPoint {
    let word = |n: u64| mix(seed.seed.wrapping_mul(0x1_0001) ^ (id << 8) ^ n);
    let vector: Vec<Value> = (0..seed.dimensions as u64).map(|n| json!((word(n) % 2_000) as f32 / 1_000.0 - 1.0)).collect();
    let payload = json!({
        "sku": format!("{}-{id:06}", seed.name),
        "city": CITIES[(word(90) % 6) as usize],
        "price": word(91) % 100_000,
    });
    StoredPoint { vector: Value::Array(vector), payload }
}

/// Makes all of them on node 0's cluster; snapshots lie on node 0.
pub fn apply(world: &Arc<World>, plan: &[SeedCollection]) -> std::io::Result<()> {
    for seed in plan {
        make(world, seed)?;
        if !seed.snapshot_ages.is_empty() {
            snapshot(world, seed)?;
        }
        befall(world, seed);
    }
    Ok(())
}

fn befall(world: &World, seed: &SeedCollection) {
    let mut cluster = world.cluster();
    match seed.fate {
        Fate::Well => {}
        Fate::Damaged => {
            let Some(collection) = cluster.collections.get_mut(&seed.name) else { return };
            for replica in collection.shards.values_mut().flat_map(|shard| shard.replicas.values_mut()) {
                replica.broken = true;
            }
        }
        Fate::Deleted => drop(cluster.collections.remove(&seed.name)),
    }
}

fn make(world: &World, seed: &SeedCollection) -> std::io::Result<()> {
    let mut cluster = world.cluster();
    let vectors = json!({"size": seed.dimensions, "distance": "Dot"});
    let request = json!({"vectors": vectors, "shard_number": seed.shards});
    let config = config::of_request(&request, world.options.strict_mode.as_ref());
    cluster.create(&seed.name, config.map_err(|refusal| std::io::Error::other(refusal.words))?);
    if let Some(alias) = &seed.alias {
        cluster.aliases.insert(alias.clone(), seed.name.clone());
    }
    let Some(collection) = cluster.collections.get_mut(&seed.name) else { return Ok(()) };
    collection.payload_schema.insert("city".into(), json!("keyword"));
    for id in 1..=seed.points {
        let key = PointKey::Number(id);
        let Ok(shard) = collection.shard_of(&key, None) else { continue };
        let write = collection.write(shard, &BTreeSet::new(), |points| {
            points.insert(key.clone(), point(seed, id));
        });
        write.map_err(|refusal| std::io::Error::other(refusal.words))?;
    }
    let share = seed.filler / collection.shards.len() as u64;
    for replica in collection.shards.values_mut().flat_map(|shard| shard.replicas.values_mut()) {
        replica.filler = share;
    }
    Ok(())
}

/// Older snapshots hold fewer points, as the collection did then, and less filler.
fn snapshot(world: &Arc<World>, seed: &SeedCollection) -> std::io::Result<()> {
    let node = Node { world: world.clone(), index: 0 };
    let mut ages = seed.snapshot_ages.clone();
    ages.sort_unstable();
    for (step, age) in ages.into_iter().enumerate() {
        let share = 100_u64.saturating_sub(step as u64 * 2).max(50);
        let (mut picture, peer) = {
            let cluster = world.cluster();
            let collection = cluster.collection(&seed.name).map_err(|refusal| std::io::Error::other(refusal.words))?;
            (Picture::take(&cluster, collection, 0), cluster.nodes[0].peer)
        };
        for replica in picture.shards.iter_mut().filter_map(|shard| shard.replica.as_mut()) {
            let limit = PointKey::Number(seed.points * share / 100);
            Arc::make_mut(&mut replica.points).retain(|key, _| *key <= limit);
            replica.filler = replica.filler * share / 100;
        }
        let path = world.fresh_path();
        archive::write_collection(&path, &picture)?;
        let at = snapshots::now() - jiff::SignedDuration::from_secs(age);
        let name = format!("{}-{peer}-{}.snapshot", seed.name, snapshots::stamp(at));
        snapshots::keep(&node, &seed.name, &name, snapshots::finished(path, at)?);
    }
    Ok(())
}
