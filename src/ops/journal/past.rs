//! What one past operation amounts to: a pure fold over the events of its record.

use crate::domain::text::{one_line, sanitise};
use crate::ops::journal::event::{Begin, Event, Line, Made, Part, TakenUp, Taking, Thing};
use crate::ops::journal::step_names;
use crate::ops::request::copy::CopyRequest;
use crate::ops::request::restore::RestoreRequest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Ends after which something has to be decided.
const UNDONE: [&str; 4] = ["failed", "canceled", "crashed", "rollback not proven"];

/// Steps that put data over the target.
const OVER: [&str; 3] = [step_names::RESTORE.restore, step_names::ROLL_BACK.restore, step_names::GUARDED_COMMAND];

/// Steps that judge the target.
const JUDGING: [&str; 5] = [
    step_names::RESTORE.verify,
    step_names::ROLL_BACK.verify,
    step_names::LOOK,
    step_names::COMPARE_WITH_PROOF,
    step_names::EVERY_POINT,
];

/// How an operation stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A process works on it now.
    Running,
    /// It came to its end: a verdict, `done`, `failed` or `canceled`.
    Ended(String),
    /// Its process was killed, or the machine went down.
    BrokenOff,
}

impl State {
    /// The word in lists.
    pub fn word(&self) -> &str {
        match self {
            Self::Running => "running",
            Self::Ended(result) => result,
            Self::BrokenOff => "broken off",
        }
    }
}

/// A step that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PastStep {
    /// Its name.
    pub name: String,
    /// On what.
    pub detail: String,
    /// When it began.
    pub at: Option<Timestamp>,
    /// How it ended; `None` when it did not.
    pub result: Option<String>,
}

impl PastStep {
    /// Whether it ended well: `ok`, or a verdict that is no difference.
    pub fn is_good(&self) -> bool {
        self.result.as_deref().is_some_and(|result| result == "ok" || result.starts_with("matches"))
    }
}

/// What an operation was asked for, where it can be taken up again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeatable {
    /// A restore.
    Restore(RestoreRequest),
    /// A copy.
    Copy(CopyRequest),
}

/// What the server was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Handed {
    /// It got something.
    over: bool,
    /// `over` and [`Past::between`] before the last time, in case it is handed back.
    before: (bool, bool),
}

/// One operation of the past.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// Names it.
    pub id: String,
    /// When it began.
    pub at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The verb.
    pub operation: String,
    /// From.
    pub source: String,
    /// To.
    pub target: String,
    /// The same on the command line.
    pub command: String,
    /// By whom.
    pub who: String,
    /// How it stands.
    pub state: State,
    /// What was begun, in order.
    pub steps: Vec<PastStep>,
    /// What it made and was not removed.
    pub made: Vec<Thing>,
    /// A snapshot that was being taken when nothing more was written.
    pub taking: Option<Taking>,
    /// What was reported at its end.
    pub report: Value,
    /// What was asked for.
    pub request: Option<Repeatable>,
    /// Live data may be neither old nor new: the last word of what was handed over, and what was proven since.
    pub between: bool,
    /// It was between, and what a later operation brought there is proven.
    pub repaired: bool,
    /// The server was given the data: it may have made or replaced its target. With what both were before.
    pub handed: Handed,
    /// How another operation settled it.
    pub settled: Option<String>,
    /// The one that it goes on with.
    pub takes_up: Option<String>,
    /// What it consists of, where that is more than one operation.
    pub parts: Vec<Part>,
    /// The one that it is a part of.
    pub part_of: Option<String>,
    /// The guard in whose command it ran, by its snapshot.
    pub inside: Option<String>,
}

impl Past {
    /// The last step of this name.
    pub fn step(&self, name: &str) -> Option<&PastStep> {
        self.steps.iter().rev().find(|step| step.name == name)
    }

    /// Whether it came to its end, with nothing that has to be decided.
    pub fn is_done(&self) -> bool {
        matches!(&self.state, State::Ended(result) if !UNDONE.contains(&result.as_str()))
    }

    /// What should not stay: scratch collections, temporary snapshots, uploaded files; and a collection that a failed
    /// restore left under a name that was free before.
    pub fn leftovers(&self) -> Vec<&Thing> {
        // Of a name that the server was never given nothing here is ours; and what is proven is no leftover.
        let kept = self.is_done() || !self.handed.over || self.is_proven();
        self.made
            .iter()
            .filter(|thing| match thing.kind {
                Made::Safety | Made::Before => false,
                Made::Collection => !kept,
                Made::Scratch | Made::Upload | Made::Snapshot | Made::Empty | Made::Backup => true,
            })
            .collect()
    }

    /// The way back that it left.
    pub fn safety(&self) -> Option<&Thing> {
        self.made.iter().find(|thing| matches!(thing.kind, Made::Safety | Made::Before))
    }

    /// Whether its target was there before: then what was in it may have been replaced.
    pub fn overwrites(&self) -> bool {
        !self.made.iter().any(|thing| thing.kind == Made::Collection && thing.thing == self.target)
    }

    /// Whether what was brought was proven, whatever broke off after that.
    pub fn is_proven(&self) -> bool {
        !self.is_between() && self.step(step_names::RESTORE.verify).is_some_and(PastStep::is_good)
    }

    /// Whether anything was put over live data, however it ended.
    pub fn has_overwritten(&self) -> bool {
        self.overwrites() && self.handed.over
    }

    /// Whether live data may be neither old nor new: it was handed over to the server, and nothing tells that it ended
    /// well.
    pub fn is_between(&self) -> bool {
        self.between && self.overwrites() && !self.is_done()
    }

    /// Whether somebody has to decide what becomes of it.
    pub fn is_open(&self) -> bool {
        if self.settled.is_some() || self.state == State::Running {
            return false;
        }
        let broken_off = self.state == State::BrokenOff && (self.request.is_some() || self.not_begun() > 0);
        broken_off || self.is_between() || self.taking.is_some() || !self.leftovers().is_empty()
    }

    /// Parts of it that never began.
    pub fn not_begun(&self) -> usize {
        self.parts.iter().filter(|part| part.record.is_none()).count()
    }

    /// In one line: what became of it.
    pub fn outcome(&self) -> String {
        let step = self.steps.last().map_or_else(String::new, |step| format!(" in `{}`", step.name));
        match (&self.settled, &self.state) {
            (Some(how), _) => format!("{}; settled: {how}", self.state.word()),
            (None, State::BrokenOff) if self.not_begun() > 0 => {
                format!("broken off, {} of {} not begun", self.not_begun(), self.parts.len())
            }
            (None, State::BrokenOff) => format!("broken off{step}"),
            (None, State::Running) => format!("running{step}"),
            (None, State::Ended(result)) if !self.leftovers().is_empty() => {
                format!("{result}, {} left behind", self.leftovers().len())
            }
            (None, State::Ended(result)) => result.clone(),
        }
    }
}

/// What the lines of a record say.
pub(in crate::ops) struct Folded {
    /// The operation; `None` where the beginning cannot be read.
    pub past: Option<Past>,
    /// Safety snapshots that are named, also where the beginning cannot be read.
    pub safeties: Vec<String>,
    /// Lines of it are damaged: what they said is not known.
    pub damaged: bool,
}

/// Folds the lines of a record, one after the other.
pub(in crate::ops) fn fold(id: &str, text: &str, running: bool) -> Folded {
    let mut folded = Folded { past: None, safeties: Vec::new(), damaged: false };
    for line in text.lines() {
        // A killed process may have left half a line. What is no line of ours at all took the place of one.
        folded.damaged |= line.contains('\0') || !(line.is_empty() || line.starts_with('{'));
        let Ok(Line { at, event }) = serde_json::from_str(line) else { continue };
        if let Event::Made { kind: Made::Safety, thing } = &event {
            folded.safeties.push(sanitise(thing));
        }
        match (&mut folded.past, event) {
            (None, Event::Begin(begin)) => {
                let Begin { operation, source, target, command, who, request, part_of, inside, .. } = *begin;
                folded.past = Some(Past {
                    id: id.to_owned(),
                    at,
                    ended_at: None,
                    operation: one_line(&operation, 30),
                    source: sanitise(&source),
                    target: sanitise(&target),
                    command: one_line(&command, 2_000),
                    who: one_line(&who, 130),
                    state: if running { State::Running } else { State::BrokenOff },
                    steps: Vec::new(),
                    made: Vec::new(),
                    taking: None,
                    report: Value::Null,
                    request: serde_json::from_value(request).ok(),
                    between: false,
                    repaired: false,
                    handed: Handed::default(),
                    settled: None,
                    takes_up: None,
                    parts: Vec::new(),
                    part_of: part_of.map(|id| one_line(&id, 60)),
                    inside: inside.map(|snapshot| sanitise(&snapshot)),
                });
            }
            (Some(past), event) => past.take(at, event),
            (None, _) => {}
        }
    }
    folded
}

impl Past {
    /// What a later operation repaired is no longer a leftover of this one. `later` tells whether one
    /// brought something to a target after this, and proved it.
    pub(in crate::ops) fn superseded(&mut self, later: impl Fn(&str) -> bool) {
        self.repaired = self.is_between() && later(&self.target);
        self.between &= !later(&self.target);
        if self.made.iter().any(|made| made.kind == Made::Collection && later(&made.thing)) {
            self.handed.over = false;
        }
    }

    /// A match ends what was begun; a difference, of data that was replaced, begins it again.
    fn judged(&mut self, result: &str) {
        if result.starts_with("matches") {
            self.between = false;
        } else if result.starts_with("differs") && self.step(step_names::RESTORE.restore).is_some() {
            self.between = true;
        }
    }

    fn take(&mut self, at: Timestamp, event: Event) {
        match event {
            Event::Begin(_) => {}
            Event::Parts { parts } => self.parts = parts.into_iter().map(Part::sanitised).collect(),
            Event::Step { step, detail } => {
                // Making the keys makes the collection.
                self.handed.over |= step == step_names::SHARD_KEYS;
                self.handed.before = (self.handed.over, self.between);
                self.steps.push(PastStep {
                    name: one_line(&step, 60),
                    detail: one_line(&detail, 300),
                    at: Some(at),
                    result: None,
                });
            }
            Event::StepEnd { step, result } => {
                if JUDGING.contains(&step.as_str()) {
                    self.judged(&result);
                }
                if let Some(open) = self.steps.iter_mut().rev().find(|known| known.name == step && known.result.is_none()) {
                    open.result = Some(one_line(&result, 600));
                }
            }
            Event::HandedOver if self.steps.last().is_some_and(|step| OVER.contains(&step.name.as_str())) => {
                self.handed = Handed { over: true, before: (self.handed.over, self.between) };
                self.between = true;
            }
            Event::HandedOver => self.handed.before = (self.handed.over, self.between),
            Event::HandedBack => (self.handed.over, self.between) = self.handed.before,
            Event::TakesUp(TakenUp { id, between, request, things }) => {
                self.between |= between;
                self.handed.over |= between || things.iter().any(|thing| thing.kind == Made::Collection);
                self.handed.before = (self.handed.over, self.between);
                self.request = serde_json::from_value(request).ok();
                self.made.extend(things.into_iter().map(|Thing { kind, thing }| Thing { kind, thing: sanitise(&thing) }));
                let detail = one_line(&id, 60);
                self.takes_up = Some(detail.clone());
                self.steps.push(PastStep { name: "takes up".into(), detail, at: Some(at), result: Some("ok".into()) });
            }
            Event::Taking(taking) => self.taking = Some(Taking { at: Some(at), ..taking.sanitised() }),
            Event::NotTaken { collection } => {
                if self.taking.as_ref().is_some_and(|taking| taking.collection == sanitise(&collection)) {
                    self.taking = None;
                }
            }
            Event::Made { kind, thing } => {
                let of = |taking: &Taking| taking.kind == kind && thing.starts_with(&format!("{}/", taking.collection));
                if self.taking.as_ref().is_some_and(of) {
                    self.taking = None;
                }
                self.made.push(Thing { kind, thing: sanitise(&thing) });
            }
            Event::Gone { thing } => self.made.retain(|known| known.thing != thing),
            Event::End { result, report } => {
                self.state = State::Ended(one_line(&result, 60));
                self.ended_at = Some(at);
                self.report = report;
            }
            Event::Settled { how, by } => self.settled = Some(one_line(&format!("{how} by {by}"), 120)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::address::CollectionAddress;
    use crate::domain::problem::ProblemKind;
    use crate::ops::journal::Journal;
    use crate::ops::journal::record::{Opening, Record};
    use crate::ops::request::recovery_point::RecoveryPoint;
    use crate::ops::request::restore::Mode;
    use crate::ops::request::route::Route;
    use serde_json::json;

    fn at() -> Timestamp {
        "2026-11-22T03:00:00Z".parse().unwrap()
    }

    fn begin(journal: &Journal, mode: Mode) -> Record {
        let target = CollectionAddress::parse("a/x").unwrap();
        let request = RestoreRequest::new(RecoveryPoint::File("/f.snapshot".into()), target, mode, Route::Auto);
        let opening = Opening { request: json!({"restore": request}), ..Opening::new("restore", "f", "a/x") };
        journal.begin(at(), &opening).unwrap()
    }

    #[test]
    fn what_a_killed_process_left_is_open_and_what_runs_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path(), "ada@bastion");
        let record = begin(&journal, Mode::InPlace);
        record.made(at(), Made::Safety, "a/x/s.snapshot").unwrap();
        record.made(at(), Made::Scratch, "a/x-qsnap-proof").unwrap();
        record.step_begins(at(), "restore", "a/x").unwrap();
        record.handed_over(at()).unwrap();
        assert_eq!((journal.read()[0].state.clone(), journal.open().len()), (State::Running, 0));
        let id = record.id();
        drop(record);
        let past = journal.find(&id[..12]).unwrap();
        assert_eq!((past.state.word(), past.outcome().as_str()), ("broken off", "broken off in `restore`"));
        assert!(past.is_open() && past.is_between() && past.overwrites());
        assert_eq!(past.leftovers().len(), 1, "the safety snapshot stays: {past:?}");
        assert_eq!(past.who, "ada@bastion");
        journal.settle(at(), &id, "rolled back", "other").unwrap();
        assert!(journal.open().is_empty());
        assert_eq!(journal.find("last").unwrap().settled.as_deref(), Some("rolled back by other"));
    }

    #[test]
    fn each_event_has_its_meaning() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path(), "");
        let record = begin(&journal, Mode::New);
        record.made(at(), Made::Collection, "a/x").unwrap();
        record.made(at(), Made::Upload, "a/x/up").unwrap();
        record.step_begins(at(), "restore", "").unwrap();
        assert!(journal.read()[0].leftovers().iter().all(|thing| thing.kind != Made::Collection), "nothing was sent yet");
        record.handed_over(at()).unwrap();
        record.step_ends(at(), "restore", "500").unwrap();
        record.gone(at(), "a/x/up").unwrap();
        record.end(at(), "failed", Value::Null).unwrap();
        drop(record);
        let past = &journal.read()[0];
        assert_eq!(past.leftovers().iter().map(|thing| thing.thing.as_str()).collect::<Vec<_>>(), ["a/x"]);
        assert!(past.is_open() && !past.is_between() && !past.overwrites(), "{past:?}");
        assert_eq!(past.step("restore").and_then(|step| step.result.as_deref()), Some("500"));
        // What is handed back was not touched, and what somebody made under that name since is not ours.
        let record = begin(&journal, Mode::New);
        record.made(at(), Made::Collection, "a/x").unwrap();
        record.step_begins(at(), "restore", "").unwrap();
        record.handed_over(at()).unwrap();
        record.handed_back(at()).unwrap();
        record.end(at(), "failed", Value::Null).unwrap();
        drop(record);
        assert!(journal.read()[0].leftovers().is_empty());
        // The same, but it ended well: the collection is what was wanted.
        let record = begin(&journal, Mode::New);
        record.made(at(), Made::Collection, "a/x").unwrap();
        record.end(at(), "matches", Value::Null).unwrap();
        drop(record);
        assert!(!journal.read()[0].is_open());
    }

    /// The steps of an overwrite, and whether live data may be between old and new after each.
    #[test]
    fn what_was_handed_over_is_between_until_it_is_proven() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path(), "");
        let record = begin(&journal, Mode::InPlace);
        let between = || journal.read()[0].between;
        let step = |name: &str, handed_over: bool, result: Option<&str>| {
            record.step_begins(at(), name, "").unwrap();
            if handed_over {
                record.handed_over(at()).unwrap();
            }
            if let Some(result) = result {
                record.step_ends(at(), name, result).unwrap();
            }
            between()
        };
        assert!(!step("proof restore", true, Some("ok")), "a scratch collection is no live data");
        assert!(!step("proof verify", false, Some("matches: 1")));
        assert!(!step("restore", false, None), "an upload that is not whole replaces nothing");
        assert!(step("restore", true, Some("ok")));
        assert!(!step("verify", false, Some("matches: 1")));
        assert!(step("compare with the proof restore", false, Some("differs: 1 changed")));
        assert!(step("roll back", true, None));
        assert!(step("verify the rollback", false, Some("could_not_check: no answer")));
        assert!(!step("verify the rollback", false, Some("matches: 1")));
    }

    #[test]
    fn what_was_taken_up_is_as_open_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path(), "");
        let older = begin(&journal, Mode::InPlace);
        let id = older.id();
        drop(older);
        let things = vec![Thing { kind: Made::Safety, thing: "a/x/s.snapshot".into() }];
        let request = json!(journal.find(&id).unwrap().request);
        let opening = Opening::new("continue", &id, "b/x");
        let record = journal.begin(at(), &opening).unwrap();
        record.step_begins(at(), "wait", "").unwrap();
        assert_eq!(journal.open().len(), 1, "nothing is taken up yet");
        record.takes_up(at(), &TakenUp { id: id.clone(), between: true, request, things }).unwrap();
        record.step_begins(at(), "proof restore", "").unwrap();
        drop(record);
        let open = journal.open();
        assert_eq!(open.len(), 1, "one of the two, though the older has no note of it: {open:?}");
        let past = &open[0];
        assert!(past.is_between() && past.safety().is_some() && past.request.is_some() && past.id != id);
    }

    #[test]
    fn what_is_known_of_a_closed_record_is_forgotten_when_it_grows() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path(), "");
        let record = begin(&journal, Mode::InPlace);
        assert!(!journal.safeties().is_named("a/x/s.snapshot") && journal.open().is_empty(), "it runs");
        record.made(at(), Made::Safety, "a/x/s.snapshot").unwrap();
        record.end(at(), "matches", json!({"long": "report"})).unwrap();
        let id = record.id();
        drop(record);
        for _ in 0..2 {
            assert!(journal.safeties().is_named("a/x/s.snapshot"));
        }
        assert_eq!(journal.read()[0].report["long"], "report", "who wants all gets all");
        journal.gone(at(), &id, "a/x/s.snapshot").unwrap();
        assert!(!journal.safeties().is_named("a/x/s.snapshot"));
    }

    #[test]
    fn records_that_are_cut_or_hostile_do_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path(), "");
        std::fs::create_dir_all(journal.folder()).unwrap();
        let write = |name: &str, text: &[u8]| std::fs::write(journal.folder().join(name), text).unwrap();
        write("1-empty.ndjson", b"");
        write("2-noise.ndjson", &[0xff, 0, 0x1b, b'\n']);
        write(
            "3-cut.ndjson",
            b"{\"event\":\"begin\",\"at\":\"2026-11-22T03:00:00Z\",\"operation\":\"re\x5cu001b[2Jstore\"}\n{\"event\":\"st",
        );
        let read = journal.read();
        assert_eq!(read.len(), 1);
        assert!(!read[0].operation.contains('\u{1b}'), "{read:?}");
        assert!(!read[0].is_open(), "nothing tells what it was for");
        assert_eq!(journal.find("").unwrap_err().kind, ProblemKind::NotFound);
    }

    /// Lines as 0.1.0 wrote them before there was one type for all of them: records are kept for years.
    #[test]
    fn records_of_before_are_read() {
        let text = r#"{"at":"2026-11-22T03:00:00Z","command":"qsnap restore …","event":"begin","inside":null,"operation":"restore","part_of":null,"source":"a/x/s.snapshot","spec":{"restore":{"beside":null,"deep":false,"force":[],"mode":"in-place","route":"auto","skips":{"proof":false,"safety":false},"source":{"file":"/f.snapshot"},"target":"a/x"}},"target":"a/x","version":"0.1.0","who":"ada@bastion"}
{"at":"2026-11-22T03:00:01Z","event":"parts","parts":[{"command":"qsnap copy …","record":null,"target":"b/x"}]}
{"at":"2026-11-22T03:00:02Z","collection":"a/x","event":"taking","kind":"safety","known":["old.snapshot"]}
{"at":"2026-11-22T03:00:03Z","event":"made","kind":"safety","thing":"a/x/safe.snapshot"}
{"at":"2026-11-22T03:00:04Z","detail":"a/x","event":"step","step":"restore"}
{"at":"2026-11-22T03:00:05Z","event":"handed-over"}

{"at":"2026-11-22T03:00:06Z","event":"step-end","result":"500","step":"restore"}
{"at":"2026-11-22T03:00:07Z","between":true,"event":"takes-up","id":"older","spec":null,"things":[{"kind":"upload","thing":"a/x/up"}]}
{"at":"2026-11-22T03:00:08Z","event":"gone","thing":"a/x/up"}
{"at":"2026-11-22T03:00:09Z","event":"end","report":{"bytes":1},"result":"failed"}
{"at":"2026-11-22T03:00:10Z","by":"other","event":"settled","how":"rolled back"}
"#;
        let folded = fold("id", text, false);
        let past = folded.past.unwrap();
        assert!(!folded.damaged && folded.safeties == ["a/x/safe.snapshot"]);
        assert_eq!((past.who.as_str(), past.target.as_str(), past.parts.len()), ("ada@bastion", "a/x", 1));
        assert_eq!((past.taking.as_ref(), past.takes_up.as_deref()), (None, Some("older")));
        assert_eq!(past.step("restore").and_then(|step| step.result.as_deref()), Some("500"));
        assert!(past.handed.over && past.between, "{past:?}");
        assert_eq!(past.made.iter().map(|thing| thing.thing.as_str()).collect::<Vec<_>>(), ["a/x/safe.snapshot"]);
        assert_eq!((past.state.word(), past.settled.as_deref()), ("failed", Some("rolled back by other")));
        // What is written today is read the same.
        for line in text.lines().filter(|line| !line.is_empty()) {
            let read: Line = serde_json::from_str(line).unwrap();
            let again: Line = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
            assert_eq!(again, read);
        }
        assert!(serde_json::from_str::<Line>(text.lines().next().unwrap()).is_ok_and(|line| match line.event {
            Event::Begin(begin) => serde_json::from_value::<Repeatable>(begin.request).is_ok(),
            _ => false,
        }));
    }
}
