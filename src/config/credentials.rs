//! Everything that one instance wants to see with a request: the API key, basic authentication, further headers.

use crate::config::environment::Environment;
use crate::config::file::{FileBasicAuth, FileHeader, FileInstance};
use crate::config::secret_source::{Purpose, SecretSource, one_source};
use crate::domain::access::{Access, BasicAuth};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::secret::Secret;

/// Headers that qsnap or HTTP itself sets: another value would break requests, or worse.
const RESERVED: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "if-match",
    "keep-alive",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Basic authentication with the place of its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicAuthSource {
    /// The user's name.
    pub user: String,
    /// Where the password is.
    pub password: SecretSource,
}

/// Where the secrets of one instance are. They are fetched when it is first connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Qdrant's key.
    pub api_key: SecretSource,
    /// For a proxy in front of it.
    pub basic_auth: Option<BasicAuthSource>,
    /// Further headers by name, in the order of the file.
    pub headers: Vec<(String, SecretSource)>,
}

impl Credentials {
    /// Only an API key.
    pub fn key(api_key: SecretSource) -> Self {
        Self { api_key, basic_auth: None, headers: Vec::new() }
    }

    /// What the table of an instance says.
    ///
    /// # Errors
    /// When a secret has several sources or none, or a header cannot be set.
    pub(in crate::config) fn from_file(file: &FileInstance, environment: &Environment) -> Result<Self, String> {
        let key = (&file.api_key, &file.api_key_env, &file.api_key_file, &file.api_key_command);
        let api_key = one_source(&Purpose::ApiKey, key, environment)?;
        let basic_auth = file.basic_auth.as_ref().map(|basic| basic_auth(basic, environment)).transpose()?;
        let mut headers: Vec<(String, SecretSource)> = Vec::new();
        for (name, from) in &file.headers {
            header_name(name, basic_auth.is_some())?;
            if headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                return Err(format!("header {name} is given twice; case makes no difference in names of headers"));
            }
            headers.push((name.clone(), header(name, from, environment)?));
        }
        Ok(Self { api_key, basic_auth, headers })
    }

    /// Whether something beside the API key is wanted. Another server, which only has a key, cannot send that.
    pub fn need_headers(&self) -> bool {
        self.basic_auth.is_some() || !self.headers.is_empty()
    }

    /// All secrets with what they are for.
    pub fn each(&self) -> Vec<(Purpose, &SecretSource)> {
        let mut all = vec![(Purpose::ApiKey, &self.api_key)];
        all.extend(self.basic_auth.as_ref().map(|basic| (Purpose::Password, &basic.password)));
        all.extend(self.headers.iter().map(|(name, source)| (Purpose::Header(name.clone()), source)));
        all
    }

    /// Fetches everything for the instance called `on`.
    ///
    /// # Errors
    /// Names all that could not be fetched, not only the first.
    pub async fn fetch(&self, on: &str) -> Result<Access, Problem> {
        let mut access = Access::default();
        let mut failed: Vec<Problem> = Vec::new();
        for (purpose, source) in self.each() {
            let secret = match source.fetch(&purpose, on).await {
                Ok(secret) => secret,
                Err(problem) => {
                    failed.push(problem);
                    continue;
                }
            };
            match (purpose, secret) {
                (Purpose::ApiKey, secret) => access.api_key = secret,
                (Purpose::Password, Some(password)) => {
                    let user = self.basic_auth.as_ref().map(|basic| basic.user.clone()).unwrap_or_default();
                    access.basic_auth = Some(BasicAuth { user, password });
                }
                (Purpose::Header(name), Some(value)) => access.headers.push((name, value)),
                (Purpose::Password | Purpose::Header(_), None) | (Purpose::StoreSecret, _) => {}
            }
        }
        match failed.len() {
            0 => Ok(access),
            1 => Err(failed.remove(0)),
            _ => {
                let join = |part: fn(&Problem) -> &str| failed.iter().map(part).collect::<Vec<_>>().join("; ");
                let (message, advice) = (join(|problem| &problem.message), join(|problem| &problem.advice));
                Err(Problem::new(ProblemKind::Usage, message, on).advise(advice))
            }
        }
    }
}

fn basic_auth(file: &FileBasicAuth, environment: &Environment) -> Result<BasicAuthSource, String> {
    let given = (&file.password, &file.password_env, &file.password_file, &file.password_command);
    let password = one_source(&Purpose::Password, given, environment)?;
    if password == SecretSource::None {
        return Err(format!("basic-auth has no password: give one of {}", Purpose::Password.options()));
    }
    match &file.user {
        None => Err("basic-auth has no user".into()),
        Some(user) if user.is_empty() || user.contains(':') || user.chars().any(char::is_control) => {
            Err("the user of basic-auth is empty, or contains a colon or a control character".into())
        }
        Some(user) => Ok(BasicAuthSource { user: user.clone(), password }),
    }
}

fn header(name: &str, file: &FileHeader, environment: &Environment) -> Result<SecretSource, String> {
    let purpose = Purpose::Header(crate::domain::text::sanitise(name));
    let source = match file {
        FileHeader::Plain(value) => SecretSource::Inline(Secret::new(value)),
        FileHeader::From(from) => one_source(&purpose, (&from.value, &from.env, &from.file, &from.command), environment)?,
    };
    match source {
        SecretSource::None => Err(format!("header {name} has no value: give one of {}", purpose.options())),
        source => Ok(source),
    }
}

fn header_name(name: &str, with_basic_auth: bool) -> Result<(), String> {
    let shown = crate::domain::text::one_line(name, 60);
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        return Err(format!("`{shown}` is not the name of a header"));
    }
    let lower = name.to_ascii_lowercase();
    match lower.as_str() {
        "api-key" => {
            Err("header api-key is Qdrant's key: give it with api-key-command, api-key-env, api-key-file or api-key".into())
        }
        "authorization" if with_basic_auth => Err("basic-auth sets the header authorization: give one of them".into()),
        _ if RESERVED.contains(&lower.as_str()) => Err(format!("header {shown} is set by qsnap itself and cannot be given")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Credentials, String> {
        let file: FileInstance = toml::from_str(text).unwrap();
        Credentials::from_file(&file, &Environment::of(&[("CF_ID", "id-1")]))
    }

    #[tokio::test]
    async fn every_source_of_every_secret_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        std::fs::write(&file, "from-file\n").unwrap();
        let path = file.display();
        let credentials = parsed(&format!(
            "api-key = 'k'\nbasic-auth = {{ user = 'ops', password-file = '{path}' }}\n\
             headers = {{ CF-Access-Client-Id = {{ env = 'CF_ID' }}, X-File = {{ file = '{path}' }}, \
             X-Command = {{ command = 'echo out' }}, X-Value = {{ value = 'v' }}, X-Plain = 'p' }}"
        ))
        .unwrap();
        let access = credentials.fetch("prod").await.unwrap();
        let basic = access.basic_auth.clone().unwrap();
        assert_eq!((basic.user.as_str(), basic.password.expose()), ("ops", "from-file"));
        let headers: Vec<(&str, &str)> = access.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        let expected =
            [("CF-Access-Client-Id", "id-1"), ("X-File", "from-file"), ("X-Command", "out"), ("X-Value", "v"), ("X-Plain", "p")];
        assert_eq!(headers, expected);
        let shown = format!("{access:?} {credentials:?}");
        for secret in ["from-file", "id-1", "\"out\"", "\"v\"", "\"p\"", "\"k\""] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
    }

    #[tokio::test]
    async fn all_that_is_missing_is_named_at_once() {
        let credentials = parsed("api-key-env = 'NO_KEY'\nbasic-auth = { user = 'u', password-env = 'NO_PASSWORD' }").unwrap();
        let problem = credentials.fetch("prod").await.unwrap_err();
        assert!(problem.message.contains("$NO_KEY") && problem.message.contains("$NO_PASSWORD"), "{problem}");
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for (text, words) in [
            ("basic-auth = { user = 'u' }", "no password"),
            ("basic-auth = { password = 'hunter2' }", "no user"),
            ("basic-auth = { user = 'a:b', password = 'hunter2' }", "colon"),
            ("basic-auth = { user = 'u', password = 'hunter2', password-env = 'P' }", "not several"),
            ("headers = { X = {} }", "no value"),
            ("headers = { X = { env = 'A', value = 'hunter2' } }", "not several"),
            ("headers = { 'a b' = 'hunter2' }", "not the name of a header"),
            ("headers = { API-Key = 'hunter2' }", "api-key-command"),
            ("headers = { Host = 'hunter2' }", "set by qsnap itself"),
            ("headers = { x-a = 'hunter2', X-A = 'hunter2' }", "twice"),
            ("basic-auth = { user = 'u', password = 'hunter2' }\nheaders = { Authorization = 'hunter2' }", "give one of them"),
        ] {
            let why = parsed(text).unwrap_err();
            assert!(why.contains(words) && !why.contains("hunter2"), "{text}: {why}");
        }
    }
}
