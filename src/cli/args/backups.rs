//! The commands about backups in repositories, as clap types.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Back up.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// INSTANCE/COLLECTION; with --all INSTANCE, or nothing for all instances.
    #[arg(required_unless_present = "all")]
    pub addresses: Vec<String>,
    /// All collections, of the named instances or of every instance.
    #[arg(long)]
    pub all: bool,
    /// Where to; not needed where only one repository is configured.
    #[arg(long, value_name = "NAME")]
    pub repository: Option<String>,
    /// Leave the snapshots on their nodes.
    #[arg(long)]
    pub keep_snapshot: bool,
    /// How the data is copied; without it: shards on a cluster, else a snapshot.
    #[arg(long, value_enum)]
    pub kind: Option<KindArg>,
    /// Stream shards as a whole, and not only what changed since the last backup.
    #[arg(long)]
    pub full: bool,
    /// How long to wait until a shard's node optimizes nothing, 10m without it; later its stream may lack deletions, and the
    /// backup counts as incomplete.
    #[arg(long, value_name = "SPAN", value_parser = wait)]
    pub optimizer_wait: Option<Duration>,
    /// Afterwards remove the backups of these collections that the rules (`keep`) do not keep.
    #[arg(long)]
    pub prune: bool,
}

/// How data is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KindArg {
    /// A snapshot on every node that holds shards: it needs the collection's size on the server's disk.
    Snapshot,
    /// A stream of one replica of each shard: it needs nothing on the server's disk.
    Shards,
}

/// Work with backups.
#[derive(Debug, Subcommand)]
pub enum Backups {
    /// List the backups of all collections, or of one.
    List {
        /// INSTANCE/COLLECTION; the instance need not exist any more.
        address: Option<String>,
        /// Which repository; not needed where only one is configured.
        #[arg(long, value_name = "NAME")]
        repository: Option<String>,
    },
    /// Show everything that is known of a backup: its manifest, notes, holds and proofs.
    Show {
        /// REPOSITORY:INSTANCE/COLLECTION@ID or @latest.
        backup: String,
    },
    /// Save the files of a backup in a folder.
    Download {
        /// REPOSITORY:INSTANCE/COLLECTION@ID or @latest.
        backup: String,
        /// Folder, or file where the backup is one file.
        #[arg(long, default_value = ".", value_name = "PATH")]
        to: PathBuf,
        /// Replace files that exist.
        #[arg(long)]
        overwrite: bool,
    },
    /// Say something of a backup; without words its note is removed.
    Note {
        /// REPOSITORY:INSTANCE/COLLECTION@ID or @latest.
        backup: String,
        /// The words.
        text: Vec<String>,
    },
    /// Keep a backup whatever the rules say, until it is released.
    Hold {
        /// REPOSITORY:INSTANCE/COLLECTION@ID or @latest.
        backup: String,
        /// Why.
        text: Vec<String>,
    },
    /// Let the rules remove a held backup again.
    Release {
        /// REPOSITORY:INSTANCE/COLLECTION@ID or @latest.
        backup: String,
    },
    /// Delete backups.
    Delete {
        /// REPOSITORY:INSTANCE/COLLECTION@ID, all of one collection.
        #[arg(required = true)]
        backups: Vec<String>,
    },
}

/// Prune.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// INSTANCE or INSTANCE/COLLECTION; everything in the repository without one.
    pub addresses: Vec<String>,
    /// Which repository; not needed where only one is configured.
    #[arg(long, value_name = "NAME", conflicts_with = "server")]
    pub repository: Option<String>,
    /// Prune the snapshots on the nodes, by the `keep` of the instance or collection.
    #[arg(long)]
    pub server: bool,
    /// Remove; without it only the plan is shown.
    #[arg(long)]
    pub apply: bool,
}

/// Verify.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// REPOSITORY:INSTANCE/COLLECTION@ID or @latest; with --sample INSTANCE or INSTANCE/COLLECTION, or nothing for all.
    #[arg(required_unless_present = "sample")]
    pub addresses: Vec<String>,
    /// Read so many of the backups, those first that were proven longest ago: 10%.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub sample: Option<u8>,
    /// Which repository, with --sample; not needed where only one is configured.
    #[arg(long, value_name = "NAME", requires = "sample")]
    pub repository: Option<String>,
}

/// Drill.
#[derive(Debug, Args)]
pub struct DrillArgs {
    /// REPOSITORY:INSTANCE/COLLECTION@ID or @latest; or INSTANCE/COLLECTION for its newest good backup.
    pub backup: String,
    /// The instance that takes the scratch collection; without it the one that the backup is of.
    #[arg(long, value_name = "INSTANCE")]
    pub on: Option<String>,
    /// Compare every point with the live collection too.
    #[arg(long)]
    pub deep: bool,
}

/// Check.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// How old the last good backup may be, instead of what the configuration says: 2h, 36h, 7d.
    #[arg(long, value_name = "SPAN", value_parser = crate::domain::time::parse_span)]
    pub max_age: Option<Duration>,
    /// Write metrics for Prometheus into this file, in one step.
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
}

fn percent(text: &str) -> Result<u8, String> {
    let number = text.trim().trim_end_matches('%').parse::<u8>().ok();
    number.filter(|percent| (1..=100).contains(percent)).ok_or_else(|| "write a number from 1% to 100%".to_owned())
}

/// A span, which may be nothing.
fn wait(text: &str) -> Result<Duration, String> {
    if text == "0" || text == "0s" { Ok(Duration::ZERO) } else { crate::domain::time::parse_span(text) }
}
