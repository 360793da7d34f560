//! Snapshots of the full storage: where one is, and which collections it holds. A server takes one at its start only; over HTTP
//! its collections are restored one by one, each as the range of bytes that it is in the file.

use crate::archive::members::{self, Members, Unfit};
use crate::domain::address::{SnapshotsOf, Which};
use crate::domain::hex::hex;
use crate::domain::ids::CollectionName;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::proof::Proof;
use crate::domain::text::sanitise;
use crate::jobs::limits::Resource;
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::services::{Connection, Services};
use crate::ops::survey::locate::locate;
use crate::qdrant::error::ApiError;
use crate::transfer::composed::{Composed, Part, Piece};
use crate::transfer::local::LocalFile;
use crate::transfer::remote::{Cost, Ranges};
use crate::transfer::source::{Expected, Line, NodeSnapshot, Source};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A snapshot of the full storage that was found.
pub(in crate::ops) struct Storage {
    /// By its own name.
    pub point: RecoveryPoint,
    pub source: Arc<dyn Source>,
    pub expected: Expected,
    pub line: Line,
    /// The instance whose node keeps it.
    pub connection: Option<Arc<Connection>>,
}

/// One collection in it.
pub(in crate::ops) struct Member {
    pub storage: Arc<Storage>,
    pub collection: CollectionName,
    /// Name of its file, which tells peer and time.
    pub file: String,
    pub size: u64,
    layout: Vec<(u64, Option<u64>)>,
    /// What was recorded of it when it was taken.
    pub proof: Option<Box<Proof>>,
}

impl Storage {
    /// Finds it, and looks whether parts of it can be read.
    ///
    /// # Errors
    /// When it is not there, cannot be read, or cannot be read in parts.
    pub(in crate::ops) async fn find(services: &Services, point: &RecoveryPoint) -> Result<Self, Problem> {
        let found = match point {
            RecoveryPoint::Storage(instance, which) => {
                let of = SnapshotsOf::Storage(instance.clone());
                let connection = services.connection(instance).await?;
                let located = locate(services, &connection, &of, which).await?;
                let name = located.snapshot.name.clone();
                let node = connection.node(located.node)?.clone();
                let source = NodeSnapshot { node, scope: of.scope(), shown: of.snapshot(&name), name: name.clone() };
                let probed = Expected::probe(&source, located.snapshot.size, located.snapshot.sha256).await;
                let expected = probed.map_err(|error| error.into_problem(&source.shown))?;
                let point = RecoveryPoint::Storage(instance.clone(), Which::Named(name));
                let line = services.line(instance)?;
                Self { point, source: Arc::new(source), expected, line, connection: Some(connection) }
            }
            RecoveryPoint::File(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                let shown = sanitise(&path.display().to_string());
                // Not a pipe, which would be waited for.
                if !std::fs::metadata(&path).is_ok_and(|meta| meta.is_file()) {
                    let words = if path.exists() { "it is not a file" } else { "there is no such file" };
                    return Err(Problem::new(ProblemKind::NotFound, words, shown).advise("name a .snapshot file"));
                }
                let source = LocalFile { path: path.clone(), shown: shown.clone() };
                let expected = Expected::probe(&source, 0, None).await.map_err(|error| error.into_problem(&shown))?;
                let (point, line) = (RecoveryPoint::File(path), Line::default());
                Self { point, source: Arc::new(source), expected, line, connection: None }
            }
            other => {
                return Err(Problem::new(ProblemKind::Usage, "it is no snapshot of a full storage", other.to_string())
                    .advise("name INSTANCE@SNAPSHOT, INSTANCE@latest, or a local file"));
            }
        };
        if !found.expected.ranged {
            let words = "no part of it can be read: its server gives no byte ranges";
            return Err(Problem::new(ProblemKind::Failed, words, found.point.to_string())
                .advise("download it, and restore from the file"));
        }
        Ok(found)
    }

    /// What it holds. Reads its outer headers.
    ///
    /// # Errors
    /// When it is damaged, or something else, or cannot be read.
    pub(in crate::ops) async fn members(&self) -> Result<Members, Problem> {
        let stop = CancellationToken::new();
        let _guard = stop.clone().drop_guard();
        let cost = Arc::new(Cost::default());
        let mut ranges = Ranges::new(self.source.clone(), self.expected.clone(), self.line.clone(), cost, stop);
        let shown = self.point.to_string();
        let read = tokio::task::spawn_blocking(move || members::members(&mut ranges)).await;
        let failed = |words: String| Problem::new(ProblemKind::Failed, words, &shown);
        match read.map_err(|error| failed(format!("it was not read: {error}")))? {
            Ok(members) => Ok(members),
            Err(Unfit::Damage(damage)) => {
                let entry = if damage.entry.is_empty() { String::new() } else { format!("{}: ", damage.entry) };
                Err(failed(format!("{entry}{}", damage.what)).advise("`qsnap inspect` tells what it is"))
            }
            Err(Unfit::Source(error)) => match error.downcast::<ApiError>() {
                Ok(error) => Err(error.into_problem(&shown)),
                Err(error) => Err(failed(error.to_string()).advise("try again")),
            },
        }
    }

    /// One of its collections, with what was recorded of it.
    pub(in crate::ops) fn member(self: &Arc<Self>, services: &Services, member: members::Member) -> Member {
        let collection = CollectionName::new(member.collection);
        let key = proof_key(self.expected.sha256.as_deref(), &collection);
        // Of a file the bytes are not known: only the name of the part tells.
        let named = || services.proofs.by_name(&member.file).map(|(_, proof)| proof);
        let proof = match &self.expected.sha256 {
            Some(_) => services.proofs.load(key.as_deref()),
            None => named(),
        };
        Member {
            storage: self.clone(),
            collection,
            file: member.file,
            size: member.size,
            layout: member.layout,
            proof: proof.map(Box::new),
        }
    }
}

impl Member {
    /// The member that a recovery point names.
    ///
    /// # Errors
    /// When the snapshot cannot be read, or does not hold that collection.
    pub(in crate::ops) async fn find(
        services: &Services,
        whole: &RecoveryPoint,
        collection: &CollectionName,
    ) -> Result<Self, Problem> {
        let storage = Arc::new(Storage::find(services, whole).await?);
        let members = storage.members().await?;
        let names: Vec<String> =
            members.all.iter().map(|member| CollectionName::new(member.collection.clone()).to_string()).collect();
        match members.all.into_iter().find(|member| member.collection == collection.raw()) {
            Some(member) => Ok(storage.member(services, member)),
            None => Err(Problem::new(ProblemKind::NotFound, format!("it does not hold {collection}"), storage.point.to_string())
                .advise(format!("it holds {}", crate::domain::text::one_line(&names.join(", "), 200)))),
        }
    }

    /// By its own name: `latest` may mean another one later.
    pub(in crate::ops) fn point(&self) -> RecoveryPoint {
        self.storage.point.member(&self.collection)
    }

    /// Its bytes, and what is known of them.
    pub(in crate::ops) fn bytes(&self) -> (Arc<dyn Source>, Expected) {
        let storage = &self.storage;
        let of = Arc::new(Part { source: storage.source.clone(), expected: storage.expected.clone() });
        let pieces = self.layout.iter().map(|(length, start)| match start {
            Some(start) => Piece::Range { of: of.clone(), start: *start, length: *length },
            None => Piece::Hole(*length),
        });
        let source = Composed::new(pieces, self.point().to_string());
        let expected = source.expected();
        (Arc::new(source), expected)
    }

    /// Where it is, in words that change when it does.
    pub(in crate::ops) fn place(&self) -> String {
        format!("{} bytes at {:?}", self.size, self.layout.first())
    }

    /// What must be free while it is read.
    pub(in crate::ops) fn needs(&self) -> Vec<Resource> {
        self.storage.connection.iter().map(|connection| connection.slot()).collect()
    }
}

/// Under which its proof is kept: the parts of a full snapshot have no listed hash of their own.
pub(in crate::ops) fn proof_key(whole: Option<&str>, collection: &CollectionName) -> Option<String> {
    whole.map(|whole| hex(&Sha256::digest(format!("{whole}#{}", collection.raw()).as_bytes())))
}
