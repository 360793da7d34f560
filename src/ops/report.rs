//! What an operation did, and what verification found. Serialised, a [`Report`] is the JSON contract. [`verdict`] has the
//! judgement, [`comparison`] what a comparison found, [`offer`] what can be done next. No verb is known here.

pub mod comparison;
pub mod offer;
pub mod verdict;

use crate::domain::problem::Problem;
use crate::domain::size::{self, exact};
use crate::jobs::row::JobOutput;
use crate::ops::report::comparison::Comparison;
use crate::ops::report::offer::Offer;
use crate::ops::report::verdict::Verdict;
use serde::Serialize;

/// Numbers of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PointCounts {
    /// As the recovery point should have them; `null` when it was not recorded.
    pub expected: Option<u64>,
    /// Counted exactly.
    pub found: u64,
}

/// Result of comparing the proof sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SampleCounts {
    /// Equal with payload and vectors.
    pub same: u64,
    /// There, but different.
    pub changed: u64,
    /// Not there.
    pub missing: u64,
}

/// One executed step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepRecord {
    /// Its name, the same as in the plan and in the journal.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
    /// `ok`, or what went wrong.
    pub result: String,
}

/// What a number of bytes counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BytesAre {
    /// What was moved over a line.
    Moved,
    /// What a server keeps now.
    Kept,
}

/// A finished operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Its name in the journal.
    pub id: String,
    /// The verb, such as `restore`.
    pub operation: &'static str,
    /// From where.
    pub source: String,
    /// To where.
    pub target: String,
    /// `url`, `stream` or `upload`, where bytes moved between servers.
    pub route: Option<&'static str>,
    /// Why another route than the first was taken.
    pub route_reason: Option<String>,
    /// `new`, `side-by-side` or `in-place`.
    pub mode: Option<&'static str>,
    /// What verification found; `None` where there is nothing to verify.
    pub verdict: Option<Verdict>,
    /// Counts.
    pub points: Option<PointCounts>,
    /// Sample.
    pub samples: Option<SampleCounts>,
    /// The rollback that became necessary, and what its own verification found.
    pub rollback: Option<Verdict>,
    /// What `bytes` are.
    pub bytes_are: BytesAre,
    /// What is in `created` was there before: it was only looked for.
    pub only_found: bool,
    /// Bytes that moved now: of a download that was taken up again, the rest.
    pub bytes: u64,
    /// How long all of it took.
    pub seconds: f64,
    /// Step by step.
    pub steps: Vec<StepRecord>,
    /// What is still there and was not there before: addresses and paths.
    pub left_behind: Vec<String>,
    /// Things that were made: snapshots taken, the file written.
    pub created: Vec<String>,
    /// What else has to be known: what was not recorded, not seen, or could not be put back.
    pub notes: Vec<String>,
    /// What can be done next.
    pub next: Vec<Offer>,
    /// Of an operation on several collections: each one that came to an end.
    pub parts: Vec<Report>,
    /// And each one that failed.
    pub failures: Vec<Problem>,
    /// Of a comparison: what it found.
    pub comparison: Option<Box<Comparison>>,
}

impl Serialize for Report {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", &1)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("operation", self.operation)?;
        map.serialize_entry("source", &self.source)?;
        map.serialize_entry("target", &self.target)?;
        map.serialize_entry("route", &self.route)?;
        map.serialize_entry("route_reason", &self.route_reason)?;
        map.serialize_entry("mode", &self.mode)?;
        map.serialize_entry("verdict", &self.verdict.as_ref().map(Verdict::word))?;
        map.serialize_entry("verdict_reason", &self.verdict.as_ref().map(Verdict::reason))?;
        map.serialize_entry("points", &self.points)?;
        map.serialize_entry("samples", &self.samples)?;
        map.serialize_entry("rollback", &self.rollback.as_ref().map(Verdict::word))?;
        map.serialize_entry("rollback_reason", &self.rollback.as_ref().map(Verdict::reason))?;
        map.serialize_entry("bytes", &self.bytes)?;
        map.serialize_entry("seconds", &self.seconds)?;
        map.serialize_entry("steps", &self.steps)?;
        map.serialize_entry("created", &self.created)?;
        map.serialize_entry("left_behind", &self.left_behind)?;
        map.serialize_entry("notes", &self.notes)?;
        map.serialize_entry("next", &self.next.iter().map(Offer::command).collect::<Vec<_>>())?;
        if !self.parts.is_empty() || !self.failures.is_empty() {
            map.serialize_entry("items", &self.parts)?;
            map.serialize_entry("errors", &self.failures)?;
        }
        if let Some(comparison) = &self.comparison {
            map.serialize_entry("comparison", comparison)?;
        }
        map.end()
    }
}

impl Report {
    /// An empty report; the rest is filled in.
    pub fn new(operation: &'static str, source: &str, target: &str) -> Self {
        Self {
            id: String::new(),
            operation,
            source: source.to_owned(),
            target: target.to_owned(),
            route: None,
            route_reason: None,
            mode: None,
            verdict: None,
            points: None,
            samples: None,
            rollback: None,
            bytes_are: BytesAre::Moved,
            only_found: false,
            bytes: 0,
            seconds: 0.0,
            steps: Vec::new(),
            left_behind: Vec::new(),
            created: Vec::new(),
            notes: Vec::new(),
            next: Vec::new(),
            parts: Vec::new(),
            failures: Vec::new(),
            comparison: None,
        }
    }

    /// The lines a person reads at the end.
    pub fn lines(&self) -> Vec<String> {
        if let Some(comparison) = &self.comparison {
            let mut lines = comparison.lines();
            lines.extend(self.left_behind.iter().map(|thing| format!("left behind: {thing}")));
            lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
            return lines;
        }
        let mut lines =
            vec![if self.source == self.target { self.source.clone() } else { format!("{} → {}", self.source, self.target) }];
        if let Some(verdict) = &self.verdict {
            lines.push(verdict.sentence());
        }
        lines.extend(part_lines(self));
        if let Some(rollback) = &self.rollback {
            let words = if matches!(rollback, Verdict::Matches(_)) { "rolled back" } else { "a rollback was tried" };
            lines.push(format!("{words}; the collection as it was before: {}", rollback.sentence()));
        }
        if let Some(points) = self.points {
            let expected = points
                .expected
                .map_or_else(|| "what was expected is not recorded".to_owned(), |n| format!("{} expected", size::exact(n)));
            lines.push(format!("points: {} found, {expected}", size::exact(points.found)));
        }
        if let Some(samples) = self.samples {
            lines.push(format!("sample: {} same, {} changed, {} missing", samples.same, samples.changed, samples.missing));
        }
        if let Some(reason) = &self.route_reason {
            lines.push(format!("route: {} ({reason})", self.route.unwrap_or("-")));
        } else if let Some(route) = self.route {
            lines.push(format!("route: {route}"));
        }
        if self.bytes > 0 && self.bytes_are == BytesAre::Kept {
            lines.push(format!("size: {}", size::bytes(self.bytes)));
        } else if self.bytes > 0 {
            let rate = if self.seconds > 0.0 { self.bytes as f64 / self.seconds } else { 0.0 };
            lines.push(format!("moved: {} in {:.1} s ({})", size::bytes(self.bytes), self.seconds, size::rate(rate)));
        }
        // What was made and stays: a way back, not a leftover.
        let safety = |thing: &&String| self.created.contains(thing) && self.left_behind.contains(thing);
        let (kept, left): (Vec<&String>, Vec<&String>) = self.left_behind.iter().partition(safety);
        lines.extend(kept.into_iter().map(|thing| format!("kept: safety snapshot {thing}")));
        // Looking for old snapshots finds them; it makes nothing.
        let made = if self.only_found { "found" } else { "made" };
        lines.extend(self.created.iter().filter(|thing| !safety(thing)).map(|thing| format!("{made}: {thing}")));
        lines.extend(left.into_iter().map(|thing| format!("left behind: {thing}")));
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        if !self.next.is_empty() {
            lines.push("what you can do now:".to_owned());
            for next in &self.next {
                lines.push(format!("  {}", next.words));
                lines.push(format!("    {}", next.command()));
            }
        }
        lines
    }
}

impl JobOutput for Report {
    fn headline(&self) -> (String, bool) {
        let good = matches!(self.verdict, None | Some(Verdict::Matches(_))) && self.failures.is_empty();
        let words = match &self.verdict {
            None => "done".to_owned(),
            Some(verdict) => verdict.sentence(),
        };
        (words, good)
    }
}

/// One line for each part of a report.
pub fn part_lines(report: &Report) -> Vec<String> {
    let part = |part: &Report| {
        let points = part.points.map_or_else(String::new, |points| format!("{} points, ", exact(points.found)));
        let way = if part.source == part.target { part.target.clone() } else { format!("{} → {}", part.source, part.target) };
        let verdict = part.verdict.as_ref().map_or_else(|| "done".to_owned(), |verdict| verdict.sentence());
        format!("{way}: {points}{:.1} s, {verdict}", part.seconds)
    };
    let failure = |problem: &Problem| format!("FAILED {problem}; {}", problem.advice);
    report.parts.iter().map(part).chain(report.failures.iter().map(failure)).collect()
}
