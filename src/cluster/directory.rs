//! A directory of manifests as a target: each object a file, nobody acts on them.
//!
//! The rendered-manifests pattern: what a release would apply lies in files, to be reviewed, committed and applied by whoever applies
//! (`kubectl apply -f`, a GitOps controller). Objects lie at `<namespace or _cluster>/<kind>_<name>.yaml`; kinds of groups that Kubernetes
//! does not bring along carry their group (`certificate.cert-manager.io_web.yaml`). A file is replaced in one step, so that a killed
//! process leaves the old file or the new one.
//!
//! There is no defaulting, no validation and nothing to wait for ([`Cluster::is_live`]). An apply is the whole object: what somebody edited
//! in a file is overwritten by the next revision.

mod files;
mod kinds;
mod selector;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::patch::json_merge;
use super::{
    Cluster, ClusterError, Gvk, Json, ObjectId, PatchType, Propagation, Reason, Resource, Verb, WatchEvent,
    WriteOptions,
};
use crate::render::Capabilities;
use files::{generated_name, read, remove, write};

pub use files::replace as replace_file;
pub use kinds::{escaped, is_namespaced};

/// Objects without a namespace lie here.
const CLUSTER: &str = "_cluster";

/// A directory of manifests.
#[derive(Clone, Debug)]
pub struct Directory {
    root: PathBuf,
    capabilities: Arc<Capabilities>,
}

impl Directory {
    /// `capabilities` are what templates are told: a directory has no version of its own.
    pub fn new(root: impl Into<PathBuf>, capabilities: Arc<Capabilities>) -> Self {
        Self { root: root.into(), capabilities }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Removes files that dead processes of this machine began and did not finish.
    pub fn sweep(&self) {
        let dirs = self.namespaces().unwrap_or_default().into_iter().chain([CLUSTER.to_string()]);
        for dir in dirs {
            files::sweep(&self.root.join(dir));
        }
    }

    /// Where an object lies, relative to the root.
    pub fn path_of(id: &ObjectId) -> PathBuf {
        let dir = id.namespace.as_deref().map_or_else(|| CLUSTER.to_string(), kinds::escaped);
        Path::new(&dir).join(format!("{}{}.yaml", kinds::prefix(&id.gvk), kinds::escaped(&id.name)))
    }

    fn path(&self, id: &ObjectId) -> PathBuf {
        self.root.join(Self::path_of(id))
    }

    fn error(&self, verb: Verb, id: &ObjectId, reason: Reason, message: String) -> ClusterError {
        let code = match reason {
            Reason::NotFound => 404,
            Reason::AlreadyExists | Reason::Conflict => 409,
            _ => 0,
        };
        ClusterError { verb, object: Some(id.clone()), reason, code, message }
    }

    fn io(&self, verb: Verb, id: &ObjectId, e: &std::io::Error) -> ClusterError {
        let message = format!("cannot {verb} {id} in {}: {e}", self.path(id).display());
        self.error(verb, id, Reason::Other("Io".into()), message)
    }

    fn find(&self, verb: Verb, id: &ObjectId) -> Result<Option<Json>, ClusterError> {
        let path = self.path(id);
        match read(&path) {
            Ok(found) => Ok(found),
            Err(e) => Err(self.io(verb, id, &e)),
        }
    }

    fn missing(&self, verb: Verb, id: &ObjectId) -> ClusterError {
        self.error(verb, id, Reason::NotFound, format!("{id} not found in {}", self.root.display()))
    }

    /// Writes an object, unless it is only tried.
    fn put(&self, verb: Verb, id: &ObjectId, object: &Json, options: &WriteOptions) -> Result<Json, ClusterError> {
        if !options.dry_run {
            write(&self.path(id), object).map_err(|e| self.io(verb, id, &e))?;
        }
        Ok(object.clone())
    }

    /// An object's name in this directory: what has no namespace but needs one lies in `default`, as for an API server.
    fn id_of(&self, object: &Json) -> ObjectId {
        let mut id = ObjectId::of(object);
        if !kinds::is_namespaced(&id.gvk) {
            id.namespace = None;
        } else if id.namespace.is_none() {
            id.namespace = Some("default".into());
        }
        id
    }

    /// The namespaces that have files.
    fn namespaces(&self) -> std::io::Result<Vec<String>> {
        let mut out = Vec::new();
        let entries = match std::fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(out),
            Err(e) => return Err(e),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() && !name.starts_with(['.', '_']) {
                out.push(name);
            }
        }
        out.sort();
        Ok(out)
    }

    fn objects(&self, gvk: &Gvk, namespace: Option<&str>) -> std::io::Result<Vec<Json>> {
        let dirs = match (kinds::is_namespaced(gvk), namespace) {
            (false, _) => vec![CLUSTER.to_string()],
            (true, Some(ns)) => vec![kinds::escaped(ns)],
            (true, None) => self.namespaces()?,
        };
        let prefix = kinds::prefix(gvk);
        let mut out = Vec::new();
        for dir in dirs {
            let mut names = Vec::new();
            match std::fs::read_dir(self.root.join(&dir)) {
                Ok(entries) => {
                    for entry in entries {
                        let name = entry?.file_name().to_string_lossy().into_owned();
                        if name.starts_with(&prefix) && name.ends_with(".yaml") {
                            names.push(name);
                        }
                    }
                }
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
            names.sort();
            for name in names {
                out.extend(read(&self.root.join(&dir).join(name))?);
            }
        }
        Ok(out)
    }
}

#[async_trait]
impl Cluster for Directory {
    fn name(&self) -> String {
        format!("directory {}", self.root.display())
    }

    fn is_live(&self) -> bool {
        false
    }

    async fn capabilities(&self) -> Result<Arc<Capabilities>, ClusterError> {
        Ok(self.capabilities.clone())
    }

    async fn resource(&self, gvk: &Gvk) -> Result<Resource, ClusterError> {
        let namespaced = match self.defined_scope(gvk) {
            Some(namespaced) => namespaced,
            None => kinds::is_namespaced(gvk),
        };
        Ok(Resource { gvk: gvk.clone(), plural: format!("{}s", gvk.kind.to_lowercase()), namespaced })
    }

    async fn refresh_discovery(&self) -> Result<(), ClusterError> {
        Ok(())
    }

    async fn get(&self, id: &ObjectId) -> Result<Option<Json>, ClusterError> {
        self.find(Verb::Get, id)
    }

    async fn list(
        &self,
        gvk: &Gvk,
        namespace: Option<&str>,
        labels: &str,
        fields: &str,
    ) -> Result<Vec<Json>, ClusterError> {
        let all = ObjectId::new(gvk.clone(), namespace, "");
        let selector = selector::Selector::parse(labels, fields)
            .map_err(|e| self.error(Verb::List, &all, Reason::BadRequest, e))?;
        let objects = self.objects(gvk, namespace).map_err(|e| self.io(Verb::List, &all, &e))?;
        Ok(objects.into_iter().filter(|o| selector.matches(o)).collect())
    }

    async fn list_metadata(&self, gvk: &Gvk, namespace: Option<&str>, labels: &str) -> Result<Vec<Json>, ClusterError> {
        let mut objects = self.list(gvk, namespace, labels, "").await?;
        for object in &mut objects {
            if let Some(fields) = object.as_object_mut() {
                fields.retain(|key, _| matches!(key.as_str(), "apiVersion" | "kind" | "metadata"));
            }
        }
        Ok(objects)
    }

    async fn create(&self, object: &Json, options: &WriteOptions) -> Result<Json, ClusterError> {
        let mut object = object.clone();
        let mut id = self.id_of(&object);
        if id.name.is_empty() {
            id.name = generated_name(&object);
            if let Some(metadata) = object.get_mut("metadata").and_then(Json::as_object_mut) {
                metadata.insert("name".into(), Json::from(id.name.as_str()));
                metadata.remove("generateName");
            }
        }
        if self.find(Verb::Create, &id)?.is_some() {
            let message = format!("{id} already exists in {}", self.root.display());
            return Err(self.error(Verb::Create, &id, Reason::AlreadyExists, message));
        }
        self.put(Verb::Create, &id, &object, options)
    }

    async fn replace(&self, object: &Json, options: &WriteOptions) -> Result<Json, ClusterError> {
        let id = self.id_of(object);
        if self.find(Verb::Update, &id)?.is_none() {
            return Err(self.missing(Verb::Update, &id));
        }
        self.put(Verb::Update, &id, object, options)
    }

    async fn patch(
        &self,
        id: &ObjectId,
        patch: PatchType,
        body: &Json,
        options: &WriteOptions,
    ) -> Result<Json, ClusterError> {
        let live = self.find(Verb::Patch, id)?;
        match (patch, live) {
            (PatchType::Apply { .. }, _) => self.put(Verb::Patch, id, body, options),
            (_, None) => Err(self.missing(Verb::Patch, id)),
            (PatchType::Merge, Some(mut live)) => {
                json_merge::apply(&mut live, body);
                self.put(Verb::Patch, id, &live, options)
            }
            (PatchType::Strategic | PatchType::Json, Some(_)) => {
                let message = format!("{id}: a directory takes whole objects: use --server-side=true");
                Err(self.error(Verb::Patch, id, Reason::BadRequest, message))
            }
        }
    }

    async fn delete(&self, id: &ObjectId, _propagation: Propagation, _uid: Option<&str>) -> Result<bool, ClusterError> {
        remove(&self.path(id), &self.root).map_err(|e| self.io(Verb::Delete, id, &e))
    }

    async fn watch(
        &self,
        gvk: &Gvk,
        namespace: Option<&str>,
        fields: &str,
    ) -> Result<BoxStream<'static, Result<WatchEvent, ClusterError>>, ClusterError> {
        // Nothing changes by itself: what is there, and that this is all.
        let found = self.list(gvk, namespace, "", fields).await?;
        let events = found.into_iter().map(WatchEvent::Applied).chain([WatchEvent::Synced]).map(Ok);
        Ok(Box::pin(futures::stream::iter(events.collect::<Vec<_>>())))
    }

    async fn logs(
        &self,
        _namespace: &str,
        _pod: &str,
        _container: Option<&str>,
        _tail: Option<i64>,
    ) -> Result<String, ClusterError> {
        Ok(String::new())
    }
}

impl Directory {
    /// What a CustomResourceDefinition in this directory says of its kind.
    fn defined_scope(&self, gvk: &Gvk) -> Option<bool> {
        if kinds::is_built_in(&gvk.group) {
            return None;
        }
        let crds = self.objects(&Gvk::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition"), None).ok()?;
        let text = |o: &Json, at: &str| o.pointer(at).and_then(Json::as_str).map(str::to_owned);
        crds.iter()
            .find(|o| {
                text(o, "/spec/group").as_deref() == Some(&gvk.group)
                    && text(o, "/spec/names/kind").as_deref() == Some(&gvk.kind)
            })
            .map(|o| text(o, "/spec/scope").as_deref() != Some("Cluster"))
    }
}

#[cfg(test)]
mod tests;
