//! What can't be judged where it is written: it is judged where it is built.
//!
//! A field that a base lacks may come from an overlay's patch, from a component, from the patches of a Flux Kustomization or from labels that are set
//! in selectors; a `$(NAME)` becomes the value of one of kustomize's vars; a name may be a placeholder; a value may be replaced, and kustomize writes
//! annotations as texts. So such faults of files wait here. An object that an environment
//! holds counts as the environment holds it. One that none holds (its Kustomization can't be built, or is no cluster's) counts as
//! the Flux Kustomizations and the outermost kustomizations that reach its file build it, and only one that nothing builds as it is written.

use std::collections::{BTreeMap, BTreeSet};

use super::environments::{Built, View};
use super::judge::{Judgement, judge};
use super::makers::Makers;
use super::objects::{Origin, node_of};
use super::rules;
use super::scan::{Scan, SourceFile, at, text};
use crate::repo::document::Node;
use crate::report::Finding;

/// A fault of an object of a file, if the build does not mend it.
pub struct Open {
    rule: &'static str,
    steps: Vec<String>,
    /// What is said if nothing builds the object; nothing of a variable.
    written: Option<Finding>,
}

/// File and line of an object → its faults.
#[derive(Default)]
pub struct Waiting(BTreeMap<(String, usize), Vec<Open>>);

/// The names of kustomize's vars anywhere in the repository.
pub struct Vars(BTreeSet<String>);

impl Vars {
    pub fn read(scan: &Scan) -> Self {
        let roots = scan.kustomizations().flat_map(|f| &f.documents).map(|d| &d.root);
        let vars = roots.flat_map(|root| root.get("vars").map_or(&[][..], Node::items));
        Self(vars.map(|v| text(v, "name").to_owned()).filter(|n| !n.is_empty()).collect())
    }

    /// True if a text holds one of them.
    fn are_in(&self, text: &str) -> bool {
        let names = text.split("$(").skip(1).filter_map(|rest| rest.split_once(')'));
        names.into_iter().any(|(name, _)| self.0.contains(name))
    }
}

/// What stands at a path of steps in an object.
pub fn value<'n>(object: &'n Node, steps: &[String]) -> Option<&'n Node> {
    steps.iter().try_fold(object, |n, step| match step.strip_prefix('[').and_then(|s| s.strip_suffix(']')) {
        Some(index) => n.items().get(index.parse::<usize>().ok()?),
        None => n.get(step),
    })
}

fn is_missing(rule: &str) -> bool {
    rule.ends_with("/missing-field")
}

/// Whether a rule is about a value that is there.
pub fn is_of_value(rule: &str) -> bool {
    rule.ends_with("/wrong-type") || rule.ends_with("/invalid-value")
}

/// Whether two paths lead to the same field: a patch may have put another item of a list before it.
fn is_same_field(one: &[String], other: &[String]) -> bool {
    let same = |(a, b): (&String, &String)| a == b || a.starts_with('[') && b.starts_with('[');
    one.len() == other.len() && one.iter().zip(other).all(same)
}

/// Whether a place holds a variable that Flux has yet to expand: what it comes to has a type then (`replicas: ${REPLICAS:=2}`). What a chart
/// renders is not expanded.
pub fn is_unexpanded(object: &Node, steps: &[String]) -> bool {
    value(object, steps).and_then(Node::as_str).is_some_and(|text| text.contains("${"))
}

impl Waiting {
    /// Takes a judgement of an object of a file if only the build can tell; else gives it back.
    pub fn take(&mut self, file: &SourceFile, node: &Node, vars: &Vars, j: Judgement) -> Option<Judgement> {
        let of_value = is_of_value(j.rule.id);
        let is_var = (of_value || j.rule.id == rules::KUBE_NAME.id)
            && value(node, &j.steps).and_then(Node::as_str).is_some_and(|text| vars.are_in(text));
        // Of names kustomizations know many ways to change them.
        let is_name = j.rule.id == rules::KUBE_NAME.id && value(node, &j.steps).is_some();
        if !of_value && !is_var && !is_name && !is_missing(j.rule.id) {
            return Some(j);
        }
        let written = Finding::new(j.rule, file.path.clone(), j.line, j.message).with_fix(j.fix);
        let open = Open { rule: j.rule.id, steps: j.steps, written: (!is_var).then_some(written) };
        self.0.entry((file.path.clone(), node.line())).or_default().push(open);
        None
    }

    /// Says what has come of them.
    pub fn settle(mut self, view: &View<'_>, builts: &[Built], out: &mut Vec<Finding>) {
        let mut known = BTreeSet::new();
        let mut given = Given::default();
        for built in builts.iter().filter(|b| b.is_applied()) {
            for object in &built.objects {
                let Origin::File(path) = &object.origin else { continue };
                let key = (path.clone(), object.node.line());
                let Some(open) = self.0.get(&key) else { continue };
                // What a variable came to may be a Secret's.
                let shown = |text: &str| built.environment.masker.apply_text(text);
                let left = rejudged(view, &object.node, open);
                given.note(&object.node, open, &left);
                for j in left {
                    let (message, fix) = (shown(&j.message), shown(&j.fix));
                    let finding = Finding::new(j.rule, path.clone(), j.line, message).with_fix(fix);
                    out.push(finding.in_environment(&built.name));
                }
                known.insert(key);
            }
        }
        self.0.retain(|key, _| !known.contains(key));
        if self.0.is_empty() {
            return;
        }
        let lacking: BTreeSet<&(String, usize)> =
            self.0.iter().filter(|(_, open)| open.iter().any(|o| is_missing(o.rule))).map(|(key, _)| key).collect();
        let patches: BTreeSet<(String, usize)> =
            lacking.iter().filter(|key| is_patch(view.scan, key, &lacking)).map(|key| (*key).clone()).collect();
        let mut makers = Makers::read(view.scan, view.checkout, builts.iter().filter(|b| b.is_applied()));
        let mut unbuilt = Vec::new();
        for ((path, line), open) in self.0 {
            let reach = makers.of(&path);
            for build in &reach.builds {
                // An object that is not in it is deleted by a patch.
                let own = build.objects.iter().filter(|o| o.source.file.trim_start_matches('/') == path);
                let nodes = own.filter_map(|o| node_of(view.scan, &o.text, &path, o.source.line as usize));
                for node in nodes.filter(|n| n.line() == line) {
                    let found = rejudged(view, &node, &open);
                    given.note(&node, &open, &found);
                    // Messages about values hold them, and nobody hides here what a build made of them: what is written is told.
                    let still = |o: &&Open| is_of_value(o.rule) && found.iter().any(|j| o.is(j));
                    out.extend(open.iter().filter(still).filter_map(|o| o.written.clone()));
                    let found = found.into_iter().filter(|j| !is_of_value(j.rule.id));
                    out.extend(found.map(|j| Finding::new(j.rule, path.clone(), j.line, j.message).with_fix(j.fix)));
                }
            }
            if reach.builds.is_empty() {
                // What can't be built may still be given on its way.
                let open: Vec<Open> = open.into_iter().filter(|o| !reach.changes || is_of_value(o.rule)).collect();
                unbuilt.push(((path, line), open));
            }
        }
        for (key, mut open) in unbuilt {
            let node = view.scan.object(&key.0, key.1);
            open.retain(|o: &Open| match o.rule {
                rule if rule == rules::KUBE_NAME.id => !node.is_some_and(has_placeholder),
                rule => !is_missing(rule) || !patches.contains(&key) && !node.is_some_and(|node| given.has(node, o)),
            });
            out.extend(open.into_iter().filter_map(|o| o.written));
        }
    }
}

/// Fields that objects of a kind lack where they are written, and that the repository gives them where they are built: others of that kind, which
/// nothing builds at the moment, may count on it.
#[derive(Default)]
struct Given(BTreeSet<(String, String, String)>);

impl Given {
    fn id(node: &Node, missing: &str) -> (String, String, String) {
        (text(node, "apiVersion").to_owned(), text(node, "kind").to_owned(), missing.to_owned())
    }

    /// `left`: what an object that is built still lacks.
    fn note(&mut self, node: &Node, open: &[Open], left: &[Judgement]) {
        let written = open.iter().filter(|o| is_missing(o.rule)).filter_map(|o| o.written.as_ref());
        let mended = written.filter(|w| left.iter().all(|j| j.message != w.message));
        self.0.extend(mended.map(|w| Self::id(node, &w.message)));
    }

    fn has(&self, node: &Node, open: &Open) -> bool {
        open.written.as_ref().is_some_and(|w| self.0.contains(&Self::id(node, &w.message)))
    }
}

/// Whether an object that lacks fields, and that nothing builds, is a patch that nobody uses: the object that it was written for is there, whole.
fn is_patch(scan: &Scan, (path, line): &(String, usize), lacking: &BTreeSet<&(String, usize)>) -> bool {
    let id = |node: &Node| {
        let group = text(node, "apiVersion").rsplit_once('/').map_or("", |(group, _)| group).to_owned();
        let name = node.get("metadata").map(|m| text(m, "name")).unwrap_or_default();
        (group, text(node, "kind").to_owned(), name.to_owned())
    };
    let Some(own) = scan.object(path, *line).map(id).filter(|(_, _, name)| !name.is_empty()) else { return false };
    let mut others = scan.objects().filter(|(file, node)| file.path != *path && id(node) == own);
    others.any(|(file, node)| !lacking.contains(&(file.path.clone(), node.line())))
}

/// Whether the name of an object that nothing builds stands for another one: `_`, which a kustomization's `namespace` replaces, or what a script
/// fills in (`{prefix}-db`).
fn has_placeholder(node: &Node) -> bool {
    let name = at(node, &["metadata", "name"]).and_then(Node::as_str).unwrap_or_default();
    name == "_" || name.contains(['{', '<', '$', '%'])
}

impl Open {
    /// Whether a fault of the built object is this one.
    fn is(&self, j: &Judgement) -> bool {
        is_missing(self.rule) && is_missing(j.rule.id)
            || self.rule == j.rule.id
                && (self.steps == j.steps || is_of_value(self.rule) && is_same_field(&self.steps, &j.steps))
    }
}

/// What is left of an object's open faults once it is built.
fn rejudged(view: &View<'_>, node: &Node, open: &[Open]) -> Vec<Judgement> {
    let is_known = |j: &Judgement| !is_of_value(j.rule.id) || !is_unexpanded(node, &j.steps);
    judge(node, view.known).into_iter().filter(|j| open.iter().any(|o| o.is(j)) && is_known(j)).collect()
}
