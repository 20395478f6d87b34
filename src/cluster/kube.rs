//! A Kubernetes API server as a [`Cluster`].
//!
//! Requests are raw JSON over the `kube` crate's client, which brings TLS, kubeconfig, credentials and proxies. What this room adds: one
//! discovery cache for the process, retries that keep each write single, errors that name object and verb, and watches that resume. A
//! request is not sent twice unless its effect is the same: reads, apply, merge patches and deletes by uid are tried again; a lost answer to
//! a create is settled by looking.

mod call;
mod config;
mod discovery;
mod http;
mod lookup;
mod watch;

pub use config::{ConfigError, Connection, Inline};
pub use lookup::ClusterLookup;

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use tokio::sync::Mutex;

use crate::render::{Capabilities, Compat, KubeVersion};

use super::{
    Cluster, ClusterError, FieldValidation, Gvk, Json, ObjectId, PatchType, Propagation, Reason, Resource, Verb,
    WatchEvent, WriteOptions, Written,
};
use call::{Call, METADATA, METADATA_LIST, Query, TABLE};
use discovery::Discovery;
use http::Http;

/// Objects of one page of a list.
const PAGE: usize = 500;
/// Metadata alone are small.
const METADATA_PAGE: usize = 2500;

/// A Kubernetes API server. Clones share connections and caches.
#[derive(Clone)]
pub struct Kube {
    inner: Arc<Inner>,
}

struct Inner {
    http: Http,
    namespace: String,
    discovery: Mutex<Option<Arc<Discovery>>>,
    capabilities: Mutex<Option<Arc<Capabilities>>>,
}

impl Kube {
    /// Makes ready to talk; nothing is sent yet.
    ///
    /// # Errors
    /// A kubeconfig that can't be read, an unknown context, credentials that can't be loaded.
    pub async fn connect(connection: &Connection) -> Result<Self, ConfigError> {
        let config = connection.load().await?;
        let namespace = connection.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let http = Http::new(config)?;
        Ok(Self {
            inner: Arc::new(Inner { http, namespace, discovery: Mutex::default(), capabilities: Mutex::default() }),
        })
    }

    /// `--namespace`, or the namespace of the context, or `default`.
    pub fn namespace(&self) -> &str {
        &self.inner.namespace
    }

    /// Tells somebody of each answer: the method and the status. The first to ask for it is told.
    pub fn tell_requests(&self, listener: Arc<dyn Fn(&'static str, u16) + Send + Sync>) {
        self.inner.http.tell(listener);
    }

    /// No more requests a second than this, and so many at once; 0: as many as there are.
    pub fn limit(&self, per_second: f64, burst: u32) {
        self.inner.http.limit(per_second, burst);
    }

    /// How many requests have been sent, retries included.
    pub fn requests(&self) -> u64 {
        self.inner.http.requests()
    }

    /// Asks the server for its version: Helm's test whether the cluster can be reached.
    ///
    /// # Errors
    /// `kubernetes cluster unreachable: …`.
    pub async fn reachable(&self) -> Result<KubeVersion, ClusterError> {
        let answer = self.inner.http.send(&Call::get(Verb::Connect, "/version")).await.map_err(|mut e| {
            e.message = format!("kubernetes cluster unreachable: {}", e.message);
            e
        })?;
        let version: Json = answer.json(Verb::Connect)?;
        let text = |key: &str| version.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let git = text("gitVersion");
        Ok(KubeVersion { normalized: git.clone(), version: git, major: text("major"), minor: text("minor") })
    }

    /// The answer to a GET of any address, such as `/readyz`.
    ///
    /// # Errors
    /// As any request.
    pub async fn raw(&self, path: &str) -> Result<String, ClusterError> {
        Ok(self.inner.http.send(&Call::get(Verb::Get, path)).await?.text())
    }

    /// What the server serves, from the cache.
    async fn discovery(&self) -> Result<Arc<Discovery>, ClusterError> {
        let mut cache = self.inner.discovery.lock().await;
        if let Some(found) = &*cache {
            return Ok(found.clone());
        }
        let found = Arc::new(Discovery::fetch(&self.inner.http).await?);
        *cache = Some(found.clone());
        Ok(found)
    }

    /// Which connection this is: clones have the same.
    pub fn identity(&self) -> usize {
        Arc::as_ptr(&self.inner).addr()
    }

    /// What the server is and serves now, past the cache, which it replaces.
    ///
    /// # Errors
    /// As any request.
    pub async fn look_again(&self) -> Result<Arc<Capabilities>, ClusterError> {
        let found = Arc::new(Discovery::fetch(&self.inner.http).await?);
        *self.inner.discovery.lock().await = Some(found);
        *self.inner.capabilities.lock().await = None;
        self.capabilities().await
    }

    /// A newer look than `than`, unless another task has had it already.
    async fn rediscover(&self, than: &Arc<Discovery>) -> Result<Arc<Discovery>, ClusterError> {
        let mut cache = self.inner.discovery.lock().await;
        if let Some(found) = &*cache
            && !Arc::ptr_eq(found, than)
        {
            return Ok(found.clone());
        }
        let found = Arc::new(Discovery::fetch(&self.inner.http).await?);
        *cache = Some(found.clone());
        *self.inner.capabilities.lock().await = None;
        Ok(found)
    }

    /// The address of an object; of its kind's collection without a name.
    async fn path(&self, gvk: &Gvk, namespace: Option<&str>, name: &str) -> Result<String, ClusterError> {
        Ok(call::path(&self.resource(gvk).await?, namespace, name))
    }

    async fn object_call(&self, verb: Verb, id: &ObjectId) -> Result<Call, ClusterError> {
        Ok(Call::get(verb, &self.object_path(verb, id).await?).about(id))
    }

    /// The path of one object. Without a name it would be that of all objects of the kind, and a deletion would take them all.
    async fn object_path(&self, verb: Verb, id: &ObjectId) -> Result<String, ClusterError> {
        if id.name.is_empty() {
            return Err(ClusterError::local(verb, id, "resource name may not be empty".into()));
        }
        self.path(&id.gvk, id.namespace.as_deref(), &id.name).await
    }

    /// As [`Cluster::get`], but only `apiVersion`, `kind` and `metadata`.
    ///
    /// # Errors
    /// As [`Cluster::get`].
    pub async fn get_metadata(&self, id: &ObjectId) -> Result<Option<Json>, ClusterError> {
        let call = self.object_call(Verb::Get, id).await?.accept(METADATA);
        self.get_by(call).await
    }

    /// Patches an object's `status` subresource.
    ///
    /// # Errors
    /// As [`Cluster::patch`].
    pub async fn patch_status(
        &self,
        id: &ObjectId,
        patch: PatchType,
        body: &Json,
        options: &WriteOptions,
    ) -> Result<Json, ClusterError> {
        self.patch_answer(id, "/status", patch, body, options).await?.json(Verb::Patch)
    }

    /// Asks for a token of a service account, for these audiences and so many seconds.
    ///
    /// # Errors
    /// As any request.
    pub async fn token(
        &self,
        namespace: &str,
        account: &str,
        audiences: &[String],
        seconds: u64,
    ) -> Result<String, ClusterError> {
        let body = serde_json::json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": audiences, "expirationSeconds": seconds},
        });
        let id = ObjectId::new(Gvk::new("", "v1", "ServiceAccount"), Some(namespace), account);
        let path = format!("{}/token", self.path(&id.gvk, Some(namespace), account).await?);
        let answer: Json = self.inner.http.send(&Call::post(&path, &body).about(&id)).await?.json(Verb::Create)?;
        Ok(answer.pointer("/status/token").and_then(Json::as_str).unwrap_or_default().to_owned())
    }

    /// As whom the server sees this connection.
    ///
    /// # Errors
    /// As any request; servers before 1.28 do not tell.
    pub async fn user(&self) -> Result<String, ClusterError> {
        let body = serde_json::json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let call = Call::post("/apis/authentication.k8s.io/v1/selfsubjectreviews", &body);
        let answer: Json = self.inner.http.send(&call).await?.json(Verb::Create)?;
        Ok(answer.pointer("/status/userInfo/username").and_then(Json::as_str).unwrap_or_default().to_owned())
    }

    /// As [`Cluster::watch`], of metadata alone, with selectors of fields and labels.
    ///
    /// # Errors
    /// As [`Cluster::watch`].
    pub async fn watch_metadata(
        &self,
        gvk: &Gvk,
        namespace: Option<&str>,
        fields: &str,
        labels: &str,
    ) -> Result<BoxStream<'static, Result<WatchEvent, ClusterError>>, ClusterError> {
        let path = self.path(gvk, namespace, "").await?;
        let about = ObjectId::new(gvk.clone(), namespace, "");
        let what = watch::Selection { fields: fields.to_owned(), labels: labels.to_owned(), metadata: true };
        Ok(watch::watch(self.inner.http.clone(), path, about, what))
    }

    /// As [`Cluster::watch`], with a selector of labels too.
    ///
    /// # Errors
    /// As [`Cluster::watch`].
    pub async fn watch_selected(
        &self,
        gvk: &Gvk,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<BoxStream<'static, Result<WatchEvent, ClusterError>>, ClusterError> {
        let path = self.path(gvk, namespace, "").await?;
        let about = ObjectId::new(gvk.clone(), namespace, "");
        let what = watch::Selection { labels: labels.to_owned(), ..watch::Selection::default() };
        Ok(watch::watch(self.inner.http.clone(), path, about, what))
    }

    async fn get_by(&self, call: Call) -> Result<Option<Json>, ClusterError> {
        match self.inner.http.send(&call).await {
            Ok(answer) => answer.json(Verb::Get).map(Some),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e),
        }
    }

    async fn list_by(
        &self,
        gvk: &Gvk,
        namespace: Option<&str>,
        labels: &str,
        fields: &str,
        accept: Option<&'static str>,
    ) -> Result<Vec<Json>, ClusterError> {
        let path = self.path(gvk, namespace, "").await?;
        let about = ObjectId::new(gvk.clone(), namespace, "");
        let selected = || Query::new().text("labelSelector", labels).text("fieldSelector", fields);
        let mut items = Vec::new();
        let mut token = String::new();
        let mut limit = if accept.is_some() { METADATA_PAGE } else { PAGE };
        loop {
            let mut query = selected().text("continue", &token);
            if limit > 0 {
                query = query.text("limit", &limit.to_string());
            }
            let mut call = Call::get(Verb::List, &query.after(&path)).about(&about);
            if let Some(accept) = accept {
                call = call.accept(accept);
            }
            let answer = match self.inner.http.send(&call).await {
                // The pages have grown too old: all at once then.
                Err(e) if e.code == 410 && limit > 0 => {
                    (limit, token) = (0, String::new());
                    items.clear();
                    continue;
                }
                answer => answer?,
            };
            let mut list: Json = answer.json(Verb::List)?;
            if let Some(Json::Array(page)) = list.get_mut("items").map(Json::take) {
                items.extend(page);
            }
            token = list.pointer("/metadata/continue").and_then(Json::as_str).unwrap_or_default().to_owned();
            if token.is_empty() {
                break;
            }
        }
        // Lists leave out what every entry has in common.
        for item in items.iter_mut().filter_map(Json::as_object_mut) {
            item.entry("apiVersion").or_insert_with(|| gvk.api_version().into());
            item.entry("kind").or_insert_with(|| gvk.kind.clone().into());
            if accept.is_some() {
                item.insert("apiVersion".into(), gvk.api_version().into());
                item.insert("kind".into(), gvk.kind.clone().into());
            }
        }
        Ok(items)
    }

    /// Settles a create whose answer was lost: was it ours that is there now?
    async fn settle(&self, id: &ObjectId, sent: &Json, options: &WriteOptions) -> Option<Json> {
        let live = self.get(id).await.ok().flatten()?;
        let by_us = live.pointer("/metadata/managedFields").and_then(Json::as_array).is_some_and(|entries| {
            entries.iter().any(|e| e.get("manager").and_then(Json::as_str) == Some(&options.field_manager))
        });
        let same = |path: &str| sent.pointer(path).is_none_or(|want| covers(live.pointer(path), want));
        let ours = by_us
            && ["/data", "/metadata/labels", "/metadata/annotations", "/type"].into_iter().all(same)
            && !leaving(&live);
        ours.then_some(live)
    }
}

/// Whether everything that `want` says is so in `live`.
fn covers(live: Option<&Json>, want: &Json) -> bool {
    match (live, want) {
        (Some(Json::Object(live)), Json::Object(want)) => want.iter().all(|(k, v)| covers(live.get(k), v)),
        (Some(live), want) => live == want,
        (None, Json::Null) => true,
        (None, Json::Object(want)) => want.is_empty(),
        (None, _) => false,
    }
}

/// An object that is on its way out is not the one just made.
fn leaving(live: &Json) -> bool {
    live.pointer("/metadata/deletionTimestamp").is_some()
}

#[async_trait]
impl Cluster for Kube {
    fn name(&self) -> String {
        self.inner.http.url().to_owned()
    }

    async fn capabilities(&self) -> Result<Arc<Capabilities>, ClusterError> {
        if let Some(found) = &*self.inner.capabilities.lock().await {
            return Ok(found.clone());
        }
        let (version, discovery) = tokio::join!(self.reachable(), self.discovery());
        let capabilities = Arc::new(Capabilities {
            kube_version: version?,
            api_versions: Arc::new(discovery?.api_versions()),
            compat: Compat::default(),
            asked: None,
        });
        *self.inner.capabilities.lock().await = Some(capabilities.clone());
        Ok(capabilities)
    }

    async fn resource(&self, gvk: &Gvk) -> Result<Resource, ClusterError> {
        if let Some(known) = discovery::well_known(gvk) {
            return Ok(known);
        }
        let discovery = self.discovery().await?;
        if let Some(found) = discovery.resource(gvk) {
            return Ok(found);
        }
        // Perhaps its definition came after our look. Once a second is enough to ask.
        let discovery = if discovery.is_fresh() { discovery } else { self.rediscover(&discovery).await? };
        discovery.resource(gvk).ok_or_else(|| ClusterError {
            verb: Verb::Discover,
            object: Some(ObjectId::new(gvk.clone(), None, "")),
            reason: Reason::NoMatch,
            code: 404,
            message: format!("no matches for kind {:?} in version {:?}", gvk.kind, gvk.api_version()),
        })
    }

    async fn refresh_discovery(&self) -> Result<(), ClusterError> {
        *self.inner.discovery.lock().await = None;
        *self.inner.capabilities.lock().await = None;
        Ok(())
    }

    async fn get(&self, id: &ObjectId) -> Result<Option<Json>, ClusterError> {
        let call = self.object_call(Verb::Get, id).await?;
        self.get_by(call).await
    }

    async fn list(
        &self,
        gvk: &Gvk,
        namespace: Option<&str>,
        labels: &str,
        fields: &str,
    ) -> Result<Vec<Json>, ClusterError> {
        self.list_by(gvk, namespace, labels, fields, None).await
    }

    async fn list_metadata(&self, gvk: &Gvk, namespace: Option<&str>, labels: &str) -> Result<Vec<Json>, ClusterError> {
        self.list_by(gvk, namespace, labels, "", Some(METADATA_LIST)).await
    }

    async fn list_if_few(&self, gvk: &Gvk, namespace: Option<&str>) -> Result<Option<Vec<Json>>, ClusterError> {
        let path = self.path(gvk, namespace, "").await?;
        let about = ObjectId::new(gvk.clone(), namespace, "");
        let query = Query::new().text("limit", &PAGE.to_string());
        let call = Call::get(Verb::List, &query.after(&path)).about(&about).accept(METADATA_LIST);
        let mut list: Json = self.inner.http.send(&call).await?.json(Verb::List)?;
        let more = list.pointer("/metadata/continue").and_then(Json::as_str).is_some_and(|t| !t.is_empty());
        if more {
            return Ok(None);
        }
        // An empty list has `null` for its items.
        Ok(match list.get_mut("items").map(Json::take) {
            Some(Json::Array(items)) => Some(items),
            _ => Some(Vec::new()),
        })
    }

    async fn table(
        &self,
        gvk: &Gvk,
        namespace: Option<&str>,
        name: &str,
        labels: &str,
    ) -> Result<Option<Json>, ClusterError> {
        let path = self.path(gvk, namespace, name).await?;
        let query = Query::new().text("labelSelector", labels);
        let about = ObjectId::new(gvk.clone(), namespace, name);
        self.get_by(Call::get(Verb::Get, &query.after(&path)).about(&about).accept(TABLE)).await
    }

    async fn create(&self, object: &Json, options: &WriteOptions) -> Result<Json, ClusterError> {
        let id = ObjectId::of(object);
        let path = self.path(&id.gvk, id.namespace.as_deref(), "").await?;
        let call = Call::post(&write_query(options, None).after(&path), object).about(&id);
        let mut lost = false;
        loop {
            match self.inner.http.send_once_or_unsent(&call).await {
                Ok(answer) => return answer.json(Verb::Create),
                Err(e) if lost && e.is_already_exists() && !id.name.is_empty() => {
                    return self.settle(&id, object, options).await.ok_or(e);
                }
                Err(e)
                    if e.reason == Reason::Unreachable
                        && e.code == 0
                        && !lost
                        && !id.name.is_empty()
                        && !options.dry_run =>
                {
                    // Sent, but not answered: it may be there.
                    lost = true;
                    match self.get(&id).await {
                        Ok(None) => {}
                        Ok(Some(_)) => return self.settle(&id, object, options).await.ok_or(e),
                        Err(_) => return Err(e),
                    }
                }
                Err(e) => return Err(e),
            }
        }
    }

    async fn replace(&self, object: &Json, options: &WriteOptions) -> Result<Json, ClusterError> {
        let id = ObjectId::of(object);
        let path = self.object_path(Verb::Update, &id).await?;
        let call = Call::put(&write_query(options, None).after(&path), object).about(&id);
        self.inner.http.send(&call).await?.json(Verb::Update)
    }

    async fn patch(
        &self,
        id: &ObjectId,
        patch: PatchType,
        body: &Json,
        options: &WriteOptions,
    ) -> Result<Json, ClusterError> {
        self.patch_answer(id, "", patch, body, options).await?.json(Verb::Patch)
    }

    async fn apply(
        &self,
        id: &ObjectId,
        body: &Json,
        force: bool,
        options: &WriteOptions,
    ) -> Result<Written, ClusterError> {
        let answer = self.patch_answer(id, "", PatchType::Apply { force }, body, options).await?;
        Ok(Written { created: answer.status == 201, object: answer.json(Verb::Patch)? })
    }

    async fn delete(&self, id: &ObjectId, propagation: Propagation, uid: Option<&str>) -> Result<bool, ClusterError> {
        let conditions = uid.map(|uid| serde_json::json!({"uid": uid}));
        self.delete_if(id, propagation, conditions).await
    }

    async fn delete_as_read(&self, object: &Json) -> Result<bool, ClusterError> {
        let read = |key: &str| object.pointer(&format!("/metadata/{key}")).cloned().unwrap_or_default();
        let conditions = serde_json::json!({"uid": read("uid"), "resourceVersion": read("resourceVersion")});
        self.delete_if(&ObjectId::of(object), Propagation::Background, Some(conditions)).await
    }

    async fn watch(
        &self,
        gvk: &Gvk,
        namespace: Option<&str>,
        fields: &str,
    ) -> Result<BoxStream<'static, Result<WatchEvent, ClusterError>>, ClusterError> {
        let path = self.path(gvk, namespace, "").await?;
        let about = ObjectId::new(gvk.clone(), namespace, "");
        let what = watch::Selection { fields: fields.to_owned(), ..watch::Selection::default() };
        Ok(watch::watch(self.inner.http.clone(), path, about, what))
    }

    async fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        tail: Option<i64>,
    ) -> Result<String, ClusterError> {
        let id = ObjectId::new(Gvk::new("", "v1", "Pod"), Some(namespace), pod);
        let path = self.path(&id.gvk, Some(namespace), pod).await? + "/log";
        let mut query = Query::new().text("container", container.unwrap_or_default());
        if let Some(tail) = tail {
            query = query.text("tailLines", &tail.to_string());
        }
        let answer = self.inner.http.send(&Call::get(Verb::Logs, &query.after(&path)).about(&id)).await?;
        Ok(answer.text())
    }
}

impl Kube {
    /// Deletes an object if it still has this uid, or this version.
    async fn delete_if(
        &self,
        id: &ObjectId,
        propagation: Propagation,
        conditions: Option<Json>,
    ) -> Result<bool, ClusterError> {
        let path = self.object_path(Verb::Delete, id).await?;
        let mut body = serde_json::json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": match propagation {
                Propagation::Background => "Background",
                Propagation::Foreground => "Foreground",
                Propagation::Orphan => "Orphan",
            },
        });
        let conditional = conditions.is_some();
        if let Some(conditions) = conditions {
            body["preconditions"] = conditions;
        }
        match self.inner.http.send(&Call::delete(&path, &body).about(id)).await {
            Ok(_) => Ok(true),
            Err(e) if e.is_not_found() => Ok(false),
            // Another object of that name: the one that was meant is gone.
            Err(e)
                if e.is_conflict()
                    && conditional
                    && (e.message.contains("Precondition failed: UID")
                        || e.message.contains("UID in the precondition")) =>
            {
                Ok(false)
            }
            Err(e) => Err(e),
        }
    }

    async fn patch_answer(
        &self,
        id: &ObjectId,
        part: &str,
        patch: PatchType,
        body: &Json,
        options: &WriteOptions,
    ) -> Result<http::Answer, ClusterError> {
        let path = self.object_path(Verb::Patch, id).await? + part;
        let (content, force) = match patch {
            PatchType::Json => ("application/json-patch+json", None),
            PatchType::Merge => ("application/merge-patch+json", None),
            PatchType::Strategic => ("application/strategic-merge-patch+json", None),
            // JSON is YAML.
            PatchType::Apply { force } => ("application/apply-patch+yaml", Some(force)),
        };
        let call = Call::patch(&write_query(options, force).after(&path), content, body).about(id);
        self.inner.http.send(&call).await
    }
}

/// The parameters of a write.
fn write_query(options: &WriteOptions, force: Option<bool>) -> Query {
    let mut query = Query::new().text("fieldManager", &options.field_manager);
    if options.dry_run {
        query = query.text("dryRun", "All");
    }
    query = query.text(
        "fieldValidation",
        match options.validation {
            FieldValidation::Ignore => "Ignore",
            FieldValidation::Warn => "Warn",
            FieldValidation::Strict => "Strict",
        },
    );
    match force {
        Some(force) => query.text("force", if force { "true" } else { "false" }),
        None => query,
    }
}
