//! L2: bytes from a source to a sink, hashed and counted on the way, in constant memory.

pub mod landing;
pub mod meter;
pub mod stream;
