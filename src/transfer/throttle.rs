//! A limit in bytes per second that all transfers of an instance share and that can change while they run.
//!
//! A bucket that may go into debt: a caller that finds it not empty takes a whole chunk at once, and the next one
//! waits until the debt is paid. So the rate is exact over time whatever the size of the chunks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What may be saved up while idle.
const BURST: Duration = Duration::from_millis(50);

/// Bytes that always pass together.
const SMALLEST: u64 = 1 << 10;

#[derive(Debug)]
struct Bucket {
    /// Bytes per second; `None` is no limit.
    rate: Option<u64>,
    /// Bytes that may pass now; negative is a debt.
    level: f64,
    filled: Instant,
    /// When somebody last had to wait.
    held: Option<Instant>,
}

impl Bucket {
    fn fill(&mut self, now: Instant) {
        let Some(rate) = self.rate else { return };
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * rate as f64;
        self.level = (self.level + gained).min(rate as f64 * BURST.as_secs_f64());
        self.filled = now;
    }
}

/// Clones share the limit.
#[derive(Debug, Clone)]
pub struct Throttle(Arc<(Mutex<Bucket>, Notify)>);

impl Throttle {
    /// Bytes per second, `None` for no limit.
    pub fn new(rate: Option<u64>) -> Self {
        let bucket = Bucket { rate, level: 0.0, filled: Instant::now(), held: None };
        Self(Arc::new((Mutex::new(bucket), Notify::new())))
    }

    /// The limit.
    pub fn rate(&self) -> Option<u64> {
        self.bucket().rate
    }

    /// Changes it; who waits now waits by the new limit.
    pub fn set(&self, rate: Option<u64>) {
        {
            let mut bucket = self.bucket();
            bucket.fill(Instant::now());
            (bucket.rate, bucket.level, bucket.filled) = (rate, 0.0, Instant::now());
        }
        self.0.1.notify_waiters();
    }

    /// Whether somebody had to wait for it within the last second: then more streams bring nothing.
    pub fn is_holding(&self) -> bool {
        self.bucket().held.is_some_and(|at| at.elapsed() < Duration::from_secs(1))
    }

    /// Waits until `bytes` may pass. In pieces: a chunk that takes seconds at a low rate must not pass as a whole.
    pub async fn pass(&self, bytes: u64) {
        let mut left = bytes;
        while left > 0 {
            left -= self.pass_some(left).await;
        }
    }

    /// Waits until some of `bytes` may pass, and says how many.
    async fn pass_some(&self, bytes: u64) -> u64 {
        loop {
            let changed = self.0.1.notified();
            tokio::pin!(changed);
            // Registered before the look: a change in between is not missed.
            changed.as_mut().enable();
            let wait = {
                let mut bucket = self.bucket();
                let Some(rate) = bucket.rate else { return bytes };
                let now = Instant::now();
                bucket.fill(now);
                if bucket.level >= 0.0 {
                    let piece = bytes.min(((rate as f64 * BURST.as_secs_f64()) as u64).max(SMALLEST));
                    bucket.level -= piece as f64;
                    return piece;
                }
                bucket.held = Some(now);
                Duration::from_secs_f64((-bucket.level / rate.max(1) as f64).clamp(0.001, 3600.0))
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = &mut changed => {}
            }
        }
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Bytes that `streams` streams of `chunk` bytes move within `time`, on a clock that is held.
    async fn moved(throttle: &Throttle, streams: usize, chunk: u64, time: Duration) -> u64 {
        let total = AtomicU64::new(0);
        let each = (0..streams).map(|_| async {
            loop {
                throttle.pass(chunk).await;
                total.fetch_add(chunk, Ordering::Relaxed);
            }
        });
        let _ = tokio::time::timeout(time, futures_util::future::join_all(each)).await;
        total.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_holds_for_any_number_of_streams_and_size_of_chunks() {
        for (streams, chunk) in [(1, 1_000), (1, 400_000), (8, 16_384), (8, 400_000), (3, 1_500_000)] {
            let throttle = Throttle::new(Some(10_000_000));
            let moved = moved(&throttle, streams, chunk, Duration::from_secs(10)).await as f64;
            assert!((moved / 100_000_000.0 - 1.0).abs() <= 0.05, "{streams} × {chunk}: {moved}");
            assert!(throttle.is_holding());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_low_rate_is_never_exceeded_by_a_large_chunk() {
        for rate in [100_000, 200_000, 1_000_000] {
            let throttle = Throttle::new(Some(rate));
            let moved = moved(&throttle, 2, 400_000, Duration::from_secs(10)).await;
            assert!(moved <= rate * 10 * 105 / 100, "{rate}: {moved}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_takes_effect_at_once_for_those_who_wait() {
        let throttle = Throttle::new(Some(1_000));
        throttle.pass(1_000_000).await;
        let start = Instant::now();
        let waiting = throttle.pass(1);
        let change = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            throttle.set(Some(100_000_000));
        };
        tokio::join!(waiting, change);
        assert!(start.elapsed() < Duration::from_millis(1_200), "{:?}", start.elapsed());
        throttle.set(None);
        assert_eq!(throttle.rate(), None);
        throttle.pass(u64::MAX).await;
    }

    #[tokio::test(start_paused = true)]
    async fn idle_time_saves_up_almost_nothing() {
        let throttle = Throttle::new(Some(1_000_000));
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let moved = moved(&throttle, 1, 10_000, Duration::from_secs(1)).await;
        assert!(moved <= 1_070_000, "{moved}");
    }
}
