//! What a package brings: completions that the real shells read, and man pages that `man` shows.

use crate::support::{Cli, say};
use std::process::Command;

/// Whether a program is installed here.
fn there(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap().status.success();
    if !found {
        say(&format!("skipped: no {program}"));
    }
    found
}

#[tokio::test]
async fn completions_are_read_by_the_real_shells() {
    let cli = Cli::new("");
    for (shell, check) in [
        (
            "bash",
            "source \"$1\" && complete -p qsnap && COMP_WORDS=(qsnap backup --k) COMP_CWORD=2 && _qsnap qsnap --k backup && [[ \" ${COMPREPLY[*]} \" == *\" --kind \"* ]]",
        ),
        ("zsh", "autoload -U compinit && compinit -u -d \"$2\" && source \"$1\" && whence -w _qsnap"),
        ("fish", "source $argv[1]; complete -C 'qsnap backup --k' | string match -q -- '--kind*'"),
    ] {
        let made = cli.run(&["completions", shell]).await;
        assert!(made.code == 0 && made.stdout.contains("qsnap"), "{shell}: {made:?}");
        let script = cli.path(&format!("qsnap.{shell}"));
        std::fs::write(&script, &made.stdout).unwrap();
        if !there(shell) {
            continue;
        }
        let mut command = Command::new(shell);
        command.arg("-c").arg(check);
        if shell != "fish" {
            command.arg(shell);
        }
        let ran = command.arg(&script).arg(cli.path("dump")).env("HOME", cli.home.path()).output().unwrap();
        assert!(
            ran.status.success(),
            "{shell}: {}{}",
            String::from_utf8_lossy(&ran.stdout),
            String::from_utf8_lossy(&ran.stderr)
        );
    }
    assert_eq!(cli.run(&["completions", "dos"]).await.code, 2);
}

/// The package of this very build, unpacked, installed and removed below a root of its own.
#[test]
fn the_debian_package_is_installed_and_removed() {
    if !there("dpkg-deb") || !there("dpkg") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/packaging/deb");
    let made = Command::new(script).args([env!("CARGO_BIN_EXE_qsnap")]).arg(folder.path()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let package = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let root = folder.path().join("root");
    std::fs::create_dir_all(root.join("var/lib/dpkg/updates")).unwrap();
    std::fs::create_dir_all(root.join("var/lib/dpkg/info")).unwrap();
    std::fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    std::fs::write(root.join("var/lib/dpkg/available"), "").unwrap();
    let dpkg = |arguments: &[&str]| {
        let mut command = Command::new("dpkg");
        command.arg(format!("--root={}", root.display())).args(["--force-not-root", "--force-depends"]).args(arguments);
        command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap())).output().unwrap()
    };
    let installed = dpkg(&["--install", &package]);
    assert!(installed.status.success(), "{installed:?}");
    let program = root.join("usr/bin/qsnap");
    let version = Command::new(&program).arg("--version").output().unwrap();
    assert!(
        String::from_utf8_lossy(&version.stdout).starts_with(concat!("qsnap ", env!("CARGO_PKG_VERSION"), " (")),
        "{version:?}"
    );
    for file in [
        "usr/share/man/man1/qsnap-backup.1.gz",
        "usr/share/bash-completion/completions/qsnap",
        "usr/share/zsh/vendor-completions/_qsnap",
        "usr/share/fish/vendor_completions.d/qsnap.fish",
        "usr/share/doc/qsnap/CHANGELOG.md",
        "usr/share/doc/qsnap/LICENSE-MIT",
        "usr/share/doc/qsnap/manual/recovery.md",
    ] {
        assert!(root.join(file).is_file(), "{file}");
    }
    let removed = dpkg(&["--remove", "qsnap"]);
    assert!(removed.status.success(), "{removed:?}");
    assert!(!program.exists() && !root.join("usr/share/doc/qsnap").exists());
}

#[tokio::test]
async fn every_command_has_a_man_page() {
    let cli = Cli::new("");
    let folder = cli.path("man");
    let made = cli.run(&["man", "--to", folder.to_str().unwrap()]).await;
    assert_eq!(made.code, 0, "{made:?}");
    for page in ["qsnap.1", "qsnap-backup.1", "qsnap-restore.1", "qsnap-snapshots-download.1"] {
        let text = std::fs::read_to_string(folder.join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS") || text.contains(".SH NAME"), "{page}");
    }
    if there("man") {
        let page = folder.join("qsnap-backup.1");
        let shown = Command::new("man").args(["-P", "cat", "-l"]).arg(&page).env("MANWIDTH", "80").output().unwrap();
        assert!(shown.status.success() && String::from_utf8_lossy(&shown.stdout).contains("--kind"), "{shown:?}");
    }
    std::fs::write(cli.path("file"), "x").unwrap();
    let refused = cli.run(&["man", "--to", cli.path("file/below").to_str().unwrap()]).await;
    assert!(refused.code == 1 && refused.stderr.contains("man pages"), "{refused:?}");
}
