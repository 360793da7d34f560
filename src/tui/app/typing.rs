//! Keys and pasted text: first for what is typed into, else what they are bound to.

use crate::tui::app::state::App;
use crate::tui::keys::binding::Context;
use crate::tui::layers::layer::Layer;
use crate::tui::panes::list::Pane;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

impl App {
    pub(super) fn key(&mut self, key: &KeyEvent) {
        let context = self.context();
        let typed = match self.layers.last_mut() {
            Some(Layer::Wizard(wizard)) => wizard.type_key(key),
            Some(Layer::Palette(palette)) => palette.type_key(key),
            Some(Layer::Help { search, scroll, .. }) => {
                let typed = type_search(search, key);
                *scroll = if typed { 0 } else { *scroll };
                typed
            }
            Some(_) => false,
            None if context == Context::Filter => self.type_filter(key),
            None => false,
        };
        if typed {
            return;
        }
        if let Some(action) = self.keys.action(context, key) {
            self.act(action);
        }
    }

    fn type_filter(&mut self, key: &KeyEvent) -> bool {
        self.filter_mut().is_some_and(|filter| type_into(filter, key))
    }

    pub(super) fn filter_mut(&mut self) -> Option<&mut String> {
        match self.focus {
            Pane::Collections => self.collections.get_mut(self.model.current).map(|list| &mut list.filter),
            Pane::Points => Some(&mut self.points.filter),
            Pane::Jobs => None,
        }
    }

    pub(super) fn set_typing(&mut self, typing: bool) {
        match self.focus {
            Pane::Collections => {
                if let Some(list) = self.collections.get_mut(self.model.current) {
                    list.typing = typing;
                }
            }
            Pane::Points => self.points.typing = typing,
            Pane::Jobs => {}
        }
    }

    pub(super) fn paste(&mut self, text: &str) {
        let clean: String = crate::domain::text::one_line(text, 200);
        let filtering = self.context() == Context::Filter;
        let taken = match self.layers.last_mut() {
            Some(Layer::Wizard(wizard)) => wizard.paste(text),
            Some(Layer::Palette(palette)) => {
                palette.paste(text);
                true
            }
            Some(_) => false,
            None if filtering => self.filter_mut().map(|filter| filter.push_str(&clean)).is_some(),
            None => false,
        };
        if !taken {
            self.say("pasted text goes into a text field; there is none here", false);
        }
    }
}

/// Types into a filter; says whether the key was for it.
fn type_into(filter: &mut String, key: &KeyEvent) -> bool {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('u') if ctrl => filter.clear(),
        KeyCode::Char(c) if !ctrl => filter.push(c),
        KeyCode::Backspace => drop(filter.pop()),
        _ => return false,
    }
    true
}

/// The same in the help, where `?` closes it.
fn type_search(search: &mut String, key: &KeyEvent) -> bool {
    key.code != KeyCode::Char('?') && type_into(search, key)
}
