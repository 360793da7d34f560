//! A file that becomes visible only when it is whole: `.part`, hash as it grows, fsync, rename.
//!
//! Here is the door: a [`Landing`] is opened, takes chunks through an [`Intake`], and is finished. Behind it three threads work,
//! which share one state (`shared`): one writes (`writer`), one hashes, one syncs and saves which ranges are there (`saver`).

mod saver;
mod shared;
mod writer;

use crate::domain::problem::{Problem, ProblemKind};
use crate::jobs::progress::Progress;
use crate::transfer::disk::disk_problem;
use crate::transfer::landing::shared::{Medium, Shared, Watched};
use crate::transfer::landing::writer::run;
use crate::transfer::part::{self, Unfinished, part_path};
use crate::transfer::publish::{Held, Ready};
use crate::transfer::source::Expected;
use crate::transfer::spans::Spans;
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// Chunks that may wait for the disk. A chunk is at most some 400 kB.
const QUEUE: usize = 12;

/// Bytes that are worth keeping when the server gives no ranges; fewer are fetched again at once.
pub const PRECIOUS: u64 = 1 << 20;

pub use shared::Written;

/// Where a landing belongs, and who waits for its threads.
pub struct Site<'a> {
    /// The final name.
    pub target: &'a Path,
    /// Address of the source, for the state.
    pub source: &'a str,
    /// What the file will be.
    pub expected: &'a Expected,
    /// Where a full disk is reported.
    pub progress: &'a Progress,
    /// Its tasks end only when the state of a broken-off file is saved.
    pub tasks: &'a TaskTracker,
}

/// A file on its way.
pub struct Landing {
    target: PathBuf,
    chunks: Option<mpsc::Sender<(u64, Bytes)>>,
    shared: Arc<dyn Watched>,
    writer: JoinHandle<std::io::Result<Written>>,
}

impl Landing {
    /// Opens `<target>.part`. What an earlier try left is kept when it holds bytes of the same file.
    pub fn open(site: &Site<'_>) -> Result<Self, Problem> {
        let precious = |left: &Unfinished| left.holds(site.source, site.expected) && left.spans.total() >= PRECIOUS;
        if !site.expected.ranged && part::unfinished(site.target).is_some_and(|left| precious(&left)) {
            let words = "the server gives no byte ranges now, so that the part cannot be continued";
            return Err(Problem::new(ProblemKind::Failed, words, site.source)
                .advise("try again later, or from the node's own address; to start over, remove the .part and its .part.state"));
        }
        let wanted = |left: &Unfinished| site.expected.ranged && left.holds(site.source, site.expected);
        let (file, left) = part::open(site.target, wanted)?;
        let spans = left.map(|left| left.spans).unwrap_or_default();
        Ok(Self::over(file, spans, site))
    }

    fn over<M: Medium>(file: M, spans: Spans, site: &Site<'_>) -> Self {
        let shared = Arc::new(Shared {
            file,
            target: site.target.to_owned(),
            source: site.source.to_owned(),
            expected: site.expected.clone(),
            spans: Mutex::new(spans),
            hashed: AtomicU64::new(0),
            whole: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            unsynced: AtomicBool::new(false),
            progress: site.progress.clone(),
        });
        let (chunks, receiver) = mpsc::channel(QUEUE);
        let threads = shared.clone();
        let writer = site.tasks.spawn_blocking(move || run(&threads, receiver));
        Self { target: site.target.to_owned(), chunks: Some(chunks), shared, writer }
    }

    /// What is on disk.
    pub fn spans(&self) -> Spans {
        self.shared.spans()
    }

    /// Whether it waits for a full disk.
    pub fn is_paused(&self) -> bool {
        self.shared.paused()
    }

    /// A door for chunks; there may be several.
    pub fn intake(&self) -> Intake {
        Intake(self.chunks.clone())
    }

    /// Why the threads stopped taking chunks.
    pub async fn failure(mut self) -> Problem {
        self.chunks = None;
        let part = part_path(&self.target);
        match self.writer.await {
            Ok(Err(error)) => disk_problem("write", &part, &error),
            _ => Problem::new(ProblemKind::Failed, "the writer stopped", part.display().to_string()),
        }
    }

    /// Waits until all is hashed and synced. The name is still `.part`.
    pub async fn finish(mut self, progress: &Progress) -> Result<(Written, Ready), Problem> {
        self.shared.whole(true);
        // A caller that stops waiting withdraws the request: a canceled file is not hashed for hours.
        let waits = Waits(Some(self.shared.clone()));
        self.chunks = None;
        let size = self.shared.spans().total();
        let failed = |error: std::io::Error| disk_problem("write", &part_path(&self.target), &error);
        let mut hashed = self.shared.hashed();
        let shown = size.saturating_sub(hashed) > 64 << 20;
        if shown {
            progress.phase("hashing what is on disk", Some(size));
            progress.resume(hashed);
        }
        let written = loop {
            tokio::select! {
                ended = &mut self.writer => break ended.map_err(|error| failed(std::io::Error::other(error)))?.map_err(failed)?,
                () = tokio::time::sleep(Duration::from_millis(100)) => {
                    let now = self.shared.hashed();
                    if shown {
                        progress.look_through(now.saturating_sub(hashed));
                    }
                    hashed = now;
                }
            }
        };
        waits.no_longer();
        Ok((written, Ready::new(self.target, Box::new(Locked(self.shared)))))
    }
}

/// Takes chunks for a [`Landing`].
#[derive(Clone)]
pub struct Intake(Option<mpsc::Sender<(u64, Bytes)>>);

impl Intake {
    /// Hands over what belongs at offset `at`; waits when the disk is slower than the network. False when the
    /// threads have stopped: [`Landing::failure`] says why.
    pub async fn write(&self, at: u64, chunk: Bytes) -> bool {
        match &self.0 {
            Some(chunks) => chunks.send((at, chunk)).await.is_ok(),
            None => false,
        }
    }
}

/// The lock of a part, as long as it waits for its name.
struct Locked(Arc<dyn Watched>);

impl Held for Locked {
    fn is_named(&self) -> bool {
        self.0.is_named()
    }
}

/// Somebody waits for the end of the hash.
struct Waits(Option<Arc<dyn Watched>>);

impl Waits {
    fn no_longer(mut self) {
        self.0 = None;
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.whole(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hex::hex;
    use crate::transfer::part::unfinished;
    use sha2::Digest as _;
    use std::io::ErrorKind;
    use std::sync::atomic::Ordering;

    struct Place {
        dir: tempfile::TempDir,
        expected: Expected,
        progress: Progress,
        tasks: TaskTracker,
    }

    impl Place {
        fn new(size: u64) -> Self {
            let expected = Expected { size, sha256: None, etag: Some("\"v1\"".into()), ranged: true };
            Self { dir: tempfile::tempdir().unwrap(), expected, progress: Progress::default(), tasks: TaskTracker::new() }
        }

        fn target(&self) -> PathBuf {
            self.dir.path().join("a.snapshot")
        }

        fn with<T>(&self, work: impl FnOnce(&Site<'_>) -> T) -> T {
            let target = self.target();
            let (expected, progress, tasks) = (&self.expected, &self.progress, &self.tasks);
            work(&Site { target: &target, source: "prod/x/a.snapshot", expected, progress, tasks })
        }

        fn open(&self) -> Landing {
            self.with(Landing::open).unwrap()
        }

        async fn broken_off(&self, landing: Landing) {
            drop(landing);
            self.tasks.close();
            self.tasks.wait().await;
            self.tasks.reopen();
        }
    }

    async fn land(place: &Place, chunks: &[(u64, &[u8])]) -> (Written, Ready) {
        let landing = place.open();
        for (at, chunk) in chunks {
            assert!(landing.intake().write(*at, Bytes::copy_from_slice(chunk)).await);
        }
        landing.finish(&place.progress).await.unwrap()
    }

    #[tokio::test]
    async fn a_file_is_visible_only_when_published() {
        let place = Place::new(3);
        let (written, ready) = land(&place, &[(0, b"ab"), (2, b"c")]).await;
        assert_eq!(written.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(!place.target().exists() && part_path(&place.target()).exists());
        ready.publish(false).unwrap();
        let left: Vec<_> = std::fs::read_dir(place.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["a.snapshot"], "neither part nor state is left");
    }

    #[tokio::test]
    async fn an_existing_file_survives() {
        let place = Place::new(3);
        std::fs::write(place.target(), "precious").unwrap();
        let (_, ready) = land(&place, &[(0, b"new")]).await;
        let problem = ready.publish(false).unwrap_err();
        assert!(problem.advice.contains("--overwrite"), "{problem:?}");
        assert_eq!(std::fs::read_to_string(place.target()).unwrap(), "precious");
        let (_, ready) = land(&place, &[(0, b"new")]).await;
        ready.publish(true).unwrap();
        assert_eq!(std::fs::read_to_string(place.target()).unwrap(), "new");
    }

    #[tokio::test]
    async fn the_end_of_a_tar_is_seen() {
        let block = [1; 512];
        let (written, _) = land(&Place::new(1536), &[(0, &block), (512, &[0; 1000]), (1512, &[0; 24])]).await;
        assert!(written.ends_as_tar);
        let (written, _) = land(&Place::new(1536), &[(0, &block), (512, &[0; 1023]), (1535, &[7])]).await;
        assert!(!written.ends_as_tar);
        let (written, _) = land(&Place::new(512), &[(0, &[0; 512])]).await;
        assert!(!written.ends_as_tar);
    }

    #[tokio::test]
    async fn what_was_broken_off_goes_on_and_hashes_to_the_whole() {
        let content: Vec<u8> = (0..400_000_u32).map(|n| (n % 251) as u8).collect();
        let place = Place::new(content.len() as u64);
        let landing = place.open();
        for (at, end) in [(300_000, 350_000), (0, 100_000)] {
            assert!(landing.intake().write(at as u64, Bytes::copy_from_slice(&content[at..end])).await);
        }
        place.broken_off(landing).await;
        assert_eq!(unfinished(&place.target()).unwrap().spans.pairs(), [(0, 100_000), (300_000, 350_000)]);
        let landing = place.open();
        for (from, to) in landing.spans().missing(400_000).pairs() {
            let chunk = Bytes::copy_from_slice(&content[*from as usize..*to as usize]);
            assert!(landing.intake().write(*from, chunk).await);
        }
        let (written, ready) = landing.finish(&place.progress).await.unwrap();
        assert_eq!((written.size, written.sha256), (400_000, hex(&sha2::Sha256::digest(&content))));
        let published = ready.publish(false).unwrap();
        assert!(std::fs::read(published).unwrap() == content);
    }

    #[tokio::test]
    async fn bytes_of_another_version_are_not_mixed_in() {
        let mut place = Place::new(1000);
        let landing = place.open();
        assert!(landing.intake().write(0, Bytes::from_static(&[1; 600])).await);
        place.broken_off(landing).await;
        place.expected.etag = Some("\"v2\"".into());
        assert!(place.open().spans().is_empty());
    }

    #[tokio::test]
    async fn what_cannot_be_resumed_is_not_left() {
        let mut place = Place::new(1000);
        place.expected.ranged = false;
        let landing = place.open();
        assert!(landing.intake().write(0, Bytes::from_static(&[1; 600])).await);
        place.broken_off(landing).await;
        assert_eq!(std::fs::read_dir(place.dir.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_missing_folder_is_explained() {
        let place = Place::new(1);
        let target = Path::new("/no/such/folder/x");
        let problem = place.with(|site| Landing::open(&Site { target, ..*site })).err().unwrap();
        assert!(problem.advice.contains("must exist"), "{problem:?}");
    }

    /// A disk that is full until somebody makes room, or that fails.
    struct Disk {
        room: Arc<AtomicU64>,
        loses: bool,
        error: ErrorKind,
        content: Mutex<Vec<u8>>,
    }

    impl Medium for Disk {
        fn reserve(&self, _: u64) -> std::io::Result<()> {
            Ok(())
        }

        fn write_all_at(&self, bytes: &[u8], at: u64) -> std::io::Result<()> {
            let end = at + bytes.len() as u64;
            if end > self.room.load(Ordering::Relaxed) {
                return Err(self.error.into());
            }
            let mut content = self.content.lock().unwrap();
            let length = content.len().max(end as usize);
            content.resize(length, 0);
            content[at as usize..end as usize].copy_from_slice(bytes);
            Ok(())
        }

        fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> std::io::Result<()> {
            buffer.copy_from_slice(&self.content.lock().unwrap()[at as usize..at as usize + buffer.len()]);
            Ok(())
        }

        fn is(&self, _: &Path) -> bool {
            true
        }

        fn sync(&self) -> std::io::Result<()> {
            if self.loses { Err(ErrorKind::Other.into()) } else { Ok(()) }
        }
    }

    #[tokio::test]
    async fn what_a_disk_lost_is_not_counted_as_there() {
        let place = Place::new(200);
        let disk =
            Disk { room: Arc::new(AtomicU64::new(u64::MAX)), loses: true, error: ErrorKind::Other, content: Mutex::default() };
        let landing = place.with(|site| Landing::over(disk, Spans::default(), site));
        landing.intake().write(0, Bytes::from_static(&[1; 200])).await;
        assert!(landing.finish(&place.progress).await.is_err());
        assert_eq!(unfinished(&place.target()), None, "no state was saved");
    }

    #[tokio::test]
    async fn a_full_disk_pauses_and_goes_on_when_there_is_room() {
        let place = Place::new(200);
        let room = Arc::new(AtomicU64::new(150));
        let disk = Disk { room: room.clone(), loses: false, error: ErrorKind::StorageFull, content: Mutex::default() };
        let landing = place.with(|site| Landing::over(disk, Spans::default(), site));
        assert!(landing.intake().write(0, Bytes::from_static(&[1; 100])).await);
        assert!(landing.intake().write(100, Bytes::from_static(&[2; 100])).await);
        while !landing.is_paused() {
            tokio::task::yield_now().await;
        }
        assert!(place.progress.sample().note.contains("the disk is full: make room for 100 B"), "{:?}", place.progress.sample());
        room.store(1000, Ordering::Relaxed);
        let (written, _) = landing.finish(&place.progress).await.unwrap();
        assert_eq!(written.size, 200);
        assert_eq!(place.progress.sample().note, "");
    }

    #[tokio::test]
    async fn a_disk_that_is_full_at_the_end_pauses_too() {
        let place = Place::new(200);
        let room = Arc::new(AtomicU64::new(150));
        let disk = Disk { room: room.clone(), loses: false, error: ErrorKind::StorageFull, content: Mutex::default() };
        let landing = place.with(|site| Landing::over(disk, Spans::default(), site));
        let shared = landing.shared.clone();
        assert!(landing.intake().write(0, Bytes::from_static(&[1; 100])).await);
        assert!(landing.intake().write(100, Bytes::from_static(&[2; 100])).await);
        let finishing = landing.finish(&place.progress);
        let making_room = async {
            while !shared.paused() {
                tokio::task::yield_now().await;
            }
            room.store(1000, Ordering::Relaxed);
        };
        let (finished, ()) = tokio::join!(finishing, making_room);
        assert_eq!(finished.unwrap().0.size, 200);
    }

    #[tokio::test]
    async fn what_somebody_put_in_its_place_is_not_published() {
        let place = Place::new(3);
        let landing = place.open();
        assert!(landing.intake().write(0, Bytes::from_static(b"abc")).await);
        let (_, ready) = landing.finish(&place.progress).await.unwrap();
        std::fs::remove_file(part_path(&place.target())).unwrap();
        std::fs::write(part_path(&place.target()), "WRONG").unwrap();
        let problem = ready.publish(false).unwrap_err();
        assert!(problem.message.contains("removed or replaced"), "{problem}");
        assert!(!place.target().exists());
    }

    #[tokio::test]
    async fn what_is_precious_is_not_thrown_away_for_want_of_ranges() {
        let mut place = Place::new(4 << 20);
        let landing = place.open();
        assert!(landing.intake().write(0, Bytes::from(vec![1; 2 << 20])).await);
        place.broken_off(landing).await;
        place.expected.ranged = false;
        assert!(place.with(Landing::open).is_err());
        assert_eq!(unfinished(&place.target()).unwrap().spans.total(), 2 << 20);
    }

    #[tokio::test]
    async fn a_broken_disk_is_named() {
        let place = Place::new(200);
        let disk = Disk { room: Arc::default(), loses: false, error: ErrorKind::ReadOnlyFilesystem, content: Mutex::default() };
        let landing = place.with(|site| Landing::over(disk, Spans::default(), site));
        while landing.intake().write(0, Bytes::from_static(&[1; 100])).await {}
        let problem = landing.failure().await;
        assert!(problem.message.contains("cannot write the file: read-only"), "{problem}");
    }
}
