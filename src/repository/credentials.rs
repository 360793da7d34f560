//! Credentials of a store. Those that expire are fetched again shortly before they do, also while a large object is written:
//! the client asks for them with every request.

use crate::domain::problem::Problem;
use crate::domain::secret::Secret;
use crate::domain::time::Clock;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use object_store::aws::AwsCredential;
use object_store::azure::AzureCredential;
use object_store::client::CredentialProvider;
use object_store::gcp::GcpCredential;
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Credentials, or the way to them.
#[derive(Clone)]
pub enum Credentials {
    /// The cloud's usual variables.
    Environment(Vec<(String, Secret)>),
    /// The identity of this machine, from the cloud's metadata service.
    Machine,
    /// None.
    Anonymous,
    /// A key and its secret.
    Key {
        /// Empty for Azure.
        id: String,
        /// The secret.
        secret: Secret,
    },
    /// A file that the cloud's client reads itself.
    File(PathBuf),
    /// Text that has to be fetched, and fetched again.
    Fetched(Arc<dyn Keys>),
}

/// Fetches the text of credentials: runs a command, or reads a file.
#[async_trait]
pub trait Keys: std::fmt::Debug + Send + Sync {
    /// The text.
    async fn fetch(&self) -> Result<String, Problem>;
}

/// So long before their end credentials are fetched again.
const AHEAD: SignedDuration = SignedDuration::from_secs(120);

/// Credentials that do not say when they end are fetched again after this time.
const UNDATED: SignedDuration = SignedDuration::from_secs(300);

/// Reads the text of credentials.
type Parse<T> = fn(&str) -> Result<(T, Option<Timestamp>), String>;

/// Fetches, keeps, and fetches again.
pub struct Expiring<T> {
    keys: Arc<dyn Keys>,
    parse: Parse<T>,
    clock: Arc<dyn Clock>,
    kept: Mutex<Option<(Arc<T>, Timestamp)>>,
}

impl<T> std::fmt::Debug for Expiring<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Expiring({:?})", self.keys)
    }
}

impl<T> Expiring<T> {
    /// Nothing is fetched yet.
    pub fn new(keys: Arc<dyn Keys>, parse: Parse<T>, clock: Arc<dyn Clock>) -> Self {
        Self { keys, parse, clock, kept: Mutex::new(None) }
    }

    /// The credentials, fetched if they are about to end.
    ///
    /// # Errors
    /// When they cannot be fetched or read.
    pub async fn get(&self) -> Result<Arc<T>, Problem> {
        let mut kept = self.kept.lock().await;
        let now = self.clock.now();
        if let Some((credential, until)) = kept.as_ref()
            && now < *until
        {
            return Ok(credential.clone());
        }
        let text = self.keys.fetch().await?;
        let (credential, expires) = (self.parse)(&text).map_err(|why| {
            Problem::new(crate::domain::problem::ProblemKind::Usage, format!("the credentials cannot be read: {why}"), "")
                .advise("run the command in a shell to see what it prints")
        })?;
        // Some tools give out what has just a moment left: it is used once, and asked for again.
        let until = expires.map_or(now + UNDATED, |expires| expires - AHEAD);
        let credential = Arc::new(credential);
        *kept = Some((credential.clone(), until));
        Ok(credential)
    }
}

#[async_trait]
impl<T: std::fmt::Debug + Send + Sync> CredentialProvider for Expiring<T> {
    type Credential = T;

    async fn get_credential(&self) -> object_store::Result<Arc<T>> {
        self.get().await.map_err(|problem| object_store::Error::Generic { store: "credentials", source: Box::new(problem) })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AwsText {
    access_key_id: String,
    secret_access_key: String,
    #[serde(default)]
    session_token: Option<String>,
    #[serde(default)]
    expiration: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StsText {
    credentials: AwsText,
}

/// What `aws configure export-credentials --format process` and `aws sts assume-role` print.
///
/// # Errors
/// When it is something else; the text is not repeated.
pub fn aws(text: &str) -> Result<(AwsCredential, Option<Timestamp>), String> {
    let direct = serde_json::from_str::<AwsText>(text);
    let found = direct.or_else(|_| serde_json::from_str::<StsText>(text).map(|sts| sts.credentials));
    let found = found.map_err(|_| "they are no JSON with AccessKeyId and SecretAccessKey")?;
    let credential =
        AwsCredential { key_id: found.access_key_id, secret_key: found.secret_access_key, token: found.session_token };
    Ok((credential, found.expiration))
}

#[derive(Deserialize)]
struct TokenText {
    #[serde(alias = "accessToken", alias = "token")]
    access_token: String,
    /// Azure: seconds since 1970.
    #[serde(default)]
    expires_on: Option<i64>,
    /// GCP.
    #[serde(default, alias = "token_expiry")]
    expiry: Option<Timestamp>,
}

fn token(text: &str) -> Result<(String, Option<Timestamp>), String> {
    let text = text.trim();
    if text.starts_with('{') {
        let found: TokenText = serde_json::from_str(text).map_err(|_| "they are no JSON with access_token")?;
        let expires = found.expiry.or(found.expires_on.and_then(|second| Timestamp::from_second(second).ok()));
        return Ok((found.access_token, expires));
    }
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("they are no token: one line of printable characters".into());
    }
    Ok((text.to_owned(), None))
}

/// A token, alone or as JSON, as `gcloud auth print-access-token` prints it.
///
/// # Errors
/// When it is something else.
pub fn gcp(text: &str) -> Result<(GcpCredential, Option<Timestamp>), String> {
    token(text).map(|(bearer, expires)| (GcpCredential { bearer }, expires))
}

/// A token as `az account get-access-token` prints it, or a shared access signature (`sv=…&sig=…`).
///
/// # Errors
/// When it is something else.
pub fn azure(text: &str) -> Result<(AzureCredential, Option<Timestamp>), String> {
    let trimmed = text.trim().trim_start_matches('?');
    if trimmed.contains("sig=") && !trimmed.starts_with('{') {
        let pairs = url::form_urlencoded::parse(trimmed.as_bytes()).into_owned().collect();
        return Ok((AzureCredential::SASToken(pairs), None));
    }
    token(text).map(|(token, expires)| (AzureCredential::BearerToken(token), expires))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    #[derive(Debug, Default)]
    struct Counting(AtomicUsize);

    #[async_trait]
    impl Keys for Counting {
        async fn fetch(&self) -> Result<String, Problem> {
            let n = self.0.fetch_add(1, Ordering::SeqCst);
            Ok(format!(r#"{{"AccessKeyId":"k{n}","SecretAccessKey":"s","Expiration":"1970-01-01T01:00:00Z"}}"#))
        }
    }

    struct Hands(AtomicI64);

    impl Clock for Hands {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
        }
    }

    #[tokio::test]
    async fn credentials_are_fetched_again_before_they_end() {
        let clock = Arc::new(Hands(AtomicI64::new(0)));
        let provider = Expiring::new(Arc::new(Counting::default()), aws, clock.clone());
        let key = async || provider.get_credential().await.unwrap().key_id.clone();
        assert_eq!(key().await, "k0");
        clock.0.store(3_400, Ordering::SeqCst);
        assert_eq!(key().await, "k0", "they still hold");
        clock.0.store(3_500, Ordering::SeqCst);
        assert_eq!(key().await, "k1");
    }

    #[test]
    fn what_tools_print_is_read_and_never_repeated() {
        let sts = r#"{"Credentials":{"AccessKeyId":"a","SecretAccessKey":"hunter2","SessionToken":"t"}}"#;
        let (credential, _) = aws(sts).unwrap();
        assert_eq!((credential.key_id.as_str(), credential.token.as_deref()), ("a", Some("t")));
        assert!(!aws("hunter2").unwrap_err().contains("hunter2"));
        assert_eq!(gcp("ya29.abc\n").unwrap().0.bearer, "ya29.abc");
        assert_eq!(
            gcp(r#"{"access_token":"x","token_expiry":"2026-11-22T03:00:00Z"}"#).unwrap().1.unwrap().as_second(),
            1_795_316_400
        );
        assert!(gcp("two words").is_err());
        assert!(matches!(azure("?sv=1&sig=a%2Bb").unwrap().0, AzureCredential::SASToken(pairs) if pairs[1].1 == "a+b"));
        assert!(matches!(azure(r#"{"accessToken":"x","expires_on":5}"#).unwrap(), (AzureCredential::BearerToken(_), Some(_))));
    }
}
