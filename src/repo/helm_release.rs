//! What a HelmRelease says of its chart and values, with the lines where it says so.
//!
//! Source: `helm.toolkit.fluxcd.io/v2`. Only what changes the rendered text is read; what would change it but is not handled yet is named.

use sha2::{Digest, Sha256};

use crate::kustomize::flux::{PostRenderer, Strategy};
use crate::kustomize::given::Given;

use super::document::{Document, Node};

use super::post_render::{self, StepLines};
use super::problem::{Fault, Place, Problem};

/// An object that a chart comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceRef {
    pub kind: String,
    pub name: String,
    /// Nothing: the release's own.
    pub namespace: Option<String>,
    pub line: usize,
}

impl SourceRef {
    /// The kind as it stands in a sentence: `a Bucket`, `an ExternalArtifact`.
    pub fn with_article(&self) -> String {
        match self.kind.as_str() {
            "" => "a source without kind".into(),
            kind if kind.starts_with(['A', 'E', 'I', 'O', 'U']) => format!("an {kind}"),
            kind => format!("a {kind}"),
        }
    }
}

/// `spec.chart.spec`, or `spec.chartRef`.
#[derive(Clone, Debug)]
pub struct ChartRef {
    /// As written: a path from the root of a Git repository, or a name in a chart repository; empty with `chartRef`.
    pub path: String,
    /// A version or range; empty for the newest.
    pub version: String,
    pub source: SourceRef,
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
    /// `spec.values` with the lines of the source file.
    pub values: Option<Node>,
    pub include_crds: bool,
    pub skip_schema_validation: bool,
    pub suspended: bool,
    /// `spec.postRenderers` and `spec.commonMetadata`, in the controller's order.
    pub post_renderers: Vec<PostRenderer>,
    pub post_render_strategy: Strategy,
    /// Where each of them is written.
    pub post_renderer_lines: Vec<StepLines>,
    /// Patches that were laid over the object.
    pub given: Vec<Given>,
}

impl HelmRelease {
    /// A release belongs to the service whose directory it lies in; its own name is taken too.
    pub fn belongs_to(&self, service: &str) -> bool {
        self.name == service || self.place.path.contains(&format!("/{service}/"))
    }

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
        let mut problem = |line: usize, fault: Fault| problems.push(fault.on_line(&place, line));
        if name.is_empty() {
            problem(doc.line(), "a HelmRelease without metadata.name".into());
        }
        let Some(spec) = doc.get("spec") else {
            problem(doc.line(), "a HelmRelease without spec".into());
            return None;
        };
        let post_renderers = post_render::read(spec, &mut problem);
        let strategy = spec.get("postRenderStrategy").filter(|n| !n.is_null());
        let post_render_strategy = strategy.map_or(Some(Strategy::default()), |n| {
            let parsed = n.as_str().and_then(Strategy::parse);
            if parsed.is_none() {
                problem(n.line(), "postRenderStrategy must be combined, nohooks or separate".into());
            }
            parsed
        });
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
            values: spec.get("values").cloned(),
            include_crds: install.and_then(|i| i.get("crds")).and_then(Node::as_str) != Some("Skip"),
            skip_schema_validation: install.and_then(|i| i.get("disableSchemaValidation")).is_some_and(is_true),
            suspended: spec.get("suspend").is_some_and(is_true),
            post_renderers,
            post_renderer_lines: post_render::lines(spec),
            post_render_strategy: post_render_strategy.unwrap_or_default(),
            given: Vec::new(),
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

pub(super) fn is_true(n: &Node) -> bool {
    n.as_str().is_some_and(|s| s.eq_ignore_ascii_case("true"))
}

fn read_chart(spec: &Node, place: &Place, problem: &mut impl FnMut(usize, Fault)) -> Option<ChartRef> {
    if let Some((key, reference)) = spec.entry("chartRef").filter(|(_, n)| !n.is_null()) {
        if spec.get("chart").is_some_and(|n| !n.is_null()) {
            problem(key.line(), "chart and chartRef exclude each other: give one".into());
            return None;
        }
        let source = read_source(reference);
        if !matches!(source.kind.as_str(), "OCIRepository" | "HelmChart" | "ExternalArtifact") {
            problem(
                key.line(),
                Fault::unsupported(format!(
                    "chartRef: charts from {} are not supported: only OCIRepository, HelmChart and ExternalArtifact",
                    source.with_article()
                )),
            );
            return None;
        }
        return Some(ChartRef {
            path: String::new(),
            version: String::new(),
            source,
            place: Place { path: place.path.clone(), line: key.line() },
            values_files: Vec::new(),
            ignore_missing_values_files: false,
        });
    }
    let Some(chart) = spec.get("chart").and_then(|c| c.get("spec")) else {
        problem(spec.line(), "spec.chart.spec is missing: it names the chart".into());
        return None;
    };
    chart_spec(chart, place, problem)
}

/// `spec.chart.spec` of a HelmRelease; the `spec` of a HelmChart has the same fields.
pub fn chart_spec(chart: &Node, place: &Place, problem: &mut impl FnMut(usize, Fault)) -> Option<ChartRef> {
    let Some(path) = chart.get("chart").filter(|n| n.as_str().is_some_and(|s| !s.is_empty())) else {
        problem(chart.line(), "spec.chart.spec.chart is missing: a path in the repository, or a chart's name".into());
        return None;
    };
    let Some(source) = chart.get("sourceRef").filter(|n| n.is_map()) else {
        problem(chart.line(), "spec.chart.spec.sourceRef is missing: it says where the chart comes from".into());
        return None;
    };
    let reference = read_source(source);
    if !matches!(reference.kind.as_str(), "GitRepository" | "HelmRepository" | "Bucket") {
        let line = source.get("kind").map_or(reference.line, Node::line);
        problem(
            line,
            Fault::unsupported(format!(
                "sourceRef: charts from {} are not supported: only GitRepository, HelmRepository and Bucket",
                reference.with_article()
            )),
        );
        return None;
    }
    let files = chart.get("valuesFiles").map_or(&[][..], Node::items);
    Some(ChartRef {
        path: path.as_str().unwrap_or_default().into(),
        version: chart.get("version").and_then(Node::as_str).unwrap_or_default().into(),
        source: reference,
        place: Place { path: place.path.clone(), line: path.line() },
        values_files: files.iter().filter_map(|f| Some((f.as_str()?.to_string(), f.line()))).collect(),
        ignore_missing_values_files: chart.get("ignoreMissingValuesFiles").is_some_and(is_true),
    })
}

pub(super) fn read_source(n: &Node) -> SourceRef {
    let text = |key: &str| n.get(key).and_then(Node::as_str).filter(|s| !s.is_empty()).map(String::from);
    SourceRef {
        kind: text("kind").unwrap_or_default(),
        name: text("name").unwrap_or_default(),
        namespace: text("namespace"),
        line: n.line(),
    }
}

fn read_values_from(n: &Node, problem: &mut impl FnMut(usize, Fault)) -> Option<ValuesFrom> {
    let text = |key: &str| n.get(key).and_then(Node::as_str).unwrap_or_default().to_string();
    let (kind, name) = (text("kind"), text("name"));
    if !matches!(kind.as_str(), "ConfigMap" | "Secret") {
        problem(n.line(), format!("valuesFrom: kind must be ConfigMap or Secret, not {kind:?}").into());
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
