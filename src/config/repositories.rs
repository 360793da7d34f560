//! Repositories of backups in the configuration file, and the places of their credentials.

use crate::config::environment::Environment;
use crate::config::secret_source::{Purpose, SecretSource, one_source};
use crate::domain::backup::RepositoryName;
use crate::domain::keep::Keep;
use crate::domain::repository::{Place, Repository};
use crate::domain::time::parse_span;
use serde::Deserialize;
use std::path::PathBuf;
use url::Url;

/// Keys of one repository.
pub const REPOSITORY_KEYS: &[&str] = &[
    "url",
    "endpoint",
    "reachable-as",
    "region",
    "account",
    "path-style",
    "ca-certificate",
    "limit-rate",
    "keep",
    "full-every",
    "read-only",
    "credentials",
    "access-key-id",
    "secret-access-key",
    "secret-access-key-env",
    "secret-access-key-file",
    "secret-access-key-command",
    "credentials-command",
    "credentials-file",
];

/// Keys of `keep`.
pub const KEEP_KEYS: &[&str] = &["last", "hourly", "daily", "weekly", "monthly", "yearly", "within"];

/// One repository in the file. `Debug` is not derived: it may hold a secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileRepository {
    /// `file:///path`, `s3://bucket/prefix`, `gs://…`, `az://…`
    pub url: Option<String>,
    /// Address of an S3-compatible store.
    pub endpoint: Option<String>,
    /// How Qdrant servers reach the store.
    pub reachable_as: Option<String>,
    /// S3 region.
    pub region: Option<String>,
    /// Azure storage account.
    pub account: Option<String>,
    /// Bucket in the path.
    pub path_style: Option<bool>,
    /// PEM file.
    pub ca_certificate: Option<PathBuf>,
    /// Bytes per second.
    pub limit_rate: Option<String>,
    /// `{ last = 24, daily = 7 }`
    pub keep: Option<FileKeep>,
    /// How long increments build on one whole stream.
    pub full_every: Option<String>,
    /// Nothing is written there.
    #[serde(default)]
    pub read_only: bool,
    /// `"environment"`, `"machine"` or `"anonymous"`
    pub credentials: Option<FileCredentials>,
    /// S3 key.
    pub access_key_id: Option<String>,
    /// Inline secret of the key; for Azure the key of the account.
    pub secret_access_key: Option<String>,
    /// Environment variable with the secret.
    pub secret_access_key_env: Option<String>,
    /// File with the secret.
    pub secret_access_key_file: Option<PathBuf>,
    /// Command that prints the secret.
    pub secret_access_key_command: Option<String>,
    /// Command that prints credentials that may expire.
    pub credentials_command: Option<String>,
    /// File with credentials that may expire.
    pub credentials_file: Option<PathBuf>,
}

impl std::fmt::Debug for FileRepository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileRepository").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Credentials that are not in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileCredentials {
    /// The cloud's usual environment variables.
    Environment,
    /// The identity of this machine, asked from the cloud's metadata service.
    Machine,
    /// None: for public stores.
    Anonymous,
}

/// Retention in the file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileKeep {
    last: Option<u32>,
    hourly: Option<u32>,
    daily: Option<u32>,
    weekly: Option<u32>,
    monthly: Option<u32>,
    yearly: Option<u32>,
    within: Option<String>,
}

impl FileKeep {
    /// The rules.
    ///
    /// # Errors
    /// When `within` is no duration, or nothing would be kept.
    pub fn read(&self) -> Result<Keep, String> {
        let within = self.within.as_deref().map(parse_span).transpose().map_err(|why| format!("keep.within: {why}"))?;
        let count = |count: Option<u32>| count.unwrap_or(0);
        let keep = Keep {
            last: count(self.last),
            hourly: count(self.hourly),
            daily: count(self.daily),
            weekly: count(self.weekly),
            monthly: count(self.monthly),
            yearly: count(self.yearly),
            within,
        };
        if keep.is_empty() {
            return Err("keep has no rule above 0; leave it out to keep everything".into());
        }
        Ok(keep)
    }
}

/// Where the credentials of a repository are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreCredentials {
    /// In the cloud's usual variables, taken from the environment at start.
    Environment(Vec<(String, crate::domain::secret::Secret)>),
    /// The identity of this machine.
    Machine,
    /// None.
    Anonymous,
    /// A key, whose secret is somewhere.
    Key {
        /// The key's id; empty for Azure.
        id: String,
        /// Its secret.
        secret: SecretSource,
    },
    /// Printed by a command, and printed anew when they expire.
    Command(String),
    /// In a file that is written anew before they expire.
    File(PathBuf),
}

/// A repository with the place of its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredRepository {
    /// Everything but the secrets.
    pub repository: Repository,
    /// Where the secrets are.
    pub credentials: StoreCredentials,
}

/// Variables that the clouds' own tools read.
const PREFIXES: [&str; 5] = ["AWS_", "GOOGLE_", "AZURE_", "IDENTITY_", "MSI_"];

impl ConfiguredRepository {
    /// What the table of a repository says.
    ///
    /// # Errors
    /// Says what is wrong, without the name of the repository.
    pub(in crate::config) fn from_file(name: &str, file: &FileRepository, environment: &Environment) -> Result<Self, String> {
        let name = RepositoryName::new(name)?;
        let url = file.url.as_deref().ok_or("it has no url: write for example url = \"s3://bucket/prefix\"")?;
        let place = Place::parse(url)?;
        let address = |key: &str, text: &Option<String>| match text.as_deref().map(Url::parse) {
            None => Ok(None),
            Some(Ok(url)) if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() => Ok(Some(url)),
            Some(_) => Err(format!("{key} is not an http(s) address")),
        };
        let full_every = file.full_every.as_deref().map(parse_span).transpose().map_err(|why| format!("full-every: {why}"))?;
        let usual = Repository::new(name, place);
        let repository = Repository {
            endpoint: address("endpoint", &file.endpoint)?,
            reachable_as: address("reachable-as", &file.reachable_as)?,
            region: file.region.clone(),
            account: file.account.clone(),
            path_style: file.path_style,
            ca_certificate: file.ca_certificate.clone(),
            limit_rate: file.limit_rate.as_deref().map(crate::domain::size::parse_rate).transpose()?,
            keep: file.keep.as_ref().map_or(Ok(Keep::default()), FileKeep::read)?,
            full_every: full_every.unwrap_or(usual.full_every),
            read_only: file.read_only,
            ..usual
        };
        let credentials = credentials(file, &repository, environment)?;
        Ok(Self { repository, credentials })
    }
}

fn credentials(file: &FileRepository, repository: &Repository, environment: &Environment) -> Result<StoreCredentials, String> {
    let given =
        (&file.secret_access_key, &file.secret_access_key_env, &file.secret_access_key_file, &file.secret_access_key_command);
    let secret = one_source(&Purpose::StoreSecret, given, environment)?;
    let several = [
        file.credentials.is_some(),
        secret != SecretSource::None || file.access_key_id.is_some(),
        file.credentials_command.is_some(),
        file.credentials_file.is_some(),
    ];
    let count = several.into_iter().filter(|given| *given).count();
    if count > 1 {
        return Err("credentials are given in several ways: give one of credentials, secret-access-key…, \
                    credentials-command and credentials-file"
            .into());
    }
    if matches!(repository.place, Place::Directory(_)) && count > 0 {
        return Err("a directory needs no credentials".into());
    }
    let azure = matches!(repository.place, Place::Azure { .. });
    match (&file.access_key_id, secret) {
        (Some(_), SecretSource::None) => {
            return Err("access-key-id has no secret: give secret-access-key-env, -file, -command or secret-access-key".into());
        }
        (Some(id), secret) => return Ok(StoreCredentials::Key { id: id.clone(), secret }),
        (None, secret) if azure && secret != SecretSource::None => {
            return Ok(StoreCredentials::Key { id: String::new(), secret });
        }
        (None, secret) if secret != SecretSource::None => return Err("secret-access-key has no access-key-id".into()),
        (None, _) => {}
    }
    Ok(match (&file.credentials_command, &file.credentials_file, file.credentials) {
        (Some(command), ..) => StoreCredentials::Command(command.clone()),
        (_, Some(path), _) => StoreCredentials::File(path.clone()),
        (.., Some(FileCredentials::Machine)) => StoreCredentials::Machine,
        (.., Some(FileCredentials::Anonymous)) => StoreCredentials::Anonymous,
        _ => StoreCredentials::Environment(environment.with_prefixes(&PREFIXES)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<ConfiguredRepository, String> {
        let file: FileRepository = toml::from_str(text).unwrap();
        ConfiguredRepository::from_file("offsite", &file, &Environment::of(&[("AWS_ACCESS_KEY_ID", "id"), ("HOME", "/x")]))
    }

    #[test]
    fn a_repository_is_read() {
        let text = "url = 's3://b/p'\nendpoint = 'http://127.0.0.1:9000'\nregion = 'eu'\nlimit-rate = '50MB'\n\
                    keep = { last = 24, daily = 7, within = '36h' }";
        let found = parsed(text).unwrap();
        assert_eq!(found.repository.place.to_string(), "s3://b/p");
        assert_eq!(found.repository.keep.to_string(), "last 24, daily 7, within 36h");
        let StoreCredentials::Environment(variables) = &found.credentials else { panic!("{found:?}") };
        assert_eq!(variables.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["AWS_ACCESS_KEY_ID"]);
        assert!(!format!("{found:?}").contains("\"id\""), "values are secrets");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, words) in [
            ("region = 'x'", "no url"),
            ("url = 's3://b'\nkeep = { last = 0 }", "keep has no rule"),
            ("url = 's3://b'\nkeep = { within = 'soon' }", "keep.within"),
            ("url = 's3://b'\nendpoint = 'minio:9000'", "endpoint"),
            ("url = 's3://b'\naccess-key-id = 'x'", "no secret"),
            ("url = 's3://b'\nsecret-access-key = 'hunter2'", "no access-key-id"),
            ("url = 's3://b'\ncredentials-command = 'x'\ncredentials = 'machine'", "several ways"),
            ("url = '/tmp/x'\ncredentials = 'machine'", "needs no credentials"),
        ] {
            let why = parsed(text).unwrap_err();
            assert!(why.contains(words) && !why.contains("hunter2"), "{text}: {why}");
        }
    }
}
