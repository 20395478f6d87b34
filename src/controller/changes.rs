//! What a revision has changed, told with its outcome: the chart's version, images, and how many objects came, changed and went.
//!
//! It compares manifests; the cluster is not asked. Objects whose text is the same are not even read.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use crate::cluster::{Json, manifest};
use crate::release::{Record, Status};
use crate::render::manifest::split;

/// Images that are told of one by one.
const IMAGES: usize = 10;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// `name version` before and after, where they differ.
    pub chart: Option<(String, String)>,
    /// `Deployment/web web`, and the image before and after.
    pub images: Vec<(String, String, String)>,
    pub created: usize,
    pub changed: usize,
    pub deleted: usize,
}

/// From one revision to another; from nothing, if there was none or it was uninstalled.
pub fn between(before: Option<&Record>, after: &Record) -> Changes {
    let before = before.filter(|r| !matches!(r.info.status, Status::Uninstalled | Status::Uninstalling));
    let old_text = before.map_or("", |r| r.manifest.as_str());
    let mut changes = Changes::default();
    if let Some(before) = before.map(chart).filter(|c| *c != chart(after)) {
        changes.chart = Some((before, chart(after)));
    }
    let (old, new) = (documents(old_text), documents(&after.manifest));
    let objects = |all: &HashSet<&[u8]>, but: &HashSet<&[u8]>| -> BTreeMap<String, Json> {
        let own = all.iter().filter(|d| !but.contains(*d)).filter_map(|d| manifest::object(d).ok().flatten());
        own.map(|o| (name(&o), o)).collect()
    };
    let (gone, come) = (objects(&old, &new), objects(&new, &old));
    for (name, object) in &come {
        let Some(was) = gone.get(name) else {
            changes.created += 1;
            continue;
        };
        if was == object {
            continue;
        }
        changes.changed += 1;
        let (was, is) = (images(was), images(object));
        for (container, image) in is {
            if let Some(was) = was.get(&container).filter(|was| **was != image) {
                changes.images.push((format!("{name} {container}"), was.clone(), image));
            }
        }
    }
    changes.deleted = gone.keys().filter(|name| !come.contains_key(*name)).count();
    changes
}

/// The documents without their comments: where a template lies is no part of its object.
fn documents(text: &str) -> HashSet<&[u8]> {
    let without_source = |document: &'_ [u8]| -> usize {
        let line = document.split(|b| *b == b'\n').next().unwrap_or_default();
        if line.starts_with(b"# Source: ") { line.len() } else { 0 }
    };
    split(text.as_bytes())
        .into_iter()
        .map(|d| d.get(without_source(d)..).unwrap_or_default().trim_ascii())
        .filter(|d| !d.is_empty())
        .collect()
}

fn chart(record: &Record) -> String {
    let metadata = record.chart.as_ref().and_then(|c| c.metadata.as_ref());
    metadata.map(|m| format!("{} {}", m.name, m.version)).unwrap_or_default()
}

fn name(object: &Json) -> String {
    let text = |at: &str| object.pointer(at).and_then(Json::as_str).unwrap_or_default();
    let namespace = text("/metadata/namespace");
    let space = if namespace.is_empty() { "" } else { "/" };
    format!("{}/{namespace}{space}{}", text("/kind"), text("/metadata/name"))
}

/// Images by container, wherever in the object a pod is described.
fn images(object: &Json) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut open = vec![object];
    while let Some(at) = open.pop() {
        match at {
            Json::Object(fields) => {
                for (key, value) in fields {
                    if matches!(key.as_str(), "containers" | "initContainers" | "ephemeralContainers") {
                        for container in value.as_array().into_iter().flatten() {
                            let text = |key: &str| container.get(key).and_then(Json::as_str).unwrap_or_default();
                            out.insert(text("name").to_owned(), text("image").to_owned());
                        }
                    } else {
                        open.push(value);
                    }
                }
            }
            Json::Array(items) => open.extend(items),
            _ => {}
        }
    }
    out
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((before, after)) = &self.chart {
            writeln!(f, "Chart: {before} → {after}")?;
        }
        for (container, before, after) in self.images.iter().take(IMAGES) {
            writeln!(f, "Image of {container}: {before} → {after}")?;
        }
        if self.images.len() > IMAGES {
            writeln!(f, "Images: {} more", self.images.len() - IMAGES)?;
        }
        let counts = [(self.created, "created"), (self.changed, "changed"), (self.deleted, "deleted")];
        let told: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        write!(f, "Objects: {}", if told.is_empty() { "as before".to_owned() } else { told.join(", ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(name: &str, image: &str) -> String {
        format!(
            "---\n# Source: web/templates/{name}.yaml\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  template:\n    spec:\n      \
             containers:\n      - {{name: web, image: {image}}}\n"
        )
    }

    #[test]
    fn charts_images_and_objects() {
        let record = |manifest: String| Record { manifest, ..Record::default() };
        let old = record(deployment("a", "nginx:1") + &deployment("b", "x") + &deployment("c", "x"));
        let new =
            record(deployment("a", "nginx:2") + &deployment("b", "x") + &deployment("d", "x") + &deployment("e", "x"));
        let told = |before: Option<&Record>, after: &Record| between(before, after).to_string();
        assert_eq!(
            told(Some(&old), &new),
            "Image of Deployment/a web: nginx:1 → nginx:2\nObjects: 2 created, 1 changed, 1 deleted"
        );
        assert_eq!(told(Some(&old), &old), "Objects: as before");
        assert_eq!(told(None, &old), "Objects: 3 created");
        let moved = record(old.manifest.replace("web/templates", "web/templates/sub"));
        assert_eq!(told(Some(&old), &moved), "Objects: as before", "another file of the same text");
    }
}
