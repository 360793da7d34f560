//! The command line, as clap types. Nothing happens here.

pub mod backups;
pub mod reading;

use crate::cli::args::backups::{BackupArgs, Backups, CheckArgs, DrillArgs, PruneArgs, VerifyArgs};
use crate::cli::args::reading::{CompareArgs, InspectArgs};
use crate::config::values::ColorChoice;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

/// Take, ship, restore and migrate Qdrant snapshots, and prove that the data is right.
///
/// Without a command the terminal UI starts. `qsnap demo` shows it on an embedded sandbox.
#[derive(Debug, Parser)]
#[command(name = "qsnap", version = env!("QSNAP_VERSION"), max_term_width = 100)]
#[command(after_help = "Addresses: INSTANCE, INSTANCE/COLLECTION, INSTANCE/COLLECTION/SNAPSHOT, INSTANCE/COLLECTION@latest,
REPOSITORY:INSTANCE/COLLECTION@ID or @latest for a backup.
Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 partly done, 4 verification found a difference,
5 not allowed by the server, 6 unreachable or timed out, 7 refused (no consent, protected, read-only), 130/143 stopped.")]
pub struct Cli {
    /// Options of all commands.
    #[command(flatten)]
    pub global: Global,
    /// What to do; the terminal UI without it.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of all commands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Configuration file.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One instance, named `default`, instead of those in the configuration.
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// Environment variable that holds the API key for --url [default: QDRANT_API_KEY].
    #[arg(long, global = true, value_name = "NAME")]
    pub api_key_env: Option<String>,
    /// Form of the output.
    #[arg(long, global = true, value_enum, default_value = "table")]
    pub output: Output,
    /// Show the plan, do nothing.
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Say yes to the plan.
    #[arg(long, global = true)]
    pub yes: bool,
    /// The address whose data may be destroyed or changed, or the alias that is switched; with --yes.
    #[arg(long, global = true, value_name = "INSTANCE/COLLECTION")]
    pub confirm: Vec<String>,
    /// Limit of all transfers of an instance, in bytes per second, such as 50MB.
    #[arg(long, global = true, value_name = "RATE", value_parser = crate::domain::size::parse_rate)]
    pub limit_rate: Option<u64>,
    /// Change nothing anywhere.
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Colour in the terminal UI.
    #[arg(long, global = true, value_enum)]
    pub color: Option<ColorChoice>,
    /// Only ASCII characters in the terminal UI.
    #[arg(long, global = true)]
    pub ascii: bool,
    /// No progress.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// List the checks that passed, and each step with its time.
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// Form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For programs: one document on stdout, progress as NDJSON on stderr.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The terminal UI on an embedded sandbox: two instances with data, nothing to install.
    Demo,
    /// Run the sandbox server alone, until stopped.
    Sandbox(SandboxArgs),
    /// List the configured instances and whether they answer.
    Instances,
    /// List collections, of all instances or one; or the shards of one collection, and where their replicas are.
    Collections {
        /// Only this INSTANCE, or one INSTANCE/COLLECTION.
        address: Option<String>,
    },
    /// Work with snapshots on nodes.
    #[command(subcommand)]
    Snapshots(Snapshots),
    /// Back collections up into a repository: by snapshots, which are removed from their nodes, or by streams of shards.
    Backup(BackupArgs),
    /// List, show, save, note, hold and delete backups in repositories.
    #[command(subcommand)]
    Backups(Backups),
    /// Remove the backups that the retention rules (`keep`) do not keep; shows the plan only, without --apply.
    Prune(PruneArgs),
    /// Read every byte of backups, compare, and record what was found.
    Verify(VerifyArgs),
    /// Rehearse: restore the newest good backup to a scratch name, verify, measure, remove.
    Drill(DrillArgs),
    /// For monitoring: are all backups as young and as well proven as the configuration wants? Exit code 0 ok, 1 warning,
    /// 2 critical, 3 unknown.
    Check(CheckArgs),
    /// Restore a snapshot, a backup or a local file into a collection.
    Restore(RestoreArgs),
    /// Copy a collection to another instance or name.
    Copy(CopyArgs),
    /// Point an alias at another collection, in one step.
    Alias(AliasArgs),
    /// Delete a collection.
    Drop {
        /// INSTANCE/COLLECTION.
        address: String,
        /// Also while aliases point at it: they go with it.
        #[arg(long)]
        with_aliases: bool,
    },
    /// Find and bring back a deleted collection whose snapshots are still on its node.
    Revive(ReviveArgs),
    /// What was done here, by whom and how it ended; and what is still open.
    History {
        /// One operation.
        #[command(subcommand)]
        command: Option<HistoryCommand>,
    },
    /// Snapshot, run a command, and roll the collection back when it fails.
    Guard(GuardArgs),
    /// Compare two collections: shape, counts, and points by a sample or all of them.
    Compare(CompareArgs),
    /// Tell what is in a snapshot, without a server and without the whole download.
    Inspect(InspectArgs),
    /// Show or check the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write the completions of a shell to standard output.
    Completions {
        /// Which.
        shell: Shell,
    },
    /// Write man pages: one of qsnap, and one of each command.
    Man {
        /// Folder; it is made where it is missing.
        #[arg(long, value_name = "FOLDER")]
        to: PathBuf,
    },
}

/// Work with snapshots.
#[derive(Debug, Subcommand)]
pub enum Snapshots {
    /// List the snapshots of collections (INSTANCE/COLLECTION), or all of an instance, those of its full storage too (INSTANCE).
    List {
        /// Addresses.
        #[arg(required = true)]
        addresses: Vec<String>,
    },
    /// Take a snapshot of each collection, or with --storage one of a whole instance.
    Create {
        /// Addresses of collections; with --storage names of instances.
        #[arg(required = true)]
        addresses: Vec<String>,
        /// One snapshot of all collections and aliases of the instance.
        #[arg(long)]
        storage: bool,
    },
    /// Download snapshots.
    Download {
        /// Addresses of snapshots; @latest for the newest.
        #[arg(required = true)]
        addresses: Vec<String>,
        /// Folder, or file when there is one address.
        #[arg(long, default_value = ".", value_name = "PATH")]
        to: PathBuf,
        /// Replace files that exist.
        #[arg(long)]
        overwrite: bool,
    },
    /// Upload a local file and restore it: Qdrant does both in one.
    Upload {
        /// The file.
        file: PathBuf,
        /// Where to.
        #[arg(long, value_name = "INSTANCE/COLLECTION")]
        to: String,
        /// Where it goes: to a free name, beside the existing collection, or over it.
        #[arg(long, value_enum, default_value = "auto")]
        mode: ModeArg,
        /// What is left out, and how far it is compared.
        #[command(flatten)]
        care: CareArgs,
    },
    /// Delete snapshots.
    Delete {
        /// Addresses of snapshots.
        #[arg(required = true)]
        addresses: Vec<String>,
    },
}

/// Restore.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// INSTANCE/COLLECTION/SNAPSHOT, INSTANCE/COLLECTION@latest, a backup (REPOSITORY:INSTANCE/COLLECTION@ID or @latest), or a
    /// local file; one collection of a full snapshot is INSTANCE@SNAPSHOT#COLLECTION or FILE#COLLECTION. With --all a full
    /// snapshot (INSTANCE@SNAPSHOT, INSTANCE@latest or a file), or the backups of one run (REPOSITORY:INSTANCE@RUN or @latest).
    pub point: String,
    /// Where to: INSTANCE/COLLECTION; with --all INSTANCE.
    #[arg(long, value_name = "WHERE")]
    pub to: String,
    /// All collections of a full snapshot, or of the backups of one run; aliases are put back where their names are free.
    #[arg(long)]
    pub all: bool,
    /// What the names become.
    #[command(flatten)]
    pub names: NamesArgs,
    /// Where it goes: to a free name, beside the existing collection, or over it.
    #[arg(long, value_enum, default_value = "auto")]
    pub mode: ModeArg,
    /// Name of the collection of a side-by-side restore; without it one is made up.
    #[arg(long, value_name = "NAME")]
    pub beside: Option<String>,
    /// How the bytes go.
    #[arg(long, value_enum, default_value = "auto")]
    pub route: RouteArg,
    /// Make so many replicas of each shard, where the collection is made shard by shard.
    #[arg(long, value_name = "N")]
    pub replicas: Option<NonZeroU32>,
    /// What is left out, and how far it is compared.
    #[command(flatten)]
    pub care: CareArgs,
}

/// What names become, where there are several.
#[derive(Debug, Clone, Args)]
pub struct NamesArgs {
    /// Prefix of every new name.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    pub prefix: String,
    /// Suffix of every new name.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    pub suffix: String,
    /// Give one of several another name.
    #[arg(long, value_name = "OLD=NEW")]
    pub rename: Vec<String>,
}

/// How careful an operation is that may overwrite something.
#[derive(Debug, Clone, Args)]
pub struct CareArgs {
    /// Leave out a step of an overwrite: the safety snapshot, or the proof restore to a scratch name.
    #[arg(long, value_enum, value_name = "STEP")]
    pub skip: Vec<SkipArg>,
    /// Overrule a check that blocks: version, rights or proof.
    #[arg(long, value_name = "CHECK")]
    pub force: Vec<String>,
    /// Compare every point afterwards, not a sample, where there is something to compare with.
    #[arg(long)]
    pub deep: bool,
}

/// A step that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SkipArg {
    /// No snapshot of what is overwritten: no way back.
    Safety,
    /// No restore to a scratch name first: damage shows only after the live data is gone.
    Proof,
}

/// Guard.
#[derive(Debug, Args)]
pub struct GuardArgs {
    /// INSTANCE/COLLECTION.
    pub address: String,
    /// A shell command that must succeed afterwards, too.
    #[arg(long, value_name = "COMMAND")]
    pub check: Option<String>,
    /// Delete the snapshot when the command succeeded; else it is kept.
    #[arg(long)]
    pub forget: bool,
    /// Leave out a step of the rollback, if it comes to that.
    #[arg(long, value_enum, value_name = "STEP")]
    pub skip: Vec<SkipArg>,
    /// The command and its arguments.
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Point an alias elsewhere.
#[derive(Debug, Args)]
pub struct AliasArgs {
    /// INSTANCE/ALIAS.
    pub alias: String,
    /// The collection it is to point at, on the same instance.
    pub collection: String,
    /// Only while the alias points at nothing.
    #[arg(long)]
    pub if_free: bool,
}

/// Bring back a deleted collection.
#[derive(Debug, Args)]
pub struct ReviveArgs {
    /// INSTANCE/COLLECTION.
    pub address: String,
    /// Which snapshot: a name from the list, or `latest`. Without it the snapshots are only listed; that needs --yes too, because
    /// an empty collection of that name is made for a moment.
    #[arg(long, value_name = "SNAPSHOT")]
    pub from: Option<String>,
}

/// What was done.
#[derive(Debug, Subcommand)]
pub enum HistoryCommand {
    /// Everything about one operation, fit for an incident review.
    Show {
        /// Its id, the beginning of it, or `last`.
        id: String,
        /// As Markdown.
        #[arg(long)]
        markdown: bool,
    },
    /// Continue an operation that broke off.
    Continue {
        /// Its id.
        id: String,
    },
    /// Restore what was there before an operation that broke off.
    RollBack {
        /// Its id.
        id: String,
    },
    /// Remove what an operation left behind.
    CleanUp {
        /// Its id.
        id: String,
    },
}

/// Copy.
#[derive(Debug, Args)]
pub struct CopyArgs {
    /// What is copied, and then where to: INSTANCE/COLLECTION and INSTANCE or INSTANCE/COLLECTION; several collections and
    /// INSTANCE; with --all two INSTANCEs.
    #[arg(required = true, num_args = 2.., value_names = ["SOURCE", "TARGET"])]
    pub addresses: Vec<String>,
    /// All collections of the instance.
    #[arg(long)]
    pub all: bool,
    /// What the names become.
    #[command(flatten)]
    pub names: NamesArgs,
    /// How the bytes go.
    #[arg(long, value_enum, default_value = "auto")]
    pub route: RouteArg,
    /// Make so many replicas of each shard, where the collection is copied shard by shard.
    #[arg(long, value_name = "N")]
    pub replicas: Option<NonZeroU32>,
    /// What is left out, and how far it is compared.
    #[command(flatten)]
    pub care: CareArgs,
    /// Carry the aliases too, where their names are free on the target.
    #[arg(long)]
    pub aliases: bool,
}

/// Where a restore may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// To the name where it is free, else beside what has it.
    Auto,
    /// Only to a free name.
    New,
    /// Under a name beside it; the existing collection is not touched. Ends in a choice: switch an alias, keep both, delete.
    SideBySide,
    /// Over the existing collection, after a safety snapshot and a proof restore; rolled back when it fails.
    InPlace,
}

/// How the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RouteArg {
    /// The best that works.
    Auto,
    /// The target fetches from the source.
    Url,
    /// Through qsnap, without a file.
    Stream,
    /// From a local file.
    Upload,
}

/// The sandbox.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Key with all rights.
    #[arg(long, value_name = "KEY")]
    pub api_key: Option<String>,
    /// Key that may only read.
    #[arg(long, value_name = "KEY")]
    pub read_only_api_key: Option<String>,
    /// Key with all rights to one collection, as a JWT may have.
    #[arg(long, value_name = "KEY:COLLECTION", value_parser = pair)]
    pub collection_key: Option<(String, String)>,
    /// Nodes of the cluster.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub nodes: u8,
    /// Points in the collection `products`; 0 for an empty server.
    #[arg(long, default_value_t = 1000)]
    pub points: u64,
    /// One more collection, `big`, whose snapshot has that size.
    #[arg(long, value_name = "SIZE", value_parser = crate::domain::size::parse)]
    pub snapshot_size: Option<u64>,
    /// Bytes per second and connection.
    #[arg(long, value_name = "SIZE", value_parser = crate::domain::size::parse)]
    pub rate: Option<u64>,
    /// Faults, such as `download:reset=1MB*1,any:delay=50ms`.
    ///
    /// Each is ROUTE:KIND[=VALUE][@AFTER][*TIMES]: AFTER requests pass, then TIMES are met.
    /// Routes: any, root, list, create, download, upload, recover, points.
    /// Kinds: delay, throttle, reset, truncate, stall, status, page (HTML of a proxy), retry-after (429),
    /// largest (a larger answer becomes 502), chunked (no length), wants-body (refuse a POST without one),
    /// wrong-checksum, ignore-range, vanish, replace, break.
    #[arg(long, value_name = "SPEC", default_value = "", verbatim_doc_comment)]
    pub faults: String,
    /// Strict mode of every new collection, such as `{"enabled":true,"max_query_limit":20}`.
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    pub strict_mode: Option<serde_json::Value>,
    /// Ask for a user and a password, as a proxy does.
    #[arg(long, value_name = "USER:PASSWORD", value_parser = pair)]
    pub basic_auth: Option<(String, String)>,
    /// Ask for a header, as a proxy does.
    #[arg(long, value_name = "NAME:VALUE", value_parser = pair)]
    pub require_header: Option<(String, String)>,
    /// Refuse `recover` from http(s) locations.
    #[arg(long)]
    pub no_url_recovery: bool,
}

fn json_object(text: &str) -> Result<serde_json::Value, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if value.is_object() { Ok(value) } else { Err("not a JSON object".into()) }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (first, second) = text.split_once(':').ok_or("there is no colon")?;
    Ok((first.trim().to_owned(), second.trim().to_owned()))
}

/// The configuration.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigCommand {
    /// Print where the configuration file is, or would be.
    Path,
    /// Write an example configuration where there is none.
    Init,
    /// Print instances and repositories as they were understood, and where their values came from; secrets masked.
    Show,
    /// Check the file, fetch the keys, ask every node.
    Check,
}
