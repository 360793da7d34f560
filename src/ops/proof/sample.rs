//! The proof sample: what a collection looked like when a snapshot of it was taken.
//!
//! A count proves nothing: a snapshot with 200 kB of vectors overwritten was accepted by a real server
//! with `result: true` and the right count (1.18.3). So the digests of some points are kept. The sample
//! is read before the snapshot and again after it; only points that did not change in between count,
//! so that writes during the snapshot cannot make a good restore look bad.

use crate::domain::address::CollectionAddress;
use crate::domain::point::PointId;
use crate::domain::proof::Proof;
use crate::domain::settings::Settings;
use crate::jobs::progress::Progress;
use crate::ops::proof::scan::Reader;
use crate::ops::proof::unread::Unread;
use crate::ops::proof::writes::Marks;
use crate::ops::services::Connection;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Points in a sample.
pub(crate) const SAMPLE_SIZE: usize = 100;

/// The first half, read before the snapshot.
pub(in crate::ops) struct Before {
    reader: Reader,
    points: u64,
    samples: BTreeMap<PointId, String>,
    payload_schema: Vec<(String, String)>,
    settings: Settings,
    marks: Option<Marks>,
    address: CollectionAddress,
}

/// Reads the first half.
///
/// # Errors
/// When there is nothing to read it from.
pub(in crate::ops) async fn before(
    connection: &Arc<Connection>,
    address: &CollectionAddress,
    progress: &Progress,
) -> Result<Before, Unread> {
    // What is written from here on is seen, whatever is counted later.
    let marks = Marks::read(connection, address).await;
    let (reader, info) = Reader::open(connection, address).await?;
    let points = reader.count(info.points, progress).await?;
    let sample = reader.sample(reader.allowed.sample(SAMPLE_SIZE)).await?;
    let samples = sample.into_iter().map(|point| (point.id, point.digest)).collect();
    Ok(Before {
        reader,
        points,
        samples,
        payload_schema: info.payload_schema,
        settings: info.settings,
        marks,
        address: address.clone(),
    })
}

/// Whether the points of an older sample are what they were then.
///
/// # Errors
/// As [`before`].
pub(in crate::ops) async fn is_as_then(
    connection: &Arc<Connection>,
    address: &CollectionAddress,
    then: &Proof,
    progress: &Progress,
) -> Result<bool, Unread> {
    let (reader, info) = Reader::open(connection, address).await?;
    let points = reader.count(info.points, progress).await?;
    if points < then.points_min || points > then.points_max {
        return Ok(false);
    }
    let ids: Vec<PointId> = then.samples.iter().map(|(id, _)| id.clone()).collect();
    let now = reader.digests(&ids).await?;
    Ok(then.samples.iter().all(|(id, digest)| now.get(id) == Some(digest)))
}

/// Reads the second half, and keeps what did not change.
///
/// # Errors
/// As [`before`].
pub(in crate::ops) async fn after(
    connection: &Arc<Connection>,
    taken_at: Timestamp,
    before: Before,
    progress: &Progress,
) -> Result<Proof, Unread> {
    let points = before.reader.count(Some(before.points), progress).await?;
    let ids: Vec<PointId> = before.samples.keys().cloned().collect();
    let now = before.reader.digests(&ids).await?;
    let quiet = before.marks.zip(Marks::read(connection, &before.address).await).map(|(then, now)| then == now);
    let same = before.samples.into_iter().filter(|(id, digest)| now.get(id) == Some(digest));
    Ok(Proof {
        source: before.reader.shown,
        taken_at,
        points_min: points.min(before.points),
        points_max: points.max(before.points),
        payload_schema: before.payload_schema,
        settings: Some(before.settings),
        qdrant_version: connection.whole().version().await.ok().flatten().map(|version| version.to_string()),
        samples: same.collect(),
        proven_at: None,
        quiet,
        snapshot: None,
    })
}
