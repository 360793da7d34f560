//! What the command palette offers: commands of all panes with their keys, or why not now; instances, collections, and the recovery
//! points that are shown.

use crate::tui::app::state::App;
use crate::tui::keys::action::{Action, AppAction, View};
use crate::tui::keys::binding::{Binding, Context};
use crate::tui::layers::layer::Layer;
use crate::tui::layers::palette::{Entry, Goal, Palette};
use crate::tui::panes::keys::point_keys;
use crate::tui::panes::list::Pane;

/// The panes with their keys.
const PANES: [(Pane, Context); 3] =
    [(Pane::Collections, Context::Collections), (Pane::Points, Context::Points), (Pane::Jobs, Context::Jobs)];

impl App {
    pub(super) fn open_palette(&mut self) {
        let mut entries = self.commands();
        entries.extend(self.places());
        self.layers.push(Layer::Palette(Box::new(Palette::new(entries))));
    }

    /// Those of the focused pane first; what several panes have comes once.
    fn commands(&mut self) -> Vec<Entry> {
        let focus = self.focus;
        let mut panes = PANES;
        panes.sort_by_key(|(pane, _)| *pane != focus);
        let mut entries: Vec<Entry> = Vec::new();
        for (pane, context) in panes {
            self.focus = pane;
            for binding in self.keys.bindings(context).iter().filter(|binding| is_command(binding)) {
                let known = |entry: &&Entry| matches!(&entry.goal, Goal::Act(_, action) if *action == binding.action);
                let why_not = match binding.action {
                    Action::Do(verb) => self.disabled(verb),
                    _ => None,
                };
                let entry = Entry {
                    name: binding.short.to_owned(),
                    about: binding
                        .long
                        .strip_prefix(binding.short)
                        .unwrap_or(binding.long)
                        .trim_start_matches([':', ' '])
                        .to_owned(),
                    key: binding.label.to_owned(),
                    why_not,
                    goal: Goal::Act(pane, binding.action),
                };
                match entries.iter().position(|other| known(&other)) {
                    // Where another pane has something selected it can be done there.
                    Some(at) if entries[at].why_not.is_some() && entry.why_not.is_none() => entries[at] = entry,
                    Some(_) => {}
                    None => entries.push(entry),
                }
            }
        }
        self.focus = focus;
        entries
    }

    fn places(&self) -> Vec<Entry> {
        let place =
            |name: String, key: &str, goal| Entry { name, about: String::new(), key: key.to_owned(), why_not: None, goal };
        let mut entries = Vec::new();
        for (at, state) in self.model.instances.iter().enumerate() {
            entries.push(place(state.name.to_string(), "instance", Goal::Instance(at)));
            for view in state.collections.value().into_iter().flat_map(|listing| &listing.items) {
                entries.push(place(view.address.to_string(), "collection", Goal::Collection(view.address.clone())));
            }
        }
        let points = self.visible_points();
        for (key, point) in point_keys(&points).into_iter().zip(&points) {
            entries.push(place(point.point().to_string(), "point", Goal::Point(key)));
        }
        entries
    }

    pub(super) fn act_on_palette(&mut self, action: Action) {
        let Some(Layer::Palette(palette)) = self.layers.last_mut() else { return };
        match action {
            Action::Move(motion) => palette.go(motion),
            Action::View(View::Enter) => {
                let Some(entry) = palette.chosen().cloned() else { return };
                if let Some(why) = entry.why_not {
                    return self.say(&why, true);
                }
                self.layers.pop();
                self.reach(entry.goal);
            }
            _ => {}
        }
    }

    fn reach(&mut self, goal: Goal) {
        match goal {
            Goal::Act(pane, action) => {
                // What concerns the program as a whole leaves the focus where it is.
                if matches!(action, Action::Do(_)) {
                    self.focus = pane;
                }
                self.act(action);
            }
            Goal::Instance(at) => {
                self.show_instance(at);
                self.focus = Pane::Collections;
            }
            Goal::Collection(address) => self.go_to(&address),
            Goal::Point(wanted) => {
                self.focus = Pane::Points;
                let keys = point_keys(&self.visible_points());
                let height = self.pane_height(Pane::Points);
                match keys.iter().position(|key| *key == wanted) {
                    Some(row) => self.points.select(&keys, row, height),
                    None => self.say("it is not in the list any more", true),
                }
            }
        }
    }
}

/// Whether it does something by itself: moving about is for the keys.
fn is_command(binding: &Binding) -> bool {
    match binding.action {
        Action::Do(_) => true,
        Action::View(view) => matches!(view, View::Filter | View::Refresh | View::Repaint | View::Help | View::Copy),
        Action::App(app) => app != AppAction::Interrupt,
        Action::Move(_) => false,
    }
}
