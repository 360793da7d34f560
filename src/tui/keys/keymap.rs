//! Keys to actions, with the words that footer and help show. One table for all three.

use crate::tui::keys::action::{Action, AppAction, Command, Motion, View};
use crate::tui::keys::binding::{Binding, Context};
use crate::tui::keys::key::Key;
use Key::{Char, Code, Ctrl};
use crossterm::event::KeyCode;

macro_rules! bind {
    ($label:literal, [$($key:expr),*], $action:expr, $short:literal, $long:literal) => {
        Binding { keys: &[$($key),*], label: $label, action: $action, short: $short, long: $long }
    };
}

const UP: Binding = bind!("↑ k", [Code(KeyCode::Up), Char('k')], Action::Move(Motion::Up), "up", "one line up");
const DOWN: Binding = bind!("↓ j", [Code(KeyCode::Down), Char('j')], Action::Move(Motion::Down), "down", "one line down");
const PAGE_UP: Binding =
    bind!("PgUp", [Code(KeyCode::PageUp), Ctrl('b'), Ctrl('u')], Action::Move(Motion::PageUp), "page up", "one page up");
const PAGE_DOWN: Binding =
    bind!("PgDn", [Code(KeyCode::PageDown), Ctrl('f'), Ctrl('d')], Action::Move(Motion::PageDown), "page down", "one page down");
const HOME: Binding = bind!("Home g", [Code(KeyCode::Home), Char('g')], Action::Move(Motion::Home), "first", "to the first line");
const END: Binding = bind!("End G", [Code(KeyCode::End), Char('G')], Action::Move(Motion::End), "last", "to the last line");
const NEXT: Binding = bind!("Tab", [Code(KeyCode::Tab)], Action::View(View::Next), "next pane", "go to the next pane");
const PREVIOUS: Binding =
    bind!("Shift-Tab", [Code(KeyCode::BackTab)], Action::View(View::Previous), "previous", "go to the previous pane");
const PANE_1: Binding = bind!("1", [Char('1')], Action::View(View::Pane(1)), "collections", "go to the collections");
const PANE_2: Binding = bind!("2", [Char('2')], Action::View(View::Pane(2)), "recovery points", "go to the recovery points");
const PANE_3: Binding = bind!("3", [Char('3')], Action::View(View::Pane(3)), "jobs", "go to the jobs");
const LEFT: Binding =
    bind!("← h", [Code(KeyCode::Left), Char('h')], Action::View(View::Left), "instance", "show the instance to the left");
/// Where `h` holds.
const LEFT_ARROW: Binding =
    bind!("←", [Code(KeyCode::Left)], Action::View(View::Left), "instance", "show the instance to the left");
const RIGHT: Binding =
    bind!("→ l", [Code(KeyCode::Right), Char('l')], Action::View(View::Right), "instance", "show the instance to the right");
const OPEN: Binding = bind!("Enter", [Code(KeyCode::Enter)], Action::View(View::Enter), "open", "go into what is selected");
const BACK: Binding = bind!("Esc", [Code(KeyCode::Esc)], Action::View(View::Back), "back", "one step back; clears the filter");
const FILTER: Binding = bind!("/", [Char('/')], Action::View(View::Filter), "filter", "show only what contains a text");
const REFRESH: Binding = bind!("R", [Char('R')], Action::View(View::Refresh), "refresh", "ask all servers again");
const PALETTE: Binding = bind!(
    ": ^P",
    [Char(':'), Ctrl('p')],
    Action::View(View::Palette),
    "find",
    "find a command, an instance, a collection or a recovery point by a few letters"
);
const ORDER: Binding = bind!(
    "S",
    [Char('S')],
    Action::View(View::Order),
    "sort",
    "sort differently: collections by name, age or points, recovery points by age or size"
);
const MARK_RANGE: Binding =
    bind!("M", [Char('M')], Action::Do(Command::MarkRange), "mark range", "mark all from the one that was marked last to here");
const MARK_INVERT: Binding = bind!(
    "*",
    [Char('*')],
    Action::Do(Command::MarkInvert),
    "invert",
    "mark those of the list that are not marked, and unmark the others"
);
const REPAINT: Binding = bind!("Ctrl-L", [Ctrl('l')], Action::View(View::Repaint), "repaint", "redraw the whole screen");
const HELP: Binding = bind!("? F1", [Char('?'), Code(KeyCode::F(1))], Action::View(View::Help), "help", "this help");
/// Where letters are typed.
const HELP_TYPING: Binding = bind!("F1", [Code(KeyCode::F(1))], Action::View(View::Help), "help", "this help");
const COPY: Binding = bind!("y", [Char('y')], Action::View(View::Copy), "copy", "copy to the terminal's clipboard (OSC 52)");
const QUIT: Binding = bind!("q", [Char('q')], Action::App(AppAction::Quit), "quit", "leave; asks when jobs run");
const INTERRUPT: Binding = bind!("Ctrl-C", [Ctrl('c')], Action::App(AppAction::Interrupt), "leave", "close what is open; leave");
const INTERRUPT_LAYER: Binding = bind!("Ctrl-C", [Ctrl('c')], Action::App(AppAction::Interrupt), "close", "close this");
const LINE_UP: Binding = bind!(
    "↑ k",
    [Code(KeyCode::Up), Char('k'), Code(KeyCode::Left), Char('h'), Code(KeyCode::BackTab)],
    Action::View(View::Left),
    "button",
    "the button above"
);
const LINE_DOWN: Binding = bind!(
    "↓ j",
    [Code(KeyCode::Down), Char('j'), Code(KeyCode::Right), Char('l'), Code(KeyCode::Tab)],
    Action::View(View::Right),
    "button",
    "the button below"
);
const SUSPEND: Binding = bind!(
    "Ctrl-Z",
    [Ctrl('z')],
    Action::App(AppAction::Suspend),
    "suspend",
    "suspend the program; `fg` resumes it (jobs stop meanwhile)"
);
const SNAPSHOT: Binding =
    bind!("s", [Char('s')], Action::Do(Command::Snapshot), "snapshot", "take a snapshot of the collection on its node");
const DOWNLOAD: Binding =
    bind!("d", [Char('d')], Action::Do(Command::Download), "download", "download the recovery point to a folder here");
const UPLOAD: Binding = bind!("u", [Char('u')], Action::Do(Command::Upload), "upload", "upload a local file and restore it");
const RESTORE: Binding =
    bind!("r", [Char('r')], Action::Do(Command::Restore), "restore", "restore the recovery point (of a collection: its newest)");
const MIGRATE: Binding =
    bind!("m", [Char('m')], Action::Do(Command::Migrate), "migrate", "copy the collection to another instance or name");
const COMPARE: Binding = bind!(
    "c",
    [Char('c')],
    Action::Do(Command::Compare),
    "compare",
    "compare the collection with another one, here or elsewhere; of two marked ones, those"
);
const DETAILS: Binding = bind!(
    "o",
    [Char('o')],
    Action::Do(Command::Details),
    "details",
    "details: full name, exact time, sha256, vectors, aliases, shards"
);
const OPEN_DETAILS: Binding = bind!(
    "Enter o",
    [Code(KeyCode::Enter), Char('o')],
    Action::Do(Command::Details),
    "details",
    "details: full name, exact time, sha256, size in bytes, node, proof"
);
const DELETE: Binding = bind!(
    "X",
    [Char('X')],
    Action::Do(Command::Delete),
    "delete",
    "delete the recovery point, from its node or repository; of marked ones, those"
);
const CANCEL: Binding = bind!(
    "x",
    [Char('x')],
    Action::Do(Command::Cancel),
    "cancel",
    "cancel the job; asks first where something is lost, saying what a cancel does now"
);
const SLOWER: Binding = bind!(
    "-",
    [Char('-')],
    Action::Do(Command::Slower),
    "slower",
    "lower the rate limit of the instances the job moves bytes of"
);
const FASTER: Binding =
    bind!("+", [Char('+'), Char('=')], Action::Do(Command::Faster), "faster", "raise that limit, up to no limit");
const DISMISS: Binding = bind!(
    "Del",
    [Code(KeyCode::Delete), Code(KeyCode::Backspace)],
    Action::Do(Command::Dismiss),
    "dismiss",
    "take a finished job off the list"
);
const DISMISS_ALL: Binding =
    bind!("z", [Char('z')], Action::Do(Command::DismissAll), "clear", "take all finished jobs off the list");

const INSPECT: Binding = bind!(
    "i",
    [Char('i')],
    Action::Do(Command::Inspect),
    "inspect",
    "look into the recovery point without downloading it; with two marked, compare them"
);
const MARK: Binding = bind!(
    "Space",
    [Char(' ')],
    Action::Do(Command::Mark),
    "mark",
    "mark the recovery point: i compares two, X deletes all that are marked; again: unmark"
);
const TREE: Binding =
    bind!("t", [Char('t')], Action::Do(Command::Tree), "tree and check", "read all headers: the tree, and whether it is whole");
const THROUGH: Binding = bind!(
    "c",
    [Char('c')],
    Action::Do(Command::Through),
    "checksum",
    "read every byte once, save nothing, and compare the sha256 with the listed one"
);
const BACKUP: Binding = bind!(
    "b",
    [Char('b')],
    Action::Do(Command::Backup),
    "backup",
    "back the collection up into the repository, away from the server; of marked ones, all"
);
const VERIFY: Binding = bind!(
    "v",
    [Char('v')],
    Action::Do(Command::Verify),
    "verify",
    "read every byte of the backup, compare, and record what is found"
);
const NOTE: Binding = bind!("n", [Char('n')], Action::Do(Command::Note), "note", "write a note on the backup");
const HOLD: Binding =
    bind!("h", [Char('h')], Action::Do(Command::Hold), "hold", "hold the backup, so that nothing removes it; again: release it");
const PRUNE: Binding = bind!(
    "p",
    [Char('p')],
    Action::Do(Command::Prune),
    "prune",
    "remove the backups of the collection that the rules (`keep`) do not keep; shows them first"
);
const FLEET: Binding = bind!(
    "0",
    [Char('0')],
    Action::Do(Command::Fleet),
    "fleet",
    "the age of the last good backup of every collection, the worst first"
);
const GO: Binding = bind!("Enter", [Code(KeyCode::Enter)], Action::View(View::Enter), "go there", "select it in the panes");
const FLEET_BACKUP: Binding =
    bind!("b", [Char('b')], Action::Do(Command::Backup), "back up", "back the collection up into the repository");
const FLEET_VERIFY: Binding = bind!(
    "v",
    [Char('v')],
    Action::Do(Command::Verify),
    "verify",
    "read every byte of its newest backup, and record what is found"
);
const RUN: Binding = bind!("Enter", [Code(KeyCode::Enter)], Action::View(View::Enter), "go", "do it, or go there");
const DROP_PALETTE: Binding = bind!("Esc", [Code(KeyCode::Esc)], Action::View(View::Back), "close", "close this");
const GUIDE: Binding = bind!(
    "D",
    [Char('D')],
    Action::Do(Command::Guide),
    "guide",
    "the recovery guide: what happened, which moment, where to; nothing is changed before you agree to a plan"
);
const HISTORY: Binding =
    bind!("H", [Char('H')], Action::Do(Command::History), "history", "what was done here, by whom and how it ended");
const CLOSE_HELP: Binding =
    bind!("Esc", [Code(KeyCode::Esc), Code(KeyCode::Enter)], Action::View(View::Back), "close", "close this");
const PLAIN_UP: Binding = bind!("↑", [Code(KeyCode::Up)], Action::Move(Motion::Up), "up", "one line up");
const PLAIN_DOWN: Binding = bind!("↓", [Code(KeyCode::Down)], Action::Move(Motion::Down), "down", "one line down");
const PLAIN_HOME: Binding = bind!("Home", [Code(KeyCode::Home)], Action::Move(Motion::Home), "first", "to the first line");
const PLAIN_END: Binding = bind!("End", [Code(KeyCode::End)], Action::Move(Motion::End), "last", "to the last line");
const REQUESTS: Binding =
    bind!("L", [Char('L')], Action::Do(Command::Requests), "log", "the last requests to servers, with status and time");
const FAILED_ONLY: Binding =
    bind!("f", [Char('f')], Action::View(View::All), "failed only", "only those that were refused or not answered; again: all");
const CLOSE_LOG: Binding =
    bind!("Esc", [Code(KeyCode::Esc), Char('q'), Char('L')], Action::View(View::Back), "close", "close this");
const CHOOSE: Binding = bind!("Enter", [Code(KeyCode::Enter)], Action::View(View::Enter), "choose", "choose the marked one");
const WHAT_NOW: Binding = bind!(
    "Enter",
    [Code(KeyCode::Enter)],
    Action::Do(Command::Next),
    "what now",
    "choose what comes next: switch an alias, delete, …"
);
const WRITE: Binding =
    bind!("w", [Char('w')], Action::Do(Command::Report), "write report", "write the report as Markdown into the current folder");
const MARK_COLLECTION: Binding = bind!(
    "Space",
    [Char(' ')],
    Action::Do(Command::Mark),
    "mark",
    "mark the collection: m migrates, b backs up and p prunes all that are marked, c compares two"
);
const OTHER_HALF: Binding = bind!(
    "Tab",
    [Code(KeyCode::Tab), Code(KeyCode::BackTab)],
    Action::View(View::Next),
    "other half",
    "move between the summary and the tree"
);
const UNFOLD: Binding =
    bind!("→ l", [Code(KeyCode::Right), Char('l')], Action::View(View::Right), "unfold", "show what is in the folder");
const FOLD: Binding =
    bind!("← h", [Code(KeyCode::Left), Char('h')], Action::View(View::Left), "fold", "hide it; or go to the folder above");
const TURN: Binding = bind!("Enter", [Code(KeyCode::Enter)], Action::View(View::Enter), "fold", "fold or unfold the folder");
const LEAVE: Binding =
    bind!("Esc", [Code(KeyCode::Esc), Char('q')], Action::View(View::Back), "close", "close this; what is read is stopped");

const FIELD_NEXT: Binding = bind!("Tab", [Code(KeyCode::Tab)], Action::View(View::Next), "next field", "go to the next field");
const FIELD_DOWN: Binding =
    bind!("↓", [Code(KeyCode::Down)], Action::Move(Motion::Down), "down", "the next field; in a list of names, the next name");
const FIELD_UP: Binding = bind!("↑", [Code(KeyCode::Up)], Action::Move(Motion::Up), "up", "the field or the name above");
const FIELD_PREVIOUS: Binding =
    bind!("Shift-Tab", [Code(KeyCode::BackTab)], Action::View(View::Previous), "previous", "go to the previous field");
const CHOICE_LEFT: Binding = bind!("←", [Code(KeyCode::Left)], Action::View(View::Left), "choice", "the choice before");
const CHOICE_RIGHT: Binding = bind!("→", [Code(KeyCode::Right)], Action::View(View::Right), "choice", "the next choice");
const PLAN: Binding = bind!(
    "Enter",
    [Code(KeyCode::Enter)],
    Action::View(View::Enter),
    "show the plan",
    "compute the plan; nothing is changed yet"
);
const CLOSE: Binding = bind!("Esc", [Code(KeyCode::Esc)], Action::View(View::Back), "back", "one step back");
const BUTTON: Binding = bind!("Enter", [Code(KeyCode::Enter)], Action::View(View::Enter), "press", "press the marked button");
const BUTTON_LEFT: Binding = bind!(
    "← h",
    [Code(KeyCode::Left), Char('h'), Code(KeyCode::BackTab)],
    Action::View(View::Left),
    "button",
    "the button to the left"
);
const BUTTON_RIGHT: Binding = bind!(
    "→ l Tab",
    [Code(KeyCode::Right), Char('l'), Code(KeyCode::Tab)],
    Action::View(View::Right),
    "button",
    "the button to the right"
);
const COPY_COMMAND: Binding =
    bind!("y", [Char('y')], Action::View(View::Copy), "copy command", "copy the same as a command line (OSC 52)");
const ALL_CHECKS: Binding =
    bind!("v", [Char('v')], Action::View(View::All), "all of it", "show every check and each step in full; again: fold them");
const CONFIRM: Binding =
    bind!("Enter", [Code(KeyCode::Enter)], Action::View(View::Enter), "start", "start, when the address is right");
const HIDE: Binding =
    bind!("Esc", [Code(KeyCode::Esc), Char('q')], Action::View(View::Back), "hide", "close this; the job continues");
const CLOSE_TEXT: Binding =
    bind!("Esc", [Code(KeyCode::Esc), Char('q'), Code(KeyCode::Enter)], Action::View(View::Back), "close", "close this");
const CLOSE_TEXT_ONLY: Binding =
    bind!("Esc", [Code(KeyCode::Esc), Char('q'), Char('0')], Action::View(View::Back), "close", "close this");
const KEEP_FILTER: Binding = bind!("Enter", [Code(KeyCode::Enter)], Action::View(View::Enter), "keep", "keep the filter");
const DROP_FILTER: Binding = bind!("Esc", [Code(KeyCode::Esc)], Action::View(View::Back), "clear", "clear the filter");

const MOTIONS: [Binding; 6] = [UP, DOWN, PAGE_UP, PAGE_DOWN, HOME, END];

/// The bindings of a context, the most useful first: the footer shows as many as fit.
pub fn bindings(context: Context) -> Vec<Binding> {
    let base = [
        FILTER, PALETTE, REFRESH, NEXT, RIGHT, COPY, OPEN, BACK, LEFT, PREVIOUS, PANE_1, PANE_2, PANE_3, REPAINT, SUSPEND,
        INTERRUPT,
    ];
    let mut list = own(context);
    match context {
        Context::Collections | Context::Points | Context::Jobs => {
            // What a pane binds itself takes the place of the general meaning.
            let taken = |binding: &Binding| list.iter().any(|other| other.keys.contains(&binding.keys[0]));
            let more = base.into_iter().filter(|binding| !taken(binding));
            list.extend(more.collect::<Vec<_>>());
            list.extend(MOTIONS);
        }
        Context::Review
        | Context::Details
        | Context::Job
        | Context::Inspector
        | Context::Text
        | Context::Report
        | Context::Fleet
        | Context::Requests
        | Context::Choose => list.extend(MOTIONS),
        _ => {}
    }
    match context {
        Context::Collections | Context::Points | Context::Jobs => list.extend([HELP, QUIT]),
        Context::Form | Context::Typing | Context::Filter | Context::Palette => list.push(HELP_TYPING),
        // Letters are for the search there.
        Context::Help => list.extend([PLAIN_UP, PLAIN_DOWN, PAGE_UP, PAGE_DOWN, PLAIN_HOME, PLAIN_END, HELP]),
        _ => list.push(HELP),
    }
    list
}

/// Keys of the recovery points.
const POINTS: [Binding; 23] = [
    OPEN_DETAILS,
    RESTORE,
    DOWNLOAD,
    VERIFY,
    INSPECT,
    DELETE,
    HOLD,
    NOTE,
    FLEET,
    REFRESH,
    GUIDE,
    BACKUP,
    PRUNE,
    SNAPSHOT,
    MIGRATE,
    UPLOAD,
    MARK,
    MARK_RANGE,
    MARK_INVERT,
    ORDER,
    HISTORY,
    REQUESTS,
    LEFT_ARROW,
];

/// What a context binds itself.
fn own(context: Context) -> Vec<Binding> {
    match context {
        Context::Collections => {
            vec![
                BACKUP,
                RESTORE,
                MIGRATE,
                SNAPSHOT,
                FLEET,
                GUIDE,
                INSPECT,
                REFRESH,
                UPLOAD,
                DOWNLOAD,
                MARK_COLLECTION,
                MARK_RANGE,
                MARK_INVERT,
                ORDER,
                COMPARE,
                DETAILS,
                PRUNE,
                HISTORY,
                REQUESTS,
            ]
        }
        Context::Points => POINTS.to_vec(),
        Context::Jobs => vec![OPEN, CANCEL, SLOWER, FASTER, DISMISS, DISMISS_ALL, FLEET, GUIDE, HISTORY, REQUESTS],
        Context::Palette => vec![RUN, DROP_PALETTE, FIELD_DOWN, FIELD_UP, PAGE_UP, PAGE_DOWN, INTERRUPT_LAYER],
        Context::Requests => vec![CLOSE_LOG, FAILED_ONLY, INTERRUPT_LAYER],
        Context::Fleet => vec![GO, FLEET_BACKUP, FLEET_VERIFY, REFRESH, CLOSE_TEXT_ONLY, INTERRUPT_LAYER],
        Context::Form => {
            vec![PLAN, CLOSE, FIELD_NEXT, CHOICE_RIGHT, FIELD_PREVIOUS, CHOICE_LEFT, FIELD_DOWN, FIELD_UP, INTERRUPT_LAYER]
        }
        Context::Review => vec![BUTTON, BUTTON_RIGHT, COPY_COMMAND, ALL_CHECKS, CLOSE, BUTTON_LEFT, INTERRUPT_LAYER],
        Context::Typing => vec![CONFIRM, CLOSE, INTERRUPT_LAYER],
        Context::Waiting => vec![CLOSE, INTERRUPT_LAYER],
        Context::Inspector => {
            vec![LEAVE, TREE, THROUGH, OTHER_HALF, UNFOLD, FOLD, TURN, COPY_COMMAND, INTERRUPT_LAYER]
        }
        Context::Choose => vec![CHOOSE, CLOSE, INTERRUPT_LAYER],
        Context::Job => vec![HIDE, WHAT_NOW, WRITE, CANCEL, SLOWER, FASTER, COPY, INTERRUPT_LAYER],
        Context::Help => vec![CLOSE_HELP, INTERRUPT_LAYER],
        Context::Text => vec![CLOSE_TEXT, COPY, INTERRUPT_LAYER],
        Context::Report => vec![CLOSE_TEXT, WRITE, COPY, INTERRUPT_LAYER],
        Context::Quit => vec![BUTTON, LINE_DOWN, LINE_UP, CLOSE, INTERRUPT_LAYER],
        Context::Details => vec![CLOSE_TEXT, RESTORE, DOWNLOAD, INSPECT, COPY, INTERRUPT_LAYER],
        Context::Ask => vec![BUTTON, BUTTON_RIGHT, BUTTON_LEFT, CLOSE, INTERRUPT_LAYER],
        Context::Filter => vec![KEEP_FILTER, DROP_FILTER],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keys::binding::ALL;
    use crossterm::event::{KeyEvent, KeyModifiers};

    fn action(context: Context, event: &KeyEvent) -> Option<Action> {
        bindings(context).iter().find(|binding| binding.keys.iter().any(|key| key.is(event))).map(|binding| binding.action)
    }

    #[test]
    fn no_key_has_two_meanings_in_one_context() {
        for context in ALL {
            let mut seen: Vec<(Key, Action)> = Vec::new();
            for binding in bindings(context) {
                for key in binding.keys {
                    let clash = seen.iter().find(|(other, action)| other == key && *action != binding.action);
                    assert!(clash.is_none(), "{context:?}: {key:?} is {:?} and {clash:?}", binding.action);
                    seen.push((*key, binding.action));
                }
            }
        }
    }

    #[test]
    fn the_pieces_of_a_split_arrow_key_do_nothing() {
        for context in ALL {
            for c in ['[', 'A', 'B', 'C', 'D', 'O'] {
                let event = KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE);
                // The guide has the letter D: a page that changes nothing, and that the next Esc closes.
                let harmless = [None, Some(Action::Do(Command::Guide)).filter(|_| c == 'D')];
                assert!(harmless.contains(&action(context, &event)), "{context:?} {c}");
            }
        }
    }

    #[test]
    fn help_is_one_key_away_everywhere() {
        for context in ALL {
            let help = |code| action(context, &KeyEvent::new(code, KeyModifiers::NONE)) == Some(Action::View(View::Help));
            assert!(help(KeyCode::F(1)), "{context:?}");
            let typing = matches!(context, Context::Form | Context::Typing | Context::Filter | Context::Palette);
            assert_eq!(help(KeyCode::Char('?')), !typing, "{context:?}");
        }
    }

    #[test]
    fn escape_never_does_anything_but_go_back() {
        for context in ALL {
            let event = KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE);
            assert_eq!(action(context, &event), Some(Action::View(View::Back)), "{context:?}");
        }
    }
}
