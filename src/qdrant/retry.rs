//! When to repeat a call. Only calls that change nothing are repeated; 4xx never is, but for 429.

use crate::qdrant::error::{ApiError, ApiErrorKind};
use std::time::Duration;

/// Tries of one call that fails by itself, the first included.
pub const MAX_ATTEMPTS: u32 = 3;

/// How long one call waits altogether because the server asks it to. A read rate limit counts by the minute, so that a
/// wait it asks for is at most one; other clients may take what it gave back meanwhile.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// The tries of one call.
#[derive(Debug, Default)]
pub struct Tries {
    failed: u32,
    refused: u32,
    waited: Duration,
}

impl Tries {
    /// How many were made.
    pub fn made(&self) -> u32 {
        self.failed + self.refused
    }

    /// How long to wait before the next try after this failure, or `None` to give up.
    pub fn next_wait(&mut self, error: &ApiError) -> Option<Duration> {
        if let (ApiErrorKind::RateLimited, Some(asked)) = (error.kind, error.retry_after) {
            // The server says when: that is no failure, and no reason to give up before its time is over.
            self.refused += 1;
            let more = Duration::from_millis(50 * u64::from(self.refused.min(20)));
            let wait = asked.max(Duration::from_millis(200)).saturating_add(more);
            self.waited = self.waited.saturating_add(wait);
            return (self.waited <= PATIENCE).then_some(wait);
        }
        self.failed += 1;
        // A second silent wait does not help: a slow server is reported, not asked again. A limit without a
        // time means that the request is too large for it, however long one waits (1.16.3).
        let final_kind = matches!(error.kind, ApiErrorKind::Timeout | ApiErrorKind::RateLimited);
        if self.failed >= MAX_ATTEMPTS || !error.is_temporary() || final_kind {
            return None;
        }
        let backoff = Duration::from_millis(150) * 3_u32.pow(self.failed.saturating_sub(1));
        Some(error.retry_after.map_or(backoff, |asked| asked.clamp(backoff, Duration::from_secs(5))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ApiErrorKind) -> ApiError {
        ApiError::new(kind, "x", "http://h", "y")
    }

    #[test]
    fn waits_grow_and_end() {
        let refused = error(ApiErrorKind::Unreachable);
        let mut tries = Tries::default();
        assert_eq!(tries.next_wait(&refused), Some(Duration::from_millis(150)));
        assert_eq!(tries.next_wait(&refused), Some(Duration::from_millis(450)));
        assert_eq!((tries.next_wait(&refused), tries.made()), (None, 3));
    }

    #[test]
    fn refusals_are_final() {
        for kind in [ApiErrorKind::NotFound, ApiErrorKind::Forbidden, ApiErrorKind::Rejected, ApiErrorKind::Unauthorized] {
            assert_eq!(Tries::default().next_wait(&error(kind)), None);
        }
    }

    #[test]
    fn a_rate_limit_is_waited_for_as_long_as_it_says_and_not_for_ever() {
        let mut limited = error(ApiErrorKind::RateLimited);
        assert_eq!(Tries::default().next_wait(&limited), None, "no time was given: waiting does not help");
        limited.retry_after = Some(Duration::from_secs(60));
        let mut tries = Tries::default();
        let waits: Vec<Duration> = std::iter::from_fn(|| tries.next_wait(&limited)).collect();
        assert!(waits.iter().all(|wait| *wait >= Duration::from_secs(60)), "{waits:?}");
        assert!((10..=15).contains(&waits.len()), "{waits:?}");
    }
}
