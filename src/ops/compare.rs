//! Two collections side by side, on any instances: shape, counts, and every point or a sample of them. Changes nothing.
//!
//! The deep comparison reads both in the order of their ids and merges, a range of ids at a time and several ranges at
//! once: memory does not grow with the collections, and the first ids of each kind of difference are known exactly.

use crate::domain::address::CollectionAddress;
use crate::domain::collection::CollectionInfo;
use crate::domain::ids::CollectionName;
use crate::domain::point::PointId;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::size::{Unit, exact};
use crate::jobs::progress::Progress;
use crate::ops::proof;
use crate::ops::report::Verdict;
use crate::ops::services::Services;
use crate::qdrant::api::QdrantApi;
use crate::qdrant::error::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinSet;

/// Ranges of ids that are read at once; each has one request to each side in flight.
const RANGES: usize = 6;

/// Ids of each kind of difference that are named.
const NAMED: usize = 10;

/// Points of a sample.
pub(in crate::ops) const SAMPLE: usize = 200;

/// Numbers of vectors that a page may hold: as parsed JSON one takes 32 bytes.
const PAGE_NUMBERS: u64 = 48_000;

/// What to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompareSpec {
    /// The one.
    pub first: CollectionAddress,
    /// The other.
    pub second: CollectionAddress,
    /// Every point, rather than a sample.
    pub deep: bool,
}

/// Points of one kind of difference.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ids {
    /// How many.
    pub count: u64,
    /// The first of them, in order.
    pub first: Vec<PointId>,
}

impl Ids {
    fn add(&mut self, id: PointId) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(id);
        }
    }

    fn append(&mut self, later: Self) {
        self.count += later.count;
        self.first.extend(later.first);
        self.first.truncate(NAMED);
    }

    /// In words.
    pub fn words(&self) -> String {
        let ids: Vec<String> = self.first.iter().map(PointId::to_string).collect();
        let more = if self.count > self.first.len() as u64 { ", …" } else { "" };
        if ids.is_empty() { "0".into() } else { format!("{} (ids {}{more})", exact(self.count), ids.join(", ")) }
    }
}

/// What came of points.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Points {
    /// Equal in payload and vectors.
    pub same: u64,
    /// Not in the second.
    pub only_in_first: Ids,
    /// Not in the first.
    pub only_in_second: Ids,
    /// In both, with another payload or vector.
    pub changed: Ids,
}

impl Points {
    fn append(&mut self, later: Self) {
        self.same += later.same;
        self.only_in_first.append(later.only_in_first);
        self.only_in_second.append(later.only_in_second);
        self.changed.append(later.changed);
    }

    fn differs(&self) -> bool {
        self.only_in_first.count + self.only_in_second.count + self.changed.count > 0
    }
}

/// Exact counts of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Of the one.
    pub first: u64,
    /// Of the other.
    pub second: u64,
}

fn unjudged() -> Verdict {
    Verdict::CouldNotCheck(String::new())
}

/// The comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The one.
    pub first: String,
    /// The other.
    pub second: String,
    /// Every point was read.
    pub deep: bool,
    /// What is not the same in vectors, sharding and indexes.
    pub shape: Vec<String>,
    /// Exact counts.
    #[serde(rename = "points")]
    pub counts: Counts,
    /// What came of the points that were read.
    #[serde(flatten)]
    pub points: Points,
    /// How long it took; the report that it is part of says so itself.
    #[serde(skip)]
    pub seconds: f64,
    /// The judgement; so does this.
    #[serde(skip, default = "unjudged")]
    pub verdict: Verdict,
}

impl Comparison {
    /// What was compared and found, as label and text.
    pub fn findings(&self) -> Vec<(&'static str, String)> {
        let read = if self.deep { "every point" } else { "a random sample of both" };
        let mut found: Vec<(&'static str, String)> =
            self.shape.iter().map(|difference| ("shape", crate::domain::text::one_line(difference, 300))).collect();
        found.extend([
            ("points", format!("{} in the first, {} in the second", exact(self.counts.first), exact(self.counts.second))),
            ("compared", format!("{read}, payload and vectors")),
            ("same", exact(self.points.same)),
            ("only in the first", self.points.only_in_first.words()),
            ("only in the second", self.points.only_in_second.words()),
            ("changed", self.points.changed.words()),
        ]);
        found
    }

    /// Lines for people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("first:  {}", self.first), format!("second: {}", self.second), self.verdict.sentence()];
        lines.extend(self.findings().into_iter().map(|(label, text)| format!("{label}: {text}")));
        let read = self.points.same + self.points.changed.count;
        let rate = if self.seconds > 0.0 { read as f64 / self.seconds } else { 0.0 };
        lines.push(format!("took: {:.1} s, {} points/s", self.seconds, exact(rate as u64)));
        lines
    }
}

/// One side.
#[derive(Clone)]
struct Side {
    node: Arc<dyn QdrantApi>,
    name: CollectionName,
    shown: String,
}

impl Side {
    async fn find(services: &Services, address: &CollectionAddress) -> Result<Self, Problem> {
        let connection = services.connection(&address.instance).await?;
        Ok(Self { node: connection.node(0)?.clone(), name: address.collection.clone(), shown: address.to_string() })
    }

    fn problem(&self) -> impl Fn(ApiError) -> Problem + use<> {
        let shown = self.shown.clone();
        move |error| error.into_problem(&shown)
    }
}

/// Compares.
///
/// # Errors
/// When a side cannot be read. A difference is no error: it is what was found.
pub async fn compare(services: &Services, spec: &CompareSpec, progress: &Progress) -> Result<Comparison, Problem> {
    let begun = Instant::now();
    let (first, second) = (Side::find(services, &spec.first).await?, Side::find(services, &spec.second).await?);
    progress.phase("reading the shapes", None);
    let infos = async |side: &Side| {
        let info = side.node.collection(&side.name).await.map_err(side.problem())?;
        let count = side.node.count(&side.name).await.map_err(side.problem())?;
        Ok::<_, Problem>((info, count))
    };
    let ((info_a, count_a), (info_b, count_b)) = tokio::try_join!(infos(&first), infos(&second))?;
    let mut shape = shape_differences(&info_a, &info_b);
    shape.extend(index_difference(&info_a, &info_b));
    let points = if spec.deep {
        progress.counting("comparing every point", Some(count_a.max(count_b)), Unit::Points);
        let page = page_size(&info_a).min(page_size(&info_b));
        deep(&first, &second, page, progress).await?
    } else {
        progress.phase("comparing a sample", None);
        let (from_a, from_b) = tokio::try_join!(sample(&first, &second), sample(&second, &first))?;
        both_ways(from_a, from_b)
    };
    let verdict = judge(&shape, (count_a, count_b), &points, spec.deep);
    Ok(Comparison {
        first: first.shown,
        second: second.shown,
        deep: spec.deep,
        shape,
        counts: Counts { first: count_a, second: count_b },
        points,
        seconds: begun.elapsed().as_secs_f64(),
        verdict,
    })
}

fn judge(shape: &[String], counts: (u64, u64), points: &Points, deep: bool) -> Verdict {
    let mut found: Vec<String> = shape.to_vec();
    if points.differs() {
        let parts = [
            ("changed", points.changed.count),
            ("only in the first", points.only_in_first.count),
            ("only in the second", points.only_in_second.count),
        ];
        let named: Vec<String> = parts.iter().filter(|(_, n)| *n > 0).map(|(what, n)| format!("{} {what}", exact(*n))).collect();
        let read = points.same + parts.iter().map(|(_, n)| n).sum::<u64>();
        found.push(if deep { named.join("; ") } else { format!("of {} sampled points {}", exact(read), named.join(", ")) });
    }
    // What a sample met says nothing of how many there are.
    if counts.0 != counts.1 && (!deep || !points.differs()) {
        found.push(format!("{} and {} points", exact(counts.0), exact(counts.1)));
    }
    match (found.is_empty(), deep) {
        (false, _) => Verdict::Differs(found.join("; ")),
        (true, true) => Verdict::Matches(format!("all {} points are equal", exact(points.same))),
        (true, false) => Verdict::Matches(format!("counts and {} sampled points are equal", exact(points.same))),
    }
}

/// Numbers in the vectors of a point decide how many points a page may have.
pub(in crate::ops) fn page_size(info: &CollectionInfo) -> usize {
    let size = |vector: &Value| {
        let size = vector.get("size").and_then(Value::as_u64)?;
        // A multivector holds several.
        let many = if vector.get("multivector_config").is_some_and(|config| !config.is_null()) { 32 } else { 1 };
        Some(size.saturating_mul(many))
    };
    let vectors = info.vectors();
    let named = || vectors.as_object().into_iter().flatten().filter_map(|(_, vector)| size(vector)).fold(0, u64::saturating_add);
    let numbers = size(&vectors).unwrap_or_else(named).max(32);
    (PAGE_NUMBERS / numbers).clamp(8, 1_000) as usize
}

/// What is not the same in vectors and sharding.
pub(in crate::ops) fn shape_differences(a: &CollectionInfo, b: &CollectionInfo) -> Vec<String> {
    let mut found = Vec::new();
    if a.vectors() != b.vectors() {
        let (a, b) = (a.vectors_in_words(), b.vectors_in_words());
        found.push(if a == b { format!("parameters of the vectors {a}") } else { format!("vectors: {a} and {b}") });
    }
    if a.params.get("sparse_vectors") != b.params.get("sparse_vectors") {
        found.push("sparse vectors".into());
    }
    if a.shard_number() != b.shard_number() {
        found.push(format!("{} and {} shards", a.shard_number(), b.shard_number()));
    }
    found
}

fn index_difference(a: &CollectionInfo, b: &CollectionInfo) -> Option<String> {
    let words = |info: &CollectionInfo| {
        let fields: Vec<String> = info.payload_schema.iter().map(|(field, kind)| format!("{field} {kind}")).collect();
        if fields.is_empty() { "none".to_owned() } else { fields.join(", ") }
    };
    (a.payload_schema != b.payload_schema).then(|| format!("payload indexes: {} and {}", words(a), words(b)))
}

/// What came of one point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Same,
    Changed,
    Missing,
}

/// Random points of `from`, looked up in `other`.
async fn sample(from: &Side, other: &Side) -> Result<Vec<(PointId, Found)>, Problem> {
    let sampled = match from.node.sample(&from.name, SAMPLE).await {
        Ok(points) => points,
        // Before 1.11 there is no query API: the first points serve.
        Err(_) => from.node.scroll(&from.name, None, SAMPLE).await.map_err(from.problem())?.points,
    };
    let ids: Vec<PointId> = sampled.iter().map(|point| point.id.clone()).collect();
    let theirs = proof::digests(other.node.as_ref(), &other.name, &ids).await.map_err(other.problem())?;
    let judged = sampled.into_iter().map(|point| {
        let found = match theirs.get(&point.id) {
            Some(digest) if *digest == proof::digest(&point) => Found::Same,
            Some(_) => Found::Changed,
            None => Found::Missing,
        };
        (point.id, found)
    });
    Ok(judged.collect())
}

/// What the samples of both sides found together; a point that both drew counts once.
fn both_ways(from_first: Vec<(PointId, Found)>, from_second: Vec<(PointId, Found)>) -> Points {
    let mut points = Points::default();
    let mut shared: BTreeMap<PointId, Found> = BTreeMap::new();
    for (sampled, missing) in [(from_first, &mut points.only_in_first), (from_second, &mut points.only_in_second)] {
        for (id, found) in BTreeMap::from_iter(sampled) {
            if found == Found::Missing {
                missing.add(id);
            } else {
                shared.insert(id, found);
            }
        }
    }
    for (id, found) in shared {
        if found == Found::Same {
            points.same += 1;
        } else {
            points.changed.add(id);
        }
    }
    points
}

/// Every point, by ranges of ids.
async fn deep(first: &Side, second: &Side, page: usize, progress: &Progress) -> Result<Points, Problem> {
    let mut bounds = bounds(first).await;
    bounds.dedup();
    let starts = std::iter::once(None).chain(bounds.iter().cloned().map(Some));
    let ends = bounds.iter().cloned().map(Some).chain(std::iter::once(None));
    let mut tasks = JoinSet::new();
    for (number, (start, end)) in starts.zip(ends).enumerate() {
        let cursor = |side: &Side| Cursor::new(side.clone(), page, start.clone(), end.clone());
        let (a, b, progress) = (cursor(first), cursor(second), progress.clone());
        tasks.spawn(async move { Ok::<_, Problem>((number, merge(a, b, &progress).await?)) });
    }
    let mut parts: BTreeMap<usize, Points> = BTreeMap::new();
    while let Some(ended) = tasks.join_next().await {
        let crashed =
            |error: tokio::task::JoinError| Problem::new(ProblemKind::Failed, format!("comparing crashed: {error}"), "");
        let (number, points) = ended.map_err(crashed)??;
        parts.insert(number, points);
    }
    let mut all = Points::default();
    parts.into_values().for_each(|part| all.append(part));
    Ok(all)
}

/// Ids that divide a collection into about equal parts: quantiles of a random sample. Without one there is one part.
async fn bounds(side: &Side) -> Vec<PointId> {
    let Ok(sampled) = side.node.sample(&side.name, 16 * RANGES).await else { return Vec::new() };
    let mut ids: Vec<PointId> = sampled.into_iter().map(|point| point.id).collect();
    ids.sort();
    (1..RANGES).filter_map(|part| ids.get(part * ids.len() / RANGES).cloned()).collect()
}

/// Reads one side of a range in the order of ids.
struct Cursor {
    side: Side,
    page: usize,
    next: Option<PointId>,
    until: Option<PointId>,
    digests: VecDeque<(PointId, String)>,
    last: Option<PointId>,
    done: bool,
}

impl Cursor {
    fn new(side: Side, page: usize, start: Option<PointId>, until: Option<PointId>) -> Self {
        Self { side, page, next: start, until, digests: VecDeque::new(), last: None, done: false }
    }

    /// Has the next point at hand, if there is one.
    async fn fill(&mut self) -> Result<(), Problem> {
        while self.digests.is_empty() && !self.done {
            let read = self.side.node.scroll(&self.side.name, self.next.as_ref(), self.page).await;
            let page = read.map_err(self.side.problem())?;
            for point in page.points {
                if self.until.as_ref().is_some_and(|until| point.id >= *until) {
                    self.done = true;
                    break;
                }
                // The merge stands on it: a point out of order would be taken for one that is missing.
                if self.last.as_ref().is_some_and(|last| *last >= point.id) {
                    let words = format!("the server gave points out of order at id {}", point.id);
                    return Err(Problem::new(ProblemKind::Failed, words, &self.side.shown)
                        .advise("the collection changed while it was read, perhaps: compare again when nothing writes"));
                }
                self.last = Some(point.id.clone());
                self.digests.push_back((point.id.clone(), proof::digest(&point)));
            }
            match page.next {
                Some(next) if self.next.as_ref() != Some(&next) => self.next = Some(next),
                _ => self.done = true,
            }
        }
        Ok(())
    }
}

async fn merge(mut a: Cursor, mut b: Cursor, progress: &Progress) -> Result<Points, Problem> {
    let mut points = Points::default();
    loop {
        tokio::try_join!(a.fill(), b.fill())?;
        let order = match (a.digests.front(), b.digests.front()) {
            (None, None) => return Ok(points),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((id_a, _)), Some((id_b, _))) => id_a.cmp(id_b),
        };
        progress.look_through(1);
        let one = if order == Ordering::Greater { None } else { a.digests.pop_front() };
        let other = if order == Ordering::Less { None } else { b.digests.pop_front() };
        match (one, other) {
            (Some((_, digest_a)), Some((_, digest_b))) if digest_a == digest_b => points.same += 1,
            (Some((id, _)), Some(_)) => points.changed.add(id),
            (Some((id, _)), None) => points.only_in_first.add(id),
            (None, Some((id, _))) => points.only_in_second.add(id),
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: &[u64]) -> Ids {
        let mut ids = Ids::default();
        numbers.iter().for_each(|number| ids.add(PointId::Number(*number)));
        ids
    }

    #[test]
    fn only_the_first_ids_are_named() {
        let mut many = ids(&(0..9).collect::<Vec<_>>());
        many.append(ids(&(9..30).collect::<Vec<_>>()));
        assert_eq!((many.count, many.first.len()), (30, NAMED));
        assert_eq!(many.words(), "30 (ids 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …)");
        assert_eq!(Ids::default().words(), "0");
    }

    #[test]
    fn a_point_that_both_drew_counts_once() {
        let id = PointId::Number;
        let first = vec![(id(2), Found::Same), (id(1), Found::Missing), (id(5), Found::Changed)];
        let second = vec![(id(2), Found::Same), (id(5), Found::Changed), (id(9), Found::Missing)];
        let points = both_ways(first, second);
        assert_eq!((points.same, &points.changed, &points.only_in_first), (1, &ids(&[5]), &ids(&[1])));
        assert_eq!(points.only_in_second, ids(&[9]));
    }

    #[test]
    fn a_judgement_names_what_differs() {
        let same = Points { same: 5, ..Points::default() };
        assert!(matches!(judge(&[], (5, 5), &same, true), Verdict::Matches(words) if words == "all 5 points are equal"));
        let fewer = judge(&[], (5, 6), &same, false);
        assert!(matches!(&fewer, Verdict::Differs(words) if words == "5 and 6 points"), "{fewer:?}");
        let changed = Points { changed: ids(&[7]), ..same };
        let sampled = judge(&[], (5, 5), &changed, false);
        assert!(matches!(&sampled, Verdict::Differs(words) if words == "of 6 sampled points 1 changed"), "{sampled:?}");
        let shape = ["1 and 2 shards".to_owned()];
        let found = judge(&shape, (5, 5), &changed, true);
        assert!(matches!(&found, Verdict::Differs(words) if words == "1 and 2 shards; 1 changed"), "{found:?}");
    }
}
