//! One shard into a node that holds a replica of it: out of a repository, or straight from the node that streams it.

use crate::domain::collection::CollectionCluster;
use crate::domain::ids::{ShardId, SnapshotName};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::snapshot::SnapshotScope;
use crate::jobs::context::JobContext;
use crate::ops::recovery::await_server::{Followed, follow};
use crate::ops::recovery::destination::Destination;
use crate::ops::recovery::meant::{Meant, as_meant};
use crate::ops::recovery::optimizer::{self, Optimizer};
use crate::ops::recovery::shard_stream::await_first;
use crate::ops::request::route::Route;
use crate::ops::services::Services;
use crate::ops::steps::Ledger;
use crate::ops::survey::backup_files::FileSource;
use crate::ops::survey::first_route::{End, first_route};
use crate::ops::survey::live_shards::LiveShards;
use crate::ops::survey::placement;
use crate::qdrant::api::{QdrantApi, Recover, Upload};
use crate::qdrant::error::ApiErrorKind;
use crate::transfer::pump::{AtEnd, Body, Pump};
use crate::transfer::source::Line;
use std::sync::Arc;

/// Where the bytes of a shard are.
pub(super) enum ShardBytes<'a> {
    /// In a repository, read over this line.
    Stored(FileSource, Line),
    /// On its node, which streams them.
    Live(&'a LiveShards),
}

/// What the shards of one restore have in common.
pub(super) struct Into<'a> {
    pub(super) services: &'a Services,
    pub(super) job: &'a JobContext,
    pub(super) destination: &'a Destination,
    pub(super) ledger: &'a Ledger,
    pub(super) optimizer: &'a Optimizer,
    pub(super) route: Route,
    /// One was handed over: a cancel would leave half a collection.
    pub(super) handed_over: bool,
}

/// A shard that came.
pub(super) struct Came {
    /// Bytes that went through qsnap.
    pub(super) bytes: u64,
    /// Somebody must look what came of it.
    pub(super) looked: bool,
    /// The target fetched it.
    pub(super) fetched: bool,
}

impl Into<'_> {
    /// Brings one.
    pub(super) async fn bring(&mut self, shard: ShardId, bytes: ShardBytes<'_>) -> Result<Came, Problem> {
        let node = self.holder(shard).await?;
        if !self.handed_over {
            // Another client may have filled it meanwhile.
            as_meant(self.destination, Meant::Empty, &self.job.progress).await?;
        }
        self.job.progress.note(&format!("shard {shard} to {}", node.url()));
        match bytes {
            ShardBytes::Stored(file, line) => {
                let (size, sha256) = (file.expected.size, file.expected.sha256.clone());
                let outlet = self.destination.outlet(self.services, None)?;
                let pump = Pump::from_source(file.source, file.expected, line, outlet, &self.job.progress, self.at_end());
                self.send(&node, shard, (Some(size), sha256), pump).await
            }
            ShardBytes::Live(from) => {
                let source = from.node(shard)?.clone();
                let limited = self.services.limited(&[&from.address.instance, &self.destination.address.instance]);
                let ends = (
                    End::of(&from.connection, source.url()).with_collection(&from.address.collection),
                    End::of(&self.destination.connection, node.url()),
                );
                let (route, _) = first_route(self.route, Some(ends.0), ends.1, limited);
                if route == Route::Url
                    && let Some(came) = self.fetch(&node, &source, shard, from).await?
                {
                    return Ok(came);
                }
                self.stream(&node, &source, shard, from).await
            }
        }
    }

    /// The node that holds a replica of it.
    async fn holder(&self, shard: ShardId) -> Result<Arc<dyn QdrantApi>, Problem> {
        let (connection, address) = (&self.destination.connection, &self.destination.address);
        let clusters = placement::clusters(connection, address).await;
        let holds =
            |cluster: &CollectionCluster| cluster.replicas.iter().any(|replica| replica.shard == shard && replica.peer.is_none());
        let holder = clusters.iter().position(|answer| answer.as_ref().is_ok_and(holds));
        let none = || {
            let words = format!("no configured node that answers holds shard {shard}");
            Problem::new(ProblemKind::Failed, words, address.to_string())
                .advise("give all nodes of the cluster in the configuration, and bring them back")
        };
        connection.node(holder.ok_or_else(none)?).cloned()
    }

    /// From the first shard on a cancel would leave half a collection: it waits.
    fn at_end(&self) -> impl AtEnd {
        let (job, ledger, again) = (self.job.clone(), self.ledger.clone(), self.handed_over);
        async move {
            let sealed = again || job.seal();
            if sealed && !again {
                ledger.handed_over();
                job.resumable(None);
            }
            Ok(sealed)
        }
    }

    fn scope(&self, shard: ShardId) -> SnapshotScope {
        SnapshotScope::Shard(self.destination.address.collection.clone(), shard)
    }

    async fn send(
        &mut self,
        node: &Arc<dyn QdrantApi>,
        shard: ShardId,
        (size, sha256): (Option<u64>, Option<String>),
        (pump, body): (Pump, Body),
    ) -> Result<Came, Problem> {
        let address = &self.destination.address;
        let name = SnapshotName::new(format!("qsnap-shard-{shard}.snapshot"));
        let upload = Upload { file_name: name.raw().to_owned(), size, body, sha256 };
        let scope = self.scope(shard);
        let sending = node.upload(&scope, upload);
        let outcome = tokio::select! {
            biased;
            problem = pump.given_up() => return Err(problem),
            outcome = follow(node.as_ref(), &address.collection, &self.job.progress, sending) => outcome,
        };
        self.handed_over = true;
        let looked = match outcome {
            Ok(Followed::Answered(())) => false,
            Ok(Followed::MustLook) => true,
            Err(error) => {
                let shown = format!("{address} shard {shard}");
                return Err(pump.failure().unwrap_or_else(|| error.into_problem(shown)));
            }
        };
        Ok(Came { bytes: pump.sent(), looked, fetched: false })
    }

    /// Through qsnap: the last bytes are held back until the stream has come to its end.
    async fn stream(
        &mut self,
        node: &Arc<dyn QdrantApi>,
        source: &Arc<dyn QdrantApi>,
        shard: ShardId,
        from: &LiveShards,
    ) -> Result<Came, Problem> {
        let (name, line) = (&from.address.collection, self.services.line(&from.address.instance)?);
        let shown = format!("{}/collections/{name}/shards/{shard}/snapshot", source.url());
        // Two streams of one shard: the second would wait for the first, and look like a server that hangs.
        let claim = format!("stream of shard {shard} of {name} at {}", source.url());
        let _claim = self.services.journal.wait_for_claim(&claim, &self.job.progress).await;
        let download = loop {
            let rests = self.optimizer.rests(source.as_ref(), name, &self.job.progress).await?;
            let opening = async {
                let mut download = source.stream_shard(name, shard).await?;
                await_first(&mut download, &line, &shown).await.map(|()| download)
            };
            let download = opening.await.map_err(|error| error.into_problem(&shown))?;
            if !rests || !matches!(optimizer::asked(source.as_ref(), name).await, Ok(Some(true))) {
                break download;
            }
        };
        self.job.progress.phase("streaming shards", None);
        let outlet = self.destination.outlet(self.services, Some(&from.address.instance))?;
        let pump = Pump::from_stream(download, line, shown, outlet, &self.job.progress, self.at_end());
        self.send(node, shard, (None, None), pump).await
    }

    /// The target fetches it by itself; `None` where it says that it cannot, and another route may be tried.
    async fn fetch(
        &mut self,
        node: &Arc<dyn QdrantApi>,
        source: &Arc<dyn QdrantApi>,
        shard: ShardId,
        from: &LiveShards,
    ) -> Result<Option<Came>, Problem> {
        let (address, name) = (&self.destination.address, &from.address.collection);
        self.optimizer.rests(source.as_ref(), name, &self.job.progress).await?;
        let location = source.shard_url(name, shard);
        let recover = Recover { location, api_key: from.connection.access.api_key.clone(), sha256: None };
        if !self.handed_over {
            if !self.job.seal() {
                // A cancel came first: this task is about to be dropped here.
                std::future::pending::<()>().await;
            }
            self.ledger.handed_over();
            self.job.resumable(None);
        }
        self.job.progress.phase("the target fetches shards", None);
        let scope = self.scope(shard);
        let call = node.recover(&scope, recover);
        match follow(node.as_ref(), &address.collection, &self.job.progress, call).await {
            Ok(Followed::Answered(())) => {
                self.handed_over = true;
                Ok(Some(Came { bytes: 0, looked: false, fetched: true }))
            }
            Ok(Followed::MustLook) => {
                self.handed_over = true;
                Ok(Some(Came { bytes: 0, looked: true, fetched: true }))
            }
            Err(error) if self.route == Route::Auto && error.cannot_fetch() => {
                if !self.handed_over {
                    self.job.unseal();
                    self.ledger.handed_back();
                }
                Ok(None)
            }
            Err(error) => {
                self.handed_over |= !matches!(error.kind, ApiErrorKind::Unreachable);
                Err(error.into_problem(format!("{address} shard {shard}")))
            }
        }
    }
}
