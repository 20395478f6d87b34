//! Chart.yaml. Source: Helm 4.3 `pkg/chart/v2/lint/rules/chartfile.go`.

use crate::chart::{API_VERSION_V1, API_VERSION_V2, Metadata, Nulls, chartfile, check_strictly, directory};
use crate::golang::semver::Version;
use crate::golang::semver_constraint::Constraint;
use crate::golang::{errno, path, strconv};
use crate::value::{Heap, Value};
use crate::yaml;

use super::address::{is_email, is_request_url, is_url};
use super::{Linter, Severity};

const FILE: &str = "Chart.yaml";

pub(super) fn lint(linter: &mut Linter<'_>) {
    let shown = linter.path(FILE);
    if std::fs::metadata(&shown).is_ok_and(|m| m.is_dir()) {
        linter.error(FILE, Err("should be a file, not a directory".into()));
    }
    let text = directory::read_file(&shown).map_err(|e| errno::read_error(&shown, &e));
    let read = text.and_then(|text| chartfile(&text).map(|(metadata, nulls)| (text, metadata, nulls)));
    let (text, metadata, nulls) = match read {
        Ok(read) => read,
        Err(e) => {
            linter.error(FILE, Err(format!("unable to parse YAML\n\t{e}")));
            return;
        }
    };
    let m = &metadata;
    let strict = check_strictly(&text).map_err(|e| format!("failed to strictly parse chart metadata file\n\t{e}"));
    linter.warning(FILE, strict);
    linter.error(FILE, name(m));
    linter.error(FILE, api_version(m));
    linter.error(FILE, is_text(&text, "version"));
    linter.error(FILE, version(m));
    linter.error(FILE, is_text(&text, "appVersion"));
    linter.error(FILE, maintainers(m, nulls));
    linter.error(FILE, sources(m));
    let icon = if m.icon.is_empty() { Err("icon is recommended".into()) } else { Ok(()) };
    linter.rule(Severity::Info, FILE, icon);
    linter.error(FILE, icon_url(m));
    linter.error(FILE, chart_type(m));
    linter.error(FILE, dependencies(m));
    let strict = Version::strict(&m.version).map(|_| ());
    linter.warning(FILE, strict.map_err(|_| format!("version '{}' is not a valid SemVerV2", m.version)));
}

/// The value as plain YAML has it, before it is made a text.
fn is_text(text: &[u8], key: &str) -> Result<(), String> {
    let mut heap = Heap::new();
    let Ok(map) = yaml::to_map(&mut heap, text) else { return Ok(()) };
    match heap.map(map).get(key) {
        None | Some(Value::Str(_)) => Ok(()),
        Some(other) => Err(format!("{key} should be of type string but it's of type {}", other.go_type(&heap))),
    }
}

fn name(m: &Metadata) -> Result<(), String> {
    if m.name.is_empty() {
        return Err("name is required".into());
    }
    if path::base(m.name.as_bytes()) != m.name.as_bytes() {
        return Err(format!("chart name {} is invalid", strconv::quote(m.name.as_bytes())));
    }
    Ok(())
}

fn api_version(m: &Metadata) -> Result<(), String> {
    match m.api_version.as_str() {
        "" => Err("apiVersion is required. The value must be either \"v1\" or \"v2\"".into()),
        API_VERSION_V1 | API_VERSION_V2 => Ok(()),
        other => Err(format!("apiVersion '{other}' is not valid. The value must be either \"v1\" or \"v2\"")),
    }
}

fn version(m: &Metadata) -> Result<(), String> {
    if m.version.is_empty() {
        return Err("version is required".into());
    }
    let version = Version::new(&m.version).map_err(|_| format!("version '{}' is not a valid SemVer", m.version))?;
    let reasons = Constraint::new(">0.0.0-0")?.validate(&version).err().unwrap_or_default();
    reasons.into_iter().next().map_or(Ok(()), |reason| Err(format!("version {reason}")))
}

fn maintainers(m: &Metadata, nulls: Nulls) -> Result<(), String> {
    for (i, person) in m.maintainers.iter().enumerate() {
        if nulls.maintainer == Some(i) {
            return Err("a maintainer entry is empty".into());
        }
        if person.name.is_empty() {
            return Err("each maintainer requires a name".into());
        }
        if !person.email.is_empty() && !is_email(&person.email) {
            return Err(format!("invalid email '{}' for maintainer '{}'", person.email, person.name));
        }
        if !person.url.is_empty() && !is_url(&person.url) {
            return Err(format!("invalid url '{}' for maintainer '{}'", person.url, person.name));
        }
    }
    Ok(())
}

fn sources(m: &Metadata) -> Result<(), String> {
    let wrong = m.sources.iter().find(|s| !is_request_url(s));
    wrong.map_or(Ok(()), |s| Err(format!("invalid source URL '{s}'")))
}

fn icon_url(m: &Metadata) -> Result<(), String> {
    if m.icon.is_empty() || is_request_url(&m.icon) {
        return Ok(());
    }
    Err(format!("invalid icon URL '{}'", m.icon))
}

fn chart_type(m: &Metadata) -> Result<(), String> {
    if m.chart_type.is_empty() || m.api_version == API_VERSION_V2 {
        return Ok(());
    }
    Err(format!(
        "chart type is not valid in apiVersion '{}'. It is valid in apiVersion '{API_VERSION_V2}'",
        m.api_version
    ))
}

fn dependencies(m: &Metadata) -> Result<(), String> {
    if m.dependencies.is_empty() || m.api_version == API_VERSION_V2 {
        return Ok(());
    }
    Err(format!(
        "dependencies are not valid in the Chart file with apiVersion '{}'. They are valid in apiVersion '{API_VERSION_V2}'",
        m.api_version
    ))
}
