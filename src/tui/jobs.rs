//! Jobs as the UI knows them: rows, meters, results, and what each touches.

use crate::domain::ids::InstanceName;
use crate::domain::problem::Problem;
use crate::domain::{size, time};
use crate::jobs::manager::{JobId, JobRow, JobState, Outcome};
use crate::ops::flow::Spec;
use crate::ops::report::Report;
use crate::transfer::meter::{Meter, Reading};
use std::collections::BTreeMap;

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
    /// What was started.
    pub started: BTreeMap<JobId, Started>,
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

    /// Percent over all active jobs whose size is known.
    pub fn percent(&self) -> Option<u8> {
        let active = self.rows.iter().filter(|row| !row.is_finished());
        let known = active.filter_map(|row| Some((row.sample.done, row.sample.total?)));
        let (done, total) =
            known.fold((0_u128, 0_u128), |sum, (done, total)| (sum.0 + u128::from(done), sum.1 + u128::from(total)));
        (total > 0).then(|| (done * 100 / total).min(99) as u8)
    }
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
        JobState::Finished(Outcome::Canceled { cleaned: true }) => "canceled, cleaned up".into(),
        JobState::Finished(Outcome::Canceled { cleaned: false }) => "canceled; something was left behind".into(),
    }
}

fn running_text(row: &JobRow, reading: &Reading) -> String {
    let sample = &row.sample;
    if sample.total.is_none() {
        let note = if sample.note.is_empty() { String::new() } else { format!(" · {}", sample.note) };
        return format!("{} · {}{note}", sample.phase, time::duration(sample.phase_time));
    }
    let mut parts = vec![format!("{:>2}%", reading.percent.unwrap_or(0))];
    if let Some(total) = sample.total {
        parts.push(format!("{}/{}", size::bytes(sample.done), size::bytes(total)));
    }
    parts.extend(reading.rate.filter(|rate| *rate > 0.0).map(size::rate));
    parts.extend(reading.left.map(time::duration));
    parts.join(" ")
}

/// Names of the instances that an operation reads or changes.
pub fn touched(spec: &Spec) -> Vec<InstanceName> {
    use crate::ops::restore::RestoreSource;
    match spec {
        Spec::Create(spec) => vec![spec.address.instance.clone()],
        Spec::Download(_) => vec![],
        Spec::Delete(spec) => vec![spec.address.instance.clone()],
        Spec::Restore(spec) => match &spec.source {
            RestoreSource::Snapshot(address, _) => vec![address.instance.clone(), spec.target.instance.clone()],
            RestoreSource::File(_) => vec![spec.target.instance.clone()],
        },
        Spec::Copy(spec) => vec![spec.source.instance.clone(), spec.target.instance.clone()],
    }
}
