//! Taking a snapshot on every node that holds shards of the collection, with the proof sample.

use crate::domain::address::CollectionAddress;
use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::limits::Resource;
use crate::ops::gates;
use crate::ops::plan::facts::Facts;
use crate::ops::plan::finding::Finding;
use crate::ops::plan::{Plan, Step, Work};
use crate::ops::recovery::take::{still_there, take};
use crate::ops::report::{BytesAre, Report};
use crate::ops::request::Request;
use crate::ops::request::snapshots::CreateRequest;
use crate::ops::services::Services;
use crate::ops::steps::Steps;
use crate::ops::survey::locate::{NameUse, name_use};
use crate::ops::survey::membership::membership;
use crate::ops::survey::placement;
use crate::qdrant::error::ApiError;
use async_trait::async_trait;
use std::sync::Arc;

/// The snapshots to take.
#[derive(Debug)]
struct Create {
    address: CollectionAddress,
    /// Nodes that hold shards.
    nodes: Vec<usize>,
    /// What the snapshots will not hold, in words.
    missing: Option<String>,
}

/// The plan, computed by reading only.
pub(super) async fn plan(services: &Services, asked: CollectionAddress) -> Result<Plan, Problem> {
    let address = &asked;
    let connection = services.connection(&address.instance).await?;
    let problem = |error: ApiError| error.into_problem(address.to_string());
    if let NameUse::Alias(real) = name_use(&connection, address).await? {
        let real = CollectionAddress::new(address.instance.clone(), real);
        return Err(Problem::new(ProblemKind::Usage, format!("is an alias of {real}"), address.to_string())
            .advise(format!("name {real} itself")));
    }
    let held = placement::held(&connection, address).await.map_err(problem)?;
    let source = match connection.whole().collection(&address.collection).await {
        Ok(info) => Finding::good("source", format!("{address}: {}, status {}", info.vectors_in_words(), info.status.word())),
        // Shards without a live replica cannot be asked; the others can still be saved.
        Err(error) if error.is_damage() && !held.silent.is_empty() => {
            let words = format!("{address} cannot be read while a node does not answer: {}", error.message);
            Finding::look("source", words, "what the other nodes hold can be saved, without a proof")
        }
        Err(error) => return Err(problem(error)),
    };
    let holder = connection.node(placement::holder(&connection, address).await)?;
    let activity = holder.snapshot_activity(&address.collection).await.ok().flatten();
    let mut findings = vec![source];
    findings.extend(gates::snapshot_name(&address.collection));
    let nodes = held.nodes.clone();
    findings.extend(held.findings());
    findings.extend(membership(&connection).await.findings());
    findings.push(gates::idle(activity, &address.to_string()));
    let where_to = if nodes.len() > 1 { format!("on {} nodes", nodes.len()) } else { "on the node".to_owned() };
    let protection = connection.instance.protection;
    let mut facts = Facts::default();
    facts.text("nodes with shards", format!("{nodes:?}"));
    let missing = held.missing_words();
    let work = Create { address: address.clone(), nodes, missing };
    let request = CreateRequest { of: address.clone().into() };
    Ok(Plan {
        title: format!("snapshot {address}"),
        changes: Some((address.clone(), protection)),
        only_saves: true,
        source: address.to_string(),
        target: address.to_string(),
        steps: vec![
            Step::new("sample", "count the points and read a proof sample"),
            Step::new(
                "snapshot",
                format!("take the snapshot {where_to}; it needs about the collection's size on the server's disk"),
            ),
            Step::new("record", "keep the proof, so that a restore can be proven"),
        ],
        findings,
        facts,
        needs: vec![Resource::Exclusive(address.to_string())],
        ..Plan::of(Request::Create(request), work)
    })
}

#[async_trait]
impl Work for Create {
    async fn again(&self, services: &Services) -> Result<Plan, Problem> {
        plan(services, self.address.clone()).await
    }

    async fn run(&self, services: &Arc<Services>, plan: &Plan, steps: &mut Steps<'_>) -> Result<Report, Problem> {
        let address = &self.address;
        let connection = services.connection(&address.instance).await?;
        let (mut created, mut bytes) = (Vec::new(), 0_u64);
        for node in self.nodes.iter().copied() {
            let taken = take(services, steps, (&connection, node, address), ("snapshot", None)).await?;
            let kept = still_there(&connection, node, address, &taken.snapshot, taken.begun);
            steps.run("keep the snapshot", "", kept).await?;
            bytes += taken.snapshot.size;
            created.push(address.snapshot(&taken.snapshot.name));
        }
        let failures = self.missing.clone().map(|words| {
            Problem::new(ProblemKind::Partly, words, address.to_string())
                .advise("bring that node back and take the snapshots again; what was taken can be restored, without those shards")
        });
        Ok(Report { bytes, bytes_are: BytesAre::Kept, created, failures: failures.into_iter().collect(), ..plan.report() })
    }
}
