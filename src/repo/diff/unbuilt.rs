//! What can't be compared: the parts of an environment that one of its Flux Kustomizations applies which could not be built.
//!
//! The rest of the environment is compared, as long as both states have that Kustomization: its objects are then known to be what is missing. A
//! part that has gone, or come, with a mistake in it may have left its objects to any other, or taken them from there.

use std::collections::BTreeSet;

use super::Side;
use crate::repo::{Built, HelmRelease};

/// The Kustomizations, `NAMESPACE/NAME`, whose objects are left out on both sides.
pub(super) struct Unbuilt(BTreeSet<String>);

impl Unbuilt {
    /// `None` if nothing can be compared.
    pub(super) fn of(base: Side<'_>, head: Side<'_>) -> Option<Self> {
        let mut all = BTreeSet::new();
        for (side, other) in [(base, head), (head, base)] {
            let Some(environment) = side.environment else { continue };
            if environment.problems.len() > environment.of_unbuilt {
                return None;
            }
            let there = |id: &String| kustomizations(other).any(|o| o.id() == *id);
            if other.environment.is_some() && !environment.unbuilt.iter().all(there) {
                return None;
            }
            all.extend(environment.unbuilt.iter().cloned());
        }
        // And what they apply themselves, on the side where they could be built.
        loop {
            let before = all.len();
            for side in [base, head] {
                let below = kustomizations(side).filter(|o| all.contains(&o.owner)).map(Built::id);
                let below: Vec<String> = below.collect();
                all.extend(below);
            }
            if all.len() == before {
                return Some(Self(all));
            }
        }
    }

    /// Whether the objects of a Kustomization are left out.
    pub(super) fn has(&self, owner: &str) -> bool {
        self.0.contains(owner)
    }

    /// Whether a release is.
    pub(super) fn has_release(&self, side: Side<'_>, hr: &HelmRelease) -> bool {
        let built = side.environment.map_or(&[][..], |e| &e.built);
        let is_it = |o: &&Built| {
            o.kind == "HelmRelease" && o.name == hr.name && o.namespace == hr.namespace.as_deref().unwrap_or_default()
        };
        !self.0.is_empty() && built.iter().find(is_it).is_some_and(|o| self.has(&o.owner))
    }
}

fn kustomizations<'s>(side: Side<'s>) -> impl Iterator<Item = &'s Built> {
    side.environment.map_or(&[][..], |e| &e.built).iter().filter(|o| o.is_kustomization())
}
