//! Faults on demand.
//!
//! A fault is written `ROUTE:KIND[=VALUE][@AFTER][*TIMES]`, several are separated by commas, for example
//! `download:reset=1000000*1,list:status=503@2*2,any:delay=50ms`. It lets AFTER requests pass and then meets
//! TIMES of them.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Which requests a fault meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// All.
    Any,
    /// `/`, which tells the version; it is met by faults for lists as well.
    Root,
    /// Lists and info.
    List,
    /// Taking a snapshot.
    Create,
    /// Downloading a snapshot.
    Download,
    /// Uploading a snapshot.
    Upload,
    /// Recovering from a location.
    Recover,
    /// Reading, writing and counting points.
    Points,
}

impl Route {
    /// Whether a fault for this route meets a request of another.
    fn covers(self, request: Self) -> bool {
        self == request || self == Self::Any || (self, request) == (Self::List, Self::Root)
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The answer comes later.
    Delay(Duration),
    /// The body is limited to bytes per second.
    Throttle(u64),
    /// The connection breaks after so many bytes of the body.
    Reset(u64),
    /// The body ends after so many bytes, and says so in its length.
    Truncate(u64),
    /// After so many bytes nothing more comes.
    Stall(u64),
    /// This status; 502 comes as a proxy's HTML.
    Status(u16),
    /// This status with a proxy's HTML.
    Page(u16),
    /// 429 with `Retry-After`, in seconds.
    RetryAfter(u64),
    /// An answer with more bytes becomes a proxy's 502.
    Largest(u64),
    /// Downloads come without `Content-Length`.
    Chunked,
    /// A POST without a body is refused with 400, as it is behind a proxy that speaks HTTP/1.0.
    WantsBody,
    /// Listings and creates give a checksum that is wrong.
    WrongChecksum,
    /// Range headers are ignored.
    IgnoreRange,
    /// The snapshot vanishes between list and download.
    Vanish,
    /// All files become other versions, as if somebody had replaced them.
    Replace,
    /// A restore fails while it loads the data: the shards it was to replace cannot be read any more.
    Break,
    /// Segments are being optimized: a list of optimizations has one under way.
    Optimizing,
    /// Data is replaced, and no counter of telemetry tells it: as by a client that went away before the restore ended.
    Uncounted,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which requests.
    pub route: Route,
    /// What.
    pub kind: Kind,
    /// Requests that pass before it begins.
    pub after: u32,
    /// How often still; `None` for always.
    pub times: Option<u32>,
}

/// The set of faults of one sandbox; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Vec<Fault>>>);

impl Faults {
    /// Adds one.
    pub fn add(&self, fault: Fault) {
        self.list().push(fault);
    }

    /// Adds those that a text describes.
    pub fn add_all(&self, spec: &str) -> Result<(), String> {
        for part in spec.split(',').filter(|part| !part.trim().is_empty()) {
            self.add(part.trim().parse()?);
        }
        Ok(())
    }

    /// Removes all.
    pub fn clear(&self) {
        self.list().clear();
    }

    /// Takes the first fault for `route` that `pick` wants, and counts it down.
    pub fn take<T>(&self, route: Route, pick: impl Fn(Kind) -> Option<T>) -> Option<T> {
        let mut list = self.list();
        let meets = |fault: &Fault| fault.times != Some(0) && fault.route.covers(route);
        for fault in list.iter_mut().filter(|fault| meets(fault)) {
            if let Some(found) = pick(fault.kind) {
                if fault.after > 0 {
                    fault.after -= 1;
                    continue;
                }
                if let Some(times) = &mut fault.times {
                    *times -= 1;
                }
                return Some(found);
            }
        }
        None
    }

    /// Whether a fault of this kind is set for `route`; counts it down.
    pub fn meets(&self, route: Route, kind: Kind) -> bool {
        self.take(route, |found| (found == kind).then_some(())).is_some()
    }

    /// Whether every fault that has a number of times was met as often: for those who wait until a request is there.
    pub fn spent(&self) -> bool {
        self.list().iter().all(|fault| fault.times.is_none_or(|times| times == 0))
    }

    fn list(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!("fault `{text}`: {why}; write ROUTE:KIND[=VALUE][@AFTER][*TIMES], for example download:reset=1000000*1")
        };
        let (route, rest) = text.split_once(':').ok_or_else(|| wrong("no route"))?;
        let (kind, times) = match rest.split_once('*') {
            Some((kind, times)) => (kind, Some(times.parse().map_err(|_| wrong("TIMES is not a number"))?)),
            None => (rest, None),
        };
        let (kind, after) = match kind.split_once('@') {
            Some((kind, after)) => (kind, after.parse().map_err(|_| wrong("AFTER is not a number"))?),
            None => (kind, 0),
        };
        let route = match route {
            "any" => Route::Any,
            "root" => Route::Root,
            "list" => Route::List,
            "create" => Route::Create,
            "download" => Route::Download,
            "upload" => Route::Upload,
            "recover" => Route::Recover,
            "points" => Route::Points,
            _ => return Err(wrong("routes are any, root, list, create, download, upload, recover, points")),
        };
        let (name, value) = kind.split_once('=').unwrap_or((kind, ""));
        let size = || crate::domain::size::parse(value).map_err(|_| wrong("VALUE is not a size"));
        let kind = match name {
            "delay" => {
                let span: jiff::SignedDuration = value.parse().map_err(|_| wrong("VALUE is not a duration such as 50ms"))?;
                Kind::Delay(Duration::try_from(span).map_err(|_| wrong("VALUE is negative"))?)
            }
            "throttle" => Kind::Throttle(size()?.max(1)),
            "reset" => Kind::Reset(size()?),
            "truncate" => Kind::Truncate(size()?),
            "stall" => Kind::Stall(size()?),
            "status" => Kind::Status(value.parse().map_err(|_| wrong("VALUE is not a status"))?),
            "page" => Kind::Page(value.parse().map_err(|_| wrong("VALUE is not a status"))?),
            "retry-after" => Kind::RetryAfter(value.parse().map_err(|_| wrong("VALUE is not a number of seconds"))?),
            "largest" => Kind::Largest(size()?),
            "chunked" => Kind::Chunked,
            "wants-body" => Kind::WantsBody,
            "wrong-checksum" => Kind::WrongChecksum,
            "ignore-range" => Kind::IgnoreRange,
            "vanish" => Kind::Vanish,
            "replace" => Kind::Replace,
            "break" => Kind::Break,
            "optimizing" => Kind::Optimizing,
            "uncounted" => Kind::Uncounted,
            _ => {
                return Err(wrong(
                    "kinds are delay, throttle, reset, truncate, stall, status, page, retry-after, largest, chunked, wants-body, \
                     wrong-checksum, ignore-range, vanish, replace, break, optimizing, uncounted",
                ));
            }
        };
        Ok(Self { route, kind, after, times })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_from_text() {
        let fault: Fault = "download:reset=1MB*2".parse().unwrap();
        assert_eq!(fault, Fault { route: Route::Download, kind: Kind::Reset(1_000_000), after: 0, times: Some(2) });
        for bad in [
            "",
            "x",
            "download",
            "download:fly",
            "root:page=none",
            "any:retry-after=soon",
            "any:delay=fast",
            "any:reset=x",
            "any:status=503*many",
            "any:status=503@x",
        ] {
            assert!(bad.parse::<Fault>().is_err(), "{bad}");
        }
    }

    #[test]
    fn faults_are_counted_down() {
        let faults = Faults::default();
        faults.add_all("list:status=503*2").unwrap();
        let status = |route| faults.take(route, |kind| if let Kind::Status(code) = kind { Some(code) } else { None });
        assert_eq!(status(Route::Download), None);
        assert_eq!([status(Route::List), status(Route::List), status(Route::List)], [Some(503), Some(503), None]);
        faults.add_all("list:page=403*1,root:chunked").unwrap();
        let page = |route| faults.take(route, |kind| if let Kind::Page(code) = kind { Some(code) } else { None });
        assert_eq!([page(Route::Root), page(Route::List)], [Some(403), None], "a fault for lists meets the root as well");
        assert!(!faults.meets(Route::List, Kind::Chunked) && faults.meets(Route::Root, Kind::Chunked));
        faults.add_all("list:status=500@1*1").unwrap();
        assert_eq!([status(Route::List), status(Route::List), status(Route::List)], [None, Some(500), None]);
    }
}
