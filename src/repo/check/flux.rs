//! Flux' own kinds, as its CustomResourceDefinitions have them.

use super::schema::Schemas;
use crate::repo::document;

/// The definitions, as they are served.
const DEFINITIONS: &[&str] = &[];

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
