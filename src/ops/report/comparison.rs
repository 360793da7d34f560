//! What a comparison of two collections found.

use crate::domain::point::PointId;
use crate::domain::size::exact;
use crate::ops::report::verdict::Verdict;
use serde::{Deserialize, Serialize};

/// Ids of each kind of difference that are named.
pub(in crate::ops) const NAMED: usize = 10;

/// Points of one kind of difference.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ids {
    /// How many.
    pub count: u64,
    /// The first of them, in order.
    pub first: Vec<PointId>,
}

impl Ids {
    pub(in crate::ops) fn add(&mut self, id: PointId) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(id);
        }
    }

    pub(in crate::ops) fn append(&mut self, later: Self) {
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
    pub(in crate::ops) fn append(&mut self, later: Self) {
        self.same += later.same;
        self.only_in_first.append(later.only_in_first);
        self.only_in_second.append(later.only_in_second);
        self.changed.append(later.changed);
    }

    pub(in crate::ops) fn differs(&self) -> bool {
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
    /// What is not the same in vectors and sharding.
    pub shape: Vec<String>,
    /// What is not the same in configuration and payload indexes.
    #[serde(default)]
    pub settings: Vec<String>,
    /// Exact counts.
    #[serde(rename = "points")]
    pub counts: Counts,
    /// What came of the points that were read.
    #[serde(flatten)]
    pub points: Points,
    /// What was not looked at, or cannot be seen.
    #[serde(default)]
    pub not_compared: Vec<String>,
    /// How long it took; the report that it is part of says so itself.
    #[serde(skip)]
    pub seconds: f64,
    /// The judgement; so does this.
    #[serde(skip, default = "unjudged")]
    pub verdict: Verdict,
    /// The judgement of vectors, sharding and points alone: settings can be other on purpose.
    #[serde(skip, default = "unjudged")]
    pub data_verdict: Verdict,
}

impl Comparison {
    /// What was compared and found, as label and text.
    pub fn findings(&self) -> Vec<(&'static str, String)> {
        let read = if self.deep { "every point" } else { "a sample of both" };
        let mut found: Vec<(&'static str, String)> =
            self.shape.iter().map(|difference| ("shape", crate::domain::text::one_line(difference, 300))).collect();
        found.extend(self.settings.iter().map(|difference| ("settings", crate::domain::text::one_line(difference, 300))));
        found.extend([
            ("points", format!("{} in the first, {} in the second", exact(self.counts.first), exact(self.counts.second))),
            ("compared", format!("{read}, payload and vectors")),
            ("same", exact(self.points.same)),
            ("only in the first", self.points.only_in_first.words()),
            ("only in the second", self.points.only_in_second.words()),
            ("changed", self.points.changed.words()),
        ]);
        found.extend(self.not_compared.iter().map(|what| ("not compared", crate::domain::text::one_line(what, 300))));
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
}
