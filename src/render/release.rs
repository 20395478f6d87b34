//! The whole way from a chart to what an install would send: the steps of `helm template` around the engine.

use std::collections::BTreeMap;

use crate::chart::Chart;
use crate::diagnostic::LogLine;
use crate::gotmpl::State;
use crate::value::MapId;

use super::manifest::{Hook, Manifest, Ordering, sort_read};
use super::{Ahead, Capabilities, Failure, Request, execute, with_values};

/// A file of a chart's `crds/` directory.
#[derive(Clone, Debug)]
pub struct Crd {
    /// `chart/crds/x.yaml`, with `charts/sub/` for subcharts.
    pub path: String,
    pub data: crate::chart::Contents,
}

/// What a chart came to.
#[derive(Clone, Debug, Default)]
pub struct Release {
    pub crds: Vec<Crd>,
    /// In install order.
    pub manifests: Vec<Manifest>,
    pub hooks: Vec<Hook>,
    /// The root chart's NOTES.txt.
    pub notes: Vec<u8>,
    /// The NOTES.txt of the root chart and of all subcharts, in the order of their paths, a line break between them.
    pub all_notes: Vec<u8>,
    /// Documents that an unknown hook event drops: (path, the annotation's text).
    pub dropped: Vec<(String, String)>,
    /// The chart as it was rendered: without the dependencies that are off, with their values imported.
    pub chart: Chart,
}

/// What must hold before a chart is rendered as a release: its type, and that its dependencies are there. A deprecated chart is logged.
/// Source: `pkg/cmd/install.go`, `runInstall`.
pub fn check_installable(chart: &Chart, log: &mut Vec<LogLine>) -> Result<(), String> {
    check_kind(chart, log)?;
    crate::values::dependencies::check_dependencies(chart).map_err(|e| {
        format!(
            "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch missing \
             dependencies: {e}"
        )
    })
}

/// The first part of [`check_installable`].
///
/// # Errors
/// Helm's text.
pub fn check_kind(chart: &Chart, log: &mut Vec<LogLine>) -> Result<(), String> {
    let kind = chart.metadata.chart_type.as_str();
    if !matches!(kind, "" | "application") {
        return Err(format!("{kind} charts are not installable"));
    }
    if chart.metadata.deprecated {
        log.push(LogLine::warn("this chart is deprecated"));
    }
    Ok(())
}

/// Helm's rule for release names. Source: `pkg/chart/v2/util/validate_name.go`.
fn check_name(name: &str) -> Result<(), String> {
    let label = |l: &str| {
        let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let b = l.as_bytes();
        b.first().is_some_and(|c| ok(*c)) && b.last().is_some_and(|c| ok(*c)) && b.iter().all(|c| ok(*c) || *c == b'-')
    };
    if name.is_empty() {
        return Err("no name provided".into());
    }
    if name.len() > 53 || !name.split('.').all(label) {
        return Err(r"invalid release name, must match regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the length must not be longer than 53".into());
    }
    Ok(())
}

/// Whether Helm takes it for the name of a release.
pub fn is_release_name(name: &str) -> bool {
    check_name(name).is_ok()
}

fn check_kube_version(chart: &Chart, caps: &Capabilities) -> Result<(), String> {
    let want = &chart.metadata.kube_version;
    if want.is_empty() {
        return Ok(());
    }
    if crate::values::dependencies::is_compatible_range(want, &caps.kube_version.normalized) {
        return Ok(());
    }
    Err(format!(
        "chart requires kubeVersion: {want} which is incompatible with Kubernetes {}",
        caps.kube_version.version
    ))
}

/// What is done to the rendered files (path → text, without notes) before they are split and sorted: a post-renderer.
pub type PostRender<'p> = &'p dyn Fn(BTreeMap<String, Vec<u8>>) -> Result<BTreeMap<String, Vec<u8>>, String>;

/// Renders a chart as a release.
pub fn release(
    st: &mut State,
    chart: Chart,
    values: MapId,
    request: &Request,
    log: &mut Vec<LogLine>,
) -> Result<Release, Failure> {
    release_ahead(st, chart, values, request, None, None, log)
}

/// Renders a chart as a release, through a post-renderer if there is one.
pub fn release_with(
    st: &mut State,
    chart: Chart,
    values: MapId,
    request: &Request,
    post_render: Option<PostRender<'_>>,
    log: &mut Vec<LogLine>,
) -> Result<Release, Failure> {
    release_ahead(st, chart, values, request, post_render, None, log)
}

/// As [`release_with`], with templates that were parsed while the chart was loaded.
pub fn release_ahead(
    st: &mut State,
    mut chart: Chart,
    values: MapId,
    request: &Request,
    post_render: Option<PostRender<'_>>,
    mut ahead: Option<&mut Ahead>,
    log: &mut Vec<LogLine>,
) -> Result<Release, Failure> {
    if let Err(e) = check_name(&request.release.name) {
        let e = format!("release name {}: {e}", crate::golang::strconv::quote(request.release.name.as_bytes()));
        log.push(LogLine::error("release name check failed").with("error", &*e));
        return Err(format!("release name check failed: {e}").into());
    }
    if let Err(e) = crate::values::process_dependencies(&st.heap, &mut chart, values, log) {
        log.push(LogLine::error("chart dependencies processing failed").with("error", &*e));
        return Err(format!("chart dependencies processing failed: {e}").into());
    }
    if let Some(ahead) = &mut ahead {
        ahead.offer_subcharts(&chart);
    }
    let ahead = ahead.as_deref();
    // With the values Helm has a release to show, so failures carry what there is of it.
    let begun =
        |values| move |f: Failure| Failure { partial: Some(f.partial.unwrap_or_default()), values: Some(values), ..f };
    let ((mut files, mut read), values) = with_values(st, &chart, values, request, ahead, log, |st, values| {
        check_kube_version(&chart, &request.capabilities).map_err(|e| begun(values)(e.into()))?;
        Ok((execute(st, &chart, values, request, ahead).map_err(begun(values))?, values))
    })?;
    let own_notes = format!("{}/templates/NOTES.txt", chart.name());
    let notes = files.get(&own_notes).cloned().unwrap_or_default();
    let mut all_notes = Vec::new();
    files.retain(|path, text| {
        let is_notes = path.ends_with("NOTES.txt");
        if is_notes {
            if !all_notes.is_empty() {
                all_notes.push(b'\n');
            }
            all_notes.extend_from_slice(text);
        }
        !is_notes
    });
    if let Some(post_render) = post_render {
        files = post_render(files).map_err(|e| begun(values)(e.into()))?;
        // They are others now.
        read.clear();
    }
    let (sorted, error) = sort_read(&files, read, Ordering::Install);
    for (_, types) in &sorted.dropped {
        log.push(LogLine::info("skipping unknown hooks").with("hookTypes", types.as_str()));
    }
    if let Some(message) = error {
        return Err(Failure { message, partial: Some(files), hooks: sorted.hooks, ..Failure::default() });
    }
    let crds = chart.crds().into_iter().map(|c| Crd { path: c.path, data: c.file.data.clone() }).collect();
    Ok(Release {
        crds,
        manifests: sorted.manifests,
        hooks: sorted.hooks,
        notes,
        all_notes,
        dropped: sorted.dropped,
        chart,
    })
}
