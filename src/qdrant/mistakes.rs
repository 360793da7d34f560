//! Addresses that are nearly right: another port, another scheme, a page instead of the root. What was meant, in plain words.

use crate::domain::secret::SafeUrl;
use crate::qdrant::tls::Said;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The port on which Qdrant speaks gRPC, and the one for REST.
const GRPC: u16 = 6334;
const REST: u16 = 6333;

/// How long a server may take to show what it speaks.
const PATIENCE: Duration = Duration::from_secs(2);

/// The one of them that has further ones below it.
const COLLECTIONS: &str = "collections";

/// First segments of paths below the root of a Qdrant. A proxy's prefix hardly ends in one of them.
const PAGES: &[&str] =
    &["dashboard", COLLECTIONS, "aliases", "cluster", "snapshots", "telemetry", "metrics", "healthz", "livez", "readyz"];

/// What a server speaks that does not answer to http.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::qdrant) enum Speaks {
    /// TLS: the address should begin with https.
    Tls,
    /// HTTP/2 without TLS, which is gRPC.
    Grpc,
}

/// The same address with another scheme, port or path, as it would be written.
fn rewritten(url: &SafeUrl, change: impl FnOnce(&mut url::Url)) -> String {
    let mut other = url.expose().clone();
    change(&mut other);
    SafeUrl::new(other).to_string()
}

/// The address with http instead of https.
pub(in crate::qdrant) fn as_http(url: &SafeUrl) -> String {
    with_scheme(url, "http")
}

fn with_scheme(url: &SafeUrl, scheme: &str) -> String {
    // A port that was left out stays the same one: without it another scheme would mean another port.
    let port = url.expose().port_or_known_default();
    rewritten(url, |other| {
        let _ = other.set_scheme(scheme);
        let _ = other.set_port(port);
    })
}

/// The path leads to a page of the server instead of its root.
pub(in crate::qdrant) fn of_path(url: &SafeUrl) -> Option<Said> {
    let segments: Vec<&str> = url.expose().path_segments()?.filter(|segment| !segment.is_empty()).collect();
    // A proxy may well have `/cluster/qdrant`: only the end tells, and what lies below `collections`.
    let last = segments.len().checked_sub(1)?;
    let page = segments
        .iter()
        .enumerate()
        .position(|(index, segment)| *segment == COLLECTIONS || index == last && PAGES.contains(segment))?;
    let root = segments[..page].join("/");
    let right = rewritten(url, |other| other.set_path(&root));
    let path = segments[page..].join("/");
    Some(Said {
        message: format!("/{path} is a page of the server, not its address"),
        advice: format!("write {right} in the configuration, without /{path}"),
    })
}

/// The port for gRPC was given.
pub(in crate::qdrant) fn of_port(url: &SafeUrl) -> Option<Said> {
    (url.expose().port() == Some(GRPC)).then(|| Said {
        message: format!("port {GRPC} is Qdrant's port for gRPC, not for REST"),
        advice: format!("write {} in the configuration", rewritten(url, |other| _ = other.set_port(Some(REST)))),
    })
}

/// Whether a 404 can come from such a path: Qdrant says what is not found, and only below `collections` can that be a part
/// of the path taken for a name.
pub(in crate::qdrant) fn is_of_path(url: &SafeUrl, body: &str) -> bool {
    let in_qdrants_words = body.trim_start().starts_with('{') && body.contains("\"status\"");
    !in_qdrants_words || url.expose().path_segments().is_some_and(|mut segments| segments.any(|segment| segment == COLLECTIONS))
}

/// A proxy or server says itself that TLS is wanted.
pub(in crate::qdrant) fn of_body(url: &SafeUrl, body: &str) -> Option<Said> {
    let body = body.to_ascii_lowercase();
    let wants_tls = ["plain http request was sent to https port", "client sent an http request to an https server"];
    wants_tls.iter().any(|words| body.contains(words)).then(|| of_protocol(url, Speaks::Tls))
}

/// What was given, and what the server speaks.
pub(in crate::qdrant) fn of_protocol(url: &SafeUrl, speaks: Speaks) -> Said {
    match speaks {
        Speaks::Tls => Said {
            message: "the server speaks https, not http".into(),
            advice: format!("write {} in the configuration", with_scheme(url, "https")),
        },
        Speaks::Grpc => of_port(url).unwrap_or_else(|| Said {
            message: "the server speaks gRPC on this port, not REST".into(),
            advice: format!("write the port for REST: {REST}, unless it was changed"),
        }),
    }
}

/// Asks the port once more, without any secret, and looks at the first bytes.
pub(in crate::qdrant) async fn probe(url: &SafeUrl) -> Option<Speaks> {
    let parsed = url.expose();
    if parsed.scheme() != "http" {
        return None;
    }
    let host = parsed.host_str()?.trim_start_matches('[').trim_end_matches(']');
    let port = parsed.port_or_known_default()?;
    let asked = async {
        let mut stream = TcpStream::connect((host, port)).await.ok()?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: qsnap\r\nconnection: close\r\n\r\n").await.ok()?;
        let mut start = [0; 4];
        stream.read_exact(&mut start).await.ok()?;
        speaks(start)
    };
    tokio::time::timeout(PATIENCE, asked).await.ok().flatten()
}

/// What the first bytes of an answer show.
fn speaks(start: [u8; 4]) -> Option<Speaks> {
    match start {
        // An alert or a handshake record of TLS 1.x.
        [0x15 | 0x16, 3, ..] => Some(Speaks::Tls),
        // The SETTINGS frame that every HTTP/2 server begins with.
        [0, _, _, 4] => Some(Speaks::Grpc),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> SafeUrl {
        SafeUrl::parse_node(text).unwrap()
    }

    #[test]
    fn pages_are_told_from_prefixes() {
        for (given, right) in [
            ("http://h:6333/dashboard", "http://h:6333"),
            ("http://h:6333/dashboard/", "http://h:6333"),
            ("https://h/qdrant/collections/x", "https://h/qdrant"),
        ] {
            let said = of_path(&url(given)).unwrap();
            assert!(said.advice.contains(&format!("write {right} in")), "{said:?}");
        }
        assert_eq!(of_path(&url("http://h:6333")), None);
        assert_eq!(of_path(&url("https://h/my-dashboard")), None);
        assert_eq!(of_path(&url("https://h/cluster/qdrant")), None);
    }

    #[test]
    fn the_right_address_is_written_out() {
        assert!(of_port(&url("http://h:6334")).unwrap().advice.contains("http://h:6333"));
        assert_eq!(of_port(&url("http://h:6333")), None);
        assert_eq!(as_http(&url("https://h:6333/x")), "http://h:6333/x");
        assert_eq!(as_http(&url("https://h")), "http://h:443");
        assert!(of_protocol(&url("http://h:7000"), Speaks::Tls).advice.contains("https://h:7000"));
        assert!(of_body(&url("http://h:1"), "<center>The plain HTTP request was sent to HTTPS port</center>").is_some());
    }

    #[test]
    fn first_bytes_tell_what_is_spoken() {
        assert_eq!(speaks([0x15, 3, 3, 0]), Some(Speaks::Tls));
        // What 1.16.3 sends on its port for gRPC.
        assert_eq!(speaks([0, 0, 0x12, 4]), Some(Speaks::Grpc));
        assert_eq!(speaks(*b"HTTP"), None);
    }
}
