//! Name references: where a name changed, those who refer to it follow.
//!
//! A referrer is found by a field spec, what it refers to by the name that it had before. kustomize looks through all objects
//! for every reference; here they are indexed by their earlier names, so that the work grows with the number of references.

use std::collections::{HashMap, HashSet};

use super::config::NameReference;
use super::error::{Error, Result};
use super::fieldspec::{FieldSpec, Setter, apply_unchecked};
use super::ids::{Gvk, Id};
use super::lookup;
use super::node::{Kind, Node, Tag};
use super::parallel;
use super::resmap::ResMap;
use super::resource::{PREFIXES, Resource, SUFFIXES};

/// What a reference may lead to.
struct Candidate {
    id: Id,
    previous: Vec<Id>,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
}

struct Index {
    candidates: Vec<Candidate>,
    /// By each name that an object had: the objects, in order.
    by_name: HashMap<String, Vec<u32>>,
    /// As above, by name, kind and current namespace: for names that many objects had.
    by_place: HashMap<(String, String, String), Vec<u32>>,
}

/// From so many objects of one name on, kind and namespace are looked up too.
const CROWD: usize = 32;

impl Index {
    fn new(items: &[Resource]) -> Result<Self> {
        let mut candidates = Vec::with_capacity(items.len());
        let mut by_name: HashMap<String, Vec<u32>> = HashMap::new();
        for (i, r) in items.iter().enumerate() {
            let previous = r.previous_ids()?;
            let mut seen = HashSet::new();
            for id in previous.iter().filter(|id| seen.insert(id.name.as_str())) {
                by_name.entry(id.name.clone()).or_default().push(i as u32);
            }
            let list = |key: &str| r.list(key).into_iter().map(str::to_owned).collect();
            candidates.push(Candidate { id: r.id(), prefixes: list(PREFIXES), suffixes: list(SUFFIXES), previous });
        }
        let mut by_place: HashMap<_, Vec<u32>> = HashMap::new();
        for (name, places) in by_name.iter().filter(|(_, places)| places.len() > CROWD) {
            for &i in places {
                let candidate = &candidates[i as usize];
                let kinds: HashSet<&str> = candidate.previous.iter().map(|id| id.gvk.kind.as_str()).collect();
                for kind in kinds {
                    let namespace = candidate.id.effective_namespace().to_owned();
                    by_place.entry((name.clone(), kind.to_owned(), namespace)).or_default().push(i);
                }
            }
        }
        Ok(Self { candidates, by_name, by_place })
    }
}

/// Sets all references right.
pub fn fix(references: &[NameReference], map: &mut ResMap) -> Result<()> {
    if references.is_empty() || map.is_empty() {
        return Ok(());
    }
    // Also where no name ever changed: a field may not be what can hold one.
    let index = Index::new(map.items())?;
    let mut by_kind: HashMap<&str, Vec<(&Gvk, &FieldSpec)>> = HashMap::new();
    let mut of_any_kind: Vec<(usize, &Gvk, &FieldSpec)> = Vec::new();
    let mut order = 0;
    for reference in references {
        for spec in &reference.referrers {
            order += 1;
            if spec.gvk.kind.is_empty() {
                of_any_kind.push((order, &reference.gvk, spec));
            }
            by_kind.entry(spec.gvk.kind.as_str()).or_default().push((&reference.gvk, spec));
        }
    }
    // Specs for all kinds must keep their place among the others.
    let mixed = !of_any_kind.is_empty();
    let all: Vec<(&Gvk, &FieldSpec)> =
        references.iter().flat_map(|r| r.referrers.iter().map(move |spec| (&r.gvk, spec))).collect();
    let items: Vec<(usize, &mut Resource)> = map.contents_mut().iter_mut().enumerate().collect();
    let results = parallel::map(items, 64, |(at, r)| {
        let original = index.candidates[at].previous.first().unwrap_or(&index.candidates[at].id);
        let specs = if mixed { &all } else { by_kind.get(original.gvk.kind.as_str()).unwrap_or(const { &Vec::new() }) };
        let specs: Vec<_> = specs.iter().filter(|(_, spec)| original.gvk.is_selected(&spec.gvk)).collect();
        if specs.is_empty() { Ok(()) } else { Referrer::new(&index, at, r)?.fix(r, &specs) }
    });
    results.into_iter().collect()
}

struct Referrer<'i> {
    index: &'i Index,
    own: &'i Candidate,
    /// Namespaces of the service accounts that a role binding names.
    binding_namespaces: HashSet<String>,
}

impl<'i> Referrer<'i> {
    fn new(index: &'i Index, at: usize, r: &Resource) -> Result<Self> {
        let own = &index.candidates[at];
        let mut binding_namespaces = HashSet::new();
        if own.id.gvk.kind == "RoleBinding" && !own.id.cluster {
            let subjects = r.node.field("subjects").filter(|s| s.kind == Kind::Sequence);
            for subject in subjects.iter().flat_map(|s| &s.content) {
                if subject.field("kind").is_none_or(|k| k.value != "ServiceAccount") {
                    continue;
                }
                match subject.field("namespace") {
                    Some(ns) if ns.is_string() => {
                        binding_namespaces.insert(ns.value.clone());
                    }
                    Some(_) => {
                        let id = &own.id;
                        let e = format!("Invalid Input: namespace is blank for resource \"{id}\"\n");
                        return Err(Error::new(e).at(&r.source.file, r.source.line));
                    }
                    None => {}
                }
            }
        }
        Ok(Self { index, own, binding_namespaces })
    }

    fn fix(&self, r: &mut Resource, specs: &[&(&Gvk, &FieldSpec)]) -> Result<()> {
        for (target, spec) in specs {
            let role = spec.path.ends_with("roleRef/name").then(|| role_ref(&r.node)).flatten();
            let mut set = |node: &mut Node| {
                let reference = Reference { referrer: self, target, role: role.as_ref() };
                reference.set(node)
            };
            let mut setter = Setter { set: &mut set, kind: None, tag: Tag::Empty };
            let result = super::shared::step(&mut r.node, |node| apply_unchecked(node, spec, &mut setter));
            result.map_err(|e| {
                e.wrap(format!("updating name reference in '{}' field of '{}'", spec.path, self.own.id))
                    .at(&r.source.file, r.source.line)
            })?;
        }
        Ok(())
    }
}

/// Group and kind that a role binding's `roleRef` names.
fn role_ref(node: &Node) -> Option<Gvk> {
    let text = |field: &str| lookup::get(node, &["roleRef", field]).ok().flatten().map(|n| n.value.clone());
    Some(Gvk { group: text("apiGroup")?, version: String::new(), kind: text("kind")? })
}

struct Reference<'r> {
    referrer: &'r Referrer<'r>,
    target: &'r Gvk,
    role: Option<&'r Gvk>,
}

impl<'r> Reference<'r> {
    fn set(&self, node: &mut Node) -> Result<()> {
        if node.is_null() {
            return Ok(());
        }
        match node.kind {
            Kind::Scalar => self.set_scalar(node),
            Kind::Mapping => self.set_mapping(node),
            Kind::Sequence => node.content.iter_mut().try_for_each(|item| match item.kind {
                _ if item.is_null() => Ok(()),
                Kind::Scalar => self.set_scalar(item),
                Kind::Mapping => self.set_mapping(item),
                _ => Err(Error::new("a list of lists is expected to be either a string or a map of string")),
            }),
            Kind::Zero => Err("node must be a scalar, sequence or map".into()),
        }
    }

    fn set_scalar(&self, node: &mut Node) -> Result<()> {
        let same_names = |all: &[&Candidate]| all.iter().all(|c| c.id.name == all[0].id.name);
        let Some(found) = self.select(&node.value, |_| true, same_names)? else { return Ok(()) };
        if found.id.name == node.value {
            return Ok(());
        }
        Ok(node.set_scalar(Node::scalar(found.id.name.as_str()))?)
    }

    fn set_mapping(&self, node: &mut Node) -> Result<()> {
        let Some(name) = node.field("name") else { return Err("path config error; no 'name' field in node".into()) };
        let name = name.value.clone();
        let namespace = node.field("namespace").map(|n| n.value.clone());
        let same = |all: &[&Candidate]| {
            all.iter().all(|c| c.id.name == all[0].id.name && c.id.namespace == all[0].id.namespace)
        };
        let original = |c: &'_ Candidate| c.previous.first().unwrap_or(&c.id).effective_namespace().to_owned();
        let found = match &namespace {
            None => self.select(&name, |_| true, same)?,
            Some(ns) if ns == super::ids::NOT_A_NAMESPACE => return Ok(()),
            Some(ns) => {
                // Objects that were in this namespace at first, or if there are none at all, those that are now.
                let in_reach = |c: &&Candidate| self.is_in_reach(c);
                let any = self.referrer.index.candidates.iter().filter(in_reach).any(|c| original(c) == *ns);
                if any {
                    self.select(&name, |c| original(c) == *ns, same)?
                } else {
                    self.select(&name, |c| c.id.effective_namespace() == ns, same)?
                }
            }
        };
        let Some(found) = found else { return Ok(()) };
        let id = &found.id;
        if id.name == name && id.namespace.is_empty() {
            return Ok(());
        }
        node.set_field("name", Node::scalar(id.name.as_str()))?;
        if !id.namespace.is_empty() {
            node.set_field("namespace", Node::scalar(id.namespace.as_str()))?;
        }
        Ok(())
    }

    /// True if the referrer could refer to the object at all (`SubsetThatCouldBeReferencedByResource`).
    fn is_in_reach(&self, candidate: &Candidate) -> bool {
        let own = &self.referrer.own.id;
        own.cluster
            || candidate.id.cluster
            || candidate.id.effective_namespace() == own.effective_namespace()
            || self.referrer.binding_namespaces.contains(&candidate.id.namespace)
    }

    fn fits(&self, candidate: &Candidate, old_name: &str) -> bool {
        let selected = |gvk: &Gvk| candidate.previous.iter().any(|id| id.gvk.is_selected(gvk));
        let own = &self.referrer.own.id;
        candidate.previous.iter().any(|id| id.name == old_name)
            && selected(self.target)
            && self.role.is_none_or(selected)
            && (own.cluster
                || candidate.id.cluster
                || candidate.id.gvk.kind == "ServiceAccount"
                || candidate.id.effective_namespace() == own.effective_namespace())
    }

    /// The one object that a name refers to (`selectReferral`).
    fn select(
        &self,
        old_name: &str,
        allowed: impl Fn(&Candidate) -> bool,
        identical: impl Fn(&[&Candidate]) -> bool,
    ) -> Result<Option<&'r Candidate>> {
        let index = self.referrer.index;
        let Some(places) = index.by_name.get(old_name) else { return Ok(None) };
        let candidate = |i: &u32| &index.candidates[*i as usize];
        let keep = |c: &&'r Candidate| self.is_in_reach(c) && allowed(c) && self.fits(c, old_name);
        let own = &self.referrer.own.id;
        let crowded = places.len() > CROWD
            && !own.cluster
            && !self.target.kind.is_empty()
            && self.referrer.binding_namespaces.is_empty()
            && self.target.kind != "ServiceAccount";
        let mut found: Vec<&Candidate> = if crowded {
            let place = |namespace: &str| {
                let key = (old_name.to_owned(), self.target.kind.clone(), namespace.to_owned());
                index.by_place.get(&key).map(Vec::as_slice).unwrap_or_default()
            };
            let near = place(own.effective_namespace());
            let cluster = place(super::ids::NOT_A_NAMESPACE);
            near.iter().chain(cluster).map(candidate).filter(keep).collect()
        } else {
            places.iter().map(candidate).filter(keep).collect()
        };
        if found.len() > 1 {
            found.retain(|c| self.same_affixes(c, true));
            if found.len() > 1 {
                found.retain(|c| self.same_affixes(c, false));
            }
        }
        match found[..] {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            _ if identical(&found) => Ok(Some(found[0])),
            _ => {
                let ids: Vec<String> = found.iter().map(|c| c.id.to_string()).collect();
                Err(Error::new(format!("found multiple possible referrals: {}\n{DETAILS}", ids.join(", "))))
            }
        }
    }

    /// True if both got the same prefixes and suffixes, as far as both got any.
    fn same_affixes(&self, candidate: &Candidate, allow_empty: bool) -> bool {
        let own = self.referrer.own;
        let same = |a: &[String], b: &[String]| {
            if allow_empty && (a.is_empty() || b.is_empty()) {
                return true;
            }
            let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
            if short.is_empty() { long.is_empty() } else { long.ends_with(short) }
        };
        same(&candidate.prefixes, &own.prefixes) && same(&candidate.suffixes, &own.suffixes)
    }
}

/// Stands in a message where the objects in question are to be shown.
const DETAILS: &str = "\u{0}details\u{0}";

/// Shows the objects in question in a message about too many of them.
pub fn with_details(mut e: Error, map: &ResMap) -> Error {
    let Some(at) = e.message.find(DETAILS) else { return e };
    let yaml = |id: &str| {
        let found = map.items().iter().find(|r| r.id().to_string() == id);
        found.and_then(|r| r.yaml().ok()).unwrap_or_default()
    };
    let head = e.message[..at].to_owned();
    let referrer = head.split("field of '").nth(1).and_then(|s| s.split("': considering").next()).unwrap_or_default();
    let ids = head.rsplit("possible referrals: ").next().unwrap_or_default().trim_end().to_owned();
    let mut text = format!("\n**** Too many possible referral targets to referrer:\n{}\n", yaml(referrer));
    for (i, id) in ids.split(", ").enumerate() {
        text.push_str(&format!("--- possible referral {i}:\n{}\n", yaml(id)));
    }
    e.message = e.message.replace(DETAILS, &text);
    e
}

#[cfg(test)]
mod tests {
    use crate::kustomize::resource;

    #[test]
    fn an_object_that_was_never_renamed_has_no_earlier_names() {
        let node = crate::kustomize::read::parse(b"kind: A\nmetadata: {name: x}\n").unwrap().unwrap();
        assert!(resource::previous_ids(&node).unwrap().is_empty());
    }
}
