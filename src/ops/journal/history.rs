//! The records of the journal as files: which there are, which cannot be read, and which are over and done.
//!
//! Records that are open or run lie in the journal's folder, however many others there are. What is done moves to `done/`, and
//! the safety snapshots that it names to an index ([`marks`]), so that planning never reads it and nothing that matters is
//! forgotten.

use crate::domain::address::{Address, Which};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::snapshot::time_in_name;
use crate::domain::text::{one_line, sanitise};
use crate::ops::journal::done::{self, files};
use crate::ops::journal::event::Made;
use crate::ops::journal::past::{Past, State};
use crate::ops::journal::reading::{Unreadable, read_record};
use crate::ops::journal::safeties::{Safeties, beyond_instance};
use crate::ops::journal::{Journal, marks, parts};
use crate::ops::request::verb::Verb;
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// Records that a list shows of what is done, the newest first.
const MAX_LISTED: usize = 500;

/// Records of what is done that are read first to find the last one.
const LOOKED_BACK: usize = 100;

/// What was read of several records.
#[derive(Debug, Default)]
struct Records {
    all: Vec<Past>,
    unreadable: Vec<Unreadable>,
}

impl Records {
    fn safeties(self, marks: BTreeSet<String>) -> Safeties {
        let mut safeties = Safeties::marked(marks);
        self.all.iter().for_each(|past| safeties.add(past));
        self.unreadable.into_iter().flat_map(|record| record.safeties).for_each(|name| safeties.add_named(name));
        safeties
    }
}

impl Journal {
    /// Whether the records can be read. No folder means that nothing was done yet; an unreadable one means unknown.
    ///
    /// # Errors
    /// When their folder is there and cannot be read, or cannot be looked for.
    pub fn readable(&self) -> Result<(), Problem> {
        match std::fs::read_dir(self.folder()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let on = sanitise(&self.folder().display().to_string());
                Err(Problem::new(ProblemKind::Failed, format!("the journal cannot be read: {error}"), on)
                    .advise("give the right to read it, or set XDG_STATE_HOME to the folder where it is"))
            }
            _ => Ok(()),
        }
    }

    /// All operations, the newest first: everything that is not done, and of what is done the newest.
    pub fn read(&self) -> Vec<Past> {
        self.all_records().all
    }

    /// Records that cannot be read.
    pub fn unreadable(&self) -> Vec<Unreadable> {
        self.glance().unreadable
    }

    fn all_records(&self) -> Records {
        let mut paths = files(self.folder());
        paths.extend(done::newest(&self.done_folder(), MAX_LISTED));
        together(paths, read_record)
    }

    /// What is not known to be done; of the rest that still lies there the report is missing. What is done by now moves away.
    fn glance(&self) -> Records {
        let records = together(files(self.folder()), |path| self.closed.read(path));
        self.move_done(&records);
        records
    }

    /// Moves what is over and done, marks nothing, and is needed by no other record that stays.
    fn move_done(&self, records: &Records) {
        let unsettled = || records.all.iter().filter(|past| !settled(past));
        let open: BTreeSet<&str> = unsettled().map(|past| past.target.as_str()).collect();
        let needed: BTreeSet<&str> = unsettled().map(|past| past.id.as_str()).collect();
        // A whole keeps its parts, and what was taken up the one that took it up.
        let tied = |past: &Past| {
            let needs = past.part_of.as_deref().or(past.takes_up.as_deref());
            needs.is_some_and(|other| needed.contains(other))
        };
        // One that a server was still taking when its client died has no name yet.
        let unnamed = |past: &Past| past.taking.as_ref().is_some_and(|taking| taking.kind == Made::Safety);
        let movable: Vec<&Past> = records
            .all
            .iter()
            .filter(|past| settled(past) && !unnamed(past) && !tied(past) && !open.contains(past.target.as_str()))
            .collect();
        if movable.is_empty() {
            return;
        }
        let done = self.done_folder();
        for past in movable {
            let safeties = past.made.iter().filter(|thing| thing.kind == Made::Safety);
            let named: Vec<(char, &str)> = safeties.map(|thing| ('+', beyond_instance(&thing.thing))).collect();
            if marks::write(self.folder(), &named).is_err() {
                continue;
            }
            let from = self.folder().join(format!("{}.ndjson", past.id));
            let to = done::place(&done, &past.id);
            if to.parent().is_some_and(|day| std::fs::create_dir_all(day).is_err()) {
                continue;
            }
            // A record that cannot be moved is read again; nothing else depends on it.
            if std::fs::rename(&from, to).is_ok() {
                self.closed.forget(&from);
            }
        }
    }

    /// Which snapshots are safety snapshots: of what was there before an overwrite, and seldom what anybody wants back.
    pub(in crate::ops) fn safeties(&self) -> Safeties {
        let records = self.glance();
        // After the records: what moved meanwhile is in the index by now.
        records.safeties(marks::read(self.folder()).unwrap_or_default())
    }

    /// The same, but an unreadable record is an error: it may name a safety snapshot.
    ///
    /// # Errors
    /// When a record, or their folder, cannot be read.
    pub(in crate::ops) fn all_safeties(&self) -> Result<Safeties, Problem> {
        self.readable()?;
        let records = self.glance();
        if let Some(record) = records.unreadable.first() {
            let message = format!("which snapshots are safety snapshots is not known: {}", record.words());
            return Err(Problem::new(ProblemKind::Failed, message, &record.path)
                .advise("name the snapshot that you mean; or mend that record, give the right to read it, or move it away"));
        }
        // After the records: what moved meanwhile is in the index by now.
        Ok(records.safeties(marks::read(self.folder())?))
    }

    /// Operations that somebody has to decide about, the newest first.
    pub fn open(&self) -> Vec<Past> {
        self.glance().all.into_iter().filter(Past::is_open).collect()
    }

    /// One operation by its id, by the beginning of its id where only one has it, or the `last` one that is no part of
    /// another.
    ///
    /// # Errors
    /// When there is none, more than one, or it cannot be read.
    pub fn find(&self, id: &str) -> Result<Past, Problem> {
        if id == "last" {
            return self.last();
        }
        // What is done is read only where its name fits; what is not done tells it what came later.
        let mut paths = files(self.folder());
        if !id.is_empty() {
            paths.extend(done::beginning_with(&self.done_folder(), id));
        }
        let Records { all, unreadable } = together(paths, read_record);
        if let Some(record) = unreadable.iter().find(|record| !id.is_empty() && record.id.starts_with(id)) {
            return Err(record.problem());
        }
        let mut found: Vec<Past> = all.into_iter().filter(|past| !id.is_empty() && past.id.starts_with(id)).collect();
        match found.len() {
            0 => Err(unknown(id, "there is no such operation")),
            1 => Ok(found.swap_remove(0)),
            // A whole id may be the beginning of another one.
            _ => {
                let exact = found.iter().position(|past| past.id == id);
                exact.map(|at| found.swap_remove(at)).ok_or_else(|| unknown(id, "several operations begin so"))
            }
        }
    }

    /// The newest operation that is no part of another.
    fn last(&self) -> Result<Past, Problem> {
        // A whole may have many parts, each with a record of its own.
        for newest in [LOOKED_BACK, usize::MAX] {
            let mut paths = files(self.folder());
            paths.extend(done::newest(&self.done_folder(), newest));
            let mut all = together(paths, read_record).all;
            if let Some(at) = all.iter().position(|past| past.part_of.is_none()) {
                return Ok(all.swap_remove(at));
            }
        }
        Err(unknown("last", "there is no such operation"))
    }
}

/// Whether nothing of it has to be decided or waited for. What failed and left nothing is over, too.
fn settled(past: &Past) -> bool {
    past.state != State::Running && !past.is_open()
}

fn unknown(id: &str, why: &str) -> Problem {
    Problem::new(ProblemKind::NotFound, why, one_line(id, 60)).advise("`qsnap history` lists all, with their ids")
}

/// What a later operation brought to a target, and proved.
struct Brought {
    at: Timestamp,
    inside: Option<String>,
    source: String,
    /// When the target was saved, if it is a snapshot of the target itself.
    saved: Option<Timestamp>,
}

impl Brought {
    fn by(past: &Past) -> Self {
        let saved = match Address::parse(&past.source) {
            Ok(Address::Snapshot(address, Which::Named(name))) if address.to_string() == past.target => time_in_name(&name),
            _ => None,
        };
        Self { at: past.at, inside: past.inside.clone(), source: past.source.clone(), saved }
    }
}

/// Where a record lies once it is done.
fn done_path(path: &Path) -> PathBuf {
    let id = path.file_stem().unwrap_or_default().to_string_lossy();
    done::place(&path.parent().unwrap_or(path).join(done::DONE), &id)
}

/// Reads them, and tells each what the others say of it.
fn together(mut paths: Vec<PathBuf>, read: impl Fn(&Path) -> Result<Option<Past>, Unreadable>) -> Records {
    // Names begin with the time. One may be moved while they are listed: it is the same one.
    paths.sort_by(|a, b| b.file_name().cmp(&a.file_name()));
    paths.dedup_by(|a, b| a.file_name() == b.file_name());
    let mut records = Records::default();
    for path in paths {
        let found = match read(&path) {
            // Another process moved it meanwhile: it is done.
            Ok(None) if !path.exists() => read(&done_path(&path)),
            found => found,
        };
        match found {
            Ok(past) => records.all.extend(past),
            Err(record) => records.unreadable.push(record),
        }
    }
    let all = &mut records.all;
    // The line that takes an operation up is what settles it: the note on its own record may be missing after a kill.
    let taken: HashMap<String, String> = all.iter().filter_map(|past| Some((past.takes_up.clone()?, past.id.clone()))).collect();
    for past in all.iter_mut().filter(|past| past.settled.is_none()) {
        past.settled = taken.get(&past.id).map(|by| format!("taken up by {by}"));
    }
    let mut good: HashMap<String, Vec<Brought>> = HashMap::new();
    for past in all.iter() {
        if Verb::of(&past.operation).is_some_and(Verb::brings) && past.state == State::Ended("matches".to_owned()) {
            good.entry(past.target.clone()).or_default().push(Brought::by(past));
        }
    }
    for past in all.iter_mut() {
        // What ran in a guarded command is no later than its end, whatever came after it there.
        let safety = past.safety().map(|thing| thing.thing.clone());
        let own = safety.clone().filter(|_| Verb::of(&past.operation) == Some(Verb::Guard));
        let at = past.at;
        past.superseded(|target| {
            let within = |brought: &Brought| own.is_some() && brought.inside == own;
            // What was saved after this began may be what this left.
            let before =
                |brought: &Brought| brought.saved.is_none_or(|saved| saved < at) || Some(&brought.source) == safety.as_ref();
            let repairs = |brought: &Brought| brought.at > at && !within(brought) && before(brought);
            good.get(target).is_some_and(|list| list.iter().any(repairs))
        });
    }
    parts::attach(all);
    records
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::journal::record::{Opening, Record};
    use serde_json::{Value, json};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_763_780_400 + second).unwrap()
    }

    fn begin(journal: &Journal, second: i64, target: &str) -> Record {
        let opening = Opening::new("restore", "f", target);
        journal.begin(at(second), &opening).unwrap()
    }

    #[test]
    fn open_records_and_safety_marks_outlive_any_number_of_others() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path(), "");
        let open = begin(&journal, 0, "a/open");
        open.made(at(0), Made::Scratch, "a/open-qsnap-proof-1").unwrap();
        open.end(at(0), "failed", Value::Null).unwrap();
        let marked = begin(&journal, 1, "a/x");
        marked.made(at(1), Made::Safety, "a/x/s.snapshot").unwrap();
        marked.end(at(1), "matches", Value::Null).unwrap();
        let (open, marked) = (open.id(), marked.id());
        // Written as files: syncing 2 500 records takes a while.
        let line = |second: i64| {
            format!(
                "{}\n{}\n",
                json!({"event": "begin", "at": at(second).to_string(), "operation": "create", "target": "a/y"}),
                json!({"event": "end", "at": at(second).to_string(), "result": if second % 2 == 0 { "done" } else { "failed" }})
            )
        };
        for n in 0..2_500 {
            let name = format!("20991122T0300{n:05}Z-1-0.ndjson");
            std::fs::write(journal.folder().join(name), line(10 + n)).unwrap();
        }
        for _ in 0..2 {
            assert_eq!(journal.open().iter().map(|past| past.id.clone()).collect::<Vec<_>>(), std::slice::from_ref(&open));
            assert!(journal.safeties().is_named("a/x/s.snapshot"));
        }
        assert_eq!(files(journal.folder()).len(), 1, "what is done lies elsewhere, and is not read for a plan");
        std::fs::create_dir(journal.done_folder().join("20991123T030000000Z-1-0.ndjson")).unwrap();
        assert!(journal.unreadable().is_empty() && journal.all_safeties().unwrap().is_named("a/x/s.snapshot"));
        assert_eq!(journal.find(&marked).unwrap().target, "a/x");
        assert_eq!(journal.find("20991122T030000007Z-1-0").unwrap().target, "a/y", "older than a list shows");
        assert_eq!(journal.find("last").unwrap().target, "a/y");
        assert_eq!(journal.read().len(), MAX_LISTED, "one of the newest cannot be read");
    }

    #[test]
    fn what_is_over_stays_as_long_as_something_open_needs_it() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path(), "");
        // It was between; what came later there is proven, and that must not be forgotten.
        let older = begin(&journal, 0, "a/x");
        older.made(at(0), Made::Upload, "a/x/up.snapshot").unwrap();
        older.step_begins(at(0), "restore", "").unwrap();
        older.handed_over(at(0)).unwrap();
        drop(older);
        let later = begin(&journal, 5, "a/x");
        later.end(at(6), "matches", Value::Null).unwrap();
        drop(later);
        for _ in 0..2 {
            let open = journal.open();
            assert!(open.len() == 1 && open[0].repaired, "{open:?}");
        }
    }

    #[test]
    fn a_record_whose_beginning_is_damaged_is_named_and_its_marks_hold() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path(), "");
        let record = begin(&journal, 0, "a/x");
        record.made(at(0), Made::Safety, "a/x/s.snapshot").unwrap();
        let id = record.id();
        drop(record);
        let path = journal.folder().join(format!("{id}.ndjson"));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[..40].fill(0);
        std::fs::write(&path, bytes).unwrap();
        assert!(journal.read().is_empty());
        let [record] = &journal.unreadable()[..] else { panic!("one record") };
        assert!(record.words().contains(&id) && record.problem().advice.contains("safety snapshot"), "{record:?}");
        assert!(journal.safeties().is_named("a/x/s.snapshot"), "what can be read of it counts");
        assert!(journal.all_safeties().unwrap_err().message.contains(&id), "there may be more of them");
        assert_eq!(journal.find(&id).unwrap_err().kind, ProblemKind::Failed);
        // Killed before its first line was whole.
        std::fs::write(&path, b"{\"event\":\"begin\",\"at\":\"20").unwrap();
        assert!(journal.unreadable().is_empty());
    }

    #[test]
    fn what_was_saved_after_a_break_repairs_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path(), "");
        let broken = begin(&journal, 0, "a/x");
        broken.made(at(0), Made::Safety, "a/x/x-1-2025-11-22-03-00-01.snapshot").unwrap();
        broken.step_begins(at(1), "restore", "").unwrap();
        broken.handed_over(at(2)).unwrap();
        drop(broken);
        let restored = |second: i64, source: &str| {
            let opening = Opening::new("restore", source, "a/x");
            journal.begin(at(second), &opening).unwrap().end(at(second), "matches", Value::Null).unwrap();
        };
        restored(20, "a/x/x-1-2025-11-22-03-00-10.snapshot");
        assert!(journal.open()[0].is_between(), "half of it was saved, and brought back");
        restored(30, "a/x/x-1-2025-11-22-03-00-01.snapshot");
        assert!(journal.open().is_empty(), "its own way back");
    }

    #[test]
    fn a_line_that_is_damaged_makes_it_unreadable() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path(), "");
        let record = begin(&journal, 0, "a/x");
        record.handed_over(at(1)).unwrap();
        record.end(at(2), "failed", Value::Null).unwrap();
        let path = journal.folder().join(format!("{}.ndjson", record.id()));
        drop(record);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let gone = "\0".repeat(lines[1].len());
        std::fs::write(&path, [lines[0], &gone, lines[2], ""].join("\n")).unwrap();
        assert!(journal.open().is_empty() && journal.unreadable().len() == 1);
        assert!(journal.all_safeties().is_err(), "it may have named one");
        // What a kill leaves is no damage.
        std::fs::write(&path, [lines[0], lines[2], "{\"event\":\"en"].join("\n")).unwrap();
        assert!(journal.unreadable().is_empty());
    }

    #[test]
    fn a_safety_snapshot_that_was_being_taken_is_remembered_when_it_is_settled() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path(), "");
        let record = begin(&journal, 0, "a/x");
        record.taking(at(0), Made::Safety, "a/x", &[]).unwrap();
        let id = record.id();
        drop(record);
        journal.settle(at(1), &id, "cleaned up", "by").unwrap();
        let name = crate::domain::ids::SnapshotName::new("x-1-2025-11-22-03-00-01.snapshot");
        let address = crate::domain::address::CollectionAddress::parse("a/x").unwrap();
        for _ in 0..2 {
            assert!(journal.open().is_empty());
            assert_eq!(journal.safeties().among(&address, [&name].into_iter()).len(), 1);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_among_the_records_blocks_no_reader() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path(), "");
        std::fs::create_dir_all(journal.folder()).unwrap();
        let path = journal.folder().join("1-1-0.ndjson");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600), 0)
            .unwrap();
        assert_eq!(journal.unreadable().len(), 1);
        assert!(journal.read().is_empty() && journal.open().is_empty());
    }
}
