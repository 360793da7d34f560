//! How many streams a download uses: one where one suffices, more while more bring more. Pure.

use std::time::Duration;

/// A stream this fast is not held back by a line but by this machine: a second one would only cost.
const FAST: f64 = 250e6;

/// Time after a change until a rate means something: connections start slowly.
const SETTLE: Duration = Duration::from_millis(300);

/// How long a rate is measured.
const MEASURE: Duration = Duration::from_millis(400);

/// What doubling must bring at least to be kept.
const WORTH: f64 = 1.15;

/// When a number that was found good is tried again: lines change.
const AGAIN: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// Waits for the rate to settle.
    Settling,
    /// Measures since then, from that many bytes.
    Measuring(Duration, u64),
    /// Content until then.
    Content,
}

/// Decides from time to time.
#[derive(Debug)]
pub struct Growth {
    most: usize,
    streams: usize,
    /// How many ran before the last step.
    fewer: usize,
    /// Rate with the number of streams before the last doubling.
    before: Option<f64>,
    stage: Stage,
    since: Duration,
}

impl Growth {
    /// One stream, at most `most`.
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), streams: 1, fewer: 1, before: None, stage: Stage::Settling, since: Duration::ZERO }
    }

    /// Streams that should run.
    pub fn streams(&self) -> usize {
        self.streams
    }

    /// Takes a look: `at` is a monotonic time, `bytes` what has arrived by then. `held` says that something
    /// else than the line was the limit meanwhile: a rate limit, a disk, an outage.
    pub fn look(&mut self, at: Duration, bytes: u64, held: bool) -> usize {
        if held {
            self.turn(at, Stage::Settling);
            return self.streams;
        }
        match self.stage {
            Stage::Settling if at.saturating_sub(self.since) >= SETTLE => self.turn(at, Stage::Measuring(at, bytes)),
            Stage::Measuring(from, start) if at.saturating_sub(from) >= MEASURE => {
                let seconds = at.saturating_sub(from).as_secs_f64();
                self.judge(at, bytes.saturating_sub(start) as f64 / seconds);
            }
            Stage::Content if at.saturating_sub(self.since) >= AGAIN => {
                self.before = None;
                self.turn(at, Stage::Settling);
            }
            _ => {}
        }
        self.streams
    }

    fn turn(&mut self, at: Duration, stage: Stage) {
        (self.stage, self.since) = (stage, at);
    }

    fn judge(&mut self, at: Duration, rate: f64) {
        // From 8 to 9 the gain cannot be as large as from 4 to 8.
        let gain = 1.0 + (WORTH - 1.0) * (self.streams as f64 / self.fewer as f64 - 1.0).min(1.0);
        let worth = self.before.is_none_or(|before| rate >= before * gain);
        if !worth {
            self.streams = self.fewer;
            self.turn(at, Stage::Content);
        } else if rate >= FAST * self.streams as f64 || self.streams == self.most {
            self.turn(at, Stage::Content);
        } else {
            (self.before, self.fewer) = (Some(rate), self.streams);
            self.streams = (self.streams * 2).min(self.most);
            self.turn(at, Stage::Settling);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a line that gives `rate(streams)` bytes per second; returns the streams after `seconds`.
    fn run(growth: &mut Growth, from: u64, seconds: u64, rate: impl Fn(usize) -> f64) -> usize {
        let mut bytes = 0.0;
        for tick in 0..seconds * 10 {
            bytes += rate(growth.streams()) / 10.0;
            growth.look(Duration::from_millis(from * 1000 + tick * 100), bytes as u64, false);
        }
        growth.streams()
    }

    #[test]
    fn a_line_that_is_capped_by_connection_gets_all_streams() {
        assert_eq!(run(&mut Growth::new(8), 0, 5, |streams| streams as f64 * 10e6), 8);
        assert_eq!(run(&mut Growth::new(5), 0, 5, |streams| streams as f64 * 10e6), 5);
        assert_eq!(run(&mut Growth::new(9), 0, 6, |streams| streams as f64 * 10e6), 9);
    }

    #[test]
    fn a_fast_line_keeps_one() {
        assert_eq!(run(&mut Growth::new(8), 0, 60, |_| 900e6), 1);
    }

    #[test]
    fn a_line_that_is_full_is_not_crowded() {
        let mut growth = Growth::new(8);
        assert_eq!(run(&mut growth, 0, 5, |_| 20e6), 1);
        // Later the line allows more.
        assert_eq!(run(&mut growth, 5, 40, |streams| streams as f64 * 20e6), 8);
    }

    #[test]
    fn a_rate_limit_is_no_reason_to_grow() {
        let mut growth = Growth::new(8);
        for tick in 0..100 {
            growth.look(Duration::from_millis(tick * 100), tick * 1_000_000, true);
        }
        assert_eq!(growth.streams(), 1);
    }
}
