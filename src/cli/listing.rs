//! Lists: a table, or one JSON document with what could be read and what could not.

use crate::cli::args::Output;
use crate::cli::exit::ExitStatus;
use crate::cli::printer::Printer;
use crate::domain::address::{Address, CollectionAddress, SnapshotsOf};
use crate::domain::ids::InstanceName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::{size, time};
use crate::ops::services::Services;
use crate::ops::survey::listing::{self, CollectionView, InstanceView, ProofState, RecoveryPointView};
use crate::ops::survey::shard_map::shard_map;
use comfy_table::{Table, presets};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Rows, documents and problems gathered for one list.
pub(super) struct Gathered {
    header: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
    pub(super) items: Vec<Value>,
    pub(super) errors: Vec<(String, Problem)>,
    /// Shown below a table; the documents have them elsewhere.
    pub(super) notes: Vec<String>,
    /// Of the configuration.
    warnings: Option<Vec<String>>,
}

impl Gathered {
    pub(super) fn new(header: Vec<&'static str>) -> Self {
        Self { header, rows: Vec::new(), items: Vec::new(), errors: Vec::new(), notes: Vec::new(), warnings: None }
    }

    pub(super) fn print(self, printer: Printer) -> ExitStatus {
        match printer.output {
            Output::Json => {
                let errors = self.errors.iter().map(|(instance, problem)| {
                    json!({"instance": instance, "kind": problem.kind, "message": problem.to_string(), "advice": problem.advice})
                });
                let mut document = json!({"version": 1, "items": self.items, "errors": errors.collect::<Vec<_>>()});
                if let Some(warnings) = &self.warnings {
                    document["warnings"] = json!(warnings);
                }
                printer.json(&document);
            }
            Output::Table => {
                let mut table = Table::new();
                table.load_style(presets::NOTHING).set_header(&self.header);
                table.add_rows(&self.rows);
                let lines = table.lines().map(|line| line.trim_end().trim_start_matches(' ').to_owned());
                printer.text(&lines.collect::<Vec<_>>().join("\n"));
                for note in &self.notes {
                    printer.note(&format!("note: {note}"));
                }
                for warning in self.warnings.iter().flatten() {
                    printer.note(&format!("warning: {warning}"));
                }
                for (_, problem) in &self.errors {
                    printer.problem(problem);
                }
            }
        }
        let failed: Vec<ExitStatus> = self.errors.iter().map(|(_, problem)| ExitStatus::of_problem(problem.kind)).collect();
        match (self.items.is_empty(), failed.is_empty()) {
            (_, true) => ExitStatus::Done,
            (true, false) => ExitStatus::of_all(&failed),
            (false, false) => ExitStatus::Partly,
        }
    }
}

/// `qsnap instances`
pub async fn instances(services: &Services, printer: Printer) -> ExitStatus {
    checked_instances(services, printer, None).await
}

/// `qsnap config check`: the instances, and the warnings about their configuration.
pub async fn checked_instances(services: &Services, printer: Printer, warnings: Option<Vec<String>>) -> ExitStatus {
    let mut gathered = Gathered::new(vec!["INSTANCE", "VERSION", "PROTECTION", "STATE", "NODES"]);
    gathered.warnings = warnings;
    let asked = services.instances().iter().map(|instance| listing::instance(services, &instance.name));
    let (mut working, mut failing) = (0, Vec::new());
    for view in futures_util::future::join_all(asked).await.into_iter().flatten() {
        let InstanceView { name, nodes, silent, peers, notes, version, protection, problem } = view;
        let reachable = version.is_some() || problem.is_none();
        let version_text = version.map(|version| version.to_string());
        let dead = silent.iter().flatten().count();
        let state = match &problem {
            None => "ok",
            Some(_) if dead > 0 && dead < nodes.len() => "node down",
            Some(problem) if problem.kind == ProblemKind::Unreachable => "unreachable",
            Some(problem) if problem.kind == ProblemKind::NotAllowed => "key refused",
            Some(_) => "problem",
        };
        let shown = version_text.clone().unwrap_or_else(|| "-".into());
        let node = |(url, why): (&String, &Option<String>)| match why {
            Some(_) if nodes.len() > 1 => format!("{url} (down)"),
            _ => url.clone(),
        };
        let silent = silent.into_iter().chain(std::iter::repeat(None));
        let states: Vec<(&String, Option<String>)> = nodes.iter().zip(silent).collect();
        let shown_nodes: Vec<String> = states.iter().map(|(url, why)| node((url, why))).collect();
        gathered.rows.push(vec![name.to_string(), shown, protection.word().into(), state.into(), shown_nodes.join(" ")]);
        let peers = peers.into_iter().chain(std::iter::repeat(None));
        let states: Vec<Value> = states
            .iter()
            .zip(peers)
            .map(|((url, why), peer)| json!({"url": url, "answers": why.is_none(), "problem": why, "peer_id": peer}))
            .collect();
        gathered.items.push(json!({"name": name.as_str(), "nodes": nodes, "notes": notes, "version": version_text,
            "node_states": states, "reachable": reachable, "state": state, "protection": protection.word()}));
        gathered.notes.extend(notes.into_iter().map(|note| format!("{name}: {note}")));
        match problem {
            Some(problem) => {
                failing.push(ExitStatus::of_problem(problem.kind));
                gathered.errors.push((name.to_string(), problem));
            }
            None => working += 1,
        }
    }
    gathered.print(printer);
    match (working, failing.is_empty()) {
        (_, true) => ExitStatus::Done,
        (0, false) => ExitStatus::of_all(&failing),
        _ => ExitStatus::Partly,
    }
}

/// `qsnap collections [INSTANCE]`
pub async fn collections(services: &Services, printer: Printer, only: Option<InstanceName>) -> ExitStatus {
    let names: Vec<InstanceName> = match only {
        Some(name) => vec![name],
        None => services.instances().iter().map(|instance| instance.name.clone()).collect(),
    };
    let mut gathered = Gathered::new(vec!["COLLECTION", "POINTS", "STATUS", "NEWEST", "RECOVERY POINTS", "ALIASES"]);
    let asked = names.iter().map(|name| listing::collections(services, name));
    let answers = futures_util::future::join_all(asked).await;
    let now = services.clock.now();
    for (name, answer) in names.iter().zip(answers) {
        match answer {
            Ok(listing) => {
                for view in &listing.items {
                    gathered.rows.push(collection_row(view, now));
                    gathered.items.push(collection_item(view));
                }
                gathered.errors.extend(listing.problems.into_iter().map(|problem| (name.to_string(), problem)));
            }
            Err(problem) => gathered.errors.push((name.to_string(), problem)),
        }
    }
    gathered.print(printer)
}

/// `qsnap collections INSTANCE/COLLECTION`
pub async fn shards(services: &Services, printer: Printer, address: &CollectionAddress) -> ExitStatus {
    let mut gathered = Gathered::new(vec!["SHARD", "NODE", "STATE", "POINTS"]);
    match shard_map(services, address).await {
        Ok(map) => {
            for shard in &map.shards {
                for replica in &shard.replicas {
                    let node = replica.node.clone().unwrap_or_else(|| format!("peer {}", replica.peer));
                    let points = replica.points.map_or_else(|| "-".into(), size::exact);
                    gathered.rows.push(vec![shard.name(), node, replica.state.clone(), points]);
                    gathered.items.push(json!({"address": address.to_string(), "shard": shard.id, "key": shard.key,
                        "node": replica.node, "peer_id": replica.peer, "state": replica.state, "points": replica.points}));
                }
            }
            gathered.errors.extend(map.problems.into_iter().map(|problem| (address.instance.to_string(), problem)));
        }
        Err(problem) => gathered.errors.push((address.to_string(), problem)),
    }
    gathered.print(printer)
}

fn collection_row(view: &CollectionView, now: Timestamp) -> Vec<String> {
    vec![
        view.address.to_string(),
        view.points.map_or_else(|| "-".into(), size::exact),
        view.status.as_ref().map_or("-", |status| status.word()).to_owned(),
        match (view.newest, view.recovery_points) {
            (Some(at), _) => time::ago(now, at),
            (None, Some(0)) => "never".into(),
            (None, _) => "-".into(),
        },
        view.recovery_points.map_or_else(
            || "-".into(),
            |count| match view.safety_snapshots {
                0 => count.to_string(),
                safety => format!("{count} + {safety} safety"),
            },
        ),
        view.aliases.join(","),
    ]
}

fn collection_item(view: &CollectionView) -> Value {
    json!({"address": view.address.to_string(), "instance": view.address.instance.as_str(), "name": view.address.collection.to_string(),
        "status": view.status, "points": view.points, "aliases": view.aliases, "recovery_points": view.recovery_points,
        "safety_snapshots": view.safety_snapshots, "newest_recovery_point": view.newest.map(|at| at.to_string())})
}

/// `qsnap snapshots list ADDRESS…`
pub async fn snapshots(services: &Services, printer: Printer, addresses: &[String]) -> ExitStatus {
    let mut gathered = Gathered::new(vec!["SNAPSHOT", "TAKEN (UTC)", "SIZE", "PROOF", "NODE"]);
    let mut found_nothing_wrong = true;
    for text in addresses {
        let asked = match all_of(services, text).await {
            Ok(asked) => asked,
            Err(problem) => {
                gathered.errors.push((text.clone(), problem));
                continue;
            }
        };
        for of in asked {
            let listed = match &of {
                SnapshotsOf::Collection(address) => listing::recovery_points(services, address).await,
                SnapshotsOf::Storage(instance) => listing::storage_points(services, instance).await,
            };
            match listed {
                Ok(listing) => {
                    gathered.rows.extend(listing.items.iter().map(snapshot_row));
                    gathered.items.extend(listing.items.iter().map(snapshot_item));
                    gathered.errors.extend(listing.problems.into_iter().map(|problem| (of.instance().to_string(), problem)));
                }
                Err(problem) => gathered.errors.push((of.instance().to_string(), problem)),
            }
        }
    }
    found_nothing_wrong &= gathered.errors.is_empty();
    let status = gathered.print(printer);
    if found_nothing_wrong { ExitStatus::Done } else { status }
}

/// A collection; or all collections of an instance, and its full storage.
async fn all_of(services: &Services, text: &str) -> Result<Vec<SnapshotsOf>, Problem> {
    let usage = |message: String| Problem::new(ProblemKind::Usage, message, "");
    match Address::parse(text).map_err(usage)? {
        Address::Collection(address) => Ok(vec![address.into()]),
        Address::Instance(name) => {
            let connection = services.connection(&name).await?;
            let mut names = connection.whole().collections().await.map_err(|error| error.into_problem(name.as_str()))?;
            names.sort();
            let collections = names.into_iter().map(|collection| CollectionAddress::new(name.clone(), collection).into());
            Ok(collections.chain([SnapshotsOf::Storage(name.clone())]).collect())
        }
        other => Err(usage(format!("`{other}` is neither INSTANCE nor INSTANCE/COLLECTION"))),
    }
}

fn point_address(point: &RecoveryPointView) -> String {
    point.of.snapshot(&point.snapshot.name)
}

fn snapshot_row(point: &RecoveryPointView) -> Vec<String> {
    let proof = match point.proof {
        _ if point.safety => "safety".to_owned(),
        ProofState::None => "-".to_owned(),
        ProofState::Recorded => "recorded".to_owned(),
        ProofState::Proven(at) => format!("proven {}", time::minute(at)),
    };
    let taken = point.snapshot.taken_at.map_or_else(|| "-".into(), time::second);
    vec![point_address(point), taken, size::bytes(point.snapshot.size), proof, point.node_url.clone()]
}

fn snapshot_item(point: &RecoveryPointView) -> Value {
    let proven_at = match point.proof {
        ProofState::Proven(at) => Some(at.to_string()),
        _ => None,
    };
    json!({"address": point_address(point), "instance": point.of.instance().as_str(), "node": point.node_url,
        "collection": point.of.collection().map(|address| address.collection.to_string()), "name": point.snapshot.name.to_string(), "size": point.snapshot.size,
        "taken_at": point.snapshot.taken_at.map(|at| at.to_string()), "sha256": point.snapshot.sha256,
        "recorded": point.proof != ProofState::None, "proven_at": proven_at, "safety": point.safety})
}
