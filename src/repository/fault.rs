//! What a store's error means to a user.

use crate::domain::problem::{Problem, ProblemKind};
use object_store::Error;

/// What is said of a store that says nothing.
pub(in crate::repository) const NO_ANSWER: &str = "no answer in time";

/// The innermost cause: the outer ones repeat each other.
fn cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// All of the chain in one text, to look for what a store said.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(" | ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// The error as a problem; `what` failed `on` this repository or key.
pub fn problem(error: &Error, what: &str, on: &str) -> Problem {
    let all = chain(error);
    let says = |words: &[&str]| words.iter().any(|word| all.contains(word));
    let (kind, why, advice) = if says(&["RequestTimeTooSkewed"]) {
        (
            ProblemKind::NotAllowed,
            "the clocks of this machine and of the store differ too much".into(),
            "set this machine's clock",
        )
    } else if says(&["NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist"]) {
        (ProblemKind::NotFound, "there is no such bucket".into(), "check `url`, `region` and `endpoint` in the configuration")
    } else if says(&["InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidAuthenticationInfo", "AuthenticationFailed"]) {
        (ProblemKind::NotAllowed, "the store does not accept these credentials".into(), "check the key and its secret")
    } else if says(&["ExpiredToken", "TokenRefreshRequired"]) {
        (ProblemKind::NotAllowed, "the credentials have expired".into(), "renew them; `credentials-command` does that by itself")
    } else if says(&["PermanentRedirect", "AuthorizationHeaderMalformed"]) {
        (ProblemKind::NotAllowed, "the bucket is in another region".into(), "set `region` in the configuration")
    } else if says(&["No space left", "os error 28", "InsufficientStorage"]) {
        (ProblemKind::Failed, "there is no space left".into(), "free some space, or prune old backups")
    } else if says(&["Read-only file system", "os error 30"]) {
        (ProblemKind::NotAllowed, "it is mounted read-only".into(), "mount it for writing")
    } else if says(&["os error 13"]) {
        (ProblemKind::NotAllowed, "this user has no right to it on the disk".into(), "give the user that runs qsnap the right")
    } else {
        by_kind(error)
    };
    Problem::new(kind, format!("{what}: {why}"), on).advise(advice)
}

fn by_kind(error: &Error) -> (ProblemKind, String, &'static str) {
    match error {
        Error::NotFound { .. } => (ProblemKind::NotFound, "it is not there".into(), "list what there is: `qsnap backups list`"),
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => (
            ProblemKind::NotAllowed,
            "the store does not allow it".into(),
            "check the rights of these credentials: list, get, put, delete",
        ),
        Error::AlreadyExists { .. } | Error::Precondition { .. } => {
            (ProblemKind::Failed, "it exists already".into(), "another process writes there; look who it is")
        }
        other => {
            let why = cause(other);
            let lost = ["error sending request", "connect", "timed out", "dns", "connection", NO_ANSWER];
            let unreachable = lost.iter().any(|word| chain(other).to_ascii_lowercase().contains(word));
            if unreachable {
                (ProblemKind::Unreachable, why, "check `endpoint`, the network and the proxy, then try again")
            } else {
                (ProblemKind::Failed, why, "try again; `qsnap config check` tries each repository")
            }
        }
    }
}
