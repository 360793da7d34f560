//! One shard into a node that holds a replica of it: out of a repository, or straight from the node that streams it.

use crate::domain::collection::CollectionCluster;
use crate::domain::ids::{ShardId, SnapshotName};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::snapshot::SnapshotScope;
use crate::jobs::context::JobContext;
use crate::ops::recovery::await_server::{Followed, follow};
use crate::ops::recovery::delivered::{Broken, Impact, impact_of};
use crate::ops::recovery::destination::Destination;
use crate::ops::recovery::meant::{Meant, as_meant};
use crate::ops::recovery::optimizer::{Patience, Sign, sign};
use crate::ops::recovery::shard_begin::StreamOf;
use crate::ops::request::route::Route;
use crate::ops::services::Services;
use crate::ops::steps::Ledger;
use crate::ops::survey::backup_files::FileSource;
use crate::ops::survey::live_shards::LiveShards;
use crate::ops::survey::placement;
use crate::qdrant::api::{QdrantApi, Recover, Upload};
use crate::qdrant::error::ApiErrorKind;
use crate::transfer::pump::{AtEnd, Body, Pump};
use crate::transfer::source::Line;
use std::sync::Arc;
use std::time::Duration;

/// So long after a target was told to fetch it, its stream has begun.
const FETCH_BEGINS: Duration = Duration::from_millis(300);

/// Where the bytes of a shard are.
pub(super) enum ShardBytes<'a> {
    /// In a repository, read over this line.
    Stored(FileSource, Line),
    /// On its node, which streams them.
    Live(&'a LiveShards),
}

/// A restore shard by shard, on its way.
pub(super) struct ShardDelivery<'a> {
    pub(super) services: &'a Services,
    pub(super) job: &'a JobContext,
    pub(super) destination: &'a Destination,
    pub(super) ledger: &'a Ledger,
    pub(super) patience: &'a Patience,
    /// The route of live shards.
    pub(super) route: Route,
    /// Whether another route may be tried.
    pub(super) falls_back: bool,
    /// One was handed over: a cancel would leave half a collection.
    pub(super) handed_over: bool,
    /// Why the target did not fetch them by itself.
    pub(super) reason: Option<String>,
    /// Shards whose node optimized something while they streamed: they may lack deletions.
    pub(super) unsettled: Vec<ShardId>,
    /// Bytes that went through qsnap.
    pub(super) bytes: u64,
    /// A connection was lost: somebody must look what came of it.
    pub(super) must_look: bool,
}

impl ShardDelivery<'_> {
    /// Brings one.
    pub(super) async fn bring(&mut self, shard: ShardId, bytes: ShardBytes<'_>) -> Result<(), Broken> {
        let before = if self.handed_over { Impact::Maybe } else { Impact::No };
        let refused = |problem| Broken { problem, impact: before };
        let node = self.holder(shard).await.map_err(refused)?;
        if !self.handed_over {
            // Another client may have filled it meanwhile.
            as_meant(self.destination, Meant::Empty, &self.job.progress).await.map_err(refused)?;
        }
        self.job.progress.note(&format!("shard {shard} to {}", node.url()));
        let brought = match bytes {
            ShardBytes::Stored(file, line) => {
                let (size, sha256) = (file.expected.size, file.expected.sha256.clone());
                let outlet = self.destination.outlet(self.services, None).map_err(refused)?;
                let pump = Pump::from_source(file.source, file.expected, line, outlet, &self.job.progress, self.at_end());
                self.send(&node, shard, (Some(size), sha256), pump).await
            }
            ShardBytes::Live(from) if self.route == Route::Url => self.fetch(&node, shard, from).await,
            ShardBytes::Live(from) => self.stream(&node, shard, from).await,
        };
        brought.map_err(|problem| Broken { problem, impact: if self.handed_over { Impact::Maybe } else { before } })
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
    ) -> Result<(), Problem> {
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
        match outcome {
            Ok(Followed::Answered(())) => {}
            Ok(Followed::MustLook) => self.must_look = true,
            Err(error) => {
                let shown = format!("{address} shard {shard}");
                return Err(pump.failure().unwrap_or_else(|| error.into_problem(shown)));
            }
        }
        self.bytes += pump.sent();
        Ok(())
    }

    /// Through qsnap: the last bytes are held back until the stream has come to its end.
    async fn stream(&mut self, node: &Arc<dyn QdrantApi>, shard: ShardId, from: &LiveShards) -> Result<(), Problem> {
        let (source, line) = (from.node(shard)?.clone(), self.services.line(&from.address.instance)?);
        let stream = StreamOf { node: source.as_ref(), collection: &from.address.collection, shard, line: &line };
        let (download, begun) = stream.begin(self.services, self.patience, None, &self.job.progress).await?;
        let Some(download) = download else {
            return Err(Problem::new(ProblemKind::Failed, "the server sent nothing", stream.shown()).advise("try again"));
        };
        let outlet = self.destination.outlet(self.services, Some(&from.address.instance))?;
        let pump = Pump::from_stream(download, line.clone(), stream.shown(), outlet, &self.job.progress, self.at_end());
        self.send(node, shard, (None, None), pump).await?;
        if !stream.end(&begun).await? {
            self.unsettled.push(shard);
        }
        Ok(())
    }

    /// The target fetches it by itself. Where that says that it cannot, the others are not tried that way again.
    async fn fetch(&mut self, node: &Arc<dyn QdrantApi>, shard: ShardId, from: &LiveShards) -> Result<(), Problem> {
        let (address, name) = (&self.destination.address, &from.address.collection);
        let (source, line) = (from.node(shard)?.clone(), self.services.line(&from.address.instance)?);
        let stream = StreamOf { node: source.as_ref(), collection: name, shard, line: &line };
        let idle = self.patience.wait(source.as_ref(), name, &self.job.progress).await?;
        let _claim = stream.claim(self.services, &self.job.progress).await;
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
        let call = async {
            let looked = async {
                tokio::time::sleep(FETCH_BEGINS).await;
                sign(source.as_ref(), name).await
            };
            tokio::join!(node.recover(&scope, recover), looked)
        };
        let call = async {
            let (answer, seen) = call.await;
            answer.map(|()| seen)
        };
        match follow(node.as_ref(), &address.collection, &self.job.progress, call).await {
            Ok(outcome) => {
                self.handed_over = true;
                let idle = idle && matches!(outcome, Followed::Answered(Sign::Idle | Sign::Unknown));
                self.must_look |= matches!(outcome, Followed::MustLook);
                if !stream.still_active().await? || !idle {
                    self.unsettled.push(shard);
                }
                Ok(())
            }
            Err(error) if error.cannot_fetch() => {
                if !self.handed_over {
                    self.job.unseal();
                    self.ledger.handed_back();
                }
                if self.falls_back {
                    (self.route, self.reason) = (Route::Stream, Some(format!("url did not work: {}", error.message)));
                    return Box::pin(self.stream(node, shard, from)).await;
                }
                let advice = "choose the route stream: the bytes then go through qsnap";
                Err(error.into_problem(format!("{address} shard {shard}")).advise(advice))
            }
            Err(error) => {
                self.handed_over |= !impact_of(&error).nothing() && error.kind != ApiErrorKind::Unreachable;
                Err(error.into_problem(format!("{address} shard {shard}")))
            }
        }
    }
}
