//! Takes fields over from other managers, by their entries in `metadata.managedFields`: what they have set counts as ours from then on, and goes
//! with the next apply if it is not wanted.
//!
//! Source: Flux `pkg/ssa` (`PatchReplaceFieldsManagers`), used by helm-controller's `--override-manager`.

use serde_json::json;

use crate::cluster::Json;

/// The JSON patch that makes the fields of `managers` those of `ours`; `None` if they have none. Subresources are left alone.
pub(super) fn take_over(live: &Json, managers: &[String], ours: &str) -> Option<Json> {
    if managers.is_empty() {
        return None;
    }
    let entries = live.pointer("/metadata/managedFields")?.as_array()?;
    let text = |entry: &Json, key: &str| entry.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    let is_theirs = |entry: &Json| {
        let manager = text(entry, "manager");
        managers.contains(&manager) && manager != ours && text(entry, "subresource").is_empty()
    };
    let is_ours = |entry: &Json| {
        text(entry, "manager") == ours && text(entry, "operation") == "Apply" && text(entry, "subresource").is_empty()
    };
    let (theirs, mut kept): (Vec<Json>, Vec<Json>) = entries.iter().cloned().partition(|e| is_theirs(e));
    let first = theirs.first()?;
    let mut fields = Json::Null;
    for entry in &theirs {
        unite(&mut fields, entry.get("fieldsV1").unwrap_or(&Json::Null));
    }
    match kept.iter_mut().find(|e| is_ours(e)) {
        Some(own) => unite(own.get_mut("fieldsV1")?, &fields),
        None => kept.push(json!({
            "manager": ours,
            "operation": "Apply",
            "apiVersion": text(first, "apiVersion"),
            "time": first.get("time").cloned().unwrap_or_default(),
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        })),
    }
    Some(json!([
        {"op": "replace", "path": "/metadata/managedFields", "value": kept},
        // Refused if somebody has written meanwhile.
        {"op": "replace", "path": "/metadata/resourceVersion", "value": live.pointer("/metadata/resourceVersion")?},
    ]))
}

/// Adds a set of fields to another.
fn unite(into: &mut Json, more: &Json) {
    match (into, more) {
        (Json::Object(into), Json::Object(more)) => {
            for (key, value) in more {
                unite(into.entry(key.clone()).or_insert(Json::Null), value);
            }
        }
        (into @ Json::Null, more) => into.clone_from(more),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_change_hands() {
        let entry = |manager: &str, operation: &str, fields: Json| json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields});
        let live = |entries: Vec<Json>| json!({"metadata": {"resourceVersion": "7", "managedFields": entries}});
        let managers = ["kubectl-edit".to_owned()];
        let edited = entry("kubectl-edit", "Update", json!({"f:data": {"f:b": {}}}));
        let other = entry("other", "Update", json!({"f:data": {"f:c": {}}}));
        let own = entry("ours", "Apply", json!({"f:data": {"f:a": {}}}));
        let patch = take_over(&live(vec![own.clone(), edited.clone(), other.clone()]), &managers, "ours").unwrap();
        let united = entry("ours", "Apply", json!({"f:data": {"f:a": {}, "f:b": {}}}));
        assert_eq!(patch[0]["value"], json!([united, other]));
        assert_eq!(patch[1]["value"], "7");
        let patch = take_over(&live(vec![edited.clone()]), &managers, "ours").unwrap();
        assert_eq!(
            (patch[0]["value"][0]["manager"].as_str(), &patch[0]["value"][0]["fieldsV1"]),
            (Some("ours"), &edited["fieldsV1"])
        );
        assert_eq!(take_over(&live(vec![own, other]), &managers, "ours"), None);
        assert_eq!(take_over(&live(vec![edited]), &[], "ours"), None);
    }
}
