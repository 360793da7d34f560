//! Which route the bytes take first, and why. Pure.

use crate::domain::ids::{CollectionName, SnapshotName};
use crate::domain::instance::Instance;
use crate::domain::repository::{Place, Repository};
use crate::domain::secret::SafeUrl;
use crate::ops::request::route::Route;
use crate::ops::services::Connection;

/// One end of a route.
#[derive(Clone, Copy)]
pub(in crate::ops) struct End<'a> {
    instance: &'a Instance,
    url: &'a SafeUrl,
    reachable_as: Option<&'a SafeUrl>,
    /// Bytes in the name of the snapshot that is fetched.
    name: usize,
}

/// Longest name of a snapshot that a server can fetch: it keeps the download under that name and 16 bytes more, and a file's
/// name has at most 255 (1.16.3).
const LONGEST_FETCHED: usize = 239;

/// What a server puts behind a collection's name: peer, time, ending; at most.
const NAME_OF_SNAPSHOT: usize = 50;

impl<'a> End<'a> {
    /// The node of this address.
    pub(in crate::ops) fn of(connection: &'a Connection, url: &'a SafeUrl) -> Self {
        let index = connection.nodes.iter().position(|node| node.url() == url);
        let reachable_as = index.and_then(|index| connection.instance.reachable_as(index));
        Self { instance: &connection.instance, url, reachable_as, name: 0 }
    }

    /// The same, where this snapshot comes from it.
    pub(in crate::ops) fn with_snapshot(self, name: &SnapshotName) -> Self {
        Self { name: name.raw().len(), ..self }
    }

    /// The same, where a snapshot of this collection will come from it.
    pub(in crate::ops) fn with_collection(self, name: &CollectionName) -> Self {
        Self { name: name.raw().len() + NAME_OF_SNAPSHOT, ..self }
    }

    /// Why another server should not be told to fetch from here, unless it is asked for.
    fn out_of_reach(&self, target: &Self) -> Option<String> {
        if self.name > LONGEST_FETCHED {
            let bytes = self.name;
            return Some(format!(
                "the snapshot's name has {bytes} bytes: a server cannot fetch one with more than {LONGEST_FETCHED}"
            ));
        }
        if self.reachable_as.is_some() {
            return None;
        }
        let (url, name, same) = (self.url, &self.instance.name, self.instance.name == target.instance.name);
        let hint = "`reachable-as` in the configuration says how other servers reach it";
        if self.instance.needs_headers {
            return Some(format!("{name} wants basic-auth or headers, which another server cannot send; {hint}"));
        }
        if self.instance.tls.certificate_pin.is_some() {
            return Some(format!("the certificate of {name} is pinned here, and another server does not accept it; {hint}"));
        }
        // Two tunnels of this machine look like two servers on it. A wrong guess would give the key to whatever else the
        // target finds at its own address.
        if url.is_loopback() && !(same && target.url.is_loopback()) {
            return Some(format!("{url} is an address of this machine, which another server may take for its own; {hint}"));
        }
        None
    }
}

/// The route that a plan shows: what will be tried first, and why. `source` is `None` for a local file.
pub(in crate::ops) fn first_route(asked: Route, source: Option<End<'_>>, target: End<'_>, limited: bool) -> (Route, String) {
    let Some(source) = source else { return (Route::Upload, "a local file".into()) };
    let address = source.reachable_as.unwrap_or(source.url);
    match (asked, source.out_of_reach(&target)) {
        (Route::Url, _) if limited => (Route::Url, "as asked; the rate limit does not hold for it".into()),
        (Route::Url, Some(why)) => (Route::Url, format!("as asked, although {why}")),
        (Route::Url, None) => (Route::Url, "as asked".into()),
        (Route::Stream | Route::Upload, _) => (Route::Stream, "as asked".into()),
        (Route::Auto, _) if limited => (Route::Stream, "a rate limit is set, which only bytes through qsnap keep to".into()),
        (Route::Auto, Some(why)) => (Route::Stream, why),
        (Route::Auto, None) => (Route::Url, format!("the target fetches from {address}; else through qsnap")),
    }
}

/// The same from a repository: the target fetches by a signed link where the store has an address that it can reach.
pub(in crate::ops) fn from_store(asked: Route, repository: &Repository, target: &SafeUrl, limited: bool) -> (Route, String) {
    let hint = "`reachable-as` of the repository says how servers reach it";
    let away = match (&repository.place, &repository.reachable_as, &repository.endpoint) {
        (Place::Directory(_), ..) => Some("a directory of this machine is no address for a server".to_owned()),
        (_, Some(_), _) => None,
        (_, None, Some(endpoint)) if SafeUrl::new(endpoint.clone()).is_loopback() && !target.is_loopback() => {
            Some(format!("{} is on this machine; {hint}", repository.name))
        }
        _ => None,
    };
    match (asked, away) {
        (Route::Stream | Route::Upload, _) => (Route::Stream, "as asked".into()),
        (Route::Url, None) if limited => (Route::Url, "as asked; the rate limit does not hold for it".into()),
        (Route::Url, None) => (Route::Url, "as asked".into()),
        (_, Some(why)) => (Route::Stream, why),
        (Route::Auto, None) if limited => (Route::Stream, "a rate limit is set, which only bytes through qsnap keep to".into()),
        (Route::Auto, None) => (Route::Url, "the target fetches it by a signed link; else through qsnap".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::InstanceName;

    fn instance(name: &str) -> Instance {
        Instance::new(InstanceName::new(name).unwrap(), Vec::new())
    }

    fn auto(source: &Instance, from: &str, reachable_as: Option<&str>, target: &Instance, to: &str) -> (Route, String) {
        let parse = |text: &str| SafeUrl::parse_node(text).unwrap();
        let (from, to, reachable_as) = (parse(from), parse(to), reachable_as.map(parse));
        let source = End { instance: source, url: &from, reachable_as: reachable_as.as_ref(), name: 0 };
        let target = End { instance: target, url: &to, reachable_as: None, name: 0 };
        first_route(Route::Auto, Some(source), target, false)
    }

    #[test]
    fn a_target_is_told_to_fetch_only_where_it_can_and_may() {
        let (a, b) = (instance("a"), instance("b"));
        let proxied = Instance { needs_headers: true, ..instance("a") };
        let mut pinned = instance("a");
        pinned.tls.certificate_pin = Some("/pin.pem".into());
        let (local, other, remote) = ("http://127.0.0.1:1", "http://localhost:2", "http://q:6333");
        let inside = Some("http://q0.internal:6333");
        for (source, from, reachable_as, target, to, route) in [
            (&a, remote, None, &b, remote, Route::Url),
            (&a, remote, None, &b, local, Route::Url),
            (&a, local, None, &b, remote, Route::Stream),
            (&a, local, None, &b, other, Route::Stream),
            (&a, local, inside, &b, remote, Route::Url),
            (&a, local, inside, &b, other, Route::Url),
            (&a, local, None, &a, other, Route::Url),
            (&a, local, None, &a, remote, Route::Stream),
            (&proxied, remote, None, &b, remote, Route::Stream),
            (&proxied, remote, inside, &b, remote, Route::Url),
            (&pinned, remote, None, &b, remote, Route::Stream),
        ] {
            let (chosen, why) = auto(source, from, reachable_as, target, to);
            assert_eq!(chosen, route, "{from} {to}: {why}");
            assert_eq!(why.contains("reachable-as"), route == Route::Stream, "{why}");
            assert!(route == Route::Stream || why.contains(reachable_as.unwrap_or(from)), "{why}");
        }
    }
}
