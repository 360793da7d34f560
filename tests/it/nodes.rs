//! A node of three is stopped and comes back: the others see and answer the same in the sandbox as in a real cluster.

use crate::pair::request_to;
use crate::support::{free_port, real_binary, wait_until};
use qsnap::sandbox::Sandbox;
use qsnap::sandbox::options::SandboxOptions;
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Three nodes.
pub enum Three {
    Sandbox(Sandbox),
    Real(Vec<Process>),
}

pub struct Process {
    command: Command,
    child: Child,
    url: String,
    _home: TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn start(binary: &std::path::Path, p2p: u16, first: u16) -> Self {
        let home = tempfile::tempdir().unwrap();
        let http = free_port();
        let mut command = Command::new(binary);
        command
            .current_dir(home.path())
            .env("QDRANT__SERVICE__HOST", "127.0.0.1")
            .env("QDRANT__SERVICE__HTTP_PORT", http.to_string())
            .env("QDRANT__SERVICE__GRPC_PORT", free_port().to_string())
            .env("QDRANT__STORAGE__WAL__WAL_CAPACITY_MB", "1")
            .env("QDRANT__TELEMETRY_DISABLED", "true")
            .env("QDRANT__CLUSTER__ENABLED", "true")
            .env("QDRANT__CLUSTER__P2P__PORT", p2p.to_string())
            .args(["--uri", &format!("http://127.0.0.1:{p2p}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if p2p != first {
            command.args(["--bootstrap", &format!("http://127.0.0.1:{first}")]);
        }
        let child = command.spawn().unwrap();
        Self { command, child, url: format!("http://127.0.0.1:{http}"), _home: home }
    }
}

impl Three {
    pub async fn sandbox() -> Self {
        qsnap::compose::install_crypto();
        Self::Sandbox(Sandbox::start(SandboxOptions { nodes: 3, ..SandboxOptions::default() }, vec![]).await.unwrap())
    }

    pub async fn real() -> Option<Self> {
        qsnap::compose::install_crypto();
        let binary = real_binary()?;
        let first = free_port();
        let ports = [first, free_port(), free_port()];
        let mut nodes = Vec::new();
        for port in ports {
            let node = Process::start(&binary, port, first);
            ready(&node.url).await;
            nodes.push(node);
        }
        let three = Self::Real(nodes);
        wait_until("three peers", Duration::from_secs(30), async || {
            three.ask(0, "GET", "/cluster", Value::Null).await.1["peers"].as_object().is_some_and(|peers| peers.len() == 3)
        })
        .await;
        Some(three)
    }

    pub fn url(&self, node: usize) -> String {
        match self {
            Self::Sandbox(sandbox) => sandbox.urls()[node].clone(),
            Self::Real(nodes) => nodes[node].url.clone(),
        }
    }

    pub async fn ask(&self, node: usize, method: &str, path: &str, body: Value) -> (u16, Value) {
        let answer = request_to(&self.url(node), None, method, path, &body).await;
        (answer.status, answer.body["result"].clone())
    }

    pub async fn stop(&mut self, node: usize) {
        match self {
            Self::Sandbox(sandbox) => sandbox.stop_node(node).await,
            Self::Real(nodes) => {
                nodes[node].child.kill().unwrap();
                nodes[node].child.wait().unwrap();
            }
        }
        let address = self.url(node).trim_start_matches("http://").to_owned();
        let refused = tokio::net::TcpStream::connect(address).await.err().map(|error| error.kind());
        assert_eq!(refused, Some(std::io::ErrorKind::ConnectionRefused));
    }

    pub async fn start(&mut self, node: usize) {
        match self {
            Self::Sandbox(sandbox) => sandbox.start_node(node).unwrap(),
            Self::Real(nodes) => nodes[node].child = nodes[node].command.spawn().unwrap(),
        }
        ready(&self.url(node)).await;
    }

    /// States of all replicas, as a node sees them.
    pub async fn states(&self, node: usize, collection: &str) -> Vec<String> {
        let (status, shown) = self.ask(node, "GET", &format!("/collections/{collection}/cluster"), Value::Null).await;
        assert_eq!(status, 200);
        let all = ["local_shards", "remote_shards"].into_iter().flat_map(|key| shown[key].as_array().unwrap());
        let mut states: Vec<String> = all.map(|shard| shard["state"].as_str().unwrap().to_owned()).collect();
        states.sort();
        states
    }

    async fn count(&self, node: usize, collection: &str) -> (u16, Value) {
        self.ask(node, "POST", &format!("/collections/{collection}/points/count"), json!({"exact": true})).await
    }

    pub async fn upsert(&self, collection: &str, ids: std::ops::Range<u64>) -> u16 {
        let points: Vec<Value> = ids.map(|id| json!({"id": id, "vector": [id, 2, 3, 4]})).collect();
        self.ask(0, "PUT", &format!("/collections/{collection}/points?wait=true"), json!({"points": points})).await.0
    }
}

async fn ready(url: &str) {
    wait_until("a node is ready", Duration::from_secs(60), async || {
        reqwest::Client::new().get(format!("{url}/readyz")).send().await.is_ok_and(|answer| answer.status().is_success())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_a_sandbox_goes_and_comes_back() {
    suite(Three::sandbox().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_a_real_cluster_goes_and_comes_back() {
    if let Some(three) = Three::real().await {
        suite(three).await;
    }
}

async fn suite(mut three: Three) {
    for (name, copies) in [("twice", 2), ("once", 1), ("more", 5)] {
        let body = json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 3, "replication_factor": copies});
        assert_eq!(three.ask(0, "PUT", &format!("/collections/{name}"), body).await, (200, json!(true)));
        assert_eq!(three.upsert(name, 1..101).await, 200);
    }
    assert_eq!(three.states(1, "more").await.len(), 9, "never more copies than nodes");
    three.stop(2).await;
    for node in [0, 1] {
        let (status, cluster) = three.ask(node, "GET", "/cluster", Value::Null).await;
        assert_eq!((status, cluster["peers"].as_object().unwrap().len()), (200, 3));
        assert_eq!(three.states(node, "twice").await, ["Active"; 6], "nobody has missed it yet");
        assert_eq!(three.count(node, "twice").await, (200, json!({"count": 100})));
        assert_eq!(three.count(node, "once").await.0, 500);
        assert_eq!(three.ask(node, "GET", "/collections/once", Value::Null).await.0, 500);
        assert_eq!(three.ask(node, "POST", "/collections/once/snapshots", json!({})).await.0, 200, "a node's own part");
    }
    assert_eq!(three.upsert("twice", 101..161).await, 200);
    assert_eq!(three.upsert("once", 101..161).await, 500);
    for node in [0, 1] {
        assert_eq!(three.states(node, "twice").await, ["Active", "Active", "Active", "Active", "Dead", "Dead"]);
        assert_eq!(three.states(node, "once").await, ["Active"; 3]);
        assert_eq!(three.count(node, "twice").await, (200, json!({"count": 160})));
    }
    let change = json!({"hnsw_config": {"m": 20}});
    assert_eq!(three.ask(0, "PATCH", "/collections/once", change).await, (200, json!(true)));
    three.start(2).await;
    wait_until("all replicas are active again", Duration::from_secs(60), async || {
        three.states(0, "twice").await.iter().all(|state| state == "Active")
    })
    .await;
    assert_eq!(three.count(2, "twice").await, (200, json!({"count": 160})));
    let (_, info) = three.ask(2, "GET", "/collections/once", Value::Null).await;
    assert_eq!(info["config"]["hnsw_config"]["m"], 20);
    three.stop(1).await;
    three.stop(2).await;
    assert_eq!(three.ask(0, "GET", "/cluster", Value::Null).await.0, 200);
    assert_eq!(three.count(0, "twice").await.0, 500);
    assert_eq!(three.ask(0, "PUT", "/collections/late", json!({"vectors": {"size": 4, "distance": "Dot"}})).await.0, 500);
}
