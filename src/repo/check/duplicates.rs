//! Two things of one name: objects that come from two places, HelmReleases that make the same Helm release.

use std::collections::HashMap;

use super::environments::Built;
use super::rules;
use crate::report::Finding;

/// The place of an object, and who applies it.
type Maker<'m> = ((String, usize), &'m str);

/// Who applies an object.
fn applier(owner: &str) -> String {
    if owner.is_empty() { "the environment itself".into() } else { format!("Kustomization {owner}") }
}

pub fn check(built: &Built, out: &mut Vec<Finding>) {
    let mut seen: HashMap<(String, &str, &str, &str), Maker<'_>> = HashMap::new();
    for object in built.objects.iter().filter(|o| !o.hook && !o.name.is_empty()) {
        let group = object.api_version.split_once('/').map_or("", |(g, _)| g).to_owned();
        let key = (group, object.kind.as_str(), object.namespace.as_str(), object.name.as_str());
        let here = object.here();
        match seen.get(&key) {
            None => {
                seen.insert(key, (here, &object.owner));
            }
            Some((first, owner)) => {
                let what = format!("{} {}", object.kind, object.name);
                let (message, fix) = if *first == here && *owner != object.owner {
                    let message = format!("{what} is applied by {} and by {}", applier(owner), applier(&object.owner));
                    (message, "take the file out of one of the two, or give them different namespaces")
                } else if *first == here {
                    (format!("{what} is made here more than once"), "give each its own name")
                } else {
                    let message = format!("{what} is also made by {}:{}", first.0, first.1);
                    (message, "each of the two overwrites the other: rename or remove one")
                };
                let finding = Finding::new(&rules::DUPLICATE_OBJECT, here.0, here.1, message);
                out.push(finding.with_fix(fix).in_environment(&built.name));
            }
        }
    }
    let mut releases: HashMap<(String, String), usize> = HashMap::new();
    for (i, hr) in built.releases.iter().enumerate() {
        let key = (hr.helm_name(), hr.helm_namespace());
        let Some(first) = releases.insert(key.clone(), i).and_then(|f| built.releases.get(f)) else { continue };
        // One object that is applied twice was told of above.
        if first.place == hr.place && first.name == hr.name && first.namespace == hr.namespace {
            continue;
        }
        let message =
            format!("makes the Helm release {}/{} as HelmRelease {} does ({})", key.1, key.0, first.name, first.place);
        let finding = Finding::new(&rules::DUPLICATE_RELEASE, hr.place.path.clone(), hr.place.line, message);
        out.push(
            finding.with_fix("set spec.releaseName or spec.targetNamespace in one of them").in_environment(&built.name),
        );
    }
}
