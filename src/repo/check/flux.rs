//! Flux' own kinds, as its CustomResourceDefinitions have them.

use super::schema::Schemas;
use crate::repo::document;

/// The definitions, as they are served.
const DEFINITIONS: &[&str] = &[
    include_str!("flux_kustomization.yaml"),
    include_str!("../../../crds/helm.toolkit.fluxcd.io_helmreleases.yaml"),
    include_str!("../../../crds/source.toolkit.fluxcd.io_buckets.yaml"),
    include_str!("../../../crds/source.toolkit.fluxcd.io_externalartifacts.yaml"),
    include_str!("../../../crds/source.toolkit.fluxcd.io_gitrepositories.yaml"),
    include_str!("../../../crds/source.toolkit.fluxcd.io_helmcharts.yaml"),
    include_str!("../../../crds/source.toolkit.fluxcd.io_helmrepositories.yaml"),
    include_str!("../../../crds/source.toolkit.fluxcd.io_ocirepositories.yaml"),
];

/// The kinds that Flux defines.
pub fn kinds() -> Schemas {
    let mut schemas = Schemas::default();
    for text in DEFINITIONS {
        for document in document::parse(text.as_bytes()).unwrap_or_default() {
            schemas.add_definition(&document.root);
        }
    }
    schemas
}
