//! From files to a chart with its subcharts.
//!
//! Source: Helm 4.3 `pkg/chart/v2/loader/load.go` and `pkg/chart/loader/load.go`. Helm goes through the subcharts of `charts/` in
//! random order; here they come in byte order of their directory or archive names.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::LogLine;

use super::limits::{Budget, CHART_COST, FILE_COST, MAX_CHART_DEPTH, MAX_CHART_SIZE};
use super::metadata::{API_VERSION_V1, API_VERSION_V2, Metadata, Nulls};
use super::{Chart, File, Shared, Table, archive, decode, values_file};

/// Somebody who works ahead: is shown files as soon as they were come by, while others are still unpacked, and may have read one before
/// it is wanted.
pub trait Early {
    /// A file of the chart, its path relative to the chart.
    fn file(&mut self, _file: &File) {}

    /// What [`values_file::read`] makes of a `values.yaml` that was shown, if that was done already.
    fn values(&mut self, _text: &Arc<[u8]>) -> Option<Result<Table, String>> {
        None
    }
}

/// Nobody.
impl Early for () {}

/// Why a chart could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LoadError {
    /// Helm's text.
    pub message: String,
    /// What Helm knows but does not say.
    pub detail: Option<String>,
}

impl From<String> for LoadError {
    fn from(message: String) -> Self {
        Self { message, detail: None }
    }
}
impl From<&str> for LoadError {
    fn from(message: &str) -> Self {
        message.to_string().into()
    }
}

/// Loads a packaged chart as `helm template FILE` does. `name` is the path as the user gave it; `log` receives Helm's log lines.
///
/// # Errors
/// Helm's text; for archives that cannot be unpacked Helm says only `unable to load chart archive`, and the reason is the detail.
pub fn archive_file(name: &str, bytes: &[u8], log: &mut Vec<LogLine>) -> Result<Chart, LoadError> {
    archive::ensure(name, bytes).map_err(|e| e.0)?;
    unpacked(name, archive::read(bytes), log, &mut ())
}

/// As [`archive_file`], for who only renders: what rendering does not read by itself is unpacked when it is asked for.
///
/// # Errors
/// As [`archive_file`]'s.
pub fn archive_file_to_render(
    name: &str,
    bytes: &Shared,
    log: &mut Vec<LogLine>,
    early: &mut dyn Early,
) -> Result<Chart, LoadError> {
    archive::ensure(name, (**bytes).as_ref()).map_err(|e| e.0)?;
    let files = archive::read_to_render(bytes, &mut |file| early.file(file));
    unpacked(name, files, log, early)
}

fn unpacked(
    name: &str,
    files: Result<Vec<File>, archive::ArchiveError>,
    log: &mut Vec<LogLine>,
    early: &mut dyn Early,
) -> Result<Chart, LoadError> {
    let files = files.map_err(|e| {
        if e.0 == archive::NOT_GZIP {
            LoadError::from(format!("file '{name}' does not appear to be a valid chart file (details: {e})"))
        } else {
            LoadError { message: "unable to load chart archive".into(), detail: Some(e.0) }
        }
    })?;
    detected(files, log, early).map_err(|e| wrap_invalid_header(name, e))
}

/// Helm takes an archive in `charts/` that is no gzip for the whole file's fault.
fn wrap_invalid_header(name: &str, e: LoadError) -> LoadError {
    if e.message.ends_with(archive::NOT_GZIP) {
        return format!("file '{name}' does not appear to be a valid chart file (details: {e})").into();
    }
    e
}

/// Loads a packaged chart without looking at its API version first.
///
/// # Errors
/// Helm's text.
pub fn archive_unchecked(name: &str, bytes: &[u8], log: &mut Vec<LogLine>) -> Result<Chart, LoadError> {
    archive::ensure(name, bytes).map_err(|e| e.0)?;
    let unpacked = archive::read(bytes).map_err(|e| match e.0.as_str() {
        archive::NOT_GZIP => format!("file '{name}' does not appear to be a valid chart file (details: {e})"),
        _ => e.0,
    })?;
    files(unpacked, log).map_err(|e| wrap_invalid_header(name, e.into()))
}

/// Loads a packaged chart from memory, as Flux does.
///
/// # Errors
/// Helm's text, with the reason: `unable to load chart archive: …`.
pub fn archive_bytes(bytes: &[u8], log: &mut Vec<LogLine>) -> Result<Chart, LoadError> {
    let files = archive::read(bytes).map_err(|e| {
        if e.0 == archive::NOT_GZIP {
            format!("stream does not appear to be a valid chart file (details: {e})")
        } else {
            format!("unable to load chart archive: {e}")
        }
    })?;
    detected(files, log, &mut ())
}

/// Looks at the first Chart.yaml's `apiVersion`, then loads.
fn detected(files: Vec<File>, log: &mut Vec<LogLine>, early: &mut dyn Early) -> Result<Chart, LoadError> {
    let Some(chart_yaml) = files.iter().find(|f| f.name == "Chart.yaml") else {
        return Err("unable to detect chart version, no Chart.yaml found".into());
    };
    check_api_version(&chart_yaml.data)?;
    Ok(files_at(files, log, &mut Budget::default(), early)?)
}

/// Refuses the versions that Helm's releases refuse. An empty one means `v1`.
pub fn check_api_version(chart_yaml: &[u8]) -> Result<(), String> {
    let version = decode::api_version(chart_yaml).map_err(|e| format!("cannot load Chart.yaml: {e}"))?;
    match version.as_str() {
        "" | API_VERSION_V1 | API_VERSION_V2 => Ok(()),
        // Helm 4.3 reads these experimental charts, and then no action takes them.
        "v3" => Err("invalid chart apiVersion".into()),
        _ => Err("unsupported chart version".into()),
    }
}

/// Makes a chart of its files, their paths relative to the chart.
///
/// # Errors
/// Helm's text: `Chart.yaml file is missing`, `cannot load Chart.yaml: …`, `validation: …`, `error unpacking subchart …`.
pub fn files(files: Vec<File>, log: &mut Vec<LogLine>) -> Result<Chart, String> {
    files_at(files, log, &mut Budget::default(), &mut ())
}

/// As [`files`], with somebody who was shown them.
pub(super) fn files_early(files: Vec<File>, log: &mut Vec<LogLine>, early: &mut dyn Early) -> Result<Chart, String> {
    files_at(files, log, &mut Budget::default(), early)
}

/// A chart while its files are sorted into it.
#[derive(Default)]
struct Loading {
    chart: Chart,
    nulls: Nulls,
    has_metadata: bool,
    /// What lies in `charts/`, by the first part of the path.
    subcharts: BTreeMap<String, Vec<File>>,
}

fn files_at(
    files: Vec<File>,
    log: &mut Vec<LogLine>,
    budget: &mut Budget,
    early: &mut dyn Early,
) -> Result<Chart, String> {
    let mut l = Loading::default();
    l.chart.metadata.dependencies_nil = true;
    for f in files.iter().filter(|f| f.name == "Chart.yaml") {
        l.has_metadata = true;
        let m = &mut l.chart.metadata;
        decode::metadata_into(&f.data, m, &mut l.nulls).map_err(|e| format!("cannot load Chart.yaml: {e}"))?;
        if m.api_version.is_empty() {
            m.api_version = API_VERSION_V1.into();
        }
        l.chart.modified = f.modified;
    }
    l.chart.raw = files.clone();
    for f in files {
        l.take(f, log, early)?;
    }
    if !l.has_metadata {
        return Err("Chart.yaml file is missing".into());
    }
    l.chart.metadata.validate(l.nulls)?;
    let Loading { mut chart, subcharts, .. } = l;
    for (name, files) in subcharts {
        if name.starts_with(['_', '.']) {
            continue;
        }
        let parent = chart.name().to_string();
        let sub = subchart(&name, &parent, files, log, budget, early)?;
        chart.dependencies.push(sub);
    }
    Ok(chart)
}

impl Loading {
    fn take(&mut self, f: File, log: &mut Vec<LogLine>, early: &mut dyn Early) -> Result<(), String> {
        let chart = &mut self.chart;
        let is_v1 = |m: &Metadata| m.api_version == API_VERSION_V1;
        match f.name.as_str() {
            "Chart.yaml" => {}
            "Chart.lock" => {
                chart.lock = decode::lock(&f.data).map_err(|e| format!("cannot load Chart.lock: {e}"))?;
            }
            "values.yaml" => {
                let values = early.values(f.data.shared()).unwrap_or_else(|| values_file::read(&f.data));
                let values = values.map_err(|e| format!("cannot load values.yaml: {e}"))?;
                chart.values = Some(Arc::new(values));
            }
            "values.schema.json" => {
                chart.schema = Some(f.data.shared().clone());
                chart.schema_modified = f.modified;
            }
            "requirements.yaml" => {
                self.has_metadata = true;
                if !is_v1(&chart.metadata) {
                    log.push(LogLine::info(
                        "Warning: Dependencies are handled in Chart.yaml since apiVersion \"v2\". \
                         We recommend migrating dependencies to Chart.yaml.",
                    ));
                }
                decode::metadata_into(&f.data, &mut chart.metadata, &mut self.nulls)
                    .map_err(|e| format!("cannot load requirements.yaml: {e}"))?;
                if is_v1(&chart.metadata) {
                    chart.files.push(f);
                }
            }
            "requirements.lock" => {
                chart.lock = decode::lock(&f.data).map_err(|e| format!("cannot load requirements.lock: {e}"))?;
                self.has_metadata = true;
                if is_v1(&chart.metadata) {
                    chart.files.push(f);
                } else {
                    log.push(LogLine::info(
                        "Warning: Dependency locking is handled in Chart.lock since apiVersion \"v2\". \
                         We recommend migrating to Chart.lock.",
                    ));
                }
            }
            name if name.starts_with("templates/") => chart.templates.push(f),
            name if name.starts_with("charts/") => {
                if name.ends_with(".prov") {
                    chart.files.push(f);
                } else {
                    let inner = &name["charts/".len()..];
                    let sub = inner.split('/').next().unwrap_or_default().to_string();
                    let inner = inner.to_string();
                    self.subcharts.entry(sub).or_default().push(File { name: inner, ..f });
                }
            }
            _ => chart.files.push(f),
        }
        Ok(())
    }
}

fn subchart(
    name: &str,
    parent: &str,
    files: Vec<File>,
    log: &mut Vec<LogLine>,
    budget: &mut Budget,
    early: &mut dyn Early,
) -> Result<Chart, String> {
    budget.depth += 1;
    let loaded = if budget.depth > MAX_CHART_DEPTH {
        Err(format!("charts are nested more than {MAX_CHART_DEPTH} deep"))
    } else if name.ends_with(".tgz") {
        let first = files.first().map(|f| (f.name.clone(), f.data.clone())).unwrap_or_default();
        if first.0 != name {
            let found = first.0;
            return Err(format!("error unpacking subchart tar in {parent}: expected {name}, got {found}"));
        }
        unpack(&first.1, budget).and_then(|files| files_at(files, log, budget, early))
    } else {
        // What lies in charts/ itself without being a chart has no second part and is left out.
        let inner = files.into_iter().filter_map(|f| {
            let (_, rest) = f.name.split_once('/')?;
            Some(File { name: rest.to_string(), ..f })
        });
        files_at(inner.collect(), log, budget, early)
    };
    budget.depth -= 1;
    loaded.map_err(|e| format!("error unpacking subchart {name} in {parent}: {e}"))
}

/// Unpacks an archive that lies within a chart; all of them share one budget.
fn unpack(bytes: &[u8], budget: &mut Budget) -> Result<Vec<File>, String> {
    let files = archive::read_limited(bytes, MAX_CHART_SIZE.min(budget.nested), &mut |_| {}).map_err(|e| e.0)?;
    // Very many very small charts fill the memory as well as large ones.
    let size: u64 = files.iter().map(|f| f.data.len() as u64 + FILE_COST).sum::<u64>() + CHART_COST;
    budget.nested = budget.nested.saturating_sub(size);
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHART: &str = "apiVersion: v2\nname: x\nversion: 1.0.0\n";

    fn load(list: &[(&str, &str)]) -> Result<Chart, String> {
        let file =
            |(name, text): &(&str, &str)| File { name: (*name).into(), data: text.as_bytes().into(), modified: None };
        files(list.iter().map(file).collect(), &mut Vec::new())
    }

    #[test]
    fn chart_yaml_is_read_as_helm_reads_it() {
        let of = |more: &str| load(&[("Chart.yaml", &format!("{CHART}{more}"))]).map(|c| c.metadata);
        for (more, want) in [
            ("appVersion: 1.20", "1.2"),
            ("appVersion: 100000000", "100000000"),
            ("appVersion: 1e8", "1e+08"),
            ("appVersion: 1.123456789", "1.1234568"),
            ("appVersion: 0x1F", "31"),
            ("appVersion: 2020-01-01", "2020-01-01"),
            ("appVersion: true", "true"),
            ("appVersion: .inf", "+Inf"),
            ("appVersion: .nan", "NaN"),
            ("appVersion: ~", ""),
            ("APPVERSION: zz", "zz"),
            (r#"appVersion: "a\nb\u200bc\u00a0d""#, "a bc d"),
        ] {
            assert_eq!(of(more).unwrap().app_version, want, "{more}");
        }
        let texts =
            of("keywords: [-.inf, 1e3]\nannotations: {a: .nan}\ndependencies: [{name: a, tags: [.inf]}]").unwrap();
        assert_eq!(texts.keywords, ["-Inf", "1000"]);
        assert_eq!(texts.annotations.unwrap()["a"], "NaN");
        assert_eq!(texts.dependencies[0].tags, ["+Inf"]);
        // Elsewhere such a number is an error, and the first one: before what does not fit the fields.
        for (more, want) in [
            ("foo: .inf", "+Inf"),
            ("appVersion: .inf\nfoo: {b: .nan, a: [-.inf]}", "-Inf"),
            ("deprecated: .nan", "NaN"),
            ("appVersion: []\nkeywords: {a: .inf}", "+Inf"),
            ("dependencies: [{name: a, import-values: [.inf]}]", "+Inf"),
        ] {
            let want =
                format!("cannot load Chart.yaml: error converting YAML to JSON: json: unsupported value: {want}");
            assert_eq!(of(more).unwrap_err(), want, "{more}");
        }
        let json = "cannot load Chart.yaml: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal";
        for (more, want) in [
            ("appVersion: []", format!("{json} array into Go struct field Metadata.appVersion of type string")),
            ("keywords: a", format!("{json} string into Go struct field Metadata.keywords of type []string")),
            (
                "maintainers: [x]",
                format!("{json} string into Go struct field Metadata.maintainers of type v2.Maintainer"),
            ),
            (
                "maintainers: [{name: [a]}]",
                format!("{json} array into Go struct field Maintainer.maintainers.name of type string"),
            ),
            (
                "dependencies: {}",
                format!("{json} object into Go struct field Metadata.dependencies of type []*v2.Dependency"),
            ),
            ("deprecated: 1", format!("{json} number into Go struct field Metadata.deprecated of type bool")),
            ("maintainers: [null]", "validation: maintainers must not contain empty or null nodes".into()),
            ("dependencies: [null]", "validation: dependencies must not contain empty or null nodes".into()),
            (
                "dependencies: [{name: a}, {name: a}]",
                r#"validation: more than one dependency with name or alias "a""#.into(),
            ),
            (
                "dependencies: [{name: a, alias: b c}]",
                r#"validation: dependency "a" has disallowed characters in the alias"#.into(),
            ),
            ("type: foo", "validation: chart.metadata.type must be application or library".into()),
        ] {
            assert_eq!(of(more).unwrap_err(), want, "{more}");
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        for (text, want) in [
            ("", "validation: chart.metadata.name is required"),
            ("name: x", "validation: chart.metadata.version is required"),
            ("name: a/b\nversion: 1.0.0", r#"validation: chart.metadata.name "a/b" is invalid"#),
            ("name: ..\nversion: 1.0.0", r#"validation: chart.metadata.name ".." is not allowed"#),
            ("name: x\nversion: abc", r#"validation: chart.metadata.version "abc" is invalid"#),
        ] {
            assert_eq!(load(&[("Chart.yaml", text)]).unwrap_err(), want, "{text}");
        }
        assert_eq!(load(&[("values.yaml", "a: 1")]).unwrap_err(), "Chart.yaml file is missing");
        assert_eq!(
            load(&[("Chart.yaml", CHART), ("values.yaml", "[1]")]).unwrap_err(),
            "cannot load values.yaml: cannot unmarshal yaml document: error unmarshaling JSON: while decoding JSON: \
             json: cannot unmarshal array into Go value of type map[string]interface {}"
        );
        assert_eq!(
            load(&[("Chart.yaml", CHART), ("Chart.lock", "generated: 2020-01-01")]).unwrap_err(),
            "cannot load Chart.lock: error unmarshaling JSON: while decoding JSON: \
             parsing time \"2020-01-01\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"\" as \"T\""
        );
    }

    #[test]
    fn files_find_their_places() {
        let sub = CHART.replace("x", "s");
        let c = load(&[
            ("Chart.yaml", CHART),
            ("templates/a.yaml", ""),
            ("crds/b.yaml", ""),
            ("README.md", ""),
            ("charts/README.md", "x"),
            ("charts/s.tgz.prov", "x"),
            ("charts/_off/Chart.yaml", "bad"),
            ("charts/.off/Chart.yaml", "bad"),
            ("charts/s/Chart.yaml", &sub),
            ("charts/s/crds/c.JSON", ""),
        ]);
        // A plain file in charts/ is a chart without Chart.yaml.
        assert_eq!(c.unwrap_err(), "error unpacking subchart README.md in x: Chart.yaml file is missing");
        let c = load(&[
            ("Chart.yaml", CHART),
            ("templates/a.yaml", ""),
            ("crds/b.yaml", ""),
            ("charts/s.tgz.prov", "x"),
            ("charts/_off/Chart.yaml", "bad"),
            ("charts/s/Chart.yaml", &sub),
            ("charts/s/crds/c.JSON", ""),
        ])
        .unwrap();
        let names = |files: &[File]| files.iter().map(|f| f.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&c.templates), ["templates/a.yaml"]);
        assert_eq!(names(&c.files), ["crds/b.yaml", "charts/s.tgz.prov"]);
        let crds: Vec<String> = c.crds().into_iter().map(|c| c.path).collect();
        assert_eq!(crds, ["x/crds/b.yaml", "x/charts/s/crds/c.JSON"]);
    }

    #[test]
    fn requirements_of_old_charts_are_dependencies() {
        let v1 = CHART.replace("v2", "v1");
        let c =
            load(&[("Chart.yaml", &v1), ("requirements.yaml", "dependencies:\n- name: a\n  version: 1\n")]).unwrap();
        assert_eq!(c.metadata.dependencies[0].version, "1");
        assert_eq!(c.files[0].name, "requirements.yaml");
        let mut log = Vec::new();
        let file = |name: &str, text: &str| File { name: name.into(), data: text.as_bytes().into(), modified: None };
        let c =
            files(vec![file("Chart.yaml", CHART), file("requirements.yaml", "dependencies: []")], &mut log).unwrap();
        assert!(c.files.is_empty() && !c.metadata.dependencies_nil);
        assert!(log[0].message.starts_with("Warning: Dependencies are handled in Chart.yaml since apiVersion \"v2\"."));
    }
}
