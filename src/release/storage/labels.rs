//! The labels of a stored record: Helm's own, by which records are found, and the user's. Source: Helm 4.3 `pkg/storage/driver/util.go`.

use std::collections::BTreeMap;

use crate::release::record::Record;

/// Labels that users may not set.
pub const SYSTEM: [&str; 6] = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];

/// The labels of the object that holds a record. `stamp` is `createdAt` or `modifiedAt` with its Unix seconds.
pub fn of(record: &Record, stamp: Option<(&str, i64)>) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    if let Some((key, seconds)) = stamp {
        out.insert(key.to_string(), seconds.to_string());
    }
    // The user's come over the time, as in Helm: that of an older revision may come with them.
    out.extend(record.labels.iter().map(|(k, v)| (k.clone(), v.clone())));
    out.insert("name".into(), record.name.clone());
    out.insert("owner".into(), "helm".into());
    out.insert("status".into(), record.info.status_text().into());
    out.insert("version".into(), record.version.to_string());
    out
}

/// What of an object's labels is the user's.
pub fn users(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    labels.iter().filter(|(k, _)| !SYSTEM.contains(&k.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect()
}
