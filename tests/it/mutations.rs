//! Small damage in snapshots of a real server, and what that server does with each: nothing that it refuses may be
//! called whole where the damage lies in bytes that a check reads.
//!
//! `QSNAP_TEST_MUTATIONS` says how many are tried, `QSNAP_TEST_SEED` which.

use crate::support::{RealQdrant, Server, say, wait_until};
use qsnap::archive::bytes::StreamBytes;
use qsnap::archive::check::{Check, check};
use qsnap::archive::inspect::inspect;
use qsnap::archive::{formats, layout};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Mutations that are tried when nobody asks for more.
const FEW: usize = 40;

/// Address space of the server, in KiB. Some damage makes it take all that there is.
const ROOM: u64 = 10_000_000;

/// Some hundred times as long as a restore of these snapshots takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Points in each collection.
const POINTS: u64 = 300;

/// Random numbers that are the same everywhere (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn vector(&mut self, size: usize) -> Value {
        (0..size).map(|_| json!(self.below(2000) as f64 / 1000.0 - 1.0)).collect()
    }

    fn sparse(&mut self) -> Value {
        let first = self.below(10);
        let indices: Vec<usize> = (0..4).map(|n| first + n * 9).collect();
        json!({"indices": indices, "values": self.vector(4)})
    }
}

/// A collection whose snapshot is damaged.
struct Shape {
    name: &'static str,
    config: Value,
    /// Index every kind of payload.
    indexed: bool,
    vector: fn(&mut Dice) -> Value,
}

/// Every file format that 1.16.3 writes is in one of these.
fn shapes() -> Vec<Shape> {
    let dense = |extra: Value| {
        let mut vector = json!({"size": 8, "distance": "Dot"});
        vector.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        vector
    };
    let soon = json!({"indexing_threshold": 1, "default_segment_number": 1});
    let mapped = json!({"indexing_threshold": 1, "memmap_threshold": 1, "default_segment_number": 1});
    let max_sim = json!({"comparator": "max_sim"});
    let shape = |name, config, vector| Shape { name, config, indexed: false, vector };
    vec![
        shape("plain", json!({"vectors": dense(json!({}))}), |dice| dice.vector(8)),
        shape(
            "named",
            json!({"vectors": {"a": dense(json!({})), "b": dense(json!({"datatype": "uint8"})),
                "c": dense(json!({"datatype": "float16", "on_disk": true}))}, "optimizers_config": soon}),
            |dice| {
                let bytes: Vec<usize> = (0..8).map(|_| dice.below(256)).collect();
                json!({"a": dice.vector(8), "b": bytes, "c": dice.vector(8)})
            },
        ),
        shape(
            "sparse",
            json!({"vectors": {}, "sparse_vectors": {"s": {}, "d": {"index": {"on_disk": true}},
                "f": {"index": {"datatype": "float16"}, "modifier": "idf"}, "u": {"index": {"datatype": "uint8"}}},
                "optimizers_config": soon}),
            |dice| json!({"s": dice.sparse(), "d": dice.sparse(), "f": dice.sparse(), "u": dice.sparse()}),
        ),
        shape(
            "multi",
            json!({"vectors": {"m": dense(json!({"multivector_config": max_sim})),
                "n": dense(json!({"multivector_config": max_sim, "on_disk": true,
                    "quantization_config": {"scalar": {"type": "int8"}}}))}, "optimizers_config": soon}),
            |dice| json!({"m": [dice.vector(8), dice.vector(8)], "n": [dice.vector(8), dice.vector(8), dice.vector(8)]}),
        ),
        shape(
            "quantized",
            json!({"vectors": {"s": dense(json!({"quantization_config": {"scalar": {"type": "int8", "always_ram": true}}})),
                "p": dense(json!({"quantization_config": {"product": {"compression": "x4"}}})),
                "b": dense(json!({"quantization_config": {"binary": {}}})),
                "t": dense(json!({"on_disk": true, "quantization_config":
                    {"binary": {"encoding": "two_bits", "query_encoding": "scalar8bits"}}}))}, "optimizers_config": soon}),
            |dice| json!({"s": dice.vector(8), "p": dice.vector(8), "b": dice.vector(8), "t": dice.vector(8)}),
        ),
        shape(
            "mapped",
            json!({"vectors": dense(json!({"on_disk": true})), "on_disk_payload": true,
                "hnsw_config": {"on_disk": true}, "optimizers_config": mapped}),
            |dice| dice.vector(8),
        ),
        shape(
            "inline",
            json!({"vectors": dense(json!({"on_disk": true})), "on_disk_payload": true,
                "hnsw_config": {"on_disk": true, "inline_storage": true}, "quantization_config": {"binary": {}},
                "optimizers_config": soon}),
            |dice| dice.vector(8),
        ),
        shape(
            "appended",
            json!({"vectors": dense(json!({"on_disk": true, "quantization_config": {"binary": {"always_ram": false}}})),
                "sparse_vectors": {"s": {}}, "on_disk_payload": true}),
            |dice| json!({"": dice.vector(8), "s": dice.sparse()}),
        ),
        Shape { indexed: true, ..shape("payload", json!({"vectors": {}}), |_| json!({})) },
        Shape {
            indexed: true,
            ..shape("optimized", json!({"vectors": dense(json!({})), "optimizers_config": soon}), |dice| dice.vector(8))
        },
    ]
}

/// Every kind of payload index, in memory and on disk.
fn schemas() -> Vec<(String, Value)> {
    let integer = json!({"type": "integer", "lookup": true, "range": true});
    let text = json!({"type": "text", "tokenizer": "word", "phrase_matching": true});
    let kinds = [("keyword", json!({"type": "keyword"})), ("integer", integer), ("float", json!({"type": "float"}))];
    let more = [("bool", json!({"type": "bool"})), ("geo", json!({"type": "geo"})), ("text", text)];
    let rest = [("datetime", json!({"type": "datetime"})), ("uuid", json!({"type": "uuid"}))];
    let both = |(name, schema): (&str, Value)| {
        let mut on_disk = schema.clone();
        on_disk["on_disk"] = json!(true);
        [(name.to_owned(), schema), (format!("{name}-on-disk"), on_disk)]
    };
    kinds.into_iter().chain(more).chain(rest).flat_map(both).collect()
}

fn payload(id: u64) -> Value {
    let mut payload = json!({});
    for (field, schema) in schemas() {
        payload[field] = match schema["type"].as_str().unwrap() {
            "keyword" => json!(format!("word {}", id % 5)),
            "integer" => json!(id * 3),
            "float" => json!(id as f64 / 7.0),
            "bool" => json!(id.is_multiple_of(3)),
            "geo" => json!({"lon": id % 80, "lat": id % 40}),
            "text" => json!(format!("hello world {}", id % 9)),
            "datetime" => json!(format!("2026-01-{:02}T00:00:00Z", id % 27 + 1)),
            _ => json!(format!("00000000-0000-0000-0000-{id:012}")),
        };
    }
    payload
}

async fn snapshot_of(server: &Server, shape: &Shape, dice: &mut Dice) -> Vec<u8> {
    let path = format!("/collections/{}", shape.name);
    server.raw("PUT", &path, shape.config.clone()).await;
    for (field, schema) in schemas().into_iter().take(if shape.indexed { usize::MAX } else { 1 }) {
        let body = json!({"field_name": field, "field_schema": schema});
        server.raw("PUT", &format!("{path}/index?wait=true"), body).await;
    }
    let points: Vec<Value> =
        (1..=POINTS).map(|id| json!({"id": id, "vector": (shape.vector)(dice), "payload": payload(id)})).collect();
    server.raw("PUT", &format!("{path}/points?wait=true"), json!({"points": points})).await;
    server.raw("POST", &format!("{path}/points/delete?wait=true"), json!({"points": [3, 9, 27]})).await;
    let indexing = shape.config["optimizers_config"].is_object();
    wait_until("the optimizer rests", Duration::from_secs(60), async || {
        let info = server.raw("GET", &path, Value::Null).await;
        let indexed = info["result"]["indexed_vectors_count"].as_u64().unwrap_or_default();
        info["result"]["status"] == "green" && (!indexing || indexed >= POINTS - 3)
    })
    .await;
    server.raw("POST", &format!("{path}/snapshots"), json!({})).await;
    let name = &server.snapshots(shape.name).await[0];
    let bytes = reqwest::get(format!("{}{path}/snapshots/{name}", server.url())).await.unwrap().bytes().await.unwrap();
    server.raw("DELETE", &path, Value::Null).await;
    bytes.to_vec()
}

/// A file in a snapshot: its path through the archives, and where its bytes are.
struct Leaf {
    path: String,
    start: usize,
    stored: usize,
}

impl Leaf {
    /// Its path without what differs from one file of a format to the next.
    fn kind(&self) -> String {
        let inside = self.path.split_once(".tar/").map_or(self.path.as_str(), |(_, inside)| layout::in_segment(inside));
        let mut parts: Vec<&str> = inside.split('/').collect();
        match parts.first().copied() {
            Some("payload_index") if parts.len() > 2 => parts[1] = parts[1].rsplit('-').next().unwrap_or_default(),
            Some(first) => parts[0] = first.split_once('-').map_or(first, |(before, _)| before),
            None => {}
        }
        parts.join("/")
    }
}

/// All files of a tar and of the tars in it.
fn leaves(bytes: &[u8], within: &str, base: usize, found: &mut Vec<Leaf>) {
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let path = format!("{within}{}", entry.path().unwrap().display());
        let header = usize::try_from(entry.raw_header_position()).unwrap();
        let stored = usize::try_from(entry.header().entry_size().unwrap()).unwrap();
        // What lists further parts of a file with holes stands between the header and the body.
        let mut start = header + 512;
        let mut more = entry.header().entry_type().is_gnu_sparse() && bytes[header + 482] == 1;
        while more {
            more = bytes[start + 504] == 1;
            start += 512;
        }
        if path.ends_with(".tar") {
            leaves(&bytes[start..start + stored], &format!("{path}/"), base + start, found);
        } else if stored > 0 {
            found.push(Leaf { path, start: base + start, stored });
        }
    }
}

/// Other bytes in place of some.
struct Mutation {
    snapshot: usize,
    path: String,
    kind: String,
    at: usize,
    /// Where that is in what is stored of the file.
    offset: usize,
    bytes: Vec<u8>,
}

/// Snapshots, and their files by format.
struct Corpus {
    names: Vec<&'static str>,
    snapshots: Vec<Vec<u8>>,
    kinds: BTreeMap<String, Vec<(usize, Leaf)>>,
}

impl Corpus {
    async fn make(server: &Server, dice: &mut Dice) -> Self {
        let mut corpus = Self { names: Vec::new(), snapshots: Vec::new(), kinds: BTreeMap::new() };
        for (n, shape) in shapes().iter().enumerate() {
            let bytes = snapshot_of(server, shape, dice).await;
            let mut found = Vec::new();
            leaves(&bytes, "", 0, &mut found);
            for leaf in found {
                corpus.kinds.entry(leaf.kind()).or_default().push((n, leaf));
            }
            corpus.names.push(shape.name);
            corpus.snapshots.push(bytes);
        }
        corpus
    }

    /// Every format is as likely as any other; most changes are in the first bytes.
    fn mutation(&self, dice: &mut Dice) -> Mutation {
        loop {
            let of = self.kinds.values().nth(dice.below(self.kinds.len())).unwrap();
            let (snapshot, leaf) = &of[dice.below(of.len())];
            let old = &self.snapshots[*snapshot][leaf.start..leaf.start + leaf.stored];
            let head = leaf.stored.min(64);
            let run = [8, 16, 64][dice.below(3)].min(head);
            let (offset, bytes) = match dice.below(8) {
                0..=2 => {
                    let offset = dice.below(head);
                    (offset, vec![old[offset] ^ (1 << dice.below(8))])
                }
                3 => (dice.below(head), vec![dice.next() as u8]),
                4 => (dice.below(head - run + 1), vec![0; run]),
                5 => (dice.below(head - run + 1), vec![0xff; run]),
                6 => (dice.below(head - run + 1), (0..run).map(|_| dice.next() as u8).collect()),
                _ => {
                    let offset = dice.below(leaf.stored);
                    (offset, vec![old[offset] ^ (1 << dice.below(8))])
                }
            };
            if old[offset..offset + bytes.len()] != bytes {
                let (path, kind) = (leaf.path.clone(), leaf.kind());
                return Mutation { snapshot: *snapshot, path, kind, at: leaf.start + offset, offset, bytes };
            }
        }
    }

    fn mutant(&self, mutation: &Mutation) -> Vec<u8> {
        let mut bytes = self.snapshots[mutation.snapshot].clone();
        bytes[mutation.at..mutation.at + mutation.bytes.len()].copy_from_slice(&mutation.bytes);
        bytes
    }
}

fn judge(bytes: &[u8]) -> Check {
    check(&inspect(&mut StreamBytes(bytes), None, &mut |_, _| Ok(())).unwrap())
}

/// What became of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// It was refused in these words, or ended the server.
    Refused(String),
    /// It was taken, and this is what is in it; nothing where that cannot be read.
    Taken(Option<Value>),
}

/// A server that is started again when damage was the end of it.
struct Victim {
    server: Server,
    client: reqwest::Client,
    deaths: usize,
}

impl Victim {
    async fn start() -> Option<Self> {
        let server = RealQdrant::start_bounded(ROOM).await?;
        Some(Self { server, client: reqwest::Client::builder().timeout(PATIENCE).build().unwrap(), deaths: 0 })
    }

    /// Restores the bytes to a new name, reads what came of it, and deletes it. A server that gives no answer, or has no
    /// memory left, is asked twice, the second time a new one: it may have been busy with what it was asked before.
    async fn restore(&mut self, name: &str, bytes: &[u8]) -> Outcome {
        for last in [false, true] {
            let collection = format!("{}/collections/{name}", self.server.url());
            let outcome = self.upload(&collection, bytes.to_vec()).await;
            let gone = self.client.delete(&collection).send().await.is_ok();
            let Server::Real(real) = &mut self.server else { unreachable!("it was started as one") };
            real.forget(name);
            let runs = real.runs();
            let full = matches!(&outcome, Some(Outcome::Refused(words)) if words.contains("allocate memory"));
            if !runs || !gone || full {
                self.deaths += usize::from(!runs);
                self.server = RealQdrant::start_bounded(ROOM).await.unwrap();
            }
            match outcome {
                _ if !runs => return Outcome::Refused("it was the end of the server".into()),
                Some(outcome) if last || !full => return outcome,
                _ => {}
            }
        }
        Outcome::Refused("there was no answer".into())
    }

    async fn upload(&self, collection: &str, bytes: Vec<u8>) -> Option<Outcome> {
        let part = reqwest::multipart::Part::bytes(bytes).file_name("x.snapshot");
        let form = reqwest::multipart::Form::new().part("snapshot", part);
        let upload = self.client.post(format!("{collection}/snapshots/upload?priority=snapshot")).multipart(form);
        let answer = upload.send().await.ok()?;
        if answer.status().is_success() {
            return Some(Outcome::Taken(self.content(collection).await));
        }
        Some(Outcome::Refused(answer.text().await.unwrap_or_default().chars().take(300).collect()))
    }

    async fn content(&self, collection: &str) -> Option<Value> {
        let all = json!({"limit": 2 * POINTS, "with_vector": true, "with_payload": true});
        let answer = self.client.post(format!("{collection}/points/scroll")).json(&all).send().await.ok()?;
        let answer: Value = answer.error_for_status().ok()?.json().await.ok()?;
        Some(answer["result"]["points"].clone())
    }
}

/// Of what the server did and of what was said before.
#[derive(Default)]
struct Tally {
    counts: BTreeMap<(&'static str, &'static str), usize>,
    missed: Vec<String>,
    /// Formats of which something was refused and called whole beyond what is read.
    beyond: BTreeMap<String, usize>,
    /// Formats of which something was called damaged and came back the same.
    strict: BTreeMap<String, usize>,
}

impl Tally {
    fn add(&mut self, mutation: &Mutation, found: &Check, outcome: &Outcome, sound: &Value) {
        let said = match (found.whole, found.damaged) {
            (true, _) if found.flaws.is_empty() => "whole",
            (true, _) => "whole, with a remark",
            (false, 0) => "in doubt",
            (false, _) => "damaged",
        };
        let did = match outcome {
            Outcome::Refused(_) => "refused",
            Outcome::Taken(None) => "taken, unreadable",
            Outcome::Taken(Some(content)) if content == sound => "restored equal",
            Outcome::Taken(Some(_)) => "restored, different",
        };
        *self.counts.entry((did, said)).or_default() += 1;
        let words = || {
            let (path, at, bytes) = (&mutation.path, mutation.offset, &mutation.bytes);
            format!("{path}, stored byte {at}: {bytes:02x?}: {outcome:?}")
        };
        match (did, found.whole) {
            ("refused", true) if formats::reads(&mutation.path, mutation.offset as u64) => self.missed.push(words()),
            ("refused", true) => *self.beyond.entry(mutation.kind.clone()).or_default() += 1,
            ("restored equal", false) => *self.strict.entry(mutation.kind.clone()).or_default() += 1,
            _ => {}
        }
    }

    fn say(&self) {
        for ((did, said), n) in &self.counts {
            say(&format!("{did:<20} and called {said:<22} {n:>5}"));
        }
        say(&format!("refused, called whole, beyond what is read: {:?}", self.beyond));
        say(&format!("restored equal, called damaged: {:?}", self.strict));
    }
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_mutation_that_a_real_server_refuses_is_called_whole() {
    let Some(mut victim) = Victim::start().await else { return };
    let mut dice = Dice(number("QSNAP_TEST_SEED", 20_261_125) as u64);
    // On a disk: there a snapshot leaves out the holes of its files.
    let Some(source) = RealQdrant::start(None).await else { return };
    let corpus = Corpus::make(&source, &mut dice).await;
    drop(source);
    let mut sound = Vec::new();
    for (name, bytes) in corpus.names.iter().zip(&corpus.snapshots) {
        let found = judge(bytes);
        assert!(found.whole && found.flaws.is_empty(), "{name}: {found:#?}");
        let Outcome::Taken(Some(content)) = victim.restore("sound", bytes).await else { panic!("{name} is refused") };
        sound.push(content);
    }
    let mut tally = Tally::default();
    let count = number("QSNAP_TEST_MUTATIONS", FEW);
    for n in 0..count {
        let mutation = corpus.mutation(&mut dice);
        let mutant = corpus.mutant(&mutation);
        let found = judge(&mutant);
        let outcome = victim.restore(&format!("mutant{n}"), &mutant).await;
        tally.add(&mutation, &found, &outcome, &sound[mutation.snapshot]);
    }
    say(&format!("{count} mutations of {} formats; the server died {} times", corpus.kinds.len(), victim.deaths));
    tally.say();
    assert!(tally.missed.is_empty(), "refused by the server, called whole: {:#?}", tally.missed);
}
