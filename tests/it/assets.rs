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
