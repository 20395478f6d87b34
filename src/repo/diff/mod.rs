//! What a change of files does to an environment: release by release, object by object.
//!
//! Only what the changed files can affect is built: the parts of the environment that they concern (`concerned`), and then the newer state
//! notes which files it looked at ([`touched`]); if none of them changed, the older state is the same. Releases are rendered on both sides only where their own inputs differ. What can't be rendered on a side is a
//! problem, never a removal.

mod concerned;
mod immutable;
mod mentions;
mod objects;
mod parts;
mod range;
pub(super) mod risks;
mod sides;
pub mod touched;
mod unbuilt;
mod working;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use mentions::is_below;
pub use objects::ObjectChange;
pub use range::Range;
pub use risks::{Facts, Risk};
pub use sides::{environment, has_service};

use unbuilt::Unbuilt;

use crate::repo::charts::Location;
use crate::repo::helm_release::ChartRef;
use crate::repo::mask::{self, Masker};
use crate::repo::{Built, Checkout, Environment, HelmRelease, Problem, Rendered, Settings};

/// One side of a comparison.
#[derive(Clone, Copy)]
pub(super) struct Side<'s> {
    pub checkout: &'s Checkout,
    /// Nothing: the environment does not exist on this side.
    pub environment: Option<&'s Environment>,
}

/// What differs in one environment.
#[derive(Debug, Default)]
pub struct EnvironmentDiff {
    pub name: String,
    /// Releases with differences, in the newer state's order.
    pub releases: Vec<ReleaseDiff>,
    /// Objects outside of releases.
    pub objects: Vec<ObjectChange>,
    /// Why the comparison is not whole.
    pub problems: Vec<String>,
    /// Releases that were rendered, both sides together.
    pub rendered: usize,
    /// What the builds warn of.
    pub warnings: Vec<String>,
    /// Something of the service that was asked for is in one of the states; false if that is not known.
    pub has_service: bool,
}

/// What differs in one release.
#[derive(Debug)]
pub struct ReleaseDiff {
    /// `NAMESPACE/NAME`, as Helm knows it.
    pub release: String,
    /// The HelmRelease's place, in the newer state if it is there.
    pub place: String,
    /// `added`, `removed`, `changed`
    pub change: &'static str,
    pub objects: Vec<ObjectChange>,
}

impl EnvironmentDiff {
    pub fn is_empty(&self) -> bool {
        self.releases.is_empty() && self.objects.is_empty()
    }

    /// All changes of objects.
    pub fn changes(&self) -> impl Iterator<Item = &ObjectChange> {
        self.releases.iter().flat_map(|r| &r.objects).chain(&self.objects)
    }
}

/// Compares two states of an environment, or of one service in it.
fn compare(
    base: Side<'_>,
    head: Side<'_>,
    changed: &BTreeSet<String>,
    service: Option<&str>,
    settings: &Settings,
) -> EnvironmentDiff {
    let mut out = EnvironmentDiff::default();
    let maskers: Vec<&Masker> = [base, head].iter().filter_map(|s| s.environment.map(|e| &e.masker)).collect();
    for (side, what) in [(base, "base"), (head, "head")] {
        let Some(environment) = side.environment else { continue };
        out.name = environment.name.clone();
        for p in &environment.problems {
            out.problems.push(format!("{what}: {p}"));
        }
    }
    let Some(unbuilt) = Unbuilt::of(base, head) else {
        let masker = Masker::of_all(&maskers);
        out.problems.iter_mut().for_each(|p| *p = masker.apply_text(p));
        return out;
    };
    let wanted = |hr: &&HelmRelease| service.is_none_or(|s| hr.belongs_to(s));
    let comparable = |side| {
        let mut all = releases(side, wanted);
        all.retain(|hr| !unbuilt.has_release(side, hr));
        all
    };
    let (old, new) = (comparable(base), comparable(head));
    let old_by: BTreeMap<_, &HelmRelease> = old.iter().map(|hr| (id(hr), *hr)).collect();
    let new_by: BTreeMap<_, &HelmRelease> = new.iter().map(|hr| (id(hr), *hr)).collect();
    let mut pairs: Vec<(Option<&HelmRelease>, Option<&HelmRelease>)> =
        new.iter().map(|hr| (old_by.get(&id(hr)).copied(), Some(*hr))).collect();
    pairs.extend(old.iter().filter(|hr| !new_by.contains_key(&id(hr))).map(|hr| (Some(*hr), None)));
    // One state of the environment for both: the release and what it takes values from are the same, but its chart may not be.
    let same = matches!((base.environment, head.environment), (Some(a), Some(b)) if std::ptr::eq(a, b));
    // What has the same inputs renders the same.
    pairs.retain(|(a, b)| match (a, b) {
        (Some(a), Some(b)) => {
            let (x, y) = (located(base, a), located(head, b));
            let given = |side, hr| (!same).then(|| inputs(side, hr));
            name(&x) != name(&y) || given(base, a) != given(head, b) || reads(&y, changed) || reads(&x, changed)
        }
        _ => true,
    });
    let (old, new): (Vec<_>, Vec<_>) =
        (pairs.iter().filter_map(|(a, _)| *a).collect(), pairs.iter().filter_map(|(_, b)| *b).collect());
    out.rendered = old.len() + new.len();
    let side = |side, list: &[&HelmRelease]| render(side, list, settings);
    let ((before, failed_before), (after, failed_after)) = match (&old[..], &new[..]) {
        // One release leaves the other cores to the other side.
        ([_], [_]) => sides::both(|| side(base, &old), || side(head, &new)),
        _ => (side(base, &old), side(head, &new)),
    };
    for (what, p) in failed_before.iter().map(|p| ("base", p)).chain(failed_after.iter().map(|p| ("head", p))) {
        out.problems.push(format!("{what}: {p}"));
    }
    // By now it is known what the templates made of secrets.
    let masker = Masker::of_all(&maskers);
    out.problems.iter_mut().for_each(|p| *p = masker.apply_text(p));
    let hide = |text: &[u8]| masker.apply_yaml(text);
    for (a, b) in pairs {
        let Some(hr) = b.or(a) else { continue };
        let (x, y) = (a.and_then(|a| before.get(&id(a))), b.and_then(|b| after.get(&id(b))));
        // One side failed, and has been named.
        if a.is_some() != x.is_some() || b.is_some() != y.is_some() {
            continue;
        }
        let Some(named) = y.or(x) else { continue };
        let texts = |r: Option<&Rendered>| r.map_or_else(Vec::new, documents);
        let moved = matches!((x, y), (Some(x), Some(y)) if (&x.name, &x.namespace) != (&y.name, &y.namespace));
        let namespace = |r: Option<&Rendered>| r.unwrap_or(named).namespace.clone();
        let namespaces = [namespace(x), namespace(y)];
        let mut objects = objects::compare(&texts(x), &texts(y), namespaces.each_ref().map(String::as_str), &hide);
        if moved && let (Some(x), Some(y)) = (x, y) {
            let text = format!(
                "Helm's release {}/{} becomes {}/{}: it is uninstalled and installed anew",
                x.namespace, x.name, y.namespace, y.name
            );
            objects.push(ObjectChange::note(format!("HelmRelease {}", hr.name), Risk::danger(text)));
        }
        if objects.is_empty() && a.is_some() && b.is_some() {
            continue;
        }
        out.releases.push(ReleaseDiff {
            release: format!("{}/{}", named.namespace, named.name),
            place: hr.place.to_string(),
            change: match (a, b) {
                (None, _) => "added",
                (_, None) => "removed",
                _ => "changed",
            },
            objects,
        });
    }
    let others = |side: Side<'_>| -> Vec<Vec<u8>> {
        let of_service = |o: &&Built| service.is_none_or(|s| o.place.path.contains(&format!("/{s}/")));
        let comparable = |o: &&Built| !unbuilt.has(&o.owner);
        let all = side.environment.map_or(&[][..], |e| &e.built);
        all.iter().filter(of_service).filter(comparable).map(shown).collect()
    };
    if !same {
        out.objects = objects::compare(&others(base), &others(head), ["", ""], &hide);
    }
    out
}

/// Renders releases of one side: what came of them by their identity, and what can't be rendered.
fn render(side: Side<'_>, list: &[&HelmRelease], settings: &Settings) -> (BTreeMap<Identity, Rendered>, Vec<Problem>) {
    let Some(environment) = side.environment else { return Default::default() };
    let (mut good, mut failed) = (BTreeMap::new(), Vec::new());
    for (hr, result) in list.iter().zip(environment.render_all(side.checkout, list, settings)) {
        match result {
            Ok(rendered) => drop(good.insert(id(hr), rendered)),
            Err(p) => failed.push(p),
        }
    }
    (good, failed)
}

/// A HelmRelease's namespace and name.
type Identity = (String, String);

fn id(hr: &HelmRelease) -> Identity {
    (hr.namespace.clone().unwrap_or_default(), hr.name.clone())
}

/// An object as it is compared: what SOPS encrypted is told by the comparison of secrets, which knows more.
fn shown(object: &Built) -> Vec<u8> {
    if object.encrypted { mask::secret(&object.text).into_bytes() } else { object.text.clone().into_bytes() }
}

/// All documents of a release.
fn documents(r: &Rendered) -> Vec<Vec<u8>> {
    let crds = r.release.crds.iter().map(|c| c.data.to_vec());
    let manifests = r.release.manifests.iter().map(|m| m.content.to_vec());
    crds.chain(manifests).chain(r.release.hooks.iter().map(|h| h.manifest.to_vec())).collect()
}

/// The releases of one side that are asked for.
fn releases<'s>(side: Side<'s>, wanted: impl Fn(&&HelmRelease) -> bool) -> Vec<&'s HelmRelease> {
    side.environment.map_or_else(Vec::new, |e| e.releases.iter().filter(wanted).collect())
}

type Located = Option<Result<(Location, ChartRef), Problem>>;

/// Where a release's chart is on one side.
fn located(side: Side<'_>, hr: &HelmRelease) -> Located {
    side.environment.map(|e| e.locate(side.checkout, hr))
}

/// What tells a chart from others, files aside.
fn name(located: &Located) -> Option<String> {
    Some(match located.as_ref()? {
        Ok((Location::Here(path), _)) => path.clone(),
        Ok((Location::Elsewhere(at), spec)) => format!("{} {:?}", at.reference.key(), spec.values_files),
        Ok((Location::Composed(composed), _)) => composed.key(),
        Err(e) => e.message.clone(),
    })
}

/// What a release says and the objects that it takes values from: with its chart, all that it is rendered from.
fn inputs<'s>(side: Side<'s>, hr: &'s HelmRelease) -> Option<(&'s [u8], Vec<Option<String>>)> {
    let environment = side.environment?;
    let object = |kind: &str, name: &str| environment.find(kind, name, hr.namespace.as_deref());
    let objects = hr.values_from.iter().map(|r| object(&r.kind, &r.name).map(|o| o.node.plain())).collect();
    Some((&hr.text, objects))
}

/// Whether a release's chart or values files are among the changed files.
fn reads(located: &Located, changed: &BTreeSet<String>) -> bool {
    match located {
        Some(Ok((Location::Here(chart), spec))) => {
            let mut files = spec.values_files.iter().filter_map(|(f, _)| Checkout::relative(f).ok());
            changed.iter().any(|p| mentions::is_below(p, chart)) || files.any(|f| changed.contains(&f))
        }
        Some(Ok((Location::Composed(composed), _))) => changed.iter().any(|p| composed.reads(p)),
        _ => false,
    }
}
