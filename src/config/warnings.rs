//! What `qsnap config check` warns about: things that work but deserve a look.

use crate::config::secret_source::{Purpose, SecretSource};
use crate::config::{Config, ConfiguredInstance};
use crate::domain::policy::Policy;
use std::path::Path;

/// All warnings, each with the name of its instance.
pub fn warnings(config: &Config) -> Vec<String> {
    let each = config.instances.iter().map(|configured| {
        let mut found = unencrypted(configured);
        found.extend(readable(configured, config));
        found.extend(without_effect(configured));
        found.into_iter().map(|warning| format!("{}: {warning}", configured.instance.name)).collect::<Vec<_>>()
    });
    each.flatten().chain(without_means(config)).collect()
}

/// What is wanted and can never be had.
fn without_means(config: &Config) -> Option<String> {
    let wanted = |policy: &Policy| policy.prove_every.age().is_some();
    let proofs = config
        .instances
        .iter()
        .any(|configured| wanted(&configured.instance.policy) || configured.instance.collections.values().any(wanted));
    (proofs && config.repositories.is_empty())
        .then(|| "prove-every is set, and no repository is configured: only backups in a repository are proven".to_owned())
}

/// Secrets that everybody on the way can read.
fn unencrypted(configured: &ConfiguredInstance) -> Vec<String> {
    let credentials = &configured.credentials;
    let mut secrets = Vec::new();
    if credentials.api_key != SecretSource::None {
        secrets.push("the API key");
    }
    if credentials.basic_auth.is_some() {
        secrets.push("the password of basic-auth");
    }
    if !credentials.headers.is_empty() {
        secrets.push("the values of headers");
    }
    if secrets.is_empty() {
        return Vec::new();
    }
    // One secret travels, several travel.
    let travel = if secrets == ["the values of headers"] || secrets.len() > 1 { "travel" } else { "travels" };
    let open = configured.instance.nodes.iter().filter(|node| node.expose().scheme() == "http" && !node.is_loopback());
    open.map(|node| format!("{} {travel} unencrypted to {node}; use https", secrets.join(" and "))).collect()
}

/// Secrets in files that other users of this machine can read.
fn readable(configured: &ConfiguredInstance, config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    for (purpose, source) in configured.credentials.each() {
        let (what, command) = (purpose.words(), purpose.option("command"));
        let instead = if matches!(purpose, Purpose::Header(_)) { "a command" } else { command.as_str() };
        match source {
            SecretSource::Inline(_) if readable_by_others(&config.file) => {
                found.push(format!("others can read {what} in {}; chmod 600 it, or use {instead}", config.file.display()));
            }
            SecretSource::File(path) if readable_by_others(path) => {
                found.push(format!("others can read {what} in {}; chmod 600 it", path.display()));
            }
            _ => {}
        }
    }
    if let Some(path) = configured.instance.tls.client_key.as_deref().filter(|path| readable_by_others(path)) {
        found.push(format!("others can read the client key in {}; chmod 600 it", path.display()));
    }
    found
}

/// Settings for https at an instance without it.
fn without_effect(configured: &ConfiguredInstance) -> Vec<String> {
    let (nodes, tls) = (&configured.instance.nodes, &configured.instance.tls);
    let given = [
        ("ca-certificate", tls.ca_certificate.is_some()),
        ("certificate-pin", tls.certificate_pin.is_some()),
        ("client-certificate", tls.client_certificate.is_some()),
    ];
    if nodes.iter().any(|node| node.expose().scheme() == "https") {
        return Vec::new();
    }
    let idle = given.into_iter().filter(|(_, given)| *given);
    idle.map(|(key, _)| format!("{key} has no effect, because no address of it begins with https://")).collect()
}

#[cfg(unix)]
fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn readable_by_others(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::environment::Environment;
    use crate::config::load::{Overrides, load};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_deserves_a_look_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let (file, secret) = (dir.path().join("config.toml"), dir.path().join("secret"));
        std::fs::write(&secret, "hunter2").unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
        let text = format!(
            "[instances.a]\nurl = 'http://h:6333'\ncertificate-pin = '/p'\n\
             basic-auth = {{ user = 'u', password-file = '{}' }}\nheaders = {{ X = {{ value = 'hunter2' }} }}\n\
             [instances.quiet]\nurl = 'https://h:6333'\ncertificate-pin = '/p'\napi-key-command = 'x'\n",
            secret.display()
        );
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let overrides = Overrides { config: Some(file), ..Overrides::default() };
        let all = warnings(&load(&overrides, &Environment::default()).unwrap());
        for words in [
            "the password of basic-auth and the values of headers travel unencrypted",
            "others can read the password of basic-auth in",
            "others can read the value of header X in",
            "certificate-pin has no effect",
        ] {
            assert_eq!(
                all.iter().filter(|warning| warning.starts_with("a: ") && warning.contains(words)).count(),
                1,
                "{words}: {all:?}"
            );
        }
        assert_eq!(all.len(), 4, "{all:?}");
        assert!(!format!("{all:?}").contains("hunter2"));
    }
}
