//! Both states of an environment, opened as far as a comparison needs them.

use std::collections::{BTreeMap, BTreeSet};

use super::concerned::Selection;
use super::{EnvironmentDiff, Range, Side, compare};
use crate::repo::charts::Location;
use crate::repo::{Built, Checkout, Environment, Settings};

/// Opens an environment of a state, or of its kustomization only some resources.
pub type Open<'o, E> = dyn FnMut(&Checkout, Option<&[String]>) -> Result<Environment, E> + 'o;

/// What differs in one environment, or in one service of it. With `narrow` only what the changes concern is opened; the answer is the same.
///
/// # Errors
/// Those of `open`. What is wrong in the environment is in `problems`.
pub fn environment<E>(
    range: &Range,
    name: &str,
    service: Option<&str>,
    settings: &Settings,
    narrow: bool,
    open: &mut Open<'_, E>,
) -> Result<EnvironmentDiff, E> {
    let dirs = [&range.base, &range.head].map(|checkout| Environment::directory(checkout, name).ok());
    let mut selection = match &dirs {
        [Some(base), Some(head)] if base == head && narrow => Selection::new(range, head),
        _ => None,
    };
    let reached = range.reached();
    let [in_base, in_head] = dirs.map(|dir| dir.is_some());
    loop {
        let lists = selection.as_ref().map(Selection::resources);
        let (old_list, new_list) = lists.as_ref().map_or((None, None), |(old, new)| (Some(&old[..]), Some(&new[..])));
        let (head, touched) = range.head.watched();
        let new = if in_head { Some(open(&head, new_list)?) } else { None };
        // What the newer state did not look at can't have made it different.
        let looked_at = reached.as_ref().is_none_or(|changed| touched.concerned(changed));
        let old = if in_base && (new.is_none() || old_list != new_list || looked_at) {
            Some(open(&range.base, old_list)?)
        } else {
            None
        };
        let same = in_base && old.is_none();
        let base = Side { checkout: &range.base, environment: if same { new.as_ref() } else { old.as_ref() } };
        let head = Side { checkout: &head, environment: new.as_ref() };
        if let Some(chosen) = &mut selection {
            if is_doubtful(base) || is_doubtful(head) {
                selection = None;
                continue;
            }
            if !same && chosen.extend(&changed_names(base, head, chosen)) {
                continue;
            }
        }
        let mut diff = compare(base, head, reached.as_ref().unwrap_or(&range.changed), service, settings);
        diff.name = name.to_owned();
        return Ok(diff);
    }
}

/// Whether what was left out may be missed: something is wrong, or a chart is not in the repository that it is said to be in.
fn is_doubtful(side: Side<'_>) -> bool {
    let Some(environment) = side.environment else { return false };
    let strange = |hr| match environment.locate(side.checkout, hr) {
        Ok((Location::Here(_), _)) => false,
        Ok((Location::Elsewhere(_), spec)) => spec.source.kind == "GitRepository",
        Err(_) => true,
    };
    !environment.problems.is_empty() || environment.releases.iter().any(strange)
}

/// The names by which a change of objects is felt elsewhere: those that came or went, and those of objects that are read.
fn changed_names(base: Side<'_>, head: Side<'_>, chosen: &Selection) -> BTreeSet<String> {
    let objects = |side: Side<'_>| -> BTreeMap<(String, String, String, String), String> {
        let built = side.environment.map_or(&[][..], |e| &e.built);
        let id = |o: &Built| (o.api_version.clone(), o.kind.clone(), o.namespace.clone(), o.name.clone());
        built.iter().map(|o| (id(o), o.text.clone())).collect()
    };
    let (old, new) = (objects(base), objects(head));
    let is_read =
        |api: &str, kind: &str| matches!(kind, "ConfigMap" | "Secret") || api.contains("source.toolkit.fluxcd.io");
    let mut names = BTreeSet::new();
    for id in old.keys().chain(new.keys()) {
        let (a, b) = (old.get(id), new.get(id));
        if a.is_none() || b.is_none() || a != b && is_read(&id.0, &id.1) {
            names.insert(id.3.clone());
        }
    }
    if !names.is_empty() {
        // A prefix may stand before the name that others write.
        names.extend(chosen.unclear_names().cloned());
    }
    names
}
