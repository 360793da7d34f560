//! What ships beside the code is true.

use crate::support;
use support::Cli;

#[tokio::test]
async fn the_example_configuration_is_valid() {
    let cli = Cli::new(include_str!("../../assets/config.example.toml"));
    let shown = cli.run(&["config", "show"]).await;
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.stdout.contains("[local]") && shown.stdout.contains("http://localhost:6333"), "{shown:?}");
}

#[test]
fn the_readme_names_the_two_commands() {
    let readme = include_str!("../../README.md");
    assert!(readme.contains("cargo run --release -- demo") && readme.contains("cargo test\n"));
    let ci = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/run")).unwrap();
    assert!(ci.lines().any(|line| line.trim() == "cargo test"), ".ci/run runs the README's test command");
}

#[tokio::test]
async fn config_init_never_replaces_a_file() {
    let cli = Cli::new("color = 'never'\n");
    let refused = cli.run(&["config", "init"]).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert_eq!(std::fs::read_to_string(cli.path("config.toml")).unwrap(), "color = 'never'\n");
    std::fs::remove_file(cli.path("config.toml")).unwrap();
    // A file named on purpose must exist to be read; init is how it comes to be.
    let written = cli.run(&["config", "init"]).await;
    assert_eq!(written.code, 0, "{written:?}");
    assert!(cli.path("config.toml").exists());
}

const AUTOMATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/automation");

fn automation(name: &str) -> String {
    std::fs::read_to_string(format!("{AUTOMATION}/{name}")).unwrap()
}

/// Every command in a file, as words.
fn commands(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let at = |line: &str| line.find("qsnap ").filter(|at| *at == 0 || line[..*at].ends_with(['/', ' ', '=']));
    let found = lines.filter_map(|line| at(line).map(|at| line[at..].split_whitespace().map(str::to_owned).collect()));
    let is_command = |words: &Vec<String>| words.get(1).is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()));
    found.filter(is_command).collect()
}

/// What timers run is understood, and needs no person.
#[test]
fn ready_files_run_commands_that_exist() {
    use clap::Parser;
    use qsnap::cli::args::{Cli, Command};
    let mut files = 0;
    for entry in std::fs::read_dir(AUTOMATION).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut all = commands(&text);
        for line in text.lines().filter_map(|line| line.trim().strip_prefix("args: ")) {
            let words: Vec<String> = serde_json::from_str(line).unwrap();
            all.push(std::iter::once("qsnap".to_owned()).chain(words).collect());
        }
        files += usize::from(!all.is_empty());
        for words in all {
            let cli = Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{}: {words:?}: {error}", path.display()));
            let changes = matches!(cli.command, Some(Command::Backup(_) | Command::Drill(_)));
            assert!(!changes || cli.global.yes, "{}: {words:?} would ask", path.display());
        }
    }
    assert_eq!(files, 4, "the timer runs the service");
}

#[tokio::test]
async fn the_configuration_in_the_cron_job_is_valid() {
    let text = automation("kubernetes-cronjob.yaml");
    let block: Vec<&str> = text
        .lines()
        .skip_while(|line| line.trim() != "config.toml: |")
        .skip(1)
        .take_while(|line| line.starts_with("    "))
        .collect();
    assert!(block.len() > 5);
    let cli = Cli::new(&block.join("\n"));
    let shown = cli.run(&["config", "show"]).await;
    assert!(shown.code == 0 && shown.stdout.contains("[prod]"), "{shown:?}");
    for name in ["PROD_QDRANT_KEY", "AWS_ACCESS_KEY_ID"] {
        assert!(text.contains(&format!("{name}: \"change-me\"")), "{name}");
    }
}

#[test]
fn units_have_the_sections_that_they_need() {
    let (service, timer) = (automation("qsnap-backup.service"), automation("qsnap-backup.timer"));
    for line in ["[Service]", "Type=oneshot", "StateDirectory=qsnap"] {
        assert!(service.lines().any(|other| other == line), "{line}");
    }
    for line in ["[Timer]", "OnCalendar=hourly", "Persistent=true", "[Install]", "WantedBy=timers.target"] {
        assert!(timer.lines().any(|other| other == line), "{line}");
    }
    // Where the tool that knows is there, it has the last word.
    let checked = std::process::Command::new("systemd-analyze").args(["--version"]).output();
    if checked.is_ok_and(|ran| ran.status.success()) {
        let path = format!("{AUTOMATION}/qsnap-backup.timer");
        let ran = std::process::Command::new("systemd-analyze").args(["calendar", "hourly"]).output().unwrap();
        assert!(ran.status.success(), "{path}: {ran:?}");
    } else {
        support::say("skipped: no systemd-analyze");
    }
}
