//! Bodies of requests.

use crate::sandbox::answer::Refusal;
use axum::body::Bytes;

/// Parses a body as the server would, in words near to its own.
pub(super) fn body_of<T: serde::de::DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::new(400, format!("Format error in JSON body: {error}")))
}
