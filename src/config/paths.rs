//! Where the configuration and the state live.

use crate::config::load::Environment;
use directories::ProjectDirs;
use std::path::PathBuf;

/// The configuration file: `QSNAP_CONFIG`, else `$XDG_CONFIG_HOME/qsnap/config.toml` (also on macOS,
/// where the directories crate would ignore the XDG variables), else the platform's place.
pub fn config_file(environment: &Environment) -> PathBuf {
    if let Some(path) = environment.get("QSNAP_CONFIG") {
        return PathBuf::from(path);
    }
    if let Some(home) = environment.get("XDG_CONFIG_HOME") {
        return PathBuf::from(home).join("qsnap/config.toml");
    }
    match ProjectDirs::from("", "", "qsnap") {
        Some(dirs) => dirs.config_dir().join("config.toml"),
        None => PathBuf::from("qsnap.toml"),
    }
}

/// Journal and proofs: `$XDG_STATE_HOME/qsnap`, else the platform's place.
pub fn state_dir(environment: &Environment) -> PathBuf {
    if let Some(home) = environment.get("XDG_STATE_HOME") {
        return PathBuf::from(home).join("qsnap");
    }
    match ProjectDirs::from("", "", "qsnap") {
        Some(dirs) => dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_path_buf(),
        None => PathBuf::from(".qsnap-state"),
    }
}
