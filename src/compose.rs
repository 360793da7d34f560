//! The composition root: from a configuration to [`Services`].

use crate::config::{Config, ConfiguredInstance};
use crate::domain::ids::InstanceName;
use crate::domain::instance::Instance;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::time::SystemClock;
use crate::jobs::manager::JobManager;
use crate::jobs::row::JobEvent;
use crate::ops::journal::Journal;
use crate::ops::journal::downloads::InterruptedStore;
use crate::ops::journal::proofs::ProofStore;
use crate::ops::services::{Connection, Connector, Services};
use crate::qdrant::api::QdrantApi;
use crate::qdrant::http::HttpNode;
use crate::qdrant::port;
use async_trait::async_trait;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Chooses ring as the crypto provider; must run before the first HTTP client is made.
pub fn install_crypto() {
    // A second call finds it installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

struct HttpConnector {
    configured: Vec<ConfiguredInstance>,
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
            nodes.push(Arc::new(HttpNode::new(&instance, index, url, &access)?));
        }
        Ok(Connection::new(instance, nodes, access))
    }
}

/// Builds the bundle, and the receiving end of its job events.
pub fn services(config: &Config) -> (Arc<Services>, mpsc::Receiver<JobEvent>) {
    install_crypto();
    let (jobs, events) = JobManager::new();
    let connector = Box::new(HttpConnector { configured: config.instances.clone() });
    let journal = Journal::new(&config.state_dir, &config.operator).inside(config.guard.clone());
    let proofs = ProofStore::new(&config.state_dir);
    let interrupted = InterruptedStore::new(&config.state_dir);
    (Arc::new(Services::new(connector, jobs, journal, proofs, interrupted, Arc::new(SystemClock))), events)
}
