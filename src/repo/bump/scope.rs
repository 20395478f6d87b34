//! Which files of a repository may hold a service's value in an environment.

use super::find::Tree;
use super::intent::Intent;

fn is_yaml(path: &str) -> bool {
    path.ends_with(".yaml") || path.ends_with(".yml") || is_kustomization(path)
}

pub(super) fn is_kustomization(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("kustomization.yaml" | "kustomization.yml" | "Kustomization"))
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
}

/// A file's name without its ending.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).unwrap_or_default()
}

/// A values file by the layout `…values…/SERVICE/ENV-config.yaml`.
fn laid_out(path: &str, intent: &Intent) -> bool {
    let (stem, dir) = (stem(path), path.rsplit('/').nth(1).unwrap_or_default());
    dir == intent.service
        && parts(path).any(|p| p.contains("values"))
        && [
            format!("{}-config", intent.env),
            format!("{}-values", intent.env),
            format!("values-{}", intent.env),
            intent.env.clone(),
        ]
        .iter()
        .any(|s| s == stem)
}

/// True if a file of the service is one of values, by its name or its directory's.
pub(super) fn is_values(path: &str, own: bool, intent: &Intent) -> bool {
    laid_out(path, intent) || (own && !is_kustomization(path) && parts(path).any(|p| p.contains("values")))
}

/// The files that may hold the value: of the service itself, and others of its environment.
pub(super) fn scope(tree: &dyn Tree, intent: &Intent) -> (Vec<String>, Vec<String>) {
    if let Some(file) = &intent.file {
        return (vec![file.clone()], Vec::new());
    }
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for path in tree.paths().iter().filter(|p| is_yaml(p)) {
        let dirs: Vec<&str> = path.rsplit_once('/').map(|(d, _)| parts(d).collect()).unwrap_or_default();
        let named = |dirs: &[&str]| dirs.contains(&intent.service.as_str());
        if laid_out(path, intent) {
            own.push(path.clone());
        } else if let Some(env) = dirs.iter().position(|d| *d == intent.env) {
            let (above, below) = dirs.split_at(env);
            let below = below.get(1..).unwrap_or_default();
            // `dev/web/…`, `dev/web.yaml`; `web/overlays/dev/x.yaml`, but not `web/dev/api/x.yaml`: there `web` may be a team.
            let service = named(below) || stem(path) == intent.service || (below.is_empty() && named(above));
            if service { own.push(path.clone()) } else { others.push(path.clone()) }
        }
    }
    (own, others)
}
