//! Where a secret may come from, and how it is fetched when it is first needed.

use crate::config::environment::Environment;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::secret::Secret;
use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

/// A command that has not answered by then is stopped.
const COMMAND_DEADLINE: Duration = Duration::from_secs(30);

/// What a secret is for. It decides which characters it may have, and the words of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// Qdrant's key: `api-key`, `api-key-env` and so on.
    ApiKey,
    /// The password of basic-auth: `password`, `password-env` and so on.
    Password,
    /// The secret of a key to object storage: `secret-access-key`, `secret-access-key-env` and so on.
    StoreSecret,
    /// The value of the header of this name: `value`, `env` and so on.
    Header(String),
}

impl Purpose {
    /// The secret in words.
    pub fn words(&self) -> String {
        match self {
            Self::ApiKey => "the API key".into(),
            Self::Password => "the password of basic-auth".into(),
            Self::StoreSecret => "the secret access key".into(),
            Self::Header(name) => format!("the value of header {name}"),
        }
    }

    /// The configuration key for a source such as `env`; the empty one is the secret itself.
    pub fn option(&self, source: &str) -> String {
        match (self, source) {
            (Self::ApiKey, "") => "api-key".into(),
            (Self::ApiKey, source) => format!("api-key-{source}"),
            (Self::Password, "") => "password".into(),
            (Self::Password, source) => format!("password-{source}"),
            (Self::StoreSecret, "") => "secret-access-key".into(),
            (Self::StoreSecret, source) => format!("secret-access-key-{source}"),
            (Self::Header(_), "") => "value".into(),
            (Self::Header(_), source) => source.into(),
        }
    }

    /// All its configuration keys, as a list in words.
    pub fn options(&self) -> String {
        let [inline, env, file] = ["", "env", "file"].map(|source| self.option(source));
        format!("{inline}, {env}, {file} and {}", self.option("command"))
    }

    /// The secret out of a text that may end in a line break, or why it cannot be one.
    fn read(&self, text: &str) -> Result<Secret, String> {
        let value = match self {
            // A password may begin or end with a space; a line break comes from the file or the command.
            Self::Password => text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text)),
            Self::ApiKey | Self::StoreSecret | Self::Header(_) => text.trim(),
        };
        let fits = |c: char| match self {
            Self::ApiKey | Self::StoreSecret => c.is_ascii_graphic(),
            Self::Password => !c.is_control(),
            Self::Header(_) => c.is_ascii_graphic() || c == ' ',
        };
        if value.is_empty() {
            return Err(format!("{} is empty", self.words()));
        }
        if !value.chars().all(fits) {
            return Err(format!("{} contains characters that a header cannot carry", self.words()));
        }
        Ok(Secret::new(value))
    }
}

/// The place of a secret. Only `Inline` and `Environment` hold the secret itself.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// There is none.
    None,
    /// In the configuration file.
    Inline(Secret),
    /// In an environment variable, read at start.
    Environment {
        /// The variable.
        variable: String,
        /// What it held.
        value: Option<Secret>,
    },
    /// In a file.
    File(PathBuf),
    /// Printed by a shell command.
    Command(String),
}

impl fmt::Debug for SecretSource {
    /// Not derived: a command line may hold a secret, too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretSource({})", self.describe())
    }
}

impl SecretSource {
    /// For `config show`: the place, never the secret.
    pub fn describe(&self) -> String {
        match self {
            Self::None => "none".into(),
            Self::Inline(_) => "*** (in the file)".into(),
            Self::Environment { variable, value: Some(_) } => format!("*** (from ${variable})"),
            Self::Environment { variable, value: None } => format!("from ${variable}, which is not set"),
            Self::File(path) => format!("*** (from {})", path.display()),
            Self::Command(_) => "*** (from a command)".into(),
        }
    }

    /// Fetches the secret for the instance called `on`.
    ///
    /// # Errors
    /// When its place gives nothing, or something that cannot be sent.
    pub async fn fetch(&self, purpose: &Purpose, on: &str) -> Result<Option<Secret>, Problem> {
        let problem = |message: String, advice: String| Problem::new(ProblemKind::Usage, message, on).advise(advice);
        let (what, option) = (purpose.words(), |source: &str| purpose.option(source));
        let text = match self {
            Self::None => return Ok(None),
            Self::Inline(secret) => secret.expose().to_owned(),
            Self::Environment { value: Some(secret), .. } => secret.expose().to_owned(),
            Self::Environment { variable, value: None } => {
                let message = format!("{what} should be in ${variable}, which is not set");
                return Err(problem(message, format!("set the variable, or change {}", option("env"))));
            }
            Self::File(path) => tokio::fs::read_to_string(path).await.map_err(|error| {
                let message = format!("{what} should be in the file {}, which cannot be read: {error}", path.display());
                problem(message, format!("check the path and its permissions, or change {}", option("file")))
            })?,
            Self::Command(command) => {
                let command_key = match purpose {
                    Purpose::Header(name) => format!("the command of header {name}"),
                    _ => option("command"),
                };
                run(command)
                    .await
                    .map_err(|why| problem(format!("{command_key} {why}"), format!("run {command_key} in a shell to see why")))?
            }
        };
        purpose.read(&text).map(Some).map_err(|why| {
            let advice =
                format!("check what is given with {}; pasted quotes and line breaks are common causes", purpose.options());
            problem(why, advice)
        })
    }
}

/// A secret in an environment variable.
pub(in crate::config) fn from_environment(variable: &str, environment: &Environment) -> SecretSource {
    SecretSource::Environment { variable: variable.to_owned(), value: environment.get(variable).map(Secret::new) }
}

/// What a file may say of a secret: itself, its variable, its file, its command.
pub(in crate::config) type Sources<'a> = (&'a Option<String>, &'a Option<String>, &'a Option<PathBuf>, &'a Option<String>);

/// The one source that is given.
///
/// # Errors
/// When there are several.
pub(in crate::config) fn one_source(
    purpose: &Purpose,
    given: Sources<'_>,
    environment: &Environment,
) -> Result<SecretSource, String> {
    let (inline, variable, file, command) = given;
    let mut sources = Vec::new();
    sources.extend(inline.as_ref().map(|value| SecretSource::Inline(Secret::new(value))));
    sources.extend(variable.as_ref().map(|variable| from_environment(variable, environment)));
    sources.extend(file.as_ref().map(|path| SecretSource::File(path.clone())));
    sources.extend(command.as_ref().map(|command| SecretSource::Command(command.clone())));
    if sources.len() > 1 {
        return Err(format!("{} has several sources: give one of {}, not several", purpose.words(), purpose.options()));
    }
    Ok(sources.pop().unwrap_or(SecretSource::None))
}

impl SecretSource {
    /// The whole text that a command prints, such as credentials in JSON; `key` names it in the configuration.
    ///
    /// # Errors
    /// When it fails. What it printed is not repeated.
    pub async fn text(&self, key: &str) -> Result<String, Problem> {
        let Self::Command(command) = self else { return Ok(String::new()) };
        run(command).await.map_err(|why| {
            Problem::new(ProblemKind::Usage, format!("{key} {why}"), "").advise(format!("run {key} in a shell to see why"))
        })
    }
}

async fn run(command: &str) -> Result<String, String> {
    let child = tokio::process::Command::new("sh")
        .arg("-c")
        .arg(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(COMMAND_DEADLINE, child)
        .await
        .map_err(|_| format!("gave no answer in {} s", COMMAND_DEADLINE.as_secs()))?
        .map_err(|error| format!("could not be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("failed ({})", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| "printed something that is not text".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn secrets_are_fetched_or_explained() {
        let ok = SecretSource::Command("echo ' k1 '".into()).fetch(&Purpose::ApiKey, "prod").await.unwrap().unwrap();
        assert_eq!(ok.expose(), "k1");
        for (source, words) in [
            (SecretSource::Command("exit 3".into()), "api-key-command failed"),
            (SecretSource::Command("true".into()), "empty"),
            (SecretSource::Command("printf 'a\\nb'".into()), "characters"),
            (SecretSource::File("/no/such/file".into()), "cannot be read"),
            (SecretSource::Environment { variable: "K".into(), value: None }, "$K"),
        ] {
            let problem = source.fetch(&Purpose::ApiKey, "prod").await.unwrap_err();
            assert!(problem.message.contains(words), "{problem}");
            assert!(problem.advice.contains("api-key"), "{problem:?}");
        }
    }

    #[tokio::test]
    async fn messages_name_the_key_that_was_written() {
        let missing = SecretSource::Environment { variable: "K".into(), value: None };
        let password = missing.fetch(&Purpose::Password, "prod").await.unwrap_err();
        assert!(password.message.contains("the password of basic-auth") && password.advice.contains("password-env"));
        let header = SecretSource::Command("exit 1".into()).fetch(&Purpose::Header("X-Id".into()), "prod").await.unwrap_err();
        assert!(header.message.starts_with("the command of header X-Id failed"), "{header}");
    }

    #[tokio::test]
    async fn a_password_keeps_its_spaces_and_a_header_its_words() {
        let password = SecretSource::Command("printf ' ä b \\n'".into()).fetch(&Purpose::Password, "p").await.unwrap().unwrap();
        assert_eq!(password.expose(), " ä b ");
        let header = Purpose::Header("X".into());
        let value = SecretSource::Inline(Secret::new("Bearer abc\n")).fetch(&header, "p").await.unwrap().unwrap();
        assert_eq!(value.expose(), "Bearer abc");
        assert!(SecretSource::Inline(Secret::new("a\r\nHost: x")).fetch(&header, "p").await.is_err());
    }

    #[test]
    fn sources_never_show_their_secret() {
        for source in [
            SecretSource::Inline(Secret::new("hunter2")),
            SecretSource::Command("echo hunter2".into()),
            SecretSource::Environment { variable: "K".into(), value: Some(Secret::new("hunter2")) },
        ] {
            assert!(!format!("{source:?} {}", source.describe()).contains("hunter2"));
        }
    }
}
