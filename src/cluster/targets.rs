//! From rendered objects to objects that can be written: the kind is known to the server, the namespace is settled, the owner is stamped.
//!
//! Source: Helm 4.3 `pkg/kube/client.go` (`Build`) with cli-runtime's resource builder, and `pkg/action/validate.go`.

mod metadata;

use std::collections::BTreeMap;

use futures::{FutureExt, StreamExt, stream};

use super::{Cluster, ClusterError, Gvk, Json, ObjectId, Reason};

/// How many requests are under way at once.
pub(super) const PARALLEL: usize = 8;

/// An object to be written, with the name under which the server has it. A generated name (`metadata.generateName`) leaves `id.name` empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub id: ObjectId,
    pub object: Json,
}

impl Target {
    /// Whether two entries are the same object: the version of the API does not matter.
    pub fn same(&self, other: &Self) -> bool {
        same(&self.id, &other.id)
    }

    /// As Helm's errors call it: `Deployment "web" in namespace "default"`.
    pub fn described(&self) -> String {
        described(&self.id)
    }
}

/// Whether two names are of one object: the version of the API does not matter.
pub fn same(a: &ObjectId, b: &ObjectId) -> bool {
    a.name == b.name && a.namespace == b.namespace && a.gvk.group == b.gvk.group && a.gvk.kind == b.gvk.kind
}

/// As Helm's errors call it: `Deployment "web" in namespace "default"`.
pub fn described(id: &ObjectId) -> String {
    format!("{} {:?} in namespace {:?}", id.gvk.kind, id.name, id.namespace.as_deref().unwrap_or_default())
}

/// What could not be read or is not served. All of it is said at once.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", aggregate(.texts))]
pub struct BuildError {
    pub texts: Vec<String>,
    /// The server was not there to say whether a kind is served.
    pub unanswered: bool,
}

/// Go's `utilerrors.Aggregate`: one message alone, several in brackets, each text once.
fn aggregate(messages: &[String]) -> String {
    match messages {
        [one] => one.clone(),
        many => {
            let mut seen: Vec<&str> = Vec::new();
            for m in many {
                if !seen.contains(&m.as_str()) {
                    seen.push(m);
                }
            }
            if let [one] = seen[..] { one.to_owned() } else { format!("[{}]", seen.join(", ")) }
        }
    }
}

/// Resolves objects against what the cluster serves, in their order. Lists are unfolded; a namespaced object without a namespace gets
/// `namespace`, in the object too.
///
/// # Errors
/// Every kind that is not served (even after a fresh discovery), and every object without `apiVersion`, `kind` or a name, in Helm's words.
pub async fn build(
    cluster: &dyn Cluster,
    objects: impl IntoIterator<Item = Json>,
    namespace: &str,
) -> Result<Vec<Target>, BuildError> {
    let mut targets = Vec::new();
    let mut wrong = BuildError { texts: Vec::new(), unanswered: false };
    for object in objects {
        // That there is no kind is said first. Nobody looks at the metadata of a list's items.
        if !Gvk::of(&object).kind.is_empty()
            && let Err(e) = metadata::check(&object)
        {
            wrong.texts.push(format!("unable to decode \"\": {e}"));
            continue;
        }
        for mut object in flatten(object) {
            match resolve(cluster, &mut object, namespace, &mut wrong.unanswered).await {
                Ok(Some(id)) => targets.push(Target { id, object }),
                Ok(None) => {}
                Err(e) => wrong.texts.push(e),
            }
        }
    }
    if wrong.texts.is_empty() { Ok(targets) } else { Err(wrong) }
}

/// What Helm finds before it asks a server: objects that do not say what they are.
///
/// Source: `k8s.io/kubectl/pkg/validation/schema.go`, `getObjectKind`.
///
/// # Errors
/// All of them at once.
pub fn check_kinds<'o>(objects: impl IntoIterator<Item = &'o Json>) -> Result<(), String> {
    let mut wrong = Vec::new();
    for fields in objects.into_iter().filter_map(Json::as_object).filter(|fields| !fields.is_empty()) {
        let mut texts: Vec<String> = Vec::new();
        match fields.get("apiVersion") {
            None => texts.push("apiVersion not set".into()),
            Some(Json::String(v)) if v.matches('/').count() > 1 => {
                texts.push(format!("unexpected GroupVersion string: {v}"));
            }
            Some(Json::String(_)) => {}
            Some(_) => texts.push("apiVersion isn't string type".into()),
        }
        match fields.get("kind") {
            None => texts.push("kind not set".into()),
            Some(Json::String(_)) => {}
            Some(_) => texts.push("kind isn't string type".into()),
        }
        if !texts.is_empty() {
            wrong.push(format!("error validating \"\": error validating data: {}", aggregate(&texts)));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(aggregate(&wrong)) }
}

/// The objects of a document: Helm's builder takes any object with a list of `items` apart, whatever its kind.
pub fn flatten(object: Json) -> Vec<Json> {
    match object {
        Json::Object(mut fields) if fields.get("items").is_some_and(Json::is_array) => match fields.remove("items") {
            Some(Json::Array(items)) => items.into_iter().flat_map(flatten).collect(),
            _ => Vec::new(),
        },
        other => Vec::from([other]),
    }
}

async fn resolve(
    cluster: &dyn Cluster,
    object: &mut Json,
    namespace: &str,
    unanswered: &mut bool,
) -> Result<Option<ObjectId>, String> {
    if object.is_null() || object.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok(None);
    }
    let gvk = Gvk::of(object);
    let text = || serde_json::to_string(object).unwrap_or_default();
    if gvk.kind.is_empty() {
        return Err(format!("unable to decode \"\": Object 'Kind' is missing in '{}'", text()));
    }
    if gvk.version.is_empty() {
        return Err(format!("unable to decode \"\": Object 'apiVersion' is missing in '{}'", text()));
    }
    let mut id = ObjectId::of(object);
    let resource = cluster.resource(&gvk).await.map_err(|e| match e.reason {
        Reason::NoMatch => format!(
            "resource mapping not found for name: {:?} namespace: {:?} from \"\": no matches for kind {:?} in version {:?}\n\
             ensure CRDs are installed first",
            id.name,
            id.namespace.as_deref().unwrap_or_default(),
            gvk.kind,
            gvk.api_version()
        ),
        _ => {
            *unanswered |= e.is_unanswered();
            e.to_string()
        }
    })?;
    if !resource.namespaced {
        id.namespace = None;
    } else if id.namespace.is_none() {
        id.namespace = Some(namespace.to_owned());
        set(object, "namespace", Json::from(namespace));
    }
    Ok(Some(id))
}

/// Sets a field of an object's metadata.
fn set(object: &mut Json, key: &str, value: Json) {
    if let Some(metadata) = metadata(object) {
        metadata.insert(key.to_owned(), value);
    }
}

fn metadata(object: &mut Json) -> Option<&mut serde_json::Map<String, Json>> {
    let metadata = object.as_object_mut()?.entry("metadata").or_insert_with(|| Json::Object(Default::default()));
    if metadata.is_null() {
        *metadata = Json::Object(Default::default());
    }
    metadata.as_object_mut()
}

/// The release that owns an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner<'a> {
    pub release: &'a str,
    pub namespace: &'a str,
}

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const RELEASE_NAME: &str = "meta.helm.sh/release-name";
const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";

/// Stamps the owner's label and annotations on the objects, over what a chart may have written there. The stored manifest stays as it was.
pub fn stamp(targets: &mut [Target], owner: Owner) {
    for target in targets {
        merge(&mut target.object, "labels", &[(MANAGED_BY, "Helm")]);
        merge(
            &mut target.object,
            "annotations",
            &[(RELEASE_NAME, owner.release), (RELEASE_NAMESPACE, owner.namespace)],
        );
    }
}

fn merge(object: &mut Json, field: &str, pairs: &[(&str, &str)]) {
    let Some(metadata) = metadata(object) else { return };
    let map = metadata.entry(field).or_insert_with(|| Json::Object(Default::default()));
    if !map.is_object() {
        *map = Json::Object(Default::default());
    }
    if let Some(map) = map.as_object_mut() {
        // Go's accessor reads the others as texts, a null as an empty one, before they are written back.
        map.values_mut().filter(|v| v.is_null()).for_each(|v| *v = Json::from(""));
        for (key, value) in pairs {
            map.insert((*key).to_owned(), Json::from(*value));
        }
    }
}

/// Says why a live object is not the owner's, in Helm's words.
///
/// # Errors
/// `invalid ownership metadata; label validation error: missing key …; annotation validation error: …`.
pub fn check_owner(live: &Json, owner: Owner) -> Result<(), String> {
    let mut wrong = Vec::new();
    for (field, what, key, want) in [
        ("labels", "label", MANAGED_BY, "Helm"),
        ("annotations", "annotation", RELEASE_NAME, owner.release),
        ("annotations", "annotation", RELEASE_NAMESPACE, owner.namespace),
    ] {
        let is = live.get("metadata").and_then(|m| m.get(field)).and_then(|m| m.get(key)).and_then(Json::as_str);
        match is {
            None => wrong.push(format!("{what} validation error: missing key {key:?}: must be set to {want:?}")),
            Some(is) if is != want => {
                wrong
                    .push(format!("{what} validation error: key {key:?} must equal {want:?}: current value is {is:?}"));
            }
            Some(_) => {}
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("invalid ownership metadata; {}", wrong.join("; "))) }
}

/// Which of the targets exist already (those with generated names never do), with the metadata of their live objects. With an owner every one of them must
/// be the owner's; without (`--take-ownership`, `--replace`) anything is taken.
///
/// # Errors
/// `<Kind> "x" in namespace "y" exists and cannot be imported into the current release: invalid ownership metadata; …`, or the first object
/// that could not be read.
pub async fn existing(
    cluster: &dyn Cluster,
    targets: &[Target],
    owner: Option<Owner<'_>>,
) -> Result<Vec<(Target, Json)>, String> {
    for target in targets {
        let generated = target.object.pointer("/metadata/generateName").and_then(Json::as_str);
        if generated.is_some_and(|g| !g.is_empty()) && !target.id.name.is_empty() {
            return Err("metadata.name and metadata.generateName cannot both be set".into());
        }
        if generated.is_none_or(str::is_empty) && target.id.name.is_empty() {
            return Err(format!(
                "could not get information about the resource {}: resource name may not be empty",
                target.described()
            ));
        }
    }
    let mut found = Vec::new();
    for (target, live) in live_metadata(cluster, targets).await {
        let live =
            live.map_err(|e| format!("could not get information about the resource {}: {e}", target.described()))?;
        let Some(live) = live else { continue };
        if let Some(owner) = owner {
            check_owner(&live, owner).map_err(|e| {
                format!("{} exists and cannot be imported into the current release: {e}", target.described())
            })?;
        }
        found.push((target.clone(), live));
    }
    Ok(found)
}

/// The live objects, in the order of the targets.
pub async fn live<'a>(
    cluster: &dyn Cluster,
    targets: &'a [Target],
) -> Vec<(&'a Target, Result<Option<Json>, ClusterError>)> {
    let asked: Vec<_> = targets.iter().map(|t| async move { (t, cluster.get(&t.id).await) }.boxed()).collect();
    stream::iter(asked).buffered(PARALLEL).collect().await
}

/// From so many objects of a kind on, the kind is listed instead.
const MANY: usize = 6;

/// As [`live`], with no more than metadata to rely on: many objects of one kind in one namespace are looked up by one list, where it is short
/// enough and may be asked for.
async fn live_metadata<'a>(
    cluster: &dyn Cluster,
    targets: &'a [Target],
) -> Vec<(&'a Target, Result<Option<Json>, ClusterError>)> {
    type Place<'t> = (&'t Gvk, Option<&'t str>);
    let place = |t: &'a Target| -> Place<'a> { (&t.id.gvk, t.id.namespace.as_deref()) };
    let named = || targets.iter().filter(|t| !t.id.name.is_empty());
    let mut counts: BTreeMap<Place<'_>, usize> = BTreeMap::new();
    named().for_each(|t| *counts.entry(place(t)).or_default() += 1);
    // Cluster-scoped kinds are not listed: what others have there is none of a release's business.
    let many = counts.into_iter().filter(|((_, ns), n)| ns.is_some() && *n >= MANY);
    let asked: Vec<_> = many
        .map(|(place, _)| async move { (place, cluster.list_if_few(place.0, place.1).await.ok().flatten()) }.boxed())
        .collect();
    let lists: Vec<_> = stream::iter(asked).buffered(PARALLEL).collect().await;
    let mut known: BTreeMap<Place<'_>, BTreeMap<String, Json>> = BTreeMap::new();
    for (place, list) in lists {
        if let Some(list) = list {
            let name = |o: &Json| o.pointer("/metadata/name").and_then(Json::as_str).unwrap_or_default().to_owned();
            known.insert(place, list.into_iter().map(|o| (name(&o), o)).collect());
        }
    }
    let mut answers = Vec::new();
    let mut alone = Vec::new();
    for (i, target) in named().enumerate() {
        match known.get(&place(target)) {
            Some(list) => answers.push((i, target, Ok(list.get(&target.id.name).cloned()))),
            None => alone.push((i, target)),
        }
    }
    let asked: Vec<_> =
        alone.into_iter().map(|(i, t)| async move { (i, t, cluster.get(&t.id).await) }.boxed()).collect();
    let looked: Vec<_> = stream::iter(asked).buffered(PARALLEL).collect().await;
    answers.extend(looked);
    answers.sort_by_key(|(i, ..)| *i);
    answers.into_iter().map(|(_, target, answer)| (target, answer)).collect()
}

/// What may be deleted with a release. Objects that are gone are in none of the lists.
#[derive(Clone, Debug, Default)]
pub struct Ownership {
    /// To be deleted.
    pub owned: Vec<Target>,
    /// There, but of somebody else: to be left alone.
    pub foreign: Vec<Target>,
    /// Could not be read: to be left alone, and said.
    pub unknown: Vec<(Target, ClusterError)>,
}

/// Sorts a release's objects before its deletion, as Helm 4.3 does.
pub async fn ownership(cluster: &dyn Cluster, targets: &[Target], owner: Owner<'_>) -> Ownership {
    let mut out = Ownership::default();
    for (target, found) in live(cluster, targets).await {
        match found {
            Ok(None) => {}
            Ok(Some(live)) if check_owner(&live, owner).is_ok() => out.owned.push(target.clone()),
            Ok(Some(_)) => out.foreign.push(target.clone()),
            Err(e) => out.unknown.push((target.clone(), e)),
        }
    }
    out
}
