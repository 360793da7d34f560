//! What an intention does to the top layer.

use crate::domain::address::{BackupAddress, CollectionAddress};
use crate::tui::app::state::App;
use crate::tui::keys::action::{Action, Command, View};
use crate::tui::keys::motion;
use crate::tui::layers::layer::{Layer, QUIT_CHOICES};
use crate::tui::messages::effect::Effect;
use crate::tui::panes::details_view;
use crate::tui::panes::jobs::Started;
use crate::tui::panes::list::{CollectionKey, Pane};
use crate::tui::wizards::kind::Kind;
use crate::tui::wizards::wizard::Step;

impl App {
    pub(super) fn act_on_layer(&mut self, action: Action) {
        let ticket = self.model.ticket();
        match (action, self.layers.last()) {
            (Action::Do(verb), Some(Layer::Fleet(_))) => {
                match self.cure(verb) {
                    Ok(kind) => self.open_wizard(kind),
                    Err(why) => self.say(&why, true),
                }
                return;
            }
            (Action::Do(verb), _) => return self.operate(verb),
            _ => {}
        }
        let copy = (action == Action::View(View::Copy)).then(|| self.layer_text()).flatten();
        // A box has a frame, what lies behind it, a line that tells where one is, and the footer.
        let page = usize::from(self.size.1).saturating_sub(6).max(1);
        let Some(layer) = self.layers.last_mut() else { return };
        match (layer, action) {
            (Layer::Wizard(wizard), action) => {
                let step = wizard.act(action, ticket, &self.model);
                self.follow(step);
            }
            (Layer::Choose(chooser), action) if !matches!(action, Action::View(View::Back | View::Copy)) => {
                if let Some(then) = chooser.act(action) {
                    self.chosen(then);
                }
            }
            (Layer::Fleet(_), action) if !matches!(action, Action::View(View::Back | View::Copy)) => self.act_on_fleet(action),
            (Layer::Palette(_), action) if action != Action::View(View::Back) => self.act_on_palette(action),
            (Layer::Guide(guide), action) => {
                let turn = guide.act(action, &self.model);
                self.turn(turn);
            }
            (Layer::Inspector(inspector), action) if !matches!(action, Action::View(View::Back | View::Copy)) => {
                inspector.act(action)
            }
            (Layer::Quit { choice }, Action::View(View::Left)) => *choice = choice.saturating_sub(1),
            (Layer::Quit { choice }, Action::View(View::Right)) => *choice = (*choice + 1).min(QUIT_CHOICES.len() - 1),
            (Layer::Quit { choice }, Action::View(View::Enter)) => {
                let choice = *choice;
                self.leave_by(choice);
            }
            (Layer::Requests(list), Action::Move(motion)) => list.go(motion, page),
            (Layer::Requests(list), Action::View(View::All)) => {
                list.failed_only = !list.failed_only;
                list.scroll = 0;
            }
            (Layer::Cancel(_), action) => self.answer_cancel(action),
            (
                Layer::Details { scroll, .. }
                | Layer::Help { scroll, .. }
                | Layer::Text { scroll, .. }
                | Layer::Job { scroll, .. },
                Action::Move(motion),
            ) => {
                *scroll = motion::scrolled_by(*scroll, motion, page);
            }
            (_, Action::View(View::Back)) => drop(self.layers.pop()),
            _ => self.effects.extend(copy.map(Effect::Copy)),
        }
    }

    fn leave_by(&mut self, choice: usize) {
        self.layers.pop();
        match choice {
            1 => self.effects.push(Effect::Quit),
            2 => {
                self.quit_when_idle = true;
                self.say("leaving when the last job is over; any key stays", false);
            }
            _ => {}
        }
    }

    fn act_on_fleet(&mut self, action: Action) {
        let (Some(Layer::Fleet(fleet)), Some(watch)) = (self.layers.last_mut(), self.model.watch.value()) else { return };
        match action {
            Action::Move(motion) => fleet.go(motion, watch),
            Action::View(View::Enter) => {
                if let Some(address) = fleet.collection(watch) {
                    self.layers.pop();
                    self.go_to(&address);
                }
            }
            Action::View(View::Refresh) => self.refresh(),
            _ => {}
        }
    }

    /// What cures a collection of the fleet, without leaving it; or why not.
    ///
    /// # Errors
    /// In words.
    pub(super) fn cure(&self, verb: Command) -> Result<Kind, String> {
        let marked = match (self.layers.last(), self.model.watch.value()) {
            (Some(Layer::Fleet(fleet)), Some(watch)) => watch.items.get(fleet.selected(watch)),
            _ => None,
        };
        let watched = marked.ok_or("no collection is marked")?;
        match verb {
            Command::Backup if watched.exists == Some(false) => Err("it does not exist any more".into()),
            Command::Backup => Ok(Kind::Backup(vec![watched.address.clone()])),
            Command::Verify => {
                let newest = watched.newest.as_ref();
                let stored = newest.and_then(|newest| Some((newest.repository.as_ref()?, newest.id.as_ref()?)));
                let (repository, id) = stored.ok_or("it has no backup in a repository: b makes one")?;
                Ok(Kind::verify(BackupAddress::id(repository, &watched.address, id)))
            }
            _ => Err("that is not for the fleet".into()),
        }
    }

    /// Selects a collection in the panes.
    pub(super) fn go_to(&mut self, address: &CollectionAddress) {
        let Some(at) = self.model.instances.iter().position(|state| state.name == address.instance) else { return };
        self.show_instance(at);
        self.focus = Pane::Collections;
        let rows = self.collection_rows();
        let height = self.pane_height(Pane::Collections);
        let wanted = CollectionKey::Named(address.collection.clone());
        match (rows.keys.iter().position(|key| *key == wanted), self.collections.get_mut(at)) {
            (Some(row), Some(list)) => list.select(&rows.keys, row, height),
            _ => self.say(&format!("{address} is not in the list: it does not exist, or the filter hides it"), true),
        }
    }

    /// The text of the top layer, for the clipboard.
    fn layer_text(&self) -> Option<String> {
        match self.layers.last()? {
            Layer::Text { lines, .. } => Some(lines.join("\n")),
            Layer::Details { of, .. } => {
                let rows = details_view::rows(self, of);
                Some(rows.into_iter().map(|row| row.text).collect::<Vec<_>>().join("\n"))
            }
            Layer::Job { id, .. } => match self.model.jobs.results.get(id)? {
                Ok(report) => Some(report.lines().join("\n")),
                Err(problem) => Some(format!("{problem}\n{}", problem.advice)),
            },
            Layer::Inspector(inspector) => Some(inspector.command()),
            _ => None,
        }
    }

    pub(super) fn follow(&mut self, step: Step) {
        match step {
            Step::Stay => {}
            Step::Effect(effect) => self.effects.push(effect),
            Step::Close => drop(self.layers.pop()),
            Step::Say(words) => self.say(words, false),
            Step::Job(id) => {
                // Of the jobs only the newest is shown: results of earlier ones do not wait below it.
                self.layers.retain(|layer| !matches!(layer, Layer::Job { .. }));
                // An error of another job may lie over the wizard by now: it stays.
                let at = self.layers.iter().rposition(|layer| matches!(layer, Layer::Wizard(_)));
                if let Some(Layer::Wizard(wizard)) = at.map(|at| self.layers.remove(at))
                    && let Some(request) = wizard.request()
                {
                    let started = Started { request: request.clone(), touches: request.touches(), steps: wizard.steps.clone() };
                    self.model.jobs.started.insert(id, started);
                }
                let at = at.unwrap_or(self.layers.len()).min(self.layers.len());
                self.layers.insert(at, Layer::Job { id, scroll: 0 });
                // What led here is decided; behind the job lies the base screen.
                self.layers.retain(|layer| !matches!(layer, Layer::Choose(_) | Layer::Guide(_)));
            }
        }
    }
}
