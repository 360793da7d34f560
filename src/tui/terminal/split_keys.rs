//! Keys that a slow line cut in two. A terminal sends `Esc [ A` for an arrow; when the `Esc` arrives alone, crossterm (0.29)
//! takes it for the key of that name, and what follows for letters. Here an `Esc` is held for a moment: what follows it may be
//! the rest of a key, of a paste, or of a click. Pure: it is given the time.

use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};
use std::time::Duration;

/// Longest wait for the rest of a sequence that surely began.
const REST: Duration = Duration::from_secs(1);

/// Longest sequence that is put together, in characters.
const LONGEST: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Idle,
    /// An `Esc`, and until when it is held.
    Held(Duration),
    /// What followed `Esc [`, and until when the rest is awaited.
    Csi(String, Duration),
    /// `Esc O`.
    Ss3(Duration),
}

/// Puts them together again.
#[derive(Debug)]
pub struct SplitKeys {
    hold: Duration,
    state: State,
    /// What was pasted so far, while the end of a paste is awaited whose begin was cut.
    pasted: Option<String>,
}

impl SplitKeys {
    /// An `Esc` is held for `hold`.
    pub fn new(hold: Duration) -> Self {
        Self { hold, state: State::Idle, pasted: None }
    }

    /// Takes what came at `now`; gives what is certain.
    pub fn take(&mut self, input: Input, now: Duration) -> Vec<Input> {
        let Input::Key(key) = &input else { return self.others(input) };
        let plain = key.modifiers.difference(KeyModifiers::SHIFT).is_empty();
        let letter = match key.code {
            KeyCode::Char(c) if plain => Some(c),
            _ => None,
        };
        match (std::mem::replace(&mut self.state, State::Idle), letter) {
            (State::Held(_), Some('[')) => self.awaits(State::Csi(String::new(), now + REST)),
            (State::Held(_), Some('O')) => self.awaits(State::Ss3(now + REST)),
            (State::Held(_), _) => {
                let mut out = self.let_go();
                out.extend(self.take(input, now));
                out
            }
            (State::Csi(mut so_far, until), Some(c)) if so_far.len() < LONGEST => {
                so_far.push(c);
                if matches!(c, '@'..='~') { self.sequence(&so_far) } else { self.awaits(State::Csi(so_far, until)) }
            }
            (State::Ss3(_), Some(c)) => self.sequence(&c.to_string()),
            _ if key.code == KeyCode::Esc && key.modifiers.is_empty() => self.awaits(State::Held(now + self.hold)),
            // The rest of a sequence never came: half of it means nothing, and must not be taken for letters.
            _ => self.others(input),
        }
    }

    /// When something is to be let go, if nothing comes.
    pub fn due(&self) -> Option<Duration> {
        match &self.state {
            State::Idle => None,
            State::Held(until) | State::Csi(_, until) | State::Ss3(until) => Some(*until),
        }
    }

    /// Nothing came until then.
    pub fn release(&mut self) -> Vec<Input> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Held(_) => self.let_go(),
            _ => Vec::new(),
        }
    }

    fn awaits(&mut self, state: State) -> Vec<Input> {
        self.state = state;
        Vec::new()
    }

    /// The `Esc` was one. In a paste it is no key.
    fn let_go(&self) -> Vec<Input> {
        if self.pasted.is_some() { Vec::new() } else { vec![key(KeyCode::Esc, KeyModifiers::NONE)] }
    }

    /// What is no part of a sequence: a part of a paste, while one is under way.
    fn others(&mut self, input: Input) -> Vec<Input> {
        match (&mut self.pasted, &input) {
            (Some(text), Input::Key(key)) => {
                match key.code {
                    KeyCode::Char(c) => text.push(c),
                    KeyCode::Enter => text.push('\n'),
                    KeyCode::Tab => text.push('\t'),
                    _ => {}
                }
                Vec::new()
            }
            _ => vec![input],
        }
    }

    fn sequence(&mut self, text: &str) -> Vec<Input> {
        match text {
            "200~" => {
                self.pasted = Some(String::new());
                Vec::new()
            }
            "201~" => self.pasted.take().map(Input::Paste).into_iter().collect(),
            _ if self.pasted.is_some() => Vec::new(),
            "I" => vec![Input::FocusGained],
            "O" => vec![Input::FocusLost],
            // Clicks and answers of the terminal that were cut are dropped.
            _ => decode(text).into_iter().collect(),
        }
    }
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> Input {
    Input::Key(KeyEvent::new(code, modifiers))
}

/// The key of what followed `Esc [` or `Esc O`: as xterm, tmux and the Linux console write them.
fn decode(text: &str) -> Option<Input> {
    let last = text.chars().next_back()?;
    let numbers = &text[..text.len() - last.len_utf8()];
    let mut numbers = numbers.split(';').map(|number| number.parse::<u8>().ok());
    let (first, second) = (numbers.next().flatten(), numbers.next().flatten());
    let code = match (last, first) {
        ('A', _) => KeyCode::Up,
        ('B', _) => KeyCode::Down,
        ('C', _) => KeyCode::Right,
        ('D', _) => KeyCode::Left,
        ('H', _) | ('~', Some(1 | 7)) => KeyCode::Home,
        ('F', _) | ('~', Some(4 | 8)) => KeyCode::End,
        ('Z', _) => return Some(key(KeyCode::BackTab, KeyModifiers::SHIFT)),
        ('P', _) | ('~', Some(11)) => KeyCode::F(1),
        ('~', Some(3)) => KeyCode::Delete,
        ('~', Some(5)) => KeyCode::PageUp,
        ('~', Some(6)) => KeyCode::PageDown,
        _ => return None,
    };
    // xterm: 1 and a bit each for Shift, Alt and Ctrl.
    let bits = second.unwrap_or(1).saturating_sub(1);
    let bit = |bit: u8, modifier| if bits & bit > 0 { modifier } else { KeyModifiers::NONE };
    Some(key(code, bit(1, KeyModifiers::SHIFT) | bit(2, KeyModifiers::ALT) | bit(4, KeyModifiers::CONTROL)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn letters(keys: &mut SplitKeys, text: &str) -> Vec<Input> {
        text.chars()
            .flat_map(|c| match c {
                '\u{1b}' => keys.take(key(KeyCode::Esc, KeyModifiers::NONE), MS(0)),
                '\r' => keys.take(key(KeyCode::Enter, KeyModifiers::NONE), MS(0)),
                c => keys
                    .take(key(KeyCode::Char(c), if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE }), MS(0)),
            })
            .collect()
    }

    #[test]
    fn keys_that_were_cut_are_whole_again() {
        let mut keys = SplitKeys::new(MS(50));
        let plain = |code| vec![key(code, KeyModifiers::NONE)];
        for (text, wanted) in [
            ("\u{1b}[A", plain(KeyCode::Up)),
            ("\u{1b}OB", plain(KeyCode::Down)),
            ("\u{1b}[6~", plain(KeyCode::PageDown)),
            ("\u{1b}[1;5C", vec![key(KeyCode::Right, KeyModifiers::CONTROL)]),
            ("\u{1b}[Z", vec![key(KeyCode::BackTab, KeyModifiers::SHIFT)]),
            ("\u{1b}[<0;10;5M", vec![]),
            ("\u{1b}[O", vec![Input::FocusLost]),
            ("x", plain(KeyCode::Char('x'))),
            ("\u{1b}x", [plain(KeyCode::Esc), plain(KeyCode::Char('x'))].concat()),
            ("\u{1b}\u{1b}[A", [plain(KeyCode::Esc), plain(KeyCode::Up)].concat()),
        ] {
            assert_eq!(letters(&mut keys, text), wanted, "{text:?}");
            assert_eq!(keys.due(), None, "{text:?}");
        }
    }

    #[test]
    fn an_esc_is_let_go_after_its_time_and_half_a_sequence_is_no_letters() {
        let mut keys = SplitKeys::new(MS(50));
        assert!(letters(&mut keys, "\u{1b}").is_empty());
        assert_eq!(keys.due(), Some(MS(50)));
        assert_eq!(keys.release(), [key(KeyCode::Esc, KeyModifiers::NONE)]);
        assert_eq!((keys.due(), keys.release()), (None, vec![]));
        assert!(letters(&mut keys, "\u{1b}[1;").is_empty());
        assert_eq!(keys.due(), Some(REST));
        assert!(keys.release().is_empty() && keys.due().is_none());
    }

    #[test]
    fn a_paste_whose_begin_was_cut_runs_nothing() {
        let mut keys = SplitKeys::new(MS(50));
        assert!(letters(&mut keys, "\u{1b}[200~Xq\r\u{1b}").is_empty());
        assert!(keys.release().is_empty(), "an Esc in a paste is no key");
        assert_eq!(
            letters(&mut keys, "y\u{1b}[201~q"),
            [Input::Paste("Xq\ny".into()), key(KeyCode::Char('q'), KeyModifiers::NONE)]
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost_that_is_no_sequence(text in "[a-z0-9;~]{0,12}") {
            let mut keys = SplitKeys::new(MS(50));
            prop_assert_eq!(letters(&mut keys, &text).len(), text.len());
        }
    }
}
