//! Moments, as Kubernetes writes them: RFC 3339.

use schemars::{Schema, SchemaGenerator, json_schema};

/// The schema of a moment. The type's own would bring those of all kinds of the API with it into the program.
pub fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time"})
}
