//! An http address without a port. Qdrant's own clients mean 6333 by it, browsers 80: whichever has a Qdrant is taken.

use crate::domain::access::Access;
use crate::domain::instance::Instance;
use crate::domain::problem::{Problem, ProblemKind};
use crate::domain::secret::SafeUrl;
use crate::qdrant::answer::root_cause;
use crate::qdrant::client;
use reqwest::Client;
use std::pin::pin;
use std::time::Duration;

/// The port of http, and Qdrant's.
const PORTS: [u16; 2] = [80, 6333];

/// How long a port may take to show that a Qdrant is there.
const PATIENCE: Duration = Duration::from_secs(3);

/// Largest answer that is looked at.
const MOST: usize = 4 << 10;

/// What is behind a port.
enum Behind {
    Qdrant,
    /// Something that speaks http.
    Other,
    /// Why nothing answered.
    Nothing(String),
}

/// The address to use for a node: as it was written, or with the port that has a Qdrant. Asks without any secret, so that
/// no key is sent to a port before a Qdrant is known to be there.
///
/// # Errors
/// When neither port has one. That is no answer for good: the server may come up later.
pub async fn settle(instance: &Instance, url: &SafeUrl) -> Result<SafeUrl, Problem> {
    // Configured headers mean a proxy, and the port of a proxy is 80.
    if !url.names_no_port() || instance.needs_headers {
        return Ok(url.clone());
    }
    settle_on(instance, url, PORTS).await
}

async fn settle_on(instance: &Instance, url: &SafeUrl, [first, second]: [u16; 2]) -> Result<SafeUrl, Problem> {
    let wrong = |message: String| Problem::new(ProblemKind::Usage, message, instance.name.as_str());
    let patience = instance.timeout.min(PATIENCE);
    let client = client::builder(url, &instance.tls, &Access::default()).map_err(wrong)?;
    let client = client.timeout(patience).connect_timeout(patience).build();
    let client = client.map_err(|error| wrong(format!("the HTTP client cannot be made: {}", root_cause(&error))))?;
    let (one, other) = (url.with_port(first), url.with_port(second));
    let (mut asked, mut asked_too) = (pin!(behind(&client, &one)), pin!(behind(&client, &other)));
    // The second is asked at the same time, but a firewall that swallows its packets must not delay the first.
    let (at_first, at_second) = tokio::select! {
        biased;
        at_first = &mut asked => match at_first {
            Behind::Qdrant => return Ok(one.clone()),
            at_first => (at_first, asked_too.await),
        },
        at_second = &mut asked_too => (asked.await, at_second),
    };
    let message = match (at_first, at_second) {
        (Behind::Qdrant, _) => return Ok(one.clone()),
        (_, Behind::Qdrant) => return Ok(other.clone()),
        (Behind::Nothing(why), Behind::Nothing(too)) if why == too => {
            format!("cannot connect: neither port {first} nor port {second} answers: {why}")
        }
        (Behind::Nothing(why), Behind::Nothing(too)) => {
            format!("cannot connect: port {first}: {why}; port {second}: {too}")
        }
        (Behind::Other, Behind::Nothing(too)) => {
            format!("port {first} answers, but not as a Qdrant, and port {second} does not answer: {too}")
        }
        (Behind::Nothing(why), Behind::Other) => {
            format!("port {second} answers, but not as a Qdrant, and port {first} does not answer: {why}")
        }
        (Behind::Other, Behind::Other) => format!("ports {first} and {second} answer, but not as a Qdrant"),
    };
    let place = format!("{} at {url}", instance.name);
    let usual = format!("the address names no port; write the right one, such as {other}, also if it is {first}");
    let advice = instance.if_unreachable.as_ref().map_or(usual.clone(), |more| format!("{usual}; {more}"));
    Err(Problem::new(ProblemKind::Unreachable, message, place).advise(advice))
}

/// A Qdrant says so at its root; where a proxy closes that, its health check has words of its own (1.16.3).
async fn behind(client: &Client, url: &SafeUrl) -> Behind {
    match ask(client, url.join(&[""])).await {
        Err(why) => Behind::Nothing(why),
        Ok(text) if is_root(&text) => Behind::Qdrant,
        Ok(_) => match ask(client, url.join(&["healthz"])).await {
            Ok(text) if text.trim() == "healthz check passed" => Behind::Qdrant,
            _ => Behind::Other,
        },
    }
}

/// Whether this is what a Qdrant says at its root.
fn is_root(text: &str) -> bool {
    let root: Option<serde_json::Value> = serde_json::from_str(text).ok();
    root.is_some_and(|root| root["title"].as_str().is_some_and(|title| title.contains("qdrant")))
}

async fn ask(client: &Client, url: SafeUrl) -> Result<String, String> {
    let mut response = client
        .get(url.expose().clone())
        .send()
        .await
        .map_err(|error| if error.is_timeout() { "no answer in time".to_owned() } else { root_cause(&error) })?;
    let mut body = Vec::new();
    while body.len() < MOST {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            _ => break,
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::InstanceName;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Answers every request with this body; gives the port.
    async fn server(body: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        };
        #[expect(clippy::disallowed_methods, reason = "a server of a test")]
        tokio::spawn(serve);
        port
    }

    #[tokio::test]
    async fn the_port_with_a_qdrant_is_taken_and_the_first_of_two() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = SafeUrl::parse_node("http://127.0.0.1/prefix").unwrap();
        let instance = Instance::new(InstanceName::new("a").unwrap(), vec![url.clone()]);
        let qdrant = server(r#"{"title":"qdrant - vector search engine","version":"1.16.3"}"#).await;
        let (hidden, shop) = (server("healthz check passed").await, server("a shop").await);
        for (ports, taken) in [
            ([qdrant, 1], Some(qdrant)),
            ([1, qdrant], Some(qdrant)),
            ([shop, qdrant], Some(qdrant)),
            ([hidden, qdrant], Some(hidden)),
            ([qdrant, hidden], Some(qdrant)),
            ([shop, 1], None),
            ([1, shop], None),
            ([shop, shop], None),
            ([1, 1], None),
        ] {
            let settled = settle_on(&instance, &url, ports).await;
            assert_eq!(
                settled.ok().map(|url| url.to_string()),
                taken.map(|port| format!("http://127.0.0.1:{port}/prefix")),
                "{ports:?}"
            );
        }
        let problem = settle_on(&instance, &url, [1, 1]).await.unwrap_err();
        assert!(problem.message.contains("neither port 1 nor port 1 answers"), "{problem}");
        // With a port, or with headers for a proxy, nothing is asked.
        let named = SafeUrl::parse_node("http://127.0.0.1:80").unwrap();
        assert_eq!(settle(&instance, &named).await.unwrap(), named);
        let proxied = Instance { needs_headers: true, ..instance };
        assert_eq!(settle(&proxied, &url).await.unwrap(), url);
    }
}
