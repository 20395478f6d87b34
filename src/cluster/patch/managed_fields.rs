//! Who owns which field: from client-side apply to server-side apply.
//!
//! Source: client-go 0.37 `util/csaupgrade/upgrade.go`; sets of fields as structured-merge-diff writes them (`f:`, `k:`, `v:`, `.`).

use serde_json::{Map, json};

use crate::cluster::Json;

/// The JSON patch (RFC 6902) that makes `manager` own by apply what `csa_managers` wrote by update; none if there is nothing to do. A
/// `resourceVersion` in it makes the server refuse it when the object has changed since.
///
/// # Errors
/// Fields that are no set.
pub fn migration(live: &Json, csa_managers: &[&str], manager: &str) -> Result<Option<Json>, String> {
    let Some(before) = live.pointer("/metadata/managedFields").and_then(Json::as_array) else { return Ok(None) };
    let mut after = before.clone();
    for csa in csa_managers {
        after = migrated(after, csa, manager)?;
    }
    if after == *before {
        return Ok(None);
    }
    let version = live.pointer("/metadata/resourceVersion").and_then(Json::as_str).unwrap_or_default();
    let value = if after.is_empty() { Json::Null } else { Json::Array(after) };
    Ok(Some(json!([
        {"op": "replace", "path": "/metadata/managedFields", "value": value},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
    ])))
}

fn migrated(mut entries: Vec<Json>, csa: &str, manager: &str) -> Result<Vec<Json>, String> {
    let is = |entry: &Json, name: &str, operation: &str| {
        let text = |key| entry.get(key).and_then(Json::as_str).unwrap_or_default();
        text("manager") == name && text("operation") == operation && text("subresource").is_empty()
    };
    let target = match entries.iter().position(|e| is(e, manager, "Apply")) {
        Some(target) => target,
        None => {
            let Some(first) = entries.iter().position(|e| is(e, csa, "Update")) else { return Ok(entries) };
            if let Some(entry) = entries.get_mut(first).and_then(Json::as_object_mut) {
                entry.insert("operation".into(), "Apply".into());
                entry.insert("manager".into(), manager.into());
            }
            first
        }
    };
    let version = entries.get(target).and_then(|e| e.get("apiVersion")).cloned();
    let fields = |entry: Option<&Json>| -> Result<Map<String, Json>, String> {
        match entry.and_then(|e| e.get("fieldsV1")) {
            None | Some(Json::Null) => Ok(Map::new()),
            Some(Json::Object(fields)) => Ok(fields.clone()),
            Some(_) => Err("failed to convert fields to set: fieldsV1 is no object".into()),
        }
    };
    let of_target = fields(entries.get(target))?;
    // Only fields of the same version can be put together; the others are given up.
    let other = entries.iter().find(|e| is(e, csa, "Update") && e.get("apiVersion") == version.as_ref());
    if other.is_some() {
        let both = union(of_target, fields(other)?);
        if let Some(entry) = entries.get_mut(target).and_then(Json::as_object_mut) {
            entry.insert("fieldsV1".into(), Json::Object(both));
        }
    }
    entries.retain(|e| !is(e, csa, "Update"));
    Ok(entries)
}

/// Two sets in one. An empty map is the field itself; with fields below it, `.` says that it is owned itself, too.
fn union(mut left: Map<String, Json>, right: Map<String, Json>) -> Map<String, Json> {
    for (key, theirs) in right {
        let merged = match (left.remove(&key), theirs) {
            (Some(Json::Object(ours)), Json::Object(theirs)) => {
                let owned = (ours.is_empty() || theirs.is_empty()) && ours.len() != theirs.len() && key != ".";
                let mut both = union(ours, theirs);
                if owned {
                    both.insert(".".into(), json!({}));
                }
                Json::Object(both)
            }
            (_, theirs) => theirs,
        };
        left.insert(key, merged);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, fields: Json) -> Json {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    fn object(entries: Vec<Json>) -> Json {
        json!({"metadata": {"resourceVersion": "7", "managedFields": entries}})
    }

    #[test]
    fn what_was_written_client_side_becomes_applied() {
        let live = object(vec![
            entry("helm", "Update", json!({"f:data": {".": {}, "f:a": {}}})),
            entry("kubectl", "Update", json!({"f:data": {"f:b": {}}})),
        ]);
        let patch = migration(&live, &["helm"], "helm").unwrap().unwrap();
        assert_eq!(
            patch,
            json!([
                {"op": "replace", "path": "/metadata/managedFields", "value": [
                    entry("helm", "Apply", json!({"f:data": {".": {}, "f:a": {}}})),
                    entry("kubectl", "Update", json!({"f:data": {"f:b": {}}})),
                ]},
                {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
            ])
        );
    }

    #[test]
    fn sets_are_united_and_other_versions_given_up() {
        let mut old = entry("helm", "Update", json!({"f:spec": {"f:x": {}}}));
        old["apiVersion"] = "v1beta1".into();
        let live = object(vec![
            entry("helm", "Apply", json!({"f:data": {"f:a": {}}, "f:spec": {}})),
            entry("helm", "Update", json!({"f:data": {"f:a": {"f:deep": {}}}, "f:spec": {"f:y": {}}})),
            old,
        ]);
        let patch = migration(&live, &["helm"], "helm").unwrap().unwrap();
        let fields = json!({"f:data": {"f:a": {".": {}, "f:deep": {}}}, "f:spec": {".": {}, "f:y": {}}});
        assert_eq!(patch[0]["value"], json!([entry("helm", "Apply", fields)]));
    }

    #[test]
    fn nothing_to_do_is_no_patch() {
        for entries in
            [vec![], vec![entry("kubectl", "Update", json!({}))], vec![entry("helm", "Apply", json!({"f:a": {}}))]]
        {
            assert_eq!(migration(&object(entries), &["helm"], "helm").unwrap(), None);
        }
        assert_eq!(migration(&json!({"metadata": {}}), &["helm"], "helm").unwrap(), None);
    }
}
