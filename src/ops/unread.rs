//! Why a collection, or a part of it, could not be read. A verdict stands on the difference: what a server cannot read of
//! its own data is damage; a refusal, a limit, a time-out or a lost line says nothing of the data.

use crate::domain::problem::Problem;
use crate::qdrant::error::{ApiError, ApiErrorKind};

/// Why.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::ops) enum Unread {
    /// The server answers that it cannot read it, or that it is not there.
    Broken(Problem),
    /// It was not read, and nothing follows from that.
    Unknown(Problem),
}

impl Unread {
    /// Judges a failed call on `address`.
    pub(in crate::ops) fn of(error: ApiError, address: &str) -> Self {
        let broken = is_damage(&error);
        let problem = error.into_problem(address);
        if broken { Self::Broken(problem) } else { Self::Unknown(problem) }
    }

    /// What went wrong.
    pub(in crate::ops) fn problem(self) -> Problem {
        match self {
            Self::Broken(problem) | Self::Unknown(problem) => problem,
        }
    }
}

/// Whether a server says by this error that it cannot read its own data. A 500 of Qdrant itself does (1.16.3: `Service
/// internal error`), and a collection that should be there and is not; 503 and 429 pass, other refusals are about the question,
/// and a proxy that answers 404 or 500 in its own words says nothing of the data.
pub(in crate::ops) fn is_damage(error: &ApiError) -> bool {
    match error.kind {
        ApiErrorKind::Server => error.status == Some(500) && error.by_qdrant,
        ApiErrorKind::NotFound => error.by_qdrant,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_server_says_of_its_own_data_is_damage() {
        let error = |kind, status| {
            let mut error = ApiError::new(kind, "read points", "http://h", "words");
            error.status = status;
            error.by_qdrant = true;
            error
        };
        for (kind, status, damage) in [
            (ApiErrorKind::Server, Some(500), true),
            (ApiErrorKind::NotFound, Some(404), true),
            (ApiErrorKind::Server, Some(503), false),
            (ApiErrorKind::Rejected, Some(400), false),
            (ApiErrorKind::RateLimited, Some(429), false),
            (ApiErrorKind::Forbidden, Some(403), false),
            (ApiErrorKind::Timeout, None, false),
            (ApiErrorKind::Cut, None, false),
            (ApiErrorKind::Unreachable, None, false),
            (ApiErrorKind::Proxy, Some(500), false),
            (ApiErrorKind::TooLarge, None, false),
        ] {
            assert_eq!(is_damage(&error(kind, status)), damage, "{kind:?} {status:?}");
            let elsewhere = ApiError { by_qdrant: false, ..error(kind, status) };
            assert!(!is_damage(&elsewhere), "a proxy said so: {kind:?} {status:?}");
        }
    }
}
