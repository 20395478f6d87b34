//! Names that lead nowhere: values, sources and dependencies of releases; ConfigMaps, Secrets, claims and Services of workloads.

use std::collections::BTreeMap;

use super::environments::{Built, View};
use super::objects::Object;
use super::rules;
use super::scan::{at, text};
use super::suggest::nearest;
use super::workloads::pod;
use crate::repo::document::Node;
use crate::repo::made::Maker;
use crate::report::{Finding, Rule};

/// Namespace and name of a release → those that it waits for, with the lines that say so.
type Graph<'g> = BTreeMap<(&'g str, &'g str), Vec<(&'g str, &'g str, usize)>>;

pub fn check(view: &View<'_>, built: &Built, out: &mut Vec<Finding>) {
    let releases: Vec<&Object> = built
        .objects
        .iter()
        .filter(|o| o.kind == "HelmRelease" && o.api_version.starts_with("helm.toolkit.fluxcd.io/"))
        .collect();
    for object in &releases {
        values_from(view, built, object, out);
        source(view, built, object, out);
    }
    depends_on(view, built, &releases, out);
    // Where something could not be built, what is missing may be in it.
    if built.complete {
        for object in built.objects.iter().filter(|o| !o.hook) {
            pods(built, object, out);
            others(built, object, out);
        }
    }
}

fn hint(near: Option<&str>, else_: &str) -> String {
    near.map_or_else(|| else_.to_owned(), |n| format!("write {n}"))
}

/// The object that makes a Secret or ConfigMap in the cluster.
fn maker<'b>(built: &'b Built, kind: &str, name: &str, namespace: &str) -> Option<&'b Object> {
    let makes = |o: &&Object| {
        let maker =
            Maker { api_version: &o.api_version, kind: &o.kind, name: &o.name, namespace: &o.namespace, node: &o.node };
        maker.makes(kind, name, Some(namespace).filter(|n| !n.is_empty()))
    };
    built.objects.iter().find(makes)
}

/// Read from the object itself: a release that can't be rendered has references too.
fn values_from(view: &View<'_>, built: &Built, release: &Object, out: &mut Vec<Finding>) {
    for entry in at(&release.node, &["spec", "valuesFrom"]).map_or(&[][..], Node::items) {
        let (kind, name, key) = (text(entry, "kind"), text(entry, "name"), text(entry, "valuesKey"));
        if text(entry, "optional") == "true" || !matches!(kind, "ConfigMap" | "Secret") || name.is_empty() {
            continue;
        }
        let mut say = |rule, message: String, fix: String| {
            let (path, line) = release.place(&[], entry.line());
            out.push(Finding::new(rule, path, line, message).with_fix(fix).in_environment(&built.name));
        };
        let namespace = Some(release.namespace.as_str()).filter(|n| !n.is_empty());
        let Some(object) = built.environment.find(kind, name, namespace) else {
            if let Some(maker) = maker(built, kind, name, &release.namespace) {
                // One value may flow on as a placeholder.
                if text(entry, "targetPath").is_empty() {
                    let message = format!(
                        "valuesFrom: {kind} {name} is made in the cluster by {} {}: this release is not checked",
                        maker.kind, maker.name
                    );
                    say(&rules::BUILD_UNSUPPORTED, message, "values that lie in the repository can be checked".into());
                }
                continue;
            }
            let names = built.environment.objects.iter().filter(|o| o.kind == kind).map(|o| o.name.as_str());
            let near = nearest(name, names);
            if built.lack.explains(view.scan, kind, name, near.is_some()) {
                continue;
            }
            let fix = hint(near, "add the object, or set optional: true");
            say(&rules::REF_VALUES_FROM, format!("valuesFrom: there is no {kind} {name} in the environment"), fix);
            continue;
        };
        let key = if key.is_empty() { "values.yaml" } else { key };
        let fields = ["data", "stringData", "binaryData"].into_iter().filter_map(|f| object.node.get(f));
        let keys: Vec<&str> = fields.flat_map(|n| n.entries()).filter_map(|(k, _)| k.as_str()).collect();
        let unexpanded = built.environment.unchanged && key.contains("${");
        if !keys.contains(&key) && !unexpanded {
            let fix = hint(nearest(key, keys.iter().copied()), &format!("its keys are: {}", keys.join(", ")));
            say(&rules::REF_VALUES_KEY, format!("valuesFrom: {kind} {name} has no key {key}"), fix);
        }
    }
}

/// A chart's source, where the repository has sources of that kind at all.
fn source(view: &View<'_>, built: &Built, release: &Object, out: &mut Vec<Finding>) {
    let spec = release.node.get("spec");
    let reference = spec.and_then(|s| at(s, &["chart", "spec", "sourceRef"]).or_else(|| s.get("chartRef")));
    let Some(reference) = reference else { return };
    let (kind, name) = (text(reference, "kind"), text(reference, "name"));
    let names: Vec<&str> = view
        .scan
        .objects()
        .filter(|(_, n)| text(n, "kind") == kind && text(n, "apiVersion").starts_with("source.toolkit.fluxcd.io/"))
        .filter_map(|(_, n)| n.get("metadata").map(|m| text(m, "name")))
        .collect();
    let namespace = Some(text(reference, "namespace")).filter(|n| !n.is_empty()).unwrap_or(&release.namespace);
    let known = &built.environment.sources;
    let of_others = known.iter().find(|o| o.kind == kind && o.name == name);
    if let Some(of_others) = of_others
        && built.environment.source(kind, name, Some(namespace).filter(|n| !n.is_empty())).is_none()
    {
        let place = reference.get("namespace").or_else(|| reference.get("name")).unwrap_or(reference);
        let (path, line) = release.place(&[], place.line());
        let message = format!("HelmRelease {}: there is no {kind} {name} in namespace {namespace}", release.name);
        let there = of_others.namespace.as_deref().unwrap_or_default();
        let fix = format!("say namespace: {there} in the sourceRef, where there is one");
        out.push(Finding::new(&rules::REF_SOURCE, path, line, message).with_fix(fix).in_environment(&built.name));
        return;
    }
    // Flux was installed with the one that directories of this repository are applied from.
    let is_here = built.environment.here.iter().any(|(of, _, own)| of == kind && own == name);
    if names.is_empty()
        || names.contains(&name)
        || is_here
        || built.objects.iter().any(|o| o.kind == kind && o.name == name)
    {
        return;
    }
    let place = reference.get("name").unwrap_or(reference);
    let (path, line) = release.place(&[], place.line());
    let message = format!("HelmRelease {}: there is no {kind} {name}", release.name);
    let finding = Finding::new(&rules::REF_SOURCE, path, line, message);
    out.push(
        finding.with_fix(hint(nearest(name, names), "add the source, or correct the name")).in_environment(&built.name),
    );
}

fn depends_on(view: &View<'_>, built: &Built, releases: &[&Object], out: &mut Vec<Finding>) {
    let mut graph: Graph<'_> = BTreeMap::new();
    for release in releases {
        let list = at(&release.node, &["spec", "dependsOn"]).map_or(&[][..], Node::items);
        let edges = graph.entry((&release.namespace, &release.name)).or_default();
        for entry in list {
            let kind = text(entry, "kind");
            if !matches!(kind, "" | "HelmRelease") {
                continue;
            }
            let name = text(entry, "name");
            let own = text(entry, "namespace");
            let namespace = if own.is_empty() { release.namespace.as_str() } else { own };
            edges.push((namespace, name, entry.line()));
            if releases.iter().any(|r| r.name == name && r.namespace == namespace) {
                continue;
            }
            // Elsewhere nobody here can look: see `waits`.
            if !own.is_empty() && !releases.iter().any(|r| r.namespace == own) {
                continue;
            }
            let names = releases.iter().map(|r| r.name.as_str()).filter(|n| *n != release.name);
            let near = nearest(name, names);
            if built.lack.explains(view.scan, "HelmRelease", name, near.is_some()) {
                continue;
            }
            let (path, line) = release.place(&[], entry.line());
            let message = format!("HelmRelease {} depends on {name}, which is not in the environment", release.name);
            let finding = Finding::new(&rules::REF_DEPENDS_ON, path, line, message);
            out.push(finding.with_fix(hint(near, "add it, or take the entry out")).in_environment(&built.name));
        }
    }
    for release in releases {
        let start = (release.namespace.as_str(), release.name.as_str());
        let Some((trail, line)) = cycle(&graph, start) else { continue };
        let (path, line) = release.place(&[], line);
        let message = format!("HelmRelease {} waits for itself: {}", release.name, trail.join(" → "));
        let finding = Finding::new(&rules::REF_CYCLE, path, line, message);
        out.push(finding.with_fix("take one of the dependencies out").in_environment(&built.name));
    }
}

/// The way from a release back to itself, and the line of its first step.
fn cycle<'g>(graph: &Graph<'g>, start: (&'g str, &'g str)) -> Option<(Vec<String>, usize)> {
    let mut seen = std::collections::BTreeSet::new();
    let mut stack: Vec<(Vec<(&str, &str)>, usize)> = vec![(vec![start], 0)];
    while let Some((trail, first)) = stack.pop() {
        let Some(last) = trail.last() else { continue };
        for (namespace, name, line) in graph.get(last).into_iter().flatten() {
            let first = if first == 0 { *line } else { first };
            if (*namespace, *name) == start {
                let names = trail.iter().map(|(_, n)| (*n).to_owned());
                return Some((names.chain([start.1.to_owned()]).collect(), first));
            }
            if seen.insert((*namespace, *name)) {
                let mut longer = trail.clone();
                longer.push((namespace, name));
                stack.push((longer, first));
            }
        }
    }
    None
}

/// What a pod uses: its kind, the rule, its name, a key of it, and whether it may be missing, where a pod can say so.
type Use<'n> = (&'static str, &'static Rule, &'n Node, Option<&'n Node>, Option<bool>);

/// What pods of one workload use.
fn pods(built: &Built, object: &Object, out: &mut Vec<Finding>) {
    let Some((path, template)) = pod(object) else { return };
    let Some(spec) = template.get("spec") else { return };
    let base: Vec<String> = path.iter().map(ToString::to_string).chain(["spec".into()]).collect();
    let mut uses: Vec<Use<'_>> = Vec::new();
    let optional = |n: &Node| Some(n.get("optional").and_then(Node::as_str) == Some("true"));
    for list in ["initContainers", "containers"] {
        for container in spec.get(list).map_or(&[][..], Node::items) {
            for from in container.get("envFrom").map_or(&[][..], Node::items) {
                for (field, kind, rule) in
                    [("configMapRef", "ConfigMap", &rules::REF_CONFIG_MAP), ("secretRef", "Secret", &rules::REF_SECRET)]
                {
                    if let Some(reference) = from.get(field) {
                        uses.extend(reference.get("name").map(|n| (kind, rule, n, None, optional(reference))));
                    }
                }
            }
            for variable in container.get("env").map_or(&[][..], Node::items) {
                for (field, kind, rule) in [
                    ("configMapKeyRef", "ConfigMap", &rules::REF_CONFIG_MAP),
                    ("secretKeyRef", "Secret", &rules::REF_SECRET),
                ] {
                    if let Some(reference) = at(variable, &["valueFrom", field]) {
                        uses.extend(
                            reference.get("name").map(|n| (kind, rule, n, reference.get("key"), optional(reference))),
                        );
                    }
                }
            }
        }
    }
    for volume in spec.get("volumes").map_or(&[][..], Node::items) {
        for (field, key, kind, rule) in [
            ("configMap", "name", "ConfigMap", &rules::REF_CONFIG_MAP),
            ("secret", "secretName", "Secret", &rules::REF_SECRET),
            ("persistentVolumeClaim", "claimName", "PersistentVolumeClaim", &rules::REF_CLAIM),
        ] {
            if let Some(reference) = volume.get(field) {
                uses.extend(reference.get(key).map(|n| (kind, rule, n, None, optional(reference))));
            }
        }
    }
    for reference in spec.get("imagePullSecrets").map_or(&[][..], Node::items) {
        uses.extend(reference.get("name").map(|n| ("Secret", &rules::REF_SECRET, n, None, None)));
    }
    if let Some(name) = spec.get("serviceAccountName").filter(|n| !matches!(n.as_str(), None | Some("" | "default"))) {
        uses.push(("ServiceAccount", &rules::REF_SERVICE_ACCOUNT, name, None, None));
    }
    for (kind, rule, name, key, optional) in uses.into_iter().filter(|u| u.4 != Some(true)) {
        let wanted = name.as_str().unwrap_or_default();
        if wanted.is_empty() {
            continue;
        }
        let mut say = |rule, n: &Node, message: String, fix: String| {
            let (path, line) = object.place(&base, n.line());
            out.push(Finding::new(rule, path, line, message).with_fix(fix).in_environment(&built.name));
        };
        let found = built.objects.iter().find(|o| o.is(kind, wanted, &object.namespace) && !o.hook);
        let Some(found) = found else {
            if maker(built, kind, wanted, &object.namespace).is_some() {
                continue;
            }
            let names = built
                .objects
                .iter()
                .filter(|o| o.kind == kind && o.namespace == object.namespace)
                .map(|o| o.name.as_str());
            let else_ = match optional {
                Some(_) => "add it, or set optional: true where somebody else makes it",
                None => "add it, or correct the name",
            };
            let fix = hint(nearest(wanted, names), else_);
            say(
                rule,
                name,
                format!("{} {} uses {kind} {wanted}, which is not in the environment", object.kind, object.name),
                fix,
            );
            continue;
        };
        let Some(key) = key else { continue };
        let fields = ["data", "stringData", "binaryData"].into_iter().filter_map(|f| found.node.get(f));
        let keys: Vec<&str> = fields.flat_map(|n| n.entries()).filter_map(|(k, _)| k.as_str()).collect();
        let wanted_key = key.as_str().unwrap_or_default();
        if !keys.contains(&wanted_key) {
            let fix = hint(nearest(wanted_key, keys.iter().copied()), &format!("its keys are: {}", keys.join(", ")));
            say(
                &rules::REF_KEY,
                key,
                format!(
                    "{} {} uses the key {wanted_key} of {kind} {wanted}, which has none such",
                    object.kind, object.name
                ),
                fix,
            );
        }
    }
}

/// Ingresses and autoscalers.
fn others(built: &Built, object: &Object, out: &mut Vec<Finding>) {
    let mut say = |rule, n: &Node, steps: &[&str], message: String, fix: String| {
        let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
        let (path, line) = object.place(&steps, n.line());
        out.push(Finding::new(rule, path, line, message).with_fix(fix).in_environment(&built.name));
    };
    match object.kind.as_str() {
        "Ingress" => {
            let rules = at(&object.node, &["spec", "rules"]).map_or(&[][..], Node::items).iter();
            let paths = rules.flat_map(|rule| at(rule, &["http", "paths"]).map_or(&[][..], Node::items));
            let of_rules = ["spec", "rules", "[0]", "http", "paths", "[0]", "backend", "service"];
            let of_rules = paths.filter_map(|path| Some((at(path, &["backend", "service"])?, &of_rules[..])));
            let default = ["spec", "defaultBackend", "service"];
            let default = at(&object.node, &default).map(|service| (service, &default[..]));
            for (service, steps) in of_rules.chain(default) {
                let name = text(service, "name");
                let there = built.objects.iter().find(|o| o.is("Service", name, &object.namespace));
                let Some(there) = there else {
                    let message =
                        format!("Ingress {} names Service {name}, which is not in the environment", object.name);
                    say(&rules::REF_SERVICE, service, steps, message, "correct the name".into());
                    continue;
                };
                let port = at(service, &["port", "number"]).or_else(|| at(service, &["port", "name"]));
                let Some(port) = port else { continue };
                let ports = at(&there.node, &["spec", "ports"]).map_or(&[][..], Node::items);
                let wanted = port.as_str().unwrap_or_default();
                if !ports.iter().any(|p| text(p, "port") == wanted || text(p, "name") == wanted) {
                    let message =
                        format!("Ingress {} names port {wanted} of Service {name}, which has none such", object.name);
                    say(&rules::REF_SERVICE, port, steps, message, "name one of the Service's ports".into());
                }
            }
        }
        "HorizontalPodAutoscaler" => {
            let Some(target) = at(&object.node, &["spec", "scaleTargetRef"]) else { return };
            let (kind, name) = (text(target, "kind"), text(target, "name"));
            if !built.objects.iter().any(|o| o.is(kind, name, &object.namespace)) {
                let message = format!(
                    "HorizontalPodAutoscaler {} scales {kind} {name}, which is not in the environment",
                    object.name
                );
                say(&rules::REF_SCALE, target, &["spec", "scaleTargetRef"], message, "correct the name".into());
            }
        }
        _ => {}
    }
}
