//! Where an API key may come from, and how it is fetched when it is first needed.

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::secret::Secret;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

/// A key command that has not answered by then is stopped.
const COMMAND_DEADLINE: Duration = Duration::from_secs(30);

/// The place of a key. Only `Inline` holds the key itself.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// No key.
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

impl KeySource {
    /// For `config show`: the place, never the key.
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

    /// Fetches the key for the instance called `on`.
    pub async fn fetch(&self, on: &str) -> Result<Option<Secret>, Problem> {
        let problem = |message: String, advice: &str| Err(Problem::new(ProblemKind::Usage, message, on).advise(advice));
        let text = match self {
            Self::None => return Ok(None),
            Self::Inline(secret) => secret.expose().to_owned(),
            Self::Environment { value: Some(secret), .. } => secret.expose().to_owned(),
            Self::Environment { variable, value: None } => {
                return problem(
                    format!("the API key should be in ${variable}, which is not set"),
                    "set the variable, or change api-key-env",
                );
            }
            Self::File(path) => match tokio::fs::read_to_string(path).await {
                Ok(text) => text,
                Err(error) => {
                    return problem(
                        format!("the API key file {} cannot be read: {error}", path.display()),
                        "check the path and its permissions, or change api-key-file",
                    );
                }
            },
            Self::Command(command) => run(command, on).await?,
        };
        let key = text.trim();
        if key.is_empty() {
            return problem(
                "the API key is empty".into(),
                "check what api-key, api-key-env, api-key-file or api-key-command gives",
            );
        }
        if !key.chars().all(|c| c.is_ascii_graphic()) {
            return problem(
                "the API key contains characters that a header cannot carry".into(),
                "check for line breaks or pasted quotes in the key",
            );
        }
        Ok(Some(Secret::new(key)))
    }
}

async fn run(command: &str, on: &str) -> Result<String, Problem> {
    let fail =
        |message: String| Problem::new(ProblemKind::Usage, message, on).advise("run api-key-command in a shell to see why");
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
        .map_err(|_| fail(format!("api-key-command gave no answer in {} s", COMMAND_DEADLINE.as_secs())))?
        .map_err(|error| fail(format!("api-key-command could not be started: {error}")))?;
    if !output.status.success() {
        return Err(fail(format!("api-key-command failed ({})", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|_| fail("api-key-command printed something that is not text".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keys_are_fetched_or_explained() {
        let ok = KeySource::Command("echo ' k1 '".into()).fetch("prod").await.unwrap().unwrap();
        assert_eq!(ok.expose(), "k1");
        for (source, words) in [
            (KeySource::Command("exit 3".into()), "failed"),
            (KeySource::Command("true".into()), "empty"),
            (KeySource::Command("printf 'a\\nb'".into()), "characters"),
            (KeySource::File("/no/such/file".into()), "cannot be read"),
            (KeySource::Environment { variable: "K".into(), value: None }, "$K"),
        ] {
            let problem = source.fetch("prod").await.unwrap_err();
            assert!(problem.message.contains(words), "{problem}");
            assert!(!problem.advice.is_empty());
        }
    }

    #[test]
    fn sources_never_show_their_key() {
        let source = KeySource::Inline(Secret::new("hunter2"));
        assert!(!format!("{source:?} {}", source.describe()).contains("hunter2"));
    }
}
