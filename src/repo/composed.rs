//! Charts that Flux composes: the artifact of an `ArtifactGenerator` as a release's chart, of files of this repository, of a chart that is fetched,
//! or of both.

use super::artifact::{Artifact, Fetched, Files, Generator, Output, Part, join};
use super::chart_source;
use super::charts::{Elsewhere, Location};
use super::diff::is_below;
use super::files::Checkout;
use super::helm_release::SourceRef;
use super::objects::Environment;
use super::problem::{Cause, Fault, Name, Place, Problem};
use crate::chart::Chart;
use crate::diagnostic::LogLine;

/// A chart that is put together.
#[derive(Clone, Debug)]
pub struct Composed {
    generator: Generator,
    output: Output,
    /// The charts of sources that are not here, by alias.
    elsewhere: Vec<(String, Elsewhere)>,
    /// Directories that an OCI artifact may have been made of, besides the root.
    above: Vec<String>,
}

impl Environment {
    /// The artifact of a name, and the generator that makes it.
    ///
    /// # Errors
    /// A generator can't tell what it makes.
    pub(super) fn artifact(
        &self,
        checkout: &Checkout,
        namespace: &str,
        name: &str,
    ) -> Result<Option<(Generator, Output)>, Problem> {
        for generator in self.generators.iter().filter(|g| g.namespace == namespace) {
            let output = generator
                .output(checkout, name)
                .map_err(|(line, message)| Fault::from(message).on_line(&generator.place, line))?;
            if let Some(output) = output {
                return Ok(Some((generator.clone(), output.into_owned())));
            }
        }
        Ok(None)
    }

    /// The directories that the environment lies in, the innermost first.
    pub(super) fn above(&self) -> Vec<&str> {
        fn up<'d>(dir: &&'d str) -> Option<&'d str> {
            dir.rsplit_once('/').map(|(above, _)| above)
        }
        std::iter::successors(Some(self.dir.as_str()), up).skip(1).collect()
    }

    /// The chart that a release takes from an ExternalArtifact.
    pub(super) fn composed(
        &self,
        checkout: &Checkout,
        source: &SourceRef,
        own: Option<&str>,
        place: &Place,
    ) -> Result<Composed, Problem> {
        let namespace = source.namespace.as_deref().or(own).unwrap_or("default");
        let Some((generator, output)) = self.artifact(checkout, namespace, &source.name)? else {
            let message = format!(
                "chartRef: ExternalArtifact {}: artifacts that no ArtifactGenerator of environment {} makes are not supported",
                source.name, self.name
            );
            return Err(Fault::unsupported(message).at(place));
        };
        let mut elsewhere = Vec::new();
        for source in generator.sources_of(&output).into_iter().filter(|s| !s.here) {
            let at = |cause: Cause, message: &str| {
                let message = format!("artifact {}: {} {} {message}", output.name, source.kind, source.name);
                Fault::new(cause, message).on_line(&generator.place, source.line)
            };
            let Some(object) = self.source(&source.kind, &source.name, Some(&source.namespace)) else {
                let cause = Cause::NoSource(Name::new(&source.kind, &source.name));
                return Err(at(cause, &format!("was not found in environment {}", self.name)));
            };
            let spec = object.node.get("spec");
            let chart = match source.kind.as_str() {
                "OCIRepository" => {
                    let reference =
                        chart_source::oci(spec.unwrap_or(&object.node)).map_err(|e| at(Cause::Wrong, &e))?;
                    Elsewhere { insecure: chart_source::is_insecure(spec), ..reference.into() }
                }
                "HelmChart" => match self.of_helm_chart(checkout, object, Some(&source.namespace))? {
                    Some((Location::Elsewhere(at), _)) => *at,
                    _ => {
                        return Err(at(
                            Cause::Unsupported,
                            "is a chart of this repository: charts made of it are not supported",
                        ));
                    }
                },
                _ => return Err(at(Cause::Unsupported, "is not this checkout: charts made of it are not supported")),
            };
            elsewhere.push((source.alias.clone(), chart));
        }
        let above = self.above().into_iter().map(String::from).collect();
        Ok(Composed { generator, output, elsewhere, above })
    }
}

impl Composed {
    /// What has to be fetched.
    pub fn elsewhere(&self) -> impl Iterator<Item = &Elsewhere> {
        self.elsewhere.iter().map(|(_, at)| at)
    }

    /// Whether a file of this repository may be a part of it.
    pub fn reads(&self, path: &str) -> bool {
        let roots = || std::iter::once("").chain(self.above.iter().map(String::as_str));
        let here = self.generator.sources.iter().filter(|s| s.here);
        here.flat_map(|s| self.output.taken_from(&s.alias))
            .any(|base| roots().any(|root| is_below(path, &join(root, &base))))
    }

    /// What tells it from others, files aside.
    pub fn key(&self) -> String {
        let references: Vec<String> = self.elsewhere().map(|at| at.reference.key()).collect();
        format!("{:?} {references:?}", self.output)
    }

    /// Puts the artifact together; `fetch` gives the charts of other sources.
    fn artifact<'c>(&self, checkout: &'c Checkout, fetch: &Fetch<'_>) -> Result<Artifact<'c>, Problem> {
        let mut fetched = Fetched::new();
        for (alias, elsewhere) in &self.elsewhere {
            let line = self.generator.sources.iter().find(|s| s.alias == *alias).map_or(1, |s| s.line);
            let chart = fetch(elsewhere).map_err(|e| self.at(line, e))?;
            let files: Files =
                chart.raw.iter().map(|f| (format!("{}/{}", chart.name(), f.name), f.data.as_ref().into())).collect();
            fetched.insert(alias.clone(), files);
        }
        let above: Vec<&str> = self.above.iter().map(String::as_str).collect();
        let artifact = Artifact::new(checkout, &self.generator, &self.output, &above, &fetched);
        artifact.map_err(|(line, why)| self.at(line, why))
    }

    fn at(&self, line: usize, fault: impl Into<Fault>) -> Problem {
        fault.into().on_line(&self.generator.place, line)
    }

    /// The chart.
    pub(super) fn load(
        &self,
        checkout: &Checkout,
        log: &mut Vec<LogLine>,
        fetch: &Fetch<'_>,
    ) -> Result<Chart, Problem> {
        let chart = self.artifact(checkout, fetch)?.chart(log);
        chart.map_err(|e| self.at(self.generator.place.line, format!("artifact {}: {e}", self.output.name)))
    }

    /// What its own values are merged of, the lowest first.
    pub(super) fn values(&self, checkout: &Checkout, fetch: &Fetch<'_>) -> Result<Vec<Part>, Problem> {
        self.artifact(checkout, fetch)?.values().map_err(|e| self.at(self.generator.place.line, e))
    }

    /// The directory that its templates lie in, if they all lie in one.
    pub(super) fn directory(&self, checkout: &Checkout, fetch: &Fetch<'_>) -> Option<String> {
        self.artifact(checkout, fetch).ok()?.directory()
    }
}

/// Gives a chart that was fetched.
pub(super) type Fetch<'f> = dyn Fn(&Elsewhere) -> Result<Chart, Fault> + 'f;

impl std::fmt::Display for Composed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ExternalArtifact {}/{}", self.generator.namespace, self.output.name)
    }
}
