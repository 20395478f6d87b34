//! What the server serves: two requests for all groups (aggregated discovery), more only with servers before 1.26.
//!
//! Source: client-go `discovery` (`aggregated_discovery.go`); what becomes of it in templates: Helm 4.3 `pkg/action/action.go` (`GetVersionSet`).

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use super::call::{Call, group_path};
use super::http::Http;
use super::{ClusterError, Gvk, Resource, Verb};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// A look is not repeated sooner for an unknown kind.
const FRESH: Duration = Duration::from_secs(1);

/// Kinds whose address never changes: most commands need no discovery for them.
pub(super) fn well_known(gvk: &Gvk) -> Option<Resource> {
    if !gvk.group.is_empty() || gvk.version != "v1" {
        return None;
    }
    let (plural, namespaced) = match gvk.kind.as_str() {
        "ConfigMap" => ("configmaps", true),
        "Event" => ("events", true),
        "Namespace" => ("namespaces", false),
        "Pod" => ("pods", true),
        "Secret" => ("secrets", true),
        "Service" => ("services", true),
        "ServiceAccount" => ("serviceaccounts", true),
        _ => return None,
    };
    Some(Resource { gvk: gvk.clone(), plural: plural.to_owned(), namespaced })
}

pub(super) struct Discovery {
    kinds: HashMap<Gvk, (String, bool)>,
    /// `apps/v1` and `apps/v1/Deployment`, as templates see them.
    names: BTreeSet<String>,
    at: Instant,
}

#[derive(Deserialize)]
struct Groups {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    items: Vec<Group>,
    /// Of the older form.
    #[serde(default)]
    groups: Vec<OldGroup>,
    #[serde(default)]
    versions: Vec<String>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: GroupName,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Default, Deserialize)]
struct GroupName {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    version: String,
    #[serde(default)]
    resources: Vec<Served>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Served {
    resource: String,
    response_kind: Option<Kind>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    subresources: Vec<Subresource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subresource {
    response_kind: Option<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    group: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    kind: String,
}

#[derive(Deserialize)]
struct OldGroup {
    versions: Vec<OldVersion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldVersion {
    group_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldResources {
    #[serde(default)]
    resources: Vec<OldResource>,
}

#[derive(Deserialize)]
struct OldResource {
    name: String,
    #[serde(default)]
    namespaced: bool,
    kind: String,
    #[serde(default)]
    group: String,
    #[serde(default)]
    version: String,
}

impl Discovery {
    pub async fn fetch(http: &Http) -> Result<Self, ClusterError> {
        let at = Instant::now();
        let groups = async |path: &str| -> Result<Groups, ClusterError> {
            http.send(&Call::get(Verb::Discover, path).accept(AGGREGATED)).await?.typed(Verb::Discover)
        };
        let (core, others) = tokio::try_join!(groups("/api"), groups("/apis"))?;
        let mut out = Self { kinds: HashMap::new(), names: BTreeSet::new(), at };
        let mut old = Vec::new();
        for list in [core, others] {
            if list.kind == "APIGroupDiscoveryList" {
                list.items.into_iter().for_each(|g| out.add_group(g));
            } else {
                old.extend(list.versions);
                old.extend(list.groups.into_iter().flat_map(|g| g.versions).map(|v| v.group_version));
            }
        }
        out.add_old(http, old).await?;
        Ok(out)
    }

    fn add_group(&mut self, group: Group) {
        for version in group.versions {
            let gv = Gvk::new(&group.metadata.name, &version.version, "");
            let name = gv.api_version();
            self.names.insert(name.clone());
            for served in version.resources {
                for sub in served.subresources.iter().filter_map(|s| s.response_kind.as_ref()) {
                    self.names.insert(format!("{name}/{}", sub.kind));
                }
                let Some(kind) = served.response_kind else { continue };
                self.names.insert(format!("{name}/{}", kind.kind));
                // Eviction and the like answer with a kind of another group: they are no way to that kind.
                let foreign = (!kind.version.is_empty() && kind.version != gv.version) || kind.group != gv.group;
                if !foreign || kind.version.is_empty() {
                    let gvk = Gvk { kind: kind.kind, ..gv.clone() };
                    self.kinds.entry(gvk).or_insert((served.resource, served.scope == "Namespaced"));
                }
            }
        }
    }

    /// Servers before 1.26: a request for each group and version. A group that is broken is left out, as Helm does.
    async fn add_old(&mut self, http: &Http, versions: Vec<String>) -> Result<(), ClusterError> {
        let found: Vec<(String, Option<OldResources>)> = stream::iter(versions)
            .map(|gv| async move {
                let path = group_path(&Gvk::parse(&gv, ""));
                match http.send(&Call::get(Verb::Discover, &path)).await {
                    Ok(answer) => Ok((gv, Some(answer.typed(Verb::Discover)?))),
                    Err(e) if e.code == 0 => Err(e),
                    Err(_) => Ok((gv, None)),
                }
            })
            .buffered(8)
            .try_collect()
            .await?;
        for (gv, resources) in found {
            for r in resources.into_iter().flat_map(|r| r.resources) {
                self.names.insert(format!("{gv}/{}", r.kind));
                if !r.name.contains('/') && r.group.is_empty() && r.version.is_empty() {
                    let gvk = Gvk::parse(&gv, &r.kind);
                    self.kinds.entry(gvk).or_insert((r.name, r.namespaced));
                }
            }
            self.names.insert(gv);
        }
        Ok(())
    }

    pub fn resource(&self, gvk: &Gvk) -> Option<Resource> {
        let (plural, namespaced) = self.kinds.get(gvk)?;
        Some(Resource { gvk: gvk.clone(), plural: plural.clone(), namespaced: *namespaced })
    }

    /// Whether the kind's group and version are there at all.
    pub fn serves(&self, gvk: &Gvk) -> bool {
        self.names.contains(&gvk.api_version())
    }

    pub fn api_versions(&self) -> Vec<String> {
        self.names.iter().cloned().collect()
    }

    pub fn is_fresh(&self) -> bool {
        self.at.elapsed() < FRESH
    }
}
