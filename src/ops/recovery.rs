//! What restoring verbs are made of: taking a snapshot, delivering it to a server, waiting for that server, and overwriting a
//! collection so that it cannot get worse. These change servers; which of them run, and in which order, is for the verbs.
//! Read [`overwrite`] first: it has the picture.

pub(in crate::ops) mod aliases;
pub(in crate::ops) mod await_server;
pub(in crate::ops) mod deliver;
pub(in crate::ops) mod deliver_shards;
pub(in crate::ops) mod delivered;
pub(in crate::ops) mod destination;
pub(in crate::ops) mod meant;
pub(in crate::ops) mod optimizer;
pub(in crate::ops) mod overwrite;
pub(in crate::ops) mod overwrite_plan;
pub(in crate::ops) mod put_back;
pub(in crate::ops) mod records;
pub(in crate::ops) mod restore_into;
pub(in crate::ops) mod rollback;
pub(in crate::ops) mod scratch;
pub(in crate::ops) mod shard_begin;
mod shard_into;
pub(in crate::ops) mod shard_keys;
pub(in crate::ops) mod shard_stream;
pub(in crate::ops) mod take;
pub(in crate::ops) mod unfinished;
