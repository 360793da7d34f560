//! Transfers under every fault, in every phase: each cell ends equal to the source, or with the right error
//! and nothing under the final name.

use crate::line::{Break, Line};
use crate::support::{Cli, RealQdrant, Server, World, files, instance};
use Must::{Complete, Fail};
use futures_util::StreamExt;
use qsnap::domain::address::{CollectionAddress, Which};
use qsnap::domain::instance::Protection;
use qsnap::domain::problem::{Problem, ProblemKind};
use qsnap::ops::report::Report;
use qsnap::ops::request::Request;
use qsnap::ops::request::copy::CopyRequest;
use qsnap::ops::request::recovery_point::RecoveryPoint;
use qsnap::ops::request::restore::{Mode, RestoreRequest};
use qsnap::ops::request::route::Route;
use qsnap::ops::request::snapshots::DownloadRequest;
use qsnap::sandbox::seed::SeedCollection;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of filler in a snapshot that is downloaded: several blocks, so that ranges have something to share.
const DOWNLOADED: u64 = 5_000_000;

/// Bytes of filler in a snapshot that is uploaded: more than the sockets between can hold.
const UPLOADED: u64 = 16_000_000;

/// What a cell must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Must {
    Complete,
    Fail(ProblemKind),
}

#[derive(Debug)]
struct Cell {
    faults: String,
    must: Must,
}

fn cell(faults: impl Into<String>, must: Must) -> Cell {
    Cell { faults: faults.into(), must }
}

fn seeded(filler: u64) -> Vec<SeedCollection> {
    let mut x = SeedCollection::new("x", 50);
    x.filler = filler;
    x.snapshot_ages = vec![60];
    vec![x]
}

/// A world whose retries and stalls are quick.
fn quick(servers: &[(&str, &Server)]) -> World {
    let instances = servers.iter().map(|(name, server)| {
        let mut configured = instance(name, &server.urls(), server.key(), Protection::Open);
        configured.instance.transfers.stall = Duration::from_millis(700);
        configured.instance.transfers.first_wait = Duration::from_millis(4);
        configured
    });
    World::new(instances.collect())
}

fn address(text: &str) -> CollectionAddress {
    CollectionAddress::parse(text).unwrap()
}

fn download(target: PathBuf) -> Request {
    Request::Download(DownloadRequest { of: address("a/x").into(), which: Which::Latest, target, overwrite: false })
}

/// The bytes of the snapshot of a/x, by a plain request.
async fn source_bytes(server: &Server) -> Vec<u8> {
    let name = server.snapshots("x").await[0].clone();
    let mut request = reqwest::Client::new().get(format!("{}/collections/x/snapshots/{name}", server.url()));
    if let Some(key) = server.key() {
        request = request.header("api-key", key);
    }
    request.send().await.unwrap().bytes().await.unwrap().to_vec()
}

fn judge(cell: &Cell, result: &Result<Report, Problem>, what: &str) {
    match (cell.must, result) {
        (Complete, Ok(_)) => {}
        (Fail(kind), Err(problem)) if problem.kind == kind => {
            assert!(!problem.advice.is_empty(), "{what} {}: {problem:?}", cell.faults);
        }
        _ => panic!("{what} {}: must {:?}, is {result:?}", cell.faults, cell.must),
    }
}

/// Runs cells side by side, as many as do not starve each other.
async fn some_at_once<T: std::fmt::Debug, F: Future<Output = ()>>(
    cells: impl IntoIterator<Item = T>,
    mut run: impl FnMut(T) -> F,
) {
    // A cell that never ends must be known by its name.
    let bounded = cells.into_iter().map(|cell| {
        let shown = format!("{cell:?}");
        let work = run(cell);
        async move {
            let ended = tokio::time::timeout(Duration::from_secs(240), work).await;
            assert!(ended.is_ok(), "it does not end: {shown}");
        }
    });
    futures_util::stream::iter(bounded).buffer_unordered(6).collect::<()>().await;
}

/// The three phases of a body of `size` bytes. The first leaves the probe of one byte alone.
fn phases(size: usize) -> [usize; 3] {
    [2, size / 2, size - 1]
}

/// Of a download two requests pass before the data are asked for: the plan's probe, and the same again at the start.
fn download_cells(size: usize) -> Vec<Cell> {
    let mut cells = Vec::new();
    for at in phases(size) {
        for kind in ["reset", "truncate", "stall"] {
            cells.push(cell(format!("download:{kind}={at}@0*1"), Complete));
            cells.push(cell(format!("download:{kind}={at}@0*3"), Complete));
        }
        // The first answer breaks here, so that the fault meets the request that goes on.
        let broken = format!("download:reset={at}*1");
        for status in [429, 500, 502, 503] {
            cells.push(cell(format!("{broken},download:status={status}@3*2"), Complete));
        }
        cells.push(cell(format!("{broken},download:delay=30ms"), Complete));
        cells.push(cell(format!("{broken},download:throttle=60MB"), Complete));
        cells.push(cell(format!("{broken},download:ignore-range"), Complete));
        // What is there is not thrown away because a server stops giving ranges.
        let must = if at < 1 << 20 { Complete } else { Fail(ProblemKind::Failed) };
        cells.push(cell(format!("{broken},download:ignore-range@3"), must));
        cells.push(cell(format!("{broken},download:ignore-range@3*1"), Complete));
        cells.push(cell(format!("{broken},download:replace@3*1"), Complete));
        cells.push(cell(format!("{broken},any:wrong-checksum"), Fail(ProblemKind::Difference)));
        cells.push(cell(format!("{broken},download:vanish@3"), Fail(ProblemKind::NotFound)));
        cells.push(cell(format!("{broken},download:status=403@3"), Fail(ProblemKind::NotAllowed)));
    }
    for kind in ["reset", "stall"] {
        cells.push(cell(format!("download:{kind}=1"), Fail(ProblemKind::Failed)));
    }
    cells.push(cell("download:status=503@2", Fail(ProblemKind::Failed)));
    cells.push(cell("download:vanish@2", Fail(ProblemKind::NotFound)));
    cells.push(cell("download:replace@2", Fail(ProblemKind::PlanStale)));
    cells
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_download() {
    let size = source_bytes(&Server::sandbox(None, seeded(DOWNLOADED)).await).await.len();
    let run = async |cell: Cell| {
        let server = Server::sandbox(None, seeded(DOWNLOADED)).await;
        let world = quick(&[("a", &server)]);
        let bytes = source_bytes(&server).await;
        let target = world.home.path().join("file.snapshot");
        server.faults().add_all(&cell.faults).unwrap();
        let result = world.run(download(target.clone())).await;
        judge(&cell, &result, "download");
        let left: Vec<String> = files(world.home.path()).into_iter().filter(|name| name.contains("file")).collect();
        match cell.must {
            Complete => {
                assert!(std::fs::read(&target).unwrap() == bytes, "{}: other bytes", cell.faults);
                assert_eq!(left, ["file.snapshot"], "{}", cell.faults);
            }
            Fail(kind) => {
                assert!(!target.exists(), "{}: {left:?}", cell.faults);
                assert_eq!(
                    left.iter().any(|name| name.ends_with(".corrupt")),
                    kind == ProblemKind::Difference,
                    "{}",
                    cell.faults
                );
                if matches!(kind, ProblemKind::Difference | ProblemKind::PlanStale) {
                    return;
                }
                // Once the fault is over, the same download goes on.
                server.faults().clear();
                let again = world.run(download(target.clone())).await;
                assert!(again.is_ok() && std::fs::read(&target).unwrap() == bytes, "{}: {again:?}", cell.faults);
            }
        }
    };
    some_at_once(download_cells(size), run).await;
}

/// Of a stream copy the probe passes first. Where the fault is on the target's side the upload is never repeated.
fn copy_cells(size: usize) -> (Vec<Cell>, Vec<Cell>) {
    let (mut source, mut target) = (Vec::new(), Vec::new());
    for at in phases(size) {
        for kind in ["reset", "truncate", "stall"] {
            source.push(cell(format!("download:{kind}={at}*2"), Complete));
        }
        let broken = format!("download:reset={at}*1");
        for status in [429, 500, 502, 503] {
            source.push(cell(format!("{broken},download:status={status}@2*1"), Complete));
        }
        source.push(cell(format!("{broken},download:delay=30ms"), Complete));
        source.push(cell(format!("{broken},download:vanish@2"), Fail(ProblemKind::NotFound)));
        source.push(cell(format!("{broken},download:replace@2*1"), Fail(ProblemKind::PlanStale)));
        source.push(cell(format!("{broken},download:status=403@2"), Fail(ProblemKind::NotAllowed)));
        let once = format!("download:reset={at}@1*1,download:ignore-range");
        source.push(cell(once, Fail(ProblemKind::Failed)));
        target.push(cell(format!("upload:reset={at}*1"), Fail(ProblemKind::Failed)));
    }
    // The snapshot's size varies by some bytes with the time in it; a quarter is well inside.
    for at in [0, size / 4] {
        target.push(cell(format!("upload:stall={at}"), Fail(ProblemKind::Unreachable)));
    }
    source.push(cell("any:wrong-checksum", Fail(ProblemKind::Difference)));
    source.push(cell("download:ignore-range", Complete));
    source.push(cell("download:throttle=60MB", Complete));
    for status in [413, 429, 500, 502, 503] {
        target.push(cell(format!("upload:status={status}"), Fail(ProblemKind::Failed)));
    }
    target.push(cell("upload:delay=30ms", Complete));
    (source, target)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_stream_copy() {
    let size = source_bytes(&Server::sandbox(None, seeded(UPLOADED)).await).await.len();
    let run = async |(cell, at_source): (Cell, bool)| {
        let (a, b) = (Server::sandbox(None, seeded(UPLOADED)).await, Server::sandbox(None, vec![]).await);
        let world = quick(&[("a", &a), ("b", &b)]);
        if at_source { &a } else { &b }.faults().add_all(&cell.faults).unwrap();
        let request = Request::Copy(CopyRequest::new(address("a/x"), address("b/y"), Route::Stream));
        let result = world.run(request).await;
        judge(&cell, &result, "stream copy");
        a.faults().clear();
        b.faults().clear();
        let exists = b.raw("GET", "/collections/y/exists", serde_json::json!({})).await["result"]["exists"] == true;
        assert_eq!(exists, cell.must == Complete, "{}: {result:?}", cell.faults);
        if exists {
            assert_eq!(b.count("y").await, 50, "{}", cell.faults);
        }
        assert_eq!(a.snapshots("x").await.len(), 1, "{}: the snapshot taken for the copy is gone", cell.faults);
    };
    let (source, target) = copy_cells(size);
    let all = source.into_iter().map(|cell| (cell, true)).chain(target.into_iter().map(|cell| (cell, false)));
    some_at_once(all, run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_an_upload() {
    let source = Server::sandbox(None, seeded(UPLOADED)).await;
    let bytes = source_bytes(&source).await;
    let mut cells = vec![cell("upload:delay=30ms", Complete), cell("any:delay=1ms", Complete)];
    for at in phases(bytes.len()) {
        cells.push(cell(format!("upload:reset={at}*1"), Fail(ProblemKind::Failed)));
    }
    for at in [0, bytes.len() / 4] {
        cells.push(cell(format!("upload:stall={at}"), Fail(ProblemKind::Unreachable)));
    }
    for status in [413, 429, 500, 502, 503] {
        cells.push(cell(format!("upload:status={status}"), Fail(ProblemKind::Failed)));
    }
    let run = async |cell: Cell| {
        let server = Server::sandbox(None, vec![]).await;
        let world = quick(&[("a", &server)]);
        let file = world.home.path().join("file.snapshot");
        std::fs::write(&file, &bytes).unwrap();
        server.faults().add_all(&cell.faults).unwrap();
        let request = RestoreRequest::new(RecoveryPoint::File(file), address("a/y"), Mode::New, Route::Upload);
        let result = world.run(Request::Restore(request)).await;
        judge(&cell, &result, "upload");
        server.faults().clear();
        let exists = server.raw("GET", "/collections/y/exists", serde_json::json!({})).await["result"]["exists"] == true;
        assert_eq!(exists, cell.must == Complete, "{}", cell.faults);
    };
    some_at_once(cells, run).await;
}

/// A server whose way is a line that breaks; gives the line and a world that knows the server only through it.
async fn through_a_line(server: &Server) -> (Line, World) {
    let line = Line::to(server).await;
    let mut configured = instance("a", &[line.url()], server.key(), Protection::Open);
    configured.instance.transfers.stall = Duration::from_millis(600);
    configured.instance.transfers.first_wait = Duration::from_millis(4);
    (line, World::new(vec![configured]))
}

async fn a_line_that_breaks(server: &Server) {
    let bytes = source_bytes(server).await;
    let (line, world) = through_a_line(server).await;
    for (round, breaks) in [
        vec![Break::Cut(bytes.len() / 3)],
        vec![Break::Cut(1_000), Break::Cut(200_000), Break::Cut(bytes.len() / 2)],
        vec![Break::Silence(bytes.len() / 4), Break::Cut(300_000)],
        vec![Break::Cut(bytes.len() - 1)],
    ]
    .into_iter()
    .enumerate()
    {
        let target = world.home.path().join(format!("{round}.snapshot"));
        let plan = world.plan(download(target.clone())).await.unwrap();
        line.breaks(&breaks);
        let report = world.run_plan(plan).await.unwrap();
        assert_eq!(report.verdict.as_ref().map(|verdict| verdict.word()), Some("matches"), "{breaks:?}: {report:?}");
        assert!(std::fs::read(&target).unwrap() == bytes, "{breaks:?}: other bytes");
        assert_eq!(line.left(), 0, "{breaks:?}: every break was met");
    }
    // A line that stays dead: the job fails, what came is kept, and the next try goes on from there.
    let target = world.home.path().join("dead.snapshot");
    let plan = world.plan(download(target.clone())).await.unwrap();
    line.breaks(&[Break::Cut(bytes.len() / 2)]);
    line.dies_after_breaks(true);
    let problem = world.run_plan(plan).await.unwrap_err();
    assert!(problem.advice.contains("the same download continues from there"), "{problem:?}");
    assert!(!target.exists());
    let interrupted = world.services.interrupted.list();
    assert_eq!(interrupted.len(), 1, "{interrupted:?}");
    let done = interrupted[0].done;
    assert!(done > 0 && done < bytes.len() as u64, "{interrupted:?}");
    line.dies_after_breaks(false);
    let carried = line.carried();
    let plan = world.plan(download(target.clone())).await.unwrap();
    assert!(plan.findings.iter().any(|finding| finding.message.contains("continues from there")), "{:?}", plan.findings);
    world.run_plan(plan).await.unwrap();
    assert!(std::fs::read(&target).unwrap() == bytes);
    let moved = line.carried() - carried;
    assert!(moved < bytes.len() as u64 - done + 100_000, "{moved} bytes moved for the missing {}", bytes.len() as u64 - done);
    assert!(world.services.interrupted.list().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_breaks_costs_nothing_twice() {
    a_line_that_breaks(&Server::sandbox(Some("k"), seeded(DOWNLOADED)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_to_a_real_server_that_breaks_costs_nothing_twice() {
    if let Some(real) = RealQdrant::start(Some("k")).await {
        real.fill("x", 20_000).await;
        real.raw("POST", "/collections/x/snapshots?wait=true", serde_json::json!({})).await;
        a_line_that_breaks(&real).await;
    }
}

async fn run_until_killed(cli: &Cli, arguments: &[&str], moment: Duration) -> Option<std::process::ExitStatus> {
    let mut child =
        cli.command(arguments).stderr(std::process::Stdio::null()).stdout(std::process::Stdio::null()).spawn().unwrap();
    // A random moment is the point here; there is no condition to wait for.
    tokio::time::sleep(moment).await;
    let ended = child.try_wait().unwrap();
    if ended.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    ended
}

async fn killed_again_and_again(server: &Server, name: &str, seed: u64) {
    let bytes = source_bytes(server).await;
    let cli = Cli::for_servers(&[("a", server)]);
    let target = cli.path("f.snapshot");
    let arguments = ["snapshots", "download", "a/x@latest", "--to", "f.snapshot", "-q", "--limit-rate", "12MB"];
    let (mut state, mut kills, mut remembered, mut too_early) = (seed, 0, 0, 0);
    let code = loop {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // On a busy machine a process needs longer until there is something to remember.
        let moment = Duration::from_millis(60 + (state >> 33) % 400 + 200 * too_early);
        if let Some(status) = run_until_killed(&cli, &arguments, moment).await {
            break status.code();
        }
        kills += 1;
        if target.exists() {
            // Killed after it was published and before it ended: whole it must be.
            break Some(0);
        }
        let kept = qsnap::transfer::part::unfinished(&target).map_or(0, |left| left.spans.total());
        assert!(kept >= remembered, "a kill costs nothing that was remembered: {kept} after {remembered}");
        remembered = kept;
        too_early += u64::from(kept == 0);
        if kills == 12 {
            break cli.run(&arguments[..arguments.len() - 2]).await.code.into();
        }
    };
    assert_eq!(code, Some(0), "{name}, seed {seed}, after {kills} kills");
    assert!(kills < 12 || remembered > 0, "{name}, seed {seed}: nothing was ever remembered");
    assert!(std::fs::read(&target).unwrap() == bytes, "{name}, seed {seed}, after {kills} kills: other bytes");
    let left: Vec<String> = files(cli.home.path()).into_iter().filter(|name| name.starts_with("f.")).collect();
    assert!(left == ["f.snapshot"] || left == ["f.snapshot", "f.snapshot.part.state"], "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_it_goes_on() {
    for seed in [1, 2, 3] {
        killed_again_and_again(&Server::sandbox(None, seeded(UPLOADED)).await, "sandbox", seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_it_goes_on_with_a_real_server() {
    if let Some(real) = RealQdrant::start(None).await {
        real.fill("x", 20_000).await;
        real.raw("POST", "/collections/x/snapshots?wait=true", serde_json::json!({})).await;
        killed_again_and_again(&real, "real", 4).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_stays_away_from_the_same_file() {
    let server = Server::sandbox(None, seeded(DOWNLOADED)).await;
    let cli = Cli::for_servers(&[("a", &server)]);
    let slow = ["snapshots", "download", "a/x@latest", "--to", "f.snapshot", "-q", "--limit-rate", "1MB"];
    let mut first = cli.command(&slow).spawn().unwrap();
    let part = cli.path("f.snapshot.part");
    crate::support::wait_until("the first one writes", Duration::from_secs(20), async || part.exists()).await;
    let second = cli.run(&slow).await;
    assert_eq!(second.code, 7, "{second:?}");
    assert!(second.stderr.contains("another qsnap is writing this file"), "{second:?}");
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(cli.run(&slow[..6]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_keeps_what_came_and_says_so() {
    let server = Server::sandbox(None, seeded(DOWNLOADED)).await;
    let cli = Cli::for_servers(&[("a", &server)]);
    let slow = ["snapshots", "download", "a/x@latest", "--to", "f.snapshot", "--limit-rate", "1MB"];
    let child = cli.command(&slow).stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let part = cli.path("f.snapshot.part");
    let there = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
    crate::support::wait_until("some bytes are there", Duration::from_secs(20), async || there(&part) > 100_000).await;
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("kept in") && said.contains("continues from there"), "{said}");
    let ran = cli.run(&[&slow[..5], &["--dry-run"]].concat()).await;
    assert!(ran.stdout.contains("were downloaded before"), "{ran:?}");
    assert_eq!(cli.run(&slow[..5]).await.code, 0);
}
