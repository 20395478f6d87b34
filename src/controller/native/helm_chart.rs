//! HelmChart: a chart from a repository, or built from the files of another source.
//!
//! Which version is looked up in the index that the HelmRepository has stored: a thousand charts of one repository ask the network once.
//! Source: source-controller 1.9 `internal/controller/helmchart_controller.go`, `internal/helm/chart`.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use serde_json::json;

use crate::api::{Artifact, HelmChartSpec, HelmRepositorySpec};
use crate::cluster::Json;
use crate::source::index::{self, ChartVersion};
use crate::source::repository::RepositoryChart;
use crate::source::{self, Context, Digest, OciRef, Reference, obtain, obtain_from};

use super::super::index::Key;
use super::super::origin::{AUTHOR, COMMIT};
use super::chart_build::{self, Built, Request};
use super::helm_repository;
use super::manager::World;
use super::object::{Fault, Found, Subject};
use super::store::Store;

/// Marks in an artifact what the chart is made of, apart from its version: so that a commit that changes nothing of it makes no new chart.
const CONTENT: &str = "pintle.dev/content-digest";

const PULL: &str = "ChartPullError";
const REFERENCE: &str = "InvalidChartReference";

pub async fn fetch(world: &World, subject: &Subject) -> Result<Found, Fault> {
    let spec: HelmChartSpec = subject.spec()?;
    let key = Key::new(&spec.source_ref.kind, subject.namespace(), &spec.source_ref.name);
    let Some(source) = world.index.get(&key) else {
        let message =
            format!("failed to get source: {}.source.toolkit.fluxcd.io \"{}\" not found", plural(&key.kind), key.name);
        return Err(Fault::fetch("SourceUnavailable", message));
    };
    if key.kind == "HelmRepository" {
        let repository: HelmRepositorySpec = serde_json::from_value(source.get("spec").cloned().unwrap_or_default())
            .map_err(|e| Fault::fetch("SourceUnavailable", e.to_string()))?;
        return match repository.is_oci() {
            true => from_registry(world, subject, &spec, &repository).await,
            false => from_index(world, subject, &spec, &repository, &artifact_of(&key, &source)?).await,
        };
    }
    from_files(world, subject, &spec, &artifact_of(&key, &source)?).await
}

fn plural(kind: &str) -> &'static str {
    match kind {
        "HelmRepository" => "helmrepositories",
        "GitRepository" => "gitrepositories",
        _ => "buckets",
    }
}

fn artifact_of(key: &Key, source: &Json) -> Result<Artifact, Fault> {
    let artifact = source.pointer("/status/artifact").filter(|a| !a.is_null());
    artifact.and_then(|a| serde_json::from_value(a.clone()).ok()).ok_or_else(|| {
        let message = format!("no artifact available for {} source '{}'", key.kind, key.name);
        Fault::fetch("NoSourceArtifact", message)
    })
}

/// What the artifact of a finished chart says of it.
fn version_of(artifact: &Artifact) -> &str {
    &artifact.revision
}

/// The values files count as given unless they are the chart's own file alone.
fn merges(spec: &HelmChartSpec) -> bool {
    !spec.values_files.is_empty() && spec.values_files != ["values.yaml"]
}

async fn from_index(
    world: &World,
    subject: &Subject,
    spec: &HelmChartSpec,
    repository: &HelmRepositorySpec,
    artifact: &Artifact,
) -> Result<Found, Fault> {
    let failed = |why: String| Fault::build(REFERENCE, format!("invalid chart reference: {why}")).for_good();
    let versions = versions(world, artifact, &spec.chart).await?;
    if versions.is_empty() {
        let text =
            format!("failed to get chart version for remote reference: no '{}' chart found in the index", spec.chart);
        return Err(Fault::build(REFERENCE, format!("invalid chart reference: {text}")));
    }
    let wanted = Some(spec.version.as_str()).filter(|v| !v.is_empty());
    let chosen = index::choose(&versions, &spec.chart, wanted).map(|c| c.version.clone());
    let entry = match chosen {
        Ok(entry) => entry,
        // Another version may be published at any time.
        Err(e) if e.starts_with("no chart version") => {
            let text = format!(
                "failed to get chart version for remote reference: no '{}' chart with version matching '{}' found",
                spec.chart, spec.version
            );
            return Err(Fault::build(REFERENCE, format!("invalid chart reference: {text}")));
        }
        Err(e) => return Err(failed(e)),
    };
    let options = helm_repository::options(world, subject.namespace(), repository).await?;
    let own = index::Repository {
        url: repository.url.clone(),
        credentials: options.credentials.clone(),
        tls: options.tls.clone(),
        pass_credentials: options.pass_credentials,
    };
    let context = world.context.with(source::Options { max_artifact: world.options.max_chart, ..options });
    let version = with_metadata(&entry.version, &metadata(spec, subject, None));
    if let Some(found) = unchanged(subject, spec, &version, &artifact.revision) {
        return Ok(found);
    }
    let pulled = pull_entry(&context, &own, spec, &entry).await;
    let bytes = pulled.map_err(|e| {
        Fault::build(PULL, format!("chart pull error: failed to download chart for remote reference: {e}"))
    })?;
    finish_remote(world, subject, spec, &artifact.revision, bytes).await
}

async fn pull_entry(
    context: &Context,
    repository: &index::Repository,
    spec: &HelmChartSpec,
    entry: &ChartVersion,
) -> Result<Arc<[u8]>, source::SourceError> {
    let chart = RepositoryChart::of_entry(context, repository, &spec.chart, entry)?;
    let name = format!("{} {} of {}", spec.chart, entry.version, source::redacted(&repository.url));
    let key = format!("chart {} {} {}", repository.url, spec.chart, entry.version);
    Ok(obtain_from(&chart, &key, &name, context).await?.bytes)
}

async fn from_registry(
    world: &World,
    subject: &Subject,
    spec: &HelmChartSpec,
    repository: &HelmRepositorySpec,
) -> Result<Found, Fault> {
    let mut options = helm_repository::options(world, subject.namespace(), repository).await?;
    options.max_artifact = world.options.max_chart;
    if let Some(verify) = &spec.verify {
        let namespace = subject.namespace();
        let signers =
            world.signers(namespace, &verify.provider, verify.secret_ref.as_ref(), &verify.match_oidc_identity);
        options.verify = signers.await.map_err(|why| why.of(Fault::build, "ChartVerificationError"))?;
    }
    let verifies = options.verify.signatures();
    let context = world.context.with(options);
    let rest = repository.url.strip_prefix("oci://").unwrap_or(&repository.url);
    let (registry, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut name = path.trim_end_matches('/').to_owned();
    if !name.is_empty() {
        name.push('/');
    }
    let reference = OciRef {
        registry: registry.into(),
        repository: name + &spec.chart,
        version: Some(spec.version.clone()).filter(|v| !v.is_empty() && v != "*"),
        ..OciRef::default()
    };
    let fetched = obtain(&Reference::Oci(reference), &context).await.map_err(|e| match e.reason {
        source::Reason::Unverified => Fault::build("ChartVerificationError", format!("chart verification error: {e}")),
        _ => Fault::build(PULL, format!("chart pull error: {e}")),
    })?;
    let revision = fetched.provenance.revision.clone();
    let by = fetched.provenance.verifications.iter().map(|v| format!("{} ({})", v.by, v.method)).collect::<Vec<_>>();
    let mut found = finish_remote(world, subject, spec, &revision, fetched.bytes).await?;
    if verifies {
        found.verified = Some(format!(
            "verified signature of version {}: {}",
            found.artifact.as_ref().map_or("", version_of),
            by.join(", ")
        ));
    }
    Ok(found)
}

/// A packed chart becomes the artifact, with values files merged in where the spec says so.
async fn finish_remote(
    world: &World,
    subject: &Subject,
    spec: &HelmChartSpec,
    revision: &str,
    bytes: Arc<[u8]>,
) -> Result<Found, Fault> {
    let request = Request {
        values_files: if merges(spec) { spec.values_files.clone() } else { Vec::new() },
        ignore_missing: spec.ignore_missing_values_files,
        metadata: metadata(spec, subject, None),
    };
    let built = tokio::task::spawn_blocking(move || chart_build::remote(&bytes, &request)).await;
    let built = built.map_err(|e| Fault::build(PULL, e.to_string()))??;
    finish(world, subject, spec, revision, BTreeMap::new(), built)
}

async fn from_files(
    world: &World,
    subject: &Subject,
    spec: &HelmChartSpec,
    artifact: &Artifact,
) -> Result<Found, Fault> {
    let by_revision = spec.reconcile_strategy == "Revision";
    let same_source =
        subject.status("observedSourceArtifactRevision").and_then(Json::as_str) == Some(&artifact.revision);
    if same_source
        && subject.observed()
        && let Some(own) = &subject.artifact
    {
        return Ok(describe(subject, spec, own.clone(), &artifact.revision, None));
    }
    let bytes = world.store.read(&artifact.path, 1 << 30);
    let bytes =
        bytes.map_err(|e| Fault::fetch("NoSourceArtifact", format!("the source's artifact can't be read: {e}")))?;
    let request = Request {
        values_files: spec.values_files.clone(),
        ignore_missing: spec.ignore_missing_values_files,
        metadata: metadata(spec, subject, by_revision.then_some(&artifact.revision)),
    };
    let built = chart_build::local(world, &bytes, &spec.chart, &request).await?;
    let own = subject.artifact.as_ref().filter(|_| subject.observed());
    if let Some(own) = own {
        // Flux makes a chart of every commit with `Revision`; here only of those that change it.
        let same = |a: &Artifact| a.metadata.get(CONTENT) == Some(&built.content);
        let kept = if by_revision { !world.options.compat_flux && same(own) } else { own.has_revision(&built.version) };
        if kept {
            return Ok(describe(subject, spec, own.clone(), &artifact.revision, Some(&built)));
        }
    }
    // Whose work it is, and of which commit: later ones may leave the chart as it is.
    let mut by = BTreeMap::new();
    if let Some(author) = artifact.metadata.get(AUTHOR) {
        by.insert(AUTHOR.to_owned(), author.clone());
        by.insert(COMMIT.to_owned(), artifact.revision.clone());
    }
    finish(world, subject, spec, &artifact.revision, by, built)
}

/// Stores what was built.
fn finish(
    world: &World,
    subject: &Subject,
    spec: &HelmChartSpec,
    revision: &str,
    mut metadata: BTreeMap<String, String>,
    built: Built,
) -> Result<Found, Fault> {
    let unchanged = subject.artifact.as_ref().filter(|a| {
        subject.observed() && a.has_revision(&built.version) && a.digest == Digest::of(&built.bytes).to_string()
    });
    if let Some(own) = unchanged {
        return Ok(describe(subject, spec, own.clone(), revision, Some(&built)));
    }
    let key = &subject.key;
    let path = Store::path(&key.kind, &key.namespace, &key.name, &format!("{}-{}.tgz", built.name, built.version));
    let stored = world.store.put(&path, &built.bytes).map_err(|e| Fault::disk(&e))?;
    let link = world.store.link(&path, "latest.tar.gz").ok();
    if !built.content.is_empty() {
        metadata.insert(CONTENT.to_owned(), built.content.clone());
    }
    let artifact = subject.artifact_of(world, &path, &built.version, &stored, metadata);
    Ok(Found { url: link, ..describe(subject, spec, artifact, revision, Some(&built)) })
}

/// Ready's words, and the status's fields.
fn describe(
    subject: &Subject,
    spec: &HelmChartSpec,
    artifact: Artifact,
    revision: &str,
    built: Option<&Built>,
) -> Found {
    let observed = |field: &str| subject.status(field).and_then(Json::as_str).unwrap_or_default().to_owned();
    let name = built.map_or_else(|| observed("observedChartName"), |b| b.name.clone());
    let version = &artifact.revision;
    let packaged = built.map_or_else(|| spec.source_ref.kind != "HelmRepository" || merges(spec), |b| b.packaged);
    let (reason, mut message) = match packaged {
        true => ("ChartPackageSucceeded", format!("packaged '{name}' chart with version '{version}'")),
        false => ("ChartPullSucceeded", format!("pulled '{name}' chart with version '{version}'")),
    };
    let merged = built.map_or_else(|| spec.values_files.clone(), |b| b.values_files.clone());
    if !merged.is_empty() {
        message += &format!(" and merged values files [{}]", merged.join(", "));
    }
    let files = if spec.ignore_missing_values_files && !merged.is_empty() { json!(merged) } else { Json::Null };
    Found {
        artifact: Some(artifact),
        reason,
        message,
        fields: vec![
            ("observedSourceArtifactRevision", json!(revision)),
            ("observedChartName", json!(name)),
            ("observedValuesFiles", files),
        ],
        ..Found::default()
    }
}

/// A chart of this version is there already, for this spec.
fn unchanged(subject: &Subject, spec: &HelmChartSpec, version: &str, revision: &str) -> Option<Found> {
    let own = subject.current(version)?;
    Some(describe(subject, spec, own, revision, None))
}

/// What is put behind the version, so that other content is another version: twelve letters of the source's revision, the generation.
fn metadata(spec: &HelmChartSpec, subject: &Subject, revision: Option<&String>) -> String {
    let mut parts = Vec::new();
    if let Some(revision) = revision {
        let digest = revision.rsplit(':').next().unwrap_or_default();
        parts.push(digest.chars().take(12).collect::<String>());
    }
    if merges(spec) || (revision.is_some() && !spec.values_files.is_empty()) {
        parts.push(subject.generation.to_string());
    }
    // Without the strategy, files of a source that are merged are not marked: there the chart's version alone decides.
    if revision.is_none() && spec.source_ref.kind != "HelmRepository" {
        parts.clear();
    }
    parts.join(".")
}

pub fn with_metadata(version: &str, metadata: &str) -> String {
    if metadata.is_empty() {
        return version.to_owned();
    }
    format!("{}+{metadata}", version.split('+').next().unwrap_or(version))
}

/// A chart's versions in a stored index.
async fn versions(world: &World, artifact: &Artifact, chart: &str) -> Result<Arc<Vec<ChartVersion>>, Fault> {
    /// Charts whose versions are remembered.
    const MOST: usize = 4096;
    let key = (artifact.digest.clone(), chart.to_owned());
    if let Some(known) = world.versions.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Ok(known.clone());
    }
    let (store, path, name) = (world.store.clone(), artifact.path.clone(), chart.to_owned());
    let limit = world.options.max_index;
    let read = tokio::task::spawn_blocking(move || {
        let bytes = store.read(&path, limit).map_err(|e| e.to_string())?;
        index::read(&bytes, index::Charts::Named(&[&name]))
            .map(|mut found| found.remove(&name).unwrap_or_default())
            .map_err(|e| e.to_string())
    });
    let read = read.await.map_err(|e| e.to_string()).and_then(|r| r);
    let versions = Arc::new(
        read.map_err(|e| Fault::fetch("NoSourceArtifact", format!("the repository's index can't be read: {e}")))?,
    );
    let mut known = world.versions.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= MOST {
        known.clear();
    }
    known.insert(key, versions.clone());
    Ok(versions)
}
