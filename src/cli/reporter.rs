//! Showing progress on stderr: a bar, plain lines, NDJSON, or nothing.

use crate::cli::args::{Global, Output};
use crate::cli::printer::Printer;
use crate::domain::time;
use crate::jobs::row::{JobRow, JobState};
use crate::transfer::meter::{Meter, Reading};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::io::IsTerminal;
use std::time::Duration;

/// How often a bar moves.
pub const TICK: Duration = Duration::from_millis(250);

enum Form {
    Silent,
    Bar(ProgressBar),
    Lines { last: Option<Duration>, phase: String },
    Ndjson { last: Option<Duration>, phase: String },
}

/// One job's progress.
pub struct Reporter {
    form: Form,
    meter: Meter,
    printer: Printer,
}

impl Reporter {
    /// Chooses the form.
    pub fn new(global: &Global, printer: Printer) -> Self {
        let form = if global.quiet {
            Form::Silent
        } else if global.output == Output::Json {
            Form::Ndjson { last: None, phase: String::new() }
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(4));
            bar.set_style(
                ProgressStyle::with_template("{spinner} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            Form::Bar(bar)
        } else {
            Form::Lines { last: None, phase: String::new() }
        };
        Self { form, meter: Meter::default(), printer }
    }

    /// Shows a job as it stands.
    pub fn show(&mut self, row: &JobRow) {
        let reading = self.meter.read(row.elapsed, &row.sample);
        let due =
            |last: &Option<Duration>, every: u64| last.is_none_or(|last| row.elapsed.saturating_sub(last).as_secs() >= every);
        match &mut self.form {
            Form::Silent => {}
            Form::Bar(bar) => {
                bar.set_message(line(row, &reading));
                bar.tick();
            }
            Form::Lines { last, phase } => {
                if *phase != row.sample.phase || due(last, 10) {
                    (*last, *phase) = (Some(row.elapsed), row.sample.phase.clone());
                    self.printer.note(&line(row, &reading));
                }
            }
            Form::Ndjson { last, phase } => {
                if *phase != row.sample.phase || due(last, 1) {
                    (*last, *phase) = (Some(row.elapsed), row.sample.phase.clone());
                    let rate = reading.rate.map(|rate| rate as u64);
                    let event = json!({"version": 1, "progress": {"title": row.title, "state": word(&row.state), "phase": row.sample.phase,
                        "note": row.sample.note, "done": row.sample.done, "total": row.sample.total, "unit": row.sample.unit.word(), "rate": rate,
                        "seconds_left": reading.left.map(|left| left.as_secs())}});
                    self.printer.note(&event.to_string());
                }
            }
        }
    }

    /// Takes the bar away.
    pub fn finish(self) {
        if let Form::Bar(bar) = self.form {
            bar.finish_and_clear();
        }
    }
}

fn word(state: &JobState) -> &'static str {
    match state {
        JobState::Queued(_) => "queued",
        JobState::Running => "running",
        JobState::Canceling => "canceling",
        JobState::Finished(_) => "finished",
    }
}

fn line(row: &JobRow, reading: &Reading) -> String {
    if let JobState::Queued(why) = &row.state {
        return format!("{}: {}", row.title, if why.is_empty() { "queued" } else { why });
    }
    if row.state == JobState::Canceling {
        return format!("{}: canceling, cleaning up (again to skip)", row.title);
    }
    let sample = &row.sample;
    let step = sample.step.map_or_else(String::new, |step| format!("[{}/{}] ", step.at, step.of));
    let mut parts = vec![format!("{}: {step}{}", row.title, sample.phase)];
    match (sample.total, reading.percent) {
        (Some(total), Some(percent)) => parts.push(format!("{percent}% {}", sample.unit.share(sample.done, total))),
        _ => parts.push(time::duration(sample.phase_time)),
    }
    parts.extend(reading.rate.and_then(|rate| sample.unit.rate(rate)));
    if let Some(left) = reading.left {
        parts.push(format!("{} left", time::duration(left)));
    }
    if !sample.note.is_empty() {
        parts.push(sample.note.clone());
    }
    parts.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::size::Unit;
    use crate::jobs::progress::{Sample, StepAt};
    use crate::jobs::row::{JobId, OnCancel};

    #[test]
    fn a_line_says_what_is_known_and_nothing_else() {
        let sample = Sample {
            unit: Unit::Bytes,
            done: 50_000_000,
            total: Some(100_000_000),
            moved: 0,
            phase: "downloading".into(),
            note: "retry 2".into(),
            phase_time: Duration::from_secs(3),
            step: None,
        };
        let (elapsed, on_cancel) = (Duration::ZERO, OnCancel::default());
        let mut row =
            JobRow { id: JobId(1), title: "t".into(), state: JobState::Running, sample, elapsed, record: None, on_cancel };
        let reading = Reading { rate: Some(25e6), left: Some(Duration::from_secs(2)), percent: Some(50) };
        assert_eq!(line(&row, &reading), "t: downloading  50% 50.0 MB/100.0 MB  25.0 MB/s  2s left  retry 2");
        row.sample.step = Some(StepAt { at: 2, of: 3 });
        assert_eq!(line(&row, &reading), "t: [2/3] downloading  50% 50.0 MB/100.0 MB  25.0 MB/s  2s left  retry 2");
        row.sample.step = None;
        row.sample.total = None;
        let reading = Reading { rate: None, left: None, percent: None };
        assert_eq!(line(&row, &reading), "t: downloading  3s  retry 2");
        row.state = JobState::Queued("waits for a free transfer on prod".into());
        assert_eq!(line(&row, &reading), "t: waits for a free transfer on prod");
    }
}
