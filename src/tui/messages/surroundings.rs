//! Where the program runs, as it was found at the start.

use crate::config::Config;
use crate::config::values::Origin;
use crate::domain::backup::RepositoryName;
use crate::domain::repository::Repository;
use crate::domain::text::one_line;
use std::path::{Path, PathBuf};

/// What the screens need to know of it. Read once: the app itself does no I/O.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The current folder; empty when it is unknown.
    pub folder: PathBuf,
    /// The configuration file that was looked for, when there is none and nothing else names a server.
    pub no_config: Option<PathBuf>,
    /// Why the state folder cannot be written.
    pub state: Option<String>,
    /// The repositories and where they are, the one that is meant where none is named first.
    pub repositories: Vec<(RepositoryName, String)>,
}

impl Surroundings {
    /// What the configuration tells, and the current folder.
    pub fn of(config: &Config) -> Self {
        let named = config.instances.iter().any(|instance| instance.origin != Origin::Default);
        let no_config = (!config.file_found && !named).then(|| config.file.clone());
        Self { no_config, ..Self::here() }
    }

    /// The current folder only.
    pub fn here() -> Self {
        Self { folder: std::env::current_dir().unwrap_or_default(), ..Self::default() }
    }

    /// With the repositories that there are.
    #[must_use]
    pub fn with_repositories(mut self, all: &[Repository], usual: Option<&RepositoryName>) -> Self {
        let mut sorted: Vec<&Repository> = all.iter().collect();
        sorted.sort_by_key(|repository| Some(&repository.name) != usual);
        self.repositories = sorted.iter().map(|one| (one.name.clone(), one_line(&one.place.to_string(), 60))).collect();
        self
    }

    /// The current folder as a form proposes it.
    pub fn folder_text(&self) -> &str {
        self.folder.to_str().filter(|text| !text.is_empty()).unwrap_or(".")
    }

    /// A typed path as it is without the current folder.
    pub fn absolute(&self, path: &Path) -> PathBuf {
        let plain = path.strip_prefix("./").unwrap_or(path);
        if plain.as_os_str().is_empty() { self.folder.clone() } else { self.folder.join(plain) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_nothing_names_a_server_a_configuration_is_missing() {
        use crate::config::environment::Environment;
        use crate::config::load::{Overrides, load};
        let missing = |url: Option<&str>, variables: &[(&str, &str)]| {
            let mut all = vec![("HOME", "/nowhere"), ("XDG_CONFIG_HOME", "/nowhere/config")];
            all.extend(variables);
            let overrides = Overrides { url: url.map(str::to_owned), ..Overrides::default() };
            Surroundings::of(&load(&overrides, &Environment::of(&all)).unwrap()).no_config
        };
        assert_eq!(missing(None, &[]), Some("/nowhere/config/qsnap/config.toml".into()));
        assert_eq!(missing(Some("http://h:6333"), &[]), None);
        assert_eq!(missing(None, &[("QDRANT_URL", "http://h:6333")]), None);
    }

    #[test]
    fn typed_paths_are_shown_whole() {
        let here = Surroundings { folder: "/home/ada".into(), ..Surroundings::default() };
        for (typed, whole) in [(".", "/home/ada"), ("./x", "/home/ada/x"), ("x/", "/home/ada/x/"), ("/backups", "/backups")] {
            assert_eq!(here.absolute(Path::new(typed)).as_os_str(), whole, "{typed}");
        }
        assert_eq!(here.folder_text(), "/home/ada");
        assert_eq!(Surroundings::default().folder_text(), ".");
    }
}
