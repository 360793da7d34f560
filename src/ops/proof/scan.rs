//! Reading the points of a collection, however little the server gives at once.
//!
//! Strict mode limits pages, forbids exact counts and counts reads by the minute (1.13 and newer); points may be so large
//! that a page of them does not fit into memory. So pages are chosen by bytes, shrink when they are refused, and a count
//! that is refused is made by reading ids.

use crate::domain::address::CollectionAddress;
use crate::domain::collection::CollectionInfo;
use crate::domain::ids::CollectionName;
use crate::domain::point::{Point, PointId};
use crate::domain::settings::Settings;
use crate::domain::size::{Unit, exact};
use crate::jobs::progress::Progress;
use crate::ops::proof::unread::Unread;
use crate::ops::services::Connection;
use crate::qdrant::api::{Fields, InstanceApi, ScrollPage};
use crate::qdrant::error::{ApiError, ApiErrorKind};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Ranges of ids that are read at once; each has one request in flight to each side.
const RANGES: usize = 6;

/// Points that are so large that each is read alone: so many at the same time, of all collections that are read. Each takes some
/// megabytes until it is a digest.
static LARGE_AT_ONCE: Semaphore = Semaphore::const_new(3);

/// Bytes that a page should have: a dozen may be in flight.
const PAGE_BYTES: usize = 512 << 10;

/// Points of a page at most, with payload and vectors, and with ids alone.
const MOST: usize = 1_000;
const MOST_IDS: usize = 10_000;

/// Points that are looked up by id at once.
const LOOKED_UP: usize = 50;

/// A server that says it cannot read something is asked once more after this time.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// Longest that reading is allowed to take because of a rate limit, in minutes.
const MINUTES: u64 = 60;

/// What a server allows at once, as the collection's strict mode says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ops) struct Allowed {
    /// Points in one request.
    pub page: usize,
    /// Reads a minute; a lookup by id costs one for each id (1.16.3).
    pub per_minute: Option<u64>,
    /// Exact counts.
    pub exact: bool,
}

impl Allowed {
    /// Without strict mode.
    pub(in crate::ops) const ALL: Self = Self { page: usize::MAX, per_minute: None, exact: true };

    /// As the settings say.
    pub(in crate::ops) fn of(settings: &Settings) -> Self {
        let (Some(strict), enabled) = settings.strict_mode() else { return Self::ALL };
        let number = |key: &str| strict.get(key).and_then(Value::as_u64);
        let page = number("max_query_limit").filter(|_| enabled).and_then(|limit| usize::try_from(limit).ok());
        Self {
            page: page.unwrap_or(usize::MAX).max(1),
            // It holds although strict mode is switched off, until that is changed once more (1.16.3).
            per_minute: number("read_rate_limit").map(|limit| limit.max(1)),
            exact: !enabled || strict.get("search_allow_exact") != Some(&Value::Bool(false)),
        }
    }

    /// How large a sample may be that is drawn once and looked up once or twice, each within about a minute.
    pub(in crate::ops) fn sample(self, wanted: usize) -> usize {
        self.per_minute.map_or(wanted, |reads| wanted.min(usize::try_from(reads).unwrap_or(wanted)))
    }

    /// Why reading `points` points page by page would take too long.
    pub(in crate::ops) fn too_long(self, points: u64) -> Option<String> {
        let pages = points / self.page.min(MOST) as u64;
        let reads = self.per_minute?;
        let minutes = pages / reads;
        (minutes > MINUTES).then(|| {
            format!(
                "the server allows {reads} reads a minute of {} points: {} points would take {minutes} minutes",
                self.page.min(MOST),
                exact(points)
            )
        })
    }
}

/// The size of the next page.
#[derive(Debug, Clone, Copy)]
struct Pages {
    limit: usize,
    most: usize,
    /// Times that a silence or a break made it smaller.
    silences: u32,
}

impl Pages {
    fn new(begin: usize, most: usize) -> Self {
        Self { limit: begin.clamp(1, most.max(1)), most: most.max(1), silences: 0 }
    }

    /// A page came: the next one should have about [`PAGE_BYTES`].
    fn answered(&mut self, points: usize, bytes: usize) {
        if points == 0 {
            return;
        }
        let fits = PAGE_BYTES / (bytes / points).max(1);
        self.limit = fits.clamp(1, self.limit.saturating_mul(4)).min(self.most);
    }

    /// A page was refused, or did not come: whether a smaller one is worth a try.
    fn refused(&mut self, error: &ApiError) -> bool {
        if self.limit <= 1 {
            return false;
        }
        let smaller = match error.kind {
            ApiErrorKind::TooLarge | ApiErrorKind::Rejected | ApiErrorKind::Forbidden => true,
            // A limit that names no time is one of size.
            ApiErrorKind::RateLimited => error.retry_after.is_none(),
            ApiErrorKind::Timeout | ApiErrorKind::Cut | ApiErrorKind::Proxy => {
                self.silences += 1;
                self.silences <= 3
            }
            _ => false,
        };
        if smaller {
            self.limit /= 2;
            // What a server refuses it refuses again; what was only too large may have been one large point.
            if !matches!(error.kind, ApiErrorKind::TooLarge) {
                self.most = self.limit;
            }
        }
        smaller
    }
}

/// A server that says by an error of its own that it cannot read something is asked once more.
fn worth_a_second_look(error: &ApiError) -> bool {
    error.kind == ApiErrorKind::Server && error.is_damage()
}

/// Asks, once more where that may help.
macro_rules! twice {
    ($shown:expr, $call:expr) => {{
        let mut answer = $call.await;
        if answer.as_ref().is_err_and(worth_a_second_look) {
            tokio::time::sleep(SECOND_LOOK).await;
            answer = $call.await;
        }
        answer.map_err(|error| Unread::of(error, $shown))
    }};
}

/// One collection, to be read.
#[derive(Clone)]
pub(in crate::ops) struct Reader {
    connection: Arc<Connection>,
    name: CollectionName,
    /// Its address.
    pub shown: String,
    /// What the server allows at once.
    pub allowed: Allowed,
    begin: usize,
    /// About how many points there are, where the server says so.
    about: Option<u64>,
    /// Points of a page that fitted last: other ranges begin with it.
    fitted: Arc<AtomicUsize>,
}

impl Reader {
    /// Of a collection whose info is known.
    pub(in crate::ops) fn new(connection: &Arc<Connection>, address: &CollectionAddress, info: &CollectionInfo) -> Self {
        Self {
            connection: connection.clone(),
            name: address.collection.clone(),
            shown: address.to_string(),
            allowed: Allowed::of(&info.settings),
            begin: page_size(info),
            about: info.points,
            fitted: Arc::default(),
        }
    }

    /// Of a collection that is asked for its info first.
    ///
    /// # Errors
    /// When it cannot be had.
    pub(in crate::ops) async fn open(
        connection: &Arc<Connection>,
        address: &CollectionAddress,
    ) -> Result<(Self, CollectionInfo), Unread> {
        let shown = address.to_string();
        let info = twice!(&shown, connection.whole().collection(&address.collection))?;
        Ok((Self::new(connection, address, &info), info))
    }

    fn whole(&self) -> &dyn InstanceApi {
        self.connection.whole()
    }

    fn pages(&self, fields: Fields) -> Pages {
        let (most, begin) = match fields {
            Fields::Ids => (MOST_IDS, MOST_IDS),
            Fields::All => (
                MOST,
                match self.fitted.load(Ordering::Relaxed) {
                    0 => self.begin,
                    fitted => fitted,
                },
            ),
        };
        Pages::new(begin, most.min(self.allowed.page))
    }

    /// The exact number of points. Where the server refuses to count, ids are read.
    ///
    /// # Errors
    /// When neither can be done.
    pub(in crate::ops) async fn count(&self, info: Option<u64>, progress: &Progress) -> Result<u64, Unread> {
        if self.allowed.exact {
            match self.whole().count(&self.name).await {
                // A limit of the server's own configuration shows in no collection.
                Err(error) if matches!(error.kind, ApiErrorKind::Rejected | ApiErrorKind::Forbidden) => {}
                Err(error) if worth_a_second_look(&error) => {
                    tokio::time::sleep(SECOND_LOOK).await;
                    return self.whole().count(&self.name).await.map_err(|error| Unread::of(error, &self.shown));
                }
                counted => return counted.map_err(|error| Unread::of(error, &self.shown)),
            }
        }
        if let Some(why) = info.and_then(|points| self.allowed.too_long(points)) {
            return Err(self.unknown(why));
        }
        progress.note("the server does not count exactly: counting ids");
        self.read_to_end(Fields::Ids, None).await
    }

    fn unknown(&self, why: impl AsRef<str>) -> Unread {
        use crate::domain::problem::{Problem, ProblemKind};
        Unread::Unknown(Problem::new(ProblemKind::Failed, why, &self.shown).advise("raise the limits of strict mode for this"))
    }

    /// One page from `offset` on.
    async fn page(&self, offset: Option<&PointId>, pages: &mut Pages, fields: Fields) -> Result<ScrollPage, Unread> {
        let mut again = true;
        loop {
            let alone = pages.limit == 1 && fields == Fields::All;
            let _turn = if alone { LARGE_AT_ONCE.acquire().await.ok() } else { None };
            match self.whole().scroll(&self.name, offset, pages.limit, fields).await {
                Ok(page) => {
                    pages.answered(page.points.len(), page.bytes);
                    if fields == Fields::All {
                        self.fitted.store(pages.limit, Ordering::Relaxed);
                    }
                    return Ok(page);
                }
                Err(error) if pages.refused(&error) => {}
                Err(error) if again && worth_a_second_look(&error) => {
                    again = false;
                    tokio::time::sleep(SECOND_LOOK).await;
                }
                Err(error) => return Err(Unread::of(error, &self.shown)),
            }
        }
    }

    /// Random points, about as many as `wanted` where there are as many; each once.
    ///
    /// # Errors
    /// When none can be had.
    pub(in crate::ops) async fn sample(&self, wanted: usize) -> Result<Vec<Point>, Unread> {
        if self.about.is_some_and(|points| points <= wanted as u64) {
            // All of them are the best sample, and nothing is drawn twice.
            return self.first(wanted).await;
        }
        let mut pages = Pages::new(wanted, wanted.min(self.allowed.page));
        let mut found: BTreeMap<PointId, Point> = BTreeMap::new();
        let mut rounds = 0;
        while found.len() < wanted && rounds < 2 * wanted.div_ceil(pages.limit) {
            match self.whole().sample(&self.name, pages.limit.min(wanted - found.len()).max(1)).await {
                Ok(points) => {
                    let all = points.len() < pages.limit.min(wanted - found.len());
                    found.extend(points.into_iter().map(|point| (point.id.clone(), point)));
                    rounds += 1;
                    if all {
                        break;
                    }
                }
                Err(error) if pages.refused(&error) => {}
                Err(_) if !found.is_empty() => break,
                // Before 1.11 there is no query API, and a proxy may not let it pass: the first points serve.
                Err(error) if error.status.is_some() => return self.first(wanted).await,
                Err(error) => return Err(Unread::of(error, &self.shown)),
            }
        }
        Ok(found.into_values().collect())
    }

    async fn first(&self, wanted: usize) -> Result<Vec<Point>, Unread> {
        let mut pages = self.pages(Fields::All);
        let (mut found, mut next) = (Vec::new(), None);
        while found.len() < wanted {
            pages.limit = pages.limit.min(wanted - found.len());
            let page = self.page(next.as_ref(), &mut pages, Fields::All).await?;
            found.extend(page.points);
            match page.next {
                Some(id) => next = Some(id),
                None => break,
            }
        }
        Ok(found)
    }

    /// Digests of the points of these ids that exist.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(in crate::ops) async fn digests(&self, ids: &[PointId]) -> Result<BTreeMap<PointId, String>, Unread> {
        let per_minute = self.allowed.per_minute.and_then(|reads| usize::try_from(reads).ok()).unwrap_or(LOOKED_UP);
        let mut pages = Pages::new(LOOKED_UP, LOOKED_UP.min(per_minute).min(self.allowed.page));
        let (mut found, mut left, mut again) = (BTreeMap::new(), ids, true);
        while !left.is_empty() {
            let (chunk, rest) = left.split_at(pages.limit.min(left.len()));
            match self.whole().points(&self.name, chunk).await {
                Ok(points) => {
                    found.extend(points.into_iter().map(|point| (point.id, point.digest)));
                    left = rest;
                    again = true;
                }
                Err(error) if pages.refused(&error) => {}
                Err(error) if again && worth_a_second_look(&error) => {
                    again = false;
                    tokio::time::sleep(SECOND_LOOK).await;
                }
                Err(error) => return Err(Unread::of(error, &self.shown)),
            }
        }
        Ok(found)
    }

    /// Ids that divide the collection into about equal parts: quantiles of a random sample. Without one there is one part;
    /// so there is where the server counts reads.
    pub(in crate::ops) async fn bounds(&self) -> Vec<PointId> {
        if self.allowed.per_minute.is_some() {
            return Vec::new();
        }
        let Ok(sampled) = self.sample(16 * RANGES).await else { return Vec::new() };
        let mut ids: Vec<PointId> = sampled.into_iter().map(|point| point.id).collect();
        ids.sort();
        let mut bounds: Vec<PointId> = (1..RANGES).filter_map(|part| ids.get(part * ids.len() / RANGES).cloned()).collect();
        bounds.dedup();
        bounds
    }

    /// Reads every point, to see that all can be read; gives how many there are.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub(in crate::ops) async fn read_to_end(&self, fields: Fields, progress: Option<&Progress>) -> Result<u64, Unread> {
        let mut tasks = JoinSet::new();
        for (start, end) in ranges(&self.bounds().await) {
            let (mut cursor, progress) = (Cursor::new(self.clone(), start, end, fields), progress.cloned());
            tasks.spawn(async move {
                let mut read = 0;
                while let Some(points) = cursor.page().await? {
                    read += points.len() as u64;
                    if let Some(progress) = &progress {
                        progress.look_through(points.len() as u64);
                    }
                }
                Ok::<u64, Unread>(read)
            });
        }
        let mut read = 0;
        while let Some(ended) = tasks.join_next().await {
            read += ended.map_err(|error| self.unknown(format!("reading crashed: {error}")))??;
        }
        Ok(read)
    }

    /// The same as a phase of a job, with its progress.
    ///
    /// # Errors
    /// As [`Reader::read_to_end`].
    pub(in crate::ops) async fn read_all(&self, points: u64, fields: Fields, progress: &Progress) -> Result<u64, Unread> {
        progress.counting("reading every point", Some(points), Unit::Points);
        self.read_to_end(fields, Some(progress)).await
    }
}

/// The ranges between bounds, from the first id to the last.
pub(in crate::ops) fn ranges(bounds: &[PointId]) -> Vec<(Option<PointId>, Option<PointId>)> {
    let starts = std::iter::once(None).chain(bounds.iter().cloned().map(Some));
    let ends = bounds.iter().cloned().map(Some).chain(std::iter::once(None));
    starts.zip(ends).collect()
}

/// Reads one range in the order of ids.
pub(in crate::ops) struct Cursor {
    reader: Reader,
    pages: Pages,
    fields: Fields,
    next: Option<PointId>,
    until: Option<PointId>,
    last: Option<PointId>,
    done: bool,
}

impl Cursor {
    pub(in crate::ops) fn new(reader: Reader, start: Option<PointId>, until: Option<PointId>, fields: Fields) -> Self {
        Self { pages: reader.pages(fields), reader, fields, next: start, until, last: None, done: false }
    }

    /// The next points; `None` at the end.
    ///
    /// # Errors
    /// When they cannot be read, or come out of order: a merge would take such a point for one that is missing.
    pub(in crate::ops) async fn page(&mut self) -> Result<Option<Vec<Point>>, Unread> {
        if self.done {
            return Ok(None);
        }
        let page = self.reader.page(self.next.as_ref(), &mut self.pages, self.fields).await?;
        let mut points = page.points;
        if let Some(until) = &self.until
            && let Some(at) = points.iter().position(|point| point.id >= *until)
        {
            points.truncate(at);
            self.done = true;
        }
        for point in &points {
            if self.last.as_ref().is_some_and(|last| *last >= point.id) {
                return Err(self
                    .reader
                    .unknown(format!("the server gave points out of order at id {}: does somebody write?", point.id)));
            }
            self.last = Some(point.id.clone());
        }
        match page.next {
            Some(next) if self.next.as_ref() != Some(&next) => self.next = Some(next),
            _ => self.done = true,
        }
        Ok(Some(points))
    }
}

/// Numbers in the vectors of a point decide with how many points a page begins.
fn page_size(info: &CollectionInfo) -> usize {
    /// A number as text.
    const DIGITS: u64 = 12;
    let size = |vector: &Value| {
        let size = vector.get("size").and_then(Value::as_u64)?;
        // A multivector holds several.
        let many = if vector.get("multivector_config").is_some_and(|config| !config.is_null()) { 64 } else { 1 };
        Some(size.saturating_mul(many))
    };
    let vectors = info.vectors();
    let named = || vectors.as_object().into_iter().flatten().filter_map(|(_, vector)| size(vector)).fold(0, u64::saturating_add);
    let bytes = size(&vectors).unwrap_or_else(named).saturating_mul(DIGITS).max(2_048);
    usize::try_from(PAGE_BYTES as u64 / bytes).unwrap_or(1).clamp(4, 250)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn error(kind: ApiErrorKind) -> ApiError {
        ApiError::new(kind, "read points", "http://h", "x")
    }

    #[test]
    fn pages_have_about_the_same_number_of_bytes() {
        let mut pages = Pages::new(100, 1_000);
        pages.answered(100, 60_000_000);
        assert_eq!(pages.limit, 1, "600 kB a point");
        for _ in 0..10 {
            pages.answered(pages.limit, 100 * pages.limit);
        }
        assert_eq!(pages.limit, 1_000, "it grows again, and never beyond what is allowed");
    }

    #[test]
    fn a_page_that_is_refused_becomes_smaller_until_it_is_one_point() {
        let mut pages = Pages::new(1_000, 1_000);
        while pages.refused(&error(ApiErrorKind::Rejected)) {}
        assert_eq!((pages.limit, pages.most), (1, 1), "a limit of the server stays");
        let mut pages = Pages::new(1_000, 1_000);
        assert!(pages.refused(&error(ApiErrorKind::TooLarge)));
        assert_eq!((pages.limit, pages.most), (500, 1_000), "one large point is no limit");
        let mut pages = Pages::new(1_000, 1_000);
        let silent = (0..10).filter(|_| pages.refused(&error(ApiErrorKind::Timeout))).count();
        assert_eq!(silent, 3, "a server that is silent is not asked for ever");
        let mut later = error(ApiErrorKind::RateLimited);
        assert!(Pages::new(10, 10).refused(&later), "too large for the limit");
        later.retry_after = Some(Duration::from_secs(5));
        assert!(!Pages::new(10, 10).refused(&later), "waiting was tried");
        assert!(!Pages::new(10, 10).refused(&error(ApiErrorKind::Unreachable)));
    }

    #[test]
    fn strict_mode_says_what_is_allowed() {
        let settings = |strict: Value| Settings::of(&json!({"strict_mode_config": strict}), []);
        let strict = json!({"enabled": true, "max_query_limit": 5, "read_rate_limit": 7, "search_allow_exact": false});
        let allowed = Allowed::of(&settings(strict));
        assert_eq!(allowed, Allowed { page: 5, per_minute: Some(7), exact: false });
        assert_eq!((allowed.sample(100), Allowed::ALL.sample(100)), (7, 100));
        assert!(allowed.too_long(100).is_none());
        assert!(allowed.too_long(1_000_000).unwrap().contains("7 reads a minute"));
        assert_eq!(Allowed::of(&settings(json!({"enabled": false, "max_query_limit": 5}))), Allowed::ALL);
    }
}
