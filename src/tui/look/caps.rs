//! What the terminal can do and the user wants: decided once, from configuration and environment.

use crate::config::Config;
use crate::config::environment::Environment;
use crate::config::values::ColorChoice;
use crate::domain::problem::Problem;
use crate::tui::look::theme::Theme;
use std::time::Duration;

/// The look of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// What each role looks like.
    pub theme: Theme,
    /// The sixteen colours of the terminal, or none.
    pub color: bool,
    /// Box drawing and signs, or ASCII for both.
    pub unicode: bool,
    /// Letters beyond ASCII can be shown, as in names of collections.
    pub letters: bool,
    /// Spinners, or words.
    pub animation: bool,
    /// How often progress is shown, and how close frames may follow each other.
    pub ssh: bool,
    /// Whether this terminal can show a UI at all.
    pub usable: bool,
}

impl Look {
    /// From the configuration and the environment.
    ///
    /// # Errors
    /// When the theme cannot be used.
    pub fn decide(config: &Config, environment: &Environment) -> Result<Self, Problem> {
        let term = environment.get("TERM").unwrap_or_default();
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| environment.get(name));
        let utf8 = locale.is_none_or(|locale| locale.to_ascii_lowercase().replace('-', "").contains("utf8"));
        Ok(Self {
            theme: Theme::load(&config.terminal.theme, &config.terminal.folder)?,
            color: config.color.0 != ColorChoice::Never,
            letters: utf8,
            unicode: utf8 && term != "linux" && !config.ascii.0,
            animation: environment.get("QSNAP_NO_ANIMATION").is_none(),
            ssh: environment.get("SSH_CONNECTION").is_some() || environment.get("SSH_TTY").is_some(),
            usable: !term.is_empty() && term != "dumb",
        })
    }

    /// How often progress is sampled.
    pub fn tick(self) -> Duration {
        Duration::from_millis(if self.ssh { 500 } else { 250 })
    }

    /// How long an `Esc` may be the begin of another key: a line with delay can cut it in two.
    pub fn escape(self) -> Duration {
        Duration::from_millis(if self.ssh { 150 } else { 30 })
    }

    /// The least time between two frames.
    pub fn frame(self) -> Duration {
        Duration::from_millis(if self.ssh { 100 } else { 16 })
    }
}
