//! What the watches have told: the newest state of HelmReleases and of the sources that they use.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::cluster::Json;

/// An object by kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub kind: String,
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self { kind: kind.into(), namespace: namespace.into(), name: name.into() }
    }

    /// Of an object.
    pub fn of(object: &Json) -> Self {
        let text = |at: &str| object.pointer(at).and_then(Json::as_str).unwrap_or_default();
        Self::new(text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// See the module.
#[derive(Default)]
pub struct Index {
    objects: RwLock<HashMap<Key, Packed>>,
}

/// An object as text: the tree of one is ten times as large, in small pieces that live long among those that don't.
struct Packed {
    text: Box<[u8]>,
    uid: Box<str>,
    version: u64,
}

impl Packed {
    fn of(object: &Json) -> Self {
        let text = serde_json::to_vec(object).unwrap_or_default().into_boxed_slice();
        Self { text, uid: uid(object).into(), version: version(object) }
    }

    /// What was written can be read.
    fn object(&self) -> Option<Arc<Json>> {
        serde_json::from_slice(&self.text).ok().map(Arc::new)
    }
}

impl Index {
    pub fn get(&self, key: &Key) -> Option<Arc<Json>> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner).get(key).and_then(Packed::object)
    }

    /// The `resourceVersion` of what is kept.
    pub fn version(&self, key: &Key) -> Option<u64> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner).get(key).map(|packed| packed.version)
    }

    /// Keeps an object, unless a newer state is known; gives what was known before.
    pub fn put(&self, mut object: Json) -> (Key, Option<Arc<Json>>) {
        // The greater part of an object, and of no use here.
        if let Some(metadata) = object.get_mut("metadata").and_then(Json::as_object_mut) {
            metadata.remove("managedFields");
        }
        let (key, new) = (Key::of(&object), Packed::of(&object));
        let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        let old = objects.get(&key);
        let known = old.and_then(Packed::object);
        if old.is_none_or(|old| old.uid != new.uid || old.version <= new.version) {
            objects.insert(key.clone(), new);
        }
        (key, known)
    }

    pub fn remove(&self, key: &Key) -> Option<Arc<Json>> {
        self.objects.write().unwrap_or_else(PoisonError::into_inner).remove(key).and_then(|packed| packed.object())
    }

    pub fn keys(&self, kind: &str) -> Vec<Key> {
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        objects.keys().filter(|k| k.kind == kind).cloned().collect()
    }
}

fn uid(object: &Json) -> &str {
    object.pointer("/metadata/uid").and_then(Json::as_str).unwrap_or_default()
}

/// API servers count them up; what is no number is taken for older.
pub fn version(object: &Json) -> u64 {
    object.pointer("/metadata/resourceVersion").and_then(Json::as_str).and_then(|v| v.parse().ok()).unwrap_or_default()
}
