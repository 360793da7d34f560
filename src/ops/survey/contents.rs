//! What a recovery point's own bytes say to a plan: a server finds damage only after it has removed the live data, or
//! not at all, so that it is looked for before a byte moves.

use crate::archive::check::{Flaw, Severity, Topic};
use crate::archive::contents::{Collection, Contents, Kind, Segment};
use crate::domain::collection::{CollectionInfo, CollectionStatus};
use crate::domain::problem::Problem;
use crate::domain::settings::Settings;
use crate::domain::version::ServerVersion;
use crate::jobs::progress::Progress;
use crate::ops::plan::finding::Finding;
use crate::ops::request::inspect::{Depth, InspectRequest};
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::services::Services;
use crate::ops::survey::inspect::{self, Inspected};
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longest a plan waits for the headers of a remote snapshot. A gigabyte takes some dozens of requests; what a long
/// line cannot do in this time is left to `qsnap inspect --check`.
const PATIENCE: Duration = Duration::from_secs(15);

/// Damage that a plan lists one by one.
const LISTED: usize = 3;

const CHECK: &str = "content";

/// What was found.
pub(crate) enum Content {
    /// All headers were read.
    Read(Box<Inspected>),
    /// They were not, and why not.
    Unread(Problem),
    /// It took too long.
    TooLong,
    /// It consists of parts, whose bytes are compared with their hashes before the target is given the end of any.
    Parts,
}

/// Reads all headers, if that does not take too long.
pub(crate) async fn read(services: &Services, point: &RecoveryPoint) -> Content {
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    let request = InspectRequest { point: point.clone(), depth: Depth::Headers };
    let progress = Progress::default();
    match tokio::time::timeout(PATIENCE, inspect::look(services, &request, &progress, &stop)).await {
        Ok(Ok(inspected)) => Content::Read(Box::new(inspected)),
        Ok(Err(problem)) => Content::Unread(problem),
        Err(_) => Content::TooLong,
    }
}

/// Whether a local file has an end, although it does not end as a tar does: junk may follow, which a server ignores.
pub(crate) async fn has_end(services: &Services, path: &Path) -> bool {
    match read(services, &RecoveryPoint::File(path.to_owned())).await {
        Content::Read(inspected) => inspected.check.as_ref().is_some_and(|check| check.damaged == 0),
        Content::Unread(_) | Content::TooLong | Content::Parts => false,
    }
}

impl Content {
    /// The collection that it is a snapshot of.
    pub(crate) fn collection(&self) -> Option<&Collection> {
        match self {
            Self::Read(inspected) if inspected.contents.kind == Kind::Collection => inspected.contents.collections.first(),
            _ => None,
        }
    }

    /// The collection as it was when the snapshot was taken.
    pub(crate) fn info(&self) -> Option<CollectionInfo> {
        let collection = self.collection()?;
        let params = collection.config.get("params").filter(|params| params.is_object())?;
        Some(CollectionInfo {
            status: CollectionStatus::Other(String::new()),
            optimizer_error: None,
            points: None,
            params: params.clone(),
            payload_schema: collection.payload_schema.clone().into_iter().collect(),
            settings: Settings::of(&collection.config, &collection.payload_schema_raw).of_snapshot(),
        })
    }

    /// What it says, for a target of this version.
    pub(crate) fn findings(&self, target: Option<ServerVersion>) -> Vec<Finding> {
        match self {
            Self::TooLong => vec![unchecked("reading its headers takes longer than a plan should")],
            Self::Parts => Vec::new(),
            Self::Unread(problem) => vec![unchecked(&problem.message)],
            Self::Read(inspected) => read_findings(inspected, target),
        }
    }
}

fn unchecked(why: &str) -> Finding {
    let advice = "`qsnap inspect POINT --check` looks for damage; a server notices it too late or not at all";
    Finding::look(CHECK, format!("what is in it was not checked: {why}"), advice)
}

fn read_findings(inspected: &Inspected, target: Option<ServerVersion>) -> Vec<Finding> {
    let Some(check) = &inspected.check else { return vec![unchecked("only its end was read")] };
    let contents = &inspected.contents;
    let mut findings = Vec::new();
    let of = |severity: Severity| check.flaws.iter().filter(move |flaw| flaw.severity == severity);
    for flaw in of(Severity::Damage).take(LISTED) {
        let advice = if flaw.advice.is_empty() { "choose another recovery point" } else { &flaw.advice };
        findings.push(Finding::block(CHECK, flaw_words(flaw), advice));
    }
    if check.damaged > LISTED {
        let words = format!("{} more damaged places", check.damaged - LISTED);
        findings.push(Finding::block(CHECK, words, "`qsnap inspect POINT --check` lists them"));
    }
    if check.damaged > 0 {
        return findings;
    }
    findings.extend(of(Severity::Doubt).take(LISTED).map(|flaw| Finding::look(CHECK, flaw_words(flaw), flaw.advice.clone())));
    let whole = of(Severity::Doubt).next().is_none();
    match contents.kind {
        Kind::Collection => findings.extend(shards(contents, whole)),
        other => {
            let advice = match other {
                Kind::Full => "`qsnap restore --all` restores all of it, POINT#COLLECTION one collection",
                Kind::Partial => "it fits only on top of what it was made against",
                _ => "choose a collection snapshot, or a backup: single shards are restored out of backups only",
            };
            findings.push(Finding::block(CHECK, format!("it is a {}", other.words()), advice));
        }
    }
    findings.extend(rocks(inspected, target));
    findings.extend(newer(inspected, target));
    let known = |flaw: &&Flaw| flaw.topic == Topic::Content && contents.kind == Kind::Collection;
    findings.extend(of(Severity::Look).filter(known).map(|flaw| Finding::look(CHECK, flaw_words(flaw), flaw.advice.clone())));
    findings
}

/// Whether all shards are in it. A server answers `true` to a snapshot without any, and to one that lacks some, and
/// what they held is missing afterwards (measured on 1.18.3: 392 of 600 points, all green).
fn shards(contents: &Contents, whole: bool) -> Option<Finding> {
    let all = contents.collections.iter().flat_map(|collection| collection.shards.values());
    let (stubs, local): (Vec<_>, Vec<_>) = all.partition(|shard| shard.is_stub());
    match (stubs.len(), local.len()) {
        (0, _) if whole => Some(Finding::good(
            CHECK,
            format!("{} entries: every file that a server needs to load it is there", contents.entries),
        )),
        (0, _) => None,
        (n, 0) => Some(Finding::block(
            CHECK,
            format!("it holds no data: other nodes held all of its {n} shards"),
            "choose the snapshot of a node that holds shards",
        )),
        (n, held) => Some(Finding::block(
            CHECK,
            format!("it holds {held} of {} shards: other nodes held the rest", n + held),
            "restored alone it lacks their points; `qsnap backup` saves every shard of a cluster, and restores them together",
        )),
    }
}

fn flaw_words(flaw: &Flaw) -> String {
    let at = flaw.offset.map(|offset| format!(" (at byte {offset})")).unwrap_or_default();
    if flaw.entry.is_empty() { format!("{}{at}", flaw.what) } else { format!("{}: {}{at}", flaw.entry, flaw.what) }
}

fn rocks(inspected: &Inspected, target: Option<ServerVersion>) -> Option<Finding> {
    let collections = inspected.contents.collections.iter();
    let mut segments = collections.flat_map(|collection| collection.shards.values()).flat_map(|shard| shard.segments.values());
    segments.any(Segment::needs_rocks).then(|| rocks_on(target))
}

/// 1.18 and newer lose the points of segments that RocksDB holds, or refuse them. In 1.16 and 1.17 it depends on how the
/// server was built, which it does not tell: some Linux release binaries came without RocksDB.
fn rocks_on(target: Option<ServerVersion>) -> Finding {
    let words = "its segments hold RocksDB data of 1.15 or older";
    match target {
        Some(version) if !version.at_least(1, 16) => Finding::good("format", format!("{words}, which {version} reads")),
        Some(version) if !version.at_least(1, 18) => Finding::look(
            "format",
            format!(
                "{words}, and {version} may not be able to read it: the release binaries of 1.16.2, 1.16.3 and 1.17.0 cannot"
            ),
            "restore it to a new name first: that shows whether this server can",
        ),
        _ => Finding::block(
            "format",
            format!("{words}: 1.18 and newer lose its points or refuse it"),
            "restore it on 1.16.1 or another server that reads RocksDB, take a snapshot there, and restore that",
        ),
    }
}

/// A server that is older than what wrote the snapshot.
fn newer(inspected: &Inspected, target: Option<ServerVersion>) -> Option<Finding> {
    let (bound, target) = (inspected.bounds.at_least?, target?);
    (!target.at_least(bound.version.0, bound.version.1)).then(|| {
        Finding::block(
            "format",
            format!("it was written by {bound} or newer, the target is {target}"),
            "upgrade the target first; an older server may destroy the existing data before it fails",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::plan::finding::Level;

    #[test]
    fn rocksdb_data_is_read_by_some_servers_only() {
        for (version, level) in [
            (Some("1.15.5"), Level::Good),
            (Some("1.16.1"), Level::Look),
            (Some("1.16.3"), Level::Look),
            (Some("1.17.1"), Level::Look),
            (Some("1.18.0"), Level::Block),
            (None, Level::Block),
        ] {
            let finding = rocks_on(version.and_then(ServerVersion::parse));
            assert_eq!(finding.level, level, "{version:?}: {finding:?}");
        }
    }
}
