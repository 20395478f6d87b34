//! The transformers with no file of their own: namespace, prefixes and suffixes, labels, annotations, replicas.

use super::error::{Error, Result};
use super::fieldspec::{FieldSpec, Setter, apply, apply_unchecked};
use super::ids::Gvk;
use super::kustomization::Replica;
use super::lookup;
use super::node::{Kind, Node, Tag};
use super::resmap::ResMap;
use super::resource::{self, Pairs, Resource};
use super::shared;

/// Which subjects of role bindings get the namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subjects {
    #[default]
    DefaultOnly,
    AllServiceAccounts,
    None,
}

impl Subjects {
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "" | "defaultOnly" => Ok(Self::DefaultOnly),
            "allServiceAccounts" => Ok(Self::AllServiceAccounts),
            "none" => Ok(Self::None),
            other => Err(Error::new(format!(
                "invalid value {other:?} for setRoleBindingSubjects: must be one of \"defaultOnly\", \"none\" or \
                 \"allServiceAccounts\""
            ))),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Namespace {
    pub namespace: String,
    pub specs: Vec<FieldSpec>,
    pub unset_only: bool,
    pub subjects: Subjects,
}

impl Namespace {
    pub fn apply(&self, map: &mut ResMap) -> Result<()> {
        if self.namespace.is_empty() {
            return Ok(());
        }
        // How many objects have an id while they change one by one.
        let mut ids = std::collections::HashMap::new();
        for r in map.items() {
            *ids.entry(r.id().key()).or_insert(0_u32) += 1;
        }
        for i in 0..map.len() {
            let Some(r) = map.items_mut().get_mut(i) else { break };
            if r.is_empty()
                || resource::annotation(&r.node, "internal.config.kubernetes.io/helm-generated") == Some("true")
            {
                continue;
            }
            let before = r.id().key();
            r.store_previous_id()?;
            shared::step(&mut r.node, |node| self.apply_to(node)).map_err(|e| e.at(&r.source.file, r.source.line))?;
            let id = r.id();
            let after = id.key();
            if before != after {
                ids.entry(before).and_modify(|n| *n -= 1);
                *ids.entry(after.clone()).or_insert(0) += 1;
            }
            if ids.get(&after) != Some(&1) {
                let all: Vec<String> =
                    map.items().iter().filter(|other| other.id().matches(&id)).map(Resource::json).collect();
                return Err(Error::new(format!("namespace transformation produces ID conflict: [{}]", all.join(" "))));
            }
        }
        Ok(())
    }

    /// Sets the namespace in one object.
    pub fn apply_to(&self, node: &mut Node) -> Result<()> {
        let gvk = resource::gvk(node);
        let api_version = gvk.api_version();
        if !gvk.is_cluster_scoped() {
            let spec = FieldSpec::new(Gvk::default(), "metadata/namespace", true);
            self.walk(node, &spec, Tag::Empty)?;
        }
        let binding = matches!(gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding");
        if binding {
            self.set_subjects(node)?;
        }
        for spec in &self.specs {
            let own_rules = spec.path == "metadata/namespace"
                || (spec.path == "metadata/name" && api_version != "v1")
                || (binding
                    && matches!(spec.gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding")
                    && spec.path == "subjects/namespace");
            if own_rules {
                continue;
            }
            self.walk(node, spec, Tag::Str).map_err(|e| match e.wrong_kind {
                Some(kind) if kind != Kind::Scalar => e.wrap("namespace field specs must target scalar nodes"),
                _ => e.wrap("namespace transformation failed"),
            })?;
        }
        Ok(())
    }

    fn walk(&self, node: &mut Node, spec: &FieldSpec, tag: Tag) -> Result<()> {
        let mut set = |field: &mut Node| self.set(field);
        apply(node, spec, &mut Setter { set: &mut set, kind: Some(Kind::Scalar), tag })
    }

    fn set(&self, field: &mut Node) -> Result<()> {
        // `hasExistingValue` with an empty key: what is no scalar is left to the setter, which refuses it.
        let set = match field.kind {
            Kind::Scalar => Some(&*field),
            _ => field.field(""),
        };
        if self.unset_only && set.is_some_and(|value| !value.is_empty() && !value.text().is_empty()) {
            return Ok(());
        }
        Ok(field.set_scalar(Node::tagged_scalar(self.namespace.as_str(), Tag::Str))?)
    }

    fn set_subjects(&self, node: &mut Node) -> Result<()> {
        let (field, want) = match self.subjects {
            Subjects::None => return Ok(()),
            Subjects::DefaultOnly => ("name", "default"),
            Subjects::AllServiceAccounts => ("kind", "ServiceAccount"),
        };
        let Some(subjects) = lookup::get_mut(node, &["subjects"])? else { return Ok(()) };
        if subjects.is_null() {
            return Ok(());
        }
        let wrap = |e: Error| e.wrap("setting namespace on (cluster)role binding subjects");
        super::node::expect(subjects, Kind::Sequence).map_err(|e| wrap(e.into()))?;
        for subject in &mut subjects.content {
            match lookup::get(subject, &[field]).map_err(wrap)? {
                Some(found) if !found.is_null() && found.value == want => {}
                _ => continue,
            }
            if let Some(at) = lookup::get_or_create(subject, &["namespace"], Kind::Scalar).map_err(wrap)? {
                self.set(at).map_err(wrap)?;
            }
        }
        Ok(())
    }
}

/// A text before or behind names.
#[derive(Clone, Debug, Default)]
pub struct Affix {
    pub text: String,
    pub suffix: bool,
    pub specs: Vec<FieldSpec>,
}

impl Affix {
    pub fn apply(&self, map: &mut ResMap) -> Result<()> {
        let skipped = |gvk: &Gvk| {
            matches!(gvk.kind.as_str(), "CustomResourceDefinition" | "Namespace")
                || (gvk.kind == "APIService" && gvk.group == "apiregistration.k8s.io")
        };
        for r in map.items_mut() {
            let id = r.original_id()?;
            if skipped(&id.gvk) {
                continue;
            }
            for spec in self.specs.iter().filter(|spec| id.gvk.is_selected(&spec.gvk)) {
                if spec.path == "metadata/name" {
                    r.append(if self.suffix { resource::SUFFIXES } else { resource::PREFIXES }, &self.text)?;
                    if !self.text.is_empty() {
                        r.store_previous_id()?;
                    }
                }
                let mut set = |field: &mut Node| {
                    let text = if self.suffix {
                        format!("{}{}", field.value, self.text)
                    } else {
                        format!("{}{}", self.text, field.value)
                    };
                    Ok(field.set_scalar(Node::scalar(text))?)
                };
                let mut setter = Setter { set: &mut set, kind: Some(Kind::Scalar), tag: Tag::Str };
                shared::step(&mut r.node, |node| apply(node, spec, &mut setter))
                    .map_err(|e| e.at(&r.source.file, r.source.line))?;
            }
        }
        Ok(())
    }
}

/// Labels or annotations for every object.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    pub pairs: Pairs,
    pub specs: Vec<FieldSpec>,
}

impl Entries {
    pub fn apply(&self, map: &mut ResMap) -> Result<()> {
        if self.pairs.is_empty() {
            return Ok(());
        }
        for r in map.contents_mut() {
            self.apply_to(&mut r.node).map_err(|e| e.at(&r.source.file, r.source.line))?;
        }
        map.drop_empty();
        Ok(())
    }

    pub fn apply_to(&self, node: &mut Node) -> Result<()> {
        let gvk = resource::gvk(node);
        let specs: Vec<&FieldSpec> = self.specs.iter().filter(|spec| gvk.is_selected(&spec.gvk)).collect();
        shared::step(node, |node| {
            for (key, value) in &self.pairs {
                // Where the key is made it is one node in all places.
                let share = if specs.len() > 1 { shared::next() } else { 0 };
                let mut set = |field: &mut Node| {
                    let value = Node { share, ..Node::tagged_scalar(value.as_str(), Tag::Str) };
                    if key.is_empty() {
                        return Ok(field.set_scalar(value)?);
                    }
                    Ok(field.set_field(key, value)?)
                };
                for spec in &specs {
                    let mut setter = Setter { set: &mut set, kind: Some(Kind::Mapping), tag: Tag::Map };
                    apply_unchecked(node, spec, &mut setter)?;
                }
            }
            Ok(())
        })
    }
}

/// A number of replicas for objects of a name.
pub fn replicas(replica: &Replica, specs: &[FieldSpec], map: &mut ResMap) -> Result<()> {
    let mut found = false;
    for spec in specs {
        let places = map.find_any(|id| id.name == replica.name && id.gvk.is_selected(&spec.gvk))?;
        found |= !places.is_empty();
        for i in places {
            let Some(r) = map.contents_mut().get_mut(i) else { continue };
            let mut set =
                |field: &mut Node| Ok(field.set_scalar(Node::tagged_scalar(replica.count.to_string(), Tag::Int))?);
            let mut setter = Setter { set: &mut set, kind: Some(Kind::Scalar), tag: Tag::Int };
            shared::step(&mut r.node, |node| apply(node, spec, &mut setter))
                .map_err(|e| e.at(&r.source.file, r.source.line))?;
        }
    }
    if found {
        return Ok(());
    }
    let kinds: Vec<String> = specs.iter().map(|spec| spec.gvk.to_string()).collect();
    Err(Error::new(format!(
        "resource with name {} does not match a config with the following GVK [{}]",
        replica.name,
        kinds.join(" ")
    )))
}
