//! The composition root: from a configuration to [`Services`].

use crate::config::repositories::{ConfiguredRepository, StoreCredentials};
use crate::config::secret_source::{Purpose, SecretSource};
use crate::config::{Config, ConfiguredInstance};
use crate::domain::backup::RepositoryName;
use crate::domain::ids::InstanceName;
use crate::domain::instance::Instance;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::repository::{Place, Repository};
use crate::domain::request_log::{Exchange, RequestLog};
use crate::domain::secret::SafeUrl;
use crate::domain::time::{Clock, SystemClock};
use crate::jobs::manager::JobManager;
use crate::jobs::row::JobEvent;
use crate::ops::journal::Journal;
use crate::ops::journal::downloads::InterruptedStore;
use crate::ops::journal::proofs::ProofStore;
use crate::ops::services::{Connection, Connector, Services, Webhook};
use crate::qdrant::api::QdrantApi;
use crate::qdrant::http::HttpNode;
use crate::qdrant::port;
use crate::repository;
use crate::repository::bucket::Bucket;
use crate::repository::credentials::{Credentials, Keys};
use async_trait::async_trait;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Chooses ring as the crypto provider; must run before the first HTTP client is made.
pub fn install_crypto() {
    // A second call finds it installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

struct HttpConnector {
    configured: Vec<ConfiguredInstance>,
    repositories: Vec<ConfiguredRepository>,
    repository: Option<RepositoryName>,
    webhook: Option<Arc<dyn Webhook>>,
    log: RequestLog,
}

/// Posts reports to an address.
struct HttpWebhook(SafeUrl);

/// A webhook that does not answer must not hold a backup up for longer.
const WEBHOOK_DEADLINE: Duration = Duration::from_secs(10);

#[async_trait]
impl Webhook for HttpWebhook {
    async fn send(&self, report: &serde_json::Value) -> Result<(), Problem> {
        // The rest of the address may be a token.
        let host = self.0.expose().host_str().unwrap_or_default().to_owned();
        let problem = |why: String| {
            Problem::new(ProblemKind::Failed, format!("the webhook was not told: {why}"), &host)
                .advise("check `webhook` in the configuration")
        };
        let client = reqwest::Client::builder().timeout(WEBHOOK_DEADLINE).redirect(reqwest::redirect::Policy::none()).build();
        let client = client.map_err(|error| problem(error.without_url().to_string()))?;
        let answer = client.post(self.0.expose().clone()).json(report).send().await;
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(problem(format!("it answered {}", answer.status()))),
            Err(error) => Err(problem(error.without_url().to_string())),
        }
    }
}

/// Credentials that a command prints, or that lie in a file.
#[derive(Debug)]
enum Fetch {
    Command(SecretSource),
    File(PathBuf),
}

#[async_trait]
impl Keys for Fetch {
    async fn fetch(&self) -> Result<String, Problem> {
        match self {
            Self::Command(command) => command.text("credentials-command").await,
            Self::File(path) => tokio::fs::read_to_string(path).await.map_err(|error| {
                Problem::new(ProblemKind::Usage, format!("the credentials cannot be read: {error}"), path.display().to_string())
                    .advise("check credentials-file in the configuration")
            }),
        }
    }
}

async fn store_credentials(configured: &ConfiguredRepository) -> Result<Credentials, Problem> {
    let name = configured.repository.name.as_str();
    Ok(match &configured.credentials {
        StoreCredentials::Environment(variables) => Credentials::Environment(variables.clone()),
        StoreCredentials::Machine => Credentials::Machine,
        StoreCredentials::Anonymous => Credentials::Anonymous,
        StoreCredentials::Key { id, secret } => {
            let secret = secret.fetch(&Purpose::StoreSecret, name).await?;
            let missing = || Problem::new(ProblemKind::Usage, "there is no secret-access-key", name);
            Credentials::Key { id: id.clone(), secret: secret.ok_or_else(missing)? }
        }
        StoreCredentials::Command(command) => {
            Credentials::Fetched(Arc::new(Fetch::Command(SecretSource::Command(command.clone()))))
        }
        // Google's client reads the key of a service account itself.
        StoreCredentials::File(path) if matches!(configured.repository.place, Place::Gcs { .. }) => {
            Credentials::File(path.clone())
        }
        StoreCredentials::File(path) => Credentials::Fetched(Arc::new(Fetch::File(path.clone()))),
    })
}

#[async_trait]
impl Connector for HttpConnector {
    fn instances(&self) -> Vec<Instance> {
        self.configured.iter().map(|configured| configured.instance.clone()).collect()
    }

    async fn connect(&self, name: &InstanceName) -> Result<Connection, Problem> {
        let found = self.configured.iter().find(|configured| &configured.instance.name == name);
        let configured = found.ok_or_else(|| Problem::new(ProblemKind::Usage, "no such instance", name.as_str()))?;
        let instance = configured.instance.clone();
        let access = configured.credentials.fetch(name.as_str()).await?;
        let mut nodes: Vec<Arc<dyn QdrantApi>> = Vec::new();
        let settled = instance.nodes.iter().map(|url| port::settle(&instance, url));
        for (index, url) in futures_util::future::try_join_all(settled).await?.iter().enumerate() {
            nodes.push(Arc::new(HttpNode::new(&instance, index, url, &access, &self.log)?));
        }
        Ok(Connection::new(instance, nodes, access))
    }

    fn repositories(&self) -> Vec<Repository> {
        self.repositories.iter().map(|configured| configured.repository.clone()).collect()
    }

    fn repository(&self) -> Option<RepositoryName> {
        self.repository.clone()
    }

    async fn open(&self, name: &RepositoryName) -> Result<Bucket, Problem> {
        let found = self.repositories.iter().find(|configured| configured.repository.name == *name);
        let configured = found.ok_or_else(|| Problem::new(ProblemKind::Usage, "no such repository", name.as_str()))?;
        let credentials = store_credentials(configured).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        repository::open::open(configured.repository.clone(), credentials, &clock)
    }

    fn webhook(&self) -> Option<Arc<dyn Webhook>> {
        self.webhook.clone()
    }

    fn requests(&self) -> Vec<Exchange> {
        self.log.all()
    }
}

/// Builds the bundle, and the receiving end of its job events.
pub fn services(config: &Config) -> (Arc<Services>, mpsc::Receiver<JobEvent>) {
    install_crypto();
    let (jobs, events) = JobManager::new();
    let connector = Box::new(HttpConnector {
        configured: config.instances.clone(),
        repositories: config.repositories.clone(),
        repository: config.repository.clone(),
        log: RequestLog::default(),
        webhook: config.webhook.clone().map(|url| Arc::new(HttpWebhook(url)) as Arc<dyn Webhook>),
    });
    let journal = Journal::new(&config.state_dir, &config.operator).inside(config.guard.clone()).keeping(config.keep_history);
    let proofs = ProofStore::new(&config.state_dir);
    let interrupted = InterruptedStore::new(&config.state_dir);
    (Arc::new(Services::new(connector, jobs, journal, proofs, interrupted, Arc::new(SystemClock))), events)
}
