//! The rules about backups, pure: which ones stay ([`keep`]), and which collections are late ([`freshness`]). Nothing here reads a
//! clock or a store; what the rules decide is carried out in `verbs`.

pub mod freshness;
pub mod keep;
