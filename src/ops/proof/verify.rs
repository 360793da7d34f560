//! Is the data right? Count, state, schema and the proof sample, asked on every node.

use crate::domain::address::CollectionAddress;
use crate::domain::collection::{CollectionCluster, CollectionInfo, CollectionStatus};
use crate::domain::ids::PeerId;
use crate::domain::point::PointId;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::proof::Proof;
use crate::domain::settings::Settings;
use crate::domain::size::exact;
use crate::domain::{shape, time};
use crate::jobs::progress::Progress;
use crate::ops::proof::scan::Reader;
use crate::ops::proof::unread::Unread;
use crate::ops::report::verdict::Verdict;
use crate::ops::report::{PointCounts, SampleCounts};
use crate::ops::services::Connection;
use crate::ops::survey::placement::{self, is_silence};
use crate::qdrant::api::Fields;
use std::collections::BTreeMap;
use std::sync::Arc;
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
    /// Its shape, as the recovery point itself has it.
    pub shape: Option<CollectionInfo>,
    /// Settings that it must have; `None` where it may have others on purpose.
    pub settings: Option<Settings>,
    /// Every point is read, whatever is known of them: a server counts points that it cannot read.
    pub read_all: bool,
}

impl Reference {
    /// Points only.
    pub fn of(expected: Expected) -> Self {
        Self { expected, shape: None, settings: None, read_all: false }
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
    /// The data is known to be wrong or unreadable: points, vectors, shards. Settings are not meant: they are put back or
    /// reported, and never a reason to bring other data back.
    pub damaged: bool,
    /// What differs is no matter of points that somebody may have written meanwhile: it cannot be read, or has another shape.
    pub structural: bool,
}

impl Verification {
    /// Nothing could be asked.
    fn unread(why: Unread) -> Self {
        let broken = matches!(why, Unread::Broken(_));
        let problem = why.problem();
        let verdict = if broken {
            Verdict::Differs(format!("it cannot be read: {problem}"))
        } else {
            Verdict::CouldNotCheck(problem.to_string())
        };
        Self { verdict, points: None, samples: None, unrecorded: false, damaged: broken, structural: broken }
    }
}

/// Points up to which all are read with payload and vectors where nothing was recorded; of more, their ids are read. A server
/// gives about 33 000 points of 128 numbers a second (measured, 1.16.3).
const READ_WHOLE: u64 = 1_000_000;

/// Facts about the restored collection.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Exact count, asked on each node that answers.
    pub counts: Vec<u64>,
    /// Signs of damage.
    pub doubts: Vec<String>,
    /// Dead replicas on nodes that answer.
    pub dead: Vec<String>,
    /// Replicas that are still on their way to Active: too early to judge.
    pub unsettled: Vec<String>,
    /// Indexed fields.
    pub payload_schema: Vec<(String, String)>,
    /// What is not as the recovery point says, of vectors and shards.
    pub shape: Vec<String>,
    /// What is not as it must be, of configuration and payload indexes.
    pub settings: Vec<String>,
    /// Digests of the sample's points; `None` when they were not read.
    pub digests: Option<BTreeMap<PointId, String>>,
    /// What should have been read and was not, and why: nothing follows from it.
    pub unread: Vec<String>,
    /// Why not every point was read, where the server's limits would have made that last for hours.
    pub limited: Option<String>,
    /// Nodes that did not answer.
    pub silent: Vec<String>,
    /// Dead replicas on nodes that are not configured.
    pub unasked: Vec<String>,
}

impl Found {
    /// Whether no replica on a node that answers may still change.
    fn is_settled(&self) -> bool {
        self.dead.is_empty() && self.unsettled.is_empty()
    }
}

/// Verifies a collection on all nodes of its instance that answer.
pub async fn verify(
    connection: &Arc<Connection>,
    address: &CollectionAddress,
    reference: &Reference,
    progress: &Progress,
) -> Verification {
    let mut left = SETTLING;
    loop {
        settle(connection, address, &mut left, progress).await;
        progress.note("counting and comparing the sample");
        match gather(connection, address, reference, progress).await {
            // A server calls the other replicas Dead some time after it answered a restore, and then builds them anew: what
            // looked settled may not have been (measured, 1.16.3 with one of three nodes down).
            Ok(found) if !found.is_settled() && !left.is_zero() => {
                left = left.saturating_sub(POLL);
            }
            Ok(found) => return judge(&reference.expected, &found),
            Err(why) => return Verification::unread(with_all_nodes(connection, why).await),
        }
    }
}

/// What a server cannot read while a node of its cluster is missing may lie on that node: nothing follows from it.
pub(in crate::ops) async fn with_all_nodes(connection: &Connection, why: Unread) -> Unread {
    match why {
        Unread::Broken(problem) if problem.kind != ProblemKind::NotFound && placement::node_is_missing(connection).await => {
            let message = format!("{}; a node of its cluster does not answer, which may have it", problem.message);
            Unread::Unknown(Problem { message, ..problem })
        }
        why => why,
    }
}

/// What each node that answers says of the shards, and the nodes that do not answer.
struct Views {
    clusters: Vec<(usize, CollectionCluster)>,
    silent: Vec<usize>,
    refused: Vec<String>,
}

impl Views {
    async fn ask(connection: &Connection, address: &CollectionAddress) -> Self {
        let mut views = Self { clusters: Vec::new(), silent: Vec::new(), refused: Vec::new() };
        for (index, answer) in placement::clusters(connection, address).await.into_iter().enumerate() {
            match answer {
                Ok(cluster) => views.clusters.push((index, cluster)),
                Err(error) if is_silence(&error) && connection.nodes.len() > 1 => views.silent.push(index),
                Err(error) => views.refused.push(error.message),
            }
        }
        views
    }

    /// Replicas that are not active. What lies on a node that does not answer is no fault of the restore, and does not come
    /// back by waiting.
    fn unhealthy(&self, cluster: &CollectionCluster) -> Vec<String> {
        let living: Vec<PeerId> = self.clusters.iter().map(|(_, cluster)| cluster.peer).collect();
        cluster.unhealthy_where(|peer| self.silent.is_empty() || living.contains(&peer))
    }
}

/// Waits until no shard moves and all replicas are Active; what is still wrong then shows in the facts.
async fn settle(connection: &Connection, address: &CollectionAddress, left: &mut Duration, progress: &Progress) {
    while !left.is_zero() {
        let views = Views::ask(connection, address).await;
        let still = |(_, cluster): &(usize, CollectionCluster)| {
            let moves = cluster.moving > 0 && views.silent.is_empty();
            !moves && views.unhealthy(cluster).is_empty()
        };
        if views.clusters.iter().all(still) {
            return;
        }
        progress.note("waiting until all replicas are active");
        tokio::time::sleep(POLL).await;
        *left = left.saturating_sub(POLL);
    }
}

async fn gather(
    connection: &Arc<Connection>,
    address: &CollectionAddress,
    reference: &Reference,
    progress: &Progress,
) -> Result<Found, Unread> {
    let expected = &reference.expected;
    let mut found = Found::default();
    let (reader, info) = Reader::open(connection, address).await?;
    if info.status == CollectionStatus::Red {
        found.doubts.push("the collection's status is red".into());
    }
    if let Some(error) = &info.optimizer_error {
        found.doubts.push(format!("the optimizer reports: {error}"));
    }
    if let Some(shape) = &reference.shape {
        found.shape = shape::data_shape_differences(shape, &info);
    }
    if let Some(settings) = &reference.settings {
        let differences = settings.differences_beside_shape(&info.settings);
        found.settings = differences.iter().map(|difference| difference.words()).collect();
    }
    found.payload_schema = info.payload_schema.clone();
    let counted = reader.count(info.points, progress).await?;
    found.counts.push(counted);
    ask_nodes(connection, address, reader.allowed.exact, &mut found).await;
    match expected {
        Expected::Recorded(proof) | Expected::LiveSource(proof) => {
            let ids: Vec<PointId> = proof.samples.iter().map(|(id, _)| id.clone()).collect();
            match reader.digests(&ids).await {
                Ok(digests) => found.digests = Some(digests),
                Err(Unread::Unknown(problem)) => found.unread.push(format!("the sample could not be read: {}", problem.message)),
                Err(broken) => return Err(broken),
            }
        }
        Expected::Nothing => {}
    }
    let whole = reference.read_all || *expected == Expected::Nothing;
    found.limited = reader.allowed.too_long(counted).filter(|_| whole);
    if whole && found.limited.is_none() {
        let fields = if counted <= READ_WHOLE { Fields::All } else { Fields::Ids };
        match reader.read_all(counted, fields, progress).await {
            // Somebody may write; that fewer can be read than are counted is for the next look to say.
            Ok(_) => {}
            Err(why) => match with_all_nodes(connection, why).await {
                Unread::Broken(problem) => found.doubts.push(format!("its points cannot be read: {}", problem.message)),
                Unread::Unknown(problem) => found.unread.push(format!("not every point could be read: {}", problem.message)),
            },
        }
    }
    Ok(found)
}

/// Counts and replicas as each node sees them.
async fn ask_nodes(connection: &Connection, address: &CollectionAddress, exact: bool, found: &mut Found) {
    let several = connection.nodes.len() > 1;
    let views = Views::ask(connection, address).await;
    found.silent.extend(views.silent.iter().map(|index| connection.nodes[*index].url().to_string()));
    found.unread.extend(views.refused.iter().map(|why| format!("the state of its shards is not known: {why}")));
    for (index, cluster) in &views.clusters {
        let node = &connection.nodes[*index];
        let is_dead = |text: &String| text.ends_with(" Dead");
        let moving: Vec<String> = views.unhealthy(cluster).into_iter().filter(|text| !is_dead(text)).collect();
        let asked = |peer: PeerId| views.clusters.iter().any(|(_, cluster)| cluster.peer == peer);
        found.dead.extend(cluster.unhealthy_where(asked).into_iter().filter(is_dead));
        if views.silent.is_empty() {
            // It may be down since long ago: a restore that it slept through is no worse for that.
            let unasked = cluster.unhealthy_where(|peer| !asked(peer));
            found.unasked.extend(unasked.into_iter().filter(is_dead));
        }
        found.unsettled.extend(moving);
        // One node was asked already, as the whole.
        if several && exact {
            match node.count(&address.collection).await {
                Ok(count) => found.counts.push(count),
                Err(error) if error.is_damage() && views.silent.is_empty() => {
                    found.doubts.push(format!("{} cannot count: {}", node.url(), error.message))
                }
                Err(error) => found.unread.push(format!("{} was not counted: {}", node.url(), error.message)),
            }
        }
    }
}

/// Whether counts or sampled points change from one look to the next: then somebody writes.
pub(in crate::ops) async fn points_move(
    connection: &Arc<Connection>,
    address: &CollectionAddress,
    reference: &Reference,
    pause: Duration,
) -> bool {
    let progress = Progress::default();
    let light = Reference { read_all: false, ..reference.clone() };
    let before = gather(connection, address, &light, &progress).await;
    tokio::time::sleep(pause).await;
    let after = gather(connection, address, &light, &progress).await;
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
    // A sample that was not read says nothing.
    let sampled = proof.filter(|proof| !proof.samples.is_empty()).zip(found.digests.as_ref());
    let samples = sampled.map(|(proof, digests)| compare(&proof.samples, digests));
    let uneven = found.counts.iter().any(|other| *other != count);
    let (structure, mut data) = data_differences(found, count, samples);
    let (miscounted, excused) = counted(proof, samples, count);
    data.splice(0..0, miscounted);
    let mut differences = [&structure[..], &data[..], &found.settings[..]].concat();
    let damaged = !structure.is_empty() || !data.is_empty();
    let verdict = match expected {
        Expected::LiveSource(_) if !data.is_empty() && structure.is_empty() && !uneven => Verdict::CouldNotCheck(format!(
            "nothing was recorded when the snapshot was taken, and the live source, which may have changed since, is not the same: {}",
            differences.join("; ")
        )),
        // While replicas are built their counts differ, which is no damage; what differs besides is.
        _ if !found.unsettled.is_empty() && structure.len() + data.len() <= usize::from(uneven) => {
            Verdict::CouldNotCheck(format!("replicas are not active yet: {}", found.unsettled.join(", ")))
        }
        _ if !differences.is_empty() => {
            differences.truncate(5);
            Verdict::Differs(differences.join("; "))
        }
        _ if !found.unread.is_empty() => {
            Verdict::CouldNotCheck(format!("{} points found; {}", exact(count), found.unread.join("; ")))
        }
        _ if let Some(words) = excused => Verdict::CouldNotCheck(words),
        Expected::Nothing if found.limited.is_some() => {
            Verdict::CouldNotCheck(format!("{} points found, and not all of them were read{}", exact(count), silence(found)))
        }
        Expected::Nothing => Verdict::CouldNotCheck(format!(
            "{} points found, and all can be read; but nothing was recorded when the snapshot was taken",
            exact(count)
        )),
        _ if count > 0 && samples.is_none_or(|samples| samples.same == 0) => Verdict::CouldNotCheck(format!(
            "{} points found, but every sampled point changed while the snapshot was taken",
            exact(count)
        )),
        _ => Verdict::Matches(format!("{}{}", matching(expected, count, samples), silence(found))),
    };
    let unrecorded = matches!(verdict, Verdict::CouldNotCheck(_))
        && !matches!(expected, Expected::Recorded(_))
        && found.unsettled.is_empty()
        && found.unread.is_empty()
        && found.limited.is_none();
    let differs = matches!(verdict, Verdict::Differs(_));
    Verification {
        verdict,
        points: Some(points),
        samples,
        unrecorded,
        damaged: damaged && differs,
        structural: differs && !structure.is_empty(),
    }
}

fn matching(expected: &Expected, count: u64, samples: Option<SampleCounts>) -> String {
    match (expected, samples) {
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
    }
}

fn silence(found: &Found) -> String {
    let mut words = String::new();
    if !found.silent.is_empty() {
        words.push_str(&format!("; not asked, because they do not answer: {}", found.silent.join(", ")));
    }
    if !found.unasked.is_empty() {
        words.push_str(&format!("; on nodes that are not configured, and were not asked: {}", found.unasked.join(", ")));
    }
    if let Some(why) = &found.limited {
        words.push_str(&format!("; not every point was read: {why}"));
    }
    words
}

/// What is wrong with the data: in its structure, which no client's writes explain, and in its points.
fn data_differences(found: &Found, count: u64, samples: Option<SampleCounts>) -> (Vec<String>, Vec<String>) {
    let (mut structure, mut points) = ([&found.doubts[..], &found.dead[..], &found.shape[..]].concat(), Vec::new());
    structure.dedup();
    if found.counts.iter().any(|other| *other != count) {
        points.push(format!("the nodes count differently: {:?}", found.counts));
    }
    if let Some(samples) = samples.filter(|samples| samples.changed + samples.missing > 0) {
        points.push(format!("of the sample {} changed and {} are missing", samples.changed, samples.missing));
    }
    (structure, points)
}

/// How the count differs from those that were read before and after; and the same, where that is no difference: somebody wrote, so
/// that nobody knows the count of that moment, and every sampled point is as it was.
fn counted(proof: Option<&Proof>, samples: Option<SampleCounts>, count: u64) -> (Option<String>, Option<String>) {
    let Some(proof) = proof.filter(|proof| !(proof.points_min..=proof.points_max).contains(&count)) else { return (None, None) };
    let (min, max) = (proof.points_min, proof.points_max);
    let expected = if min == max { exact(max) } else { format!("{} to {}", exact(min), exact(max)) };
    let words = format!("{} points instead of {expected}", exact(count));
    match samples.filter(|samples| samples.same > 0 && samples.changed + samples.missing == 0) {
        Some(alike) if proof.was_written() => {
            (None, Some(format!("{words}, but somebody wrote while it was taken; all {} samples are right", alike.same)))
        }
        _ => (Some(words), None),
    }
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
            settings: None,
            qdrant_version: None,
            samples: vec![(PointId::Number(1), "a".into()), (PointId::Number(2), "b".into())],
            proven_at: None,
            quiet: Some(true),
            snapshot: None,
        }
    }

    fn found() -> Found {
        Found {
            counts: vec![11],
            payload_schema: vec![("city".into(), "keyword".into()), ("more".into(), "integer".into())],
            digests: Some([(PointId::Number(1), "a".to_owned()), (PointId::Number(2), "b".to_owned())].into()),
            ..Found::default()
        }
    }

    fn word(expected: &Expected, found: &Found) -> &'static str {
        judge(expected, found).verdict.word()
    }

    #[test]
    fn a_count_that_nobody_read_is_no_difference_while_somebody_wrote() {
        let with = |quiet, counts: u64, digests: &[(u64, &str)]| {
            let digests = digests.iter().map(|(id, digest)| (PointId::Number(*id), (*digest).to_owned())).collect();
            let found = Found { counts: vec![counts], digests: Some(digests), ..found() };
            judge(&Expected::Recorded(Proof { quiet, points_min: 12, ..proof() }), &found)
        };
        let right: &[(u64, &str)] = &[(1, "a"), (2, "b")];
        let excused = with(Some(false), 9, right);
        assert_eq!((excused.verdict.word(), excused.damaged), ("could_not_check", false), "{excused:?}");
        assert!(excused.verdict.reason().contains("9 points instead of 12"), "{excused:?}");
        for (quiet, count, digests) in [
            (Some(true), 9, right),
            (None, 9, right),
            (Some(false), 9, &[(1, "a")][..]),
            (Some(false), 9, &[(1, "a"), (2, "x")][..]),
        ] {
            let judged = with(quiet, count, digests);
            assert_eq!((judged.verdict.word(), judged.damaged), ("differs", true), "{quiet:?} {digests:?}");
        }
        assert_eq!(with(Some(false), 12, right).verdict.word(), "matches");
    }

    #[test]
    fn each_kind_of_damage_is_a_difference() {
        let recorded = Expected::Recorded(proof());
        assert_eq!(word(&recorded, &found()), "matches");
        let damage: [fn(&mut Found); 7] = [
            |f| f.counts = vec![9],
            |f| f.counts = vec![13],
            |f| f.counts = vec![11, 10],
            |f| f.dead.push("shard 0 Dead".into()),
            |f| f.settings.push("hnsw_config.m: 16 and 24".into()),
            |f| f.shape.push("1 and 2 shards".into()),
            |f| f.digests.as_mut().unwrap().insert(PointId::Number(1), "other".into()).map(drop).unwrap_or_default(),
        ];
        for damage in damage {
            let mut damaged = found();
            damage(&mut damaged);
            assert_eq!(word(&recorded, &damaged), "differs", "{damaged:?}");
        }
        let mut lost = found();
        lost.digests.as_mut().unwrap().remove(&PointId::Number(2));
        let verification = judge(&recorded, &lost);
        assert_eq!(verification.samples, Some(SampleCounts { same: 1, changed: 0, missing: 1 }));
        assert_eq!(verification.verdict.word(), "differs");
    }

    #[test]
    fn settings_are_a_difference_and_never_damage() {
        let recorded = Expected::Recorded(proof());
        let mut other = found();
        other.settings.push("payload index extra: not set and \"keyword\"".into());
        let verification = judge(&recorded, &other);
        assert_eq!((verification.verdict.word(), verification.damaged, verification.structural), ("differs", false, false));
        other.counts = vec![0];
        assert!(judge(&recorded, &other).damaged);
    }

    #[test]
    fn a_sample_that_is_gone_differs_whatever_else_was_not_read() {
        let gone = Found { digests: Some(BTreeMap::new()), unread: vec!["the state of its shards".into()], ..found() };
        let judged = judge(&Expected::Recorded(proof()), &gone);
        assert!(matches!(&judged.verdict, Verdict::Differs(why) if why.contains("2 are missing")), "{judged:?}");
        assert!(judged.damaged && !judged.structural, "somebody may delete: it is looked at once more");
    }

    #[test]
    fn uneven_counts_may_come_from_somebody_who_writes() {
        let judged = judge(&Expected::Recorded(proof()), &Found { counts: vec![11, 12], ..found() });
        assert!(judged.damaged && !judged.structural, "{judged:?}");
    }

    #[test]
    fn a_dead_replica_on_a_node_that_is_not_configured_is_told_and_no_damage() {
        let judged = judge(&Expected::Recorded(proof()), &Found { unasked: vec!["shard 0 Dead".into()], ..found() });
        assert!(
            matches!(&judged.verdict, Verdict::Matches(words) if words.contains("not configured") && words.contains("shard 0 Dead"))
        );
    }

    #[test]
    fn what_was_not_read_is_no_difference() {
        let recorded = Expected::Recorded(proof());
        let mut limited = found();
        limited.digests = None;
        limited.unread.push("the sample could not be read: rate limit".into());
        let verification = judge(&recorded, &limited);
        assert_eq!((verification.verdict.word(), verification.damaged), ("could_not_check", false), "{verification:?}");
        assert!(!verification.unrecorded, "something was recorded, and not compared");
        assert!(verification.verdict.reason().contains("rate limit"));
        limited.counts = vec![3];
        assert_eq!(word(&recorded, &limited), "differs", "the count was read");
        let mut one_dead = found();
        one_dead.silent.push("http://q1:6333".into());
        let verification = judge(&recorded, &one_dead);
        assert!(verification.verdict.reason().contains("do not answer: http://q1:6333"), "{verification:?}");
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
        dead.dead.push("shard 0 Dead".into());
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
        other.dead.push("shard 0 Dead".into());
        assert_eq!(word(&live, &other), "differs");
    }
}
