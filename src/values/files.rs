//! The user's values: `-f` files and the `--set` family, in Helm's order.
//!
//! All files first, then `--set-json`, `--set`, `--set-string`, `--set-file` and `--set-literal`, each in the order given.
//! Source: Helm 4.3 `pkg/cli/values/options.go`.

use crate::chart::{Table, data, values_file};
use crate::value::{Heap, MapId, Value, json};

use super::strvals;
use super::tables::merge_maps;

/// What the flags say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueOptions {
    /// `-f`: paths, URLs, or `-` for standard input.
    pub files: Vec<String>,
    pub json: Vec<String>,
    pub set: Vec<String>,
    pub set_string: Vec<String>,
    /// `--set-file`: `path=FILE`.
    pub set_file: Vec<String>,
    pub set_literal: Vec<String>,
}

impl ValueOptions {
    /// Reads and merges them. `read` gets a path as it was given and answers the file's bytes or Go's text of the error.
    ///
    /// # Errors
    /// Helm's text: `failed to parse values.yaml: …`, `failed parsing --set data: …`.
    pub fn merge(
        &self,
        heap: &mut Heap,
        read: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
    ) -> Result<MapId, String> {
        let mut base = Table::new();
        for path in &self.files {
            let text = read(path)?;
            let table = values_file::read(&text).map_err(|e| format!("failed to parse {path}: {e}"))?;
            base.merge(table);
        }
        let mut base = data::table_to_map(heap, &base);
        for text in &self.json {
            let trimmed = text.trim();
            if trimmed.starts_with('{') {
                match json::decode(heap, trimmed.as_bytes()) {
                    Ok(Value::Map(table)) => base = merge_maps(heap, base, table)?,
                    _ => return Err(format!("failed parsing --set-json data JSON: {text}")),
                }
            } else {
                strvals::parse_json(heap, base, text.as_bytes())
                    .map_err(|_| format!("failed parsing --set-json data {text}"))?;
            }
        }
        for text in &self.set {
            strvals::parse_into(heap, base, text.as_bytes()).map_err(|e| format!("failed parsing --set data: {e}"))?;
        }
        for text in &self.set_string {
            strvals::parse_into_string(heap, base, text.as_bytes())
                .map_err(|e| format!("failed parsing --set-string data: {e}"))?;
        }
        for text in &self.set_file {
            let mut reader = |path: &str| read(path).map(Value::from);
            strvals::parse_into_file(heap, base, text.as_bytes(), &mut reader)
                .map_err(|e| format!("failed parsing --set-file data: {e}"))?;
        }
        for text in &self.set_literal {
            strvals::parse_literal_into(heap, base, text.as_bytes())
                .map_err(|e| format!("failed parsing --set-literal data: {e}"))?;
        }
        Ok(base)
    }
}
