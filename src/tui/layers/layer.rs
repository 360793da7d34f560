//! What lies over the base screen. The top layer gets the input; everything below is still drawn and updated.

use crate::domain::address::{CollectionAddress, SnapshotsOf};
use crate::jobs::row::JobId;
use crate::tui::keys::binding::Context;
use crate::tui::layers::cancel::Question;
use crate::tui::layers::choice::Chooser;
use crate::tui::layers::fleet::Fleet;
use crate::tui::layers::guide::Guide;
use crate::tui::layers::inspector::Inspector;
use crate::tui::layers::palette::Palette;
use crate::tui::layers::requests::RequestList;
use crate::tui::panes::list::PointKey;
use crate::tui::wizards::wizard::Wizard;

/// What a page of details is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A collection.
    Collection(CollectionAddress),
    /// A recovery point of a collection, or of the full storage.
    Point(SnapshotsOf, PointKey),
}

/// One layer.
#[derive(Debug)]
pub enum Layer {
    /// Keys and what they do, of the context below.
    Help {
        /// Whose keys.
        of: Context,
        /// First line shown.
        scroll: usize,
        /// What is looked for, in all of help.
        search: String,
    },
    /// A text that must be read: an error, or a report.
    Text {
        /// Its title.
        title: String,
        /// Its lines.
        lines: Vec<String>,
        /// First line shown.
        scroll: usize,
        /// The operation whose report it is, by its id.
        of: Option<String>,
    },
    /// The question before leaving while jobs run.
    Quit {
        /// 0 stay, 1 cancel and quit, 2 finish, then quit.
        choice: usize,
    },
    /// All that is known of a collection or a recovery point.
    Details {
        /// Which.
        of: Subject,
        /// First line shown.
        scroll: usize,
    },
    /// The question before a job is canceled.
    Cancel(Question),
    /// A wizard.
    Wizard(Box<Wizard>),
    /// What is in a recovery point.
    Inspector(Box<Inspector>),
    /// A list to choose from.
    Choose(Box<Chooser>),
    /// The age of the last good backup of everything.
    Fleet(Fleet),
    /// The last requests to servers.
    Requests(RequestList),
    /// The command palette.
    Palette(Box<Palette>),
    /// The recovery guide.
    Guide(Box<Guide>),
    /// One job.
    Job {
        /// Which.
        id: JobId,
        /// First line shown.
        scroll: usize,
    },
}

/// The answers of the quit dialog.
pub const QUIT_CHOICES: [&str; 3] = ["Stay", "Cancel and clean up, then quit", "Finish, then quit"];

impl Layer {
    /// Which keys mean what.
    pub fn context(&self) -> Context {
        match self {
            Self::Text { of: Some(_), .. } => Context::Report,
            Self::Help { .. } => Context::Help,
            Self::Text { .. } => Context::Text,
            Self::Quit { .. } => Context::Quit,
            Self::Details { .. } => Context::Details,
            Self::Cancel(_) => Context::Ask,
            Self::Wizard(wizard) => wizard.context(),
            Self::Inspector(_) => Context::Inspector,
            Self::Fleet(_) => Context::Fleet,
            Self::Choose(_) | Self::Guide(_) => Context::Choose,
            Self::Requests(_) => Context::Requests,
            Self::Palette(_) => Context::Palette,
            Self::Job { .. } => Context::Job,
        }
    }
}
