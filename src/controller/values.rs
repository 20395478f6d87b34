//! The values of a release: ConfigMaps, Secrets and files of artifacts are fetched, then laid over each other by the values room.

use std::collections::BTreeMap;

use crate::api::values::ValuesReference;
use crate::cluster::kube::Kube;
use crate::cluster::{Cluster, Gvk, Json, ObjectId};
use crate::gotmpl::State;
use crate::value::MapId;
use crate::values::compose::{self, ObjectData};

use super::access::data;
use super::artifact::{ArtifactError, Artifacts};
use super::index::{Index, Key};
use super::manager::World;
use super::options::Options;
use super::reads::Reads;
use super::secrets::Secrets;
use super::sources;
use super::subject::Subject;

/// Composes the values on the state's heap.
///
/// # Errors
/// Flux's text.
pub async fn compose(
    subject: &Subject,
    world: &World,
    reads: &Reads,
    secrets: &mut Secrets,
    state: &mut State,
) -> Result<MapId, String> {
    let World { kube, index, artifacts, options, .. } = world;
    let mut found: BTreeMap<(String, String), Result<Option<ObjectData>, String>> = BTreeMap::new();
    for reference in &subject.spec.values_from {
        let at = (reference.kind.clone(), name(reference));
        if reference.is_artifact() {
            let file = file(subject, reference, index, artifacts, options).await;
            match (found.entry(at).or_insert_with(|| Ok(None)), file) {
                (Ok(known), Ok(Some(bytes))) => {
                    known.get_or_insert_default().insert(reference.path.clone(), bytes);
                }
                (Ok(_), Ok(None)) => {}
                (slot, Err(e)) => *slot = Err(e),
                (Err(_), _) => {}
            }
        } else if let std::collections::btree_map::Entry::Vacant(slot) = found.entry(at) {
            let found = slot.insert(object(kube, &subject.namespace, reference, reads).await);
            if let (Ok(Some(data)), "Secret") = (found, reference.kind.as_str()) {
                secrets.note(data);
            }
        }
    }
    let references: Vec<compose::ValuesReference> = subject
        .spec
        .values_from
        .iter()
        .map(|r| compose::ValuesReference {
            kind: r.kind.clone(),
            name: name(r),
            values_key: if r.is_artifact() { r.path.clone() } else { r.values_key.clone() },
            target_path: r.target_path.clone(),
            optional: r.optional,
            literal: r.literal,
        })
        .collect();
    let heap = &mut state.heap;
    let inline = subject.spec.values.as_ref().map(|v| compose::inline_values(heap, v.to_string().as_bytes()));
    let mut fetch = |kind: &str, name: &str| found.remove(&(kind.to_owned(), name.to_owned())).unwrap_or(Ok(None));
    let mut log = Vec::new();
    let values = compose::compose(heap, &subject.namespace, inline, &references, &mut fetch, &mut log);
    for line in log {
        tracing::info!(release = subject.key(), "{}", secrets.hide(&line.message));
    }
    values
}

fn name(reference: &ValuesReference) -> String {
    if reference.namespace.is_empty() {
        reference.name.clone()
    } else {
        format!("{}/{}", reference.namespace, reference.name)
    }
}

async fn object(
    kube: &Kube,
    namespace: &str,
    reference: &ValuesReference,
    reads: &Reads,
) -> Result<Option<ObjectData>, String> {
    if !matches!(reference.kind.as_str(), "Secret" | "ConfigMap") {
        return Ok(None);
    }
    let id = ObjectId::new(Gvk::new("", "v1", &reference.kind), Some(namespace), &reference.name);
    let found = kube.get(&id).await.map_err(|e| e.to_string())?;
    reads.note(Key::new(&reference.kind, namespace, &reference.name), found.as_ref());
    let Some(object) = found else { return Ok(None) };
    let fields = object.get("data").and_then(Json::as_object).cloned().unwrap_or_default();
    let secret = reference.kind == "Secret";
    let value = |(key, value): (String, Json)| {
        let bytes = match secret {
            true => data(&object, &key).unwrap_or_default(),
            false => value.as_str().unwrap_or_default().as_bytes().to_vec(),
        };
        (key, bytes)
    };
    Ok(Some(fields.into_iter().map(value).collect()))
}

/// A file of a source's artifact; `None` if the source or the file is not there.
async fn file(
    subject: &Subject,
    reference: &ValuesReference,
    index: &Index,
    artifacts: &Artifacts,
    options: &Options,
) -> Result<Option<Vec<u8>>, String> {
    let key = source_of(subject, reference);
    let fail = |e: String| Err(format!("values file {:?} of {key}: {e}", reference.path));
    if let Err(e) = sources::cross_namespace(subject, &key, options) {
        return fail(e.to_string());
    }
    let Some(source) = index.get(&key) else { return Ok(None) };
    let ready = match sources::ready(&key, &source) {
        Ok(ready) => ready,
        Err(e) => return fail(e),
    };
    match artifacts.file(&ready.artifact, &reference.path).await {
        Ok(found) => Ok(found),
        Err(ArtifactError::NotFound) => fail("its artifact is not served (yet)".into()),
        Err(ArtifactError::Other(e)) => fail(e),
    }
}

/// The source that a reference names.
pub fn source_of(subject: &Subject, reference: &ValuesReference) -> Key {
    let namespace = if reference.namespace.is_empty() { &subject.namespace } else { &reference.namespace };
    Key::new(&reference.kind, namespace, &reference.name)
}
