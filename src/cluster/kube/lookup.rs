//! `lookup` in templates, against a live server.
//!
//! Source: Helm 4.3 `pkg/engine/lookup_func.go`. What is not there is an empty map, and so is a kind that its group does not have; a group
//! or version that is not served at all is an error.

use tokio::runtime::Handle;

use crate::gotmpl::State;
use crate::render::control::Lookup;
use crate::value::{Heap, Str, Value};

use super::call::{Call, path};
use super::{Cluster, ClusterError, Gvk, Json, Kube, ObjectId, Verb};

/// Answers the templates of a render. The render runs on a thread of its own (`spawn_blocking`); the requests run on the runtime that made this.
pub struct ClusterLookup {
    cluster: Kube,
    runtime: Handle,
}

impl ClusterLookup {
    /// Must be called inside the runtime that drives the cluster's connections.
    pub fn new(cluster: Kube) -> Self {
        Self { cluster, runtime: Handle::current() }
    }
}

impl Lookup for ClusterLookup {
    fn lookup(
        &self,
        st: &mut State,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Value, String> {
        let gvk = Gvk::parse(api_version, kind);
        let found = self.runtime.block_on(self.cluster.look_up(&gvk, namespace, name)).map_err(|e| e.to_string())?;
        match found {
            Some(object) => Ok(to_value(&mut st.heap, &object)),
            None => Ok(Value::Map(st.heap.new_map())),
        }
    }
}

impl Kube {
    /// An object, or with an empty name the list of them as the API gives it.
    async fn look_up(&self, gvk: &Gvk, namespace: &str, name: &str) -> Result<Option<Json>, ClusterError> {
        let resource = match self.resource(gvk).await {
            Ok(resource) => resource,
            Err(e) if e.code == 404 && e.verb == Verb::Discover => {
                if self.discovery().await?.serves(gvk) {
                    return Ok(None);
                }
                let (group, version, kind) = (&gvk.group, &gvk.version, &gvk.kind);
                let message = format!(
                    "unable to get apiresource from unstructured: {group}/{version}, Kind={kind}: the server could not find the requested resource"
                );
                return Err(ClusterError { message, ..e });
            }
            Err(e) => return Err(e),
        };
        let namespace = Some(namespace).filter(|n| !n.is_empty());
        let id = ObjectId::new(gvk.clone(), namespace, name);
        let verb = if name.is_empty() { Verb::List } else { Verb::Get };
        let found = self.get_by(Call::get(verb, &path(&resource, namespace, name)).about(&id)).await?;
        Ok(found.map(|mut object| {
            if name.is_empty()
                && let Some(items) = object.get_mut("items").and_then(Json::as_array_mut)
            {
                // Templates do not see the lock that is held while they are rendered: it would be another list each time.
                items.retain(|item| !is_lock(item));
                for item in items.iter_mut().filter_map(Json::as_object_mut) {
                    item.entry("apiVersion").or_insert_with(|| gvk.api_version().into());
                    item.entry("kind").or_insert_with(|| gvk.kind.clone().into());
                }
            }
            object
        }))
    }
}

/// Whether this is a mark that a release is being worked on.
fn is_lock(object: &Json) -> bool {
    let name = object.pointer("/metadata/name").and_then(Json::as_str);
    name.is_some_and(|name| name.starts_with("sh.pintle.lock.v1."))
}

/// As apimachinery reads JSON: whole numbers are int64, others float64.
fn to_value(heap: &mut Heap, json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => match n.as_i64() {
            Some(i) => Value::Int(i),
            None => Value::Float(n.as_f64().unwrap_or_default()),
        },
        Json::String(s) => Value::str(s),
        Json::Array(items) => {
            let items = items.iter().map(|v| to_value(heap, v)).collect();
            Value::List(heap.list_of(items))
        }
        Json::Object(fields) => {
            let entries: Vec<(Str, Value)> = fields.iter().map(|(k, v)| (Str::new(k), to_value(heap, v))).collect();
            Value::Map(heap.map_of(entries))
        }
    }
}
