//! One shard of a backup: streamed as a whole, or only what changed since the last backup. Changes are believed when everything adds
//! up; where anything does not, the shard is streamed as a whole, and the report says why.

use crate::archive::entries::{Entries, Splitter};
use crate::archive::partial;
use crate::domain::address::CollectionAddress;
use crate::domain::backup::BackupId;
use crate::domain::ids::{PeerId, ShardId};
use crate::domain::lineage::Lineage;
use crate::domain::problem::{Problem, ProblemKind};
use crate::ops::recovery::optimizer::Patience;
use crate::ops::recovery::shard_begin::StreamOf;
use crate::ops::recovery::shard_stream::{self, Streamed};
use crate::ops::recovery::unfinished::Unfinished;
use crate::ops::services::{Connection, OpenRepository, Services};
use crate::ops::steps::Steps;
use crate::ops::survey::backup_files::{self, FileSource};
use crate::ops::survey::increments::{self, Last, Way};
use crate::qdrant::api::QdrantApi;
use crate::qdrant::error::ApiErrorKind;
use crate::repository::layout::{MANIFEST, index_object, shard_object};
use crate::repository::manifest::{Held, Indexed, Object};
use crate::repository::shard_index::{At, LARGEST, ShardIndex};
use crate::transfer::source::Expected;
use crate::transfer::stored::StoredObject;
use serde_json::Value;
use std::sync::Arc;

/// What all shards of a backup have in common.
pub(super) struct Shards<'a> {
    pub(super) services: &'a Services,
    pub(super) connection: &'a Arc<Connection>,
    pub(super) address: &'a CollectionAddress,
    pub(super) open: &'a Arc<OpenRepository>,
    pub(super) unfinished: &'a Unfinished,
    pub(super) id: &'a BackupId,
    pub(super) patience: &'a Patience,
}

/// A replica of a shard.
pub(super) struct Replica {
    pub(super) shard: ShardId,
    pub(super) node: usize,
    pub(super) peer: Option<PeerId>,
}

/// What a backup has of a shard.
pub(super) struct Saved {
    /// What was streamed; nothing where nothing changed.
    pub(super) object: Option<Object>,
    /// Where its files are, where that could be listed.
    pub(super) indexed: Option<Indexed>,
    /// Its node optimized nothing while it streamed.
    pub(super) settled: bool,
}

/// What came of a stream.
enum Received {
    /// Nothing is newer than what the server was told.
    Nothing,
    /// These bytes.
    Bytes(Streamed, Box<Splitter>),
}

/// How often the server is asked what changed, when writes come between its answers.
const ASKED: usize = 3;

impl Shards<'_> {
    /// Saves one.
    pub(super) async fn save(&self, steps: &mut Steps<'_>, replica: &Replica, way: &Way) -> Result<Saved, Problem> {
        if let Way::Changes(last) = way {
            match self.changes(steps, replica, last).await? {
                Ok(saved) => return Ok(saved),
                Err(why) => {
                    self.open.bucket.delete(&self.key(replica)).await?;
                    steps.note(format!("shard {} was streamed as a whole: {why}", replica.shard));
                }
            }
        }
        self.whole(steps, replica).await
    }

    /// Streams one as a whole, whose list was written already.
    pub(super) async fn again(&self, steps: &mut Steps<'_>, replica: &Replica) -> Result<Saved, Problem> {
        self.open.bucket.delete(&self.unfinished.key(&index_object(replica.shard))).await?;
        self.whole(steps, replica).await
    }

    async fn whole(&self, steps: &mut Steps<'_>, replica: &Replica) -> Result<Saved, Problem> {
        let from = self.node(replica)?;
        // What is optimized meanwhile would be streamed once more the next time.
        self.patience.wait(from.as_ref(), &self.address.collection, &steps.job.progress).await?;
        // Before the stream: what changes while it comes is told as changed once more.
        // The lineage first: a restore between both must be seen.
        let before = self.lineage(replica).await;
        let versions = from.shard_versions(&self.address.collection, replica.shard).await;
        let (Received::Bytes(streamed, splitter), settled) = self.receive(steps, replica, None).await? else {
            let words = "the server sent nothing";
            return Err(Problem::new(ProblemKind::Failed, words, self.shown(replica)).advise("try again"));
        };
        let (key, progress) = (self.key(replica), steps.job.progress.clone());
        let file = self.stored(&key, streamed.size);
        steps.run("check", &key, shard_stream::check(self.open, file, replica.shard, &progress)).await?;
        let object = self.object(replica, &streamed)?;
        // A server that does not know versions says so with 404; that is no news each time.
        let silent = versions.as_ref().is_err_and(|error| error.kind == ApiErrorKind::NotFound);
        let versions = versions.map_err(|error| error.message);
        match self.list_whole(replica, &object, splitter.finish(), versions, before).await {
            Ok(list) => {
                let base = (self.id.clone(), object.size, 0);
                let indexed = self.write(steps, replica, &list.0, list.1, base).await?;
                Ok(Saved { object: Some(object), indexed: Some(indexed), settled })
            }
            Err(why) => {
                if !silent {
                    steps.note(format!("the next backup of shard {} is a whole one again: {why}", replica.shard));
                }
                Ok(Saved { object: Some(object), indexed: None, settled })
            }
        }
    }

    /// The list of the files of a whole stream.
    async fn list_whole(
        &self,
        replica: &Replica,
        object: &Object,
        entries: Result<Entries, String>,
        versions: Result<Value, String>,
        before: Result<Lineage, String>,
    ) -> Result<(ShardIndex, Lineage), String> {
        let (entries, versions) = (entries?, versions?);
        if versions.as_object().is_none_or(serde_json::Map::is_empty) {
            return Err("the server tells no versions of its files".into());
        }
        partial::fits(entries.all.iter().map(|entry| entry.path.as_str()))?;
        if partial::without_files(&versions, entries.all.iter().map(|entry| entry.path.as_str())).is_some() {
            return Err("its segments became other ones meanwhile".into());
        }
        let lineage = self.still(replica, &before?).await?;
        let objects = [self.held(object)];
        Ok((ShardIndex::of(replica.shard, &objects, files(&entries, 0), versions), lineage))
    }

    /// What changed since then, or why the shard has to be streamed as a whole.
    async fn changes(&self, steps: &mut Steps<'_>, replica: &Replica, last: &Last) -> Result<Result<Saved, String>, Problem> {
        if replica.peer != Some(last.indexed.peer) {
            return Ok(Err("another replica is Active by now".into()));
        }
        // First said, then looked: a removal does it the other way round, so that one of both sees the other.
        let ids = last.indexed.parts.iter().map(|part| part.backup.clone()).chain([last.id.clone()]);
        self.unfinished.builds_on(self.services, ids).await?;
        let index = match self.read(last).await? {
            Ok(index) => index,
            Err(why) => return Ok(Err(why)),
        };
        let before = match increments::unbroken(&last.indexed.lineage, self.lineage(replica).await) {
            Ok(before) => before,
            Err(why) => return Ok(Err(why)),
        };
        let (received, settled) = match self.ask(steps, replica, &index).await? {
            Ok(received) => received,
            Err(why) => return Ok(Err(why)),
        };
        let lineage = match self.still(replica, &before).await {
            Ok(lineage) => lineage,
            Err(why) => return Ok(Err(why)),
        };
        let (object, list) = match received {
            Some((streamed, splitter)) => {
                let object = self.object(replica, &streamed)?;
                match self.composed(replica, &index, (&object, splitter)) {
                    Ok(list) => (Some(object), list),
                    Err(why) => return Ok(Err(why)),
                }
            }
            None => (None, index),
        };
        let added = last.indexed.added.saturating_add(object.as_ref().map_or(0, |object| object.size));
        let base = (last.indexed.base.clone(), last.indexed.base_bytes, added);
        let indexed = self.write(steps, replica, &list, lineage, base).await?;
        Ok(Ok(Saved { object, indexed: Some(indexed), settled }))
    }

    /// Streams what changed; `None` where nothing did.
    async fn ask(
        &self,
        steps: &mut Steps<'_>,
        replica: &Replica,
        index: &ShardIndex,
    ) -> Result<Result<(Option<(Streamed, Box<Splitter>)>, bool), String>, Problem> {
        let mut why = String::new();
        for _ in 0..ASKED {
            match self.receive(steps, replica, Some(&index.versions)).await {
                Ok((Received::Bytes(streamed, splitter), settled)) => return Ok(Ok((Some((streamed, splitter)), settled))),
                Ok((_, settled)) => match self.same(replica, index).await {
                    Ok(()) => return Ok(Ok((None, settled))),
                    Err(other) => why = other,
                },
                // A node that is away streams nothing else either.
                Err(problem) if matches!(problem.kind, ProblemKind::Unreachable | ProblemKind::Canceled) => return Err(problem),
                Err(problem) => return Ok(Err(problem.message)),
            }
        }
        Ok(Err(why))
    }

    /// The list of the last backup, if that still is one.
    async fn read(&self, last: &Last) -> Result<Result<ShardIndex, String>, Problem> {
        let bucket = &self.open.bucket;
        if bucket.size(&format!("{}/{MANIFEST}", last.folder)).await?.is_none() {
            return Ok(Err(format!("the backup {} was removed meanwhile", last.id)));
        }
        match backup_files::index(self.open, &last.folder, &last.indexed).await {
            Ok(index) => Ok(Ok(index)),
            Err(problem) if problem.kind == ProblemKind::Difference => {
                Ok(Err(format!("in the backup {} {}", last.id, problem.message)))
            }
            Err(problem) => Err(problem),
        }
    }

    /// Whether the server, which says that nothing changed, tells the same versions.
    async fn same(&self, replica: &Replica, index: &ShardIndex) -> Result<(), String> {
        let now = self.node(replica).map_err(|problem| problem.message)?;
        let now = now.shard_versions(&self.address.collection, replica.shard).await.map_err(|error| error.message)?;
        // It says so, too, when a segment is gone and no other came; or a write came since.
        if !partial::is_same(&index.versions, &now) {
            return Err("the server says that nothing changed, and tells other versions".into());
        }
        Ok(())
    }

    /// The list of the shard, put together of what was there and what came.
    ///
    /// The headers of what came were read on the way; that what was there before still is, is looked at before the manifest is
    /// written.
    fn composed(
        &self,
        replica: &Replica,
        index: &ShardIndex,
        (object, splitter): (&Object, Box<Splitter>),
    ) -> Result<ShardIndex, String> {
        let entries = splitter.finish()?;
        let before: Vec<(String, At)> = index.files.iter().map(|(path, at)| (path.clone(), at.clone())).collect();
        let now = files(&entries, index.objects.len());
        let composed = partial::compose(&before, &now, &entries.held)?;
        if !partial::goes_on(&index.versions, &composed.versions) {
            return Err("versions of its segments went back: data was restored meanwhile".to_owned());
        }
        let mut objects = index.objects.clone();
        objects.push(self.held(object));
        Ok(ShardIndex::of(replica.shard, &objects, composed.files, composed.versions))
    }

    /// Writes the list beside the objects.
    async fn write(
        &self,
        steps: &mut Steps<'_>,
        replica: &Replica,
        list: &ShardIndex,
        lineage: Lineage,
        (base, base_bytes, added): (BackupId, u64, u64),
    ) -> Result<Indexed, Problem> {
        let (name, text) = (index_object(replica.shard), list.text());
        let key = self.unfinished.key(&name);
        let too_large = || {
            Problem::new(ProblemKind::Failed, "the list of its files is too large", self.open.bucket.shown(&key))
                .advise("back it up with --kind snapshot")
        };
        if text.len() as u64 > LARGEST {
            return Err(too_large());
        }
        let (size, sha256) = (text.len() as u64, crate::domain::hex::sha256(&text));
        let writing = async {
            self.unfinished.names(self.services, &name).await?;
            self.open.bucket.create(&key, text).await
        };
        steps.run("list", &key, writing).await?;
        let (shard, parts, bytes) = (replica.shard, list.objects.clone(), list.bytes());
        let peer = replica.peer.unwrap_or_default();
        Ok(Indexed { shard, name, size, sha256, bytes, parts, base, base_bytes, added, peer, lineage })
    }

    /// The node as it was before, if nothing was restored on it meanwhile.
    async fn still(&self, replica: &Replica, before: &Lineage) -> Result<Lineage, String> {
        increments::unbroken(before, self.lineage(replica).await)
    }

    /// The node at this moment, where versions tell what changes from now on.
    async fn lineage(&self, replica: &Replica) -> Result<Lineage, String> {
        let from = self.node(replica).map_err(|problem| problem.message)?;
        increments::lineage(from.as_ref(), &self.address.collection).await
    }

    /// Streams it into an object; says whether all of it is in the stream.
    async fn receive(
        &self,
        steps: &mut Steps<'_>,
        replica: &Replica,
        since: Option<&Value>,
    ) -> Result<(Received, bool), Problem> {
        let (from, progress) = (self.node(replica)?, steps.job.progress.clone());
        self.unfinished.names(self.services, &shard_object(replica.shard)).await?;
        let (key, line) = (self.key(replica), self.services.line(&self.address.instance)?);
        let stream = StreamOf { node: from.as_ref(), collection: &self.address.collection, shard: replica.shard, line: &line };
        let storing = async {
            let (download, begun) = stream.begin(self.services, self.patience, since, &progress).await?;
            let Some(download) = download else {
                return Ok((Received::Nothing, stream.end(&begun).await?));
            };
            let mut splitter = Box::new(Splitter::new(if since.is_some() { partial::is_manifest } else { |_| false }));
            let upload = self.open.bucket.upload(&key, shard_stream::LARGEST_SHARD).await?;
            let (limits, shown) = ((&line, &self.open.throttle), stream.shown());
            let streamed = shard_stream::store(download, upload, limits, &mut splitter, &progress, &shown).await?;
            Ok((Received::Bytes(streamed, splitter), stream.end(&begun).await?))
        };
        steps.run("stream", &key, self.unfinished.alive(self.services, storing)).await
    }

    fn node(&self, replica: &Replica) -> Result<Arc<dyn QdrantApi>, Problem> {
        self.connection.node(replica.node).cloned()
    }

    fn key(&self, replica: &Replica) -> String {
        self.unfinished.key(&shard_object(replica.shard))
    }

    fn shown(&self, replica: &Replica) -> String {
        let node = self.connection.node(replica.node).map(|node| node.url().to_string()).unwrap_or_default();
        format!("{node}/collections/{}/shards/{}/snapshot", self.address.collection, replica.shard)
    }

    fn stored(&self, key: &str, size: u64) -> FileSource {
        let shown = self.open.bucket.shown(key);
        let source = StoredObject { bucket: self.open.bucket.clone(), key: key.to_owned(), size, shown };
        FileSource { source: Arc::new(source), expected: Expected { size, sha256: None, etag: None, ranged: true } }
    }

    fn object(&self, replica: &Replica, streamed: &Streamed) -> Result<Object, Problem> {
        let (name, from) = (shard_object(replica.shard), self.node(replica)?);
        Ok(Object {
            original: name.clone(),
            name,
            size: streamed.size,
            sha256: streamed.sha256.clone(),
            listed: false,
            node: from.url().to_string(),
            peer: replica.peer,
            shards: vec![replica.shard],
        })
    }

    fn held(&self, object: &Object) -> Held {
        Held { backup: self.id.clone(), name: object.name.clone(), size: object.size, sha256: object.sha256.clone() }
    }
}

/// The entries of a stream, as those of the object of this number.
fn files(entries: &Entries, number: usize) -> Vec<(String, At)> {
    let at = |entry: &crate::archive::entries::RawEntry| At(number, entry.offset, entry.length, entry.sha256.clone());
    entries.all.iter().map(|entry| (entry.path.clone(), at(entry))).collect()
}
