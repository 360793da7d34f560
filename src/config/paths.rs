//! Where the configuration and the state live.

use crate::config::environment::Environment;
use directories::ProjectDirs;
use std::path::PathBuf;

/// The configuration file: `QSNAP_CONFIG`, else `$XDG_CONFIG_HOME/qsnap/config.toml` (also on macOS,
/// where the directories crate would ignore the XDG variables), else the platform's place.
pub fn config_file(environment: &Environment) -> PathBuf {
    if let Some(path) = environment.get("QSNAP_CONFIG") {
        return PathBuf::from(path);
    }
    if let Some(home) = xdg(environment, "XDG_CONFIG_HOME") {
        return home.join("qsnap/config.toml");
    }
    match ProjectDirs::from("", "", "qsnap") {
        Some(dirs) => dirs.config_dir().join("config.toml"),
        None => PathBuf::from("qsnap.toml"),
    }
}

/// An XDG folder. The XDG rule: a relative path is invalid and ignored, because it depends on the working directory.
fn xdg(environment: &Environment, name: &str) -> Option<PathBuf> {
    environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// Journal and proofs: `$XDG_STATE_HOME/qsnap`, else the platform's place.
pub fn state_dir(environment: &Environment) -> PathBuf {
    if let Some(home) = xdg(environment, "XDG_STATE_HOME") {
        return home.join("qsnap");
    }
    match ProjectDirs::from("", "", "qsnap") {
        Some(dirs) => dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_path_buf(),
        None => PathBuf::from(".qsnap-state"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_xdg_folders_are_ignored() {
        // The XDG rule: such a path would mean another place wherever one stands.
        let relative = Environment::of(&[("XDG_CONFIG_HOME", "conf"), ("XDG_STATE_HOME", "./state")]);
        assert_eq!(config_file(&relative), config_file(&Environment::default()));
        assert_eq!(state_dir(&relative), state_dir(&Environment::default()));
        let absolute = Environment::of(&[("XDG_CONFIG_HOME", "/c"), ("XDG_STATE_HOME", "/s")]);
        assert_eq!(config_file(&absolute), PathBuf::from("/c/qsnap/config.toml"));
        assert_eq!(state_dir(&absolute), PathBuf::from("/s/qsnap"));
    }
}
