//! `qsnap config show` and `check`: what was understood, where it came from, secrets masked.

use crate::config::Config;
use crate::config::credentials::KeySource;
use std::fmt::Write;

/// One line a value, with its origin.
pub fn show(config: &Config) -> String {
    let mut out = String::new();
    let found = if config.file_found { "" } else { "  (does not exist)" };
    let _ = writeln!(out, "file   {}{found}", config.file.display());
    let _ = writeln!(out, "state  {}", config.state_dir.display());
    let color = format!("{:?}", config.color.0).to_lowercase();
    let _ = writeln!(out, "color  {color}  ({})", config.color.1.word());
    let _ = writeln!(out, "ascii  {}  ({})", config.ascii.0, config.ascii.1.word());
    for configured in &config.instances {
        let instance = &configured.instance;
        let _ = writeln!(out, "\n[{}]  ({})", instance.name, configured.origin.word());
        for node in &instance.nodes {
            let _ = writeln!(out, "  node        {node}");
        }
        let _ = writeln!(out, "  key         {}", configured.key.describe());
        let _ = writeln!(out, "  protection  {}", instance.protection.word());
        let _ = writeln!(out, "  timeout     {} s", instance.timeout.as_secs());
        let transfers = &instance.transfers;
        let _ = writeln!(out, "  transfers   {} at once, {} streams each", transfers.at_once, transfers.streams);
        let _ = writeln!(out, "  stall       {} s", transfers.stall.as_secs());
        let limit = transfers.limit_rate.map_or_else(|| "none".to_owned(), |rate| crate::domain::size::rate(rate as f64));
        let _ = writeln!(out, "  limit-rate  {limit}");
        for (label, path) in [
            ("ca          ", &instance.tls.ca_certificate),
            ("client cert ", &instance.tls.client_certificate),
            ("client key  ", &instance.tls.client_key),
        ] {
            if let Some(path) = path {
                let _ = writeln!(out, "  {label}{}", path.display());
            }
        }
    }
    out
}

/// Things that work but deserve a look: keys over plain http, key files that others can read.
pub fn warnings(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    for configured in &config.instances {
        let name = &configured.instance.name;
        let has_key = !matches!(configured.key, KeySource::None);
        for node in &configured.instance.nodes {
            if has_key && node.expose().scheme() == "http" && !node.is_loopback() {
                found.push(format!("{name}: the API key travels unencrypted to {node}; use https"));
            }
        }
        match &configured.key {
            KeySource::Inline(_) if readable_by_others(&config.file) => {
                found.push(format!(
                    "{name}: others can read the key in {}; chmod 600 it, or use api-key-command",
                    config.file.display()
                ));
            }
            KeySource::File(path) if readable_by_others(path) => {
                found.push(format!("{name}: others can read the key file {}; chmod 600 it", path.display()));
            }
            _ => {}
        }
    }
    found
}

#[cfg(unix)]
fn readable_by_others(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn readable_by_others(_: &std::path::Path) -> bool {
    false
}
