//! One request: what is asked of which address, and whether asking twice does any harm.

use super::{Gvk, Json, ObjectId, Resource, Verb};

/// Asks for metadata alone.
pub(super) const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
pub(super) const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// Asks for a table for people; a server that makes none sends the object.
pub(super) const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

#[derive(Clone, Debug)]
pub(super) struct Call {
    pub verb: Verb,
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    pub accept: &'static str,
    /// With its content type.
    pub body: Option<(&'static str, Vec<u8>)>,
    /// What it is about, for errors.
    pub object: Option<ObjectId>,
    /// Whether sending it twice has the effect of once.
    pub idempotent: bool,
}

impl Call {
    pub fn get(verb: Verb, path: &str) -> Self {
        Self {
            verb,
            method: "GET",
            path: path.to_owned(),
            accept: "application/json",
            body: None,
            object: None,
            idempotent: true,
        }
    }

    fn write(verb: Verb, method: &'static str, path: &str, content: &'static str, body: &Json) -> Self {
        // A JSON value always has a text.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self { method, body: Some((content, body)), ..Self::get(verb, path) }
    }

    pub fn post(path: &str, body: &Json) -> Self {
        Self { idempotent: false, ..Self::write(Verb::Create, "POST", path, "application/json", body) }
    }

    /// With a resourceVersion in the object a second PUT is a conflict, and without it the same state.
    pub fn put(path: &str, body: &Json) -> Self {
        let versioned = body.pointer("/metadata/resourceVersion").is_some();
        Self { idempotent: !versioned, ..Self::write(Verb::Update, "PUT", path, "application/json", body) }
    }

    /// JSON patches may test or append: not to be repeated. The others say how a thing shall be.
    pub fn patch(path: &str, content: &'static str, body: &Json) -> Self {
        let idempotent = content != "application/json-patch+json";
        Self { idempotent, ..Self::write(Verb::Patch, "PATCH", path, content, body) }
    }

    pub fn delete(path: &str, body: &Json) -> Self {
        Self::write(Verb::Delete, "DELETE", path, "application/json", body)
    }

    pub fn about(mut self, object: &ObjectId) -> Self {
        self.object = Some(object.clone());
        self
    }

    pub fn accept(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }
}

/// The parameters of a request; empty ones are left out.
pub(super) struct Query(String);

impl Query {
    pub fn new() -> Self {
        Self(String::new())
    }

    pub fn text(mut self, key: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.0.push(if self.0.is_empty() { '?' } else { '&' });
            self.0.push_str(key);
            self.0.push('=');
            escape(value, &mut self.0);
        }
        self
    }

    pub fn after(&self, path: &str) -> String {
        format!("{path}{}", self.0)
    }
}

/// Percent-encodes all but what no server can misread.
fn escape(text: &str, out: &mut String) {
    use std::fmt::Write as _;
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
    }
}

/// The address of a group and version.
pub(super) fn group_path(gvk: &Gvk) -> String {
    if gvk.group.is_empty() { format!("/api/{}", gvk.version) } else { format!("/apis/{}/{}", gvk.group, gvk.version) }
}

/// The address of an object, or, without a name, of its kind's collection in a namespace or (`None`) in all.
pub(super) fn path(resource: &Resource, namespace: Option<&str>, name: &str) -> String {
    let mut path = group_path(&resource.gvk);
    if resource.namespaced
        && let Some(namespace) = namespace
    {
        path.push_str("/namespaces/");
        escape(namespace, &mut path);
    }
    path.push('/');
    path.push_str(&resource.plural);
    if !name.is_empty() {
        path.push('/');
        escape(name, &mut path);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let deployments =
            Resource { gvk: Gvk::new("apps", "v1", "Deployment"), plural: "deployments".into(), namespaced: true };
        let nodes = Resource { gvk: Gvk::new("", "v1", "Node"), plural: "nodes".into(), namespaced: false };
        for (resource, namespace, name, want) in [
            (&deployments, Some("a"), "web", "/apis/apps/v1/namespaces/a/deployments/web"),
            (&deployments, Some("a"), "", "/apis/apps/v1/namespaces/a/deployments"),
            (&deployments, None, "", "/apis/apps/v1/deployments"),
            (&nodes, Some("ignored"), "n", "/api/v1/nodes/n"),
            // A name from a chart can't reach another address.
            (&deployments, Some("a"), "../x?y", "/apis/apps/v1/namespaces/a/deployments/..%2Fx%3Fy"),
        ] {
            assert_eq!(path(resource, namespace, name), want);
        }
        let query = Query::new().text("labelSelector", "owner=helm,name in (a)").text("limit", "");
        assert_eq!(query.after("/x"), "/x?labelSelector=owner%3Dhelm%2Cname%20in%20%28a%29");
    }
}
