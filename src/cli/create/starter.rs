//! `pintle create NAME --starter`: a chart made of another one, with the new name wherever that has `<CHARTNAME>`.
//!
//! Templates and values.yaml are searched for it; other files are taken as they are, subcharts become archives, and Chart.yaml is a new
//! one. Helm takes any name here. Source: Helm 4.3 `CreateFrom` of `pkg/chart/v2/util/create.go`, `SaveDir` of `save.go`.

use std::path::{Path, PathBuf};

use super::{NAME, check_place, write};
use crate::chart::{API_VERSION_V2, Chart, Metadata, Nulls, data, directory, package};
use crate::cli::output::Streams;
use crate::cli::{Failure, helm_env};
use crate::golang::path;
use crate::value::{Heap, Value};
use crate::yaml;

/// Makes the chart from a starter, which is named by its folder among Helm's starters or by a whole path.
pub fn create(given: &str, name: &str, starter: &str, io: &mut Streams<'_>) -> Result<(), Failure> {
    let source = match Path::new(starter).is_absolute() {
        true => starter.to_owned(),
        false => joined(&[&helm_env::data_home(), "starters", starter]),
    };
    let mut log = Vec::new();
    let loaded = directory::load_unchecked(Path::new(&source), &mut log);
    log.iter().for_each(|line| io.log(line));
    let chart = loaded.map_err(|e| format!("could not load {source}: {}", e.message))?;
    values_stay_values(&chart, name)?;
    check_place(name)?;
    let files = files(&chart, name)?;
    let parent = String::from_utf8_lossy(&path::dir(given.as_bytes())).into_owned();
    write(&PathBuf::from(joined(&[&parent, name])), &files)
}

fn joined(parts: &[&str]) -> String {
    String::from_utf8_lossy(&path::join(parts)).into_owned()
}

/// A text with the chart's name in it.
fn named(text: &[u8], name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest, NAME.as_bytes()) {
        let (before, behind) = rest.split_at(at);
        out.extend_from_slice(before);
        out.extend_from_slice(name.as_bytes());
        rest = behind.get(NAME.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// Helm puts the name into the values, too, and reads them again; it makes nothing of them then.
fn values_stay_values(chart: &Chart, name: &str) -> Result<(), Failure> {
    let mut heap = Heap::new();
    let Some(values) = &chart.values else { return Ok(()) };
    let values = data::table_to_map(&mut heap, values);
    let text = yaml::marshal(&mut heap, &Value::Map(values)).map_err(|e| format!("reading values file: {e}"))?;
    yaml::to_map(&mut heap, &named(&text, name)).map_err(|e| format!("transforming values file: {e}"))?;
    Ok(())
}

/// What the new chart has, its archives of subcharts last.
fn files(chart: &Chart, name: &str) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let metadata = Metadata {
        name: name.into(),
        description: "A Helm chart for Kubernetes".into(),
        chart_type: "application".into(),
        version: "0.1.0".into(),
        app_version: "0.1.0".into(),
        api_version: API_VERSION_V2.into(),
        ..Metadata::default()
    };
    let mut heap = Heap::new();
    let metadata = metadata.to_json(&mut heap);
    let mut out = vec![("Chart.yaml".to_owned(), yaml::marshal(&mut heap, &Value::Map(metadata))?)];
    let values = chart.raw.iter().filter(|f| f.name == "values.yaml");
    out.extend(values.map(|f| (f.name.clone(), named(&f.data, name))));
    out.extend(chart.schema.iter().map(|schema| ("values.schema.json".to_owned(), schema.to_vec())));
    out.extend(chart.templates.iter().map(|f| (f.name.clone(), named(&f.data, name))));
    out.extend(chart.files.iter().map(|f| (f.name.clone(), f.data.to_vec())));
    let time = crate::cli::package::epoch()?;
    for dependency in &chart.dependencies {
        let failed = |e: String| format!("saving {name}/charts/{}: {e}", dependency.name());
        let mut metadata = dependency.metadata.clone();
        metadata.validate(Nulls::default()).map_err(|e| failed(format!("chart validation: {e}")))?;
        let archive = package::archive(dependency, time).map_err(failed)?;
        out.push((format!("charts/{}-{}.tgz", dependency.name(), metadata.version), archive));
    }
    Ok(out)
}
