//! Manifests: what an artifact consists of, and how a Helm chart lies in one.
//!
//! Source: Helm 4.3 `pkg/registry/{client,constants,chart}.go`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chart::{Data, Metadata};
use crate::source::{Digest, Reason, SourceError};

pub const IMAGE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const IMAGE_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// What we understand.
pub const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json, */*";

pub const HELM_CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
pub const HELM_CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
pub const HELM_CHART_LEGACY: &str = "application/tar+gzip";
pub const HELM_PROVENANCE: &str = "application/vnd.cncf.helm.chart.provenance.v1.prov";
/// The most entries of an index, or layers of a manifest, that are looked at.
const MAX_ENTRIES: usize = 1024;

/// What a manifest points to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "nullable")]
    pub annotations: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub artifact_type: String,
}

/// An image manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub schema_version: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub artifact_type: String,
    pub config: Descriptor,
    #[serde(default)]
    pub layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "nullable")]
    pub annotations: BTreeMap<String, String>,
}

/// A list of manifests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    pub schema_version: u32,
    #[serde(default)]
    pub media_type: String,
    pub manifests: Vec<Descriptor>,
}

/// Either of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum Any {
    Manifest(Manifest),
    Index(Index),
}

fn nullable<'de, D: serde::Deserializer<'de>>(d: D) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

/// Reads a manifest or an index.
///
/// # Errors
/// [`Reason::Malformed`]: what is wrong with it.
pub fn parse(bytes: &[u8], place: &str) -> Result<Any, SourceError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Head {
        schema_version: u32,
        #[serde(default)]
        media_type: String,
        manifests: Option<serde_json::Value>,
    }
    let bad = |why: String| SourceError::new(Reason::Malformed, place, format!("the manifest {why}"));
    let head: Head = serde_json::from_slice(bytes).map_err(|e| bad(format!("is not understood: {e}")))?;
    if head.schema_version != 2 {
        return Err(bad(format!("has schema version {}, not 2", head.schema_version)));
    }
    let read = |e: serde_json::Error| bad(format!("is not understood: {e}"));
    match head.media_type.as_str() {
        IMAGE_INDEX | DOCKER_LIST => Ok(Any::Index(serde_json::from_slice(bytes).map_err(read)?)),
        "" if head.manifests.is_some() => Ok(Any::Index(serde_json::from_slice(bytes).map_err(read)?)),
        IMAGE_MANIFEST | DOCKER_MANIFEST | "" => {
            let manifest: Manifest = serde_json::from_slice(bytes).map_err(read)?;
            if manifest.layers.len() > MAX_ENTRIES {
                return Err(bad(format!("has more than {MAX_ENTRIES} layers")));
            }
            Ok(Any::Manifest(manifest))
        }
        other => Err(bad(format!("has the unknown media type {other:?}"))),
    }
}

impl Index {
    /// The manifests to try, those that say to be Helm's first.
    pub fn candidates(&self) -> Vec<&Descriptor> {
        let mut out: Vec<_> = self.manifests.iter().take(MAX_ENTRIES).collect();
        out.retain(|d| matches!(d.media_type.as_str(), IMAGE_MANIFEST | DOCKER_MANIFEST | ""));
        out.sort_by_key(|d| d.artifact_type != HELM_CONFIG);
        out.truncate(32);
        out
    }
}

impl Manifest {
    pub fn is_helm(&self) -> bool {
        self.config.media_type == HELM_CONFIG
    }

    /// The layer with the packaged chart, and whether its media type is the old one.
    ///
    /// # Errors
    /// Helm's texts.
    pub fn chart(&self) -> Result<(&Descriptor, bool), SourceError> {
        if self.layers.is_empty() {
            return Err(SourceError::refused(
                "manifest does not contain minimum number of descriptors (2), descriptors found: 1",
            ));
        }
        if !self.is_helm() {
            return Err(SourceError::refused(format!("could not load config with mediatype {HELM_CONFIG}")));
        }
        let of = |kind: &str| self.layers.iter().rfind(|l| l.media_type == kind);
        match (of(HELM_CHART), of(HELM_CHART_LEGACY)) {
            (_, Some(layer)) => Ok((layer, true)),
            (Some(layer), None) => Ok((layer, false)),
            (None, None) => {
                Err(SourceError::refused(format!("manifest does not contain a layer with mediatype {HELM_CHART}")))
            }
        }
    }

    pub fn provenance(&self) -> Option<&Descriptor> {
        self.layers.iter().rfind(|l| l.media_type == HELM_PROVENANCE)
    }
}

/// The manifest that Helm writes for a chart, byte for byte.
pub fn helm(config: Descriptor, mut layers: Vec<Descriptor>, annotations: BTreeMap<String, String>) -> Vec<u8> {
    layers.sort_by_key(|l| l.digest.to_string());
    let manifest = Manifest {
        schema_version: 2,
        media_type: String::new(),
        artifact_type: String::new(),
        config,
        layers,
        subject: None,
        annotations,
    };
    go_json(&manifest)
}

/// JSON as Go writes it: `<`, `>` and `&` as escapes.
fn go_json(value: &impl Serialize) -> Vec<u8> {
    // Our own types hold nothing that JSON can't.
    let text = serde_json::to_string(value).unwrap_or_default();
    // These stand only within strings.
    let escapes =
        [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")];
    escapes.iter().fold(text, |text, (c, escape)| text.replace(*c, escape)).into_bytes()
}

/// Chart.yaml as JSON: the config that Helm pushes.
pub fn config(m: &Metadata) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Config<'a> {
        #[serde(skip_serializing_if = "str::is_empty")]
        name: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        home: &'a str,
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        sources: &'a [String],
        #[serde(skip_serializing_if = "str::is_empty")]
        version: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        description: &'a str,
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        keywords: &'a [String],
        #[serde(skip_serializing_if = "Vec::is_empty")]
        maintainers: Vec<Maintainer<'a>>,
        #[serde(skip_serializing_if = "str::is_empty")]
        icon: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        api_version: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        condition: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        tags: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        app_version: &'a str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        deprecated: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        annotations: Option<&'a BTreeMap<String, String>>,
        #[serde(skip_serializing_if = "str::is_empty")]
        kube_version: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        dependencies: Vec<Dependency<'a>>,
        #[serde(rename = "type", skip_serializing_if = "str::is_empty")]
        chart_type: &'a str,
    }
    #[derive(Serialize)]
    struct Maintainer<'a> {
        #[serde(skip_serializing_if = "str::is_empty")]
        name: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        email: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        url: &'a str,
    }
    #[derive(Serialize)]
    struct Dependency<'a> {
        name: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        version: &'a str,
        repository: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        condition: &'a str,
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        tags: &'a [String],
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        enabled: bool,
        #[serde(rename = "import-values", skip_serializing_if = "Vec::is_empty")]
        import_values: Vec<serde_json::Value>,
        #[serde(skip_serializing_if = "str::is_empty")]
        alias: &'a str,
    }
    go_json(&Config {
        name: &m.name,
        home: &m.home,
        sources: &m.sources,
        version: &m.version,
        description: &m.description,
        keywords: &m.keywords,
        maintainers: m.maintainers.iter().map(|p| Maintainer { name: &p.name, email: &p.email, url: &p.url }).collect(),
        icon: &m.icon,
        api_version: &m.api_version,
        condition: &m.condition,
        tags: &m.tags,
        app_version: &m.app_version,
        deprecated: m.deprecated,
        annotations: m.annotations.as_ref().filter(|a| !a.is_empty()),
        kube_version: &m.kube_version,
        dependencies: m
            .dependencies
            .iter()
            .map(|d| Dependency {
                name: &d.name,
                version: &d.version,
                repository: &d.repository,
                condition: &d.condition,
                tags: &d.tags,
                enabled: d.enabled,
                import_values: d.import_values.iter().map(json).collect(),
                alias: &d.alias,
            })
            .collect(),
        chart_type: &m.chart_type,
    })
}

fn json(data: &Data) -> serde_json::Value {
    use serde_json::Value;
    match data {
        Data::Nil => Value::Null,
        Data::Bool(b) => Value::from(*b),
        Data::Int(n) => Value::from(*n),
        Data::Uint(n) => Value::from(*n),
        Data::Float(f) => Value::from(*f),
        Data::Str(s) => Value::from(s.to_string()),
        Data::List(items) => items.iter().map(json).collect(),
        Data::Table(t) => Value::Object(t.iter().map(|(k, v)| (k.to_string(), json(v))).collect()),
        Data::Strings(t) => Value::Object(t.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect()),
    }
}

/// The annotations that Helm gives a chart's manifest: those of the chart, and OCI's own; version and title can't be replaced.
/// `created` is an RFC 3339 time.
pub fn annotations(m: &Metadata, created: &str) -> BTreeMap<String, String> {
    let authors: Vec<String> = m
        .maintainers
        .iter()
        .map(|p| if p.email.is_empty() { p.name.clone() } else { format!("{} ({})", p.name, p.email) })
        .collect();
    let own = [
        ("description", m.description.as_str()),
        ("title", &m.name),
        ("version", &m.version),
        ("url", &m.home),
        ("created", created),
        ("source", m.sources.first().map_or("", String::as_str)),
        ("authors", &authors.join(", ")),
    ];
    let mut out = BTreeMap::new();
    for (key, value) in own.into_iter().filter(|(_, v)| !v.trim().is_empty()) {
        out.insert(format!("org.opencontainers.image.{key}"), value.to_string());
    }
    for (key, value) in m.annotations.iter().flatten() {
        if !matches!(key.as_str(), "org.opencontainers.image.version" | "org.opencontainers.image.title") {
            out.insert(key.clone(), value.clone());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_manifests_are_told_apart() {
        let zero = format!("sha256:{}", "0".repeat(64));
        for (text, want) in [
            ("", "is not understood"),
            ("[]", "is not understood"),
            ("{}", "is not understood"),
            (r#"{"schemaVersion":1}"#, "has schema version 1"),
            (r#"{"schemaVersion":2}"#, "missing field `config`"),
            (r#"{"schemaVersion":2,"mediaType":"text/plain"}"#, "unknown media type"),
            (r#"{"schemaVersion":2,"config":{"digest":"sha256:../../x","size":1}}"#, "hexadecimal"),
            (r#"{"schemaVersion":2,"config":{"digest":"sha256:ZERO","size":-1}}"#, "invalid value"),
            (r#"{"schemaVersion":2,"manifests":3}"#, "invalid type"),
        ] {
            let text = text.replace("sha256:ZERO", &zero);
            let error = parse(text.as_bytes(), "oci://h/a").unwrap_err();
            assert_eq!(error.reason, Reason::Malformed);
            assert!(error.to_string().contains(want), "{text}: {error}");
        }
    }
}
