//! What the gates of a plan found.

use crate::domain::text::sanitise;
use serde::Serialize;

/// Level of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// ✓ as it should be.
    Good,
    /// ! needs a look.
    Look,
    /// ✗ blocks.
    Block,
}

/// One gate's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// Which gate.
    pub check: &'static str,
    /// What was found.
    pub message: String,
    /// What to do about it; empty when nothing needs doing.
    pub advice: String,
}

impl Finding {
    /// As it should be.
    pub fn good(check: &'static str, message: impl Into<String>) -> Self {
        Self { level: Level::Good, check, message: sanitise(&message.into()), advice: String::new() }
    }

    /// Needs a look.
    pub fn look(check: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Look, check, message: sanitise(&message.into()), advice: sanitise(&advice.into()) }
    }

    /// Blocks.
    pub fn block(check: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Block, check, message: sanitise(&message.into()), advice: sanitise(&advice.into()) }
    }
}

/// How many checks passed, in words.
pub fn checks_passed(count: usize) -> String {
    if count == 1 { "1 check passed".to_owned() } else { format!("{count} checks passed") }
}
