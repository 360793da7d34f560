//! What is known, by reading only: of instances and nodes, of collections and recovery points, before anything is planned.
//! Nothing here changes a server. Whether data is right is for [`crate::ops::proof`]. Read [`source`] and [`target`] first:
//! they gather what a restore is planned from. [`placement`] answers "which node".

pub(in crate::ops) mod backup_files;
pub mod backups;
pub(in crate::ops) mod contents;
pub(in crate::ops) mod first_route;
pub(in crate::ops) mod increments;
pub mod inspect;
pub mod listing;
pub(in crate::ops) mod live_shards;
pub mod locate;
pub mod membership;
pub(in crate::ops) mod open_operations;
pub(in crate::ops) mod origin;
pub(in crate::ops) mod placement;
pub mod remembered;
pub(in crate::ops) mod shard_backup;
pub mod shard_map;
pub(in crate::ops) mod shard_replicas;
pub(in crate::ops) mod source;
pub(in crate::ops) mod storage;
pub(in crate::ops) mod target;
pub mod watch;
