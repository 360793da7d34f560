//! The environment of the process, read in one place.

use crate::domain::secret::Secret;
use std::collections::BTreeMap;

/// The environment, taken once; tests build their own instead of changing the process's.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

/// The variable in which a guarded command finds the address of the snapshot. A qsnap that runs in it notes that.
pub const GUARD_SNAPSHOT: &str = "QSNAP_GUARD_SNAPSHOT";

impl Environment {
    /// The process's environment.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn of_process() -> Self {
        Self(std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect())
    }

    /// Pairs for a test.
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    /// All variables whose names begin like this, with their values as secrets.
    pub fn with_prefixes(&self, prefixes: &[&str]) -> Vec<(String, Secret)> {
        let wanted = self.0.iter().filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)));
        wanted.map(|(name, value)| (name.clone(), Secret::new(value))).collect()
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}
