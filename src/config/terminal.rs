//! `[terminal]`: what the terminal UI does besides showing. Themes and keys are files of their own beside the configuration.

use crate::domain::time::parse_span;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Keys of `[terminal]`.
pub const TERMINAL_KEYS: &[&str] = &["theme", "mouse", "notify", "notify-after"];

/// How a person is told that a long job ended while the window was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Notify {
    /// Not at all.
    #[default]
    Off,
    /// The bell.
    Bell,
    /// OSC 9: iTerm2, WezTerm, Windows Terminal, kitty.
    Osc9,
    /// OSC 777: foot, Ghostty, urxvt, WezTerm.
    Osc777,
}

/// The table in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileTerminal {
    /// `theme = "high-contrast"`
    pub theme: Option<String>,
    /// `mouse = true`
    pub mouse: Option<bool>,
    /// `notify = "off" | "bell" | "osc9" | "osc777"`
    pub notify: Option<Notify>,
    /// `notify-after = "10s"`
    pub notify_after: Option<String>,
}

/// What is wanted of the terminal UI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalSettings {
    /// Name of the theme: one that is built in, or a file in `themes` of [`Self::folder`].
    pub theme: String,
    /// Clicks and the wheel are for qsnap; the terminal then selects text with Shift only.
    pub mouse: bool,
    /// How a long job that ended is told.
    pub notify: Notify,
    /// What is long.
    pub notify_after: Duration,
    /// The folder of the configuration: `keys.toml` and `themes` are there, if anywhere.
    pub folder: PathBuf,
}

impl TerminalSettings {
    /// What holds without a configuration.
    pub fn usual(folder: &Path) -> Self {
        Self {
            theme: "default".to_owned(),
            mouse: false,
            notify: Notify::Off,
            notify_after: Duration::from_secs(10),
            folder: folder.to_owned(),
        }
    }

    /// From the file at `path`.
    ///
    /// # Errors
    /// In words, when a value cannot be understood.
    pub fn from_file(file: &FileTerminal, path: &Path) -> Result<Self, String> {
        let usual = Self::usual(path.parent().unwrap_or(Path::new(".")));
        let after = file.notify_after.as_deref().map(parse_span).transpose().map_err(|why| format!("notify-after: {why}"))?;
        Ok(Self {
            theme: file.theme.clone().unwrap_or(usual.theme),
            mouse: file.mouse.unwrap_or(usual.mouse),
            notify: file.notify.unwrap_or(usual.notify),
            notify_after: after.unwrap_or(usual.notify_after),
            folder: usual.folder,
        })
    }
}
