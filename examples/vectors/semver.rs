//! Versions and constraints.

use pintle::golang::semver::Version;
use pintle::golang::semver_constraint::Constraint;
use serde_json::{Map, Value as Json, json};

pub fn answer(vector: &Json) -> Result<Json, String> {
    match vector["mode"].as_str() {
        Some("match") => matches(vector),
        Some("parse") => Ok(parse(vector["version"].as_str().ok_or("no version")?)),
        Some("compare") => Ok(compare(vector)),
        Some("sort") => Ok(sort(vector)),
        mode => Err(format!("unknown mode {mode:?}")),
    }
}

fn texts(json: &Json) -> Vec<&str> {
    json.as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}

fn matches(vector: &Json) -> Result<Json, String> {
    let mut constraint = match Constraint::new(vector["constraint"].as_str().ok_or("no constraint")?) {
        Ok(c) => c,
        Err(e) => return Ok(json!({ "err": e, "matches": null, "why": null, "best": null, "print": null })),
    };
    constraint.include_prerelease = vector["includePrerelease"] == true;
    let mut best: Option<Version> = None;
    let (mut matches, mut why) = (Vec::new(), Vec::new());
    for text in texts(&vector["versions"]) {
        let version = Version::new(text)?;
        let matched = constraint.check(&version);
        matches.push(matched);
        why.push(constraint.validate(&version).err().unwrap_or_default());
        if matched && best.as_ref().is_none_or(|b| version.compare(b).is_gt()) {
            best = Some(version);
        }
    }
    Ok(json!({
        "err": null,
        "matches": matches,
        "why": why,
        "best": best.map(|v| v.original),
        "print": constraint.to_string(),
    }))
}

fn parse(text: &str) -> Json {
    let show = |result: &Result<Version, String>| match result {
        Ok(v) => json!({
            "print": v.to_string(),
            "original": v.original,
            "major": v.major,
            "minor": v.minor,
            "patch": v.patch,
            "prerelease": v.pre,
            "metadata": v.metadata,
        }),
        Err(e) => json!({ "major": 0, "minor": 0, "patch": 0, "prerelease": "", "metadata": "", "err": e }),
    };
    let (lax, strict) = (Version::new(text), Version::strict(text));
    let next = lax.as_ref().ok().and_then(|v| Some([v.inc_major().ok()?, v.inc_minor().ok()?, v.inc_patch().ok()?]));
    json!({ "lax": show(&lax), "strict": show(&strict), "next": next.map(|n| n.map(|v| v.original)) })
}

fn compare(vector: &Json) -> Json {
    let version = |field: &str| Version::new(vector[field].as_str().unwrap_or_default());
    let mut out = Map::new();
    match (version("a"), version("b")) {
        (Err(e), _) | (_, Err(e)) => _ = out.insert("err".into(), e.into()),
        (Ok(a), Ok(b)) => {
            let order = a.compare(&b);
            out.insert("cmp".into(), (order as i8).into());
            out.insert("equal".into(), order.is_eq().into());
        }
    }
    Json::Object(out)
}

fn sort(vector: &Json) -> Json {
    let (mut sorted, mut skipped) = (Vec::new(), Vec::new());
    for text in texts(&vector["versions"]) {
        match Version::new(text) {
            Ok(v) => sorted.push(v),
            Err(_) => skipped.push(text),
        }
    }
    sorted.sort_by(Version::compare);
    let sorted: Vec<String> = sorted.into_iter().map(|v| v.original).collect();
    json!({ "sorted": sorted, "skipped": (!skipped.is_empty()).then_some(skipped) })
}
