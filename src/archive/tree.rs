//! Entries by folder, with sums.

use crate::archive::sizes::Sizes;
use std::collections::BTreeMap;

/// Memory for names, in bytes; what comes after it is full is only counted. A million names would take more
/// memory than qsnap allows itself.
const ROOM: usize = 10 << 20;

/// About what a file costs beside its name.
const FILE: usize = 160;

/// What a folder costs more: a map of one takes room for eleven.
const FOLDER: usize = 1600;

/// A file or folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// All that is in it.
    pub sizes: Sizes,
    /// Files in it; 1 for a file.
    pub files: u64,
    /// It has holes.
    pub sparse: bool,
    /// What is in it, by name; a nested archive is a folder too.
    pub children: BTreeMap<String, Node>,
}

/// The whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    /// The root.
    pub root: Node,
    /// Entries that have no place of their own any more.
    pub unnamed: u64,
    used: usize,
}

impl Tree {
    /// Adds a file. A nested archive is not added itself: what is in it is.
    pub fn add(&mut self, path: &str, sizes: Sizes, sparse: bool) {
        let mut node = &mut self.root;
        node.sizes.add(sizes);
        node.files += 1;
        for part in path.split('/') {
            if !node.children.contains_key(part) {
                let folder = if node.children.is_empty() { FOLDER } else { 0 };
                if self.used >= ROOM {
                    self.unnamed += 1;
                    return;
                }
                // Rows repeat the whole path.
                self.used += FILE + part.len() + path.len() + folder;
            }
            node = node.children.entry(part.to_owned()).or_default();
            node.sizes.add(sizes);
            node.files += 1;
            node.sparse |= sparse;
        }
    }

    /// Rows in order: depth, name, node. Folders of one folder are joined into one row.
    pub fn rows(&self, open: &dyn Fn(&str, usize) -> bool) -> Vec<Row<'_>> {
        let mut rows = Vec::new();
        below(&self.root, "", 0, open, &mut rows);
        rows
    }
}

/// A row of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'a> {
    /// Folders above it.
    pub depth: usize,
    /// Path from the root, which names it.
    pub path: String,
    /// Its name, with folders that hold nothing else.
    pub name: String,
    /// It.
    pub node: &'a Node,
}

impl Row<'_> {
    /// Whether there is something in it.
    pub fn is_folder(&self) -> bool {
        !self.node.children.is_empty()
    }
}

/// Shards by number, not by text.
fn order(name: &str) -> (u64, &str) {
    (name.parse().unwrap_or(u64::MAX), name)
}

fn below<'a>(node: &'a Node, path: &str, depth: usize, open: &dyn Fn(&str, usize) -> bool, rows: &mut Vec<Row<'a>>) {
    let mut children: Vec<(&String, &Node)> = node.children.iter().collect();
    children.sort_by(|a, b| order(a.0).cmp(&order(b.0)));
    for (child_name, mut child) in children {
        let mut name = child_name.clone();
        while let Some((only, inner)) = child.children.first_key_value().filter(|_| child.children.len() == 1) {
            name = format!("{name}/{only}");
            child = inner;
        }
        let child_path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        let unfolded = open(&child_path, depth);
        rows.push(Row { depth, path: child_path.clone(), name, node: child });
        if unfolded {
            below(child, &child_path, depth + 1, open, rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(stored: u64) -> Sizes {
        Sizes { stored, unpacked: stored * 10 }
    }

    #[test]
    fn folders_sum_up_and_fold() {
        let mut tree = Tree::default();
        tree.add("10/segments/a.tar/snapshot/files/x", sizes(1), true);
        tree.add("10/segments/a.tar/snapshot/files/y", sizes(2), false);
        tree.add("2/state", sizes(4), false);
        tree.add("config.json", sizes(8), false);
        let shown = |rows: Vec<Row<'_>>| -> Vec<String> {
            rows.iter().map(|row| format!("{} {} {}", row.depth, row.name, row.node.sizes.stored)).collect()
        };
        assert_eq!(
            shown(tree.rows(&|_, _| true)),
            ["0 2/state 4", "0 10/segments/a.tar/snapshot/files 3", "1 x 1", "1 y 2", "0 config.json 8"]
        );
        assert_eq!(shown(tree.rows(&|_, _| false)).len(), 3);
        assert_eq!(tree.root.sizes, sizes(15));
    }

    #[test]
    fn a_million_names_stay_small() {
        let mut tree = Tree::default();
        for n in 0..200_000_u64 {
            tree.add(&format!("f{n}"), sizes(1), false);
        }
        let named = tree.root.children.len() as u64;
        assert!(named > 30_000 && named < 100_000, "{named}");
        assert_eq!((tree.root.files, tree.unnamed), (200_000, 200_000 - named));
        let mut deep = Tree::default();
        for n in 0..1000 {
            deep.add(&format!("{n}/{}", "a/".repeat(500)), sizes(1), false);
        }
        assert!(deep.unnamed > 900);
    }
}
