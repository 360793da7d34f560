//! Everything the user may intend.

/// An intention, whatever key it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Move in a list.
    Move(Motion),
    /// Act on a pane or layer.
    View(View),
    /// Do something with what is selected.
    Do(Command),
    /// Concerning the whole program.
    App(AppAction),
}

/// Moving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Motion {
    /// One up.
    Up,
    /// One down.
    Down,
    /// One page up.
    PageUp,
    /// One page down.
    PageDown,
    /// To the first.
    Home,
    /// To the last.
    End,
}

/// Looking elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// Next pane, field or button.
    Next,
    /// The one before.
    Previous,
    /// Pane by number.
    Pane(u8),
    /// Instance, choice or button to the left.
    Left,
    /// The one to the right.
    Right,
    /// Open, or the default button.
    Enter,
    /// One step back.
    Back,
    /// Filter the list.
    Filter,
    /// Read everything anew.
    Refresh,
    /// Paint everything anew.
    Repaint,
    /// Keys and what they do.
    Help,
    /// Copy what is shown to the clipboard.
    Copy,
    /// Show or fold what is folded.
    All,
    /// Find a command or a place by name.
    Palette,
    /// Show the list in another order.
    Order,
}

/// Operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Command {
    /// Take a snapshot.
    Snapshot,
    /// Download a recovery point.
    Download,
    /// Upload a file and restore it.
    Upload,
    /// Restore a recovery point.
    Restore,
    /// Copy a collection elsewhere.
    Migrate,
    /// Compare two collections.
    Compare,
    /// Delete a recovery point.
    Delete,
    /// Show all that is known of what is selected.
    Details,
    /// Look into a recovery point.
    Inspect,
    /// Mark what is selected.
    Mark,
    /// Mark all from the one that was marked last.
    MarkRange,
    /// Mark those that are not marked, and unmark the others.
    MarkInvert,
    /// Back a collection up into the repository.
    Backup,
    /// Read every byte of a backup, and compare.
    Verify,
    /// Say something of a backup.
    Note,
    /// Hold a backup, or release it.
    Hold,
    /// Remove the backups of a collection that the rules do not keep.
    Prune,
    /// Show the age of the last good backup of everything.
    Fleet,
    /// Open the recovery guide.
    Guide,
    /// Show what was done here.
    History,
    /// Show the last requests to servers.
    Requests,
    /// Choose what comes after a job.
    Next,
    /// Write a job's report to a file.
    Report,
    /// In the inspector: read all headers.
    Tree,
    /// In the inspector: read every byte.
    Through,
    /// Cancel a job.
    Cancel,
    /// Forget a finished job, or discard an interrupted download.
    Dismiss,
    /// Forget all finished jobs.
    DismissAll,
    /// Lower the rate limit of the job's instances.
    Slower,
    /// Raise it.
    Faster,
}

/// The program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AppAction {
    /// Leave.
    Quit,
    /// Ctrl-C: close what is open, else leave.
    Interrupt,
    /// Ctrl-Z.
    Suspend,
}
