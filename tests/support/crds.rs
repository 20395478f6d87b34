//! The CustomResourceDefinitions of this repository on the tests' API server.

use std::sync::OnceLock;
use std::time::Duration;

use pintle::cluster::kube::{Connection, Kube};
use pintle::cluster::{Cluster, Json};

use super::cluster::{Namespace, runtime, write_options};

/// Makes sure that the kinds of `src/api` are served, once a test binary.
pub fn served(ns: &Namespace) {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let definitions = pintle::api::definitions().into_iter().map(|(_, d)| d).collect();
        let connection = ns.connection();
        // On a thread of its own: a test that asks may already be inside a runtime.
        std::thread::spawn(move || runtime().block_on(establish(&connection, definitions)))
            .join()
            .expect("definitions");
    });
}

/// Applies definitions and waits until the server knows them.
pub async fn establish(connection: &Connection, definitions: Vec<Json>) {
    let cluster = Kube::connect(connection).await.expect("a connection");
    for definition in definitions {
        let id = pintle::cluster::ObjectId::of(&definition);
        cluster.apply(&id, &definition, true, &write_options()).await.unwrap_or_else(|e| panic!("{id:?}: {e}"));
        for _ in 0..200 {
            let now = cluster.get(&id).await.expect("a definition").expect("it is there");
            let is = |kind: &str| {
                now["status"]["conditions"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|c| c["type"] == kind && c["status"] == "True"))
            };
            if is("Established") && is("NamesAccepted") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    cluster.refresh_discovery().await.expect("discovery");
}
