//! From a chart to what is stored and applied: one render, whose bytes go into the record and from there to the cluster.
//!
//! Templates that look objects up ask the target. The render is synchronous and needs a large stack, so it runs on a thread of its own,
//! while the caller's runtime goes on to move the answers of those lookups.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::chart::{Chart, Table, data};
use crate::cluster::Gvk;
use crate::cluster::{Cluster, Json, ObjectId, Reason, manifest};
use crate::diagnostic::LogLine;
use crate::gotmpl::{State, with_large_stack};
use crate::release::record::HookRecord;
use crate::render::control::{Lookup, set_lookup};
use crate::render::{self, Capabilities, Release, ReleaseOptions, Request};
use crate::value::{MapId, Value};

use super::{ActionError, Context};

/// What a revision is made from. The values are on the state's heap, so that they keep the types that the command line gave them.
pub struct Source {
    pub state: State,
    pub values: MapId,
    pub chart: Chart,
    pub skip_schema_validation: bool,
    /// Put the notes of subcharts behind the chart's own.
    pub subchart_notes: bool,
    /// `--hide-secret`: Secrets are left out of the manifest; for dry runs only.
    pub hide_secret: bool,
    /// Works on the rendered files before they are sorted into manifests and hooks.
    pub post_render: Option<PostRender>,
}

/// From the rendered files, by path and without notes, to what is to be released.
pub type PostRender = Arc<dyn Fn(Files) -> Result<Files, String> + Send + Sync>;

type Files = BTreeMap<String, Vec<u8>>;

/// A render that failed, with what explains it.
pub struct RenderFailure {
    pub failure: render::Failure,
    pub state: State,
}

impl std::fmt::Debug for RenderFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.failure.fmt(f)
    }
}

/// What came of a render.
pub struct Rendered {
    /// The user's values, as they are recorded.
    pub config: Table,
    /// As Helm stores it: every document behind `---` and `# Source:`.
    pub manifest: String,
    pub hooks: Vec<HookRecord>,
    pub notes: String,
    pub release: Release,
}

/// Renders, with the target's capabilities and live objects.
pub(super) async fn render(
    ctx: &Context,
    source: Source,
    options: ReleaseOptions,
    capabilities: Arc<Capabilities>,
    lookups: bool,
) -> Result<Rendered, ActionError> {
    let capabilities = match &ctx.witness {
        Some(witness) => witness.capabilities(capabilities),
        None => capabilities,
    };
    let lookup = lookups.then(|| match &ctx.lookup {
        Some(lookup) => lookup.clone(),
        None => Arc::new(Plain { cluster: ctx.cluster.clone(), runtime: tokio::runtime::Handle::current() })
            as Arc<dyn Lookup>,
    });
    let span = tracing::info_span!(
        "render",
        release = format_args!("{}/{}", options.namespace, options.name),
        step = "render",
        chart = source.chart.metadata.name,
        revision = source.chart.metadata.version
    );
    let work = move || with_large_stack(move || span.in_scope(|| render_here(source, options, capabilities, lookup)));
    let done = tokio::task::spawn_blocking(work).await;
    let (result, log) = match done {
        Ok(Ok(done)) => done,
        Ok(Err(e)) => return Err(ActionError::new(format!("no thread to render on: {e}"))),
        Err(e) => return Err(ActionError::new(format!("rendering broke off: {e}"))),
    };
    ctx.logs(log);
    result
}

fn render_here(
    source: Source,
    options: ReleaseOptions,
    capabilities: Arc<Capabilities>,
    lookup: Option<Arc<dyn Lookup>>,
) -> (Result<Rendered, ActionError>, Vec<LogLine>) {
    let Source { mut state, values, chart, skip_schema_validation, subchart_notes, hide_secret, post_render } = source;
    let mut log = Vec::new();
    if let Some(lookup) = lookup {
        set_lookup(&mut state, lookup);
    }
    let config = match data::map_to_table(&state.heap, values) {
        Ok(config) => config,
        Err(_) => return (Err(ActionError::new("values are nested too deep")), log),
    };
    let request = Request { release: options, capabilities, skip_schema_validation };
    let post_render = post_render.as_deref().map(|f| f as render::PostRender<'_>);
    let result = match render::release_with(&mut state, chart, values, &request, post_render, &mut log) {
        Ok(release) => {
            let notes = if subchart_notes { &release.all_notes } else { &release.notes };
            Ok(Rendered {
                config,
                manifest: manifest_text(&release, hide_secret),
                hooks: release.hooks.iter().map(hook_record).collect(),
                notes: String::from_utf8_lossy(notes).into_owned(),
                release,
            })
        }
        Err(f) => {
            let message = f.message.clone();
            let failure = RenderFailure { failure: f, state };
            Err(ActionError { render: Some(Box::new(failure)), ..ActionError::new(message) })
        }
    };
    (result, log)
}

/// Source: `pkg/action/action.go`, `renderResources`.
fn manifest_text(release: &Release, hide_secret: bool) -> String {
    let mut text = Vec::new();
    for m in &release.manifests {
        text.extend_from_slice(b"---\n# Source: ");
        text.extend_from_slice(m.name.as_bytes());
        text.push(b'\n');
        if hide_secret && m.head.kind == "Secret" && m.head.version == "v1" {
            text.extend_from_slice(b"# HIDDEN: The Secret output has been suppressed\n");
        } else {
            text.extend_from_slice(&m.content);
            text.push(b'\n');
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn hook_record(hook: &render::manifest::Hook) -> HookRecord {
    HookRecord {
        name: hook.name.clone(),
        kind: hook.kind.clone(),
        path: hook.path.clone(),
        manifest: String::from_utf8_lossy(&hook.manifest).into_owned(),
        events: hook.events.clone(),
        weight: hook.weight,
        delete_policies: hook.delete_policies.clone(),
        output_log_policies: hook.output_log_policies.clone(),
        ..HookRecord::default()
    }
}

/// `lookup` against any target, a directory for example: a password that a chart keeps by looking for its Secret is kept there too.
struct Plain {
    cluster: Arc<dyn Cluster>,
    runtime: tokio::runtime::Handle,
}

impl Plain {
    async fn find(&self, gvk: &Gvk, namespace: &str, name: &str) -> Result<Option<Json>, String> {
        let resource = self.cluster.resource(gvk).await.map_err(|e| {
            let gvk = format!("{}/{}, Kind={}", gvk.group, gvk.version, gvk.kind);
            format!("unable to get apiresource from unstructured: {gvk}: {e}")
        })?;
        let namespace = Some(namespace).filter(|ns| resource.namespaced && !ns.is_empty());
        if name.is_empty() {
            return match self.cluster.list(gvk, namespace, "", "").await {
                Ok(items) => Ok(Some(serde_json::json!({
                    "apiVersion": gvk.api_version(),
                    "kind": format!("{}List", gvk.kind),
                    "metadata": {},
                    "items": items,
                }))),
                Err(e) if e.reason == Reason::NotFound => Ok(None),
                Err(e) => Err(e.to_string()),
            };
        }
        match self.cluster.get(&ObjectId::new(gvk.clone(), namespace, name)).await {
            Ok(found) => Ok(found),
            Err(e) if e.reason == Reason::NotFound => Ok(None),
            Err(e) => Err(e.to_string()),
        }
    }
}

impl Lookup for Plain {
    fn lookup(
        &self,
        st: &mut State,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Value, String> {
        let gvk = Gvk::parse(api_version, kind);
        // This thread is none of the runtime's: it may wait.
        let found = self.runtime.block_on(self.find(&gvk, namespace, name))?;
        Ok(match found {
            Some(object) => manifest::on_heap(&mut st.heap, &object),
            None => Value::Map(st.heap.new_map()),
        })
    }
}
