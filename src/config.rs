//! L1: file, environment and flags become one validated [`Config`]; every value knows where it came from.
//!
//! Precedence: flag > environment > file > default. With no configuration at all there is one
//! instance named `default` at `QDRANT_URL` or `http://localhost:6333`. `QDRANT_HOST` and
//! `QDRANT_PORT` are not read: Kubernetes injects them with other meanings.

pub mod credentials;
pub mod environment;
pub mod file;
pub mod load;
pub mod paths;
pub mod repositories;
pub mod secret_source;
pub mod show;
pub mod terminal;
pub mod values;
pub mod warnings;

use crate::config::values::{ColorChoice, Origin};
use crate::domain::backup::RepositoryName;
use crate::domain::ids::InstanceName;
use crate::domain::instance::Instance;
use crate::domain::secret::SafeUrl;
use credentials::Credentials;
use repositories::ConfiguredRepository;
use std::path::PathBuf;
use std::time::Duration;
use terminal::TerminalSettings;

/// An instance with the places of its secrets. They are fetched when it is first connected to.
#[derive(Debug, Clone)]
pub struct ConfiguredInstance {
    /// Everything but the secrets.
    pub instance: Instance,
    /// Where the secrets are.
    pub credentials: Credentials,
    /// Where the instance as a whole was described.
    pub origin: Origin,
}

/// The whole configuration, validated.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that was read, or that would be.
    pub file: PathBuf,
    /// Whether that file exists.
    pub file_found: bool,
    /// Instances, in the order of the file.
    pub instances: Vec<ConfiguredInstance>,
    /// Repositories of backups, in the order of the file.
    pub repositories: Vec<ConfiguredRepository>,
    /// The repository that is meant where none is named.
    pub repository: Option<RepositoryName>,
    /// Where a report goes when a backup ends, if anywhere: an address may hold a token.
    pub webhook: Option<SafeUrl>,
    /// Closed records of the journal are kept for so long.
    pub keep_history: Duration,
    /// Colour.
    pub color: (ColorChoice, Origin),
    /// Only ASCII on screen.
    pub ascii: (bool, Origin),
    /// What is wanted of the terminal UI.
    pub terminal: TerminalSettings,
    /// Journal and proofs.
    pub state_dir: PathBuf,
    /// Who works here, such as `ada@bastion`: it stands in the history.
    pub operator: String,
    /// The snapshot of the guard in whose command this runs.
    pub guard: Option<String>,
}

impl Config {
    /// The instance of this name.
    pub fn instance(&self, name: &InstanceName) -> Option<&ConfiguredInstance> {
        self.instances.iter().find(|configured| &configured.instance.name == name)
    }
}
