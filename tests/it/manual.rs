//! The README and the manual: every command in them works as it stands, and every link leads somewhere.

use crate::support::{Cli, Ran, Server};
use jiff::Timestamp;
use qsnap::domain::address::CollectionAddress;
use qsnap::domain::ids::SnapshotName;
use qsnap::ops::journal::Journal;
use qsnap::ops::journal::event::Made;
use qsnap::ops::journal::past::Repeatable;
use qsnap::ops::journal::record::Opening;
use qsnap::ops::request::recovery_point::RecoveryPoint;
use qsnap::ops::request::restore::{Mode, RestoreRequest};
use qsnap::ops::request::route::Route;
use qsnap::sandbox::seed::SeedCollection;
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The lines of fenced blocks of a shell that run qsnap.
fn commands(page: &str) -> Vec<String> {
    let blocks = page.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n"));
    let lines = blocks.flat_map(str::lines).map(|line| line.split(" #").next().unwrap().trim());
    lines.filter(|line| line.starts_with("qsnap ")).map(str::to_owned).collect()
}

/// A folder with what the pages speak of: `default` and `prod` are one server, `staging` is another one.
async fn place() -> (Cli, Server, Server) {
    let seed = |name: &str, points| {
        let mut seed = SeedCollection::new(name, points);
        seed.snapshot_ages = Vec::new();
        seed
    };
    let prod = Server::sandbox(None, vec![seed("products", 200), seed("orders", 50), seed("gone", 20)]).await;
    let staging = Server::sandbox(None, vec![]).await;
    let cli = Cli::for_servers(&[("default", &prod), ("prod", &prod), ("staging", &staging)]);
    let config = std::fs::read_to_string(cli.path("config.toml")).unwrap();
    let folder = cli.path("offsite");
    std::fs::create_dir(&folder).unwrap();
    let repository = format!("[repositories.offsite]\nurl = '{}'\n", folder.display());
    // As in the README: what changes data on `prod` needs its address typed.
    let config = config.replace("[instances.prod]\n", "[instances.prod]\nprotection = 'protected'\n");
    std::fs::write(cli.path("config.toml"), config + &repository).unwrap();
    for arguments in [
        &["snapshots", "create", "prod/products", "prod/orders", "prod/gone", "--yes"][..],
        &["drop", "prod/gone", "--yes", "--confirm", "prod/gone"],
        &["restore", "prod/products@latest", "--to", "prod/products-copy", "--yes", "--confirm", "prod/products-copy"],
        &["alias", "prod/live", "products", "--yes", "--confirm", "prod/live"],
    ] {
        let ran = cli.run(arguments).await;
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    std::fs::create_dir(cli.path("backups")).unwrap();
    std::fs::create_dir(cli.path("slow")).unwrap();
    (cli, prod, staging)
}

fn in_a_shell(cli: &Cli, line: &str) -> Ran {
    let folder = Path::new(env!("CARGO_BIN_EXE_qsnap")).parent().unwrap().display().to_string();
    let mut command: Command = cli.command(&[]);
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).env_clear().current_dir(cli.home.path());
    shell.envs(command.env("PATH", path).get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = shell.stdin(std::process::Stdio::null()).output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A restore over `prod/products` that was killed, with its way back.
async fn killed(cli: &Cli, prod: &Server, replaced: bool) {
    let name = prod.snapshots("products").await.pop().unwrap();
    let target = CollectionAddress::parse("prod/products").unwrap();
    let snapshot = target.snapshot(&SnapshotName::new(&name));
    let at = Timestamp::now();
    let point = match qsnap::domain::address::Address::parse(&snapshot).unwrap() {
        qsnap::domain::address::Address::Snapshot(address, which) => RecoveryPoint::Snapshot(address, which),
        other => panic!("{other}"),
    };
    let request = Repeatable::Restore(RestoreRequest::new(point, target, Mode::InPlace, Route::Auto));
    let opening =
        Opening { request: serde_json::to_value(request).unwrap(), ..Opening::new("restore", &snapshot, "prod/products") };
    let journal = Journal::new(&cli.path("state/qsnap"), "ada@bastion");
    let record = journal.begin(at, &opening).unwrap();
    if replaced {
        record.made(at, Made::Safety, &snapshot).unwrap();
        record.step_begins(at, "restore", "prod/products").unwrap();
        record.handed_over(at).unwrap();
    }
}

async fn runs(page: &str) {
    let text = std::fs::read_to_string(format!("{ROOT}/{page}")).unwrap();
    let commands = commands(&text);
    assert!(!commands.is_empty(), "{page} has no commands");
    let (cli, prod, _staging) = place().await;
    for line in commands {
        if line.starts_with("qsnap history") && line.contains("--yes") {
            killed(&cli, &prod, line.contains("roll-back")).await;
        }
        let ran = in_a_shell(&cli, &line);
        assert_eq!(ran.code, 0, "{page}: {line}: {ran:?}");
    }
}

macro_rules! pages {
    ($($test:ident: $page:literal),*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            runs($page).await;
        })*

        const PAGES: &[&str] = &[$($page),*];
    };
}

pages! {
    the_readme: "README.md",
    configuration: "assets/manual/configuration.md",
    backing_up: "assets/manual/backups.md",
    downloads: "assets/manual/downloads.md",
    inspecting: "assets/manual/inspect.md",
    restoring: "assets/manual/restore.md",
    restoring_all: "assets/manual/whole-instance.md",
    clustering: "assets/manual/clusters.md",
    backing_up_what_changed: "assets/manual/increments.md",
    migrating: "assets/manual/migrate.md",
    recovering: "assets/manual/recovery.md",
    guarding: "assets/manual/guard.md",
    comparing: "assets/manual/compare.md",
    installing: "assets/manual/install.md",
    scripting: "assets/manual/scripts.md"
}

#[test]
fn every_link_leads_somewhere_and_every_page_is_linked() {
    let readme = std::fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    assert!(readme.lines().count() < 132, "the README is short");
    let mut pages: Vec<String> = std::fs::read_dir(format!("{ROOT}/assets/manual"))
        .unwrap()
        .map(|entry| format!("assets/manual/{}", entry.unwrap().file_name().to_string_lossy()))
        .collect();
    for page in &pages {
        assert!(readme.contains(&format!("]({page})")), "the README links {page}");
        assert!(
            PAGES.contains(&page.as_str()) || ["safety.md", "terminal.md"].iter().any(|other| page.ends_with(other)),
            "the commands of {page} are run"
        );
    }
    pages.push("README.md".into());
    for page in pages {
        let text = std::fs::read_to_string(format!("{ROOT}/{page}")).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http")) {
            let file = Path::new(ROOT).join(&page).parent().unwrap().join(link.split('#').next().unwrap());
            assert!(file.exists(), "{page} links {link}");
        }
    }
}
