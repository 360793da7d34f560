//! The configuration file as serde sees it, and the check that finds unknown keys with a good hint.

use crate::config::repositories::{FileKeep, FileRepository, KEEP_KEYS, REPOSITORY_KEYS};
use crate::config::terminal::{FileTerminal, TERMINAL_KEYS};
use crate::config::values::ColorChoice;
use crate::domain::instance::Protection;
use crate::domain::problem::{Problem, ProblemKind};
use indexmap::IndexMap;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Keys at the top level.
pub const TOP_KEYS: &[&str] =
    &["color", "ascii", "repository", "rpo", "prove-every", "webhook", "keep-history", "terminal", "instances", "repositories"];

/// Keys of one instance.
pub const INSTANCE_KEYS: &[&str] = &[
    "url",
    "nodes",
    "api-key",
    "api-key-env",
    "api-key-file",
    "api-key-command",
    "basic-auth",
    "headers",
    "reachable-as",
    "ca-certificate",
    "certificate-pin",
    "client-certificate",
    "client-key",
    "protection",
    "timeout",
    "transfers",
    "streams",
    "stall",
    "limit-rate",
    "rpo",
    "prove-every",
    "keep",
    "collections",
];

/// Keys of one collection of an instance.
pub const COLLECTION_KEYS: &[&str] = &["rpo", "prove-every", "keep"];

/// Keys of `basic-auth`.
pub const BASIC_AUTH_KEYS: &[&str] = &["user", "password", "password-env", "password-file", "password-command"];

/// Keys of the value of one header.
pub const HEADER_KEYS: &[&str] = &["value", "env", "file", "command"];

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileConfig {
    /// `color = "auto" | "always" | "never"`
    pub color: Option<ColorChoice>,
    /// `ascii = true`
    pub ascii: Option<bool>,
    /// `repository = "NAME"`: the one that is meant where none is named.
    pub repository: Option<String>,
    /// Age of the last good recovery point, such as `"1h"`.
    pub rpo: Option<String>,
    /// Age of its last proof, such as `"7d"`.
    pub prove_every: Option<String>,
    /// Address that gets the report of each backup.
    pub webhook: Option<String>,
    /// How long closed records of the journal are kept, such as `"1y"`.
    pub keep_history: Option<String>,
    /// `[terminal]`
    #[serde(default)]
    pub terminal: FileTerminal,
    /// `[instances.NAME]`, in the order of the file.
    #[serde(default)]
    pub instances: IndexMap<String, FileInstance>,
    /// `[repositories.NAME]`, in the order of the file.
    #[serde(default)]
    pub repositories: IndexMap<String, FileRepository>,
}

/// What is wanted of the backups of one collection.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FilePolicy {
    /// Age of the last good recovery point.
    pub rpo: Option<String>,
    /// Age of its last proof.
    pub prove_every: Option<String>,
    /// Retention.
    pub keep: Option<FileKeep>,
}

/// One instance in the file. `Debug` is not derived: `api_key` is a secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileInstance {
    /// Address of the only node.
    pub url: Option<String>,
    /// Addresses of all nodes.
    pub nodes: Option<Vec<String>>,
    /// Inline key.
    pub api_key: Option<String>,
    /// Environment variable with the key.
    pub api_key_env: Option<String>,
    /// File with the key.
    pub api_key_file: Option<PathBuf>,
    /// Shell command that prints the key.
    pub api_key_command: Option<String>,
    /// `{ user = "…", password-command = "…" }`
    pub basic_auth: Option<FileBasicAuth>,
    /// `{ NAME = { env = "…" } }`, in the order of the file.
    #[serde(default)]
    pub headers: IndexMap<String, FileHeader>,
    /// How other servers reach the nodes.
    pub reachable_as: Option<Vec<String>>,
    /// PEM file.
    pub ca_certificate: Option<PathBuf>,
    /// PEM file with the only certificates that are accepted.
    pub certificate_pin: Option<PathBuf>,
    /// PEM file.
    pub client_certificate: Option<PathBuf>,
    /// PEM file.
    pub client_key: Option<PathBuf>,
    /// How careful to be.
    pub protection: Option<Protection>,
    /// Deadline of a short call, such as `"10s"`.
    pub timeout: Option<String>,
    /// Transfers at once.
    pub transfers: Option<usize>,
    /// Parallel streams of one download, at most.
    pub streams: Option<usize>,
    /// No byte for so long is a fault, such as `"30s"`.
    pub stall: Option<String>,
    /// Bytes per second of all transfers together, such as `"50MB"`.
    pub limit_rate: Option<String>,
    /// Age of the last good recovery point.
    pub rpo: Option<String>,
    /// Age of its last proof.
    pub prove_every: Option<String>,
    /// Retention of its backups.
    pub keep: Option<FileKeep>,
    /// `[instances.NAME.collections.COLLECTION]`
    #[serde(default)]
    pub collections: IndexMap<String, FilePolicy>,
}

/// Basic authentication. `Debug` is not derived: `password` is a secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileBasicAuth {
    /// The user's name.
    pub user: Option<String>,
    /// Inline password.
    pub password: Option<String>,
    /// Environment variable with the password.
    pub password_env: Option<String>,
    /// File with the password.
    pub password_file: Option<PathBuf>,
    /// Shell command that prints the password.
    pub password_command: Option<String>,
}

/// The value of a header: `"text"`, or a table that says where it is.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum FileHeader {
    /// The value itself.
    Plain(String),
    /// Its place.
    From(FileHeaderSource),
}

/// Where the value of a header is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileHeaderSource {
    /// The value itself.
    pub value: Option<String>,
    /// Environment variable with the value.
    pub env: Option<String>,
    /// File with the value.
    pub file: Option<PathBuf>,
    /// Shell command that prints the value.
    pub command: Option<String>,
}

impl std::fmt::Debug for FileInstance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileInstance").field("url", &self.url).field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

/// Parses the text of the file `path`.
pub fn parse(path: &Path, text: &str) -> Result<FileConfig, Problem> {
    let wrong = |message: String| {
        Problem::new(ProblemKind::Usage, message, path.display().to_string())
            .advise("correct the file; `qsnap config init` writes a commented example where there is no file yet")
    };
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(describe(&error, text)))?;
    check_keys(&table).map_err(wrong)?;
    toml::from_str(text).map_err(|error| wrong(describe(&error, text)))
}

/// The message and the line, without the source excerpt that toml prints: the line may hold a key.
fn describe(error: &toml::de::Error, text: &str) -> String {
    match error.span() {
        Some(span) => {
            let line = text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1);
            format!("line {line}: {}", masked(error.message()))
        }
        None => masked(error.message()),
    }
}

/// A message without the values it quotes: they may be a key. What is expected stays.
fn masked(message: &str) -> String {
    let wrong_type = message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "));
    match wrong_type {
        Some((_, expected)) => format!("wrong type, expected {expected}"),
        None => message.to_owned(),
    }
}

fn check_keys(table: &toml::Table) -> Result<(), String> {
    for key in table.keys() {
        check_key(key, TOP_KEYS, "at the top level")?;
    }
    if let Some(toml::Value::Table(terminal)) = table.get("terminal") {
        terminal.keys().try_for_each(|key| check_key(key, TERMINAL_KEYS, "in [terminal]"))?;
    }
    check_repositories(table.get("repositories"))?;
    let Some(toml::Value::Table(instances)) = table.get("instances") else { return Ok(()) };
    for (name, instance) in instances {
        let toml::Value::Table(instance) = instance else { continue };
        for key in instance.keys() {
            check_key(key, INSTANCE_KEYS, &format!("in [instances.{name}]"))?;
        }
        check_basic_auth(instance.get("basic-auth"), name)?;
        check_headers(instance.get("headers"), name)?;
        check_keep(instance.get("keep"), &format!("of [instances.{name}]"))?;
        check_collections(instance.get("collections"), name)?;
    }
    Ok(())
}

fn check_repositories(value: Option<&toml::Value>) -> Result<(), String> {
    let Some(toml::Value::Table(repositories)) = value else { return Ok(()) };
    for (name, repository) in repositories {
        let toml::Value::Table(repository) = repository else { continue };
        repository.keys().try_for_each(|key| check_key(key, REPOSITORY_KEYS, &format!("in [repositories.{name}]")))?;
        check_keep(repository.get("keep"), &format!("of [repositories.{name}]"))?;
    }
    Ok(())
}

fn check_collections(value: Option<&toml::Value>, instance: &str) -> Result<(), String> {
    let Some(toml::Value::Table(collections)) = value else { return Ok(()) };
    for (name, collection) in collections {
        let toml::Value::Table(collection) = collection else { continue };
        let place = format!("[instances.{instance}.collections.{name}]");
        collection.keys().try_for_each(|key| check_key(key, COLLECTION_KEYS, &format!("in {place}")))?;
        check_keep(collection.get("keep"), &format!("of {place}"))?;
    }
    Ok(())
}

fn check_keep(value: Option<&toml::Value>, place: &str) -> Result<(), String> {
    match value {
        None => Ok(()),
        Some(toml::Value::Table(keep)) => keep.keys().try_for_each(|key| check_key(key, KEEP_KEYS, &format!("in keep {place}"))),
        Some(_) => Err(format!("keep {place} is a table: {{ last = 24, daily = 7 }}")),
    }
}

fn check_basic_auth(value: Option<&toml::Value>, instance: &str) -> Result<(), String> {
    match value {
        None => Ok(()),
        Some(toml::Value::Table(table)) => {
            table.keys().try_for_each(|key| check_key(key, BASIC_AUTH_KEYS, &format!("in basic-auth of [instances.{instance}]")))
        }
        Some(_) => Err(format!("basic-auth of [instances.{instance}] is a table: {{ user = \"…\", password-command = \"…\" }}")),
    }
}

fn check_headers(value: Option<&toml::Value>, instance: &str) -> Result<(), String> {
    let usual = "{ \"NAME\" = { env = \"…\" } }";
    let headers = match value {
        None => return Ok(()),
        Some(toml::Value::Table(headers)) => headers,
        Some(_) => return Err(format!("headers of [instances.{instance}] is a table: {usual}")),
    };
    for (name, header) in headers {
        match header {
            toml::Value::String(_) => {}
            toml::Value::Table(table) => {
                let place = format!("in header `{name}` of [instances.{instance}]");
                table.keys().try_for_each(|key| check_key(key, HEADER_KEYS, &place))?;
                if table.values().any(|value| !value.is_str()) {
                    return Err(format!("wrong type {place}, expected a string"));
                }
            }
            _ => return Err(format!("header `{name}` of [instances.{instance}] has no value: write {usual}")),
        }
    }
    Ok(())
}

fn check_key(key: &str, known: &[&str], place: &str) -> Result<(), String> {
    if known.contains(&key) {
        return Ok(());
    }
    let nearest = nearest(key, known);
    let hint = nearest.map_or_else(|| format!("known are {}", known.join(", ")), |name| format!("did you mean `{name}`?"));
    Err(format!("unknown key `{key}` {place}; {hint}"))
}

/// The known name that is most like `name`, if one is near enough to be worth a hint.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let scored = known.iter().map(|candidate| (strsim::jaro_winkler(name, candidate), *candidate));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.75).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(Path::new("c.toml"), text).unwrap_err().message
    }

    #[test]
    fn unknown_keys_get_the_nearest_name() {
        assert_eq!(error("colour = 'auto'"), "unknown key `colour` at the top level; did you mean `color`?");
        assert_eq!(
            error("[instances.prod]\nurl = 'http://h'\napikey = 'x'"),
            "unknown key `apikey` in [instances.prod]; did you mean `api-key`?"
        );
        assert!(error("zzz = 1").contains("known are"));
    }

    #[test]
    fn errors_name_the_line_and_never_print_it() {
        let message = error("[instances.prod]\napi-key = hunter2");
        assert!(message.starts_with("line 2:"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
        let message = error("[instances.prod]\nprotection = 'very'");
        assert!(message.contains("line 2") && message.contains("protected"), "{message}");
    }

    #[test]
    fn unknown_keys_of_secrets_get_the_nearest_name_too() {
        assert_eq!(
            error("[instances.a]\nurl = 'x'\nbasic-auth = { user = 'u', pasword-env = 'hunter2' }"),
            "unknown key `pasword-env` in basic-auth of [instances.a]; did you mean `password-env`?"
        );
        assert_eq!(
            error("[instances.a]\nurl = 'x'\nheaders = { X-Id = { comand = 'hunter2' } }"),
            "unknown key `comand` in header `X-Id` of [instances.a]; did you mean `command`?"
        );
        for wrong in ["basic-auth = 'u:hunter2'", "headers = 'hunter2'", "headers = { X = 5 }", "headers = { X = { env = 5 } }"] {
            let message = error(&format!("[instances.a]\nurl = 'x'\n{wrong}"));
            assert!(message.contains("[instances.a]") && !message.contains("hunter2"), "{wrong}: {message}");
        }
    }

    #[test]
    fn the_lists_of_known_keys_are_complete() {
        let all = "color='never'\nascii=true\nrepository='r'\nrpo='1h'\nprove-every='7d'\nwebhook='http://h'\nkeep-history='90d'\n\
                   [terminal]\ntheme='mono'\nmouse=true\nnotify='osc9'\nnotify-after='1m'\n\
                   [repositories.r]\nurl='/b'\nendpoint='e'\nreachable-as='e'\nregion='r'\naccount='a'\npath-style=true\nca-certificate='f'\n\
                   limit-rate='1MB'\nfull-every='7d'\nread-only=true\ncredentials='machine'\naccess-key-id='k'\nsecret-access-key='s'\nsecret-access-key-env='S'\n\
                   secret-access-key-file='f'\nsecret-access-key-command='c'\ncredentials-command='c'\ncredentials-file='f'\n\
                   keep={last=1,hourly=1,daily=1,weekly=1,monthly=1,yearly=1,within='1d'}\n\
                   [instances.a]\nurl='x'\nnodes=[]\napi-key='k'\napi-key-env='K'\n\
                   api-key-file='f'\napi-key-command='c'\nca-certificate='f'\ncertificate-pin='f'\nclient-certificate='f'\n\
                   client-key='f'\nreachable-as=['x']\nprotection='open'\ntimeout='1s'\ntransfers=1\nstreams=8\nstall='30s'\n\
                   limit-rate='50MB'\nrpo='1h'\nprove-every='7d'\nkeep={last=1}\n\
                   [instances.a.collections.c]\nrpo='none'\nprove-every='1d'\nkeep={daily=1}\n\
                   [instances.a.basic-auth]\nuser='u'\npassword='p'\npassword-env='P'\npassword-file='f'\npassword-command='c'\n\
                   [instances.a.headers.X]\nvalue='v'\nenv='E'\nfile='f'\ncommand='c'\n";
        parse(Path::new("c.toml"), all).unwrap();
        let table: toml::Table = all.parse().unwrap();
        let instance = table["instances"]["a"].as_table().unwrap();
        let same = |table: &toml::Table, known: &[&str]| {
            let mut keys: Vec<&str> = table.keys().map(String::as_str).collect();
            let mut known = known.to_vec();
            keys.sort_unstable();
            known.sort_unstable();
            assert_eq!(keys, known);
        };
        same(&table, TOP_KEYS);
        same(table["terminal"].as_table().unwrap(), TERMINAL_KEYS);
        same(instance, INSTANCE_KEYS);
        same(instance["basic-auth"].as_table().unwrap(), BASIC_AUTH_KEYS);
        same(instance["collections"]["c"].as_table().unwrap(), COLLECTION_KEYS);
        same(table["repositories"]["r"].as_table().unwrap(), REPOSITORY_KEYS);
        same(table["repositories"]["r"]["keep"].as_table().unwrap(), KEEP_KEYS);
        same(instance["headers"]["X"].as_table().unwrap(), HEADER_KEYS);
    }
}
