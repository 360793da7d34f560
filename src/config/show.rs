//! `qsnap config show`: what was understood, where it came from, secrets masked.

use crate::config::secret_source::SecretSource;
use crate::config::{Config, ConfiguredInstance};
use crate::domain::text::one_line;
use crate::domain::time::span;
use serde_json::{Value, json};
use std::fmt::{Debug, Write};
use std::path::PathBuf;

/// One line a value, with its origin.
pub fn show(config: &Config) -> String {
    let mut out = String::new();
    let found = if config.file_found { "" } else { "  (does not exist)" };
    let _ = writeln!(out, "file   {}{found}", config.file.display());
    let _ = writeln!(out, "state  {}", config.state_dir.display());
    let _ = writeln!(out, "color  {}  ({})", word(&config.color.0), config.color.1.word());
    let _ = writeln!(out, "ascii  {}  ({})", config.ascii.0, config.ascii.1.word());
    let _ = writeln!(out, "theme  {}", one_line(&config.terminal.theme, 60));
    let _ = writeln!(out, "mouse  {}", config.terminal.mouse);
    let _ = writeln!(out, "notify {} after {}", word(&config.terminal.notify), span(config.terminal.notify_after));
    for configured in &config.instances {
        let _ = writeln!(out, "\n[{}]  ({})", configured.instance.name, configured.origin.word());
        for (label, value) in lines(configured) {
            let _ = writeln!(out, "  {label:<12}{value}");
        }
    }
    for configured in &config.repositories {
        let repository = &configured.repository;
        let _ = writeln!(out, "\n[repository {}]  (file)", repository.name);
        let _ = writeln!(out, "  {:<12}{}", "place", repository.place);
        let keep = if repository.keep.is_empty() { "everything".to_owned() } else { repository.keep.to_string() };
        let _ = writeln!(out, "  {:<12}{keep}", "keep");
        let _ = writeln!(out, "  {:<12}{}", "full every", crate::domain::time::span(repository.full_every));
        if repository.read_only {
            let _ = writeln!(out, "  {:<12}read-only", "protection");
        }
    }
    out
}

/// A value as the file writes it.
fn word(value: &impl Debug) -> String {
    format!("{value:?}").to_lowercase()
}

fn lines(configured: &ConfiguredInstance) -> Vec<(&'static str, String)> {
    let (instance, credentials) = (&configured.instance, &configured.credentials);
    let mut lines: Vec<(&'static str, String)> = Vec::new();
    for node in &instance.nodes {
        // Which one it is shows only when it is asked, and nothing is asked here.
        let guess = node.names_no_port() && !instance.needs_headers;
        let note = if guess { "  (no port: 80 if a Qdrant answers there, else 6333)" } else { "" };
        lines.push(("node", format!("{node}{note}")));
    }
    lines.extend(instance.reachable_as.iter().map(|url| ("reached as", format!("{url}  (by other servers)"))));
    lines.push(("key", credentials.api_key.describe()));
    if let Some(basic) = &credentials.basic_auth {
        let user = crate::domain::text::sanitise(&basic.user);
        lines.push(("basic auth", format!("user {user}, password {}", basic.password.describe())));
    }
    lines.extend(credentials.headers.iter().map(|(name, source)| ("header", format!("{name}: {}", source.describe()))));
    lines.push(("protection", instance.protection.word().into()));
    lines.push(("timeout", format!("{} s", instance.timeout.as_secs())));
    let transfers = &instance.transfers;
    lines.push(("transfers", format!("{} at once, {} streams each", transfers.at_once, transfers.streams)));
    lines.push(("stall", format!("{} s", transfers.stall.as_secs())));
    let limit = transfers.limit_rate.map_or_else(|| "none".to_owned(), |rate| crate::domain::size::rate(rate as f64));
    lines.push(("limit-rate", limit));
    for (label, path) in files(configured) {
        lines.push((label, path.display().to_string()));
    }
    lines
}

fn files(configured: &ConfiguredInstance) -> Vec<(&'static str, &PathBuf)> {
    let tls = &configured.instance.tls;
    let all = [
        ("ca", &tls.ca_certificate),
        ("pin", &tls.certificate_pin),
        ("client cert", &tls.client_certificate),
        ("client key", &tls.client_key),
    ];
    all.into_iter().filter_map(|(label, path)| Some((label, path.as_ref()?))).collect()
}

/// The same for programs.
pub fn document(config: &Config) -> Value {
    let instances: Vec<Value> = config.instances.iter().map(instance_document).collect();
    json!({"version": 1, "file": config.file.display().to_string(), "file_found": config.file_found,
        "state_dir": config.state_dir.display().to_string(),
        "color": {"value": word(&config.color.0), "origin": config.color.1.word()},
        "ascii": {"value": config.ascii.0, "origin": config.ascii.1.word()}, "instances": instances})
}

fn instance_document(configured: &ConfiguredInstance) -> Value {
    let (instance, credentials) = (&configured.instance, &configured.credentials);
    let urls = |urls: &[crate::domain::secret::SafeUrl]| urls.iter().map(ToString::to_string).collect::<Vec<_>>();
    let basic = credentials.basic_auth.as_ref().map(|basic| json!({"user": basic.user, "password": source(&basic.password)}));
    let headers: Vec<Value> =
        credentials.headers.iter().map(|(name, from)| json!({"name": name, "value": source(from)})).collect();
    let (tls, transfers) = (&instance.tls, &instance.transfers);
    json!({"name": instance.name.as_str(), "origin": configured.origin.word(), "nodes": urls(&instance.nodes),
        "reachable_as": urls(&instance.reachable_as), "api_key": source(&credentials.api_key), "basic_auth": basic,
        "headers": headers, "protection": instance.protection.word(), "timeout_seconds": instance.timeout.as_secs(),
        "transfers": transfers.at_once, "streams": transfers.streams, "stall_seconds": transfers.stall.as_secs(),
        "limit_rate": transfers.limit_rate, "ca_certificate": tls.ca_certificate, "certificate_pin": tls.certificate_pin,
        "client_certificate": tls.client_certificate, "client_key": tls.client_key})
}

/// Where a secret is, never what it is.
fn source(source: &SecretSource) -> Value {
    match source {
        SecretSource::None => Value::Null,
        SecretSource::Inline(_) => json!({"from": "file"}),
        SecretSource::Environment { variable, value } => {
            json!({"from": "environment", "variable": variable, "set": value.is_some()})
        }
        SecretSource::File(path) => json!({"from": "secret file", "path": path}),
        SecretSource::Command(_) => json!({"from": "command"}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::environment::Environment;
    use crate::config::load::{Overrides, load};

    #[test]
    fn everything_is_shown_but_the_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        let text = "[instances.prod]\nurl = 'http://localhost'\nreachable-as = ['http://q0.internal:6333']\n\
                    api-key-command = 'echo hunter2'\ncertificate-pin = '/pin.pem'\n\
                    [instances.proxied]\nurl = 'https://h'\napi-key = 'hunter2'\n\
                    basic-auth = { user = 'ops', password-env = 'PROXY' }\n\
                    headers = { X-Id = { value = 'hunter2' }, X-File = { file = '/id' } }\n";
        std::fs::write(&file, text).unwrap();
        let overrides = Overrides { config: Some(file), ..Overrides::default() };
        let config = load(&overrides, &Environment::of(&[("PROXY", "hunter2")])).unwrap();
        let (shown, document) = (show(&config), document(&config).to_string());
        assert!(!shown.contains("hunter2") && !document.contains("hunter2"), "{shown}{document}");
        for words in [
            "node        http://localhost  (no port: 80 if a Qdrant answers there, else 6333)",
            "reached as  http://q0.internal:6333  (by other servers)",
            "key         *** (from a command)",
            "basic auth  user ops, password *** (from $PROXY)",
            "header      X-Id: *** (in the file)",
            "header      X-File: *** (from /id)",
            "pin         /pin.pem",
        ] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        assert!(document.contains(r#""name":"X-File","value":{"from":"secret file","path":"/id"}"#), "{document}");
    }
}
