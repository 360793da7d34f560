//! A line between client and server that breaks where a test wants it: a TCP relay that knows nothing of HTTP.

use crate::support::Server;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How a connection ends after so many bytes towards the client.
#[derive(Debug, Clone, Copy)]
pub enum Break {
    /// It is closed.
    Cut(usize),
    /// Nothing more comes.
    Silence(usize),
}

#[derive(Default)]
struct State {
    breaks: Mutex<VecDeque<Break>>,
    dies: AtomicBool,
    carried: AtomicU64,
}

/// The relay; it ends with the test's runtime.
pub struct Line {
    url: String,
    state: Arc<State>,
}

impl Line {
    pub async fn to(server: &Server) -> Self {
        let target = server.url().trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State::default());
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target.clone(), shared.clone()));
            }
        });
        Self { url, state }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The next connections that carry so much break like this, one after the other.
    pub fn breaks(&self, breaks: &[Break]) {
        self.state.breaks.lock().unwrap().extend(breaks);
    }

    /// Breaks that were not met.
    pub fn left(&self) -> usize {
        self.state.breaks.lock().unwrap().len()
    }

    /// Whether, once all breaks were met, no connection carries more than an answer's head.
    pub fn dies_after_breaks(&self, dies: bool) {
        self.state.dies.store(dies, Ordering::Relaxed);
    }

    /// Bytes towards the client so far.
    pub fn carried(&self) -> u64 {
        self.state.carried.load(Ordering::Relaxed)
    }
}

async fn carry(client: TcpStream, target: String, state: Arc<State>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    // Counted from the last request: a connection is used for several.
    let passed = Arc::new(AtomicUsize::new(0));
    let begins = passed.clone();
    let up = tokio::spawn(async move {
        let mut buffer = vec![0; 16_384];
        while let Ok(n @ 1..) = from_client.read(&mut buffer).await {
            begins.store(0, Ordering::SeqCst);
            if to_server.write_all(&buffer[..n]).await.is_err() {
                break;
            }
        }
    });
    let mut buffer = vec![0; 16_384];
    while let Ok(n) = from_server.read(&mut buffer).await {
        if n == 0 {
            break;
        }
        let so_far = passed.load(Ordering::SeqCst);
        let due = {
            let mut breaks = state.breaks.lock().unwrap();
            let due = breaks.front().copied().filter(|next| match next {
                Break::Cut(at) | Break::Silence(at) => so_far + n > *at,
            });
            if due.is_some() {
                breaks.pop_front();
            }
            due
        };
        let dead = state.dies.load(Ordering::Relaxed) && state.breaks.lock().unwrap().is_empty();
        let keep = match due {
            Some(Break::Cut(at) | Break::Silence(at)) => at.saturating_sub(so_far).min(n),
            None if dead && so_far + n > 2_000 => 0,
            None => n,
        };
        let _ = to_client.write_all(&buffer[..keep]).await;
        state.carried.fetch_add(keep as u64, Ordering::Relaxed);
        passed.fetch_add(keep, Ordering::SeqCst);
        match due {
            Some(Break::Silence(_)) => std::future::pending().await,
            Some(Break::Cut(_)) => break,
            None if keep < n => break,
            None => {}
        }
    }
    up.abort();
}
