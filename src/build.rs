//! What `--version` says besides the number: the commit that was built.

use std::path::Path;
use std::process::Command;

#[expect(clippy::disallowed_methods, reason = "what a build script is told comes from the environment")]
fn main() {
    println!("cargo:rerun-if-changed=src/build.rs");
    let number = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let words = match std::env::var("PROFILE").as_deref() {
        // It would compile everything anew with each commit.
        Ok("debug") => "debug".to_owned(),
        _ => commit().unwrap_or_else(|| "no commit is known".to_owned()),
    };
    println!("cargo:rustc-env=QSNAP_VERSION={number} ({words})");
}

/// Of the checkout, or of the package that was made from one.
fn commit() -> Option<String> {
    let package = Path::new(".cargo_vcs_info.json");
    if let Ok(text) = std::fs::read_to_string(package) {
        println!("cargo:rerun-if-changed={}", package.display());
        let sha = text.split("\"sha1\"").nth(1)?.split('"').nth(1)?;
        return Some(sha.chars().filter(char::is_ascii_hexdigit).take(12).collect());
    }
    for file in [".git/HEAD", ".git/logs/HEAD"] {
        if Path::new(file).exists() {
            println!("cargo:rerun-if-changed={file}");
        }
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    };
    // A package may be unpacked inside of another repository: its commit would be a wrong one.
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if std::fs::canonicalize(top).ok()? != std::fs::canonicalize(".").ok()? {
        return None;
    }
    let sha = git(&["rev-parse", "--short=12", "HEAD"])?;
    let dirty = if git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty() { "" } else { ", changed" };
    Some(format!("{sha}{dirty}"))
}
