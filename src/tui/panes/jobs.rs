//! Jobs as the UI knows them: rows, meters, results, and what each touches.

use crate::domain::ids::InstanceName;
use crate::domain::problem::Problem;
use crate::domain::size::Unit;
use crate::domain::time;
use crate::jobs::row::{JobId, JobRow, JobState, Outcome};
use crate::ops::journal::downloads::Interrupted;
use crate::ops::journal::past::Past;
use crate::ops::report::Report;
use crate::ops::request::Request;
use crate::transfer::meter::{Meter, Reading};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

/// What the UI remembers of a job that it started.
#[derive(Debug, Clone)]
pub struct Started {
    /// What was asked for, to plan it again when the plan was stale.
    pub request: Request,
    /// Whose lists change.
    pub touches: Vec<InstanceName>,
    /// The steps of its plan, each with what it does.
    pub steps: Vec<String>,
}

/// All jobs.
#[derive(Debug, Default)]
pub struct Jobs {
    /// Rows: active first, then the finished, newest first.
    pub rows: Vec<JobRow>,
    meters: BTreeMap<JobId, Gauge>,
    /// Results.
    pub results: BTreeMap<JobId, Result<Report, Problem>>,
    /// Downloads that were interrupted and can go on.
    pub interrupted: Vec<Interrupted>,
    /// Operations that did not end well and are not settled yet.
    pub open: Vec<Past>,
    /// What was started.
    pub started: BTreeMap<JobId, Started>,
    /// Whether all finished jobs are listed, and not the newest only.
    pub unfolded: bool,
}

/// What is measured of one job.
#[derive(Debug, Default)]
struct Gauge {
    meter: Meter,
    reading: Option<Reading>,
    /// The rate of each of the last seconds, in the unit of the phase.
    rates: VecDeque<u64>,
    /// The second of the newest of them.
    second: u64,
}

/// Seconds of which the rate is remembered.
const REMEMBERED_RATES: usize = 40;

impl Gauge {
    fn read(&mut self, row: &JobRow) {
        let reading = self.meter.read(row.elapsed, &row.sample);
        let second = row.elapsed.as_secs();
        match reading.rate {
            // Another phase, or none yet.
            None => self.rates.clear(),
            Some(rate) if self.rates.is_empty() || second > self.second => {
                self.second = second;
                self.rates.push_back(rate as u64);
                if self.rates.len() > REMEMBERED_RATES {
                    self.rates.pop_front();
                }
            }
            Some(_) => {}
        }
        self.reading = Some(reading);
    }
}

/// Finished jobs that are listed; older ones fold into one row.
const LISTED: usize = 3;

/// Jobs without a row whose results are remembered: an open page may still show them.
const REMEMBERED: u64 = 200;

/// What one row of the pane stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobKey {
    /// A job of this process.
    Job(JobId),
    /// An interrupted download, by the file it would become.
    Interrupted(PathBuf),
    /// An operation that did not end well, by its id in the journal.
    Open(String),
    /// The finished jobs that are not listed.
    Folded,
}

const NO_READING: Reading = Reading { rate: None, left: None, percent: None };

impl Jobs {
    /// Takes the state of all jobs. Returns whether any text that is shown changed.
    pub fn update(&mut self, mut rows: Vec<JobRow>) -> bool {
        for row in &rows {
            self.meters.entry(row.id).or_default().read(row);
        }
        self.meters.retain(|id, _| rows.iter().any(|row| row.id == *id));
        rows.sort_by_key(|row| (row.is_finished(), std::cmp::Reverse(row.id)));
        let changed = rows.len() != self.rows.len()
            || rows
                .iter()
                .zip(&self.rows)
                .any(|(new, old)| new.id != old.id || new.state != old.state || new.sample != old.sample);
        self.rows = rows;
        self.forget();
        changed
    }

    /// Forgets results and requests of jobs that are long gone.
    fn forget(&mut self) {
        let newest = self.rows.iter().map(|row| row.id.0).chain(self.results.keys().map(|id| id.0)).max().unwrap_or(0);
        let rows = &self.rows;
        let kept = |id: &JobId| id.0 + REMEMBERED > newest || rows.iter().any(|row| row.id == *id);
        self.results.retain(|id, _| kept(id));
        self.started.retain(|id, _| kept(id));
    }

    /// What the pane lists: jobs that run, what waits for a decision, and the newest of what is over.
    pub fn keys(&self) -> Vec<JobKey> {
        let jobs = |wanted: &dyn Fn(&JobRow) -> bool| {
            self.rows.iter().filter(|row| wanted(row)).map(|row| JobKey::Job(row.id)).collect::<Vec<_>>()
        };
        let mut keys = jobs(&|row| !row.is_finished());
        keys.extend(jobs(&|row| row.is_finished() && self.resumes(row.id).is_some()));
        keys.extend(self.interrupted().map(|left| JobKey::Interrupted(left.request.target.clone())));
        keys.extend(self.open.iter().map(|past| JobKey::Open(past.id.clone())));
        let over = jobs(&|row| row.is_finished() && self.resumes(row.id).is_none());
        // One row more is no longer than the row that would stand for it.
        let many = over.len() > LISTED + 1;
        let listed = if many && !self.unfolded { LISTED } else { over.len() };
        keys.extend(over.into_iter().take(listed));
        keys.extend(many.then_some(JobKey::Folded));
        keys
    }

    /// What the row of the folded jobs says.
    pub fn folded_text(&self) -> String {
        let over = self.rows.iter().filter(|row| row.is_finished() && self.resumes(row.id).is_none());
        if self.unfolded {
            return format!("{} finished (Enter shows fewer, z clears them)", over.count());
        }
        let folded: Vec<&JobRow> = over.skip(LISTED).collect();
        let failed = folded.iter().filter(|row| matches!(row.state, JobState::Finished(Outcome::Failed(_)))).count();
        let failed = if failed == 0 { String::new() } else { format!(", {failed} of them failed") };
        format!("{} more finished{failed} (Enter shows them, z clears them)", folded.len())
    }

    /// The interrupted download that a canceled job left, and that can go on.
    pub fn resumes(&self, id: JobId) -> Option<&Interrupted> {
        let row = self.row(id)?;
        let JobState::Finished(Outcome::Canceled { kept: Some(_), .. }) = row.state else { return None };
        let left = self.interrupted.iter().find(|left| self.is_of(id, left))?;
        // A later job for the same file stands for it: running, or canceled again.
        let later = |other: &&JobRow| other.id > id && self.is_of(other.id, left);
        self.rows.iter().find(later).is_none().then_some(left)
    }

    /// Whether a job downloads what was interrupted, to the same place: the folder, or the file itself.
    fn is_of(&self, id: JobId, left: &Interrupted) -> bool {
        let Some(Request::Download(request)) = self.started.get(&id).map(|started| &started.request) else { return false };
        let file = left.file();
        let same_place = request.target == file || file.parent() == Some(request.target.as_path());
        request.of == left.request.of && request.which == left.request.which && same_place
    }

    /// Interrupted downloads that no job of this process goes on with, and that have no row of a canceled job.
    pub fn interrupted(&self) -> impl Iterator<Item = &Interrupted> {
        let shown = |row: &&JobRow, left: &Interrupted| {
            self.is_of(row.id, left) && (!row.is_finished() || self.resumes(row.id).is_some())
        };
        self.interrupted.iter().filter(move |left| !self.rows.iter().any(|row| shown(&row, left)))
    }

    /// Instances whose rate limit holds for a job.
    pub fn moves(&self, id: JobId) -> Vec<InstanceName> {
        match self.started.get(&id).map(|started| &started.request) {
            Some(Request::Download(request)) => vec![request.of.instance().clone()],
            Some(request @ (Request::Restore(_) | Request::Copy(_))) => {
                let mut names = request.touches();
                names.dedup();
                names
            }
            _ => Vec::new(),
        }
    }

    /// A job by id.
    pub fn row(&self, id: JobId) -> Option<&JobRow> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// Rate, time left and percent of a job.
    pub fn reading(&self, id: JobId) -> &Reading {
        self.meters.get(&id).and_then(|gauge| gauge.reading.as_ref()).unwrap_or(&NO_READING)
    }

    /// The rates of the last seconds of the phase, the newest last.
    pub fn rates(&self, id: JobId) -> Vec<u64> {
        self.meters.get(&id).map_or_else(Vec::new, |gauge| gauge.rates.iter().copied().collect())
    }

    /// Jobs that are not over.
    pub fn active(&self) -> usize {
        self.rows.iter().filter(|row| !row.is_finished()).count()
    }

    /// Percent over the bytes of all active jobs whose size is known.
    pub fn percent(&self) -> Option<u8> {
        let active = self.rows.iter().filter(|row| !row.is_finished() && row.sample.unit == Unit::Bytes);
        let known = active.filter_map(|row| Some((row.sample.done, row.sample.total?)));
        let (done, total) =
            known.fold((0_u128, 0_u128), |sum, (done, total)| (sum.0 + u128::from(done), sum.1 + u128::from(total)));
        (total > 0).then(|| (done * 100 / total).min(99) as u8)
    }
}

/// What the row of an interrupted download says.
pub fn interrupted_text(left: &Interrupted) -> String {
    let percent = if left.size == 0 { 0 } else { (u128::from(left.done) * 100 / u128::from(left.size)).min(99) };
    format!("interrupted at {percent}%, resume?")
}

/// What a row says of where the job stands.
pub fn state_text(row: &JobRow, reading: &Reading) -> String {
    match &row.state {
        JobState::Queued(why) if why.is_empty() => "queued".into(),
        JobState::Queued(why) => why.clone(),
        JobState::Canceling => "canceling, cleaning up".into(),
        JobState::Running => running_text(row, reading),
        JobState::Finished(Outcome::Succeeded { headline, .. }) => format!("{headline} · {}", time::duration(row.elapsed)),
        JobState::Finished(Outcome::Failed(problem)) => problem.to_string(),
        JobState::Finished(Outcome::Canceled { cleaned: false, .. }) => "canceled; something was left behind".into(),
        JobState::Finished(Outcome::Canceled { kept: Some(kept), .. }) => format!("canceled; {kept}"),
        JobState::Finished(Outcome::Canceled { .. }) => "canceled, cleaned up".into(),
    }
}

fn running_text(row: &JobRow, reading: &Reading) -> String {
    let sample = &row.sample;
    let step = sample.step.map_or_else(String::new, |step| format!("{}/{} ", step.at, step.of));
    if sample.total.is_none() {
        let note = if sample.note.is_empty() { String::new() } else { format!(" · {}", sample.note) };
        return format!("{step}{} · {}{note}", sample.phase, time::duration(sample.phase_time));
    }
    let mut parts = vec![format!("{step}{:>2}%", reading.percent.unwrap_or(0))];
    if !sample.note.is_empty() {
        // What stops it matters more than how far and how fast it was.
        parts.push(sample.note.clone());
        return parts.join(" ");
    }
    if let Some(total) = sample.total {
        parts.push(sample.unit.share(sample.done, total));
    }
    parts.extend(reading.rate.and_then(|rate| sample.unit.rate(rate)));
    parts.extend(reading.left.map(time::duration));
    parts.join(" ")
}
