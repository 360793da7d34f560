//! The one integration binary.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::too_many_lines, unreachable_pub, reason = "tests")]

mod archive;
mod assets;
mod backup_kills;
mod backups;
mod bad_input;
mod care;
mod claims;
mod cluster_copy;
mod cluster_faults;
mod compare;
mod conformance;
mod dead_node;
mod exchanges;
mod fleet;
mod flows;
mod front;
mod full_storage;
mod gate;
mod guard;
mod increments;
mod inspect;
mod keyed;
mod killed;
mod layers;
mod limits;
mod line;
mod manual;
#[path = "../bench/measure.rs"]
mod measure;
mod membership;
mod memory;
mod moments;
mod mutations;
mod nodes;
mod package;
mod pair;
mod proxies;
mod proxy;
mod pty;
mod put_back;
mod recovery;
mod repository;
mod s3_server;
mod scoped;
mod settings;
mod shapes;
mod shards;
mod strict;
mod support;
mod tls;
mod transfers;
