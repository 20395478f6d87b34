//! YAML as plain data.

use super::data::{Data, Table};

/// The first document as go-yaml v2 reads it into an `interface {}`: integers stay integers. Keys are made strings.
///
/// # Errors
/// `error converting YAML to JSON: yaml: line 2: …`.
pub fn read(text: &[u8]) -> Result<Data, String> {
    let _ = text;
    Err("not there yet".into())
}

/// The first document as a table, all numbers floats; nothing is an empty table.
///
/// # Errors
/// As [`read`], and `error unmarshaling JSON: while decoding JSON: json: cannot unmarshal …` for other values.
pub fn table(text: &[u8]) -> Result<Table, String> {
    let _ = text;
    Err("not there yet".into())
}
