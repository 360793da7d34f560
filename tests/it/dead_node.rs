//! Three nodes in the configuration, and any one of them dead: lists, snapshots, and restores of what the living hold, with
//! the truth about what is missing.

use crate::nodes::Three;
use crate::support::{Cli, Ran, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

fn errors(ran: &Ran) -> String {
    format!("{} {}", ran.stdout, ran.stderr)
}

async fn any_of_three_may_be_dead(mut three: Three) {
    for (name, copies) in [("more", 3), ("once", 1)] {
        let body = json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 3, "replication_factor": copies});
        assert_eq!(three.ask(0, "PUT", &format!("/collections/{name}"), body).await, (200, json!(true)));
        assert_eq!(three.upsert(name, 1..101).await, 200);
    }
    wait_until("all replicas are active", Duration::from_secs(60), async || {
        three.states(0, "more").await.iter().all(|state| state == "Active")
    })
    .await;
    let nodes: Vec<String> = (0..3).map(|node| format!("'{}'", three.url(node))).collect();
    let cli = Cli::new(&format!("[instances.a]\nnodes = [{}]\ntimeout = '5s'\n", nodes.join(", ")));
    for dead in 0..3 {
        three.stop(dead).await;
        let url = three.url(dead);
        let instances = cli.run(&["instances", "--output", "json"]).await;
        let states = instances.json()["items"][0]["node_states"].clone();
        let answers: Vec<bool> = states.as_array().unwrap().iter().map(|state| state["answers"] == true).collect();
        assert_eq!(answers.iter().position(|answers| !answers), Some(dead), "{instances:?}");
        let listed = cli.run(&["collections", "a", "--output", "json"]).await;
        assert!(listed.json()["items"].as_array().unwrap().len() >= 2 && errors(&listed).contains(&url), "{listed:?}");
        // What every living node holds is saved whole.
        let created = cli.run(&["snapshots", "create", "a/more", "--output", "json"]).await;
        assert_eq!(created.code, 0, "{created:?}");
        let created = created.json()["created"].as_array().unwrap().clone();
        assert_eq!(created.len(), 2, "{created:?}");
        let snapshots = cli.run(&["snapshots", "list", "a/more", "--output", "json"]).await;
        let text = errors(&snapshots);
        assert!(text.contains(&url) && text.contains("not seen"), "{snapshots:?}");
        assert!(snapshots.json()["items"].as_array().unwrap().len() >= 2, "{snapshots:?}");
        let target = format!("a/copy-{dead}");
        let restored = cli
            .run(&["restore", created[0].as_str().unwrap(), "--to", &target, "--mode", "new", "--yes", "--output", "json"])
            .await;
        assert_eq!((restored.code, &restored.json()["verdict"]), (0, &json!("matches")), "{restored:?}");
        assert!(restored.json()["verdict_reason"].as_str().unwrap().contains(&url), "it says who was not asked: {restored:?}");
        // What only the dead one holds is missing, and that is said.
        let partly = cli.run(&["snapshots", "create", "a/once", "--output", "json"]).await;
        assert_eq!((partly.code, partly.json()["created"].as_array().map(Vec::len)), (3, Some(2)), "{partly:?}");
        assert!(errors(&partly).contains("are on no node that answers"), "{partly:?}");
        // The newest may be on the dead one.
        let latest = cli.run(&["restore", "a/more@latest", "--to", "a/never", "--mode", "new", "--yes"]).await;
        assert!(latest.code == 6 && latest.stderr.contains(&url), "{latest:?}");
        three.start(dead).await;
        wait_until("all replicas are active again", Duration::from_secs(90), async || {
            let mut active = true;
            for name in ["more", target.trim_start_matches("a/")] {
                active &= three.states(0, name).await.iter().all(|state| state == "Active");
            }
            active
        })
        .await;
        let (status, gone) = three.ask(dead, "DELETE", &format!("/collections/copy-{dead}"), Value::Null).await;
        assert_eq!((status, gone), (200, json!(true)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_of_a_sandbox_may_be_dead() {
    any_of_three_may_be_dead(Three::sandbox().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_of_a_real_cluster_may_be_dead() {
    if let Some(three) = Three::real().await {
        any_of_three_may_be_dead(three).await;
    }
}
