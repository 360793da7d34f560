//! Memory stays within its budget at any size (design budget: 64 MiB headless).

use crate::measure::{self, Sandbox, run};
use crate::support::{Cli, QSNAP, say};

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
