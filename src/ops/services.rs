//! Everything an operation needs from outside, in one bundle.

use crate::domain::access::Access;
use crate::domain::backup::RepositoryName;
use crate::domain::ids::InstanceName;
use crate::domain::instance::{Instance, Protection};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::repository::Repository;
use crate::domain::request_log::Exchange;
use crate::domain::time::Clock;
use crate::jobs::limits::Resource;
use crate::jobs::manager::JobManager;
use crate::ops::journal::Journal;
use crate::ops::journal::downloads::InterruptedStore;
use crate::ops::journal::proofs::ProofStore;
use crate::qdrant::any_node::AnyNode;
use crate::qdrant::api::{InstanceApi, QdrantApi};
use crate::repository::bucket::Bucket;
use crate::repository::cache::Cache;
use crate::transfer::source::Line;
use crate::transfer::throttle::Throttle;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// A connected instance: one client per node.
pub struct Connection {
    /// What the configuration says.
    pub instance: Instance,
    /// Its nodes, in the order of the configuration; at least one.
    pub nodes: Vec<Arc<dyn QdrantApi>>,
    /// What its requests carry. Another server needs the key to fetch a snapshot from it.
    pub access: Access,
    whole: AnyNode,
}

impl Connection {
    /// Puts it together.
    pub fn new(instance: Instance, nodes: Vec<Arc<dyn QdrantApi>>, access: Access) -> Self {
        Self { instance, whole: AnyNode::new(nodes.clone()), nodes, access }
    }

    /// The instance as a whole: any live node answers. Which node a thing is on or goes to is for
    /// [`crate::ops::survey::placement`] to say.
    pub fn whole(&self) -> &dyn InstanceApi {
        &self.whole
    }

    /// The index of the node that answered for the whole last.
    pub fn preferred(&self) -> usize {
        self.whole.preferred()
    }

    /// A node by index.
    pub fn node(&self, index: usize) -> Result<&Arc<dyn QdrantApi>, Problem> {
        self.nodes.get(index).ok_or_else(|| {
            let message = format!("has {} nodes, there is no node {index}", self.nodes.len());
            Problem::new(ProblemKind::Usage, message, self.instance.name.as_str())
        })
    }

    /// A transfer slot of this instance.
    pub fn slot(&self) -> Resource {
        Resource::Slot { pool: self.instance.name.to_string(), size: self.instance.transfers.at_once }
    }
}

/// An open repository, with what was read of it.
pub struct OpenRepository {
    /// The door to it.
    pub bucket: Arc<Bucket>,
    /// Manifests and records that were read.
    pub cache: Cache,
    /// The limit that all transfers to and from it share.
    pub throttle: Throttle,
}

impl OpenRepository {
    /// A transfer slot of this repository.
    pub fn slot(&self) -> Resource {
        Resource::Slot { pool: format!("repository {}", self.bucket.repository.name), size: REPOSITORY_TRANSFERS }
    }
}

/// Transfers that run at once to or from one repository.
const REPOSITORY_TRANSFERS: usize = 4;

/// Tells somebody else how an operation ended.
#[async_trait]
pub trait Webhook: Send + Sync {
    /// Sends a report.
    ///
    /// # Errors
    /// When it was not taken.
    async fn send(&self, report: &serde_json::Value) -> Result<(), Problem>;
}

/// Makes connections: fetches keys, reads certificates.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Names and settings of all instances, in order.
    fn instances(&self) -> Vec<Instance>;
    /// Connects one. Fails for reasons of its own, such as a key command that fails.
    async fn connect(&self, name: &InstanceName) -> Result<Connection, Problem>;
    /// Settings of all repositories, in order.
    fn repositories(&self) -> Vec<Repository>;
    /// The repository that is meant where none is named.
    fn repository(&self) -> Option<RepositoryName>;
    /// Opens one. Fails for reasons of its own, such as missing credentials.
    async fn open(&self, name: &RepositoryName) -> Result<Bucket, Problem>;
    /// Where reports go, if anywhere.
    fn webhook(&self) -> Option<Arc<dyn Webhook>>;
    /// The last requests to servers, the oldest first.
    fn requests(&self) -> Vec<Exchange>;
}

/// The bundle.
pub struct Services {
    connector: Box<dyn Connector>,
    connections: BTreeMap<InstanceName, OnceCell<Arc<Connection>>>,
    instances: Vec<Instance>,
    throttles: BTreeMap<InstanceName, Throttle>,
    repositories: Vec<Repository>,
    opened: BTreeMap<RepositoryName, OnceCell<Arc<OpenRepository>>>,
    /// Running work.
    pub jobs: JobManager,
    /// What was done, step by step.
    pub journal: Arc<Journal>,
    /// What collections looked like when their snapshots were taken.
    pub proofs: ProofStore,
    /// Downloads that can be continued.
    pub interrupted: InterruptedStore,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Services {
    /// Puts the bundle together.
    pub fn new(
        connector: Box<dyn Connector>,
        jobs: JobManager,
        journal: Journal,
        proofs: ProofStore,
        interrupted: InterruptedStore,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let instances = connector.instances();
        let connections = instances.iter().map(|instance| (instance.name.clone(), OnceCell::new())).collect();
        let throttles =
            instances.iter().map(|instance| (instance.name.clone(), Throttle::new(instance.transfers.limit_rate))).collect();
        let repositories = connector.repositories();
        let opened = repositories.iter().map(|repository| (repository.name.clone(), OnceCell::new())).collect();
        Self {
            connector,
            connections,
            instances,
            throttles,
            repositories,
            opened,
            jobs,
            journal: Arc::new(journal),
            proofs,
            interrupted,
            clock,
        }
    }

    /// All instances, in the order of the configuration.
    pub fn instances(&self) -> &[Instance] {
        &self.instances
    }

    /// The instance's settings.
    pub fn instance(&self, name: &InstanceName) -> Result<&Instance, Problem> {
        self.instances.iter().find(|instance| &instance.name == name).ok_or_else(|| self.unknown(name))
    }

    /// The connection; made once. A failure is not kept: the next call tries again.
    pub async fn connection(&self, name: &InstanceName) -> Result<Arc<Connection>, Problem> {
        let cell = self.connections.get(name).ok_or_else(|| self.unknown(name))?;
        cell.get_or_try_init(|| async { self.connector.connect(name).await.map(Arc::new) }).await.cloned()
    }

    /// All repositories, in the order of the configuration.
    pub fn repositories(&self) -> &[Repository] {
        &self.repositories
    }

    /// The repository of this name, or the one that is meant where none is named.
    ///
    /// # Errors
    /// When there is none, or it is not clear which.
    pub fn repository(&self, name: Option<&RepositoryName>) -> Result<&Repository, Problem> {
        let known: Vec<&str> = self.repositories.iter().map(|repository| repository.name.as_str()).collect();
        let usual = self.connector.repository();
        let wrong = |message: String, advice: String| Problem::new(ProblemKind::Usage, message, "").advise(advice);
        match name.or(usual.as_ref()) {
            Some(name) => self.repositories.iter().find(|repository| repository.name == *name).ok_or_else(|| {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                wrong(format!("no repository is called `{name}`"), format!("known are: {known}; `qsnap config show` lists them"))
            }),
            None if known.is_empty() => Err(wrong(
                "no repository is configured".into(),
                "add one to the configuration: [repositories.offsite] with url = \"file:///path\" or \"s3://bucket/prefix\""
                    .into(),
            )),
            None => Err(wrong(
                format!("there are several repositories: {}", known.join(", ")),
                "give --repository NAME, or set `repository` in the configuration".into(),
            )),
        }
    }

    /// The open repository; opened once. A failure is not kept: the next call tries again.
    ///
    /// # Errors
    /// When it is not known, or cannot be opened.
    pub async fn open(&self, name: &RepositoryName) -> Result<Arc<OpenRepository>, Problem> {
        let settings = self.repository(Some(name))?;
        let cell = self.opened.get(name).ok_or_else(|| Problem::new(ProblemKind::Usage, "no such repository", name.as_str()))?;
        let opening = || async {
            let bucket = Arc::new(self.connector.open(name).await?);
            let throttle = Throttle::new(settings.limit_rate);
            Ok(Arc::new(OpenRepository { bucket, cache: Cache::default(), throttle }))
        };
        cell.get_or_try_init(opening).await.cloned()
    }

    /// The last requests to servers, the oldest first. Those to repositories are not among them.
    pub fn requests(&self) -> Vec<Exchange> {
        self.connector.requests()
    }

    /// Where reports of backups go, if anywhere.
    pub fn webhook(&self) -> Option<Arc<dyn Webhook>> {
        self.connector.webhook()
    }

    /// The limit that all transfers of an instance share.
    pub fn throttle(&self, name: &InstanceName) -> Result<&Throttle, Problem> {
        self.throttles.get(name).ok_or_else(|| self.unknown(name))
    }

    /// How the way to an instance is used.
    pub fn line(&self, name: &InstanceName) -> Result<Line, Problem> {
        let transfers = &self.instance(name)?.transfers;
        Ok(Line {
            throttle: self.throttle(name)?.clone(),
            streams: transfers.streams,
            stall: transfers.stall,
            first_wait: transfers.first_wait,
        })
    }

    /// Whether a rate limit holds for one of these instances.
    pub fn limited(&self, names: &[&InstanceName]) -> bool {
        names.iter().any(|name| self.throttle(name).is_ok_and(|throttle| throttle.rate().is_some()))
    }

    /// Refuses changes to a read-only instance.
    pub fn writable(&self, name: &InstanceName) -> Result<(), Problem> {
        if self.instance(name)?.protection == Protection::ReadOnly {
            return Err(Problem::new(ProblemKind::Refused, "the instance is read-only for qsnap", name.as_str())
                .advise("change `protection` in the configuration, or leave out --read-only, if this is meant to be changed"));
        }
        Ok(())
    }

    fn unknown(&self, name: &InstanceName) -> Problem {
        let known: Vec<&str> = self.instances.iter().map(|instance| instance.name.as_str()).collect();
        Problem::new(ProblemKind::Usage, format!("no instance is called `{name}`"), "")
            .advise(format!("known are: {}; `qsnap config show` tells where they come from", known.join(", ")))
    }
}
