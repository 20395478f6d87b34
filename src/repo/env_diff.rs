//! How two environments differ in configuration: values key by key with the file that each comes from, charts, images, objects.
//!
//! Both are opened from the same checkout and their releases are rendered as `build` does. What is a secret on either side is compared, if a key
//! decrypts it, and never shown; without a key nothing is said of it but that it could not be compared.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::sops::mask::is_placeholder;
use crate::value::Heap;

use super::diff::risks::containers;
use super::document::Kind;
use super::helm_release::HelmRelease;
use super::layer::Origin;
use super::layers::Layers;
use super::mask::{MASK, Masker};
use super::objects::Environment;
use super::render::{Rendered, Settings};
use super::{Checkout, charts::Location};

/// One side's part of a difference; nothing where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// As it may be shown.
    pub value: String,
    /// Where it is set: `FILE:LINE`, or what sets it; empty if that is not known.
    pub place: String,
    /// string, integer, number, boolean, null, map, list
    pub kind: &'static str,
    pub secret: bool,
}

/// A value that is not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueDifference {
    pub key: String,
    pub left: Option<At>,
    pub right: Option<At>,
    /// The two have different types.
    pub types: bool,
}

/// Something of a release that is not the same: `chart`, `chart version`, an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub what: String,
    pub left: String,
    pub right: String,
    pub left_place: String,
    pub right_place: String,
}

/// What differs in one service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceDiff {
    /// The HelmRelease's name.
    pub name: String,
    /// Its place on each side; empty where it is missing.
    pub left: String,
    pub right: String,
    pub chart: Vec<Difference>,
    pub values: Vec<ValueDifference>,
    /// Keys of secrets that can't be compared without a key.
    pub unknown: Vec<String>,
    pub images: Vec<Difference>,
    /// `Kind/name` of objects that only one side has.
    pub only_left: Vec<String>,
    pub only_right: Vec<String>,
}

/// What differs between two environments.
#[derive(Debug, Default)]
pub struct EnvironmentsDiff {
    pub services: Vec<ServiceDiff>,
    /// Objects outside of releases that only one environment has.
    pub only_left: Vec<String>,
    pub only_right: Vec<String>,
    /// Why the comparison is not whole.
    pub problems: Vec<String>,
}

impl ServiceDiff {
    pub const fn is_empty(&self) -> bool {
        self.chart.is_empty()
            && self.values.is_empty()
            && self.images.is_empty()
            && self.only_left.is_empty()
            && self.only_right.is_empty()
            && !self.left.is_empty()
            && !self.right.is_empty()
    }
}

impl EnvironmentsDiff {
    pub fn is_empty(&self) -> bool {
        self.only_left.is_empty() && self.only_right.is_empty() && self.services.iter().all(ServiceDiff::is_empty)
    }
}

/// Compares two environments, or one service of them.
pub fn compare(
    checkout: &Checkout,
    left: &Environment,
    right: &Environment,
    service: Option<&str>,
    settings: &Settings,
) -> EnvironmentsDiff {
    let mut out = EnvironmentsDiff::default();
    for side in [left, right] {
        out.problems.extend(side.problems.iter().map(|p| format!("{}: {p}", side.name)));
    }
    if !out.problems.is_empty() {
        return out;
    }
    let chosen = |side| -> BTreeMap<&str, &HelmRelease> {
        let side: &Environment = side;
        let wanted = side.releases.iter().filter(|hr| service.is_none_or(|s| hr.belongs_to(s)));
        wanted.map(|hr| (hr.name.as_str(), hr)).collect()
    };
    let (a, b) = (chosen(left), chosen(right));
    let names: BTreeSet<&str> = a.keys().chain(b.keys()).copied().collect();
    for name in names {
        let (hr_left, hr_right) = (a.get(name).copied(), b.get(name).copied());
        let place = |hr: Option<&HelmRelease>| hr.map(|hr| hr.place.to_string()).unwrap_or_default();
        let mut diff = ServiceDiff {
            name: name.to_owned(),
            left: place(hr_left),
            right: place(hr_right),
            ..ServiceDiff::default()
        };
        if let (Some(x), Some(y)) = (hr_left, hr_right) {
            match (Side::open(checkout, left, x, settings), Side::open(checkout, right, y, settings)) {
                (Ok(x), Ok(y)) => releases(&x, &y, &mut diff),
                (x, y) => {
                    out.problems.extend([x.err(), y.err()].into_iter().flatten());
                    continue;
                }
            }
        }
        out.services.push(diff);
    }
    if service.is_none() {
        let all = |side: &Environment| -> BTreeSet<String> {
            let others = side.built.iter().filter(|o| o.kind != "HelmRelease");
            others.map(|o| format!("{}/{}", o.kind, plain(&o.name))).collect()
        };
        let (a, b) = (all(left), all(right));
        out.only_left = a.difference(&b).cloned().collect();
        out.only_right = b.difference(&a).cloned().collect();
    }
    out
}

/// A name without the hash that a generator gave it: that tells content from content, not object from object.
fn plain(name: &str) -> &str {
    const HASH: usize = 10;
    match name.rsplit_once('-') {
        Some((stem, hash)) if hash.len() == HASH && hash.bytes().all(|b| b"bcdfghkmt2456789".contains(&b)) => stem,
        _ => name,
    }
}

/// One release, rendered, with where its values come from.
struct Side<'e> {
    masker: &'e Masker,
    layers: Layers,
    values: Json,
    rendered: Rendered,
    location: String,
    chart_place: String,
}

impl<'e> Side<'e> {
    fn open(checkout: &Checkout, env: &'e Environment, hr: &HelmRelease, settings: &Settings) -> Result<Self, String> {
        let fail = |p: super::Problem| format!("{}: {p}", env.name);
        let rendered = env.render(checkout, hr, settings).map_err(fail)?;
        let layers = env.layers(checkout, hr).map_err(fail)?;
        let values = env.merged(checkout, hr, settings).map_err(fail)?;
        let values = serde_json::from_slice(&values).map_err(|e| format!("{}: {}: values: {e}", env.name, hr.place))?;
        let (location, spec) = env.locate(checkout, hr).map_err(fail)?;
        let location = match location {
            Location::Here(path) => path,
            Location::Elsewhere(at) => at.reference.to_string(),
            Location::Composed(composed) => composed.to_string(),
        };
        Ok(Self { masker: &env.masker, layers, values, rendered, location, chart_place: spec.place.to_string() })
    }

    fn origin(&self, path: &[String]) -> Option<Origin> {
        self.layers.origins(path).pop()
    }

    fn at(&self, path: &[String], value: &Json) -> At {
        let origin = self.origin(path);
        let text = value.to_string();
        let is_masked = !value.is_object() && !value.is_array() && !self.masker.is_clean(text.as_bytes());
        let secret = is_masked || origin.as_ref().is_some_and(|o| o.secret);
        let shown = match value {
            _ if secret => MASK.to_owned(),
            Json::Object(_) => "a map".to_owned(),
            Json::Array(_) => "a list".to_owned(),
            _ => text,
        };
        At { value: shown, place: origin.map(|o| o.place).unwrap_or_default(), kind: kind(value), secret }
    }
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => Kind::Null,
        Json::Bool(_) => Kind::Bool,
        Json::Number(n) if n.is_f64() => Kind::Float,
        Json::Number(_) => Kind::Int,
        Json::String(_) => Kind::Text,
        Json::Array(_) => Kind::List,
        Json::Object(_) => Kind::Map,
    }
    .as_str()
}

fn releases(a: &Side<'_>, b: &Side<'_>, out: &mut ServiceDiff) {
    let chart = |side: &Side<'_>| {
        let chart = &side.rendered.release.chart;
        [
            ("chart", side.location.clone()),
            ("chart name", chart.name().to_owned()),
            ("chart version", chart.metadata.version.clone()),
        ]
    };
    for ((what, left), (_, right)) in chart(a).into_iter().zip(chart(b)) {
        if left != right {
            let (left_place, right_place) = (a.chart_place.clone(), b.chart_place.clone());
            out.chart.push(Difference { what: what.to_owned(), left, right, left_place, right_place });
        }
    }
    values(a, b, &mut Vec::new(), Some(&a.values), Some(&b.values), out);
    let (left, right) = (objects(&a.rendered), objects(&b.rendered));
    out.only_left = left.keys().filter(|k| !right.contains_key(*k)).cloned().collect();
    out.only_right = right.keys().filter(|k| !left.contains_key(*k)).cloned().collect();
    for (object, x) in &left {
        let Some(y) = right.get(object) else { continue };
        let of = |json: &Json| {
            let mut all = Vec::new();
            containers(json, 0, &mut all);
            all.into_iter().collect::<BTreeMap<String, String>>()
        };
        let (x, y) = (of(x), of(y));
        let names: BTreeSet<&String> = x.keys().chain(y.keys()).collect();
        for name in names {
            let (left, right) = (x.get(name).cloned(), y.get(name).cloned());
            if left != right {
                let what = format!("{object} {name}");
                let text = Option::unwrap_or_default;
                let places = (String::new(), String::new());
                out.images.push(Difference {
                    what,
                    left: text(left),
                    right: text(right),
                    left_place: places.0,
                    right_place: places.1,
                });
            }
        }
    }
}

fn values(
    a: &Side<'_>,
    b: &Side<'_>,
    path: &mut Vec<String>,
    x: Option<&Json>,
    y: Option<&Json>,
    out: &mut ServiceDiff,
) {
    if x == y && !has_placeholder(x) {
        return;
    }
    let fields = |v: Option<&Json>| -> Option<BTreeMap<String, Json>> {
        match v {
            Some(Json::Object(map)) if !map.is_empty() => Some(map.clone().into_iter().collect()),
            Some(Json::Array(items)) if !items.is_empty() => {
                Some(items.iter().enumerate().map(|(i, v)| (format!("{i:06}"), v.clone())).collect())
            }
            _ => None,
        }
    };
    let same_kind =
        matches!((x, y), (Some(Json::Object(_)) | None, Some(Json::Object(_))) | (Some(Json::Object(_)), None))
            || matches!((x, y), (Some(Json::Array(_)) | None, Some(Json::Array(_))) | (Some(Json::Array(_)), None));
    if same_kind {
        let is_list = matches!((x, y), (Some(Json::Array(_)), _) | (_, Some(Json::Array(_))));
        let (left, right) = (fields(x), fields(y));
        if left.is_some() || right.is_some() {
            let (left, right) = (left.unwrap_or_default(), right.unwrap_or_default());
            let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            for key in keys {
                let trimmed = key.trim_start_matches('0');
                let shown = match (is_list, trimmed) {
                    (false, _) => key.as_str(),
                    (true, "") => "0",
                    (true, digits) => digits,
                };
                path.push(shown.to_owned());
                values(a, b, path, left.get(key), right.get(key), out);
                path.pop();
            }
            return;
        }
    }
    // What is global is in every subchart's values too, and told once.
    let is_global = path.iter().skip(1).any(|k| k == "global");
    let is_own = |side: &Side<'_>| side.origin(path).is_some() && !side.layers.is_handed_down(path);
    if is_global && !is_own(a) && !is_own(b) {
        return;
    }
    let (left, right) = (x.map(|v| a.at(path, v)), y.map(|v| b.at(path, v)));
    let key: Vec<String> = path.iter().map(|k| k.replace('.', "\\.")).collect();
    let key = key.join(".");
    let encrypted = |v: Option<&Json>| v.and_then(Json::as_str).is_some_and(is_placeholder);
    if encrypted(x) && encrypted(y) {
        out.unknown.push(key);
        return;
    }
    let types = matches!((&left, &right), (Some(l), Some(r)) if l.kind != r.kind);
    // A secret on one side is no less one on the other.
    let secret = [&left, &right].into_iter().flatten().any(|s| s.secret) || encrypted(x) || encrypted(y);
    let hide =
        |side: Option<At>| side.map(|s| if secret { At { value: MASK.to_owned(), secret: true, ..s } } else { s });
    out.values.push(ValueDifference { key, left: hide(left), right: hide(right), types: types && !secret });
}

fn has_placeholder(v: Option<&Json>) -> bool {
    match v {
        Some(Json::String(s)) => is_placeholder(s),
        Some(Json::Array(items)) => items.iter().any(|i| has_placeholder(Some(i))),
        Some(Json::Object(map)) => map.values().any(|i| has_placeholder(Some(i))),
        _ => false,
    }
}

/// The objects of a release by kind and name; namespaces are each environment's own.
fn objects(rendered: &Rendered) -> BTreeMap<String, Json> {
    let r = &rendered.release;
    let crds = r.crds.iter().map(|c| &c.data[..]);
    let all = crds.chain(r.manifests.iter().map(|m| &m.content[..])).chain(r.hooks.iter().map(|h| &h.manifest[..]));
    let mut heap = Heap::new();
    let mut out = BTreeMap::new();
    for document in all.flat_map(crate::render::manifest::split) {
        let Ok(value) = crate::yaml::to_value(&mut heap, document) else { continue };
        let Ok(json) = crate::value::json::encode(&mut heap, &value, false, None) else { continue };
        let Ok(json) = serde_json::from_slice::<Json>(&json) else { continue };
        let text = |pointer: &str| json.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned();
        let (kind, name) = (text("/kind"), text("/metadata/name"));
        if !kind.is_empty() {
            out.insert(format!("{kind}/{name}"), json);
        }
    }
    out
}
