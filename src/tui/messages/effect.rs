//! Everything the app may ask of the world.

use crate::domain::address::{CollectionAddress, SnapshotsOf};
use crate::domain::ids::InstanceName;
use crate::jobs::progress::Progress;
use crate::jobs::row::JobId;
use crate::ops::plan::Plan;
use crate::ops::plan::consent::Consent;
use crate::ops::request::Request;
use crate::ops::request::inspect::InspectRequest;
use crate::ops::survey::listing::CollectionView;
use crate::tui::messages::event::Ticket;
use tokio_util::sync::CancellationToken;

/// A wish; the driver carries it out and answers with an event.
#[derive(Debug)]
pub enum Effect {
    /// Ask an instance whether it answers.
    Instance(Ticket, InstanceName),
    /// List its collections; each is read while there are at most so many.
    Collections(Ticket, InstanceName, usize),
    /// Read some of its collections.
    Views(InstanceName, Vec<CollectionView>),
    /// List the recovery points of a collection, or of the full storage.
    Points(Ticket, SnapshotsOf),
    /// Look where the shards of a collection are.
    Shards(Ticket, CollectionAddress),
    /// Look how old the last good backup of each collection is.
    Watch(Ticket),
    /// Compute a plan.
    Plan(Ticket, Box<Request>),
    /// Look into a recovery point, counting progress, until it is stopped.
    Inspect(Ticket, Box<InspectRequest>, Progress, CancellationToken),
    /// Approve and start a plan. A refusal comes back as data.
    Start(Ticket, Box<Plan>, Consent),
    /// Cancel a job.
    Cancel(JobId),
    /// Forget a finished job.
    Dismiss(JobId),
    /// Look for interrupted downloads, and for operations that somebody has to decide about.
    Interrupted(Ticket),
    /// Read which collections history and proofs name.
    Remembered(Ticket),
    /// Try whether the state folder can be written.
    CheckState(Ticket),
    /// Read what was done here.
    History(Ticket),
    /// Read the last requests to servers.
    Requests(Ticket),
    /// Write the report of an operation, by its id, as Markdown into the current folder.
    WriteReport(Ticket, String),
    /// Limit the transfers of an instance, in bytes per second; `None` for no limit.
    LimitRate(InstanceName, Option<u64>),
    /// Put text on the terminal's clipboard.
    Copy(String),
    /// Tell somebody who looks elsewhere.
    Notify(String),
    /// Stop the process as Ctrl-Z does.
    Suspend,
    /// Paint everything anew.
    Repaint,
    /// Leave, after canceling what runs.
    Quit,
}
