//! What is decided once at the start, from the configuration, the environment, and the files beside it.

use crate::config::Config;
use crate::config::environment::Environment;
use crate::config::terminal::TerminalSettings;
use crate::domain::problem::Problem;
use crate::tui::keys::own_keys::Keys;
use crate::tui::look::caps::Look;

/// The look, the keys, and what the terminal is asked to do.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Colours and signs.
    pub look: Look,
    /// Keys.
    pub keys: Keys,
    /// Mouse and notifications.
    pub terminal: TerminalSettings,
}

impl Settings {
    /// Reads the theme and the keys.
    ///
    /// # Errors
    /// When one of these files cannot be used: nothing is guessed.
    pub fn read(config: &Config, environment: &Environment) -> Result<Self, Problem> {
        let terminal = config.terminal.clone();
        Ok(Self { look: Look::decide(config, environment)?, keys: Keys::load(&terminal.folder)?, terminal })
    }
}
