//! Is the data right? Samples that are recorded when a snapshot is taken, and compared after a restore; comparisons of whole
//! collections. A difference is only what was read and differs: [`unread`] tells damage from what could not be asked.
//! Nothing here changes a server. Read [`verify`] first.

pub mod compare;
pub(in crate::ops) mod sample;
pub(in crate::ops) mod scan;
pub(in crate::ops) mod unread;
pub mod verify;
pub(in crate::ops) mod writes;
