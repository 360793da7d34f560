//! Jobs as the UI knows them: rows, meters, results, and what each touches.

use crate::domain::ids::InstanceName;
use crate::domain::problem::Problem;
use crate::domain::size::Unit;
use crate::domain::time;
use crate::jobs::manager::{JobId, JobRow, JobState, Outcome};
use crate::ops::flow::Spec;
use crate::ops::history::Past;
use crate::ops::interrupted::Interrupted;
use crate::ops::report::Report;
use crate::transfer::meter::{Meter, Reading};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the UI remembers of a job that it started.
#[derive(Debug, Clone)]
pub struct Started {
    /// What was asked for, to plan it again when the plan was stale.
    pub spec: Spec,
    /// Whose lists change.
    pub touches: Vec<InstanceName>,
}

/// All jobs.
#[derive(Debug, Default)]
pub struct Jobs {
    /// Rows: active first, then the finished, newest first.
    pub rows: Vec<JobRow>,
    meters: BTreeMap<JobId, (Meter, Reading)>,
    /// Results.
    pub results: BTreeMap<JobId, Result<Report, Problem>>,
    /// Downloads that were interrupted and can go on.
    pub interrupted: Vec<Interrupted>,
    /// Operations that did not end well, and that nobody decided about yet.
    pub open: Vec<Past>,
    /// What was started.
    pub started: BTreeMap<JobId, Started>,
}

/// What one row of the pane stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobKey {
    /// A job of this process.
    Job(JobId),
    /// An interrupted download, by the file it would become.
    Interrupted(PathBuf),
    /// An operation that did not end well, by its id in the journal.
    Open(String),
}

const NO_READING: Reading = Reading { rate: None, left: None, percent: None };

impl Jobs {
    /// Takes the state of all jobs. Returns whether any text that is shown changed.
    pub fn update(&mut self, mut rows: Vec<JobRow>) -> bool {
        for row in &rows {
            let (meter, reading) = self.meters.entry(row.id).or_insert_with(|| (Meter::default(), NO_READING));
            *reading = meter.read(row.elapsed, &row.sample);
        }
        self.meters.retain(|id, _| rows.iter().any(|row| row.id == *id));
        rows.sort_by_key(|row| (row.is_finished(), std::cmp::Reverse(row.id)));
        let changed = rows.len() != self.rows.len()
            || rows
                .iter()
                .zip(&self.rows)
                .any(|(new, old)| new.id != old.id || new.state != old.state || new.sample != old.sample);
        self.rows = rows;
        changed
    }

    /// What the pane lists: jobs that run, interrupted downloads, jobs that are over.
    pub fn keys(&self) -> Vec<JobKey> {
        let jobs = |over: bool| {
            self.rows.iter().filter(move |row| row.is_finished() == over).map(|row| JobKey::Job(row.id)).collect::<Vec<_>>()
        };
        let mut keys = jobs(false);
        keys.extend(self.interrupted().map(|left| JobKey::Interrupted(left.spec.target.clone())));
        keys.extend(self.open.iter().map(|past| JobKey::Open(past.id.clone())));
        keys.extend(jobs(true));
        keys
    }

    /// Interrupted downloads that no job of this process goes on with.
    pub fn interrupted(&self) -> impl Iterator<Item = &Interrupted> {
        self.interrupted.iter().filter(|left| {
            !self.rows.iter().filter(|row| !row.is_finished()).any(|row| match self.started.get(&row.id).map(|s| &s.spec) {
                Some(Spec::Download(spec)) => spec.address == left.spec.address && spec.which == left.spec.which,
                _ => false,
            })
        })
    }

    /// Instances whose rate limit holds for a job.
    pub fn moves(&self, id: JobId) -> Vec<InstanceName> {
        match self.started.get(&id).map(|started| &started.spec) {
            Some(Spec::Download(spec)) => vec![spec.address.instance.clone()],
            Some(spec @ (Spec::Restore(_) | Spec::Copy(_))) => {
                let mut names = touched(spec);
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
        self.meters.get(&id).map_or(&NO_READING, |(_, reading)| reading)
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
    if sample.total.is_none() {
        let note = if sample.note.is_empty() { String::new() } else { format!(" · {}", sample.note) };
        return format!("{} · {}{note}", sample.phase, time::duration(sample.phase_time));
    }
    let mut parts = vec![format!("{:>2}%", reading.percent.unwrap_or(0))];
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

/// Names of the instances that an operation reads or changes.
pub fn touched(spec: &Spec) -> Vec<InstanceName> {
    use crate::ops::restore::RestoreSource;
    match spec {
        Spec::Create(spec) => vec![spec.address.instance.clone()],
        Spec::Download(_) | Spec::Discard(_) | Spec::Compare(_) => vec![],
        Spec::Delete(spec) => vec![spec.address.instance.clone()],
        Spec::Restore(spec) => match &spec.source {
            RestoreSource::Snapshot(address, _) => vec![address.instance.clone(), spec.target.instance.clone()],
            RestoreSource::File(_) => vec![spec.target.instance.clone()],
        },
        Spec::Copy(spec) => vec![spec.source.instance.clone(), spec.target.instance.clone()],
        Spec::Fleet(spec) => vec![spec.from.clone(), spec.to.clone()],
        Spec::Switch(spec) => vec![spec.to.instance.clone()],
        Spec::Drop(spec) => vec![spec.address.instance.clone()],
        Spec::Revive(spec) => vec![spec.address.instance.clone()],
        // Which instances it concerns stands in the journal only.
        Spec::Settle(_) => vec![],
    }
}
