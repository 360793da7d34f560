//! Paths to handlers, and what every request passes first: the proxy with its faults, then the key check.

use crate::sandbox::answer::{Answer, build};
use crate::sandbox::world::{Node, World};
use crate::sandbox::{access, collections, indexes, points, proxy, reads, shards, snapshots};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};
use std::sync::Arc;

/// All routes of one node.
pub(super) fn router(world: Arc<World>, index: usize) -> Router {
    let node = Node { world, index };
    Router::new()
        .route("/", get(collections::root))
        .route("/healthz", get(|| async { text_ok("healthz check passed") }))
        .route("/livez", get(|| async { text_ok("healthz check passed") }))
        .route("/readyz", get(|| async { text_ok("all shards are ready") }))
        .route("/telemetry", get(collections::telemetry))
        .route("/cluster", get(collections::cluster))
        .route("/aliases", get(collections::aliases))
        .route("/collections", get(collections::list))
        .route("/collections/aliases", post(collections::update_aliases))
        .route(
            "/collections/{c}",
            get(collections::info).put(collections::create).patch(collections::change).delete(collections::delete),
        )
        .route("/collections/{c}/exists", get(collections::exists))
        .route("/collections/{c}/cluster", get(collections::collection_cluster))
        .route("/collections/{c}/aliases", get(collections::aliases_of))
        .route("/collections/{c}/optimizations", get(collections::optimizations))
        .route("/collections/{c}/shards", put(collections::create_shard_key))
        .route("/collections/{c}/index", put(indexes::create))
        .route("/collections/{c}/index/{field}", delete(indexes::delete))
        .route("/collections/{c}/points", put(points::upsert).post(reads::retrieve))
        .route("/collections/{c}/points/count", post(reads::count))
        .route("/collections/{c}/points/scroll", post(reads::scroll))
        .route("/collections/{c}/points/query", post(reads::query))
        .route("/collections/{c}/points/delete", post(points::delete))
        .route("/collections/{c}/points/payload", post(points::set_payload))
        .route("/collections/{c}/snapshots", get(snapshots::list).post(snapshots::create))
        .route("/collections/{c}/snapshots/upload", post(snapshots::upload))
        .route("/collections/{c}/snapshots/recover", put(snapshots::recover))
        .route("/collections/{c}/snapshots/{name}", get(snapshots::download).delete(snapshots::delete))
        .route("/collections/{c}/shards/{s}/snapshots", get(shards::list).post(shards::create))
        .route("/collections/{c}/shards/{s}/snapshots/upload", post(shards::upload))
        .route("/collections/{c}/shards/{s}/snapshots/recover", put(shards::recover))
        .route("/collections/{c}/shards/{s}/snapshots/{name}", get(shards::download).delete(shards::delete))
        .route("/collections/{c}/shards/{s}/snapshot", get(shards::stream))
        .route("/collections/{c}/shards/{s}/snapshot/partial/manifest", get(shards::manifest))
        .route("/collections/{c}/shards/{s}/snapshot/partial/create", post(shards::partial))
        .route("/snapshots", get(snapshots::list_full).post(snapshots::create_full))
        .route("/snapshots/{name}", get(snapshots::download_full).delete(snapshots::delete_full))
        .fallback(|| async { build(StatusCode::NOT_FOUND, None, String::new()) })
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(node.clone(), access::check))
        .layer(from_fn_with_state(node.clone(), proxy::pass))
        .with_state(node)
}

/// A node that answers everything with the same failure.
pub(super) fn failing(words: String) -> Router {
    Router::new().fallback(move || async move { crate::sandbox::answer::Refusal::internal(words).json() })
}

fn text_ok(words: &str) -> Answer {
    crate::sandbox::answer::text(StatusCode::OK, words)
}
