//! Gates about servers: rights, cluster, replicas, routes, disk.

use crate::domain::instance::Protection;
use crate::domain::size::bytes;
use crate::ops::plan::finding::Finding;
use crate::ops::request::route::Route;
use crate::qdrant::api::ClusterInfo;

/// Whether a key may change something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// It may.
    Granted,
    /// It may not, in the server's words.
    Denied(String),
    /// It could not be asked, and why.
    Unknown(String),
}

/// A restore needs a key with manage rights.
pub fn right(right: &Right, instance: &str) -> Finding {
    match right {
        Right::Granted => Finding::good("rights", format!("the key of {instance} may change collections")),
        Right::Denied(words) => Finding::block(
            "rights",
            format!("the key of {instance} may not change it: {words}"),
            "use a key with manage rights; a read-only key can list and download only",
        ),
        Right::Unknown(why) => super::not_checked("rights", why),
    }
}

/// Creating collections and changing replicas needs a working consensus, and all nodes in the configuration.
pub fn cluster(peers: &ClusterInfo, nodes: usize, instance: &str) -> Finding {
    if peers.peer.is_none() {
        return Finding::good("cluster", format!("{instance} is a single server"));
    }
    if !peers.consensus_works {
        return Finding::block(
            "cluster",
            format!("the consensus of {instance} has stopped: the call would wait and fail"),
            "repair the cluster first; its log tells why",
        );
    }
    let all = peers.peers.len();
    if all > nodes {
        return Finding::look(
            "cluster",
            format!("{instance} has {all} peers, {nodes} of them are configured: what the others hold is not seen"),
            "give all nodes in the configuration: nodes = [\"https://…\", …]",
        );
    }
    if nodes > 1 {
        return Finding::look(
            "cluster",
            format!(
                "{instance} has {nodes} nodes: a snapshot goes to one of them, shards to those that hold them; other replicas follow"
            ),
            "after a restore from one snapshot move shards if the load should be spread",
        );
    }
    Finding::good("cluster", format!("{instance}: consensus works"))
}

/// Shards that move or are not active get in the way of a restore.
pub fn replicas(unhealthy: &[String], moving: usize, address: &str) -> Finding {
    if moving > 0 {
        let words = format!("{moving} shard transfers of {address} are under way");
        return Finding::block("replicas", words, "wait until they are over: they would bring old data back, or break");
    }
    if unhealthy.is_empty() {
        return Finding::good("replicas", format!("all replicas of {address} are active"));
    }
    let words = format!("not active: {}", unhealthy.join(", "));
    Finding::look("replicas", words, "a safety snapshot of such a replica may be incomplete; the restore itself may repair it")
}

/// How careful qsnap is there.
pub fn protection(protection: Protection, instance: &str) -> Finding {
    match protection {
        Protection::Open => Finding::good("protection", format!("{instance} is open for changes")),
        Protection::Protected => {
            Finding::look("protection", format!("{instance} is protected"), "whatever changes it wants its address typed")
        }
        Protection::ReadOnly => Finding::block(
            "protection",
            format!("{instance} is read-only for qsnap"),
            "change `protection` in the configuration, or leave out --read-only, if this is meant to be changed",
        ),
    }
}

/// Whether the target may fetch is known only once it is asked (the switch of 1.18 cannot be read).
pub fn fetching(route: Route) -> Option<Finding> {
    match route {
        Route::Url => Some(Finding::look(
            "url recovery",
            "whether the target can fetch it shows only when it tries",
            "if it refuses, nothing was touched; with route auto the bytes then go through qsnap",
        )),
        _ => None,
    }
}

/// How many things about as large as the snapshot a server's disk must hold (1.18.3): an upload keeps the file and unpacks
/// it, a fetch unpacks it on the way (2.9 in the facts).
fn copies(route: Route) -> u64 {
    if route == Route::Url { 1 } else { 2 }
}

/// Of a snapshot that is still to be taken.
pub fn disk_unknown(route: Route, extra: u64) -> Finding {
    let copies = match copies(route) + extra {
        1 => "the size".to_owned(),
        n => format!("{n} times the size"),
    };
    Finding::look(
        "server disk",
        format!("the target must hold up to {copies} of the snapshot besides what it has, the source once"),
        "qsnap cannot see how much is free there: check before you continue",
    )
}

/// The same for a copy shard by shard: a node unpacks what it got, one shard at a time.
pub fn disk_of_shards() -> Finding {
    Finding::look(
        "server disk",
        "each node of the target must hold its replicas, and one shard more while it unpacks that; the source needs nothing",
        "qsnap cannot see how much is free there: check before you continue",
    )
}

/// No server before 1.19 tells how much disk is free. `extra` counts what comes besides, each about as large: a proof
/// restore, a safety snapshot.
pub fn disk(size: u64, route: Route, extra: u64) -> Finding {
    let copies = copies(route);
    let needed = size.saturating_mul(copies + extra);
    Finding::look(
        "server disk",
        format!(
            "about {} are needed on the target's disk besides the existing data; a server does not report free space",
            bytes(needed)
        ),
        "look there if you are not sure: a disk that fills up during a restore can cost the collection",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::plan::finding::Level;

    #[test]
    fn rights() {
        for (given, level) in [
            (Right::Granted, Level::Good),
            (Right::Denied("Forbidden".into()), Level::Block),
            (Right::Unknown("no answer".into()), Level::Look),
        ] {
            assert_eq!(right(&given, "a").level, level, "{given:?}");
        }
    }

    #[test]
    fn clusters() {
        let of = |peer, peers: usize, works| ClusterInfo { peer, peers: (0..peers as u64).collect(), consensus_works: works };
        for (peers, nodes, level) in [
            (of(None, 0, true), 1, Level::Good),
            (of(Some(1), 1, true), 1, Level::Good),
            (of(Some(1), 3, true), 1, Level::Look),
            (of(Some(1), 3, true), 3, Level::Look),
            (of(Some(1), 3, false), 3, Level::Block),
        ] {
            assert_eq!(cluster(&peers, nodes, "a").level, level, "{peers:?} {nodes}");
        }
    }

    #[test]
    fn replicas_and_protection_and_room() {
        assert_eq!(replicas(&[], 0, "a").level, Level::Good);
        assert_eq!(replicas(&["shard 0 Dead".into()], 0, "a").level, Level::Look);
        assert_eq!(replicas(&[], 1, "a").level, Level::Block);
        for (given, level) in
            [(Protection::Open, Level::Good), (Protection::Protected, Level::Look), (Protection::ReadOnly, Level::Block)]
        {
            assert_eq!(protection(given, "a").level, level);
        }
        assert!(disk(1_000_000_000, Route::Url, 0).message.contains("1.0 GB"));
        assert!(disk(1_000_000_000, Route::Stream, 1).message.contains("3.0 GB"));
        assert!(fetching(Route::Url).is_some() && fetching(Route::Stream).is_none());
    }
}
