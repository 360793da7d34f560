//! The demo's repository: real backups of a server like `prod-eu`, dated back. One collection is late, the newest backup of one is
//! incomplete, and one was never proven.

use crate::compose;
use crate::config::Config;
use crate::domain::address::CollectionAddress;
use crate::domain::backup::BackupId;
use crate::domain::ids::{CollectionName, InstanceName};
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::time::{Clock, SystemClock, compact};
use crate::ops::plan::consent::Consent;
use crate::ops::request::Request;
use crate::ops::request::backups::{BackupRequest, How};
use crate::ops::{engine, verbs};
use crate::repository::layout::{MANIFEST, NOTES, folder};
use crate::repository::records::{Found, Record, Says};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::Path;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A backup of the demo.
struct Dated {
    collection: &'static str,
    /// Seconds ago.
    age: i64,
    /// Seconds ago, when it was verified.
    proven: Option<i64>,
    /// What is missing in it.
    missing: Option<&'static str>,
    hold: Option<&'static str>,
}

const fn dated(collection: &'static str, age: i64, proven: Option<i64>) -> Dated {
    Dated { collection, age, proven, missing: None, hold: None }
}

const ALL: [Dated; 12] = [
    dated("products", 38 * MINUTE, Some(30 * MINUTE)),
    dated("products", DAY, Some(DAY - HOUR)),
    Dated { hold: Some("before the price migration"), ..dated("products", 9 * DAY, Some(8 * DAY)) },
    // Late.
    dated("users", 3 * HOUR + 8 * MINUTE, Some(2 * DAY)),
    dated("users", DAY, Some(20 * HOUR)),
    // The newest is not whole.
    Dated { missing: Some("shard 1: its node did not answer"), ..dated("events", 9 * MINUTE, None) },
    dated("events", 41 * MINUTE, Some(35 * MINUTE)),
    dated("events", DAY, None),
    // Never proven.
    dated("drafts", 25 * MINUTE, None),
    dated("drafts", DAY + 25 * MINUTE, None),
    dated("sessions", 52 * MINUTE, Some(50 * MINUTE)),
    dated("orders", 5 * HOUR, Some(4 * HOUR)),
];

/// Fills the repository of `config` from the server that its first instance names.
///
/// # Errors
/// When that cannot be backed up, or written.
pub(super) async fn fill(config: &Config, instance: &InstanceName, root: &Path) -> Result<(), Problem> {
    let (services, events) = compose::services(config);
    crate::drain(events);
    let mut names: Vec<&str> = ALL.iter().map(|dated| dated.collection).collect();
    names.dedup();
    let now = SystemClock.now();
    for name in names {
        let address = CollectionAddress::new(instance.clone(), CollectionName::new(name));
        let request = BackupRequest { address: address.clone(), repository: None, how: How::default() };
        let plan = verbs::plan(&services, Request::Backup(request)).await?;
        engine::start(&services, plan.approve(&Consent::Yes)?).wait().await?;
        date_back(root, &address, now).map_err(|error| {
            Problem::new(ProblemKind::Failed, format!("the demo's backups cannot be written: {error}"), address.to_string())
                .advise("it needs a temporary folder (TMPDIR) with some space")
        })?;
    }
    Ok(())
}

/// Puts dated copies in the place of the backup that was just made.
fn date_back(root: &Path, address: &CollectionAddress, now: Timestamp) -> std::io::Result<()> {
    let group = root.join(crate::repository::layout::group(address));
    let made = std::fs::read_dir(&group)?.next().ok_or(std::io::ErrorKind::NotFound)??.path();
    let manifest: Value = serde_json::from_slice(&std::fs::read(made.join(MANIFEST))?)?;
    let own = ALL.iter().filter(|dated| dated.collection == address.collection.raw());
    for (tail, dated) in own.enumerate() {
        let ago = |seconds: i64| Timestamp::from_second(now.as_second() - seconds).unwrap_or(now);
        let at = ago(dated.age);
        let id = BackupId::of(at, 0x9a00 + tail as u16);
        let place = root.join(folder(address, &id));
        std::fs::create_dir_all(place.join(NOTES))?;
        for object in manifest["objects"].as_array().into_iter().flatten().filter_map(|object| object["name"].as_str()) {
            std::fs::copy(made.join(object), place.join(object))?;
        }
        let mut manifest = manifest.clone();
        manifest["id"] = json!(id);
        manifest["taken_at"] = json!(at);
        manifest["finished_at"] = json!(ago(dated.age - 4));
        manifest["complete"] = json!(dated.missing.is_none());
        manifest["missing"] = json!(dated.missing.into_iter().collect::<Vec<_>>());
        std::fs::write(place.join(MANIFEST), serde_json::to_vec_pretty(&manifest)?)?;
        let proof = dated.proven.map(|seconds| (Says::Verify, ago(seconds), "matches: every byte was read", Some(Found::Good)));
        let hold = dated.hold.map(|why| (Says::Hold, ago(dated.age - HOUR), why, None));
        for (says, at, text, found) in proof.into_iter().chain(hold) {
            let record = Record { format: 1, says, at, who: "demo".into(), text: text.into(), found, phases: Vec::new() };
            let name = format!("{}-demo-{:04x}.json", compact(at), says as u16);
            std::fs::write(place.join(NOTES).join(name), serde_json::to_vec_pretty(&record)?)?;
        }
    }
    std::fs::remove_dir_all(made)
}
