//! Two collections side by side, on any instances: shape, counts, and every point or a sample of them. Changes nothing.
//!
//! The deep comparison reads both in the order of their ids and merges, a range of ids at a time and several ranges at
//! once: memory does not grow with the collections, and the first ids of each kind of difference are known exactly.

use crate::domain::address::CollectionAddress;
use crate::domain::collection::CollectionInfo;
use crate::domain::point::{Point, PointId};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::settings::Difference;
use crate::domain::shape::data_shape_differences;
use crate::domain::size::{Unit, exact};
use crate::jobs::progress::Progress;
use crate::ops::proof::scan::{Cursor, Reader, ranges};
use crate::ops::proof::unread::Unread;
use crate::ops::report::comparison::{Comparison, Counts, Points};
use crate::ops::report::verdict::Verdict;
use crate::ops::request::collections::CompareRequest;
use crate::ops::services::Services;
use crate::qdrant::api::Fields;
use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;
use tokio::task::JoinSet;

/// Points of a sample.
pub(in crate::ops) const SAMPLE: usize = 200;

/// One side.
struct Side {
    reader: Reader,
    info: CollectionInfo,
    count: u64,
}

impl Side {
    async fn find(services: &Services, address: &CollectionAddress, progress: &Progress) -> Result<Self, Problem> {
        let connection = services.connection(&address.instance).await?;
        let (reader, info) = Reader::open(&connection, address).await.map_err(Unread::problem)?;
        let count = reader.count(info.points, progress).await.map_err(Unread::problem)?;
        Ok(Self { reader, info, count })
    }
}

/// Compares.
///
/// # Errors
/// When a side cannot be read. A difference is no error: it is what was found.
pub async fn compare(services: &Services, request: &CompareRequest, progress: &Progress) -> Result<Comparison, Problem> {
    let begun = Instant::now();
    progress.phase("reading the shapes", None);
    let (first, second) =
        tokio::try_join!(Side::find(services, &request.first, progress), Side::find(services, &request.second, progress))?;
    let shape = data_shape_differences(&first.info, &second.info);
    let differences = first.info.settings.differences_beside_shape(&second.info.settings);
    let settings: Vec<String> = differences.iter().map(Difference::words).collect();
    let counts = Counts { first: first.count, second: second.count };
    let (points, vague) = if request.deep {
        progress.counting("comparing every point", Some(first.count.max(second.count)), Unit::Points);
        deep(&first.reader, &second.reader, progress).await?
    } else {
        progress.phase("comparing a sample", None);
        let (from_a, from_b) = tokio::try_join!(sample(&first.reader, &second.reader), sample(&second.reader, &first.reader))?;
        (both_ways(from_a.0, from_b.0), from_a.1 + from_b.1)
    };
    let points_read = points.same + points.changed.count + points.only_in_first.count + points.only_in_second.count;
    let verdict = judge(&[&shape[..], &settings[..]].concat(), counts, &points, request.deep);
    let data_verdict = judge(&shape, counts, &points, request.deep);
    Ok(Comparison {
        first: first.reader.shown,
        second: second.reader.shown,
        deep: request.deep,
        shape,
        settings,
        counts,
        points,
        not_compared: not_compared(vague, !request.deep && points_read < counts.first.max(counts.second)),
        seconds: begun.elapsed().as_secs_f64(),
        verdict,
        data_verdict,
    })
}

/// What a comparison cannot see, or does not look at.
fn not_compared(vague: u64, sampled: bool) -> Vec<String> {
    let mut list = vec!["aliases, replication, WAL, state of indexing".to_owned()];
    if sampled {
        list.push("points beyond the sample; --deep reads every one".to_owned());
    }
    if vague > 0 {
        list.push(format!(
            "infinite numbers: {} points have a number in a vector that JSON cannot say, so that +inf and -inf look the same",
            exact(vague)
        ));
    }
    list
}

fn judge(shape: &[String], counts: Counts, points: &Points, deep: bool) -> Verdict {
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
    if counts.first != counts.second && (!deep || !points.differs()) {
        found.push(format!("{} and {} points", exact(counts.first), exact(counts.second)));
    }
    match (found.is_empty(), deep) {
        (false, _) => Verdict::Differs(found.join("; ")),
        (true, true) => Verdict::Matches(format!("all {} points are equal", exact(points.same))),
        (true, false) => Verdict::Matches(format!("counts and {} sampled points are equal", exact(points.same))),
    }
}

/// What came of one point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Same,
    Changed,
    Missing,
}

/// Random points of `from`, looked up in `other`; and how many of them have numbers that JSON cannot say.
async fn sample(from: &Reader, other: &Reader) -> Result<(Vec<(PointId, Found)>, u64), Problem> {
    let wanted = from.allowed.sample(other.allowed.sample(SAMPLE));
    let sampled = from.sample(wanted).await.map_err(Unread::problem)?;
    let ids: Vec<PointId> = sampled.iter().map(|point| point.id.clone()).collect();
    let theirs = other.digests(&ids).await.map_err(Unread::problem)?;
    let vague = sampled.iter().filter(|point| point.vague).count() as u64;
    let judged = sampled.into_iter().map(|point| {
        let found = match theirs.get(&point.id) {
            Some(digest) if *digest == point.digest => Found::Same,
            Some(_) => Found::Changed,
            None => Found::Missing,
        };
        (point.id, found)
    });
    Ok((judged.collect(), vague))
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

/// Every point, by ranges of ids; and how many have numbers that JSON cannot say.
async fn deep(first: &Reader, second: &Reader, progress: &Progress) -> Result<(Points, u64), Problem> {
    // Where either side counts reads, one range is all that it bears.
    let bounds = if second.allowed.per_minute.is_some() { Vec::new() } else { first.bounds().await };
    let mut tasks = JoinSet::new();
    for (number, (start, end)) in ranges(&bounds).into_iter().enumerate() {
        let cursor = |reader: &Reader| Line::new(Cursor::new(reader.clone(), start.clone(), end.clone(), Fields::All));
        let (a, b, progress) = (cursor(first), cursor(second), progress.clone());
        tasks.spawn(async move { Ok::<_, Problem>((number, merge(a, b, &progress).await.map_err(Unread::problem)?)) });
    }
    let mut parts: BTreeMap<usize, (Points, u64)> = BTreeMap::new();
    while let Some(ended) = tasks.join_next().await {
        let crashed =
            |error: tokio::task::JoinError| Problem::new(ProblemKind::Failed, format!("comparing crashed: {error}"), "");
        let (number, found) = ended.map_err(crashed)??;
        parts.insert(number, found);
    }
    let (mut all, mut vague) = (Points::default(), 0);
    for (part, unclear) in parts.into_values() {
        all.append(part);
        vague += unclear;
    }
    Ok((all, vague))
}

/// The points of one side of a range, one after the other.
struct Line {
    cursor: Cursor,
    points: VecDeque<Point>,
}

impl Line {
    fn new(cursor: Cursor) -> Self {
        Self { cursor, points: VecDeque::new() }
    }

    /// Has the next point at hand, if there is one.
    async fn fill(&mut self) -> Result<(), Unread> {
        while self.points.is_empty() {
            match self.cursor.page().await? {
                Some(points) => self.points.extend(points),
                None => break,
            }
        }
        Ok(())
    }
}

async fn merge(mut a: Line, mut b: Line, progress: &Progress) -> Result<(Points, u64), Unread> {
    let (mut points, mut vague) = (Points::default(), 0);
    loop {
        tokio::try_join!(a.fill(), b.fill())?;
        let order = match (a.points.front(), b.points.front()) {
            (None, None) => return Ok((points, vague)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => one.id.cmp(&other.id),
        };
        progress.look_through(1);
        let one = if order == Ordering::Greater { None } else { a.points.pop_front() };
        let other = if order == Ordering::Less { None } else { b.points.pop_front() };
        match (one, other) {
            (Some(one), Some(other)) if one.digest == other.digest => {
                vague += u64::from(one.vague);
                points.same += 1;
            }
            (Some(one), Some(_)) => points.changed.add(one.id),
            (Some(one), None) => points.only_in_first.add(one.id),
            (None, Some(other)) => points.only_in_second.add(other.id),
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::report::comparison::Ids;

    fn ids(numbers: &[u64]) -> Ids {
        let mut ids = Ids::default();
        numbers.iter().for_each(|number| ids.add(PointId::Number(*number)));
        ids
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
        let counts = |first, second| Counts { first, second };
        let same = Points { same: 5, ..Points::default() };
        assert!(matches!(judge(&[], counts(5, 5), &same, true), Verdict::Matches(words) if words == "all 5 points are equal"));
        let fewer = judge(&[], counts(5, 6), &same, false);
        assert!(matches!(&fewer, Verdict::Differs(words) if words == "5 and 6 points"), "{fewer:?}");
        let changed = Points { changed: ids(&[7]), ..same };
        let sampled = judge(&[], counts(5, 5), &changed, false);
        assert!(matches!(&sampled, Verdict::Differs(words) if words == "of 6 sampled points 1 changed"), "{sampled:?}");
        let shape = ["1 and 2 shards".to_owned()];
        let found = judge(&shape, counts(5, 5), &changed, true);
        assert!(matches!(&found, Verdict::Differs(words) if words == "1 and 2 shards; 1 changed"), "{found:?}");
    }
}
