//! A key for one collection: the sandbox's against a JWT of a real server.

use crate::pair::{Pair, request};
use crate::support::Cli;
use qsnap::sandbox::options::SandboxOptions;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const KEY: &str = "a key of thirty-two bytes or more";

/// A JWT, signed with HMAC-SHA256.
fn jwt(claims: &Value) -> String {
    let text = format!("{}.{}", base64url(br#"{"alg":"HS256","typ":"JWT"}"#), base64url(claims.to_string().as_bytes()));
    let pad = |with: u8| {
        let key = KEY.bytes().chain(std::iter::repeat(0)).take(64);
        key.map(|byte| byte ^ with).collect::<Vec<u8>>()
    };
    let inner = Sha256::digest([pad(0x36).as_slice(), text.as_bytes()].concat());
    let outer = Sha256::digest([pad(0x5c).as_slice(), inner.as_slice()].concat());
    format!("{text}.{}", base64url(&outer))
}

fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let letters = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let each = (0..=chunk.len()).map(move |at| char::from(LETTERS[(bits >> (18 - 6 * at)) as usize & 63]));
        each.collect::<String>()
    };
    bytes.chunks(3).map(letters).collect()
}

/// Both servers, and a key that may write to `alpha` only.
async fn pair_with_a_key_for_alpha() -> (Pair, String) {
    let token = jwt(&json!({"access": [{"collection": "alpha", "access": "rw"}]}));
    let options = SandboxOptions {
        api_key: Some(KEY.into()),
        collection_key: Some((token.clone(), "alpha".into())),
        ..SandboxOptions::default()
    };
    let pair = Pair::with(options, &[("QDRANT__SERVICE__JWT_RBAC", "true")]).await;
    (pair, token)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_one_collection_reaches_no_other() {
    let (pair, token) = pair_with_a_key_for_alpha().await;
    for name in ["alpha", "beta"] {
        pair.fill(name).await;
        let action = json!({"create_alias": {"collection_name": name, "alias_name": format!("{name}-live")}});
        pair.ask(200, "POST", "/collections/aliases", json!({"actions": [action]})).await;
    }
    let recover = json!({"location": "qsnap:nothing"});
    for (status, method, path, body) in [
        (200, "GET", "/collections/alpha", Value::Null),
        (200, "GET", "/collections/alpha/exists", Value::Null),
        (200, "GET", "/collections/alpha/cluster", Value::Null),
        (200, "POST", "/collections/alpha/points/count", json!({})),
        (200, "POST", "/collections/alpha/points/delete?wait=true", json!({"points": [1]})),
        (200, "DELETE", "/collections/alpha/index/city?wait=true", Value::Null),
        (200, "POST", "/collections/alpha/snapshots", json!({})),
        (200, "POST", "/collections/alpha/shards/0/snapshots", json!({})),
        (200, "GET", "/telemetry", Value::Null),
        (200, "GET", "/", Value::Null),
        (403, "PATCH", "/collections/alpha", json!({})),
        (403, "DELETE", "/collections/alpha", Value::Null),
        (403, "PUT", "/collections/new", json!({"vectors": {"size": 4, "distance": "Dot"}})),
        (403, "PUT", "/collections/alpha/snapshots/recover", recover.clone()),
        (403, "PUT", "/collections/new/snapshots/recover", recover.clone()),
        (403, "PUT", "/collections/alpha/shards/0/snapshots/recover", recover),
        (403, "GET", "/collections/alpha/shards/0/snapshot/partial/manifest", Value::Null),
        (403, "PUT", "/collections/alpha/shards", json!({"shard_key": "a"})),
        (403, "POST", "/collections/aliases", json!({"actions": []})),
        (403, "GET", "/cluster", Value::Null),
        (403, "GET", "/snapshots", Value::Null),
        (403, "POST", "/snapshots", json!({})),
        (403, "GET", "/collections/beta", Value::Null),
        (403, "GET", "/collections/beta/exists", Value::Null),
        (403, "GET", "/collections/alpha-live", Value::Null),
        (403, "POST", "/collections/beta/snapshots", json!({})),
        (403, "GET", "/collections/beta/snapshots/x.snapshot", Value::Null),
        (403, "GET", "/collections/beta/shards/0/snapshot", Value::Null),
    ] {
        pair.ask_as(Some(&token), status, method, path, body).await;
    }
    for (path, expected) in [
        ("/collections", json!({"collections": [{"name": "alpha"}]})),
        ("/aliases", json!({"aliases": []})),
        ("/collections/alpha/aliases", json!({"aliases": []})),
    ] {
        for server in pair.servers() {
            assert_eq!(request(server, Some(&token), "GET", path, &Value::Null).await.body["result"], expected, "{path}");
        }
    }
}

/// H4: who may write to a collection may not restore it. Guard says so before the command runs, and a restore before a byte
/// moves.
#[tokio::test(flavor = "multi_thread")]
async fn guard_does_not_run_what_it_could_not_roll_back() {
    let (pair, token) = pair_with_a_key_for_alpha().await;
    pair.fill("alpha").await;
    for server in std::iter::once(&pair.sandbox).chain(&pair.real) {
        let cli = Cli::new(&format!("[instances.a]\nurl = '{}'\napi-key = '{token}'\n", server.url()));
        let guarded = cli.run(&["guard", "a/alpha", "--yes", "--confirm", "a/alpha", "--", "touch", "ran"]).await;
        assert!(guarded.code == 7 && !cli.path("ran").exists(), "{guarded:?}");
        assert!(
            guarded.stderr.contains("it could not be rolled back") && guarded.stderr.contains("manage rights"),
            "{guarded:?}"
        );
        let over = ["restore", "a/alpha@latest", "--to", "a/alpha", "--mode", "in-place", "--yes", "--confirm", "a/alpha"];
        let refused = cli.run(&over).await;
        assert!(refused.code == 7 && !refused.stderr.contains("scratch"), "nothing was made: {refused:?}");
        let history = cli.run(&["history", "--output", "json"]).await.json();
        assert!(history["items"].as_array().unwrap().iter().all(|past| past["open"] == false), "{history}");
    }
}
