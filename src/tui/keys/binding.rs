//! One binding of keys to an action, and where it holds.

use crate::tui::keys::action::Action;
use crate::tui::keys::key::Key;

/// Where a key has its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// Pane 1.
    Collections,
    /// Pane 2.
    Points,
    /// Pane 3.
    Jobs,
    /// A wizard's form.
    Form,
    /// A plan.
    Review,
    /// The typed address.
    Typing,
    /// Waiting for the server.
    Waiting,
    /// What is in a recovery point.
    Inspector,
    /// A list to choose from, or a page of the guide.
    Choose,
    /// One job.
    Job,
    /// Errors and other texts.
    Text,
    /// The help.
    Help,
    /// The report of an operation.
    Report,
    /// The question before leaving.
    Quit,
    /// All that is known of a collection or a recovery point.
    Details,
    /// A question with two buttons.
    Ask,
    /// The filter of a list.
    Filter,
    /// The fleet.
    Fleet,
    /// The command palette.
    Palette,
    /// The last requests to servers.
    Requests,
}

/// All of them.
pub const ALL: [Context; 20] = [
    Context::Help,
    Context::Requests,
    Context::Palette,
    Context::Fleet,
    Context::Details,
    Context::Ask,
    Context::Choose,
    Context::Collections,
    Context::Points,
    Context::Jobs,
    Context::Form,
    Context::Review,
    Context::Typing,
    Context::Waiting,
    Context::Job,
    Context::Inspector,
    Context::Text,
    Context::Report,
    Context::Quit,
    Context::Filter,
];

/// One binding.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// Keys.
    pub keys: &'static [Key],
    /// How the keys are written.
    pub label: &'static str,
    /// What it means.
    pub action: Action,
    /// Two words for the footer.
    pub short: &'static str,
    /// A sentence for the help.
    pub long: &'static str,
}
