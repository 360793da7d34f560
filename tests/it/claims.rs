//! Two processes on one target: one works, the other is told who does.

use crate::support::{Cli, Server};
use qsnap::sandbox::seed::SeedCollection;
use std::process::{Child, Output, Stdio};

fn start(cli: &Cli, arguments: &[&str]) -> Child {
    cli.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_at_once_one_works_and_the_other_is_told_who() {
    let seeds = vec![SeedCollection { snapshot_ages: vec![60], ..SeedCollection::new("x", 30) }];
    let server = Server::sandbox(None, seeds).await;
    let cli = Cli::for_servers(&[("a", &server)]);
    // Long enough for the other one to arrive while it runs.
    server.faults().add_all("recover:delay=1500ms").unwrap();
    for chunk in (0..50).collect::<Vec<_>>().chunks(5) {
        let pairs: Vec<(String, [Child; 2])> = chunk
            .iter()
            .map(|number| {
                let target = format!("a/t{number}");
                let arguments = ["restore", "a/x@latest", "--to", &target, "--mode", "new", "--yes"];
                let pair = [start(&cli, &arguments), start(&cli, &arguments)];
                (target, pair)
            })
            .collect();
        for (target, [one, other]) in pairs {
            let outputs = [one.wait_with_output().unwrap(), other.wait_with_output().unwrap()];
            let code = |output: &Output| output.status.code().unwrap();
            let mut codes = outputs.each_ref().map(code);
            codes.sort_unstable();
            assert_eq!(codes, [0, 7], "{target}: {outputs:?}");
            let refused = outputs.iter().find(|output| code(output) == 7).unwrap();
            let words = String::from_utf8_lossy(&refused.stderr);
            assert!(words.contains("another restore works on it now (20"), "{target}: {words}");
            // The one that is named is the one that worked.
            let id = words.split("now (").nth(1).unwrap().split(',').next().unwrap().to_owned();
            let past = cli.run(&["history", "show", &id, "--output", "json"]).await.json();
            assert_eq!((&past["target"], &past["state"]), (&target.clone().into(), &"matches".into()), "{past}");
        }
    }
}
