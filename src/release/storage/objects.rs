//! Records in Secrets or ConfigMaps, where `helm` looks for them.
//!
//! Names, labels and encoding are Helm's (`pkg/storage/driver/{secrets,cfgmaps}.go`). What differs is how much is fetched: labels tell name,
//! status and revision, so most questions are answered by objects' metadata, and only the records that are asked for are read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::{self, StreamExt};
use serde_json::json;

use super::{Entry, Storage, StorageError, labels, size};
use crate::cluster::{Cluster, ClusterError, FieldValidation, Gvk, Json, ObjectId, Propagation, Reason, WriteOptions};
use crate::golang::base64;
use crate::release::record::{Record, Status, Summary, key};

/// `HELM_DRIVER`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Driver {
    #[default]
    Secret,
    ConfigMap,
}

impl Driver {
    /// By the words of `HELM_DRIVER`. `memory` and `sql` are Helm's only.
    ///
    /// # Errors
    /// Helm's text, with what we know.
    pub fn parse(name: &str) -> Result<Self, String> {
        match name {
            "" | "secret" | "secrets" => Ok(Self::Secret),
            "configmap" | "configmaps" => Ok(Self::ConfigMap),
            other => Err(format!("unknown driver {other:?}; HELM_DRIVER may be secret or configmap")),
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        }
    }

    /// Helm's error for a request: only its Secrets say what was attempted.
    fn says(self, attempted: &str, mut e: ClusterError) -> ClusterError {
        if self == Self::Secret {
            e.message = format!("{attempted}: {}", e.message);
        }
        e
    }
}

/// Fetch single objects up to this number; beyond it, ask for all that are not superseded at once.
const SINGLE_FETCHES: usize = 8;

const QUERY: &str = "query: failed to query with labels";
const LIST: &str = "list: failed to list";

/// What Helm's commands say of a cluster that can't be asked, by our first question to it: before their own they ask whether it is there, so
/// that no word of records is in it.
pub fn unreachable(e: &ClusterError) -> String {
    let text = e.to_string();
    let attempted = [QUERY, LIST].into_iter().find_map(|words| text.strip_prefix(words)?.strip_prefix(": "));
    let why = match e.reason {
        // client-go's words for an answer without a text, which that to Helm's question is.
        Reason::Unauthorized => "the server has asked for the client to provide credentials",
        _ => attempted.unwrap_or(&text),
    };
    if why.starts_with(UNREACHABLE) { why.to_owned() } else { format!("{UNREACHABLE}: {why}") }
}

const UNREACHABLE: &str = "kubernetes cluster unreachable";

/// Requests at a time.
const PARALLEL: usize = 8;

/// Records in the objects of a cluster.
pub struct Objects {
    cluster: Arc<dyn Cluster>,
    driver: Driver,
    /// `None`: of all namespaces, for listing only.
    namespace: Option<String>,
    field_manager: String,
    warnings: Mutex<Vec<String>>,
}

impl Objects {
    pub fn new(cluster: Arc<dyn Cluster>, driver: Driver, namespace: Option<&str>, field_manager: &str) -> Self {
        Self {
            cluster,
            driver,
            namespace: namespace.map(Into::into),
            field_manager: field_manager.into(),
            warnings: Mutex::default(),
        }
    }

    fn gvk(&self) -> Gvk {
        Gvk::new("", "v1", self.driver.kind())
    }

    fn id(&self, namespace: Option<&str>, key: &str) -> ObjectId {
        ObjectId::new(self.gvk(), namespace, key)
    }

    fn options(&self) -> WriteOptions {
        WriteOptions { field_manager: self.field_manager.clone(), dry_run: false, validation: FieldValidation::Ignore }
    }

    /// The object that holds a record.
    fn object(&self, verb: &str, record: &Record, stamp: (&str, i64)) -> Result<Json, StorageError> {
        let stored = record
            .to_stored()
            .map_err(|e| StorageError::Corrupt(format!("{verb}: failed to encode release {:?}: {e}", record.name)))?;
        size::check(record, &stored)?;
        let data = match self.driver {
            Driver::Secret => base64::encode(stored.as_bytes()),
            Driver::ConfigMap => stored,
        };
        let mut object = json!({
            "apiVersion": "v1",
            "kind": self.driver.kind(),
            "metadata": { "name": record.key(), "labels": labels::of(record, Some(stamp)) },
            "data": { "release": data },
        });
        if let (Some(namespace), Some(meta)) =
            (&self.namespace, object.get_mut("metadata").and_then(Json::as_object_mut))
        {
            meta.insert("namespace".into(), namespace.clone().into());
        }
        if !record.annotations.is_empty()
            && let Some(meta) = object.get_mut("metadata").and_then(Json::as_object_mut)
        {
            meta.insert("annotations".into(), json!(record.annotations));
        }
        if self.driver == Driver::Secret
            && let Some(object) = object.as_object_mut()
        {
            object.insert("type".into(), "helm.sh/release.v1".into());
        }
        Ok(object)
    }

    /// What is stored under the key `release`.
    fn stored(&self, object: &Json) -> Result<Vec<u8>, String> {
        let data = object.pointer("/data/release").and_then(Json::as_str).unwrap_or_default();
        match self.driver {
            Driver::ConfigMap => Ok(data.as_bytes().to_vec()),
            Driver::Secret => {
                base64::decode(data.as_bytes()).map_err(|at| format!("illegal base64 data at input byte {at}"))
            }
        }
    }

    fn read(&self, object: &Json) -> Result<Record, StorageError> {
        let mut record =
            self.stored(object).and_then(|stored| Record::from_stored(&stored)).map_err(|e| corrupt(object, &e))?;
        record.labels = labels::users(&labels_of(object));
        record.annotations = texts_of(object, "annotations");
        Ok(record)
    }

    fn read_summary(&self, object: &Json) -> Result<Summary, StorageError> {
        let mut summary =
            self.stored(object).and_then(|stored| Summary::from_stored(&stored)).map_err(|e| corrupt(object, &e))?;
        summary.labels = labels_of(object);
        Ok(summary)
    }

    async fn fetch(&self, namespace: Option<&str>, key: &str) -> Result<Json, StorageError> {
        let found = self.cluster.get(&self.id(namespace, key)).await;
        found.map_err(|e| self.driver.says(&format!("get: failed to get {key:?}"), e))?.ok_or(StorageError::NotFound)
    }
}

fn corrupt(object: &Json, why: &str) -> StorageError {
    let name = object.pointer("/metadata/name").and_then(Json::as_str).unwrap_or_default();
    StorageError::Corrupt(format!("get: failed to decode data {name:?}: {why}"))
}

fn labels_of(object: &Json) -> BTreeMap<String, String> {
    texts_of(object, "labels")
}

fn texts_of(object: &Json, what: &str) -> BTreeMap<String, String> {
    let texts = object.pointer(&format!("/metadata/{what}")).and_then(Json::as_object);
    texts.into_iter().flatten().map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_string())).collect()
}

/// What an object's metadata tell. The name of the object decides where a label is missing or wrong.
fn entry_of(object: &Json) -> Option<Entry> {
    let text = |path: &str| object.pointer(path).and_then(Json::as_str).unwrap_or_default();
    let labels = labels_of(object);
    let (name, version) = text("/metadata/name").strip_prefix("sh.helm.release.v1.")?.rsplit_once(".v")?;
    Some(Entry {
        name: name.to_string(),
        namespace: text("/metadata/namespace").to_string(),
        version: version.parse().ok()?,
        status: labels.get("status").and_then(|s| Status::parse(s)).unwrap_or_default(),
        labels,
    })
}

fn seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[async_trait]
impl Storage for Objects {
    async fn create(&self, record: &Record) -> Result<(), StorageError> {
        let object = self.object("create", record, ("createdAt", seconds()))?;
        match self.cluster.create(&object, &self.options()).await {
            Ok(_) => Ok(()),
            Err(e) if e.is_already_exists() => Err(StorageError::AlreadyExists),
            Err(e) => Err(self.driver.says("create: failed to create", e).into()),
        }
    }

    async fn update(&self, record: &Record) -> Result<(), StorageError> {
        let object = self.object("update", record, ("modifiedAt", seconds()))?;
        match self.cluster.replace(&object, &self.options()).await {
            Ok(_) => Ok(()),
            Err(e) => Err(self.driver.says("update: failed to update", e).into()),
        }
    }

    async fn delete(&self, name: &str, version: i64) -> Result<(), StorageError> {
        let id = self.id(self.namespace.as_deref(), &key(name, version));
        match self.cluster.delete(&id, Propagation::Background, None).await? {
            true => Ok(()),
            false => Err(StorageError::NotFound),
        }
    }

    async fn get(&self, name: &str, version: i64) -> Result<Record, StorageError> {
        self.read(&self.fetch(self.namespace.as_deref(), &key(name, version)).await?)
    }

    async fn entries(&self, name: Option<&str>) -> Result<Vec<Entry>, StorageError> {
        let selector = match name {
            Some(name) => format!("name={name},owner=helm"),
            None => "owner=helm".to_string(),
        };
        let attempted = if name.is_some() { QUERY } else { LIST };
        let found = self.cluster.list_metadata(&self.gvk(), self.namespace.as_deref(), &selector).await;
        let found = found.map_err(|e| self.driver.says(attempted, e))?;
        let mut entries: Vec<Entry> = found.iter().filter_map(entry_of).collect();
        entries.sort_by(|a, b| (&a.namespace, &a.name, a.version).cmp(&(&b.namespace, &b.name, b.version)));
        Ok(entries)
    }

    /// One request, as nearly all that is there is shown: records come with the list, and only their heads are decoded.
    async fn newest(&self, name: &str, max: usize) -> Result<(Vec<Summary>, Vec<String>), StorageError> {
        let selector = format!("name={name},owner=helm");
        let objects = self.cluster.list(&self.gvk(), self.namespace.as_deref(), &selector, "").await;
        let objects = objects.map_err(|e| self.driver.says(QUERY, e))?;
        let mut all: Vec<(i64, &Json)> = objects.iter().filter_map(|o| Some((entry_of(o)?.version, o))).collect();
        if all.is_empty() {
            return Err(StorageError::NotFound);
        }
        all.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
        let (mut found, mut passed_over) = (Vec::new(), Vec::new());
        for (_, object) in all {
            if found.len() >= max {
                break;
            }
            match self.read_summary(object) {
                Ok(summary) => found.push(summary),
                Err(e) => passed_over.push(e.to_string()),
            }
        }
        found.reverse();
        Ok((found, passed_over))
    }

    async fn summaries(&self, wanted: &[Entry]) -> Result<Vec<Result<Summary, StorageError>>, StorageError> {
        let mut found: BTreeMap<(String, String), Json> = BTreeMap::new();
        if wanted.len() > SINGLE_FETCHES {
            // One request for many. Superseded ones are most of what is stored, and seldom what is asked for.
            let mut selector = "owner=helm".to_string();
            if let Some(first) = wanted.first().filter(|first| wanted.iter().all(|e| e.name == first.name)) {
                selector = format!("name={},{selector}", first.name);
            }
            if wanted.iter().all(|e| e.status != Status::Superseded) {
                selector.push_str(",status!=superseded");
            }
            for object in self.cluster.list(&self.gvk(), self.namespace.as_deref(), &selector, "").await? {
                let text = |path: &str| object.pointer(path).and_then(Json::as_str).unwrap_or_default().to_string();
                found.insert((text("/metadata/namespace"), text("/metadata/name")), object);
            }
        }
        let one = async |entry: &Entry| {
            let key = key(&entry.name, entry.version);
            let namespace = Some(entry.namespace.as_str()).filter(|n| !n.is_empty()).or(self.namespace.as_deref());
            match found.get(&(entry.namespace.clone(), key.clone())) {
                Some(object) => self.read_summary(object),
                None => self.read_summary(&self.fetch(namespace, &key).await?),
            }
        };
        let mut out = Vec::with_capacity(wanted.len());
        let mut results = stream::iter(wanted.iter().map(one)).buffered(PARALLEL);
        while let Some(result) = results.next().await {
            match result {
                Err(e @ (StorageError::Cluster(_) | StorageError::Io(_))) => return Err(e),
                other => out.push(other),
            }
        }
        Ok(out)
    }

    fn warn(&self, text: String) {
        if let Ok(mut warnings) = self.warnings.lock() {
            warnings.push(text);
        }
    }

    fn take_warnings(&self) -> Vec<String> {
        self.warnings.lock().map(|mut w| std::mem::take(&mut *w)).unwrap_or_default()
    }
}
