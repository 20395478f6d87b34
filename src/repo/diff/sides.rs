//! Both states of an environment, opened as far as a comparison needs them.

use std::collections::{BTreeMap, BTreeSet};

use super::concerned::Selection;
use super::{EnvironmentDiff, Range, Side, compare};
use crate::gotmpl::spawn_large;
use crate::repo::charts::Location;
use crate::repo::{Built, Checkout, Environment, Settings};

/// Opens an environment of a state, or of its kustomization only some resources.
pub type Open<'o, E> = dyn Fn(&Checkout, Option<&[String]>) -> Result<Environment, E> + Sync + 'o;

/// What differs in one environment, or in one service of it. With `narrow` only what the changes concern is opened; the answer is the same.
///
/// # Errors
/// Those of `open`. What is wrong in the environment is in `problems`.
pub fn environment<E: Send>(
    range: &Range,
    name: &str,
    service: Option<&str>,
    settings: &Settings,
    narrow: bool,
    open: &Open<'_, E>,
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
        let open_head = || in_head.then(|| open(&head, new_list)).transpose();
        let open_base = || in_base.then(|| open(&range.base, old_list)).transpose();
        let touches = selection.as_ref().is_some_and(|chosen| !chosen.is_untouched());
        let (new, old) = if touches {
            both(open_head, open_base)
        } else {
            let new = open_head()?;
            // What the newer state did not look at can't have made it different.
            let looked_at = reached.as_ref().is_none_or(|changed| touched.concerned(changed));
            let old = if new.is_none() || looked_at { open_base() } else { Ok(None) };
            (Ok(new), old)
        };
        let (new, old) = (new?, old?);
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
        diff.has_service = service.is_none_or(|service| {
            let in_part = selection.as_ref().is_some_and(|chosen| chosen.has_service(service));
            in_part || [base, head].iter().any(|side| side.environment.is_some_and(|e| has_service(e, service)))
        });
        diff.warnings = [&new, &old].into_iter().flatten().flat_map(|e| e.warnings.clone()).collect();
        return Ok(diff);
    }
}

/// Whether something of a service is in an environment.
pub fn has_service(environment: &Environment, service: &str) -> bool {
    let dir = format!("/{service}/");
    environment.releases.iter().any(|hr| hr.belongs_to(service))
        || environment.built.iter().any(|o| o.place.path.contains(&dir))
}

/// Runs two things side by side.
pub(super) fn both<A, B: Send>(a: impl FnOnce() -> A, b: impl Fn() -> B + Sync) -> (A, B) {
    std::thread::scope(|scope| {
        let beside = spawn_large(scope, &b);
        let first = a();
        let second = match beside {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // There is no thread to be had.
            Err(_) => b(),
        };
        (first, second)
    })
}

/// Whether what was left out may be missed: something is wrong, or a chart is not in the repository that it is said to be in.
fn is_doubtful(side: Side<'_>) -> bool {
    let Some(environment) = side.environment else { return false };
    let strange = |hr| match environment.locate(side.checkout, hr) {
        Ok((Location::Here(_), _)) => environment.is_unsure(side.checkout, hr),
        Ok((Location::Composed(_), _)) => false,
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
