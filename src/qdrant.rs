//! L1: the server. [`api::QdrantApi`] is what qsnap needs of one node; [`http::HttpNode`] speaks REST.
//!
//! Facts about the server's behaviour were measured on 1.16.3 and 1.18.3 unless a comment says otherwise.

pub(in crate::qdrant) mod answer;
pub mod any_node;
pub mod api;
pub(in crate::qdrant) mod client;
mod digest;
pub mod error;
pub mod http;
pub mod link;
pub(in crate::qdrant) mod mistakes;
pub mod port;
pub mod ranges;
pub(in crate::qdrant) mod refusal;
pub mod retry;
pub(in crate::qdrant) mod tls;
pub(in crate::qdrant) mod token;
pub mod wire;
