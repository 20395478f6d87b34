//! Strategic merge (kyaml's `merge2`): maps merge, lists of built-in kinds merge by their keys with the patch's items first, all
//! other lists are replaced, null removes.

use super::error::{Error, Result};
use super::node::{Kind, Node, Tag, expect};
use super::resource;
use super::schema::{Schema, Schemas};

/// Merges a patch into an object. `None`: the object is deleted.
pub fn merge(dest: Node, patch: Node, schemas: &Schemas) -> Result<Option<Node>> {
    if patch.field("$patch").is_some_and(|directive| directive.value == "replace") {
        // kustomize makes the new object but goes on with the old one.
        return Ok(Some(dest));
    }
    let walker = Walker { schemas };
    Ok(walker.walk(Some(dest), Side::Own(patch), None)?.map(|found| found.node))
}

struct Walker<'s> {
    schemas: &'s Schemas,
}

/// The patch's side of a walk.
#[derive(Debug)]
pub enum Side {
    None,
    Own(Node),
    /// What is merged into is the patch's own node: it was added or takes the other's place.
    Same,
}

impl Side {
    fn node<'n>(&'n self, dest: Option<&'n Node>) -> Option<&'n Node> {
        match self {
            Self::None => None,
            Self::Own(node) => Some(node),
            Self::Same => dest,
        }
    }

    fn node_mut<'n>(&'n mut self, dest: Option<&'n mut Node>) -> Option<&'n mut Node> {
        match self {
            Self::None => None,
            Self::Own(node) => Some(node),
            Self::Same => dest,
        }
    }
}

/// A result of the walk.
pub struct Found {
    pub node: Node,
    /// A null that is to stay.
    keep: bool,
    /// It is what was merged into, changed or not.
    pub from_dest: bool,
}

impl Found {
    fn dest(node: Node) -> Self {
        Self { node, keep: false, from_dest: true }
    }

    fn patch(node: Node) -> Self {
        Self { node, keep: false, from_dest: false }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

impl<'s> Walker<'s> {
    fn walk(&self, dest: Option<Node>, side: Side, schema: Option<&'s Schema>) -> Result<Option<Found>> {
        let sources = || [dest.as_ref(), side.node(dest.as_ref())].into_iter().flatten();
        let schema = schema.or_else(|| {
            sources().filter(|n| !n.is_null() && n.kind == Kind::Mapping).find_map(|n| {
                let text = |name: &str| n.field(name).filter(|f| !f.is_empty()).map_or("", Node::text);
                let (kind, version) = (text("kind"), text("apiVersion"));
                if kind.is_empty() || version.is_empty() { None } else { self.schemas.of_kind(version, kind) }
            })
        });
        let kind = sources().find(|n| !n.is_null()).map_or(Kind::Zero, |n| n.kind);
        if kind != Kind::Zero {
            sources().try_for_each(|n| expect(n, kind))?;
        }
        match kind {
            Kind::Mapping | Kind::Zero => self.walk_map(dest, side, schema),
            Kind::Sequence if matches!(schema, Some(Schema::List(_, strategy)) if strategy.merges()) => {
                self.walk_list(dest, side, schema)
            }
            // The patch's list or scalar takes the place of the other.
            Kind::Sequence | Kind::Scalar => Ok(match side {
                Side::Own(node) => Some(Found::patch(node)),
                Side::None | Side::Same => dest.map(Found::dest),
            }),
        }
    }

    fn walk_map(&self, dest: Option<Node>, mut side: Side, schema: Option<&'s Schema>) -> Result<Option<Found>> {
        let mut dest = dest;
        if let Some(node) = dest.as_mut().filter(|n| !n.is_null()) {
            if matches!(&side, Side::Own(patch) if patch.is_null()) {
                return Ok(None);
            }
            if let Side::Own(patch) = &side
                && node.content.is_empty()
            {
                node.flow = patch.flow;
            }
            match (directive(side.node_mut(Some(node)))?, side) {
                (Directive::Delete, _) => return Ok(None),
                (Directive::Replace, Side::Own(patch)) => {
                    let node = self.walk_fields(patch, Side::Same, schema)?;
                    return Ok(Some(Found::patch(node)));
                }
                (_, side) => {
                    let Some(node) = dest.take() else { return Ok(None) };
                    return Ok(Some(Found::dest(self.walk_fields(node, side, schema)?)));
                }
            }
        }
        // Nothing to merge into. A bad directive is no error here, but stands in the result.
        if matches!(directive(side.node_mut(dest.as_mut())), Ok(Directive::Delete)) {
            return Ok(None);
        }
        match (dest, side) {
            (Some(null), Side::None) if !null.value.is_empty() => {
                let node = Node { kind: Kind::Scalar, tag: Tag::Null, value: null.value, ..Node::default() };
                Ok(Some(Found { node, keep: true, from_dest: false }))
            }
            (_, Side::None) | (None, Side::Same) => Ok(None),
            (Some(null), Side::Same) => Ok(Some(Found::dest(null))),
            (_, Side::Own(patch)) if patch.kind != Kind::Mapping => Ok(Some(Found::patch(patch))),
            (_, Side::Own(patch)) => Ok(Some(Found::patch(self.walk_fields(patch, Side::Same, schema)?))),
        }
    }

    /// Walks each field of both maps, in the order of their names.
    fn walk_fields(&self, mut dest: Node, mut side: Side, schema: Option<&'s Schema>) -> Result<Node> {
        let mut names: Vec<String> = Vec::with_capacity(dest.content.len() / 2);
        for map in [Some(&dest), side.node(None)].into_iter().flatten() {
            names.extend(map.fields().map(|(k, _)| k.value.clone()));
        }
        names.sort_unstable();
        names.dedup();
        for name in names {
            // kustomize sets a field without a name on what is a scalar. A key that is a mapping has none: `{{ .Values.x }}`.
            if name.is_empty() {
                expect(&dest, Kind::Scalar)?;
            }
            let at = dest.field_index(&name);
            // A key that is added is written as the patch writes it; its tag is left behind.
            let key_style = match &side {
                Side::Own(patch) => {
                    patch.field_index(&name).and_then(|at| patch.content.get(at - 1)).map(|key| key.style)
                }
                Side::None | Side::Same => None,
            };
            let theirs = match &mut side {
                Side::Own(patch) => match patch.field_index(&name).and_then(|at| patch.content.get_mut(at)) {
                    Some(node) => Side::Own(std::mem::take(node)),
                    None => Side::None,
                },
                Side::Same if at.is_some() => Side::Same,
                _ => Side::None,
            };
            let own = at.and_then(|at| dest.content.get_mut(at));
            // A scalar that no patch is for stays as it is.
            if !matches!(theirs, Side::Own(_)) && own.as_ref().is_some_and(|n| n.kind == Kind::Scalar && !n.is_null()) {
                continue;
            }
            let style = own.as_ref().map(|n| (n.style, n.flow, n.tagged, n.share));
            let own = own.map(std::mem::take);
            let field_schema = schema.and_then(|s| self.schemas.field(s, &name));
            match (self.walk(own, theirs, field_schema)?, at) {
                (Some(Found { mut node, keep, from_dest }), at) if keep || !node.is_null() => match at {
                    Some(at) => {
                        // The style of what was there stays, whatever comes in its place.
                        if let (false, Some((style, flow, tagged, share))) = (from_dest, style) {
                            (node.style, node.flow, node.tagged) = (style, flow, tagged);
                            (node.share, node.stamp) = (share, super::shared::stamp_if(share));
                        }
                        if let Some(place) = dest.content.get_mut(at) {
                            *place = node;
                        }
                    }
                    None => {
                        let style = key_style.filter(|_| !from_dest && !keep).unwrap_or_default();
                        dest.content.push(Node { style, ..Node::scalar(name.as_str()) });
                        dest.content.push(node);
                    }
                },
                (_, Some(at)) => {
                    dest.content.drain(at - 1..=at);
                }
                (_, None) => {}
            }
        }
        Ok(dest)
    }

    fn walk_list(&self, dest: Option<Node>, mut side: Side, schema: Option<&'s Schema>) -> Result<Option<Found>> {
        let mut from_dest = true;
        let dest = match dest.filter(|n| !n.is_null()) {
            // Added.
            None => match side {
                Side::Own(patch) => {
                    if patch.is_null() {
                        return Ok(Some(Found::patch(patch)));
                    }
                    side = Side::Same;
                    from_dest = false;
                    patch
                }
                Side::None | Side::Same => return Ok(None),
            },
            Some(mut dest) => {
                if matches!(&side, Side::Own(patch) if patch.is_null()) {
                    return Ok(None);
                }
                if let Side::Own(patch) = &side
                    && dest.content.is_empty()
                {
                    dest.flow = patch.flow;
                }
                match (directive(side.node_mut(Some(&mut dest)))?, side) {
                    (Directive::Delete, _) => return Ok(None),
                    (Directive::Replace, Side::Own(patch)) => {
                        side = Side::Same;
                        from_dest = false;
                        patch
                    }
                    (_, other) => {
                        side = other;
                        dest
                    }
                }
            }
        };
        let keys: Vec<String> = match schema {
            Some(Schema::List(_, strategy)) => strategy.keys.clone(),
            _ => Vec::new(),
        };
        let item = schema.and_then(|s| self.schemas.elements(s));
        let merged = super::merge_list::merge(dest, side, keys, &mut |dest, side| self.walk(dest, side, item))?;
        Ok(merged.map(|node| Found { node, keep: false, from_dest }))
    }
}

/// The `$patch` directive of a patch, which is removed from it (`determineSmpDirective`).
fn directive(patch: Option<&mut Node>) -> Result<Directive> {
    let Some(patch) = patch else { return Ok(Directive::Merge) };
    let parse = |text: &str| match text {
        "delete" => Ok(Directive::Delete),
        "replace" => Ok(Directive::Replace),
        "merge" => Ok(Directive::Merge),
        other => Err(Error::new(format!("unknown patch strategy '{other}'"))),
    };
    match patch.kind {
        Kind::Mapping => {
            let Some(value) = patch.field("$patch") else { return Ok(Directive::Merge) };
            let found = parse(&value.value)?;
            patch.clear("$patch");
            Ok(found)
        }
        Kind::Sequence => {
            let Some(item) = patch.content.iter().find(|item| item.field("$patch").is_some()) else {
                return Ok(Directive::Merge);
            };
            // With other fields beside it the directive is for the item.
            if item.content.len() > 2 {
                return Ok(Directive::Merge);
            }
            let text = item.field("$patch").map(|n| n.value.clone()).unwrap_or_default();
            let found = parse(&text)?;
            patch
                .content
                .retain(|item| !item.is_empty_item() && item.field("$patch").is_none_or(|value| value.value != text));
            Ok(found)
        }
        _ => {
            let (tag, text) = (patch.tag.short().to_owned(), super::print::node(patch));
            Err(Error::new(format!("no implemented strategic merge patch strategy for '{tag}' ('{text}')")))
        }
    }
}

impl Node {
    /// Null or an empty map: no item of a list that is merged.
    pub(super) fn is_empty_item(&self) -> bool {
        self.is_null() || (self.kind == Kind::Mapping && self.content.is_empty())
    }
}

/// Applies a patch to an object; kind, name and namespace stay unless the patch may change them.
pub fn apply(target: &mut resource::Resource, patch: &resource::Resource, schemas: &Schemas) -> Result<()> {
    let name = resource::name(&target.node).to_owned();
    let namespace = resource::namespace(&target.node).to_owned();
    let kind = resource::kind(&target.node).to_owned();
    let name_change = patch.is_enabled(resource::ALLOW_NAME_CHANGE);
    let kind_change = patch.is_enabled(resource::ALLOW_KIND_CHANGE);
    if name_change || kind_change {
        target.store_previous_id()?;
    }
    super::shared::step(&mut target.node, |node| {
        let dest = std::mem::take(node);
        *node = merge(dest, patch.node.clone(), schemas)?.unwrap_or_default();
        Ok(())
    })
    .map_err(|e| e.at(&patch.source.file, patch.source.line))?;
    if target.is_empty() {
        return Ok(());
    }
    if !kind_change {
        target.set_kind(&kind)?;
    }
    if !name_change {
        target.set_name(&name)?;
    }
    target.set_namespace(&namespace)
}
