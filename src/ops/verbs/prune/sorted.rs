//! What the rules say of everything that was looked at, and what came of the removals.

use crate::domain::problem::Problem;
use crate::domain::size;
use crate::ops::plan::finding::Finding;
use crate::ops::report::Report;
use crate::ops::retention::keep::Decision;

/// One thing that goes or stays.
pub(super) struct Item {
    /// Its address.
    pub(super) shown: String,
    pub(super) bytes: u64,
    pub(super) decision: Decision,
}

/// What the rules say of everything that was looked at.
#[derive(Default)]
pub(super) struct Sorted {
    pub(super) items: Vec<Item>,
    pub(super) findings: Vec<Finding>,
}

impl Sorted {
    pub(super) fn leaving(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| !item.decision.keeps())
    }
}

/// What came of removals.
#[derive(Default)]
pub(in crate::ops::verbs) struct Done {
    pub(super) removed: usize,
    pub(super) bytes: u64,
    pub(super) notes: Vec<String>,
    pub(super) failures: Vec<Problem>,
}

impl Done {
    /// In one sentence.
    pub(in crate::ops::verbs) fn words(&self) -> String {
        format!("{} removed, {} freed", self.removed, size::bytes(self.bytes))
    }

    /// Its notes and failures, in the report of what it was a part of.
    pub(in crate::ops::verbs) fn add_to(self, report: &mut Report) {
        report.notes.push(self.words());
        report.notes.extend(self.notes);
        report.failures.extend(self.failures);
    }

    pub(super) fn report(self, report: Report) -> Report {
        let target = self.words();
        Report { target, notes: self.notes, failures: self.failures, ..report }
    }
}
