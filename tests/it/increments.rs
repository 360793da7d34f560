//! Increments: what changed is streamed, each backup of a chain restores as the source was, and any of them may go.

use crate::support::{Cli, RealQdrant, Server, files_below, say, wait_until};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name].as_str().unwrap_or_default()
}

/// A server whose collection `x` is backed up again and again, and one that takes what is restored.
struct Chain {
    source: Server,
    target: Server,
    cli: Cli,
    folder: TempDir,
}

impl Chain {
    async fn new(source: Server, target: Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (a, b, to) = (source.url(), target.url(), folder.path().display());
        let config =
            format!("[instances.a]\nurl = '{a}'\n[instances.b]\nurl = '{b}'\n[repositories.offsite]\nurl = 'file://{to}'\n");
        Self { source, target, cli: Cli::new(&config), folder }
    }

    async fn sandbox() -> Self {
        Self::new(Server::sandbox(None, vec![]).await, Server::sandbox(None, vec![]).await).await
    }

    async fn real() -> Option<Self> {
        Some(Self::new(RealQdrant::start(None).await?, RealQdrant::start(None).await?).await)
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        self.source.raw(method, &format!("/collections/x{path}"), body).await
    }

    async fn upsert(&self, ids: std::ops::Range<u64>, city: &str) {
        let point = |id: u64| json!({"id": id, "vector": [id as f32, 0.5, -1.25, 2.0], "payload": {"city": city, "n": id}});
        let points: Vec<Value> = ids.map(point).collect();
        self.ask("PUT", "/points?wait=true", json!({"points": points})).await;
    }

    async fn green(&self) {
        wait_until("the collection is green", Duration::from_secs(60), async || {
            self.ask("GET", "", json!({})).await["result"]["status"] == "green"
        })
        .await;
    }

    /// Backs it up, and restores it at once: what was restored stays as the truth of that moment.
    async fn round(&self, name: &str) -> Round {
        self.green().await;
        let ran = self.cli.run(&["backup", "a/x", "--kind", "shards", "--yes", "--output", "json"]).await;
        let report = ran.json();
        assert_eq!(ran.code, 0, "{name}: {ran:?}");
        let address = report["created"][0].as_str().unwrap().to_owned();
        let shown = self.cli.run(&["backups", "show", &address, "--output", "json"]).await.json();
        let round = Round { name: name.to_owned(), address, manifest: shown["manifest"].clone() };
        self.restored(&round, &format!("b/{name}")).await;
        self.equal("a/x", &format!("b/{name}")).await;
        round
    }

    async fn restored(&self, round: &Round, to: &str) {
        let ran = self.cli.run(&["restore", &round.address, "--to", to, "--mode", "new", "--yes", "--output", "json"]).await;
        assert_eq!((ran.code, text(&ran.json(), "verdict")), (0, "matches"), "{}: {ran:?}", round.name);
    }

    async fn equal(&self, first: &str, second: &str) {
        let compared = self.cli.run(&["compare", first, second, "--deep", "--output", "json"]).await;
        assert_eq!((compared.code, text(&compared.json(), "verdict")), (0, "matches"), "{first} {second}: {compared:?}");
    }

    /// It is still what it was: every byte is read, and it is restored again.
    async fn still_whole(&self, round: &Round) {
        let verified = self.cli.run(&["verify", &round.address, "--output", "json"]).await;
        assert_eq!((verified.code, text(&verified.json(), "verdict")), (0, "matches"), "{}: {verified:?}", round.name);
        self.restored(round, "b/again").await;
        self.equal("b/again", &format!("b/{}", round.name)).await;
        self.target.raw("DELETE", "/collections/again", json!({})).await;
    }

    async fn delete(&self, round: &Round) {
        let ran = self.cli.run(&["backups", "delete", &round.address, "--yes", "--confirm", "a/x"]).await;
        assert_eq!(ran.code, 0, "{}: {ran:?}", round.name);
    }

    /// Changes one byte of what a backup stored.
    fn damage(&self, round: &Round) {
        let object = self.folder.path().join("a/x").join(round.id()).join("shard-0.tar");
        let mut bytes = std::fs::read(&object).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        std::fs::write(&object, bytes).unwrap();
    }

    /// What each backup is worth, the newest first.
    async fn states(&self) -> Vec<String> {
        let listed = self.cli.run(&["backups", "list", "--output", "json"]).await.json();
        listed["items"].as_array().unwrap().iter().map(|item| text(item, "state").to_owned()).collect()
    }

    async fn restart(&mut self) {
        match &mut self.source {
            Server::Sandbox(sandbox, _) => {
                sandbox.stop_node(0).await;
                sandbox.start_node(0).unwrap();
            }
            Server::Real(real) => real.restart().await,
        }
    }

    /// The rounds that a day may have, each with its backup.
    async fn day(&mut self) -> Vec<Round> {
        self.source.fill("x", 8_000).await;
        // Segments that are finished do not change: what comes goes into a new one.
        self.ask("PATCH", "", json!({"optimizers_config": {"indexing_threshold": 50}})).await;
        let mut rounds = vec![self.round("full").await, self.round("none").await];
        self.upsert(8_001..8_031, "Rome").await;
        rounds.push(self.round("append").await);
        self.upsert(1..21, "Bern").await;
        rounds.push(self.round("overwrite").await);
        self.ask("POST", "/points/delete?wait=true", json!({"points": [30, 31, 32]})).await;
        rounds.push(self.round("delete").await);
        self.ask("POST", "/points/payload?wait=true", json!({"payload": {"seen": true}, "points": [40, 41]})).await;
        rounds.push(self.round("payload").await);
        self.ask("PUT", "/index?wait=true", json!({"field_name": "n", "field_schema": "integer"})).await;
        rounds.push(self.round("index").await);
        let filter = json!({"filter": {"must": [{"key": "city", "match": {"value": "Bern"}}]}});
        self.ask("POST", "/points/delete?wait=true", filter).await;
        rounds.push(self.round("filter").await);
        self.restart().await;
        rounds.push(self.round("restart").await);
        self.upsert(9_000..9_010, "Oslo").await;
        rounds.push(self.round("after").await);
        rounds
    }
}

struct Round {
    name: String,
    address: String,
    manifest: Value,
}

impl Round {
    fn base(&self) -> &str {
        text(&self.manifest["indexes"][0], "base")
    }

    fn id(&self) -> &str {
        text(&self.manifest, "id")
    }

    /// Bytes of the data in its own folder.
    fn stored(&self) -> u64 {
        let sizes = ["objects", "indexes"].map(|of| self.manifest[of].as_array().cloned().unwrap_or_default());
        sizes.iter().flatten().filter_map(|object| object["size"].as_u64()).sum()
    }
}

fn named<'a>(rounds: &'a [Round], name: &str) -> &'a Round {
    rounds.iter().find(|round| round.name == name).unwrap()
}

async fn a_day(mut chain: Chain, real: bool) {
    let rounds = chain.day().await;
    let mut base = rounds[0].id();
    for round in &rounds {
        assert!([base, round.id()].contains(&round.base()), "{} builds on the last whole one: {}", round.name, round.manifest);
        base = round.base();
    }
    let increments = rounds.iter().filter(|round| round.base() != round.id()).count();
    assert!(increments >= if real { 5 } else { 3 }, "{increments} increments");
    assert_eq!(named(&rounds, "none").manifest["objects"], json!([]), "nothing changed, and nothing was streamed");
    let restart = named(&rounds, "restart");
    assert_eq!(restart.base(), restart.id(), "versions of a process that ended tell nothing");
    assert_eq!(named(&rounds, "after").base(), restart.id());
    if real {
        let (full, append) = (rounds[0].stored(), named(&rounds, "append").stored());
        assert!(append * 2 < full, "30 points cost {append} of {full}");
    }
    let listed = chain.cli.run(&["backups", "list", "--output", "json"]).await.json();
    assert!(listed["items"].as_array().unwrap().iter().all(|item| text(item, "state") == "good"), "{listed}");

    // A file that is saved is the whole shard, as it can be restored with curl.
    let saved = chain.cli.path("shard.tar");
    let address = &named(&rounds, "filter").address;
    let ran = chain.cli.run(&["backups", "download", address, "--to", saved.to_str().unwrap()]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let inspected = chain.cli.run(&["inspect", saved.to_str().unwrap(), "--check", "--output", "json"]).await;
    assert_eq!(inspected.code, 0, "{inspected:?}");

    if real {
        by_hand(&chain, named(&rounds, "after")).await;
    }

    // One goes after the other, in an order that a seed gives; those that are left are what they were.
    let mut seed: u64 = if real { 7 } else { 3 };
    let mut left: Vec<&Round> = rounds.iter().collect();
    while !left.is_empty() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let gone = left.remove((seed >> 33) as usize % left.len());
        chain.delete(gone).await;
        for round in left.iter().rev().take(2) {
            chain.still_whole(round).await;
        }
        let listed = chain.cli.run(&["backups", "list", "--output", "json"]).await;
        assert!(listed.json()["items"].as_array().unwrap().iter().all(|item| text(item, "state") == "good"), "{listed:?}");
    }
    assert_eq!(left_over(chain.folder.path()), Vec::<String>::new(), "nobody needs anything any more");
}

/// The lines of the manual put a shard together, and a server takes it as the manual says.
async fn by_hand(chain: &Chain, round: &Round) {
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        return say("skipped: no python3");
    }
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/manual/increments.md")).unwrap();
    let script = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let folder = chain.folder.path().join("a/x").join(round.id());
    let place = tempfile::tempdir().unwrap();
    let mut python = std::process::Command::new("python3");
    let ran = python.args(["-c", script]).arg(&folder).arg("0").current_dir(place.path()).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    chain.target.raw("PUT", "/collections/hand", round.manifest["config"]["params"].clone()).await;
    let bytes = std::fs::read(place.path().join("shard-0.whole.tar")).unwrap();
    let part = reqwest::multipart::Part::bytes(bytes).file_name("shard-0.tar");
    let url = format!("{}/collections/hand/shards/0/snapshots/upload?priority=snapshot", chain.target.url());
    let form = reqwest::multipart::Form::new().part("snapshot", part);
    let answer = reqwest::Client::new().post(url).multipart(form).send().await.unwrap();
    assert!(answer.status().is_success(), "{:?}", answer.text().await);
    assert_eq!(chain.target.count("hand").await, round.manifest["points_max"]);
}

/// Files of backups that are still there.
fn left_over(folder: &Path) -> Vec<String> {
    let files = files_below(folder).into_iter().map(|path| path.display().to_string());
    files.filter(|path| !path.ends_with("qsnap-repository.json")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_backup_of_a_chain_restores_on_sandboxes() {
    a_day(Chain::sandbox().await, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_backup_of_a_chain_restores_on_real_servers() {
    match Chain::real().await {
        Some(chain) => a_day(chain, true).await,
        None => say("skipped: no qdrant"),
    }
}

/// Damage in an old object is damage of every backup that has data of it, and nothing new is built on it.
#[tokio::test(flavor = "multi_thread")]
async fn damage_in_a_base_is_seen_in_all_that_is_made_of_it() {
    let chain = Chain::sandbox().await;
    chain.source.fill("x", 300).await;
    let (first, second) = (chain.round("first").await, chain.round("second").await);
    assert_eq!(second.base(), first.id());
    assert_eq!(chain.cli.run(&["verify", &first.address]).await.code, 0);
    chain.damage(&first);
    let restored = chain.cli.run(&["restore", &second.address, "--to", "b/bad", "--mode", "new", "--yes"]).await;
    assert!(restored.code != 0, "{restored:?}");
    let saved = chain.cli.path("bad.tar");
    let ran = chain.cli.run(&["backups", "download", &second.address, "--to", saved.to_str().unwrap()]).await;
    assert!(ran.code != 0 && !saved.exists(), "{ran:?}");
    // Only the newer one is verified: where the damage lies nobody knows then.
    let verified = chain.cli.run(&["verify", &second.address]).await;
    assert_eq!(verified.code, 4, "{verified:?}");
    assert_eq!(chain.states().await, ["bad", "doubtful"], "a proof from before says nothing");
    let third = chain.round("third").await;
    assert_eq!(third.base(), third.id(), "a whole one: {}", third.manifest);
    let verified = chain.cli.run(&["verify", &first.address]).await;
    assert_eq!(verified.code, 4, "{verified:?}");
    assert_eq!(chain.states().await, ["good", "bad", "bad"]);
}

/// Where only what changed is damaged, a look at the base clears the base, and all that is built on it.
#[tokio::test(flavor = "multi_thread")]
async fn damage_in_an_increment_costs_no_more_than_a_look_at_its_base() {
    let chain = Chain::sandbox().await;
    chain.source.fill("x", 300).await;
    let first = chain.round("first").await;
    chain.upsert(400..430, "Rome").await;
    let second = chain.round("second").await;
    assert_eq!(second.base(), first.id());
    chain.damage(&second);
    assert_eq!(chain.cli.run(&["verify", &second.address]).await.code, 4);
    assert_eq!(chain.states().await, ["bad", "doubtful"]);
    // The rules of retention take nothing that is only in doubt, and doubt outlives the backup that it came from.
    chain.delete(&second).await;
    assert_eq!(chain.states().await, ["doubtful"]);
    let pruned = chain.cli.run(&["prune", "--apply", "--yes"]).await;
    assert_eq!((pruned.code, chain.states().await), (0, vec!["doubtful".to_owned()]), "{pruned:?}");
    assert_eq!(chain.cli.run(&["verify", &first.address]).await.code, 0);
    assert_eq!(chain.states().await, ["good"]);
    let third = chain.round("third").await;
    assert_eq!(third.base(), first.id(), "built on what is known to be good: {}", third.manifest);
    assert_eq!(chain.states().await, ["good", "good"]);
}

/// After a roll-back and as many writes a server says that nothing changed, and everything did.
async fn a_roll_back(chain: Chain) {
    chain.source.fill("x", 100).await;
    let before = chain.cli.run(&["snapshots", "create", "a/x", "--yes"]).await;
    assert_eq!(before.code, 0, "{before:?}");
    chain.upsert(1..11, "Rome").await;
    let first = chain.round("first").await;
    let rolled = chain
        .cli
        .run(&["restore", "a/x@latest", "--to", "a/x", "--mode", "in-place", "--yes", "--confirm", "a/x", "--skip", "safety"])
        .await;
    assert_eq!(rolled.code, 0, "{rolled:?}");
    chain.upsert(1..11, "Bern").await;
    let second = chain.round("second").await;
    assert_eq!(first.base(), first.id());
    assert_eq!(second.base(), second.id(), "a whole one: {}", second.manifest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_back_is_seen_on_sandboxes() {
    a_roll_back(Chain::sandbox().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_back_is_seen_on_real_servers() {
    match Chain::real().await {
        Some(chain) => a_roll_back(chain).await,
        None => say("skipped: no qdrant"),
    }
}

/// Should a server not count a restore: what it says of changes is not believed alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_roll_back_that_no_counter_tells_is_seen_in_the_points() {
    let chain = Chain::sandbox().await;
    chain.source.faults().add_all("recover:uncounted").unwrap();
    a_roll_back(chain).await;
}

/// What a shard is put together of may be replaced by a restore that nobody waits for.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_restore_that_nobody_waited_for_shards_are_streamed_as_a_whole() {
    let chain = Chain::sandbox().await;
    chain.source.fill("x", 100).await;
    let streamed = reqwest::get(format!("{}/collections/x/shards/0/snapshot", chain.source.url())).await.unwrap();
    let bytes = streamed.bytes().await.unwrap().to_vec();
    let part = reqwest::multipart::Part::bytes(bytes).file_name("s");
    let answer = reqwest::Client::new()
        .post(format!("{}/collections/x/shards/0/snapshots/upload?wait=false&priority=snapshot", chain.source.url()))
        .multipart(reqwest::multipart::Form::new().part("snapshot", part))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 202);
    let first = chain.round("first").await;
    assert_eq!(first.manifest["indexes"], Value::Null, "nothing is built on it: {}", first.manifest);
    let ran = chain.cli.run(&["backup", "a/x", "--kind", "shards", "--dry-run", "--output", "json"]).await;
    assert!(ran.stdout.contains("as a whole"), "{ran:?}");
}

/// Streams lack what is deleted while segments are optimized: the backup waits, begins again, and never calls good what may lack it.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_waits_for_the_optimizer() {
    let chain = Chain::sandbox().await;
    chain.source.fill("x", 100).await;
    // Busy when it begins; then it rests, and begins again before the first byte comes.
    chain.source.faults().add_all("list:optimizing*2,list:optimizing@1*1").unwrap();
    chain.round("first").await;
    assert!(chain.source.faults().spent());
    assert_eq!(chain.states().await, ["good"]);
    chain.source.faults().clear();
    chain.source.faults().add_all("list:optimizing").unwrap();
    chain.upsert(200..230, "Rome").await;
    let ran = chain.cli.run(&["backup", "a/x", "--kind", "shards", "--optimizer-wait", "1s", "--yes"]).await;
    assert!(ran.code == 3 || ran.code == 1, "{ran:?}");
    assert!(ran.stderr.contains("deletions") || ran.stdout.contains("deletions"), "{ran:?}");
    assert_eq!(chain.states().await, ["incomplete", "good"]);
    chain.source.faults().clear();
    let third = chain.round("third").await;
    assert!(third.base() != third.id(), "built on the first: {}", third.manifest);
}
