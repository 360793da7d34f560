//! Metrics as Prometheus text, for the textfile folder of the node exporter.

use crate::ops::retention::freshness::Level;
use crate::ops::survey::watch::{Watch, Watched};
use jiff::Timestamp;
use std::io::Write;
use std::path::Path;

/// A metric: its name, what it is, and its value for a collection.
struct Metric {
    name: &'static str,
    help: &'static str,
    value: fn(&Watched) -> Option<f64>,
}

const METRICS: &[Metric] = &[
    Metric {
        name: "qsnap_collection_state",
        help: "0 ok, 1 warning, 2 critical, 3 unknown.",
        value: |item| Some(f64::from(item.freshness.level.code())),
    },
    Metric {
        name: "qsnap_backup_timestamp_seconds",
        help: "When the newest good backup was taken.",
        value: |item| item.newest.as_ref().map(|newest| newest.at.as_second() as f64),
    },
    Metric {
        name: "qsnap_backup_size_bytes",
        help: "Size of the newest good backup.",
        value: |item| item.newest.as_ref().filter(|newest| newest.id.is_some()).map(|newest| newest.size as f64),
    },
    Metric {
        name: "qsnap_backup_duration_seconds",
        help: "How long the newest good backup took.",
        value: |item| item.newest.as_ref().and_then(|newest| newest.seconds),
    },
    Metric {
        name: "qsnap_backup_points",
        help: "Points in the newest good backup.",
        value: |item| item.newest.as_ref().and_then(|newest| newest.points).map(|points| points as f64),
    },
    Metric {
        name: "qsnap_backup_proof_timestamp_seconds",
        help: "When a backup of the collection was last proven.",
        value: |item| item.freshness.proven_at.map(|at| at.as_second() as f64),
    },
    Metric {
        name: "qsnap_backup_target_age_seconds",
        help: "How old the newest good backup may be.",
        value: |item| item.policy.rpo.age().map(|age| age.as_secs_f64()),
    },
    Metric {
        name: "qsnap_backup_last_result",
        help: "1 when the last try ended in a good backup, 0 when not.",
        value: |item| item.last_try.map(|good| f64::from(u8::from(good))),
    },
    Metric {
        name: "qsnap_backup_incomplete_sets",
        help: "Backups that are incomplete, damaged or unreadable.",
        value: |item| Some(item.not_good as f64),
    },
];

/// All of them. The age is `time() - qsnap_backup_timestamp_seconds`, and so right between two runs, too; a collection that is gone
/// has none.
pub(super) fn text(watch: &Watch, level: Level, now: Timestamp) -> String {
    let mut text = String::new();
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    for metric in METRICS {
        line(format!("# HELP {} {}", metric.name, metric.help));
        line(format!("# TYPE {} gauge", metric.name));
        for item in watch.items.iter().filter(|item| item.exists != Some(false)) {
            if let Some(value) = (metric.value)(item) {
                let (instance, collection) = (label(item.address.instance.as_str()), label(item.address.collection.raw()));
                line(format!("{}{{instance=\"{instance}\",collection=\"{collection}\"}} {value}", metric.name));
            }
        }
    }
    for (name, help, value) in [
        ("qsnap_check_state", "The worst of all: 0 ok, 1 warning, 2 critical, 3 unknown.", i64::from(level.code())),
        ("qsnap_check_unread", "Instances and repositories that could not be read.", watch.problems.len() as i64),
        ("qsnap_check_timestamp_seconds", "When this was checked.", now.as_second()),
    ] {
        line(format!("# HELP {name} {help}"));
        line(format!("# TYPE {name} gauge"));
        line(format!("{name} {value}"));
    }
    text
}

/// A name as a label has it.
fn label(name: &str) -> String {
    let clean = crate::domain::text::sanitise(name);
    clean.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Writes the file in one step: who reads it never sees half of it.
pub(super) fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = file.with_file_name(name);
    let written = std::fs::File::create(&temporary).and_then(|mut out| out.write_all(text.as_bytes()));
    written.and_then(|()| std::fs::rename(&temporary, file)).inspect_err(|_| {
        let _ = std::fs::remove_file(&temporary);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::address::CollectionAddress;
    use crate::domain::ids::{CollectionName, InstanceName};
    use crate::domain::policy::Policy;
    use crate::ops::retention::freshness::Freshness;

    #[test]
    fn odd_names_are_labels_and_what_is_unknown_is_left_out() {
        let address = CollectionAddress::new(InstanceName::new("prod").unwrap(), CollectionName::new("a\"b\\c"));
        let freshness = Freshness { level: Level::Critical, words: vec![], newest: None, proven_at: None };
        let policy = Policy::default();
        let item = Watched { address, exists: Some(true), policy, freshness, newest: None, not_good: 2, last_try: Some(false) };
        let watch = Watch { items: vec![item], ..Watch::default() };
        let text = text(&watch, Level::Critical, Timestamp::from_second(5).unwrap());
        assert!(text.contains("qsnap_collection_state{instance=\"prod\",collection=\"a\\\"b\\\\c\"} 2\n"), "{text}");
        assert!(text.contains("qsnap_backup_incomplete_sets{instance=\"prod\",collection=\"a\\\"b\\\\c\"} 2\n"), "{text}");
        assert!(!text.contains("qsnap_backup_timestamp_seconds{"), "{text}");
        assert!(text.ends_with("qsnap_check_timestamp_seconds 5\n"), "{text}");
    }

    #[test]
    fn the_file_is_replaced_in_one_step() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("qsnap.prom");
        write(&file, "a").unwrap();
        write(&file, "b").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "b");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(write(&dir.path().join("no/such/folder.prom"), "c").is_err());
    }
}
