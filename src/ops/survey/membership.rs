//! Which node of a cluster each configured address is: a cluster does not tell the addresses of its nodes, so that only their peer
//! ids show whether all are there, one is given twice, or something in between leads to another one at every call.

use crate::domain::ids::PeerId;
use crate::ops::plan::finding::Finding;
use crate::ops::services::Connection;
use crate::qdrant::api::{ApiResult, ClusterInfo};
use std::collections::{BTreeMap, BTreeSet};

/// How often one address is asked who it is: what spreads calls over three nodes gives the same one four times in 1 of 27.
const ASKED: usize = 4;

/// What the configured addresses are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Membership {
    /// Peer behind each address; `None` on a standalone server, and where it does not answer.
    pub peers: Vec<Option<PeerId>>,
    /// What is not as it should be, in sentences.
    pub faults: Vec<String>,
}

impl Membership {
    /// What a plan says of it.
    pub(in crate::ops) fn findings(&self) -> Vec<Finding> {
        let advice = "`qsnap instances` shows which node is which; give each node of the cluster its own address";
        self.faults.iter().map(|fault| Finding::look("nodes", fault.clone(), advice)).collect()
    }
}

/// Asks every node several times who it is.
pub(in crate::ops) async fn membership(connection: &Connection) -> Membership {
    let first = futures_util::future::join_all(connection.nodes.iter().map(|node| node.cluster())).await;
    let in_cluster = first.iter().flatten().any(|cluster| cluster.peers.len() > 1);
    let mut answers: Vec<Vec<ApiResult<ClusterInfo>>> = first.into_iter().map(|answer| vec![answer]).collect();
    if in_cluster {
        for _ in 1..ASKED {
            // One that did not answer at first is not waited for again.
            let silent = |all: &[ApiResult<ClusterInfo>]| all.first().is_none_or(Result::is_err);
            let each = connection.nodes.iter().zip(&answers).filter(|(_, all)| !silent(all)).map(|(node, _)| node.cluster());
            let again = futures_util::future::join_all(each).await;
            answers.iter_mut().filter(|all| !silent(all)).zip(again).for_each(|(all, answer)| all.push(answer));
        }
    }
    let urls: Vec<String> = connection.nodes.iter().map(|node| node.url().to_string()).collect();
    let told: Vec<Vec<ClusterInfo>> = answers.into_iter().map(|all| all.into_iter().flatten().collect()).collect();
    judge(&urls, &told)
}

/// From what each address told, each time, to what that means. Pure.
fn judge(urls: &[String], told: &[Vec<ClusterInfo>]) -> Membership {
    let own: Vec<BTreeSet<PeerId>> = told.iter().map(|all| all.iter().filter_map(|cluster| cluster.peer).collect()).collect();
    let mut membership = Membership { peers: own.iter().map(|peers| peers.first().copied()).collect(), faults: Vec::new() };
    let mut by_peer: BTreeMap<PeerId, Vec<&str>> = BTreeMap::new();
    for (url, peers) in urls.iter().zip(&own) {
        if peers.len() > 1 {
            membership.faults.push(format!(
                "{url} is {} nodes in turn: something in front of it spreads the calls, so that a snapshot may not be found by the \
                 next call; give the address of each node",
                peers.len()
            ));
        } else if let Some(peer) = peers.first() {
            by_peer.entry(*peer).or_default().push(url);
        }
    }
    for urls in by_peer.values().filter(|urls| urls.len() > 1) {
        membership.faults.push(format!("{} are the same node", urls.join(" and ")));
    }
    let all: BTreeSet<PeerId> = told.iter().flatten().flat_map(|cluster| cluster.peers.iter().copied()).collect();
    let reached: BTreeSet<PeerId> = own.iter().flatten().copied().collect();
    let missing = all.difference(&reached).count();
    // An address that does not answer may be the missing one.
    let silent = told.iter().filter(|all| all.is_empty()).count();
    if missing > silent {
        membership.faults.push(format!(
            "{} of the {} nodes of the cluster are not configured: what only they hold is not seen; give all of them: nodes = [\"https://…\", …]",
            missing - silent,
            all.len()
        ));
    }
    let clusters: BTreeSet<BTreeSet<PeerId>> = told
        .iter()
        .filter_map(|all| all.first())
        .map(|cluster| cluster.peers.iter().copied().collect::<BTreeSet<PeerId>>())
        .filter(|peers| !peers.is_empty())
        .collect();
    // Two lists without a common node are no two views of one cluster.
    let apart = clusters.iter().any(|one| clusters.iter().any(|other| one.is_disjoint(other)));
    if apart {
        membership.faults.push("the addresses lead to different clusters: give each of them as an instance of its own".into());
    }
    membership
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(peer: PeerId, peers: &[PeerId]) -> ClusterInfo {
        ClusterInfo { peer: Some(peer), peers: peers.to_vec(), consensus_works: true }
    }

    fn faults(told: &[Vec<ClusterInfo>]) -> String {
        let urls: Vec<String> = (0..told.len()).map(|at| format!("http://q{at}:6333")).collect();
        judge(&urls, told).faults.join("; ")
    }

    #[test]
    fn what_is_missing_double_or_in_between_is_named() {
        let all = [1, 2, 3];
        let of = |peer: PeerId| vec![told(peer, &all); 4];
        assert_eq!(faults(&[of(1), of(2), of(3)]), "");
        assert!(faults(&[of(1), of(2)]).starts_with("1 of the 3 nodes"));
        assert_eq!(faults(&[of(1), of(2), vec![]]), "", "the one that does not answer may be the third");
        assert!(faults(&[of(1), of(1), of(3)]).contains("http://q0:6333 and http://q1:6333 are the same node; 1 of the 3"));
        let spread = vec![told(1, &all), told(2, &all), told(1, &all), told(3, &all)];
        assert!(faults(&[spread]).starts_with("http://q0:6333 is 3 nodes in turn"));
        assert!(faults(&[vec![told(1, &[1])], vec![told(9, &[9])]]).contains("different clusters"));
        let standalone = ClusterInfo { peer: None, peers: vec![], consensus_works: true };
        assert_eq!(faults(&[vec![standalone]]), "");
    }

    #[test]
    fn each_address_has_its_peer() {
        let urls = ["http://a".to_owned(), "http://b".to_owned()];
        let membership = judge(&urls, &[vec![told(7, &[7, 8])], vec![]]);
        assert_eq!(membership.peers, [Some(7), None]);
    }
}
