//! From a configured repository to an open one. Nothing is asked of the store here, so that a store that is away delays nothing;
//! but missing credentials are an error at once: the client would ask this machine's metadata service for them, and hang.

use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::repository::{Place, Repository};
use crate::domain::secret::Secret;
use crate::domain::time::Clock;
use crate::repository::bucket::Bucket;
use crate::repository::credentials::{self, Credentials, Expiring};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorage, GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::{BackoffConfig, Certificate, ClientOptions, RetryConfig};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Opens it.
///
/// # Errors
/// When credentials or certificates are missing or wrong, or a folder is not there.
pub fn open(repository: Repository, credentials: Credentials, clock: &Arc<dyn Clock>) -> Result<Bucket, Problem> {
    let wrong = |error: object_store::Error| crate::repository::fault::problem(&error, "open", repository.name.as_str());
    let root = match &repository.place {
        Place::Directory(_) => String::new(),
        Place::S3 { prefix, .. } | Place::Gcs { prefix, .. } | Place::Azure { prefix, .. } => prefix.clone(),
    };
    match repository.place.clone() {
        Place::Directory(folder) => {
            let store = directory(&folder)?;
            let folder = folder.canonicalize().unwrap_or(folder);
            Ok(Bucket { repository, store: Arc::new(store), pages: None, signer: None, folder: Some(folder), root })
        }
        Place::S3 { .. } => {
            let build = |endpoint: Option<&Url>| s3(&repository, &credentials, clock, endpoint)?.build().map_err(wrong);
            let store: Arc<AmazonS3> = Arc::new(build(repository.endpoint.as_ref())?);
            // The host is part of what is signed.
            let signer = match &repository.reachable_as {
                Some(other) => Arc::new(build(Some(other))?),
                None => store.clone(),
            };
            let signer = Some(signer as _).filter(|_| !matches!(credentials, Credentials::Anonymous));
            Ok(Bucket { store: store.clone(), pages: Some(store), signer, folder: None, root, repository })
        }
        Place::Gcs { .. } => {
            let store: Arc<GoogleCloudStorage> = Arc::new(gcs(&repository, &credentials, clock)?.build().map_err(wrong)?);
            let signer = Some(store.clone() as _).filter(|_| !matches!(credentials, Credentials::Anonymous));
            Ok(Bucket { store: store.clone(), pages: Some(store), signer, folder: None, root, repository })
        }
        Place::Azure { .. } => {
            let store: Arc<MicrosoftAzure> = Arc::new(azure(&repository, &credentials, clock)?.build().map_err(wrong)?);
            let signer = Some(store.clone() as _).filter(|_| !matches!(credentials, Credentials::Anonymous));
            Ok(Bucket { store: store.clone(), pages: Some(store), signer, folder: None, root, repository })
        }
    }
}

fn directory(folder: &Path) -> Result<LocalFileSystem, Problem> {
    let shown = crate::domain::text::sanitise(&folder.display().to_string());
    if !folder.is_dir() {
        let what = if folder.exists() { "it is not a folder" } else { "the folder does not exist" };
        return Err(Problem::new(ProblemKind::NotFound, what, shown)
            .advise("check that it is mounted; if it is new, make it with `mkdir -p`"));
    }
    LocalFileSystem::new_with_prefix(folder).map_err(|error| crate::repository::fault::problem(&error, "open", &shown))
}

/// How requests are made. The client's own limit of 30 s covers a whole body, which no large part keeps to: limits are set where
/// a request is made.
fn client(repository: &Repository) -> Result<ClientOptions, Problem> {
    let http = [&repository.endpoint, &repository.reachable_as].into_iter().flatten().any(|url| url.scheme() == "http");
    let mut options =
        ClientOptions::new().with_timeout_disabled().with_connect_timeout(Duration::from_secs(10)).with_allow_http(http);
    if let Some(path) = &repository.ca_certificate {
        let wrong = |why: String| {
            Problem::new(ProblemKind::Usage, format!("ca-certificate cannot be used: {why}"), path.display().to_string())
                .advise("name a PEM file with certificates")
        };
        let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        for certificate in Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))? {
            options = options.with_root_certificate(certificate);
        }
    }
    Ok(options)
}

fn retry() -> RetryConfig {
    let backoff = BackoffConfig { max_backoff: Duration::from_secs(5), ..BackoffConfig::default() };
    RetryConfig { backoff, max_retries: 5, retry_timeout: Duration::from_secs(60) }
}

/// Gives the variables of the environment that a builder knows to it.
fn configured<K: FromStr, B>(mut builder: B, variables: &[(String, Secret)], give: fn(B, K, &str) -> B) -> B {
    for (name, value) in variables {
        if let Ok(key) = name.to_ascii_lowercase().parse::<K>() {
            builder = give(builder, key, value.expose());
        }
    }
    builder
}

fn none(repository: &Repository, tried: &str, advice: &str) -> Problem {
    Problem::new(ProblemKind::Usage, format!("there are no credentials: {tried}"), repository.name.as_str()).advise(format!(
        "{advice}; `credentials = \"machine\"` uses the identity of this machine, `credentials = \"anonymous\"` none"
    ))
}

fn has(variables: &[(String, Secret)], name: &str) -> bool {
    variables.iter().any(|(known, _)| known == name)
}

fn s3(
    repository: &Repository,
    credentials: &Credentials,
    clock: &Arc<dyn Clock>,
    endpoint: Option<&Url>,
) -> Result<AmazonS3Builder, Problem> {
    let Place::S3 { bucket, .. } = &repository.place else { return Ok(AmazonS3Builder::new()) };
    let mut builder = AmazonS3Builder::new();
    match credentials {
        Credentials::Environment(variables) => {
            let key = has(variables, "AWS_ACCESS_KEY_ID") && has(variables, "AWS_SECRET_ACCESS_KEY");
            let identity = has(variables, "AWS_WEB_IDENTITY_TOKEN_FILE") && has(variables, "AWS_ROLE_ARN");
            let container = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
            if !key && !identity && !container.iter().any(|name| has(variables, name)) {
                return Err(none(
                    repository,
                    "neither AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY nor a web identity is in the environment",
                    "set them, or give access-key-id and secret-access-key-env; for profiles and SSO \
                     credentials-command = \"aws configure export-credentials --format process\"",
                ));
            }
            builder = configured(builder, variables, |builder, key: AmazonS3ConfigKey, value| builder.with_config(key, value));
        }
        Credentials::Machine => {}
        Credentials::Anonymous => builder = builder.with_skip_signature(true),
        Credentials::Key { id, secret } => {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret.expose());
        }
        Credentials::Fetched(keys) => {
            builder = builder.with_credentials(Arc::new(Expiring::new(keys.clone(), credentials::aws, clock.clone())));
        }
        Credentials::File(_) => return Err(none(repository, "a file of this kind is not read", "use credentials-command")),
    }
    builder = builder.with_bucket_name(bucket).with_client_options(client(repository)?).with_retry(retry());
    if let Some(region) = &repository.region {
        builder = builder.with_region(region);
    }
    let virtual_hosted = repository.path_style == Some(false);
    if let Some(endpoint) = endpoint {
        let mut address = endpoint.clone();
        if virtual_hosted && let Some(host) = endpoint.host_str() {
            let _ = address.set_host(Some(&format!("{bucket}.{host}")));
        }
        builder = builder.with_endpoint(address.as_str().trim_end_matches('/'));
    }
    // Over TLS the bytes cannot change on the way, and are hashed by us in any case.
    let encrypted = endpoint.is_none_or(|endpoint| endpoint.scheme() == "https");
    Ok(builder.with_virtual_hosted_style_request(virtual_hosted).with_unsigned_payload(encrypted))
}

fn gcs(repository: &Repository, credentials: &Credentials, clock: &Arc<dyn Clock>) -> Result<GoogleCloudStorageBuilder, Problem> {
    let Place::Gcs { bucket, .. } = &repository.place else { return Ok(GoogleCloudStorageBuilder::new()) };
    let mut builder = GoogleCloudStorageBuilder::new();
    match credentials {
        Credentials::Environment(variables) => {
            let known = [
                "GOOGLE_APPLICATION_CREDENTIALS",
                "GOOGLE_SERVICE_ACCOUNT",
                "GOOGLE_SERVICE_ACCOUNT_PATH",
                "GOOGLE_SERVICE_ACCOUNT_KEY",
            ];
            if !known.iter().any(|name| has(variables, name)) {
                return Err(none(
                    repository,
                    "GOOGLE_APPLICATION_CREDENTIALS is not set",
                    "set it, or give credentials-file (the key of a service account) or \
                     credentials-command = \"gcloud auth print-access-token\"",
                ));
            }
            builder = configured(builder, variables, |builder, key: GoogleConfigKey, value| builder.with_config(key, value));
        }
        Credentials::Machine => {}
        Credentials::Anonymous => builder = builder.with_skip_signature(true),
        Credentials::File(path) => builder = builder.with_application_credentials(path.display().to_string()),
        Credentials::Fetched(keys) => {
            builder = builder.with_credentials(Arc::new(Expiring::new(keys.clone(), credentials::gcp, clock.clone())));
        }
        Credentials::Key { .. } => return Err(none(repository, "access keys are for S3", "use s3:// for Google's S3 keys")),
    }
    if let Some(endpoint) = &repository.endpoint {
        builder = builder.with_base_url(endpoint.as_str().trim_end_matches('/'));
    }
    Ok(builder.with_bucket_name(bucket).with_client_options(client(repository)?).with_retry(retry()))
}

fn azure(repository: &Repository, credentials: &Credentials, clock: &Arc<dyn Clock>) -> Result<MicrosoftAzureBuilder, Problem> {
    let Place::Azure { container, .. } = &repository.place else { return Ok(MicrosoftAzureBuilder::new()) };
    let mut builder = MicrosoftAzureBuilder::new();
    match credentials {
        Credentials::Environment(variables) => {
            let known = [
                "AZURE_STORAGE_ACCOUNT_KEY",
                "AZURE_STORAGE_ACCESS_KEY",
                "AZURE_STORAGE_SAS_KEY",
                "AZURE_STORAGE_SAS_TOKEN",
                "AZURE_STORAGE_TOKEN",
                "AZURE_CLIENT_SECRET",
                "AZURE_STORAGE_CLIENT_SECRET",
                "AZURE_FEDERATED_TOKEN_FILE",
                "IDENTITY_ENDPOINT",
            ];
            if !known.iter().any(|name| has(variables, name)) {
                return Err(none(
                    repository,
                    "no AZURE_STORAGE_ACCOUNT_KEY, AZURE_CLIENT_SECRET or federated token is in the environment",
                    "set one, or give account and secret-access-key-env; for a login \
                     credentials-command = \"az account get-access-token --resource https://storage.azure.com/\"",
                ));
            }
            builder = configured(builder, variables, |builder, key: AzureConfigKey, value| builder.with_config(key, value));
        }
        Credentials::Machine => {}
        Credentials::Anonymous => builder = builder.with_skip_signature(true),
        Credentials::Key { secret, .. } => builder = builder.with_access_key(secret.expose()),
        Credentials::Fetched(keys) => {
            builder = builder.with_credentials(Arc::new(Expiring::new(keys.clone(), credentials::azure, clock.clone())));
        }
        Credentials::File(_) => return Err(none(repository, "a file of this kind is not read", "use credentials-command")),
    }
    if let Some(account) = &repository.account {
        builder = builder.with_account(account);
    }
    if let Some(endpoint) = &repository.endpoint {
        builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/').to_owned());
    }
    Ok(builder.with_container_name(container).with_client_options(client(repository)?).with_retry(retry()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::backup::RepositoryName;
    use crate::domain::time::SystemClock;

    fn opened(place: &str, credentials: Credentials) -> Result<Bucket, Problem> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let repository = Repository::new(RepositoryName::new("offsite").unwrap(), Place::parse(place).unwrap());
        open(repository, credentials, &(Arc::new(SystemClock) as Arc<dyn Clock>))
    }

    #[test]
    fn missing_credentials_are_an_error_at_once() {
        for (place, words) in [("s3://b/p", "AWS_ACCESS_KEY_ID"), ("gs://b", "GOOGLE_APPLICATION"), ("az://c", "AZURE_STORAGE")] {
            let problem = opened(place, Credentials::Environment(vec![])).unwrap_err();
            assert!(problem.message.contains(words), "{problem}");
            assert!(problem.advice.contains("machine"), "{problem:?}");
        }
    }

    #[test]
    fn a_folder_that_is_not_mounted_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("mnt");
        let problem = opened(missing.to_str().unwrap(), Credentials::Anonymous).unwrap_err();
        assert!(problem.advice.contains("mounted"), "{problem:?}");
        assert!(!missing.exists());
    }
}
