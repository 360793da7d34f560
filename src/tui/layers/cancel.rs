//! The question before a job is canceled: what a cancel does at this moment, in words. It begins with no.

use crate::jobs::row::{JobId, JobRow, JobState};

/// The question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// About which job.
    pub id: JobId,
    /// Whether *cancel* is marked; the other button is *no*.
    pub yes: bool,
}

/// What a cancel does now, in words.
pub fn consequences(row: &JobRow, download: bool) -> Vec<String> {
    let now = &row.on_cancel;
    if row.state == JobState::Canceling {
        let mut lines = vec!["It is canceled already, and cleans up. Without that, what it made may stay behind:".to_owned()];
        lines.extend(now.removes.iter().map(|thing| format!("  {thing}")));
        return lines;
    }
    if now.conducts {
        return vec!["Its parts are canceled, and each removes what it made. What is finished is kept.".to_owned()];
    }
    if now.waits {
        let words = match &now.keeps {
            Some(kept) => format!("The server is at work and cannot be stopped. The job is canceled when it is done: {kept}."),
            None => "The server is at work and cannot be stopped. qsnap waits for the result, which then counts.".to_owned(),
        };
        return vec![words];
    }
    let mut lines = vec!["The work stops now.".to_owned()];
    match download {
        true => lines.push("The server cannot continue a download: what has arrived is lost.".to_owned()),
        false => lines.extend(now.removes.iter().map(|thing| format!("qsnap removes {thing}."))),
    }
    lines.extend(now.keeps.clone());
    lines
}
