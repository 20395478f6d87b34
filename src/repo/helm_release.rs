//! What a HelmRelease says of its chart and values, with the lines where it says so.
//!
//! Source: `helm.toolkit.fluxcd.io/v2`. Only what changes the rendered text is read; what would change it but is not handled yet is named.

use sha2::{Digest, Sha256};

use super::document::{Document, Node};
use super::objects::{Place, Problem};

/// `spec.chart.spec` of a chart in the same repository.
#[derive(Clone, Debug)]
pub struct ChartRef {
    /// As written: a path from the repository's root.
    pub path: String,
    pub place: Place,
    pub values_files: Vec<(String, usize)>,
    pub ignore_missing_values_files: bool,
}

/// One entry of `spec.valuesFrom`.
#[derive(Clone, Debug)]
pub struct ValuesFrom {
    pub kind: String,
    pub name: String,
    /// Empty: `values.yaml`.
    pub values_key: String,
    pub target_path: String,
    pub optional: bool,
    pub literal: bool,
    pub line: usize,
}

/// A HelmRelease.
#[derive(Clone, Debug)]
pub struct HelmRelease {
    pub name: String,
    pub namespace: Option<String>,
    pub place: Place,
    pub release_name: Option<String>,
    pub target_namespace: Option<String>,
    pub chart: ChartRef,
    pub values_from: Vec<ValuesFrom>,
    /// The whole document: `spec.values` is read from it as Helm reads values.
    pub text: Vec<u8>,
    pub include_crds: bool,
    pub skip_schema_validation: bool,
    pub suspended: bool,
}

impl HelmRelease {
    /// Reads an object. What keeps it from being rendered goes to `problems`, and nothing is returned then.
    pub fn read(
        document: &Document,
        place: Place,
        name: &str,
        namespace: Option<String>,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let doc = &document.root;
        let before = problems.len();
        let mut problem = |line: usize, message: String| {
            problems.push(Problem { place: Place { path: place.path.clone(), line }, message });
        };
        if name.is_empty() {
            problem(doc.line(), "a HelmRelease without metadata.name".into());
        }
        let Some(spec) = doc.get("spec") else {
            problem(doc.line(), "a HelmRelease without spec".into());
            return None;
        };
        for (key, why) in [
            ("chartRef", "charts by chartRef are not supported yet: only spec.chart with a path in this repository"),
            ("postRenderers", "post-renderers are not supported yet"),
            ("commonMetadata", "commonMetadata is not supported yet"),
        ] {
            if let Some(n) = spec.entry(key) {
                problem(n.0.line(), format!("{key}: {why}"));
            }
        }
        let chart = read_chart(spec, &place, &mut problem);
        let values_from = spec.get("valuesFrom").map_or(&[][..], Node::items);
        let values_from = values_from.iter().filter_map(|n| read_values_from(n, &mut problem)).collect();
        let values = spec.get("values").filter(|v| !v.is_null());
        if let Some(v) = values
            && !v.is_map()
        {
            problem(v.line(), "values: must be a map".into());
        }
        if problems.len() > before {
            return None;
        }
        let text = |key: &str| spec.get(key).and_then(Node::as_str).filter(|s| !s.is_empty()).map(String::from);
        let install = spec.get("install");
        Some(Self {
            name: name.into(),
            namespace,
            release_name: text("releaseName"),
            target_namespace: text("targetNamespace"),
            chart: chart?,
            values_from,
            text: document.text.clone(),
            include_crds: install.and_then(|i| i.get("crds")).and_then(Node::as_str) != Some("Skip"),
            skip_schema_validation: install.and_then(|i| i.get("disableSchemaValidation")).is_some_and(is_true),
            suspended: spec.get("suspend").is_some_and(is_true),
            place,
        })
    }

    /// The name that Helm is given: `releaseName`, or the target namespace and the object's name, shortened.
    pub fn helm_name(&self) -> String {
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        short_name(&composed_name(&text(&self.release_name), &text(&self.target_namespace), &self.name))
    }

    /// Where the release's objects go.
    pub fn helm_namespace(&self) -> String {
        self.target_namespace.clone().or_else(|| self.namespace.clone()).unwrap_or_else(|| "default".into())
    }
}

/// The name of a release before it is shortened: the one that is given, or that of the object behind the target namespace.
/// Source: helm-controller 1.6 `api/v2/helmrelease_types.go`, `GetReleaseName`.
pub fn composed_name(release_name: &str, target_namespace: &str, name: &str) -> String {
    match (release_name, target_namespace) {
        ("", "") => name.into(),
        ("", namespace) => format!("{namespace}-{name}"),
        (given, _) => given.into(),
    }
}

/// Names over 53 bytes keep 40 and get 12 hex digits of their SHA-256.
/// Source: helm-controller 1.6 `internal/release/name.go`.
pub fn short_name(name: &str) -> String {
    if name.len() <= 53 {
        return name.into();
    }
    let digest: String = Sha256::digest(name.as_bytes()).iter().take(6).map(|b| format!("{b:02x}")).collect();
    let mut cut = 40;
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}-{digest}", &name[..cut])
}

fn is_true(n: &Node) -> bool {
    n.as_str().is_some_and(|s| s.eq_ignore_ascii_case("true"))
}

fn read_chart(spec: &Node, place: &Place, problem: &mut impl FnMut(usize, String)) -> Option<ChartRef> {
    let Some(chart) = spec.get("chart").and_then(|c| c.get("spec")) else {
        if spec.get("chartRef").is_none() {
            problem(spec.line(), "spec.chart.spec is missing: it names the chart".into());
        }
        return None;
    };
    let Some(path) = chart.get("chart") else {
        problem(chart.line(), "spec.chart.spec.chart is missing: it names the chart".into());
        return None;
    };
    let source = chart.get("sourceRef");
    let kind = source.and_then(|s| s.get("kind"));
    match kind.and_then(Node::as_str) {
        Some("GitRepository") => {}
        Some(other) => problem(
            kind.map_or(chart.line(), Node::line),
            format!(
                "sourceRef: charts from a {other} are not supported yet: only a GitRepository that is this repository"
            ),
        ),
        None => {
            problem(chart.line(), "spec.chart.spec.sourceRef is missing: it says where the chart comes from".into())
        }
    }
    let files = chart.get("valuesFiles").map_or(&[][..], Node::items);
    Some(ChartRef {
        path: path.as_str().unwrap_or_default().into(),
        place: Place { path: place.path.clone(), line: path.line() },
        values_files: files.iter().filter_map(|f| Some((f.as_str()?.to_string(), f.line()))).collect(),
        ignore_missing_values_files: chart.get("ignoreMissingValuesFiles").is_some_and(is_true),
    })
}

fn read_values_from(n: &Node, problem: &mut impl FnMut(usize, String)) -> Option<ValuesFrom> {
    let text = |key: &str| n.get(key).and_then(Node::as_str).unwrap_or_default().to_string();
    let (kind, name) = (text("kind"), text("name"));
    if !matches!(kind.as_str(), "ConfigMap" | "Secret") {
        problem(n.line(), format!("valuesFrom: kind must be ConfigMap or Secret, not {kind:?}"));
        return None;
    }
    if name.is_empty() {
        problem(n.line(), "valuesFrom: name is missing".into());
        return None;
    }
    Some(ValuesFrom {
        kind,
        name,
        values_key: text("valuesKey"),
        target_path: text("targetPath"),
        optional: n.get("optional").is_some_and(is_true),
        literal: n.get("literal").is_some_and(is_true),
        line: n.line(),
    })
}

#[cfg(test)]
mod tests {
    use super::short_name;

    #[test]
    fn long_names_are_shortened_as_the_controller_does() {
        for (name, want) in [
            ("short", "short"),
            (
                "release-name-with-very-long-name-which-is-longer-than-53-characters",
                "release-name-with-very-long-name-which-i-788ca0d0d7b0",
            ),
            (
                "a-very-lengthy-target-namespace-with-a-nice-object-name",
                "a-very-lengthy-target-namespace-with-a-n-97af5d7f41f3",
            ),
        ] {
            assert_eq!(short_name(name), want);
        }
    }
}
