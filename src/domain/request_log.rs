//! The last requests to servers: what the terminal UI shows, so that nothing is done unseen. Neither headers nor bodies nor
//! queries are kept, so that no secret can be.

use crate::domain::ids::InstanceName;
use crate::domain::text::one_line;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Requests that are kept.
const KEPT: usize = 1_000;

/// Longest path that is kept, in characters.
const PATH: usize = 300;

/// One request, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// When it was sent.
    pub at: Instant,
    /// To which instance.
    pub instance: InstanceName,
    /// To which of its nodes, from 0.
    pub node: usize,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path without its query, sanitised.
    pub path: String,
    /// The status of the answer; `None` when none came.
    pub status: Option<u16>,
    /// Until the answer began, or until it was given up.
    pub took: Duration,
}

/// Shared by all connections.
#[derive(Debug, Clone, Default)]
pub struct RequestLog(Arc<Mutex<VecDeque<Exchange>>>);

impl RequestLog {
    /// Takes one; the oldest goes.
    pub fn push(&self, exchange: Exchange) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(exchange);
    }

    /// All that are kept, the oldest first.
    pub fn all(&self) -> Vec<Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// Whose requests they are: one node's.
#[derive(Debug, Clone)]
pub struct Logged {
    /// Where they go.
    pub log: RequestLog,
    /// The instance.
    pub instance: InstanceName,
    /// Its node, from 0.
    pub node: usize,
}

impl Logged {
    /// Begins a request.
    pub fn send(&self, method: &str, path: &str) -> Sent {
        let exchange = Exchange {
            at: Instant::now(),
            instance: self.instance.clone(),
            node: self.node,
            method: method.to_owned(),
            path: one_line(path, PATH),
            status: None,
            took: Duration::ZERO,
        };
        Sent { log: self.log.clone(), exchange }
    }
}

/// A request that is under way. It is noted when it is dropped: answered, failed, or given up by a time-out or a cancel.
#[derive(Debug)]
pub struct Sent {
    log: RequestLog,
    exchange: Exchange,
}

impl Sent {
    /// An answer began.
    pub fn answered(&mut self, status: u16) {
        self.exchange.status = Some(status);
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.log.push(Exchange { took: self.exchange.at.elapsed(), ..self.exchange.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_and_nothing_hostile_stays() {
        let log = RequestLog::default();
        let logged = Logged { log: log.clone(), instance: InstanceName::new("a").unwrap(), node: 0 };
        for number in 0..=KEPT {
            logged.send("GET", &format!("/{number}\u{1b}[2J")).answered(200);
        }
        let all = log.all();
        assert_eq!(all[0].status, Some(200));
        drop(logged.send("GET", "/given-up"));
        assert_eq!(log.all().last().unwrap().status, None);
        assert_eq!((all.len(), all[0].path.starts_with("/1"), all[0].path.contains('\u{1b}')), (KEPT, true, false));
    }
}
