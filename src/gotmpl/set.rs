//! Template sets: the names that `template`, `include` and `tpl` can see.
//!
//! A set is immutable once built and can be shared between renders. `tpl` sees all templates of its surroundings plus those its
//! own text defines, and what it defines is gone afterwards; Helm clones the whole set for that. Here an overlay holds the new
//! names and points at the set below, so that the cost of `tpl` does not grow with the number of templates.

use std::sync::Arc;

use super::ast::Template;
use super::{CallError, FuncTable, Names, ParseError, State, is_empty_tree, parse, parse_shared};
use crate::value::Str;

/// What one text defines: its main template (named as the text) and its `define`s.
pub type Parsed = Result<Vec<Arc<Template>>, String>;

/// Ids of the functions that the executor treats in its own way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Special {
    pub and: usize,
    pub or: usize,
    pub call: usize,
    pub len: usize,
}

impl Special {
    fn of(funcs: &FuncTable) -> Self {
        let id = |name| funcs.id(name).unwrap_or(usize::MAX);
        Self { and: id("and"), or: id("or"), call: id("call"), len: id("len") }
    }
}

/// Associated templates (Go's `template.Template` with its `common`).
pub struct TemplateSet {
    /// The name of the set's root template: Helm's is `gotpl`.
    root: Arc<str>,
    funcs: Arc<FuncTable>,
    pub(super) special: Special,
    /// Of an overlay: the set below.
    base: Option<Arc<Self>>,
    own: Names<Arc<str>, Arc<Template>>,
    /// How many sets lie below.
    layers: u32,
}

impl TemplateSet {
    /// An empty set. The functions are those that its texts are parsed and executed with.
    pub fn new(root: &str, funcs: Arc<FuncTable>) -> Self {
        Self { root: root.into(), special: Special::of(&funcs), funcs, base: None, own: Names::default(), layers: 0 }
    }

    /// The name of the root template.
    pub const fn root(&self) -> &Arc<str> {
        &self.root
    }

    pub const fn funcs(&self) -> &Arc<FuncTable> {
        &self.funcs
    }

    /// Parses a text and adds what it defines, as Go's `t.New(name).Parse(text)`.
    pub fn parse(&mut self, name: &str, text: &[u8]) -> Result<(), ParseError> {
        for template in parse(name, text, &self.funcs)? {
            self.add(Arc::new(template));
        }
        Ok(())
    }

    /// Adds a template (Go's `AddParseTree`): it replaces one of the same name unless it is empty.
    pub fn add(&mut self, template: Arc<Template>) {
        if is_empty_tree(&template.root, &template.source) && self.lookup(&template.name).is_some() {
            return;
        }
        self.own.insert(template.name.clone(), template);
    }

    /// The template of this name, here or below.
    pub fn lookup(&self, name: &str) -> Option<&Arc<Template>> {
        let mut set = self;
        loop {
            if let Some(template) = set.own.get(name) {
                return Some(template);
            }
            set = set.base.as_deref()?;
        }
    }

    /// How many sets a look-up may have to go through besides the first.
    pub(super) const fn layers(&self) -> u32 {
        self.layers
    }

    /// The names of all templates, those of overlays first; a name that is redefined comes once per definition.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        std::iter::successors(Some(self), |set| set.base.as_deref()).flat_map(|set| set.own.keys())
    }

    /// A set that sees all of `base` and what `templates` define; the root's own is always replaced.
    fn overlay(base: &Arc<Self>, templates: &[Arc<Template>]) -> Self {
        let mut set = Self {
            root: base.root.clone(),
            funcs: base.funcs.clone(),
            special: base.special,
            base: Some(base.clone()),
            own: Names::with_capacity_and_hasher(templates.len(), foldhash::fast::RandomState::default()),
            layers: 0,
        };
        for template in templates {
            if template.name == set.root {
                set.own.insert(template.name.clone(), template.clone());
            } else {
                set.add(template.clone());
            }
        }
        // An overlay whose names are all defined anew shows nothing any more: recursion through tpl would pile them up.
        while let Some(below) = set.base.clone()
            && below.base.is_some()
            && below.own.keys().all(|name| set.own.contains_key(name))
        {
            set.base.clone_from(&below.base);
        }
        set.layers = set.base.as_ref().map_or(0, |below| below.layers + 1);
        set
    }

    /// Parses a text under the root's name, as Go's `t.Clone()` followed by `t.New(t.Name()).Parse(text)`: the set in which the
    /// root is that text. A render parses each text once. The error is the parser's text.
    pub fn with_text(self: &Arc<Self>, st: &mut State, text: &Str) -> Result<Arc<Self>, CallError> {
        let parsed = match st.parsed.get(text) {
            Some(parsed) => parsed.clone(),
            None => {
                let parsed = parse_shared(&self.root, text, &self.funcs)
                    .map(|templates| templates.into_iter().map(Arc::new).collect())
                    .map_err(|e| e.to_string());
                let parsed = Arc::new(parsed);
                st.parsed.insert(text.clone(), parsed.clone());
                parsed
            }
        };
        match &*parsed {
            Ok(templates) => Ok(Arc::new(Self::overlay(self, templates))),
            Err(e) => Err(CallError::Msg(e.clone())),
        }
    }
}

impl std::fmt::Debug for TemplateSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TemplateSet")
            .field("root", &self.root)
            .field("names", &self.names().count())
            .finish_non_exhaustive()
    }
}
