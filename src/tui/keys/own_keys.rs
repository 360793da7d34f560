//! The keys that hold: those of the table, and over them those of the user's `keys.toml`. What a file names stands in
//! `assets/keys.toml`, which lists every context and action with its usual keys.

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::text::one_line;
use crate::tui::keys::action::Action;
use crate::tui::keys::binding::{ALL, Binding, Context};
use crate::tui::keys::key::Key;
use crate::tui::keys::keymap;
use crossterm::event::KeyEvent;
use std::path::Path;

/// All bindings of all contexts.
#[derive(Debug, Clone)]
pub struct Keys(Vec<(Context, Vec<Binding>)>);

impl Default for Keys {
    fn default() -> Self {
        Self(ALL.iter().map(|context| (*context, keymap::bindings(*context))).collect())
    }
}

impl Keys {
    /// With those of `keys.toml` in this folder, if there is one.
    ///
    /// # Errors
    /// When the file cannot be read or understood, or gives one key two meanings.
    pub fn load(folder: &Path) -> Result<Self, Problem> {
        let path = folder.join("keys.toml");
        let problem = |why: String| {
            let advice = "correct the file; assets/keys.toml of qsnap lists every context and action";
            Problem::new(ProblemKind::Usage, format!("the keys cannot be used: {why}"), path.display().to_string()).advise(advice)
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).map_err(problem),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(problem(error.to_string())),
        }
    }

    /// The bindings of a context, the most useful first.
    pub fn bindings(&self, context: Context) -> &[Binding] {
        self.0.iter().find(|(known, _)| *known == context).map_or(&[], |(_, bindings)| bindings)
    }

    /// The action of a key press.
    pub fn action(&self, context: Context, event: &KeyEvent) -> Option<Action> {
        let bindings = self.bindings(context);
        bindings.iter().find(|binding| binding.keys.iter().any(|key| key.is(event))).map(|binding| binding.action)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| one_line(error.message(), 200))?;
        let mut keys = Self::default();
        for (place, actions) in &table {
            let shown = one_line(place, 40);
            let known = place == EVERYWHERE || ALL.iter().any(|context| context_name(*context) == *place);
            if !known {
                let all: Vec<String> = ALL.iter().map(|context| context_name(*context)).collect();
                return Err(format!("[{shown}] is no context; there are {EVERYWHERE}, {}", all.join(", ")));
            }
            let toml::Value::Table(actions) = actions else { return Err(format!("`{shown}` is no table")) };
            for (name, value) in actions {
                keys.set(place, name, &keys_of(value).map_err(|why| format!("[{shown}] {}: {why}", one_line(name, 40)))?)?;
            }
        }
        keys.no_clash()?;
        Ok(keys)
    }

    fn set(&mut self, place: &str, name: &str, wanted: &[Key]) -> Result<(), String> {
        let mut found = false;
        for (context, bindings) in &mut self.0 {
            if place != EVERYWHERE && context_name(*context) != place {
                continue;
            }
            let mut given = false;
            for binding in bindings.iter_mut().filter(|binding| action_name(binding.action) == name) {
                found = true;
                // The table's own bindings live as long as the program, and so do these: they are read once.
                let own = if given { &[][..] } else { wanted };
                binding.keys = Vec::leak(own.to_vec());
                let labels: Vec<String> = own.iter().map(|key| key.label()).collect();
                binding.label = String::leak(labels.join(" "));
                given = true;
            }
            bindings.retain(|binding| !binding.keys.is_empty());
        }
        match found {
            true => Ok(()),
            false => Err(format!("[{}] has no action `{}`", one_line(place, 40), one_line(name, 40))),
        }
    }

    /// Names a key that would mean two things in one place.
    fn no_clash(&self) -> Result<(), String> {
        for (context, bindings) in &self.0 {
            let each = || bindings.iter().flat_map(|binding| binding.keys.iter().map(move |key| (*key, binding.action)));
            for (index, (key, action)) in each().enumerate() {
                if let Some((_, other)) = each().take(index).find(|(before, other)| *before == key && *other != action) {
                    let (context, key) = (context_name(*context), key.name());
                    let (one, two) = (action_name(other), action_name(action));
                    return Err(format!("in [{context}] `{key}` would mean both {one} and {two}: give one of them another key"));
                }
            }
        }
        Ok(())
    }

    /// The whole table as a file.
    pub fn as_file(&self) -> String {
        let mut text = FILE_HEAD.to_owned();
        for (context, bindings) in &self.0 {
            text.push_str(&format!("\n[{}]\n", context_name(*context)));
            let mut written: Vec<String> = Vec::new();
            for binding in bindings {
                let name = action_name(binding.action);
                if written.contains(&name) {
                    continue;
                }
                let same = bindings.iter().filter(|other| other.action == binding.action).flat_map(|other| other.keys);
                let keys: Vec<String> = same.map(|key| format!("{:?}", key.name())).collect();
                text.push_str(&format!("{name} = [{}]  # {}\n", keys.join(", "), binding.long));
                written.push(name);
            }
        }
        text
    }
}

/// The table that stands for all contexts.
const EVERYWHERE: &str = "everywhere";

const FILE_HEAD: &str = "\
# Every key of the terminal UI as it is without a file of your own. Write what you want differently into `keys.toml` beside the
# configuration: [CONTEXT] and ACTION = [\"KEY\", …]. [everywhere] means each context that has the action; an empty list takes the
# keys away. Keys: a character, space, enter, esc, tab, shift-tab, up, down, left, right, pageup, pagedown, home, end, delete,
# backspace, f1 to f12, ctrl-a to ctrl-z. A key that would mean two things in one context is refused at the start.
";

fn keys_of(value: &toml::Value) -> Result<Vec<Key>, String> {
    let toml::Value::Array(list) = value else { return Err("give a list of keys, such as [\"b\", \"ctrl-b\"]".into()) };
    let key = |value: &toml::Value| {
        let text = value.as_str().ok_or("a key is a text, such as \"b\"")?;
        Key::parse(text).ok_or_else(|| format!("there is no key `{}`", one_line(text, 20)))
    };
    list.iter().map(key).collect()
}

fn context_name(context: Context) -> String {
    kebab(&format!("{context:?}"))
}

/// `backup`, `mark-range`, `pane-1`: the same for an action wherever it is bound.
fn action_name(action: Action) -> String {
    let debug = match action {
        Action::Move(motion) => format!("{motion:?}"),
        Action::View(view) => format!("{view:?}").replace('(', "-").replace(')', ""),
        Action::Do(command) => format!("{command:?}"),
        Action::App(action) => format!("{action:?}"),
    };
    kebab(&debug)
}

fn kebab(camel: &str) -> String {
    let mut out = String::new();
    for c in camel.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyModifiers};

    fn press(keys: &Keys, context: Context, code: KeyCode) -> Option<String> {
        keys.action(context, &KeyEvent::new(code, KeyModifiers::NONE)).map(action_name)
    }

    #[test]
    fn the_file_that_ships_lists_all_keys_and_changes_nothing() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/keys.toml");
        let now = Keys::default().as_file();
        #[expect(clippy::disallowed_methods, reason = "a switch of the tests alone")]
        if std::env::var_os("QSNAP_UPDATE_PICTURE").is_some() {
            std::fs::write(path, &now).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), now, "QSNAP_UPDATE_PICTURE=1 cargo test writes it");
        let read = Keys::parse(&now).unwrap();
        for (context, bindings) in &Keys::default().0 {
            for binding in bindings {
                for key in binding.keys {
                    let own = read.0.iter().find(|(known, _)| known == context).unwrap();
                    let same = own.1.iter().find(|other| other.keys.contains(key)).map(|other| other.action);
                    assert_eq!(same, Some(binding.action), "{context:?} {key:?}");
                }
            }
        }
    }

    #[test]
    fn a_file_moves_keys_in_one_context_or_everywhere() {
        let keys = Keys::parse("[collections]\nbackup = ['B', 'f5']\n[everywhere]\nhistory = []\n").unwrap();
        let pressed = |context, c| press(&keys, context, KeyCode::Char(c));
        assert_eq!(pressed(Context::Collections, 'B').as_deref(), Some("backup"));
        assert_eq!(press(&keys, Context::Collections, KeyCode::F(5)).as_deref(), Some("backup"));
        assert_eq!(pressed(Context::Collections, 'b'), None);
        assert_eq!(pressed(Context::Points, 'b').as_deref(), Some("backup"), "elsewhere as it was");
        assert_eq!((pressed(Context::Points, 'H'), pressed(Context::Collections, 'H')), (None, None));
        let label = keys.bindings(Context::Collections).iter().find(|binding| action_name(binding.action) == "backup");
        assert_eq!(label.unwrap().label, "B F5");
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for (text, wanted) in [
            ("[collections]\nbackup = ['r']", "in [collections] `r` would mean both backup and restore"),
            ("[collection]\nbackup = ['r']", "[collection] is no context"),
            ("[collections]\nbakup = ['r']", "[collections] has no action `bakup`"),
            ("[collections]\nbackup = ['hyper-r']", "[collections] backup: there is no key `hyper-r`"),
            ("[collections]\nbackup = 'r'", "give a list of keys"),
            ("[collections]\nbackup = [1]", "a key is a text"),
            ("x = 1", "[x] is no context"),
            ("[collections", "expected"),
        ] {
            let why = Keys::parse(text).unwrap_err();
            assert!(why.contains(wanted), "{text}: {why}");
        }
    }
}
