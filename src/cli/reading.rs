//! What the commands share that only read releases: where they look, how they print, what they say of records that cannot be read.

use std::sync::Arc;

use crate::golang::json;
use crate::release::Storage;
use crate::release::query::QueryError;
use crate::release::storage::{DirectoryStorage, Driver, Objects, StorageError, unreachable};

use super::args::Global;
use super::output::Streams;
use super::printed::{Format, as_yaml};
use super::target::{self, Target};
use super::{Failure, runtime};

/// Opens the target and asks it.
///
/// # Errors
/// What the target or the question says.
pub fn ask<T>(global: &Global, work: impl AsyncFnOnce(&Target) -> Result<T, QueryError>) -> Result<T, Failure> {
    runtime::block_on(async {
        let target = target::open(global).await?;
        work(&target).await.map_err(|e| failure(&e))
    })
}

/// The records of all namespaces.
///
/// # Errors
/// Flags of no sense.
pub fn of_all_namespaces(global: &Global, target: &Target) -> Result<Arc<dyn Storage>, Failure> {
    Ok(match global.target.directory()? {
        Some(path) => Arc::new(DirectoryStorage::of_all_namespaces(&path)),
        None => {
            let driver = Driver::parse(&std::env::var("HELM_DRIVER").unwrap_or_default())?;
            Arc::new(Objects::new(target.cluster.clone(), driver, None, "helm"))
        }
    })
}

/// A question's error in Helm's words.
pub fn failure(e: &QueryError) -> Failure {
    match e {
        QueryError::Storage(StorageError::Cluster(e)) if e.is_closed() => Failure::new(unreachable(e)),
        other => Failure::new(other.to_string()),
    }
}

/// Tells which records could not be read.
pub fn tell(passed_over: &[String], io: &mut Streams<'_>) {
    for text in passed_over {
        let _ = writeln!(io.err, "warning: a stored record is passed over: {text}");
    }
}

/// Prints JSON, or the YAML that Helm makes of it.
///
/// # Errors
/// What cannot be written.
pub fn print(json: &[u8], format: Format, io: &mut Streams<'_>) -> Result<(), Failure> {
    if format == Format::Yaml {
        io.out.write_all(&as_yaml(json)?)?;
    } else {
        io.out.write_all(json)?;
        io.out.write_all(b"\n")?;
    }
    Ok(())
}

/// A JSON object being written, its fields in the order of the calls.
#[derive(Default)]
pub struct Fields(Vec<u8>);

impl Fields {
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        json::escape_string(key.as_bytes(), true, &mut self.0);
        self.0.push(b':');
        &mut self.0
    }

    pub fn text(&mut self, key: &str, text: &str) {
        json::escape_string(text.as_bytes(), true, self.key(key));
    }

    pub fn number(&mut self, key: &str, n: i64) {
        self.key(key).extend_from_slice(n.to_string().as_bytes());
    }

    pub fn raw(&mut self, key: &str, json: &[u8]) {
        self.key(key).extend_from_slice(json);
    }

    pub fn end(mut self) -> Vec<u8> {
        if self.0.is_empty() {
            self.0.push(b'{');
        }
        self.0.push(b'}');
        self.0
    }
}

/// A JSON list.
pub fn list(items: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut out = vec![b'['];
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend(item);
    }
    out.push(b']');
    out
}

/// An object as Go writes it: names sorted, `<`, `>` and `&` escaped.
pub fn go_json(value: &serde_json::Value) -> Vec<u8> {
    use serde_json::Value as Json;
    match value {
        Json::String(s) => text(s),
        Json::Array(items) => list(items.iter().map(go_json)),
        Json::Object(fields) => {
            let sorted: std::collections::BTreeMap<&String, &Json> = fields.iter().collect();
            let mut o = Fields::default();
            sorted.into_iter().for_each(|(k, v)| o.raw(k, &go_json(v)));
            o.end()
        }
        other => other.to_string().into_bytes(),
    }
}

/// A JSON string.
pub fn text(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    json::escape_string(text.as_bytes(), true, &mut out);
    out
}

/// The machine's time zone.
pub fn local_zone() -> crate::golang::time::Location {
    use crate::gotmpl::Host;
    crate::gotmpl::SystemHost::default().local_zone()
}

/// A stored time, seen in the zone it was written in: that of the machine where that fits.
pub fn stored_time(text: &str) -> crate::golang::time::Time {
    use crate::golang::time::{Time, parse_in_location};
    parse_in_location(b"2006-01-02T15:04:05Z07:00", text.as_bytes(), &local_zone()).unwrap_or_else(|_| Time::zero())
}
