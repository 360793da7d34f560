//! Whether the target still is as the consent said, asked once more before the last byte of an upload.

use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::progress::Progress;
use crate::ops::recovery::destination::Destination;
use crate::transfer::backoff::Backoff;
use std::time::Duration;

/// Before a server is asked again whether the target is as it was.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// What is meant to be under the target's name when the last byte is handed over: an upload may take hours, in which
/// somebody can make a collection of that name, or write to the one that was prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ops) enum Meant {
    /// Whatever there is; that it is replaced was agreed to.
    Anything,
    /// Nothing.
    Nothing,
    /// A collection without points: the one that was made with its shard keys.
    Empty,
}

/// Refuses what somebody made meanwhile: it is nothing that was agreed to overwrite, and never ours to remove. A server that
/// has just taken many bytes may be slow to answer: it is asked as patiently as a broken source.
pub(in crate::ops) async fn as_meant(destination: &Destination, meant: Meant, progress: &Progress) -> Result<(), Problem> {
    let (node, name, shown) = (destination.node()?, &destination.address.collection, destination.address.to_string());
    let mut backoff = Backoff::new(FIRST_WAIT, 1);
    let there = loop {
        let asked = match meant {
            Meant::Anything => return Ok(()),
            Meant::Nothing => node.exists(name).await.map(|exists| if exists { Meant::Anything } else { Meant::Nothing }),
            Meant::Empty => node.is_empty(name).await.map(|empty| if empty { Meant::Empty } else { Meant::Anything }),
        };
        match asked {
            Ok(there) => break there,
            Err(error) if error.is_absence() => break Meant::Nothing,
            Err(error) => {
                let Some(wait) = backoff.next_wait(&error) else {
                    let problem = error.into_problem(&shown);
                    let advice = format!("the last byte was not handed over, so that nothing was restored; {}", problem.advice);
                    return Err(problem.advise(advice));
                };
                progress.note(&format!("asking whether {shown} is as it was: {}", error.message));
                tokio::time::sleep(wait).await;
            }
        }
    };
    let message = match (meant, there) {
        (meant, there) if meant == there => return Ok(()),
        (Meant::Empty, Meant::Anything) => "somebody wrote to the collection that was prepared",
        (Meant::Empty, _) => "somebody deleted the collection that was prepared",
        _ => "somebody made a collection of this name meanwhile",
    };
    Err(Problem::new(ProblemKind::PlanStale, message, shown).advise("nothing was restored over it; check it, and plan again"))
}
