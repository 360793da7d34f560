//! The layers: every `use crate::` edge of the source against the table.

use std::collections::BTreeMap;
use std::path::Path;

/// What each module may name.
const ALLOWED: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("archive", &["domain"]),
    ("config", &["domain"]),
    ("qdrant", &["domain"]),
    ("jobs", &["domain"]),
    ("transfer", &["archive", "domain", "jobs", "qdrant"]),
    ("ops", &["archive", "domain", "jobs", "transfer", "qdrant"]),
    ("sandbox", &["domain"]),
    ("cli", &["archive", "domain", "config", "jobs", "transfer", "ops", "sandbox"]),
    ("tui", &["archive", "domain", "config", "jobs", "transfer", "ops"]),
];

/// Files at the root put everything together.
const ROOT: &[&str] = &["lib", "main", "compose", "demo"];

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
            found.push((relative.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
}

fn all_sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut found);
    found
}

#[test]
fn layers_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for (file, text) in all_sources() {
        let module = file.split(['/', '.']).next().unwrap();
        if ROOT.contains(&module) {
            continue;
        }
        let may = allowed.get(module).unwrap_or_else(|| panic!("{file}: module {module} is not in the table"));
        for (number, line) in text.lines().enumerate() {
            for edge in line.split("crate::").skip(1) {
                let target: String = edge.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if target != module && !target.is_empty() && !may.contains(&target.as_str()) {
                    wrong.push(format!("{file}:{}: {module} -> {target}", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn ops_knows_the_servers_trait_and_not_its_client() {
    for (file, text) in all_sources() {
        let module = file.split(['/', '.']).next().unwrap();
        if matches!(module, "ops" | "cli" | "tui" | "transfer") {
            assert!(!text.contains("qdrant::http"), "{file} names the HTTP client");
            assert!(!text.contains("qdrant::wire"), "{file} names wire types");
        }
        if module == "ops" {
            for front in ["ratatui", "crossterm", "clap", "println!"] {
                assert!(!text.contains(front), "{file} names {front}");
            }
        }
    }
}

#[test]
fn no_file_is_too_long() {
    for (file, text) in all_sources() {
        let code = text.split("#[cfg(test)]").next().unwrap().lines().count();
        assert!(code <= 600, "{file} has {code} lines: split it");
    }
}
