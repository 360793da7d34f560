//! Real TLS: authorities, certificates as openssl makes them, pins, and http where https is meant.

use crate::gate::{Gate, Identity, Verdict};
use crate::support::{Cli, Server};
use qsnap::sandbox::seed::SeedCollection;

async fn sandbox() -> Server {
    Server::sandbox(Some("hunter2"), vec![SeedCollection { snapshot_ages: vec![60], ..SeedCollection::new("x", 50) }]).await
}

/// A configuration for one instance behind `url`.
fn cli(url: &str, more: &str) -> Cli {
    Cli::new(&format!("[instances.a]\nurl = '{url}'\ntimeout = '5s'\napi-key = 'hunter2'\n{more}\n"))
}

fn pin(cli: &Cli, identity: &Identity) {
    identity.write(&cli.path("pin.pem"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_as_openssl_makes_it_works_once_it_is_pinned() {
    let server = sandbox().await;
    let identity = Identity::of_openssl(&["127.0.0.1"]);
    let gate = Gate::tls(&server.url(), identity.acceptor()).await;

    let unpinned = cli(&gate.https(), "ca-certificate = 'pin.pem'");
    pin(&unpinned, &identity);
    let ran = unpinned.run(&["instances"]).await;
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("CA:TRUE") && ran.stderr.contains("certificate-pin"), "{ran:?}");
    assert!(!ran.stderr.contains("tried"), "it stays so, and is not tried again: {ran:?}");

    let pinned = cli(&gate.https(), "certificate-pin = 'pin.pem'");
    pin(&pinned, &identity);
    let link = format!("{}/collections/x/snapshots", gate.https());
    for arguments in [
        &["instances"][..],
        &["snapshots", "create", "a/x"],
        &["snapshots", "download", "a/x@latest"],
        &["copy", "a/x", "a/y", "--yes"],
    ] {
        let ran = pinned.run(arguments).await;
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
    }
    // A link to a node takes the same certificate and the same key.
    let listed = pinned.run(&["snapshots", "list", "a/x", "--output", "json"]).await.json();
    let name = listed["items"][0]["name"].as_str().unwrap().to_owned();
    let ran = pinned.run(&["inspect", &format!("{link}/{name}")]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_looks_at_nothing_but_the_certificate_itself() {
    let server = sandbox().await;
    let old = Identity::own(&["elsewhere.example"], |params| {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let gate = Gate::tls(&server.url(), old.acceptor()).await;
    let pinned = cli(&gate.https(), "certificate-pin = 'pin.pem'");
    pin(&pinned, &old);
    let ran = pinned.run(&["collections"]).await;
    assert_eq!(ran.code, 0, "name and dates do not matter: {ran:?}");

    // The same names and dates are not the same certificate.
    let (one, other) = (Identity::of_openssl(&["127.0.0.1"]), Identity::of_openssl(&["127.0.0.1"]));
    let gate = Gate::tls(&server.url(), one.acceptor()).await;
    let pinned = cli(&gate.https(), "certificate-pin = 'pin.pem'");
    pin(&pinned, &other);
    let ran = pinned.run(&["collections"]).await;
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("another certificate") && ran.stderr.contains("renewed"), "{ran:?}");
    assert!(gate.heads().is_empty(), "nothing was sent: {:?}", gate.heads());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_certificate_without_its_key_is_worth_nothing() {
    let server = sandbox().await;
    let (owner, thief) = (Identity::of_openssl(&["127.0.0.1"]), Identity::of_openssl(&["127.0.0.1"]));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let gate = Gate::tls(&server.url(), owner.acceptor_with_key_of(&thief, &[version])).await;
        let pinned = cli(&gate.https(), "certificate-pin = 'pin.pem'");
        pin(&pinned, &owner);
        let ran = pinned.run(&["collections"]).await;
        assert_eq!(ran.code, 6, "{version:?}: {ran:?}");
        assert!(gate.heads().is_empty(), "nothing was sent: {:?}", gate.heads());

        let gate = Gate::tls(&server.url(), owner.acceptor_with_key_of(&owner, &[version])).await;
        let pinned = cli(&gate.https(), "certificate-pin = 'pin.pem'");
        pin(&pinned, &owner);
        assert_eq!(pinned.run(&["collections"]).await.code, 0, "{version:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_authority_is_said_and_can_be_made_known() {
    let server = sandbox().await;
    let authority = Identity::of_openssl(&["authority"]);
    let gate = Gate::tls(&server.url(), Identity::signed_by(&authority, &["127.0.0.1"]).acceptor()).await;
    let ran = cli(&gate.https(), "").run(&["collections"]).await;
    assert_eq!(ran.code, 6, "{ran:?}");
    for words in ["does not know", "ca-certificate", "certificate-pin"] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
    let known = cli(&gate.https(), "ca-certificate = 'ca.pem'");
    authority.write(&known.path("ca.pem"));
    assert_eq!(known.run(&["collections"]).await.code, 0);

    let elsewhere = Gate::tls(&server.url(), Identity::signed_by(&authority, &["elsewhere.example"]).acceptor()).await;
    let known = cli(&elsewhere.https(), "ca-certificate = 'ca.pem'");
    authority.write(&known.path("ca.pem"));
    let ran = known.run(&["collections"]).await;
    assert!(ran.stderr.contains("not for the name 127.0.0.1"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_scheme_is_named() {
    let server = sandbox().await;
    let plain = Gate::open(&server.url(), |_| Verdict::Pass).await;
    let ran = cli(&plain.https(), "").run(&["instances"]).await;
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("speaks http, not https") && ran.stderr.contains(&plain.http()), "{ran:?}");

    let secure = Gate::tls(&server.url(), Identity::of_openssl(&["127.0.0.1"]).acceptor()).await;
    for command in ["instances", "collections"] {
        let ran = cli(&secure.http(), "").run(&[command]).await;
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains("speaks https, not http") && ran.stderr.contains(&secure.https()), "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_cannot_be_read_are_found_by_config_check() {
    let server = sandbox().await;
    for (text, words) in [
        ("certificate-pin = 'none.pem'", "certificate-pin none.pem cannot be read"),
        ("certificate-pin = 'config.toml'", "holds no certificate"),
        ("ca-certificate = 'none.pem'", "ca-certificate none.pem cannot be read"),
        ("client-certificate = 'none.pem'\nclient-key = 'none.key'", "client-certificate none.pem cannot be read"),
    ] {
        let cli = Cli::new(&format!("[instances.a]\nurl = '{}'\n{text}\n", server.url()));
        let ran = cli.run(&["config", "check"]).await;
        assert_eq!(ran.code, 2, "{text}: {ran:?}");
        assert!(ran.stderr.contains(words), "{text}: {ran:?}");
    }
}
