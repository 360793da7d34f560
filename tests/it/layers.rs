//! The house: layers, rooms, and no circle between files. Every path that names another module is an edge.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What each module may name.
const ALLOWED: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("archive", &["domain"]),
    ("config", &["domain"]),
    ("qdrant", &["domain"]),
    ("jobs", &["domain"]),
    ("repository", &["domain"]),
    ("transfer", &["archive", "domain", "jobs", "qdrant", "repository"]),
    ("ops", &["archive", "domain", "jobs", "transfer", "qdrant", "repository"]),
    ("sandbox", &["domain"]),
    ("cli", &["archive", "domain", "config", "jobs", "transfer", "ops", "sandbox", "repository"]),
    ("tui", &["archive", "domain", "config", "jobs", "transfer", "ops"]),
];

/// Files at the root put everything together.
const ROOT: &[&str] = &["lib", "main", "compose", "demo"];

/// Rooms of `ops`: each may use itself and those above it. Two names on one line know nothing of each other.
const ROOMS: &[&[&str]] = &[
    &["request", "retention"],
    &["report"],
    &["journal"],
    &["services"],
    &["steps"],
    &["plan"],
    &["engine", "gates"],
    &["survey"],
    &["proof"],
    &["recovery"],
    &["several"],
    &["verbs"],
];

/// Lines of a file without its tests.
const LONGEST: usize = 500;

/// Lines of a module comment.
const LONGEST_COMMENT: usize = 15;

const SRC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

/// Files by module path, such as `ops/plan/facts`, without comments and tests.
fn code() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(Path::new(SRC), &mut |name, text| {
        found.insert(name, bare(text));
    });
    found
}

fn collect(folder: &Path, take: &mut impl FnMut(String, &str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, take);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(SRC).unwrap().with_extension("").display().to_string();
            take(name, &std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn bare(text: &str) -> String {
    let code = without_tests(text);
    let code: Vec<&str> = code.lines().map(|line| line.split("//").next().unwrap()).collect();
    // Who may see something is no use of it.
    let mut parts = code.join("\n");
    while let Some(at) = parts.find("pub(in ") {
        let end = parts[at..].find(')').unwrap();
        parts.replace_range(at..=at + end, "pub");
    }
    parts
}

fn without_tests(text: &str) -> &str {
    let tests = text.find("#[cfg(test)]\nmod tests").or_else(|| text.find("#[cfg(test)]\npub(crate) mod tests"));
    &text[..tests.unwrap_or(text.len())]
}

/// `use` trees flattened, and every other path: as written, such as `crate::ops::plan::Plan`.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = code;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    while let Some(at) = rest.find("::") {
        let start = rest[..at].rfind(|c| !is_word(c)).map_or(0, |before| before + 1);
        // In the middle of a path that was taken already.
        let first = &rest[start..at];
        if !first.is_empty() && !rest[..start].ends_with("::") {
            tree(vec![first.to_owned()], &rest[at + 2..], &mut found);
        }
        rest = &rest[at + 2..];
    }
    found
}

/// Takes what follows a prefix: a word, or a list in braces. Gives what is left behind it.
fn tree<'a>(prefix: Vec<String>, text: &'a str, found: &mut Vec<Vec<String>>) -> &'a str {
    let mut text = text.trim_start();
    if let Some(inner) = text.strip_prefix('{') {
        text = inner.trim_start();
        while !text.starts_with('}') && !text.is_empty() {
            let behind = tree(prefix.clone(), text, found);
            // Something that is no list of names: a generic argument, or a block.
            if behind.len() == text.len() {
                return text;
            }
            text = behind.trim_start().trim_start_matches(',').trim_start();
        }
        return text.strip_prefix('}').unwrap_or(text);
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let mut path = prefix;
    path.push(text[..end].to_owned());
    match text[end..].strip_prefix("::") {
        Some(more) => tree(path, more, found),
        None => {
            found.push(path);
            text[end..].trim_start_matches(|c: char| c == ' ' || c.is_alphanumeric())
        }
    }
}

/// The files that each file names.
fn edges(code: &BTreeMap<String, String>) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (file, text) in code {
        let own: Vec<&str> = file.split('/').collect();
        for path in paths(text) {
            let absolute: Vec<&str> = match path[0].as_str() {
                "crate" => path[1..].iter().map(String::as_str).collect(),
                "super" => own[..own.len() - 1].iter().copied().chain(path[1..].iter().map(String::as_str)).collect(),
                first if code.contains_key(&format!("{file}/{first}")) => {
                    own.iter().copied().chain(path.iter().map(String::as_str)).collect()
                }
                _ => continue,
            };
            let named = (1..=absolute.len()).rev().find_map(|length| code.get_key_value(&absolute[..length].join("/")));
            if let Some((named, _)) = named
                && named != file
            {
                edges.entry(file).or_default().insert(named);
            }
        }
    }
    edges
}

#[test]
fn layers_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let code = code();
    let mut wrong = Vec::new();
    for (file, named) in edges(&code) {
        let module = file.split('/').next().unwrap();
        if ROOT.contains(&module) {
            continue;
        }
        let may = allowed.get(module).unwrap_or_else(|| panic!("{file}: module {module} is not in the table"));
        for other in named {
            let target = other.split('/').next().unwrap();
            if target != module && !may.contains(&target) {
                wrong.push(format!("{file} names {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn rooms_of_operations_point_up_the_list() {
    let room = |file: &str| ROOMS.iter().position(|names| names.contains(&file.split('/').nth(1).unwrap()));
    let code = code();
    let mut wrong = Vec::new();
    for (file, named) in edges(&code) {
        let Some(own) = file.starts_with("ops/").then(|| room(file).unwrap_or_else(|| panic!("{file} is in no room"))) else {
            continue;
        };
        for other in named.into_iter().filter(|other| other.starts_with("ops/")) {
            let of = |file: &str| file.split('/').nth(1).unwrap().to_owned();
            if room(other).unwrap() > own || (room(other) == Some(own) && of(other) != of(file)) {
                wrong.push(format!("{file} names {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_files_go_round_in_a_circle() {
    let code = code();
    let edges = edges(&code);
    let mut done = BTreeSet::new();
    for start in code.keys() {
        let mut way = Vec::new();
        if let Some(circle) = circle(start, &edges, &mut way, &mut done) {
            panic!("{}", circle.join(" → "));
        }
    }
}

fn circle<'a>(
    file: &'a str,
    edges: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    way: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<&'a str>> {
    if let Some(at) = way.iter().position(|known| *known == file) {
        return Some(way[at..].iter().copied().chain([file]).collect());
    }
    if done.contains(file) {
        return None;
    }
    way.push(file);
    for next in edges.get(file).into_iter().flatten() {
        if let Some(circle) = circle(next, edges, way, done) {
            return Some(circle);
        }
    }
    way.pop();
    done.insert(file);
    None
}

#[test]
fn ops_knows_the_servers_trait_and_not_its_client() {
    for (file, text) in code() {
        let module = file.split('/').next().unwrap();
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
fn nobody_spells_a_verb_but_the_list_of_verbs() {
    for (file, text) in code() {
        assert!(!text.contains("operation == \"") && !text.contains("operation() == \""), "{file} compares a verb with a string");
        let of_its_own = ["\"roll-back\"", "\"clean-up\"", "\"revive\"", "\"discard\""];
        if file.starts_with("ops/") && file != "ops/request/verb" {
            let spelt: Vec<_> = of_its_own.iter().filter(|word| text.contains(*word)).collect();
            // A step may be called like the verb that it belongs to.
            let steps = text.matches("Step::new(\"").count() + text.matches("steps.run(\"").count();
            assert!(spelt.is_empty() || steps > 0, "{file} spells {spelt:?}");
        }
    }
}

#[test]
fn no_file_is_too_long() {
    let mut long = Vec::new();
    collect(Path::new(SRC), &mut |file, text| {
        let lines = without_tests(text).lines().count();
        if lines > LONGEST {
            long.push(format!("{file}: {lines} lines"));
        }
    });
    assert!(long.is_empty(), "split them: {long:#?}");
}

/// Modules with a folder of their own.
fn folders() -> BTreeSet<String> {
    let mut folders = BTreeSet::new();
    collect(Path::new(SRC), &mut |file, _| {
        if let Some((folder, _)) = file.rsplit_once('/') {
            folders.insert(folder.to_owned());
        }
    });
    folders
}

#[test]
fn each_room_says_what_lives_there_in_a_few_lines() {
    for folder in folders() {
        let text = std::fs::read_to_string(format!("{SRC}/{folder}.rs")).unwrap_or_else(|_| panic!("{folder} has no root"));
        let lines = text.lines().take_while(|line| line.starts_with("//!")).count();
        assert!((1..=LONGEST_COMMENT).contains(&lines), "{folder}.rs has a module comment of {lines} lines");
    }
}

/// `lib.rs` draws each module as `│ name: room room … │`.
#[test]
fn the_drawing_of_the_house_is_true() {
    let text = std::fs::read_to_string(format!("{SRC}/lib.rs")).unwrap();
    let mut drawn = BTreeSet::new();
    let drawing = text.lines().filter_map(|line| line.strip_prefix("//!")).filter(|line| line.contains('│'));
    for cell in drawing.flat_map(|line| line.split('│')) {
        if let Some((module, rooms)) = cell.trim_end().trim_start().split_once(':') {
            drawn.insert(module.to_owned());
            drawn.extend(rooms.split_whitespace().map(|room| format!("{module}/{room}")));
        }
    }
    let shallow: BTreeSet<String> = folders().into_iter().filter(|folder| folder.split('/').count() <= 2).collect();
    assert_eq!(drawn, shallow);
}
