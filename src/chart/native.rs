//! YAML as plain data.

use crate::value::Heap;
use crate::yaml;

use super::data::{self, Data, Table};

/// The first document as go-yaml v2 reads it into an `interface {}`: integers stay integers. Keys are made strings.
///
/// # Errors
/// `error converting YAML to JSON: yaml: line 2: …`.
pub fn read(text: &[u8], shape: yaml::Shape) -> Result<Data, String> {
    let mut heap = Heap::new();
    let value = yaml::to_typed_value(&mut heap, text, shape)?;
    Ok(Data::from_value(&heap, &value)?)
}

/// The first document as a table, all numbers floats; nothing is an empty table.
///
/// # Errors
/// As [`read`], and `error unmarshaling JSON: while decoding JSON: json: cannot unmarshal …` for other values.
pub fn table(text: &[u8]) -> Result<Table, String> {
    let mut heap = Heap::new();
    let map = yaml::to_map(&mut heap, text)?;
    Ok(data::map_to_table(&heap, map)?)
}
