//! Sources that may give something else tomorrow than today, and connections that anyone can change.

use std::collections::BTreeSet;

use super::environments::Built;
use super::rules;
use super::scan::{Scan, at, text};
use crate::repo::charts;
use crate::repo::document::Node;
use crate::repo::files::Checkout;
use crate::report::Finding;

pub fn check(scan: &Scan, checkout: &Checkout, builts: &[Built], out: &mut Vec<Finding>) {
    let given = patched(checkout, builts, out);
    for (file, node) in scan.objects() {
        let api = text(node, "apiVersion");
        let Some(spec) = node.get("spec") else { continue };
        let mut say = |rule, n: &Node, message: String, fix: &str| {
            out.push(Finding::new(rule, file.path.clone(), n.line(), message).with_fix(fix));
        };
        if api.starts_with("helm.toolkit.fluxcd.io/") && text(node, "kind") == "HelmRelease" {
            if !given.contains(&(file.path.clone(), node.line())) {
                release(spec, &mut say);
            }
            continue;
        }
        if !api.starts_with("source.toolkit.fluxcd.io/") {
            continue;
        }
        if let Some(url) = spec.get("url")
            && let Some(address) = url.as_str()
            && (address.starts_with("http://") || address.starts_with("git://"))
        {
            let fix = "use https or ssh: on the way anyone can change what is fetched";
            say(&rules::SOURCE_INSECURE, url, format!("{address} is not encrypted"), fix);
        }
        if let Some(n) = spec.get("insecure").filter(|n| n.as_str() == Some("true")) {
            say(&rules::SOURCE_INSECURE, n, "insecure: true allows plain HTTP".into(), "remove it, and use https");
        }
        match text(node, "kind") {
            "GitRepository" if !is_here(scan, checkout, node) => {
                let reference = spec.get("ref");
                let pinned =
                    ["tag", "semver", "commit", "name"].iter().any(|k| reference.is_some_and(|r| r.get(k).is_some()));
                if !pinned {
                    let branch = reference.and_then(|r| r.get("branch"));
                    let name = branch.and_then(Node::as_str).unwrap_or("the default branch");
                    let message = format!("another repository is followed by its branch {name}");
                    let place = branch.or(reference).unwrap_or(spec);
                    say(&rules::SOURCE_UNPINNED, place, message, "name a tag, a semver range or a commit in spec.ref");
                }
            }
            "OCIRepository" => {
                let reference = spec.get("ref");
                let tag = reference.and_then(|r| r.get("tag"));
                let other = ["semver", "digest"].iter().any(|k| reference.is_some_and(|r| r.get(k).is_some()));
                if !other && tag.is_none_or(|t| t.as_str() == Some("latest")) {
                    let place = tag.or(reference).unwrap_or(spec);
                    let message = "an OCIRepository that follows the tag latest".into();
                    say(&rules::SOURCE_UNPINNED, place, message, "name a tag, a semver range or a digest in spec.ref");
                }
            }
            "HelmChart" => version(spec, &mut say),
            _ => {}
        }
    }
}

/// Judges the versions that overlays give to releases; and the places of the releases that have theirs from overlays everywhere.
fn patched(checkout: &Checkout, builts: &[Built], out: &mut Vec<Finding>) -> BTreeSet<(String, usize)> {
    let (mut given, mut own) = (BTreeSet::new(), BTreeSet::new());
    for built in builts {
        for hr in &built.releases {
            let place = (hr.place.path.clone(), hr.place.line);
            let Some((path, line)) = built.environment.version_given(checkout, hr) else {
                own.insert(place);
                continue;
            };
            given.insert(place);
            if hr.chart.source.kind == "HelmRepository"
                && let Some(message) = takes_any(&hr.chart.version)
            {
                out.push(
                    Finding::new(&rules::SOURCE_UNPINNED, path, line, message)
                        .with_fix(VERSION_FIX)
                        .in_environment(&built.name),
                );
            }
        }
    }
    given.retain(|place| !own.contains(place));
    given
}

/// What is said of a version or range that has no upper end.
fn takes_any(range: &str) -> Option<String> {
    let range = range.trim();
    let open = range.starts_with('>') && !range.contains(['<', ' ', ',']);
    let any = matches!(range, "" | "*" | "x" | "X" | "latest") || open;
    any.then(|| format!("the version {range:?} takes whatever is newest"))
}

const VERSION_FIX: &str = "write a version, or a range that ends: 1.4.2, ~1.4";

/// A HelmRelease's chart from a repository of charts.
fn release(spec: &Node, say: &mut impl FnMut(&'static crate::report::Rule, &Node, String, &str)) {
    if let Some(chart) = at(spec, &["chart", "spec"])
        && at(chart, &["sourceRef", "kind"]).and_then(Node::as_str) == Some("HelmRepository")
    {
        version(chart, say);
    }
}

fn version(chart: &Node, say: &mut impl FnMut(&'static crate::report::Rule, &Node, String, &str)) {
    if at(chart, &["sourceRef", "kind"]).and_then(Node::as_str).is_some_and(|k| k != "HelmRepository") {
        return;
    }
    match chart.get("version") {
        None => {
            let place = chart.get("chart").unwrap_or(chart);
            say(&rules::SOURCE_UNPINNED, place, "the chart has no version: the newest is taken".into(), VERSION_FIX);
        }
        Some(v) => {
            if let Some(message) = takes_any(v.as_str().unwrap_or_default()) {
                say(&rules::SOURCE_UNPINNED, v, message, VERSION_FIX);
            }
        }
    }
}

/// True for the source that is this very checkout: releases take charts from it that lie here.
fn is_here(scan: &Scan, checkout: &Checkout, source: &Node) -> bool {
    let url_of = |n: &Node| at(n, &["spec", "url"]).and_then(Node::as_str).unwrap_or_default().to_owned();
    if let Some(own) = checkout.remote() {
        let mut all = scan.objects().filter(|(_, n)| text(n, "kind") == "GitRepository");
        let is_known = all.any(|(_, n)| charts::are_one_address(&url_of(n), &own));
        // It has the same paths, but another one is what was cloned.
        if is_known && !charts::may_be_one_repository(&url_of(source), &own) {
            return false;
        }
    }
    let name = at(source, &["metadata", "name"]).and_then(Node::as_str).unwrap_or_default();
    scan.objects().any(|(_, n)| {
        let kind = text(n, "kind");
        let reference = match kind {
            "HelmRelease" => at(n, &["spec", "chart", "spec", "sourceRef"]),
            "Kustomization" => at(n, &["spec", "sourceRef"]),
            _ => None,
        };
        let Some(reference) = reference.filter(|r| text(r, "kind") == "GitRepository" && text(r, "name") == name)
        else {
            return false;
        };
        let _ = reference;
        let path = match kind {
            "HelmRelease" => at(n, &["spec", "chart", "spec", "chart"]),
            _ => at(n, &["spec", "path"]),
        };
        path.and_then(Node::as_str).is_some_and(|p| checkout.is_dir(p))
    })
}
