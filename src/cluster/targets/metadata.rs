//! Whether a document's `metadata` fits Kubernetes' `ObjectMeta`: a number for a label is found before anything is asked of the server.
//!
//! Source: cli-runtime 0.37 `pkg/resource/metadata_decoder.go`; apimachinery `pkg/apis/meta/v1/types.go`, read by encoding/json's rules: fields
//! in the text's order, the first mismatch counts, and what a type's own reader refuses ends it at once.

use serde_json::Map;

use crate::cluster::Json;
use crate::golang::time::{Location, RFC3339, parse_in_location};

/// A field's Go type.
#[derive(Clone, Copy)]
enum Go {
    /// `string`, or a named type of it.
    Text(&'static str),
    Int,
    Bool,
    Time,
    /// `map[string]string`
    Texts,
    /// A slice, and its type as it is printed.
    List(&'static str, &'static Self),
    /// A struct's name, its type, its fields.
    Struct(&'static str, &'static str, &'static [(&'static str, Self)]),
    /// Any JSON.
    Raw,
}

use Go::{Bool, Int, List, Raw, Struct, Text, Texts, Time};

const STRING: Go = Text("string");
const UID: Go = Text("types.UID");

const OBJECT_META: Go = Struct(
    "ObjectMeta",
    "v1.ObjectMeta",
    &[
        ("name", STRING),
        ("generateName", STRING),
        ("namespace", STRING),
        ("selfLink", STRING),
        ("uid", UID),
        ("resourceVersion", STRING),
        ("generation", Int),
        ("creationTimestamp", Time),
        ("deletionTimestamp", Time),
        ("deletionGracePeriodSeconds", Int),
        ("labels", Texts),
        ("annotations", Texts),
        ("ownerReferences", List("[]v1.OwnerReference", &OWNER)),
        ("finalizers", List("[]string", &STRING)),
        ("managedFields", List("[]v1.ManagedFieldsEntry", &MANAGED)),
    ],
);

const OWNER: Go = Struct(
    "OwnerReference",
    "v1.OwnerReference",
    &[
        ("apiVersion", STRING),
        ("kind", STRING),
        ("name", STRING),
        ("uid", UID),
        ("controller", Bool),
        ("blockOwnerDeletion", Bool),
    ],
);

const MANAGED: Go = Struct(
    "ManagedFieldsEntry",
    "v1.ManagedFieldsEntry",
    &[
        ("manager", STRING),
        ("operation", Text("v1.ManagedFieldsOperationType")),
        ("apiVersion", STRING),
        ("time", Time),
        ("fieldsType", STRING),
        ("fieldsV1", Raw),
        ("subresource", STRING),
    ],
);

/// Looks at a document's metadata.
///
/// # Errors
/// What does not fit, in Go's words.
pub(super) fn check(document: &Json) -> Result<(), String> {
    let Some(metadata) = document.get("metadata") else { return Ok(()) };
    let mut reading = Reading { place: Vec::from([("metadataOnlyObject", "metadata")]), first: None };
    reading.value(metadata, OBJECT_META)?;
    reading.first.map_or(Ok(()), Err)
}

struct Reading {
    /// The structs around the value with the field of each.
    place: Vec<(&'static str, &'static str)>,
    first: Option<String>,
}

impl Reading {
    fn mismatch(&self, found: &str, ty: &str) -> String {
        let structure = self.place.last().map_or("", |(s, _)| s);
        let path: Vec<&str> = self.place.iter().map(|(_, field)| *field).collect();
        format!("json: cannot unmarshal {found} into Go struct field {structure}.{} of type {ty}", path.join("."))
    }

    fn note(&mut self, found: &str, ty: &str) {
        if self.first.is_none() {
            self.first = Some(self.mismatch(found, ty));
        }
    }

    /// # Errors
    /// What a type's own reader refuses.
    fn value(&mut self, value: &Json, go: Go) -> Result<(), String> {
        match (go, value) {
            (Raw, _) | (_, Json::Null) | (Text(_), Json::String(_)) | (Bool, Json::Bool(_)) => {}
            (Int, Json::Number(n)) if n.is_i64() => {}
            (Int, Json::Number(n)) => self.note(&format!("number {n}"), "int64"),
            (Time, Json::String(text)) => {
                parse_in_location(RFC3339, text.as_bytes(), &Location::utc())?;
            }
            (Time, other) => return Err(self.mismatch(kind(other), "string")),
            (Texts, Json::Object(map)) => {
                for value in map.values() {
                    self.value(value, STRING)?;
                }
            }
            (List(_, item), Json::Array(list)) => {
                for value in list {
                    self.value(value, *item)?;
                }
            }
            (Struct(name, _, fields), Json::Object(map)) => self.fields(name, fields, map)?,
            (Text(ty) | List(ty, _) | Struct(_, ty, _), other) => self.note(kind(other), ty),
            (Int, other) => self.note(kind(other), "int64"),
            (Bool, other) => self.note(kind(other), "bool"),
            (Texts, other) => self.note(kind(other), "map[string]string"),
        }
        Ok(())
    }

    fn fields(
        &mut self,
        name: &'static str,
        fields: &[(&'static str, Go)],
        map: &Map<String, Json>,
    ) -> Result<(), String> {
        for (key, value) in map {
            if let Some((field, go)) = fields.iter().find(|(field, _)| field == key) {
                self.place.push((name, field));
                self.value(value, *go)?;
                self.place.pop();
            }
        }
        Ok(())
    }
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "bool",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::cluster::manifest;

    /// As `helm install --dry-run=server` of Helm 4.3.1 says it of such a document.
    const ANSWERS: &str = include_str!("metadata.txt");

    #[test]
    fn what_fits_no_object_meta_is_said_in_gos_words() {
        let cases: Vec<(&str, &str)> = ANSWERS.lines().filter_map(|l| l.split_once(" => ")).collect();
        assert_eq!(cases.len(), ANSWERS.lines().count());
        for (metadata, want) in cases {
            let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {metadata}\n");
            let object = manifest::object(text.as_bytes()).unwrap().unwrap();
            assert_eq!(check(&object).err().unwrap_or_default(), want, "{metadata}");
        }
    }
}
