//! Environments: built and rendered, each failure a finding, none hiding another.
//!
//! A kustomization that fails takes everything down that a cluster would get from it. To see what else is wrong, each of its resources is built
//! alone, with all that the kustomization does to them, and the environment is then built from those that succeed.

use std::borrow::Cow;

use super::cascade::{self, Lack};
use super::judge::{Known, judge, judge_name};
use super::objects::{self, Object, Origin};
use super::renamed::Renamed;
use super::scan::{Scan, parent, text};
use super::suggest::nearest;
use super::{Options, rules, values_files};
use crate::golang::path::confined;
use crate::kustomize::{Entry, Tree};
use crate::repo::document::{Kind, Node};
use crate::repo::files::Checkout;
use crate::repo::generated::{self, Generated};
use crate::repo::problem::{Cause, Name, Problem};
use crate::repo::{Environment, HelmRelease, Settings};
use crate::report::Finding;

/// What every theme looks at.
pub struct View<'a> {
    pub scan: &'a Scan,
    pub checkout: &'a Checkout,
    pub known: &'a Known<'a>,
    pub renamed: &'a Renamed,
    pub settings: &'a Settings,
}

/// One environment, built and rendered as far as it goes.
pub struct Built {
    pub name: String,
    pub releases: Vec<HelmRelease>,
    /// Of files and releases.
    pub objects: Vec<Object>,
    /// Everything was built and rendered: what is not there now is not there at all.
    pub complete: bool,
    /// What is not there because a part could not be built.
    pub lack: Lack,
    pub environment: Environment,
}

impl Built {
    /// True if its objects are what a cluster applies: changes that the Kustomization of its own directory makes, but that could not be followed,
    /// may give them more.
    pub fn is_applied(&self) -> bool {
        !self.environment.unchanged
    }
}

/// The names of the environments that were not asked for.
pub fn others(checkout: &Checkout, options: &Options<'_>) -> Vec<String> {
    if options.environments.is_empty() {
        return Vec::new();
    }
    let names = Environment::names(checkout).unwrap_or_default();
    names.into_iter().filter(|n| !options.environments.contains(n)).collect()
}

/// Builds the environments that were asked for.
///
/// # Errors
/// One that was asked for by name is not there.
pub fn build(view: &View<'_>, options: &Options<'_>, out: &mut Vec<Finding>) -> Result<Vec<Built>, String> {
    let names = if options.environments.is_empty() {
        Environment::names(view.checkout).unwrap_or_default()
    } else {
        options.environments.clone()
    };
    let mut built = Vec::new();
    for name in names {
        built.push(one(view, &name, options, out)?);
    }
    Ok(built)
}

/// No environment was found in what looks like a deployment repository: a check that built nothing must not look like one that did.
pub fn none(view: &View<'_>, out: &mut Vec<Finding>) {
    let of = |node: &Node, kind: &str, group: &str| {
        text(node, "kind") == kind && text(node, "apiVersion").split('/').next() == Some(group)
    };
    let flux = |kind: &'static str, group: &'static str| {
        view.scan.objects().filter(move |(_, n)| of(n, kind, group)).map(|(f, _)| parent(&f.path))
    };
    // A cluster's own directory lies above those that it applies.
    let clusters = flux("Kustomization", "kustomize.toolkit.fluxcd.io");
    let highest = clusters.filter(|d| d.contains('/')).min_by_key(|d| (d.matches('/').count(), d.len(), *d));
    if highest.is_none() && flux("HelmRelease", "helm.toolkit.fluxcd.io").next().is_none() {
        return;
    }
    let message = match Environment::names(view.checkout) {
        Ok(_) => "no environment was found, so nothing was built: the directory of environments holds none".to_owned(),
        Err(_) => format!("no environment was found, so nothing was built: there is no {}", Environment::looked_for()),
    };
    let example = highest.map_or_else(String::new, |d| format!(", as --env {d}"));
    let fix = format!("name the directories that clusters apply with --env PATH{example}");
    out.push(Finding::new(&rules::BUILD_EMPTY, ".", 0, message).with_fix(fix));
}

/// So many failing templates of one release are told.
const MOST_FAILING: usize = 16;

fn one(view: &View<'_>, name: &str, options: &Options<'_>, out: &mut Vec<Finding>) -> Result<Built, String> {
    let opened = Environment::open(view.checkout, name, options.keys)?;
    let mut problems = Vec::new();
    let environment = if opened.built.is_empty() && !opened.problems.is_empty() {
        in_parts(view, opened, options, &mut problems)
    } else {
        opened
    };
    let failed = !problems.is_empty();
    let mut found: Vec<Finding> = problems.iter().map(|p| kustomize_finding(view, p, name)).collect();
    if environment.built.is_empty() && !failed && environment.problems.is_empty() && environment.elsewhere.is_empty() {
        let dir = &environment.dir;
        let place = generated::kustomization(view.checkout, &format!("/{dir}"));
        let place = place.map_or_else(|| dir.clone(), |p| p.trim_start_matches('/').to_owned());
        let finding = Finding::new(&rules::BUILD_EMPTY, place, 0, format!("environment {name} has no objects"));
        found.push(finding.with_fix("name its services in resources, or remove the directory"));
    }
    let lack = Lack::of(&environment, failed);
    let causes = cascade::causes(view.scan, &environment, failed).into_iter();
    found.extend(causes.map(|p| match &p.cause {
        Cause::NoVariables(name) if cascade::is_foreign(view.scan, name) => by_hand(p, name, &environment.name),
        _ => problem_finding(p, name, environment.unchanged && p.message.contains("${")),
    }));
    found.extend(environment.elsewhere.iter().map(|p| {
        Finding::new(&rules::BUILD_UNSUPPORTED, p.place.path.clone(), p.place.line, p.message.clone())
            .in_environment(name)
    }));
    let mut objects = objects::of_files(view.scan, &environment.built);
    judge_names(view, &objects, name, &mut found);
    let mut releases = Vec::new();
    let mut complete = !failed && environment.problems.is_empty() && environment.elsewhere.is_empty();
    for hr in &environment.releases {
        if options.service.as_ref().is_some_and(|s| hr.name != *s && !hr.place.path.contains(&format!("/{s}/"))) {
            complete = false;
            continue;
        }
        // A template that fails hides nothing of the others.
        let mut without: Vec<String> = Vec::new();
        loop {
            let problem = match environment.render_without(view.checkout, hr, view.settings, &without) {
                Ok(r) => {
                    let chart = chart_path(hr);
                    let own = objects::of_release(view.checkout, hr, &chart, &r);
                    judge_rendered(view, &own, name, &mut found);
                    objects.extend(own);
                    break;
                }
                Err(problem) => problem,
            };
            complete = false;
            // What was left out may have defined what others include.
            if !without.is_empty() && problem.message.contains("no template ") {
                break;
            }
            // Told at its cause.
            let missing = problem.missing().map(|Name { kind, name }| (kind.as_str(), name.as_str()));
            let near = |kind: &str, object: &str| {
                let sources = environment.sources.iter().filter(|s| s.kind == kind).map(|s| s.name.as_str());
                nearest(object, sources).is_some()
            };
            if missing.is_some_and(|(kind, object)| lack.explains(view.scan, kind, object, near(kind, object))) {
                break;
            }
            render_findings(view, &environment, hr, &problem, &mut found);
            match template_place(&problem.message).map(|(template, _)| template) {
                Some(t) if !t.contains("/_") && !without.contains(&t) && without.len() < MOST_FAILING => {
                    without.push(t)
                }
                _ => break,
            }
        }
        releases.push(hr.clone());
    }
    let hidden = |text: &str| environment.masker.apply_text(text);
    out.extend(found.into_iter().map(|f| Finding { message: hidden(&f.message), fix: hidden(&f.fix), ..f }));
    Ok(Built { name: name.into(), releases, objects, complete, lack, environment })
}

/// The chart's directory in the checkout.
pub fn chart_path(hr: &HelmRelease) -> String {
    confined(&hr.chart.path)
}

/// Rendered objects beside their schemas.
fn judge_rendered(view: &View<'_>, objects: &[Object], environment: &str, out: &mut Vec<Finding>) {
    for object in objects {
        for j in judge(&object.node, view.known) {
            let (path, line) = object.place(&j.steps, j.line);
            out.push(Finding::new(j.rule, path, line, j.message).with_fix(j.fix).in_environment(environment));
        }
    }
}

/// Names that a kustomization has made.
fn judge_names(view: &View<'_>, objects: &[Object], environment: &str, out: &mut Vec<Finding>) {
    for object in objects {
        let Origin::File(path) = &object.origin else { continue };
        if view.renamed.holds(path, &object.kind) {
            for j in judge_name(&object.node) {
                let (path, line) = object.place(&j.steps, j.line);
                out.push(Finding::new(j.rule, path, line, j.message).with_fix(j.fix).in_environment(environment));
            }
        }
    }
}

/// Builds what can be built of an environment whose kustomization fails.
fn in_parts(view: &View<'_>, failed: Environment, options: &Options<'_>, problems: &mut Vec<Problem>) -> Environment {
    let name = failed.name.clone();
    let dir = format!("/{}", failed.dir);
    let path = generated::kustomization(view.checkout, &dir);
    let written = path.as_ref().and_then(|p| view.scan.document(p.trim_start_matches('/'), usize::MAX));
    let resources: Vec<String> = match (&path, written) {
        (None, _) => Generated::resources(view.checkout, &dir),
        (_, Some(root)) => {
            let named = root.get("resources").map_or(&[][..], Node::items).iter();
            named.filter_map(Node::as_str).map(String::from).collect()
        }
        _ => {
            problems.extend(failed.problems.iter().cloned());
            return Environment { name, ..Environment::default() };
        }
    };
    let open = |resources: &[String]| {
        let mut env = Environment { name: name.clone(), dir: failed.dir.clone(), ..Environment::default() };
        match (&path, written) {
            (Some(path), Some(root)) => {
                let tree = Replaced { tree: view.checkout, path: path.clone(), text: with_resources(root, resources) };
                env.open_tree(view.checkout, &tree, options.keys);
            }
            _ => env.open_tree(view.checkout, &Generated::of(view.checkout, &dir, resources), options.keys),
        }
        env
    };
    let mut good = Vec::new();
    for resource in resources {
        let alone = open(std::slice::from_ref(&resource));
        if alone.built.is_empty() && !alone.problems.is_empty() {
            problems.extend(alone.problems);
        } else {
            good.push(resource);
        }
    }
    let together = open(&good);
    if together.built.is_empty() && !together.problems.is_empty() {
        // Each of them builds, all of them do not.
        problems.extend(together.problems.iter().cloned());
    } else if problems.is_empty() {
        problems.extend(failed.problems);
    }
    if together.built.is_empty() {
        return Environment { name, ..Environment::default() };
    }
    together
}

/// The kustomization with other resources, as JSON, which is YAML too.
fn with_resources(root: &Node, resources: &[String]) -> String {
    let mut map = serde_json::Map::new();
    for (key, value) in root.entries() {
        let key = key.as_str().unwrap_or_default();
        let value = if key == "resources" { resources.into() } else { json(value) };
        map.insert(key.into(), value);
    }
    serde_json::Value::Object(map).to_string()
}

fn json(n: &Node) -> serde_json::Value {
    use serde_json::Value as Json;
    let text = n.as_str().unwrap_or_default();
    match n.kind() {
        Kind::Null => Json::Null,
        Kind::Bool => Json::Bool(matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "on" | "y")),
        Kind::Int => text.parse::<i64>().map_or_else(|_| text.into(), Json::from),
        Kind::Float => text.parse::<f64>().map_or_else(|_| text.into(), Json::from),
        Kind::Text => text.into(),
        Kind::List => n.items().iter().map(json).collect(),
        Kind::Map => {
            let entry = |(k, v): &(Node, Node)| (k.as_str().unwrap_or_default().to_owned(), json(v));
            Json::Object(n.entries().iter().map(entry).collect())
        }
    }
}

/// A checkout in which one file reads differently.
struct Replaced<'c> {
    tree: &'c Checkout,
    path: String,
    text: String,
}

impl Tree for Replaced<'_> {
    fn resolve(&self, path: &str) -> Option<(String, Entry)> {
        self.tree.resolve(path)
    }

    fn read(&self, path: &str) -> Result<Cow<'_, [u8]>, String> {
        if path == self.path { Ok(Cow::Borrowed(self.text.as_bytes())) } else { Tree::read(self.tree, path) }
    }

    fn list(&self, path: &str) -> Vec<(String, Entry)> {
        Tree::list(self.tree, path)
    }
}

fn kustomize_finding(view: &View<'_>, p: &Problem, environment: &str) -> Finding {
    let (mut path, mut line) = (p.place.path.clone(), p.place.line);
    if !view.scan.all.contains(&path) {
        // A directory: its kustomization says more.
        if let Some(file) = generated::kustomization(view.checkout, &format!("/{path}")) {
            path = file.trim_start_matches('/').to_owned();
            line = 1;
        }
    }
    let (rule, fix) = if p.cause == Cause::Unsupported {
        (&rules::BUILD_UNSUPPORTED, "what it names is not checked, nor what is built of it")
    } else {
        (&rules::BUILD_KUSTOMIZE, "kustomize build fails for the same reason: correct the file")
    };
    Finding::new(rule, path, line, p.message.clone()).with_fix(fix).in_environment(environment)
}

/// `unexpanded`: it tells of variables that the environment's own Kustomization would have replaced.
fn problem_finding(p: &Problem, environment: &str, unexpanded: bool) -> Finding {
    let unsupported = unexpanded || p.cause == Cause::Unsupported;
    let rule = if unsupported { &rules::BUILD_UNSUPPORTED } else { &rules::BUILD_RENDER };
    Finding::new(rule, p.place.path.clone(), p.place.line, p.message.clone()).in_environment(environment)
}

/// Variables of an object that nothing in the repository makes: whoever set up the cluster may have.
fn by_hand(p: &Problem, Name { kind, name }: &Name, environment: &str) -> Finding {
    let message = format!(
        "substituteFrom: nothing in this repository makes {kind} {name}: if it is made in the cluster by other means, its values are not known here, \
         and what they are for is not built"
    );
    let fix = "add it to the repository to have this checked, or set optional: true if its variables have defaults";
    Finding::new(&rules::BUILD_UNSUPPORTED, p.place.path.clone(), p.place.line, message)
        .with_fix(fix)
        .in_environment(environment)
}

/// Whether a release's chart is surely of another repository: this one is known, and has another source.
fn is_elsewhere(env: &Environment, hr: &HelmRelease) -> bool {
    let source = &hr.chart.source;
    let namespace = source.namespace.as_deref().or(hr.namespace.as_deref()).unwrap_or("default");
    let id = (source.kind.clone(), namespace.to_owned(), source.name.clone());
    env.here.iter().any(|(kind, ..)| *kind == source.kind) && !env.here.contains(&id)
}

const CORRECT_CHART: &str = "correct spec.chart.spec.chart, or the chart";

/// What kept a release from being rendered.
fn render_findings(view: &View<'_>, env: &Environment, hr: &HelmRelease, p: &Problem, out: &mut Vec<Finding>) {
    let at = |rule, path: &str, line: usize, message: &str| {
        Finding::new(rule, path, line, message).in_environment(&env.name)
    };
    let (path, line) = (&p.place.path, p.place.line);
    let message = p.message.strip_prefix(&format!("HelmRelease {}: ", hr.name)).unwrap_or(&p.message);
    match &p.cause {
        // Said more exactly by another theme.
        Cause::NoValues(_) => return,
        Cause::Encrypted => {
            let fix = "give a key to check this release too; without one it is not rendered";
            out.push(at(&rules::BUILD_ENCRYPTED, path, line, message).with_fix(fix));
            return;
        }
        Cause::Unsupported => {
            out.push(at(&rules::BUILD_UNSUPPORTED, path, line, message));
            return;
        }
        Cause::NotFetched if hr.chart.source.kind == "GitRepository" && !is_elsewhere(env, hr) => {
            // Which repository we are in is not always known: a path that is not here may be a mistake.
            let fix = format!(
                "if the chart is this repository's, correct spec.chart.spec.chart; pintle build --env {} fetches it from another one",
                env.name
            );
            out.push(at(&rules::BUILD_CHART, path, line, message).with_fix(fix));
            return;
        }
        Cause::NotFetched => {
            let text = format!("{message}: this release is not checked, since a check fetches nothing");
            let fix = format!("build it: pintle build --env {} fetches the chart", env.name);
            out.push(at(&rules::BUILD_UNSUPPORTED, path, line, &text).with_fix(fix));
            return;
        }
        Cause::Chart => {
            out.push(at(&rules::BUILD_CHART, path, line, message).with_fix(CORRECT_CHART));
            return;
        }
        Cause::Wrong | Cause::NoSource(_) | Cause::NoVariables(_) => {}
    }
    // What Helm itself says is told by its text.
    if let Some((_, list)) =
        message.split_once("values don't meet the specifications of the schema(s) in the following chart(s):\n")
    {
        values_files::schema_findings(view, env, hr, list, out);
        return;
    }
    if message.contains("missing in charts/ directory") {
        out.push(at(&rules::BUILD_CHART, path, line, message).with_fix(CORRECT_CHART));
        return;
    }
    if let Some((template, line)) = template_place(message) {
        let file = objects::template_path(&chart_path(hr), &template);
        if view.checkout.is_file(&file) {
            let text = format!("{} can't be rendered: {message}", hr.name);
            let fix = format!("correct the template, or the values that {}/{} gives it", parent(path), hr.name);
            out.push(at(&rules::BUILD_RENDER, &file, line, &text).with_fix(fix));
            return;
        }
    }
    out.push(at(&rules::BUILD_RENDER, path, line, message).with_fix("run pintle build for the whole explanation"));
}

/// The template and line that Helm's text of an error names first: `web/templates/x.yaml:3:5`.
pub fn template_place(message: &str) -> Option<(String, usize)> {
    let words = message.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '<' | '>' | '"' | ','));
    words.filter(|w| w.contains("/templates/")).find_map(|word| {
        let mut parts = word.split(':');
        let path = parts.next()?;
        let line = parts.next().and_then(|l| l.parse().ok());
        Some((path.to_owned(), line.unwrap_or(1)))
    })
}
