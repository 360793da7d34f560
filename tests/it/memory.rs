//! Memory stays within its budget at any size (design budget: 64 MiB headless).

use crate::measure::{self, Sandbox, run};
use crate::support::{Cli, QSNAP, RealQdrant, say};
use serde_json::json;

/// Budget of a headless transfer, in KiB.
const BUDGET: u64 = 64 << 10;

#[test]
fn a_gigabyte_moves_in_constant_memory() {
    if !measure::possible() {
        say("skipped: no /proc");
        return;
    }
    let source = Sandbox::start(QSNAP, &["--points", "0", "--snapshot-size", "1GiB"]);
    let target = Sandbox::start(QSNAP, &["--points", "0"]);
    let cli = Cli::new(&format!("[instances.a]\nurl = '{}'\n[instances.b]\nurl = '{}'\n", source.url, target.url));
    for (what, arguments) in [
        ("download", &["snapshots", "download", "a/big@latest"][..]),
        ("stream copy", &["restore", "a/big@latest", "--to", "b/big", "--route", "stream", "--yes"]),
    ] {
        let ran = run(cli.command(arguments));
        let (memory, seconds, cpu) = (ran.peak_kib >> 10, ran.seconds, ran.cpu_seconds);
        say(&format!("1 GiB {what}: {memory} MiB at most, {seconds:.1} s, CPU {cpu:.1} s"));
        assert_eq!(ran.code, 0, "{what}");
        assert!(ran.peak_kib > 0 && ran.peak_kib < BUDGET, "{what}: {} KiB", ran.peak_kib);
    }
}

/// Points with large payloads, and with large multivectors: pages are chosen by bytes.
#[tokio::test(flavor = "multi_thread")]
async fn large_points_are_compared_in_little_memory() {
    if !measure::possible() {
        say("skipped: no /proc");
        return;
    }
    let Some(server) = RealQdrant::start(None).await else { return };
    let text = "x".repeat(600_000);
    let matrix: Vec<Vec<f32>> = (0..1030).map(|row| (0..128).map(|column| (row * 128 + column) as f32 / 7.0).collect()).collect();
    let multi =
        json!({"size": 128, "distance": "Cosine", "multivector_config": {"comparator": "max_sim"}, "hnsw_config": {"m": 0}});
    for name in ["one", "two"] {
        server.raw("PUT", &format!("/collections/payloads-{name}"), json!({"vectors": {"size": 2, "distance": "Dot"}})).await;
        server.raw("PUT", &format!("/collections/matrices-{name}"), json!({"vectors": multi})).await;
        for id in 1..=24 {
            let point = json!({"id": id, "vector": [id, 1], "payload": {"text": text, "n": id}});
            server.raw("PUT", &format!("/collections/payloads-{name}/points?wait=true"), json!({"points": [point]})).await;
            if id > 8 {
                continue;
            }
            let point = json!({"id": id, "vector": matrix});
            server.raw("PUT", &format!("/collections/matrices-{name}/points?wait=true"), json!({"points": [point]})).await;
        }
    }
    let cli = Cli::new(&format!("[instances.a]\nurl = '{}'\ntimeout = '30s'\n", server.url()));
    for kind in ["payloads", "matrices"] {
        let (one, two) = (format!("a/{kind}-one"), format!("a/{kind}-two"));
        for arguments in [
            &["snapshots", "create", one.as_str()][..],
            &["compare", &one, &two, "--deep"],
            &["compare", &one, &two],
            &["restore", &format!("{one}@latest"), "--to", &format!("{two}-copy"), "--mode", "new", "--yes"],
        ] {
            let ran = run(cli.command(arguments));
            say(&format!("{kind}, {}: {} MiB at most, {:.1} s", arguments[..2].join(" "), ran.peak_kib >> 10, ran.seconds));
            assert_eq!(ran.code, 0, "{arguments:?}");
            assert!(ran.peak_kib > 0 && ran.peak_kib < BUDGET, "{arguments:?}: {} KiB", ran.peak_kib);
        }
        let proofs = cli.path("state/qsnap/proofs");
        assert!(proofs.is_dir(), "a proof is recorded of large points, too");
    }
}
