//! Values that must never be seen: keys, and addresses that may carry them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt;
use url::Url;

/// A key. `Debug` and `Display` never show it; it is deliberately not serialisable.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a key.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The key itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// An http(s) address whose `Display` and `Debug` leave out user info, query and fragment: these may
/// be secrets (a presigned URL is one).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SafeUrl {
    url: Url,
    /// It was written without a port, and http then has two usual ones.
    no_port: bool,
}

/// Everything but what never means anything in an address (RFC 3986, 2.3).
const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl SafeUrl {
    /// Reads the base address of a node. The path may have a prefix; query and fragment are refused.
    pub fn parse_node(text: &str) -> Result<Self, String> {
        let shown = crate::domain::text::one_line(text, 120);
        let complaint = |why: &str| {
            let shown = if shown.contains('@') || shown.contains('?') { "the URL".to_owned() } else { format!("`{shown}`") };
            format!("{shown} {why}; write for example http://localhost:6333")
        };
        let url = Url::parse(text.trim()).map_err(|error| complaint(&format!("is not a URL ({error})")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(complaint("is neither http nor https"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(complaint("names no host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(complaint("carries a user or password; give the key with api-key-env, api-key-file or api-key-command"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(complaint("has a query or fragment"));
        }
        // The parser drops a port that is the scheme's own, so that the text tells whether one was written.
        let no_port = url.scheme() == "http" && url.port().is_none() && !names_port(text.trim());
        Ok(Self { url, no_port })
    }

    /// Wraps any URL.
    pub fn new(url: Url) -> Self {
        Self { url, no_port: false }
    }

    /// Whether this is a node's http address that was written without a port: 80 for browsers, 6333 for Qdrant's clients.
    pub fn names_no_port(&self) -> bool {
        self.no_port
    }

    /// The address with this port.
    pub fn with_port(&self, port: u16) -> Self {
        let mut url = self.url.clone();
        // Fails only for addresses without a host, and a node's address has one.
        let _ = url.set_port(Some(port));
        Self::new(url)
    }

    /// The URL with everything in it, for the one place that sends it.
    pub fn expose(&self) -> &Url {
        &self.url
    }

    /// This address with path segments appended, each one percent-encoded here: a parser of addresses drops line breaks and
    /// tabs, and what is left of a name may be the name of something else. `.` and `..` mean folders in every spelling; they
    /// become a name that hardly anything has.
    pub fn join(&self, segments: &[&str]) -> Self {
        let mut url = self.url.clone();
        let mut path = url.path().trim_end_matches('/').to_owned();
        for segment in segments {
            path.push('/');
            match *segment {
                "." => path.push_str("%252E"),
                ".." => path.push_str("%252E%252E"),
                name => path.extend(utf8_percent_encode(name, NOT_UNRESERVED)),
            }
        }
        url.set_path(&path);
        Self::new(url)
    }

    /// Whether the address lies on the server, and below the path, of `base`: what is meant for that one may be sent to it.
    pub fn is_below(&self, base: &Self) -> bool {
        let (path, prefix) = (self.url.path(), base.url.path().trim_end_matches('/'));
        let below = path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        below && self.url.origin() == base.url.origin()
    }

    /// Whether both are on the same host, by whichever port.
    pub fn same_host(&self, other: &Self) -> bool {
        self.url.host() == other.url.host()
    }

    /// Whether the address names this machine itself.
    pub fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

/// Whether a port is written behind the host.
fn names_port(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#', '\\']).next().unwrap_or(rest);
    // The colons of an IPv6 address are inside brackets.
    let behind = host.rsplit(']').next().unwrap_or(host);
    behind.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty())
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.url.clone();
        let had_query = shown.query().is_some();
        shown.set_query(None);
        shown.set_fragment(None);
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        let text = shown.as_str();
        let text = if shown.path() == "/" { text.trim_end_matches('/') } else { text };
        f.write_str(&crate::domain::text::sanitise(text))?;
        if had_query { f.write_str("?…") } else { Ok(()) }
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SafeUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let secret = Secret::new("hunter2");
        assert!(!format!("{secret:?} {secret}").contains("hunter2"));
        let url = SafeUrl::new(Url::parse("https://u:hunter2@h/x?sig=hunter2").unwrap());
        assert_eq!(format!("{url}"), "https://h/x?…");
        assert!(!format!("{url:?}").contains("hunter2"));
    }

    #[test]
    fn node_addresses_are_checked_without_leaking() {
        assert_eq!(SafeUrl::parse_node("http://localhost:6333").unwrap().to_string(), "http://localhost:6333");
        for bad in ["localhost:6333", "ftp://h", "http://", "http://h?x=1", "nonsense"] {
            assert!(SafeUrl::parse_node(bad).is_err(), "{bad}");
        }
        let error = SafeUrl::parse_node("http://me:hunter2@h").unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_port_that_was_left_out_is_told_from_the_usual_one() {
        for (text, left_out) in [
            ("http://localhost", true),
            ("http://localhost/prefix:1", true),
            ("http://[::1]", true),
            ("http://localhost:", true),
            ("http://localhost:80", false),
            ("http://[::1]:80/x", false),
            ("http://localhost:6333", false),
            ("https://localhost", false),
        ] {
            assert_eq!(SafeUrl::parse_node(text).unwrap().names_no_port(), left_out, "{text}");
        }
        let url = SafeUrl::parse_node("http://localhost/x").unwrap();
        assert_eq!(url.with_port(6333).to_string(), "http://localhost:6333/x");
    }

    #[test]
    fn secrets_go_below_an_address_and_nowhere_else() {
        let base = SafeUrl::parse_node("https://h/qdrant").unwrap();
        for (url, below) in [
            ("https://h/qdrant/snapshots/x", true),
            ("https://h/qdrant", true),
            ("https://h/qdrant-other/x", false),
            ("https://h/other", false),
            ("https://h:8443/qdrant/x", false),
            ("http://h/qdrant/x", false),
            ("https://h.evil/qdrant/x", false),
        ] {
            assert_eq!(SafeUrl::new(Url::parse(url).unwrap()).is_below(&base), below, "{url}");
        }
    }

    #[test]
    fn names_are_encoded_into_the_path() {
        let base = SafeUrl::parse_node("http://h:1/prefix/").unwrap();
        let joined = base.join(&["collections", "a/../b?x#y", "snapshots"]);
        assert_eq!(joined.expose().as_str(), "http://h:1/prefix/collections/a%2F..%2Fb%3Fx%23y/snapshots");
        // What a parser would drop would make the name of a neighbour of it.
        for (name, encoded) in [
            ("n\nl", "n%0Al"),
            ("t\tu", "t%09u"),
            ("c\r", "c%0D"),
            (" x ", "%20x%20"),
            ("%0A", "%250A"),
            ("日", "%E6%97%A5"),
            (".", "%252E"),
            ("..", "%252E%252E"),
            ("%2E%2E", "%252E%252E"),
            ("a\\b", "a%5Cb"),
        ] {
            let joined = base.join(&["collections", name, "x"]);
            assert_eq!(joined.expose().as_str(), format!("http://h:1/prefix/collections/{encoded}/x"), "{name:?}");
        }
    }
}
