//! The commands that only read, as clap types.

use clap::Args;

/// Compare.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// INSTANCE/COLLECTION.
    pub first: String,
    /// INSTANCE/COLLECTION.
    pub second: String,
    /// Read every point of both, with payload and vectors.
    #[arg(long)]
    pub deep: bool,
}

/// Inspect.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// INSTANCE/COLLECTION/SNAPSHOT, INSTANCE/COLLECTION@latest, a local file, an http(s) link such as a presigned one,
    /// or - for standard input.
    pub point: String,
    /// List everything in it with sizes. Reads all headers, by ranges where it is remote.
    #[arg(long)]
    pub tree: bool,
    /// Check that it is whole: every shard, every segment, every file that a restore needs.
    #[arg(long)]
    pub check: bool,
    /// Read every byte too, and compare the sha256 with the listed one. Implies --check.
    #[arg(long)]
    pub checksum: bool,
    /// Show what is different in another one: configuration, schema, sizes, shards.
    #[arg(long, value_name = "POINT")]
    pub diff: Option<String>,
}
