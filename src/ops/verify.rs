//! Is the data right? Count, state, schema and the proof sample, asked on every node.

use crate::domain::address::CollectionAddress;
use crate::domain::collection::{CollectionInfo, CollectionStatus};
use crate::domain::point::PointId;
use crate::domain::problem::Problem;
use crate::domain::size::exact;
use crate::domain::time;
use crate::jobs::progress::Progress;
use crate::ops::compare;
use crate::ops::proof::{self, Proof};
use crate::ops::report::{PointCounts, SampleCounts, Verdict};
use crate::ops::services::Connection;
use crate::qdrant::error::ApiErrorKind;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long replicas may take to become Active, and points to settle.
const SETTLING: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(500);

/// Where the expectation comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// Recorded when the snapshot was taken.
    Recorded(Proof),
    /// Read from the live source now: it may have changed since the snapshot.
    LiveSource(Proof),
    /// Nothing is known.
    Nothing,
}

/// What a restored collection is measured against.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Its points.
    pub expected: Expected,
    /// Its configuration, as the recovery point itself has it.
    pub shape: Option<CollectionInfo>,
}

impl Reference {
    /// Points only.
    pub fn of(expected: Expected) -> Self {
        Self { expected, shape: None }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// The judgement.
    pub verdict: Verdict,
    /// Counts; `None` when the collection could not be asked.
    pub points: Option<PointCounts>,
    /// Sample; `None` when there was none to compare.
    pub samples: Option<SampleCounts>,
    /// Nothing was wrong, but nothing was recorded to compare with either.
    pub unrecorded: bool,
    /// What differs is no matter of points that somebody may have written meanwhile: state, shards, vectors.
    pub structural: bool,
}

/// Points that are read where nothing was recorded to compare with: enough to meet every page of a small collection.
const READ: usize = 256;

/// Facts about the restored collection.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Exact count, asked on each node.
    pub counts: Vec<u64>,
    /// Dead replicas, and other signs of damage.
    pub doubts: Vec<String>,
    /// Replicas that are still on their way to Active: too early to judge.
    pub unsettled: Vec<String>,
    /// Indexed fields.
    pub payload_schema: Vec<(String, String)>,
    /// What is not as the recovery point says, of vectors and shards.
    pub shape: Vec<String>,
    /// Digests of the sample's points.
    pub digests: BTreeMap<PointId, String>,
}

/// Verifies a collection on all nodes of its instance.
pub async fn verify(
    connection: &Connection,
    address: &CollectionAddress,
    reference: &Reference,
    progress: &Progress,
) -> Result<Verification, Problem> {
    settle(connection, address, progress).await;
    progress.note("counting and comparing the sample");
    let found = gather(connection, address, reference).await?;
    Ok(judge(&reference.expected, &found))
}

/// Waits until no shard moves and all replicas are Active; what is still wrong then shows in the facts.
async fn settle(connection: &Connection, address: &CollectionAddress, progress: &Progress) {
    let mut waited = Duration::ZERO;
    while waited < SETTLING {
        let mut restless = false;
        for node in &connection.nodes {
            match node.collection_cluster(&address.collection).await {
                Ok(cluster) => restless |= cluster.moving > 0 || !cluster.unhealthy().is_empty(),
                Err(_) => return,
            }
        }
        if !restless {
            return;
        }
        progress.note("waiting until all replicas are active");
        tokio::time::sleep(POLL).await;
        waited += POLL;
    }
}

async fn gather(connection: &Connection, address: &CollectionAddress, reference: &Reference) -> Result<Found, Problem> {
    let expected = &reference.expected;
    let problem = |error: crate::qdrant::error::ApiError| error.into_problem(address.to_string());
    let mut found = Found::default();
    let info = connection.first().collection(&address.collection).await.map_err(problem)?;
    if info.status == CollectionStatus::Red {
        found.doubts.push("the collection's status is red".into());
    }
    if let Some(error) = &info.optimizer_error {
        found.doubts.push(format!("the optimizer reports: {error}"));
    }
    if let Some(shape) = &reference.shape {
        found.shape = compare::shape_differences(shape, &info);
        let missing: Vec<&str> =
            shape.payload_schema.iter().filter(|field| !info.payload_schema.contains(field)).map(|f| f.0.as_str()).collect();
        if !missing.is_empty() {
            found.shape.push(format!("payload indexes missing: {}", missing.join(", ")));
        }
    }
    found.payload_schema = info.payload_schema.clone();
    for node in &connection.nodes {
        found.counts.push(node.count(&address.collection).await.map_err(problem)?);
        let cluster = node.collection_cluster(&address.collection).await.map_err(problem)?;
        let (dead, moving): (Vec<String>, Vec<String>) =
            cluster.unhealthy().into_iter().partition(|text| text.ends_with(" Dead"));
        found.doubts.extend(dead);
        found.unsettled.extend(moving);
    }
    match expected {
        Expected::Recorded(proof) | Expected::LiveSource(proof) => {
            let ids: Vec<PointId> = proof.samples.iter().map(|(id, _)| id.clone()).collect();
            found.digests = proof::digests(connection.first(), &address.collection, &ids).await.map_err(problem)?;
        }
        // A server counts points whose payload it cannot read (1.16.3: a flipped bit in a page).
        Expected::Nothing => {
            let page = READ.min(compare::page_size(&info));
            if let Err(error) = connection.first().scroll(&address.collection, None, page).await
                && error.kind == ApiErrorKind::Server
            {
                found.doubts.push(format!("its points cannot be read: {}", error.message));
            }
        }
    }
    Ok(found)
}

/// Whether counts or sampled points change from one look to the next: then somebody writes.
pub(in crate::ops) async fn points_move(
    connection: &Connection,
    address: &CollectionAddress,
    reference: &Reference,
    pause: Duration,
) -> bool {
    let before = gather(connection, address, reference).await;
    tokio::time::sleep(pause).await;
    let after = gather(connection, address, reference).await;
    matches!((before, after), (Ok(before), Ok(after)) if (&before.counts, &before.digests) != (&after.counts, &after.digests))
}

/// The rule. Pure.
pub fn judge(expected: &Expected, found: &Found) -> Verification {
    let count = found.counts.first().copied().unwrap_or(0);
    let proof = match expected {
        Expected::Recorded(proof) | Expected::LiveSource(proof) => Some(proof),
        Expected::Nothing => None,
    };
    let points = PointCounts { expected: proof.map(|proof| proof.points_max), found: count };
    let samples = proof.map(|proof| compare(&proof.samples, &found.digests));
    let mut differences = differences(found, count, proof, samples);
    let uneven = found.counts.iter().any(|other| *other != count);
    let structural = !found.doubts.is_empty() || !found.shape.is_empty() || (uneven && found.unsettled.is_empty());
    let verdict = match expected {
        Expected::Nothing if differences.is_empty() => {
            Verdict::CouldNotCheck(format!("{} points found, but nothing was recorded when the snapshot was taken", exact(count)))
        }
        Expected::LiveSource(_)
            if !differences.is_empty()
                && found.doubts.is_empty()
                && found.shape.is_empty()
                && found.counts.iter().all(|c| *c == count) =>
        {
            Verdict::CouldNotCheck(format!(
                "nothing was recorded when the snapshot was taken, and the live source, which may have changed since, is not the same: {}",
                differences.join("; ")
            ))
        }
        // While replicas are built their counts differ, which is no damage; what differs besides is.
        _ if !found.unsettled.is_empty() && differences.len() <= usize::from(uneven) => {
            Verdict::CouldNotCheck(format!("replicas are not active yet: {}", found.unsettled.join(", ")))
        }
        _ if !differences.is_empty() => {
            differences.truncate(5);
            Verdict::Differs(differences.join("; "))
        }
        _ if count > 0 && samples.is_some_and(|samples| samples.same == 0) => Verdict::CouldNotCheck(format!(
            "{} points found, but every sampled point changed while the snapshot was taken",
            exact(count)
        )),
        _ => Verdict::Matches(match (expected, samples) {
            (Expected::LiveSource(_), Some(samples)) => {
                format!("{} points and {} samples equal the live source now", exact(count), samples.same)
            }
            (Expected::Recorded(proof), Some(samples)) => format!(
                "{} points and {} samples equal what was recorded {}",
                exact(count),
                samples.same,
                time::second(proof.taken_at)
            ),
            _ => format!("{} points", exact(count)),
        }),
    };
    let unrecorded =
        matches!(verdict, Verdict::CouldNotCheck(_)) && !matches!(expected, Expected::Recorded(_)) && found.unsettled.is_empty();
    let structural = structural && matches!(verdict, Verdict::Differs(_));
    Verification { verdict, points: Some(points), samples, unrecorded, structural }
}

fn differences(found: &Found, count: u64, proof: Option<&Proof>, samples: Option<SampleCounts>) -> Vec<String> {
    let mut list = Vec::new();
    if found.counts.iter().any(|other| *other != count) {
        list.push(format!("the nodes count differently: {:?}", found.counts));
    }
    list.extend(found.doubts.iter().cloned());
    list.extend(found.shape.iter().cloned());
    let Some(proof) = proof else { return list };
    if !(proof.points_min..=proof.points_max).contains(&count) {
        let expected = if proof.points_min == proof.points_max {
            exact(proof.points_max)
        } else {
            format!("{} to {}", exact(proof.points_min), exact(proof.points_max))
        };
        list.push(format!("{} points instead of {expected}", exact(count)));
    }
    let missing_fields: Vec<&str> =
        proof.payload_schema.iter().filter(|field| !found.payload_schema.contains(field)).map(|field| field.0.as_str()).collect();
    if !missing_fields.is_empty() && found.shape.is_empty() {
        list.push(format!("payload indexes missing: {}", missing_fields.join(", ")));
    }
    if let Some(samples) = samples.filter(|samples| samples.changed + samples.missing > 0) {
        list.push(format!("of the sample {} changed and {} are missing", samples.changed, samples.missing));
    }
    list
}

fn compare(samples: &[(PointId, String)], found: &BTreeMap<PointId, String>) -> SampleCounts {
    let mut counts = SampleCounts::default();
    for (id, digest) in samples {
        match found.get(id) {
            Some(other) if other == digest => counts.same += 1,
            Some(_) => counts.changed += 1,
            None => counts.missing += 1,
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof() -> Proof {
        Proof {
            source: "prod/x".into(),
            taken_at: "2026-11-22T03:00:00Z".parse().unwrap(),
            points_min: 10,
            points_max: 12,
            payload_schema: vec![("city".into(), "keyword".into())],
            qdrant_version: None,
            samples: vec![(PointId::Number(1), "a".into()), (PointId::Number(2), "b".into())],
            proven_at: None,
            snapshot: None,
        }
    }

    fn found() -> Found {
        Found {
            counts: vec![11],
            doubts: vec![],
            unsettled: vec![],
            shape: vec![],
            payload_schema: vec![("city".into(), "keyword".into()), ("more".into(), "integer".into())],
            digests: [(PointId::Number(1), "a".to_owned()), (PointId::Number(2), "b".to_owned())].into(),
        }
    }

    fn word(expected: &Expected, found: &Found) -> &'static str {
        judge(expected, found).verdict.word()
    }

    #[test]
    fn each_kind_of_damage_is_a_difference() {
        let recorded = Expected::Recorded(proof());
        assert_eq!(word(&recorded, &found()), "matches");
        let damage: [fn(&mut Found); 7] = [
            |f| f.counts = vec![9],
            |f| f.counts = vec![13],
            |f| f.counts = vec![11, 10],
            |f| f.doubts.push("shard 0 Dead".into()),
            |f| f.payload_schema.clear(),
            |f| f.shape.push("1 and 2 shards".into()),
            |f| f.digests.insert(PointId::Number(1), "other".into()).map(drop).unwrap_or_default(),
        ];
        for damage in damage {
            let mut damaged = found();
            damage(&mut damaged);
            assert_eq!(word(&recorded, &damaged), "differs", "{damaged:?}");
        }
        let mut lost = found();
        lost.digests.remove(&PointId::Number(2));
        let verification = judge(&recorded, &lost);
        assert_eq!(verification.samples, Some(SampleCounts { same: 1, changed: 0, missing: 1 }));
        assert_eq!(verification.verdict.word(), "differs");
    }

    #[test]
    fn too_early_or_too_little_is_no_verdict() {
        let recorded = Expected::Recorded(proof());
        let mut early = found();
        early.unsettled.push("shard 0 Partial".into());
        assert_eq!(word(&recorded, &early), "could_not_check");
        early.counts = vec![11, 4];
        assert_eq!(word(&recorded, &early), "could_not_check", "counts are uneven while replicas are built");
        early.counts = vec![4, 4];
        assert_eq!(word(&recorded, &early), "differs", "points are missing, whatever replicas do");
        let unsampled = Expected::Recorded(Proof { samples: vec![], ..proof() });
        assert_eq!(word(&unsampled, &found()), "could_not_check");
    }

    #[test]
    fn without_a_record_nothing_is_claimed() {
        assert_eq!(word(&Expected::Nothing, &found()), "could_not_check");
        let mut dead = found();
        dead.doubts.push("shard 0 Dead".into());
        assert_eq!(word(&Expected::Nothing, &dead), "differs");
        let mut other = found();
        other.shape.push("vectors: 4-d Dot and 8-d Dot".into());
        assert_eq!(word(&Expected::Nothing, &other), "differs", "the recovery point itself says its shape");
    }

    #[test]
    fn a_live_source_can_prove_but_not_disprove() {
        let live = Expected::LiveSource(proof());
        assert_eq!(word(&live, &found()), "matches");
        let mut other = found();
        other.counts = vec![9];
        assert_eq!(word(&live, &other), "could_not_check");
        other.doubts.push("shard 0 Dead".into());
        assert_eq!(word(&live, &other), "differs");
    }
}
