//! Writes `crds/`: the CustomResourceDefinitions that pintle serves, from the Rust types of `src/api`.
//!
//! `cargo run --example crds` writes the files of the checkout anew, and the kustomization that lists them; a test compares them.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    std::fs::create_dir_all(&dir)?;
    let mut list = String::from("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n");
    for (name, text) in pintle::api::definition_files()? {
        std::fs::write(dir.join(&name), text)?;
        list.push_str(&format!("- {name}\n"));
        println!("crds/{name}");
    }
    std::fs::write(dir.join("kustomization.yaml"), list)?;
    Ok(())
}
