//! What is in a snapshot: on a node by byte ranges, in a local file, or read through once. Changes nothing.

use crate::archive::bytes::{Bytes, FileBytes, StreamBytes};
use crate::archive::check::{self, Check};
use crate::archive::contents::{Contents, Scope};
use crate::archive::versions::{Bounds, bounds};
use crate::archive::{inspect as archive, tail};
use crate::domain::address::{Address, BackupAddress, CollectionAddress, SnapshotsOf, Which};
use crate::domain::hex::hex;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::secret::SafeUrl;
use crate::domain::size;
use crate::domain::snapshot::SnapshotScope;
use crate::domain::text::{one_line, sanitise};
use crate::jobs::context::JobContext;
use crate::jobs::progress::Progress;
use crate::jobs::row::JobOutput;
use crate::ops::request::inspect::{Depth, InspectRequest};
use crate::ops::request::recovery_point::RecoveryPoint;
use crate::ops::services::{Connection, OpenRepository, Services};
use crate::ops::survey::backup_files::{self, BackupFile, FileSource};
use crate::ops::survey::backups;
use crate::ops::survey::locate::locate;
use crate::ops::survey::storage::{Member, Storage};
use crate::qdrant::error::ApiError;
use crate::qdrant::link::Link;
use crate::repository::index::Backup;
use crate::transfer::hashing::hash_file;
use crate::transfer::pump::{Outlet, Pump};
use crate::transfer::remote::{Cost, Ranges, Through, read_range};
use crate::transfer::source::{Expected, Line, Linked, NodeSnapshot, Source};
use crate::transfer::throttle::Throttle;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How much of the end is read first, and then when that does not tell. The configuration of a collection with a
/// dozen vectors starts 5 kB before the end.
const ENDS: [u64; 2] = [64 << 10, 1 << 20];

/// A file so short is read whole where its end does not tell what it is.
const SHORT: u64 = 1 << 20;

/// What is read of the beginning of a longer one: a header.
const FIRST: u64 = 512;

/// Entries between two notes of progress.
const NOTED: u64 = 16;

/// Nothing takes longer than this to be taken: the reader is this process.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// A hash, and what it was compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    /// sha256 in hex.
    pub sha256: String,
    /// What the server lists, or the side file beside it says.
    pub expected: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspected {
    /// Its address.
    pub point: String,
    /// What is in it.
    pub contents: Contents,
    /// Whether it is whole; only when all headers were read.
    pub check: Option<Check>,
    /// Versions that can have written it.
    pub bounds: Bounds,
    /// Its hash, when every byte was read.
    pub hashed: Option<Hashed>,
    /// Bytes that were read over the network.
    pub fetched: u64,
    /// Requests that this took.
    pub requests: u64,
}

impl Inspected {
    fn new(point: String, contents: Contents, hashed: Option<Hashed>, cost: &Cost) -> Self {
        let mut check = (contents.scope == Scope::Whole).then(|| check::check(&contents));
        let wrong = hashed.as_ref().and_then(|hashed| hashed.expected.as_ref().filter(|expected| **expected != hashed.sha256));
        if let (Some(check), Some(expected)) = (&mut check, wrong) {
            let what = format!("its sha256 is not the listed one, {}…", expected.get(..16).unwrap_or(expected));
            let advice = "these are other bytes than the server made: do not restore them";
            check.add_damage(what, advice);
        }
        let bounds = bounds(&contents);
        Self { point, contents, check, bounds, hashed, fetched: cost.bytes(), requests: cost.requests() }
    }

    /// Whether something is known to be damaged.
    pub fn damaged(&self) -> bool {
        self.check.as_ref().is_some_and(|check| check.damaged > 0)
    }
}

impl JobOutput for Inspected {
    fn headline(&self) -> (String, bool) {
        match &self.check {
            Some(check) => (check.verdict.clone(), check.whole),
            None => (self.contents.kind.words().to_owned(), true),
        }
    }
}

/// Looks at it.
///
/// # Errors
/// When it cannot be read. Damage is no error: it is what was found.
pub async fn inspect(services: &Services, request: &InspectRequest, job: &JobContext) -> Result<Inspected, Problem> {
    let stop = CancellationToken::new();
    // The blocking reader ends with its caller.
    let _guard = stop.clone().drop_guard();
    look(services, request, &job.progress, &stop).await
}

/// The same without a job: `stop` ends it.
///
/// # Errors
/// As [`inspect`].
pub async fn look(
    services: &Services,
    request: &InspectRequest,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<Inspected, Problem> {
    let remote = match &request.point {
        RecoveryPoint::File(path) => return file(path.clone(), request.depth, progress.clone(), stop.clone()).await,
        RecoveryPoint::Snapshot(address, which) => Remote::find(services, address, which).await?,
        RecoveryPoint::Backup(address) => Remote::backup(services, address).await?,
        RecoveryPoint::Storage(..) => Remote::storage(Storage::find(services, &request.point).await?),
        RecoveryPoint::Member(whole, collection) => Remote::member(&Member::find(services, whole, collection).await?),
        RecoveryPoint::Link(url) => Remote::link(services, url.clone()).await?,
        RecoveryPoint::Stdin => return stdin(progress.clone(), stop.clone()).await,
    };
    match request.depth {
        Depth::End => remote.end(progress).await,
        Depth::Headers => remote.headers(progress, stop).await,
        Depth::Bytes => remote.through(progress, stop).await,
    }
}

/// Every byte of a file of a backup, with its hash and the archive check.
///
/// # Errors
/// When it cannot be read; `Difference` when other bytes lie there than the list of a shard's files says.
pub(in crate::ops) async fn stored(
    open: &OpenRepository,
    backup: &Backup,
    file: &BackupFile,
    shown: String,
    progress: &Progress,
) -> Result<Inspected, Problem> {
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    let FileSource { source, expected } = file.open(open, backup, shown).await?;
    Remote { source, expected, line: backups::line(open), name: file.original() }.through(progress, &stop).await
}

/// The headers of a file of a repository, with the archive check.
///
/// # Errors
/// When it cannot be read.
pub(in crate::ops) async fn file_headers(
    open: &OpenRepository,
    FileSource { source, expected }: FileSource,
    name: &str,
    progress: &Progress,
) -> Result<Inspected, Problem> {
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    Remote { source, expected, line: backups::line(open), name: name.to_owned() }.headers(progress, &stop).await
}

struct Remote {
    source: Arc<dyn Source>,
    expected: Expected,
    line: Line,
    name: String,
}

impl Remote {
    async fn find(services: &Services, address: &CollectionAddress, which: &Which) -> Result<Self, Problem> {
        let connection = services.connection(&address.instance).await?;
        let located = locate(services, &connection, &SnapshotsOf::Collection(address.clone()), which).await?;
        let name = located.snapshot.name.clone();
        let source = NodeSnapshot {
            node: connection.node(located.node)?.clone(),
            scope: SnapshotScope::Collection(address.collection.clone()),
            shown: Address::Snapshot(address.clone(), Which::Named(name.clone())).to_string(),
            name: name.clone(),
        };
        let probed = Expected::probe(&source, located.snapshot.size, located.snapshot.sha256).await;
        let expected = probed.map_err(|error| error.into_problem(&source.shown))?;
        let line = services.line(&address.instance)?;
        Ok(Self { source: Arc::new(source), expected, line, name: name.raw().to_owned() })
    }

    async fn backup(services: &Services, address: &BackupAddress) -> Result<Self, Problem> {
        let (open, backup) = backups::find(services, address).await?;
        let shown = BackupAddress::id(&address.repository, &address.collection, &backup.id).to_string();
        let file = backup_files::whole(&backup, &shown)?;
        let FileSource { source, expected } = file.open(&open, &backup, shown).await?;
        Ok(Self { source, expected, line: backups::line(&open), name: file.original() })
    }

    fn storage(storage: Storage) -> Self {
        let name = match &storage.point {
            RecoveryPoint::Storage(_, Which::Named(name)) => name.raw().to_owned(),
            _ => String::new(),
        };
        Self { source: storage.source, expected: storage.expected, line: storage.line, name }
    }

    fn member(member: &Member) -> Self {
        let (source, expected) = member.bytes();
        Self { source, expected, line: member.storage.line.clone(), name: member.file.clone() }
    }

    async fn link(services: &Services, url: SafeUrl) -> Result<Self, Problem> {
        let shown = url.to_string();
        let own = own_node(services, &url).await?;
        let name = url.expose().path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default().to_owned();
        let source = Linked { link: Link::new(url, own.as_ref().map(|own| (&own.instance, &own.access)))?, shown: shown.clone() };
        let expected = Expected::probe(&source, 0, None).await.map_err(|error| link_problem(error, &shown))?;
        if expected.size == 0 {
            let words = "the answer says no size, or the file is empty";
            return Err(Problem::new(ProblemKind::Failed, words, shown).advise("download it and inspect the file"));
        }
        Ok(Self { source: Arc::new(source), expected, line: Line::default(), name })
    }

    fn shown(&self) -> String {
        self.source.shown().to_owned()
    }

    fn need_ranges(&self) -> Result<(), Problem> {
        if self.expected.ranged {
            return Ok(());
        }
        let words =
            "parts of it cannot be read safely: the server gives no byte ranges, or no ETag that tells when the file changes";
        let all = size::bytes(self.expected.size);
        Err(Problem::new(ProblemKind::Failed, words, self.source.shown())
            .advise(format!("read it through: `--checksum` (in the inspector: c) reads all {all} once and saves nothing")))
    }

    async fn end(&self, progress: &Progress) -> Result<Inspected, Problem> {
        self.need_ranges()?;
        progress.phase("reading the end", None);
        let (size, cost) = (self.expected.size, Cost::default());
        for length in ENDS {
            let span = (size.saturating_sub(length), size);
            let read = read_range(self.source.as_ref(), &self.expected, &self.line, &cost, span).await;
            let bytes = read.map_err(|error| error.into_problem(self.source.shown()))?;
            if let Some(mut contents) = tail::inspect_end(&bytes, Some(&self.name)) {
                contents.size = Some(size);
                return Ok(Inspected::new(self.shown(), contents, None, &cost));
            }
        }
        if let Some(whole) = self.short_or_strange(&cost).await? {
            return Ok(whole);
        }
        let words = "its last megabyte does not tell what it is: it was made by 1.11 or older, or it is damaged";
        Err(Problem::new(ProblemKind::Failed, words, self.source.shown())
            .advise("`--check` (in the inspector: t) reads all of its headers"))
    }

    /// A short file is read whole; and the beginning of any file tells whether it is an archive at all.
    async fn short_or_strange(&self, cost: &Cost) -> Result<Option<Inspected>, Problem> {
        let size = self.expected.size;
        let length = if size <= SHORT { size } else { FIRST };
        let read = read_range(self.source.as_ref(), &self.expected, &self.line, cost, (0, length)).await;
        let bytes = read.map_err(|error| error.into_problem(self.source.shown()))?;
        let mut from = StreamBytes(bytes.as_slice());
        let looked = archive::inspect(&mut from, Some(&self.name), &mut |_, _| Ok(()));
        let mut contents = looked.map_err(|error| problem(error, &self.shown()))?;
        let strange = contents.entries == 0 && !contents.damage.is_empty();
        if size > SHORT && !strange {
            return Ok(None);
        }
        contents.size = Some(size);
        Ok(Some(Inspected::new(self.shown(), contents, None, cost)))
    }

    async fn headers(&self, progress: &Progress, stop: &CancellationToken) -> Result<Inspected, Problem> {
        self.need_ranges()?;
        progress.phase("reading headers", Some(self.expected.size));
        let cost = Arc::new(Cost::default());
        let ranges = Ranges::new(self.source.clone(), self.expected.clone(), self.line.clone(), cost.clone(), stop.clone());
        let (contents, ()) = self.walk(ranges, progress, stop, |_| Ok(())).await?;
        Ok(Inspected::new(self.shown(), contents, None, &cost))
    }

    async fn through(&self, progress: &Progress, stop: &CancellationToken) -> Result<Inspected, Problem> {
        progress.phase("reading through", Some(self.expected.size));
        let outlet = Outlet { throttle: Throttle::new(None), stall: NEVER, shown: "qsnap".into(), wants_end: false };
        // The hash is compared here, where a difference is a finding and not the end of the reading.
        let listed = self.expected.sha256.clone();
        let unlisted = Expected { sha256: None, ..self.expected.clone() };
        let (pump, body) =
            Pump::from_source(self.source.clone(), unlisted, self.line.clone(), outlet, progress, std::future::ready(Ok(true)));
        let through = Through::new(body, progress.clone(), stop.clone());
        let walked = self.walk(through, progress, stop, Through::finish);
        let (contents, digest) = tokio::select! {
            // The source's own words say more than those of the broken body.
            read = walked => read.map_err(|problem| pump.failure().unwrap_or(problem))?,
            problem = pump.given_up() => return Err(problem),
        };
        let cost = Cost::default();
        let hashed = Hashed { sha256: digest.sha256, expected: listed };
        let mut inspected = Inspected::new(self.shown(), contents, Some(hashed), &cost);
        (inspected.fetched, inspected.requests) = (digest.size, 1);
        Ok(inspected)
    }

    async fn walk<B: Bytes + Send + 'static, T: Send + 'static>(
        &self,
        bytes: B,
        progress: &Progress,
        stop: &CancellationToken,
        after: impl FnOnce(&mut B) -> std::io::Result<T> + Send + 'static,
    ) -> Result<(Contents, T), Problem> {
        let (name, shown) = (self.name.clone(), self.shown());
        let (mut contents, rest) = walk(bytes, name, shown, progress.clone(), stop.clone(), after).await?;
        contents.size = Some(self.expected.size);
        Ok((contents, rest))
    }
}

/// Goes through an archive on a thread that may block.
async fn walk<B: Bytes + Send + 'static, T: Send + 'static>(
    mut bytes: B,
    name: String,
    shown: String,
    progress: Progress,
    stop: CancellationToken,
    after: impl FnOnce(&mut B) -> std::io::Result<T> + Send + 'static,
) -> Result<(Contents, T), Problem> {
    let work = move || {
        let mut watch = |entries: u64, at: u64| {
            if stop.is_cancelled() {
                return Err(std::io::Error::other("stopped"));
            }
            progress.resume(at);
            if entries.is_multiple_of(NOTED) {
                progress.note(&format!("{} entries", size::exact(entries)));
            }
            Ok(())
        };
        let contents = archive::inspect(&mut bytes, Some(&name), &mut watch)?;
        Ok((contents, after(&mut bytes)?))
    };
    let read: std::io::Result<(Contents, T)> =
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    read.map_err(|error| problem(error, &shown))
}

/// An error of the server's, where one is inside; else the system's.
fn problem(error: std::io::Error, shown: &str) -> Problem {
    let words = one_line(&error.to_string(), 120);
    match error.into_inner().and_then(|inner| inner.downcast::<ApiError>().ok()) {
        Some(api) => api.into_problem(shown),
        None => Problem::new(ProblemKind::Failed, format!("cannot be read: {words}"), shown)
            .advise("this says nothing about the snapshot itself; try again"),
    }
}

async fn file(path: PathBuf, depth: Depth, progress: Progress, stop: CancellationToken) -> Result<Inspected, Problem> {
    let shown = sanitise(&path.display().to_string());
    let unreadable = |error: std::io::Error| {
        let words = format!("cannot be read: {}", one_line(&error.to_string(), 120));
        let kind = if error.kind() == std::io::ErrorKind::NotFound { ProblemKind::NotFound } else { ProblemKind::Failed };
        Problem::new(kind, words, &shown).advise("give the path of a .snapshot file, or an address: instance/collection@latest")
    };
    let bytes = FileBytes::open(&path).map_err(unreadable)?;
    let file_size = bytes.size();
    progress.phase("reading headers", Some(file_size));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (mut contents, ()) = walk(bytes, name, shown.clone(), progress.clone(), stop, |_| Ok(())).await?;
    contents.size = Some(file_size);
    let hashed = if depth == Depth::Bytes { Some(hash(path, progress).await?) } else { None };
    Ok(Inspected::new(shown, contents, hashed, &Cost::default()))
}

/// Reads what comes on standard input, and hashes it on the way.
async fn stdin(progress: Progress, stop: CancellationToken) -> Result<Inspected, Problem> {
    progress.phase("reading standard input", None);
    let bytes = StreamBytes(Hashing { inner: std::io::stdin(), hasher: Sha256::new(), size: 0 });
    let after = |bytes: &mut StreamBytes<Hashing<std::io::Stdin>>| {
        // The hash covers all bytes, and the writer of the pipe must not be cut off.
        std::io::copy(&mut bytes.0, &mut std::io::sink())?;
        Ok((bytes.0.size, hex(&bytes.0.hasher.clone().finalize())))
    };
    let shown = RecoveryPoint::Stdin.to_string();
    let (mut contents, (size, sha256)) = walk(bytes, String::new(), shown.clone(), progress, stop, after).await?;
    contents.size = Some(size);
    Ok(Inspected::new(shown, contents, Some(Hashed { sha256, expected: None }), &Cost::default()))
}

struct Hashing<R> {
    inner: R,
    hasher: Sha256,
    size: u64,
}

impl<R: std::io::Read> std::io::Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        self.size += n as u64;
        Ok(n)
    }
}

/// The instance that a link leads to, if it is one of ours: full snapshots and those of shards have no address but
/// their link.
async fn own_node(services: &Services, url: &SafeUrl) -> Result<Option<Arc<Connection>>, Problem> {
    for instance in services.instances() {
        // Which port a node without one has is known once it is connected to.
        if !instance.nodes.iter().any(|node| url.is_below(node) || node.names_no_port() && node.same_host(url)) {
            continue;
        }
        let connection = services.connection(&instance.name).await?;
        if connection.nodes.iter().any(|node| url.is_below(node.url())) {
            return Ok(Some(connection));
        }
    }
    Ok(None)
}

/// A link has other reasons to fail than a node.
fn link_problem(error: ApiError, shown: &str) -> Problem {
    let status = error.status;
    let problem = error.into_problem(shown);
    match status {
        Some(300..=399) => problem.advise("redirects are not followed: give the address that it leads to"),
        Some(401 | 403) => {
            problem.advise("the link has expired or was changed, or it needs a key that no instance in the configuration has")
        }
        Some(416) => problem.advise("the file is empty"),
        _ => problem,
    }
}

async fn hash(path: PathBuf, progress: Progress) -> Result<Hashed, Problem> {
    progress.phase("hashing", progress.sample().total);
    let (_, sha256, _) = hash_file(&path, &progress).await?;
    Ok(Hashed { sha256, expected: side_file(&path) })
}

/// The checksum that Qdrant keeps beside a snapshot, where somebody copied it along.
pub(in crate::ops) fn side_file(path: &Path) -> Option<String> {
    let mut name = path.file_name()?.to_os_string();
    name.push(".checksum");
    let side = path.with_file_name(name);
    // Not a pipe, which would be waited for, and not more than a hash takes.
    std::fs::metadata(&side).ok().filter(std::fs::Metadata::is_file)?;
    let mut text = String::new();
    std::io::Read::read_to_string(&mut std::io::Read::take(std::fs::File::open(side).ok()?, 200), &mut text).ok()?;
    let text = text.split_whitespace().next()?.to_ascii_lowercase();
    (text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
}

/// What reading it cost, in words.
pub fn cost(inspected: &Inspected) -> String {
    let requests = if inspected.requests == 1 { "one request".to_owned() } else { format!("{} requests", inspected.requests) };
    format!("{} in {requests}", size::bytes(inspected.fetched))
}

/// What it is, in lines for people: label and text.
pub fn summary(inspected: &Inspected) -> Vec<(&'static str, String)> {
    let mut lines = crate::archive::summary::lines(&inspected.contents, &inspected.bounds);
    if let Some(hashed) = &inspected.hashed {
        let compared = match &hashed.expected {
            Some(expected) if *expected == hashed.sha256 => "as listed",
            Some(_) => "NOT as listed",
            None => "nothing to compare it with",
        };
        lines.push(("sha256", format!("{} ({compared})", hashed.sha256)));
    }
    lines
}
