//! When to repeat a call. Only calls that change nothing are repeated; 4xx never is, but for 429.

use crate::qdrant::error::ApiError;
use std::time::Duration;

/// Tries of one call, the first included.
pub const MAX_ATTEMPTS: u32 = 3;

/// Longest wait that a server's `Retry-After` can impose on a short call.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// How long to wait before the next try after `attempt` failed, or `None` to give up.
pub fn next_wait(error: &ApiError, attempt: u32) -> Option<Duration> {
    if attempt >= MAX_ATTEMPTS || !error.is_temporary() {
        return None;
    }
    // A second deadline's worth of silence helps nobody: a slow server is reported, not asked again.
    if error.kind == crate::qdrant::error::ApiErrorKind::Timeout {
        return None;
    }
    let backoff = Duration::from_millis(150) * 3_u32.pow(attempt.saturating_sub(1));
    match error.retry_after {
        Some(asked) if asked > MAX_WAIT => None,
        Some(asked) => Some(asked.max(backoff)),
        None => Some(backoff),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qdrant::error::ApiErrorKind;

    fn error(kind: ApiErrorKind) -> ApiError {
        ApiError::new(kind, "x", "http://h", "y")
    }

    #[test]
    fn waits_grow_and_end() {
        let refused = error(ApiErrorKind::Unreachable);
        assert_eq!(next_wait(&refused, 1), Some(Duration::from_millis(150)));
        assert_eq!(next_wait(&refused, 2), Some(Duration::from_millis(450)));
        assert_eq!(next_wait(&refused, 3), None);
    }

    #[test]
    fn refusals_are_final() {
        for kind in [ApiErrorKind::NotFound, ApiErrorKind::Forbidden, ApiErrorKind::Rejected, ApiErrorKind::Unauthorized] {
            assert_eq!(next_wait(&error(kind), 1), None);
        }
    }

    #[test]
    fn a_server_may_ask_for_patience_within_reason() {
        let mut limited = error(ApiErrorKind::RateLimited);
        limited.retry_after = Some(Duration::from_secs(2));
        assert_eq!(next_wait(&limited, 1), Some(Duration::from_secs(2)));
        limited.retry_after = Some(Duration::from_secs(60));
        assert_eq!(next_wait(&limited, 1), None);
    }
}
