//! The objects of a build in order, and how one is found among them.
//!
//! kustomize looks through the whole list for every id; here an index by current id stands as long as no name changes, and one by
//! all ids is made where many objects are looked for at once.

use std::collections::HashMap;

use super::error::{Error, Result};
use super::ids::{Id, Key};
use super::resource::{BEHAVIOR, ORIGIN, Resource, annotation};
use super::selector::{Selector, SelectorRegex};

#[derive(Clone, Debug, Default)]
pub struct ResMap {
    items: Vec<Resource>,
    /// How many objects have an id now; `None` once ids may have changed.
    ids: Option<HashMap<Key, u32>>,
}

impl ResMap {
    pub fn items(&self) -> &[Resource] {
        &self.items
    }

    /// The objects, to be changed.
    pub fn items_mut(&mut self) -> &mut [Resource] {
        self.ids = None;
        &mut self.items
    }

    /// The objects, to be changed in whatever their ids do not tell.
    pub fn contents_mut(&mut self) -> &mut [Resource] {
        &mut self.items
    }

    pub fn into_items(self) -> Vec<Resource> {
        self.items
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Replaces all objects without a look at their ids.
    pub fn set(&mut self, items: Vec<Resource>) {
        self.items = items;
        self.ids = None;
    }

    /// Adds an object unless its id is taken.
    pub fn append(&mut self, resource: Resource) -> Result<()> {
        let ids = self.ids.get_or_insert_with(|| {
            let mut ids = HashMap::with_capacity(self.items.len() + 1);
            for item in &self.items {
                *ids.entry(item.id().key()).or_insert(0) += 1;
            }
            ids
        });
        let id = resource.id();
        let count = ids.entry(id.key()).or_insert(0);
        if *count > 0 {
            let source = resource.source.clone();
            let e = Error::new(format!("may not add resource with an already registered id: {id}"));
            return Err(e.at(&source.file, source.line));
        }
        *count += 1;
        self.items.push(resource);
        Ok(())
    }

    pub fn append_all(&mut self, resources: impl IntoIterator<Item = Resource>) -> Result<()> {
        resources.into_iter().try_for_each(|r| self.append(r))
    }

    /// Takes objects that patches emptied out.
    pub fn drop_empty(&mut self) {
        let before = self.items.len();
        self.items.retain(|r| !r.is_empty());
        if self.items.len() != before {
            self.ids = None;
        }
    }

    /// How many objects have this id now.
    pub fn count_current(&self, id: &Id) -> usize {
        self.items.iter().filter(|r| r.id().matches(id)).count()
    }

    /// The places of objects that have or had a matching id.
    pub fn find_any(&self, matches: impl Fn(&Id) -> bool) -> Result<Vec<usize>> {
        let mut found = Vec::new();
        for (i, r) in self.items.iter().enumerate() {
            if !r.is_empty() && (matches(&r.id()) || r.previous_ids()?.iter().any(&matches)) {
                found.push(i);
            }
        }
        Ok(found)
    }

    /// The one object that has or had this id, for a patch.
    pub fn get_by_id(&self, id: &Id) -> Result<usize> {
        let found = self.find_any(|other| id.matches(other))?;
        let problem = match found[..] {
            [at] => return Ok(at),
            [] => "no matches",
            _ => "multiple matches",
        };
        Err(Error::new(format!("{problem} for Id {id}; failed to find unique target for patch {id}")))
    }

    /// Adds generated objects, or merges them into those that are there (`AbsorbAll`).
    pub fn absorb(&mut self, resource: Resource, index: &mut AnyIndex) -> Result<()> {
        let id = resource.id();
        let behavior = annotation(&resource.node, BEHAVIOR).unwrap_or_default().to_owned();
        let found = index.find(&id);
        match found[..] {
            [] if matches!(behavior.as_str(), "merge" | "replace") => {
                Err(Error::new(format!("id {} does not exist; cannot merge or replace", id.go_syntax())))
            }
            [] => {
                index.add(self.items.len(), &resource)?;
                self.append(resource)
            }
            [at] => {
                let mut resource = resource;
                let Some(old) = self.items.get(at) else { return Err("id lookup failure".into()) };
                match behavior.as_str() {
                    "replace" => resource.copy_metadata_from(old)?,
                    "merge" => {
                        let origin = annotation(&old.node, ORIGIN).map(str::to_owned);
                        resource.copy_metadata_from(old)?;
                        resource.merge_data_from(old)?;
                        if let Some(origin) = origin {
                            resource.set_note(ORIGIN, &origin)?;
                        }
                    }
                    other => {
                        let other = if other == "create" { other } else { "unspecified" };
                        return Err(Error::new(format!(
                            "id {} exists; can not use behavior: '{other}', behavior must be merge or replace",
                            id.go_syntax()
                        )));
                    }
                }
                let new = resource.id();
                match self.count_current(&new) {
                    0 => {
                        return Err(Error::new(format!("cannot find resource with id {new} to replace")));
                    }
                    1 => {}
                    n => return Err(Error::new(format!("in Replace: id matched {n} resources"))),
                }
                self.items[at] = resource;
                self.ids = None;
                index.add(at, &self.items[at])?;
                Ok(())
            }
            _ => {
                let all: Vec<String> = found.iter().filter_map(|i| self.items.get(*i)).map(Resource::json).collect();
                Err(Error::new(format!("found multiple objects [{}] that could accept merge of {id}", all.join(" "))))
            }
        }
    }

    pub fn any_index(&self) -> Result<AnyIndex> {
        let mut index = AnyIndex::default();
        for (i, r) in self.items.iter().enumerate() {
            if !r.is_empty() {
                index.add(i, r)?;
            }
        }
        Ok(index)
    }

    /// The places of the objects that a selector selects.
    pub fn select(&self, selector: &Selector) -> Result<Vec<usize>> {
        let regex = SelectorRegex::new(selector)?;
        let mut found = Vec::new();
        for (i, r) in self.items.iter().enumerate() {
            let current = r.id();
            let original = r.original_id()?;
            if (regex.matches_namespace(original.effective_namespace())
                || regex.matches_namespace(current.effective_namespace()))
                && (regex.matches_name(&original.name) || regex.matches_name(&current.name))
                && regex.matches_gvk(&current.gvk)
                && selector.matches_labels(&r.node)?
            {
                found.push(i);
            }
        }
        Ok(found)
    }
}

/// Places of objects by all ids that they have or had.
#[derive(Debug, Default)]
pub struct AnyIndex {
    by_id: HashMap<Key, Vec<usize>>,
}

impl AnyIndex {
    fn add(&mut self, at: usize, resource: &Resource) -> Result<()> {
        let mut ids = resource.previous_ids()?;
        ids.push(resource.id());
        for id in ids {
            let places = self.by_id.entry(id.key()).or_default();
            if let Err(i) = places.binary_search(&at) {
                places.insert(i, at);
            }
        }
        Ok(())
    }

    fn find(&self, id: &Id) -> Vec<usize> {
        self.by_id.get(&id.key()).cloned().unwrap_or_default()
    }
}
